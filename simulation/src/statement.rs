//! The SQL that the models speak: what clients say, and what a pooler may say to a server on its own account.
//!
//! Invariant: a statement that is written and read again is the same statement.

use std::fmt;

use crate::book::Token;
use crate::lex::{self, Word};

/// Where a token stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In the text.
    Here(Token),
    /// It is the parameter of this number, from 1.
    Parameter(usize),
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// `SELECT 'token' AS proof, 'label'`: tells what the session looks like on the server. The label names the text.
    Proof(Source, String),
    /// `INSERT INTO journal VALUES ('token')`.
    Write(Source),
    /// A division by zero.
    Fail(Source),
    /// A function of the database that takes a lock which nobody can see coming.
    Foreign(Token),
    /// `SET [LOCAL]`, or the same by `set_config`.
    Set {
        /// The setting.
        name: String,
        /// Its value.
        value: String,
        /// Until the end of the transaction.
        local: bool,
        /// By `set_config`.
        function: bool,
    },
    /// `RESET name`.
    Reset(String),
    /// `RESET ALL`.
    ResetAll,
    /// `BEGIN`.
    Begin,
    /// `COMMIT`.
    Commit,
    /// `ROLLBACK`.
    Rollback,
    /// `SAVEPOINT name`.
    Savepoint(String),
    /// `RELEASE name`.
    Release(String),
    /// `ROLLBACK TO name`.
    RollbackTo(String),
    /// `CREATE TEMP TABLE name`.
    CreateTemp(String),
    /// `DROP TABLE name`, of a temporary one.
    DropTemp(String),
    /// `SELECT pg_advisory_lock(key)`.
    Lock(u64),
    /// `SELECT pg_advisory_unlock(key)`.
    Unlock(u64),
    /// `SELECT pg_advisory_unlock_all()`.
    UnlockAll,
    /// `LISTEN channel`.
    Listen(String),
    /// `UNLISTEN channel`; `None` is `*`.
    Unlisten(Option<String>),
    /// `NOTIFY channel, 'payload'`.
    Notify(String, String),
    /// `PREPARE name AS …`.
    Prepare(String, Box<Self>),
    /// `EXECUTE name('token')`.
    Execute(String, Option<Token>),
    /// `DEALLOCATE name`; `None` is `ALL`.
    Deallocate(Option<String>),
    /// `DISCARD ALL`.
    DiscardAll,
    /// `DISCARD TEMP`.
    DiscardTemp,
    /// `COPY journal FROM STDIN`.
    CopyIn,
    /// `COPY (SELECT 'token') TO STDOUT`.
    CopyOut(Token),
    /// `SET SESSION AUTHORIZATION DEFAULT`.
    AuthorizationDefault,
    /// Anything else that changes nothing here; with its command tag.
    Other(&'static str),
}

impl Statement {
    /// The statements of a text; `Err` is one that the model does not know.
    pub(crate) fn parse(sql: &str) -> Result<Vec<Self>, String> {
        let parsed = |words: &Vec<Word>| one(words).ok_or_else(|| format!("{words:?}"));
        lex::statements(sql).iter().map(parsed).collect()
    }

    /// Columns of its rows; `None`: it has none.
    pub(crate) fn columns(&self) -> Option<usize> {
        match self {
            Self::Proof(..) => Some(4),
            Self::Fail(_)
            | Self::Foreign(_)
            | Self::Lock(_)
            | Self::Unlock(_)
            | Self::UnlockAll => Some(1),
            Self::Set { function: true, .. } | Self::Other("SELECT 1") => Some(1),
            _ => None,
        }
    }

    /// Parameters that it takes.
    pub(crate) fn parameters(&self) -> usize {
        match self {
            Self::Proof(Source::Parameter(number), _)
            | Self::Write(Source::Parameter(number))
            | Self::Fail(Source::Parameter(number)) => *number,
            _ => 0,
        }
    }

