//! The files of the dashboard, as `npm run build` in `web/` makes them. They are committed, so that building Howdah needs no Node.
//!
//! Invariant: everything that the dashboard loads is here: no request leaves the machine.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Path below the dashboard's, type, content.
const FILES: &[(&str, &str, &[u8])] = &[
    ("", "text/html; charset=utf-8", include_bytes!("../assets/index.html")),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("../assets/app.js")),
    ("app.css", "text/css; charset=utf-8", include_bytes!("../assets/app.css")),
    (
        "uplot-license.txt",
        "text/plain; charset=utf-8",
        include_bytes!("../assets/uplot-license.txt"),
    ),
    ("icon.svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
];

/// The file of that name; empty: the page itself.
pub(crate) fn file(name: &str) -> Response {
    match FILES.iter().find(|(path, ..)| *path == name) {
        Some((_, kind, content)) => {
            let headers = [(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")];
            (headers, *content).into_response()
        }
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}
