//! Where the requests of a session go: what is read off the request, what the session wants and has seen, and the pool that follows
//! from it. The decision itself is `howdah_core::route`'s.
//!
//! Invariant: between requests a session is at home, in its pool on the primary; a request leaves home only when it is complete and
//! outside a transaction, and the session comes back with its answer.

mod clusters;
mod nodes;
mod request;
mod settle;
mod verdicts;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_core::route::class::{Safety, UnsafeReason};
use howdah_core::route::{Consistency, Policy, Position, Reason, Route, Wish};
use howdah_core::session::Context;
use howdah_core::topology::{Hint, Lsn, NodeId};
use howdah_wire::sqlstate::SqlState;

pub(crate) use nodes::Nodes;
pub(crate) use verdicts::Verdicts;

use crate::clock;
use crate::error::{Refusal, seconds};
use crate::pool::Pool;
use crate::rows;
use crate::server::Server;
use crate::session::{End, Session};
use crate::worker::Worker;

/// How often a request is routed to a replica whose connections are newer than what is known of it.
const RENEWALS: u32 = 3;
/// A session that has asked the primary for so long because no replica has what it has seen waits for one,
const RESTLESS: Duration = Duration::from_millis(5);
/// for so long at most;
const SETTLE: Duration = Duration::from_millis(50);
/// if that was in vain, not again for so long.
const PEACE: Duration = Duration::from_secs(1);

/// What one session needs for it. Empty while its database has one node.
#[derive(Debug, Default)]
pub(crate) struct Routing {
    nodes: Option<Rc<Nodes>>,
    /// The replica that the request at hand is with.
    away: Option<NodeId>,
    /// The one that it was routed to last.
    tried: Option<NodeId>,
    /// The connection to it that answers has to have been open at this moment: what was found out about it then may not be true of
    /// one that has crashed since.
    open_at: Option<Instant>,
    state: Option<Box<State>>,
}

/// What is kept once there was something to choose from.
#[derive(Debug)]
struct State {
    /// What the database says, and the settings of the session; and which those were.
    wish: Wish,
    wished: (Arc<Context>, u64),
    position: Position,
    /// Since when no replica has had what the session has seen; in the future after a wait in vain.
    restless: Option<Instant>,
    /// Replicas that could not serve the request at hand.
    avoided: Vec<NodeId>,
    /// A replica that is to be asked anew, at this moment or later, before the request at hand is routed again; and how often that
    /// was so.
    renew: Option<(NodeId, Instant)>,
    renewed: u32,
    /// Its pools on replicas, by number of the node; of this list of nodes.
    pools: Vec<Option<Rc<Pool>>>,
    revision: u64,
    /// By the catalog of the primary, as which `home` had this generation.
    verdicts: Rc<Verdicts>,
    judged_at: u64,
    /// When the request at hand was routed.
    since: Option<Instant>,
}

impl Routing {
    pub(crate) fn new(worker: &Worker, home: &Pool) -> Self {
        Self {
            nodes: worker.nodes(&home.key.database),
            away: None,
            tried: None,
            open_at: None,
            state: None,
        }
    }

    /// Whether there is something to choose from.
    pub(crate) fn is_open(&self) -> bool {
        self.nodes.as_ref().is_some_and(|nodes| nodes.has_choice())
    }

    /// The replica that the request at hand is with.
    pub(crate) const fn away(&self) -> Option<NodeId> {
        self.away
    }

    /// Whether the request at hand is answered by a replica.
    pub(crate) const fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// The request is answered: replicas that could not serve it may serve the next one.
    pub(crate) fn forgive(&mut self) {
        if let Some(state) = &mut self.state {
            state.avoided.clear();
            state.renewed = 0;
        }
    }

    /// When the connection that answers has to have been open, for the promise to be kept.
    pub(crate) const fn open_at(&self) -> Option<Instant> {
        self.open_at
    }

    /// The session ends.
    pub(crate) fn close(self) {
        if let (Some(node), Some(nodes)) = (self.away, &self.nodes) {
            nodes.on_back(node, None, clock::now());
        }
        if let Some(state) = self.state {
            state.pools.into_iter().flatten().for_each(|pool| leave(&pool));
        }
    }
}

