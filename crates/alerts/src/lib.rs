//! The thread that looks at the data plane once a second, asks the board of alerts what that means, and tells the log and the sinks. Not
//! the decisions: those are in `howdah_core::alerts`.
//!
//! Invariant: nothing here is in the way of a query, and no sink in that of another one.

mod advice;
mod courier;
mod mail;
mod observe;
mod payload;
mod sink;
mod web;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use howdah_core::alerts::{Notice, Numbers, Occasion, Saved, Severity, Tuning};
use howdah_proxy::observe::Observer;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::advice::Reader;
use crate::courier::Courier;

pub use crate::advice::Undecided;
pub use crate::mail::{Mail, Part as MailPart};
pub use crate::payload::Source;
pub use crate::sink::{Hidden, Outcome, PAGERDUTY, Sink, Way};

/// What the configuration says.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// Rules and times.
    pub tuning: Tuning,
    /// Where messages come from.
    pub source: Source,
    /// Where they go.
    pub sinks: Vec<Sink>,
}

/// The name of this machine; how Howdah is called in messages when nobody says.
#[must_use]
pub fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Where the state of alerts outlives the process. Neither way may take long.
pub trait Memory: Send {
    /// What was kept last, and how long ago.
    fn recall(&self) -> Option<(String, Duration)>;
    /// Keeps this instead.
    fn keep(&self, text: String);
}

/// A running watch. Dropping it ends its thread.
#[derive(Debug)]
pub struct Alerts {
    observer: Observer,
    couriers: Arc<Mutex<Vec<Courier>>>,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Alerts {
    /// Looks from now on. What fired when `memory` was written last is gone on with: nobody is told of it anew, and they are told
    /// when it is over. `advice`: where open advice is read from.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        observer: Observer,
        configuration: Configuration,
        memory: Option<Box<dyn Memory>>,
        advice: Option<Arc<dyn Undecided>>,
    ) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let couriers = Arc::<Mutex<Vec<Courier>>>::default();
        let (looking, telling) = (observer.clone(), Arc::clone(&couriers));
        let thread = std::thread::Builder::new()
            .name("howdah-alerts".to_owned())
            .spawn(move || run(&looking, &telling, (memory.as_deref(), advice), stopped))?;
        let alerts = Self { observer, couriers, stop: Some(stop), thread: Some(thread) };
        alerts.reload(configuration);
        Ok(alerts)
    }

    /// Obeys another configuration. Sinks that stay the same keep what waits for them.
    pub fn reload(&self, configuration: Configuration) {
        let Configuration { tuning, source, sinks } = configuration;
        let names: Vec<String> = sinks.iter().map(|sink| sink.name.clone()).collect();
        self.observer.alerts(|board| {
            board.tune(tuning);
            board.set_sinks(&names);
        });
        let mut couriers = self.couriers.lock();
        couriers.retain(|courier| sinks.iter().any(|sink| courier.is_for(sink, &source)));
        for sink in sinks {
            if couriers.iter().any(|courier| courier.is_for(&sink, &source)) {
                continue;
            }
            let name = sink.name.clone();
            match Courier::start(sink, source.clone(), self.observer.clone()) {
                Ok(courier) => couriers.push(courier),
                Err(error) => {
                    tracing::error!(sink = name, %error, "a sink of alerts has no thread")
                }
            }
        }
    }

    /// A new configuration was refused because of its mistakes.
    pub fn on_refused_reload(&self) {
        self.observer.alerts(howdah_core::alerts::Board::on_refused_reload);
    }
}

impl Drop for Alerts {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of alerts has panicked");
        }
    }
}

/// Looks until `stopped` ends.
fn run(
    observer: &Observer,
    couriers: &Mutex<Vec<Courier>>,
    (memory, advice): (Option<&dyn Memory>, Option<Arc<dyn Undecided>>),
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "there are no alerts: no runtime"),
    };
    runtime.block_on(async {
        tokio::select! {
            () = watch(observer, couriers, memory, Reader::new(advice)) => {}
            // An error means that the sender is gone, which is how it is said.
            _ = stopped => {}
        }
    });
    // Whoever reads the journal just now is not waited for.
    runtime.shutdown_background();
}

/// Goes on from what was kept.
fn recall(observer: &Observer, memory: &dyn Memory) -> Option<Saved> {
    let (text, ago) = memory.recall()?;
    match serde_json::from_str::<Saved>(&text) {
        Ok(saved) => {
            observer.alerts(|board| board.restore(saved.clone(), ago));
            Some(saved)
        }
        Err(error) => {
            tracing::warn!(%error, "what fired before the restart cannot be read");
            None
        }
    }
}

async fn watch(
    observer: &Observer,
    couriers: &Mutex<Vec<Courier>>,
    memory: Option<&dyn Memory>,
    mut advice: Reader,
) {
    let mut kept = memory.and_then(|memory| recall(observer, memory)).unwrap_or_default();
    let mut numbers = Numbers::default();
    let mut pace = 1;
    loop {
        observer.tick(pace).await;
        if !observer.alerts(|board| board.tuning().enabled) {
            continue;
        }
        let mut seen = observe::observe(observer).await;
        pace = howdah_proxy::observe::pace(usize::try_from(seen.clients.0).unwrap_or(usize::MAX));
        let now = observer.uptime();
        seen.advice = advice.look(now);
        let readings = numbers.read(now, &seen);
        let notices = observer.alerts(|board| board.step(now, &readings));
        for notice in notices {
            log(&notice);
            couriers.lock().iter().for_each(|courier| courier.take(&notice));
        }
        if let Some(memory) = memory {
            keep(observer, memory, &mut kept);
        }
    }
}

/// Keeps the state if it is another one than what was kept last.
fn keep(observer: &Observer, memory: &dyn Memory, kept: &mut Saved) {
    let saved = observer.alerts(|board| board.saved());
    if saved.is_like(kept) {
        return;
    }
    match serde_json::to_string(&saved) {
        Ok(text) => memory.keep(text),
        Err(error) => tracing::warn!(%error, "what fires cannot be kept"),
    }
    *kept = saved;
}

fn log(notice: &Notice) {
    let (rule, severity) = (notice.rule, notice.severity.as_str());
    let (occasion, evidence) = (notice.occasion.as_str(), &notice.evidence);
    let with = notice.consequences.join("; ");
    match (notice.occasion, notice.severity) {
        (Occasion::Resolved | Occasion::Test, _) | (_, Severity::Info) => {
            tracing::info!(rule, severity, occasion, %evidence, "alert: {}", notice.title);
        }
        (_, Severity::Warning) => {
            tracing::warn!(rule, severity, occasion, %evidence, with, "alert: {}", notice.title);
        }
        (_, Severity::Critical) => {
            tracing::error!(rule, severity, occasion, %evidence, with, "alert: {}", notice.title);
        }
    }
}
