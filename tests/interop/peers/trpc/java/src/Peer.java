import com.google.protobuf.StringValue;
import com.tencent.trpc.core.common.ConfigManager;
import com.tencent.trpc.core.common.config.BackendConfig;
import com.tencent.trpc.core.common.config.ConsumerConfig;
import com.tencent.trpc.core.common.config.ProviderConfig;
import com.tencent.trpc.core.common.config.ServiceConfig;
import com.tencent.trpc.core.exception.TRpcException;
import com.tencent.trpc.core.rpc.RpcClientContext;
import com.tencent.trpc.core.rpc.RpcContext;
import com.tencent.trpc.core.rpc.RpcServerContext;
import com.tencent.trpc.core.rpc.anno.TRpcMethod;
import com.tencent.trpc.core.rpc.anno.TRpcService;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** A tRPC server and client of tRPC-Java; ../README.md says how they are used. */
public final class Peer {
    /** The library logs to standard output, which is for what the peer tells. */
    private static final PrintStream OUT = System.out;

    static {
        System.setOut(System.err);
    }

    @TRpcService(name = "trpc.test.demo.Demo")
    public interface Demo {
        @TRpcMethod(name = "Hello")
        StringValue hello(RpcContext context, StringValue name);

        @TRpcMethod(name = "Metadata")
        StringValue metadata(RpcContext context, StringValue key);

        @TRpcMethod(name = "Attached")
        StringValue attached(RpcContext context, StringValue text);

        @TRpcMethod(name = "Refuse")
        StringValue refuse(RpcContext context, StringValue text);

        @TRpcMethod(name = "Overload")
        StringValue overload(RpcContext context, StringValue text);
    }

    /** As clients ask for it: the library sees no inherited methods. */
    @TRpcService(name = "trpc.test.demo.Demo")
    public interface Asked {
        @TRpcMethod(name = "Hello")
        StringValue hello(RpcContext context, StringValue name);

        @TRpcMethod(name = "Metadata")
        StringValue metadata(RpcContext context, StringValue key);

        @TRpcMethod(name = "Attached")
        StringValue attached(RpcContext context, StringValue text);

        @TRpcMethod(name = "Refuse")
        StringValue refuse(RpcContext context, StringValue text);

        @TRpcMethod(name = "Overload")
        StringValue overload(RpcContext context, StringValue text);

        @TRpcMethod(name = "Missing")
        StringValue missing(RpcContext context, StringValue text);
    }

    @TRpcService(name = "trpc.test.demo.Demo")
    public interface Streams {
        @TRpcMethod(name = "Collect")
        Mono<StringValue> collect(RpcContext context, Publisher<StringValue> texts);

        @TRpcMethod(name = "Count")
        Flux<StringValue> count(RpcContext context, StringValue number);

        @TRpcMethod(name = "Chat")
        Flux<StringValue> chat(RpcContext context, Publisher<StringValue> texts);

        @TRpcMethod(name = "Missing")
        Flux<StringValue> missing(RpcContext context, StringValue text);
    }

    public static final class Served implements Demo {
        @Override
        public StringValue hello(RpcContext context, StringValue name) {
            return StringValue.of("Hello " + name.getValue());
        }

        @Override
        public StringValue metadata(RpcContext context, StringValue key) {
            context.getRspAttachMap().put("app-served-by", "trpc-java".getBytes(StandardCharsets.UTF_8));
            return StringValue.of(text(context.getReqAttachMap().get(key.getValue())));
        }

        @Override
        public StringValue attached(RpcContext context, StringValue text) {
            RpcServerContext served = (RpcServerContext) context;
            byte[] data = served.getRequestUncodecDataSegment();
            served.setResponseUncodecDataSegment(text(data).toUpperCase().getBytes(StandardCharsets.UTF_8));
            return StringValue.of(String.valueOf(data == null ? 0 : data.length));
        }

        @Override
        public StringValue refuse(RpcContext context, StringValue text) {
            throw TRpcException.newBizException(10042, "no such order: 世界");
        }

        @Override
        public StringValue overload(RpcContext context, StringValue text) {
            throw TRpcException.newFrameException(22, "too much to do");
        }
    }

    private static String text(Object value) {
        return value instanceof byte[] ? new String((byte[]) value, StandardCharsets.UTF_8) : "";
    }

    private interface Call {
        Object run(RpcClientContext context);
    }

    private static void quoted(StringBuilder out, Object value) {
        if (value instanceof List) {
            out.append('[');
            String comma = "";
            for (Object item : (List<?>) value) {
                out.append(comma);
                quoted(out, item);
                comma = ",";
            }
            out.append(']');
        } else if (value instanceof Number || value instanceof Boolean) {
            out.append(value);
        } else {
            String text = String.valueOf(value).replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
            out.append('"').append(text).append('"');
        }
    }

