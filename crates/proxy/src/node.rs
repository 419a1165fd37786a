//! What all workers know of a node: whether it answers, how fast connections to it may be opened, when to ask it for a sign of
//! life. Touched when a server is opened and at ticks, never per request. The decisions are `howdah_core`'s.
//!
//! Invariant: `closed` is what the breaker says; a worker that reads it late is at most one tick behind.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah_core::breaker::{Breaker, BreakerChange, BreakerConfig};
use howdah_core::pool::Ramp;
use howdah_core::topology::{Role, Standing};
use parking_lot::Mutex;

use crate::clock;
use crate::connect::OpenError;
use crate::error::{Refusal, seconds};
use crate::report::NodeReport;
use crate::settings::{Health, NodeAddress};
use crate::topology::{Published, View};

/// One node, shared by the workers.
#[derive(Debug)]
pub(crate) struct NodeState {
    name: String,
    address: NodeAddress,
    made: Instant,
    /// When it answered last, in milliseconds since `made`.
    answered: AtomicU64,
    /// Whether the breaker is closed.
    closed: AtomicBool,
    /// How often the breaker has closed again.
    recoveries: AtomicU64,
    /// What sessions read of its place in the cluster.
    pub(crate) published: Published,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    health: Health,
    breaker: Breaker,
    ramp: Ramp,
    /// When it was asked for a sign of life last.
    probed: Option<Instant>,
    last_error: Option<(Refusal, String)>,
    /// Where its Unix socket is, or why that is not used; `None`: not known yet.
    socket: Option<Result<String, String>>,
    /// Of the settings that were in force last.
    revision: u64,
}

/// What clients without a server are told while the breaker is open.
#[derive(Debug)]
pub(crate) struct Down {
    pub(crate) refusal: Refusal,
    /// It has been open for longer than clients are to wait.
    pub(crate) given_up: bool,
}

impl NodeState {
    pub(crate) fn new(
        name: String,
        address: NodeAddress,
        (health, revision): (Health, u64),
    ) -> Self {
        let inner = Inner {
            breaker: Breaker::new(breaker_config(&health)),
            health,
            ramp: Ramp::new(),
            probed: None,
            last_error: None,
            socket: None,
            revision,
        };
        Self {
            name,
            address,
            made: clock::now(),
            answered: AtomicU64::new(0),
            closed: AtomicBool::new(true),
            recoveries: AtomicU64::new(0),
            published: Published::new(),
            inner: Mutex::new(inner),
        }
    }

    /// Settings are in force; with another revision its socket is looked for again.
    pub(crate) fn set_health(&self, health: Health, revision: u64) {
        let mut inner = self.inner.lock();
        if std::mem::replace(&mut inner.revision, revision) != revision {
            inner.socket = None;
        }
        inner.breaker.set_config(breaker_config(&health));
        inner.health = health;
    }

    pub(crate) fn is_at(&self, name: &str, address: &NodeAddress) -> bool {
        self.name == name && self.address == *address
    }

    /// Its name in reports.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether somebody at this address is this node, as far as the configuration tells: of a name it cannot be told.
    pub(crate) fn is_reached_at(&self, address: &str) -> bool {
        match &self.address {
            NodeAddress::Tcp { host, .. } => host.parse::<IpAddr>().is_err() || host == address,
            NodeAddress::Unix { .. } => false,
        }
    }

    /// Whether a server may be opened now. Whoever is admitted says how it went.
    pub(crate) fn admit(&self, now: Instant) -> bool {
        let mut inner = self.inner.lock();
        if inner.breaker.open_since().is_some() {
            return inner.breaker.admit(now);
        }
        inner.ramp.admit(now)
    }

