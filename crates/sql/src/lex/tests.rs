//! Tokens by table. Not the normal form.

use super::*;

fn kinds(sql: &str) -> Vec<(Kind, &str)> {
    let mut lexer = Lexer::new(sql.as_bytes());
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next();
        let slice = std::str::from_utf8(lexer.slice(token)).unwrap();
        tokens.push((token.kind, slice));
        if matches!(token.kind, Kind::Doubt | Kind::End) {
            return tokens;
        }
    }
}

#[test]
fn literals_are_read_whole() {
    for (sql, kind) in [
        ("'a''b'", Kind::Text),
        ("'a\\'", Kind::Text),
        ("E'a\\'b''c\\\\'", Kind::Text),
        ("e'\\''", Kind::Text),
        ("u&'\\0061'", Kind::Text),
        ("'a' -- c\n  'b'", Kind::Text),
        ("'a'\r'b'", Kind::Text),
        ("n'a'", Kind::National),
        ("B'01'", Kind::Bits),
        ("x'ff'", Kind::Bits),
        ("$$a$b$$", Kind::Dollar),
        ("$a$ $$ $b$ $a$", Kind::Dollar),
        ("$é1$ ' $é1$", Kind::Dollar),
        ("$12", Kind::Parameter),
        ("12.5e-3", Kind::Number),
        (".5", Kind::Number),
        ("1.", Kind::Number),
        ("\"a\"\"b\"", Kind::Quoted),
        ("U&\"a\"", Kind::UnicodeQuoted),
        ("sélect$1_", Kind::Word),
        ("<->", Kind::Operator),
        ("@-", Kind::Operator),
    ] {
        assert_eq!(kinds(sql), [(kind, sql), (Kind::End, "")], "{sql}");
    }
}

#[test]
fn neighbours_are_kept_apart() {
    use Kind::*;
    let cases: [(&str, &[Kind]); 12] = [
        ("'a' 'b'", &[Text, Text]),
        ("'a' /* \n */ 'b'", &[Text, Text]),
        ("*-1", &[Operator, Operator, Number]),
        ("@-1", &[Operator, Number]),
        ("a--b\n-1", &[Word, Operator, Number]),
        ("1..2", &[Number, Mark, Number]),
        ("a.1", &[Word, Number]),
        ("a::b:=c", &[Word, Cast, Word, Mark, Word]),
        ("u&a", &[Word, Operator, Word]),
        ("+/*c*/-", &[Operator, Operator]),
        ("a/**/b", &[Word, Word]),
        ("a$1 $1", &[Word, Parameter]),
    ];
    for (sql, expected) in cases {
        let found: Vec<_> = kinds(sql).into_iter().map(|(kind, _)| kind).collect();
        let (last, found) = found.split_last().unwrap();
        assert_eq!((found, last), (expected, &End), "{sql}");
    }
}

#[test]
fn what_is_open_or_read_differently_by_versions_is_doubtful() {
    for sql in [
        "'a",
        "'a''",
        "E'a\\'",
        "\"a",
        "\"\"",
        "/* a",
        "/* /* */",
        "$a$ $b$",
        "$",
        "$a b$",
        "1a",
        "0x1F",
        "1_000",
        "1e",
        "$1a",
        "$1234567890",
        "\\",
        "{",
        "'a\0b'",
        "\0",
        "u&\"a",
        "x'1",
    ] {
        assert_eq!(kinds(sql).last().unwrap().0, Kind::Doubt, "{sql}");
    }
}

#[test]
fn texts_that_a_scanner_would_read_for_minutes_are_found() {
    let harmless =
        ["/* **** */ select 1 -- ====", "/* /* /* */ */ */", "select 'open", "select a <-> b"];
    assert!(harmless.iter().all(|sql| is_scannable(sql.as_bytes())));
    for hostile in
        ["/*".repeat(100_000), "/**/".repeat(100_000), "+-".repeat(100_000), "+".repeat(100_000)]
    {
        assert!(!is_scannable(format!("select {hostile}").as_bytes()));
        assert!(!is_scannable(format!("select $ {hostile}").as_bytes()));
    }
}
