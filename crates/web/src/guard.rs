//! Who is answered: those who may ask for what they ask, and who mean it. Without credentials that is everybody on this machine; with
//! credentials nobody without one, wherever they are.
//!
//! Invariant: a page of another site that is open in a browser reads nothing (without credentials its `Host` is its own, even when its
//! name leads here; with credentials a browser shows them to no other name) and changes nothing (a request that changes something
//! carries a header that pages of other sites cannot set, and does not say that it comes from one).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{ConnectInfo, Request, State as With};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::access::{Access, Role, Stranger};
use crate::endpoints::{Method, Needs};
use crate::server::State;

/// Set by the dashboard, and by whoever means to change something.
const MEANT: &str = "x-howdah";

/// What every answer says: nothing from elsewhere is loaded, and nobody frames it.
const HEADERS: [(header::HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// An endpoint that is guarded.
#[derive(Debug, Clone)]
pub(crate) struct Guarded {
    pub(crate) state: Arc<State>,
    pub(crate) needs: Needs,
    pub(crate) method: Method,
}

/// Who asks: a name of the configuration, or where they are. In every request that is answered.
#[derive(Debug, Clone)]
pub(crate) struct Who(pub(crate) String);

/// Why somebody is not answered.
type Refused = (StatusCode, &'static str);

/// Answers, or refuses to; who changes something is written down.
pub(crate) async fn admit(
    With(guarded): With<Guarded>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let uri = request.uri().clone();
    let (who, admitted) = look(&guarded, request.headers(), from.ip().to_canonical());
    request.extensions_mut().insert(Who(who.clone()));
    let changes = guarded.method == Method::Post;
    let mut response = match &admitted {
        Ok(()) => next.run(request).await,
        Err((status, text)) if uri.path().starts_with("/api/") => {
            (*status, Json(json!({ "error": text }))).into_response()
        }
        Err((status, text)) => (*status, format!("{text}\n")).into_response(),
    };
    let status = response.status();
    if changes || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        tracing::info!(target: "howdah.audit", who, from = %from, what = %uri, status = status.as_u16(), "audit");
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Basic realm=\"howdah\", charset=\"UTF-8\"");
        headers.insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

/// Who asks, as far as is known, and whether they may.
fn look(guarded: &Guarded, headers: &HeaderMap, from: IpAddr) -> (String, Result<(), Refused>) {
    let access = &guarded.state.access;
    let (who, admitted) = if access.is_open() {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let here = is_this_machine(host.unwrap_or_default());
        let why = "this address is for this machine alone: ask for 127.0.0.1 or localhost";
        ("this machine", if here { Ok(()) } else { Err((StatusCode::FORBIDDEN, why)) })
    } else {
        match guarded.needs {
            Needs::Nobody => ("anybody", Ok(())),
            Needs::Role(role) => somebody(access, headers, from, role),
        }
    };
    let meant = if guarded.method == Method::Post { meant(headers) } else { Ok(()) };
    (who.to_owned(), admitted.and(meant))
}

fn somebody<'a>(
    access: &'a Access,
    headers: &HeaderMap,
    from: IpAddr,
    role: Role,
) -> (&'a str, Result<(), Refused>) {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let who = match access.admit(header, from, Instant::now()) {
        Ok(who) => who,
        Err(stranger) => return ("nobody known", Err(refusal(stranger))),
    };
    let enough = match role {
        _ if who.role >= role => Ok(()),
        Role::Viewer | Role::Operator => {
            Err((StatusCode::FORBIDDEN, "this needs the role operator"))
        }
        Role::Admin => Err((StatusCode::FORBIDDEN, "this needs the role admin")),
    };
    (&who.name, enough)
}

const fn refusal(stranger: Stranger) -> Refused {
    match stranger {
        Stranger::Unnamed => {
            (StatusCode::UNAUTHORIZED, "say who you are: a name and a password, or a token")
        }
        Stranger::Wrong => {
            (StatusCode::UNAUTHORIZED, "the name, the password or the token is wrong")
        }
        Stranger::TooMany => (
            StatusCode::TOO_MANY_REQUESTS,
            "too many wrong ones came from your address: wait a minute",
        ),
    }
}

/// Whether a request that changes something is meant.
fn meant(headers: &HeaderMap) -> Result<(), Refused> {
    if !headers.contains_key(MEANT) {
        let why = "a request that changes something needs the header x-howdah: 1";
        return Err((StatusCode::FORBIDDEN, why));
    }
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Err((StatusCode::FORBIDDEN, "a page of another site asks for this"));
    }
    Ok(())
}

/// Whether a `Host` is a name of this machine that no other name server can give.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "localhost:9640",
            "LOCALHOST",
            "127.0.0.1:9640",
            "127.0.0.1",
            "[::1]:9640",
            "127.9.9.9",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "example.org:9640",
            "10.0.0.1:9640",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "[fe80::1]",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn what_changes_something_has_to_be_meant() {
        let mut headers = HeaderMap::new();
        assert!(meant(&headers).is_err());
        headers.insert(MEANT, HeaderValue::from_static("1"));
        assert_eq!(meant(&headers), Ok(()));
        for (site, good) in
            [("same-origin", true), ("none", true), ("cross-site", false), ("same-site", false)]
        {
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            assert_eq!(meant(&headers).is_ok(), good, "{site}");
        }
    }
}
