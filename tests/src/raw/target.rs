//! Whom to connect to and as whom.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::authority::Authority;

use super::{Connection, Failure};

/// Address of a server or a proxy.
#[derive(Debug, Clone)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// Path of a Unix socket.
    Unix(PathBuf),
}

/// How a client speaks TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) direct: bool,
    pub(super) piece: usize,
}

impl Tls {
    /// A client that trusts this authority, offers these protocols (ALPN), and takes the server for `localhost`.
    ///
    /// # Panics
    /// When the certificate is none.
    #[must_use]
    pub fn new(authority: &Authority, protocols: &[&str]) -> Self {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(authority.certificate().as_bytes());
        roots.add(certificate.expect("a certificate")).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Self { config: Arc::new(config), direct: false, piece: usize::MAX }
    }

    /// Begins with TLS at once.
    #[must_use]
    pub fn direct(&self) -> Self {
        Self { direct: true, ..self.clone() }
    }

    /// Sends in pieces of so many bytes.
    #[must_use]
    pub fn pieces(&self, piece: usize) -> Self {
        Self { piece, ..self.clone() }
    }
}

/// Address, user, database and startup parameters of connections.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where.
    pub address: Address,
    /// As whom.
    pub user: String,
    /// The database.
    pub database: String,
    /// Answer to a request for a password.
    pub password: Option<String>,
    /// More startup parameters.
    pub parameters: Vec<(String, String)>,
    /// Minor version of protocol 3.
    pub minor: u16,
    /// How long a read may take.
    pub timeout: Duration,
    /// TLS; `None`: in clear.
    pub tls: Option<Tls>,
}

impl Target {
    /// A server on a loopback port.
    #[must_use]
    pub fn port(port: u16, user: &str, database: &str) -> Self {
        Self {
            address: Address::Tcp(SocketAddr::from(([127, 0, 0, 1], port))),
            user: user.to_owned(),
            database: database.to_owned(),
            password: None,
            parameters: Vec::new(),
            minor: 0,
            timeout: Duration::from_secs(20),
            tls: None,
        }
    }

    /// As another user.
    #[must_use]
    pub fn user(&self, user: &str) -> Self {
        Self { user: user.to_owned(), ..self.clone() }
    }

    /// To another database.
    #[must_use]
    pub fn database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// With a password.
    #[must_use]
    pub fn password(&self, password: &str) -> Self {
        Self { password: Some(password.to_owned()), ..self.clone() }
    }

    /// With one more startup parameter.
    #[must_use]
    pub fn parameter(&self, name: &str, value: &str) -> Self {
        let mut target = self.clone();
        target.parameters.push((name.to_owned(), value.to_owned()));
        target
    }

    /// With TLS.
    #[must_use]
    pub fn tls(&self, tls: &Tls) -> Self {
        Self { tls: Some(tls.clone()), ..self.clone() }
    }

    /// With minor version `minor` of protocol 3.
    #[must_use]
    pub fn minor(&self, minor: u16) -> Self {
        Self { minor, ..self.clone() }
    }

    /// With another limit for reads.
    #[must_use]
    pub fn timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// The server's refusal, or what happened to the connection.
    pub fn connect(&self) -> Result<Connection, Failure> {
        let mut connection = Connection::open(self)?;
        connection.login()?;
        Ok(connection)
    }

    /// Connects and logs in; the test fails when that fails.
    ///
    /// # Panics
    /// When the login fails.
    #[must_use]
    #[track_caller]
    pub fn client(&self) -> Connection {
        match self.connect() {
            Ok(connection) => connection,
            Err(failure) => panic!("no login as {} to {}: {failure}", self.user, self.database),
        }
    }

    /// The refusal of a login that must fail.
    ///
    /// # Panics
    /// When it does not fail, or not with an `ErrorResponse`.
    #[must_use]
    #[track_caller]
    pub fn refusal(&self) -> super::ErrorReply {
        match self.connect() {
            Ok(_) => panic!("logged in as {} to {}", self.user, self.database),
            Err(Failure::Server(error)) => *error,
            Err(failure) => panic!("no error reply but: {failure}"),
        }
    }
}
