//! How many servers a pool needs, by what it was seen to do: Little's law over a window, with head room. Not who gets a server:
//! that is the ledger, which may be given the result as its target.
//!
//! Invariant: the advice lies between the pool's least and its largest size, and follows from the numbers it is shown with.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// Length of a slot of the window.
const SLOT: Duration = Duration::from_secs(1);
/// Slots of the window: two minutes.
const SLOTS: usize = 120;
/// The part of slots, in percent, whose peak the pool must hold without a wait.
const PERCENTILE: usize = 99;
/// Head room is one server for so many busy ones, and at least one.
const HEAD_ROOM: u32 = 5;

/// A look at a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// Servers in use now.
    pub busy: u32,
    /// Most servers in use at once since the last look.
    pub peak: u32,
    /// Clients that wait now.
    pub waiting: usize,
    /// Checkouts since the pool was made.
    pub checkouts: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    looks: u32,
    busy: u64,
    peak: u32,
    waited: u32,
    checkouts: u64,
}

/// What a pool did within the window.
#[derive(Debug, Clone, Default)]
pub struct Sizing {
    slots: VecDeque<Slot>,
    current: Slot,
    begun: Option<Instant>,
    seen: u64,
}

/// A recommended size with its arithmetic.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// Checkouts a second.
    pub rate: f64,
    /// Servers in use on average.
    pub mean: f64,
    /// Servers in use at once, in all but the busiest hundredth of the seconds.
    pub p99: u32,
    /// Servers added to that.
    pub head_room: u32,
    /// Part of the time in which clients waited, from 0 to 1.
    pub waited: f64,
    /// Servers recommended.
    pub size: u32,
    /// Servers the pool may have.
    pub max_size: u32,
}

impl Sizing {
    /// Takes a look. Looks are taken at even intervals, much shorter than a second.
    pub fn look(&mut self, now: Instant, sample: Sample) {
        let begun = *self.begun.get_or_insert(now);
        if now.saturating_duration_since(begun) >= SLOT && self.current.looks > 0 {
            if self.slots.len() >= SLOTS {
                self.slots.pop_front();
            }
            self.slots.push_back(std::mem::take(&mut self.current));
            self.begun = Some(now);
        }
        let slot = &mut self.current;
        slot.looks += 1;
        slot.busy += u64::from(sample.busy);
        slot.peak = slot.peak.max(sample.peak.max(sample.busy));
        slot.waited += u32::from(sample.waiting > 0);
        slot.checkouts += sample.checkouts.saturating_sub(self.seen);
        self.seen = sample.checkouts;
    }

    /// The size to have, between `min` and `max`. `None` before the first second is over.
    #[must_use]
    pub fn advice(&self, min: u32, max: u32) -> Option<Advice> {
        let mut peaks: Vec<u32> = self.slots.iter().map(|slot| slot.peak).collect();
        peaks.sort_unstable();
        let rank = (peaks.len() * PERCENTILE).div_ceil(100).checked_sub(1)?;
        let p99 = *peaks.get(rank)?;
        let sum = |part: fn(&Slot) -> u64| self.slots.iter().map(part).sum::<u64>() as f64;
        let looks = sum(|slot| u64::from(slot.looks)).max(1.0);
        let seconds = SLOT.as_secs_f64() * self.slots.len() as f64;
        let head_room = if p99 == 0 { 0 } else { p99.div_ceil(HEAD_ROOM) };
        Some(Advice {
            rate: sum(|slot| slot.checkouts) / seconds,
            mean: sum(|slot| slot.busy) / looks,
            p99,
            head_room,
            waited: sum(|slot| u64::from(slot.waited)) / looks,
            size: p99.saturating_add(head_room).clamp(min, max.max(min)),
            max_size: max,
        })
    }
}

impl Advice {
    /// How long a checkout lasted on average, by Little's law. `None` without checkouts.
    #[must_use]
    pub fn busy_time(&self) -> Option<Duration> {
        let seconds = self.mean / self.rate;
        (self.rate > 0.0).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
    }

    /// Adds the same pool of another worker: they serve different clients, so everything adds up, up to the size that they have
    /// together.
    pub fn merge(&mut self, other: &Self) {
        self.rate += other.rate;
        self.mean += other.mean;
        self.p99 = self.p99.saturating_add(other.p99);
        self.head_room = self.head_room.saturating_add(other.head_room);
        self.waited = self.waited.max(other.waited);
        self.max_size = self.max_size.max(other.max_size);
        self.size = self.size.saturating_add(other.size).min(self.max_size);
    }
}

