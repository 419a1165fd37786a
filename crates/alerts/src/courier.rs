//! The thread of a sink: takes messages from a bounded queue, sends one after the other, tries again what was not taken. Not what is in them.
//!
//! Invariant: it keeps nobody waiting: with a full queue a message is given up and counted.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use howdah_core::alerts::{Delivery, Notice};
use howdah_proxy::observe::Observer;

use crate::payload::Source;
use crate::sink::{Outcome, Sink};

/// Messages that may wait.
const QUEUE: usize = 100;
/// Attempts at one message.
const ATTEMPTS: u32 = 8;
/// After the first of them; doubles.
const BACKOFF: Duration = Duration::from_secs(1);

/// The way to the thread of a sink. When it is dropped the thread ends, after the attempt that it is at.
#[derive(Debug)]
pub(crate) struct Courier {
    sink: Sink,
    queue: SyncSender<Notice>,
    observer: Observer,
    source: Source,
}

impl Courier {
    /// Starts the thread.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(sink: Sink, source: Source, observer: Observer) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel(QUEUE);
        let of_thread = (sink.clone(), source.clone(), observer.clone());
        // It is not waited for: an attempt may take as long as its time limit, and the process may want to end.
        std::thread::Builder::new().name("howdah-sink".to_owned()).spawn(move || {
            let (sink, source, observer) = of_thread;
            run(&sink, &source, &observer, &waiting);
        })?;
        Ok(Self { sink, queue, observer, source })
    }

    /// Whether it is for this sink and source, so that what waits need not be given up.
    pub(crate) fn is_for(&self, sink: &Sink, source: &Source) -> bool {
        self.sink == *sink && self.source == *source
    }

    /// Sends it when its turn comes.
    pub(crate) fn take(&self, notice: &Notice) {
        if notice.severity < self.sink.severity || tells_of(notice, &self.sink.name) {
            return;
        }
        let full = match self.queue.try_send(notice.clone()) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => "too many messages wait",
            Err(TrySendError::Disconnected(_)) => "its thread has ended",
        };
        note(&self.observer, &self.sink, notice, Err(full.to_owned()));
    }
}

/// That a sink fails is told through the others.
fn tells_of(notice: &Notice, sink: &str) -> bool {
    notice.rule == "sink_failing" && notice.subject == format!("sink {sink}")
}

fn note(observer: &Observer, sink: &Sink, notice: &Notice, outcome: Result<(), String>) {
    if let Err(reason) = &outcome {
        tracing::warn!(sink = %sink.name, rule = notice.rule, %reason, "an alert was not taken");
    }
    let at = observer.uptime();
    let delivery = Delivery {
        at,
        sink: sink.name.clone(),
        rule: notice.rule,
        occasion: notice.occasion,
        outcome,
    };
    observer.alerts(|board| board.on_delivery(delivery));
}

fn run(sink: &Sink, source: &Source, observer: &Observer, waiting: &Receiver<Notice>) {
    let mut pending = VecDeque::new();
    loop {
        let next = pending.pop_front().or_else(|| waiting.recv().ok());
        let Some(notice) = next else { return };
        let outcome = deliver(sink, source, &notice, |pause| wait(waiting, &mut pending, pause));
        note(observer, sink, &notice, outcome);
    }
}

/// Sends it as often as it takes. `pause` waits, and says whether it is worth another attempt.
fn deliver(
    sink: &Sink,
    source: &Source,
    notice: &Notice,
    mut pause: impl FnMut(Duration) -> bool,
) -> Result<(), String> {
    let mut backoff = BACKOFF;
    let mut attempt = 1;
    loop {
        match sink.send(notice, source) {
            Outcome::Taken(_) => return Ok(()),
            Outcome::Refused(reason) => return Err(reason),
            Outcome::Later(reason, asked) => {
                if attempt == ATTEMPTS || !pause(asked.unwrap_or(backoff)) {
                    return Err(format!("{reason} (attempt {attempt})"));
                }
            }
        }
        (attempt, backoff) = (attempt + 1, backoff * 2);
    }
}

/// Waits for a while, and keeps what comes meanwhile. `false`: nobody sends any more.
fn wait(waiting: &Receiver<Notice>, pending: &mut VecDeque<Notice>, pause: Duration) -> bool {
    let end = Instant::now() + pause;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if pending.len() >= QUEUE {
            std::thread::sleep(left);
            return true;
        }
        match waiting.recv_timeout(left) {
            Ok(notice) => pending.push_back(notice),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}
