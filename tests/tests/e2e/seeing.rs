//! What Howdah shows over HTTP: metrics that a strict parser takes and that add up to what was sent, health, the JSON interface, and
//! who is not answered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use howdah::web::{FAMILIES, Kind, grafana};
use howdah_tests::http::{ask, events, get};
use howdah_tests::raw::Frames;
use howdah_tests::{Builder, Files, Rig, eventually};
use serde_json::Value;

fn seeing(builder: Builder) -> (Rig, SocketAddr) {
    let rig = builder.more("[web]\nlisten = \"127.0.0.1:0\"\n").in_process();
    let web = rig.web();
    (rig, web)
}

fn json(address: SocketAddr, path: &str) -> Value {
    serde_json::from_str(&get(address, path)).expect("JSON")
}

/// One sample: name, labels, value.
type Sample = (String, BTreeMap<String, String>, f64);

/// Reads the text format as its description demands, and refuses everything else.
fn parse(text: &str) -> (BTreeMap<String, String>, Vec<Sample>) {
    let (mut types, mut helped, mut samples) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    let mut family = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("a help text");
            assert!(!text.is_empty() && helped.insert(name.to_owned()), "{name} comes twice");
            family = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert_eq!(name, family, "a type follows its help");
            types.insert(name.to_owned(), kind.to_owned());
        } else {
            let sample = sample(line);
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
                (types[&family] == "histogram").then(|| sample.0.strip_suffix(end)).flatten()
            });
            assert_eq!(base.unwrap_or(&sample.0), family, "samples follow their family");
            samples.push(sample);
        }
    }
    (types, samples)
}

fn sample(line: &str) -> Sample {
    let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a value"));
    assert!(
        name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte)),
        "{name}"
    );
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").expect("a label");
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next().expect("the end of a label") {
                    (at, '"') => break at,
                    (_, '\\') => value.push(chars.next().expect("an escaped character").1),
                    (_, char) => value.push(char),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = after.split_at(end + 1).1;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').expect("the end of labels");
    }
    let value = rest.strip_prefix(' ').expect("one space").parse().expect("a number");
    (name.to_owned(), labels, value)
}

fn sum(samples: &[Sample], name: &str, wanted: &[(&str, &str)]) -> f64 {
    let is = |(of, labels, _): &&Sample| {
        of == name && wanted.iter().all(|(label, value)| labels[*label] == *value)
    };
    samples.iter().filter(is).map(|(.., value)| value).sum()
}

#[test]
fn metrics_are_well_formed_and_add_up_to_what_was_sent() {
    let (rig, web) = seeing(Rig::builder());
    let mut client = rig.client();
    client.run("CREATE TABLE seen (a int)");
    for n in 0..40 {
        client.run(&format!("INSERT INTO seen VALUES ({n})"));
        client.answer(&Frames::new().extended("SELECT count(*) FROM seen", &[]).sync(), 1);
    }
    client.error("SELECT 1 / 0");
    client.error("SELECT nothing");
    let (types, samples) = parse(&get(web, "/metrics"));
    for family in FAMILIES {
        assert_eq!(
            types.get(family.name).map(String::as_str),
            Some(family.kind.as_str()),
            "{}",
            family.name
        );
        for (name, labels, value) in samples.iter().filter(|(name, ..)| name == family.name) {
            let names: Vec<&str> = labels.keys().map(String::as_str).collect();
            let mut wanted = family.labels.to_vec();
            wanted.sort_unstable();
            assert_eq!(names, wanted, "{name}");
            assert!(family.kind != Kind::Counter || *value >= 0.0, "{name}");
        }
    }
    assert_eq!(types.len(), FAMILIES.len());
    let unique: BTreeSet<_> = samples.iter().map(|(name, labels, _)| (name, labels)).collect();
    assert_eq!(unique.len(), samples.len(), "no sample comes twice");
    let exactly = |name: &str, labels: &[(&str, &str)], expected: f64| {
        let found = sum(&samples, name, labels);
        assert!((found - expected).abs() < 1e-9, "{name} {labels:?}: {found}, not {expected}");
    };
    exactly("howdah_queries_total", &[], 83.0);
    exactly("howdah_queries_total", &[("kind", "write"), ("outcome", "ok")], 40.0);
    exactly("howdah_queries_total", &[("kind", "read"), ("outcome", "ok")], 40.0);
    exactly("howdah_queries_total", &[("outcome", "error_client")], 2.0);
    exactly("howdah_query_errors_total", &[("sqlstate_class", "22")], 1.0);
    exactly("howdah_query_errors_total", &[("sqlstate_class", "42")], 1.0);
    exactly("howdah_query_rows_total", &[("kind", "write")], 40.0);
    exactly("howdah_query_duration_seconds_count", &[], 83.0);
    exactly("howdah_query_duration_seconds_bucket", &[("le", "+Inf")], 83.0);
    exactly("db_query_duration_seconds_count", &[], 83.0);
    exactly("howdah_client_connections", &[], 1.0);
    for (at, (name, labels, value)) in samples.iter().enumerate().skip(1) {
        let (before, of, less) = &samples[at - 1];
        let series = |labels: &BTreeMap<String, String>| {
            labels.iter().filter(|(label, _)| *label != "le").map(|(_, of)| of.clone()).collect()
        };
        let (one, other): (Vec<String>, Vec<String>) = (series(labels), series(of));
        if name.ends_with("_bucket") && before == name && one == other {
            assert!(value >= less, "buckets count what is below them, too: {name} {labels:?}");
        }
    }
}

