//! The task that asks one node, again and again: at an interval, at once when somebody wants to know, and anew when the connection
//! ends. Not what the answers mean.
//!
//! Invariant: at most one question is on its way to a node, so its answers come in the order of the questions.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_core::topology::{Failure, Observation, Role};

use super::login::ProbeLogin;
use super::question::{AskError, Connection, Visible};
use super::watched::Watched;
use crate::clock;
use crate::keys::Keys;
use crate::node::NodeState;
use crate::worker::Worker;

/// An answer may take this long, or `health.timeout` if that is shorter; logging in twice as long.
const ANSWER: Duration = Duration::from_secs(1);
/// Questions are at least this far apart, whoever wants them.
const GAP: Duration = Duration::from_millis(1);
/// Attempts to connect are at least this far apart, whoever wants them;
const CONNECT_GAP: Duration = Duration::from_millis(20);
/// the pause doubles with each that fails, up to this,
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// or this, if it is the login that fails: each writes a line into the log of PostgreSQL.
const LONGEST_BARRED: Duration = Duration::from_secs(10);
/// How often a primary is asked who follows it.
const FOLLOWERS: Duration = Duration::from_secs(10);

/// Asks one node.
#[derive(Debug)]
pub(super) struct Prober {
    worker: Rc<Worker>,
    cluster: Arc<Watched>,
    node: Arc<NodeState>,
    login: ProbeLogin,
    keys: Keys,
    connection: Option<Connection>,
    /// In a row.
    failures: u32,
    last: Option<Failure>,
    followers: Option<Instant>,
}

impl Prober {
    pub(super) fn new(
        worker: &Rc<Worker>,
        cluster: &Arc<Watched>,
        node: &Arc<NodeState>,
        login: &ProbeLogin,
    ) -> Self {
        Self {
            worker: Rc::clone(worker),
            cluster: Arc::clone(cluster),
            node: Arc::clone(node),
            keys: Keys::new(&login.target.credentials),
            login: login.clone(),
            connection: None,
            failures: 0,
            last: None,
            followers: None,
        }
    }

    /// Asks until the task is ended.
    pub(super) async fn run(mut self) {
        loop {
            let begun = clock::now();
            let answer = self.ask().await;
            self.on_answer(answer);
            self.rest(begun).await;
        }
    }

    async fn ask(&mut self) -> Result<(Observation, Visible), AskError> {
        let (shelf, limit) = (&self.worker.shelf, ANSWER.min(self.login.timeout));
        // Taken out: a question that is not answered leaves no connection behind.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let target = &self.login.target;
                let login = target.login("", &self.keys);
                let opening = Connection::open(&login, shelf);
                let opened = tokio::time::timeout(limit.saturating_mul(2), opening).await;
                opened.unwrap_or(Err(AskError::Late))?
            }
        };
        let also = self.cluster.also(&self.node);
        let asking = async {
            let (observation, visible) = connection.ask(shelf, also).await?;
            let due = self.followers.is_none_or(|at| clock::now() >= at + FOLLOWERS);
            let followers = match observation.role {
                Role::Primary if due => match connection.followers(shelf).await {
                    // That it does not tell who follows it says nothing about the node.
                    Err(AskError::Refused { .. }) => Some(Vec::new()),
                    followers => Some(followers?),
                },
                Role::Primary | Role::Replica | Role::Unknown => None,
            };
            Ok((observation, visible, followers))
        };
        let answer = tokio::time::timeout(limit, asking).await.unwrap_or(Err(AskError::Late));
        let (observation, visible, followers) = answer?;
        self.connection = Some(connection);
        if let Some(followers) = followers {
            self.followers = Some(clock::now());
            if self.cluster.on_followers(&followers) {
                self.worker.shared.clusters.refresh();
            }
        }
        Ok((observation, visible))
    }

    fn on_answer(&mut self, answer: Result<(Observation, Visible), AskError>) {
        let answer = match answer {
            Ok(answer) => {
                (self.failures, self.last) = (0, None);
                Ok(answer)
            }
            Err(error) => {
                let failure = error.failure();
                if self.last != Some(failure) && failure == Failure::Barred {
                    tracing::error!(
                        node = self.node.name(),
                        "cannot ask the node for its role: {error}"
                    );
                } else if self.last != Some(failure) {
                    tracing::debug!(node = self.node.name(), "no answer from the node: {error}");
                }
                self.failures = self.failures.saturating_add(1);
                self.last = Some(failure);
                Err(failure)
            }
        };
        if self.cluster.observe(&self.node, clock::now(), answer) {
            self.worker.shared.clusters.refresh();
        }
    }

    /// Waits until it is time for the next question. A connection that ends meanwhile is news.
    async fn rest(&mut self, begun: Instant) {
        let interval = self.login.probe.interval;
        let longest =
            if self.last == Some(Failure::Barred) { LONGEST_BARRED } else { LONGEST_PAUSE };
        let doubled = interval.saturating_mul(1 << self.failures.saturating_sub(1).min(8));
        let pause = doubled.clamp(interval, longest.max(interval));
        let gap = if self.connection.is_some() { GAP } else { CONNECT_GAP };
        let soonest = tokio::time::sleep_until((begun + gap).into());
        let woken = async {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until((begun + pause).into()) => {}
                () = self.node.published.wanted.notified() => {}
            }
        };
        let Some(connection) = &mut self.connection else {
            woken.await;
            return soonest.await;
        };
        let ended = tokio::select! {
            biased;
            error = connection.ended(&self.worker.shelf) => Some(error),
            () = woken => None,
        };
        if let Some(error) = ended {
            self.connection = None;
            self.on_answer(Err(error));
        }
        soonest.await;
    }
}
