import static java.util.stream.IntStream.range;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.jdbc.PreferQueryMode;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PGobject;

/** pgjdbc: types, prepared statements, query modes, batches, fetch sizes, COPY, cancelling, large objects, procedures. */
final class Statements {
    private Statements() {}

    static void define() {
        for (String mode : List.of("extended", "extendedForPrepared", "extendedCacheEverything", "simple")) {
            Checks.check("values round trip with preferQueryMode " + mode,
                    () -> Checks.connected(Statements::valuesRoundTrip, "preferQueryMode", mode, "prepareThreshold", "3"));
        }
        Checks.check("values round trip in binary",
                () -> Checks.connected(Statements::valuesRoundTrip, "prepareThreshold", "-1"));
        Checks.check("types of the application are looked up", () -> Checks.connected(Statements::ownTypes));
        for (String threshold : List.of("0", "1", "5", "-1")) {
            Checks.check("a prepared statement is reused with prepareThreshold " + threshold,
                    () -> Checks.connected(Statements::reused, "prepareThreshold", threshold));
        }
        Checks.check("more statements than a server keeps stay prepared",
                () -> Checks.connected(Statements::manyStatements, "prepareThreshold", "1"));
        Checks.check("statements pushed out of the driver's cache are closed",
                () -> Checks.connected(Statements::manyStatements, "prepareThreshold", "1", "preparedStatementCacheQueries", "5"));
        Checks.check("autosave repairs a transaction after DDL", Statements::autosave);
        Checks.check("a batch is one pipeline", () -> Checks.connected(Statements::batch));
        Checks.check("a batch is rewritten to fewer inserts",
                () -> Checks.connected(Statements::batch, "reWriteBatchedInserts", "true"));
        Checks.check("rows are fetched in steps", () -> Checks.connected(Statements::fetchSize));
        Checks.check("rows are fetched in steps by default",
                () -> Checks.connected(Statements::fetchSize, "defaultRowFetchSize", "7"));
        Checks.check("values of many megabytes go both ways", () -> Checks.connected(Statements::largeValues));
        Checks.check("rows are copied in and out", () -> Checks.connected(Statements::copy));
        Checks.check("a broken off copy copies nothing", () -> Checks.connected(Statements::brokenCopy));
        Checks.check("a running query is cancelled", () -> Checks.connected(Statements::cancel));
        Checks.check("large objects by function calls", () -> Checks.connected(Statements::largeObjects));
        Checks.check("functions and procedures are called", () -> Checks.connected(Statements::procedures));
        Checks.check("results are updated through their cursor", () -> Checks.connected(Statements::updatable));
        Checks.check("the catalog is described", () -> Checks.connected(Statements::metadata));
    }

