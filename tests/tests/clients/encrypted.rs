//! Drivers over TLS, directly and through Howdah, which speaks nothing else on either side; and drivers on the console.

use howdah_tests::{Authority, Files, Login, Rig, Servers};

use crate::checks::{Outcome, Place};

fn account() -> (&'static str, String) {
    let (user, password) = (Login::Scram.role(), Login::PASSWORD);
    let toml = format!(
        "[[user]]\nname = \"{user}\"\nauth = \"scram-sha-256\"\npassword = \"{password}\"\n\
         server_password = \"{password}\"\n"
    );
    (user, toml)
}

fn place(port: u16, database: &str, environment: Vec<(&'static str, String)>) -> Place {
    Place {
        port,
        user: Login::Scram.role().to_owned(),
        password: Login::PASSWORD.to_owned(),
        database: database.to_owned(),
        environment,
    }
}

/// Runs a driver's checks of TLS in both places.
///
/// # Panics
/// When a check fails, or others have run through Howdah than directly.
#[track_caller]
pub(crate) fn directly_and_through_howdah(run: impl Fn(&Place) -> Outcome) {
    let (authority, files) = (Authority::new("an authority"), Files::new());
    let signed = authority.server(&["localhost", "127.0.0.1"]);
    let (certificate, key) = files.put_signed("howdah", &signed);
    let root = files.put("root.crt", authority.certificate());
    let other = files.put("other.crt", Authority::new("another authority").certificate());
    let (user, users) = account();
    let rig = Rig::builder()
        .servers(Servers::start_tls(&signed, &authority))
        .users(&users)
        .node("tls", "\"verify-full\"")
        .node("tls_ca", &format!("{root:?}"))
        .listen("tls", "\"require\"")
        .listen("tls_cert", &format!("{certificate:?}"))
        .listen("tls_key", &format!("{key:?}"))
        .in_process();
    let clear = rig.target().user(user).password(Login::PASSWORD).refusal();
    assert_eq!(clear.code, "28000", "the listener speaks in clear: {clear:?}");
    let environment = vec![("PGSSLROOTCERT", root), ("OTHER_ROOT", other)];
    let run = |port| run(&place(port, rig.database(), environment.clone()));
    let direct = run(rig.servers().primary().port());
    assert!(direct.failed.is_empty(), "directly:\n{}", direct.failed.join("\n"));
    let pooled = run(rig.port());
    assert!(pooled.failed.is_empty(), "through Howdah:\n{}", pooled.failed.join("\n"));
    assert_eq!(pooled.passed, direct.passed, "the same checks");
    assert_eq!(direct.passed.len(), 3, "{:?}", direct.passed);
}

/// Runs a driver's checks of the console, while a client is there to be seen.
///
/// # Panics
/// When a check fails.
#[track_caller]
pub(crate) fn on_the_console(run: impl Fn(&Place) -> Outcome) {
    let (user, users) = account();
    let admin = format!("[admin]\nstats_users = [\"{user}\"]\n");
    let rig = Rig::builder().users(&users).more(&admin).in_process();
    let mut client = rig.target().user(user).password(Login::PASSWORD).client();
    client.run("SELECT 1");
    let outcome = run(&place(rig.port(), "pgbouncer", Vec::new()));
    assert!(outcome.failed.is_empty(), "{}", outcome.failed.join("\n"));
    assert!(outcome.passed.len() > 1, "{:?}", outcome.passed);
}
