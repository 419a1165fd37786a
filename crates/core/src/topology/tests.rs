//! Topology by hand, and a model of nodes with real logs against which its promise is checked. Not real servers: those are in `tests`.
//!
//! Invariant: a run of the model is repeated by its seed, which every failure names.

use super::*;

const SYSTEM: u64 = 7_000;

/// A cluster that is asked by hand, in milliseconds since its beginning.
struct Cluster {
    topology: Topology,
    start: Instant,
    now: u64,
}

fn place(node: usize, primary: bool) -> Place {
    Place { node: NodeId(node), primary, was: None }
}

impl Cluster {
    /// Of `nodes` nodes; the configuration calls the first one the primary.
    fn new(nodes: usize) -> Self {
        let start = Instant::now();
        let places: Vec<_> = (0..nodes).map(|node| place(node, node == 0)).collect();
        Self { topology: Topology::new(&places, start), start, now: 0 }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn told(&self, role: Role, timeline: u32, lsn: u64) -> Observation {
        Observation {
            asked: self.at(self.now),
            role,
            timeline: Some(timeline),
            system_id: Some(SYSTEM),
            lsn: Lsn(lsn),
            receiving: role == Role::Replica,
        }
    }

    fn observe(&mut self, node: usize, answer: Result<Observation, Failure>) -> Vec<Change> {
        let now = self.at(self.now);
        self.topology.observe(NodeId(node), now, answer)
    }

    fn primary(&mut self, node: usize, timeline: u32, lsn: u64) -> Vec<Change> {
        self.observe(node, Ok(self.told(Role::Primary, timeline, lsn)))
    }

    fn replica(&mut self, node: usize, timeline: u32, lsn: u64) -> Vec<Change> {
        self.observe(node, Ok(self.told(Role::Replica, timeline, lsn)))
    }

    fn fails(&mut self, node: usize, failure: Failure) -> Vec<Change> {
        self.observe(node, Err(failure))
    }

    fn hint(&mut self, node: usize, hint: Hint) -> bool {
        let now = self.at(self.now);
        self.topology.on_hint(NodeId(node), now, hint).0
    }

    fn standings(&self) -> Vec<Standing> {
        self.topology.members.iter().map(|member| member.standing).collect()
    }

    fn staleness(&self, node: usize) -> Option<u64> {
        let staleness = self.topology.staleness(NodeId(node), self.at(self.now))?;
        Some(u64::try_from(staleness.as_millis()).unwrap())
    }
}

/// A primary and two replicas, all at the same position, at 0 ms.
fn three() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.primary(0, 1, 100);
    cluster.replica(1, 1, 100);
    cluster.replica(2, 1, 100);
    assert_eq!(cluster.standings(), [Standing::Primary, Standing::Replica, Standing::Replica]);
    cluster
}

#[test]
fn roles_are_what_the_nodes_say_and_not_what_the_configuration_says() {
    let mut cluster = Cluster::new(2);
    assert_eq!(cluster.topology.primary(), None);
    assert_eq!(cluster.topology.incumbent(), Some(NodeId(0)), "the named one, so far");
    cluster.replica(0, 1, 100);
    assert_eq!(cluster.topology.primary(), None);
    let changes = cluster.primary(1, 1, 100);
    assert_eq!(cluster.standings(), [Standing::Replica, Standing::Primary]);
    assert_eq!(cluster.topology.primary(), Some(NodeId(1)));
    assert_eq!(cluster.topology.incumbent(), Some(NodeId(1)));
    let change = Change { node: NodeId(1), was: Standing::Unheard, is: Standing::Primary };
    assert_eq!(changes, [change]);
}

#[test]
fn the_first_decision_waits_for_all_nodes_but_not_for_long() {
    let mut cluster = Cluster::new(2);
    cluster.primary(0, 1, 100);
    assert_eq!(cluster.topology.primary(), None, "the other one may be on a later timeline");
    cluster.primary(1, 2, 100);
    assert_eq!(cluster.standings(), [Standing::Fenced, Standing::Primary]);

    let mut cluster = Cluster::new(2);
    cluster.fails(1, Failure::Barred);
    cluster.primary(0, 1, 100);
    assert_eq!(cluster.topology.primary(), Some(NodeId(0)), "nothing is to be waited for");

    let mut cluster = Cluster::new(2);
    cluster.primary(0, 1, 100);
    cluster.now = 1_000;
    cluster.primary(0, 1, 100);
    assert_eq!(cluster.topology.primary(), Some(NodeId(0)));
}

