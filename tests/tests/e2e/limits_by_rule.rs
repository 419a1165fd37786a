//! Limits that rules set: how long a statement runs. What rules refuse is in `statement_rules`.

use howdah_tests::Rig;
use howdah_tests::raw::{ErrorReply, Frames};

fn rig_with(rules: &str) -> Rig {
    let rig = Rig::builder().more(rules).in_process();
    let mut owner = rig.direct().client();
    owner.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2), (3)");
    owner.close();
    rig
}

/// How often a rule had a part in something, as the console tells it.
fn hits(rig: &Rig, rule: &str) -> String {
    let mut console = rig.target().database("howdah").client();
    let rows = console.run("SHOW RULES").rows();
    let row = rows.into_iter().find(|row| row[0].as_deref() == Some(rule)).expect("the rule");
    row[3].clone().unwrap_or_default()
}

#[test]
fn a_statement_that_runs_longer_than_its_rule_allows_is_cancelled_and_no_other() {
    let rules = r#"
        [[rule]]
        name = "slow t"
        table = ["t"]
        query_timeout = "400ms"
        [[rule]]
        name = "slower"
        query_timeout = "20s"
    "#;
    let rig = rig_with(rules);
    let mut client = rig.client();
    let slow = "SELECT pg_sleep(30) FROM t";
    let message = |error: &ErrorReply| {
        assert_eq!(error.code, "57014", "{error:?}");
        assert!(
            error.message.contains("query_timeout of Howdah's rule \"slow t\" (0.4 s)"),
            "{error:?}"
        );
    };
    let seen = client.query(slow).unwrap();
    assert_eq!(seen.errors().len(), 1, "{}", seen.summary());
    message(&seen.errors()[0]);
    let frames = Frames::new().parse("n", slow).execute_prepared("n", &[]).sync();
    message(&client.answer(&frames, 1).errors()[0]);
    // Nothing but a Flush behind it.
    client.send(&Frames::new().execute_prepared("n", &[]).flush()).unwrap();
    message(&client.until(b'E', 1).unwrap().errors()[0]);
    client.send(&Frames::new().sync()).unwrap();
    assert_eq!(client.until(b'Z', 1).unwrap().summary(), "Z(I)");
    // The limit was that statement's alone.
    client.run("BEGIN");
    client.run("TABLE t");
    client.run("SELECT pg_sleep(1)");
    message(&client.error(slow));
    client.run("ROLLBACK");
    client.run("SELECT pg_sleep(1)");
    assert_eq!(hits(&rig, "slow t"), "5");
}

#[test]
fn the_shorter_of_the_rules_limit_and_the_pools_counts() {
    let rule = |time: &str| format!("[[rule]]\nname = \"r\"\nquery_timeout = \"{time}\"\n");
    let rig = Rig::builder().pool("query_timeout", "\"500ms\"").more(&rule("20s")).in_process();
    let error = rig.client().error("SELECT pg_sleep(30)");
    assert!(error.message.contains("pool.query_timeout (0.5 s)"), "{error:?}");
    let text = rig.configuration().replace("500ms", "20s");
    let text = text.replace(
        "name = \"r\"\nquery_timeout = \"20s\"",
        "name = \"r\"\nquery_timeout = \"300ms\"",
    );
    rig.reload(&text);
    let error = rig.client().error("SELECT pg_sleep(30)");
    assert!(error.message.contains("rule \"r\" (0.3 s)"), "{error:?}");
}
