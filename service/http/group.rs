//! Many requests, one commit. A commit waits for the disk, and 500 edits at once in NetBox are 500 webhooks: whoever finds no
//! commit under way takes everything that waits and commits it for all.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, Notify, oneshot};

use super::Clock;
use super::metrics::Metrics;
use crate::store::{NewHint, Store, StoreError};

/// Hints of one transaction at most, so that the first of a flood does not wait for all of it.
const GROUP_LIMIT: usize = 1_000;

/// The store's part failed; why is logged once, by whoever tried the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotCommitted;

/// A hint that waits, and whom to tell.
struct Waiting {
    hint: NewHint,
    answer: oneshot::Sender<Result<(), NotCommitted>>,
}

/// What waits for the next commit.
#[derive(Default)]
pub(super) struct Group {
    waiting: Mutex<Vec<Waiting>>,
    /// Held during a commit. No task of its own: the requests take turns, so nothing is left running when they end.
    turn: AsyncMutex<()>,
}

impl Group {
    /// Returns when the hint is committed, with whatever others there were.
    pub(super) async fn commit(
        &self,
        hint: NewHint,
        store: &Store,
        wake: &Notify,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<(), NotCommitted> {
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.lock().push(Waiting { hint: hint.clone(), answer });
            let turn = tokio::select! {
                biased;
                outcome = &mut answered => match outcome {
                    Ok(outcome) => return outcome,
                    // The one who committed for us was cut off in the middle: its client went away. Once more; a hint that
                    // did get committed is only a duplicate.
                    Err(_) => continue,
                },
                turn = self.turn.lock() => turn,
            };
            // It may have been committed while we waited for our turn, and it may be behind more than one group.
            loop {
                match answered.try_recv() {
                    Ok(outcome) => return outcome,
                    Err(oneshot::error::TryRecvError::Closed) => break,
                    Err(oneshot::error::TryRecvError::Empty) => {
                        self.commit_group(self.next(), store, wake, clock, metrics).await;
                    }
                }
            }
            drop(turn);
        }
    }

    /// The oldest hints that wait.
    fn next(&self) -> Vec<Waiting> {
        let mut waiting = self.lock();
        let count = waiting.len().min(GROUP_LIMIT);
        waiting.drain(..count).collect()
    }

    /// Commits a group and tells everybody in it.
    async fn commit_group(
        &self,
        group: Vec<Waiting>,
        store: &Store,
        wake: &Notify,
        clock: &Clock,
        metrics: &Metrics,
    ) {
        let (hints, answers): (Vec<NewHint>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.hint, waiting.answer)).unzip();
        let outcome = store.accept(&hints, clock()).await;
        match &outcome {
            Ok(new) => {
                metrics.committed(*new, hints.len());
                // Duplicates, too: the first delivery may have been committed by a request that was cut off before this line.
                wake.notify_one();
            }
            Err(error) => {
                metrics.not_committed(hints.len());
                log(error, hints.len());
            }
        }
        for answer in answers {
            // A client that went away waits for no answer.
            let _gone = answer.send(outcome.as_ref().map(|_| ()).map_err(|_| NotCommitted));
        }
    }

    /// A panic elsewhere leaves the list as good as it was.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says once what went wrong with the store, with its cause.
fn log(error: &StoreError, hints: usize) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::error!(hints, cause, "webhooks refused with 503: {error}");
}
