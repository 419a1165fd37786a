//! What one worker knows about the statements of one place: how their answers are tagged, or why they are not kept, and whether keeping
//! them is worth it. Not the answers.
//!
//! Invariant: what follows from a catalog that is not in force any more is not believed.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use howdah_core::cache::admission::Worth;
use howdah_core::cache::declared::{Verdict, verdict};
use howdah_core::cache::definitions::Definitions;
use howdah_core::cache::freshness::Epoch;
use howdah_core::cache::rules::Rules;
use howdah_core::cache::{
    About, Answer, Freshness, Lsn, Plan, Reason, Seen, Shown, Uncacheable, Unseen, plan,
};
use howdah_core::limits;
use howdah_core::route::class::Name;
use howdah_sql::{Analysis, Fingerprint, Masked, Shape, Unkept};

use super::tally::{Used, Uses};
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
    texts: Texts,
    /// For those whose answers may rest on their age, whatever they read, because their session says so.
    texts_by_age: Texts,
    masked: Masked,
    forms: Map<u64, Form>,
    /// Of forms that are not remembered any more.
    gone: Used,
    rules: Arc<Rules>,
}

/// How the answers to texts are tagged.
#[derive(Debug, Default)]
struct Texts {
    by_text: Map<Box<[u8]>, Known>,
    /// By masked text; `None`: that has to be asked of each text by itself.
    by_mask: Map<Box<[u8]>, Option<Known>>,
}

/// What is known of one form of statements.
#[derive(Debug, Default)]
struct Form {
    worth: Worth,
    uses: Uses,
    /// What its answers are about, once one was kept or given.
    about: Option<Arc<About>>,
    /// How often what was kept had changed, for each relation of `about` by its place.
    changed: Box<[u64]>,
    /// What describes the rows of its answers.
    description: Option<Arc<[u8]>>,
}

/// How the answers to one text are tagged.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) about: Arc<About>,
    /// It is that of a masked text: values of literals have to be given.
    pub(crate) masked: bool,
    /// From where on changes of what it reads are seen, in this epoch.
    since: Cell<Option<(Epoch, Since)>>,
    /// The same of rows by what identifies them.
    since_shown: Cell<Option<(Epoch, Lsn)>>,
}

/// From where on changes of what is read are seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since {
    pub(crate) position: Lsn,
    /// Those of something are not, which may be.
    pub(crate) blind: bool,
}

