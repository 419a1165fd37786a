//! What went wrong in Odyssey, by the number of its report or commit, and does not go wrong here.
//!
//! Covered elsewhere: 84 (`cancelling::a_storm_of_cancels_leaves_everything_in_order`), 365
//! (`probe::listen_delivers_while_the_client_is_idle`), 477 (`probe::a_named_statement_after_alter_table_works_without_an_error`,
//! `settings`), 1280 (`large`, `conformance::a_statement_of_several_megabytes`), 1370
//! (`leaving::clients_that_vanish_in_the_middle_of_anything_leave_a_whole_pool`), 1475
//! (`pipelines::a_client_that_writes_much_before_it_reads_does_not_block_the_rest`), 125fe41f
//! (`statements::a_simple_query_ends_the_unnamed_statement`), 89c48ea2
//! (`pipelines::a_known_statement_parsed_after_an_error_gives_no_reply_of_its_own`), `CopyData` in pipelines
//! (`copying::a_segment_behind_a_copy_waits_for_its_turn`).

use howdah_tests::Rig;
use howdah_tests::raw::Frames;

#[test]
fn odyssey_533_a_bind_around_every_buffer_size_is_answered() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.answer(&Frames::new().parse("s", "SELECT length($1::text)").sync(), 1);
    for size in [16_384, 32_768, 65_536, 131_072, 1_048_576] {
        for length in [size - 30, size - 20, size - 10, size - 1, size, size + 1, size + 10] {
            let value = "x".repeat(length);
            if length == size {
                churn.turn();
            }
            let named = Frames::new().execute_prepared("s", &[&value]).sync();
            assert_eq!(client.answer(&named, 1).values(), [length.to_string()]);
            let unnamed = Frames::new().extended("SELECT length($1::text)", &[&value]).sync();
            assert_eq!(client.answer(&unnamed, 1).values(), [length.to_string()]);
        }
    }
}

#[test]
fn odyssey_470_ninety_parallel_logins_all_succeed() {
    let rig = Rig::start();
    std::thread::scope(|scope| {
        for n in 0..90 {
            let rig = &rig;
            scope.spawn(move || {
                // Settings of its own, so that each login asks a server.
                let name = format!("login {n}");
                let mut client = rig.target().parameter("application_name", &name).client();
                assert_eq!(client.value("SHOW application_name"), name);
            });
        }
    });
}
