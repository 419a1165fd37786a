import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;

/** pgjdbc: logins, errors, warnings, transactions, and what a connection keeps. */
final class Sessions {
    private Sessions() {}

    static void define() {
        Checks.check("a login is proved by SCRAM", () -> Checks.connected(Sessions::login, "ApplicationName", "check"));
        Checks.check("wrong logins are refused", Sessions::wrongLogins);
        Checks.check("an error has all its fields", () -> Checks.connected(Sessions::errors));
        Checks.check("notices become warnings of their statement", () -> Checks.connected(Sessions::warnings));
        Checks.check("transactions with savepoints", () -> Checks.connected(Sessions::savepoints));
        Checks.check("isolation levels and modes are kept",
                () -> Checks.connected(Sessions::isolation, "readOnlyMode", "always"));
        Checks.check("settings stay with their connection", Sessions::settings);
        Checks.check("notifications reach an idle listener", Sessions::notifications);
        Checks.check("temporary tables and locks stay with their connection", Sessions::temporary);
        Checks.check("an aborted connection is rolled back", Sessions::aborted);
        Checks.check("a connection says whether it is valid", () -> Checks.connected(Sessions::valid));
        Checks.check("twenty connections work at once", Sessions::twenty);
    }

    private static void login(Connection connection) throws Exception {
        var expected = Checks.environment("PGUSER") + "@" + Checks.environment("PGDATABASE");
        Checks.same(Checks.one(connection, "SELECT current_user || '@' || current_database()"), expected);
        Checks.same(Checks.one(connection, "SHOW application_name"), "check");
        var parameters = connection.unwrap(PGConnection.class).getParameterStatuses();
        Checks.same(parameters.get("server_encoding") + parameters.get("integer_datetimes"), "UTF8on");
        Checks.same(connection.getMetaData().getDatabaseProductName(), "PostgreSQL");
        Checks.same(connection.unwrap(PGConnection.class).getBackendPID() != 0, true);
    }

    private static void wrongLogins() throws Exception {
        var wrong = Checks.environment("PGPASSWORD") + "!";
        var error = Checks.fails("28P01", () -> Checks.connect("password", wrong).close());
        var user = Checks.environment("PGUSER");
        Checks.same(error.getMessage(), "FATAL: password authentication failed for user \"" + user + "\"");
        error = Checks.fails("3D000", () -> Checks.connect("database", "nothing").close());
        Checks.same(error.getMessage(), "FATAL: database \"nothing\" does not exist");
    }

    private static void errors(Connection connection) throws Exception {
        Checks.execute(connection, "DROP TABLE IF EXISTS j_errors",
                "CREATE TABLE j_errors (id int CONSTRAINT j_key PRIMARY KEY, n int NOT NULL)", "INSERT INTO j_errors VALUES (1, 1)");
        for (int turn = 0; turn < 8; turn++) {
            var error = Checks.fails("23505", () -> Checks.one(connection, "INSERT INTO j_errors VALUES (?, 1) RETURNING 1", 1));
            var server = ((PSQLException) error).getServerErrorMessage();
            Checks.same(List.of(server.getSeverity(), server.getSchema(), server.getTable(), server.getConstraint()),
                    List.of("ERROR", "public", "j_errors", "j_key"));
            Checks.same(server.getDetail() + server.getRoutine(), "Key (id)=(1) already exists._bt_check_unique");
            error = Checks.fails("23502", () -> Checks.execute(connection, "INSERT INTO j_errors VALUES (2, NULL)"));
            Checks.same(((PSQLException) error).getServerErrorMessage().getColumn(), "n");
            error = Checks.fails("42703", () -> Checks.one(connection, "SELECT nothing FROM j_errors"));
            Checks.same(((PSQLException) error).getServerErrorMessage().getPosition(), 8);
            var raising = "DO $$ BEGIN RAISE 'oops' USING ERRCODE = 'HD001', HINT = 'ünï'; END $$";
            error = Checks.fails("HD001", () -> Checks.execute(connection, raising));
            Checks.same(((PSQLException) error).getServerErrorMessage().getHint(), "ünï");
            Checks.same(((PSQLException) error).getServerErrorMessage().getWhere(),
                    "PL/pgSQL function inline_code_block line 1 at RAISE");
            Checks.pause();
        }
    }

