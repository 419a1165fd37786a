//! What somebody wants of routing: by whom reads are answered, how fresh they have to be, and what happens when no replica is.
//! Said by the configuration, and more narrowly by settings of the session (`howdah.route` and its like) or a comment in front of a
//! statement. Not where a request goes: `choose`.
//!
//! Invariant: a word that is not understood leaves the primary as the only one that answers.

use std::time::Duration;

/// Who answers reads. Everything else is for the primary whatever the policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// The primary alone.
    #[default]
    Primary,
    /// Replicas alone.
    Replica,
    /// Replicas as long as one is fresh enough, otherwise what the lag policy says.
    PreferReplica,
    /// Replicas and the primary alike.
    Any,
}

impl Policy {
    /// The word used in the configuration and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::PreferReplica => "prefer_replica",
            Self::Any => "any",
        }
    }

    /// Reads the word; also with `-` for `_`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Primary, Self::Replica, Self::PreferReplica, Self::Any]
            .into_iter()
            .find(|policy| is_word(word, policy.as_str()))
    }
}

/// What a read is promised about writes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// It sees everything that was committed before it was sent: the primary answers.
    Strong,
    /// It sees everything that its own session has written, and never less than the session has read before.
    #[default]
    Session,
    /// It sees everything that was committed longer ago than `max_lag`.
    Bounded,
    /// Nothing beyond what `max_lag`, if there is one, leaves.
    Eventual,
}

impl Consistency {
    /// The word used in the configuration and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Session => "session",
            Self::Bounded => "bounded",
            Self::Eventual => "eventual",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Strong, Self::Session, Self::Bounded, Self::Eventual]
            .into_iter()
            .find(|consistency| is_word(word, consistency.as_str()))
    }
}

/// What happens to a read for which no replica is fresh enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LagPolicy {
    /// The primary answers it (with [`Policy::Replica`]: an error).
    #[default]
    Fallback,
    /// It waits for so long for a replica to catch up; then as with `Fallback`.
    Wait(Duration),
    /// An error.
    Error,
}

/// All of it together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// Who answers reads.
    pub policy: Policy,
    /// What a read is promised.
    pub consistency: Consistency,
    /// How stale an answer may be; `None`: any staleness will do. Always there with [`Consistency::Bounded`].
    pub max_lag: Option<Duration>,
    /// What happens when no replica is fresh enough.
    pub lag_policy: LagPolicy,
}

impl Wish {
    /// What remains when something that was said is not understood.
    #[must_use]
    pub fn cautious(self) -> Self {
        Self { policy: Policy::Primary, consistency: Consistency::Strong, ..self }
    }

    /// The wish with one thing said differently: `route`, `consistency`, `max_lag` or `lag_policy`. Other names say nothing about
    /// routing and change nothing.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let changed = match name {
            "route" => Policy::parse(value).map(|policy| Self { policy, ..self }),
            "consistency" => {
                Consistency::parse(value).map(|consistency| Self { consistency, ..self })
            }
            "max_lag" => parse_lag(value).map(|max_lag| Self { max_lag, ..self }),
            "lag_policy" => parse_lag_policy(value).map(|lag_policy| Self { lag_policy, ..self }),
            _ => return self,
        };
        let changed = changed.unwrap_or_else(|| self.cautious());
        // A bound that is not there cannot be kept.
        if changed.consistency == Consistency::Bounded && changed.max_lag.is_none() {
            return changed.cautious();
        }
        changed
    }

    /// The wish with what a comment in front of a statement says: `/* howdah: route=primary consistency=strong */`.
    #[must_use]
    pub fn with_comment(self, sql: &[u8]) -> Self {
        let Some(said) = comment(sql) else { return self };
        let Ok(said) = std::str::from_utf8(said) else { return self.cautious() };
        said.split_ascii_whitespace().fold(self, |wish, word| match word.split_once('=') {
            Some((name, value)) => wish.with(name, value),
            None => wish.cautious(),
        })
    }

    /// Whether it matters what a replica has replayed.
    #[must_use]
    pub const fn promises(&self) -> bool {
        !matches!(self.consistency, Consistency::Eventual) || self.max_lag.is_some()
    }

    /// Whether anything but the primary may answer.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self.policy, Policy::Primary) && !matches!(self.consistency, Consistency::Strong)
    }
}

