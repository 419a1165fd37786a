//! The reply queue of a server: what it still owes, to whom, in order. The one place where a server's frames find their
//! client. It sees tags, never bodies, and does no I/O.
//!
//! Invariant: every frame that is delivered answers the oldest unanswered message (or is one of the three asynchronous
//! kinds); a frame that fits nothing is a [`Violation`] and the server must be closed. After an error in the extended
//! protocol the server skips everything up to the next Sync, and so does the queue.
//!
//! Source for the rules: PostgreSQL manual, chapter "Frontend/Backend Protocol", and `src/backend/tcop/postgres.c`
//! (`ignore_till_sync`), `src/backend/commands/copyfromparse.c` (Flush and Sync are ignored during COPY FROM STDIN).

use std::collections::VecDeque;

use howdah_wire::backend::{TransactionStatus, tag};

/// What was sent to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Simple query: any replies up to ReadyForQuery.
    Query,
    /// Function call: one result, then ReadyForQuery.
    FunctionCall,
    /// Parse.
    Parse,
    /// Bind.
    Bind,
    /// Describe of a statement.
    DescribeStatement,
    /// Describe of a portal.
    DescribePortal,
    /// Execute.
    Execute,
    /// Close of a statement or portal.
    Close,
    /// Sync: ReadyForQuery, and the end of skipping after an error.
    Sync,
    /// `CopyDone` or `CopyFail`: no reply of its own.
    CopyEnd,
    /// A Sync that the server ignores, because COPY FROM STDIN runs: no reply.
    Ignored,
}

impl Kind {
    const fn is_extended(self) -> bool {
        match self {
            Self::Parse
            | Self::Bind
            | Self::DescribeStatement
            | Self::DescribePortal
            | Self::Execute
            | Self::Close => true,
            Self::Query | Self::FunctionCall | Self::Sync | Self::CopyEnd | Self::Ignored => false,
        }
    }

    const fn has_no_reply(self) -> bool {
        matches!(self, Self::CopyEnd | Self::Ignored)
    }
}

/// What becomes of the replies to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The owner gets them.
    Forward,
    /// Howdah sent the message for itself: nobody gets them, except an error, which the owner gets.
    Swallow,
    /// Howdah sent the message for itself and wants the error, too, kept from the owner.
    Internal,
    /// The message was not sent; the owner gets this answer when its turn comes.
    Answer(Answer),
}

/// A reply that Howdah gives in the server's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// `ParseComplete`: the server has the statement already.
    ParseComplete,
    /// `CloseComplete`: the statement stays on the server for others.
    CloseComplete,
}

/// Number of a message on its server; grows by one with each.
pub type Serial = u64;

#[derive(Debug, Clone, Copy)]
struct Expected<O> {
    owner: O,
    kind: Kind,
    disposition: Disposition,
}

/// Who gets a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery<O> {
    /// This owner.
    To(O),
    /// Nobody.
    Nobody,
    /// Whoever uses the server now: a notice, a notification or a parameter status.
    Bystander,
}

/// What a frame means beyond its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Nothing to act on.
    None,
    /// A statement of the message `serial` ended (`CommandComplete`, `EmptyQueryResponse`, `PortalSuspended`).
    StatementEnded {
        /// The Query or Execute.
        serial: Serial,
    },
    /// The rows of a statement were described, by the Describe `serial`.
    Described {
        /// The Describe.
        serial: Serial,
    },
    /// The message `from` failed; messages up to, not including, `until` are skipped by the server.
    Failed {
        /// The message that failed.
        from: Serial,
        /// First message that the server looks at again (its Sync or, for a Query, the message after it).
        until: Serial,
        /// Whether Howdah itself sent what failed, with [`Disposition::Internal`].
        internal: bool,
    },
    /// ReadyForQuery; messages before `until` are settled.
    Ready {
        /// The first message that is not settled.
        until: Serial,
    },
}

/// A frame that answers nothing that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// Its tag.
    pub tag: u8,
    /// What the server was expected to answer; `None`: nothing.
    pub expected: Option<Kind>,
}

/// What a server still owes.
#[derive(Debug)]
pub struct ReplyQueue<O> {
    expected: VecDeque<Expected<O>>,
    /// Serial of the head.
    head: Serial,
    /// Whether the head failed and its ReadyForQuery is still to come (Query, `FunctionCall`).
    failed: bool,
    /// COPY FROM STDIN runs: Sync and Flush get no answer until it ends.
    copy_in: bool,
    /// Extended messages were sent after the last Sync.
    open_segment: bool,
    /// Serial of the first message after the last one that ends a request.
    segment: Serial,
    /// A message of a segment failed whose Sync was not sent yet: the server ignores everything before it.
    skipping: bool,
}

