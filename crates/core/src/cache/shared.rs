//! An answer on its way between instances, through a store that nobody trusts: the bytes that are put there, and what they are found by.
//! Not the store, and not whether an answer is valid: that is asked of one's own [`super::Freshness`].
//!
//! What an answer depends on is not in it: whoever takes it over finds that out by itself, from the statement, its parameters and the rows.
//!
//! Invariant: any bytes are a value that was put, whole, for this key, under this history and these definitions, or an error. A value of
//! another version is an error.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::freshness::standing::Standing;
use super::freshness::stream::History;
use super::{Answer, Lsn, Refusal};
use crate::limits;

/// First bytes of a value; the last is the version of its form.
const MAGIC: [u8; 5] = *b"HWDH\x01";
/// Bytes of the checksum.
const CHECKSUM: usize = 16;
/// Answers of so many bytes are compressed if that saves a tenth.
const COMPRESSED_FROM: usize = 1024;

/// In `flags`: the answer is compressed,
const COMPRESSED: u8 = 1;
/// has what describes its rows,
const DESCRIBED: u8 = 2;
/// and it is known what the client was told of them.
const SHAPED: u8 = 4;

/// Why a value is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Not what was put.
    #[error("the value is damaged")]
    Garbled,
    /// Another build has put it.
    #[error("the value is of another version")]
    Version,
    /// It belongs to something else.
    #[error("the value is of another request, another history or other definitions")]
    Other,
    /// It is newer than what is known here.
    #[error("the value is newer than what is known of changes here")]
    Ahead,
    /// As of any answer.
    #[error("{0}")]
    Refused(#[from] Refusal),
}

/// What is asked, by names that mean the same in every instance.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where positions and numbers of relations are from.
    pub history: History,
    /// The database, as PostgreSQL calls it.
    pub database: &'a str,
    /// The role on the server, and the name that the client has given.
    pub roles: [&'a str; 2],
    /// [`super::key::settings`].
    pub settings: &'a str,
    /// The rest of the request: [`super::key::beyond_numbers`].
    pub request: &'a [u8],
}

impl Question<'_> {
    /// All of it. Equal only if every part is.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let [role, user] = self.roles;
        let mut out = Vec::with_capacity(self.request.len() + self.settings.len() + 128);
        out.extend_from_slice(&self.history.system.to_be_bytes());
        out.extend_from_slice(&self.history.timeline.to_be_bytes());
        for part in [self.database, role, user, self.settings] {
            put_part(&mut out, part.as_bytes());
        }
        out.extend_from_slice(self.request);
        out
    }
}

/// The name under which the value for a key is put.
#[must_use]
pub fn name(prefix: &str, key: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::digest(key).into();
    let mut name = String::with_capacity(prefix.len() + 2 * hash.len());
    name.push_str(prefix);
    for byte in hash {
        for digit in [byte >> 4, byte & 15] {
            name.push(char::from_digit(u32::from(digit), 16).unwrap_or_default());
        }
    }
    name
}

/// What is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Every commit up to here that touches what the answer depends on is in it.
    pub v: Lsn,
    /// What it took to get it.
    pub cost: Duration,
    /// A hash of what the client was told of its rows, if that is known.
    pub shape: Option<u64>,
    /// The answer.
    pub answer: Answer,
}

impl Value {
    /// As bytes.
    #[must_use]
    pub fn encode(&self, standing: &Standing, key: &[u8]) -> Vec<u8> {
        let description = self.answer.description.as_deref();
        let answer = [description.unwrap_or_default(), &self.answer.rows].concat();
        let packed = (answer.len() >= COMPRESSED_FROM).then(|| lz4_flex::block::compress(&answer));
        let packed = packed.filter(|packed| packed.len() <= answer.len() / 10 * 9);
        let mut flags = if packed.is_some() { COMPRESSED } else { 0 };
        flags |= if description.is_some() { DESCRIBED } else { 0 };
        flags |= if self.shape.is_some() { SHAPED } else { 0 };
        let body = packed.as_deref().unwrap_or(&answer);
        let mut out = Vec::with_capacity(body.len() + key.len() + 256);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[0; CHECKSUM]);
        out.push(flags);
        out.extend_from_slice(&standing.history.system.to_be_bytes());
        out.extend_from_slice(&standing.history.timeline.to_be_bytes());
        out.extend_from_slice(&self.v.0.to_be_bytes());
        let cost = u64::try_from(self.cost.as_micros()).unwrap_or(u64::MAX);
        out.extend_from_slice(&cost.to_be_bytes());
        out.extend_from_slice(&self.shape.unwrap_or_default().to_be_bytes());
        put_part(&mut out, standing.definitions.as_bytes());
        put_part(&mut out, key);
        out.extend_from_slice(&(answer.len() as u64).to_be_bytes());
        out.extend_from_slice(body);
        if let Some((head, rest)) = out.split_at_mut_checked(MAGIC.len() + CHECKSUM)
            && let Some(place) = head.last_chunk_mut()
        {
            *place = checksum(rest);
        }
        out
    }

    /// From bytes that were found under the name of this key.
    ///
    /// # Errors
    /// They are not what was put for it, under what holds now.
    pub fn decode(bytes: &[u8], standing: &Standing, key: &[u8]) -> Result<Self, Unusable> {
        let (magic, rest) = bytes.split_first_chunk::<5>().ok_or(Unusable::Garbled)?;
        if *magic != MAGIC {
            return Err(Unusable::Version);
        }
        let (sum, rest) = rest.split_first_chunk::<CHECKSUM>().ok_or(Unusable::Garbled)?;
        if *sum != checksum(rest) {
            return Err(Unusable::Garbled);
        }
        Self::read(rest, standing, key).ok_or(Unusable::Garbled)?
    }

    /// What is behind the checksum. `None`: it is not whole.
    fn read(bytes: &[u8], standing: &Standing, key: &[u8]) -> Option<Result<Self, Unusable>> {
        let (flags, rest) = bytes.split_first()?;
        let (system, rest) = number(rest)?;
        let (timeline, rest) = rest.split_first_chunk::<4>()?;
        let (v, rest) = number(rest)?;
        let (cost, rest) = number(rest)?;
        let (shape, rest) = number(rest)?;
        let (definitions, rest) = part(rest)?;
        let (of, rest) = part(rest)?;
        let (length, body) = number(rest)?;
        let history = History { system, timeline: u32::from_be_bytes(*timeline) };
        if history != standing.history
            || *definitions != *standing.definitions.as_bytes()
            || of != key
        {
            return Some(Err(Unusable::Other));
        }
        let length = usize::try_from(length).ok().filter(|it| *it <= limits::CACHED_ANSWER)?;
        let unpacked;
        let answer = if flags & COMPRESSED == 0 {
            body
        } else {
            unpacked = lz4_flex::block::decompress(body, length).ok()?;
            &*unpacked
        };
        let answer = Answer::of(answer).filter(|_| answer.len() == length)?;
        let is_described = flags & DESCRIBED != 0;
        if is_described != answer.description.is_some() || answer.len() != length {
            return None;
        }
        let shape = (flags & SHAPED != 0).then_some(shape);
        Some(Ok(Self { v: Lsn(v), cost: Duration::from_micros(cost), shape, answer }))
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    hash.first_chunk().copied().unwrap_or_default()
}

fn put_part(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&(part.len() as u64).to_be_bytes());
    out.extend_from_slice(part);
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*head), rest))
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests;