    private static void valuesRoundTrip(Connection connection) throws Exception {
        boolean simple = connection.unwrap(PGConnection.class).getPreferQueryMode() == PreferQueryMode.SIMPLE;
        var zone = OffsetDateTime.parse("2024-06-01T12:00:00.000005Z");
        List<Object[]> values = List.of(
                new Object[] {"int2", 7, Integer.class}, new Object[] {"int4", -2147483648, Integer.class},
                new Object[] {"int8", Long.MIN_VALUE, Long.class}, new Object[] {"float4", -1024.25f, Float.class},
                new Object[] {"float8", 1.1e300, Double.class}, new Object[] {"bool", true, Boolean.class},
                new Object[] {"numeric", new BigDecimal("-12345678901234567890.0123456789"), BigDecimal.class},
                new Object[] {"text", "ünïcödé € 🐘 ' \" \\ \n", String.class}, new Object[] {"text", "", String.class},
                new Object[] {"varchar", "x".repeat(70000), String.class},
                new Object[] {"bytea", new byte[] {0, 1, -1, 92, 39}, byte[].class},
                new Object[] {"date", LocalDate.of(2024, 2, 29), LocalDate.class},
                new Object[] {"time", LocalTime.of(23, 59, 59, 999999000), LocalTime.class},
                new Object[] {"timestamp", LocalDateTime.of(1900, 1, 1, 0, 0, 0, 1000), LocalDateTime.class},
                new Object[] {"timestamptz", zone, OffsetDateTime.class},
                new Object[] {"uuid", UUID.fromString("12345678-1234-5678-1234-567812345678"), UUID.class});
        for (int turn = 0; turn < 7; turn++) { // beyond the threshold the statement is named and answers in binary
            for (Object[] value : values) {
                if (value[0].equals("bytea") && simple) {
                    continue; // the driver does not write them in this mode
                }
                try (var statement = connection.prepareStatement("SELECT ?::" + value[0] + ", NULL::" + value[0])) {
                    statement.setObject(1, value[1]);
                    try (var rows = statement.executeQuery()) {
                        Checks.same(rows.next(), true);
                        boolean raw = value[2] == byte[].class;
                        Checks.same(raw ? rows.getBytes(1) : rows.getObject(1, (Class<?>) value[2]), value[1]);
                        Checks.same(rows.getObject(2), null);
                    }
                }
            }
            try (var statement = connection.prepareStatement("SELECT ?::int4[], ?::text[], ?::interval, ?::jsonb, ?::inet")) {
                statement.setArray(1, connection.createArrayOf("int4", new Object[] {1, null, 3}));
                statement.setArray(2, connection.createArrayOf("text", new Object[] {"a,b", "d\"e", "", "ü", null}));
                statement.setObject(3, new PGInterval(1, 2, 3, 4, 5, 6.5));
                statement.setObject(4, object("jsonb", "{\"ä\": [1, null]}"));
                statement.setObject(5, object("inet", "fe80::1/64"));
                try (var rows = statement.executeQuery()) {
                    Checks.same(rows.next(), true);
                    Checks.same(Arrays.asList((Object[]) rows.getArray(1).getArray()), Arrays.asList(1, null, 3));
                    Checks.same(Arrays.asList((Object[]) rows.getArray(2).getArray()), Arrays.asList("a,b", "d\"e", "", "ü", null));
                    Checks.same(rows.getObject(3), new PGInterval(1, 2, 3, 4, 5, 6.5));
                    Checks.same(rows.getString(4), "{\"ä\": [1, null]}");
                    Checks.same(rows.getString(5), "fe80::1/64");
                }
            }
            Checks.pause();
        }
    }

    private static PGobject object(String type, String value) throws Exception {
        var object = new PGobject();
        object.setType(type);
        object.setValue(value);
        return object;
    }

    private static void ownTypes(Connection connection) throws Exception {
        Checks.execute(connection, "DROP TYPE IF EXISTS j_thing, j_mood", "CREATE TYPE j_mood AS ENUM ('sad', 'häppy')",
                "CREATE TYPE j_thing AS (name text, n int, mood j_mood)");
        for (int turn = 0; turn < 8; turn++) {
            try (var statement = connection.prepareStatement("SELECT ?::j_thing, ?::j_mood[], ?::j_mood")) {
                statement.setObject(1, object("j_thing", "(\"a b\",7,sad)"));
                statement.setArray(2, connection.createArrayOf("j_mood", new Object[] {"sad", "häppy"}));
                statement.setObject(3, "häppy", Types.OTHER);
                try (var rows = statement.executeQuery()) {
                    Checks.same(rows.next(), true);
                    Checks.same(((PGobject) rows.getObject(1)).getValue(), "(\"a b\",7,sad)");
                    Checks.same(Arrays.asList((Object[]) rows.getArray(2).getArray()), List.of("sad", "häppy"));
                    Checks.same(rows.getMetaData().getColumnTypeName(1), "j_thing");
                    Checks.same(rows.getString(3), "häppy");
                }
            }
            Checks.pause();
        }
    }

    private static void reused(Connection connection) throws Exception {
        var seen = new ArrayList<String>();
        try (var statement = connection.prepareStatement("SELECT pg_backend_pid(), ?::int8 * 2")) {
            for (long n = 0; n < 150; n++) {
                statement.setLong(1, n);
                try (var rows = statement.executeQuery()) {
                    Checks.same(rows.next(), true);
                    seen.add(rows.getString(1));
                    Checks.same(rows.getLong(2), n * 2);
                }
                Checks.pause();
            }
        }
        Checks.servedBy(seen);
    }

