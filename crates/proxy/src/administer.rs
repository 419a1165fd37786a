//! What administrators do to pools and clients: pause, resume, reconnect, kill, count. Asked by the console, by signals and by
//! programs that embed Howdah. Not who may ask (`console::rights`) and not what a pause is (`howdah_core::pool::Ledger`).
//!
//! Invariant: what is held back is written down in [`Shared`] before any worker is told, so a pool that is made meanwhile obeys, too.

use std::rc::Rc;

use tokio::sync::oneshot;

use crate::cancel;
use crate::entry::{Entry, Signal};
use crate::holds::{NotPaused, Scope};
use crate::pool::Pool;
use crate::proxy::tell_all;
use crate::rows::StatementRow;
use crate::shared::Shared;
use crate::worker::{Command, Worker};

/// What a worker is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// What is held back has changed.
    Holds,
    /// Servers that are open now are not used again.
    Reconnect(Scope),
    /// Clients and servers go at once.
    Kill(Scope),
    /// The client with this process id goes; whether there was one is answered.
    KillClient(u32, oneshot::Sender<bool>),
    /// The client with this process id is cancelled, as if it had asked for that; whether there was one is answered.
    CancelClient(u32, oneshot::Sender<bool>),
    /// How many servers there are.
    Census(Scope, oneshot::Sender<Census>),
    /// Texts that clients have prepared.
    Statements(oneshot::Sender<Vec<StatementRow>>),
    /// No new connections; those that are there go on.
    StopListening,
}

/// Servers of some databases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Open or being opened.
    pub(crate) servers: usize,
    /// Of these, how many are to be closed as soon as they come back.
    pub(crate) leaving: usize,
}

/// Pauses: no request gets a server any more, and servers are closed as they come back.
pub(crate) async fn pause(shared: &Shared, scope: &Scope) {
    shared.holds().pause(scope);
    tell_all(shared, || Command::Administer(Order::Holds)).await;
}

/// Goes on.
///
/// # Errors
/// It was not paused.
pub(crate) async fn resume(shared: &Shared, scope: &Scope) -> Result<(), NotPaused> {
    shared.holds().resume(scope)?;
    tell_all(shared, || Command::Administer(Order::Holds)).await;
    Ok(())
}

/// Has servers replaced as they come back.
pub(crate) async fn reconnect(shared: &Shared, scope: &Scope) {
    tell_all(shared, || Command::Administer(Order::Reconnect(scope.clone()))).await;
}

/// Disconnects clients and servers at once, and pauses.
pub(crate) async fn kill(shared: &Shared, scope: &Scope) {
    pause(shared, scope).await;
    tell_all(shared, || Command::Administer(Order::Kill(scope.clone()))).await;
}

/// Disconnects a client; `false`: there is none with this process id.
pub(crate) async fn kill_client(shared: &Shared, process_id: u32) -> bool {
    tell_worker_of(shared, process_id, |reply| Order::KillClient(process_id, reply)).await
}

/// Cancels what a client runs; `false`: there is none with this process id.
pub(crate) async fn cancel_client(shared: &Shared, process_id: u32) -> bool {
    tell_worker_of(shared, process_id, |reply| Order::CancelClient(process_id, reply)).await
}

/// Has the worker of a client carry out an order; what it replies.
async fn tell_worker_of(
    shared: &Shared,
    process_id: u32,
    order: impl FnOnce(oneshot::Sender<bool>) -> Order,
) -> bool {
    let Some(worker) = shared.workers().get(crate::worker::worker_of(process_id)) else {
        return false;
    };
    let (reply, found) = oneshot::channel();
    let order = Command::Administer(order(reply));
    worker.send(order).await.is_ok() && found.await.unwrap_or(false)
}

/// Counts servers over all workers.
pub(crate) async fn census(shared: &Shared, scope: &Scope) -> Census {
    let mut sum = Census::default();
    for worker in shared.workers() {
        let (reply, counted) = oneshot::channel();
        let order = Command::Administer(Order::Census(scope.clone(), reply));
        if worker.send(order).await.is_ok()
            && let Ok(census) = counted.await
        {
            sum.servers += census.servers;
            sum.leaving += census.leaving;
        }
    }
    sum
}

/// The texts that clients have prepared, for each worker.
pub(crate) async fn statements(shared: &Shared) -> Vec<Vec<StatementRow>> {
    let mut all = Vec::new();
    for worker in shared.workers() {
        let (reply, found) = oneshot::channel();
        if worker.send(Command::Administer(Order::Statements(reply))).await.is_ok() {
            all.push(found.await.unwrap_or_default());
        }
    }
    all
}

impl Worker {
    /// Does what it is told.
    pub(crate) fn administer(self: &Rc<Self>, order: Order) {
        match order {
            Order::Holds => {
                for pool in self.all_pools() {
                    self.obey_holds(&pool);
                }
            }
            Order::Reconnect(scope) => {
                for pool in self.pools_in(&scope) {
                    pool.reconnect(self);
                }
            }
            Order::Kill(scope) => {
                let meant =
                    |entry: &&Rc<Entry>| !entry.is_console && scope.includes(&entry.database);
                self.each_entry(|entry| {
                    if meant(&entry) {
                        entry.signal(Signal::Kill);
                    }
                });
            }
            Order::KillClient(process_id, reply) => {
                let client = self.entry(process_id);
                let found = client.as_ref().filter(|entry| !entry.is_console);
                if let Some(entry) = found {
                    entry.signal(Signal::Kill);
                }
                let _ = reply.send(found.is_some());
            }
            Order::CancelClient(process_id, reply) => {
                let client = self.entry(process_id).filter(|entry| !entry.is_console);
                if let Some(entry) = &client {
                    cancel::obey(self, entry, None);
                }
                let _ = reply.send(client.is_some());
            }
            Order::Census(scope, reply) => {
                let pools = self.pools_in(&scope);
                let counts = pools.iter().map(|pool| pool.census());
                let census = counts.fold(Census::default(), |sum, one| Census {
                    servers: sum.servers + one.servers,
                    leaving: sum.leaving + one.leaving,
                });
                let _ = reply.send(census);
            }
            Order::Statements(reply) => drop(reply.send(self.statements())),
            Order::StopListening => self.stop_listening(),
        }
    }

    /// Pauses a pool or lets it go on, as it is written down.
    pub(crate) fn obey_holds(self: &Rc<Self>, pool: &Rc<Pool>) {
        let paused = self.shared.holds().is_paused(&pool.key.database);
        pool.set_paused(self, paused);
    }

    fn pools_in(&self, scope: &Scope) -> Vec<Rc<Pool>> {
        let mut pools = self.all_pools();
        pools.retain(|pool| scope.includes(&pool.key.database));
        pools
    }
}
