//! Servers on this machine are reached by their Unix socket though the configuration says TCP, and only if that is the same server that
//! asks for the same proof.

use std::fs;
use std::os::unix::fs::symlink;

use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Authority, Builder, Files, Login, Rig, Servers, eventually};

/// Whether the session's server was reached by a Unix socket.
const BY_SOCKET: &str = "SELECT inet_server_addr() IS NULL";
/// The socket of the servers, wherever that is.
const THERE: &str = "\"{primary_socket}\"";
/// Lets roles know where the server's sockets are.
const TELL: &str = "GRANT pg_read_all_settings TO app, app_password, app_md5, app_scram";

fn users(login: Login) -> String {
    let (role, password) = (login.role(), Login::PASSWORD);
    format!(
        "[[user]]\nname = \"app\"\nauth = \"trust\"\nserver_user = \"{role}\"\nserver_password = \"{password}\"\n"
    )
}

/// Servers with these rules for connections over the socket.
fn servers(rules: &[&str]) -> Servers {
    let servers = Servers::start();
    set_rules(&servers, rules);
    servers
}

/// Puts rules for the Unix socket in place of the old ones, and restarts, so that they count from now on.
fn set_rules(servers: &Servers, rules: &[&str]) {
    let mut admin = servers.superuser("postgres");
    let file = admin.value("SHOW hba_file");
    admin.close();
    let text = fs::read_to_string(&file).expect("pg_hba.conf");
    let others = text.lines().filter(|line| !line.starts_with("local "));
    let rules = ["local all howdah trust"].into_iter().chain(rules.iter().copied());
    let lines: Vec<&str> = rules.chain(others).collect();
    fs::write(&file, lines.join("\n") + "\n").expect("pg_hba.conf can be written");
    servers.primary().restart().expect("PostgreSQL starts again");
}

/// Where the node's report says that its socket is, or why it is not used.
fn said(rig: &Rig) -> Option<Result<String, String>> {
    rig.block_on(rig.engine().report()).nodes.into_iter().find_map(|node| node.socket)
}

fn refused_with(rig: &Rig) -> String {
    match said(rig) {
        Some(Err(reason)) => reason,
        other => panic!("the socket is used, or was not looked for: {other:?}"),
    }
}

/// Every server of the pool, asked at once, says whether it was reached by the socket.
fn all_by_socket(rig: &Rig) -> Vec<String> {
    let mut clients: Vec<Connection> = (0..3).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.run("BEGIN");
    }
    let seen = clients.iter_mut().map(|client| client.value(BY_SOCKET)).collect();
    for client in &mut clients {
        client.run("COMMIT");
    }
    seen
}

#[test]
fn the_same_server_with_the_same_proof_is_reached_by_its_socket() {
    let rules = Login::ALL.map(|login| format!("local all {} {}", login.role(), login.method()));
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let mut rig = None;
    for login in Login::ALL {
        let builder = Rig::builder().users(&users(login)).node("socket", THERE);
        let behind = match &rig {
            None => builder.servers(servers(&rules)),
            Some(rig) => builder.servers_of(rig),
        };
        let this = behind.in_process();
        assert_eq!(all_by_socket(&this), ["t", "t", "t"], "{login:?}");
        let path = said(&this).expect("it was looked for").expect("it is used");
        assert!(path.ends_with(&format!("/.s.PGSQL.{}", this.servers().primary().port())));
        rig = Some(this);
    }
}

#[test]
fn a_cancel_request_finds_a_server_that_is_reached_by_the_socket() {
    let rig = Rig::builder().node("socket", THERE).in_process();
    let mut client = rig.client();
    assert_eq!(client.value(BY_SOCKET), "t");
    client.send(&Frames::new().query("SELECT pg_sleep(60)")).expect("the client is connected");
    let mut observer = rig.observer();
    eventually("the statement runs", || {
        observer.value(
            "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'",
        ) == "1"
    });
    client.cancel();
    let replies = client.until(b'Z', 1).expect("an answer");
    assert_eq!(replies.errors()[0].code, "57014");
    assert_eq!(client.value(BY_SOCKET), "t");
}

#[test]
fn by_itself_a_socket_is_used_that_the_server_names() {
    let of = |host: &str, socket: &str| {
        Rig::builder().node("host", host).node("socket", socket).servers(Servers::start())
    };
    // The role may not see where the sockets are, and in the usual place there is none of this port.
    let rig = of("\"127.0.0.1\"", "\"auto\"").in_process();
    assert_eq!(all_by_socket(&rig), ["f", "f", "f"]);
    assert!(refused_with(&rig).contains("no socket"), "{:?}", said(&rig));
    rig.observer().run(TELL);
    assert_eq!(rig.client().value(BY_SOCKET), "f", "looked for again before the next reload");
    let rig = Rig::builder().servers_of(&rig).in_process();
    assert_eq!(all_by_socket(&rig), ["t", "t", "t"]);
    let rig = Rig::builder().node("host", "\"localhost\"").servers_of(&rig).in_process();
    assert_eq!(all_by_socket(&rig), ["t", "t", "t"]);
    let rig = Rig::builder().node("socket", "\"off\"").servers_of(&rig).in_process();
    assert_eq!(all_by_socket(&rig), ["f", "f", "f"]);
    assert_eq!(said(&rig), None);
}

