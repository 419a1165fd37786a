//! A configuration made from PgBouncer's serves the same clients as PgBouncer does.

use howdah::config::import;
use howdah_local::{Auth, PgBouncer};
use howdah_tests::raw::Target;
use howdah_tests::{Login, Rig};

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
