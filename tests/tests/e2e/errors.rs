//! Whoever is turned away is told why, with the right SQLSTATE and what to do.

use std::time::{Duration, Instant};

use howdah_local::Mode;
use howdah_tests::raw::{ErrorReply, Frames};
use howdah_tests::{Login, Rig, Servers};

#[track_caller]
fn helps(error: &ErrorReply, severity: &str, code: &str, words: &[&str]) {
    assert_eq!((error.severity.as_str(), error.code.as_str()), (severity, code), "{error:?}");
    for word in words {
        assert!(error.message.contains(word), "{word} is not in the message of {error:?}");
    }
    assert!(error.hint.as_ref().is_some_and(|hint| hint.len() > 10), "no hint: {error:?}");
}

#[test]
fn a_wrong_password_is_28p01() {
    for login in [Login::Password, Login::Md5, Login::Scram] {
        let rig = Rig::builder().login(login).in_process();
        for password in ["wrong", "", &format!("{} ", Login::PASSWORD)] {
            let error = rig.target().password(password).refusal();
            assert_eq!(
                (error.severity.as_str(), error.code.as_str()),
                ("FATAL", "28P01"),
                "{error:?}"
            );
            assert_eq!(error.message, "password authentication failed for user \"app\"");
        }
        assert_eq!(rig.target().password(Login::PASSWORD).client().value("SELECT 1"), "1");
    }
}

#[test]
fn an_unknown_user_looks_like_a_wrong_password() {
    for login in [Login::Password, Login::Md5, Login::Scram] {
        let rig = Rig::builder().login(login).in_process();
        let time = |user: &str| {
            let target = rig.target().user(user).password("wrong");
            let mut times: Vec<_> = (0..15)
                .map(|_| {
                    let begin = Instant::now();
                    let error = target.refusal();
                    assert_eq!(error.code, "28P01", "{error:?}");
                    assert_eq!(
                        error.message,
                        format!("password authentication failed for user \"{user}\"")
                    );
                    begin.elapsed()
                })
                .collect();
            times.sort();
            times[times.len() / 2]
        };
        let (known, unknown) = (time("app"), time("nobody"));
        let (slow, fast) = (known.max(unknown), known.min(unknown));
        assert!(
            slow < fast * 3 + Duration::from_millis(20),
            "{login:?}: {known:?} for a known user, {unknown:?} for an unknown one"
        );
    }
}

#[test]
fn an_unknown_database_is_3d000() {
    let rig = Rig::start();
    let target = rig.target().database("no_such_database");
    for _ in 0..3 {
        let error = target.refusal();
        assert_eq!((error.severity.as_str(), error.code.as_str()), ("FATAL", "3D000"), "{error:?}");
        assert_eq!(error.message, "database \"no_such_database\" does not exist");
    }
    let rig = Rig::builder()
        .more("[[database]]\nname = \"known\"\nserver_database = \"{database}\"\n")
        .in_process();
    let error = rig.target().refusal();
    assert_eq!((error.severity.as_str(), error.code.as_str()), ("FATAL", "3D000"), "{error:?}");
    assert_eq!(
        rig.target().database("known").client().value("SELECT current_database()"),
        rig.database()
    );
}

#[test]
fn a_user_that_the_server_does_not_know_is_told_so() {
    let rig = Rig::start();
    let error = rig.target().user("nobody").refusal();
    // It may not be told whether the server knows the name: only that Howdah could not log in.
    helps(&error, "FATAL", "08004", &["cannot log in"]);
}

#[test]
fn a_client_that_waited_too_long_for_a_server_is_told_53300() {
    let rig = Rig::builder().pool_size(1).pool("checkout_timeout", "\"300ms\"").in_process();
    let mut holder = rig.client();
    holder.run("BEGIN");
    let mut waiting = rig.client();
    let begin = Instant::now();
    let error = waiting.error("SELECT 1");
    let waited = begin.elapsed();
    helps(&error, "ERROR", "53300", &["server connection", "0.3 s", "all 1"]);
    assert!((Duration::from_millis(250)..Duration::from_secs(2)).contains(&waited), "{waited:?}");
    let seen = waiting
        .answer(&Frames::new().extended("SELECT 1", &[]).extended("SELECT 2", &[]).sync(), 1);
    assert_eq!(seen.summary(), "E(53300) Z(I)");
    holder.run("COMMIT");
    assert_eq!(waiting.value("SELECT 'served'"), "served");
}

