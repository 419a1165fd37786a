//! What was sent is what is counted: `SHOW STATEMENTS` adds up to the calls that clients made, whichever way they made them.

use std::collections::BTreeMap;

use howdah_tests::Rig;
use howdah_tests::raw::{Connection, Frames};

/// One line of `SHOW STATEMENTS`.
pub(crate) type Line = BTreeMap<&'static str, String>;

/// Columns that are looked at, with their places.
const COLUMNS: [(&str, usize); 11] = [
    ("fingerprint", 0),
    ("kind", 3),
    ("calls", 4),
    ("rows", 5),
    ("errors", 6),
    ("errors_client", 7),
    ("errors_canceled", 10),
    ("shared", 12),
    ("wait_us", 15),
    ("longest_us", 21),
    ("statement", 22),
];

fn statements(rig: &Rig) -> Vec<Line> {
    let mut console = rig.target().database("howdah").client();
    let rows = console.run("SHOW STATEMENTS").rows();
    let line = |row: Vec<Option<String>>| -> Line {
        COLUMNS.iter().map(|(name, at)| (*name, row[*at].clone().unwrap_or_default())).collect()
    };
    rows.into_iter().map(line).collect()
}

fn number(line: &Line, column: &str) -> u64 {
    line[column].parse().expect("a number")
}

fn sum(lines: &[Line], column: &str) -> u64 {
    lines.iter().map(|line| number(line, column)).sum()
}

fn of<'a>(lines: &'a [Line], text: &str) -> &'a Line {
    let found = lines.iter().find(|line| line["statement"].contains(text));
    found.unwrap_or_else(|| panic!("no statement with {text:?} in {lines:#?}"))
}

/// Calls in all ways that the protocol knows; returns how many.
fn talk(client: &mut Connection) -> u64 {
    client.run("SELECT 1 AS simple");
    client.run("SELECT 1 AS several; SELECT 2");
    client.run("CREATE TEMP TABLE kept (a int)");
    client.run("INSERT INTO kept SELECT generate_series(1, 7)");
    client.error("SELECT 1 / 0 AS wrong");
    client.error("SELEC 'never shown'");
    client.answer(&Frames::new().extended("SELECT $1::int AS extended", &["5"]).sync(), 1);
    let named = Frames::new().parse("s", "SELECT n AS named FROM generate_series(1, 3) AS n");
    client.answer(&named.sync(), 1);
    for _ in 0..5 {
        client.answer(&Frames::new().execute_prepared("s", &[]).sync(), 1);
    }
    // A pipeline, in which the third call fails and the fourth never runs.
    let pipeline = Frames::new()
        .extended("BEGIN", &[])
        .extended("SELECT 1 AS piped", &[])
        .extended("SELECT 1 / 0 AS wrong", &[])
        .extended("SELECT 1 AS skipped", &[])
        .sync()
        .query("ROLLBACK");
    client.answer(&pipeline, 2);
    // A portal of its own name, in two pieces.
    client.run("BEGIN");
    let portal =
        Frames::new().bind("cursor", "s", &[]).execute("cursor", 2).execute("cursor", 2).sync();
    client.answer(&portal, 1);
    client.run("COMMIT");
    6 + 1 + 5 + 4 + 4
}

#[test]
fn the_calls_of_all_forms_are_the_calls_that_were_made() {
    for mode in ["transaction", "session"] {
        let rig = Rig::builder().mode(mode).in_process();
        let mut client = rig.client();
        let calls = talk(&mut client);
        let lines = statements(&rig);
        assert_eq!(sum(&lines, "calls"), calls, "{mode}: {lines:#?}");
        assert_eq!(sum(&lines, "errors"), 3, "{mode}");
        assert_eq!(sum(&lines, "errors_client"), 3, "{mode}");
        let line = |text: &str| of(&lines, text);
        assert_eq!(number(line("wrong"), "calls"), 2, "{mode}");
        assert_eq!(number(line("wrong"), "errors"), 2, "{mode}");
        assert_eq!(number(line("insert into kept"), "rows"), 7, "{mode}");
        assert_eq!(number(line("several"), "rows"), 2, "{mode}: of both its statements");
        // Five times three, and the last piece of a portal.
        assert_eq!(
            (number(line("named"), "calls"), number(line("named"), "rows")),
            (7, 15 + 1),
            "{mode}"
        );
        assert!(lines.iter().all(|line| !line["statement"].contains("skipped")), "{mode}");
        assert!(lines.iter().all(|line| !line["statement"].contains("never shown")), "{mode}");
    }
}

