//! How a pool opens servers: when its ledger wants one, its caps have a place and its node admits it. How a login goes is in
//! `connect`.
//!
//! Invariant: the ledger is told of the end of every opening that it was told of the beginning.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use howdah_core::reply::ReplyQueue;
use howdah_core::session::Settings as SessionSettings;
use howdah_wire::backend::TransactionStatus;

use super::{Pool, Target, Yield, is_sound};
use crate::buffer::{Inbox, Outbox};
use crate::catalog::Redefined;
use crate::clock;
use crate::connect::{OpenError, Opened};
use crate::entry::Grant;
use crate::prepared::PreparedSet;
use crate::quota::Permit;
use crate::server::{CancelTarget, Facts, Server};
use crate::settings::LocalSocket;
use crate::worker::Worker;

/// How a node is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dial {
    /// By its Unix socket, if that is allowed and possible.
    Shortest,
    /// As the configuration says.
    AsWritten,
}

impl Pool {
    /// Opens servers while the ledger wants them and the caps allow it.
    pub(super) fn open_wanted(self: &Rc<Self>, worker: &Rc<Worker>, now: Instant) {
        while self.ledger.borrow().wants_server(now) {
            if worker.moving.attempt() != 0 && self.ledger.borrow().open() > 0 {
                // The process that takes over opens new ones.
                return;
            }
            if self.yields.get() != Yield::Nothing {
                // Another worker is to get the place that was given up.
                return;
            }
            let Some(place) = self.claim(now) else {
                return self.set_starving(false);
            };
            let permit = place.and_all(&self.quotas.borrow());
            self.set_starving(permit.is_none());
            let Some(permit) = permit else {
                return;
            };
            if !self.node.borrow().admit(now) {
                return;
            }
            self.ledger.borrow_mut().on_opening();
            let (pool, worker) = (Rc::clone(self), Rc::clone(worker));
            tokio::task::spawn_local(async move { pool.open(&worker, permit).await });
        }
    }

    pub(super) fn set_starving(&self, starving: bool) {
        if self.starving.replace(starving) != starving {
            for quota in self.quotas.borrow().iter() {
                quota.set_starving(starving);
            }
        }
    }

    /// Opens one server and puts it where it is needed.
    async fn open(self: Rc<Self>, worker: &Rc<Worker>, permit: Permit) {
        let timeout = self.ledger.borrow().config().connect_timeout;
        let generation = self.generation.get();
        let opened = self.dial(worker, timeout, Dial::Shortest).await;
        self.on_dialled(worker, opened.as_ref().err());
        match opened {
            Ok((opened, target)) => {
                let server = self.server(worker, opened, &target, generation, permit);
                worker.stats.on_server_opened();
                *self.last_error.borrow_mut() = None;
                let placed = self.ledger.borrow_mut().on_opened(server, worker.now());
                self.place(worker, placed);
            }
            Err(error) => {
                drop(permit);
                self.on_open_failed(worker, error);
            }
        }
        self.open_wanted(worker, clock::now());
    }

    /// Logs in to PostgreSQL, within a time. The target says where that was.
    pub(super) async fn dial(
        &self,
        worker: &Worker,
        timeout: Duration,
        way: Dial,
    ) -> Result<(Opened, Target), OpenError> {
        let target = self.target.borrow().clone();
        let node = self.node.borrow().clone();
        let keys = self.keys();
        let login = target.login(&self.key.user, &keys);
        let socket = match way {
            Dial::Shortest => &target.socket,
            Dial::AsWritten => &LocalSocket::Off,
        };
        let opening = self.shortcut.open(login, socket, &node, &worker.shelf);
        match tokio::time::timeout(timeout, opening).await {
            Ok(opened) => {
                opened.map(|(opened, address)| (opened, Target { address, ..target.clone() }))
            }
            Err(_) => Err(OpenError::Timeout { address: target.address.to_string() }),
        }
    }

    fn server(
        &self,
        worker: &Worker,
        opened: Opened,
        target: &Target,
        generation: u64,
        permit: Permit,
    ) -> Box<Server> {
        let now = clock::now();
        let lifetime = self.ledger.borrow().config().lifetime(worker.chance());
        let greeting = opened.greeting;
        let facts = Facts {
            id: worker.new_process_id(),
            local: opened.stream.local(),
            opened: now,
            generation,
            prepared: Cell::new(0),
        };
        let tls = opened.stream.tls();
        let cancel = Rc::new(CancelTarget {
            address: target.address.clone(),
            connector: tls.and_then(|_| target.tls.clone()),
            tls,
            process_id: greeting.process_id,
            secret: greeting.secret,
            pending: Cell::new(0),
            parked: RefCell::new(None),
            facts,
        });
        let mut servers = self.servers.borrow_mut();
        servers.retain(|server| server.strong_count() > 0);
        servers.push(Rc::downgrade(&cancel));
        #[cfg(feature = "simulation")]
        let alive = crate::simulation::Alive::new(worker, &self.key, greeting.process_id);
        Box::new(Server {
            stream: opened.stream,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            queue: ReplyQueue::new(),
            status: TransactionStatus::Idle,
            redefined: Redefined::No,
            body: None,
            settings: SessionSettings::new(worker.no_settings()),
            prepared: PreparedSet::default(),
            unnamed: None,
            tainted: None,
            flushed: 0,
            parameters: greeting.parameters,
            cancel,
            traffic: Rc::clone(&self.traffic),
            expires: now + lifetime,
            generation,
            cut_off: false,
            doomed: None,
            _permit: permit,
            #[cfg(feature = "simulation")]
            _alive: alive,
        })
    }

    fn on_open_failed(self: &Rc<Self>, worker: &Worker, error: OpenError) {
        let mut ledger = self.ledger.borrow_mut();
        if ledger.failures() == 0 {
            tracing::error!(database = %self.key.database, user = %self.key.user, "{error}");
        }
        ledger.on_open_failed(clock::now());
        let alone = ledger.open() == 0 && !ledger.is_paused();
        // Reads that wait for a replica go elsewhere instead.
        let patient = is_sound(&ledger, worker) && self.key.replica.is_none();
        let tell = alone && (error.is_final() || !patient);
        let told = if tell { ledger.take_waiters() } else { Vec::new() };
        drop(ledger);
        for entry in told {
            entry.grant(Grant::Refused(error.refusal()));
        }
        if error.is_final() {
            self.welcomes.borrow_mut().clear();
        }
        *self.last_error.borrow_mut() = Some(error);
        worker.stats.on_open_failed();
    }
}
