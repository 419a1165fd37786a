//! Documents that must keep up with the code: the map of crates, the change log, links, commands, configuration keys, error codes, the
//! glossary's list of unwanted words. Not about their prose.

use std::collections::BTreeSet;

use crate::Finding;
use crate::source::{code, without_tests};
use crate::tree::Tree;

/// Where the words that are not wanted in names are listed.
pub const GLOSSARY: &str = "docs/glossary.md";
/// The heading of that list.
const UNWANTED: &str = "## Not in names";

/// Members of the workspace (directories below the root) that ARCHITECTURE.md does not name.
#[must_use]
pub fn map_of_crates(tree: &Tree, directories: &[String]) -> Vec<Finding> {
    const MAP: &str = "ARCHITECTURE.md";
    let map = tree.text(MAP).unwrap_or_default();
    let missing = directories.iter().filter(|directory| !map.contains(&format!("`{directory}`")));
    missing.map(|directory| Finding::of(MAP, format!("does not name `{directory}`"))).collect()
}

/// A change log without a place for what comes next.
#[must_use]
pub fn change_log(tree: &Tree) -> Vec<Finding> {
    const LOG: &str = "CHANGELOG.md";
    let unreleased =
        tree.text(LOG).unwrap_or_default().lines().any(|line| line == "## [Unreleased]");
    if unreleased {
        Vec::new()
    } else {
        vec![Finding::of(LOG, "needs a section `## [Unreleased]`")]
    }
}

/// Relative links in Markdown files that lead nowhere.
#[must_use]
pub fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in markdown(tree) {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        for (number, line) in text.lines().enumerate() {
            for target in link_targets(line) {
                let file = target.split('#').next().unwrap_or_default();
                if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                    continue;
                }
                if !resolve(directory, file).is_some_and(|file| tree.has(&file)) {
                    findings.push(Finding::at(
                        path,
                        number + 1,
                        format!("the link to `{target}` leads nowhere"),
                    ));
                }
            }
        }
    }
    findings
}

/// Paths in backquotes in Markdown files, below a directory of the repository, that do not exist.
#[must_use]
pub fn paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in markdown(tree) {
        for (number, line) in text.lines().enumerate() {
            for quoted in line.split('`').skip(1).step_by(2) {
                let top = quoted.split_once('/').map(|(top, _)| top);
                let plain = quoted.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
                let ours = top.is_some_and(|top| !top.is_empty() && tree.has(top));
                if plain && ours && !tree.has(quoted) {
                    findings.push(Finding::at(
                        path,
                        number + 1,
                        format!("`{quoted}` does not exist"),
                    ));
                }
            }
        }
    }
    findings
}

/// `make` commands in Markdown files that the Makefile does not have.
#[must_use]
pub fn make_commands(tree: &Tree) -> Vec<Finding> {
    let makefile = tree.text("Makefile").unwrap_or_default();
    let mut findings = Vec::new();
    for (path, text) in markdown(tree) {
        for (number, line) in text.lines().enumerate() {
            let commands = line.split('`').skip(1).step_by(2).chain(Some(line.trim_start()));
            for command in commands {
                let Some(target) =
                    command.strip_prefix("make ").and_then(|c| c.split_whitespace().next())
                else {
                    continue;
                };
                let is_name = target.chars().all(|c| c.is_ascii_lowercase() || c == '-');
                let inside_code = command != line.trim_start() || fenced(text, number);
                let known = makefile.lines().any(|rule| rule.starts_with(&format!("{target}:")));
                if is_name && inside_code && !known {
                    findings.push(Finding::at(
                        path,
                        number + 1,
                        format!("the Makefile has no `{target}`"),
                    ));
                }
            }
        }
    }
    findings
}

