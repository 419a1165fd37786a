//! The first packet of a connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| howdah_wire::fuzzing::startup(data));
