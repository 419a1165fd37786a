//! Rules by address: `[[hba]]`, or a file in the form of `pg_hba.conf`. Not their use: that is the data plane's.
//!
//! Of PostgreSQL's file this is the part that PgBouncer knows: `local`, `host`, `hostssl`, `hostnossl`; names, `all`, `sameuser`; an
//! address with a prefix or a mask. What is not known is a mistake and never passed over: a rule that means something else than it
//! says lets the wrong people in.
//!
//! Invariant: every mistake has its line.

use std::net::IpAddr;
use std::path::Path;

use howdah_proxy::settings::{Connection, IpNet, Method, Names, Rule};

use super::document::{self, Origin, Table};
use super::error::{ConfigError, Mistake};
use super::keys::HBA;
use super::read::{Findings, Reader};

/// Reads all `[[hba]]`; `None`: there are none.
pub(crate) fn read(root: &Table, findings: &mut Findings) -> Option<Vec<Rule>> {
    let tables = root.named("hba");
    let mut rules = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let name = table.name();
        let path = document::path("", table.section, Some((index, name.as_deref())));
        let mut reader = Reader::new(HBA.keys, Some(table), path.clone(), findings);
        let name = reader.text("name").unwrap_or(path);
        rules.extend(rule(&mut reader, name));
    }
    Some(rules).filter(|_| !tables.is_empty())
}

fn rule(reader: &mut Reader<'_>, name: String) -> Option<Rule> {
    let connection = reader.word("type").and_then(connection);
    let databases = names(&reader.list("database").unwrap_or_default());
    let users = names(&reader.list("user").unwrap_or_default());
    let mut addresses = Vec::new();
    for text in reader.list("address").unwrap_or_default() {
        match network(&text) {
            Some(found) => addresses.extend(found),
            None => reader.fail(
                Mistake::Value,
                "address",
                format!("{text} is neither an address nor a network"),
                "for example \"10.0.0.0/8\", \"192.168.1.7\", \"fd00::/8\" or \"all\"",
            ),
        }
    }
    if !reader.is_given("method") {
        let fix = "method = \"scram-sha-256\"";
        reader.fail(Mistake::Missing, "method", "a rule that does not say what it asks for", fix);
    }
    let method = reader.word("method").and_then(method);
    let rule = Rule { name, connection: connection?, databases, users, addresses, method: method? };
    if let Some(reason) = contradiction(&rule) {
        reader.fail(Mistake::Conflict, "method", reason, "another method, or another type");
    }
    Some(rule)
}

fn connection(word: &str) -> Option<Connection> {
    Some(match word {
        "local" => Connection::Local,
        "host" => Connection::Host,
        "hostssl" => Connection::HostSsl,
        "hostnossl" => Connection::HostNoSsl,
        _ => return None,
    })
}

/// The method of a word of the table of keys or of a file.
pub(crate) fn method(word: &str) -> Option<Method> {
    Some(match word {
        "trust" => Method::Trust,
        "reject" => Method::Reject,
        "password" => Method::Password,
        "md5" => Method::Md5,
        "scram-sha-256" => Method::Scram,
        "cert" => Method::Cert,
        "peer" => Method::Peer,
        _ => return None,
    })
}

fn names(words: &[String]) -> Names {
    if words.iter().any(|word| word == "all") {
        return Names::All;
    }
    let same_user = words.iter().any(|word| word == "sameuser");
    let names = words.iter().filter(|word| *word != "sameuser").cloned().collect();
    Names::Listed { names, same_user }
}

/// An address or a network; an empty list for `all`.
fn network(text: &str) -> Option<Vec<IpNet>> {
    if text == "all" {
        return Some(Vec::new());
    }
    let alone = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(alone).map(|network: IpNet| vec![network])
}

