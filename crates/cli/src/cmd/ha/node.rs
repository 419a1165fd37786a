//! A node as a switchover sees it: what it is, what the role may do there, and the statements that change it.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use tokio_postgres::Client;

use crate::exit::{Exit, Failure};
use crate::probe::{self, Login};

/// A position in the log, in bytes from its beginning.
pub(super) type Position = i64;

/// Settings that must not be smaller on a replica than on its primary (PostgreSQL's documentation, 27.4.3).
const LIMITS: &str = "'max_connections', 'max_prepared_transactions', 'max_locks_per_transaction', 'max_wal_senders', 'max_worker_processes'";

/// What a node says of itself and of what the role may do.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Facts {
    pub(super) replica: bool,
    pub(super) system: String,
    pub(super) version: i32,
    /// The role may have it promoted, have a checkpoint made, change `primary_conninfo`.
    pub(super) may_promote: bool,
    pub(super) may_checkpoint: bool,
    pub(super) may_rewire: bool,
    /// What a replica must not have less of than its primary.
    pub(super) limits: Vec<(String, i64)>,
    /// A password may be in it.
    #[serde(skip)]
    pub(super) conninfo: String,
    pub(super) slot: String,
    /// A replica receives the log of somebody.
    pub(super) streaming: bool,
    /// What has been written or received.
    pub(super) position: Position,
    /// Logical slots that would be left behind.
    pub(super) logical_slots: String,
}

/// A connection to a node.
pub(super) struct Node {
    client: Client,
}

impl Node {
    /// Logs in.
    ///
    /// # Errors
    /// It is refused, or takes longer than `limit`.
    pub(super) async fn connect(login: &Login, limit: Duration) -> Result<Self, Failure> {
        let (client, _) = probe::connect(login, limit).await.map_err(|refused| {
            let text =
                format!("{} at {}: {}\n    {}", login, login.address, refused.reason, refused.fix);
            Failure::new(Exit::Unreachable, anyhow!(text))
        })?;
        Ok(Self { client })
    }

    /// Asks for everything that decides whether a switchover can be done.
    pub(super) async fn facts(&self) -> anyhow::Result<Facts> {
        let ask = format!(
            "SELECT pg_is_in_recovery(), (SELECT system_identifier::text FROM pg_control_system()), \
             current_setting('server_version_num')::int, \
             has_function_privilege('pg_promote(boolean,integer)', 'EXECUTE'), \
             (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), \
             (SELECT array_agg(name ORDER BY name) FROM pg_settings WHERE name IN ({LIMITS})), \
             (SELECT array_agg(setting::int8 ORDER BY name) FROM pg_settings WHERE name IN ({LIMITS})), \
             coalesce((SELECT setting FROM pg_settings WHERE name = 'primary_conninfo'), ''), \
             coalesce((SELECT setting FROM pg_settings WHERE name = 'primary_slot_name'), ''), \
             EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL), \
             (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END - '0/0')::int8, \
             coalesce((SELECT string_agg(slot_name, ', ' ORDER BY slot_name) FROM pg_replication_slots \
               WHERE slot_type = 'logical' AND NOT temporary), '')"
        );
        let row = self.client.query_one(&ask, &[]).await.map_err(told)?;
        let superuser: bool = row.get(4);
        let version: i32 = row.get(2);
        let (may_checkpoint, may_rewire) = if superuser || version < 150_000 {
            (superuser, superuser)
        } else {
            let ask = "SELECT pg_has_role('pg_checkpoint', 'USAGE'), \
                has_parameter_privilege('primary_conninfo', 'ALTER SYSTEM') AND has_function_privilege('pg_reload_conf()', 'EXECUTE')";
            let row = self.client.query_one(ask, &[]).await.map_err(told)?;
            (row.get(0), row.get(1))
        };
        let (names, values): (Vec<String>, Vec<i64>) = (row.get(5), row.get(6));
        Ok(Facts {
            replica: row.get(0),
            system: row.get(1),
            version,
            may_promote: row.get(3),
            may_checkpoint,
            may_rewire,
            limits: names.into_iter().zip(values).collect(),
            conninfo: row.get(7),
            slot: row.get(8),
            streaming: row.get(9),
            position: row.get::<_, Option<i64>>(10).unwrap_or(0),
            logical_slots: row.get(11),
        })
    }

