//! Subscriptions and events, against an address that a test sets: it takes handshakes and events, or does not.

use super::*;
use axum::body::Bytes;
use axum::http::HeaderMap;

const SUBSCRIPTION: &str = "/restapi/v1.0/subscription";
const POSTS: &str = "/team-messaging/v1/posts";

/// How the address answers.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Good,
    /// With this status, the token returned.
    Status(u16),
    /// Without the token.
    Silent,
    /// With a body that is too long.
    Wordy,
    /// Too late.
    Slow,
}

/// An address: what came, with its headers, and how it answers.
#[derive(Clone)]
pub(super) struct Receiver {
    seen: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    manner: Arc<Mutex<Manner>>,
    address: String,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let mut receiver = Self { seen: Arc::default(), manner: Arc::new(Mutex::new(Manner::Good)), address: String::new() };
        let kept = receiver.clone();
        let take = move |headers: HeaderMap, body: Bytes| async move {
            let manner = *kept.manner.lock().unwrap();
            if manner == Manner::Slow {
                tokio::time::sleep(Duration::from_millis(3_500)).await;
            }
            let mut answer = axum::http::Response::builder();
            if let Some(token) = headers.get("validation-token").filter(|_| manner != Manner::Silent) {
                answer = answer.header("validation-token", token);
            }
            kept.seen.lock().unwrap().push((headers, serde_json::from_slice(&body).unwrap_or_default()));
            let status = if let Manner::Status(status) = manner { status } else { 200 };
            let body = if manner == Manner::Wordy { "x".repeat(1_024) } else { String::new() };
            answer.status(status).body(body).unwrap()
        };
        receiver.address = format!("{}/hook", serve(Router::new().fallback(take)).await);
        receiver
    }

    fn answers(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// The events that came, without the handshakes.
    pub(super) fn events(&self) -> Vec<Value> {
        self.seen.lock().unwrap().iter().map(|(_, body)| body.clone()).filter(|body| !body.is_null()).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.events().iter().map(|event| event["body"]["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(super) fn wish(&self, filters: &[&str]) -> Value {
        json!({
            "eventFilters": filters,
            "deliveryMode": { "transportType": "WebHook", "address": self.address, "verificationToken": "v3rify" },
        })
    }
}

impl Bench {
    async fn subscribe(&self, receiver: &Receiver, filters: &[&str]) -> Value {
        let answer = self.post(SUBSCRIPTION, receiver.wish(filters)).await;
        assert_eq!(answer.status(), 200, "not 201");
        read(answer).await
    }

    async fn put(&self, path: &str, body: Option<Value>) -> Response {
        self.try_call(Method::PUT, path, body).await.unwrap()
    }

    fn count(&self, kind: Kind) -> usize {
        self.sandbox.journal(0).iter().filter(|entry| entry.kind == kind).count()
    }
}

fn free() -> SandboxConfig {
    SandboxConfig { posts_per_minute: None, ..config() }
}

#[tokio::test]
async fn a_subscription_is_made_with_a_handshake_and_never_shows_its_secret() {
    let (bench, receiver) = (Bench::start(config()).await, Receiver::start().await);
    let filters = [POSTS, "/restapi/v1.0/account/~/extension/~/message-store?type=SMS", "/restapi/v1.0/account/~/telephony/sessions"];
    let made = bench.subscribe(&receiver, &filters).await;
    let (headers, _) = receiver.seen.lock().unwrap()[0].clone();
    assert_eq!(headers["verification-token"], "v3rify");
    assert_eq!(headers["content-length"], "0");
    assert_eq!(made["eventFilters"][1], format!("/restapi/v1.0/account/1000000001/extension/{DEFAULT_OWNER}/message-store?type=SMS"));
    assert_eq!((made["status"].as_str(), made["expiresIn"].as_u64()), (Some("Active"), Some(604_799)));
    assert!(!made.to_string().contains("v3rify"));
    let path = format!("{SUBSCRIPTION}/{}", made["id"].as_str().unwrap());
    assert_eq!(read(bench.get(&path).await).await, made);
    assert_eq!(read(bench.get(SUBSCRIPTION).await).await["records"], json!([made]));
    assert_eq!(bench.try_call(Method::DELETE, &path, Some(json!({}))).await.unwrap().status(), 204, "a body is tolerated");
    assert_eq!(bench.get(&path).await.status(), 404);
    assert_eq!((bench.count(Kind::Handshake), bench.count(Kind::Subscribe), bench.count(Kind::SubscriptionDelete)), (1, 1, 1));
}

#[tokio::test]
async fn an_address_that_fails_the_handshake_gets_no_subscription() {
    let (bench, receiver) = (Bench::start(free()).await, Receiver::start().await);
    let refused = async |why: &str| {
        let answer = bench.post(SUBSCRIPTION, receiver.wish(&[POSTS])).await;
        assert_eq!(answer.status(), 400, "{why}");
        assert_eq!(read(answer).await["errors"][0]["errorCode"], "SUB-525", "{why}");
    };
    for (manner, why) in
        [(Manner::Silent, "no token"), (Manner::Status(204), "not 200"), (Manner::Wordy, "too long"), (Manner::Slow, "late")]
    {
        receiver.answers(manner);
        refused(why).await;
    }
    receiver.answers(Manner::Good);
    bench.sandbox.arm(Fault::new(On::Subscribe, What::RefuseHandshake)).unwrap();
    let before = receiver.seen.lock().unwrap().len();
    refused("by order").await;
    assert_eq!(receiver.seen.lock().unwrap().len(), before, "by order: the address is not even called");
    let nobody = Receiver { address: "http://127.0.0.1:1/hook".into(), ..receiver.clone() };
    let answer = read(bench.post(SUBSCRIPTION, nobody.wish(&[POSTS])).await).await;
    assert_eq!(answer["message"], "WebHook is not reachable");
    assert!(bench.sandbox.subscriptions().is_empty());
}

#[tokio::test]
async fn the_lifetime_counts_at_the_top_level_only() {
    let (bench, receiver) = (Bench::start(free()).await, Receiver::start().await);
    let mut wish = receiver.wish(&[POSTS]);
    wish["deliveryMode"]["expiresIn"] = json!(60);
    assert_eq!(read(bench.post(SUBSCRIPTION, wish.clone()).await).await["expiresIn"], 604_799, "ignored there");
    wish["expiresIn"] = json!(0);
    assert_eq!(bench.post(SUBSCRIPTION, wish.clone()).await.status(), 400);
    wish["expiresIn"] = json!(60);
    let made = read(bench.post(SUBSCRIPTION, wish).await).await;
    assert_eq!(made["expiresIn"], 60);

    let path = format!("{SUBSCRIPTION}/{}", made["id"].as_str().unwrap());
    bench.clock.advance(Duration::from_secs(50));
    assert_eq!(read(bench.post(&format!("{path}/renew"), json!({})).await).await["expiresIn"], 60);
    bench.clock.advance(Duration::from_secs(50));
    assert_eq!(read(bench.put(&path, None).await).await["expiresIn"], 60, "an empty PUT renews");
    let changed =
        bench.put(&path, Some(json!({ "eventFilters": [POSTS, "/team-messaging/v1/groups"], "deliveryMode": { "address": "x" } })));
    let changed = read(changed.await).await;
    assert_eq!(changed["eventFilters"], json!([POSTS, "/team-messaging/v1/groups"]));
    assert_eq!(changed["deliveryMode"]["address"], receiver.address, "an address cannot be changed");
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.get(&path).await.status(), 404, "what has expired is gone");
    assert_eq!(bench.post(&format!("{path}/renew"), json!({})).await.status(), 404);
    assert_eq!(bench.count(Kind::SubscriptionExpired), 1);
}

#[tokio::test]
async fn a_user_has_thirty_subscriptions_at_most_and_only_filters_that_there_are() {
    let (bench, receiver) = (Bench::start(free()).await, Receiver::start().await);
    let unknown = read(bench.post(SUBSCRIPTION, receiver.wish(&["/restapi/v1.0/nothing"])).await).await;
    assert_eq!(unknown["errors"][0]["errorCode"], "SUB-508");
    let other = bench.post(SUBSCRIPTION, json!({ "eventFilters": [POSTS], "deliveryMode": { "transportType": "Pigeon" } })).await;
    assert_eq!((other.status().as_u16(), read(other).await["parameterName"].as_str()), (400, Some("deliveryMode.transportType")));
    for _ in 0..30 {
        bench.subscribe(&receiver, &[POSTS]).await;
    }
    let one_more = bench.post(SUBSCRIPTION, receiver.wish(&[POSTS])).await;
    assert_eq!((one_more.status().as_u16(), read(one_more).await["errors"][0]["errorCode"].as_str()), (403, Some("SUB-505")));
}

#[tokio::test]
async fn posts_are_told_to_members_their_own_too_as_they_are_made_edited_and_deleted() {
    let (bench, receiver) = (Bench::start(free()).await, Receiver::start().await);
    let made = bench.subscribe(&receiver, &[POSTS]).await;
    let chat = bench.team("Ada").await;
    let post = read(bench.say(&chat, "Hello").await).await;
    let path = format!("/team-messaging/v1/chats/{chat}/posts/{}", post["id"].as_str().unwrap());
    bench.try_call(Method::PATCH, &path, Some(json!({ "text": "Hello, Ada" }))).await.unwrap();
    bench.try_call(Method::DELETE, &path, Some(json!({}))).await.unwrap();
    assert_eq!(bench.sandbox.deliver_due().await, 3);
    let events = receiver.events();
    let told: Vec<_> = events.iter().map(|event| event["body"]["eventType"].as_str().unwrap()).collect();
    assert_eq!(told, ["PostAdded", "PostChanged", "PostRemoved"]);
    assert_eq!((&events[0]["event"], &events[0]["subscriptionId"]), (&json!(POSTS), &made["id"]));
    assert_eq!((&events[0]["ownerId"], &events[0]["body"]["groupId"]), (&json!(DEFAULT_OWNER), &json!(chat)));
    assert!(events[0]["body"].as_object().unwrap().contains_key("attachments"), "a field without a value is there as null");
    assert_eq!(events[1]["body"]["text"], "Hello, Ada");
    assert_eq!(events[2]["body"], json!({ "id": post["id"], "eventType": "PostRemoved" }));
    assert_ne!(events[0]["uuid"], events[1]["uuid"]);
    let (headers, _) = receiver.seen.lock().unwrap()[1].clone();
    assert_eq!(headers["verification-token"], "v3rify");
    assert_eq!(headers["content-type"], "application/json; charset=UTF-8");
    let journaled: Vec<_> = bench.sandbox.journal(0).into_iter().filter(|entry| entry.kind == Kind::EventDelivery).collect();
    assert_eq!(journaled.len(), 3);
    assert!(journaled.iter().all(|entry| entry.accepted && entry.status == 200 && entry.event_id.is_some()));
}

#[tokio::test]
async fn an_agent_writes_with_his_own_id_and_only_where_he_is_a_member() {
    let (bench, receiver) = (Bench::start(free()).await, Receiver::start().await);
    bench.subscribe(&receiver, &[POSTS]).await;
    let team = json!({ "name": "Ada", "members": [{ "id": "701" }, { "email": "bob@example.com" }] });
    let team = read(bench.post("/team-messaging/v1/teams", team).await).await;
    let chat = team["id"].as_str().unwrap();
    let said = json!({ "chat_id": chat, "text": "On my way", "files": [{ "name": "map.png" }] });
    let post = read(bench.post("/sandbox/v1/agents/post", said).await).await;
    assert_eq!(post["creator_id"], "701");
    let (chat_id, id) = (json!(chat), post["id"].clone());
    bench.post("/sandbox/v1/agents/edit", json!({ "chat_id": chat_id, "post_id": id, "text": "Soon" })).await;
    bench.post("/sandbox/v1/agents/delete", json!({ "chat_id": chat_id, "post_id": id })).await;
    let stranger = bench.post("/sandbox/v1/agents/post", json!({ "chat_id": chat, "text": "Hi", "agent_id": "999" })).await;
    assert_eq!(stranger.status(), 422);
    let typed = bench.http.post(format!("{}/chats/{chat}/say", bench.base)).form(&[("text", "From the page")]);
    assert!(typed.send().await.unwrap().status().is_success());
    assert_eq!(bench.sandbox.deliver_due().await, 4);
    let events = receiver.events();
    assert_eq!(events[0]["body"]["creatorId"], "701");
    assert_eq!(events[0]["body"]["attachments"][0]["name"], "map.png");
    assert_eq!(events[1]["body"]["text"], "Soon");
    assert_eq!((&events[3]["body"]["text"], bench.count(Kind::AgentPost)), (&json!("From the page"), 2));
}

#[tokio::test]
async fn an_event_is_tried_once_and_an_address_that_goes_on_failing_is_blacklisted() {
    let (bench, receiver) = (Bench::start(free()).await, Receiver::start().await);
    let made = bench.subscribe(&receiver, &[POSTS]).await;
    let chat = bench.team("Ada").await;
    receiver.answers(Manner::Status(404));
    bench.say(&chat, "one").await;
    assert_eq!((bench.sandbox.deliver_due().await, bench.sandbox.deliver_due().await), (0, 0));
    assert_eq!(receiver.texts(), ["one"], "no retry");
    receiver.answers(Manner::Good);
    bench.say(&chat, "two").await;
    assert_eq!(bench.sandbox.deliver_due().await, 1, "a success begins the ten minutes anew");
    bench.clock.advance(Duration::from_secs(700));
    receiver.answers(Manner::Status(404));
    bench.say(&chat, "three").await;
    bench.sandbox.deliver_due().await;
    bench.clock.advance(Duration::from_secs(600));
    bench.say(&chat, "four").await;
    bench.sandbox.deliver_due().await;
    let path = format!("{SUBSCRIPTION}/{}", made["id"].as_str().unwrap());
    let shown = read(bench.get(&path).await).await;
    assert_eq!(shown["status"], "Blacklisted");
    assert_eq!(shown["blacklistedData"]["reason"], "Webhook responses with code: [404], reason: [Not Found]");
    receiver.answers(Manner::Good);
    bench.say(&chat, "five").await;
    assert_eq!(bench.sandbox.deliver_due().await, 0, "a blacklisted one hears nothing");
    assert_eq!(bench.count(Kind::SubscriptionBlacklisted), 1);

    let other = bench.subscribe(&receiver, &[POSTS]).await;
    let by_order = format!("/sandbox/v1/subscriptions/{}/blacklist", other["id"].as_str().unwrap());
    assert_eq!(bench.post(&by_order, json!({})).await.status(), 204);
    assert!(bench.sandbox.subscriptions().iter().all(|one| one.blacklisted.is_some()));
}

#[tokio::test]
async fn events_are_delayed_doubled_dropped_and_overtaken_by_order() {
    let (bench, receiver) = (Bench::start(free()).await, Receiver::start().await);
    bench.subscribe(&receiver, &[POSTS]).await;
    let chat = bench.team("Ada").await;
    for fault in ["overtake_event", "double_event", "drop_event"] {
        assert_eq!(bench.post("/sandbox/v1/faults", json!({ "on": "event", "fault": fault })).await.status(), 200);
    }
    bench.post("/sandbox/v1/faults", json!({ "on": "event", "fault": "delay_event", "ms": 60_000, "text_contains": "four" })).await;
    for text in ["one", "two", "three", "four", "five"] {
        bench.say(&chat, text).await;
    }
    bench.sandbox.deliver_due().await;
    assert_eq!(receiver.texts(), ["two", "two", "one", "five"]);
    let events = receiver.events();
    assert_eq!(events[0]["uuid"], events[1]["uuid"], "the same event twice");
    bench.clock.advance(Duration::from_secs(60));
    bench.sandbox.deliver_due().await;
    assert_eq!(receiver.texts().last().unwrap(), "four");
    assert_eq!(bench.count(Kind::EventDropped), 1);
    let misplaced = bench.post("/sandbox/v1/faults", json!({ "on": "post", "fault": "drop_event" })).await;
    assert_eq!(misplaced.status(), 422);
}

#[tokio::test]
async fn reminders_come_as_often_as_was_asked_and_other_events_by_order() {
    let (bench, receiver) = (Bench::start(free()).await, Receiver::start().await);
    let mut wish = receiver.wish(&[
        "/restapi/v1.0/subscription/~?threshold=400&interval=100",
        "/restapi/v1.0/account/~/extension/~/message-store?type=SMS",
        "/restapi/v1.0/account/~/extension/~/telephony/sessions",
    ]);
    wish["expiresIn"] = json!(1_000);
    let made = read(bench.post(SUBSCRIPTION, wish.clone()).await).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["eventFilters"][0], format!("/restapi/v1.0/subscription/{id}?threshold=400&interval=100"));
    bench.clock.advance(Duration::from_secs(599));
    assert_eq!(bench.sandbox.deliver_due().await, 0);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.sandbox.deliver_due().await, 1);
    assert_eq!(receiver.events()[0]["body"]["expiresIn"], 400);
    bench.clock.advance(Duration::from_secs(100));
    assert_eq!(bench.sandbox.deliver_due().await, 1);
    bench.post(&format!("{SUBSCRIPTION}/{id}/renew"), json!({})).await;
    bench.clock.advance(Duration::from_secs(100));
    assert_eq!(bench.sandbox.deliver_due().await, 0, "a renewal begins anew");

    let sms = read(bench.post("/sandbox/v1/events/message-store", json!({ "type": "SMS", "new_ids": ["606"] })).await).await;
    let fax = read(bench.post("/sandbox/v1/events/message-store", json!({ "type": "Fax" })).await).await;
    let call = read(bench.post("/sandbox/v1/events/telephony", json!({})).await).await;
    assert_eq!((&sms["made"], &fax["made"], &call["made"]), (&json!(1), &json!(0), &json!(1)), "the filter's query decides");
    assert_eq!(bench.sandbox.deliver_due().await, 2);
    let events = receiver.events();
    assert_eq!(events[2]["body"]["changes"][0]["newMessageIds"], json!(["606"]));
    assert_eq!(events[3]["body"]["parties"][0]["extensionId"], DEFAULT_OWNER);
    wish["eventFilters"][0] = json!("/restapi/v1.0/subscription/~?threshold=600&interval=100");
    assert_eq!(bench.post(SUBSCRIPTION, wish).await.status(), 400, "half the lifetime ahead at most");
}

