//! A connection that ends when the other side does not take what is written to it.
//!
//! The rule: only the time counts in which a write waits for the other side. A write that stands still ends the connection, and so does
//! one side that takes next to nothing, drip by drip. Whoever reads slowly is waited for, and a connection that has nothing to write may
//! rest.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What is taken in a second of waiting at least, in bytes: the slowest of mobile lines takes several times as much.
const LEAST: u64 = 1_000;
/// It is looked at when so many times what one write may stand still was waited for.
const SPAN: u32 = 2;

/// The connection.
pub(super) struct Patience<S> {
    stream: S,
    lasts: Duration,
    end: Pin<Box<Sleep>>,
    /// Since when a write waits.
    since: Option<Instant>,
    /// How long writes have waited, and how much was taken meanwhile, since it was looked at.
    waited: Duration,
    taken: u64,
}

impl<S> Patience<S> {
    /// Waits so long for each write.
    pub(super) fn new(stream: S, lasts: Duration) -> Self {
        Self { stream, lasts, end: Box::pin(tokio::time::sleep(lasts)), since: None, waited: Duration::ZERO, taken: 0 }
    }

    /// What came of a write, so many bytes, or an error when it has stood still for too long.
    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let Poll::Ready(done) = written else { return self.waits(cx).map(Err) };
        let bytes = done?;
        self.waited += self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        self.taken += bytes as u64;
        if self.waited >= self.lasts * SPAN {
            if u128::from(self.taken) * 1_000 < u128::from(LEAST) * self.waited.as_millis() {
                return Poll::Ready(Err(too_slow()));
            }
            (self.waited, self.taken) = (Duration::ZERO, 0);
        }
        Poll::Ready(Ok(bytes))
    }

    /// An error when what is waited for has stood still for too long.
    fn waits(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            self.end.as_mut().reset(now + self.lasts);
        }
        self.end.as_mut().poll(cx).map(|()| too_slow())
    }

    /// What came of sending on what was written.
    fn ended(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        if done.is_pending() {
            return self.waits(cx).map(Err);
        }
        self.since = None;
        done
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the other side does not read")
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buffer);
        self.written(cx, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.ended(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.ended(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const LASTS: Duration = Duration::from_secs(2);

    /// Whether somebody who takes so many bytes ten times in a second is still served after so long.
    async fn is_served(bytes: usize, after: Duration) -> bool {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Patience::new(near, LASTS);
        let writes = async { while near.write_all(&[0; 1_000]).await.is_ok() {} };
        let reads = async {
            let mut drip = vec![0; bytes];
            while far.read_exact(&mut drip).await.is_ok() {
                tokio::time::sleep(LASTS / 20).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = writes => false,
            () = reads => true,
            () = tokio::time::sleep(after) => true,
        }
    }

    #[tokio::test]
    async fn who_takes_an_answer_by_drips_is_cut_off() {
        let after = LASTS * 10;
        let served = futures_util::future::join3(is_served(1, after), is_served(10, after), is_served(50, after)).await;
        assert_eq!(served, (false, false, false));
    }

    #[tokio::test]
    async fn who_takes_it_slowly_is_waited_for() {
        assert!(is_served(2_000, LASTS * (2 * SPAN + 1)).await);
    }
}
