//! **Howdah** sits between applications and PostgreSQL: it pools their connections, so that a thousand clients need a few
//! servers, in a way that a client cannot tell the difference.
//!
//! Two doors, one engine: the PostgreSQL wire protocol on a socket, for every driver of every language, and
//! [`Engine::connect`] inside this process, or [`Engine::database`] with what a connection is for: the primary, replicas, kept answers. [`Config`] says what to do, [`Engine`] does it, [`Report`] tells.

pub mod advice;
pub mod config;
mod engine;
mod handles;
pub mod login;
mod open_advice;
pub mod setup;
mod trial;

pub use config::Config;
pub use engine::{Engine, Error};
pub use handles::{Cached, Connected, Database};
pub use howdah_advisor as advisor;
pub use howdah_alerts as sinks;
pub use howdah_core::alerts;
pub use howdah_core::cache::wish::Level;
pub use howdah_history as history;
pub use howdah_ops as ops;
pub use howdah_proxy::StartError;
pub use howdah_proxy::holds::{NotPaused, Scope};
pub use howdah_proxy::host::{Answer, Request, Shutdown};
pub use howdah_proxy::observe::Observer;
pub use howdah_proxy::report::{
    Advice, CacheCounts, CacheReport, CacheUsed, CacheUses, CacheUsesByName, ChangesReport, Counts,
    DatabaseReport, ListenAddress, NodeReport, NotificationReport, PoolReport, Report, RouteReport,
    RuleReport, SharedCacheReport, SharedCounts, Totals,
};
pub use howdah_proxy::tls;
pub use howdah_web as web;
pub use trial::{RouteTrial, RuleTrial, Sender, Trial};

/// Bugs that tests plant on purpose; see `howdah_proxy::faults`.
#[cfg(feature = "planted-bugs")]
pub use howdah_proxy::faults;
