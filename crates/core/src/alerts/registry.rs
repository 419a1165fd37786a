//! The table of rules: what is looked at by default, from when on it is wrong, and what to do first. The guide, the rules for Prometheus
//! and the dashboard are made from it.
//!
//! Length: one table.
//!
//! Invariant: a rule stands below those that may be its cause, so the cause is named first; names are unique.

use std::time::Duration;

use super::Severity::{Critical, Info, Warning};
use super::numbers::Number;
use super::{Severity, Tuned};

/// On which side of its threshold a number is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Above it.
    Above,
    /// Below it.
    Below,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Days.
    Days,
    /// Parts in a hundred.
    Percent,
    /// So many times as much.
    Times,
}

impl Unit {
    /// A number of it, for people.
    #[must_use]
    pub fn write(self, value: f64) -> String {
        let short = |value: f64| {
            let text = format!("{value:.1}");
            text.strip_suffix(".0").unwrap_or(&text).to_owned()
        };
        match self {
            Self::Count => short(value),
            Self::Seconds if value >= 600.0 => format!("{} min", short(value / 60.0)),
            Self::Seconds => format!("{} s", short(value)),
            Self::Days => format!("{} d", short(value)),
            Self::Percent => format!("{} %", short(value)),
            Self::Times => format!("{} times", short(value)),
        }
    }
}

/// The page of the dashboard that shows more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Nodes.
    Nodes,
    /// Pools.
    Pools,
    /// Queries.
    Queries,
    /// Sessions.
    Sessions,
    /// Cache.
    Cache,
    /// Recommendations.
    Recommendations,
    /// Alerts.
    Alerts,
    /// Setup.
    Setup,
}

impl Page {
    /// Its address within the dashboard.
    #[must_use]
    pub const fn address(self) -> &'static str {
        match self {
            Self::Nodes => "#/nodes",
            Self::Pools => "#/pools",
            Self::Queries => "#/queries",
            Self::Sessions => "#/sessions",
            Self::Cache => "#/cache",
            Self::Recommendations => "#/recommendations",
            Self::Alerts => "#/alerts",
            Self::Setup => "#/setup",
        }
    }
}

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// The number that it looks at.
    pub number: Number,
    /// On which side of the threshold it is wrong.
    pub bound: Bound,
    /// Where it begins to be wrong.
    pub threshold: f64,
    /// What the number counts.
    pub unit: Unit,
    /// How long it has to be wrong.
    pub hold: Duration,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong; `{}` is what it is about.
    pub title: &'static str,
    /// What the number is.
    pub what: &'static str,
    /// What to do first.
    pub first_step: &'static str,
    /// The page that shows more.
    pub page: Page,
    /// Rules that may be why: while one of them is wrong about something that touches, nobody is told of this one apart.
    pub causes: &'static [&'static str],
    /// The same for Prometheus, with `{threshold}`; `None`: it cannot be told from metrics but from [`howdah_alerts_firing`].
    ///
    /// [`howdah_alerts_firing`]: super::prometheus
    pub expression: Option<&'static str>,
}

impl Rule {
    /// Whether a value is wrong.
    #[must_use]
    pub fn is_wrong(&self, tuned: &Tuned, value: f64) -> bool {
        match self.bound {
            Bound::Above => value > tuned.threshold,
            Bound::Below => value < tuned.threshold,
        }
    }

    /// Its place in the table: a smaller one is nearer to the cause.
    #[must_use]
    pub fn rank(&self) -> usize {
        RULES.iter().position(|rule| rule.name == self.name).unwrap_or(usize::MAX)
    }

    /// The condition, in words.
    #[must_use]
    pub fn condition(&self, tuned: &Tuned) -> String {
        let side = match self.bound {
            Bound::Above => "more than",
            Bound::Below => "less than",
        };
        format!("{}: {side} {}", self.what, self.unit.write(tuned.threshold))
    }
}

/// The rule of a name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const BASE: Rule = Rule {
    name: "",
    number: Number::StuckWorker,
    bound: Bound::Above,
    threshold: 0.0,
    unit: Unit::Count,
    hold: Duration::ZERO,
    severity: Warning,
    title: "",
    what: "",
    first_step: "",
    page: Page::Alerts,
    causes: &[],
    expression: None,
};

/// What keeps a database from answering at all.
const DOWN: &[&str] = &["two_primaries", "primary_down", "not_ready"];
/// And what makes clients wait.
const STARVED: &[&str] = &[
    "two_primaries",
    "primary_down",
    "not_ready",
    "servers_refused",
    "pool_exhausted",
    "refused_for_load",
];
/// And what makes statements fail.
const FAILING: &[&str] = &[
    "two_primaries",
    "primary_down",
    "not_ready",
    "servers_refused",
    "pool_exhausted",
    "refused_for_load",
    "error_budget_fast",
];

