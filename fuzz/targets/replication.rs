//! Changes of a database, as a server tells them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| howdah_wire::fuzzing::replication(data));
