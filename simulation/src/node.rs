//! A model PostgreSQL: its connections, what befalls it, and how it is reached. A connection itself is `backend`.
//!
//! Invariant: process ids are unique in a run, over all nodes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backend;
use crate::book::{Book, Token};
use crate::line::Weather;
use crate::log::{Log, Who};
use crate::random::Random;

/// Something that befalls a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// One connection ends without a word.
    Crash,
    /// One connection ends after so many bytes more.
    Cut(usize),
    /// One connection is ended by an administrator.
    Terminate,
    /// All connections end, and new ones are refused for a while.
    CrashAll(Duration),
    /// Nothing moves on one connection.
    Freeze(Duration),
    /// Nothing moves on any.
    FreezeAll(Duration),
    /// New connections are refused.
    Refuse(Duration),
    /// New connections are not answered.
    Hang(Duration),
    /// Logins end with this SQLSTATE.
    Reject(&'static str, Duration),
    /// Bytes come late.
    Slow(Duration),
}

/// What happens to new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Fine,
    Refusing,
    Hanging,
    Rejecting(&'static str),
}

/// How a connection is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Crash,
    Terminate,
}

/// What others know of a connection.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) process_id: u32,
    pub(crate) secret: Vec<u8>,
    pub(crate) database: String,
    /// It works on a request: a cancel request finds something.
    pub(crate) busy: Cell<bool>,
    pub(crate) running: Cell<Option<Token>>,
    pub(crate) cancelled: Cell<bool>,
    pub(crate) end: Cell<Option<End>>,
    pub(crate) cut: Cell<Option<usize>>,
    pub(crate) woken: Notify,
    pub(crate) crashed: Notify,
    pub(crate) weather: Rc<Weather>,
    pub(crate) channels: RefCell<BTreeSet<String>>,
    pub(crate) notices: RefCell<Vec<(String, String)>>,
}

/// What all nodes of a run share.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    pub(crate) log: Log,
    pub(crate) book: Book,
    process_ids: Rc<Cell<u32>>,
}

/// A model PostgreSQL.
#[derive(Debug)]
pub struct Node {
    name: String,
    pub(crate) records: Records,
    random: RefCell<Random>,
    weather: Rc<Weather>,
    usual_delay: Duration,
    handles: RefCell<BTreeMap<u32, Rc<Handle>>>,
    mood: Cell<(Mood, Option<Instant>)>,
}

impl Node {
    /// Nodes of these names, without connections; bytes are late by up to this, one piece in so many.
    #[must_use]
    pub fn several(
        names: &[&str],
        (usual_delay, seldom): (Duration, u64),
        (log, book): (&Log, &Book),
        random: &mut Random,
    ) -> Vec<Rc<Self>> {
        let process_ids = Rc::new(Cell::new(1));
        let records = Records { log: log.clone(), book: book.clone(), process_ids };
        let one = |name: &&str| {
            let node = Self {
                name: (*name).to_owned(),
                records: records.clone(),
                random: RefCell::new(random.fork()),
                weather: Rc::default(),
                usual_delay,
                handles: RefCell::default(),
                mood: Cell::new((Mood::Fine, None)),
            };
            node.weather.delay.set(usual_delay);
            node.weather.seldom.set(seldom);
            Rc::new(node)
        };
        names.iter().map(one).collect()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connections that it has.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.handles.borrow().len()
    }

    pub(crate) fn mood(&self) -> Mood {
        match self.mood.get() {
            (mood, Some(until)) if Instant::now() < until => mood,
            _ => Mood::Fine,
        }
    }

    pub(crate) fn weather(&self) -> &Rc<Weather> {
        &self.weather
    }

    pub(crate) fn random(&self) -> Random {
        self.random.borrow_mut().fork()
    }

