//! The protocol above a session: messages become steps, steps become replies. The model server applies the steps that it
//! receives; the model client applies its own and expects the same replies. Not time, and not bytes.
//!
//! Invariant: a step is applied or interrupted as a whole, so that both sides agree about what has happened when they agree
//! about the replies.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use howdah_wire::frame::Frame;
use howdah_wire::frontend::{self, Kind};

use crate::book::Token;
use crate::reply::Reply;
use crate::session::{Outcome, REPORTED, Session, aborted};
use crate::statement::{Source, Statement};

/// One message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Query
    Query(String),
    /// Parse: name, text.
    Parse(String, String),
    /// Bind: portal, statement, parameters.
    Bind(String, String, Vec<String>),
    /// Describe
    Describe(Kind, String),
    /// Execute: portal, rows at most.
    Execute(String, i32),
    /// Close
    Close(Kind, String),
    /// Sync
    Sync,
    /// Flush
    Flush,
    /// Terminate
    Terminate,
    /// `CopyData`
    CopyData(String),
    /// `CopyDone`
    CopyDone,
    /// `CopyFail`
    CopyFail,
}

impl Message {
    /// Appends it as a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Query(sql) => frontend::query(out, sql.as_bytes()),
            Self::Parse(name, sql) => {
                frontend::parse_message(out, name.as_bytes(), sql.as_bytes(), &[0, 0]);
            }
            Self::Bind(portal, statement, parameters) => {
                let parameters: Vec<Option<&[u8]>> =
                    parameters.iter().map(|text| Some(text.as_bytes())).collect();
                frontend::bind_message(out, portal.as_bytes(), statement.as_bytes(), &parameters);
            }
            Self::Describe(kind, name) => frontend::describe(out, *kind, name.as_bytes()),
            Self::Execute(portal, max_rows) => {
                frontend::execute(out, portal.as_bytes(), *max_rows);
            }
            Self::Close(kind, name) => frontend::close(out, *kind, name.as_bytes()),
            Self::Sync => frontend::sync(out),
            Self::Flush => frontend::flush(out),
            Self::Terminate => frontend::terminate(out),
            Self::CopyData(line) => frontend::copy_data(out, line.as_bytes()),
            Self::CopyDone => frontend::copy_done(out),
            Self::CopyFail => frontend::copy_fail(out, b"the client gives up"),
        }
    }

    /// Reads a frame; `None` when it is malformed or the models do not use it.
    pub(crate) fn decode(frame: Frame<'_>) -> Option<Self> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(match frontend::decode(frame).ok()? {
            frontend::Message::Query { sql } => Self::Query(text(sql)),
            frontend::Message::Parse(parse) => Self::Parse(text(parse.name), text(parse.sql)),
            frontend::Message::Bind(bind) => Self::Bind(
                text(bind.portal),
                text(bind.statement),
                bind.parameters.iter().map(|value| value.map(text).unwrap_or_default()).collect(),
            ),
            frontend::Message::Describe { kind, name } => Self::Describe(kind, text(name)),
            frontend::Message::Execute { portal, max_rows } => {
                Self::Execute(text(portal), max_rows)
            }
            frontend::Message::Close { kind, name } => Self::Close(kind, text(name)),
            frontend::Message::Sync => Self::Sync,
            frontend::Message::Flush => Self::Flush,
            frontend::Message::Terminate => Self::Terminate,
            frontend::Message::CopyData(data) => Self::CopyData(text(data)),
            frontend::Message::CopyDone => Self::CopyDone,
            frontend::Message::CopyFail { .. } => Self::CopyFail,
            frontend::Message::FunctionCall(_) | frontend::Message::Password(_) => return None,
        })
    }
}

/// Part of a message that succeeds or fails as a whole.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A statement of a Query.
    Statement(Statement),
    /// A text without statements.
    Empty,
    /// A text that the model does not understand.
    Unknown(String),
    /// The end of a Query.
    End,
    /// A message of its own.
    Message(Message),
}

#[derive(Debug, Clone)]
struct Portal {
    statement: Statement,
    parameters: Vec<String>,
    /// What it still has to return, once it was executed.
    rest: Option<(VecDeque<Reply>, String)>,
}

/// One connection as the server sees it.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    pub(crate) session: Session,
    portals: BTreeMap<String, Portal>,
    /// An error of the extended protocol: everything up to the Sync is ignored.
    skipping: bool,
    /// An error in a Query: the rest of it is ignored.
    failed: bool,
    copying: bool,
    copied: usize,
    /// Settings as they were reported last.
    reported: BTreeMap<&'static str, String>,
}

impl Machine {
    /// A connection that has just logged in with these settings.
    pub(crate) fn new(startup: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { session: Session::new(startup), ..Self::default() }
    }

    /// The settings that a server reports by itself and that have changed since the last time.
    pub(crate) fn report(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        for (name, spelled) in REPORTED {
            let value = self.session.value(name);
            if self.reported.get(name) != Some(&value) {
                self.reported.insert(name, value.clone());
                replies.push(Reply::Status(spelled.to_owned(), value));
            }
        }
        replies
    }

