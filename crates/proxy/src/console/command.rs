//! The commands of the console, from their text. Not what they do (`execute`) and not who may (`rights`).
//!
//! Invariant: words of the language may be in any case; names of databases are taken as they are written.

use howdah_wire::sqlstate::SqlState;

use super::parameters;
use super::show::Topic;
use crate::error::Refusal;
use crate::holds::Scope;
use crate::host::Shutdown;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `SHOW topic`
    Show(Topic),
    /// `SHOW parameter`, for drivers: position in [`parameters::ALL`].
    Parameter(usize),
    /// What drivers say on every connection, and what changes nothing here; the tag to answer with.
    Ignored(&'static str),
    /// `SET key = value` for a key of the configuration.
    Change(String),
    Disable(String),
    /// `DRAIN node`
    Drain(String),
    Enable(String),
    Kill(Scope),
    KillClient(u32),
    Pause(Scope),
    Reconnect(Scope),
    Reload,
    Resume(Scope),
    /// `SHOW ROUTE [database] 'statement'`
    Route {
        database: Option<String>,
        sql: String,
    },
    Shutdown(Shutdown),
    Suspend,
    /// `UNDRAIN node`
    Undrain(String),
    WaitClose(Scope),
}

impl Command {
    /// The tag of its `CommandComplete`.
    pub(super) const fn tag(&self) -> &'static str {
        match self {
            Self::Show(_) | Self::Parameter(_) | Self::Route { .. } => "SHOW",
            Self::Ignored(tag) => tag,
            Self::Change(_) => "SET",
            Self::Disable(_) => "DISABLE",
            Self::Drain(_) => "DRAIN",
            Self::Enable(_) => "ENABLE",
            Self::Kill(_) => "KILL",
            Self::KillClient(_) => "KILL_CLIENT",
            Self::Pause(_) => "PAUSE",
            Self::Reconnect(_) => "RECONNECT",
            Self::Reload => "RELOAD",
            Self::Resume(_) => "RESUME",
            Self::Shutdown(_) => "SHUTDOWN",
            Self::Suspend => "SUSPEND",
            Self::Undrain(_) => "UNDRAIN",
            Self::WaitClose(_) => "WAIT_CLOSE",
        }
    }
}

/// A piece of a command's text.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// In quotes of either kind.
    Quoted(String),
    Sign(char),
}

impl Token {
    /// As a word of the language.
    fn keyword(&self) -> String {
        match self {
            Self::Word(word) => word.to_ascii_lowercase(),
            Self::Quoted(_) | Self::Sign(_) => String::new(),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::Quoted(text) => Some(text),
            Self::Sign(_) => None,
        }
    }
}

/// The commands of a text, separated by semicolons; empty ones are none. `is_key` knows the keys of the configuration.
///
/// # Errors
/// What is wrong with the first that is none.
pub(super) fn parse(text: &str, is_key: impl Fn(&str) -> bool) -> Result<Vec<Command>, Refusal> {
    let tokens = tokens(text)?;
    let parts = tokens.split(|token| *token == Token::Sign(';'));
    parts.filter(|part| !part.is_empty()).map(|part| one(part, &is_key)).collect()
}

