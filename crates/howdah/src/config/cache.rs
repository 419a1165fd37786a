//! `[cache]` and `[database.cache]`: how changes of databases are followed, and whether answers are kept. Not which.

use std::collections::HashMap;
use std::time::Duration;

use howdah_core::cache::wish::{Level, Mode, Wish};
use howdah_proxy::settings::{Changes, SharedCache, User};

use super::document::Table;
use super::error::Mistake;
use super::keys::{CACHE, REDIS};
use super::read::{Findings, Reader};
use super::secret;
use super::validate::role;

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

/// Bytes of answers at most, and what is said about the cache where a database says nothing.
pub(crate) fn answers(root: &Table, findings: &mut Findings) -> (u64, Wish) {
    const MIB: u64 = 1 << 20;
    let mut reader = Reader::new(CACHE.keys, root.single("cache"), "cache", findings);
    let size: u64 = reader.integer("size").unwrap_or_default();
    let wish = wish(&mut reader, Wish::default());
    if wish.mode != Mode::Off && !reader.is_given("publication") {
        let reason = "nobody would tell which answers are wrong";
        let fix = "publication = \"howdah\" (howdah setup makes it)";
        reader.fail(Mistake::Missing, "publication", reason, fix);
    }
    (size.saturating_mul(MIB), wish)
}

/// What is said about the cache, where it differs from `base`.
pub(crate) fn wish(reader: &mut Reader<'_>, base: Wish) -> Wish {
    let level = match reader.word("level") {
        Some("auto") => None,
        Some(word) => Level::parse(word),
        None => base.level,
    };
    Wish {
        mode: reader.word("mode").and_then(Mode::parse).unwrap_or(base.mode),
        level,
        max_staleness: reader.duration("max_staleness").unwrap_or(base.max_staleness),
    }
}
