//! What PEM files hold: a certificate with its key, and authorities. Not the reading of the files, and not what they are used for.
//!
//! Invariant: a key belongs to its certificate, and is never printed.

use std::fmt;
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::{certificate, provider};

/// Which of the files is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The certificate.
    Certificate,
    /// Its key.
    Key,
    /// The authorities.
    Authorities,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unusable {
    /// Which file.
    pub part: Part,
    /// What is wrong with it; a clause about the file.
    pub reason: String,
}

impl Unusable {
    pub(super) fn new(part: Part, reason: impl Into<String>) -> Self {
        Self { part, reason: reason.into() }
    }
}

/// A certificate with the chain above it, and its key.
pub struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) expires: SystemTime,
    /// Of all its bytes, for comparing.
    pub(super) digest: [u8; 32],
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads a certificate (its own first, then those above it) and its key, both in PEM form.
    ///
    /// # Errors
    /// One of them is not there, cannot be read, or the key is another one's.
    pub fn read(certificate: &[u8], key: &[u8]) -> Result<Self, Unusable> {
        let chain = certificates(certificate, Part::Certificate)?;
        let key_der = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            let locked = key.windows(9).any(|window| window == b"ENCRYPTED");
            let reason = if locked {
                "holds a key with a passphrase"
            } else {
                "holds no private key in PEM form"
            };
            Unusable::new(Part::Key, reason)
        })?;
        let certified = CertifiedKey::from_der(chain.clone(), key_der.clone_key(), &provider());
        certified.map_err(|error| {
            if matches!(error, rustls::Error::InconsistentKeys(_)) {
                return Unusable::new(Part::Key, "holds a key that is not the certificate's");
            }
            let own = matches!(error, rustls::Error::InvalidCertificate(_));
            let part = if own { Part::Certificate } else { Part::Key };
            Unusable::new(part, format!("cannot be used: {error}"))
        })?;
        let validity = chain.first().and_then(|own| certificate::validity(own));
        let (_, expires) = validity.ok_or_else(|| {
            Unusable::new(Part::Certificate, "holds a certificate that cannot be read")
        })?;
        let digest = Sha256::new().chain_update(certificate).chain_update([0]).chain_update(key);
        Ok(Self { chain, key: key_der, expires, digest: digest.finalize().into() })
    }
}

/// Certificates of authorities that are trusted.
#[derive(Debug, Clone)]
pub struct Authorities {
    pub(super) roots: RootCertStore,
    /// All of them as they are: one that is shown itself is trusted, too.
    pub(super) listed: Vec<CertificateDer<'static>>,
    pub(super) digest: [u8; 32],
}

impl Authorities {
    /// Reads certificates in PEM form.
    ///
    /// # Errors
    /// There is none, or one cannot be read.
    pub fn read(pem: &[u8]) -> Result<Self, Unusable> {
        let listed = certificates(pem, Part::Authorities)?;
        let mut roots = RootCertStore::empty();
        for certificate in &listed {
            roots.add(certificate.clone()).map_err(|error| {
                let reason = format!("holds a certificate that cannot be used: {error}");
                Unusable::new(Part::Authorities, reason)
            })?;
        }
        Ok(Self { roots, listed, digest: Sha256::digest(pem).into() })
    }

    /// Those that this machine trusts.
    ///
    /// # Errors
    /// There are none.
    pub fn system() -> Result<Self, Unusable> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(Unusable::new(Part::Authorities, "this machine trusts no authority"));
        }
        Ok(Self { roots, listed: Vec::new(), digest: Sha256::digest(b"system").into() })
    }
}

fn certificates(pem: &[u8], part: Part) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(Unusable::new(part, "holds no certificate in PEM form"))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(Unusable::new(part, format!("is not in PEM form: {error}"))),
    }
}