    private static void warnings(Connection connection) throws Exception {
        for (int n = 0; n < 20; n++) {
            try (var statement = connection.createStatement()) {
                statement.execute("DO $$ BEGIN RAISE NOTICE 'n %', " + n + "; RAISE WARNING 'w'; END $$");
                var first = statement.getWarnings();
                Checks.same(first.getMessage() + first.getNextWarning().getMessage(), "n " + n + "w");
                Checks.same(first.getNextWarning().getNextWarning(), null);
            }
            Checks.pause();
        }
    }

    private static void savepoints(Connection connection) throws Exception {
        Checks.execute(connection, "DROP TABLE IF EXISTS j_nested", "CREATE TABLE j_nested (n int UNIQUE)");
        connection.setAutoCommit(false);
        for (int turn = 0; turn < 8; turn++) {
            Checks.execute(connection, "INSERT INTO j_nested VALUES (1)");
            var savepoint = connection.setSavepoint("spät");
            Checks.fails("23505", () -> Checks.execute(connection, "INSERT INTO j_nested VALUES (1)"));
            Checks.fails("25P02", () -> Checks.one(connection, "SELECT 1"));
            connection.rollback(savepoint);
            Checks.execute(connection, "INSERT INTO j_nested VALUES (2)");
            var released = connection.setSavepoint();
            connection.releaseSavepoint(released);
            Checks.same(Checks.one(connection, "SELECT count(*) FROM j_nested"), "2");
            connection.rollback();
            Checks.same(Checks.one(connection, "SELECT count(*) FROM j_nested"), "0");
            connection.commit();
            Checks.pause();
        }
    }

    private static void isolation(Connection connection) throws Exception {
        var levels = Map.of(Connection.TRANSACTION_SERIALIZABLE, "serializable", Connection.TRANSACTION_REPEATABLE_READ,
                "repeatable read", Connection.TRANSACTION_READ_COMMITTED, "read committed");
        for (var level : levels.entrySet()) {
            connection.setTransactionIsolation(level.getKey());
            for (int turn = 0; turn < 8; turn++) {
                Checks.same(Checks.one(connection, "SHOW transaction_isolation"), level.getValue());
                Checks.same(connection.getTransactionIsolation(), level.getKey());
                Checks.pause();
            }
        }
        connection.setReadOnly(true);
        for (boolean autocommit : List.of(true, false, true, false)) {
            connection.setAutoCommit(autocommit);
            Checks.fails("25006", () -> Checks.execute(connection, "CREATE TABLE never (n int)"));
            if (!autocommit) {
                connection.rollback();
            }
            Checks.pause();
        }
        connection.setReadOnly(false);
        Checks.same(Checks.one(connection, "SHOW transaction_read_only"), "off");
    }

    private static void settings() throws Exception {
        Checks.connected(connection -> Checks.connected(other -> {
            var usual = Checks.one(other, "SHOW statement_timeout");
            Checks.execute(connection, "SET statement_timeout = '54s'", "SET TimeZone = 'Asia/Tokyo'");
            connection.setSchema("pg_catalog");
            connection.setClientInfo("ApplicationName", "ünï code");
            for (int turn = 0; turn < 30; turn++) {
                Checks.same(Checks.one(connection, "SHOW work_mem"), "1234kB");
                Checks.same(Checks.one(connection, "SHOW statement_timeout"), "54s");
                Checks.same(connection.getSchema(), "pg_catalog");
                Checks.same(Checks.one(connection, "SELECT current_setting(?)", "TimeZone"), "Asia/Tokyo");
                Checks.same(Checks.one(other, "SHOW statement_timeout"), usual);
                connection.setAutoCommit(false);
                Checks.execute(connection, "SET LOCAL work_mem = '77MB'");
                Checks.same(Checks.one(connection, "SHOW work_mem"), "77MB");
                connection.commit();
                connection.setAutoCommit(true);
                Checks.pause();
            }
            Checks.execute(connection, "RESET ALL");
            Checks.same(Checks.one(connection, "SHOW work_mem"), "1234kB");
            Checks.same(Checks.one(connection, "SHOW statement_timeout"), usual);
        }), "options", "-c work_mem=1234kB");
    }

