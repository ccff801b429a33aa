package metaprotocol.peer;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Writes any value on one line of JSON, for a person or a test to compare.
 *
 * <p>What JSON cannot say is an object with one key that begins with a dollar sign: {@code $bytes} (hex, or
 * length and SHA-256 when long), {@code $string} (the same for a long string: length in UTF-16 units, SHA-256 of
 * its UTF-8), {@code $date} (milliseconds), {@code $number} (NaN and infinities), {@code $cycle}. Objects of this
 * package carry their class under {@code $class}.
 */
final class Json {
    private static final int LONG_STRING = 8000;
    private static final int LONG_BYTES = 256;

    private final StringBuilder out = new StringBuilder();
    private final Set<Object> open = Collections.newSetFromMap(new IdentityHashMap<>());

    private Json() {}

    static String of(Object value) {
        Json json = new Json();
        json.write(value);
        return json.out.toString();
    }

    static String hex(byte[] bytes) {
        StringBuilder hex = new StringBuilder(bytes.length * 2);
        for (byte b : bytes) {
            hex.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        }
        return hex.toString();
    }

    private void write(Object value) {
        if (value == null || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Double || value instanceof Float) {
            double number = ((Number) value).doubleValue();
            if (Double.isNaN(number) || Double.isInfinite(number)) {
                tagged("$number", value.toString());
            } else {
                out.append(value);
            }
        } else if (value instanceof Number) {
            out.append(value);
        } else if (value instanceof byte[]) {
            bytes((byte[]) value);
        } else if (value instanceof Date) {
            tagged("$date", ((Date) value).getTime());
        } else if (value instanceof Enum) {
            string(((Enum<?>) value).name());
        } else if (value instanceof String) {
            text((String) value);
        } else if (value instanceof Map || value instanceof Collection || value.getClass().isArray() || isOurs(value)) {
            container(value);
        } else {
            text(value.toString());
        }
    }

    private static boolean isOurs(Object value) {
        return value instanceof Person || value instanceof Address;
    }

    private void container(Object value) {
        if (!open.add(value)) {
            tagged("$cycle", value.getClass().getSimpleName());
            return;
        }
        if (value instanceof Map) {
            map((Map<?, ?>) value);
        } else if (value instanceof Collection) {
            array(((Collection<?>) value).toArray());
        } else if (value.getClass().isArray()) {
            array(value);
        } else {
            object(value);
        }
        open.remove(value);
    }

    private void map(Map<?, ?> map) {
        out.append('{');
        String separator = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            out.append(separator);
            string(String.valueOf(entry.getKey()));
            out.append(": ");
            write(entry.getValue());
            separator = ", ";
        }
        out.append('}');
    }

    private void array(Object array) {
        out.append('[');
        for (int i = 0; i < Array.getLength(array); i++) {
            out.append(i == 0 ? "" : ", ");
            write(Array.get(array, i));
        }
        out.append(']');
    }

    private void object(Object value) {
        out.append("{\"$class\": ");
        string(value.getClass().getName());
        for (Field field : value.getClass().getDeclaredFields()) {
            if (!Modifier.isStatic(field.getModifiers())) {
                out.append(", ");
                string(field.getName());
                out.append(": ");
                try {
                    field.setAccessible(true);
                    write(field.get(value));
                } catch (IllegalAccessException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
        out.append('}');
    }

    private void bytes(byte[] bytes) {
        if (bytes.length <= LONG_BYTES) {
            tagged("$bytes", hex(bytes));
        } else {
            digest("$bytes", bytes.length, bytes);
        }
    }

    private void text(String text) {
        if (text.length() <= LONG_STRING) {
            string(text);
        } else {
            digest("$string", text.length(), text.getBytes(StandardCharsets.UTF_8));
        }
    }

    private void digest(String tag, int length, byte[] bytes) {
        try {
            String sha = hex(MessageDigest.getInstance("SHA-256").digest(bytes));
            out.append("{\"").append(tag).append("\": {\"length\": ").append(length);
            out.append(", \"sha256\": \"").append(sha).append("\"}}");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private void tagged(String tag, Object value) {
        out.append("{\"").append(tag).append("\": ");
        write(value);
        out.append('}');
    }

    /** Escapes lone surrogates too: they have no UTF-8. */
    private void string(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20 || c == 0x7f || Character.isSurrogate(c)) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
