//! What a session has just written, or read from PostgreSQL, may not have been told by the stream yet: what it is given from the cache
//! has to wait for a heartbeat. Not which fence: that is in `fill` and `session`.
//!
//! Without the wait a session that asks without a pause would never come out of it again: each answer of PostgreSQL's begins another
//! fence, and comes before the heartbeat for the last one.
//!
//! Invariant: a request waits once, and not for long; then PostgreSQL is asked.

use std::time::{Duration, Instant};

use howdah_core::cache::wish::{Level, Mode, Wish};
use howdah_core::cache::{Fence, Seen, Tag};

use super::place::LocalPlace;
use super::session::{Hit, word};
use crate::clock;
use crate::error::Refusal;
use crate::faults::{self, Fault};
use crate::session::{End, Session};

/// An answer that is valid otherwise.
pub(super) const FENCED: &str = "fence";

/// Where heartbeats take longer, PostgreSQL is asked.
const PATIENCE: Duration = Duration::from_millis(10);

impl Session {
    /// Whether an answer that is kept with these tags may be given now.
    pub(super) fn may_give(
        &self,
        wish: Wish,
        place: &LocalPlace,
        (tags, seen): (&[Tag], Seen),
        now: Instant,
    ) -> Result<(), &'static str> {
        let freshness = &place.freshness;
        freshness.valid(tags, seen, now, wish.max_staleness).map_err(word)?;
        let fenced = self.caching.fence.is_some_and(|fence| !freshness.passed(fence));
        if fenced
            && !faults::is_planted(Fault::SkipFence)
            && wish.level(self.caching.has_written) != Level::Bounded
        {
            return Err(FENCED);
        }
        Ok(())
    }

    /// The fence to wait for, if that is why an answer may not be given.
    pub(super) fn awaited(&self, reason: &str, wish: Wish, place: &LocalPlace) -> Option<Fence> {
        // Until the one that it has waited for too long has passed, later ones do not either.
        let late = self.caching.in_vain.is_some_and(|fence| !place.freshness.passed(fence));
        self.caching.fence.filter(|_| reason == FENCED && wish.mode == Mode::On && !late)
    }

    /// Waits for a fence as long as that is better than asking PostgreSQL. The inner error is the answer to the request.
    ///
    /// # Errors
    /// The session ends.
    pub(super) async fn wait_for_fence(
        &mut self,
        place: &LocalPlace,
        fence: Fence,
    ) -> Result<Result<(), Refusal>, End> {
        let outcome = self.wait_for_news(place, fence, PATIENCE).await?;
        Ok(outcome.map(|passed| self.caching.in_vain = (!passed).then_some(fence)))
    }

    /// Whether everything that is visible now is in an answer: asks by a heartbeat, and waits for it. The inner error is the answer
    /// to the request.
    ///
    /// # Errors
    /// The session ends.
    pub(super) async fn confirm(
        &mut self,
        place: &LocalPlace,
        Hit { entry, wanted, .. }: &Hit,
    ) -> Result<Result<bool, Refusal>, End> {
        let bound = wanted.wish.max_staleness;
        match self.wait_for_news(place, place.freshness.fence(), bound).await? {
            Ok(true) => {}
            Ok(false) => {
                place.tally.on_reason(FENCED);
                return Ok(Ok(false));
            }
            Err(refusal) => return Ok(Err(refusal)),
        }
        let verdict = place.freshness.valid(&entry.tags, entry.seen, clock::now(), bound);
        Ok(Ok(verdict.map_err(|refusal| place.tally.on_reason(word(refusal))).is_ok()))
    }

    /// Whether a fence has passed within this time. The inner error is the answer to the request.
    ///
    /// # Errors
    /// The session ends.
    pub(super) async fn wait_for_news(
        &mut self,
        place: &LocalPlace,
        fence: Fence,
        limit: Duration,
    ) -> Result<Result<bool, Refusal>, End> {
        let passed = tokio::time::timeout(limit, place.followed.passed(fence));
        let outcome = self.wait_aside(passed).await?;
        Ok(outcome.map(|_| place.freshness.passed(fence)))
    }
}
