//! What a request at the head of the inbox asks of routing: the statements that it runs, found without consuming anything.
//!
//! Invariant: a request that is not understood to its end is for the primary.

use std::sync::Arc;

use howdah_core::route::Wish;
use howdah_core::route::class::{Safety, UnsafeReason};
use howdah_sql::Analysis;
use howdah_wire::frame;
use howdah_wire::frontend::{self, tag};

use crate::session::Session;

impl Session {
    /// Whether a replica may answer the request, and the wish with what the comment in front of its first statement says.
    pub(super) fn read_request(&self, wish: Wish) -> (Wish, Safety) {
        let primary = Safety::Primary(UnsafeReason::Other);
        if self.pin.is_some() {
            return (wish, primary);
        }
        let mut rest = self.inbox.unread();
        let mut wish = wish;
        let (mut safety, mut runs) = (Safety::Replica, false);
        let mut parsed_unnamed = false;
        loop {
            let Ok(Some((found, after))) = frame::split(rest) else { return (wish, primary) };
            let judged = match found.tag {
                tag::QUERY => {
                    let Ok(sql) = frontend::query_text(found.body) else { return (wish, primary) };
                    return (wish.with_comment(sql), self.safety(sql));
                }
                tag::PARSE => {
                    let Ok(parse) = frontend::parse(found.body) else { return (wish, primary) };
                    parsed_unnamed |= parse.name.is_empty();
                    if !runs {
                        wish = wish.with_comment(parse.sql);
                    }
                    self.safety(parse.sql)
                }
                tag::BIND => {
                    let Ok(Some(names)) = frontend::bind_names(found.body) else {
                        return (wish, primary);
                    };
                    match self.bound(names.statement, parsed_unnamed) {
                        Some(analysis) => self.judge_route(&analysis),
                        // Parsed in this request, or an error that any node gives.
                        None => Safety::Replica,
                    }
                }
                tag::DESCRIBE | tag::EXECUTE | tag::CLOSE => Safety::Replica,
                tag::SYNC => return (wish, if runs { safety } else { primary }),
                // A Flush leaves the implicit transaction open, and nobody knows what comes next.
                _ => return (wish, primary),
            };
            runs = true;
            if judged != Safety::Replica {
                safety = judged;
            }
            rest = after;
        }
    }

    /// What a Bind to this statement runs, unless it was parsed in the same request.
    fn bound(&self, name: &[u8], parsed_unnamed: bool) -> Option<Arc<Analysis>> {
        if name.is_empty() {
            let known = self.unnamed.get().filter(|_| !parsed_unnamed);
            return known.map(|(_, analysis)| Arc::clone(analysis));
        }
        self.statements.get(name).map(|prepared| Arc::clone(&prepared.analysis))
    }

    fn safety(&self, sql: &[u8]) -> Safety {
        self.judge_route(&self.analyse(sql))
    }

    fn judge_route(&self, analysis: &Analysis) -> Safety {
        match &self.routing.state {
            Some(state) => state.verdicts.safety(analysis, &self.worker.settings_in_force()),
            None => Safety::Primary(UnsafeReason::Other),
        }
    }
}
