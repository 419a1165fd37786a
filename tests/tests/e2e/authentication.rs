//! Every way to prove oneself to Howdah with every way Howdah proves itself to PostgreSQL.

use std::process::Command;

use howdah_tests::{Login, Rig};

fn users(client: Login, secret: &str, server: Login) -> String {
    let proof =
        if client == Login::Trust { String::new() } else { format!("password = '{secret}'\n") };
    format!(
        "[[user]]\nname = \"app\"\nauth = \"{}\"\n{proof}server_user = \"{}\"\nserver_password = \"{}\"\n",
        client.method(),
        server.role(),
        Login::PASSWORD
    )
}

#[test]
fn every_client_method_works_with_every_server_method() {
    for client in Login::ALL {
        for server in Login::ALL {
            let rig = Rig::builder().users(&users(client, Login::PASSWORD, server)).in_process();
            let mut connection = rig.target().password(Login::PASSWORD).client();
            assert_eq!(
                connection.value("SELECT session_user"),
                server.role(),
                "{client:?} to {server:?}"
            );
        }
    }
}

#[test]
fn stored_forms_of_passwords_admit_their_owners() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    let stored = |login: Login, observer: &mut howdah_tests::raw::Connection| {
        observer
            .value(&format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{}'", login.role()))
    };
    let scram = stored(Login::Scram, &mut observer);
    assert!(scram.starts_with("SCRAM-SHA-256$"));
    // PostgreSQL salts md5 with the name, so the stored form is of this role.
    let md5 = stored(Login::Md5, &mut observer);
    assert!(md5.starts_with("md5"));
    for (client, secret, name) in [
        (Login::Scram, &scram, "app"),
        (Login::Password, &scram, "app"),
        (Login::Md5, &md5, Login::Md5.role()),
        (Login::Password, &md5, Login::Md5.role()),
    ] {
        let users = users(client, secret, Login::Trust)
            .replace("name = \"app\"", &format!("name = \"{name}\""));
        let rig = Rig::builder().users(&users).in_process();
        let target = rig.target().user(name);
        assert_eq!(
            target.password(Login::PASSWORD).client().value("SELECT session_user"),
            "app",
            "{client:?}"
        );
        assert_eq!(target.password("wrong").refusal().code, "28P01", "{client:?}");
    }
}

#[test]
fn psql_logs_in_with_scram_and_does_what_psql_does() {
    let rig =
        Rig::builder().users(&users(Login::Scram, Login::PASSWORD, Login::Scram)).in_process();
    let psql = |password: &str, commands: &[&str]| {
        let port = rig.port().to_string();
        let mut command = Command::new("psql");
        command.args(["-X", "-h", "127.0.0.1", "-p", &port, "-U", "app", "-d", rig.database()]);
        command.env("PGPASSWORD", password).env("PGCONNECT_TIMEOUT", "10");
        for text in commands {
            command.args(["-c", text]);
        }
        let output = command.output().expect("psql is installed");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, out, err) = psql(
        Login::PASSWORD,
        &["CREATE TABLE shown (a int, b text)", "\\d shown", "\\dt", "\\du", "\\l"],
    );
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("Table \"public.shown\"") && out.contains("app_scram"), "{out}");
    let (code, out, err) = psql(
        Login::PASSWORD,
        &["\\copy (SELECT 7, 'seven') TO STDOUT", "SELECT 'async' \\watch c=1 i=0", "SELECT 1 / 0"],
    );
    assert!(out.contains("7\tseven"), "{code:?} {out} {err}");
    assert!(err.contains("division by zero"), "{out} {err}");
    let (code, _, err) = psql("wrong", &["SELECT 1"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("password authentication failed for user \"app\""), "{err}");
}

#[test]
fn passwords_of_any_letters_work() {
    for secret in
        ["ünïcödé", "with 'quotes' and \"more\"", "\u{a0}nbsp\u{2168}", "a", &"long".repeat(200)]
    {
        let toml = secret.replace('\\', "\\\\").replace('"', "\\\"");
        for client in [Login::Password, Login::Md5, Login::Scram] {
            let users = format!(
                "[[user]]\nname = \"app\"\nauth = \"{}\"\npassword = \"{toml}\"\n",
                client.method()
            );
            let rig = Rig::builder().users(&users).in_process();
            let seen = rig.target().password(secret).connect();
            assert!(seen.is_ok(), "{client:?} {secret}: {}", seen.unwrap_err());
        }
    }
}
