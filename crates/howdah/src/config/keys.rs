//! Every key of the configuration, once: name, kind, default with its reason, whether it reloads. Not the values: those are read by
//! `read`, judged by `validate`. The example file, `config show`, the environment form and the suggestions for typing mistakes all
//! come from this table.
//!
//! Length: one table, so that nothing has to be looked for in two places.
//!
//! Invariant: a default is a text that its own kind accepts (tested), and a key that is not here is an error everywhere.

mod advice;
mod alerts;
mod cache;
mod ha;
mod history;
mod rules;
mod statements;
mod web;

pub(crate) use advice::ADVICE;
pub(crate) use alerts::{ALERT_RULE, ALERT_SINK, ALERTS};
pub(crate) use cache::{CACHE, CACHE_FUNCTION, CACHE_RULE, DATABASE_CACHE, REDIS};
pub(crate) use ha::HA;
pub(crate) use history::HISTORY;
pub(crate) use rules::{DATABASE_ROUTE, OVERRIDE, ROUTE, RULE};
pub(crate) use statements::STATEMENTS;
pub(crate) use web::{WEB, WEB_TOKEN, WEB_USER};

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole number within bounds.
    Integer {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A number that is not negative, with or without a fraction.
    Number,
    /// A time such as `250ms`, `5s`, `10m`, `1h`, `7d`.
    Duration(Zero),
    /// One of some words; the first is not special.
    Word(&'static [&'static str]),
    /// Any text that is not empty.
    Text,
    /// Texts; in the environment separated by commas.
    List,
}

/// What `0` means for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zero {
    /// Nothing: it must be longer.
    Refused,
    /// Unlimited or never; `off` means the same.
    Off,
    /// At once.
    Allowed,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Last part of its path.
    pub(crate) name: &'static str,
    /// What its value looks like.
    pub(crate) kind: Kind,
    /// Value when nothing is said; `None`: absent, or made from other keys as `doc` says.
    pub(crate) default: Option<&'static str>,
    /// A value for the example file when there is no default.
    pub(crate) example: &'static str,
    /// A change needs a restart.
    pub(crate) restart: bool,
    /// Its value is never shown.
    pub(crate) secret: bool,
    /// What it does and why the default is what it is; lines of the example file.
    pub(crate) doc: &'static str,
}

impl Key {
    const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, default: None, example: "", restart: false, secret: false, doc }
    }

    const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    const fn example(mut self, value: &'static str) -> Self {
        self.example = value;
        self
    }

    const fn restart(mut self) -> Self {
        self.restart = true;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// How often a section may appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Once: `[pool]`.
    One,
    /// Many, told apart by their key `name`: `[[database]]`.
    Named,
}

/// A section: keys, and sections inside it.
#[derive(Debug)]
pub(crate) struct Section {
    /// Last part of its path.
    pub(crate) name: &'static str,
    /// How often it may appear.
    pub(crate) shape: Shape,
    /// Its keys.
    pub(crate) keys: &'static [Key],
    /// Sections inside.
    pub(crate) sections: &'static [&'static Self],
    /// What it is for; lines of the example file.
    pub(crate) doc: &'static str,
}

impl Section {
    /// The key of that name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The section of that name directly inside.
    pub(crate) fn section(&self, name: &str) -> Option<&'static Self> {
        self.sections.iter().copied().find(|section| section.name == name)
    }

    /// Names of keys and sections inside, for suggestions.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.keys.iter().map(|key| key.name).chain(self.sections.iter().map(|section| section.name))
    }
}

const COUNT: Kind = Kind::Integer { min: 1, max: 1_000_000 };
const COUNT_OR_NONE: Kind = Kind::Integer { min: 0, max: 1_000_000 };
const SWITCH: Kind = Kind::Word(&["false", "true"]);
const MODES: Kind = Kind::Word(&["transaction", "session", "statement"]);

const SHARE: Kind = Kind::Word(&["off", "reads"]);

