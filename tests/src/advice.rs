//! Advice to look at: a journal beside a file of the past, and advice that was carried out on paper. Not a database that it is about.

use std::fs;
use std::path::PathBuf;

use howdah::advisor::{Costs, Evidence, Impact, Kind, Recommendation};
use howdah::ops::journal::{Direction, FILE, Intent, Journal, Place, Purpose, State};
use howdah::ops::verify::{Measured, Sampled};

/// Where the file of the past is, and the journal beside it.
#[derive(Debug)]
pub struct Room(PathBuf);

impl Room {
    /// A directory of its own.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("howdah-e2e-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Configuration that remembers here.
    pub fn history(&self) -> String {
        format!("[history]\npath = \"{}\"\n", self.0.join("history.db").display())
    }

    /// The file of the journal.
    pub fn file(&self) -> PathBuf {
        self.0.join(FILE)
    }

    /// The journal, made if need be.
    pub fn journal(&self) -> Journal {
        Journal::open(&self.file()).unwrap()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A database of this name.
pub fn place(name: &str) -> Place {
    Place { key: format!("1/{name}"), name: name.to_owned() }
}

/// Advice of high impact, with everything that advice can have.
pub fn advice(id: &str) -> Recommendation {
    Recommendation {
        id: id.to_owned(),
        kind: Kind::CreateIndex,
        subject: "public.orders".to_owned(),
        title: "Index orders (customer)".to_owned(),
        why: "One statement reads all of orders for a few rows.".to_owned(),
        evidence: vec![Evidence {
            what: "cost".to_owned(),
            now: "48210".to_owned(),
            then: "9.4".to_owned(),
            check: "EXPLAIN SELECT 1".to_owned(),
        }],
        impact: Impact::High,
        confidence: 0.92,
        saves: Some(0.31),
        costs: Costs { bytes: 62_000_000, writes: 0.03 },
        apply: vec!["CREATE INDEX CONCURRENTLY i ON orders (customer)".to_owned()],
        undo: vec!["DROP INDEX CONCURRENTLY i".to_owned()],
        statements: vec!["0123456789abcdef".to_owned()],
        cautions: vec!["It takes a while.".to_owned()],
    }
}

/// Carries advice out, on paper: a run with a statement, a measurement of a statement with a value, a verdict.
pub fn carry_out(journal: &Journal, place: &Place, advice: &Recommendation) {
    let run = journal.begin(place, advice, Direction::Apply, "ann").unwrap();
    let intent = Intent {
        purpose: Purpose::Step,
        sql: advice.apply[0].clone(),
        object: "{}".to_owned(),
        before: String::new(),
        back: advice.undo.clone(),
    };
    let statement = journal.intend(run, &intent).unwrap();
    journal.ended(statement, true, "CREATE INDEX").unwrap();
    journal.finish(run, State::Applied, "done in 2 s").unwrap();
    for (moment, ms) in [("before", 40.0), ("after", 0.5)] {
        let text = "SELECT * FROM orders WHERE customer = 'a secret'".to_owned();
        let sample = Sampled { text, times: vec![ms; 5], blocks: ms };
        let measured = Measured { counted: None, samples: vec![sample] };
        journal.measured(&place.key, &advice.id, moment, &measured).unwrap();
    }
    journal.decide(&place.key, &advice.id, State::Verified, ("ann", "1 is faster")).unwrap();
}
