//! The class and effect of parsed statements. Not the parsing, and not the details of an effect (`settings`, `names`).
//!
//! Invariant: no literal is ever looked at, except in statements whose normal form keeps its literals. So all texts of one
//! normal form have one answer.

use crate::acts::acts;
use crate::facts::Facts;
use crate::functions::{Role, role};
use crate::lex::{Kind, Lexer};
use crate::parse::{NodeEnum, tree};
use crate::{Class, Details, Effect, Statement};

/// A statement, and whether it calls functions that are not known.
pub(crate) struct Judged {
    pub(crate) statement: Statement,
    pub(crate) calls_unknown_functions: bool,
    /// It would be a read if the functions that it names, and that are not built in, did nothing.
    pub(crate) reads_through_functions: bool,
    /// `None`: its tree was not seen.
    pub(crate) details: Option<Details>,
}

impl Judged {
    /// Of a statement whose tree was not seen.
    const fn unseen(statement: Statement) -> Self {
        let (calls_unknown_functions, reads_through_functions) = (true, false);
        Self { statement, calls_unknown_functions, reads_through_functions, details: None }
    }
}

/// What a whole statement is.
pub(crate) fn classify(node: &NodeEnum) -> Judged {
    let Some(facts) = Facts::of(node) else {
        let statement = Statement { class: Class::Other, effect: Effect::Unknown };
        return Judged::unseen(statement);
    };
    let calls = Calls::of(&facts);
    let (class, effect) = judge(node, &facts, &calls);
    let mut classes = vec![class];
    classes.extend(inner_class(node, &facts, &calls));
    let reads_through_functions = matches!(node, NodeEnum::SelectStmt(_))
        && (class, effect) == (Class::Other, Effect::None)
        && !facts.foreign_operator;
    let details = Details {
        acts: acts(node, &facts).into(),
        classes: classes.into(),
        // What EXPLAIN does not run harms nobody.
        unbounded: facts.unbounded && class != Class::Read,
        more_tables: facts.more_tables,
        tables: facts.tables.into(),
        uses: facts.uses.into_uses(),
    };
    let statement = Statement { class, effect };
    let calls_unknown_functions = calls.foreign;
    Judged { statement, calls_unknown_functions, reads_through_functions, details: Some(details) }
}

/// The class of what a statement holds, which its own does not tell.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has over 200 nodes; few hold others that run"
)]
fn inner_class(node: &NodeEnum, facts: &Facts, calls: &Calls) -> Option<Class> {
    let class = |query: &Option<Box<tree::Node>>| {
        query.as_ref()?.node.as_ref().map(|node| judge(node, facts, calls).0)
    };
    match node {
        NodeEnum::PrepareStmt(statement) => class(&statement.query),
        NodeEnum::DeclareCursorStmt(statement) => class(&statement.query),
        NodeEnum::CopyStmt(statement) if statement.is_from => Some(Class::Write),
        NodeEnum::CopyStmt(statement) => class(&statement.query).or(Some(Class::Read)),
        _ => None,
    }
}

/// What a text is that parses but is nested too deeply for a tree (long chains of `||` or `UNION`): never a read, and
/// without effects only if it is one query in which no word is the name of anything that has one.
pub(crate) fn classify_tokens(sql: &str) -> Judged {
    let mut lexer = Lexer::new(sql.as_bytes());
    let mut effect = Effect::None;
    let (mut first, mut previous) = (true, String::new());
    loop {
        let token = lexer.next();
        let name = match token.kind {
            Kind::End => break,
            Kind::Word | Kind::Quoted => {
                let text = String::from_utf8_lossy(lexer.slice(token));
                text.trim_matches('"').to_ascii_lowercase()
            }
            Kind::Mark if lexer.slice(token) == b";" => ";".to_owned(),
            Kind::Doubt | Kind::UnicodeQuoted => {
                effect = Effect::Unknown;
                break;
            }
            Kind::Number
            | Kind::Text
            | Kind::National
            | Kind::Bits
            | Kind::Dollar
            | Kind::Parameter
            | Kind::Operator
            | Kind::Cast
            | Kind::Mark => continue,
        };
        let is_query = matches!(
            name.as_str(),
            "select" | "insert" | "update" | "delete" | "merge" | "with" | "values"
        );
        let makes_table = name == "into" && !matches!(previous.as_str(), "insert" | "merge");
        let has_effect = !matches!(
            role(std::slice::from_ref(&name)),
            Role::Pure | Role::Writes | Role::Sequences | Role::Foreign
        );
        if first && !is_query || makes_table || has_effect || name == ";" {
            effect = Effect::Unknown;
        }
        (first, previous) = (false, name);
    }
    let statement = Statement { class: Class::Other, effect };
    Judged::unseen(statement)
}

