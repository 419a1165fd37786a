//! What two servers answered to the same conversation, compared reply by reply, and the difference made readable. Not the holding of
//! the conversation: [`Script`] does that; not what is said in it.
//!
//! Invariant: only what [`masked`] hides may differ without being a [`Difference`].

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::raw::{ErrorReply, Frames, Reply, Transcript};
use crate::script::Script;

/// Object ids from here on are those of objects that users made: they differ between two runs of the same statements.
const FIRST_USER_OBJECT: u32 = 16_384;
/// What PostgreSQL says in a failed transaction, without the place in its source.
const FAILED_TRANSACTION: &[u8] = b"SERROR\0VERROR\0C25P02\0M\
    current transaction is aborted, commands ignored until end of transaction block\0\0";
/// Characters of a reply in a report, for each side.
const COLUMN: usize = 76;
/// Pairs of replies in a report.
const LINES: usize = 40;

/// How the answers to a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With what was waited for.
    Answered,
    /// The connection was closed.
    Closed,
    /// Nothing more came in time.
    Silent,
}

/// The answers to one step.
#[derive(Debug, Clone)]
pub struct Heard {
    /// What came.
    pub replies: Transcript,
    /// And how that ended.
    pub end: End,
}

/// What has to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Same {
    /// Every byte.
    Bytes,
    /// The SQLSTATE of every error, the transaction status after it, and whether the session survives: for what a proxy has to
    /// refuse by itself, in words of its own.
    Fate,
    /// The SQLSTATE of the first error, if PostgreSQL gives one: for frames at which a proxy gives up where PostgreSQL may go on.
    Refusal,
}

/// The first step whose answers differ.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Its number, from 1.
    pub step: usize,
    report: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

/// The first difference between what was heard directly and through a proxy.
#[must_use]
pub fn difference(
    script: &Script,
    direct: &[Heard],
    proxied: &[Heard],
    same: Same,
) -> Option<Difference> {
    let (left, right) = (masked(direct), masked(proxied));
    for (index, (frames, _)) in script.steps().iter().enumerate() {
        let (expected, seen) = (left.get(index), right.get(index));
        let equal = match (expected, seen, same) {
            (None, None, _) => return None,
            (Some(a), Some(b), Same::Bytes) => a.end == b.end && a.replies == b.replies,
            (Some(a), Some(b), Same::Fate) => a.end == b.end && fate(a) == fate(b),
            (Some(a), Some(b), Same::Refusal) => {
                let codes =
                    |heard: &Heard| heard.replies.errors().into_iter().map(|error| error.code);
                let refused = b.end == End::Closed
                    && codes(a).next().is_none_or(|code| codes(b).next() == Some(code));
                if refused {
                    return None;
                }
                a.end == b.end && fate(a) == fate(b)
            }
            _ => false,
        };
        if !equal {
            let report = report(index + 1, frames, expected, seen);
            return Some(Difference { step: index + 1, report });
        }
    }
    None
}

/// What may differ between two runs of one conversation, made equal: see [`Reply::normalised`]; notifications, which may come
/// between any two answers, stand at the end of their step; parameter statuses in a row, whose order PostgreSQL does not promise, are in
/// alphabetical order; tables made by users have numbers in the order of their appearance; in a
/// failed transaction a Bind with too many or too few values is refused for the one reason or the other.
#[must_use]
pub fn masked(heard: &[Heard]) -> Vec<Heard> {
    let mut tables = BTreeMap::new();
    let mut steps = Vec::new();
    let mut failed = false;
    for Heard { replies, end } in heard {
        let (mut told, mut answers): (Vec<_>, Vec<_>) =
            replies.0.iter().map(Reply::normalised).partition(|reply| reply.tag == b'A');
        for reply in answers.iter_mut().filter(|reply| reply.tag == b'T') {
            number_tables(&mut reply.body, &mut tables);
        }
        for reply in &mut answers {
            failed = reply.ready().map_or(failed, |status| status == 'E');
            let miscounted = |error: ErrorReply| error.message.starts_with("bind message supplies");
            if failed && reply.error().is_some_and(miscounted) {
                reply.body = FAILED_TRANSACTION.to_vec();
            }
        }
        for statuses in answers.chunk_by_mut(|a, b| a.tag == b'S' && b.tag == b'S') {
            statuses.sort_by(|a, b| a.body.cmp(&b.body));
        }
        answers.append(&mut told);
        steps.push(Heard { replies: Transcript(answers), end: *end });
    }
    steps
}

