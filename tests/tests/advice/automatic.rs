//! `[advice] mode`: in review nothing is changed; in automatic mode what is worth it is carried out, one at a time, measured, and taken back if it made things worse, and what needs a
//! person is left to people. Howdah in front of real servers, which looks every second or two.

use std::sync::{Arc, OnceLock};

use howdah::advisor::{Impact, Kind, Recommendation};
use howdah::ops::apply::{self, Job};
use howdah::ops::journal::{Direction, Entry, Place, Run, State};
use howdah::ops::verify::{Measured, last};
use howdah_tests::raw::Target;
use howdah_tests::{Rig, Servers, eventually};
use tokio::sync::watch;

use crate::bed::{Bed, Url, advice};

/// Whose yes it is in automatic mode: part of what people read in the journal.
const AUTOMATIC: &str = "Howdah, by advice.mode = \"automatic\"";
/// Two tables that lack an index each; a third one with an index that another one makes superfluous, and one that nobody uses; one that was never analysed; one that is left
/// alone, but for the advice of [`pulse`]. The counts of statements are not reset: they are those of the other test, too.
const TABLES: &str = "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION hypopg;
    CREATE TABLE often (a int, b text); INSERT INTO often SELECT g, repeat('x', 40) FROM generate_series(1, 150000) g;
    CREATE TABLE seldom (a int, b text); INSERT INTO seldom SELECT g, repeat('x', 40) FROM generate_series(1, 150000) g;
    CREATE TABLE idle (a int, b int, c int) WITH (autovacuum_enabled = off); INSERT INTO idle SELECT g, g, g FROM generate_series(1, 60000) g;
    CREATE INDEX idle_a ON idle (a); CREATE INDEX idle_a_b ON idle (a, b); CREATE INDEX idle_c ON idle (c);
    CREATE TABLE young (a int) WITH (autovacuum_enabled = off); INSERT INTO young SELECT g FROM generate_series(1, 60000) g;
    CREATE TABLE small (a int, b int, c int) WITH (autovacuum_enabled = off); INSERT INTO small SELECT g, g, g FROM generate_series(1, 100) g;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO app; ANALYZE often; ANALYZE seldom; ANALYZE idle; ANALYZE small";
/// All indexes, and whether `young` was analysed.
const STATE: &str = "SELECT string_agg(it, ' ' ORDER BY it) FROM (SELECT relname::text FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relnamespace = 'public'::regnamespace AND indisvalid \
    UNION ALL SELECT 'analysed' FROM pg_class WHERE relname = 'young' AND reltuples > 0) AS all_of_it (it)";
const OFTEN: &str = "SELECT b FROM often WHERE a = ";
const SELDOM: &str = "SELECT b FROM seldom WHERE a = ";

fn bed() -> Bed {
    static SERVERS: OnceLock<Arc<Servers>> = OnceLock::new();
    let servers = SERVERS.get_or_init(|| Arc::new(Servers::start_with_statistics()));
    let bed = Bed::on(Arc::clone(servers));
    for statement in TABLES.split(';') {
        bed.sql(statement);
    }
    bed
}

/// Howdah in front of it, with these keys of `[advice]`.
fn howdah(bed: &Bed, keys: &str) -> Rig {
    let (database, directory) = (&bed.database, bed.directory.display());
    let more = format!(
        "[[database]]\nname = \"{database}\"\n[history]\npath = \"{directory}/history.db\"\n[advice]\nunused_after = \"1ms\"\n{keys}\n"
    );
    let users = "[[user]]\nname = \"howdah\"\nauth = \"trust\"\n[[user]]\nname = \"app\"\nauth = \"trust\"\n";
    Rig::builder().servers_shared(&bed.servers).users(users).more(&more).in_process()
}

/// Asks something so often, through whatever listens there, each time with another value.
fn ask(port: u16, bed: &Bed, (sql, times): (&str, u32)) {
    let mut client = Target::port(port, "app", &bed.database).client();
    for number in 0..times {
        client.run(&format!("{sql}{number}"));
    }
    client.close();
}

/// What happens when clients come: enough calls of both statements for a verdict, some of them through Howdah, which counts their time.
fn traffic(bed: &Bed, rig: &Rig) {
    for ask_for in [(OFTEN, 10), (SELDOM, 5)] {
        ask(rig.port(), bed, ask_for);
    }
}