    /// It has served a request.
    pub(crate) fn on_traffic(&self, now: Instant) {
        let since = now.saturating_duration_since(self.made).as_millis();
        self.answered.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// It has answered an attempt to log in, if only with a reason of the pool's.
    pub(crate) fn on_answer(&self, now: Instant) {
        self.on_traffic(now);
        let mut inner = self.inner.lock();
        let since = inner.breaker.open_since();
        inner.last_error = None;
        if inner.breaker.on_success() == Some(BreakerChange::Closed) {
            inner.ramp = Ramp::new();
            inner.socket = None;
            self.recoveries.fetch_add(1, Ordering::Relaxed);
            self.closed.store(true, Ordering::Relaxed);
            let down = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
            tracing::info!(node = %self.name, "the node answers again, after {}", seconds(down));
        }
    }

    /// An attempt to log in went wrong in a way that says something about the node. `chance` is between 0 and 1.
    pub(crate) fn on_failure(&self, now: Instant, error: &OpenError, chance: f64) {
        let mut inner = self.inner.lock();
        inner.last_error = Some((error.refusal(), error.to_string()));
        if inner.breaker.on_failure(now, chance) == Some(BreakerChange::Opened) {
            self.closed.store(false, Ordering::Relaxed);
            let failures = inner.breaker.failures();
            tracing::error!(
                node = %self.name,
                "the node has failed {failures} times in a row; from now on it is only probed: {error}"
            );
        }
    }

    /// What clients without a server are told, unless the node may be tried now.
    pub(crate) fn down(&self, now: Instant) -> Option<Down> {
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        let inner = self.inner.lock();
        let since = inner.breaker.open_since()?;
        if inner.breaker.would_admit(now) {
            return None;
        }
        let (refusal, _) = inner.last_error.clone()?;
        let down = now.saturating_duration_since(since);
        let hint = format!(
            "PostgreSQL has not answered for {}. Howdah probes it, and serves requests again as soon as it answers.",
            seconds(Duration::from_secs(down.as_secs()))
        );
        let given_up = inner.health.breaker_hold.is_some_and(|hold| down >= hold);
        Some(Down { refusal: refusal.hint(hint), given_up })
    }

    /// Whether its Unix socket was found to be of no use.
    pub(crate) fn has_no_socket(&self) -> bool {
        matches!(self.inner.lock().socket, Some(Err(_)))
    }

    /// Its Unix socket was tried out: where it is, or why it is of no use until the next reload or recovery.
    pub(crate) fn on_socket(&self, found: Result<String, String>) {
        match &found {
            Ok(path) => {
                tracing::debug!(node = %self.name, path, "servers are reached by the Unix socket")
            }
            Err(reason) => tracing::debug!(node = %self.name, reason, "not by the Unix socket"),
        }
        self.inner.lock().socket = Some(found);
    }

    /// How often it has come back: pools that see another number forget their own pauses.
    pub(crate) fn recoveries(&self) -> u64 {
        self.recoveries.load(Ordering::Relaxed)
    }

    /// Asks whether to ask it for a sign of life now, and how long to wait for one. One of those who ask is told to.
    pub(crate) fn begin_probe(&self, now: Instant) -> Option<Duration> {
        // Traffic is the usual answer, and costs no lock.
        let since_answer = now.saturating_duration_since(self.answered_at());
        let closed = self.closed.load(Ordering::Relaxed);
        if closed && since_answer < Duration::from_secs(1) {
            return None;
        }
        let mut inner = self.inner.lock();
        let interval = inner.health.interval?;
        let since_probe = inner.probed.map(|probed| now.saturating_duration_since(probed));
        let quiet = since_answer >= interval && since_probe.is_none_or(|since| since >= interval);
        let due = if closed { quiet } else { inner.breaker.admit(now) };
        if !due {
            return None;
        }
        inner.probed = Some(now);
        Some(inner.health.timeout)
    }

    fn answered_at(&self) -> Instant {
        self.made + Duration::from_millis(self.answered.load(Ordering::Relaxed))
    }

    /// Its line in the report, with what its cluster says of it.
    pub(crate) fn report(&self, view: &View, now: Instant) -> NodeReport {
        let seen = view.nodes().find(|node| std::ptr::eq(&*node.state, self));
        let standing = seen.map_or(Standing::Unheard, |node| node.standing);
        let fresh = self.published.fresh_at().map(|fresh| now.saturating_duration_since(fresh));
        let inner = self.inner.lock();
        let answered = self.answered.load(Ordering::Relaxed) > 0;
        NodeReport {
            name: self.name.clone(),
            address: self.address.to_string(),
            breaker: inner.breaker.state(now).as_str(),
            failures: inner.breaker.failures(),
            down_for: inner.breaker.open_since().map(|since| now.saturating_duration_since(since)),
            answered: answered.then(|| now.saturating_duration_since(self.answered_at())),
            last_error: inner.last_error.as_ref().map(|(_, text)| text.clone()),
            socket: inner.socket.clone(),
            role: seen.map_or(Role::Unknown, |node| node.role).as_str(),
            standing: standing.as_str(),
            timeline: seen.and_then(|node| node.timeline),
            lag_bytes: self.published.lag_bytes(),
            lag: if standing == Standing::Primary { Some(Duration::ZERO) } else { fresh },
            drained: self.published.is_drained(),
        }
    }
}

const fn breaker_config(health: &Health) -> BreakerConfig {
    BreakerConfig { threshold: health.failure_threshold, open: health.breaker_open }
}