    private static void notifications() throws Exception {
        Checks.connected(listener -> Checks.connected(sender -> {
            Checks.execute(listener, "LISTEN \"Ünï\"");
            var receiving = listener.unwrap(PGConnection.class);
            for (int n = 0; n < 5; n++) {
                Checks.one(sender, "SELECT pg_notify('Ünï', ?)", "number " + n);
                var heard = receiving.getNotifications(5000);
                Checks.same(heard != null && heard.length == 1, true);
                Checks.same(heard[0].getName() + heard[0].getParameter(), "Ünïnumber " + n);
            }
            Checks.execute(listener, "UNLISTEN *");
            Checks.execute(sender, "NOTIFY \"Ünï\"");
            Checks.same(Checks.one(listener, "SELECT 1"), "1");
            var unheard = receiving.getNotifications(100);
            Checks.same(unheard == null || unheard.length == 0, true);
        }));
    }

    private static void temporary() throws Exception {
        Checks.connected(other -> {
            Checks.connected(connection -> {
                Checks.execute(connection, "CREATE TEMP TABLE mine (n int)", "SELECT pg_advisory_lock(98)");
                for (int n = 0; n < 10; n++) {
                    Checks.execute(connection, "INSERT INTO mine VALUES (" + n + ")");
                    Checks.same(Checks.one(other, "SELECT pg_try_advisory_lock(98)"), "f");
                    Checks.pause();
                }
                Checks.same(Checks.one(connection, "SELECT count(*) FROM mine"), "10");
                Checks.fails("42P01", () -> Checks.one(other, "SELECT * FROM mine"));
            });
            Checks.one(other, "SELECT pg_advisory_lock(98)"); // waits for the end of the other connection
            Checks.same(Checks.one(other, "SELECT pg_advisory_unlock(98)"), "t");
        });
    }

    private static void aborted() throws Exception {
        Checks.connected(connection -> {
            Checks.execute(connection, "DROP TABLE IF EXISTS j_lost", "CREATE TABLE j_lost (n int)", "SET lock_timeout = '5s'");
            for (int turn = 0; turn < 3; turn++) {
                var lost = Checks.connect();
                lost.setAutoCommit(false);
                Checks.execute(lost, "INSERT INTO j_lost VALUES (1)");
                lost.abort(Runnable::run);
                Checks.execute(connection, "TRUNCATE j_lost"); // waits for the lock of the lost transaction
                Checks.same(Checks.one(connection, "SELECT count(*) FROM j_lost"), "0");
            }
        });
    }

    private static void valid(Connection connection) throws Exception {
        for (int turn = 0; turn < 10; turn++) {
            Checks.same(connection.isValid(5), true);
            Checks.pause();
        }
        connection.setAutoCommit(false);
        Checks.same(connection.isValid(5), true);
        Checks.fails("42601", () -> Checks.execute(connection, "nonsense"));
        Checks.same(connection.isValid(5), true);
        connection.rollback();
    }

    private static void twenty() throws Exception {
        var threads = Executors.newFixedThreadPool(20);
        try {
            var ends = new ArrayList<Future<?>>();
            for (int i = 0; i < 20; i++) {
                int number = i;
                ends.add(threads.submit(() -> {
                    Checks.connected(connection -> client(connection, number), "prepareThreshold", "2");
                    return null;
                }));
            }
            for (Future<?> end : ends) {
                end.get();
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private static void client(Connection connection, int number) throws Exception {
        var mine = (1100 + number) + "kB";
        Checks.execute(connection, "SET work_mem = '" + mine + "'");
        for (int n = 0; n < 40; n++) {
            var token = number + "/" + n + " ";
            Checks.same(Checks.one(connection, "SELECT ?::text || current_setting('work_mem')", token), token + mine);
            if (n % 10 == 0) {
                connection.setAutoCommit(false);
                Checks.execute(connection, "SET LOCAL work_mem = '" + (2100 + number) + "kB'");
                Checks.same(Checks.one(connection, "SHOW work_mem"), (2100 + number) + "kB");
                Checks.fails("22012", () -> Checks.one(connection, "SELECT 1 / ?", 0));
                connection.rollback();
                connection.setAutoCommit(true);
            }
        }
    }
}
