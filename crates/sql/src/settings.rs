//! What `SET`, `RESET` and `set_config()` change, exactly. Not the state of a session: that is for whoever calls.
//!
//! Invariant: [`SettingChange::Set::replay`] is one statement of known shape that makes exactly this setting on any server;
//! where that cannot be had from the text alone, the change is [`SettingChange::Opaque`].

use crate::facts::Facts;
use crate::functions::{Role, role};
use crate::operand::is_keyword;
use crate::parse::{NodeEnum, parse, tree};

/// One change of one setting (or of all). Names are lower case.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum SettingChange {
    /// A value until further notice.
    Set {
        /// As `SHOW` knows it: `timezone`, `client_encoding`, `role`, `session_authorization` for the special forms.
        name: String,
        /// One SQL statement that makes the same setting on another server.
        replay: String,
    },
    /// A value until the end of the transaction.
    SetLocal {
        /// Empty when the statement computes it.
        name: String,
    },
    /// Back to what the session began with: `RESET`, `SET … TO DEFAULT`, `SET ROLE NONE`.
    Reset {
        /// As for [`SettingChange::Set`].
        name: String,
    },
    /// `RESET ALL`.
    ResetAll,
    /// `SET TRANSACTION`, and settings that belong to the transaction: nothing stays.
    Transaction,
    /// Some setting is changed to some value; only the server can tell.
    Opaque,
}

/// The changes that the statements of a text make to settings, in order, by statement index. A text that does not parse
/// has one [`SettingChange::Opaque`].
#[must_use]
#[allow(clippy::wildcard_enum_match_arm, reason = "one of over 200 nodes is meant")]
pub fn setting_changes(sql: &[u8]) -> Vec<(usize, SettingChange)> {
    let Some(statements) = std::str::from_utf8(sql).ok().and_then(parse) else {
        return vec![(0, SettingChange::Opaque)];
    };
    let mut changes = Vec::new();
    for (index, node) in statements.into_iter().enumerate() {
        let found = match node {
            NodeEnum::VariableSetStmt(statement) => set_changes(statement),
            node => call_changes(&node),
        };
        changes.extend(found.into_iter().map(|change| (index, change)));
    }
    changes
}

/// `SET` and `RESET` in all forms.
fn set_changes(mut statement: tree::VariableSetStmt) -> Vec<SettingChange> {
    use tree::VariableSetKind as Kind;
    statement.name.make_ascii_lowercase();
    let Ok(kind) = Kind::try_from(statement.kind) else { return vec![SettingChange::Opaque] };
    let name = statement.name.clone();
    let change = match kind {
        Kind::VarSetMulti if name == "session characteristics" => {
            return characteristics(&statement.args);
        }
        Kind::VarSetMulti => SettingChange::Transaction,
        Kind::VarResetAll => SettingChange::ResetAll,
        _ if is_of_transaction(&name) => SettingChange::Transaction,
        Kind::VarSetValue | Kind::VarSetDefault if statement.is_local => {
            SettingChange::SetLocal { name }
        }
        Kind::VarSetDefault | Kind::VarReset => SettingChange::Reset { name },
        Kind::VarSetValue if name == "role" && is_word(&statement.args, "none") => {
            SettingChange::Reset { name }
        }
        Kind::VarSetValue if is_bound_to_server(&name, &statement.args) => SettingChange::Opaque,
        Kind::VarSetValue => set_to(name, &statement.args),
        Kind::VarSetCurrent | Kind::Undefined => SettingChange::Opaque,
    };
    vec![change]
}

/// Settings that are a face of the open transaction.
fn is_of_transaction(name: &str) -> bool {
    matches!(name, "transaction_isolation" | "transaction_read_only" | "transaction_deferrable")
}

/// Values that mean something on this server only: the random seed, and a schema that unqualified `CREATE` would fill with
/// temporary objects.
fn is_bound_to_server(name: &str, args: &[tree::Node]) -> bool {
    let first = args.first().and_then(string);
    name == "seed"
        || (name == "search_path"
            && first
                .is_some_and(|schema| schema.trim_start_matches([' ', '"']).starts_with("pg_temp")))
}

/// `SET` with all values as constants, which is what the server makes of bare words too.
fn set_to(name: String, values: &[tree::Node]) -> SettingChange {
    let constants: Option<Vec<_>> = values.iter().map(constant).collect();
    match (name_in_sql(&name), constants) {
        (Some(written), Some(constants)) => {
            let replay = format!("SET {written} TO {}", constants.join(", "));
            SettingChange::Set { name, replay }
        }
        _ => SettingChange::Opaque,
    }
}

/// The name of a setting part by part; `None` if PostgreSQL would refuse or cut it.
fn name_in_sql(name: &str) -> Option<String> {
    if !is_plain_name(name) {
        return None;
    }
    /// `NAMEDATALEN - 1` of PostgreSQL.
    const MAX_NAME: usize = 63;
    let part =
        |part: &str| {
            let plain = part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let fits = (1..=MAX_NAME).contains(&part.len());
            fits.then(|| {
                if plain && !is_keyword(part) { part.to_owned() } else { format!("\"{part}\"") }
            })
        };
    let parts: Option<Vec<_>> = name.split('.').map(part).collect();
    Some(parts?.join("."))
}

/// A constant as SQL; `None` for anything else.
fn constant(node: &tree::Node) -> Option<String> {
    let Some(NodeEnum::AConst(constant)) = &node.node else { return None };
    match constant.val.as_ref()? {
        tree::a_const::Val::Sval(text) => Some(quote(&text.sval)),
        tree::a_const::Val::Ival(number) => Some(number.ival.to_string()),
        tree::a_const::Val::Fval(number) => {
            let is_number = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
            number.fval.bytes().all(is_number).then(|| number.fval.clone())
        }
        tree::a_const::Val::Boolval(truth) => Some(truth.boolval.to_string()),
        tree::a_const::Val::Bsval(_) => None,
    }
}

