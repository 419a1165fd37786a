//! Which application, machine and route the time of statements comes from, added up over forms. Not how it is counted:
//! `howdah_core::statements`.
//!
//! Invariant: what is shown of a facet adds up to all calls of the forms that are shown.

use std::sync::Arc;

use howdah_core::statements::{self, Entry, Facet, Parts, Share};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::ms;

/// Names of a facet that are shown; the rest is one line.
const NAMES: usize = 50;

/// Only calls from here.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct OriginFilter {
    application: Option<String>,
    address: Option<String>,
    route: Option<String>,
}

impl OriginFilter {
    /// The part of the calls of a form that is wanted; `None`: there is none.
    pub(crate) fn part(&self, entry: &Entry) -> Option<Share> {
        entry.part([&self.application, &self.address, &self.route].map(Option::as_deref))
    }
}

/// For every facet the names with the most time.
pub(crate) fn origins<'a>(entries: impl Iterator<Item = &'a Entry>) -> Value {
    let found = statements::origins(entries.map(|entry| &entry.origins), NAMES);
    let line = |(name, share): &(Arc<str>, Share)| json!({ "name": &**name, "calls": share.calls, "total_ms": ms(share.time_us) });
    let lines = |parts: Parts| parts.iter().map(line).collect::<Vec<_>>();
    let facets = Facet::ALL.iter().zip(found);
    facets.map(|(facet, parts)| (facet.as_str(), lines(parts))).collect()
}
