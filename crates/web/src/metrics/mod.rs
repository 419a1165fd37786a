//! `/metrics`: every family, once, with what it means; and their values at one moment. The table of families is what documents and
//! checks are made from.
//!
//! Invariant: no label has values that clients choose freely (statements, addresses, applications): a scraper's memory is safe.

pub mod grafana;
mod process;
mod text;
mod values;

pub(crate) use text::Format;
pub(crate) use values::text;

/// What kind of numbers a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up, and begins with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Times, counted by buckets.
    Histogram,
}

impl Kind {
    /// The word of the text format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One family of metrics.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What kind of numbers it has.
    pub kind: Kind,
    /// Names of its labels; those of the text format (`le`) aside.
    pub labels: &'static [&'static str],
    /// What it means, in a sentence.
    pub help: &'static str,
}

macro_rules! families {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(crate) const $constant: Family =
            Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*

        /// All families, in the order in which they are written.
        pub const FAMILIES: &[Family] = &[$($constant),*];
    };
}

families! {
    BUILD_INFO = Gauge "howdah_build_info" ["version"] "Always 1; the label says which version runs.";
    START_TIME = Gauge "howdah_start_time_seconds" [] "When the process started, in seconds since 1970.";
    PROCESS_CPU = Counter "process_cpu_seconds_total" [] "Processor time of the process: its rate by that of howdah_queries_total is what a statement costs Howdah itself.";
    PROCESS_MEMORY = Gauge "process_resident_memory_bytes" [] "Memory of the process.";
    PROCESS_FILES = Gauge "process_open_fds" [] "Open files and sockets of the process.";
    READY = Gauge "howdah_ready" [] "Whether /readyz says yes.";
    CLIENT_CONNECTIONS = Gauge "howdah_client_connections" ["database", "state"] "Clients by what they do.";
    CLIENT_CONNECTIONS_MAX = Gauge "howdah_client_connections_max" [] "Clients at most: listen.max_clients.";
    CLIENTS_ACCEPTED = Counter "howdah_client_connections_accepted_total" [] "Connections that clients have opened.";
    LOGIN_FAILURES = Counter "howdah_client_login_failures_total" [] "Logins that failed.";
    QUERIES = Counter "howdah_queries_total" ["database", "kind", "outcome"] "Statements that were answered.";
    QUERIES_ON_REPLICA = Counter "howdah_queries_on_replica_total" ["database", "kind"] "Statements that a replica answered.";
    QUERIES_SHARED = Counter "howdah_queries_shared_total" ["database", "kind"] "Statements that shared a server with others.";
    QUERIES_CACHED = Counter "howdah_queries_cached_total" ["database", "kind"] "Statements that the result cache answered.";
    QUERY_DURATION = Histogram "howdah_query_duration_seconds" ["database", "kind"] "Time of statements, from the complete request to its end, waiting included.";
    QUERY_WAIT = Counter "howdah_query_wait_seconds_total" ["database", "kind"] "Of that, time spent waiting for a server.";
    QUERY_SERVER = Counter "howdah_query_server_seconds_total" ["database", "kind"] "Of that, time with a server: its rate is the number of busy servers.";
    PROXY_OVERHEAD = Histogram "howdah_proxy_overhead_seconds" ["database"] "Of the time with a server, what Howdah itself took: until a request was written, and from when the last of its answer came. Of statements with a server of their own.";
    QUERY_ROWS = Counter "howdah_query_rows_total" ["database", "kind"] "Rows that statements returned or changed.";
    QUERY_ERRORS = Counter "howdah_query_errors_total" ["database", "sqlstate_class"] "Errors that clients were told of, Howdah's own included.";
    SLOW = Counter "howdah_slow_queries_total" ["database"] "Statements that took longer than pool.slow_threshold.";
    SLOW_PLANS = Counter "howdah_slow_query_plans_total" [] "Plans that PostgreSQL gave for them.";
    TRANSACTIONS = Counter "howdah_transactions_total" ["database"] "Transactions that ended.";
    RECEIVED = Counter "howdah_client_received_bytes_total" ["database"] "Bytes from clients.";
    SENT = Counter "howdah_client_sent_bytes_total" ["database"] "Bytes to clients.";
    SERVER_CONNECTIONS = Gauge "howdah_server_connections" ["database", "node", "state"] "Servers by what they do.";
    POOL_SIZE_MAX = Gauge "howdah_pool_size_max" ["database", "node"] "Servers at most, over all users.";
    POOL_WAITING = Gauge "howdah_pool_clients_waiting" ["database", "node"] "Clients that wait for a server.";
    POOL_OLDEST_WAIT = Gauge "howdah_pool_oldest_wait_seconds" ["database", "node"] "How long the first of them has waited.";
    POOL_PINNED = Gauge "howdah_pool_pinned_servers" ["database", "node", "reason"] "Servers that clients keep beyond a transaction.";
    POOL_LEAKS = Gauge "howdah_pool_leaks" ["database", "node"] "Clients that hold a server for longer than pool.leak_threshold.";
    CHECKOUTS = Counter "howdah_pool_checkouts_total" ["database"] "Times that a client was given a server.";
    POOL_WAIT = Histogram "howdah_pool_wait_seconds" [] "How long clients waited for a server; checkouts without a wait are not in it.";
    SERVERS_OPENED = Counter "howdah_server_connections_opened_total" [] "Servers opened.";
    SERVERS_CLOSED = Counter "howdah_server_connections_closed_total" [] "Servers closed.";
    OPEN_FAILURES = Counter "howdah_server_connection_failures_total" [] "Attempts to open a server that failed.";
    ROUTES = Counter "howdah_route_decisions_total" ["cluster", "reason"] "Requests of clusters with replicas, by why they went where they went.";
    RULE_HITS = Counter "howdah_rule_hits_total" ["rule"] "Statements that a rule had a part in.";
    RULE_BLOCKS = Counter "howdah_rule_blocks_total" ["rule"] "Statements that a rule refused.";
    CACHE_REQUESTS = Counter "howdah_cache_requests_total" ["database", "result"] "Requests that were looked up in the result cache: hit, coalesced (waited for the answer to an equal one), observed (would have been a hit), miss.";
    CACHE_WARMED = Counter "howdah_cache_warmed_total" ["database"] "Answers that the result cache keeps because they were asked for in advance.";
    SHARED_UP = Gauge "howdah_cache_shared_up" [] "Whether the cache that instances share is asked; absent without one, as the next four.";
    SHARED_REQUESTS = Counter "howdah_cache_shared_requests_total" ["result"] "Answers that were looked for in the cache that instances share: hit, miss, refused (found, and not valid here), error (or too late), skipped (not asked, because it did not answer).";
    SHARED_WAIT = Counter "howdah_cache_shared_wait_seconds_total" [] "How long requests have waited for its answers.";
    SHARED_WRITES = Counter "howdah_cache_shared_writes_total" ["outcome"] "Answers that were put there (written), or not because too many waited (dropped).";
    SHARED_BYTES = Counter "howdah_cache_shared_bytes_total" ["direction"] "Bytes of answers that were read from there and written.";
    NODE_UP = Gauge "howdah_node_up" ["node", "role"] "Whether a node answers.";
    NODE_LAG = Gauge "howdah_node_replication_lag_seconds" ["node"] "How old what a replica shows is at most.";
    NODE_LAG_BYTES = Gauge "howdah_node_replication_lag_bytes" ["node"] "What a replica has not replayed of the primary's log.";
    PRIMARY_UP = Gauge "howdah_cluster_primary_up" ["cluster"] "Whether a primary of the cluster answers.";
    CERTIFICATE_EXPIRY = Gauge "howdah_tls_certificate_expiry_timestamp_seconds" [] "Until when the certificate for clients is good, in seconds since 1970; absent without one.";
    ALERTS_FIRING = Gauge "howdah_alerts_firing" ["rule", "severity"] "Alerts that fire, by rule; zero when it is not wrong.";
    ALERTS_SILENCED = Gauge "howdah_alerts_silenced" [] "Silences in force.";
    ALERT_MESSAGES = Counter "howdah_alert_messages_total" ["sink", "outcome"] "Messages that a sink took (sent) or did not (failed).";
    SERVER_BLOCKS = Counter "howdah_server_blocks_total" ["node", "database", "source"] "Blocks that PostgreSQL needed: found in its buffers (hit), or not (read). Since it began to count, as the next four.";
    SERVER_ROLLBACKS = Counter "howdah_server_rollbacks_total" ["node", "database"] "Transactions that were rolled back, whoever began them.";
    SERVER_DEADLOCKS = Counter "howdah_server_deadlocks_total" ["node", "database"] "Deadlocks that PostgreSQL has ended.";
    SERVER_CONFLICTS = Counter "howdah_server_recovery_conflicts_total" ["node", "database"] "Statements that a replica cancelled because they were in the way of its recovery.";
    SERVER_TEMP = Counter "howdah_server_temp_bytes_total" ["node", "database"] "Bytes of temporary files: sorts and hashes that did not fit into work_mem.";
    STATEMENT_FORMS = Gauge "howdah_statement_forms" [] "Statement forms that are counted apart.";
    FORMS_FORGOTTEN = Counter "howdah_statement_forms_forgotten_total" [] "Statement forms that had to make way and count as other.";
    SCORE = Gauge "howdah_performance_score_ratio" [] "The performance score, 0 to 1, over five minutes; NaN with too few statements.";
    SCORE_LOST = Gauge "howdah_performance_score_lost_ratio" ["part"] "What each part takes away from the score.";
    DB_CONNECTIONS = Counter "db_connections_total" ["database"] "Clients that have logged in.";
    DB_UTILIZATION = Gauge "db_connection_utilization_percent" ["database"] "Busy servers in a hundred of those that there may be.";
    DB_QPS = Gauge "db_queries_per_second" [] "Statements per second, over the last ten seconds.";
    DB_DURATION = Histogram "db_query_duration_seconds" ["database"] "Time of statements, waiting included.";
    DB_LAG_BYTES = Gauge "db_replication_lag_bytes" ["node"] "What a replica has not replayed of the primary's log.";
    DB_LAG = Gauge "db_replication_lag_seconds" ["node"] "How old what a replica shows is at most.";
    DB_SCORE = Gauge "db_performance_score" [] "The performance score, 0 to 100; NaN with too few statements.";
    DB_CACHE_HITS = Gauge "db_cache_hit_rate" ["database"] "Requests that the result cache answered, 0 to 1 of those that were looked up; NaN when none was.";
    DB_BUFFER_HITS = Gauge "db_buffer_hit_ratio_percent" ["node", "database"] "Blocks that PostgreSQL found in its buffers, in a hundred of those it needed, between the last two looks.";
}
