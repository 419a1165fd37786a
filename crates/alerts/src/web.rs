//! One POST over HTTP. Not what is posted.
//!
//! Invariant: no redirect is followed, so what is sent goes to the address that was given and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// Bytes of an answer that are read.
const READ: u64 = 4_096;
/// No service is obeyed that wants to wait for longer.
const LONGEST: Duration = Duration::from_secs(600);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) retry_after: Option<Duration>,
}

/// Authorities that this machine trusts. Messages are rare: they are read for each, so that a change counts at once.
fn authorities() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    let known: Vec<_> = found.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    RootCerts::new_with_certs(&known)
}

/// Sends a JSON body, and waits for the answer.
///
/// # Errors
/// Why there was none.
pub(crate) fn post(
    address: &str,
    body: &str,
    headers: &[(&str, &str)],
    timeout: Duration,
) -> Result<Answer, String> {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(authorities())
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("howdah/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent();
    let mut request = agent.post(address).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = request.send(body).map_err(|error| error.to_string())?;
    let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = wait.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(READ).lossy_utf8(true).read_to_string();
    Ok(Answer {
        status,
        // The status says what became of the message; its words are for people.
        body: body.unwrap_or_default(),
        retry_after: retry_after.map(|time| time.min(LONGEST)),
    })
}
