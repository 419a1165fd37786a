//! The write-ahead log and checkpoints, by what was measured of them.
//!
//! Invariant: durability is never given up: what is unsafe is only ever switched back.

use super::{Change, GB, Look, minutes, size};

const CHECKPOINTS: &str = "20.5.2 Checkpoints";
const SETTINGS: &str = "20.5.1 WAL Settings";

pub(super) fn find(look: &Look<'_>) -> Vec<Change> {
    let mut found = Vec::new();
    let unsafe_without = [
        (
            "fsync",
            "without it a crash of the system loses or destroys data, beyond what was written last",
        ),
        (
            "full_page_writes",
            "without it a crash in the middle of a page leaves it torn, and nothing notices",
        ),
    ];
    for (name, why) in unsafe_without {
        found.extend(look.switch(name, "on", why, SETTINGS));
    }
    found.extend(compression(look));
    found.extend(timeout(look));
    found.extend(completion(look));
    found.extend(room(look));
    found.extend(slots(look));
    found
}

fn compression(look: &Look<'_>) -> Option<Change> {
    let setting = look.measured.setting("wal_compression")?;
    if setting.shown != "off" {
        return None;
    }
    let best = if setting.words.iter().any(|word| word == "lz4") { "lz4" } else { "on" };
    let why = "whole pages that are written after each checkpoint take a fraction of the room, on disk and on the way to replicas, for some processor time";
    look.switch("wal_compression", best, why, SETTINGS)
}

/// The time between two checkpoints.
fn interval(look: &Look<'_>) -> f64 {
    look.measured.amount("checkpoint_timeout").unwrap_or(300.0).max(900.0)
}

fn timeout(look: &Look<'_>) -> Option<Change> {
    let now = look.measured.amount("checkpoint_timeout")?;
    (now < 600.0).then_some(())?;
    let why = "after each checkpoint every page that is changed is written to the log as a whole once; fewer of them write less. After a crash up to so much has to be done again".to_owned();
    look.change("checkpoint_timeout", minutes(interval(look)), why, CHECKPOINTS)
}

fn completion(look: &Look<'_>) -> Option<Change> {
    let now = look.measured.number("checkpoint_completion_target")?;
    (now < 0.85).then_some(())?;
    let why =
        "spreads the writes of a checkpoint over nearly the time until the next one".to_owned();
    look.change("checkpoint_completion_target", "0.9".to_owned(), why, CHECKPOINTS)
}

/// Checkpoints should come by time: the log of one interval, and half as much again, has to fit.
fn room(look: &Look<'_>) -> Option<Change> {
    let measured = look.measured;
    let (timed, requested) = measured.checkpoints;
    let all = timed.saturating_add(requested);
    let now = measured.amount("max_wal_size")?;
    if all < 10 || requested.saturating_mul(10) < all {
        return None;
    }
    let needed = measured.wal_rate.map_or(0.0, |rate| rate * interval(look) * 2.5);
    let gigabyte = GB as f64;
    let target = ((needed.max(now * 2.0)) / gigabyte).ceil() * gigabyte;
    let rate = measured.wal_rate.map_or_else(String::new, |rate| {
        format!(
            "; {:.1} MB of log a second make {} in {}",
            rate / 1e6,
            size(rate * interval(look)),
            minutes(interval(look))
        )
    });
    let why = format!(
        "{requested} of {all} checkpoints came because the log was full, not because it was time: each makes pages be written as a whole again{rate}. It takes that much more disk"
    );
    look.change("max_wal_size", size(target), why, CHECKPOINTS)
}

fn slots(look: &Look<'_>) -> Option<Change> {
    let now = look.measured.number("max_slot_wal_keep_size")?;
    if look.measured.slots == 0 || now >= 0.0 {
        return None;
    }
    let log = look.measured.amount("max_wal_size").unwrap_or(GB as f64);
    let target = (log * 10.0).max(16.0 * GB as f64);
    let why = format!(
        "a replica or subscriber that stays away keeps all log since then, until the disk is full and the primary stops; {} are kept for it instead, then it has to be made anew",
        size(target)
    );
    look.change("max_slot_wal_keep_size", size(target), why, "20.6.1 Sending Servers")
}
