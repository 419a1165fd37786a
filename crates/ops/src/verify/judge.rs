//! The verdict on numbers from before and after. Pure: values in, values out.
//!
//! Invariant: a statement is better or worse when its mean time has changed by a fifth (one that writes is worse from a tenth on) and Welch's test says that this is not by chance (p < 0.01).

use serde::Serialize;

use super::{Counts, Measured, Sampled};
use crate::journal::State;

/// A statement is better from here on down, and worse from here on up.
const BETTER: f64 = 0.8;
const WORSE: f64 = 1.2;
/// The same of one that writes: many indexes that each cost writes a little cost them much.
const WORSE_WRITE: f64 = 1.1;
/// Calls on each side for a verdict.
const CALLS: f64 = 30.0;
/// Losses that are this share of the gains make the whole worse.
const TOLERATED: f64 = 0.25;
/// As long as statements with this share of the time before have too few calls, it is not said that nothing has changed.
const UNDECIDED: f64 = 0.1;
/// A time is never taken as shorter than this, in milliseconds: clocks are not better.
const CLOCK: f64 = 0.001;

/// What became of one statement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// The statement.
    pub text: String,
    /// It writes.
    pub writes: bool,
    /// Calls before and after.
    pub calls: (f64, f64),
    /// Mean (of samples: least) milliseconds before and after.
    pub time_ms: (f64, f64),
    /// Blocks of a call before and after.
    pub blocks: (f64, f64),
    /// Better, no different, worse; `None`: too few calls.
    pub state: Option<State>,
}

/// What became of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// `verified`, `neutral` or `regressed`; `None`: it cannot be said yet.
    pub state: Option<State>,
    /// In words.
    pub why: String,
    /// The statements, those that changed the most in front.
    pub statements: Vec<Changed>,
}

/// Compares what was before with what was after a start: between the two it was carried out, and what ran meanwhile says nothing of either.
#[must_use]
pub fn judge(before: &Measured, start: &Measured, after: &Measured) -> Verdict {
    let mut statements = samples(&before.samples, &after.samples);
    let comparable = match (&before.counted, &start.counted, &after.counted) {
        (Some(before), Some(start), Some(after))
            if before.since == after.since && before.since == start.since =>
        {
            for (id, after) in &after.statements {
                let known = before.statements.get(id).zip(start.statements.get(id));
                statements.extend(known.and_then(|(before, start)| counts(before, start, after)));
            }
            true
        }
        (Some(_), Some(_), Some(_)) => false,
        _ => true,
    };
    let weight = |one: &Changed| (one.time_ms.1 - one.time_ms.0).abs() * one.calls.1;
    statements.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    let (state, why) = whole(&statements, comparable);
    Verdict { state, why, statements }
}

fn whole(statements: &[Changed], comparable: bool) -> (Option<State>, String) {
    let judged: Vec<_> = statements.iter().filter(|one| one.state.is_some()).collect();
    if judged.is_empty() {
        let why = if comparable {
            "too few calls since then: 30 of a statement before and after are needed, or samples"
        } else {
            "the statistics of PostgreSQL were reset in between"
        };
        return (None, why.to_owned());
    }
    let of = |state| judged.iter().filter(move |one| one.state == Some(state));
    let sum = |state| -> f64 {
        of(state).map(|one| (one.time_ms.1 - one.time_ms.0).abs() * one.calls.1).sum()
    };
    let (gains, losses) = (sum(State::Verified), sum(State::Regressed));
    let before = |one: &Changed| one.time_ms.0 * one.calls.0;
    let all: f64 = statements.iter().map(before).sum();
    let open: f64 = statements.iter().filter(|one| one.state.is_none()).map(before).sum();
    let (better, worse) = (of(State::Verified).count(), of(State::Regressed).count());
    let rest = judged.len() - better - worse;
    let why = format!("{better} statements are faster, {worse} slower, {rest} no different");
    let state = if worse > 0 && losses > gains * TOLERATED {
        State::Regressed
    } else if better > 0 {
        State::Verified
    } else if open > all * UNDECIDED {
        let why = "too few calls since then of statements that took much time before";
        return (None, why.to_owned());
    } else {
        State::Neutral
    };
    (Some(state), why)
}

/// What the calls between the last two moments took, against those before the first.
fn counts(before: &Counts, start: &Counts, after: &Counts) -> Option<Changed> {
    let calls = after.calls - start.calls;
    if before.calls < 1.0 || calls < 1.0 {
        return None;
    }
    let time = (after.time - start.time) / calls;
    let was = before.time / before.calls;
    let spread = (before.squares / before.calls - was * was).max(0.0) / before.calls;
    let spreads = ((after.squares - start.squares) / calls - time * time).max(0.0) / calls;
    let enough = before.calls >= CALLS && calls >= CALLS;
    let certain = is_certain((was, spread, before.calls), (time, spreads, calls));
    Some(Changed {
        text: after.text.clone(),
        writes: after.writes,
        calls: (before.calls, calls),
        time_ms: (was, time),
        blocks: (before.blocks / before.calls, (after.blocks - start.blocks) / calls),
        state: enough.then(|| state((was, time), after.writes, certain)),
    })
}

