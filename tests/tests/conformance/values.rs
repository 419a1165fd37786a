//! Every type of the catalog with several values, as text and binary, as parameter and as result, by every way through the
//! protocol. The literals are ours; arrays, ranges, multiranges and domains are made from them by what the catalog says.

use std::collections::BTreeMap;

use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Random, Script, Until};

use crate::corpus::Case;
use crate::run::Comparison;

/// Literals of base types: NULL is added to all. The first two are in ascending order, for ranges.
const LITERALS: &[(&str, &[&str])] = &[
    ("bool", &["f", "t"]),
    ("bytea", &["\\x", "\\x00ff5c27", "esc\\\\aped\\000"]),
    ("char", &["a", "", "\\377"]),
    (
        "name",
        &[
            "plain",
            "ünï \"quoted\"",
            "a-name-that-is-much-longer-than-sixty-three-bytes-and-is-cut-off-there",
        ],
    ),
    ("int8", &["-9223372036854775808", "9223372036854775807", "0", "9223372036854775808"]),
    ("int2", &["-32768", "32767", "0", "32768"]),
    ("int4", &["-2147483648", "2147483647", "0", "2147483648", "1.5"]),
    ("text", &["", "ünïcödé €😀", "tab\tnewline\nquote'backslash\\"]),
    ("varchar", &["", "ünï", " blanks "]),
    ("bpchar", &["", "x   ", "ünï"]),
    ("oid", &["0", "4294967295", "-1"]),
    ("tid", &["(0,1)", "(4294967295,65535)"]),
    ("xid", &["0", "4294967295"]),
    ("xid8", &["0", "18446744073709551615"]),
    ("cid", &["0", "4294967295"]),
    ("oidvector", &["", "1 2 4294967295"]),
    ("int2vector", &["", "-1 2 32767"]),
    ("json", &["null", "{\"a\" : [1, 2.50, \"\\u00e9\"]}", "{broken"]),
    ("jsonb", &["null", "{\"b\": {\"a\": [1, 2.50, true, null]}, \"a\": \"\\u00e9\"}", "[1,"]),
    ("jsonpath", &["$", "$.a[*] ? (@ > 1).b", "$["]),
    ("xml", &["<a/>", "<a b=\"c\">text</a>", "<a>"]),
    ("point", &["(0,0)", "(-1.5,1e300)"]),
    ("lseg", &["[(0,0),(1,1)]"]),
    ("path", &["[(0,0),(1,1)]", "((0,0),(1,1),(2,0))"]),
    ("box", &["(1,1),(0,0)", "(Infinity,1),(0,-1)"]),
    ("polygon", &["((0,0),(1,1),(2,0))"]),
    ("line", &["{1,-1,0}", "{0,0,0}"]),
    ("circle", &["<(0,0),1>", "<(1,2),-1>"]),
    ("float4", &["-3.4028235e38", "1.17549e-38", "NaN", "-0", "1e39"]),
    ("float8", &["-1.7976931348623157e308", "5e-324", "NaN", "-Infinity", "0.1", "1e309"]),
    ("money", &["-92233720368547758.08", "92233720368547758.07", "0"]),
    ("macaddr", &["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05", "08002b:010203"]),
    ("inet", &["0.0.0.0/0", "::ffff:1.2.3.4/128", "192.168.1.5/24"]),
    ("cidr", &["10/8", "2001:db8::/32", "192.168.1.5/24"]),
    ("aclitem", &["=r/app", "app=arwdDxt*/app"]),
    ("date", &["4713-01-01 BC", "5874897-12-31", "infinity", "2024-02-29", "2023-02-29"]),
    ("time", &["00:00", "24:00:00", "23:59:59.999999"]),
    ("timetz", &["00:00+15:59", "23:59:59.999999-15:59"]),
    (
        "timestamp",
        &["4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999", "-infinity", "2000-01-01"],
    ),
    (
        "timestamptz",
        &[
            "4713-01-02 00:00:00+00 BC",
            "294276-12-31 00:00:00+00",
            "infinity",
            "2024-03-31 02:30+01",
        ],
    ),
    ("interval", &["-178000000 years", "1 year 2 mons -3 days 04:05:06.000007", "0"]),
    ("bit", &["1", "0", "10"]),
    ("varbit", &["", "1011001110001111", "2"]),
    (
        "numeric",
        &[
            "-1e1000",
            "1e1000",
            "NaN",
            "Infinity",
            "0.00000000000000000000001",
            "123456789012345678901234567890.50",
            "x",
        ],
    ),
    ("refcursor", &["", "a cursor"]),
    (
        "uuid",
        &[
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "not-a-uuid",
        ],
    ),
    ("tsvector", &["", "'a':1A,3 'b c':2", "fat cat"]),
    ("tsquery", &["", "'a':AB & !'b' <-> 'c':*", "a &"]),
    ("txid_snapshot", &["1:5:2,3", "10:5:"]),
    ("pg_snapshot", &["1:1:", "1:5:2,3"]),
    ("pg_lsn", &["0/0", "FFFFFFFF/FFFFFFFF"]),
    ("regproc", &["lower", "pg_catalog.now", "no_such"]),
    ("regprocedure", &["abs(integer)", "-"]),
    ("regoper", &["!~~", "+"]),
    ("regoperator", &["+(integer,integer)", "0"]),
    ("regclass", &["pg_class", "1259", "no_such_table"]),
    ("regcollation", &["\"C\"", "no_such"]),
    ("regtype", &["integer[]", "pg_catalog.timestamptz"]),
    ("regconfig", &["english", "no_such"]),
    ("regdictionary", &["simple"]),
    ("regnamespace", &["pg_catalog"]),
    ("regrole", &["app", "no_such_role"]),
    ("own_mood", &["sad", "hap'py", "bored"]),
    ("own_positive", &["1", "0"]),
    ("own_pair", &["(1,two,\"2024-02-29 12:00:00+00\")", "(,,)", "(1)"]),
];

