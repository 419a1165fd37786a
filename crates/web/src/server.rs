//! The thread that answers: its event loop, its routes, and the task that looks at the data plane once a second.
//!
//! Invariant: one look per second at most, however many watch; a slow watcher misses seconds and keeps nobody waiting.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use axum::Router;
use axum::extract::State as With;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::Stream;
use howdah_history::Handle;
use howdah_proxy::observe::{self, Looked, Observer};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::access::{Access, Role};
use crate::endpoints::{ENDPOINTS, Method, Needs};
use crate::guard::Guarded;
use crate::history::History;
use crate::snapshot::Snapshot;
use crate::{Listening, api, guard, health, metrics};

/// How often an address that is in use is tried again.
const SECOND: Duration = Duration::from_secs(1);
/// Watchers at once; one more is told to ask from time to time instead.
const WATCHERS: usize = 50;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) observer: Observer,
    pub(crate) history: Mutex<History>,
    /// What is remembered beyond that; `None`: nothing is.
    pub(crate) past: Option<Handle>,
    pub(crate) access: Access,
    /// What is told to those who watch, every second anew.
    live: watch::Sender<Arc<str>>,
    watchers: AtomicUsize,
    draining: AtomicBool,
}

impl State {
    pub(crate) fn new(observer: Observer, past: Option<Handle>, access: Access) -> Self {
        Self {
            observer,
            past,
            access,
            history: Mutex::default(),
            live: watch::Sender::new(Arc::default()),
            watchers: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
        }
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Seconds between two looks: one while somebody watches.
    fn pace(&self) -> u32 {
        if self.live.receiver_count() > 0 {
            1
        } else {
            observe::pace(self.history.lock().clients())
        }
    }

    async fn look(&self) {
        let snapshot = Snapshot::take_with_others(&self.observer).await;
        let point = self.history.lock().add(&snapshot);
        if let Some(point) = point
            && self.live.receiver_count() > 0
        {
            let told = api::live(self, &snapshot, &point).to_string();
            self.live.send_replace(told.into());
        }
    }
}

/// Runs until `stopped` ends.
pub(crate) fn run(
    state: Arc<State>,
    address: SocketAddr,
    tell: &SyncSender<Listening>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(tell.send(Listening::Later(error))),
    };
    runtime.block_on(async {
        tokio::select! {
            () = serve(state, address, tell) => {}
            // An error means that the sender is gone, which is how it is said.
            _ = stopped => {}
        }
    });
    runtime.shutdown_background();
}

async fn serve(state: Arc<State>, address: SocketAddr, tell: &SyncSender<Listening>) {
    let listener = listen(address, tell).await;
    let looking = Arc::clone(&state);
    tokio::spawn(async move {
        let mut looked = Looked::default();
        loop {
            looking.observer.tick(1).await;
            if looked.is_due(looking.observer.uptime(), looking.pace()) {
                looking.look().await;
            }
        }
    });
    let router = router(state).into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the dashboard cannot be served any more");
    }
}

/// Listens, as soon as that is possible; tells how the first attempt went.
async fn listen(address: SocketAddr, tell: &SyncSender<Listening>) -> TcpListener {
    let mut told = false;
    loop {
        let bound = TcpListener::bind(address).await;
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        match bound {
            Ok((at, listener)) => {
                if told {
                    tracing::info!(address = %at, "the dashboard is served");
                } else {
                    let _ = tell.send(Listening::At(at));
                }
                return listener;
            }
            Err(error) if !told => {
                told = true;
                let _ = tell.send(Listening::Later(error));
            }
            Err(_) => {}
        }
        tokio::time::sleep(SECOND).await;
    }
}

fn router(state: Arc<State>) -> Router {
    let guarded = |needs, method| {
        let guarded = Guarded { state: Arc::clone(&state), needs, method };
        axum::middleware::from_fn_with_state(guarded, guard::admit)
    };
    let nowhere = async || (StatusCode::NOT_FOUND, "there is nothing here\n");
    let mut router = Router::new()
        .fallback_service(get(nowhere).layer(guarded(Needs::Role(Role::Viewer), Method::Get)));
    for endpoint in ENDPOINTS {
        let guard = guarded(endpoint.needs, endpoint.method);
        router = router.route(endpoint.path, (endpoint.route)().layer(guard));
    }
    router.with_state(state)
}

pub(crate) async fn expose(With(state): With<Arc<State>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = metrics::Format::wanted(accept.unwrap_or_default());
    let snapshot = Snapshot::take(&state.observer).await;
    let text = metrics::text(&state, &snapshot, format);
    ([(header::CONTENT_TYPE, format.content_type())], text).into_response()
}

pub(crate) async fn healthz(With(state): With<Arc<State>>) -> Response {
    match health::alive(&state.observer.heartbeats()) {
        Ok(()) => "ok\n".into_response(),
        Err(text) => (StatusCode::SERVICE_UNAVAILABLE, text).into_response(),
    }
}

pub(crate) async fn readyz(With(state): With<Arc<State>>) -> Response {
    let (report, _) = state.observer.look().await;
    match health::ready(state.is_draining(), &report.nodes) {
        Ok(text) => text.into_response(),
        Err(text) => (StatusCode::SERVICE_UNAVAILABLE, text).into_response(),
    }
}

/// Somebody who watches, as long as this is there.
struct Watcher(Arc<State>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `GET /api/v1/live`: server-sent events, one a second.
pub(crate) async fn live(With(state): With<Arc<State>>) -> Response {
    if state.watchers.fetch_add(1, Ordering::Relaxed) >= WATCHERS {
        state.watchers.fetch_sub(1, Ordering::Relaxed);
        return (StatusCode::TOO_MANY_REQUESTS, "too many watch: ask for /api/v1/overview\n")
            .into_response();
    }
    let watcher = Watcher(Arc::clone(&state));
    let told = events(state.live.subscribe(), watcher);
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    ([("x-accel-buffering", "no")], Sse::new(told).keep_alive(alive)).into_response()
}

fn events(
    told: watch::Receiver<Arc<str>>,
    watcher: Watcher,
) -> impl Stream<Item = Result<Event, Infallible>> {
    futures_util::stream::unfold((told, watcher), async |(mut told, watcher)| {
        // Cancel safe: a value that was not seen is seen the next time.
        told.changed().await.ok()?;
        let event = Event::default().data(told.borrow_and_update().as_ref());
        Some((Ok(event), (told, watcher)))
    })
}
