//! A session that replicas have shown something reads from the primary only once that shows it, too. Not how that is found out:
//! `howdah_core::topology::Shown`.
//!
//! Invariant: a wait has a bound, and costs only sessions that were with a replica since they last waited.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Nodes;
use crate::clock;
use crate::error::Refusal;
use crate::faults::{self, Fault};
use crate::session::{End, Session};

/// How long at most. A commit that waits longer for the confirmation of a synchronous replica may be missed afterwards.
const LONGEST: Duration = Duration::from_secs(1);

impl Session {
    /// The request is for the primary and shows nothing: what the primary shows is asked for meanwhile.
    pub(super) fn prepare_to_read_at_home(&mut self, nodes: &Rc<Nodes>) {
        if self.state(nodes).position.ahead().is_some() {
            nodes.want_samples();
        }
    }

    /// Waits until the primary shows what replicas have shown the session before the request, which came at `since`. Cancel safe.
    ///
    /// # Errors
    /// The outer one ends the session; the inner one is the answer to the request.
    pub(super) async fn settle(
        &mut self,
        nodes: &Rc<Nodes>,
        since: Instant,
    ) -> Result<Result<(), Refusal>, End> {
        while let Some(ahead) = self.state(nodes).position.ahead() {
            let late = clock::now().saturating_duration_since(since) >= LONGEST;
            if late {
                tracing::debug!("a replica has shown what the primary does not show for too long");
            }
            if late || nodes.is_settled(ahead.by, ahead.at) || faults::is_planted(Fault::SkipSettle)
            {
                self.state(nodes).position.on_caught_up();
                break;
            }
            nodes.want_samples();
            if let Some(refusal) = self.look_later().await? {
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(()))
    }
}