#[test]
fn nodes_that_let_nobody_in_are_what_the_configuration_says() {
    let mut cluster = Cluster::new(2);
    cluster.fails(0, Failure::Barred);
    cluster.fails(1, Failure::Barred);
    assert_eq!(cluster.standings(), [Standing::Primary, Standing::Unheard]);
    assert_eq!(cluster.topology.fresh_at(NodeId(1)), None);
    // The other one can be asked after all, and knows better.
    cluster.primary(1, 1, 100);
    assert_eq!(cluster.standings(), [Standing::Unheard, Standing::Primary]);
    // A node alone is nobody's rival.
    let alone = Cluster::new(1);
    assert_eq!(alone.topology.primary(), Some(NodeId(0)));
}

#[test]
fn a_promoted_replica_is_the_primary_and_the_old_one_is_fenced() {
    let mut cluster = three();
    assert!(!cluster.fails(0, Failure::Refused).is_empty());
    assert_eq!(cluster.topology.primary(), None);
    assert_eq!(cluster.topology.incumbent(), Some(NodeId(0)));
    cluster.primary(1, 2, 120);
    assert_eq!(cluster.standings(), [Standing::Down, Standing::Primary, Standing::Detached]);
    cluster.replica(2, 2, 120);
    assert_eq!(cluster.topology.standing(NodeId(2)), Standing::Replica);
    // The old one comes back as if nothing had happened, and even alone it is not believed.
    cluster.primary(0, 1, 150);
    assert_eq!(cluster.standings(), [Standing::Fenced, Standing::Primary, Standing::Replica]);
    cluster.fails(1, Failure::Refused);
    assert_eq!(cluster.topology.primary(), None);
    assert_eq!(cluster.topology.standing(NodeId(0)), Standing::Fenced);
    // Made anew from the new one, it follows.
    cluster.primary(1, 2, 160);
    cluster.replica(0, 2, 160);
    assert_eq!(cluster.standings(), [Standing::Replica, Standing::Primary, Standing::Replica]);
}

#[test]
fn of_two_primaries_on_one_timeline_none_is_believed() {
    let mut cluster = three();
    cluster.primary(1, 1, 130);
    assert_eq!(cluster.standings(), [Standing::Rival, Standing::Rival, Standing::Replica]);
    assert_eq!(cluster.topology.primary(), None);
    cluster.replica(1, 1, 130);
    assert_eq!(cluster.topology.primary(), Some(NodeId(0)));
}

#[test]
fn a_replica_that_does_not_follow_the_primary_serves_nothing() {
    let mut cluster = three();
    // It had replayed more than the one that was promoted, so its position says nothing about the new history.
    cluster.replica(2, 1, 200);
    cluster.primary(1, 2, 150);
    assert_eq!(cluster.topology.standing(NodeId(2)), Standing::Detached);
    assert_eq!(cluster.staleness(2), None);
    assert_eq!(cluster.topology.lag_bytes(NodeId(2)), None);
    // Unknown is not good enough.
    let mut untold = cluster.told(Role::Replica, 1, 210);
    untold.timeline = None;
    cluster.observe(2, Ok(untold));
    assert_eq!(cluster.topology.standing(NodeId(2)), Standing::Detached);
    // A timeline that was told once is remembered until the position goes back.
    cluster.replica(2, 2, 220);
    let late = Observation { asked: cluster.at(5), lsn: Lsn(230), ..untold };
    cluster.observe(2, Ok(late));
    assert_eq!(cluster.topology.standing(NodeId(2)), Standing::Replica);
    let back = Observation { asked: cluster.at(6), lsn: Lsn(10), ..untold };
    cluster.observe(2, Ok(back));
    assert_eq!(cluster.topology.standing(NodeId(2)), Standing::Detached);
}

