//! One stream from its beginning to its end: what comes is handed to [`Freshness`], heartbeats go out, definitions are settled. Not
//! which database, nor what happens after the end.
//!
//! Invariant: the answer to what definitions hold was read after every change of them that was told had become visible.

use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_core::cache::gather::Gather;
use howdah_core::cache::{Freshness, Lsn, Snapshot};
use howdah_core::limits;
use howdah_wire::replication::stream::Told;
use tokio::sync::{Notify, mpsc};

use super::definitions::{Definitions, Reader};
use super::feed::{Beginning, Feed, Piece};
use super::pulse::Pulse;
use super::trouble::Trouble;
use crate::buffer::Shelf;
use crate::catalog::{Catalogs, Redefined};
use crate::clock;
use crate::pool::Target;
use crate::settings::Changes;

/// Between two heartbeats, however many want one.
const BEAT_GAP: Duration = Duration::from_millis(2);
/// Between two snapshots while commits are not known to be visible.
const PROBE_GAP: Duration = Duration::from_millis(10);
/// Between two confirmations of what was received.
const CONFIRM: Duration = Duration::from_secs(1);
/// With nothing heard for so long something is wrong.
const SILENCE: Duration = Duration::from_secs(30);

/// What a stream needs of its surroundings.
pub(super) struct Surroundings<'a> {
    pub(super) freshness: &'a Freshness,
    pub(super) wake: &'a Notify,
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
    /// Somebody waits for a heartbeat.
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
        around.freshness.on_begin(beginning.history, beginning.position);
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
                answer = self.pulse.answer(self.around.shelf), if self.pulse.owed > 0 => {
                    Event::Snapshot(answer?)
                }
                () = self.around.wake.notified(), if !self.called => Event::Called,
                Some(definitions) = defined.recv() => Event::Defined(definitions),
                () = tokio::time::sleep_until(deadline.into()) => Event::Time,
            };
            match event {
                Event::Bytes => self.heard = clock::now(),
                Event::Snapshot(Some(snapshot)) => {
                    if self.around.freshness.on_snapshot(snapshot) {
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
        let freshness = self.around.freshness;
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
            freshness.on_commit(heard.commit, heard.heartbeat);
        }
        if asked {
            self.confirm().await?;
        }
        Ok(())
    }

    /// Definitions that were changed are visible now: they can be read.
    fn settle_visible(&mut self) {
        let visible = self.around.freshness.visible();
        if self.redefined.is_some_and(|changed| visible.is_some_and(|visible| visible >= changed)) {
            self.redefined = None;
            self.wanted = Some(self.reader.ask());
        }
    }

    fn on_defined(&mut self, definitions: Definitions) -> Result<(), Trouble> {
        let freshness = self.around.freshness;
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
            freshness.on_settled(definitions.shapes.seen());
        }
        self.definitions = Some(definitions);
        Ok(())
    }

    /// Sends what it is time for.
    async fn act(&mut self) -> Result<(), Trouble> {
        let now = clock::now();
        let unanswered = self.pulse.owed > 0 && now >= self.probed + SILENCE;
        if unanswered || now >= self.heard + SILENCE {
            return Err(Trouble::Silent);
        }
        let report = self.around.freshness.report();
        if report.in_doubt > limits::COMMITS_IN_DOUBT {
            return Err(Trouble::Overrun);
        }
        if self.pulse.owed == 0 {
            if now >= self.next_beat() {
                (self.beat, self.probed, self.called) = (now, now, false);
                let number = self.around.freshness.on_heartbeat_sent(now);
                self.pulse.send(&self.mark, Some(number)).await?;
            } else if report.in_doubt > 0 && now >= self.probed + PROBE_GAP {
                self.probed = now;
                self.pulse.send(&self.mark, None).await?;
            }
        }
        if now >= self.confirmed + CONFIRM {
            self.confirm().await?;
        }
        Ok(())
    }

    fn next_beat(&self) -> Instant {
        self.beat + if self.called { BEAT_GAP } else { self.around.changes.heartbeat }
    }

    fn deadline(&self) -> Instant {
        let mut deadline = (self.confirmed + CONFIRM).min(self.heard + SILENCE);
        if self.pulse.owed == 0 {
            deadline = deadline.min(self.next_beat());
            if self.around.freshness.report().in_doubt > 0 {
                deadline = deadline.min(self.probed + PROBE_GAP);
            }
        }
        deadline
    }

    async fn confirm(&mut self) -> Result<(), Trouble> {
        self.confirmed = clock::now();
        let position = self.around.freshness.delivered().unwrap_or_default();
        Ok(self.feed.confirm(position).await?)
    }
}
