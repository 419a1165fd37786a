//! `SHOW STATS`, `STATS_TOTALS`, `STATS_AVERAGES` by database, and `SHOW TOTALS` over all. Averages are over the last minute or
//! two, as PgBouncer's with its default `stats_period`.

use super::super::table::{Columns, Kind, Row, cell};
use super::View;
use crate::report::{Counts, DatabaseReport};

use Kind::{Numeric, Text};

pub(super) const STATS: Columns = &[
    ("database", Text),
    ("total_server_assignment_count", Numeric),
    ("total_xact_count", Numeric),
    ("total_query_count", Numeric),
    ("total_received", Numeric),
    ("total_sent", Numeric),
    ("total_xact_time", Numeric),
    ("total_query_time", Numeric),
    ("total_wait_time", Numeric),
    ("total_client_parse_count", Numeric),
    ("total_server_parse_count", Numeric),
    ("total_bind_count", Numeric),
    ("avg_server_assignment_count", Numeric),
    ("avg_xact_count", Numeric),
    ("avg_query_count", Numeric),
    ("avg_recv", Numeric),
    ("avg_sent", Numeric),
    ("avg_xact_time", Numeric),
    ("avg_query_time", Numeric),
    ("avg_wait_time", Numeric),
    ("avg_client_parse_count", Numeric),
    ("avg_server_parse_count", Numeric),
    ("avg_bind_count", Numeric),
    ("total_client_connect_count", Numeric),
    ("avg_client_connect_count", Numeric),
];

pub(super) const TOTALS: Columns = &[
    ("database", Text),
    ("server_assignment_count", Numeric),
    ("xact_count", Numeric),
    ("query_count", Numeric),
    ("bytes_received", Numeric),
    ("bytes_sent", Numeric),
    ("xact_time", Numeric),
    ("query_time", Numeric),
    ("wait_time", Numeric),
    ("client_parse_count", Numeric),
    ("server_parse_count", Numeric),
    ("bind_count", Numeric),
    ("client_connect_count", Numeric),
];

pub(super) const AVERAGES: Columns = &[
    ("database", Text),
    ("server_assignment_count", Numeric),
    ("xact_count", Numeric),
    ("query_count", Numeric),
    ("bytes_received", Numeric),
    ("bytes_sent", Numeric),
    ("xact_time", Numeric),
    ("query_time", Numeric),
    ("wait_time", Numeric),
    ("avg_client_parse_count", Numeric),
    ("avg_server_parse_count", Numeric),
    ("avg_bind_count", Numeric),
    ("client_connect_count", Numeric),
];

pub(super) const ALL: Columns = &[("name", Text), ("value", Numeric)];

/// PgBouncer's names in `SHOW TOTALS`, in the order of [`values`].
const NAMES: [&str; 12] = [
    "server_assignment_count",
    "xact_count",
    "query_count",
    "client_bytes",
    "server_bytes",
    "xact_time",
    "query_time",
    "wait_time",
    "ps_client_parse_count",
    "ps_server_parse_count",
    "ps_bind_count",
    "client_connect_count",
];

/// In the order of the columns. From PgBouncer's side of things, what is received comes from clients.
const fn values(counts: &Counts) -> [u64; 12] {
    [
        counts.assignments,
        counts.transactions,
        counts.requests,
        counts.received,
        counts.sent,
        counts.transaction_us,
        counts.request_us,
        counts.wait_us,
        counts.client_parses,
        counts.server_parses,
        counts.binds,
        counts.logins,
    ]
}

/// Counts and bytes per second; times per transaction, request and assignment.
fn rates(database: &DatabaseReport) -> [u64; 12] {
    let recent = database.recent;
    let milliseconds = u64::try_from(database.span.as_millis()).unwrap_or(u64::MAX).max(1);
    let mut rates = values(&recent).map(|count| count.saturating_mul(1_000) / milliseconds);
    let mean = |time: u64, count: u64| time.checked_div(count).unwrap_or(0);
    let [_, _, _, _, _, transaction, request, wait, ..] = &mut rates;
    *transaction = mean(recent.transaction_us, recent.transactions);
    *request = mean(recent.request_us, recent.requests);
    *wait = mean(recent.wait_us, recent.assignments);
    rates
}

/// PgBouncer's own first eleven of both halves come before the newer twelfth of each.
pub(super) fn stats(view: &View) -> Vec<Row> {
    let row = |database: &DatabaseReport| {
        let (totals, rates) = (values(&database.counts), rates(database));
        let [total @ .., total_logins] = totals;
        let [rate @ .., login_rate] = rates;
        let numbers = total.into_iter().chain(rate).chain([total_logins, login_rate]);
        std::iter::once(cell(&database.name)).chain(numbers.map(cell)).collect()
    };
    view.report.databases.iter().map(row).collect()
}

fn by_database(view: &View, numbers: impl Fn(&DatabaseReport) -> [u64; 12]) -> Vec<Row> {
    let row = |database: &DatabaseReport| {
        let name = std::iter::once(cell(&database.name));
        name.chain(numbers(database).into_iter().map(cell)).collect()
    };
    view.report.databases.iter().map(row).collect()
}

pub(super) fn totals(view: &View) -> Vec<Row> {
    by_database(view, |database| values(&database.counts))
}

pub(super) fn averages(view: &View) -> Vec<Row> {
    by_database(view, rates)
}

pub(super) fn all(view: &View) -> Vec<Row> {
    let mut sum = DatabaseReport::default();
    view.report.databases.iter().for_each(|database| sum.merge(database));
    let named = |prefix: &'static str, numbers: [u64; 12]| {
        let lines = NAMES.into_iter().zip(numbers);
        lines.map(move |(name, number)| vec![cell(format!("{prefix}_{name}")), cell(number)])
    };
    let totals = &view.report.totals;
    let own = [
        ("total_connections", totals.connections),
        ("total_failed_logins", totals.failed_logins),
        ("total_errors", totals.errors),
        ("total_waits", totals.waits),
        ("total_leaks", totals.leaks),
        ("total_servers_opened", totals.servers_opened),
        ("total_open_failures", totals.open_failures),
        ("total_servers_closed", totals.servers_closed),
        ("query_p50_us", totals.request_us.value_at_quantile(0.5)),
        ("query_p99_us", totals.request_us.value_at_quantile(0.99)),
        ("wait_p50_us", totals.wait_us.value_at_quantile(0.5)),
        ("wait_p99_us", totals.wait_us.value_at_quantile(0.99)),
        ("uptime_s", view.report.uptime.as_secs()),
    ];
    named("total", values(&sum.counts))
        .chain(named("avg", rates(&sum)))
        .chain(own.into_iter().map(|(name, number)| vec![cell(name), cell(number)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn averages_are_per_second_and_times_per_thing() {
        let recent = Counts {
            transactions: 30,
            requests: 60,
            assignments: 10,
            transaction_us: 3_000,
            request_us: 1_200,
            wait_us: 500,
            received: 6_000,
            ..Counts::default()
        };
        let span = Duration::from_secs(60);
        let database = DatabaseReport { recent, span, ..DatabaseReport::default() };
        assert_eq!(rates(&database), [0, 0, 1, 100, 0, 100, 20, 50, 0, 0, 0, 0]);
        assert_eq!(rates(&DatabaseReport::default()), [0; 12], "nothing is divided by nothing");
    }
}
