//! Who in an application sends a form, and from where: calls and their time by `application_name`, by address, and by route, which is what
//! a comment in the statement says (`howdah_sql::route`). Names are numbers while a worker counts, and texts in the book.
//!
//! Invariant: the shares of a facet add up to the calls of the form; a name for which there is no room counts as [`OTHERS`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::limits;

/// In how many ways the calls of a form are told apart.
pub const FACETS: usize = 3;

/// The name of those that have none of their own any more.
pub const OTHERS: &str = "*";

/// One way to tell the calls of a form apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facet {
    /// The `application_name` of the session.
    Application,
    /// The address of the client, without its port.
    Address,
    /// What of the application's code sends it, as a comment in the statement says.
    Route,
}

impl Facet {
    /// All of them, in the order of [`Origin`].
    pub const ALL: [Self; FACETS] = [Self::Application, Self::Address, Self::Route];

    /// A word for reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Address => "address",
            Self::Route => "route",
        }
    }
}

/// A name as a number, in one tally. Without more it stands for no name at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NameId(u32);

impl NameId {
    const OTHERS: Self = Self(1);
}

/// Where a call comes from, by [`Facet::ALL`].
pub type Origin = [NameId; FACETS];

/// A part of the calls of a form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Calls.
    pub calls: u64,
    /// Their time in microseconds, waiting included.
    pub time_us: u64,
}

impl Share {
    /// Adds another one.
    pub const fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.time_us = self.time_us.wrapping_add(other.time_us);
    }
}

/// Calls by name: no more than [`limits::STATEMENT_NAMES_PER_FORM`] and the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares<N>(Vec<(N, Share)>);

impl<N: PartialEq + Clone> Shares<N> {
    /// Adds calls of a name, or of `others` when there is no room for it.
    pub(super) fn add(&mut self, name: &N, others: &N, share: Share) {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| known == name) {
            known.add(share);
        } else if self.0.len() < limits::STATEMENT_NAMES_PER_FORM || name == others {
            self.0.push((name.clone(), share));
        } else {
            self.add(others, others, share);
        }
    }

    /// Names with their calls, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&N, Share)> {
        self.0.iter().map(|(name, share)| (name, *share))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Names of one tally.
#[derive(Debug)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, NameId>,
    names: Vec<Arc<str>>,
}

impl Default for Names {
    fn default() -> Self {
        let (none, others): (Arc<str>, Arc<str>) = ("".into(), OTHERS.into());
        let names = vec![Arc::clone(&none), Arc::clone(&others)];
        Self { numbers: [(none, NameId(0)), (others, NameId::OTHERS)].into(), names }
    }
}

impl Names {
    /// The number of a name. Beyond [`limits::STATEMENT_NAMES`] all are one.
    pub(super) fn number(&mut self, name: &str) -> NameId {
        let end = name.floor_char_boundary(limits::STATEMENT_NAME);
        let name = name.get(..end).unwrap_or_default();
        if let Some(known) = self.numbers.get(name) {
            return *known;
        }
        if self.names.len() >= limits::STATEMENT_NAMES {
            return NameId::OTHERS;
        }
        let Ok(next) = u32::try_from(self.names.len()) else { return NameId::OTHERS };
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, NameId(next));
        NameId(next)
    }

    /// The name of a number.
    pub(super) fn name(&self, number: NameId) -> Arc<str> {
        let known = usize::try_from(number.0).ok().and_then(|at| self.names.get(at));
        known.map_or_else(|| OTHERS.into(), Arc::clone)
    }
}

/// Names of one facet with their parts of all calls, those with the most time first.
pub type Parts = Vec<(Arc<str>, Share)>;

/// Calls of several forms by where they come from, by [`Facet::ALL`]. Of each facet so many names at most, and then what is left.
pub fn origins<'a>(
    forms: impl Iterator<Item = &'a [Shares<Arc<str>>; FACETS]>,
    most: usize,
) -> [Parts; FACETS] {
    let mut found = [const { BTreeMap::<Arc<str>, Share>::new() }; FACETS];
    for shares in forms {
        for (found, shares) in found.iter_mut().zip(shares) {
            for (name, share) in shares.iter() {
                found.entry(Arc::clone(name)).or_default().add(share);
            }
        }
    }
    found.map(|by_name| sorted(by_name, most))
}

fn sorted(mut by_name: BTreeMap<Arc<str>, Share>, most: usize) -> Parts {
    let mut others = by_name.remove(OTHERS).unwrap_or_default();
    let mut parts: Parts = by_name.into_iter().collect();
    parts.sort_by_key(|(_, share)| std::cmp::Reverse(share.time_us));
    for (_, share) in parts.drain(parts.len().min(most)..) {
        others.add(share);
    }
    if others.calls > 0 {
        parts.push((OTHERS.into(), others));
    }
    parts
}

/// Counts one call by where it comes from.
pub(super) fn count(shares: &mut [Shares<NameId>; FACETS], origin: Origin, time_us: u64) {
    for (shares, name) in shares.iter_mut().zip(origin) {
        shares.add(&name, &NameId::OTHERS, Share { calls: 1, time_us });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_counts_as_others_and_nothing_is_lost() {
        let mut shares = Shares::<Arc<str>>::default();
        let others: Arc<str> = OTHERS.into();
        for number in 0..1_000_u64 {
            let name: Arc<str> = format!("job {}", number % 100).into();
            shares.add(&name, &others, Share { calls: 1, time_us: number });
        }
        let calls: u64 = shares.iter().map(|(_, share)| share.calls).sum();
        let time: u64 = shares.iter().map(|(_, share)| share.time_us).sum();
        assert_eq!((calls, time), (1_000, 999 * 500));
        assert_eq!(shares.iter().count(), limits::STATEMENT_NAMES_PER_FORM + 1);
        let rest = shares.iter().find(|(name, _)| ***name == *OTHERS).map(|(_, share)| share.calls);
        assert_eq!(rest, Some(1_000 - 10 * limits::STATEMENT_NAMES_PER_FORM as u64));
    }

    #[test]
    fn names_keep_their_number_and_are_bounded() {
        let mut names = Names::default();
        assert_eq!(names.number(""), NameId::default());
        let web = names.number("web");
        assert_eq!((names.number("web"), &*names.name(web)), (web, "web"));
        for number in 0..limits::STATEMENT_NAMES {
            names.number(&format!("{number}"));
        }
        let late = names.number("late");
        assert_eq!((late, &*names.name(late)), (NameId::OTHERS, OTHERS));
        assert_eq!(names.number("web"), web);
        let long = names.number(&"ä".repeat(limits::STATEMENT_NAME));
        assert_eq!(long, NameId::OTHERS);
    }
}
