//! What clients have asked of a database, from the book of statements, as advice needs it. Not what it makes of it.
//!
//! Invariant: the book is locked only while this is taken out of it.

use std::collections::HashMap;

use howdah_advisor::{Kind, Recommendation};
use howdah_core::statements::Book;
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
            });
            // What the cache answers costs the server nothing.
            form.calls += entry.sums.calls.saturating_sub(entry.sums.cached) as f64;
            form.time += entry.sums.server_us as f64 / 1e6;
        }
        Self { statements: forms.into_values().collect(), patterns: Vec::new() }
    }
}
