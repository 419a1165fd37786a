//! The catalogs of databases, as far as it matters for where statements may run: one for each database of a primary, once in the
//! process, read when somebody asks for it, read again when definitions have changed and every minute, and forgotten when nobody
//! needs it. What is read is in `load`; what follows from it is decided by `howdah_core::route::class`.
//!
//! Invariant: after definitions were changed through this process nobody is given what was read before their commit.

mod definitions;
mod load;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah_core::cache::definitions::{Builder, Definitions};
use howdah_core::route::class::Catalog;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock;
use crate::connect::Login;
use crate::keys::Keys;
use crate::pool::{Pool, Target};
use crate::settings::NodeAddress;
use crate::worker::Worker;

/// A catalog is read again at least this often: definitions may change without passing through here.
const RENEWAL: Duration = Duration::from_secs(60);
/// A reading that failed is tried again after this.
const RETRY: Duration = Duration::from_secs(5);
/// Between two readings, however often definitions change.
const PAUSE: Duration = Duration::from_millis(250);
/// Reading takes no longer.
const LIMIT: Duration = Duration::from_secs(30);

/// Which database, where.
type Place = (String, String);

/// How definitions have changed in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Redefined {
    /// Not at all.
    #[default]
    No,
    /// There is more or less of it than is known. What is not known is not believed anyway.
    Added,
    /// What is known may be wrong.
    Changed,
}

impl Redefined {
    /// What a definition with this command tag does.
    pub(crate) fn of(command_tag: &[u8]) -> Self {
        let begins = |prefixes: &[&[u8]]| prefixes.iter().any(|text| command_tag.starts_with(text));
        // Those that applications run all the time: temporary tables, indexes.
        if begins(&[b"CREATE TABLE", b"DROP TABLE", b"CREATE INDEX", b"DROP INDEX", b"CREATE SEQ"])
        {
            Self::Added
        } else {
            Self::Changed
        }
    }
}

/// The catalog of one database.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    catalog: Mutex<(Arc<Catalog>, Arc<Definitions>)>,
    /// Somebody wants the definitions, too.
    wants_definitions: AtomicBool,
    /// Grows with every other catalog.
    generation: AtomicU64,
    /// Readings that were asked for.
    asked: AtomicU64,
    wake: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the reader that is at work; 0: there is none.
    reader: u64,
    /// When it was read last.
    read: Option<Instant>,
    failure: Option<String>,
}

/// What is told about a catalog.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    /// Since it was read, or found to be the same.
    pub(crate) age: Option<Duration>,
    /// Why it could not be read.
    pub(crate) failure: Option<String>,
}

