//! Answers that were asked for most are there again before anybody asks: after a restart, after a new stream, when somebody says so. And
//! nothing else is asked, whatever is written down.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use howdah_core::cache::warm::{Asker, List, Question};
use howdah_tests::raw::{Connection, Frames};

use crate::answers::{ON, counts, simple, warm};
use crate::bed::{Bed, eventually};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); \
    INSERT INTO t SELECT n, n FROM generate_series(1, 100) n; CREATE ROLE stranger; \
    CREATE ROLE reader; GRANT SELECT ON t TO reader";

const SIMPLE: &str = "SELECT v FROM t WHERE id = 1";
const INT4: u32 = 23;

/// A file of this name that is not there, and goes with this.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let place = std::env::temp_dir().join(format!("howdah-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&place);
        Self(place)
    }

    fn keys(&self) -> String {
        format!("{ON}warm_file = \"{}\"\n", self.0.display())
    }

    fn write(&self, text: &str, mode: u32) {
        std::fs::write(&self.0, text).unwrap();
        std::fs::set_permissions(&self.0, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The same row in other forms of the protocol.
fn forms() -> [Frames; 3] {
    let text = Frames::new().extended("SELECT v FROM t WHERE id = $1", &["2"]).sync();
    let sql = "SELECT v, id FROM t WHERE id = $1";
    let binary = Frames::new().parse_typed("", sql, &[INT4]);
    let binary = binary.bind_formats("", "", &[1], &[Some(&[0, 0, 0, 3])], &[1]);
    let binary = binary.describe_portal("").execute("", 0).sync();
    [simple(SIMPLE), text, binary]
}

/// PostgreSQL cannot answer, and the cache does.
#[track_caller]
fn is_warm(bed: &Bed, asked: &[Frames]) {
    let mut lock = bed.direct();
    lock.run("BEGIN");
    lock.run("LOCK TABLE t");
    let (before, mut client) = (counts(bed), bed.client());
    for frames in asked {
        let answer = client.answer(frames, 1);
        assert_eq!((answer.rows().len(), answer.errors().len()), (1, 0), "{:?}", frames.lines());
    }
    let after = counts(bed);
    let hits = usize::try_from(after.hits - before.hits).unwrap();
    assert_eq!((hits, after.misses), (asked.len(), before.misses), "{after:?}");
    lock.run("ROLLBACK");
}

/// What `CACHE WARM` says: remembered, warmed, already kept, failed, left out.
fn said(bed: &Bed) -> Vec<String> {
    bed.console().run("CACHE WARM").rows().remove(0).into_iter().flatten().collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_was_asked_most_is_there_after_a_restart_and_nobody_else_is_given_it() {
    let place = Place::new("restart");
    let mut bed = Bed::start(TABLE, &place.keys());
    bed.open();
    let mut client = bed.client();
    for frames in &forms() {
        warm(&bed, &mut client, frames);
    }
    // Under settings with which no session begins.
    for setting in ["SET ROLE reader", "SET timezone TO 'Asia/Tokyo'"] {
        let mut other = bed.client();
        other.run(setting);
        warm(&bed, &mut other, &simple("SELECT v FROM t WHERE id = 50"));
    }
    // Nobody was given this one.
    client.value("SELECT v FROM t WHERE id = 60");
    drop(client);
    bed.stop();
    assert_eq!(mode(&place.0), 0o600);
    let text = std::fs::read_to_string(&place.0).unwrap();
    let list = List::of_text(text.as_bytes(), 100).unwrap();
    assert_eq!(list.len(), 3, "{text}");

    let again = bed.beside(&place.keys());
    eventually("it is asked again", || counts(&again).warmed >= 3);
    let found = counts(&again);
    assert_eq!((found.hits, found.misses, found.warmed), (0, 0, 3), "{found:?}");
    is_warm(&again, &forms());
    assert_eq!(said(&again)[1..4], ["0", "3", "0"]);
    let mut stranger = again.client();
    stranger.run("SET ROLE stranger");
    assert!(stranger.error(SIMPLE).message.contains("permission denied"));
}

#[test]
fn after_a_new_stream_and_when_somebody_says_so_it_is_asked_again() {
    let bed = Bed::start(TABLE, &format!("{ON}warm_answers = 1000\n"));
    bed.open();
    let mut client = bed.client();
    for frames in &forms() {
        warm(&bed, &mut client, frames);
    }
    let mut direct = bed.direct();
    direct.run("SELECT pg_terminate_backend(pid) FROM pg_stat_replication");
    eventually("it is asked again", || counts(&bed).warmed >= 3);
    is_warm(&bed, &forms());
    // Only what is not kept is asked again.
    direct.run("UPDATE t SET v = 7 WHERE id = 1");
    crate::bed::catch_up(&bed.open());
    let outcome = said(&bed);
    assert_eq!(outcome[1..5], ["1", "2", "0", "0"], "{outcome:?}");
    is_warm(&bed, &forms());
    assert_eq!(client.value(SIMPLE), "7");
    // What is forgotten is not what is remembered.
    bed.console().run("CACHE FLUSH");
    assert_eq!(said(&bed)[1..4], ["3", "0", "0"]);
    is_warm(&bed, &forms());
    bed.console().run("CACHE OBSERVE");
    assert_eq!(said(&bed)[0], "0");
}

fn rows(client: &mut Connection) -> String {
    client.value("SELECT count(*) FROM t")
}

#[test]
fn whatever_is_in_the_file_nothing_is_asked_that_is_not_kept() {
    let place = Place::new("damaged");
    let settings = Box::default();
    let asker = Arc::new(Asker { database: "postgres".into(), user: "howdah".into(), settings });
    let question = |sql: &str| {
        let (types, bound) = (Box::default(), Box::default());
        Question { asker: Arc::clone(&asker), sql: sql.into(), types, bound, value: 5 }
    };
    let all = ["DELETE FROM t", "BEGIN", "SELECT 1; DELETE FROM t", SIMPLE].map(question);
    let text = List::new(all.to_vec(), 9).to_text();
    place.write(&text, 0o600);
    let mut bed = Bed::start(TABLE, &place.keys());
    let mut direct = bed.direct();
    eventually("what can be kept is asked", || counts(&bed).warmed == 1);
    assert_eq!(said(&bed)[..4], ["4", "0", "1", "3"]);
    assert_eq!(rows(&mut direct), "100");
    bed.stop();
    for (text, mode) in [(&*text, 0o666), (text.trim_end(), 0o600), ("garbage", 0o600)] {
        place.write(text, mode);
        let mut other = bed.beside(&place.keys());
        other.open();
        assert_eq!(said(&other)[0], "0", "{mode:o} {text:?}");
        assert_eq!(other.client().value(SIMPLE), "1");
        other.stop();
    }
}
