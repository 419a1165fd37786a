//! A pool that is spread over several workers: what one does not use, the clients of the others get; what they are due, they
//! get back.

use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{PATIENCE, Rig, Servers, eventually};

/// A pool of 10 over two workers, on servers that nobody else uses.
fn rig() -> Rig {
    Rig::builder()
        .servers(Servers::start())
        .listen("workers", "2")
        .pool_size(10)
        .pool("checkout_timeout", "\"60s\"")
        .in_process()
}

/// So many clients of each of both workers. A client's process id names its worker.
fn clients(rig: &Rig, each: usize) -> [Vec<Connection>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    while found.iter().any(|of| of.len() < each) {
        let client = rig.client();
        let worker = usize::try_from(client.process_id >> 22).unwrap();
        if found[worker].len() < each {
            found[worker].push(client);
        }
    }
    found
}

fn waiting(rig: &Rig) -> usize {
    rig.block_on(rig.engine().report()).pools.iter().map(|pool| pool.clients_waiting).sum()
}

/// Has all of them begin a transaction, whether they get a server at once or not.
fn begin(clients: &mut [Connection]) {
    for client in clients {
        client.send(&Frames::new().query("BEGIN")).unwrap();
    }
}

#[track_caller]
fn assert_begun(clients: &mut [Connection]) {
    for client in clients {
        client.timeout = PATIENCE;
        assert_eq!(client.until(b'Z', 1).expect("a server").commands(), ["BEGIN"]);
    }
}

#[test]
fn clients_of_one_worker_get_the_whole_pool_while_the_other_has_nothing_to_do() {
    let rig = rig();
    let [mut busy, mut idle] = clients(&rig, 10);
    // The servers of the other worker are open, and idle.
    begin(&mut idle[..5]);
    assert_begun(&mut idle[..5]);
    for client in &mut idle[..5] {
        client.run("COMMIT");
    }
    begin(&mut busy);
    assert_begun(&mut busy);
    let mut observer = rig.observer();
    assert!(rig.backends(&mut observer).len() <= 10, "{:?}", rig.backends(&mut observer));
    let report = rig.block_on(rig.engine().report());
    let pool = report.pools.iter().find(|pool| pool.user == "app").expect("the pool of app");
    assert_eq!((pool.max_size, pool.servers_active), (10, 10), "{report:?}");
    // Now the other worker's clients come: one of these gives way when its server comes back.
    idle[0].send(&Frames::new().query("SELECT 'my turn'")).unwrap();
    eventually("it waits", || waiting(&rig) == 1);
    busy[0].run("COMMIT");
    idle[0].timeout = PATIENCE;
    assert_eq!(idle[0].until(b'Z', 1).expect("a server").values(), ["my turn"]);
}

#[test]
fn clients_of_a_worker_get_their_share_although_those_of_the_other_never_rest() {
    let rig = rig();
    let [mut greedy, mut modest] = clients(&rig, 15);
    modest.truncate(5);
    // All of the pool is one worker's, and more of its clients wait than can ever be served.
    for client in &mut greedy {
        client.timeout = PATIENCE;
    }
    begin(&mut greedy);
    eventually("ten work", || waiting(&rig) == 5);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for client in &mut greedy {
            scope.spawn(|| {
                client.until(b'Z', 1).expect("a server");
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    client.run("COMMIT");
                    client.run("BEGIN");
                }
                client.run("COMMIT");
            });
        }
        begin(&mut modest);
        assert_begun(&mut modest);
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    for client in &mut modest {
        client.run("COMMIT");
    }
    let mut observer = rig.observer();
    assert!(rig.backends(&mut observer).len() <= 10, "{:?}", rig.backends(&mut observer));
}

#[test]
fn a_pool_that_a_reload_gathers_on_one_worker_keeps_its_size() {
    let rig = rig();
    let [mut one, mut other] = clients(&rig, 5);
    rig.reload(&rig.configuration().replace("max_size = 10", "max_size = 3"));
    begin(&mut one);
    begin(&mut other);
    eventually("seven wait", || waiting(&rig) == 7);
    let mut observer = rig.observer();
    eventually("three work", || rig.backends(&mut observer).len() == 3);
    rig.reload(rig.configuration());
    assert_begun(&mut one);
    assert_begun(&mut other);
}
