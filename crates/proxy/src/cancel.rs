//! Cancel requests: from a client to the server that runs its statement now, never to a stranger's. A request that still
//! waits for a server is withdrawn.
//!
//! Invariant: a server does not change hands while a cancel request for it is on its way (it is parked), so a cancel request
//! can only reach the statement, or the idle time, of the client that sent it.

use std::rc::Rc;
use std::time::Duration;

use howdah_wire::startup;
use tokio::io::ReadBuf;
use tokio::sync::oneshot;

use crate::connect;
use crate::entry::{Activity, Entry, Signal};
use crate::pool::Pool;
use crate::server::CancelTarget;
use crate::takeover::Neighbour;
use crate::worker::{Command, Worker};

/// How long delivering a cancel request may take.
const DELIVERY: Duration = Duration::from_secs(5);

/// A client's cancel request: to the worker that serves the client, or to the process that does. Nothing is answered, as in PostgreSQL; but, as with
/// PostgreSQL, the client may wait for the end of its connection and be sure that a later statement is not hit. So this
/// returns when the request has been delivered, or when there was nothing to deliver.
pub(crate) async fn route(
    worker: &Worker,
    process_id: u32,
    secret: &[u8],
    came_from: Option<Neighbour>,
) {
    if let Some(owner) = worker.shared.workers().get(worker.shared.serving(process_id)) {
        let (delivered, delivery) = oneshot::channel();
        let secret = secret.to_vec();
        let command = Command::Cancel { process_id, secret, came_from, delivered };
        // A worker that is gone has no clients.
        if owner.send(command).await.is_ok() {
            let _ = tokio::time::timeout(DELIVERY, delivery).await;
        }
    }
}

/// Dropped when a cancel request has been delivered.
pub(crate) type Delivered = oneshot::Sender<()>;

/// A cancel request has reached the worker of its client.
pub(crate) fn deliver(worker: &Rc<Worker>, entry: &Rc<Entry>, secret: &[u8], delivered: Delivered) {
    if !crate::auth::constant_time_eq(&entry.secret, secret) {
        return tracing::warn!(peer = %entry.peer, "a cancel request with a wrong secret was ignored");
    }
    obey(worker, entry, Some(delivered));
}

/// Cancels what a session runs, or waits for.
pub(crate) fn obey(worker: &Rc<Worker>, entry: &Rc<Entry>, delivered: Option<Delivered>) {
    if entry.activity.get() == Activity::Waiting && entry.flight.borrow().is_none() {
        return entry.signal(Signal::Cancel);
    }
    let pool = entry.pool();
    if let Some(pool) = pool {
        send(worker, &pool, entry, delivered);
    }
}

/// Cancels what the session's server runs now, if it has one.
pub(crate) fn send(
    worker: &Rc<Worker>,
    pool: &Rc<Pool>,
    entry: &Entry,
    delivered: Option<Delivered>,
) {
    let flight = entry.flight.borrow().clone();
    if let Some(flight) = flight {
        return flight.cancel(pool, entry.id, delivered);
    }
    let target = entry.cancel.borrow().clone();
    if let Some(target) = target {
        send_to(worker, pool, target, delivered);
    }
}

/// Sends a cancel request to a server, which is kept from others until it has arrived.
pub(crate) fn send_to(
    worker: &Rc<Worker>,
    pool: &Rc<Pool>,
    target: Rc<CancelTarget>,
    delivered: impl IntoIterator<Item = Delivered> + 'static,
) {
    target.pending.set(target.pending.get() + 1);
    let (worker, pool) = (Rc::clone(worker), Rc::clone(pool));
    tokio::task::spawn_local(async move {
        if tokio::time::timeout(DELIVERY, request(&target)).await.is_err() {
            tracing::warn!(address = %target.address, "a cancel request could not be delivered in time");
        }
        drop(delivered);
        target.pending.set(target.pending.get().saturating_sub(1));
        if target.pending.get() == 0 {
            pool.unpark(&worker, &target);
        }
    });
}

/// PostgreSQL closes the connection after it has signalled the process.
async fn request(target: &CancelTarget) {
    let mut stream = match connect::reach(&target.address, target.connector.as_deref()).await {
        Ok(stream) => stream,
        Err(error) => {
            return tracing::warn!(address = %target.address, %error, "cannot send a cancel request");
        }
    };
    let mut out = Vec::with_capacity(16 + target.secret.len());
    startup::cancel(&mut out, target.process_id, &target.secret);
    while !out.is_empty() {
        match std::future::poll_fn(|cx| stream.poll_write(cx, &out)).await {
            Ok(count) if count > 0 => drop(out.drain(..count)),
            _ => return,
        }
    }
    let mut byte = [0];
    let _ = std::future::poll_fn(|cx| stream.poll_read(cx, &mut ReadBuf::new(&mut byte))).await;
}
