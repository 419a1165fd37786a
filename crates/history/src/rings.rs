//! Rings: how fine the past is kept, and for how long. A ring is a row of slots of equal length since 1970.
//!
//! Invariant: the slots of a finer ring fill those of the next one without a rest.

use std::time::Duration;

/// How fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ring {
    /// Of one second.
    Second,
    /// Of ten seconds.
    Ten,
    /// Of a minute.
    Minute,
    /// Of an hour.
    Hour,
}

impl Ring {
    /// All, the finest first.
    pub const ALL: [Self; 4] = [Self::Second, Self::Ten, Self::Minute, Self::Hour];

    /// Seconds of a slot.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Ten => 10,
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }

    /// Its number in the file.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Second => 0,
            Self::Ten => 1,
            Self::Minute => 2,
            Self::Hour => 3,
        }
    }
}

/// How long each ring is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Seconds.
    pub seconds: Duration,
    /// Tens of seconds.
    pub tens: Duration,
    /// Minutes; of statements, a day of them at most.
    pub minutes: Duration,
    /// Hours.
    pub hours: Duration,
    /// Hours of statements.
    pub statements: Duration,
}

/// Minutes of statements are many, and hours of them enough for reports: those are kept for a day.
const STATEMENT_MINUTES: Duration = Duration::from_secs(86_400);

impl Keep {
    /// How long a ring of a kind of subject is kept.
    pub(crate) fn of(&self, statements: bool, ring: Ring) -> Duration {
        match (ring, statements) {
            (Ring::Second, _) => self.seconds,
            (Ring::Ten, _) => self.tens,
            (Ring::Minute, false) => self.minutes,
            (Ring::Minute, true) => self.minutes.min(STATEMENT_MINUTES),
            (Ring::Hour, false) => self.hours,
            (Ring::Hour, true) => self.statements,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_a_finer_ring_fill_those_of_the_next() {
        for (finer, coarser) in Ring::ALL.iter().zip(Ring::ALL.iter().skip(1)) {
            assert_eq!(coarser.seconds() % finer.seconds(), 0);
            assert!(finer.number() < coarser.number());
        }
    }
}
