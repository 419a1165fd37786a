//! One connection of a model PostgreSQL, from its first packet to its end: the protocol in bytes and in time. What statements do
//! is `machine` and `session`.
//!
//! Invariant: between two ReadyForQuery that say idle it sees statements of one session only; it says so when it does not.

use std::io;
use std::rc::Rc;

use howdah_wire::startup::{self, First};
use tokio::io::DuplexStream;
use tokio::time::sleep;

use crate::line::Line;
use crate::log::Who;
use crate::machine::{Machine, Message, Step};
use crate::node::{End, Handle, Mood, Node};
use crate::reply::Reply;
use crate::session::Done;

/// Bytes that PostgreSQL keeps before it sends them without being asked.
const BUFFER: usize = 8 * 1024;

/// Serves a connection to its end.
pub(crate) async fn serve(node: Rc<Node>, stream: DuplexStream) {
    let mut line = Line::new(stream, node.random(), Rc::clone(node.weather()));
    line.eager = false;
    let Ok(Some((database, user))) = arrive(&node, &mut line).await else { return };
    let handle = node.admit(&database, line.own_weather());
    let who = Who::Server(handle.process_id);
    node.records.log.event(who, format_args!("{}: {user} on {database}", node.name()));
    let process_id = handle.process_id;
    let crash = Rc::clone(&handle);
    let mut backend = Backend {
        node: Rc::clone(&node),
        line,
        handle,
        machine: Machine::new([]),
        out: Vec::new(),
        owner: None,
    };
    let end = tokio::select! {
        biased;
        () = crashed(&crash) => "crashes",
        result = backend.run() => if result.is_ok() { "ends" } else { "is left" },
    };
    node.records.log.event(who, format_args!("{end}"));
    node.dismiss(process_id);
}

async fn crashed(handle: &Handle) {
    while handle.end.get() != Some(End::Crash) {
        handle.crashed.notified().await;
    }
}

/// Up to the startup message: database and user. `None`: it was a cancel request, or the login is refused.
async fn arrive(node: &Rc<Node>, line: &mut Line) -> io::Result<Option<(String, String)>> {
    loop {
        let text =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"")).into_owned();
        let first = startup::first(line.unread()).map_err(io::Error::other)?;
        let (used, found) = match first {
            None => (0, None),
            Some((First::Cancel { process_id, secret }, _)) => {
                node.cancel(process_id, secret);
                return Ok(None);
            }
            Some((First::Startup(message), used)) => {
                (used, Some((text(message.database()), text(message.user()))))
            }
            Some((First::Ssl | First::Gss, used)) => (used, Some((String::new(), String::new()))),
        };
        line.consume(used);
        match found {
            None => {
                if !line.fill().await? {
                    return Ok(None);
                }
            }
            Some((database, _)) if database.is_empty() => line.send(b"N").await?,
            Some(found) => {
                if let Mood::Rejecting(code) = node.mood() {
                    let mut out = Vec::new();
                    Reply::fatal(code, "the model lets nobody in").encode(&mut out);
                    line.send(&out).await?;
                    return Ok(None);
                }
                return Ok(Some(found));
            }
        }
    }
}

struct Backend {
    node: Rc<Node>,
    line: Line,
    handle: Rc<Handle>,
    machine: Machine,
    out: Vec<u8>,
    /// Whose statements it has seen since it was idle.
    owner: Option<(u32, u32)>,
}

impl Backend {
    async fn run(&mut self) -> io::Result<()> {
        self.greet().await?;
        loop {
            let Some(message) = self.next().await? else { return Ok(()) };
            self.handle.busy.set(true);
            if message == Message::Terminate {
                return Ok(());
            }
            let flush = message == Message::Flush;
            for step in self.machine.steps(message) {
                if !self.machine.ignores(&step) {
                    self.step(&step).await?;
                }
            }
            if flush || self.out.len() > BUFFER {
                self.flush().await?;
            }
        }
    }

    async fn greet(&mut self) -> io::Result<()> {
        let mut replies = vec![Reply::LoggedIn];
        for (name, value) in [
            ("server_version", "17.0"),
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"),
        ] {
            replies.push(Reply::Status(name.to_owned(), value.to_owned()));
        }
        replies.append(&mut self.machine.report());
        replies.push(Reply::Key(self.handle.process_id, self.handle.secret.clone()));
        replies.push(Reply::Ready(b'I'));
        for reply in replies {
            reply.encode(&mut self.out);
        }
        self.flush().await
    }

