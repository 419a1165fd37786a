//! What one worker knows about the statements of one place: how their answers are tagged, or why they are not kept, and whether keeping
//! them is worth it. Not the answers.
//!
//! Invariant: what follows from a catalog that is not in force any more is not believed.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use howdah_core::cache::admission::Worth;
use howdah_core::cache::definitions::Definitions;
use howdah_core::cache::freshness::Epoch;
use howdah_core::cache::{Freshness, Lsn, Plan, Reason, Seen, Shown, Uncacheable, Unseen, plan};
use howdah_core::limits;
use howdah_sql::Analysis;

use crate::catalog::Watched;
use crate::share::is_pure_read;

type Map<K, V> = HashMap<K, V, foldhash::quality::RandomState>;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    definitions: Arc<Definitions>,
    /// Of the catalog that the rest follows from.
    generation: Option<u64>,
    by_text: Map<Box<[u8]>, Result<Rc<Planned>, Reason>>,
    forms: Map<u64, Worth>,
}

/// How the answers to one text are tagged.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// From where on changes of what it reads are seen, in this epoch.
    since: Cell<Option<(Epoch, Lsn)>>,
    /// The same of rows by what identifies them.
    since_shown: Cell<Option<(Epoch, Lsn)>>,
}

impl Planned {
    /// From where on changes of all that it reads are seen.
    pub(crate) fn since(&self, freshness: &Freshness, epoch: Epoch) -> Result<Lsn, Unseen> {
        if let Some((of, since)) = self.since.get()
            && of == epoch
        {
            return Ok(since);
        }
        let mut since = Lsn(0);
        for set in self.plan.sets() {
            since = since.max(freshness.since(set)?);
        }
        self.since.set(Some((epoch, since)));
        Ok(since)
    }

    /// How an answer is tagged by the rows that it shows, if changes of such rows are seen from this position on.
    pub(crate) fn shown(&self, freshness: &Freshness, seen: Seen) -> Option<&Shown> {
        let shown = self.plan.shown()?;
        let since = match self.since_shown.get() {
            Some((of, since)) if of == seen.epoch => since,
            _ => {
                let since = freshness.since(&shown.set()).ok()?;
                self.since_shown.set(Some((seen.epoch, since)));
                since
            }
        };
        (since <= seen.v).then_some(shown)
    }
}

impl Plans {
    /// How the answers to a text are tagged. `keep`: the text will come again.
    pub(crate) fn planned(
        &mut self,
        watched: &Watched,
        sql: &[u8],
        analysis: &Analysis,
    ) -> Result<Rc<Planned>, Reason> {
        let generation = watched.generation();
        if self.generation != Some(generation) {
            self.definitions = watched.definitions();
            self.by_text.clear();
            self.generation = Some(generation);
        }
        if let Some(known) = self.by_text.get(sql) {
            return known.clone();
        }
        let planned = make(sql, analysis, &self.definitions).map(Rc::new).map_err(|no| no.reason);
        if self.by_text.len() >= limits::CACHE_PLANS {
            self.by_text.clear();
        }
        self.by_text.insert(sql.into(), planned.clone());
        planned
    }

    /// The catalog that plans were made by.
    pub(crate) const fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// What is known of a form.
    pub(crate) fn worth(&mut self, form: u64) -> &mut Worth {
        if self.forms.len() >= limits::CACHE_PLANS && !self.forms.contains_key(&form) {
            self.forms.clear();
        }
        self.forms.entry(form).or_default()
    }
}

/// How the answers to a text are tagged.
///
/// # Errors
/// Why they are not kept.
pub(crate) fn make(
    sql: &[u8],
    analysis: &Analysis,
    definitions: &Definitions,
) -> Result<Planned, Uncacheable> {
    let text = |unkept| Uncacheable::new(Reason::Text(unkept));
    let sql = std::str::from_utf8(sql).map_err(|_| text(howdah_sql::Unkept::Unparsed))?;
    let shape = howdah_sql::shape(sql).map_err(text)?;
    if !is_pure_read(analysis) {
        return Err(Uncacheable::new(Reason::Function));
    }
    let (since, since_shown) = Default::default();
    Ok(Planned { plan: plan(&shape, definitions)?, since, since_shown })
}
