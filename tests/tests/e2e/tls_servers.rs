//! TLS between Howdah and PostgreSQL: every mode, every way in which it can go wrong, and what passes through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_tests::raw::{Frames, Tls};
use howdah_tests::{Authority, Builder, Files, Rig, Servers};

/// Authority, files, and servers with a certificate for `localhost`.
struct Site {
    authority: Authority,
    files: Files,
    servers: Option<Servers>,
}

impl Site {
    fn new() -> Self {
        Self::with(|authority| authority.server(&["localhost"]))
    }

    fn with(signed: impl FnOnce(&Authority) -> howdah_tests::Signed) -> Self {
        let authority = Authority::new("an authority");
        let servers = Servers::start_tls(&signed(&authority), &authority);
        let files = Files::new();
        files.put("root.crt", authority.certificate());
        Self { authority, files, servers: Some(servers) }
    }

    fn quoted(&self, name: &str) -> String {
        format!("{:?}", self.files.path().join(name).display().to_string())
    }

    fn builder(&mut self) -> Builder {
        let builder = Rig::builder().node("host", "\"localhost\"");
        match self.servers.take() {
            Some(servers) => builder.servers(servers),
            None => builder,
        }
    }
}

const ENCRYPTED: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// Why no server can be opened. The report has it as long as the pool lives, which a client that is refused leaves behind empty.
fn why(rig: &Rig) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        let refusal = rig.target().refusal();
        assert_eq!(refusal.code, "08004", "{refusal:?}");
        let report = rig.block_on(rig.engine().report());
        if let Some(error) = report.pools.into_iter().find_map(|pool| pool.last_error) {
            return error;
        }
    }
    panic!("no reason in any report");
}

#[test]
fn every_mode_asks_for_what_libpq_means_by_it() {
    let mut site = Site::new();
    let first = site.builder().in_process();
    assert_eq!(first.client().value(ENCRYPTED), "t", "prefer is the default");
    for mode in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
        let rig = Rig::builder()
            .servers_of(&first)
            .node("host", "\"localhost\"")
            .node("tls", &format!("{mode:?}"))
            .node("tls_ca", &site.quoted("root.crt"))
            .in_process();
        let expected = if mode == "disable" { "f" } else { "t" };
        assert_eq!(rig.client().value(ENCRYPTED), expected, "{mode}");
    }
}

#[test]
fn a_server_without_tls_is_refused_unless_it_is_only_preferred() {
    let rig = Rig::builder().node("tls", "\"prefer\"").in_process();
    assert_eq!(rig.client().value(ENCRYPTED), "f");
    for mode in ["require", "verify-ca", "verify-full"] {
        let rig = Rig::builder().node("tls", &format!("{mode:?}"));
        let authority = Authority::new("an authority");
        let files = Files::new();
        let root = files.put("root.crt", authority.certificate());
        let rig = rig.node("tls_ca", &format!("{root:?}")).in_process();
        let why = why(&rig);
        assert!(why.contains("does not speak TLS") && why.contains("ssl = on"), "{mode}: {why}");
    }
}

#[test]
fn a_certificate_of_a_wrong_authority_or_for_a_wrong_host_is_refused_with_the_way_out() {
    let mut site = Site::new();
    site.files.put("other.crt", Authority::new("another authority").certificate());
    let first = site.builder().in_process();
    let with = |host: &str, mode: &str, root: &str| {
        Rig::builder()
            .servers_of(&first)
            .node("host", &format!("{host:?}"))
            .node("tls", &format!("{mode:?}"))
            .node("tls_ca", &site.quoted(root))
            .in_process()
    };
    for mode in ["require", "verify-ca", "verify-full"] {
        let why = why(&with("localhost", mode, "other.crt"));
        assert!(why.contains("not signed by") && why.contains("tls_ca"), "{mode}: {why}");
    }
    let why = why(&with("127.0.0.1", "verify-full", "root.crt"));
    assert!(why.contains("not for 127.0.0.1") && why.contains("verify-ca"), "{why}");
    assert_eq!(with("127.0.0.1", "verify-ca", "root.crt").client().value(ENCRYPTED), "t");
}

#[test]
fn an_expired_certificate_is_refused_where_certificates_are_checked() {
    let mut site = Site::with(|authority| authority.expired(&["localhost"]));
    let first = site.builder().in_process();
    assert_eq!(first.client().value(ENCRYPTED), "t", "prefer does not look");
    let rig = Rig::builder()
        .servers_of(&first)
        .node("host", "\"localhost\"")
        .node("tls", "\"verify-ca\"")
        .node("tls_ca", &site.quoted("root.crt"))
        .in_process();
    let why = why(&rig);
    assert!(why.contains("has expired"), "{why}");
}

#[test]
fn howdah_shows_its_own_certificate_to_a_server_that_asks() {
    let mut site = Site::new();
    let (certificate, key) = site.files.put_signed("app", &site.authority.client("app_cert"));
    let first = site.builder().in_process();
    let users = "[[user]]\nname = \"app\"\nserver_user = \"app_cert\"\n";
    let plain = Rig::builder().servers_of(&first).node("host", "\"localhost\"").users(users);
    let rig = plain
        .clone()
        .node("tls", "\"require\"")
        .node("tls_cert", &format!("{certificate:?}"))
        .node("tls_key", &format!("{key:?}"))
        .in_process();
    assert_eq!(rig.client().value("SELECT session_user"), "app_cert");
    let rig = plain.node("tls", "\"require\"").in_process();
    let why = why(&rig);
    assert!(why.contains("certificate"), "{why}");
}

