//! Every bound of the data plane that is not a setting, with what happens at it. A bound that users may change is a
//! configuration key instead.

/// Statement texts longer than this are not analysed: they are streamed to the server and the session is pinned
/// ([`PinReason::LargeStatement`](crate::session::PinReason::LargeStatement)). Bytes.
pub const ANALYSED_STATEMENT: usize = 1024 * 1024;

/// A server frame whose content matters (errors, parameter status, command tags …) must fit in this; a longer one closes
/// the server as broken. Rows and COPY data stream and are not bounded by it. Bytes.
pub const INSPECTED_FRAME: usize = 1024 * 1024;

/// Client frames gathered without a server before one is checked out even though the request is incomplete. Bytes.
pub const GATHERED_REQUEST: usize = 64 * 1024;

/// Names of statements and portals longer than this are refused with SQLSTATE 08P01. Bytes.
pub const NAME: usize = 4096;

/// Prepared statements and their names that one session may hold; one more is refused with SQLSTATE 53400.
pub const STATEMENTS_PER_SESSION: usize = 16 * 1024;

/// Replies that one server may owe at once; more client frames are read only after some have come.
pub const EXPECTED_REPLIES: usize = 64 * 1024;

/// Distinct sets of startup settings whose login answer is remembered per pool; beyond it a login asks a server.
pub const WELCOMES_PER_POOL: usize = 64;

/// Normal forms remembered per worker; beyond it the least valuable is forgotten and analysed again when it comes back.
pub const ANALYSES_PER_WORKER: usize = 8 * 1024;

/// Texts of prepared statements shared by sessions, per worker, before those without a user are dropped.
pub const SHARED_STATEMENTS: usize = 4 * 1024;

/// Distinct sets of settings shared by sessions, per worker, before those without a user are dropped.
pub const SHARED_CONTEXTS: usize = 4 * 1024;

/// Settings that one session may carry from server to server; one more pins it.
pub const SETTINGS_PER_SESSION: usize = 256;

/// Savepoints of one transaction whose settings are remembered; one more pins the session.
pub const SAVEPOINTS: usize = 1024;

/// Bytes a server may still owe to a client that has gone before the server is closed instead of drained.
pub const DRAINED_REPLY: usize = 1024 * 1024;

/// Channels that one session may listen to; with one more it is ended with SQLSTATE 53400.
pub const CHANNELS_PER_SESSION: usize = 1024;

/// Notifications that may wait for one client (it is in a transaction, or does not read); one more ends it with SQLSTATE 53400.
pub const NOTIFICATIONS_PER_CLIENT: usize = 8 * 1024;

/// Client addresses whose failed logins are remembered; beyond it new ones share one account.
pub const LOGIN_ADDRESSES: usize = 10_000;

/// Names whose look-up is remembered, per worker; beyond it the oldest is looked up again.
pub const LOOKED_UP_USERS: usize = 10_000;

/// Databases to which a worker keeps a connection for look-ups; beyond it one that nobody waits for is closed.
pub const LOOKUP_CONNECTIONS: usize = 16;

/// Clients that may wait for a look-up at once, per worker; one more is refused with SQLSTATE 53300.
pub const LOOKUPS_WAITING: usize = 4096;

/// Passwords that one worker tries out on servers at once (`pass_through`); more logins wait for their turn.
pub const PASSWORDS_TRIED: usize = 4;

/// Consoles open at once, beside the clients; one more is refused with SQLSTATE 53300.
pub const CONSOLES: usize = 32;

/// Prepared statements, and portals, of one console; one more is refused with SQLSTATE 53400.
pub const CONSOLE_STATEMENTS: usize = 64;

/// Statements of which a worker remembers what the rules say; beyond it all are judged anew when they come back.
pub const VERDICTS: usize = 16 * 1024;

/// Forms of statements, each with the rule that it met, of which the log was told within a minute; more are counted and not logged.
pub const LOGGED_FORMS: usize = 1024;

/// Functions of a database's catalog that are kept; with more nothing is known of it, and reads go to the primary.
pub const CATALOG_FUNCTIONS: usize = 64 * 1024;

/// Tables, views, partitions and sequences of a database's catalog that are kept; with more nothing is known of it, and reads go to
/// the primary.
pub const CATALOG_RELATIONS: usize = 128 * 1024;

/// Which relation of a catalog is read with which, and which functions they call; with more nothing is known of it, and reads go to
/// the primary.
pub const CATALOG_LINKS: usize = 512 * 1024;

