//! Random queries over a schema: look-ups by key, lists, ranges, joins, aggregates, views, sub-queries, with values in the text or as
//! parameters in any form. Some are not what PostgreSQL takes; whoever asks finds that out.
//!
//! Invariant: the rows of an answer are the same whatever plan is chosen, apart from their order.

use howdah_tests::Random;
use howdah_tests::raw::Frames;

use super::schema::{Column, Kind, Relation, Schema};

/// A parameter: the type that Parse names for it, 0 for none, whether it is in binary form, and its bytes.
#[derive(Debug, Clone)]
struct Parameter {
    oid: u32,
    binary: bool,
    bytes: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(super) struct Query {
    /// What it is like, for reports.
    pub(super) form: &'static str,
    pub(super) sql: String,
    parameters: Vec<Parameter>,
    extended: bool,
}

impl Query {
    pub(super) fn random(schema: &Schema, random: &mut Random) -> Self {
        let extended = random.once_in(2);
        let mut writer = Writer { schema, random, parameters: Vec::new(), extended, aliases: 0 };
        let (form, sql) = writer.query();
        Self { form, sql, parameters: writer.parameters, extended }
    }

    /// As it is sent.
    pub(super) fn frames(&self) -> Frames {
        if !self.extended {
            return Frames::new().query(&self.sql);
        }
        let types: Vec<u32> = self.parameters.iter().map(|parameter| parameter.oid).collect();
        let formats: Vec<u16> =
            self.parameters.iter().map(|parameter| u16::from(parameter.binary)).collect();
        let values: Vec<_> =
            self.parameters.iter().map(|parameter| parameter.bytes.as_deref()).collect();
        let frames = Frames::new().parse_typed("", &self.sql, &types);
        frames
            .bind_formats("", "", &formats, &values, &[])
            .describe_portal("")
            .execute("", 0)
            .sync()
    }

    /// For people.
    pub(super) fn told(&self) -> String {
        let value = |parameter: &Parameter| {
            let bytes = parameter.bytes.as_ref().map(|bytes| bytes.escape_ascii().to_string());
            format!("{bytes:?} (type {}, binary {})", parameter.oid, parameter.binary)
        };
        let values: Vec<_> = self.parameters.iter().map(value).collect();
        format!("{} {}", self.sql, values.join(", "))
    }
}

struct Writer<'a> {
    schema: &'a Schema,
    random: &'a mut Random,
    parameters: Vec<Parameter>,
    extended: bool,
    aliases: u32,
}

/// A relation under a name of its own.
struct Source<'a> {
    relation: &'a Relation,
    alias: String,
}

impl<'a> Writer<'a> {
    fn query(&mut self) -> (&'static str, String) {
        match self.random.below(16) {
            0..=4 => {
                let source = self.source();
                let column = source.relation.likely(self.random);
                let predicate = self.conjunct(&source, column, true);
                ("look-up", self.single(&source, predicate))
            }
            5..=6 => {
                let source = self.source();
                let predicate = self.predicate(&source);
                ("predicate", self.single(&source, predicate))
            }
            7..=9 => ("join", self.join()),
            10..=11 => ("aggregate", self.aggregate()),
            12 => ("set operation", self.set_operation()),
            13 => ("with", self.with()),
            _ => ("sub-query", self.sub_query()),
        }
    }

