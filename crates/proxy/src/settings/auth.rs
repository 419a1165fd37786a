//! What the data plane is told about logins beyond the users: look-ups, rules by address, limits. Not their use: `crate::auth`.
//!
//! Invariant: the first rule that fits decides, and without a fitting one nobody is let in.

use std::time::Duration;

use howdah_core::login::Rates;
use ipnet::IpNet;

use super::ServerCredentials;

/// How logins are proved and limited.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    /// Rules by address, in order; `None`: every user proves as its entry says, from anywhere.
    pub rules: Option<Vec<Rule>>,
    /// How users that were looked up prove who they are; `None`: by what is stored of their password.
    pub method: Option<Method>,
    /// How much one client address may try.
    pub rates: Rates,
}

/// How users who are not configured are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthQuery {
    /// The statement: the name is its only parameter; its first row's columns are name and stored password.
    pub query: String,
    /// Who runs it.
    pub user: String,
    /// What that user logs in with; its `user` is not used.
    pub credentials: ServerCredentials,
    /// Database on the server in which it runs; `None`: that of the client.
    pub database: Option<String>,
    /// How long an answer counts.
    pub cache: Duration,
}

/// A rule by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it is called in the log.
    pub name: String,
    /// By which kind of connection.
    pub connection: Connection,
    /// To which databases.
    pub databases: Names,
    /// As which users.
    pub users: Names,
    /// From which addresses; empty: from all. Unix sockets have none.
    pub addresses: Vec<IpNet>,
    /// What is asked of them.
    pub method: Method,
}

/// A kind of connection, as in the first column of `pg_hba.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// A Unix socket.
    Local,
    /// TCP, encrypted or not.
    Host,
    /// TCP with TLS.
    HostSsl,
    /// TCP without TLS.
    HostNoSsl,
}

/// Names that a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// All.
    All,
    /// These; for databases also the one with the name of the user.
    Listed {
        /// Exact names.
        names: Vec<String>,
        /// `sameuser`.
        same_user: bool,
    },
}

/// What a rule asks of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Nothing.
    Trust,
    /// It is refused.
    Reject,
    /// The password in clear text.
    Password,
    /// PostgreSQL's md5 challenge; SCRAM-SHA-256 for a user whose password is stored for that.
    Md5,
    /// SCRAM-SHA-256.
    Scram,
    /// A certificate with the user's name.
    Cert,
    /// A Unix socket and the same name in the operating system.
    Peer,
}
