//! The cache is filled before it is needed: what was asked most, and took longest, is asked again when answers were lost: at the start, after
//! a new stream, after a change of definitions, or when an administrator says so. By a client of the process itself ([`client`]), one
//! request after the other. What is remembered is `howdah_core::cache::warm`'s.
//!
//! Invariant: one such client for a database at most; it asks PostgreSQL nothing but what the cache is going to keep.

mod client;
mod file;
mod rounds;

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_core::cache::warm::{List, Question};
use howdah_core::cache::wish::Mode;
use howdah_wire::sqlstate::SqlState;
use parking_lot::Mutex;

use super::store::{Entry, Key};
use crate::cache::Store;
use crate::clock;
use crate::error::Refusal;
use crate::invalidate::Followed;
use crate::session::Session;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::worker::Worker;

/// What its client calls itself.
pub(crate) const NAME: &str = "howdah-warm";

/// How often it is looked whether answers were lost.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is looked what is worth being remembered, and written down.
const REMEMBER: Duration = Duration::from_secs(180);
/// It rests so many times as long as it has worked.
const REST: u32 = 4;

/// What the client is told of a request whose answer would not be kept.
const NOT_KEPT: &str = "the answer would not be kept";

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Requests that were remembered.
    pub(crate) remembered: usize,
    /// Those whose answers are kept since then,
    pub(crate) warmed: usize,
    /// were kept already,
    pub(crate) already: usize,
    /// are not, because PostgreSQL refuses them, or they would not be kept, or there was no time.
    pub(crate) failed: usize,
    /// Answers that are kept, were given, and cannot be asked for again: under settings that a session cannot begin with.
    pub(crate) left_out: usize,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.remembered += other.remembered;
        self.warmed += other.warmed;
        self.already += other.already;
        self.failed += other.failed;
    }
}

/// What is remembered, for the whole process.
#[derive(Debug, Default)]
pub(crate) struct Warming {
    list: Mutex<Remembered>,
    /// What was written down before the start was read.
    read: tokio::sync::OnceCell<()>,
}

#[derive(Debug, Default)]
struct Remembered {
    list: List,
    left_out: usize,
    /// When it was looked last.
    looked: Option<Instant>,
}

impl Warming {
    /// Reads what was written down, once.
    async fn begin(&self, settings: &Settings) {
        let path = settings.kept.warm_file.clone();
        let most = settings.kept.warm_answers;
        let read = async || {
            let Some(path) = path else { return };
            let read = tokio::task::spawn_blocking(move || file::read(&path, most)).await;
            if let Ok(Some(list)) = read {
                self.list.lock().list = list;
            }
        };
        self.read.get_or_init(read).await;
    }

    /// Whether it is time to look again what is worth being remembered. Says so once.
    fn is_due(&self, now: Instant) -> bool {
        let mut remembered = self.list.lock();
        let since = *remembered.looked.get_or_insert(now);
        let due = now.saturating_duration_since(since) >= REMEMBER;
        if due {
            remembered.looked = Some(now);
        }
        due
    }
}

/// Looks what is worth being remembered.
async fn remember(shared: &Arc<Shared>) {
    let (most, shared) = (shared.settings().kept.warm_answers, Arc::clone(shared));
    let look = move || {
        let (questions, left_out) = shared.store.questions(most);
        let list = List::new(questions, most);
        let mut remembered = shared.warming.list.lock();
        remembered.left_out = left_out;
        // Where nothing was given, nothing says that what was known is not wanted any more.
        if !list.is_empty() {
            remembered.list = list.with_older(&remembered.list, most);
        }
    };
    // It fails only when the process ends.
    let _ = tokio::task::spawn_blocking(look).await;
}

/// Writes down what is remembered.
async fn write(shared: &Shared, path: PathBuf) {
    // What was there before may be worth more.
    if !shared.warming.read.initialized() {
        return;
    }
    let list = shared.warming.list.lock().list.clone();
    let _ = tokio::task::spawn_blocking(move || file::write(&path, &list)).await;
}

/// The process is about to end: writes down what is worth being remembered.
pub(crate) async fn end(shared: &Arc<Shared>) {
    let path = shared.settings().kept.warm_file.clone();
    if let Some(path) = path {
        remember(shared).await;
        write(shared, path).await;
    }
}

