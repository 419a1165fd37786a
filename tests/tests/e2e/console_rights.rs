//! Who may do what on the console: every role with every command.

use std::time::Duration;

use howdah_tests::raw::{Address, Connection, Target};
use howdah_tests::{Files, Rig};

/// Commands that look.
const LOOKING: [&str; 24] = [
    "SHOW ACTIVE_SOCKETS",
    "SHOW CLIENTS",
    "SHOW CONFIG",
    "SHOW DATABASES",
    "SHOW DNS_HOSTS",
    "SHOW DNS_ZONES",
    "SHOW HELP",
    "SHOW LEAKS",
    "SHOW LISTS",
    "SHOW MEM",
    "SHOW NODES",
    "SHOW NOTIFICATIONS",
    "SHOW PEERS",
    "SHOW PEER_POOLS",
    "SHOW PINS",
    "SHOW POOLS",
    "SHOW SERVERS",
    "SHOW SOCKETS",
    "SHOW STATE",
    "SHOW STATS",
    "SHOW TOTALS",
    "SHOW USERS",
    "SHOW VERSION",
    "SET extra_float_digits = 2",
];

/// Commands that change something, or show what not everybody should see.
const CHANGING: [&str; 18] = [
    "SHOW FDS",
    "SHOW PREPARED",
    "SET pool.max_size = 1",
    "SET default_pool_size = 1",
    "PAUSE",
    "PAUSE postgres",
    "RESUME",
    "DISABLE postgres",
    "ENABLE postgres",
    "RECONNECT",
    "KILL postgres",
    "RESUME postgres",
    "KILL_CLIENT 1",
    "SUSPEND",
    "RELOAD",
    "WAIT_CLOSE",
    "SHUTDOWN",
    "SHUTDOWN WAIT_FOR_CLIENTS",
];

const USERS: &str = "[[user]]\nname = \"boss\"\npassword = \"b\"\n[[user]]\nname = \"monitor\"\npassword = \"m\"\n\
                     [[user]]\nname = \"app\"\npassword = \"a\"\n";
const ADMIN: &str = "[admin]\nusers = [\"boss\"]\nstats_users = [\"monitor\"]\n";

fn rig() -> Rig {
    Rig::builder().users(USERS).more(ADMIN).in_process()
}

fn denied(connection: &mut Connection, command: &str) -> bool {
    let seen = connection.query(command).unwrap_or_else(|failure| panic!("{command}: {failure}"));
    seen.errors().iter().any(|error| error.code == "42501")
}

#[test]
fn an_administrator_may_do_everything() {
    let rig = rig();
    let mut boss = rig.target().database("pgbouncer").user("boss").password("b").client();
    for command in LOOKING.into_iter().chain(CHANGING) {
        assert!(!denied(&mut boss, command), "{command}");
    }
}

/// CVE-2026-6667: users that may only look could disconnect clients.
#[test]
fn cve_2026_6667_a_stats_user_may_look_and_nothing_else() {
    let rig = rig();
    let mut monitor = rig.target().database("pgbouncer").user("monitor").password("m").client();
    for command in LOOKING {
        assert!(!denied(&mut monitor, command), "{command}");
    }
    for command in CHANGING {
        assert!(denied(&mut monitor, command), "{command}");
        assert!(denied(&mut monitor, &command.to_lowercase()), "{command} in small letters");
        let hidden = format!("SHOW STATE; {command}");
        assert!(denied(&mut monitor, &hidden), "{hidden}");
    }
    let mut boss = rig.target().database("pgbouncer").user("boss").password("b").client();
    let state = boss.run("SHOW STATE").rows();
    assert_eq!(state[0], [Some("active".to_owned()), Some("yes".to_owned())], "nothing was done");
}

#[test]
fn others_do_not_get_in_and_nobody_does_without_the_password() {
    let rig = rig();
    for database in ["pgbouncer", "howdah"] {
        let console = rig.target().database(database);
        assert_eq!(console.user("app").password("a").refusal().code, "42501");
        for (user, password) in [
            ("boss", "wrong"),
            ("boss", ""),
            ("monitor", "b"),
            ("nobody", "b"),
            ("pgbouncer", "b"),
            ("howdah", ""),
        ] {
            assert_eq!(console.user(user).password(password).refusal().code, "28P01", "{user}");
        }
    }
}

