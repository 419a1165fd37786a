//! The commands of the console, from their text. Not what they do (`execute`) and not who may (`rights`).
//!
//! Length: one language, and how all of it is read, in one place.
//!
//! Invariant: words of the language may be in any case; names of databases are taken as they are written.

use std::time::Duration;

use howdah_core::alerts::{self, Rule};
use howdah_core::cache::Part;
use howdah_core::cache::wish::Mode;
use howdah_core::route::parse_time;
use howdah_core::rules::TableName;
use howdah_sql::Fingerprint;
use howdah_wire::sqlstate::SqlState;

use super::parameters;
use super::show::Topic;
use crate::error::Refusal;
use crate::holds::Scope;
use crate::host::Shutdown;

/// One command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// `SHOW topic`
    Show(Topic),
    /// `SHOW parameter`, for drivers: position in [`parameters::ALL`].
    Parameter(usize),
    /// What drivers say on every connection, and what changes nothing here; the tag to answer with.
    Ignored(&'static str),
    /// `SET key = value` for a key of the configuration.
    Change(String),
    /// `CACHE ON`, `OFF`, `OBSERVE`, `RESET`, until the next start: instead of what the configuration says.
    Cache(Option<Mode>),
    /// `CACHE FLUSH [TABLE name|TAG name|FINGERPRINT number]`; without a part: all answers.
    CacheFlush(Option<Part>),
    /// `CACHE WARM`
    CacheWarm,
    /// `CACHE EXPLAIN [database] 'statement'`
    CacheExplain {
        database: Option<String>,
        sql: String,
    },
    Disable(String),
    /// `DRAIN node`
    Drain(String),
    Enable(String),
    Kill(Scope),
    KillClient(u32),
    /// `MARK 'text'`: a moment to be remembered in the history.
    Mark(String),
    Pause(Scope),
    /// `PAUSE [database] WHILE CONNECTED`: it ends with the connection, however that ends.
    PauseWhileConnected(Scope),
    Reconnect(Scope),
    Reload,
    Resume(Scope),
    /// `SHOW ROUTE [database] 'statement'`
    Route {
        database: Option<String>,
        sql: String,
    },
    Shutdown(Shutdown),
    /// `SILENCE rule|ALL time ['reason']`: nobody is told of the rule for so long.
    Silence {
        rule: Option<&'static Rule>,
        time: Duration,
        reason: String,
    },
    Suspend,
    /// `UNDRAIN node`
    Undrain(String),
    /// `UNSILENCE rule|ALL`
    Unsilence(Option<&'static Rule>),
    WaitClose(Scope),
}

impl Command {
    /// The tag of its `CommandComplete`.
    pub(super) const fn tag(&self) -> &'static str {
        match self {
            Self::Show(_) | Self::Parameter(_) | Self::Route { .. } => "SHOW",
            Self::Ignored(tag) => tag,
            Self::Change(_) => "SET",
            Self::Cache(_) | Self::CacheFlush(_) | Self::CacheWarm | Self::CacheExplain { .. } => {
                "CACHE"
            }
            Self::Disable(_) => "DISABLE",
            Self::Drain(_) => "DRAIN",
            Self::Enable(_) => "ENABLE",
            Self::Kill(_) => "KILL",
            Self::KillClient(_) => "KILL_CLIENT",
            Self::Mark(_) => "MARK",
            Self::Pause(_) | Self::PauseWhileConnected(_) => "PAUSE",
            Self::Reconnect(_) => "RECONNECT",
            Self::Reload => "RELOAD",
            Self::Resume(_) => "RESUME",
            Self::Shutdown(_) => "SHUTDOWN",
            Self::Silence { .. } => "SILENCE",
            Self::Suspend => "SUSPEND",
            Self::Undrain(_) => "UNDRAIN",
            Self::Unsilence(_) => "UNSILENCE",
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

/// What stands behind `CACHE`.
fn cache(rest: &[Token]) -> Option<Command> {
    let (word, rest) = rest.split_first()?;
    match (word.keyword().as_str(), rest) {
        ("flush", []) => Some(Command::CacheFlush(None)),
        ("flush", [kind, name]) => Some(Command::CacheFlush(Some(part(kind, name.text()?)?))),
        ("reset", []) => Some(Command::Cache(None)),
        ("warm", []) => Some(Command::CacheWarm),
        ("explain", [sql]) => {
            Some(Command::CacheExplain { database: None, sql: quoted_text(sql)? })
        }
        ("explain", [database, sql]) => {
            let database = Some(database.text()?.to_owned());
            Some(Command::CacheExplain { database, sql: quoted_text(sql)? })
        }
        (mode, []) => Mode::parse(mode).map(|mode| Command::Cache(Some(mode))),
        _ => None,
    }
}

/// What `CACHE FLUSH` forgets.
fn part(kind: &Token, name: &str) -> Option<Part> {
    match kind.keyword().as_str() {
        "table" => Some(Part::Table(TableName::parse(name))),
        "tag" => Some(Part::Tag(name.to_owned())),
        "fingerprint" => {
            let form = u64::from_str_radix(name, 16).ok().filter(|_| name.len() == 16)?;
            Some(Part::Form(Fingerprint(form)))
        }
        _ => None,
    }
}

/// The rule of alerts that a word names; `None`: all of them.
fn alert_rule(token: &Token) -> Result<Option<&'static Rule>, Refusal> {
    let name = token.text().unwrap_or_default().to_ascii_lowercase();
    if name == "all" {
        return Ok(None);
    }
    let unknown = || {
        let text = format!("no such rule of alerts: {name}");
        Refusal::new(SqlState::UNDEFINED_OBJECT, text)
            .hint("SHOW ALERTS and howdah alerts rules have their names; ALL means all.")
    };
    alerts::rule(&name).map(Some).ok_or_else(unknown)
}

/// What stands behind `SILENCE`.
fn silence(rest: &[Token]) -> Result<Command, Refusal> {
    let usage = || syntax("SILENCE needs a rule or ALL, and a time: SILENCE replica_lag 2h 'why'");
    let (rule, time, reason) = match rest {
        [rule, time] => (rule, time, String::new()),
        [rule, time, reason] => (rule, time, reason.text().unwrap_or_default().to_owned()),
        _ => return Err(usage()),
    };
    let time = time.text().and_then(parse_time).ok_or_else(usage)?;
    Ok(Command::Silence { rule: alert_rule(rule)?, time, reason })
}

fn quoted_text(token: &Token) -> Option<String> {
    match token {
        Token::Quoted(text) => Some(text.clone()),
        Token::Word(_) | Token::Sign(_) => None,
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
    let (rest, connected) = while_connected(rest);
    if connected && verb != "pause" {
        return Err(syntax(format!("invalid command '{}', use SHOW HELP;", spoken(tokens))));
    }
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
        "cache" => cache(rest).ok_or_else(unknown)?,
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
        "mark" => Command::Mark(argument?.ok_or_else(|| syntax("MARK needs a text in quotes"))?),
        "pause" if connected => Command::PauseWhileConnected(scope(argument?)),
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
        "silence" => silence(rest)?,
        "unsilence" => match rest {
            [rule] => Command::Unsilence(alert_rule(rule)?),
            _ => return Err(syntax("UNSILENCE needs a rule, or ALL")),
        },
        "suspend" if rest.is_empty() => Command::Suspend,
        "wait_close" => Command::WaitClose(scope(argument?)),
        other => Command::Ignored(ignored(other).ok_or_else(unknown)?),
    })
}

/// What is in front of a final `WHILE CONNECTED`, and whether that was there.
fn while_connected(words: &[Token]) -> (&[Token], bool) {
    match words {
        [front @ .., while_, connected]
            if while_.keyword() == "while" && connected.keyword() == "connected" =>
        {
            (front, true)
        }
        _ => (words, false),
    }
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
            ("PAUSE WHILE CONNECTED", Command::PauseWhileConnected(Scope::All)),
            ("pause shop while connected;", Command::PauseWhileConnected(database("shop"))),
            ("PAUSE \"while\"", Command::Pause(database("while"))),
            ("PAUSE \"odd \"\"name\"", Command::Pause(database("odd \"name"))),
            ("resume shop", Command::Resume(database("shop"))),
            ("/* why */ KILL shop -- now", Command::Kill(database("shop"))),
            ("KILL_CLIENT 4711", Command::KillClient(4711)),
            ("disable shop", Command::Disable("shop".to_owned())),
            ("CACHE off", Command::Cache(Some(Mode::Off))),
            ("cache reset", Command::Cache(None)),
            ("cache flush", Command::CacheFlush(None)),
            ("cache warm", Command::CacheWarm),
            (
                "CACHE FLUSH TABLE app.Orders",
                Command::CacheFlush(Some(Part::Table(TableName::parse("app.Orders")))),
            ),
            ("cache flush tag 'a b'", Command::CacheFlush(Some(Part::Tag("a b".to_owned())))),
            (
                "CACHE FLUSH FINGERPRINT 00000000000000ff",
                Command::CacheFlush(Some(Part::Form(Fingerprint(255)))),
            ),
            (
                "CACHE EXPLAIN shop 'SELECT 1'",
                Command::CacheExplain {
                    database: Some("shop".to_owned()),
                    sql: "SELECT 1".to_owned(),
                },
            ),
            ("drain 'replica 1'", Command::Drain("replica 1".to_owned())),
            (
                "SILENCE replica_lag 2h 'we know';",
                Command::Silence {
                    rule: alerts::rule("replica_lag"),
                    time: Duration::from_secs(7_200),
                    reason: "we know".to_owned(),
                },
            ),
            ("unsilence ALL", Command::Unsilence(None)),
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
            "RESUME while connected",
            "SHOW ROUTE shop",
            "SHOW ROUTE a b 'select 1'",
            "RELOAD now",
            "DISABLE",
            "DRAIN",
            "UNDRAIN a b",
            "CACHE",
            "CACHE maybe",
            "CACHE FLUSH shop",
            "CACHE FLUSH TABLE",
            "CACHE FLUSH FINGERPRINT ff",
            "CACHE EXPLAIN select",
            "KILL_CLIENT",
            "KILL_CLIENT x",
            "KILL_CLIENT -1",
            "SHUTDOWN later",
            "SILENCE",
            "SILENCE nonsense 2h",
            "SILENCE replica_lag soon",
            "UNSILENCE",
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
