//! Hashes of what calls ask for and of what answers give, to see whether one statement asks for what another one gave. Not the values themselves, which nobody
//! keeps, and not which statements are compared (`chain`).
//!
//! Invariant: never trusts a length; the same number or uuid has the same hash as text and in binary; bounded, whatever is sent.

use howdah_wire::backend::tag as from_server;
use howdah_wire::frame;
use howdah_wire::frontend::tag as from_client;

/// Values of a call that are looked at.
const ASKED: usize = 4;
/// Columns of an answer, and values of all its rows.
const COLUMNS: usize = 8;
const GIVEN: usize = 512;
/// Bytes of an answer.
const ANSWER: usize = 32 * 1024;
/// Bytes of a value.
const LONGEST: usize = 64;
/// Bytes of a text in which literals are looked for.
const TEXT: usize = 4096;

/// Hashes of the values that a call asks with, in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    pub(super) count: u8,
    /// It asks for an answer in binary.
    pub(super) binary: bool,
    pub(super) values: [u32; ASKED],
}

impl Asked {
    /// Nothing is known of them.
    pub const NONE: Self = Self { count: 0, binary: false, values: [0; ASKED] };

    /// Of a request of one call: the parameters of its Bind, or the literals of its text.
    #[must_use]
    pub fn of_request(mut bytes: &[u8]) -> Self {
        while let Ok(Some((found, rest))) = frame::split(bytes) {
            match found.tag {
                from_client::QUERY => return Self::of_text(found.body),
                from_client::BIND => {
                    let mut names = found.body.splitn(3, |byte| *byte == 0);
                    return names.nth(2).map_or(Self::NONE, Self::of_bound);
                }
                _ => bytes = rest,
            }
        }
        Self::NONE
    }

    /// Of what follows the names in a Bind; nothing when that is not there as a whole.
    #[must_use]
    pub fn of_bound(rest: &[u8]) -> Self {
        Self::bound(rest).unwrap_or(Self::NONE)
    }

    fn bound(rest: &[u8]) -> Option<Self> {
        let mut reader = Reader(rest);
        let formats = reader.count()?;
        let codes = reader.take(formats.checked_mul(2)?)?;
        let is_binary = |at: usize| {
            let at = if formats == 1 { 0 } else { at };
            codes.get(at * 2 + 1) == Some(&1)
        };
        let mut asked = Self::NONE;
        for at in 0..reader.count()? {
            let value = reader.value()?;
            asked.add(value.map_or(1, |value| hash(value, is_binary(at))));
        }
        let answers = reader.count().unwrap_or(0);
        let codes = reader.take(answers.checked_mul(2)?).unwrap_or_default();
        asked.binary = !codes.is_empty() && codes.chunks(2).all(|code| code == [0, 1]);
        Some(asked)
    }

    /// Of the numbers and plain strings of a text.
    #[must_use]
    pub fn of_text(sql: &[u8]) -> Self {
        let mut asked = Self::NONE;
        let sql = sql.get(..sql.len().min(TEXT)).unwrap_or_default();
        let (mut at, mut sticks) = (0, false);
        while let Some(first) = sql.get(at) {
            let after = sql.get(at + 1..).unwrap_or_default();
            let length = match first {
                b'\'' => after.iter().position(|byte| *byte == b'\''),
                b'0'..=b'9' if !sticks => {
                    Some(after.iter().take_while(|byte| byte.is_ascii_digit()).count())
                }
                _ => {
                    sticks = first.is_ascii_alphanumeric() || matches!(first, b'_' | b'$' | b'"');
                    at += 1;
                    continue;
                }
            };
            let Some(length) = length else { break };
            // A string is what is inside of its quotes.
            let start = at + usize::from(*first == b'\'');
            asked.add(hash(sql.get(start..at + 1 + length).unwrap_or_default(), false));
            (at, sticks) = (start + 1 + length, false);
        }
        asked
    }

