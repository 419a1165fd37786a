//! A way to look at a running data plane from another thread: cheap to clone, and of no use once the data plane has ended. Not the
//! console, which is for administrators.
//!
//! Invariant: looking changes nothing, except [`Observer::disconnect`], [`Observer::cancel`] and what is said to the board of alerts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_core::alerts::Board;
use howdah_core::cache::Part;
use howdah_core::cache::wish::Mode;
use howdah_core::slow::Ring;
use howdah_core::statements::Book;
use tokio::sync::Mutex;

use crate::administer;
use crate::clock;
use crate::proxy::{merge, worker_reports};
use crate::report::{DirectReport, OutsiderReport, Report, SessionReport};
use crate::rows::ClientRow;
use crate::settings::Settings;
use crate::shared::Shared;

/// With more clients a look takes workers a noticeable time:
const MANY_CLIENTS: usize = 1_000;
/// then so many seconds pass between two.
const SELDOM: u32 = 10;

/// Seconds between two looks of one who looks all the time, with so many clients.
#[must_use]
pub const fn pace(clients: usize) -> u32 {
    if clients > MANY_CLIENTS { SELDOM } else { 1 }
}

/// When one who looks all the time has looked last, as a second of the uptime.
#[derive(Debug, Default)]
pub struct Looked(u64);

impl Looked {
    /// Whether the next look is due at this uptime, with so many seconds between two; if so, it is taken to happen now.
    pub const fn is_due(&mut self, uptime: Duration, seconds: u32) -> bool {
        let (now, every) = (uptime.as_secs(), if seconds > 1 { seconds as u64 } else { 1 });
        let due = now / every != self.0 / every;
        if due {
            self.0 = now;
        }
        due
    }
}

/// A look that is younger serves all who look at that moment.
const FRESH: Duration = Duration::from_millis(250);

/// What a data plane looked like at one moment.
#[derive(Debug)]
pub struct Look {
    /// Everything but its sessions.
    pub report: Report,
    /// Every session.
    pub sessions: Vec<SessionReport>,
}

/// The last look that was for several.
#[derive(Debug, Default)]
pub(crate) struct LastLook(Mutex<Option<(Instant, Arc<Look>)>>);

/// A way to look at a data plane.
#[derive(Debug, Clone)]
pub struct Observer {
    shared: Arc<Shared>,
}

impl Observer {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// What it looks like now, and every session. What workers have counted about statements is in the book afterwards. Cancel safe.
    pub async fn look(&self) -> (Report, Vec<SessionReport>) {
        let workers = worker_reports(&self.shared).await;
        let now = clock::now();
        let row = |client: &ClientRow| SessionReport::of(client, now);
        let sessions = workers.iter().flat_map(|worker| &worker.clients).map(row).collect();
        (merge(&self.shared, &workers), sessions)
    }

    /// What it looks like, or looked like a moment ago, when somebody else has asked for the same: for those who look all the time, each
    /// after a [`Observer::tick`]. Cancel safe.
    pub async fn shared_look(&self) -> Arc<Look> {
        let mut last = self.shared.looked.0.lock().await;
        if let Some((at, look)) = &*last
            && clock::now().saturating_duration_since(*at) < FRESH
        {
            return Arc::clone(look);
        }
        let (report, sessions) = self.look().await;
        let look = Arc::new(Look { report, sessions });
        *last = Some((clock::now(), Arc::clone(&look)));
        look
    }

    /// Waits until the uptime is a multiple of so many seconds: the same moment for all who wait. Cancel safe.
    pub async fn tick(&self, seconds: u32) {
        let period = Duration::from_secs(u64::from(seconds.max(1)));
        let into = self.uptime().as_nanos() % period.as_nanos();
        let into = Duration::from_nanos(u64::try_from(into).unwrap_or(0));
        tokio::time::sleep(period.saturating_sub(into)).await;
    }

    /// Reads what statements did. It is at most a second old; the book is locked meanwhile, for workers, too, so this has to be short.
    pub fn statements<T>(&self, read: impl FnOnce(&Book) -> T) -> T {
        read(&self.shared.statements.lock())
    }

    /// Looks at what alerts there are, or changes what is told about them. It is locked meanwhile, so this has to be short.
    pub fn alerts<T>(&self, look: impl FnOnce(&mut Board) -> T) -> T {
        look(&mut self.shared.alerts.lock())
    }

    /// Looks at the statements that took long. It is locked meanwhile, for workers, too, so this has to be short.
    pub fn slow<T>(&self, look: impl FnOnce(&Ring) -> T) -> T {
        look(&self.shared.slow.lock())
    }

    /// What each node in use has run for others than clients of Howdah, as of the last look.
    #[must_use]
    pub fn direct(&self) -> Vec<DirectReport> {
        self.shared.server_statistics.direct()
    }

    /// Sessions at each node in use that do not come from this process, as of the last look.
    #[must_use]
    pub fn outsiders(&self) -> Vec<OutsiderReport> {
        self.shared.server_statistics.outsiders(clock::now())
    }

    /// What an administrator has said about the result cache, instead of the configuration.
    #[must_use]
    pub fn forced_cache(&self) -> Option<Mode> {
        self.shared.store.forced().0
    }

    /// Forgets a part of the answers that are kept. One that is on its way is not kept for others.
    pub fn forget_answers(&self, part: Part) {
        self.shared.forget_part(part);
    }

    /// Time since the start.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        clock::now().saturating_duration_since(self.shared.started)
    }

    /// Settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.shared.settings()
    }

    /// How old the last sign of life of each worker is, in the order of workers.
    #[must_use]
    pub fn heartbeats(&self) -> Vec<Duration> {
        self.shared.heartbeats(clock::now())
    }

    /// Disconnects a session. `false`: there is none with this process id. Cancel safe: it may be gone.
    pub async fn disconnect(&self, process_id: u32) -> bool {
        administer::kill_client(&self.shared, process_id).await
    }

    /// Cancels what a session runs, or waits for, as a cancel request of its client would. `false`: there is none with this process
    /// id. Cancel safe: it may be cancelled.
    pub async fn cancel(&self, process_id: u32) -> bool {
        administer::cancel_client(&self.shared, process_id).await
    }
}
