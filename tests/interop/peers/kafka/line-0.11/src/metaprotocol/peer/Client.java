package metaprotocol.peer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The scenario {@code interop} as far as Kafka 0.11 has its calls. */
public final class Client {
    private final Options options;
    private final String name;
    private final String topic;
    private final String group;

    private Client(Options options) {
        this.options = options;
        name = options.text("client-id", "java");
        topic = options.text("topic", "orders");
        group = options.text("group", "billing");
    }

    public static void main(String[] arguments) {
        Options options = new Options(
                arguments, "port", "scenario", "client-id", "topic", "group", "security", "certificate");
        if (!options.text("scenario", "interop").equals("interop")) {
            System.err.println("no such scenario; there is interop");
            System.exit(2);
        }
        new Client(options).interop();
        System.exit(0);
    }

    private void interop() {
        String id = name + "-admin";
        try (AdminClient admin = AdminClient.create(with("client.id", id))) {
            Told.by(id, "describe_cluster", Told.of(), () -> Told.of(
                    "nodes", admin.describeCluster().nodes().get().stream().map(Client::address)
                            .collect(Collectors.toList())));
            for (int i = 0; i < 2; i++) {
                Told.by(id, "create_topic", Told.of("topic", topic, "partitions", 2), () -> {
                    admin.createTopics(Collections.singleton(new NewTopic(topic, 2, (short) 1))).all().get();
                    return null;
                });
            }
            Told.by(id, "list_topics", Told.of(), () -> Told.of(
                    "topics", admin.listTopics().names().get().stream().sorted().collect(Collectors.toList())));
            Told.by(id, "describe_topic", Told.of("topic", topic), () -> {
                TopicDescription described = admin.describeTopics(Collections.singleton(topic)).all().get().get(topic);
                return Told.of(
                        "partitions", described.partitions().size(),
                        "leader", address(described.partitions().get(0).leader()));
            });
            Told.by(id, "describe_configs", Told.of("topic", topic), () -> {
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                return Told.of("cleanup.policy", admin.describeConfigs(Collections.singleton(resource)).all().get()
                        .get(resource).get("cleanup.policy").value());
            });
            produceAndConsume();
            Told.by(id, "describe_acls", Told.of(), () -> {
                admin.describeAcls(AclBindingFilter.ANY).values().get();
                return null;
            });
            Told.by(id, "delete_topic", Told.of("topic", topic), () -> {
                admin.deleteTopics(Collections.singleton(topic)).all().get();
                return null;
            });
        }
    }

    private void produceAndConsume() {
        int number = 0;
        for (String acks : new String[] {"all", "1", "0"}) {
            String id = name + "-producer-" + acks;
            try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                    with("client.id", id, "acks", acks), new ByteArraySerializer(), new ByteArraySerializer())) {
                for (int i = 0; i < 2; i++) {
                    String value = "order " + number++;
                    int partition = acks.equals("1") ? 1 : 0;
                    Map<String, Object> details =
                            Told.of("topic", topic, "partition", partition, "acks", acks, "value", value);
                    Told.by(id, "produce", details, () -> {
                        RecordMetadata stored = producer.send(new ProducerRecord<>(
                                topic, partition, null, value.getBytes(StandardCharsets.UTF_8))).get();
                        return Told.of("offset", stored.offset() < 0 ? null : stored.offset());
                    });
                }
            }
        }
        String id = name + "-consumer";
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                with("client.id", id, "group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", false),
                new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(Collections.singleton(topic));
            int count = number;
            Told.by(id, "consume", Told.of("count", count), () -> Told.of("records", records(consumer, count)));
            Told.by(id, "commit", Told.of(), () -> {
                consumer.commitSync();
                return null;
            });
        }
    }

    private static List<Map<String, Object>> records(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<Map<String, Object>> records = new ArrayList<>();
        long end = System.nanoTime() + 20_000_000_000L;
        while (records.size() < count) {
            if (System.nanoTime() > end) {
                throw new IllegalStateException("only these came: " + records);
            }
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(100)) {
                records.add(Told.of(
                        "topic", record.topic(), "partition", record.partition(), "offset", record.offset(),
                        "value", new String(record.value(), StandardCharsets.UTF_8)));
            }
        }
        records.sort((a, b) -> {
            int byPartition = Integer.compare((int) a.get("partition"), (int) b.get("partition"));
            return byPartition != 0 ? byPartition : Long.compare((long) a.get("offset"), (long) b.get("offset"));
        });
        return records;
    }

    private Map<String, Object> with(Object... settings) {
        Map<String, Object> all = new HashMap<>();
        all.put("bootstrap.servers", "127.0.0.1:" + options.number("port", 9092));
        if (options.text("security", "none").equals("plain")) {
            all.put("security.protocol", "SASL_PLAINTEXT");
            all.put("sasl.mechanism", "PLAIN");
            all.put(
                    "sasl.jaas.config",
                    "org.apache.kafka.common.security.plain.PlainLoginModule required"
                            + " username=\"alice\" password=\"wonderland\";");
        }
        all.putAll(Told.of(settings));
        return all;
    }

    private static String address(Node node) {
        return node.host() + ":" + node.port();
    }
}
