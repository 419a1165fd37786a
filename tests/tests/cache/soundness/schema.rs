//! Random schemas: the same relations each time, with other types, keys, replica identities, partitions and actions of foreign keys.
//! Not what is asked of them, nor what is written.
//!
//! Invariant: [`Relation::columns`] are columns of the relation, and texts of their values are values of their kind.

use howdah_tests::Random;

/// What a column holds. Values are few, so that they meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Numeric,
    Float,
    Text,
    Boolean,
    Label,
    Uuid,
    Date,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// It cannot be written.
    pub(super) generated: bool,
}

/// A table, a partition or a view.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// With its schema.
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) may_be_written: bool,
    pub(super) may_be_truncated: bool,
}

#[derive(Debug)]
pub(super) struct Schema {
    /// What makes it, with some rows.
    pub(super) sql: String,
    pub(super) relations: Vec<Relation>,
}

const TEXTS: [&str; 7] = ["a", "A", "a ", "b", "ä", "", "null"];
/// The largest integer that is written; keys are moved above it.
pub(super) const INTEGERS: u64 = 10;

impl Kind {
    /// A value, as its text.
    pub(super) fn value(self, random: &mut Random) -> String {
        let number = random.below(INTEGERS);
        match self {
            Self::Integer => number.to_string(),
            Self::Numeric => {
                let written = [format!("{number}"), format!("{number}.0"), format!("{number}.500")];
                random.pick(&written).clone()
            }
            Self::Float => (*random.pick(&["0", "-0", "1", "1.5", "NaN", "1e0"])).to_owned(),
            Self::Text => (*random.pick(&TEXTS)).to_owned(),
            Self::Boolean => (*random.pick(&["t", "f", "true", "no"])).to_owned(),
            Self::Label => (*random.pick(&["sad", "ok", "happy"])).to_owned(),
            Self::Uuid if random.once_in(3) => {
                format!("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A1{}", number % 4)
            }
            Self::Uuid if random.once_in(3) => {
                format!("a0eebc999c0b4ef8bb6d6bb9bd380a1{}", number % 4)
            }
            Self::Uuid => format!("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1{}", number % 4),
            Self::Date if random.once_in(3) => format!("{} Jan 2020", number % 4 + 1),
            Self::Date => format!("2020-01-0{}", number % 4 + 1),
        }
    }

    /// A value, as a text of SQL.
    pub(super) fn literal(self, random: &mut Random) -> String {
        let value = self.value(random);
        let quoted = format!("'{value}'");
        let bare = matches!(self, Self::Integer | Self::Numeric) && !random.once_in(4);
        let written = if bare { value } else { quoted };
        if !random.once_in(5) {
            return written;
        }
        let casts: &[&str] = match self {
            Self::Integer => &["int", "bigint", "smallint", "numeric", "float8"],
            Self::Numeric => &["numeric", "float8", "numeric(6,2)"],
            Self::Float => &["float8", "float4", "numeric"],
            Self::Text => &["text", "varchar", "char(3)", "varchar(1)", "name"],
            Self::Boolean => &["boolean"],
            Self::Label => &["text"],
            Self::Uuid => &["uuid"],
            Self::Date => &["date", "timestamp"],
        };
        format!("{written}::{}", random.pick(casts))
    }
}

fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, generated: false }
}

