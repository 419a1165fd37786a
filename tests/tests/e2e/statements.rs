//! Prepared statements work as if each client had its server for itself.

use std::collections::BTreeSet;

use howdah_tests::raw::Frames;
use howdah_tests::{Rig, Script};

#[test]
fn a_named_statement_works_on_every_server() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    let parse = Frames::new()
        .parse("s", "SELECT $1::int + 1, pg_backend_pid()")
        .describe_statement("s")
        .sync();
    assert_eq!(client.answer(&parse, 1).summary(), "1 t T Z(I)");
    let mut servers = BTreeSet::new();
    for n in 0..20 {
        churn.turn();
        let seen = client.answer(&Frames::new().execute_prepared("s", &[&n.to_string()]).sync(), 1);
        assert_eq!(seen.summary(), "2 D C Z(I)");
        let row = &seen.rows()[0];
        assert_eq!(row[0], Some((n + 1).to_string()));
        servers.insert(row[1].clone());
    }
    assert!(servers.len() > 1, "the client was always on one server");
}

#[test]
fn equal_names_of_two_clients_are_two_statements() {
    let rig = Rig::start();
    let mut clients: Vec<_> = (0..4).map(|_| rig.client()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        let parse = Frames::new().parse("same", &format!("SELECT 'client {n}'")).sync();
        assert_eq!(client.answer(&parse, 1).summary(), "1 Z(I)");
    }
    for _ in 0..5 {
        for (n, client) in clients.iter_mut().enumerate() {
            let seen = client.answer(&Frames::new().execute_prepared("same", &[]).sync(), 1);
            assert_eq!(seen.values(), [format!("client {n}")]);
        }
    }
}

#[test]
fn the_unnamed_statement_outlives_its_sync_on_another_server() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    let mut servers = BTreeSet::new();
    let parse =
        Frames::new().parse("", "SELECT $1::text, pg_backend_pid()").describe_statement("").sync();
    for round in 0..10 {
        churn.turn();
        assert_eq!(client.answer(&parse, 1).summary(), "1 t T Z(I)");
        for other in 0..3 {
            churn.turn();
            let text = format!("{round} {other}");
            let seen = client.answer(&Frames::new().execute_prepared("", &[&text]).sync(), 1);
            assert_eq!(seen.values(), [text]);
            servers.insert(seen.rows()[0][1].clone());
        }
    }
    assert!(servers.len() > 1, "the client was always on one server");
}

