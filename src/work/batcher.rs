//! A batcher: many callers, one transaction. It takes what waits, runs it set-wise, and then each caller has its own answer.

use std::future::Future;
use tokio::sync::{mpsc, oneshot};

/// The batcher has ended; nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the program is shutting down")]
pub struct Stopped;

/// A handle for submitting; the batcher ends when the last one is dropped.
#[derive(Debug)]
pub struct Batcher<T, R>(mpsc::Sender<(T, oneshot::Sender<R>)>);

impl<T, R> Clone for Batcher<T, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone + Send + 'static, R: Send + 'static> Batcher<T, R> {
    /// Starts a batcher that hands at most `most` items at a time to `run`, which answers each in order. When a batch fails,
    /// its items are run one by one, so that one bad item harms no other; `alone` turns the error of a single one into its answer.
    pub fn start<E, F>(most: usize, run: impl Fn(Vec<T>) -> F + Send + 'static, alone: impl Fn(E) -> R + Send + 'static) -> Self
    where
        E: Send + 'static,
        F: Future<Output = Result<Vec<R>, E>> + Send,
    {
        let (sender, mut waiting) = mpsc::channel::<(T, oneshot::Sender<R>)>(4 * most);
        tokio::spawn(async move {
            let mut taken = Vec::with_capacity(most);
            while waiting.recv_many(&mut taken, most).await > 0 {
                let (items, callers): (Vec<T>, Vec<_>) = taken.drain(..).unzip();
                let answers = match run(items.clone()).await {
                    Ok(answers) => answers,
                    Err(error) if items.len() == 1 => vec![alone(error)],
                    Err(_) => {
                        let mut answers = Vec::with_capacity(items.len());
                        for item in items {
                            answers.extend(run(vec![item]).await.unwrap_or_else(|error| vec![alone(error)]));
                        }
                        answers
                    }
                };
                for (caller, answer) in callers.into_iter().zip(answers) {
                    // A caller that went away does not need its answer.
                    let _ = caller.send(answer);
                }
            }
        });
        Self(sender)
    }

    /// Submits one item and waits for its answer; waits longer when very many are before it.
    ///
    /// # Errors
    /// [`Stopped`] when the batcher has ended.
    pub async fn submit(&self, item: T) -> Result<R, Stopped> {
        let (caller, answer) = oneshot::channel();
        self.0.send((item, caller)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn one_bad_item_fails_alone_and_each_caller_has_its_own_answer() {
        let batches = Arc::new(AtomicUsize::new(0));
        let counted = batches.clone();
        let batcher = Batcher::start(
            64,
            move |items: Vec<i32>| {
                counted.fetch_add(1, Ordering::SeqCst);
                async move { if items.contains(&13) { Err("thirteen") } else { Ok(items.iter().map(|n| Ok(n * 2)).collect()) } }
            },
            Err,
        );
        let answers = futures_util::future::join_all((0..40).map(|n| batcher.submit(n))).await;
        for (n, answer) in answers.into_iter().enumerate() {
            let n = i32::try_from(n).expect("small");
            assert_eq!(answer.expect("running"), if n == 13 { Err("thirteen") } else { Ok(n * 2) });
        }
        assert!(batches.load(Ordering::SeqCst) < 45, "mostly together");
    }
}
