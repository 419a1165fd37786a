//! The attributes SCRAM messages are made of: `letter=value`, separated by commas.
//!
//! Not here: which attributes a message has.
//!
//! Invariant: a message beyond the length limit is refused before it is looked at.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Error;

use super::MAX_MESSAGE_LEN;
use super::verifier::Key;

/// Reads attributes in order.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a> {
    /// `None` once the last one is read.
    left: Option<&'a str>,
}

impl<'a> Attributes<'a> {
    /// The attributes of `message`.
    pub(super) fn new(message: &'a [u8]) -> Result<Self, Error> {
        if message.len() > MAX_MESSAGE_LEN {
            return Err(Error::Scram("it is too long"));
        }
        let text = std::str::from_utf8(message).map_err(|_| Error::Scram("it is not UTF-8"))?;
        if text.contains('\0') {
            return Err(Error::Scram("it has a NUL"));
        }
        Ok(Self { left: Some(text) })
    }

    /// What stands before the next comma, or all that is left.
    pub(super) fn field(&mut self) -> Option<&'a str> {
        let left = self.left?;
        let (field, left) = match left.split_once(',') {
            Some((field, left)) => (field, Some(left)),
            None => (left, None),
        };
        self.left = left;
        Some(field)
    }

    /// The value of the next attribute, which must be the one of this letter.
    pub(super) fn value(&mut self, letter: char) -> Option<&'a str> {
        self.field()?.strip_prefix(letter)?.strip_prefix('=')
    }

    /// What is left; empty at the end.
    pub(super) fn rest(&self) -> &'a str {
        self.left.unwrap_or_default()
    }
}

/// True when `nonce` is of printable ASCII without comma, and not empty.
pub(super) fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// The 32 bytes in `text`.
pub(super) fn sum(text: &str) -> Option<Key> {
    STANDARD.decode(text).ok()?.try_into().ok()
}