fn leave(pool: &Pool) {
    pool.clients.set(pool.clients.get().saturating_sub(1));
}

impl Session {
    /// Finds the pool for the request in the inbox, which was complete at `since`. Cancel safe.
    ///
    /// # Errors
    /// The outer one ends the session; the inner one is the answer to the request.
    pub(crate) async fn route(&mut self, since: Instant) -> Result<Result<(), Refusal>, End> {
        self.come_home(None);
        (self.routing.tried, self.routing.open_at) = (None, None);
        let Some(nodes) = self.routing.nodes.clone() else { return Ok(Ok(())) };
        let wish = self.wish(&nodes);
        let (wish, safety) = self.read_request(wish);
        self.state(&nodes).since = Some(since);
        if safety == Safety::Replica
            && let Err(refusal) = self.find_replica(&nodes, &wish, since).await?
        {
            return Ok(Err(refusal));
        }
        if safety != Safety::Replica {
            nodes.count(Reason::Write);
        }
        if self.routing.is_away() || wish.consistency != Consistency::Session {
            return Ok(Ok(()));
        }
        if let Safety::Primary(reason) = safety
            && shows_nothing(reason)
        {
            self.prepare_to_read_at_home(&nodes);
            return Ok(Ok(()));
        }
        self.settle(&nodes, since).await
    }

    /// Finds the replica for a read, if there is one that may answer it. Cancel safe.
    async fn find_replica(
        &mut self,
        nodes: &Rc<Nodes>,
        wish: &Wish,
        since: Instant,
    ) -> Result<Result<(), Refusal>, End> {
        if self.caching.keeps() && wish.policy != Policy::Replica {
            nodes.count(Reason::Kept);
            return Ok(Ok(()));
        }
        let mut may_wait = true;
        loop {
            let (now, chance) = (clock::now(), self.worker.draw());
            let state = self.state(nodes);
            if let Some((node, moment)) = state.renew {
                if !nodes.is_asked_since(node, moment)
                    && now.saturating_duration_since(moment) < SETTLE
                {
                    nodes.want_samples();
                    if let Some(refusal) = self.look_later().await? {
                        return Ok(Err(refusal));
                    }
                    continue;
                }
                state.renew = None;
            }
            state.place(nodes, now);
            let facts = (now, chance, may_wait);
            let route = nodes.choose(wish, &state.position, &state.avoided, facts);
            match route {
                Route::Replica(node, open_at) => {
                    state.restless = None;
                    nodes.count(Reason::Fresh);
                    self.routing.open_at = open_at;
                    self.go_to(nodes, node);
                    return Ok(Ok(()));
                }
                Route::Primary(Reason::Behind) if may_wait && state.is_restless(now) => {
                    nodes.want_samples();
                    may_wait = now.saturating_duration_since(since) < SETTLE;
                    if !may_wait {
                        state.restless = Some(now + PEACE);
                    }
                }
                Route::Primary(reason) => {
                    nodes.count(reason);
                    return Ok(Ok(()));
                }
                Route::Wait(time, reason) => {
                    if reason == Reason::Behind {
                        nodes.want_samples();
                    }
                    may_wait = now.saturating_duration_since(since) < time;
                }
                Route::Refused(reason) => {
                    nodes.count(reason);
                    return Ok(Err(no_replica(reason, wish)));
                }
            }
            if let Some(refusal) = self.look_later().await? {
                return Ok(Err(refusal));
            }
        }
    }

    /// What the session wants, before a look at the request.
    fn wish(&mut self, nodes: &Rc<Nodes>) -> Wish {
        let revision = self.worker.settings_revision();
        self.state(nodes);
        if let Some(state) = &self.routing.state
            && Arc::ptr_eq(&state.wished.0, self.settings.context())
            && state.wished.1 == revision
        {
            return state.wish;
        }
        let context = Arc::clone(self.settings.context());
        let base = self.worker.wish(&self.home.key.database);
        let said = context.iter().filter_map(|(name, replay)| {
            Some((name.strip_prefix("howdah.")?, rows::last_literal(replay)))
        });
        let wish = said.fold(base, |wish, (name, value)| wish.with(name, &value));
        let state = self.state(nodes);
        state.wish = wish;
        state.wished = (context, revision);
        wish
    }

