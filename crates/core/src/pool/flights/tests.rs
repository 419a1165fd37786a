//! Flights by example, and ledger, lanes and flights together in virtual time under random interleavings.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::pool::{Checkin, Ledger, PoolConfig};

const QUICK: Fare = Fare { context: 1, cost: Duration::from_micros(20) };

fn waiter(who: u32, since: Instant) -> Waiter<u32> {
    Waiter { who, since, notified: false }
}

/// A flight that begins and boards at once.
fn fly(flights: &mut Flights<u32>) -> Vec<u32> {
    if flights.due().is_none() {
        return Vec::new();
    }
    flights.begin();
    flights.board()
}

#[test]
fn a_flight_takes_the_oldest_and_others_with_its_context() {
    let now = Instant::now();
    let mut flights = Flights::new(1);
    for (who, context) in [(1, 7), (2, 8), (3, 7), (4, 7)] {
        flights.enqueue(Fare { context, ..QUICK }, waiter(who, now));
    }
    assert_eq!(fly(&mut flights), vec![1, 3, 4]);
    assert_eq!(fly(&mut flights), Vec::<u32>::new(), "one flight at a time");
    flights.on_landed();
    assert_eq!(fly(&mut flights), vec![2]);
}

#[test]
fn another_flight_begins_only_for_those_that_do_not_fit_into_the_one_that_boards() {
    let now = Instant::now();
    let mut flights = Flights::new(4);
    for who in 0..8 {
        flights.enqueue(QUICK, waiter(who, now));
    }
    flights.begin();
    assert_eq!((flights.due(), flights.wanting()), (None, 0));
    flights.enqueue(QUICK, waiter(8, now));
    assert_eq!((flights.due(), flights.wanting()), (Some(now), 1));
    assert_eq!(flights.board(), (0..8).collect::<Vec<_>>());
    assert_eq!(fly(&mut flights), vec![8]);
}

#[test]
fn requests_for_more_than_full_flights_are_spread_over_those_that_may_begin() {
    let now = Instant::now();
    let mut flights = Flights::new(2);
    for who in 0..30 {
        flights.enqueue(QUICK, waiter(who, now));
    }
    assert_eq!(fly(&mut flights).len(), 15);
    assert_eq!(fly(&mut flights).len(), 15);
}

#[test]
fn a_flight_without_a_server_after_all_leaves_its_place_to_others() {
    let now = Instant::now();
    let mut flights = Flights::new(1);
    flights.enqueue(QUICK, waiter(1, now));
    flights.begin();
    assert_eq!(flights.due(), None);
    flights.on_not_boarded();
    assert_eq!(fly(&mut flights), vec![1]);
}

#[test]
fn a_flight_is_not_longer_than_its_budget_unless_it_is_one_request() {
    let now = Instant::now();
    let mut flights = Flights::new(1);
    let slow = Fare { cost: Duration::from_millis(5), ..QUICK };
    for (who, fare) in [(1, slow), (2, QUICK), (3, QUICK)] {
        flights.enqueue(fare, waiter(who, now));
    }
    assert_eq!(fly(&mut flights), vec![1]);
}

#[test]
fn a_pool_that_had_no_room_flies_when_it_gets_some() {
    let now = Instant::now();
    let config = PoolConfig { max_size: 0, ..PoolConfig::default() };
    let mut ledger: Ledger<u32, u32> = Ledger::new(config.clone());
    for who in 0..2 {
        ledger.enqueue_shared(who, QUICK, now).expect("room in the queue");
    }
    assert!(!ledger.wants_server(now));
    ledger.set_config(PoolConfig { max_size: 6, ..config });
    assert!(ledger.wants_server(now));
    ledger.on_opening();
    assert_eq!(ledger.on_opened(1, now), Checkin::Fly(1));
    assert_eq!(ledger.board(), vec![0, 1]);
    assert!(ledger.flight_target() > 1, "one flight was enough for a pool without room only");
}

#[test]
fn a_request_that_comes_back_from_a_flight_keeps_its_place() {
    let begin = Instant::now();
    let mut flights = Flights::new(1);
    let later = |millis| begin + Duration::from_millis(millis);
    for (who, since) in [(1, 3), (2, 4), (3, 3), (4, 1), (5, 9)] {
        flights.enqueue(QUICK, waiter(who, later(since)));
    }
    assert_eq!(fly(&mut flights), vec![4, 1, 3, 2, 5]);
}