#[test]
fn calls_that_share_a_server_and_calls_that_wait_are_counted_as_such() {
    let rig = Rig::builder().pool_size(1).in_process();
    let (mut reader, mut holder) = (rig.client(), rig.client());
    rig.until_shared(&mut reader, &mut holder, "SELECT 1 AS shared");
    let before = statements(&rig);
    let shared = || Frames::new().query("SELECT 1 AS shared");
    let mut readers: Vec<_> = (0..3).map(|_| rig.client()).collect();
    // It has the server before anybody reads.
    holder.run("BEGIN");
    holder.send(&Frames::new().query("SELECT pg_sleep(0.4)")).unwrap();
    for reader in &mut readers {
        reader.send(&shared()).unwrap();
    }
    holder.until(b'Z', 1).unwrap();
    holder.run("COMMIT");
    for reader in &mut readers {
        reader.until(b'Z', 1).unwrap();
    }
    let after = statements(&rig);
    let grown = |column: &str| {
        number(of(&after, "as shared"), column) - number(of(&before, "as shared"), column)
    };
    assert_eq!((grown("calls"), grown("rows")), (3, 3));
    assert!((1..=3).contains(&grown("shared")), "{}", grown("shared"));
    assert!(grown("wait_us") > 300_000, "{}", grown("wait_us"));
    let slept = number(of(&after, "pg_sleep"), "longest_us");
    assert!(slept >= 400_000, "{slept}");
}

#[test]
fn a_statement_that_is_cancelled_counts_as_cancelled() {
    let rig = Rig::builder().pool("query_timeout", "\"300ms\"").in_process();
    rig.client().error("SELECT pg_sleep(60)");
    let lines = statements(&rig);
    assert_eq!(number(of(&lines, "pg_sleep"), "errors_canceled"), 1);
}

#[test]
fn calls_are_told_apart_by_application_address_and_route() {
    let rig = Rig::start();
    let mut shop = rig.target().parameter("application_name", "shop").client();
    for page in ["%2Fcart", "%2Fcart", "%2Fpay"] {
        shop.run(&format!("SELECT 1 AS simple /*framework='x',route='{page}'*/"));
    }
    let parse = Frames::new().parse("s", "SELECT 2 AS named /*controller:cart,action:show*/");
    shop.answer(&parse.sync(), 1);
    shop.run("SELECT 3 AS plain");
    shop.answer(&Frames::new().execute_prepared("s", &[]).sync(), 1);
    let unnamed = Frames::new().extended("SELECT 4 AS unnamed /*job='mail'*/", &[]);
    shop.answer(&unnamed.sync(), 1);
    shop.run("SET application_name = 'night shift'");
    shop.run("SELECT 3 AS plain");
    let mut nameless = rig.client();
    nameless.run("SELECT 3 AS plain");

    let mut console = rig.target().database("howdah").client();
    let rows = console.run("SHOW ORIGINS").rows();
    let of = |facet: &str| -> BTreeMap<String, u64> {
        let rows = rows.iter().filter(|row| row[0].as_deref() == Some(facet));
        let number = |text: &Option<String>| text.as_deref().unwrap_or_default().parse().unwrap();
        rows.map(|row| (row[1].clone().unwrap_or_default(), number(&row[2]))).collect()
    };
    let expected = |names: &[(&str, u64)]| -> BTreeMap<String, u64> {
        names.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect()
    };
    // The statement that changes the name is still the old one's.
    assert_eq!(of("application"), expected(&[("shop", 7), ("night shift", 1), ("", 1)]));
    assert_eq!(of("address"), expected(&[("127.0.0.1", 9)]));
    let routes = [("/cart", 2), ("/pay", 1), ("cart#show", 1), ("mail", 1), ("", 4)];
    assert_eq!(of("route"), expected(&routes));
}

#[test]
fn forms_without_a_line_of_their_own_are_counted_too() {
    let rig = Rig::start();
    let mut client = rig.client();
    for batch in 0..60 {
        let frames = (0..100).fold(Frames::new(), |frames, n| {
            frames.query(&format!("SELECT 1 FROM missing_{}", batch * 100 + n))
        });
        client.exchange(&frames, 100).unwrap();
    }
    let lines = statements(&rig);
    assert_eq!(sum(&lines, "calls"), 6_000);
    assert!(lines.len() <= 4_096 + 2, "{}", lines.len());
    assert!(lines.iter().any(|line| line["fingerprint"].is_empty()));
}

#[test]
fn nothing_is_counted_where_nobody_wants_it() {
    let rig = Rig::builder().more("[statements]\ncount = \"off\"\n").in_process();
    let mut client = rig.client();
    talk(&mut client);
    assert_eq!(statements(&rig).len(), 0);
}

#[test]
fn a_statement_inside_a_transaction_has_its_time() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run("BEGIN");
    client.answer(&Frames::new().extended("SELECT pg_sleep(0.2)", &[]).sync(), 1);
    client.run("SELECT 1 FROM pg_sleep(0.3)");
    client.run("COMMIT");
    let lines = statements(&rig);
    let longest = |text: &str| number(of(&lines, text), "longest_us");
    assert!(longest("from pg_sleep") >= 300_000, "{lines:#?}");
    let extended = lines.iter().find(|line| line["statement"] == "select pg_sleep($1)");
    assert!(number(extended.expect("the statement"), "longest_us") >= 200_000, "{lines:#?}");
}
