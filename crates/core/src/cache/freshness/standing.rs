//! What has to be the same for two instances to mean the same by a position and by an answer: the history of the log, and the
//! definitions. And what another instance has kept, taken over under our own. Not how it comes here.
//!
//! Invariant: nothing that another instance says is believed but what an answer was at its `v`: whether something has changed since is told
//! by our own stream alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::stream::History;
use super::{Epoch, Freshness, Refusal, Seen};
use crate::cache::Lsn;
use crate::cache::faults::{Fault, is_planted};
use crate::cache::shared::Unusable;

/// What holds in one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What positions are of.
    pub history: History,
    /// A text that is another one when a definition is, the same in every instance.
    pub definitions: Box<str>,
    pub(super) epoch: Epoch,
}

impl Standing {
    /// Whether an answer that is kept here was kept under this.
    #[must_use]
    pub fn is_of(&self, seen: Seen) -> bool {
        self.epoch == seen.epoch
    }
}

impl Freshness {
    /// What definitions are in one text, for the next [`Freshness::on_settled`].
    pub fn on_read(&self, definitions: &str) {
        self.stream.lock().definitions = Some(definitions.into());
    }

    /// What holds now. `None`: it is changing, or there is no stream.
    #[must_use]
    pub fn standing(&self) -> Option<Arc<Standing>> {
        let standing = self.stream.lock().standing.clone()?;
        (self.visible().is_some() && self.epoch() == Some(standing.epoch)).then_some(standing)
    }

    /// What an answer holds here that another instance has kept under the same history and the same definitions. Whether anything speaks
    /// against it has to be asked after this, as of any answer: [`Freshness::keep`].
    ///
    /// # Errors
    /// Nothing can be said about it.
    pub fn adopt(&self, standing: &Standing, v: Lsn) -> Result<Seen, Unusable> {
        let delivered = self.delivered().filter(|_| self.visible().is_some());
        let delivered = delivered.ok_or(Refusal::NoStream)?;
        let epoch = standing.epoch;
        if is_planted(Fault::TrustShared) {
            return Ok(Seen { v: delivered, epoch });
        }
        // What has changed behind what we were told is not known, and neither is whether that position is of this history at all.
        if v > delivered {
            return Err(Unusable::Ahead);
        }
        Ok(Seen { v, epoch })
    }

    /// Answers that were kept before now are not taken over, and not given: somebody has asked to forget them.
    pub fn forget_answers(&self) {
        let above = Lsn(self.delivered.load(Ordering::Acquire).saturating_add(1));
        self.invalidations.raise_all(above);
    }
}
