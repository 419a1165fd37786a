//! Boarding: a waiting request is written to the server of its flight. No waiting here.
//!
//! Invariant: every message put into the server's outbox is in its reply queue, in the same order.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use howdah_core::reply::{Disposition, Kind};
use howdah_core::session::align;
use howdah_wire::frame;
use howdah_wire::frontend;

use super::{Elsewhere, Flight, Passenger};
use crate::entry::{Answer, Deadline, Entry};
use crate::faults::{self, Fault};
use crate::pool::Pool;
use crate::prepared::Presence;
use crate::server::Server;
use crate::worker::Worker;

/// Puts a waiting request on the server, or sends it elsewhere.
pub(super) fn board(
    worker: &Worker,
    pool: &Pool,
    flight: &Rc<Flight>,
    server: &mut Server,
    (entry, now): (Rc<Entry>, Instant),
) {
    let Some(request) = entry.shared.borrow_mut().take() else { return };
    let owner = entry.id;
    let mut passenger = Passenger {
        owner,
        request,
        answer: Answer { bytes: worker.shelf.take_outbox(), rows: 0, error: None },
        elsewhere: None,
        spilled: false,
        entry: Some(entry),
        left: None,
    };
    let name = match prepare(worker, pool, server, &passenger) {
        Ok(name) => name,
        Err(elsewhere) => return passenger.leave(elsewhere),
    };
    write(worker, server, &passenger, name.as_deref());
    if let Some(entry) = &passenger.entry {
        *entry.flight.borrow_mut() = Some(Rc::clone(flight));
        entry.on_boarded(now);
        let ledger = pool.ledger.borrow();
        entry.tenure.begin(now, ledger.config());
        if let Some(timeout) = ledger.config().query_timeout {
            entry.set_deadline(Some((now + timeout, Deadline::Query(timeout))));
        }
    }
    flight.passengers.borrow_mut().push_back(passenger);
}

/// Makes the server fit for a request: settings and statement, in the same write. Returns the statement's name there.
fn prepare(
    worker: &Worker,
    pool: &Pool,
    server: &mut Server,
    passenger: &Passenger,
) -> Result<Option<String>, Elsewhere> {
    let (owner, request) = (passenger.owner, &passenger.request);
    if request.open_at.is_some_and(|moment| server.cancel.facts.opened > moment) {
        return Err(Elsewhere::TooNew);
    }
    if server.tainted.is_some() {
        server.wash(owner, worker);
    }
    if !Arc::ptr_eq(server.settings.context(), &request.context) {
        let skip = faults::is_planted(Fault::SkipAlign);
        let alignment = align(server.settings.context(), &request.context).filter(|_| !skip);
        if let Some(alignment) = alignment {
            if !alignment.certain {
                return Err(Elsewhere::Alone);
            }
            server.push_internal(owner, &alignment.sql, &worker.shelf);
        }
        // What cannot fail is taken for done; if it does fail, the server is closed and everybody flies again.
        server.settings.assume(Arc::clone(&request.context));
    }
    let Some(prepared) = &request.prepared else { return Ok(None) };
    match server.prepared.touch(prepared.id, &server.queue) {
        Presence::Here { name, shape } if request.told.is_none() || request.told == shape => {
            Ok(Some(name))
        }
        // Its rows have to be compared with those that the client was told.
        Presence::Here { .. } => Err(Elsewhere::Alone),
        Presence::Absent if request.told.is_some() => Err(Elsewhere::Alone),
        // Another passenger brings it along; whether that succeeds is not known yet.
        Presence::Undecided(_) => Err(Elsewhere::Again),
        Presence::Absent => {
            let max = pool.ledger.borrow().config().max_prepared;
            let disposition = Disposition::Swallow;
            let (name, _) = server.parse(owner, prepared, disposition, max, &worker.shelf);
            Ok(Some(name))
        }
    }
}

/// Writes the frames of a request and notes in the reply queue what they will be answered with.
fn write(worker: &Worker, server: &mut Server, passenger: &Passenger, name: Option<&str>) {
    let (owner, request) = (passenger.owner, &passenger.request);
    let mut rest = request.frames.as_slice();
    while let Ok(Some((found, after))) = frame::split(rest) {
        rest = after;
        let out = server.outbox.bytes(&worker.shelf);
        let kind = match found.tag {
            frontend::tag::QUERY => Kind::Query,
            frontend::tag::PARSE => Kind::Parse,
            frontend::tag::BIND => Kind::Bind,
            frontend::tag::DESCRIBE => Kind::DescribePortal,
            frontend::tag::EXECUTE => Kind::Execute,
            _ => Kind::Sync,
        };
        match name {
            Some(name) if kind == Kind::Bind => rename(out, found, name),
            _ => out.extend_from_slice(found.bytes),
        }
        if matches!(kind, Kind::Query | Kind::Parse) {
            server.unnamed = None;
        }
        server.queue.push(owner, kind, Disposition::Forward);
    }
}

fn rename(out: &mut Vec<u8>, bind: frame::Frame<'_>, name: &str) {
    let (Ok(Some(header)), Ok(Some(names))) =
        (frame::header(bind.bytes), frontend::bind_names(bind.body))
    else {
        // It was read before it was accepted as shareable.
        return;
    };
    let rest = bind.body.get(names.rest_at..).unwrap_or_default();
    // Cannot fail either: the client's name is gone and ours is a short one.
    let _ = frontend::bind_renamed(out, header, &names, name.as_bytes(), rest);
}