/// Carries advice out in somebody's name.
fn carry_out(bed: &Bed, who: &str, advice: &Recommendation) {
    let (_stop, stop) = watch::channel(false);
    let (journal, url) = (bed.journal(), Url(bed.url("howdah")));
    let job = Job {
        connect: &url,
        journal: &journal,
        who,
        limits: &bed.limits,
        samples: &[],
        tell: &|_| {},
        stop,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(apply::apply(&job, advice)).unwrap();
}

/// An index that somebody made, and that is known to have made things worse.
fn regressed(bed: &Bed, who: &str, column: &str) -> Recommendation {
    let sql = format!("CREATE INDEX CONCURRENTLY small_{column} ON public.small ({column})");
    let made = advice(Kind::CreateIndex, &[&sql]);
    carry_out(bed, who, &made);
    let why = ("Howdah", "1 statement is slower");
    bed.journal().decide(&bed.place().key, &made.id, State::Regressed, why).unwrap();
    made
}

/// Advice that was carried out and that nothing can be said of: it is measured at every look, and so shows that there was one.
fn pulse(bed: &Bed) -> Recommendation {
    let analysed = advice(Kind::Analyze, &["ANALYZE public.small"]);
    carry_out(bed, "ann", &analysed);
    analysed
}

/// Waits until everything that one look finds, which begins from now on, has been considered: of a look that has begun already the first measurement, of the next one the second, and the
/// third shows that the next one is over.
fn until_it_was_considered(bed: &Bed, pulse: &Recommendation) {
    let (journal, key) = (bed.journal(), bed.place().key);
    let at = || journal.measure::<Measured>(&key, &pulse.id, "after").unwrap().map(|(at, _)| at);
    for _ in 0..3 {
        let before = at();
        eventually("another look", || at() > before);
    }
}

/// What is known of an index on this table, or of something else with these words.
fn known(bed: &Bed, kind: Kind, words: &str) -> Option<Entry> {
    let all = bed.journal().entries(Some(&bed.place().key)).unwrap();
    all.into_iter().find(|one| one.advice.kind == kind && one.advice.title.contains(words))
}

fn state(bed: &Bed, kind: Kind, words: &str) -> Option<State> {
    known(bed, kind, words).map(|entry| entry.state)
}

fn run(bed: &Bed, place: &Place, entry: &Entry, direction: Direction) -> Run {
    let runs = bed.journal().runs(&place.key, &entry.advice.id).unwrap();
    let mut runs = runs.into_iter().filter(|run| run.direction == direction);
    let run = runs.next().unwrap_or_else(|| panic!("{}", entry.advice.title));
    assert!(runs.next().is_none(), "once: {}", entry.advice.title);
    run
}

#[test]
fn in_review_and_outside_the_window_nothing_is_changed_whatever_there_is_to_do() {
    let bed = bed();
    for (sql, times) in [(OFTEN, 40), (SELDOM, 40)] {
        ask(bed.servers.primary().port(), &bed, (sql, times));
    }
    regressed(&bed, AUTOMATIC, "a");
    let pulse = pulse(&bed);
    let before = bed.value(STATE);
    let open = |entry: Entry, impact| entry.state == State::Open && entry.advice.impact == impact;
    let high =
        || known(&bed, Kind::CreateIndex, "Index often").is_some_and(|one| open(one, Impact::High));
    let medium =
        || known(&bed, Kind::Analyze, "young").is_some_and(|one| open(one, Impact::Medium));
    let nothing_is_done = |keys: &str| {
        let rig = howdah(&bed, keys);
        traffic(&bed, &rig);
        eventually("advice of high and of medium impact", || high() && medium());
        until_it_was_considered(&bed, &pulse);
        assert_eq!(bed.value(STATE), before, "{keys}");
        assert!(high() && medium(), "{keys}");
        assert_eq!(state(&bed, Kind::CreateIndex, "small_a"), Some(State::Regressed), "{keys}");
    };
    nothing_is_done("every = \"1s\"");
    let closed = bed.value("SELECT to_char(localtime + interval '3 h', 'HH24:MI-') || to_char(localtime + interval '4 h', 'HH24:MI')");
    let all = "every = \"1s\"\nmode = \"automatic\"\nautomatic_impact = \"medium\"";
    nothing_is_done(&format!("{all}\nwindow = \"{closed}\""));
    // Howdah was killed when it had just begun: it goes on.
    let begun = known(&bed, Kind::CreateIndex, "Index often").unwrap().advice;
    bed.journal().begin(&bed.place(), &begun, Direction::Apply, AUTOMATIC).unwrap();
    assert_eq!(state(&bed, Kind::CreateIndex, "Index often"), Some(State::Applying));
    // The same without the window: first what made things worse goes, then what is of medium impact is done, too.
    let rig = howdah(&bed, all);
    traffic(&bed, &rig);
    let reverted = || state(&bed, Kind::CreateIndex, "small_a") == Some(State::Reverted);
    eventually("what made things worse is gone", reverted);
    let made = |words| state(&bed, Kind::CreateIndex, words).is_some_and(State::is_applied);
    eventually("an index", || made("Index often"));
    ask(rig.port(), &bed, (OFTEN, 40));
    eventually("the second one", || made("Index seldom"));
    ask(rig.port(), &bed, (SELDOM, 40));
    eventually("what is of medium impact", || bed.value(STATE).contains("analysed"));
}

#[test]
fn in_automatic_mode_what_is_worth_it_is_made_one_at_a_time_and_measured_and_the_rest_is_for_people()
 {
    let bed = bed();
    for (sql, times) in [(OFTEN, 40), (SELDOM, 40)] {
        ask(bed.servers.primary().port(), &bed, (sql, times));
    }
    let (ours, hers) = (regressed(&bed, AUTOMATIC, "a"), regressed(&bed, "ann", "b"));
    let pulse = pulse(&bed);
    let rig = howdah(&bed, "every = \"2s\"\nmode = \"automatic\"");
    traffic(&bed, &rig);

    let index = |table: &str| known(&bed, Kind::CreateIndex, table);
    let made = |table: &str| {
        let of = index(&format!("Index {table}"));
        of.is_some_and(|entry| entry.state.is_applied())
    };
    eventually("the index that saves most", || made("often"));
    assert_eq!(bed.state(&ours), State::Reverted, "first what made things worse goes");
    // As long as nobody asks, nothing can be said of it, and the next one waits.
    until_it_was_considered(&bed, &pulse);
    assert_eq!(index("Index often").map(|entry| entry.state), Some(State::Applied));
    let waits = index("Index seldom").expect("it is advised");
    assert_eq!((waits.state, waits.advice.impact), (State::Open, Impact::High));
    ask(rig.port(), &bed, (OFTEN, 40));
    let verified = |table: &str| index(table).is_some_and(|entry| entry.state == State::Verified);
    eventually("it is measured", || verified("Index often"));
    eventually("the next one", || made("seldom"));
    ask(rig.port(), &bed, (SELDOM, 40));
    eventually("it is measured, too", || verified("Index seldom"));
    until_it_was_considered(&bed, &pulse);

    let (place, journal) = (bed.place(), bed.journal());
    let (often, seldom) = (index("Index often").unwrap(), index("Index seldom").unwrap());
    for entry in [&often, &seldom] {
        let made = run(&bed, &place, entry, Direction::Apply);
        assert_eq!(made.who, AUTOMATIC);
        let verdict = last(&journal, &place.key, &entry.advice.id).unwrap().unwrap();
        let time = verdict.statements[0].time_ms;
        assert!(time.1 < time.0 / 2.0, "measured: {verdict:?}");
    }
    let events = journal.events(&place.key, &often.advice.id).unwrap();
    let judged = events.iter().find(|event| event.state == State::Verified).unwrap();
    assert_eq!(judged.who, "Howdah");
    let second = run(&bed, &place, &seldom, Direction::Apply);
    assert!(second.begun_ms >= judged.at_ms, "one at a time: {second:?} {judged:?}");

    let back = run(&bed, &place, &bed.entry(&ours), Direction::Undo);
    assert_eq!((back.who.as_str(), back.outcome.as_str()), (AUTOMATIC, "done"));
    assert!(back.begun_ms <= run(&bed, &place, &often, Direction::Apply).begun_ms);
    assert_eq!(bed.state(&hers), State::Regressed, "what a person made, a person takes back");
    for (kind, words) in [
        (Kind::DropRedundantIndex, "idle_a"),
        (Kind::DropUnusedIndex, "idle_c"),
        (Kind::Analyze, "young"),
    ] {
        let entry = known(&bed, kind, words).unwrap_or_else(|| panic!("{kind:?} {words}"));
        assert_eq!(entry.state, State::Open, "{}", entry.advice.title);
        assert_eq!(journal.runs(&place.key, &entry.advice.id).unwrap(), Vec::new());
    }
    let indexes = bed.value(STATE);
    let made = [&often, &seldom].map(|entry| entry.advice.undo[0].rsplit('.').next().unwrap());
    let scans = |index: &str| -> Option<i64> {
        let all = journal.index_histories(Some(&place.key)).unwrap();
        let found = all.into_iter().find(|it| it.index == format!("public.{index}"))?;
        Some(found.days.iter().map(|day| day.scans).sum())
    };
    let used = |name: &str| scans(name.trim_matches('"')).is_some_and(|scans| scans >= 40);
    eventually("what was made is seen to be used", || made.iter().all(|name| used(name)));
    assert_eq!(scans("idle_c"), Some(0));
    let mut all = vec!["idle_a", "idle_a_b", "idle_c", "small_b"];
    all.extend(made.map(|name| name.trim_matches('"')));
    all.sort_unstable();
    let mut there: Vec<&str> = indexes.split(' ').collect();
    there.sort_unstable();
    assert_eq!(there, all);
}
