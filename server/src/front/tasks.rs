//! The tasks in which a page is rendered belong to its request: they run with it, one after the other, and what they log carries its
//! reference.
//!
//! The rule: no two of them run at the same moment. reactive_graph 0.2 lets two threads that read a memo for the first time dispose of each
//! other's scope; one of them panics, and the page would wait for it for ever. As they are part of the request, a panic is its own, too.

use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::future::poll_fn;
use std::mem::take;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use tracing::Instrument;

/// Tasks that were spawned and have not run yet.
#[derive(Clone, Default)]
struct Begun(Arc<Mutex<Vec<PinnedFuture<()>>>>);

impl Begun {
    fn add(&self, task: PinnedFuture<()>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    fn take(&self) -> Vec<PinnedFuture<()>> {
        take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

tokio::task_local! {
    /// Those of the request that is running.
    static BEGUN: Begun;
}

/// Tasks of a request are its own; others are tokio's.
struct OfRequest;

impl CustomExecutor for OfRequest {
    fn spawn(&self, task: PinnedFuture<()>) {
        let task: PinnedFuture<()> = Box::pin(task.in_current_span());
        match BEGUN.try_with(Clone::clone) {
            Ok(begun) => begun.add(task),
            Err(_) => drop(tokio::spawn(task)),
        }
    }

    fn spawn_local(&self, task: PinnedLocalFuture<()>) {
        tokio::task::spawn_local(task.in_current_span());
    }

    fn poll_local(&self) {}
}

/// Has every task of a page run so. To be called before the first page is rendered: Leptos takes its own way otherwise.
pub fn of_their_request() {
    if Executor::init_custom_executor(OfRequest).is_err() {
        tracing::warn!("pages are rendered already: their tasks run by themselves");
    }
}

/// Answers a request, and runs what it spawns meanwhile. What the answer did not wait for goes on by itself.
pub(super) async fn together<T>(request: impl Future<Output = T>) -> T {
    let (begun, mut tasks, mut request) = (Begun::default(), FuturesUnordered::new(), pin!(request));
    let answered = poll_fn(|cx| {
        if let Poll::Ready(answer) = request.as_mut().poll(cx) {
            return Poll::Ready(answer);
        }
        loop {
            let one_ended = matches!(tasks.poll_next_unpin(cx), Poll::Ready(Some(())));
            // Behind it: what ran may have spawned more.
            let new = begun.take();
            if new.is_empty() && !one_ended {
                return Poll::Pending;
            }
            tasks.extend(new);
        }
    });
    let answer = BEGUN.scope(begun.clone(), answered).await;
    for task in tasks.into_iter().chain(begun.take()) {
        tokio::spawn(task);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use axum::routing::get;
    use futures_util::FutureExt;
    use leptos::prelude::*;
    use std::panic::AssertUnwindSafe;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use tower::ServiceExt;

    const SOON: Duration = Duration::from_secs(10);

    /// The pages of these tests share the process.
    fn begin() {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(of_their_request);
    }

    /// What a page of this application answers; an error when it panicked.
    async fn rendered<V: IntoView + 'static>(app: fn() -> V) -> Result<String, ()> {
        let page = Router::new().route("/", get(leptos_axum::render_app_async(app)));
        let asked = together(async {
            let answer = page.oneshot(Request::new(Body::empty())).await.expect("it goes well");
            String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await.expect("it goes well").to_vec()).expect("it goes well")
        });
        tokio::time::timeout(SOON, AssertUnwindSafe(asked).catch_unwind()).await.expect("the page hangs").map_err(drop)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_page_whose_task_panics_does_not_hang() {
        fn told_to() -> impl IntoView {
            let found = Resource::new(
                || (),
                |()| async {
                    tokio::task::yield_now().await;
                    panic!("told to");
                    #[expect(unreachable_code, reason = "says of which type it is")]
                    String::new()
                },
            );
            view! { <Suspense>{move || Suspend::new(found)}</Suspense> }
        }
        begin();
        assert_eq!(rendered(told_to).await, Err(()));
    }

    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    static AT_ONCE: AtomicUsize = AtomicUsize::new(0);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pages_tasks_never_run_beside_it() {
        fn many() -> impl IntoView {
            let found = |n: usize| {
                Resource::new(
                    move || n,
                    |n| async move {
                        for _ in 0..5 {
                            AT_ONCE.fetch_max(RUNNING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            std::thread::sleep(Duration::from_millis(1));
                            RUNNING.fetch_sub(1, Ordering::SeqCst);
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                        format!("<{n}>")
                    },
                )
            };
            let all: Vec<_> = (0..8).map(found).collect();
            view! { <Suspense>{move || all.iter().map(|found| Suspend::new(*found)).collect::<Vec<_>>()}</Suspense> }
        }
        begin();
        let page = rendered(many).await.expect("it is whole");
        assert!((0..8).all(|n| page.contains(&format!("&lt;{n}&gt;"))), "{page}");
        assert_eq!(AT_ONCE.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_task_may_wait_for_one_that_it_spawned_later() {
        begin();
        let (tell, told) = tokio::sync::oneshot::channel();
        let answer = together(async {
            Executor::spawn(async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                let (tell_first, told_first) = tokio::sync::oneshot::channel();
                Executor::spawn(async { tell_first.send("done").expect("it goes well") });
                tell.send(told_first.await.expect("it goes well")).expect("it goes well");
            });
            told.await.expect("it goes well")
        });
        assert_eq!(tokio::time::timeout(SOON, answer).await.expect("it hangs"), "done");
    }

    #[tokio::test]
    async fn what_the_answer_does_not_wait_for_goes_on() {
        begin();
        let (tell, told) = tokio::sync::oneshot::channel();
        let answer = together(async {
            Executor::spawn(async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Executor::spawn(async {
                    tell.send("done").expect("it goes well");
                });
            });
            "answered"
        });
        assert_eq!(answer.await, "answered");
        assert_eq!(tokio::time::timeout(SOON, told).await.expect("it goes well").expect("it goes well"), "done");
    }
}
