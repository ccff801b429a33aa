package metaprotocol.peer;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** {@code --name value} pairs. */
final class Options {
    private final Map<String, String> values = new LinkedHashMap<>();

    Options(String[] arguments, String... known) {
        for (int i = 0; i < arguments.length; i += 2) {
            String name = arguments[i].startsWith("--") ? arguments[i].substring(2) : "";
            if (i + 1 == arguments.length || !Arrays.asList(known).contains(name)) {
                System.err.println("cannot use '" + arguments[i] + "': give --NAME VALUE with NAME one of "
                        + String.join(", ", known));
                System.exit(2);
            }
            values.put(name, arguments[i + 1]);
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
