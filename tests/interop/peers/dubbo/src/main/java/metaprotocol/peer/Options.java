package metaprotocol.peer;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** {@code --name value} pairs; {@code --attach key=value} may be repeated. */
final class Options {
    private final Map<String, String> values = new LinkedHashMap<>();
    final Map<String, String> attachments = new LinkedHashMap<>();

    Options(String[] arguments, String... known) {
        for (int i = 0; i < arguments.length; i += 2) {
            String name = arguments[i].startsWith("--") ? arguments[i].substring(2) : "";
            if (i + 1 == arguments.length || !Arrays.asList(known).contains(name)) {
                System.err.println("cannot use '" + arguments[i] + "': give --NAME VALUE with NAME one of "
                        + String.join(", ", known));
                System.exit(2);
            }
            String value = arguments[i + 1];
            int equals = value.indexOf('=');
            if (!name.equals("attach")) {
                values.put(name, value);
            } else if (equals > 0) {
                attachments.put(value.substring(0, equals), value.substring(equals + 1));
            } else {
                System.err.println("cannot use --attach '" + value + "': give KEY=VALUE");
                System.exit(2);
            }
        }
    }

    String text(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    int number(String name, int otherwise) {
        return values.containsKey(name) ? Integer.parseInt(values.get(name)) : otherwise;
    }

    Integer numberOrNull(String name) {
        return values.containsKey(name) ? Integer.valueOf(values.get(name)) : null;
    }
}
