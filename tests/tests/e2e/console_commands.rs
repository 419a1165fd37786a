//! What the console's commands do: to clients that work, to servers, to Howdah itself.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah::Request;
use howdah_tests::raw::{Connection, Frames, Target};
use howdah_tests::{Rig, eventually};
use rustix::process::Signal;

use crate::console::{cell, table};

fn console(rig: &Rig) -> Connection {
    rig.target().database("howdah").timeout(Duration::from_secs(60)).client()
}

/// Clients that ask again and again until they are stopped; each answer must be right.
fn under_load(target: &Target, work: impl FnOnce(&AtomicU64)) {
    let (stop, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6_u64)
            .map(|n| {
                let (stop, answers) = (&stop, &answers);
                let target = target.timeout(Duration::from_secs(60));
                scope.spawn(move || {
                    let mut client = target.client();
                    for turn in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let wanted = (n * 1_000_000 + turn).to_string();
                        if n % 2 == 0 {
                            assert_eq!(client.value(&format!("SELECT {wanted}")), wanted);
                        } else {
                            client.run("BEGIN");
                            assert_eq!(client.value(&format!("SELECT {wanted}")), wanted);
                            client.run("COMMIT");
                        }
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        eventually("the clients work", || answers.load(Ordering::Relaxed) > 50);
        work(&answers);
        let before = answers.load(Ordering::Relaxed);
        eventually("the clients go on", || answers.load(Ordering::Relaxed) > before + 50);
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("no client sees an error");
        }
    });
}

#[test]
fn clients_notice_nothing_of_a_pause_but_the_wait() {
    for workers in ["1", "2"] {
        let rig = Rig::builder().pool_size(8).listen("workers", workers).in_process();
        let mut console = console(&rig);
        let mut observer = rig.observer();
        under_load(&rig.target(), |answers| {
            for scope in ["", rig.database()] {
                assert_eq!(console.run(&format!("PAUSE {scope}")).commands(), ["PAUSE"]);
                // PostgreSQL's process ends a moment after its connection.
                eventually("no server is left", || rig.backends(&mut observer).is_empty());
                let standing = answers.load(Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(150));
                assert!(answers.load(Ordering::Relaxed) <= standing + 6, "clients are not held");
                assert!(rig.backends(&mut observer).is_empty(), "a server was opened");
                assert_eq!(console.run(&format!("RESUME {scope}")).commands(), ["RESUME"]);
                eventually("clients go on", || answers.load(Ordering::Relaxed) > standing + 20);
            }
        });
    }
}

#[test]
fn a_pause_waits_for_open_transactions_and_for_clients_in_session_mode() {
    for (mode, end) in [("transaction", "COMMIT"), ("session", "")] {
        let rig = Rig::builder().mode(mode).in_process();
        let mut client = rig.client();
        client.run(if mode == "session" { "SELECT 1" } else { "BEGIN" });
        let mut admin = console(&rig);
        admin.send(&Frames::new().query("PAUSE")).unwrap();
        assert!(admin.is_silent(Duration::from_millis(300)), "{mode}: it does not wait");
        assert_eq!(client.value("SELECT 'goes on'"), "goes on");
        if end.is_empty() {
            client.close();
        } else {
            client.run(end);
        }
        assert_eq!(admin.until(b'Z', 1).unwrap().commands(), ["PAUSE"]);
        assert_eq!(cell(&mut admin, "SHOW STATE", ("key", "paused"), "value"), "yes");
        admin.run("RESUME");
        assert_eq!(cell(&mut admin, "SHOW STATE", ("key", "active"), "value"), "yes");
    }
}

#[test]
fn a_pause_that_is_cancelled_or_left_alone_is_taken_back() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run("BEGIN");
    let mut admin = console(&rig);
    admin.send(&Frames::new().query("PAUSE")).unwrap();
    let mut other = console(&rig);
    let paused =
        |other: &mut Connection| cell(other, "SHOW STATE", ("key", "paused"), "value") == "yes";
    eventually("paused", || paused(&mut other));
    admin.cancel();
    assert_eq!(admin.until(b'Z', 1).unwrap().errors()[0].code, "57014");
    assert!(!paused(&mut other));
    admin.send(&Frames::new().query("PAUSE")).unwrap();
    eventually("paused", || paused(&mut other));
    drop(admin);
    eventually("taken back", || !paused(&mut other));
    client.run("COMMIT");
}