    /// One more; beyond the fourth they are one.
    pub(super) fn add(&mut self, hash: u32) {
        let last = ASKED - 1;
        let at = usize::from(self.count).min(last);
        if let Some(place) = self.values.get_mut(at) {
            *place =
                if usize::from(self.count) > last { place.rotate_left(5) ^ hash } else { hash };
        }
        self.count = self.count.saturating_add(1);
    }

    /// The values themselves, as they are kept.
    pub(super) fn kept(&self) -> &[u32] {
        self.values.get(..usize::from(self.count).min(ASKED)).unwrap_or_default()
    }
}

/// An answer that is listened to while it passes.
#[derive(Debug, Default)]
pub struct Listening {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Listening {
    /// More of it.
    pub fn take(&mut self, bytes: &[u8]) {
        let room = ANSWER - self.bytes.len().min(ANSWER);
        self.bytes.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
        self.truncated |= bytes.len() > room;
    }

    /// It has ended, and was asked for like this.
    #[must_use]
    pub fn end(&self, asked: &Asked) -> Given {
        let mut given = Given::of_answer(&self.bytes, asked);
        given.truncated |= self.truncated;
        given
    }
}

/// Hashes of the values that an answer gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// In order, without repetition.
    values: Vec<u32>,
    /// There were more.
    truncated: bool,
}

impl Given {
    /// Of the rows of an answer that was asked for like this.
    #[must_use]
    pub fn of_answer(mut bytes: &[u8], asked: &Asked) -> Self {
        let mut given = Self::default();
        let mut formats = [asked.binary; COLUMNS];
        while let Ok(Some((found, rest))) = frame::split(bytes) {
            match found.tag {
                from_server::ROW_DESCRIPTION => described(found.body, &mut formats),
                from_server::DATA_ROW if given.values.len() >= GIVEN => given.truncated = true,
                from_server::DATA_ROW => {
                    let mut reader = Reader(found.body);
                    let columns = reader.count().unwrap_or(0);
                    for is_binary in formats.iter().take(columns) {
                        let Some(value) = reader.value() else { break };
                        given.values.extend(value.map(|value| hash(value, *is_binary)));
                    }
                }
                _ => {}
            }
            bytes = rest;
        }
        given.values.sort_unstable();
        given.values.dedup();
        given
    }

    /// Hashes from elsewhere.
    #[cfg(test)]
    pub(super) fn of_hashes(mut values: Vec<u32>) -> Self {
        values.sort_unstable();
        values.dedup();
        let truncated = values.len() > GIVEN;
        Self { values, truncated }
    }

    /// How many of these it gave.
    pub(super) fn count_of(&self, asked: &[u32]) -> usize {
        asked.iter().filter(|value| self.values.binary_search(value).is_ok()).count()
    }

    /// That it gave something else is not known for certain.
    pub(super) const fn is_partial(&self) -> bool {
        self.truncated || self.values.is_empty()
    }
}

/// The formats of columns.
fn described(body: &[u8], formats: &mut [bool; COLUMNS]) {
    let mut reader = Reader(body);
    let columns = reader.count().unwrap_or(0);
    for format in formats.iter_mut().take(columns) {
        let Some(name) = reader.0.iter().position(|byte| *byte == 0) else { return };
        // Table, number, type, size, modifier.
        let Some(_) = reader.take(name + 1 + 4 + 2 + 4 + 2 + 4) else { return };
        let Some(code) = reader.count() else { return };
        *format = code == 1;
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn count(&mut self) -> Option<usize> {
        let bytes = self.take(2)?;
        Some(usize::from(u16::from_be_bytes(bytes.try_into().ok()?)))
    }

    /// A value behind its length; `None` inside: null.
    #[expect(clippy::option_option, reason = "no value is not a null")]
    fn value(&mut self) -> Option<Option<&'a [u8]>> {
        let length = i32::from_be_bytes(self.take(4)?.try_into().ok()?);
        match usize::try_from(length) {
            Ok(length) => Some(Some(self.take(length)?)),
            Err(_) => Some(None),
        }
    }
}

