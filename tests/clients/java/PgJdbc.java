import java.util.List;

/** What applications do with pgjdbc. Arguments name the only checks to run. */
final class PgJdbc {
    private PgJdbc() {}

    public static void main(String[] arguments) {
        Sessions.define();
        Statements.define();
        Checks.main(List.of(arguments));
    }
}