#[test]
fn waiting_in_a_pause_has_no_end_unless_one_is_configured() {
    let rig = Rig::builder().pool("checkout_timeout", "\"300ms\"").in_process();
    let mut admin = console(&rig);
    let mut client = rig.client();
    admin.run("PAUSE");
    client.send(&Frames::new().query("SELECT 'after all'")).unwrap();
    assert!(client.is_silent(Duration::from_millis(800)), "checkout_timeout counts");
    admin.run("RESUME");
    assert_eq!(client.until(b'Z', 1).unwrap().values(), ["after all"]);
    let rig = Rig::builder().pool("pause_timeout", "\"300ms\"").in_process();
    let (mut admin, mut client) = (console(&rig), rig.client());
    admin.run("PAUSE");
    assert_eq!(client.error("SELECT 1").code, "57P03");
    admin.run("RESUME");
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn new_clients_wait_for_the_end_of_a_pause() {
    let rig = Rig::start();
    let mut admin = console(&rig);
    admin.run(&format!("PAUSE {}", rig.database()));
    // Nobody has logged in yet: the login itself needs a server.
    let target = rig.target().timeout(Duration::from_secs(60));
    std::thread::scope(|scope| {
        let client = scope.spawn(|| target.client().value("SELECT 'in'"));
        let here = ("database", rig.database());
        eventually("it waits", || {
            let pools = table(&mut admin, "SHOW POOLS");
            !pools.is_empty() && cell(&mut admin, "SHOW POOLS", here, "cl_waiting") == "1"
        });
        let here = ("name", rig.database());
        assert_eq!(cell(&mut admin, "SHOW DATABASES", here, "paused"), "1");
        admin.run(&format!("RESUME {}", rig.database()));
        assert_eq!(client.join().unwrap(), "in");
    });
}

/// PgBouncer #848: after a switchover clients were told for long that the login was rejected.
#[test]
fn pgbouncer_848_a_restart_of_postgresql_in_a_pause_leaves_no_trace() {
    let rig = Rig::builder().servers(howdah_tests::Servers::start()).pool_size(4).in_process();
    let mut admin = console(&rig);
    under_load(&rig.target(), |_| {
        admin.run("PAUSE");
        let primary = rig.servers().primary();
        primary.stop(howdah_local::Mode::Immediate).unwrap();
        // Somebody comes while nothing is there.
        let target =
            rig.target().parameter("application_name", "early").timeout(Duration::from_secs(60));
        std::thread::scope(|scope| {
            let early = scope.spawn(move || target.client().value("SELECT 'early'"));
            std::thread::sleep(Duration::from_millis(300));
            primary.start().unwrap();
            admin.run("RESUME");
            assert_eq!(early.join().unwrap(), "early");
        });
    });
}

/// PgBouncer #420, #498: a pause of one database must not touch others, nor clients without a request.
#[test]
fn pgbouncer_420_and_498_a_pause_of_one_database_is_felt_by_nobody_else() {
    let one = Rig::start();
    let mut there = one.target().database("postgres").client();
    let mut idle = one.client();
    idle.run("SELECT 1");
    let mut admin = console(&one);
    admin.run(&format!("PAUSE {}", one.database()));
    assert_eq!(there.value("SELECT 'other databases go on'"), "other databases go on");
    assert!(idle.is_silent(Duration::from_millis(200)), "an idle client is told something");
    assert_eq!(admin.error("RESUME postgres").message, "database postgres is not paused");
    admin.run("RESUME");
    assert_eq!(idle.value("SELECT 'here again'"), "here again");
    assert!(admin.error("RESUME").message.contains("not paused"));
    assert_eq!(admin.error("PAUSE howdah").code, "22023");
}

#[test]
fn a_disabled_database_takes_no_new_clients_and_keeps_the_old_ones() {
    let rig = Rig::start();
    let mut old = rig.client();
    let mut admin = console(&rig);
    admin.run(&format!("DISABLE {}", rig.database()));
    let refusal = rig.target().refusal();
    assert_eq!((refusal.severity.as_str(), refusal.code.as_str()), ("FATAL", "57P03"));
    assert_eq!(old.value("SELECT 'old'"), "old");
    let here = ("name", rig.database());
    assert_eq!(cell(&mut admin, "SHOW DATABASES", here, "disabled"), "1");
    admin.run(&format!("ENABLE {}", rig.database()));
    assert_eq!(rig.client().value("SELECT 'new'"), "new");
    assert!(admin.error("DISABLE").message.contains("required"));
}

#[test]
fn reconnect_renews_every_server_without_an_error() {
    let rig = Rig::builder().pool_size(4).in_process();
    let mut admin = console(&rig);
    let mut observer = rig.observer();
    under_load(&rig.target(), |_| {
        let before = rig.backends(&mut observer);
        assert!(!before.is_empty());
        assert_eq!(admin.run("RECONNECT").commands(), ["RECONNECT"]);
        assert_eq!(admin.run("WAIT_CLOSE").commands(), ["WAIT_CLOSE"]);
        eventually("the old servers are gone", || {
            let now = rig.backends(&mut observer);
            before.iter().all(|pid| !now.contains(pid))
        });
    });
}

#[test]
fn wait_close_waits_for_the_last_transaction_on_an_old_server() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run("BEGIN");
    let old = client.value("SELECT pg_backend_pid()");
    let mut admin = console(&rig);
    admin.run(&format!("RECONNECT {}", rig.database()));
    assert_eq!(table(&mut admin, "SHOW SERVERS")[0]["close_needed"].as_deref(), Some("1"));
    admin.send(&Frames::new().query(&format!("WAIT_CLOSE {}", rig.database()))).unwrap();
    assert!(admin.is_silent(Duration::from_millis(300)));
    assert_eq!(client.value("SELECT pg_backend_pid()"), old);
    client.run("COMMIT");
    assert_eq!(admin.until(b'Z', 1).unwrap().commands(), ["WAIT_CLOSE"]);
    assert_ne!(client.value("SELECT pg_backend_pid()"), old);
}

