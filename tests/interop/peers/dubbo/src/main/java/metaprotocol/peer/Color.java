package metaprotocol.peer;

public enum Color {
    RED,
    GREEN,
    BLUE
}
