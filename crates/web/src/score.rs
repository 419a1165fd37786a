//! The performance score: 0 to 100 over the last five minutes, made of numbers that are in `/metrics`, with the reason for every point
//! that is missing. How anyone recomputes it is in the guide (`docs/guide/dashboard.md`).
//!
//! Invariant: more slow statements, more errors of the server, more waiting or fewer nodes never raise it; the points lost add up to
//! 100 less the score.

use serde::Serialize;

use crate::history::Counts;

/// Seconds that it looks back.
pub(crate) const WINDOW: usize = 300;
/// With fewer statements there is no score.
const ENOUGH: u64 = 100;

/// One part of the score.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// Points at most.
    pub(crate) weight: f64,
    /// Points lost.
    pub(crate) lost: f64,
    /// What they were lost for, or what was looked at.
    pub(crate) why: String,
}

/// The score and what it is made of.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Score {
    /// `None`: too few statements to tell.
    pub(crate) value: Option<f64>,
    pub(crate) grade: Option<&'static str>,
    pub(crate) parts: Vec<Part>,
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The score of some minutes, with so many nodes, of which so many answer as they should.
pub(crate) fn score(counts: &Counts, (well, nodes): (usize, usize)) -> Score {
    if counts.calls < ENOUGH {
        return Score { value: None, grade: None, parts: Vec::new() };
    }
    let slow = counts.calls.saturating_sub(counts.satisfied);
    let good =
        f64::midpoint(share(counts.satisfied, counts.calls), share(counts.tolerated, counts.calls));
    let failed = share(counts.failed, counts.calls);
    let errors = if failed > 0.0 { (failed / 0.001).log10().clamp(0.0, 1.0) } else { 0.0 };
    let waited = share(counts.slow_checkouts, counts.checkouts.max(counts.slow_checkouts));
    let waiting = ((waited - 0.001) / 0.049).clamp(0.0, 1.0);
    let down = nodes.saturating_sub(well);
    let lost_nodes = if nodes == 0 { 0.0 } else { down as f64 / nodes as f64 };
    let part = |name, weight: f64, lost: f64, why| Part { name, weight, lost: weight * lost, why };
    let parts = vec![
        part(
            "latency",
            45.0,
            (1.0 - good).clamp(0.0, 1.0),
            format!(
                "{:.2} % of statements took more than 25 ms",
                100.0 * share(slow, counts.calls)
            ),
        ),
        part(
            "errors",
            20.0,
            errors,
            format!("{:.3} % of statements failed because of the server", 100.0 * failed),
        ),
        part(
            "waiting",
            20.0,
            waiting,
            format!("{:.2} % of checkouts waited more than 10 ms", 100.0 * waited),
        ),
        part(
            "resilience",
            15.0,
            lost_nodes,
            format!("{well} of {nodes} nodes are as they should be"),
        ),
    ];
    let value = 100.0 - parts.iter().map(|part| part.lost).sum::<f64>();
    let grade = match value {
        value if value >= 90.0 => "A",
        value if value >= 80.0 => "B",
        value if value >= 70.0 => "C",
        value if value >= 60.0 => "D",
        _ => "F",
    };
    Score { value: Some(value), grade: Some(grade), parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Counts = Counts {
        calls: 10_000,
        satisfied: 10_000,
        tolerated: 10_000,
        failed: 0,
        checkouts: 10_000,
        slow_checkouts: 0,
    };

    fn value(counts: Counts, nodes: (usize, usize)) -> f64 {
        let score = score(&counts, nodes);
        let lost: f64 = score.parts.iter().map(|part| part.lost).sum();
        let value = score.value.unwrap();
        assert!((value + lost - 100.0).abs() < 1e-9);
        value
    }

    #[test]
    fn what_gets_worse_never_raises_it() {
        assert!((value(FINE, (2, 2)) - 100.0).abs() < 1e-9);
        let mut last = 100.0;
        for slow in (0..=10_000).step_by(500) {
            let now = value(Counts { satisfied: 10_000 - slow, ..FINE }, (2, 2));
            assert!(now <= last);
            last = now;
        }
        assert!(value(Counts { failed: 50, ..FINE }, (2, 2)) < 100.0);
        assert!(value(Counts { slow_checkouts: 200, ..FINE }, (2, 2)) < 100.0);
        assert!(value(FINE, (1, 2)) < 100.0);
    }

    #[test]
    fn with_few_statements_there_is_none() {
        assert!(score(&Counts { calls: 99, ..FINE }, (1, 1)).value.is_none());
    }
}
