//! `[cache]` and `[database.cache]`: how changes of databases are followed, and whether answers are kept. Not which.

use std::collections::HashMap;
use std::time::Duration;

use howdah_core::cache::wish::{Level, Mode, Wish};
use howdah_proxy::settings::{Changes, User};

use super::document::Table;
use super::error::Mistake;
use super::keys::CACHE;
use super::read::{Findings, Reader};
use super::validate::role;

/// Reads what there is of it. `None`: changes are not followed.
pub(crate) fn changes(
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
