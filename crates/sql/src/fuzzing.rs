//! One entry for a fuzzer: the promises of this crate on any bytes. Not built otherwise.
//!
//! Invariant: panics if and only if a promise is broken.

use crate::outline::{other, outline};
use crate::{Analyses, MAX_ANALYSED, normalize, split};

/// Checks normal form, split and analysis of these bytes, and of a text that differs in its digits.
///
/// # Panics
/// If a promise is broken.
pub fn fuzz(data: &[u8]) {
    let data = data.get(..MAX_ANALYSED.min(16 * 1024)).unwrap_or(data);
    let form = form(data);
    assert_eq!(self::form(&form), form, "a normal form is its own normal form");
    if let Ok(text) = std::str::from_utf8(data) {
        check_split(text);
    }
    let mutated: Vec<u8> =
        data.iter().map(|byte| if byte.is_ascii_digit() { b'7' } else { *byte }).collect();
    check_analysis(data, &mutated);
    check_outline(data, &mutated);
}

/// Of three texts of which some have the same outline the one must not change what is said of the others.
fn check_outline(data: &[u8], mutated: &[u8]) {
    let (mut outline_of_data, mut changed, mut outline_of_changed) = (vec![], vec![], vec![]);
    let has_outline = outline(data, &mut outline_of_data);
    other(data, &mut changed);
    if has_outline {
        assert!(outline(&changed, &mut outline_of_changed), "an outline has an outline");
        assert_eq!(outline_of_data, outline_of_changed, "literals are not part of an outline");
    }
    let mut analyses = Analyses::new(100);
    for text in [data, &changed, mutated] {
        let (together, alone) = (analyses.analyse(text), Analyses::new(1).analyse(text));
        // An analysis by normal form is taken for a text that does not parse itself, too.
        assert!(together == alone || !alone.parsed, "an outline says what the normal form says");
    }
}

fn form(data: &[u8]) -> Vec<u8> {
    let mut form = Vec::new();
    normalize(data, &mut form);
    form
}

fn check_split(text: &str) {
    let ranges = split(text);
    let mut last = 0;
    for range in &ranges {
        assert!(last <= range.start && range.start < range.end, "in order and not empty");
        assert!(text.get(range.clone()).is_some(), "on character boundaries");
        last = range.end;
    }
    let analysis = Analyses::new(1).analyse(text.as_bytes());
    if analysis.parsed && analysis.statements.len() > 1 {
        assert_eq!(ranges.len(), analysis.statements.len(), "as many as statements");
    }
}

fn check_analysis(one: &[u8], other: &[u8]) {
    if form(one) != form(other) {
        return;
    }
    let analyse = |sql: &[u8]| Analyses::new(1).analyse(sql);
    let (one, other) = (analyse(one), analyse(other));
    if one.parsed && other.parsed {
        assert_eq!(one, other, "equal normal forms, equal facts");
    }
}
