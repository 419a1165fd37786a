//! What went wrong in pgcat, by the number of its report, and does not go wrong here.
//!
//! Covered elsewhere: 255, 606 and 756 (`authentication::every_client_method_works_with_every_server_method`), an idle server
//! that was terminated (`leaving::a_terminated_idle_server_is_replaced_without_anybody_noticing`), Flush and protocol 3.2
//! (`probe`), clients that pile up while no server can be had (`errors::a_server_that_is_down_is_told_with_what_to_do`,
//! `faults::postgresql_restarted_under_load_is_used_again_at_once`). Not of a pooler without read/write splitting: 228, 485,
//! 489, 668, 823, 829, 835, 843, 850, 857.

use howdah_tests::Rig;
use howdah_tests::raw::Frames;

#[test]
fn pgcat_611_734_several_statements_prepared_outside_a_transaction_are_all_there() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    for n in 0..8 {
        let parse = Frames::new().parse(&format!("s{n}"), &format!("SELECT {n} + $1::int"));
        client.answer(&parse.describe_statement(&format!("s{n}")).sync(), 1);
        churn.turn();
    }
    for n in 0..8 {
        churn.turn();
        let many = Frames::new()
            .execute_prepared(&format!("s{n}"), &["1"])
            .execute_prepared(&format!("s{}", 7 - n), &["1"])
            .sync();
        assert_eq!(client.answer(&many, 1).values(), [(n + 1).to_string(), (8 - n).to_string()]);
    }
    let all = (0..8).fold(Frames::new(), |all, n| {
        all.close_statement(&format!("s{n}")).parse(&format!("s{n}"), &format!("SELECT {n} * 2"))
    });
    client.answer(&all.sync(), 1);
    churn.turn();
    let seen = client.answer(&Frames::new().execute_prepared("s3", &[]).sync(), 1);
    assert_eq!(seen.values(), ["6"]);
}