/// Replaces the object ids of tables in a `RowDescription`.
fn number_tables(body: &mut [u8], tables: &mut BTreeMap<u32, u32>) {
    let Some((_, mut rest)) = body.split_first_chunk_mut::<2>() else { return };
    while let Some(name) = rest.iter().position(|byte| *byte == 0) {
        let Some((table, after)) = rest[name + 1..].split_first_chunk_mut::<4>() else { return };
        let id = u32::from_be_bytes(*table);
        if id >= FIRST_USER_OBJECT {
            let next = FIRST_USER_OBJECT + u32::try_from(tables.len()).unwrap_or_default();
            *table = tables.entry(id).or_insert(next).to_be_bytes();
        }
        let Some((_, after)) = after.split_at_mut_checked(14) else { return };
        rest = after;
    }
}

/// Errors by severity and SQLSTATE, and transaction statuses, in their order.
fn fate(heard: &Heard) -> Vec<String> {
    let word = |reply: &Reply| match (reply.tag, reply.error(), reply.ready()) {
        (b'E', Some(error), _) => Some(format!("{} {}", error.severity, error.code)),
        (_, _, Some(status)) => Some(status.to_string()),
        _ => None,
    };
    heard.replies.0.iter().filter_map(word).collect()
}

fn report(step: usize, frames: &Frames, direct: Option<&Heard>, proxied: Option<&Heard>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "step {step} sends");
    for line in frames.lines() {
        let _ = writeln!(out, "    {}", window(&line, 0, 2 * COLUMN));
    }
    let _ = writeln!(out, "    {:COLUMN$} | through the proxy", "directly");
    let replies = |heard: Option<&Heard>| heard.map_or(&[][..], |heard| &heard.replies.0).to_vec();
    let (left, right) = (replies(direct), replies(proxied));
    let count = left.len().max(right.len());
    let first = (0..count).find(|index| left.get(*index) != right.get(*index)).unwrap_or(count);
    let begin = first.saturating_sub(LINES / 2);
    if begin > 0 {
        let _ = writeln!(out, "    ({begin} equal replies before)");
    }
    for index in begin..count.min(begin + LINES) {
        let text = |side: &[Reply]| side.get(index).map(|reply| format!("{reply:?}"));
        let (a, b) = (text(&left).unwrap_or_default(), text(&right).unwrap_or_default());
        let from = if a == b { 0 } else { first_difference(&a, &b).saturating_sub(COLUMN / 2) };
        let mark = if a == b { ' ' } else { '!' };
        let _ = writeln!(
            out,
            "  {mark} {:COLUMN$} | {}",
            window(&a, from, COLUMN),
            window(&b, from, COLUMN)
        );
    }
    let end = |heard: Option<&Heard>| {
        heard.map_or_else(|| "(not reached)".to_owned(), |heard| format!("{:?}", heard.end))
    };
    let _ = writeln!(out, "    {:COLUMN$} | {}", end(direct), end(proxied));
    out
}

