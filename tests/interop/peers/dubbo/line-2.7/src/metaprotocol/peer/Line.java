package metaprotocol.peer;

import java.util.Map;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.rpc.RpcContext;

/** What Dubbo 2.7 spells otherwise than the other lines. */
final class Line {
    private Line() {}

    static ApplicationConfig application(String name) {
        ApplicationConfig application = new ApplicationConfig(name);
        application.setQosEnable(false);
        return application;
    }

    /** There is but one port. */
    static void share(ApplicationConfig application, int port) {}

    static void serialize(ProtocolConfig protocol, String serialization) {
        protocol.setSerialization(serialization);
    }

    /** Attaches to the next call of this thread, and nothing that an earlier call has left. */
    static void attach(Map<String, Object> attachments) {
        RpcContext.getContext().clearAttachments();
        attachments.forEach(RpcContext.getContext()::setObjectAttachment);
    }

    /** Attaches to the response of the call that this thread serves. */
    static void respondWith(String key, Object value) {
        RpcContext.getServerContext().setObjectAttachment(key, value);
    }
}
