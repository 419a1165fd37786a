//! `LISTEN` without a server of one's own: one connection per database hears the notifications for all clients of the process.
//! `hub` is that connection, `listener` a session's end of it. What a session listens to is decided by
//! `howdah_core::session::Channels`.
//!
//! Invariant: a client gets exactly the notifications of transactions that commit after its own `LISTEN` was answered and before
//! its `UNLISTEN`, in their order, or is told that it may have missed some by the end of its connection.

mod hub;
mod listener;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::mpsc;

pub(crate) use self::listener::{Heard, Listener};

use self::hub::{Hub, Request};
use crate::pool::Pool;
use crate::report::NotificationReport;
use crate::settings::NodeAddress;
use crate::worker::Worker;

/// Requests that may wait for a shared connection; a session waits when there are more.
const REQUESTS: usize = 1024;

/// Which database, where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct HubKey {
    address: String,
    database: String,
}

impl HubKey {
    fn new(address: &NodeAddress, database: &str) -> Self {
        Self { address: address.to_string(), database: database.to_owned() }
    }
}

/// What is known of a shared connection from outside.
#[derive(Debug)]
struct Known {
    requests: mpsc::Sender<Request>,
    counts: Arc<hub::Counts>,
}

/// The shared connections of the process. Touched when a session begins to listen, never per message.
#[derive(Debug, Default)]
pub(crate) struct Hubs {
    known: Mutex<BTreeMap<HubKey, Known>>,
    listeners: AtomicU64,
}

impl Hubs {
    /// The way to the connection that listens for the database of a pool. If there is none, its task starts on this worker.
    fn of(worker: &Rc<Worker>, pool: &Pool) -> mpsc::Sender<Request> {
        let target = pool.target();
        let key = HubKey::new(&target.address, &target.database);
        let mut known = worker.shared.hubs.known.lock();
        if let Some(hub) = known.get(&key).filter(|hub| !hub.requests.is_closed()) {
            return hub.requests.clone();
        }
        let (sender, receiver) = mpsc::channel(REQUESTS);
        let counts = Arc::new(hub::Counts::default());
        let timeout = pool.ledger.borrow().config().connect_timeout;
        let place = (target, pool.keys(), timeout);
        let hub = Hub::new(Rc::clone(worker), key.clone(), place, Arc::clone(&counts));
        tokio::task::spawn_local(hub.run(receiver));
        known.insert(key, Known { requests: sender.clone(), counts });
        sender
    }

    /// A number for a listener, unique in the process.
    fn new_id(&self) -> u64 {
        self.listeners.fetch_add(1, Ordering::Relaxed)
    }

    /// A connection that nobody needs any more ends, unless a request has come in between.
    fn retire(&self, key: &HubKey, requests: &mut mpsc::Receiver<Request>) -> bool {
        let mut known = self.known.lock();
        if !requests.is_empty() {
            return false;
        }
        requests.close();
        known.remove(key);
        true
    }

    /// A line for each connection.
    pub(crate) fn report(&self) -> Vec<NotificationReport> {
        let known = self.known.lock();
        known.iter().map(|(key, hub)| hub.counts.report(key)).collect()
    }
}
