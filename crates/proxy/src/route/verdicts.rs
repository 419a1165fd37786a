//! Which forms of statements replicas may run, as far as one worker has met them, by the catalog of their database.
//!
//! Invariant: what follows from a catalog or a configuration that is not in force any more is not believed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use howdah_core::limits;
use howdah_core::route::class::{Catalog, Safety, safety};
use howdah_sql::{Analysis, Effect};

use crate::catalog::{Catalogs, Watched};
use crate::pool::Pool;
use crate::settings::Settings;
use crate::worker::Worker;

/// Of one database.
#[derive(Debug)]
pub(crate) struct Verdicts {
    watched: Arc<Watched>,
    known: RefCell<Known>,
}

#[derive(Debug, Default)]
struct Known {
    catalog: Arc<Catalog>,
    /// Of the catalog and of the settings that the rest follows from.
    numbers: (u64, u64),
    by_form: HashMap<u64, Safety>,
}

impl Verdicts {
    /// Those of the database of a pool on the primary.
    pub(crate) fn of(worker: &Rc<Worker>, home: &Pool) -> Self {
        Self { watched: Catalogs::of(worker, home), known: RefCell::default() }
    }

    /// Whether a replica may run a statement.
    pub(super) fn safety(&self, analysis: &Analysis, settings: &Settings) -> Safety {
        let mut known = self.known.borrow_mut();
        let numbers = (self.watched.generation(), settings.revision);
        if known.numbers != numbers {
            *known = Known { catalog: self.watched.catalog(), numbers, by_form: HashMap::new() };
        }
        let form = analysis.fingerprint.0;
        if let Some(verdict) = known.by_form.get(&form) {
            return *verdict;
        }
        let verdict = if begins_read_only(analysis) {
            Safety::Replica
        } else {
            safety(analysis, &known.catalog, &settings.overrides)
        };
        if known.by_form.len() >= limits::VERDICTS {
            known.by_form.clear();
        }
        known.by_form.insert(form, verdict);
        verdict
    }
}

/// `BEGIN READ ONLY`, which every server that reads may run. Serializable transactions are for the primary.
fn begins_read_only(analysis: &Analysis) -> bool {
    let [statement] = &*analysis.statements else { return false };
    if statement.effect != Effect::Begin {
        return false;
    }
    let text = analysis.text.to_ascii_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).collect();
    let says = |wanted: [&str; 2]| words.windows(2).any(|pair| *pair == wanted);
    says(["read", "only"]) && !says(["read", "write"]) && !words.contains(&"serializable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_that_only_reads_is_recognised() {
        let mut analyses = howdah_sql::Analyses::new(16);
        for (sql, expected) in [
            ("BEGIN READ ONLY", true),
            ("begin transaction isolation level repeatable read, read only", true),
            ("START TRANSACTION READ ONLY", true),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE", false),
            ("BEGIN", false),
            ("BEGIN READ WRITE", false),
            ("BEGIN READ ONLY, READ WRITE", false),
            ("SELECT 'begin read only'", false),
            ("BEGIN READ ONLY; DELETE FROM t", false),
        ] {
            assert_eq!(begins_read_only(&analyses.analyse(sql.as_bytes())), expected, "{sql}");
        }
    }
}
