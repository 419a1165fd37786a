//! What PostgreSQL itself counts about the databases in use: asked of each node that has open servers, seldom, over one connection that
//! is logged in like those servers. What follows from the numbers is `howdah_core::server_statistics`; what Howdah counts is `statements`.
//!
//! Invariant: a node is asked by one worker at a time, only while somebody uses it, and nobody but a report ever hears of a failure.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use howdah_core::direct::{Directs, Form, Ran};
use howdah_core::limits;
use howdah_core::server_statistics::{Counters, Track};
use parking_lot::Mutex;

use crate::clock;
use crate::connect::{self, Login};
use crate::direct::{self, Missing};
use crate::inquiry::{Inquiry, Row};
use crate::outsiders::{self, Outsiders};
use crate::pool::{Pool, Target};
use crate::proxy::worker_reports;
use crate::report::{DirectReport, OutsiderReport, ServerStatisticsReport};
use crate::worker::Worker;

/// Login and answer may take so long.
const LIMIT: Duration = Duration::from_secs(5);
/// What a node has run for others is asked at each so-manieth look.
const SELDOM: u32 = 6;
/// A node that nobody asks any more is forgotten after so many intervals.
const FORGOTTEN: u32 = 6;

/// Settings of the connection. With this path no name of ours means anything of a user's.
const SETTINGS: &[(&str, &str)] = &[
    ("search_path", "pg_catalog"),
    ("client_encoding", "UTF8"),
    ("application_name", "howdah (statistics)"),
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "2000"),
    ("lock_timeout", "100"),
];

/// What is asked, before the names of databases. Every role may.
const QUESTION: &str = "SELECT datname, blks_hit, blks_read, xact_commit, xact_rollback, deadlocks, conflicts, temp_bytes \
    FROM pg_stat_database WHERE datname IN (";

/// One node.
#[derive(Debug)]
struct Asked {
    /// Its name.
    node: String,
    /// Somebody asks it.
    taken: bool,
    /// When it answered last, or was first to be asked.
    answered: Instant,
    /// By the name on the server.
    databases: BTreeMap<String, Track>,
    /// Why it does not answer.
    trouble: Option<String>,
    /// What it has run for others.
    directs: Directs,
    /// Why that is not known.
    missing: Option<String>,
    /// Sessions there that do not come from Howdah.
    outsiders: Outsiders,
}

/// All nodes in use, by address.
#[derive(Debug, Default)]
pub(crate) struct ServerStatistics(Mutex<BTreeMap<String, Asked>>);

impl ServerStatistics {
    /// What is known of each database.
    pub(crate) fn report(&self, now: Instant) -> Vec<ServerStatisticsReport> {
        let nodes = self.0.lock();
        let of_node = |asked: &Asked| {
            let report = |(database, track): (&String, &Track)| ServerStatisticsReport {
                node: asked.node.clone(),
                database: database.clone(),
                counters: track.counters(),
                buffer_hit_percent: track.buffer_hit_percent(),
                age: now.saturating_duration_since(asked.answered),
                trouble: asked.trouble.clone(),
            };
            asked.databases.iter().map(report).collect::<Vec<_>>()
        };
        nodes.values().flat_map(of_node).collect()
    }

    /// What each node has run for others than clients of Howdah.
    pub(crate) fn direct(&self) -> Vec<DirectReport> {
        let report = |asked: &Asked| DirectReport {
            node: asked.node.clone(),
            missing: asked.missing.clone(),
            found: asked.directs.found().to_vec(),
        };
        self.0.lock().values().map(report).collect()
    }

    /// Sessions at each node that do not come from Howdah.
    pub(crate) fn outsiders(&self, now: Instant) -> Vec<OutsiderReport> {
        let nodes = self.0.lock();
        nodes.values().filter_map(|asked| asked.outsiders.report(&asked.node, now)).collect()
    }

    /// A database is in use. Whether its node has nobody who asks it; who hears yes does.
    fn is_untaken(&self, target: &Target, now: Instant) -> bool {
        let mut nodes = self.0.lock();
        let asked = nodes.entry(target.address.to_string()).or_insert_with(|| Asked {
            node: target.node.clone(),
            taken: false,
            answered: now,
            databases: BTreeMap::new(),
            trouble: None,
            directs: Directs::default(),
            missing: None,
            outsiders: Outsiders::default(),
        });
        if asked.databases.len() < limits::SERVER_STATISTICS {
            asked.databases.entry(target.database.clone()).or_default();
        }
        !std::mem::replace(&mut asked.taken, true)
    }

    /// Nobody asks the node any more.
    fn give_up(&self, address: &str) {
        if let Some(asked) = self.0.lock().get_mut(address) {
            asked.taken = false;
        }
    }

    /// Names of databases, as literals.
    fn names(&self, address: &str) -> Option<String> {
        let nodes = self.0.lock();
        let names = nodes.get(address)?.databases.keys();
        let names: Vec<_> = names.map(|name| format!("'{}'", name.replace('\'', "''"))).collect();
        Some(names.join(", "))
    }

    fn tell(&self, address: &str, answer: Result<Vec<Row>, String>, now: Instant) {
        let mut nodes = self.0.lock();
        let Some(asked) = nodes.get_mut(address) else { return };
        match answer {
            Ok(rows) => {
                for (database, counters) in rows.into_iter().filter_map(counters) {
                    if let Some(track) = asked.databases.get_mut(&database) {
                        track.on_look(counters);
                    }
                }
                (asked.answered, asked.trouble) = (now, None);
            }
            Err(trouble) => asked.trouble = Some(trouble),
        }
    }

