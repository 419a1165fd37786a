//! The shared connection of one database: it listens to whatever any client of the process listens to, and gives each
//! notification to those who listen to its channel. Opened for the first listener, closed some time after the last.
//!
//! Invariant: a listener is added to a channel between two notifications: after those that PostgreSQL sent before it had
//! executed this listener's own `LISTEN` here, even if the channel was listened to already, and before all later ones.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use howdah_core::session::Epoch;
use howdah_wire::backend::tag;
use howdah_wire::{frame, frontend};
use tokio::sync::{mpsc, oneshot};

use super::HubKey;
use super::listener::{Ear, Ending};
use crate::buffer::{Inbox, Outbox};
use crate::clock;
use crate::connect;
use crate::keys::Keys;
use crate::pool::Target;
use crate::report::NotificationReport;
use crate::stream::Stream;
use crate::worker::Worker;

/// A connection without listeners is closed after this.
const LINGER: Duration = Duration::from_secs(60);
/// Pause after the first failure to connect; doubled with each further one,
const BACK_OFF: Duration = Duration::from_millis(100);
/// up to this.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);
/// Clients hear UTF-8, which nearly all ask for.
const GREETING: &str =
    "SET client_encoding = 'UTF8'; SET application_name = 'howdah (notifications)'";

/// What a session asks for.
#[derive(Debug)]
pub(super) enum Request {
    /// Listen to these channels. Answered when PostgreSQL has confirmed it; dropped when that cannot be had.
    Listen { ear: Ear, channels: Vec<(Box<str>, Epoch)>, done: oneshot::Sender<()> },
    /// The listener of this number does not listen to these channels any more.
    Unlisten { id: u64, channels: Vec<Box<str>> },
}

/// What is told about a shared connection.
#[derive(Debug, Default)]
pub(super) struct Counts {
    channels: AtomicU64,
    listeners: AtomicU64,
    notifications: AtomicU64,
    losses: AtomicU64,
}

impl Counts {
    pub(super) fn report(&self, key: &HubKey) -> NotificationReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        NotificationReport {
            database: key.database.clone(),
            address: key.address.clone(),
            channels: read(&self.channels),
            listeners: read(&self.listeners),
            notifications: read(&self.notifications),
            losses: read(&self.losses),
        }
    }
}

/// One who listens to a channel.
#[derive(Debug)]
struct Subscriber {
    ear: Ear,
    epoch: Epoch,
}

/// `LISTEN`s that were sent in one query and are not confirmed.
#[derive(Debug, Default)]
struct Flight {
    subscribers: Vec<(Box<str>, Subscriber)>,
    done: Vec<oneshot::Sender<()>>,
    failed: bool,
}

/// The task.
#[derive(Debug)]
pub(super) struct Hub {
    worker: Rc<Worker>,
    key: HubKey,
    target: Target,
    timeout: Duration,
    counts: Arc<Counts>,
    keys: Rc<Keys>,
    connection: Option<Connection>,
    channels: BTreeMap<Box<str>, Vec<Subscriber>>,
    /// Queries that are not answered.
    flights: VecDeque<Flight>,
    failures: u32,
    failed_at: Option<Instant>,
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    inbox: Inbox,
    outbox: Outbox,
}

/// What the task wakes up for.
enum Event {
    Request(Request),
    Bytes,
    Lost,
    /// Nobody can ask any more.
    Closed,
}

