//! What instances share: found by the other, never older than promised, and nobody's trouble when Redis is slow, gone, empty, old or lies.

use std::time::{Duration, Instant};

use howdah_tests::{Authority, Files, program};
use redis::Commands;

use crate::answers::counts as all;
use crate::bed::{Bed, catch_up, eventually};
use crate::two::{self, Happening, Two, counts, dear, given, shared};

/// The bound does not matter.
const CALM: &str = "max_staleness = \"10s\"\n";

fn redis(two: &Two) -> redis::Connection {
    let client = redis::Client::open(two.redis.url()).expect("an address");
    client.get_connection().expect("a connection")
}

/// Everything that is there.
fn dump(two: &Two) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut redis = redis(two);
    let keys: Vec<Vec<u8>> = redis.keys("howdah:*").expect("keys");
    let values = keys.into_iter().map(|key| {
        let value: Vec<u8> = redis.get(&key).expect("a value");
        (key, value)
    });
    values.collect()
}

fn put(two: &Two, values: &[(Vec<u8>, Vec<u8>)]) {
    let mut redis = redis(two);
    for (key, value) in values {
        let () = redis.set(key, value).expect("it is put");
    }
}

/// Reads rows through an instance, with errors being errors of the test; how long the slowest took.
fn read_all(bed: &Bed, ids: std::ops::Range<usize>) -> Duration {
    let mut client = bed.client();
    let read = |id: usize| {
        let begun = Instant::now();
        assert_eq!(client.value(&dear(id)), "0", "row {id}");
        begun.elapsed()
    };
    ids.map(read).max().unwrap_or_default()
}

#[test]
fn what_one_instance_has_kept_the_other_gives_and_it_is_the_same() {
    let two = Two::ready(CALM);
    assert!(two.is_shared(10..60), "{:?} {:?}", counts(&two.one), counts(&two.other));
    let before = all(&two.other);
    assert!(before.shared >= 1 && before.hits >= before.shared, "{before:?}");
    let (mut direct, mut other) = (two.one.direct(), two.other.client());
    for id in 10..60 {
        assert_eq!(other.value(&dear(id)), direct.value(&dear(id)), "{id}");
    }
    // What PostgreSQL answers at once is not shared; on a busy machine it does not always answer at once.
    let mut one = two.one.client();
    let is_left_alone = (1..9).any(|attempt| {
        let put = counts(&two.one).written;
        for id in 200 * attempt..200 * (attempt + 1) {
            one.value(&format!("SELECT v FROM t WHERE id = {id}"));
        }
        counts(&two.one).written < put + 100
    });
    assert!(is_left_alone, "{:?}", counts(&two.one));
}

