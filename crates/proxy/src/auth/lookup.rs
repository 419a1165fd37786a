//! Users that are looked up in the database (`auth_query`): remembered answers, one look-up for all who ask for the same name, and
//! the connections that ask. Not the proof: what is found is compared as if it stood in the configuration.
//!
//! Invariant: nothing a client sends reaches these connections but the user name, and that as a parameter; their settings are ours.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use howdah_core::limits;
use howdah_core::login::{Answers, Bucket};
use howdah_wire::sqlstate::SqlState;

use super::query::{AskError, Asking};
use crate::clock;
use crate::connect::Login;
use crate::error::Refusal;
use crate::keys::Keys;
use crate::settings::{AuthQuery, Node, Secret, Settings};
use crate::worker::Worker;

/// A connection that nobody has used for so long is closed.
const IDLE: Duration = Duration::from_secs(30);

/// How old an answer must be before a failed login asks again.
const RENEW: Duration = Duration::from_secs(1);

/// Look-ups of names not heard of before that find nobody: a second, and at once. Beyond that, names not heard of before wait.
const STRANGERS: (f64, u32) = (20.0, 200);

/// Where a question is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    node: String,
    database: String,
}

/// Whom a question is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    place: Place,
    user: String,
}

/// A connection that asks, and those who wait for it.
#[derive(Debug)]
struct Line {
    asking: tokio::sync::Mutex<Option<Asking>>,
    keys: Keys,
    used: Cell<Instant>,
}

/// Look-ups of one worker.
#[derive(Debug)]
pub(crate) struct Lookups {
    answers: RefCell<Answers<Question, Option<Secret>>>,
    lines: RefCell<HashMap<Place, Rc<Line>>>,
    strangers: RefCell<Bucket>,
    waiting: Cell<usize>,
}

/// Counts who waits.
struct Waiting<'a>(&'a Cell<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// A way to ask for one user of one database.
#[derive(Debug)]
pub(super) struct Lookup<'a> {
    node: &'a Node,
    query: &'a AuthQuery,
    limit: Duration,
    question: Question,
}

impl<'a> Lookup<'a> {
    /// `None`: users of this database are not looked up.
    pub(super) fn new(settings: &'a Settings, database_name: &str, user: &str) -> Option<Self> {
        let database = settings.database(database_name)?;
        let query = database.auth_query.as_ref()?;
        let node = settings.nodes.get(database.primary)?;
        let own = database.server_database.as_deref();
        let asked_in = query.database.as_deref().or(own).unwrap_or(database_name);
        let place = Place { node: node.name.clone(), database: asked_in.to_owned() };
        let question = Question { place, user: user.to_owned() };
        Some(Self { node, query, limit: database.pool.connect_timeout, question })
    }

    /// What is stored of the user's password; `None`: there is no such user, or it may not log in. Cancel safe.
    ///
    /// # Errors
    /// The database cannot be asked, or too many wait for it.
    pub(super) async fn find(&self, worker: &Worker) -> Result<Option<Secret>, Refusal> {
        let now = clock::now();
        self.answer(worker, now.checked_sub(self.query.cache).unwrap_or(now)).await
    }

    /// What is stored now, if that is not what was used for a login that has failed.
    pub(super) async fn renewed(&self, worker: &Worker, used: &Secret) -> Option<Secret> {
        let since = clock::now().checked_sub(RENEW)?;
        let answer = self.answer(worker, since).await.ok().flatten();
        answer.filter(|answer| answer != used)
    }

