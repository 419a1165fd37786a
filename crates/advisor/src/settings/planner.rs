//! What the planner assumes of the machine, and how many processes work on one statement.
//!
//! Invariant: what is assumed of a disk is said only when its kind is known.

use super::{Change, Disk, Look};

const COSTS: &str = "20.7.2 Planner Cost Constants";
const WORKERS: &str = "20.4.6 Asynchronous Behavior";
/// Rows of a table above which a sample of 30,000 is coarse.
const MANY_ROWS: f64 = 10_000_000.0;
/// Compiling may take so much of the time of statements.
const COMPILING: f64 = 0.05;

pub(super) fn find(look: &Look<'_>) -> Vec<Change> {
    let mut found = Vec::new();
    found.extend(pages(look));
    found.extend(ahead(look));
    found.extend(workers(look));
    found.extend(target(look));
    found.extend(compiling(look));
    found
}

fn pages(look: &Look<'_>) -> Option<Change> {
    let now = look.measured.number("random_page_cost")?;
    if look.machine.disk? != Disk::Ssd || now <= 2.0 {
        return None;
    }
    let why = "on a disk without moving parts a page anywhere costs about what the next one costs; with 4 the planner reads whole tables where an index would do. Compare plans of important statements before and after".to_owned();
    look.change("random_page_cost", "1.1".to_owned(), why, COSTS)
}

fn ahead(look: &Look<'_>) -> Option<Change> {
    let now = look.measured.number("effective_io_concurrency")?;
    if look.machine.disk? != Disk::Ssd || now > 1.0 {
        return None;
    }
    let why =
        "bitmap scans ask for several pages at once, which such a disk answers at once".to_owned();
    look.change("effective_io_concurrency", "200".to_owned(), why, WORKERS)
}

fn workers(look: &Look<'_>) -> Vec<Change> {
    let cores = f64::from(look.machine.cores);
    let mut found = Vec::new();
    for name in ["max_worker_processes", "max_parallel_workers"] {
        if look.measured.number(name).is_some_and(|now| now < cores) {
            let why = format!(
                "{cores:.0} processors, and fewer processes that may help with a statement"
            );
            found.extend(look.change(name, format!("{cores:.0}"), why, WORKERS));
        }
    }
    found
}

fn target(look: &Look<'_>) -> Option<Change> {
    let now = look.measured.number("default_statistics_target")?;
    if now > 100.0 || look.measured.largest_rows < MANY_ROWS {
        return None;
    }
    let why = format!(
        "the largest table has {:.0} million rows, of which ANALYZE looks at 300 × {now:.0}; more of them find rarer values. ANALYZE and planning take longer; SET STATISTICS of single columns is the finer way",
        look.measured.largest_rows / 1e6
    );
    look.change("default_statistics_target", "250".to_owned(), why, "20.7.4 Other Planner Options")
}

fn compiling(look: &Look<'_>) -> Option<Change> {
    let share = look.measured.compiling.filter(|share| *share > COMPILING)?;
    let why = format!(
        "{:.0} % of the time of statements is spent on compiling them, by pg_stat_statements; statements this short gain nothing by it. Where reports gain by it: SET jit = on for their role",
        share * 100.0
    );
    look.change("jit", "off".to_owned(), why, "32.2 When to JIT?")
}
