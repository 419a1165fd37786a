//! Rows that a rule allows. A statement under such a rule is asked for one row more than that: if it comes, the client does not get
//! it, and the server is made to fail at the same place. A simple query is sent as the messages of the extended protocol that
//! amount to the same. No waiting here.
//!
//! Invariant: nothing is sent behind a statement whose rows are counted before it is answered, so that what has too many rows has
//! not been committed.

use howdah_core::reply::{Disposition, Event, Kind, Serial};
use howdah_sql::{Analysis, Class};
use howdah_wire::backend::tag;
use howdah_wire::frontend;

use crate::gather::protocol;
use crate::relay::Fate;
use crate::server::Server;
use crate::session::{End, Session};

/// Rows at most, and the place of the rule that says so.
pub(crate) type MaxRows = (u64, usize);

/// What rules allow, and what is being counted.
#[derive(Debug, Default)]
pub(crate) struct RowLimits {
    /// Portals under such a rule, and the rows that they may still give.
    portals: Vec<(Box<[u8]>, MaxRows, u64)>,
    counting: Option<Counting>,
}

/// A statement whose rows are counted.
#[derive(Debug)]
struct Counting {
    execute: Serial,
    /// Rows that may still come.
    left: u64,
    limit: MaxRows,
    /// A row more has come.
    over: bool,
    of: Source,
}

/// What the client has sent.
#[derive(Debug)]
enum Source {
    /// Execute of the portal at this place.
    Portal(usize),
    /// A simple query, sent as messages from `first` on. Its `CommandComplete` is kept until the transaction has ended, as
    /// PostgreSQL does.
    Query { first: Serial, complete: Option<Vec<u8>> },
}

impl RowLimits {
    /// The server is given back.
    pub(super) fn on_released(&mut self) {
        self.portals.clear();
        self.counting = None;
    }

    /// No transaction is open, and nothing is on its way: there are no portals.
    pub(crate) fn on_idle(&mut self) {
        self.portals.clear();
    }

    /// Whether the rows of a statement are being counted: nothing is sent behind it.
    #[inline]
    pub(crate) const fn is_counting(&self) -> bool {
        self.counting.is_some()
    }

    /// Whether there are portals under such a rule.
    #[inline]
    pub(crate) const fn limits_portals(&self) -> bool {
        !self.portals.is_empty()
    }

    /// A row comes; whether the client gets it.
    pub(crate) fn admits_row(&mut self, head: Serial) -> bool {
        let Some(counting) = self.counting.as_mut().filter(|counting| counting.execute == head)
        else {
            return true;
        };
        match counting.left.checked_sub(1) {
            Some(left) => counting.left = left,
            None => counting.over = true,
        }
        !counting.over
    }

    /// A portal is made.
    pub(crate) fn on_bind(&mut self, name: &[u8], limit: Option<MaxRows>) {
        if !self.portals.is_empty() {
            self.portals.retain(|(portal, ..)| **portal != *name);
        }
        if let Some(limit) = limit {
            self.portals.push((name.into(), limit, limit.0));
        }
    }
}

impl Session {
    /// Asks for the rows of a portal that a rule limits; `false`: of this one it does not.
    ///
    /// # Errors
    /// The client does not speak the protocol.
    pub(crate) fn execute_counted(
        &mut self,
        server: &mut Server,
        body: &[u8],
    ) -> Result<bool, End> {
        let (name, rows) = frontend::execute_portal(body).map_err(protocol)?;
        let limits = &mut self.ruling.rows;
        let found = limits.portals.iter().enumerate().find(|(_, (portal, ..))| **portal == *name);
        let Some((at, (_, limit, left))) = found else { return Ok(false) };
        let one_more = i32::try_from(left.saturating_add(1)).unwrap_or(i32::MAX);
        let asked = if rows > 0 { rows.min(one_more) } else { one_more };
        let (limit, left) = (*limit, *left);
        self.rerun.close();
        let out = server.outbox.bytes(&self.worker.shelf);
        frontend::execute(out, name, asked);
        frontend::flush(out);
        let execute = server.queue.push(self.entry.id, Kind::Execute, Disposition::Forward);
        let of = Source::Portal(at);
        self.ruling.rows.counting = Some(Counting { execute, left, limit, over: false, of });
        Ok(true)
    }

    /// Sends a simple query of one statement as messages of the extended protocol. Returns the serial of its Execute.
    pub(crate) fn query_counted(
        &mut self,
        server: &mut Server,
        sql: &[u8],
        limit: MaxRows,
    ) -> Serial {
        self.rerun.close();
        let left = limit.0;
        let out = server.outbox.bytes(&self.worker.shelf);
        frontend::parse_message(out, b"", sql, &[0, 0]);
        frontend::bind_message(out, b"", b"", &[]);
        frontend::describe(out, frontend::Kind::Portal, b"");
        frontend::execute(out, b"", i32::try_from(left.saturating_add(1)).unwrap_or(i32::MAX));
        frontend::flush(out);
        let session = self.entry.id;
        let first = server.queue.push(session, Kind::Parse, Disposition::Swallow);
        server.queue.push(session, Kind::Bind, Disposition::Swallow);
        server.queue.push(session, Kind::DescribePortal, Disposition::Forward);
        let execute = server.queue.push(session, Kind::Execute, Disposition::Forward);
        let of = Source::Query { first, complete: None };
        self.ruling.rows.counting = Some(Counting { execute, left, limit, over: false, of });
        execute
    }

