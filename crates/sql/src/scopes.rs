//! What a statement asks of its relations, one level of query at a time: conditions on columns, joins, order, groups, and every column that
//! is used. For advice on indexes. Not what names mean (that needs a catalog), and not exact: a construct that is not looked into costs
//! a column or a condition, so nothing that has to be right may be concluded from it.
//!
//! Invariant: bounded by [`MAX_SCOPES`] and [`MAX_NAMES`] of each kind per scope.

mod conditions;
mod walk;

use crate::parse::parse;
use crate::{MAX_NAMES, Table};

/// Levels of one statement that are looked at.
pub const MAX_SCOPES: usize = 64;

/// One level: a `SELECT`, `UPDATE` or `DELETE` with its own `FROM`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// The level around it, by its place in the list: where names that are unknown here come from.
    pub around: Option<usize>,
    /// What is read (or changed).
    pub sources: Vec<Source>,
    /// What restricts or joins its rows.
    pub conditions: Vec<Condition>,
    /// Its `ORDER BY`, as far as it is of columns.
    pub order: Vec<Order>,
    /// Its `GROUP BY` or `DISTINCT`, if it is of columns alone.
    pub group: Vec<Name>,
    /// Every column that is used in it.
    pub columns: Vec<Name>,
    /// Those of them that are used for more than to be compared with each other, in a condition that must hold.
    pub needed: Vec<Name>,
    /// `*` (`None`) and `t.*`.
    pub everything: Vec<Option<Box<str>>>,
    /// It has a `LIMIT`.
    pub limited: bool,
    /// Columns that an `UPDATE` sets.
    pub sets: Vec<Box<str>>,
}

/// A thing in a `FROM`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The relation; `None` for a query, a function, and the name of a `WITH` query.
    pub table: Option<Table>,
    /// The name under which its columns are asked for.
    pub alias: Box<str>,
    /// The statement changes it.
    pub changed: bool,
}

/// A column as it is written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name {
    /// Of which source, where it says so.
    pub of: Option<Box<str>>,
    /// The column.
    pub column: Box<str>,
}

/// What must hold for a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// The column.
    pub column: Name,
    /// What must hold.
    pub test: Test,
    /// The constant it is compared with, where one is written.
    pub value: Option<Box<str>>,
    /// It is one arm of an `OR`: another arm may hold instead.
    pub alternative: bool,
}

/// How a column is tested.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Test {
    /// Equals a value that does not depend on other columns of its level.
    Equal,
    /// Equals one of so many values; 0: of an unknown number.
    In(usize),
    /// `<`, `<=`, `>`, `>=`, `BETWEEN`.
    Range,
    /// `LIKE` with a fixed beginning.
    Prefix,
    /// `IS NULL`.
    Null,
    /// `IS NOT NULL`.
    NotNull,
    /// Equals a column of something else, or what a query returns.
    Joined(Option<Name>),
    /// In small or in capital letters it equals a value: `lower(column) = 'x'`.
    Cased(Case),
    /// Is below another column, or as large if the flag says so: `a < b`, and `b > a` as well.
    Below(Name, bool),
    /// Has something in it.
    Searched(Search),
}

/// What is searched for in a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Search {
    /// Three or more letters anywhere in a text: `LIKE '%abc%'`, also in small or capital letters.
    Text,
    /// All of another document or array: `@>`.
    Contained,
    /// Keys, elements or words, all or some: `?`, `?|`, `?&`, `&&`, `@@`.
    Elements,
}

/// A function of texts that forgets about capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Case {
    /// `lower`.
    Lower,
    /// `upper`.
    Upper,
}

/// A column of an `ORDER BY`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// The column.
    pub column: Name,
    /// Largest first.
    pub descending: bool,
    /// Nulls in front.
    pub nulls_first: bool,
}

/// The levels of a single statement, outer ones before inner ones; `EXPLAIN` is looked through. `None` when the text is not one statement that parses.
#[must_use]
pub fn scopes(sql: &str) -> Option<Vec<Scope>> {
    let nodes = parse(sql)?;
    let [node] = nodes.as_slice() else { return None };
    Some(walk::scopes(node))
}