/// What a type is made of.
#[derive(Debug, Clone)]
struct Type {
    oid: u32,
    /// As in a cast.
    sql: String,
    kind: char,
    /// Name of the element, subtype or base type.
    of: String,
    delimiter: char,
}

const CATALOG: &str = "
    SELECT t.typname, t.oid, format_type(t.oid, NULL),
        CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN 'a' ELSE t.typtype::text END,
        coalesce(CASE WHEN t.typcategory = 'A' THEN e.typname END, s.typname, m.typname, b.typname, ''),
        CASE WHEN e.oid IS NOT NULL THEN e.typdelim ELSE ',' END
    FROM pg_type t
        LEFT JOIN pg_type e ON e.oid = t.typelem
        LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_type s ON s.oid = r.rngsubtype
        LEFT JOIN pg_range mr ON mr.rngmultitypid = t.oid LEFT JOIN pg_type m ON m.oid = mr.rngtypid
        LEFT JOIN pg_type b ON b.oid = t.typbasetype
    WHERE t.typisdefined AND t.typtype IN ('b', 'r', 'm', 'd', 'e', 'c')
        AND (t.typtype <> 'c' OR t.typname = 'own_pair')
        AND (t.typelem = 0 OR e.typtype <> 'c' OR e.typname = 'own_pair')
    ORDER BY t.typname";

