package metaprotocol.peer;

import java.util.Map;

/** What only Kafka 3 can do: nothing. */
final class Line {
    private Line() {}

    static void add(Map<String, Client.Scenario> scenarios, Clients clients, Options options) {}
}
