//! Users who are looked up in PostgreSQL (`auth_query`), and servers that are logged in to with what their login reveals.

use std::time::{Duration, Instant};

use howdah_tests::raw::{Connection, Failure, Target};
use howdah_tests::{Login, Rig};
use howdah_wire::{frontend, scram, startup};

/// Look-ups by the superuser, in its own database.
const LOOKUPS: &str = "[auth]\nquery_user = \"howdah\"\nquery_database = \"postgres\"\n";

fn rig(auth: &str) -> Rig {
    let other = "[[user]]\nname = \"other\"\npassword = \"x\"\n";
    Rig::builder().users(other).more(auth).in_process()
}

/// Makes a role of the shared cluster, with a name of this rig's.
fn role(rig: &Rig, name: &str, options: &str) -> String {
    let role = format!("{name}_{}", rig.database());
    rig.observer().run(&format!("CREATE ROLE {role} {options}"));
    role
}

fn remove(rig: &Rig, roles: &[&str]) {
    for role in roles {
        rig.observer().run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}

/// Tries until it works, as an application does.
fn until_let_in(target: &Target) -> Connection {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match target.connect() {
            Ok(connection) => return connection,
            Err(failure) => assert!(Instant::now() < deadline, "{failure}"),
        }
    }
}

#[test]
fn a_looked_up_user_logs_in_and_its_own_proof_opens_the_servers() {
    for (login, method) in [
        (Login::Scram, None),
        (Login::Md5, None),
        (Login::Scram, Some("md5")),
        (Login::Scram, Some("password")),
        (Login::Md5, Some("password")),
        (Login::Password, Some("password")),
    ] {
        let method = method.map(|method| format!("method = \"{method}\"\n")).unwrap_or_default();
        let rig = rig(&format!("{LOOKUPS}{method}"));
        let target = rig.target().user(login.role());
        let mut client = target.password(Login::PASSWORD).client();
        assert_eq!(client.value("SELECT session_user"), login.role(), "{login:?} {method}");
        assert_eq!(target.password("wrong").refusal().code, "28P01", "{login:?} {method}");
    }
}

#[test]
fn a_server_that_wants_the_clear_text_of_a_stored_password_is_told_apart_in_the_log_only() {
    let rig = rig(LOOKUPS);
    let target = rig.target().user(Login::Password.role()).password(Login::PASSWORD);
    let refusal = target.refusal();
    assert_eq!(refusal.code, "08004");
    assert!(!format!("{refusal:?}").contains("SCRAM"), "{refusal:?}");
}

#[test]
fn cve_2025_12819_settings_of_a_client_do_not_reach_the_look_up() {
    let rig = rig("");
    let asker = role(&rig, "asker", "SUPERUSER LOGIN");
    let mut observer = rig.observer();
    observer.run(
        "CREATE SCHEMA evil; CREATE TABLE evil.ran (who text);
         CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO evil.ran VALUES (current_user); RETURN $1; END $$;
         GRANT ALL ON SCHEMA evil TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC",
    );
    // Not even settings of the role itself count.
    observer.run(&format!("ALTER ROLE {asker} SET search_path = evil, pg_catalog"));
    let text = rig.configuration().to_owned()
        + &format!(
            "[auth]\nquery_user = \"{asker}\"\nquery = \"SELECT rolname, rolpassword FROM pg_authid WHERE rolname = lower($1::text)\"\n"
        );
    rig.reload(&text);
    let target = rig.target().user(Login::Scram.role()).password(Login::PASSWORD);
    for target in [
        target.parameter("search_path", "evil, pg_catalog"),
        target.parameter("options", "-c search_path=evil,pg_catalog"),
    ] {
        let mut client = target.client();
        assert!(client.value("SHOW search_path").starts_with("evil"));
    }
    assert_eq!(observer.value("SELECT count(*) FROM evil.ran"), "0");
    remove(&rig, &[&asker]);
}

#[test]
fn cve_2025_2291_a_password_whose_time_is_over_admits_nobody() {
    let rig = rig(LOOKUPS);
    let options = format!("LOGIN PASSWORD '{}' VALID UNTIL '2020-01-01'", Login::PASSWORD);
    let role = role(&rig, "past", &options);
    let target = rig.target().user(&role).password(Login::PASSWORD);
    assert_eq!(target.refusal().code, "28P01");
    rig.observer().run(&format!("ALTER ROLE {role} VALID UNTIL '2999-01-01'"));
    until_let_in(&target).close();
    remove(&rig, &[&role]);
}

