//! What a pool does at every tick beyond serving its waiters: looks at its own size, and at the health of its node. Who gets a
//! server is decided by `howdah_core::pool::Ledger`.
//!
//! Invariant: nothing here runs per request; what a request leaves behind are two counters in the ledger.

use std::rc::Rc;
use std::time::{Duration, Instant};

use howdah_core::pool::{Advice, Sample};

use super::Pool;
use super::opening::Dial;
use crate::clock;
use crate::connect::OpenError;
use crate::entry::Grant;
use crate::worker::Worker;

impl Pool {
    /// One look at the pool's size and at its node.
    pub(super) fn look(self: &Rc<Self>, worker: &Rc<Worker>, now: Instant) {
        self.look_at_size(now);
        let node = self.node.borrow().clone();
        let recoveries = node.recoveries();
        if self.recoveries.replace(recoveries) != recoveries {
            self.ledger.borrow_mut().end_pause();
        }
        self.give_up(now);
        if let Some(timeout) = node.begin_probe(now) {
            let (pool, worker) = (Rc::clone(self), Rc::clone(worker));
            tokio::task::spawn_local(async move { pool.probe(&worker, timeout).await });
        }
    }

    fn look_at_size(&self, now: Instant) {
        let mut ledger = self.ledger.borrow_mut();
        let counts = ledger.counts();
        let (checkouts, checkins) = ledger.turnover();
        if self.checkins.replace(checkins) != checkins {
            self.node.borrow().on_traffic(now);
        }
        let sample = Sample {
            busy: counts.busy,
            peak: ledger.take_peak(),
            waiting: counts.waiting,
            checkouts,
        };
        let mut sizing = self.sizing.borrow_mut();
        sizing.look(now, sample);
        let config = ledger.config();
        let target = if config.dynamic {
            sizing.advice(config.min_size, config.max_size).map(|advice| advice.size)
        } else {
            None
        };
        ledger.set_target(target);
    }

    /// The size it should have, by what it was seen to do.
    pub(super) fn advice(&self) -> Option<Advice> {
        let ledger = self.ledger.borrow();
        let config = ledger.config();
        self.sizing.borrow().advice(config.min_size, config.max_size)
    }

    /// Tells those who wait that their node does not come back.
    fn give_up(&self, now: Instant) {
        {
            let ledger = self.ledger.borrow();
            if ledger.counts().waiting == 0 || ledger.open() > 0 || ledger.is_paused() {
                return;
            }
        }
        let down = self.node.borrow().down(now);
        if let Some(down) = down.filter(|down| down.given_up) {
            let waiters = self.ledger.borrow_mut().take_waiters();
            for entry in waiters {
                entry.grant(Grant::Refused(down.refusal.clone()));
            }
        }
    }

    /// Logs in to the node and leaves again: it was quiet for long, or nobody else tries it.
    async fn probe(self: Rc<Self>, worker: &Rc<Worker>, timeout: Duration) {
        // With no place free there are servers enough to tell; the next interval asks again.
        let Some(_permit) = self.spare_place() else { return };
        let opened = self.dial(worker, timeout, Dial::AsWritten).await;
        self.on_dialled(worker, opened.as_ref().err());
        if let Ok((mut opened, _)) = opened {
            let _ = opened.stream.say_goodbye();
        }
    }

    /// What an attempt to log in says about the node.
    pub(super) fn on_dialled(&self, worker: &Worker, error: Option<&OpenError>) {
        let node = self.node.borrow();
        match error {
            Some(error) if error.is_of_node() => {
                let (now, chance) = (clock::now(), worker.chance());
                node.on_failure(now, error, chance);
                worker.shared.clusters.on_open_failed(&node, error, now);
            }
            Some(_) | None => node.on_answer(clock::now()),
        }
    }
}
