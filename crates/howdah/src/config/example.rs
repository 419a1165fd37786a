//! The commented example file, made from the table of keys, so that it cannot be out of date. Not a reader.
//!
//! Invariant: the file is valid as it is, once the named password is there, and every key of the table is in it.

use std::fmt::Write as _;

use super::document;
use super::keys::{Key, Kind, ROOT, Section, Shape};

/// Keys that are written out rather than as comments: the least that works.
const ACTIVE: [&str; 5] =
    ["cluster.name", "cluster.node.host", "cluster.node.port", "user.name", "user.password_env"];

const HEAD: &str = "\
# Howdah's configuration. Every key is here; what is commented out shows its default, or an example after \"e.g.\".
#
# Stronger than this file: environment variables (DATABASE_URL, DB_POOL_MAX, HOWDAH__POOL__MAX_SIZE for pool.max_size, …), and
# above them the command line (howdah up --set pool.max_size=10). `howdah config show --origin` prints what is in force and why.
# `howdah check` tries it out. SIGHUP reloads; keys marked (restart) keep their value until a restart.
";

/// The text of a commented `howdah.toml`.
#[must_use]
pub fn example() -> String {
    let mut text = HEAD.to_owned();
    for section in ROOT.sections {
        write(&mut text, section, "");
    }
    text
}

fn write(text: &mut String, section: &Section, parent: &str) {
    let path = document::join(parent, section.name);
    if parent == "database" {
        let (which, example) = match section.name {
            "pool" => ("Any key of [pool]", "max_size = 20"),
            "route" => ("What reads are promised, as in [route]", "policy = \"primary\""),
            _ => ("Whether answers are kept, as in [cache]", "mode = \"on\""),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n# {which}, for this database.\n# [{path}]\n# {example}");
        return;
    }
    text.push('\n');
    for line in section.doc.lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# {line}");
    }
    let active =
        section.keys.iter().any(|key| ACTIVE.contains(&document::join(&path, key.name).as_str()));
    let _ = match section.shape {
        Shape::One => writeln!(text, "[{path}]"),
        Shape::Named if active => writeln!(text, "[[{path}]]"),
        Shape::Named => writeln!(text, "# [[{path}]]"),
    };
    for key in section.keys {
        let active = ACTIVE.contains(&document::join(&path, key.name).as_str());
        write_key(text, key, active);
    }
    for inner in section.sections {
        write(text, inner, &path);
    }
}

fn write_key(text: &mut String, key: &Key, active: bool) {
    let mut lines: Vec<String> = key.doc.lines().map(str::to_owned).collect();
    let restart = if key.restart { "(restart)" } else { "" };
    match lines.last_mut() {
        Some(last) if !restart.is_empty() => last.push_str(&format!(" {restart}")),
        Some(_) => {}
        None if restart.is_empty() => {}
        None => lines.push(restart.to_owned()),
    }
    for line in lines {
        let _ = writeln!(text, "# {line}");
    }
    let value = key.default.unwrap_or(key.example);
    let value = match key.kind {
        Kind::Integer { .. } | Kind::Number => value.to_owned(),
        Kind::Word(_) if matches!(value, "true" | "false") => value.to_owned(),
        Kind::Duration(_) | Kind::Word(_) | Kind::Text | Kind::List => format!("{value:?}"),
    };
    let (lead, example) = match (active, key.default) {
        (true, _) => ("", ""),
        (false, Some(_)) => ("# ", ""),
        (false, None) => ("# ", "e.g. "),
    };
    let _ = writeln!(text, "{lead}{example}{} = {value}", key.name);
}
