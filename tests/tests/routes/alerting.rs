//! Alerts about a cluster, from real faults: a replica that dies, one that falls behind. Each names the node, and is over when it is.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the parts of a test"
)]

use std::time::{Duration, Instant};

use howdah_tests::farm::Farm;
use howdah_tests::raw::{Connection, Target};

/// As long as a busy machine may need.
const LIMIT: Duration = Duration::from_secs(60);

/// Alerts that are over as soon as they are, and rules that do not wait long.
const RULES: &str = "[alerts]\nresolve_after = \"1s\"\n\
    [[alerts.rule]]\nname = \"replica_down\"\nfor = \"1s\"\n\
    [[alerts.rule]]\nname = \"replica_lag\"\nthreshold = 1.0\nfor = \"1s\"\n";

struct Watch {
    farm: Farm,
    console: Connection,
}

impl Watch {
    fn start() -> Self {
        let farm = Farm::start(2, RULES, &[]);
        farm.settle();
        let console = Target::port(farm.port(), "howdah", "howdah").client();
        Self { farm, console }
    }

    /// Rules that fire, with what about, in the order in which they are told.
    fn firing(&mut self) -> Vec<(String, String)> {
        let rows = self.console.run("SHOW ALERTS").rows();
        let firing = rows.into_iter().filter(|row| row[2].as_deref() == Some("firing"));
        let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
        firing.map(|row| (text(&row[0]), text(&row[3]))).collect()
    }

    #[track_caller]
    fn until(&mut self, what: &str, wanted: impl Fn(&[(String, String)]) -> bool) {
        let begin = Instant::now();
        loop {
            let firing = self.firing();
            if wanted(&firing) {
                return;
            }
            assert!(begin.elapsed() < LIMIT, "{what}: {firing:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_replica_that_dies_is_named_first_and_is_well_again_by_itself() {
    let mut watch = Watch::start();
    assert_eq!(watch.firing(), []);
    watch.farm.replicas()[0].kill().expect("a replica dies");
    watch.until("a replica is down", |firing| {
        firing
            .first()
            .is_some_and(|(rule, about)| rule == "replica_down" && about.contains("replica1"))
    });
    watch.farm.replicas()[0].start().expect("it starts");
    watch.until("it is over", <[_]>::is_empty);
}

#[test]
fn a_replica_that_falls_behind_is_named_until_it_has_caught_up() {
    let mut watch = Watch::start();
    let mut writer = watch.farm.client();
    writer.run("CREATE TABLE t (id int)");
    watch.farm.wait_for_replay();
    watch.farm.replicas()[1].pause_replay().expect("replay pauses");
    writer.run("INSERT INTO t VALUES (1)");
    watch.until("a replica is behind", |firing| {
        matches!(firing, [(rule, about)] if rule == "replica_lag" && about.contains("replica2"))
    });
    watch.farm.replicas()[1].resume_replay().expect("replay goes on");
    watch.until("it is over", <[_]>::is_empty);
}
