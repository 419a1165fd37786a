//! Who hands over to whom: from the configuration, from what a running Howdah knows of the nodes, and from what they say themselves. Changes
//! nothing.

use std::time::Duration;

use anyhow::anyhow;
use howdah::config::settings::{Cluster, NodeAddress, Settings};
use howdah::config::{Config, NodeCommands};
use serde_json::json;

use super::node::{Facts, Node};
use super::objections::{self, Objection, Severity};
use crate::console::{Console, LIMIT, Row, cell, number};
use crate::exit::{Exit, Failure};
use crate::probe::Login;
use crate::terminal::Talk;

/// A node that takes part.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) address: NodeAddress,
    pub(super) login: Login,
    pub(super) commands: NodeCommands,
    pub(super) facts: Facts,
}

/// A switchover that could be done, with what is against it.
pub(super) struct Plan {
    pub(super) cluster: String,
    pub(super) from: Member,
    pub(super) to: Member,
    /// Replicas that have to follow the new primary.
    pub(super) others: Vec<Member>,
    pub(super) objections: Vec<Objection>,
    /// Commands for the console that hold back the clients of this cluster.
    pub(super) pauses: Vec<String>,
    pub(super) drain_timeout: Duration,
    pub(super) step_timeout: Duration,
}

impl Plan {
    /// Looks at everybody who takes part.
    ///
    /// # Errors
    /// There is no such cluster, primary or replica, or a node cannot be logged in to.
    pub(super) async fn make(
        config: &Config,
        console: &Console,
        cluster: Option<&str>,
        to: Option<&str>,
    ) -> Result<Self, Failure> {
        let settings = config.settings(0);
        let cluster = choose_cluster(config.clusters(), cluster)?;
        let rows = console.rows("SHOW NODES", Some(LIMIT)).await?;
        let names = cluster.nodes.clone().filter_map(|at| settings.nodes.get(at));
        let names: Vec<&str> = names.map(|node| node.name.as_str()).collect();
        let here: Vec<&Row> =
            rows.iter().filter(|row| names.contains(&cell(row, "name").as_str())).collect();
        let (from, to) = choose_nodes(&here, to)?;
        let mut others = Vec::new();
        for row in &here {
            let name = cell(row, "name");
            if name != from && name != to && cell(row, "standing") == "replica" {
                others.push(look_at(config, &settings, &name).await?);
            }
        }
        let from = look_at(config, &settings, &from).await?;
        let to = look_at(config, &settings, &to).await?;
        let objections = objections::all(&from, &to, &others);
        Ok(Self {
            cluster: cluster.name.clone(),
            from,
            to,
            others,
            objections,
            pauses: pauses(&settings, cluster),
            drain_timeout: config.ha().drain_timeout,
            step_timeout: config.ha().step_timeout,
        })
    }

    /// For people, before they say yes.
    pub(super) fn tell(&self, talk: Talk) {
        let (from, to) = (&self.from, &self.to);
        let behind = from.facts.position.saturating_sub(to.facts.position).max(0);
        let others: Vec<&str> = self.others.iter().map(|other| other.name.as_str()).collect();
        let others = match others.as_slice() {
            [] => String::new(),
            others => format!("; {} will follow it", others.join(", ")),
        };
        let text = format!(
            "{} → {} in cluster {}; {behind} bytes behind now{others}",
            from.name, to.name, self.cluster
        );
        talk.good("switchover", &text);
        for objection in &self.objections {
            let text = format!("{}: {}\n→ {}", objection.node, objection.what, objection.fix);
            match objection.severity {
                Severity::Warns => talk.warn("warning", &text),
                Severity::Prevents => talk.bad("problem", &text),
            }
        }
    }

    /// For programs.
    pub(super) fn as_json(&self) -> serde_json::Value {
        json!({
            "schema": "howdah.switchover_plan/1",
            "cluster": self.cluster,
            "from": { "name": self.from.name, "facts": self.from.facts },
            "to": { "name": self.to.name, "facts": self.to.facts },
            "others": self.others.iter().map(|other| other.name.as_str()).collect::<Vec<_>>(),
            "objections": self.objections,
        })
    }
}

