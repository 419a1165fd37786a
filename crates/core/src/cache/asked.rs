//! Tags that sessions and comments give to the answers of their statements, so that an application can have them forgotten together.
//! Not those of rules: what is tagged by both belongs to both.
//!
//! Invariant: a session with tags is given only answers that were kept with these tags, so that none escapes when one is forgotten.

use std::sync::Arc;

use super::wish::Wish;
use crate::route::comment;

/// Tags that one list may name.
const TAGS: usize = 16;
/// Bytes of one.
const LENGTH: usize = 64;

/// Tags in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Option<Arc<[Box<str>]>>);

impl Tags {
    /// Reads a list: words with commas between them. `None`: too many, one that is empty or too long, or one with a blank in it.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        if list.trim().is_empty() {
            return Some(Self::default());
        }
        let tags: Vec<Box<str>> = list.split(',').map(|tag| tag.trim().into()).collect();
        let is_word = |tag: &str| {
            let blank = |c: char| c.is_whitespace() || c.is_control();
            !tag.is_empty() && tag.len() <= LENGTH && !tag.contains(blank)
        };
        (tags.len() <= TAGS && tags.iter().all(|tag| is_word(tag))).then(|| Self::of(tags))
    }

    fn of(mut tags: Vec<Box<str>>) -> Self {
        tags.sort();
        tags.dedup();
        Self((!tags.is_empty()).then(|| tags.into()))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|tags| tags.iter().map(|tag| &**tag))
    }

    /// Those of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (_, None) => self.clone(),
            (None, _) => other.clone(),
            _ => Self::of(self.iter().chain(other.iter()).map(Box::from).collect()),
        }
    }

    /// With those that a comment in front of a statement names. What cannot be read turns the cache off: [`Wish::with`].
    #[must_use]
    pub fn with_comment(&self, sql: &[u8]) -> Self {
        let said = comment(sql).and_then(|said| std::str::from_utf8(said).ok());
        let words = said.into_iter().flat_map(str::split_ascii_whitespace);
        let lists = words.filter_map(|word| Self::parse(word.strip_prefix("cache_tags=")?));
        lists.fold(self.clone(), |all, more| all.and(&more))
    }
}

/// What was asked of answers, as a part of the key: answers that were asked for otherwise are others. Empty: nothing.
#[must_use]
pub fn key(wish: &Wish, tags: &Tags) -> Vec<u8> {
    let mut key = Vec::new();
    if let Some(ttl) = wish.asked_ttl() {
        key.push(if wish.rests_on_age() { b'r' } else { b't' });
        key.extend_from_slice(&ttl.as_nanos().to_be_bytes());
    }
    for tag in tags.iter() {
        key.push(b',');
        key.extend_from_slice(tag.as_bytes());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(list: &str) -> Option<Vec<String>> {
        Tags::parse(list).map(|tags| tags.iter().map(str::to_owned).collect())
    }

    #[test]
    fn a_list_is_words_with_commas() {
        assert_eq!(tags("prices, catalog,prices"), Some(vec!["catalog".into(), "prices".into()]));
        assert_eq!(tags(" "), Some(Vec::new()));
        assert_eq!(tags("ä:1,b.2"), Some(vec!["b.2".into(), "ä:1".into()]));
        let many = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(tags(&many(TAGS)).map(|tags| tags.len()), Some(TAGS));
        let long = "x".repeat(LENGTH + 1);
        for refused in [",", "a,", "a,,b", "a b", &many(TAGS + 1), &long, "a\0"] {
            assert_eq!(tags(refused), None, "{refused:?}");
        }
        assert!(tags(&"x".repeat(LENGTH)).is_some());
    }

    #[test]
    fn a_statement_has_the_tags_of_its_session_and_of_its_comment() {
        let session = Tags::parse("b,a").unwrap_or_default();
        let of =
            |sql: &str| session.with_comment(sql.as_bytes()).iter().collect::<Vec<_>>().join(",");
        assert_eq!(of("SELECT 1"), "a,b");
        assert_eq!(of("/* howdah: cache_tags=c,a cache_ttl=3s */ SELECT 1"), "a,b,c");
        assert_eq!(of("SELECT 1 /* howdah: cache_tags=c */"), "a,b");
    }

    #[test]
    fn what_is_asked_otherwise_has_another_key() {
        let wish = |ttl: &str| Wish::default().with("cache_ttl", ttl);
        let said = |list: &str| Tags::parse(list).unwrap_or_default();
        let mut forbidden = wish("1s");
        forbidden.session_ttl = false;
        let keys = [
            key(&Wish::default(), &said("")),
            key(&Wish::default(), &said("a")),
            key(&Wish::default(), &said("a,b")),
            key(&wish("1s"), &said("")),
            key(&wish("1s"), &said("a")),
            key(&wish("2s"), &said("")),
            key(&forbidden, &said("")),
        ];
        assert_eq!(keys.first().map(Vec::len), Some(0));
        for (at, one) in keys.iter().enumerate() {
            assert!(keys.iter().skip(at + 1).all(|other| other != one), "{at}");
        }
        assert_eq!(key(&wish("1s"), &said("b,a")), key(&wish("1000ms"), &said("a,b")));
    }
}
