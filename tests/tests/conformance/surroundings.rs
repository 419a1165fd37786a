//! What changes how everything else is read and written: encodings, and settings that a session makes by every way there is.

use howdah_tests::raw::Frames;
use howdah_tests::{Random, Script, Until};

use crate::corpus::Case;

/// Settings, values, and whether a login may ask for them.
const SETTINGS: &[(&str, &[&str])] = &[
    ("DateStyle", &["ISO, DMY", "SQL", "German", "Postgres, MDY", "ISO", "YMD", "nonsense"]),
    ("IntervalStyle", &["sql_standard", "postgres_verbose", "iso_8601"]),
    ("TimeZone", &["Asia/Tokyo", "America/New_York", "<-05>+05", "Nowhere/Land"]),
    ("bytea_output", &["escape", "hex"]),
    ("extra_float_digits", &["0", "-15", "3", "4"]),
    ("xmloption", &["document", "content"]),
    ("standard_conforming_strings", &["off"]),
    ("backslash_quote", &["on", "off"]),
    ("escape_string_warning", &["off"]),
    ("array_nulls", &["off"]),
    ("search_path", &["pg_catalog", "\"$user\", public", "nowhere"]),
    ("application_name", &["plain", "with 'quotes' \"and\" \\", "ünï"]),
    ("client_min_messages", &["debug1", "error"]),
    ("default_transaction_isolation", &["serializable"]),
    ("default_transaction_read_only", &["on"]),
    ("work_mem", &["65MB", "1"]),
    ("statement_timeout", &["70s", "-5"]),
    ("plan_cache_mode", &["force_custom_plan"]),
    ("transform_null_equals", &["on"]),
    ("client_encoding", &["LATIN1", "SQL_ASCII", "UTF8", "WIN1252", "EUC_JP", "nonsense"]),
];

const PROBES: &[&str] = &[
    "SELECT timestamptz '2024-02-29 12:34:56.5+00', date '2024-02-01', interval '1 year -2 days 03:04'",
    "SELECT '\\x00ff41'::bytea, 0.1::float8 + 0.2, 1e10::float4, '{NULL,a}'::text[]",
    "SELECT 'a\\\\b', 'it\\'s'",
    "SELECT 'a\\\\b', NULL = NULL",
    "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')",
    "SELECT '€' || chr(228)",
];

fn ways(setting: &str, value: &str, random: &mut Random) -> Vec<Case> {
    let quoted = value.replace('\'', "''");
    let set = format!("SET {setting} = '{quoted}'");
    let config = format!("SELECT set_config('{setting}', '{quoted}', false)");
    let local = format!("SET LOCAL {setting} = '{quoted}'");
    let (show, reset) = (format!("SHOW {setting}"), format!("RESET {setting}"));
    let together = format!("{set}; {show}; SELECT 1");
    let failing = format!("{set}; SELECT 1 / 0");
    let (set, config, local, show, reset) = (&*set, &*config, &*local, &*show, &*reset);
    let name = format!("{setting} = {value}");
    let probes: Vec<&str> = (0..3).map(|_| *random.pick(PROBES)).collect();
    let plain = [&[set, show][..], &probes, &[reset, show, "SELECT 'end'"]].concat();
    let within = [
        &["BEGIN", set, show][..],
        &probes[..1],
        &[
            "ROLLBACK",
            show,
            "BEGIN",
            "SAVEPOINT a",
            config,
            "ROLLBACK TO a",
            show,
            local,
            show,
            "COMMIT",
            show,
        ],
        &["BEGIN", set, "COMMIT", show],
        &probes[..2],
        &["DISCARD ALL", show],
    ]
    .concat();
    let mixed = [&[&*together, show, reset, &*failing, show, config, show][..], &probes].concat();
    let mut started = probes.clone();
    started.push(show);
    vec![
        Case::queries(format!("{name}, plainly"), &plain),
        Case::queries(format!("{name}, in transactions"), &within),
        Case::extended(format!("{name}, mixed"), &mixed),
        Case::queries(format!("{name}, mixed, simple"), &mixed),
        Case::queries(format!("{name}, from the start"), &started),
    ]
}

/// Whether the server refuses a login with it; those are tests of their own elsewhere.
fn is_refused(value: &str) -> bool {
    ["nonsense", "Nowhere/Land", "-5", "1", "4"].contains(&value)
}

fn settings(random: &mut Random) -> Vec<Case> {
    let mut cases = Vec::new();
    for (setting, values) in SETTINGS {
        for value in *values {
            for case in ways(setting, value, random) {
                let started = case.name.ends_with("from the start");
                match (started, is_refused(value)) {
                    (true, true) => {}
                    (true, false) => cases.push(case.started_with(setting, value)),
                    (false, _) => cases.push(case),
                }
            }
        }
    }
    cases
}

