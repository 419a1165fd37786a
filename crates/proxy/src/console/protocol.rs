//! A console's end of the protocol: simple queries, and the extended protocol for drivers that know no other. What the commands
//! do is in `execute`.
//!
//! Invariant: every request is answered with exactly one ReadyForQuery, and after an error nothing is done up to the Sync.

use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use howdah_core::limits;
use howdah_wire::backend::{self, TransactionStatus};
use howdah_wire::frame;
use howdah_wire::frontend::{self, Kind, Message, tag};
use howdah_wire::sqlstate::SqlState;

use super::command::{self, Command};
use super::rights::Role;
use super::table::{self, Columns, Formats, Row};
use crate::auth::Link;
use crate::entry::{Entry, Signal};
use crate::error::Refusal;
use crate::holds::Scope;
use crate::worker::Worker;

/// Why a command is not carried out, or not to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The administrator is told.
    Refused(Refusal),
    /// The connection ends, with these words if there is somebody to hear them.
    End(Option<Refusal>),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What wakes a console.
enum Wake {
    Bytes,
    Gone,
    Signal(Signal),
}

/// What a command gave.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Rows, for commands that have columns.
    pub(super) rows: Vec<Row>,
    /// Message and detail of a notice.
    pub(super) notice: Option<(&'static str, String)>,
}

/// A portal: a command, and what is left of its rows once it was executed.
#[derive(Debug)]
struct Portal {
    command: Option<Command>,
    formats: Formats,
    rows: Option<std::vec::IntoIter<Row>>,
}

type Name = Box<[u8]>;

/// One administrator's connection.
pub(super) struct Console<'a> {
    pub(super) worker: &'a Rc<Worker>,
    link: &'a mut Link,
    pub(super) entry: &'a Entry,
    role: Role,
    /// `None`: an empty statement.
    statements: HashMap<Name, Option<Command>>,
    portals: HashMap<Name, Portal>,
    /// An error came: nothing is done up to the Sync.
    skipping: bool,
    /// Pauses that end with this connection.
    pub(super) pauses: Vec<Scope>,
}

impl<'a> Console<'a> {
    pub(super) fn new(
        worker: &'a Rc<Worker>,
        link: &'a mut Link,
        entry: &'a Entry,
        role: Role,
    ) -> Self {
        Self {
            worker,
            link,
            entry,
            role,
            statements: HashMap::new(),
            portals: HashMap::new(),
            skipping: false,
            pauses: Vec::new(),
        }
    }

    /// Answers until the end.
    ///
    /// # Errors
    /// What the administrator is told at the end, unless it was theirs.
    pub(super) async fn serve(mut self) -> Result<(), Refusal> {
        let ended = self.answer().await;
        self.end_pauses().await;
        ended
    }

    async fn answer(&mut self) -> Result<(), Refusal> {
        loop {
            self.link.flush(self.worker).await;
            let parsed = frame::split(self.link.inbox.unread()).map_err(Refusal::protocol)?;
            let Some((found, _)) = parsed else {
                if self.link.inbox.is_full() {
                    return Err(Refusal::protocol("a message is too long for the console"));
                }
                match poll_fn(|cx| self.poll_wake(cx)).await {
                    Wake::Bytes => {}
                    Wake::Gone => return Ok(()),
                    Wake::Signal(signal) => on_signal(signal)?,
                }
                continue;
            };
            let bytes = found.bytes.to_vec();
            self.link.inbox.consume(bytes.len());
            match self.on_frame(&bytes).await {
                Ok(true) => {}
                Ok(false) | Err(Stop::End(None)) => return Ok(()),
                Err(Stop::End(Some(refusal)) | Stop::Refused(refusal)) => return Err(refusal),
            }
        }
    }

    fn poll_wake(&mut self, cx: &mut TaskContext<'_>) -> Poll<Wake> {
        self.entry.register(cx);
        if let Some(signal) = self.entry.take_signal() {
            return Poll::Ready(Wake::Signal(signal));
        }
        let Link { inbox, stream, .. } = &mut *self.link;
        if inbox.is_full() {
            return Poll::Pending;
        }
        Poll::Ready(match ready!(inbox.poll_fill(stream, &self.worker.shelf, cx)) {
            Ok(0) | Err(_) => Wake::Gone,
            Ok(_) => Wake::Bytes,
        })
    }

