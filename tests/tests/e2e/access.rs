//! Who may look at Howdah over HTTP, and do what there: every endpoint with every role; who guesses; what is written down. And that the
//! description of the interface is that of its answers.

use std::net::SocketAddr;

use howdah::web::{ENDPOINTS, Method, Needs, Role};
use howdah_tests::advice::{Room, advice, carry_out, place};
use howdah_tests::http::{ask, events, get, status};
use howdah_tests::{Builder, Rig, eventually};
use serde_json::Value;

/// A viewer, an operator, an administrator, and a token that may look; their passwords are `PASSWORD`, with the token `token`.
const PEOPLE: &str = "\
[[web.user]]\nname = \"viewer\"\npassword = \"secret\"\n\
[[web.user]]\nname = \"operator\"\nrole = \"operator\"\npassword = \"secret\"\n\
[[web.user]]\nname = \"admin\"\nrole = \"admin\"\npassword = \"secret\"\n\
[[web.token]]\nname = \"prometheus\"\nsha256 = \"3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0\"\n";

fn seeing(builder: Builder, people: &str) -> (Rig, SocketAddr) {
    let rig = builder.more(&format!("[web]\nlisten = \"127.0.0.1:0\"\n{people}")).in_process();
    let web = rig.web();
    (rig, web)
}

/// The header of somebody.
fn as_who(who: &str) -> String {
    let credential = match who {
        "viewer" => "Basic dmlld2VyOnNlY3JldA==",
        "operator" => "Basic b3BlcmF0b3I6c2VjcmV0",
        "admin" => "Basic YWRtaW46c2VjcmV0",
        "token" => "Bearer token",
        "wrong" => "Basic YWRtaW46d3Jvbmc=",
        _ => return String::new(),
    };
    format!("authorization: {credential}\r\n")
}

const fn word(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
    }
}

fn path(template: &str) -> String {
    template
        .replace("{id}", "1")
        .replace("{fingerprint}", "0123456789abcdef")
        .replace("{file}", "app.js")
}

