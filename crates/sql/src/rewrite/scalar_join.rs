//! A subquery that computes one value for each row: `(SELECT sum(x) FROM o WHERE o.customer = c.id)`. Computed for all at once, grouped by what it compares,
//! and joined, it is read once.
//!
//! Invariant: rows without a partner keep what the aggregate of no rows is: null, or 0 for a count.

use crate::parse::{NodeEnum, tree, write};

use super::query::{
    Source, call, column, column_name, column_names, conditions, from_text, is_one_level,
    is_plain_but_aggregates, of, operator, quoted, sources, text_of,
};
use super::{Rewrite, Rule};

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let mut found = None;
    for node in select.target_list.iter().chain(select.where_clause.as_deref()) {
        super::query::each(node, &mut |inner| {
            if let NodeEnum::SubLink(link) = inner
                && found.is_none()
                && let Some(query) = correlated(link, select)
            {
                found = Some((link.clone(), query));
            }
        });
    }
    let (link, inner) = found?;
    let part = text_of(&of(NodeEnum::SubLink(link.clone())))?;
    let text = rewritten(select, &link, &inner);
    let why = "the subquery is computed anew for each row; computed once for all, grouped by what it compares, its table is read once";
    Some(Rewrite {
        rule: Rule::CorrelatedSubquery,
        part,
        why: why.to_owned(),
        text,
        needs: Vec::new(),
    })
}

/// A subquery with an aggregate that names a table of the query around it.
fn correlated(link: &tree::SubLink, outer: &tree::SelectStmt) -> Option<tree::SelectStmt> {
    if link.sub_link_type() != tree::SubLinkType::ExprSublink {
        return None;
    }
    let NodeEnum::SelectStmt(inner) = link.subselect.as_deref()?.node.as_ref()? else {
        return None;
    };
    let outer = sources(outer)?;
    let own = sources(inner)?;
    let (name, _) = aggregate(inner)?;
    let known =
        ["sum", "avg", "min", "max", "count", "bool_or", "bool_and"].contains(&name.as_str());
    let names = |sources: &[Source], name: &str| sources.iter().any(|source| source.called == name);
    let is_outer = conditions(inner).into_iter().flat_map(column_names).any(|(qualifier, _)| {
        qualifier.is_some_and(|name| names(&outer, &name) && !names(&own, &name))
    });
    (known && is_outer).then(|| (**inner).clone())
}

fn aggregate(inner: &tree::SelectStmt) -> Option<(String, &tree::Node)> {
    let [target] = inner.target_list.as_slice() else { return None };
    let NodeEnum::ResTarget(target) = target.node.as_ref()? else { return None };
    let value = target.val.as_deref()?;
    Some((call(value)?.0, value))
}

fn rewritten(
    select: &tree::SelectStmt,
    link: &tree::SubLink,
    inner: &tree::SelectStmt,
) -> Option<String> {
    let outer_sources = sources(select)?;
    let inner_sources = sources(inner)?;
    let everything = select.target_list.iter().any(is_bare_star);
    let [item] = select.from_clause.as_slice() else { return None };
    if everything || !is_one_level(select) || !is_plain_but_aggregates(inner) {
        return None;
    }
    let Parts { own, other, rest, name, value } = parts(inner, &inner_sources, &outer_sources)?;
    let condition = if rest.is_empty() {
        String::new()
    } else {
        format!(
            " WHERE {}",
            rest.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" AND ")
        )
    };
    let (all, key_name, value_name) =
        (quoted("howdah_all"), quoted("howdah_key"), quoted("howdah_value"));
    let derived = format!(
        "(SELECT {own} AS {key_name}, {} AS {value_name} FROM {}{condition} GROUP BY {own}) AS {all}",
        text_of(&value)?,
        from_text(&inner.from_clause)?
    );
    let from = format!(
        "{} LEFT JOIN {derived} ON {all}.{key_name} = {other}",
        from_text(std::slice::from_ref(item))?
    );
    let joined = super::query::query(&format!("SELECT 1 FROM {from}"))?;
    let value = match name.as_str() {
        "count" => format!("COALESCE({all}.{value_name}, 0)"),
        _ => format!("{all}.{value_name}"),
    };
    let mut whole = select.clone();
    whole.from_clause = joined.from_clause;
    keep_name(&mut whole, link, &name);
    let marker = NodeEnum::SubLink(Box::new(link.clone()));
    let value = super::query::expression(&value)?;
    let mut replaced = 0;
    for target in &mut whole.target_list {
        replaced += replace(target, &marker, &value);
    }
    if let Some(condition) = whole.where_clause.as_deref_mut() {
        replaced += replace(condition, &marker, &value);
    }
    (replaced == 1).then(|| write(&NodeEnum::SelectStmt(Box::new(whole))))?
}