    /// Sends what is due, or as much of it as fate allows.
    async fn flush(&mut self) -> io::Result<()> {
        let out = std::mem::take(&mut self.out);
        if let Some(left) = self.handle.cut.get() {
            if left < out.len() {
                self.line.send(&out[..left]).await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            self.handle.cut.set(Some(left - out.len()));
        }
        self.line.send(&out).await
    }

    /// The next message. `None`: there is none, and will be none.
    async fn next(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some(message) = self.line.frame(Message::decode) {
                if message.is_none() {
                    let log = &self.node.records.log;
                    log.violation(self.who(), format_args!("the model cannot read a message"));
                }
                return Ok(message);
            }
            if self.line.is_garbled() {
                let log = &self.node.records.log;
                log.violation(self.who(), format_args!("what comes is not the protocol"));
                return Ok(None);
            }
            if !self.handle.busy.get() {
                self.deliver().await?;
            }
            if self.handle.end.get() == Some(End::Terminate) {
                self.say_goodbye().await?;
                return Ok(None);
            }
            let woken = Rc::clone(&self.handle);
            tokio::select! {
                biased;
                filled = self.line.fill() => if !filled? { return Ok(None); },
                () = woken.woken.notified() => {}
            }
        }
    }

    /// Notices that wait, while no transaction is open.
    async fn deliver(&mut self) -> io::Result<()> {
        let notices = std::mem::take(&mut *self.handle.notices.borrow_mut());
        for (channel, payload) in notices {
            Reply::Notification(channel, payload).encode(&mut self.out);
        }
        if self.out.is_empty() { Ok(()) } else { self.flush().await }
    }

    async fn say_goodbye(&mut self) -> io::Result<()> {
        self.node.records.log.event(self.who(), format_args!("is terminated"));
        let text = "terminating connection due to administrator command";
        Reply::fatal("57P01", text).encode(&mut self.out);
        self.flush().await
    }

    fn who(&self) -> Who {
        Who::Server(self.handle.process_id)
    }

    async fn step(&mut self, step: &Step) -> io::Result<()> {
        let token = self.machine.token(step);
        if let Some(token) = token {
            let owner = token.owner();
            let before = self.owner.replace(owner);
            if before.is_some_and(|before| before != owner) {
                let log = &self.node.records.log;
                log.violation(
                    self.who(),
                    format_args!("{token} comes in the middle of what {before:?} does"),
                );
            }
            self.node.records.log.event(self.who(), format_args!("runs {token}"));
        }
        self.handle.running.set(token);
        let interrupted = self.work(step).await?;
        self.handle.running.set(None);
        let replies = if interrupted {
            self.machine.interrupt(step, "57014", "canceling statement due to user request")
        } else {
            self.machine.apply(step)
        };
        self.settle();
        for reply in replies {
            match &reply {
                Reply::Ready(status) => {
                    for status in self.machine.report() {
                        status.encode(&mut self.out);
                    }
                    if *status == b'I' {
                        self.owner = None;
                        self.handle.channels.replace(self.machine.session.channels().clone());
                        self.deliver_later();
                    }
                    reply.encode(&mut self.out);
                    self.handle.busy.set(false);
                    self.handle.cancelled.set(false);
                    self.flush().await?;
                }
                Reply::CopyIn => {
                    reply.encode(&mut self.out);
                    self.flush().await?;
                }
                Reply::Error { code, message, .. } if message.starts_with("the model ") => {
                    let log = &self.node.records.log;
                    log.violation(self.who(), format_args!("{code}: {message}"));
                }
                _ => reply.encode(&mut self.out),
            }
        }
        Ok(())
    }

    /// Notices go out before ReadyForQuery.
    fn deliver_later(&mut self) {
        let notices = std::mem::take(&mut *self.handle.notices.borrow_mut());
        for (channel, payload) in notices {
            Reply::Notification(channel, payload).encode(&mut self.out);
        }
    }

    /// The statement runs. `true`: it is cancelled.
    async fn work(&mut self, step: &Step) -> io::Result<bool> {
        let run = self.machine.run_time(step);
        if run.is_zero() || self.machine.session.has_failed() {
            return Ok(false);
        }
        let end = tokio::time::Instant::now() + run;
        loop {
            if self.handle.cancelled.take() {
                return Ok(true);
            }
            if self.handle.end.get() == Some(End::Terminate) {
                self.say_goodbye().await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            tokio::select! {
                biased;
                () = sleep(left) => return Ok(false),
                () = self.handle.woken.notified() => {}
            }
        }
    }

    /// What has become true is written into the book and told to others.
    fn settle(&mut self) {
        let done = std::mem::take(&mut self.machine.session.done);
        let Done { executed, read, committed, undone: _, notices } = done;
        let book = &self.node.records.book;
        for token in executed {
            book.on_executed(self.handle.process_id, token);
        }
        for token in read {
            book.on_read(token);
        }
        for token in committed {
            book.on_committed(token);
        }
        for (channel, payload) in notices {
            self.node.notify(&self.handle.database, &channel, &payload);
        }
    }
}
