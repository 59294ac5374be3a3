//! Webhook subscriptions: what is subscribed to, until when, and what became of the address.
//!
//! The one rule: an expired subscription is gone, not remembered (developer guide): whoever asks for it gets a 404.

use super::Text;
use super::filter::Filter;
use super::journal::{Entry, Kind};
use super::state::{Change, Core};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use switchyard::types::Timestamp;

/// Unless asked for at the top level of the body (OpenAPI; 7 days less the second that it takes).
pub(super) const USUAL_SECONDS: u64 = 604_799;
/// Ten years (OpenAPI, WebHook).
pub(super) const MOST_SECONDS: u64 = 315_360_000;
/// For one user and app (developer guide).
pub(super) const MOST: usize = 30;

/// A webhook subscription, as the control API shows it and the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// A UUID.
    pub id: Text,
    /// The extension id of who subscribed.
    pub owner: Text,
    /// The app.
    pub client_id: Text,
    /// Event filters, with every `~` resolved.
    pub filters: Vec<Text>,
    /// Where events go.
    pub address: Text,
    /// Sent along with every event, never shown to who asks for the subscription.
    pub verification_token: Option<Text>,
    /// Microseconds since 1970 in JSON, as the next one.
    pub created_at: Timestamp,
    /// It is gone from then on.
    pub expires_at: Timestamp,
    /// What a renewal gives anew, in seconds.
    pub lifetime: u64,
    /// Since when, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blacklisted: Option<(Timestamp, Text)>,
}

impl Subscription {
    /// Lets it live this much longer from now.
    pub(super) fn renew(&mut self, seconds: u64, now: Timestamp) {
        self.lifetime = seconds;
        self.expires_at = now.plus(Duration::from_secs(seconds));
    }

    /// The threshold and the interval of its reminders, if it wants any.
    fn reminders(&self) -> Option<(Text, Duration, Duration)> {
        if self.blacklisted.is_some() {
            return None;
        }
        self.filters.iter().find_map(|filter| match Filter::read(filter, &self.owner, &self.id) {
            Some((_, Filter::Reminder { threshold, interval })) => {
                Some((filter.clone(), Duration::from_secs(threshold), Duration::from_secs(interval)))
            }
            _ => None,
        })
    }

    /// RingCentral's `SubscriptionInfo`; the verification token is write-only.
    pub(super) fn json(&self, base: &str, now: Timestamp) -> Value {
        let mut value = json!({
            "uri": format!("{base}/restapi/v1.0/subscription/{}", self.id),
            "id": self.id,
            "eventFilters": self.filters,
            "disabledFilters": [],
            "expirationTime": self.expires_at.rfc3339(),
            "expiresIn": self.expires_at.since(now).as_secs().max(1),
            "status": if self.blacklisted.is_some() { "Blacklisted" } else { "Active" },
            "creationTime": self.created_at.rfc3339(),
            "deliveryMode": { "transportType": "WebHook", "encryption": false, "address": self.address },
        });
        if let Some((at, reason)) = &self.blacklisted {
            value["blacklistedData"] = json!({ "blacklistedAt": at.rfc3339(), "reason": reason });
        }
        value
    }
}

/// How a subscription is doing; forgotten at a restart.
#[derive(Default)]
struct Health {
    failing_since: Option<Timestamp>,
    reminded_at: Option<Timestamp>,
}

/// All subscriptions that live.
pub(super) struct Book {
    all: BTreeMap<Text, (Subscription, Health)>,
    /// When something happens next that no call causes: an expiry, or a reminder.
    pub next_at: Option<Timestamp>,
    /// How long an address may fail before its subscription is blacklisted (RingCentral staff: ten minutes).
    pub patience: Duration,
}

impl Default for Book {
    fn default() -> Self {
        Self { all: BTreeMap::new(), next_at: None, patience: Duration::from_secs(600) }
    }
}

impl Book {
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn get(&self, id: &str) -> Option<&Subscription> {
        self.all.get(id).map(|(subscription, _)| subscription)
    }

