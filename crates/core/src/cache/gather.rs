//! The messages of a stream, gathered into commits with the tags that they raise. Not where messages come from.
//!
//! What cannot be told exactly is told coarsely: by the wildcard of a set of columns, by the whole relation, or by everything.
//!
//! Invariant: if the answer to a question can have changed with a commit, a tag of the answer is in what the commit has touched.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use howdah_wire::replication::pgoutput::{self, Message, Old, Tuple};

use super::freshness::ColumnSets;
use super::images::Told;
use super::shapes::Shapes;
use super::tag::Oid;
use super::{Commit, Freshness, Lsn, Slot, Tag, Touched};
use rows::{Described, Plan};

/// Prefix of Howdah's messages in the log.
pub const PREFIX: &str = "howdah";
/// How the message of an event trigger begins that tells of changed definitions.
pub const DEFINITIONS: &[u8] = b"ddl";
/// Slots that one transaction remembers, before doubles are looked for and at most.
const SLOTS_PER_TRANSACTION: usize = 1 << 20;

/// What one transaction says of rows, at most; if it says more, none of it is kept.
const ROWS_PER_TRANSACTION: usize = 4096;

/// What has come to an end with a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    /// The commit.
    pub commit: Commit,
    /// What it says of rows that are looked up by what identifies them, in its order.
    pub rows: Vec<(Tag, Told)>,
    /// The heartbeat that it carried, if it is one of the stream that asked.
    pub heartbeat: Option<u64>,
    /// Definitions were changed in it, as an event trigger says.
    pub definitions: bool,
    /// It has changed something that the catalog did not have when it was read.
    pub unknown: bool,
}

/// A transaction that is being told.
#[derive(Debug, Default)]
struct Transaction {
    xid: u32,
    slots: Vec<Slot>,
    everything: bool,
    heartbeat: Option<u64>,
    definitions: bool,
    unknown: bool,
    /// Relations that it has changed.
    relations: BTreeSet<Oid>,
    /// Some of its rows were hashed for fewer sets than are asked for now.
    incomplete: bool,
    /// `None`: what is said of rows is not all, or part of it may be rolled back.
    rows: Option<Vec<(Tag, Told)>>,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Gather {
    decoder: pgoutput::Decoder,
    /// How our heartbeats begin.
    mark: Vec<u8>,
    described: BTreeMap<Oid, Described>,
    plans: BTreeMap<Oid, Option<Arc<Plan>>>,
    shapes: Arc<Shapes>,
    sets: Arc<ColumnSets>,
    /// The one between Begin and Commit.
    whole: Option<Transaction>,
    /// Those that are told in blocks, and the one whose block it is.
    blocks: BTreeMap<u32, Transaction>,
    block: Option<u32>,
}

/// A message that cannot be where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is no message.
    #[error(transparent)]
    Wire(#[from] howdah_wire::Error),
    /// It is out of order.
    #[error("a change is told outside of a transaction")]
    OutOfOrder,
}

impl Gather {
    /// For a stream that has just begun. `mark` tells the heartbeats of this stream from those of others.
    #[must_use]
    pub fn new(mark: &[u8]) -> Self {
        Self {
            decoder: pgoutput::Decoder::default(),
            mark: mark.to_vec(),
            described: BTreeMap::new(),
            plans: BTreeMap::new(),
            shapes: Arc::default(),
            sets: Arc::default(),
            whole: None,
            blocks: BTreeMap::new(),
            block: None,
        }
    }

    /// The text of a heartbeat, for `pg_logical_emit_message`.
    #[must_use]
    pub fn heartbeat(mark: &str, number: u64) -> String {
        format!("{mark}/{number}")
    }

    /// The catalog as it is now. Transactions that are being told were judged by another one.
    pub fn set_shapes(&mut self, shapes: Arc<Shapes>) {
        self.shapes = shapes;
        self.plans.clear();
        for transaction in self.whole.iter_mut().chain(self.blocks.values_mut()) {
            transaction.everything = true;
        }
    }

    /// The next message. What it ends, if it ends something.
    ///
    /// # Errors
    /// The stream cannot be read on.
    pub fn on_message(
        &mut self,
        bytes: &[u8],
        freshness: &Freshness,
    ) -> Result<Option<Heard>, Broken> {
        match self.decoder.decode(bytes)? {
            Message::Begin { xid, .. } => {
                self.take_sets(freshness);
                let rows = Some(Vec::new());
                self.whole = Some(Transaction { rows, ..Transaction::new(xid) });
            }
            Message::StreamStart { xid, .. } => {
                self.take_sets(freshness);
                self.blocks.entry(xid).or_insert_with(|| Transaction::new(xid));
                self.block = Some(xid);
            }
            Message::StreamStop => self.block = None,
            // Part of a transaction that is rolled back may have touched too much.
            Message::StreamAbort { xid, subxid } if xid == subxid => {
                self.blocks.remove(&xid);
            }
            Message::StreamAbort { .. } | Message::Origin { .. } | Message::Type { .. } => {}
            Message::Relation(relation) => {
                self.described.insert(relation.oid, Described::new(&relation));
                self.plans.remove(&relation.oid);
            }
            Message::Insert { relation, new, .. } => {
                self.on_row(freshness, relation, |plan, touch| plan.insert(&new, touch))?;
                self.on_image(relation, None, Some(&new))?;
            }
            Message::Update { relation, old, new, .. } => {
                let old = old.as_ref();
                self.on_row(freshness, relation, |plan, touch| plan.update(old, &new, touch))?;
                self.on_image(relation, old, Some(&new))?;
            }
            Message::Delete { relation, old, .. } => {
                self.on_row(freshness, relation, |plan, touch| plan.delete(&old, touch))?;
                self.on_image(relation, Some(&old), None)?;
            }
            Message::Truncate { relations, .. } => {
                for relation in relations.iter() {
                    self.on_row(freshness, relation, Plan::truncate)?;
                }
                self.current()?.rows = None;
            }
            Message::Message { transactional, prefix, content, .. } => {
                if transactional && prefix == PREFIX.as_bytes() {
                    self.on_own(content)?;
                }
            }
            Message::Commit(commit) => {
                let whole = self.whole.take().ok_or(Broken::OutOfOrder)?;
                return Ok(Some(whole.end(commit, freshness)));
            }
            Message::StreamCommit { xid, commit } => {
                let block = self.blocks.remove(&xid).ok_or(Broken::OutOfOrder)?;
                return Ok(Some(block.end(commit, freshness)));
            }
        }
        Ok(None)
    }