    /// Connects to it.
    ///
    /// # Errors
    /// It refuses.
    pub async fn dial(self: Rc<Self>) -> io::Result<DuplexStream> {
        if self.mood() == Mood::Hanging {
            tokio::time::sleep(Duration::from_secs(120)).await;
        }
        if self.mood() == Mood::Refusing {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        // From a few bytes to more than an inbox.
        let room = 24 << self.random.borrow_mut().below(12);
        let (ours, theirs) = tokio::io::duplex(room);
        tokio::task::spawn_local(backend::serve(self, ours));
        Ok(theirs)
    }

    pub(crate) fn admit(&self, database: &str, line: &Rc<Weather>) -> Rc<Handle> {
        let process_id = self.records.process_ids.get();
        self.records.process_ids.set(process_id + 1);
        let handle = Rc::new(Handle {
            process_id,
            secret: process_id.wrapping_mul(2_654_435_761).to_be_bytes().to_vec(),
            database: database.to_owned(),
            busy: Cell::new(false),
            running: Cell::new(None),
            cancelled: Cell::new(false),
            end: Cell::new(None),
            cut: Cell::new(None),
            woken: Notify::new(),
            crashed: Notify::new(),
            weather: Rc::clone(line),
            channels: RefCell::default(),
            notices: RefCell::default(),
        });
        self.handles.borrow_mut().insert(process_id, Rc::clone(&handle));
        handle
    }

    pub(crate) fn dismiss(&self, process_id: u32) {
        self.handles.borrow_mut().remove(&process_id);
    }

    /// A cancel request has come.
    pub(crate) fn cancel(&self, process_id: u32, secret: &[u8]) {
        let handle = self.handles.borrow().get(&process_id).cloned();
        let Some(handle) = handle.filter(|handle| handle.secret == secret) else { return };
        let who = Who::Server(process_id);
        if !handle.busy.get() {
            return self.records.log.event(who, format_args!("a cancel request finds it idle"));
        }
        self.records.log.event(who, format_args!("is cancelled in {:?}", handle.running.get()));
        handle.cancelled.set(true);
        handle.woken.notify_one();
    }

    /// A notice was committed in a database.
    pub(crate) fn notify(&self, database: &str, channel: &str, payload: &str) {
        for handle in self.handles.borrow().values() {
            if handle.database == database && handle.channels.borrow().contains(channel) {
                handle.notices.borrow_mut().push((channel.to_owned(), payload.to_owned()));
                handle.woken.notify_one();
            }
        }
    }

    /// Something befalls it.
    pub fn inflict(&self, fault: Fault) {
        self.records.log.event(Who::World, format_args!("{}: {fault:?}", self.name));
        let until = |time| Some(Instant::now() + time);
        match fault {
            Fault::Crash => self.end_one(End::Crash),
            Fault::Terminate => self.end_one(End::Terminate),
            Fault::Cut(bytes) => {
                if let Some(handle) = self.any() {
                    handle.cut.set(Some(bytes));
                }
            }
            Fault::CrashAll(time) => {
                self.mood.set((Mood::Rejecting("57P03"), until(time)));
                for handle in self.handles.borrow().values() {
                    handle.end.set(Some(End::Crash));
                    handle.crashed.notify_one();
                }
            }
            Fault::Freeze(time) => {
                if let Some(handle) = self.any() {
                    handle.weather.freeze(time);
                }
            }
            Fault::FreezeAll(time) => self.weather.freeze(time),
            Fault::Refuse(time) => self.mood.set((Mood::Refusing, until(time))),
            Fault::Hang(time) => self.mood.set((Mood::Hanging, until(time))),
            Fault::Reject(code, time) => self.mood.set((Mood::Rejecting(code), until(time))),
            Fault::Slow(delay) => self.weather.delay.set(delay),
        }
    }

    /// What befell it is over, as far as it lasts.
    pub fn calm(&self) {
        self.weather.delay.set(self.usual_delay);
        self.mood.set((Mood::Fine, None));
    }

    fn any(&self) -> Option<Rc<Handle>> {
        let handles = self.handles.borrow();
        let count = u64::try_from(handles.len()).unwrap();
        let at = self.random.borrow_mut().below(count.max(1));
        handles.values().nth(usize::try_from(at).unwrap()).cloned()
    }

    fn end_one(&self, end: End) {
        if let Some(handle) = self.any() {
            handle.end.set(Some(end));
            handle.woken.notify_one();
            handle.crashed.notify_one();
        }
    }
}
