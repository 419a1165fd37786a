//! What has happened: a hash over everything, the last events in words, and what must not have happened.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Events that are kept.
const KEPT: usize = 20_000;
/// Events that are shown of the one concerned, and of everybody.
const SHOWN: usize = 60;

/// Whose event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A client, by number.
    Client(u32),
    /// A server, by process id.
    Server(u32),
    /// Faults, reloads, the day itself.
    World,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(number) => write!(f, "client {number}"),
            Self::Server(process_id) => write!(f, "server {process_id}"),
            Self::World => f.write_str("world"),
        }
    }
}

#[derive(Debug)]
struct Inner {
    began: Instant,
    hash: u64,
    count: u64,
    kept: VecDeque<(Duration, Who, String)>,
    violation: Option<String>,
}

/// The log of one run; clones are the same log.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Rc<RefCell<Inner>>,
    failed: Rc<Notify>,
}

impl Default for Log {
    fn default() -> Self {
        Self::new()
    }
}

impl Log {
    /// An empty log that begins now.
    #[must_use]
    pub fn new() -> Self {
        let inner = Inner {
            began: Instant::now(),
            hash: 0xcbf2_9ce4_8422_2325,
            count: 0,
            kept: VecDeque::with_capacity(KEPT),
            violation: None,
        };
        Self { inner: Rc::new(RefCell::new(inner)), failed: Rc::new(Notify::new()) }
    }

    /// Something has happened.
    pub fn event(&self, who: Who, what: fmt::Arguments<'_>) {
        let mut inner = self.inner.borrow_mut();
        let at = inner.began.elapsed();
        let what = what.to_string();
        let mut hash = inner.hash;
        let numbers = at.as_micros().to_le_bytes();
        let whose = who.to_string();
        for byte in numbers.iter().chain(whose.as_bytes()).chain(what.as_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        inner.hash = hash;
        inner.count += 1;
        if inner.kept.len() == KEPT {
            inner.kept.pop_front();
        }
        inner.kept.push_back((at, who, what));
    }

    /// Something has happened that must not. The first one counts; the run is over.
    pub fn violation(&self, who: Who, what: fmt::Arguments<'_>) {
        self.event(who, format_args!("VIOLATION: {what}"));
        let mut inner = self.inner.borrow_mut();
        if inner.violation.is_none() {
            let told = format!("{who}: {what}\n{}", inner.told(who));
            inner.violation = Some(told);
        }
        drop(inner);
        self.failed.notify_one();
    }

    /// The first thing that must not have happened, with the events before it.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.inner.borrow().violation.clone()
    }

    /// All events that are kept, one a line.
    #[must_use]
    pub fn kept(&self) -> String {
        self.inner.borrow().kept.iter().map(line).collect()
    }

    /// Returns when something has happened that must not. Cancel safe.
    pub async fn failed(&self) {
        self.failed.notified().await;
    }

    /// A number that stands for everything that has happened, and how many events that were.
    #[must_use]
    pub fn hash(&self) -> (u64, u64) {
        let inner = self.inner.borrow();
        (inner.hash, inner.count)
    }
}

fn line((at, who, what): &(Duration, Who, String)) -> String {
    format!("  {:>12.6} {who}: {what}\n", at.as_secs_f64())
}

impl Inner {
    /// The last events: those of `who`, and all.
    fn told(&self, who: Who) -> String {
        let last = |events: Vec<&(Duration, Who, String)>| -> String {
            events.iter().rev().map(|event| line(event)).collect()
        };
        let own = last(self.kept.iter().rev().filter(|event| event.1 == who).take(SHOWN).collect());
        let all = last(self.kept.iter().rev().take(SHOWN).collect());
        format!("the last of {who}:\n{own}the last of all:\n{all}")
    }
}
