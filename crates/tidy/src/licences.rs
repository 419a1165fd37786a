//! What may be linked: licences and bans of `deny.toml`, applied without cargo-deny so that the rule holds on every machine. Not a
//! legal reading: an expression is taken as it stands in the manifest.

use anyhow::{Context, bail};
use toml::Table;

use crate::Finding;
use crate::metadata::Metadata;

/// The part of `deny.toml` that is checked here.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// SPDX identifiers (with exception, if any) that are fine.
    pub allowed: Vec<String>,
    /// (package, licence) pairs that are fine beyond `allowed`.
    pub exceptions: Vec<(String, String)>,
    /// Packages that must not appear.
    pub banned: Vec<String>,
}

impl Policy {
    /// Reads `[licenses]` and `[bans]`.
    ///
    /// # Errors
    /// When the text is not TOML or the lists have another shape.
    pub fn parse(deny: &str) -> anyhow::Result<Self> {
        let deny: Table = deny.parse().context("deny.toml")?;
        let licenses =
            deny.get("licenses").and_then(toml::Value::as_table).context("[licenses]")?;
        let exceptions = array(licenses, "exceptions")?
            .iter()
            .flat_map(|exception| {
                let name = exception.get("crate").and_then(toml::Value::as_str).unwrap_or_default();
                let allow = exception.get("allow").and_then(toml::Value::as_array);
                let licences = allow.into_iter().flatten().filter_map(toml::Value::as_str);
                licences.map(|licence| (name.to_owned(), licence.to_owned())).collect::<Vec<_>>()
            })
            .collect();
        let bans = deny.get("bans").and_then(toml::Value::as_table).context("[bans]")?;
        Ok(Self {
            allowed: strings(array(licenses, "allow")?)?,
            exceptions,
            banned: array(bans, "deny")?
                .iter()
                .map(|ban| ban.get("crate").and_then(toml::Value::as_str).map(str::to_owned))
                .collect::<Option<_>>()
                .context("[bans] deny: every entry needs `crate`")?,
        })
    }

    fn allows(&self, package: &str, licence: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == licence)
            || self.exceptions.iter().any(|(name, allowed)| name == package && allowed == licence)
    }
}

/// Packages with a licence that the policy does not allow, and packages it bans.
#[must_use]
pub fn offenders(metadata: &Metadata, policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        if policy.banned.contains(&package.name) {
            findings.push(Finding::of(&package.name, "is banned by deny.toml"));
        }
        let Some(expression) = &package.license else {
            findings.push(Finding::of(&package.name, "states no licence"));
            continue;
        };
        match satisfied(expression, &|licence| policy.allows(&package.name, licence)) {
            Ok(true) => {}
            Ok(false) => findings.push(Finding::of(
                &package.name,
                format!("licence {expression} is not allowed by deny.toml"),
            )),
            Err(error) => findings.push(Finding::of(
                &package.name,
                format!("licence {expression} cannot be read: {error}"),
            )),
        }
    }
    findings
}

/// Whether an SPDX expression can be satisfied with allowed licences. `/` is the old spelling of `OR`.
///
/// # Errors
/// When the expression is not well formed.
pub fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> anyhow::Result<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut tokens = spaced.split_whitespace().peekable();
    let result = any_of(&mut tokens, allowed)?;
    match tokens.next() {
        None => Ok(result),
        Some(rest) => bail!("unexpected {rest:?}"),
    }
}

type Tokens<'t> = std::iter::Peekable<std::str::SplitWhitespace<'t>>;

fn any_of(tokens: &mut Tokens<'_>, allowed: &dyn Fn(&str) -> bool) -> anyhow::Result<bool> {
    let mut result = all_of(tokens, allowed)?;
    while tokens.next_if_eq(&"OR").is_some() {
        result |= all_of(tokens, allowed)?;
    }
    Ok(result)
}

fn all_of(tokens: &mut Tokens<'_>, allowed: &dyn Fn(&str) -> bool) -> anyhow::Result<bool> {
    let mut result = one(tokens, allowed)?;
    while tokens.next_if_eq(&"AND").is_some() {
        result &= one(tokens, allowed)?;
    }
    Ok(result)
}

fn one(tokens: &mut Tokens<'_>, allowed: &dyn Fn(&str) -> bool) -> anyhow::Result<bool> {
    match tokens.next() {
        Some("(") => {
            let result = any_of(tokens, allowed)?;
            tokens.next_if_eq(&")").context("a parenthesis is not closed")?;
            Ok(result)
        }
        None | Some(")" | "OR" | "AND" | "WITH") => bail!("a licence is missing"),
        Some(licence) if tokens.next_if_eq(&"WITH").is_some() => {
            let exception = tokens.next().context("an exception is missing after WITH")?;
            Ok(allowed(&format!("{licence} WITH {exception}")))
        }
        Some(licence) => Ok(allowed(licence)),
    }
}

fn array<'t>(table: &'t Table, key: &str) -> anyhow::Result<&'t [toml::Value]> {
    match table.get(key) {
        None => Ok(&[]),
        Some(value) => Ok(value.as_array().with_context(|| format!("{key} is not a list"))?),
    }
}

fn strings(values: &[toml::Value]) -> anyhow::Result<Vec<String>> {
    let strings = values.iter().map(|value| value.as_str().map(str::to_owned));
    strings.collect::<Option<_>>().context("a list of strings has something else in it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: bool) {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Zlib"];
        let result = satisfied(expression, &|licence| allowed.contains(&licence)).unwrap();
        assert_eq!(result, expected, "{expression}");
    }

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        check("MIT", true);
        check("GPL-3.0-only", false);
        check("MIT OR GPL-3.0-only", true);
        check("MIT AND GPL-3.0-only", false);
        check("MIT/Apache-2.0", true);
        check("(MIT OR GPL-3.0-only) AND Zlib", true);
        check("MIT AND (GPL-3.0-only OR LGPL-3.0-only)", false);
        check("GPL-3.0-only OR MIT AND Zlib", true);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("GPL-2.0-only WITH Classpath-exception-2.0", false);
    }

    #[test]
    fn a_broken_expression_is_an_error() {
        for expression in ["", "MIT OR", "(MIT", "MIT MIT", "MIT WITH"] {
            assert!(satisfied(expression, &|_| true).is_err(), "{expression}");
        }
    }

    #[test]
    fn a_bad_licence_a_missing_one_and_a_banned_package_are_found() {
        let policy = Policy::parse(
            "[licenses]\nallow = [\"MIT\"]\n\
             exceptions = [{ crate = \"tables\", allow = [\"Unicode-3.0\"] }]\n\
             [bans]\ndeny = [{ crate = \"openssl\" }]",
        )
        .unwrap();
        let package = |name: &str, licence: Option<&str>| {
            serde_json::json!({"name": name, "id": name, "version": "1.0.0", "license": licence,
                "manifest_path": "", "dependencies": []})
        };
        let metadata: Metadata = serde_json::from_value(serde_json::json!({
            "workspace_members": [],
            "packages": [
                package("fine", Some("MIT")),
                package("tables", Some("Unicode-3.0")),
                package("copyleft", Some("AGPL-3.0-only")),
                package("silent", None),
                package("openssl", Some("MIT")),
            ],
        }))
        .unwrap();
        let places: Vec<String> =
            offenders(&metadata, &policy).into_iter().map(|f| f.place).collect();
        assert_eq!(places, ["copyleft", "silent", "openssl"]);
    }
}
