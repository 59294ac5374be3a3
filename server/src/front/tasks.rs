//! The tasks in which a page is rendered belong to its request: what they log carries its reference.

use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use tracing::Instrument;

/// tokio, with the span of whoever spawns.
struct InSpan;

impl CustomExecutor for InSpan {
    fn spawn(&self, task: PinnedFuture<()>) {
        tokio::spawn(task.in_current_span());
    }

    fn spawn_local(&self, task: PinnedLocalFuture<()>) {
        tokio::task::spawn_local(task.in_current_span());
    }

    fn poll_local(&self) {}
}

/// Has every task of a page run so. To be called before the first page is rendered: Leptos takes its own way otherwise.
pub fn of_their_request() {
    if Executor::init_custom_executor(InSpan).is_err() {
        tracing::warn!("pages are rendered already: what their tasks log carries no reference");
    }
}
