package metaprotocol.peer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.tools.StorageTool;
import org.apache.kafka.common.utils.Time;

/**
 * One Kafka node, broker and controller in one (KRaft), with its data in a temporary directory. Prints READY when it serves;
 * SIGTERM ends it and removes its data.
 */
public final class Broker {
    private static final String HOST = "127.0.0.1";
    /** Whom the SASL listeners know, by PLAIN and by SCRAM. */
    static final String USER = "alice";

    static final String PASSWORD = "wonderland";

    private Broker() {}

    public static void main(String[] arguments) throws Exception {
        Options options = new Options(arguments, "port", "sasl-port", "tls-port", "keystore", "log");
        if (options.text("log", null) != null) {
            RequestLog.writeTo(Paths.get(options.text("log", null)));
        }
        Path data = Files.createTempDirectory("kafka-peer");
        Properties properties = properties(options, data);
        Path file = data.resolve("server.properties");
        try (OutputStream out = Files.newOutputStream(file)) {
            properties.store(out, null);
        }
        format(file);
        KafkaRaftServer server = new KafkaRaftServer(KafkaConfig.fromProps(properties, false), Time.SYSTEM);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.shutdown();
            remove(data);
        }));
        server.startup();
        System.out.println("READY");
        server.awaitShutdown();
    }

    private static Properties properties(Options options, Path data) throws IOException {
        Map<String, Integer> listeners = new LinkedHashMap<>();
        listeners.put("PLAINTEXT", options.number("port", 9092));
        if (options.numberOrNull("sasl-port") != null) {
            listeners.put("SASL_PLAINTEXT", options.number("sasl-port", 0));
        }
        if (options.numberOrNull("tls-port") != null) {
            listeners.put("SSL", options.number("tls-port", 0));
        }
        Properties all = new Properties();
        all.put("advertised.listeners", addresses(listeners));
        listeners.put("CONTROLLER", freePort());
        all.put("listeners", addresses(listeners));
        all.put(
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT");
        all.put("inter.broker.listener.name", "PLAINTEXT");
        all.put("controller.listener.names", "CONTROLLER");
        all.put("process.roles", "broker,controller");
        all.put("node.id", "1");
        all.put("controller.quorum.voters", "1@" + HOST + ":" + listeners.get("CONTROLLER"));
        all.put("log.dirs", data.resolve("log").toString());

        all.put("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256");
        all.put(
                "listener.name.sasl_plaintext.plain.sasl.jaas.config",
                "org.apache.kafka.common.security.plain.PlainLoginModule required user_" + USER + "=\"" + PASSWORD
                        + "\";");
        all.put(
                "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;");
        if (options.text("keystore", null) != null) {
            all.put("ssl.keystore.location", options.text("keystore", null));
            all.put("ssl.keystore.password", PASSWORD);
            all.put("ssl.keystore.type", "PKCS12");
        }

        // One node keeps every replica, and groups start without waiting for more members.
        for (String name : new String[] {"offsets.topic", "transaction.state.log", "share.coordinator.state.topic"}) {
            all.put(name + ".replication.factor", "1");
            all.put(name + ".num.partitions", "1");
        }
        all.put("transaction.state.log.min.isr", "1");
        all.put("share.coordinator.state.topic.min.isr", "1");
        all.put("group.initial.rebalance.delay.ms", "0");
        all.put("group.coordinator.rebalance.protocols", "classic,consumer");
        for (String kind : new String[] {"group.consumer", "group.share"}) {
            all.put(kind + ".heartbeat.interval.ms", "500");
            all.put(kind + ".min.heartbeat.interval.ms", "500");
        }
        all.put("auto.create.topics.enable", "false");
        // The tests' machines have two cores.
        all.put("num.network.threads", "2");
        all.put("num.io.threads", "4");
        all.put("background.threads", "2");
        all.put("num.recovery.threads.per.data.dir", "1");
        all.put("log.cleaner.enable", "false");
        return all;
    }

    private static String addresses(Map<String, Integer> listeners) {
        return listeners.entrySet().stream()
                .map(listener -> listener.getKey() + "://" + HOST + ":" + listener.getValue())
                .collect(Collectors.joining(","));
    }

    private static int freePort() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getByName(HOST))) {
            return taken.getLocalPort();
        }
    }

    private static void format(Path properties) {
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        int status = StorageTool.execute(
                new String[] {
                    "format", "--cluster-id", "bWV0YXByb3RvY29sLTEyMw", "--config", properties.toString(),
                    "--add-scram", "SCRAM-SHA-256=[name=" + USER + ",password=" + PASSWORD + "]",
                },
                new PrintStream(said));
        if (status != 0) {
            throw new IllegalStateException("the storage was not formatted: " + said);
        }
    }

    private static void remove(Path directory) {
        try (Stream<Path> all = Files.walk(directory)) {
            all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