#[test]
fn every_endpoint_answers_those_who_may_ask_and_nobody_else() {
    let (_rig, web) = seeing(Rig::builder(), PEOPLE);
    let host = web.to_string();
    let people = [
        ("nobody", None),
        ("viewer", Some(Role::Viewer)),
        ("token", Some(Role::Viewer)),
        ("operator", Some(Role::Operator)),
        ("admin", Some(Role::Admin)),
    ];
    let mut seen = [0; 3];
    for endpoint in ENDPOINTS {
        let method = word(endpoint.method);
        for (who, role) in people {
            let headers = format!("x-howdah: 1\r\n{}", as_who(who));
            let status = status(web, method, &path(endpoint.path), &host, &headers);
            let expected = match (endpoint.needs, role) {
                (Needs::Nobody, _) => None,
                (Needs::Role(_), None) => Some(401),
                (Needs::Role(needs), Some(role)) => (role < needs).then_some(403),
            };
            match expected {
                Some(expected) => assert_eq!(status, expected, "{who} {endpoint:?}"),
                None => assert!(![401, 403, 429].contains(&status), "{who} {endpoint:?}: {status}"),
            }
            let at = expected.map_or(0, |code| if code == 401 { 1 } else { 2 });
            seen[at] += 1;
        }
        if endpoint.method == Method::Post {
            let unmeant = status(web, method, &path(endpoint.path), &host, &as_who("admin"));
            assert_eq!(unmeant, 403, "{endpoint:?} has to be meant");
            let elsewhere =
                format!("x-howdah: 1\r\nsec-fetch-site: cross-site\r\n{}", as_who("admin"));
            let other = status(web, method, &path(endpoint.path), &host, &elsewhere);
            assert_eq!(other, 403, "{endpoint:?} from a page of another site");
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    assert_eq!(status(web, "GET", "/nowhere", &host, ""), 401, "nobody learns what there is");
    assert_eq!(status(web, "GET", "/nowhere", &host, &as_who("viewer")), 404);
}

#[test]
fn whoever_guesses_is_stopped_and_who_is_in_goes_on() {
    let (_rig, web) = seeing(Rig::builder(), PEOPLE);
    let host = web.to_string();
    let as_one = |who: &str| ask(web, "GET", "/api/v1/pools", &host, &as_who(who));
    assert_eq!(as_one("viewer").status, 200);
    let refused = as_one("wrong");
    assert_eq!(refused.status, 401);
    assert!(refused.head.contains("www-authenticate: basic"), "{}", refused.head);
    for _ in 0..9 {
        assert_eq!(as_one("wrong").status, 401);
    }
    assert_eq!(as_one("wrong").status, 429);
    assert_eq!(as_one("admin").status, 429, "the right one is not told apart");
    assert_eq!(as_one("viewer").status, 200);
    assert_eq!(ask(web, "GET", "/healthz", &host, "").status, 200);
}

#[test]
fn what_is_done_is_written_down_with_who_and_from_where() {
    let port = howdah_local::free_port().unwrap();
    let web: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let more = format!("[web]\nlisten = \"{web}\"\n{PEOPLE}");
    let rig = Rig::builder().more(&more).process();
    let headers = format!("x-howdah: 1\r\n{}", as_who("operator"));
    let path = "/api/v1/sessions/4711/cancel";
    eventually("it is served", || std::net::TcpStream::connect(web).is_ok());
    assert_eq!(ask(web, "POST", path, &web.to_string(), &headers).status, 404);
    assert_eq!(ask(web, "POST", path, &web.to_string(), &as_who("viewer")).status, 403);
    let log = rig.howdah().log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("audit")).collect();
    assert!(
        lines.iter().any(|line| line.contains("operator")
            && line.contains(path)
            && line.contains("127.0.0.1")),
        "{log}"
    );
    assert!(lines.iter().any(|line| line.contains("403") && line.contains("viewer")), "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn other_machines_are_served_only_with_a_credential() {
    let text = |people: &str| {
        format!(
            "[web]\nlisten = \"0.0.0.0:9640\"\n{people}[[user]]\nname = \"a\"\nauth = \"trust\"\n[[cluster]]\nname = \"c\"\n[[cluster.node]]\nhost = \"h\"\n"
        )
    };
    let error = howdah::Config::from_toml(&text("")).unwrap_err().to_string();
    assert!(error.contains("web.listen") && error.contains("[[web.user]]"), "{error}");
    assert!(howdah::Config::from_toml(&text(PEOPLE)).is_ok());
    for (wrong, word) in [
        ("[[web.user]]\nname = \"x\"\n", "password"),
        ("[[web.token]]\nname = \"x\"\nsha256 = \"12\"\n", "sha256"),
        ("[[web.user]]\nname = \"x\"\npassword = \"y\"\nrole = \"root\"\n", "role"),
        ("[[web.user]]\nname = \"x\"\npassword = \"SCRAM-SHA-256$nonsense\"\n", "password"),
    ] {
        let error = howdah::Config::from_toml(&text(wrong)).unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains("nonsense"), "{error}");
    }
    let config = howdah::Config::from_toml(&text(PEOPLE)).unwrap();
    assert!(!format!("{config:?}").contains("\"secret\""), "a password is shown");
}

/// What an answer has and its description has not.
fn differences(value: &Value, schema: &Value, at: &str, found: &mut Vec<String>) {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return,
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.contains(&is) {
        found.push(format!("{at} is {is} and not {kinds:?}"));
    }
    match value {
        Value::Array(items) => {
            for item in items {
                differences(item, &schema["items"], &format!("{at}[]"), found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                match schema["properties"].get(name) {
                    Some(schema) => differences(value, schema, &format!("{at}.{name}"), found),
                    None => found.push(format!("{at}.{name} is not described")),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_field_that_is_answered_is_described() {
    let room = Room::new("described");
    let (rig, web) = seeing(Rig::builder().more(&room.history()), "");
    carry_out(&room.journal(), &place("shop"), &advice("aa"));
    let mut client = rig.client();
    for _ in 0..150 {
        client.run("SELECT n FROM generate_series(1, 5) AS n");
    }
    let json = |path: &str| serde_json::from_str::<Value>(&get(web, path)).unwrap();
    let mut holder = rig.client();
    holder.run("BEGIN");
    let past = || ask(web, "GET", "/api/v1/history", &web.to_string(), "").status == 200;
    eventually("something is remembered", past);
    let document = json("/api/v1/openapi.json");
    let fingerprint = json("/api/v1/queries")["queries"][0]["fingerprint"].clone();
    let (mut looked, mut found) = (0, Vec::new());
    for endpoint in ENDPOINTS.iter().filter(|one| one.path.starts_with("/api/")) {
        let operation = &document["paths"][endpoint.path][word(endpoint.method).to_lowercase()];
        assert!(operation["summary"].is_string(), "{endpoint:?} is not described");
        if endpoint.method == Method::Post {
            continue;
        }
        let content = &operation["responses"]["200"]["content"];
        let path = endpoint.path.replace("{fingerprint}", fingerprint.as_str().unwrap());
        let (answer, schema) = if path.ends_with("/live") {
            let told = events(web, &path, 1);
            (serde_json::from_str(&told[0]).unwrap(), &content["text/event-stream"]["schema"])
        } else {
            (json(&path), &content["application/json"]["schema"])
        };
        looked += 1;
        differences(&answer, schema, endpoint.path, &mut found);
    }
    assert!(looked > 8 && found.is_empty(), "{looked}: {found:#?}");
}