/// The whole file.
pub(crate) static ROOT: Section = Section {
    name: "",
    shape: Shape::One,
    keys: &[],
    sections: &[
        &LISTEN,
        &CLUSTER,
        &DATABASE,
        &USER,
        &AUTH,
        &HBA,
        &POOL,
        &HEALTH,
        &ROUTE,
        &RULE,
        &CACHE,
        &STATEMENTS,
        &HA,
        &ADMIN,
        &WEB,
        &HISTORY,
        &ADVICE,
        &ALERTS,
        &LOG,
    ],
    doc: "",
};

/// `[listen]`
pub(crate) static LISTEN: Section = Section {
    name: "listen",
    shape: Shape::One,
    doc: "Where applications connect.",
    sections: &[],
    keys: &[
        Key::new("address", Kind::List, "IP address, or several. The default is reachable from this machine alone; with others, set tls. \"0.0.0.0\" is every IPv4 address, \"::\" every address, \"off\" none.")
            .default("127.0.0.1")
            .restart(),
        Key::new("port", Kind::Integer { min: 0, max: 65_535 }, "One above PostgreSQL's own and where poolers usually listen. 0 takes a free one.")
            .default("6432")
            .restart(),
        Key::new("unix_socket", Kind::Text, "Directory in which to make a socket file, as PostgreSQL does. Cheaper than TCP for clients on this machine.")
            .example("/run/howdah")
            .restart(),
        Key::new("takeover_socket", Kind::Text, "Path of the socket over which the next process takes over at a restart; its directory must belong to the\nuser of this process. \"off\": none. Left out: in the runtime directory, named after the first address.")
            .example("/run/howdah/takeover")
            .restart(),
        Key::new("tls", Kind::Word(&["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]), "TLS with clients over TCP, in PgBouncer's words: allow and prefer: for clients that ask for it; require: for all;\nverify-ca and verify-full: for all, with a certificate signed by tls_ca. Left out: prefer with tls_cert, else disable.")
            .example("require"),
        Key::new("tls_cert", Kind::Text, "Certificate to show to clients, in PEM form, those above it behind it. Read again by every reload, as are the next two.")
            .example("/etc/howdah/server.crt"),
        Key::new("tls_key", Kind::Text, "Its private key, without a passphrase.")
            .example("/etc/howdah/server.key"),
        Key::new("tls_ca", Kind::Text, "Authorities that sign clients' certificates. With it, a client that shows a certificate must show a good one.")
            .example("/etc/howdah/clients.crt"),
        Key::new("tls_min_version", Kind::Word(&["1.2", "1.3"]), "Oldest version of TLS: PostgreSQL's own default.")
            .default("1.2"),
        Key::new("max_clients", COUNT, "Clients connected at once; one more is refused. An idle client costs a few KiB; each needs a file descriptor.")
            .default("10000"),
        Key::new("login_timeout", Kind::Duration(Zero::Refused), "From the first byte to the end of the login: PostgreSQL's own limit (authentication_timeout).")
            .default("1m"),
        Key::new("client_idle_timeout", Kind::Duration(Zero::Off), "Disconnects clients idle outside a transaction. Off: an application's pool keeps connections open on purpose.")
            .default("off"),
        Key::new("workers", Kind::Integer { min: 0, max: 256 }, "Threads. 0: one for every two processors, at most 8: one moves tens of thousands of statements a second,\nand the database needs the processors more.")
            .default("0")
            .restart(),
    ],
};

/// `[[cluster]]`
pub(crate) static CLUSTER: Section = Section {
    name: "cluster",
    shape: Shape::Named,
    doc: "One primary with its replicas.",
    sections: &[&NODE],
    keys: &[
        Key::new("name", Kind::Text, "Told apart by it; databases refer to it.").example("main")
    ],
};

/// `[[cluster.node]]`
pub(crate) static NODE: Section = Section {
    name: "node",
    shape: Shape::Named,
    doc: "One PostgreSQL instance.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "Name in reports; left out: its address.").example("main-1"),
        Key::new("host", Kind::Text, "Host name or address; a path is the directory of a Unix socket (faster on the same machine).").example("127.0.0.1"),
        Key::new("port", Kind::Integer { min: 1, max: 65_535 }, "").default("5432"),
        Key::new("role", Kind::Word(&["primary", "replica"]), "Left out: the first node is the primary, the others replicas. A hint: what the nodes say of\nthemselves counts.").example("primary"),
        Key::new("tls", Kind::Word(&["disable", "prefer", "require", "verify-ca", "verify-full"]), "TLS with the node over TCP, with the meaning of libpq's sslmode: if it speaks it; always; and its certificate is signed\nby tls_ca; and is for this host. Only the last is safe from somebody in between.").default("prefer"),
        Key::new("tls_ca", Kind::Text, "Authorities that sign the node's certificate, in PEM form; \"system\": those that this machine trusts, also when left out.").example("/etc/howdah/root.crt"),
        Key::new("tls_cert", Kind::Text, "Certificate to show to the node when it asks for one.").example("/etc/howdah/client.crt"),
        Key::new("tls_key", Kind::Text, "Its private key, without a passphrase.").example("/etc/howdah/client.key"),
        Key::new("socket", Kind::Text, "Reaches a server on this machine by its Unix socket, which is faster, though host says TCP. \"auto\": if host is\na loopback address or localhost, and the socket leads to the same server and asks for the same proof; a directory: there; \"off\": never.").default("auto"),
        Key::new("max_servers", COUNT, "Connections to this node at most, over all pools. Left out: no cap beyond the pools' own.").example("90"),
        Key::new("weight", Kind::Integer { min: 0, max: 1000 }, "Its part of the reads, against the weights of the others. 0: none.").default("1"),
        Key::new("priority", Kind::Integer { min: 1, max: 1000 }, "Reads go to the smallest number first, if the strategy looks at it.").default("1"),
        Key::new("stop_command", Kind::Text, "Shell command for howdah ha switchover: stops this PostgreSQL (mode fast), and returns when it has stopped. The next two\nstart it as it was, and start it as a replica of $HOWDAH_PRIMARY_HOST and $HOWDAH_PRIMARY_PORT.").example("ssh db1 sudo pg_ctlcluster 15 main stop -m fast"),
        Key::new("start_command", Kind::Text, "Used when a switchover is given up after the stop.").example("ssh db1 sudo pg_ctlcluster 15 main start"),
        Key::new("follow_command", Kind::Text, "primary_conninfo is set already: standby.signal and a start are enough.").example("ssh db1 'sudo -u postgres touch /var/lib/postgresql/15/main/standby.signal && sudo pg_ctlcluster 15 main start'"),
    ],
};

/// `[[database]]`
pub(crate) static DATABASE: Section = Section {
    name: "database",
    shape: Shape::Named,
    doc: "A database that clients may name. Without any, every name is passed on to the only cluster.",
    sections: &[&POOL, &DATABASE_ROUTE, &DATABASE_CACHE],
    keys: &[
        Key::new(
            "name",
            Kind::Text,
            "The name clients use; \"*\" stands for every name without an entry of its own.",
        )
        .example("shop"),
        Key::new("cluster", Kind::Text, "Left out: the only cluster.").example("main"),
        Key::new("server_database", Kind::Text, "Its name on the server. Left out: the same.")
            .example("shop_production"),
        Key::new(
            "auth_query",
            Kind::Text,
            "Instead of auth.query for this database; \"off\": nobody is looked up.",
        )
        .example("off"),
        Key::new("auth_database", Kind::Text, "Instead of auth.query_database.")
            .example("postgres"),
        Key::new("pool_mode", MODES, "Short for mode in [database.pool].").example("session"),
        Key::new("share", SHARE, "Short for share in [database.pool].").example("off"),
        Key::new(
            "max_servers",
            COUNT,
            "Connections of all its pools at most. Left out: no cap beyond the pools' own.",
        )
        .example("40"),
        Key::new(
            "max_clients",
            COUNT,
            "Clients of this database at most. Left out: no cap beyond listen.max_clients.",
        )
        .example("300"),
    ],
};

/// `[[user]]`
pub(crate) static USER: Section = Section {
    name: "user",
    shape: Shape::Named,
    doc: "A user that clients may log in as.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "The name clients use; \"*\" stands for every other name (with auth = \"trust\" or \"cert\", or pass_through only).").example("app"),
        Key::new("auth", Kind::Word(&["trust", "password", "md5", "scram-sha-256", "cert"]), "How a client proves who it is. Left out: scram-sha-256 when a password is known; without one trust, which\nadmits clients of this machine only.").example("scram-sha-256"),
        Key::new("cert_name", Kind::Text, "With auth = \"cert\": the common name in the client's certificate. Left out: the user's name.").example("app.example.com"),
        Key::new("password", Kind::Text, "The password, or what PostgreSQL stores of it (\"SCRAM-SHA-256$…\", \"md5…\"). Better one of the next three.").example("…").secret(),
        Key::new("password_file", Kind::Text, "File that holds the password; a line end after it does not count.").example("/run/secrets/app"),
        Key::new("password_env", Kind::Text, "Environment variable that holds it.").example("APP_PASSWORD"),
        Key::new("password_command", Kind::Text, "Shell command that prints it, within 10 seconds.").example("pass show app"),
        Key::new("pass_through", SWITCH, "Asks the client for its password in clear text, and PostgreSQL whether it is right: no password is stored here.\nOnly over TLS, the Unix socket, or from this machine.").default("false"),
        Key::new("server_user", Kind::Text, "Name to log in to PostgreSQL with. Left out: the same.").example("app_rw"),
        Key::new("server_password", Kind::Text, "Password for PostgreSQL. Left out: the client's; of one that is known only in its stored form, what the client's\nown login reveals.").example("…").secret(),
        Key::new("server_password_file", Kind::Text, "File that holds it.").example("/run/secrets/app_rw"),
        Key::new("server_password_env", Kind::Text, "Environment variable that holds it.").example("APP_RW_PASSWORD"),
        Key::new("server_password_command", Kind::Text, "Shell command that prints it.").example("pass show app_rw"),
        Key::new("read_server_user", Kind::Text, "Name to log in to replicas with. Left out: as for the primary.").example("app_ro"),
        Key::new("read_server_password", Kind::Text, "Password for replicas.").example("…").secret(),
        Key::new("read_server_password_file", Kind::Text, "File that holds it.").example("/run/secrets/app_ro"),
        Key::new("read_server_password_env", Kind::Text, "Environment variable that holds it.").example("APP_RO_PASSWORD"),
        Key::new("read_server_password_command", Kind::Text, "Shell command that prints it.").example("pass show app_ro"),
        Key::new("pool_mode", MODES, "Overrides the mode of the database's pool.").example("session"),
        Key::new("share", SHARE, "Overrides share of the database's pool.").example("off"),
        Key::new("max_clients", COUNT, "Clients of this user at most. Left out: no cap beyond listen.max_clients.").example("500"),
        Key::new("max_servers", COUNT, "Connections of all its pools at most, over all databases. Left out: no cap beyond the pools' own.").example("30"),
    ],
};

