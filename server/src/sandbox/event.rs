//! Events: what a change is called, who hears of it, and the deliveries that wait for their turn.
//!
//! The one rule: each event is tried once (no retry is documented): one that is not taken within the time-out is lost.

use super::chat::Chat;
use super::fault::What;
use super::filter::Filter;
use super::journal::{Entry, Kind};
use super::posts::post_json;
use super::state::{Change, Core};
use super::subscription::Subscription;
use super::{Id, Text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use switchyard::types::Timestamp;

/// An event that was told to be overtaken goes out by itself after this long.
const OVERTAKEN_WITHIN: Duration = Duration::from_secs(5);

/// A change that subscribers may hear of, noted before it is made: afterwards a deleted chat has no members.
pub(super) struct News {
    what: &'static str,
    chat_id: Id,
    post_id: Option<Id>,
    audience: Vec<Text>,
}

impl News {
    pub fn of(core: &Core, change: &Change) -> Option<Self> {
        let members = |id: &Id| core.chats.get(id).map(|chat| chat.team.members.clone()).unwrap_or_default();
        let news = |what, chat_id: &Id, post_id, audience| Some(Self { what, chat_id: *chat_id, post_id, audience });
        match change {
            Change::PostAdded(post) => news("PostAdded", &post.chat_id, Some(post.id), members(&post.chat_id)),
            Change::PostEdited { chat_id, post_id, .. } => news("PostChanged", chat_id, Some(*post_id), members(chat_id)),
            Change::PostDeleted { chat_id, post_id } => news("PostRemoved", chat_id, Some(*post_id), members(chat_id)),
            Change::TeamCreated(team) => news("GroupJoined", &team.id, None, team.members.clone()),
            Change::TeamStatus { chat_id, .. } | Change::TeamEdited { chat_id, .. } => {
                news("GroupChanged", chat_id, None, members(chat_id))
            }
            Change::MembersAdded { chat_id, members, .. } => news("GroupJoined", chat_id, None, members.clone()),
            Change::MembersRemoved { chat_id, members, .. } => news("GroupLeft", chat_id, None, members.clone()),
            Change::TeamDeleted { chat_id } => news("GroupLeft", chat_id, None, members(chat_id)),
            _ => None,
        }
    }

    /// The event's body, once the change is made.
    fn body(&self, core: &Core) -> Value {
        let chat = core.chats.get(&self.chat_id);
        let mut body = match self.post_id {
            // A removed post has no more than its id.
            Some(id) => chat.and_then(|chat| chat.post(id)).map_or_else(|| json!({ "id": id }), post_json),
            None => chat.map_or_else(|| json!({ "id": self.chat_id }), chat_body),
        };
        body["eventType"] = self.what.into();
        body
    }
}

/// A chat as events have it: members are bare ids here, and `public` has another name.
fn chat_body(chat: &Chat) -> Value {
    json!({
        "id": chat.team.id,
        "name": Some(&chat.team.name).filter(|name| !name.is_empty()),
        "description": chat.team.description,
        "type": chat.team.kind.word(),
        "status": if chat.archived { "Archived" } else { "Active" },
        "members": chat.team.members,
        "isPublic": chat.team.public,
        "creationTime": chat.team.created_at.rfc3339(),
        "lastModifiedTime": chat.modified_at.rfc3339(),
    })
}

/// One event on its way to one address.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub subscription_id: Text,
    pub envelope: Value,
    /// What the journal will say of it.
    pub entry: Entry,
}

#[derive(Default)]
struct Queue {
    waiting: BTreeMap<(Timestamp, u64), Delivery>,
    in_flight: usize,
    /// The place of one that is to be overtaken by the next.
    overtaken: Option<(Timestamp, u64)>,
}

/// The deliveries that wait, by subscription.
pub(super) struct Events {
    queues: BTreeMap<Text, Queue>,
    /// How many deliveries to one address may be under way: one keeps them in order.
    pub at_once: usize,
    last: u64,
    ring: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self { queues: BTreeMap::new(), at_once: 1, last: 0, ring: false }
    }
}

impl Events {
    fn put(&mut self, delivery: Delivery, due: Timestamp) {
        self.last += 1;
        self.queues.entry(delivery.subscription_id.clone()).or_default().waiting.insert((due, self.last), delivery);
        self.ring = true;
    }