/// Samples of the same statement; a difference is certain when no run of one side is within the other side (5 and 5 runs: p = 0.008).
fn samples(before: &[Sampled], after: &[Sampled]) -> Vec<Changed> {
    let least = |one: &Sampled| one.times.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |one: &Sampled| one.times.iter().copied().fold(0.0, f64::max);
    let pairs = after
        .iter()
        .filter_map(|after| Some((before.iter().find(|before| before.text == after.text)?, after)));
    pairs
        .map(|(before, after)| {
            let certain = most(after) < least(before) || least(after) > most(before);
            Changed {
                text: after.text.clone(),
                writes: false,
                calls: (1.0, 1.0),
                time_ms: (least(before), least(after)),
                blocks: (before.blocks, after.blocks),
                state: Some(state((least(before), least(after)), false, certain)),
            }
        })
        .collect()
}

fn state((was, is): (f64, f64), writes: bool, certain: bool) -> State {
    let worse = if writes { WORSE_WRITE } else { WORSE };
    let ratio = is.max(CLOCK) / was.max(CLOCK);
    if certain && ratio <= BETTER {
        State::Verified
    } else if certain && ratio >= worse {
        State::Regressed
    } else {
        State::Neutral
    }
}

/// Welch's test at 1 %, two-sided: means, variances of the means, numbers of calls.
fn is_certain(a: (f64, f64, f64), b: (f64, f64, f64)) -> bool {
    let variance = a.1 + b.1;
    if variance <= 0.0 {
        return (a.0 - b.0).abs() > 0.0;
    }
    let part = |one: (f64, f64, f64)| one.1 * one.1 / (one.2 - 1.0).max(1.0);
    let freedom = variance * variance / (part(a) + part(b)).max(f64::MIN_POSITIVE);
    (a.0 - b.0).abs() / variance.sqrt() > critical(freedom)
}

/// The value that |t| exceeds in one of a hundred cases, by the expansion of Cornish and Fisher; exact to 1 % from 5 degrees of freedom on.
fn critical(freedom: f64) -> f64 {
    const Z: f64 = 2.575_829;
    let n = freedom.max(1.0);
    let (z3, z5, z7) = (Z.powi(3), Z.powi(5), Z.powi(7));
    Z + (z3 + Z) / (4.0 * n)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * Z) / (96.0 * n * n)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * Z) / (384.0 * n * n * n)
}

#[cfg(test)]
mod tests {
    use super::super::Counted;
    use super::*;

    /// So many calls of this mean and standard deviation, after those before.
    fn counts(before: &Counts, calls: f64, mean: f64, deviation: f64) -> Counts {
        Counts {
            text: "SELECT".to_owned(),
            writes: false,
            calls: before.calls + calls,
            time: before.time + calls * mean,
            squares: before.squares + calls * (mean * mean + deviation * deviation),
            blocks: before.blocks + calls * mean,
        }
    }

    fn measured(statements: &[(&str, Counts)]) -> Measured {
        let statements = statements.iter().map(|(id, one)| ((*id).to_owned(), one.clone()));
        let counted = Counted { since: "then".to_owned(), statements: statements.collect() };
        Measured { counted: Some(counted), samples: Vec::new() }
    }

    fn one(before: (f64, f64, f64), after: (f64, f64, f64)) -> Verdict {
        let first = counts(&Counts::default(), before.0, before.1, before.2);
        let second = counts(&first, after.0, after.1, after.2);
        let first = measured(&[("query 1", first)]);
        judge(&first, &first, &measured(&[("query 1", second)]))
    }

    #[test]
    fn the_critical_value_is_that_of_the_tables() {
        for (freedom, value) in
            [(5.0, 4.032), (10.0, 3.169), (30.0, 2.750), (60.0, 2.660), (1e9, 2.576)]
        {
            assert!(
                (critical(freedom) / value - 1.0).abs() < 0.01,
                "{freedom}: {}",
                critical(freedom)
            );
        }
    }

    #[test]
    fn what_is_faster_slower_or_not_is_told_apart() {
        assert_eq!(one((100.0, 10.0, 3.0), (100.0, 2.0, 1.0)).state, Some(State::Verified));
        assert_eq!(one((100.0, 10.0, 3.0), (100.0, 13.0, 3.0)).state, Some(State::Regressed));
        assert_eq!(one((100.0, 10.0, 3.0), (100.0, 10.5, 3.0)).state, Some(State::Neutral));
        // Certain, and too little.
        assert_eq!(one((1e6, 10.0, 0.1), (1e6, 9.0, 0.1)).state, Some(State::Neutral));
        // Much, and perhaps by chance.
        assert_eq!(one((40.0, 10.0, 60.0), (40.0, 2.0, 60.0)).state, Some(State::Neutral));
        // Too few calls.
        assert_eq!(one((100.0, 10.0, 3.0), (29.0, 1.0, 0.1)).state, None);
    }

