//! The journal by itself: states, runs that were interrupted, files that are not its own.

use howdah_advisor::{Costs, Impact, Kind, Recommendation};

use super::*;

const ALL: &[Kind] = &[Kind::CreateIndex];

fn advice(id: &str) -> Recommendation {
    Recommendation {
        id: id.to_owned(),
        kind: Kind::CreateIndex,
        subject: "public.orders".to_owned(),
        title: "an index".to_owned(),
        why: "why".to_owned(),
        evidence: Vec::new(),
        impact: Impact::High,
        confidence: 0.9,
        saves: None,
        costs: Costs::default(),
        apply: vec!["CREATE INDEX CONCURRENTLY i ON t (a)".to_owned()],
        undo: vec!["DROP INDEX CONCURRENTLY i".to_owned()],
        statements: Vec::new(),
        cautions: Vec::new(),
    }
}

pub(super) fn place() -> Place {
    Place { key: "1/shop".to_owned(), name: "shop".to_owned() }
}

/// A file that is gone with its test.
pub(super) struct File(pub(super) PathBuf);

impl File {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("howdah-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.0.display()));
        }
    }
}

fn state_of(journal: &Journal, id: &str) -> Option<State> {
    journal.entry("1/shop", id).unwrap().map(|entry| entry.state)
}

#[test]
fn advice_that_is_not_found_any_more_is_forgotten_unless_somebody_acted() {
    let file = File::new("journal-forget");
    let journal = Journal::open(&file.0).unwrap();
    journal
        .recommended(&place(), (&[advice("a"), advice("b"), advice("c")], ALL), now_ms() - 1_000)
        .unwrap();
    journal.decide("1/shop", "b", State::Dismissed, ("me", "no")).unwrap();
    let run = journal.begin(&place(), &advice("c"), Direction::Apply, "me").unwrap();
    journal.finish(run, State::Open, "lock timeout").unwrap();
    journal.recommended(&place(), (&[], &[Kind::Rewrite]), now_ms()).unwrap();
    assert_eq!(state_of(&journal, "a"), Some(State::Open), "nobody looked for its kind");
    journal.recommended(&place(), (&[], ALL), now_ms()).unwrap();
    assert_eq!(state_of(&journal, "a"), None);
    journal.take_in(&place(), &[advice("d")], now_ms() - 1_000).unwrap();
    journal.recommended(&place(), (&[], ALL), now_ms()).unwrap();
    assert_eq!(state_of(&journal, "d"), Some(State::Open), "somebody brought it");
    assert_eq!(state_of(&journal, "b"), Some(State::Dismissed));
    assert_eq!(state_of(&journal, "c"), Some(State::Open));
    journal.recommended(&place(), (&[advice("b")], ALL), now_ms()).unwrap();
    assert_eq!(state_of(&journal, "b"), Some(State::Dismissed), "nobody is asked twice");
    let unknown = journal.decide("1/shop", "z", State::Dismissed, ("me", ""));
    assert!(matches!(unknown, Err(Error::Unknown(_))), "{unknown:?}");
}

#[test]
fn what_is_wanted_again_later_is_open_again() {
    let file = File::new("journal-again");
    let journal = Journal::open(&file.0).unwrap();
    let run = journal.begin(&place(), &advice("a"), Direction::Apply, "me").unwrap();
    assert_eq!(state_of(&journal, "a"), Some(State::Applying));
    journal.finish(run, State::Applied, "").unwrap();
    journal.recommended(&place(), (&[advice("a")], ALL), now_ms()).unwrap();
    assert_eq!(state_of(&journal, "a"), Some(State::Applied), "counters are late");
    journal.recommended(&place(), (&[advice("a")], ALL), now_ms() + 2 * LATE).unwrap();
    assert_eq!(state_of(&journal, "a"), Some(State::Open));
    let words: Vec<_> =
        journal.events("1/shop", "a").unwrap().iter().map(|event| event.state.word()).collect();
    assert_eq!(words, ["applying", "applied", "open"]);
}

#[test]
fn a_statement_is_in_the_file_before_it_is_sent() {
    let file = File::new("journal-intent");
    let journal = Journal::open(&file.0).unwrap();
    let run = journal.begin(&place(), &advice("a"), Direction::Apply, "me").unwrap();
    let intent = Intent {
        purpose: Purpose::Step,
        sql: "CREATE INDEX".to_owned(),
        object: "{}".to_owned(),
        before: String::new(),
        back: vec!["DROP INDEX".to_owned()],
    };
    let statement = journal.intend(run, &intent).unwrap();
    // Whoever comes after a kill opens the file by itself.
    let other = Journal::open(&file.0).unwrap();
    let found = other.unfinished("1/shop").unwrap();
    assert_eq!((found.len(), found[0].who.as_str(), found[0].ended_ms), (1, "me", None));
    let left = &found[0].statements[0];
    assert_eq!((left.sql.as_str(), left.ended_ms, left.done), ("CREATE INDEX", None, false));
    assert_eq!(left.back, ["DROP INDEX"]);
    other.ended(statement, true, "CREATE INDEX").unwrap();
    other.finish(run, State::Applied, "done").unwrap();
    assert!(journal.unfinished("1/shop").unwrap().is_empty());
    assert!(journal.runs("1/shop", "a").unwrap()[0].statements[0].done);
}

#[test]
fn another_file_is_left_alone() {
    let file = File::new("journal-foreign");
    let other = Connection::open(&file.0).unwrap();
    other.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(other);
    assert!(matches!(Journal::open(&file.0), Err(Error::Foreign(_))));
    std::fs::write(&file.0, "no database at all, and long enough to be looked at, too").unwrap();
    assert!(matches!(Journal::open(&file.0), Err(Error::Sqlite { .. })));
    assert!(std::fs::read_to_string(&file.0).unwrap().starts_with("no database"));
}

#[test]
fn every_state_has_a_word_of_its_own() {
    for state in State::ALL {
        assert_eq!(State::of(state.word()), Some(state));
    }
}