    /// Waits within a command. What the administrator sends meanwhile is kept; a cancel request, and the end of the
    /// connection, end the command.
    pub(super) async fn wait(&mut self, time: Duration) -> Result<(), Stop> {
        match tokio::time::timeout(time, poll_fn(|cx| self.poll_wake(cx))).await {
            Err(_) | Ok(Wake::Bytes) => Ok(()),
            Ok(Wake::Gone) => Err(Stop::End(None)),
            Ok(Wake::Signal(Signal::Cancel)) => Err(Refusal::canceled().into()),
            Ok(Wake::Signal(signal)) => {
                on_signal(signal).map_err(|refusal| Stop::End(Some(refusal)))
            }
        }
    }

    fn out(&mut self) -> &mut Vec<u8> {
        self.link.outbox.bytes(&self.worker.shelf)
    }

    /// Answers one message; `false`: it was the last.
    async fn on_frame(&mut self, bytes: &[u8]) -> Result<bool, Stop> {
        let parsed = frame::split(bytes).map_err(Refusal::protocol)?;
        let Some((found, _)) = parsed else { return Ok(true) };
        if self.skipping && !matches!(found.tag, tag::SYNC | tag::TERMINATE) {
            return Ok(true);
        }
        let message = frontend::decode(found).map_err(Refusal::protocol)?;
        let simple = matches!(message, Message::Query { .. });
        let done = match message {
            Message::Terminate => return Ok(false),
            Message::Query { sql } => self.on_query(sql).await,
            Message::Parse(parse) => self.on_parse(parse.name, parse.sql),
            Message::Bind(bind) => self.on_bind(&bind),
            Message::Describe { kind, name } => self.on_describe(kind, name),
            Message::Execute { portal, max_rows } => self.on_execute(portal, max_rows).await,
            Message::Close { kind, name } => {
                match kind {
                    Kind::Statement => drop(self.statements.remove(name)),
                    Kind::Portal => drop(self.portals.remove(name)),
                }
                backend::close_complete(self.out());
                Ok(())
            }
            Message::Sync => {
                self.skipping = false;
                self.portals.clear();
                backend::ready_for_query(self.out(), TransactionStatus::Idle);
                Ok(())
            }
            Message::Flush => Ok(()),
            Message::CopyData(_)
            | Message::CopyDone
            | Message::CopyFail { .. }
            | Message::FunctionCall(_)
            | Message::Password(_) => {
                return Err(Refusal::protocol("the console has no use for this message").into());
            }
        };
        match done {
            Ok(()) => {}
            Err(Stop::Refused(refusal)) => {
                refusal.write_error(self.out());
                self.skipping = !simple;
            }
            Err(end @ Stop::End(_)) => return Err(end),
        }
        if simple {
            backend::ready_for_query(self.out(), TransactionStatus::Idle);
        }
        Ok(true)
    }

    fn parse(&self, sql: &[u8]) -> Result<Vec<Command>, Refusal> {
        let settings = self.worker.settings();
        let is_key = |key: &str| settings.shown.iter().any(|shown| shown.name == key);
        command::parse(&String::from_utf8_lossy(sql), is_key)
    }

    async fn on_query(&mut self, sql: &[u8]) -> Result<(), Stop> {
        let commands = self.parse(sql)?;
        if commands.is_empty() {
            backend::empty_query(self.out());
        }
        for command in commands {
            let outcome = self.obey(&command).await?;
            let (columns, formats) = (command.columns(), Formats::default());
            let out = self.out();
            if let Some(columns) = &columns {
                table::describe(out, columns, &formats);
                outcome.rows.iter().for_each(|row| table::write(out, columns, &formats, row));
            }
            backend::command_complete(out, command.tag());
        }
        Ok(())
    }

    /// Carries a command out, if this administrator may give it; says what there is to say beside its result.
    async fn obey(&mut self, command: &Command) -> Result<Outcome, Stop> {
        if self.role < command.needs() {
            let text = format!("admin access needed for {}", command.tag());
            let refusal = Refusal::new(SqlState::INSUFFICIENT_PRIVILEGE, text);
            return Err(refusal.hint("Users of admin.users may do this.").into());
        }
        let outcome = self.execute(command).await?;
        if let Some((message, detail)) = &outcome.notice {
            let code = SqlState::SUCCESSFUL_COMPLETION;
            backend::notice(self.out(), "NOTICE", code, message, Some(detail), None);
        }
        Ok(outcome)
    }

    fn on_parse(&mut self, name: &[u8], sql: &[u8]) -> Result<(), Stop> {
        let mut commands = self.parse(sql)?;
        let command = commands.pop();
        if !commands.is_empty() {
            let text = "cannot insert multiple commands into a prepared statement";
            return Err(Refusal::new(SqlState::SYNTAX_ERROR, text).into());
        }
        let known = self.statements.contains_key(name);
        if known && !name.is_empty() {
            let name = String::from_utf8_lossy(name);
            let text = format!("prepared statement \"{name}\" already exists");
            return Err(Refusal::new(SqlState::DUPLICATE_STATEMENT, text).into());
        }
        if !known && self.statements.len() >= limits::CONSOLE_STATEMENTS {
            return Err(too_many().into());
        }
        self.statements.insert(name.into(), command);
        backend::parse_complete(self.out());
        Ok(())
    }

