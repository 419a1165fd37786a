//! How much an address may try before it has proved anything. Decided by `howdah_core::login::Attempts`; here the clock and the waiting.
//!
//! Invariant: only clients of TCP are counted, and all of them together in all workers.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use howdah_core::login::Rates;
use howdah_wire::sqlstate::SqlState;

use crate::clock;
use crate::error::Refusal;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::stream::Peer;

/// The longest that an answer to a failed login is kept back.
const PATIENCE: Duration = Duration::from_secs(10);

/// An attempt to log in; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Attempt {
    shared: Arc<Shared>,
    address: Option<IpAddr>,
    rates: Rates,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            self.shared.attempts.lock().on_left(address);
        }
    }
}

/// Counts a login that begins, and lets it wait its turn. Cancel safe.
///
/// # Errors
/// Too many of this address log in already.
pub(super) async fn begin(
    shared: &Arc<Shared>,
    settings: &Settings,
    peer: Peer,
) -> Result<Attempt, Refusal> {
    let rates = settings.auth.rates;
    let address = match peer {
        Peer::Tcp(address) if rates != Rates::default() => Some(account(address.ip())),
        Peer::Tcp(_) | Peer::Unix | Peer::Memory => None,
    };
    let mut attempt = Attempt { shared: Arc::clone(shared), address: None, rates };
    let Some(address) = address else {
        return Ok(attempt);
    };
    let wait = shared.attempts.lock().begin(address, rates, clock::now());
    let Some(wait) = wait else {
        let words = "too many logins from this address are in progress";
        return Err(Refusal::new(SqlState::TOO_MANY_CONNECTIONS, words)
            .hint("Connect again in a moment, or raise auth.max_pending."));
    };
    attempt.address = Some(address);
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    Ok(attempt)
}

impl Attempt {
    /// The proof was wrong: keeps the answer back while the address has failed too often. Cancel safe.
    pub(super) async fn failed(&self) {
        let Some(address) = self.address else { return };
        let wait = self.shared.attempts.lock().on_failed(address, self.rates, clock::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait.min(PATIENCE)).await;
        }
    }
}

/// Who shares an account: an IPv4 address, or a network of IPv6, of which one machine has all addresses.
fn account(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_share_an_account_and_so_do_both_writings_of_ipv4() {
        let parse = |text: &str| account(text.parse().expect("an address"));
        assert_eq!(parse("2001:db8:1:2::1"), parse("2001:db8:1:2:ffff::9"));
        assert_ne!(parse("2001:db8:1:2::1"), parse("2001:db8:1:3::1"));
        assert_eq!(parse("::ffff:10.0.0.1"), parse("10.0.0.1"));
    }
}
