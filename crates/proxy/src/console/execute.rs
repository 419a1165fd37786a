//! What the commands of the console do. How they are asked for and answered is in `protocol`; the work on pools and clients
//! in `administer`.
//!
//! Invariant: a command that waits can be cancelled, and then says what it has left behind.

use std::time::Duration;

use howdah_wire::sqlstate::SqlState;

use super::command::Command;
use super::parameters;
use super::protocol::{Console, Outcome, Stop};
use super::show::{Topic, cache, route};
use super::table::cell;
use crate::administer::{self, Census};
use crate::cache::warm;
use crate::entry::Activity;
use crate::error::Refusal;
use crate::holds::Scope;
use crate::host::Unanswered;
use crate::topology::NotDrained;

/// How often a command that waits for servers looks at them.
const LOOK: Duration = Duration::from_millis(20);

/// What the console understands, for `SHOW HELP`.
const HELP: &str = "\n\tSHOW HELP|CONFIG|DATABASES|POOLS|CLIENTS|SERVERS|USERS|VERSION\n\
    \tSHOW PEERS|PEER_POOLS\n\
    \tSHOW SOCKETS|ACTIVE_SOCKETS|LISTS|MEM|STATE\n\
    \tSHOW DNS_HOSTS|DNS_ZONES\n\
    \tSHOW STATS|STATS_TOTALS|STATS_AVERAGES|TOTALS\n\
    \tSHOW NODES|NOTIFICATIONS|ORIGINS|PINS|PREPARED|SLOW|STATEMENTS\n\
    \tSHOW ROUTE [<db>] '<statement>'\n\
    \tSHOW ALERTS|CACHE|CACHE_RULES|CACHE_TABLES\n\
    \tCACHE ON|OFF|OBSERVE|RESET\n\
    \tCACHE FLUSH [TABLE <name>|TAG <name>|FINGERPRINT <number>]\n\
    \tCACHE WARM\n\
    \tCACHE EXPLAIN [<db>] '<statement>'\n\
    \tRELOAD\n\
    \tMARK '<text>'\n\
    \tPAUSE [<db>] [WHILE CONNECTED]\n\
    \tRESUME [<db>]\n\
    \tDISABLE <db>\n\
    \tENABLE <db>\n\
    \tDRAIN <node>\n\
    \tUNDRAIN <node>\n\
    \tSILENCE <rule>|ALL <time> ['<reason>']\n\
    \tUNSILENCE <rule>|ALL\n\
    \tRECONNECT [<db>]\n\
    \tKILL [<db>]\n\
    \tKILL_CLIENT <client_id>\n\
    \tSHUTDOWN\n\
    \tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS\n\
    \tWAIT_CLOSE [<db>]";

