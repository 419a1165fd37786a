//! Settings and roles belong to their client, on whichever server it is.

use std::collections::BTreeSet;

use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Churn, Rig, Script};

const ROUNDS: usize = 12;

/// Reads a value many times while servers change; it must always be the same. Says on how many servers.
#[track_caller]
fn always(client: &mut Connection, churn: &mut Churn, sql: &str, expected: &str) -> usize {
    let mut servers = BTreeSet::new();
    for _ in 0..ROUNDS {
        churn.turn();
        let seen = client.run(&format!("SELECT pg_backend_pid(), ({sql})::text")).rows();
        servers.insert(seen[0][0].clone());
        assert_eq!(seen[0][1].as_deref(), Some(expected), "{sql} on server {:?}", seen[0][0]);
    }
    servers.len()
}

/// Every server of the pool of 3, each held by a new client, shows this value.
#[track_caller]
fn everywhere(rig: &Rig, sql: &str, expected: &str) {
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.run("BEGIN");
        assert_eq!(client.value(sql), expected, "{sql} for a new client");
    }
}

/// A statement that sets something, what it is then, what it is for everybody else.
#[track_caller]
fn kept_and_not_leaked(set: &str, sql: &str, own: &str, others: &str) {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run(set);
    let servers = always(&mut client, &mut churn, sql, own);
    assert!(servers > 1, "the client was always on one server");
    churn.rest();
    drop(churn);
    everywhere(&rig, sql, others);
    assert_eq!(client.value(&format!("SELECT ({sql})::text")), own);
    drop(client);
    everywhere(&rig, sql, others);
}

#[test]
fn set_is_kept_for_its_client_and_not_leaked() {
    kept_and_not_leaked("SET work_mem = '7MB'", "SELECT current_setting('work_mem')", "7MB", "4MB");
}

#[test]
fn a_search_path_is_kept_for_its_client_and_not_leaked() {
    let read = "SELECT current_setting('search_path')";
    kept_and_not_leaked(
        "SET search_path = a, b, public",
        read,
        "a, b, public",
        "\"$user\", public",
    );
}

#[test]
fn set_config_with_a_literal_is_kept_and_not_leaked() {
    let set = "SELECT set_config('search_path', 'c, public', false)";
    let read = "SELECT current_setting('search_path')";
    kept_and_not_leaked(set, read, "c, public", "\"$user\", public");
}

#[test]
fn a_custom_setting_with_quotes_is_kept_and_not_leaked() {
    let read = "SELECT coalesce(current_setting('my.text', true), '')";
    kept_and_not_leaked("SET my.text = 'it''s \"quoted\"'", read, "it's \"quoted\"", "");
}

#[test]
fn a_custom_setting_with_backslashes_is_kept() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run(r"SET my.text = E'it''s a \\ back\nslash'");
    always(&mut client, &mut churn, "SELECT current_setting('my.text')", "it's a \\ back\nslash");
}

#[test]
fn a_setting_among_several_statements_is_kept() {
    let set = "SELECT 1; SET work_mem = '6MB'; SELECT 2";
    kept_and_not_leaked(set, "SELECT current_setting('work_mem')", "6MB", "4MB");
}

#[test]
fn set_role_is_kept_and_not_inherited_by_the_next_client() {
    kept_and_not_leaked("SET ROLE role_a", "SELECT current_user", "role_a", "app");
}

#[test]
fn session_characteristics_are_kept_and_not_leaked() {
    let set = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE";
    let read = "SELECT current_setting('default_transaction_isolation')";
    kept_and_not_leaked(set, read, "serializable", "read committed");
}

#[test]
fn a_time_zone_interval_is_kept() {
    let set = "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE";
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run(set);
    let mut direct = rig.direct().client();
    direct.run(set);
    let expected = direct.value("SELECT current_setting('TimeZone')");
    always(&mut client, &mut churn, "SELECT current_setting('TimeZone')", &expected);
}

#[test]
fn a_setting_whose_value_only_the_server_knows_is_kept() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    let frames =
        Frames::new().extended("SELECT set_config('work_mem', $1, false)", &["9MB"]).sync();
    assert_eq!(client.answer(&frames, 1).summary(), "1 2 T D C Z(I)");
    always(&mut client, &mut churn, "SELECT current_setting('work_mem')", "9MB");
    client.close();
    churn.rest();
    drop(churn);
    everywhere(&rig, "SELECT current_setting('work_mem')", "4MB");
}

