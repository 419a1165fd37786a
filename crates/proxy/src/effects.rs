//! What statements do to their session beyond their results, applied when the server says that they have ended.
//!
//! Invariant: an effect is applied once, in the order of the replies, and only if the server has executed the statement.

use std::sync::Arc;

use howdah_core::pool::PoolMode;
use howdah_core::reply::Serial;
use howdah_core::session::{Context, PinReason};
use howdah_sql::{
    Analysis, ChannelChange, Effect, PreparedChange, SettingChange, Statement, TransactionChange,
};
use howdah_wire::backend::TransactionStatus;

use crate::catalog::Redefined;
use crate::rename::Made;
use crate::server::Server;
use crate::session::Session;

/// A portal whose execution has an effect.
#[derive(Debug)]
pub(crate) struct Portal {
    pub(crate) name: Box<[u8]>,
    pub(crate) analysis: Arc<Analysis>,
    pub(crate) sql: Box<[u8]>,
}

/// Effects of one Query or Execute that was sent.
#[derive(Debug)]
pub(crate) struct PendingEffects {
    serial: Serial,
    analysis: Arc<Analysis>,
    /// Index of the statement that ends next.
    next: usize,
    settings: Vec<(usize, SettingChange)>,
    transaction: Vec<(usize, TransactionChange)>,
    names: Vec<(usize, PreparedChange)>,
    /// The statement that a PREPARE makes, which servers know by another name.
    made: Option<Made>,
    channels: Vec<(usize, ChannelChange)>,
    /// Settings go back to their defaults: those of the session are not those of the server.
    resets: bool,
}

impl Session {
    /// A Query or Execute with effects is sent as message `serial`.
    pub(crate) fn expect_effects(
        &mut self,
        serial: Serial,
        analysis: &Arc<Analysis>,
        sql: &[u8],
        made: Option<Made>,
    ) {
        let has = |wanted: &[Effect]| {
            analysis.statements.iter().any(|statement| wanted.contains(&statement.effect))
        };
        let settings =
            if has(&[Effect::Settings]) { howdah_sql::setting_changes(sql) } else { Vec::new() };
        let transaction = if has(&[Effect::Savepoint, Effect::Release, Effect::RollbackTo]) {
            howdah_sql::transaction_changes(sql)
        } else {
            Vec::new()
        };
        let names = if has(&[Effect::Deallocate, Effect::Prepare]) {
            howdah_sql::prepared_names(sql)
        } else {
            Vec::new()
        };
        let channels = if has(&[Effect::Listen, Effect::Unlisten]) && self.mode != PoolMode::Session
        {
            self.careful = true;
            howdah_sql::channel_changes(sql)
        } else {
            Vec::new()
        };
        let resets = has(&[Effect::DiscardAll])
            || settings.iter().any(|(_, change)| {
                matches!(change, SettingChange::Reset { .. } | SettingChange::ResetAll)
            });
        let analysis = Arc::clone(analysis);
        self.effects.push_back(PendingEffects {
            serial,
            analysis,
            next: 0,
            settings,
            transaction,
            names,
            made,
            channels,
            resets,
        });
    }

    /// Whether something that was sent and is not answered may end the open transaction.
    pub(crate) fn may_commit(&self) -> bool {
        let ends = |statement: &Statement| {
            matches!(
                statement.effect,
                Effect::Commit | Effect::PrepareTransaction | Effect::Unknown | Effect::Execute
            )
        };
        self.effects.iter().any(|pending| pending.analysis.statements.iter().any(ends))
    }

    /// Whether a parameter status tells of a default of the server's that is not the session's: the startup message asked
    /// for something else, and the session is given that at once. `answered` is the message that is being answered.
    pub(crate) fn is_foreign_default(&self, name: &[u8], answered: Serial) -> bool {
        let resets = self
            .effects
            .front()
            .is_some_and(|pending| pending.resets && pending.serial <= answered);
        (self.misaligned || resets)
            && std::str::from_utf8(name)
                .is_ok_and(|name| self.settings.startup().get(&name.to_ascii_lowercase()).is_some())
    }

    /// Whether the startup message's settings have to be made again before another request: what is sent resets them.
    pub(crate) fn awaits_alignment(&self) -> bool {
        (self.misaligned || self.effects.iter().any(|pending| pending.resets))
            && !self.settings.startup().is_empty()
    }

