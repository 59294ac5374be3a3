//! Every request of the product's client, held against RingCentral's own API description where that is at hand.

use super::shapes::Description;
use super::*;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::{self, Next};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use switchyard::clock::{Now, Rng};
use switchyard::db::Db;
use switchyard::directory::{accounts, lines, people};
use switchyard::messaging::inbound::{Incoming, receive};
use switchyard::ringcentral::subscription::Subscriptions;
use switchyard::ringcentral::{self, Client, NewConnection};
use switchyard::secret::{Keyring, new_key};
use switchyard::staff::{self, Member, Passwords, Proof};
use switchyard::sync::{Agents, Engine, EngineConfig};
use switchyard::types::{IntegrationType, PhoneNumber};

/// A request as it came over the wire.
#[derive(Clone)]
struct Asked {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

type Tape = Arc<Mutex<Vec<Asked>>>;

async fn record(tape: Tape, request: Request, next: Next) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path_and_query().unwrap().to_string();
    if path.starts_with("/restapi") || path.starts_with("/team-messaging") {
        tape.lock().unwrap().push(Asked { method: parts.method.clone(), path, headers: parts.headers.clone(), body: body.clone() });
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// The product's services on a database of their own, and a sandbox that writes down what they ask of it.
struct World {
    db: Db,
    now: Now,
    member: Member,
    client: Client,
    engine: Engine,
    agents: Agents,
    subscriptions: Subscriptions,
    sandbox: Sandbox,
    base: String,
    tape: Tape,
    _folder: tempfile::TempDir,
}

impl World {
    async fn begin() -> Self {
        let config = SandboxConfig { posts_per_minute: None, ..config() };
        let (http, clock) = (config.http.clone(), config.clock.clone());
        let now = Now { clock, rng: Rng::seeded(7) };
        let sandbox = Sandbox::new(config).unwrap();
        let tape = Tape::default();
        let recorder = tape.clone();
        let tapped = sandbox.router().layer(middleware::from_fn(move |request, next| record(recorder.clone(), request, next)));
        let base = serve(tapped).await;
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&format!("sqlite:{}", folder.path().join("test.db").display()), 2).await.unwrap();
        db.migrate().await.unwrap();
        let keys = Keyring::parse(&new_key(&now.rng)).unwrap();
        let passwords = Passwords::new(now.rng.clone()).unwrap();
        let invited = staff::first_administrator(&db, &now, "ada@example.com", "Ada", false).await.unwrap().unwrap();
        let id = staff::accept(&db, &now, &passwords, &invited.token, "a long enough password".into(), None).await.unwrap().id();
        let member = Member::load(&db, id).await.unwrap().unwrap();
        let client = Client::new(http, db.clone(), now.clone(), keys.clone());
        let world = Self {
            engine: Engine::new(db.clone(), now.clone(), client.clone(), EngineConfig::default()),
            agents: Agents::new(db.clone(), now.clone(), client.clone()),
            // Nobody listens there: the handshake fails, which the request does not know.
            subscriptions: Subscriptions::new(client.clone(), "https://switchyard.example.com"),
            db,
            now,
            member,
            client,
            sandbox,
            base,
            tape,
            _folder: folder,
        };
        let (account, permit) =
            (accounts::add(&world.db, &world.now, &world.permit(), "Lakeside", true, true).await.unwrap(), world.permit());
        let new = NewConnection {
            base_url: world.base.clone(),
            client_id: "sandbox-demo-a".into(),
            client_secret: "sandbox-demo-a".into(),
            jwt: "sandbox-demo-a".into(),
            posts_per_minute: None,
            posts_per_day: None,
        };
        ringcentral::connect(&world.db, &world.now, &keys, &permit, Proof::at_the_shell(), account, new).await.unwrap();
        let permit = world.permit();
        let line = lines::add(&world.db, &world.now, &permit, account, LINE, "Front desk", IntegrationType::Ringcentral).await.unwrap();
        for (name, email) in [("Bo", "bo@example.com"), ("Cy", "cy@example.com")] {
            let user = people::add_user(&world.db, &world.now, &permit, account, name, email).await.unwrap();
            people::set_access(&world.db, &world.now, &permit, line, user, name == "Bo").await.unwrap();
        }
        world
    }

    fn permit(&self) -> staff::Permit<staff::may::ManageDirectory> {
        self.member.permit().unwrap()
    }

    async fn comes(&self, n: u32) {
        let incoming = Incoming {
            carrier_id: format!("in-{n}"),
            from: PhoneNumber::parse(PHONE).unwrap(),
            to: PhoneNumber::parse(LINE).unwrap(),
            others: Vec::new(),
            body: format!("Hello {n}"),
            media: Vec::new(),
            sent_at: None,
        };
        receive(&self.db, &self.now, &[incoming]).await.unwrap();
    }

    /// Everything works, and time goes on, for a quarter of an hour.
    async fn work(&self) {
        for _ in 0..15 {
            self.engine.step().await.unwrap();
            self.agents.step().await.unwrap();
            self.sandbox.deliver_due().await;
            self.now.clock.advance(Duration::from_secs(60));
        }
    }
}

/// The client's whole life: signing in, subscribing, a chat, posts, answers that are lost, members, a chat that is archived.
async fn tape() -> Vec<Asked> {
    let world = World::begin().await;
    let connection = ringcentral::list(&world.db, &world.now, &world.member.permit().unwrap(), None, 1).await.unwrap().rows.remove(0);
    ringcentral::test(&world.client, &world.permit(), connection.id).await.unwrap();
    for (n, fault) in [
        None,
        Some((On::Team, What::LoseAnswer { hang: false })),
        Some((On::Team, What::LoseRequest { hang: false })),
        Some((On::Post, What::LoseAnswer { hang: false })),
        Some((On::Post, What::AcceptLate { after_ms: 90_000, hang: false })),
    ]
    .into_iter()
    .enumerate()
    {
        if let Some((on, what)) = fault {
            world.sandbox.arm(Fault::new(on, what)).unwrap();
            if on == On::Team {
                // The chat is gone: the next one is made, and its answer or the call is lost.
                let chat = world.sandbox.chats().last().unwrap().id.to_string();
                assert_eq!(as_owner(&world, Method::DELETE, &format!("/team-messaging/v1/teams/{chat}")).await, 204);
            }
        }
        world.comes(u32::try_from(n).unwrap()).await;
        world.work().await;
    }
    // Access changes, the chat is archived, the connection looked at, and at last removed.
    let users: Vec<(switchyard::types::LineId, switchyard::types::UserId, bool)> = world
        .db
        .all(
            "select l.id, u.id, lu.line_id is not null from line l join account_user u on u.account_id = l.account_id
              left join line_user lu on lu.line_id = l.id and lu.user_id = u.id",
            (),
        )
        .await
        .unwrap();
    for (line, user, access) in users {
        people::set_access(&world.db, &world.now, &world.permit(), line, user, !access).await.unwrap();
    }
    world.work().await;
    let chat = world.sandbox.chats().last().unwrap().id.to_string();
    assert_eq!(as_owner(&world, Method::POST, &format!("/team-messaging/v1/teams/{chat}/archive")).await, 204);
    world.comes(9).await;
    world.work().await;
    world.subscriptions.step().await.unwrap();
    world.tape.lock().unwrap().clone()
}

async fn as_owner(world: &World, method: Method, path: &str) -> u16 {
    let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", "sandbox-demo-a")];
    let url = format!("{}/restapi/oauth/token", world.base);
    let info: Value = read(http().post(url).basic_auth("sandbox-demo-a", Some("sandbox-demo-a")).form(&form).send().await.unwrap()).await;
    let token = info["access_token"].as_str().unwrap();
    let answer = http().request(method, format!("{}{path}", world.base)).bearer_auth(token).send().await.unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn every_request_is_as_ringcentral_describes_it() {
    let Some(description) = Description::open() else { return };
    let asked = tape().await;
    let mut operations = BTreeSet::new();
    for one in &asked {
        let content = one.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        operations.insert(description.hold_request(&one.method, &one.path, content, &one.body));
    }
    for needed in [
        "POST /restapi/oauth/token",
        "GET /restapi/v1.0/account/{accountId}/extension/{extensionId}",
        "POST /team-messaging/v1/teams",
        "POST /team-messaging/v1/teams/{chatId}/add",
        "POST /team-messaging/v1/teams/{chatId}/remove",
        "GET /team-messaging/v1/chats",
        "GET /team-messaging/v1/chats/{chatId}",
        "GET /team-messaging/v1/chats/{chatId}/posts",
        "POST /team-messaging/v1/chats/{chatId}/posts",
        "DELETE /team-messaging/v1/chats/{chatId}/posts/{postId}",
        "GET /restapi/v1.0/subscription",
        "POST /restapi/v1.0/subscription",
    ] {
        assert!(operations.contains(needed), "{needed} was not asked: {operations:?}");
    }
}

#[test]
fn a_wrong_request_is_seen() {
    let Some(description) = Description::open() else { return };
    let post = "/team-messaging/v1/chats/1/posts";
    let seen = |method: Method, path: &str, body: &str| {
        let hold = || description.hold_request(&method, path, "application/json", &Bytes::copy_from_slice(body.as_bytes()));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(hold)).is_err()
    };
    assert!(!seen(Method::POST, post, r#"{ "text": "x" }"#));
    assert!(!seen(Method::GET, &format!("{post}?recordCount=250&pageToken=x"), ""));
    for (method, path, body) in [
        (Method::POST, post.to_owned(), r#"{ "text": 1 }"#),
        (Method::POST, post.to_owned(), r#"{ "text": "x", "colour": "red" }"#),
        (Method::POST, "/team-messaging/v1/teams".to_owned(), r#"{ "public": false }"#),
        (Method::POST, "/team-messaging/v1/teams".to_owned(), r#"{ "name": "x", "members": [{ "mail": "x" }] }"#),
        (Method::GET, format!("{post}?recordCount=251"), ""),
        (Method::GET, format!("{post}?count=1"), ""),
        (Method::PUT, post.to_owned(), ""),
    ] {
        assert!(seen(method.clone(), &path, body), "{method} {path} {body}");
    }
}