/// `SET SESSION CHARACTERISTICS AS TRANSACTION …`: the defaults of later transactions.
fn characteristics(options: &[tree::Node]) -> Vec<SettingChange> {
    let change = |node: &tree::Node| {
        let Some(NodeEnum::DefElem(option)) = &node.node else { return SettingChange::Opaque };
        let name = match option.defname.as_str() {
            "transaction_isolation" => "default_transaction_isolation",
            "transaction_read_only" => "default_transaction_read_only",
            "transaction_deferrable" => "default_transaction_deferrable",
            _ => return SettingChange::Opaque,
        };
        set_to(name.to_owned(), option.arg.as_deref().map_or(&[], std::slice::from_ref))
    };
    options.iter().map(change).collect()
}

/// `SELECT set_config(…), …` and nothing else can be followed; any other use is opaque.
#[allow(clippy::wildcard_enum_match_arm, reason = "one of over 200 nodes is meant")]
fn call_changes(node: &NodeEnum) -> Vec<SettingChange> {
    let Some(facts) = Facts::of(node) else { return vec![SettingChange::Opaque] };
    let calls = facts.uses.functions.iter().filter(|name| role(name) == Role::Settings).count();
    if calls == 0 {
        return Vec::new();
    }
    let targets = match node {
        NodeEnum::SelectStmt(select) if is_bare(select) => select.target_list.as_slice(),
        _ => &[],
    };
    let changes: Vec<_> = targets.iter().filter_map(call_change).collect();
    if changes.len() == calls { changes } else { vec![SettingChange::Opaque; calls] }
}

/// Whether a `SELECT` has a target list and nothing that decides how often it is evaluated.
fn is_bare(select: &tree::SelectStmt) -> bool {
    let expected = tree::SelectStmt {
        target_list: select.target_list.clone(),
        limit_option: select.limit_option,
        op: tree::SetOperation::SetopNone.into(),
        ..tree::SelectStmt::default()
    };
    *select == expected && select.limit_count.is_none()
}

/// A target that is a call of `set_config`; `None` for all other targets.
fn call_change(target: &tree::Node) -> Option<SettingChange> {
    let Some(NodeEnum::ResTarget(target)) = &target.node else { return None };
    let Some(NodeEnum::FuncCall(call)) = &target.val.as_ref()?.node else { return None };
    let name: Vec<String> = call.funcname.iter().map(string).collect::<Option<_>>()?;
    if role(&name) != Role::Settings {
        return None;
    }
    let [name, value, local] = call.args.as_slice() else { return Some(SettingChange::Opaque) };
    let name = string(name).map(|name| name.to_ascii_lowercase());
    Some(match (name, string(value), boolean(local)) {
        (name, _, Some(true)) => SettingChange::SetLocal { name: name.unwrap_or_default() },
        (Some(name), Some(_), Some(false)) if is_of_transaction(&name) => {
            SettingChange::Transaction
        }
        (Some(name), Some(value), Some(false))
            if !is_plain_name(&name) || value.contains("pg_temp") =>
        {
            SettingChange::Opaque
        }
        (Some(name), Some(value), Some(false)) if name != "seed" => {
            let replay = set_config(&name, &value);
            SettingChange::Set { name, replay }
        }
        _ => SettingChange::Opaque,
    })
}

/// Letters, digits, `_`, `$` and dots: what names of settings are made of.
fn is_plain_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'-');
    !name.is_empty() && name.bytes().all(|byte| allowed(byte) || !byte.is_ascii())
}

/// The statement that makes a setting, safe for any value and whatever `standard_conforming_strings` says.
fn set_config(name: &str, value: &str) -> String {
    format!("SELECT pg_catalog.set_config({}, {}, false)", quote(name), quote(value))
}

fn quote(value: &str) -> String {
    let doubled = value.replace('\'', "''");
    if doubled.contains('\\') {
        format!(" E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// The text of a string constant, also of one cast to `text`.
#[allow(clippy::wildcard_enum_match_arm, reason = "one of over 200 nodes is meant")]
fn string(node: &tree::Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::String(text) => Some(text.sval.clone()),
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            tree::a_const::Val::Sval(text) => Some(text.sval.clone()),
            tree::a_const::Val::Ival(_)
            | tree::a_const::Val::Fval(_)
            | tree::a_const::Val::Boolval(_)
            | tree::a_const::Val::Bsval(_) => None,
        },
        NodeEnum::TypeCast(cast) => {
            let names = &cast.type_name.as_ref()?.names;
            let is_text = names.last().and_then(string).is_some_and(|name| name == "text");
            if is_text { string(cast.arg.as_ref()?) } else { None }
        }
        _ => None,
    }
}

/// A boolean constant, also as a string, also with a cast.
#[allow(clippy::wildcard_enum_match_arm, reason = "one of over 200 nodes is meant")]
fn boolean(node: &tree::Node) -> Option<bool> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            tree::a_const::Val::Boolval(truth) => Some(truth.boolval),
            tree::a_const::Val::Sval(text) => match text.sval.as_str() {
                "t" | "true" => Some(true),
                "f" | "false" => Some(false),
                _ => None,
            },
            tree::a_const::Val::Ival(_)
            | tree::a_const::Val::Fval(_)
            | tree::a_const::Val::Bsval(_) => None,
        },
        NodeEnum::TypeCast(cast) => boolean(cast.arg.as_ref()?),
        _ => None,
    }
}

fn is_word(args: &[tree::Node], word: &str) -> bool {
    matches!(args, [only] if string(only).is_some_and(|text| text == word))
}
