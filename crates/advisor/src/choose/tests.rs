//! The search against an oracle whose answers are a table, and against trying everything.

use std::convert::Infallible;

use super::*;
use crate::catalog::Catalog;
use crate::testing;
use crate::workload::{Asked, accesses};

/// Statements that each cost 1,000, less what the best index for them saves.
struct Paper {
    /// Savings of a candidate for a statement.
    saves: fn(&Candidate, usize) -> f64,
    asked: usize,
    /// After so many questions the time is over.
    patience: usize,
}

impl Oracle for Paper {
    type Error = Infallible;

    fn plans(
        &mut self,
        candidates: &[Candidate],
        questions: &[Question],
    ) -> Result<Vec<Option<Plan>>, Infallible> {
        self.asked += questions.len();
        let plan = |question: &Question| {
            let mut plan = Plan { cost: 1000.0, used: Set::default() };
            for at in question.with.iter() {
                let cost = 1000.0
                    - candidates.get(at).map_or(0.0, |it| (self.saves)(it, question.statement));
                if cost < plan.cost {
                    plan = Plan { cost, used: Set::default().with(at) };
                }
            }
            Some(plan)
        };
        Ok(questions.iter().map(plan).collect())
    }

    fn is_over(&self) -> bool {
        self.asked > self.patience
    }
}

fn saves(candidate: &Candidate, statement: usize) -> f64 {
    let wanted = [1, 2, 3, 4].get(statement % 4).copied().unwrap_or(1);
    let first = candidate.first() == Some(wanted);
    let covers = candidate.columns().count() > 1;
    match (first, covers) {
        (true, true) => 900.0 - f64::from(wanted) * 50.0,
        (true, false) => 600.0,
        (false, _) if candidate.columns().any(|it| it == wanted) => 150.0,
        (false, _) => 0.0,
    }
}

fn asked(texts: &[&str]) -> Workload {
    let one = |sql: &&str| Asked {
        sql: (*sql).to_owned(),
        fingerprint: String::new(),
        weight: 1.0,
        calls: 0.0,
    };
    Workload { statements: texts.iter().map(one).collect(), ..Workload::default() }
}

const TEXTS: [&str; 4] = [
    "SELECT b FROM t WHERE a = 1",
    "SELECT c FROM t WHERE b = 1",
    "SELECT d FROM t WHERE c = 1",
    "SELECT a FROM t WHERE d = 1",
];

fn chosen(workload: &Workload, catalog: &Catalog, budget: u64, patience: usize) -> Choice {
    let accesses = accesses(catalog, workload);
    let mut paper = Paper { saves, asked: 0, patience };
    let limits = Limits { bytes: budget, calls: 1_000_000 };
    match choose(catalog, workload, &accesses, limits, &mut paper) {
        Ok(choice) => choice,
        Err(never) => match never {},
    }
}

fn catalog() -> Catalog {
    Catalog { tables: vec![testing::table(1e6)], ..Catalog::default() }
}

/// The least cost that any set of candidates within the budget has.
fn best(choice: &Choice, budget: u64) -> f64 {
    let all = &choice.candidates;
    assert!(all.len() <= 16, "{} candidates are too many to try everything", all.len());
    let mut best = f64::INFINITY;
    for sets in 0_u32..1 << all.len() {
        let set: Vec<&Candidate> =
            all.iter().enumerate().filter(|(at, _)| sets >> at & 1 == 1).map(|it| it.1).collect();
        if set.iter().map(|it| it.bytes).sum::<u64>() > budget {
            continue;
        }
        let cost =
            |statement| set.iter().map(|it| 1000.0 - saves(it, statement)).fold(1000.0, f64::min);
        best = (0..4).map(cost).sum::<f64>().min(best);
    }
    best
}

#[test]
fn the_choice_is_as_good_as_the_best_of_all_sets_and_fits() {
    let (workload, catalog) = (asked(&TEXTS), catalog());
    for budget in [8_000_000, 15_000_000, 25_000_000, 40_000_000, 60_000_000, 100_000_000] {
        let choice = chosen(&workload, &catalog, budget, usize::MAX);
        assert!(choice.bytes() <= budget, "{} of {budget}", choice.bytes());
        let cost: f64 = choice.after.iter().flatten().sum();
        let best = best(&choice, budget);
        assert!(cost <= best * 1.001, "{cost} instead of {best} with {budget}");
    }
}