impl Hub {
    pub(super) fn new(
        worker: Rc<Worker>,
        key: HubKey,
        (target, keys, timeout): (Target, Rc<Keys>, Duration),
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            worker,
            key,
            target,
            timeout,
            counts,
            keys,
            connection: None,
            channels: BTreeMap::new(),
            flights: VecDeque::new(),
            failures: 0,
            failed_at: None,
        }
    }

    /// Serves until nobody has listened for a while.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            let idle = self.channels.is_empty() && self.flights.is_empty();
            let event = std::future::poll_fn(|cx| self.poll_event(&mut requests, cx));
            let event = if idle {
                match tokio::time::timeout(LINGER, event).await {
                    Ok(event) => event,
                    Err(_) if self.worker.shared.hubs.retire(&self.key, &mut requests) => {
                        return self.hang_up();
                    }
                    Err(_) => continue,
                }
            } else {
                event.await
            };
            match event {
                Event::Closed => return self.hang_up(),
                Event::Lost => self.on_lost("it was closed"),
                Event::Bytes => self.on_bytes(),
                Event::Request(first) => {
                    self.connect().await;
                    self.serve(first, &mut requests);
                }
            }
            self.count();
        }
    }

    fn poll_event(
        &mut self,
        requests: &mut mpsc::Receiver<Request>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Event> {
        let shelf = &self.worker.shelf;
        if let Some(Connection { stream, inbox, outbox }) = &mut self.connection {
            if !outbox.is_empty()
                && matches!(outbox.poll_flush(stream, shelf, cx), Poll::Ready(Err(_)))
            {
                return Poll::Ready(Event::Lost);
            }
            match inbox.poll_fill(stream, shelf, cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Event::Lost),
                Poll::Ready(Ok(_)) => return Poll::Ready(Event::Bytes),
                Poll::Pending => {}
            }
        }
        requests.poll_recv(cx).map(|request| request.map_or(Event::Closed, Event::Request))
    }

    /// Connects unless it is connected. After a failure it waits a little longer each time.
    async fn connect(&mut self) {
        if self.connection.is_some() {
            return;
        }
        if let Some(failed_at) = self.failed_at {
            let pause = BACK_OFF.saturating_mul(1 << self.failures.min(8)).min(LONGEST_BACK_OFF);
            tokio::time::sleep_until((failed_at + pause).into()).await;
        }
        let target = self.target.clone();
        let login = target.login("", &self.keys);
        let opening = connect::open(&login, &self.worker.shelf);
        let reason = match tokio::time::timeout(self.timeout, opening).await {
            Ok(Ok(opened)) => {
                let mut connection = Connection {
                    stream: opened.stream,
                    inbox: Inbox::default(),
                    outbox: Outbox::default(),
                };
                frontend::query(connection.outbox.bytes(&self.worker.shelf), GREETING.as_bytes());
                self.connection = Some(connection);
                self.flights.push_back(Flight::default());
                (self.failures, self.failed_at) = (0, None);
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "PostgreSQL did not answer in time".to_owned(),
        };
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(clock::now());
        tracing::error!(database = %self.key.database, "cannot listen for notifications: {reason}");
    }

    /// Sends what is asked for, all that waits at once. Without a connection it is refused.
    fn serve(&mut self, first: Request, requests: &mut mpsc::Receiver<Request>) {
        let (mut sql, mut flight) = (String::new(), Flight::default());
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Listen { .. } if self.connection.is_none() => {}
                Request::Listen { ear, channels, done } => {
                    for (name, epoch) in channels {
                        sql.push_str(&format!("LISTEN {};", quote(&name)));
                        flight.subscribers.push((name, Subscriber { ear: ear.clone(), epoch }));
                    }
                    flight.done.push(done);
                }
                Request::Unlisten { id, channels } => {
                    for name in channels {
                        self.leave(id, &name, &mut flight);
                        if self.is_unheard(&name, &flight) {
                            sql.push_str(&format!("UNLISTEN {};", quote(&name)));
                        }
                    }
                }
            }
            next = requests.try_recv().ok();
        }
        if let Some(connection) = &mut self.connection
            && !sql.is_empty()
        {
            frontend::query(connection.outbox.bytes(&self.worker.shelf), sql.as_bytes());
            self.flights.push_back(flight);
        }
    }

    /// The listener `id` leaves a channel.
    fn leave(&mut self, id: u64, name: &str, sending: &mut Flight) {
        if let Some(subscribers) = self.channels.get_mut(name) {
            subscribers.retain(|subscriber| subscriber.ear.id() != id);
            if subscribers.is_empty() {
                self.channels.remove(name);
            }
        }
        for flight in self.flights.iter_mut().chain([sending]) {
            flight.subscribers.retain(|(of, to)| **of != *name || to.ear.id() != id);
        }
    }

    /// Whether nobody listens, or is about to listen, to a channel.
    fn is_unheard(&self, name: &str, sending: &Flight) -> bool {
        let mut flights = self.flights.iter().chain([sending]);
        !self.channels.contains_key(name)
            && !flights.any(|flight| flight.subscribers.iter().any(|(of, _)| **of == *name))
    }

    fn on_bytes(&mut self) {
        loop {
            let Some(connection) = &mut self.connection else { return };
            let unread = connection.inbox.unread();
            let (tag, bytes) = match frame::split(unread) {
                Ok(Some((frame, _))) => (frame.tag, Arc::<[u8]>::from(frame.bytes)),
                Ok(None) if connection.inbox.is_full() => {
                    return self.on_lost("a message is too long");
                }
                Ok(None) => return connection.inbox.rest(&self.worker.shelf),
                Err(error) => return self.on_lost(&error.to_string()),
            };
            connection.inbox.consume(bytes.len());
            match tag {
                tag::NOTIFICATION => self.on_notification(&bytes),
                tag::READY_FOR_QUERY => self.on_ready(),
                tag::ERROR => match self.flights.front_mut() {
                    Some(flight) => flight.failed = true,
                    None => return self.on_lost("PostgreSQL ended it"),
                },
                _ => {}
            }
        }
    }

    /// The oldest query is answered: its listeners hear all that comes from now on.
    fn on_ready(&mut self) {
        let Some(flight) = self.flights.pop_front() else { return };
        if flight.failed {
            return;
        }
        for (name, subscriber) in flight.subscribers {
            self.channels.entry(name).or_default().push(subscriber);
        }
        for done in flight.done {
            // Who does not wait any more has gone, and will not listen.
            let _ = done.send(());
        }
    }

    fn on_notification(&mut self, bytes: &Arc<[u8]>) {
        let body = bytes.get(frame::HEADER_LEN..).unwrap_or_default();
        let channel = channel_of(body).and_then(|name| std::str::from_utf8(name).ok());
        let Some(subscribers) = channel.and_then(|channel| self.channels.get_mut(channel)) else {
            return;
        };
        self.counts.notifications.fetch_add(1, Ordering::Relaxed);
        subscribers.retain(|subscriber| subscriber.ear.tell(subscriber.epoch, bytes));
    }

    /// Everybody who listens has to know that notifications may have been missed.
    fn on_lost(&mut self, reason: &str) {
        tracing::warn!(database = %self.key.database, "the connection for notifications is lost: {reason}");
        self.connection = None;
        self.counts.losses.fetch_add(1, Ordering::Relaxed);
        for subscribers in std::mem::take(&mut self.channels).into_values() {
            for subscriber in subscribers {
                subscriber.ear.end(Ending::Lost);
            }
        }
        self.flights.clear();
    }

    fn hang_up(mut self) {
        if let Some(connection) = &mut self.connection {
            let _ = connection.stream.say_goodbye();
        }
    }

    fn count(&self) {
        let listeners: usize = self.channels.values().map(Vec::len).sum();
        self.counts.channels.store(self.channels.len() as u64, Ordering::Relaxed);
        self.counts.listeners.store(listeners as u64, Ordering::Relaxed);
    }
}

/// The name of the channel in the body of a `NotificationResponse`.
pub(super) fn channel_of(body: &[u8]) -> Option<&[u8]> {
    body.get(4..)?.split(|byte| *byte == 0).next()
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
