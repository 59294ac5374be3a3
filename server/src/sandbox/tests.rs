//! What the sandbox promises to those who test against it, asked over real HTTP on the loopback.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use super::*;
use reqwest::{Method, Response};
use serde_json::{Value, json};

mod carrier;
mod messaging;
mod requests;
mod shapes;
mod signin;
mod subscriptions;

const START: Timestamp = Timestamp(1_795_238_411_000_000);
const LINE: &str = "+12025550100";
const PHONE: &str = "+12025550143";

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn config() -> SandboxConfig {
    SandboxConfig::new(Clock::manual(START), http())
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// A sandbox on a port of its own, and a caller with a token.
struct Bench {
    sandbox: Sandbox,
    clock: Clock,
    base: String,
    http: reqwest::Client,
    token: String,
}

impl Bench {
    async fn start(config: SandboxConfig) -> Self {
        let (clock, http) = (config.clock.clone(), config.http.clone());
        let sandbox = Sandbox::new(config).unwrap();
        let base = serve(sandbox.router()).await;
        let mut bench = Self { sandbox, clock, base, http, token: String::new() };
        bench.sign_in().await;
        bench
    }

    async fn token(&self, form: &[(&str, &str)], secret: &str) -> Response {
        let url = format!("{}/restapi/oauth/token", self.base);
        self.http.post(url).basic_auth(DEFAULT_CLIENT_ID, Some(secret)).form(form).send().await.unwrap()
    }

    async fn sign_in(&mut self) -> Value {
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", DEFAULT_JWT)];
        let info: Value = self.token(&form, DEFAULT_CLIENT_SECRET).await.json().await.unwrap();
        self.token = info["access_token"].as_str().unwrap().to_owned();
        info
    }

    async fn try_call(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Result<Response> {
        let key = if path.starts_with("/carrier") { "sandbox-carrier-key" } else { &self.token };
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(key);
        match body {
            Some(body) => request.json(&body).send().await,
            None => request.send().await,
        }
    }

    async fn get(&self, path: &str) -> Response {
        self.try_call(Method::GET, path, None).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        self.try_call(Method::POST, path, Some(body)).await.unwrap()
    }

    async fn team(&self, name: &str) -> String {
        let answer = self.post("/team-messaging/v1/teams", json!({ "name": name, "public": false })).await;
        assert_eq!(answer.status(), 201);
        let team: Value = answer.json().await.unwrap();
        team["id"].as_str().unwrap().to_owned()
    }

    async fn say(&self, chat: &str, text: &str) -> Response {
        self.post(&format!("/team-messaging/v1/chats/{chat}/posts"), json!({ "text": text })).await
    }

    fn texts(&self, chat: &str) -> Vec<String> {
        self.sandbox.posts(chat).iter().map(|post| post.text.to_string()).collect()
    }
}

async fn read(answer: Response) -> Value {
    answer.json().await.unwrap()
}

fn page_texts(page: &Value) -> Vec<&str> {
    page["records"].as_array().unwrap().iter().map(|post| post["text"].as_str().unwrap()).collect()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn a_jwt_gives_a_token_and_a_wrong_one_gives_the_real_error() {
    let mut bench = Bench::start(config()).await;
    let info = bench.sign_in().await;
    assert_eq!((info["token_type"].as_str(), info["expires_in"].as_u64()), (Some("bearer"), Some(3_600)));
    assert_eq!(info["owner_id"], DEFAULT_OWNER);
    let me = read(bench.get("/restapi/v1.0/account/~/extension/~").await).await;
    assert_eq!(me["id"].to_string(), DEFAULT_OWNER);

    let jwt = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let wrong = bench.token(&[("grant_type", jwt), ("assertion", "another")], DEFAULT_CLIENT_SECRET).await;
    assert_eq!(wrong.status(), 400);
    let wrong = read(wrong).await;
    assert_eq!((wrong["error"].as_str(), wrong["errors"][0]["errorCode"].as_str()), (Some("invalid_grant"), Some("OAU-140")));
    let wrong = read(bench.token(&[("grant_type", jwt), ("assertion", DEFAULT_JWT)], "another").await).await;
    assert_eq!((wrong["error"].as_str(), wrong["errors"][0]["errorCode"].as_str()), (Some("invalid_client"), Some("OAU-146")));
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_takes_the_old_access_token_with_it() {
    let mut bench = Bench::start(config()).await;
    let old = bench.sign_in().await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", old["refresh_token"].as_str().unwrap())];
    let new = read(bench.token(&form, DEFAULT_CLIENT_SECRET).await).await;
    assert_ne!(old["access_token"], new["access_token"]);
    assert_eq!(bench.get("/team-messaging/v1/chats").await.status(), 401);
    bench.token = new["access_token"].as_str().unwrap().to_owned();
    assert_eq!(bench.get("/team-messaging/v1/chats").await.status(), 200);
    let again = read(bench.token(&form, DEFAULT_CLIENT_SECRET).await).await;
    assert_eq!(again["access_token"], new["access_token"], "within the grace the same pair");
    bench.clock.advance(Duration::from_secs(11));
    assert_eq!(bench.token(&form, DEFAULT_CLIENT_SECRET).await.status(), 400);
}

#[tokio::test]
async fn an_expired_token_is_told_from_an_unknown_one() {
    let mut bench = Bench::start(config()).await;
    bench.sandbox.expire_tokens();
    let expired = bench.get("/team-messaging/v1/chats").await;
    assert_eq!(expired.status(), 401);
    assert_eq!(read(expired).await["errors"][0]["errorCode"], "OAU-128");
    bench.token = "made-up".into();
    let unknown = read(bench.get("/team-messaging/v1/chats").await).await;
    assert_eq!(unknown["errors"][0]["errorCode"], "OAU-129");
}

#[tokio::test]
async fn a_demo_app_needs_no_registration_and_sees_only_its_own_chats() {
    let mut bench = Bench::start(config()).await;
    let own = bench.team("Ours").await;
    let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", "sandbox-demo-jwt")];
    let url = format!("{}/restapi/oauth/token", bench.base);
    let request = bench.http.post(url).basic_auth("sandbox-demo-acme", Some("sandbox-demo-secret")).form(&form);
    bench.token = read(request.send().await.unwrap()).await["access_token"].as_str().unwrap().to_owned();
    assert_eq!(read(bench.get("/team-messaging/v1/chats").await).await["records"], json!([]));
    let hidden = bench.say(&own, "Hello").await;
    assert_eq!(hidden.status(), 404);
    assert_eq!(read(hidden).await["errors"][0]["errorCode"], "CMN-102");
}

#[tokio::test]
async fn posts_are_listed_newest_first_in_pages_and_can_be_deleted() {
    let bench = Bench::start(config()).await;
    let chat = bench.team("Ada").await;
    for number in 1..=5 {
        let post = bench.say(&chat, &format!("number {number}")).await;
        assert_eq!((post.status().as_u16(), header(&post, "x-rate-limit-group")), (201, "medium"));
    }
    let path = format!("/team-messaging/v1/chats/{chat}/posts");
    let first = read(bench.get(&format!("{path}?recordCount=2")).await).await;
    assert_eq!(page_texts(&first), ["number 5", "number 4"]);
    assert!(first["navigation"]["prevPageToken"].is_null());
    assert!(first["records"][0].as_object().unwrap().contains_key("mentions"), "a field without a value is there as null");
    bench.say(&chat, "number 6").await;
    let next = first["navigation"]["nextPageToken"].as_str().unwrap();
    let second = read(bench.get(&format!("{path}?recordCount=2&pageToken={next}")).await).await;
    assert_eq!(page_texts(&second), ["number 3", "number 2"], "a new post does not move the pages");
    let prev = second["navigation"]["prevPageToken"].as_str().unwrap();
    let back = read(bench.get(&format!("{path}?recordCount=2&pageToken={prev}")).await).await;
    assert_eq!(page_texts(&back), ["number 5", "number 4"]);
    let next = second["navigation"]["nextPageToken"].as_str().unwrap();
    let last = read(bench.get(&format!("{path}?recordCount=2&pageToken={next}")).await).await;
    assert_eq!(page_texts(&last), ["number 1"]);
    assert!(last["navigation"]["nextPageToken"].is_null());

    let post = format!("{path}/{}", last["records"][0]["id"].as_str().unwrap());
    assert_eq!(bench.get(&post).await.status(), 200);
    assert_eq!(bench.try_call(Method::DELETE, &post, None).await.unwrap().status(), 204);
    assert_eq!(bench.get(&post).await.status(), 404);
    assert_eq!(bench.get(&format!("{path}?recordCount=251")).await.status(), 400);
}

#[tokio::test]
async fn chats_are_listed_oldest_first_and_a_deleted_or_archived_one_takes_no_post() {
    let bench = Bench::start(config()).await;
    let (ada, bob, cyd) = (bench.team("Ada").await, bench.team("Bob").await, bench.team("Cyd").await);
    let first = read(bench.get("/team-messaging/v1/chats?type=Team&recordCount=2").await).await;
    assert_eq!((first["records"][0]["id"].as_str(), first["records"][1]["name"].as_str()), (Some(ada.as_str()), Some("Bob")));
    assert_eq!(first["records"][0]["members"], json!([{ "id": DEFAULT_OWNER }]));
    let next = first["navigation"]["nextPageToken"].as_str().unwrap();
    let second = read(bench.get(&format!("/team-messaging/v1/chats?type=Team&recordCount=2&pageToken={next}")).await).await;
    assert_eq!(second["records"][0]["id"], cyd.as_str());
    assert!(second["navigation"]["nextPageToken"].is_null());
    assert_eq!(read(bench.get("/team-messaging/v1/chats?type=Direct").await).await["records"], json!([]));

    let archived = bench.post(&format!("/team-messaging/v1/teams/{ada}/archive"), json!({})).await;
    assert_eq!((archived.status().as_u16(), bench.say(&ada, "Hello").await.status().as_u16()), (204, 403));
    assert_eq!(read(bench.get(&format!("/team-messaging/v1/chats/{ada}")).await).await["status"], "Archived");
    let deleted = bench.try_call(Method::DELETE, &format!("/team-messaging/v1/teams/{bob}"), None).await.unwrap();
    assert_eq!((deleted.status().as_u16(), bench.say(&bob, "Hello").await.status().as_u16()), (204, 404));
}

#[tokio::test]
async fn a_text_has_ten_thousand_characters_at_most() {
    let bench = Bench::start(config()).await;
    let chat = bench.team("Ada").await;
    assert_eq!(bench.say(&chat, &"ä".repeat(10_000)).await.status(), 201);
    assert_eq!(bench.say(&chat, &"ä".repeat(10_001)).await.status(), 400);
    assert_eq!(bench.say(&chat, "").await.status(), 400);
}

#[tokio::test]
async fn every_request_during_the_penalty_starts_it_anew() {
    let bench = Bench::start(SandboxConfig { posts_per_minute: Some(3), ..config() }).await;
    let chat = bench.team("Ada").await;
    assert_eq!(header(&bench.say(&chat, "one").await, "x-rate-limit-remaining"), "1");
    bench.say(&chat, "two").await;
    let refused = bench.say(&chat, "three").await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, "60"));
    assert_eq!(read(refused).await["errors"][0]["errorCode"], "CMN-301");
    bench.clock.advance(Duration::from_secs(59));
    assert_eq!(bench.say(&chat, "too early").await.status(), 429);
    bench.clock.advance(Duration::from_secs(59));
    assert_eq!(bench.say(&chat, "too early again").await.status(), 429);
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.say(&chat, "three").await.status(), 201);
    assert_eq!(bench.texts(&chat), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_429_by_order_is_a_real_penalty_even_without_limits() {
    let bench = Bench::start(SandboxConfig { posts_per_minute: None, ..config() }).await;
    let chat = bench.team("Ada").await;
    bench.sandbox.arm(Fault::new(On::Post, What::Status { status: 429, retry_after: Some(7), code: None })).unwrap();
    let refused = bench.say(&chat, "one").await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after"), header(&refused, "x-rate-limit-limit")), (429, "7", ""));
    bench.clock.advance(Duration::from_secs(6));
    assert_eq!(bench.say(&chat, "one").await.status(), 429);
    bench.clock.advance(Duration::from_secs(7));
    assert_eq!(bench.say(&chat, "one").await.status(), 201);
}

#[tokio::test]
async fn the_daily_limit_is_a_500_with_its_words_until_the_next_day() {
    let bench = Bench::start(SandboxConfig { posts_per_day: Some(1), ..config() }).await;
    let chat = bench.team("Ada").await;
    assert_eq!(bench.say(&chat, "one").await.status(), 201);
    let refused = bench.say(&chat, "two").await;
    assert_eq!(refused.status(), 500);
    assert_eq!(read(refused).await["message"], "You have exceeded your limits for this action.");
    bench.clock.advance(Duration::from_secs(86_400));
    bench.sandbox.expire_tokens();
    let mut bench = bench;
    bench.sign_in().await;
    assert_eq!(bench.say(&chat, "two").await.status(), 201);
}

#[tokio::test]
async fn a_lost_answer_is_accepted_and_journaled() {
    let bench = Bench::start(config()).await;
    let chat = bench.team("Ada").await;
    let path = format!("/team-messaging/v1/chats/{chat}/posts");
    let before = bench.sandbox.journal(0).len() as u64;

    bench.sandbox.arm(Fault::new(On::Post, What::LoseAnswer { hang: false })).unwrap();
    let lost = bench.try_call(Method::POST, &path, Some(json!({ "text": "lost answer" }))).await;
    assert!(lost.is_err(), "not even a status line comes back");
    bench.sandbox.arm(Fault::new(On::Post, What::LoseRequest { hang: false })).unwrap();
    let lost = bench.try_call(Method::POST, &path, Some(json!({ "text": "lost request" }))).await;
    assert!(lost.is_err());
    assert_eq!(bench.say(&chat, "after").await.status(), 201, "a fault is for one call unless it says otherwise");

    assert_eq!(bench.texts(&chat), ["lost answer", "after"]);
    let entries = bench.sandbox.journal(before);
    let told: Vec<_> = entries.iter().map(|entry| (entry.status, entry.accepted, entry.answer_lost)).collect();
    assert_eq!(told, [(201, true, true), (0, false, true), (201, true, false)]);
    assert_eq!(entries[0].post_id, Some(bench.sandbox.posts(&chat)[0].id));
}

#[tokio::test]
async fn a_hanging_call_is_accepted_and_left_without_an_answer() {
    let bench = Bench::start(config()).await;
    let chat = bench.team("Ada").await;
    bench.sandbox.arm(Fault::new(On::Post, What::LoseAnswer { hang: true })).unwrap();
    let url = format!("{}/team-messaging/v1/chats/{chat}/posts", bench.base);
    let request = bench.http.post(url).bearer_auth(&bench.token).json(&json!({ "text": "one" })).timeout(Duration::from_millis(200));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(bench.texts(&chat), ["one"]);
}

#[tokio::test]
async fn a_late_post_appears_when_the_clock_has_passed_its_time() {
    let bench = Bench::start(config()).await;
    let chat = bench.team("Ada").await;
    let path = format!("/team-messaging/v1/chats/{chat}/posts");
    bench.sandbox.arm(Fault::new(On::Post, What::AcceptLate { after_ms: 30_000, hang: false })).unwrap();
    assert!(bench.try_call(Method::POST, &path, Some(json!({ "text": "late" }))).await.is_err());
    bench.say(&chat, "on time").await;
    bench.clock.advance(Duration::from_secs(29));
    assert_eq!(page_texts(&read(bench.get(&path).await).await), ["on time"]);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(page_texts(&read(bench.get(&path).await).await), ["late", "on time"]);

    let entries = bench.sandbox.journal(0);
    let call = entries.iter().find(|entry| entry.appears_at.is_some()).unwrap();
    assert_eq!((call.kind, call.accepted, call.answer_lost), (Kind::Post, true, true));
    assert_eq!(call.appears_at, Some(START.plus(Duration::from_secs(30))));
    let appeared: Vec<_> = entries.iter().filter(|entry| entry.kind == Kind::Appeared).collect();
    assert_eq!((appeared.len(), appeared[0].post_id), (1, call.post_id));
}

#[tokio::test]
async fn a_refused_text_is_refused_until_the_fault_is_disarmed() {
    let bench = Bench::start(config()).await;
    let chat = bench.team("Ada").await;
    let fault = json!({ "on": "post", "fault": "refuse_text", "text_contains": "bad" });
    let id = read(bench.post("/sandbox/v1/faults", fault).await).await["id"].as_u64().unwrap();
    for _ in 0..2 {
        let refused = bench.say(&chat, "one bad word").await;
        assert_eq!(refused.status(), 400);
        assert_eq!(read(refused).await["errors"][0]["errorCode"], "CMN-101");
    }
    assert_eq!(bench.say(&chat, "fine").await.status(), 201);
    assert!(bench.sandbox.disarm_one(id));
    assert_eq!(bench.say(&chat, "one bad word").await.status(), 201);
    let nothing = bench.post("/sandbox/v1/faults", json!({ "on": "post", "fault": "refuse_text" })).await;
    assert_eq!(nothing.status(), 422);
}

#[tokio::test]
async fn the_journal_brings_everything_back_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sandbox.jsonl");
    let with_journal = |clock: &Clock| SandboxConfig { journal: Some(path.clone()), clock: clock.clone(), ..config() };
    let clock = Clock::manual(START);
    let first = Bench::start(with_journal(&clock)).await;
    first.sandbox.register_client("acme", "secret", "jwt", "700");
    let chat = first.team("Ada").await;
    first.say(&chat, "one").await;
    let gone: Value = read(first.say(&chat, "gone").await).await;
    let gone_path = format!("/team-messaging/v1/chats/{chat}/posts/{}", gone["id"].as_str().unwrap());
    first.try_call(Method::DELETE, &gone_path, None).await.unwrap();
    first.sandbox.arm(Fault::new(On::Post, What::AcceptLate { after_ms: 5_000, hang: false })).unwrap();
    let late = json!({ "text": "late" });
    let _ = first.try_call(Method::POST, &format!("/team-messaging/v1/chats/{chat}/posts"), Some(late)).await;
    first.post("/carrier/v1/messages", json!({ "reference": "m-1", "from": LINE, "to": PHONE, "text": "Hello" })).await;
    let journal = first.sandbox.journal(0);

    // What a process killed in the middle of a write leaves behind.
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], b"{\"entry\":{\"n\":99"].concat()).unwrap();
    let second = Bench::start(with_journal(&clock)).await;
    assert_eq!(second.sandbox.journal(0)[..journal.len()], journal[..]);
    assert_eq!(second.texts(&chat), ["one"]);
    assert_eq!(second.sandbox.handset(PHONE), first.sandbox.handset(PHONE));
    clock.advance(Duration::from_secs(5));
    assert_eq!(second.texts(&chat), ["one", "late"]);
    second.say(&chat, "three").await;
    let again = second.post("/carrier/v1/messages", json!({ "reference": "m-1", "from": LINE, "to": PHONE, "text": "Hello" })).await;
    assert_eq!(again.status(), 200, "a reference is known for good");

    let third = Sandbox::new(with_journal(&clock)).unwrap();
    assert_eq!(third.journal(0), second.sandbox.journal(0));
    let texts: Vec<_> = third.posts(&chat).iter().map(|post| post.text.to_string()).collect();
    assert_eq!(texts, ["one", "late", "three"]);
}

