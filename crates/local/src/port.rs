//! Free ports on the loopback interface.
//!
//! Not a reservation: between the answer and its use somebody else may take the port, so whoever
//! starts a server on it retries with another one.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use crate::{Error, Result};

/// Ports below this one are left to services with an assigned number.
const FIRST: u16 = 12_000;
/// Where Linux begins to take ports for outgoing connections, unless it says otherwise.
const OUTGOING_DEFAULT: u16 = 32_768;
const ATTEMPTS: u32 = 200;

/// A port on 127.0.0.1 that nobody listens on.
///
/// It lies below the range of outgoing connections: a port of that range can be taken by any client
/// while its server is down, even by one that tries to connect to that very port.
///
/// # Errors
///
/// [`Error::Port`] when 200 random ports were all taken.
pub fn free_port() -> Result<u16> {
    let end = outgoing_first().max(FIRST + 1);
    let span = u64::from(end - FIRST);
    (0..ATTEMPTS)
        .filter_map(|_| u16::try_from(random() % span).ok())
        .map(|offset| FIRST + offset)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or(Error::Port)
}

/// Unpredictable enough to keep parallel test processes apart.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

fn outgoing_first() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(OUTGOING_DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_is_never_an_outgoing_one() {
        for _ in 0..50 {
            let port = free_port().unwrap();
            assert!(port >= FIRST && port < outgoing_first(), "{port}");
        }
    }

    #[test]
    fn a_taken_port_is_not_offered() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!((0..50).all(|_| free_port().unwrap() != port));
    }
}
