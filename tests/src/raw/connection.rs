//! One connection: login, frames out, replies in.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use howdah_wire::{frame, startup};

use super::stream::Stream;
use super::{ErrorReply, Frames, Reply, Target, Transcript};

/// Why there is no reply.
#[derive(Debug)]
pub enum Failure {
    /// The server refused, with its reason.
    Server(Box<ErrorReply>),
    /// The connection was closed.
    Closed,
    /// Nothing came in time.
    TimedOut,
    /// Anything else.
    Other(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server(error) => {
                write!(f, "{} {}: {}", error.severity, error.code, error.message)
            }
            Self::Closed => f.write_str("the connection was closed"),
            Self::TimedOut => f.write_str("nothing came in time"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::NotConnected => Self::Closed,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// A connection, logged in or not.
#[derive(Debug)]
pub struct Connection {
    pub(super) stream: Stream,
    input: Vec<u8>,
    pub(super) target: Target,
    /// Process id of the login's `BackendKeyData`.
    pub process_id: u32,
    /// Secret of the login's `BackendKeyData`.
    pub secret: Vec<u8>,
    /// Latest value of every `ParameterStatus`.
    pub parameters: BTreeMap<String, String>,
    /// Every reply of the login.
    pub welcome: Transcript,
    /// How long a read may take.
    pub timeout: Duration,
}

impl Connection {
    /// Connects without a word.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(target: &Target) -> Result<Self, Failure> {
        let stream = Stream::open(&target.address, target.timeout)?;
        let stream = match &target.tls {
            Some(tls) => stream.encrypt(tls)?,
            None => stream,
        };
        Ok(Self {
            stream,
            input: Vec::new(),
            target: target.clone(),
            process_id: 0,
            secret: Vec::new(),
            parameters: BTreeMap::new(),
            welcome: Transcript::default(),
            timeout: target.timeout,
        })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Sends frames in one write.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn send(&mut self, frames: &Frames) -> Result<(), Failure> {
        self.write(frames.as_bytes())
    }

    /// The next byte, before the protocol of frames begins (answers to `SSLRequest` and `GSSENCRequest`).
    ///
    /// # Errors
    /// Timeout and end of the connection.
    pub fn byte(&mut self) -> Result<u8, Failure> {
        let deadline = Instant::now() + self.timeout;
        while self.input.is_empty() {
            self.fill(deadline)?;
        }
        Ok(self.input.remove(0))
    }

    fn fill(&mut self, deadline: Instant) -> Result<(), Failure> {
        let left = deadline.checked_duration_since(Instant::now()).ok_or(Failure::TimedOut)?;
        self.stream.set_timeout(left)?;
        let mut buffer = [0; 16 * 1024];
        let count = match self.stream.read(&mut buffer) {
            // The machine was stopped for a moment; nothing was read.
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            read => read?,
        };
        if count == 0 {
            return Err(Failure::Closed);
        }
        self.input.extend_from_slice(&buffer[..count]);
        Ok(())
    }

    /// The next frame.
    ///
    /// # Errors
    /// Timeout and end of the connection.
    pub fn reply(&mut self) -> Result<Reply, Failure> {
        self.reply_within(self.timeout)
    }

    /// The next frame within a time of its own.
    ///
    /// # Errors
    /// Timeout and end of the connection.
    pub fn reply_within(&mut self, limit: Duration) -> Result<Reply, Failure> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some((frame, _)) = frame::split(&self.input).map_err(other)? {
                let reply = Reply { tag: frame.tag, body: frame.body.to_vec() };
                let length = frame.bytes.len();
                self.input.drain(..length);
                if let Some((name, value)) = reply.parameter() {
                    self.parameters.insert(name, value);
                }
                return Ok(reply);
            }
            self.fill(deadline)?;
        }
    }

    /// Replies up to and with the `count`-th frame that has this tag.
    ///
    /// # Errors
    /// Timeout and end of the connection.
    pub fn until(&mut self, tag: u8, count: usize) -> Result<Transcript, Failure> {
        let mut replies = Vec::new();
        let mut seen = 0;
        while seen < count {
            let reply = self.reply()?;
            seen += usize::from(reply.tag == tag);
            replies.push(reply);
        }
        Ok(Transcript(replies))
    }

    /// Sends frames and reads until `count` ReadyForQuery have come.
    ///
    /// # Errors
    /// Timeout and end of the connection.
    pub fn exchange(&mut self, frames: &Frames, count: usize) -> Result<Transcript, Failure> {
        self.send(frames)?;
        self.until(b'Z', count)
    }

    /// A simple query, to its ReadyForQuery.
    ///
    /// # Errors
    /// Timeout and end of the connection; an error of the statement is in the transcript.
    pub fn query(&mut self, sql: &str) -> Result<Transcript, Failure> {
        self.exchange(&Frames::new().query(sql), 1)
    }

    /// A simple query, to its ReadyForQuery, or to the end of the connection if that says why.
    ///
    /// # Errors
    /// Timeout, and an end without a word.
    pub fn query_or_goodbye(&mut self, sql: &str) -> Result<Transcript, Failure> {
        self.send(&Frames::new().query(sql))?;
        let mut replies = Vec::new();
        loop {
            match self.reply() {
                Ok(reply) => {
                    let last = reply.tag == b'Z';
                    replies.push(reply);
                    if last {
                        return Ok(Transcript(replies));
                    }
                }
                Err(Failure::Closed) if replies.iter().any(|reply| reply.tag == b'E') => {
                    return Ok(Transcript(replies));
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// A simple query that must succeed.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn run(&mut self, sql: &str) -> Transcript {
        match self.query(sql) {
            Ok(transcript) if transcript.errors().is_empty() => transcript,
            Ok(transcript) => panic!("{sql}: {:?}", transcript.errors()),
            Err(failure) => panic!("{sql}: {failure}"),
        }
    }

    /// First column of the only row of a query that must succeed.
    ///
    /// # Panics
    /// When there is not one row.
    #[track_caller]
    pub fn value(&mut self, sql: &str) -> String {
        let values = self.run(sql).values();
        assert_eq!(values.len(), 1, "rows of {sql}: {values:?}");
        values.into_iter().next().unwrap_or_default()
    }

    /// The error of a simple query that must fail.
    ///
    /// # Panics
    /// When it succeeds.
    #[track_caller]
    pub fn error(&mut self, sql: &str) -> ErrorReply {
        match self.query(sql) {
            Ok(transcript) => match transcript.errors().into_iter().next() {
                Some(error) => error,
                None => panic!("{sql} succeeded: {transcript:?}"),
            },
            Err(failure) => panic!("{sql}: {failure}"),
        }
    }

    /// Frames that must be answered, up to `count` ReadyForQuery.
    ///
    /// # Panics
    /// When they are not.
    #[track_caller]
    pub fn answer(&mut self, frames: &Frames, count: usize) -> Transcript {
        match self.exchange(frames, count) {
            Ok(transcript) => transcript,
            Err(failure) => {
                panic!("{failure} (received before: {:?})", self.input.escape_ascii().to_string())
            }
        }
    }

    /// Process id of the backend that serves this connection now.
    ///
    /// # Panics
    /// When the query fails.
    #[track_caller]
    pub fn backend(&mut self) -> u32 {
        self.value("SELECT pg_catalog.pg_backend_pid()").parse().expect("a process id")
    }

    /// Whether nothing at all arrives for that long.
    #[must_use]
    pub fn is_silent(&mut self, limit: Duration) -> bool {
        matches!(self.reply_within(limit), Err(Failure::TimedOut))
    }

    /// Reads everything up to the end of the connection, which must come.
    ///
    /// # Errors
    /// When the other side keeps the connection open.
    pub fn until_closed(&mut self) -> Result<Transcript, Failure> {
        let mut replies = Vec::new();
        loop {
            match self.reply() {
                Ok(reply) => replies.push(reply),
                Err(Failure::Closed) => return Ok(Transcript(replies)),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// [`Self::until_closed`], with what has come of a last frame that is not whole.
    ///
    /// # Errors
    /// When the other side keeps the connection open.
    pub fn until_torn(&mut self) -> Result<(Transcript, Vec<u8>), Failure> {
        let seen = self.until_closed()?;
        Ok((seen, std::mem::take(&mut self.input)))
    }

    /// Reads and throws away to the next ReadyForQuery, in constant memory; at most `per_second` bytes a second when given.
    ///
    /// # Errors
    /// Timeout, end of the connection, or an `ErrorResponse`.
    pub fn discard(&mut self, per_second: Option<u64>) -> Result<Discarded, Failure> {
        let mut counts = Discarded::default();
        let begin = Instant::now();
        loop {
            let deadline = Instant::now() + self.timeout;
            let header = loop {
                match frame::header(&self.input).map_err(other)? {
                    Some(header) => break header,
                    None => self.fill(deadline)?,
                }
            };
            if matches!(header.tag, b'Z' | b'E') {
                let reply = self.reply()?;
                return match reply.error() {
                    Some(error) => Err(Failure::Server(Box::new(error))),
                    None => Ok(counts),
                };
            }
            let mut left = header.frame_len();
            counts.bytes += left as u64;
            counts.rows += u64::from(matches!(header.tag, b'D' | b'd'));
            while left > 0 {
                if self.input.is_empty() {
                    self.fill(Instant::now() + self.timeout)?;
                }
                let taken = left.min(self.input.len());
                self.input.drain(..taken);
                left -= taken;
            }
            if let Some(rate) = per_second {
                let due = Duration::from_micros(counts.bytes.saturating_mul(1_000_000) / rate);
                std::thread::sleep(due.saturating_sub(begin.elapsed()));
            }
        }
    }

    /// Sends a `CancelRequest` for this connection and waits until the other side has closed it.
    ///
    /// # Errors
    /// When the request cannot be sent, or is not taken in time.
    pub fn try_cancel(&self) -> Result<(), Failure> {
        self.try_cancel_with(self.process_id, &self.secret)
    }

    /// A `CancelRequest` with any key.
    ///
    /// # Errors
    /// When the request cannot be sent, or is not taken in time.
    pub fn try_cancel_with(&self, process_id: u32, secret: &[u8]) -> Result<(), Failure> {
        let mut other = Self::open(&self.target)?;
        let mut out = Vec::new();
        startup::cancel(&mut out, process_id, secret);
        other.write(&out)?;
        match other.reply() {
            Err(Failure::Closed) => Ok(()),
            Err(failure) => Err(failure),
            Ok(reply) => Err(Failure::Other(format!("a reply to a cancel request: {reply:?}"))),
        }
    }

    /// [`Self::try_cancel`] for a test that needs it to work.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn cancel(&self) {
        self.cancel_with(self.process_id, &self.secret);
    }

    /// [`Self::try_cancel_with`] for a test that needs it to work.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn cancel_with(&self, process_id: u32, secret: &[u8]) {
        if let Err(failure) = self.try_cancel_with(process_id, secret) {
            panic!("the cancel request was not taken: {failure}");
        }
    }

    /// Where and as whom this connection is.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Closes the sending direction and keeps reading.
    ///
    /// # Errors
    /// When the connection is closed already.
    pub fn finish_sending(&self) -> Result<(), Failure> {
        Ok(self.stream.shutdown(Shutdown::Write)?)
    }

    /// Says goodbye and waits until the other side has closed too.
    pub fn close(mut self) {
        if self.send(&Frames::new().terminate()).is_ok() {
            let _ = self.until_closed();
        }
    }
}

/// What [`Connection::discard`] threw away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Discarded {
    /// All bytes.
    pub bytes: u64,
    /// `DataRow` and `CopyData` frames.
    pub rows: u64,
}

pub(super) fn other(error: impl std::fmt::Display) -> Failure {
    Failure::Other(error.to_string())
}
