import java.sql.SQLException;
import java.util.List;

/** pgjdbc over TLS. PGSSLROOTCERT is the right authority, OTHER_ROOT a wrong one. */
final class Encrypted {
    private Encrypted() {}

    private static void work(String... properties) throws Exception {
        Checks.connected(connection -> {
            Checks.same(Checks.one(connection, "SELECT (6 * ?::int)::text", 7), "42");
            Checks.same(Checks.one(connection, "SELECT repeat('x', 1000000)").length(), 1_000_000);
            connection.setAutoCommit(false);
            Checks.execute(connection, "SET LOCAL work_mem = '5MB'");
            Checks.same(Checks.one(connection, "SHOW work_mem"), "5MB");
            connection.commit();
        }, properties);
    }

    public static void main(String[] arguments) {
        var root = Checks.environment("PGSSLROOTCERT");
        var other = Checks.environment("OTHER_ROOT");
        Checks.check("require encrypts", () -> work("sslmode", "require"));
        Checks.check("verify-full trusts the certificate", () -> work("sslmode", "verify-full", "sslrootcert", root));
        Checks.check("verify-full refuses one of another authority", () -> {
            try {
                work("sslmode", "verify-full", "sslrootcert", other);
            } catch (SQLException error) {
                Checks.same(error.getSQLState(), "08006");
                return;
            }
            throw new AssertionError("it was trusted");
        });
        Checks.main(List.of(arguments));
    }
}
