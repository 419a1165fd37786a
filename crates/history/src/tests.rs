//! The file itself: what is written is there, in every ring alike, after a restart, a kill, damage, and at its limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use howdah_core::statements::Histogram;

use crate::error::Error;
use crate::marks::Mark;
use crate::read::{Reader, Shape};
use crate::report::{Period, Report};
use crate::rings::{Keep, Ring};
use crate::sample::Sample;
use crate::series::Subject;
use crate::store::Store;
use crate::with_suffix;
use crate::write::Pending;

const MIB: u64 = 1 << 20;
/// A moment at the start of an hour.
const START: u64 = 1_780_000_000 / 3_600 * 3_600;

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("howdah-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("history.db")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn keep() -> Keep {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    Keep {
        seconds: days(1),
        tens: days(1),
        minutes: days(30),
        hours: days(400),
        statements: days(35),
    }
}

fn calls(calls: u64) -> Sample {
    let mut times = Histogram::default();
    for call in 0..calls {
        times.record(call * 700);
    }
    let mut values = [0; 32];
    values[0] = calls;
    values[23] = calls % 7;
    Sample::of_look(1_000_000, &values).with_times(times)
}

fn write(path: &Path, pending: &Pending) {
    Store::open(path, 64 * MIB).unwrap().write(pending).unwrap();
}

fn whole(path: &Path, ring: Ring, from: u64, to: u64) -> (usize, Sample) {
    let shape = Shape { from, to, step: Some(ring.seconds()) };
    let span = Reader::open(path).unwrap().span(&Subject::All, shape).unwrap();
    assert_eq!(span.ring, ring.seconds());
    (span.slots.len(), span.whole())
}

#[test]
fn each_ring_has_exactly_what_the_finer_one_has() {
    let directory = Directory::new("exact");
    let path = directory.file();
    let mut expected = Sample::default();
    // Two hours, with a gap, written by several processes that begin in the middle of slots.
    let mut pending = Pending::default();
    for second in (0..3_000).chain(5_003..7_200) {
        let sample = calls(second % 13);
        expected.merge(&sample);
        pending.add(START + second, &Subject::All, &sample);
        if second % 617 == 0 {
            write(&path, &pending);
            pending.clear();
        }
    }
    write(&path, &pending);
    let lengths: Vec<usize> = Ring::ALL
        .iter()
        .map(|ring| {
            let (slots, sum) = whole(&path, *ring, START, START + 7_200);
            assert_eq!(sum, expected, "{ring:?}");
            slots
        })
        .collect();
    // An answer has 5,000 slots at most, so the seconds of two hours come in pairs.
    assert_eq!(lengths, [2_599, 520, 87, 2]);
    for hour in 0..2 {
        let from = START + hour * 3_600;
        let hours = whole(&path, Ring::Hour, from, from + 3_600).1;
        assert_eq!(hours, whole(&path, Ring::Second, from, from + 3_600).1);
    }
}

#[test]
fn what_is_not_observed_is_absent() {
    let directory = Directory::new("gap");
    let path = directory.file();
    let mut pending = Pending::default();
    for second in [0, 1, 2, 7, 8] {
        pending.add(START + second, &Subject::All, &calls(10));
    }
    write(&path, &pending);
    let shape = Shape { from: START - 100, to: START + 100, step: Some(1) };
    let span = Reader::open(&path).unwrap().span(&Subject::All, shape).unwrap();
    assert_eq!(span.times(), (START..START + 9).collect::<Vec<_>>());
    let values = span.column(&Subject::All, "calls").unwrap().values;
    let of = |seconds: &[usize]| seconds.iter().all(|at| values[*at].is_none());
    assert!(of(&[3, 4, 5, 6]) && values[0] == Some(10.0) && values[8] == Some(10.0), "{values:?}");
    assert_eq!(span.column(&Subject::All, "clients_active").unwrap().values[0], Some(3.0));
    assert_eq!(span.column(&Subject::All, "clients_active.max").unwrap().values[0], Some(3.0));
    assert!(span.column(&Subject::All, "p99").unwrap().values[0].unwrap() > 6.0);
    assert!(span.column(&Subject::All, "nonsense").is_none());
    for name in Subject::All.columns() {
        assert!(span.column(&Subject::All, &name).is_some(), "{name}");
    }
}

