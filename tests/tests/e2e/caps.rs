//! Caps over several pools: `max_servers` of a user, `max_clients` of a database; and what becomes of them by a reload.

use crate::console::cell;
use std::time::Duration;

use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Rig, Servers, eventually};

fn users(cap: &str) -> String {
    format!(
        "[[user]]\nname = \"app\"\nauth = \"trust\"\n{cap}[[user]]\nname = \"howdah\"\nauth = \"trust\"\n"
    )
}

/// Servers of `app`, in all databases of the primary.
fn servers_of_app(observer: &mut Connection) -> u32 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND backend_type = 'client backend'";
    observer.value(sql).parse().expect("a number")
}

/// A client in a transaction.
fn busy(rig: &Rig, database: &str) -> Connection {
    let mut client = rig.target().database(database).client();
    client.run("BEGIN");
    client
}

#[test]
fn max_servers_of_a_user_holds_over_its_databases_and_not_for_others() {
    let rig = Rig::builder()
        .servers(Servers::start())
        .users(&users("max_servers = 2\n"))
        .pool("checkout_timeout", "\"500ms\"")
        .in_process();
    let mut observer = rig.observer();
    let mut held = [busy(&rig, rig.database()), busy(&rig, "postgres")];
    // Logged in with what an earlier client was told, so no server is needed for that.
    let mut third = rig.client();
    assert_eq!(third.error("SELECT 1").code, "53300");
    assert_eq!(servers_of_app(&mut observer), 2);
    assert_eq!(rig.target().user("howdah").client().value("SELECT 'others'"), "others");
    held[1].run("COMMIT");
    // The other pool gives its idle server up.
    eventually("the place is used again", || {
        third.query("SELECT 1").is_ok_and(|seen| seen.errors().is_empty())
    });
    // One that was closed may be in PostgreSQL's list for a moment more.
    eventually("two servers are left", || servers_of_app(&mut observer) <= 2);
    held[0].run("COMMIT");
}

#[test]
fn a_cap_that_comes_with_a_reload_counts_the_servers_that_are_open() {
    let rig = Rig::builder()
        .servers(Servers::start())
        .users(&users(""))
        .pool("checkout_timeout", "\"500ms\"")
        .in_process();
    let mut observer = rig.observer();
    let mut held: Vec<_> = (0..3).map(|_| busy(&rig, rig.database())).collect();
    assert_eq!(servers_of_app(&mut observer), 3);
    let capped = rig.configuration().replacen(
        "auth = \"trust\"\n",
        "auth = \"trust\"\nmax_servers = 1\n",
        1,
    );
    assert_eq!(rig.reload(&capped), ["user.app.max_servers"]);
    held.pop().expect("three").run("COMMIT");
    held.pop().expect("two").run("COMMIT");
    // What comes back is closed, because more are open than there may be.
    eventually("the servers beyond the cap are closed", || servers_of_app(&mut observer) == 1);
    assert_eq!(rig.client().error("SELECT 1").code, "53300");
    rig.reload(rig.configuration());
    assert_eq!(rig.client().value("SELECT 'no cap any more'"), "no cap any more");
    held[0].run("COMMIT");
}

#[test]
fn a_pool_that_starves_when_its_cap_is_lifted_leaves_no_trace() {
    let rig = Rig::builder().users(&users("max_servers = 1\n")).in_process();
    let mut holder = busy(&rig, rig.database());
    let mut starving = rig.client();
    starving.send(&Frames::new().query("SELECT 'fed'")).unwrap();
    eventually("it waits", || {
        rig.block_on(rig.engine().report()).pools.iter().any(|pool| pool.clients_waiting == 1)
    });
    rig.reload(&rig.configuration().replace("max_servers = 1\n", ""));
    assert_eq!(starving.until(b'Z', 1).expect("an answer").values(), ["fed"]);
    rig.reload(rig.configuration());
    holder.run("COMMIT");
    // If it still counted as starving, idle servers would be closed and opened all the time.
    let opened = || rig.block_on(rig.engine().report()).totals.servers_opened;
    eventually("one server stays", || {
        let report = rig.block_on(rig.engine().report());
        report.pools.iter().map(|pool| pool.servers_idle).sum::<usize>() == 1
    });
    let before = opened();
    for _ in 0..10 {
        starving.run("SELECT 1");
        std::thread::sleep(Duration::from_millis(60));
    }
    assert_eq!(opened(), before);
}

#[test]
fn one_client_of_a_database_too_many_is_told_53300() {
    let databases = "[[database]]\nname = \"small\"\nserver_database = \"postgres\"\nmax_clients = 2\n[[database]]\nname = \"*\"\n";
    let rig = Rig::builder().more(databases).in_process();
    let small = rig.target().database("small");
    let mut clients: Vec<_> = (0..2).map(|_| small.client()).collect();
    let error = small.refusal();
    assert_eq!((error.severity.as_str(), error.code.as_str()), ("FATAL", "53300"));
    assert!(error.hint.is_some_and(|hint| hint.contains("max_clients of this database")));
    assert_eq!(small.user("howdah").refusal().code, "53300", "it holds for all users together");
    assert_eq!(rig.client().value("SELECT 'another database'"), "another database");
    clients.pop().expect("two").close();
    eventually("the place is free again", || small.connect().is_ok());
    let mut console = rig.target().database("howdah").client();
    let shown = cell(&mut console, "SHOW DATABASES", ("name", "small"), "max_client_connections");
    assert_eq!(shown, "2");
    clients[0].run("SELECT 1");
}
