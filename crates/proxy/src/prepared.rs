//! Which prepared statements a server has, under which names, and what is known of their rows. Sending them is the server's and
//! the session's business.
//!
//! Invariant: a name is never made twice on one server, so a statement whose Close was skipped is in nobody's way.

use std::collections::HashMap;

use howdah_core::reply::{ReplyQueue, Serial};

use crate::server::SessionId;

/// What the names of shared statements begin with on servers.
pub(crate) const STATEMENT_PREFIX: &str = "howdah_";

/// A name that no server has a statement by.
pub(crate) const NO_STATEMENT: &str = "howdah_none";

/// Which prepared statements a server has, by number.
#[derive(Debug, Default)]
pub(crate) struct PreparedSet {
    known: HashMap<u64, Known, foldhash::fast::RandomState>,
    clock: u64,
    /// Names made so far.
    names: u64,
}

#[derive(Debug)]
struct Known {
    /// The Parse that made it.
    since: Serial,
    used: u64,
    name: u64,
    /// The Describe of Howdah's own that will tell its rows.
    check: Option<Serial>,
    /// A hash of the description of its rows, if that is known. It does not change: when a table is changed, PostgreSQL refuses
    /// the statement instead.
    shape: Option<u64>,
}

/// Whether a server has a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presence {
    Here {
        name: String,
        shape: Option<u64>,
    },
    Absent,
    /// It, or the description of its rows, is known when this message is answered.
    Undecided(Serial),
}

/// Why a statement cannot be used on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unready {
    /// That is known when this message is answered.
    Wait(Serial),
    /// Its rows are not those that the client was told.
    Changed,
}

impl PreparedSet {
    /// Whether the server has the statement; marks it as used.
    pub(crate) fn touch(&mut self, id: u64, queue: &ReplyQueue<SessionId>) -> Presence {
        self.clock += 1;
        match self.known.get_mut(&id) {
            None => Presence::Absent,
            Some(known) if queue.is_undecided(known.since) => Presence::Undecided(known.since),
            Some(Known { check: Some(serial), .. }) if *serial >= queue.head() => {
                Presence::Undecided(*serial)
            }
            Some(known) => {
                known.used = self.clock;
                Presence::Here { name: name(known.name), shape: known.shape }
            }
        }
    }

    /// A name that was not used on this server.
    pub(crate) fn new_name(&mut self) -> String {
        self.names += 1;
        name(self.names)
    }

    /// The statement is being made by message `since`, under the newest name.
    pub(crate) fn insert(&mut self, id: u64, since: Serial) {
        self.clock += 1;
        let (used, name) = (self.clock, self.names);
        self.known.insert(id, Known { since, used, name, check: None, shape: None });
    }

    /// The Describe `serial`, which Howdah sends for itself, will tell the rows of the statement.
    pub(crate) fn expect_description(&mut self, id: u64, serial: Serial) {
        if let Some(known) = self.known.get_mut(&id) {
            known.check = Some(serial);
        }
    }

    /// What a Describe of Howdah's own has told.
    pub(crate) fn on_checked(&mut self, serial: Serial, shape: u64) {
        let checked = |known: &&mut Known| known.check == Some(serial);
        if let Some(known) = self.known.values_mut().find(checked) {
            known.check = None;
            known.shape = Some(shape);
        }
    }

    /// What a Describe of a client's has told of a statement.
    pub(crate) fn on_described(&mut self, id: u64, shape: u64) {
        if let Some(known) = self.known.get_mut(&id) {
            known.shape = Some(shape);
        }
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.known.remove(&id);
    }

    /// Messages from `from` up to, not including, `until` were not executed.
    pub(crate) fn on_failed(&mut self, from: Serial, until: Serial) {
        self.known.retain(|_, known| !(from..until).contains(&known.since));
    }

    /// Forgets all: they are deallocated, or nobody knows.
    pub(crate) fn forget_all(&mut self) {
        self.known.clear();
    }

    /// Forgets all, and says their names.
    pub(crate) fn take_names(&mut self) -> Vec<String> {
        self.known.drain().map(|(_, known)| name(known.name)).collect()
    }

    /// The name of the least recently used statement when there are `max` or more; it is forgotten.
    pub(crate) fn evict(&mut self, max: usize) -> Option<String> {
        if self.known.len() < max.max(1) {
            return None;
        }
        let (&id, _) = self.known.iter().min_by_key(|(_, known)| known.used)?;
        self.known.remove(&id).map(|known| name(known.name))
    }

    /// The Parse that made a statement.
    pub(crate) fn since(&self, id: u64) -> Option<Serial> {
        self.known.get(&id).map(|known| known.since)
    }

    /// The statement that has a name on this server.
    pub(crate) fn id_of(&self, name: &[u8]) -> Option<u64> {
        let number = name.strip_prefix(STATEMENT_PREFIX.as_bytes())?;
        let number: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
        self.known.iter().find(|(_, known)| known.name == number).map(|(id, _)| *id)
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether the server has the statement, or was sent it.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.known.contains_key(&id)
    }
}

fn name(number: u64) -> String {
    format!("{STATEMENT_PREFIX}{number}")
}