#[test]
fn a_copy_of_another_database_cluster_is_a_stranger() {
    let mut cluster = three();
    let mut other = cluster.told(Role::Primary, 9, 900);
    other.system_id = Some(8_000);
    cluster.observe(1, Ok(other));
    assert_eq!(cluster.standings(), [Standing::Primary, Standing::Stranger, Standing::Replica]);
    // The primary itself was made anew, and a new history begins.
    let mut renewed = cluster.told(Role::Primary, 1, 50);
    renewed.system_id = Some(9_000);
    cluster.observe(0, Ok(renewed));
    assert_eq!(cluster.standings(), [Standing::Primary, Standing::Stranger, Standing::Stranger]);
    // When nothing is known yet, the node that the configuration names decides.
    let mut cluster = Cluster::new(2);
    cluster.observe(1, Ok(Observation { system_id: Some(8_000), ..other }));
    cluster.primary(0, 1, 100);
    assert_eq!(cluster.standings(), [Standing::Primary, Standing::Stranger]);
}

#[test]
fn a_hint_is_believed_until_the_node_has_been_asked() {
    let mut cluster = three();
    cluster.now = 1_000;
    assert!(cluster.hint(0, Hint::ReadOnly));
    assert_eq!(cluster.topology.primary(), None);
    // An answer to a question from before says nothing.
    let before = Observation { asked: cluster.at(999), ..cluster.told(Role::Primary, 1, 101) };
    cluster.observe(0, Ok(before));
    assert_eq!(cluster.topology.standing(NodeId(0)), Standing::Suspect);
    cluster.now = 1_001;
    cluster.primary(0, 1, 102);
    assert_eq!(cluster.topology.primary(), Some(NodeId(0)));
    // It was wrong: the next ones make nobody wait.
    cluster.now = 1_500;
    assert!(cluster.hint(0, Hint::ReadOnly));
    assert_eq!(cluster.topology.primary(), Some(NodeId(0)));
    cluster.now = 2_500;
    assert!(cluster.hint(0, Hint::ShuttingDown));
    assert_eq!(cluster.topology.primary(), None);
    cluster.fails(0, Failure::Refused);
    assert_eq!(cluster.topology.standing(NodeId(0)), Standing::Down);
    // What says nothing new is not asked about.
    assert!(!cluster.hint(0, Hint::Refused), "it is down");
    assert!(!cluster.hint(1, Hint::ReadOnly), "replicas refuse writes");
    assert!(!cluster.hint(9, Hint::Refused), "not of this cluster");
}

#[test]
fn a_primary_may_be_silent_for_a_while_and_a_replica_may_not() {
    let mut cluster = three();
    cluster.fails(0, Failure::Silent);
    cluster.fails(1, Failure::Silent);
    assert_eq!(cluster.standings(), [Standing::Primary, Standing::Suspect, Standing::Replica]);
    cluster.fails(0, Failure::Silent);
    cluster.primary(0, 1, 100);
    cluster.fails(0, Failure::Silent);
    cluster.fails(0, Failure::Silent);
    assert_eq!(cluster.topology.primary(), Some(NodeId(0)), "not in a row");
    cluster.fails(0, Failure::Silent);
    assert_eq!(cluster.topology.primary(), None);
    cluster.replica(1, 1, 100);
    assert_eq!(cluster.standings(), [Standing::Down, Standing::Replica, Standing::Replica]);
}

#[test]
fn a_node_that_lets_nobody_in_any_more_keeps_its_role_and_becomes_stale() {
    let mut cluster = three();
    cluster.now = 400;
    cluster.fails(0, Failure::Barred);
    cluster.fails(1, Failure::Barred);
    assert_eq!(cluster.standings(), [Standing::Primary, Standing::Replica, Standing::Replica]);
    assert_eq!(cluster.staleness(1), Some(400));
}

