package metaprotocol.peer;

/** Declared by {@link DemoService}, with a field of its own. */
public class BusinessException extends Exception {
    private static final long serialVersionUID = 1;

    private int code;

    public BusinessException() {}

    public BusinessException(int code, String message) {
        super(message);
        this.code = code;
    }

    public int getCode() {
        return code;
    }

    public void setCode(int code) {
        this.code = code;
    }
}