/// Every message of a refused login: what it is and what it says, without what is random in it.
fn refused(target: &Target) -> Vec<String> {
    let mut connection = Connection::open(target).expect("a connection");
    let mut out = Vec::new();
    startup::startup(&mut out, 0, &[("user", &target.user), ("database", &target.database)]);
    connection.write(&out).expect("written");
    let password = target.password.as_deref().expect("a password");
    let mut client = scram::Client::new("nonce".to_owned());
    let mut seen = Vec::new();
    loop {
        let reply = match connection.reply() {
            Ok(reply) => reply,
            Err(Failure::Closed) => return seen,
            Err(failure) => panic!("{failure}"),
        };
        if let Some(error) = reply.error() {
            seen.push(format!("{error:?}").replace(&target.user, "USER"));
            continue;
        }
        let (kind, data) = reply.body.split_first_chunk::<4>().expect("an authentication message");
        let kind = u32::from_be_bytes(*kind);
        out.clear();
        match kind {
            10 => {
                seen.push(format!("{kind} {}", data.escape_ascii()));
                frontend::sasl_initial(&mut out, "SCRAM-SHA-256", &client.first());
            }
            11 => {
                let challenge = client.on_server_first(data).expect("a challenge");
                seen.push(format!("{kind} {} {}", challenge.salt.len(), challenge.iterations));
                let keys =
                    scram::ClientKeys::derive(password, &challenge.salt, challenge.iterations);
                frontend::sasl_response(&mut out, &client.respond(&keys));
            }
            _ => panic!("{reply:?}"),
        }
        connection.write(&out).expect("written");
    }
}

#[test]
fn all_who_are_refused_see_the_same_messages() {
    let rig = rig(LOOKUPS);
    let with = format!("PASSWORD '{}'", Login::PASSWORD);
    let past = role(&rig, "expired", &format!("LOGIN {with} VALID UNTIL '2020-01-01'"));
    let none = role(&rig, "passwordless", "LOGIN");
    let barred = role(&rig, "barred", &format!("NOLOGIN {with}"));
    let right = rig.target().password(Login::PASSWORD);
    let wrong = refused(&right.user(Login::Scram.role()).password("wrong"));
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong[2].contains("28P01"), "{wrong:?}");
    let long = "n".repeat(100);
    for user in ["nobody", &past, &none, &barred, &long] {
        assert_eq!(refused(&right.user(user)), wrong, "{user}");
    }
    // Nor does a database that does not exist make a difference.
    let rig = self::rig("[auth]\nquery_user = \"howdah\"\n");
    let right = rig.target().password(Login::PASSWORD);
    assert_eq!(refused(&right.user("nobody").database("nowhere")), wrong);
    assert_eq!(refused(&right.user(Login::Scram.role()).database("nowhere")), wrong);
    remove(&rig, &[&past, &none, &barred]);
}

/// The salt that a user is told.
fn salt(target: &Target) -> Vec<u8> {
    let mut connection = Connection::open(target).expect("a connection");
    let mut client = scram::Client::new("nonce".to_owned());
    let mut out = Vec::new();
    startup::startup(&mut out, 0, &[("user", &target.user), ("database", &target.database)]);
    frontend::sasl_initial(&mut out, "SCRAM-SHA-256", &client.first());
    connection.write(&out).expect("written");
    let offer = connection.reply().expect("an offer");
    assert_eq!(offer.body[..4], 10_u32.to_be_bytes());
    let first = connection.reply().expect("a challenge");
    client.on_server_first(&first.body[4..]).expect("a challenge").salt
}

#[test]
fn a_user_who_does_not_exist_always_has_the_same_salt() {
    let rig = rig(LOOKUPS);
    let (first, second) = (rig.target().user("ghost"), rig.target().user("spirit"));
    assert_eq!(salt(&first), salt(&first));
    assert_ne!(salt(&first), salt(&second));
}