    /// A message was too long to be looked at: what it belongs to has changed everything.
    ///
    /// # Errors
    /// It belongs to nothing.
    pub fn on_unread(&mut self) -> Result<(), Broken> {
        self.current()?.everything = true;
        Ok(())
    }

    fn current(&mut self) -> Result<&mut Transaction, Broken> {
        let block = self.block.and_then(|xid| self.blocks.get_mut(&xid));
        block.or(self.whole.as_mut()).ok_or(Broken::OutOfOrder)
    }

    fn on_own(&mut self, content: &[u8]) -> Result<(), Broken> {
        let rest = content.strip_prefix(&*self.mark).and_then(|rest| rest.strip_prefix(b"/"));
        let number = rest.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let definitions = content.starts_with(DEFINITIONS);
        let current = self.current()?;
        current.heartbeat = number.or(current.heartbeat);
        current.definitions |= definitions;
        Ok(())
    }

    fn on_row(
        &mut self,
        freshness: &Freshness,
        relation: Oid,
        raise: impl Fn(&Plan, &mut dyn FnMut(Tag)),
    ) -> Result<(), Broken> {
        let plan = self.plan(relation);
        let current = self.current()?;
        let Some(plan) = plan else {
            current.everything = true;
            current.unknown = true;
            return Ok(());
        };
        if current.everything {
            return Ok(());
        }
        current.relations.extend(plan.relations());
        raise(&plan, &mut |tag| current.slots.push(freshness.slot(tag)));
        if current.slots.len() >= SLOTS_PER_TRANSACTION {
            current.slots.sort_unstable();
            current.slots.dedup();
            // Half full of different ones: it would be sorted too often.
            if current.slots.len() >= SLOTS_PER_TRANSACTION / 2 {
                current.everything = true;
                current.slots = Vec::new();
            }
        }
        Ok(())
    }

    /// What is said of a row, after [`Self::on_row`].
    fn on_image(
        &mut self,
        relation: Oid,
        old: Option<&Old<'_>>,
        new: Option<&Tuple<'_>>,
    ) -> Result<(), Broken> {
        let plan = self.plan(relation);
        let current = self.current()?;
        let (Some(plan), Some(rows)) = (plan, &mut current.rows) else {
            current.rows = None;
            return Ok(());
        };
        let mut complete = true;
        plan.images(old, new, &mut |told| match told {
            Some(told) => rows.push(told),
            None => complete = false,
        });
        if !complete || rows.len() > ROWS_PER_TRANSACTION {
            current.rows = None;
        }
        Ok(())
    }

    /// What a row of this relation raises; `None`: the catalog does not have it as it is told.
    fn plan(&mut self, relation: Oid) -> Option<Arc<Plan>> {
        if let Some(plan) = self.plans.get(&relation) {
            return plan.clone();
        }
        let described = self.described.get(&relation);
        let plan = described.and_then(|it| Plan::new(relation, it, &self.shapes, &self.sets));
        let plan = plan.map(Arc::new);
        self.plans.insert(relation, plan.clone());
        plan
    }

    /// From the next row on all sets count that were asked for.
    fn take_sets(&mut self, freshness: &Freshness) {
        if let Some(sets) = freshness.take_sets() {
            self.sets = sets;
            self.plans.clear();
            self.blocks.values_mut().for_each(|block| block.incomplete = true);
        }
    }
}

impl Transaction {
    fn new(xid: u32) -> Self {
        Self { xid, ..Self::default() }
    }

    fn end(mut self, commit: pgoutput::Commit, freshness: &Freshness) -> Heard {
        if self.incomplete {
            let whole = self.relations.iter().map(|relation| Tag::whole(*relation));
            self.slots.extend(whole.map(|tag| freshness.slot(tag)));
        }
        let touched = if self.everything {
            Touched::Everything
        } else {
            self.slots.sort_unstable();
            self.slots.dedup();
            Touched::Slots(self.slots.into())
        };
        let complete = touched != Touched::Everything && !self.incomplete;
        Heard {
            commit: Commit { xid: self.xid, position: Lsn(commit.end_lsn), touched },
            rows: self.rows.filter(|_| complete).unwrap_or_default(),
            heartbeat: self.heartbeat,
            definitions: self.definitions,
            unknown: self.unknown,
        }
    }
}

#[cfg(test)]
mod tests;
