//! What a PostgreSQL session keeps: settings, transactions and savepoints, temporary tables, locks, channels. Used on both sides:
//! it is what the model server does, and what the model client expects. Not the protocol: that is `machine`.

use std::collections::{BTreeMap, BTreeSet};

use crate::book::Token;
use crate::statement::{Source, Statement};

/// The settings that proofs tell, with what they are on a new server.
const SETTINGS: [(&str, &str); 7] = [
    ("application_name", ""),
    ("lock_timeout", "0"),
    ("my.own", ""),
    ("role", "none"),
    ("search_path", "public"),
    ("timezone", "UTC"),
    ("work_mem", "4MB"),
];

/// Those of them that a server reports by itself, as it spells them.
pub(crate) const REPORTED: [(&str, &str); 2] =
    [("application_name", "application_name"), ("timezone", "TimeZone")];

/// What a transaction can take back.
#[derive(Debug, Clone, Default)]
struct Scope {
    settings: BTreeMap<String, String>,
    local: BTreeMap<String, String>,
    temporary: BTreeSet<String>,
    channels: BTreeSet<String>,
    notices: Vec<(String, String)>,
    writes: Vec<Token>,
}

#[derive(Debug, Clone)]
struct Transaction {
    before: Scope,
    savepoints: Vec<(String, Scope)>,
    /// Begun by `BEGIN`; otherwise it ends with the request.
    explicit: bool,
    failed: bool,
}

/// A result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Rows(Vec<Vec<String>>, String),
    Done(String),
    CopyIn,
    CopyOut(Vec<String>, String),
    Error(&'static str, String),
}

/// What has become true outside of the session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Statements executed.
    pub(crate) executed: Vec<Token>,
    /// Reads outside of a transaction block: these may be executed more than once, nobody can tell.
    pub(crate) read: Vec<Token>,
    /// Statements whose transaction was committed.
    pub(crate) committed: Vec<Token>,
    /// Statements whose transaction was rolled back.
    pub(crate) undone: Vec<Token>,
    /// Channel and payload of notices that were committed.
    pub(crate) notices: Vec<(String, String)>,
}

/// One session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session {
    startup: BTreeMap<String, String>,
    now: Scope,
    transaction: Option<Box<Transaction>>,
    locks: BTreeMap<u64, u32>,
    /// Who called a function that took a lock unseen.
    hidden: BTreeSet<(u32, u32)>,
    pub(crate) prepared: BTreeMap<String, Statement>,
    /// Since it was taken last.
    pub(crate) done: Done,
}

impl Session {
    /// A new one, with the settings of its startup message.
    pub(crate) fn new(startup: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { startup: startup.into_iter().collect(), ..Self::default() }
    }

    /// The byte of ReadyForQuery.
    pub(crate) fn status(&self) -> u8 {
        match &self.transaction {
            Some(transaction) if transaction.explicit && transaction.failed => b'E',
            Some(transaction) if transaction.explicit => b'T',
            _ => b'I',
        }
    }

