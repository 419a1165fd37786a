//! Advice over HTTP: what the journal has is shown with what became of it; what is not wanted is dismissed by somebody, for a reason, once.

use std::net::SocketAddr;

use howdah::ops::Used;
use howdah::ops::apply::Name;
use howdah::ops::journal::{State, now_ms};
use howdah_tests::Rig;
use howdah_tests::advice::{Room, advice, carry_out, place};
use howdah_tests::http::{ask, get};
use serde_json::Value;

fn json(web: SocketAddr) -> Value {
    serde_json::from_str(&get(web, "/api/v1/recommendations")).expect("JSON")
}

fn dismiss(web: SocketAddr, of: &str) -> (u16, String) {
    let path = format!("/api/v1/recommendations/{of}");
    let answer = ask(web, "POST", &path, &web.to_string(), "x-howdah: 1\r\n");
    (answer.status, answer.body)
}

#[test]
fn what_became_of_advice_is_shown_without_values_of_statements() {
    let room = Room::new("advice-shown");
    let rig = Rig::builder().more("[web]\nlisten = \"127.0.0.1:0\"\n").more(&room.history());
    let rig = rig.in_process();
    let web = rig.web();
    let none = json(web);
    assert_eq!(none["on"], true);
    assert_eq!(none["recommendations"].as_array().unwrap().len(), 0);
    assert!(!room.file().exists(), "looking makes no file");
    let journal = room.journal();
    journal.take_in(&place("shop"), &[advice("aa")], now_ms()).unwrap();
    carry_out(&journal, &place("shop"), &advice("bb"));
    let indexes = || -> Value { serde_json::from_str(&get(web, "/api/v1/indexes")).expect("JSON") };
    assert_eq!(
        (&indexes()["on"], &indexes()["indexes"]),
        (&true.into(), &Value::Array(Vec::new()))
    );
    let name = |name: &str| Name { schema: "public".to_owned(), name: name.to_owned() };
    for scans in [7, 9] {
        let used = Used { index: name("orders_a"), table: name("orders"), bytes: 8192, scans };
        journal.used(&place("shop"), &[used], now_ms()).unwrap();
    }
    let found = &indexes()["indexes"][0];
    assert_eq!((&found["index"], &found["bytes"]), (&"public.orders_a".into(), &8192.into()));
    assert_eq!((&found["database"], &found["days"][0]["scans"]), (&"shop".into(), &2.into()));
    let text = get(web, "/api/v1/recommendations");
    assert!(!text.contains("a secret"), "{text}");
    let shown: Value = serde_json::from_str(&text).unwrap();
    let (open, done) = (&shown["recommendations"][0], &shown["recommendations"][1]);
    assert_eq!((&open["id"], &open["state"]), (&"aa".into(), &"open".into()));
    assert_eq!((&open["database"], &open["impact"]), (&"shop".into(), &"high".into()));
    assert_eq!((&open["verdict"], &open["evidence"][0]["then"]), (&Value::Null, &"9.4".into()));
    assert_eq!(done["state"], "verified");
    assert!(done["verdict"].as_str().unwrap().contains("1 statements are faster"), "{done}");
    let measured = &done["measured"][0];
    assert_eq!((&measured["before_ms"], &measured["after_ms"]), (&40.0.into(), &0.5.into()));
    let run = &done["runs"][0];
    assert_eq!((&run["who"], &run["outcome"]), (&"ann".into(), &"done in 2 s".into()));
    assert_eq!(run["statements"][0]["outcome"], "CREATE INDEX");
    assert_eq!(done["events"].as_array().unwrap().len(), 3, "{done}");
}

#[test]
fn advice_is_dismissed_once_where_it_was_meant_by_somebody_for_a_reason() {
    let room = Room::new("advice-dismissed");
    let rig = Rig::builder().more("[web]\nlisten = \"127.0.0.1:0\"\n").more(&room.history());
    let rig = rig.in_process();
    let web = rig.web();
    assert_eq!(dismiss(web, "aa/dismiss").0, 404, "there is no journal");
    assert!(!room.file().exists());
    let journal = room.journal();
    for name in ["shop", "other"] {
        journal.take_in(&place(name), &[advice("aa")], now_ms()).unwrap();
    }
    carry_out(&journal, &place("shop"), &advice("bb"));
    assert_eq!(dismiss(web, "zz/dismiss").0, 404);
    let (status, body) = dismiss(web, "aa/dismiss");
    assert!(status == 409 && body.contains("several databases"), "{body}");
    let (status, body) = dismiss(web, "bb/dismiss");
    assert!(status == 409 && body.contains("verified"), "{body}");
    assert_eq!(dismiss(web, "aa/dismiss?place=1/shop&reason=the+table+goes").0, 200);
    assert_eq!(dismiss(web, "aa/dismiss?place=1/shop").0, 409, "it is done");
    let state = |name: &str| journal.entry(&place(name).key, "aa").unwrap().unwrap().state;
    assert_eq!((state("shop"), state("other")), (State::Dismissed, State::Open));
    let events = journal.events("1/shop", "aa").unwrap();
    let last = events.last().unwrap();
    assert_eq!(
        (last.text.as_str(), last.who.as_str()),
        ("the table goes", "this machine, over HTTP")
    );
}

#[test]
fn without_a_file_of_the_past_it_says_how_to_have_one() {
    let rig = Rig::builder().more("[web]\nlisten = \"127.0.0.1:0\"\n").in_process();
    let shown = json(rig.web());
    assert_eq!(shown["on"], false);
    assert!(shown["why"].as_str().unwrap().contains("[history] path"), "{shown}");
    assert_eq!(dismiss(rig.web(), "aa/dismiss").0, 404);
}
