//! `[cache.redis]`: what instances share, used where changes are followed.

use std::time::Duration;

use howdah::config::Mistake;

use crate::{LEAST, load, mistakes};

const FOLLOWED: (&str, &str) = ("HOWDAH__CACHE__PUBLICATION", "howdah");
const URL: (&str, &str) = ("DATABASE_URL", crate::url::URL);
const REDIS: (&str, &str) = ("REDIS_URL", "redis://:s3cret@127.0.0.1:6379/2");

#[test]
fn a_traditional_variable_says_where_it_is() {
    let loaded = load(&[URL, FOLLOWED, REDIS, ("HOWDAH__CACHE__REDIS__TIMEOUT", "7ms")]).unwrap();
    let settings = loaded.config.settings(0);
    let shared = settings.shared_cache.clone().expect("it is shared");
    assert_eq!((shared.timeout, shared.ttl), (Duration::from_millis(7), Duration::from_secs(3600)));
    assert_eq!(shared.prefix, "howdah:");
    let shown = format!(
        "{shared:?} {settings:?} {}",
        serde_json::to_string(loaded.config.entries()).unwrap()
    );
    assert!(!shown.contains("s3cret"), "{shown}");
    // Nobody would tell what is still true.
    assert!(load(&[URL, REDIS]).unwrap().config.settings(0).shared_cache.is_none());
}

#[test]
fn an_address_that_is_none_is_a_mistake() {
    let text = format!("{LEAST}[cache]\npublication = \"p\"\n[cache.redis]\nurl = \"127.0.0.1\"\n");
    let errors = mistakes(&text);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!((errors[0].key.as_str(), errors[0].kind), ("cache.redis.url", Mistake::Value));
    assert!(errors[0].fix.contains("redis://"), "{}", errors[0].fix);
}
