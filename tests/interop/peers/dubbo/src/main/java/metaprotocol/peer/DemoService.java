package metaprotocol.peer;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** The service that every peer speaks. Method names are unique, so that a call can be told by name. */
public interface DemoService {
    String sayHello(String name);

    /** The attachments as the server took them off the wire, each value as a string. */
    Map<String, String> attachments();

    void nothing();

    String nullString();

    /** Answers {@code value} and attaches it to the response under {@code key}. */
    String attach(String key, String value);

    String primitives(boolean z, byte b, short s, int i, long l, float f, double d, char c);

    String boxed(Boolean z, Byte b, Short s, Integer i, Long l, Float f, Double d, Character c);

    int echoInt(int value);

    long echoLong(long value);

    double echoDouble(double value);

    boolean not(boolean value);

    String echoString(String value);

    byte[] echoBytes(byte[] value);

    Date echoDate(Date value);

    Color echoColor(Color value);

    List<Object> echoList(List<Object> value);

    Map<String, Object> echoMap(Map<String, Object> value);

    int[] echoInts(int[] value);

    String[][] echoGrid(String[][] value);

    Person echoPerson(Person value);

    List<Person> echoTeam(Person leader, List<Person> members);

    Object echoAny(Object value);

    String decimals(BigDecimal decimal, BigInteger integer);

    /** True if both arguments arrived as one object, that is, by a Hessian reference. */
    boolean same(Object left, Object right);

    String declared(String reason) throws BusinessException;

    String unchecked(String reason);

    /** Throws an exception whose class the consumer need not have: the provider's filter wraps it. */
    String foreign(String reason);

    String slow(int milliseconds);

    /** Answers {@code id} after a pause, for answers out of order. */
    int work(int id, int milliseconds);

    void fireAndForget(String note);

    /** Answers {@code unit} repeated {@code count} times. */
    String repeat(String unit, int count);

    int length(String value);

    int size(byte[] value);
}