    /// Whether it is accepted in a failed transaction.
    pub(crate) fn ends_transaction(&self) -> bool {
        matches!(self, Self::Commit | Self::Rollback | Self::RollbackTo(_))
    }
}

fn one(words: &[Word]) -> Option<Statement> {
    let first = match words.first()? {
        Word::Name(name) => name.as_str(),
        _ => return None,
    };
    let rest = &words[1..];
    Some(match (first, rest) {
        ("select", rest) => select(rest),
        ("set", rest) => set(rest)?,
        ("reset", [Word::Name(name)]) if name == "all" => Statement::ResetAll,
        ("reset", [Word::Name(name)]) => Statement::Reset(name.clone()),
        ("begin", _) => Statement::Begin,
        ("commit" | "end", _) => Statement::Commit,
        ("rollback", [.., Word::Name(to), Word::Name(name)]) if to == "to" || to == "savepoint" => {
            Statement::RollbackTo(name.clone())
        }
        ("rollback" | "abort", _) => Statement::Rollback,
        ("savepoint", [Word::Name(name)]) => Statement::Savepoint(name.clone()),
        ("release", [.., Word::Name(name)]) => Statement::Release(name.clone()),
        ("create", [_, _, Word::Name(name), ..]) => Statement::CreateTemp(name.clone()),
        ("drop", [_, Word::Name(name)]) => Statement::DropTemp(name.clone()),
        ("insert", rest) => Statement::Write(source(rest)?),
        ("listen", [Word::Name(channel)]) => Statement::Listen(channel.clone()),
        ("unlisten", [Word::Name(channel)]) => Statement::Unlisten(Some(channel.clone())),
        ("unlisten", _) => Statement::Unlisten(None),
        ("notify", [Word::Name(channel), _, Word::Text(payload)]) => {
            Statement::Notify(channel.clone(), payload.clone())
        }
        ("prepare", [Word::Name(name), rest @ ..]) => {
            let at = rest.iter().position(|word| *word == Word::Name("as".to_owned()))?;
            Statement::Prepare(name.clone(), Box::new(one(&rest[at + 1..])?))
        }
        ("execute", [Word::Name(name), rest @ ..]) => {
            let token = rest.iter().find_map(|word| match word {
                Word::Text(text) => Token::parse(text),
                _ => None,
            });
            Statement::Execute(name.clone(), token)
        }
        ("deallocate", [.., Word::Name(name)]) if name == "all" => Statement::Deallocate(None),
        ("deallocate", [.., Word::Name(name)]) => Statement::Deallocate(Some(name.clone())),
        ("discard", [Word::Name(what)]) => match what.as_str() {
            "all" => Statement::DiscardAll,
            "temp" | "temporary" => Statement::DiscardTemp,
            "sequences" => Statement::Other("DISCARD SEQUENCES"),
            "plans" => Statement::Other("DISCARD PLANS"),
            _ => return None,
        },
        ("close", _) => Statement::Other("CLOSE CURSOR ALL"),
        ("copy", [Word::Name(_), Word::Name(from), ..]) if from == "from" => Statement::CopyIn,
        ("copy", rest) => match source(rest)? {
            Source::Here(token) => Statement::CopyOut(token),
            Source::Parameter(_) => return None,
        },
        _ => return None,
    })
}

/// The first token or parameter.
fn source(words: &[Word]) -> Option<Source> {
    words.iter().find_map(|word| match word {
        Word::Text(text) => Token::parse(text).map(Source::Here),
        Word::Parameter(number) => Some(Source::Parameter(*number)),
        _ => None,
    })
}

