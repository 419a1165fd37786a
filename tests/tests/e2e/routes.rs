//! Where statements may run: a corpus of labelled statements, judged by the catalog of a real database, and held against what a real
//! standby does with them; and what happens when definitions change.

use std::time::Duration;

use howdah_tests::raw::{Connection, Target};
use howdah_tests::{Rig, Servers, eventually};

/// The database of the corpus.
const SCHEMA: &str = include_str!("routes/schema.sql");
/// The corpus.
const STATEMENTS: &str = include_str!("routes/statements.txt");

/// One line of the corpus.
#[derive(Debug, Clone)]
struct Labelled<'a> {
    /// `replica`, or a reason.
    label: &'a str,
    /// A standby refuses it.
    refused: bool,
    /// It cannot be run as it stands.
    unrun: bool,
    sql: &'a str,
}

fn corpus() -> Vec<Labelled<'static>> {
    let lines = STATEMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (label, sql) = line.split_once(" | ").expect("label | statement");
            let (refused, unrun) = (label.ends_with('!'), label.ends_with('?'));
            Labelled { label: label.trim_end_matches(['!', '?']), refused, unrun, sql }
        })
        .collect()
}

fn console(rig: &Rig) -> Connection {
    rig.target().database("howdah").client()
}

/// Destination, or the reason for the primary, and what decided.
fn route(console: &mut Connection, rig: &Rig, sql: &str) -> (String, String) {
    let command = format!("SHOW ROUTE {} '{}'", rig.database(), sql.replace('\'', "''"));
    let row = console.run(&command).rows().remove(0);
    let cell = |at: usize| row[at].clone().unwrap_or_default();
    let word = if cell(1) == "replica" { cell(1) } else { cell(2) };
    (word, cell(4))
}

/// The lines that are judged otherwise than they are labelled.
fn misjudged(console: &mut Connection, rig: &Rig, corpus: &[Labelled<'_>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in corpus {
        let (word, subject) = route(console, rig, line.sql);
        if word != line.label {
            wrong.push(format!("{} is {word} {subject}: {}", line.label, line.sql));
        }
    }
    wrong
}

