//! The thread that remembers: looks once a second, writes every few seconds, and goes on whatever becomes of the file.
//!
//! Invariant: what waits to be written is bounded; trouble is said once when it begins and once when it is over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_proxy::observe::{self, Looked, Observer};
use howdah_proxy::report::{Report, SessionReport};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::look::Look;
use crate::marks::{Mark, Watch};
use crate::read::Reader;
use crate::rings::Ring;
use crate::store::Store;
use crate::write::Pending;
use crate::{Error, Inbox, Options, now_ms};

/// How often it writes.
const WRITE: Duration = Duration::from_secs(5);
/// How often it forgets what is too old, and tries a file again that could not be used.
const TIDY: Duration = Duration::from_mins(1);
const AGAIN: Duration = Duration::from_secs(10);
/// Longest last look, at the end.
const LAST: Duration = Duration::from_secs(1);
/// Marks that wait.
const MARKS: usize = 100;

/// How the recorder is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// Why nothing can be written, while that is so.
    pub trouble: Option<String>,
    /// Bytes in use in the file.
    pub bytes: u64,
    /// Seconds that were lost because nothing could be written.
    pub lost_s: u64,
}

/// A way to mark moments, and to read.
#[derive(Debug, Clone)]
pub struct Handle {
    path: Arc<std::path::Path>,
    state: Arc<Mutex<State>>,
    inbox: Inbox,
}

impl Handle {
    pub(crate) fn new(path: PathBuf) -> (Self, Inbox) {
        let inbox = Inbox::default();
        let own = Arc::clone(&inbox);
        (Self { path: path.into(), state: Arc::default(), inbox: own }, inbox)
    }

    /// Marks this moment. `false`: too many wait to be written.
    pub fn mark(&self, kind: &str, text: &str) -> bool {
        let mut inbox = self.inbox.lock();
        let room = inbox.marks.len() < MARKS;
        if room {
            inbox.marks.push(Mark::now(kind, text));
        }
        room
    }

    /// Keeps a text under a name, instead of the one before. It is written within a second or two.
    pub fn keep(&self, name: &'static str, text: String) {
        self.inbox.lock().kept.insert(name, (now_ms(), text));
    }

    /// The text that was kept under a name last, by this process or another, and how long ago. Reads from the disk.
    #[must_use]
    pub fn kept(&self, name: &str) -> Option<(String, Duration)> {
        let (at_ms, text) = self.read().ok()?.kept(name)?;
        Some((text, Duration::from_millis(now_ms().saturating_sub(at_ms))))
    }

    /// How the recorder is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Opens the file for reading. Reads from the disk: not for a thread that must not wait.
    ///
    /// # Errors
    /// It is not there yet, or cannot be read.
    pub fn read(&self) -> Result<Reader, Error> {
        Reader::open(&self.path)
    }
}

/// Records until `stopped` ends.
pub(crate) fn run(
    observer: &Observer,
    options: Options,
    (handle, inbox): (&Handle, Inbox),
    mut stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::warn!(%error, "nothing is remembered"),
    };
    runtime.block_on(async {
        let mut recorder = Recorder::new(options, handle.clone(), inbox);
        let mut looked = Looked::default();
        loop {
            tokio::select! {
                () = observer.tick(1) => {}
                _ = &mut stopped => break,
            }
            if looked.is_due(observer.uptime(), recorder.pace) {
                // Cancel safe: nothing is noted before it has looked.
                tokio::select! {
                    look = observer.shared_look() => {
                        recorder.note(observer, &look.report, &look.sessions);
                    }
                    _ = &mut stopped => break,
                }
            }
            recorder.write_if_due();
        }
        if let Ok((report, sessions)) = tokio::time::timeout(LAST, observer.look()).await {
            recorder.note(observer, &report, &sessions);
        }
        recorder.finish(observer);
    });
}

struct Recorder {
    options: Options,
    handle: Handle,
    inbox: Inbox,
    look: Look,
    watch: Watch,
    pending: Pending,
    store: Option<Store>,
    /// When it was written, tidied and tried last.
    written: Instant,
    tidied: Option<Instant>,
    tried: Option<Instant>,
    /// The minute that statements are counted in.
    minute: u64,
    pace: u32,
}

