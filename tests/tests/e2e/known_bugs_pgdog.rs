//! What went wrong in pgdog, by the number of its report, and does not go wrong here.
//!
//! Covered elsewhere: 762, 764, 803, 805 (`leaving::clients_that_vanish_in_the_middle_of_anything_leave_a_whole_pool`), 848
//! (`leaving::a_client_that_terminates_in_a_transaction_is_rolled_back`), 957 (`conformance::function_calls`), 1226 and 1228
//! (`doors::a_startup_packet_of_two_gigabytes_is_refused_at_its_length`, `faults::malformed_frames_…`), 677, 1055 and 1069
//! (`probe::set_config_of_the_search_path_is_kept_and_not_leaked`), 614 and 1318
//! (`leaving::a_terminated_idle_server_is_replaced_without_anybody_noticing`), 1361
//! (`faults::two_hundred_clients_on_two_servers_…`). Not of a pooler without read/write splitting: 623, 703, 912, 941, 1098,
//! 1116, 1122, 1156, 1184, 1186, 1205, 1255, 1562.

use std::time::Duration;

use howdah_tests::raw::{Connection, Failure, Frames};
use howdah_tests::{Rig, Script, Until};

/// Others do not get the only server while the client's request is not finished.
#[track_caller]
fn held(rig: &Rig) -> Connection {
    let mut other = rig.client();
    other.send(&Frames::new().query("SELECT 'other'")).unwrap();
    assert!(other.is_silent(Duration::from_millis(300)), "the server was given away");
    other
}

#[test]
fn pgdog_759_answers_reach_their_own_client_under_pool_pressure() {
    let rig = Rig::builder().pool_size(2).in_process();
    std::thread::scope(|scope| {
        for n in 0..12 {
            let rig = &rig;
            scope.spawn(move || {
                let mut client = rig.client();
                for round in 0..60 {
                    let own = format!("{n}.{round}");
                    let request = Frames::new().extended("SELECT $1::text", &[&own]);
                    if round % 9 == 8 {
                        // Goes away in the middle of its own request.
                        client.send(&request.flush()).unwrap();
                        client = rig.client();
                        continue;
                    }
                    client.send(&request.flush()).unwrap();
                    let seen = client.until(b'C', 1).unwrap();
                    assert_eq!(seen.values(), [own.as_str()]);
                    let seen = client.answer(&Frames::new().sync(), 1);
                    assert_eq!(seen.summary(), "Z(I)");
                }
            });
        }
    });
}

#[test]
fn pgdog_760_an_answered_flush_does_not_end_the_request() {
    let rig = Rig::builder().pool_size(1).in_process();
    let mut client = rig.client();
    client.send(&Frames::new().parse("s", "SELECT 1").describe_statement("s").flush()).unwrap();
    assert_eq!(client.until(b'T', 1).unwrap().summary(), "1 t T");
    let mut other = held(&rig);
    client.send(&Frames::new().execute_prepared("s", &[]).flush()).unwrap();
    assert_eq!(client.until(b'C', 1).unwrap().summary(), "2 D C");
    assert!(other.is_silent(Duration::from_millis(200)));
    assert_eq!(client.answer(&Frames::new().sync(), 1).summary(), "Z(I)");
    assert_eq!(other.until(b'Z', 1).unwrap().values(), ["other"]);
}

#[test]
fn pgdog_763_a_suspended_portal_keeps_its_server() {
    let rig = Rig::builder().pool_size(1).in_process();
    let mut client = rig.client();
    let begin = Frames::new()
        .parse("", "SELECT generate_series(1, 4)")
        .bind("", "", &[])
        .execute("", 2)
        .flush();
    client.send(&begin).unwrap();
    assert_eq!(client.until(b's', 1).unwrap().values(), ["1", "2"]);
    let mut other = held(&rig);
    let seen = client.answer(&Frames::new().execute("", 0).sync(), 1);
    assert_eq!(seen.values(), ["3", "4"]);
    assert_eq!(other.until(b'Z', 1).unwrap().values(), ["other"]);
}

#[test]
fn pgdog_574_unnamed_statements_of_two_clients_are_not_mixed_up() {
    let rig = Rig::builder().pool_size(1).in_process();
    let (mut one, mut three) = (rig.client(), rig.client());
    let parse = |sql: &str| Frames::new().parse("", sql).describe_statement("").sync();
    for _ in 0..10 {
        one.answer(&parse("SELECT $1::text"), 1);
        three.answer(&parse("SELECT $1::text || $2 || $3"), 1);
        let seen = one.answer(&Frames::new().execute_prepared("", &["a"]).sync(), 1);
        assert_eq!(seen.values(), ["a"]);
        let seen = three.answer(&Frames::new().execute_prepared("", &["a", "b", "c"]).sync(), 1);
        assert_eq!(seen.values(), ["abc"]);
    }
}

