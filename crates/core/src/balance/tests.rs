//! Shares, order and preferences of every strategy, with candidates made by hand. Not the nodes behind them.
//!
//! Invariant: what is random comes from a seed.

use super::*;

const NOTHING: Duration = Duration::ZERO;
const CHOICES: usize = 10_000;

fn chances(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

fn nodes(weights: &[u32], since: Instant) -> Vec<Candidate> {
    let candidate = |(node, weight): (usize, &u32)| Candidate {
        node: NodeId(node),
        eligible: true,
        weight: *weight,
        priority: 1,
        busy: 0,
        latency: None,
        since,
    };
    weights.iter().enumerate().map(candidate).collect()
}

fn shares(balancer: &mut Balancer, candidates: &[Candidate], now: Instant) -> Vec<f64> {
    let mut random = chances(1);
    let mut counts = vec![0_u32; candidates.len()];
    for _ in 0..CHOICES {
        counts[balancer.choose(candidates, now, random()).unwrap()] += 1;
    }
    counts.iter().map(|count| f64::from(*count) / CHOICES as f64).collect()
}

#[track_caller]
fn assert_shares(shares: &[f64], expected: &[f64], within: f64) {
    assert_eq!(shares.len(), expected.len());
    let close = shares.iter().zip(expected).all(|(share, wanted)| (share - wanted).abs() <= within);
    assert!(close, "{shares:?} instead of {expected:?}");
}

#[test]
fn round_robin_gives_equal_shares_whatever_the_weights() {
    let now = Instant::now();
    let mut balancer = Balancer::new(Strategy::RoundRobin, NOTHING, 3);
    let candidates = nodes(&[5, 1, 3], now);
    let order: Vec<_> = (0..6).map(|_| balancer.choose(&candidates, now, 0).unwrap()).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    assert_shares(&shares(&mut balancer, &candidates, now), &[1.0 / 3.0; 3], 0.001);
}

#[test]
fn weights_give_exact_shares_without_runs() {
    let now = Instant::now();
    for weights in [vec![1, 1], vec![5, 1, 1], vec![70, 30], vec![3, 0, 2], vec![1000, 1, 500, 7]] {
        let mut balancer = Balancer::new(Strategy::Weighted, NOTHING, weights.len());
        let candidates = nodes(&weights, now);
        let total: u32 = weights.iter().sum();
        let expected: Vec<_> = weights.iter().map(|it| f64::from(*it) / f64::from(total)).collect();
        assert_shares(&shares(&mut balancer, &candidates, now), &expected, 0.001);
    }
    let mut balancer = Balancer::new(Strategy::Weighted, NOTHING, 3);
    let candidates = nodes(&[5, 1, 1], now);
    let order: Vec<_> = (0..7).map(|_| balancer.choose(&candidates, now, 0).unwrap()).collect();
    assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn shares_hold_when_a_candidate_is_away_at_times() {
    let now = Instant::now();
    let mut balancer = Balancer::new(Strategy::Weighted, NOTHING, 3);
    let all = nodes(&[2, 1, 1], now);
    let mut random = chances(7);
    let (mut counts, mut together) = ([0_u32; 3], [0_u32; 3]);
    for _ in 0..CHOICES * 4 {
        if random().is_multiple_of(2) {
            together[balancer.choose(&all, now, 0).unwrap()] += 1;
        } else {
            counts[balancer.choose(&all[..2], now, 0).unwrap()] += 1;
        }
    }
    assert_eq!(counts[2], 0);
    // Whoever was away has not saved anything up, and nobody is starved.
    assert!(together[2] > 3_000, "{together:?}");
    let both = counts[0] + together[0];
    let wanted = f64::from(both) / f64::from(counts[1] + together[1]);
    assert!((wanted - 2.0).abs() < 0.1, "{counts:?} {together:?}");
}

#[test]
fn nobody_is_chosen_without_a_weight() {
    let now = Instant::now();
    for strategy in [
        Strategy::RoundRobin,
        Strategy::Weighted,
        Strategy::Priority,
        Strategy::LeastConnections,
        Strategy::Latency,
        Strategy::Adaptive,
    ] {
        let mut balancer = Balancer::new(strategy, NOTHING, 3);
        let mut random = chances(3);
        for _ in 0..1_000 {
            assert_eq!(balancer.choose(&[], now, random()), None);
            assert_eq!(balancer.choose(&nodes(&[0, 0], now), now, random()), None);
            let only = balancer.choose(&nodes(&[0, 2, 0], now), now, random());
            assert_eq!(only, Some(1), "{strategy:?}");
        }
    }
}

#[test]
fn the_smallest_priority_serves_alone_and_by_weight() {
    let now = Instant::now();
    let mut balancer = Balancer::new(Strategy::Priority, NOTHING, 4);
    let mut candidates = nodes(&[1, 3, 1, 0], now);
    for (candidate, priority) in candidates.iter_mut().zip([2, 2, 5, 1]) {
        candidate.priority = priority;
    }
    assert_shares(&shares(&mut balancer, &candidates, now), &[0.25, 0.75, 0.0, 0.0], 0.001);
    assert_shares(&shares(&mut balancer, &candidates[2..], now), &[1.0, 0.0], 0.0);
}

#[test]
fn least_connections_fills_nodes_in_proportion_to_their_weights() {
    let now = Instant::now();
    let mut balancer = Balancer::new(Strategy::LeastConnections, NOTHING, 3);
    let mut candidates = nodes(&[3, 2, 1], now);
    // Reads that never end: only the balance of the busy counts matters.
    for _ in 0..600 {
        let chosen = balancer.choose(&candidates, now, 0).unwrap();
        candidates[chosen].busy += 1;
    }
    let busy: Vec<_> = candidates.iter().map(|it| it.busy).collect();
    assert_eq!(busy, [300, 200, 100]);
    // A node that is slower, so that its servers stay busy, gets fewer.
    candidates[0].busy = 400;
    for _ in 0..100 {
        assert_ne!(balancer.choose(&candidates, now, 0), Some(0));
    }
    assert_shares(&shares(&mut balancer, &nodes(&[1, 1, 1], now), now), &[1.0 / 3.0; 3], 0.01);
}

/// Reads one after the other, each answered after what its node takes; the shares of the last half.
fn served(balancer: &mut Balancer, millis: &[f64], start: Instant) -> Vec<f64> {
    let candidates = nodes(&vec![1; millis.len()], start);
    let mut random = chances(11);
    let mut counts = vec![0_u32; millis.len()];
    let mut now = start;
    for round in 0..CHOICES {
        let chosen = balancer.choose(&candidates, now, random()).unwrap();
        let latency = Duration::from_secs_f64(millis[chosen] / 1000.0);
        now += latency;
        balancer.on_answer(NodeId(chosen), latency, now);
        counts[chosen] += u32::from(round >= CHOICES / 2);
    }
    let total: u32 = counts.iter().sum();
    counts.iter().map(|count| f64::from(*count) / f64::from(total)).collect()
}

#[test]
fn latency_prefers_fast_nodes_and_tries_slow_ones_again() {
    let start = Instant::now();
    let mut balancer = Balancer::new(Strategy::Latency, NOTHING, 3);
    let before = served(&mut balancer, &[1.0, 1.0, 20.0], start);
    assert!(before[2] < 0.05, "{before:?}");
    assert!(before[2] > 0.0, "the slow one is never tried again: {before:?}");
    assert!(before[0] > 0.3 && before[1] > 0.3, "{before:?}");
    // It is fast again.
    let after = served(&mut balancer, &[1.0, 1.0, 1.0], start + Duration::from_secs(3600));
    assert_shares(&after, &[1.0 / 3.0; 3], 0.1);
}

#[test]
fn latency_counts_those_who_wait_already() {
    let now = Instant::now();
    let mut balancer = Balancer::new(Strategy::Latency, NOTHING, 2);
    let mut candidates = nodes(&[1, 1], now);
    for node in 0..2 {
        balancer.on_answer(NodeId(node), Duration::from_millis(1 + node as u64), now);
    }
    assert_eq!(balancer.choose(&candidates, now, 1), Some(0));
    candidates[0].busy = 5;
    assert_eq!(balancer.choose(&candidates, now, 1), Some(1));
}

#[test]
fn one_long_statement_does_not_make_a_node_slow_for_long() {
    let start = Instant::now();
    let mut balancer = Balancer::new(Strategy::Latency, NOTHING, 1);
    balancer.on_answer(NodeId(0), Duration::from_millis(1), start);
    balancer.on_answer(NodeId(0), Duration::from_secs(60), start);
    let at =
        |seconds: u64| balancer.latency(NodeId(0), start + Duration::from_secs(seconds)).unwrap();
    assert!(at(0) <= Duration::from_millis(8));
    assert!(at(5) < Duration::from_millis(1));
}

#[test]
fn adaptive_goes_in_turn_until_nodes_differ_and_returns_to_it() {
    let start = Instant::now();
    let mut balancer = Balancer::new(Strategy::Adaptive, NOTHING, 2);
    let even = served(&mut balancer, &[1.0, 1.4], start);
    assert_shares(&even, &[0.5, 0.5], 0.01);
    let uneven = served(&mut balancer, &[1.0, 10.0], start + Duration::from_secs(60));
    assert!(uneven[0] > 0.9, "{uneven:?}");
    let again = served(&mut balancer, &[1.0, 1.1], start + Duration::from_secs(3600));
    assert_shares(&again, &[0.5, 0.5], 0.1);
}

#[test]
fn a_node_that_comes_back_gets_its_share_little_by_little() {
    let start = Instant::now();
    let ramp = Duration::from_secs(10);
    // By weight: at age a of 10 s it has a/10 of its weight against a full one, at least a tenth.
    for (age, expected) in [(0, 0.1 / 1.1), (5, 0.5 / 1.5), (10, 0.5), (60, 0.5)] {
        let now = start + Duration::from_secs(3600);
        let mut candidates = nodes(&[4, 4], start);
        candidates[1].since = now - Duration::from_secs(age);
        for strategy in [Strategy::RoundRobin, Strategy::Weighted, Strategy::Priority] {
            let mut balancer = Balancer::new(strategy, ramp, 2);
            let shares = shares(&mut balancer, &candidates, now);
            assert_shares(&shares, &[1.0 - expected, expected], 0.005);
        }
        // Of two that are equally fast, the new one is taken only as often as it has grown.
        let mut balancer = Balancer::new(Strategy::Latency, ramp, 2);
        let shares = shares(&mut balancer, &candidates, now);
        let most = (age as f64 / 10.0).clamp(0.1, 1.0) * 0.5;
        assert_shares(&shares, &[1.0 - most, most], 0.05);
        // Busy servers of it count for more.
        candidates.iter_mut().for_each(|it| it.busy = 0);
        let mut balancer = Balancer::new(Strategy::LeastConnections, ramp, 2);
        for _ in 0..1_000 {
            let chosen = balancer.choose(&candidates, now, 0).unwrap();
            candidates[chosen].busy += 1;
        }
        let share = f64::from(candidates[1].busy) / 1_000.0;
        assert!((share - expected).abs() < 0.01, "{share} instead of {expected}");
    }
}

#[test]
fn what_a_node_misses_while_it_may_not_serve_it_gets_later() {
    let now = Instant::now();
    let mut balancer = Balancer::new(Strategy::Weighted, NOTHING, 2);
    let mut random = chances(7);
    let mut candidates = nodes(&[3, 1], now);
    let mut counts = [0_u32; 2];
    for _ in 0..CHOICES {
        // One in three reads may go to one of them only, and not always to the same.
        let lot = random() % 6;
        candidates[0].eligible = lot != 0;
        candidates[1].eligible = lot != 1;
        let chosen = balancer.choose(&candidates, now, random()).unwrap();
        assert!(candidates[chosen].eligible);
        counts[chosen] += 1;
    }
    assert_shares(&counts.map(|count| f64::from(count) / CHOICES as f64), &[0.75, 0.25], 0.005);
}

#[test]
fn a_node_that_comes_back_after_long_is_not_flooded() {
    let now = Instant::now();
    let mut balancer = Balancer::new(Strategy::RoundRobin, NOTHING, 2);
    let mut candidates = nodes(&[1, 1], now);
    candidates[0].eligible = false;
    for _ in 0..CHOICES {
        assert_eq!(balancer.choose(&candidates, now, 0), Some(1));
    }
    candidates[0].eligible = true;
    let run = (0..CHOICES).take_while(|_| balancer.choose(&candidates, now, 0) == Some(0)).count();
    assert!((1..100).contains(&run), "{run} in a row");
    candidates[0].eligible = false;
    candidates[1].eligible = false;
    assert_eq!(balancer.choose(&candidates, now, 0), None);
}
