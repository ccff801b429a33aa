package metaprotocol.peer;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What only Kafka 4 can do: share groups. */
final class Line {
    private Line() {}

    static void add(Map<String, Client.Scenario> scenarios, Clients clients, Options options) {
        scenarios.put("share", () -> share(clients, options.text("topic", "orders"), options.text("group", "billing")));
    }

    /** A consumer of a share group takes records one by one and acknowledges each. */
    private static void share(Clients clients, String topic, String group) {
        String administrator = clients.name + "-admin";
        try (Admin admin = clients.admin()) {
            Told.by(administrator, "create_topic", Told.of("topic", topic, "partitions", 1), () -> {
                admin.createTopics(Collections.singleton(new NewTopic(topic, 1, (short) 1))).all().get();
                return null;
            });
            ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
            Told.by(administrator, "alter_configs", Told.of("group", group), () -> {
                admin.incrementalAlterConfigs(Collections.singletonMap(
                        resource,
                        Collections.singleton(new AlterConfigOp(
                                new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET))))
                        .all().get();
                return null;
            });
            String producing = clients.name + "-producer-all";
            try (Producer<byte[], byte[]> producer = clients.producer(producing, "acks", "all")) {
                for (int i = 0; i < 3; i++) {
                    Clients.produce(producer, producing, "all", topic, 0, "shared " + i);
                }
            }
            String id = clients.name + "-share-consumer";
            try (KafkaShareConsumer<byte[], byte[]> consumer = new KafkaShareConsumer<>(
                    clients.with("client.id", id, "group.id", group, "share.acknowledgement.mode", "explicit"),
                    new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                consumer.subscribe(Collections.singleton(topic));
                Told.by(id, "consume", Told.of("count", 3), () -> {
                    List<Map<String, Object>> records = new ArrayList<>();
                    long end = System.nanoTime() + 20_000_000_000L;
                    while (records.size() < 3) {
                        if (System.nanoTime() > end) {
                            throw new IllegalStateException("only these came: " + records);
                        }
                        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                            records.add(Told.of(
                                    "topic", record.topic(), "partition", record.partition(), "offset", record.offset(),
                                    "value", new String(record.value(), StandardCharsets.UTF_8)));
                            consumer.acknowledge(record);
                        }
                        consumer.commitSync();
                    }
                    return Told.of("records", records);
                });
            }
            Told.by(administrator, "describe_group", Told.of("group", group), () -> Told.of(
                    "members", admin.describeShareGroups(Collections.singleton(group)).all().get().get(group)
                            .members().size()));
            Told.by(administrator, "delete_topic", Told.of("topic", topic), () -> {
                admin.deleteTopics(Collections.singleton(topic)).all().get();
                return null;
            });
        }
    }
}
