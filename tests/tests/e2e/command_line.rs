//! The verbs of `howdah` that ask a running one: what they print for people and for programs, what they do, and how they end.

use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use howdah_tests::capture::{Capture, Reply};
use howdah_tests::raw::{Frames, Tls};
use howdah_tests::{Authority, Files, Rig, Servers, eventually};
use serde_json::{Value, json};

use crate::console::cell;

/// A verb as an operator calls it, asking the rig's own process.
fn run(rig: &Rig, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        rig.howdah().command(&[arguments, &["--config"]].concat());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (status.code(), text(&stdout), text(&stderr))
}

/// What it prints for people.
fn shown(rig: &Rig, arguments: &[&str]) -> String {
    let (code, shown, said) = run(rig, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    shown
}

/// What it prints for programs, which is one value and nothing else.
fn value(rig: &Rig, arguments: &[&str]) -> Value {
    let (code, shown, said) = run(rig, &[arguments, &["--json"]].concat());
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {shown}"))
}

#[test]
fn pools_are_listed_and_one_database_is_shown_closely() {
    let rig = Rig::builder().process();
    assert!(shown(&rig, &["pools", "list"]).contains("no pools yet"));
    let mut client = rig.target().parameter("application_name", "a shop").client();
    client.run("BEGIN");
    let list = shown(&rig, &["pools", "list"]);
    let line = list.lines().find(|line| line.starts_with(rig.database()));
    let words: Vec<_> = line.unwrap_or_else(|| panic!("{list}")).split_whitespace().collect();
    assert_eq!(words[1..5], ["app", "transaction", "1", "0"], "{list}");
    let pools = value(&rig, &["pools", "list"]);
    assert_eq!(pools["schema"], "howdah.pools/1");
    assert_eq!(pools["pools"][0]["database"], rig.database());
    assert_eq!(pools["pools"][0]["sv_active"], "1");
    let close = shown(&rig, &["pools", "show", rig.database()]);
    let server = close.lines().find(|line| line.starts_with("active"));
    assert!(server.is_some_and(|line| line.contains("a shop")), "{close}");
    let pool = value(&rig, &["pools", "show", rig.database()]);
    assert_eq!(
        (&pool["schema"], &pool["pools"][0]["user"]),
        (&json!("howdah.pool/1"), &json!("app"))
    );
    assert_eq!(pool["servers"][0]["state"], "active");
    let (code, _, said) = run(&rig, &["pools", "show", "nowhere"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("no pool of a database \"nowhere\""), "{said}");
}

#[test]
fn clients_are_listed_and_one_is_disconnected() {
    let rig = Rig::builder().process();
    let mut victim = rig.target().parameter("application_name", "a loop").client();
    let mut other = rig.client();
    let id = victim.process_id.to_string();
    let list = shown(&rig, &["clients", "list"]);
    let line = list.lines().find(|line| line.contains("a loop"));
    let words = line.map(|line| line.split_whitespace().take(3).collect::<Vec<_>>());
    assert_eq!(words.unwrap_or_default(), [&id, "app", rig.database()], "{list}");
    let clients = value(&rig, &["clients", "list"]);
    assert_eq!(clients["schema"], "howdah.clients/1");
    let ids = clients["clients"].as_array().unwrap().iter().map(|client| &client["id"]);
    assert!(ids.into_iter().any(|found| *found == json!(id)), "{clients}");
    let done = value(&rig, &["clients", "kill", &id]);
    let wanted = json!({ "schema": "howdah.done/1", "done": "kill", "client": victim.process_id });
    assert_eq!(done, wanted);
    assert_eq!(victim.until_closed().unwrap().errors()[0].code, "57P01");
    assert_eq!(other.value("SELECT 'untouched'"), "untouched");
    let (code, shown, said) = run(&rig, &["clients", "kill", &id]);
    assert_eq!((code, shown.as_str()), (Some(1), ""));
    assert!(said.contains("client not found"), "{said}");
    let (code, ..) = run(&rig, &["clients", "kill", "everybody"]);
    assert_eq!(code, Some(2));
}

#[test]
fn pause_and_resume_hold_clients_back_and_let_them_go_on() {
    let rig = Rig::builder().more("[[database]]\nname = \"{database}\"\n").process();
    let mut client = rig.client();
    client.run("SELECT 1");
    let mut observer = rig.observer();
    for scope in [&[][..], &[rig.database()][..]] {
        let database = scope.first().map_or(Value::Null, |name| json!(name));
        let said = |verb| json!({ "schema": "howdah.done/1", "done": verb, "database": database });
        assert_eq!(value(&rig, &[&["pause"], scope].concat()), said("pause"));
        eventually("no server is left", || rig.backends(&mut observer).is_empty());
        assert!(shown(&rig, &["pools", "list"]).contains("is paused: howdah resume"));
        client.send(&Frames::new().query("SELECT 'goes on'")).unwrap();
        assert!(client.is_silent(Duration::from_millis(200)));
        assert_eq!(value(&rig, &[&["resume"], scope].concat()), said("resume"));
        assert_eq!(client.until(b'Z', 1).unwrap().values(), ["goes on"]);
    }
    let (code, shown, said) = run(&rig, &["pause", rig.database()]);
    assert_eq!((code, shown.as_str()), (Some(0), ""), "{said}");
    assert!(said.contains("no server is connected"), "{said}");
    let (code, _, said) = run(&rig, &["resume"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("requests go on"), "{said}");
    let (code, _, said) = run(&rig, &["resume"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("not paused"), "{said}");
    let (code, _, said) = run(&rig, &["pause", "no such"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("no such database: no such"), "{said}");
}

#[test]
fn reload_says_what_was_wrong_and_changes_nothing_then() {
    let rig = Rig::builder().process();
    let file = rig.howdah().configuration_file();
    let mut admin = rig.target().database("howdah").client();
    let size = |admin: &mut _| cell(admin, "SHOW CONFIG", ("key", "pool.max_size"), "value");
    let larger = rig.configuration().replace("max_size = 3", "max_size = 2");
    std::fs::write(&file, larger).unwrap();
    let done = json!({ "schema": "howdah.done/1", "done": "reload", "database": null });
    assert_eq!(value(&rig, &["reload"]), done);
    assert_eq!(size(&mut admin), "2");
    let wrong = rig.configuration().replace("max_size = 3", "max_size = \"many\"");
    std::fs::write(&file, wrong).unwrap();
    // The verb reads the file as well, to find the console; where it is follows from the rest of it.
    let address = format!("127.0.0.1:{}", rig.port());
    let (code, shown, said) = run(&rig, &["reload", "--address", &address]);
    assert_eq!((code, shown.as_str()), (Some(1), ""));
    assert!(said.contains("nothing has changed") && said.contains("max_size"), "{said}");
    assert_eq!(size(&mut admin), "2");
}

#[test]
fn where_no_howdah_is_every_verb_ends_with_4_and_says_what_to_do() {
    let rig = Rig::builder().process();
    let nowhere = format!("127.0.0.1:{}", howdah_local::free_port().unwrap());
    for verb in [
        &["status"][..],
        &["pools", "list"],
        &["pools", "show", "a"],
        &["clients", "list"],
        &["clients", "kill", "1"],
        &["pause"],
        &["resume"],
        &["reload"],
    ] {
        let (code, shown, said) = run(&rig, &[verb, &["--address", &nowhere]].concat());
        assert_eq!((code, shown.as_str()), (Some(4), ""), "{verb:?}");
        assert!(said.contains("is it running? howdah up"), "{verb:?}: {said}");
    }
}

/// A rig that speaks nothing but TLS, on both sides.
#[test]
fn statements_are_shown_by_where_they_come_from_and_as_they_happen() {
    let rig = Rig::builder().process();
    let mut shop = rig.target().parameter("application_name", "a shop").client();
    shop.run("SELECT 1 AS thing /*route='%2Fcart'*/");
    let from = shown(&rig, &["queries", "from"]);
    for part in ["APPLICATION", "a shop", "ADDRESS", "127.0.0.1", "ROUTE", "/cart"] {
        assert!(from.contains(part), "{part}: {from}");
    }
    let origins = value(&rig, &["queries", "from"]);
    assert_eq!(origins["schema"], "howdah.origins/1");
    let route = origins["origins"].as_array().unwrap().iter().find(|row| row["facet"] == "route");
    assert_eq!(route.map(|row| &row["name"]), Some(&json!("/cart")));

    // Between two looks something has to happen.
    let stop = AtomicBool::new(false);
    let (screen, view) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                shop.run("SELECT 1 AS thing");
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let screen = run(&rig, &["top", "--interval", "1s"]);
        let view = run(&rig, &["top", "--interval", "1s", "--count", "1", "--json"]);
        stop.store(true, Ordering::Relaxed);
        (screen, view)
    });
    let (code, screen, said) = screen;
    assert_eq!(code, Some(0), "{said}");
    assert!(screen.contains("select $1 as thing"), "{screen}");
    assert!(screen.lines().next().is_some_and(|line| line.contains("statements/s")), "{screen}");
    assert!(!screen.contains('\u{1b}'), "no terminal, no colours");
    let view: Value = serde_json::from_str(&view.1).unwrap();
    assert!(view["calls"].as_f64().unwrap() > 10.0, "{view}");
    assert_eq!(view["statements"][0]["statement"], "select $1 as thing");
}

#[test]
fn alerts_are_listed_silenced_and_tried_out() {
    let capture = Capture::http(|_, _| Reply::status(204));
    let rig = Rig::builder()
        .more(&format!(
            "[[alerts.sink]]\nname = \"team\"\ntype = \"webhook\"\nurl = \"http://{}/hook\"\n\
             [[alerts.rule]]\nname = \"long_transaction\"\nthreshold = 0.5\nfor = \"0s\"\n",
            capture.address()
        ))
        .process();
    let (code, list, _) = run(&rig, &["alerts", "list"]);
    assert_eq!(code, Some(0), "nothing is wrong: {list}");
    let mut client = rig.client();
    client.run("BEGIN");
    client.run("SELECT 1");
    eventually("something fires", || run(&rig, &["alerts", "list"]).0 == Some(5));
    let list = run(&rig, &["alerts", "list"]).1;
    assert!(list.contains("long_transaction"), "{list}");
    let (code, _, said) =
        run(&rig, &["alerts", "silence", "long_transaction", "--for", "1h", "--reason", "known"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, shown, said) = run(&rig, &["alerts", "test", "--sink", "team"]);
    assert_eq!(code, Some(0), "{shown}{said}");
    eventually("the test message", || {
        capture.at("/hook").iter().any(|message| message.body.contains("\"occasion\":\"test\""))
    });
    let (code, _, said) = run(&rig, &["alerts", "unsilence", "long_transaction"]);
    assert_eq!(code, Some(0), "{said}");
}

fn encrypted(authority: &Authority, files: &Files) -> Rig {
    let signed = authority.server(&["localhost"]);
    let (certificate, key) = files.put_signed("howdah", &signed);
    let root = files.put("root.crt", authority.certificate());
    Rig::builder()
        .servers(Servers::start_tls(&signed, authority))
        .users("[[user]]\nname = \"app\"\nauth = \"scram-sha-256\"\npassword = \"of a client\"\n")
        .more("[admin]\nusers = [\"app\"]\n")
        .node("host", "\"localhost\"")
        .node("tls", "\"verify-full\"")
        .node("tls_ca", &format!("{root:?}"))
        .listen("tls", "\"require\"")
        .listen("tls_cert", &format!("{certificate:?}"))
        .listen("tls_key", &format!("{key:?}"))
        .process()
}

#[test]
fn check_and_status_speak_tls_where_nothing_else_is_spoken() {
    let (authority, files) = (Authority::new("an authority"), Files::new());
    let rig = encrypted(&authority, &files);
    assert_eq!(rig.target().refusal().code, "28000", "the listener speaks in clear");
    let tls = Tls::new(&authority, &["postgresql"]);
    let mut client = rig.target().tls(&tls).password("of a client").client();
    client.run("SELECT 1");
    let status = value(&rig, &["status"]);
    assert_eq!(status["pools"][0]["database"], rig.database());
    assert!(shown(&rig, &["clients", "list"]).contains(rig.database()));
    let checked = value(&rig, &["check"]);
    let encryption = checked["nodes"][0]["facts"]["tls"].as_str().unwrap_or_default();
    assert!(encryption.starts_with("TLSv1.3/TLS_"), "{checked}");
    eventually("the start says so, too", || rig.howdah().log().contains(encryption));
}

#[test]
fn check_says_why_a_node_cannot_be_trusted() {
    let (authority, files) = (Authority::new("an authority"), Files::new());
    let rig = encrypted(&authority, &files);
    files.put("root.crt", Authority::new("another authority").certificate());
    let (code, _, said) = run(&rig, &["check"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("not signed by") && said.contains("tls_ca"), "{said}");
}
