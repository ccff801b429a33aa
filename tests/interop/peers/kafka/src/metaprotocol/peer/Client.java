package metaprotocol.peer;

import java.util.Map;
import java.util.TreeMap;

/** Runs one scenario and exits 0, whatever the outcomes: those are on standard output. */
public final class Client {
    private Client() {}

    interface Scenario {
        void run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        Options options = new Options(
                arguments, "port", "scenario", "client-id", "topic", "group", "group-protocol", "security", "password",
                "certificate", "timeout");
        Clients clients = new Clients(options);
        Scenarios scenarios = new Scenarios(clients, options);
        Map<String, Scenario> all = new TreeMap<>();
        all.put("interop", scenarios::interop);
        all.put("admin", new Administration(clients, options)::run);
        all.put("create", scenarios::create);
        all.put("compression", scenarios::compression);
        all.put("errors", scenarios::errors);
        all.put("groups", scenarios::groups);
        all.put("pipelined", scenarios::pipelined);
        all.put("hello", scenarios::hello);
        all.put("transactions", scenarios::transactions);
        Line.add(all, clients, options);
        Scenario scenario = all.get(options.text("scenario", "interop"));
        if (scenario == null) {
            System.err.println("no such scenario; there are " + String.join(", ", all.keySet()));
            System.exit(2);
        }
        scenario.run();
        System.exit(0);
    }
}
