//! The channels that a session listens to, through transactions, savepoints and rollbacks. Not who gets notifications: that is
//! the data plane's shared connection, to which a committed channel is handed over.
//!
//! Invariant: [`Channels::wanted`] is what `pg_listening_channels()` would say to this session on a connection of its own.

use std::collections::BTreeMap;

use howdah_sql::ChannelChange;

/// A number for each time that a channel was begun to be listened to: what was on its way for an earlier time is not for this.
pub type Epoch = u64;

/// What the shared connection has to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    /// Channels to listen to from now on.
    pub listen: Vec<(Box<str>, Epoch)>,
    /// Channels not to listen to any more.
    pub unlisten: Vec<Box<str>>,
}

/// Channels of one session.
#[derive(Debug, Default)]
pub struct Channels {
    /// Committed ones; without an epoch as long as only the session's server listens.
    listening: BTreeMap<Box<str>, Option<Epoch>>,
    /// Changes of the open transaction.
    pending: Vec<ChannelChange>,
    /// Savepoints, and how many changes there were then.
    savepoints: Vec<(Box<str>, usize)>,
    /// Handed over before, and given up since.
    given_up: Vec<Box<str>>,
    /// The session's server listens itself.
    on_server: bool,
    epoch: Epoch,
}

impl Channels {
    /// `LISTEN` or `UNLISTEN` has succeeded; it takes effect when the transaction commits.
    pub fn on_change(&mut self, change: &ChannelChange) {
        self.pending.push(change.clone());
    }

    /// `SAVEPOINT name` has succeeded.
    pub fn on_savepoint(&mut self, name: &str) {
        self.savepoints.push((name.into(), self.pending.len()));
    }

    /// `RELEASE name` has succeeded.
    pub fn on_release(&mut self, name: &str) {
        if let Some(at) = self.savepoints.iter().rposition(|(of, _)| **of == *name) {
            self.savepoints.truncate(at);
        }
    }

    /// `ROLLBACK TO name` has succeeded.
    pub fn on_rollback_to(&mut self, name: &str) {
        if let Some(at) = self.savepoints.iter().rposition(|(of, _)| **of == *name) {
            self.savepoints.truncate(at + 1);
            if let Some((_, count)) = self.savepoints.last() {
                self.pending.truncate(*count);
            }
        }
    }

    /// The transaction, explicit or implicit, was committed.
    pub fn on_commit(&mut self) {
        self.savepoints.clear();
        for change in std::mem::take(&mut self.pending) {
            match change {
                ChannelChange::Listen(name) => {
                    self.on_server = true;
                    self.listening.entry(name.into()).or_insert(None);
                }
                ChannelChange::Unlisten(Some(name)) => {
                    if let Some((name, Some(_))) = self.listening.remove_entry(name.as_str()) {
                        self.given_up.push(name);
                    }
                }
                ChannelChange::Unlisten(None) => self.give_up_all(),
            }
        }
    }

    /// The transaction was rolled back.
    pub fn on_rollback(&mut self) {
        self.savepoints.clear();
        self.pending.clear();
    }

    /// `DISCARD ALL` has succeeded.
    pub fn on_discard_all(&mut self) {
        self.on_rollback();
        self.give_up_all();
        self.on_server = false;
    }

    fn give_up_all(&mut self) {
        let all = std::mem::take(&mut self.listening).into_iter();
        self.given_up.extend(all.filter_map(|(name, epoch)| epoch.map(|_| name)));
    }

    /// Whether the open transaction has changes that a commit makes real.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether the shared connection has to be told something.
    #[must_use]
    pub fn has_news(&self) -> bool {
        // A channel without an epoch was begun on the server.
        !self.given_up.is_empty()
            || (self.on_server && self.listening.values().any(Option::is_none))
    }

    /// Whether the session's server listens itself, and has to be told not to before others use it.
    #[must_use]
    pub const fn is_on_server(&self) -> bool {
        self.on_server
    }

    /// The session's server has been told `UNLISTEN *`.
    pub const fn on_server_silenced(&mut self) {
        self.on_server = false;
    }

    /// What the shared connection has to be told now; from now on notifications of these channels come from there.
    pub fn hand_over(&mut self) -> HandOver {
        self.epoch += 1;
        let mut listen = Vec::new();
        for (name, epoch) in self.listening.iter_mut().filter(|(_, epoch)| epoch.is_none()) {
            *epoch = Some(self.epoch);
            listen.push((name.clone(), self.epoch));
        }
        HandOver { listen, unlisten: std::mem::take(&mut self.given_up) }
    }

