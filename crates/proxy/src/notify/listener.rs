//! A session's end of the shared connections: what it has heard and not passed on, and the handing over of its channels.
//!
//! Invariant: the client gets a notification only between two requests, outside a transaction, and only for a time in which it
//! listens to the channel.

use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use howdah_core::limits;
use howdah_core::session::{Channels, Epoch};
use howdah_wire::backend::TransactionStatus;
use howdah_wire::frame::HEADER_LEN;
use howdah_wire::sqlstate::SqlState;
use tokio::sync::{mpsc, oneshot};

use super::Hubs;
use super::hub::{Request, channel_of};
use crate::error::Refusal;
use crate::pool::Pool;
use crate::server::Server;
use crate::session::{End, Session};
use crate::worker::Worker;

/// Why a session hears no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The shared connection was lost.
    Lost,
    /// The client does not take what it has asked for.
    Full,
}

impl Ending {
    fn refusal(self) -> Refusal {
        match self {
            Self::Lost => Refusal::new(
                SqlState::ADMIN_SHUTDOWN,
                "terminating connection: the connection that listens for notifications was lost",
            )
            .hint("Notifications may have been missed. Connect and LISTEN again."),
            Self::Full => Refusal::new(
                SqlState::CONFIGURATION_LIMIT,
                format!(
                    "terminating connection: {} notifications wait for this client",
                    limits::NOTIFICATIONS_PER_CLIENT
                ),
            )
            .hint("Notifications come between transactions: keep transactions short and read what comes."),
        }
    }
}

/// How the shared connection reaches a session.
#[derive(Debug, Clone)]
pub(super) struct Ear {
    id: u64,
    heard: mpsc::Sender<Heard>,
    ending: Arc<OnceLock<Ending>>,
}

/// A notification, and for which time of listening to its channel.
#[derive(Debug)]
pub(crate) struct Heard {
    epoch: Epoch,
    frame: Arc<[u8]>,
}

impl Ear {
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// Tells the session. `false`: it cannot be told any more.
    pub(super) fn tell(&self, epoch: Epoch, frame: &Arc<[u8]>) -> bool {
        let heard = Heard { epoch, frame: Arc::clone(frame) };
        match self.heard.try_send(heard) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.end(Ending::Full);
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    /// Nothing more will be heard.
    pub(super) fn end(&self, ending: Ending) {
        // The first reason counts.
        let _ = self.ending.set(ending);
        // A session that waits with an empty queue wakes up for this; it is of no channel.
        let _ = self.heard.try_send(Heard { epoch: 0, frame: Arc::default() });
    }
}

/// A subscription to the shared connection of the session's database.
#[derive(Debug)]
struct Subscription {
    requests: mpsc::Sender<Request>,
    ear: Ear,
    heard: mpsc::Receiver<Heard>,
}

/// Channels of a session and what it hears.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    pub(crate) channels: Channels,
    subscription: Option<Box<Subscription>>,
}

impl Listener {
    /// Tells the shared connection which channels were begun and which given up, and waits until what commits from now on is
    /// heard.
    ///
    /// # Errors
    /// That cannot be had: the client cannot go on.
    pub(crate) async fn hand_over(
        &mut self,
        worker: &Rc<Worker>,
        pool: &Pool,
        timeout: Duration,
    ) -> Result<(), Refusal> {
        let news = self.channels.hand_over();
        if self.channels.wanted().count() > limits::CHANNELS_PER_SESSION {
            return Err(Refusal::new(
                SqlState::CONFIGURATION_LIMIT,
                format!("a session may listen to {} channels", limits::CHANNELS_PER_SESSION),
            ));
        }
        if !news.unlisten.is_empty()
            && let Some(subscription) = &self.subscription
        {
            let request = Request::Unlisten { id: subscription.ear.id, channels: news.unlisten };
            // A connection that is gone listens to nothing.
            let _ = subscription.requests.send(request).await;
        }
        if news.listen.is_empty() {
            return Ok(());
        }
        let asked = async {
            loop {
                let subscription = self
                    .subscription
                    .get_or_insert_with(|| Box::new(Subscription::new(worker, pool)));
                let (done, answer) = oneshot::channel();
                let (ear, channels) = (subscription.ear.clone(), news.listen.clone());
                if subscription.requests.send(Request::Listen { ear, channels, done }).await.is_ok()
                {
                    return answer.await.is_ok();
                }
                // The connection was closed because nobody has listened for a while.
                self.subscription = None;
            }
        };
        match tokio::time::timeout(timeout, asked).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Ending::Lost.refusal()),
        }
    }

    /// Whether it may hear something.
    pub(crate) const fn is_active(&self) -> bool {
        self.subscription.is_some()
    }

    /// Whether the client listens to something: the session cannot go to another process then.
    pub(crate) fn is_needed(&self) -> bool {
        self.channels.wanted().next().is_some()
    }

    /// Why it hears no more.
    pub(crate) fn ending(&self) -> Option<Refusal> {
        self.subscription.as_ref()?.ear.ending.get().map(|ending| ending.refusal())
    }

    /// The next notification for this session.
    ///
    /// Cancel safe: what was taken is returned.
    pub(crate) fn poll_heard(&mut self, cx: &mut TaskContext<'_>) -> Poll<Heard> {
        let Some(subscription) = &mut self.subscription else { return Poll::Pending };
        // The session itself holds a sender: the queue is never closed.
        let heard = ready!(subscription.heard.poll_recv(cx));
        heard.map_or(Poll::Pending, Poll::Ready)
    }

    /// The frame for the client, unless it does not listen to this any more.
    pub(crate) fn admit<'a>(&self, heard: &'a Heard) -> Option<&'a [u8]> {
        let channel = std::str::from_utf8(channel_of(heard.frame.get(HEADER_LEN..)?)?).ok()?;
        self.channels.accepts(channel, heard.epoch).then_some(&*heard.frame)
    }

    /// Another notification that is there already.
    pub(crate) fn try_heard(&mut self) -> Option<Heard> {
        self.subscription.as_mut()?.heard.try_recv().ok()
    }

    /// The session ends.
    pub(crate) fn close(self) {
        let Some(subscription) = self.subscription else { return };
        let channels = self.channels.wanted().map(Into::into).collect();
        let request = Request::Unlisten { id: subscription.ear.id, channels };
        if let Err(mpsc::error::TrySendError::Full(request)) =
            subscription.requests.try_send(request)
        {
            tokio::task::spawn_local(async move {
                let _ = subscription.requests.send(request).await;
            });
        }
    }
}

