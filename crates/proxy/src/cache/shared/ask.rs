//! The way of a request through the second level: what it is called there, taken over if it may be, and put there when PostgreSQL has
//! answered. Not the connection.
//!
//! Invariant: what is taken over has passed every question that an answer of our own is asked, and is one from then on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use howdah_core::cache::freshness::standing::Standing;
use howdah_core::cache::shared::{Question, Unusable, Value, name};
use howdah_core::cache::wish::Mode;
use howdah_core::cache::{Refusal as Refused, Stamp, key};

use super::super::fill::Filling;
use super::super::flushes::Flushes;
use super::super::session::{Hit, Looked, Missed};
use super::super::store::{Entry, Tags};
use super::add;
use super::link::{Link, Write};
use crate::clock;
use crate::error::Refusal;
use crate::session::{End, Session};

/// Where to look besides, and to put what PostgreSQL answers.
#[derive(Debug)]
pub(in super::super) struct Elsewhere {
    link: Arc<Link>,
    standing: Arc<Standing>,
    key: Vec<u8>,
    name: String,
}

impl Elsewhere {
    /// Puts an answer there that was just kept.
    pub(in super::super) fn put(self, entry: &Entry) {
        if !self.standing.is_of(entry.seen) {
            return;
        }
        let value = Value {
            v: entry.seen.v,
            cost: entry.cost,
            shape: entry.shape,
            answer: entry.answer.clone(),
        };
        let value = value.encode(&self.standing, &self.key);
        self.link.put(Write { name: self.name, value });
    }
}

impl Filling {
    /// What was found elsewhere, as an answer of our own.
    fn adopt(
        &self,
        elsewhere: &Elsewhere,
        found: &[u8],
        flushes: &Flushes,
    ) -> Result<Arc<Entry>, Unusable> {
        let value = Value::decode(found, &elsewhere.standing, &elsewhere.key)?;
        let freshness = &self.place.freshness;
        if flushes.is_forgotten(&self.about, freshness, value.v) {
            return Err(Refused::Changed.into());
        }
        let seen = freshness.adopt(&elsewhere.standing, value.v)?;
        let since = self.planned.since(freshness, seen.epoch).map_err(|_| Refused::Floor)?;
        if since.position > seen.v || since.blind {
            return Err(Refused::Floor.into());
        }
        let shown = self.shown.as_ref().filter(|_| self.planned.shown(freshness, seen).is_some());
        let answer = value.answer;
        let by_rows =
            shown.and_then(|(shown, binary)| shown.tags(&self.tags, &answer.rows, binary));
        let tags = by_rows.map_or_else(|| Tags::from_slice(&self.tags), Tags::from_vec);
        let seen = freshness.keep(&tags, &Stamp::Cold(seen), None)?;
        Ok(Arc::new(Entry {
            answer,
            shape: value.shape,
            tags,
            patch: self.patch.clone(),
            seen,
            came: freshness.mark(),
            analysis: Arc::clone(&self.analysis),
            cost: value.cost,
            counts_only: false,
            about: Arc::clone(&self.about),
            timed: None,
            outlived: AtomicU64::new(self.parts),
            asker: self.asker.clone(),
            hits: AtomicU32::new(0),
        }))
    }
}

impl Session {
    /// Where to look besides, if it is worth it.
    fn elsewhere(&self, filling: &Filling) -> Option<Elsewhere> {
        let link = self.worker.shared.second_level.link()?;
        let place = &filling.place;
        // Others would not know how old it is.
        if filling.timed.is_some()
            || filling.mode != Mode::On
            || !place.plans.borrow_mut().worth(filling.analysis.fingerprint.0).is_dear()
        {
            return None;
        }
        if !link.is_open() {
            add(&link.counters.skipped, 1);
            return None;
        }
        let Stamp::Cold(seen) = filling.stamp else { return None };
        let standing = place.freshness.standing().filter(|standing| standing.is_of(seen))?;
        let target = self.home.target();
        let user = &*self.home.key.user;
        let question = Question {
            history: standing.history,
            database: &target.database,
            roles: [target.credentials.user.as_deref().unwrap_or(user), user],
            settings: &key::settings(self.settings.context()),
            request: key::beyond_numbers(&filling.key),
        };
        let key = question.key();
        let name = name(&link.settings.prefix, &key);
        Some(Elsewhere { link, standing, key, name })
    }

    /// Looks for what is not kept here where others may have put it. The inner error is the answer to the request.
    ///
    /// # Errors
    /// The session ends.
    pub(in super::super) async fn look_elsewhere(
        &mut self,
        missed: Missed,
    ) -> Result<Result<Looked, Refusal>, End> {
        let Missed { mut filling, wanted } = missed;
        let Some(elsewhere) = self.elsewhere(&filling) else {
            return Ok(Ok(Looked::Missed(Some(Missed { filling, wanted }))));
        };
        let (link, name) = (Arc::clone(&elsewhere.link), elsewhere.name.clone());
        let came = match self.wait_aside(link.get(&name)).await? {
            Ok(came) => came.flatten(),
            Err(refusal) => return Ok(Err(refusal)),
        };
        // What PostgreSQL takes is counted from here on.
        filling.since = clock::now();
        let found = came.and_then(|found| self.take_over(&filling, &elsewhere, &found));
        let found = found.filter(|entry| {
            let place = &filling.place;
            let is_good = entry.is_remembered(&self.worker.shared.store.parts);
            is_good
                && entry.fits(&wanted)
                && self.may_give(wanted.wish, place, entry.claim(), clock::now()).is_ok()
        });
        if let Some(entry) = found {
            self.keep_found(filling, &entry);
            return Ok(Ok(Looked::Found(Hit { entry, wanted, coalesced: false })));
        }
        filling.elsewhere = Some(Box::new(elsewhere));
        Ok(Ok(Looked::Missed(Some(Missed { filling, wanted }))))
    }

    fn take_over(
        &self,
        filling: &Filling,
        elsewhere: &Elsewhere,
        found: &[u8],
    ) -> Option<Arc<Entry>> {
        let counters = &elsewhere.link.counters;
        let is_flushed = filling.flushes != self.worker.shared.store.flushes();
        match filling.adopt(elsewhere, found, &self.worker.shared.store.parts) {
            Ok(entry) if !is_flushed => {
                add(&counters.hits, 1);
                Some(entry)
            }
            Ok(_) | Err(_) => {
                add(&counters.refused, 1);
                None
            }
        }
    }

    /// It is kept here from now on, and given to those who wait for it.
    fn keep_found(&self, filling: Box<Filling>, entry: &Arc<Entry>) {
        let Filling { place, key, analysis, fetching, .. } = *filling;
        {
            let mut plans = place.plans.borrow_mut();
            plans.on_hit(&entry.about);
            plans.worth(analysis.fingerprint.0).on_fill(entry.cost);
        }
        self.worker.shared.store.put(&key, Arc::clone(entry));
        if let Some(fetching) = fetching {
            fetching.end(Arc::clone(entry));
        }
        place.tally.on_shared();
    }
}
