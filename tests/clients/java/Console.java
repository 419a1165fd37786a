import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;

/** Looking at Howdah's console with pgjdbc as it comes, and by simple queries. */
final class Console {
    private static final Map<String, String> NUMBERS =
            Map.of("POOLS", "cl_active", "STATS", "total_query_count", "CLIENTS", "id");

    private Console() {}

    private static void look(Connection connection) throws SQLException {
        for (var topic : NUMBERS.entrySet()) {
            // Often enough for a prepared statement of the server's.
            try (PreparedStatement statement = connection.prepareStatement("SHOW " + topic.getKey())) {
                for (int turn = 0; turn < 7; turn++) {
                    read(statement, topic.getValue());
                }
            }
        }
    }

    private static void read(PreparedStatement statement, String column) throws SQLException {
        try (ResultSet rows = statement.executeQuery()) {
            boolean any = false;
            while (rows.next()) {
                any = true;
                Checks.same(rows.getBigDecimal(column).signum() >= 0, true);
                Checks.same(rows.getString("database") != null, true);
            }
            Checks.same(any, true);
        }
    }

    public static void main(String[] arguments) {
        Checks.check("tables are read as they come", () -> Checks.connected(Console::look));
        Checks.check("tables are read in a transaction", () -> Checks.connected(connection -> {
            connection.setAutoCommit(false);
            look(connection);
            connection.commit();
        }));
        Checks.check("tables are read by simple queries",
                () -> Checks.connected(Console::look, "preferQueryMode", "simple"));
        Checks.main(List.of(arguments));
    }
}
