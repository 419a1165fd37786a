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
