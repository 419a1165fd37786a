//! Certificates for tests: authorities, what they sign, and files of it. Made anew for each test, and worth nothing after it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// An authority.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate with its key, in PEM form.
#[derive(Debug, Clone)]
pub struct Signed {
    certificate: String,
    key: String,
}

impl Signed {
    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

fn named(subject_name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut parameters = CertificateParams::new(hosts).expect("host names");
    parameters.distinguished_name.push(DnType::CommonName, subject_name);
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters
}

impl Authority {
    /// A new one.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut parameters = named(name, &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(parameters, key), certificate }
    }

    /// Its own certificate, in PEM form.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    fn sign(&self, parameters: &CertificateParams) -> Signed {
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Signed { certificate, key: key.serialize_pem() }
    }

    /// A certificate for these hosts.
    #[must_use]
    pub fn server(&self, hosts: &[&str]) -> Signed {
        self.sign(&named("a server", hosts))
    }

    /// A certificate for these hosts that was good for some years, and is not any more.
    #[must_use]
    pub fn expired(&self, hosts: &[&str]) -> Signed {
        let mut parameters = named("an old server", hosts);
        parameters.not_after = date_time_ymd(2024, 1, 1);
        self.sign(&parameters)
    }

    /// A certificate for a client with this common name.
    #[must_use]
    pub fn client(&self, subject_name: &str) -> Signed {
        self.sign(&named(subject_name, &[]))
    }
}

/// A directory with files, removed when this is dropped.
#[derive(Debug)]
pub struct Files(PathBuf);

impl Files {
    /// An empty directory.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("howdah-files-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).expect("a directory of the test's own");
        Self(directory)
    }

    /// Writes a file that only its owner may read, in place of what is there. Returns its path as it stands in a configuration.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put(&self, name: &str, contents: &str) -> String {
        let (path, new) = (self.0.join(name), self.0.join(format!("{name}.new")));
        std::fs::write(&new, contents).expect("a file");
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&new, mode).expect("a file of our own");
        std::fs::rename(&new, &path).expect("a file in its place");
        path.display().to_string()
    }

    /// Writes a certificate and its key as `name.crt` and `name.key`.
    pub fn put_signed(&self, name: &str, signed: &Signed) -> (String, String) {
        let certificate = self.put(&format!("{name}.crt"), &signed.certificate);
        (certificate, self.put(&format!("{name}.key"), &signed.key))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Files {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Left in the directory for temporary files at worst.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
