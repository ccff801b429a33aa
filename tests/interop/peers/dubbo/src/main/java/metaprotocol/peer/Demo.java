package metaprotocol.peer;

import io.netty.channel.ChannelException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The server's side of {@link DemoService}. */
final class Demo implements DemoService {
    @Override
    public String sayHello(String name) {
        Line.respondWith("served-by", "metaprotocol-peer");
        return "Hello " + name;
    }

    @Override
    public Map<String, String> attachments() {
        Map<String, String> all = new TreeMap<>();
        Received.attachments().forEach((key, value) -> all.put(key, String.valueOf(value)));
        return all;
    }

    @Override
    public void nothing() {}

    @Override
    public String nullString() {
        return null;
    }

    @Override
    public String attach(String key, String value) {
        Line.respondWith(key, value);
        return value;
    }

    @Override
    public String primitives(boolean z, byte b, short s, int i, long l, float f, double d, char c) {
        return z + " " + b + " " + s + " " + i + " " + l + " " + f + " " + d + " " + c;
    }

    @Override
    public String boxed(Boolean z, Byte b, Short s, Integer i, Long l, Float f, Double d, Character c) {
        return z + " " + b + " " + s + " " + i + " " + l + " " + f + " " + d + " " + c;
    }

    @Override
    public int echoInt(int value) {
        return value;
    }

    @Override
    public long echoLong(long value) {
        return value;
    }

    @Override
    public double echoDouble(double value) {
        return value;
    }

    @Override
    public boolean not(boolean value) {
        return !value;
    }

    @Override
    public String echoString(String value) {
        return value;
    }

    @Override
    public byte[] echoBytes(byte[] value) {
        return value;
    }

    @Override
    public Date echoDate(Date value) {
        return value;
    }

    @Override
    public Color echoColor(Color value) {
        return value;
    }

    @Override
    public List<Object> echoList(List<Object> value) {
        return value;
    }

    @Override
    public Map<String, Object> echoMap(Map<String, Object> value) {
        return value;
    }

    @Override
    public int[] echoInts(int[] value) {
        return value;
    }

    @Override
    public String[][] echoGrid(String[][] value) {
        return value;
    }

    @Override
    public Person echoPerson(Person value) {
        return value;
    }

    @Override
    public List<Person> echoTeam(Person leader, List<Person> members) {
        List<Person> team = new ArrayList<>(members);
        team.add(0, leader);
        return team;
    }

    @Override
    public Object echoAny(Object value) {
        return value;
    }

    @Override
    public String decimals(BigDecimal decimal, BigInteger integer) {
        return decimal + " " + integer;
    }

    @Override
    public boolean same(Object left, Object right) {
        return left == right;
    }

    @Override
    public String declared(String reason) throws BusinessException {
        throw new BusinessException(42, reason);
    }

    @Override
    public String unchecked(String reason) {
        throw new IllegalStateException(reason);
    }

    @Override
    public String foreign(String reason) {
        throw new ChannelException(reason);
    }

    @Override
    public String slow(int milliseconds) {
        pause(milliseconds);
        return "slept " + milliseconds + " ms";
    }

    @Override
    public int work(int id, int milliseconds) {
        pause(milliseconds);
        return id;
    }

    private static void pause(int milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void fireAndForget(String note) {}

    @Override
    public String repeat(String unit, int count) {
        return String.join("", Collections.nCopies(count, unit));
    }

    @Override
    public int length(String value) {
        return value.length();
    }

    @Override
    public int size(byte[] value) {
        return value.length;
    }
}
