//! Alerts, from real faults: they fire within their time, name the cause first, are over when it is, and can be silenced.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use howdah::alerts::{Tuning, prometheus};
use howdah::web::{FAMILIES, Kind};
use howdah_local::{Mode, free_port};
use howdah_tests::capture::{Capture, Message, Reply};
use howdah_tests::eventually;
use howdah_tests::http::{ask, get};
use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Authority, Builder, Files, Rig, Servers};
use rustix::process::Signal;
use serde_json::Value;

use crate::console::table;

/// As long as a busy machine may need.
const LIMIT: Duration = Duration::from_secs(60);

/// Alerts that are over at once when they are, and rules with these thresholds and times.
fn rules(rules: &[(&str, &str, &str)]) -> String {
    let mut text = "[alerts]\nresolve_after = \"1s\"\n".to_owned();
    for (name, threshold, hold) in rules {
        let threshold = match *threshold {
            "" => String::new(),
            threshold => format!("threshold = {threshold}\n"),
        };
        text.push_str(&format!(
            "[[alerts.rule]]\nname = \"{name}\"\n{threshold}for = \"{hold}\"\n"
        ));
    }
    text
}

type Alert = BTreeMap<String, Option<String>>;

fn field<'a>(alert: &'a Alert, name: &str) -> &'a str {
    alert[name].as_deref().unwrap_or_default()
}