    fn on_bind(&mut self, bind: &frontend::Bind<'_>) -> Result<(), Stop> {
        let command = self.statement(bind.statement)?.clone();
        if !bind.parameters.is_empty() {
            let text = "commands of the console have no parameters";
            return Err(Refusal::new(SqlState::PROTOCOL_VIOLATION, text).into());
        }
        if self.portals.len() >= limits::CONSOLE_STATEMENTS {
            return Err(too_many().into());
        }
        let formats = Formats(bind.result_formats.iter().collect());
        self.portals.insert(bind.portal.into(), Portal { command, formats, rows: None });
        backend::bind_complete(self.out());
        Ok(())
    }

    fn statement(&self, name: &[u8]) -> Result<&Option<Command>, Refusal> {
        self.statements.get(name).ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            let text = format!("prepared statement \"{name}\" does not exist");
            Refusal::new(SqlState::INVALID_STATEMENT_NAME, text)
        })
    }

    fn on_describe(&mut self, kind: Kind, name: &[u8]) -> Result<(), Stop> {
        let (columns, formats) = match kind {
            Kind::Statement => {
                let columns = self.statement(name)?.as_ref().and_then(Command::columns);
                backend::no_parameters(self.out());
                (columns, Formats::default())
            }
            Kind::Portal => {
                let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
                (portal.command.as_ref().and_then(Command::columns), portal.formats.clone())
            }
        };
        match &columns {
            Some(columns) => table::describe(self.out(), columns, &formats),
            None => backend::no_data(self.out()),
        }
        Ok(())
    }

    async fn on_execute(&mut self, name: &[u8], max_rows: i32) -> Result<(), Stop> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_portal(name))?;
        let Some(command) = portal.command.clone() else {
            backend::empty_query(self.out());
            return Ok(());
        };
        let mut rows = match portal.rows.take() {
            Some(rows) => rows,
            None => self.obey(&command).await?.rows.into_iter(),
        };
        let most = usize::try_from(max_rows).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
        let out = self.out();
        if let Some(columns) = &command.columns() {
            for row in rows.by_ref().take(most) {
                table::write(out, columns, &portal.formats, &row);
            }
        }
        if rows.len() > 0 {
            backend::portal_suspended(out);
        } else {
            backend::command_complete(out, command.tag());
        }
        portal.rows = Some(rows);
        self.portals.insert(name.into(), portal);
        Ok(())
    }
}

impl Command {
    /// The columns of its result, if it has one.
    fn columns(&self) -> Option<Columns> {
        match self {
            Self::Show(topic) => topic.columns(),
            Self::Parameter(at) => super::parameters::columns(*at),
            Self::Route { .. } => Some(super::show::route::COLUMNS),
            Self::CacheExplain { .. } => Some(super::show::cache::EXPLAINED),
            Self::CacheWarm => Some(super::show::cache::WARMED),
            Self::Ignored(_)
            | Self::Change(_)
            | Self::Cache(_)
            | Self::CacheFlush(_)
            | Self::Disable(_)
            | Self::Drain(_)
            | Self::Enable(_)
            | Self::Kill(_)
            | Self::KillClient(_)
            | Self::Mark(_)
            | Self::Pause(_)
            | Self::PauseWhileConnected(_)
            | Self::Reconnect(_)
            | Self::Reload
            | Self::Resume(_)
            | Self::Shutdown(_)
            | Self::Silence { .. }
            | Self::Suspend
            | Self::Undrain(_)
            | Self::Unsilence(_)
            | Self::WaitClose(_) => None,
        }
    }
}

/// What a signal is to a console that does nothing.
fn on_signal(signal: Signal) -> Result<(), Refusal> {
    match signal {
        // A console stays open while clients leave: it shows how far that is.
        Signal::Cancel | Signal::Drain | Signal::Move | Signal::Deadline(_) => Ok(()),
        Signal::Kill => Err(Refusal::killed()),
        Signal::Terminate => Err(Refusal::shutting_down()),
    }
}

fn too_many() -> Refusal {
    Refusal::new(SqlState::CONFIGURATION_LIMIT, "too many prepared statements on the console")
}

fn no_portal(name: &[u8]) -> Refusal {
    let text = format!("portal \"{}\" does not exist", String::from_utf8_lossy(name));
    Refusal::new(SqlState::INVALID_CURSOR_NAME, text)
}
