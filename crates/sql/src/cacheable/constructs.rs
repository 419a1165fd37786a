//! The parts of a query that give the same answer each time if what they read and call does. Not functions and tables: those are for a
//! catalog.
//!
//! Invariant: a list of what is allowed. What a newer grammar adds is not in it.

/// The node of `CURRENT_DATE`, `LOCALTIME`, `CURRENT_USER` and their like.
pub(super) const CLOCK: &str = "SqlValueFunction";

/// Nodes of parse trees.
const PLAIN: [&str; 42] = [
    "AArrayExpr",
    "AConst",
    "AExpr",
    "AIndices",
    "AIndirection",
    "AStar",
    "Alias",
    "BitString",
    "BoolExpr",
    "Boolean",
    "BooleanTest",
    "CaseExpr",
    "CaseWhen",
    "CoalesceExpr",
    "CollateClause",
    "ColumnRef",
    "CommonTableExpr",
    "Float",
    "FuncCall",
    "GroupingFunc",
    "GroupingSet",
    "Integer",
    "JoinExpr",
    "List",
    "MinMaxExpr",
    "NamedArgExpr",
    "Node",
    "NullTest",
    "ParamRef",
    "RangeFunction",
    "RangeSubselect",
    "RangeVar",
    "ResTarget",
    "RowExpr",
    "SelectStmt",
    "SortBy",
    "String",
    "SubLink",
    "TypeCast",
    "TypeName",
    "WindowDef",
    "WithClause",
];

/// Whether a node of a parse tree is one of those.
pub(crate) fn is_plain(structure: &str) -> bool {
    PLAIN.binary_search(&structure).is_ok()
}

/// Whether a type, by its name without schema, reads words such as `now` as the present moment.
pub(crate) fn is_clock_type(name: &str) -> bool {
    matches!(
        name,
        "date"
            | "time"
            | "timetz"
            | "timestamp"
            | "timestamptz"
            | "abstime"
            | "daterange"
            | "tsrange"
            | "tstzrange"
            | "datemultirange"
            | "tsmultirange"
            | "tstzmultirange"
    )
}

/// Whether a text has one of those words in it.
pub(crate) fn tells_time(text: &[u8]) -> bool {
    let mut words = text.split(|byte| !byte.is_ascii_alphabetic());
    words.any(|word| {
        let is = |other: &[u8]| word.eq_ignore_ascii_case(other);
        is(b"now") || is(b"today") || is(b"tomorrow") || is(b"yesterday")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        assert!(PLAIN.is_sorted());
    }

    #[test]
    fn words_for_the_present_are_found() {
        for text in
            ["now", " NOW ", "today 10:00", "{yesterday,2020-01-01}", "[today,)", "Tomorrow"]
        {
            assert!(tells_time(text.as_bytes()), "{text}");
        }
        for text in ["", "know", "nowhere", "2020-01-01", "todays", "epoch"] {
            assert!(!tells_time(text.as_bytes()), "{text}");
        }
    }
}