#[test]
fn what_a_finer_ring_has_forgotten_comes_from_a_coarser_one() {
    let directory = Directory::new("coarser");
    let path = directory.file();
    let mut pending = Pending::default();
    for second in 0..7_200 {
        pending.add(START + second, &Subject::All, &calls(2));
    }
    let mut store = Store::open(&path, 64 * MIB).unwrap();
    store.write(&pending).unwrap();
    let short =
        Keep { seconds: Duration::from_secs(600), tens: Duration::from_secs(1_200), ..keep() };
    store.tidy(START + 7_200, &short, 64 * MIB).unwrap();
    let reader = Reader::open(&path).unwrap();
    let ring = |from| {
        let shape = Shape { from, to: START + 7_200, step: Some(1) };
        reader.span(&Subject::All, shape).unwrap().ring
    };
    assert_eq!(ring(START + 7_000), 1);
    assert_eq!(ring(START + 6_100), 10);
    assert_eq!(ring(START), 60);
    let fine = Shape { from: START + 6_599, to: START + 7_200, step: None };
    assert_eq!(reader.span(&Subject::All, fine).unwrap().step, 10);
}

#[test]
fn a_damaged_file_is_set_aside_and_one_of_somebody_else_is_left_alone() {
    let directory = Directory::new("damage");
    let path = directory.file();
    let mut pending = Pending::default();
    for second in 0..2_000 {
        pending.add(START + second, &Subject::All, &calls(3));
    }
    write(&path, &pending);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x5a);
    for broken in [bytes, b"this is no database at all, however long the text may be".repeat(99)] {
        fs::write(&path, &broken).unwrap();
        let error = Store::open(&path, 64 * MIB).map(drop).unwrap_err();
        assert!(error.is_damage(), "{error}");
        assert_eq!(Store::set_aside(&path).unwrap(), with_suffix(&path, ".damaged"));
        write(&path, &pending);
    }
    let other = directory.0.join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(connection);
    let error = Store::open(&other, 64 * MIB).map(drop).unwrap_err();
    assert!(matches!(error, Error::Foreign(_)) && !error.is_damage(), "{error}");
}

#[test]
fn the_file_stays_within_its_bound_and_keeps_the_newest() {
    let directory = Directory::new("bound");
    let path = directory.file();
    let limit = MIB;
    let mut store = Store::open(&path, limit).unwrap();
    let mut now = START;
    for _ in 0..120 {
        let mut pending = Pending::default();
        for _ in 0..60 {
            pending.add(now, &Subject::All, &calls(40));
            for pool in 0..10 {
                let subject = Subject::Pool(pool.to_string());
                pending.add(now, &subject, &Sample::of_look(1_000_000, &[1; 9]));
            }
            now += 1;
        }
        store.write(&pending).unwrap();
        store.tidy(now, &keep(), limit).unwrap();
        assert!(fs::metadata(&path).unwrap().len() <= limit);
    }
    assert!(store.bytes().unwrap() <= limit / 8 * 7);
    let (_, recent) = whole(&path, Ring::Second, now - 60, now);
    assert_eq!(recent.sum(0), 60 * 40);
}

#[test]
fn a_full_disk_is_no_damage_and_what_was_written_stays() {
    let directory = Directory::new("full");
    let path = directory.file();
    let mut pending = Pending::default();
    pending.add(START, &Subject::All, &calls(5));
    write(&path, &pending);
    let mut store = Store::open(&path, 64 << 10).unwrap();
    for second in 1..5_000 {
        pending.add(START + second, &Subject::All, &calls(50));
    }
    let error = store.write(&pending).unwrap_err();
    assert!(!error.is_damage() && error.to_string().contains("full"), "{error}");
    assert_eq!(whole(&path, Ring::Second, START, START + 4_000).1.sum(0), 5);
    write(&path, &pending);
    assert_eq!(whole(&path, Ring::Hour, START, START + 9_000).1.sum(0), 5 + 5 + 50 * 4_999);
}

#[test]
fn statements_of_an_hour_are_thinned_and_marks_are_bounded() {
    let directory = Directory::new("thin");
    let path = directory.file();
    let mut store = Store::open(&path, 64 * MIB).unwrap();
    let mut pending = Pending::default();
    for number in 0..300_u64 {
        let name = Subject::joined(&[&format!("{number:016x}"), "shop", "web"]);
        let subject = Subject::Statement(name);
        let sample = Sample::of_look(60_000_000, &[1, 1, 0, 0, number * 1_000, number]);
        pending.add(START, &subject, &sample);
        pending.text(subject, format!("select {number}"));
    }
    store.write(&pending).unwrap();
    pending.clear();
    for number in 0..900_u64 {
        let mut mark = Mark::now("mark", &format!("deploy {number}\nwith\tcontrols"));
        mark.at_ms = (START + number) * 1_000;
        pending.mark(mark);
    }
    for _ in 0..12 {
        store.write(&pending).unwrap();
    }
    store.tidy(START + 3_600, &keep(), 64 * MIB).unwrap();
    let reader = Reader::open(&path).unwrap();
    let kept = reader.statements(START, START + 86_400).unwrap();
    assert_eq!(kept.len(), 100);
    assert_eq!((kept[0].text.as_str(), kept[0].time_us()), ("select 299", 299_000));
    assert_eq!((kept[0].database.as_str(), kept[0].user.as_str()), ("shop", "web"));
    assert_eq!(reader.statements(START, START + 60).unwrap().len(), 300, "minutes have all");
    let marks = reader.marks(0, u64::MAX).unwrap();
    assert_eq!((marks.len(), marks[999].text.as_str()), (1_000, "deploy 899 with controls"));
}