impl Recorder {
    fn new(options: Options, handle: Handle, inbox: Inbox) -> Self {
        let mut pending = Pending::default();
        pending.mark(Mark::now("start", &format!("Howdah {}", env!("CARGO_PKG_VERSION"))));
        Self {
            options,
            handle,
            inbox,
            look: Look::default(),
            watch: Watch::default(),
            pending,
            store: None,
            written: Instant::now(),
            tidied: None,
            tried: None,
            minute: now_ms() / 60_000,
            pace: 1,
        }
    }

    fn note(&mut self, observer: &Observer, report: &Report, sessions: &[SessionReport]) {
        let now = now_ms() / 1_000;
        self.pace = observe::pace(report.clients);
        for (subject, sample) in self.look.take(observer, report, sessions) {
            self.pending.add(now, &subject, &sample);
        }
        for mark in self.watch.look(report) {
            self.pending.mark(mark);
        }
        for mark in observer.statements(|book| self.watch.defined(book, report.uptime.as_secs())) {
            self.pending.mark(mark);
        }
        if now / 60 != self.minute {
            self.statements(observer, report.uptime);
            self.minute = now / 60;
        }
    }

    /// Notes the statements of the minute that has ended.
    fn statements(&mut self, observer: &Observer, uptime: Duration) {
        for one in self.look.statements(observer, uptime) {
            self.pending.add(self.minute * 60, &one.subject, &one.sample);
            self.pending.text(one.subject, one.text);
        }
    }

    fn finish(&mut self, observer: &Observer) {
        self.statements(observer, observer.uptime());
        self.pending.mark(Mark::now("stop", "Howdah has stopped"));
        self.tried = None;
        self.write();
    }

    fn write_if_due(&mut self) {
        let asked = !self.inbox.lock().is_empty();
        if asked || self.store.is_none() || self.written.elapsed() >= WRITE {
            self.write();
        }
    }

    fn write(&mut self) {
        let letters = std::mem::take(&mut *self.inbox.lock());
        for mark in letters.marks {
            self.pending.mark(mark);
        }
        self.pending.kept.extend(letters.kept);
        self.written = Instant::now();
        if self.store.is_none() && self.tried.is_some_and(|tried| tried.elapsed() < AGAIN) {
            self.handle.state.lock().lost_s += self.pending.bound();
            return;
        }
        self.tried = Some(Instant::now());
        match self.try_write() {
            Ok(bytes) => self.good(bytes),
            Err(error) => self.bad(&error),
        }
    }

    fn try_write(&mut self) -> Result<u64, Error> {
        let store = match &mut self.store {
            Some(store) => store,
            none => none.insert(Store::open(&self.options.path, self.options.max_bytes)?),
        };
        store.write(&self.pending)?;
        self.pending.clear();
        if self.tidied.is_none_or(|tidied| tidied.elapsed() >= TIDY) {
            self.tidied = Some(Instant::now());
            store.tidy(now_ms() / 1_000, &self.options.keep, self.options.max_bytes)?;
        }
        store.bytes()
    }

    fn good(&self, bytes: u64) {
        let mut state = self.handle.state.lock();
        state.bytes = bytes;
        if state.trouble.take().is_some() {
            tracing::info!(path = %self.options.path.display(), "the history is written again");
        }
    }

    /// Closes the file and tries again later; sets it aside when it is damaged.
    fn bad(&mut self, error: &Error) {
        self.store = None;
        let path = self.options.path.display();
        if error.is_damage() {
            match Store::set_aside(&self.options.path) {
                Ok(to) => {
                    tracing::warn!(%error, to = %to.display(), "the history is damaged: set aside, and begun anew");
                    self.tried = None;
                }
                Err(failed) => {
                    tracing::warn!(%error, %failed, "the history is damaged, and cannot be set aside");
                }
            }
        }
        let mut state = self.handle.state.lock();
        state.lost_s += self.pending.bound();
        let trouble = error.to_string();
        if state.trouble.is_none() && !error.is_damage() {
            tracing::warn!(%error, "the history {path} cannot be written; tried again every {} s", AGAIN.as_secs());
        }
        state.trouble = Some(trouble);
    }
}

/// Seconds of the finest ring that may wait to be written; coarser ones are few.
pub(crate) const WAITING: usize = 300;

/// The ring that `WAITING` is about.
pub(crate) const FINEST: Ring = Ring::Second;
