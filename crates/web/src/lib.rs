//! What a running Howdah shows over HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz`, a JSON interface, the dashboard at
//! `/admin/performance`. It looks at the data plane through an [`Observer`] and has a thread of its own, so that nobody who looks
//! is in the way of a query. Not the console, and not where numbers are made: that is the data plane.
//!
//! Invariant: while nobody has to say who they are, only this machine is answered; and nothing of an application's data is in what is
//! shown: statements are without their literals.

mod access;
mod alerts;
mod api;
mod assets;
mod cache;
mod direct;
mod endpoints;
mod findings;
mod guard;
mod health;
mod history;
mod indexes;
mod metrics;
mod openapi;
mod origins;
mod outsiders;
mod past;
mod plan;
mod recommendations;
mod score;
mod server;
mod slow;
mod snapshot;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use howdah_history::Handle;
use howdah_proxy::observe::Observer;
use tokio::sync::oneshot;

use crate::access::Access;
use crate::server::State;

pub use crate::access::{Credential, Proof, Role};
pub use crate::endpoints::{ENDPOINTS, Endpoint, Method, Needs};
pub use crate::metrics::{FAMILIES, Family, Kind, grafana};

/// Where the dashboard is.
pub const DASHBOARD: &str = "/admin/performance";

/// A running server. Dropping it ends its thread.
#[derive(Debug)]
pub struct Web {
    state: Arc<State>,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Whether it listens.
#[derive(Debug)]
pub enum Listening {
    /// Here.
    At(SocketAddr),
    /// Not yet, and why: it tries again every second, because the one who has the address may be the process before this one.
    Later(io::Error),
}

impl Web {
    /// Listens and answers those with a credential, or without any everybody on this machine, until it is dropped; what is remembered is read through `past`. An address that is in use is tried again. Must not be called from a thread on which
    /// waiting is forbidden for longer than it takes to bind a socket.
    ///
    /// # Errors
    /// The thread cannot be started, or the system has no randomness.
    pub fn start(
        observer: Observer,
        past: Option<Handle>,
        (address, credentials): (SocketAddr, Vec<Credential>),
    ) -> io::Result<(Self, Listening)> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let access = Access::new(credentials, secret);
        let state = Arc::new(State::new(observer, past, access));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let of_thread = Arc::clone(&state);
        let run = move || server::run(of_thread, address, &tell, stopped);
        let thread = std::thread::Builder::new().name("howdah-web".to_owned()).spawn(run)?;
        let web = Self { state, stop: Some(stop), thread: Some(thread) };
        let listening =
            told.recv().unwrap_or_else(|_| Listening::Later(io::ErrorKind::BrokenPipe.into()));
        Ok((web, listening))
    }

    /// From now on `/readyz` says no: no new traffic should come.
    pub fn drain(&self) {
        self.state.drain();
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the dashboard has panicked");
        }
    }
}
