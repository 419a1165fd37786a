//! `howdah check`: validate the configuration, log in to every node as Howdah would, and say what is missing with the step that
//! fixes it. Changes nothing anywhere.
//!
//! Invariant: exit code 0 only when every login worked and no rule of `rules` found a problem.

mod rules;

use std::time::Duration;

use anyhow::Context as _;
use howdah::config::Config;
use howdah::config::settings::{Database, Login as ClientLogin, Node, Settings, User};
use serde::Serialize;
use serde_json::json;

use crate::configuration::{self, Sources};
use crate::exit::{Exit, Outcome};
use crate::probe::{self, Facts, Login};
use crate::terminal::{self, Talk};

/// Arguments of `howdah check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Works; worth a look.
    Warning,
    /// Will not work.
    Problem,
    /// Cannot be looked at.
    Unreachable,
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Node it is about.
    pub(crate) node: String,
    /// How bad.
    pub(crate) severity: Severity,
    /// What is so.
    pub(crate) reason: String,
    /// What to do about it.
    pub(crate) fix: String,
}

/// A node with what it said.
#[derive(Debug, Serialize)]
struct Checked {
    node: String,
    address: String,
    /// Logins that worked, as `user@database`.
    logins: Vec<String>,
    facts: Option<Facts>,
}

/// Runs the check.
pub(crate) fn run(args: &Args) -> Outcome {
    let loaded = args.sources.load(args.json)?;
    let talk = Talk::new();
    talk.good("configuration", &configuration::sources(&loaded));
    for notice in &loaded.notices {
        talk.warn("configuration", &notice.to_string());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let (nodes, findings) = runtime.block_on(look(&loaded.config, talk));
    let worst = |severity| findings.iter().any(|finding| finding.severity == severity);
    let exit = if worst(Severity::Unreachable) {
        Exit::Unreachable
    } else if worst(Severity::Problem) {
        Exit::CheckFailed
    } else {
        Exit::Done
    };
    if exit == Exit::Done {
        talk.good("ready", "howdah up");
    } else {
        talk.bad("not ready", &format!("{} to look at", findings.len()));
    }
    if args.json {
        let ok = exit == Exit::Done;
        terminal::json(
            &json!({ "schema": "howdah.check/1", "ok": ok, "nodes": nodes, "findings": findings }),
        )?;
    }
    Ok(exit)
}

async fn look(config: &Config, talk: Talk) -> (Vec<Checked>, Vec<Finding>) {
    let settings = config.settings(0);
    let mut nodes = Vec::new();
    let mut findings = Vec::new();
    for cluster in config.clusters() {
        for at in cluster.nodes.clone() {
            let Some(node) = settings.nodes.get(at) else {
                continue;
            };
            let here: Vec<_> =
                settings.databases.iter().filter(|one| one.primary == cluster.primary).collect();
            let mut found = Vec::new();
            let checked = look_at(node, &settings, &here, &mut found).await;
            if let Some(facts) = &checked.facts {
                let is_primary = at == cluster.primary;
                found.extend(rules::role(node, facts, is_primary));
                found.extend(rules::version(node, facts));
                if is_primary {
                    found.extend(rules::changes(node, facts, settings.changes.is_some()));
                    found.extend(rules::connections(node, facts, &here, &settings.users));
                }
            }
            tell(talk, &checked, &found);
            nodes.push(checked);
            findings.extend(found);
        }
    }
    if let Some(shared) = &settings.shared_cache {
        match shared.probe().await {
            Ok(took) => talk.good("shared cache", &format!("answers within {took:.1?}")),
            Err(reason) => {
                let found = rules::shared_cache(reason);
                talk.warn(&found.node, &format!("{}; {}", found.reason, found.fix));
                findings.push(found);
            }
        }
    }
    (nodes, findings)
}

/// Logins that show that every user and every database is there: not the whole product of them. Each with its time limit.
fn logins(node: &Node, databases: &[&Database], users: &[User]) -> Vec<(Login, Duration)> {
    let mut logins = Vec::new();
    let known = users.iter().filter(|user| user.name != "*" && !is_learned(user));
    for (index, user) in known.enumerate() {
        for (place, database) in databases.iter().enumerate() {
            if index == 0 || place == 0 {
                let login = Login::of(node, database, user);
                logins.push((login, database.pool.connect_timeout));
            }
        }
    }
    for database in databases {
        logins.extend(
            Login::of_lookups(node, database).map(|login| (login, database.pool.connect_timeout)),
        );
    }
    logins
}

/// Whether what servers are logged in to with is known only after the user's own login.
fn is_learned(user: &User) -> bool {
    let own = user.server.user.as_ref().is_none_or(|server| *server == user.name);
    let trusting = matches!(user.login, ClientLogin::Trust);
    own && !trusting && user.server.password.is_none()
}

async fn look_at(
    node: &Node,
    settings: &Settings,
    databases: &[&Database],
    findings: &mut Vec<Finding>,
) -> Checked {
    let mut checked = Checked {
        node: node.name.clone(),
        address: node.address.to_string(),
        logins: Vec::new(),
        facts: None,
    };
    for (login, limit) in logins(node, databases, &settings.users) {
        match probe::facts(&login, limit).await {
            Ok(facts) => {
                checked.logins.push(login.to_string());
                checked.facts = Some(facts);
            }
            Err(refused) => {
                findings.push(Finding {
                    node: node.name.clone(),
                    severity: Severity::Unreachable,
                    reason: format!("{} ({login})", refused.reason),
                    fix: refused.fix,
                });
                if refused.unreachable {
                    // The next login would only wait for the same.
                    break;
                }
            }
        }
    }
    checked
}

fn tell(talk: Talk, checked: &Checked, findings: &[Finding]) {
    let name = &checked.node;
    if let Some(facts) = &checked.facts {
        talk.good("node", &format!("{name}: {facts}"));
        talk.good("logins", &checked.logins.join(", "));
    }
    for finding in findings {
        let text = format!("{name}: {}\n→ {}", finding.reason, finding.fix);
        match finding.severity {
            Severity::Warning => talk.warn("warning", &text),
            Severity::Problem => talk.bad("problem", &text),
            Severity::Unreachable => talk.bad("no login", &text),
        }
    }
}
