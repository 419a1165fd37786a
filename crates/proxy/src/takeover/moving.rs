//! A session's part in a take-over: whether it may move, what it takes along, and how it begins again in the new process. Not how it
//! gets there.
//!
//! Invariant: a session that may move owes its client nothing and has nothing on a server.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::session::{BySql, Context, Settings, Snapshot, SnapshotStatement};
use howdah_wire::frame;
use howdah_wire::frontend;
use tokio::sync::oneshot;

use super::{Departure, Verdict};
use crate::buffer::Inbox;
use crate::entry::{Activity, Entry, Identity};
use crate::pool::PoolKey;
use crate::session::Session;
use crate::stream::{Detached, DetachedSocket, Peer};
use crate::worker::Worker;

/// A session on its way from another process into one of the workers.
#[derive(Debug)]
pub(crate) struct Adopted {
    snapshot: Snapshot,
    stream: Detached,
}

impl Adopted {
    /// A session and the worker that is to serve it.
    ///
    /// # Errors
    /// Why it cannot be served here.
    pub(super) fn of(
        worker: &Worker,
        state: &[u8],
        socket: OwnedFd,
    ) -> Result<(usize, Self), String> {
        let snapshot = Snapshot::decode(state).map_err(|error| error.to_string())?;
        let settings = worker.shared.settings();
        let Some((_, config)) = settings.pool(&snapshot.database, &snapshot.user) else {
            let (database, user) = (&snapshot.database, &snapshot.user);
            return Err(format!("database {database:?} or user {user:?} is not configured"));
        };
        let key = key_of(&snapshot);
        let owner = worker.shared.adopter(&key, &config, snapshot.process_id);
        let stream = if snapshot.peer.is_some() {
            Detached::Clear(DetachedSocket::Tcp(socket.into()))
        } else {
            Detached::Clear(DetachedSocket::Unix(socket.into()))
        };
        Ok((owner, Self { snapshot, stream }))
    }
}

fn key_of(snapshot: &Snapshot) -> PoolKey {
    PoolKey::home(snapshot.database.as_str(), snapshot.user.as_str())
}

fn context_of(worker: &Worker, settings: Vec<(String, String)>) -> Arc<Context> {
    worker.share_context(Context::from_replays(settings))
}

/// Begins to serve a counted session that another process has served.
pub(super) fn adopt(worker: &Rc<Worker>, adopted: Adopted) {
    let Adopted { snapshot, stream } = adopted;
    let (Ok(stream), Some(pool)) = (stream.attach(), worker.pool(key_of(&snapshot))) else {
        tracing::warn!("a session that was taken over cannot be served");
        return worker.shared.on_client_left();
    };
    let identity = Identity {
        id: worker.new_id(),
        process_id: snapshot.process_id,
        secret: snapshot.secret,
        peer: snapshot.peer.map_or(Peer::Unix, Peer::Tcp),
        // Those in clear alone move.
        tls: None,
        local: stream.local(),
        database: snapshot.database.as_str().into(),
        user: snapshot.user.as_str().into(),
        is_console: false,
    };
    let age = Duration::from_millis(snapshot.age_ms);
    let since = worker.now().checked_sub(age).unwrap_or_else(|| worker.now());
    let entry = Rc::new(Entry::new(identity, since));
    entry.requests.set(snapshot.requests);
    entry.activity.set(Activity::Idle);
    let startup = context_of(worker, snapshot.startup);
    let mut session = Session::new(worker, pool, entry, stream, Arc::clone(&startup));
    session.settings = Settings::restore(startup, context_of(worker, snapshot.settings));
    for statement in snapshot.statements {
        session.restore_statement(statement);
    }
    if let Some((parse, told)) = snapshot.unnamed {
        session.restore_unnamed(&parse, told);
    }
    let told = snapshot.told.into_iter();
    session.told = told.map(|(name, value)| (name.into(), value.into())).collect();
    session.inbox = Inbox::holding(snapshot.unread);
    session.show_state();
    session.seat = worker.shared.seat(&snapshot.user, None, &snapshot.database, None).ok();
    let shared = Arc::clone(&worker.shared);
    tokio::task::spawn_local(async move {
        session.run().await;
        shared.takeover.forget(snapshot.process_id);
        shared.on_client_left();
    });
}

