//! A client of the process itself, through the in-process door, that asks and throws away what it is told.
//!
//! Invariant: one request at a time, and no more in memory than the piece of an answer that has just come.

use std::io;
use std::sync::Arc;

use howdah_core::cache::warm::{Asker, Question};
use howdah_core::limits;
use howdah_wire::backend::tag;
use howdah_wire::{frame, frontend, startup};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::{NAME, NOT_KEPT};
use crate::inquiry::{self, Unanswered};
use crate::listener;
use crate::shared::Shared;

/// Bytes that the door holds in each direction: more than any request that is looked up.
const DOOR: usize = 64 * 1024;

/// See the head of this file.
pub(super) struct Client {
    stream: DuplexStream,
    pub(super) asker: Arc<Asker>,
    read: Vec<u8>,
}

/// What it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// PostgreSQL has answered, or the cache.
    Answered,
    /// Not now.
    NotKept,
    /// PostgreSQL, or Howdah, refuses.
    Refused,
}

impl Client {
    /// Logs in.
    pub(super) async fn connect(shared: &Shared, asker: &Arc<Asker>) -> io::Result<Self> {
        let (ours, theirs) = tokio::io::duplex(DOOR);
        listener::hand_over(shared, ours).await;
        let mut parameters = vec![
            ("user", &*asker.user),
            ("database", &*asker.database),
            ("application_name", NAME),
        ];
        parameters.extend(asker.settings.iter().map(|(name, value)| (&**name, &**value)));
        let mut out = Vec::new();
        startup::startup(&mut out, 0, &parameters);
        let mut client = Self { stream: theirs, asker: Arc::clone(asker), read: Vec::new() };
        match client.exchange(&out).await? {
            Told::Answered => Ok(client),
            Told::NotKept | Told::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    pub(super) async fn ask(&mut self, question: &Question) -> io::Result<Told> {
        let mut out = Vec::new();
        question.write(&mut out);
        self.exchange(&out).await
    }

    pub(super) async fn close(mut self) {
        let mut out = Vec::new();
        frontend::terminate(&mut out);
        // If the other side has gone there is nothing to be told.
        let _ = self.stream.write_all(&out).await;
    }

    /// Sends, and reads up to the next ReadyForQuery.
    async fn exchange(&mut self, out: &[u8]) -> io::Result<Told> {
        self.stream.write_all(out).await?;
        let mut told = Told::Answered;
        loop {
            let Some(header) = frame::header(&self.read).map_err(|_| io::ErrorKind::InvalidData)?
            else {
                self.fill().await?;
                continue;
            };
            let length = header.frame_len();
            if header.tag == tag::ERROR && length <= limits::INSPECTED_FRAME {
                while self.read.len() < length {
                    self.fill().await?;
                }
                let body = self.read.get(frame::HEADER_LEN..length).unwrap_or_default();
                told = match inquiry::refused(body) {
                    Unanswered::Refused { message, .. } if message == NOT_KEPT => Told::NotKept,
                    Unanswered::Refused { .. } | Unanswered::Broken(_) | Unanswered::Odd => {
                        Told::Refused
                    }
                };
            }
            self.skip(length).await?;
            if header.tag == tag::READY_FOR_QUERY {
                return Ok(told);
            }
        }
    }

    async fn skip(&mut self, mut length: usize) -> io::Result<()> {
        loop {
            let here = length.min(self.read.len());
            self.read.drain(..here);
            length -= here;
            if length == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