fn select(words: &[Word]) -> Statement {
    let other = Statement::Other("SELECT 1");
    match words {
        [Word::Name(function), Word::Sign('('), rest @ ..] => match (function.as_str(), rest) {
            ("set_config", [Word::Text(name), _, Word::Text(value), _, Word::Name(local), ..]) => {
                Statement::Set {
                    name: name.to_lowercase(),
                    value: value.clone(),
                    local: local == "true",
                    function: true,
                }
            }
            ("pg_advisory_lock", [Word::Number(key), ..]) => {
                key.parse().map_or(other, Statement::Lock)
            }
            ("pg_advisory_unlock", [Word::Number(key), ..]) => {
                key.parse().map_or(other, Statement::Unlock)
            }
            ("pg_advisory_unlock_all", _) => Statement::UnlockAll,
            (_, rest) => match source(rest) {
                Some(Source::Here(token)) => Statement::Foreign(token),
                _ => other,
            },
        },
        [_, Word::Name(alias), Word::Name(proof), rest @ ..]
            if alias == "as" && proof == "proof" =>
        {
            let label = match rest.last() {
                Some(Word::Text(label)) => label.clone(),
                _ => String::new(),
            };
            source(words).map_or(other, |source| Statement::Proof(source, label))
        }
        [Word::Number(_), Word::Sign('/'), ..] => source(words).map_or(other, Statement::Fail),
        _ => other,
    }
}

