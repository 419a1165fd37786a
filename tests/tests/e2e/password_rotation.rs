//! Passwords that are changed, in PostgreSQL and in Howdah's secret file, while everybody works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah_tests::raw::Target;
use howdah_tests::{Files, Login, Rig, Servers, eventually};

/// Clients at work during the rotation.
const CLIENTS: usize = 100;

const OLD: &str = Login::PASSWORD;
const NEW: &str = "another-password";

/// Works until it is told to stop, and logs in anew now and then, with whichever password is in force.
fn work(target: &Target, stop: &AtomicBool, done: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        let login = |password| target.clone().password(password).connect();
        let mut client = login(OLD).or_else(|_| login(NEW)).expect("one of the two passwords");
        for _ in 0..20 {
            assert_eq!(client.value("SELECT 6 * 7"), "42");
            done.fetch_add(1, Ordering::Relaxed);
        }
        client.close();
    }
}

#[test]
fn a_hundred_clients_do_not_notice_that_a_password_is_rotated() {
    let files = Files::new();
    files.put("secret", OLD);
    let secret = files.path().join("secret").display().to_string();
    let role = Login::Scram.role();
    // Servers do not live long, so they log in all the time, too.
    let rig = Rig::builder()
        .servers(Servers::start())
        .users(&format!(
            "[[user]]\nname = \"{role}\"\nauth = \"scram-sha-256\"\npassword_file = {secret:?}\n"
        ))
        .listen("max_clients", "300")
        .pool_size(5)
        .pool("max_lifetime", "\"500ms\"")
        .in_process();
    let target = rig.target().user(role);
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut veteran = target.password(OLD).client();
    let first = veteran.value("SELECT pg_backend_pid()");
    let threads: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (target, stop, done) = (target.clone(), Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || work(&target, &stop, &done))
        })
        .collect();
    let progress = |count: u64| {
        let until = done.load(Ordering::Relaxed) + count;
        let deadline = Instant::now() + Duration::from_secs(120);
        while done.load(Ordering::Relaxed) < until {
            assert!(Instant::now() < deadline, "the clients stand still");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    progress(2000);
    // As an administrator does it: one after the other. In between servers log in with what is no longer right.
    rig.observer().run(&format!("ALTER ROLE {role} PASSWORD '{NEW}'"));
    // Those that are open stay, although their time is over.
    eventually("a server that was refused", || {
        let report = rig.block_on(rig.engine().report());
        let errors = report.pools.into_iter().filter_map(|pool| pool.last_error);
        errors.into_iter().any(|error| error.contains("28P01"))
    });
    progress(2000);
    files.put("secret", NEW);
    rig.reload(rig.configuration());
    progress(2000);
    let refused = target.password(OLD).refusal();
    assert_eq!(refused.code, "28P01", "the old password is no longer right");
    assert_eq!(veteran.value("SELECT 2"), "2", "open connections go on");
    assert_ne!(veteran.value("SELECT pg_backend_pid()"), first, "on servers with the new password");
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("a client without an error");
    }
}
