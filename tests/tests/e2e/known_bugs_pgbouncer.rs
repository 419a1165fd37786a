//! What went wrong in PgBouncer, by the number of its report, and does not go wrong here.
//!
//! Covered elsewhere: 38, 141 and 717 (`cancelling::a_cancel_after_the_end_hits_nobody`,
//! `cancelling::a_storm_of_cancels_leaves_everything_in_order`), 89, 482, 674, 1176, 1313 and 1500
//! (`settings::startup_options_are_there_on_every_server`, `settings::a_search_path_is_kept_for_its_client_and_not_leaked`),
//! 655 (`probe::listen_delivers_while_the_client_is_idle`), 1025 (`large`), 1567 and 1573 (`settings`), CVE-2026-6664
//! (`doors::a_startup_packet_of_two_gigabytes_is_refused_at_its_length`), CVE-2026-6665 (the SCRAM tests of `howdah-wire`).
//! Features of their own: 187, 503, 561, 848, 1179, 1534 (failover), 420 and 498 (PAUSE), 1021 (threads).

use howdah_tests::raw::Frames;
use howdah_tests::{Rig, Script, Until};

#[test]
fn pgbouncer_392_cancel_requests_need_no_place_among_the_clients() {
    let rig = Rig::builder().listen("max_clients", "4").in_process();
    let mut clients: Vec<_> = (0..4).map(|_| rig.client()).collect();
    clients[0].send(&Frames::new().query("SELECT pg_sleep(60)")).unwrap();
    let sleeping = "SELECT count(*) FROM pg_stat_activity \
                    WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let mut observer = rig.observer();
    while observer.value(sleeping) != "1" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    clients[0].cancel();
    assert_eq!(clients[0].until(b'Z', 1).unwrap().errors()[0].code, "57014");
    for _ in 0..50 {
        clients[1].cancel();
    }
    drop(clients.pop());
    // The place of the client that left, and no more.
    let admitted = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        rig.target().connect().is_ok()
    });
    assert!(admitted, "cancel requests have taken the places of clients");
}

#[test]
fn pgbouncer_974_deallocate_all_frees_the_names() {
    let rig = Rig::start();
    let parse = |sql: &str| Frames::new().parse("s", sql).execute_prepared("s", &[]).sync();
    let script = Script::new()
        .step(parse("SELECT 1"))
        .query("DEALLOCATE ALL")
        .step(Frames::new().execute_prepared("s", &[]).sync())
        .step(parse("SELECT 2"))
        .step(Frames::new().extended("DEALLOCATE ALL", &[]).sync())
        .step(parse("SELECT 3"))
        .query("DISCARD ALL")
        .step(parse("SELECT 4"));
    rig.same_as_direct("", &script);
}

#[test]
fn pgbouncer_991_deallocate_by_name_as_pdo_does() {
    let rig = Rig::start();
    let mut script = Script::new();
    for n in 0..4 {
        // PHP's PDO prepares by the protocol and lets go by SQL.
        let name = format!("pdo_stmt_{n:08x}");
        script = script
            .step(Frames::new().parse(&name, "SELECT $1::int").describe_statement(&name).sync())
            .step(Frames::new().execute_prepared(&name, &["7"]).sync())
            .query(&format!("DEALLOCATE {name}"))
            .step(Frames::new().execute_prepared(&name, &["7"]).sync());
    }
    rig.same_as_direct("", &script);
}

#[test]
fn pgbouncer_1535_deallocate_all_in_a_pipeline_spares_what_is_parsed_after_it() {
    let rig = Rig::start();
    let execute = |name: &str| Frames::new().execute_prepared(name, &[]).sync();
    let script = Script::new()
        .step(Frames::new().parse("a", "SELECT 'a'").sync())
        .until(
            Frames::new()
                .query("DEALLOCATE ALL")
                .parse("a", "SELECT 'new a'")
                .execute_prepared("a", &[])
                .sync(),
            Until::Ready(2),
        )
        .step(execute("a"))
        .step(
            Frames::new()
                .parse("b", "SELECT 'b'")
                .extended("DEALLOCATE ALL", &[])
                .parse("b", "SELECT 'new b'")
                .sync(),
        )
        .step(execute("a"))
        .step(execute("b"))
        .query("DEALLOCATE b")
        .step(execute("b"))
        .query("DEALLOCATE b");
    rig.same_as_direct("", &script);
}

#[test]
fn pgbouncer_1471_late_copy_messages_do_not_use_up_the_pool() {
    let rig = Rig::builder().pool_size(1).in_process();
    rig.direct().client().run("CREATE TABLE c (a int)");
    for _ in 0..5 {
        let mut client = rig.client();
        client.send(&Frames::new().query("COPY c FROM STDIN").copy_data(b"no number\n")).unwrap();
        assert_eq!(client.until(b'Z', 1).unwrap().errors()[0].code, "22P02");
        client.send(&Frames::new().copy_data(b"late\n").copy_done()).unwrap();
        assert_eq!(rig.client().value("SELECT 'served'"), "served");
        assert_eq!(client.value("SELECT 'still here'"), "still here");
    }
}

#[test]
fn pgbouncer_1472_statements_beyond_the_limit_are_closed_on_the_server() {
    let rig = Rig::builder().pool_size(1).pool("max_prepared", "5").in_process();
    let mut client = rig.client();
    for n in 0..50 {
        let (name, sql) = (format!("s{n}"), format!("SELECT {n}"));
        let frames = Frames::new().parse(&name, &sql).execute_prepared(&name, &[]).sync();
        assert_eq!(client.answer(&frames, 1).values(), [n.to_string()]);
    }
    let kept: u32 = client.value("SELECT count(*) FROM pg_prepared_statements").parse().unwrap();
    assert!(kept <= 5, "{kept} statements on the server");
}