fn first_difference(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// At most `count` characters of a text from one on.
fn window(text: &str, from: usize, count: usize) -> String {
    let from = if text.chars().count() <= count { 0 } else { from };
    let mut part: String = text.chars().skip(from).take(count).collect();
    if from > 0 {
        part.replace_range(..part.chars().next().map_or(0, char::len_utf8), "…");
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(replies: &[(u8, &[u8])]) -> Vec<Heard> {
        let reply = |(tag, body): &(u8, &[u8])| Reply { tag: *tag, body: body.to_vec() };
        let replies = Transcript(replies.iter().map(reply).collect());
        vec![Heard { replies, end: End::Answered }]
    }

    fn differ(left: &[(u8, &[u8])], right: &[(u8, &[u8])], same: Same) -> bool {
        difference(&Script::new().query("SELECT 1"), &heard(left), &heard(right), same).is_some()
    }

    #[test]
    fn one_byte_of_a_row_is_a_difference() {
        let row = |value: &'static [u8]| [(b'D', value), (b'Z', b"I")];
        assert!(!differ(&row(b"\0\x01\0\0\0\x011"), &row(b"\0\x01\0\0\0\x011"), Same::Bytes));
        assert!(differ(&row(b"\0\x01\0\0\0\x011"), &row(b"\0\x01\0\0\0\x012"), Same::Bytes));
    }

    #[test]
    fn one_reply_too_many_or_too_few_is_a_difference() {
        let (one, two) = ([(b'Z', &b"I"[..])], [(b'N', &b"\0"[..]), (b'Z', &b"I"[..])]);
        assert!(differ(&one, &two, Same::Bytes));
        assert!(differ(&two, &one, Same::Bytes));
    }

    #[test]
    fn a_closed_connection_and_silence_are_differences() {
        let script = Script::new().query("SELECT 1").query("SELECT 2");
        let mut short = heard(&[]);
        short[0].end = End::Closed;
        let silent = vec![Heard { end: End::Silent, ..short[0].clone() }];
        assert!(difference(&script, &short, &silent, Same::Fate).is_some());
        let more = [short.clone(), short.clone()].concat();
        assert_eq!(
            difference(&script, &short, &more, Same::Bytes).map(|found| found.step),
            Some(2)
        );
    }

    #[test]
    fn the_mask_hides_process_ids_and_nothing_else_of_a_notification() {
        let told = |body: &'static [u8]| [(b'A', body), (b'Z', b"I")];
        let (one, other) = (told(b"\0\0\0\x01here\0text\0"), told(b"\0\0\0\x02here\0text\0"));
        assert!(!differ(&one, &other, Same::Bytes));
        assert!(differ(&one, &told(b"\0\0\0\x01here\0TEXT\0"), Same::Bytes));
        assert!(differ(&one, &[(b'Z', b"I")], Same::Bytes), "a lost notification");
    }

    #[test]
    fn parameter_statuses_in_a_row_may_come_in_any_order() {
        let (a, b, row) = ((b'S', &b"a\0on\0"[..]), (b'S', &b"b\0on\0"[..]), (b'C', &b"SET\0"[..]));
        assert!(!differ(&[row, a, b], &[row, b, a], Same::Bytes));
        assert!(differ(&[a, row, b], &[b, row, a], Same::Bytes), "only in a row");
        assert!(differ(&[row, a, b], &[row, a, a], Same::Bytes));
    }

    #[test]
    fn the_mask_numbers_tables_of_users_and_leaves_those_of_the_system() {
        let column = |name: &str, table: u32| {
            let mut body = format!("{name}\0").into_bytes();
            body.extend_from_slice(&table.to_be_bytes());
            body.extend_from_slice(&[0, 1, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 0]);
            body
        };
        let described = |tables: [u32; 2]| {
            let columns = [column("a", tables[0]), column("b", tables[1])].concat();
            [&[0, 2][..], &columns].concat()
        };
        let differ = |left: [u32; 2], right: [u32; 2]| {
            let (left, right) = (described(left), described(right));
            differ(&[(b'T', &left)], &[(b'T', &right)], Same::Bytes)
        };
        assert!(!differ([20_000, 20_001], [30_000, 30_007]));
        assert!(differ([20_000, 20_000], [30_000, 30_007]), "one table is not two");
        assert!(differ([1259, 1259], [1259, 1247]), "tables of the system keep their ids");
    }

    #[test]
    fn a_miscounted_bind_is_hidden_only_in_a_transaction_that_has_failed_before() {
        let miscounted = b"SERROR\0VERROR\0C08P01\0Mbind message supplies 1 parameters\0\0";
        let script = Script::new().query("SELECT 1").query("SELECT 2");
        let told = |status: &'static [u8], error: &[u8]| {
            [heard(&[(b'Z', status)]), heard(&[(b'E', error), (b'Z', b"E")])].concat()
        };
        let differs = |status| {
            let (left, right) = (told(status, miscounted), told(status, FAILED_TRANSACTION));
            difference(&script, &left, &right, Same::Bytes).is_some()
        };
        assert!(!differs(b"E"));
        assert!(differs(b"T"));
    }

    #[test]
    fn a_refusal_may_end_the_session_and_must_have_the_code() {
        let closed = |body: &'static [u8]| {
            vec![Heard { end: End::Closed, ..heard(&[(b'E', body)])[0].clone() }]
        };
        let script = Script::new().query("SELECT 1");
        let direct = heard(&[(b'E', b"VERROR\0C08P01\0\0"), (b'Z', b"I")]);
        let differs =
            |proxied: &[Heard]| difference(&script, &direct, proxied, Same::Refusal).is_some();
        assert!(!differs(&direct));
        assert!(!differs(&closed(b"VFATAL\0C08P01\0\0")));
        assert!(differs(&closed(b"VFATAL\0C08006\0\0")));
        assert!(differs(&heard(&[(b'Z', b"I")])), "not refused at all");
    }

    #[test]
    fn a_fate_is_the_code_of_the_error_and_the_status_after_it() {
        let error = |body: &'static [u8]| [(b'E', body), (b'Z', b"I")];
        let own = error(b"SERROR\0VERROR\0C08P01\0Mown words\0\0");
        let other = error(b"SFEHLER\0VERROR\0C08P01\0Mandere\0\0");
        assert!(!differ(&own, &other, Same::Fate));
        assert!(differ(&own, &other, Same::Bytes));
        assert!(differ(&own, &error(b"SERROR\0VERROR\0C42601\0Mown words\0\0"), Same::Fate));
        assert!(differ(&own, &error(b"SERROR\0VFATAL\0C08P01\0Mown words\0\0"), Same::Fate));
    }
}