/// What `SHOW ALERTS` says, as soon as it is as wanted.
#[track_caller]
fn until(console: &mut Connection, what: &str, wanted: impl Fn(&[Alert]) -> bool) -> Vec<Alert> {
    let begin = Instant::now();
    loop {
        let alerts = table(console, "SHOW ALERTS");
        if wanted(&alerts) {
            return alerts;
        }
        assert!(begin.elapsed() < LIMIT, "{what}: {alerts:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn fires(alerts: &[Alert], rule: &str) -> bool {
    let is = |alert: &&Alert| field(alert, "rule") == rule && field(alert, "state") == "firing";
    alerts.iter().any(|alert| is(&alert))
}

/// Fires, and when `end` has ended it is over.
#[track_caller]
fn fires_and_is_over(rig: &Rig, rule: &str, end: impl FnOnce()) -> Alert {
    let mut console = console(rig);
    let alerts = until(&mut console, rule, |alerts| fires(alerts, rule));
    let alert = alerts.into_iter().find(|alert| field(alert, "rule") == rule).unwrap();
    end();
    until(&mut console, "it is over", |alerts| {
        alerts.iter().all(|alert| field(alert, "rule") != rule)
    });
    alert
}

fn console(rig: &Rig) -> Connection {
    rig.target().database("howdah").user("admin").client()
}

fn seeing(builder: Builder) -> (Rig, SocketAddr) {
    let rig = builder.more("[web]\nlisten = \"127.0.0.1:0\"\n").in_process();
    let web = rig.web();
    (rig, web)
}

fn json(address: SocketAddr, path: &str) -> Value {
    serde_json::from_str(&get(address, path)).expect("JSON")
}

#[test]
fn a_client_that_is_idle_in_a_transaction_is_named_before_those_that_wait_for_it() {
    let short = rules(&[("idle_in_transaction", "0.5", "1s"), ("pool_exhausted", "0.5", "1s")]);
    let rig = Rig::builder().pool_size(1).more(&short).in_process();
    let mut waiting = rig.client();
    let mut idle = rig.client();
    idle.run("SET application_name = 'forgetful'");
    idle.run("BEGIN");
    waiting.send(&Frames::new().query("SELECT 1")).unwrap();
    let mut console = console(&rig);
    let alerts = until(&mut console, "both", |alerts| {
        fires(alerts, "idle_in_transaction") && fires(alerts, "pool_exhausted")
    });
    assert_eq!(field(&alerts[0], "rule"), "idle_in_transaction", "{alerts:#?}");
    assert!(field(&alerts[0], "evidence").contains("forgetful"), "{alerts:#?}");
    let waits = alerts.iter().find(|alert| field(alert, "rule") == "pool_exhausted").unwrap();
    assert_eq!(field(waits, "cause"), "idle_in_transaction");
    idle.run("COMMIT");
    waiting.until(b'Z', 1).unwrap();
    until(&mut console, "all is over", <[Alert]>::is_empty);
}

#[test]
fn a_primary_that_is_killed_is_the_cause_of_all_that_follows() {
    let short = rules(&[
        ("primary_down", "", "1s"),
        ("not_ready", "", "1s"),
        ("servers_refused", "", "1s"),
        ("pool_exhausted", "0.5", "1s"),
    ]);
    let servers = std::sync::Arc::new(Servers::start());
    let health = "[health]\nfailure_threshold = 1\ninterval = \"200ms\"\n";
    let rig = Rig::builder().servers_shared(&servers).more(health).more(&short).in_process();
    rig.client().run("SELECT 1");
    let mut console = console(&rig);
    assert_eq!(table(&mut console, "SHOW ALERTS"), [], "nothing is wrong yet");
    let mut waiting = rig.client();
    servers.primary().stop(Mode::Immediate).unwrap();
    waiting.send(&Frames::new().query("SELECT 1")).unwrap();
    let alerts = until(&mut console, "the primary is down and the pool suffers", |alerts| {
        fires(alerts, "primary_down")
            && (fires(alerts, "pool_exhausted") || fires(alerts, "servers_refused"))
    });
    let caused = |alert: &&Alert| field(alert, "rule") != "primary_down";
    assert_eq!(field(&alerts[0], "rule"), "primary_down", "{alerts:#?}");
    for alert in alerts.iter().filter(caused) {
        assert_eq!(field(alert, "cause"), "primary_down", "{alert:#?}");
    }
    servers.primary().start().unwrap();
    until(&mut console, "all is over", <[Alert]>::is_empty);
}

#[test]
fn statements_that_fail_make_an_error_storm() {
    let short = rules(&[("error_storm", "", "1s")]);
    let rig = Rig::builder().more(&short).in_process();
    let mut client = rig.client();
    client.run("SELECT 1");
    for _ in 0..120 {
        client.error("SELECT missing FROM nowhere");
    }
    let alert = fires_and_is_over(&rig, "error_storm", || {
        for _ in 0..1_000 {
            client.run("SELECT 1");
        }
    });
    assert!(field(&alert, "evidence").contains('%'), "{alert:#?}");
    assert_eq!(field(&alert, "severity"), "warning");
}

#[test]
fn many_failed_logins_are_noticed() {
    let short = rules(&[("login_failures", "10", "1s")]);
    let users = "[[user]]\nname = \"app\"\nauth = \"scram-sha-256\"\npassword = \"right\"\n\n[[user]]\nname = \"admin\"\nauth = \"trust\"\n";
    let rig = Rig::builder().users(users).more("[admin]\nusers = [\"admin\"]\n").more(&short);
    let rig = rig.in_process();
    for _ in 0..15 {
        assert!(rig.target().user("app").password("wrong").connect().is_err());
    }
    let mut console = console(&rig);
    until(&mut console, "failed logins", |alerts| fires(alerts, "login_failures"));
}

#[test]
fn a_certificate_that_has_expired_is_noticed_until_there_is_another_one() {
    let authority = Authority::new("one");
    let files = Files::new();
    let quoted = |name: &str| format!("{:?}", files.path().join(name).display().to_string());
    files.put_signed("server", &authority.expired(&["localhost"]));
    let short = [("certificate_expired", "", "1s"), ("certificate_expiring", "", "1s")];
    let rig = Rig::builder()
        .listen("tls", "\"prefer\"")
        .listen("tls_cert", &quoted("server.crt"))
        .listen("tls_key", &quoted("server.key"))
        .more(&rules(&short))
        .in_process();
    let mut console = console(&rig);
    let alerts = until(&mut console, "both", |alerts| {
        fires(alerts, "certificate_expired") && fires(alerts, "certificate_expiring")
    });
    let soon = alerts.iter().find(|alert| field(alert, "rule") == "certificate_expiring").unwrap();
    assert_eq!(field(soon, "cause"), "certificate_expired", "one message is enough");
    files.put_signed("server", &authority.server(&["localhost"]));
    rig.reload(rig.configuration());
    until(&mut console, "it is over", <[Alert]>::is_empty);
}

#[test]
fn what_is_silenced_fires_and_is_told_to_nobody() {
    let short = rules(&[("idle_in_transaction", "0.2", "0s")]);
    let (rig, web) = seeing(Rig::builder().more(&short));
    let mut console = console(&rig);
    console.run("SILENCE idle_in_transaction 2h 'the nightly batch'");
    let mut idle = rig.client();
    idle.run("BEGIN");
    let alerts = until(&mut console, "it fires", |alerts| fires(alerts, "idle_in_transaction"));
    assert_eq!(field(&alerts[0], "silenced"), "1");
    let seen = json(web, "/api/v1/alerts");
    assert_eq!(seen["silences"][0]["reason"], "the nightly batch", "{seen}");
    assert_eq!(seen["firing"][0]["rule"], "idle_in_transaction");
    assert_eq!(seen["firing"][0]["silenced"], true);
    let silence = |wanted: &str, headers: &str| {
        let path = format!("/api/v1/alerts/silence?{wanted}");
        ask(web, "POST", &path, &web.to_string(), headers)
    };
    let wanted = "rule=idle_in_transaction&for_s=0";
    assert_eq!(silence(wanted, "").status, 403, "it has to be meant");
    assert_eq!(silence(wanted, "x-howdah: 1\r\n").status, 200);
    assert_eq!(json(web, "/api/v1/alerts")["silences"], serde_json::json!([]));
    let nonsense = silence("rule=nonsense&for_s=60", "x-howdah: 1\r\n");
    assert_eq!(nonsense.status, 404, "{}", nonsense.body);
    let metrics = get(web, "/metrics");
    let fires = r#"howdah_alerts_firing{rule="idle_in_transaction",severity="warning"} 1"#;
    assert!(metrics.contains(fires), "{metrics}");
    assert!(metrics.contains("howdah_cluster_primary_up{cluster=\"main\"} 1"), "{metrics}");
    assert!(console.error("SILENCE nonsense 2h").message.contains("no such rule"));
    idle.run("COMMIT");
    until(&mut console, "it is over", <[Alert]>::is_empty);
    assert_eq!(json(web, "/api/v1/alerts")["past"][0]["rule"], "idle_in_transaction");
}

/// An alert that fires at once when somebody is idle in a transaction.
const IDLE: (&str, &str, &str) = ("idle_in_transaction", "0.2", "0s");

fn sink(name: &str, kind: &str, url: &str, more: &str) -> String {
    format!("[[alerts.sink]]\nname = \"{name}\"\ntype = \"{kind}\"\nurl = \"{url}\"\n{more}\n")
}

fn body(message: &Message) -> Value {
    serde_json::from_str(&message.body).expect("JSON")
}

#[test]
fn every_kind_of_sink_hears_in_its_own_words_that_it_begins_and_ends() {
    let (web, post_office) = (Capture::http(|_, _| Reply::status(200)), Capture::smtp());
    let url = |path: &str| format!("http://{}/{path}", web.address());
    let mail = "from = \"howdah@example.org\"\nto = [\"team@example.org\"]\n";
    let sinks = [
        sink("s", "slack", &url("slack"), ""),
        sink("d", "discord", &url("discord"), ""),
        sink(
            "p",
            "pagerduty",
            &url("pagerduty"),
            "secret = \"integration\"\nseverity = \"warning\"\n",
        ),
        sink("w", "webhook", &url("webhook"), "secret = \"sign\"\n"),
        sink("m", "email", &format!("smtp://{}", post_office.address()), mail),
        sink("quiet", "webhook", &url("quiet"), "severity = \"critical\"\n"),
    ];
    let rig = Rig::builder().more(&rules(&[IDLE])).more(&sinks.concat()).in_process();
    let mut idle = rig.client();
    idle.run("BEGIN");
    let all = |count: usize| {
        let paths = ["/slack", "/discord", "/pagerduty", "/webhook"];
        paths.iter().all(|path| web.at(path).len() >= count) && post_office.at("").len() >= count
    };
    eventually("all have heard that it begins", || all(1));
    idle.run("COMMIT");
    eventually("all have heard that it is over", || all(2));
    let slack = body(&web.at("/slack")[0]);
    assert!(slack["text"].as_str().unwrap().starts_with("[warning] Somebody keeps"), "{slack}");
    let discord = body(&web.at("/discord")[1]);
    assert_eq!(discord["allowed_mentions"]["parse"], serde_json::json!([]));
    assert!(discord["embeds"][0]["title"].as_str().unwrap().starts_with("[resolved]"), "{discord}");
    let [first, last] = [0, 1].map(|at| body(&web.at("/pagerduty")[at]));
    assert_eq!(
        (&first["event_action"], &last["event_action"]),
        (&"trigger".into(), &"resolve".into())
    );
    assert_eq!(first["dedup_key"], last["dedup_key"]);
    assert_eq!(first["routing_key"], "integration");
    let webhook = web.at("/webhook");
    assert!(webhook[0].head.to_lowercase().contains("x-howdah-signature: t="), "{:?}", webhook[0]);
    assert_eq!(body(&webhook[0])["status"], "firing");
    assert_eq!(body(&webhook[1])["status"], "resolved");
    let letter = &post_office.at("")[0];
    assert!(letter.head.contains("team@example.org"), "{letter:?}");
    for part in ["Auto-Submitted: auto-generated", "Subject: [warning]", "First step"] {
        assert!(letter.body.contains(part), "{part}: {letter:?}");
    }
    assert!(web.at("/quiet").is_empty(), "it is no critical alert");
    let config = format!("{:?}", console(&rig).run("SHOW CONFIG").rows());
    assert!(config.contains("alerts.sink"), "{config}");
    for secret in ["integration", "/slack", "\"sign\""] {
        assert!(!config.contains(secret), "{secret} is shown: {config}");
    }
}

#[test]
fn a_sink_that_is_slow_or_busy_gets_its_message_and_delays_no_other() {
    let web = Capture::http(|path, before| match (path, before) {
        ("/busy", 0) => Reply { header: "retry-after: 2", ..Reply::status(429) },
        ("/busy", 1) => Reply::status(500),
        ("/slow", _) => Reply { after: Duration::from_secs(6), ..Reply::status(200) },
        ("/gone", _) => Reply::status(404),
        _ => Reply::status(200),
    });
    let url = |path: &str| format!("http://{}/{path}", web.address());
    let sinks = ["busy", "slow", "gone", "good"].map(|name| sink(name, "webhook", &url(name), ""));
    let (rig, address) = seeing(Rig::builder().more(&rules(&[IDLE])).more(&sinks.concat()));
    let mut idle = rig.client();
    idle.run("BEGIN");
    eventually("the good one has heard", || web.at("/good").len() == 1);
    idle.run("COMMIT");
    eventually("the good one has heard the end", || web.at("/good").len() == 2);
    let seen = json(address, "/api/v1/alerts");
    let taken = |seen: &Value, name: &str| {
        let sinks = seen["sinks"].as_array().unwrap();
        let of = sinks.iter().find(|sink| sink["name"] == name).unwrap();
        (of["sent"].as_u64().unwrap(), of["failed"].as_u64().unwrap())
    };
    assert_eq!(taken(&seen, "slow").0, 0, "the slow one still has the first: {seen}");
    eventually("the busy one has taken both", || {
        taken(&json(address, "/api/v1/alerts"), "busy") == (2, 0)
    });
    let busy = web.at("/busy");
    assert_eq!(busy.len(), 4, "three attempts at the first, one at the second");
    assert!(busy[1].at - busy[0].at >= Duration::from_secs(2), "it was asked to wait");
    eventually("the slow one has taken both", || {
        taken(&json(address, "/api/v1/alerts"), "slow") == (2, 0)
    });
    let seen = json(address, "/api/v1/alerts");
    assert_eq!(taken(&seen, "gone"), (0, 2), "what is refused is not tried again: {seen}");
    assert_eq!(web.at("/gone").len(), 2);
    let metrics = get(address, "/metrics");
    assert!(metrics.contains(r#"howdah_alert_messages_total{sink="gone",outcome="failed"} 2"#));
    assert!(!seen.to_string().contains(&url("gone")), "an address is shown: {seen}");
}

#[test]
fn rules_for_prometheus_are_those_of_the_table_and_prometheus_takes_them() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/prometheus/howdah.rules.yml");
    let made = prometheus(&Tuning::default());
    assert_eq!(
        std::fs::read_to_string(kept).unwrap(),
        made,
        "write it anew: howdah alerts rules --format prometheus > docs/prometheus/howdah.rules.yml"
    );
    let expressions = made.lines().filter(|line| line.trim_start().starts_with("expr:"));
    for expression in expressions {
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for name in words.filter(|word| word.starts_with("howdah_")) {
            let known = FAMILIES.iter().any(|family| {
                let rest = name.strip_prefix(family.name);
                rest.is_some_and(|rest| {
                    rest.is_empty()
                        || (family.kind == Kind::Histogram && ["_bucket", "_count"].contains(&rest))
                })
            });
            assert!(known, "{name} is no metric: {expression}");
        }
    }
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/prometheus");
    for arguments in [["check", "rules", "howdah.rules.yml"], ["test", "rules", "howdah.test.yml"]]
    {
        let mut promtool = std::process::Command::new("promtool");
        let output = promtool.args(arguments).current_dir(directory).output();
        let output = output.expect("promtool, from the package prometheus");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_guide_has_every_rule_with_its_threshold() {
    let guide = include_str!("../../../docs/guide/alerts.md");
    for (rule, tuned) in Tuning::default().all() {
        let row = guide.lines().find(|line| line.starts_with(&format!("| `{}` |", rule.name)));
        let row = row.unwrap_or_else(|| panic!("docs/guide/alerts.md lacks {}", rule.name));
        for part in
            [rule.what.to_owned(), tuned.severity.as_str().to_owned(), tuned.threshold.to_string()]
        {
            assert!(row.contains(&part), "{part:?} is not in {row}");
        }
    }
}

#[test]
fn what_fired_before_a_restart_is_not_told_again_and_its_end_is_told_after_it() {
    let authority = Authority::new("one");
    let files = Files::new();
    files.put_signed("server", &authority.expired(&["localhost"]));
    let path = |name: &str| files.path().join(name).display().to_string();
    let web = Capture::http(|_, _| Reply::status(200));
    let shown = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let kept =
        format!("[history]\npath = \"{}\"\n[web]\nlisten = \"{shown}\"\n", path("history.db"));
    let sink = sink("w", "webhook", &format!("http://{}/w", web.address()), "");
    let builder = Rig::builder()
        .listen("tls", "\"prefer\"")
        .listen("tls_cert", &format!("{:?}", path("server.crt")))
        .listen("tls_key", &format!("{:?}", path("server.key")))
        .more(&rules(&[("certificate_expired", "", "1s")]))
        .more(&sink)
        .more(&kept);
    let told = || -> Vec<String> {
        let of = |message: &Message| body(message)["status"].as_str().unwrap().to_owned();
        web.at("/w").iter().map(of).collect()
    };
    let mut first = builder.clone().process();
    console(&first).run("SILENCE idle_in_transaction 2h 'the nightly batch'");
    eventually("it is told", || told() == ["firing"]);
    first.howdah().signal(Signal::TERM);
    assert_eq!(first.wait(LIMIT), Some(0));
    drop(first);
    // One that ends in order, and one that is killed when it has been seen to fire again.
    for _ in 0..2 {
        let rig = builder.clone().process();
        until(&mut console(&rig), "it fires", |alerts| fires(alerts, "certificate_expired"));
        drop(rig);
    }
    let last = builder.process();
    let mut console = console(&last);
    until(&mut console, "it fires", |alerts| fires(alerts, "certificate_expired"));
    files.put_signed("server", &authority.server(&["localhost"]));
    last.howdah().signal(Signal::HUP);
    // Messages come in order: one more about the same thing would be before the last.
    eventually("the end is told", || told().last().is_some_and(|last| last == "resolved"));
    assert_eq!(told(), ["firing", "resolved"]);
    let seen = json(shown, "/api/v1/alerts");
    assert_eq!(seen["silences"][0]["reason"], "the nightly batch", "{seen}");
}
