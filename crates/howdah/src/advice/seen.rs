//! What clients have asked of a database, from the book of statements, as advice needs it. Not what it makes of it.
//!
//! Invariant: the book is locked only while this is taken out of it.

use std::collections::HashMap;

use howdah_advisor::n_plus_one::{Form, Pattern};
use howdah_advisor::{Kind, Recommendation};
use howdah_core::statements::{Book, ChainTotal, Sureness};
use howdah_ops::Counted;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Forms that read or change rows, with the time that servers took for them.
    pub(super) statements: Vec<Counted>,
    /// Advice about how statements follow each other.
    pub(super) patterns: Vec<Recommendation>,
}

impl Seen {
    /// Kinds of [`Seen::patterns`].
    pub(super) const KINDS: [Kind; 1] = [Kind::NPlusOne];

    /// Of a database, by the name that clients use.
    pub(super) fn of(book: &Book, database: &str, examples: bool) -> Self {
        let mut forms = HashMap::<u64, Counted>::new();
        for entry in book.entries().filter(|entry| &*entry.database == database) {
            let Some(fingerprint) = entry.fingerprint else { continue };
            if !["read", "write"].contains(&entry.kind) || entry.text.ends_with('…') {
                continue;
            }
            let text = entry.example.text().filter(|_| examples).unwrap_or(&entry.text);
            let form = forms.entry(fingerprint).or_insert_with(|| Counted {
                fingerprint: format!("{fingerprint:016x}"),
                sql: text.to_owned(),
                calls: 0.0,
                time: 0.0,
                rows: 0.0,
            });
            // What the cache answers costs the server nothing.
            form.calls += entry.sums.calls.saturating_sub(entry.sums.cached) as f64;
            form.time += entry.sums.server_us as f64 / 1e6;
            form.rows += entry.sums.rows as f64;
        }
        let all: f64 = forms.values().map(|form| form.time).sum();
        let chains = book.chains().filter(|chain| &*chain.database == database);
        let patterns = chains.filter_map(|chain| pattern(book, chain, all)).collect();
        Self { statements: forms.into_values().collect(), patterns }
    }
}

/// What is told of a chain; `None`: it is not sure enough: of traffic without pauses much looks like a chain whose values do not agree. `all` is the time of all statements, in seconds.
fn pattern(book: &Book, chain: &ChainTotal, all: f64) -> Option<Recommendation> {
    let seen = &chain.seen;
    if seen.sureness() < Sureness::Certain {
        return None;
    }
    let text = |fingerprint: u64| {
        let mut known = book.entries().filter(|entry| entry.fingerprint == Some(fingerprint));
        known.next().map_or_else(String::new, |entry| entry.text.to_string())
    };
    let named = |fingerprint: u64| (format!("{fingerprint:016x}"), text(fingerprint));
    let (child, parent) = (named(chain.child), chain.parent.map(named));
    let wasted = seen.wasted_us as f64 / 1e6;
    let form = |(fingerprint, text)| Form { fingerprint, text };
    let pattern = Pattern {
        parent: parent
            .as_ref()
            .map(|(fingerprint, text)| form((fingerprint.as_str(), text.as_str()))),
        child: form((child.0.as_str(), child.1.as_str())),
        varying: usize::from(seen.varying),
        times: seen.times,
        sessions: seen.sessions(),
        calls: seen.calls,
        wasted,
        share: (all > 0.0).then(|| (wasted / all).min(1.0)),
        certain: true,
        application: &chain.application,
        route: &chain.route,
    };
    Some(pattern.recommendation())
}