    /// An answer of `since` or later: remembered, or asked for.
    async fn answer(&self, worker: &Worker, since: Instant) -> Result<Option<Secret>, Refusal> {
        let lookups = &worker.lookups;
        if let Some(known) = lookups.known(&self.question, since) {
            return Ok(known);
        }
        if lookups.waiting.get() >= limits::LOOKUPS_WAITING {
            let words = "too many clients are logging in";
            return Err(Refusal::new(SqlState::TOO_MANY_CONNECTIONS, words)
                .hint("Connect again in a moment."));
        }
        lookups.waiting.set(lookups.waiting.get() + 1);
        let _waiting = Waiting(&lookups.waiting);
        let stranger = lookups.answers.borrow().last(&self.question).is_none_or(Option::is_none);
        if stranger {
            let (rate, burst) = STRANGERS;
            let wait = lookups.strangers.borrow_mut().take(rate, burst, clock::now());
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
        let line = lookups.line(&self.question.place, self.query);
        let mut slot = line.asking.lock().await;
        // Whoever was in front may have asked for the same.
        let known = lookups.known(&self.question, since);
        if let Some(known) = known {
            return Ok(known);
        }
        let asked = clock::now();
        // Taken out: a question that is dropped half-way leaves no connection behind.
        let mut asking = slot.take();
        let answer = tokio::time::timeout(self.limit, self.ask(worker, &line, &mut asking)).await;
        line.used.set(clock::now());
        let found = match answer.unwrap_or(Err(AskError::Late)) {
            Ok(found) => {
                *slot = asking;
                found
            }
            Err(error) => self.failed(&error)?,
        };
        if stranger && found.is_some() {
            lookups.strangers.borrow_mut().give_back();
        }
        lookups.answers.borrow_mut().put(self.question.clone(), found.clone(), asked);
        Ok(found)
    }

    /// A question without an answer. `Ok`: to the client it is as if there were no such user, because who is not known yet is told
    /// nothing about databases.
    fn failed(&self, error: &AskError) -> Result<Option<Secret>, Refusal> {
        let Place { node, database } = &self.question.place;
        tracing::error!(node, database, "cannot look up users: {error}");
        if error.is_final() {
            return Ok(None);
        }
        Err(Refusal::new(SqlState::CONNECTION_FAILURE, "users cannot be looked up now")
            .hint("The reason is in Howdah's log."))
    }

    /// Asks, on the connection there is or on a new one; one that was lost while idle is replaced once.
    async fn ask(
        &self,
        worker: &Worker,
        line: &Line,
        asking: &mut Option<Asking>,
    ) -> Result<Option<Secret>, AskError> {
        let Question { place, user } = &self.question;
        if let Some(old) = asking.as_mut() {
            match old.ask(worker, &self.query.query, user).await {
                Err(error) if error.is_lost() => *asking = None,
                answer => return answer,
            }
        }
        let login = Login {
            address: &self.node.address,
            connector: self.node.tls.as_deref(),
            database: &place.database,
            user: &self.query.user,
            settings: &[
                ("search_path", "pg_catalog"),
                ("client_encoding", "UTF8"),
                ("application_name", "howdah auth_query"),
            ],
            keys: &line.keys,
            only: None,
            question: None,
        };
        let new = asking.insert(Asking::open(worker, &login).await?);
        new.ask(worker, &self.query.query, user).await
    }
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            answers: RefCell::new(Answers::new(limits::LOOKED_UP_USERS)),
            lines: RefCell::default(),
            strangers: RefCell::new(Bucket::full(STRANGERS.1, clock::now())),
            waiting: Cell::new(0),
        }
    }
}

impl Lookups {
    fn known(&self, question: &Question, since: Instant) -> Option<Option<Secret>> {
        self.answers.borrow().get(question, since).cloned()
    }

    fn line(&self, place: &Place, query: &AuthQuery) -> Rc<Line> {
        let mut lines = self.lines.borrow_mut();
        if let Some(line) = lines.get(place) {
            return Rc::clone(line);
        }
        if lines.len() >= limits::LOOKUP_CONNECTIONS {
            // Whoever waits for one has it still.
            let idle = lines.iter().filter(|(_, line)| Rc::strong_count(line) == 1);
            let oldest = idle.min_by_key(|(_, line)| line.used.get());
            if let Some(oldest) = oldest.map(|(place, _)| place.clone()) {
                lines.remove(&oldest);
            }
        }
        let line = Rc::new(Line {
            asking: tokio::sync::Mutex::new(None),
            keys: Keys::new(&query.credentials),
            used: Cell::new(clock::now()),
        });
        lines.insert(place.clone(), Rc::clone(&line));
        line
    }

    /// Closes connections that nobody has used for a while.
    pub(crate) fn tick(&self, now: Instant) {
        self.lines.borrow_mut().retain(|_, line| {
            Rc::strong_count(line) > 1 || now.saturating_duration_since(line.used.get()) < IDLE
        });
    }

    /// Other settings: nothing that was found counts any more.
    pub(crate) fn reload(&self) {
        self.answers.borrow_mut().clear();
        self.lines.borrow_mut().clear();
    }
}
