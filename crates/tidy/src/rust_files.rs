//! Rules for single Rust files: head, length, names, no orphans, purity. Not formatting and not function length: rustfmt and clippy have those.

use crate::Finding;
use crate::source::{code, declarations, without_tests, words};
use crate::tree::Tree;

/// Lines a file may have without a reason.
const LENGTH: usize = 500;
/// Lines no file may have.
const LENGTH_MAX: usize = 700;
/// Where a pure room would leave the world of values. Looked for in product code only.
const IMPURE_PATHS: [&str; 10] = [
    "std::net",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "Instant::now",
    "SystemTime::now",
    "thread_local!",
];

/// Files that do not begin with a `//!` head that says something.
#[must_use]
pub fn heads(tree: &Tree) -> Vec<Finding> {
    let bad = tree.rust().filter(|(_, text)| {
        let head = text.lines().next().and_then(|line| line.strip_prefix("//! "));
        // One word keeps a place free; it is no head.
        head.is_none_or(|head| head.split_whitespace().count() < 2)
    });
    bad.map(|(path, _)| {
        Finding::at(path, 1, "begin with `//!`: what this file is, what it is not, its invariant")
    })
    .collect()
}

/// Files that are too long, or long without a `//! Length: reason` in the head.
#[must_use]
pub fn lengths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        let lines = text.lines().count();
        let mut head = text.lines().take_while(|line| line.starts_with("//!"));
        if lines > LENGTH_MAX {
            findings.push(Finding::of(
                path,
                format!("{lines} lines; the limit is {LENGTH_MAX}: split it"),
            ));
        } else if lines > LENGTH && !head.any(|line| line.starts_with("//! Length: ")) {
            findings.push(Finding::of(
                path,
                format!("{lines} lines; above {LENGTH} the head needs `//! Length: <reason>`, or split it"),
            ));
        }
    }
    findings
}

/// Names of files and declarations with a word the glossary does not want in names.
#[must_use]
pub fn names(tree: &Tree, unwanted: &[String]) -> Vec<Finding> {
    let is_unwanted = |name: &str| words(name).into_iter().find(|word| unwanted.contains(word));
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        for part in path.split('/') {
            if let Some(word) = is_unwanted(part.trim_end_matches(".rs")) {
                findings
                    .push(Finding::of(path, format!("`{word}` in a file name (docs/glossary.md)")));
            }
        }
        for (line, name) in declarations(&code(text)) {
            if let Some(word) = is_unwanted(name) {
                findings.push(Finding::at(
                    path,
                    line,
                    format!("`{word}` in `{name}` (docs/glossary.md)"),
                ));
            }
        }
    }
    findings
}

/// Files below `src/` that no module declares: the compiler never sees them.
#[must_use]
pub fn orphans(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _) in tree.rust() {
        let Some((package, inner)) = path.split_once("/src/") else {
            continue;
        };
        let inner =
            inner.strip_suffix("/mod.rs").or_else(|| inner.strip_suffix(".rs")).unwrap_or(inner);
        let (above, name) = inner.rsplit_once('/').unwrap_or(("", inner));
        if above == "bin" || (above.is_empty() && (name == "lib" || name == "main")) {
            continue;
        }
        let parents = if above.is_empty() {
            [format!("{package}/src/lib.rs"), format!("{package}/src/main.rs")]
        } else {
            [format!("{package}/src/{above}.rs"), format!("{package}/src/{above}/mod.rs")]
        };
        let program = format!("{package}/src/bin/{}", above.trim_start_matches("bin/"));
        if above.starts_with("bin/") && tree.has(&format!("{program}/main.rs")) {
            continue;
        }
        let declared = parents.iter().filter_map(|parent| tree.text(parent)).any(|text| {
            let code = code(text);
            code.contains(&format!("mod {name};")) || code.contains(&format!("mod {name} {{"))
        });
        if !declared {
            findings.push(Finding::of(
                path,
                format!("no parent says `mod {name};`: delete it or declare it"),
            ));
        }
    }
    findings
}