#[test]
fn one_waiter_too_many_is_told_53300_at_once() {
    let rig = Rig::builder().pool_size(1).pool("max_waiters", "1").in_process();
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    clients[0].run("BEGIN");
    clients[1].send(&Frames::new().query("SELECT 'first in line'")).unwrap();
    assert!(clients[1].is_silent(Duration::from_millis(100)));
    let begin = Instant::now();
    let error = clients[2].error("SELECT 1");
    helps(&error, "ERROR", "53300", &["wait"]);
    assert!(begin.elapsed() < Duration::from_secs(1));
    clients[0].run("COMMIT");
    assert_eq!(clients[1].until(b'Z', 1).unwrap().values(), ["first in line"]);
}

#[test]
fn one_client_too_many_is_told_53300() {
    let rig = Rig::builder().listen("max_clients", "3").in_process();
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    let error = rig.target().refusal();
    helps(&error, "FATAL", "53300", &["too many clients", "3"]);
    clients.pop().unwrap().close();
    let admitted = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        rig.target().connect().is_ok()
    });
    assert!(admitted, "nobody is admitted after one has left");
    assert_eq!(clients[0].value("SELECT 1"), "1");
}

#[test]
fn one_client_of_a_user_too_many_is_told_53300() {
    let users = "[[user]]\nname = \"app\"\nauth = \"trust\"\nmax_clients = 2\n[[user]]\nname = \"howdah\"\nauth = \"trust\"\n";
    let rig = Rig::builder().users(users).in_process();
    let _clients: Vec<_> = (0..2).map(|_| rig.client()).collect();
    helps(&rig.target().refusal(), "FATAL", "53300", &["too many clients", "2"]);
    assert_eq!(rig.target().user("howdah").client().value("SELECT 1"), "1");
}

#[test]
fn a_server_that_is_down_is_told_with_what_to_do() {
    let rig =
        Rig::builder().servers(Servers::start()).pool("checkout_timeout", "\"1s\"").in_process();
    let mut client = rig.client();
    client.run("SELECT 1");
    rig.servers().primary().stop(Mode::Fast).unwrap();
    for _ in 0..2 {
        let begin = Instant::now();
        let error = client.error("SELECT 1");
        assert!(["08006", "08001", "57P03"].contains(&error.code.as_str()), "{error:?}");
        helps(&error, "ERROR", &error.code, &[]);
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    }
    rig.servers().primary().start().unwrap();
    let served = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        client.query("SELECT 1").is_ok_and(|seen| seen.errors().is_empty())
    });
    assert!(served, "the client is not served after the server came back");
}

#[test]
fn a_login_while_the_server_is_down_is_told_with_what_to_do() {
    let rig =
        Rig::builder().servers(Servers::start()).pool("checkout_timeout", "\"1s\"").in_process();
    rig.servers().primary().stop(Mode::Fast).unwrap();
    let error = rig.target().refusal();
    assert!(["08006", "08001", "57P03"].contains(&error.code.as_str()), "{error:?}");
    helps(&error, "FATAL", &error.code, &[]);
}

#[test]
fn a_wrong_server_password_is_safe_for_clients_and_clear_in_the_log() {
    let users = format!(
        "[[user]]\nname = \"app\"\nauth = \"trust\"\nserver_user = \"{}\"\nserver_password = \"secret but wrong\"\n",
        Login::Scram.role()
    );
    let rig = Rig::builder().users(&users).pool("checkout_timeout", "\"2s\"").process();
    let error = rig.target().refusal();
    let shown = format!("{error:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(error.hint.is_some(), "{shown}");
    assert_ne!(error.code, "28P01", "the client's own password is not what is wrong: {shown}");
    let log = rig.howdah().log();
    assert!(log.contains("password authentication failed"), "{log}");
    assert!(log.contains(Login::Scram.role()), "{log}");
    assert!(!log.contains("secret but wrong"), "{log}");
}

#[test]
fn trust_is_for_this_machine() {
    let rig = Rig::start();
    assert_eq!(rig.client().value("SELECT 'from here'"), "from here");
    let error = Rig::builder().login(Login::Scram).in_process().target().user("app").refusal();
    assert_eq!(error.code, "28P01", "no password at all: {error:?}");
}
