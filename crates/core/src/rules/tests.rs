//! What rules decide, by table.

use std::sync::Arc;

use howdah_sql::{Analyses, Analysis};

use super::*;

fn analyse(sql: &str) -> Arc<Analysis> {
    Analyses::new(100).analyse(sql.as_bytes())
}

fn rule(name: &str, action: Option<Action>, conditions: Conditions) -> Rule {
    Rule {
        name: name.to_owned(),
        conditions,
        action,
        undecided: Action::Flag,
        query_timeout: None,
        max_rows: None,
    }
}

fn classes(words: &[&str]) -> Conditions {
    Conditions {
        classes: words.iter().filter_map(|word| class_of(word)).collect(),
        ..Conditions::default()
    }
}

fn tables(names: &[&str]) -> Conditions {
    Conditions {
        tables: names.iter().map(|name| TableName::parse(name)).collect(),
        ..Conditions::default()
    }
}

fn pattern(text: &str) -> Conditions {
    Conditions { pattern: Some(Pattern::new(text).unwrap()), ..Conditions::default() }
}

fn judge(rules: &[Rule], sql: &str) -> Verdict {
    let rules = Rules::new(rules.to_vec());
    let places: Vec<_> = (0..rules.0.len()).collect();
    rules.judge(&places, &analyse(sql), sql.as_bytes())
}

fn blocks(conditions: &Conditions, sql: &str) -> bool {
    judge(&[rule("r", Some(Action::Block), conditions.clone())], sql).blocked_by() == Some(0)
}

fn allows(conditions: &Conditions, sql: &str) -> bool {
    let allow = rule("r", Some(Action::Allow), conditions.clone());
    let verdict = judge(&[allow, rule("all", Some(Action::Block), Conditions::default())], sql);
    verdict.decided == Some((Action::Allow, 0))
}

#[test]
fn the_first_rule_that_fits_decides() {
    let rules = [
        rule("log", None, Conditions::default()),
        rule("reads", Some(Action::Allow), classes(&["read"])),
        rule("orders", Some(Action::Flag), tables(&["orders"])),
        rule("writes", Some(Action::Block), classes(&["write", "ddl"])),
    ];
    let decided = |sql| judge(&rules, sql).decided;
    assert_eq!(decided("SELECT * FROM orders"), Some((Action::Allow, 1)));
    assert_eq!(decided("DELETE FROM orders"), Some((Action::Flag, 2)));
    assert_eq!(decided("DELETE FROM users"), Some((Action::Block, 3)));
    assert_eq!(decided("BEGIN"), None);
    assert_eq!(judge(&[], "DROP TABLE t"), Verdict::default());
}

#[test]
fn a_rule_that_allows_wants_all_of_a_text_and_others_any_part_of_it() {
    let reads = classes(&["read", "transaction"]);
    for sql in ["SELECT 1", "BEGIN; SELECT 1; COMMIT", ""] {
        assert!(allows(&reads, sql), "{sql}");
    }
    for sql in
        ["SELECT 1; DROP TABLE t", "PREPARE p AS DELETE FROM t", "SELECT f()", "COPY t FROM STDIN"]
    {
        assert!(!allows(&reads, sql), "{sql}");
    }
    let scratch = tables(&["scratch"]);
    assert!(allows(&scratch, "DELETE FROM scratch"));
    assert!(!allows(&scratch, "DELETE FROM scratch; DELETE FROM orders"));
    assert!(!allows(&scratch, "SELECT pg_sleep(1)"));
    assert!(blocks(&classes(&["ddl"]), "SELECT 1; DROP TABLE t"));
    assert!(blocks(&classes(&["write"]), "PREPARE p AS DELETE FROM t"));
    assert!(blocks(&tables(&["orders"]), "SELECT * FROM a JOIN orders ON true"));
}

#[test]
fn a_table_without_a_schema_may_be_in_any() {
    for (name, sql, means) in [
        ("orders", "SELECT * FROM orders", true),
        ("orders", "SELECT * FROM Shop.Orders", true),
        ("shop.orders", "SELECT * FROM orders", true),
        ("shop.orders", "SELECT * FROM shop.\"orders\"", true),
        ("shop.orders", "SELECT * FROM other.orders", false),
        ("orders", "SELECT * FROM \"Orders\"", false),
        ("orders", "SELECT 'orders'", false),
    ] {
        assert_eq!(blocks(&tables(&[name]), sql), means, "{name}: {sql}");
    }
}

#[test]
fn conditions_about_the_client_choose_the_rules() {
    let conditions = Conditions {
        users: vec!["app".to_owned()],
        databases: vec!["shop".to_owned()],
        applications: vec!["cron".to_owned()],
        addresses: vec!["10.0.0.0/8".parse().unwrap()],
        ..Conditions::default()
    };
    let rules = Rules::new(vec![rule("r", Some(Action::Block), conditions)]);
    let client = |user, database, application, address: Option<&str>| {
        let address = address.map(|text| text.parse().unwrap());
        !rules.concerning(&Client { user, database, application, address }).is_empty()
    };
    assert!(client("app", "shop", "cron", Some("10.1.2.3")));
    assert!(client("app", "shop", "cron", Some("::ffff:10.1.2.3")));
    assert!(!client("app", "shop", "cron", Some("11.1.2.3")));
    assert!(!client("app", "shop", "cron", None));
    assert!(!client("app", "shop", "web", Some("10.1.2.3")));
    assert!(!client("app", "stock", "cron", Some("10.1.2.3")));
    assert!(!client("other", "shop", "cron", Some("10.1.2.3")));
    assert!(rules.ask_for_application());
}