#[test]
fn staleness_and_lag_follow_the_positions() {
    let mut cluster = three();
    assert_eq!((cluster.staleness(0), cluster.staleness(1)), (Some(0), Some(0)));
    // Nobody writes: a replica that is not asked any more knows everything as long as the primary stays where it is.
    cluster.now = 500;
    cluster.primary(0, 1, 100);
    assert_eq!(cluster.staleness(1), Some(0));
    cluster.now = 1_000;
    cluster.primary(0, 1, 150);
    assert_eq!(cluster.staleness(1), Some(500));
    assert_eq!(cluster.topology.lag_bytes(NodeId(1)), Some(50));
    cluster.now = 1_200;
    cluster.replica(1, 1, 149);
    assert_eq!((cluster.staleness(1), cluster.staleness(2)), (Some(700), Some(700)));
    cluster.replica(1, 1, 170);
    assert_eq!((cluster.staleness(1), cluster.staleness(2)), (Some(200), Some(700)));
    assert_eq!(cluster.topology.lag_bytes(NodeId(1)), Some(0));
    // Nobody asks: it grows by itself.
    cluster.now = 9_000;
    assert_eq!(cluster.staleness(1), Some(8_000));
    assert_eq!(cluster.topology.staleness(NodeId(7), cluster.at(0)), None);
}

#[test]
fn a_moment_becomes_a_position_with_the_first_answer_after_it() {
    let mut cluster = three();
    cluster.now = 100;
    cluster.primary(0, 1, 110);
    cluster.now = 200;
    cluster.primary(0, 1, 120);
    let position = |ms| cluster.topology.position_at(NodeId(0), cluster.at(ms));
    assert_eq!(position(0), Some(Lsn(100)));
    assert_eq!(position(1), Some(Lsn(110)));
    assert_eq!(position(200), Some(Lsn(120)));
    assert_eq!(position(201), None);
}

#[test]
fn a_reload_keeps_what_is_known_of_nodes_that_stay() {
    let mut cluster = three();
    cluster.primary(0, 1, 200);
    let moved = |node: usize, was: Option<usize>| Place {
        node: NodeId(node),
        primary: node == 0,
        was: was.map(NodeId),
    };
    // The second replica is gone, a new node is in front of all others.
    let places = [moved(0, None), moved(1, Some(0)), moved(2, Some(1))];
    let now = cluster.at(10);
    let changes = cluster.topology.set_places(&places, now);
    assert_eq!(changes, []);
    assert_eq!(cluster.standings(), [Standing::Unheard, Standing::Primary, Standing::Replica]);
    assert_eq!(cluster.topology.incumbent(), Some(NodeId(1)));
    assert_eq!(cluster.topology.lag_bytes(NodeId(2)), Some(100));
}

/// A model of real nodes: logs with commits in them. What the topology promises is compared with what they really contain.
#[derive(Clone)]
struct Real {
    /// End of each commit's record, and when it was answered.
    log: Vec<(u64, u64)>,
    position: u64,
    timeline: u32,
    primary: bool,
    paused: bool,
    alive: bool,
    /// Whom it follows.
    follows: usize,
}

impl Real {
    fn follow(&mut self, source: &Self, upto: u64) {
        let diverged = self.log.iter().zip(&source.log).any(|(mine, theirs)| mine != theirs)
            || self.position > source.position && self.timeline != source.timeline;
        if diverged || self.paused || self.position >= upto {
            return;
        }
        self.position = upto.min(source.position);
        self.timeline = source.timeline;
        self.log = source.log.iter().copied().filter(|(end, _)| *end <= self.position).collect();
    }
}

