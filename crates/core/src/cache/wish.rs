//! What somebody wants of the cache: whether it answers, and how fresh its answers have to be. Said by the configuration, and more
//! narrowly by settings of the session (`howdah.cache` and its like) or a comment in front of a statement.
//!
//! Invariant: a session or a comment can only ask for less than the configuration gives, or for what is fresher, except that it may let its
//! answers rest on their age, for itself, if the configuration does not forbid it; a word that is not understood turns the cache off.

use std::time::Duration;

use super::asked::Tags;
use super::rules::Chosen;
use crate::route::{comment, parse_time};

/// Whether the cache answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Mode {
    /// Nothing is looked up or kept.
    #[default]
    Off,
    /// Answers are kept and looked up, and none is given: for numbers.
    Observe,
    /// It answers.
    On,
}

impl Mode {
    /// The word used in the configuration and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Observe => "observe",
            Self::On => "on",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Off, Self::Observe, Self::On];
        all.into_iter().find(|mode| word.eq_ignore_ascii_case(mode.as_str()))
    }
}

/// How fresh answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// They hold every transaction that was visible longer ago than the bound.
    Bounded,
    /// And everything that the session has written or seen.
    Session,
    /// And everything that was visible when the statement came.
    Strict,
}

impl Level {
    /// The word used in the configuration and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bounded => "bounded",
            Self::Session => "session",
            Self::Strict => "strict",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Bounded, Self::Session, Self::Strict];
        all.into_iter().find(|level| word.eq_ignore_ascii_case(level.as_str()))
    }
}

/// What a session, a comment or an administrator has said, which no rule about tables takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    limit: Mode,
    level: Option<Level>,
    max_staleness: Duration,
    ttl: Option<Duration>,
}

/// All of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Whether it answers.
    pub mode: Mode,
    /// How fresh answers are; `None`: [`Level::Bounded`], and [`Level::Session`] for sessions that have written.
    pub level: Option<Level>,
    /// The bound.
    pub max_staleness: Duration,
    /// Whether the `ttl` of a session lets its answers rest on their age where changes are not followed.
    pub session_ttl: bool,
    said: Said,
}

impl Default for Wish {
    fn default() -> Self {
        let said = Said { limit: Mode::On, level: None, max_staleness: Duration::MAX, ttl: None };
        let max_staleness = Duration::from_millis(100);
        Self { mode: Mode::Off, level: None, max_staleness, session_ttl: true, said }
    }
}

impl Wish {
    /// What is promised to a session that has, or has not, written.
    #[must_use]
    pub fn level(&self, has_written: bool) -> Level {
        self.level.unwrap_or(if has_written { Level::Session } else { Level::Bounded })
    }

    /// No more than this mode, whatever rules say.
    fn limited(self, limit: Mode) -> Self {
        let said = Said { limit: self.said.limit.min(limit), ..self.said };
        Self { mode: self.mode.min(limit), said, ..self }
    }

    /// What an administrator says instead of the mode of databases. Rules about tables may turn more off, and nothing on.
    #[must_use]
    pub fn forced(self, mode: Mode) -> Self {
        Self { mode, ..self }.limited(mode)
    }

    /// How old an answer may be that its age alone vouches for; `None`: none may.
    #[must_use]
    pub fn bound_of_age(&self) -> Option<Duration> {
        (self.level != Some(Level::Strict)).then_some(self.said.max_staleness)
    }

    /// For how long a session or a comment lets answers count.
    #[must_use]
    pub const fn asked_ttl(&self) -> Option<Duration> {
        self.said.ttl
    }

    /// Whether it lets them rest on their age alone, and may.
    #[must_use]
    pub const fn rests_on_age(&self) -> bool {
        self.session_ttl && self.said.ttl.is_some()
    }

    /// For how long answers count that rules say this of; `None`: until something changes.
    #[must_use]
    pub fn ttl(&self, chosen: Option<&Chosen>) -> Option<Duration> {
        let of_rules = chosen.and_then(|chosen| chosen.ttl);
        of_rules.into_iter().chain(self.said.ttl).min()
    }

