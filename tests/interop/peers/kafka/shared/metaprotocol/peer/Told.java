package metaprotocol.peer;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.common.protocol.Errors;

/** What a client did and saw, a JSON line each on standard output. */
final class Told {
    private Told() {}

    /** Something that a client does; the values of what it saw, or null. */
    interface Action {
        Map<String, ?> run() throws Exception;
    }

    /** Does it and tells of it: with {@code ok}, which is returned; else the exception and its error code on the wire. */
    static boolean by(String client, String action, Map<String, ?> details, Action work) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("client", client);
        line.put("action", action);
        line.putAll(details);
        try {
            Map<String, ?> seen = work.run();
            line.put("ok", true);
            if (seen != null) {
                line.putAll(seen);
            }
        } catch (Exception e) {
            Throwable cause = e instanceof ExecutionException || e instanceof CompletionException ? e.getCause() : e;
            line.put("ok", false);
            line.put("exception", cause.getClass().getSimpleName());
            line.put("error", (int) Errors.forException(cause).code());
            line.put("message", cause.getMessage());
        }
        tell(line);
        return line.get("ok").equals(true);
    }

    /** An object of alternating keys and values. */
    static Map<String, Object> of(Object... pairs) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put((String) pairs[i], pairs[i + 1]);
        }
        return map;
    }

    static synchronized void tell(Map<String, ?> line) {
        StringBuilder out = new StringBuilder();
        write(out, line);
        System.out.println(out);
    }

    private static void write(StringBuilder out, Object value) {
        String separator = "";
        if (value instanceof Map) {
            out.append('{');
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(separator);
                text(out, String.valueOf(entry.getKey()));
                out.append(": ");
                write(out, entry.getValue());
                separator = ", ";
            }
            out.append('}');
        } else if (value instanceof Collection) {
            out.append('[');
            for (Object element : (Collection<?>) value) {
                out.append(separator);
                write(out, element);
                separator = ", ";
            }
            out.append(']');
        } else if (value == null || value instanceof Boolean || value instanceof Number) {
            out.append(value);
        } else {
            text(out, value.toString());
        }
    }

    private static void text(StringBuilder out, String text) {
        out.append('"');
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
