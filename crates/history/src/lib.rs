//! What Howdah remembers: numbers of the past in one SQLite file, in rings of a second, ten seconds, a minute and an hour; marks
//! of what changed; reports made of both. It looks at the data plane once a second through `proxy::observe`, on a thread of its
//! own. Not the live numbers (`howdah-web`), and no decision depends on it.
//!
//! Invariant: a file that cannot be read or written costs the past and nothing else: traffic never waits for it. The file is
//! bounded, and so is what waits to be written.

mod error;
mod look;
mod marks;
mod read;
mod record;
mod report;
mod rings;
mod sample;
mod series;
mod store;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use howdah_proxy::observe::Observer;
use tokio::sync::oneshot;

pub use crate::error::Error;
pub use crate::marks::{MARK_TEXT, Mark};
pub use crate::read::{Column, Reader, Shape, Span, Statement};
pub use crate::record::{Handle, State};
pub use crate::report::{Hour, Line, Numbers, Period, Report};
pub use crate::rings::{Keep, Ring};
pub use crate::sample::Sample;
pub use crate::series::{Kind, Series, Subject};

/// What is kept, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The file; its directory has to be there.
    pub path: PathBuf,
    /// How long.
    pub keep: Keep,
    /// Size of the file at most, in bytes; the oldest goes first. SQLite's log beside it has a few MiB more.
    pub max_bytes: u64,
}

/// A running recorder. Dropping it writes what is left, and ends its thread.
#[derive(Debug)]
pub struct History {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl History {
    /// Begins to record. Whatever is wrong with the file is logged, and tried again.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(observer: Observer, options: Options) -> io::Result<Self> {
        let (handle, inbox) = Handle::new(options.path.clone());
        let (stop, stopped) = oneshot::channel();
        let of_thread = handle.clone();
        let run = move || record::run(&observer, options, (&of_thread, inbox), stopped);
        let thread = std::thread::Builder::new().name("howdah-history".to_owned()).spawn(run)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// A way to mark moments and to read, for others.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for History {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the history has panicked");
        }
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The same path with more behind its last name.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What others want to have written.
#[derive(Debug, Default)]
struct Letters {
    marks: Vec<Mark>,
    /// Texts by name, with their moments in milliseconds since 1970.
    kept: BTreeMap<&'static str, (u64, String)>,
}

impl Letters {
    fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.kept.is_empty()
    }
}

/// What both ends of the inbox share.
type Inbox = Arc<parking_lot::Mutex<Letters>>;
