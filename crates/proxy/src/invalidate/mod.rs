//! The changes of databases, followed: for each named database of a cluster one task on one worker, which hears of every commit on the
//! primary ([`following`]) and tells [`Freshness`]. What follows from it is decided by `howdah_core::cache`.
//!
//! Nothing is made in a database but a slot that ends with its connection: the publication has to be there.
//!
//! Invariant: when a stream has ended, for whatever reason, nothing is valid until another one is open.

mod definitions;
mod feed;
mod followed;
mod following;
mod pulse;
mod trouble;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use howdah_core::cache::Freshness;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::cache::warm;
use crate::clock;
use crate::keys::Keys;
use crate::pool::Target;
use crate::random;
use crate::report::ChangesReport;
use crate::settings::{Changes, Cluster, Database, Settings};
use crate::topology;
use crate::worker::Worker;
use definitions::Reader;
use feed::Feed;
pub(crate) use followed::Followed;
use following::{Following, Surroundings};
use pulse::Pulse;
use trouble::Trouble;

/// Which database, in which cluster; by the name on the server.
type Place = (String, String);

/// A task, and what it was told; it ends when this is dropped.
#[derive(Debug)]
struct Task {
    place: Place,
    changes: Changes,
    task: tokio::task::AbortHandle,
    /// Fills the cache again whenever its answers were lost.
    warmer: tokio::task::AbortHandle,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.task.abort();
        self.warmer.abort();
    }
}

/// All databases of the process whose changes are followed.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    followed: Mutex<BTreeMap<Place, Arc<Followed>>>,
    tasks: Mutex<Vec<Task>>,
}

impl Streams {
    /// A database that clients name so, if its changes are followed.
    pub(crate) fn followed(&self, settings: &Settings, database: &str) -> Option<Arc<Followed>> {
        let database_of = settings.database(database).filter(|it| it.name != "*")?;
        let place = place(settings, database_of)?;
        self.followed.lock().get(&place).map(Arc::clone)
    }

    /// Follows the databases of these settings, on this worker, and none else.
    pub(crate) fn reload(&self, worker: &Rc<Worker>, settings: &Settings) {
        let mut old = std::mem::take(&mut *self.tasks.lock());
        let mut tasks = Vec::new();
        let mut followed = BTreeMap::new();
        let named = || settings.databases.iter().filter(|database| database.name != "*");
        let wanted =
            settings.changes.iter().flat_map(|changes| named().map(move |it| (changes, it)));
        for (changes, database) in wanted {
            let Some(place) = place(settings, database) else { continue };
            if followed.contains_key(&place) {
                continue;
            }
            let same = |it: &Task| it.place == place && it.changes == *changes;
            let known = self.followed.lock().get(&place).map(Arc::clone);
            let kept = old.iter().position(same).map(|at| old.swap_remove(at)).zip(known);
            let (task, it) = kept.unwrap_or_else(|| follow(worker, changes, database, &place));
            followed.insert(place, it);
            tasks.push(task);
        }
        if settings.changes.is_none() && settings.cache_rules.keep_by_time() {
            for place in named().filter_map(|database| place(settings, database)) {
                let known = self.followed.lock().get(&place).map(Arc::clone);
                followed.insert(place, known.map_or_else(unfollowed, ended));
            }
        }
        let gone = std::mem::replace(&mut *self.followed.lock(), followed);
        *self.tasks.lock() = tasks;
        drop(old);
        // Whoever still has one of a database that is not followed any more.
        let now = self.followed.lock();
        for (place, it) in gone {
            if now.get(&place).is_none_or(|kept| !Arc::ptr_eq(kept, &it)) {
                it.freshness.on_end();
            }
        }
    }

    /// What others have kept up to now is not taken over.
    pub(crate) fn forget_answers(&self) {
        for followed in self.followed.lock().values() {
            followed.freshness.forget_answers();
        }
    }

    /// All databases that are followed.
    pub(crate) fn all(&self) -> Vec<Arc<Freshness>> {
        self.followed.lock().values().map(|followed| Arc::clone(&followed.freshness)).collect()
    }

    /// The same, with how they are followed.
    pub(crate) fn all_followed(&self) -> Vec<Arc<Followed>> {
        self.followed.lock().values().map(Arc::clone).collect()
    }

    /// How all of them are.
    pub(crate) fn report(&self) -> Vec<ChangesReport> {
        let now = clock::now();
        let followed = self.followed.lock();
        let report = |((cluster, database), it): (&Place, &Arc<Followed>)| ChangesReport {
            cluster: cluster.clone(),
            database: database.clone(),
            trouble: it.trouble.lock().clone(),
            age: it.freshness.age(now),
            stream: it.freshness.report(),
        };
        followed.iter().map(report).collect()
    }
}

fn place(settings: &Settings, database: &Database) -> Option<Place> {
    let cluster = settings.cluster(database)?;
    Some((cluster.name.clone(), on_server(database).to_owned()))
}

fn on_server(database: &Database) -> &str {
    database.server_database.as_deref().unwrap_or(&database.name)
}

/// Nobody tells of changes: answers rest on their age.
fn unfollowed() -> Arc<Followed> {
    /// Nothing raises them.
    const TAGS: usize = 1024;
    ended(Arc::new(Followed::new(TAGS)))
}

