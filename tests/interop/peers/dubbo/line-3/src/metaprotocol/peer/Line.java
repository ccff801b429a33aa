package metaprotocol.peer;

import java.util.Map;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.rpc.RpcContext;

/** What Dubbo 3 spells otherwise than the other lines. */
final class Line {
    private Line() {}

    static ApplicationConfig application(String name) {
        ApplicationConfig application = new ApplicationConfig(name);
        application.setQosEnable(false);
        application.setRegisterConsumer(false);
        return application;
    }

    /** Keeps the service that describes the others from opening a port of its own. */
    static void share(ApplicationConfig application, int port) {
        application.setMetadataServicePort(port);
    }

    static void serialize(ProtocolConfig protocol, String serialization) {
        protocol.setSerialization(serialization);
        protocol.setPreferSerialization(serialization);
    }

    /** Attaches to the next call of this thread, and nothing that an earlier call has left. */
    static void attach(Map<String, Object> attachments) {
        RpcContext.getClientAttachment().clearAttachments();
        attachments.forEach(RpcContext.getClientAttachment()::setObjectAttachment);
    }

    /** Attaches to the response of the call that this thread serves. */
    static void respondWith(String key, Object value) {
        RpcContext.getServerResponseContext().setObjectAttachment(key, value);
    }
}
