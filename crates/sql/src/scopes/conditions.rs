//! What a condition says of columns: which are compared with values, which with each other. Not which relation they are of.

use super::walk::parts;
use super::{Case, Condition, Name, Search, Test};
use crate::parse::{NodeEnum, tree};

/// Conditions that may be inside each other.
const MAX_DEPTH: usize = 96;

/// What a condition says.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "what is not looked into restricts nothing that is known"
)]
pub(super) fn conditions(node: &tree::Node, found: &mut Vec<Condition>, depth: usize) {
    let Some(inner) = node.node.as_ref().filter(|_| depth <= MAX_DEPTH) else { return };
    match inner {
        NodeEnum::BoolExpr(all) => match tree::BoolExprType::try_from(all.boolop) {
            Ok(tree::BoolExprType::AndExpr) => {
                all.args.iter().for_each(|one| conditions(one, found, depth + 1));
            }
            Ok(tree::BoolExprType::OrExpr) => alternatives(&all.args, found, depth),
            _ => {
                // NOT flag
                if let [only] = all.args.as_slice() {
                    found.extend(
                        column(only).map(|name| condition(name, Test::Equal, Some("false"))),
                    );
                }
            }
        },
        NodeEnum::AExpr(expression) => comparison(expression, found),
        NodeEnum::ColumnRef(reference) => {
            found.extend(
                column_name(reference).map(|name| condition(name, Test::Equal, Some("true"))),
            );
        }
        NodeEnum::NullTest(test) => {
            let null = test.nulltesttype == tree::NullTestType::IsNull as i32;
            let name = test.arg.as_deref().and_then(column);
            let test = if null { Test::Null } else { Test::NotNull };
            found.extend(name.map(|name| condition(name, test, None)));
        }
        NodeEnum::SubLink(link) if link.sub_link_type == tree::SubLinkType::AnySublink as i32 => {
            let name = link.testexpr.as_deref().and_then(column);
            found.extend(name.map(|name| condition(name, Test::Joined(None), None)));
        }
        _ => {}
    }
}

/// What every arm of an `OR` says holds for sure.
fn alternatives(arms: &[tree::Node], found: &mut Vec<Condition>, depth: usize) {
    let arms: Vec<Vec<Condition>> = arms
        .iter()
        .map(|arm| {
            let mut all = Vec::new();
            conditions(arm, &mut all, depth + 1);
            all
        })
        .collect();
    for one in arms.iter().flatten() {
        let everywhere = arms.iter().all(|arm| arm.contains(one));
        let one = Condition { alternative: one.alternative || !everywhere, ..one.clone() };
        if !found.contains(&one) {
            found.push(one);
        }
    }
}

fn condition(column: Name, test: Test, value: Option<&str>) -> Condition {
    Condition { column, test, value: value.map(Into::into), alternative: false }
}

fn comparison(expression: &tree::AExpr, found: &mut Vec<Condition>) {
    use tree::AExprKind;
    let (Some(left), Some(right)) = (&expression.lexpr, &expression.rexpr) else { return };
    let operator = expression.name.last().and_then(string).unwrap_or_default();
    match AExprKind::try_from(expression.kind) {
        Ok(AExprKind::AexprOp) => operation(operator, left, right, found),
        Ok(AExprKind::AexprIn) if operator == "=" => {
            let count = match &right.node {
                Some(NodeEnum::List(list)) => list.items.len(),
                _ => 0,
            };
            found.extend(column(left).map(|name| condition(name, Test::In(count), None)));
        }
        Ok(AExprKind::AexprOpAny) if operator == "=" => {
            let count = match &right.node {
                Some(NodeEnum::AArrayExpr(array)) => array.elements.len(),
                _ => 0,
            };
            found.extend(column(left).map(|name| condition(name, Test::In(count), None)));
        }
        Ok(AExprKind::AexprBetween | AExprKind::AexprBetweenSym) if !has_columns(right, 0) => {
            found.extend(column(left).map(|name| condition(name, Test::Range, None)));
        }
        Ok(AExprKind::AexprLike) if operator == "~~" => {
            let test = match literal(right) {
                Some(text) if !text.starts_with(['%', '_']) => Some(Test::Prefix),
                text => text.as_deref().and_then(inside),
            };
            found.extend(column(left).zip(test).map(|(name, test)| condition(name, test, None)));
        }
        Ok(AExprKind::AexprIlike) if operator == "~~*" => {
            let test = literal(right).as_deref().and_then(inside);
            found.extend(column(left).zip(test).map(|(name, test)| condition(name, test, None)));
        }
        _ => {}
    }
}

/// The two columns that a condition is a comparison of, the smaller one first.
pub(super) fn compared(node: &tree::Node) -> Option<[Name; 2]> {
    let mut found = Vec::new();
    if let Some(NodeEnum::AExpr(expression)) = &node.node {
        comparison(expression, &mut found);
    }
    match found.pop().map(|one| (one.column, one.test)) {
        Some((small, Test::Below(large, _))) => Some([small, large]),
        _ => None,
    }
}