/// Types, tables and partitions.
fn tables(name: &str, random: &mut Random) -> String {
    let mut sql = format!(
        "CREATE SCHEMA {name}; CREATE TYPE {name}.mood AS ENUM ('sad', 'ok', 'happy'); \
             CREATE DOMAIN {name}.small AS int CHECK (VALUE < 1000); \
             CREATE COLLATION {name}.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);\n"
    );
    let mut pick = |of: &[&str]| (*random.pick(of)).replace("NAME", name);
    let integer = &["int", "bigint", "smallint", "NAME.small"];
    let text =
        &["text", "varchar", "varchar(4)", "char(4)", "text COLLATE NAME.ci", "text COLLATE \"C\""];
    let identity = &["DEFAULT", "DEFAULT", "FULL"];
    let (a_id, a_t) = (pick(&["int", "bigint"]), pick(text));
    sql.push_str(&format!(
            "CREATE TABLE {name}.a (id {a_id} PRIMARY KEY, k {}, t {a_t}, n {}, f float8, b boolean, l {name}.mood, u uuid, d date, \
             g int GENERATED ALWAYS AS (k % 3) STORED);\n",
            pick(integer),
            pick(&["numeric", "numeric(6,2)"]),
        ));
    sql.push_str(&format!(
        "CREATE TABLE {name}.b (x {}, y {}, v int, z int NOT NULL UNIQUE, PRIMARY KEY (x, y));\n",
        pick(integer),
        pick(text)
    ));
    sql.push_str(&format!(
            "CREATE TABLE {name}.c (id int PRIMARY KEY, a_id {a_id} REFERENCES {name}.a ON DELETE {} ON UPDATE {}, v int);\n",
            pick(&["CASCADE", "SET NULL"]),
            pick(&["CASCADE", "SET NULL"]),
        ));
    let parts = pick(&[
        "RANGE (r); CREATE TABLE NAME.p0 PARTITION OF NAME.p FOR VALUES FROM (0) TO (5); \
             CREATE TABLE NAME.p1 PARTITION OF NAME.p DEFAULT",
        "LIST (r); CREATE TABLE NAME.p0 PARTITION OF NAME.p FOR VALUES IN (0, 1, 2, 3); \
             CREATE TABLE NAME.p1 PARTITION OF NAME.p DEFAULT PARTITION BY RANGE (id); \
             CREATE TABLE NAME.p2 PARTITION OF NAME.p1 FOR VALUES FROM (0) TO (4); CREATE TABLE NAME.p3 PARTITION OF NAME.p1 DEFAULT",
        "HASH (r, id); CREATE TABLE NAME.p0 PARTITION OF NAME.p FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
             CREATE TABLE NAME.p1 PARTITION OF NAME.p FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    ]);
    sql.push_str(&format!(
            "CREATE TABLE {name}.p (id int, r int, v int, PRIMARY KEY (id, r)) PARTITION BY {parts};\n\
             CREATE TABLE {name}.h (id int PRIMARY KEY, v int, t text); CREATE TABLE {name}.hc (extra int, PRIMARY KEY (id)) INHERITS ({name}.h);\n\
             CREATE TABLE {name}.w (id int, v int, t {}); ALTER TABLE {name}.w REPLICA IDENTITY FULL;\n",
            pick(text)
        ));
    for table in ["a", "c", "h", "hc", "p0"] {
        sql.push_str(&format!("ALTER TABLE {name}.{table} REPLICA IDENTITY {};\n", pick(identity)));
    }
    sql.push_str(&format!(
        "ALTER TABLE {name}.b REPLICA IDENTITY {};\n",
        pick(&["DEFAULT", "FULL", "USING INDEX b_z_key"])
    ));
    sql
}

/// Views, and rows of the tables.
fn views_and_rows(name: &str) -> String {
    format!(
        "CREATE VIEW {name}.va AS SELECT id, k, t, b FROM {name}.a WHERE k < 8;\n\
             CREATE VIEW {name}.vj AS SELECT a.id, a.k, c.id AS cid, c.v FROM {name}.va a LEFT JOIN {name}.c ON c.a_id = a.id;\n\
             CREATE VIEW {name}.vu AS SELECT id, v FROM {name}.p UNION ALL SELECT id, v FROM {name}.h WHERE id = 3;\n\
             CREATE VIEW {name}.vg AS SELECT r AS id, count(*) AS n, sum(v) AS v FROM {name}.p GROUP BY r;\n\
             INSERT INTO {name}.a (id, k, t, n, f, b, l, u, d) SELECT i, i % 4, 'a', i, 1, i % 2 = 0, 'ok', \
             ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1' || i % 4)::uuid, '2020-01-01' FROM generate_series(0, 9) i;\n\
             INSERT INTO {name}.b SELECT i, 'a', i % 3, i FROM generate_series(0, 9) i;\n\
             INSERT INTO {name}.c SELECT i, i % 5, i FROM generate_series(0, 9) i;\n\
             INSERT INTO {name}.p SELECT i, i % 7, i % 3 FROM generate_series(0, 9) i;\n\
             INSERT INTO {name}.h SELECT i, i % 3, 'a' FROM generate_series(0, 4) i; INSERT INTO {name}.hc SELECT i, i % 3, 'a', 0 FROM generate_series(5, 9) i;\n\
             INSERT INTO {name}.w SELECT i % 5, i % 3, 'b' FROM generate_series(0, 9) i;\n",
    )
}