/// Prometheus' own checker, where its package is installed (`scripts/setup test` installs it).
#[test]
fn prometheus_finds_nothing_wrong_with_the_metrics() {
    let (rig, web) = seeing(Rig::builder());
    rig.client().run("SELECT 1");
    let text = get(web, "/metrics");
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, from the package prometheus");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.is_empty(), "{said}");
}

#[test]
fn those_who_ask_for_openmetrics_get_it() {
    let (rig, web) = seeing(Rig::builder());
    rig.client().run("SELECT 1");
    let answer = ask(
        web,
        "GET",
        "/metrics",
        &web.to_string(),
        "accept: application/openmetrics-text; version=1.0.0\r\n",
    );
    assert!(answer.head.contains("content-type: application/openmetrics-text"), "{}", answer.head);
    assert!(answer.body.ends_with("# EOF\n"));
    assert!(answer.body.contains("# TYPE howdah_queries counter\n"));
    assert!(answer.body.contains("\nhowdah_queries_total{"));
    let counters = answer.body.lines().filter(|line| line.starts_with("# TYPE"));
    assert!(counters.clone().count() == FAMILIES.len());
    assert!(counters.into_iter().all(|line| !line.ends_with("_total counter")));
}

/// The dashboard for Grafana that is kept is the one that is made, and Prometheus understands what it asks.
#[test]
fn the_dashboard_for_grafana_is_made_from_the_metrics() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/grafana/howdah.json");
    let made = format!("{:#}\n", grafana::dashboard());
    assert_eq!(
        std::fs::read_to_string(kept).unwrap_or_default(),
        made,
        "write it anew: howdah metrics grafana > docs/grafana/howdah.json"
    );
    let mut rules = String::from("groups:\n  - name: panels\n    rules:\n");
    for (at, expression) in grafana::expressions().enumerate() {
        let expression = expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
        rules
            .push_str(&format!("      - record: panel:number{at}\n        expr: '{expression}'\n"));
    }
    let files = Files::new();
    files.put("panels.yml", &rules);
    let output = Command::new("promtool")
        .args(["check", "rules", "panels.yml"])
        .current_dir(files.path())
        .output()
        .expect("promtool, from the package prometheus");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_guide_has_every_family_of_metrics() {
    let guide = include_str!("../../../docs/guide/metrics.md");
    let missing: Vec<String> = FAMILIES
        .iter()
        .map(|family| {
            let labels: Vec<String> =
                family.labels.iter().map(|label| format!("`{label}`")).collect();
            format!(
                "| `{}` | {} | {} | {} |",
                family.name,
                family.kind.as_str(),
                labels.join(", "),
                family.help
            )
        })
        .filter(|line| !guide.lines().any(|other| other == line))
        .collect();
    assert!(missing.is_empty(), "docs/guide/metrics.md lacks:\n{}", missing.join("\n"));
}