    pub(crate) fn steps(&self, message: Message) -> Vec<Step> {
        let Message::Query(sql) = message else { return vec![Step::Message(message)] };
        let mut steps = match Statement::parse(&sql) {
            Ok(statements) if statements.is_empty() => vec![Step::Empty],
            Ok(statements) => statements.into_iter().map(Step::Statement).collect(),
            Err(words) => vec![Step::Unknown(words)],
        };
        steps.push(Step::End);
        steps
    }

    /// Whether the step has no effect and no reply.
    pub(crate) fn ignores(&self, step: &Step) -> bool {
        match step {
            Step::Statement(_) | Step::Empty | Step::Unknown(_) => self.failed,
            Step::End => false,
            Step::Message(Message::Sync) => self.copying,
            Step::Message(Message::CopyData(_) | Message::CopyDone | Message::CopyFail) => {
                !self.copying
            }
            Step::Message(_) => self.skipping,
        }
    }

    /// How long the step runs.
    pub(crate) fn run_time(&self, step: &Step) -> Duration {
        self.token(step).map_or(Duration::ZERO, |token| token.run_time())
    }

    /// The token of what the step runs.
    pub(crate) fn token(&self, step: &Step) -> Option<Token> {
        let of = |statement: &Statement, parameters: &[String]| match statement {
            Statement::Proof(source, _) | Statement::Write(source) | Statement::Fail(source) => {
                match source {
                    Source::Here(token) => Some(*token),
                    Source::Parameter(number) => {
                        parameters.get(number - 1).and_then(|text| Token::parse(text))
                    }
                }
            }
            Statement::Foreign(token)
            | Statement::CopyOut(token)
            | Statement::Execute(_, Some(token)) => Some(*token),
            _ => None,
        };
        match step {
            Step::Statement(statement) => of(statement, &[]),
            Step::Message(Message::Execute(portal, _)) => self
                .portals
                .get(portal)
                .filter(|portal| portal.rest.is_none())
                .and_then(|portal| of(&portal.statement, &portal.parameters)),
            _ => None,
        }
    }

    /// The step happens.
    pub(crate) fn apply(&mut self, step: &Step) -> Vec<Reply> {
        match step {
            Step::Statement(statement) => self.query(statement),
            Step::Empty => vec![Reply::Empty],
            Step::Unknown(words) => {
                self.interrupt(step, "42601", &format!("the model does not know {words}"))
            }
            Step::End => self.end_query(),
            Step::Message(message) => self.message(message),
        }
    }

    /// The step is an error instead.
    pub(crate) fn interrupt(&mut self, step: &Step, code: &str, message: &str) -> Vec<Reply> {
        self.session.fail();
        if matches!(step, Step::Message(_)) {
            self.skipping = true;
        } else {
            self.failed = true;
        }
        vec![Reply::error(code, message)]
    }

    fn query(&mut self, statement: &Statement) -> Vec<Reply> {
        self.portals.remove("");
        self.session.prepared.remove("");
        match self.session.execute(statement, &[]) {
            Outcome::Rows(rows, tag) => {
                let columns = statement.columns().unwrap_or_else(|| rows[0].len());
                let rows = rows.into_iter().map(Reply::Row);
                let head = std::iter::once(Reply::Columns(columns));
                head.chain(rows).chain([Reply::Complete(tag)]).collect()
            }
            Outcome::Done(tag) => vec![Reply::Complete(tag)],
            Outcome::CopyIn => {
                self.copying = true;
                self.copied = 0;
                vec![Reply::CopyIn]
            }
            Outcome::CopyOut(lines, tag) => {
                let lines = lines.into_iter().map(Reply::CopyData);
                let head = std::iter::once(Reply::CopyOut);
                head.chain(lines).chain([Reply::CopyDone, Reply::Complete(tag)]).collect()
            }
            Outcome::Error(code, message) => {
                self.interrupt(&Step::Statement(statement.clone()), code, &message)
            }
        }
    }

    fn end_query(&mut self) -> Vec<Reply> {
        if self.copying {
            return Vec::new();
        }
        self.failed = false;
        self.ready()
    }

    fn ready(&mut self) -> Vec<Reply> {
        self.session.end_implicitly();
        if self.session.status() != b'T' {
            self.portals.clear();
        }
        vec![Reply::Ready(self.session.status())]
    }

    fn error(&mut self, message: &Message, outcome: Outcome) -> Vec<Reply> {
        let Outcome::Error(code, text) = outcome else { return Vec::new() };
        self.interrupt(&Step::Message(message.clone()), code, &text)
    }

