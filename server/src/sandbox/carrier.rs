//! The carrier: takes SMS and MMS over HTTP, tells what became of them, and has handsets that text back.
//! The one rule: a reference is sent once, however often it is handed over. It speaks Switchyard's carrier contract (`docs/carrier.md`)
//! under `/carrier`, and repeats its webhooks with growing pauses until they are answered with a 2xx.

use super::answer::{Answer, Call};
use super::journal::{Entry, Kind};
use super::state::{Change, Core};
use super::{Id, Sandbox, SandboxError, Text};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};
use switchyard::types::Timestamp;

/// A picture of an MMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where it can be fetched.
    pub url: String,
    /// Its media type.
    pub content_type: String,
}

/// One SMS or MMS, in either direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierMessage {
    /// The carrier's id.
    pub id: Text,
    /// The caller's reference; none for what a handset sent.
    pub reference: Option<Text>,
    /// The sender: a line, or a handset.
    pub from: Text,
    /// The receivers: a handset; or a line and the other numbers of a group text.
    pub to: Vec<Text>,
    /// The text.
    pub text: Text,
    /// The pictures.
    pub media: Vec<Media>,
    /// When it was sent; microseconds since 1970 in JSON.
    pub at: Timestamp,
    /// When its webhook is due, if later than at once.
    pub tell_at: Option<Timestamp>,
    /// Why it could not be delivered.
    pub failure: Option<String>,
    /// Whether the product has answered the webhook about it.
    pub told: bool,
}

impl CarrierMessage {
    /// Whether a handset sent it.
    pub fn from_handset(&self) -> bool {
        self.reference.is_none()
    }

    /// The id as a number.
    pub(super) fn number(&self) -> Option<Id> {
        self.id.parse().ok()
    }

    /// The path's end and the body of the webhook about it.
    pub(super) fn webhook(&self) -> (Kind, &'static str, Value) {
        if self.from_handset() {
            let body = json!({
                "id": self.id, "from": self.from, "to": self.to, "text": self.text,
                "media": self.media, "sent_at": self.at.rfc3339(),
            });
            return (Kind::InboundWebhook, "messages", body);
        }
        let status = if self.failure.is_some() { "failed" } else { "delivered" };
        let body = json!({
            "id": self.id, "reference": self.reference, "from": self.from,
            "status": status, "error": self.failure, "at": self.at.rfc3339(),
        });
        (Kind::StatusWebhook, "status", body)
    }

    fn handsets(&self) -> impl Iterator<Item = &Text> {
        let (sender, receivers) = match self.from_handset() {
            true => (Some(&self.from), self.to.get(1..).unwrap_or_default()),
            false => (None, self.to.as_slice()),
        };
        sender.into_iter().chain(receivers)
    }
}

/// A text to send from a handset. In JSON all but `from` and `to` may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandsetText {
    /// The handset.
    pub from: String,
    /// The line.
    pub to: String,
    /// The text.
    #[serde(default)]
    pub text: String,
    /// The other numbers of a group text.
    #[serde(default)]
    pub others: Vec<String>,
    /// Pictures: a link, or a name for which the sandbox paints one.
    #[serde(default)]
    pub media: Vec<String>,
    /// The webhook comes this much later, by the sandbox's clock; the time of sending in it stays now.
    #[serde(default)]
    pub delay_ms: Option<u64>,
}

/// What became of a handset's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The carrier's id.
    pub id: Text,
    /// How the product answered the webhook; `None` when it was delayed, has no address yet, or had no answer.
    pub webhook_status: Option<u16>,
}

/// A handset, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandsetSummary {
    /// Its number.
    pub number: Text,
    /// How many texts it has sent and received.
    pub messages: usize,
    /// The latest of them.
    pub last_text: Text,
    /// When that was; microseconds since 1970 in JSON.
    pub last_at: Timestamp,
}

/// A webhook that waits to be sent, or to be tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Webhook {
    /// Which message it is about.
    pub message: usize,
    /// How often it was tried.
    pub tries: u32,
}

/// All messages, and the webhooks about them that are still to be sent.
pub(super) struct Carrier {
    pub webhook_base: Option<String>,
    pub own_base: Option<String>,
    pub deliver_statuses: bool,
    messages: Vec<CarrierMessage>,
    by_id: HashMap<Text, usize>,
    by_reference: HashMap<Text, usize>,
    threads: BTreeMap<Text, Vec<usize>>,
    /// By the time from which they may be tried.
    outbox: BTreeMap<(Instant, u64), Webhook>,
    outbox_last: u64,
    /// Delayed by the sandbox's clock.
    delayed: BTreeMap<(Timestamp, usize), ()>,
    ring: bool,
}

impl Carrier {
    pub fn new(webhook_base: Option<String>, own_base: Option<String>, deliver_statuses: bool) -> Self {
        let trimmed = |base: Option<String>| base.map(|base| base.trim_end_matches('/').to_owned());
        Self {
            webhook_base: trimmed(webhook_base),
            own_base: trimmed(own_base),
            deliver_statuses,
            messages: Vec::new(),
            by_id: HashMap::new(),
            by_reference: HashMap::new(),
            threads: BTreeMap::new(),
            outbox: BTreeMap::new(),
            outbox_last: 0,
            delayed: BTreeMap::new(),
            ring: false,
        }
    }

