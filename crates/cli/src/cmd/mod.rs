//! The verbs, one file or directory each.

pub(crate) mod advise;
pub(crate) mod alerts;
pub(crate) mod cache;
pub(crate) mod check;
pub(crate) mod clients;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod control;
pub(crate) mod demo;
pub(crate) mod ha;
pub(crate) mod metrics;
pub(crate) mod nodes;
pub(crate) mod pools;
pub(crate) mod queries;
pub(crate) mod recommendations;
pub(crate) mod report;
pub(crate) mod restart;
pub(crate) mod route;
pub(crate) mod rules;
pub(crate) mod setup;
pub(crate) mod status;
pub(crate) mod top;
pub(crate) mod up;
pub(crate) mod version;
