//! Settings that must agree with each other: clippy's files, what manifests inherit, single versions of some packages. Not the values themselves.

use anyhow::Context;
use toml::{Table, Value};

use crate::Finding;
use crate::layering;
use crate::tree::Tree;

/// Packages of which two versions would mean two incompatible sets of types, or two runtimes.
const SINGLE: [&str; 6] = ["bytes", "serde", "tokio", "tokio-postgres", "toml", "tracing"];

/// Crate-level `clippy.toml` files that lack something of the root's: the nearest file replaces the root's, nothing is merged.
/// A pure room may leave out bans on packages that it cannot reach anyway.
///
/// # Errors
/// When one of the files is not TOML.
pub fn clippy(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    const ROOT: &str = "clippy.toml";
    let parse = |path: &str, text: &str| text.parse::<Table>().with_context(|| path.to_owned());
    let root = parse(ROOT, tree.text(ROOT).context("the root has no clippy.toml")?)?;
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with("/clippy.toml")) {
        let own = parse(path, text)?;
        let pure = layering::pure_directories().iter().any(|room| path.starts_with(room));
        for (key, value) in &root {
            if !own.get(key).is_some_and(|own| includes(own, value, pure)) {
                findings.push(Finding::of(
                    path,
                    format!("`{key}` lacks something that {ROOT} has: repeat it"),
                ));
            }
        }
    }
    Ok(findings)
}

/// Manifests that do not inherit the workspace's lints, licence, edition or its refusal to be published.
///
/// # Errors
/// When a manifest is not TOML.
pub fn manifests(tree: &Tree, directories: &[String]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for directory in directories {
        let path = format!("{directory}/Cargo.toml");
        let manifest: Table = tree
            .text(&path)
            .with_context(|| format!("{path} is not tracked"))?
            .parse()
            .with_context(|| path.clone())?;
        let inherits = |value: Option<&Value>| {
            value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
        };
        let package = manifest.get("package");
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !inherits(package.and_then(|package| package.get(key))) {
                findings.push(Finding::of(&path, format!("needs `{key}.workspace = true`")));
            }
        }
        if !inherits(manifest.get("lints")) {
            findings.push(Finding::of(&path, "needs `[lints]` with `workspace = true`"));
        }
        if package.and_then(|package| package.get("description")).is_none() {
            findings.push(Finding::of(&path, "needs a `description`"));
        }
    }
    Ok(findings)
}

/// Packages that Cargo.lock must have once and has twice.
///
/// # Errors
/// When the lock is missing or is not TOML.
pub fn single_versions(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    const LOCK: &str = "Cargo.lock";
    let lock: Table =
        tree.text(LOCK).context("Cargo.lock is not tracked")?.parse().context(LOCK)?;
    let packages =
        lock.get("package").and_then(Value::as_array).context("no packages in Cargo.lock")?;
    let count = |name: &str| {
        packages
            .iter()
            .filter(|package| package.get("name").and_then(Value::as_str) == Some(name))
            .count()
    };
    let twice = SINGLE.iter().filter(|name| count(name) > 1);
    Ok(twice.map(|name| Finding::of(LOCK, format!("has {name} more than once"))).collect())
}

/// Whether a value has everything that another has: equal, or a list with all its entries. Entries with a `path` are told apart by it.
fn includes(own: &Value, root: &Value, pure: bool) -> bool {
    match (own.as_array(), root.as_array()) {
        (Some(own), Some(root)) => root.iter().all(|entry| {
            let path = entry.get("path");
            let package = path.and_then(Value::as_str).and_then(|path| path.split("::").next());
            let unreachable =
                pure && package.is_some_and(|package| layering::IMPURE.contains(&package));
            unreachable
                || own.iter().any(|candidate| match path {
                    Some(path) => candidate.get("path") == Some(path) || candidate == path,
                    None => candidate == entry,
                })
        }),
        _ => own == root,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(findings: anyhow::Result<Vec<Finding>>) -> Vec<String> {
        findings.unwrap().into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn a_clippy_file_that_forgets_a_ban_or_a_limit_is_found() {
        let root = "limit = 80\nbans = [{ path = \"tokio::x\" }, { path = \"a::b\", reason = \"x\" }, { path = \"c\" }]\nidents = [\"..\"]";
        let good = "limit = 80\nbans = [{ path = \"c\" }, { path = \"a::b\", reason = \"y\" }, \"d\"]\nidents = [\"..\", \"E\"]";
        let bad = "limit = 90\nbans = [{ path = \"c\" }]\nidents = [\"..\"]";
        let tree = Tree::of(&[
            ("clippy.toml", root),
            ("crates/core/clippy.toml", good),
            ("crates/core/b/clippy.toml", bad),
            ("crates/proxy/clippy.toml", good),
        ]);
        let places: Vec<String> = clippy(&tree).unwrap().into_iter().map(|f| f.place).collect();
        let forgetful = "crates/core/b/clippy.toml";
        assert_eq!(places, [forgetful, forgetful, "crates/proxy/clippy.toml"]);
    }

    #[test]
    fn a_manifest_that_does_not_inherit_is_found() {
        let good = "[package]\nname = \"a\"\ndescription = \"x\"\nversion.workspace = true\n\
            edition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\n\
            publish.workspace = true\n[lints]\nworkspace = true";
        let bad = good
            .replace("license.workspace = true", "license = \"MIT\"")
            .replace("[lints]", "[other]");
        let tree = Tree::of(&[("a/Cargo.toml", good), ("b/Cargo.toml", &bad)]);
        let found = messages(manifests(&tree, &["a".to_owned(), "b".to_owned()]));
        assert_eq!(
            found,
            [
                "b/Cargo.toml: needs `license.workspace = true`",
                "b/Cargo.toml: needs `[lints]` with `workspace = true`"
            ]
        );
    }

    #[test]
    fn a_second_version_is_found() {
        let package = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n");
        let once = package("tokio") + &package("rand") + &package("rand");
        assert_eq!(messages(single_versions(&Tree::of(&[("Cargo.lock", &once)]))), [""; 0]);
        let twice = once + &package("tokio");
        assert_eq!(
            messages(single_versions(&Tree::of(&[("Cargo.lock", &twice)]))),
            ["Cargo.lock: has tokio more than once"]
        );
    }
}
