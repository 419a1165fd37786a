//! What the result cache needs of a catalog, beyond what routing does: statements, and their rows into a
//! `howdah_core::cache::definitions::Builder`. Asked in the same snapshot, and only where the cache is used.
//!
//! Invariant: a function is left out only if it is `IMMUTABLE` and comes with PostgreSQL or an extension.

use howdah_core::cache::definitions::{Builder, Column, Function, Holds, Kind};
use howdah_core::cache::value::oid;

use super::load::Values;

/// Rows of further catalogs that matter, as in `load::DIGEST`.
pub(super) const DIGEST: &str = "
 UNION ALL SELECT 14, a.xmin FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  WHERE a.attrelid >= 16384 AND c.relkind IN ('r','p','v') AND c.relpersistence <> 't'
 UNION ALL SELECT 15, i.xmin FROM pg_index i WHERE i.indrelid >= 16384
 UNION ALL SELECT 16, xmin FROM pg_type WHERE typtype IN ('b','e','r') AND oid >= 16384
 UNION ALL SELECT 17, xmin FROM pg_depend WHERE deptype = 'e'
 UNION ALL SELECT 18, xmin FROM pg_collation WHERE oid >= 16384";

/// What becomes of a row; `None`: it is not what was asked for.
pub(super) type Take = fn(&mut Builder, &mut Values<'_>) -> Option<()>;

/// Whether a function `p` is not known to answer the same each time. `e`: it belongs to an extension.
macro_rules! unsteady {
    () => {
        "NOT (p.provolatile = 'i' AND (p.oid < 16384 OR EXISTS (SELECT FROM pg_depend e
 WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')))"
    };
}

/// The statements, each with what becomes of its rows. Relations come before what belongs to them.
pub(super) const READINGS: [(&str, Take); 9] = [
    (
        "SELECT c.oid, n.nspname, c.relname, CASE
  WHEN c.oid < 16384 OR n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast') THEN 'system'
  WHEN c.relkind = 'm' THEN 'm' WHEN c.relkind = 'f' THEN 'f' WHEN c.relkind = 'S' THEN 'S'
  WHEN c.relpersistence = 'u' THEN 'u'
  WHEN c.relkind = 'v' THEN CASE WHEN EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND (
    r.ev_type <> '1'
    OR r.ev_action::text ~ '\\{(SQLVALUEFUNCTION|TABLESAMPLECLAUSE|NEXTVALUEEXPR|XMLEXPR|TABLEFUNC|ROWMARKCLAUSE)'
    OR r.ev_action::text ~ '\\{COERCEVIAIO' AND r.ev_action::text ~ ':resulttype (1082|1083|1114|1184|1266) '))
   THEN 'odd' ELSE 'v' END
  WHEN c.relkind = 'p' OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) THEN 'p'
  ELSE 'r' END, c.relrowsecurity
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r','p','v','m','f','S') AND c.relpersistence <> 't' AND n.nspname <> 'pg_toast'",
        relation,
    ),
    (
        "SELECT a.attrelid, a.attname, a.attnum, CASE WHEN t.typtype = 'e' THEN 'e'
  WHEN a.attcollation <> 0 AND NOT co.collisdeterministic THEN '0' ELSE a.atttypid::text END
 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
 LEFT JOIN pg_collation co ON co.oid = a.attcollation
 WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid >= 16384
  AND c.relkind IN ('r','p','v') AND c.relpersistence <> 't'",
        column,
    ),
    (
        "SELECT i.indrelid, array_to_string(i.indkey::int2[], ',') FROM pg_index i
 JOIN pg_class c ON c.oid = i.indrelid AND c.relkind = 'r' AND c.relpersistence = 'p'
 WHERE i.indrelid >= 16384 AND (c.relreplident = 'd' AND i.indisprimary
  OR c.relreplident = 'i' AND i.indisreplident)",
        identity,
    ),
    (
        "SELECT i.inhparent, i.inhrelid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE c.relkind IN ('r','p','f') AND c.relpersistence <> 't'
 UNION SELECT r.ev_class, m[1]::oid FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
  AND c.relkind = 'v' AND c.relpersistence <> 't',
 regexp_matches(r.ev_action::text, ':relid ([1-9][0-9]*)', 'g') m WHERE r.ev_class >= 16384",
        reads,
    ),
    (
        concat!(
            "SELECT p.oid, n.nspname, p.proname, p.oid < 16384,
 p.pronargs > 0 AND p.pronargs - p.pronargdefaults <= 1, p.provolatile = 'v'
 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE p.prokind <> 'p' AND n.nspname !~ '^pg_temp_' AND ",
            unsteady!()
        ),
        function,
    ),
    (
        concat!(
            "WITH called AS (SELECT DISTINCT r.ev_class AS relation, m[1]::oid AS function
  FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class AND c.relkind = 'v',
  regexp_matches(r.ev_action::text,
   ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g') m WHERE r.ev_class >= 16384)
 SELECT c.relation, p.oid FROM called c JOIN pg_proc p ON p.oid = c.function WHERE ",
            unsteady!()
        ),
        calls,
    ),
    (
        concat!(
            "SELECT DISTINCT o.oprname FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
 WHERE p.oid >= 16384 AND ",
            unsteady!()
        ),
        operator,
    ),
    (
        "SELECT DISTINCT t.typname FROM pg_type t WHERE t.oid >= 16384 AND t.typtype <> 'e'
 AND NOT (t.typtype = 'b' AND (t.typelem <> 0 OR EXISTS (SELECT FROM pg_depend e
  WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')))
 AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relpersistence = 't')",
        own_type,
    ),
    (
        concat!(
            "SELECT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE p.oid >= 16384 AND p.oid IN (SELECT castfunc FROM pg_cast UNION SELECT amproc FROM pg_amproc
  UNION SELECT typoutput FROM pg_type UNION SELECT typinput FROM pg_type
  UNION SELECT typsend FROM pg_type UNION SELECT typreceive FROM pg_type) AND ",
            unsteady!()
        ),
        everywhere,
    ),
];

fn relation(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    let (id, name) = (row.id()?, row.name()?);
    let kind = match row.text()? {
        "system" => Kind::System,
        "m" => Kind::Materialized,
        "f" => Kind::Foreign,
        "S" => Kind::Sequence,
        "u" => Kind::Unlogged,
        "v" => Kind::View,
        "odd" => Kind::UnsteadyView,
        "p" => Kind::Parent,
        "r" => Kind::Table,
        _ => return None,
    };
    builder.relation(id, name, kind, row.holds()?);
    Some(())
}

fn column(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    /// `date`, `time`, `timestamp`, `timestamptz`, `timetz`.
    const TIMES: [u32; 5] = [1082, 1083, 1114, 1184, 1266];
    /// `bigint`, `smallint`, `integer`, `text`, `oid`, `json`, `macaddr`, `inet`, `bpchar`, `varchar`, `boolean`, `numeric`, `uuid`, `jsonb`,
    /// `cidr`: no setting changes how a value of these is written.
    const STEADY: [u32; 15] =
        [16, 20, 21, 23, 25, 26, 114, 650, 829, 869, 1042, 1043, 1700, 2950, 3802];
    let (relation, name) = (row.id()?, row.text()?.to_owned());
    let attnum = row.text()?.parse().ok()?;
    let (holds, steady) = match row.text()? {
        "e" => (Holds::Label, true),
        number => {
            let number = number.parse().ok()?;
            let holds = match number {
                oid::INT2 | oid::INT4 | oid::INT8 => Holds::Integer,
                oid::TEXT | oid::VARCHAR => Holds::Text,
                oid::UUID => Holds::Uuid,
                oid::BOOL => Holds::Boolean,
                number if TIMES.contains(&number) => Holds::Time,
                _ => Holds::Other,
            };
            (holds, STEADY.contains(&number))
        }
    };
    builder.column(relation, &name, Column { attnum, holds, steady });
    Some(())
}

fn identity(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    let relation = row.id()?;
    let attnums = row.text()?.split(',').map(str::parse).collect::<Result<Box<[i16]>, _>>();
    builder.identity(relation, attnums.ok()?);
    Some(())
}

fn reads(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    builder.reads(row.id()?, row.id()?);
    Some(())
}

fn function(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    let (id, name) = (row.id()?, row.name()?);
    let (built_in, unary, volatile) = (row.holds()?, row.holds()?, row.holds()?);
    builder.function(id, Function { name, built_in, unary, volatile });
    Some(())
}

fn calls(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    builder.calls(row.id()?, row.id()?);
    Some(())
}

fn operator(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    builder.operator(row.text()?);
    Some(())
}

fn own_type(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    builder.own_type(row.text()?);
    Some(())
}

fn everywhere(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    builder.everywhere(row.name()?);
    Some(())
}