/// Warms one database whenever its answers were lost, until it is dropped.
pub(crate) async fn run(worker: Rc<Worker>, followed: Arc<Followed>) {
    let (shared, freshness) = (&worker.shared, &followed.freshness);
    shared.warming.begin(&worker.settings()).await;
    let (mut last, mut warmed) = (None, None);
    loop {
        tokio::time::sleep(LOOK).await;
        let settings = worker.settings();
        if settings.kept.warm_answers == 0 {
            continue;
        }
        if shared.warming.is_due(clock::now()) {
            remember(shared).await;
            if let Some(path) = settings.kept.warm_file.clone() {
                write(shared, path).await;
            }
        }
        let epoch = freshness.visible().and_then(|_| freshness.epoch());
        // Definitions often change several times in a row.
        let settled = epoch.is_some() && epoch == last;
        last = epoch;
        if !settled || epoch == warmed {
            continue;
        }
        warmed = epoch;
        let begun = clock::now();
        let outcome = warm(shared, &followed).await;
        if outcome.warmed + outcome.failed > 0 {
            tracing::info!(
                warmed = outcome.warmed,
                failed = outcome.failed,
                "answers were asked for again"
            );
            let took = clock::now().saturating_duration_since(begun);
            tokio::time::sleep(took.saturating_mul(REST)).await;
        }
    }
}

/// Asks again what is remembered of all databases, and not kept.
pub(crate) async fn warm_all(shared: &Arc<Shared>) -> Outcome {
    let mut all = Outcome::default();
    for followed in shared.streams.all_followed() {
        all.add(warm(shared, &followed).await);
    }
    Outcome { left_out: shared.warming.list.lock().left_out, ..all }
}

async fn warm(shared: &Arc<Shared>, followed: &Arc<Followed>) -> Outcome {
    let _turn = followed.warming.lock().await;
    shared.warming.begin(&shared.settings()).await;
    remember(shared).await;
    let settings = shared.settings();
    let list = shared.warming.list.lock().list.clone();
    let questions = list.of(|asker| {
        let here = shared.streams.followed(&settings, &asker.database);
        here.is_some_and(|here| Arc::ptr_eq(&here, followed))
            && is_on(shared, &settings, &asker.database)
    });
    rounds::ask(shared, followed, questions).await
}

/// Whether the cache answers in a database, or a rule may say so.
fn is_on(shared: &Shared, settings: &Settings, database: &str) -> bool {
    if let Some(forced) = shared.store.forced().0 {
        return forced == Mode::On;
    }
    let configured = settings.database(database).is_some_and(|it| it.cache.mode == Mode::On);
    configured || settings.cache_rules.turn_on()
}

/// A value, and whose.
type Found = (u64, Key, Arc<Entry>);

impl Store {
    /// What is worth being remembered, `most` of it at least, and how many answers cannot be asked for again.
    fn questions(&self, most: usize) -> (Vec<Question>, usize) {
        let (mut found, mut left_out) = (Vec::<Found>::new(), 0);
        let cut = |found: &mut Vec<Found>| {
            found.sort_unstable_by_key(|(value, ..)| std::cmp::Reverse(*value));
            found.truncate(most);
        };
        for (key, entry) in self.iter() {
            match entry.value() {
                0 => {}
                _ if entry.asker.is_none() => left_out += 1,
                value => found.push((value, key, entry)),
            }
            if found.len() >= most.saturating_mul(4).max(1) {
                cut(&mut found);
            }
        }
        cut(&mut found);
        let question =
            |(value, key, entry): Found| Question::of(entry.asker.as_ref()?, &key, value);
        (found.into_iter().filter_map(question).collect(), left_out)
    }
}

impl Session {
    /// The request at hand is one that is asked so that its answer is kept, and it would not be: it is refused. Nothing else is to reach
    /// PostgreSQL that way, whatever was written down.
    pub(crate) fn may_not_ask(&mut self) -> bool {
        self.caching.warming && self.refuses_unkept()
    }

    #[cold]
    fn refuses_unkept(&mut self) -> bool {
        let refused = !self.caching.keeps();
        if refused {
            self.refuse(&Refusal::new(SqlState::FEATURE_NOT_SUPPORTED, NOT_KEPT));
        }
        refused
    }
}
