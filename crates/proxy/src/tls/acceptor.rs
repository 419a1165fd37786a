//! What Howdah shows to clients: its certificate, and whose certificates it asks for. Not which byte asks for TLS: `login`.
//!
//! Invariant: nothing of a session is kept for another one (no tickets, no session cache), as with PostgreSQL.

use std::sync::Arc;
use std::time::SystemTime;

use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection, WebPkiClientVerifier};
use rustls::{ServerConfig, pki_types};

use super::channel::Channel;
use super::identity::{Authorities, Identity, Part, Unusable};
use super::{MinimumVersion, PROTOCOL, certificate, provider};

/// What is asked of clients; without an [`Acceptor`] TLS is not spoken at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientMode {
    /// TLS for whoever asks for it.
    Optional,
    /// TLS for everybody who comes over TCP.
    Required,
    /// And a certificate that an authority has signed.
    Verified,
}

/// Accepts TLS from clients.
#[derive(Debug, Clone)]
pub struct Acceptor {
    mode: ClientMode,
    config: Arc<ServerConfig>,
    /// Hash of our certificate for channel binding.
    end_point: Option<Arc<[u8]>>,
    expires: SystemTime,
}

impl Acceptor {
    /// Prepares everything. With `authorities`, clients that show a certificate must show one that is signed by them.
    ///
    /// # Errors
    /// What is wrong with a file; [`ClientMode::Verified`] without authorities.
    pub fn new(
        mode: ClientMode,
        minimum: MinimumVersion,
        identity: &Identity,
        authorities: Option<&Authorities>,
    ) -> Result<Self, Unusable> {
        let provider = provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(minimum.versions())
            .map_err(|error| Unusable::new(Part::Certificate, error.to_string()))?;
        let builder = match authorities {
            None if mode == ClientMode::Verified => {
                return Err(Unusable::new(
                    Part::Authorities,
                    "is needed to check certificates of clients",
                ));
            }
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let roots = Arc::new(authorities.roots.clone());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = match mode {
                    ClientMode::Verified => verifier,
                    ClientMode::Optional | ClientMode::Required => verifier.allow_unauthenticated(),
                };
                let verifier = verifier.build();
                let verifier = verifier
                    .map_err(|error| Unusable::new(Part::Authorities, error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(|error| Unusable::new(Part::Certificate, error.to_string()))?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let own: Option<&pki_types::CertificateDer<'_>> = identity.chain.first();
        let end_point = own.and_then(|own| certificate::end_point(own)).map(Arc::from);
        Ok(Self { mode, config: Arc::new(config), end_point, expires: identity.expires })
    }

    /// Until when our certificate is good.
    #[must_use]
    pub const fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Whether clients over TCP have to encrypt.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.mode != ClientMode::Optional
    }

    /// Our side of a connection; `read` was read from it already.
    pub(crate) fn accept(&self, read: Vec<u8>) -> Result<Channel, rustls::Error> {
        let session = UnbufferedServerConnection::new(Arc::clone(&self.config))?;
        Ok(Channel::of_client(session, self.end_point.clone(), read))
    }
}
