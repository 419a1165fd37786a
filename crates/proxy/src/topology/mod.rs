//! The nodes of all clusters as they are now: one task asks each of them ([`prober`]), `howdah_core::topology` decides what the
//! answers mean, and what it decides is put where sessions read it: into [`NodeState`] by number, and into a [`View`] as a whole.
//! Not where a read goes.
//!
//! Invariant: what sessions read per request takes no lock; a view is replaced, never changed.

mod login;
mod prober;
mod published;
mod question;
mod view;
mod watched;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use howdah_core::topology::{Hint, NodeId, Place};
use parking_lot::Mutex;
use tokio::sync::watch;

pub(crate) use login::own_credentials;
pub(crate) use published::Published;
pub(crate) use view::View;

use crate::clock;
use crate::connect::OpenError;
use crate::node::NodeState;
use crate::settings::{Cluster, Settings};
use crate::shared::Shared;
use crate::worker::Worker;
use login::ProbeLogin;
use prober::Prober;
use watched::Watched;

/// Why a node cannot be drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotDrained {
    /// There is no node of this name.
    Unknown,
    /// It is the primary: nobody else can do its work.
    Primary,
}

/// All clusters. Sessions touch the view alone.
#[derive(Debug)]
pub(crate) struct Clusters {
    known: Mutex<Known>,
    probing: Mutex<Vec<Probing>>,
    view: watch::Sender<Arc<View>>,
}

/// The clusters of some settings.
#[derive(Debug, Default)]
struct Known {
    revision: u64,
    clusters: Vec<Arc<Watched>>,
}

/// A task that asks a node, and what it was told to do; it ends when this is dropped.
#[derive(Debug)]
struct Probing {
    node: Arc<NodeState>,
    login: ProbeLogin,
    task: tokio::task::AbortHandle,
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Clusters {
    pub(crate) fn new() -> Self {
        let (view, _) = watch::channel(Arc::default());
        Self { known: Mutex::default(), probing: Mutex::default(), view }
    }

    /// The clusters as they are now.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Tells when they have changed.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<View>> {
        self.view.subscribe()
    }

    /// The node of a cluster that takes writes, or did last. `None`: these are not the settings in force any more.
    pub(crate) fn primary(&self, settings: &Settings, cluster: &Cluster) -> Option<NodeId> {
        let view = self.view.borrow();
        let known = view.clusters.iter().find(|known| known.name == cluster.name);
        let primary = known.and_then(|known| known.primary.or(known.incumbent));
        primary.filter(|_| view.revision == settings.revision)
    }

    /// Watches the clusters of these settings from now on, and keeps what is known of nodes that stay.
    pub(crate) fn reload(&self, shared: &Shared, settings: &Settings) {
        let now = clock::now();
        let mut known = self.known.lock();
        let old = std::mem::take(&mut known.clusters);
        for cluster in &settings.clusters {
            let ids = cluster.nodes.clone().map(NodeId);
            let nodes: Vec<_> = ids
                .filter_map(|id| Some((id, settings.nodes.get(id.0)?)))
                .map(|(id, node)| (id, shared.node(settings, &node.name, &node.address)))
                .collect();
            let same = old.iter().find(|old| old.name == cluster.name);
            let place = |(id, state): &(NodeId, Arc<NodeState>)| Place {
                node: *id,
                primary: id.0 == cluster.primary,
                was: same.and_then(|same| same.id(state)),
            };
            let places: Vec<_> = nodes.iter().map(place).collect();
            known.clusters.push(match same {
                Some(same) => {
                    same.set_places(nodes, &places, now);
                    Arc::clone(same)
                }
                None => Arc::new(Watched::new(cluster.name.clone(), nodes, &places, now)),
            });
        }
        known.revision = settings.revision;
        self.show(&known);
    }

    /// Starts the tasks that ask, on this worker, and ends those that nobody needs. A node alone in its cluster is not asked: there
    /// is nothing to choose.
    pub(crate) fn probe(&self, worker: &Rc<Worker>, settings: &Settings) {
        let clusters = self.known.lock().clusters.clone();
        let mut old = std::mem::take(&mut *self.probing.lock());
        let mut probing = Vec::new();
        for cluster in clusters.iter().filter(|cluster| cluster.is_worth_asking()) {
            for (id, state) in cluster.nodes() {
                let Some(login) = ProbeLogin::choose(settings, &cluster.name, id) else {
                    cluster.bar(&state, clock::now());
                    continue;
                };
                let same = |it: &Probing| Arc::ptr_eq(&it.node, &state) && it.login == login;
                let kept = old.iter().position(same).map(|at| old.swap_remove(at));
                probing.push(kept.unwrap_or_else(|| {
                    let prober = Prober::new(worker, cluster, &state, &login);
                    let task = tokio::task::spawn_local(prober.run()).abort_handle();
                    Probing { node: state, login, task }
                }));
            }
        }
        *self.probing.lock() = probing;
        self.refresh();
    }

    /// A session or an opening has seen something of a node: believed until the node has been asked, which happens at once.
    pub(crate) fn on_hint(&self, node: &Arc<NodeState>, hint: Hint, now: Instant) {
        let clusters = self.known.lock().clusters.clone();
        for cluster in clusters.iter().filter(|cluster| cluster.is_worth_asking()) {
            if cluster.on_hint(node, hint, now) {
                self.refresh();
            }
        }
    }

    /// What a failed login says about a node, as a hint.
    pub(crate) fn on_open_failed(&self, node: &Arc<NodeState>, error: &OpenError, now: Instant) {
        if let Some(hint) = error.hint() {
            self.on_hint(node, hint, now);
        }
    }

    /// Takes a node out of what serves reads, or puts it back.
    ///
    /// # Errors
    /// It is not there, or is the primary.
    pub(crate) fn set_drained(&self, name: &str, drained: bool) -> Result<(), NotDrained> {
        let view = self.view();
        let node = view.nodes().find(|node| node.name == name).ok_or(NotDrained::Unknown)?;
        if drained && view.is_primary(node.id) {
            return Err(NotDrained::Primary);
        }
        node.state.published.set_drained(drained, clock::now());
        self.refresh();
        Ok(())
    }

    /// Shows what has changed.
    fn refresh(&self) {
        self.show(&self.known.lock());
    }

    /// Under the lock, so that the view that is shown last is the latest.
    fn show(&self, known: &Known) {
        let clusters = known.clusters.iter().map(|cluster| cluster.show()).collect();
        self.view.send_replace(Arc::new(View { revision: known.revision, clusters }));
    }
}
