//! The circuit breaker of a node: after so many failures in a row nobody tries the node any more, except one probe at a time,
//! at growing intervals, until one succeeds. Not what counts as a failure: the caller judges that.
//!
//! Invariant: between two successes at most one try is admitted per interval once the breaker has opened, and an interval is
//! never longer than `LONGEST` times the first, plus the jitter.

use std::time::{Duration, Instant};

/// The longest interval between probes, as a multiple of the first.
const LONGEST: u32 = 8;
/// The jitter is at most this part of an interval.
const JITTER: u32 = 4;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures in a row that open it, at least 1.
    pub threshold: u32,
    /// How long it stays open before the first probe; doubles with each probe that fails.
    pub open: Duration,
}

/// What a success or a failure changed, to be told to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerChange {
    /// Too many failures in a row: nobody tries from now on but probes.
    Opened,
    /// A try has succeeded: everybody may try again.
    Closed,
}

/// What a breaker admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Everybody may try.
    Closed,
    /// Nobody may try yet.
    Open,
    /// One probe is on its way, or may begin.
    HalfOpen,
}

impl BreakerState {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// State of one node's breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    config: BreakerConfig,
    failures: u32,
    opened: Option<Opened>,
}

#[derive(Debug, Clone, Copy)]
struct Opened {
    since: Instant,
    /// Probes that have failed.
    probes: u32,
    /// When the next probe may begin. A probe that has begun moves it, so that one whose end is never told is replaced.
    due: Instant,
    probing: bool,
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub const fn new(config: BreakerConfig) -> Self {
        Self { config, failures: 0, opened: None }
    }

    /// Other limits, from the next failure on.
    pub const fn set_config(&mut self, config: BreakerConfig) {
        self.config = config;
    }

    /// Failures since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Since when it is open, probes included.
    #[must_use]
    pub fn open_since(&self) -> Option<Instant> {
        self.opened.map(|opened| opened.since)
    }

    /// What it admits now.
    #[must_use]
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.opened {
            None => BreakerState::Closed,
            Some(opened) if opened.probing || now >= opened.due => BreakerState::HalfOpen,
            Some(_) => BreakerState::Open,
        }
    }

    /// Whether [`Self::admit`] would admit a try now.
    #[must_use]
    pub fn would_admit(&self, now: Instant) -> bool {
        self.opened.is_none_or(|opened| now >= opened.due)
    }

    /// Asks to try. A try that is admitted is followed by [`Self::on_success`] or [`Self::on_failure`]; while the breaker is
    /// open it is the probe, and nobody else is admitted during the interval.
    pub fn admit(&mut self, now: Instant) -> bool {
        let interval = self.interval();
        match &mut self.opened {
            None => true,
            Some(opened) if now >= opened.due => {
                opened.due = now + interval;
                opened.probing = true;
                true
            }
            Some(_) => false,
        }
    }

    /// The node has answered.
    pub fn on_success(&mut self) -> Option<BreakerChange> {
        self.failures = 0;
        self.opened.take().map(|_| BreakerChange::Closed)
    }

    /// The node has not answered. `chance` in `0..=1` spreads the next probe, so that many poolers do not probe together.
    pub fn on_failure(&mut self, now: Instant, chance: f64) -> Option<BreakerChange> {
        self.failures = self.failures.saturating_add(1);
        let change = match &mut self.opened {
            None if self.failures < self.config.threshold.max(1) => return None,
            None => {
                self.opened = Some(Opened { since: now, probes: 0, due: now, probing: false });
                Some(BreakerChange::Opened)
            }
            // Tries that were on their way when it opened are no probes.
            Some(opened) if !opened.probing => return None,
            Some(opened) => {
                opened.probes = opened.probes.saturating_add(1);
                opened.probing = false;
                None
            }
        };
        let interval = self.interval();
        if let Some(opened) = &mut self.opened {
            opened.due = now + interval + (interval / JITTER).mul_f64(chance.clamp(0.0, 1.0));
        }
        change
    }

    /// The interval before the next probe, without jitter.
    fn interval(&self) -> Duration {
        let probes = self.opened.map_or(0, |opened| opened.probes);
        let factor = 1_u32.checked_shl(probes).unwrap_or(LONGEST).min(LONGEST);
        self.config.open.saturating_mul(factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig { threshold: 3, open: Duration::from_secs(1) };

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(CONFIG);
        assert_eq!(breaker.on_failure(now, 0.0), None);
        assert_eq!(breaker.on_failure(now, 0.0), None);
        assert_eq!(breaker.on_failure(now, 0.0), Some(BreakerChange::Opened));
        breaker
    }

    #[test]
    fn a_success_in_between_keeps_it_closed() {
        let now = Instant::now();
        let mut breaker = Breaker::new(CONFIG);
        for _ in 0..10 {
            assert_eq!(breaker.on_failure(now, 0.0), None);
            assert_eq!(breaker.on_failure(now, 0.0), None);
            assert_eq!(breaker.on_success(), None);
        }
        assert_eq!(breaker.state(now), BreakerState::Closed);
    }

    #[test]
    fn an_open_breaker_admits_one_probe_and_closes_when_it_succeeds() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert!(!breaker.admit(now + Duration::from_millis(999)));
        let due = now + Duration::from_secs(1);
        assert_eq!(breaker.state(due), BreakerState::HalfOpen);
        assert!(breaker.admit(due));
        assert!(!breaker.admit(due), "a second probe beside the first");
        assert_eq!(breaker.on_success(), Some(BreakerChange::Closed));
        assert!(breaker.admit(due) && breaker.admit(due));
        assert_eq!(breaker.failures(), 0);
    }

    #[test]
    fn each_probe_that_fails_doubles_the_interval_up_to_a_bound() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for seconds in [1, 2, 4, 8, 8, 8] {
            assert!(!breaker.admit(now + Duration::from_millis(seconds * 1000 - 1)), "{seconds} s");
            now += Duration::from_secs(seconds);
            assert!(breaker.admit(now), "{seconds} s");
            assert_eq!(breaker.on_failure(now, 0.0), None);
        }
    }

    #[test]
    fn a_probe_whose_end_is_never_told_is_replaced() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let first = now + Duration::from_secs(1);
        assert!(breaker.admit(first));
        assert!(breaker.admit(first + Duration::from_secs(1)));
    }

    #[test]
    fn tries_that_were_on_their_way_when_it_opened_do_not_delay_the_probe() {
        let now = Instant::now();
        let mut breaker = opened(now);
        for _ in 0..10 {
            assert_eq!(breaker.on_failure(now + Duration::from_millis(500), 0.0), None);
        }
        assert!(breaker.admit(now + Duration::from_secs(1)));
    }

    #[test]
    fn many_breakers_that_opened_together_do_not_probe_together() {
        let now = Instant::now();
        let due = |chance: f64| {
            let mut breaker = Breaker::new(BreakerConfig { threshold: 1, ..CONFIG });
            breaker.on_failure(now, chance);
            (0..2000).find(|ms| breaker.would_admit(now + Duration::from_millis(*ms))).unwrap()
        };
        assert_eq!(due(0.0), 1000);
        assert_eq!(due(0.5), 1125);
        assert_eq!(due(1.0), 1250);
    }
}
