//! The side of SCRAM that proves a password to a server.
//!
//! Not here: deriving keys, which the caller does between two steps and may remember.
//!
//! Invariant: the exchange succeeds only with a server that proved that it knows the verifier.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Error;

use super::message::{Attributes, is_nonce, sum};
use super::verifier::{ClientKeys, Key, hmac, xor};
use super::{BOUND_FLAG, MAX_ITERATIONS};

/// What a client does about channel binding: whether it proves that nobody stands between it and
/// the server's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChannelBinding {
    /// It cannot: there is no TLS, or it does not want to.
    #[default]
    Unsupported,
    /// It could, and the server does not offer it. A server that does will notice that somebody
    /// took the offer away.
    NotOffered,
    /// It binds to the server's certificate with this hash (`tls-server-end-point`, RFC 5929).
    EndPoint(Vec<u8>),
}

impl ChannelBinding {
    /// The header of the first message.
    fn header(&self) -> String {
        let flag = match self {
            Self::Unsupported => "n",
            Self::NotOffered => "y",
            Self::EndPoint(_) => BOUND_FLAG,
        };
        format!("{flag},,")
    }

    /// The header with the data, as the last message repeats it.
    fn proof(&self) -> String {
        let mut bytes = self.header().into_bytes();
        if let Self::EndPoint(hash) = self {
            bytes.extend_from_slice(hash);
        }
        STANDARD.encode(bytes)
    }
}

/// One exchange. Steps: [`first`](Self::first), [`on_server_first`](Self::on_server_first),
/// [`respond`](Self::respond), [`on_server_final`](Self::on_server_final).
pub struct Client {
    nonce: String,
    binding: ChannelBinding,
    /// The server's first message; empty before it arrives.
    server_first: String,
    /// The client's nonce with the server's part; empty before that.
    combined_nonce: String,
    server_signature: Option<Key>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}

/// What the server wants the password hashed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Salt.
    pub salt: Vec<u8>,
    /// Iteration count, from 1 to [`MAX_ITERATIONS`].
    pub iterations: u32,
}

impl Client {
    /// Begins an exchange. `nonce` is fresh random text of printable ASCII without comma, such as
    /// 18 random bytes in base64.
    pub fn new(nonce: String) -> Self {
        Self {
            nonce,
            binding: ChannelBinding::default(),
            server_first: String::new(),
            combined_nonce: String::new(),
            server_signature: None,
        }
    }

    /// Says what to do about channel binding; before [`first`](Self::first). Without it:
    /// [`ChannelBinding::Unsupported`].
    #[must_use]
    pub fn binding(mut self, binding: ChannelBinding) -> Self {
        self.binding = binding;
        self
    }

    /// The first message. The user name in it is empty: PostgreSQL takes the one of the startup
    /// packet.
    pub fn first(&self) -> Vec<u8> {
        format!("{}{}", self.binding.header(), self.first_bare()).into_bytes()
    }

    fn first_bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// Takes the server's first message.
    ///
    /// # Errors
    /// [`Error::Scram`], [`Error::ScramUnsupported`], [`Error::ScramRefused`].
    pub fn on_server_first(&mut self, message: &[u8]) -> Result<Challenge, Error> {
        let mut attributes = Attributes::new(message)?;
        let server_first = attributes.rest().to_owned();
        refused_or_mandatory(&server_first)?;
        let combined = attributes.value('r').ok_or(Error::Scram("the nonce is missing"))?;
        let own_part = combined
            .strip_prefix(&self.nonce)
            .ok_or(Error::Scram("the nonce is not an answer to ours"))?;
        if !is_nonce(own_part) {
            return Err(Error::Scram("the server added nothing to the nonce"));
        }
        let salt = attributes.value('s').and_then(|salt| STANDARD.decode(salt).ok());
        let salt = salt
            .filter(|salt| !salt.is_empty())
            .ok_or(Error::Scram("the salt is missing or not base64"))?;
        let iterations = attributes.value('i').and_then(|iterations| iterations.parse().ok());
        let iterations = iterations
            .filter(|iterations| (1..=MAX_ITERATIONS).contains(iterations))
            .ok_or(Error::Scram("the iteration count is missing or out of range"))?;
        combined.clone_into(&mut self.combined_nonce);
        self.server_first = server_first;
        self.server_signature = None;
        Ok(Challenge { salt, iterations })
    }

    /// The final message with the proof, for the keys derived from the challenge. Before
    /// [`on_server_first`](Self::on_server_first) it is a message every server refuses.
    pub fn respond(&mut self, keys: &ClientKeys) -> Vec<u8> {
        let without_proof = format!("c={},r={}", self.binding.proof(), self.combined_nonce);
        let exchange = [
            self.first_bare().as_bytes(),
            b",",
            self.server_first.as_bytes(),
            b",",
            without_proof.as_bytes(),
        ]
        .concat();
        let stored_key: Key = Sha256::digest(keys.client_key).into();
        let mut proof = hmac(&stored_key, &[&exchange]);
        xor(&mut proof, &keys.client_key);
        self.server_signature = Some(hmac(&keys.server_key, &[&exchange]));
        format!("{without_proof},p={}", STANDARD.encode(proof)).into_bytes()
    }

    /// Takes the server's final message: did it prove that it knows the verifier?
    ///
    /// # Errors
    /// [`Error::ServerNotAuthentic`], [`Error::ScramRefused`], [`Error::Scram`], the last also
    /// before [`respond`](Self::respond).
    pub fn on_server_final(&self, message: &[u8]) -> Result<(), Error> {
        let expected = self
            .server_signature
            .ok_or(Error::Scram("the server's last message comes too early"))?;
        let mut attributes = Attributes::new(message)?;
        refused_or_mandatory(attributes.rest())?;
        let signature = attributes
            .value('v')
            .and_then(sum)
            .ok_or(Error::Scram("the server's signature is missing"))?;
        if bool::from(signature.ct_eq(&expected)) { Ok(()) } else { Err(Error::ServerNotAuthentic) }
    }
}

/// An error attribute, or a mandatory extension, in a message of the server.
fn refused_or_mandatory(message: &str) -> Result<(), Error> {
    if message.starts_with("e=") {
        return Err(Error::ScramRefused);
    }
    if message.starts_with("m=") {
        return Err(Error::ScramUnsupported("mandatory extensions"));
    }
    Ok(())
}