/// Statements of the rig's database that sleep now.
fn sleepers(observer: &mut Connection) -> String {
    observer.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
    )
}

#[test]
fn kill_disconnects_clients_and_servers_and_holds_new_ones_back() {
    let rig = Rig::start();
    let mut running = rig.client();
    running.send(&Frames::new().query("SELECT pg_sleep(600)")).unwrap();
    let mut idle = rig.client();
    let mut elsewhere = rig.target().database("postgres").client();
    elsewhere.run("SELECT 1");
    let mut observer = rig.observer();
    eventually("it sleeps", || sleepers(&mut observer) == "1");
    let mut admin = console(&rig);
    assert_eq!(admin.run(&format!("KILL {}", rig.database())).commands(), ["KILL"]);
    for client in [&mut running, &mut idle] {
        assert_eq!(client.until_closed().unwrap().errors()[0].code, "57P01");
    }
    eventually("the servers are gone", || rig.backends(&mut observer).is_empty());
    assert_eq!(elsewhere.value("SELECT 'untouched'"), "untouched");
    let target = rig.target().timeout(Duration::from_secs(60));
    std::thread::scope(|scope| {
        let client = scope.spawn(|| target.client().value("SELECT 'resumed'"));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!client.is_finished(), "it did not wait");
        admin.run(&format!("RESUME {}", rig.database()));
        assert_eq!(client.join().unwrap(), "resumed");
    });
}

#[test]
fn kill_client_ends_one_client_and_what_it_runs() {
    let rig = Rig::builder().pool_size(2).in_process();
    let mut victim = rig.client();
    let mut other = rig.client();
    victim.send(&Frames::new().query("SELECT pg_sleep(600)")).unwrap();
    let mut admin = console(&rig);
    let id = victim.process_id.to_string();
    let mut observer = rig.observer();
    eventually("it sleeps", || sleepers(&mut observer) == "1");
    assert_eq!(cell(&mut admin, "SHOW CLIENTS", ("id", &id), "state"), "active");
    assert_eq!(admin.run(&format!("KILL_CLIENT {id}")).commands(), ["KILL_CLIENT"]);
    assert_eq!(victim.until_closed().unwrap().errors()[0].code, "57P01");
    eventually("its statement ends", || sleepers(&mut observer) == "0");
    assert_eq!(other.value("SELECT 'other'"), "other");
    assert!(admin.error(&format!("KILL_CLIENT {id}")).message.contains("not found"));
    let own = admin.process_id;
    assert!(admin.error(&format!("KILL_CLIENT {own}")).message.contains("not found"), "a console");
}

