package metaprotocol.peer;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.dubbo.common.utils.ReflectUtils;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.MethodConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.rpc.RpcException;
import org.apache.dubbo.rpc.service.GenericService;

/** Makes calls and tells each, with its outcome, in one JSON line on standard output. */
final class Caller {
    private final ApplicationConfig application = Line.application("metaprotocol-client");
    private final String url;
    private final int timeout;
    private final Map<String, String> attachments;

    Caller(Options options) {
        String serialization = options.text("serialization", "hessian2");
        // Not 127.0.0.1: Dubbo would connect to the machine's own address instead.
        StringBuilder url = new StringBuilder("dubbo://loopback:").append(options.number("port", 20880));
        url.append("/%s?serialization=").append(serialization).append("&prefer.serialization=").append(serialization);
        if (options.numberOrNull("heartbeat") != null) {
            url.append("&heartbeat=").append(options.numberOrNull("heartbeat"));
            // Else Dubbo 3 takes a minute before it gives up a connection on which no heartbeat is answered.
            url.append("&dubbo.application.least-reconnect-duration=").append(options.numberOrNull("heartbeat"));
        }
        this.url = url.toString();
        this.timeout = options.number("timeout", 5000);
        this.attachments = options.attachments;
    }

    /** One service as the client sees it. */
    final class Reference<T> {
        private final Class<T> type;
        private final String path;
        private final String group;
        private final String version;
        private final boolean oneWay;
        private final T proxy;

        Reference(Class<T> type, String path, String group, String version, Consumer<ReferenceConfig<T>> tune) {
            this.type = type;
            this.path = path;
            this.group = group;
            this.version = version;
            ReferenceConfig<T> config = new ReferenceConfig<>();
            config.setApplication(application);
            config.setInterface(type);
            config.setUrl(String.format(url, path));
            config.setGroup(group);
            config.setVersion(version);
            config.setTimeout(timeout);
            config.setRetries(0);
            config.setCheck(false);
            tune.accept(config);
            this.oneWay = config.getMethods() != null;
            this.proxy = config.get();
        }

        /** Calls the one method of that name, after attaching what {@code --attach} says. */
        boolean call(String name, Object... arguments) {
            return callWith(Collections.emptyMap(), name, arguments);
        }

        boolean callWith(Map<String, ?> more, String name, Object... arguments) {
            Map<String, Object> attached = new LinkedHashMap<>(more);
            attached.putAll(attachments);
            Answered.forget();
            Line.attach(attached);

            Method method = method(name);
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("interface", path);
            line.put("method", name);
            line.put("types", ReflectUtils.getDesc(method.getParameterTypes()));
            line.put("arguments", arguments);
            line.put("group", group);
            line.put("version", version);
            line.put("attachments", attached);
            line.put("one_way", oneWay);
            boolean ok = outcome(line, method, arguments);
            say(line);
            return ok;
        }

        private boolean outcome(Map<String, Object> line, Method method, Object[] arguments) {
            try {
                Object value = method.invoke(proxy, arguments);
                line.put("ok", true);
                line.put("value", value);
                line.put("value_class", value == null ? null : value.getClass().getName());
                line.put("response_attachments", Answered.attachments());
                return true;
            } catch (InvocationTargetException wrapped) {
                Throwable failure = wrapped.getCause();
                line.put("ok", false);
                line.put("exception", failure.getClass().getName());
                line.put("message", failure.getMessage());
                if (failure instanceof RpcException) {
                    line.put("code", ((RpcException) failure).getCode());
                } else if (failure instanceof BusinessException) {
                    line.put("code", ((BusinessException) failure).getCode());
                }
                line.put("causes", causes(failure));
                line.put("response_attachments", Answered.attachments());
                return false;
            } catch (IllegalAccessException e) {
                throw new IllegalStateException(e);
            }
        }

        /** From the outermost to the root: a status that is not OK is told by the root's message. */
        private List<Map<String, String>> causes(Throwable failure) {
            List<Map<String, String>> causes = new ArrayList<>();
            for (Throwable cause = failure.getCause(); cause != null && causes.size() < 10; cause = cause.getCause()) {
                Map<String, String> told = new LinkedHashMap<>();
                told.put("exception", cause.getClass().getName());
                told.put("message", cause.getMessage());
                causes.add(told);
            }
            return causes;
        }

        private Method method(String name) {
            for (Method method : type.getMethods()) {
                if (method.getName().equals(name)) {
                    return method;
                }
            }
            throw new IllegalArgumentException(type.getName() + " has no method " + name);
        }
    }

    static synchronized void say(Map<String, ?> line) {
        System.out.println(Json.of(line));
    }

    Reference<DemoService> demo() {
        return demo(null, null);
    }

    Reference<DemoService> demo(String group, String version) {
        return new Reference<>(DemoService.class, DemoService.class.getName(), group, version, config -> {});
    }

    /** {@link DemoService} with {@code fireAndForget} and {@code nothing} sent one-way. */
    Reference<DemoService> oneWay() {
        return new Reference<>(DemoService.class, DemoService.class.getName(), null, null, config -> {
            MethodConfig forget = new MethodConfig();
            forget.setName("fireAndForget");
            forget.setReturn(false);
            forget.setSent(true);
            MethodConfig nothing = new MethodConfig();
            nothing.setName("nothing");
            nothing.setReturn(false);
            config.setMethods(Arrays.asList(forget, nothing));
        });
    }

    Reference<GenericService> generic() {
        return new Reference<>(GenericService.class, DemoService.class.getName(), null, null, config -> {
            config.setInterface(DemoService.class.getName());
            config.setGeneric("true");
        });
    }

    Reference<ExtendedService> extended() {
        return new Reference<>(ExtendedService.class, DemoService.class.getName(), null, null, config -> {});
    }

    Reference<AbsentService> absent() {
        return new Reference<>(AbsentService.class, AbsentService.class.getName(), null, null, config -> {});
    }
}
