package metaprotocol.peer;

import com.baidu.brpc.protocol.BrpcMeta;
import com.baidu.brpc.protocol.pbrpc.PublicPbrpcProto.RequestHead;

/** The service of protocols that name neither service nor method: a server has one of each. */
public interface OnlyService {
    @BrpcMeta(serviceName = "EchoService", methodName = "Echo")
    RequestHead echo(RequestHead request);
}
