//! What is against a switchover, judged from what the nodes say. Asks nobody.

use serde::Serialize;

use super::plan::Member;

/// How much is against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// It can be done; afterwards this is so.
    Warns,
    /// It is not begun.
    Prevents,
}

/// Something against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Objection {
    pub(super) severity: Severity,
    /// The node it is about.
    pub(super) node: String,
    pub(super) what: String,
    /// What to do about it.
    pub(super) fix: String,
}

/// A replica this many bytes behind would keep clients waiting while it catches up.
const FAR_BEHIND: i64 = 64 << 20;

impl Objection {
    fn prevents(node: &Member, what: impl Into<String>, fix: &str) -> Self {
        let (node, what, fix) = (node.name.clone(), what.into(), fix.to_owned());
        Self { severity: Severity::Prevents, node, what, fix }
    }

    fn warns(node: &Member, what: impl Into<String>, fix: &str) -> Self {
        Self { severity: Severity::Warns, ..Self::prevents(node, what, fix) }
    }
}

/// Everything against making `to` the primary in place of `from`, with these other replicas.
pub(super) fn all(from: &Member, to: &Member, others: &[Member]) -> Vec<Objection> {
    let mut found = Vec::new();
    commands(from, &mut found);
    roles(from, to, &mut found);
    rights(from, to, others, &mut found);
    settings(from, to, &mut found);
    found
}

/// Whether the process of the old primary can be stopped and started.
fn commands(from: &Member, found: &mut Vec<Objection>) {
    if from.commands.stop.is_none() || from.commands.follow.is_none() {
        let what = "Howdah does not know how to stop it and start it again";
        let fix = "stop_command and follow_command of its [[cluster.node]]; without them: docs/guide/switchover.md, By hand";
        found.push(Objection::prevents(from, what, fix));
    }
    if from.commands.start.is_none() {
        let what = "it cannot be started again if the switchover is given up half-way";
        found.push(Objection::warns(from, what, "start_command of its [[cluster.node]]"));
    }
}

/// Whether they are what they have to be, and close together.
fn roles(from: &Member, to: &Member, found: &mut Vec<Objection>) {
    if from.facts.replica {
        let fix = "howdah nodes list says what Howdah knows; try again";
        found.push(Objection::prevents(from, "it is a replica now", fix));
    }
    if !to.facts.replica {
        let fix = "--to names a node whose standing is replica";
        found.push(Objection::prevents(to, "it is no replica", fix));
    }
    if from.facts.system != to.facts.system {
        let fix = "--to names a replica of this primary";
        found.push(Objection::prevents(to, "it is a copy of another database cluster", fix));
    }
    if to.facts.replica && !to.facts.streaming {
        let what = "it does not receive the log of the primary";
        let fix = "look into its log; a role without pg_read_all_stats does not see it either";
        found.push(Objection::prevents(to, what, fix));
    }
    let behind = from.facts.position.saturating_sub(to.facts.position);
    if behind > FAR_BEHIND {
        let what = format!("it is {} MiB behind", behind >> 20);
        let fix = "wait until it has caught up: howdah nodes list";
        found.push(Objection::prevents(to, what, fix));
    }
}

/// Whether the role may do what is to be done.
fn rights(from: &Member, to: &Member, others: &[Member], found: &mut Vec<Objection>) {
    for (node, allowed, right) in [
        (to, to.facts.may_promote, PROMOTE),
        (to, to.facts.may_checkpoint, CHECKPOINT),
        (from, from.facts.may_checkpoint, CHECKPOINT),
        (from, from.facts.may_rewire, REWIRE),
    ] {
        if !allowed {
            let what = format!("the role {} may not do all that is needed", node.login);
            found.push(Objection::prevents(node, what, right));
        }
    }
    for other in others.iter().filter(|other| !other.facts.may_rewire) {
        let what = "it cannot be made to follow the new primary";
        found.push(Objection::warns(other, what, REWIRE));
    }
}