    pub fn add(&mut self, message: CarrierMessage) {
        let place = self.messages.len();
        self.by_id.insert(message.id.clone(), place);
        if let Some(reference) = &message.reference {
            self.by_reference.insert(reference.clone(), place);
        }
        for number in message.handsets() {
            self.threads.entry(number.clone()).or_default().push(place);
        }
        self.messages.push(message);
    }

    pub fn told(&mut self, id: &str) {
        if let Some(message) = self.by_id.get(id).and_then(|place| self.messages.get_mut(*place)) {
            message.told = true;
        }
    }

    /// After a restart: what the product has not answered yet is to be sent again.
    pub fn queue_untold(&mut self, now: Timestamp) {
        for place in 0..self.messages.len() {
            if !self.messages[place].told {
                self.queue(place, now);
            }
        }
    }

    /// Queues the webhook about the message that was added last.
    pub fn queue_latest(&mut self, now: Timestamp) {
        if let Some(place) = self.messages.len().checked_sub(1) {
            self.queue(place, now);
        }
    }

    /// Puts the webhook about a message where it waits for its time.
    pub fn queue(&mut self, place: usize, now: Timestamp) {
        let message = &self.messages[place];
        match message.tell_at {
            Some(due) if due > now => {
                self.delayed.insert((due, place), ());
            }
            _ if message.from_handset() || self.deliver_statuses => self.send(Webhook { message: place, tries: 0 }, Duration::ZERO),
            _ => {}
        }
        self.ring = true;
    }

    /// Puts a webhook into the outbox, to be sent when `pause` is over.
    pub fn send(&mut self, webhook: Webhook, pause: Duration) {
        self.outbox_last += 1;
        self.outbox.insert((Instant::now() + pause, self.outbox_last), webhook);
        self.ring = true;
    }

    pub fn settle(&mut self, now: Timestamp) {
        while let Some((&(due, place), ())) = self.delayed.first_key_value() {
            if due > now {
                break;
            }
            self.delayed.remove(&(due, place));
            self.send(Webhook { message: place, tries: 0 }, Duration::ZERO);
        }
    }

    /// Whether something new waits to be sent since this was last asked.
    pub fn take_bell(&mut self) -> bool {
        std::mem::take(&mut self.ring)
    }

    /// The next webhook whose time has come; none while there is no address to send it to.
    pub fn take_webhook(&mut self) -> Option<Webhook> {
        self.webhook_base.as_ref()?;
        self.outbox.first_entry().filter(|first| first.key().0 <= Instant::now()).map(|first| first.remove())
    }

    /// The message that a webhook is about, and where the webhook goes.
    pub fn addressed(&self, webhook: Webhook) -> Option<(CarrierMessage, String)> {
        Some((self.messages.get(webhook.message)?.clone(), self.webhook_base.clone()?))
    }

    /// When the next webhook may be tried, and when the next delayed one is due.
    pub fn next_times(&self) -> (Option<Instant>, Option<Timestamp>) {
        let outbox = self.webhook_base.as_ref().and(self.outbox.first_key_value()).map(|((at, _), _)| *at);
        (outbox, self.delayed.first_key_value().map(|((due, _), ())| *due))
    }

    pub fn by_id(&self, id: &str) -> Option<(usize, &CarrierMessage)> {
        self.by_id.get(id).map(|place| (*place, &self.messages[*place]))
    }

    /// What a handset sent and received, oldest first.
    pub fn thread(&self, number: &str) -> impl Iterator<Item = &CarrierMessage> {
        self.threads.get(number).into_iter().flatten().map(|place| &self.messages[*place])
    }

    pub fn summaries(&self, search: &str, limit: usize) -> Vec<HandsetSummary> {
        let mut latest: Vec<(usize, &Text, usize)> = self
            .threads
            .iter()
            .filter(|(number, _)| number.contains(search))
            .filter_map(|(number, places)| places.last().map(|last| (*last, number, places.len())))
            .collect();
        latest.sort_unstable_by_key(|(last, ..)| std::cmp::Reverse(*last));
        let summary = |(last, number, messages): (usize, &Text, usize)| {
            let last = &self.messages[last];
            HandsetSummary { number: number.clone(), messages, last_text: last.text.clone(), last_at: last.at }
        };
        latest.into_iter().take(limit).map(summary).collect()
    }
}

pub(super) fn routes() -> Router<Sandbox> {
    Router::new().route("/carrier/v1/messages", axum::routing::post(take_message))
}

/// E.164, or a short code.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let lengths = if text.starts_with('+') { 7..=15 } else { 3..=8 };
    lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[derive(Deserialize)]
struct NewMessage {
    reference: String,
    from: String,
    to: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    media: Vec<String>,
}

