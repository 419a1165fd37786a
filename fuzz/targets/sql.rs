//! The text of a query: normal form, split and analysis.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| howdah_sql::fuzz(data));
