//! Rules by address (`[[hba]]`, `auth.hba_file`), PgBouncer's list of users, limits of logins, and passwords that change.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use howdah_tests::raw::{Address, Connection};
use howdah_tests::{Login, Rig};
use howdah_wire::startup;

/// A file of the test's own.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("howdah-{name}-{}", std::process::id()));
        let scratch = Self(path);
        scratch.write(text);
        scratch
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).expect("the file is written");
    }

    fn shown(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// `app`, `app_scram` and `root` with the test password, served as `app`.
fn users() -> String {
    let one = |name: &str| {
        let password = Login::PASSWORD;
        format!("[[user]]\nname = \"{name}\"\npassword = \"{password}\"\nserver_user = \"app\"\n")
    };
    ["app", "app_scram", "root"].map(one).concat()
}

#[test]
fn the_first_rule_that_fits_decides_and_without_one_nobody_is_let_in() {
    let rules = "[[hba]]\nname = \"no app\"\nuser = [\"app\"]\nmethod = \"reject\"\n\
        [[hba]]\ndatabase = \"postgres\"\naddress = [\"127.0.0.0/8\"]\nmethod = \"trust\"\n\
        [[hba]]\nuser = [\"app_scram\"]\naddress = \"127.0.0.1\"\nmethod = \"md5\"\n\
        [[hba]]\nuser = [\"root\"]\naddress = \"10.0.0.0/8\"\nmethod = \"trust\"\n";
    let rig = Rig::builder().users(&users()).more(rules).in_process();
    let target = rig.target().password(Login::PASSWORD);
    let refusal = target.refusal();
    assert_eq!(refusal.code, "28000");
    assert!(refusal.message.contains("rejects"), "{refusal:?}");
    assert!(refusal.message.contains("\"127.0.0.1\""), "{refusal:?}");
    assert_eq!(target.database("postgres").refusal().code, "28000", "the first one decides");
    let other = target.user("app_scram");
    other.client().close();
    assert_eq!(other.password("wrong").refusal().code, "28P01");
    other.database("postgres").password("wrong").client().close();
    let refusal = target.user("root").refusal();
    assert_eq!(refusal.code, "28000");
    assert!(refusal.message.contains("no rule"), "{refusal:?}");
    // Somebody who does not exist is told what the rules say, or that the password is wrong, as all others.
    assert_eq!(target.user("nobody").refusal().message, refusal.message.replace("root", "nobody"));
}

#[test]
fn rules_come_from_a_file_of_postgresql_and_a_mistake_in_it_keeps_the_old_ones() {
    let file = Scratch::new("hba", "host all app 127.0.0.1/32 scram-sha-256 # the application\n");
    let more = format!("[auth]\nhba_file = \"{}\"\n", file.shown());
    let rig = Rig::builder().users(&users()).more(&more).in_process();
    let target = rig.target().password(Login::PASSWORD);
    target.client().close();
    assert_eq!(target.user("root").refusal().code, "28000");
    file.write("host all app 127.0.0.1/32 scram-sha-256\nhost all root samenet trust\n");
    let errors = howdah::Config::from_toml(rig.configuration()).expect_err("a mistake");
    assert!(errors.to_string().contains(&format!("{}:2", file.shown())), "{errors}");
    target.client().close();
    file.write("host all root 127.0.0.1/32 trust\n");
    assert_eq!(rig.reload(rig.configuration()), ["auth.hba_file"]);
    assert_eq!(target.refusal().code, "28000");
    target.user("root").client().close();
}

#[test]
fn peer_admits_the_user_of_the_operating_system_and_nobody_else() {
    let directory = std::env::temp_dir().join(format!("howdah-peer-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let own = nix_user();
    let users = format!(
        "[[user]]\nname = \"{own}\"\nserver_user = \"app\"\n[[user]]\nname = \"other\"\nserver_user = \"app\"\n"
    );
    let rig = Rig::builder()
        .users(&users)
        .listen("unix_socket", &format!("\"{}\"", directory.display()))
        .more("[[hba]]\ntype = \"local\"\nmethod = \"peer\"\n")
        .in_process();
    let mut target = rig.target().user(&own);
    assert_eq!(target.refusal().code, "28000", "TCP has no peer");
    target.address = Address::Unix(rig.socket().expect("a socket"));
    assert_eq!(target.client().value("SELECT session_user"), "app");
    let refusal = target.user("other").refusal();
    assert_eq!((refusal.code.as_str(), refusal.message.contains("peer")), ("28000", true));
    drop(rig);
    let _ = std::fs::remove_dir_all(&directory);
}

/// Name of the user that this test runs as.
fn nix_user() -> String {
    let output = std::process::Command::new("id").arg("-un").output().expect("id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn pgbouncers_list_of_users_is_understood_and_read_again_by_a_reload() {
    let servers = Rig::start();
    let stored = |role: &str| {
        let sql = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'");
        servers.observer().value(&sql)
    };
    let (scram, md5) = (stored("app_scram"), stored("app_md5"));
    // As PgBouncer's mkauth.py writes it, and a line by hand.
    let list = format!(
        "\"app_scram\" \"{scram}\" \"\"\n\"app_md5\" \"{md5}\" \"\"\n; plain\n\"app\" \"by \"\"hand\"\"\"\n\"empty\" \"\"\n"
    );
    let file = Scratch::new("userlist", &list);
    let more = format!("[auth]\nfile = \"{}\"\n", file.shown());
    let rig = Rig::builder().users("").more(&more).servers_of(&servers).in_process();
    let target = rig.target();
    for role in ["app_scram", "app_md5"] {
        // The server asks for a proof, too, and nobody has told Howdah the password.
        let mut client = target.user(role).password(Login::PASSWORD).client();
        assert_eq!(client.value("SELECT session_user"), role);
        assert_eq!(target.user(role).password("wrong").refusal().code, "28P01", "{role}");
    }
    target.password("by \"hand\"").client().close();
    for password in ["", "x"] {
        assert_eq!(target.user("empty").password(password).refusal().code, "28P01");
    }
    file.write(&format!("{list}\"late\" unquoted\n"));
    let errors = howdah::Config::from_toml(rig.configuration()).expect_err("a mistake");
    assert!(errors.to_string().contains(&format!("{}:6", file.shown())), "{errors}");
    file.write("\"app\" \"another\"\n\"spare\" \"x\"\n");
    assert_eq!(rig.reload(rig.configuration()), ["auth.file"]);
    assert_eq!(target.password("by \"hand\"").refusal().code, "28P01");
    target.password("another").client().close();
    assert_eq!(target.user("app_scram").password(Login::PASSWORD).refusal().code, "28P01");
}

#[test]
fn connections_that_do_not_log_in_are_counted_by_address() {
    let more = "[auth]\nmax_pending = 1\n";
    let rig = Rig::builder().users(&users()).more(more).in_process();
    let target = rig.target().password(Login::PASSWORD);
    let mut idle = Connection::open(&target).expect("a connection");
    let mut out = Vec::new();
    startup::startup(&mut out, 0, &[("user", "app"), ("database", rig.database())]);
    idle.write(&out).expect("written");
    idle.reply().expect("a request for a proof");
    let refusal = target.refusal();
    assert_eq!(refusal.code, "53300");
    assert!(refusal.hint.is_some_and(|hint| hint.contains("auth.max_pending")));
    drop(idle);
    while target.connect().is_err() {
        std::thread::yield_now();
    }
}

#[test]
fn passwords_change_by_reload_while_a_hundred_clients_work() {
    let other = "[[user]]\nname = \"other\"\npassword = \"x\"\n";
    let rig = Rig::builder().users(other).pool_size(4).in_process();
    let role = format!("turning_{}", rig.database());
    rig.observer().run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'old server'"));
    let (client, server) =
        (Scratch::new("rotated", "old client\n"), Scratch::new("rotated-server", "old server\n"));
    let text = format!(
        "{}\n[[user]]\nname = \"app\"\npassword_file = \"{}\"\nserver_user = \"{role}\"\nserver_password_file = \"{}\"\n",
        rig.configuration(),
        client.shown(),
        server.shown()
    );
    rig.reload(&text);
    let target = rig.target();
    let (stop, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut observer = rig.observer();
    std::thread::scope(|scope| {
        let work = || {
            let mut client = target.password("old client").client();
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(client.value("SELECT 1"), "1");
                turns.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        };
        let workers: Vec<_> = (0..100).map(|_| scope.spawn(work)).collect();
        let more = |count: usize| {
            let goal = turns.load(Ordering::Relaxed) + count;
            while turns.load(Ordering::Relaxed) < goal && !workers.iter().any(|w| w.is_finished()) {
                std::thread::yield_now();
            }
        };
        more(300);
        let before = rig.backends(&mut observer);
        client.write("new client\n");
        server.write("new server\n");
        observer.run(&format!("ALTER ROLE {role} PASSWORD 'new server'"));
        let changed = rig.reload(&text);
        assert_eq!(changed, ["user.app.password_file", "user.app.server_password_file"]);
        // Servers of the old password make way, and nobody notices.
        while rig.backends(&mut observer).iter().any(|pid| before.contains(pid))
            && !workers.iter().any(|w| w.is_finished())
        {
            more(50);
        }
        assert_eq!(target.password("old client").refusal().code, "28P01");
        target.password("new client").client().close();
        more(300);
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().expect("no client has seen an error");
        }
    });
}

#[test]
fn a_password_that_was_wrong_in_the_configuration_is_put_right_by_a_reload() {
    let users = |password: &str| {
        format!(
            "[[user]]\nname = \"app\"\nauth = \"trust\"\nserver_user = \"app_scram\"\nserver_password = \"{password}\"\n"
        )
    };
    let rig = Rig::builder().users(&users("wrong")).in_process();
    assert_eq!(rig.target().refusal().code, "08004");
    let right = rig.configuration().replace("\"wrong\"", &format!("\"{}\"", Login::PASSWORD));
    rig.reload(&right);
    assert_eq!(rig.client().value("SELECT session_user"), "app_scram");
}
