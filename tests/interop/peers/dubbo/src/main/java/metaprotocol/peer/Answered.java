package metaprotocol.peer;

import java.util.Map;
import java.util.TreeMap;
import org.apache.dubbo.common.extension.Activate;
import org.apache.dubbo.rpc.Filter;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;

/** The innermost filter of the client: keeps the attachments that came with the answer. */
@Activate(group = "consumer", order = Integer.MAX_VALUE)
public class Answered implements Filter {
    private static final ThreadLocal<Map<String, Object>> ATTACHMENTS = new ThreadLocal<>();

    static void forget() {
        ATTACHMENTS.remove();
    }

    /** What the last answer to this thread carried; null if it had none, as when the call failed before. */
    static Map<String, Object> attachments() {
        return ATTACHMENTS.get();
    }

    @Override
    public Result invoke(Invoker<?> invoker, Invocation invocation) {
        Result result = invoker.invoke(invocation);
        Map<String, Object> attachments = result.getObjectAttachments();
        if (attachments != null) {
            attachments = new TreeMap<>(attachments);
            // The one that the decoder adds of its own: the length of the body.
            attachments.remove("output");
        }
        ATTACHMENTS.set(attachments);
        return result;
    }
}
