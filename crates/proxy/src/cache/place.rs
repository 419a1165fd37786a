//! A place: one database of one primary, as one user. What changes in it is told by its `Freshness`, what its names mean by its catalog.
//!
//! Invariant: the number of a place is never that of another one.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use howdah_core::cache::Freshness;

use super::plans::Plans;
use super::tally::Tally;
use crate::catalog::{Catalogs, Watched};
use crate::invalidate::Followed;
use crate::pool::Pool;
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
        let place = Rc::new(Self {
            number: worker.shared.store.number(&format!("place {name}")),
            database: home.key.database.clone(),
            freshness: Arc::clone(&followed.freshness),
            followed,
            watched,
            plans: RefCell::default(),
            tally: Tally::default(),
        });
        worker.places.borrow_mut().insert(name, Rc::clone(&place));
        Some(place)
    }
}
