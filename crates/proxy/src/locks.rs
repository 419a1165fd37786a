//! Who holds back whom by locks in PostgreSQL: asked of a node while a statement there takes long, over a connection of its own. Not
//! who waits for a server of a pool: that is the ledger's.
//!
//! Invariant: while no statement takes long nothing is asked; a node is asked by one worker at a time, seldom, and only if the servers
//! that there may be leave room for the connection.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::connect::{self, Login};
use crate::entry::{Activity, Entry};
use crate::inquiry::{Inquiry, Row};
use crate::keys::Keys;
use crate::pool::Target;
use crate::report::LockReport;
use crate::worker::Worker;

/// A statement that has been running for so long may wait for a lock.
const LONG: Duration = Duration::from_secs(1);
/// Between two questions to a node.
const PAUSE: Duration = Duration::from_secs(3);
/// What was found out is told for so long: longer than the pause and an answer.
const TOLD: Duration = Duration::from_secs(8);
/// Login and answer may take so long.
const LIMIT: Duration = Duration::from_secs(4);

/// Settings of the connection. With this path no name of ours means anything of a user's.
const SETTINGS: &[(&str, &str)] = &[
    ("search_path", "pg_catalog"),
    ("application_name", "howdah (locks)"),
    ("statement_timeout", "3000"),
];

/// Of each statement that waits for a lock: itself, and each session that it waits for. Of other roles' sessions the statement, and
/// that it waits, is seen by members of `pg_read_all_stats` alone.
const QUESTION: &str = "SELECT a.pid, a.datname, a.usename, a.application_name, \
    extract(epoch FROM clock_timestamp() - a.query_start)::float8, left(a.query, 2000), \
    b.pid, b.usename, b.application_name, host(b.client_addr), b.state, \
    extract(epoch FROM clock_timestamp() - b.xact_start)::float8, left(b.query, 2000) \
    FROM pg_stat_activity AS a CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS of (pid) \
    JOIN pg_stat_activity AS b ON b.pid = of.pid \
    WHERE a.wait_event_type = 'Lock' ORDER BY 5 DESC LIMIT 200";

/// What was found at one node.
#[derive(Debug)]
struct Looked {
    asked: Instant,
    found: Vec<LockReport>,
}

/// What was found at all nodes, by address.
#[derive(Debug, Default)]
pub(crate) struct Locks(Mutex<BTreeMap<String, Looked>>);

impl Locks {
    /// Who holds back whom, as far as that was found out within the last seconds.
    pub(crate) fn report(&self, now: Instant) -> Vec<LockReport> {
        let mut nodes = self.0.lock();
        nodes.retain(|_, looked| now.saturating_duration_since(looked.asked) < TOLD);
        nodes.values().flat_map(|looked| looked.found.iter().cloned()).collect()
    }

    /// Whether it is time to ask a node; who hears yes does it.
    fn is_due(&self, address: &str, now: Instant) -> bool {
        let mut nodes = self.0.lock();
        let known = nodes.get_mut(address);
        if let Some(looked) = known {
            let due = now.saturating_duration_since(looked.asked) >= PAUSE;
            if due {
                looked.asked = now;
            }
            return due;
        }
        nodes.insert(address.to_owned(), Looked { asked: now, found: Vec::new() });
        true
    }

    fn tell(&self, address: &str, found: Vec<LockReport>) {
        if let Some(looked) = self.0.lock().get_mut(address) {
            looked.found = found;
        }
    }
}

/// Asks the nodes at which a statement of this worker takes long. Once a second.
pub(crate) fn look(worker: &Rc<Worker>, now: Instant) {
    let long = |entry: &Rc<Entry>| {
        entry.activity.get() == Activity::Active
            && now.saturating_duration_since(entry.requested.get()) >= LONG
    };
    for pool in worker.all_entries().iter().filter(|entry| long(entry)).filter_map(|it| it.pool()) {
        let target = pool.target();
        if worker.shared.locks.is_due(&target.address.to_string(), now)
            && let Some(permit) = pool.spare_place()
        {
            let limit = LIMIT.min(pool.ledger.borrow().config().connect_timeout);
            let asking = ask(Rc::clone(worker), target, pool.keys(), limit);
            tokio::task::spawn_local(async move {
                asking.await;
                drop(permit);
            });
        }
    }
}

async fn ask(worker: Rc<Worker>, target: Target, keys: Rc<Keys>, limit: Duration) {
    let address = target.address.to_string();
    let asking = async {
        let login = Login { settings: SETTINGS, ..target.login("", &keys) };
        let opened =
            connect::open(&login, &worker.shelf).await.map_err(|error| error.to_string())?;
        let mut inquiry = Inquiry::new(opened.stream);
        let rows = inquiry.ask(&worker.shelf, QUESTION).await;
        rows.map_err(|error| format!("{error:?}"))
    };
    match tokio::time::timeout(limit, asking).await {
        Ok(Ok(rows)) => {
            let found = rows.into_iter().filter_map(|row| lock(&address, row)).collect();
            worker.shared.locks.tell(&address, found);
        }
        Ok(Err(error)) => tracing::debug!(%address, "cannot ask who waits for locks: {error}"),
        Err(_) => tracing::debug!(%address, "no answer in time to who waits for locks"),
    }
}

/// One row of the answer.
fn lock(address: &str, row: Row) -> Option<LockReport> {
    let Ok(
        [
            waiter,
            database,
            user,
            application,
            waited,
            statement,
            holder,
            holder_user,
            holder_application,
            holder_address,
            holder_state,
            open,
            last,
        ],
    ) = <[Option<String>; 13]>::try_from(row)
    else {
        return None;
    };
    let seconds = |text: Option<String>| {
        let seconds = text?.parse::<f64>().ok()?;
        Duration::try_from_secs_f64(seconds.max(0.0)).ok()
    };
    Some(LockReport {
        node: address.to_owned(),
        database: database.unwrap_or_default(),
        waiter: waiter?.parse().ok()?,
        user: user.unwrap_or_default(),
        application: application.unwrap_or_default(),
        waited: seconds(waited).unwrap_or_default(),
        statement: form(statement),
        holder: holder?.parse().ok()?,
        holder_user: holder_user.unwrap_or_default(),
        holder_application: holder_application.unwrap_or_default(),
        holder_address: holder_address.unwrap_or_default(),
        holder_state: holder_state.unwrap_or_default(),
        transaction: seconds(open),
        last_statement: form(last),
    })
}

/// A statement without its literals.
fn form(sql: Option<String>) -> String {
    let mut form = Vec::new();
    howdah_sql::normalize(sql.unwrap_or_default().as_bytes(), &mut form);
    String::from_utf8_lossy(&form).into_owned()
}
