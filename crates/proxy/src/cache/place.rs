//! A place: one database of one primary, as one user. What changes in it is told by its `Freshness`, what its names mean by its catalog.
//!
//! Invariant: the number of a place is never that of another one.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use howdah_core::cache::rules::Rules;
use howdah_core::cache::warm::Asker;
use howdah_core::cache::{About, Freshness, Seen, Tag};
use howdah_core::limits;
use howdah_core::route::class::Name;
use howdah_core::session::Context;

use super::plans::Plans;
use super::tally::{Counts, Tally};
use crate::catalog::{Catalogs, Watched};
use crate::invalidate::Followed;
use crate::pool::Pool;
use crate::rows;
use crate::worker::Worker;

/// A place as one worker sees it.
#[derive(Debug)]
pub(crate) struct LocalPlace {
    pub(crate) number: u32,
    pub(crate) database: Box<str>,
    pub(crate) freshness: Arc<Freshness>,
    pub(super) followed: Arc<Followed>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) plans: RefCell<Plans>,
    pub(crate) tally: Tally,
    /// The number of the rules that hold; 0: there are none.
    pub(super) rules: Cell<u64>,
    user: Box<str>,
    /// As whom can be asked again what was asked under settings, by their number.
    askers: RefCell<HashMap<u32, Option<Arc<Asker>>>>,
}

impl LocalPlace {
    /// The place of a pool on the primary; `None`: nobody tells of changes there.
    pub(crate) fn of(worker: &Rc<Worker>, home: &Pool) -> Option<Rc<Self>> {
        let target = home.target();
        let followed = worker.shared.streams.followed(&worker.settings(), &home.key.database)?;
        let name = format!("{target} {}", home.key.user);
        if let Some(known) = worker.places.borrow().get(&name)
            && Arc::ptr_eq(&known.followed, &followed)
        {
            return Some(Rc::clone(known));
        }
        let watched = Catalogs::of(worker, home);
        watched.want_definitions();
        let number = worker.shared.store.number_of_place(
            &target.to_string(),
            &home.key.database,
            &home.key.user,
        );
        let place = Rc::new(Self {
            number,
            database: home.key.database.clone(),
            freshness: Arc::clone(&followed.freshness),
            followed,
            watched,
            plans: RefCell::default(),
            tally: Tally::default(),
            rules: Cell::default(),
            user: home.key.user.clone(),
            askers: RefCell::default(),
        });
        worker.places.borrow_mut().insert(name, Rc::clone(&place));
        Some(place)
    }

    /// As whom can be asked again what is asked under these settings, if it can.
    pub(super) fn asker(&self, number: u32, context: &Context) -> Option<Arc<Asker>> {
        let mut askers = self.askers.borrow_mut();
        if askers.len() >= limits::CACHE_CONTEXTS {
            askers.clear();
        }
        let of = || Asker::of(&self.database, &self.user, context, rows::last_literal);
        askers.entry(number).or_insert_with(|| of().map(Arc::new)).clone()
    }

    /// From now on these rules hold.
    pub(super) fn obey(&self, rules: &Arc<Rules>) {
        self.rules.set(rules.number());
        self.plans.borrow_mut().obey(rules);
    }

    /// What was kept is of before a change of something that it is about.
    #[cold]
    pub(super) fn on_changed(&self, about: &Arc<About>, seen: Seen) {
        let changed = |(oid, _): &(u32, Name)| {
            self.freshness.has_changed(&[Tag::table(*oid), Tag::whole(*oid)], seen.v)
        };
        let places = about.relations.iter().enumerate().filter(|(_, one)| changed(one));
        self.plans.borrow_mut().on_changed(about, places.map(|(at, _)| at));
    }

    /// What the cache has done here.
    pub(crate) fn counts(&self) -> Counts {
        Counts { used: self.plans.borrow().used(), ..self.tally.counts() }
    }
}
