//! What a snapshot of PostgreSQL sees: `pg_current_snapshot()`, read and asked. Not when it is taken.
//!
//! Invariant: what is said to be visible in a snapshot is visible in every later one of the same server.

use std::str::FromStr;

/// Which server a snapshot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// It lists the transactions that are running.
    Primary,
    /// It leaves them out, so only what is before all of them is known to be visible.
    Standby,
}

/// `pg_current_snapshot()`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// All transactions before this one have ended.
    xmin: u64,
    /// None from this one on has ended.
    xmax: u64,
    /// Those between that have not ended, ascending.
    running: Box<[u64]>,
}

/// Not `xmin:xmax:xid,xid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a snapshot looks like 10:20:10,14,15")]
pub struct NotASnapshot;

impl FromStr for Snapshot {
    type Err = NotASnapshot;

    fn from_str(text: &str) -> Result<Self, NotASnapshot> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| NotASnapshot);
        let (xmin, rest) = text.split_once(':').ok_or(NotASnapshot)?;
        let (xmax, running) = rest.split_once(':').ok_or(NotASnapshot)?;
        let running = match running {
            "" => Vec::new(),
            list => list.split(',').map(number).collect::<Result<Vec<_>, _>>()?,
        };
        let (xmin, xmax) = (number(xmin)?, number(xmax)?);
        let in_order = running.is_sorted() && xmin <= xmax;
        let running = running.into_boxed_slice();
        if in_order { Ok(Self { xmin, xmax, running }) } else { Err(NotASnapshot) }
    }
}

impl Snapshot {
    /// The number with all its bits of a transaction that the stream names with the lower half: the nearest to this snapshot.
    #[must_use]
    pub const fn widen(&self, xid: u32) -> u64 {
        const EPOCH: u64 = 1 << 32;
        let near = (self.xmax & !(EPOCH - 1)) | xid as u64;
        // Which of three is nearest: a stream and a snapshot of one server are never half a circle apart.
        if near > self.xmax && near - self.xmax > EPOCH / 2 && near >= EPOCH {
            near - EPOCH
        } else if near < self.xmax && self.xmax - near > EPOCH / 2 {
            near + EPOCH
        } else {
            near
        }
    }

    /// Whether a transaction that has committed is visible in this snapshot, and so in all later ones.
    #[must_use]
    pub fn shows(&self, xid: u32, reader: Reader) -> bool {
        let xid = self.widen(xid);
        match reader {
            Reader::Primary => {
                xid < self.xmin || (xid < self.xmax && self.running.binary_search(&xid).is_err())
            }
            Reader::Standby => xid < self.xmin,
        }
    }

    /// Whether this transaction and all that were begun before it have ended.
    #[must_use]
    pub const fn is_after(&self, xid: u32) -> bool {
        self.widen(xid) < self.xmin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_shows_what_has_ended_and_a_standby_only_what_is_before_all_that_runs() {
        let snapshot: Snapshot = "10:20:10,14,15".parse().unwrap();
        for (xid, primary, standby) in [
            (9, true, true),
            (10, false, false),
            (11, true, false),
            (14, false, false),
            (19, true, false),
            (20, false, false),
            (21, false, false),
        ] {
            assert_eq!(snapshot.shows(xid, Reader::Primary), primary, "{xid}");
            assert_eq!(snapshot.shows(xid, Reader::Standby), standby, "{xid}");
        }
        assert!(snapshot.is_after(9) && !snapshot.is_after(10));
        let idle: Snapshot = "20:20:".parse().unwrap();
        assert!(idle.shows(19, Reader::Primary) && !idle.shows(20, Reader::Primary));
    }

    #[test]
    fn short_numbers_are_widened_to_the_nearest_across_the_end_of_the_circle() {
        const EPOCH: u64 = 1 << 32;
        let at = |xmax: u64| -> Snapshot { format!("{xmax}:{xmax}:").parse().unwrap() };
        for (xmax, xid, wide) in [
            (5 * EPOCH + 100, 99, 5 * EPOCH + 99),
            (5 * EPOCH + 100, 101, 5 * EPOCH + 101),
            (5 * EPOCH + 2, u32::MAX, 5 * EPOCH - 1),
            (5 * EPOCH - 1, 3, 5 * EPOCH + 3),
            (100, 3_000_000_000, 3_000_000_000),
        ] {
            assert_eq!(at(xmax).widen(xid), wide, "{xmax} {xid}");
        }
    }

    #[test]
    fn what_is_no_snapshot_is_refused() {
        for text in ["", "1", "1:2", "2:1:", "1:x:", "1:9:3,2", "1:9:3,", "1:9:-3"] {
            assert_eq!(text.parse::<Snapshot>(), Err(NotASnapshot), "{text:?}");
        }
    }
}
