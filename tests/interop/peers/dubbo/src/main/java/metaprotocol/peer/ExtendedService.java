package metaprotocol.peer;

/** Methods that no server has. A client calls them under the path of {@link DemoService}. */
public interface ExtendedService {
    String absent(String argument);

    String absentWithoutArguments();
}
