package metaprotocol.peer;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Clients of one broker, and what they do in all scenarios. */
final class Clients {
    private static final Duration POLL = Duration.ofMillis(100);
    /** How long a consumer waits for records that are there. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(20);

    private final Map<String, Object> common = new HashMap<>();
    final String name;

    Clients(Options options) {
        name = options.text("client-id", "java");
        common.put("bootstrap.servers", "127.0.0.1:" + options.number("port", 9092));
        common.put("retry.backoff.ms", 20);
        String timeout = options.text("timeout", "10000");
        common.put("request.timeout.ms", timeout);
        common.put("default.api.timeout.ms", timeout);
        String security = options.text("security", "none");
        switch (security) {
            case "none":
                break;
            case "plain":
                sasl("PLAIN", "plain.PlainLoginModule", options);
                break;
            case "scram":
                sasl("SCRAM-SHA-256", "scram.ScramLoginModule", options);
                break;
            case "tls":
                common.put("security.protocol", "SSL");
                common.put("ssl.truststore.type", "PEM");
                common.put("ssl.truststore.location", options.text("certificate", null));
                break;
            default:
                throw new IllegalArgumentException("--security is none, plain, scram or tls, not " + security);
        }
    }

    private void sasl(String mechanism, String module, Options options) {
        common.put("security.protocol", "SASL_PLAINTEXT");
        common.put("sasl.mechanism", mechanism);
        common.put(
                "sasl.jaas.config",
                "org.apache.kafka.common.security." + module + " required username=\"" + Broker.USER + "\" password=\""
                        + options.text("password", Broker.PASSWORD) + "\";");
    }

    Admin admin() {
        return Admin.create(with("client.id", name + "-admin"));
    }

    Producer<byte[], byte[]> producer(String id, Object... settings) {
        // A record is a request of its own, since each is sent when the one before has been answered.
        Map<String, Object> all = with("client.id", id, "enable.idempotence", false, "linger.ms", 0);
        all.put("delivery.timeout.ms", common.get("request.timeout.ms"));
        all.put("max.block.ms", common.get("request.timeout.ms"));
        all.putAll(Told.of(settings));
        return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
    }

    Consumer<byte[], byte[]> consumer(String id, Object... settings) {
        Map<String, Object> all = with(
                "client.id", id, "auto.offset.reset", "earliest", "enable.auto.commit", false, "fetch.max.wait.ms", 100);
        all.putAll(Told.of(settings));
        return new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    Map<String, Object> with(Object... settings) {
        Map<String, Object> all = new HashMap<>(common);
        all.putAll(Told.of(settings));
        return all;
    }

    /** Sends a record and waits for its answer; that of acks=0 is made up by the client. */
    static boolean produce(
            Producer<byte[], byte[]> producer, String id, String acks, String topic, int partition, String value) {
        Map<String, Object> details = Told.of("topic", topic, "partition", partition, "acks", acks, "value", value);
        return Told.by(id, "produce", details, () -> {
            RecordMetadata stored = producer.send(record(topic, partition, value)).get();
            return Told.of("offset", stored.hasOffset() ? stored.offset() : null);
        });
    }

    static ProducerRecord<byte[], byte[]> record(String topic, int partition, String value) {
        return new ProducerRecord<>(topic, partition, null, value.getBytes(StandardCharsets.UTF_8));
    }

    /** Polls until there are so many records, and tells of each in the order of partition and offset. */
    static void consume(Consumer<byte[], byte[]> consumer, String id, int count) {
        Told.by(id, "consume", Told.of("count", count), () -> {
            List<Map<String, Object>> records = new ArrayList<>();
            long end = System.nanoTime() + PATIENCE;
            while (records.size() < count) {
                if (System.nanoTime() > end) {
                    throw new IllegalStateException("only these came: " + records);
                }
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    records.add(Told.of(
                            "topic", record.topic(), "partition", record.partition(), "offset", record.offset(),
                            "value", new String(record.value(), StandardCharsets.UTF_8)));
                }
            }
            records.sort((a, b) -> {
                int byPartition = Integer.compare((int) a.get("partition"), (int) b.get("partition"));
                return byPartition != 0 ? byPartition : Long.compare((long) a.get("offset"), (long) b.get("offset"));
            });
            return Told.of("records", records);
        });
    }

    static void commit(Consumer<byte[], byte[]> consumer, String id) {
        Told.by(id, "commit", Told.of(), () -> {
            consumer.commitSync();
            return null;
        });
    }

    static String address(Node node) {
        return node.host() + ":" + node.port();
    }
}