fn syntax(what: impl Into<String>) -> Refusal {
    Refusal::new(SqlState::SYNTAX_ERROR, what).hint("SHOW HELP lists the commands.")
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if first == '\'' || first == '"' {
            let (quoted, after) = quoted(rest, first)?;
            tokens.push(Token::Quoted(quoted));
            rest = after;
        } else if is_sign(first) {
            tokens.push(Token::Sign(first));
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        } else {
            let ends = |char: char| char.is_whitespace() || is_sign(char) || "'\"".contains(char);
            let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

const fn is_sign(char: char) -> bool {
    matches!(char, ';' | '=' | ',' | '(' | ')')
}

/// The text in quotes at the beginning, and what is behind it.
fn quoted(text: &str, quote: char) -> Result<(String, &str), Refusal> {
    let mut found = String::new();
    let mut rest = text.get(1..).unwrap_or_default();
    while let Some((before, after)) = rest.split_once(quote) {
        found.push_str(before);
        match after.strip_prefix(quote) {
            Some(more) => {
                found.push(quote);
                rest = more;
            }
            None => return Ok((found, after)),
        }
    }
    Err(syntax("a quote is not closed"))
}

fn one(tokens: &[Token], is_key: &impl Fn(&str) -> bool) -> Result<Command, Refusal> {
    let Some((verb, rest)) = tokens.split_first() else {
        return Err(syntax("there is no command"));
    };
    let verb = verb.keyword();
    let argument = || match rest {
        [] => Ok(None),
        [one] => one.text().map(|text| Some(text.to_owned())).ok_or(()),
        _ => Err(()),
    };
    let unknown = || syntax(format!("invalid command '{}', use SHOW HELP;", spoken(tokens)));
    let argument = argument().map_err(|()| unknown());
    let scope = |argument: Option<String>| argument.map_or(Scope::All, Scope::Database);
    let named = |argument: Option<String>| argument.ok_or_else(|| syntax("a database is required"));
    let node = |argument: Option<String>| {
        argument.ok_or_else(|| syntax("a node is required, by its name in SHOW NODES"))
    };
    Ok(match verb.as_str() {
        "show" => show(rest).ok_or_else(unknown)?,
        "help" => Command::Show(Topic::Help),
        "set" => set(rest, is_key),
        "disable" => Command::Disable(named(argument?)?),
        "drain" => Command::Drain(node(argument?)?),
        "undrain" => Command::Undrain(node(argument?)?),
        "enable" => Command::Enable(named(argument?)?),
        "kill" => Command::Kill(scope(argument?)),
        "kill_client" => {
            let id = argument?.and_then(|id| id.parse().ok());
            Command::KillClient(id.ok_or_else(|| {
                syntax("KILL_CLIENT needs the id of a client, as SHOW CLIENTS shows it")
            })?)
        }
        "pause" => Command::Pause(scope(argument?)),
        "reconnect" => Command::Reconnect(scope(argument?)),
        "reload" if rest.is_empty() => Command::Reload,
        "resume" => Command::Resume(scope(argument?)),
        "shutdown" => match argument?.map(|mode| mode.to_ascii_lowercase()).as_deref() {
            None => Command::Shutdown(Shutdown::AtOnce),
            Some("wait_for_servers") => Command::Shutdown(Shutdown::WhenServersAreFree),
            Some("wait_for_clients") => Command::Shutdown(Shutdown::WhenClientsHaveLeft),
            Some(_) => return Err(unknown()),
        },
        "suspend" if rest.is_empty() => Command::Suspend,
        "wait_close" => Command::WaitClose(scope(argument?)),
        other => Command::Ignored(ignored(other).ok_or_else(unknown)?),
    })
}

/// Statements about sessions and transactions, of which the console has none: drivers send them without being asked.
fn ignored(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "begin" => "BEGIN",
        "start" => "START TRANSACTION",
        "commit" | "end" => "COMMIT",
        "rollback" | "abort" => "ROLLBACK",
        "discard" => "DISCARD ALL",
        "deallocate" => "DEALLOCATE",
        "reset" => "RESET",
        "close" => "CLOSE CURSOR",
        "unlisten" => "UNLISTEN",
        _ => return None,
    })
}

