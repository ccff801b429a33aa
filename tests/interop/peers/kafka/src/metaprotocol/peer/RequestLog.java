package metaprotocol.peer;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/**
 * The broker's own log of every request that it completed, as JSON lines: what it took off the wire, in its own words.
 * What its SASL authentication reads is not in there.
 */
final class RequestLog {
    private static final String PREFIX = "Completed request:";
    /** Loggers are weakly held by their manager. */
    private static Logger logger;

    private RequestLog() {}

    static void writeTo(Path file) throws IOException {
        PrintWriter out = new PrintWriter(Files.newBufferedWriter(file, StandardCharsets.UTF_8));
        logger = Logger.getLogger("kafka.request.logger");
        logger.setUseParentHandlers(false);
        // TRACE: with the whole of request and response.
        logger.setLevel(Level.FINEST);
        logger.addHandler(new Handler() {
            @Override
            public synchronized void publish(LogRecord record) {
                if (record.getMessage().startsWith(PREFIX)) {
                    out.println(record.getMessage().substring(PREFIX.length()));
                    out.flush();
                }
            }

            @Override
            public void flush() {
                out.flush();
            }

            @Override
            public void close() {
                out.close();
            }
        });
    }
}