/// `[auth]`
pub(crate) static AUTH: Section = Section {
    name: "auth",
    shape: Shape::One,
    doc: "Users that are kept elsewhere, and limits for all logins.",
    sections: &[],
    keys: &[
        Key::new("file", Kind::Text, "Users with their passwords in the form of PgBouncer's userlist.txt: \"name\" \"password, SCRAM-SHA-256$… or md5…\".\nAn entry of [[user]] with the same name goes before.").example("/etc/howdah/userlist.txt"),
        Key::new("query_user", Kind::Text, "Looks users up in PostgreSQL who are neither in [[user]] nor in the file: the role that asks. Left out: nobody is\nlooked up.").example("howdah_auth"),
        Key::new("query_password", Kind::Text, "Its password. Left out: that of the entry of [[user]] or the file with this name.").example("…").secret(),
        Key::new("query_password_file", Kind::Text, "File that holds it.").example("/run/secrets/howdah_auth"),
        Key::new("query_password_env", Kind::Text, "Environment variable that holds it.").example("HOWDAH_AUTH_PASSWORD"),
        Key::new("query_password_command", Kind::Text, "Shell command that prints it.").example("pass show howdah_auth"),
        Key::new("query", Kind::Text, "How it asks: $1 is the name, the answer one row with name and stored password (NULL: no login). Its\nsearch_path is pg_catalog alone, so functions of other schemas need theirs in front.").default("SELECT rolname, CASE WHEN rolvaliduntil < pg_catalog.now() THEN NULL ELSE rolpassword END FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin"),
        Key::new("query_database", Kind::Text, "Database on the server in which it asks. Left out: the one that the client wants.").example("postgres"),
        Key::new("query_cache", Kind::Duration(Zero::Allowed), "How long an answer counts: a storm of logins is one question. A failed login asks again, so a new password works\nat once; an old one may work for as long as this.").default("5s"),
        Key::new("method", Kind::Word(&["password", "md5", "scram-sha-256"]), "How users of the file and the query prove who they are. Left out: by what is stored. \"md5\" means SCRAM-SHA-256\nfor those of whom that is stored, as in pg_hba.conf.").example("scram-sha-256"),
        Key::new("hba_file", Kind::Text, "Rules by address in the form of pg_hba.conf, instead of [[hba]].").example("/etc/howdah/pg_hba.conf"),
        Key::new("failures_per_minute", COUNT_OR_NONE, "Failed logins of one client address a minute; further ones are answered late. 0: never late.").default("60"),
        Key::new("logins_per_second", COUNT_OR_NONE, "Logins of one client address a second; further ones wait. 0: no limit: an application that starts opens many.").default("0"),
        Key::new("max_pending", COUNT_OR_NONE, "Connections of one client address that have not logged in yet; one more is refused. 0: no limit.").default("0"),
    ],
};