fn set(words: &[Word]) -> Option<Statement> {
    let name_of = |word: &Word| match word {
        Word::Name(name) => Some(name.clone()),
        _ => None,
    };
    let first = name_of(words.first()?)?;
    let second = words.get(1).and_then(name_of).unwrap_or_default();
    if first == "session" && second == "authorization" {
        return Some(Statement::AuthorizationDefault);
    }
    let (local, words) = match first.as_str() {
        "local" => (true, &words[1..]),
        "session" => (false, &words[1..]),
        _ => (false, words),
    };
    let (name, values) = match words {
        [Word::Name(role), value] if role == "role" => {
            ("role".to_owned(), std::slice::from_ref(value))
        }
        [Word::Name(name), Word::Name(to), values @ ..] if to == "to" => (name.clone(), values),
        [Word::Name(name), Word::Sign('='), values @ ..] => (name.clone(), values),
        _ => return None,
    };
    let value: Vec<String> = values
        .iter()
        .filter_map(|word| match word {
            Word::Name(text) | Word::Text(text) | Word::Number(text) => Some(text.clone()),
            Word::Parameter(_) | Word::Sign(_) => None,
        })
        .collect();
    let value = value.join(", ");
    if !local && (value == "default" || (name == "role" && value == "none")) {
        return Some(Statement::Reset(name));
    }
    Some(Statement::Set { name, value, local, function: false })
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(token) => write!(f, "'{token}'"),
            Self::Parameter(number) => write!(f, "${number}"),
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proof(source, label) => write!(f, "SELECT {source} AS proof, '{label}'"),
            Self::Write(source) => write!(f, "INSERT INTO journal VALUES ({source})"),
            Self::Fail(source) => write!(f, "SELECT 1 / 0, {source}"),
            Self::Foreign(token) => write!(f, "SELECT app.touch('{token}')"),
            Self::Set { name, value, local, function: true } => {
                write!(f, "SELECT set_config('{name}', '{value}', {local})")
            }
            Self::Set { name, value, local, function: false } => {
                let local = if *local { "LOCAL " } else { "" };
                write!(f, "SET {local}{name} TO '{value}'")
            }
            Self::Reset(name) => write!(f, "RESET {name}"),
            Self::ResetAll => f.write_str("RESET ALL"),
            Self::Begin => f.write_str("BEGIN"),
            Self::Commit => f.write_str("COMMIT"),
            Self::Rollback => f.write_str("ROLLBACK"),
            Self::Savepoint(name) => write!(f, "SAVEPOINT {name}"),
            Self::Release(name) => write!(f, "RELEASE SAVEPOINT {name}"),
            Self::RollbackTo(name) => write!(f, "ROLLBACK TO SAVEPOINT {name}"),
            Self::CreateTemp(name) => write!(f, "CREATE TEMP TABLE {name} (n int)"),
            Self::DropTemp(name) => write!(f, "DROP TABLE {name}"),
            Self::Lock(key) => write!(f, "SELECT pg_advisory_lock({key})"),
            Self::Unlock(key) => write!(f, "SELECT pg_advisory_unlock({key})"),
            Self::UnlockAll => f.write_str("SELECT pg_advisory_unlock_all()"),
            Self::Listen(channel) => write!(f, "LISTEN {channel}"),
            Self::Unlisten(Some(channel)) => write!(f, "UNLISTEN {channel}"),
            Self::Unlisten(None) => f.write_str("UNLISTEN *"),
            Self::Notify(channel, payload) => write!(f, "NOTIFY {channel}, '{payload}'"),
            Self::Prepare(name, statement) => write!(f, "PREPARE {name} AS {statement}"),
            Self::Execute(name, Some(token)) => write!(f, "EXECUTE {name}('{token}')"),
            Self::Execute(name, None) => write!(f, "EXECUTE {name}"),
            Self::Deallocate(Some(name)) => write!(f, "DEALLOCATE {name}"),
            Self::Deallocate(None) => f.write_str("DEALLOCATE ALL"),
            Self::DiscardAll => f.write_str("DISCARD ALL"),
            Self::DiscardTemp => f.write_str("DISCARD TEMP"),
            Self::CopyIn => f.write_str("COPY journal FROM STDIN"),
            Self::CopyOut(token) => write!(f, "COPY (SELECT '{token}') TO STDOUT"),
            Self::AuthorizationDefault => f.write_str("SET SESSION AUTHORIZATION DEFAULT"),
            Self::Other(tag) => f.write_str(tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let token = Token { client: 1, session: 2, serial: 3, rows: 4, size: 5, run: 6 };
        let here = || Source::Here(token);
        let set = |local, function| Statement::Set {
            name: "search_path".to_owned(),
            value: "a, b".to_owned(),
            local,
            function,
        };
        let name = || "x".to_owned();
        let all = [
            Statement::Proof(here(), "label".to_owned()),
            Statement::Proof(Source::Parameter(1), "label".to_owned()),
            Statement::Write(here()),
            Statement::Write(Source::Parameter(2)),
            Statement::Fail(here()),
            Statement::Foreign(token),
            set(false, false),
            set(true, false),
            set(false, true),
            Statement::Reset(name()),
            Statement::ResetAll,
            Statement::Begin,
            Statement::Commit,
            Statement::Rollback,
            Statement::Savepoint(name()),
            Statement::Release(name()),
            Statement::RollbackTo(name()),
            Statement::CreateTemp(name()),
            Statement::DropTemp(name()),
            Statement::Lock(1),
            Statement::Unlock(1),
            Statement::UnlockAll,
            Statement::Listen(name()),
            Statement::Unlisten(Some(name())),
            Statement::Unlisten(None),
            Statement::Notify(name(), "payload".to_owned()),
            Statement::Prepare(name(), Box::new(Statement::Proof(Source::Parameter(1), name()))),
            Statement::Execute(name(), Some(token)),
            Statement::Deallocate(Some(name())),
            Statement::Deallocate(None),
            Statement::DiscardAll,
            Statement::DiscardTemp,
            Statement::CopyIn,
            Statement::CopyOut(token),
            Statement::AuthorizationDefault,
        ];
        for statement in all {
            assert_eq!(Statement::parse(&statement.to_string()), Ok(vec![statement]));
        }
    }

    #[test]
    fn what_a_pooler_says_on_its_own_account_is_known() {
        let wash = "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; SELECT \
                    pg_catalog.pg_advisory_unlock_all(); DISCARD SEQUENCES; DISCARD TEMP";
        assert_eq!(Statement::parse(wash).map(|statements| statements.len()), Ok(7));
        let replays = "RESET \"work_mem\";SET search_path TO 'a', 'b';SELECT \
                       pg_catalog.set_config('timezone', 'UTC', false);SET lock_timeout TO 1000;";
        assert_eq!(Statement::parse(replays).map(|statements| statements.len()), Ok(4));
    }
}
