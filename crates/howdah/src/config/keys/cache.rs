//! The keys of `[cache]`.

use super::{Key, Kind, SWITCH, Section, Shape, Zero};

const MODE: Key = Key::new(
    "mode",
    Kind::Word(&["off", "observe", "on"]),
    "Whether answers are kept and given: off; observe: kept and looked up, and PostgreSQL answers all the same, for numbers; on.",
);

const LEVEL: Key = Key::new(
    "level",
    Kind::Word(&["auto", "bounded", "session", "strict"]),
    "How fresh: bounded: every transaction that was visible longer ago than max_staleness is in it; session: and what the\nsession has written or seen; strict: and what was visible when the statement came; auto: bounded, and session for\nsessions that have written.",
);

const MAX_STALENESS: Key = Key::new(
    "max_staleness",
    Kind::Duration(Zero::Refused),
    "The bound. Without news of changes for as long, PostgreSQL answers.",
);

const SESSION_TTL: Key = Key::new(
    "session_ttl",
    SWITCH,
    "Whether howdah.cache_ttl of a session or a comment lets answers rest on their age where changes are not followed, for those who\nsay so. false: it only bounds how old answers are.",
);

/// `[cache]`
pub(crate) static CACHE: Section = Section {
    name: "cache",
    shape: Shape::One,
    doc: "Answers that are kept, and the changes that make them wrong: PostgreSQL tells of every commit in each [[database]] that has a name and the\npublication. Needs wal_level = logical.",
    sections: &[&REDIS, &CACHE_RULE, &CACHE_FUNCTION],
    keys: &[
        MODE.default("off"),
        Key::new("size", Kind::Integer { min: 1, max: 1 << 20 }, "MiB of answers at most, in the whole process; the least useful go first.").default("256"),
        Key::new("warm_answers", Kind::Integer { min: 0, max: 100_000 }, "Requests that are remembered, to be asked again when their answers are lost, most valuable first. 0: none.").default("1000"),
        Key::new("warm_file", Kind::Text, "File in which they outlive a restart; it holds values of statements, and nobody else can read it. Left out: they do not.").example("/var/lib/howdah/warm"),
        LEVEL.default("auto"),
        MAX_STALENESS.default("100ms"),
        SESSION_TTL.default("true"),
        Key::new("publication", Kind::Text, "Publication that says of which tables changes are told; howdah setup makes it. Left out: changes are not followed.").example("howdah"),
        Key::new("user", Kind::Text, "Role that follows changes: it needs REPLICATION and CONNECT. Left out: the first user who can log in without a client.").example("howdah_cache"),
        Key::new("password", Kind::Text, "Its password. Left out: that of the entry of [[user]] with this name.").example("…").secret(),
        Key::new("password_file", Kind::Text, "File that holds it.").example("/run/secrets/howdah_cache"),
        Key::new("password_env", Kind::Text, "Environment variable that holds it.").example("HOWDAH_CACHE_PASSWORD"),
        Key::new("password_command", Kind::Text, "Shell command that prints it.").example("pass show howdah_cache"),
        Key::new("heartbeat", Kind::Duration(Zero::Refused), "How often a heartbeat goes through the log of each database: one small commit. What is known of changes is at most\nthis old, and the way through the log.").default("25ms"),
        Key::new("catalog_poll", Kind::Duration(Zero::Refused), "How often the catalog is asked whether definitions have changed, in case the event triggers of howdah setup are not\nthere. Without them a changed definition is noticed this late.").default("1s"),
        Key::new("tags", Kind::Integer { min: 1024, max: 1 << 28 }, "Places for what answers depend on, 8 bytes each per database. Too few only cost hits.").default("4194304"),
    ],
};

/// `[cache.redis]`
pub(crate) static REDIS: Section = Section {
    name: "redis",
    shape: Shape::One,
    doc: "A Redis or Valkey in which several instances of Howdah share answers. Each of them judges what it finds there by the changes that it has\nheard of itself. Without an answer in time PostgreSQL is asked, as if it were not there.",
    sections: &[],
    keys: &[
        Key::new("url", Kind::Text, "Where it is: redis://host:6379/0, rediss:// with TLS, redis+unix:///path; also REDIS_URL. Left out: nothing is shared.").example("redis://10.0.0.5:6379/0").secret(),
        Key::new("password", Kind::Text, "Its password, instead of one in url.").example("…").secret(),
        Key::new("password_file", Kind::Text, "File that holds it.").example("/run/secrets/redis"),
        Key::new("password_env", Kind::Text, "Environment variable that holds it.").example("HOWDAH_REDIS_PASSWORD"),
        Key::new("password_command", Kind::Text, "Shell command that prints it.").example("pass show redis"),
        Key::new("timeout", Kind::Duration(Zero::Refused), "How long a request waits for it. After one that was too late it is not asked until it answers again.").default("5ms"),
        Key::new("ttl", Kind::Duration(Zero::Refused), "How long an answer stays there at most. Not how fresh it is: that is judged each time.").default("1h"),
        Key::new("prefix", Kind::Text, "What the names of its keys begin with.").default("howdah:"),
    ],
};

/// `[[cache.rule]]`
pub(crate) static CACHE_RULE: Section = Section {
    name: "rule",
    shape: Shape::Named,
    doc: "What is said of the cache about statements that read some tables, or of some forms, instead of what [cache] and [database.cache] say.\nWhere several rules select a statement, what one of them forbids is forbidden: the least mode, the highest level, the shortest time.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "What howdah cache rules calls it.").example("catalog"),
        Key::new("table", Kind::List, "Statements that read one of these tables or views, by themselves or through a view; with or without their schema.").example("products"),
        Key::new("fingerprint", Kind::List, "Statements of these forms, as howdah queries prints them.").example("50fde20626009aba"),
        Key::new("mode", Kind::Word(&["off", "observe", "on"]), "Instead of the mode of the database, also if that is off. Sessions, comments and howdah cache off ask for less all the same.").example("on"),
        Key::new("level", Kind::Word(&["bounded", "session", "strict"]), "Instead of the level of the database.").example("session"),
        Key::new("max_staleness", Kind::Duration(Zero::Refused), "Instead of the bound of the database.").example("1s"),
        Key::new("ttl", Kind::Duration(Zero::Refused), "For how long an answer counts at most. Where changes are not followed it is then all that bounds how old answers are:\nwhat others write, and whom they refuse, is seen this late.").example("30s"),
        Key::new("tags", Kind::List, "Names by which answers are forgotten together: howdah cache flush --tag.").example("catalog"),
    ],
};

/// `[[cache.function]]`
pub(crate) static CACHE_FUNCTION: Section = Section {
    name: "function",
    shape: Shape::Named,
    doc: "A function of your own whose answers may be kept: it changes nothing, leaves nothing in the session, and what it returns depends on its\narguments, on settings and on the tables that are named here alone. One that is declared VOLATILE is not believed.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "The function, with its schema; all of this name are meant.").example("app.price_of"),
        Key::new("reads", Kind::List, "Tables and views that it reads, by itself or through others; with or without their schema. [] if none.").example("prices"),
    ],
};

/// `[database.cache]`
pub(crate) static DATABASE_CACHE: Section = Section {
    name: "cache",
    shape: Shape::One,
    doc: "The cache for this database, instead of what [cache] says.",
    sections: &[],
    keys: &[
        MODE.example("on"),
        LEVEL.example("session"),
        MAX_STALENESS.example("1s"),
        SESSION_TTL.example("false"),
    ],
};