/// The hash of a value. Numbers and uuids are what they mean, others their bytes.
fn hash(value: &[u8], binary: bool) -> u32 {
    let number = if binary { binary_number(value) } else { text_number(value) };
    if let Some(number) = number {
        return mixed(&number.to_be_bytes());
    }
    match uuid(value).filter(|_| !binary) {
        Some(bytes) => mixed(&bytes),
        None => mixed(value.get(..value.len().min(LONGEST)).unwrap_or_default()),
    }
}

fn binary_number(value: &[u8]) -> Option<i64> {
    match value.len() {
        2 => Some(i64::from(i16::from_be_bytes(value.try_into().ok()?))),
        4 => Some(i64::from(i32::from_be_bytes(value.try_into().ok()?))),
        8 => Some(i64::from_be_bytes(value.try_into().ok()?)),
        _ => None,
    }
}

fn text_number(value: &[u8]) -> Option<i64> {
    let first = value.first()?;
    if value.len() > 20 || !(first.is_ascii_digit() || *first == b'-') {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The bytes of a uuid that is written as text.
fn uuid(value: &[u8]) -> Option<[u8; 16]> {
    if value.len() != 36 {
        return None;
    }
    let mut bytes = [0; 16];
    let mut digits = value.iter().filter(|byte| **byte != b'-');
    for byte in &mut bytes {
        let mut digit = || u8::try_from(char::from(*digits.next()?).to_digit(16)?).ok();
        *byte = digit()? << 4 | digit()?;
    }
    digits.next().is_none().then_some(bytes)
}

/// FNV-1a; never zero.
fn mixed(bytes: &[u8]) -> u32 {
    let start = 0x811c_9dc5_u32;
    let hash =
        bytes.iter().fold(start, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash | 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use howdah_wire::backend;

    fn bound(formats: &[u16], values: &[&[u8]]) -> Vec<u8> {
        let mut rest = Vec::new();
        rest.extend(u16::try_from(formats.len()).unwrap().to_be_bytes());
        formats.iter().for_each(|code| rest.extend(code.to_be_bytes()));
        rest.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            rest.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
            rest.extend_from_slice(value);
        }
        rest
    }

    #[test]
    fn the_same_values_have_the_same_hashes_however_they_are_sent() {
        let text = Asked::of_text(b"select * from t1 where a = 42 and b = 'x y' and c in (-7)");
        assert_eq!(text.count, 3);
        let as_text = Asked::of_bound(&bound(&[], &[b"42", b"x y", b"7"]));
        assert_eq!(text, as_text);
        let binary = Asked::of_bound(&bound(
            &[1, 0, 1],
            &[&42_i32.to_be_bytes(), b"x y", &7_i64.to_be_bytes()],
        ));
        assert_eq!(binary, as_text);
        let written = b"123e4567-e89b-12d3-a456-426614174000";
        let bytes = [
            0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17,
            0x40, 0x00,
        ];
        assert_eq!(
            Asked::of_bound(&bound(&[0], &[written])),
            Asked::of_bound(&bound(&[1], &[&bytes]))
        );
        // Half a message tells nothing.
        assert_eq!(Asked::of_bound(&bound(&[], &[b"42"])[..7]), Asked::NONE);
    }

    #[test]
    fn an_answer_says_which_values_it_gave() {
        let mut answer = Vec::new();
        for key in ["10", "11", "12"] {
            backend::data_row_text(&mut answer, &[Some(key), None, Some("name")]);
        }
        let mut listening = Listening::default();
        for part in answer.chunks(5) {
            listening.take(part);
        }
        let given = listening.end(&Asked::NONE);
        let asked = Asked::of_text(b"select 10, 12, 13");
        assert_eq!(given.count_of(asked.kept()), 2);
        assert!(!given.is_partial());
        listening.take(&vec![0; ANSWER]);
        assert!(listening.end(&Asked::NONE).is_partial());
    }
}