impl Console<'_> {
    /// Does what an administrator has said, who may say it.
    pub(super) async fn execute(&mut self, command: &Command) -> Result<Outcome, Stop> {
        let shared = &self.worker.shared;
        match command {
            Command::Show(Topic::Help) => return Ok(notice("Console usage", HELP)),
            Command::Show(Topic::Fds) => return Err(no_descriptors().into()),
            Command::Show(topic) => {
                let rows = topic.rows(self.worker).await;
                return Ok(Outcome { rows, notice: None });
            }
            Command::Parameter(at) => {
                let value = parameters::ALL.get(*at).map(|parameter| vec![cell(parameter.value)]);
                return Ok(Outcome { rows: value.into_iter().collect(), notice: None });
            }
            Command::Route { database, sql } | Command::CacheExplain { database, sql } => {
                return self.explain(command, database.as_deref(), sql).await;
            }
            Command::CacheWarm => return Ok(self.warm().await),
            Command::Cache(mode) => shared.store.force(*mode),
            Command::CacheFlush(None) => shared.forget_answers(),
            Command::CacheFlush(Some(part)) => shared.forget_part(part.clone()),
            Command::Ignored(_) => {}
            Command::Change(key) => return Err(only_in_the_file(key).into()),
            Command::Disable(database) | Command::Enable(database) => {
                self.known(database)?;
                let disabled = matches!(command, Command::Disable(_));
                shared.holds().set_disabled(database, disabled);
            }
            Command::Drain(node) | Command::Undrain(node) => {
                let drained = matches!(command, Command::Drain(_));
                let set = shared.clusters.set_drained(node, drained);
                set.map_err(|error| not_drained(error, node))?;
            }
            Command::Kill(scope) => {
                self.check(scope)?;
                administer::kill(shared, scope).await;
            }
            Command::KillClient(id) => {
                if !administer::kill_client(shared, *id).await {
                    let text = format!("client not found: {id}");
                    return Err(Refusal::new(SqlState::UNDEFINED_OBJECT, text).into());
                }
            }
            Command::Pause(scope) => {
                self.check(scope)?;
                self.pause(scope).await?;
            }
            Command::PauseWhileConnected(scope) => {
                self.check(scope)?;
                self.pause(scope).await?;
                self.pauses.push(scope.clone());
            }
            Command::Reconnect(scope) => {
                self.check(scope)?;
                administer::reconnect(shared, scope).await;
            }
            Command::Mark(text) => shared.host.mark(text.clone()).await.map_err(unanswered)?,
            Command::Reload => shared.host.reload().await.map_err(unanswered)?,
            Command::Resume(scope) => {
                let resumed = administer::resume(shared, scope).await;
                resumed.map_err(|error| {
                    Refusal::new(SqlState::INVALID_PARAMETER_VALUE, error.to_string())
                })?;
            }
            Command::Shutdown(when) => shared.host.shut_down(*when).await.map_err(unanswered)?,
            Command::Silence { rule, time, reason } => {
                shared.alerts.lock().silence(*rule, *time, reason);
            }
            Command::Unsilence(rule) => {
                shared.alerts.lock().unsilence(*rule);
            }
            Command::Suspend => return Err(no_suspension().into()),
            Command::WaitClose(scope) => {
                self.check(scope)?;
                self.wait_for(scope, |census| census.leaving == 0).await?;
            }
        }
        tracing::info!(user = %self.entry.user, "console: {command:?}");
        Ok(Outcome::default())
    }

    /// Asks again what was lost, and says what came of it.
    async fn warm(&self) -> Outcome {
        let outcome = warm::warm_all(&self.worker.shared).await;
        tracing::info!(user = %self.entry.user, "console: {outcome:?}");
        Outcome { rows: vec![cache::warmed(outcome)], notice: None }
    }

    /// Says what would become of a statement.
    async fn explain(
        &self,
        command: &Command,
        database: Option<&str>,
        sql: &str,
    ) -> Result<Outcome, Stop> {
        let row = if matches!(command, Command::CacheExplain { .. }) {
            cache::explain(self.worker, database, sql).await?
        } else {
            route::route(self.worker, database, sql).await?
        };
        Ok(Outcome { rows: vec![row], notice: None })
    }

    /// Waits until no server is left. A pause that nobody waits for any more is taken back: the command was cancelled, or the
    /// administrator is gone.
    async fn pause(&mut self, scope: &Scope) -> Result<(), Stop> {
        administer::pause(&self.worker.shared, scope).await;
        let paused = self.wait_for(scope, |census| census.servers == 0).await;
        let Err(stop) = paused else { return Ok(()) };
        // Somebody else may have done so.
        let _ = administer::resume(&self.worker.shared, scope).await;
        Err(match stop {
            Stop::Refused(refusal) => refusal.hint("The pause was taken back.").into(),
            end @ Stop::End(_) => end,
        })
    }

    /// Takes back what this connection has paused for as long as it lasts, whatever ended it.
    pub(super) async fn end_pauses(&mut self) {
        for scope in std::mem::take(&mut self.pauses) {
            // Somebody may have said RESUME.
            if administer::resume(&self.worker.shared, &scope).await.is_ok() {
                tracing::info!("console: a pause ended with its connection: {scope:?}");
            }
        }
    }

    async fn wait_for(&mut self, scope: &Scope, done: impl Fn(Census) -> bool) -> Result<(), Stop> {
        self.entry.activity.set(Activity::Waiting);
        let waited = loop {
            if done(administer::census(&self.worker.shared, scope).await) {
                break Ok(());
            }
            if let Err(stop) = self.wait(LOOK).await {
                break Err(stop);
            }
        };
        self.entry.activity.set(Activity::Idle);
        waited
    }

    fn check(&self, scope: &Scope) -> Result<(), Refusal> {
        match scope {
            Scope::All => Ok(()),
            Scope::Database(name) => self.known(name),
        }
    }

    fn known(&self, database: &str) -> Result<(), Refusal> {
        if super::NAMES.contains(&database) {
            let text = format!("{database} is the console itself");
            return Err(Refusal::new(SqlState::INVALID_PARAMETER_VALUE, text));
        }
        if self.worker.settings().database(database).is_some() {
            return Ok(());
        }
        let text = format!("no such database: {database}");
        Err(Refusal::new(SqlState::INVALID_CATALOG_NAME, text)
            .hint("SHOW DATABASES lists them; names are told apart by case."))
    }
}

fn notice(message: &'static str, detail: &str) -> Outcome {
    Outcome { rows: Vec::new(), notice: Some((message, detail.to_owned())) }
}

fn not_drained(error: NotDrained, node: &str) -> Refusal {
    match error {
        NotDrained::Unknown => {
            Refusal::new(SqlState::UNDEFINED_OBJECT, format!("no such node: {node}"))
                .hint("SHOW NODES lists them.")
        }
        NotDrained::Primary => {
            let text = format!("{node} is the primary: no other node can take its writes");
            Refusal::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, text)
                .hint("Promote a replica first, or PAUSE its databases.")
        }
    }
}

fn unanswered(error: Unanswered) -> Refusal {
    let code = match error {
        Unanswered::NobodyListens => SqlState::FEATURE_NOT_SUPPORTED,
        Unanswered::Failed(_) => SqlState::INVALID_PARAMETER_VALUE,
    };
    Refusal::new(code, error.to_string())
}

fn only_in_the_file(key: &str) -> Refusal {
    let text = format!("{key} cannot be changed on the console");
    Refusal::new(SqlState::FEATURE_NOT_SUPPORTED, text)
        .hint("Change it in the configuration file, then RELOAD: what runs and what is written down stay the same.")
}

fn no_descriptors() -> Refusal {
    let text = "SHOW FDS is not supported: Howdah does not hand its sockets to whoever asks";
    Refusal::new(SqlState::FEATURE_NOT_SUPPORTED, text).hint("SHOW SOCKETS lists connections.")
}

fn no_suspension() -> Refusal {
    let text = "SUSPEND is not supported: it served PgBouncer's online restart alone";
    Refusal::new(SqlState::FEATURE_NOT_SUPPORTED, text)
        .hint("PAUSE holds clients back; SHUTDOWN WAIT_FOR_CLIENTS ends Howdah without disconnecting anybody.")
}