#[test]
fn a_simple_query_ends_the_unnamed_statement() {
    let rig = Rig::start();
    let script = Script::new()
        .step(Frames::new().parse("", "SELECT 1").sync())
        .query("SELECT 2")
        .step(Frames::new().bind("", "", &[]).execute("", 0).sync())
        .step(Frames::new().parse("", "SELECT 3").sync())
        .step(Frames::new().bind("", "", &[]).execute("", 0).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn more_statements_than_a_server_keeps_all_work() {
    let rig = Rig::builder().pool("max_prepared", "10").in_process();
    let mut churn = rig.churn();
    let mut client = rig.client();
    for n in 0..60 {
        let parse = Frames::new().parse(&format!("s{n}"), &format!("SELECT {n} + $1::int")).sync();
        assert_eq!(client.answer(&parse, 1).summary(), "1 Z(I)");
    }
    for round in 0..3 {
        for n in (0..60).rev() {
            if n % 7 == 0 {
                churn.turn();
            }
            let name = format!("s{n}");
            let seen = client
                .answer(&Frames::new().execute_prepared(&name, &[&round.to_string()]).sync(), 1);
            assert_eq!(seen.values(), [(n + round).to_string()], "{}", seen.summary());
        }
    }
    // Many in one pipeline, more than a server may keep at once.
    let mut frames = Frames::new();
    for n in 0..60 {
        frames = frames.execute_prepared(&format!("s{n}"), &["5"]);
    }
    let seen = client.answer(&frames.sync(), 1);
    assert_eq!(seen.values(), (5..65).map(|n: u32| n.to_string()).collect::<Vec<_>>());
    churn.rest();
    let kept: u32 = client.value("SELECT count(*) FROM pg_prepared_statements").parse().unwrap();
    assert!(kept <= 60, "{kept} statements on one server");
    let seen = client.answer(&Frames::new().execute_prepared("s1", &["5"]).sync(), 1);
    assert_eq!(seen.values(), ["6"]);
}

#[test]
fn unknown_and_duplicate_names_are_refused_as_by_postgresql() {
    let rig = Rig::start();
    let script = Script::new()
        .step(Frames::new().bind("", "nobody", &[]).execute("", 0).sync())
        .step(Frames::new().describe_statement("nobody").sync())
        .step(Frames::new().close_statement("nobody").sync())
        .step(Frames::new().parse("s", "SELECT 1").sync())
        .step(Frames::new().parse("s", "SELECT 2").sync())
        .step(Frames::new().execute_prepared("s", &[]).sync())
        .step(Frames::new().close_statement("s").parse("s", "SELECT 3").sync())
        .step(Frames::new().execute_prepared("s", &[]).sync())
        .step(Frames::new().describe_portal("nobody").sync())
        .step(Frames::new().execute("nobody", 0).sync())
        .step(Frames::new().close_portal("nobody").sync())
        .step(Frames::new().bind("", "", &[]).execute("", 0).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn a_statement_that_failed_to_parse_does_not_exist() {
    let rig = Rig::start();
    let script = Script::new()
        .step(Frames::new().parse("s", "SELEC 1").sync())
        .step(Frames::new().execute_prepared("s", &[]).sync())
        .step(Frames::new().parse("s", "SELECT * FROM no_such_table").parse("t", "SELECT 1").sync())
        .step(Frames::new().execute_prepared("t", &[]).sync())
        .step(Frames::new().parse("s", "SELECT 'now'").execute_prepared("s", &[]).sync())
        .step(Frames::new().execute_prepared("s", &[]).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn discard_all_forgets_everything() {
    let rig = Rig::start();
    let script = Script::new()
        .step(Frames::new().parse("a", "SELECT 'a'").sync())
        .query("SET work_mem = '9MB'")
        .query("DISCARD ALL")
        .step(Frames::new().execute_prepared("a", &[]).sync())
        .query("SHOW work_mem")
        .query("BEGIN; DISCARD ALL")
        .query("ROLLBACK")
        .step(Frames::new().parse("a", "SELECT 'again'").execute_prepared("a", &[]).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn a_statement_of_a_rolled_back_transaction_still_exists() {
    let rig = Rig::start();
    let script = Script::new()
        .query("BEGIN")
        .step(Frames::new().parse("s", "SELECT 's'").sync())
        .query("ROLLBACK")
        .step(Frames::new().execute_prepared("s", &[]).sync())
        .query("BEGIN")
        .step(Frames::new().parse("t", "SELECT 't'").extended("SELECT 1 / 0", &[]).sync())
        .query("ROLLBACK")
        .step(Frames::new().execute_prepared("t", &[]).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn a_text_without_a_statement_may_be_prepared_in_a_failed_transaction() {
    let rig = Rig::builder().pool_size(1).in_process();
    for name in ["first", "second"] {
        let mut client = rig.client();
        client.run("BEGIN");
        assert_eq!(client.error("SELECT 1/0").code, "22012");
        let refused = client.answer(&Frames::new().parse("s", "SELECT 1").sync(), 1);
        assert_eq!(refused.errors()[0].code, "25P02");
        let empty = Frames::new().parse(name, "-- nothing").describe_statement(name).sync();
        assert_eq!(client.answer(&empty, 1).summary(), "1 t n Z(E)");
        client.run("ROLLBACK");
        let run = Frames::new().execute_prepared(name, &[]).sync();
        assert_eq!(client.answer(&run, 1).summary(), "2 I Z(I)");
    }
}

#[test]
fn types_given_at_parse_are_part_of_the_statement() {
    let rig = Rig::start();
    let (int, text) = (23, 25);
    let script = Script::new()
        .step(Frames::new().parse_typed("i", "SELECT $1", &[int]).describe_statement("i").sync())
        .step(Frames::new().parse_typed("t", "SELECT $1", &[text]).describe_statement("t").sync())
        .step(Frames::new().execute_prepared("i", &["12"]).sync())
        .step(Frames::new().execute_prepared("t", &["twelve"]).sync())
        .step(Frames::new().execute_prepared("i", &["twelve"]).sync())
        .step(Frames::new().describe_statement("i").describe_statement("t").sync());
    rig.same_as_direct("", &script);
}

#[test]
fn long_names_and_texts_work() {
    let rig = Rig::start();
    let name = "n".repeat(1000);
    let sql = format!("SELECT '{}'::text || $1", "x".repeat(100_000));
    let script = Script::new()
        .step(Frames::new().parse(&name, &sql).describe_statement(&name).sync())
        .step(Frames::new().execute_prepared(&name, &["end"]).sync())
        .step(Frames::new().close_statement(&name).sync())
        .step(Frames::new().execute_prepared(&name, &["end"]).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn rows_of_a_shape_that_a_client_was_not_told_never_reach_it() {
    let rig = Rig::start();
    let (mut client, mut other) = (rig.client(), rig.client());
    other.run("CREATE TABLE shape (a int); INSERT INTO shape VALUES (1)");
    let told = Frames::new().parse("s", "SELECT * FROM shape").describe_statement("s").sync();
    assert_eq!(client.answer(&told, 1).summary(), "1 t T Z(I)");
    // The server that knows the statement is kept busy; another one will parse it after the change.
    let execute = Frames::new().execute_prepared("s", &[]).sync();
    other.run("BEGIN");
    let knows = other.backend();
    rig.observer().run("ALTER TABLE shape ADD COLUMN b text DEFAULT 'new'");
    let refused = client.answer(&execute, 1);
    assert_eq!(refused.errors()[0].code, "0A000", "{}", refused.summary());
    assert_eq!(refused.errors()[0].message, "cached plan must not change result type");
    assert_ne!(client.backend(), knows);
    other.run("COMMIT");
    // Prepared anew, as drivers do then, it has the new shape everywhere.
    let anew = Frames::new()
        .close_statement("s")
        .parse("s", "SELECT * FROM shape")
        .describe_statement("s")
        .bind("", "s", &[])
        .execute("", 0)
        .sync();
    let seen = client.answer(&anew, 1);
    assert_eq!(seen.rows(), [[Some("1".to_owned()), Some("new".to_owned())]], "{}", seen.summary());
}
