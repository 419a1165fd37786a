//! How many flights at once are best, learned from the requests that a pool answers: a hill climb with hysteresis. Not who
//! flies: [`super::flights`].
//!
//! Invariant: at least one flight and at most the limit, whatever was measured; it moves only on evidence from times in which
//! requests waited, and one step at a time.
//!
//! Source: PostgreSQL is fastest with about two busy backends per core (measured: four flights are best on two cores, one is half
//! as fast), and nobody tells a pooler how many cores there are, or who else uses them; so it tries. A step is taken when it
//! beats what was measured both before and after it (so a load that grows by itself is no evidence) by more than the noise.

use std::time::{Duration, Instant};

/// Flights at once before anything was measured.
const FIRST: u32 = 4;
/// How long one number of flights is measured.
const PERIOD: Duration = Duration::from_millis(500);
/// The rest between two tries; doubles, up to [`LONGEST_REST`], while tries show nothing better.
const REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(64);
/// A number of flights is better when it answers more by one part in so many.
const NOISE: u64 = 20;
/// Looks at which requests waited, of a hundred, below which a period says nothing about flights.
const PRESSED: u32 = 30;
/// Fewer answers say nothing. Per period.
const FEWEST: u64 = 100;

/// What is being measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing: the next try begins later.
    Resting,
    /// The number in force, before a try.
    Before,
    /// The other number; the answers per period before it.
    Trying(u64),
    /// The number in force again; the answers before and while the other was tried.
    After(u64, u64),
}

/// The number of flights of one pool.
#[derive(Debug, Clone)]
pub(super) struct Climb {
    /// In force between tries.
    best: u32,
    limit: u32,
    up: bool,
    stage: Stage,
    rest: Duration,
    /// When the stage began, and what the pool had answered by then.
    began: Option<(Instant, u64)>,
    looks: u32,
    pressed: u32,
}

impl Climb {
    pub(super) const fn new(limit: u32) -> Self {
        Self {
            best: FIRST,
            limit,
            up: true,
            stage: Stage::Resting,
            rest: REST,
            began: None,
            looks: 0,
            pressed: 0,
        }
    }

    pub(super) const fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// How many flights there may be now. Never none: a pool may have no room for a while, because another process has it, and
    /// the requests that wait meanwhile are to fly then.
    pub(super) fn target(&self) -> u32 {
        let tried = matches!(self.stage, Stage::Trying(_));
        let target = if tried { self.other() } else { self.best };
        target.clamp(1, self.limit.max(1))
    }

    /// The number beside the one in force: about half as many more, or a third fewer.
    fn other(&self) -> u32 {
        let best = self.best.clamp(1, self.limit.max(1));
        if self.up { best + best.div_ceil(2) } else { (best * 2 / 3).max(1) }
            .clamp(1, self.limit.max(1))
    }

    /// Regular look: the pool has answered `answered` requests since it was made, and now requests wait for a flight, or none.
    pub(super) fn look(&mut self, now: Instant, answered: u64, waits: bool) {
        let (began, before) = *self.began.get_or_insert((now, answered));
        self.looks += 1;
        self.pressed += u32::from(waits);
        let period = if self.stage == Stage::Resting { self.rest } else { PERIOD };
        let time = now.saturating_duration_since(began);
        if time < period {
            return;
        }
        let count = answered.saturating_sub(before);
        let idle = self.pressed * 100 < self.looks * PRESSED || count < FEWEST;
        // A look may be late: what counts is answers per period.
        let nanos = time.as_nanos().max(1);
        let rate = u64::try_from(u128::from(count) * PERIOD.as_nanos() / nanos).unwrap_or(0);
        self.stage = match self.stage {
            _ if idle => Stage::Resting,
            Stage::Resting => Stage::Before,
            Stage::Before => self.begin_try(rate),
            Stage::Trying(first) => Stage::After(first, rate),
            Stage::After(first, tried) => self.judge(first.max(rate), tried),
        };
        self.began = Some((now, answered));
        (self.looks, self.pressed) = (0, 0);
    }

    fn begin_try(&mut self, rate: u64) -> Stage {
        if self.other() == self.best.clamp(1, self.limit.max(1)) {
            self.up = !self.up;
        }
        Stage::Trying(rate)
    }

