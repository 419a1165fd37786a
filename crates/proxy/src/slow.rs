//! Statements that took long: what is remembered of them, and the question for their plan, on a connection of its own to the same node, as
//! the same user and under the settings of the session. Which are explained, and how often, is `howdah_core::slow`.
//!
//! Invariant: nothing is run: it is EXPLAIN without ANALYZE of one query, in a transaction that may not write, with short timeouts. The
//! client has its answer before anything happens here. Values of the call live until PostgreSQL has answered, and are given to nobody else.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::limits;
use howdah_core::session::{Context, align};
use howdah_core::slow::{Planned, Redact, Slow, Unexplained, explainable, plan};
use howdah_core::statements::{Call, kind, text};
use howdah_sql::Analysis;
use howdah_wire::frame;
use howdah_wire::frontend::{self, Bind, Message, tag};
use howdah_wire::list::Formats;

use crate::clock;
use crate::connect::{self, Login};
use crate::inquiry::{Inquiry, Row, Unanswered};
use crate::pool::Pool;
use crate::prepare::sql_of;
use crate::rows;
use crate::session::Session;
use crate::worker::Worker;

/// Login and answers may take so long.
const LIMIT: Duration = Duration::from_secs(4);

/// Whose connection it is, for those who look at PostgreSQL.
const SETTINGS: &[(&str, &str)] = &[("application_name", "howdah (plans)")];

/// Whatever the session has set: nothing is written, and nobody waits for long, neither here nor behind a lock.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = 2000; SET LOCAL lock_timeout = 100; \
    SET LOCAL application_name = 'howdah (plans)'; SET LOCAL plan_cache_mode = force_generic_plan";

const EXPLAIN: &str = "EXPLAIN (FORMAT JSON) ";
/// What a form is prepared as,
const PREPARE: &str = "PREPARE howdah_plan AS ";
/// how many parameters it has then,
const PARAMETERS: &str = "SELECT pg_catalog.cardinality(parameter_types) FROM pg_catalog.pg_prepared_statements \
    WHERE name OPERATOR(pg_catalog.=) 'howdah_plan'";
/// and how its plan is asked for.
const EXPLAIN_PREPARED: &str = "EXPLAIN (FORMAT JSON) EXECUTE howdah_plan";

/// What PostgreSQL is asked to plan.
#[derive(Debug)]
enum Source {
    /// The statement as the client sent it: its text, and of the extended protocol its parameter types, as in Parse, and its
    /// Bind.
    Sent { sql: Vec<u8>, types: Vec<u8>, bind: Option<Vec<u8>> },
    /// Its form.
    Form(String),
}

impl Session {
    /// Calls that took longer than the threshold were answered. `request`: the bytes of the request, if they are still there.
    #[cold]
    pub(crate) fn on_slow(
        &self,
        calls: Vec<(Arc<Analysis>, Call)>,
        threshold: Duration,
        request: Option<&[u8]>,
    ) {
        for (analysis, call) in calls {
            let explain = self.worker.settings_in_force().explain;
            let decided = if explain.plans {
                explainable(&analysis, call.server_us, threshold)
            } else {
                Err(Unexplained::Off)
            };
            let source = decided.and_then(|()| self.source(&analysis, request));
            let slow = self.slow(&analysis, &call);
            let told = source.as_ref().map(|_| ()).map_err(|reason| *reason);
            let number = self.worker.shared.slow.lock().on_slow(slow, told);
            let Some((number, source)) = number.zip(source.ok()) else { continue };
            let question = Question {
                worker: Rc::clone(&self.worker),
                pool: Rc::clone(&self.pool),
                context: Arc::clone(self.settings.context()),
                redact: (!explain.shows_values).then_some(howdah_sql::redact),
                source,
            };
            tokio::task::spawn_local(question.run(number));
        }
    }

