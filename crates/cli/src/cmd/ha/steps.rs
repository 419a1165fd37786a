//! The steps of a switchover, in order. Until the old primary has stopped each of them can be taken back, and is; once the new one is asked to take
//! over nothing is started that could take writes beside it.
//!
//! Invariant: nobody is promoted before the old primary is known to have stopped and the new one to have its very last record.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::node::{Node, Position};
use super::plan::{Member, Plan};
use super::{command, conninfo};
use crate::console::{Console, LIMIT};
use crate::exit::Failure;
use crate::probe;
use crate::terminal::Talk;

/// How often something is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// What was done.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    from: String,
    to: String,
    /// Clients were held back for so long, in milliseconds.
    held_ms: u64,
    /// Of these, transactions were waited for.
    drained_ms: u64,
    /// What has to be done by hand.
    pub(super) left_to_do: Vec<String>,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, held_ms, drained_ms, .. } = self;
        write!(
            f,
            "{to} is the primary in place of {from}; clients waited {held_ms} ms, {drained_ms} of them for transactions"
        )
    }
}

/// Does it.
///
/// # Errors
/// What went wrong, with what is so now.
pub(super) async fn run(plan: &Plan, console: Console, talk: Talk) -> Result<Done, Failure> {
    let hands_off = tell_of_interrupts(talk)?;
    let done = hand_over(plan, console, talk).await;
    hands_off.abort();
    Ok(done?)
}

/// Says that it is not stopped half-way, to whoever tries.
fn tell_of_interrupts(talk: Talk) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot take over signals")?;
    Ok(tokio::spawn(async move {
        while interrupt.recv().await.is_some() {
            talk.warn(
                "not now",
                "every step has a time limit, and half a switchover is worse than either end",
            );
        }
    }))
}