/// What the functions called in a statement do, taken together.
struct Calls {
    writes: bool,
    foreign: bool,
    effect: Effect,
}

impl Calls {
    fn of(facts: &Facts) -> Self {
        let mut calls =
            Self { writes: false, foreign: facts.foreign_operator, effect: Effect::None };
        for name in &facts.uses.functions {
            let effect = match role(name) {
                Role::Pure => continue,
                Role::Foreign => {
                    calls.foreign = true;
                    continue;
                }
                Role::Writes => Effect::None,
                Role::Sequences => {
                    // What the session remembers is on the server, and nobody else may see it.
                    calls.foreign = true;
                    Effect::None
                }
                Role::Settings => Effect::Settings,
                Role::AdvisoryLock => Effect::AdvisoryLock,
                Role::AdvisoryUnlock => Effect::AdvisoryUnlock,
                Role::KeepsState => Effect::Unknown,
            };
            calls.writes = true;
            calls.effect = both(calls.effect, effect);
        }
        calls
    }
}

/// Two effects in one statement: only one that says it all may be told.
fn both(one: Effect, other: Effect) -> Effect {
    match (one, other) {
        (Effect::None, effect) | (effect, Effect::None) => effect,
        (one, other) if one == other => one,
        _ => Effect::Unknown,
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has over 200 nodes; in doubt the careful answer"
)]
fn judge(node: &NodeEnum, facts: &Facts, calls: &Calls) -> (Class, Effect) {
    match node {
        NodeEnum::SelectStmt(_)
        | NodeEnum::InsertStmt(_)
        | NodeEnum::UpdateStmt(_)
        | NodeEnum::DeleteStmt(_)
        | NodeEnum::MergeStmt(_) => query(facts, calls),
        NodeEnum::TransactionStmt(statement) => (Class::TransactionControl, transaction(statement)),
        NodeEnum::VariableSetStmt(_) => (Class::SessionState, Effect::Settings),
        NodeEnum::VariableShowStmt(_) => (Class::Read, Effect::None),
        NodeEnum::ConstraintsSetStmt(_) => (Class::SessionState, Effect::None),
        NodeEnum::PrepareStmt(_) => (Class::SessionState, Effect::Prepare),
        NodeEnum::ExecuteStmt(_) => (Class::Other, Effect::Execute),
        NodeEnum::DeallocateStmt(_) => (Class::SessionState, Effect::Deallocate),
        NodeEnum::DiscardStmt(statement) => (Class::SessionState, discard(statement)),
        NodeEnum::ListenStmt(_) => (Class::SessionState, Effect::Listen),
        NodeEnum::UnlistenStmt(_) => (Class::SessionState, Effect::Unlisten),
        NodeEnum::LoadStmt(_) => (Class::SessionState, Effect::Load),
        NodeEnum::NotifyStmt(_) | NodeEnum::LockStmt(_) | NodeEnum::TruncateStmt(_) => {
            (Class::Write, Effect::None)
        }
        NodeEnum::CreateTableAsStmt(statement) if executes(statement) => {
            (Class::Ddl, both(Effect::Execute, define(facts, calls)))
        }
        NodeEnum::ExplainStmt(statement) => explain(statement, facts, calls),
        NodeEnum::CopyStmt(_) => (Class::Copy, only_whole(calls.effect)),
        NodeEnum::DeclareCursorStmt(statement) => (Class::Other, cursor(statement, calls)),
        NodeEnum::FetchStmt(_) | NodeEnum::ClosePortalStmt(_) | NodeEnum::CheckPointStmt(_) => {
            (Class::Other, Effect::None)
        }
        NodeEnum::DoStmt(_) | NodeEnum::CallStmt(_) => (Class::Other, Effect::Unknown),
        other if creates(other) || alters(other) => (Class::Ddl, define(facts, calls)),
        _ => (Class::Other, Effect::Unknown),
    }
}

/// `SELECT`, `VALUES`, `TABLE`, `INSERT`, `UPDATE`, `DELETE`, `MERGE`.
fn query(facts: &Facts, calls: &Calls) -> (Class, Effect) {
    if facts.into {
        return (Class::Ddl, define(facts, calls));
    }
    let class = if facts.modifies || facts.locks_rows || calls.writes {
        Class::Write
    } else if calls.foreign {
        Class::Other
    } else {
        Class::Read
    };
    (class, calls.effect)
}