#[test]
fn a_reload_takes_the_socket_into_use_and_out_of_it() {
    let rig = Rig::builder().node("socket", "\"off\"").in_process();
    let mut client = rig.client();
    assert_eq!(client.value(BY_SOCKET), "f");
    let there = rig.servers().primary().socket_directory().display().to_string();
    let with = rig.configuration().replace("socket = \"off\"", &format!("socket = {there:?}"));
    assert_ne!(with, rig.configuration());
    rig.reload(&with);
    assert_eq!(client.value(BY_SOCKET), "t");
    rig.reload(rig.configuration());
    assert_eq!(client.value(BY_SOCKET), "f");
}

#[test]
fn a_socket_that_asks_for_less_or_for_something_else_is_not_used() {
    let mut rig: Option<Rig> = None;
    for rule in ["trust", "md5", "password", "reject", "peer"] {
        let rule = format!("local all app_scram {rule}");
        let builder = Rig::builder().users(&users(Login::Scram)).node("socket", THERE);
        let behind = match &rig {
            None => builder.servers(servers(&[&rule])),
            Some(rig) => {
                set_rules(rig.servers(), &[&rule]);
                builder.servers_of(rig)
            }
        };
        let this = behind.in_process();
        // PostgreSQL asks by SCRAM where md5 is written, if that is what it stores.
        let expected = if rule.ends_with("md5") { "t" } else { "f" };
        assert_eq!(all_by_socket(&this), [expected; 3], "{rule}");
        let reason = said(&this).expect("it was looked for").err();
        match rule.rsplit(' ').next() {
            Some("md5") => assert_eq!(reason, None),
            Some("trust" | "password") => {
                assert!(reason.is_some_and(|reason| reason.contains("another proof")), "{rule}");
            }
            _ => {
                assert!(reason.is_some_and(|reason| reason.contains("refused the login")), "{rule}")
            }
        }
        rig = Some(this);
    }
}

#[test]
fn a_socket_of_another_server_is_not_used() {
    let rig = Rig::builder().node("socket", "\"off\"").servers(Servers::start()).in_process();
    // The other one knows the same user and database.
    let other = Servers::start();
    other.superuser("postgres").run(&format!("CREATE DATABASE {}", rig.database()));
    let files = Files::new();
    let name = |servers: &Servers| format!(".s.PGSQL.{}", servers.primary().port());
    let strange = other.primary().socket_directory().join(name(&other));
    symlink(strange, files.path().join(name(rig.servers()))).expect("a link");
    let there = files.path().display().to_string();
    let with = rig.configuration().replace("socket = \"off\"", &format!("socket = {there:?}"));
    rig.reload(&with);
    assert_eq!(all_by_socket(&rig), ["f", "f", "f"]);
    assert!(refused_with(&rig).contains("another server"), "{:?}", said(&rig));
}

#[test]
fn tls_that_is_required_keeps_servers_off_the_socket() {
    let authority = Authority::new("an authority");
    let servers = Servers::start_tls(&authority.server(&["localhost"]), &authority);
    servers.superuser("postgres").run(TELL);
    let files = Files::new();
    let root = files.put("root.crt", authority.certificate());
    let tls =
        |builder: Builder, mode: &str| builder.node("host", "\"localhost\"").node("tls", mode);
    let rig = tls(Rig::builder().servers(servers), "\"require\"").in_process();
    assert_eq!(all_by_socket(&rig), ["f", "f", "f"]);
    assert_eq!(said(&rig), None);
    let rig = tls(Rig::builder().servers_of(&rig), "\"verify-full\"")
        .node("tls_ca", &format!("{root:?}"))
        .in_process();
    assert_eq!(all_by_socket(&rig), ["f", "f", "f"]);
    let rig = tls(Rig::builder().servers_of(&rig), "\"prefer\"").in_process();
    assert_eq!(all_by_socket(&rig), ["t", "t", "t"]);
}

#[test]
fn a_server_that_was_started_again_is_looked_at_again() {
    let rig = Rig::builder().node("socket", THERE).servers(Servers::start()).in_process();
    assert_eq!(all_by_socket(&rig), ["t", "t", "t"]);
    rig.servers().primary().restart().expect("PostgreSQL starts again");
    assert_eq!(all_by_socket(&rig), ["t", "t", "t"]);
    // Whoever is behind the socket now asks for something else.
    set_rules(rig.servers(), &["local all all reject"]);
    assert_eq!(all_by_socket(&rig), ["f", "f", "f"]);
}
