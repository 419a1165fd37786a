//! A commit is delivered before it is visible: with a synchronous standby that does not answer, for as long as one likes.

use howdah_core::cache::{Refusal, Tag};

use crate::bed::{self, BOUND, Bed, direct, eventually, oid, watch};

#[test]
fn an_answer_from_before_a_commit_is_visible_is_not_kept_after_it_was_delivered() {
    let nodes = bed::nodes()
        .replicas(1)
        .synchronous(true)
        .sql("CREATE TABLE t (id int PRIMARY KEY, v int)")
        .sql("INSERT INTO t SELECT n, 1 FROM generate_series(1, 10) n")
        .sql("CREATE PUBLICATION howdah FOR ALL TABLES");
    let bed = Bed::on(nodes, "");
    let freshness = bed.open();
    let mut client = bed.direct();
    let t = oid(&mut client, "t");
    watch(&freshness, t, &[1]);
    let row = |id: &'static str| vec![Tag::whole(t), Tag::row(t, [(1, id.as_bytes())])];
    let (one, two) = (row("1"), row("2"));
    let read = "SELECT v FROM t WHERE id = 1";
    let before = bed::keep(&freshness, &mut client, read, &one);

    let standby = &bed.cluster.replicas()[0];
    standby.freeze().unwrap();
    let primary = bed.cluster.primary();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            direct(primary).run("UPDATE t SET v = 2 WHERE id = 1");
        });
        eventually("the commit was delivered", || {
            bed::valid(&freshness, &before, BOUND) == Err(Refusal::Changed)
        });
        let mut refused = 0;
        for _ in 0..50 {
            let answer = bed::ask(&freshness, &mut client, read, &one);
            assert_eq!(client.value(read), "1", "it is visible, so this shows nothing");
            assert_eq!(answer.err(), Some(Refusal::InDoubt));
            refused += 1;
            bed::catch_up(&freshness);
        }
        assert_eq!(refused, 50, "delivered, not visible");
        // Others do not wait for it: neither what is kept already, nor what is kept now.
        let other = bed::keep(&freshness, &mut client, "SELECT v FROM t WHERE id = 2", &two);
        assert_eq!(bed::verdict(&freshness, &other), Ok(()));
        assert!(bed.report().stream.in_doubt > 0);

        standby.thaw().unwrap();
        writer.join().unwrap();
        assert_eq!(bed::verdict(&freshness, &other), Ok(()));
    });
    let after = bed::keep(&freshness, &mut client, read, &one);
    assert_eq!(after.value, "2");
    assert_eq!(bed::verdict(&freshness, &after), Ok(()));
    assert_eq!(bed::verdict(&freshness, &before), Err(Refusal::Changed));
}

#[test]
fn nothing_stays_stale_when_rows_are_read_again_at_once_after_each_change() {
    let bed = Bed::start(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, 0 FROM generate_series(1, 8) n",
        "",
    );
    let freshness = bed.open();
    let t = oid(&mut bed.direct(), "t");
    watch(&freshness, t, &[1]);
    let primary = bed.cluster.primary();
    let done = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let done = &done;
            scope.spawn(move || {
                let mut client = direct(primary);
                for round in 0..150 {
                    let id = (writer + round * 3) % 8 + 1;
                    client.run(&format!("UPDATE t SET v = v + 1 WHERE id = {id}"));
                }
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        let mut client = direct(primary);
        let mut kept = std::collections::BTreeMap::new();
        let (mut tried, mut hits) = (0_u32, 0_u32);
        while done.load(std::sync::atomic::Ordering::SeqCst) < 4 {
            for id in 1..=8 {
                let text = id.to_string();
                let tags = [Tag::whole(t), Tag::row(t, [(1, text.as_bytes())])];
                let read = format!("SELECT v FROM t WHERE id = {id}");
                let known =
                    kept.get(&id).is_some_and(|it| bed::valid(&freshness, it, BOUND).is_ok());
                hits += u32::from(known);
                if !known && let Ok(answer) = bed::ask(&freshness, &mut client, &read, &tags) {
                    kept.insert(id, answer);
                }
                tried += 1;
            }
        }
        bed::catch_up(&freshness);
        let valid: Vec<_> =
            kept.iter().filter(|(_, it)| bed::valid(&freshness, it, BOUND).is_ok()).collect();
        println!(
            "{tried} looks, {hits} hits, {} of {} answers valid at the end",
            valid.len(),
            kept.len()
        );
        for (id, answer) in valid {
            let now = client.value(&format!("SELECT v FROM t WHERE id = {id}"));
            assert_eq!(answer.value, now, "{id} stays stale");
        }
    });
}