#[test]
fn the_json_interface_tells_what_clients_do() {
    let (rig, web) = seeing(Rig::builder().pool_size(2));
    let mut client = rig.target().parameter("application_name", "shop").client();
    for _ in 0..20 {
        client.run("SELECT n FROM generate_series(1, 5) AS n");
    }
    let mut holder = rig.client();
    holder.run("BEGIN");
    holder.run("SELECT 1");
    let queries = json(web, "/api/v1/queries");
    let first = &queries["queries"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["statement"].as_str().unwrap().contains("generate_series"));
    let first = first.expect("the statement");
    assert_eq!((first["calls"].as_u64(), first["rows"].as_u64()), (Some(20), Some(100)));
    let detail = json(web, &format!("/api/v1/queries/{}", first["fingerprint"].as_str().unwrap()));
    let buckets = detail["buckets"].as_array().unwrap();
    assert_eq!(buckets.iter().map(|bucket| bucket[2].as_u64().unwrap()).sum::<u64>(), 20);
    let sessions = json(web, "/api/v1/sessions");
    let state = |application: &str| {
        let sessions = sessions["sessions"].as_array().unwrap();
        let one = sessions.iter().find(|one| one["application"] == application);
        one.expect("the session")["state"].as_str().unwrap().to_owned()
    };
    assert_eq!((state("shop").as_str(), state("").as_str()), ("idle", "idle in transaction"));
    let pools = json(web, "/api/v1/pools");
    assert_eq!(pools["pools"][0]["servers"]["active"], 1);
    assert_eq!(json(web, "/api/v1/nodes")["nodes"][0]["breaker"], "closed");
    assert_eq!(json(web, "/api/v1/alerts")["firing"], serde_json::json!([]));
    assert!(json(web, "/api/v1/setup")["keys"].as_array().unwrap().len() > 20);
    let overview = json(web, "/api/v1/overview");
    assert_eq!(overview["clients"], 2);
    let missing = ask(web, "GET", "/api/v1/queries/0123456789abcdef", "localhost", "");
    assert_eq!(missing.status, 404);
}

#[test]
fn whoever_watches_is_told_every_second() {
    let (rig, web) = seeing(Rig::builder());
    let mut client = rig.client();
    let watching = std::thread::spawn(move || events(web, "/api/v1/live", 3));
    while !watching.is_finished() {
        client.run("SELECT 1");
    }
    let told = watching.join().unwrap();
    let points: Vec<Value> = told.iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    assert!(points.iter().any(|point| point["point"]["qps"].as_f64().unwrap() > 0.0), "{points:?}");
    let times: Vec<f64> =
        points.iter().map(|point| point["point"]["t"].as_f64().unwrap()).collect();
    assert!(times[2] - times[0] > 1.5, "{times:?}");
}

#[test]
fn a_session_that_blocks_others_is_found_with_what_it_does() {
    let (rig, web) = seeing(Rig::builder().pool_size(4));
    let mut holder = rig.target().parameter("application_name", "nightly").client();
    holder.run("CREATE TABLE locked (id int); INSERT INTO locked VALUES (1)");
    holder.run("BEGIN");
    holder.run("UPDATE locked SET id = 4711");
    let mut waiters = [rig.client(), rig.client()];
    for waiter in &mut waiters {
        waiter.send(&Frames::new().query("UPDATE locked SET id = 815")).unwrap();
    }
    let mut finding = Value::Null;
    eventually("the session that blocks others is found", || {
        let findings = json(web, "/api/v1/overview")["findings"].clone();
        let blocks = |one: &&Value| one["title"] == "A session blocks 2 others: it holds a lock";
        finding = findings.as_array().unwrap().iter().find(blocks).cloned().unwrap_or_default();
        !finding.is_null()
    });
    let evidence = finding["evidence"].as_str().unwrap();
    assert!(evidence.starts_with("nightly ("), "{evidence}");
    for words in
        ["is idle in transaction,", "update locked set id = $1", "the first has waited for"]
    {
        assert!(evidence.contains(words), "{evidence}");
    }
    assert!(!evidence.contains("4711") && !evidence.contains("815"), "a literal: {evidence}");
    holder.run("ROLLBACK");
    for waiter in &mut waiters {
        assert!(waiter.until(b'Z', 1).unwrap().errors().is_empty());
    }
    eventually("it is over", || {
        let findings = json(web, "/api/v1/overview")["findings"].to_string();
        !findings.contains("blocks")
    });
}