#[test]
fn whoever_reads_what_is_shared_reads_what_was_promised_whatever_becomes_of_redis() {
    let (two, happening) = (Two::start("", "timeout = \"50ms\"\n"), Happening::default());
    two.until_ready();
    let taken = || given(&two.one) + given(&two.other);
    let (mut dumped, mut after) = (Vec::new(), 0);
    let outcome = two::run_while(&two, &happening, |goes_on| {
        let happens = |what, seconds, then: &mut dyn FnMut()| {
            happening.begin(what);
            let begun = Instant::now();
            while goes_on() && begun.elapsed() < Duration::from_secs(seconds) {
                then();
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        happens("before", 3, &mut || {});
        // What was there two seconds ago is there again, all the time.
        dumped = dump(&two);
        happens("rolled back", 3, &mut || put(&two, &dumped));
        two.redis.kill().expect("it dies");
        happens("dead", 2, &mut || {});
        two.redis.start_again().expect("it starts");
        happens("empty", 2, &mut || {});
        two.redis.freeze().expect("it runs");
        happens("frozen", 1, &mut || {});
        two.redis.thaw().expect("it was frozen");
        happens("thawed", 2, &mut || {});
        let before = taken();
        happening.begin("after");
        eventually("something is shared again", || taken() > before + 3 || !goes_on());
        after = taken() - before;
    });
    print!("{}", happening.told());
    println!("{outcome:?} {:?} {:?}", counts(&two.one), counts(&two.other));
    assert_eq!(outcome.violations, Vec::<String>::new());
    assert!(outcome.reads > 100 && outcome.shared > after && after > 3, "{outcome:?}");
    assert!(!dumped.is_empty(), "nothing was there that could come back");
}

#[test]
fn a_write_past_both_is_not_followed_by_what_was_shared_before() {
    let two = Two::ready(CALM);
    assert!(two.is_shared([20, 21, 22]));
    let old = dump(&two);
    two.one.direct().run("UPDATE t SET v = 7 WHERE id BETWEEN 20 AND 22");
    for bed in [&two.one, &two.other] {
        catch_up(&bed.open());
    }
    // Redis comes back as it was an hour ago.
    put(&two, &old);
    for bed in [&two.one, &two.other] {
        let (mut client, refused) = (bed.client(), counts(bed).refused);
        for id in 20..=22 {
            put(&two, &old);
            assert_eq!(client.value(&dear(id)), "7", "row {id}");
        }
        assert!(counts(bed).refused > refused, "it was found, and refused: {:?}", counts(bed));
    }
}

#[test]
fn what_is_forgotten_in_part_is_not_taken_from_redis_either() {
    let two = Two::ready(CALM);
    let (mut one, mut other) = (two.one.client(), two.other.client());
    let before = dump(&two).len();
    (30..50).for_each(|id| drop(one.value(&dear(id))));
    eventually("they are there", || dump(&two).len() >= before + 20);
    catch_up(&two.other.open());
    let mut taken_by = |ids: std::ops::Range<usize>| {
        let before = given(&two.other);
        ids.for_each(|id| assert_eq!(other.value(&dear(id)), "0", "row {id}"));
        given(&two.other) - before
    };
    assert_eq!(taken_by(30..40), 10, "it is taken from there");
    two.other.console().run("CACHE FLUSH TABLE many");
    assert_eq!(taken_by(40..50), 0, "it was asked for before it was to be forgotten");
}

#[test]
fn what_was_tampered_with_or_is_of_another_version_is_a_miss() {
    let two = Two::ready(CALM);
    read_all(&two.one, 30..60);
    eventually("they are put", || dump(&two).len() >= 30);
    let spoilt: Vec<_> = dump(&two)
        .into_iter()
        .enumerate()
        .map(|(at, (key, mut value))| {
            match at % 4 {
                0 => value[4] += 1,
                1 => value.truncate(value.len() / 2),
                2 => *value.last_mut().expect("bytes") ^= 1,
                _ => value = b"nonsense".to_vec(),
            }
            (key, value)
        })
        .collect();
    put(&two, &spoilt);
    let before = (given(&two.other), counts(&two.other).refused);
    read_all(&two.other, 30..60);
    assert_eq!(given(&two.other), before.0, "{:?}", counts(&two.other));
    assert!(counts(&two.other).refused >= before.1 + 30, "{:?}", counts(&two.other));
    assert!(two.is_shared(100..150), "what is whole is given");
}

#[test]
fn a_redis_that_stops_dies_or_comes_back_empty_is_nobodys_trouble() {
    let two = Two::start(CALM, "timeout = \"20ms\"\n");
    let bed = &two.one;
    eventually("Redis is asked", || shared(bed).open);
    eventually("an answer is kept", || {
        bed.client().value(&dear(1999));
        all(bed).hits > 0
    });
    eventually("Redis is asked", || shared(bed).open);
    two.redis.freeze().unwrap();
    let before = counts(bed);
    let slowest = read_all(bed, 100..200);
    let after = counts(bed);
    println!("frozen: slowest {slowest:?}, {before:?} {after:?}");
    assert!(after.errors > before.errors, "{after:?}");
    assert!(after.errors - before.errors <= 5, "it is not asked again and again: {after:?}");
    assert!(after.skipped >= before.skipped + 80, "{after:?}");
    assert!(shared(bed).trouble.is_some());
    two.redis.thaw().unwrap();
    eventually("it is asked again", || shared(bed).open);
    two.redis.kill().unwrap();
    read_all(bed, 200..300);
    assert!(!shared(bed).open);
    two.redis.start_again().unwrap();
    for bed in [&two.one, &two.other] {
        eventually("it is asked again", || shared(bed).open);
    }
    read_all(bed, 300..400);
    eventually("they are put", || !dump(&two).is_empty());
}

#[test]
fn with_a_wrong_password_everything_works_without_it() {
    let two = Two::start(CALM, "password = \"wrong\"\n");
    let bed = &two.one;
    eventually("somebody is told", || shared(bed).trouble.is_some());
    read_all(bed, 1..20);
    assert!(!shared(bed).open, "{:?}", shared(bed));
    assert_eq!(counts(bed).written, 0);
    let text = shared(bed).trouble.expect("it was told");
    assert!(!text.contains("wrong\"") && !text.is_empty(), "{text}");
    println!("{text}");
}

#[test]
fn a_role_that_may_get_and_set_answers_is_enough() {
    let redis = howdah_local::Redis::start().unwrap_or_else(|error| panic!("no Redis: {error}"));
    let mut admin = redis::Client::open(redis.url()).expect("an address");
    for rule in [
        "SETUSER admin on nopass allkeys +@all",
        "SETUSER howdah on >secret resetkeys ~howdah:* -@all +get +set",
        "SETUSER default off",
    ] {
        let mut acl = redis::cmd("ACL");
        for word in rule.split(' ') {
            acl.arg(word);
        }
        acl.exec(&mut admin).expect("a rule");
        let admin_url = redis.url().replace("redis://", "redis://admin:none@");
        admin = redis::Client::open(admin_url).expect("an address");
    }
    let url = redis.url().replace("redis://", "redis://howdah@");
    let two = Two::with(redis, &url, CALM, "timeout = \"2s\"\npassword = \"secret\"\n");
    two.until_ready();
    assert!(two.is_shared(10..60), "{:?} {:?}", shared(&two.one), shared(&two.other));
    let counts = counts(&two.other);
    println!(
        "{:?} for each question",
        counts.waited / u32::try_from(counts.hits + counts.misses).expect("few").max(1)
    );
    assert_eq!(counts.errors, 0, "{:?}", shared(&two.other).trouble);
}

#[test]
fn with_tls_it_is_believed_if_its_authority_is() {
    let (theirs, another) = (Authority::new("theirs"), Authority::new("another"));
    let server = theirs.server(&["127.0.0.1"]);
    let redis = howdah_local::Redis::start_with_tls(server.certificate(), server.key());
    let redis = redis.unwrap_or_else(|error| panic!("no Redis with TLS: {error}"));
    let files = Files::new();
    let config = files.put(
        "howdah.toml",
        &format!(
            "[[cluster]]\nname = \"main\"\n[[cluster.node]]\nname = \"none\"\nhost = \"127.0.0.1\"\nport = 1\n\
             [[database]]\nname = \"postgres\"\n[[user]]\nname = \"howdah\"\nauth = \"trust\"\n\
             [cache]\npublication = \"howdah\"\n[cache.redis]\nurl = \"{}\"\n",
            redis.url()
        ),
    );
    let said = |authority: &Authority| {
        let trusted = files.put("trusted.crt", authority.certificate());
        let mut check = std::process::Command::new(program());
        check.args(["check", "--config", &config]).env("SSL_CERT_FILE", trusted);
        let output = check.output().expect("the program runs");
        let lines = [output.stdout, output.stderr].concat();
        let lines = String::from_utf8_lossy(&lines).into_owned();
        lines.lines().filter(|line| line.contains("shared cache")).collect::<String>()
    };
    assert!(said(&theirs).contains("answers within"), "{}", said(&theirs));
    let refused = said(&another);
    assert!(refused.contains("ertificate") && !refused.contains("answers within"), "{refused}");
}