    /// Whether a notification that the session's own server sends is for the client: it listens there since a commit (which an
    /// implicit transaction has made when this comes), and the shared connection was not told yet.
    #[must_use]
    pub fn accepts_from_server(&self, channel: &[u8]) -> bool {
        let Ok(channel) = std::str::from_utf8(channel) else { return false };
        let begun = |change: &ChannelChange| matches!(change, ChannelChange::Listen(name) if name == channel);
        match self.listening.get(channel) {
            Some(epoch) => epoch.is_none(),
            None => self.pending.iter().any(begun),
        }
    }

    /// Whether the shared connection serves this channel for the client.
    #[must_use]
    pub fn is_handed_over(&self, channel: &[u8]) -> bool {
        let channel = std::str::from_utf8(channel).ok();
        channel.is_some_and(|channel| matches!(self.listening.get(channel), Some(Some(_))))
    }

    /// Whether a notification that came over the shared connection for the time `epoch` is for the client.
    #[must_use]
    pub fn accepts(&self, channel: &str, epoch: Epoch) -> bool {
        self.listening.get(channel) == Some(&Some(epoch))
    }

    /// All committed channels, in the order of their names.
    pub fn wanted(&self) -> impl Iterator<Item = &str> {
        self.listening.keys().map(|name| &**name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(name: &str) -> ChannelChange {
        ChannelChange::Listen(name.to_owned())
    }

    fn unlisten(name: &str) -> ChannelChange {
        ChannelChange::Unlisten(Some(name.to_owned()))
    }

    fn wanted(channels: &Channels) -> Vec<&str> {
        channels.wanted().collect()
    }

    #[test]
    fn a_channel_is_listened_to_after_the_commit_and_not_after_a_rollback() {
        let mut channels = Channels::default();
        channels.on_change(&listen("a"));
        assert!(channels.has_pending() && !channels.has_news());
        channels.on_rollback();
        assert_eq!(wanted(&channels), Vec::<&str>::new());
        channels.on_change(&listen("a"));
        channels.on_commit();
        assert_eq!(wanted(&channels), ["a"]);
        assert!(channels.has_news() && channels.is_on_server());
    }

    #[test]
    fn savepoints_bring_channels_back() {
        let mut channels = Channels::default();
        channels.on_savepoint("s");
        channels.on_change(&listen("a"));
        channels.on_savepoint("t");
        channels.on_change(&listen("b"));
        channels.on_rollback_to("t");
        channels.on_change(&listen("c"));
        channels.on_release("t");
        channels.on_commit();
        assert_eq!(wanted(&channels), ["a", "c"]);
        channels.on_savepoint("s");
        channels.on_change(&unlisten("a"));
        channels.on_rollback_to("s");
        channels.on_rollback_to("no such savepoint");
        channels.on_commit();
        assert_eq!(wanted(&channels), ["a", "c"]);
    }

    #[test]
    fn what_was_on_its_way_for_an_earlier_time_is_not_accepted() {
        let mut channels = Channels::default();
        channels.on_change(&listen("a"));
        channels.on_commit();
        assert!(channels.accepts_from_server(b"a") && !channels.is_handed_over(b"a"));
        let first = channels.hand_over();
        assert_eq!(first.listen, [("a".into(), 1)]);
        assert!(!channels.accepts_from_server(b"a") && channels.is_handed_over(b"a"));
        assert!(channels.accepts("a", 1) && !channels.has_news());
        // Once more is nothing new, but the server listens.
        channels.on_server_silenced();
        channels.on_change(&listen("a"));
        channels.on_commit();
        assert!(!channels.has_news() && channels.is_on_server());
        channels.on_change(&ChannelChange::Unlisten(None));
        channels.on_change(&listen("a"));
        channels.on_commit();
        assert!(!channels.accepts("a", 1));
        let second = channels.hand_over();
        assert_eq!(second, HandOver { listen: vec![("a".into(), 2)], unlisten: vec!["a".into()] });
        assert!(!channels.accepts("a", 1) && channels.accepts("a", 2));
    }

    #[test]
    fn discard_all_ends_everything() {
        let mut channels = Channels::default();
        channels.on_change(&listen("a"));
        channels.on_commit();
        let _ = channels.hand_over();
        channels.on_discard_all();
        assert_eq!(wanted(&channels), Vec::<&str>::new());
        assert_eq!(channels.hand_over().unlisten, ["a".into()]);
        assert!(!channels.has_news() && !channels.is_on_server());
    }
}