    /// What becomes of a frame while rows are counted.
    ///
    /// # Errors
    /// Those of [`Session::on_uncounted`].
    pub(crate) fn on_counted(
        &mut self,
        server: &mut Server,
        frame_tag: u8,
        body: &[u8],
    ) -> Result<Fate, End> {
        let head = server.queue.head();
        let Some(mut counting) = self.ruling.rows.counting.take() else {
            return self.on_uncounted(server, frame_tag, body);
        };
        let ends =
            matches!(frame_tag, tag::COMMAND_COMPLETE | tag::EMPTY_QUERY | tag::PORTAL_SUSPENDED);
        if ends && head == counting.execute && counting.over {
            return self.on_too_many_rows(server, frame_tag, counting);
        }
        let fate = self.on_uncounted(server, frame_tag, body)?;
        let fate = match &mut counting.of {
            Source::Portal(at) => {
                if server.queue.head() > counting.execute {
                    if let Some((_, _, left)) = self.ruling.rows.portals.get_mut(*at) {
                        *left = counting.left;
                    }
                    return Ok(fate);
                }
                fate
            }
            Source::Query { first, complete } => match frame_tag {
                tag::NO_DATA if head >= *first => Fate::Drop,
                tag::COMMAND_COMPLETE | tag::EMPTY_QUERY if head == counting.execute => {
                    *complete = Some(whole(frame_tag, body));
                    self.end_query(server, true);
                    Fate::Drop
                }
                tag::ERROR if head >= *first => {
                    *complete = None;
                    if server.queue.is_skipping() {
                        self.end_query(server, false);
                    }
                    fate
                }
                tag::READY_FOR_QUERY if head > *first => {
                    return Ok(behind(complete.take(), frame_tag, body, fate));
                }
                // The transaction has ended: these come behind the CommandComplete.
                tag::PARAMETER_STATUS | tag::NOTIFICATION if head > counting.execute => {
                    behind(complete.take(), frame_tag, body, fate)
                }
                // What came before it failed, and it was skipped.
                tag::ERROR if server.queue.is_skipping() => return Ok(fate),
                _ => fate,
            },
        };
        self.ruling.rows.counting = Some(counting);
        Ok(fate)
    }

    /// One row more than allowed has come: the client is told, and the server is made to fail.
    fn on_too_many_rows(
        &mut self,
        server: &mut Server,
        frame_tag: u8,
        counting: Counting,
    ) -> Result<Fate, End> {
        let ended = server.queue.on_frame(frame_tag);
        debug_assert!(matches!(ended, Ok((_, Event::StatementEnded { .. }))));
        self.forget_effects(counting.execute);
        let refusal = self.worker.rules.too_many_rows(counting.limit);
        self.refuse_in_place(server, &refusal);
        match counting.of {
            Source::Portal(_) => frontend::flush(server.outbox.bytes(&self.worker.shelf)),
            Source::Query { .. } => {
                self.end_query(server, false);
                self.ruling.rows.counting = Some(Counting { over: false, ..counting });
            }
        }
        Ok(Fate::Drop)
    }

    /// The end of a simple query that was sent as other messages: as after one, there is neither statement nor portal.
    fn end_query(&self, server: &mut Server, tidy: bool) {
        let out = server.outbox.bytes(&self.worker.shelf);
        if tidy {
            frontend::close(out, frontend::Kind::Portal, b"");
            frontend::close(out, frontend::Kind::Statement, b"");
        }
        frontend::sync(out);
        if tidy {
            server.queue.push(self.entry.id, Kind::Close, Disposition::Swallow);
            server.queue.push(self.entry.id, Kind::Close, Disposition::Swallow);
        }
        server.queue.push(self.entry.id, Kind::Sync, Disposition::Forward);
    }
}

/// Whether a text may have rows that a rule can count: of `COPY`, `SHOW` and definitions none are.
pub(crate) fn may_give_rows(analysis: &Analysis) -> bool {
    let counts = |class| matches!(class, Class::Read | Class::Write | Class::Other);
    !analysis.parsed || analysis.statements.iter().any(|statement| counts(statement.class))
}

/// A frame behind what was kept back.
fn behind(kept: Option<Vec<u8>>, frame_tag: u8, body: &[u8], fate: Fate) -> Fate {
    let Some(mut bytes) = kept else { return fate };
    match fate {
        Fate::Forward => bytes.extend(whole(frame_tag, body)),
        Fate::Drop => {}
        Fate::Replace(instead) => bytes.extend(instead),
    }
    Fate::Replace(bytes)
}

/// A frame again.
fn whole(frame_tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len().saturating_add(4)).unwrap_or(u32::MAX);
    let mut bytes = vec![frame_tag];
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}
