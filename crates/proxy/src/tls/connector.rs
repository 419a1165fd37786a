//! What Howdah asks of servers, and shows to them when they ask for a certificate. Not the question whether they speak TLS at all:
//! `connect`.
//!
//! Invariant: two connectors are equal exactly when they ask and show the same.

use std::sync::Arc;

use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, Error};

use super::channel::Channel;
use super::identity::{Authorities, Identity, Part, Unusable};
use super::verify::Check;
use super::{MinimumVersion, PROTOCOL, provider};

/// What is asked of a server, in libpq's words; without a [`Connector`] TLS is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeMode {
    /// TLS if the server speaks it, else without.
    Prefer,
    /// TLS. With authorities, the certificate must be signed by one of them.
    Require,
    /// And a certificate signed by an authority.
    VerifyCa,
    /// And for the host that is connected to.
    VerifyFull,
}

impl NodeMode {
    /// The word of the configuration and of `sslmode`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// Speaks TLS with servers.
#[derive(Debug)]
pub struct Connector {
    mode: NodeMode,
    config: Arc<ClientConfig>,
    /// Of everything that it asks and shows.
    digest: [[u8; 32]; 2],
}

impl PartialEq for Connector {
    fn eq(&self, other: &Self) -> bool {
        (self.mode, self.digest) == (other.mode, other.digest)
    }
}

impl Eq for Connector {}

impl Connector {
    /// Prepares everything. `identity` is shown to servers that ask for it.
    ///
    /// # Errors
    /// What is wrong with a file; a mode that checks certificates without authorities.
    pub fn new(
        mode: NodeMode,
        authorities: Option<Authorities>,
        identity: Option<&Identity>,
    ) -> Result<Self, Unusable> {
        let provider = provider();
        let checked = match mode {
            NodeMode::Prefer => None,
            NodeMode::Require => authorities,
            NodeMode::VerifyCa | NodeMode::VerifyFull if authorities.is_none() => {
                return Err(Unusable::new(
                    Part::Authorities,
                    "is needed to check the server's certificate",
                ));
            }
            NodeMode::VerifyCa | NodeMode::VerifyFull => authorities,
        };
        let digest = [
            checked.as_ref().map_or([0; 32], |authorities| authorities.digest),
            identity.map_or([0; 32], |identity| identity.digest),
        ];
        let check = Check {
            authorities: checked,
            name: mode == NodeMode::VerifyFull,
            algorithms: provider.signature_verification_algorithms,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(MinimumVersion::default().versions())
            .map_err(|error| Unusable::new(Part::Certificate, error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(check));
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| Unusable::new(Part::Certificate, error.to_string()))?,
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self { mode, config: Arc::new(config), digest })
    }

    /// What it asks.
    #[must_use]
    pub const fn mode(&self) -> NodeMode {
        self.mode
    }

    /// Our side of a connection to this host.
    pub(crate) fn connect(&self, host: &str) -> Result<Channel, Error> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::General(format!("{host:?} is not the name of a host")))?;
        let session = UnbufferedClientConnection::new(Arc::clone(&self.config), name)?;
        Ok(Channel::of_server(session))
    }
}

/// What went wrong with TLS to a server, and what to do about it.
pub(crate) fn explain(error: &Error, host: &str) -> String {
    use AlertDescription as Alert;
    if let Error::InvalidCertificate(error) = error {
        return explain_certificate(error, host);
    }
    let Error::AlertReceived(alert) = error else { return error.to_string() };
    if matches!(alert, Alert::CertificateRequired | Alert::HandshakeFailure) {
        "it refused the handshake; if it wants a certificate: tls_cert and tls_key of the node"
            .to_owned()
    } else if matches!(
        alert,
        Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::DecryptError
    ) {
        format!("it does not accept the certificate in tls_cert ({error})")
    } else {
        error.to_string()
    }
}

fn explain_certificate(error: &CertificateError, host: &str) -> String {
    use CertificateError as Bad;
    if matches!(error, Bad::UnknownIssuer) {
        "its certificate is not signed by an authority that is trusted: put the certificate of its authority into tls_ca".to_owned()
    } else if matches!(error, Bad::NotValidForName | Bad::NotValidForNameContext { .. }) {
        format!(
            "its certificate is not for {host}: use a host name that is in the certificate, or tls = \"verify-ca\" to check the authority alone"
        )
    } else if matches!(error, Bad::Expired | Bad::ExpiredContext { .. }) {
        "its certificate has expired: renew it on the server".to_owned()
    } else if matches!(error, Bad::NotValidYet | Bad::NotValidYetContext { .. }) {
        "its certificate is not valid yet: compare the clocks of both machines".to_owned()
    } else {
        format!("its certificate cannot be used: {error}")
    }
}
