//! Real servers that die, freeze and restart; clients that flood, stall and send garbage.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah_local::Mode;
use howdah_tests::raw::{Connection, Failure, Frames};
use howdah_tests::{Random, Rig, Servers};

/// Asks until the answer comes, for at most this long.
#[track_caller]
fn recovers(rig: &Rig, limit: Duration) -> Duration {
    let begin = Instant::now();
    loop {
        let answer = rig
            .target()
            .timeout(Duration::from_secs(3))
            .connect()
            .and_then(|mut client| client.query("SELECT 'back'"));
        if answer.as_ref().is_ok_and(|seen| seen.values() == ["back"]) {
            return begin.elapsed();
        }
        assert!(begin.elapsed() < limit, "not back after {limit:?}: {answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn own_rig(timeout: &str) -> Rig {
    Rig::builder().servers(Servers::start()).pool("checkout_timeout", timeout).in_process()
}

#[test]
fn postgresql_killed_while_clients_are_idle_costs_them_nothing() {
    let rig = own_rig("\"10s\"");
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.run("SET work_mem = '5MB'");
        client.answer(&Frames::new().parse("s", "SELECT 'prepared'").sync(), 1);
    }
    rig.servers().primary().kill().unwrap();
    rig.servers().primary().start().unwrap();
    for client in &mut clients {
        assert_eq!(client.value("SHOW work_mem"), "5MB");
        assert_eq!(
            client.answer(&Frames::new().execute_prepared("s", &[]).sync(), 1).values(),
            ["prepared"]
        );
    }
}

#[test]
fn postgresql_killed_in_a_statement_or_transaction_is_told_to_those_clients() {
    let rig = own_rig("\"10s\"");
    let mut running = rig.client();
    let mut inside = rig.client();
    let mut idle = rig.client();
    inside.run("BEGIN");
    idle.run("SELECT 1");
    running.send(&Frames::new().query("SELECT pg_sleep(30)")).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    rig.servers().primary().kill().unwrap();
    let told =
        |transcript: Result<howdah_tests::raw::Transcript, Failure>, who: &str| match transcript {
            Ok(seen) => {
                let code =
                    seen.errors().first().map(|error| error.code.clone()).unwrap_or_default();
                assert!(
                    ["08006", "08007", "57P01", "57P02"].contains(&code.as_str()),
                    "{who}: {seen:?}"
                );
            }
            Err(Failure::TimedOut) => panic!("{who} hears nothing"),
            Err(_) => {}
        };
    told(running.until(b'E', 1), "a running statement");
    told(inside.query("SELECT 1"), "a transaction");
    rig.servers().primary().start().unwrap();
    assert_eq!(idle.value("SELECT 'served'"), "served");
    recovers(&rig, Duration::from_secs(10));
}

/// Clients that count what they were told while the test does something to the servers.
fn under_load(rig: &Rig, clients: usize, event: impl FnOnce()) -> (u64, u64) {
    let stop = AtomicBool::new(false);
    let (good, bad) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for n in 0..clients {
            let (stop, good, bad) = (&stop, &good, &bad);
            let target = rig.target().timeout(Duration::from_secs(15));
            scope.spawn(move || {
                let mut serial = 0;
                while !stop.load(Ordering::Relaxed) {
                    let Ok(mut client) = target.connect() else {
                        bad.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(20));
                        continue;
                    };
                    while !stop.load(Ordering::Relaxed) {
                        serial += 1;
                        let token = format!("{n} {serial}");
                        let frames = Frames::new().extended("SELECT $1::text", &[&token]).sync();
                        match client.exchange(&frames, 1) {
                            Ok(seen) if seen.errors().is_empty() => {
                                assert_eq!(seen.values(), [token], "the answer of another");
                                good.fetch_add(1, Ordering::Relaxed);
                            }
                            Ok(seen) => {
                                let code = &seen.errors()[0].code;
                                assert!(
                                    ["08006", "08007", "08001", "57P01", "57P02", "57P03", "53300"]
                                        .contains(&code.as_str()),
                                    "{:?}",
                                    seen.errors()
                                );
                                bad.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(Failure::TimedOut) => panic!("client {n} hears nothing for 15 s"),
                            Err(_) => {
                                bad.fetch_add(1, Ordering::Relaxed);
                                break;
                            }
                        }
                    }
                }
            });
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(event));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
    (good.into_inner(), bad.into_inner())
}

#[test]
fn postgresql_restarted_under_load_is_used_again_at_once() {
    let rig = own_rig("\"5s\"");
    let (good, bad) = under_load(&rig, 20, || {
        std::thread::sleep(Duration::from_millis(500));
        for mode in [Mode::Fast, Mode::Immediate] {
            rig.servers().primary().stop(mode).unwrap();
            std::thread::sleep(Duration::from_millis(500));
            rig.servers().primary().start().unwrap();
            let took = recovers(&rig, Duration::from_secs(10));
            println!("back after {took:?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    println!("{good} good and {bad} failed requests");
    assert!(good > 1000, "{good} good requests");
    assert!(bad < good / 10, "{bad} of {good} requests failed");
}

#[test]
fn a_frozen_primary_fails_clients_at_their_timeouts_and_works_again_when_thawed() {
    let servers = Servers::start();
    let rig = Rig::builder()
        .servers(servers)
        .pool_size(2)
        .pool("checkout_timeout", "\"500ms\"")
        .pool("connect_timeout", "\"500ms\"")
        .pool("query_timeout", "\"1s\"")
        .in_process();
    let mut client = rig.client();
    client.run("SELECT 1");
    rig.servers().primary().freeze().unwrap();
    let begin = Instant::now();
    let stuck = client.query("SELECT 1");
    let waited = begin.elapsed();
    assert!(
        !matches!(&stuck, Ok(seen) if seen.errors().is_empty()),
        "an answer of a frozen server: {stuck:?}"
    );
    assert!(waited < Duration::from_secs(8), "{waited:?}");
    println!("after {waited:?}: {stuck:?}");
    let begin = Instant::now();
    let mut others: Vec<_> = (0..4)
        .filter_map(|_| rig.target().timeout(Duration::from_secs(8)).connect().ok())
        .collect();
    for other in &mut others {
        let asked = Instant::now();
        let seen = other.query("SELECT 1");
        println!(
            "after {:?}: {:?}",
            asked.elapsed(),
            seen.as_ref().map(howdah_tests::raw::Transcript::errors)
        );
        assert!(
            !matches!(&seen, Ok(seen) if seen.errors().is_empty()),
            "an answer of a frozen server: {seen:?}"
        );
    }
    println!(
        "a statement on a frozen server failed after {waited:?}, others after {:?}",
        begin.elapsed()
    );
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    rig.servers().primary().thaw().unwrap();
    recovers(&rig, Duration::from_secs(10));
}

#[test]
fn two_hundred_clients_on_two_servers_are_all_served_or_told_53300() {
    let rig = Rig::builder().pool_size(2).pool("checkout_timeout", "\"2s\"").in_process();
    let target = rig.target().timeout(Duration::from_secs(30));
    let (served, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for n in 0..200 {
            let (served, refused, target) = (&served, &refused, &target);
            scope.spawn(move || {
                let mut client = target.client();
                for round in 0..5 {
                    let sql = format!("SELECT '{n} {round}' FROM pg_sleep(0.01)");
                    let seen = client.query(&sql).expect("an answer");
                    match seen.errors().as_slice() {
                        [] => {
                            assert_eq!(seen.values(), [format!("{n} {round}")]);
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                        [error] => {
                            assert_eq!(error.code, "53300", "{error:?}");
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                        more => panic!("{more:?}"),
                    }
                }
            });
        }
    });
    let (served, refused) = (served.into_inner(), refused.into_inner());
    println!("{served} served, {refused} refused");
    assert_eq!(served + refused, 1000);
    // Two servers at 10 ms each serve about 150 statements a second; a pool that collapses under overload does not.
    assert!(served > 300, "{served} served");
    assert_eq!(rig.client().value("SELECT 'alive'"), "alive");
}

#[test]
fn a_half_open_login_is_closed_at_its_timeout() {
    let rig = Rig::builder().listen("login_timeout", "\"500ms\"").in_process();
    let mut startup = Vec::new();
    howdah_wire::startup::startup(
        &mut startup,
        0,
        &[("user", "app"), ("database", rig.database())],
    );
    for sent in [&[][..], &startup[..3], &startup[..8], &startup[..startup.len() - 1]] {
        let mut client = Connection::open(&rig.target()).unwrap();
        client.write(sent).unwrap();
        let begin = Instant::now();
        client.timeout = Duration::from_secs(5);
        assert!(client.until_closed().is_ok(), "{} bytes: the connection stays open", sent.len());
        let took = begin.elapsed();
        assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&took), "{took:?}");
    }
    // A drop at a time does not extend it.
    let mut client = Connection::open(&rig.target()).unwrap();
    let begin = Instant::now();
    for byte in &startup {
        if client.write(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(client.until_closed().is_ok() || begin.elapsed() > Duration::from_secs(1));
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert_eq!(rig.client().value("SELECT 'alive'"), "alive");
}

#[test]
fn a_client_that_never_answers_the_password_request_is_closed() {
    let rig = Rig::builder()
        .listen("login_timeout", "\"500ms\"")
        .login(howdah_tests::Login::Scram)
        .in_process();
    let mut client = Connection::open(&rig.target()).unwrap();
    let mut startup = Vec::new();
    howdah_wire::startup::startup(
        &mut startup,
        0,
        &[("user", "app"), ("database", rig.database())],
    );
    client.write(&startup).unwrap();
    client.timeout = Duration::from_secs(5);
    let seen = client.until_closed().expect("closed at its timeout");
    assert_eq!(seen.0.first().map(|reply| reply.tag), Some(b'R'));
}

#[test]
fn malformed_frames_close_their_session_with_08p01_and_nothing_else() {
    let rig = Rig::start();
    let mut witness = rig.client();
    witness.run("BEGIN; SET LOCAL work_mem = '5MB'");
    let bad: Vec<(&str, Frames)> = vec![
        ("unknown tag", Frames::new().frame(b'?', b"")),
        ("a server's tag", Frames::new().frame(b'Z', b"I")),
        ("length 0", Frames::new().bytes(b"Q\0\0\0\0")),
        ("length 3", Frames::new().bytes(b"Q\0\0\0\x03")),
        ("length 4 GiB", Frames::new().bytes(b"Q\xff\xff\xff\xff")),
        ("length 2 GiB of a small message", Frames::new().bytes(b"S\x7f\xff\xff\xff")),
        ("query without an end", Frames::new().frame(b'Q', b"SELECT 1")),
        ("query with two ends", Frames::new().frame(b'Q', b"SELECT 1\0\0")),
        ("parse without an end", Frames::new().frame(b'P', b"name").sync()),
        (
            "parse with too few types",
            Frames::new().frame(b'P', b"\0SELECT 1\0\0\x02\0\0\0\x17").sync(),
        ),
        ("bind with counts that lie", Frames::new().frame(b'B', b"\0\0\x7f\xff").sync()),
        (
            "bind with a parameter that lies",
            Frames::new()
                .parse("", "SELECT $1::text")
                .frame(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xffx\0\0")
                .sync(),
        ),
        ("describe of nothing", Frames::new().frame(b'D', b"").sync()),
        ("describe of an unknown kind", Frames::new().frame(b'D', b"Xname\0").sync()),
        ("close of an unknown kind", Frames::new().frame(b'C', b"Xname\0").sync()),
        ("execute without rows", Frames::new().frame(b'E', b"\0").sync()),
        ("a password now", Frames::new().frame(b'p', b"secret\0")),
        ("sync with a body", Frames::new().frame(b'S', b"body")),
    ];
    for (what, frames) in bad {
        let mut direct = rig.direct().client();
        direct.send(&frames).unwrap();
        direct.timeout = Duration::from_millis(300);
        let expected = direct.until(b'E', 1).ok().and_then(|seen| seen.errors().pop());
        let mut client = rig.client();
        let sent = client.send(&frames);
        client.timeout = Duration::from_secs(3);
        let mut seen = Vec::new();
        let closed = loop {
            match client.reply() {
                Ok(reply) => seen.push(reply),
                Err(Failure::Closed) => break true,
                Err(_) => break false,
            }
        };
        let error = seen.iter().find_map(howdah_tests::raw::Reply::error);
        println!(
            "{what}: directly {:?}, through Howdah {:?}, closed {closed}",
            expected.as_ref().map(|e| &e.code),
            error.as_ref().map(|e| &e.code)
        );
        if let Some(error) = &error {
            let direct = expected.is_some_and(|expected| expected.code == error.code);
            assert!(direct || error.code == "08P01", "{what}: {error:?}");
        }
        assert!(sent.is_err() || error.is_some(), "{what}: no error ({seen:?}, closed {closed})");
        assert_eq!(witness.value("SHOW work_mem"), "5MB", "{what}: a witness in a transaction");
        assert_eq!(rig.client().value("SELECT 'alive'"), "alive", "{what}");
    }
}

#[test]
fn a_flood_of_connections_that_say_nothing_leaves_room_for_others() {
    let rig =
        Rig::builder().listen("login_timeout", "\"1s\"").listen("max_clients", "300").in_process();
    let silent: Vec<_> = (0..200).map(|_| Connection::open(&rig.target()).unwrap()).collect();
    assert_eq!(rig.client().value("SELECT 'served'"), "served");
    std::thread::sleep(Duration::from_millis(1500));
    drop(silent);
    let settled = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        rig.block_on(rig.engine().report()).clients == 0
    });
    assert!(settled, "{} clients are still counted", rig.block_on(rig.engine().report()).clients);
}

#[test]
fn servers_killed_at_random_under_load_never_mix_answers() {
    let rig = Rig::builder().pool_size(4).in_process();
    let mut observer = rig.observer();
    let mut random = Random::new(11);
    let (good, bad) = under_load(&rig, 16, || {
        for _ in 0..60 {
            std::thread::sleep(Duration::from_millis(30 + random.below(40)));
            observer.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1",
            );
        }
    });
    println!("{good} good and {bad} failed requests");
    assert!(good > 1000, "{good} good requests");
    assert!(bad <= 200, "{bad} requests failed by 60 terminated servers");
}

/// Stops or continues one process of a server's.
fn signal_backend(process: u32, signal: rustix::process::Signal) {
    let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(process, signal).unwrap();
}

#[test]
fn a_server_that_fell_silent_while_idle_is_replaced_before_it_is_used() {
    let rig = Rig::builder()
        .pool("check_after_idle", "\"200ms\"")
        .pool("connect_timeout", "\"500ms\"")
        .in_process();
    let mut client = rig.client();
    let silent = client.backend();
    std::thread::sleep(Duration::from_millis(400));
    signal_backend(silent, rustix::process::Signal::STOP);
    let used = client.backend();
    signal_backend(silent, rustix::process::Signal::CONT);
    assert_ne!(used, silent);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(client.backend(), used, "a server that answers is kept");
}

#[test]
fn a_login_may_wait_for_a_server_longer_than_the_login_timeout_and_leaves_nothing() {
    let rig = Rig::builder().listen("login_timeout", "\"500ms\"").pool_size(1).in_process();
    let mut holder = rig.client();
    holder.run("BEGIN");
    let (waiting, leaving) =
        (rig.target().parameter("work_mem", "11MB"), rig.target().parameter("work_mem", "12MB"));
    let waiter = std::thread::spawn(move || waiting.client().value("SHOW work_mem"));
    let mut gone = Connection::open(&leaving).unwrap();
    gone.timeout = Duration::from_millis(800);
    assert!(gone.login().is_err(), "the only server is taken");
    drop(gone);
    std::thread::sleep(Duration::from_millis(500));
    holder.run("COMMIT");
    assert_eq!(waiter.join().unwrap(), "11MB");
    holder.close();
    let begin = Instant::now();
    loop {
        let report = rig.block_on(rig.engine().report());
        let pool = &report.pools[0];
        let rest =
            (pool.clients_waiting, pool.clients_active, pool.servers_active, pool.servers_idle);
        if report.clients == 0 && rest == (0, 0, 0, 1) {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(5), "{report:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