    #[test]
    fn numbers_are_those_of_the_calls_after_and_not_of_all() {
        let verdict = one((1_000.0, 10.0, 1.0), (50.0, 1.0, 0.1));
        let time = verdict.statements[0].time_ms;
        assert!((time.0 - 10.0).abs() < 1e-6 && (time.1 - 1.0).abs() < 1e-6, "{time:?}");
    }

    #[test]
    fn what_ran_while_it_was_carried_out_counts_neither_before_nor_after() {
        let first = counts(&Counts::default(), 100.0, 10.0, 1.0);
        let start = counts(&first, 1_000.0, 40.0, 1.0);
        let after = counts(&start, 50.0, 1.0, 0.1);
        let [first, start, after] = [first, start, after].map(|it| measured(&[("query 1", it)]));
        let verdict = judge(&first, &start, &after);
        assert_eq!(verdict.state, Some(State::Verified));
        let time = verdict.statements[0].time_ms;
        assert!((time.0 - 10.0).abs() < 1e-6 && (time.1 - 1.0).abs() < 1e-6, "{time:?}");
    }

    #[test]
    fn nothing_has_changed_only_when_enough_is_known() {
        let first = counts(&Counts::default(), 100.0, 10.0, 1.0);
        let rare = counts(&Counts::default(), 100.0, 50.0, 1.0);
        let before = measured(&[("query 1", first.clone()), ("query 2", rare.clone())]);
        let same = counts(&first, 100.0, 10.0, 1.0);
        let after = |calls| {
            let faster = counts(&rare, calls, 1.0, 0.1);
            measured(&[("query 1", same.clone()), ("query 2", faster)])
        };
        assert_eq!(judge(&before, &before, &after(20.0)).state, None);
        assert_eq!(judge(&before, &before, &after(30.0)).state, Some(State::Verified));
    }

    #[test]
    fn losses_count_against_gains() {
        let first = counts(&Counts::default(), 100.0, 10.0, 1.0);
        let faster = counts(&first, 100.0, 5.0, 1.0);
        let little = counts(&first, 10.0 + 25.0, 13.0, 0.1);
        let much = counts(&first, 100.0, 13.0, 0.1);
        let before = measured(&[("query 1", first.clone()), ("query 2", first)]);
        let after =
            |slower: &Counts| measured(&[("query 1", faster.clone()), ("query 2", slower.clone())]);
        assert_eq!(judge(&before, &before, &after(&little)).state, Some(State::Verified));
        assert_eq!(judge(&before, &before, &after(&much)).state, Some(State::Regressed));
    }

    #[test]
    fn writes_count_as_slower_from_a_tenth_on_and_against_what_reads_gain() {
        let first = counts(&Counts::default(), 1_000.0, 10.0, 1.0);
        let slower = Counts { writes: true, ..counts(&first, 1_000.0, 11.5, 1.0) };
        let before = measured(&[("query 1", first.clone()), ("query 2", first.clone())]);
        let with = |mean| {
            let read = counts(&first, 1_000.0, mean, 1.0);
            let after = measured(&[("query 1", read), ("query 2", slower.clone())]);
            judge(&before, &before, &after).state
        };
        assert_eq!(with(1.0), Some(State::Verified));
        assert_eq!(with(7.0), Some(State::Regressed));
        let read = one((1_000.0, 10.0, 1.0), (1_000.0, 11.5, 1.0));
        assert_eq!(read.state, Some(State::Neutral));
    }

    #[test]
    fn counts_of_another_beginning_are_not_compared() {
        let first = counts(&Counts::default(), 100.0, 10.0, 1.0);
        let before = measured(&[("query 1", first.clone())]);
        let mut after = measured(&[("query 1", counts(&first, 100.0, 1.0, 0.1))]);
        if let Some(counted) = &mut after.counted {
            counted.since = "later".to_owned();
        }
        let verdict = judge(&before, &before, &after);
        assert_eq!(verdict.state, None);
        assert!(verdict.why.contains("reset"), "{}", verdict.why);
    }

    #[test]
    fn samples_that_overlap_are_no_difference() {
        let of = |times: &[f64]| Measured {
            counted: None,
            samples: vec![Sampled {
                text: "SELECT".to_owned(),
                times: times.to_vec(),
                blocks: 1.0,
            }],
        };
        let before = of(&[10.0, 11.0, 12.0, 13.0, 14.0]);
        let state = |after: &[f64]| judge(&before, &before, &of(after)).state;
        assert_eq!(state(&[1.0, 1.1, 1.2, 1.3, 1.4]), Some(State::Verified));
        assert_eq!(state(&[5.0, 6.0, 7.0, 8.0, 10.5]), Some(State::Neutral));
        assert_eq!(state(&[20.0, 21.0, 22.0, 23.0, 24.0]), Some(State::Regressed));
    }
}
