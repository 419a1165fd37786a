//! Which slow statements PostgreSQL is asked to explain: what kinds, and how often.
//!
//! Invariant: nothing is explained that EXPLAIN could run or that is more than one statement, and however many statements are slow,
//! PostgreSQL is asked for no more plans than the pace allows.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use howdah_sql::{Analysis, Class};
use howdah_wire::sqlstate::SqlState;

use crate::limits;

/// Between two plans of one form,
const SAME_FORM: Duration = Duration::from_secs(60);
/// and between any two.
const ANY: Duration = Duration::from_secs(1);

/// Why a slow statement has no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unexplained {
    /// The settings say so.
    Off,
    /// It is not a query that reads or changes rows.
    Kind,
    /// There are several statements in its text.
    Several,
    /// It waited for a server; with one it was not slow.
    Waited,
    /// Its form was explained within the last minute.
    Lately,
    /// Another statement was explained within the last second, or several are being explained.
    Busy,
    /// Its form is longer than what is kept of forms, and its text was not there any more.
    Long,
    /// The servers that there may be leave no room for another connection.
    Room,
    /// PostgreSQL could not be asked.
    Lost,
    /// PostgreSQL did not answer in time.
    Late,
    /// PostgreSQL refused to plan it.
    Refused(SqlState),
    /// What came is no plan.
    Unreadable,
}

impl Unexplained {
    /// A word for counting.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Kind => "kind",
            Self::Several => "several",
            Self::Waited => "waited",
            Self::Lately => "lately",
            Self::Busy => "busy",
            Self::Long => "long",
            Self::Room => "room",
            Self::Lost => "lost",
            Self::Late => "late",
            Self::Refused(_) => "refused",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "statements.explain is off",
            Self::Kind => "only queries that read or change rows, and call no functions of the database, are explained",
            Self::Several => "several statements were sent as one text",
            Self::Waited => "it waited for a server, and was not slow with one",
            Self::Lately => "its form was explained within the last minute",
            Self::Busy => "others were being explained",
            Self::Long => "it is too long",
            Self::Room => "there was no room for another connection to PostgreSQL: max_servers",
            Self::Lost => "PostgreSQL could not be asked",
            Self::Late => "PostgreSQL did not plan it in time",
            Self::Unreadable => "what PostgreSQL answered cannot be read as a plan",
            Self::Refused(SqlState::INSUFFICIENT_PRIVILEGE) => "its role may not read all that is in it (SQLSTATE 42501)",
            Self::Refused(code) => return write!(f, "PostgreSQL refused to plan it (SQLSTATE {code})"),
        })
    }
}

/// Whether a statement of this kind is to be explained, which took `server_us` with a server.
///
/// # Errors
/// Why not.
pub fn explainable(
    analysis: &Analysis,
    server_us: u64,
    threshold: Duration,
) -> Result<(), Unexplained> {
    if analysis.statements.len() > 1 {
        return Err(Unexplained::Several);
    }
    // What changes settings by a function would not be run either, but its text may hold a secret.
    let query = matches!(analysis.class, Class::Read | Class::Write);
    if !analysis.parsed || analysis.statements.is_empty() || !query || analysis.has_effects {
        return Err(Unexplained::Kind);
    }
    if u128::from(server_us) < threshold.as_micros() {
        return Err(Unexplained::Waited);
    }
    Ok(())
}

/// Whose form: database, user, fingerprint.
type Form = (Box<str>, Box<str>, u64);

/// How often PostgreSQL is asked.
#[derive(Debug, Default)]
pub struct Pace {
    forms: HashMap<Form, Instant>,
    last: Option<Instant>,
    under_way: usize,
}

