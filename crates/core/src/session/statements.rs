//! A session's prepared statements, of the protocol and of SQL-level `PREPARE`, which share one space of names: client name → shared text. Which of them a server has is the
//! server's own knowledge, not this map's.
//!
//! Invariant: the map is what PostgreSQL itself would hold for this session once all replies have come; changes are made
//! when a message is sent, and undone when the server reports that it skipped the message.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use howdah_sql::Analysis;

use crate::limits;
use crate::reply::Serial;

/// A statement text with its parameter types, shared by all sessions and servers of a worker.
#[derive(Debug)]
pub struct Prepared {
    /// Number, unique in a worker; servers know the statement by it.
    pub id: u64,
    /// Text as the client sent it.
    pub sql: Box<[u8]>,
    /// Parameter types as in the Parse message: count and type oids.
    pub parameter_types: Box<[u8]>,
    /// What the statement is.
    pub analysis: Arc<Analysis>,
    /// Whether a server has parsed it without an error.
    pub parsed: AtomicBool,
    /// Set for a statement that SQL-level `PREPARE` made; its `sql` is that whole statement without the name, its `analysis` that of
    /// the prepared text.
    pub by_sql: Option<BySql>,
}

/// The parts of a SQL-level `PREPARE` from which the name was taken. Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BySql {
    /// Where the name goes.
    pub name_at: usize,
    /// Where the prepared text begins.
    pub body_at: usize,
}

impl Prepared {
    /// The text that runs.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.by_sql.map_or(&*self.sql, |by_sql| self.sql.get(by_sql.body_at..).unwrap_or_default())
    }

    /// The `PREPARE` that makes it under a name, which has its quotes if it needs them; `None` for a statement of the protocol.
    #[must_use]
    pub fn prepare_text(&self, name: &str) -> Option<Vec<u8>> {
        let (before, behind) = self.sql.split_at_checked(self.by_sql?.name_at)?;
        Some([before, name.as_bytes(), behind].concat())
    }
}

/// The session holds as many statements as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyStatements;

#[derive(Debug)]
struct Named {
    prepared: Arc<Prepared>,
    /// Checkout in which, and message by which, it was made.
    since: (u64, Serial),
    /// A hash of the description of its rows that the client was given: rows of another shape must not reach it.
    told: Option<u64>,
}

#[derive(Debug)]
struct Undo {
    serial: Serial,
    name: Box<[u8]>,
    previous: Option<Named>,
}

/// Named statements of one session.
#[derive(Debug, Default)]
pub struct Statements {
    named: HashMap<Box<[u8]>, Named, foldhash::fast::RandomState>,
    undo: VecDeque<Undo>,
    /// Number of the checkout whose server counts the serials.
    checkout: u64,
}