fn catalog(connection: &mut Connection) -> BTreeMap<String, Type> {
    let mut types = BTreeMap::new();
    // Multiranges came with PostgreSQL 14.
    let old = connection.value("SELECT current_setting('server_version_num')::int < 140000") == "t";
    let sql =
        if old { CATALOG.replace("mr.rngmultitypid = t.oid", "false") } else { CATALOG.into() };
    for row in connection.run(&sql).rows() {
        let column = |index: usize| row[index].clone().unwrap_or_default();
        let first = |text: String| text.chars().next().unwrap_or(',');
        let oid = column(1).parse().expect("an object id");
        let entry = Type {
            oid,
            sql: column(2),
            kind: first(column(3)),
            of: column(4),
            delimiter: first(column(5)),
        };
        types.insert(column(0), entry);
    }
    types
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Values of a type as text.
fn texts(types: &BTreeMap<String, Type>, name: &str) -> Vec<String> {
    if let Some((_, literals)) = LITERALS.iter().find(|(known, _)| *known == name) {
        return literals.iter().map(|text| (*text).to_owned()).collect();
    }
    let Some(own) = types.get(name) else { return vec!["x".to_owned()] };
    let parts = || {
        let mut parts = texts(types, &own.of);
        parts.push(parts[0].clone());
        (parts[0].clone(), parts[1].clone())
    };
    match own.kind {
        'a' => {
            let (a, b, d) = (quoted(&parts().0), quoted(&parts().1), own.delimiter);
            vec![
                "{}".to_owned(),
                format!("{{{a}{d}NULL{d}{b}}}"),
                format!("{{{{{a}}}{d}{{{b}}}}}"),
                format!("[-1:0]={{{a}{d}{b}}}"),
                "{{".to_owned(),
            ]
        }
        'r' => {
            let (a, b) = (quoted(&parts().0), quoted(&parts().1));
            vec!["empty".into(), "(,)".into(), format!("[{a},{b})"), format!("({b},{a}]")]
        }
        'm' => {
            let range = texts(types, &own.of)[2].clone();
            vec!["{}".to_owned(), format!("{{{range}}}"), format!("{{empty,{range},(,)}}")]
        }
        'd' => texts(types, &own.of),
        _ => vec!["x".to_owned()],
    }
}

/// One value of one type, in both formats.
#[derive(Debug, Clone)]
struct Value {
    oid: u32,
    sql: String,
    text: Option<String>,
    /// As PostgreSQL sends it; wrong bytes when it does not.
    binary: Option<Vec<u8>>,
}

impl Value {
    fn parameter(&self, format: u16) -> Option<&[u8]> {
        match format {
            0 => self.text.as_deref().map(str::as_bytes),
            _ => self.binary.as_deref(),
        }
    }

    fn literal(&self) -> String {
        match &self.text {
            Some(text) => format!("'{}'::{}", text.replace('\'', "''"), self.sql),
            None => format!("NULL::{}", self.sql),
        }
    }
}

fn values(direct: &mut Connection, own: &Type, texts: Vec<String>) -> Vec<Value> {
    let mut values = Vec::new();
    for text in texts.into_iter().map(Some).chain([None]) {
        let parameter = text.as_deref().map(str::as_bytes);
        let frames = Frames::new()
            .parse_typed("", "SELECT $1", &[own.oid])
            .bind_formats("", "", &[0], &[parameter], &[1])
            .execute("", 0)
            .sync();
        let replies = direct.answer(&frames, 1);
        let row = replies.0.iter().find(|reply| reply.tag == b'D');
        let bytes =
            row.and_then(|row| row.body.get(6..)).map_or_else(|| vec![1, 2, 3], <[u8]>::to_vec);
        let binary = text.is_some().then_some(bytes);
        values.push(Value { oid: own.oid, sql: own.sql.clone(), text, binary });
    }
    values
}

/// Adds exchanges that send a value in one format and ask for it in one.
fn send(script: Script, random: &mut Random, value: &Value, formats: (u16, u16)) -> Script {
    let (given, wanted) = formats;
    let bound = |frames: Frames, statement: &str| {
        frames.bind_formats("", statement, &[given], &[value.parameter(given)], &[wanted])
    };
    let parsed = |name: &str| Frames::new().parse_typed(name, "SELECT $1", &[value.oid]);
    match random.below(7) {
        0 if given == 0 => script.query(&format!("SELECT {}, 'x'", value.literal())),
        0 | 1 => script.step(bound(parsed(""), "").describe_portal("").execute("", 0).sync()),
        2 => {
            let sql = format!("SELECT $1::{} AS named, 1", value.sql);
            let frames = Frames::new().parse("", &sql).describe_statement("");
            script.step(bound(frames, "").execute("", 0).sync())
        }
        3 => script
            .step(parsed("v").describe_statement("v").sync())
            .step(bound(Frames::new(), "v").execute("", 0).sync())
            .step(bound(Frames::new(), "v").describe_portal("").execute("", 0).sync())
            .step(Frames::new().close_statement("v").sync()),
        4 => {
            let both = bound(parsed(""), "").execute("", 0);
            let three = bound(both.clone().then(&both), "").execute("", 0).sync();
            script.step(three)
        }
        5 => script
            .until(bound(parsed(""), "").describe_portal("").flush(), Until::Flushed(3))
            .step(Frames::new().execute("", 0).sync()),
        _ => {
            let frames = bound(parsed("v"), "v").execute("", 0).close_statement("v");
            script.step(frames.sync())
        }
    }
}

/// Conversations about all types.
pub(crate) fn cases(comparison: &Comparison, random: &mut Random) -> Vec<Case> {
    let mut direct = comparison.direct().client();
    let types = catalog(&mut direct);
    let mut cases = Vec::new();
    for (name, own) in &types {
        let mut script = Script::new();
        for value in values(&mut direct, own, texts(&types, name)) {
            for formats in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                script = send(script, random, &value, formats);
            }
        }
        cases.push(Case::new(format!("values of type {name}"), script));
    }
    direct.close();
    assert!(cases.len() > 150, "only {} types in the catalog", cases.len());
    cases
}