impl Session {
    /// Whether the session goes to another process now.
    pub(crate) fn is_to_move(&self) -> bool {
        self.worker.moving.attempt() != 0 && self.may_move()
    }

    fn may_move(&self) -> bool {
        self.server.is_none()
            && self.pin.is_none()
            && self.body.is_none()
            && self.outbox.is_empty()
            && !self.dropping
            && !self.terminating
            && !self.draining
            && !self.listener.is_needed()
            && self.declined_in != self.worker.moving.attempt()
            && self.stream.can_move()
    }

    /// Goes to another process, if that takes it; `false`: it stays.
    ///
    /// Not cancel safe: the session may be gone.
    pub(crate) async fn depart(&mut self) -> bool {
        let attempt = self.worker.moving.attempt();
        let departures = self.worker.moving.departures.borrow().clone();
        let Some(departures) = departures else { return false };
        let (Ok(socket), Ok(state)) = (self.stream.duplicate(), self.snapshot().encode()) else {
            self.declined_in = attempt;
            return false;
        };
        let (verdict, answer) = oneshot::channel();
        if departures.send(Departure { state, socket, verdict }).await.is_err() {
            self.declined_in = attempt;
            return false;
        }
        match answer.await {
            Ok(Verdict::Gone) => true,
            Ok(Verdict::Declined) | Err(_) => {
                self.declined_in = attempt;
                false
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        let replays = |context: &Context| -> Vec<(String, String)> {
            context.iter().map(|(name, replay)| (name.to_owned(), replay.to_owned())).collect()
        };
        let statements = self.statements.iter().map(|(name, prepared)| SnapshotStatement {
            name: name.to_vec(),
            sql: prepared.sql.to_vec(),
            parameter_types: prepared.parameter_types.to_vec(),
            told: self.statements.told(name),
            by_sql: prepared.by_sql.map(|by_sql| (by_sql.name_at, by_sql.body_at)),
        });
        let told = self.told.iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
        let age = self.worker.now().saturating_duration_since(self.entry.since);
        Snapshot {
            database: self.entry.database.to_string(),
            user: self.entry.user.to_string(),
            process_id: self.entry.process_id,
            secret: self.entry.secret.clone(),
            peer: match self.entry.peer {
                Peer::Tcp(address) => Some(address),
                Peer::Unix | Peer::Memory => None,
            },
            startup: replays(self.settings.startup()),
            settings: replays(self.settings.context()),
            statements: statements.collect(),
            unnamed: self.unnamed.get().map(|(parse, _)| (parse.to_vec(), self.unnamed.told())),
            told: told.collect(),
            unread: self.inbox.unread().to_vec(),
            requests: self.entry.requests.get(),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn restore_statement(&mut self, statement: SnapshotStatement) {
        let SnapshotStatement { sql, parameter_types, .. } = &statement;
        let by_sql = statement.by_sql.map(|(name_at, body_at)| BySql { name_at, body_at });
        let body = by_sql.map_or(0, |by_sql| by_sql.body_at);
        let analysis = self.analyse(sql.get(body..).unwrap_or_default());
        let prepared = match by_sql {
            Some(by_sql) => self.worker.prepare_by_sql(sql, analysis, by_sql),
            None => self.worker.prepare(sql, parameter_types, analysis),
        };
        let told = statement.told.filter(|_| self.worker.shared.takeover.hashes_alike());
        self.statements.restore(&statement.name, prepared, told);
    }

    fn restore_unnamed(&mut self, bytes: &[u8], told: Option<u64>) {
        if let Ok(Some((found, _))) = frame::split(bytes)
            && let Ok(parse) = frontend::parse(found.body)
        {
            let analysis = self.analyse(parse.sql);
            self.unnamed.on_parse(bytes, analysis);
            if let Some(hash) = told.filter(|_| self.worker.shared.takeover.hashes_alike()) {
                self.unnamed.on_described(self.unnamed.version(), hash);
            }
        }
    }
}