/// Whether the old primary can be a replica of the new one.
fn settings(from: &Member, to: &Member, found: &mut Vec<Objection>) {
    for (name, here) in &to.facts.limits {
        let there = from.facts.limits.iter().find(|(other, _)| other == name);
        if there.is_some_and(|(_, there)| there < here) {
            let what = format!(
                "its {name} is smaller than that of {}: it would not start as a replica",
                to.name
            );
            let fix = "make it as large (restarts PostgreSQL)";
            found.push(Objection::prevents(from, what, fix));
        }
    }
    if super::conninfo::pointed_at(&to.facts.conninfo, "host", 1).is_none() {
        let what = "its primary_conninfo is not a list of keys and values that can be turned round";
        let fix = "primary_conninfo = 'host=… port=… user=…', no URI; the role needs pg_read_all_settings to see it";
        found.push(Objection::prevents(to, what, fix));
    }
    if !from.facts.logical_slots.is_empty() {
        let what = format!("logical slots stay behind: {}", from.facts.logical_slots);
        let fix = "create them on the new primary, and let their readers begin anew";
        found.push(Objection::warns(from, what, fix));
    }
}

const PROMOTE: &str = "GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO …";
const CHECKPOINT: &str = "a superuser, or from PostgreSQL 15 on: GRANT pg_checkpoint TO …";
const REWIRE: &str = "a superuser, or from PostgreSQL 15 on: GRANT ALTER SYSTEM ON PARAMETER primary_conninfo TO … and GRANT EXECUTE ON FUNCTION pg_reload_conf() TO …";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::ha::node::Facts;
    use crate::probe::Login;
    use howdah::config::NodeCommands;
    use howdah::config::settings::NodeAddress;

    fn member(name: &str, replica: bool) -> Member {
        let address = NodeAddress::Tcp { host: name.to_owned(), port: 5432 };
        let command = Some("true".to_owned());
        Member {
            name: name.to_owned(),
            address: address.clone(),
            login: Login {
                address,
                database: "postgres".to_owned(),
                user: "howdah".to_owned(),
                password: None,
                tls: None,
            },
            commands: NodeCommands {
                stop: command.clone(),
                start: command.clone(),
                follow: command,
            },
            facts: Facts {
                replica,
                system: "1".to_owned(),
                may_promote: true,
                may_checkpoint: true,
                may_rewire: true,
                limits: vec![("max_connections".to_owned(), 100)],
                conninfo: "host=a port=1".to_owned(),
                streaming: replica,
                position: 1 << 30,
                ..Facts::default()
            },
        }
    }

    #[test]
    fn nothing_is_against_a_sound_pair() {
        assert_eq!(all(&member("a", false), &member("b", true), &[member("c", true)]), []);
    }

    #[test]
    fn each_fault_prevents_it_by_itself() {
        type Fault = fn(&mut Member, &mut Member);
        let faults: &[(&str, Fault)] = &[
            ("stop", |from, _| from.commands.stop = None),
            ("stop", |from, _| from.commands.follow = None),
            ("replica now", |from, _| from.facts.replica = true),
            ("no replica", |_, to| to.facts.replica = false),
            ("another database cluster", |_, to| to.facts.system.push('2')),
            ("receive", |_, to| to.facts.streaming = false),
            ("behind", |_, to| to.facts.position = 0),
            ("may not", |_, to| to.facts.may_promote = false),
            ("may not", |from, _| from.facts.may_checkpoint = false),
            ("may not", |_, to| to.facts.may_checkpoint = false),
            ("may not", |from, _| from.facts.may_rewire = false),
            ("max_connections", |from, _| from.facts.limits[0].1 = 99),
            ("turned round", |_, to| to.facts.conninfo = "postgres://a".to_owned()),
        ];
        for (word, fault) in faults {
            let (mut from, mut to) = (member("a", false), member("b", true));
            fault(&mut from, &mut to);
            let found = all(&from, &to, &[]);
            assert_eq!(found.len(), 1, "{word}: {found:?}");
            assert_eq!(found[0].severity, Severity::Prevents, "{word}");
            assert!(found[0].what.contains(word), "{word}: {}", found[0].what);
        }
    }

    #[test]
    fn what_can_be_mended_later_only_warns() {
        type Fault = fn(&mut Member, &mut Member);
        let faults: &[(&str, Fault)] = &[
            ("started again", |from, _| from.commands.start = None),
            ("slots", |from, _| from.facts.logical_slots = "cdc".to_owned()),
            ("follow the new primary", |_, other| other.facts.may_rewire = false),
        ];
        for (word, fault) in faults {
            let (mut from, mut other) = (member("a", false), member("c", true));
            fault(&mut from, &mut other);
            let found = all(&from, &member("b", true), &[other]);
            assert_eq!(found.len(), 1, "{word}: {found:?}");
            assert_eq!(found[0].severity, Severity::Warns, "{word}");
            assert!(found[0].what.contains(word), "{word}: {}", found[0].what);
        }
    }
}
