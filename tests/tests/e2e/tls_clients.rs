//! TLS between clients and Howdah: who gets in, who does not, and what passes through.

use std::process::Command;
use std::time::Duration;

use howdah_tests::raw::{Connection, Failure, Frames, Tls};
use howdah_tests::{Authority, Builder, Files, Login, Rig};
use howdah_wire::startup;

/// A listener with a certificate for `localhost`.
struct Door {
    authority: Authority,
    files: Files,
}

impl Door {
    fn new() -> Self {
        let door = Self { authority: Authority::new("an authority"), files: Files::new() };
        door.files.put_signed("server", &door.authority.server(&["localhost"]));
        door.files.put("root.crt", door.authority.certificate());
        door
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// A rig whose listener speaks TLS.
    fn builder(&self, mode: &str) -> Builder {
        let quoted = |text: &str| format!("{text:?}");
        Rig::builder()
            .listen("tls", &quoted(mode))
            .listen("tls_cert", &quoted(&self.path("server.crt")))
            .listen("tls_key", &quoted(&self.path("server.key")))
            .listen("tls_ca", &quoted(&self.path("root.crt")))
    }

    fn tls(&self) -> Tls {
        Tls::new(&self.authority, &["postgresql"])
    }
}

/// Asks psql for a number, and whether it was encrypted.
fn psql(rig: &Rig, more: &str) -> Result<bool, String> {
    let conninfo = format!(
        "hostaddr=127.0.0.1 port={} dbname={} sslcert=/nowhere connect_timeout=20 {more}",
        rig.port(),
        rig.database()
    );
    let output = Command::new("psql")
        .args(["-X", "-A", "-t", "-d", &conninfo, "-c", "\\conninfo", "-c", "SELECT 6 * 7"])
        .env("PGUSER", "app")
        .output()
        .expect("psql");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        assert!(text.contains("42"), "{text}");
        return Ok(text.contains("SSL connection"));
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn libpq_gets_with_every_sslmode_what_the_listener_promises() {
    let door = Door::new();
    for listener in ["disable", "allow", "prefer", "require", "verify-ca"] {
        let rig = door.builder(listener).in_process();
        for mode in ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] {
            let root = door.path("root.crt");
            let got = psql(&rig, &format!("host=localhost sslmode={mode} sslrootcert={root}"));
            let speaks = listener != "disable";
            let wants = matches!(mode, "require" | "verify-ca" | "verify-full");
            let expected = match (listener, mode) {
                // This client has no certificate.
                ("verify-ca", _) => None,
                ("require", "disable") => None,
                ("require", _) => Some(true),
                _ if wants && !speaks => None,
                // The first attempt is in clear, and it is let in.
                (_, "disable" | "allow") => Some(false),
                _ => Some(speaks),
            };
            assert_eq!(got.clone().ok(), expected, "{listener} {mode}: {got:?}");
        }
    }
}

#[test]
fn a_client_that_checks_finds_out_a_wrong_authority_and_a_wrong_host() {
    let door = Door::new();
    let rig = door.builder("require").in_process();
    let other = Authority::new("another authority");
    let stranger = door.files.put("other.crt", other.certificate());
    let root = door.path("root.crt");
    let refused = psql(&rig, &format!("host=localhost sslmode=verify-ca sslrootcert={stranger}"));
    assert!(refused.unwrap_err().contains("certificate verify failed"));
    let refused = psql(&rig, &format!("host=db.test sslmode=verify-full sslrootcert={root}"));
    assert!(refused.unwrap_err().contains("does not match host name"));
    // Howdah is none the worse for it.
    let again = psql(&rig, &format!("host=localhost sslmode=verify-full sslrootcert={root}"));
    assert_eq!(again, Ok(true));
}

#[test]
fn a_certificate_logs_in_the_user_it_names_and_nobody_else() {
    let door = Door::new();
    let other = Authority::new("another authority");
    for (name, signed) in [
        ("app", door.authority.client("app")),
        ("machine", door.authority.client("machine.test")),
        ("foreign", other.client("app")),
    ] {
        door.files.put_signed(name, &signed);
    }
    let users = "[[user]]\nname = \"app\"\nauth = \"cert\"\n\
                 [[user]]\nname = \"role_a\"\nauth = \"cert\"\ncert_name = \"machine.test\"\nserver_user = \"app\"\n";
    let rig = door.builder("prefer").users(users).in_process();
    let root = door.path("root.crt");
    let try_with = |user: &str, name: &str| {
        let (certificate, key) =
            (door.path(&format!("{name}.crt")), door.path(&format!("{name}.key")));
        psql(
            &rig,
            &format!(
                "host=localhost user={user} sslmode=verify-full sslrootcert={root} sslcert={certificate} sslkey={key}"
            ),
        )
    };
    assert_eq!(try_with("app", "app"), Ok(true));
    assert_eq!(try_with("role_a", "machine"), Ok(true));
    for (user, name) in [("app", "machine"), ("role_a", "app")] {
        let refused = try_with(user, name).unwrap_err();
        assert!(refused.contains("certificate authentication failed"), "{user} {name}: {refused}");
    }
    let refused = try_with("app", "foreign").unwrap_err();
    assert!(refused.contains("SSL"), "{refused}");
    for mode in ["disable", "require"] {
        let refused = psql(&rig, &format!("host=localhost user=app sslmode={mode}")).unwrap_err();
        assert!(refused.contains("certificate authentication failed"), "{mode}: {refused}");
    }
}

#[test]
fn a_listener_that_verifies_wants_a_certificate_of_everybody() {
    let door = Door::new();
    let (certificate, key) = door.files.put_signed("app", &door.authority.client("whoever"));
    let rig = door.builder("verify-full").in_process();
    let with = format!("host=localhost sslmode=require sslcert={certificate} sslkey={key}");
    assert_eq!(psql(&rig, &with), Ok(true));
    assert!(psql(&rig, "host=localhost sslmode=require").is_err());
    assert!(psql(&rig, "host=localhost sslmode=disable").unwrap_err().contains("TLS is required"));
}

#[test]
fn a_login_can_insist_on_channel_binding() {
    let door = Door::new();
    let rig = door.builder("prefer").login(Login::Scram).in_process();
    let password = format!("host=localhost password='{}'", Login::PASSWORD);
    for binding in ["disable", "prefer", "require"] {
        let with = format!("{password} sslmode=require channel_binding={binding}");
        assert_eq!(psql(&rig, &with), Ok(true), "{binding}");
    }
    let without = format!("{password} sslmode=disable channel_binding=require");
    assert!(psql(&rig, &without).unwrap_err().contains("channel binding"));
    let wrong = "host=localhost password=wrong sslmode=require channel_binding=require";
    assert!(psql(&rig, wrong).unwrap_err().contains("password authentication failed"));
}

#[test]
fn a_client_may_begin_with_tls_at_once_when_it_names_the_protocol() {
    let door = Door::new();
    let rig = door.builder("require").in_process();
    let mut client = rig.target().tls(&door.tls().direct()).client();
    assert_eq!(client.value("SELECT 6 * 7"), "42");
    let unnamed = Tls::new(&door.authority, &[]).direct();
    assert!(matches!(rig.target().tls(&unnamed).connect(), Err(Failure::Closed)));
    let wrong = Tls::new(&door.authority, &["h2"]).direct();
    assert!(rig.target().tls(&wrong).connect().is_err());
    // Whoever asks first need not name it, as with PostgreSQL.
    let asked = Tls::new(&door.authority, &[]);
    assert_eq!(rig.target().tls(&asked).client().value("SELECT 1"), "1");
}

#[test]
fn bytes_in_clear_behind_the_request_for_tls_are_refused() {
    let door = Door::new();
    let rig = door.builder("prefer").in_process();
    let mut out = Vec::new();
    startup::ssl_request(&mut out);
    startup::startup(&mut out, 0, &[("user", "app"), ("database", rig.database())]);
    let mut client = Connection::open(&rig.target()).expect("a connection");
    client.write(&out).expect("an open connection");
    let error = client.reply().expect("a refusal").error().expect("an error");
    assert_eq!(error.code, "08P01", "{error:?}");
}

#[test]
fn encryption_inside_of_encryption_is_refused() {
    let door = Door::new();
    let rig = door.builder("prefer").in_process();
    let mut out = Vec::new();
    startup::ssl_request(&mut out);
    let mut client = Connection::open(&rig.target().tls(&door.tls())).expect("a connection");
    client.write(&out).expect("an open connection");
    let error = client.reply().expect("a refusal").error().expect("an error");
    assert_eq!(error.code, "08P01", "{error:?}");
}

#[test]
fn gssapi_is_declined_and_tls_may_follow() {
    let door = Door::new();
    let rig = door.builder("require").in_process();
    let got = psql(&rig, "host=localhost gssencmode=prefer sslmode=require");
    assert_eq!(got, Ok(true));
}

#[test]
fn records_that_come_byte_by_byte_are_put_together() {
    let door = Door::new();
    let rig = door.builder("require").in_process();
    let mut client = rig.target().tls(&door.tls().pieces(1)).client();
    assert_eq!(client.value("SELECT 'a' || 'b'"), "ab");
    assert_eq!(client.value("SELECT length(repeat('x', 70000))"), "70000");
}

#[test]
fn a_handshake_without_an_end_ends_with_the_time_for_the_login() {
    let door = Door::new();
    let rig = door.builder("require").listen("login_timeout", "\"1s\"").in_process();
    let mut out = Vec::new();
    startup::ssl_request(&mut out);
    let mut client = Connection::open(&rig.target()).expect("a connection");
    client.write(&out).expect("an open connection");
    assert_eq!(client.byte().expect("an answer"), b'S');
    // The first bytes of a handshake that never goes on.
    client.write(&[0x16, 3, 1, 2, 0, 1]).expect("an open connection");
    assert!(matches!(client.byte(), Err(Failure::Closed)));
}

#[test]
fn encrypted_clients_move_to_the_worker_of_their_pool() {
    let door = Door::new();
    let rig = door.builder("require").listen("workers", "2").pool_size(8).in_process();
    let target = rig.target().tls(&door.tls());
    // A pool of eight is spread over both, in turn.
    for number in 0..6 {
        let mut client = target.client();
        assert_eq!(client.value(&format!("SELECT {number}")), number.to_string());
    }
}

#[test]
fn a_cancel_request_over_tls_cancels() {
    let door = Door::new();
    let rig = door.builder("require").in_process();
    let mut client = rig.target().tls(&door.tls()).client();
    client.send(&Frames::new().query("SELECT pg_sleep(30)")).expect("an open connection");
    let mut observer = rig.observer();
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
    while observer.value(running) != "1" {
        std::thread::sleep(Duration::from_millis(20));
    }
    client.cancel();
    let replies = client.until(b'Z', 1).expect("an answer");
    assert_eq!(replies.errors()[0].code, "57014");
}