/// A statement of so many calls a minute that take so long.
fn told(pending: &mut Pending, minute: u64, (text, calls, us): (&str, u64, u64)) {
    let mut times = Histogram::default();
    for _ in 0..calls {
        times.record(us);
    }
    let name = Subject::joined(&[&format!("{:016x}", text.len()), "shop", "web"]);
    let subject = Subject::Statement(name);
    let sample = Sample::of_look(60_000_000, &[calls, calls, 0, 0, calls * us, us]);
    pending.add(START + minute * 60, &subject, &sample.with_times(times));
    pending.text(subject, text.to_owned());
}

#[test]
fn a_report_tells_what_is_different_and_what_is_not_known() {
    let directory = Directory::new("report");
    let path = directory.file();
    let mut pending = Pending::default();
    let day = 1_440;
    for minute in 0..2 * day {
        let mut values = [0; 32];
        let today = minute >= day;
        // Three hours of the second day were not observed.
        if today && minute < day + 180 {
            continue;
        }
        values[0] = if today { 100 } else { 50 };
        values[9] = values[0] * 10_000;
        let mut times = Histogram::default();
        for _ in 0..values[0] {
            times.record(if today { 40_000 } else { 10_000 });
        }
        let sample = Sample::of_look(60_000_000, &values).with_times(times);
        pending.add(START + minute * 60, &Subject::All, &sample);
        told(&mut pending, minute, ("select 1", 10, if today { 40_000 } else { 10_000 }));
        if today {
            told(&mut pending, minute, ("select '<b>new</b>'", 5, 1_000));
        }
    }
    let mut mark = Mark::now("mark", "deploy <i>4df1657</i>");
    mark.at_ms = (START + 30 * 3_600) * 1_000;
    pending.mark(mark);
    write(&path, &pending);
    let reader = Reader::open(&path).unwrap();
    let now = START + 2 * day * 60 - 1;
    let report = Report::make(&reader, Period::Daily, now).unwrap();
    assert_eq!((report.from, report.to), (START + 86_400, START + 2 * 86_400));
    assert_eq!((report.now.calls, report.hours.len()), (100 * (day - 180), 21));
    let before = report.before.clone().unwrap();
    assert_eq!((before.calls, before.observed), (50 * day, 1.0));
    assert!((report.now.observed - 21.0 / 24.0).abs() < 0.001, "{}", report.now.observed);
    assert!(report.missing[0].contains("87.5 %"), "{:?}", report.missing);
    assert!(report.verdict.starts_with("P99 went from 10"), "{}", report.verdict);
    let names = |lines: &[crate::report::Line]| {
        lines.iter().map(|line| line.statement.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&report.slower), ["select 1"]);
    assert_eq!(names(&report.new), ["select '<b>new</b>'"]);
    assert_eq!(names(&report.top), ["select 1", "select '<b>new</b>'"]);
    let html = report.html();
    assert!(
        html.contains("&lt;b&gt;new")
            && html.contains("deploy &lt;i&gt;")
            && !html.contains("<b>new")
    );
    assert!(html.matches("<svg").count() == 3 && !html.contains("http"), "nothing is loaded");
    let text = report.markdown();
    assert!(text.contains("| Statements | 126,000 | 72,000 |"), "{text}");
    // A week later there is nothing, which is said.
    let later = Report::make(&reader, Period::Daily, now + 7 * 86_400).unwrap();
    assert_eq!((later.now.calls, later.before), (0, None));
    assert_eq!(later.missing.len(), 2);
    let week = Report::make(&reader, Period::Weekly, now).unwrap();
    assert_eq!(week.now.calls, 100 * (day - 180) + 50 * day);
}

#[test]
fn two_processes_may_write_at_once() {
    let directory = Directory::new("two");
    let path = directory.file();
    let (mut one, mut other) =
        (Store::open(&path, 64 * MIB).unwrap(), Store::open(&path, 64 * MIB).unwrap());
    for second in 0..50 {
        let mut pending = Pending::default();
        pending.add(START + second, &Subject::All, &calls(1));
        one.write(&pending).unwrap();
        other.write(&pending).unwrap();
    }
    for ring in [Ring::Second, Ring::Ten, Ring::Minute, Ring::Hour] {
        assert_eq!(whole(&path, ring, START, START + 60).1.sum(0), 100, "{ring:?}");
    }
}
