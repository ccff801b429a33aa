package metaprotocol.peer;

import com.baidu.brpc.RpcContext;
import com.baidu.brpc.exceptions.RpcException;
import com.baidu.brpc.protocol.Options.ProtocolType;
import com.baidu.brpc.protocol.pbrpc.PublicPbrpcProto.RequestHead;
import com.baidu.brpc.server.RpcServer;
import com.baidu.brpc.server.RpcServerOptions;
import io.netty.buffer.ByteBuf;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/** Serves the echo service in one protocol. Prints READY when it listens. */
public final class Server {
    private static PrintStream log;

    private Server() {}

    public static void main(String[] arguments) throws Exception {
        Options options = new Options(arguments, "port", "protocol", "log");
        if (options.text("log", null) != null) {
            log = new PrintStream(new FileOutputStream(options.text("log", null)), true, "UTF-8");
        }
        RpcServerOptions server = new RpcServerOptions();
        server.setProtocolType(options.protocol());
        server.setIoThreadNum(2);
        server.setWorkThreadNum(4);
        RpcServer rpc = new RpcServer("127.0.0.1", options.number("port", 8002), server);
        switch (options.protocol()) {
            case ProtocolType.PROTOCOL_NSHEAD_PROTOBUF_VALUE:
                rpc.registerService(new Only());
                break;
            case ProtocolType.PROTOCOL_HULU_PBRPC_VALUE:
            case ProtocolType.PROTOCOL_PUBLIC_PBRPC_VALUE:
                rpc.registerService(new Numbered());
                break;
            default:
                rpc.registerService(new Named());
        }
        rpc.start();
        System.out.println("READY");
        Thread.currentThread().join();
    }

    static RequestHead echo(String method, RequestHead request) {
        Map<String, Object> received = new LinkedHashMap<>();
        received.put("method", method);
        String message = request.getFromHost();
        received.put("message", message.length() > 1000 ? message.length() + " characters" : message);
        byte[] attachment = new byte[0];
        if (RpcContext.isSet()) {
            RpcContext context = RpcContext.getContext();
            received.put("log_id", context.getLogId());
            if (context.getRequestKvAttachment() != null) {
                received.put("fields", new TreeMap<>(context.getRequestKvAttachment()));
            }
            ByteBuf buffer = context.getRequestBinaryAttachment();
            if (buffer != null) {
                attachment = new byte[buffer.readableBytes()];
                buffer.getBytes(buffer.readerIndex(), attachment);
                received.put("attachment", new String(attachment, StandardCharsets.UTF_8));
            }
        }
        synchronized (Server.class) {
            if (log != null) {
                log.println(Json.of(received));
            }
        }
        if (request.hasContentType()) {
            try {
                Thread.sleep(request.getContentType());
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        if (method.equals("Fail")) {
            throw new RpcException(RpcException.SERVICE_EXCEPTION, "failed as asked: " + request.getFromHost());
        }
        if (attachment.length > 0) {
            // Clients get what they sent, in another order.
            RpcContext.getContext().setResponseBinaryAttachment(
                    io.netty.buffer.Unpooled.wrappedBuffer(
                            new StringBuilder(new String(attachment, StandardCharsets.UTF_8))
                                    .reverse()
                                    .toString()
                                    .getBytes(StandardCharsets.UTF_8)));
        }
        return Echo.answer(request.getFromHost(), Json.of(received));
    }

    /** By names. */
    public static final class Named implements NamedService {
        @Override
        public RequestHead echo(RequestHead request) {
            return Server.echo("Echo", request);
        }

        @Override
        public RequestHead fail(RequestHead request) {
            return Server.echo("Fail", request);
        }
    }

    /** By positions. */
    public static final class Numbered implements NumberedService {
        @Override
        public RequestHead echo(RequestHead request) {
            return Server.echo("Echo", request);
        }

        @Override
        public RequestHead fail(RequestHead request) {
            return Server.echo("Fail", request);
        }
    }

    /** The only one. */
    public static final class Only implements OnlyService {
        @Override
        public RequestHead echo(RequestHead request) {
            return Server.echo("Echo", request);
        }
    }
}
