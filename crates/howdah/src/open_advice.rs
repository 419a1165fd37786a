//! What is open in the journal of advice, for alerts. Not what is advised, and not when somebody is told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use howdah_advisor::Impact;
use howdah_alerts::Undecided;
use howdah_core::alerts::AdviceSeen;
use howdah_ops::journal::{FILE, Journal, State};

use crate::Config;

/// The journal, by its file.
pub(crate) struct OpenAdvice(PathBuf);

impl OpenAdvice {
    /// Beside the file of the past; `None`: nothing is written down.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        Some(Self(config.history()?.path.with_file_name(FILE)))
    }
}

impl Undecided for OpenAdvice {
    fn open(&self) -> Option<Vec<AdviceSeen>> {
        if !self.0.exists() {
            // Nobody has asked for advice yet, and looking makes no file.
            return Some(Vec::new());
        }
        let entries = Journal::open(&self.0).and_then(|journal| journal.entries(None)).ok()?;
        let mut open = BTreeMap::<String, Vec<(f64, String)>>::new();
        for entry in entries {
            if entry.state == State::Open && entry.advice.impact == Impact::High {
                let saves = entry.advice.saves.unwrap_or(0.0);
                open.entry(entry.place.name).or_default().push((saves, entry.advice.title));
            }
        }
        let seen = open.into_iter().map(|(database, mut high)| {
            high.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            let count = u64::try_from(high.len()).unwrap_or(u64::MAX);
            let first = high.into_iter().next().map(|(_, title)| title).unwrap_or_default();
            AdviceSeen { database, high: count, first }
        });
        Some(seen.collect())
    }
}
