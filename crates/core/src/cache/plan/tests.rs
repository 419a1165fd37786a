//! What answers are tagged with, and which are not kept, by table.

use std::collections::BTreeSet;

use howdah_sql::{Masked, shape};

use super::*;
use crate::cache::Tag;
use crate::cache::declared::Declared;
use crate::cache::definitions::Builder;
use crate::route::class::Name;

/// Relations 1 to 15, as their names say: `names` is a view of `users`, `clock` one that calls `now()`, `parent` has the child
/// `child`, `of_unlogged` reads `names` and `unlogged`.
fn definitions() -> Definitions {
    let mut builder = Builder::default();
    for (oid, name, kind) in [
        (1, "users", Kind::Table),
        (2, "orders", Kind::Table),
        (3, "names", Kind::View),
        (4, "clock", Kind::View),
        (5, "parent", Kind::Parent),
        (6, "child", Kind::Table),
        (7, "unlogged", Kind::Unlogged),
        (8, "abroad", Kind::Foreign),
        (9, "ids", Kind::Sequence),
        (10, "summary", Kind::Materialized),
        (12, "of_unlogged", Kind::View),
        (13, "odd", Kind::UnsteadyView),
    ] {
        builder.relation(oid, Name::new("app", name), kind, false);
    }
    builder.relation(11, Name::new("app", "secrets"), Kind::Table, true);
    builder.relation(14, Name::new("other", "users"), Kind::Table, false);
    builder.relation(15, Name::new("pg_catalog", "pg_class"), Kind::System, false);
    for (relation, name, attnum, holds) in [
        (1, "id", 1, Holds::Integer),
        (1, "tenant", 2, Holds::Integer),
        (1, "email", 3, Holds::Text),
        (1, "at", 4, Holds::Time),
        (1, "note", 5, Holds::Other),
        (2, "id", 1, Holds::Integer),
        (2, "user_id", 2, Holds::Integer),
        (2, "code", 3, Holds::Text),
        (5, "id", 1, Holds::Integer),
        (14, "id", 7, Holds::Integer),
    ] {
        builder.column(relation, name, Column { attnum, holds, steady: holds != Holds::Time });
    }
    builder.identity(1, [1].into());
    builder.identity(2, [1].into());
    for (oid, schema, name, built_in) in [
        (101, "pg_catalog", "now", true),
        (102, "pg_catalog", "to_char", true),
        (103, "app", "tax", false),
        (104, "app", "price", false),
        (105, "other", "price", false),
        (106, "app", "next_price", false),
    ] {
        let volatile = name.starts_with("next");
        let name = Name::new(schema, name);
        builder.function(oid, Function { name, built_in, unary: true, volatile });
    }
    builder.reads(3, 1);
    builder.reads(4, 1);
    builder.calls(3, 102);
    builder.calls(4, 101);
    builder.reads(5, 6);
    builder.reads(12, 3);
    builder.reads(12, 7);
    builder.operator("===");
    builder.own_type("mail");
    builder.build()
}

fn planned(sql: &str) -> Result<Plan, Uncacheable> {
    let shape = shape(sql).map_err(|unkept| Uncacheable::new(Reason::Text(unkept)))?;
    plan(&shape, &definitions(), (&Rules::default(), &|_| false))
}

/// The word of the refusal.
fn refused(sql: &str) -> &'static str {
    let word = planned(sql).map_or_else(|uncacheable| uncacheable.reason.word(), |_| "kept");
    let mut masked = Masked::default();
    let shape = masked.mask(sql.as_bytes()).then(|| masked.shape()).flatten();
    if let Some(shape) = shape {
        let shape = shape.map_err(|unkept| Uncacheable::new(Reason::Text(unkept)));
        let by_mask =
            shape.and_then(|shape| plan(&shape, &definitions(), (&Rules::default(), &|_| false)));
        let by_mask = by_mask.map_or_else(|no| no.reason.word(), |_| "kept");
        assert_eq!(by_mask, word, "{sql}, masked");
    }
    word
}

fn tags(sql: &str, types: &[u32], values: &[(bool, Option<&[u8]>)]) -> Vec<Tag> {
    let plan = planned(sql).expect("it is kept");
    let tags = plan.tags(Parameters { types, values, literals: &[] }).to_vec();
    if let Some(by_mask) = tags_by_mask(sql, types, values) {
        assert_eq!(by_mask, tags, "{sql}, masked");
    }
    tags
}

