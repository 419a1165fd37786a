//! What was carried out is measured on a real server: better, no different, worse, and not known yet.

use std::sync::Arc;

use howdah::advisor::Kind;
use howdah::ops::apply::Error;
use howdah::ops::journal::State;
use howdah_tests::Servers;

use crate::bed::{Bed, advice, index};

#[test]
fn samples_show_what_an_index_and_its_loss_do() {
    let mut bed = Bed::new();
    bed.sql("INSERT INTO t SELECT g, g % 100, 'x' || g FROM generate_series(20001, 300000) g; ANALYZE t");
    bed.samples = vec!["SELECT c FROM t WHERE a = 4711".to_owned()];
    let index = index();
    assert!(matches!(bed.verify(&index), Err(Error::NothingToVerify)));
    bed.apply(&index).unwrap();
    let verdict = bed.verify(&index).unwrap();
    assert_eq!(
        (verdict.state, bed.state(&index)),
        (Some(State::Verified), State::Verified),
        "{verdict:?}"
    );
    let blocks = verdict.statements[0].blocks;
    assert!(blocks.0 > 1_000.0 && blocks.1 < 10.0, "{blocks:?}");
    let drop = advice(Kind::DropUnusedIndex, &["DROP INDEX CONCURRENTLY public.howdah_t_a"]);
    bed.apply(&drop).unwrap();
    let verdict = bed.verify(&drop).unwrap();
    assert_eq!(
        (verdict.state, bed.state(&drop)),
        (Some(State::Regressed), State::Regressed),
        "{verdict:?}"
    );
    bed.undo(&drop).unwrap();
    bed.samples = vec!["UPDATE t SET a = 1".to_owned()];
    assert!(matches!(bed.apply(&index), Err(Error::Samples(_))), "nothing that writes is run");
}

#[test]
fn what_postgresql_counts_is_enough() {
    let bed = Bed::on(Arc::new(Servers::start_with_statistics()));
    bed.sql("CREATE EXTENSION pg_stat_statements");
    bed.sql("INSERT INTO t SELECT g, g % 100, 'x' || g FROM generate_series(20001, 200000) g; ANALYZE t");
    let index = index();
    let mut client = bed.admin();
    let mut calls = |count: usize| {
        for number in 0..count {
            client.run(&format!("SELECT c FROM t WHERE a = {number}"));
        }
    };
    calls(40);
    bed.apply(&index).unwrap();
    calls(10);
    let verdict = bed.verify(&index).unwrap();
    assert_eq!((verdict.state, bed.state(&index)), (None, State::Applied), "{verdict:?}");
    calls(30);
    let verdict = bed.verify(&index).unwrap();
    assert_eq!(
        (verdict.state, bed.state(&index)),
        (Some(State::Verified), State::Verified),
        "{verdict:?}"
    );
    assert!(verdict.statements[0].text.contains("a = $1"), "{verdict:?}");
}