#[test]
fn a_storm_of_logins_is_one_question_and_a_new_password_is_asked_for_at_once() {
    let rig = rig("");
    let role = role(&rig, "storm", "LOGIN PASSWORD 'first'");
    let mut observer = rig.observer();
    observer.run(
        "CREATE TABLE asked (who text);
         CREATE FUNCTION public.find(text) RETURNS TABLE (name name, password text) LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO public.asked VALUES ($1);
           RETURN QUERY SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1; END $$",
    );
    let text = rig.configuration().to_owned()
        + "[auth]\nquery_user = \"howdah\"\nquery_cache = \"1h\"\nquery = \"SELECT * FROM public.find($1)\"\n";
    rig.reload(&text);
    let target = rig.target().user(&role);
    let right = target.password("first");
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| right.client().close());
        }
    });
    let count = |observer: &mut Connection| {
        observer.value(&format!("SELECT count(*) FROM asked WHERE who = '{role}'"))
    };
    assert_eq!(count(&mut observer), "1");
    observer.run(&format!("ALTER ROLE {role} PASSWORD 'second'"));
    until_let_in(&target.password("second")).close();
    assert_eq!(target.password("first").refusal().code, "28P01");
    // Names of nobody are remembered as well.
    for _ in 0..5 {
        assert_eq!(target.user("nobody").password("x").refusal().code, "28P01");
    }
    let nobody = observer.value("SELECT count(*) FROM asked WHERE who = 'nobody'");
    assert!(nobody.parse::<u32>().expect("a count") <= 2, "{nobody}");
    remove(&rig, &[&role]);
}

#[test]
fn a_name_is_a_parameter_and_never_text() {
    let rig = rig(LOOKUPS);
    for name in ["x' OR '1'='1", "app_scram'--", "$1", "\u{1f418}", "app_scram\\"] {
        let refusal = rig.target().user(name).password(Login::PASSWORD).refusal();
        assert_eq!(refusal.code, "28P01", "{name}");
    }
}

#[test]
fn a_query_that_fails_refuses_logins_and_says_nothing_about_itself() {
    for query in [
        "SELECT no_such_column FROM pg_catalog.pg_authid WHERE rolname = $1",
        "SELECT rolname FROM pg_catalog.pg_authid WHERE rolname = $1",
        "SELECT r.rolname, r.rolpassword FROM pg_catalog.pg_authid r, generate_series(1, 2) WHERE r.rolname = $1",
    ] {
        let rig = rig(&format!("{LOOKUPS}query = \"{query}\"\n"));
        let target = rig.target().user(Login::Scram.role()).password(Login::PASSWORD);
        let refusal = target.refusal();
        assert_eq!(refusal.code, "28P01", "{refusal:?}");
        assert!(!refusal.message.contains("column"), "{refusal:?}");
    }
}

#[test]
fn a_configured_user_goes_before_and_a_database_may_go_without_look_ups() {
    let rig = Rig::builder()
        .users("[[user]]\nname = \"app_scram\"\npassword = \"own\"\nserver_user = \"app\"\n")
        .more(&format!(
            "{LOOKUPS}[[database]]\nname = \"*\"\n[[database]]\nname = \"closed\"\nserver_database = \"{{database}}\"\nauth_query = \"off\"\n"
        ))
        .in_process();
    let target = rig.target();
    let mut own = target.user("app_scram").password("own").client();
    assert_eq!(own.value("SELECT session_user"), "app");
    let refusal = target.user("app_scram").password(Login::PASSWORD).refusal();
    assert_eq!(refusal.code, "28P01");
    let md5 = target.user(Login::Md5.role()).password(Login::PASSWORD);
    md5.client().close();
    assert_eq!(md5.database("closed").refusal().code, "28P01");
}

#[test]
fn pass_through_proves_a_password_by_the_servers_own_word() {
    let rig = Rig::builder().users("[[user]]\nname = \"*\"\npass_through = true\n").in_process();
    for login in [Login::Password, Login::Md5, Login::Scram] {
        let target = rig.target().user(login.role());
        let mut client = target.password(Login::PASSWORD).client();
        assert_eq!(client.value("SELECT session_user"), login.role());
        assert_eq!(target.password("wrong").refusal().code, "28P01", "{login:?}");
        // A wrong password of somebody else changes nothing for those who are in.
        assert_eq!(client.value("SELECT 1"), "1");
    }
}

#[test]
fn pgdog_1053_pass_through_opens_neither_the_console_nor_a_server_that_trusts_everybody() {
    let rig = Rig::builder()
        .users("[[user]]\nname = \"*\"\npass_through = true\n")
        .more("[admin]\nusers = [\"app_scram\", \"app\"]\n")
        .in_process();
    let target = rig.target().password(Login::PASSWORD);
    for console in ["howdah", "pgbouncer"] {
        for user in [Login::Scram.role(), "app"] {
            let refusal = target.user(user).database(console).refusal();
            assert_eq!(refusal.code, "28P01", "{user} {console}");
        }
    }
    // PostgreSQL lets `app` in without asking, whatever the password is.
    for password in ["", "anything"] {
        assert_eq!(target.password(password).refusal().code, "28P01");
    }
}
