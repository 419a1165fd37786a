//! The side of SCRAM that lets a client prove its password.
//!
//! Not here: who the client says it is; PostgreSQL's clients say that in the startup packet.
//!
//! Invariant: the two messages are taken in this order and once each; success needs a proof for
//! exactly this exchange.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Error;

use super::message::{Attributes, is_nonce, sum};
use super::verifier::{Key, hmac, xor};
use super::{BOUND_FLAG, ClientKeys, Verifier};

/// One exchange. Steps: [`on_client_first`](Self::on_client_first),
/// [`on_client_final`](Self::on_client_final).
#[derive(Debug)]
pub struct Server {
    verifier: Verifier,
    nonce: String,
    offer: Option<Offer>,
    begun: Option<Begun>,
    /// What the client's proof has revealed.
    proven: Option<ClientKeys>,
}

/// Channel binding was offered.
#[derive(Debug)]
struct Offer {
    /// Hash of the certificate the client has seen, if nobody stands between.
    end_point: Vec<u8>,
    /// The client chose the mechanism with channel binding.
    chosen: bool,
}

/// What the client's first message fixed.
#[derive(Debug)]
struct Begun {
    /// The client's header, with the certificate's hash if it is bound to it, in base64, which its last message must repeat.
    header: String,
    client_first_bare: String,
    combined_nonce: String,
    server_first: String,
}

impl Server {
    /// Begins an exchange. `nonce` is fresh random text of printable ASCII without comma, such as
    /// 18 random bytes in base64.
    pub fn new(verifier: Verifier, nonce: String) -> Self {
        Self { verifier, nonce, offer: None, begun: None, proven: None }
    }

    /// Channel binding was offered for a certificate with this hash (`tls-server-end-point`), and
    /// the client chose it, or not. Without it, it was not offered.
    #[must_use]
    pub fn offered(mut self, end_point: Vec<u8>, chosen: bool) -> Self {
        self.offer = Some(Offer { end_point, chosen });
        self
    }

    /// What the client's flag has to be repeated with in the last message.
    fn bound_data(&self, flag: &str) -> Result<&[u8], Error> {
        let chosen = self.offer.as_ref().is_some_and(|offer| offer.chosen);
        match (flag, &self.offer) {
            ("n" | "y", _) if chosen => {
                Err(Error::Scram("channel binding was chosen, and the message has none"))
            }
            ("y", Some(_)) => Err(Error::ScramDowngrade),
            ("n", _) | ("y", None) => Ok(&[]),
            (_, None) if flag.starts_with("p=") => {
                Err(Error::ScramUnsupported("channel binding without TLS"))
            }
            (BOUND_FLAG, Some(offer)) if chosen => Ok(&offer.end_point),
            (BOUND_FLAG, Some(_)) => {
                Err(Error::Scram("channel binding was not chosen, and the message has it"))
            }
            (_, Some(_)) if flag.starts_with("p=") => {
                Err(Error::ScramUnsupported("another channel binding than tls-server-end-point"))
            }
            _ => Err(Error::Scram("the channel binding flag is none of n, y, p")),
        }
    }

    /// Takes the client's first message and returns the answer.
    ///
    /// # Errors
    /// [`Error::Scram`], [`Error::ScramUnsupported`], [`Error::ScramDowngrade`].
    pub fn on_client_first(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        if self.begun.is_some() {
            return Err(Error::Scram("the client's first message comes twice"));
        }
        let mut attributes = Attributes::new(message)?;
        let flag = attributes.field().unwrap_or_default();
        let bound = self.bound_data(flag)?;
        match attributes.field() {
            Some("") => {}
            Some(identity) if identity.starts_with("a=") => {
                return Err(Error::ScramUnsupported("authorization identities"));
            }
            _ => return Err(Error::Scram("the header does not end")),
        }
        let bare = attributes.rest().to_owned();
        if bare.starts_with("m=") {
            return Err(Error::ScramUnsupported("mandatory extensions"));
        }
        attributes.value('n').ok_or(Error::Scram("the user name is missing"))?;
        let nonce = attributes.value('r').filter(|nonce| is_nonce(nonce));
        let nonce = nonce.ok_or(Error::Scram("the nonce is missing or not printable"))?;
        let combined_nonce = format!("{nonce}{}", self.nonce);
        let Verifier { iterations, ref salt, .. } = self.verifier;
        let server_first = format!("r={combined_nonce},s={},i={iterations}", STANDARD.encode(salt));
        let answer = server_first.clone().into_bytes();
        let header = STANDARD.encode([flag.as_bytes(), b",,", bound].concat());
        self.begun = Some(Begun { header, client_first_bare: bare, combined_nonce, server_first });
        Ok(answer)
    }

    /// Takes the client's final message, checks its proof and returns the server's final message.
    ///
    /// # Errors
    /// [`Error::PasswordMismatch`], [`Error::Scram`].
    pub fn on_client_final(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let begun =
            self.begun.take().ok_or(Error::Scram("the client's last message comes too early"))?;
        let mut attributes = Attributes::new(message)?;
        let text = attributes.rest();
        let (without_proof, proof) =
            text.rsplit_once(",p=").ok_or(Error::Scram("the proof is missing"))?;
        let mut client_key =
            sum(proof).ok_or(Error::Scram("the proof is not 32 bytes in base64"))?;
        if attributes.value('c') != Some(&begun.header) {
            return Err(Error::Scram("the channel binding is not that of this connection"));
        }
        if attributes.value('r') != Some(&begun.combined_nonce) {
            return Err(Error::Scram("the nonce is not that of this exchange"));
        }
        let exchange =
            [begun.client_first_bare.as_str(), &begun.server_first, without_proof].join(",");
        xor(&mut client_key, &hmac(&self.verifier.stored_key, &[exchange.as_bytes()]));
        let stored_key: Key = Sha256::digest(client_key).into();
        if !bool::from(stored_key.ct_eq(&self.verifier.stored_key)) {
            return Err(Error::PasswordMismatch);
        }
        let server_key = self.verifier.server_key;
        self.proven = Some(ClientKeys { client_key, server_key });
        let signature = hmac(&self.verifier.server_key, &[exchange.as_bytes()]);
        Ok(format!("v={}", STANDARD.encode(signature)).into_bytes())
    }

    /// What a proof that was accepted has revealed: enough to prove the password to every server that
    /// has the same verifier, and to no other. `None` before that.
    pub const fn client_keys(&self) -> Option<&ClientKeys> {
        self.proven.as_ref()
    }
}
