package metaprotocol.peer;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;

/** What the clients do: producers, consumers and the administrator's calls that every language has. */
final class Scenarios {
    private final Clients clients;
    private final String name;
    private final String topic;
    private final String group;
    private final String protocol;

    Scenarios(Clients clients, Options options) {
        this.clients = clients;
        name = clients.name;
        topic = options.text("topic", "orders");
        group = options.text("group", "billing");
        protocol = options.text("group-protocol", "classic");
    }

    /** A little of everything, for a proxy in between to alter or to answer; the clients in Python do the same. */
    void interop() {
        try (Admin admin = clients.admin()) {
            describeCluster(admin);
            create(admin, topic, 2);
            create(admin, topic, 2);
            Told.by(name + "-admin", "list_topics", Told.of(), () -> Told.of(
                    "topics", admin.listTopics().names().get().stream().sorted().collect(Collectors.toList())));
            describeTopic(admin, topic);
            Told.by(name + "-admin", "describe_configs", Told.of("topic", topic), () -> {
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                return Told.of("cleanup.policy", admin.describeConfigs(Collections.singleton(resource)).all().get()
                        .get(resource).get("cleanup.policy").value());
            });
            int number = 0;
            int stored = 0;
            for (String acks : new String[] {"all", "1", "0"}) {
                String id = name + "-producer-" + acks;
                int partition = acks.equals("1") ? 1 : 0;
                try (Producer<byte[], byte[]> producer = clients.producer(id, "acks", acks)) {
                    for (int i = 0; i < 2; i++) {
                        stored += Clients.produce(producer, id, acks, topic, partition, "order " + number++) ? 1 : 0;
                    }
                }
            }
            int count = stored;
            String id = name + "-consumer";
            try (Consumer<byte[], byte[]> consumer = grouped(id)) {
                consumer.subscribe(Collections.singleton(topic));
                Clients.consume(consumer, id, count);
                Clients.commit(consumer, id);
            }
            Told.by(name + "-admin", "list_groups", Told.of(), () -> Told.of(
                    "groups", admin.listConsumerGroups().all().get().stream().map(each -> each.groupId()).sorted()
                            .collect(Collectors.toList())));
            Told.by(name + "-admin", "group_offsets", Told.of("group", group), () -> Told.of(
                    "offsets", offsets(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get())));
            Told.by(name + "-admin", "describe_acls", Told.of(), () -> {
                admin.describeAcls(AclBindingFilter.ANY).values().get();
                return null;
            });
            Told.by(name + "-admin", "delete_group", Told.of("group", group), () -> {
                admin.deleteConsumerGroups(Collections.singleton(group)).all().get();
                return null;
            });
            delete(admin, topic);
        }
    }

    /** One record there and back: the least that shows that a connection works. */
    void hello() {
        try (Admin admin = clients.admin()) {
            create(admin, topic, 1);
            String id = name + "-producer-all";
            try (Producer<byte[], byte[]> producer = clients.producer(id, "acks", "all")) {
                Clients.produce(producer, id, "all", topic, 0, "hello");
            }
            id = name + "-consumer";
            try (Consumer<byte[], byte[]> consumer = clients.consumer(id)) {
                consumer.assign(Collections.singleton(new TopicPartition(topic, 0)));
                Clients.consume(consumer, id, 1);
            }
            delete(admin, topic);
        }
    }

    /** The topic alone, for clients that cannot create one. */
    void create() {
        try (Admin admin = clients.admin()) {
            create(admin, topic, 2);
        }
    }

    void compression() {
        try (Admin admin = clients.admin()) {
            create(admin, topic, 1);
            int count = 0;
            for (String codec : new String[] {"none", "gzip", "snappy", "lz4", "zstd"}) {
                String id = name + "-" + codec;
                String text = (codec + " compresses this ").repeat(20);
                try (Producer<byte[], byte[]> producer =
                        clients.producer(id, "acks", "all", "compression.type", codec)) {
                    for (int i = 0; i < 2; i++, count++) {
                        Clients.produce(producer, id, "all", topic, 0, text);
                    }
                }
            }
            String id = name + "-consumer";
            try (Consumer<byte[], byte[]> consumer = clients.consumer(id)) {
                consumer.assign(Collections.singleton(new TopicPartition(topic, 0)));
                Clients.consume(consumer, id, count);
            }
            delete(admin, topic);
        }
    }

    /** Many requests under way at once, acknowledged and not, from one producer each. */
    void pipelined() {
        try (Admin admin = clients.admin()) {
            create(admin, topic, 1);
            int count = 60;
            for (String acks : new String[] {"1", "0"}) {
                String id = name + "-producer-" + acks;
                // Batches of a record or two, of which none waits for the one before.
                try (Producer<byte[], byte[]> producer = clients.producer(
                        id, "acks", acks, "batch.size", 0, "max.in.flight.requests.per.connection", 50)) {
                    Told.by(id, "produce_many", Told.of("topic", topic, "acks", acks, "count", count), () -> {
                        List<Future<RecordMetadata>> sent = new ArrayList<>();
                        for (int i = 0; i < count; i++) {
                            sent.add(producer.send(Clients.record(topic, 0, "record " + i)));
                        }
                        for (Future<RecordMetadata> each : sent) {
                            each.get();
                        }
                        return null;
                    });
                }
            }
            String id = name + "-consumer";
            try (Consumer<byte[], byte[]> consumer = clients.consumer(id)) {
                consumer.assign(Collections.singleton(new TopicPartition(topic, 0)));
                Clients.consume(consumer, id, 2 * count);
            }
            delete(admin, topic);
        }
    }

