//! `[[rule]]`: rules about statements.

use howdah::Config;
use howdah::config::Mistake;

use crate::{LEAST, mistakes};

#[track_caller]
fn shown(rule: &str) -> Vec<(String, String)> {
    let text = format!("{LEAST}[[rule]]\nname = \"r\"\n{rule}");
    let config = Config::from_toml(&text).unwrap_or_else(|errors| panic!("{errors}"));
    let settings = config.settings(1);
    settings.rules.iter().map(|rule| (rule.name.clone(), rule.conditions.to_string())).collect()
}

#[test]
fn a_rule_is_what_it_says() {
    let all = r#"
        user = "app, cron"
        database = ["shop"]
        application = ["web"]
        address = ["10.0.0.0/8", "::1"]
        fingerprint = ["00000000000000ff"]
        pattern = '^delete from \w+$'
        class = ["write", "ddl"]
        table = ["orders", "shop.users"]
        unbounded = true
        injection = true
        query_timeout = "30s"
        max_rows = 1000
        action = "block"
    "#;
    let text = r#"user=app,cron database=shop application=web address=10.0.0.0/8,::1/128 fingerprint=00000000000000ff class=write,ddl table=orders,shop.users unbounded injection pattern="^delete from \\w+$""#;
    assert_eq!(shown(all), [("r".to_owned(), text.to_owned())]);
    assert_eq!(shown("action = \"flag\"\nunbounded = false\n")[0].1, "any statement");
}

#[test]
fn rules_stay_in_the_order_of_the_file() {
    let rule = |name: &str| format!("[[rule]]\nname = \"{name}\"\naction = \"allow\"\n");
    let text = format!("{LEAST}{}{}{}", rule("b"), rule("a"), rule("c"));
    let settings = Config::from_toml(&text).unwrap().settings(1);
    let names: Vec<_> = settings.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "c"]);
}

#[test]
fn every_mistake_in_a_rule_is_told() {
    for (rule, key, kind, words) in [
        ("name = \"r\"", "action", Mistake::Missing, "decides nothing and limits nothing"),
        ("action = \"block\"", "name", Mistake::Missing, "without a name"),
        ("name = \"r\"\naction = \"deny\"", "action", Mistake::Value, "not a value"),
        (
            "name = \"r\"\naction = \"flag\"\nclass = [\"reads\"]",
            "class",
            Mistake::UnknownName,
            "reads is no class",
        ),
        (
            "name = \"r\"\naction = \"flag\"\npattern = \"(\"",
            "pattern",
            Mistake::Value,
            "unclosed group",
        ),
        (
            "name = \"r\"\naction = \"flag\"\naddress = [\"office\"]",
            "address",
            Mistake::Value,
            "office is neither",
        ),
        (
            "name = \"r\"\naction = \"flag\"\nfingerprint = [\"12\"]",
            "fingerprint",
            Mistake::Value,
            "12 is not",
        ),
        ("name = \"r\"\naction = \"flag\"\ntable = []", "table", Mistake::Value, "nothing"),
        (
            "name = \"r\"\naction = \"flag\"\nunbound = true",
            "unbound",
            Mistake::UnknownKey,
            "no such key",
        ),
    ] {
        let errors = mistakes(&format!("{LEAST}[[rule]]\n{rule}\n"));
        assert_eq!(errors.len(), 1, "{rule}: {errors:#?}");
        let error = &errors[0];
        assert_eq!((error.key.rsplit('.').next(), error.kind), (Some(key), kind), "{error}");
        assert!(error.reason.contains(words), "{error}");
    }
    let twice = "[[rule]]\nname = \"r\"\naction = \"flag\"\n".repeat(2);
    assert_eq!(mistakes(&format!("{LEAST}{twice}"))[0].kind, Mistake::Duplicate);
}
