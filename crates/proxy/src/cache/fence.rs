//! What a session has just written, or read from PostgreSQL, may not have been told by the stream yet: what it is given from the cache
//! has to wait for a heartbeat. Not which fence: that is in `fill` and `session`.
//!
//! Without the wait a session that asks without a pause would never come out of it again: each answer of PostgreSQL's begins another
//! fence, and comes before the heartbeat for the last one.
//!
//! Invariant: a request waits once, and not for long; then PostgreSQL is asked.

use std::time::{Duration, Instant};

use howdah_core::cache::timed::{Asker, Late};
use howdah_core::cache::wish::{Level, Mode, Wish};
use howdah_core::cache::{Fence, Refusal, Seen, Tag, Timed};

use super::place::LocalPlace;
use super::session::{Hit, word};
use super::store::Claim;
use crate::clock;
use crate::error;
use crate::faults::{self, Fault};
use crate::session::{End, Session};

/// An answer that is valid otherwise.
pub(super) const FENCED: &str = "fence";

/// Where heartbeats take longer, PostgreSQL is asked.
const PATIENCE: Duration = Duration::from_millis(10);

impl Session {
    /// Whether more than its age vouches for an answer that counts for a time, and may be given now.
    #[cold]
    fn is_in_time(
        &self,
        timed: &Timed,
        (tags, seen, known): (&[Tag], Seen, Result<(), Refusal>),
        (wish, place, now): (Wish, &LocalPlace, Instant),
    ) -> Result<bool, &'static str> {
        // What is known to have changed counts also while there is no news.
        let has_changed = known.is_err() && place.freshness.has_changed(tags, seen.v);
        let known = if has_changed { Err(Refusal::Changed) } else { known };
        let asker = Asker {
            now,
            wrote: self.caching.wrote,
            bound: wish.bound_of_age(),
            catalog: place.watched.generation(),
        };
        timed.verdict(known, asker).map_err(|late| match late {
            Late::Refused(refusal) => word(refusal),
            Late::Age => "ttl",
        })
    }

    /// Whether an answer that is kept may be given now.
    pub(super) fn may_give(
        &self,
        wish: Wish,
        place: &LocalPlace,
        Claim { tags, seen, timed }: Claim<'_>,
        now: Instant,
    ) -> Result<(), &'static str> {
        let freshness = &place.freshness;
        let known = freshness.valid(tags, seen, now, wish.max_staleness);
        match timed {
            None => known.map_err(word)?,
            // Its age vouches for it, and what the session has written is older.
            Some(timed) if !self.is_in_time(timed, (tags, seen, known), (wish, place, now))? => {
                return Ok(());
            }
            Some(_) => {}
        }
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
    ) -> Result<Result<(), error::Refusal>, End> {
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
    ) -> Result<Result<bool, error::Refusal>, End> {
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
    ) -> Result<Result<bool, error::Refusal>, End> {
        let passed = tokio::time::timeout(limit, place.followed.passed(fence));
        let outcome = self.wait_aside(passed).await?;
        Ok(outcome.map(|_| place.freshness.passed(fence)))
    }
}