    /// Whether only the end of the transaction is accepted.
    pub(crate) fn has_failed(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.failed)
    }

    /// Channels that it listens on.
    pub(crate) fn channels(&self) -> &BTreeSet<String> {
        &self.now.channels
    }

    /// Whether it holds what another server could not give it.
    pub(crate) fn is_bound(&self) -> bool {
        !self.locks.is_empty() || !self.now.temporary.is_empty()
    }

    /// Savepoints of the open transaction.
    pub(crate) fn savepoints(&self) -> Vec<&str> {
        let transaction = self.transaction.iter();
        transaction.flat_map(|of| of.savepoints.iter().map(|(name, _)| name.as_str())).collect()
    }

    /// A setting's value.
    pub(crate) fn value(&self, name: &str) -> String {
        let usual = || {
            let usual = SETTINGS.iter().find(|(of, _)| *of == name);
            usual.map_or("", |(_, value)| *value).to_owned()
        };
        let set = self.now.local.get(name).or_else(|| self.now.settings.get(name));
        set.or_else(|| self.startup.get(name)).cloned().unwrap_or_else(usual)
    }

    /// What the session looks like, in one line.
    fn proof(&self) -> String {
        let settings: Vec<String> =
            SETTINGS.iter().map(|(name, _)| format!("{name}={}", self.value(name))).collect();
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(",");
        let locks: Vec<String> =
            self.locks.iter().map(|(key, count)| format!("{key}x{count}")).collect();
        format!(
            "{}|temp:{}|locks:{}",
            settings.join("|"),
            list(&self.now.temporary),
            locks.join(",")
        )
    }

    /// Sessions that left something here which they cannot see themselves.
    fn hidden(&self) -> String {
        let hidden = self.hidden.iter().map(|(client, session)| format!("c{client}.{session}"));
        hidden.collect::<Vec<_>>().join(",")
    }

    /// Begins an implicit transaction unless one is open.
    pub(crate) fn begin_implicitly(&mut self) {
        if self.transaction.is_none() {
            let before = self.now.clone();
            self.transaction = Some(Box::new(Transaction {
                before,
                savepoints: Vec::new(),
                explicit: false,
                failed: false,
            }));
        }
    }

    /// The request is over: an implicit transaction ends with it.
    pub(crate) fn end_implicitly(&mut self) {
        match &self.transaction {
            Some(transaction) if transaction.explicit => {}
            Some(transaction) if transaction.failed => self.roll_back(),
            _ => self.commit(),
        }
    }

    /// An error: what the transaction did since its beginning, or since the last savepoint, is undone at once.
    pub(crate) fn fail(&mut self) {
        self.begin_implicitly();
        let Some(transaction) = self.transaction.as_mut().filter(|of| !of.failed) else { return };
        transaction.failed = true;
        let then = transaction.savepoints.last().map_or(&transaction.before, |(_, then)| then);
        let mut undone = std::mem::replace(&mut self.now, then.clone());
        let kept = self.now.writes.len();
        self.done.undone.extend(undone.writes.drain(kept..));
    }

    fn commit(&mut self) {
        self.transaction = None;
        self.now.local.clear();
        self.done.committed.append(&mut self.now.writes);
        self.done.notices.append(&mut self.now.notices);
    }

    fn roll_back(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            let undone = std::mem::replace(&mut self.now, transaction.before);
            self.done.undone.extend(undone.writes);
        }
    }

    fn set(&mut self, name: &str, value: Option<String>) {
        self.now.local.remove(name);
        match value {
            Some(value) => self.now.settings.insert(name.to_owned(), value),
            None => self.now.settings.remove(name),
        };
    }

    fn reset_all(&mut self) {
        self.now.settings.retain(|name, _| name == "role");
        self.now.local.retain(|name, _| name == "role");
    }

    /// Executes a statement. The caller calls [`Self::fail`] when it is an error.
    pub(crate) fn execute(&mut self, statement: &Statement, parameters: &[String]) -> Outcome {
        if self.has_failed() && !statement.ends_transaction() {
            return aborted();
        }
        self.begin_implicitly();
        let done = |tag: &str| Outcome::Done(tag.to_owned());
        match statement {
            Statement::Proof(source, label) => self.prove(token(source, parameters), label),
            Statement::Write(source) => {
                let Some(token) = token(source, parameters) else { return no_token() };
                self.done.executed.push(token);
                self.now.writes.push(token);
                done("INSERT 0 1")
            }
            Statement::Fail(source) => {
                let token = token(source, parameters).map(|token| token.to_string());
                Outcome::Error("22012", format!("division by zero {}", token.unwrap_or_default()))
            }
            Statement::Foreign(token) => {
                self.done.executed.push(*token);
                self.hidden.insert(token.owner());
                self.row(token.to_string())
            }
            Statement::Lock(key) => {
                *self.locks.entry(*key).or_default() += 1;
                self.row(String::new())
            }
            Statement::Unlock(key) => {
                let held = self.locks.get(key).copied().unwrap_or_default();
                if held > 1 {
                    self.locks.insert(*key, held - 1);
                } else {
                    self.locks.remove(key);
                }
                self.row(if held > 0 { "t" } else { "f" }.to_owned())
            }
            Statement::UnlockAll => {
                self.locks.clear();
                self.hidden.clear();
                self.row(String::new())
            }
            Statement::Prepare(name, of) => {
                if self.prepared.contains_key(name) {
                    return Outcome::Error(
                        "42P05",
                        format!("prepared statement \"{name}\" exists"),
                    );
                }
                self.prepared.insert(name.clone(), Statement::clone(of));
                done("PREPARE")
            }
            Statement::Execute(name, token) => {
                let Some(of) = self.prepared.get(name).cloned() else { return no_statement(name) };
                let parameters: Vec<String> = token.iter().map(ToString::to_string).collect();
                self.execute(&of, &parameters)
            }
            Statement::Deallocate(Some(name)) => {
                if self.prepared.remove(name).is_none() {
                    return no_statement(name);
                }
                done("DEALLOCATE")
            }
            Statement::Deallocate(None) => {
                self.prepared.retain(|name, _| name.is_empty());
                done("DEALLOCATE ALL")
            }
            Statement::CopyIn => Outcome::CopyIn,
            Statement::CopyOut(token) => {
                self.done.executed.push(*token);
                let lines = (0..token.rows).map(|n| format!("{token}#{n}{}", filling(token, n)));
                Outcome::CopyOut(lines.collect(), format!("COPY {}", token.rows))
            }
            Statement::Other("SELECT 1") => self.row("1".to_owned()),
            Statement::Other(tag) => done(tag),
            other => self.control(other),
        }
    }

    /// Transactions and what they can take back.
    fn control(&mut self, statement: &Statement) -> Outcome {
        let done = |tag: &str| Outcome::Done(tag.to_owned());
        match statement {
            Statement::Begin => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.explicit = true;
                }
                done("BEGIN")
            }
            Statement::Commit if self.has_failed() => {
                self.roll_back();
                done("ROLLBACK")
            }
            Statement::Commit => {
                self.commit();
                done("COMMIT")
            }
            Statement::Rollback => {
                self.roll_back();
                done("ROLLBACK")
            }
            Statement::Savepoint(_) | Statement::Release(_) | Statement::RollbackTo(_) => {
                self.savepoint(statement)
            }
            Statement::Set { name, value, local, function } => {
                if *local {
                    self.now.local.insert(name.clone(), value.clone());
                } else {
                    self.set(name, Some(value.clone()));
                }
                if *function { self.row(value.clone()) } else { done("SET") }
            }
            Statement::Reset(name) => {
                self.set(name, None);
                done("RESET")
            }
            Statement::ResetAll => {
                self.reset_all();
                done("RESET")
            }
            Statement::AuthorizationDefault => {
                self.set("role", None);
                done("SET")
            }
            Statement::CreateTemp(name) => {
                if !self.now.temporary.insert(name.clone()) {
                    return Outcome::Error("42P07", format!("relation \"{name}\" already exists"));
                }
                done("CREATE TABLE")
            }
            Statement::DropTemp(name) => {
                if !self.now.temporary.remove(name) {
                    return Outcome::Error("42P01", format!("table \"{name}\" does not exist"));
                }
                done("DROP TABLE")
            }
            Statement::DiscardTemp => {
                self.now.temporary.clear();
                done("DISCARD TEMP")
            }
            Statement::Listen(channel) => {
                self.now.channels.insert(channel.clone());
                done("LISTEN")
            }
            Statement::Unlisten(channel) => {
                match channel {
                    Some(channel) => drop(self.now.channels.remove(channel)),
                    None => self.now.channels.clear(),
                }
                done("UNLISTEN")
            }
            Statement::Notify(channel, payload) => {
                self.now.notices.push((channel.clone(), payload.clone()));
                done("NOTIFY")
            }
            Statement::DiscardAll => self.discard_all(),
            other => Outcome::Error("0A000", format!("the model cannot do {other:?}")),
        }
    }

    fn discard_all(&mut self) -> Outcome {
        if self.status() != b'I' {
            return Outcome::Error(
                "25001",
                "DISCARD ALL cannot run inside a transaction block".to_owned(),
            );
        }
        self.reset_all();
        self.set("role", None);
        self.now.temporary.clear();
        self.now.channels.clear();
        self.locks.clear();
        self.hidden.clear();
        self.prepared.clear();
        Outcome::Done("DISCARD ALL".to_owned())
    }

    fn savepoint(&mut self, statement: &Statement) -> Outcome {
        let now = self.now.clone();
        let Some(transaction) = self.transaction.as_mut().filter(|of| of.explicit) else {
            return Outcome::Error("25P01", "savepoints need a transaction block".to_owned());
        };
        let (Statement::Savepoint(name) | Statement::Release(name) | Statement::RollbackTo(name)) =
            statement
        else {
            return Outcome::Error("XX000", "not about savepoints".to_owned());
        };
        if matches!(statement, Statement::Savepoint(_)) {
            transaction.savepoints.push((name.clone(), now));
            return Outcome::Done("SAVEPOINT".to_owned());
        }
        let Some(at) = transaction.savepoints.iter().rposition(|(of, _)| of == name) else {
            return Outcome::Error("3B001", format!("savepoint \"{name}\" does not exist"));
        };
        if matches!(statement, Statement::Release(_)) {
            transaction.savepoints.truncate(at);
            return Outcome::Done("RELEASE".to_owned());
        }
        transaction.savepoints.truncate(at + 1);
        transaction.failed = false;
        let then = transaction.savepoints[at].1.clone();
        let mut undone = std::mem::replace(&mut self.now, then);
        let kept = self.now.writes.len();
        self.done.undone.extend(undone.writes.drain(kept..));
        Outcome::Done("ROLLBACK".to_owned())
    }

    fn row(&self, value: String) -> Outcome {
        Outcome::Rows(vec![vec![value]], "SELECT 1".to_owned())
    }

    fn prove(&mut self, token: Option<Token>, label: &str) -> Outcome {
        let Some(token) = token else { return no_token() };
        if self.status() == b'I' {
            self.done.read.push(token);
        } else {
            self.done.executed.push(token);
        }
        self.now.writes.push(token);
        let row = |n| {
            let proof = if n == 0 { self.proof() } else { String::new() };
            let hidden = if n == 0 { self.hidden() } else { String::new() };
            let filling = format!("{label}{}", filling(&token, n));
            vec![format!("{token}#{n}"), proof, hidden, filling]
        };
        Outcome::Rows((0..token.rows).map(row).collect(), format!("SELECT {}", token.rows))
    }

    /// A line of COPY data has come.
    pub(crate) fn copied(&mut self, line: &str) {
        if let Some(token) = Token::parse(line) {
            self.done.executed.push(token);
            self.now.writes.push(token);
        }
    }
}

/// Bytes that can only be this row's.
fn filling(token: &Token, row: u32) -> String {
    let size = usize::try_from(token.size).unwrap_or(0);
    let pattern = format!(" {}.{}.{}#{row}", token.client, token.session, token.serial);
    let mut filling = pattern.repeat(size / pattern.len() + 1);
    filling.truncate(size);
    filling
}

fn token(source: &Source, parameters: &[String]) -> Option<Token> {
    match source {
        Source::Here(token) => Some(*token),
        Source::Parameter(number) => parameters.get(number - 1).and_then(|text| Token::parse(text)),
    }
}

fn no_token() -> Outcome {
    Outcome::Error("22023", "no token".to_owned())
}

fn no_statement(name: &str) -> Outcome {
    Outcome::Error("26000", format!("prepared statement \"{name}\" does not exist"))
}

/// What any statement but the last of a failed transaction is answered with.
pub(crate) fn aborted() -> Outcome {
    Outcome::Error("25P02", "current transaction is aborted".to_owned())
}
