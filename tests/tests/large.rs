//! A gigabyte in either direction, rows of hundreds of megabytes, readers that are slow: the memory of the process stays small.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah_tests::Rig;
use howdah_tests::http::get;
use howdah_tests::raw::Frames;

/// What the process may use, in KiB.
const LIMIT: u64 = 100 * 1024;
const GIGABYTE: u64 = 1_000_000_000;

/// Runs the work while looking at the memory of Howdah's process, and says how much it was at most, in KiB.
fn peak(rig: &Rig, work: impl FnOnce()) -> u64 {
    let done = AtomicBool::new(false);
    let peak = AtomicU64::new(0);
    let process = rig.howdah();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(process.resident_kib(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        // Also when the work panics, or the sampler would never end.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
    peak.load(Ordering::Relaxed)
}

fn rig() -> Rig {
    let rig = Rig::builder().pool_size(4).process();
    rig.client().run("SELECT 1");
    rig
}

#[test]
fn a_result_of_a_gigabyte_passes() {
    let rig = rig();
    let begin = Instant::now();
    let used = peak(&rig, || {
        let mut client = rig.client();
        let sql = "SELECT repeat('x', 1000000) FROM generate_series(1, 1000)";
        client.send(&Frames::new().query(sql)).unwrap();
        let counts = client.discard(None).expect("the whole result");
        assert_eq!(counts.rows, 1000);
        assert!(counts.bytes > GIGABYTE, "{counts:?}");
        assert_eq!(client.value("SELECT 'next'"), "next");
    });
    println!("1 GB of rows in {:?}, at most {used} KiB", begin.elapsed());
    assert!(used < LIMIT, "{used} KiB");
}

#[test]
fn a_single_row_of_two_hundred_megabytes_passes() {
    let rig = rig();
    let used = peak(&rig, || {
        let mut client = rig.client();
        let sql = "SELECT repeat('x', 200000000), 'end'";
        for frames in [Frames::new().query(sql), Frames::new().extended(sql, &[]).sync()] {
            client.send(&frames).unwrap();
            let counts = client.discard(None).expect("the whole row");
            assert_eq!(counts.rows, 1);
            assert!(counts.bytes > GIGABYTE / 5, "{counts:?}");
        }
        assert_eq!(client.value("SELECT 'next'"), "next");
    });
    println!("one row of 200 MB: at most {used} KiB");
    assert!(used < LIMIT, "{used} KiB");
}

#[test]
fn a_copy_of_a_gigabyte_comes_in() {
    let rig = rig();
    let begin = Instant::now();
    let used = peak(&rig, || {
        let mut client = rig.client();
        // Every row is seen by PostgreSQL and none is kept, so that the disk does not matter.
        client.run(
            "CREATE UNLOGGED TABLE sink (a text); \
             CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER swallow BEFORE INSERT ON sink FOR EACH ROW EXECUTE FUNCTION swallow()",
        );
        client.send(&Frames::new().query("COPY sink FROM STDIN")).unwrap();
        client.until(b'G', 1).expect("the server waits for data");
        let mut line = vec![b'x'; 99_999];
        line.push(b'\n');
        let frames = (0..10).fold(Frames::new(), |frames, _| frames.copy_data(&line));
        for _ in 0..1000 {
            client.send(&frames).expect("the data is taken");
        }
        client.timeout = Duration::from_secs(60);
        let seen = client.answer(&Frames::new().copy_done(), 1);
        assert_eq!(seen.errors(), []);
        assert_eq!(seen.summary(), "C Z(I)");
        assert_eq!(client.value("SELECT 'next'"), "next");
    });
    println!("1 GB of COPY in {:?}, at most {used} KiB", begin.elapsed());
    assert!(used < LIMIT, "{used} KiB");
}

#[test]
fn a_copy_of_a_gigabyte_goes_out() {
    let rig = rig();
    let used = peak(&rig, || {
        let mut client = rig.client();
        let sql = "COPY (SELECT repeat('x', 1000000) FROM generate_series(1, 1000)) TO STDOUT";
        client.send(&Frames::new().extended(sql, &[]).sync()).unwrap();
        let counts = client.discard(None).expect("the whole copy");
        assert_eq!(counts.rows, 1000);
    });
    assert!(used < LIMIT, "{used} KiB");
}

#[test]
fn slow_readers_do_not_fill_the_memory_and_do_not_slow_others() {
    let rig = rig();
    let mut slow: Vec<_> = (0..3).map(|_| rig.client()).collect();
    let used = peak(&rig, || {
        for client in &mut slow {
            client
                .send(
                    &Frames::new()
                        .query("SELECT repeat('x', 1000000) FROM generate_series(1, 300)"),
                )
                .unwrap();
        }
        // They read nothing at all for a while; the fourth server is for the others.
        let mut quick = rig.client();
        let begin = Instant::now();
        let mut worst = Duration::ZERO;
        let mut served = 0;
        while begin.elapsed() < Duration::from_secs(3) {
            let asked = Instant::now();
            assert_eq!(quick.value("SELECT 'quick'"), "quick");
            worst = worst.max(asked.elapsed());
            served += 1;
        }
        println!("{served} statements beside slow readers, the slowest took {worst:?}");
        assert!(served > 100, "{served} statements in 3 s");
        for client in &mut slow {
            let counts = client.discard(Some(300_000_000)).expect("the whole result");
            assert_eq!(counts.rows, 300);
        }
    });
    assert!(used < LIMIT, "{used} KiB");
}

#[test]
fn a_parameter_of_a_hundred_megabytes_passes() {
    let rig = rig();
    let used = peak(&rig, || {
        let mut client = rig.client();
        client.timeout = Duration::from_secs(60);
        let text = "x".repeat(100_000_000);
        let frames = Frames::new()
            .parse("", "SELECT length($1::text)")
            .bind("", "", &[&text])
            .execute("", 0)
            .sync();
        drop(text);
        assert_eq!(client.answer(&frames, 1).values(), ["100000000"]);
    });
    println!("a parameter of 100 MB: at most {used} KiB");
    assert!(used < LIMIT, "{used} KiB");
}

#[test]
fn a_statement_of_fifty_megabytes_passes() {
    let rig = rig();
    let used = peak(&rig, || {
        let mut client = rig.client();
        client.timeout = Duration::from_secs(60);
        let text = "x".repeat(50_000_000);
        let frames = Frames::new().query(&format!("SELECT length('{text}')"));
        assert_eq!(client.answer(&frames, 1).values(), ["50000000"]);
        assert_eq!(client.value("SELECT 'next'"), "next");
    });
    println!("a statement of 50 MB: at most {used} KiB");
    assert!(used < LIMIT, "{used} KiB");
}

#[test]
fn idle_clients_hold_little_memory() {
    let rig = Rig::builder().pool_size(2).process();
    let mut first: Vec<_> = (0..50).map(|_| rig.client()).collect();
    for client in &mut first {
        client.run("SELECT repeat('x', 100000)");
    }
    std::thread::sleep(Duration::from_millis(300));
    let before = howdah_local::pss_kib(rig.howdah().id()).expect("its memory");
    let mut more: Vec<_> = (0..400).map(|_| rig.client()).collect();
    for client in &mut more {
        client.run("SELECT repeat('x', 100000)");
    }
    std::thread::sleep(Duration::from_millis(300));
    let after = howdah_local::pss_kib(rig.howdah().id()).expect("its memory");
    let each = after.saturating_sub(before) / 400;
    println!("an idle client holds {each} KiB");
    // What a session keeps between requests is a third of that in a release build: its parts share their places there.
    let optimised = howdah_tests::program().components().any(|part| part.as_os_str() == "release");
    let limit = if optimised { 16 } else { 48 };
    assert!(each <= limit, "an idle client holds {each} KiB");
}

/// More forms of statements than are told apart: 40,000, or as many as `HOWDAH_FORMS` says.
#[test]
fn many_forms_of_statements_do_not_fill_the_memory_and_are_all_counted() {
    let forms = std::env::var("HOWDAH_FORMS").ok().and_then(|forms| forms.parse().ok());
    let forms: u64 = forms.unwrap_or(40_000);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = free.local_addr().unwrap();
    drop(free);
    let rig = Rig::builder().pool_size(4).more(&format!("[web]\nlisten = \"{web}\"\n")).process();
    let mut client = rig.client();
    client.run("SELECT 1");
    let used = peak(&rig, || {
        for batch in 0..forms / 100 {
            let frames = (0..100).fold(Frames::new(), |frames, number| {
                frames.query(&format!("SELECT 1 AS form_{}", batch * 100 + number))
            });
            client.exchange(&frames, 100).unwrap();
        }
    });
    let begin = Instant::now();
    let text = get(web, "/metrics");
    println!(
        "{forms} forms: at most {used} KiB; /metrics, {} bytes, in {:?}",
        text.len(),
        begin.elapsed()
    );
    let counted = text.lines().filter(|line| line.starts_with("howdah_queries_total{"));
    let counted: f64 =
        counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    #[expect(clippy::cast_precision_loss, reason = "millions")]
    let sent = (forms / 100 * 100 + 1) as f64;
    assert_eq!(counted, sent, "{text}");
    assert!(used < LIMIT, "{used} KiB");
}