/// Keys of the configuration (the table in `keys.rs`) that the example file or the guide does not show, or shows with another default.
#[must_use]
pub fn configuration_keys(tree: &Tree) -> Vec<Finding> {
    const TABLE: &str = "crates/howdah/src/config/keys.rs";
    const GUIDE: &str = "docs/guide/configuration.md";
    let table = tree.text(TABLE).unwrap_or_default();
    let product = table.split("#[cfg(test)]").next().unwrap_or_default();
    let keys: Vec<(&str, Option<&str>)> =
        product.split("Key::new(\"").skip(1).filter_map(key).collect();
    if keys.is_empty() {
        return vec![Finding::of(
            TABLE,
            "no `Key::new(\"…\"` found: this check has lost its table",
        )];
    }
    let mut findings = Vec::new();
    for document in ["howdah.example.toml", GUIDE] {
        let text = tree.text(document).unwrap_or_default();
        for (key, default) in &keys {
            let lines = || {
                text.lines().filter(|line| {
                    // A row of a table, a key, or one in a comment, perhaps with an example value.
                    let line = line.trim_start_matches(['#', ' ', '|', '`']);
                    line.strip_prefix("e.g. ")
                        .unwrap_or(line)
                        .strip_prefix(key)
                        .is_some_and(|rest| rest.starts_with([' ', '=', '`']))
                })
            };
            if lines().next().is_none() {
                findings.push(Finding::of(document, format!("does not show the key `{key}`")));
            } else if let Some(default) = default.filter(|_| document == GUIDE)
                && !lines().any(|line| line.contains(&format!("| `{default}` |")))
            {
                findings
                    .push(Finding::of(document, format!("the default of `{key}` is `{default}`")));
            }
        }
    }
    findings
}

/// Name and default of what follows `Key::new("` up to the next key.
fn key(text: &str) -> Option<(&str, Option<&str>)> {
    let name = text.split('"').next()?;
    let default = text.split(".default(\"").nth(1).and_then(|rest| rest.split('"').next());
    Some((name, default))
}

/// SQLSTATEs that Howdah itself may send (constants of `sqlstate.rs` used in the given directories) without a row in the guide to errors, and
/// rows for codes that it never sends.
#[must_use]
pub fn error_codes(tree: &Tree, directories: &[&str]) -> Vec<Finding> {
    const TABLE: &str = "crates/wire/src/sqlstate.rs";
    const GUIDE: &str = "docs/guide/errors.md";
    let table = tree.text(TABLE).unwrap_or_default();
    let constants: Vec<(&str, &str)> = table.lines().filter_map(constant).collect();
    if constants.is_empty() {
        return vec![Finding::of(TABLE, "no constant found: this check has lost its table")];
    }
    let sources: String = tree
        .rust()
        .filter(|(path, _)| directories.iter().any(|directory| path.starts_with(directory)))
        .map(|(_, text)| without_tests(&code(text)).to_owned())
        .collect();
    // `SqlState::NAME`, cut at `SqlState::`: the name is the beginning of each piece.
    let names: BTreeSet<&str> = sources
        .split("SqlState::")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next())
        .collect();
    let used = |name: &str| names.contains(name);
    let guide = tree.text(GUIDE).unwrap_or_default();
    let rows: BTreeSet<&str> = guide
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.split('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let mut findings = Vec::new();
    for (name, code) in constants {
        if used(name) && !rows.contains(code) {
            findings.push(Finding::of(GUIDE, format!("has no row for {code} ({name})")));
        } else if !used(name) && rows.contains(code) {
            findings.push(Finding::of(
                GUIDE,
                format!("has a row for {code}, which Howdah never sends"),
            ));
        }
    }
    findings
}

/// The words that the glossary does not want in names of files and declarations.
#[must_use]
pub fn unwanted_words(tree: &Tree) -> Vec<String> {
    let glossary = tree.text(GLOSSARY).unwrap_or_default();
    let section = glossary.lines().skip_while(|line| *line != UNWANTED).skip(1);
    section
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect()
}

/// Name and code of a line such as `INTERNAL = b"XX000";`, with or without a type before the `=`.
fn constant(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.split(':').next()?.split_whitespace().next_back()?;
    let code = value.split('"').nth(1)?;
    let constant = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    (constant && code.len() == 5).then_some((name, code))
}

fn markdown(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.texts().filter(|(path, _)| path.ends_with(".md"))
}

/// Whether a line is inside a fenced block.
fn fenced(text: &str, line: usize) -> bool {
    text.lines().take(line).filter(|line| line.trim_start().starts_with("```")).count() % 2 == 1
}

/// Targets of `[text](target)` and `src="target"` in a line.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    links.chain(line.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()))
}

