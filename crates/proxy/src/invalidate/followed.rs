//! A database whose changes are followed, as those see it who use what is known: how fresh it is, and the wait for the next heartbeat.
//!
//! Invariant: while somebody waits, a heartbeat is on its way, or is sent at once.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use howdah_core::cache::{Fence, Freshness};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) freshness: Arc<Freshness>,
    /// Somebody has made a fence.
    pub(super) called: Arc<Notify>,
    /// Somebody waits for one, and how many do.
    pub(super) waited: Notify,
    waiting: AtomicU32,
    /// A heartbeat has come back.
    heard: Notify,
    /// Why changes are not followed now.
    pub(super) trouble: Mutex<Option<String>>,
    /// Held by whoever asks again what was lost.
    pub(crate) warming: tokio::sync::Mutex<()>,
}

impl Followed {
    /// `tags`: those with a place of their own.
    pub(super) fn new(tags: usize) -> Self {
        let called = Arc::new(Notify::new());
        let caller = Arc::clone(&called);
        let call = Box::new(move || caller.notify_one());
        Self {
            freshness: Arc::new(Freshness::new(tags, clock::now(), call)),
            called,
            waited: Notify::new(),
            waiting: AtomicU32::new(0),
            heard: Notify::new(),
            trouble: Mutex::default(),
            warming: tokio::sync::Mutex::default(),
        }
    }

    /// Resolves when a fence has passed; never, if no stream comes. Cancel safe.
    pub(crate) async fn passed(&self, fence: Fence) {
        let _waiting = Waiting::of(self);
        self.freshness.want(fence);
        loop {
            let mut heard = pin!(self.heard.notified());
            heard.as_mut().enable();
            if self.freshness.passed(fence) {
                return;
            }
            heard.await;
        }
    }

    /// Whether somebody waits for a heartbeat.
    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// A heartbeat has come back.
    pub(super) fn on_heard(&self) {
        self.heard.notify_waiters();
    }
}

/// One who waits.
struct Waiting<'a>(&'a Followed);

impl<'a> Waiting<'a> {
    fn of(followed: &'a Followed) -> Self {
        if followed.waiting.fetch_add(1, Ordering::AcqRel) == 0 {
            followed.waited.notify_one();
        }
        Self(followed)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
