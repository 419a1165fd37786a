//! What is wrong with a node that answers: pure rules over what it said and what is configured.

use howdah::config::settings::{Database, Node, User};

use super::{Finding, Severity};
use crate::probe::Facts;

/// Oldest version that PostgreSQL's own project still looked after when this one began.
const OLDEST: u32 = 130_000;

fn finding(node: &Node, severity: Severity, reason: String, fix: String) -> Finding {
    Finding { node: node.name.clone(), severity, reason, fix }
}

/// The node is what the configuration takes it for.
pub(super) fn role(node: &Node, facts: &Facts, is_primary: bool) -> Option<Finding> {
    match (is_primary, facts.replica) {
        (true, true) => Some(finding(
            node,
            Severity::Problem,
            "configured as the primary, and it is a replica: writes will fail".to_owned(),
            "role = \"primary\" for the node that is one; on a primary SELECT pg_is_in_recovery() says f".to_owned(),
        )),
        (false, false) => Some(finding(
            node,
            Severity::Warning,
            "configured as a replica, and it is a primary".to_owned(),
            "put it into a cluster of its own".to_owned(),
        )),
        (true, false) | (false, true) => None,
    }
}

/// The node's version is one that Howdah is tested with.
pub(super) fn version(node: &Node, facts: &Facts) -> Option<Finding> {
    (facts.version_number < OLDEST).then(|| {
        finding(
            node,
            Severity::Warning,
            format!("PostgreSQL {} is older than 13", facts.version),
            "it may work and is not tested".to_owned(),
        )
    })
}

/// The primary writes what following changes needs, if they are to be followed.
pub(super) fn changes(node: &Node, facts: &Facts, wanted: bool) -> Option<Finding> {
    (wanted && facts.wal_level != "logical").then(|| {
        finding(
            node,
            Severity::Warning,
            format!("wal_level is {:?}: changes cannot be followed ([cache] publication)", facts.wal_level),
            "ALTER SYSTEM SET wal_level = 'logical'; and a restart of PostgreSQL. howdah setup --print shows what else is missing"
                .to_owned(),
        )
    })
}

/// The cache that instances share does not answer. Everything works without it.
pub(super) fn shared_cache(reason: String) -> Finding {
    Finding {
        node: "shared cache".to_owned(),
        severity: Severity::Warning,
        reason: format!("does not answer: {reason}"),
        fix: "url and password in [cache.redis]; until then answers are not shared".to_owned(),
    }
}

/// The node admits as many connections as the pools may open.
pub(super) fn connections(
    node: &Node,
    facts: &Facts,
    databases: &[&Database],
    users: &[User],
) -> Option<Finding> {
    let pools = u32::try_from(users.len()).unwrap_or(u32::MAX);
    let of_database = |database: &&Database| {
        let one = database.pool.max_size.saturating_add(database.pool.reserve_size);
        let all = one.saturating_mul(pools);
        database.max_servers.map_or(all, |most| most.min(all))
    };
    let all = databases.iter().map(of_database).fold(0, u32::saturating_add);
    let wanted = node.max_servers.map_or(all, |most| most.min(all));
    let open = facts.max_connections.saturating_sub(facts.reserved);
    if wanted > open {
        return Some(finding(
            node,
            Severity::Problem,
            format!(
                "the pools may open {wanted} connections, the server admits {open} ({} less {} for superusers)",
                facts.max_connections, facts.reserved
            ),
            format!(
                "cluster.node.max_servers = {}, a smaller pool.max_size, or: ALTER SYSTEM SET max_connections = {}; and a restart",
                open.saturating_sub(facts.used).max(1),
                wanted.saturating_add(facts.reserved)
            ),
        ));
    }
    (wanted.saturating_add(facts.used) > open).then(|| {
        finding(
            node,
            Severity::Warning,
            format!("the pools may open {wanted} connections; with the {} in use now that is more than the {open} the server admits", facts.used),
            "fine when those are the connections that are to move behind Howdah; otherwise lower pool.max_size".to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(replica: bool, max_connections: u32, used: u32) -> Facts {
        Facts {
            version: "15.8".to_owned(),
            version_number: 150_008,
            replica,
            max_connections,
            reserved: 3,
            used,
            wal_level: "replica".to_owned(),
            tls: None,
            round_trip_us: 100,
        }
    }

    fn config(more: &str) -> howdah::config::Config {
        howdah::config::Config::from_toml(&format!(
            "[[cluster]]\n[[cluster.node]]\nhost = \"127.0.0.1\"\n{more}[[user]]\nname = \"a\"\n[[user]]\nname = \"b\"\n"
        ))
        .unwrap()
    }

    fn found(more: &str, facts: &Facts) -> Option<Severity> {
        let settings = config(more).settings(0);
        let databases: Vec<_> = settings.databases.iter().collect();
        connections(&settings.nodes[0], facts, &databases, &settings.users)
            .map(|finding| finding.severity)
    }

    #[test]
    fn pools_larger_than_the_server_are_a_problem_unless_capped() {
        assert_eq!(found("", &facts(false, 43, 0)), None);
        assert_eq!(found("", &facts(false, 42, 0)), Some(Severity::Problem));
        assert_eq!(found("max_servers = 30\n", &facts(false, 42, 0)), None);
        assert_eq!(found("", &facts(false, 43, 1)), Some(Severity::Warning));
    }

    #[test]
    fn changes_need_a_logical_log_only_if_they_are_to_be_followed() {
        let settings = config("").settings(0);
        let node = &settings.nodes[0];
        let plain = facts(false, 100, 0);
        assert_eq!(changes(node, &plain, false), None);
        assert_eq!(changes(node, &plain, true).map(|it| it.severity), Some(Severity::Warning));
        let logical = Facts { wal_level: "logical".to_owned(), ..plain };
        assert_eq!(changes(node, &logical, true), None);
    }

    #[test]
    fn a_primary_that_is_a_replica_is_a_problem_and_the_reverse_a_warning() {
        let settings = config("").settings(0);
        let severity = |replica, primary| {
            role(&settings.nodes[0], &facts(replica, 100, 0), primary).map(|found| found.severity)
        };
        assert_eq!(severity(true, true), Some(Severity::Problem));
        assert_eq!(severity(false, false), Some(Severity::Warning));
        assert_eq!(severity(false, true), None);
        assert_eq!(severity(true, false), None);
    }
}
