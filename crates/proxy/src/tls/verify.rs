//! Whether a server's certificate is good: not at all, signed by an authority, or also for the host, with the meaning that libpq
//! gives to `sslmode`. Not the proof that the server has the key: TLS always asks for that.
//!
//! Invariant: in doubt a certificate is refused.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::certificate;
use super::identity::Authorities;

/// Checks certificates of servers.
#[derive(Debug)]
pub(super) struct Check {
    /// Who may have signed it; `None`: anybody.
    pub(super) authorities: Option<Authorities>,
    /// It has to be for the host that was connected to.
    pub(super) name: bool,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Check {
    fn signed(
        &self,
        authorities: &Authorities,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if authorities.listed.iter().any(|listed| listed == own) {
            // Signed by itself and listed: OpenSSL takes it for its own authority, and many servers have no other.
            return current(own, now);
        }
        let parsed = ParsedCertificate::try_from(own)?;
        let roots = &authorities.roots;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, above, now, self.algorithms.all)
    }
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(authorities) = &self.authorities {
            self.signed(authorities, end_entity, intermediates, now)?;
        }
        if self.name {
            for_host(end_entity, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn current(own: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let seconds = |time: std::time::SystemTime| {
        time.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    };
    let (from, until) = certificate::validity(own).ok_or(CertificateError::BadEncoding)?;
    if now.as_secs() < seconds(from) {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > seconds(until) {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// By its alternative names; by the common name when it has none, as libpq does.
fn for_host(own: &CertificateDer<'_>, host: &ServerName<'_>) -> Result<(), Error> {
    if certificate::has_alternative_names(own) {
        return verify_server_name(&ParsedCertificate::try_from(own)?, host);
    }
    let name = certificate::subject_name(own);
    if name.is_some_and(|name| matches(&name, &host.to_str())) {
        return Ok(());
    }
    Err(CertificateError::NotValidForName.into())
}

/// Whether a name of a certificate, perhaps with a star for its first label, is that of a host.
fn matches(name: &str, host: &str) -> bool {
    let wild = name.strip_prefix("*.").filter(|rest| rest.contains('.')).zip(host.split_once('.'));
    wild.is_some_and(|(rest, (_, domain))| rest.eq_ignore_ascii_case(domain))
        || name.eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label_and_never_for_a_whole_domain() {
        assert!(matches("db.example.com", "DB.example.com"));
        assert!(matches("*.example.com", "db.example.com"));
        for (name, host) in [
            ("*.example.com", "a.b.example.com"),
            ("*.example.com", "example.com"),
            ("*.com", "example.com"),
            ("*", "db"),
            ("db.example.com", "db.example.org"),
        ] {
            assert!(!matches(name, host), "{name} {host}");
        }
    }
}
