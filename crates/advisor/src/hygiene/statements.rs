//! The statements of advice about indexes, and names in them. Text only: nothing is carried out.
//!
//! Invariant: names and texts are quoted so that they mean one object, whatever is in them.

use crate::catalog::{Index, Table};

/// Words that PostgreSQL does not take as the name of a relation or column unless they are quoted: those its grammar reserves, in versions 13 to 18.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "merge_action",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

/// A name as it stands in a statement.
pub(crate) fn quoted(name: &str) -> String {
    let plain =
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && !name.bytes().next().is_none_or(|byte| byte.is_ascii_digit());
    if plain && RESERVED.binary_search(&name).is_err() {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as it stands in a statement.
pub(crate) fn text(text: &str) -> String {
    let escape = if text.contains('\\') { "E" } else { "" };
    format!("{escape}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A name with its schema.
pub(crate) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

/// An index with its schema.
pub(crate) fn name_of(index: &Index) -> String {
    qualified(&index.schema, &index.name)
}

/// Drops an index while others work.
pub(crate) fn drop_concurrently(index: &Index) -> String {
    format!("DROP INDEX CONCURRENTLY {}", name_of(index))
}

/// Makes a dropped index again as it was, while others work.
pub(crate) fn create_again(table: &Table, index: &Index) -> Vec<String> {
    let mut statements = vec![concurrently(index)];
    if let Some(comment) = &index.comment {
        statements.push(format!("COMMENT ON INDEX {} IS {}", name_of(index), text(comment)));
    }
    if index.clustered {
        let table = qualified(&table.schema, &table.name);
        statements.push(format!("ALTER TABLE {table} CLUSTER ON {}", quoted(&index.name)));
    }
    if index.keys.iter().any(|key| key.column.is_none()) {
        statements.push(format!("ANALYZE {}", qualified(&table.schema, &table.name)));
    }
    statements
}

/// Its definition, with the tablespace that `pg_get_indexdef` leaves out, and CONCURRENTLY.
fn concurrently(index: &Index) -> String {
    let mut definition = index.definition.clone();
    if let Some(tablespace) = &index.tablespace {
        let condition =
            index.predicate.as_ref().map_or_else(String::new, |text| format!(" WHERE {text}"));
        let before = definition.strip_suffix(&condition).unwrap_or(&definition);
        definition = format!("{before} TABLESPACE {}{condition}", quoted(tablespace));
    }
    for begin in ["CREATE UNIQUE INDEX ", "CREATE INDEX "] {
        if let Some(rest) = definition.strip_prefix(begin) {
            return format!("{begin}CONCURRENTLY {rest}");
        }
    }
    definition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_when_they_have_to_be() {
        for (name, written) in [
            ("orders", "orders"),
            ("_x1", "_x1"),
            ("Orders", "\"Orders\""),
            ("order", "\"order\""),
            ("1st", "\"1st\""),
            ("a\"b", "\"a\"\"b\""),
            ("ümlaut", "\"ümlaut\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(name), written);
        }
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn texts_are_quoted() {
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(text(r"a\b"), r"E'a\\b'");
    }
}