/// `CREATE TABLE … AS EXECUTE`.
fn executes(statement: &tree::CreateTableAsStmt) -> bool {
    let query = statement.query.as_ref().and_then(|query| query.node.as_ref());
    matches!(query, Some(NodeEnum::ExecuteStmt(_)))
}

/// Definitions: temporary ones stay in the session. A function with an effect may run now or later.
fn define(facts: &Facts, calls: &Calls) -> Effect {
    let own = if facts.temporary { Effect::TemporaryTable } else { Effect::None };
    both(own, only_whole(calls.effect))
}

/// An effect of functions inside a statement that is not itself their query: nobody looks for the details there.
fn only_whole(effect: Effect) -> Effect {
    if effect == Effect::Settings { Effect::Unknown } else { effect }
}

fn transaction(statement: &tree::TransactionStmt) -> Effect {
    use tree::TransactionStmtKind as Kind;
    match Kind::try_from(statement.kind) {
        Ok(Kind::TransStmtBegin | Kind::TransStmtStart) => Effect::Begin,
        Ok(Kind::TransStmtCommit) => Effect::Commit,
        Ok(Kind::TransStmtRollback) => Effect::Rollback,
        Ok(Kind::TransStmtSavepoint) => Effect::Savepoint,
        Ok(Kind::TransStmtRelease) => Effect::Release,
        Ok(Kind::TransStmtRollbackTo) => Effect::RollbackTo,
        Ok(Kind::TransStmtPrepare) => Effect::PrepareTransaction,
        Ok(Kind::TransStmtCommitPrepared | Kind::TransStmtRollbackPrepared) => Effect::None,
        Ok(Kind::Undefined) | Err(_) => Effect::Unknown,
    }
}

fn discard(statement: &tree::DiscardStmt) -> Effect {
    match tree::DiscardMode::try_from(statement.target) {
        Ok(tree::DiscardMode::DiscardAll) => Effect::DiscardAll,
        Ok(
            tree::DiscardMode::DiscardPlans
            | tree::DiscardMode::DiscardSequences
            | tree::DiscardMode::DiscardTemp,
        ) => Effect::Discard,
        Ok(tree::DiscardMode::Undefined) | Err(_) => Effect::Unknown,
    }
}

/// `EXPLAIN` runs its statement only with `ANALYZE`; `ANALYZE false` is taken for `ANALYZE`.
fn explain(statement: &tree::ExplainStmt, facts: &Facts, calls: &Calls) -> (Class, Effect) {
    let runs = statement.options.iter().any(
        |option| matches!(&option.node, Some(NodeEnum::DefElem(option)) if option.defname == "analyze"),
    );
    let inner = statement.query.as_ref().and_then(|query| query.node.as_ref());
    match inner {
        Some(inner) if runs => {
            let (class, effect) = judge(inner, facts, calls);
            // Nobody looks inside for the details of others.
            let told = matches!(effect, Effect::None | Effect::Execute);
            (class, if told { effect } else { Effect::Unknown })
        }
        // Names a prepared statement also when it does not run it.
        Some(NodeEnum::ExecuteStmt(_)) => (Class::Other, Effect::Execute),
        Some(NodeEnum::CreateTableAsStmt(statement)) if executes(statement) => {
            (Class::Other, Effect::Execute)
        }
        Some(_) => (Class::Read, Effect::None),
        None => (Class::Other, Effect::Unknown),
    }
}

fn cursor(statement: &tree::DeclareCursorStmt, calls: &Calls) -> Effect {
    /// `CURSOR_OPT_HOLD` of `nodes/parsenodes.h`.
    const HOLD: i32 = 0x0020;
    let own = if statement.options & HOLD != 0 { Effect::HoldCursor } else { Effect::None };
    both(own, only_whole(calls.effect))
}