/// What happens in a pool, at a time of the model's choice.
#[derive(Debug, Clone)]
enum Step {
    /// A request comes, that may share (with this context) or not.
    Request(Option<usize>),
    /// The begun flight with this position boards.
    Board(usize),
    /// The begun flight with this position has no server after all.
    Miss(usize),
    /// The busy server with this position ends what it does.
    Answer(usize),
    /// The busy server with this position dies.
    Die(usize),
    /// A waiting client goes.
    Leave(usize),
    /// Time passes, in milliseconds.
    Wait(u64),
    /// The pool has this size from now on; 0: another process has its servers.
    Resize(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::option::of(0..3usize).prop_map(Step::Request),
        6 => (0..8usize).prop_map(Step::Board),
        1 => (0..8usize).prop_map(Step::Miss),
        6 => (0..8usize).prop_map(Step::Answer),
        1 => (0..8usize).prop_map(Step::Die),
        1 => (0..40usize).prop_map(Step::Leave),
        2 => (1..20u64).prop_map(Step::Wait),
        1 => (0..7u32).prop_map(Step::Resize),
    ]
}

/// A pool of servers that are numbers, and requests that are numbers.
struct Model {
    ledger: Ledger<u32, u32>,
    now: Instant,
    contexts: HashMap<u32, usize>,
    waiting: Vec<u32>,
    /// Server, its requests, and whether it flies.
    busy: Vec<(u32, Vec<u32>, bool)>,
    /// Servers of flights that have begun and not boarded.
    boarding: Vec<u32>,
    ended: HashSet<u32>,
    requests: u32,
    servers: u32,
    /// Servers and flights at most: more than the size only until those of a larger one are gone.
    most: u32,
    most_flying: u32,
}

impl Model {
    fn new(size: u32) -> Self {
        let config = PoolConfig { max_size: size, max_opening: size, ..PoolConfig::default() };
        Self {
            ledger: Ledger::new(config),
            now: Instant::now(),
            contexts: HashMap::new(),
            waiting: Vec::new(),
            busy: Vec::new(),
            boarding: Vec::new(),
            ended: HashSet::new(),
            requests: 0,
            servers: 0,
            most: size,
            most_flying: size,
        }
    }

    fn resize(&mut self, size: u32) {
        let config = PoolConfig { max_size: size, ..self.ledger.config().clone() };
        self.ledger.set_config(config);
    }

    fn end(&mut self, request: u32) {
        assert!(self.ended.insert(request), "request {request} ended twice");
    }

    fn begin(&mut self, server: u32, requests: Vec<u32>, flies: bool) {
        assert!(flies || !requests.is_empty(), "a server for nobody");
        let context = requests.first().and_then(|first| self.contexts.get(first)).copied();
        for request in &requests {
            assert_eq!(self.contexts.get(request).copied(), context, "contexts are mixed");
            assert!(!flies || context.is_some(), "a request flies that may not");
        }
        if flies {
            let of = |request: &&u32| self.contexts.contains_key(request);
            assert_eq!(self.waiting.iter().find(of), requests.first(), "the oldest is left behind");
        }
        self.waiting.retain(|request| !requests.contains(request));
        self.occupy(server);
        self.busy.push((server, requests, flies));
    }

    fn occupy(&self, server: u32) {
        let busy = self.busy.iter().map(|(other, ..)| other).chain(&self.boarding);
        assert!(busy.into_iter().all(|other| *other != server), "a server is busy twice");
    }

    fn begin_flight(&mut self, server: u32) {
        self.occupy(server);
        self.boarding.push(server);
    }

    fn board(&mut self, at: usize) {
        if !self.boarding.is_empty() {
            let server = self.boarding.remove(at % self.boarding.len());
            let requests = self.ledger.board();
            self.begin(server, requests, true);
        }
    }

    fn place(&mut self, placed: Checkin<u32, u32>) {
        match placed {
            Checkin::Hand(request, server) => self.begin(server, vec![request], false),
            Checkin::Fly(server) => self.begin_flight(server),
            Checkin::Idle | Checkin::Close(_) => {}
        }
    }