    fn put_overtaken(&mut self, delivery: Delivery, now: Timestamp) {
        let (id, due) = (delivery.subscription_id.clone(), now.plus(OVERTAKEN_WITHIN));
        self.put(delivery, due);
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.overtaken = Some((due, self.last));
        }
    }

    /// Takes out the one that was to be overtaken: it goes in again behind the next.
    fn overtaken(&mut self, id: &Text) -> Option<Delivery> {
        let queue = self.queues.get_mut(id)?;
        queue.waiting.remove(&queue.overtaken.take()?)
    }

    /// The next delivery whose time has come and whose address is free.
    pub fn take(&mut self, now: Timestamp) -> Option<Delivery> {
        let at_once = self.at_once;
        let ready =
            |queue: &&mut Queue| queue.in_flight < at_once && queue.waiting.first_key_value().is_some_and(|((due, _), _)| *due <= now);
        let queue = self.queues.values_mut().find(ready)?;
        let (place, delivery) = queue.waiting.pop_first()?;
        queue.overtaken = queue.overtaken.filter(|overtaken| *overtaken != place);
        queue.in_flight += 1;
        Some(delivery)
    }

    /// The address of this subscription is free again.
    pub fn landed(&mut self, id: &Text) {
        if let Some(queue) = self.queues.get_mut(id) {
            queue.in_flight = queue.in_flight.saturating_sub(1);
            if queue.in_flight == 0 && queue.waiting.is_empty() {
                self.queues.remove(id);
            }
        }
    }

    /// Drops what waits for a subscription that takes nothing any more.
    pub fn forget(&mut self, id: &Text) {
        if let Some(queue) = self.queues.get_mut(id) {
            queue.waiting.clear();
            queue.overtaken = None;
        }
    }

    pub fn take_bell(&mut self) -> bool {
        std::mem::take(&mut self.ring)
    }

    /// When the next delivery is due, at an address that is free.
    pub fn next_time(&self) -> Option<Timestamp> {
        let free = self.queues.values().filter(|queue| queue.in_flight < self.at_once);
        free.filter_map(|queue| queue.waiting.first_key_value()).map(|((due, _), _)| *due).min()
    }

    /// How many wait or are under way.
    pub fn waiting(&self) -> usize {
        self.queues.values().map(|queue| queue.waiting.len() + queue.in_flight).sum()
    }
}

impl Core {
    /// Tells everyone who subscribed to it of a change that was just made.
    pub fn announce(&mut self, news: News, now: Timestamp) {
        let wanted = if news.post_id.is_some() { Filter::Posts } else { Filter::Chats };
        let hears = |one: &Subscription| one.blacklisted.is_none() && news.audience.contains(&one.owner);
        let to: Vec<_> = self.subscriptions.iter().filter(|one| hears(one)).cloned().collect();
        if to.is_empty() {
            return;
        }
        let body = news.body(self);
        for one in to {
            for filter in matching(&one, wanted) {
                self.queue_event(&one, &filter, news.what, body.clone(), (Some(news.chat_id), news.post_id), now);
            }
        }
    }

    /// Tells everyone of this user (of all users, if none is named) who subscribed to `wanted`. Returns how many events it made.
    pub fn tell(&mut self, wanted: Filter, owner: Option<&Text>, what: &str, body: impl Fn(&Text) -> Value, now: Timestamp) -> usize {
        let hears = |one: &Subscription| one.blacklisted.is_none() && owner.is_none_or(|owner| *owner == one.owner);
        let to: Vec<_> = self.subscriptions.iter().filter(|one| hears(one)).cloned().collect();
        let mut made = 0;
        for one in to {
            for filter in matching(&one, wanted) {
                if super::filter::allows(&filter, "type", what) {
                    self.queue_event(&one, &filter, what, body(&one.owner), (None, None), now);
                    made += 1;
                }
            }
        }
        made
    }

    /// Queues one event for one filter of one subscription; here it meets its fault.
    pub fn queue_event(
        &mut self,
        to: &Subscription,
        filter: &Text,
        what: &str,
        body: Value,
        (chat_id, post_id): (Option<Id>, Option<Id>),
        now: Timestamp,
    ) {
        let uuid = Text::from(self.next_id().to_string());
        let text = body.get("text").and_then(Value::as_str).map(str::to_owned);
        let entry = Entry {
            owner: Some(to.owner.clone()),
            subscription_id: Some(to.id.clone()),
            event_id: Some(uuid.clone()),
            chat_id,
            post_id,
            text: Some(what.into()),
            ..Entry::new(Kind::EventDelivery, now)
        };
        let envelope = json!({
            "uuid": uuid,
            "event": filter,
            "timestamp": now.rfc3339(),
            "subscriptionId": to.id,
            "ownerId": to.owner,
            "body": body,
        });
        let delivery = Delivery { subscription_id: to.id.clone(), envelope, entry };
        let overtaken = self.events.overtaken(&to.id);
        match self.faults.meet(Kind::EventDelivery, Some(text.as_deref().unwrap_or(what))) {
            Some(What::DropEvent) => self.record(Entry { kind: Kind::EventDropped, ..delivery.entry }, None),
            Some(What::DelayEvent { ms }) => self.events.put(delivery, now.plus(Duration::from_millis(ms))),
            Some(What::DoubleEvent) => {
                self.events.put(delivery.clone(), now);
                self.events.put(delivery, now);
            }
            Some(What::OvertakeEvent) => self.events.put_overtaken(delivery, now),
            _ => self.events.put(delivery, now),
        }
        if let Some(overtaken) = overtaken {
            self.events.put(overtaken, now);
        }
    }
}

/// The filters of a subscription that ask for this.
fn matching(one: &Subscription, wanted: Filter) -> Vec<Text> {
    let asks = |filter: &&Text| Filter::read(filter, &one.owner, &one.id).is_some_and(|(_, asks)| asks == wanted);
    one.filters.iter().filter(asks).cloned().collect()
}