/// Statements that make something.
pub(crate) fn creates(node: &NodeEnum) -> bool {
    matches!(
        node,
        NodeEnum::CreateSchemaStmt(_)
            | NodeEnum::CreateStmt(_)
            | NodeEnum::CreateTableSpaceStmt(_)
            | NodeEnum::CreateExtensionStmt(_)
            | NodeEnum::CreateFdwStmt(_)
            | NodeEnum::CreateForeignServerStmt(_)
            | NodeEnum::CreateForeignTableStmt(_)
            | NodeEnum::CreateUserMappingStmt(_)
            | NodeEnum::ImportForeignSchemaStmt(_)
            | NodeEnum::CreatePolicyStmt(_)
            | NodeEnum::CreateAmStmt(_)
            | NodeEnum::CreateTrigStmt(_)
            | NodeEnum::CreateEventTrigStmt(_)
            | NodeEnum::CreatePlangStmt(_)
            | NodeEnum::CreateRoleStmt(_)
            | NodeEnum::CreateSeqStmt(_)
            | NodeEnum::DefineStmt(_)
            | NodeEnum::CreateDomainStmt(_)
            | NodeEnum::CreateOpClassStmt(_)
            | NodeEnum::CreateOpFamilyStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::CreateStatsStmt(_)
            | NodeEnum::CreateFunctionStmt(_)
            | NodeEnum::RuleStmt(_)
            | NodeEnum::CompositeTypeStmt(_)
            | NodeEnum::CreateEnumStmt(_)
            | NodeEnum::CreateRangeStmt(_)
            | NodeEnum::ViewStmt(_)
            | NodeEnum::CreatedbStmt(_)
            | NodeEnum::CreateTableAsStmt(_)
            | NodeEnum::CreateConversionStmt(_)
            | NodeEnum::CreateCastStmt(_)
            | NodeEnum::CreateTransformStmt(_)
            | NodeEnum::CreatePublicationStmt(_)
            | NodeEnum::CreateSubscriptionStmt(_)
    )
}

/// Statements that change, drop or maintain something.
pub(crate) fn alters(node: &NodeEnum) -> bool {
    matches!(
        node,
        NodeEnum::AlterTableStmt(_)
            | NodeEnum::ReplicaIdentityStmt(_)
            | NodeEnum::AlterCollationStmt(_)
            | NodeEnum::AlterDomainStmt(_)
            | NodeEnum::GrantStmt(_)
            | NodeEnum::GrantRoleStmt(_)
            | NodeEnum::AlterDefaultPrivilegesStmt(_)
            | NodeEnum::DropTableSpaceStmt(_)
            | NodeEnum::AlterTableSpaceOptionsStmt(_)
            | NodeEnum::AlterTableMoveAllStmt(_)
            | NodeEnum::AlterExtensionStmt(_)
            | NodeEnum::AlterExtensionContentsStmt(_)
            | NodeEnum::AlterFdwStmt(_)
            | NodeEnum::AlterForeignServerStmt(_)
            | NodeEnum::AlterUserMappingStmt(_)
            | NodeEnum::DropUserMappingStmt(_)
            | NodeEnum::AlterPolicyStmt(_)
            | NodeEnum::AlterEventTrigStmt(_)
            | NodeEnum::AlterRoleStmt(_)
            | NodeEnum::AlterRoleSetStmt(_)
            | NodeEnum::DropRoleStmt(_)
            | NodeEnum::AlterSeqStmt(_)
            | NodeEnum::AlterOpFamilyStmt(_)
            | NodeEnum::DropStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::SecLabelStmt(_)
            | NodeEnum::AlterStatsStmt(_)
            | NodeEnum::AlterFunctionStmt(_)
            | NodeEnum::RenameStmt(_)
            | NodeEnum::AlterObjectDependsStmt(_)
            | NodeEnum::AlterObjectSchemaStmt(_)
            | NodeEnum::AlterOwnerStmt(_)
            | NodeEnum::AlterOperatorStmt(_)
            | NodeEnum::AlterTypeStmt(_)
            | NodeEnum::AlterEnumStmt(_)
            | NodeEnum::AlterDatabaseStmt(_)
            | NodeEnum::AlterDatabaseRefreshCollStmt(_)
            | NodeEnum::AlterDatabaseSetStmt(_)
            | NodeEnum::DropdbStmt(_)
            | NodeEnum::AlterSystemStmt(_)
            | NodeEnum::ClusterStmt(_)
            | NodeEnum::VacuumStmt(_)
            | NodeEnum::RefreshMatViewStmt(_)
            | NodeEnum::ReindexStmt(_)
            | NodeEnum::DropOwnedStmt(_)
            | NodeEnum::ReassignOwnedStmt(_)
            | NodeEnum::AlterTsdictionaryStmt(_)
            | NodeEnum::AlterTsconfigurationStmt(_)
            | NodeEnum::AlterPublicationStmt(_)
            | NodeEnum::AlterSubscriptionStmt(_)
            | NodeEnum::DropSubscriptionStmt(_)
    )
}
