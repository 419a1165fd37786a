//! Hostile and huge texts neither overflow the stack nor take long.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "tests"
)]

use howdah_sql::{Analyses, Class, Effect, MAX_ANALYSED, setting_changes, split};

fn class_and_effect(sql: &str) -> (Class, Effect, bool) {
    let analysis = Analyses::new(16).analyse(sql.as_bytes());
    (analysis.class, analysis.statements[0].effect, analysis.parsed)
}

#[test]
fn deep_nesting_is_survived() {
    let deep = [
        format!("select {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("select {}", "(".repeat(1_000_000)),
        format!("select {}1{}", "(select ".repeat(50_000), ")".repeat(50_000)),
        format!("select {}a", "- ".repeat(100_000)),
        format!("select {}true", "not ".repeat(100_000)),
        format!("select {}1{}", "f(".repeat(100_000), ")".repeat(100_000)),
        format!("select {}1{}", "case when true then ".repeat(20_000), " end".repeat(20_000)),
        format!("select {}1{}", "array[".repeat(100_000), "]".repeat(100_000)),
        format!("select 1{}", "+1".repeat(200_000)),
        format!("select 1{}", " union all select 1".repeat(40_000)),
        format!("select a{}", "[1]".repeat(200_000)),
        format!("select a{}", "::int".repeat(100_000)),
        format!("select 1 /* {} */", "/*".repeat(200_000)),
        format!("select f(1) {} /*", "/**/".repeat(200_000)),
        format!("select f(1) {} /*", "/* */".repeat(200_000)),
        format!("select $ {} /*", "/**/".repeat(200_000)),
        format!("select {}1 -- /*", "+".repeat(400_000)),
        format!("{}select 1", "with x as (".repeat(50_000)),
        format!("explain {}select 1", "explain ".repeat(50_000)),
        format!("set x = {}1", "- ".repeat(100_000)),
    ];
    for sql in &deep {
        assert!(sql.len() <= MAX_ANALYSED + 8);
        let (class, effect, parsed) = class_and_effect(sql);
        let comment = sql.contains("/*");
        assert_ne!(class, Class::Read, "{}", &sql[..40]);
        assert!(effect == Effect::Unknown || parsed, "{}", &sql[..40]);
        assert!(!(comment && parsed));
        let _ = setting_changes(sql.as_bytes());
        let _ = split(sql);
    }
}

#[test]
fn a_long_chain_that_parses_is_never_a_read_and_has_no_effect_unless_a_word_has() {
    let chain = |first: &str, link: &str| format!("select {first}{}", link.repeat(80));
    let plain = (Class::Other, Effect::None, true);
    assert_eq!(class_and_effect(&chain("a", " || b")), plain);
    assert_eq!(class_and_effect(&chain("lower(a)", " || $1")), plain);
    assert_eq!(class_and_effect(&chain("1", " + 1")), plain);
    assert_eq!(class_and_effect(&chain("1", " union all select 2")).1, Effect::None);
    assert_eq!(class_and_effect(&format!("insert into t {}", chain("1", " + 1"))), plain);
    let unknown = (Class::Other, Effect::Unknown, true);
    assert_eq!(class_and_effect(&chain("a into temp x", " || b")).1, Effect::Unknown);
    assert_eq!(class_and_effect(&chain("set_config('a', 'b', false)", " || b")), unknown);
    assert_eq!(class_and_effect(&chain("\"pg_advisory_lock\"(1)", " + 1")), unknown);
    assert_eq!(class_and_effect(&format!("{}; discard all", chain("1", " + 1"))), unknown);
    assert_eq!(class_and_effect(&format!("do $$ begin end $$; {}", chain("1", " + 1"))), unknown);
}

#[test]
fn huge_texts_are_unknown_and_huge_lists_are_not() {
    let too_long = format!("select '{}'", "x".repeat(MAX_ANALYSED));
    assert_eq!(class_and_effect(&too_long), (Class::Other, Effect::Unknown, false));
    let long = format!("select '{}'", "x".repeat(MAX_ANALYSED - 10));
    assert_eq!(class_and_effect(&long), (Class::Read, Effect::None, true));
    let list = format!("select * from t where a in (1{})", ", 23".repeat(200_000));
    assert_eq!(class_and_effect(&list), (Class::Read, Effect::None, true));
    let rows = format!("insert into t values (1, 'x'){}", ", (-2, null)".repeat(80_000));
    assert_eq!(class_and_effect(&rows), (Class::Write, Effect::None, true));
    let targets = format!("select {} 1", "f(b), ".repeat(100_000));
    assert_eq!(class_and_effect(&targets), (Class::Other, Effect::Unknown, false));
}