async fn take_message(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let new: Option<NewMessage> = serde_json::from_slice(&body).ok();
    let mut call = Call::new(Kind::Sms, &headers);
    if let Some(new) = &new {
        call.entry.reference = Some(new.reference.as_str().into());
        call.entry.from = Some(new.from.as_str().into());
        call.entry.to = Some(new.to.as_str().into());
        call.entry.text = Some(new.text.as_str().into());
    }
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
    let known = key.is_some_and(|(scheme, key)| scheme.eq_ignore_ascii_case("bearer") && key == sandbox.0.carrier_key);
    let check = |_: &mut Core, _: &mut Call, _| {
        if known { Ok(()) } else { Err(Answer::carrier_error(401, "unauthorized", "The key is not known")) }
    };
    sandbox.answer(call, check, |core, call, now| accept(core, call, new, now)).await
}

fn accept(core: &mut Core, call: &mut Call, new: Option<NewMessage>, now: Timestamp) -> Answer {
    let Some(new) = new else { return Answer::carrier_error(400, "refused", "The body is not a message as the contract has it") };
    let receipt =
        |message: &CarrierMessage| json!({ "id": message.id, "reference": message.reference, "accepted_at": message.at.rfc3339() });
    let reference = Text::from(new.reference);
    if let Some(place) = core.carrier.by_reference.get(&reference) {
        let message = &core.carrier.messages[*place];
        call.entry.message_id = Some(message.id.clone());
        return Answer { status: 200, body: Some(receipt(message)), accepted: false, change: None };
    }
    if reference.is_empty() {
        return Answer::carrier_error(422, "refused", "The reference is empty");
    }
    if !is_number(&new.from) || !is_number(&new.to) {
        return Answer::carrier_error(422, "invalid_number", "“from” and “to” are E.164 numbers or short codes");
    }
    if new.text.is_empty() && new.media.is_empty() {
        return Answer::carrier_error(422, "refused", "There is neither a text nor a picture");
    }
    let message = CarrierMessage {
        id: core.next_id().to_string().into(),
        reference: Some(reference),
        from: new.from.into(),
        to: vec![new.to.into()],
        text: call.entry.text.clone().unwrap_or_else(|| "".into()),
        media: new.media.into_iter().map(|url| Media { url, content_type: "image/png".into() }).collect(),
        at: now,
        tell_at: None,
        failure: call.undeliverable.take(),
        told: false,
    };
    call.entry.message_id = Some(message.id.clone());
    Answer::changed(202, Some(receipt(&message)), Change::MessageAdded(message))
}

impl Sandbox {
    /// Sends a text from a handset to a line and waits for the product's answer to the webhook (unless it is delayed). A webhook
    /// that is not answered with a 2xx is tried again in the background.
    pub async fn send_from_handset(&self, text: HandsetText) -> Result<Sent, SandboxError> {
        for number in [&text.from, &text.to].into_iter().chain(&text.others) {
            if !is_number(number) {
                return Err(SandboxError::NotANumber(number.clone()));
            }
        }
        let delayed = text.delay_ms.is_some();
        let (id, webhook) = self.locked(|core, now| {
            let message = written(core, text, now);
            let entry = Entry {
                message_id: Some(message.id.clone()),
                from: Some(message.from.clone()),
                to: message.to.first().cloned(),
                text: Some(message.text.clone()),
                accepted: true,
                ..Entry::new(Kind::HandsetText, now)
            };
            let id = message.id.clone();
            core.record(entry, Some(Change::MessageAdded(message)));
            if delayed || core.carrier.webhook_base.is_none() {
                core.carrier.queue_latest(now);
                return (id, None);
            }
            let webhook = core.carrier.by_id(&id).map(|(message, _)| Webhook { message, tries: 0 });
            (id, webhook)
        });
        let webhook_status = match webhook {
            Some(webhook) => self.try_webhook(webhook).await,
            None => None,
        };
        Ok(Sent { id, webhook_status })
    }

    /// Repeats the webhook of a handset's text with the same id, as carriers do, and waits for the product's answer.
    pub async fn repeat_inbound(&self, id: &str) -> Result<Sent, SandboxError> {
        let found = self.locked(|core, _| {
            let (message, sent) = core.carrier.by_id(id).filter(|(_, sent)| sent.from_handset())?;
            Some((sent.id.clone(), Webhook { message, tries: 0 }))
        });
        let Some((id, webhook)) = found else { return Err(SandboxError::UnknownMessage(id.to_owned())) };
        let webhook_status = self.try_webhook(webhook).await;
        Ok(Sent { id, webhook_status })
    }
}

fn written(core: &mut Core, text: HandsetText, now: Timestamp) -> CarrierMessage {
    let own_base = core.carrier.own_base.clone().unwrap_or_default();
    let media = |name: String| {
        let url = if name.contains("://") { name } else { format!("{own_base}/media/{name}") };
        Media { url, content_type: "image/png".into() }
    };
    CarrierMessage {
        id: core.next_id().to_string().into(),
        reference: None,
        from: text.from.into(),
        to: std::iter::once(text.to).chain(text.others).map(Text::from).collect(),
        text: text.text.into(),
        media: text.media.into_iter().map(media).collect(),
        at: now,
        tell_at: text.delay_ms.map(|ms| now.plus(Duration::from_millis(ms))),
        failure: None,
        told: false,
    }
}
