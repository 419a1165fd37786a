//! Rules for every text file: no unfinished marks, no paths of one machine, no links to places outside the known ones, nothing huge. Not spelling.

use crate::Finding;
use crate::tree::Tree;

/// Files above this belong into a release, not into the history.
const SIZE_MAX: u64 = 256 * 1024;

/// Marks of unfinished work. Spelled in two parts so that this file is not full of them.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// Macros of unfinished work.
const MACROS: [&str; 2] = [concat!("to", "do!("), concat!("unimple", "mented!(")];

/// Directories that exist on the machine of whoever wrote the line, and nowhere else.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Hosts a link may lead to. Package registries and mirrors are not among them on purpose: where packages come from is decided by the
/// machine that builds, not by a file of this repository.
const HOSTS: [&str; 24] = [
    "127.0.0.1",
    "[::1]",
    "localhost",
    "example.com",
    "example.org",
    "creativecommons.org",
    "doc.rust-lang.org",
    "docs.rs",
    "embarkstudios.github.io",
    "en.wikipedia.org",
    "events.pagerduty.com",
    "github.com",
    "jdbc.postgresql.org",
    "keepachangelog.com",
    "llvm.org",
    "no-color.org",
    "rustup.rs",
    "semver.org",
    "spdx.org",
    "www.apache.org",
    "www.pgbouncer.org",
    "www.postgresql.org",
    "www.rust-lang.org",
    "www.w3.org",
];

/// Names of registries, also without a link in front.
const REGISTRIES: [&str; 6] = [
    concat!("registry.", "npmjs"),
    concat!("registry.", "yarnpkg"),
    concat!("files.", "pythonhosted"),
    concat!("pypi.", "org/simple"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
];

/// Lines with a mark or macro of unfinished work.
#[must_use]
pub fn unfinished(tree: &Tree) -> Vec<Finding> {
    each_line(tree, |line| {
        let mut bare = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let mark = bare.find(|word| MARKS.contains(word));
        let found = mark.or_else(|| MACROS.into_iter().find(|name| line.contains(name)))?;
        Some(format!("`{found}`: finish it, or open an issue and say what the code does today"))
    })
}

/// Lines with an absolute path of somebody's machine.
#[must_use]
pub fn machine_paths(tree: &Tree) -> Vec<Finding> {
    each_line(tree, |line| {
        let found = MACHINE_PATHS.into_iter().find(|path| {
            line.match_indices(path).any(|(at, _)| {
                let before = line.get(..at).and_then(|before| before.chars().last());
                !before.is_some_and(|c| c.is_alphanumeric() || "_.-*~}".contains(c))
            })
        })?;
        Some(format!("`{found}` is a path of one machine: make it relative or a variable"))
    })
}

/// Links and names that lead to a package registry, a mirror, or anywhere else that is not on the list.
#[must_use]
pub fn hosts(tree: &Tree) -> Vec<Finding> {
    each_line(tree, |line| {
        if let Some(registry) = REGISTRIES.into_iter().find(|name| line.contains(name)) {
            return Some(format!("`{registry}` names a package registry"));
        }
        let unknown = links(line).find(|host| !HOSTS.contains(host))?;
        Some(format!(
            "a link to `{unknown}`: not a registry? then add it to HOSTS in crates/tidy/src/texts.rs"
        ))
    })
}

/// Files above the size limit.
#[must_use]
pub fn sizes(tree: &Tree) -> Vec<Finding> {
    let large = tree.files().iter().filter(|file| file.size > SIZE_MAX);
    large
        .map(|file| {
            Finding::of(
                &file.path,
                format!("{} KiB; the limit is {} KiB", file.size / 1024, SIZE_MAX / 1024),
            )
        })
        .collect()
}

/// Hosts of the http links in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("http").skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix("s://").or_else(|| rest.strip_prefix("://"))?;
        let end = rest.find(|c: char| "/\\\"'`)>|#?, ;".contains(c)).unwrap_or(rest.len());
        let authority = rest.get(..end)?.trim_end_matches('.');
        // `[::1]:80` and `host:80`; a placeholder such as `{host}` is not a link.
        let port = authority.rfind(':').filter(|_| !authority.ends_with(']'));
        let host = authority.get(..port.unwrap_or(authority.len()))?;
        let named = host.chars().any(char::is_alphanumeric) && !host.contains(['{', '$', '<']);
        named.then_some(host)
    })
}

/// Lines of every text file but Cargo.lock: a tool writes it, and it names the one public index by rule. Lock files of npm are read,
/// because there the host can be left out.
fn each_line(tree: &Tree, check: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        if path.rsplit('/').next() == Some("Cargo.lock") {
            continue;
        }
        for (line, text) in text.lines().enumerate() {
            if let Some(message) = check(text) {
                findings.push(Finding::at(path, line + 1, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(check: fn(&Tree) -> Vec<Finding>, text: &str) -> Vec<usize> {
        check(&Tree::of(&[("a.md", text)])).into_iter().filter_map(|f| f.line).collect()
    }

    #[test]
    fn marks_of_unfinished_work_are_found() {
        let [mark, fix, cross] = MARKS;
        let [mac, _] = MACROS;
        let text = format!("a // {mark}: b\nXX000 XXXXXX\n# {fix}\n({cross})\n{mac})\nmethod");
        assert_eq!(lines(unfinished, &text), [1, 3, 4, 5]);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let [work, root, home, _] = MACHINE_PATHS;
        let text =
            format!("cd {work}main\nbench{work}a\n\"{root}.cargo\"\n~{home}\n={home}me\n/var/lib");
        assert_eq!(lines(machine_paths, &text), [1, 3, 5]);
    }

    #[test]
    fn registries_and_unknown_hosts_are_found() {
        let registry = REGISTRIES[0];
        let text = format!(
            "https://www.postgresql.org/docs\nhttp://127.0.0.1:9091/\nsee {registry}.org\n\
             <https{mirror}>\nhttp{{s}}://\nhttps://github.com.\nhttp://[::1]:80/\nhttp://{{host}}/",
            mirror = "://mirror.invalid/simple"
        );
        assert_eq!(lines(hosts, &text), [3, 4]);
    }

    #[test]
    fn a_lock_file_of_npm_is_read_and_the_one_of_cargo_is_not() {
        let registry = REGISTRIES[0];
        let tree = Tree::of(&[("Cargo.lock", registry), ("a/package-lock.json", registry)]);
        let places: Vec<String> = hosts(&tree).into_iter().map(|f| f.place).collect();
        assert_eq!(places, ["a/package-lock.json"]);
    }

    #[test]
    fn a_large_file_is_found() {
        let tree = Tree::of(&[("a", &"x".repeat(256 * 1024)), ("b", &"x".repeat(256 * 1024 + 1))]);
        let places: Vec<String> = sizes(&tree).into_iter().map(|f| f.place).collect();
        assert_eq!(places, ["b"]);
    }
}