/// All rules, causes first.
pub const RULES: &[Rule] = &[
    Rule {
        name: "worker_stuck",
        number: Number::StuckWorker,
        threshold: 5.0,
        unit: Unit::Seconds,
        hold: seconds(5),
        severity: Critical,
        title: "A worker of {} does not turn",
        what: "time since the last sign of life of a worker",
        first_step: "Look whether the machine has processor time left; howdah restart takes clients along",
        ..BASE
    },
    Rule {
        name: "two_primaries",
        number: Number::Rivals,
        hold: seconds(5),
        severity: Critical,
        title: "Two nodes take writes in {}",
        what: "nodes that take writes beside another one",
        first_step: "Stop the one that should not: writes to both cannot be joined again",
        page: Page::Nodes,
        ..BASE
    },
    Rule {
        name: "primary_down",
        number: Number::NoPrimary,
        hold: seconds(30),
        severity: Critical,
        title: "No primary answers in {}",
        what: "clusters without a primary that answers",
        first_step: "Look whether PostgreSQL runs there (howdah check), or promote a replica",
        page: Page::Nodes,
        causes: &["two_primaries"],
        expression: Some("howdah_cluster_primary_up == 0"),
        ..BASE
    },
    Rule {
        name: "not_ready",
        number: Number::NoNode,
        hold: seconds(60),
        severity: Critical,
        title: "No node answers: {} is not ready",
        what: "processes of which no node answers",
        first_step: "howdah check says what each node answers",
        page: Page::Nodes,
        causes: &["primary_down"],
        expression: Some("howdah_ready == 0"),
        ..BASE
    },
    Rule {
        name: "failover",
        number: Number::NewPrimary,
        severity: Warning,
        title: "Another node is the primary of {}",
        what: "changes of the primary within five minutes",
        first_step: "Find out why, and bring the old primary back as a replica",
        page: Page::Nodes,
        ..BASE
    },
    Rule {
        name: "replica_down",
        number: Number::NodeDown,
        hold: seconds(120),
        title: "Replica {} does not serve",
        what: "replicas that do not answer, or do not belong to their cluster any more",
        first_step: "Look whether PostgreSQL runs there and follows the primary; reads go to the others",
        page: Page::Nodes,
        expression: Some("howdah_node_up{role!=\"primary\"} == 0"),
        ..BASE
    },
    Rule {
        name: "replica_lag_critical",
        number: Number::Lag,
        threshold: 300.0,
        unit: Unit::Seconds,
        hold: seconds(300),
        severity: Critical,
        title: "Replica {} is far behind",
        what: "age of what a replica shows",
        first_step: "pg_stat_replication on the primary: is it the network, or replay that waits for a query?",
        page: Page::Nodes,
        causes: &["two_primaries", "primary_down", "replica_down"],
        expression: Some("howdah_node_replication_lag_seconds > {threshold}"),
        ..BASE
    },
    Rule {
        name: "replica_lag",
        number: Number::Lag,
        threshold: 10.0,
        unit: Unit::Seconds,
        hold: seconds(120),
        title: "Replica {} is behind",
        what: "age of what a replica shows",
        first_step: "Fresh reads go elsewhere already; look for a long query on it or a slow disk",
        page: Page::Nodes,
        causes: &["two_primaries", "primary_down", "replica_down"],
        expression: Some("howdah_node_replication_lag_seconds > {threshold}"),
        ..BASE
    },
    Rule {
        name: "servers_refused",
        number: Number::Refused,
        hold: seconds(60),
        severity: Critical,
        title: "No server can be opened for {}",
        what: "pools that cannot open any server",
        first_step: "The evidence has PostgreSQL's words: a password, pg_hba.conf, or max_connections",
        page: Page::Pools,
        causes: DOWN,
        ..BASE
    },
    Rule {
        name: "idle_in_transaction",
        number: Number::IdleInTransaction,
        threshold: 60.0,
        unit: Unit::Seconds,
        hold: seconds(60),
        title: "Somebody keeps a transaction open in {} and does nothing",
        what: "the longest time idle in a transaction",
        first_step: "Have the application commit; pool.idle_in_transaction_timeout ends such transactions",
        page: Page::Sessions,
        ..BASE
    },
    Rule {
        name: "long_transaction",
        number: Number::OldestTransaction,
        threshold: 300.0,
        unit: Unit::Seconds,
        hold: seconds(60),
        title: "A transaction has been open for long in {}",
        what: "age of the oldest transaction",
        first_step: "It keeps vacuum from cleaning up, and locks: Sessions shows it and can cancel it",
        page: Page::Sessions,
        causes: &["idle_in_transaction"],
        ..BASE
    },
    Rule {
        name: "pool_exhausted",
        number: Number::OldestWait,
        threshold: 1.0,
        unit: Unit::Seconds,
        hold: seconds(120),
        title: "Clients wait for a server: {}",
        what: "how long the first client in line has waited",
        first_step: "Pools shows who holds servers; shorten transactions before raising pool.max_size",
        page: Page::Pools,
        causes: &[
            "two_primaries",
            "primary_down",
            "not_ready",
            "servers_refused",
            "idle_in_transaction",
            "long_transaction",
        ],
        expression: Some("howdah_pool_oldest_wait_seconds > {threshold}"),
        ..BASE
    },
    Rule {
        name: "client_limit",
        number: Number::ClientShare,
        threshold: 85.0,
        unit: Unit::Percent,
        hold: seconds(300),
        title: "{} has almost as many clients as it may have",
        what: "clients in a hundred of listen.max_clients",
        first_step: "Find who opens so many (Sessions), or raise listen.max_clients",
        page: Page::Sessions,
        expression: Some(
            "100 * sum without (database, state) (howdah_client_connections) / howdah_client_connections_max > {threshold}",
        ),
        ..BASE
    },
    Rule {
        name: "refused_for_load",
        number: Number::OutOfResources,
        hold: seconds(60),
        severity: Critical,
        title: "Statements are refused for lack of resources in {}",
        what: "errors of SQLSTATE class 53 within five minutes",
        first_step: "53300: too few servers or connections (Pools); 53100: the disk of PostgreSQL is full",
        page: Page::Pools,
        causes: &[
            "two_primaries",
            "primary_down",
            "not_ready",
            "servers_refused",
            "idle_in_transaction",
            "long_transaction",
            "pool_exhausted",
            "client_limit",
        ],
        expression: Some(
            "increase(howdah_query_errors_total{sqlstate_class=\"53\"}[5m]) > {threshold}",
        ),
        ..BASE
    },
    Rule {
        name: "error_budget_fast",
        number: Number::BurnFast,
        threshold: 14.4,
        unit: Unit::Times,
        hold: seconds(120),
        severity: Critical,
        title: "Many statements fail because of the server in {}",
        what: "server errors against one in a thousand, over five minutes and over an hour",
        first_step: "Queries shows which fail; the log of PostgreSQL has the words",
        page: Page::Queries,
        causes: STARVED,
        expression: Some(
            "(sum without (kind, outcome) (rate(howdah_queries_total{outcome=\"error_server\"}[5m])) / sum without (kind, outcome) (rate(howdah_queries_total[5m])) > {threshold} * 0.001) and (sum without (kind, outcome) (rate(howdah_queries_total{outcome=\"error_server\"}[1h])) / sum without (kind, outcome) (rate(howdah_queries_total[1h])) > {threshold} * 0.001)",
        ),
        ..BASE
    },
    Rule {
        name: "error_budget_slow",
        number: Number::BurnSlow,
        threshold: 6.0,
        unit: Unit::Times,
        hold: seconds(900),
        title: "Statements keep failing because of the server in {}",
        what: "server errors against one in a thousand, over half an hour and over six hours",
        first_step: "Queries shows which fail; the log of PostgreSQL has the words",
        page: Page::Queries,
        causes: FAILING,
        expression: Some(
            "(sum without (kind, outcome) (rate(howdah_queries_total{outcome=\"error_server\"}[30m])) / sum without (kind, outcome) (rate(howdah_queries_total[30m])) > {threshold} * 0.001) and (sum without (kind, outcome) (rate(howdah_queries_total{outcome=\"error_server\"}[6h])) / sum without (kind, outcome) (rate(howdah_queries_total[6h])) > {threshold} * 0.001)",
        ),
        ..BASE
    },
    Rule {
        name: "error_storm",
        number: Number::ErrorShare,
        threshold: 25.0,
        unit: Unit::Percent,
        hold: seconds(60),
        title: "Many statements fail in {}",
        what: "statements in a hundred that fail, whoever is to blame, over two minutes",
        first_step: "Queries shows which: often a deploy that is ahead of its migration",
        page: Page::Queries,
        causes: FAILING,
        expression: Some(
            "100 * sum without (kind, outcome) (rate(howdah_queries_total{outcome=~\"error_.*\"}[2m])) / sum without (kind, outcome) (rate(howdah_queries_total[2m])) > {threshold}",
        ),
        ..BASE
    },
    Rule {
        name: "slow_statements",
        number: Number::SlowShare,
        threshold: 5.0,
        unit: Unit::Percent,
        hold: seconds(600),
        title: "Many statements are slow in {}",
        what: "statements in a hundred that take longer than 100 ms, over five minutes",
        first_step: "Queries shows which take the time",
        page: Page::Queries,
        causes: STARVED,
        expression: Some(
            "100 * (1 - sum without (kind, le) (rate(howdah_query_duration_seconds_bucket{le=\"0.1\"}[5m])) / sum without (kind) (rate(howdah_query_duration_seconds_count[5m]))) > {threshold}",
        ),
        ..BASE
    },
    Rule {
        name: "pinned_servers",
        number: Number::PinnedShare,
        threshold: 50.0,
        unit: Unit::Percent,
        hold: seconds(600),
        title: "Clients keep half of the servers to themselves: {}",
        what: "pinned servers in a hundred of pool.max_size",
        first_step: "SHOW PINS says who and why: temporary tables, LISTEN, advisory locks",
        page: Page::Pools,
        expression: Some(
            "100 * sum without (reason) (howdah_pool_pinned_servers) / howdah_pool_size_max > {threshold}",
        ),
        ..BASE
    },
    Rule {
        name: "cache_paused",
        number: Number::CachePaused,
        hold: seconds(60),
        title: "The cache cannot answer in {}",
        what: "caches that are on and hear of no changes",
        first_step: "SHOW CACHE says why: a publication, a slot, a role without REPLICATION",
        causes: DOWN,
        page: Page::Cache,
        ..BASE
    },
    Rule {
        name: "cache_collapse",
        number: Number::CacheShare,
        bound: Bound::Below,
        threshold: 50.0,
        unit: Unit::Percent,
        hold: seconds(300),
        title: "The cache answers much less than usual in {}",
        what: "hits of five minutes in a hundred of what is usual within six hours",
        first_step: "SHOW CACHE has the reasons: a deploy that changed statements, or a table that is written all the time",
        causes: &["two_primaries", "primary_down", "not_ready", "cache_paused"],
        page: Page::Cache,
        ..BASE
    },
    Rule {
        name: "login_failures",
        number: Number::FailedLogins,
        threshold: 20.0,
        title: "Many logins to {} fail",
        what: "failed logins within five minutes",
        first_step: "The log names users and addresses: a password that has changed, or somebody who guesses",
        page: Page::Sessions,
        expression: Some("increase(howdah_client_login_failures_total[5m]) > {threshold}"),
        ..BASE
    },
    Rule {
        name: "certificate_expired",
        number: Number::CertificateDays,
        bound: Bound::Below,
        threshold: 1.0,
        unit: Unit::Days,
        hold: seconds(5),
        severity: Critical,
        title: "The certificate of {} expires within a day",
        what: "days for which the certificate is good",
        first_step: "Put a new one at listen.tls_cert and listen.tls_key, then howdah reload",
        page: Page::Setup,
        expression: Some(
            "(howdah_tls_certificate_expiry_timestamp_seconds - time()) / 86400 < {threshold}",
        ),
        ..BASE
    },
    Rule {
        name: "certificate_expiring",
        number: Number::CertificateDays,
        bound: Bound::Below,
        threshold: 14.0,
        unit: Unit::Days,
        hold: seconds(60),
        title: "The certificate of {} expires soon",
        what: "days for which the certificate is good",
        first_step: "Put a new one at listen.tls_cert and listen.tls_key, then howdah reload",
        page: Page::Setup,
        causes: &["certificate_expired"],
        expression: Some(
            "(howdah_tls_certificate_expiry_timestamp_seconds - time()) / 86400 < {threshold}",
        ),
        ..BASE
    },
    Rule {
        name: "reload_refused",
        number: Number::RefusedReloads,
        title: "A new configuration of {} was refused",
        what: "refused reloads within ten minutes",
        first_step: "howdah config check lists the mistakes; the old configuration is in force",
        page: Page::Setup,
        ..BASE
    },
    Rule {
        name: "sink_failing",
        number: Number::SinkFailures,
        threshold: 3.0,
        title: "Alerts do not arrive: {}",
        what: "messages that a sink did not take within 15 minutes",
        first_step: "howdah alerts test --sink NAME shows what it answers",
        expression: Some(
            "increase(howdah_alert_messages_total{outcome=\"failed\"}[15m]) > {threshold}",
        ),
        ..BASE
    },
    Rule {
        name: "forms_forgotten",
        number: Number::FormsForgotten,
        threshold: 1_000.0,
        hold: seconds(300),
        severity: Info,
        title: "{} sees more forms of statements than it counts apart",
        what: "statement forms that made way within ten minutes",
        first_step: "Use parameters instead of texts that differ; counts stay exact in sum",
        page: Page::Queries,
        expression: Some("increase(howdah_statement_forms_forgotten_total[10m]) > {threshold}"),
        ..BASE
    },
    Rule {
        name: "recommendation_open",
        number: Number::OpenAdvice,
        hold: seconds(3_600),
        severity: Info,
        title: "Something would make {} much better",
        what: "recommendations of high impact that nobody has decided about",
        first_step: "Recommendations has the evidence, and the command: carry it out, or dismiss it",
        page: Page::Recommendations,
        ..BASE
    },
];
