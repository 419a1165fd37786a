//! What PostgreSQL itself counts about a database (`pg_stat_database`), from look to look, and what follows from it. Not what Howdah
//! counts: that is `statements`.
//!
//! Invariant: numbers that have gone back, because somebody reset them or another server answers, are never taken for a difference.

/// Counters of one database since they were last reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Blocks that were found in PostgreSQL's own buffers.
    pub blocks_hit: u64,
    /// Blocks that had to be asked of the operating system, which may have had them.
    pub blocks_read: u64,
    /// Transactions that were committed,
    pub commits: u64,
    /// and those that were rolled back.
    pub rollbacks: u64,
    /// Deadlocks.
    pub deadlocks: u64,
    /// Statements that a replica cancelled because they were in the way of its recovery.
    pub conflicts: u64,
    /// Bytes of temporary files: sorts and hashes that did not fit into `work_mem`.
    pub temp_bytes: u64,
}

/// One database over time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Track {
    last: Option<Counters>,
    buffer_hits: Option<f64>,
}

impl Track {
    /// PostgreSQL was asked.
    pub fn on_look(&mut self, now: Counters) {
        let since = self.last.unwrap_or_default();
        let (hit, read) = match (
            now.blocks_hit.checked_sub(since.blocks_hit),
            now.blocks_read.checked_sub(since.blocks_read),
        ) {
            (Some(hit), Some(read)) => (hit, read),
            // Counted from zero again.
            _ => (now.blocks_hit, now.blocks_read),
        };
        let all = hit.saturating_add(read);
        if all > 0 {
            self.buffer_hits = Some(100.0 * hit as f64 / all as f64);
        }
        self.last = Some(now);
    }

    /// What was counted at the last look; `None`: there was none.
    #[must_use]
    pub const fn counters(&self) -> Option<Counters> {
        self.last
    }

    /// Blocks found in PostgreSQL's buffers, in a hundred of those that were asked for: between the last two looks, or the last two
    /// between which any was; after the first look, since PostgreSQL began to count. `None`: none was ever asked for.
    #[must_use]
    pub const fn buffer_hit_percent(&self) -> Option<f64> {
        self.buffer_hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(hit: u64, read: u64) -> Counters {
        Counters { blocks_hit: hit, blocks_read: read, ..Counters::default() }
    }

    #[test]
    fn the_ratio_is_that_of_the_last_two_looks() {
        let mut track = Track::default();
        assert_eq!((track.counters(), track.buffer_hit_percent()), (None, None));
        track.on_look(blocks(900, 100));
        assert_eq!(track.buffer_hit_percent(), Some(90.0));
        track.on_look(blocks(950, 150));
        assert_eq!(track.buffer_hit_percent(), Some(50.0));
        assert_eq!(track.counters(), Some(blocks(950, 150)));
    }

    #[test]
    fn without_a_block_the_last_ratio_stays() {
        let mut track = Track::default();
        track.on_look(blocks(0, 0));
        assert_eq!(track.buffer_hit_percent(), None);
        track.on_look(blocks(3, 1));
        track.on_look(blocks(3, 1));
        assert_eq!(track.buffer_hit_percent(), Some(75.0));
    }

    #[test]
    fn counters_that_were_reset_count_from_zero() {
        let mut track = Track::default();
        track.on_look(blocks(1_000, 1_000));
        track.on_look(blocks(30, 10));
        assert_eq!(track.buffer_hit_percent(), Some(75.0));
        // One of them may have overtaken its old value.
        track.on_look(blocks(5, 15));
        assert_eq!(track.buffer_hit_percent(), Some(25.0));
    }
}