    /// Whether what is sent next may run in a transaction block, as far as the replies so far and what is sent tell.
    pub(crate) fn may_be_in_transaction(&self, server: &Server) -> bool {
        let begins = |statement: &Statement| statement.effect == Effect::Begin;
        server.status != TransactionStatus::Idle
            || self.effects.iter().any(|pending| pending.analysis.statements.iter().any(begins))
    }

    /// Whether what is sent next runs in a failed transaction, where only its end is accepted.
    pub(crate) fn is_in_failed_transaction(&self, server: &Server) -> bool {
        server.status == TransactionStatus::Failed
            && !self.effects.iter().any(|pending| ends_transaction(&pending.analysis))
    }

    /// The message that, when it is answered, changes which named statements exist: what names one has to wait for it.
    pub(crate) fn deallocation(&self) -> Option<Serial> {
        let deallocates = |statement: &Statement| {
            matches!(statement.effect, Effect::Prepare | Effect::Deallocate | Effect::DiscardAll)
        };
        let mut pending = self.effects.iter();
        pending
            .find(|pending| pending.analysis.statements.iter().any(deallocates))
            .map(|pending| pending.serial)
    }

    /// A statement of message `serial` has ended with this command tag.
    pub(crate) fn on_statement_ended(
        &mut self,
        server: &mut Server,
        serial: Serial,
        command_tag: &[u8],
    ) {
        let Some(mut pending) = self.effects.pop_front() else {
            return;
        };
        if pending.serial == serial {
            let index = pending.next;
            pending.next += 1;
            if let Some(statement) = pending.analysis.statements.get(index) {
                self.apply(server, &pending, index, statement.effect, command_tag);
            }
        }
        if pending.next < pending.analysis.statements.len() {
            self.effects.push_front(pending);
        }
    }

    /// Messages from `from` up to, not including, `until` failed or were skipped.
    pub(crate) fn on_effects_failed(&mut self, from: Serial, until: Serial) {
        self.failed = true;
        self.effects.retain(|pending| !(from..until).contains(&pending.serial));
    }

    /// The statement of message `serial` has not ended as it should, and its transaction will fail.
    pub(crate) fn forget_effects(&mut self, serial: Serial) {
        self.effects.retain(|pending| pending.serial != serial);
    }

    /// ReadyForQuery: messages before `until` are settled; `idle` if no transaction is open.
    pub(crate) fn on_effects_settled(&mut self, server: &mut Server, until: Serial, idle: bool) {
        while self.effects.front().is_some_and(|pending| pending.serial < until) {
            self.effects.pop_front();
        }
        if idle {
            // The end of an implicit transaction, or of nothing.
            if self.failed {
                self.on_rollback(server);
            } else {
                self.on_commit(server);
            }
        }
        self.failed = false;
        if idle && server.redefined != Redefined::No {
            let how = std::mem::take(&mut server.redefined);
            self.worker.shared.catalogs.on_redefined(&self.pool.target(), how);
        }
        if idle && std::mem::take(&mut self.resettled) {
            let shared = self.worker.share_context(Context::clone(self.settings.context()));
            self.settings.share(&shared);
            server.settings.share(&shared);
        }
    }

    fn on_commit(&mut self, server: &mut Server) {
        self.settings.on_commit();
        server.settings.on_commit();
        self.listener.channels.on_commit();
    }

    fn on_rollback(&mut self, server: &mut Server) {
        self.settings.on_rollback();
        server.settings.on_rollback();
        self.listener.channels.on_rollback();
    }

