//! What is remembered, in which order and for how long, and its text, whole and damaged.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;

fn asker(user: &str, settings: &[(&str, &str)]) -> Arc<Asker> {
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Arc::new(Asker { database: "shop".into(), user: user.into(), settings })
}

fn question(sql: &str, value: u64) -> Question {
    let (types, bound) = (Box::default(), Box::default());
    Question { asker: asker("app", &[]), sql: sql.into(), types, bound, value }
}

fn binary() -> Question {
    let bound = [0, 1, 0, 1, 0, 1, 0, 0, 0, 4, 0, 10, 255, 128, 0, 1, 0, 1];
    Question {
        asker: asker("größer \"app\"", &[("datestyle", "ISO, DMY"), ("timezone", "it's\n")]),
        sql: "SELECT '\u{e4}\n\"' || $1".into(),
        types: [0, 1, 0, 0, 0, 23].into(),
        bound: bound.into(),
        value: 7,
    }
}

fn texts(list: &List) -> Vec<&str> {
    list.0.iter().map(|question| &*question.sql).collect()
}

#[test]
fn the_most_valuable_are_remembered_once_each_and_within_bounds() {
    let all = || [1, 3, 2, 0].map(|value| question(&format!("SELECT {value}"), value)).to_vec();
    assert_eq!(texts(&List::new(all(), 10)), ["SELECT 3", "SELECT 2", "SELECT 1"]);
    assert_eq!(texts(&List::new(all(), 2)), ["SELECT 3", "SELECT 2"]);
    let twice = vec![question("SELECT 1", 1), question("SELECT 1", 5), question("SELECT 2", 2)];
    let twice = List::new(twice, 10);
    assert_eq!(texts(&twice), ["SELECT 1", "SELECT 2"]);
    assert_eq!(twice.0[0].value, 5);
    let long = "x".repeat(limits::WARM_LIST / 3);
    let long: Vec<Question> =
        (1..9).map(|value| question(&format!("SELECT '{value}{long}'"), value)).collect();
    assert_eq!(List::new(long, 100).len(), 2);
}

#[test]
fn what_was_known_before_counts_half_until_it_is_forgotten() {
    let older = List::new(vec![question("SELECT 1", 8), question("SELECT 2", 2)], 10);
    let list = List::new(vec![question("SELECT 2", 3)], 10).with_older(&older, 10);
    assert_eq!(texts(&list), ["SELECT 1", "SELECT 2"]);
    assert_eq!((list.0[0].value, list.0[1].value), (4, 3));
    let forgotten = (0..4).fold(list, |list, _| List::default().with_older(&list, 10));
    assert!(forgotten.is_empty());
}

#[test]
fn a_key_is_the_same_again() {
    let mut key = Vec::new();
    for asked in [binary(), question("SELECT 1", 7)] {
        asked.key(3, 4, &mut key);
        assert_eq!(Question::of(&asked.asker, &key, 7).as_ref(), Some(&asked));
    }
    for broken in [&key[..5], &key[..key.len() - 1], b"", &[255; 30]] {
        assert_eq!(Question::of(&asker("app", &[]), broken, 1), None, "{broken:?}");
    }
}

#[test]
fn a_session_is_somebody_who_can_begin_like_that() {
    let value = |replay: &str| replay.rsplit('\'').nth(1).unwrap_or_default().to_owned();
    let of = |settings: &[(&str, &str)]| {
        let context = Context::from_startup(settings.iter().copied());
        Asker::of("shop", "app", &context, value)
    };
    let with = |settings: &[(&str, &str)]| Some((*asker("app", settings)).clone());
    assert_eq!(of(&[]), with(&[]));
    assert_eq!(of(&[("application_name", "a"), ("howdah.cache", "on")]), with(&[]));
    assert_eq!(of(&[("TimeZone", "UTC")]), with(&[("timezone", "UTC")]));
    assert_eq!(of(&[("DateStyle", "ISO")]), with(&[("datestyle", "ISO")]));
    // Read back it is something else, or somebody else.
    assert_eq!(of(&[("timezone", "it's")]), None);
    assert_eq!(of(&[("role", "other")]), None);
    let replays = vec![("timezone".to_owned(), "SET TimeZone TO 'UTC'".to_owned())];
    assert_eq!(Asker::of("shop", "app", &Context::from_replays(replays), value), None);
}

#[test]
fn a_list_outlives_its_process() {
    let list = List::new(vec![binary(), question("SELECT 1", 9)], 10);
    let text = list.to_text();
    assert_eq!(List::of_text(text.as_bytes(), 10), Ok(list));
    assert_eq!(List::of_text(text.as_bytes(), 1).map(|list| list.len()), Ok(1));
    assert_eq!(List::of_text(List::default().to_text().as_bytes(), 10), Ok(List::default()));
}

#[test]
fn a_damaged_text_is_no_list() {
    let text = List::new(vec![binary(), question("SELECT 1", 9)], 10).to_text();
    let read = |text: &str| List::of_text(text.as_bytes(), 10);
    for end in 0..text.len() {
        assert!(List::of_text(&text.as_bytes()[..end], 10).is_err(), "{end}");
    }
    assert_eq!(read(""), Err(Damaged::Foreign));
    assert_eq!(List::of_text(&[0xff; 99], 10), Err(Damaged::Foreign));
    assert_eq!(read(&text.replace("howdah.warm", "other")), Err(Damaged::Foreign));
    assert_eq!(read(&text.replace("\"version\":1", "\"version\":2")), Err(Damaged::Version(2)));
    assert_eq!(read(&format!("{text}{{}}\n")), Err(Damaged::Incomplete));
    assert_eq!(read(&text.replace("000100", "00010")), Err(Damaged::Line(3)));
    assert_eq!(read(&text.replace("SELECT 1", "SELECT\\u0000")), Err(Damaged::Line(2)));
}
