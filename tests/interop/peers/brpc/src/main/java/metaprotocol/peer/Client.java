package metaprotocol.peer;

import com.baidu.brpc.RpcContext;
import com.baidu.brpc.client.BrpcProxy;
import com.baidu.brpc.client.RpcClient;
import com.baidu.brpc.client.RpcClientOptions;
import com.baidu.brpc.exceptions.RpcException;
import com.baidu.brpc.protocol.Options.CompressType;
import com.baidu.brpc.protocol.Options.ProtocolType;
import com.baidu.brpc.protocol.pbrpc.PublicPbrpcProto.RequestHead;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** Runs one scenario and exits 0, whatever the calls' outcomes: those are on standard output. */
public final class Client {
    private interface Call {
        RequestHead of(RequestHead request);
    }

    private final Options options;
    private final int protocol;
    private Call echo;
    private Call fail;
    private Call absent;

    private Client(Options options) {
        this.options = options;
        this.protocol = options.protocol();
        RpcClientOptions client = new RpcClientOptions();
        client.setProtocolType(protocol);
        client.setReadTimeoutMillis(options.number("timeout", 5000));
        client.setWriteTimeoutMillis(1000);
        client.setMaxTotalConnections(1);
        client.setMinIdleConnections(1);
        client.setMaxTryTimes(1);
        client.setIoThreadNum(1);
        client.setWorkThreadNum(2);
        client.setCompressType(CompressType.valueOf(options.number("compress", 0)));
        RpcClient rpc = new RpcClient("list://127.0.0.1:" + options.number("port", 8002), client);
        switch (protocol) {
            case ProtocolType.PROTOCOL_NSHEAD_PROTOBUF_VALUE:
                OnlyService only = BrpcProxy.getProxy(rpc, OnlyService.class);
                echo = only::echo;
                break;
            case ProtocolType.PROTOCOL_HULU_PBRPC_VALUE:
            case ProtocolType.PROTOCOL_PUBLIC_PBRPC_VALUE:
                NumberedService.WithMore numbered = BrpcProxy.getProxy(rpc, NumberedService.WithMore.class);
                echo = numbered::echo;
                fail = numbered::fail;
                absent = numbered::absent;
                break;
            default:
                NamedService.WithMore named = BrpcProxy.getProxy(rpc, NamedService.WithMore.class);
                echo = named::echo;
                fail = named::fail;
                absent = named::absent;
        }
    }

    public static void main(String[] arguments) throws Exception {
        Options options =
                new Options(arguments, "port", "protocol", "scenario", "timeout", "compress", "threads", "count");
        Client client = new Client(options);
        switch (options.text("scenario", "basic")) {
            case "basic":
                client.basic();
                break;
            case "fields":
                client.fields();
                break;
            case "errors":
                client.errors();
                break;
            case "large":
                client.large();
                break;
            case "concurrent":
                client.concurrent();
                break;
            default:
                System.err.println("no such scenario; there are basic, fields, errors, large, concurrent");
                System.exit(2);
        }
        System.exit(0);
    }

    private void basic() {
        for (String message : new String[] {"hello", "", "größer, 世界 😀", "a\nb\"c\\"}) {
            call("Echo", echo, message, null, null, null, null);
        }
    }

    /** What goes beside the message. */
    private void fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("colour", "blue");
        fields.put("größe", "世界 😀");
        call("Echo", echo, "log id", null, 42L, null, null);
        call("Echo", echo, "large log id", null, Long.MAX_VALUE, null, null);
        call("Echo", echo, "fields", null, 1L, fields, null);
        call("Echo", echo, "attachment", null, 2L, null, "ATTACHED");
        call("Echo", echo, "both", null, 3L, fields, "größer");
    }

    private void errors() {
        call("Echo", echo, "before", null, null, null, null);
        call("Fail", fail, "today", null, null, null, null);
        call("Absent", absent, "nobody", null, null, null, null);
        call("Echo", echo, "after", null, null, null, null);
    }

    private void large() {
        StringBuilder message = new StringBuilder();
        while (message.length() < 70_000) {
            message.append("0123456789abcdef");
        }
        call("Echo", echo, message.toString(), null, null, null, null);
        call("Echo", echo, "small", null, null, null, null);
    }

    /** Many calls at once, answered out of order. */
    private void concurrent() throws InterruptedException {
        ExecutorService threads = Executors.newFixedThreadPool(options.number("threads", 4));
        int count = options.number("count", 40);
        for (int i = 0; i < count; i++) {
            int number = i;
            threads.submit(() -> call("Echo", echo, "call " + number, number % 4 == 0 ? 20 : 1, null, null, null));
        }
        threads.shutdown();
        threads.awaitTermination(60, TimeUnit.SECONDS);
    }

    private void call(
            String method, Call call, String message, Integer delay, Long logId, Map<String, Object> fields,
            String attachment) {
        RpcContext context = RpcContext.getContext();
        context.reset();
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("method", method);
        line.put("message", message.length() > 1000 ? message.length() + " characters" : message);
        if (logId != null) {
            context.setLogId(logId);
            line.put("log_id", logId);
        }
        if (fields != null) {
            context.setRequestKvAttachment(fields);
            line.put("fields", new TreeMap<>(fields));
        }
        if (attachment != null) {
            context.setRequestBinaryAttachment(attachment.getBytes(StandardCharsets.UTF_8));
            line.put("attachment", attachment);
        }
        try {
            RequestHead response = call.of(Echo.of(message, delay));
            line.put("ok", true);
            line.put("same", message.equals(response.getFromHost()));
            line.put("received", message.length() > 1000 ? null : response.getCharset());
            ByteBuf answer = RpcContext.getContext().getResponseBinaryAttachment();
            if (answer != null) {
                line.put("response_attachment", answer.toString(StandardCharsets.UTF_8));
            }
        } catch (RpcException failed) {
            line.put("ok", false);
            line.put("code", failed.getCode());
            line.put("error", failed.getMessage());
        }
        synchronized (System.out) {
            System.out.println(Json.of(line));
        }
    }
}
