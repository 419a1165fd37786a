//! The client's side of SCRAM.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| howdah_wire::fuzzing::scram_client(data));
