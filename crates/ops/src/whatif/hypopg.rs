//! Hypothetical indexes by the extension hypopg, over several connections at once. Not the choice, and not one connection's doings (`lane`).
//!
//! Invariant: every existing B-tree has a hypothetical twin in every session: hypothetical ones are priced without a descent, and a copy of
//! a primary key would otherwise look better than the primary key.

use std::time::{Duration, Instant};

use howdah_advisor::catalog::Catalog;
use howdah_advisor::{Access, Candidate, Oracle, Plan, Question, Set, Workload};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::lane::{Lane, Settings, Statement};
use super::{Error, Limits};

/// News of the search are told this often.
const NEWS: Duration = Duration::from_secs(2);

/// The schema that the extension is in; `None`: it is not in this database.
pub(super) async fn schema(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    let sql = "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
               WHERE e.extname = 'hypopg' AND has_schema_privilege(n.oid, 'USAGE')";
    let found = client.query_opt(sql, &[]).await?;
    found.map(|row| row.try_get(0)).transpose()
}

/// Definitions of the existing B-trees that statements of a workload may use.
pub(super) fn twins(catalog: &Catalog, accesses: &[Access]) -> Vec<String> {
    let read = |table: u32| accesses.iter().any(|access| access.table == table);
    let usable = catalog.indexes.iter().filter(|index| read(index.table)).filter(|index| {
        let table = catalog.table(index.table);
        let own =
            table.is_some_and(|it| it.kind != howdah_advisor::catalog::TableKind::Partitioned);
        own && index.valid && index.method == "btree"
    });
    usable.map(|index| index.definition.clone()).collect()
}

/// The oracle.
pub(super) struct Hypothetical {
    lanes: Vec<Lane>,
    statements: usize,
    ends: Instant,
    handle: Handle,
    progress: Option<watch::Sender<String>>,
    told: Instant,
    answered: u64,
}

impl Hypothetical {
    /// Opens the connections.
    pub(super) async fn open(
        mut settings: Settings,
        workload: &Workload,
        catalog: &Catalog,
        limits: Limits,
    ) -> Result<Self, Error> {
        settings.statements =
            workload.statements.iter().map(|it| Statement::of(&it.sql, catalog.version)).collect();
        settings.tables = catalog.tables.clone();
        let settings = std::sync::Arc::new(settings);
        let mut lanes = Vec::new();
        for _ in 0..limits.connections.clamp(1, 8) {
            lanes.push(Lane::open(settings.clone()).await?);
        }
        let now = Instant::now();
        Ok(Self {
            lanes,
            statements: workload.statements.len(),
            ends: now + limits.time,
            handle: Handle::current(),
            progress: None,
            told: now,
            answered: 0,
        })
    }

    /// What each statement costs now, twins included.
    pub(super) async fn before(&mut self) -> Result<Vec<Option<f64>>, Error> {
        let questions: Vec<Question> = (0..self.statements)
            .map(|statement| Question { statement, with: Set::default() })
            .collect();
        let plans = self.ask(&[], &questions).await?;
        Ok(plans.into_iter().map(|plan| plan.map(|plan| plan.cost)).collect())
    }

    /// Where news go.
    pub(super) fn tell(&mut self, progress: watch::Sender<String>) {
        self.progress = Some(progress);
    }

    /// Questions of one set go to one connection: little has to change between them.
    async fn ask(
        &mut self,
        candidates: &[Candidate],
        questions: &[Question],
    ) -> Result<Vec<Option<Plan>>, Error> {
        let mut order: Vec<usize> = (0..questions.len()).collect();
        order.sort_by_key(|at| questions.get(*at).map(|it| it.statement));
        let share = order.len().div_ceil(self.lanes.len().max(1)).max(1);
        let mut tasks = JoinSet::new();
        let mut parts = order.chunks(share);
        for lane in std::mem::take(&mut self.lanes) {
            let part: Vec<Job> = parts
                .next()
                .unwrap_or_default()
                .iter()
                .filter_map(|at| {
                    let question = questions.get(*at)?;
                    let with = question
                        .with
                        .iter()
                        .filter_map(|it| Some((it, candidates.get(it)?.clone())));
                    Some((*at, question.statement, with.collect()))
                })
                .collect();
            tasks.spawn(answer(lane, part));
        }
        let mut plans = vec![None; questions.len()];
        let mut broken = None;
        while let Some(ended) = tasks.join_next().await {
            match ended.map_err(|_| Error::Broken)? {
                (lane, Ok(answers)) => {
                    self.lanes.push(lane);
                    for (at, plan) in answers {
                        if let Some(place) = plans.get_mut(at) {
                            *place = plan;
                        }
                    }
                }
                (_, Err(error)) => broken = Some(error),
            }
        }
        self.answered += u64::try_from(questions.len()).unwrap_or(u64::MAX);
        broken.map_or(Ok(plans), Err)
    }
}

/// Place of the question, the statement, the candidates with their places.
type Job = (usize, usize, Vec<(usize, Candidate)>);
type Answers = Result<Vec<(usize, Option<Plan>)>, Error>;

async fn answer(mut lane: Lane, part: Vec<Job>) -> (Lane, Answers) {
    let mut answers = Vec::with_capacity(part.len());
    for (at, statement, with) in part {
        match lane.plan(statement, &with).await {
            Ok(plan) => answers.push((at, plan)),
            Err(error) => return (lane, Err(error)),
        }
    }
    (lane, Ok(answers))
}

impl Oracle for Hypothetical {
    type Error = Error;

    fn plans(
        &mut self,
        candidates: &[Candidate],
        questions: &[Question],
    ) -> Result<Vec<Option<Plan>>, Error> {
        let handle = self.handle.clone();
        let plans = handle.block_on(self.ask(candidates, questions))?;
        if self.told.elapsed() > NEWS
            && let Some(progress) = &self.progress
        {
            self.told = Instant::now();
            progress.send_replace(format!("{} plans asked for", self.answered));
        }
        Ok(plans)
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }
}