/// `left operator right`.
fn operation(operator: &str, left: &tree::Node, right: &tree::Node, found: &mut Vec<Condition>) {
    let (one, other) = (column(left), column(right));
    match operator {
        "=" => match (one, other) {
            (Some(one), Some(other)) => {
                found.push(condition(one.clone(), Test::Joined(Some(other.clone())), None));
                found.push(condition(other, Test::Joined(Some(one)), None));
            }
            (Some(name), None) => found.push(equality(name, right)),
            (None, Some(name)) => found.push(equality(name, left)),
            (None, None) => {
                found.extend(through_case(left, right).or_else(|| through_case(right, left)))
            }
        },
        "<" | "<=" | ">" | ">=" => {
            found.push(match (one, other) {
                (Some(name), None) if !has_columns(right, 0) => condition(name, Test::Range, None),
                (None, Some(name)) if !has_columns(left, 0) => condition(name, Test::Range, None),
                (Some(one), Some(other)) => below(operator, one, other),
                _ => return,
            });
        }
        "@>" | "?" | "?|" | "?&" | "&&" | "@@" if !has_columns(right, 0) => {
            let search = if operator == "@>" { Search::Contained } else { Search::Elements };
            found.extend(one.map(|name| condition(name, Test::Searched(search), None)));
        }
        _ => {}
    }
}

/// A pattern with three letters or more side by side, of which one part of a text can be told.
fn inside(pattern: &str) -> Option<Test> {
    let long = |part: &str| part.chars().filter(|it| it.is_alphanumeric()).count() >= 3;
    pattern.split(['%', '_', '\\', ' ']).any(long).then_some(Test::Searched(Search::Text))
}

/// `one < other` or the like, told from the smaller one's side.
fn below(operator: &str, one: Name, other: Name) -> Condition {
    let (small, large) = if operator.starts_with('<') { (one, other) } else { (other, one) };
    condition(small, Test::Below(large, operator.ends_with('=')), None)
}

/// `lower(column) = value`.
fn through_case(call: &tree::Node, value: &tree::Node) -> Option<Condition> {
    let Some(NodeEnum::FuncCall(call)) = &call.node else { return None };
    let ([argument], false) = (call.args.as_slice(), has_columns(value, 0)) else { return None };
    let case = match call.funcname.last().and_then(string)? {
        "lower" => Case::Lower,
        "upper" => Case::Upper,
        _ => return None,
    };
    Some(condition(column(argument)?, Test::Cased(case), literal(value).as_deref()))
}

/// A column equals something that is not just a column.
fn equality(name: Name, value: &tree::Node) -> Condition {
    if has_columns(value, 0) {
        return condition(name, Test::Joined(None), None);
    }
    condition(name, Test::Equal, literal(value).as_deref())
}

/// Whether an expression has columns outside of inner queries.
#[allow(clippy::wildcard_enum_match_arm, reason = "what is not looked into has none that is known")]
fn has_columns(node: &tree::Node, depth: usize) -> bool {
    match node.node.as_ref().filter(|_| depth <= MAX_DEPTH) {
        Some(NodeEnum::ColumnRef(_)) => true,
        Some(inner) => parts(inner).into_iter().any(|part| has_columns(part, depth + 1)),
        None => false,
    }
}

/// The constant that an expression is, with or without a cast.
#[allow(clippy::wildcard_enum_match_arm, reason = "nothing else is a constant")]
fn literal(node: &tree::Node) -> Option<String> {
    use tree::a_const::Val;
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Ival(number) => Some(number.ival.to_string()),
            Val::Fval(number) => Some(number.fval.clone()),
            Val::Boolval(truth) => Some(truth.boolval.to_string()),
            Val::Sval(text) => Some(text.sval.clone()),
            Val::Bsval(_) => None,
        },
        NodeEnum::TypeCast(cast) => match &cast.arg.as_ref()?.node {
            Some(NodeEnum::AConst(_)) => literal(cast.arg.as_deref()?),
            _ => None,
        },
        _ => None,
    }
}

/// The column that an expression is.
fn column(node: &tree::Node) -> Option<Name> {
    match &node.node {
        Some(NodeEnum::ColumnRef(reference)) => column_name(reference),
        _ => None,
    }
}

/// The name of a column; `None` for a star.
pub(super) fn column_name(reference: &tree::ColumnRef) -> Option<Name> {
    let mut fields = reference.fields.iter().rev();
    let column = string(fields.next()?)?.into();
    let of = fields.next().and_then(string).map(Into::into);
    Some(Name { of, column })
}

pub(super) fn string(node: &tree::Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(text)) => Some(&text.sval),
        _ => None,
    }
}
