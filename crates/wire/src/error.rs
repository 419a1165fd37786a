//! What can be wrong with bytes from a peer, and the SQLSTATE to report for it.
//!
//! Not here: "more bytes are needed", which is `Ok(None)` everywhere in this crate.
//!
//! Invariant: an error carries no bytes of the peer, so it may be logged and sent as it is.

use crate::SqlState;

/// Why bytes from a peer are no PostgreSQL protocol, or why a login exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A frame's length field is below 4 or above what the message may have.
    #[error("invalid length {length} of message type 0x{tag:02x}")]
    FrameLength {
        /// The message type byte.
        tag: u8,
        /// The length field as it arrived.
        length: u32,
    },
    /// A complete message whose content does not follow its layout.
    #[error("malformed {message} message: {what}")]
    Malformed {
        /// The message's name in PostgreSQL's documentation.
        message: &'static str,
        /// Which part is wrong, and how.
        what: &'static str,
    },
    /// A message type byte that protocol 3 does not have in this direction.
    #[error("unknown message type 0x{0:02x}")]
    UnknownTag(u8),
    /// The length field of the first packet of a connection is out of range.
    #[error("invalid length {0} of startup packet")]
    StartupLength(u32),
    /// The client asks for a protocol whose major version is not 3.
    #[error("unsupported frontend protocol {major}.{minor}: only protocol 3 is served")]
    UnsupportedVersion {
        /// Requested major version.
        major: u16,
        /// Requested minor version.
        minor: u16,
    },
    /// A SCRAM message that does not follow RFC 5802, or arrives out of order.
    #[error("malformed SCRAM message: {0}")]
    Scram(&'static str),
    /// A valid part of SCRAM that is not served.
    #[error("unsupported SCRAM feature: {0}")]
    ScramUnsupported(&'static str),
    /// The client could bind to the TLS channel and did not see that it was offered: somebody may
    /// stand between.
    #[error(
        "SCRAM channel binding negotiation error: the client did not see the offer of channel binding"
    )]
    ScramDowngrade,
    /// The peer ended the SCRAM exchange with an error attribute.
    #[error("the server refused the SCRAM exchange")]
    ScramRefused,
    /// The proof of the password is wrong.
    #[error("password authentication failed")]
    PasswordMismatch,
    /// The server could not prove that it knows the password's verifier.
    #[error("the server did not prove that it knows the password")]
    ServerNotAuthentic,
    /// A stored password is not a `SCRAM-SHA-256$…` verifier.
    #[error("not a SCRAM-SHA-256 verifier: {0}")]
    Verifier(&'static str),
}

impl Error {
    /// The SQLSTATE under which this is reported to a client.
    pub fn sqlstate(&self) -> SqlState {
        match self {
            Self::FrameLength { .. }
            | Self::Malformed { .. }
            | Self::UnknownTag(_)
            | Self::StartupLength(_)
            | Self::Scram(_) => SqlState::PROTOCOL_VIOLATION,
            Self::UnsupportedVersion { .. } | Self::ScramUnsupported(_) => {
                SqlState::FEATURE_NOT_SUPPORTED
            }
            Self::PasswordMismatch => SqlState::INVALID_PASSWORD,
            Self::ScramRefused | Self::ScramDowngrade => SqlState::INVALID_AUTHORIZATION,
            Self::ServerNotAuthentic => SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH,
            Self::Verifier(_) => SqlState::INTERNAL,
        }
    }
}