/// What a standby does against the labels.
fn contradicted(standby: &Target, corpus: &[Labelled<'_>]) -> Vec<String> {
    /// Read only, not supported, not in this state: what a standby says to what it cannot do.
    const REFUSALS: [&str; 3] = ["25006", "0A000", "55000"];
    let mut wrong = Vec::new();
    let mut connection = standby.client();
    for line in corpus.iter().filter(|line| !line.unrun) {
        if line.label != "replica" && !line.refused {
            continue;
        }
        let errors = connection.query(line.sql).expect("an answer").errors();
        let code = errors.first().map(|error| error.code.clone()).unwrap_or_default();
        let as_told = match line.label {
            "replica" => code.is_empty(),
            _ => REFUSALS.contains(&code.as_str()),
        };
        if !as_told {
            wrong.push(format!("{} gives {errors:?} on a standby: {}", line.label, line.sql));
        }
        // A statement that is no read may have left a transaction open.
        if !code.is_empty() {
            connection.query("ROLLBACK").expect("an answer");
        }
    }
    wrong
}

/// Statements for replicas that leave something behind on a primary: a transaction id is needed for every change, and advisory locks
/// are seen.
fn leaves_traces(primary: &Target, corpus: &[Labelled<'_>]) -> Vec<String> {
    const CLEAN: &str = "SELECT pg_current_xact_id_if_assigned() IS NULL AND NOT EXISTS \
        (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())";
    let mut wrong = Vec::new();
    let mut connection = primary.client();
    for line in corpus.iter().filter(|line| line.label == "replica" && !line.unrun) {
        connection.run("BEGIN");
        connection.run(line.sql);
        if connection.value(CLEAN) != "t" {
            wrong.push(line.sql.to_owned());
        }
        connection.run("ROLLBACK");
    }
    wrong
}

fn rig_with_standby() -> Rig {
    let rig = Rig::builder().servers(Servers::start_with_replicas(1)).in_process();
    rig.observer().run(SCHEMA);
    // Somebody has to have logged in, for the catalog to be read as somebody.
    rig.client().run("SELECT 1");
    rig.servers().cluster().wait_for_replay().expect("the standby follows");
    rig
}

#[test]
fn every_statement_goes_where_it_is_labelled_and_a_real_standby_agrees() {
    let rig = rig_with_standby();
    let corpus = corpus();
    assert!(corpus.len() >= 500, "{}", corpus.len());
    let mut console = console(&rig);
    let wrong = misjudged(&mut console, &rig, &corpus);
    assert!(wrong.is_empty(), "{} statements:\n{}", wrong.len(), wrong.join("\n"));
    let standby = rig.servers().cluster().replicas()[0].port();
    let standby = Target::port(standby, "app", rig.database());
    let wrong = contradicted(&standby, &corpus);
    assert!(wrong.is_empty(), "{} statements:\n{}", wrong.len(), wrong.join("\n"));
    let wrong = leaves_traces(&rig.direct(), &corpus);
    assert!(wrong.is_empty(), "{} statements:\n{}", wrong.len(), wrong.join("\n"));

    // Each of the three looks would notice a wrong label.
    let relabelled = |sql: &str, label: &'static str| {
        let line = corpus.iter().find(|line| line.sql == sql).expect("a line of the corpus");
        [Labelled { label, refused: label != "replica", ..line.clone() }]
    };
    let write = relabelled("DELETE FROM items WHERE order_id = 1", "replica");
    assert_eq!(misjudged(&mut console, &rig, &write).len(), 1);
    assert_eq!(contradicted(&standby, &write).len(), 1);
    assert_eq!(leaves_traces(&rig.direct(), &write).len(), 1);
    let lock = relabelled("SELECT pg_advisory_lock(1)", "replica");
    assert_eq!(leaves_traces(&rig.direct(), &lock).len(), 1);
    let read = relabelled("SELECT * FROM big_orders", "volatile-function");
    assert_eq!(misjudged(&mut console, &rig, &read).len(), 1);
    assert_eq!(contradicted(&standby, &read).len(), 1);
}

#[test]
fn nobody_relies_on_definitions_that_were_changed_through_howdah() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run(
        "CREATE FUNCTION calm() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'; \
         CREATE FUNCTION wild() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1'; \
         CREATE VIEW v AS SELECT calm() AS a",
    );
    let mut console = console(&rig);
    // Reading the catalog may take longer than SHOW ROUTE waits for it: then nothing is relied on, and it is asked again.
    let mut now = |sql: &str| {
        let mut word = String::new();
        eventually("the catalog was read", || {
            word = route(&mut console, &rig, sql).0;
            word != "no-catalog"
        });
        word
    };
    assert_eq!(now("SELECT * FROM v"), "replica");
    for _ in 0..5 {
        client.run("CREATE OR REPLACE VIEW v AS SELECT wild() AS a");
        assert_eq!(now("SELECT * FROM v"), "volatile-function");
        client.run("BEGIN; CREATE OR REPLACE VIEW v AS SELECT calm() AS a");
        assert_eq!(now("SELECT * FROM v"), "volatile-function", "it is not committed");
        client.run("COMMIT");
        assert_eq!(now("SELECT * FROM v"), "replica");
    }
    client.run("ALTER FUNCTION calm() VOLATILE");
    assert_eq!(now("SELECT calm()"), "volatile-function");
    client.run("BEGIN; ALTER FUNCTION calm() IMMUTABLE; ROLLBACK");
    assert_eq!(now("SELECT calm()"), "volatile-function");
    // What is new is unknown at first, and then known.
    client.run("CREATE TABLE fresh (a int)");
    let mut word = String::new();
    for _ in 0..400 {
        word = now("SELECT * FROM fresh");
        assert!(word == "replica" || word == "unknown-table", "{word}");
        if word == "replica" {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    assert_eq!(word, "replica");
}

#[test]
fn the_configuration_can_say_otherwise() {
    let more = r#"
[[route.override]]
name = "harmless"
function = ["wild"]
to = "replica"
[[route.override]]
name = "queue"
table = ["public.jobs"]
to = "primary"
"#;
    let rig = Rig::builder().more(more).in_process();
    let mut client = rig.client();
    client.run(
        "CREATE FUNCTION wild() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1'; \
         CREATE TABLE jobs (a int); CREATE VIEW v AS SELECT wild() AS a",
    );
    let mut console = console(&rig);
    let mut now = |sql: &str| route(&mut console, &rig, sql);
    let said = |word: &str, subject: &str| (word.to_owned(), subject.to_owned());
    assert_eq!(now("SELECT wild() FROM v"), said("replica", ""));
    assert_eq!(now("SELECT * FROM jobs"), said("override", "queue"));
    let text = rig.configuration().replace("to = \"replica\"", "to = \"primary\"");
    rig.reload(&text);
    assert_eq!(now("SELECT wild() FROM v").0, "override");
}

#[test]
fn a_catalog_that_cannot_be_read_leaves_everything_to_the_primary() {
    let users = "[[user]]\nname = \"nobody_there\"\nauth = \"trust\"\n[[user]]\nname = \"app\"\nauth = \"trust\"\n";
    let rig = Rig::builder().users(users).more("[admin]\nusers = [\"app\"]\n").in_process();
    rig.direct().client().run("CREATE TABLE t (a int)");
    let mut console = console(&rig);
    assert_eq!(route(&mut console, &rig, "SELECT 1").0, "replica");
    assert_eq!(route(&mut console, &rig, "SELECT * FROM t").0, "no-catalog");
    let command = format!("SHOW ROUTE {} 'SELECT * FROM t'", rig.database());
    let row = console.run(&command).rows().remove(0);
    let failure = row[10].clone().unwrap_or_default();
    assert!(failure.contains("nobody_there"), "{row:?}");
    // Whoever logs in knows better.
    rig.client().run("SELECT 1");
    let mut word = String::new();
    for _ in 0..400 {
        word = route(&mut console, &rig, "SELECT * FROM t").0;
        if word == "replica" {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    assert_eq!(word, "replica");
}

#[test]
fn the_command_explains_a_route_with_the_catalog_of_the_running_program() {
    let users = "[[user]]\nname = \"app\"\nauth = \"trust\"\n";
    let rig = Rig::builder().users(users).process();
    rig.direct().client().run(
        "CREATE FUNCTION wild() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1'; \
         CREATE VIEW \"V's\" AS SELECT wild() AS a",
    );
    let explain = |sql: &str| {
        let arguments = ["route", "explain", sql, "--database", rig.database(), "--config"];
        let output = rig.howdah().command(&arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let text = explain("SELECT 'it''s; \"so\"' FROM \"V's\"");
    for part in ["the primary: ", "volatile-function", "public.wild", "functions, ", rig.database()]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(explain("SELECT 1").starts_with("a replica may run it: "));
}
