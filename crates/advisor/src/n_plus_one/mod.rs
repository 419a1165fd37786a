//! Advice about a statement that runs once for each row of another one: how to ask once. That it is so is found in live traffic
//! (`howdah_core::statements`, which this crate does not know); here it comes in as plain values.
//!
//! Invariant: no other text is offered where one statement for all rows would not give each of them what it had.

use crate::{Costs, Evidence, Impact, Kind, Recommendation};

mod words;

pub use words::{batched, hint};

/// A form of statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form<'a> {
    /// Its identity, as people are told it.
    pub fingerprint: &'a str,
    /// Its text without literals; empty: not known.
    pub text: &'a str,
}

/// A statement that runs once for each row of another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern<'a> {
    /// The statement that gives the rows; `None`: not seen.
    pub parent: Option<Form<'a>>,
    /// The one that runs for each of them.
    pub child: Form<'a>,
    /// Number of the parameter that is different each time, from 1.
    pub varying: usize,
    /// How often that was: transactions, or what was done between two pauses.
    pub times: u64,
    /// In how many sessions, at least.
    pub sessions: u32,
    /// Calls of the child in all of them.
    pub calls: u64,
    /// Seconds that one call for all would have saved, about: all but one round trip and its work each time.
    pub wasted: f64,
    /// Share of the time of all statements that these seconds are, 0 to 1, where that is known.
    pub share: Option<f64>,
    /// What the child asked for was seen in what the parent had given.
    pub certain: bool,
    /// The application's name; empty: it has none.
    pub application: &'a str,
    /// What of its code asks, as comments say; empty: they do not.
    pub route: &'a str,
}

impl Pattern<'_> {
    /// As advice.
    #[must_use]
    pub fn recommendation(&self) -> Recommendation {
        let Self { child, parent, times, calls, .. } = self;
        let each = calls / (*times).max(1);
        let of = parent.as_ref().map_or("something that was not seen", |it| it.fingerprint);
        let known = parent.as_ref().map_or("", |it| it.fingerprint);
        let mut cautions =
            vec!["the application has to give each row its part of the one answer".to_owned()];
        cautions.extend(hint(&format!("{} {}", self.application, self.route)).map(str::to_owned));
        if !self.certain {
            cautions.push("the counts agree; that the values do was not seen (yet)".to_owned());
        }
        let mut statements = vec![child.fingerprint.to_owned()];
        statements.extend(parent.iter().map(|it| it.fingerprint.to_owned()));
        Recommendation {
            id: Recommendation::id_of(Kind::NPlusOne, &format!("{known} {}", child.fingerprint)),
            kind: Kind::NPlusOne,
            subject: child.fingerprint.to_owned(),
            title: format!("ask once for all rows, not {each} times"),
            why: format!(
                "A statement runs once for each row of {of}: each time a round trip, and work of the server's that is the same."
            ),
            evidence: self.evidence(each),
            impact: self.impact(each),
            confidence: if self.certain { 0.95 } else { 0.7 },
            saves: self.share,
            costs: Costs::default(),
            // A person changes the application, or the mapping between objects and tables.
            apply: Vec::new(),
            undo: Vec::new(),
            statements,
            cautions,
        }
    }

    fn evidence(&self, each: u64) -> Vec<Evidence> {
        let fact = |what: String, now: String, then: String| Evidence {
            what,
            now,
            then,
            check: String::new(),
        };
        let sessions = match self.sessions {
            1 => "one session".to_owned(),
            several => format!("at least {several} sessions"),
        };
        let mut facts = vec![fact(
            format!("calls, {each} each time, in {sessions}"),
            self.calls.to_string(),
            self.times.to_string(),
        )];
        if let Some(parent) = self.parent.as_ref().filter(|parent| !parent.text.is_empty()) {
            facts.push(fact("gives the rows".to_owned(), parent.text.to_owned(), String::new()));
        }
        if !self.child.text.is_empty() {
            let then = batched(self.child.text, self.varying);
            let then = then.unwrap_or_else(|| "a join, or one statement for all values".to_owned());
            facts.push(fact("runs for each of them".to_owned(), self.child.text.to_owned(), then));
        }
        let wasted = format!("{:.1} s", self.wasted);
        facts.push(fact("time that one call would save, about".to_owned(), wasted, String::new()));
        for (what, who) in [("application", self.application), ("route", self.route)] {
            if !who.is_empty() {
                facts.push(fact(what.to_owned(), who.to_owned(), String::new()));
            }
        }
        facts
    }

    fn impact(&self, each: u64) -> Impact {
        match self.share {
            Some(share) if share >= 0.1 => Impact::High,
            _ if each >= 100 || self.share.is_some_and(|share| share >= 0.02) => Impact::Medium,
            _ => Impact::Low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_what_runs_how_often_for_whom_and_what_to_write() {
        let pattern = Pattern {
            parent: Some(Form { fingerprint: "aa", text: "SELECT id FROM orders WHERE day = $1" }),
            child: Form { fingerprint: "bb", text: "SELECT a FROM lines WHERE order_id = $1" },
            varying: 1,
            times: 6,
            sessions: 3,
            calls: 1_200,
            wasted: 4.25,
            share: Some(0.12),
            certain: true,
            application: "shop rails",
            route: "orders#index",
        };
        let advice = pattern.recommendation();
        assert_eq!((advice.kind, advice.impact), (Kind::NPlusOne, Impact::High));
        assert!(advice.title.contains("200 times"), "{}", advice.title);
        let fact =
            |what: &str| advice.evidence.iter().find(|fact| fact.what.starts_with(what)).unwrap();
        assert_eq!(fact("calls").then, "6");
        assert_eq!(fact("runs").then, "SELECT a FROM lines WHERE order_id = ANY($1)");
        assert_eq!(fact("route").now, "orders#index");
        assert!(advice.cautions.iter().any(|caution| caution.contains("preload")));
        assert_eq!(advice.statements, ["bb", "aa"]);
        // The same tomorrow, whatever the numbers are then.
        let later = Pattern { calls: 9, share: None, certain: false, ..pattern };
        assert_eq!(later.recommendation().id, advice.id);
        assert!(later.recommendation().confidence < advice.confidence);
    }
}