    private static void manyStatements(Connection connection) throws Exception {
        for (int turn = 0; turn < 3; turn++) {
            for (int n = 0; n < 120; n++) {
                Checks.same(Checks.one(connection, "SELECT ?::text || '" + n + "'", "x" + n + "."), "x" + n + "." + n);
            }
        }
    }

    private static void autosave() throws Exception {
        for (String autosave : List.of("always", "conservative")) {
            Checks.connected(connection -> {
                Checks.execute(connection, "DROP TABLE IF EXISTS j_saved", "CREATE TABLE j_saved (n int)",
                        "INSERT INTO j_saved VALUES (1)");
                connection.setAutoCommit(false);
                for (int turn = 0; turn < 3; turn++) {
                    for (int n = 0; n < 3; n++) {
                        Checks.same(Checks.one(connection, "SELECT * FROM j_saved"), "1");
                    }
                    Checks.execute(connection, "ALTER TABLE j_saved ADD COLUMN t" + turn + " text");
                    Checks.same(Checks.one(connection, "SELECT * FROM j_saved"), "1"); // the old plan is refused and repaired
                    connection.commit();
                    Checks.pause();
                }
                if (autosave.equals("always")) {
                    Checks.fails("22012", () -> Checks.one(connection, "SELECT 1 / ?", 0));
                    Checks.same(Checks.one(connection, "SELECT 'goes on'"), "goes on");
                }
                connection.commit();
            }, "autosave", autosave, "prepareThreshold", "1");
        }
    }

    private static void batch(Connection connection) throws Exception {
        Checks.execute(connection, "DROP TABLE IF EXISTS j_batch", "CREATE TABLE j_batch (id serial PRIMARY KEY, n int UNIQUE)");
        connection.setAutoCommit(false);
        for (int turn = 0; turn < 4; turn++) {
            try (var statement = connection.prepareStatement("INSERT INTO j_batch (n) VALUES (?)")) {
                for (int n = 0; n < 1000; n++) {
                    statement.setInt(1, turn * 1000 + n);
                    statement.addBatch();
                }
                Checks.same(statement.executeBatch().length, 1000);
            }
            connection.commit();
        }
        Checks.same(Checks.one(connection, "SELECT count(*) FROM j_batch"), "4000");
        connection.commit();
        connection.setAutoCommit(true);
        try (var statement = connection.prepareStatement("INSERT INTO j_batch (n) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int n : List.of(9001, 9002)) {
                statement.setInt(1, n);
                statement.addBatch();
            }
            statement.executeBatch();
            try (var keys = statement.getGeneratedKeys()) {
                Checks.same(keys.next() && keys.getInt(1) == 4001 && keys.next() && keys.getInt(1) == 4002, true);
            }
            for (int n : List.of(9003, 5, 9004)) { // 5 is there already
                statement.setInt(1, n);
                statement.addBatch();
            }
            var error = Checks.fails("23505", statement::executeBatch);
            Checks.same(error instanceof BatchUpdateException, true);
        }
        try (var statement = connection.createStatement()) {
            range(0, 300).forEach(n -> add(statement, "UPDATE j_batch SET n = -" + (n + 1) + " WHERE id = " + (n + 1)));
            Checks.same(Arrays.stream(statement.executeBatch()).sum(), 300);
        }
        Checks.same(Checks.one(connection, "SELECT count(*) FROM j_batch WHERE n < 0"), "300");
    }

    private static void add(Statement statement, String sql) {
        try {
            statement.addBatch(sql);
        } catch (SQLException error) {
            throw new IllegalStateException(error);
        }
    }