/// What there is to read and to write.
fn relations(name: &str) -> Vec<Relation> {
    use Kind::{Boolean, Date, Float, Integer, Label, Numeric, Text, Uuid};
    let mut relations = Vec::new();
    let mut relation = |short: &str, columns: &[(&'static str, Kind)], written: bool| {
        relations.push(Relation {
            name: format!("{name}.{short}"),
            columns: columns.iter().map(|(name, kind)| column(name, *kind)).collect(),
            may_be_written: written,
            may_be_truncated: written && short != "va",
        });
    };
    let a = [
        ("id", Integer),
        ("k", Integer),
        ("t", Text),
        ("n", Numeric),
        ("f", Float),
        ("b", Boolean),
        ("l", Label),
        ("u", Uuid),
        ("d", Date),
        ("g", Integer),
    ];
    let p = [("id", Integer), ("r", Integer), ("v", Integer)];
    relation("a", &a, true);
    relation("b", &[("x", Integer), ("y", Text), ("v", Integer), ("z", Integer)], true);
    relation("c", &[("id", Integer), ("a_id", Integer), ("v", Integer)], true);
    relation("p", &p, true);
    relation("p0", &p, true);
    relation("p1", &p, true);
    relation("h", &[("id", Integer), ("v", Integer), ("t", Text)], true);
    relation("hc", &[("id", Integer), ("v", Integer), ("t", Text), ("extra", Integer)], true);
    relation("w", &[("id", Integer), ("v", Integer), ("t", Text)], true);
    relation("va", &[("id", Integer), ("k", Integer), ("t", Text), ("b", Boolean)], true);
    relation("vj", &[("id", Integer), ("k", Integer), ("cid", Integer), ("v", Integer)], false);
    relation("vu", &[("id", Integer), ("v", Integer)], false);
    relation("vg", &[("id", Integer), ("n", Integer), ("v", Numeric)], false);
    for column in relations.iter_mut().flat_map(|relation| &mut relation.columns) {
        column.generated = column.name == "g";
    }
    relations
}

impl Schema {
    /// With relations in a schema of this name.
    pub(super) fn random(name: &str, random: &mut Random) -> Self {
        let sql = tables(name, random) + &views_and_rows(name);
        Self { sql, relations: relations(name) }
    }

    pub(super) fn any(&self, random: &mut Random) -> &Relation {
        random.pick(&self.relations)
    }

    /// One that can be written.
    pub(super) fn written(&self, random: &mut Random) -> &Relation {
        loop {
            let relation = self.any(random);
            if relation.may_be_written {
                return relation;
            }
        }
    }
}

impl Relation {
    pub(super) fn any(&self, random: &mut Random) -> &Column {
        random.pick(&self.columns)
    }

    /// Often the key.
    pub(super) fn likely(&self, random: &mut Random) -> &Column {
        if random.percent(55) { &self.columns[0] } else { self.any(random) }
    }

    /// A column of integers.
    pub(super) fn integer(&self, random: &mut Random) -> &Column {
        loop {
            let column = self.any(random);
            if column.kind == Kind::Integer {
                return column;
            }
        }
    }
}