fn choose_cluster<'a>(clusters: &'a [Cluster], name: Option<&str>) -> Result<&'a Cluster, Failure> {
    let usage = |text: String| Failure::new(Exit::Usage, anyhow!(text));
    let all: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    match name {
        Some(name) => clusters
            .iter()
            .find(|cluster| cluster.name == name)
            .ok_or_else(|| usage(format!("no cluster {name}; there is: {}", all.join(", ")))),
        None => match clusters {
            [only] => Ok(only),
            _ => Err(usage(format!("which cluster? --cluster {}", all.join(", or ")))),
        },
    }
}

/// The names of who is the primary and who is to be.
fn choose_nodes(rows: &[&Row], to: Option<&str>) -> Result<(String, String), Failure> {
    let failed = |text: String| Failure::new(Exit::CheckFailed, anyhow!(text));
    let standing = |row: &Row, is: &str| cell(row, "standing") == is;
    let from = rows.iter().find(|row| standing(row, "primary")).ok_or_else(|| {
        failed("no node is the primary now, so nobody can hand over in order\n    howdah nodes check says what is wrong".to_owned())
    })?;
    let from = cell(from, "name");
    let heir = match to {
        Some(name) => {
            let row = rows.iter().find(|row| cell(row, "name") == name);
            let row = row.ok_or_else(|| failed(format!("no node {name} in this cluster")))?;
            if name == from {
                return Err(failed(format!("{name} is the primary already")));
            }
            if !standing(row, "replica") {
                let text = format!("{name} is {}, not a replica", cell(row, "standing"));
                return Err(failed(text));
            }
            row
        }
        None => {
            let replicas = rows.iter().filter(|row| standing(row, "replica"));
            let nearest =
                replicas.min_by_key(|row| (number(row, "drained"), number(row, "lag_bytes")));
            nearest.ok_or_else(|| failed("no replica follows the primary now".to_owned()))?
        }
    };
    Ok((from, cell(heir, "name")))
}

async fn look_at(config: &Config, settings: &Settings, name: &str) -> Result<Member, Failure> {
    let at = settings.nodes.iter().position(|node| node.name == name);
    let found = at.and_then(|at| Some((settings.nodes.get(at)?, config.ha().commands.get(at)?)));
    let (node, commands) = found.ok_or_else(|| anyhow!("{name} is not in the configuration"))?;
    let own = config.ha().login.clone().or_else(|| settings.probe.login.clone());
    let own = own.or_else(|| {
        let user = settings.users.iter().find(|user| user.logs_in_alone())?;
        let mut login = user.server.clone();
        login.user.get_or_insert_with(|| user.name.clone());
        Some(login)
    });
    let own = own.ok_or_else(|| {
        Failure::new(Exit::Configuration, anyhow!("nobody can log in to the nodes: [ha] user"))
    })?;
    let login = Login {
        address: node.address.clone(),
        database: config.ha().database.clone(),
        user: own.user.unwrap_or_default(),
        password: own.password,
        tls: node.tls.clone(),
    };
    let facts = Node::connect(&login, LIMIT).await?.facts().await?;
    let (name, address, commands) = (node.name.clone(), node.address.clone(), commands.clone());
    Ok(Member { name, address, login, commands, facts })
}

/// Pauses database by database where there are other clusters, whose clients have nothing to wait for.
fn pauses(settings: &Settings, cluster: &Cluster) -> Vec<String> {
    let here = settings.databases.iter().filter(|it| cluster.nodes.contains(&it.primary));
    let names: Vec<&str> = here.map(|database| database.name.as_str()).collect();
    if settings.clusters.len() == 1 || names.contains(&"*") {
        return vec!["PAUSE WHILE CONNECTED".to_owned()];
    }
    let pause = |name: &&str| format!("PAUSE {} WHILE CONNECTED", crate::console::quoted(name));
    names.iter().map(pause).collect()
}