/// Databases whose counts are kept apart per worker after their pools have gone; those of others go to `*`.
pub const DEPARTED_DATABASES: usize = 1024;

/// Positions of one node that are remembered with the moment they were asked for; beyond it every second of the older half goes.
pub const POSITION_SAMPLES: usize = 512;

/// Transactions under way on a primary up to which replicas are asked which of them they have seen committed; with more it is not
/// known for that moment what the primary shows.
pub const HIDDEN_TRANSACTIONS: usize = 512;

/// Moments of which that is asked at once.
pub const HIDDEN_MOMENTS: usize = 64;

/// Sets of columns of one relation for which the cache hashes every changed row; answers that would need another one depend on the
/// whole table.
pub const COLUMN_SETS_PER_RELATION: usize = 32;

/// The same for all relations of a database.
pub const COLUMN_SETS: usize = 4096;

/// Commits that were delivered and are not known to be visible, per database; with more the cache gives up its stream and begins anew.
pub const COMMITS_IN_DOUBT: usize = 64 * 1024;

/// Sessions that go past Howdah, of one node; with more, those with the youngest transactions are only counted.
pub const OUTSIDERS: usize = 50;

/// Forms of statements that a worker counts apart within a second; calls of others count together, by kind.
pub const STATEMENTS_PER_WORKER: usize = 1024;

/// Forms of statements that are kept apart in all; with one more, those that took the least time count together, by kind.
pub const STATEMENTS: usize = 4096;

/// Pairs of database and user whose statements are counted apart; those beyond count as one.
pub const STATEMENT_SCOPES: usize = 1024;

/// Pairs of statements, one of which ran once for every row of the other, that are remembered; beyond it the oldest is forgotten.
pub const STATEMENT_CHAINS: usize = 256;

/// Minutes that are remembered of each form.
pub const STATEMENT_MINUTES: usize = 30;

/// Databases of one node about whose numbers PostgreSQL is asked; those of others are not known.
pub const SERVER_STATISTICS: usize = 256;

/// Forms of one node of which is remembered how often PostgreSQL has run them; of others is not known who did.
pub const DIRECT_FORMS: usize = 1024;

/// Slow statements that are remembered, over all databases; with one more the oldest is forgotten.
pub const SLOW: usize = 200;

/// Slow statements that may wait for their plan at once; more get none.
pub const PLANS_UNDER_WAY: usize = 4;

/// Forms of which is remembered when they were explained last; beyond it those that were explained longest ago are forgotten.
pub const EXPLAINED_FORMS: usize = 1024;

/// Bytes of a request whose statement is explained as it was sent; of a longer one the form is.
pub const EXPLAINED_REQUEST: usize = 64 * 1024;

/// Nodes of a plan that are kept; with more, those that come later are left out.
pub const PLAN_NODES: usize = 200;

/// Bytes of one condition in a plan that are kept.
pub const PLAN_DETAIL: usize = 500;

/// Databases whose slow statements are counted apart; those of others go to `*`.
pub const SLOW_DATABASES: usize = 1024;

/// Bytes of a form's text that are kept.
pub const STATEMENT_TEXT: usize = 2048;

/// Names of applications, addresses and routes that one worker counts statements by; beyond it new ones count as others.
pub const STATEMENT_NAMES: usize = 4 * 1024;

/// Of these, names by which the calls of one form are told apart, of each kind; what comes later counts as others.
pub const STATEMENT_NAMES_PER_FORM: usize = 16;

/// Bytes of such a name that are kept.
pub const STATEMENT_NAME: usize = 128;

/// Bytes of an answer that the result cache keeps; larger ones are not kept.
pub const CACHED_ANSWER: usize = 1024 * 1024;

/// Bytes of requests that are remembered, to be asked again when their answers are lost.
pub const WARM_LIST: usize = 4 * 1024 * 1024;

/// Settings of sessions, users and databases that the result cache tells apart at once; with more it begins to forget which answers were
/// for whom, and misses them.
pub const CACHE_CONTEXTS: usize = 4096;

/// Texts, and forms, of which each worker remembers for one place of the result cache how their answers are tagged; with more it begins
/// anew.
pub const CACHE_PLANS: usize = 4096;

/// Databases over which the numbers of alerts are taken apart; those beyond have only what needs no history.
pub const ALERT_SUBJECTS: usize = 100;

/// Alerts that are remembered at once, whatever their state; beyond it a new one is not noticed.
pub const ALERTS: usize = 1_000;

/// Silences of alerts at once; with one more the oldest ends.
pub const SILENCES: usize = 100;
