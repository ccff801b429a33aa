package metaprotocol.peer;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.dubbo.rpc.service.GenericService;

/** Runs one scenario and exits 0, whatever the calls' outcomes: those are on standard output. */
public final class Client {
    private final Options options;
    private final Caller caller;

    private Client(Options options) {
        this.options = options;
        this.caller = new Caller(options);
    }

    public static void main(String[] arguments) throws Exception {
        Options options = new Options(
                arguments, "port", "scenario", "serialization", "timeout", "heartbeat", "attach", "idle", "threads",
                "count");
        Client client = new Client(options);
        Map<String, Scenario> scenarios = client.scenarios();
        Scenario scenario = scenarios.get(options.text("scenario", "hello"));
        if (scenario == null) {
            System.err.println("no such scenario; there are " + String.join(", ", scenarios.keySet()));
            System.exit(2);
        }
        scenario.run();
        System.exit(0);
    }

    private interface Scenario {
        void run() throws Exception;
    }

    private Map<String, Scenario> scenarios() {
        Map<String, Scenario> all = new TreeMap<>();
        all.put("hello", this::hello);
        all.put("interop", this::interop);
        all.put("basic", this::basic);
        all.put("exceptions", this::exceptions);
        all.put("payload", this::payload);
        all.put("oneway", this::oneWay);
        all.put("idle", this::idle);
        all.put("large", this::large);
        all.put("unicode", this::unicode);
        all.put("concurrent", this::concurrent);
        all.put("exhausted", this::exhausted);
        return all;
    }

    private void hello() {
        caller.demo().call("sayHello", "aeraki");
    }

    /** A handful of calls on one connection, for a proxy in between to alter or to answer. */
    private void interop() {
        Caller.Reference<DemoService> demo = caller.demo("blue", "1.2.3");
        demo.callWith(Collections.singletonMap("user", "alice"), "sayHello", "aeraki");
        demo.callWith(Collections.singletonMap("user", "alice"), "attachments");
        demo.call("echoPerson", person());
        demo.call("declared", "not today");
        demo.call("attach", "colour", "green");
        demo.call("sayHello", "again");
    }

    private void basic() {
        Map<String, Object> attached = new LinkedHashMap<>();
        attached.put("user", "alice");
        attached.put("empty", "");
        attached.put("trace-id", "0af7651916cd43dd8448eb211c80319c");
        caller.demo().callWith(attached, "sayHello", "aeraki");
        Caller.Reference<DemoService> blue = caller.demo("blue", "1.2.3");
        blue.callWith(attached, "sayHello", "blue");
        attached.put("depth", 3);
        attached.put("sampled", true);
        attached.put("baggage", new ArrayList<>(Arrays.asList("a", "b")));
        attached.put("after", "the objects");
        blue.callWith(attached, "attachments");
        blue.call("attach", "colour", "green");

        Caller.Reference<DemoService> demo = caller.demo();
        demo.call("nothing");
        demo.call("nullString");
        demo.call("primitives", true, (byte) -7, (short) 300, 70000, 1L << 40, 1.5f, -0.001, 'x');
        demo.call("boxed", false, (byte) 1, null, 47, -8L, null, 100.0, 'é');
        for (int value : new int[] {0, 47, 48, -2048, 262143, Integer.MIN_VALUE}) {
            demo.call("echoInt", value);
        }
        for (long value : new long[] {15, -9, 2047, 262143, Integer.MAX_VALUE, Long.MIN_VALUE}) {
            demo.call("echoLong", value);
        }
        for (double value : new double[] {0, 1, -128, 32767, 12.25, Math.PI, Double.NEGATIVE_INFINITY}) {
            demo.call("echoDouble", value);
        }
        demo.call("not", true);
        demo.call("echoString", "");
        demo.call("echoString", (Object) null);
        demo.call("echoBytes", (Object) new byte[] {0, 1, 2, -1});
        demo.call("echoDate", new Date(894621091000L));
        demo.call("echoDate", new Date(894621060000L));
        demo.call("echoColor", Color.GREEN);
        demo.call("echoInts", (Object) new int[] {1, 2, 3});
        demo.call("echoGrid", (Object) new String[][] {{"a", "b"}, {}, {null}});
        demo.call("echoList", new ArrayList<Object>(Arrays.asList("one", 2, 3L, 4.5, null, true, Color.BLUE)));
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("text", "value");
        map.put("number", 1);
        map.put("nested", new LinkedHashMap<>(Collections.singletonMap("list", new ArrayList<>(Arrays.asList(1, 2)))));
        map.put("nothing", null);
        demo.call("echoMap", map);
        demo.call("echoPerson", person());
        Person leader = person();
        Person member = new Person("Bob", 31, leader.getAddress());
        leader.setFriend(member);
        member.setFriend(leader);
        demo.call("echoTeam", leader, new ArrayList<>(Arrays.asList(member, leader, member)));
        demo.call("echoAny", new TreeMap<>(Collections.singletonMap("key", "value")));
        demo.call("decimals", new BigDecimal("12345678901234567890.123456789"), BigInteger.ONE.shiftLeft(100));
        Person shared = person();
        demo.callWith(Collections.singletonMap("holder", shared), "same", shared, shared);
        demo.call("same", person(), person());
        generic("sayHello", "java.lang.String", "generic");
    }

    private void generic(String method, String type, Object argument) {
        Caller.Reference<GenericService> generic = caller.generic();
        generic.call("$invoke", method, new String[] {type}, new Object[] {argument});
    }

