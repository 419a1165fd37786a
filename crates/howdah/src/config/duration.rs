//! Times as people write them: `250ms`, `5s`, `10m`, `1h`, `7d`, and several in a row (`1h30m`). Not sizes, not dates.
//!
//! Invariant: `parse(&format(d)) == Ok(d)` for whole milliseconds.

use std::time::Duration;

/// Units, the largest first; milliseconds in each.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Longest time accepted. Deadlines are sums of a clock and a time; ten years cannot overflow one.
pub(crate) const LONGEST: Duration = Duration::from_secs(3_650 * 86_400);

/// Reads a time such as `250ms`, `5s` or `1h30m`.
///
/// # Errors
/// What is wrong with the text, for people.
pub fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("empty, not a time".to_owned());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, after) = after.split_at(letters.unwrap_or(after.len()));
        let number: u64 = number.parse().map_err(|_| "not a time".to_owned())?;
        if unit.is_empty() {
            return Err("a time needs a unit: ms, s, m, h or d".to_owned());
        }
        let scale = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, scale)| *scale)
            .ok_or_else(|| format!("{unit:?} is not a unit of time: ms, s, m, h or d"))?;
        total = number
            .checked_mul(scale)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| "too long".to_owned())?;
        rest = after.trim_start();
    }
    let total = Duration::from_millis(total);
    if total > LONGEST {
        return Err("longer than ten years".to_owned());
    }
    Ok(total)
}

/// Writes a time as [`parse`] reads it; parts below a millisecond are dropped.
#[must_use]
pub fn format(time: Duration) -> String {
    let mut rest = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, scale) in UNITS {
        let count = rest / scale;
        rest %= scale;
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        for (text, millis) in [
            ("250ms", 250),
            ("5s", 5_000),
            ("5 s", 5_000),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("7d", 604_800_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused_with_a_reason() {
        for (text, reason) in [
            ("30", "needs a unit"),
            ("5 parsecs", "not a unit"),
            ("5y", "not a unit"),
            ("-5s", "not a time"),
            ("", "empty"),
            ("1.5s", "needs a unit"),
            ("five", "not a time"),
            ("99999999999999999999s", "not a time"),
            ("9999999999999999h", "too long"),
            ("4000d", "ten years"),
            ("s", "not a time"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_written_time_reads_as_itself() {
        for millis in [0, 1, 999, 1_000, 61_001, 90_000_000, 604_800_000] {
            let time = Duration::from_millis(millis);
            assert_eq!(parse(&format(time)), Ok(time));
        }
    }
}