/// Bytes that are text in one encoding and nonsense in another.
fn encodings() -> Vec<Case> {
    let texts: [&[u8]; 6] = [
        b"SELECT 'plain'\0",
        b"SELECT '\xe4\xf6\xfc'\0",
        b"SELECT '\xa4\xa2\xa4\xa4'\0",
        "SELECT 'ünï €'\0".as_bytes(),
        b"SELECT '\xff\xfe', length('\xe4')\0",
        b"SELECT chr(8364), chr(12354), chr(228)\0",
    ];
    let mut cases = Vec::new();
    for encoding in ["UTF8", "LATIN1", "SQL_ASCII", "WIN1252", "EUC_JP", "SJIS", "ISO_8859_5"] {
        let script = texts.iter().fold(Script::new(), |script, text| {
            let parsed = Frames::new().frame(b'P', &[b"\0", *text, &[0, 0]].concat());
            script
                .step(Frames::new().frame(b'Q', text))
                .step(parsed.bind("", "", &[]).describe_portal("").execute("", 0).sync())
        });
        let script = script
            .step(
                Frames::new()
                    .parse("", "SELECT $1, length($1)")
                    .bind_formats("", "", &[], &[Some(b"\xe4\xa2")], &[])
                    .execute("", 0)
                    .sync(),
            )
            .query(
                "DO $$ BEGIN RAISE NOTICE '%', chr(228); RAISE EXCEPTION '%', chr(12354); END $$",
            )
            .step(
                Frames::new()
                    .query("COPY own_copied (b) FROM STDIN")
                    .copy_data(b"\xe4\xa2\n")
                    .copy_done(),
            )
            .query("COPY own_copied (b) TO STDOUT")
            .query("SELECT 'end'");
        let name = format!("encoding {encoding}");
        cases.push(
            Case::new(name.clone(), script.clone())
                .writing()
                .started_with("client_encoding", encoding),
        );
        let set = Script::new().query(&format!("SET client_encoding = '{encoding}'"));
        let later = script
            .steps()
            .iter()
            .fold(set, |all, (frames, until)| all.until(frames.clone(), *until));
        cases.push(Case::new(format!("{name}, set later"), later).writing());
    }
    cases
}

/// What a server says without being asked.
fn unasked() -> Vec<Case> {
    let notified = |sql: &str, count| (Frames::new().query(sql), Until::Notified(count));
    let steps = [
        notified("LISTEN own_channel", 0),
        notified("NOTIFY own_channel", 1),
        notified("NOTIFY own_channel, 'pay''load'; SELECT 1; NOTIFY other, 'nobody'", 1),
        notified(
            "BEGIN; NOTIFY own_channel, 'a'; NOTIFY own_channel, 'a'; NOTIFY own_channel, 'b'; COMMIT",
            2,
        ),
        notified("BEGIN; NOTIFY own_channel, 'lost'; ROLLBACK", 0),
        notified("SELECT pg_notify('own_channel', repeat('x', 7999))", 1),
        notified("SELECT pg_notify('own_channel', repeat('x', 8000))", 0),
        notified("UNLISTEN own_channel; NOTIFY own_channel", 0),
        notified("LISTEN \"Own Channel\"; NOTIFY \"Own Channel\", 'ünï'", 1),
        notified("UNLISTEN *; NOTIFY \"Own Channel\"", 0),
        notified("SELECT 'end'", 0),
    ];
    let script = steps
        .into_iter()
        .fold(Script::new(), |script, (frames, until)| script.until(frames, until));
    vec![
        Case::new("notifications of oneself", script),
        Case::queries(
            "a setting of one's own",
            &[
                "SET own.setting = 'anything at all'",
                "SHOW own.setting",
                "SELECT set_config('own.setting', '', false), current_setting('own.setting')",
                "BEGIN; SET LOCAL own.setting = 'here'; SHOW own.setting",
                "ROLLBACK",
                "SHOW own.setting",
                "RESET own.setting",
                "SHOW own.setting",
            ],
        ),
        Case::queries(
            "a date style made of halves",
            &[
                "SET DateStyle = 'YMD'",
                "SHOW DateStyle",
                "SELECT date '2024-03-02'",
                "SET DateStyle = 'Postgres'",
                "SELECT date '2024-03-02'",
                "SHOW DateStyle",
                "BEGIN; SET DateStyle = 'DMY'",
                "ROLLBACK",
                "SHOW DateStyle",
                "SELECT set_config('DateStyle', 'German', false)",
                "SELECT date '2024-03-02'",
                "SET DateStyle = 'US'",
                "SHOW DateStyle",
                "RESET DateStyle",
                "SHOW DateStyle",
            ],
        ),
        Case::queries(
            "parameter statuses",
            &[
                "SET application_name = 'a'; SET application_name = 'b'",
                "SET TimeZone = 'Asia/Tokyo'; SELECT 1; SET TimeZone = 'Asia/Tokyo'",
                "BEGIN; SET DateStyle = 'German'; SAVEPOINT a; SET DateStyle = 'SQL'; ROLLBACK TO a; SHOW DateStyle",
                "ROLLBACK",
                "SET default_transaction_read_only = on",
                "BEGIN; SHOW transaction_read_only; COMMIT",
                "SET ROLE role_a",
                "SHOW is_superuser; SELECT current_user",
                "SET SESSION AUTHORIZATION app",
                "RESET ALL",
                "SELECT current_user",
                "RESET ROLE",
                "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                "SHOW transaction_isolation",
                "DISCARD ALL",
                "SHOW transaction_isolation",
            ],
        ),
    ]
}

/// All of them.
pub(crate) fn cases(random: &mut Random) -> Vec<Case> {
    let mut cases = settings(random);
    cases.extend(encodings());
    cases.extend(unasked());
    cases
}
