//! What the parts of a pool that is spread over workers owe each other. Each part has a share of the size; what a part does not
//! use, the others may borrow. Not who of a part's clients gets a server: that is its ledger.
//!
//! Invariant: a part that needs a server and has fewer than its share is due one before any part beyond its share gets another;
//! and no part gives up a server of its own share that it has lately used.

use std::time::Duration;

/// An idle server of a part's own share may be lent when it was not used for this long: a short lull is no reason to open it again.
pub const RESTED: Duration = Duration::from_secs(1);

/// One part of a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// Servers idle, busy and opening.
    pub open: u32,
    /// Servers that it may claim. Those of all parts are the size of the pool.
    pub share: u32,
    /// Servers that it holds even when nobody uses them.
    pub least: u32,
    /// Clients that wait.
    pub waiting: usize,
}

/// What a part wants that was refused a place for one more server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Want {
    /// Nothing: nobody waits.
    #[default]
    Nothing,
    /// More than its share.
    Loan,
    /// Its share.
    Share,
}

/// What some part wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// There is a [`Want::Loan`].
    pub loans: bool,
    /// There is a [`Want::Share`].
    pub shares: bool,
    /// Servers open beyond the size of the pool, which was made smaller or had a spike.
    pub excess: u32,
}

/// What a part gives up now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gift {
    /// Idle servers at most.
    pub idle: u32,
    /// Only those that were idle for [`RESTED`].
    pub rested: bool,
    /// If there were none idle, the next one that comes back.
    pub next: bool,
}

impl Part {
    /// What it wants, having been refused a place.
    #[must_use]
    pub const fn want(&self) -> Want {
        if self.waiting == 0 {
            Want::Nothing
        } else if self.open < self.share {
            Want::Share
        } else {
            Want::Loan
        }
    }

    /// Whether it may ask for a place.
    #[must_use]
    pub const fn may_open(&self, wanted: Wanted) -> bool {
        self.open < self.share || !wanted.shares
    }

    /// What it gives up for others, or because there are too many.
    #[must_use]
    pub fn gives(&self, wanted: Wanted) -> Gift {
        let borrowed = self.open.saturating_sub(self.share);
        if borrowed > 0 && wanted.shares {
            return Gift { idle: 1, rested: false, next: true };
        }
        if self.waiting > 0 {
            return Gift::default();
        }
        if borrowed > 0 && wanted.excess > 0 {
            return Gift { idle: borrowed.min(wanted.excess), rested: false, next: true };
        }
        let lends = (wanted.loans || wanted.shares) && self.open > self.least;
        Gift { idle: u32::from(lends), rested: true, next: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOANS: Wanted = Wanted { loans: true, shares: false, excess: 0 };
    const SHARES: Wanted = Wanted { loans: false, shares: true, excess: 0 };

    fn part(open: u32, waiting: usize) -> Part {
        Part { open, share: 10, least: 2, waiting }
    }

    #[test]
    fn a_part_claims_its_share_and_asks_for_more() {
        assert_eq!(part(10, 0).want(), Want::Nothing);
        assert_eq!(part(9, 1).want(), Want::Share);
        assert_eq!(part(10, 1).want(), Want::Loan);
    }

    #[test]
    fn nobody_borrows_what_another_part_is_due() {
        assert!(part(15, 3).may_open(LOANS));
        assert!(!part(10, 3).may_open(SHARES));
        assert!(part(9, 3).may_open(SHARES));
    }

    #[test]
    fn what_was_borrowed_goes_back_even_from_a_busy_part() {
        let gift = Gift { idle: 1, rested: false, next: true };
        assert_eq!(part(11, 5).gives(SHARES), gift);
        assert_eq!(part(11, 0).gives(SHARES), gift);
        assert_eq!(part(11, 5).gives(LOANS), Gift::default(), "a loan is not taken from a loan");
    }

    #[test]
    fn a_part_lends_what_it_does_not_use_and_never_what_it_does() {
        let gift = Gift { idle: 1, rested: true, next: false };
        assert_eq!(part(10, 0).gives(LOANS), gift);
        assert_eq!(part(10, 0).gives(SHARES), gift);
        for idle in [part(2, 0), part(10, 1)] {
            assert_eq!(idle.gives(LOANS).idle, 0, "{idle:?}");
        }
        assert_eq!(part(10, 0).gives(Wanted::default()).idle, 0);
    }

    #[test]
    fn servers_beyond_the_size_go_when_nobody_waits() {
        let wanted = Wanted { excess: 3, ..Wanted::default() };
        assert_eq!(part(12, 0).gives(wanted), Gift { idle: 2, rested: false, next: true });
        assert_eq!(part(12, 1).gives(wanted), Gift::default(), "they are what a reserve is for");
        assert_eq!(part(10, 0).gives(wanted).idle, 0, "others have them");
    }

    /// One look of both parts of a pool of 20: they give, then they open.
    fn tick(parts: &mut [Part; 2]) {
        let free = |parts: &[Part; 2]| 20 - parts[0].open - parts[1].open;
        let mut wanted = Wanted::default();
        for part in parts.iter().filter(|_| free(parts) == 0) {
            wanted.loans |= part.want() == Want::Loan;
            wanted.shares |= part.want() == Want::Share;
        }
        for part in parts.iter_mut() {
            let gift = part.gives(wanted);
            part.open -= gift.idle.max(u32::from(gift.next));
        }
        for at in [0, 1] {
            while parts[at].waiting > 0 && parts[at].may_open(wanted) && free(parts) > 0 {
                parts[at].open += 1;
                parts[at].waiting -= 1;
            }
        }
    }

    #[test]
    fn clients_of_one_part_get_what_the_other_leaves_until_its_own_clients_come() {
        let mut parts = [part(10, 100), part(10, 0)];
        (0..50).for_each(|_| tick(&mut parts));
        assert_eq!([parts[0].open, parts[1].open], [18, 2], "all but the least of the idle part");
        parts[1].waiting = 100;
        (0..50).for_each(|_| tick(&mut parts));
        assert_eq!([parts[0].open, parts[1].open], [10, 10], "each its share");
        (0..50).for_each(|_| tick(&mut parts));
        assert_eq!([parts[0].open, parts[1].open], [10, 10], "and it stays so");
    }
}