    fn state(&mut self, nodes: &Rc<Nodes>) -> &mut State {
        let state = self.routing.state.get_or_insert_with(|| {
            Box::new(State {
                wish: Wish::default(),
                // No revision is that large: the wish is read first.
                wished: (Arc::default(), u64::MAX),
                position: Position::default(),
                restless: None,
                avoided: Vec::new(),
                renew: None,
                renewed: 0,
                pools: Vec::new(),
                revision: nodes.revision(),
                verdicts: self.worker.verdicts(&self.home),
                judged_at: self.home.generation(),
                since: None,
            })
        });
        if state.judged_at != self.home.generation() {
            // Another node is the primary now: definitions change there.
            state.verdicts = self.worker.verdicts(&self.home);
            state.judged_at = self.home.generation();
        }
        if state.revision != nodes.revision() {
            // The numbers mean other nodes now.
            state.pools.drain(..).flatten().for_each(|pool| leave(&pool));
            state.revision = nodes.revision();
            state.avoided.clear();
            state.position = Position::default();
            let primary = nodes.primary();
            state.position.on_answer(primary, primary, clock::now());
        }
        state
    }

    /// The request goes to a replica.
    fn go_to(&mut self, nodes: &Rc<Nodes>, node: NodeId) {
        let (worker, home) = (Rc::clone(&self.worker), Rc::clone(&self.home));
        let state = self.state(nodes);
        if state.pools.len() <= node.0 {
            state.pools.resize(node.0 + 1, None);
        }
        let Some(place) = state.pools.get_mut(node.0) else { return };
        if place.is_none() {
            let name = nodes.name(node);
            let made = name.and_then(|name| worker.pool(home.key.on(&name)));
            let Some(made) = made else { return };
            made.clients.set(made.clients.get() + 1);
            *place = Some(made);
        }
        if let Some(pool) = place.clone() {
            self.entry.set_pool(&pool);
            self.pool = pool;
            (self.routing.away, self.routing.tried) = (Some(node), Some(node));
            self.caching.on_away();
            nodes.on_sent(node);
        }
    }

    /// The request is not with a replica any more; if it was, that took so long to answer it.
    fn come_home(&mut self, latency: Option<Duration>) {
        let Some(node) = self.routing.away.take() else { return };
        if let Some(nodes) = &self.routing.nodes {
            nodes.on_back(node, latency, clock::now());
        }
        self.pool = Rc::clone(&self.home);
        self.entry.set_pool(&self.home);
    }

    /// The pool has answered all that it was asked: the session has seen what its node had at this moment, at most.
    pub(crate) fn on_answered_by_pool(&mut self) {
        let Some(nodes) = self.routing.nodes.clone().filter(|nodes| nodes.has_choice()) else {
            return self.come_home(None);
        };
        let (away, primary, now) = (self.routing.away, nodes.primary(), clock::now());
        let state = self.state(&nodes);
        state.position.on_answer(away.unwrap_or(primary), primary, now);
        let since = state.since.take();
        let by_session = state.wish.consistency == Consistency::Session;
        if away.is_none() && by_session && state.wish.is_open() {
            // So that its position is known when it reads again.
            nodes.want_samples();
        }
        self.come_home(since.map(|since| now.saturating_duration_since(since)));
    }

    /// The cache has answered with what the primary had shown up to here; `None`: it may show that only now.
    pub(crate) fn on_answered_from_cache(&mut self, up_to: Option<Lsn>) {
        let Some(nodes) = self.routing.nodes.clone().filter(|nodes| nodes.has_choice()) else {
            return;
        };
        let (primary, now) = (nodes.primary(), clock::now());
        let state = self.state(&nodes);
        state.position.follow(primary, now);
        match up_to {
            Some(up_to) => state.position.saw(up_to),
            None => {
                state.position.on_answer(primary, primary, now);
                nodes.want_samples();
            }
        }
    }