impl Statements {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.named.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// The statement of a name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&Arc<Prepared>> {
        self.named.get(name).map(|named| &named.prepared)
    }

    /// A hash of the description of its rows that the client was given by a Describe of the statement.
    #[must_use]
    pub fn told(&self, name: &[u8]) -> Option<u64> {
        self.named.get(name)?.told
    }

    /// A Describe of the statement `name`, if that is still number `id`, has told the client its rows.
    pub fn on_described(&mut self, name: &[u8], id: u64, hash: u64) {
        if let Some(named) = self.named.get_mut(name).filter(|named| named.prepared.id == id) {
            named.told = Some(hash);
        }
    }

    /// The message that made or closed the statement `name` last, unless its outcome is known for certain.
    #[must_use]
    pub fn last_change(&self, name: &[u8]) -> Option<Serial> {
        self.undo.iter().rev().find(|undo| *undo.name == *name).map(|undo| undo.serial)
    }

    /// All statements with their names, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Arc<Prepared>)> {
        self.named.iter().map(|(name, named)| (&**name, &named.prepared))
    }

    /// A statement that the session has brought from another process, up to the bound, with what the client was told of its rows.
    pub fn restore(&mut self, name: &[u8], prepared: Arc<Prepared>, told: Option<u64>) {
        if self.named.len() < limits::STATEMENTS_PER_SESSION {
            self.named.insert(name.into(), Named { prepared, since: (self.checkout, 0), told });
        }
    }

    /// A name of a statement, by its number.
    #[must_use]
    pub fn name_of(&self, id: u64) -> Option<&[u8]> {
        self.named.iter().find(|(_, named)| named.prepared.id == id).map(|(name, _)| &**name)
    }

    /// The client's Parse for `name` has the serial `serial`. The name must be free ([`Self::get`]).
    ///
    /// # Errors
    /// [`TooManyStatements`] at the bound; nothing is changed.
    pub fn on_parse(
        &mut self,
        name: &[u8],
        prepared: Arc<Prepared>,
        serial: Serial,
    ) -> Result<(), TooManyStatements> {
        if self.named.len() >= limits::STATEMENTS_PER_SESSION {
            return Err(TooManyStatements);
        }
        let since = (self.checkout, serial);
        let previous = self.named.insert(name.into(), Named { prepared, since, told: None });
        self.undo.push_back(Undo { serial, name: name.into(), previous });
        Ok(())
    }

    /// The client's Close for `name` has the serial `serial`.
    pub fn on_close(&mut self, name: &[u8], serial: Serial) {
        if let Some((name, previous)) = self.named.remove_entry(name) {
            self.undo.push_back(Undo { serial, name, previous: Some(previous) });
        }
    }

    /// Messages from `from` up to, not including, `until` failed or were skipped.
    pub fn on_failed(&mut self, from: Serial, until: Serial) {
        self.on_settled(from);
        let skipped = self.undo.iter().take_while(|undo| undo.serial < until).count();
        let skipped: Vec<Undo> = self.undo.drain(..skipped).collect();
        for undo in skipped.into_iter().rev() {
            match undo.previous {
                Some(previous) => drop(self.named.insert(undo.name, previous)),
                None => drop(self.named.remove(&undo.name)),
            }
        }
    }

    /// Messages before `until` have been answered.
    pub fn on_settled(&mut self, until: Serial) {
        while self.undo.front().is_some_and(|undo| undo.serial < until) {
            self.undo.pop_front();
        }
    }

    /// `DEALLOCATE name` has succeeded.
    pub fn on_deallocate(&mut self, name: &[u8]) {
        self.named.remove(name);
    }

    /// `DEALLOCATE ALL` or `DISCARD ALL`, sent as message `serial`, has succeeded: statements parsed after it stay.
    pub fn on_deallocate_all(&mut self, serial: Serial) {
        let at = (self.checkout, serial);
        self.named.retain(|_, named| named.since > at);
        self.undo.retain(|undo| undo.serial > serial);
        for undo in &mut self.undo {
            undo.previous = None;
        }
    }

    /// The server that counted the serials is given back: serials of the next one begin anew.
    pub fn on_server_released(&mut self) {
        self.undo.clear();
        self.checkout += 1;
    }
}

/// The unnamed statement of one session, kept so that it can be made again on another server.
#[derive(Debug, Default)]
pub struct Unnamed {
    frame: Vec<u8>,
    analysis: Option<Arc<Analysis>>,
    version: u64,
    told: Option<u64>,
}

impl Unnamed {
    /// The client's Parse frame for the unnamed statement, whole.
    pub fn on_parse(&mut self, frame: &[u8], analysis: Arc<Analysis>) {
        self.frame.clear();
        self.frame.extend_from_slice(frame);
        self.analysis = Some(analysis);
        self.version += 1;
        self.told = None;
    }

    /// A simple query, a Close, or a failed Parse: there is none any more.
    pub fn clear(&mut self) {
        self.analysis = None;
        self.version += 1;
        self.told = None;
        if self.frame.capacity() > limits::GATHERED_REQUEST {
            self.frame = Vec::new();
        }
    }