    /// By id, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.all.values().map(|(subscription, _)| subscription)
    }

    /// Those of one user in one app, the oldest first.
    pub fn of(&self, owner: &Text, client_id: &Text) -> Vec<&Subscription> {
        let mut own: Vec<_> = self.iter().filter(|one| one.owner == *owner && one.client_id == *client_id).collect();
        own.sort_by_key(|one| one.created_at);
        own
    }

    pub fn put(&mut self, subscription: Subscription) {
        let health = self.all.remove(&subscription.id).map(|(_, health)| health).unwrap_or_default();
        // A renewal begins the reminders anew.
        let health = Health { reminded_at: None, ..health };
        self.all.insert(subscription.id.clone(), (subscription, health));
        self.look_ahead();
    }

    pub fn remove(&mut self, id: &Text) {
        self.all.remove(id);
        self.look_ahead();
    }

    fn look_ahead(&mut self) {
        let next = |(one, health): &(Subscription, Health)| {
            let reminder = one.reminders().map(|(_, threshold, interval)| match health.reminded_at {
                Some(at) => at.plus(interval),
                None => one.expires_at.minus(threshold),
            });
            reminder.map_or(one.expires_at, |at| at.min(one.expires_at))
        };
        self.next_at = self.all.values().map(next).min();
    }
}

impl Core {
    /// Lets the subscriptions expire whose time has come, and sends the reminders that are due.
    pub fn settle_subscriptions(&mut self, now: Timestamp) {
        if self.subscriptions.next_at.is_none_or(|next| next > now) {
            return;
        }
        let expired: Vec<_> = self.subscriptions.iter().filter(|one| one.expires_at <= now).cloned().collect();
        for one in expired {
            let entry = about(&one, Kind::SubscriptionExpired, now);
            self.record(entry, Some(Change::Unsubscribed { id: one.id }));
        }
        let mut due = Vec::new();
        for (one, health) in self.subscriptions.all.values_mut() {
            let Some((filter, threshold, interval)) = one.reminders() else { continue };
            let from = health.reminded_at.map_or(one.expires_at.minus(threshold), |at| at.plus(interval));
            // One reminder, however far the clock has jumped.
            if from <= now {
                health.reminded_at = Some(now);
                due.push((one.clone(), filter));
            }
        }
        self.subscriptions.look_ahead();
        for (one, filter) in due {
            let body = json!({
                "id": one.id,
                "status": "Active",
                "expirationTime": one.expires_at.rfc3339(),
                "expiresIn": one.expires_at.since(now).as_secs(),
            });
            self.queue_event(&one, &filter, "Reminder", body, (None, None), now);
        }
    }

    /// Notes how a delivery went; an address that has failed for too long gets no more.
    pub fn delivered(&mut self, id: &str, failure: Option<&str>, now: Timestamp) {
        let patience = self.subscriptions.patience;
        let Some((one, health)) = self.subscriptions.all.get_mut(id) else { return };
        let Some(reason) = failure else {
            health.failing_since = None;
            return;
        };
        let since = *health.failing_since.get_or_insert(now);
        if one.blacklisted.is_none() && now.since(since) >= patience {
            let one = one.clone();
            self.blacklist(one, reason, now);
        }
    }

    pub fn blacklist(&mut self, mut one: Subscription, reason: &str, now: Timestamp) {
        let entry = Entry { text: Some(reason.into()), ..about(&one, Kind::SubscriptionBlacklisted, now) };
        one.blacklisted = Some((now, reason.into()));
        self.events.forget(&one.id);
        self.record(entry, Some(Change::Subscribed(one)));
    }
}

/// An entry about a subscription that no call caused.
fn about(one: &Subscription, kind: Kind, now: Timestamp) -> Entry {
    let (owner, subscription_id) = (Some(one.owner.clone()), Some(one.id.clone()));
    Entry { owner, subscription_id, accepted: true, ..Entry::new(kind, now) }
}
