//! `howdah setup` before a real database: it shows, asks, makes what is missing, and breaks no application's `UPDATE`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::process::{Command, Output};

use howdah_local::Cluster;

#[test]
fn what_is_missing_is_shown_and_made_after_a_yes_and_nothing_before() {
    let cluster = Cluster::builder()
        .setting("wal_level", "logical")
        .sql("CREATE TABLE good (id int PRIMARY KEY, v int); INSERT INTO good VALUES (1, 1)")
        .sql("CREATE TABLE bare (id int); INSERT INTO bare VALUES (1)")
        .sql("CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL")
        .sql("CREATE TABLE late (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
        .sql("CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY)")
        .start()
        .unwrap();
    let primary = cluster.primary();
    let config = cluster.directory().path().join("howdah.toml");
    let text = format!(
        "[[cluster]]\nname = \"main\"\n[[cluster.node]]\nname = \"primary\"\nhost = \"127.0.0.1\"\nport = {}\n\
         [[database]]\nname = \"postgres\"\n[[user]]\nname = \"howdah\"\nauth = \"trust\"\n",
        primary.port()
    );
    std::fs::write(&config, text).unwrap();
    let setup = |arguments: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_howdah"));
        command.args(["setup", "--config"]).arg(&config).args(arguments).env_clear();
        command.output().unwrap()
    };
    let made = || {
        primary
            .psql("SELECT count(*) FROM pg_publication UNION ALL SELECT count(*) FROM pg_event_trigger \
                   UNION ALL SELECT count(*) FROM pg_roles WHERE rolname = 'howdah_cache'")
            .unwrap()
    };

    let printed = setup(&["--print"]);
    let (sql, said) = (text_of(&printed.stdout), text_of(&printed.stderr));
    assert!(printed.status.success(), "{said}");
    let published = "CREATE PUBLICATION \"howdah\" FOR TABLE ONLY public.good, ONLY public.whole;";
    assert!(sql.contains(published), "{sql}");
    for table in ["bare", "late"] {
        assert!(said.contains(&format!("public.{table} stays out")), "{said}");
    }
    let unasked = setup(&[]);
    assert_eq!(unasked.status.code(), Some(2), "{}", text_of(&unasked.stderr));
    assert_eq!(made(), "0\n0\n0", "before the yes");

    let done = setup(&["--yes"]);
    assert!(done.status.success(), "{}", text_of(&done.stderr));
    assert!(text_of(&done.stderr).contains("[cache]"), "{}", text_of(&done.stderr));
    assert_eq!(made(), "1\n2\n1");
    primary.psql("UPDATE good SET v = 2; UPDATE bare SET id = 2; UPDATE whole SET id = 2").unwrap();

    let again = setup(&["--print"]);
    assert_eq!(text_of(&again.stdout), "", "{}", text_of(&again.stderr));
    primary.psql("CREATE TABLE more (id int PRIMARY KEY)").unwrap();
    let more = setup(&["--print"]);
    let (sql, said) = (text_of(&more.stdout), text_of(&more.stderr));
    assert!(sql.contains("ADD TABLE ONLY public.more;"), "{sql}{said}");
    assert_eq!(sql.matches("CREATE").count(), 0);
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
