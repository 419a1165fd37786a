//! `[route]` into what the data plane is told about where statements go. Not what follows: that is `howdah_core::route`.
//!
//! Invariant: an override that cannot be read is a mistake and never left out.

use std::time::Duration;

use howdah_core::balance::Strategy;
use howdah_core::route::class::{Destination, Override, Overrides, Subject};
use howdah_core::route::{Consistency, LagPolicy, Policy, Wish};
use howdah_core::rules::TableName;

use super::document::{self, Table};
use super::error::Mistake;
use super::keys::{OVERRIDE, ROUTE};
use super::read::{Findings, Reader};
use super::rules;
use super::validate::unique;

/// How long a read waits when only a database says that it does.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// What `[route]` says beside its overrides.
#[derive(Debug)]
pub(crate) struct Routes {
    /// Where reads go when a database says nothing.
    pub(crate) wish: Wish,
    /// Which of several replicas answers.
    pub(crate) balance: Strategy,
    /// How long it takes until a replica has its whole share.
    pub(crate) slow_start: Duration,
}

/// Reads `[route]` but its overrides.
pub(crate) fn routes(root: &Table, findings: &mut Findings) -> Routes {
    let mut reader = Reader::new(ROUTE.keys, root.single(ROUTE.name), ROUTE.name, findings);
    let wish = wish(&mut reader, Wish::default());
    let balance = reader.word("balance").and_then(strategy).unwrap_or_default();
    let slow_start = reader.duration("slow_start").unwrap_or_default();
    Routes { wish, balance, slow_start }
}

fn strategy(word: &str) -> Option<Strategy> {
    [
        Strategy::RoundRobin,
        Strategy::Weighted,
        Strategy::Priority,
        Strategy::LeastConnections,
        Strategy::Latency,
        Strategy::Adaptive,
    ]
    .into_iter()
    .find(|strategy| strategy.as_str() == word)
}

/// What is said about reads, where it differs from `base`.
pub(crate) fn wish(reader: &mut Reader<'_>, base: Wish) -> Wish {
    let mut wish = base;
    if let Some(policy) = reader.word("policy").and_then(Policy::parse) {
        wish.policy = policy;
    }
    if let Some(consistency) = reader.word("consistency").and_then(Consistency::parse) {
        wish.consistency = consistency;
    }
    if let Some(max_lag) = reader.limit("max_lag") {
        wish.max_lag = max_lag;
    }
    let wait = reader.duration("max_wait").or(match base.lag_policy {
        LagPolicy::Wait(time) => Some(time),
        LagPolicy::Fallback | LagPolicy::Error => None,
    });
    match (reader.word("lag_policy"), base.lag_policy) {
        (Some("fallback"), _) => wish.lag_policy = LagPolicy::Fallback,
        (Some("error"), _) => wish.lag_policy = LagPolicy::Error,
        (Some(_), _) => wish.lag_policy = LagPolicy::Wait(wait.unwrap_or(DEFAULT_WAIT)),
        (None, LagPolicy::Wait(_)) => {
            wish.lag_policy = LagPolicy::Wait(wait.unwrap_or(DEFAULT_WAIT))
        }
        (None, LagPolicy::Fallback | LagPolicy::Error) => {}
    }
    if wish.consistency == Consistency::Bounded && wish.max_lag.is_none() {
        let reason = "bounded by nothing";
        reader.fail(
            Mistake::Missing,
            "max_lag",
            reason,
            "max_lag = \"1s\", or consistency = \"eventual\"",
        );
    }
    wish
}

/// Reads all `[[route.override]]` in their order.
pub(crate) fn overrides(root: &Table, findings: &mut Findings) -> Overrides {
    let Some(route) = root.single(ROUTE.name) else { return Overrides::default() };
    let tables = route.named(OVERRIDE.name);
    unique(tables, ROUTE.name, findings);
    let mut overrides = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let name = table.name();
        let path = document::path(ROUTE.name, table.section, Some((index, name.as_deref())));
        overrides.extend(one(&mut Reader::new(OVERRIDE.keys, Some(table), path, findings)));
    }
    Overrides::new(overrides)
}

fn one(reader: &mut Reader<'_>) -> Option<Override> {
    let name = reader.text("name");
    if name.is_none() && !reader.is_given("name") {
        let fix = "name = \"harmless functions\"";
        reader.fail(Mistake::Missing, "name", "an override without a name", fix);
    }
    let subject = subject(reader);
    let to = match reader.word("to") {
        Some("primary") => Some(Destination::Primary),
        Some(_) => Some(Destination::Replica),
        None => {
            if !reader.is_given("to") {
                let reason = "an override that does not say where to";
                reader.fail(Mistake::Missing, "to", reason, "to = \"primary\" or \"replica\"");
            }
            None
        }
    };
    Some(Override { name: name?, subject: subject?, to: to? })
}

fn subject(reader: &mut Reader<'_>) -> Option<Subject> {
    const KEYS: [&str; 4] = ["function", "table", "fingerprint", "pattern"];
    let given: Vec<_> = KEYS.into_iter().filter(|key| reader.is_given(key)).collect();
    let fix = "one of function, table, fingerprint and pattern";
    match given.as_slice() {
        [] => {
            reader.fail(Mistake::Missing, "function", "an override of nothing", fix);
            None
        }
        ["pattern"] => rules::pattern(reader).map(Subject::Pattern),
        [key] => listed(reader, key),
        [_, second, ..] => {
            let reason = "an override of two kinds of things";
            reader.fail(Mistake::Conflict, second, reason, fix);
            None
        }
    }
}

fn listed(reader: &mut Reader<'_>, key: &str) -> Option<Subject> {
    let list = reader.list(key)?;
    if list.is_empty() {
        reader.fail(Mistake::Value, key, "a list of nothing", "name something");
        return None;
    }
    let names = || list.iter().map(|text| TableName::parse(text)).collect();
    Some(match key {
        "function" => Subject::Functions(names()),
        "table" => Subject::Tables(names()),
        _ => {
            let found = list.iter().filter_map(|text| rules::fingerprint(reader, text));
            Subject::Fingerprints(found.collect())
        }
    })
}
