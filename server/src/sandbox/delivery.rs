//! How RingCentral calls an address: the handshake when a subscription is made, and the events.
//!
//! The one rule: an answer counts when it is a 200 within three seconds; nothing is ever sent a second time.

use super::Sandbox;
use super::event::Delivery;
use super::journal::{Entry, Kind};
use super::subscription::Subscription;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, USER_AGENT};
use std::time::Duration;
use switchyard::clock::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const VALIDATION: &str = "validation-token";
const VERIFICATION: &str = "verification-token";
const AGENT: &str = "RingCentral-Webhook/8.3";
const TIME_OUT: Duration = Duration::from_secs(3);
/// Head and body of the handshake's answer together (developer guide).
const LONGEST_ANSWER: usize = 1_024;
/// Deliveries under way, all addresses together.
const AT_ONCE: usize = 32;

impl Sandbox {
    /// Asks the address whether it takes events. `Err` is what RingCentral says of one that does not.
    pub(super) async fn handshake(&self, wanted: &Subscription) -> Result<(), &'static str> {
        let token = self.uuid();
        let mut request = self
            .0
            .http
            .post(&*wanted.address)
            .header(USER_AGENT, AGENT)
            .header(VALIDATION, &token)
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, 0)
            .timeout(TIME_OUT);
        if let Some(verification) = &wanted.verification_token {
            request = request.header(VERIFICATION, &**verification);
        }
        let mut status = 0;
        let shaken = match request.send().await {
            Err(_) => Err("WebHook is not reachable"),
            Ok(mut answer) => {
                status = answer.status().as_u16();
                let returned = answer.headers().get(VALIDATION).is_some_and(|value| value == token.as_str());
                let mut length = length_of(answer.headers());
                while length <= LONGEST_ANSWER
                    && let Ok(Some(chunk)) = answer.chunk().await
                {
                    length += chunk.len();
                }
                let good = status == 200 && returned && length <= LONGEST_ANSWER;
                if good { Ok(()) } else { Err("WebHook server response is invalid") }
            }
        };
        self.locked(|core, now| {
            let entry = Entry {
                owner: Some(wanted.owner.clone()),
                subscription_id: Some(wanted.id.clone()),
                to: Some(wanted.address.clone()),
                status,
                accepted: shaken.is_ok(),
                answer_lost: status == 0,
                ..Entry::new(Kind::Handshake, now)
            };
            core.record(entry, None);
        });
        shaken
    }

    /// Sends what waits until the end, a bounded number at a time.
    pub(super) async fn run_events(&self, shutdown: &CancellationToken) {
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(delivery) = self.locked(|core, now| core.events.take(now))
            {
                let sandbox = self.clone();
                running.spawn(async move { sandbox.deliver(delivery).await });
            }
            let pause = self.event_pause();
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = running.join_next() => {}
                () = self.0.event_bell.notified() => {}
                () = tokio::time::sleep(pause), if running.len() < AT_ONCE => {}
            }
        }
    }

    /// Sends every event whose time has come, one after the other, and returns how many were taken.
    pub(super) async fn deliver_events(&self) -> usize {
        let mut taken = 0;
        while let Some(delivery) = self.locked(|core, now| core.events.take(now)) {
            taken += usize::from(self.deliver(delivery).await);
        }
        taken
    }

    /// How long nothing happens unless the bell rings. A manual clock does not run: whoever moves it also looks.
    fn event_pause(&self) -> Duration {
        let hour = Duration::from_secs(3_600);
        if !matches!(self.0.clock, Clock::System) {
            return hour;
        }
        self.locked(|core, now| {
            let times = [core.events.next_time(), core.subscriptions.next_at];
            times.into_iter().flatten().map(|at| at.since(now)).min().unwrap_or(hour).clamp(Duration::from_millis(1), hour)
        })
    }

    /// Sends an event once; says whether it was taken.
    async fn deliver(&self, delivery: Delivery) -> bool {
        let to = self.locked(|core, _| {
            let to = core.subscriptions.get(&delivery.subscription_id).filter(|one| one.blacklisted.is_none()).cloned();
            if to.is_none() {
                core.events.landed(&delivery.subscription_id);
            }
            to
        });
        let Some(to) = to else { return false };
        let mut request = self
            .0
            .http
            .post(&*to.address)
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json; charset=UTF-8")
            .timeout(TIME_OUT)
            .body(delivery.envelope.to_string());
        if let Some(verification) = &to.verification_token {
            request = request.header(VERIFICATION, &**verification);
        }
        let sent = request.send().await;
        let status = sent.as_ref().map_or(0, |answer| answer.status().as_u16());
        let failure = match &sent {
            Ok(_) if status == 200 => None,
            Ok(answer) => {
                let reason = answer.status().canonical_reason().unwrap_or_default();
                Some(format!("Webhook responses with code: [{status}], reason: [{reason}]"))
            }
            Err(error) if error.is_timeout() => Some("I/O operation is failed. Details: [Read timed out]".to_owned()),
            Err(_) => Some("I/O operation is failed. Details: [Connection refused]".to_owned()),
        };
        self.locked(|core, now| {
            let entry = Entry { at: now, status, accepted: failure.is_none(), answer_lost: status == 0, ..delivery.entry };
            core.record(entry, None);
            core.events.landed(&delivery.subscription_id);
            core.delivered(&delivery.subscription_id, failure.as_deref(), now);
        });
        failure.is_none()
    }
}

/// The length of a head as it came: `name: value` and a line's end for each.
fn length_of(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
