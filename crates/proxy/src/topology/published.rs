//! What sessions read of a node without a lock: what it counts as, how fresh it is, where it is. Written by whoever asks it.
//!
//! Invariant: read in any order, what is read errs to the safe side: a position is stored before the moment it belongs to, and a
//! node that stops counting as a replica is not one before anything else about it changes.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah_core::topology::{Lsn, Sample, Standing};
use tokio::sync::Notify;

use crate::clock;

/// Standings by their number.
const STANDINGS: [Standing; 9] = [
    Standing::Unheard,
    Standing::Primary,
    Standing::Replica,
    Standing::Detached,
    Standing::Fenced,
    Standing::Rival,
    Standing::Stranger,
    Standing::Suspect,
    Standing::Down,
];

/// A moment that is kept in microseconds since another; 0: there was none.
#[derive(Debug, Default)]
struct Moment(AtomicU64);

impl Moment {
    fn set(&self, origin: Instant, moment: Option<Instant>) {
        let since = |moment: Instant| moment.saturating_duration_since(origin).as_micros();
        let micros =
            moment.map_or(0, |moment| u64::try_from(since(moment)).unwrap_or(u64::MAX - 1) + 1);
        self.0.store(micros, Ordering::Release);
    }

    fn get(&self, origin: Instant) -> Option<Instant> {
        let micros = self.0.load(Ordering::Acquire).checked_sub(1)?;
        Some(origin + Duration::from_micros(micros))
    }
}

/// The numbers of one node.
#[derive(Debug)]
pub(crate) struct Published {
    made: Instant,
    standing: AtomicU8,
    /// Where its last record ends; for a replica, of those it has replayed.
    position: AtomicU64,
    /// When it was asked for that.
    asked: Moment,
    /// Up to when it has all that the primary had committed.
    fresh: Moment,
    lag_bytes: AtomicU64,
    /// Up to when the primary shows what this replica has shown; of the primary: what any has.
    settled: Moment,
    /// Since when it may serve reads.
    since: Moment,
    drained: AtomicBool,
    /// Somebody wants it to be asked now.
    pub(super) wanted: Notify,
}

/// What is known of a node after an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct News {
    pub(super) standing: Standing,
    pub(super) sample: Option<Sample>,
    pub(super) fresh: Option<Instant>,
    pub(super) lag_bytes: Option<u64>,
    pub(super) settled: Option<Instant>,
}

impl Published {
    pub(crate) fn new() -> Self {
        Self {
            made: clock::now(),
            standing: AtomicU8::new(0),
            position: AtomicU64::new(0),
            asked: Moment::default(),
            fresh: Moment::default(),
            lag_bytes: AtomicU64::new(u64::MAX),
            settled: Moment::default(),
            since: Moment::default(),
            drained: AtomicBool::new(false),
            wanted: Notify::new(),
        }
    }

    pub(super) fn publish(&self, now: Instant, news: &News) {
        let number = STANDINGS.iter().position(|standing| *standing == news.standing);
        let number = number.and_then(|number| u8::try_from(number).ok()).unwrap_or(0);
        let before = self.standing();
        if before == Standing::Replica && news.standing != before {
            self.standing.store(number, Ordering::Release);
        }
        self.fresh.set(self.made, news.fresh);
        self.settled.set(self.made, news.settled);
        self.position.store(news.sample.map_or(0, |sample| sample.lsn.0), Ordering::Release);
        self.asked.set(self.made, news.sample.map(|sample| sample.asked));
        self.lag_bytes.store(news.lag_bytes.unwrap_or(u64::MAX), Ordering::Relaxed);
        if news.standing == Standing::Replica && before != news.standing {
            self.since.set(self.made, Some(now));
        }
        self.standing.store(number, Ordering::Release);
    }

    pub(crate) fn standing(&self) -> Standing {
        let number = usize::from(self.standing.load(Ordering::Acquire));
        STANDINGS.get(number).copied().unwrap_or_default()
    }

    /// Where it was at least, and when it was asked; what it answers later may be further on.
    pub(crate) fn sample(&self) -> Option<Sample> {
        let asked = self.asked.get(self.made)?;
        Some(Sample { asked, lsn: Lsn(self.position.load(Ordering::Acquire)) })
    }

    /// Up to when it has everything that the primary had committed; `None`: unknown.
    pub(crate) fn fresh_at(&self) -> Option<Instant> {
        self.fresh.get(self.made)
    }

    /// Up to when the primary shows everything that this replica has shown; asked of the primary, everything that any has.
    pub(crate) fn settled(&self) -> Option<Instant> {
        self.settled.get(self.made)
    }

    pub(crate) fn lag_bytes(&self) -> Option<u64> {
        Some(self.lag_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes != u64::MAX)
    }

    /// Since when it may serve reads, for a slow start.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since.get(self.made)
    }

    /// Whether an administrator has taken it out of what serves reads.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Acquire)
    }

    pub(super) fn set_drained(&self, drained: bool, now: Instant) {
        if self.drained.swap(drained, Ordering::AcqRel) && !drained {
            self.since.set(self.made, Some(now));
        }
    }

    /// Has it asked as soon as possible; many who want it are one question.
    pub(crate) fn want_sample(&self) {
        self.wanted.notify_one();
    }
}
