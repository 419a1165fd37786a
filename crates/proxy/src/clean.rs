//! What becomes of a server whose client has ended: back to the pool if it is clean, cleaned if that is quick and certain,
//! closed otherwise.
//!
//! Invariant: a server goes back only after it has said that it is idle, and, if its client was pinned, after `DISCARD ALL`.

use std::rc::Rc;
use std::time::Duration;

use howdah_core::limits;
use howdah_core::reply::Event;
use howdah_wire::backend::{self, TransactionStatus, tag};
use howdah_wire::frame;

use crate::cancel;
use crate::faults::{self, Fault};
use crate::pool::Pool;
use crate::server::{Body, Server};
use crate::worker::{NOBODY, Worker};

/// How long a statement of a client that has gone may still run before it is cancelled: a client that sends a statement and
/// leaves without waiting means it.
pub(crate) const GRACE: Duration = Duration::from_secs(1);
/// How long cleaning may take before the server is closed.
pub(crate) const CLEANING: Duration = Duration::from_secs(5);

/// How a session left its server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving {
    /// It was pinned, or what it ran may have changed the server's settings.
    pub(crate) dirty: bool,
    /// A frame of the client's was sent in part.
    pub(crate) mid_frame: bool,
}

/// The server of a session that has ended.
pub(crate) fn leave(
    worker: &Rc<Worker>,
    pool: &Rc<Pool>,
    mut server: Box<Server>,
    leaving: Leaving,
) {
    server.cut_off = leaving.mid_frame;
    let unfinished = leaving.mid_frame || server.queue.is_open();
    if server.doomed.is_some() || unfinished {
        if !server.queue.is_empty() {
            cancel::send_to(worker, pool, Rc::clone(&server.cancel), None);
        }
        // A Sync in the client's place would commit what it has not committed.
        return pool.close(worker, server);
    }
    let skip = faults::is_planted(Fault::SkipReset);
    if server.is_free() && (skip || !leaving.dirty) {
        return pool.checkin(worker, server);
    }
    let (worker, pool) = (Rc::clone(worker), Rc::clone(pool));
    tokio::task::spawn_local(async move { clean(&worker, &pool, server, leaving.dirty).await });
}

/// Asks a server that has been idle for long for a sign of life: a firewall may have forgotten the connection, a machine may
/// be gone. `None`: it gave none within `timeout`, and was closed.
///
/// Cancel safe: dropping the future closes the server without the pool being told; the session it was for is over then.
pub(crate) async fn check(
    worker: &Rc<Worker>,
    pool: &Rc<Pool>,
    mut server: Box<Server>,
    timeout: Duration,
) -> Option<Box<Server>> {
    server.push_internal(NOBODY, "", &worker.shelf);
    match tokio::time::timeout(timeout, settle(worker, &mut server)).await {
        Ok(Ok(())) => Some(server),
        _ => {
            server.doomed = Some("it gave no sign of life");
            pool.close(worker, server);
            None
        }
    }
}

/// [`check`] with the pool's own timeout.
pub(crate) async fn check_alive(
    worker: &Rc<Worker>,
    pool: &Rc<Pool>,
    server: Box<Server>,
) -> Option<Box<Server>> {
    let timeout = pool.ledger.borrow().config().connect_timeout;
    check(worker, pool, server, timeout).await
}

/// Waits for the end of what runs, rolls back, discards.
async fn clean(worker: &Rc<Worker>, pool: &Rc<Pool>, mut server: Box<Server>, discard: bool) {
    if tokio::time::timeout(GRACE, settle(worker, &mut server)).await.is_err() {
        cancel::send_to(worker, pool, Rc::clone(&server.cancel), None);
    }
    let cleaning = async {
        settle(worker, &mut server).await?;
        if server.status != TransactionStatus::Idle {
            server.push_internal(NOBODY, "ROLLBACK", &worker.shelf);
            settle(worker, &mut server).await?;
            server.settings.on_rollback();
        }
        if discard {
            server.push_internal(NOBODY, "DISCARD ALL", &worker.shelf);
            server.prepared.forget_all();
            settle(worker, &mut server).await?;
            server.settings.assume(worker.no_settings());
            server.tainted = None;
        }
        Ok::<(), Unclean>(())
    };
    let cleaned = tokio::time::timeout(CLEANING, cleaning).await;
    match cleaned {
        Ok(Ok(())) if server.is_free() => pool.checkin(worker, server),
        _ => {
            server.doomed = Some("it could not be cleaned");
            pool.close(worker, server);
        }
    }
}