/// `[[hba]]`
pub(crate) static HBA: Section = Section {
    name: "hba",
    shape: Shape::Named,
    doc: "Rules by address, in order: the first that fits decides, and with rules and without a fitting one nobody is let in.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "What the log calls it.").example("office"),
        Key::new("type", Kind::Word(&["local", "host", "hostssl", "hostnossl"]), "Unix socket, TCP, TCP with TLS, or TCP without.").default("host"),
        Key::new("database", Kind::List, "\"all\", \"sameuser\", or names.").default("all"),
        Key::new("user", Kind::List, "\"all\", or names.").default("all"),
        Key::new("address", Kind::List, "Addresses or networks: \"10.0.0.0/8\", \"::1\", \"all\".").default("all"),
        Key::new("method", Kind::Word(&["trust", "reject", "password", "md5", "scram-sha-256", "cert", "peer"]), "What is asked of the client. \"peer\": to be the operating system's user of that name, over the Unix socket.").example("scram-sha-256"),
    ],
};

/// `[pool]` and `[database.pool]`
pub(crate) static POOL: Section = Section {
    name: "pool",
    shape: Shape::One,
    doc: "Servers (connections to PostgreSQL) for each pair of database and user.",
    sections: &[],
    keys: &[
        Key::new("mode", MODES, "When a server goes back to the pool: at the end of every transaction, when the client leaves, or after every\nstatement. Session state that clients set is kept for them in transaction mode.").default("transaction"),
        Key::new("min_size", COUNT_OR_NONE, "Servers kept open even when idle. 0: a database nobody uses costs nothing.").default("0"),
        Key::new("max_size", COUNT, "Servers at most. PostgreSQL is fastest with a few busy backends per processor; twice to four times the\nprocessors of its machine is usually best, and larger is slower.").default("20"),
        Key::new("reserve_size", COUNT_OR_NONE, "Servers beyond max_size for a spike. 0: max_size means max.").default("0"),
        Key::new("reserve_after", Kind::Duration(Zero::Allowed), "How long a client must have waited before they are opened.").default("5s"),
        Key::new("max_waiters", COUNT, "Clients that may wait at once; one more is refused at once, instead of after checkout_timeout.").default("10000"),
        Key::new("checkout_timeout", Kind::Duration(Zero::Refused), "How long a client may wait for a server. Most web servers have given up on the request by then.").default("30s"),
        Key::new("pause_timeout", Kind::Duration(Zero::Off), "How long a client may wait while an administrator has paused the database. Off: until it is resumed.").default("off"),
        Key::new("wait_notice", Kind::Duration(Zero::Off), "A client that has waited for so long is told by a notice why nothing comes. Off: it waits without a word.").default("5s"),
        Key::new("connect_timeout", Kind::Duration(Zero::Refused), "How long opening a server may take, login included.").default("5s"),
        Key::new("query_timeout", Kind::Duration(Zero::Off), "Longest run of one request. Off: only the application knows; statement_timeout of PostgreSQL works as usual.").default("off"),
        Key::new("idle_timeout", Kind::Duration(Zero::Refused), "Closes servers beyond min_size that nobody used for this long: after a spike PostgreSQL gets its memory back.").default("10m"),
        Key::new("idle_in_transaction_timeout", Kind::Duration(Zero::Off), "Longest idle time of a client inside a transaction, where it holds a server and its locks. Off: as PostgreSQL.").default("off"),
        Key::new("transaction_timeout", Kind::Duration(Zero::Off), "Longest transaction of a client; one that is open for longer is rolled back and the client disconnected. Off: as PostgreSQL.").default("off"),
        Key::new("leak_threshold", Kind::Duration(Zero::Off), "A transaction open for longer is logged once, counted, and listed by SHOW LEAKS: somebody forgot to end it. Off: none is.").default("1m"),
        Key::new("slow_threshold", Kind::Duration(Zero::Off), "A statement that takes longer, its wait for a server included, is remembered, with its plan: SHOW SLOW. Off: none is.").default("250ms"),
        Key::new("max_lifetime", Kind::Duration(Zero::Refused), "Closes older servers when they come back: caches of a backend grow with its age. Spread by up to a tenth; not while new ones cannot be opened.").default("1h"),
        Key::new("check_after_idle", Kind::Duration(Zero::Allowed), "Asks a server idle for longer for a sign of life before it is used: firewalls forget quiet connections.").default("30s"),
        Key::new("max_opening", COUNT, "Servers being opened at once: a login costs PostgreSQL a new process, and a storm of them everything else.").default("4"),
        Key::new("dynamic", SWITCH, "Holds as many servers as measured concurrency asks for, between min_size and max_size, instead of growing on\ndemand and shrinking by idle_timeout. SHOW POOLS shows the recommended size also when this is off.").default("false"),
        Key::new("max_prepared", COUNT_OR_NONE, "Prepared statements kept on one server before the least recently used goes: each costs a backend memory.").default("200"),
        Key::new("share", SHARE, "Waiting reads of several clients share a server: written together, answered in order. Only single statements\nwithout side effects that have proven to be short.").default("reads"),
    ],
};