/// A relative path, seen from a directory; `None` when it leaves the repository.
fn resolve(directory: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(findings: Vec<Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn a_crate_that_the_map_does_not_name_is_found() {
        let tree = Tree::of(&[("ARCHITECTURE.md", "### `crates/wire`")]);
        let found = map_of_crates(&tree, &["crates/wire".to_owned(), "crates/wir".to_owned()]);
        assert_eq!(messages(found), ["ARCHITECTURE.md: does not name `crates/wir`"]);
    }

    #[test]
    fn a_change_log_needs_an_unreleased_section() {
        assert_eq!(change_log(&Tree::of(&[("CHANGELOG.md", "# A\n\n## [Unreleased]\n")])), []);
        assert_eq!(change_log(&Tree::of(&[("CHANGELOG.md", "# A\n\n## [0.1.0]\n")])).len(), 1);
        assert_eq!(change_log(&Tree::of(&[])).len(), 1);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let tree = Tree::of(&[
            (
                "docs/a.md",
                "[x](b.md#y) [z](../README.md) [w](https://docs.rs/x)\n[v](#here) [u](gone.md)",
            ),
            ("docs/b.md", "<img src=\"a.svg\">\n[up](../../outside.md)"),
            ("README.md", ""),
        ]);
        let places: Vec<_> = links(&tree).into_iter().map(|f| (f.place, f.line)).collect();
        let at = |path: &str, line| (path.to_owned(), Some(line));
        assert_eq!(places, [at("docs/a.md", 2), at("docs/b.md", 1), at("docs/b.md", 2)]);
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", ""),
            (
                "x.md",
                "`crates/a/src/lib.rs` `crates/a/` `other/b.rs`\n`crates/<name>/x.rs` `crates/b/src/lib.rs`",
            ),
        ]);
        assert_eq!(messages(paths(&tree)), ["x.md:2: `crates/b/src/lib.rs` does not exist"]);
    }

    #[test]
    fn a_make_command_that_does_not_exist_is_found() {
        let tree = Tree::of(&[
            ("Makefile", "test: a\n\tb\n"),
            ("a.md", "Run `make test` or `make tset`.\nmake a noise\n```\nmake demo X=1\n```\n"),
        ]);
        assert_eq!(
            messages(make_commands(&tree)),
            ["a.md:1: the Makefile has no `tset`", "a.md:4: the Makefile has no `demo`"]
        );
    }

    #[test]
    fn a_key_that_a_document_does_not_show_is_found() {
        let table = "Key::new(\"port\", A).default(\"1\")\nKey::new(\"max_size\", B)\n\
                     Key::new(\"mode\", C).default(\"a\")\n#[cfg(test)]\nKey::new(\"no\")";
        let tree = Tree::of(&[
            ("crates/howdah/src/config/keys.rs", table),
            ("howdah.example.toml", "# e.g. port = 1\nmax_sizes = 2\nmode = \"a\""),
            (
                "docs/guide/configuration.md",
                "| `port` | `1` | …\n| `max_size` | … |\n| `mode` | `b` | …",
            ),
        ]);
        assert_eq!(
            messages(configuration_keys(&tree)),
            [
                "howdah.example.toml: does not show the key `max_size`",
                "docs/guide/configuration.md: the default of `mode` is `a`"
            ]
        );
        assert_eq!(configuration_keys(&Tree::of(&[])).len(), 1);
    }

    #[test]
    fn an_error_code_without_an_explanation_is_found() {
        let tree = Tree::of(&[
            (
                "crates/wire/src/sqlstate.rs",
                "    pub const A: Self = Self(*b\"53300\");\n    B = b\"57P01\";\n    AB = b\"08P01\";\n",
            ),
            (
                "crates/proxy/src/a.rs",
                "SqlState::A, // SqlState::B\n#[cfg(test)]\nmod t { SqlState::B }",
            ),
            ("crates/proxy/src/b.rs", "x == SqlState::AB"),
            (
                "docs/guide/errors.md",
                "| `53300` | is explained | `08P01` |\n| `57P01`, `XYZ` | a |",
            ),
        ]);
        assert_eq!(
            messages(error_codes(&tree, &["crates/proxy/src/"])),
            [
                "docs/guide/errors.md: has a row for 57P01, which Howdah never sends",
                "docs/guide/errors.md: has no row for 08P01 (AB)"
            ]
        );
    }

    #[test]
    fn unwanted_words_come_from_their_section_alone() {
        let glossary = "| `client` | a |\n## Not in names\n\n| word | use |\n|---|---|\n| `manager` | x |\n## More\n| `no` | y |";
        assert_eq!(unwanted_words(&Tree::of(&[(GLOSSARY, glossary)])), ["manager"]);
    }
}