#[test]
fn who_waits_long_is_told_why() {
    let rig = Rig::builder().pool_size(1).pool("wait_notice", "\"200ms\"").in_process();
    let mut holder = rig.client();
    holder.run("BEGIN");
    let mut client = rig.client();
    client.send(&Frames::new().query("SELECT 'at last'")).unwrap();
    let notice = client.reply().unwrap();
    assert_eq!(notice.tag, b'N');
    assert!(notice.error().unwrap().message.contains("no server connection"), "{notice:?}");
    assert!(client.is_silent(Duration::from_millis(500)), "it is told once");
    holder.run("COMMIT");
    assert_eq!(client.until(b'Z', 1).unwrap().values(), ["at last"]);
    // Not during the login, where drivers do not expect it.
    let mut admin = console(&rig);
    admin.run("PAUSE");
    let target = rig.target().parameter("TimeZone", "Asia/Tokyo").timeout(Duration::from_secs(60));
    std::thread::scope(|scope| {
        let late = scope.spawn(|| target.client());
        std::thread::sleep(Duration::from_millis(600));
        admin.run("RESUME");
        let late = late.join().unwrap();
        assert!(late.welcome.notices().is_empty(), "{:?}", late.welcome);
    });
}

#[test]
fn without_a_program_around_it_the_console_does_not_pretend_to_reload() {
    let rig = Rig::start();
    let mut admin = console(&rig);
    for command in ["RELOAD", "SHUTDOWN"] {
        assert_eq!(admin.error(command).code, "0A000", "{command}");
    }
    assert_eq!(admin.error("SUSPEND").code, "0A000");
    assert_eq!(rig.client().value("SELECT 1"), "1");
}

#[test]
fn reload_reads_the_file_and_says_what_is_wrong_with_it() {
    let rig = Rig::builder().process();
    let mut admin = console(&rig);
    let file = rig.howdah().configuration_file();
    std::fs::write(&file, rig.configuration().replace("max_size = 3", "max_size = 2")).unwrap();
    assert_eq!(admin.run("RELOAD").commands(), ["RELOAD"]);
    assert_eq!(cell(&mut admin, "SHOW CONFIG", ("key", "pool.max_size"), "value"), "2");
    std::fs::write(&file, "not a configuration").unwrap();
    let refused = admin.error("RELOAD");
    assert!(refused.message.contains("nothing has changed"), "{refused:?}");
    assert_eq!(rig.client().value("SELECT 1"), "1");
}

/// The listeners are open before the program that starts Howdah takes requests.
#[test]
fn a_reload_that_is_asked_for_during_the_start_waits_for_the_program() {
    let rig = Rig::start();
    let mut admin = console(&rig);
    admin.send(&Frames::new().query("RELOAD")).unwrap();
    assert!(admin.is_silent(Duration::from_millis(300)), "it is refused");
    match rig.block_on(rig.engine().request()) {
        Request::Reload(answer) => answer.give(Ok(())),
        other @ (Request::Mark(..) | Request::Shutdown(_)) => panic!("{other:?}"),
    }
    assert_eq!(admin.until(b'Z', 1).unwrap().commands(), ["RELOAD"]);
}

#[test]
fn whoever_connects_after_a_reload_is_served_by_the_new_configuration() {
    let rig = Rig::builder().listen("workers", "2").in_process();
    let open = rig.configuration().to_owned();
    let closed = open.replace("name = \"*\"", "name = \"somebody\"");
    for _ in 0..20 {
        rig.reload(&closed);
        assert_eq!(rig.target().refusal().code, "28000");
        rig.reload(&open);
        assert_eq!(rig.client().value("SELECT 1"), "1");
    }
}