    fn judge(&mut self, usual: u64, tried: u64) -> Stage {
        if tried > usual + usual / NOISE {
            self.best = self.other();
            self.rest = REST;
            // On, in the same direction.
            return Stage::Before;
        }
        self.up = !self.up;
        self.rest = (self.rest * 2).min(LONGEST_REST);
        Stage::Resting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(50);

    /// A server whose answers per second depend on how many flights there are at once.
    struct Model {
        climb: Climb,
        now: Instant,
        answered: u64,
        seed: u64,
        /// Answers that were given, and those that the best number would have given.
        sums: (u64, u64),
    }

    impl Model {
        fn new(limit: u32) -> Self {
            let now = Instant::now();
            Self { climb: Climb::new(limit), now, answered: 0, seed: 7, sums: (0, 0) }
        }

        /// Works for so long, and says how much of the best throughput was had in this time, in per cent.
        fn work(&mut self, seconds: u64, speed: impl Fn(u32) -> u64, waits: bool) -> u64 {
            let limit = self.climb.limit;
            let best = (1..=limit).map(&speed).max().expect("a limit");
            self.sums = (0, 0);
            for _ in 0..seconds * 20 {
                self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Up to two per cent more or less.
                let noise = 980 + (self.seed >> 33) % 41;
                let target = self.climb.target();
                assert!((1..=limit).contains(&target), "{target} flights of {limit}");
                let count = speed(target) * noise / 1000 / 20;
                self.answered += count;
                self.sums = (self.sums.0 + count, self.sums.1 + best / 20);
                self.now += TICK;
                self.climb.look(self.now, self.answered, waits);
            }
            self.sums.0 * 100 / self.sums.1
        }
    }

    /// The machine of the measurements that flights come from: two cores.
    fn two_cores(flights: u32) -> u64 {
        const SPEEDS: [u64; 7] = [0, 48_000, 58_000, 63_000, 67_000, 65_000, 60_000];
        SPEEDS
            .get(usize::try_from(flights).expect("a small number"))
            .copied()
            .unwrap_or_else(|| 670_000 / (6 + u64::from(flights)))
    }

    fn many_cores(flights: u32) -> u64 {
        20_000 * u64::from(flights.min(60)) - 4_000 * u64::from(flights.saturating_sub(60))
    }

    #[test]
    fn on_few_cores_few_flights_are_kept() {
        let mut model = Model::new(20);
        assert!(model.work(120, two_cores, true) > 90, "{:?}", model.climb);
        assert!((3..=6).contains(&model.climb.best), "{:?}", model.climb);
    }

    #[test]
    fn on_many_cores_many_flights_are_found() {
        let mut model = Model::new(100);
        model.work(60, many_cores, true);
        assert!(model.work(120, many_cores, true) > 85, "{:?}", model.climb);
    }

    #[test]
    fn it_comes_back_when_the_machine_becomes_smaller() {
        let mut model = Model::new(100);
        model.work(60, many_cores, true);
        model.work(600, two_cores, true);
        assert!(model.work(120, two_cores, true) > 85, "{:?}", model.climb);
    }

    #[test]
    fn without_waiting_requests_nothing_is_tried() {
        let mut model = Model::new(20);
        model.work(60, many_cores, false);
        assert_eq!(model.climb.target(), FIRST);
    }

    #[test]
    fn a_load_that_grows_by_itself_is_no_evidence() {
        let mut climb = Climb::new(100);
        let (mut now, mut answered) = (Instant::now(), 0);
        for tick in 0..20 * 120 {
            // Twelve per cent more every second, whatever is tried: far more than the noise.
            answered += 500 + 3 * tick;
            now += TICK;
            climb.look(now, answered, true);
        }
        assert_eq!(climb.best, FIRST);
    }

    #[test]
    fn a_smaller_pool_has_no_more_flights_than_servers_and_never_none() {
        let mut climb = Climb::new(0);
        assert_eq!(climb.target(), 1);
        climb.set_limit(2);
        assert_eq!(climb.target(), 2);
        climb.set_limit(20);
        assert_eq!(climb.target(), FIRST);
    }
}