    /** Idempotent and transactional producers; a consumer that sees what was committed. */
    void transactions() {
        try (Admin admin = clients.admin()) {
            create(admin, topic, 1);
            String id = name + "-idempotent";
            try (Producer<byte[], byte[]> producer =
                    clients.producer(id, "acks", "all", "enable.idempotence", true)) {
                Clients.produce(producer, id, "all", topic, 0, "idempotent 0");
                Clients.produce(producer, id, "all", topic, 0, "idempotent 1");
            }
            String transactional = name + "-transactional";
            String consuming = name + "-consumer";
            try (Producer<byte[], byte[]> producer = clients.producer(
                            transactional, "acks", "all", "enable.idempotence", true, "transactional.id", "payments",
                            "transaction.timeout.ms", 5000);
                    Consumer<byte[], byte[]> consumer = grouped(consuming, "isolation.level", "read_committed")) {
                consumer.subscribe(Collections.singleton(topic));
                transaction(transactional, "init", producer::initTransactions);
                transaction(transactional, "begin", producer::beginTransaction);
                Clients.produce(producer, transactional, "all", topic, 0, "committed");
                Clients.consume(consumer, consuming, 2);
                transaction(transactional, "send_offsets", () -> producer.sendOffsetsToTransaction(
                        Collections.singletonMap(new TopicPartition(topic, 0), new OffsetAndMetadata(2)),
                        consumer.groupMetadata()));
                Told.by(name + "-admin", "describe_transactions", Told.of("transactional_id", "payments"), () -> Told.of(
                        "state", admin.describeTransactions(Collections.singleton("payments")).all().get()
                                .get("payments").state().toString()));
                Told.by(name + "-admin", "list_transactions", Told.of(), () -> Told.of(
                        "transactions", admin.listTransactions().all().get().size()));
                Told.by(name + "-admin", "describe_producers", Told.of("topic", topic), () -> Told.of(
                        "producers", admin.describeProducers(Collections.singleton(new TopicPartition(topic, 0)))
                                .all().get().values().iterator().next().activeProducers().size()));
                transaction(transactional, "commit", producer::commitTransaction);
                transaction(transactional, "begin", producer::beginTransaction);
                Clients.produce(producer, transactional, "all", topic, 0, "aborted");
                transaction(transactional, "abort", producer::abortTransaction);
                transaction(transactional, "begin", producer::beginTransaction);
                Clients.produce(producer, transactional, "all", topic, 0, "committed as well");
                transaction(transactional, "commit", producer::commitTransaction);
                Clients.consume(consumer, consuming, 2);
            }
            delete(admin, topic);
        }
    }

    private interface Step {
        void run() throws Exception;
    }

    private static void transaction(String id, String step, Step work) {
        Told.by(id, "transaction", Told.of("step", step, "transactional_id", "payments"), () -> {
            work.run();
            return null;
        });
    }

    /** Two members of a group share its partitions; then one leaves the other all of them. */
    void groups() {
        try (Admin admin = clients.admin()) {
            create(admin, topic, 4);
            String first = name + "-first";
            String second = name + "-second";
            String id = name + "-producer-all";
            try (Producer<byte[], byte[]> producer = clients.producer(id, "acks", "all")) {
                for (int partition = 0; partition < 4; partition++) {
                    Clients.produce(producer, id, "all", topic, partition, "for partition " + partition);
                }
            }
            try (Consumer<byte[], byte[]> one = grouped(first, "group.instance.id", "first")) {
                one.subscribe(Collections.singleton(topic));
                Clients.consume(one, first, 4);
                Clients.commit(one, first);
                try (Consumer<byte[], byte[]> two = grouped(second)) {
                    two.subscribe(Collections.singleton(topic));
                    Told.by(second, "share", Told.of("group", group), () -> {
                        long end = System.nanoTime() + 20_000_000_000L;
                        while (two.assignment().size() != 2 || one.assignment().size() != 2) {
                            if (System.nanoTime() > end) {
                                throw new IllegalStateException("the group did not settle");
                            }
                            one.poll(Duration.ofMillis(50));
                            two.poll(Duration.ofMillis(50));
                        }
                        return Told.of("partitions", two.assignment().size());
                    });
                    Told.by(name + "-admin", "describe_group", Told.of("group", group), () -> Told.of(
                            "members", admin.describeConsumerGroups(Collections.singleton(group)).all().get()
                                    .get(group).members().stream().map(member -> member.clientId()).sorted()
                                    .collect(Collectors.toList())));
                }
            }
            // A static member stays in its group after it has gone.
            Told.by(name + "-admin", "delete_group", Told.of("group", group), () -> {
                admin.deleteConsumerGroups(Collections.singleton(group)).all().get();
                return null;
            });
            delete(admin, topic);
        }
    }