/// Product code of pure rooms that touches sockets, files, clocks, the environment or threads.
#[must_use]
pub fn impurities(tree: &Tree, pure_directories: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        // A module `tests` in a file of its own is not in the product.
        if path.ends_with("/tests.rs") || path.contains("/tests/") {
            continue;
        }
        if !pure_directories.iter().any(|room| path.starts_with(&format!("{room}src/"))) {
            continue;
        }
        for (line, text) in without_tests(&code(text)).lines().enumerate() {
            for impure in IMPURE_PATHS.iter().filter(|impure| text.contains(**impure)) {
                findings.push(Finding::at(
                    path,
                    line + 1,
                    format!("`{impure}` in a pure room: take the value as an argument"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "//! What this file is.\n";

    #[test]
    fn a_file_without_a_head_is_found() {
        let tree = Tree::of(&[
            ("a.rs", "//! What this file is, and what not.\n"),
            ("b.rs", "use std::fmt;\n//! Too late.\n"),
            ("c.rs", "//! placeholder\n"),
            ("d.rs", ""),
            ("e.md", "no Rust"),
        ]);
        let places: Vec<String> = heads(&tree).into_iter().map(|f| f.place).collect();
        assert_eq!(places, ["b.rs", "c.rs", "d.rs"]);
    }

    #[test]
    fn long_files_need_a_reason_and_very_long_ones_are_refused() {
        let reason = "//! Length: one table, one row per statement kind.\n";
        let lines = |count: usize| "x\n".repeat(count);
        let tree = Tree::of(&[
            ("fine.rs", &lines(500)),
            ("long.rs", &lines(501)),
            ("reason.rs", &format!("{HEAD}{reason}{}", lines(600))),
            ("huge.rs", &format!("{HEAD}{reason}{}", lines(700))),
        ]);
        let places: Vec<String> = lengths(&tree).into_iter().map(|f| f.place).collect();
        assert_eq!(places, ["long.rs", "huge.rs"]);
    }

    #[test]
    fn unwanted_words_are_found_in_names_only() {
        let unwanted = ["manager".to_owned(), "common".to_owned()];
        let tree = Tree::of(&[
            ("src/pool_manager.rs", ""),
            (
                "src/a.rs",
                "struct PoolManager;\n// manager\nuse x::common;\nfn f() { common(\"manager\") }",
            ),
            ("src/common/b.rs", "mod common;"),
        ]);
        let found: Vec<(String, Option<usize>)> =
            names(&tree, &unwanted).into_iter().map(|f| (f.place, f.line)).collect();
        assert_eq!(
            found,
            [
                ("src/pool_manager.rs".to_owned(), None),
                ("src/a.rs".to_owned(), Some(1)),
                ("src/common/b.rs".to_owned(), None),
                ("src/common/b.rs".to_owned(), Some(1)),
            ]
        );
    }

    #[test]
    fn a_file_that_no_module_declares_is_found() {
        let tree = Tree::of(&[
            ("crates/x/src/lib.rs", "pub mod a; // mod lost;"),
            ("crates/x/src/a.rs", "mod b;"),
            ("crates/x/src/a/b.rs", ""),
            ("crates/x/src/lost.rs", ""),
            ("crates/x/src/a/lost.rs", ""),
            ("crates/x/src/bin/tool.rs", ""),
            ("crates/x/tests/free.rs", ""),
        ]);
        let places: Vec<String> = orphans(&tree).into_iter().map(|f| f.place).collect();
        assert_eq!(places, ["crates/x/src/lost.rs", "crates/x/src/a/lost.rs"]);
    }

    #[test]
    fn a_clock_in_a_pure_room_is_found_but_not_in_its_tests() {
        let text =
            "// Instant::now\nfn f() { Instant::now() }\n#[cfg(test)]\nmod tests { std::fs::read }";
        let tree = Tree::of(&[("crates/core/src/a.rs", text), ("crates/proxy/src/a.rs", text)]);
        let found = impurities(&tree, &["crates/core/".to_owned()]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].place.as_str(), found[0].line), ("crates/core/src/a.rs", Some(2)));
    }
}