/// One more of a kind, without repetition.
fn put<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if list.len() < MAX_NAMES && !list.contains(&one) {
        list.push(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        match text.split_once('.') {
            Some((of, column)) => Name { of: Some(of.into()), column: column.into() },
            None => Name { of: None, column: text.into() },
        }
    }

    fn tests(scope: &Scope) -> Vec<(String, Test)> {
        scope
            .conditions
            .iter()
            .map(|one| (one.column.column.to_string(), one.test.clone()))
            .collect()
    }

    #[test]
    fn conditions_are_told_by_what_they_test() {
        let all = scopes(
            "SELECT a FROM t WHERE b = 1 AND 'x' = c AND d IN (1, 2, 3) AND e = ANY($1) AND f BETWEEN 1 AND 2 AND g > now() \
             AND 5 >= h AND i LIKE 'ab%' AND j LIKE '%ab' AND k IS NULL AND l IS NOT NULL AND m <> 4 AND n",
        )
        .unwrap();
        let expected = [
            ("b", Test::Equal),
            ("c", Test::Equal),
            ("d", Test::In(3)),
            ("e", Test::In(0)),
            ("f", Test::Range),
            ("g", Test::Range),
            ("h", Test::Range),
            ("i", Test::Prefix),
            ("k", Test::Null),
            ("l", Test::NotNull),
            ("n", Test::Equal),
        ];
        let expected: Vec<_> =
            expected.into_iter().map(|(column, test)| (column.to_owned(), test)).collect();
        assert_eq!(tests(&all[0]), expected);
        assert_eq!(all[0].columns.len(), 14);
        assert_eq!(all[0].conditions[1].value.as_deref(), Some("x"));
    }

    #[test]
    fn searches_for_what_is_in_a_value_are_told_by_what_they_search_for() {
        let all = scopes(
            "SELECT 1 FROM t WHERE a LIKE '%abc%' AND b ILIKE 'Abc%' AND c LIKE '%ab%' AND d ILIKE $1 AND e @> '{1}' AND f ? 'k' \
             AND g && $1 AND h @@ to_tsquery('x') AND i @> j AND k NOT LIKE '%abc%' AND l LIKE '%a_b c%'",
        )
        .unwrap();
        let of = |search| Test::Searched(search);
        let expected = [
            ("a", of(Search::Text)),
            ("b", of(Search::Text)),
            ("e", of(Search::Contained)),
            ("f", of(Search::Elements)),
            ("g", of(Search::Elements)),
            ("h", of(Search::Elements)),
        ];
        assert_eq!(tests(&all[0]), expected.map(|(column, test)| (column.to_owned(), test)));
    }

    #[test]
    fn columns_are_joined_in_both_directions_also_by_on_and_using() {
        let all = scopes("SELECT 1 FROM a, b JOIN c ON c.x = b.y JOIN d USING (z) WHERE a.p = b.q")
            .unwrap();
        let joined: Vec<_> = all[0]
            .conditions
            .iter()
            .filter(|one| matches!(one.test, Test::Joined(_)))
            .map(|one| one.column.clone())
            .collect();
        for column in ["a.p", "b.q", "c.x", "b.y", "z"] {
            assert!(joined.contains(&name(column)), "{column} in {joined:?}");
        }
        assert_eq!(all[0].sources.len(), 4);
    }

    #[test]
    fn inner_queries_are_levels_of_their_own() {
        let all = scopes(
            "WITH w AS (SELECT k FROM t1 WHERE v = 2) SELECT (SELECT max(m) FROM t2 WHERE t2.r = t3.r) FROM t3, w, (SELECT s FROM t4) AS q \
             WHERE t3.id IN (SELECT id FROM t5) AND EXISTS (SELECT 1 FROM t6 WHERE t6.a = t3.b) UNION SELECT z FROM t7",
        )
        .unwrap();
        let tables: Vec<String> = all
            .iter()
            .flat_map(|scope| &scope.sources)
            .filter_map(|source| Some(source.table.as_ref()?.name.to_string()))
            .collect();
        for table in ["t1", "t2", "t3", "t4", "t5", "t6", "t7"] {
            assert!(tables.contains(&table.to_owned()), "{table} in {tables:?}");
        }
        assert!(!tables.contains(&"w".to_owned()), "the name of a WITH query is no table");
        let of = |table: &str| {
            all.iter()
                .find(|scope| {
                    scope
                        .sources
                        .iter()
                        .any(|it| it.table.as_ref().is_some_and(|it| *it.name == *table))
                })
                .unwrap()
        };
        assert_eq!(tests(of("t5")), [("id".to_owned(), Test::Joined(None))]);
        assert!(of("t6").around.is_some_and(|around| all[around] == *of("t3")));
        assert!(tests(of("t3")).contains(&("id".to_owned(), Test::Joined(None))));
    }

    #[test]
    fn what_all_arms_of_an_or_say_is_sure_and_the_rest_is_not() {
        let all = scopes("SELECT 1 FROM t, u WHERE (t.a = u.a AND b = 1 AND c = 'x') OR (t.a = u.a AND b = 2 AND c = 'x')").unwrap();
        let sure = |column: &str| {
            let mut of = all[0].conditions.iter().filter(|one| *one.column.column == *column);
            of.all(|one| !one.alternative)
        };
        assert!(sure("a") && sure("c") && !sure("b"));
    }

    #[test]
    fn order_and_groups_may_be_names_of_the_output_or_numbers() {
        let all = scopes(
            "SELECT a AS x, b, sum(c) AS s FROM t GROUP BY 1, b ORDER BY x DESC, 2, s LIMIT 3",
        )
        .unwrap();
        assert_eq!(all[0].group, [name("a"), name("b")]);
        let order: Vec<_> =
            all[0].order.iter().map(|it| (it.column.clone(), it.descending)).collect();
        assert_eq!(order, [(name("a"), true), (name("b"), false)]);
        assert!(all[0].limited && all[0].order[0].nulls_first);
    }

    #[test]
    fn updates_and_deletes_have_conditions_and_columns_that_are_set() {
        let all =
            scopes("UPDATE s.t AS u SET a = 1, b = c + 1 FROM v WHERE u.id = v.id AND d = $1")
                .unwrap();
        assert_eq!(all[0].sets, ["a".into(), "b".into()]);
        assert!(all[0].sources[0].changed && !all[0].sources[1].changed);
        assert_eq!(*all[0].sources[0].alias, *"u");
        let all = scopes("DELETE FROM t WHERE a < 3").unwrap();
        assert_eq!(tests(&all[0]), [("a".to_owned(), Test::Range)]);
        let all = scopes("INSERT INTO t SELECT a FROM u WHERE b = 1").unwrap();
        assert_eq!(tests(&all[0]), [("b".to_owned(), Test::Equal)]);
    }

    #[test]
    fn one_column_below_another_is_told_from_either_side() {
        let all = scopes("EXPLAIN SELECT * FROM t WHERE a < b AND c = d + 1 AND t.e >= f").unwrap();
        let expected = [
            ("a".to_owned(), Test::Below(name("b"), false)),
            ("c".to_owned(), Test::Joined(None)),
            ("f".to_owned(), Test::Below(name("t.e"), true)),
        ];
        assert_eq!(tests(&all[0]), expected);
        assert_eq!(all[0].everything, [None]);
        assert_eq!((all[0].columns.len(), &all[0].needed), (6, &vec![name("c"), name("d")]));
        let all = scopes("SELECT a FROM t WHERE a < b AND (c < d OR e)").unwrap();
        assert_eq!(all[0].needed, ["c", "d", "e", "a"].map(name));
    }

    #[test]
    fn what_exists_selects_is_not_used() {
        let all = scopes("SELECT a FROM t WHERE EXISTS (SELECT * FROM u WHERE u.b = t.c)").unwrap();
        assert!(all.iter().all(|scope| scope.everything.is_empty()));
    }

    #[test]
    fn several_statements_and_no_statement_are_refused() {
        assert_eq!(scopes("SELECT 1; SELECT 2"), None);
        assert_eq!(scopes("SELEC 1"), None);
    }
}
