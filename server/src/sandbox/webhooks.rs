//! The carrier's webhooks: signed, sent a bounded number at a time, and tried again with growing pauses until a 2xx.
//!
//! The one rule: a webhook is forgotten only when the product has answered it, and that is written to the journal.

use super::Sandbox;
use super::carrier::Webhook;
use super::journal::Entry;
use super::state::Change;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::Write;
use std::time::{Duration, Instant};
use switchyard::clock::Clock;
use switchyard::types::Timestamp;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// The header that a webhook is signed in.
pub const SIGNATURE: &str = "switchyard-signature";

const AT_ONCE: usize = 16;
const TIME_OUT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// The value of `Switchyard-Signature` for a body sent at this time.
pub fn sign(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.0.div_euclid(1_000_000);
    let mut value = format!("t={seconds},v1=");
    // HMAC takes a key of any length (RFC 2104), so this cannot fail.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            let _ = write!(value, "{byte:02x}");
        }
    }
    value
}

impl Sandbox {
    /// Starts the task that sends webhooks and events. At shutdown it ends, and with it every answer that a fault holds back for good.
    pub fn spawn_webhooks(&self, shutdown: CancellationToken) -> JoinHandle<()> {
        let sandbox = self.clone();
        tokio::spawn(async move {
            tokio::join!(sandbox.run_webhooks(&shutdown), sandbox.run_events(&shutdown));
            sandbox.0.ended.cancel();
        })
    }

    async fn run_webhooks(&self, shutdown: &CancellationToken) {
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(webhook) = self.due_webhook()
            {
                let sandbox = self.clone();
                running.spawn(async move { sandbox.try_webhook(webhook).await });
            }
            let pause = self.pause();
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = running.join_next() => {}
                () = self.0.bell.notified() => {}
                () = tokio::time::sleep(pause), if running.len() < AT_ONCE => {}
            }
        }
    }

    /// Sends every webhook and event whose time has come, one after the other, and returns how many were taken. For tests that
    /// move the clock and do not start the task.
    pub async fn deliver_due(&self) -> usize {
        let mut answered = self.deliver_events().await;
        while let Some(webhook) = self.due_webhook() {
            let status = self.try_webhook(webhook).await;
            answered += usize::from(status.is_some_and(|status| (200..300).contains(&status)));
        }
        answered
    }

    fn due_webhook(&self) -> Option<Webhook> {
        self.locked(|core, _| core.carrier.take_webhook())
    }

    /// How long to wait when nothing rings the bell.
    fn pause(&self) -> Duration {
        let hour = Duration::from_secs(3_600);
        self.locked(|core, now| {
            let (outbox, delayed) = core.carrier.next_times();
            let outbox = outbox.map(|at| at.saturating_duration_since(Instant::now()));
            // A manual clock does not run: whoever moves it also looks.
            let delayed = delayed.filter(|_| matches!(self.0.clock, Clock::System)).map(|due| due.since(now));
            [outbox, delayed].into_iter().flatten().min().unwrap_or(hour).min(hour)
        })
    }

    /// Sends a webhook once. Unless it is answered with a 2xx it goes back into the outbox.
    pub(super) async fn try_webhook(&self, webhook: Webhook) -> Option<u16> {
        let (message, base) = self.locked(|core, _| core.carrier.addressed(webhook))?;
        let (kind, path, body) = message.webhook();
        let body = body.to_string();
        let signature = sign(&self.0.webhook_secret, self.0.clock.now(), body.as_bytes());
        let sent = self
            .0
            .http
            .post(format!("{base}/webhooks/carrier/{}/{path}", self.0.carrier_name))
            .header(SIGNATURE, signature)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .timeout(TIME_OUT)
            .body(body)
            .send()
            .await;
        let status = sent.ok().map(|answer| answer.status().as_u16());
        let answered = status.is_some_and(|status| (200..300).contains(&status));
        self.locked(|core, now| {
            let entry = Entry {
                message_id: Some(message.id.clone()),
                reference: message.reference.clone(),
                from: Some(message.from.clone()),
                to: message.to.first().cloned(),
                status: status.unwrap_or(0),
                accepted: answered,
                answer_lost: status.is_none(),
                ..Entry::new(kind, now)
            };
            core.record(entry, answered.then(|| Change::Told { id: message.id.clone() }));
            if !answered {
                let pause = FIRST_PAUSE.saturating_mul(1 << webhook.tries.min(10)).min(LONGEST_PAUSE);
                core.carrier.send(Webhook { tries: webhook.tries + 1, ..webhook }, pause);
            }
        });
        status
    }
}
