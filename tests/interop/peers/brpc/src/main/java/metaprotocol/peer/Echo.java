package metaprotocol.peer;

import com.baidu.brpc.protocol.pbrpc.PublicPbrpcProto.RequestHead;

/**
 * The message of both ways, {@code {string from_host = 1; uint32 content_type = 2; string charset = 4}}: one that brpc-java
 * brings along. Those of one's own would need protoc 2.5, or a JDK that still compiles for Java 6.
 */
final class Echo {
    private Echo() {}

    static RequestHead of(String message, Integer delayMs) {
        RequestHead.Builder request = RequestHead.newBuilder().setFromHost(message);
        return (delayMs == null ? request : request.setContentType(delayMs)).build();
    }

    static RequestHead answer(String message, String received) {
        return RequestHead.newBuilder().setFromHost(message).setCharset(received).build();
    }
}
