//! One stream from its beginning to its end: what comes is handed to [`Freshness`], heartbeats go out, definitions are settled. Not
//! which database, nor what happens after the end.
//!
//! Invariant: the answer to what definitions hold was read after every change of them that was told had become visible.

use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_core::cache::gather::Gather;
use howdah_core::cache::{Lsn, Snapshot};
use howdah_core::limits;
use howdah_wire::replication::stream::Told;
use tokio::sync::mpsc;

use super::definitions::{Definitions, Reader};
use super::feed::{Beginning, Feed, Piece};
use super::followed::Followed;
use super::pulse::Pulse;
use super::trouble::Trouble;
use crate::buffer::Shelf;
use crate::catalog::{Catalogs, Redefined};
use crate::clock;
use crate::pool::Target;
use crate::settings::Changes;

/// Between two heartbeats while nobody waits, however many want one.
const BEAT_GAP: Duration = Duration::from_millis(2);
/// Heartbeats that are on their way at once, at most.
const BEATS: usize = 4;
/// Between two snapshots while commits are not known to be visible.
const PROBE_GAP: Duration = Duration::from_millis(10);
/// Between two confirmations of what was received.
const CONFIRM: Duration = Duration::from_secs(1);
/// With nothing heard for so long something is wrong.
const SILENCE: Duration = Duration::from_secs(30);

/// What a stream needs of its surroundings.
pub(super) struct Surroundings<'a> {
    pub(super) followed: &'a Followed,
    pub(super) shelf: &'a Shelf,
    pub(super) catalogs: &'a Catalogs,
    pub(super) target: &'a Target,
    pub(super) changes: &'a Changes,
}

/// See the head of this file.
pub(super) struct Following<'a> {
    around: &'a Surroundings<'a>,
    feed: Feed,
    pulse: Pulse,
    gather: Gather,
    mark: String,
    reader: &'a Reader,
    /// Up to where definitions were changed and are not known to be visible.
    redefined: Option<Lsn>,
    /// The reading that settles what has changed.
    wanted: Option<u64>,
    definitions: Option<Definitions>,
    beat: Instant,
    probed: Instant,
    confirmed: Instant,
    heard: Instant,
    /// Somebody wants a heartbeat.
    called: bool,
}

/// What it wakes up for.
enum Event {
    Bytes,
    Snapshot(Option<Snapshot>),
    Called,
    Time,
    Defined(Definitions),
}

