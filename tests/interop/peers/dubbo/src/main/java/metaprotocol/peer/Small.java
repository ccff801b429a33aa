package metaprotocol.peer;

import java.io.Serializable;

/** Many classes for {@link HessianVectors}, so that class definitions outnumber their one-byte index. */
abstract class Small implements Serializable {
    private static final long serialVersionUID = 1;

    private final int number;

    Small(int number) {
        this.number = number;
    }

    @Override
    public String toString() {
        return getClass().getSimpleName() + " " + number;
    }

    static final class A extends Small {
        private static final long serialVersionUID = 1;

        A(int number) {
            super(number);
        }
    }

    static final class B extends Small {
        private static final long serialVersionUID = 1;

        B(int number) {
            super(number);
        }
    }

    static final class C extends Small {
        private static final long serialVersionUID = 1;

        C(int number) {
            super(number);
        }
    }

    static final class D extends Small {
        private static final long serialVersionUID = 1;

        D(int number) {
            super(number);
        }
    }

    static final class E extends Small {
        private static final long serialVersionUID = 1;

        E(int number) {
            super(number);
        }
    }

    static final class F extends Small {
        private static final long serialVersionUID = 1;

        F(int number) {
            super(number);
        }
    }

    static final class G extends Small {
        private static final long serialVersionUID = 1;

        G(int number) {
            super(number);
        }
    }

    static final class H extends Small {
        private static final long serialVersionUID = 1;

        H(int number) {
            super(number);
        }
    }

    static final class I extends Small {
        private static final long serialVersionUID = 1;

        I(int number) {
            super(number);
        }
    }
}
