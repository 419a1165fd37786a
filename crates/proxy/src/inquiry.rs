//! A connection on which Howdah itself asks PostgreSQL something: sending, receiving, saying goodbye. Not the questions, nor what
//! the answers mean.
//!
//! Invariant: a connection that is dropped has said goodbye, as far as that could be written at once.

use howdah_core::limits;
use howdah_wire::backend::{self, Message, tag};
use howdah_wire::frame::Frame;
use howdah_wire::sqlstate::SqlState;
use howdah_wire::{frame, frontend};

use crate::buffer::{Inbox, Shelf};
use crate::stream::Stream;

/// Why there is nothing more to be had from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It has ended.
    Lost,
    /// What came is no frame.
    Garbled,
    /// A frame is longer than [`limits::INSPECTED_FRAME`].
    Long,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Nothing more is to be had from the connection.
    #[error("the connection was lost")]
    Broken(Broken),
    /// PostgreSQL refuses it.
    #[error("{message} (SQLSTATE {code})")]
    Refused {
        /// SQLSTATE.
        code: SqlState,
        /// Message.
        message: String,
    },
    /// The answer is not what it has to be.
    #[error("the connection was lost")]
    Odd,
}

impl From<Broken> for Unanswered {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Values of a row, as text.
pub(crate) type Row = Vec<Option<String>>;

/// The answer to a question, as far as it has come.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    rows: Vec<Row>,
    refused: Option<Unanswered>,
}

impl Answer {
    /// The next frame of it. `Some`: it was the last one, and these are the rows.
    ///
    /// # Errors
    /// It was the last one and PostgreSQL has refused, or it cannot be read.
    pub(crate) fn on_frame(&mut self, found: Frame<'_>) -> Result<Option<Vec<Row>>, Unanswered> {
        match found.tag {
            tag::DATA_ROW => self.rows.push(values(found).ok_or(Unanswered::Odd)?),
            tag::ERROR => self.refused = Some(refused(found.body)),
            tag::READY_FOR_QUERY => {
                let rows = std::mem::take(&mut self.rows);
                return self.refused.take().map_or(Ok(Some(rows)), Err);
            }
            _ => {}
        }
        Ok(None)
    }
}

/// What an `ErrorResponse` says.
pub(crate) fn refused(body: &[u8]) -> Unanswered {
    match backend::error_fields(body) {
        Ok(fields) => Unanswered::Refused {
            code: fields.code,
            message: String::from_utf8_lossy(fields.message).into_owned(),
        },
        Err(_) => Unanswered::Odd,
    }
}

fn values(row: Frame<'_>) -> Option<Row> {
    let Ok(Message::DataRow(values)) = backend::decode(row) else {
        return None;
    };
    let text = |value: Option<&[u8]>| match value {
        Some(value) => std::str::from_utf8(value).ok().map(|text| Some(text.to_owned())),
        None => Some(None),
    };
    values.iter().map(text).collect()
}

/// A connection that asks.
#[derive(Debug)]
pub(crate) struct Inquiry {
    stream: Stream,
    pub(crate) inbox: Inbox,
    answer: Answer,
}

impl Inquiry {
    /// On a connection that is logged in.
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, inbox: Inbox::default(), answer: Answer::default() }
    }

    /// Sends all of it. When the future is dropped, so must the connection be.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(bytes).await.map_err(|_| Broken::Lost)
    }

    /// Reads more into the inbox. Cancel safe.
    pub(crate) async fn fill(&mut self, shelf: &Shelf) -> Result<(), Broken> {
        if self.inbox.is_full() {
            let header = frame::header(self.inbox.unread()).map_err(|_| Broken::Garbled)?;
            let whole = header.map_or(usize::MAX, |header| header.frame_len());
            if whole > limits::INSPECTED_FRAME {
                return Err(Broken::Long);
            }
            self.inbox.reserve(whole);
        }
        let (inbox, stream) = (&mut self.inbox, &mut self.stream);
        let read = std::future::poll_fn(|cx| inbox.poll_fill(stream, shelf, cx)).await;
        if read.unwrap_or(0) == 0 { Err(Broken::Lost) } else { Ok(()) }
    }

    /// The next frame. Cancel safe.
    pub(crate) async fn frame(&mut self, shelf: &Shelf) -> Result<Vec<u8>, Broken> {
        loop {
            let parsed = frame::split(self.inbox.unread()).map_err(|_| Broken::Garbled)?;
            if let Some((found, _)) = parsed {
                let bytes = found.bytes.to_vec();
                self.inbox.consume(bytes.len());
                return Ok(bytes);
            }
            self.fill(shelf).await?;
        }
    }

    /// The answer to the question that was sent first of those that are not answered. Cancel safe.
    pub(crate) async fn answer(&mut self, shelf: &Shelf) -> Result<Vec<Row>, Unanswered> {
        loop {
            let bytes = self.frame(shelf).await?;
            let Ok(Some((found, _))) = frame::split(&bytes) else { return Err(Unanswered::Odd) };
            if let Some(rows) = self.answer.on_frame(found)? {
                return Ok(rows);
            }
        }
    }

    /// Runs one statement. When the future is dropped, so must the connection be.
    pub(crate) async fn ask(&mut self, shelf: &Shelf, sql: &str) -> Result<Vec<Row>, Unanswered> {
        let mut out = Vec::with_capacity(sql.len() + 8);
        frontend::query(&mut out, sql.as_bytes());
        self.send(&out).await?;
        self.answer(shelf).await
    }
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        let _ = self.stream.say_goodbye();
    }
}