impl<'a> Following<'a> {
    /// With a slot that was made, at its beginning.
    pub(super) fn new(
        around: &'a Surroundings<'a>,
        (feed, pulse, reader): (Feed, Pulse, &'a Reader),
        mark: String,
        beginning: Beginning,
    ) -> Self {
        let now = clock::now();
        around.followed.freshness.on_begin(beginning.history, beginning.position);
        Self {
            around,
            feed,
            pulse,
            gather: Gather::new(mark.as_bytes()),
            mark,
            reader,
            redefined: None,
            wanted: None,
            definitions: None,
            beat: now,
            probed: now,
            confirmed: now,
            heard: now,
            called: true,
        }
    }

    /// Until it ends.
    pub(super) async fn run(
        mut self,
        mut defined: mpsc::Receiver<Definitions>,
    ) -> Result<std::convert::Infallible, Trouble> {
        loop {
            self.read_pieces().await?;
            self.settle_visible();
            self.act().await?;
            let deadline = self.deadline();
            let event = tokio::select! {
                read = self.feed.fill() => { read?; Event::Bytes }
                answer = self.pulse.answer(self.around.shelf), if self.pulse.owed() > 0 => {
                    Event::Snapshot(answer?)
                }
                () = self.around.followed.called.notified(), if !self.called => Event::Called,
                () = self.around.followed.waited.notified() => Event::Time,
                Some(definitions) = defined.recv() => Event::Defined(definitions),
                () = tokio::time::sleep_until(deadline.into()) => Event::Time,
            };
            match event {
                Event::Bytes => self.heard = clock::now(),
                Event::Snapshot(Some(snapshot)) => {
                    if self.around.followed.freshness.on_snapshot(snapshot) {
                        self.wanted = Some(self.reader.ask());
                    }
                }
                Event::Snapshot(None) | Event::Time => {}
                Event::Called => self.called = true,
                Event::Defined(definitions) => self.on_defined(definitions)?,
            }
        }
    }

    /// Reads what has come.
    async fn read_pieces(&mut self) -> Result<(), Trouble> {
        let freshness = &self.around.followed.freshness;
        let mut asked = false;
        while let Some(piece) = self.feed.piece()? {
            let told = match piece {
                Piece::TooLong => {
                    self.gather.on_unread()?;
                    continue;
                }
                Piece::Told(told) => told,
            };
            let payload = match told {
                Told::Keepalive { end, reply, .. } => {
                    freshness.on_progress(Lsn(end));
                    asked |= reply;
                    continue;
                }
                Told::Data { payload, .. } => payload,
            };
            let Some(heard) = self.gather.on_message(payload, freshness)? else { continue };
            let position = heard.commit.position;
            if heard.definitions {
                freshness.on_unsettled();
                self.around.catalogs.on_redefined(self.around.target, Redefined::Changed);
                self.redefined = Some(position);
                self.wanted = None;
            } else if heard.unknown && self.wanted.is_none() {
                self.wanted = Some(self.reader.ask());
            }
            freshness.on_rows(position, heard.rows);
            freshness.on_commit(heard.commit, heard.heartbeat);
            if heard.heartbeat.is_some() {
                self.around.followed.on_heard();
            }
        }
        if asked {
            self.confirm().await?;
        }
        Ok(())
    }

    /// Definitions that were changed are visible now: they can be read.
    fn settle_visible(&mut self) {
        let visible = self.around.followed.freshness.visible();
        if self.redefined.is_some_and(|changed| visible.is_some_and(|visible| visible >= changed)) {
            self.redefined = None;
            self.wanted = Some(self.reader.ask());
        }
    }

    fn on_defined(&mut self, definitions: Definitions) -> Result<(), Trouble> {
        let freshness = &self.around.followed.freshness;
        let last = self.definitions.as_ref();
        let is_new = last.is_none_or(|last| last.fingerprint != definitions.fingerprint);
        if last.is_some_and(|last| definitions.tells_more_than(last)) {
            // What is told of a table from the middle of a transaction on cannot be relied on.
            return Err(Trouble::Republished);
        }
        if is_new {
            freshness.on_unsettled();
            self.gather.set_shapes(Arc::clone(&definitions.shapes));
        }
        if self.wanted.is_some_and(|wanted| definitions.asked >= wanted) {
            self.wanted = None;
        }
        let is_known = self.wanted.is_none() && self.redefined.is_none();
        if is_known && freshness.visible().is_some() && freshness.epoch().is_none() {
            // Before anybody can keep an answer that was judged by the catalog of before.
            self.around.catalogs.on_redefined(self.around.target, Redefined::Changed);
            freshness.on_read(&definitions.fingerprint);
            freshness.on_settled(definitions.shapes.seen());
        }
        self.definitions = Some(definitions);
        Ok(())
    }

    /// Sends what it is time for.
    async fn act(&mut self) -> Result<(), Trouble> {
        let now = clock::now();
        let unanswered = self.pulse.owed() > 0 && now >= self.probed + SILENCE;
        if unanswered || now >= self.heard + SILENCE {
            return Err(Trouble::Silent);
        }
        let report = self.around.followed.freshness.report();
        if report.in_doubt > limits::COMMITS_IN_DOUBT {
            return Err(Trouble::Overrun);
        }
        if self.next_beat().is_some_and(|due| now >= due) {
            (self.beat, self.probed, self.called) = (now, now, false);
            let number = self.around.followed.freshness.on_heartbeat_sent(now);
            self.pulse.send(&self.mark, Some(number)).await?;
        } else if self.next_probe(report.in_doubt).is_some_and(|due| now >= due) {
            self.probed = now;
            self.pulse.send(&self.mark, None).await?;
        }
        if now >= self.confirmed + CONFIRM {
            self.confirm().await?;
        }
        Ok(())
    }

    /// Where answers take long, heartbeats follow each other all the same, so that news is not older than that; those that are wanted
    /// besides wait for the last one.
    fn next_beat(&self) -> Option<Instant> {
        let gap = match (self.pulse.owed(), self.called) {
            (BEATS.., _) => return None,
            (1.., _) | (0, false) => self.around.changes.heartbeat,
            (0, true) if self.around.followed.is_waited_for() => Duration::ZERO,
            (0, true) => BEAT_GAP,
        };
        Some(self.beat + gap)
    }

    fn next_probe(&self, in_doubt: usize) -> Option<Instant> {
        (self.pulse.owed() == 0 && in_doubt > 0).then(|| self.probed + PROBE_GAP)
    }

    fn deadline(&self) -> Instant {
        let in_doubt = self.around.followed.freshness.report().in_doubt;
        let due = [self.next_beat(), self.next_probe(in_doubt)];
        let others = [self.confirmed + CONFIRM, self.heard + SILENCE];
        due.into_iter().flatten().chain(others).min().unwrap_or(self.confirmed + CONFIRM)
    }

    async fn confirm(&mut self) -> Result<(), Trouble> {
        self.confirmed = clock::now();
        let position = self.around.followed.freshness.delivered().unwrap_or_default();
        Ok(self.feed.confirm(position).await?)
    }
}
