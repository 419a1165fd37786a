//! The connection on which heartbeats are sent and snapshots are taken. Not when.
//!
//! A heartbeat is a message in a transaction of its own, which is in the log when it has committed: everything that was visible
//! before is in the log before it. It does not wait for standbys. The snapshot behind it shows it, and whatever else has become visible.
//!
//! Invariant: one connection asks, so snapshots come in the order in which they are taken.

use std::collections::VecDeque;

use howdah_core::cache::Snapshot;
use howdah_core::cache::gather::{Gather, PREFIX};
use howdah_wire::frontend;

use super::trouble::Trouble;
use crate::buffer::Shelf;
use crate::connect::{self, Login};
use crate::inquiry::Inquiry;
use crate::settings::Changes;

const SETTINGS: &[(&str, &str)] = &[
    ("search_path", "pg_catalog"),
    ("client_encoding", "UTF8"),
    ("application_name", "howdah (cache)"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    // In the log, and not on any standby.
    ("synchronous_commit", "local"),
    ("statement_timeout", "0"),
];

/// What can be followed here, and as what.
const QUESTION: &str = "SELECT current_setting('server_version_num')::int >= 140000, current_setting('server_version'), \
 current_setting('wal_level'), pg_is_in_recovery(), \
 (SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT pubviaroot FROM pg_publication WHERE pubname = {publication})";

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Pulse {
    inquiry: Inquiry,
    /// Answers that are on their way: whether each is a snapshot.
    owed: VecDeque<bool>,
}

impl Pulse {
    /// Logs in, and finds out whether the database can be followed.
    pub(super) async fn open(
        login: &Login<'_>,
        changes: &Changes,
        shelf: &Shelf,
    ) -> Result<Self, Trouble> {
        let login = Login { settings: SETTINGS, ..*login };
        let mut inquiry = Inquiry::new(connect::open(&login, shelf).await?.stream);
        let name = &changes.publication;
        let question = QUESTION.replace("{publication}", &super::literal(name));
        let rows = inquiry.ask(shelf, &question).await?;
        let Some([is_new, version, level, recovering, complete]) = rows.first().map(Vec::as_slice)
        else {
            return Err(Trouble::Odd);
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        if recovering.as_deref() == Some("t") {
            return Err(Trouble::NotPrimary);
        } else if is_new.as_deref() != Some("t") {
            return Err(Trouble::Version(text(version)));
        } else if level.as_deref() != Some("logical") {
            return Err(Trouble::WalLevel(text(level)));
        }
        match complete.as_deref() {
            Some("t") => Ok(Self { inquiry, owed: VecDeque::new() }),
            Some(_) => Err(Trouble::Partial(name.clone())),
            None => Err(Trouble::NoPublication(name.clone())),
        }
    }

    /// Snapshots that are on their way.
    pub(super) fn owed(&self) -> usize {
        self.owed.iter().filter(|is_snapshot| **is_snapshot).count()
    }

    /// Sends a heartbeat of this number, and takes a snapshot behind it; without a number, takes a snapshot.
    pub(super) async fn send(&mut self, mark: &str, number: Option<u64>) -> Result<(), Trouble> {
        let mut out = Vec::with_capacity(256);
        if let Some(number) = number {
            let content = super::literal(&Gather::heartbeat(mark, number));
            let sql = format!("SELECT pg_logical_emit_message(true, '{PREFIX}', {content})");
            frontend::query(&mut out, sql.as_bytes());
            self.owed.push_back(false);
        }
        // A statement of its own: its snapshot is taken when the heartbeat is visible.
        frontend::query(&mut out, b"SELECT pg_current_snapshot()");
        self.owed.push_back(true);
        Ok(self.inquiry.send(&out).await?)
    }

    /// The next answer; `None`: that of a heartbeat. Cancel safe.
    pub(super) async fn answer(&mut self, shelf: &Shelf) -> Result<Option<Snapshot>, Trouble> {
        let rows = self.inquiry.answer(shelf).await?;
        if self.owed.pop_front() != Some(true) {
            return Ok(None);
        }
        let value = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        let snapshot = value.and_then(|text| text.parse().ok());
        snapshot.map(Some).ok_or(Trouble::Odd)
    }
}