    /** Requests that the broker refuses. */
    void errors() {
        String id = name + "-admin";
        try (Admin admin = clients.admin()) {
            create(admin, topic, 1);
            create(admin, topic, 1);
            create(admin, "not a name", 1);
            create(admin, topic + "-many", 0);
            Told.by(id, "create_topic", Told.of("topic", topic + "-replicas"), () -> {
                admin.createTopics(Collections.singleton(new NewTopic(topic + "-replicas", 1, (short) 3))).all().get();
                return null;
            });
            delete(admin, "absent");
            describeTopic(admin, "absent");
            Told.by(id, "delete_group", Told.of("group", "absent"), () -> {
                admin.deleteConsumerGroups(Collections.singleton("absent")).all().get();
                return null;
            });
            Told.by(id, "describe_acls", Told.of(), () -> {
                admin.describeAcls(AclBindingFilter.ANY).values().get();
                return null;
            });
            Told.by(id, "alter_configs", Told.of("topic", topic), () -> {
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                admin.incrementalAlterConfigs(Collections.singletonMap(
                        resource,
                        Collections.singleton(new AlterConfigOp(
                                new ConfigEntry("retention.ms", "many"), AlterConfigOp.OpType.SET)))).all().get();
                return null;
            });
            Told.by(id, "alter_configs", Told.of("topic", topic), () -> {
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                admin.incrementalAlterConfigs(Collections.singletonMap(
                        resource,
                        Collections.singleton(new AlterConfigOp(
                                new ConfigEntry("max.message.bytes", "200"), AlterConfigOp.OpType.SET)))).all().get();
                return null;
            });
            String producing = name + "-producer-all";
            try (Producer<byte[], byte[]> producer = clients.producer(producing, "acks", "all", "max.block.ms", 500)) {
                Clients.produce(producer, producing, "all", topic, 0, "small enough");
                Clients.produce(producer, producing, "all", topic, 0, "too large ".repeat(40));
                Clients.produce(producer, producing, "all", "absent", 0, "nowhere");
            }
            String consuming = name + "-consumer";
            try (Consumer<byte[], byte[]> consumer = clients.consumer(consuming, "auto.offset.reset", "none")) {
                TopicPartition partition = new TopicPartition(topic, 0);
                consumer.assign(Collections.singleton(partition));
                consumer.seek(partition, 1000);
                Told.by(consuming, "poll", Told.of("topic", topic, "offset", 1000), () -> {
                    while (true) {
                        consumer.poll(Duration.ofSeconds(5));
                    }
                });
            }
            delete(admin, topic);
        }
    }

    private Consumer<byte[], byte[]> grouped(String id, Object... settings) {
        Map<String, Object> all = Told.of(settings);
        all.put("group.id", group);
        all.put("group.protocol", protocol);
        if (protocol.equals("classic")) {
            all.put("session.timeout.ms", 6000);
            all.put("heartbeat.interval.ms", 200);
        }
        List<Object> pairs = new ArrayList<>();
        all.forEach((key, value) -> {
            pairs.add(key);
            pairs.add(value);
        });
        return clients.consumer(id, pairs.toArray());
    }

    private void describeCluster(Admin admin) {
        Told.by(name + "-admin", "describe_cluster", Told.of(), () -> Told.of(
                "nodes", admin.describeCluster().nodes().get().stream().map(Clients::address)
                        .collect(Collectors.toList())));
    }

    private void create(Admin admin, String topic, int partitions) {
        Told.by(name + "-admin", "create_topic", Told.of("topic", topic, "partitions", partitions), () -> {
            admin.createTopics(Collections.singleton(
                    new NewTopic(topic, Optional.of(partitions), Optional.of((short) 1)))).all().get();
            return null;
        });
    }

    private void describeTopic(Admin admin, String topic) {
        Told.by(name + "-admin", "describe_topic", Told.of("topic", topic), () -> {
            TopicDescription described =
                    admin.describeTopics(Collections.singleton(topic)).allTopicNames().get().get(topic);
            return Told.of(
                    "partitions", described.partitions().size(),
                    "leader", Clients.address(described.partitions().get(0).leader()));
        });
    }

    private void delete(Admin admin, String topic) {
        Told.by(name + "-admin", "delete_topic", Told.of("topic", topic), () -> {
            admin.deleteTopics(Collections.singleton(topic)).all().get();
            return null;
        });
    }

    private static Map<String, Long> offsets(Map<TopicPartition, OffsetAndMetadata> committed) {
        Map<String, Long> offsets = new TreeMap<>();
        committed.forEach((partition, offset) -> offsets.put(partition.toString(), offset.offset()));
        return offsets;
    }
}
