//! A conversation with a server as a value, so that the same one can be held twice and compared.

use crate::exchange::{End, Heard};
use crate::raw::{Connection, Failure, Frames, Reply, Transcript};

/// How far to read after frames were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// So many ReadyForQuery.
    Ready(usize),
    /// So many frames of this tag.
    Tag(u8, usize),
    /// Nothing is read.
    Nothing,
    /// So many answers to messages of the extended protocol (one for each Parse, Bind, Describe, Execute and Close before a Flush), or
    /// the error after which the rest is skipped.
    Flushed(usize),
    /// One ReadyForQuery and so many notifications, in any order.
    Notified(usize),
    /// To the end of the connection.
    Closed,
}

impl Until {
    /// Whether nothing more has to come; `skipping`: an error has made the server skip everything before Sync.
    fn is_reached(self, replies: &[Reply], skipping: bool) -> bool {
        let count = |tag: u8| replies.iter().filter(|reply| reply.tag == tag).count();
        match self {
            Self::Ready(ready) => count(b'Z') >= ready,
            Self::Tag(tag, frames) => count(tag) >= frames,
            Self::Nothing => true,
            Self::Flushed(answers) => {
                let answer = |reply: &&Reply| b"12TnCsI3".contains(&reply.tag);
                skipping || count(b'E') > 0 || replies.iter().filter(answer).count() >= answers
            }
            Self::Notified(notices) => count(b'Z') >= 1 && count(b'A') >= notices,
            Self::Closed => false,
        }
    }
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

    /// All steps.
    #[must_use]
    pub fn steps(&self) -> &[(Frames, Until)] {
        &self.0
    }

    /// The same conversation without one step, counted from 0.
    #[must_use]
    pub fn without(&self, step: usize) -> Self {
        let kept = self.0.iter().enumerate().filter(|(index, _)| *index != step);
        Self(kept.map(|(_, step)| step.clone()).collect())
    }

    /// The same conversation up to and with a step, counted from 1.
    #[must_use]
    pub fn up_to(&self, step: usize) -> Self {
        Self(self.0.iter().take(step).cloned().collect())
    }

    /// Holds the conversation as far as it goes; `between` runs before every step.
    pub fn hear(&self, connection: &mut Connection, mut between: impl FnMut()) -> Vec<Heard> {
        let mut all: Vec<Heard> = Vec::new();
        let mut skipping = false;
        for (frames, until) in &self.0 {
            between();
            let mut replies = Vec::new();
            // What is sent to a closed connection is answered by nobody, which the reading shows.
            let _ = connection.send(frames);
            let end = loop {
                if until.is_reached(&replies, skipping) {
                    break End::Answered;
                }
                match connection.reply() {
                    Ok(reply) => replies.push(reply),
                    Err(Failure::TimedOut) => break End::Silent,
                    Err(_) => break End::Closed,
                }
            };
            let count = |tag: u8| replies.iter().filter(|reply| reply.tag == tag).count();
            skipping = count(b'Z') == 0 && (skipping || count(b'E') > 0);
            all.push(Heard { replies: Transcript(replies), end });
            if end != End::Answered {
                break;
            }
        }
        all
    }
}