    fn tell_outsiders(&self, address: &str, answer: Result<Outsiders, String>, now: Instant) {
        if let Some(asked) = self.0.lock().get_mut(address) {
            asked.outsiders.tell(answer, now);
        }
    }

    fn tell_direct(
        &self,
        address: &str,
        answer: Result<Vec<(Form, Ran)>, Missing>,
        own: &HashMap<Form, u64>,
    ) {
        let mut nodes = self.0.lock();
        let Some(asked) = nodes.get_mut(address) else { return };
        asked.missing = answer.as_ref().err().map(ToString::to_string);
        if let Ok(ran) = answer {
            asked.directs.on_look(ran, own);
        }
    }

    /// Forgets nodes that nobody uses; all, when nobody is to ask.
    fn forget(&self, interval: Option<Duration>, now: Instant) {
        let mut nodes = self.0.lock();
        nodes.retain(|_, asked| {
            let fresh = |interval: Duration| {
                let age = now.saturating_duration_since(asked.answered);
                age < interval.saturating_mul(FORGOTTEN)
            };
            asked.taken || interval.is_some_and(fresh)
        });
    }
}

/// Sees to it that the nodes that this worker has servers on are asked. Once a second.
pub(crate) fn look(worker: &Rc<Worker>, now: Instant) {
    let interval = worker.settings_in_force().server_statistics;
    let statistics = &worker.shared.server_statistics;
    statistics.forget(interval, now);
    if interval.is_none() {
        return;
    }
    for pool in worker.all_pools().into_iter().filter(is_in_use) {
        let target = pool.target();
        if statistics.is_untaken(&target, now) {
            let asker = ask(Rc::clone(worker), target.address.to_string());
            tokio::task::spawn_local(asker);
        }
    }
}

fn is_in_use(pool: &Rc<Pool>) -> bool {
    pool.ledger.borrow().open() > 0
}

/// Asks one node, again and again, as long as this worker has servers on it.
async fn ask(worker: Rc<Worker>, address: String) {
    let statistics = &worker.shared.server_statistics;
    let (mut connection, mut looks) = (None, 0_u32);
    loop {
        let interval = worker.settings_in_force().server_statistics;
        let here =
            |pool: &Rc<Pool>| is_in_use(pool) && pool.target().address.to_string() == address;
        let pool = worker.all_pools().into_iter().find(here);
        let Some((interval, pool)) = interval.zip(pool) else { break };
        let Some(names) = statistics.names(&address) else { break };
        let question = format!("{QUESTION}{names})");
        let asking = ask_once(&worker, &pool, connection.take(), &question);
        let answer = match tokio::time::timeout(LIMIT, asking).await {
            Ok(Ok((rows, kept))) => {
                connection = Some(kept);
                Ok(rows)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err("PostgreSQL did not answer in time".to_owned()),
        };
        if let Err(trouble) = &answer {
            tracing::debug!(%address, "cannot ask for statistics: {trouble}");
        }
        statistics.tell(&address, answer, clock::now());
        if let Some(kept) = &mut connection {
            let asking = outsiders::ask(&worker, kept, &address);
            let late = || Err("PostgreSQL did not answer in time".to_owned());
            let answer = tokio::time::timeout(LIMIT, asking).await.unwrap_or_else(|_| late());
            if answer.is_err() {
                // Part of an answer may still be on its way.
                connection = None;
            }
            statistics.tell_outsiders(&address, answer, clock::now());
        }
        if looks.is_multiple_of(SELDOM)
            && let Some(kept) = &mut connection
        {
            let asking = direct::ask(&worker, kept, &names);
            let answer = tokio::time::timeout(LIMIT, asking).await.unwrap_or(Err(Missing::Lost));
            if answer.as_ref().is_err_and(|missing| *missing == Missing::Lost) {
                connection = None;
            }
            // Workers tell what they have counted when they are asked how they are: otherwise a second of it would be missing.
            drop(worker_reports(&worker.shared).await);
            statistics.tell_direct(&address, answer, &direct::counted(&worker));
        }
        looks = looks.wrapping_add(1);
        drop(pool);
        tokio::time::sleep(interval).await;
    }
    statistics.give_up(&address);
}

/// One question, over this connection or a new one, which is given back.
async fn ask_once(
    worker: &Worker,
    pool: &Pool,
    connection: Option<Inquiry>,
    question: &str,
) -> Result<(Vec<Row>, Inquiry), String> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => {
            let (target, keys) = (pool.target(), pool.keys());
            let login = Login { settings: SETTINGS, ..target.login("", &keys) };
            let opened = connect::open(&login, &worker.shelf).await;
            Inquiry::new(opened.map_err(|error| error.to_string())?.stream)
        }
    };
    let answer = connection.ask(&worker.shelf, question).await;
    answer.map(|rows| (rows, connection)).map_err(|unanswered| unanswered.to_string())
}

/// One row of the answer.
fn counters(row: Row) -> Option<(String, Counters)> {
    let mut row = row.into_iter();
    let database = row.next()??;
    let mut number = || row.next()??.parse::<u64>().ok();
    let counters = Counters {
        blocks_hit: number()?,
        blocks_read: number()?,
        commits: number()?,
        rollbacks: number()?,
        deadlocks: number()?,
        conflicts: number()?,
        temp_bytes: number()?,
    };
    Some((database, counters))
}
