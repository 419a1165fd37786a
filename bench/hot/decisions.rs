//! Hot functions of `howdah-core`: what is decided for every request. Not the decisions of a login or a failure.

use std::hint::black_box;
use std::time::Instant;

use howdah_core::pool::{Checkin, Ledger, PoolConfig};
use howdah_core::reply::{Disposition, Kind, ReplyQueue};
use howdah_core::session::{Context, align};
use howdah_wire::backend::tag;

/// The reply queue over one simple query that returns a row.
pub(crate) fn replies_simple(repetitions: u64) -> Option<()> {
    let tags = [tag::ROW_DESCRIPTION, tag::DATA_ROW, tag::COMMAND_COMPLETE, tag::READY_FOR_QUERY];
    replies(&[Kind::Query], &tags, repetitions)
}

/// The reply queue over one extended request that returns a row.
pub(crate) fn replies_extended(repetitions: u64) -> Option<()> {
    let kinds = [Kind::Parse, Kind::Bind, Kind::DescribePortal, Kind::Execute, Kind::Sync];
    let tags = [
        tag::PARSE_COMPLETE,
        tag::BIND_COMPLETE,
        tag::ROW_DESCRIPTION,
        tag::DATA_ROW,
        tag::COMMAND_COMPLETE,
        tag::READY_FOR_QUERY,
    ];
    replies(&kinds, &tags, repetitions)
}

fn replies(kinds: &[Kind], tags: &[u8], repetitions: u64) -> Option<()> {
    let mut queue = ReplyQueue::new();
    for _ in 0..repetitions {
        for &kind in black_box(kinds) {
            queue.push(7_u32, kind, Disposition::Forward);
            if queue.take_answer().is_some() {
                return None;
            }
        }
        for &tag in black_box(tags) {
            black_box(queue.on_frame(tag).ok()?);
            if queue.take_answer().is_some() {
                return None;
            }
        }
        if !queue.is_settled() {
            return None;
        }
    }
    Some(())
}

/// Session and server have the same four settings: nothing to send.
pub(crate) fn align_equal(repetitions: u64) -> Option<()> {
    let settings = [
        ("application_name", "shop"),
        ("search_path", "shop, public"),
        ("timezone", "UTC"),
        ("work_mem", "64MB"),
    ];
    let (session, server) = (Context::from_startup(settings), Context::from_startup(settings));
    for _ in 0..repetitions {
        if align(black_box(&server), black_box(&session)).is_some() {
            return None;
        }
    }
    Some(())
}

/// A server is taken from its pool and comes back, with nobody waiting.
pub(crate) fn ledger_round_trip(repetitions: u64) -> Option<()> {
    let now = Instant::now();
    let mut ledger: Ledger<u32, u32> = Ledger::new(PoolConfig::default());
    for server in 0..20 {
        ledger.on_opening();
        ledger.on_opened(server, now);
    }
    for _ in 0..repetitions {
        let (server, since) = black_box(&mut ledger).checkout()?;
        if ledger.checkin(server, black_box(since)) != Checkin::Idle {
            return None;
        }
    }
    Some(())
}
