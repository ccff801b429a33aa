package metaprotocol.peer;

import com.baidu.brpc.protocol.Options.ProtocolType;
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

    /** The number that brpc-java gives to a protocol; its names here are those of the codecs. */
    int protocol() {
        switch (text("protocol", "brpc")) {
            case "brpc":
                return ProtocolType.PROTOCOL_BAIDU_STD_VALUE;
            case "hulu":
                return ProtocolType.PROTOCOL_HULU_PBRPC_VALUE;
            case "sofa":
                return ProtocolType.PROTOCOL_SOFA_PBRPC_VALUE;
            case "public":
                return ProtocolType.PROTOCOL_PUBLIC_PBRPC_VALUE;
            case "nova":
                return ProtocolType.PROTOCOL_NSHEAD_PROTOBUF_VALUE;
            default:
                System.err.println("no such protocol; there are brpc, hulu, sofa, public, nova");
                System.exit(2);
                return 0;
        }
    }
}
