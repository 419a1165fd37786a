//! Frames: one type byte, a length that counts itself, a body; and the checked reader over a body.
//!
//! Not here: what a body means (`frontend`, `backend`) and the packets before the first frame
//! (`startup`).
//!
//! Invariant: a length is checked as soon as it is read, before anybody can reserve memory by it,
//! and a read never goes past the bytes given.

use std::ffi::CStr;

use crate::Error;

/// Bytes of a frame before its body: the type byte and the length field.
pub const HEADER_LEN: usize = 5;

/// The largest value of a length field, as in PostgreSQL (`PQ_LARGE_MESSAGE_LIMIT`, one byte below
/// the largest allocation).
pub const MAX_LENGTH: u32 = 0x3fff_fffe;

/// The smallest value of a length field: it counts its own four bytes.
const MIN_LENGTH: u32 = 4;

/// The first five bytes of a frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The message type byte.
    pub tag: u8,
    /// The length field: counts itself and the body, not the type byte.
    pub length: u32,
}

impl Header {
    /// Bytes of the whole frame, type byte included.
    pub fn frame_len(self) -> usize {
        self.length as usize + 1
    }

    /// Bytes of the body.
    pub fn body_len(self) -> usize {
        self.length.saturating_sub(MIN_LENGTH) as usize
    }
}

/// Reads the header at the start of `buf`; `None` while fewer than [`HEADER_LEN`] bytes are there.
///
/// # Errors
/// [`Error::FrameLength`] when the length is below 4 or above [`MAX_LENGTH`].
#[inline]
pub fn header(buf: &[u8]) -> Result<Option<Header>, Error> {
    let Some(&[tag, ref length @ ..]) = buf.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length);
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
        return Err(Error::FrameLength { tag, length });
    }
    Ok(Some(Header { tag, length }))
}

/// One complete frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The message type byte.
    pub tag: u8,
    /// What follows the length field.
    pub body: &'a [u8],
    /// The whole frame, from the type byte on.
    pub bytes: &'a [u8],
}

/// Splits the first complete frame off `buf` and returns it with the rest; `None` while it is
/// incomplete.
///
/// # Errors
/// As [`header`].
#[inline]
pub fn split(buf: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>, Error> {
    let Some(header) = header(buf)? else {
        return Ok(None);
    };
    let Some((bytes, rest)) = buf.split_at_checked(header.frame_len()) else {
        return Ok(None);
    };
    let body = bytes.get(HEADER_LEN..).unwrap_or_default();
    Ok(Some((Frame { tag: header.tag, body, bytes }, rest)))
}

/// Reads values in network byte order from the start of a byte slice; `None` when too few bytes are
/// left, and then nothing is consumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (array, left) = self.left.split_first_chunk()?;
        self.left = left;
        Some(array)
    }

    /// The next byte.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(|&[byte]| byte)
    }

    /// The next two bytes.
    #[inline]
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// The next two bytes, signed.
    #[inline]
    pub fn i16(&mut self) -> Option<i16> {
        self.array().map(|bytes| i16::from_be_bytes(*bytes))
    }

    /// The next four bytes.
    #[inline]
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// The next four bytes, signed.
    #[inline]
    pub fn i32(&mut self) -> Option<i32> {
        self.array().map(|bytes| i32::from_be_bytes(*bytes))
    }

    /// The next eight bytes.
    #[inline]
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// The next eight bytes, signed.
    #[inline]
    pub fn i64(&mut self) -> Option<i64> {
        self.array().map(|bytes| i64::from_be_bytes(*bytes))
    }

    /// The bytes before the next NUL; the NUL is consumed too. `None` when there is no NUL.
    #[inline]
    pub fn cstr(&mut self) -> Option<&'a [u8]> {
        let string = CStr::from_bytes_until_nul(self.left).ok()?;
        self.left = self.left.get(string.count_bytes() + 1..)?;
        Some(string.to_bytes())
    }

    /// The next `count` bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, left) = self.left.split_at_checked(count)?;
        self.left = left;
        Some(bytes)
    }

    /// The next `N` bytes as an array.
    #[inline]
    pub fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.array().copied()
    }

    /// All that is left; the reader is empty then.
    #[inline]
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.left)
    }

    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.left.len()
    }

    /// True when nothing is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// What was read between `start`, an earlier state of this reader, and now.
    pub(crate) fn since(&self, start: &Self) -> &'a [u8] {
        start.left.get(..start.left.len().saturating_sub(self.left.len())).unwrap_or_default()
    }
}
