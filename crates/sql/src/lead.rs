//! A query with one of its tables in front of the others, where that changes neither its rows nor the work they take: what a planner is asked that looks
//! at the first table of a level alone. Not a rewrite for people.
//!
//! Invariant: only sides of inner joins change places; without one that is the table, there is no text.

use crate::Table;
use crate::parse::{NodeEnum, parse, tree, write};

/// Levels inside each other that are looked at.
const MAX_DEPTH: usize = 32;

/// The text with this table first in every `FROM` that has it, but does not begin with it; `None` when there is none that can be changed.
#[must_use]
pub fn led_by(sql: &str, table: &Table) -> Option<String> {
    let mut nodes = parse(sql)?;
    let [NodeEnum::SelectStmt(select)] = nodes.as_mut_slice() else { return None };
    if !lead(select, table, 0) {
        return None;
    }
    write(nodes.first()?)
}

/// Whether something was moved.
fn lead(select: &mut tree::SelectStmt, table: &Table, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    let mut moved = false;
    for query in select.with_clause.iter_mut().flat_map(|with| &mut with.ctes) {
        if let Some(NodeEnum::CommonTableExpr(query)) = &mut query.node {
            moved |= lead_inner(query.ctequery.as_deref_mut(), table, depth);
        }
    }
    for side in [&mut select.larg, &mut select.rarg].into_iter().flatten() {
        moved |= lead(side, table, depth + 1);
    }
    for item in &mut select.from_clause {
        moved |= lead_parts(item, table, depth + 1);
    }
    let place = select.from_clause.iter().position(|item| can_lead(item, table, depth));
    if let Some(place) = place {
        let inside = select.from_clause.get_mut(place).is_some_and(|item| turn(item, table, depth));
        select.from_clause.swap(0, place);
        moved |= place > 0 || inside;
    }
    moved
}

fn lead_inner(node: Option<&mut tree::Node>, table: &Table, depth: usize) -> bool {
    match node.and_then(|it| it.node.as_mut()) {
        Some(NodeEnum::SelectStmt(select)) => lead(select, table, depth + 1),
        _ => false,
    }
}

/// Queries among the things of a `FROM`.
#[allow(clippy::wildcard_enum_match_arm, reason = "nothing else has a query in it")]
fn lead_parts(item: &mut tree::Node, table: &Table, depth: usize) -> bool {
    match &mut item.node {
        Some(NodeEnum::RangeSubselect(part)) if depth <= MAX_DEPTH => {
            lead_inner(part.subquery.as_deref_mut(), table, depth)
        }
        Some(NodeEnum::JoinExpr(join)) if depth <= MAX_DEPTH => {
            let sides = [&mut join.larg, &mut join.rarg].into_iter().flatten();
            sides.map(|side| lead_parts(side, table, depth + 1)).filter(|moved| *moved).count() > 0
        }
        _ => false,
    }
}

/// Whether an item is the table, or can be turned so that it begins with it.
#[allow(clippy::wildcard_enum_match_arm, reason = "nothing else is a table")]
fn can_lead(item: &tree::Node, table: &Table, depth: usize) -> bool {
    let side = |side: &Option<Box<tree::Node>>| {
        side.as_deref().is_some_and(|side| can_lead(side, table, depth + 1))
    };
    match &item.node {
        Some(NodeEnum::RangeVar(range)) => {
            let schema = table.schema.as_deref();
            *range.relname == *table.name
                && (range.schemaname.is_empty() || schema == Some(range.schemaname.as_str()))
        }
        Some(NodeEnum::JoinExpr(join)) if depth <= MAX_DEPTH => {
            side(&join.larg) || (is_inner(join) && side(&join.rarg))
        }
        _ => false,
    }
}

/// Turns joins until the table is leftmost; whether there was one to turn.
fn turn(item: &mut tree::Node, table: &Table, depth: usize) -> bool {
    let Some(NodeEnum::JoinExpr(join)) = item.node.as_mut().filter(|_| depth <= MAX_DEPTH) else {
        return false;
    };
    let left = join.larg.as_deref().is_some_and(|side| can_lead(side, table, depth + 1));
    if !left {
        std::mem::swap(&mut join.larg, &mut join.rarg);
    }
    let inside = join.larg.as_deref_mut().is_some_and(|side| turn(side, table, depth + 1));
    !left || inside
}

/// `JOIN … ON`: its sides have the same columns in either order.
fn is_inner(join: &tree::JoinExpr) -> bool {
    join.jointype == tree::JoinType::JoinInner as i32
        && !join.is_natural
        && join.using_clause.is_empty()
        && join.alias.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(sql: &str) -> Option<String> {
        led_by(sql, &Table { schema: Some("public".into()), name: "t".into() })
    }

    #[test]
    fn the_table_comes_first_where_that_is_the_same_query() {
        for (sql, wanted) in [
            ("SELECT 1 FROM a, t, b", "SELECT 1 FROM t, a, b"),
            (
                "SELECT 1 FROM a JOIN public.t ON a.x = t.x",
                "SELECT 1 FROM public.t JOIN a ON a.x = t.x",
            ),
            (
                "SELECT 1 FROM a JOIN (b JOIN t ON true) ON true LEFT JOIN c ON true",
                "SELECT 1 FROM t JOIN b ON true JOIN a ON true LEFT JOIN c ON true",
            ),
            (
                "SELECT s FROM (SELECT sum(x) AS s FROM a, t GROUP BY y) AS q",
                "SELECT s FROM (SELECT sum(x) AS s FROM t, a GROUP BY y) q",
            ),
            (
                "WITH w AS (SELECT 1 FROM a, t) SELECT 1 FROM w",
                "WITH w AS (SELECT 1 FROM t, a) SELECT 1 FROM w",
            ),
        ] {
            assert_eq!(led(sql).as_deref(), Some(wanted), "{sql}");
        }
    }

    #[test]
    fn what_would_be_another_query_stays() {
        for sql in [
            "SELECT 1 FROM t, a",
            "SELECT 1 FROM a",
            "SELECT 1 FROM other.t, t1",
            "SELECT 1 FROM a, other.t",
            "SELECT 1 FROM a LEFT JOIN t ON true",
            "SELECT * FROM a NATURAL JOIN t",
            "SELECT * FROM a JOIN t USING (x)",
            "SELECT 1 FROM t JOIN a ON true",
            "UPDATE a SET x = 1 FROM t",
            "SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM b, t)",
        ] {
            assert_eq!(led(sql), None, "{sql}");
        }
    }
}
