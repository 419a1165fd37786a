//! Positions in the write-ahead log, as PostgreSQL writes them. Not which log: a position says nothing without a timeline.

use std::fmt;
use std::str::FromStr;

/// Pages of the log, in bytes: PostgreSQL's default, which no packaged server changes.
const PAGE: u64 = 8192;
/// The header of a page, and that of the first page of a segment. Bytes.
const HEADER: u64 = 24;
const SEGMENT_HEADER: u64 = 40;

/// A position in the write-ahead log: bytes since its beginning. Larger is later, within one timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

/// Not `X/Y` in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnLsn;

impl fmt::Display for NotAnLsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a position of the write-ahead log looks like 16/B374D848")
    }
}

impl std::error::Error for NotAnLsn {}

impl Lsn {
    /// Bytes from `earlier` to here; 0 if `earlier` is later.
    #[must_use]
    pub const fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Where the last record ends, given where the next one would begin (`pg_current_wal_insert_lsn()`). The two differ by a page
    /// header when the last record has filled its page, and a replica, which knows ends only, would never reach the other.
    /// `segment` is `wal_segment_size` in bytes.
    #[must_use]
    pub const fn end_of_records(self, segment: u64) -> Self {
        let in_page = self.0 % PAGE;
        let page = self.0 - in_page;
        // Only there is the header the longer one; elsewhere a record may end as far inside a page.
        let first = segment != 0 && page.is_multiple_of(segment);
        let header = if first { SEGMENT_HEADER } else { HEADER };
        if in_page == header { Self(page) } else { self }
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for Lsn {
    type Err = NotAnLsn;

    fn from_str(text: &str) -> Result<Self, NotAnLsn> {
        let half = |digits: &str| {
            let plain = digits.len() <= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            plain.then(|| u32::from_str_radix(digits, 16).ok()).flatten().ok_or(NotAnLsn)
        };
        let (high, low) = text.split_once('/').ok_or(NotAnLsn)?;
        Ok(Self(u64::from(half(high)?) << 32 | u64::from(half(low)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_and_written_as_postgresql_does() {
        for (text, value) in
            [("0/0", 0), ("0/16B3748", 0x16B_3748), ("16/B374D848", 0x16_B374_D848)]
        {
            assert_eq!(text.parse(), Ok(Lsn(value)), "{text}");
            assert_eq!(Lsn(value).to_string(), text);
        }
        assert_eq!("FFFFFFFF/FFFFFFFF".parse(), Ok(Lsn(u64::MAX)));
        for text in ["", "/", "1", "1/", "/1", "1/2/3", "+1/2", "1/100000000", "x/1", " 1/2"] {
            assert_eq!(text.parse::<Lsn>(), Err(NotAnLsn), "{text:?}");
        }
    }

    #[test]
    fn a_full_page_ends_where_the_page_ends_and_not_behind_the_next_header() {
        const SEGMENT: u64 = 16 << 20;
        let table = [
            // The first page of a segment has the longer header,
            (SEGMENT + 40, SEGMENT),
            // elsewhere it is the shorter one,
            (SEGMENT + 8192 + 24, SEGMENT + 8192),
            // and a record may end as far inside the page as the longer one would be.
            (SEGMENT + 8192 + 40, SEGMENT + 8192 + 40),
            ((1 << 20) + 40, (1 << 20) + 40),
            (SEGMENT + 8192, SEGMENT + 8192),
            (SEGMENT + 48, SEGMENT + 48),
            (SEGMENT + 8191, SEGMENT + 8191),
        ];
        for (begin, end) in table {
            assert_eq!(Lsn(begin).end_of_records(SEGMENT), Lsn(end), "{begin:#x}");
        }
        assert_eq!(Lsn(40).end_of_records(0), Lsn(40), "without a segment size nothing is assumed");
    }
}