    fn request(&mut self, context: Option<usize>) {
        let request = self.requests;
        self.requests += 1;
        if let Some(context) = context {
            self.contexts.insert(request, context);
            self.waiting.push(request);
            let fare = Fare { context, ..QUICK };
            self.ledger.enqueue_shared(request, fare, self.now).expect("room in the queue");
        } else if self.ledger.counts().waiting_alone == 0
            && let Some((server, _)) = self.ledger.checkout()
        {
            self.begin(server, vec![request], false);
        } else {
            self.waiting.push(request);
            self.ledger.enqueue(request, self.now).expect("room in the queue");
        }
        self.work();
    }

    /// What the data plane does after every event.
    fn work(&mut self) {
        while self.ledger.may_take_off()
            && let Some((server, _)) = self.ledger.checkout()
        {
            self.ledger.begin_flight();
            self.begin_flight(server);
        }
        while self.ledger.wants_server(self.now) {
            self.ledger.on_opening();
            self.servers += 1;
            let placed = self.ledger.on_opened(self.servers, self.now);
            self.place(placed);
        }
    }

    fn take_busy(&mut self, at: usize) -> Option<u32> {
        if self.busy.is_empty() {
            return None;
        }
        let (server, requests, flies) = self.busy.remove(at % self.busy.len());
        for request in requests {
            self.end(request);
        }
        if flies {
            self.ledger.on_landed();
        }
        Some(server)
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Request(context) => self.request(context),
            Step::Board(at) => self.board(at),
            Step::Miss(at) => {
                if !self.boarding.is_empty() {
                    self.boarding.remove(at % self.boarding.len());
                    self.ledger.on_not_boarded();
                    self.ledger.on_closed();
                }
            }
            Step::Answer(at) => {
                if let Some(server) = self.take_busy(at) {
                    let placed = self.ledger.checkin(server, self.now);
                    self.place(placed);
                }
            }
            Step::Die(at) => {
                if self.take_busy(at).is_some() {
                    self.ledger.on_closed();
                }
            }
            Step::Leave(at) => {
                if let Some(request) = self.waiting.get(at).copied() {
                    assert!(self.ledger.withdraw(|who| *who == request), "a waiter is lost");
                    self.waiting.remove(at);
                    self.end(request);
                }
            }
            Step::Wait(milliseconds) => {
                self.now += Duration::from_millis(milliseconds);
                for request in self.ledger.take_expired_waiters(self.now) {
                    self.waiting.retain(|other| *other != request);
                    self.end(request);
                }
            }
            Step::Resize(size) => self.resize(size),
        }
        self.work();
        self.check();
    }

    fn check(&mut self) {
        let counts = self.ledger.counts();
        assert_eq!(counts.waiting, self.waiting.len());
        assert_eq!(counts.busy as usize, self.busy.len() + self.boarding.len());
        let flying = self.busy.iter().filter(|(.., flies)| *flies).count() + self.boarding.len();
        assert_eq!(counts.flying as usize, flying);
        self.most = self.most.min(self.ledger.open()).max(self.ledger.config().max_size);
        assert!(self.ledger.open() <= self.most);
        self.most_flying = self.most_flying.min(counts.flying).max(self.ledger.flight_target());
        assert!(counts.flying <= self.most_flying);
    }
}

proptest! {
    #[test]
    fn every_request_ends_exactly_once(size in 1..7u32, steps in prop::collection::vec(step(), 1..300)) {
        let mut model = Model::new(size);
        for step in &steps {
            model.step(step);
        }
        // From now on there is room and servers only answer: everybody who still waits must be served.
        model.step(&Step::Resize(size));
        let mut turns = 0;
        while !(model.busy.is_empty() && model.boarding.is_empty()) {
            model.step(&Step::Board(0));
            model.step(&Step::Answer(0));
            turns += 1;
            prop_assert!(turns <= 2 * model.requests + 16, "the wait is not bounded");
        }
        prop_assert!(model.waiting.is_empty(), "left waiting: {:?}", model.waiting);
        prop_assert_eq!(model.ended.len(), model.requests as usize);
    }
}