    private static Person person() {
        Person person = new Person("Ada", 36, new Address("12 St James's Square", 1815));
        person.setColor(Color.RED);
        person.setTags(new ArrayList<>(Arrays.asList("math", "engine")));
        person.setScores(new TreeMap<>(Collections.singletonMap("notes", 7)));
        return person;
    }

    private void exceptions() {
        Caller.Reference<DemoService> demo = caller.demo();
        demo.call("sayHello", "before");
        demo.call("declared", "no stock");
        demo.call("unchecked", "broken state");
        demo.call("foreign", "from a library");
        caller.demo("blue", "9.9.9").call("sayHello", "wrong version");
        caller.absent().call("sayHello", "wrong service");
        caller.extended().call("absent", "wrong method");
        caller.extended().call("absentWithoutArguments");
        generic("absent", "java.lang.String", "wrong method, generic");
        // The client gives up first; the late answer still crosses the wire.
        Caller.Reference<DemoService> hasty = new Caller(hasty()).demo();
        hasty.call("slow", 900);
        sleep(800);
        demo.call("sayHello", "after");
    }

    private Options hasty() {
        return new Options(
                new String[] {"--port", options.text("port", "20880"), "--timeout", "300"}, "port", "timeout");
    }

    /** Against a server with a small {@code --payload}: an answer larger than it may send. */
    private void payload() {
        Caller.Reference<DemoService> demo = caller.demo();
        demo.call("repeat", "x", 1000);
        demo.call("repeat", "x", 100_000);
        demo.call("sayHello", "after the refused answer");
    }

    private void oneWay() {
        Caller.Reference<DemoService> forget = caller.oneWay();
        forget.callWith(Collections.singletonMap("user", "alice"), "fireAndForget", "first");
        forget.call("fireAndForget", "second");
        forget.call("nothing");
        caller.demo().call("sayHello", "answered");
        forget.call("fireAndForget", "third");
        sleep(300);
    }

    /** Says nothing for {@code --idle} milliseconds between two calls; the second may find the server gone. */
    private void idle() {
        Caller.Reference<DemoService> demo = caller.demo();
        demo.call("sayHello", "before");
        sleep(options.number("idle", 3500));
        demo.call("sayHello", "after");
    }

    private void large() {
        Caller.Reference<DemoService> demo = caller.demo();
        demo.callWith(Collections.singletonMap("user", "alice"), "length", repeat("0123456789abcdef", 75_000));
        byte[] bytes = new byte[1_100_000];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i % 251);
        }
        demo.callWith(Collections.singletonMap("user", "bob"), "size", (Object) bytes);
        demo.call("repeat", "chunk ", 50_000);
        demo.call("sayHello", "small again");
    }

    private void unicode() {
        Caller.Reference<DemoService> demo = caller.demo();
        String[] texts = {
            "中文，日本語、한국어",
            "\uD83D\uDE00",
            "family \uD83D\uDC68\u200D\uD83D\uDC69\u200D\uD83D\uDC67 and flag \uD83C\uDDEB\uD83C\uDDEE",
            "e\u0301 vs \u00e9",
            "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
            "\u0000\u007f\u0080\u07ff\u0800\uffff",
            "\uD83D lone surrogate",
            // Each length form, with a pair astride its last two units.
            repeat("x", 29) + "\uD83D\uDE00",
            repeat("x", 30) + "\uD83D\uDE00",
            repeat("字", 1021) + "\uD83D\uDE00",
            repeat("字", 1022) + "\uD83D\uDE00",
            // A pair astride the end of the first chunk.
            repeat("x", 32767) + "\uD83D\uDE00" + repeat("y", 100),
            repeat("字", 40_000),
        };
        Map<String, Object> attached = new LinkedHashMap<>();
        attached.put("用户", "阿丽塔");
        attached.put("mood", "\uD83D\uDE00\uD83D\uDE80");
        for (String text : texts) {
            demo.callWith(attached, "echoString", text);
        }
        demo.callWith(attached, "attachments");
        demo.call("attach", "答复", "\uD83D\uDC4D");
        demo.call("declared", "库存不足 \uD83D\uDE22");
    }

    private static String repeat(String unit, int count) {
        return String.join("", Collections.nCopies(count, unit));
    }

    private void concurrent() throws InterruptedException {
        Caller.Reference<DemoService> demo = caller.demo();
        int threads = options.number("threads", 8);
        int count = options.number("count", 400);
        Random random = new Random(20880);
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        for (int id = 0; id < count; id++) {
            int call = id;
            int pause = random.nextInt(10);
            pool.submit(() -> demo.callWith(Collections.singletonMap("call", String.valueOf(call)), "work", call, pause));
        }
        pool.shutdown();
        pool.awaitTermination(60, TimeUnit.SECONDS);
    }

    /** Against a server with {@code --threads 1}: the second call finds no thread. */
    private void exhausted() throws InterruptedException {
        Caller.Reference<DemoService> demo = caller.demo();
        demo.call("sayHello", "before");
        sleep(200);
        List<Thread> calls = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            int id = i;
            Thread call = new Thread(() -> demo.call("work", id, 600));
            call.start();
            calls.add(call);
            sleep(100);
        }
        for (Thread call : calls) {
            call.join();
        }
        demo.call("sayHello", "after");
    }

    private static void sleep(int milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
