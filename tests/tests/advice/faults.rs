//! Builds that are cancelled, do not get their lock, find duplicates, or lose the server: no invalid index stays, the journal tells the truth, a second
//! run finishes.

use std::sync::Arc;
use std::time::Duration;

use howdah::advisor::Kind;
use howdah::ops::apply::{Error, Event};
use howdah::ops::journal::{Purpose, State};
use howdah_local::Mode;
use howdah_tests::Servers;

use crate::bed::{Bed, advice, index};

#[test]
fn a_build_that_is_stopped_leaves_nothing() {
    let bed = Bed::new();
    let index = index();
    let mut report = bed.snapshot();
    let going = bed.begin(&index);
    going.until_it_waits();
    assert_eq!(bed.state(&index), State::Applying);
    assert_eq!(bed.invalid(), "1", "it has begun");
    going.stop.send_replace(true);
    assert!(matches!(going.end(), Err(Error::Stopped)));
    assert_eq!((bed.invalid().as_str(), bed.state(&index)), ("0", State::Open));
    let runs = bed.runs(&index);
    assert!(runs[0].ended_ms.is_some() && !runs[0].statements[0].done, "{runs:?}");
    report.run("COMMIT");
    bed.apply(&index).unwrap();
    assert_eq!((bed.invalid().as_str(), bed.state(&index)), ("0", State::Applied));
}

#[test]
fn a_lock_that_is_never_had_bounds_the_attempts_and_leaves_nothing() {
    let mut bed = Bed::new();
    bed.limits.concurrent_lock = Duration::from_millis(100);
    let index = index();
    let mut report = bed.snapshot();
    let error = bed.apply(&index).unwrap_err();
    assert!(matches!(error, Error::Blocked { attempts: 3, .. }), "{error}");
    assert!(error.to_string().contains("lock timeout"), "{error}");
    assert_eq!((bed.invalid().as_str(), bed.state(&index)), ("0", State::Open));
    let statements = &bed.runs(&index)[0].statements;
    let steps = statements.iter().filter(|it| it.purpose == Purpose::Step).count();
    assert_eq!((steps, statements.len()), (3, 6), "each attempt is cleaned up after");
    assert!(statements.iter().all(|it| it.ended_ms.is_some() && !it.done));
    report.run("COMMIT");
    bed.apply(&index).unwrap();
}

#[test]
fn a_lock_that_is_had_later_is_had() {
    let mut bed = Bed::new();
    bed.limits.concurrent_lock = Duration::from_millis(300);
    bed.limits.pauses = vec![Duration::from_millis(500); 20];
    let index = index();
    let mut report = bed.snapshot();
    let going = bed.begin(&index);
    going.until("another attempt", |event| matches!(event, Event::Again { .. }));
    report.run("COMMIT");
    assert_eq!(going.end().unwrap().state, State::Applied);
    assert_eq!(bed.invalid(), "0");
}

#[test]
fn a_unique_index_on_duplicates_fails_once_and_leaves_nothing() {
    let bed = Bed::new();
    let sql = "CREATE UNIQUE INDEX CONCURRENTLY howdah_t_u ON public.t (a)";
    let unique = advice(Kind::CreateIndex, &[sql]);
    bed.sql("UPDATE t SET a = 1 WHERE a = 2");
    let error = bed.apply(&unique).unwrap_err();
    assert!(matches!(error, Error::Failed { .. }), "{error}");
    assert!(error.to_string().contains("(a)=(1) is duplicated"), "{error}");
    assert_eq!((bed.invalid().as_str(), bed.state(&unique)), ("0", State::Open));
    bed.sql("UPDATE t SET a = 2 WHERE a = 1 AND b = 2");
    assert_eq!(bed.apply(&unique).unwrap().state, State::Applied);
    assert_eq!(bed.invalid(), "0");
}

