package metaprotocol.peer;

import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.io.UnsupportedEncodingException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.apache.dubbo.common.extension.Activate;
import org.apache.dubbo.rpc.Filter;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;

/**
 * The first filter of the server: keeps what came off the wire before other filters take attachments away, and
 * writes one JSON line a call to the file of {@code --log}.
 */
@Activate(group = "provider", order = Integer.MIN_VALUE)
public class Received implements Filter {
    private static final ThreadLocal<Map<String, Object>> ATTACHMENTS = new ThreadLocal<>();
    private static PrintStream log;

    static void logTo(String path) throws FileNotFoundException, UnsupportedEncodingException {
        log = new PrintStream(new FileOutputStream(path), true, "UTF-8");
    }

    /** The attachments of the request that this thread serves. */
    static Map<String, Object> attachments() {
        return ATTACHMENTS.get();
    }

    @Override
    public Result invoke(Invoker<?> invoker, Invocation invocation) {
        Map<String, Object> attachments = new TreeMap<>(invocation.getObjectAttachments());
        // The one that the decoder adds of its own: the length of the body.
        attachments.remove("input");
        ATTACHMENTS.set(attachments);
        if (log != null) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("interface", invoker.getInterface().getName());
            line.put("method", invocation.getMethodName());
            line.put("arguments", invocation.getArguments());
            line.put("attachments", attachments);
            synchronized (Received.class) {
                log.println(Json.of(line));
            }
        }
        return invoker.invoke(invocation);
    }
}