fn ended(followed: Arc<Followed>) -> Arc<Followed> {
    followed.freshness.on_end();
    let text = "changes are not followed (no publication): what others write is seen when the ttl of a rule is over";
    *followed.trouble.lock() = Some(text.to_owned());
    followed
}

fn follow(
    worker: &Rc<Worker>,
    changes: &Changes,
    database: &Database,
    place: &Place,
) -> (Task, Arc<Followed>) {
    let followed = Arc::new(Followed::new(changes.tags));
    let follower = Follower {
        worker: Rc::clone(worker),
        cluster: place.0.clone(),
        database: on_server(database).to_owned(),
        changes: changes.clone(),
        followed: Arc::clone(&followed),
    };
    let task = tokio::task::spawn_local(follower.run()).abort_handle();
    let warmer = warm::run(Rc::clone(worker), Arc::clone(&followed));
    let warmer = tokio::task::spawn_local(warmer).abort_handle();
    (Task { place: place.clone(), changes: changes.clone(), task, warmer }, followed)
}

/// The task of one database.
struct Follower {
    worker: Rc<Worker>,
    cluster: String,
    database: String,
    changes: Changes,
    followed: Arc<Followed>,
}

impl Follower {
    async fn run(self) {
        let mut failures = 0;
        let mut news = self.worker.shared.clusters.subscribe();
        loop {
            let Err(trouble) = self.stream(&mut failures).await;
            self.followed.freshness.on_end();
            failures += 1;
            self.tell(&trouble);
            let pause = trouble.pause(failures);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // Another primary may be better.
                _ = news.changed(), if !trouble.is_change() => {
                    tokio::time::sleep(pause.min(trouble::SHORTEST)).await;
                }
            }
        }
    }

    /// Tells of a reason once.
    fn tell(&self, trouble: &Trouble) {
        let text = trouble.to_string();
        let mut last = self.followed.trouble.lock();
        let database = &self.database;
        if trouble.is_change() {
            tracing::info!(database, "changes are followed anew: {text}");
        } else if last.as_ref() != Some(&text) {
            tracing::warn!(database, "changes in the database are not followed: {text}");
        }
        *last = Some(text);
    }

    /// Follows one stream to its end.
    async fn stream(&self, failures: &mut u32) -> Result<std::convert::Infallible, Trouble> {
        let target = self.target()?;
        let keys = Keys::new(&target.credentials);
        let login = target.login("", &keys);
        let (shelf, shared) = (&self.worker.shelf, &self.worker.shared);
        let opening = async {
            let pulse = Pulse::open(&login, &self.changes, shelf).await?;
            Ok::<_, Trouble>((pulse, Feed::open(&login, shelf).await?))
        };
        let timeout = self.worker.settings().health.timeout.saturating_mul(4);
        let opened = tokio::time::timeout(timeout, opening).await.unwrap_or(Err(Trouble::Late));
        let (pulse, mut feed) = opened?;
        // An earlier slot may still be there, and others follow the same database.
        let mark = random::token().map_err(|_| Trouble::Random)?;
        let slot = format!("howdah_{mark}");
        let beginning = tokio::select! {
            beginning = feed.create_slot(&slot) => beginning?,
            moved = self.moved(&target) => return Err(moved),
        };
        feed.start(&slot, &self.changes.publication).await?;
        let around = Surroundings {
            followed: &self.followed,
            shelf,
            catalogs: &shared.catalogs,
            target: &target,
            changes: &self.changes,
        };
        let (reader, (tell, defined)) = (Reader::new(), mpsc::channel(1));
        let following = Following::new(&around, (feed, pulse, &reader), mark, beginning);
        *self.followed.trouble.lock() = None;
        *failures = 0;
        tracing::info!(database = self.database, node = target.node, "following changes");
        let (publication, poll) = (&self.changes.publication, self.changes.catalog_poll);
        tokio::select! {
            ended = following.run(defined) => ended,
            ended = reader.run(&login, publication, poll, tell, shelf) => {
                ended.and(Err(Trouble::Lost))
            }
            moved = self.moved(&target) => Err(moved),
        }
    }

    /// Resolves when somebody else is the primary, or nobody. Cancel safe.
    async fn moved(&self, target: &Target) -> Trouble {
        let mut news = self.worker.shared.clusters.subscribe();
        loop {
            if self.target().is_ok_and(|now| now.address != target.address) {
                return Trouble::Moved;
            }
            if news.changed().await.is_err() {
                return Trouble::Lost;
            }
        }
    }

    /// The database on the node that takes writes, or did last.
    fn target(&self) -> Result<Target, Trouble> {
        let settings = self.worker.settings();
        let cluster = settings.clusters.iter().find(|it| it.name == self.cluster);
        let cluster: &Cluster = cluster.ok_or(Trouble::NotPrimary)?;
        let primary = self.worker.shared.clusters.primary(&settings, cluster);
        let node = settings.nodes.get(primary.map_or(cluster.primary, |id| id.0));
        let node = node.ok_or(Trouble::NotPrimary)?;
        let credentials = match &self.changes.login {
            Some(login) => login.clone(),
            None => topology::own_credentials(&settings, cluster, node).ok_or(Trouble::NoLogin)?,
        };
        Ok(Target {
            node: node.name.clone(),
            address: node.address.clone(),
            tls: node.tls.clone(),
            socket: node.socket.clone(),
            database: self.database.clone(),
            credentials,
        })
    }
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
