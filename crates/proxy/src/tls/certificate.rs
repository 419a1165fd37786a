//! What is read of a certificate beyond what TLS itself checks: whose it is, until when it is good, and its hash for channel
//! binding. Not whether it is to be trusted: `verify`.
//!
//! Invariant: any bytes may be given; what cannot be read is `None`.

use std::time::SystemTime;

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier};
use x509_cert::der::{Decode, Reader, Tag, TagNumber, Tagged};
use x509_cert::spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};

const SUBJECT_CN: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// The first common name of the subject.
pub(crate) fn subject_name(der: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(der).ok()?;
    let names = certificate.tbs_certificate.subject.0.iter().flat_map(|name| name.0.iter());
    let value = names.filter(|name| name.oid == SUBJECT_CN).map(|name| &name.value).next()?;
    if !matches!(value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String) {
        return None;
    }
    let text = std::str::from_utf8(value.value()).ok()?;
    // A NUL would end the name for others and not for us.
    (!text.is_empty() && !text.contains('\0')).then(|| text.to_owned())
}

/// Whether it names hosts in the place made for that, so that the common name does not count.
pub(super) fn has_alternative_names(der: &[u8]) -> bool {
    Certificate::from_der(der).is_ok_and(|certificate| {
        let extensions = certificate.tbs_certificate.extensions.unwrap_or_default();
        extensions.iter().any(|extension| extension.extn_id == SUBJECT_ALT_NAME)
    })
}

/// From when and until when it is good.
pub(super) fn validity(der: &[u8]) -> Option<(SystemTime, SystemTime)> {
    let validity = Certificate::from_der(der).ok()?.tbs_certificate.validity;
    Some((validity.not_before.to_system_time(), validity.not_after.to_system_time()))
}

/// Its hash for channel binding `tls-server-end-point` (RFC 5929): with the hash of its own signature, and SHA-256 instead of MD5
/// and SHA-1. `None`: its signature names no hash (Ed25519), so nothing can be bound to it, as with PostgreSQL.
pub(crate) fn end_point(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(der).ok()?;
    let signature = &certificate.signature_algorithm;
    let algorithm = if signature.oid == RSA_PSS { pss_hash(signature)? } else { signature.oid };
    Some(match algorithm.to_string().as_str() {
        // MD5, SHA-1 and SHA-256: of RSA, ECDSA, and by themselves.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2"
        | "1.3.14.3.2.26"
        | "2.16.840.1.101.3.4.2.1" => Sha256::digest(der).to_vec(),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => {
            Sha384::digest(der).to_vec()
        }
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => {
            Sha512::digest(der).to_vec()
        }
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.2.4" => {
            Sha224::digest(der).to_vec()
        }
        _ => return None,
    })
}

/// The hash that the parameters of an RSASSA-PSS signature name; SHA-1 when they do not.
fn pss_hash(signature: &AlgorithmIdentifierOwned) -> Option<ObjectIdentifier> {
    const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
    let parameters = AnyRef::from(signature.parameters.as_ref()?);
    let hash = parameters.sequence(|reader| {
        let hash =
            ContextSpecific::<AlgorithmIdentifierRef<'_>>::decode_explicit(reader, TagNumber::N0)?;
        reader.read_slice(reader.remaining_len())?;
        Ok(hash.map(|hash| hash.value.oid))
    });
    Some(hash.ok()?.unwrap_or(SHA_1))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SignatureAlgorithm};

    use super::*;

    fn made(algorithm: &'static SignatureAlgorithm, name: &str) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_is_hashed_with_the_hash_of_its_signature() {
        let der = made(&rcgen::PKCS_ECDSA_P256_SHA256, "a");
        assert_eq!(end_point(&der), Some(Sha256::digest(&der).to_vec()));
        let der = made(&rcgen::PKCS_ECDSA_P384_SHA384, "a");
        assert_eq!(end_point(&der), Some(Sha384::digest(&der).to_vec()));
    }

    #[test]
    fn nothing_is_bound_to_a_signature_without_a_hash_or_to_what_is_no_certificate() {
        assert_eq!(end_point(&made(&rcgen::PKCS_ED25519, "a")), None);
        assert_eq!(end_point(b"no certificate"), None);
    }

    #[test]
    fn the_name_of_the_subject_is_read_and_one_with_a_nul_is_none() {
        assert_eq!(subject_name(&made(&rcgen::PKCS_ED25519, "app")).as_deref(), Some("app"));
        assert_eq!(subject_name(&made(&rcgen::PKCS_ED25519, "app\0x")), None);
        assert_eq!(subject_name(b""), None);
    }
}
