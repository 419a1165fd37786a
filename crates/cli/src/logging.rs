//! What the library reports while it runs, on standard error, as `[log]` says.
//!
//! Invariant: logging is started once for the process; afterwards only its level changes.

use std::io;

use howdah::config::{Log, LogFormat};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt};

use crate::terminal::Paint;

/// Changes the level of the running log.
#[derive(Debug)]
pub(crate) struct Level(Handle<EnvFilter, Registry>);

impl Level {
    /// From now on.
    pub(crate) fn set(&self, log: Log) {
        if let Err(error) = self.0.reload(filter(log)) {
            tracing::warn!(%error, "the level of the log stays as it is");
        }
    }
}

fn filter(log: Log) -> EnvFilter {
    // Other libraries speak up only when something is wrong.
    let own = ["howdah", "howdah_proxy", "howdah_core"].map(|name| format!("{name}={}", log.level));
    EnvFilter::new(format!("warn,{}", own.join(",")))
}

/// Starts logging for the process.
pub(crate) fn start(log: Log) -> Level {
    let (filter, handle) = reload::Layer::new(filter(log));
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(Paint::for_stream(&io::stderr()).is_on());
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    Registry::default().with(filter).with(lines).init();
    Level(handle)
}