#[test]
fn pgdog_863_a_statement_in_use_is_not_evicted_by_itself() {
    let rig = Rig::builder().pool_size(1).pool("max_prepared", "1").in_process();
    let mut client = rig.client();
    for n in 0..20 {
        let (name, sql) = (format!("s{n}"), format!("SELECT {n}"));
        let seen = client.answer(
            &Frames::new()
                .parse(&name, &sql)
                .describe_statement(&name)
                .bind("", &name, &[])
                .describe_portal("")
                .execute("", 0)
                .extended("SELECT 'unnamed'", &[])
                .sync(),
            1,
        );
        assert_eq!(seen.values(), [n.to_string(), "unnamed".to_owned()], "{}", seen.summary());
    }
}

#[test]
fn pgdog_57_876_887_913_a_failed_prepare_or_set_is_told_to_nobody_else() {
    let rig = Rig::builder().pool_size(1).in_process();
    let (mut client, mut other) = (rig.client(), rig.client());
    for sql in [
        "PREPARE p AS SELEC 1",
        "PREPARE p AS SELECT * FROM no_such_table",
        "SET work_mem = 'much'",
        "SET no_such_setting = 1",
        "SET ROLE nobody_at_all",
        "SELECT set_config('work_mem', 'much', false)",
        "BEGIN; SET work_mem = 'much'",
        "ROLLBACK; SET LOCAL work_mem = 'much'",
    ] {
        assert!(!client.query(sql).unwrap().errors().is_empty(), "{sql}");
        let _ = client.query("ROLLBACK").unwrap();
        assert_eq!(other.run("SELECT 'fine'").summary(), "T D C Z(I)", "after {sql}");
        assert_eq!(client.run("SELECT 'fine'").summary(), "T D C Z(I)", "after {sql}");
    }
}

#[test]
fn pgdog_1356_an_error_before_sync_in_a_mixed_batch_hangs_nobody() {
    let rig = Rig::start();
    let batch = Frames::new()
        .query("SAVEPOINT s")
        .parse("", "SELECT 1 / $1::int")
        .bind("", "", &["0"])
        .execute("", 0)
        .query("SELECT 'skipped'")
        .sync()
        .query("ROLLBACK TO SAVEPOINT s; RELEASE SAVEPOINT s");
    let script = Script::new()
        .query("BEGIN")
        .until(batch.clone(), Until::Ready(3))
        .until(batch, Until::Ready(3))
        .query("COMMIT")
        .query("SELECT 'after'");
    rig.same_as_direct("", &script);
}

#[test]
fn pgdog_1231_begin_is_described_as_postgresql_does() {
    let rig = Rig::start();
    let script = Script::new()
        .step(Frames::new().parse("b", "BEGIN").describe_statement("b").sync())
        .step(Frames::new().bind("", "b", &[]).describe_portal("").execute("", 0).sync())
        .query("SELECT 1")
        .step(Frames::new().extended("COMMIT", &[]).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn pgdog_1332_a_portal_lives_after_flush_and_ends_with_sync() {
    let rig = Rig::start();
    let script = Script::new()
        .until(
            Frames::new()
                .parse("", "SELECT generate_series(1, 3)")
                .bind("p", "", &[])
                .execute("p", 1)
                .flush(),
            Until::Tag(b's', 1),
        )
        .until(Frames::new().execute("p", 1).flush(), Until::Tag(b's', 1))
        .step(Frames::new().sync())
        .step(Frames::new().execute("p", 1).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn pgdog_1341_a_role_does_not_survive_the_cleaning_of_a_pinned_server() {
    let rig = Rig::builder().pool_size(1).in_process();
    for pin in ["CREATE TEMP TABLE mine (a int)", "SELECT pg_advisory_lock(1)", "LISTEN news"] {
        let mut client = rig.client();
        client.run(&format!("SET ROLE role_a; {pin}"));
        client.run("RESET ROLE; SET ROLE role_b");
        client.close();
        let mut next = rig.client();
        assert_eq!(next.value("SELECT current_user"), "app", "after {pin}");
        next.close();
    }
}

#[test]
fn pgdog_1053_the_console_asks_for_the_password() {
    let rig = Rig::builder()
        .users("[[user]]\nname = \"app\"\nauth = \"scram-sha-256\"\npassword = \"right\"\n")
        .more("[admin]\nusers = [\"app\"]\n")
        .in_process();
    let console = rig.target().database("howdah");
    let Err(Failure::Server(refusal)) = console.password("wrong").connect() else {
        panic!("the console let a wrong password in");
    };
    assert_eq!(refusal.code, "28P01");
    assert!(console.password("right").connect().is_ok());
}
