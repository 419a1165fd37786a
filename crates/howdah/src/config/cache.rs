//! `[cache]`, `[[cache.rule]]`, `[[cache.function]]` and `[database.cache]`: how changes of databases are followed, and whether answers are kept. Not which.
//!
//! Invariant: a rule that cannot be read is a mistake and never left out.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use howdah_core::cache::declared::Declared;
use howdah_core::cache::rules::{Rule, Rules, Subject};
use howdah_core::cache::wish::{Level, Mode, Wish};
use howdah_core::route::class::Name;
use howdah_core::rules::TableName;
use howdah_proxy::settings::{Changes, Kept, SharedCache, User};

use super::document::{self, Table};
use super::error::{Mistake, Notice};
use super::keys::{CACHE, CACHE_FUNCTION, CACHE_RULE, REDIS};
use super::read::{Findings, Reader};
use super::secret;
use super::validate::{role, unique};

/// How changes are followed, and what is shared with others who follow them. `None`: they are not, and nothing is.
pub(crate) fn changes(
    root: &Table,
    users: &[User],
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> (Option<Changes>, Option<SharedCache>) {
    let changes = followed(root, users, environment, findings);
    let shared = shared(root, changes.is_some(), environment, findings);
    (changes, shared)
}

fn followed(
    root: &Table,
    users: &[User],
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Option<Changes> {
    let mut reader = Reader::new(CACHE.keys, root.single("cache"), "cache", findings);
    let login = role(&mut reader, "howdah_cache", users, environment);
    let heartbeat = reader.duration("heartbeat").unwrap_or(Duration::MAX);
    let catalog_poll = reader.duration("catalog_poll").unwrap_or(Duration::MAX);
    let tags = reader.integer("tags").unwrap_or_default();
    let publication = reader.text("publication")?;
    Some(Changes { publication, login, heartbeat, catalog_poll, tags })
}

/// What instances share. `None`: nothing, or nobody would say what it is worth.
fn shared(
    root: &Table,
    follows: bool,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Option<SharedCache> {
    let given = root.single("cache").and_then(|cache| cache.single(REDIS.name));
    let mut reader = Reader::new(REDIS.keys, given, "cache.redis", findings);
    let timeout = reader.duration("timeout");
    let ttl = reader.duration("ttl");
    let prefix = reader.text("prefix");
    let password = secret::read(&mut reader, "password", environment);
    let url = reader.text("url").filter(|_| follows)?;
    match SharedCache::new(url, password) {
        Ok(mut shared) => {
            shared.timeout = timeout.unwrap_or(shared.timeout);
            shared.ttl = ttl.unwrap_or(shared.ttl);
            shared.prefix = prefix.unwrap_or(shared.prefix);
            Some(shared)
        }
        Err(reason) => {
            let fix = "url = \"redis://10.0.0.5:6379/0\"";
            reader.fail(Mistake::Value, "url", reason, fix);
            None
        }
    }
}

/// What is kept at most, what is said about the cache where a database says nothing, and about tables and statements.
pub(crate) fn answers(root: &Table, findings: &mut Findings) -> (Kept, Wish, Rules) {
    const MIB: u64 = 1 << 20;
    let mut reader = Reader::new(CACHE.keys, root.single("cache"), "cache", findings);
    let size: u64 = reader.integer("size").unwrap_or_default();
    let wish = wish(&mut reader, Wish::default());
    let follows = reader.is_given("publication");
    let origin = reader.origin("mode");
    let rules = rules(root, follows, findings).with_functions(functions(root, findings));
    let mut reader = Reader::new(CACHE.keys, root.single("cache"), "cache", findings);
    if wish.mode != Mode::Off && !follows && !rules.keep_by_time() {
        let reason = "nobody would tell which answers are wrong";
        let fix = "publication = \"howdah\" (howdah setup makes it)";
        reader.fail(Mistake::Missing, "publication", reason, fix);
    }
    for rule in rules.iter().filter(|rule| rule.ttl.is_some()) {
        let text = format!(
            "cache.rule {:?}: where changes are not followed{}, nothing but its ttl bounds how old answers are",
            rule.name,
            if follows { "" } else { ", which is everywhere without a publication" }
        );
        findings.notices.push(Notice { text, origin: origin.clone() });
    }
    let (warm_answers, warm_file) = warming(root, findings);
    (Kept { size: size.saturating_mul(MIB), warm_answers, warm_file }, wish, rules)
}

/// How many requests are remembered, to be asked again, and where they are written down.
fn warming(root: &Table, findings: &mut Findings) -> (usize, Option<PathBuf>) {
    let mut reader = Reader::new(CACHE.keys, root.single("cache"), "cache", findings);
    let answers = reader.integer("warm_answers").unwrap_or_default();
    let file = reader.text("warm_file").map(PathBuf::from);
    if file.as_ref().is_some_and(|file| file.is_relative()) {
        let fix = "for example \"/var/lib/howdah/warm\"";
        reader.fail(Mistake::Value, "warm_file", "not a path from the root", fix);
        return (answers, None);
    }
    (answers, file)
}

/// What is said about the cache, where it differs from `base`.
pub(crate) fn wish(reader: &mut Reader<'_>, base: Wish) -> Wish {
    let level = match reader.word("level") {
        Some("auto") => None,
        Some(word) => Level::parse(word),
        None => base.level,
    };
    let mut wish = base;
    wish.mode = reader.word("mode").and_then(Mode::parse).unwrap_or(base.mode);
    wish.level = level;
    wish.session_ttl = reader.switch("session_ttl").unwrap_or(base.session_ttl);
    wish.max_staleness = reader.duration("max_staleness").unwrap_or(base.max_staleness);
    wish
}

/// Reads all `[[cache.rule]]` in their order.
fn rules(root: &Table, follows: bool, findings: &mut Findings) -> Rules {
    let Some(cache) = root.single(CACHE.name) else { return Rules::default() };
    let tables = cache.named(CACHE_RULE.name);
    unique(tables, CACHE.name, findings);
    let mut rules = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let name = table.name();
        let path = document::path(CACHE.name, table.section, Some((index, name.as_deref())));
        let mut reader = Reader::new(CACHE_RULE.keys, Some(table), path, findings);
        rules.extend(rule(&mut reader, follows));
    }
    Rules::new(rules)
}

fn rule(reader: &mut Reader<'_>, follows: bool) -> Option<Rule> {
    let name = reader.text("name");
    if name.is_none() && !reader.is_given("name") {
        reader.fail(Mistake::Missing, "name", "a rule without a name", "name = \"catalog\"");
    }
    let subject = subject(reader);
    let mode = reader.word("mode").and_then(Mode::parse);
    let ttl = reader.duration("ttl");
    if mode.is_some_and(|mode| mode != Mode::Off) && ttl.is_none() && !follows {
        unfollowed(reader, "mode");
    }
    let level = reader.word("level").and_then(Level::parse);
    let max_staleness = reader.duration("max_staleness");
    let tags = reader.list("tags").unwrap_or_default();
    let says = ["mode", "level", "max_staleness", "ttl", "tags"];
    if !says.iter().any(|key| reader.is_given(key)) {
        let fix = "mode = \"off\", or level, max_staleness or tags";
        reader.fail(Mistake::Missing, "mode", "a rule that says nothing of the cache", fix);
    }
    Some(Rule { name: name?, subject: subject?, mode, level, max_staleness, ttl, tags })
}

/// Reads all `[[cache.function]]` in their order.
fn functions(root: &Table, findings: &mut Findings) -> Vec<Declared> {
    let Some(cache) = root.single(CACHE.name) else { return Vec::new() };
    let tables = cache.named(CACHE_FUNCTION.name);
    unique(tables, CACHE.name, findings);
    let read = |(index, table): (usize, &Table)| {
        let name = table.name();
        let path = document::path(CACHE.name, table.section, Some((index, name.as_deref())));
        function(&mut Reader::new(CACHE_FUNCTION.keys, Some(table), path, findings))
    };
    tables.iter().enumerate().filter_map(read).collect()
}

fn function(reader: &mut Reader<'_>) -> Option<Declared> {
    let fix = "name = \"app.price_of\"";
    let name = reader.text("name");
    let parts = name.as_deref().and_then(|name| name.split_once('.'));
    match (&name, parts) {
        (None, _) => reader.fail(Mistake::Missing, "name", "a function without a name", fix),
        (Some(_), None) => reader.fail(Mistake::Value, "name", "no schema is named", fix),
        (Some(_), Some(_)) => {}
    }
    if !reader.is_given("reads") {
        let fix = "reads = [\"prices\"], or reads = [] if it reads none";
        reader.fail(Mistake::Missing, "reads", "nobody else can tell which tables it reads", fix);
    }
    let reads = reader.list("reads").unwrap_or_default();
    let (schema, name) = parts?;
    let reads = reads.iter().map(|table| TableName::parse(table)).collect();
    Some(Declared { name: Name::new(schema, name), reads })
}

fn subject(reader: &mut Reader<'_>) -> Option<Subject> {
    let (table, form) = (reader.is_given("table"), reader.is_given("fingerprint"));
    let fix = "one of table and fingerprint";
    match (table, form) {
        (false, false) => {
            reader.fail(Mistake::Missing, "table", "a rule about nothing", fix);
            None
        }
        (true, true) => {
            let reason = "a rule about two kinds of things";
            reader.fail(Mistake::Conflict, "fingerprint", reason, fix);
            None
        }
        _ => {
            let key = if table { "table" } else { "fingerprint" };
            let list = reader.list(key)?;
            if list.is_empty() {
                reader.fail(Mistake::Value, key, "a list of nothing", "name something");
                return None;
            }
            if table {
                let names = list.iter().map(|text| TableName::parse(text));
                return Some(Subject::Tables(names.collect()));
            }
            let found = list.iter().filter_map(|text| super::rules::fingerprint(reader, text));
            Some(Subject::Fingerprints(found.collect()))
        }
    }
}

fn unfollowed(reader: &mut Reader<'_>, key: &'static str) {
    let reason = "nobody would tell which answers are wrong";
    let fix = "publication = \"howdah\" in [cache] (howdah setup makes it)";
    reader.fail(Mistake::Missing, key, reason, fix);
}
