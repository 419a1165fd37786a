//! Runs cases directly and through Howdah, and makes what differs small. Not what is compared: `howdah_tests::exchange`.
//!
//! Invariant: a case meets servers that others have just used, whose settings and statements are not its own.

use std::time::{Duration, Instant};

use howdah_tests::exchange::{Difference, End, difference};
use howdah_tests::raw::{Connection, Target};
use howdah_tests::{Churn, Rig, Script};

use crate::corpus::{Case, OBJECTS, ROWS};

/// How long the search for a smaller conversation may take.
const SEARCH: Duration = Duration::from_secs(20);
/// How long silence is waited for in that search.
const PATIENCE: Duration = Duration::from_secs(2);
/// Steps after which the servers change.
const TURN: usize = 3;
/// Differences that are printed.
const REPORTS: usize = 30;
const SEED: u64 = 20_260_101;

/// Who uses the servers in between.
#[derive(Debug)]
enum Neighbours {
    /// Clients in and out of transactions, and how many steps the test's client has made.
    Transactions(Churn, usize),
    /// Clients that come and go.
    Sessions(Target),
}

impl Neighbours {
    fn before_a_case(&self) {
        if let Self::Sessions(target) = self {
            let mut passing = target.parameter("application_name", "passing").client();
            passing.run(
                "SET work_mem = '1234kB'; SET TimeZone = 'Etc/GMT-5'; SET search_path = pg_catalog",
            );
            passing.run("CREATE TEMP TABLE own_rows (wrong int); PREPARE s0 AS SELECT 'foreign'");
            passing.close();
        }
    }

    fn between(&mut self) {
        if let Self::Transactions(churn, steps) = self {
            *steps += 1;
            if steps.is_multiple_of(TURN) {
                churn.turn();
            }
        }
    }

    fn rest(&mut self) {
        if let Self::Transactions(churn, _) = self {
            churn.rest();
        }
    }
}

/// A rig, its neighbours, and what was found.
#[derive(Debug)]
pub(crate) struct Comparison {
    rig: Rig,
    neighbours: Neighbours,
    owner: Connection,
    seed: u64,
    exchanges: usize,
    reports: Vec<String>,
}

impl Comparison {
    /// Two servers behind Howdah in this mode, and the objects that the cases use.
    pub(crate) fn start(mode: &str) -> Self {
        let rig = Rig::builder().pool_size(2).mode(mode).in_process();
        let mut owner = rig.direct().client();
        owner.run(OBJECTS);
        owner.run(ROWS);
        let neighbours = match mode {
            "session" => Neighbours::Sessions(rig.target()),
            _ => Neighbours::Transactions(Churn::new(&rig.target(), 1), 0),
        };
        let seed = std::env::var("HOWDAH_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or(SEED);
        Self { rig, neighbours, owner, seed, exchanges: 0, reports: Vec::new() }
    }

    /// What the corpus is made from.
    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// PostgreSQL itself.
    pub(crate) fn direct(&self) -> Target {
        self.rig.direct()
    }

    /// Requests whose replies were compared.
    pub(crate) const fn exchanges(&self) -> usize {
        self.exchanges
    }

    /// Compares one case.
    pub(crate) fn check(&mut self, case: &Case) {
        let Some(first) = self.compare(case, &case.script, None) else { return };
        let (script, smallest) = self.smaller(case, first.clone());
        let (found, of) = (script.len(), case.script.len());
        let again = if found < of { smallest.to_string() } else { first.to_string() };
        let said = script.steps().iter().take(found.saturating_sub(1)).enumerate();
        let said = said.map(|(index, (frames, _))| {
            format!("step {} sends\n    {}\n", index + 1, frames.lines().join("\n    "))
        });
        let said: String = said.collect();
        let name = &case.name;
        self.reports.push(format!("{name} ({found} of {of} steps)\n{said}{again}"));
    }

    /// Fails if anything differed.
    ///
    /// # Panics
    /// Then.
    pub(crate) fn conclude(&self) {
        let count = self.reports.len();
        let shown = self.reports.iter().take(REPORTS).cloned().collect::<Vec<_>>().join("\n");
        let names = self.reports.iter().filter_map(|report| report.lines().next());
        let names = names.collect::<Vec<_>>().join("\n");
        assert!(
            count == 0,
            "HOWDAH_SEED={}: {count} conversations differ:\n{names}\n\nThe first {}:\n\n{shown}",
            self.seed,
            count.min(REPORTS)
        );
    }

    fn compare(
        &mut self,
        case: &Case,
        script: &Script,
        patience: Option<Duration>,
    ) -> Option<Difference> {
        let with = |target: Target| {
            let target = target.timeout(patience.unwrap_or(target.timeout));
            let parameters = case.startup.iter();
            parameters.fold(target, |target, (name, value)| target.parameter(name, value))
        };
        if case.writes {
            self.owner.run(ROWS);
        }
        let mut direct = with(self.rig.direct()).client();
        let expected = script.hear(&mut direct, || {});
        direct.close();
        if expected.last().is_some_and(|heard| heard.end == End::Silent) {
            assert!(patience.is_some(), "{}: step {} is wrong", case.name, expected.len());
            return None;
        }
        if case.writes {
            self.owner.run(ROWS);
        }
        self.neighbours.before_a_case();
        let mut client = with(self.rig.target()).client();
        let seen = script.hear(&mut client, || self.neighbours.between());
        client.close();
        self.neighbours.rest();
        self.exchanges += seen.len();
        difference(script, &expected, &seen, case.same)
    }

    /// Leaves out every step that the difference does not need.
    fn smaller(&mut self, case: &Case, first: Difference) -> (Script, Difference) {
        let deadline = Instant::now() + SEARCH;
        let (mut script, mut found) = (case.script.up_to(first.step), first);
        let mut step = 0;
        while step + 1 < script.len() && Instant::now() < deadline {
            let less = script.without(step);
            match self.compare(case, &less, Some(PATIENCE)) {
                Some(difference) => {
                    script = less.up_to(difference.step);
                    found = difference;
                }
                None => step += 1,
            }
        }
        (script, found)
    }
}
