//! A conversation with a server as a value, so that the same one can be held twice and compared.

use crate::raw::{Connection, Failure, Frames, Transcript};

/// How far to read after frames were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// So many ReadyForQuery.
    Ready(usize),
    /// So many frames of this tag.
    Tag(u8, usize),
    /// Nothing is read.
    Nothing,
    /// To the end of the connection.
    Closed,
}

/// Frames and how far to read, step by step.
#[derive(Debug, Clone, Default)]
pub struct Script(Vec<(Frames, Until)>);

impl Script {
    /// An empty conversation.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Frames that are answered by one ReadyForQuery.
    #[must_use]
    pub fn step(self, frames: Frames) -> Self {
        self.until(frames, Until::Ready(1))
    }

    /// A simple query.
    #[must_use]
    pub fn query(self, sql: &str) -> Self {
        self.step(Frames::new().query(sql))
    }

    /// Frames and how far to read.
    #[must_use]
    pub fn until(mut self, frames: Frames, until: Until) -> Self {
        self.0.push((frames, until));
        self
    }

    /// Number of steps.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no step.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Holds the conversation; `between` runs before every step.
    ///
    /// # Errors
    /// What happened to the connection, with the number of the step (from 1).
    pub fn run(
        &self,
        connection: &mut Connection,
        mut between: impl FnMut(),
    ) -> Result<Vec<Transcript>, (usize, Failure)> {
        let mut all = Vec::new();
        for (index, (frames, until)) in self.0.iter().enumerate() {
            between();
            let read = connection.send(frames).and_then(|()| match *until {
                Until::Ready(count) => connection.until(b'Z', count),
                Until::Tag(tag, count) => connection.until(tag, count),
                Until::Nothing => Ok(Transcript::default()),
                Until::Closed => connection.until_closed(),
            });
            all.push(read.map_err(|failure| (index + 1, failure))?);
        }
        Ok(all)
    }
}
