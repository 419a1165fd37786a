//! Keys about statements: `[[rule]]` and `[[route.override]]`.

use super::{Key, Kind, SWITCH, Section, Shape, Zero};

/// `[[rule]]`
pub(crate) static RULE: Section = Section {
    name: "rule",
    shape: Shape::Named,
    doc: "Rules about statements, in order: the first that fits and has an action decides. All that a rule asks for has to hold.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "What errors, the log and SHOW RULES call it.").example("no unbounded writes"),
        Key::new("user", Kind::List, "Names that clients log in with. Left out, here and in all that follows: it does not matter.").example("report"),
        Key::new("database", Kind::List, "Databases, by the names that clients use.").example("shop"),
        Key::new("application", Kind::List, "What clients have set as application_name: any client may set any.").example("cron"),
        Key::new("address", Kind::List, "Addresses or networks of clients.").example("10.0.0.0/8"),
        Key::new("fingerprint", Kind::List, "Forms of statements, as howdah rules test prints them.").example("50fde20626009aba"),
        Key::new("pattern", Kind::Text, "A regular expression, found in the statement's normal form: lower case, one space, literals as $1, $2, ….").example("^truncate "),
        Key::new("class", Kind::List, "read, write, ddl, copy, transaction, session, other (DO, CALL, cursors, functions that are not built in).\nOf several statements one is enough; for action = \"allow\" all have to be.").example("write"),
        Key::new("table", Kind::List, "Tables that are named, with or without their schema. For action = \"allow\" no others may be.").example("orders"),
        Key::new("unbounded", SWITCH, "true: an UPDATE or DELETE whose WHERE is missing or true without a look at a column.").example("true"),
        Key::new("injection", SWITCH, "true: the text has signs of SQL injection. A smoke detector, not a wall: parameters are the cure.").example("true"),
        Key::new("action", Kind::Word(&["allow", "flag", "block"]), "What is decided: it runs; it runs, is counted and logged; it is refused (42501). Left out: nothing, for rules\nthat set limits.").example("block"),
        Key::new("query_timeout", Kind::Duration(Zero::Refused), "Longest run of the statement; the shorter of this and pool.query_timeout counts.").example("30s"),
        Key::new("max_rows", Kind::Integer { min: 1, max: 2_000_000_000 }, "Rows of the statement at most; with more the client gets so many and an error (54000).").example("10000"),
        Key::new("undecided", Kind::Word(&["allow", "flag", "block"]), "What happens when it cannot be told whether the conditions hold: a text that does not parse, or is too long.").default("flag"),
    ],
};

/// `[route]`
pub(crate) static ROUTE: Section = Section {
    name: "route",
    shape: Shape::One,
    doc: "Where statements go: to the primary, or to a replica that may run them.",
    sections: &[&OVERRIDE],
    keys: &[
        POLICY.default("prefer_replica"),
        CONSISTENCY.default("session"),
        MAX_LAG.default("10s"),
        LAG_POLICY.default("fallback"),
        MAX_WAIT.default("1s"),
        Key::new("balance", Kind::Word(&["round_robin", "weighted", "priority", "least_connections", "latency", "adaptive"]), "Which of several replicas answers: in turn; in turn by weight; the smallest priority first; the least busy; the\nfaster of two drawn at random; by weight until their speeds differ, then by speed.").default("weighted"),
        Key::new("slow_start", Kind::Duration(Zero::Allowed), "A replica that comes (back) gets its whole share of reads after so long: its caches are cold.").default("10s"),
    ],
};

/// `[database.route]`
pub(crate) static DATABASE_ROUTE: Section = Section {
    name: "route",
    shape: Shape::One,
    doc: "Where statements of this database go, instead of what [route] says.",
    sections: &[],
    keys: &[
        POLICY.example("primary"),
        CONSISTENCY.example("strong"),
        MAX_LAG.example("1s"),
        LAG_POLICY.example("wait"),
        MAX_WAIT.example("250ms"),
    ],
};

const POLICY: Key = Key::new(
    "policy",
    Kind::Word(&["primary", "replica", "prefer_replica", "any"]),
    "Who answers reads: the primary; replicas alone; replicas while one is fresh enough; all alike. Writes go to the\nprimary. A session says it with SET howdah.route, a statement with /* howdah: route=… */ in front.",
);
const CONSISTENCY: Key = Key::new(
    "consistency",
    Kind::Word(&["strong", "session", "bounded", "eventual"]),
    "What a read is promised: all that was committed (the primary answers); all that its session has written and read;\nall that is older than max_lag; nothing beyond max_lag. Also SET howdah.consistency.",
);
const MAX_LAG: Key = Key::new(
    "max_lag",
    Kind::Duration(Zero::Off),
    "Replicas that may be staler than this answer nothing. Off: however stale, unless the consistency forbids it.\nAlso SET howdah.max_lag.",
);
const LAG_POLICY: Key = Key::new(
    "lag_policy",
    Kind::Word(&["fallback", "wait", "error"]),
    "When no replica is fresh enough: the primary answers; the read waits for one, max_wait at most, and then the primary\nanswers; an error (57P03). Also SET howdah.lag_policy, with wait(250ms) for the time.",
);
const MAX_WAIT: Key = Key::new(
    "max_wait",
    Kind::Duration(Zero::Refused),
    "How long lag_policy = \"wait\" lets a read wait.",
);

/// `[[route.override]]`
pub(crate) static OVERRIDE: Section = Section {
    name: "override",
    shape: Shape::Named,
    doc: "What is said about functions, tables or statements, against what would be concluded; each is about one kind of them.\nThe first that fits counts. howdah route explain tries a statement out.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "What howdah route explain calls it.").example("harmless functions"),
        Key::new("function", Kind::List, "Functions, with or without their schema. To a replica: whatever they are declared as, they have no effect.").example("app.total"),
        Key::new("table", Kind::List, "Tables or views, with or without their schema. To a replica: whatever they call or read.").example("daily"),
        Key::new("fingerprint", Kind::List, "Forms of statements, as howdah route explain prints them.").example("50fde20626009aba"),
        Key::new("pattern", Kind::Text, "A regular expression, found in the statement's normal form: lower case, one space, literals as $1, $2, ….").example("from jobs where"),
        Key::new("to", Kind::Word(&["primary", "replica"]), "primary: always there. replica: there, too, unless it would certainly fail or do harm there.").example("replica"),
    ],
};