/// The same by the masked text, if it has one.
fn tags_by_mask(sql: &str, types: &[u32], values: &[(bool, Option<&[u8]>)]) -> Option<Vec<Tag>> {
    let mut masked = Masked::default();
    let shape = masked.mask(sql.as_bytes()).then(|| masked.shape())??;
    let plan = plan(&shape.expect("it is kept"), &definitions(), (&Rules::default(), &|_| false))
        .expect("it is kept");
    let literals = masked.literals(sql.as_bytes());
    Some(plan.tags(Parameters { types, values, literals: &literals }).to_vec())
}

fn sorted(mut tags: Vec<Tag>) -> Vec<Tag> {
    tags.sort_unstable();
    tags
}

fn row(relation: Oid, values: &[(i16, &'static str)]) -> Vec<Tag> {
    let attnums: Vec<i16> = values.iter().map(|(attnum, _)| *attnum).collect();
    let row = Tag::row(relation, values.iter().map(|(attnum, value)| (*attnum, value.as_bytes())));
    sorted(vec![Tag::whole(relation), Tag::columns(relation, &attnums), row])
}

fn table(relation: Oid) -> Vec<Tag> {
    sorted(vec![Tag::whole(relation), Tag::table(relation)])
}

#[test]
fn equalities_become_rows_and_everything_else_tables() {
    assert_eq!(tags("SELECT * FROM orders WHERE id = 5", &[], &[]), row(2, &[(1, "5")]));
    assert_eq!(tags("SELECT * FROM orders", &[], &[]), table(2));
    assert_eq!(tags("SELECT * FROM orders WHERE code = 'a'", &[], &[]), row(2, &[(3, "a")]));
    let both = "SELECT * FROM orders WHERE user_id = 7 AND code = 'a'";
    assert_eq!(tags(both, &[], &[]), row(2, &[(2, "7"), (3, "a")]));
    // All of the identity is enough.
    let all = "SELECT * FROM orders WHERE code = 'a' AND id = 5 AND user_id = 7";
    assert_eq!(tags(all, &[], &[]), row(2, &[(1, "5")]));
    let join = "SELECT * FROM app.users u JOIN orders o ON o.user_id = u.id WHERE u.id = 3";
    assert_eq!(tags(join, &[], &[]), sorted([row(1, &[(1, "3")]), row(2, &[(2, "3")])].concat()));
    let not_alike = "SELECT * FROM app.users u JOIN orders o ON o.code = u.note WHERE o.code = 'a'";
    assert_eq!(tags(not_alike, &[], &[]), sorted([table(1), table(2)].concat()));
    for coarse in [
        "SELECT * FROM orders WHERE user_id = 5.0",
        "SELECT * FROM orders WHERE code = 'ä'",
        "SELECT * FROM orders WHERE id = 5::numeric",
        "SELECT * FROM orders WHERE id = '5'::oid",
    ] {
        assert_eq!(tags(coarse, &[], &[]), table(2), "{coarse}");
    }
    assert_eq!(tags("SELECT * FROM app.users WHERE at = '2020-01-01'", &[], &[]), table(1));
}

#[test]
fn parameters_are_read_in_every_form() {
    let sql = "SELECT * FROM orders WHERE id = $1";
    let of_text = |value: &'static [u8], types: &[u32]| tags(sql, types, &[(false, Some(value))]);
    let of_bytes = |value: &'static [u8], types: &[u32]| tags(sql, types, &[(true, Some(value))]);
    let five = row(2, &[(1, "5")]);
    assert_eq!(of_text(b"5", &[]), five);
    assert_eq!(of_text(b"+05", &[20]), five);
    assert_eq!(of_bytes(&[0, 0, 0, 5], &[0]), five);
    assert_eq!(of_bytes(&[0, 0, 0, 0, 0, 0, 0, 5], &[20]), five);
    for coarse in [
        of_text(b"5.0", &[]),
        of_text(b"5", &[1700]),
        of_bytes(&[0, 0, 0, 0, 0, 0, 0, 5], &[701]),
        of_bytes(&[5], &[]),
        tags(sql, &[], &[(false, None)]),
        tags(sql, &[], &[]),
    ] {
        assert_eq!(coarse, table(2));
    }
    // Another use may make it a number of another type.
    let twice = "SELECT * FROM orders WHERE id = $1 AND user_id > $1::numeric";
    assert_eq!(tags(twice, &[], &[(true, Some(&[0; 8]))]), table(2));
    assert_eq!(tags(twice, &[], &[(false, Some(b"5"))]), five);
    let text = "SELECT * FROM orders WHERE code = $1 OR false";
    assert_eq!(tags(text, &[], &[(false, Some(b"a"))]), table(2));
}

#[test]
fn lists_become_several_rows() {
    let two = sorted(
        [row(2, &[(1, "5")]), row(2, &[(1, "7")])]
            .concat()
            .into_iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    );
    assert_eq!(tags("SELECT * FROM orders WHERE id IN (7, 5, 5)", &[], &[]), two);
    let any = "SELECT * FROM orders WHERE id = ANY($1)";
    assert_eq!(tags(any, &[], &[(false, Some(b"{5,7}"))]), two);
    assert_eq!(tags(any, &[1231], &[(false, Some(b"{5,7}"))]), table(2));
    let mut array = Vec::new();
    for number in [1_u32, 0, 23, 2, 1, 4, 5, 4, 7] {
        array.extend_from_slice(&number.to_be_bytes());
    }
    assert_eq!(tags(any, &[], &[(true, Some(&array))]), two);
    let many = (0..65).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(tags(any, &[], &[(false, Some(format!("{{{many}}}").as_bytes()))]), table(2));
}

#[test]
fn names_that_mean_several_things_are_all_tagged() {
    let both = sorted([row(1, &[(1, "5")]), row(14, &[(7, "5")])].concat());
    assert_eq!(tags("SELECT * FROM users WHERE id = 5", &[], &[]), both);
    assert_eq!(tags("SELECT * FROM names WHERE id = 5", &[], &[]), table(1));
    let parent = sorted([table(5), table(6)].concat());
    assert_eq!(tags("SELECT * FROM parent WHERE id = 5", &[], &[]), parent);
    let query = "WITH orders AS (SELECT 1 AS id FROM app.users) SELECT * FROM orders WHERE id = 5";
    assert_eq!(tags(query, &[], &[]), sorted([table(1), table(2)].concat()));
}

#[test]
fn what_nobody_tells_of_is_refused() {
    for (sql, expected) in [
        ("SELECT * FROM orders", "kept"),
        ("SELECT 1", "no-tables"),
        ("SELECT * FROM nowhere", "unknown-table"),
        ("SELECT * FROM pg_class", "system-table"),
        ("SELECT * FROM abroad", "foreign-table"),
        ("SELECT * FROM unlogged", "unlogged"),
        ("SELECT * FROM of_unlogged", "unlogged"),
        ("SELECT * FROM ids", "sequence"),
        ("SELECT * FROM summary", "materialized-view"),
        ("SELECT * FROM odd", "unsteady-view"),
        ("SELECT * FROM clock", "function"),
        ("SELECT * FROM secrets", "row-security"),
        ("SELECT now() FROM orders", "function"),
        ("SELECT o.now FROM orders o", "function"),
        ("SELECT tax(id) FROM orders", "function"),
        ("SELECT upper(code), to_char(id, '9') FROM orders", "kept"),
        ("SELECT * FROM orders WHERE id === 3", "operator"),
        ("SELECT 'a'::mail FROM orders", "type"),
        ("SELECT 'orders'::regclass FROM orders", "type"),
        ("SELECT at::date FROM app.users", "kept"),
        ("SELECT u.at::date FROM app.users u JOIN orders o ON true", "clock-cast"),
        ("SELECT code::date FROM orders", "clock-cast"),
        ("SELECT * FROM orders FOR UPDATE", "write"),
        ("SELECT CURRENT_DATE FROM orders", "clock"),
    ] {
        assert_eq!(refused(sql), expected, "{sql}");
    }
    let shape = shape("SELECT * FROM orders").expect("a query");
    let nothing = plan(&shape, &Definitions::default(), (&Rules::default(), &|_| false))
        .map_err(|refusal| refusal.reason);
    assert_eq!(nothing, Err(Reason::NoCatalog));
}

#[test]
fn answers_that_show_what_identifies_their_rows_are_told() {
    for (sql, shows) in [
        ("SELECT * FROM orders WHERE user_id = 5", true),
        ("SELECT code, id FROM orders WHERE user_id = $1 AND code <> 'x' ORDER BY code", true),
        ("SELECT o.id AS x, upper(code) FROM orders o WHERE user_id = 5", true),
        ("SELECT id, count(*) OVER () FROM orders WHERE user_id = 5", true),
        ("SELECT * FROM orders WHERE user_id = 5 ORDER BY code LIMIT 3", true),
        ("SELECT id, count(*) OVER () FROM orders WHERE user_id = 5 LIMIT 3", false),
        ("SELECT * FROM orders WHERE user_id = 5 ORDER BY ntile(2) OVER () LIMIT 3", false),
        ("SELECT * FROM orders WHERE user_id = 5 OFFSET 3", false),
        ("SELECT * FROM orders WHERE id = 5", false),
        ("SELECT * FROM orders", false),
        ("SELECT code FROM orders WHERE user_id = 5", false),
        ("SELECT count(*) FROM orders WHERE user_id = 5", false),
        ("SELECT id + 0 AS id FROM orders WHERE user_id = 5", false),
        ("SELECT DISTINCT id FROM orders WHERE user_id = 5", false),
        ("SELECT id FROM orders WHERE user_id = 5 GROUP BY id", false),
        ("SELECT id FROM orders WHERE user_id = 5 UNION SELECT 3", false),
        ("SELECT x.id FROM (SELECT * FROM orders WHERE user_id = 5) x", false),
        ("SELECT o.id FROM orders o, orders p WHERE o.user_id = 5 AND p.user_id = 5", false),
        ("SELECT id FROM orders o (user_id, id) WHERE user_id = 5", false),
        ("SELECT * FROM names WHERE email = 'a'", false),
        ("SELECT * FROM orders WHERE user_id = 5 AND id IN (SELECT id FROM orders)", false),
    ] {
        let planned =
            plan(&shape(sql).unwrap(), &definitions(), (&Rules::default(), &|_| false)).unwrap();
        let set = planned.shown().map(Shown::set);
        assert_eq!(set, shows.then(|| ColumnSet::new(2, &[1])), "{sql}");
    }
}

#[test]
fn the_functions_that_depend_on_settings_alone_are_in_order() {
    assert!(STEADY.is_sorted());
}

#[test]
fn look_ups_of_one_row_by_what_identifies_it_can_be_patched() {
    let patch = |sql: &str| {
        let values: &[(bool, Option<&[u8]>)] = &[(false, Some(b"5"))];
        planned(sql).expect("it is kept").patch(Parameters { values, ..Parameters::default() }, &[])
    };
    let row = |key: &'static str| Tag::row(1, [(1, key.as_bytes())]);
    for sql in [
        "SELECT tenant, email FROM app.users WHERE id = $1",
        "SELECT u.note, u.id FROM app.users u WHERE u.id = '5'",
        "SELECT id FROM app.users WHERE 5 = id ORDER BY id",
    ] {
        assert_eq!(patch(sql).map(|patch| patch.tag()), Some(row("5")), "{sql}");
    }
    for sql in [
        // The text of a time depends on settings.
        "SELECT * FROM app.users WHERE id = $1",
        "SELECT at FROM app.users WHERE id = $1",
        "SELECT tenant + 1 FROM app.users WHERE id = $1",
        "SELECT tenant FROM app.users WHERE id = $1 AND tenant = 3",
        "SELECT tenant FROM app.users WHERE id = $1 AND tenant > 3",
        "SELECT tenant FROM app.users WHERE id = $1 AND id = 6",
        "SELECT tenant FROM app.users WHERE id = $1 OR tenant = 1",
        "SELECT tenant FROM app.users WHERE id IN ($1, 6)",
        "SELECT tenant FROM app.users WHERE id = ANY ($1)",
        "SELECT tenant FROM app.users WHERE tenant = $1",
        "SELECT tenant FROM app.users WHERE id = $1 LIMIT 0",
        "SELECT DISTINCT tenant FROM app.users WHERE id = $1",
        "SELECT count(*) FROM app.users WHERE id = $1",
        "SELECT u.tenant FROM app.users u JOIN orders o ON o.user_id = u.id WHERE u.id = $1",
        "SELECT id FROM parent WHERE id = $1",
        "SELECT name FROM names WHERE id = $1",
    ] {
        assert_eq!(patch(sql), None, "{sql}");
    }
}

#[test]
fn what_a_rule_covers_needs_nobody_who_tells_of_changes() {
    let covers =
        |name: &Name| ["unlogged", "abroad", "summary", "secrets", "ids"].contains(&&*name.name);
    let of = |sql: &str| {
        plan(&shape(sql).expect("a shape"), &definitions(), (&Rules::default(), &covers))
    };
    let word = |sql: &str| of(sql).map_or_else(|no| no.reason.word(), |_| "kept");
    for (sql, said) in [
        ("SELECT * FROM unlogged", "kept"),
        ("SELECT * FROM abroad", "kept"),
        ("SELECT * FROM summary", "kept"),
        ("SELECT * FROM of_unlogged", "kept"),
        ("SELECT * FROM secrets", "row-security"),
        ("SELECT * FROM ids", "sequence"),
        ("SELECT now() FROM unlogged", "function"),
    ] {
        assert_eq!(word(sql), said, "{sql}");
    }
    assert!(of("SELECT * FROM unlogged").is_ok_and(|plan| plan.covers_all()));
    assert!(
        of("SELECT * FROM unlogged, orders").is_ok_and(|plan| !plan.covers_all() && plan.covers(7))
    );
}

#[test]
fn what_a_function_is_said_to_read_is_read_as_a_whole() {
    let declared = |schema: &str, name: &str, reads: &[&str]| Declared {
        name: Name::new(schema, name),
        reads: reads.iter().map(|table| TableName::parse(table)).collect(),
    };
    let only = Rules::default().with_functions(vec![
        declared("app", "tax", &[]),
        declared("app", "price", &["app.orders", "names"]),
        declared("app", "next_price", &["app.orders"]),
    ]);
    let mut both = only.functions().cloned().collect::<Vec<_>>();
    both.push(declared("other", "price", &["parent"]));
    let both = Rules::default().with_functions(both);
    let of = |rules: &Rules, sql: &str| {
        let made = plan(&shape(sql).unwrap(), &definitions(), (rules, &|_| false));
        let tags = made.map(|plan| BTreeSet::from_iter(plan.tags(Parameters::default()).to_vec()));
        tags.map_err(|refusal| (refusal.reason.word(), refusal.subject.unwrap_or_default()))
    };
    let tables = |oids: &[Oid]| BTreeSet::from_iter(oids.iter().flat_map(|oid| table(*oid)));
    let seventh = |oid: Oid| BTreeSet::from_iter(row(oid, &[(1, "7")]));
    assert_eq!(of(&only, "SELECT app.price(1)"), Ok(tables(&[1, 2])));
    assert_eq!(of(&only, "SELECT * FROM app.price(1) p"), Ok(tables(&[1, 2])));
    assert_eq!(of(&only, "SELECT tax(email) FROM app.users WHERE id = 7"), Ok(seventh(1)));
    let priced = "SELECT app.price(id) FROM parent WHERE id = 7";
    assert_eq!(of(&only, priced), Ok(tables(&[1, 2, 5, 6])));
    let own = "SELECT app.price(id) FROM orders WHERE id = 7";
    assert_eq!(of(&only, own), Ok(&seventh(2) | &tables(&[1, 2])));
    // `search_path` decides which one is called.
    assert_eq!(of(&only, "SELECT price(1)"), Err(("function", "other.price".to_owned())));
    assert_eq!(of(&both, "SELECT price(1)"), Ok(tables(&[1, 2, 5, 6])));
    let volatile = Err(("volatile-function", "app.next_price".to_owned()));
    assert_eq!(of(&both, "SELECT app.next_price(id) FROM app.users"), volatile);
    assert_eq!(of(&only, "SELECT app.tax(1)"), Err(("no-tables", String::new())));
    let lost = Rules::default().with_functions(vec![declared("app", "tax", &["gone"])]);
    let unknown = Err(("unknown-table", "gone".to_owned()));
    assert_eq!(of(&lost, "SELECT tax(email) FROM app.users"), unknown);
    let secret = Rules::default().with_functions(vec![declared("app", "tax", &["secrets"])]);
    let guarded = Err(("row-security", "app.secrets".to_owned()));
    assert_eq!(of(&secret, "SELECT tax(email) FROM app.users"), guarded);
}
