package metaprotocol.peer;

import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;

/**
 * Serves {@link DemoService} twice on one port: without group and version, and as group {@code blue} version
 * {@code 1.2.3}. Prints READY when it listens; SIGTERM ends it gracefully (clients get the read-only event).
 */
public final class Server {
    private Server() {}

    public static void main(String[] arguments) throws Exception {
        Options options = new Options(
                arguments, "port", "serialization", "threads", "payload", "heartbeat", "log");
        if (options.text("log", null) != null) {
            Received.logTo(options.text("log", null));
        }
        int port = options.number("port", 20880);
        ApplicationConfig application = Line.application("metaprotocol-server");
        Line.share(application, port);
        ProtocolConfig protocol = new ProtocolConfig("dubbo", port);
        Line.serialize(protocol, options.text("serialization", "hessian2"));
        protocol.setHeartbeat(options.numberOrNull("heartbeat"));
        protocol.setPayload(options.numberOrNull("payload"));
        if (options.numberOrNull("threads") != null) {
            // No queue: a call that finds every thread busy is refused at once.
            protocol.setThreads(options.numberOrNull("threads"));
            protocol.setQueues(0);
        }
        Demo demo = new Demo();
        export(application, protocol, demo, null, null);
        export(application, protocol, demo, "blue", "1.2.3");
        System.out.println("READY");
        Thread.currentThread().join();
    }

    private static void export(
            ApplicationConfig application, ProtocolConfig protocol, Demo demo, String group, String version) {
        ServiceConfig<DemoService> service = new ServiceConfig<>();
        service.setApplication(application);
        service.setRegistry(new RegistryConfig(RegistryConfig.NO_AVAILABLE));
        service.setProtocol(protocol);
        service.setInterface(DemoService.class);
        service.setRef(demo);
        service.setGroup(group);
        service.setVersion(version);
        service.export();
    }
}