    /// Whether nothing is kept, whatever rules say.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.said.limit == Mode::Off
    }

    /// The wish for a statement that rules select.
    #[must_use]
    pub fn under(self, chosen: &Chosen) -> Self {
        let bound = chosen.max_staleness.unwrap_or(self.max_staleness);
        Self {
            mode: chosen.mode.map_or(self.mode, |mode| mode.min(self.said.limit)),
            level: self.said.level.or(chosen.level).or(self.level),
            max_staleness: bound.min(self.said.max_staleness),
            ..self
        }
    }

    /// The wish with one thing said differently: `cache`, `cache_level`, `max_staleness` or `cache_ttl`. Other names change nothing;
    /// `cache_tags` does if they cannot be read.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let said = self.said;
        let changed = match name {
            "cache" => Mode::parse(value).map(|mode| self.limited(mode)),
            "cache_level" => Level::parse(value).map(|level| Self {
                level: Some(level),
                said: Said { level: Some(level), ..said },
                ..self
            }),
            "max_staleness" => parse_time(value).map(|bound| Self {
                max_staleness: bound.min(self.max_staleness),
                said: Said { max_staleness: bound.min(said.max_staleness), ..said },
                ..self
            }),
            "cache_ttl" => parse_time(value).filter(|ttl| !ttl.is_zero()).map(|ttl| {
                let ttl = said.ttl.map_or(ttl, |known| known.min(ttl));
                Self { said: Said { ttl: Some(ttl), ..said }, ..self }
            }),
            "cache_tags" => Tags::parse(value).map(|_| self),
            _ => return self,
        };
        changed.unwrap_or_else(|| self.limited(Mode::Off))
    }

    /// The wish with what a comment in front of a statement says: `/* howdah: cache=off */`.
    #[must_use]
    pub fn with_comment(self, sql: &[u8]) -> Self {
        let Some(said) = comment(sql) else { return self };
        let off = self.limited(Mode::Off);
        let Ok(said) = std::str::from_utf8(said) else { return off };
        said.split_ascii_whitespace().fold(self, |wish, word| match word.split_once('=') {
            Some((name, value)) => wish.with(name, value),
            None => off,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_can_ask_for_less_and_for_fresher() {
        let on = Wish { mode: Mode::On, ..Wish::default() };
        assert_eq!(on.with("cache", "observe").mode, Mode::Observe);
        assert_eq!(on.with("cache", "OFF").mode, Mode::Off);
        assert_eq!(on.with("cache", "yes").mode, Mode::Off);
        assert_eq!(on.with("cache_level", "tomorrow").mode, Mode::Off);
        assert_eq!(on.with("route", "primary"), on);
        assert_eq!(Wish::default().with("cache", "on").mode, Mode::Off);
        assert_eq!(on.with("max_staleness", "20ms").max_staleness, Duration::from_millis(20));
        assert_eq!(on.with("max_staleness", "soon").mode, Mode::Off);
        assert_eq!(on.with("max_staleness", "5s").max_staleness, Duration::from_millis(100));
        assert_eq!(on.level(false), Level::Bounded);
        assert_eq!(on.level(true), Level::Session);
        assert_eq!(on.with("cache_level", "strict").level(true), Level::Strict);
    }

    #[test]
    fn a_session_says_for_how_long_its_answers_count() {
        let on = Wish { mode: Mode::On, ..Wish::default() };
        assert_eq!((on.asked_ttl(), on.rests_on_age(), on.ttl(None)), (None, false, None));
        let asked = on.with("cache_ttl", "30s");
        let s = Duration::from_secs;
        assert_eq!(
            (asked.mode, asked.asked_ttl(), asked.rests_on_age()),
            (Mode::On, Some(s(30)), true)
        );
        for (sql, ttl) in [
            ("/* howdah: cache_ttl=5s cache_tags=a,b */ SELECT 1", 5),
            ("/* howdah: cache_ttl=1h */ SELECT 1", 30),
        ] {
            assert_eq!(asked.with_comment(sql.as_bytes()).asked_ttl(), Some(s(ttl)), "{sql}");
        }
        let chosen = |ttl| Chosen {
            names: Box::default(),
            mode: None,
            level: None,
            max_staleness: None,
            ttl,
            tags: Box::default(),
        };
        assert_eq!(asked.ttl(Some(&chosen(Some(s(5))))), Some(s(5)));
        assert_eq!(asked.ttl(Some(&chosen(Some(s(50))))), Some(s(30)));
        assert_eq!(asked.under(&chosen(None)).ttl(Some(&chosen(None))), Some(s(30)));
        assert_eq!(on.ttl(Some(&chosen(Some(s(50))))), Some(s(50)));
        assert!(!Wish { session_ttl: false, ..asked }.rests_on_age());
        for (name, value) in
            [("cache_ttl", "soon"), ("cache_ttl", "0"), ("cache_ttl", "-1s"), ("cache_tags", "a b")]
        {
            assert_eq!(on.with(name, value).mode, Mode::Off, "{name} {value}");
        }
    }

    #[test]
    fn a_comment_speaks_for_its_statement() {
        let on = Wish { mode: Mode::On, ..Wish::default() };
        for (sql, mode) in [
            ("SELECT 1", Mode::On),
            ("/* howdah: cache=off */ SELECT 1", Mode::Off),
            (" /*howdah:cache=observe*/SELECT 1", Mode::Observe),
            ("/* howdah: route=primary */ SELECT 1", Mode::On),
            ("/* howdah: off */ SELECT 1", Mode::Off),
            ("SELECT 1 /* howdah: cache=off */", Mode::On),
        ] {
            assert_eq!(on.with_comment(sql.as_bytes()).mode, mode, "{sql}");
        }
    }
}
