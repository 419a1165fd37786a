//! Asks, most valuable first, one after the other; what cannot be kept yet, because changes of its tables are only now begun to be
//! followed, is asked again a moment later.
//!
//! Invariant: no more work for PostgreSQL than half of the time, no longer than the bound, no question more than twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_core::cache::Stamp;
use howdah_core::cache::warm::Question;

use super::Outcome;
use super::client::{Client, Told};
use crate::clock;
use crate::invalidate::Followed;
use crate::shared::Shared;

/// It takes no longer,
const MOST: Duration = Duration::from_secs(60);
/// waits at least so long after each answer of PostgreSQL,
const LEAST: Duration = Duration::from_millis(2);
/// goes through what is left so often,
const ROUNDS: usize = 20;
/// and waits so long before it does.
const PAUSE: Duration = Duration::from_millis(100);
/// How often PostgreSQL is asked the same.
const TRIES: u8 = 2;

struct Rounds<'a> {
    shared: &'a Arc<Shared>,
    followed: &'a Followed,
    client: Option<Client>,
    deadline: Instant,
    outcome: Outcome,
    key: Vec<u8>,
}

/// Asks all of it.
pub(super) async fn ask(
    shared: &Arc<Shared>,
    followed: &Followed,
    questions: Vec<Question>,
) -> Outcome {
    let outcome = Outcome { remembered: questions.len(), ..Outcome::default() };
    let deadline = clock::now() + MOST;
    let mut rounds = Rounds { shared, followed, client: None, deadline, outcome, key: Vec::new() };
    let mut left: Vec<(Question, u8)> = Vec::new();
    for question in questions {
        if rounds.is_kept(&question) {
            rounds.outcome.already += 1;
        } else {
            left.push((question, 0));
        }
    }
    for _ in 0..ROUNDS {
        left = rounds.round(left).await;
        if left.is_empty() || clock::now() >= deadline {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    rounds.outcome.failed += left.len();
    if let Some(client) = rounds.client {
        client.close().await;
    }
    rounds.outcome
}

impl Rounds<'_> {
    /// Asks once; what is to be asked again.
    async fn round(&mut self, left: Vec<(Question, u8)>) -> Vec<(Question, u8)> {
        let mut again = Vec::new();
        for (question, tries) in left {
            let now = clock::now();
            if now >= self.deadline {
                again.push((question, tries));
                continue;
            }
            match self.ask(&question).await {
                Some(Told::Answered) if self.is_kept(&question) => self.outcome.warmed += 1,
                Some(Told::Answered) if tries + 1 < TRIES => again.push((question, tries + 1)),
                Some(Told::NotKept) => {
                    again.push((question, tries));
                    continue;
                }
                Some(Told::Answered | Told::Refused) | None => self.outcome.failed += 1,
            }
            let took = clock::now().saturating_duration_since(now);
            tokio::time::sleep(took.max(LEAST)).await;
        }
        again
    }

    /// `None`: there is no connection any more, or no time.
    async fn ask(&mut self, question: &Question) -> Option<Told> {
        let left = self.deadline.saturating_duration_since(clock::now());
        let client = self.client.take();
        let (shared, asker) = (self.shared, &question.asker);
        let asking = async {
            let mut client = match client {
                Some(client) if client.asker == *asker => client,
                other => {
                    if let Some(other) = other {
                        other.close().await;
                    }
                    Client::connect(shared, asker).await?
                }
            };
            let told = client.ask(question).await?;
            Ok::<_, std::io::Error>((client, told))
        };
        let (client, told) = tokio::time::timeout(left, asking).await.ok()?.ok()?;
        self.client = Some(client);
        Some(told)
    }

    /// Whether its answer is kept, and nothing has changed since.
    fn is_kept(&mut self, question: &Question) -> bool {
        let (store, asker) = (&self.shared.store, &question.asker);
        let Some(place) = store.place_of(&asker.database, &asker.user) else { return false };
        let context = store.number_of_settings(&asker.context_text());
        question.key(place, context, &mut self.key);
        let freshness = &self.followed.freshness;
        store.get(&self.key).is_some_and(|entry| {
            !entry.counts_only
                && entry.is_remembered(&store.parts)
                && freshness.keep(&entry.tags, &Stamp::Cold(entry.seen), None).is_ok()
        })
    }
}
