//! TLS on both sides: what Howdah shows to clients ([`Acceptor`]), what it asks of servers ([`Connector`]), and the encrypted stream
//! between two event loops (`channel`). Reading files is the configuration's business; when to encrypt is that of `login` and
//! `connect`.
//!
//! Invariant: an [`Acceptor`] or a [`Connector`] is complete and works, or it was never made; both are immutable, so a connection
//! keeps what it began with.

mod acceptor;
mod certificate;
mod channel;
mod connector;
mod dial;
mod identity;
mod verify;

pub use acceptor::{Acceptor, ClientMode};
pub use connector::{Connector, NodeMode};
pub use dial::{Dialled, dial};
pub use identity::{Authorities, Identity, Part, Unusable};

pub(crate) use certificate::subject_name;
pub(crate) use channel::{Channel, DetachedEncrypted, Encrypted};
pub(crate) use connector::explain;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, ProtocolVersion, SupportedProtocolVersion};

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MinimumVersion {
    /// 1.2, as PostgreSQL's default.
    #[default]
    Tls12,
    /// 1.3.
    Tls13,
}

impl MinimumVersion {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static VERSIONS: [&SupportedProtocolVersion; 2] =
            [&rustls::version::TLS13, &rustls::version::TLS12];
        match self {
            Self::Tls12 => &VERSIONS,
            Self::Tls13 => VERSIONS.get(..1).unwrap_or_default(),
        }
    }
}

/// The name of PostgreSQL's protocol inside TLS (ALPN).
const PROTOCOL: &[u8] = b"postgresql";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What a connection is encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsInfo {
    version: ProtocolVersion,
    suite: CipherSuite,
}

impl std::fmt::Display for TlsInfo {
    /// As PgBouncer shows it: `TLSv1.3/TLS_AES_256_GCM_SHA384`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = self.version.as_str().unwrap_or("TLS").replace('_', ".");
        let suite = self.suite.as_str().unwrap_or("unknown");
        match suite.strip_prefix("TLS13_") {
            Some(name) => write!(f, "{version}/TLS_{name}"),
            None => write!(f, "{version}/{suite}"),
        }
    }
}
