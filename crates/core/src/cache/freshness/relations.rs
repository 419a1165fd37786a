//! Whose changes are seen: the relations of the stream, and the sets of columns that somebody asked for. Not the changes.
//!
//! Invariant: a set counts from a position on only when every row that is delivered later is hashed for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Freshness, Lsn};
use crate::cache::tag::{ColumnSet, Oid};
use crate::limits;

/// The sets for which changed rows are hashed, by relation.
pub type ColumnSets = BTreeMap<Oid, Vec<ColumnSet>>;

/// Why changes of a relation are not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unseen {
    /// They will be, soon.
    #[error("changes of the table are about to be followed")]
    Soon,
    /// There is no stream.
    #[error("changes in the database are not being received")]
    NoStream,
    /// Nobody has told of such a relation.
    #[error("the table is not known yet")]
    Unknown,
    /// It is not in the publication.
    #[error("the table is not in the publication (howdah setup)")]
    NotPublished,
    /// The publication leaves out some of its changes.
    #[error("the publication leaves out some changes of the table")]
    Filtered,
    /// Its changes are not in the log.
    #[error("the table is not logged")]
    Unlogged,
    /// Too many sets are asked for.
    #[error("too many sets of columns of the table are followed already")]
    TooManySets,
}

/// What is seen.
#[derive(Debug, Default)]
pub(super) struct Relations {
    /// From where on; an error says why not.
    known: BTreeMap<Oid, Result<Lsn, Unseen>>,
    sets: BTreeMap<ColumnSet, Option<Lsn>>,
    /// Sets that the task of the stream does not hash for yet.
    pending: bool,
}

impl Freshness {
    /// From which position on changes of this relation, and of rows by these columns, are seen. If nobody has asked for the set
    /// before, the task of the stream is told. The position holds for one epoch.
    ///
    /// # Errors
    /// Why they are not seen.
    pub fn since(&self, set: &ColumnSet) -> Result<Lsn, Unseen> {
        if self.visible().is_none() {
            return Err(Unseen::NoStream);
        }
        let mut relations = self.relations.lock();
        let relation =
            relations.known.get(&set.relation()).copied().unwrap_or(Err(Unseen::Unknown))?;
        if set.attnums().is_empty() {
            return Ok(relation);
        }
        if let Some(since) = relations.sets.get(set) {
            return since.map(|since| since.max(relation)).ok_or(Unseen::Soon);
        }
        let here = relations.sets.keys().filter(|known| known.relation() == set.relation());
        if here.count() >= limits::COLUMN_SETS_PER_RELATION
            || relations.sets.len() >= limits::COLUMN_SETS
        {
            return Err(Unseen::TooManySets);
        }
        relations.sets.insert(set.clone(), None);
        relations.pending = true;
        drop(relations);
        (self.wake)();
        Err(Unseen::Soon)
    }

    /// All sets, if some were asked for since the last time. Every row that is delivered from now on has to be hashed for them, so
    /// this is called between two transactions of the stream.
    pub fn take_sets(&self) -> Option<Arc<ColumnSets>> {
        let w = self.delivered()?;
        let mut relations = self.relations.lock();
        if !std::mem::take(&mut relations.pending) {
            return None;
        }
        for since in relations.sets.values_mut() {
            since.get_or_insert(w);
        }
        Some(relations.all_sets())
    }

    /// A stream begins: from where on sets are hashed for is told anew.
    pub(super) fn forget_sets(&self) {
        let mut relations = self.relations.lock();
        relations.known.clear();
        relations.sets.values_mut().for_each(|since| *since = None);
        relations.pending = !relations.sets.is_empty();
    }

    /// What is seen from this position on.
    pub(super) fn set_relations(&self, since: Lsn, relations: BTreeMap<Oid, Option<Unseen>>) {
        let known = |(oid, unseen): (Oid, Option<Unseen>)| (oid, unseen.map_or(Ok(since), Err));
        self.relations.lock().known = relations.into_iter().map(known).collect();
    }
}

impl Relations {
    fn all_sets(&self) -> Arc<ColumnSets> {
        let mut sets = ColumnSets::new();
        for set in self.sets.keys() {
            sets.entry(set.relation()).or_default().push(set.clone());
        }
        Arc::new(sets)
    }
}
