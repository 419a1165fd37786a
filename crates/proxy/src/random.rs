//! Random bytes from the operating system: nonces, salts, cancel keys.

use std::fmt::Write as _;
use std::io;

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
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
