//! The answer to one statement as it is kept: what describes the rows, and the rows with the command tag. What every client gets anew
//! (that its Parse and Bind are done, that it may go on) is not part of it.
//!
//! Invariant: an answer with anything else in it (an error, a notice, a changed setting) is not one that is kept.

use std::sync::Arc;

use howdah_wire::backend::{self, TransactionStatus, tag};
use howdah_wire::frame;

/// The answer to one query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The frame that describes the rows, if it was asked for.
    pub description: Option<Arc<[u8]>>,
    /// The frames of the rows and of the command tag.
    pub rows: Box<[u8]>,
}

/// What a client is told besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Around {
    /// It sent a Parse.
    pub parse: bool,
    /// It sent a Bind.
    pub bind: bool,
    /// It has to be told what describes the rows.
    pub describe: bool,
}

impl Answer {
    /// How many rows there are, as the command tag says.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        let tag = self.rows.strip_suffix(b"\0").unwrap_or_default();
        let digits = tag.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// Takes what a server has answered apart, up to and with its ReadyForQuery if that is there.
    #[must_use]
    pub fn of(frames: &[u8]) -> Option<Self> {
        let mut rest = frames;
        let mut description = None;
        loop {
            let (found, after) = frame::split(rest).ok()??;
            match found.tag {
                tag::PARSE_COMPLETE | tag::BIND_COMPLETE if description.is_none() => rest = after,
                tag::ROW_DESCRIPTION if description.is_none() => {
                    description = Some(found.bytes.into());
                    rest = after;
                }
                tag::DATA_ROW | tag::COMMAND_COMPLETE => break,
                _ => return None,
            }
        }
        let start = rest;
        loop {
            let (found, after) = frame::split(rest).ok()??;
            rest = after;
            match found.tag {
                tag::DATA_ROW => {}
                tag::COMMAND_COMPLETE if found.body.starts_with(b"SELECT ") => break,
                _ => return None,
            }
        }
        let rows = start.get(..start.len() - rest.len())?;
        let ends = match frame::split(rest) {
            Ok(Some((found, after))) => found.tag == tag::READY_FOR_QUERY && after.is_empty(),
            Ok(None) => rest.is_empty(),
            Err(_) => false,
        };
        ends.then(|| Self { description, rows: rows.into() })
    }

    /// Answers to one form are described alike: one description for all of them takes less memory, and is near when one is given.
    /// `known`: that of the latest.
    pub fn share_description(&mut self, known: &mut Option<Arc<[u8]>>) {
        if known.is_some() && *known == self.description {
            self.description.clone_from(known);
        } else if self.description.is_some() {
            known.clone_from(&self.description);
        }
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() + self.description.as_ref().map_or(0, |description| description.len())
    }

    /// Never: there is a command tag.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it has all that a client has to be told.
    #[must_use]
    pub const fn has(&self, around: Around) -> bool {
        self.description.is_some() || !around.describe
    }

    /// Writes what a client gets.
    pub fn write(&self, around: Around, out: &mut Vec<u8>) {
        if around.parse {
            backend::parse_complete(out);
        }
        if around.bind {
            backend::bind_complete(out);
        }
        if let Some(description) = self.description.as_ref().filter(|_| around.describe) {
            out.extend_from_slice(description);
        }
        out.extend_from_slice(&self.rows);
        backend::ready_for_query(out, TransactionStatus::Idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap_or_default();
        [&[tag], length.to_be_bytes().as_slice(), body].concat()
    }

    fn frames(kinds: &str) -> Vec<u8> {
        let body = |kind| match kind {
            'C' => b"SELECT 1\0".as_slice(),
            'U' => b"UPDATE 1\0",
            'Z' => b"I",
            _ => b"\0\0",
        };
        let tag = |kind| if kind == 'U' { b'C' } else { u8::try_from(kind).unwrap_or_default() };
        kinds.chars().flat_map(|kind| frame(tag(kind), body(kind))).collect()
    }

    #[test]
    fn an_answer_is_rows_and_a_tag() {
        for (kinds, kept) in [
            ("12TDDCZ", true),
            ("TDCZ", true),
            ("TCZ", true),
            ("2DC", true),
            ("CZ", true),
            ("", false),
            ("TD", false),
            ("TDZ", false),
            ("TDE", false),
            ("TNDCZ", false),
            ("TDCNZ", false),
            ("TDCSZ", false),
            ("TDCZZ", false),
            ("TDCZT", false),
            ("TTDCZ", false),
            ("UZ", false),
            ("TDUZ", false),
            ("GcCZ", false),
        ] {
            assert_eq!(Answer::of(&frames(kinds)).is_some(), kept, "{kinds}");
        }
        let whole = frames("TDDCZ");
        for length in 0..whole.len() {
            let kept = Answer::of(whole.get(..length).unwrap_or_default());
            let complete = length == whole.len() - frame(b'Z', b"I").len();
            assert_eq!(kept.is_some(), complete, "{length}");
        }
    }

    #[test]
    fn every_client_gets_what_it_asked_for() {
        let Some(answer) = Answer::of(&frames("12TDDCZ")) else { unreachable!("it is one") };
        for (around, kinds) in [
            (Around { parse: true, bind: true, describe: true }, "12TDDCZ"),
            (Around { parse: false, bind: true, describe: false }, "2DDCZ"),
            (Around { parse: false, bind: false, describe: true }, "TDDCZ"),
        ] {
            let mut out = Vec::new();
            answer.write(around, &mut out);
            let expected: Vec<u8> = kinds
                .chars()
                .flat_map(|kind| match kind {
                    '1' | '2' => frame(u8::try_from(kind).unwrap_or_default(), b""),
                    kind => frames(&kind.to_string()),
                })
                .collect();
            assert_eq!(out, expected, "{kinds}");
            assert!(answer.has(around));
        }
        let Some(bare) = Answer::of(&frames("2DC")) else { unreachable!("it is one") };
        assert!(!bare.has(Around { describe: true, ..Around::default() }));
    }
}
