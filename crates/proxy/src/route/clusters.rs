//! What a worker has of the clusters: their nodes as its sessions see them, verdicts about statements, and pools that follow the primary.
//!
//! Invariant: a pool on the primary opens its servers on the node that takes writes, or did last.

use std::rc::{Rc, Weak};
use std::sync::Arc;

use howdah_core::route::{Reason, Wish};

use super::{Nodes, Verdicts};
use crate::pool::Pool;
use crate::report::RouteReport;
use crate::settings::Settings;
use crate::worker::Worker;

impl Worker {
    /// The nodes of the cluster that a database is in.
    pub(crate) fn nodes(&self, database: &str) -> Option<Rc<Nodes>> {
        let settings = self.settings();
        let cluster = settings.cluster(settings.database(database)?)?;
        if let Some(known) = self.clusters.borrow().get(&cluster.name) {
            return Some(Rc::clone(known));
        }
        let nodes = Rc::new(Nodes::new(&self.shared, &settings, cluster));
        self.clusters.borrow_mut().insert(cluster.name.clone(), Rc::clone(&nodes));
        Some(nodes)
    }

    /// Where requests went, by cluster and reason.
    pub(crate) fn routes(&self) -> Vec<RouteReport> {
        let clusters = self.clusters.borrow();
        let with_choice = clusters.iter().filter(|(_, nodes)| nodes.has_choice());
        let of = |(name, nodes): (&String, &Rc<Nodes>)| -> Vec<RouteReport> {
            let row = |(reason, requests): (Reason, u64)| RouteReport {
                cluster: name.clone(),
                reason: reason.as_str(),
                explanation: reason.sentence(),
                requests,
            };
            nodes.reasons().map(row).collect()
        };
        with_choice.flat_map(of).collect()
    }

    /// What clients of a database want of routing when they say nothing.
    pub(crate) fn wish(&self, database: &str) -> Wish {
        self.settings().database(database).map(|database| database.wish).unwrap_or_default()
    }

    /// Which statements replicas may run in the database of a pool on the primary.
    pub(crate) fn verdicts(self: &Rc<Self>, home: &Pool) -> Rc<Verdicts> {
        let target = home.target();
        let place = (target.node, target.database);
        let known = self.verdicts.borrow().get(&place).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let verdicts = Rc::new(Verdicts::of(self, home));
            let mut all = self.verdicts.borrow_mut();
            all.retain(|_, verdicts| verdicts.strong_count() > 0);
            all.insert(place, Rc::downgrade(&verdicts));
            verdicts
        })
    }

    /// Has all pools open their servers where they belong now.
    pub(crate) fn retarget(self: &Rc<Self>, settings: &Arc<Settings>) {
        for pool in self.all_pools() {
            match self.shared.pool(settings, &pool.key) {
                Some((target, config)) => {
                    pool.set_quotas(self.shared.quotas(settings, &pool.key, &target));
                    pool.set_node(self.shared.node(settings, &target.node, &target.address));
                    let allotment = self.shared.allot(&pool.key, &config, self.index);
                    pool.reload(self, target, allotment);
                }
                None => self.retire_pool(&pool),
            }
        }
    }

    /// Follows the primaries of all clusters.
    pub(crate) async fn follow(self: Rc<Self>) {
        let mut changes = self.shared.clusters.subscribe();
        while changes.changed().await.is_ok() {
            self.retarget(&self.settings());
        }
    }

    /// The configuration may say something else of the clusters now.
    pub(crate) fn reload_clusters(&self, settings: &Settings) {
        let mut clusters = self.clusters.borrow_mut();
        let configured = |name: &str| settings.clusters.iter().find(|cluster| cluster.name == name);
        clusters.retain(|name, nodes| {
            let cluster = configured(name);
            if let Some(cluster) = cluster {
                nodes.reload(&self.shared, settings, cluster);
            }
            cluster.is_some()
        });
    }
}
