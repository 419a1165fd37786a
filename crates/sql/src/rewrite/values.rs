//! Where values for a query's parameters can be had: what each is compared with. For trying a query out; not a rule.
//!
//! Invariant: an expression is one of columns of one table alone, so that the table gives values for it.

use crate::parse::{NodeEnum, parse, tree};

use super::query::{
    Relation, Source, column_names, conditions, each, is_simple, operator, quoted, sources, text_of,
};

/// Levels of a query that are looked into.
const MAX_DEPTH: usize = 8;

/// What a parameter is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// It is compared with what this query gives, a value a row.
    Compared(String),
    /// So many rows: `LIMIT`.
    Limit,
    /// So many rows are passed over: `OFFSET`.
    Offset,
}

/// What the parameters of a text with one query are for, by their numbers from 1 on; a parameter that is not in it is for nothing that is known. Both sides of `BETWEEN` and the arms of
/// `OR` are known, too.
#[must_use]
pub fn purposes(sql: &str) -> Vec<(usize, Purpose)> {
    let mut found = Vec::new();
    if let Some([NodeEnum::SelectStmt(select)]) = parse(sql).as_deref() {
        level(select, &mut found, 0);
    }
    found
}

fn level(select: &tree::SelectStmt, found: &mut Vec<(usize, Purpose)>, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    for (node, purpose) in
        [(&select.limit_count, Purpose::Limit), (&select.limit_offset, Purpose::Offset)]
    {
        found.extend(node.as_deref().and_then(parameter).map(|number| (number, purpose)));
    }
    let own = sources(select).unwrap_or_default();
    for condition in conditions(select) {
        compared(condition, &own, found, 0);
    }
    let inner = |node: &NodeEnum, found: &mut Vec<(usize, Purpose)>| {
        if let NodeEnum::SubLink(link) = node
            && let Some(NodeEnum::SelectStmt(inner)) =
                link.subselect.as_ref().and_then(|it| it.node.as_ref())
        {
            level(inner, found, depth + 1);
        }
    };
    let parts = select.target_list.iter().chain(select.where_clause.as_deref());
    parts.for_each(|part| each(part, &mut |node| inner(node, found)));
    for item in &select.from_clause {
        if let Some(NodeEnum::RangeSubselect(range)) = &item.node
            && let Some(NodeEnum::SelectStmt(inner)) =
                range.subquery.as_ref().and_then(|it| it.node.as_ref())
        {
            level(inner, found, depth + 1);
        }
    }
}

/// The parameters of a condition that stand against an expression.
fn compared(
    condition: &tree::Node,
    sources: &[Source],
    found: &mut Vec<(usize, Purpose)>,
    depth: usize,
) {
    if depth > MAX_DEPTH {
        return;
    }
    if let Some(NodeEnum::BoolExpr(all)) = &condition.node {
        return all.args.iter().for_each(|part| compared(part, sources, found, depth + 1));
    }
    let sides = match operator(condition) {
        Some((_, left, right)) => vec![(left, right), (right, left)],
        None => between(condition),
    };
    for (value, side) in sides {
        if let (Some(number), Some(query)) = (parameter(value), giving(side, sources)) {
            found.push((number, Purpose::Compared(query)));
        }
    }
}

/// The bounds of `BETWEEN`, and the values of `IN`, each with what it is compared with.
fn between(condition: &tree::Node) -> Vec<(&tree::Node, &tree::Node)> {
    let Some(NodeEnum::AExpr(expression)) = &condition.node else { return Vec::new() };
    let (Some(left), Some(right)) = (expression.lexpr.as_deref(), expression.rexpr.as_deref())
    else {
        return Vec::new();
    };
    match &right.node {
        Some(NodeEnum::List(list)) => list.items.iter().map(|value| (value, left)).collect(),
        _ => Vec::new(),
    }
}

/// The number of a parameter, with or without a type.
fn parameter(node: &tree::Node) -> Option<usize> {
    match node.node.as_ref()? {
        NodeEnum::ParamRef(parameter) => usize::try_from(parameter.number).ok(),
        NodeEnum::TypeCast(cast) => parameter(cast.arg.as_deref()?),
        _ => None,
    }
}

/// A query for values of an expression of one table's columns.
fn giving(expression: &tree::Node, sources: &[Source]) -> Option<String> {
    let mut names = column_names(expression).into_iter();
    let (first, _) = names.next()?;
    let source = match &first {
        Some(called) => sources.iter().find(|source| source.called == *called)?,
        None => match sources {
            [only] => only,
            _ => return None,
        },
    };
    let own =
        |(qualifier, _): (Option<String>, String)| qualifier.is_none_or(|it| it == source.called);
    let simple = is_simple(expression) || matches!(expression.node, Some(NodeEnum::FuncCall(_)));
    if !simple || !names.all(own) {
        return None;
    }
    let Relation { schema, name } = &source.relation;
    let schema = schema.as_ref().map(|schema| format!("{}.", quoted(schema))).unwrap_or_default();
    Some(format!(
        "SELECT {} FROM {schema}{} AS {}",
        text_of(expression)?,
        quoted(name),
        quoted(&source.called)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> Vec<(usize, String)> {
        let words = |purpose| match purpose {
            Purpose::Compared(query) => query,
            Purpose::Limit => "limit".to_owned(),
            Purpose::Offset => "offset".to_owned(),
        };
        let mut found: Vec<_> =
            purposes(sql).into_iter().map(|(number, purpose)| (number, words(purpose))).collect();
        found.sort();
        found
    }

    #[test]
    fn parameters_are_compared_with_expressions_of_one_table() {
        let query = |text: &str| text.to_owned();
        assert_eq!(
            of(
                "SELECT count(*) > $1 FROM t WHERE a = $2 AND lower(b) = $3::text AND c BETWEEN $4 AND $5 LIMIT $6 OFFSET $7"
            ),
            [
                (2, query(r#"SELECT a FROM "t" AS "t""#)),
                (3, query(r#"SELECT lower(b) FROM "t" AS "t""#)),
                (4, query(r#"SELECT c FROM "t" AS "t""#)),
                (5, query(r#"SELECT c FROM "t" AS "t""#)),
                (6, query("limit")),
                (7, query("offset")),
            ]
        );
        assert_eq!(
            of(
                "SELECT 1 FROM s.t x JOIN u y ON x.id = y.id WHERE (x.a = $1 OR $2 < y.b) AND EXISTS (SELECT 1 FROM v WHERE d IN ($3, 4))"
            ),
            [
                (1, query(r#"SELECT x.a FROM "s"."t" AS "x""#)),
                (2, query(r#"SELECT y.b FROM "u" AS "y""#)),
                (3, query(r#"SELECT d FROM "v" AS "v""#)),
            ]
        );
    }

    #[test]
    fn what_no_table_alone_gives_is_not_known() {
        assert!(of("SELECT 1 FROM t, u WHERE a = $1").is_empty(), "whose column?");
        assert!(of("SELECT 1 FROM t, u WHERE t.a + u.a = $1").is_empty());
        assert!(of("SELECT $1 FROM t WHERE $2 = 5").is_empty());
        assert!(of("UPDATE t SET a = 1 WHERE b = $1").is_empty());
    }
}
