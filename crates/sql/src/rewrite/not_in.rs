//! `x NOT IN (SELECT y …)`: a single null in the list makes it true for nobody, and PostgreSQL cannot join by it. `NOT EXISTS` says what was meant, and is a join.
//!
//! Invariant: a text only for columns that are never null: otherwise both say different things.

use crate::parse::{NodeEnum, tree};

use super::query::{
    column, conditions, is_plain, sources, string, text_of, with_condition, with_conditions,
};
use super::{Need, Rewrite, Rule};

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let (at, link) = conditions(select)
        .into_iter()
        .enumerate()
        .find_map(|(at, condition)| Some((at, negated(condition)?)))?;
    let part = text_of(conditions(select).get(at)?)?;
    let (text, needs) =
        rewritten(select, at, link).map_or((None, Vec::new()), |(text, needs)| (Some(text), needs));
    let why = "NOT IN is true of no row as soon as the list has a null, and PostgreSQL compares each row with the whole list; NOT EXISTS is a join, and means what was meant";
    Some(Rewrite { rule: Rule::NotIn, part, why: why.to_owned(), text, needs })
}

fn negated(condition: &tree::Node) -> Option<&tree::SubLink> {
    let NodeEnum::BoolExpr(not) = condition.node.as_ref()? else { return None };
    let [one] = not.args.as_slice() else { return None };
    let NodeEnum::SubLink(link) = one.node.as_ref()? else { return None };
    let is_in =
        link.oper_name.is_empty() || link.oper_name.iter().filter_map(string).eq(["=".to_owned()]);
    (not.boolop() == tree::BoolExprType::NotExpr
        && link.sub_link_type() == tree::SubLinkType::AnySublink
        && is_in)
        .then_some(&**link)
}

fn rewritten(
    select: &tree::SelectStmt,
    at: usize,
    link: &tree::SubLink,
) -> Option<(String, Vec<Need>)> {
    let outer_sources = sources(select)?;
    let outer = column(link.testexpr.as_deref()?, &outer_sources)?;
    let NodeEnum::SelectStmt(inner) = link.subselect.as_deref()?.node.as_ref()? else {
        return None;
    };
    let inner_sources = sources(inner)?;
    let hides = inner_sources.iter().any(|source| source.called == outer.source.called);
    if hides || !is_plain(inner) {
        return None;
    }
    let [target] = inner.target_list.as_slice() else { return None };
    let NodeEnum::ResTarget(target) = target.node.as_ref()? else { return None };
    let value = column(target.val.as_deref()?, &inner_sources)?;
    let mut texts: Vec<String> =
        conditions(inner).into_iter().map(text_of).collect::<Option<_>>()?;
    texts.push(format!("{} = {}", value.text(), outer.text()));
    let mut exists = (**inner).clone();
    exists.target_list = super::query::query("SELECT 1")?.target_list;
    let exists = with_conditions(&exists, &texts)?;
    let text = with_condition(select, at, &format!("NOT EXISTS ({exists})"))?;
    let need = |column: super::query::Column| Need::NotNull {
        relation: column.source.relation,
        column: column.name,
    };
    Some((text, vec![need(outer), need(value)]))
}