impl fmt::Display for Advice {
    /// `12.4 requests/s × 31.0 ms = 0.4 busy on average, P99 3, head room 1: 4 of 20`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(time) = self.busy_time() {
            let milliseconds = time.as_secs_f64() * 1000.0;
            write!(f, "{:.1} requests/s × {milliseconds:.1} ms = ", self.rate)?;
        }
        write!(
            f,
            "{:.1} busy on average, P99 {}, head room {}: {} of {}",
            self.mean, self.p99, self.head_room, self.size, self.max_size
        )?;
        if self.waited > 0.0 {
            let percent = (self.waited * 100.0).ceil();
            write!(f, "; clients waited {percent:.0} % of the time")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(50);

    /// Looks for so many seconds at a pool with this many busy servers and checkouts a second.
    fn seen(sizing: &mut Sizing, now: &mut Instant, seconds: u32, busy: u32, rate: u64) {
        for _ in 0..seconds * 20 {
            *now += LOOK;
            let checkouts = sizing.seen + rate / 20;
            sizing.look(*now, Sample { busy, peak: busy, waiting: 0, checkouts });
        }
    }

    #[test]
    fn nothing_is_advised_before_anything_was_seen() {
        let mut sizing = Sizing::default();
        assert_eq!(sizing.advice(0, 20), None);
        sizing.look(Instant::now(), Sample::default());
        assert_eq!(sizing.advice(0, 20), None);
    }

    #[test]
    fn the_advice_is_littles_law_with_head_room() {
        let (mut sizing, mut now) = (Sizing::default(), Instant::now());
        seen(&mut sizing, &mut now, 60, 5, 100);
        let advice = sizing.advice(0, 20).unwrap();
        assert!((advice.rate - 100.0).abs() < 2.0, "{advice:?}");
        assert!((advice.mean - 5.0).abs() < 0.01, "{advice:?}");
        let busy = advice.busy_time().unwrap().as_millis();
        assert!((48..=52).contains(&busy), "{busy} ms");
        assert_eq!((advice.p99, advice.head_room, advice.size), (5, 1, 6));
    }

    #[test]
    fn the_text_shows_the_arithmetic() {
        let advice = Advice {
            rate: 12.4,
            mean: 0.4,
            p99: 3,
            head_room: 1,
            waited: 0.0,
            size: 4,
            max_size: 20,
        };
        assert_eq!(
            advice.to_string(),
            "12.4 requests/s × 32.3 ms = 0.4 busy on average, P99 3, head room 1: 4 of 20"
        );
        let waiting = Advice { waited: 0.013, rate: 0.0, ..advice };
        assert_eq!(
            waiting.to_string(),
            "0.4 busy on average, P99 3, head room 1: 4 of 20; clients waited 2 % of the time"
        );
    }

    #[test]
    fn a_peak_between_two_looks_counts_and_leaves_with_the_window() {
        let (mut sizing, mut now) = (Sizing::default(), Instant::now());
        seen(&mut sizing, &mut now, 10, 1, 20);
        now += LOOK;
        sizing.look(now, Sample { busy: 1, peak: 9, waiting: 0, checkouts: sizing.seen });
        seen(&mut sizing, &mut now, 20, 1, 20);
        assert_eq!(sizing.advice(0, 20).unwrap().p99, 9);
        seen(&mut sizing, &mut now, 125, 1, 20);
        assert_eq!(sizing.advice(0, 20).unwrap().size, 2);
    }

    #[test]
    fn the_advice_stays_within_the_sizes_whatever_was_seen() {
        let mut random = 7_u64;
        for _ in 0..50 {
            let (mut sizing, mut now) = (Sizing::default(), Instant::now());
            for _ in 0..40 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let busy = u32::try_from(random >> 58).unwrap();
                seen(&mut sizing, &mut now, 1, busy, random >> 55);
                if let Some(advice) = sizing.advice(2, 20) {
                    assert!((2..=20).contains(&advice.size), "{advice:?}");
                    assert!(advice.p99 <= 63 && advice.mean <= 63.0, "{advice:?}");
                }
            }
        }
    }
}
