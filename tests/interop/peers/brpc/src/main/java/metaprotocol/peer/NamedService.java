package metaprotocol.peer;

import com.baidu.brpc.protocol.BrpcMeta;
import com.baidu.brpc.protocol.pbrpc.PublicPbrpcProto.RequestHead;

/** The service of protocols that call methods by their names. */
public interface NamedService {
    @BrpcMeta(serviceName = "metaprotocol.peer.EchoService", methodName = "Echo")
    RequestHead echo(RequestHead request);

    @BrpcMeta(serviceName = "metaprotocol.peer.EchoService", methodName = "Fail")
    RequestHead fail(RequestHead request);

    /** Only clients know it. */
    interface WithMore extends NamedService {
        @BrpcMeta(serviceName = "metaprotocol.peer.EchoService", methodName = "Absent")
        RequestHead absent(RequestHead request);
    }
}