async fn hand_over(plan: &Plan, console: Console, talk: Talk) -> anyhow::Result<Done> {
    let (old, new) = (connect(&plan.from).await?, connect(&plan.to).await?);
    let begun = prepare(plan, &old, &new).await?;
    talk.good("prepared", "checkpoints made, so that the last one is short");
    let paused = Instant::now();
    for pause in &plan.pauses {
        // Closing the connection takes the pause back.
        console.rows(pause, Some(plan.drain_timeout)).await.map_err(|failure| {
            anyhow!("{failure}: transactions are still open, and nothing was changed\n    SHOW CLIENTS says whose; ha.drain_timeout is the limit")
        })?;
    }
    let drained = paused.elapsed();
    talk.good("paused", "clients wait; no transaction is open");
    drop(old);
    stop(plan, &new, begun).await?;
    talk.good("stopped", &format!("{}; {} has its last record", plan.from.name, plan.to.name));
    promote(plan, &new).await?;
    drop(console);
    let held = paused.elapsed();
    talk.good("promoted", &format!("{}; clients go on", plan.to.name));
    let mut left_to_do = Vec::new();
    for other in &plan.others {
        match rewire(other, plan).await {
            Ok(()) => talk.good("rewired", &format!("{} follows {}", other.name, plan.to.name)),
            Err(error) => left_to_do
                .push(format!("{} does not follow {}: {error:#}", other.name, plan.to.name)),
        }
    }
    match follow(plan).await {
        Ok(()) => {
            talk.good("rewired", &format!("{} is a replica of {}", plan.from.name, plan.to.name))
        }
        Err(error) => {
            left_to_do.push(format!("{} is not a replica yet: {error:#}", plan.from.name))
        }
    }
    for left in &left_to_do {
        talk.bad("left to do", left);
    }
    Ok(Done {
        from: plan.from.name.clone(),
        to: plan.to.name.clone(),
        held_ms: millis(held),
        drained_ms: millis(drained),
        left_to_do,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn connect(member: &Member) -> anyhow::Result<Node> {
    Node::connect(&member.login, LIMIT).await.map_err(|failure| anyhow!("{failure}"))
}

/// Everything that can be done while clients work. Returns a position that the last record is behind.
async fn prepare(plan: &Plan, old: &Node, new: &Node) -> anyhow::Result<Position> {
    let conninfo = pointed_at_new(plan)?;
    for other in plan.others.iter().filter(|other| !other.facts.slot.is_empty()) {
        new.keep_slot(&other.facts.slot).await.context("a slot on the new primary")?;
    }
    old.point_at(&conninfo).await.context("primary_conninfo of the old primary")?;
    old.checkpoint().await.context("a checkpoint of the old primary")?;
    let begun = old.written().await?;
    new.checkpoint().await.context("a restart point of the new primary")?;
    let all_there = async || Ok(new.received().await?.1 >= begun);
    until("the replica to catch up", plan.step_timeout, all_there).await?;
    Ok(begun)
}

fn pointed_at_new(plan: &Plan) -> anyhow::Result<String> {
    let (host, port) = command::endpoint(&plan.to.address);
    conninfo::pointed_at(&plan.to.facts.conninfo, &host, port)
        .context("primary_conninfo is not a list of keys and values")
}

/// Stops the old primary and makes sure that the new one has all of it; otherwise starts it again.
async fn stop(plan: &Plan, new: &Node, begun: Position) -> anyhow::Result<()> {
    let from = &plan.from;
    let stopped = match &from.commands.stop {
        Some(text) => command::run(text, &from.name, &from.address, plan.step_timeout).await,
        None => Err(anyhow!("no stop_command")),
    };
    let complete = match stopped {
        Ok(()) => has_last_record(plan, new, begun).await,
        Err(error) => Err(error),
    };
    let Err(error) = complete else { return Ok(()) };
    let again = match &from.commands.start {
        Some(_) if !is_gone(from).await => Ok(()),
        Some(text) => command::run(text, &from.name, &from.address, plan.step_timeout).await,
        None => Err(anyhow!("no start_command")),
    };
    match again {
        Ok(()) => Err(error.context(format!("given up; {} is the primary as before", from.name))),
        Err(other) => Err(error.context(format!(
            "given up, nobody was promoted, and {} could not be started again ({other:#}): start it by hand",
            from.name
        ))),
    }
}

async fn is_gone(member: &Member) -> bool {
    matches!(probe::connect(&member.login, LIMIT).await, Err(refused) if refused.unreachable)
}

/// Whether the new primary has replayed the checkpoint that the old one writes as its very last record when it stops in order.
async fn has_last_record(plan: &Plan, new: &Node, begun: Position) -> anyhow::Result<()> {
    let gone = async || Ok(is_gone(&plan.from).await);
    until("the old primary to be gone", plan.step_timeout, gone).await?;
    let replayed = async || {
        let (received, replayed) = new.received().await?;
        Ok(replayed >= received)
    };
    until("the replica to replay all it has", plan.step_timeout, replayed).await?;
    new.checkpoint().await?;
    let last = new.shutdown_checkpoint().await?;
    if last.is_none_or(|last| last < begun) {
        bail!(
            "{} has not received the last record of {}: it would lack what was written at the end",
            plan.to.name,
            plan.from.name
        );
    }
    Ok(())
}

async fn promote(plan: &Plan, new: &Node) -> anyhow::Result<()> {
    let promoted = new.promote(plan.step_timeout).await;
    if matches!(promoted, Ok(true)) {
        return Ok(());
    }
    let why = promoted.err().map_or_else(|| "not in time".to_owned(), |error| format!("{error:#}"));
    bail!(
        "{new} was asked to become the primary: {why}\n    {old} is stopped and must stay so until it is known: on {new}, SELECT pg_is_in_recovery(); if true, SELECT pg_promote();",
        new = plan.to.name,
        old = plan.from.name,
    )
}

/// Has another replica follow the new primary.
async fn rewire(other: &Member, plan: &Plan) -> anyhow::Result<()> {
    let (host, port) = command::endpoint(&plan.to.address);
    let pointed = conninfo::pointed_at(&other.facts.conninfo, &host, port);
    let pointed = pointed.context("its primary_conninfo is not a list of keys and values")?;
    let node = connect(other).await?;
    node.point_at(&pointed).await?;
    until("it to receive the log", plan.step_timeout, async || node.follows().await).await
}

/// Starts the old primary as a replica.
async fn follow(plan: &Plan) -> anyhow::Result<()> {
    let from = &plan.from;
    let text = from.commands.follow.as_deref().context("no follow_command")?;
    command::run(text, &from.name, &plan.to.address, plan.step_timeout).await?;
    let follows = async || match Node::connect(&from.login, LIMIT).await {
        Ok(node) => node.follows().await,
        // It is still starting.
        Err(_) => Ok(false),
    };
    until("it to receive the log", plan.step_timeout, follows).await?;
    let node = connect(from).await?;
    for other in plan.others.iter().filter(|other| !other.facts.slot.is_empty()) {
        let slot = &other.facts.slot;
        node.drop_slot(slot)
            .await
            .with_context(|| format!("its slot {slot}, which nobody uses now"))?;
    }
    Ok(())
}

/// Waits until it is so.
async fn until(
    what: &str,
    limit: Duration,
    mut is: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + limit;
    while !is().await? {
        if Instant::now() >= deadline {
            bail!("waited {} s for {what}", limit.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