/// `[health]`
pub(crate) static HEALTH: Section = Section {
    name: "health",
    shape: Shape::One,
    doc: "How nodes are watched: whether they answer, and in a cluster of several nodes who is the primary and how far the others\nare behind. SHOW NODES says what is known.",
    sections: &[],
    keys: &[
        Key::new("probe_interval", Kind::Duration(Zero::Refused), "How often each node of a cluster of several is asked for its role and position, over one connection: 0.1 ms of work.\nWhoever wants to know sooner has it asked at once.").default("100ms"),
        Key::new("user", Kind::Text, "Role that asks; pg_monitor is all it needs. Left out: the first user who can log in without a client.").example("howdah_probe"),
        Key::new("password", Kind::Text, "Its password. Left out: that of the entry of [[user]] with this name.").example("…").secret(),
        Key::new("password_file", Kind::Text, "File that holds it.").example("/run/secrets/howdah_probe"),
        Key::new("password_env", Kind::Text, "Environment variable that holds it.").example("HOWDAH_PROBE_PASSWORD"),
        Key::new("password_command", Kind::Text, "Shell command that prints it.").example("pass show howdah_probe"),
        Key::new("database", Kind::Text, "Database on the server in which it asks. Left out: the first one with a name, or postgres.").example("postgres"),
        Key::new("interval", Kind::Duration(Zero::Off), "A node that served nothing for this long is asked for a sign of life: one login, over all pools and workers.").default("10s"),
        Key::new("timeout", Kind::Duration(Zero::Refused), "How long it may take to give one.").default("5s"),
        Key::new("failure_threshold", COUNT, "Failures in a row (to connect, or to give a sign of life) after which a node is only probed, by one connection at\na time: the circuit breaker is open. Errors of a single database or user do not count.").default("5"),
        Key::new("breaker_open", Kind::Duration(Zero::Refused), "How long before the first probe. It doubles, up to eightfold, with a quarter of jitter.").default("500ms"),
        Key::new("breaker_hold", Kind::Duration(Zero::Off), "Clients wait for a node that is down until it has been down for this long; from then on they are told at once\n(08006, 57P03). Off: each waits for checkout_timeout. Long enough for a restart of PostgreSQL.").default("30s"),
    ],
};