    private static void fetchSize(Connection connection) throws Exception {
        connection.setAutoCommit(false);
        for (int turn = 0; turn < 8; turn++) {
            try (var statement = connection.prepareStatement("SELECT n, repeat('y', 500) FROM generate_series(1, ?) n")) {
                statement.setInt(1, 2000);
                if (turn % 2 == 0) {
                    statement.setFetchSize(50);
                }
                long total = 0;
                try (var rows = statement.executeQuery()) {
                    while (rows.next()) {
                        total += rows.getInt(1);
                        if (rows.getInt(1) % 700 == 0) { // another statement while the portal is open
                            Checks.same(Checks.one(connection, "SELECT ?::int", rows.getInt(1)), rows.getString(1));
                        }
                    }
                }
                Checks.same(total, 2000L * 2001 / 2);
                statement.setMaxRows(10);
                try (var rows = statement.executeQuery()) {
                    int count = 0;
                    while (rows.next()) {
                        count++;
                    }
                    Checks.same(count, 10);
                }
            }
            connection.commit();
            Checks.pause();
        }
        try (var statement = connection.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY,
                ResultSet.HOLD_CURSORS_OVER_COMMIT)) {
            statement.setFetchSize(10);
            try (var rows = statement.executeQuery("SELECT generate_series(1, 100)")) {
                Checks.same(rows.next(), true);
            } // closed long before its end
        }
        connection.commit();
    }

    private static void largeValues(Connection connection) throws Exception {
        var text = "äöü€".repeat(2_000_000);
        var raw = new byte[15_000_000];
        Arrays.fill(raw, (byte) 200);
        try (var statement = connection.prepareStatement("SELECT ?::text, ?::bytea")) {
            statement.setString(1, text);
            statement.setBinaryStream(2, new ByteArrayInputStream(raw), raw.length);
            try (var rows = statement.executeQuery()) {
                Checks.same(rows.next() && rows.getString(1).equals(text) && Arrays.equals(rows.getBytes(2), raw), true);
            }
        }
    }

    private static CopyManager copyManager(Connection connection) throws Exception {
        return connection.unwrap(PGConnection.class).getCopyAPI();
    }

    private static void copy(Connection connection) throws Exception {
        Checks.execute(connection, "DROP TABLE IF EXISTS j_copied", "CREATE TABLE j_copied (id int PRIMARY KEY, name text)");
        var lines = new StringBuilder();
        range(0, 5000).forEach(n -> lines.append(n).append("\tnäme ").append(n).append('\n'));
        var copies = copyManager(connection);
        Checks.same(copies.copyIn("COPY j_copied FROM STDIN", new StringReader(lines.toString())), 5000L);
        var binary = new ByteArrayOutputStream();
        copies.copyOut("COPY j_copied TO STDOUT (FORMAT binary)", binary);
        Checks.execute(connection, "TRUNCATE j_copied");
        copies.copyIn("COPY j_copied FROM STDIN (FORMAT binary)", new ByteArrayInputStream(binary.toByteArray()));
        var text = new ByteArrayOutputStream();
        copies.copyOut("COPY (SELECT * FROM j_copied ORDER BY id) TO STDOUT", text);
        Checks.same(text.toString(StandardCharsets.UTF_8), lines.toString());
    }

    private static void brokenCopy(Connection connection) throws Exception {
        Checks.execute(connection, "DROP TABLE IF EXISTS j_broken", "CREATE TABLE j_broken (id int PRIMARY KEY)");
        var copies = copyManager(connection);
        for (int turn = 0; turn < 3; turn++) {
            Checks.fails("23505", () -> copies.copyIn("COPY j_broken FROM STDIN", new StringReader("1\n".repeat(50_000))));
            var given_up = copies.copyIn("COPY j_broken FROM STDIN");
            given_up.writeToCopy("1\n".getBytes(StandardCharsets.UTF_8), 0, 2);
            given_up.cancelCopy(); // sends CopyFail
            Checks.same(Checks.one(connection, "SELECT count(*) FROM j_broken"), "0");
        }
    }

    private static void cancel(Connection connection) throws Exception {
        for (int turn = 0; turn < 3; turn++) {
            try (var statement = connection.createStatement()) {
                var canceller = new Thread(() -> {
                    try {
                        Thread.sleep(100);
                        statement.cancel();
                    } catch (Exception error) {
                        throw new IllegalStateException(error);
                    }
                });
                canceller.start();
                Checks.fails("57014", () -> statement.execute("SELECT pg_sleep(20)"));
                canceller.join();
                Checks.same(Checks.one(connection, "SELECT 'next'"), "next");
                statement.setQueryTimeout(1);
                Checks.fails("57014", () -> statement.execute("SELECT pg_sleep(20)"));
                Checks.same(Checks.one(connection, "SELECT 'next'"), "next");
            }
        }
    }

    private static void largeObjects(Connection connection) throws Exception {
        connection.setAutoCommit(false);
        var objects = connection.unwrap(PGConnection.class).getLargeObjectAPI();
        var data = "päckage".repeat(20_000).getBytes(StandardCharsets.UTF_8);
        for (int turn = 0; turn < 3; turn++) {
            long oid = objects.createLO();
            try (var object = objects.open(oid)) {
                object.write(data);
                object.seek(0);
                Checks.same(object.read(data.length), data);
            }
            connection.commit();
            Checks.pause();
            try (var object = objects.open(oid)) {
                Checks.same(object.size(), data.length);
            }
            objects.delete(oid);
            connection.commit();
            Checks.fails("42704", () -> objects.open(oid));
            connection.rollback();
        }
    }

    private static void procedures(Connection connection) throws Exception {
        Checks.execute(connection, "DROP TABLE IF EXISTS j_steps", "CREATE TABLE j_steps (n int)",
                "CREATE OR REPLACE FUNCTION j_add(a int, INOUT b int, OUT c text) LANGUAGE sql AS 'SELECT a + b, ''c'' || a'",
                "CREATE OR REPLACE PROCEDURE j_walk(n int) LANGUAGE plpgsql AS $$ BEGIN"
                        + " FOR i IN 1..n LOOP INSERT INTO j_steps VALUES (i); COMMIT; END LOOP; RAISE 'end of the walk'; END $$");
        for (int turn = 0; turn < 8; turn++) {
            try (var call = connection.prepareCall("{call j_add(?, ?, ?)}")) {
                call.setInt(1, turn);
                call.setInt(2, 10);
                call.registerOutParameter(2, Types.INTEGER);
                call.registerOutParameter(3, Types.VARCHAR);
                call.execute();
                Checks.same(call.getInt(2) + call.getString(3), (turn + 10) + "c" + turn);
            }
            Checks.pause();
        }
        Checks.fails("P0001", () -> Checks.execute(connection, "CALL j_walk(3)"));
        Checks.same(Checks.one(connection, "SELECT count(*) FROM j_steps"), "3"); // committed by the procedure itself
    }

    private static void updatable(Connection connection) throws Exception {
        Checks.execute(connection, "DROP TABLE IF EXISTS j_rows", "CREATE TABLE j_rows (id int PRIMARY KEY, name text)",
                "INSERT INTO j_rows SELECT n, 'old' FROM generate_series(1, 20) n");
        try (var statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
                var rows = statement.executeQuery("SELECT id, name FROM j_rows ORDER BY id")) {
            Checks.same(rows.last() && rows.getInt(1) == 20 && rows.absolute(5), true);
            rows.updateString(2, "new");
            rows.updateRow();
            rows.moveToInsertRow();
            rows.updateInt(1, 21);
            rows.updateString(2, "inserted");
            rows.insertRow();
            Checks.same(rows.first(), true);
            rows.deleteRow();
        }
        Checks.same(Checks.one(connection, "SELECT string_agg(id || name, ',') FROM j_rows WHERE name <> 'old'"), "5new,21inserted");
        Checks.same(Checks.one(connection, "SELECT count(*) FROM j_rows"), "20");
    }

    private static void metadata(Connection connection) throws Exception {
        Checks.execute(connection, "DROP TABLE IF EXISTS j_described",
                "CREATE TABLE j_described (id int PRIMARY KEY, amount numeric(10, 3) NOT NULL)");
        for (int turn = 0; turn < 5; turn++) {
            var names = new ArrayList<String>();
            try (var columns = connection.getMetaData().getColumns(null, "public", "j_described", null)) {
                while (columns.next()) {
                    names.add(columns.getString("COLUMN_NAME") + " " + columns.getString("TYPE_NAME"));
                }
            }
            Checks.same(names, List.of("id int4", "amount numeric"));
            try (var keys = connection.getMetaData().getPrimaryKeys(null, "public", "j_described")) {
                Checks.same(keys.next() && keys.getString("COLUMN_NAME").equals("id"), true);
            }
            try (var statement = connection.prepareStatement("INSERT INTO j_described VALUES (?, ?)")) {
                Checks.same(statement.getParameterMetaData().getParameterTypeName(2), "numeric");
            }
            Checks.pause();
        }
    }
}
