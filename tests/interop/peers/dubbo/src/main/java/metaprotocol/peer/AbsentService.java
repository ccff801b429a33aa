package metaprotocol.peer;

/** A service that no server exports. */
public interface AbsentService {
    String sayHello(String name);
}
