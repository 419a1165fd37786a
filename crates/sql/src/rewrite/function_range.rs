//! A function around a column: `made::date = '2024-05-01'`, `date_trunc('month', made) = …`, `extract(year FROM made) = 2024`. An index on the column cannot be used; a range
//! can be looked up in it.
//!
//! Invariant: a text only where the value is written out and is one that the function can give.

use crate::parse::{NodeEnum, tree};

use super::query::{
    Column, call, cast, column, conditions, integer, literal, operator, sources, text_of,
    with_condition,
};
use super::{Need, Rewrite, Rule};

const TIMESTAMPS: &[&str] = &["timestamp without time zone", "timestamp with time zone"];
const TIMES: &[&str] = &["timestamp without time zone", "timestamp with time zone", "date"];

/// From this day, until that one.
struct Range {
    column: Column,
    from: String,
    until: String,
    types: &'static [&'static str],
}

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let all = conditions(select);
    let at = all.iter().position(|condition| is_wrapped(condition))?;
    let condition = all.get(at)?;
    let range = sources(select).and_then(|sources| {
        let (name, left, right) = operator(condition)?;
        (name == "=").then(|| {
            day(left, right, &sources)
                .or_else(|| truncated(left, right, &sources))
                .or_else(|| year(left, right, &sources))
        })?
    });
    let (text, needs) = match range {
        Some(range) => {
            let column = range.column.text();
            let text = with_condition(
                select,
                at,
                &format!("{column} >= {} AND {column} < {}", range.from, range.until),
            );
            let need = Need::Type {
                relation: range.column.source.relation,
                column: range.column.name,
                types: range.types,
            };
            (text, vec![need])
        }
        None => (None, Vec::new()),
    };
    let why = if text.is_some() {
        "an index on the column is of no use for a value that is computed from it; a range is looked up in it"
    } else {
        "an index on the column is of no use for a value that is computed from it: compare the column itself, or make an index on the expression (and ANALYZE)"
    };
    Some(Rewrite {
        rule: Rule::FunctionOnColumn,
        part: text_of(condition)?,
        why: why.to_owned(),
        text,
        needs,
    })
}

/// A computed column against a value.
fn is_wrapped(condition: &tree::Node) -> bool {
    let Some((name, left, right)) = operator(condition) else { return false };
    let value = matches!(
        right.node,
        Some(NodeEnum::AConst(_) | NodeEnum::ParamRef(_) | NodeEnum::TypeCast(_))
    );
    let comparison = ["=", "<", "<=", ">", ">="].contains(&name.as_str());
    let wrapped = match cast(left) {
        Some((argument, kind)) => {
            kind == "date" && matches!(argument.node, Some(NodeEnum::ColumnRef(_)))
        }
        None => call(left).is_some_and(|(_, call)| {
            call.args.iter().any(|argument| matches!(argument.node, Some(NodeEnum::ColumnRef(_))))
        }),
    };
    comparison && value && wrapped
}

/// `column::date = '2024-05-01'`.
fn day(left: &tree::Node, right: &tree::Node, sources: &[super::query::Source]) -> Option<Range> {
    let (argument, kind) = cast(left).filter(|(_, kind)| kind == "date")?;
    debug_assert_eq!(kind, "date");
    let date = date(right)?;
    Some(Range {
        column: column(argument, sources)?,
        from: typed(&date),
        until: format!("{} + 1", typed(&date)),
        types: TIMESTAMPS,
    })
}

/// `date_trunc('month', column) = '2024-05-01'`.
fn truncated(
    left: &tree::Node,
    right: &tree::Node,
    sources: &[super::query::Source],
) -> Option<Range> {
    let (name, call) = call(left)?;
    let [unit, argument] = call.args.as_slice() else { return None };
    let date = date(right)?;
    let unit = literal(unit).filter(|_| name == "date_trunc")?;
    let aligned = match unit.as_str() {
        "day" => true,
        "month" => date.ends_with("-01"),
        "year" => date.ends_with("-01-01"),
        _ => false,
    };
    if !aligned {
        return None;
    }
    let until = format!("({} + interval '1 {unit}')::date", typed(&date));
    Some(Range { column: column(argument, sources)?, from: typed(&date), until, types: TIMESTAMPS })
}

/// `extract(year FROM column) = 2024`.
fn year(left: &tree::Node, right: &tree::Node, sources: &[super::query::Source]) -> Option<Range> {
    let (name, call) = call(left)?;
    let [unit, argument] = call.args.as_slice() else { return None };
    let year = integer(right).filter(|year| (1..9_999).contains(year))?;
    if !["extract", "date_part"].contains(&name.as_str()) || literal(unit)?.to_lowercase() != "year"
    {
        return None;
    }
    Some(Range {
        column: column(argument, sources)?,
        from: typed(&format!("{year:04}-01-01")),
        until: typed(&format!("{:04}-01-01", year + 1)),
        types: TIMES,
    })
}

fn typed(date: &str) -> String {
    format!("'{date}'::date")
}

/// A day that is written out, and nothing but a day.
fn date(node: &tree::Node) -> Option<String> {
    let inner = match cast(node) {
        Some((inner, kind)) if ["date", "timestamp", "timestamptz"].contains(&kind.as_str()) => {
            inner
        }
        Some(_) => return None,
        None => node,
    };
    let text = literal(inner)?;
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |part: &str, count: usize| {
        part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    match parts.as_slice() {
        [year, month, day]
            if digits(year, 4) && digits(month, 2) && digits(day, 2) && *year != "0000" =>
        {
            Some(text)
        }
        _ => None,
    }
}
