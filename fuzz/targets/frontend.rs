//! A message of a client.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| howdah_wire::fuzzing::frontend(data));
