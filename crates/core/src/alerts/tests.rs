//! Every rule on the numbers of its fault, quiet hours, storms, causes, silences, restarts; in simulated seconds.
//!
//! Length: one world, and what happens in it.

use std::time::Duration;

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A database with a primary and a replica, pools, clients and a cache, and what goes through it every second.
struct World {
    seen: Observation,
    numbers: Numbers,
    board: Board,
    second: u64,
    /// Statements, of these slow, failed because of the server, failed otherwise, and refused for lack of resources.
    traffic: [u64; 5],
    /// Hits and misses.
    cache: (u64, u64),
}

impl World {
    fn well() -> Self {
        let node = |name: &str, primary| NodeSeen {
            name: name.to_owned(),
            cluster: "main".to_owned(),
            answers: true,
            primary,
            belongs: true,
            lag: (!primary).then_some(Duration::from_millis(200)),
            ..NodeSeen::default()
        };
        let pool = PoolSeen {
            cluster: "main".to_owned(),
            node: "a".to_owned(),
            database: "shop".to_owned(),
            user: "app".to_owned(),
            max_size: 10,
            active: 4,
            ..PoolSeen::default()
        };
        let database = DatabaseSeen {
            cluster: "main".to_owned(),
            name: "shop".to_owned(),
            ..DatabaseSeen::default()
        };
        let cache = CacheSeen {
            cluster: "main".to_owned(),
            database: "shop".to_owned(),
            ..CacheSeen::default()
        };
        Self {
            seen: Observation {
                nodes: vec![node("a", true), node("b", false)],
                pools: vec![pool],
                databases: vec![database],
                caches: vec![cache],
                clients: (100, 1_000),
                workers: vec![Duration::from_millis(80)],
                certificate: Some(seconds(90 * 86_400)),
                sinks: vec![("slack".to_owned(), 0)],
                ..Observation::default()
            },
            numbers: Numbers::default(),
            board: Board::default(),
            second: 0,
            traffic: [200, 2, 0, 0, 0],
            cache: (60, 40),
        }
    }

    fn tick(&mut self) -> Vec<Notice> {
        self.second += 1;
        let [calls, slow, server, client, refused] = self.traffic;
        if let Some(database) = self.seen.databases.first_mut() {
            database.calls += calls;
            database.slow += slow;
            database.server_errors += server;
            database.errors += server + client;
            database.out_of_resources += refused;
        }
        if let Some(cache) = self.seen.caches.first_mut() {
            cache.hits += self.cache.0;
            cache.misses += self.cache.1;
        }
        let now = seconds(self.second);
        let readings = self.numbers.read(now, &self.seen);
        self.board.step(now, &readings)
    }

    fn run(&mut self, seconds: u64) -> Vec<(u64, Notice)> {
        (0..seconds)
            .flat_map(|_| {
                let told = self.tick();
                let at = self.second;
                told.into_iter().map(move |notice| (at, notice))
            })
            .collect()
    }

    fn pool(&mut self) -> &mut PoolSeen {
        self.seen.pools.first_mut().unwrap()
    }

    fn database(&mut self) -> &mut DatabaseSeen {
        self.seen.databases.first_mut().unwrap()
    }

    fn exhaust(&mut self, waited: u64) {
        (self.pool().waiting, self.pool().active) = (7, 10);
        self.pool().oldest_wait = seconds(waited);
    }
}

fn names(told: &[(u64, Notice)]) -> Vec<(&'static str, &'static str)> {
    told.iter().map(|(_, notice)| (notice.rule, notice.occasion.as_str())).collect()
}

fn advised() -> AdviceSeen {
    AdviceSeen { database: "shop".to_owned(), high: 2, first: "an index on orders".to_owned() }
}