#[test]
fn shutdown_ends_the_program_at_once() {
    let mut rig = Rig::builder().process();
    let mut client = rig.client();
    client.run("BEGIN");
    let mut admin = console(&rig);
    admin.send(&Frames::new().query("SHUTDOWN")).unwrap();
    assert_eq!(rig.wait(Duration::from_secs(20)), Some(0));
    assert_eq!(client.until_closed().unwrap().errors()[0].code, "57P01");
}

#[test]
fn shutdown_wait_for_servers_lets_transactions_end() {
    let mut rig = Rig::builder().process();
    let (mut working, mut idle) = (rig.client(), rig.client());
    working.run("BEGIN");
    let mut admin = console(&rig);
    assert_eq!(admin.run("SHUTDOWN WAIT_FOR_SERVERS").commands(), ["SHUTDOWN"]);
    assert_eq!(idle.until_closed().unwrap().errors()[0].code, "57P01");
    assert!(rig.target().connect().is_err(), "a new client is admitted");
    assert_eq!(working.value("SELECT 'still there'"), "still there");
    // The console shows how far it is.
    assert!(!table(&mut admin, "SHOW CLIENTS").is_empty());
    working.run("COMMIT");
    assert_eq!(working.until_closed().unwrap().errors()[0].code, "57P01");
    assert_eq!(rig.wait(Duration::from_secs(20)), Some(0));
}

#[test]
fn shutdown_wait_for_clients_disconnects_nobody() {
    let mut rig = Rig::builder().process();
    let mut client = rig.client();
    let mut admin = console(&rig);
    assert_eq!(admin.run("SHUTDOWN WAIT_FOR_CLIENTS").commands(), ["SHUTDOWN"]);
    eventually("no new clients", || rig.target().connect().is_err());
    for turn in 0..5 {
        assert_eq!(client.value(&format!("SELECT {turn}")), turn.to_string());
    }
    assert!(admin.error("RELOAD").message.contains("shutting down"));
    client.close();
    assert_eq!(rig.wait(Duration::from_secs(20)), Some(0));
}

#[test]
fn signals_pause_resume_and_quit() {
    let mut rig = Rig::builder().process();
    let mut client = rig.client();
    let mut admin = console(&rig);
    let mut paused = || cell(&mut admin, "SHOW STATE", ("key", "paused"), "value") == "yes";
    rig.howdah().signal(Signal::USR1);
    eventually("paused", &mut paused);
    client.send(&Frames::new().query("SELECT 'resumed'")).unwrap();
    assert!(client.is_silent(Duration::from_millis(300)));
    rig.howdah().signal(Signal::USR2);
    assert_eq!(client.until(b'Z', 1).unwrap().values(), ["resumed"]);
    assert!(!paused());
    client.run("BEGIN");
    rig.howdah().signal(Signal::QUIT);
    assert_eq!(client.until_closed().unwrap().errors()[0].code, "57P01");
    assert_eq!(rig.wait(Duration::from_secs(20)), Some(0));
}

#[test]
fn pgbench_sees_no_error_in_pauses_and_reconnects() {
    let rig = Rig::builder().pool_size(4).process();
    let mut owner = rig.direct().client();
    owner.run("CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, abalance int); \
               INSERT INTO pgbench_accounts SELECT n, 0 FROM generate_series(1, 100000) n; \
               CREATE TABLE pgbench_branches (bid int, bbalance int); INSERT INTO pgbench_branches VALUES (1, 0); \
               CREATE TABLE pgbench_tellers (tid int, bid int, tbalance int)");
    let mut admin = console(&rig);
    for mode in ["simple", "prepared"] {
        let child = Command::new("pgbench")
            .args(["-n", "-S", "-M", mode, "-c", "8", "-T", "4", "-h", "127.0.0.1", "-U", "app"])
            .args(["-p", &rig.port().to_string(), rig.database()])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end {
            admin.run("PAUSE");
            std::thread::sleep(Duration::from_millis(50));
            admin.run("RESUME");
            std::thread::sleep(Duration::from_millis(150));
            admin.run("RECONNECT");
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("error"), "{mode}: {said}");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("number of failed transactions: 0"), "{mode}: {shown}");
    }
}
