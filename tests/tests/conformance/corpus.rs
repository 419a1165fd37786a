//! What a case of the corpus is, and all of them together. Not how they are run.
//!
//! Invariant: equal seeds give equal corpora on equal servers.

use howdah_tests::exchange::Same;
use howdah_tests::raw::Frames;
use howdah_tests::{Random, Script};

use crate::run::Comparison;
use crate::{copies, failures, protocols, surroundings, values};

/// Objects that the cases use. `app` owns them.
pub(crate) const OBJECTS: &str = "
    CREATE TYPE own_mood AS ENUM ('sad', 'ok', 'hap''py');
    CREATE DOMAIN own_positive AS int CHECK (VALUE > 0);
    CREATE TYPE own_pair AS (a int, b text, c timestamptz);
    CREATE TYPE own_floats AS RANGE (subtype = float8, subtype_diff = float8mi);
    CREATE TABLE own_rows (id int PRIMARY KEY, note text NOT NULL CHECK (note <> 'bad'), amount numeric,
        parent int REFERENCES own_rows DEFERRABLE INITIALLY DEFERRED,
        EXCLUDE USING gist (int4range(id, id + 1) WITH &&));
    CREATE TABLE own_copied (a int, b text, c float8, d bytea)";

/// Puts the rows of [`OBJECTS`] back.
pub(crate) const ROWS: &str = "
    TRUNCATE own_copied, own_rows;
    INSERT INTO own_rows VALUES (1, 'one', 1.5, NULL), (2, 'two', NULL, 1), (3, 'three', -3, 2)";

/// One client's conversation, and what it needs.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Says what it is about.
    pub(crate) name: String,
    /// Startup parameters.
    pub(crate) startup: Vec<(String, String)>,
    /// Whether it changes rows, so that they have to be put back.
    pub(crate) writes: bool,
    /// What is said.
    pub(crate) script: Script,
    /// What must be the same.
    pub(crate) same: Same,
}

impl Case {
    /// One that only reads, and is compared byte by byte.
    pub(crate) fn new(name: impl Into<String>, script: Script) -> Self {
        let name = name.into();
        Self { name, startup: Vec::new(), writes: false, script, same: Same::Bytes }
    }

    /// Simple queries, one a step.
    pub(crate) fn queries(name: impl Into<String>, queries: &[&str]) -> Self {
        Self::new(name, queries.iter().fold(Script::new(), |script, sql| script.query(sql)))
    }

    /// The same statements by the extended protocol.
    pub(crate) fn extended(name: impl Into<String>, queries: &[&str]) -> Self {
        let one = |sql: &&str| Frames::new().extended(sql, &[]).sync();
        Self::new(name, queries.iter().map(one).fold(Script::new(), Script::step))
    }

    /// It changes rows.
    pub(crate) fn writing(mut self) -> Self {
        self.writes = true;
        self
    }

    /// Only its fate has to be the same.
    pub(crate) fn of_fate(mut self) -> Self {
        self.same = Same::Fate;
        self
    }

    /// It has to be refused with the same SQLSTATE; the session may end.
    pub(crate) fn of_refusal(mut self) -> Self {
        self.same = Same::Refusal;
        self
    }

    /// With a startup parameter.
    pub(crate) fn started_with(mut self, name: &str, value: &str) -> Self {
        self.startup.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The whole corpus: all of the enumerated kinds, and random protocol sequences until there are `exchanges` steps.
pub(crate) fn cases(comparison: &Comparison, seed: u64, exchanges: usize) -> Vec<Case> {
    let mut random = Random::new(seed);
    let mut cases = values::cases(comparison, &mut random.fork());
    cases.extend(failures::cases());
    cases.extend(copies::cases());
    cases.extend(surroundings::cases(&mut random.fork()));
    let mut count: usize = cases.iter().map(|case| case.script.len()).sum();
    let mut number = 0;
    // At least some hundred of them, however large the rest is.
    while count < exchanges || number < 150 {
        number += 1;
        let case = protocols::case(number, &mut random.fork());
        count += case.script.len();
        cases.push(case);
    }
    cases
}