    fn source(&mut self) -> Source<'a> {
        self.aliases += 1;
        let relation = self.schema.any(self.random);
        Source { relation, alias: format!("r{}", self.aliases) }
    }

    fn single(&mut self, source: &Source<'_>, predicate: String) -> String {
        let only = if self.random.once_in(12) { "ONLY " } else { "" };
        let from =
            format!("FROM {only}{} {} WHERE {predicate}", source.relation.name, source.alias);
        let integer = source.relation.integer(self.random).name;
        let alias = &source.alias;
        match self.random.below(6) {
            0..=2 => format!("SELECT * {from}"),
            3 => format!("SELECT {alias}.{integer}, {alias}.{integer} + 1 {from}"),
            4 => format!("SELECT count(*), sum({alias}.{integer}) {from}"),
            _ => {
                format!("SELECT {alias}.{integer} {from} ORDER BY 1 LIMIT {}", self.random.below(4))
            }
        }
    }

    fn join(&mut self) -> String {
        let (one, other) = (self.source(), self.source());
        let kind = *self.random.pick(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let mut on = self.equal(&one, &other);
        if self.random.once_in(4) && kind != "FULL JOIN" {
            let more = self.predicate(&other);
            on = format!("{on} AND {more}");
        }
        let mut from = format!(
            "{} {} {kind} {} {} ON {on}",
            one.relation.name, one.alias, other.relation.name, other.alias
        );
        let mut sources = vec![one, other];
        if self.random.once_in(4) {
            let third = self.source();
            let on = self.equal(&sources[1], &third);
            from = match self.random.below(3) {
                0 => format!("{from} LEFT JOIN {} {} ON {on}", third.relation.name, third.alias),
                1 => format!("{from} JOIN {} {} ON {on}", third.relation.name, third.alias),
                _ => format!("{from}, {} {}", third.relation.name, third.alias),
            };
            sources.push(third);
        }
        let at = self.random.below(sources.len() as u64);
        let restricted = &sources[usize::try_from(at).expect("small")];
        let mut predicate = self.predicate(restricted);
        if self.random.once_in(3) {
            let more = self.equal(&sources[0], &sources[1]);
            predicate = format!("{predicate} AND {more}");
        }
        if self.random.once_in(2) {
            format!("SELECT count(*) FROM {from} WHERE {predicate}")
        } else {
            let columns: Vec<_> = sources
                .iter()
                .map(|source| format!("{}.{}", source.alias, source.relation.any(self.random).name))
                .collect();
            format!("SELECT {} FROM {from} WHERE {predicate}", columns.join(", "))
        }
    }

    fn aggregate(&mut self) -> String {
        let source = self.source();
        let (group, what) =
            (source.relation.integer(self.random).name, source.relation.integer(self.random).name);
        let predicate = self.predicate(&source);
        let from = format!("FROM {} {} WHERE {predicate}", source.relation.name, source.alias);
        match self.random.below(5) {
            0 => format!("SELECT {group}, count(*), sum({what}) {from} GROUP BY {group}"),
            1 => format!("SELECT {group}, max({what}) {from} GROUP BY {group} HAVING count(*) > 1"),
            2 => format!("SELECT DISTINCT {what} {from}"),
            3 => format!(
                "SELECT count(*) FILTER (WHERE {what} > 3), min({group}), bool_or({what} = 2) {from}"
            ),
            _ => format!("SELECT {what}, sum({what}) OVER (PARTITION BY {group}) {from}"),
        }
    }

    fn set_operation(&mut self) -> String {
        let mut part = || {
            let source = self.source();
            let column = source.relation.integer(self.random).name;
            let predicate = self.predicate(&source);
            format!(
                "SELECT {column}::int FROM {} {} WHERE {predicate}",
                source.relation.name, source.alias
            )
        };
        let (one, other) = (part(), part());
        let operation = *self.random.pick(&["UNION", "UNION ALL", "EXCEPT", "INTERSECT ALL"]);
        format!("{one} {operation} {other}")
    }

    fn with(&mut self) -> String {
        let (one, other) = (self.source(), self.source());
        let inner = self.predicate(&one);
        let column = one.relation.integer(self.random).name;
        let against = other.relation.integer(self.random).name;
        let outer = self.predicate(&other);
        // Sometimes under the name of a table.
        let name = *self.random.pick(&["q", "a", "w"]);
        let hint = *self.random.pick(&["", "MATERIALIZED ", "NOT MATERIALIZED "]);
        format!(
            "WITH {name} AS {hint}(SELECT {column} AS c FROM {} {} WHERE {inner}) \
             SELECT {name}.c, {}.{against} FROM {name} JOIN {} {} ON {}.{against} = {name}.c WHERE {outer}",
            one.relation.name,
            one.alias,
            other.alias,
            other.relation.name,
            other.alias,
            other.alias
        )
    }

    fn sub_query(&mut self) -> String {
        let (one, other) = (self.source(), self.source());
        let (outer, inner) = (self.predicate(&one), self.predicate(&other));
        let equal = self.equal(&one, &other);
        let column = other.relation.integer(self.random).name;
        let compared = one.relation.integer(self.random).name;
        let (from, inside) = (
            format!("{} {}", one.relation.name, one.alias),
            format!("{} {}", other.relation.name, other.alias),
        );
        let (alias, of) = (&one.alias, &other.alias);
        match self.random.below(6) {
            0 => format!(
                "SELECT * FROM {from} WHERE {outer} AND EXISTS (SELECT 1 FROM {inside} WHERE {equal} AND {inner})"
            ),
            1 => format!(
                "SELECT * FROM {from} WHERE {outer} AND NOT EXISTS (SELECT FROM {inside} WHERE {equal})"
            ),
            2 => format!(
                "SELECT {alias}.{compared} FROM {from} WHERE {alias}.{compared} IN (SELECT {of}.{column} FROM {inside} WHERE {inner})"
            ),
            3 => format!(
                "SELECT {alias}.{compared}, (SELECT count(*) FROM {inside} WHERE {equal}) FROM {from} WHERE {outer}"
            ),
            4 => format!(
                "SELECT {alias}.{compared}, x.c FROM {from}, LATERAL (SELECT count(*) AS c FROM {inside} WHERE {equal}) x WHERE {outer}"
            ),
            _ => format!(
                "SELECT x.c FROM (SELECT {of}.{column} AS c FROM {inside} WHERE {inner}) x, {from} WHERE {alias}.{compared} = x.c AND {outer}"
            ),
        }
    }

    /// Columns of both that hold the same, or something else.
    fn equal(&mut self, one: &Source<'_>, other: &Source<'_>) -> String {
        let left = one.relation.likely(self.random);
        let mut right = other.relation.any(self.random);
        for _ in 0..8 {
            if right.kind == left.kind {
                break;
            }
            right = other.relation.any(self.random);
        }
        format!("{}.{} = {}.{}", one.alias, left.name, other.alias, right.name)
    }

    fn predicate(&mut self, source: &Source<'_>) -> String {
        let count = 1 + self.random.below(3);
        let parts: Vec<_> = (0..count)
            .map(|_| {
                let column = source.relation.likely(self.random);
                self.conjunct(source, column, false)
            })
            .collect();
        parts.join(" AND ")
    }

    /// `exact`: an equality of some form.
    fn conjunct(&mut self, source: &Source<'_>, column: &Column, exact: bool) -> String {
        let name = format!("{}.{}", source.alias, column.name);
        let kind = column.kind;
        let range = if exact { 10 } else { 21 };
        match self.random.below(range) {
            0..=4 => format!("{name} = {}", self.value(kind)),
            5 => format!("{} = {name}", self.value(kind)),
            6..=7 => {
                let values: Vec<_> = (0..=self.random.below(4)).map(|_| self.value(kind)).collect();
                format!("{name} IN ({})", values.join(", "))
            }
            8 => self.any_of(&name, kind),
            9 => {
                let other = source.relation.any(self.random);
                let (one, two) = (self.value(kind), self.value(other.kind));
                format!("({name}, {}.{}) = ({one}, {two})", source.alias, other.name)
            }
            10 => {
                let (low, high) = (self.value(kind), self.value(kind));
                format!("{name} BETWEEN {low} AND {high}")
            }
            11..=12 => {
                let operator = *self.random.pick(&["<", ">", "<>", ">="]);
                format!("{name} {operator} {}", self.value(kind))
            }
            13 => (*self.random.pick(&["IS NULL", "IS NOT NULL", "= NULL", "= NULL IS NULL"]))
                .split_once(' ')
                .map_or_else(String::new, |(first, rest)| format!("{name} {first} {rest}")),
            14 => format!("{name} IS NOT DISTINCT FROM {}", self.value(kind)),
            15 => {
                let other = source.relation.likely(self.random);
                let (one, two) =
                    (self.conjunct(source, column, true), self.conjunct(source, other, true));
                format!("({one} OR {two})")
            }
            16 => format!("NOT ({})", self.conjunct(source, column, true)),
            17 => format!("({name} = {}) IS NOT TRUE", self.value(kind)),
            18 => format!("{name}::text = {}", self.value(Kind::Text)),
            19 => format!("{name} = {}.{}", source.alias, source.relation.any(self.random).name),
            _ => format!("coalesce({name} = {}, true)", self.value(kind)),
        }
    }

    fn any_of(&mut self, name: &str, kind: Kind) -> String {
        let values: Vec<_> = (0..=self.random.below(3)).map(|_| kind.value(self.random)).collect();
        let plain = kind == Kind::Integer;
        let array = format!("{{{}}}", values.join(","));
        if self.extended && plain && self.random.once_in(2) {
            let oid = *self.random.pick(&[0, 1007, 1016]);
            return format!(
                "{name} = ANY ({})",
                self.parameter(oid, false, Some(array.into_bytes()))
            );
        }
        match self.random.below(2) {
            0 if plain => format!("{name} = ANY (ARRAY[{}])", values.join(", ")),
            _ if plain => format!("{name} = ANY ('{array}')"),
            _ => format!("{name} = {}", self.value(kind)),
        }
    }

    /// In the text, or as a parameter.
    fn value(&mut self, kind: Kind) -> String {
        if !self.extended || self.random.once_in(3) {
            return kind.literal(self.random);
        }
        if self.random.once_in(12) {
            return self.parameter(0, false, None);
        }
        let text = kind.value(self.random);
        let number: Option<i32> = text.parse().ok().filter(|_| kind == Kind::Integer);
        if let Some(number) = number
            && self.random.once_in(2)
        {
            let wide = self.random.once_in(3);
            let (oid, bytes) = if wide {
                (20, i64::from(number).to_be_bytes().to_vec())
            } else {
                (23, number.to_be_bytes().to_vec())
            };
            return self.parameter(oid, true, Some(bytes));
        }
        let declared: &[u32] = match kind {
            Kind::Integer => &[0, 0, 20, 21, 23, 1700, 701],
            Kind::Numeric => &[0, 1700, 701],
            Kind::Float => &[0, 701],
            Kind::Text => &[0, 0, 25, 1043, 1042, 19],
            Kind::Boolean => &[0, 16],
            Kind::Label => &[0],
            Kind::Uuid => &[0, 2950],
            Kind::Date => &[0, 1082, 1114],
        };
        let oid = *self.random.pick(declared);
        let text = match (kind == Kind::Integer, self.random.below(4)) {
            (true, 0) => format!(" {text}"),
            (true, 1) => format!("0{text}"),
            _ => text,
        };
        // A parameter again: its type is another question.
        if self.random.once_in(8) && !self.parameters.is_empty() {
            return format!("${}", 1 + self.random.below(self.parameters.len() as u64));
        }
        let cast = if self.random.once_in(6) {
            *self.random.pick(&["::text", "::int", "::numeric", "::bigint", "::varchar"])
        } else {
            ""
        };
        format!("{}{cast}", self.parameter(oid, false, Some(text.into_bytes())))
    }

    fn parameter(&mut self, oid: u32, binary: bool, bytes: Option<Vec<u8>>) -> String {
        self.parameters.push(Parameter { oid, binary, bytes });
        format!("${}", self.parameters.len())
    }
}