    private static void tell(String kind, String method, RpcClientContext context, Call call) {
        context.setTimeoutMills(10_000);
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("kind", kind);
        told.put("method", method);
        try {
            Object answer = call.run(context);
            told.put("ok", true);
            told.put("outcome", answer == null ? "oneway" : "value");
            if (answer != null) {
                told.put("value", answer instanceof StringValue ? ((StringValue) answer).getValue() : answer);
            }
            byte[] attachment = context.getResponseUncodecDataSegment();
            if (attachment != null && attachment.length > 0) {
                told.put("attachment", text(attachment));
            }
        } catch (RuntimeException thrown) {
            TRpcException error = null;
            for (Throwable cause = thrown; cause != null && error == null; cause = cause.getCause()) {
                error = cause instanceof TRpcException ? (TRpcException) cause : null;
            }
            told.put("ok", false);
            if (error == null) {
                told.put("outcome", "client");
                told.put("message", thrown.toString());
            } else {
                told.put("outcome", error.getCode() != 0 ? "framework" : "function");
                told.put("code", error.getCode() != 0 ? error.getCode() : error.getBizCode());
                told.put("message", error.getMessage());
            }
        }
        StringBuilder line = new StringBuilder("{");
        String comma = "";
        for (Map.Entry<String, Object> entry : told.entrySet()) {
            line.append(comma);
            quoted(line, entry.getKey());
            line.append(':');
            quoted(line, entry.getValue());
            comma = ",";
        }
        OUT.println(line.append('}'));
    }

    private static <T> T proxy(Class<T> asked, String address) {
        BackendConfig backend = new BackendConfig();
        backend.setNamingUrl("ip://" + address);
        ConsumerConfig<T> consumer = new ConsumerConfig<>();
        consumer.setServiceInterface(asked);
        consumer.setBackendConfig(backend);
        return consumer.getProxy();
    }

    private static RpcClientContext with(String... entries) {
        RpcClientContext context = new RpcClientContext();
        for (int at = 0; at < entries.length; at += 2) {
            context.getReqAttachMap().put(entries[at], entries[at + 1].getBytes(StandardCharsets.UTF_8));
        }
        return context;
    }

    private static void calls(String address) {
        Asked demo = proxy(Asked.class, address);
        tell("call", "Hello", with(), context -> demo.hello(context, StringValue.of("wörld, 世界 🌍")));
        tell("call", "Metadata", with("app-user", "alice", "app-route", "blue"),
            context -> demo.metadata(context, StringValue.of("app-user")));
        RpcClientContext attaching = with();
        attaching.setRequestUncodecDataSegment("an attachment".getBytes(StandardCharsets.UTF_8));
        tell("call", "Attached", attaching, context -> demo.attached(context, StringValue.of("see below")));
        RpcClientContext oneway = with();
        oneway.setOneWay(true);
        tell("call", "Hello", oneway, context -> demo.hello(context, StringValue.of("nobody hears")));
        tell("call", "Refuse", with(), context -> demo.refuse(context, StringValue.of("order 7")));
        tell("call", "Overload", with(), context -> demo.overload(context, StringValue.of("")));
        tell("call", "Missing", with(), context -> demo.missing(context, StringValue.of("")));
        tell("call", "Hello", with(), context -> demo.hello(context, StringValue.of("again")));
    }

    private static List<String> all(Flux<StringValue> answers) {
        return new ArrayList<>(answers.map(StringValue::getValue).collectList().block());
    }

    private static void streams(String address) {
        Streams demo = proxy(Streams.class, address);
        Flux<StringValue> sent = Flux.just(StringValue.of("a"), StringValue.of("b"), StringValue.of("c"));
        tell("stream", "Collect", with(), context -> demo.collect(context, sent).block());
        tell("stream", "Count", with(), context -> all(demo.count(context, StringValue.of("5"))));
        tell("stream", "Chat", with(), context -> all(demo.chat(context, sent)));
        tell("stream", "Missing", with(), context -> all(demo.missing(context, StringValue.of("never"))));
        tell("stream", "Count", with(), context -> all(demo.count(context, StringValue.of("many"))));
        tell("stream", "Chat", with(), context -> all(demo.chat(context, Flux.just(StringValue.of("again")))));
    }

    public static void main(String[] arguments) throws InterruptedException {
        Map<String, String> options = new LinkedHashMap<>();
        options.put("--host", "127.0.0.1");
        options.put("--scenario", "calls");
        for (int at = 1; at + 1 < arguments.length; at += 2) {
            options.put(arguments[at], arguments[at + 1]);
        }
        ConfigManager.getInstance().startTest();
        String host = options.get("--host");
        int port = Integer.parseInt(options.get("--port"));
        if (arguments[0].equals("server")) {
            ProviderConfig<Demo> provider = new ProviderConfig<>();
            provider.setServiceInterface(Demo.class);
            provider.setRef(new Served());
            ServiceConfig service = new ServiceConfig();
            service.setIp(host);
            service.setPort(port);
            service.addProviderConfig(provider);
            service.export();
            OUT.println("READY");
            Thread.currentThread().join();
        }
        if (options.get("--scenario").equals("streams")) {
            streams(host + ":" + port);
        } else {
            calls(host + ":" + port);
        }
        OUT.flush();
        // Threads of the library would go on.
        Runtime.getRuntime().halt(0);
    }

    private Peer() {
    }
}
