//! Passwords from where they are kept: in the file itself, in another file, in a variable, or printed by a command. Not their use.
//!
//! Invariant: what is read here appears in no message; a message names the place only.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::error::Mistake;
use super::read::{Hidden, Reader};

/// How long a command may take to print a password. It runs at every start and reload, in the way of both.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);
/// How often it is looked after.
const COMMAND_GLANCE: Duration = Duration::from_millis(5);

/// The keys that may give a password.
fn ways(prefix: &str) -> [String; 4] {
    ["", "_file", "_env", "_command"].map(|suffix| format!("{prefix}{suffix}"))
}

/// Whether one of the keys is given, be it readable or not.
pub(crate) fn is_given(reader: &Reader<'_>, prefix: &str) -> bool {
    ways(prefix).iter().any(|key| reader.is_given(key))
}

/// The password that `prefix`, `prefix_file`, `prefix_env` or `prefix_command` gives; `None`: none of them, or reported.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    prefix: &str,
    environment: &HashMap<String, String>,
) -> Option<String> {
    let ways = ways(prefix);
    let given: Vec<_> = ways.iter().filter(|key| reader.is_given(key)).collect();
    if let [first, second, ..] = given.as_slice() {
        let reason = format!("contradicts {first}: a password has one source");
        reader.fail(Mistake::Conflict, second, reason, "keep one of them");
        return None;
    }
    let key = given.first()?.as_str();
    let text = reader.text(key)?;
    let found = match key.strip_prefix(prefix) {
        Some("_file") => from_file(&text),
        Some("_env") => from_variable(&text, environment),
        Some("_command") => from_command(&text),
        Some(_) | None => return Some(text),
    };
    match found {
        Ok(password) if password.is_empty() => {
            reader.fail(Mistake::Unreadable, key, "gives an empty password", "put one there");
            None
        }
        Ok(password) => {
            let path = reader.path(key);
            let entries = reader.findings().entries.iter_mut();
            if let Some(entry) = entries.rev().find(|entry| entry.key == path) {
                entry.hidden = Some(Hidden(password.clone()));
            }
            Some(password)
        }
        Err((reason, fix)) => {
            reader.fail(Mistake::Unreadable, key, reason, fix);
            None
        }
    }
}

type Answer = Result<String, (String, &'static str)>;

fn from_file(path: &str) -> Answer {
    std::fs::read_to_string(path)
        .map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
        .map_err(|error| {
            (
                format!("cannot be read: {error}"),
                "a file that this user may read and that holds only the password",
            )
        })
}

fn from_variable(name: &str, environment: &HashMap<String, String>) -> Answer {
    environment
        .get(name)
        .cloned()
        .ok_or_else(|| (format!("the variable {name} is not set"), "set it, or name another"))
}

fn from_command(command: &str) -> Answer {
    const FIX: &str = "a shell command that prints the password and ends with status 0";
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| (format!("cannot be run: {error}"), FIX))?;
    let deadline = Instant::now() + COMMAND_LIMIT;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(COMMAND_GLANCE),
            Ok(None) => {
                // It may have ended by itself in this moment; either way it is over.
                let _ = child.kill();
                let _ = child.wait();
                return Err((format!("took longer than {} s", COMMAND_LIMIT.as_secs()), FIX));
            }
            Err(error) => return Err((format!("cannot be waited for: {error}"), FIX)),
        }
    };
    if !status.success() {
        return Err((format!("the command failed ({status})"), FIX));
    }
    let output = child.stdout.take().map(std::io::read_to_string);
    match output {
        Some(Ok(text)) => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
        Some(Err(error)) => Err((format!("its output cannot be read: {error}"), FIX)),
        None => Ok(String::new()),
    }
}
