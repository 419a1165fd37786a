//! Certificates that are changed while everybody works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah::Config;
use howdah_tests::raw::{Target, Tls};
use howdah_tests::{Authority, Builder, Files, Rig};

/// Clients at work during the rotation.
const CLIENTS: usize = 100;

fn door(files: &Files) -> Builder {
    let quoted = |name: &str| format!("{:?}", files.path().join(name).display().to_string());
    Rig::builder()
        .listen("tls", "\"require\"")
        .listen("tls_cert", &quoted("server.crt"))
        .listen("tls_key", &quoted("server.key"))
        .listen("max_clients", "300")
}

/// Works until it is told to stop, and reconnects now and then, to whichever certificate is shown.
fn work(targets: &[Target; 2], stop: &AtomicBool, done: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        let connected = targets[0].connect().or_else(|_| targets[1].connect());
        let mut client = connected.expect("one of the two certificates");
        for _ in 0..20 {
            assert_eq!(client.value("SELECT 6 * 7"), "42");
            done.fetch_add(1, Ordering::Relaxed);
        }
        client.close();
    }
}

#[test]
fn a_hundred_clients_do_not_notice_that_certificates_are_rotated() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let files = Files::new();
    files.put_signed("server", &old.server(&["localhost"]));
    let rig = door(&files).in_process();
    let by = |authority| rig.target().tls(&Tls::new(authority, &["postgresql"]));
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut veteran = by(&old).client();
    let threads: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let targets = [by(&old), by(&new)];
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || work(&targets, &stop, &done))
        })
        .collect();
    let progress = |count: u64| {
        let (until, deadline) =
            (done.load(Ordering::Relaxed) + count, Instant::now() + Duration::from_secs(120));
        while done.load(Ordering::Relaxed) < until {
            assert!(Instant::now() < deadline, "the clients stand still");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    progress(2000);
    files.put_signed("server", &new.server(&["localhost"]));
    let changed = rig.reload(rig.configuration());
    assert_eq!(changed, ["listen.tls_cert", "listen.tls_key"]);
    progress(2000);
    assert_eq!(by(&new).client().value("SELECT 1"), "1", "new connections see the new certificate");
    assert!(by(&old).connect().is_err(), "and not the old one");
    assert_eq!(veteran.value("SELECT 2"), "2", "open ones go on");
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("a client without an error");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_a_mistake_and_what_was_there_stays_in_force() {
    let authority = Authority::new("an authority");
    let files = Files::new();
    files.put_signed("server", &authority.server(&["localhost"]));
    let rig = door(&files).in_process();
    for (name, contents, reason) in [
        ("server.key", authority.server(&["localhost"]).key().to_owned(), "not the certificate's"),
        ("server.crt", "nothing of use".to_owned(), "no certificate"),
    ] {
        let before = std::fs::read_to_string(files.path().join(name)).expect("a file");
        files.put(name, &contents);
        let errors = Config::from_toml(rig.configuration()).expect_err("a mistake").to_string();
        assert!(errors.contains(reason), "{name}: {errors}");
        files.put(name, &before);
    }
    let target = rig.target().tls(&Tls::new(&authority, &["postgresql"]));
    assert_eq!(target.client().value("SELECT 1"), "1");
}

#[test]
fn an_end_of_our_certificate_that_is_near_is_said() {
    let authority = Authority::new("an authority");
    let files = Files::new();
    files.put_signed("server", &authority.expired(&["localhost"]));
    let rig = door(&files).in_process();
    let path = files.put("howdah.toml", rig.configuration());
    let options = howdah::config::LoadOptions {
        config_path: Some(path.into()),
        ..howdah::config::LoadOptions::default()
    };
    let loaded = Config::load(options).expect("a configuration");
    let notices: Vec<_> = loaded.notices.iter().map(ToString::to_string).collect();
    assert!(notices.iter().any(|notice| notice.contains("has expired")), "{notices:?}");
}
