//! `/restapi/v1.0/subscription`: made with a handshake, listed, changed, renewed, deleted.
//!
//! The one rule: the lifetime is asked for at the top level of the body; anywhere else it is ignored, as RingCentral does.

use super::answer::{Answer, Call, handshake_failed};
use super::asked::{Asked, body_as};
use super::filter::Filter;
use super::journal::Kind;
use super::limits::Group;
use super::state::{Change, Core};
use super::subscription::{MOST, MOST_SECONDS, Subscription, USUAL_SECONDS};
use super::{Sandbox, Text};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use switchyard::types::Timestamp;

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/restapi/v1.0/subscription", get(list).post(create))
        .route("/restapi/v1.0/subscription/{id}", get(read).put(change).delete(delete))
        .route("/restapi/v1.0/subscription/{id}/renew", post(renew))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Asking {
    event_filters: Option<Vec<String>>,
    expires_in: Option<i64>,
    delivery_mode: Option<Mode>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Mode {
    transport_type: Option<String>,
    address: Option<String>,
    verification_token: Option<Text>,
}

impl Asking {
    /// An empty body asks for nothing.
    fn read(body: &[u8]) -> Option<Self> {
        if body.trim_ascii().is_empty() { Some(Self::default()) } else { body_as(body) }
    }

    fn lifetime(&self, otherwise: u64) -> Result<u64, Answer> {
        let Some(given) = self.expires_in else { return Ok(otherwise) };
        let seconds = u64::try_from(given).ok().filter(|seconds| (1..=MOST_SECONDS).contains(seconds));
        seconds.ok_or_else(|| Answer::invalid("expiresIn", Some(&given.to_string())))
    }

    fn address(&self) -> Result<Text, Answer> {
        let mode = self.delivery_mode.as_ref().ok_or_else(|| Answer::invalid("deliveryMode", None))?;
        let transport = mode.transport_type.as_deref();
        if transport != Some("WebHook") {
            return Err(Answer::invalid("deliveryMode.transportType", transport));
        }
        let address = mode.address.as_deref().filter(|address| reqwest::Url::parse(address).is_ok_and(|url| url.has_host()));
        address.map(Text::from).ok_or_else(|| Answer::invalid("deliveryMode.address", mode.address.as_deref()))
    }

    /// The filters with their ids in place, each once. That one that is unknown refuses the whole call is an inference.
    fn filters(&self, owner: &Text, id: &str, lifetime: u64) -> Result<Vec<Text>, Answer> {
        let mut filters: Vec<Text> = Vec::new();
        for given in self.event_filters.as_deref().unwrap_or_default() {
            let refused = || Answer::parameter(400, "SUB-508", "Event filters are not valid", "eventFilters", Some(given));
            let (filter, asks) = Filter::read(given, owner, id).ok_or_else(refused)?;
            if !asks.fits(lifetime) {
                return Err(refused());
            }
            if !filters.contains(&filter.as_str().into()) {
                filters.push(filter.into());
            }
        }
        if filters.is_empty() { Err(Answer::invalid("eventFilters", None)) } else { Ok(filters) }
    }
}

/// What the call itself decides, before anybody is called back.
fn asked_for(asking: Option<Asking>, owner: &Text, app: &Text, id: &str, now: Timestamp) -> Result<Subscription, Answer> {
    let asking = asking.ok_or_else(Answer::unreadable)?;
    let lifetime = asking.lifetime(USUAL_SECONDS)?;
    let mut made = Subscription {
        id: id.into(),
        owner: owner.clone(),
        client_id: app.clone(),
        filters: asking.filters(owner, id, lifetime)?,
        address: asking.address()?,
        verification_token: asking.delivery_mode.and_then(|mode| mode.verification_token),
        created_at: now,
        expires_at: now,
        lifetime,
        blacklisted: None,
    };
    made.renew(lifetime, now);
    Ok(made)
}

async fn create(State(sandbox): State<Sandbox>, asked: Asked, body: Bytes) -> Response {
    let id = sandbox.uuid();
    let mut wanted = None;
    let check = |core: &mut Core, call: &mut Call, now| {
        asked.admitted(Group::Medium)(core, call, now)?;
        let app = call.app.clone().unwrap_or_else(|| "".into());
        let made = asked_for(Asking::read(&body), &call.owner(), &app, &id, now)?;
        if core.subscriptions.of(&made.owner, &made.client_id).len() >= MOST {
            return Err(Answer::error(403, "SUB-505", "Subscriptions limit exceeded"));
        }
        call.entry.to = Some(made.address.clone());
        wanted = Some(made);
        Ok(())
    };
    let call = match sandbox.admit(asked.call(Kind::Subscribe), check) {
        Ok(call) => call,
        Err(refused) => return *refused,
    };
    // Where a fault is to refuse the handshake, the address is not called.
    let refused = sandbox.locked(|core, _| core.faults.refuses_handshake());
    let shaken = match &wanted {
        Some(wanted) if !refused => sandbox.handshake(wanted).await,
        _ => Ok(()),
    };
    let base = asked.base();
    let act = |_: &mut Core, call: &mut Call, now| {
        let Some(mut made) = wanted else { return Answer::unreadable() };
        if let Err(message) = shaken {
            return handshake_failed(message);
        }
        made.renew(made.lifetime, now);
        call.entry.subscription_id = Some(made.id.clone());
        Answer::changed(200, Some(made.json(&base, now)), Change::Subscribed(made))
    };
    sandbox.answer(call, |_, _, _| Ok(()), act).await
}

async fn list(State(sandbox): State<Sandbox>, asked: Asked) -> Response {
    let base = asked.base();
    let act = |core: &mut Core, call: &mut Call, now| {
        let app = call.app.clone().unwrap_or_else(|| "".into());
        let own: Vec<_> = core.subscriptions.of(&call.owner(), &app).into_iter().map(|one| one.json(&base, now)).collect();
        Answer::ok(json!({ "uri": format!("{base}/restapi/v1.0/subscription"), "records": own }))
    };
    sandbox.answer(asked.call(Kind::SubscriptionList), asked.admitted(Group::Light), act).await
}

/// A call about one subscription: `act` gets it, if it is the caller's.
async fn about(
    sandbox: Sandbox,
    kind: Kind,
    id: String,
    asked: Asked,
    group: Group,
    act: impl FnOnce(Subscription, &str, Timestamp) -> Answer,
) -> Response {
    let mut call = asked.call(kind);
    call.entry.subscription_id = Some(id.as_str().into());
    let base = asked.base();
    let act = |core: &mut Core, call: &mut Call, now| {
        let own = core.subscriptions.get(&id).filter(|one| one.owner == call.owner() && Some(&one.client_id) == call.app.as_ref());
        own.cloned().map_or_else(|| Answer::missing("subscriptionId"), |one| act(one, &base, now))
    };
    sandbox.answer(call, asked.admitted(group), act).await
}

async fn read(State(sandbox): State<Sandbox>, Path(id): Path<String>, asked: Asked) -> Response {
    about(sandbox, Kind::SubscriptionGet, id, asked, Group::Light, |one, base, now| Answer::ok(one.json(base, now))).await
}

/// Changes filters and lifetime; an empty body renews. The address cannot be changed: what is said of it is ignored.
async fn change(State(sandbox): State<Sandbox>, Path(id): Path<String>, asked: Asked, body: Bytes) -> Response {
    let act = |mut one: Subscription, base: &str, now| {
        let Some(asking) = Asking::read(&body) else { return Answer::unreadable() };
        let filters = |lifetime| match asking.event_filters {
            Some(_) => asking.filters(&one.owner, &one.id, lifetime),
            None => Ok(one.filters.clone()),
        };
        match asking.lifetime(one.lifetime).and_then(|lifetime| Ok((lifetime, filters(lifetime)?))) {
            Ok((lifetime, filters)) => {
                one.filters = filters;
                one.renew(lifetime, now);
                Answer::changed(200, Some(one.json(base, now)), Change::Subscribed(one))
            }
            Err(refused) => refused,
        }
    };
    about(sandbox, Kind::SubscriptionPut, id, asked, Group::Medium, act).await
}

/// That a blacklisted one stays blacklisted is an inference (developer guide: delete and make anew).
async fn renew(State(sandbox): State<Sandbox>, Path(id): Path<String>, asked: Asked) -> Response {
    let act = |mut one: Subscription, base: &str, now| {
        one.renew(one.lifetime, now);
        Answer::changed(200, Some(one.json(base, now)), Change::Subscribed(one))
    };
    about(sandbox, Kind::SubscriptionRenew, id, asked, Group::Light, act).await
}

async fn delete(State(sandbox): State<Sandbox>, Path(id): Path<String>, asked: Asked) -> Response {
    let act = |one: Subscription, _: &str, _| Answer::changed(204, None, Change::Unsubscribed { id: one.id });
    about(sandbox, Kind::SubscriptionDelete, id, asked, Group::Medium, act).await
}