/// A fault, how it is made, how it ends.
type Fault = (&'static str, fn(&mut World), fn(&mut World));

const FAULTS: &[Fault] = &[
    ("worker_stuck", |w| w.seen.workers = vec![seconds(9)], |w| w.seen.workers = vec![seconds(0)]),
    ("two_primaries", |w| w.seen.nodes[1].rival = true, |w| w.seen.nodes[1].rival = false),
    ("primary_down", |w| w.seen.nodes[0].answers = false, |w| w.seen.nodes[0].answers = true),
    (
        "failover",
        |w| {
            w.seen.nodes[0].primary = false;
            w.seen.nodes[1].primary = true;
        },
        |_| {},
    ),
    ("replica_down", |w| w.seen.nodes[1].answers = false, |w| w.seen.nodes[1].answers = true),
    (
        "replica_lag",
        |w| w.seen.nodes[1].lag = Some(seconds(40)),
        |w| w.seen.nodes[1].lag = Some(seconds(0)),
    ),
    (
        "servers_refused",
        |w| {
            w.pool().active = 0;
            w.pool().error = Some("28P01: password authentication failed".to_owned());
        },
        |w| w.pool().error = None,
    ),
    (
        "idle_in_transaction",
        |w| w.database().idle_in_transaction = Some((seconds(90), "cron".to_owned())),
        |w| w.database().idle_in_transaction = None,
    ),
    (
        "long_transaction",
        |w| w.database().oldest_transaction = Some(seconds(400)),
        |w| w.database().oldest_transaction = None,
    ),
    ("pool_exhausted", |w| w.exhaust(5), |w| w.pool().waiting = 0),
    ("client_limit", |w| w.seen.clients.0 = 900, |w| w.seen.clients.0 = 100),
    ("refused_for_load", |w| w.traffic[4] = 1, |w| w.traffic[4] = 0),
    ("error_budget_fast", |w| w.traffic[2] = 20, |w| w.traffic[2] = 0),
    ("error_storm", |w| w.traffic[3] = 90, |w| w.traffic[3] = 0),
    ("slow_statements", |w| w.traffic[1] = 30, |w| w.traffic[1] = 0),
    ("pinned_servers", |w| w.pool().pinned = 8, |w| w.pool().pinned = 0),
    (
        "cache_paused",
        |w| w.seen.caches[0].trouble = Some("no publication".to_owned()),
        |w| w.seen.caches[0].trouble = None,
    ),
    ("cache_collapse", |w| w.cache = (5, 95), |w| w.cache = (60, 40)),
    ("login_failures", |w| w.seen.failed_logins += 30, |_| {}),
    (
        "certificate_expiring",
        |w| w.seen.certificate = Some(seconds(5 * 86_400)),
        |w| w.seen.certificate = Some(seconds(90 * 86_400)),
    ),
    (
        "certificate_expired",
        |w| w.seen.certificate = Some(Duration::ZERO),
        |w| w.seen.certificate = Some(seconds(90 * 86_400)),
    ),
    ("reload_refused", |w| w.seen.refused_reloads += 1, |_| {}),
    ("sink_failing", |w| w.seen.sinks[0].1 += 5, |_| {}),
    ("forms_forgotten", |w| w.seen.forgotten += 5_000, |_| {}),
    ("recommendation_open", |w| w.seen.advice = vec![advised()], |w| w.seen.advice.clear()),
];

#[test]
fn each_rule_fires_on_the_numbers_of_its_fault_and_is_over_after_it() {
    for (rule_name, begin, end) in FAULTS {
        let rule = rule(rule_name).unwrap();
        let mut world = World::well();
        assert_eq!(world.run(1_500), [], "{rule_name}: nothing is wrong yet");
        begin(&mut world);
        // A window of five minutes has to fill up with what is wrong.
        let limit = rule.hold.as_secs() + 330;
        let told = world.run(limit);
        let (at, first) = told.first().unwrap_or_else(|| panic!("{rule_name} does not fire"));
        assert_eq!((first.rule, first.occasion), (*rule_name, Occasion::Fired), "{told:?}");
        assert!(*at > 1_500 + rule.hold.as_secs(), "{rule_name} fires at once: {told:?}");
        assert!(first.severity >= rule.severity && !first.evidence.is_empty(), "{first:?}");
        end(&mut world);
        let over = world.run(3_600);
        let resolved = over
            .iter()
            .any(|(_, notice)| notice.rule == *rule_name && notice.occasion == Occasion::Resolved);
        assert!(resolved, "{rule_name} is never over: {over:?}");
        assert!(world.board.alerts().is_empty(), "{rule_name}: {:?}", world.board.alerts());
        assert!(world.board.past().any(|past| past.rule.name == *rule_name));
    }
}

#[test]
fn a_quiet_hour_with_bursts_tells_nothing() {
    let mut world = World::well();
    for second in 0..2 * 3_600_u64 {
        // Every five minutes a batch: ten times the load, a queue of waiters for half a minute, some deadlocks, slow statements, a
        // replica that falls behind; a restart of the replica every hour; bad passwords now and then.
        let burst = second % 300 < 30;
        world.traffic = if burst { [2_000, 120, 0, 8, 0] } else { [200, 3, 0, 1, 0] };
        world.pool().waiting = if burst { 12 } else { 0 };
        world.pool().oldest_wait = Duration::from_millis(if burst { 1_800 } else { 0 });
        world.pool().pinned = if burst { 6 } else { 1 };
        world.seen.nodes[1].lag = Some(seconds(if burst { 25 } else { 0 }));
        world.seen.nodes[1].answers = second % 3_600 > 40;
        world.seen.nodes[0].answers = second % 3_600 > 15;
        world.seen.clients.0 = if burst { 900 } else { 300 };
        world.seen.failed_logins += u64::from(second % 60 == 0);
        world.database().idle_in_transaction = burst.then(|| (seconds(20), "app".to_owned()));
        world.database().oldest_transaction = Some(seconds(second % 200));
        world.cache = if burst { (300, 700) } else { (60, 40) };
        let told = world.tick();
        assert_eq!(told, [], "at second {second}");
    }
}

#[test]
fn the_cause_is_told_first_and_its_consequences_with_it() {
    let mut world = World::well();
    assert_eq!(world.run(600), []);
    world.seen.nodes[0].answers = false;
    world.seen.nodes[0].error = Some("connection refused".to_owned());
    world.exhaust(20);
    world.pool().error = Some("connection refused".to_owned());
    world.traffic = [100, 50, 60, 0, 10];
    let told = world.run(1_200);
    let rules: Vec<_> = told.iter().map(|(_, notice)| notice.rule).collect();
    assert_eq!(rules, ["primary_down"], "one message: {told:?}");
    let first = &told[0].1;
    assert_eq!(first.title, "No primary answers in cluster main");
    assert!(first.evidence.contains("connection refused"), "{first:?}");
    let alerts = world.board.alerts();
    for consequence in ["pool_exhausted", "refused_for_load", "error_budget_fast"] {
        let alert = alerts.iter().find(|alert| alert.rule.name == consequence).unwrap();
        assert_eq!((alert.state, alert.cause), ("firing", Some("primary_down")), "{alert:?}");
    }
    assert_eq!(alerts[0].rule.name, "primary_down", "the cause stands first");
    world.seen.nodes[0].answers = true;
    world.pool().waiting = 0;
    world.pool().error = None;
    world.traffic = [200, 2, 0, 0, 0];
    let over = world.run(60);
    assert_eq!(names(&over), [], "{over:?}");
    let over = world.run(3);
    assert_eq!(names(&over)[0], ("primary_down", "resolved"));
}

#[test]
fn a_cause_is_as_bad_as_what_comes_of_it() {
    let mut world = World::well();
    world.run(600);
    world.database().idle_in_transaction = Some((seconds(100), "cron".to_owned()));
    let told = world.run(100);
    assert_eq!(names(&told), [("idle_in_transaction", "fired")]);
    assert_eq!(told[0].1.severity, Severity::Warning);
    world.exhaust(10);
    world.traffic[4] = 3;
    let told = world.run(200);
    assert_eq!(names(&told), [("idle_in_transaction", "worse")], "{told:?}");
    assert_eq!(told[0].1.severity, Severity::Critical, "clients are refused");
    assert!(told[0].1.consequences.iter().any(|text| text.contains("refused")), "{told:?}");
}

#[test]
fn what_happened_before_the_first_look_counts_if_the_process_is_young() {
    let mut young = World::well();
    young.traffic[3] = 150;
    young.tick();
    young.traffic = [0; 5];
    young.run(59);
    assert_eq!(names(&young.run(10)), [("error_storm", "fired")]);
    // Alerts that are turned on later do not know when the errors were.
    let mut old = World::well();
    old.second = 10_000;
    old.traffic[3] = 150;
    old.tick();
    old.traffic = [0; 5];
    assert_eq!(old.run(100), []);
}

#[test]
fn what_happens_elsewhere_is_no_cause() {
    let mut world = World::well();
    world.seen.nodes.push(NodeSeen {
        name: "x".to_owned(),
        cluster: "other".to_owned(),
        primary: true,
        belongs: true,
        ..NodeSeen::default()
    });
    world.exhaust(10);
    let told = world.run(130);
    assert_eq!(names(&told), [("primary_down", "fired"), ("pool_exhausted", "fired")]);
    assert_eq!(told[0].1.subject, "cluster other");
}

#[test]
fn what_comes_and_goes_is_told_once_and_over_when_it_stays_away() {
    let mut world = World::well();
    world.board.tune(Tuning { resolve_after: seconds(20), ..Tuning::default() });
    world.run(10);
    let mut told = Vec::new();
    for _ in 0..20 {
        world.exhaust(10);
        told.extend(world.run(130));
        world.pool().waiting = 0;
        told.extend(world.run(30));
    }
    let expected = [
        ("pool_exhausted", "fired"),
        ("pool_exhausted", "resolved"),
        ("pool_exhausted", "flapping"),
    ];
    assert_eq!(names(&told), expected, "twenty times");
    let over = world.run(3_600);
    assert_eq!(names(&over), [("pool_exhausted", "resolved")]);
    assert!(over[0].0 > 3_200 + 1_700, "after half an hour of quiet: {}", over[0].0);
}

#[test]
fn a_short_gap_is_no_end() {
    let mut world = World::well();
    world.exhaust(10);
    assert_eq!(world.run(130).len(), 1);
    world.pool().waiting = 0;
    assert_eq!(world.run(50), []);
    world.exhaust(10);
    assert_eq!(world.run(300), []);
}

#[test]
fn what_lasts_is_told_again_and_what_is_critical_more_often() {
    let mut world = World::well();
    world.exhaust(10);
    let told = world.run(9 * 3_600);
    assert_eq!(names(&told).len(), 3, "after 2 minutes, 4 hours, 8 hours: {told:?}");
    assert_eq!(told[1].1.occasion, Occasion::Still);
    let mut world = World::well();
    world.seen.nodes[0].answers = false;
    assert_eq!(world.run(9 * 3_600).len(), 9);
}

#[test]
fn advice_is_told_once_after_an_hour_and_again_only_when_there_is_more_after_none() {
    let mut world = World::well();
    world.seen.advice = vec![advised()];
    let told = world.run(48 * 3_600);
    assert_eq!(names(&told), [("recommendation_open", "fired")], "nobody is reminded");
    let (at, notice) = &told[0];
    assert!((3_600..3_700).contains(at), "{at}");
    assert_eq!((notice.severity, notice.page), (Severity::Info, "#/recommendations"));
    assert!(notice.evidence.contains("an index on orders"), "{notice:?}");
    assert_eq!(notice.subject, "database shop");
    world.seen.advice = vec![AdviceSeen { high: 0, ..advised() }];
    assert_eq!(names(&world.run(3_600)), [("recommendation_open", "resolved")]);
    world.seen.advice = vec![advised()];
    world.run(1_800);
    world.seen.advice.clear();
    assert_eq!(world.run(7_200), [], "somebody has decided within the hour");
}

#[test]
fn a_silence_holds_messages_back_until_it_ends() {
    let mut world = World::well();
    world.run(10);
    world.board.silence(rule("pool_exhausted"), seconds(600), "we know");
    world.exhaust(10);
    assert_eq!(world.run(500), []);
    assert!(world.board.alerts().iter().any(|alert| alert.silenced && alert.state == "firing"));
    let told = world.run(200);
    assert_eq!(names(&told), [("pool_exhausted", "fired")]);
    assert_eq!(world.board.unsilence(rule("pool_exhausted")), 0, "it has ended");
    world.board.silence(None, seconds(600), "");
    world.seen.nodes[0].answers = false;
    assert_eq!(world.run(100), []);
    assert_eq!(world.board.unsilence(None), 1);
    assert_eq!(names(&world.run(1))[0].0, "primary_down");
}

#[test]
fn a_silenced_cause_holds_nothing_back() {
    let mut world = World::well();
    world.run(10);
    world.board.silence(rule("idle_in_transaction"), seconds(3_600), "");
    world.database().idle_in_transaction = Some((seconds(100), "cron".to_owned()));
    world.exhaust(10);
    assert_eq!(names(&world.run(300)), [("pool_exhausted", "fired")]);
}

#[test]
fn the_configuration_changes_thresholds_times_and_severities() {
    let mut world = World::well();
    let of = rule("pool_exhausted").unwrap();
    let tuned =
        Tuned { threshold: 30.0, hold: seconds(1), severity: Severity::Critical, ..Tuned::of(of) };
    let rules = std::collections::BTreeMap::from([(of.name, tuned)]);
    world.board.tune(Tuning { rules, ..Tuning::default() });
    world.exhaust(10);
    assert_eq!(world.run(300), []);
    world.exhaust(31);
    let told = world.run(3);
    assert_eq!(names(&told), [("pool_exhausted", "fired")]);
    assert_eq!(told[0].1.severity, Severity::Critical);
    world.board.tune(Tuning { enabled: false, ..Tuning::default() });
    assert_eq!(names(&world.run(100)), [("pool_exhausted", "resolved")]);
}

#[test]
fn a_paused_pool_and_a_drained_replica_are_meant() {
    let mut world = World::well();
    world.exhaust(100);
    world.pool().paused = true;
    world.seen.nodes[1].drained = true;
    world.seen.nodes[1].answers = false;
    assert_eq!(world.run(3_600), []);
}

#[test]
fn causes_stand_above_their_consequences_and_all_rules_can_be_read() {
    for (rank, one) in RULES.iter().enumerate() {
        assert_eq!(one.rank(), rank, "{} is there twice", one.name);
        for cause in one.causes {
            let above = RULES.iter().position(|other| other.name == *cause);
            assert!(above.is_some_and(|above| above < rank), "{cause} of {}", one.name);
        }
        assert!(one.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        assert!(one.title.contains("{}") && !one.what.is_empty() && !one.first_step.is_empty());
        let tested = FAULTS.iter().any(|(name, ..)| *name == one.name);
        let slow = ["not_ready", "replica_lag_critical", "error_budget_slow"];
        assert!(tested || slow.contains(&one.name), "{} has no fault", one.name);
    }
}

#[test]
fn what_takes_long_to_show_fires_too() {
    let mut world = World::well();
    world.seen.nodes[1].lag = Some(seconds(400));
    let told = world.run(400);
    assert_eq!(names(&told), [("replica_lag", "fired"), ("replica_lag_critical", "fired")]);
    let mut world = World::well();
    world.run(100);
    world.traffic[2] = 2;
    let told = world.run(7 * 3_600);
    assert_eq!(told[0].1.rule, "error_budget_slow", "a hundredth fails: {told:?}");
    let mut world = World::well();
    world.seen.nodes.iter_mut().for_each(|node| node.answers = false);
    world.run(600);
    let alerts = world.board.alerts();
    let of = |name: &str| alerts.iter().find(|alert| alert.rule.name == name).unwrap();
    assert_eq!(of("not_ready").cause, Some("primary_down"));
}

#[test]
fn rules_for_prometheus_are_complete_and_tuned() {
    let of = rule("replica_lag").unwrap();
    let rules = std::collections::BTreeMap::from([
        (of.name, Tuned { threshold: 42.5, hold: seconds(7), ..Tuned::of(of) }),
        ("cache_collapse", Tuned { enabled: false, ..Tuned::of(rule("cache_collapse").unwrap()) }),
    ]);
    let text = prometheus(&Tuning { rules, ..Tuning::default() });
    assert!(text.contains("- alert: HowdahPrimaryDown\n        expr: 'howdah_cluster_primary_up == 0'\n        for: 30s\n"));
    assert!(text.contains("'howdah_node_replication_lag_seconds > 42.5'\n        for: 7s\n"));
    assert!(!text.contains("CacheCollapse") && !text.contains("{threshold}"));
    let plain = prometheus(&Tuning::default());
    assert!(RULES.iter().all(|rule| plain.contains(&alert_name(rule.name))));
}

/// Another process that goes on for this one, so long after it was saved.
fn next(world: &World, ago: Duration) -> World {
    let text = serde_json::to_string(&world.board.saved()).unwrap();
    let mut next = World::well();
    next.board.restore(serde_json::from_str(&text).unwrap(), ago);
    next
}

#[test]
fn what_fired_before_a_restart_is_not_told_twice_and_told_when_it_is_over() {
    let mut world = World::well();
    world.run(60);
    world.seen.certificate = Some(Duration::ZERO);
    let told = world.run(600);
    assert!(!told.is_empty());
    world.board.silence(rule("pool_exhausted"), seconds(3_600), "batch");
    let mut next = next(&world, seconds(100));
    next.seen.certificate = Some(Duration::ZERO);
    assert_eq!(next.run(600), [], "it was told");
    let alerts = next.board.alerts();
    assert!(alerts.iter().all(|alert| alert.lasting >= seconds(1_200)), "{alerts:?}");
    let silence = &next.board.silences()[0];
    let left = silence.until.saturating_sub(next.board.now());
    assert_eq!(left, seconds(3_600 - 700), "the time between counts, too");
    next.seen.certificate = Some(seconds(90 * 86_400));
    let over = next.run(3_600);
    assert_eq!(over.len(), 1, "{over:?}");
    assert_eq!(over[0].1.occasion, Occasion::Resolved);
    assert!(over[0].1.lasting >= seconds(1_200), "{over:?}");
    assert!(next.board.alerts().is_empty());
}

#[test]
fn what_is_over_when_the_next_process_begins_is_told_to_be_over() {
    let mut world = World::well();
    world.run(60);
    world.seen.certificate = Some(Duration::ZERO);
    assert!(!world.run(600).is_empty());
    let over = next(&world, seconds(5)).run(3_600);
    let occasions: Vec<_> = over.iter().map(|(_, notice)| notice.occasion).collect();
    assert_eq!(occasions, [Occasion::Resolved]);
}

#[test]
fn a_state_is_like_another_until_something_is_told_or_silenced() {
    let mut world = World::well();
    world.run(60);
    let quiet = world.board.saved();
    world.run(60);
    assert!(world.board.saved().is_like(&quiet), "nothing is wrong");
    world.seen.certificate = Some(Duration::ZERO);
    world.run(600);
    let fires = world.board.saved();
    assert!(!fires.is_like(&quiet));
    world.run(10);
    assert!(world.board.saved().is_like(&fires), "it still fires");
    world.board.silence(None, seconds(60), "");
    assert!(!world.board.saved().is_like(&fires));
}