#[test]
fn a_rebuild_that_is_stopped_leaves_no_copies() {
    let bed = Bed::new();
    let long = "i".repeat(63);
    bed.sql(&format!("CREATE INDEX {long} ON t (a)"));
    let sql = format!("REINDEX INDEX CONCURRENTLY public.{long}");
    let rebuild = advice(Kind::RebuildIndex, &[&sql]);
    let mut report = bed.snapshot();
    let going = bed.begin(&rebuild);
    going.until_it_waits();
    going.stop.send_replace(true);
    assert!(matches!(going.end(), Err(Error::Stopped)));
    assert_eq!(bed.value("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass"), "1");
    assert_eq!((bed.invalid().as_str(), bed.state(&rebuild)), ("0", State::Open));
    report.run("COMMIT");
}

#[test]
fn a_second_run_waits_for_the_first() {
    let bed = Bed::new();
    let first = index();
    let second =
        advice(Kind::CreateIndex, &["CREATE INDEX CONCURRENTLY howdah_t_b ON public.t (b)"]);
    let mut report = bed.snapshot();
    let going = bed.begin(&first);
    going.until_it_waits();
    let other = bed.begin(&second);
    other.until(
        "a run that waits",
        |event| matches!(event, Event::Waits(text) if text.contains("another run of Howdah")),
    );
    report.run("COMMIT");
    assert_eq!(going.end().unwrap().state, State::Applied);
    assert_eq!(other.end().unwrap().state, State::Applied);
    assert_eq!(bed.invalid(), "0");
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_build_finishes_it_when_it_is_back() {
    let bed = Bed::on(Arc::new(Servers::start()));
    let index = index();
    let report = bed.snapshot();
    let going = bed.begin(&index);
    going.until_it_waits();
    bed.servers.primary().kill().unwrap();
    drop(report);
    bed.servers.primary().start().unwrap();
    assert_eq!(going.end().unwrap().state, State::Applied);
    assert_eq!((bed.invalid().as_str(), bed.state(&index)), ("0", State::Applied));
    let statements = &bed.runs(&index)[0].statements;
    let outcomes: Vec<_> = statements.iter().map(|it| (it.purpose, it.outcome.as_str())).collect();
    let wanted = [
        (Purpose::Step, "the connection was lost"),
        (Purpose::Clean, "done"),
        (Purpose::Step, "done"),
    ];
    let mut sorted = outcomes.clone();
    sorted.sort_by_key(|(purpose, _)| *purpose == Purpose::Step);
    assert_eq!(sorted.len(), wanted.len(), "{outcomes:?}");
    assert!(wanted.iter().all(|one| outcomes.contains(one)), "{outcomes:?}");
}

#[test]
fn a_server_that_stays_away_is_found_again_by_the_next_run() {
    let mut bed = Bed::on(Arc::new(Servers::start()));
    bed.limits.reconnect = Duration::from_millis(200);
    let index = index();
    let report = bed.snapshot();
    let going = bed.begin(&index);
    going.until_it_waits();
    let place = bed.place();
    bed.servers.primary().stop(Mode::Immediate).unwrap();
    drop(report);
    assert!(matches!(going.end(), Err(Error::Lost { .. })));
    let journal = bed.journal();
    let unfinished = journal.unfinished(&place.key).unwrap();
    assert_eq!((unfinished.len(), unfinished[0].statements[0].ended_ms), (1, None));
    assert_eq!(journal.entry(&place.key, &index.id).unwrap().unwrap().state, State::Applying);
    bed.servers.primary().start().unwrap();
    assert_eq!(bed.invalid(), "1");
    let again = bed.begin(&index);
    again.until("the run before", |event| matches!(event, Event::Recovered(_)));
    assert_eq!(again.end().unwrap().state, State::Applied);
    assert_eq!((bed.invalid().as_str(), bed.state(&index)), ("0", State::Applied));
    assert!(journal.unfinished(&place.key).unwrap().is_empty());
}