    fn apply(
        &mut self,
        server: &mut Server,
        pending: &PendingEffects,
        index: usize,
        effect: Effect,
        command_tag: &[u8],
    ) {
        match effect {
            Effect::Begin => server.status = TransactionStatus::InTransaction,
            Effect::None | Effect::Execute | Effect::Discard | Effect::AdvisoryUnlock => {}
            // COMMIT of a failed transaction is a rollback, and says so.
            Effect::Commit | Effect::PrepareTransaction
                if !command_tag.starts_with(b"ROLLBACK") =>
            {
                self.on_commit(server);
                self.failed = false;
            }
            Effect::Commit | Effect::PrepareTransaction | Effect::Rollback => {
                self.on_rollback(server);
                self.failed = false;
            }
            Effect::Savepoint | Effect::Release | Effect::RollbackTo => {
                for (_, change) in pending.transaction.iter().filter(|(of, _)| *of == index) {
                    self.on_transaction_change(server, change);
                }
            }
            Effect::Settings => {
                for (_, change) in pending.settings.iter().filter(|(of, _)| *of == index) {
                    self.on_setting_change(server, change);
                }
                self.misaligned |= pending.resets;
            }
            Effect::Deallocate => {
                for (_, change) in pending.names.iter().filter(|(of, _)| *of == index) {
                    match change {
                        PreparedChange::Deallocate(Some(name)) => self.on_deallocated(server, name),
                        PreparedChange::Deallocate(None) => {
                            self.statements.on_deallocate_all(pending.serial);
                            self.native.clear();
                            server.prepared.forget_all();
                        }
                        PreparedChange::Prepare(_) | PreparedChange::Execute(_) => {}
                    }
                }
            }
            Effect::DiscardAll => {
                self.misaligned = true;
                server.prepared.forget_all();
                // What was sent after it may taint the server anew.
                server.tainted = server.tainted.filter(|taint| taint.at > pending.serial);
                self.statements.on_deallocate_all(pending.serial);
                self.native.clear();
                self.settings.on_discard_all();
                server.settings.on_discard_all();
                self.listener.channels.on_discard_all();
                self.unpin();
            }
            Effect::Prepare => self.on_prepared(pending, index),
            Effect::Listen | Effect::Unlisten => {
                for (_, change) in pending.channels.iter().filter(|(of, _)| *of == index) {
                    self.listener.channels.on_change(change);
                }
            }
            Effect::TemporaryTable => self.set_pin(PinReason::TemporaryTable),
            Effect::AdvisoryLock => self.set_pin(PinReason::AdvisoryLock),
            Effect::HoldCursor => self.set_pin(PinReason::HoldCursor),
            Effect::Load => self.set_pin(PinReason::Load),
            Effect::Unknown => self.set_pin(PinReason::UnknownEffect),
        }
    }

    /// `PREPARE`: under a name that servers share, or on this server alone.
    fn on_prepared(&mut self, pending: &PendingEffects, index: usize) {
        if let Some((name, prepared)) = &pending.made {
            let made = self.statements.on_parse(name, Arc::clone(prepared), pending.serial);
            debug_assert!(made.is_ok(), "there was room when it was sent");
            return;
        }
        for (_, change) in pending.names.iter().filter(|(of, _)| *of == index) {
            if let PreparedChange::Prepare(name) = change {
                self.native.insert(name.clone());
            }
        }
        self.set_pin(PinReason::SqlPrepare);
    }

    fn on_setting_change(&mut self, server: &mut Server, change: &SettingChange) {
        self.resettled = true;
        let for_server = server.settings.on_change(change);
        let for_session = self.settings.on_change(change);
        if let Err(reason) = for_session.and(for_server) {
            self.set_pin(reason);
        }
    }

    fn on_transaction_change(&mut self, server: &mut Server, change: &TransactionChange) {
        let mut kept = Ok(());
        for settings in [&mut self.settings, &mut server.settings] {
            match change {
                TransactionChange::Savepoint(name) => {
                    kept = kept.and_then(|()| settings.on_savepoint(name))
                }
                TransactionChange::Release(name) => settings.on_release(name),
                TransactionChange::RollbackTo(name) => settings.on_rollback_to(name),
                TransactionChange::Begin
                | TransactionChange::Commit { .. }
                | TransactionChange::Rollback { .. }
                | TransactionChange::PrepareTransaction => {}
            }
        }
        if let Err(reason) = kept {
            return self.set_pin(reason);
        }
        let channels = &mut self.listener.channels;
        match change {
            TransactionChange::Savepoint(name) => channels.on_savepoint(name),
            TransactionChange::Release(name) => channels.on_release(name),
            TransactionChange::RollbackTo(name) => channels.on_rollback_to(name),
            TransactionChange::Begin
            | TransactionChange::Commit { .. }
            | TransactionChange::Rollback { .. }
            | TransactionChange::PrepareTransaction => {}
        }
    }

    /// `DEALLOCATE` of a statement that was prepared by the protocol; the text that the server got names it as the server
    /// knows it.
    fn on_deallocated(&mut self, server: &mut Server, name: &str) {
        self.native.remove(name);
        if let Some(prepared) = self.statements.get(name.as_bytes()) {
            server.prepared.remove(prepared.id);
            self.statements.on_deallocate(name.as_bytes());
        }
    }
}

/// Whether a statement is accepted in a failed transaction.
pub(crate) fn ends_transaction(analysis: &Analysis) -> bool {
    analysis.statements.iter().any(|statement| {
        matches!(
            statement.effect,
            Effect::Commit | Effect::Rollback | Effect::RollbackTo | Effect::PrepareTransaction
        )
    })
}
