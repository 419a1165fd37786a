//! Users that clients may log in as: how they prove who they are, and what servers are logged in to with. Not the proof itself: `crate::auth`.
//!
//! Invariant: nothing secret is in what these values print for debugging.

use std::fmt;

use super::Node;

/// A user that clients may log in as.
#[derive(Debug, Clone)]
pub struct User {
    /// The name clients use; `*` matches every name without an entry of its own (only with [`Login::Trust`],
    /// [`Login::Certificate`] and [`Login::PassThrough`]).
    pub name: String,
    /// How such a client proves who it is.
    pub login: Login,
    /// What Howdah logs in to servers with.
    pub server: ServerCredentials,
    /// The same for replicas; `None`: as for the primary.
    pub read_server: Option<ServerCredentials>,
    /// Overrides the mode of the database's pools.
    pub pool_mode: Option<howdah_core::pool::PoolMode>,
    /// Overrides whether reads of its clients may share servers, in the database's pools.
    pub share: Option<bool>,
    /// Clients of this user at most; `None`: no cap.
    pub max_clients: Option<usize>,
    /// Servers of all pools of this user at most (with `*`: of each user), over all databases and workers; `None`: no cap.
    pub max_servers: Option<u32>,
}

impl User {
    /// What Howdah logs in to a node with.
    #[must_use]
    pub const fn credentials(&self, node: &Node) -> &ServerCredentials {
        match &self.read_server {
            Some(reading) if node.replica => reading,
            Some(_) | None => &self.server,
        }
    }

    /// Whether servers can be logged in to without what the user's own login reveals.
    #[must_use]
    pub const fn logs_in_alone(&self) -> bool {
        let named = self.server.user.is_some() || !matches!(self.name.as_bytes(), b"*");
        let secret = self.server.password.is_some() || self.server.md5.is_some();
        named && (secret || matches!(self.login, Login::Trust))
    }
}

/// How a client proves who it is.
#[derive(Debug, Clone)]
pub enum Login {
    /// No proof. Only for clients from loopback and Unix sockets; others are refused.
    Trust,
    /// Password in clear text on the wire.
    Password(Secret),
    /// PostgreSQL's md5 challenge.
    Md5(Secret),
    /// SCRAM-SHA-256; over TLS with channel binding when the client can.
    Scram(Secret),
    /// A certificate, over TLS, signed by an authority of the listener, with this common name; `None`: with the user's.
    Certificate(Option<String>),
    /// There is no password to compare with: only a rule by address that needs none admits the user.
    NoPassword,
    /// Password in clear text on the wire, tried out on the server and used for its login. Only over connections that nobody
    /// else can read.
    PassThrough,
}

impl Login {
    /// What the client's answer is compared with, if there is something.
    #[must_use]
    pub const fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Password(secret) | Self::Md5(secret) | Self::Scram(secret) => Some(secret),
            Self::Trust | Self::Certificate(_) | Self::NoPassword | Self::PassThrough => None,
        }
    }
}

/// What is known of a client's password.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password itself.
    Plain(String),
    /// `md5` and the hex digest of password and user, as in `pg_authid`. Serves `Md5` and `Password`.
    Md5(String),
    /// `SCRAM-SHA-256$…`, as in `pg_authid`. Serves `Scram` and `Password`.
    ScramVerifier(String),
}

impl Secret {
    /// Tells a password from what PostgreSQL stores of one.
    #[must_use]
    pub fn recognise(text: impl Into<String>) -> Self {
        let text = text.into();
        if howdah_wire::md5::is_shadow(&text) {
            Self::Md5(text)
        } else if text.starts_with("SCRAM-SHA-256$") && text.matches(['$', ':']).count() == 4 {
            Self::ScramVerifier(text)
        } else {
            Self::Plain(text)
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain(…)",
            Self::Md5(_) => "Md5(…)",
            Self::ScramVerifier(_) => "ScramVerifier(…)",
        })
    }
}

/// What Howdah logs in to servers with.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ServerCredentials {
    /// User on the server; `None`: the client's.
    pub user: Option<String>,
    /// Password; answers whatever method the server asks for. `None`: what a client's login has taught, if the client is that
    /// user, otherwise only trust and peer work.
    pub password: Option<String>,
    /// The form of it that PostgreSQL stores for md5, when that is all there is.
    pub md5: Option<String>,
}

impl fmt::Debug for ServerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCredentials")
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("md5", &self.md5.as_ref().map(|_| "…"))
            .finish()
    }
}