impl<O> Default for ReplyQueue<O> {
    fn default() -> Self {
        Self {
            expected: VecDeque::new(),
            head: 0,
            failed: false,
            copy_in: false,
            open_segment: false,
            segment: 0,
            skipping: false,
        }
    }
}

impl<O: Copy> ReplyQueue<O> {
    /// An idle server's queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is owed and no extended segment is open: with transaction status idle, the server is free.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.expected.is_empty() && !self.open_segment && !self.copy_in
    }

    /// Whether the client has to send more (a Sync, the end of COPY) before the server gives all its replies.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open_segment || self.copy_in
    }

    /// Whether no reply is owed; an extended segment may still be open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expected.is_empty()
    }

    /// Messages whose replies are owed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.expected.len()
    }

    /// Whether COPY FROM STDIN runs.
    #[must_use]
    pub const fn in_copy(&self) -> bool {
        self.copy_in
    }

    /// Serial that the next message gets.
    #[must_use]
    pub fn next_serial(&self) -> Serial {
        self.head + self.expected.len() as Serial
    }

    /// Serial of the oldest message whose reply is owed: messages before it are settled.
    #[must_use]
    pub const fn head(&self) -> Serial {
        self.head
    }

    /// Whether the message `serial` was sent in an earlier segment and its outcome is not known: what depends on it must
    /// wait, because an error would have made the server skip it. (In the same segment an error skips both.)
    #[must_use]
    pub const fn is_undecided(&self, serial: Serial) -> bool {
        serial >= self.head && serial < self.segment
    }

    /// Whether the message `serial` belongs to the segment that is being sent: its replies come only after a Sync or Flush.
    #[must_use]
    pub const fn is_in_open_segment(&self, serial: Serial) -> bool {
        serial >= self.segment
    }

    /// Whether the server ignores what it is sent until a Sync: do not send, and do not [`Self::push`], anything else.
    #[must_use]
    pub const fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// A message was sent (or, for an [`Answer`], was not). Returns its serial.
    pub fn push(&mut self, owner: O, kind: Kind, disposition: Disposition) -> Serial {
        let serial = self.next_serial();
        let mut kind = kind;
        match kind {
            Kind::Sync if self.copy_in => kind = Kind::Ignored,
            Kind::Sync => {
                self.open_segment = false;
                self.skipping = false;
            }
            Kind::Query | Kind::FunctionCall => self.open_segment = false,
            Kind::CopyEnd => self.copy_in = false,
            Kind::Parse
            | Kind::Bind
            | Kind::DescribeStatement
            | Kind::DescribePortal
            | Kind::Execute
            | Kind::Close => self.open_segment = true,
            Kind::Ignored => {}
        }
        if matches!(kind, Kind::Sync | Kind::Query | Kind::FunctionCall) {
            self.segment = serial + 1;
        }
        self.expected.push_back(Expected { owner, kind, disposition });
        serial
    }

    /// Whether the server answers Howdah itself now ([`Disposition::Internal`]).
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.expected.front().is_some_and(|head| head.disposition == Disposition::Internal)
    }

    /// Whether [`Self::take_answer`] has something to do.
    #[must_use]
    pub fn has_answer(&self) -> bool {
        self.expected.front().is_some_and(|head| {
            head.kind.has_no_reply() || matches!(head.disposition, Disposition::Answer(_))
        })
    }

    /// The answer that is due now in the server's place, with its owner. Call until `None` after every [`Self::push`] and
    /// [`Self::on_frame`].
    pub fn take_answer(&mut self) -> Option<(O, Answer)> {
        loop {
            let head = *self.expected.front()?;
            match head.disposition {
                Disposition::Answer(answer) => {
                    self.pop();
                    return Some((head.owner, answer));
                }
                _ if head.kind.has_no_reply() => self.pop(),
                Disposition::Forward | Disposition::Swallow | Disposition::Internal => return None,
            }
        }
    }

    /// A frame came. `status` is the transaction status if it is a ReadyForQuery.
    ///
    /// # Errors
    /// [`Violation`]: the server is out of step; close it.
    pub fn on_frame(&mut self, frame_tag: u8) -> Result<(Delivery<O>, Event), Violation> {
        match frame_tag {
            // By far the most frequent.
            tag::DATA_ROW | tag::COPY_DATA => return self.data(frame_tag),
            tag::NOTICE | tag::NOTIFICATION | tag::PARAMETER_STATUS => {
                return Ok((Delivery::Bystander, Event::None));
            }
            _ => {}
        }
        let Some(head) = self.expected.front().copied() else {
            return Err(Violation { tag: frame_tag, expected: None });
        };
        let to = Self::delivery(&head);
        match (frame_tag, head.kind) {
            (tag::ERROR, _) => Ok(self.fail(&head)),
            (tag::READY_FOR_QUERY, Kind::Query | Kind::FunctionCall | Kind::Sync) => {
                self.copy_in = false;
                self.failed = false;
                self.pop();
                Ok((to, Event::Ready { until: self.head }))
            }
            _ if self.failed => Err(Violation { tag: frame_tag, expected: Some(head.kind) }),
            (tag::COMMAND_COMPLETE | tag::EMPTY_QUERY, Kind::Query) => {
                self.copy_in = false;
                Ok((to, Event::StatementEnded { serial: self.head }))
            }
            (tag::COMMAND_COMPLETE | tag::EMPTY_QUERY | tag::PORTAL_SUSPENDED, Kind::Execute) => {
                let serial = self.head;
                self.copy_in = false;
                self.pop();
                Ok((to, Event::StatementEnded { serial }))
            }
            (tag::COPY_IN | tag::COPY_BOTH, Kind::Query | Kind::Execute) => {
                self.begin_copy_in();
                Ok((to, Event::None))
            }
            (tag::ROW_DESCRIPTION | tag::COPY_OUT | tag::COPY_DONE, Kind::Query)
            | (tag::COPY_OUT | tag::COPY_DONE, Kind::Execute)
            | (tag::PARAMETER_DESCRIPTION, Kind::DescribeStatement)
            | (tag::FUNCTION_RESULT, Kind::FunctionCall) => Ok((to, Event::None)),
            (tag::ROW_DESCRIPTION | tag::NO_DATA, Kind::DescribeStatement) => {
                let serial = self.head;
                self.pop();
                Ok((to, Event::Described { serial }))
            }
            (tag::PARSE_COMPLETE, Kind::Parse)
            | (tag::BIND_COMPLETE, Kind::Bind)
            | (tag::CLOSE_COMPLETE, Kind::Close)
            | (tag::ROW_DESCRIPTION | tag::NO_DATA, Kind::DescribePortal) => {
                self.pop();
                Ok((to, Event::None))
            }
            _ => Err(Violation { tag: frame_tag, expected: Some(head.kind) }),
        }
    }

    fn data(&self, frame_tag: u8) -> Result<(Delivery<O>, Event), Violation> {
        match self.expected.front() {
            Some(head) if matches!(head.kind, Kind::Query | Kind::Execute) && !self.failed => {
                Ok((Self::delivery(head), Event::None))
            }
            head => Err(Violation { tag: frame_tag, expected: head.map(|head| head.kind) }),
        }
    }

    const fn delivery(expected: &Expected<O>) -> Delivery<O> {
        match expected.disposition {
            Disposition::Forward => Delivery::To(expected.owner),
            Disposition::Swallow | Disposition::Internal | Disposition::Answer(_) => {
                Delivery::Nobody
            }
        }
    }

    /// An error: for a Query or `FunctionCall` its ReadyForQuery follows; otherwise all up to the next Sync is skipped.
    fn fail(&mut self, head: &Expected<O>) -> (Delivery<O>, Event) {
        let from = self.head;
        self.copy_in = false;
        let internal = head.disposition == Disposition::Internal;
        let until = if matches!(head.kind, Kind::Query | Kind::FunctionCall | Kind::Sync) {
            self.failed = head.kind != Kind::Sync;
            from + 1
        } else {
            while self.expected.front().is_some_and(|next| next.kind != Kind::Sync) {
                self.pop();
            }
            self.skipping = self.expected.is_empty();
            self.open_segment |= self.skipping;
            self.head
        };
        let to = if internal { Delivery::Nobody } else { Delivery::To(head.owner) };
        (to, Event::Failed { from, until, internal })
    }

    /// COPY FROM STDIN began: a Sync sent before its end is ignored by the server.
    fn begin_copy_in(&mut self) {
        self.copy_in = true;
        for next in &mut self.expected {
            match next.kind {
                Kind::CopyEnd => {
                    self.copy_in = false;
                    break;
                }
                Kind::Sync => next.kind = Kind::Ignored,
                Kind::Query
                | Kind::FunctionCall
                | Kind::Parse
                | Kind::Bind
                | Kind::DescribeStatement
                | Kind::DescribePortal
                | Kind::Execute
                | Kind::Close
                | Kind::Ignored => {}
            }
        }
        let last = self.expected.iter().rev().find(|next| !next.kind.has_no_reply());
        self.open_segment = last.is_some_and(|last| last.kind.is_extended());
    }

    fn pop(&mut self) {
        if self.expected.pop_front().is_some() {
            self.head += 1;
        }
    }
}

/// Whether a server may change hands: nothing owed, no open segment, no transaction.
#[must_use]
pub fn is_free<O: Copy>(queue: &ReplyQueue<O>, status: TransactionStatus) -> bool {
    queue.is_settled() && status == TransactionStatus::Idle
}

#[cfg(test)]
mod tests;