/// The server cannot be made clean.
#[derive(Debug)]
struct Unclean;

/// Reads and drops what the server owes.
///
/// Cancel safe: what was read and not looked at stays in the inbox.
async fn settle(worker: &Worker, server: &mut Server) -> Result<(), Unclean> {
    let mut dropped = 0;
    loop {
        while let Some(used) = step(server)? {
            dropped += used;
            if dropped > limits::DRAINED_REPLY {
                return Err(Unclean);
            }
        }
        if server.queue.is_settled() && server.outbox.is_empty() {
            return Ok(());
        }
        if server.queue.in_copy() || (server.queue.is_empty() && server.outbox.is_empty()) {
            // An open segment or COPY FROM STDIN whose end nobody will send.
            return Err(Unclean);
        }
        let shelf = &worker.shelf;
        std::future::poll_fn(|cx| {
            let flushed = server.outbox.poll_flush(&mut server.stream, shelf, cx);
            if let std::task::Poll::Ready(Err(_)) = flushed {
                return std::task::Poll::Ready(Err(Unclean));
            }
            match server.inbox.poll_fill(&mut server.stream, shelf, cx) {
                std::task::Poll::Ready(Ok(0) | Err(_)) => std::task::Poll::Ready(Err(Unclean)),
                std::task::Poll::Ready(Ok(_)) => std::task::Poll::Ready(Ok(())),
                std::task::Poll::Pending => std::task::Poll::Pending,
            }
        })
        .await?;
    }
}

/// Drops one frame, or what has arrived of it. `None`: nothing more has arrived.
fn step(server: &mut Server) -> Result<Option<usize>, Unclean> {
    while server.queue.take_answer().is_some() {}
    let unread = server.inbox.unread();
    if let Some(body) = server.body {
        let count = body.left.min(unread.len());
        let left = body.left - count;
        server.body = (left > 0).then_some(Body { left, ..body });
        server.inbox.consume(count);
        return Ok((count > 0).then_some(count));
    }
    let Some(header) = frame::header(unread).map_err(|_| Unclean)? else {
        return Ok(None);
    };
    let whole = header.frame_len();
    let streams = matches!(header.tag, tag::DATA_ROW | tag::COPY_DATA | tag::ERROR | tag::NOTICE);
    if unread.len() < whole && !streams {
        if whole > limits::INSPECTED_FRAME {
            return Err(Unclean);
        }
        server.inbox.reserve(whole);
        return Ok(None);
    }
    let arrived = whole.min(unread.len());
    let body = unread.get(frame::HEADER_LEN..arrived).unwrap_or_default();
    let (delivery, event) = server.queue.on_frame(header.tag).map_err(|_| Unclean)?;
    match event {
        Event::Ready { .. } => server.status = backend::ready_status(body).map_err(|_| Unclean)?,
        // ROLLBACK and DISCARD ALL do not fail on a sound server.
        Event::Failed { internal: true, .. } => return Err(Unclean),
        Event::Failed { from, until, .. } => server.prepared.on_failed(from, until),
        Event::StatementEnded { .. } | Event::Described { .. } | Event::None => {}
    }
    if header.tag == tag::PARAMETER_STATUS {
        let (name, value) = backend::parameter_status(body).map_err(|_| Unclean)?;
        let (name, value): (Box<[u8]>, Box<[u8]>) = (name.into(), value.into());
        server.on_parameter(&name, &value);
    }
    if whole > arrived {
        server.body = Some(Body { left: whole - arrived, delivery });
    }
    server.inbox.consume(arrived);
    Ok(Some(arrived))
}
