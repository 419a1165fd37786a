//! Many clients on few servers.

use std::process::Command;
use std::time::{Duration, Instant};

use howdah_tests::Rig;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Lets this process (and what it starts) open as many files as it may.
fn many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("a process may use its own limit");
}

#[test]
fn a_thousand_clients_are_served_by_twenty_servers() {
    many_files();
    let rig = Rig::builder().pool_size(20).pool("checkout_timeout", "\"60s\"").process();
    let target = rig.target().timeout(Duration::from_secs(60));
    let mut clients: Vec<_> = (0..1000).map(|_| target.client()).collect();
    let begin = Instant::now();
    for round in 0..3 {
        // All ask before anybody reads.
        for (n, client) in clients.iter_mut().enumerate() {
            let sql = format!("SELECT 'client {n} round {round}' FROM pg_sleep(0.001)");
            client.send(&howdah_tests::raw::Frames::new().query(&sql)).unwrap();
        }
        for (n, client) in clients.iter_mut().enumerate() {
            let seen = client.until(b'Z', 1).expect("an answer");
            assert_eq!(seen.values(), [format!("client {n} round {round}")]);
        }
    }
    let took = begin.elapsed();
    let mut observer = rig.observer();
    let servers = rig.backends(&mut observer).len();
    assert!((1..=20).contains(&servers), "{servers} servers");
    assert!(took < Duration::from_secs(30), "3,000 statements in {took:?}");
    assert_eq!(rig.howdah().complaints(), Vec::<String>::new());
}

#[test]
fn waiting_clients_are_served_first_come_first_served() {
    let rig = Rig::builder().pool_size(1).in_process();
    let mut holder = rig.client();
    holder.run("CREATE SEQUENCE turn; BEGIN");
    let mut clients: Vec<_> = (0..20).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.send(&howdah_tests::raw::Frames::new().query("SELECT nextval('turn')")).unwrap();
        // The order in which they ask must be the order in which they are heard.
        std::thread::sleep(Duration::from_millis(15));
    }
    holder.run("COMMIT");
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.until(b'Z', 1).unwrap().values(), [(n + 1).to_string()]);
    }
}

#[test]
fn several_workers_keep_the_size_of_the_pool() {
    let rig = Rig::builder().pool_size(4).listen("workers", "2").in_process();
    let target = rig.target();
    let threads: Vec<_> = (0..16)
        .map(|n| {
            let target = target.clone();
            std::thread::spawn(move || {
                let mut client = target.client();
                for round in 0..50 {
                    assert_eq!(
                        client.value(&format!("SELECT '{n} {round}' FROM pg_sleep(0.001)")),
                        format!("{n} {round}")
                    );
                }
            })
        })
        .collect();
    let mut observer = rig.observer();
    let mut most = 0;
    while threads.iter().any(|thread| !thread.is_finished()) {
        most = most.max(rig.backends(&mut observer).len());
        std::thread::sleep(Duration::from_millis(5));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!((1..=4).contains(&most), "{most} servers at once");
}

fn pgbench(mode: &str) {
    let long = std::env::var_os("HOWDAH_LONG").is_some();
    let seconds = if long { "60" } else { "5" };
    many_files();
    let rig = Rig::builder().pool_size(20).process();
    let port = rig.port().to_string();
    let run = |arguments: &[&str], port: &str| {
        let output = Command::new("pgbench")
            .args(["-h", "127.0.0.1", "-p", port, "-U", "app"])
            .args(arguments)
            .arg(rig.database())
            .output()
            .expect("pgbench is installed");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    run(&["-i", "-s", "1", "-q"], &port);
    // pgbench prepares with a blocking call: its other clients of that thread, inside transactions, would keep all servers.
    let scripts =
        if mode == "prepared" { &[["-S", "-n"]][..] } else { &[["-S", "-n"], ["-N", "-n"]] };
    for script in scripts {
        let arguments =
            [&script[..], &["-M", mode, "-c", "200", "-j", "2", "-T", seconds]].concat();
        let (out, err) = run(&arguments, &port);
        assert!(out.contains("number of failed transactions: 0 (0.000%)"), "{out}");
        assert_eq!(err, "", "pgbench complains");
        let done = out
            .lines()
            .find_map(|line| line.strip_prefix("number of transactions actually processed: "));
        let done: u64 =
            done.and_then(|number| number.trim().parse().ok()).expect("a number of transactions");
        assert!(done > 1000, "{out}");
        if long {
            println!("{mode} {script:?}: {out}");
        }
    }
    assert_eq!(rig.howdah().complaints(), Vec::<String>::new());
}

#[test]
fn pgbench_runs_without_an_error_in_simple_mode() {
    pgbench("simple");
}

#[test]
fn pgbench_runs_without_an_error_in_extended_mode() {
    pgbench("extended");
}

#[test]
fn pgbench_runs_without_an_error_in_prepared_mode() {
    pgbench("prepared");
}