#[test]
fn a_setting_made_inside_a_do_block_is_kept_and_not_leaked() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("DO $$ BEGIN PERFORM set_config('work_mem', '5MB', false); END $$");
    always(&mut client, &mut churn, "SELECT current_setting('work_mem')", "5MB");
    client.close();
    churn.rest();
    drop(churn);
    everywhere(&rig, "SELECT current_setting('work_mem')", "4MB");
}

#[test]
fn a_setting_of_a_transaction_that_rolled_back_is_gone() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("SET work_mem = '5MB'");
    client.run("BEGIN");
    client.run("SET work_mem = '6MB'; SET ROLE role_b");
    assert_eq!(client.value("SHOW work_mem"), "6MB");
    client.run("ROLLBACK");
    let read = "SELECT current_setting('work_mem') || current_user";
    always(&mut client, &mut churn, read, "5MBapp");
    client.run("BEGIN; SET work_mem = '8MB'");
    assert_eq!(client.error("SELECT 1 / 0").code, "22012");
    client.run("COMMIT");
    always(&mut client, &mut churn, read, "5MBapp");
    client.run("BEGIN; SET work_mem = '8MB'; COMMIT AND CHAIN; SET work_mem = '9MB'; ROLLBACK");
    always(&mut client, &mut churn, read, "8MBapp");
}

#[test]
fn savepoints_bring_settings_back() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("BEGIN; SET work_mem = '5MB'; SAVEPOINT a; SET work_mem = '6MB'; SAVEPOINT b; SET work_mem = '7MB'");
    client.run("ROLLBACK TO b; RELEASE a; COMMIT");
    always(&mut client, &mut churn, "SELECT current_setting('work_mem')", "6MB");
    client.run("BEGIN; SAVEPOINT a; SET work_mem = '9MB'");
    assert_eq!(client.error("SELECT 1 / 0").code, "22012");
    client.run("ROLLBACK TO a");
    client.run("COMMIT");
    always(&mut client, &mut churn, "SELECT current_setting('work_mem')", "6MB");
}

#[test]
fn set_local_ends_with_its_transaction() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("BEGIN; SET LOCAL work_mem = '5MB'; SET LOCAL ROLE role_c");
    assert_eq!(client.value("SELECT current_setting('work_mem') || current_user"), "5MBrole_c");
    client.run("COMMIT");
    always(&mut client, &mut churn, "SELECT current_setting('work_mem') || current_user", "4MBapp");
}

#[test]
fn reset_goes_back_to_what_the_startup_message_asked_for() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let target =
        rig.target().parameter("options", "-c work_mem=11MB").parameter("TimeZone", "Asia/Tokyo");
    let mut client = target.client();
    let read = "SELECT current_setting('work_mem') || current_setting('TimeZone')";
    always(&mut client, &mut churn, read, "11MBAsia/Tokyo");
    client.run("SET work_mem = '12MB'; SET TimeZone = 'UTC'");
    always(&mut client, &mut churn, read, "12MBUTC");
    client.run("RESET work_mem");
    always(&mut client, &mut churn, read, "11MBUTC");
    client.run("RESET ALL");
    always(&mut client, &mut churn, read, "11MBAsia/Tokyo");
    client.run("SET work_mem = '12MB'; SET ROLE role_d");
    client.run("DISCARD ALL");
    always(&mut client, &mut churn, read, "11MBAsia/Tokyo");
    always(&mut client, &mut churn, "SELECT current_user", "app");
    drop((client, churn));
    everywhere(&rig, "SELECT current_setting('work_mem')", "4MB");
}

#[test]
fn reset_tells_and_does_what_the_startup_message_asked_for() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let startup =
        [("application_name", "mine"), ("TimeZone", "Asia/Tokyo"), ("options", "-c work_mem=11MB")];
    let script = [
        "SET TimeZone = 'Europe/Berlin'; SET application_name = 'changed'",
        "RESET ALL",
        "SELECT current_setting('TimeZone'), current_setting('work_mem'), current_setting('application_name')",
        "SET work_mem = '12MB'",
        "BEGIN",
        "RESET work_mem",
        "SHOW work_mem",
        "COMMIT",
        "SET TimeZone = 'Europe/Berlin'",
        // Not in one query string: there, what follows the RESET sees the server's default (docs/guide/pooling.md, limits).
        "RESET TimeZone",
        "SHOW TimeZone",
        "DISCARD ALL",
        "SELECT current_setting('TimeZone'), current_setting('work_mem'), current_setting('application_name')",
    ]
    .iter()
    .fold(Script::new(), |script, sql| script.query(sql));
    rig.same_with(&mut churn, &startup, "", &script);
}

