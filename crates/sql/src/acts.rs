//! What a statement does that its kind tells, beside calling functions. Not its class (`classify`), which is one word for all of it.
//!
//! Invariant: a statement without any act is a query that reads, as far as the functions and tables that it names let it.

use crate::classify::{alters, creates};
use crate::facts::Facts;
use crate::parse::{NodeEnum, tree};

/// Something that a statement does, told without a catalog.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum Act {
    /// `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `TRUNCATE`, also inside `WITH`.
    ChangesData,
    /// `FOR UPDATE`, `FOR SHARE`, …, `LOCK`.
    Locks,
    /// `SELECT … INTO`, `CREATE`, `ALTER`, `DROP`, `GRANT`, `COMMENT`, ….
    Defines,
    /// `VACUUM`, `ANALYZE`, `REINDEX`, `CLUSTER`, `REFRESH`, `CHECKPOINT`.
    Maintains,
    /// `BEGIN`, `COMMIT`, `SAVEPOINT`, `PREPARE TRANSACTION`, ….
    Transaction,
    /// `SET`, `PREPARE`, `LISTEN`, `DISCARD`, `LOAD`, …: changes the session.
    Session,
    /// `SHOW`.
    ShowsSetting,
    /// `NOTIFY`.
    Notifies,
    /// `COPY … FROM`.
    CopiesIn,
    /// `COPY` from or to a file or program of the server's.
    ServerFile,
    /// `DECLARE`, `FETCH`, `MOVE`, `CLOSE`.
    Cursor,
    /// SQL `EXECUTE`: what it runs is not in the text.
    Executes,
    /// `DO`, `CALL`, the protocol's function call.
    Procedure,
    /// What is not known.
    Other,
}

/// The acts of a statement, without repetition.
pub(crate) fn acts(node: &NodeEnum, facts: &Facts) -> Vec<Act> {
    let mut acts = Vec::new();
    if facts.modifies {
        acts.push(Act::ChangesData);
    }
    if facts.locks_rows {
        acts.push(Act::Locks);
    }
    if facts.into {
        acts.push(Act::Defines);
    }
    kind(node, &mut acts);
    acts.sort();
    acts.dedup();
    acts
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has over 200 nodes; in doubt the careful answer"
)]
fn kind(node: &NodeEnum, acts: &mut Vec<Act>) {
    acts.push(match node {
        NodeEnum::SelectStmt(_)
        | NodeEnum::InsertStmt(_)
        | NodeEnum::UpdateStmt(_)
        | NodeEnum::DeleteStmt(_)
        | NodeEnum::MergeStmt(_) => return,
        NodeEnum::CopyStmt(copy) => return copies(copy, acts),
        // It belongs where its statement belongs, whether it runs that or plans it.
        NodeEnum::ExplainStmt(explain) => {
            match explain.query.as_ref().and_then(|query| query.node.as_ref()) {
                Some(inner) => return kind(inner, acts),
                None => Act::Other,
            }
        }
        NodeEnum::TransactionStmt(_) => Act::Transaction,
        NodeEnum::VariableSetStmt(_)
        | NodeEnum::ConstraintsSetStmt(_)
        | NodeEnum::PrepareStmt(_)
        | NodeEnum::DeallocateStmt(_)
        | NodeEnum::DiscardStmt(_)
        | NodeEnum::ListenStmt(_)
        | NodeEnum::UnlistenStmt(_)
        | NodeEnum::LoadStmt(_) => Act::Session,
        NodeEnum::VariableShowStmt(_) => Act::ShowsSetting,
        NodeEnum::NotifyStmt(_) => Act::Notifies,
        NodeEnum::LockStmt(_) => Act::Locks,
        NodeEnum::TruncateStmt(_) => Act::ChangesData,
        NodeEnum::ExecuteStmt(_) => Act::Executes,
        NodeEnum::DeclareCursorStmt(_) | NodeEnum::FetchStmt(_) | NodeEnum::ClosePortalStmt(_) => {
            Act::Cursor
        }
        NodeEnum::DoStmt(_) | NodeEnum::CallStmt(_) => Act::Procedure,
        NodeEnum::CheckPointStmt(_)
        | NodeEnum::VacuumStmt(_)
        | NodeEnum::ClusterStmt(_)
        | NodeEnum::ReindexStmt(_)
        | NodeEnum::RefreshMatViewStmt(_) => Act::Maintains,
        other if creates(other) || alters(other) => Act::Defines,
        _ => Act::Other,
    });
}

fn copies(copy: &tree::CopyStmt, acts: &mut Vec<Act>) {
    if copy.is_from {
        acts.push(Act::CopiesIn);
    }
    if copy.is_program || !copy.filename.is_empty() {
        acts.push(Act::ServerFile);
    }
}
