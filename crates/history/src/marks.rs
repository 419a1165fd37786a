//! Marks: moments at which something changed. Told by people and pipelines, by the program around, and found in what is observed:
//! another primary, a node that goes or comes, definitions that have changed, statements that define.
//!
//! Invariant: bounded: text by [`MARK_TEXT`], found ones by [`AT_ONCE`] per look.

use std::collections::{BTreeMap, HashMap};

use howdah_core::statements::Book;
use howdah_proxy::report::Report;
use serde::Serialize;

use crate::now_ms;

/// Characters of a mark.
pub const MARK_TEXT: usize = 200;
/// Marks that one look may find.
const AT_ONCE: usize = 8;
/// Seconds between two marks of one statement that defines.
const SAME: u64 = 60;
/// Such statements that are remembered for that.
const REMEMBERED: usize = 64;

/// A moment at which something changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// `start`, `stop`, `reload`, `primary`, `node`, `definitions`, `ddl`, `mark`.
    pub kind: String,
    /// What changed.
    pub text: String,
}

impl Mark {
    /// Now. Control characters become blanks, and what is too long is cut.
    #[must_use]
    pub fn now(kind: &str, text: &str) -> Self {
        let clean = text.chars().map(|char| if char.is_control() { ' ' } else { char });
        let text = clean.take(MARK_TEXT).collect();
        Self { at_ms: now_ms(), kind: kind.to_owned(), text }
    }
}

/// What was seen last of nodes and definitions.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    nodes: Option<BTreeMap<String, (bool, bool)>>,
    definitions: BTreeMap<String, u64>,
    /// How many statements have defined something, and when that was looked at last.
    defining: u64,
    looked: u64,
    /// When one was marked last, in milliseconds.
    marked: HashMap<String, u64>,
}

impl Watch {
    /// What has changed since the last look. The first has nothing to compare with.
    pub(crate) fn look(&mut self, report: &Report) -> Vec<Mark> {
        let mut found = Vec::new();
        let nodes: BTreeMap<String, (bool, bool)> = report
            .nodes
            .iter()
            .map(|node| (node.name.clone(), (node.is_well(), node.standing == "primary")))
            .collect();
        if let Some(before) = &self.nodes {
            for (name, (well, primary)) in &nodes {
                let known = before.get(name);
                let others = before.iter().any(|(other, (_, was))| *was && other != name);
                if *primary && known.is_none_or(|(_, was)| !was) && others {
                    found.push(Mark::now("primary", &format!("{name} is the primary now")));
                }
                match known {
                    Some((true, _)) if !well => {
                        found.push(Mark::now("node", &format!("{name} does not answer")));
                    }
                    Some((false, _)) if *well => {
                        found.push(Mark::now("node", &format!("{name} answers again")));
                    }
                    Some(_) | None => {}
                }
            }
        }
        // Whoever was the primary last is remembered while there is none.
        let none = nodes.values().all(|(_, primary)| !primary);
        let mut seen = nodes;
        if let Some(before) = self.nodes.take().filter(|_| none) {
            for (name, (_, was)) in before.into_iter().filter(|(_, (_, was))| *was) {
                if let Some(node) = seen.get_mut(&name) {
                    node.1 = was;
                }
            }
        }
        self.nodes = Some(seen);
        for one in &report.changes {
            let name = format!("{} on {}", one.database, one.cluster);
            let now = one.stream.counters.definitions;
            let before = self.definitions.insert(name.clone(), now);
            if before.is_some_and(|before| before < now) {
                found.push(Mark::now("definitions", &format!("changed in {name}")));
            }
        }
        found.truncate(AT_ONCE);
        found
    }

    /// Statements that define something and have run since the last look; `now` is what the book calls seconds. Temporary tables are
    /// nobody else's business.
    pub(crate) fn defined(&mut self, book: &Book, now: u64) -> Vec<Mark> {
        let since = std::mem::replace(&mut self.looked, now);
        let defining: u64 = book
            .totals()
            .filter(|(_, kind, _)| *kind == "ddl")
            .map(|(.., total)| total.sums.calls)
            .sum();
        if std::mem::replace(&mut self.defining, defining) == defining {
            return Vec::new();
        }
        let lasting =
            |text: &str| !text.split_whitespace().take(3).any(|word| word.starts_with("temp"));
        let new = book
            .entries()
            .filter(|entry| entry.kind == "ddl" && entry.seen.1 >= since && lasting(&entry.text))
            .map(|entry| format!("{}: {}", entry.database, entry.text));
        let mut texts: Vec<String> = new.collect();
        texts.sort_unstable();
        texts.truncate(AT_ONCE);
        texts.retain(|text| self.is_new(text));
        texts.iter().map(|text| Mark::now("ddl", text)).collect()
    }

    /// Whether a text was not marked within the last moments.
    fn is_new(&mut self, text: &str) -> bool {
        let now = now_ms();
        let lately = |at: &u64| now.saturating_sub(*at) < SAME * 1_000;
        if self.marked.get(text).is_some_and(lately) {
            return false;
        }
        if self.marked.len() >= REMEMBERED {
            self.marked.retain(|_, at| lately(at));
        }
        if self.marked.len() < REMEMBERED {
            self.marked.insert(text.to_owned(), now);
        }
        true
    }
}