#[tokio::test]
async fn the_pages_show_posts_as_marked_up_and_never_as_html() {
    let bench = Bench::start(config()).await;
    let chat = bench.team("Ada <b>").await;
    bench.say(&chat, "**bold** <script> ![:Team](1)\n> quoted\nplain a_b_c").await;
    let page = bench.get(&format!("/?chat={chat}&live=1")).await.text().await.unwrap();
    assert!(page.contains("Ada &lt;b&gt;") && page.contains("http-equiv=\"refresh\""));
    let text = "<strong>bold</strong> &lt;script&gt; <span class=\"mention\">@Team</span><blockquote>quoted</blockquote>plain a_b_c";
    assert!(page.contains(text));
    bench.post("/carrier/v1/messages", json!({ "reference": "m-1", "from": LINE, "to": PHONE, "text": "<i>Hello" })).await;
    let page = bench.get("/handsets/%2B12025550143").await.text().await.unwrap();
    assert!(page.contains("&lt;i&gt;Hello") && page.contains(&format!("value=\"{LINE}\"")));
    assert!(bench.get("/handsets").await.text().await.unwrap().contains(PHONE));
}

#[tokio::test]
async fn the_control_api_reads_the_journal_on_from_where_it_was() {
    let bench = Bench::start(config()).await;
    let chat = bench.team("Ada").await;
    bench.say(&chat, "one").await;
    let page = read(bench.get("/sandbox/v1/journal?after=1&limit=1").await).await;
    assert_eq!((page["entries"][0]["kind"].as_str(), page["last"].as_u64()), (Some("team"), Some(2)));
    let page = read(bench.get("/sandbox/v1/journal?after=2").await).await;
    assert_eq!(page["entries"][0]["text"], "one");
    let shown = read(bench.get(&format!("/sandbox/v1/chats/{chat}")).await).await;
    assert_eq!((shown["chat"]["name"].as_str(), shown["posts"][0]["text"].as_str()), (Some("Ada"), Some("one")));
    let unknown = bench.get("/restapi/v1.0/nothing").await;
    assert_eq!(unknown.status(), 404);
}