fn spoken(tokens: &[Token]) -> String {
    let word = |token: &Token| match token {
        Token::Word(text) | Token::Quoted(text) => text.clone(),
        Token::Sign(sign) => sign.to_string(),
    };
    tokens.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn show(words: &[Token]) -> Option<Command> {
    if let [first, database @ .., Token::Quoted(sql)] = words
        && first.keyword() == "route"
    {
        let database = match database {
            [] => None,
            [name] => Some(name.text()?.to_owned()),
            _ => return None,
        };
        return Some(Command::Route { database, sql: sql.clone() });
    }
    let words: Option<Vec<&str>> = words.iter().map(Token::text).collect();
    let name = words?.join("_").to_ascii_lowercase();
    if name.is_empty() {
        return Some(Command::Show(Topic::Help));
    }
    let topic = Topic::ALL.iter().find(|(word, _)| *word == name);
    topic
        .map(|(_, topic)| Command::Show(*topic))
        .or_else(|| parameters::position(&name).map(Command::Parameter))
}

fn set(words: &[Token], is_key: &impl Fn(&str) -> bool) -> Command {
    let key = words.iter().find_map(Token::text).unwrap_or_default().to_ascii_lowercase();
    if is_key(&key) { Command::Change(key) } else { Command::Ignored("SET") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Command>, String> {
        parse(text, |key| key == "pool.max_size").map_err(|refusal| refusal.message)
    }

    fn database(name: &str) -> Scope {
        Scope::Database(name.to_owned())
    }

    #[test]
    fn commands_are_read_in_any_case_and_names_as_they_are_written() {
        for (text, command) in [
            ("show pools", Command::Show(Topic::Pools)),
            ("SHOW STATS_TOTALS;", Command::Show(Topic::StatsTotals)),
            ("  Show  Peer_Pools ; ", Command::Show(Topic::PeerPools)),
            ("SHOW", Command::Show(Topic::Help)),
            ("PAUSE", Command::Pause(Scope::All)),
            ("pause Shop;", Command::Pause(database("Shop"))),
            ("PAUSE \"odd \"\"name\"", Command::Pause(database("odd \"name"))),
            ("resume shop", Command::Resume(database("shop"))),
            ("/* why */ KILL shop -- now", Command::Kill(database("shop"))),
            ("KILL_CLIENT 4711", Command::KillClient(4711)),
            ("disable shop", Command::Disable("shop".to_owned())),
            ("drain 'replica 1'", Command::Drain("replica 1".to_owned())),
            ("UNDRAIN replica-1;", Command::Undrain("replica-1".to_owned())),
            ("SHUTDOWN", Command::Shutdown(Shutdown::AtOnce)),
            ("shutdown wait_for_servers", Command::Shutdown(Shutdown::WhenServersAreFree)),
            ("SHUTDOWN WAIT_FOR_CLIENTS", Command::Shutdown(Shutdown::WhenClientsHaveLeft)),
            ("WAIT_CLOSE shop", Command::WaitClose(database("shop"))),
            (
                "SHOW ROUTE shop 'select '';'' from t'",
                Command::Route {
                    database: Some("shop".to_owned()),
                    sql: "select ';' from t".to_owned(),
                },
            ),
            ("show route 'x'", Command::Route { database: None, sql: "x".to_owned() }),
            ("SET pool.max_size = 5", Command::Change("pool.max_size".to_owned())),
            ("SET extra_float_digits = 3", Command::Ignored("SET")),
            ("set application_name to 'it''s; me'", Command::Ignored("SET")),
            ("BEGIN", Command::Ignored("BEGIN")),
            ("DISCARD ALL", Command::Ignored("DISCARD ALL")),
        ] {
            assert_eq!(parsed(text), Ok(vec![command]), "{text}");
        }
    }

    #[test]
    fn several_commands_are_separated_by_semicolons_and_none_is_none() {
        let both = vec![Command::Pause(Scope::All), Command::Resume(Scope::All)];
        assert_eq!(parsed("PAUSE; RESUME;"), Ok(both));
        for text in ["", ";", " ;; ", "-- ping"] {
            assert_eq!(parsed(text), Ok(Vec::new()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for text in [
            "SELECT 1",
            "SHOW nonsense",
            "PAUSE a b",
            "SHOW ROUTE shop",
            "SHOW ROUTE a b 'select 1'",
            "RELOAD now",
            "DISABLE",
            "DRAIN",
            "UNDRAIN a b",
            "KILL_CLIENT",
            "KILL_CLIENT x",
            "KILL_CLIENT -1",
            "SHUTDOWN later",
            "PAUSE \"open",
            "'PAUSE'",
            "PAUSE (shop)",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parameters_that_drivers_ask_for_are_known() {
        for text in ["SHOW server_version", "show DateStyle;", "SHOW TRANSACTION ISOLATION LEVEL"] {
            assert!(matches!(parsed(text).as_deref(), Ok([Command::Parameter(_)])), "{text}");
        }
    }
}