    fn slow(&self, analysis: &Analysis, call: &Call) -> Slow {
        let text = text(analysis);
        Slow {
            at: clock::now(),
            database: self.entry.database.clone(),
            user: self.entry.user.clone(),
            application: rows::application_in(self.settings.context()),
            address: self.entry.peer.to_string(),
            node: self.pool.target().node,
            fingerprint: analysis.fingerprint.0,
            kind: kind(analysis.class),
            text: text
                .get(..text.floor_char_boundary(limits::STATEMENT_TEXT))
                .unwrap_or_default()
                .to_owned(),
            wait_us: call.wait_us,
            server_us: call.server_us,
            rows: call.rows,
            error: call.error,
            planned: Planned::Awaited,
        }
    }

    /// The statement as it was sent if it is there, or else its form.
    fn source(&self, analysis: &Analysis, request: Option<&[u8]>) -> Result<Source, Unexplained> {
        let request = request.filter(|request| request.len() <= limits::EXPLAINED_REQUEST);
        if let Some(source) = request.and_then(|request| self.sent(analysis, request)) {
            return Ok(source);
        }
        // A form of that length may have been cut.
        if analysis.text.len() >= Analysis::MAX_TEXT {
            return Err(Unexplained::Long);
        }
        Ok(Source::Form(analysis.text.to_string()))
    }

    /// The one statement in a request, if it is of this form.
    fn sent(&self, analysis: &Analysis, request: &[u8]) -> Option<Source> {
        let (mut rest, mut parsed, mut bound, mut query) = (request, None, None, None);
        while !rest.is_empty() {
            let (found, after) = frame::split(rest).ok()??;
            rest = after;
            let again = match found.tag {
                tag::QUERY => query.replace(found.body).is_some(),
                tag::PARSE => parsed.replace(found.body).is_some(),
                tag::BIND => bound.replace(found).is_some(),
                tag::DESCRIBE | tag::EXECUTE | tag::SYNC | tag::FLUSH => false,
                _ => true,
            };
            if again {
                return None;
            }
        }
        let (sql, types, bind) = match (query, bound) {
            (Some(query), None) => (frontend::query_text(query).ok()?.to_vec(), vec![0, 0], None),
            (None, Some(bind)) => {
                let name = frontend::bind_names(bind.body).ok()??.statement;
                let (sql, types) = self.prepared_as(name, parsed)?;
                (sql, types, Some(bind.bytes.to_vec()))
            }
            _ => return None,
        };
        let same = self.analyse(&sql).fingerprint == analysis.fingerprint;
        same.then_some(Source::Sent { sql, types, bind })
    }

    /// Text and parameter types of the statement that a Bind names; `parsed`: the body of the Parse in the same request.
    fn prepared_as(&self, name: &[u8], parsed: Option<&[u8]>) -> Option<(Vec<u8>, Vec<u8>)> {
        if let Some(parse) = parsed.and_then(|body| frontend::parse(body).ok()) {
            return (parse.name == name)
                .then(|| (parse.sql.to_vec(), parse.parameter_types.to_vec()));
        }
        if name.is_empty() {
            let (parse, _) = self.unnamed.get()?;
            let body = parse.get(frame::HEADER_LEN..)?;
            let types = frontend::parse(body).ok()?.parameter_types.to_vec();
            return Some((sql_of(parse).to_vec(), types));
        }
        let prepared = self.statements.get(name)?;
        // What SQL-level PREPARE made has its types in its text.
        let by_protocol = prepared.by_sql.is_none();
        by_protocol.then(|| (prepared.sql.to_vec(), prepared.parameter_types.to_vec()))
    }
}

/// A question for a plan.
struct Question {
    worker: Rc<Worker>,
    /// The pool that the statement ran in.
    pool: Rc<Pool>,
    /// Settings of its session.
    context: Arc<Context>,
    /// How constants are hidden; `None`: they are not.
    redact: Option<Redact>,
    source: Source,
}

