import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * Runs the checks of pgjdbc and says what became of them: {@code ok name}, {@code FAIL name: why}, and a last line of counts.
 *
 * <p>A check that takes longer than LIMIT has failed. The server is named by the environment: PGHOST, PGPORT, PGUSER, PGPASSWORD,
 * PGDATABASE. The checks do not know whether PostgreSQL itself or something in front of it answers.
 */
final class Checks {
    /** Seconds for one check. */
    private static final int LIMIT = 30;

    private static final Map<String, Check> ALL = new LinkedHashMap<>();

    private Checks() {}

    /** What a check does. */
    interface Check {
        void run() throws Exception;
    }

    /** What is done with a connection. */
    interface Work {
        void with(Connection connection) throws Exception;
    }

    /** Adds a check; its name is the sentence that it shows. */
    static void check(String name, Check check) {
        ALL.put(name, check);
    }

    /** Runs the named checks, all without a name, in the order of their definition and ends the program. */
    static void main(List<String> names) {
        var wanted = ALL.keySet().stream().filter(name -> names.isEmpty() || names.contains(name)).toList();
        var failed = wanted.stream().filter(name -> !passes(name, ALL.get(name))).count();
        System.out.println((wanted.size() - failed) + " ok, " + failed + " failed");
        System.exit(failed > 0 || wanted.isEmpty() ? 1 : 0);
    }

    private static boolean passes(String name, Check check) {
        ExecutorService thread = Executors.newSingleThreadExecutor();
        try {
            Future<?> end = thread.submit(() -> {
                check.run();
                return null;
            });
            end.get(LIMIT, TimeUnit.SECONDS);
            System.out.println("ok " + name);
            return true;
        } catch (Exception error) { // whatever it is, it is reported and the next check runs
            Throwable cause = error.getCause() == null ? error : error.getCause();
            var line = Arrays.stream(cause.getStackTrace())
                    .filter(frame -> List.of("Statements", "Sessions").contains(frame.getClassName()))
                    .map(frame -> " (" + frame.getFileName() + ":" + frame.getLineNumber() + ")")
                    .findFirst();
            System.out.println("FAIL " + name + ": " + cause.toString().replaceAll("\\s+", " ") + line.orElse(""));
            return false;
        } finally {
            thread.shutdownNow();
        }
    }

    /** The environment's value. */
    static String environment(String name) {
        return Objects.requireNonNull(System.getenv(name), name);
    }

    /** Connects with properties given as name, value, name, value. */
    static Connection connect(String... properties) throws SQLException {
        var all = new Properties();
        all.setProperty("user", environment("PGUSER"));
        all.setProperty("password", environment("PGPASSWORD"));
        all.setProperty("sslmode", "disable");
        for (int i = 0; i < properties.length; i += 2) {
            all.setProperty(properties[i], properties[i + 1]);
        }
        var database = all.getProperty("database", environment("PGDATABASE"));
        var url = "jdbc:postgresql://" + environment("PGHOST") + ":" + environment("PGPORT") + "/" + database;
        return DriverManager.getConnection(url, all);
    }

    /** Gives some work a connection, which is closed afterwards. */
    static void connected(Work work, String... properties) throws Exception {
        try (var connection = connect(properties)) {
            work.with(connection);
        }
    }

    /** Executes statements one after the other. */
    static void execute(Connection connection, String... statements) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    /** The only value of a query, as text. */
    static String one(Connection connection, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setObject(i + 1, values[i]);
            }
            try (ResultSet rows = statement.executeQuery()) {
                same(rows.next(), true);
                return rows.getString(1);
            }
        }
    }

    /** The error, with this SQLSTATE, that a check must end with. */
    static SQLException fails(String state, Check check) throws Exception {
        try {
            check.run();
        } catch (SQLException error) {
            same(error.getSQLState(), state);
            return error;
        }
        throw new AssertionError("no error " + state);
    }

    /** The check fails unless both are equal. */
    static void same(Object seen, Object expected) {
        boolean equal = seen instanceof byte[] bytes ? Arrays.equals(bytes, (byte[]) expected) : Objects.equals(seen, expected);
        if (!equal) {
            throw new AssertionError("expected " + expected + ", seen " + seen);
        }
    }

    /** Says how many servers have served one connection; whoever started this program knows how many it must be. */
    static void servedBy(Collection<String> backends) {
        System.out.println("servers " + new HashSet<>(backends).size());
    }

    /** A moment in which others get servers and give them back. */
    static void pause() throws InterruptedException {
        Thread.sleep(ThreadLocalRandom.current().nextInt(5));
    }
}
