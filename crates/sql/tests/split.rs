//! Splitting against PostgreSQL's parser.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "tests"
)]

use howdah_sql::split;

fn parts(sql: &str) -> Vec<&str> {
    split(sql).into_iter().map(|range| &sql[range]).collect()
}

#[test]
fn texts_are_split_at_semicolons_that_count() {
    let cases: [(&str, &[&str]); 24] = [
        ("", &[]),
        (" ;; -- x\n ; /* ; */ ", &[]),
        ("select 1", &["select 1"]),
        ("select 1;", &["select 1"]),
        (" select 1 ; select 2 -- ;\n", &["select 1", "select 2"]),
        ("select ';'; select 2", &["select ';'", "select 2"]),
        ("select E'\\';'; select 2", &["select E'\\';'", "select 2"]),
        ("select '\\'; select 2", &["select '\\'", "select 2"]),
        ("select 'a'';'; select 2", &["select 'a'';'", "select 2"]),
        ("select $$;$$; select $a$;$$;$a$", &["select $$;$$", "select $a$;$$;$a$"]),
        ("select \";\"\";\"; select 2", &["select \";\"\";\"", "select 2"]),
        ("select /* ; /* ; */ ; */ 1; select 2", &["select /* ; /* ; */ ; */ 1", "select 2"]),
        ("select (1;2); select 3", &["select (1;2)", "select 3"]),
        ("select a$b$;select c$b$", &["select a$b$", "select c$b$"]),
        ("select $1;select $2", &["select $1", "select $2"]),
        ("select 'é'; select 'ü'", &["select 'é'", "select 'ü'"]),
        ("begin; select 1; end; select 2", &["begin", "select 1", "end", "select 2"]),
        (
            "create function f() returns int begin atomic select 1; select case when a then 1 end; end; select 2",
            &[
                "create function f() returns int begin atomic select 1; select case when a then 1 end; end",
                "select 2",
            ],
        ),
        (
            "create table t (a int); create table \"begin\" (atomic int); begin; select 1",
            &["create table t (a int)", "create table \"begin\" (atomic int)", "begin", "select 1"],
        ),
        (
            "create rule r as on insert to t do (select 1; select 2); select 3",
            &["create rule r as on insert to t do (select 1; select 2)", "select 3"],
        ),
        (
            "select 0xff; select 1_000; select U&\"a\"",
            &["select 0xff", "select 1_000", "select U&\"a\""],
        ),
        ("select 0xff; nonsense; select 1", &["select 0xff; nonsense; select 1"]),
        ("select 1; select 'open; select 2", &["select 1", "select 'open; select 2"]),
        ("select 1; /* open ; select 2", &["select 1", "/* open ; select 2"]),
    ];
    for (sql, expected) in cases {
        assert_eq!(parts(sql), expected, "{sql}");
    }
}

#[test]
fn the_corpus_is_split_as_the_parser_splits_it() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let texts = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let statements: Vec<String> =
        texts.flat_map(|text| text.split("\n\n").map(str::to_owned).collect::<Vec<_>>()).collect();
    assert!(statements.len() > 2000);
    let strip = |text: &str| text.trim_matches([';', ' ', '\n', '\t']).to_owned();
    for batch in statements.chunks(7).chain(statements.chunks(1)) {
        let text = batch.iter().fold(String::new(), |text, one| text + one + "\n; /* ; */ ");
        let expected: Vec<String> = pg_query::split_with_parser(&text)
            .unwrap()
            .into_iter()
            .map(strip)
            .filter(|s| !s.is_empty())
            .collect();
        let found = parts(&text);
        assert_eq!(found.len(), expected.len(), "{text}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(expected.contains(found), "{found}\n{expected}");
        }
    }
}