fn contradiction(rule: &Rule) -> Option<&'static str> {
    match (rule.method, rule.connection) {
        (Method::Peer, Connection::Host | Connection::HostSsl | Connection::HostNoSsl) => {
            Some("peer is for Unix sockets: type = \"local\"")
        }
        (Method::Cert, Connection::Local | Connection::Host | Connection::HostNoSsl) => {
            Some("cert needs TLS: type = \"hostssl\"")
        }
        _ => None,
    }
}

/// Reads the text of a file; `path` is for messages.
pub(crate) fn parse(text: &str, path: &Path, errors: &mut Vec<ConfigError>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words = match words(line) {
            Ok(words) if words.is_empty() => continue,
            Ok(words) => line_rule(&words, format!("line {}", index + 1)),
            Err(reason) => Err(reason.to_owned()),
        };
        match words {
            Ok(rule) => rules.push(rule),
            Err(reason) => errors.push(ConfigError::new(
                Mistake::Syntax,
                "auth.hba_file",
                Origin::File { path: path.to_owned(), line: index + 1 },
                reason,
                "type database user [address] method, for example: host all all 10.0.0.0/8 scram-sha-256",
            )),
        }
    }
    rules
}

/// A column: items with their quotes gone, and whether they had any; keywords lose their meaning in quotes.
type Column = Vec<(String, bool)>;

/// Columns of a line without its comment.
fn words(line: &str) -> Result<Vec<Column>, &'static str> {
    let mut columns: Vec<Column> = Vec::new();
    let (mut item, mut quoted, mut open, mut inside) = (String::new(), false, false, false);
    let mut more = false;
    for letter in line.chars().chain([' ']) {
        if inside {
            match letter {
                '"' => inside = false,
                other => item.push(other),
            }
            continue;
        }
        let ends = letter.is_whitespace() || matches!(letter, ',' | '#');
        if ends && open {
            let items = (std::mem::take(&mut item), std::mem::take(&mut quoted));
            open = false;
            match columns.last_mut().filter(|_| more) {
                Some(column) => column.push(items),
                None => columns.push(vec![items]),
            }
            more = false;
        }
        match letter {
            '#' => break,
            ',' => more = true,
            '"' => (inside, open, quoted) = (true, true, true),
            other if !other.is_whitespace() => {
                open = true;
                item.push(other);
            }
            _ => {}
        }
    }
    if inside { Err("a quote that does not end") } else { Ok(columns) }
}

fn line_rule(columns: &[Column], name: String) -> Result<Rule, String> {
    let mut columns = columns.iter();
    let mut next =
        |what: &str| columns.next().ok_or_else(|| format!("the line ends before the {what}"));
    let kind = single(next("type")?)?;
    let connection = connection(kind).ok_or_else(|| format!("the type {kind:?} is not known"))?;
    let databases = listed(next("database")?, "database")?;
    let users = listed(next("user")?, "user")?;
    let mut addresses = Vec::new();
    if connection != Connection::Local {
        let text = single(next("address")?)?;
        let unknown =
            || format!("{text:?} is neither an address nor a network; names are not looked up");
        if let (Ok(address), false) = (text.parse::<IpAddr>(), text.contains('/')) {
            let mask = single(next("mask, or the address's prefix,")?)?;
            let mask: IpAddr = mask.parse().map_err(|_| {
                format!("the address {text} needs a prefix, such as {text}/32, or a mask behind it")
            })?;
            let found = IpNet::with_netmask(address, mask);
            addresses.push(found.map_err(|_| format!("{mask} is no mask for {address}"))?);
        } else {
            addresses = network(text).ok_or_else(unknown)?;
        }
    }
    let word = single(next("method")?)?;
    let method =
        method(word).ok_or_else(|| format!("the method {word:?} is not known to Howdah"))?;
    if let Some(option) = columns.next() {
        return Err(format!("the option {:?} is not known to Howdah", single(option)?));
    }
    let rule = Rule { name, connection, databases, users, addresses, method };
    match contradiction(&rule) {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(rule),
    }
}

