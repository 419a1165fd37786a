//! Sessions of a node that do not come from Howdah: asked of `pg_stat_activity` over the connection of `server_statistics`. Not what they
//! have run in all: that is `direct`.
//!
//! Invariant: no server and no side connection of this process is among them, and no literal of a statement.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use howdah_core::limits;

use crate::inquiry::{Inquiry, Row};
use crate::proxy::worker_reports;
use crate::worker::Worker;

/// A session that goes past Howdah.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outsider {
    /// Process id of its server.
    pub process_id: u32,
    /// Name of its database.
    pub database: String,
    /// Its role.
    pub user: String,
    /// Its `application_name`.
    pub application: String,
    /// Where it is connected from; empty for a Unix socket, and for those that may not be looked at.
    pub address: String,
    /// In PostgreSQL's words: `active`, `idle in transaction`, …; empty when that may not be known.
    pub state: String,
    /// How long it has been in that state.
    pub lasting: Option<Duration>,
    /// How long its transaction has been open; `None`: it is in none.
    pub transaction: Option<Duration>,
    /// What it runs, or ran last, without literals; empty when that may not be known.
    pub statement: String,
}

/// Sessions of one node that go past Howdah, as of the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutsiderReport {
    /// Name of the node.
    pub node: String,
    /// What is not known of them, and what to do about it.
    pub missing: Option<String>,
    /// How long ago that was.
    pub age: Duration,
    /// How many there were.
    pub all: u64,
    /// Those with the oldest transactions, then those that changed longest ago; at most [`limits::OUTSIDERS`].
    pub sessions: Vec<Outsider>,
}

/// What was found at a node.
#[derive(Debug, Default)]
pub(crate) struct Outsiders {
    asked: Option<Instant>,
    missing: Option<String>,
    all: u64,
    sessions: Vec<Outsider>,
}

impl Outsiders {
    pub(crate) fn report(&self, node: &str, now: Instant) -> Option<OutsiderReport> {
        Some(OutsiderReport {
            node: node.to_owned(),
            missing: self.missing.clone(),
            age: now.saturating_duration_since(self.asked?),
            all: self.all,
            sessions: self.sessions.clone(),
        })
    }

    /// Keeps what was found, or why nothing was.
    pub(crate) fn tell(&mut self, answer: Result<Self, String>, now: Instant) {
        *self = answer.unwrap_or_else(|missing| Self { missing: Some(missing), ..Self::default() });
        self.asked = Some(now);
    }
}

/// Process ids of the servers of this process at a node.
async fn own(worker: &Worker, address: &str) -> BTreeSet<u32> {
    let reports = worker_reports(&worker.shared).await;
    let servers = reports.iter().flat_map(|report| &report.servers);
    let here = servers.filter(|server| server.address.to_string() == address);
    here.map(|server| server.process_id).collect()
}

/// What is asked. Without the right to look closely PostgreSQL does not tell of what kind a session is.
fn question(own: &BTreeSet<u32>) -> String {
    let own: Vec<String> = own.iter().map(u32::to_string).collect();
    format!(
        "SELECT pid, datname, usename, application_name, host(client_addr), state, \
         extract(epoch FROM clock_timestamp() - state_change)::float8, \
         extract(epoch FROM clock_timestamp() - xact_start)::float8, left(query, 2000), \
         count(*) OVER (), current_user FROM pg_stat_activity \
         WHERE coalesce(backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid() \
         AND datname IS NOT NULL AND usename IS NOT NULL \
         AND application_name !~ '^howdah (\\(|auth_query$|login$)' AND pid <> ALL ('{{{}}}'::int[]) \
         ORDER BY xact_start NULLS LAST, state_change LIMIT {}",
        own.join(","),
        limits::OUTSIDERS
    )
}

/// Asks for them.
///
/// # Errors
/// Why they are not known.
pub(crate) async fn ask(
    worker: &Worker,
    connection: &mut Inquiry,
    address: &str,
) -> Result<Outsiders, String> {
    let question = question(&own(worker, address).await);
    let rows = connection.ask(&worker.shelf, &question).await;
    let rows = rows.map_err(|unanswered| unanswered.to_string())?;
    // Servers that were opened meanwhile.
    let own = own(worker, address).await;
    Ok(found(rows, &own))
}

fn found(rows: Vec<Row>, own: &BTreeSet<u32>) -> Outsiders {
    let mut found = Outsiders::default();
    for row in rows {
        let Ok(row) = <[Option<String>; 11]>::try_from(row) else { continue };
        let [pid, database, user, application, address, state, lasting, open, query, all, role] =
            row;
        let Some(process_id) = pid.and_then(|pid| pid.parse().ok()) else { continue };
        found.all = found.all.max(all.and_then(|all| all.parse().ok()).unwrap_or(0));
        if own.contains(&process_id) {
            found.all = found.all.saturating_sub(1);
            continue;
        }
        let query = query.unwrap_or_default();
        let hidden = query == "<insufficient privilege>";
        if hidden {
            let role = role.unwrap_or_default();
            found.missing = Some(format!(
                "role {role:?} sees of other roles that they are there, and no more: GRANT pg_read_all_stats TO {role:?}"
            ));
        }
        found.sessions.push(Outsider {
            process_id,
            database: database.unwrap_or_default(),
            user: user.unwrap_or_default(),
            application: application.unwrap_or_default(),
            address: address.unwrap_or_default(),
            state: state.unwrap_or_default(),
            lasting: seconds(lasting),
            transaction: seconds(open),
            statement: if hidden { String::new() } else { form(&query) },
        });
    }
    found
}

fn seconds(text: Option<String>) -> Option<Duration> {
    let seconds = text?.parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds.max(0.0)).ok()
}

/// A statement without its literals.
fn form(sql: &str) -> String {
    let mut form = Vec::new();
    howdah_sql::normalize(sql.as_bytes(), &mut form);
    String::from_utf8_lossy(&form).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pid: &str, query: &str) -> Row {
        let some = |text: &str| Some(text.to_owned());
        let (state, open) = (some("idle in transaction"), some("7.5"));
        vec![
            some(pid),
            some("shop"),
            some("batch"),
            some("nightly"),
            None,
            state,
            some("2"),
            open,
            some(query),
            some("2"),
            some("app"),
        ]
    }

    #[test]
    fn own_servers_are_left_out_and_literals_too() {
        let rows = vec![row("11", "SELECT 'hunter2'"), row("12", "SELECT 1")];
        let found = found(rows, &BTreeSet::from([12]));
        assert_eq!((found.all, found.sessions.len()), (1, 1));
        let session = &found.sessions[0];
        assert_eq!(session.statement, "select $1");
        assert_eq!(session.transaction, Some(Duration::from_millis(7_500)));
        assert_eq!(found.missing, None);
    }

    #[test]
    fn what_may_not_be_seen_is_said() {
        let found = found(vec![row("11", "<insufficient privilege>")], &BTreeSet::new());
        assert_eq!(found.sessions[0].statement, "");
        assert!(found.missing.is_some_and(|missing| missing.contains("GRANT pg_read_all_stats")));
    }

    #[test]
    fn the_question_names_own_servers() {
        assert!(question(&BTreeSet::from([3, 4])).contains("'{3,4}'::int[]"));
    }
}
