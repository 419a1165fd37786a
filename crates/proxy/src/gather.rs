//! Whether the client's bytes hold a request that is worth a server: a Query, everything up to a Sync or Flush, or so much
//! that it has to stream. What needs no server is answered here.
//!
//! Invariant: nothing is consumed that a server has to see.

use howdah_core::limits;
use howdah_wire::backend::{self, TransactionStatus};
use howdah_wire::frame::{self, Header};
use howdah_wire::frontend::{self, tag};

use crate::error::Refusal;
use crate::session::{ClientBody, End, Session};

/// What the inbox holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Gathered {
    /// The beginning of a request at most: read more.
    Incomplete,
    /// A request: check a server out.
    Request,
}

impl Session {
    /// Looks at the inbox while no server is held.
    ///
    /// # Errors
    /// The client says goodbye, or does not speak the protocol.
    pub(crate) fn gather(&mut self) -> Result<Gathered, End> {
        loop {
            self.discard_body();
            if self.body.is_some() {
                return Ok(Gathered::Incomplete);
            }
            let unread = self.inbox.unread();
            let Some(header) = client_header(unread)? else {
                self.flush_client()?;
                return Ok(Gathered::Incomplete);
            };
            if self.refuse_by_rule()? || header.tag == tag::PARSE && self.answer_known_parse()? {
                continue;
            }
            if !self.is_local(header.tag) {
                return self.scan();
            }
            self.answer_locally(header);
            if self.terminating {
                return Err(End::Terminated);
            }
        }
    }

    /// Whether a frame at the head of the inbox needs no server.
    const fn is_local(&self, frame_tag: u8) -> bool {
        match frame_tag {
            // Without a transaction, Sync has nothing to do and Flush nothing to flush; COPY data that comes late, after
            // its COPY has failed, is ignored, as PostgreSQL does.
            tag::SYNC
            | tag::FLUSH
            | tag::COPY_DATA
            | tag::COPY_DONE
            | tag::COPY_FAIL
            | tag::TERMINATE => true,
            _ => self.dropping,
        }
    }

    fn answer_locally(&mut self, header: Header) {
        match header.tag {
            tag::TERMINATE => self.terminating = true,
            tag::SYNC => {
                self.dropping = false;
                backend::ready_for_query(
                    self.outbox.bytes(&self.worker.shelf),
                    TransactionStatus::Idle,
                );
            }
            _ => {}
        }
        self.discard(header);
    }

    /// Drops the frame at the head of the inbox, also what has not arrived of it.
    fn discard(&mut self, header: Header) {
        let arrived = header.frame_len().min(self.inbox.unread().len());
        let left = header.frame_len() - arrived;
        self.inbox.consume(arrived);
        self.body = (left > 0).then_some(ClientBody { left, discard: true });
    }

    fn discard_body(&mut self) {
        if let Some(body) = &mut self.body {
            let count = body.left.min(self.inbox.unread().len());
            body.left -= count;
            let done = body.left == 0;
            self.inbox.consume(count);
            if done {
                self.body = None;
            }
        }
    }

    /// Looks for the end of the request at the head of the inbox.
    fn scan(&mut self) -> Result<Gathered, End> {
        let unread = self.inbox.unread();
        let mut at = 0;
        loop {
            let rest = unread.get(at..).unwrap_or_default();
            let Some(header) = client_header(rest)? else {
                break;
            };
            let whole = header.frame_len();
            let complete = rest.len() >= whole;
            match header.tag {
                tag::QUERY | tag::FUNCTION_CALL | tag::SYNC | tag::FLUSH if complete => {
                    return Ok(Gathered::Request);
                }
                tag::QUERY | tag::PARSE if !complete && whole <= limits::ANALYSED_STATEMENT => {
                    self.inbox.reserve(at + whole);
                    return Ok(Gathered::Incomplete);
                }
                tag::QUERY | tag::PARSE | tag::FUNCTION_CALL if !complete => {
                    return Ok(Gathered::Request);
                }
                tag::PARSE
                | tag::BIND
                | tag::DESCRIBE
                | tag::EXECUTE
                | tag::CLOSE
                | tag::QUERY
                | tag::SYNC
                | tag::FLUSH
                | tag::FUNCTION_CALL
                | tag::COPY_DATA
                | tag::COPY_DONE
                | tag::COPY_FAIL => {}
                // Without a Sync nothing of it would be committed or answered.
                tag::TERMINATE => return Err(End::Terminated),
                other => return Err(unknown_message(other)),
            }
            if header.tag == tag::BIND && !complete && !has_names(rest)? {
                // Nothing of it can be sent before its names are there.
                self.inbox.reserve(at + whole.min(LONGEST_NAMES));
                return Ok(Gathered::Incomplete);
            }
            if !complete || at + whole >= limits::GATHERED_REQUEST {
                let long = at + whole >= limits::GATHERED_REQUEST || self.inbox.is_full();
                return Ok(if long { Gathered::Request } else { Gathered::Incomplete });
            }
            at += whole;
        }
        Ok(if self.inbox.is_full() { Gathered::Request } else { Gathered::Incomplete })
    }

    /// Answers the request at the head of the inbox with an error. The session goes on.
    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        self.on_error(refusal.code);
        self.started = None;
        self.caching.filling = None;
        let first = frame::header(self.inbox.unread()).ok().flatten();
        match first {
            Some(header) if matches!(header.tag, tag::QUERY | tag::FUNCTION_CALL) => {
                self.discard(header);
                refusal.write_answer(self.outbox.bytes(&self.worker.shelf));
            }
            _ => {
                // Extended protocol: the rest of the segment is dropped, its Sync is answered by ReadyForQuery.
                self.dropping = true;
                refusal.write_error(self.outbox.bytes(&self.worker.shelf));
            }
        }
    }

    /// Writes what waits for the client, as far as it takes it now.
    pub(crate) fn flush_client(&mut self) -> Result<(), End> {
        self.outbox.flush_now(&mut self.stream, &self.worker.shelf).map_err(|_| End::ClientGone)
    }
}

/// Bytes of a Bind in which its names must end.
const LONGEST_NAMES: usize = 2 * limits::NAME + frame::HEADER_LEN;

/// Whether what has arrived of a Bind holds its names, or they are too long.
fn has_names(bind: &[u8]) -> Result<bool, End> {
    let body = bind.get(frame::HEADER_LEN..).unwrap_or_default();
    let names = frontend::bind_names(body).map_err(protocol)?;
    Ok(names.is_some() || bind.len() >= LONGEST_NAMES)
}

/// The header at the head of a client's bytes.
///
/// # Errors
/// A type or length that PostgreSQL refuses, or a body where none may be.
pub(crate) fn client_header(bytes: &[u8]) -> Result<Option<Header>, End> {
    let header = frontend::header(bytes).map_err(protocol)?;
    if let Some(found) = header
        && matches!(found.tag, tag::SYNC | tag::FLUSH | tag::TERMINATE | tag::COPY_DONE)
        && found.body_len() > 0
    {
        return Err(End::Fatal(Refusal::protocol("invalid message format")));
    }
    Ok(header)
}

/// The client does not speak the protocol.
pub(crate) fn protocol(error: howdah_wire::Error) -> End {
    End::Fatal(Refusal::protocol(error))
}

/// The client sent a message that does not exist, or not at this point.
pub(crate) fn unknown_message(frame_tag: u8) -> End {
    End::Fatal(Refusal::protocol(format_args!("invalid frontend message type {frame_tag}")))
}
