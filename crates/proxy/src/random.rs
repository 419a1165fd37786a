//! Random bytes from the operating system: nonces, salts, cancel keys.
//!
//! Invariant: a byte is given out once.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    #[cfg(feature = "simulation")]
    if crate::simulation::fill(&mut bytes) {
        return Ok(bytes);
    }
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// A printable token of 144 random bits, as SCRAM nonces are.
pub(crate) fn token() -> io::Result<String> {
    let mut token = String::with_capacity(36);
    for byte in bytes::<18>()? {
        // Writing to a string cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    Ok(token)
}

/// Bytes asked of the operating system at once.
const RESERVE: usize = 1024;

/// Random bytes in reserve, so that a login costs no system call for them.
#[derive(Debug, Default)]
pub(crate) struct Reserve(RefCell<Vec<u8>>);

impl Reserve {
    /// `count` random bytes, at most [`RESERVE`].
    pub(crate) fn take(&self, count: usize) -> io::Result<Vec<u8>> {
        let mut reserve = self.0.borrow_mut();
        if reserve.len() < count {
            *reserve = bytes::<RESERVE>()?.to_vec();
        }
        let at = reserve.len().saturating_sub(count);
        Ok(reserve.split_off(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_gives_no_byte_twice() {
        let reserve = Reserve::default();
        let taken: Vec<Vec<u8>> =
            (0..200).map(|_| reserve.take(32).expect("there is randomness")).collect();
        assert!(taken.iter().all(|bytes| bytes.len() == 32));
        let different: std::collections::BTreeSet<&Vec<u8>> = taken.iter().collect();
        assert_eq!(different.len(), taken.len());
    }
}