#[test]
fn a_server_that_wants_a_user_in_clear_gets_it_so_when_tls_is_only_preferred() {
    let mut site = Site::new();
    let first = site.builder().in_process();
    let users = "[[user]]\nname = \"app\"\nserver_user = \"app_clear\"\n";
    let rig = |mode: &str| {
        let mode = format!("{mode:?}");
        Rig::builder().servers_of(&first).users(users).node("tls", &mode).in_process()
    };
    assert_eq!(rig("prefer").client().value(ENCRYPTED), "f");
    assert!(why(&rig("require")).contains("refused the login"));
}

#[test]
fn scram_is_bound_to_the_channel_of_the_server() {
    let mut site = Site::new();
    let users = "[[user]]\nname = \"app\"\nserver_user = \"app_scram\"\nserver_password = \"correct horse ünd battery\"\n";
    let users = format!("{users}auth = \"trust\"\n");
    let rig = site.builder().users(&users).node("tls", "\"require\"").in_process();
    assert_eq!(rig.client().value("SELECT session_user"), "app_scram");
}

/// Both sides encrypted, with a client that trusts the listener.
fn both_sides(site: &mut Site) -> (Rig, Tls) {
    let signed = site.authority.server(&["localhost"]);
    let (certificate, key) = site.files.put_signed("howdah", &signed);
    let root = site.quoted("root.crt");
    let rig = site
        .builder()
        .node("tls", "\"verify-full\"")
        .node("tls_ca", &root)
        .listen("tls", "\"require\"")
        .listen("tls_cert", &format!("{certificate:?}"))
        .listen("tls_key", &format!("{key:?}"))
        .in_process();
    let tls = Tls::new(&site.authority, &["postgresql"]);
    (rig, tls)
}

#[test]
fn large_rows_and_copies_pass_with_tls_on_both_sides() {
    let mut site = Site::new();
    let (rig, tls) = both_sides(&mut site);
    let mut client = rig.target().tls(&tls).client();
    let size = 16 * 1024 * 1024;
    let row = client.value(&format!("SELECT repeat('0123456789abcdef', {size} / 16)"));
    assert_eq!(row.len(), size);
    assert!(row.as_bytes().chunks(16).all(|chunk| chunk == b"0123456789abcdef"));
    client.run("CREATE TABLE copied (line text)");
    client.send(&Frames::new().query("COPY copied FROM STDIN")).expect("an open connection");
    client.until(b'G', 1).expect("a copy");
    let line = format!("{}\n", "x".repeat(999));
    let data = line.repeat(1000);
    for _ in 0..8 {
        client.send(&Frames::new().copy_data(data.as_bytes())).expect("an open connection");
    }
    client.send(&Frames::new().copy_done()).expect("an open connection");
    client.until(b'Z', 1).expect("the end of the copy");
    assert_eq!(client.value("SELECT sum(length(line)) FROM copied"), "7992000");
    let copied = client.run("COPY copied TO STDOUT");
    assert_eq!(copied.0.iter().filter(|reply| reply.tag == b'd').count(), 8000);
}

#[test]
fn a_cancel_request_travels_encrypted_to_a_server_that_is() {
    let mut site = Site::new();
    let (rig, tls) = both_sides(&mut site);
    let mut client = rig.target().tls(&tls).client();
    client.send(&Frames::new().query("SELECT pg_sleep(30)")).expect("an open connection");
    let mut observer = rig.observer();
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
    while observer.value(running) != "1" {
        std::thread::sleep(Duration::from_millis(20));
    }
    client.cancel();
    assert_eq!(client.until(b'Z', 1).expect("an answer").errors()[0].code, "57014");
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn the_console_says_what_connections_are_encrypted_with() {
    let mut site = Site::new();
    let (rig, tls) = both_sides(&mut site);
    let mut client = rig.target().tls(&tls).client();
    client.run("SELECT 1");
    let mut console = rig.target().database("howdah").tls(&tls).client();
    for sql in ["SHOW CLIENTS", "SHOW SERVERS"] {
        let rows = console.run(sql);
        let text = format!("{rows:?}");
        assert!(text.contains("TLSv1.3/TLS_"), "{sql}: {text}");
    }
}

#[test]
fn other_clients_of_an_encrypted_rig_find_their_sessions_unharmed() {
    let mut site = Site::new();
    let (rig, tls) = both_sides(&mut site);
    let target = Arc::new(rig.target().tls(&tls));
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let target = Arc::clone(&target);
            std::thread::spawn(move || {
                let mut client = target.client();
                client.run(&format!("SET application_name = 'client {number}'"));
                for round in 0..30 {
                    let sql = format!("SELECT {round} || current_setting('application_name')");
                    assert_eq!(client.value(&sql), format!("{round}client {number}"));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("a client without an error");
    }
}