#[test]
fn startup_options_are_there_on_every_server() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let options = r"-c work_mem=13MB --search_path=x,public -c my.note=a\ b";
    let mut client = rig.target().parameter("options", options).client();
    let read = "SELECT concat_ws('|', current_setting('work_mem'), current_setting('search_path'), current_setting('my.note'))";
    let servers = always(&mut client, &mut churn, read, "13MB|x,public|a b");
    assert!(servers > 1, "the client was always on one server");
}

#[test]
fn a_wrong_startup_option_is_refused_at_login() {
    let rig = Rig::start();
    let wrong = rig.target().parameter("options", "-c work_mem=much");
    let direct = rig.direct().parameter("options", "-c work_mem=much");
    let (seen, expected) = (wrong.refusal(), direct.refusal());
    assert_eq!((seen.severity.as_str(), &seen.code), ("FATAL", &expected.code), "{seen:?}");
    let unknown = rig.target().parameter("no_such_setting", "1").refusal();
    assert_eq!(unknown.code, "42704", "{unknown:?}");
    assert_eq!(rig.client().value("SELECT 1"), "1");
}

#[test]
fn a_failed_set_changes_nothing() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("SET work_mem = '5MB'");
    assert_eq!(client.error("SET work_mem = 'much'").code, "22023");
    assert_eq!(client.error("SET work_mem = '6MB'; SELECT 1 / 0").code, "22012");
    always(&mut client, &mut churn, "SELECT current_setting('work_mem')", "5MB");
}

#[test]
fn settings_that_change_how_settings_are_written_are_kept() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("SET standard_conforming_strings = off");
    client.run(r"SET my.path = 'C:\\temp\\x'");
    let read =
        "SELECT current_setting('my.path') || current_setting('standard_conforming_strings')";
    always(&mut client, &mut churn, read, r"C:\temp\xoff");
    client.run("SET standard_conforming_strings = on");
    let read = "SELECT current_setting('my.path')";
    always(&mut client, &mut churn, read, r"C:\temp\x");
}

#[test]
fn parameter_status_tells_of_own_changes_only() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.target().parameter("application_name", "mine").client();
    let changed = client.run("SET TimeZone = 'Europe/Berlin'");
    assert_eq!(changed.summary(), "C S Z(I)");
    assert_eq!(client.parameters["TimeZone"], "Europe/Berlin");
    for _ in 0..ROUNDS {
        churn.turn();
        let seen = client.run("SELECT current_setting('application_name')");
        assert_eq!(seen.summary(), "T D C Z(I)", "only the answer");
        assert_eq!(seen.values(), ["mine"]);
    }
}

#[test]
fn client_encoding_belongs_to_its_client() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut latin = rig.target().parameter("client_encoding", "LATIN1").client();
    assert_eq!(latin.parameters["client_encoding"], "LATIN1");
    let mut unicode = rig.target().parameter("client_encoding", "UTF8").client();
    for _ in 0..ROUNDS {
        churn.turn();
        let seen = latin.run("SELECT chr(252)").0;
        assert_eq!(&seen[1].body[6..], b"\xfc", "one byte in LATIN1");
        let seen = unicode.run("SELECT chr(252)").0;
        assert_eq!(&seen[1].body[6..], "ü".as_bytes(), "two bytes in UTF-8");
    }
}

#[test]
fn session_authorization_is_kept_and_not_inherited() {
    let rig = Rig::start();
    let target = rig.target().user("howdah");
    let mut client = target.client();
    client.run("SET SESSION AUTHORIZATION app");
    for _ in 0..4 {
        assert_eq!(client.value("SELECT session_user || current_user"), "appapp");
    }
    drop(client);
    for _ in 0..4 {
        assert_eq!(target.client().value("SELECT session_user || current_user"), "howdahhowdah");
    }
}