#[test]
fn a_search_that_is_stopped_has_a_choice_that_fits() {
    let (workload, catalog) = (asked(&TEXTS), catalog());
    for patience in [0, 10, 30, 60] {
        let choice = chosen(&workload, &catalog, 20_000_000, patience);
        assert!(choice.bytes() <= 20_000_000);
        assert!(choice.ratio(&workload) <= 1.0);
    }
}

#[test]
fn what_saves_less_than_is_believed_is_not_chosen() {
    let (workload, catalog) = (asked(&["SELECT b FROM t WHERE a = 1"]), catalog());
    let accesses = accesses(&catalog, &workload);
    let mut paper = Paper { saves: |_, _| 19.0, asked: 0, patience: usize::MAX };
    let limits = Limits { bytes: u64::MAX, calls: 1_000_000 };
    let choice = choose(&catalog, &workload, &accesses, limits, &mut paper).unwrap_or_default();
    assert_eq!(choice.chosen, []);
}

#[test]
fn writes_that_cost_more_than_reads_save_keep_an_index_away() {
    let mut catalog = catalog();
    let mut workload = asked(&["SELECT b FROM t WHERE a = 1"]);
    workload.unit = Some(1.0);
    assert!(!chosen(&workload, &catalog, u64::MAX, usize::MAX).chosen.is_empty());
    catalog.tables[0].activity.inserted = 10_000;
    assert_eq!(chosen(&workload, &catalog, u64::MAX, usize::MAX).chosen, []);
}

/// An existing index of these columns, of which the first has this correlation.
fn with_index(keys: &[(i16, bool)], bytes: u64, correlation: Option<f64>) -> Catalog {
    let mut catalog = catalog();
    let key = |&(column, descending): &(i16, bool)| crate::catalog::IndexKey {
        column: Some(column),
        expression: None,
        class: "pg_catalog.int4_ops".to_owned(),
        collation: String::new(),
        descending,
        nulls_first: descending,
    };
    let mut index = testing::index(1, "t_existing");
    index.keys = keys.iter().map(key).collect();
    index.bytes = bytes;
    catalog.indexes.push(index);
    catalog.tables[0].columns[0].correlation = correlation;
    catalog
}

/// Whether an index (a) or (a) with what (a, b) has is looked at.
fn is_looked_at(catalog: &Catalog) -> bool {
    let workload = asked(&["SELECT b FROM t WHERE a = 1"]);
    let all = crate::candidates::candidates(catalog, &accesses(catalog, &workload));
    all.iter().any(|it| it.keys == [crate::Key::up(1)] && it.included.is_empty())
}

#[test]
fn a_prefix_of_an_existing_index_is_no_candidate_unless_it_is_smaller_and_priced_alike() {
    let both = [(1, false), (2, false)];
    assert!(is_looked_at(&with_index(&[(2, false)], 0, Some(1.0))));
    // As large, or a copy.
    assert!(!is_looked_at(&with_index(&both, 12_000_000, Some(0.0))));
    assert!(!is_looked_at(&with_index(&[(1, false)], 12_000_000, Some(0.0))));
    // A scan goes backwards as well.
    assert!(!is_looked_at(&with_index(&[(1, true)], 12_000_000, Some(0.0))));
    // Much smaller: of use where the estimate has no reason to flatter it.
    assert!(is_looked_at(&with_index(&both, 1_000_000_000, Some(0.1))));
    assert!(!is_looked_at(&with_index(&both, 1_000_000_000, Some(-0.99))));
    assert!(!is_looked_at(&with_index(&both, 1_000_000_000, None)));
}

#[test]
fn an_index_that_hardly_pays_for_its_writes_is_not_chosen() {
    let mut catalog = catalog();
    let mut workload = asked(&["SELECT b FROM t WHERE a = 1"]);
    workload.unit = Some(1.0);
    // Saves 900 at most; writes cost 0.5 for each row.
    catalog.tables[0].activity.inserted = 500;
    assert!(!chosen(&workload, &catalog, u64::MAX, usize::MAX).chosen.is_empty());
    catalog.tables[0].activity.inserted = 1_200;
    assert_eq!(chosen(&workload, &catalog, u64::MAX, usize::MAX).chosen, []);
}
