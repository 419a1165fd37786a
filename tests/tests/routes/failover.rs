//! The primary goes away, another node takes its place: waiting clients go on, those inside a transaction are told, nothing is written
//! twice.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah_tests::eventually;
use howdah_tests::farm::Farm;

#[test]
fn waiting_clients_go_on_after_a_promotion_and_open_transactions_are_told() {
    let farm = Farm::start(2, "[pool]\nmax_size = 8\ncheckout_timeout = \"30s\"\n", &[]);
    farm.settle();
    let mut setup = farm.client();
    setup.run("CREATE TABLE log (id bigserial PRIMARY KEY, who int)");
    farm.wait_for_replay();
    let mut inside = farm.client();
    inside.run("BEGIN; INSERT INTO log (who) VALUES (-1)");
    let mut idle: Vec<_> = (0..10).map(|_| farm.client()).collect();

    farm.primary().kill().unwrap();
    let [heir, other] = farm.replicas() else { panic!("two replicas") };
    let waiting: Vec<_> = (0..10)
        .map(|who| {
            let target = farm.target();
            std::thread::spawn(move || {
                let mut client = target.timeout(Duration::from_secs(60)).client();
                client.run(&format!("INSERT INTO log (who) VALUES ({who})"));
                Instant::now()
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    heir.promote().unwrap();
    let promoted = Instant::now();
    other.follow(heir).unwrap();
    let first = waiting.into_iter().map(|thread| thread.join().unwrap()).min().unwrap();
    println!(
        "the first write was served {:?} after the promotion",
        first.saturating_duration_since(promoted)
    );

    let told = inside.query_or_goodbye("INSERT INTO log (who) VALUES (-2)").unwrap().errors();
    let said: Vec<_> = told.iter().map(|it| (it.severity.as_str(), it.code.as_str())).collect();
    assert_eq!(said, [("FATAL", "57P01")], "one error that says that it can be repeated");
    for (who, client) in idle.iter_mut().enumerate() {
        client.run(&format!("INSERT INTO log (who) VALUES ({})", 100 + who));
    }
    let mut client = farm.client();
    client.run("SET howdah.consistency = 'strong'");
    assert_eq!(client.value("SELECT count(*) FROM log WHERE who >= 0"), "20");
    assert_eq!(client.value("SELECT count(*) FROM log WHERE who < 0"), "0");
    assert_eq!(client.value("SELECT inet_server_port()"), heir.port().to_string());
}

#[test]
fn after_a_promotion_definitions_of_the_new_primary_count() {
    let farm = Farm::start(2, "[pool]\nmax_size = 8\ncheckout_timeout = \"30s\"\n", &[]);
    let mut client = farm.client();
    client.run("CREATE FUNCTION one() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'");
    farm.wait_for_replay();
    let read = "SELECT inet_server_port() FROM (SELECT one() OFFSET 0) AS called";
    farm.settle_on(read);
    client.run("SET howdah.consistency = 'eventual'");
    let [heir, other] = farm.replicas() else { panic!("two replicas") };
    farm.primary().kill().unwrap();
    heir.promote().unwrap();
    other.follow(heir).unwrap();
    let to_other = |port: &str| port == other.port().to_string();
    eventually("the other replica answers", || to_other(&client.value(read)));
    client.run("ALTER FUNCTION one() VOLATILE");
    for _ in 0..20 {
        assert_eq!(client.value(read), heir.port().to_string(), "by what the old primary had");
    }
}

#[test]
fn an_ordered_switch_under_load_fails_nothing_and_loses_nothing() {
    let farm = Farm::start(1, "[pool]\nmax_size = 8\ncheckout_timeout = \"30s\"\n", &[]);
    farm.settle();
    let mut setup = farm.client();
    setup.run("CREATE TABLE log (who int, n int)");
    let (over, written, longest) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let mut nodes = (farm.primary(), &farm.replicas()[0]);
    std::thread::scope(|scope| {
        for who in 0..20 {
            let (over, written, longest, target) = (&over, &written, &longest, farm.target());
            scope.spawn(move || {
                let mut client = target.timeout(Duration::from_secs(60)).client();
                let mut n = 0;
                while !over.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    client.run(&format!("INSERT INTO log VALUES ({who}, {n})"));
                    n += 1;
                    written.fetch_add(1, Ordering::Relaxed);
                    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap();
                    longest.fetch_max(micros, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(500));
            farm.switch(nodes.0, nodes.1);
            nodes = (nodes.1, nodes.0);
        }
        std::thread::sleep(Duration::from_millis(500));
        over.store(true, Ordering::Relaxed);
    });
    let longest = Duration::from_micros(longest.load(Ordering::Relaxed));
    println!("{} writes, the longest took {longest:?}", written.load(Ordering::Relaxed));
    let mut client = farm.client();
    client.run("SET howdah.consistency = 'strong'");
    assert_eq!(
        client.value("SELECT count(*) FROM log"),
        written.load(Ordering::Relaxed).to_string()
    );
    assert_eq!(
        client.value("SELECT count(*) FROM (SELECT DISTINCT who, n FROM log) AS one"),
        written.load(Ordering::Relaxed).to_string()
    );
}