    /// Has everything in memory written, so that the next checkpoint is short.
    pub(super) async fn checkpoint(&self) -> anyhow::Result<()> {
        self.client.batch_execute("CHECKPOINT").await.map_err(told)
    }

    /// What a primary has written.
    pub(super) async fn written(&self) -> anyhow::Result<Position> {
        self.position("SELECT (pg_current_wal_lsn() - '0/0')::int8").await
    }

    /// What a replica has received, and what of it it has replayed.
    pub(super) async fn received(&self) -> anyhow::Result<(Position, Position)> {
        let received = self.position("SELECT (pg_last_wal_receive_lsn() - '0/0')::int8").await?;
        let replayed = self.position("SELECT (pg_last_wal_replay_lsn() - '0/0')::int8").await?;
        Ok((received, replayed))
    }

    /// Where the checkpoint begins that a restart would begin from, if it is the one that a primary writes as its last when it stops:
    /// nothing may be written while it is made, so it begins where it is (`CreateCheckPoint` in xlog.c).
    pub(super) async fn shutdown_checkpoint(&self) -> anyhow::Result<Option<Position>> {
        let ask = "SELECT CASE WHEN checkpoint_lsn = redo_lsn THEN (checkpoint_lsn - '0/0')::int8 END FROM pg_control_checkpoint()";
        let row = self.client.query_one(ask, &[]).await.map_err(told)?;
        Ok(row.get(0))
    }

    async fn position(&self, ask: &str) -> anyhow::Result<Position> {
        let row = self.client.query_one(ask, &[]).await.map_err(told)?;
        row.get::<_, Option<i64>>(0).context("the node tells no position in the log")
    }

    /// Makes it the primary; `false`: it is not yet.
    pub(super) async fn promote(&self, limit: Duration) -> anyhow::Result<bool> {
        let seconds = i32::try_from(limit.as_secs().max(1)).unwrap_or(i32::MAX);
        let row = self.client.query_one("SELECT pg_promote(true, $1)", &[&seconds]).await;
        Ok(row.map_err(told)?.get(0))
    }

    /// Whether it is a replica that receives the log.
    pub(super) async fn follows(&self) -> anyhow::Result<bool> {
        let ask = "SELECT pg_is_in_recovery() AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL AND status = 'streaming')";
        Ok(self.client.query_one(ask, &[]).await.map_err(told)?.get(0))
    }

    /// Has it follow somebody else from now on, or once it is a replica.
    pub(super) async fn point_at(&self, conninfo: &str) -> anyhow::Result<()> {
        let quoted = conninfo.replace('\'', "''");
        let set = format!("ALTER SYSTEM SET primary_conninfo = '{quoted}'");
        self.client.batch_execute(&set).await.map_err(told)?;
        self.client.batch_execute("SELECT pg_reload_conf()").await.map_err(told)
    }

    /// Makes a slot for a replica that uses one, if it is not there.
    pub(super) async fn keep_slot(&self, name: &str) -> anyhow::Result<()> {
        let ask = "SELECT pg_create_physical_replication_slot($1, true) \
            WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)";
        self.client.execute(ask, &[&name]).await.map_err(told).map(drop)
    }

    /// Drops a slot that nobody uses any more, and that would keep the log for ever.
    pub(super) async fn drop_slot(&self, name: &str) -> anyhow::Result<()> {
        let ask = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active";
        self.client.execute(ask, &[&name]).await.map_err(told).map(drop)
    }
}

fn told(error: tokio_postgres::Error) -> anyhow::Error {
    anyhow!(probe::text(&error))
}
