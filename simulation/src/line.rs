//! One end of a stream: bytes go in random pieces and come late. Not what they mean.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use howdah_wire::frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::time::Instant;

use crate::random::Random;

/// Bytes read at once at most.
const READ: usize = 8 * 1024;

/// How bytes travel; shared by all lines of one place.
#[derive(Debug, Default)]
pub struct Weather {
    /// Delay of a piece at most.
    pub delay: Cell<Duration>,
    /// Of so many pieces one is late.
    pub seldom: Cell<u64>,
    /// Nothing moves before that.
    pub frozen: Cell<Option<Instant>>,
}

impl Weather {
    /// Nothing moves for so long.
    pub fn freeze(&self, time: Duration) {
        self.frozen.set(Some(Instant::now() + time));
    }

    async fn thaw(&self) {
        while let Some(until) = self.frozen.get().filter(|until| *until > Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
    }
}

/// One end of a stream.
#[derive(Debug)]
pub struct Line {
    read: ReadHalf<DuplexStream>,
    write: WriteHalf<DuplexStream>,
    inbox: Vec<u8>,
    used: usize,
    random: Random,
    weather: Rc<Weather>,
    /// What it is told by somebody who freezes it alone.
    own: Rc<Weather>,
    /// Whether it reads while it cannot write.
    pub(crate) eager: bool,
    /// Bytes that it takes at once at most.
    pub(crate) sip: usize,
}

impl Line {
    /// An end that reads while it cannot write, as clients must.
    #[must_use]
    pub fn new(stream: DuplexStream, random: Random, weather: Rc<Weather>) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self {
            read,
            write,
            inbox: Vec::new(),
            used: 0,
            random,
            weather,
            own: Rc::default(),
            eager: true,
            sip: READ,
        }
    }

    /// Its own weather.
    pub(crate) fn own_weather(&self) -> &Rc<Weather> {
        &self.own
    }

    async fn travel(&mut self) {
        self.weather.thaw().await;
        self.own.thaw().await;
        let delay = self.weather.delay.get();
        if !delay.is_zero() && self.random.below(self.weather.seldom.get().max(1)) == 0 {
            tokio::time::sleep(self.random.time_below(delay)).await;
        }
    }

    /// Writes all.
    ///
    /// # Errors
    /// The other end is gone.
    pub async fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.travel().await;
            let most = if self.random.percent(15) { 1 + self.random.below(40) } else { u64::MAX };
            let most = usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len());
            let mut chunk = [0; 1024];
            let count = tokio::select! {
                biased;
                count = self.write.write(&bytes[..most]) => count?,
                count = self.read.read(&mut chunk), if self.eager => {
                    let count = count?;
                    // At the end of the stream there is nothing more to read; the write says what is wrong.
                    self.eager = count > 0;
                    self.inbox.extend_from_slice(&chunk[..count]);
                    continue;
                }
            };
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Reads once. `false`: the other end has closed.
    ///
    /// Cancel safe: what was read is kept.
    ///
    /// # Errors
    /// The other end is gone.
    pub async fn fill(&mut self) -> io::Result<bool> {
        self.travel().await;
        let most = if self.random.percent(15) { 1 + self.random.below(40) } else { u64::MAX };
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.sip);
        if self.used > READ {
            self.inbox.drain(..self.used);
            self.used = 0;
        }
        let mut chunk = [0; READ];
        let count = self.read.read(&mut chunk[..most]).await?;
        self.inbox.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }

    /// Bytes that were read and not used.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.inbox[self.used..]
    }

    /// Uses bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.used += count;
    }

    /// The next whole frame, if it is there, as `read` makes it.
    pub(crate) fn frame<T>(&mut self, read: impl FnOnce(frame::Frame<'_>) -> T) -> Option<T> {
        let (frame, _) = frame::split(&self.inbox[self.used..]).ok()??;
        let whole = frame.bytes.len();
        let found = read(frame);
        self.used += whole;
        Some(found)
    }

    /// Whether what comes next cannot be a frame.
    pub(crate) fn is_garbled(&self) -> bool {
        frame::header(self.unread()).is_err()
    }
}