#[tokio::test]
async fn a_thousand_events_go_out_in_order_by_themselves() {
    let (bench, receiver) = (Bench::start(SandboxConfig { clock: Clock::System, ..free() }).await, Receiver::start().await);
    bench.subscribe(&receiver, &[POSTS]).await;
    let chat = bench.team("Ada").await;
    let shutdown = CancellationToken::new();
    let task = bench.sandbox.spawn_webhooks(shutdown.clone());
    let wanted: Vec<String> = (0..1_000).map(|number| format!("number {number}")).collect();
    for text in &wanted {
        bench.sandbox.agent_post(AgentPost { chat_id: chat.clone(), text: text.clone(), ..AgentPost::default() }).unwrap();
    }
    while receiver.seen.lock().unwrap().len() < 1_001 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.cancel();
    task.await.unwrap();
    assert_eq!(receiver.texts(), wanted);
}

#[tokio::test]
async fn subscriptions_outlive_a_restart_with_their_journal() {
    let dir = tempfile::tempdir().unwrap();
    let kept = || SandboxConfig { journal: Some(dir.path().join("sandbox.jsonl")), ..free() };
    let (first, receiver) = (Bench::start(kept()).await, Receiver::start().await);
    first.subscribe(&receiver, &[POSTS]).await;
    let chat = first.team("Ada").await;
    let second = Bench::start(kept()).await;
    assert_eq!(second.sandbox.subscriptions(), first.sandbox.subscriptions());
    second.say(&chat, "after").await;
    assert_eq!((second.sandbox.deliver_due().await, receiver.texts()), (1, vec!["after".to_owned()]));
}