impl Watched {
    /// The number of the catalog; whoever remembers something that follows from it asks for this before each use.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// What is known now.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.lock().0)
    }

    /// What is known now for the result cache, if somebody wanted that.
    pub(crate) fn definitions(&self) -> Arc<Definitions> {
        Arc::clone(&self.catalog.lock().1)
    }

    /// From now on what the result cache needs is read, too.
    pub(crate) fn want_definitions(&self) {
        if !self.wants_definitions.swap(true, Ordering::AcqRel) {
            self.asked.fetch_add(1, Ordering::Release);
            self.wake.notify_one();
        }
    }

    /// How it is.
    pub(crate) fn condition(&self) -> Condition {
        let state = self.state.lock();
        let age = state.read.map(|read| clock::now().saturating_duration_since(read));
        Condition { age, failure: state.failure.clone() }
    }

    /// Waits until something is known, or cannot be; no longer than this. Cancel safe.
    pub(crate) async fn first(&self, limit: Duration) {
        const LOOK: Duration = Duration::from_millis(10);
        let deadline = clock::now() + limit;
        while !self.catalog().is_known()
            && self.state.lock().failure.is_none()
            && clock::now() < deadline
        {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What was read after this number of requests to read; nothing happens if there are more by now.
    fn publish(&self, asked: u64, read: (Arc<Catalog>, Arc<Definitions>)) -> bool {
        let mut catalog = self.catalog.lock();
        let is_new = self.asked.load(Ordering::Acquire) == asked;
        if is_new {
            *catalog = read;
            self.generation.fetch_add(1, Ordering::Release);
        }
        is_new
    }

    fn on_redefined(&self, how: Redefined) {
        let mut catalog = self.catalog.lock();
        self.asked.fetch_add(1, Ordering::Release);
        if how == Redefined::Changed {
            *catalog = Default::default();
            self.generation.fetch_add(1, Ordering::Release);
        }
        drop(catalog);
        self.wake.notify_one();
    }
}

/// The catalogs of the process. Touched when a client logs in and when definitions change.
#[derive(Debug, Default)]
pub(crate) struct Catalogs(Mutex<BTreeMap<Place, Arc<Watched>>>);

impl Catalogs {
    /// The catalog of the database of a pool of the primary; if nobody reads it, a task on this worker begins to, with the pool's
    /// credentials. It is kept up to date as long as somebody holds what this returns.
    pub(crate) fn of(worker: &Rc<Worker>, pool: &Pool) -> Arc<Watched> {
        let target = pool.target();
        let place = (target.address.to_string(), target.database.clone());
        let watched = Arc::clone(worker.shared.catalogs.0.lock().entry(place.clone()).or_default());
        let mut state = watched.state.lock();
        // Whoever comes may know better how to log in.
        if state.reader == 0 || state.failure.is_some() {
            state.reader += 1;
            let reader = Reader {
                worker: Rc::clone(worker),
                number: state.reader,
                place,
                target,
                keys: pool.keys(),
                timeout: pool.ledger.borrow().config().connect_timeout,
                watched: Arc::clone(&watched),
                digest: None,
            };
            tokio::task::spawn_local(reader.run());
        }
        drop(state);
        watched
    }

    /// The catalog of a database that somebody reads.
    pub(crate) fn at(&self, address: &NodeAddress, database: &str) -> Option<Arc<Watched>> {
        self.0.lock().get(&(address.to_string(), database.to_owned())).map(Arc::clone)
    }

    /// A transaction has committed that changed definitions of a database.
    pub(crate) fn on_redefined(&self, target: &Target, how: Redefined) {
        let place = (target.address.to_string(), target.database.clone());
        if let Some(watched) = self.0.lock().get(&place) {
            watched.on_redefined(how);
        }
    }

    /// Forgets a catalog that nobody holds; `false`: somebody does.
    fn retire(&self, place: &Place, watched: &Arc<Watched>) -> bool {
        let mut known = self.0.lock();
        // One is known here, and one is the reader's.
        let held = Arc::strong_count(watched) > 2;
        if !held {
            known.remove(place);
        }
        !held
    }
}

/// Reads one catalog, again and again.
struct Reader {
    worker: Rc<Worker>,
    number: u64,
    place: Place,
    target: Target,
    keys: Rc<Keys>,
    timeout: Duration,
    watched: Arc<Watched>,
    /// Of what was read last.
    digest: Option<String>,
}

impl Reader {
    async fn run(mut self) {
        loop {
            let asked = self.watched.asked.load(Ordering::Acquire);
            let read = tokio::time::timeout(LIMIT, self.read()).await;
            let failure = match read {
                Ok(Ok(loaded)) => {
                    self.on_read(asked, loaded);
                    None
                }
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("PostgreSQL did not answer in time".to_owned()),
            };
            let Some(pause) = self.on_outcome(failure) else { return };
            tokio::time::sleep(PAUSE).await;
            if self.watched.asked.load(Ordering::Acquire) == asked {
                // Over time or asked for: both mean to read again.
                let _ = tokio::time::timeout(pause, self.watched.wake.notified()).await;
            }
            if self.worker.shared.catalogs.retire(&self.place, &self.watched) {
                return;
            }
        }
    }

    async fn read(&self) -> Result<Option<load::Loaded>, load::LoadError> {
        let target = &self.target;
        let login = Login { settings: load::SETTINGS, ..target.login("", &self.keys) };
        // What was withdrawn has to be read also if it is the same.
        let known = self.watched.catalog().is_known();
        let digest = self.digest.as_deref().filter(|_| known);
        let more = self.watched.wants_definitions.load(Ordering::Acquire);
        load::load(&self.worker, &login, self.timeout, digest, more).await
    }

    /// `None`: it is what was read last.
    fn on_read(&mut self, asked: u64, loaded: Option<load::Loaded>) {
        self.watched.state.lock().read = Some(clock::now());
        let Some(loaded) = loaded else { return };
        let catalog = loaded.builder.build();
        let definitions = loaded.definitions.map(Builder::build).unwrap_or_default();
        if !catalog.is_known() {
            tracing::warn!(database = %self.place.1, "the catalog is too large to be kept: no statement that names a table is sent to replicas");
        }
        // Definitions that were changed meanwhile may not be in it.
        if self.watched.publish(asked, (Arc::new(catalog), Arc::new(definitions))) {
            self.digest = Some(loaded.digest);
        }
    }

    /// Tells of a failure, once. How long to wait until the next reading; `None`: another reader is at work. What was read before
    /// stays: without its primary a database does not change.
    fn on_outcome(&self, failure: Option<String>) -> Option<Duration> {
        let mut state = self.watched.state.lock();
        if state.reader != self.number {
            return None;
        }
        let is_new = failure.is_some() && state.failure != failure;
        state.failure.clone_from(&failure);
        drop(state);
        match failure {
            Some(failure) if is_new => {
                tracing::error!(database = %self.place.1, "cannot read the catalog: {failure}");
                Some(RETRY)
            }
            Some(_) => Some(RETRY),
            None => Some(RENEWAL),
        }
    }
}
