//! A configuration made from PgBouncer's serves the same clients as PgBouncer does.

use std::path::Path;
use std::process::Command;

use howdah::config::import;
use howdah_local::{Auth, PgBouncer};
use howdah_tests::raw::Target;
use howdah_tests::{Files, Login, Rig};

fn both(auth: Auth, role: Login, try_it: impl Fn(&Target)) {
    let first = Rig::start();
    let (user, password) = (role.role(), Login::PASSWORD);
    let bouncer = PgBouncer::builder(first.servers().primary())
        .auth(auth)
        .user(user, password)
        .pool_size(4)
        .setting("query_wait_timeout", "20")
        .start()
        .unwrap_or_else(|error| panic!("{error}"));
    let imported = import::pgbouncer(&bouncer.configuration_file()).unwrap();
    assert!(imported.mistakes.is_none(), "{:?}\n{}", imported.mistakes, imported.toml);
    let text = imported.toml.replace(&format!("port = {}\n", bouncer.port()), "port = 0\n");
    let second = Rig::builder().toml(&text).servers_of(&first).in_process();
    for port in [bouncer.port(), second.port()] {
        try_it(&Target::port(port, user, first.database()));
    }
}

#[test]
fn clients_log_in_with_the_passwords_of_the_auth_file() {
    for (auth, role) in
        [(Auth::Md5, Login::Md5), (Auth::Scram, Login::Scram), (Auth::Password, Login::Password)]
    {
        both(auth, role, |target| {
            let mut client = target.password(Login::PASSWORD).client();
            assert_eq!(client.value("SELECT current_user"), role.role());
            client.run("BEGIN; SELECT 1; COMMIT");
            assert!(target.password("wrong").connect().is_err(), "{auth:?}");
        });
    }
}

#[test]
fn clients_that_are_trusted_stay_trusted() {
    both(Auth::Trust, Login::Trust, |target| {
        assert_eq!(target.client().value("SELECT current_user"), "app");
        let databases = target.database("pgbouncer").user("howdah").client().run("SHOW DATABASES");
        assert!(!databases.rows().is_empty());
    });
}

/// What Debian installs, with the edits of whoever puts it into service: where the databases are, and who may log in.
#[test]
fn the_file_that_debian_ships_serves_psql_with_the_scram_secrets_of_postgresql() {
    let shipped = Path::new("/etc/pgbouncer/pgbouncer.ini");
    let shipped = std::fs::read_to_string(shipped).expect("PgBouncer is installed");
    let (files, first) = (Files::new(), Rig::start());
    let user = Login::Scram.role();
    let stored = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{user}'");
    let stored = first.observer().value(&stored);
    let list = files.put("userlist.txt", &format!("\"{user}\" \"{stored}\"\n"));
    let servers = first.servers().primary().port();
    let ini = shipped
        .replace("[databases]\n", &format!("[databases]\n* = host=127.0.0.1 port={servers}\n"))
        .replace("/etc/pgbouncer/userlist.txt", &list)
        .replace("unix_socket_dir = /var/run/postgresql", "unix_socket_dir =")
        .replace("\n;admin_users = ", &format!("\nadmin_users = {user}\n;admin_users = "));
    let ini = ini.lines().map(|line| match line.split_once('=') {
        Some((key, _)) if key.trim() == "auth_type" => "auth_type = scram-sha-256\n".to_owned(),
        _ => format!("{line}\n"),
    });
    let file = files.put("pgbouncer.ini", &ini.collect::<String>());
    let imported = import::pgbouncer(Path::new(&file)).unwrap();
    assert!(imported.mistakes.is_none(), "{:?}\n{}", imported.mistakes, imported.toml);
    let dropped = imported.remarks.iter().filter(|one| one.verdict == import::Verdict::Dropped);
    assert_eq!(dropped.map(|one| &one.key).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(!imported.toml.contains("SCRAM-SHA-256$"), "a secret was copied: {}", imported.toml);
    let text = imported.toml.replace("port = 6432\n", "port = {port}\n");
    let rig = Rig::builder().toml(&text).servers_of(&first).process();
    let psql = |database: &str, password: &str, sql: &str| {
        let port = rig.port().to_string();
        let output = Command::new("psql")
            .args(["-X", "-A", "-t", "-h", "127.0.0.1", "-p", &port, "-U", user, "-d", database])
            .args(["-c", sql])
            .env("PGPASSWORD", password)
            .output()
            .expect("psql");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let sql = "SELECT session_user";
    assert_eq!(psql(first.database(), Login::PASSWORD, sql), (true, user.to_owned()));
    assert!(!psql(first.database(), "wrong", sql).0, "a wrong password is good enough");
    let (seen, pools) = psql("pgbouncer", Login::PASSWORD, "SHOW POOLS");
    assert!(seen && pools.contains(user), "{pools}");
}
