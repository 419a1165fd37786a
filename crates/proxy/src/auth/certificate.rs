//! Login by a certificate that the client has shown in TLS. Not whether it is signed by an authority: TLS has refused any that is
//! not, and asks for none when no authority is configured.
//!
//! Invariant: without TLS and without a certificate nobody gets in.

use howdah_wire::sqlstate::SqlState;

use super::Link;
use crate::error::Refusal;
use crate::tls::{self, Channel};

/// Lets in a client whose certificate has this common name.
pub(super) fn check(link: &Link, name: &str, wanted: &str) -> Result<(), Refusal> {
    let shown = link.stream.channel().and_then(Channel::certificate);
    let shown = shown.and_then(|der| tls::subject_name(der));
    if shown.as_deref() == Some(wanted) {
        return Ok(());
    }
    tracing::info!(peer = %link.peer, user = name, wanted, shown, "the certificate does not fit");
    let refusal = Refusal::new(
        SqlState::INVALID_AUTHORIZATION,
        format!("certificate authentication failed for user {name:?}"),
    );
    Err(match shown {
        Some(_) => refusal.hint("The certificate is for another name."),
        None => {
            refusal.hint("Connect with TLS and a certificate: sslmode=require sslcert=… sslkey=…")
        }
    })
}