    fn message(&mut self, message: &Message) -> Vec<Reply> {
        match message {
            Message::Parse(name, sql) => self.parse(message, name, sql),
            Message::Bind(portal, name, parameters) => self.bind(message, portal, name, parameters),
            Message::Describe(Kind::Statement, name) => {
                let Some(statement) = self.session.prepared.get(name) else {
                    return self.error(message, no_statement(name));
                };
                let parameters = Reply::Parameters(statement.parameters());
                let columns = statement.columns().map_or(Reply::NoData, Reply::Columns);
                if self.session.has_failed() && columns != Reply::NoData {
                    return self.error(message, aborted());
                }
                vec![parameters, columns]
            }
            Message::Describe(Kind::Portal, name) => {
                let Some(portal) = self.portals.get(name) else {
                    return self.error(message, no_portal(name));
                };
                vec![portal.statement.columns().map_or(Reply::NoData, Reply::Columns)]
            }
            Message::Execute(portal, max_rows) => self.execute(message, portal, *max_rows),
            Message::Close(Kind::Statement, name) => {
                self.session.prepared.remove(name);
                vec![Reply::CloseComplete]
            }
            Message::Close(Kind::Portal, name) => {
                self.portals.remove(name);
                vec![Reply::CloseComplete]
            }
            Message::Sync => {
                self.skipping = false;
                self.ready()
            }
            Message::CopyData(line) => {
                self.copied += 1;
                self.session.copied(line);
                Vec::new()
            }
            Message::CopyDone => {
                self.copying = false;
                let mut replies = vec![Reply::Complete(format!("COPY {}", self.copied))];
                replies.append(&mut self.end_query());
                replies
            }
            Message::CopyFail => {
                self.copying = false;
                self.session.fail();
                let mut replies = vec![Reply::error("57014", "COPY from stdin failed")];
                replies.append(&mut self.end_query());
                replies
            }
            Message::Query(_) | Message::Flush | Message::Terminate => Vec::new(),
        }
    }

    fn parse(&mut self, message: &Message, name: &str, sql: &str) -> Vec<Reply> {
        self.session.begin_implicitly();
        if name.is_empty() {
            // Before anything can be wrong with the new one.
            self.session.prepared.remove("");
        }
        let statement = match Statement::parse(sql) {
            Ok(mut statements) if statements.len() == 1 => statements.pop(),
            Ok(statements) if statements.is_empty() => Some(Statement::Other("")),
            _ => None,
        };
        let Some(statement) = statement else {
            let text = format!("the model does not know {sql}");
            return self.error(message, Outcome::Error("42601", text));
        };
        if self.session.has_failed() && !statement.ends_transaction() {
            return self.error(message, aborted());
        }
        if !name.is_empty() && self.session.prepared.contains_key(name) {
            let text = format!("prepared statement \"{name}\" already exists");
            return self.error(message, Outcome::Error("42P05", text));
        }
        self.session.prepared.insert(name.to_owned(), statement);
        vec![Reply::ParseComplete]
    }

    fn bind(
        &mut self,
        message: &Message,
        portal: &str,
        name: &str,
        parameters: &[String],
    ) -> Vec<Reply> {
        self.session.begin_implicitly();
        let Some(statement) = self.session.prepared.get(name).cloned() else {
            return self.error(message, no_statement(name));
        };
        if statement.parameters() != parameters.len() {
            let text = format!("bind message supplies {} parameters", parameters.len());
            return self.error(message, Outcome::Error("08P01", text));
        }
        if self.session.has_failed() && !statement.ends_transaction() {
            return self.error(message, aborted());
        }
        if !portal.is_empty() && self.portals.contains_key(portal) {
            let text = format!("portal \"{portal}\" already exists");
            return self.error(message, Outcome::Error("42P03", text));
        }
        let parameters = parameters.to_vec();
        self.portals.insert(portal.to_owned(), Portal { statement, parameters, rest: None });
        vec![Reply::BindComplete]
    }

    fn execute(&mut self, message: &Message, name: &str, max_rows: i32) -> Vec<Reply> {
        let Some(mut portal) = self.portals.remove(name) else {
            return self.error(message, no_portal(name));
        };
        let mut replies = Vec::new();
        let (mut rest, tag) = match portal.rest.take() {
            Some(rest) => rest,
            None => match self.session.execute(&portal.statement, &portal.parameters) {
                Outcome::Rows(rows, tag) => (rows.into_iter().map(Reply::Row).collect(), tag),
                Outcome::Done(tag) => (VecDeque::new(), tag),
                outcome @ Outcome::Error(..) => return self.error(message, outcome),
                Outcome::CopyIn | Outcome::CopyOut(..) => {
                    let text = "the model copies by Query only".to_owned();
                    return self.error(message, Outcome::Error("0A000", text));
                }
            },
        };
        let most = usize::try_from(max_rows).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
        replies.extend(rest.drain(..most.min(rest.len())));
        if rest.is_empty() && replies.len() < most {
            replies.push(if tag.is_empty() { Reply::Empty } else { Reply::Complete(tag) });
        } else {
            replies.push(Reply::Suspended);
            portal.rest = Some((rest, tag));
            self.portals.insert(name.to_owned(), portal);
        }
        replies
    }
}

fn no_statement(name: &str) -> Outcome {
    Outcome::Error("26000", format!("prepared statement \"{name}\" does not exist"))
}

fn no_portal(name: &str) -> Outcome {
    Outcome::Error("34000", format!("portal \"{name}\" does not exist"))
}