#[test]
fn clients_that_wait_are_found_and_a_statement_can_be_cancelled() {
    let (rig, web) = seeing(Rig::builder().pool_size(1));
    let (mut holder, mut waiter) = (rig.client(), rig.client());
    holder.send(&Frames::new().query("SELECT pg_sleep(600)")).unwrap();
    let id = || {
        let sessions = json(web, "/api/v1/sessions");
        let sessions = sessions["sessions"].as_array().unwrap().clone();
        let one = sessions.iter().find(|one| one["state"] == "active").cloned();
        one.map(|one| one["id"].as_u64().unwrap())
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while id().is_none() {
        assert!(Instant::now() < deadline, "the statement does not run");
    }
    waiter.send(&Frames::new().query("SELECT 'waits'")).unwrap();
    loop {
        let findings = json(web, "/api/v1/overview")["findings"].clone();
        let titles: Vec<&str> =
            findings.as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap()).collect();
        if titles.iter().any(|title| title.contains("wait for a server")) {
            break;
        }
        assert!(Instant::now() < deadline, "nobody says that a client waits: {titles:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let path = format!("/api/v1/sessions/{}/cancel", id().unwrap());
    let host = web.to_string();
    assert_eq!(ask(web, "POST", &path, &host, "").status, 403, "it has to be meant");
    assert_eq!(ask(web, "POST", &path, &host, "x-howdah: 1\r\n").status, 200);
    let cancelled = holder.until(b'Z', 1).unwrap();
    assert_eq!(cancelled.errors()[0].code, "57014");
    assert_eq!(waiter.until(b'Z', 1).unwrap().values(), ["waits"]);
    assert_eq!(ask(web, "POST", "/api/v1/sessions/1/cancel", &host, "x-howdah: 1\r\n").status, 404);
}

#[test]
fn pages_of_other_sites_are_not_answered() {
    let (_rig, web) = seeing(Rig::builder());
    for path in ["/metrics", "/api/v1/overview", "/admin/performance", "/healthz"] {
        assert_eq!(ask(web, "GET", path, "attacker.example", "").status, 403, "{path}");
        let answer = ask(web, "GET", path, "localhost", "");
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.head.contains("content-security-policy: default-src 'self'"), "{path}");
    }
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let text = "[web]\nlisten = \"0.0.0.0:9640\"\n[[user]]\nname = \"a\"\nauth = \"trust\"\n[[cluster]]\nname = \"c\"\n[[cluster.node]]\nhost = \"h\"\n";
    let error = howdah::Config::from_toml(text).unwrap_err().to_string();
    assert!(error.contains("web.listen") && error.contains("other machines"), "{error}");
}

#[test]
fn health_does_not_depend_on_the_database_and_readiness_does() {
    let (mut rig, web) = seeing(Rig::builder());
    rig.client().run("SELECT 1");
    assert_eq!(get(web, "/healthz"), "ok\n");
    assert!(get(web, "/readyz").starts_with("ready"));
    rig.stop(Duration::ZERO);
}

#[test]
fn a_transaction_that_asks_more_than_it_works_is_found_with_what_repeats() {
    let (rig, web) = seeing(Rig::builder());
    let mut client = rig.client();
    client.run("CREATE TABLE lines (n int)");
    for _ in 0..3 {
        client.run("BEGIN");
        client.run("SELECT count(*) FROM lines");
        for number in 0..25 {
            client.run(&format!("INSERT INTO lines VALUES ({number})"));
            std::thread::sleep(Duration::from_millis(20));
        }
        client.run("COMMIT");
    }
    let findings = json(web, "/api/v1/overview")["findings"].clone();
    let all = findings.as_array().unwrap();
    let found = all.iter().find(|one| one["title"].as_str().unwrap().contains("round trips"));
    let found = found.unwrap_or_else(|| panic!("{all:#?}"));
    assert!(found["title"].as_str().unwrap().contains("28 round trips"), "{found}");
    let evidence = found["evidence"].as_str().unwrap();
    assert!(evidence.starts_with("3 times"), "{evidence}");
    assert!(evidence.contains("25 times in a row: insert into lines values ($1)"), "{evidence}");
    assert!(found["action"].as_str().unwrap().starts_with("One statement for the 25"), "{found}");
}

#[test]
fn a_statement_that_runs_for_every_row_of_another_is_found() {
    let (rig, web) = seeing(Rig::builder());
    rig.client().run("CREATE TABLE parent AS SELECT n AS id FROM generate_series(1, 6) AS n");
    // What one session does may be chance.
    for _ in 0..2 {
        let mut client = rig.client();
        for _ in 0..4 {
            client.run("SELECT id FROM parent");
            for id in 1..=6 {
                client.answer(
                    &Frames::new()
                        .extended("SELECT id FROM parent WHERE id = $1::int", &[&id.to_string()])
                        .sync(),
                    1,
                );
            }
        }
        client.run("SELECT id FROM parent");
    }
    let findings = json(web, "/api/v1/overview")["findings"].clone();
    let found = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["title"].as_str().unwrap().contains("N+1"));
    let evidence = found.expect("it is found")["evidence"].as_str().unwrap();
    assert!(evidence.starts_with("8 times, 6 calls each"), "{evidence}");
    assert!(evidence.contains("where id = $1"), "{evidence}");
}