/// What is between `/* howdah:` at the beginning of a text and `*/`.
pub(crate) fn comment(sql: &[u8]) -> Option<&[u8]> {
    let inside = sql.trim_ascii_start().strip_prefix(b"/*")?.trim_ascii_start();
    let said = inside.strip_prefix(b"howdah:")?;
    let end = said.windows(2).position(|pair| pair == b"*/")?;
    said.get(..end)
}

fn is_word(word: &str, wanted: &str) -> bool {
    word.len() == wanted.len()
        && word.bytes().zip(wanted.bytes()).all(|(found, wanted)| {
            found.eq_ignore_ascii_case(&wanted) || (found == b'-' && wanted == b'_')
        })
}

/// `off`, or a length of time: `250ms`, `10s`, `2min`.
fn parse_lag(value: &str) -> Option<Option<Duration>> {
    if value.eq_ignore_ascii_case("off") { Some(None) } else { parse_time(value).map(Some) }
}

/// `fallback`, `error`, or `wait(250ms)`.
fn parse_lag_policy(value: &str) -> Option<LagPolicy> {
    if is_word(value, "fallback") {
        return Some(LagPolicy::Fallback);
    }
    if is_word(value, "error") {
        return Some(LagPolicy::Error);
    }
    let time = value.strip_prefix("wait(")?.strip_suffix(')')?;
    parse_time(time).map(LagPolicy::Wait)
}

/// A whole number with one of PostgreSQL's units of time; without one it is milliseconds.
#[must_use]
pub fn parse_time(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "us" => Some(Duration::from_micros(number)),
        "" | "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" | "min" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3_600).map(Duration::from_secs),
        "d" => number.checked_mul(86_400).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Wish {
        Wish { policy: Policy::PreferReplica, ..Wish::default() }
    }

    #[test]
    fn settings_say_one_thing_each_and_others_say_nothing() {
        let wish = open();
        assert_eq!(wish.with("route", "Any").policy, Policy::Any);
        assert_eq!(wish.with("route", "prefer-replica"), wish);
        assert_eq!(wish.with("consistency", "eventual").consistency, Consistency::Eventual);
        assert_eq!(wish.with("max_lag", "250ms").max_lag, Some(Duration::from_millis(250)));
        assert_eq!(wish.with("max_lag", "2min").max_lag, Some(Duration::from_secs(120)));
        assert_eq!(wish.with("max_lag", "1s").with("max_lag", "off").max_lag, None);
        let waits = LagPolicy::Wait(Duration::from_secs(1));
        assert_eq!(wish.with("lag_policy", "wait(1s)").lag_policy, waits);
        assert_eq!(wish.with("lag_policy", "error").lag_policy, LagPolicy::Error);
        assert_eq!(wish.with("cache", "60s"), wish);
    }

    #[test]
    fn what_is_not_understood_leaves_the_primary() {
        for (name, value) in [
            ("route", "replicas"),
            ("route", ""),
            ("consistency", "none"),
            ("consistency", "bounded"),
            ("max_lag", "soon"),
            ("max_lag", "-1s"),
            ("max_lag", "99999999999999999999s"),
            ("lag_policy", "wait"),
            ("lag_policy", "wait()"),
        ] {
            assert!(!open().with(name, value).is_open(), "{name} = {value:?}");
        }
        assert!(open().with("max_lag", "1s").with("consistency", "bounded").is_open());
    }

    #[test]
    fn a_comment_in_front_speaks_for_its_statement() {
        for (sql, policy) in [
            ("/* howdah: route=primary */ SELECT 1", Policy::Primary),
            (" /*howdah:route=any*/SELECT 1", Policy::Any),
            ("/* howdah: route=any cache=60s tags=a,b */ SELECT 1", Policy::Any),
            ("/* howdah: any */ SELECT 1", Policy::Primary),
            ("/* howdah: route=any SELECT 1", Policy::PreferReplica),
            ("SELECT 1 /* howdah: route=primary */", Policy::PreferReplica),
            ("/* other */ SELECT 1", Policy::PreferReplica),
            ("", Policy::PreferReplica),
        ] {
            assert_eq!(open().with_comment(sql.as_bytes()).policy, policy, "{sql}");
        }
        assert!(!open().with_comment(b"/* howdah: route=\xff */").is_open());
    }
}
