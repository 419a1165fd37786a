//! `[[route.override]]`: where statements go, against what would be concluded.

use howdah::Config;
use howdah::config::Mistake;
use howdah_core::route::class::{Destination, Override, Subject};
use howdah_core::rules::TableName;

use crate::{LEAST, mistakes};

fn overrides(text: &str) -> Vec<Override> {
    let config = Config::from_toml(&format!("{LEAST}{text}"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    config.settings(1).overrides.iter().cloned().collect()
}

#[test]
fn an_override_is_what_it_says_in_the_order_of_the_file() {
    let said = overrides(
        "[[route.override]]\nname = \"b\"\nfunction = [\"app.f\", \"g\"]\nto = \"replica\"\n\
         [[route.override]]\nname = \"a\"\ntable = \"jobs\"\nto = \"primary\"\n\
         [[route.override]]\nname = \"c\"\npattern = \"^select\"\nto = \"replica\"\n\
         [[route.override]]\nname = \"d\"\nfingerprint = [\"00000000000000ff\"]\nto = \"primary\"\n",
    );
    let names: Vec<_> = said.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "c", "d"]);
    let functions = vec![TableName::parse("app.f"), TableName::parse("g")];
    assert_eq!(said[0].subject, Subject::Functions(functions));
    assert_eq!(said[1].subject, Subject::Tables(vec![TableName::parse("jobs")]));
    assert!(matches!(said[2].subject, Subject::Pattern(_)));
    assert!(matches!(&said[3].subject, Subject::Fingerprints(all) if all[0].0 == 255));
    assert_eq!(said[0].to, Destination::Replica);
    assert_eq!(said[1].to, Destination::Primary);
    assert!(overrides("").is_empty());
}

#[test]
fn every_mistake_in_an_override_is_told() {
    for (text, key, kind, words) in [
        ("name = \"o\"\nto = \"replica\"", "function", Mistake::Missing, "an override of nothing"),
        ("name = \"o\"\ntable = [\"t\"]", "to", Mistake::Missing, "does not say where to"),
        ("table = [\"t\"]\nto = \"primary\"", "name", Mistake::Missing, "without a name"),
        (
            "name = \"o\"\ntable = [\"t\"]\nfunction = [\"f\"]\nto = \"primary\"",
            "table",
            Mistake::Conflict,
            "two kinds",
        ),
        ("name = \"o\"\ntable = []\nto = \"primary\"", "table", Mistake::Value, "nothing"),
        (
            "name = \"o\"\nfingerprint = [\"x\"]\nto = \"primary\"",
            "fingerprint",
            Mistake::Value,
            "is not a fingerprint",
        ),
        ("name = \"o\"\ntable = [\"t\"]\nto = \"both\"", "to", Mistake::Value, "not a value"),
    ] {
        let text = format!("{LEAST}[[route.override]]\n{text}\n");
        let found = mistakes(&text);
        let told = found.iter().any(|error| {
            error.kind == kind
                && error.key.ends_with(&format!(".{key}"))
                && error.reason.contains(words)
        });
        assert!(told, "{key}: {found:?}");
    }
}