#[test]
fn what_howdah_itself_takes_is_neither_the_servers_time_nor_the_clients() {
    let (rig, web) = seeing(Rig::builder().pool_size(1));
    let mut client = rig.client();
    let slow = "SELECT pg_sleep(0.4)";
    // Alone; in a transaction whose client pauses; and two in one write, of which the second waits for the first.
    client.run(slow);
    client.run("BEGIN");
    std::thread::sleep(Duration::from_millis(400));
    client.run("SELECT 1 AS one");
    client.run("COMMIT");
    let both = Frames::new().extended(slow, &[]).sync().extended("SELECT 2 AS two", &[]).sync();
    client.answer(&both, 2);
    // And while another one has the only server.
    let mut other = rig.client();
    other.send(&Frames::new().query(slow)).unwrap();
    client.run("SELECT 3 AS three");
    other.until(b'Z', 1).unwrap();
    let (_, samples) = parse(&get(web, "/metrics"));
    let of = |end: &str| sum(&samples, &format!("howdah_proxy_overhead_seconds{end}"), &[]);
    let calls = sum(&samples, "howdah_queries_total", &[]);
    let server = sum(&samples, "howdah_query_server_seconds_total", &[]);
    // BEGIN and COMMIT take no time of their own.
    let control = sum(&samples, "howdah_queries_total", &[("kind", "transaction")]);
    assert_eq!(calls - control, 6.0);
    assert!(of("_count") >= calls - control && of("_count") <= calls, "{}", of("_count"));
    assert!(server >= 1.2, "{server}");
    assert!(of("_sum") > 0.0 && of("_sum") < 0.3, "{} of {server} s", of("_sum"));
    let queries = json(web, "/api/v1/queries");
    for query in queries["queries"].as_array().unwrap() {
        if let Some(p99) = query["overhead_p99_ms"].as_f64() {
            assert!(p99 < 300.0, "{query}");
        }
    }
    let sleeps = queries["queries"].as_array().unwrap();
    let sleep = sleeps.iter().find(|query| query["statement"] == "select pg_sleep($1)").unwrap();
    assert!(sleep["p50_ms"].as_f64().unwrap() >= 350.0, "{sleep}");
    assert!(sleep["overhead_p50_ms"].is_number(), "{sleep}");
}
