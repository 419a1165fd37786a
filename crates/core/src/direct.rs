//! What PostgreSQL has run that Howdah's clients have not asked for: `pg_stat_statements` against what Howdah has counted, form by form,
//! since it was first looked at. Not who it was: PostgreSQL does not keep that.
//!
//! Invariant: a form is direct by the calls that Howdah has not seen, as far as they are beyond what counting at two places can differ by.

use std::collections::HashMap;

use crate::limits;

/// One form in one database: the name on the server, and the fingerprint.
pub type Form = (Box<str>, u64);

/// A form in `pg_stat_statements`, over all roles.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// Its text without literals.
    pub text: String,
    /// What kind of statement it is, in a word.
    pub kind: &'static str,
    /// Calls,
    pub calls: u64,
    /// and their milliseconds, since PostgreSQL began to count.
    pub time_ms: f64,
}

/// A form that PostgreSQL has run for others than Howdah's clients, since it was first looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Direct {
    /// Name of the database on the server.
    pub database: Box<str>,
    /// Identity of the form.
    pub fingerprint: u64,
    /// Its text without literals.
    pub text: String,
    /// What kind of statement it is, in a word.
    pub kind: &'static str,
    /// Calls in all,
    pub calls: u64,
    /// those among them that did not come through Howdah,
    pub direct: u64,
    /// and milliseconds of these, if all calls took equally long.
    pub time_ms: f64,
}

/// Where counting began.
#[derive(Debug, Clone, Copy)]
struct Base {
    calls: u64,
    time_ms: f64,
    own: u64,
}

/// The forms of one node from look to look.
#[derive(Debug, Default)]
pub struct Directs {
    bases: HashMap<Form, Base>,
    found: Vec<Direct>,
}

impl Directs {
    /// PostgreSQL was asked for the forms that took the most time. `own`: calls that Howdah has counted of each since its start.
    pub fn on_look(&mut self, ran: Vec<(Form, Ran)>, own: &HashMap<Form, u64>) {
        self.found.clear();
        for (form, ran) in ran {
            let own = own.get(&form).copied().unwrap_or(0);
            let now = Base { calls: ran.calls, time_ms: ran.time_ms, own };
            let room = self.bases.len() < limits::DIRECT_FORMS;
            let base = match self.bases.get_mut(&form) {
                Some(base) if base.calls <= now.calls && base.own <= own => *base,
                // Counted from zero again.
                Some(base) => {
                    *base = now;
                    now
                }
                None if room => *self.bases.entry(form.clone()).or_insert(now),
                None => continue,
            };
            let calls = now.calls - base.calls;
            let direct = calls.saturating_sub(own - base.own);
            // Both count a little later than the other at times.
            if direct * 10 > calls && direct > 1 {
                let time_ms = (now.time_ms - base.time_ms).max(0.0) * direct as f64 / calls as f64;
                let (database, fingerprint) = form;
                let (text, kind) = (ran.text, ran.kind);
                self.found.push(Direct {
                    database,
                    fingerprint,
                    text,
                    kind,
                    calls,
                    direct,
                    time_ms,
                });
            }
        }
        self.found.sort_by(|a, b| b.time_ms.total_cmp(&a.time_ms));
    }

    /// Those that were found at the last look, those that took the most time first.
    #[must_use]
    pub fn found(&self) -> &[Direct] {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fingerprint: u64) -> Form {
        ("shop".into(), fingerprint)
    }

    fn ran(fingerprint: u64, calls: u64) -> (Form, Ran) {
        let time_ms = calls as f64;
        (form(fingerprint), Ran { text: String::new(), kind: "read", calls, time_ms })
    }

    fn seen(directs: &Directs) -> Vec<(u64, u64, f64)> {
        let line = |one: &Direct| (one.fingerprint, one.direct, one.time_ms);
        directs.found().iter().map(line).collect()
    }

    #[test]
    fn what_was_run_before_the_first_look_is_nobodys() {
        let mut directs = Directs::default();
        directs.on_look(vec![ran(1, 1_000)], &HashMap::new());
        assert!(directs.found().is_empty());
        directs.on_look(vec![ran(1, 1_050)], &HashMap::new());
        assert_eq!(seen(&directs), [(1, 50, 50.0)]);
    }

    #[test]
    fn calls_that_howdah_has_seen_are_not_direct() {
        let mut directs = Directs::default();
        directs.on_look(vec![ran(1, 10), ran(2, 10)], &HashMap::from([(form(1), 4)]));
        let own = HashMap::from([(form(1), 104), (form(2), 60)]);
        directs.on_look(vec![ran(1, 115), ran(2, 110)], &own);
        // Five of a hundred are what counting at two places may differ by.
        assert_eq!(seen(&directs), [(2, 40, 40.0)]);
    }

    #[test]
    fn a_form_that_comes_up_later_counts_from_then_on() {
        let mut directs = Directs::default();
        directs.on_look(Vec::new(), &HashMap::new());
        directs.on_look(vec![ran(3, 20)], &HashMap::new());
        assert!(directs.found().is_empty(), "it may have run long before");
        directs.on_look(vec![ran(3, 25)], &HashMap::new());
        assert_eq!(seen(&directs), [(3, 5, 5.0)]);
    }

    #[test]
    fn counters_that_were_reset_are_a_new_beginning() {
        let mut directs = Directs::default();
        directs.on_look(vec![ran(1, 1_000)], &HashMap::new());
        directs.on_look(vec![ran(1, 10)], &HashMap::new());
        assert!(directs.found().is_empty());
        directs.on_look(vec![ran(1, 20)], &HashMap::new());
        assert_eq!(seen(&directs), [(1, 10, 10.0)]);
    }

    #[test]
    fn forms_beyond_the_bound_are_not_known() {
        let mut directs = Directs::default();
        let many = limits::DIRECT_FORMS as u64 + 10;
        for calls in [0, 5] {
            let all = (0..many).map(|fingerprint| ran(fingerprint, calls)).collect();
            directs.on_look(all, &HashMap::new());
        }
        assert_eq!(directs.found().len(), limits::DIRECT_FORMS);
    }
}
