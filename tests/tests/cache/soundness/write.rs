//! Random writes to a schema: by key, by range, of many rows, of keys, through views, partitions and cascades, in transactions that end
//! one way or the other. Some fail; that is a way, too.
//!
//! Invariant: after its statements no transaction is open, and tables do not stay empty for long.

use howdah_tests::Random;

use super::schema::{INTEGERS, Relation, Schema};

/// Statements that are run one after the other.
pub(super) fn random(schema: &Schema, random: &mut Random, serial: u64) -> Vec<String> {
    match random.below(12) {
        0 => {
            let (one, two, three) =
                (statement(schema, random), statement(schema, random), statement(schema, random));
            let begin = ["BEGIN".to_owned(), one, "SAVEPOINT s".to_owned(), two];
            let end = *random.pick(&["ROLLBACK TO s", "RELEASE s"]);
            let last = *random.pick(&["COMMIT", "COMMIT", "ROLLBACK"]);
            [&begin[..], &[end.to_owned(), three, last.to_owned()]].concat()
        }
        1 => {
            let name = format!("two{serial}");
            let prepare = format!("PREPARE TRANSACTION '{name}'");
            let end = *random.pick(&["COMMIT", "COMMIT", "ROLLBACK"]);
            let body = statement(schema, random);
            vec!["BEGIN".to_owned(), body, prepare, format!("{end} PREPARED '{name}'")]
        }
        2 => (0..3).map(|_| statement(schema, random)).collect(),
        _ => vec![statement(schema, random)],
    }
}

fn statement(schema: &Schema, random: &mut Random) -> String {
    let relation = schema.written(random);
    let name = &relation.name;
    let column = relation.likely(random);
    let kind = column.kind;
    let by = |random: &mut Random| {
        let column = relation.likely(random);
        format!("{} = {}", column.name, column.kind.literal(random))
    };
    match random.below(21) {
        0..=2 => insert(relation, random),
        3..=6 => fill(relation, random),
        7..=10 => {
            let what = assignment(relation, random);
            format!("UPDATE {name} SET {what} WHERE {}", by(random))
        }
        11 => {
            let (what, more) = (assignment(relation, random), assignment(relation, random));
            format!("UPDATE {name} SET {what}, {more} WHERE {}", by(random))
        }
        12 => {
            let what = assignment(relation, random);
            format!("UPDATE {name} SET {what} WHERE {} > {}", column.name, kind.literal(random))
        }
        13 => {
            let integer = relation.integer(random).name;
            let by_how_much = *random.pick(&["1", "5", "10", "-3"]);
            format!("UPDATE {name} SET {integer} = {integer} + {by_how_much} WHERE {}", by(random))
        }
        14 => format!("UPDATE {name} SET {0} = {0} WHERE {1}", column.name, by(random)),
        15..=16 => format!("DELETE FROM {name} WHERE {}", by(random)),
        17 => format!("DELETE FROM {name} WHERE {} > {}", column.name, kind.literal(random)),
        18 => {
            let other = schema.any(random);
            let (one, two) = (relation.integer(random).name, other.integer(random).name);
            let what = assignment(relation, random);
            format!(
                "UPDATE {name} q SET {what} FROM {} o WHERE q.{one} = o.{two} AND o.{two} < 3",
                other.name
            )
        }
        19 => {
            let other = schema.any(random);
            let (one, two) = (relation.integer(random).name, other.integer(random).name);
            let what = assignment(relation, random);
            format!(
                "MERGE INTO {name} q USING {} o ON q.{one} = o.{two} AND o.{two} = {} WHEN MATCHED THEN UPDATE SET {what}",
                other.name,
                random.below(INTEGERS)
            )
        }
        _ if relation.may_be_truncated && random.once_in(3) => format!("TRUNCATE {name} CASCADE"),
        _ => {
            let place = relation.integer(random).name;
            format!(
                "WITH gone AS (DELETE FROM {name} WHERE {place} = {} RETURNING *) INSERT INTO {name} ({1}) SELECT {1} FROM gone",
                random.below(INTEGERS),
                writable(relation).join(", ")
            )
        }
    }
}

fn writable(relation: &Relation) -> Vec<&'static str> {
    let columns = relation.columns.iter().filter(|column| !column.generated);
    columns.map(|column| column.name).collect()
}

fn assignment(relation: &Relation, random: &mut Random) -> String {
    let column = relation.any(random);
    if random.once_in(8) {
        return format!("{} = NULL", column.name);
    }
    format!("{} = '{}'", column.name, column.kind.value(random))
}

fn insert(relation: &Relation, random: &mut Random) -> String {
    let columns: Vec<_> = relation.columns.iter().filter(|column| !column.generated).collect();
    let rows: Vec<_> = (0..=random.below(3))
        .map(|_| {
            let values: Vec<_> =
                columns.iter().map(|column| format!("'{}'", column.kind.value(random))).collect();
            format!("({})", values.join(", "))
        })
        .collect();
    let names = writable(relation).join(", ");
    let first = columns[0].name;
    let conflict = match random.below(4) {
        0 => String::new(),
        1 => format!("ON CONFLICT ({first}) DO UPDATE SET {}", assignment(relation, random)),
        _ => "ON CONFLICT DO NOTHING".to_owned(),
    };
    format!("INSERT INTO {} ({names}) VALUES {} {conflict}", relation.name, rows.join(", "))
}

/// Many rows.
fn fill(relation: &Relation, random: &mut Random) -> String {
    let columns: Vec<_> = relation.columns.iter().filter(|column| !column.generated).collect();
    let values: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| match column.name {
            "z" => "i".to_owned(),
            _ if at == 0 => "i".to_owned(),
            _ => format!("'{}'", column.kind.value(random)),
        })
        .collect();
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM generate_series(0, {}) i ON CONFLICT DO NOTHING",
        relation.name,
        writable(relation).join(", "),
        values.join(", "),
        random.below(INTEGERS)
    )
}
