//! What one node has said and failed to say. Not what that makes of it: the other nodes have a word in that, so `Topology` decides.
//!
//! Invariant: all samples are of one role and one history.

use std::time::{Duration, Instant};

use super::samples::{Sample, Samples};
use super::{Failure, NodeId, Observation, Role, Standing};

/// Unanswered questions in a row after which a node is down.
const SILENCES: u32 = 3;
/// After a wrong hint, others about the node are not believed for this long; it is asked all the same.
const DISBELIEF: Duration = Duration::from_secs(1);

/// One node.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) node: NodeId,
    /// The configuration calls it the primary.
    pub(super) named: bool,
    pub(super) role: Role,
    pub(super) timeline: Option<u32>,
    pub(super) system_id: Option<u64>,
    pub(super) receiving: bool,
    pub(super) samples: Samples,
    pub(super) standing: Standing,
    /// The last failure, unless it has answered since.
    failure: Option<Failure>,
    /// It has failed in a way that leaves no doubt, and not answered since.
    down: bool,
    /// Unanswered questions in a row.
    silences: u32,
    /// When a hint came that no answer has refuted.
    suspected: Option<Instant>,
    /// When an answer refuted one.
    refuted: Option<Instant>,
}

impl Member {
    pub(super) fn new(node: NodeId, named: bool) -> Self {
        Self {
            node,
            named,
            role: Role::Unknown,
            timeline: None,
            system_id: None,
            receiving: false,
            samples: Samples::default(),
            standing: Standing::Unheard,
            failure: None,
            down: false,
            silences: 0,
            suspected: None,
            refuted: None,
        }
    }

    pub(super) fn on_answer(&mut self, now: Instant, answer: &Observation) {
        let (sample, last) = (Sample { asked: answer.asked, lsn: answer.lsn }, self.samples.last());
        let another = self.system_id != answer.system_id || self.role != answer.role;
        let goes_back = last.is_some_and(|last| answer.lsn < last.lsn);
        if another || goes_back {
            self.samples.clear();
            self.timeline = None;
        }
        self.samples.push(sample);
        // A replica may learn late that it has followed its primary to another timeline, and forget it in between; it never
        // returns to an older one without going back.
        self.timeline = self.timeline.max(answer.timeline);
        self.system_id = answer.system_id;
        self.receiving = answer.receiving;
        (self.failure, self.silences, self.down) = (None, 0, false);
        if self.suspected.is_some_and(|since| answer.asked >= since) {
            self.suspected = None;
            if self.role == answer.role {
                self.refuted = Some(now);
            }
        }
        self.role = answer.role;
    }

    pub(super) const fn on_failure(&mut self, failure: Failure) {
        self.failure = Some(failure);
        match failure {
            Failure::Refused => self.down = true,
            Failure::Silent => {
                self.silences = self.silences.saturating_add(1);
                self.down |= self.silences >= SILENCES;
            }
            Failure::Barred => {}
        }
    }

    pub(super) fn on_hint(&mut self, now: Instant) {
        let lately = |refuted: Instant| now.saturating_duration_since(refuted) < DISBELIEF;
        if !self.refuted.is_some_and(lately) {
            self.suspected = Some(now);
        }
    }

    /// Whether it has answered or failed, so that there is no reason to wait for it.
    pub(super) const fn is_known(&self) -> bool {
        self.failure.is_some() || !matches!(self.role, Role::Unknown)
    }

    pub(super) const fn is_down(&self) -> bool {
        self.down
    }

    pub(super) const fn is_suspect(&self) -> bool {
        let quiet = matches!((self.role, self.failure), (Role::Replica, Some(Failure::Silent)));
        quiet || self.suspected.is_some()
    }

    /// Whether it says that it takes writes, as far as it can be asked.
    pub(super) const fn claims(&self) -> bool {
        matches!(self.role, Role::Primary) && !self.is_down()
    }
}