fn by_socket(rig: &Rig) -> Target {
    let mut target = rig.target().database("pgbouncer");
    target.address = Address::Unix(rig.socket().expect("a Unix socket"));
    target
}

#[test]
fn the_hosts_own_user_needs_no_password_on_the_unix_socket() {
    let directory = std::env::temp_dir().join(format!("howdah-rights-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let socket = format!("\"{}\"", directory.display());
    let rig = Rig::builder().users(USERS).more(ADMIN).listen("unix_socket", &socket).in_process();
    for user in ["pgbouncer", "howdah"] {
        let mut console = by_socket(&rig).user(user).client();
        assert_eq!(console.run("PAUSE").commands(), ["PAUSE"]);
        assert_eq!(console.run("RESUME").commands(), ["RESUME"]);
    }
    // Only these names, and only for the console.
    assert_eq!(by_socket(&rig).user("boss").password("wrong").refusal().code, "28P01");
    let database = by_socket(&rig).user("pgbouncer").password("wrong").database(rig.database());
    assert_eq!(database.refusal().code, "28P01");
    drop(rig);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_rule_about_the_hosts_own_user_decides_and_no_other() {
    let directory = Files::new();
    let socket = format!("{:?}", directory.path().display().to_string());
    let others = "[[hba]]\nmethod = \"scram-sha-256\"\n[[hba]]\ntype = \"local\"\nuser = \"boss\"\nmethod = \"reject\"\n";
    let rule = |database: &str, method: &str| {
        format!("[[hba]]\ntype = \"local\"\ndatabase = \"{database}\"\nmethod = \"{method}\"\n")
    };
    let users = format!("{USERS}[[user]]\nname = \"howdah\"\npassword = \"h\"\n");
    for (rules, without, with) in [
        (others.to_owned(), true, true),
        (rule("shop", "reject"), true, true),
        (rule("all", "peer"), true, true),
        (rule("pgbouncer", "trust"), true, true),
        (rule("pgbouncer", "reject"), false, false),
        (rule("all", "scram-sha-256"), false, true),
    ] {
        let rig = Rig::builder().users(&users).more(&format!("{ADMIN}{rules}"));
        let rig = rig.listen("unix_socket", &socket).in_process();
        for (password, admitted) in [("", without), ("h", with)] {
            let console = by_socket(&rig).user("howdah").password(password).connect();
            assert_eq!(console.is_ok(), admitted, "{rules} with {password:?}: {console:?}");
            if let Ok(mut console) = console {
                assert_eq!(console.run("RECONNECT").commands(), ["RECONNECT"], "{rules}");
            }
        }
    }
}

#[test]
fn a_trusted_user_of_this_machine_who_is_a_stats_user_may_only_look() {
    let rig = Rig::builder()
        .users("[[user]]\nname = \"app\"\nauth = \"trust\"\n[[user]]\nname = \"monitor\"\nauth = \"trust\"\n")
        .more("[admin]\nstats_users = [\"monitor\"]\n")
        .in_process();
    let mut monitor = rig.target().database("howdah").user("monitor").client();
    assert!(denied(&mut monitor, "PAUSE") && !denied(&mut monitor, "SHOW POOLS"));
    let mut app = rig.target().database("howdah").client();
    assert!(!denied(&mut app, "RECONNECT"));
}

#[test]
fn the_console_is_open_when_no_other_client_gets_in() {
    let rig = Rig::builder().listen("max_clients", "2").in_process();
    let clients: Vec<_> = (0..2).map(|_| rig.client()).collect();
    assert_eq!(rig.target().refusal().code, "53300");
    let mut consoles: Vec<_> = (0..3).map(|_| rig.target().database("howdah").client()).collect();
    assert_eq!(consoles[2].run("SHOW LISTS").commands(), ["SHOW"]);
    drop(clients);
    let begin = std::time::Instant::now();
    while rig.target().connect().is_err() {
        assert!(begin.elapsed() < Duration::from_secs(20), "consoles count as clients");
    }
}

#[test]
fn there_is_a_bound_on_consoles() {
    let rig = Rig::start();
    let target = rig.target().database("howdah");
    let consoles: Vec<_> = (0..32).map(|_| target.client()).collect();
    assert_eq!(target.refusal().code, "53300");
    drop(consoles);
    let begin = std::time::Instant::now();
    while target.connect().is_err() {
        assert!(begin.elapsed() < Duration::from_secs(20), "their places are not free again");
    }
}