fn single(column: &Column) -> Result<&str, String> {
    match column.as_slice() {
        [(only, _)] => Ok(only),
        _ => Err("a list where one word belongs".to_owned()),
    }
}

fn listed(column: &Column, what: &str) -> Result<Names, String> {
    let (mut names, mut same_user, mut all) = (Vec::new(), false, false);
    for (item, quoted) in column {
        match item.as_str() {
            item if *quoted => names.push(item.to_owned()),
            "all" => all = true,
            "sameuser" if what == "database" => same_user = true,
            "samerole" | "samegroup" => return Err(format!("{item} is not known to Howdah")),
            item if item.starts_with(['+', '@', '/']) => {
                return Err(format!("{item}: roles, files and patterns are not known to Howdah"));
            }
            item => names.push(item.to_owned()),
        }
    }
    Ok(if all { Names::All } else { Names::Listed { names, same_user } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Rule>, Vec<String>> {
        let mut errors = Vec::new();
        let rules = parse(text, Path::new("pg_hba.conf"), &mut errors);
        let told: Vec<_> =
            errors.iter().map(|error| format!("{} {}", error.origin, error.reason)).collect();
        if told.is_empty() { Ok(rules) } else { Err(told) }
    }

    #[test]
    fn the_file_that_postgresql_comes_with_is_understood() {
        let text = "# TYPE  DATABASE        USER            ADDRESS                 METHOD\n\n\
            local   all             all                                     peer\n\
            host    all             all             127.0.0.1/32            scram-sha-256 # local\n\
            host    all             all             ::1/128                 md5\n\
            hostssl shop,\"all\", sameuser  app , \"Two words\"  10.0.0.0  255.0.0.0  cert\n\
            host    replication     all             all            reject\n";
        let rules = parsed(text).expect("no mistake");
        assert_eq!(rules.len(), 5);
        assert_eq!((rules[0].connection, rules[0].method), (Connection::Local, Method::Peer));
        assert_eq!(rules[1].addresses, ["127.0.0.1/32".parse::<IpNet>().unwrap()]);
        assert_eq!(rules[1].name, "line 4");
        let names = |list: &[&str], same_user| Names::Listed {
            names: list.iter().map(|name| (*name).to_owned()).collect(),
            same_user,
        };
        assert_eq!(rules[3].databases, names(&["shop", "all"], true));
        assert_eq!(rules[3].users, names(&["app", "Two words"], false));
        assert_eq!(rules[3].addresses, ["10.0.0.0/8".parse::<IpNet>().unwrap()]);
        assert!(rules[4].addresses.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_a_mistake_with_its_line() {
        for (line, part) in [
            ("host all all", "ends before the address"),
            ("host all all 10.0.0.0/8", "ends before the method"),
            ("hostgssenc all all all trust", "type \"hostgssenc\""),
            ("host all all example.com md5", "neither an address"),
            ("host all all 10.0.0.0 md5", "needs a prefix"),
            ("host all all 10.0.0.0/33 md5", "neither an address"),
            ("host all all samenet md5", "neither an address"),
            ("host all +admins all md5", "roles, files and patterns"),
            ("host @dbs all all md5", "roles, files and patterns"),
            ("host samerole all all md5", "samerole"),
            ("host all all all ldap", "method \"ldap\""),
            ("host all all all cert", "needs TLS"),
            ("host all all all peer", "Unix sockets"),
            ("local all all peer map=x", "option \"map=x\""),
            ("local \"all all peer", "quote"),
            ("include other.conf", "type \"include\""),
        ] {
            let told = parsed(&format!("# first\n{line}\n")).expect_err(line);
            assert_eq!(told.len(), 1, "{line}: {told:?}");
            assert!(told[0].starts_with("pg_hba.conf:2 ") && told[0].contains(part), "{told:?}");
        }
    }
}
