package metaprotocol.peer;

import com.alibaba.com.caucho.hessian.io.Hessian2Input;
import com.alibaba.com.caucho.hessian.io.Hessian2Output;
import com.alibaba.com.caucho.hessian.io.HessianProtocolException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.UUID;

/**
 * Writes Hessian 2 values with the serializer that Dubbo carries, one JSON line each: {@code name}, {@code hex},
 * the number of top-level {@code values} in those bytes, their Java {@code classes} and their {@code json} (see
 * {@link Json}), the last two told from what the same library reads back, or {@code unreadable} in their place. The
 * same lines come out every time.
 */
public final class HessianVectors {
    private HessianVectors() {}

    private interface Writing {
        void to(Hessian2Output output) throws IOException;
    }

    public static void main(String[] arguments) throws IOException {
        scalars();
        strings();
        binaries();
        lists();
        maps();
        objects();
        references();
        others();
        System.exit(0);
    }

    private static void write(String name, Object... values) throws IOException {
        vector(name, values.length, output -> {
            for (Object value : values) {
                output.writeObject(value);
            }
        });
    }

    private static void vector(String name, int count, Writing writing) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Hessian2Output output = new Hessian2Output(bytes);
        writing.to(output);
        output.flush();

        Map<String, Object> line = new LinkedHashMap<>();
        line.put("name", name);
        line.put("values", count);
        try {
            readBack(line, count, new Hessian2Input(new ByteArrayInputStream(bytes.toByteArray())));
        } catch (HessianProtocolException e) {
            // The library cannot read every form that it writes.
            line.put("unreadable", e.getMessage());
        }
        String json = Json.of(line);
        // The hex goes in beside the writer, which would shorten it.
        System.out.println(json.substring(0, json.length() - 1) + ", \"hex\": \"" + Json.hex(bytes.toByteArray()) + "\"}");
    }

    private static void readBack(Map<String, Object> line, int count, Hessian2Input input) throws IOException {
        List<Object> read = new ArrayList<>();
        List<String> classes = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Object value = input.readObject();
            read.add(value);
            classes.add(value == null ? null : value.getClass().getName());
        }
        try {
            input.readObject();
            throw new IllegalStateException(line.get("name") + ": more values than announced");
        } catch (EOFException end) {
            line.put("classes", classes);
            line.put("json", read);
        }
    }

    private static void scalars() throws IOException {
        write("null", (Object) null);
        write("true", true);
        write("false", false);
        int[] ints = {
            0, 1, -1, -16, -17, 47, 48, -2048, -2049, 2047, 2048, -262144, -262145, 262143, 262144, Integer.MIN_VALUE,
            Integer.MAX_VALUE
        };
        for (int value : ints) {
            write("int " + value, value);
        }
        long[] longs = {
            0, -8, -9, 15, 16, -2048, -2049, 2047, 2048, -262144, -262145, 262143, 262144, Integer.MIN_VALUE,
            Integer.MAX_VALUE, Integer.MIN_VALUE - 1L, Integer.MAX_VALUE + 1L, Long.MIN_VALUE, Long.MAX_VALUE
        };
        for (long value : longs) {
            write("long " + value, value);
        }
        double[] doubles = {
            0, -0.0, 1, -1, 2, -128, -129, 127, 128, -32768, -32769, 32767, 32768, 0.001, -0.001, 12.25, 1.5, 65.536,
            2147483.647, -2147483.648, 2147483.648, 0.0001, Math.PI, 1e300, Double.MIN_VALUE, Double.MAX_VALUE,
            Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY
        };
        for (double value : doubles) {
            write("double " + value, value);
        }
        write("float 1.5", 1.5f);
        write("float 0.1", 0.1f);
        write("short 300", (short) 300);
        write("byte -7", (byte) -7);
        write("character", 'é');
        long minute = 60_000;
        long[] dates = {
            0, 1, -1, minute, -minute, 894621060000L, 894621091000L, minute * Integer.MAX_VALUE,
            minute * (Integer.MAX_VALUE + 1L), minute * Integer.MIN_VALUE, Long.MAX_VALUE
        };
        for (long value : dates) {
            write("date " + value, new Date(value));
        }
    }

    private static void strings() throws IOException {
        for (int length : new int[] {0, 1, 31, 32, 255, 256, 1023, 1024, 32767, 32768, 40_000}) {
            write("string of " + length, pattern(length));
        }
        write("string CJK", "中文，日本語、한국어");
        write("string accents", "é e\u0301 ß ø");
        write("string emoji", "\uD83D\uDE00");
        write("string family", "\uD83D\uDC68\u200D\uD83D\uDC69\u200D\uD83D\uDC67");
        write("string edges of UTF-8", "\u0000\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\uD800\uDC00\uDBFF\uDFFF");
        write("string lone high surrogate", "a\uD83Db");
        write("string lone low surrogate", "a\uDE00b");
        write("string of 31, emoji last", pattern(29) + "\uD83D\uDE00");
        write("string of 32, emoji last", pattern(30) + "\uD83D\uDE00");
        write("string of 31 CJK", repeat("字", 31));
        write("string of 32 CJK", repeat("字", 32));
        write("string of 1023, emoji last", repeat("字", 1021) + "\uD83D\uDE00");
        write("string of 1024, emoji last", repeat("字", 1022) + "\uD83D\uDE00");
        write("string, emoji before the end of the chunk", pattern(32766) + "\uD83D\uDE00" + "tail");
        write("string, emoji astride the end of the chunk", pattern(32767) + "\uD83D\uDE00" + "tail");
        write("strings in a row", "one", "", "three", null, "five");
    }

    private static void binaries() throws IOException {
        for (int length : new int[] {0, 1, 15, 16, 1023, 1024, 4093, 4096, 8189, 8190, 8192, 20_000}) {
            byte[] bytes = binary(length);
            write("binary of " + length, (Object) bytes);
        }
        vector("binary from a stream", 1, output -> {
            try (OutputStream stream = output.getBytesOutputStream()) {
                stream.write(binary(20_000));
            }
        });
        vector("binary in parts", 2, output -> {
            output.writeByteBufferStart();
            output.writeByteBufferPart(binary(10), 0, 10);
            output.writeByteBufferEnd(binary(5), 0, 5);
            output.writeString("after");
        });
    }

    private static void lists() throws IOException {
        for (int length : new int[] {0, 1, 7, 8, 300}) {
            write("ArrayList of " + length, new ArrayList<>(integers(length)));
            write("LinkedList of " + length, new LinkedList<>(integers(length)));
            write("int[] of " + length, (Object) integers(length).stream().mapToInt(i -> i).toArray());
            String[] strings = integers(length).stream().map(String::valueOf).toArray(String[]::new);
            write("String[] of " + length, (Object) strings);
        }
        write("Object[]", (Object) new Object[] {1, "two", 3.5, null, new int[] {4}});
        write("long[]", (Object) new long[] {0, 1L << 40});
        write("double[]", (Object) new double[] {0, Math.PI});
        write("boolean[]", (Object) new boolean[] {true, false});
        write("short[]", (Object) new short[] {1, -1});
        write("float[]", (Object) new float[] {0.5f});
        write("char[]", (Object) "chars".toCharArray());
        write("String[][]", (Object) new String[][] {{"a"}, {}, {null, "b"}});
        write("LinkedHashSet", new LinkedHashSet<>(Arrays.asList("a", "b")));
        write("Arrays.asList", Arrays.asList("a", "b"));
        write("iterator", new ArrayList<>(Arrays.asList("a", "b")).iterator());
        write("two typed lists", new LinkedList<>(integers(2)), new LinkedList<>(integers(2)));
        vector("variable list, untyped", 2, output -> variableList(output, null));
        vector("variable list, typed", 2, output -> variableList(output, "java.util.LinkedList"));
        vector("variable list, nested", 1, output -> {
            output.writeListBegin(-1, null);
            output.writeListBegin(-1, null);
            output.writeInt(1);
            output.writeListEnd();
            output.writeObject(new LinkedHashMap<>(Collections.singletonMap("k", "v")));
            output.writeListEnd();
        });
        List<Object> nested = new ArrayList<>();
        for (int depth = 1; depth < 100; depth++) {
            nested = new ArrayList<>(Collections.singletonList(nested));
        }
        write("lists 100 deep", nested);
    }

    private static void variableList(Hessian2Output output, String type) throws IOException {
        if (output.writeListBegin(-1, type)) {
            output.writeString("a");
            output.writeInt(2);
            output.writeListEnd();
        }
        output.writeString("after");
    }

    private static void maps() throws IOException {
        write("HashMap, empty", new HashMap<>());
        Map<Object, Object> map = new LinkedHashMap<>();
        map.put("string", "value");
        map.put("int", 1);
        map.put(2, "int key");
        map.put(3L, 4L);
        map.put("list", new ArrayList<>(integers(3)));
        map.put("null", null);
        write("HashMap", new HashMap<>(Collections.singletonMap("k", "v")));
        write("LinkedHashMap", map);
        write("TreeMap", new TreeMap<>(Collections.singletonMap("k", "v")));
        write("two TreeMaps", new TreeMap<>(Collections.singletonMap("k", 1)), new TreeMap<>());
        Properties properties = new Properties();
        properties.setProperty("k", "v");
        write("Properties", properties);
        write("singleton map", Collections.singletonMap("k", "v"));
        Map<String, Object> nested = new HashMap<>();
        for (int depth = 1; depth < 100; depth++) {
            nested = new HashMap<>(Collections.singletonMap("n", nested));
        }
        write("maps 100 deep", nested);
    }

    private static Person person(String name) {
        Person person = new Person(name, 36, new Address("Square", 1815));
        person.setColor(Color.RED);
        person.setTags(new ArrayList<>(Arrays.asList("math", "engine")));
        person.setScores(new TreeMap<>(Collections.singletonMap("notes", 7)));
        return person;
    }

    private static void objects() throws IOException {
        write("object", new Address("Square", 12));
        write("object nested", person("Ada"));
        write("objects of one class", new Address("A", 1), new Address("B", 2), person("Ada"), new Address("C", 3));
        // More definitions than the one-byte form can index.
        Object[] many = {
            new Address("A", 1), Color.RED, new BigDecimal("1.5"), new BigInteger("7"), Locale.ROOT, person("Ada"),
            new UUID(1, 2), String.class, new StackTraceElement("C", "m", "C.java", 1), new Small.A(1),
            new Small.B(2), new Small.C(3), new Small.D(4), new Small.E(5), new Small.F(6), new Small.G(7),
            new Small.H(8), new Small.I(9), new Small.A(10), new Small.I(11), new Address("B", 2)
        };
        write("objects of more than 16 classes", many);
        write("enum", Color.GREEN);
        write("enums", Color.GREEN, Color.RED, Color.GREEN);
        Person chain = person("0");
        for (int depth = 1; depth < 100; depth++) {
            Person outer = new Person(String.valueOf(depth), depth, null);
            outer.setFriend(chain);
            chain = outer;
        }
        write("objects 100 deep", chain);
    }

    private static void references() throws IOException {
        Address shared = new Address("Square", 12);
        write("same object twice", shared, shared);
        List<Object> list = new ArrayList<>(integers(2));
        write("same list twice", list, list, new ArrayList<>(integers(2)));
        Map<String, Object> map = new HashMap<>(Collections.singletonMap("k", "v"));
        write("same map twice", map, map);
        List<Object> self = new ArrayList<>();
        self.add(self);
        write("list in itself", self);
        Person one = person("one");
        Person two = new Person("two", 2, one.getAddress());
        one.setFriend(two);
        two.setFriend(one);
        write("objects in a circle", one, two);
        List<Object> many = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            many.add(new ArrayList<>(Collections.singletonList(i)));
        }
        many.addAll(new ArrayList<>(many));
        write("references past one byte's ints", many);
        write("reference across a string and a date", list, "between", new Date(0), list);
    }

    private static void others() throws IOException {
        write("BigDecimal", new BigDecimal("12345678901234567890.123456789"));
        write("BigInteger", BigInteger.ONE.shiftLeft(100));
        write("UUID", new UUID(0x0123456789abcdefL, 0x76543210L));
        write("Locale", Locale.CANADA_FRENCH);
        write("Class", String.class);
        write("StackTraceElement", new StackTraceElement("Some", "method", "Some.java", 7));
        write("java.sql.Timestamp", new java.sql.Timestamp(894621091000L));
        write("LocalDate", java.time.LocalDate.of(2024, 2, 29));
        write("LocalDateTime", java.time.LocalDateTime.of(2024, 2, 29, 12, 30, 1));
        write("Duration", java.time.Duration.ofSeconds(90, 5));
        write("Throwable", trace(new IllegalStateException("broken")));
        write("Throwable without message", trace(new NullPointerException()));
        write("Throwable with cause", trace(new RuntimeException("outer", trace(new BusinessException(42, "库存不足")))));
        write("Throwable of 1000 characters", trace(new IllegalArgumentException(pattern(1000))));
    }

    private static <T extends Throwable> T trace(T throwable) {
        throwable.setStackTrace(new StackTraceElement[] {
            new StackTraceElement("metaprotocol.peer.Some", "method", "Some.java", 7),
            new StackTraceElement("metaprotocol.peer.Other", "<init>", null, -2)
        });
        return throwable;
    }

    private static String pattern(int length) {
        char[] chars = new char[length];
        for (int i = 0; i < length; i++) {
            chars[i] = (char) ('!' + i % 93);
        }
        return new String(chars);
    }

    private static byte[] binary(int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (i % 251);
        }
        return bytes;
    }

    private static String repeat(String unit, int count) {
        return String.join("", Collections.nCopies(count, unit));
    }

    private static List<Integer> integers(int count) {
        List<Integer> integers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            integers.add(i);
        }
        return integers;
    }
}