struct World {
    random: Box<dyn FnMut(u64) -> u64>,
    nodes: Vec<Real>,
    cluster: Cluster,
    seed: u64,
    promised: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let random = Box::new(move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040);
            (state >> 33) % below
        });
        let node = |primary| Real {
            log: Vec::new(),
            position: 1,
            timeline: 1,
            primary,
            paused: false,
            alive: true,
            follows: 0,
        };
        let nodes = vec![node(true), node(false), node(false)];
        Self { random, nodes, cluster: Cluster::new(3), seed, promised: 0 }
    }

    fn step(&mut self) {
        self.cluster.now += (self.random)(30);
        let node = usize::try_from((self.random)(3)).unwrap();
        match (self.random)(100) {
            0..30 => self.write(node),
            30..60 => self.replay(node),
            60..64 => self.nodes[node].paused = (self.random)(2) == 0,
            64 => self.nodes[node].alive = (self.random)(3) > 0,
            65 => self.promote(node),
            66 => self.rejoin(node),
            _ => self.probe(node),
        }
        for node in 0..3 {
            self.check(node);
        }
    }

    /// Both the right primary and one that does not know that it was replaced take writes.
    fn write(&mut self, node: usize) {
        let now = self.cluster.now;
        let real = &mut self.nodes[node];
        if real.primary && real.alive {
            real.position += 1 + (self.random)(50);
            real.log.push((real.position, now));
        }
    }

    fn replay(&mut self, node: usize) {
        let source = self.nodes[self.nodes[node].follows].clone();
        let real = &mut self.nodes[node];
        if !real.primary && real.alive && source.alive {
            let upto = real.position + (self.random)(80);
            real.follow(&source, upto);
        }
    }

    fn promote(&mut self, node: usize) {
        let latest = self.nodes.iter().map(|real| real.timeline).max().unwrap();
        let real = &mut self.nodes[node];
        if real.primary || !real.alive {
            return;
        }
        (real.primary, real.timeline, real.paused) = (true, latest + 1, false);
        let old = self.nodes.iter().position(|real| real.primary && real.timeline <= latest);
        // Often, not always, the old one is gone, and the others follow the new one.
        if let Some(old) = old.filter(|_| (self.random)(3) > 0) {
            self.nodes[old].alive = false;
        }
        for other in 0..3 {
            if other != node && (self.random)(4) > 0 {
                self.nodes[other].follows = node;
            }
        }
    }

    /// A node is made anew from the right primary. Whoever asks it notices: its connection breaks.
    fn rejoin(&mut self, node: usize) {
        let right = (0..3).filter(|at| self.nodes[*at].primary);
        let Some(right) = right.max_by_key(|at| self.nodes[*at].timeline) else { return };
        if right != node {
            let copy = self.nodes[right].clone();
            self.nodes[node] =
                Real { primary: false, paused: false, alive: true, follows: right, ..copy };
            self.cluster.observe(node, Err(Failure::Silent));
        }
    }

    /// Asks, with a delay before the answer is made and another before it comes, in which others write.
    fn probe(&mut self, node: usize) {
        let asked = self.cluster.at(self.cluster.now);
        self.cluster.now += (self.random)(20);
        (0..3).for_each(|node| self.write(node));
        let real = self.nodes[node].clone();
        let role = if real.primary { Role::Primary } else { Role::Replica };
        let mut told = self.cluster.told(role, real.timeline, real.position);
        told.asked = asked;
        // A replica that follows tells its timeline only at times.
        if role == Role::Replica && (self.random)(3) == 0 {
            told.timeline = None;
        }
        self.cluster.now += (self.random)(20);
        (0..3).for_each(|node| self.write(node));
        let failure = if (self.random)(2) == 0 { Failure::Refused } else { Failure::Silent };
        self.cluster.observe(node, if real.alive { Ok(told) } else { Err(failure) });
    }

    fn check(&mut self, node: usize) {
        let Some(staleness) = self.cluster.staleness(node) else { return };
        let Some(primary) = self.cluster.topology.incumbent() else { return };
        if self.cluster.topology.standing(NodeId(node)) != Standing::Replica {
            return;
        }
        self.promised += 1;
        let upto = self.cluster.now.saturating_sub(staleness);
        let (primary, replica) = (&self.nodes[primary.0], &self.nodes[node]);
        let owed = primary.log.iter().filter(|(_, answered)| *answered < upto);
        for commit in owed {
            assert!(
                replica.log.contains(commit) || replica.primary,
                "seed {}: at {} ms node {node} lacks {commit:?}, and is said to be {staleness} ms old",
                self.seed,
                self.cluster.now,
            );
        }
    }
}

#[test]
fn a_promised_staleness_never_lies() {
    let mut promised = 0;
    for seed in 1..=300 {
        let mut world = World::new(seed);
        for _ in 0..400 {
            world.step();
        }
        promised += world.promised;
    }
    assert!(promised > 50_000, "the model promises too little to be a test: {promised}");
}
