//! Statements that run once for every row of another: the pattern of object mappers that is called N+1. Told of one session's calls in
//! their order; not a guess from totals.
//!
//! Invariant: a chain is told of only when a form ran exactly as often, without anything between, as the call before it gave rows.

use howdah_sql::{Analysis, Class};

/// Shorter runs prove nothing.
const SHORTEST: u64 = 4;

/// One form ran once for every row of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// Fingerprint of the statement that gave the rows.
    pub parent: u64,
    /// Fingerprint of the one that ran for each of them.
    pub child: u64,
    /// How often that was.
    pub calls: u64,
}

/// The last calls of a session.
#[derive(Debug, Clone, Copy)]
pub struct Recent {
    /// The call before the run, and its rows.
    parent: (u64, u64),
    form: u64,
    /// Calls of the form without another between, and the rows of the first of them.
    run: u64,
    rows: u64,
}

impl Recent {
    /// No call yet.
    pub const NONE: Self = Self { parent: (0, 0), form: 0, run: 0, rows: 0 };

    /// A call has ended. The chain that ended before it, if one did.
    pub fn on_call(&mut self, analysis: &Analysis, rows: u64) -> Option<Chain> {
        let form = analysis.fingerprint.0;
        if analysis.class == Class::TransactionControl {
            return None;
        }
        if form == self.form {
            self.run += 1;
            return None;
        }
        let (parent, of_parent) = self.parent;
        let chain = Chain { parent, child: self.form, calls: self.run };
        let found = self.run >= SHORTEST && of_parent == self.run && self.form != 0;
        self.parent = if self.run == 1 { (self.form, self.rows) } else { (0, 0) };
        (self.form, self.run, self.rows) = (form, 1, rows);
        found.then_some(chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chains(calls: &[(u64, u64)]) -> Vec<Chain> {
        let mut recent = Recent::NONE;
        let of = |(form, rows): &(u64, u64)| {
            let mut analysis = Analysis::unknown();
            analysis.fingerprint = howdah_sql::Fingerprint(*form);
            recent.on_call(&analysis, *rows)
        };
        calls.iter().filter_map(of).collect()
    }

    #[test]
    fn one_call_for_every_row_is_a_chain() {
        let found = chains(&[(1, 5), (2, 1), (2, 1), (2, 1), (2, 1), (2, 0), (3, 1)]);
        assert_eq!(found, [Chain { parent: 1, child: 2, calls: 5 }]);
    }

    #[test]
    fn what_only_looks_like_it_is_none() {
        let twos = |count| std::iter::repeat_n((2, 1), count);
        let with = |rows, count| [(1, rows)].into_iter().chain(twos(count)).chain([(3, 1)]);
        assert!(chains(&with(6, 5).collect::<Vec<_>>()).is_empty(), "fewer calls than rows");
        assert!(chains(&with(4, 5).collect::<Vec<_>>()).is_empty(), "more calls than rows");
        assert!(chains(&with(3, 3).collect::<Vec<_>>()).is_empty(), "too few to tell");
        assert!(chains(&twos(500).collect::<Vec<_>>()).is_empty(), "the same for ever");
    }
}