impl Question {
    async fn run(self, number: u64) {
        let planned = self.plan().await.unwrap_or_else(Planned::Not);
        self.worker.shared.slow.lock().on_planned(number, planned);
    }

    async fn plan(&self) -> Result<Planned, Unexplained> {
        let _place = self.pool.spare_place().ok_or(Unexplained::Room)?;
        let limit = LIMIT.min(self.pool.ledger.borrow().config().connect_timeout);
        let asked = tokio::time::timeout(limit, self.ask()).await;
        let (rows, generic) = asked.map_err(|_| Unexplained::Late)??;
        let answer = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
        let root = plan(answer.unwrap_or_default().as_bytes(), self.redact);
        let root = root.map_err(|_| Unexplained::Unreadable)?;
        Ok(Planned::As { root: Arc::new(root), generic })
    }

    /// The answer to EXPLAIN, and whether it knew no values. The connection ends with this.
    async fn ask(&self) -> Result<(Vec<Row>, bool), Unexplained> {
        let (target, keys, shelf) = (self.pool.target(), self.pool.keys(), &self.worker.shelf);
        let login = Login { settings: SETTINGS, ..target.login("", &keys) };
        let opened = connect::open(&login, shelf).await.map_err(|_| Unexplained::Lost)?;
        let mut inquiry = Inquiry::new(opened.stream);
        if let Some(alignment) = align(&Context::default(), &self.context) {
            inquiry.ask(shelf, &alignment.sql).await?;
        }
        inquiry.ask(shelf, BEGIN).await?;
        match &self.source {
            Source::Sent { sql, types, bind } => {
                let out = request(EXPLAIN, sql, types, bind.as_deref())?;
                inquiry.send(&out).await.map_err(|_| Unexplained::Lost)?;
                Ok((inquiry.answer(shelf).await?, false))
            }
            Source::Form(form) => {
                // Over the extended protocol, which takes one statement and no more.
                let out = request(PREPARE, form.as_bytes(), &[0, 0], None)?;
                inquiry.send(&out).await.map_err(|_| Unexplained::Lost)?;
                inquiry.answer(shelf).await?;
                let count = inquiry.ask(shelf, PARAMETERS).await?;
                let count = count.first().and_then(|row| row.first()?.as_deref()?.parse().ok());
                let nulls = vec!["NULL"; count.unwrap_or(0)].join(", ");
                let sql = match nulls.as_str() {
                    "" => EXPLAIN_PREPARED.to_owned(),
                    nulls => format!("{EXPLAIN_PREPARED}({nulls})"),
                };
                Ok((inquiry.ask(shelf, &sql).await?, !nulls.is_empty()))
            }
        }
    }
}

impl From<Unanswered> for Unexplained {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Refused { code, .. } => Self::Refused(code),
            Unanswered::Broken(_) => Self::Lost,
            Unanswered::Odd => Self::Unreadable,
        }
    }
}

/// One statement with something in front of it, and the values of a Bind, as messages up to Sync.
fn request(
    before: &str,
    sql: &[u8],
    types: &[u8],
    bind: Option<&[u8]>,
) -> Result<Vec<u8>, Unexplained> {
    let mut out = Vec::new();
    frontend::parse_message(&mut out, b"", &[before.as_bytes(), sql].concat(), types);
    match bind {
        None => frontend::bind_message(&mut out, b"", b"", &[]),
        Some(bytes) => {
            let decoded =
                frame::split(bytes).ok().flatten().map(|(found, _)| frontend::decode(found));
            let Some(Ok(Message::Bind(bind))) = decoded else {
                return Err(Unexplained::Unreadable);
            };
            let text = Bind { portal: b"", statement: b"", result_formats: Formats::TEXT, ..bind };
            Message::Bind(text).encode(&mut out);
        }
    }
    frontend::execute(&mut out, b"", 0);
    frontend::sync(&mut out);
    Ok(out)
}
