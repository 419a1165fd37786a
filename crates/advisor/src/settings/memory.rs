//! Memory: what is shared, what each connection may take, what upkeep may take.
//!
//! Invariant: what all connections may take at once, with what is shared, fits into the machine.

use super::{Change, GB, Look, MB, size};

const SHARED: &str = "20.4.1 Memory";
const HUGE: &str = "19.4.5 Linux Huge Pages";
const COSTS: &str = "20.7.2 Planner Cost Constants";

pub(super) fn find(look: &Look<'_>) -> Vec<Change> {
    let mut found = Vec::new();
    found.extend(connections(look));
    found.extend(shared(look));
    found.extend(huge_pages(look));
    found.extend(work(look));
    found.extend(maintenance(look));
    found.extend(cached(look));
    found
}

/// A quarter of the machine.
fn shared_target(look: &Look<'_>) -> f64 {
    let memory = look.machine.memory as f64;
    if memory < GB as f64 { (memory / 8.0).max(32.0 * MB as f64) } else { memory / 4.0 }
}

/// What is shared from now on: what there is, unless that is far from the target.
fn shared_from_now_on(look: &Look<'_>) -> f64 {
    let target = shared_target(look);
    let now = look.measured.amount("shared_buffers").unwrap_or(target);
    if is_far(now, target) { target } else { now }
}

fn is_far(now: f64, target: f64) -> bool {
    now < target * 0.6 || now > target * 1.7
}

fn connections(look: &Look<'_>) -> Option<Change> {
    let told = look.measured.connections?;
    let most = look.measured.number("max_connections")?;
    // Superusers, replicas, people, and what a deployment opens twice.
    let enough = f64::from(told) + 20.0 + 2.0 * f64::from(look.measured.replicas);
    let rounded = (enough / 10.0).ceil() * 10.0;
    (most > rounded * 2.0).then_some(())?;
    let why = format!(
        "behind a pooler {told} connections are opened at most; {rounded:.0} leave room for superusers, replicas and people, and each that may be there takes memory into account. On a standby it must not be lower than on the primary: lower it there last"
    );
    look.change("max_connections", format!("{rounded:.0}"), why, "20.3.1 Connection Settings")
}

fn shared(look: &Look<'_>) -> Option<Change> {
    let (target, now) = (shared_target(look), look.measured.amount("shared_buffers")?);
    is_far(now, target).then_some(())?;
    let why = format!(
        "a quarter of the machine's {}; the rest is PostgreSQL's, too, as the system's cache",
        size(look.machine.memory as f64)
    );
    look.change("shared_buffers", size(target), why, SHARED)
}

fn huge_pages(look: &Look<'_>) -> Option<Change> {
    if look.measured.setting("huge_pages")?.shown != "off"
        || shared_from_now_on(look) < 8.0 * GB as f64
    {
        return None;
    }
    let why = "with so much shared memory its page tables cost memory of each connection; the system has to have such pages (vm.nr_hugepages: see shared_memory_size_in_huge_pages), without them try goes on as before";
    look.switch("huge_pages", "try", why, HUGE)
}

fn maintenance_target(look: &Look<'_>) -> f64 {
    (look.machine.memory as f64 / 16.0).clamp(64.0 * MB as f64, GB as f64)
}

/// Half of what is left by shared buffers and upkeep, among all connections, each with one sort and one hash table.
fn work(look: &Look<'_>) -> Option<Change> {
    let measured = look.measured;
    let (memory, connections) = (look.machine.memory as f64, measured.connections());
    let hash = measured.number("hash_mem_multiplier").unwrap_or(1.0).max(1.0);
    let workers = measured.number("autovacuum_max_workers").unwrap_or(3.0);
    let shared = shared_from_now_on(look);
    let upkeep = workers * maintenance_target(look);
    let left = (memory - shared - upkeep).max(memory / 10.0);
    let each = left / 2.0 / (connections * (1.0 + hash));
    let target = each.clamp(MB as f64, 256.0 * MB as f64);
    let now = measured.amount("work_mem")?;
    let all = now * connections * (1.0 + hash);
    let arithmetic = format!(
        "({} memory − {} shared buffers − {workers:.0} × {} upkeep) / 2 / ({connections:.0} connections × (1 sort + {hash:.1} hash_mem_multiplier)) = {}",
        size(memory),
        size(shared),
        size(maintenance_target(look)),
        size(each)
    );
    if all > left {
        let why = format!(
            "all connections together may take {}, more than there is: {arithmetic}",
            size(all)
        );
        return look.change("work_mem", size(target), why, SHARED);
    }
    // More is wanted only where statements went to disk for want of it.
    if target >= now * 1.5 && measured.temporary_bytes >= GB {
        let spilled = size(measured.temporary_bytes as f64);
        let why = format!("statements have written {spilled} of temporary files: {arithmetic}");
        return look.change("work_mem", size(target), why, SHARED);
    }
    None
}

fn maintenance(look: &Look<'_>) -> Option<Change> {
    let (target, now) = (maintenance_target(look), look.measured.amount("maintenance_work_mem")?);
    if now >= target * 0.6 {
        return None;
    }
    let workers = look.measured.number("autovacuum_max_workers").unwrap_or(3.0);
    let why = format!(
        "VACUUM and index builds go over indexes and data fewer times; a sixteenth of the machine, 1 GB at most, and {workers:.0} autovacuum workers may take it at once"
    );
    look.change("maintenance_work_mem", size(target), why, SHARED)
}

fn cached(look: &Look<'_>) -> Option<Change> {
    let target = look.machine.memory as f64 * 0.7;
    let now = look.measured.amount("effective_cache_size")?;
    is_far(now, target).then_some(())?;
    let why = "nothing is allocated by it: it says how much of an index is likely in memory, shared buffers and the system's cache together, about seven tenths of the machine".to_owned();
    look.change("effective_cache_size", size(target), why, COSTS)
}
