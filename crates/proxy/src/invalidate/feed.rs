//! The connection on which PostgreSQL tells of changes: login, temporary slot, pieces of the log, and our position. Not what a
//! piece means.
//!
//! A slot that is temporary ends with its connection: whatever happens to Howdah, no log is kept for it.
//!
//! Invariant: a piece is given once, in order, and as a whole, or as one that was too long.

use howdah_core::cache::Lsn;
use howdah_core::cache::freshness::stream::History;
use howdah_wire::backend::tag;
use howdah_wire::replication::command;
use howdah_wire::replication::stream::{self, Told};
use howdah_wire::{frame, frontend};
use tokio::io::ReadBuf;

use super::trouble::Trouble;
use crate::buffer::Shelf;
use crate::connect::{self, Login};
use crate::inquiry::{self, Answer, Broken, Row};
use crate::stream::Stream;

/// Values come as this text, whatever the role or the database prefer: tags are made of it.
const SETTINGS: &[(&str, &str)] = &[
    ("replication", "database"),
    ("application_name", "howdah (cache)"),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("statement_timeout", "0"),
];
/// Bytes that are read at once.
const READ: usize = 64 * 1024;
/// Larger frames are not looked at: the row in them counts as a change of everything.
const LARGEST: usize = 8 << 20;
/// Memory that is kept between pieces.
const KEPT: usize = 1 << 20;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Feed {
    stream: Stream,
    scratch: Box<[u8]>,
    buffer: Vec<u8>,
    /// What was taken from its beginning.
    taken: usize,
    /// Bytes of a frame that is too long, to come.
    skipping: usize,
}

/// What has come.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// Something that PostgreSQL tells.
    Told(Told<'a>),
    /// A frame that was too long.
    TooLong,
}

/// Where a stream begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning {
    pub(super) history: History,
    pub(super) position: Lsn,
}

impl Feed {
    /// Logs in.
    pub(super) async fn open(login: &Login<'_>, shelf: &Shelf) -> Result<Self, Trouble> {
        let login = Login { settings: SETTINGS, ..*login };
        let opened = connect::open(&login, shelf).await?;
        Ok(Self {
            stream: opened.stream,
            scratch: vec![0; READ].into(),
            buffer: Vec::new(),
            taken: 0,
            skipping: 0,
        })
    }

    /// Makes a slot that ends with the connection. Waits for all transactions that are running.
    pub(super) async fn create_slot(&mut self, name: &str) -> Result<Beginning, Trouble> {
        let text = |rows: &[Row], at: usize| rows.first()?.get(at)?.clone();
        let identity = self.command(command::IDENTIFY_SYSTEM).await?;
        let system = text(&identity, 0).and_then(|it| it.parse().ok()).ok_or(Trouble::Odd)?;
        let timeline = text(&identity, 1).and_then(|it| it.parse().ok()).ok_or(Trouble::Odd)?;
        let slot = self.command(&command::create_temporary_slot(name)).await?;
        let position = text(&slot, 1).and_then(|it| it.parse().ok()).ok_or(Trouble::Odd)?;
        Ok(Beginning { history: History { system, timeline }, position })
    }

    /// Begins to be told.
    pub(super) async fn start(&mut self, slot: &str, publication: &str) -> Result<(), Trouble> {
        let publications = &[publication];
        let start =
            command::Start { slot, protocol: 2, publications, messages: true, streaming: true };
        self.command(&command::start(&start)).await.map(drop)
    }

    /// Runs a command up to its end, or to the beginning of the stream.
    async fn command(&mut self, text: &str) -> Result<Vec<Row>, Trouble> {
        let mut out = Vec::with_capacity(text.len() + 8);
        frontend::query(&mut out, text.as_bytes());
        self.send(&out).await?;
        let mut answer = Answer::default();
        loop {
            while let Some((found, _)) = frame::split(self.unread()).map_err(|_| Broken::Garbled)? {
                let length = found.bytes.len();
                let begun = found.tag == tag::COPY_BOTH;
                let rows = answer.on_frame(found)?;
                self.taken += length;
                match rows {
                    Some(rows) => return Ok(rows),
                    None if begun => return Ok(Vec::new()),
                    None => {}
                }
            }
            self.fill().await?;
        }
    }

    /// Tells our position: nothing before is wanted again.
    pub(super) async fn confirm(&mut self, position: Lsn) -> Result<(), Broken> {
        let mut out = Vec::with_capacity(48);
        // The moment is for people, who have better ones.
        stream::standby_status(&mut out, position.0, 0);
        self.send(&out).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(bytes).await.map_err(|_| Broken::Lost)
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    /// Reads more. Cancel safe.
    pub(super) async fn fill(&mut self) -> Result<(), Broken> {
        if self.taken >= self.buffer.len() {
            self.buffer.clear();
            self.buffer.shrink_to(KEPT);
        } else {
            self.buffer.drain(..self.taken);
        }
        self.taken = 0;
        let (stream, scratch) = (&mut self.stream, &mut self.scratch);
        let mut room = ReadBuf::new(scratch);
        let read = std::future::poll_fn(|cx| stream.poll_read(cx, &mut room)).await;
        read.map_err(|_| Broken::Lost)?;
        let mut came = room.filled();
        if came.is_empty() {
            return Err(Broken::Lost);
        }
        let skipped = self.skipping.min(came.len());
        self.skipping -= skipped;
        came = came.get(skipped..).unwrap_or_default();
        self.buffer.extend_from_slice(came);
        Ok(())
    }

    /// The next piece that is there. `None`: there is none yet.
    pub(super) fn piece(&mut self) -> Result<Option<Piece<'_>>, Trouble> {
        loop {
            let Some(header) = frame::header(self.unread()).map_err(|_| Broken::Garbled)? else {
                return Ok(None);
            };
            let (length, there) = (header.frame_len(), self.unread().len());
            if length > LARGEST {
                self.skipping = length.saturating_sub(there);
                self.taken += length.min(there);
                return Ok(Some(Piece::TooLong));
            }
            if length > there {
                return Ok(None);
            }
            let at = self.taken;
            self.taken += length;
            match header.tag {
                tag::COPY_DATA => {
                    let body = self.buffer.get(at + frame::HEADER_LEN..at + length);
                    let told = stream::told(body.unwrap_or_default());
                    return Ok(Some(Piece::Told(told.map_err(unreadable)?)));
                }
                tag::ERROR => {
                    let body = self.buffer.get(at + frame::HEADER_LEN..at + length);
                    return Err(inquiry::refused(body.unwrap_or_default()).into());
                }
                tag::COPY_DONE => return Err(Trouble::Lost),
                _ => {}
            }
        }
    }
}

fn unreadable(error: howdah_wire::Error) -> Trouble {
    Trouble::Broken(error.into())
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.stream.say_goodbye();
    }
}
