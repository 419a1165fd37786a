//! `[[rule]]` into rules about statements. Not what they decide: that is `howdah_core::rules`.
//!
//! Invariant: a condition that cannot be read is a mistake and never left out: a rule with fewer conditions means something else.

use std::net::IpAddr;

use howdah_core::rules::{Action, Conditions, Pattern, Rule, Rules, TableName, class_of, word_of};
use howdah_proxy::settings::IpNet;
use howdah_sql::{Class, Fingerprint};

use super::document::{self, Table};
use super::error::Mistake;
use super::keys::RULE;
use super::read::{Findings, Reader};
use super::validate::{named, unique};

/// Reads all rules in their order.
pub(crate) fn read(root: &Table, findings: &mut Findings) -> Rules {
    let tables = root.named("rule");
    unique(tables, "", findings);
    let mut rules = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let name = table.name();
        let path = document::path("", table.section, Some((index, name.as_deref())));
        rules.extend(rule(&mut Reader::new(RULE.keys, Some(table), path, findings)));
    }
    Rules::new(rules)
}

fn rule(reader: &mut Reader<'_>) -> Option<Rule> {
    let name = reader.text("name");
    if name.is_none() && !reader.is_given("name") {
        let fix = "name = \"no unbounded writes\"";
        reader.fail(Mistake::Missing, "name", "a rule without a name", fix);
    }
    let conditions = conditions(reader);
    let decided = reader.word("action").and_then(action);
    let undecided = reader.word("undecided").and_then(action).unwrap_or(Action::Flag);
    let query_timeout = reader.duration("query_timeout");
    let says = ["action", "query_timeout", "max_rows"].iter().any(|key| reader.is_given(key));
    if !says {
        let reason = "a rule that decides nothing and limits nothing";
        let fix = "action = \"flag\" or \"block\", or query_timeout = \"30s\" or max_rows = 10000";
        reader.fail(Mistake::Missing, "action", reason, fix);
    }
    Some(Rule {
        name: name?,
        conditions,
        action: decided,
        undecided,
        query_timeout,
        max_rows: reader.integer("max_rows"),
    })
}

fn action(word: &str) -> Option<Action> {
    [Action::Allow, Action::Flag, Action::Block].into_iter().find(|action| action.as_str() == word)
}

fn conditions(reader: &mut Reader<'_>) -> Conditions {
    let mut list = |key| {
        let found = reader.list(key).unwrap_or_default();
        if found.is_empty() && reader.is_given(key) {
            let fix = "name something, or leave the key out";
            reader.fail(Mistake::Value, key, "a list of nothing", fix);
        }
        found
    };
    let (users, databases, applications) = (list("user"), list("database"), list("application"));
    let (addresses, fingerprints) = (list("address"), list("fingerprint"));
    let (classes, tables) = (list("class"), list("table"));
    Conditions {
        users,
        databases,
        applications,
        addresses: addresses.iter().filter_map(|text| network(reader, text)).collect(),
        fingerprints: fingerprints.iter().filter_map(|text| fingerprint(reader, text)).collect(),
        pattern: pattern(reader),
        classes: classes.iter().filter_map(|text| class(reader, text)).collect(),
        tables: tables.iter().map(|text| TableName::parse(text)).collect(),
        unbounded: reader.switch("unbounded").unwrap_or(false),
        injection: reader.switch("injection").unwrap_or(false),
    }
}

fn network(reader: &mut Reader<'_>, text: &str) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    if network.is_none() {
        let reason = format!("{text} is neither an address nor a network");
        reader.fail(Mistake::Value, "address", reason, "for example \"10.0.0.0/8\" or \"::1\"");
    }
    network
}

pub(super) fn fingerprint(reader: &mut Reader<'_>, text: &str) -> Option<Fingerprint> {
    let found = u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16);
    if found.is_none() {
        let reason = format!("{text} is not a fingerprint");
        let fix = "16 hexadecimal digits, as howdah rules test prints them";
        reader.fail(Mistake::Value, "fingerprint", reason, fix);
    }
    found.map(Fingerprint)
}

pub(super) fn pattern(reader: &mut Reader<'_>) -> Option<Pattern> {
    let text = reader.text("pattern")?;
    match Pattern::new(&text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let last = error.lines().last().unwrap_or_default().trim();
            let reason = format!("not a regular expression: {last}");
            let fix = "for example \"^delete from orders\"; in '…' a backslash stands for itself";
            reader.fail(Mistake::Value, "pattern", reason, fix);
            None
        }
    }
}

fn class(reader: &mut Reader<'_>, text: &str) -> Option<Class> {
    let found = class_of(text);
    if found.is_none() {
        let all = [
            Class::Read,
            Class::Write,
            Class::Ddl,
            Class::Copy,
            Class::TransactionControl,
            Class::SessionState,
            Class::Other,
        ];
        let fix = named(text, &all.map(word_of));
        reader.fail(Mistake::UnknownName, "class", format!("{text} is no class"), fix);
    }
    found
}