/// What a correlated subquery is made of.
struct Parts {
    /// The inner column that is compared, and the outer one.
    own: String,
    other: String,
    /// Conditions on inner columns alone.
    rest: Vec<String>,
    /// The aggregate, by name and as it is written.
    name: String,
    value: tree::Node,
}

fn parts(
    inner: &tree::SelectStmt,
    inner_sources: &[Source],
    outer_sources: &[Source],
) -> Option<Parts> {
    let is_own = |node: &tree::Node| {
        column_name(node).is_some_and(|(qualifier, _)| {
            qualifier.is_some_and(|name| inner_sources.iter().any(|source| source.called == name))
        })
    };
    let mut key = None;
    let mut rest = Vec::new();
    for condition in conditions(inner) {
        let names = column_names(condition);
        let outside = names.iter().any(|(qualifier, _)| {
            qualifier
                .as_ref()
                .is_some_and(|name| !inner_sources.iter().any(|source| source.called == *name))
        });
        if !outside {
            if !super::query::is_simple(condition) {
                return None;
            }
            rest.push(text_of(condition)?);
            continue;
        }
        let (name, left, right) = operator(condition).filter(|(name, ..)| name == "=")?;
        debug_assert_eq!(name, "=");
        let (own, other) = if is_own(left) { (left, right) } else { (right, left) };
        let other = column(other, outer_sources)?;
        if key.is_some() || !is_own(own) {
            return None;
        }
        key = Some((text_of(own)?, other.text()));
    }
    let (own, other) = key?;
    let (name, value) = aggregate(inner)?;
    // An argument of the query around it cannot be grouped in here.
    let foreign = column_names(value).iter().any(|(qualifier, _)| {
        qualifier
            .as_ref()
            .is_some_and(|name| !inner_sources.iter().any(|source| source.called == *name))
    });
    if foreign {
        return None;
    }
    Some(Parts { own, other, rest, name, value: value.clone() })
}

fn is_bare_star(target: &tree::Node) -> bool {
    let Some(NodeEnum::ResTarget(target)) = &target.node else { return false };
    matches!(
        target.val.as_deref().and_then(|value| value.node.as_ref()),
        Some(NodeEnum::ColumnRef(reference)) if reference.fields.len() == 1 && reference.fields.iter().any(|field| matches!(field.node, Some(NodeEnum::AStar(_))))
    )
}

/// An output that is the subquery keeps the name that it has without one: that of the aggregate.
fn keep_name(select: &mut tree::SelectStmt, link: &tree::SubLink, name: &str) {
    for target in &mut select.target_list {
        if let Some(NodeEnum::ResTarget(target)) = &mut target.node
            && target.name.is_empty()
            && matches!(target.val.as_deref().and_then(|value| value.node.as_ref()), Some(NodeEnum::SubLink(own)) if **own == *link)
        {
            name.clone_into(&mut target.name);
        }
    }
}

/// Puts a value in the place of a subquery; says how often.
fn replace(node: &mut tree::Node, link: &NodeEnum, value: &tree::Node) -> usize {
    if node.node.as_ref() == Some(link) {
        *node = value.clone();
        return 1;
    }
    let Some(inner) = &mut node.node else { return 0 };
    let list =
        |nodes: &mut Vec<tree::Node>| nodes.iter_mut().map(|node| replace(node, link, value)).sum();
    match inner {
        NodeEnum::ResTarget(target) => {
            target.val.as_deref_mut().map_or(0, |node| replace(node, link, value))
        }
        NodeEnum::TypeCast(cast) => {
            cast.arg.as_deref_mut().map_or(0, |node| replace(node, link, value))
        }
        NodeEnum::NullTest(test) => {
            test.arg.as_deref_mut().map_or(0, |node| replace(node, link, value))
        }
        NodeEnum::AExpr(operator) => {
            operator.lexpr.as_deref_mut().map_or(0, |node| replace(node, link, value))
                + operator.rexpr.as_deref_mut().map_or(0, |node| replace(node, link, value))
        }
        NodeEnum::BoolExpr(all) => list(&mut all.args),
        NodeEnum::FuncCall(call) => list(&mut call.args),
        NodeEnum::CoalesceExpr(all) => list(&mut all.args),
        _ => 0,
    }
}
