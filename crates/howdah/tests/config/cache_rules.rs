//! `[[cache.rule]]`: what is said of the cache about single tables and forms of statements.

use std::time::Duration;

use howdah::Config;
use howdah::config::Mistake;
use howdah_core::cache::declared::Declared;
use howdah_core::cache::rules::{Rule, Subject};
use howdah_core::cache::wish::{Level, Mode};
use howdah_core::route::class::Name;
use howdah_core::rules::TableName;

use crate::{LEAST, mistakes};

const FOLLOWED: &str = "[cache]\npublication = \"howdah\"\n";

fn rules(text: &str) -> Vec<Rule> {
    let config = Config::from_toml(&format!("{LEAST}{FOLLOWED}{text}"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    config.settings(1).cache_rules.iter().cloned().collect()
}

#[test]
fn a_rule_is_what_it_says_in_the_order_of_the_file() {
    let said = rules(
        "[[cache.rule]]\nname = \"b\"\ntable = [\"app.t\", \"u\"]\nmode = \"on\"\nlevel = \"strict\"\n\
         max_staleness = \"1s\"\ntags = [\"x\"]\n\
         [[cache.rule]]\nname = \"a\"\nfingerprint = \"00000000000000ff\"\nmode = \"off\"\n",
    );
    let [first, second] = said.as_slice() else { panic!("{said:?}") };
    let tables = vec![TableName::parse("app.t"), TableName::parse("u")];
    assert_eq!((&*first.name, &first.subject), ("b", &Subject::Tables(tables)));
    assert_eq!((first.mode, first.level), (Some(Mode::On), Some(Level::Strict)));
    assert_eq!(first.max_staleness, Some(Duration::from_secs(1)));
    assert_eq!(first.tags, ["x"]);
    assert!(matches!(&second.subject, Subject::Fingerprints(all) if all[0].0 == 255));
    assert_eq!((second.mode, second.level, second.max_staleness), (Some(Mode::Off), None, None));
    assert!(rules("").is_empty());
}

#[test]
fn every_mistake_in_a_rule_is_told() {
    let followed = [
        ("name = \"r\"\nmode = \"on\"", "table", Mistake::Missing, "about nothing"),
        ("name = \"r\"\ntable = \"t\"", "mode", Mistake::Missing, "says nothing"),
        ("table = \"t\"\nmode = \"on\"", "name", Mistake::Missing, "without a name"),
        ("name = \"r\"\ntable = []\nmode = \"on\"", "table", Mistake::Value, "nothing"),
        (
            "name = \"r\"\nfingerprint = \"x\"\nmode = \"on\"",
            "fingerprint",
            Mistake::Value,
            "is not",
        ),
        ("name = \"r\"\ntable = \"t\"\nmode = \"yes\"", "mode", Mistake::Value, "not a value"),
        ("name = \"r\"\ntable = \"t\"\nlevel = \"auto\"", "level", Mistake::Value, "not a value"),
        (
            "name = \"r\"\ntable = \"t\"\nfingerprint = \"00000000000000ff\"\nmode = \"on\"",
            "fingerprint",
            Mistake::Conflict,
            "two kinds",
        ),
    ];
    let unfollowed =
        ("name = \"r\"\ntable = \"t\"\nmode = \"on\"", "mode", Mistake::Missing, "nobody");
    let all = followed.map(|one| (FOLLOWED, one)).into_iter().chain([("", unfollowed)]);
    for (cache, (text, key, kind, words)) in all {
        let text = format!("{LEAST}{cache}[[cache.rule]]\n{text}\n");
        let found = mistakes(&text);
        let told = found.iter().any(|error| {
            error.kind == kind
                && error.key.ends_with(&format!(".{key}"))
                && error.reason.contains(words)
        });
        assert!(told, "{key}: {found:?}");
    }
}

#[test]
fn answers_that_count_for_a_time_need_nobody_who_tells_of_changes() {
    let text = |rule: &str| {
        format!(
            "{LEAST}[cache]\nmode = \"on\"\n[[cache.rule]]\nname = \"r\"\ntable = \"t\"\n{rule}\n"
        )
    };
    let config = Config::from_toml(&text("ttl = \"30s\""));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let rules = config.settings(1).cache_rules;
    assert!(rules.keep_by_time());
    assert!(rules.iter().all(|rule| rule.ttl == Some(Duration::from_secs(30))));
    let found = mistakes(&text("tags = [\"a\"]"));
    assert!(found.iter().any(|error| error.key == "cache.publication"), "{found:?}");
}

#[test]
fn functions_say_what_they_read() {
    let config = Config::from_toml(&format!(
        "{LEAST}{FOLLOWED}[[cache.function]]\nname = \"app.price\"\nreads = [\"prices\", \"app.rates\"]\n\
         [[cache.function]]\nname = \"app.tax\"\nreads = []\n"
    ));
    let settings = config.unwrap_or_else(|errors| panic!("{errors}")).settings(1);
    let said: Vec<Declared> = settings.cache_rules.functions().cloned().collect();
    let reads = ["prices", "app.rates"].map(TableName::parse).into();
    let [price, tax] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(*price, Declared { name: Name::new("app", "price"), reads });
    assert_eq!(*tax, Declared { name: Name::new("app", "tax"), reads: Vec::new() });
    for (text, key, kind, words) in [
        ("name = \"price\"\nreads = []", "name", Mistake::Value, "no schema"),
        ("name = \"app.price\"", "reads", Mistake::Missing, "nobody else"),
        ("reads = []", "name", Mistake::Missing, "without a name"),
    ] {
        let found = mistakes(&format!("{LEAST}{FOLLOWED}[[cache.function]]\n{text}\n"));
        let told = found.iter().any(|error| {
            error.kind == kind
                && error.key.ends_with(&format!(".{key}"))
                && error.reason.contains(words)
        });
        assert!(told, "{key}: {found:?}");
    }
}
