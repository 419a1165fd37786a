//! Autovacuum, and what the server should count.
//!
//! Invariant: autovacuum is never slowed down.

use super::{Change, Disk, Look};

const VACUUM: &str = "20.10 Automatic Vacuuming";
/// Rows of a table of which a fifth is a lot to leave lying about.
const MANY_ROWS: f64 = 1_000_000.0;

pub(super) fn find(look: &Look<'_>) -> Vec<Change> {
    let mut found = Vec::new();
    let why = "without it tables grow, statistics grow old, and in the end the server stops to protect its transactions";
    found.extend(look.switch("autovacuum", "on", why, VACUUM));
    found.extend(pace(look));
    found.extend(share(look));
    let why = "says of each statement how long it waited for the disk (EXPLAIN (ANALYZE, BUFFERS), pg_stat_statements); pg_test_timing shows what asking the clock costs here";
    found.extend(look.switch(
        "track_io_timing",
        "on",
        why,
        "20.9.1 Cumulative Query and Index Statistics",
    ));
    found
}

fn pace(look: &Look<'_>) -> Option<Change> {
    if look.machine.disk? != Disk::Ssd {
        return None;
    }
    let own = look.measured.number("autovacuum_vacuum_cost_limit")?;
    let limit = if own < 0.0 { look.measured.number("vacuum_cost_limit")? } else { own };
    (limit <= 400.0).then_some(())?;
    let delay = look.measured.amount("autovacuum_vacuum_cost_delay").unwrap_or(0.002);
    (delay > 0.0).then_some(())?;
    // A page that has to be read costs 2, from PostgreSQL 14 on; 10 before.
    let page = look.measured.number("vacuum_cost_page_miss").unwrap_or(2.0).max(1.0);
    let rate = |limit: f64| limit / page * 8_192.0 / delay / 1e6;
    let why = format!(
        "all workers together read {:.0} MB a second at most; this disk can do more, and {:.0} MB are {:.0} with 2000",
        rate(limit),
        rate(limit),
        rate(2000.0)
    );
    look.change("autovacuum_vacuum_cost_limit", "2000".to_owned(), why, VACUUM)
}

fn share(look: &Look<'_>) -> Option<Change> {
    let now = look.measured.number("autovacuum_vacuum_scale_factor")?;
    if now < 0.2 || look.measured.largest_rows < MANY_ROWS {
        return None;
    }
    let rows = look.measured.largest_rows;
    let why = format!(
        "the largest table is cleaned up only when {:.0} of its rows are dead; with 0.1 twice as often, half as much each time",
        rows * now
    );
    look.change("autovacuum_vacuum_scale_factor", "0.1".to_owned(), why, VACUUM)
}
