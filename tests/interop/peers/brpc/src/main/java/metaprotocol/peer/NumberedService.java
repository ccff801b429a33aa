package metaprotocol.peer;

import com.baidu.brpc.protocol.BrpcMeta;
import com.baidu.brpc.protocol.pbrpc.PublicPbrpcProto.RequestHead;

/** The service of protocols that call methods by their positions. */
public interface NumberedService {
    @BrpcMeta(serviceName = "EchoService", methodName = "0")
    RequestHead echo(RequestHead request);

    @BrpcMeta(serviceName = "EchoService", methodName = "1")
    RequestHead fail(RequestHead request);

    /** Only clients know it. */
    interface WithMore extends NumberedService {
        @BrpcMeta(serviceName = "EchoService", methodName = "7")
        RequestHead absent(RequestHead request);
    }
}
