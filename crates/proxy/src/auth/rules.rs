//! Rules by address, as in `pg_hba.conf`: what is asked of a client, by where it comes from and what it wants. Not the proof itself.
//!
//! Invariant: the first rule that fits decides; with rules and without a fitting one nobody is let in.

use std::net::IpAddr;

use howdah_wire::sqlstate::SqlState;

use super::Link;
use crate::error::Refusal;
use crate::settings::{Connection, Method, Names, Rule, Settings};
use crate::stream::Peer;

/// Where a client comes from and what it wants.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    /// `None`: a Unix socket.
    address: Option<IpAddr>,
    encrypted: bool,
    database: &'a str,
    user: &'a str,
}

/// What the rules ask of a client; `None`: there are none.
///
/// # Errors
/// No rule admits it.
pub(super) fn method(
    settings: &Settings,
    link: &Link,
    database: &str,
    user: &str,
) -> Result<Option<Method>, Refusal> {
    let Some(rules) = &settings.auth.rules else {
        return Ok(None);
    };
    let asked = asked(link, database, user);
    match rules.iter().find(|rule| fits(rule, asked)) {
        Some(Rule { method: Method::Reject, name, .. }) => {
            tracing::info!(peer = %link.peer, user, database, rule = name, "rejected by a rule");
            Err(refusal("a rule of Howdah rejects the connection", asked))
        }
        Some(rule) => Ok(Some(rule.method)),
        None => Err(refusal("no rule of Howdah admits the connection", asked)),
    }
}

/// Whether a rule is about the host's own user, whom the kernel has named: it decides then, unless it asks for no more than that.
pub(crate) fn bind_host(settings: &Settings, link: &Link, database: &str, user: &str) -> bool {
    let asked = asked(link, database, user);
    let rule = settings.auth.rules.iter().flatten().find(|rule| fits(rule, asked));
    rule.is_some_and(|rule| rule.method != Method::Peer)
}

fn asked<'a>(link: &Link, database: &'a str, user: &'a str) -> Asked<'a> {
    let address = match link.peer {
        Peer::Tcp(address) => Some(address.ip().to_canonical()),
        Peer::Unix | Peer::Memory => None,
    };
    Asked { address, encrypted: link.is_encrypted(), database, user }
}

/// In PostgreSQL's words, as far as they fit.
fn refusal(what: &str, asked: Asked<'_>) -> Refusal {
    let Asked { address, encrypted, database, user } = asked;
    let host = address.map_or_else(|| "[local]".to_owned(), |address| address.to_string());
    let encryption = if encrypted { "TLS" } else { "no encryption" };
    Refusal::new(
        SqlState::INVALID_AUTHORIZATION,
        format!("{what} for host \"{host}\", user {user:?}, database {database:?}, {encryption}"),
    )
    .hint("The rules are the [[hba]] sections of Howdah's configuration, or its auth.hba_file.")
}

fn fits(rule: &Rule, asked: Asked<'_>) -> bool {
    let connection = match (rule.connection, asked.address) {
        (Connection::Local, address) => address.is_none(),
        (Connection::Host | Connection::HostSsl | Connection::HostNoSsl, None) => false,
        (Connection::Host, Some(_)) => true,
        (Connection::HostSsl, Some(_)) => asked.encrypted,
        (Connection::HostNoSsl, Some(_)) => !asked.encrypted,
    };
    connection
        && contains(&rule.databases, asked.database, asked.user)
        && contains(&rule.users, asked.user, asked.user)
        && (rule.addresses.is_empty()
            || asked.address.is_some_and(|address| {
                rule.addresses.iter().any(|network| network.contains(&address))
            }))
}

fn contains(names: &Names, name: &str, user: &str) -> bool {
    match names {
        Names::All => true,
        Names::Listed { names, same_user } => {
            names.iter().any(|listed| listed == name) || *same_user && name == user
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str]) -> Names {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Names::Listed { names, same_user: false }
    }

    fn rule(connection: Connection, databases: Names, users: Names, networks: &[&str]) -> Rule {
        Rule {
            name: String::new(),
            connection,
            databases,
            users,
            addresses: networks.iter().map(|text| text.parse().expect("a network")).collect(),
            method: Method::Trust,
        }
    }

    fn from(address: &str) -> Asked<'static> {
        let address = Some(address).filter(|text| *text != "local");
        let address = address.map(|text| text.parse().expect("an address"));
        Asked { address, encrypted: false, database: "shop", user: "app" }
    }

    #[test]
    fn a_rule_fits_by_kind_of_connection_address_database_and_user() {
        let every =
            |connection, networks: &[&str]| rule(connection, Names::All, Names::All, networks);
        let ten = every(Connection::Host, &["10.0.0.0/8", "fd00::/8"]);
        for (address, expected) in [
            ("10.9.8.7", true),
            ("11.0.0.1", false),
            ("fd00::1", true),
            ("::1", false),
            ("local", false),
        ] {
            assert_eq!(fits(&ten, from(address)), expected, "{address}");
        }
        assert!(fits(&every(Connection::Local, &[]), from("local")));
        assert!(!fits(&every(Connection::Local, &[]), from("10.0.0.1")));
        assert!(!fits(&every(Connection::HostSsl, &[]), from("10.0.0.1")));
        assert!(fits(&every(Connection::HostNoSsl, &[]), from("10.0.0.1")));
        let encrypted = Asked { encrypted: true, ..from("10.0.0.1") };
        assert!(fits(&every(Connection::HostSsl, &[]), encrypted));
        assert!(!fits(&every(Connection::HostNoSsl, &[]), encrypted));
    }

    #[test]
    fn names_are_exact_and_sameuser_means_the_name_of_the_user() {
        let fits = |databases, users| {
            let rule = rule(Connection::Host, databases, users, &[]);
            fits(&rule, from("10.0.0.1"))
        };
        assert!(fits(listed(&["other", "shop"]), Names::All));
        assert!(!fits(listed(&["Shop"]), Names::All));
        assert!(!fits(Names::All, listed(&["apps"])));
        let same = Names::Listed { names: Vec::new(), same_user: true };
        assert!(!fits(same.clone(), Names::All));
        let rule = rule(Connection::Host, same, Names::All, &[]);
        assert!(super::fits(&rule, Asked { database: "app", ..from("10.0.0.1") }));
    }
}
