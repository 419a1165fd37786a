//! Random bytes and damaged conversations against a running Howdah: whatever a client sends, only its own session suffers.
//! The parsers themselves are fuzzed in `fuzz/`; this is the whole program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use std::time::{Duration, Instant};

use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Random, Rig};

/// How long each test sends.
const TIME: Duration = Duration::from_secs(8);

fn seed() -> u64 {
    let seed = std::env::var("HOWDAH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(4711);
    println!("HOWDAH_SEED={seed}");
    seed
}

/// Requests that work.
fn requests(random: &mut Random) -> Frames {
    let mut frames = Frames::new();
    for _ in 0..1 + random.below(6) {
        let text = format!("{:x}", random.next());
        frames = match random.below(8) {
            0 => frames.query(&format!("SELECT '{text}'; SELECT 2")),
            1 => frames.query("BEGIN").query("SELECT 1 / 0").query("ROLLBACK"),
            2 => frames.parse(&text, "SELECT $1::text, $2::int").describe_statement(&text).sync(),
            3 => frames.extended("SELECT $1::text", &[&text]).sync(),
            4 => frames
                .parse("n", "SELECT 1")
                .bind("p", "n", &[])
                .execute("p", 1)
                .flush()
                .close_statement("n")
                .sync(),
            5 => frames
                .query("COPY junk FROM STDIN")
                .copy_data(text.as_bytes())
                .copy_data(b"\n")
                .copy_done(),
            6 => frames.query("COPY (SELECT 1) TO STDOUT").sync(),
            _ => frames.function_call(177, &["1", "2"]).copy_fail("x").flush().sync(),
        };
    }
    frames
}

fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    let length = u64::try_from(bytes.len()).unwrap();
    for _ in 0..1 + random.below(4) {
        let at = usize::try_from(random.below(length)).unwrap().min(bytes.len() - 1);
        match random.below(5) {
            0 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at.max(1)),
            3 => bytes.insert(at, u8::try_from(random.below(256)).unwrap()),
            _ => {
                let part = bytes[at..].to_vec();
                bytes.extend(part);
            }
        }
    }
}

#[test]
fn damaged_conversations_harm_nobody_else() {
    let mut random = Random::new(seed());
    let rig = Rig::builder().pool_size(3).process();
    rig.observer().run("CREATE TABLE junk (a text); GRANT ALL ON junk TO app");
    let mut witness = rig.client();
    witness.run("SET work_mem = '5MB'");
    witness.answer(
        &Frames::new().parse("mine", "SELECT 'mine', current_setting('work_mem')").sync(),
        1,
    );
    let begin = Instant::now();
    let mut rounds = 0;
    let mut slowest = (Duration::ZERO, Vec::new());
    while begin.elapsed() < TIME {
        let mut bytes = requests(&mut random).as_bytes().to_vec();
        damage(&mut random, &mut bytes);
        let started = Instant::now();
        let mut client = rig.client();
        let _ = client.write(&bytes);
        client.timeout = Duration::from_millis(1 + random.below(30));
        while client.reply().is_ok() {}
        drop(client);
        slowest = slowest.max((started.elapsed(), bytes));
        rounds += 1;
        if rounds % 10 == 0 {
            let seen = witness.answer(&Frames::new().execute_prepared("mine", &[]).sync(), 1);
            assert_eq!(
                seen.rows(),
                [[Some("mine".to_owned()), Some("5MB".to_owned())]],
                "round {rounds}"
            );
        }
    }
    println!(
        "{rounds} damaged conversations; the slowest took {:?}: {}",
        slowest.0,
        slowest.1.escape_ascii()
    );
    assert!(rounds > 50, "{rounds} damaged conversations");
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.run("BEGIN");
        assert_eq!(client.value("SELECT 'every server works'"), "every server works");
    }
    assert!(!rig.howdah().log().contains("panicked"), "{}", rig.howdah().log());
}

#[test]
fn random_first_bytes_harm_nobody_else() {
    let mut random = Random::new(seed());
    let rig = Rig::builder().listen("login_timeout", "\"2s\"").process();
    let mut startup = Vec::new();
    howdah_wire::startup::startup(
        &mut startup,
        2,
        &[("user", "app"), ("database", rig.database()), ("options", "-c work_mem=5MB")],
    );
    let begin = Instant::now();
    let mut rounds = 0;
    while begin.elapsed() < TIME {
        let mut client = Connection::open(&rig.target()).expect("Howdah listens");
        let mut bytes = match random.below(4) {
            0 => (0..random.below(100)).map(|_| u8::try_from(random.below(256)).unwrap()).collect(),
            1 => {
                let mut request = Vec::new();
                howdah_wire::startup::cancel(
                    &mut request,
                    u32::try_from(random.below(1 << 32)).unwrap(),
                    b"key!",
                );
                request
            }
            _ => startup.clone(),
        };
        if !bytes.is_empty() && !random.once_in(4) {
            damage(&mut random, &mut bytes);
        }
        let _ = client.write(&bytes);
        client.timeout = Duration::from_millis(1 + random.below(10));
        while client.reply().is_ok() {}
        drop(client);
        rounds += 1;
        if rounds % 50 == 0 {
            assert_eq!(rig.client().value("SELECT 'alive'"), "alive", "round {rounds}");
        }
    }
    println!("{rounds} beginnings");
    assert!(rounds > 50);
    assert!(!rig.howdah().log().contains("panicked"), "{}", rig.howdah().log());
}