#[test]
fn patterns_are_held_against_the_normal_form() {
    let condition = pattern("^delete from orders where id = \\$1$");
    assert!(blocks(&condition, "DELETE /* x */ FROM Orders WHERE id = 5"));
    assert!(!blocks(&condition, "DELETE FROM orders WHERE id = 5 AND true"));
    assert!(!blocks(&pattern("secret"), "SELECT 'secret'"));
    let doubtful =
        judge(&[rule("r", Some(Action::Block), pattern("x from t"))], "SELECT U&\"x\" FROM t");
    assert_eq!((doubtful.decided, doubtful.undecided), (None, vec![0]));
}

#[test]
fn what_cannot_be_told_is_flagged_or_what_the_rule_says() {
    let sql = "SELEC * FROM orders";
    for conditions in [
        classes(&["read"]),
        tables(&["orders"]),
        Conditions { unbounded: true, ..Conditions::default() },
    ] {
        let mut rule = rule("r", Some(Action::Block), conditions);
        let flagged = judge(std::slice::from_ref(&rule), sql);
        assert_eq!((flagged.decided, &*flagged.undecided), (None, &[0][..]));
        assert!(!flagged.lets_pass() && flagged.flagged_by().eq([0]));
        rule.undecided = Action::Block;
        assert_eq!(judge(std::slice::from_ref(&rule), sql).blocked_by(), Some(0));
        rule.undecided = Action::Allow;
        assert!(judge(std::slice::from_ref(&rule), sql).lets_pass());
        rule.action = Some(Action::Allow);
        rule.undecided = Action::Block;
        assert_eq!(
            judge(std::slice::from_ref(&rule), sql),
            Verdict::default(),
            "it does not allow what it does not know"
        );
    }
    // Nothing is asked of it that needs to be known.
    assert!(blocks(&Conditions::default(), sql));
    let unknown = Rules::new(vec![rule("r", Some(Action::Block), pattern("x"))]);
    assert_eq!(unknown.judge(&[0], &Analysis::unknown(), b"x").undecided, [0]);
}

#[test]
fn a_rule_that_cannot_be_decided_leaves_the_decision_to_later_ones() {
    let rules = [
        rule("tables", Some(Action::Block), tables(&["orders"])),
        rule("rest", Some(Action::Block), Conditions::default()),
    ];
    let verdict = judge(&rules, "SELEC");
    assert_eq!((verdict.blocked_by(), verdict.rules()), (Some(1), vec![0, 1]));
}

#[test]
fn the_first_limit_of_each_kind_counts_whoever_decides() {
    let limit = |seconds, max_rows, conditions| Rule {
        query_timeout: Some(Duration::from_secs(seconds)),
        max_rows,
        ..rule("limit", None, conditions)
    };
    let rules = [
        rule("all", Some(Action::Allow), Conditions::default()),
        limit(5, None, tables(&["orders"])),
        limit(9, Some(100), Conditions::default()),
    ];
    let verdict = judge(&rules, "SELECT * FROM orders");
    assert_eq!(verdict.decided, Some((Action::Allow, 0)));
    assert_eq!(verdict.query_timeout, Some((Duration::from_secs(5), 1)));
    assert_eq!(verdict.max_rows, Some((100, 2)));
    assert!(!verdict.lets_pass());
    assert_eq!(verdict.rules(), [0, 1, 2]);
}

#[test]
fn signs_of_injection_are_asked_for_text_by_text_and_only_where_all_else_holds() {
    let conditions = Conditions { injection: true, ..tables(&["users"]) };
    let rules = [rule("r", Some(Action::Block), conditions)];
    let verdict = judge(&rules, "SELECT * FROM users WHERE id = 1 OR 1=1");
    assert_eq!((verdict.blocked_by(), verdict.by_text), (Some(0), true));
    assert_eq!(verdict.signals, [howdah_sql::Signal::Tautology]);
    let verdict = judge(&rules, "SELECT * FROM users WHERE id = 1 OR 1=2");
    assert_eq!((verdict.blocked_by(), verdict.by_text), (None, true));
    assert!(!judge(&rules, "SELECT * FROM orders WHERE id = 1 OR 1=1").by_text);
    assert_eq!(judge(&rules, "SELEC users").undecided, [0]);
}

#[test]
fn conditions_are_told_in_a_few_words() {
    let conditions = Conditions {
        users: vec!["a".to_owned(), "b".to_owned()],
        fingerprints: vec![howdah_sql::Fingerprint(255)],
        unbounded: true,
        pattern: Some(Pattern::new("x y").unwrap()),
        ..classes(&["write", "ddl"])
    };
    assert_eq!(
        conditions.to_string(),
        "user=a,b fingerprint=00000000000000ff class=write,ddl unbounded pattern=\"x y\""
    );
    assert_eq!(Conditions::default().to_string(), "any statement");
}

#[test]
fn equal_rules_are_equal_also_with_patterns() {
    assert_eq!(pattern("a"), pattern("a"));
    assert_ne!(pattern("a"), pattern("b"));
    assert!(Pattern::new("(").is_err_and(|error| error.contains("unclosed group")));
}