/// `[admin]`
pub(crate) static ADMIN: Section = Section {
    name: "admin",
    shape: Shape::One,
    doc: "The console: psql -d howdah, then SHOW POOLS and the other commands of PgBouncer.",
    sections: &[],
    keys: &[
        Key::new(
            "users",
            Kind::List,
            "Users that may use it. Left out: the user, when there is only one.",
        )
        .example("app"),
        Key::new(
            "stats_users",
            Kind::List,
            "Users that may look (SHOW) and change nothing: for monitoring.",
        )
        .example("monitor"),
    ],
};

/// `[log]`
pub(crate) static LOG: Section = Section {
    name: "log",
    shape: Shape::One,
    doc: "What is written to standard error.",
    sections: &[],
    keys: &[
        Key::new(
            "level",
            Kind::Word(&["error", "warn", "info", "debug", "trace"]),
            "\"info\" says what changed, nothing per statement.",
        )
        .default("info"),
        Key::new("format", Kind::Word(&["text", "json"]), "").default("text").restart(),
    ],
};

/// Keys and sections of the design that no code serves yet. Naming them gives a better answer than "unknown".
pub(crate) const LATER: &[&str] = &[
    "preset",
    "advisor",
    "partition",
    "maintenance",
    "migrations",
    "backup",
    "admin.address",
    "admin.tokens",
    "admin.allow_changes",
    "cluster.discovery",
    "cluster.node.pool",
    "database.consistency",
    "database.aliases",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::{Given, Origin};
    use crate::config::read::parse;

    fn sections(from: &'static Section, found: &mut Vec<&'static Section>) {
        found.push(from);
        for section in from.sections {
            sections(section, found);
        }
    }

    #[test]
    fn every_default_and_example_is_a_value_its_kind_accepts() {
        let mut all = Vec::new();
        sections(&ROOT, &mut all);
        for key in all.iter().flat_map(|section| section.keys) {
            let text = key.default.unwrap_or(key.example);
            let given = Given::text(text, Origin::Default);
            assert!(parse(key.kind, &given).is_ok(), "{}: {text}", key.name);
        }
    }

    #[test]
    fn no_later_key_is_a_key_of_this_version() {
        for path in LATER {
            let mut section = &ROOT;
            let mut parts = path.split('.').peekable();
            while let Some(part) = parts.next() {
                if parts.peek().is_some() {
                    section = section.section(part).expect(path);
                } else {
                    assert!(!section.names().any(|name| name == part), "{path}");
                }
            }
        }
    }
}
