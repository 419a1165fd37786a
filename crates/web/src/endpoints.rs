//! Every path that is answered, once: who may ask, what it is, what answers. The router, the guard, the document for programs and the test
//! of who may do what are made from this table.
//!
//! Invariant: a path that is not here is answered by nobody.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Redirect;
use axum::routing::{MethodRouter, get, post};

use crate::access::Role;
use crate::server::{self, State};
use crate::{
    DASHBOARD, alerts, api, assets, cache, direct, indexes, openapi, outsiders, past, plan,
    recommendations, slow,
};

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It changes nothing.
    Get,
    /// It changes something.
    Post,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Anybody: it tells nothing of an application or a database.
    Nobody,
    /// Somebody of this role or a higher one.
    Role(Role),
}

/// One path.
pub struct Endpoint {
    /// How it is asked.
    pub method: Method,
    /// Where; names of parameters in braces.
    pub path: &'static str,
    /// Who may ask.
    pub needs: Needs,
    /// What it is, in a sentence.
    pub what: &'static str,
    pub(crate) route: fn() -> MethodRouter<Arc<State>>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} ({:?})", self.method, self.path, self.needs)
    }
}

const ANYBODY: Needs = Needs::Nobody;
const VIEWER: Needs = Needs::Role(Role::Viewer);
const OPERATOR: Needs = Needs::Role(Role::Operator);
const ADMIN: Needs = Needs::Role(Role::Admin);

macro_rules! endpoints {
    ($($method:ident $path:literal $needs:ident $what:literal => $route:expr;)*) => {
        /// All of them.
        pub const ENDPOINTS: &[Endpoint] = &[$(Endpoint {
            method: Method::$method,
            path: $path,
            needs: $needs,
            what: $what,
            route: || $route,
        }),*];
    };
}

endpoints! {
    Get "/" VIEWER "Leads to the dashboard." => get(async || Redirect::temporary(DASHBOARD));
    Get "/admin/performance" VIEWER "The dashboard." => get(async || assets::file(""));
    Get "/admin/performance/" VIEWER "The dashboard." => get(async || assets::file(""));
    Get "/admin/performance/{file}" VIEWER "Its files." => get(async |Path(file): Path<String>| assets::file(&file));
    Get "/metrics" VIEWER "Metrics in the text format of Prometheus." => get(server::expose);
    Get "/healthz" ANYBODY "Whether the process works." => get(server::healthz);
    Get "/livez" ANYBODY "Whether the process works." => get(server::healthz);
    Get "/readyz" ANYBODY "Whether traffic may come." => get(server::readyz);
    Get "/api/v1/overview" VIEWER "Everything at a glance: totals, findings, score, the last quarter of an hour." => get(api::overview);
    Get "/api/v1/queries" VIEWER "Forms of statements that took the most time since the start." => get(api::queries);
    Get "/api/v1/queries/{fingerprint}" VIEWER "One form of statements." => get(api::query);
    Get "/api/v1/slow" VIEWER "Statements that took long, the newest first, with their plans." => get(slow::slow);
    Post "/api/v1/plan" VIEWER "Reads a plan, the body: what EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) has written. Nothing of it is kept." => post(plan::read);
    Get "/api/v1/direct" VIEWER "Statements that PostgreSQL has run for others than clients of Howdah." => get(direct::direct);
    Get "/api/v1/outsiders" VIEWER "Sessions of PostgreSQL that do not come from Howdah." => get(outsiders::outsiders);
    Get "/api/v1/pools" VIEWER "Pools." => get(api::pools);
    Get "/api/v1/nodes" VIEWER "Nodes, and why reads went where they went." => get(api::nodes);
    Get "/api/v1/cache" VIEWER "What the result cache does, and why it did not answer." => get(cache::cache);
    Get "/api/v1/sessions" VIEWER "Who is connected, and does what." => get(api::sessions);
    Post "/api/v1/sessions/{id}/cancel" OPERATOR "Cancels what a session runs or waits for." => post(api::cancel);
    Post "/api/v1/sessions/{id}/disconnect" OPERATOR "Disconnects a session." => post(api::disconnect);
    Get "/api/v1/alerts" VIEWER "What is wrong, the rules with their numbers, silences, sinks." => get(alerts::show);
    Post "/api/v1/alerts/silence" OPERATOR "Tells nobody of a rule for a while." => post(alerts::silence);
    Get "/api/v1/recommendations" VIEWER "What would make the databases better, with evidence, and what became of it." => get(recommendations::show);
    Get "/api/v1/indexes" VIEWER "How often indexes were used, day by day." => get(indexes::show);
    Post "/api/v1/recommendations/{id}/dismiss" OPERATOR "Advice that is not wanted: it is not offered again." => post(recommendations::dismiss);
    Get "/api/v1/setup" ADMIN "The configuration in force, without secrets." => get(api::setup);
    Get "/api/v1/history" VIEWER "Numbers of the past as columns over time, with the marks of that time." => get(past::history);
    Get "/api/v1/history/statements" VIEWER "Statements that took the most time within some time." => get(past::statements);
    Post "/api/v1/marks" OPERATOR "Marks this moment in the history." => post(past::mark);
    Get "/api/v1/openapi.json" VIEWER "This description." => get(openapi::openapi);
    Get "/api/v1/live" VIEWER "What the overview tells, every second, as server-sent events." => get(server::live);
}
