//! The front door: takes connections, speaks TLS where it is told to, and cuts off whoever keeps a connection without using it.
//!
//! The rule: nobody outside decides how long they hold something of ours. Connecting, the head of a request, its body, its answer
//! and an answer that nobody reads each have their time. It is HTTP/1.1 alone: on a connection that carries many answers, one that
//! nobody reads would not be seen.

mod patience;
mod proxies;
mod request;
mod tasks;
mod tls;

pub use proxies::TrustedProxies;
pub use request::{Form, LARGEST_FORM, asked, is_plain_form, small};
pub use tasks::of_their_request;
pub use tls::Tls;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use patience::Patience;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::Layer;

/// No head of a request is longer, and no more of a body is read ahead.
const LONGEST_HEAD: usize = 64 * 1024;

/// How long and how much. The defaults are what an installation has.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at the same time; further ones wait to be accepted.
    pub connections: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the head of a request, from when the connection is ready for one: also how long an unused connection is kept.
    pub head: Duration,
    /// Between two parts of a request's body.
    pub body: Duration,
    /// For all of a file, and of a blast: over an ordinary line 100 MB take a while.
    pub upload: Duration,
    /// From the head of a request, or the end of what [`Limits::upload`] is for, to the head of its answer. What is streamed afterwards,
    /// events and files, is not counted.
    pub answer: Duration,
    /// For somebody who does not read an answer.
    pub unread: Duration,
    /// After being told to stop, for what is under way.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            body: Duration::from_secs(10),
            upload: Duration::from_secs(60 * 60),
            answer: Duration::from_secs(60),
            unread: Duration::from_secs(30),
            farewell: Duration::from_secs(75),
        }
    }
}

/// How the front door is set up.
#[derive(Debug, Clone, Default)]
pub struct Front {
    /// How long and how much.
    pub limits: Limits,
    /// TLS by this process; `None` when a proxy does it, or nobody.
    pub tls: Option<Tls>,
}

impl Front {
    /// Serves `router` on `listener` until told to stop, then finishes the requests under way.
    pub async fn serve(self, listener: TcpListener, router: Router, stop: CancellationToken) {
        let (slots, open, front) = (Arc::new(Semaphore::new(self.limits.connections)), GracefulShutdown::new(), Arc::new(self));
        loop {
            let taken = tokio::select! {
                () = stop.cancelled() => break,
                taken = take(&listener, &slots) => taken,
            };
            let Some((slot, stream, peer)) = taken else { continue };
            let (front, router, watcher) = (front.clone(), router.clone(), open.watcher());
            tokio::spawn(async move {
                front.connection(stream, peer, router, watcher).await;
                drop(slot);
            });
        }
        drop(listener);
        if tokio::time::timeout(front.limits.farewell, open.shutdown()).await.is_err() {
            tracing::warn!("some requests were not finished in time and are cut off");
        }
    }

    async fn connection(&self, stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
        // An answer is written as a whole: waiting for more to send with it only costs time.
        let _ = stream.set_nodelay(true);
        let stream = Patience::new(stream, self.limits.unread);
        match &self.tls {
            None => self.requests(TokioIo::new(stream), peer, router, watcher).await,
            Some(tls) => match tokio::time::timeout(self.limits.handshake, tls.acceptor().accept(stream)).await {
                Ok(Ok(stream)) => self.requests(TokioIo::new(stream), peer, router, watcher).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            },
        }
    }

    async fn requests(&self, io: impl Read + Write + Unpin + Send + 'static, peer: SocketAddr, router: Router, watcher: Watcher) {
        let service = TowerToHyperService::new(Extension(ConnectInfo(peer)).layer(router));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(self.limits.head).max_buf_size(LONGEST_HEAD);
        if let Err(error) = watcher.watch(http.serve_connection(io, service)).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// The next connection, as soon as there is room for it; `None` when it was gone already, or nothing can be accepted just now.
async fn take(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((slot, stream, peer)),
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused) => {
            None
        }
        Err(error) => {
            // No more files can be opened, most likely: those that end make room.
            tracing::error!(%error, "no connection can be accepted; trying again in a second");
            tokio::time::sleep(Duration::from_secs(1)).await;
            None
        }
    }
}
