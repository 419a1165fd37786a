//! Which forms of statements replicas may run, as far as one worker has met them, by the catalog of their database.
//!
//! Invariant: what follows from a catalog or a configuration that is not in force any more is not believed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use howdah_core::limits;
use howdah_core::route::class::{Catalog, Safety, safety};
use howdah_sql::Analysis;

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
        let verdict = safety(analysis, &known.catalog, &settings.overrides);
        if known.by_form.len() >= limits::VERDICTS {
            known.by_form.clear();
        }
        known.by_form.insert(form, verdict);
        verdict
    }
}
