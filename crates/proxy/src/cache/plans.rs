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
use howdah_sql::{Analysis, Masked, Shape, Unkept};

use crate::catalog::Watched;
use crate::share::is_pure_read;

type Map<K, V> = HashMap<K, V, foldhash::quality::RandomState>;

/// How answers are tagged, or why they are not kept.
type Known = Result<Rc<Planned>, Reason>;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    definitions: Arc<Definitions>,
    /// Of the catalog that the rest follows from.
    generation: Option<u64>,
    by_text: Map<Box<[u8]>, Known>,
    /// By masked text; `None`: that has to be asked of each text by itself.
    by_mask: Map<Box<[u8]>, Option<Known>>,
    masked: Masked,
    forms: Map<u64, Worth>,
}

/// How the answers to one text are tagged.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// It is that of a masked text: values of literals have to be given.
    pub(crate) masked: bool,
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
    /// How the answers to a text are tagged.
    pub(crate) fn planned(&mut self, watched: &Watched, sql: &[u8], analysis: &Analysis) -> Known {
        let generation = watched.generation();
        if self.generation != Some(generation) {
            self.definitions = watched.definitions();
            self.by_text.clear();
            self.by_mask.clear();
            self.generation = Some(generation);
        }
        let planned = self.known(sql)?;
        // The same text may be read differently by another session: with `standard_conforming_strings` off.
        if is_pure_read(analysis) { Ok(planned) } else { Err(Reason::Function) }
    }

    fn known(&mut self, sql: &[u8]) -> Known {
        if let Some(known) = self.by_text.get(sql) {
            return known.clone();
        }
        if self.masked.mask(sql)
            && let Some(planned) = self.by_mask()
        {
            return planned;
        }
        let shape = shape(sql).map_err(|no| no.reason);
        let planned = shape.and_then(|shape| of_shape(&shape, &self.definitions, false));
        if self.by_text.len() >= limits::CACHE_PLANS {
            self.by_text.clear();
        }
        self.by_text.insert(sql.into(), planned.clone());
        planned
    }

    /// Of the text that was just masked.
    fn by_mask(&mut self) -> Option<Known> {
        if let Some(known) = self.by_mask.get(self.masked.text()) {
            return known.clone();
        }
        let shape = self.masked.shape();
        let planned = shape.map(|shape| {
            let shape = shape.map_err(Reason::Text);
            shape.and_then(|shape| of_shape(&shape, &self.definitions, true))
        });
        if self.by_mask.len() >= limits::CACHE_PLANS {
            self.by_mask.clear();
        }
        self.by_mask.insert(self.masked.text().into(), planned.clone());
        planned
    }

    /// The values of the literals of a text, which is the last that was planned, for a plan that is masked.
    pub(crate) fn literals<'a>(&self, planned: &Planned, sql: &'a [u8]) -> Vec<&'a [u8]> {
        if planned.masked { self.masked.literals(sql) } else { Vec::new() }
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

fn of_shape(shape: &Shape, definitions: &Definitions, masked: bool) -> Known {
    let plan = plan(shape, definitions).map_err(|no| no.reason)?;
    let (since, since_shown) = Default::default();
    Ok(Rc::new(Planned { plan, masked, since, since_shown }))
}

fn shape(sql: &[u8]) -> Result<Shape, Uncacheable> {
    let text = |unkept| Uncacheable::new(Reason::Text(unkept));
    let sql = std::str::from_utf8(sql).map_err(|_| text(Unkept::Unparsed))?;
    howdah_sql::shape(sql).map_err(text)
}

/// How the answers to a text are tagged, for people.
///
/// # Errors
/// Why they are not kept.
pub(crate) fn explained(
    sql: &[u8],
    analysis: &Analysis,
    definitions: &Definitions,
) -> Result<Plan, Uncacheable> {
    let shape = shape(sql)?;
    if !is_pure_read(analysis) {
        return Err(Uncacheable::new(Reason::Function));
    }
    plan(&shape, definitions)
}