impl Planned {
    /// From where on changes of all that it reads are seen.
    pub(crate) fn since(&self, freshness: &Freshness, epoch: Epoch) -> Result<Since, Unseen> {
        if let Some((of, since)) = self.since.get()
            && of == epoch
        {
            return Ok(since);
        }
        let mut since = Since { position: Lsn(0), blind: false };
        for set in self.plan.sets() {
            match freshness.since(set) {
                Ok(position) => since.position = since.position.max(position),
                Err(unseen) if unseen == Unseen::Soon || !self.plan.covers(set.relation()) => {
                    return Err(unseen);
                }
                Err(_) => since.blind = true,
            }
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

impl Form {
    fn add_to(&self, used: &mut Used) {
        let Some(about) = &self.about else { return };
        for (at, (_, name)) in about.relations.iter().enumerate() {
            let changed = self.changed.get(at).copied().unwrap_or_default();
            used.tables.add(&name.to_string(), Uses { changed, ..self.uses });
        }
        for name in about.chosen.iter().flat_map(|chosen| &chosen.names) {
            let changed = self.changed.iter().max().copied().unwrap_or_default();
            used.rules.add(name, Uses { changed, ..self.uses });
        }
    }
}

impl Plans {
    /// How the answers to a text are tagged. `by_age`: its session lets them rest on their age.
    pub(crate) fn planned(
        &mut self,
        watched: &Watched,
        (sql, by_age): (&[u8], bool),
        analysis: &Analysis,
    ) -> Known {
        self.take_definitions(watched);
        let form = analysis.fingerprint;
        let planned = self.known((sql, by_age), form)?;
        // The same text may be read differently by another session: with `standard_conforming_strings` off.
        if !is_pure_read(analysis)
            && verdict(analysis, &self.definitions, &self.rules) != Verdict::OnlyReads
        {
            return Err(Reason::Function);
        }
        // What rules say of another form does not count.
        if planned.about.fingerprint == form || self.rules.number() == 0 {
            return Ok(planned);
        }
        self.of_shape(&shape(sql).map_err(|no| no.reason)?, (form, by_age), false)
    }

    /// Whether a text that is no read as far as it tells only reads, by what the configuration says of functions.
    pub(super) fn verdict(&mut self, watched: &Watched, analysis: &Analysis) -> Verdict {
        self.take_definitions(watched);
        verdict(analysis, &self.definitions, &self.rules)
    }

    fn take_definitions(&mut self, watched: &Watched) {
        let generation = watched.generation();
        if self.generation != Some(generation) {
            self.definitions = watched.definitions();
            self.forget_texts();
            self.generation = Some(generation);
            // Names may mean something else.
            for form in self.forms.values_mut() {
                form.add_to(&mut self.gone);
                *form = Form { worth: form.worth, ..Form::default() };
            }
        }
    }

    fn texts(&mut self, by_age: bool) -> &mut Texts {
        if by_age { &mut self.texts_by_age } else { &mut self.texts }
    }

    fn forget_texts(&mut self) {
        (self.texts, self.texts_by_age) = Default::default();
    }

    fn known(&mut self, (sql, by_age): (&[u8], bool), form: Fingerprint) -> Known {
        if let Some(known) = self.texts(by_age).by_text.get(sql) {
            return known.clone();
        }
        if self.masked.mask(sql)
            && let Some(planned) = self.by_mask(form, by_age)
        {
            return planned;
        }
        let shape = shape(sql).map_err(|no| no.reason);
        let planned = shape.and_then(|shape| self.of_shape(&shape, (form, by_age), false));
        let by_text = &mut self.texts(by_age).by_text;
        if by_text.len() >= limits::CACHE_PLANS {
            by_text.clear();
        }
        by_text.insert(sql.into(), planned.clone());
        planned
    }

    /// Of the text that was just masked.
    fn by_mask(&mut self, form: Fingerprint, by_age: bool) -> Option<Known> {
        let texts = if by_age { &self.texts_by_age } else { &self.texts };
        if let Some(known) = texts.by_mask.get(self.masked.text()) {
            return known.clone();
        }
        let shape = self.masked.shape();
        let planned = shape.map(|shape| {
            let shape = shape.map_err(Reason::Text);
            shape.and_then(|shape| self.of_shape(&shape, (form, by_age), true))
        });
        let text = self.masked.text().into();
        let by_mask = &mut self.texts(by_age).by_mask;
        if by_mask.len() >= limits::CACHE_PLANS {
            by_mask.clear();
        }
        by_mask.insert(text, planned.clone());
        planned
    }

    fn of_shape(&self, shape: &Shape, (form, by_age): (Fingerprint, bool), masked: bool) -> Known {
        let covers = |name: &Name| by_age || self.rules.cover(form, name);
        let plan =
            plan(shape, &self.definitions, (&self.rules, &covers)).map_err(|no| no.reason)?;
        let about = Arc::new(self.rules.about(form, plan.relations().into()));
        let (since, since_shown) = Default::default();
        Ok(Rc::new(Planned { plan, about, masked, since, since_shown }))
    }

    /// The values of the literals of a text, which is the last that was planned, for a plan that is masked.
    pub(crate) fn literals<'a>(&self, planned: &Planned, sql: &'a [u8]) -> Vec<&'a [u8]> {
        if planned.masked { self.masked.literals(sql) } else { Vec::new() }
    }

    /// The catalog that plans were made by.
    pub(crate) const fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// From now on these rules hold.
    pub(super) fn obey(&mut self, rules: &Arc<Rules>) {
        if self.rules.number() != rules.number() {
            self.forget_texts();
            self.forget_forms();
        }
        self.rules = Arc::clone(rules);
    }

    fn form(&mut self, form: u64) -> &mut Form {
        if self.forms.len() >= limits::CACHE_PLANS && !self.forms.contains_key(&form) {
            self.forget_forms();
        }
        self.forms.entry(form).or_default()
    }

    fn forget_forms(&mut self) {
        self.forms.values().for_each(|form| form.add_to(&mut self.gone));
        self.forms.clear();
    }

    /// Whether keeping answers to a form is worth it.
    pub(crate) fn worth(&mut self, form: u64) -> &mut Worth {
        &mut self.form(form).worth
    }

    /// An answer is about to be kept.
    pub(super) fn share_description(&mut self, form: Fingerprint, answer: &mut Answer) {
        answer.share_description(&mut self.form(form.0).description);
    }

    /// An answer was found, and may be given.
    pub(super) fn on_hit(&mut self, about: &Arc<About>) {
        let form = self.form(about.fingerprint.0);
        form.worth.on_lookup(true);
        form.uses.hits += 1;
        if form.about.is_none() {
            form.about = Some(Arc::clone(about));
        }
    }

    /// None was.
    pub(super) fn on_miss(&mut self, about: &Arc<About>) {
        let form = self.form(about.fingerprint.0);
        form.uses.misses += 1;
        if form.about.is_none() {
            form.about = Some(Arc::clone(about));
        }
    }

    /// One was, and cannot be given before there is news: somebody asks for it again, so it is worth being kept.
    pub(super) fn on_late(&mut self, about: &Arc<About>) {
        self.on_miss(about);
        self.form(about.fingerprint.0).worth.on_lookup(true);
    }

    /// What was found is of before a change of these of the relations that it is about, by their places.
    pub(super) fn on_changed(
        &mut self,
        about: &Arc<About>,
        relations: impl Iterator<Item = usize>,
    ) {
        let form = self.form(about.fingerprint.0);
        let about = form.about.get_or_insert_with(|| Arc::clone(about));
        if form.changed.len() != about.relations.len() {
            form.changed = vec![0; about.relations.len()].into();
        }
        for at in relations {
            if let Some(count) = form.changed.get_mut(at) {
                *count += 1;
            }
        }
    }

    /// How often answers were found and not, by tables and by rules.
    pub(super) fn used(&self) -> Used {
        let mut used = self.gone.clone();
        self.forms.values().for_each(|form| form.add_to(&mut used));
        used
    }
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
    rules: &Rules,
) -> Result<Plan, Uncacheable> {
    let shape = shape(sql)?;
    let plan = plan(&shape, definitions, (rules, &|name| rules.cover(analysis.fingerprint, name)));
    let only_reads = || verdict(analysis, definitions, rules) == Verdict::OnlyReads;
    if plan.is_ok() && !is_pure_read(analysis) && !only_reads() {
        return Err(Uncacheable::new(Reason::Function));
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_and_cannot_be_given_in_time_stays_worth_keeping() {
        let about = Arc::new(Rules::default().about(Fingerprint(1), Box::default()));
        let (mut late, mut lost) = (Plans::default(), Plans::default());
        for _ in 0..1000 {
            late.on_late(&about);
            late.worth(1).on_lookup(false);
            lost.on_miss(&about);
            lost.worth(1).on_lookup(false);
        }
        assert!(late.worth(1).admits(), "it was found each time");
        assert!(!lost.worth(1).admits(), "it never was");
    }
}