    /// Whether the server was opened after the replica was asked what it has.
    pub(crate) fn is_too_new(&self, server: &Server) -> bool {
        self.routing.open_at.is_some_and(|moment| server.cancel.facts.opened > moment)
    }

    /// The replica has to be asked again before the request is routed anew: its connections are newer than what is known of it.
    pub(crate) fn ask_this_replica_anew(&mut self) {
        let (tried, now) = (self.routing.tried, clock::now());
        if let (Some(node), Some(state)) = (tried, &mut self.routing.state) {
            state.renewed += 1;
            state.renew = Some((node, now));
            if state.renewed > RENEWALS {
                state.avoided.push(node);
            }
        }
        self.come_home(None);
    }

    /// The replica that the request was routed to could not serve it: whether to route it anew.
    pub(crate) fn avoid_this_replica(&mut self, refusal: &Refusal) -> bool {
        let unreachable = [
            SqlState::CONNECTION_FAILURE,
            SqlState::CONNECTION_REJECTED,
            SqlState::CANNOT_CONNECT_NOW,
        ];
        let Some(node) = self.routing.tried else { return false };
        if !unreachable.contains(&refusal.code) {
            return false;
        }
        self.avoid(node);
        true
    }

    /// PostgreSQL has said something that bears on what the session's node is: it is asked at once.
    pub(crate) fn on_telling(&self, code: SqlState) {
        let hint = match code {
            SqlState::READ_ONLY_TRANSACTION => Hint::ReadOnly,
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
                Hint::ShuttingDown
            }
            _ => return,
        };
        let Some(nodes) = &self.routing.nodes else { return };
        let node = self.routing.away.unwrap_or_else(|| nodes.primary());
        if let Some(state) = nodes.state(node) {
            self.worker.shared.clusters.on_hint(&state, hint, clock::now());
        }
    }

    /// The request at hand does not go to this replica any more.
    pub(crate) fn avoid(&mut self, node: NodeId) {
        if let Some(state) = self.routing.nodes.as_ref().and_then(|nodes| nodes.state(node)) {
            self.worker.shared.clusters.on_hint(&state, Hint::ShuttingDown, clock::now());
        }
        if let Some(state) = &mut self.routing.state {
            state.avoided.push(node);
        }
        self.come_home(None);
    }
}

impl State {
    /// Looks whether the position of the last answer is known.
    fn place(&mut self, nodes: &Nodes, now: Instant) {
        self.position.follow(nodes.primary(), now);
        self.position.place(|node, moment| nodes.position_at(node, moment));
    }

    /// Whether no replica has had what the session has seen for so long that it is better to wait for one: every answer of the
    /// primary in between puts off the moment when one has.
    fn is_restless(&mut self, now: Instant) -> bool {
        let since = *self.restless.get_or_insert(now);
        now.saturating_duration_since(since) >= RESTLESS
    }
}

/// Whether a statement that is for the primary because of this tells nothing of what is in the database. What a write returns is of
/// the rows that it has locked, or of its own.
const fn shows_nothing(reason: UnsafeReason) -> bool {
    matches!(reason, UnsafeReason::Write | UnsafeReason::Session | UnsafeReason::Setting)
}

fn no_replica(reason: Reason, wish: &Wish) -> Refusal {
    let bound =
        wish.max_lag.map(|lag| format!(" (max_lag is {})", seconds(lag))).unwrap_or_default();
    Refusal::new(SqlState::CANNOT_CONNECT_NOW, format!("{}{bound}", reason.sentence()))
        .hint("SHOW NODES on Howdah's console tells how far replicas are behind. Or let the primary answer: howdah.lag_policy = 'fallback', howdah.route = 'prefer_replica'.")
}

/// Counts of one worker, by reason.
#[derive(Debug, Default)]
struct Reasons([Cell<u64>; Reason::ALL.len()]);

impl Reasons {
    fn count(&self, reason: Reason) {
        let place = Reason::ALL.iter().position(|known| *known == reason);
        if let Some(count) = place.and_then(|at| self.0.get(at)) {
            count.set(count.get() + 1);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().zip(self.0.iter().map(Cell::get))
    }
}