impl Pace {
    /// Whether a statement of this form is explained now; then [`Self::on_asked`] has to be said.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&mut self, form: Form, now: Instant) -> Result<(), Unexplained> {
        let within = |at: &Instant, time| now.saturating_duration_since(*at) < time;
        if self.forms.get(&form).is_some_and(|at| within(at, SAME_FORM)) {
            return Err(Unexplained::Lately);
        }
        let many = self.under_way >= limits::PLANS_UNDER_WAY;
        if many || self.last.is_some_and(|at| within(&at, ANY)) {
            return Err(Unexplained::Busy);
        }
        if self.forms.len() >= limits::EXPLAINED_FORMS {
            self.forms.retain(|_, at| within(at, SAME_FORM));
        }
        self.forms.insert(form, now);
        self.last = Some(now);
        self.under_way += 1;
        Ok(())
    }

    /// PostgreSQL has been asked for one plan, with whatever result.
    pub fn on_asked(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fingerprint: u64) -> Form {
        ("shop".into(), "app".into(), fingerprint)
    }

    #[test]
    fn queries_alone_are_explained() {
        let mut analyses = howdah_sql::Analyses::new(64);
        let threshold = Duration::from_millis(250);
        let mut told =
            |sql: &str| explainable(&analyses.analyse(sql.as_bytes()), 300_000, threshold);
        assert_eq!(told("SELECT * FROM t WHERE a = 1"), Ok(()));
        assert_eq!(told("SELECT pg_sleep(1) FROM t"), Ok(()));
        assert_eq!(told("UPDATE t SET a = 1 WHERE b = 2"), Ok(()));
        assert_eq!(told("INSERT INTO t VALUES (1)"), Ok(()));
        assert_eq!(told("DELETE FROM t; SELECT 1"), Err(Unexplained::Several));
        for sql in [
            "",
            "VACUUM t",
            "CREATE TABLE u AS SELECT * FROM t",
            "ALTER ROLE app PASSWORD 'x'",
            "SELECT set_config('app.key', 'x', false)",
            "SELECT own_function()",
            "CALL p()",
            "EXECUTE s(1)",
            "COPY t FROM STDIN",
            "BEGIN",
            "SELEC 1",
        ] {
            assert_eq!(told(sql), Err(Unexplained::Kind), "{sql}");
        }
    }

    #[test]
    fn a_statement_that_only_waited_is_not_explained() {
        let mut analyses = howdah_sql::Analyses::new(64);
        let analysis = analyses.analyse(b"SELECT 1");
        let told = explainable(&analysis, 1_000, Duration::from_millis(250));
        assert_eq!(told, Err(Unexplained::Waited));
    }

    #[test]
    fn a_form_is_explained_once_a_minute_and_any_once_a_second() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let mut at = |seconds: u64, fingerprint| {
            let told = pace.admit(form(fingerprint), start + Duration::from_secs(seconds));
            if told.is_ok() {
                pace.on_asked();
            }
            told
        };
        assert_eq!(at(0, 1), Ok(()));
        assert_eq!(at(0, 2), Err(Unexplained::Busy));
        assert_eq!(at(1, 2), Ok(()));
        assert_eq!(at(59, 1), Err(Unexplained::Lately));
        assert_eq!(at(60, 1), Ok(()));
    }

    #[test]
    fn plans_that_do_not_come_hold_others_back_and_no_more_than_that() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let second = |number: usize| start + Duration::from_secs(number as u64);
        for number in 0..limits::PLANS_UNDER_WAY {
            assert_eq!(pace.admit(form(number as u64), second(number)), Ok(()));
        }
        assert_eq!(pace.admit(form(99), second(50)), Err(Unexplained::Busy));
        pace.on_asked();
        assert_eq!(pace.admit(form(99), second(50)), Ok(()));
    }

    #[test]
    fn what_is_remembered_of_forms_is_bounded() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for number in 0..3 * limits::EXPLAINED_FORMS as u64 {
            assert_eq!(pace.admit(form(number), start + Duration::from_secs(number)), Ok(()));
            pace.on_asked();
        }
        assert!(pace.forms.len() <= limits::EXPLAINED_FORMS);
    }
}