    /// The Parse frame and what it is; `None` when there is no unnamed statement.
    #[must_use]
    pub fn get(&self) -> Option<(&[u8], &Arc<Analysis>)> {
        self.analysis.as_ref().map(|analysis| (&*self.frame, analysis))
    }

    /// A hash of the description of its rows that the client was given by a Describe of the statement.
    #[must_use]
    pub const fn told(&self) -> Option<u64> {
        self.told
    }

    /// A Describe of this version of the statement has told the client its rows.
    pub fn on_described(&mut self, version: u64, hash: u64) {
        if self.version == version {
            self.told = Some(hash);
        }
    }

    /// Changes with every change of the statement.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(id: u64) -> Arc<Prepared> {
        Arc::new(Prepared {
            id,
            sql: Box::default(),
            parameter_types: Box::default(),
            analysis: Arc::new(Analysis::unknown()),
            parsed: AtomicBool::new(false),
            by_sql: None,
        })
    }

    fn id(statements: &Statements, name: &[u8]) -> Option<u64> {
        statements.get(name).map(|prepared| prepared.id)
    }

    #[test]
    fn skipped_messages_leave_no_trace() {
        let mut statements = Statements::default();
        assert_eq!(statements.on_parse(b"a", prepared(1), 0), Ok(()));
        statements.on_settled(2);
        statements.on_close(b"a", 5);
        assert_eq!(statements.on_parse(b"a", prepared(2), 6), Ok(()));
        assert_eq!(statements.on_parse(b"b", prepared(3), 9), Ok(()));
        assert_eq!(statements.last_change(b"a"), Some(6));
        assert_eq!(statements.last_change(b"c"), None);
        statements.on_failed(4, 8);
        assert_eq!(id(&statements, b"a"), Some(1));
        assert_eq!(id(&statements, b"b"), Some(3), "its Parse came after the Sync");
    }

    #[test]
    fn what_was_answered_before_a_failure_stays() {
        let mut statements = Statements::default();
        assert_eq!(statements.on_parse(b"a", prepared(1), 3), Ok(()));
        statements.on_failed(4, 8);
        assert_eq!(id(&statements, b"a"), Some(1));
    }

    #[test]
    fn deallocate_all_spares_what_was_parsed_after_it() {
        let mut statements = Statements::default();
        assert_eq!(statements.on_parse(b"old", prepared(1), 900), Ok(()));
        statements.on_server_released();
        assert_eq!(statements.on_parse(b"before", prepared(2), 3), Ok(()));
        assert_eq!(statements.on_parse(b"after", prepared(3), 8), Ok(()));
        statements.on_deallocate_all(5);
        assert_eq!(id(&statements, b"old"), None);
        assert_eq!(id(&statements, b"before"), None);
        assert_eq!(id(&statements, b"after"), Some(3));
        statements.on_failed(7, 9);
        assert_eq!(id(&statements, b"after"), None);
    }

    #[test]
    fn a_prepare_is_made_under_any_name() {
        let mut prepared = Arc::try_unwrap(prepared(1)).ok();
        let prepared = prepared.as_mut().map(|prepared| {
            prepared.sql = (*b"PREPARE  (int) AS SELECT $1").into();
            prepared.by_sql = Some(BySql { name_at: 8, body_at: 17 });
            (prepared.prepare_text("x"), prepared.body().to_vec())
        });
        let text = b"PREPARE x (int) AS SELECT $1".to_vec();
        assert_eq!(prepared, Some((Some(text), b" SELECT $1".to_vec())));
    }

    #[test]
    fn the_number_of_statements_is_bounded() {
        let mut statements = Statements::default();
        for n in 0..limits::STATEMENTS_PER_SESSION {
            let name = n.to_string();
            assert_eq!(statements.on_parse(name.as_bytes(), prepared(1), 0), Ok(()));
        }
        assert_eq!(statements.on_parse(b"x", prepared(1), 0), Err(TooManyStatements));
    }
}
