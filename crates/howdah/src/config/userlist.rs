//! `auth.file`: users and passwords in the form of PgBouncer's `userlist.txt`. Not which of them count: `users`.
//!
//! A line is `"name" "password"`, a quote inside is written twice, and what follows is not read. Lines that begin with `;` or `#`
//! are comments.
//!
//! Invariant: no part of a password gets into a message.

use std::collections::BTreeMap;
use std::path::Path;

use howdah_proxy::settings::Secret;

use super::document::Origin;
use super::error::{ConfigError, Mistake};

/// What the file says: passwords by name; `None`: an empty one, which nobody can log in with.
pub(crate) type Userlist = BTreeMap<String, Option<Secret>>;

const FIX: &str = "\"name\" \"password\", each quote inside written twice";

/// Reads the text of such a file; `path` is for messages.
pub(crate) fn parse(text: &str, path: &Path, errors: &mut Vec<ConfigError>) -> Userlist {
    let mut users = Userlist::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        let mut fail = |kind, reason: String| {
            let origin = Origin::File { path: path.to_owned(), line: index + 1 };
            errors.push(ConfigError::new(kind, "auth.file", origin, reason, FIX));
        };
        match entry(line) {
            Ok((name, _)) if name.is_empty() => {
                fail(Mistake::Value, "a user without a name".to_owned());
            }
            Ok((name, _)) if users.contains_key(&name) => {
                fail(Mistake::Duplicate, format!("the user {name:?} is there already"));
            }
            Ok((name, password)) => {
                let secret = Some(password).filter(|password| !password.is_empty());
                users.insert(name, secret.map(Secret::recognise));
            }
            Err(reason) => fail(Mistake::Syntax, reason.to_owned()),
        }
    }
    users
}

/// Name and password of a line.
fn entry(line: &str) -> Result<(String, String), &'static str> {
    let (name, rest) = quoted(line).ok_or("the name is not in quotes")?;
    let (password, _) = quoted(rest).ok_or("the password is not in quotes")?;
    Ok((name, password))
}

/// The text in quotes that `from` begins with, and what follows.
fn quoted(from: &str) -> Option<(String, &str)> {
    let mut rest = from.trim_start().strip_prefix('"')?;
    let mut text = String::new();
    loop {
        let (before, after) = rest.split_once('"')?;
        text.push_str(before);
        rest = after;
        let Some(after) = rest.strip_prefix('"') else {
            return Some((text, rest));
        };
        text.push('"');
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_pgbouncer_is_understood() {
        let text = "; made by hand\n\"plain\" \"secret\"\n\n  \"md5 user\"\t\"md54a0a68b43b6cd5cf266fa02f196e2371\" \"ignored\"\n\
            # more\n\"scram\" \"SCRAM-SHA-256$4096:c2FsdA==$a:b\"\n\"with \"\"quotes\"\"\" \"p\"\"w\"\r\n\"nobody\" \"\"\n";
        let mut errors = Vec::new();
        let users = parse(text, Path::new("userlist.txt"), &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(users["plain"], Some(Secret::Plain("secret".to_owned())));
        assert!(matches!(users["md5 user"], Some(Secret::Md5(_))));
        assert!(matches!(users["scram"], Some(Secret::ScramVerifier(_))));
        assert_eq!(users["with \"quotes\""], Some(Secret::Plain("p\"w".to_owned())));
        assert_eq!(users["nobody"], None);
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_without_the_password() {
        let text = "\"a\" \"hidden1\"\nb \"hidden2\"\n\"c\" hidden3\n\"d\" \"hidden4\n\"a\" \"hidden5\"\n\"\" \"hidden6\"\n";
        let mut errors = Vec::new();
        parse(text, Path::new("userlist.txt"), &mut errors);
        let lines: Vec<String> = errors.iter().map(|error| error.origin.to_string()).collect();
        let expected: Vec<String> = (2..=6).map(|line| format!("userlist.txt:{line}")).collect();
        assert_eq!(lines, expected);
        assert!(errors.iter().all(|error| !error.to_string().contains("hidden")));
    }
}
