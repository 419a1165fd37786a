//! A stream of frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| howdah_wire::fuzzing::frame(data));