impl Session {
    /// Whether the shared connection, or the session's server, has to be told what it listens to: nothing else is under way.
    pub(crate) fn must_hand_over(&self, server: &Server) -> bool {
        let channels = &self.listener.channels;
        let idle = server.status == TransactionStatus::Idle;
        (channels.has_news() || (idle && channels.is_on_server())) && server.queue.is_settled()
    }

    /// From now on the shared connection listens in the server's place, which is told not to: others will use it.
    pub(crate) async fn hand_over(&mut self) -> Result<(), End> {
        if let Some(server) = &mut self.server
            && server.status == TransactionStatus::Idle
            && self.listener.channels.is_on_server()
        {
            let serial = server.push_internal(self.entry.id, "UNLISTEN *", &self.worker.shelf);
            self.aligning = Some((Arc::clone(server.settings.context()), serial));
            self.flush_server();
        }
        // To connect, and to listen.
        let timeout = self.pool.ledger.borrow().config().connect_timeout * 2;
        if self.listener.channels.has_news() {
            let (worker, pool) = (Rc::clone(&self.worker), Rc::clone(&self.pool));
            let handed = self.listener.hand_over(&worker, &pool, timeout).await;
            handed.map_err(End::Fatal)?;
        }
        if self.aligning.is_some() {
            self.listener.channels.on_server_silenced();
        }
        while self.aligning.is_some() {
            self.next_exchange_event().await?;
        }
        self.careful = self.listener.channels.has_pending();
        Ok(())
    }

    /// A request was answered: whether others may be sent behind each other again.
    pub(crate) fn relax(&mut self) {
        let channels = &self.listener.channels;
        self.careful = channels.has_pending() || channels.has_news() || channels.is_on_server();
    }

    /// Whether the client may be told of a notification now.
    pub(crate) fn may_tell(&self) -> bool {
        self.outbox.is_empty()
            && self.body.is_none()
            && !self.ready_owed
            && self.server.as_ref().is_none_or(|server| server.is_free())
    }

    /// Tells the client what was heard meanwhile.
    pub(crate) fn tell_heard(&mut self) -> Result<(), End> {
        if !self.listener.is_active() || !self.may_tell() {
            return Ok(());
        }
        match self.listener.try_heard() {
            Some(heard) => self.on_heard(&heard),
            None => Ok(()),
        }
    }

    /// Tells the client of a notification, and of those behind it, as far as there is room.
    pub(crate) fn on_heard(&mut self, heard: &Heard) -> Result<(), End> {
        self.write_heard(heard);
        while !self.outbox.is_full()
            && let Some(heard) = self.listener.try_heard()
        {
            self.write_heard(&heard);
        }
        self.listener.ending().map_or(Ok(()), |refusal| Err(End::Fatal(refusal)))
    }

    fn write_heard(&mut self, heard: &Heard) {
        if let Some(frame) = self.listener.admit(heard) {
            self.pool.traffic.on_sent(frame.len());
            self.outbox.bytes(&self.worker.shelf).extend_from_slice(frame);
        }
    }

    /// Whether a notification that the session's own server sends is for the client. What a LISTEN out of sight has left there
    /// is, as long as the server is the session's alone.
    pub(crate) fn is_for_client(&self, server: &Server, body: &[u8]) -> bool {
        let Some(channel) = channel_of(body) else { return false };
        let channels = &self.listener.channels;
        let own =
            self.pin.is_some() || server.tainted.is_some_and(|taint| taint.by == self.entry.id);
        channels.accepts_from_server(channel) || (own && !channels.is_handed_over(channel))
    }
}

impl Subscription {
    fn new(worker: &Rc<Worker>, pool: &Pool) -> Self {
        let (sender, heard) = mpsc::channel(limits::NOTIFICATIONS_PER_CLIENT);
        let id = worker.shared.hubs.new_id();
        let ear = Ear { id, heard: sender, ending: Arc::default() };
        Self { requests: Hubs::of(worker, pool), ear, heard }
    }
}
