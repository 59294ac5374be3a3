//! The carrier's side: what it takes, and the webhooks that it sends.

use super::*;
use axum::body::Bytes;
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode};
use std::sync::atomic::{AtomicU16, Ordering};

#[tokio::test]
async fn a_reference_is_sent_once_however_often_it_is_handed_over() {
    let bench = Bench::start(config()).await;
    let sms = json!({ "reference": "m-1", "from": LINE, "to": PHONE, "text": "Hello" });
    bench.sandbox.arm(Fault::new(On::Sms, What::LoseAnswer { hang: false })).unwrap();
    assert!(bench.try_call(Method::POST, "/carrier/v1/messages", Some(sms.clone())).await.is_err());
    let again = bench.post("/carrier/v1/messages", sms.clone()).await;
    assert_eq!(again.status(), 200);
    let (again, third) = (read(again).await, read(bench.post("/carrier/v1/messages", sms).await).await);
    assert_eq!((&again, again["reference"].as_str()), (&third, Some("m-1")));
    assert_eq!(bench.sandbox.handset(PHONE).len(), 1);
    let accepted = bench.sandbox.journal(0).iter().filter(|entry| entry.kind == Kind::Sms && entry.accepted).count();
    assert_eq!(accepted, 1);
    let wrong = bench.post("/carrier/v1/messages", json!({ "reference": "m-2", "from": LINE, "to": "0143", "text": "" })).await;
    assert_eq!(wrong.status(), 422);
}

/// A webhook's path, signature and body.
type Seen = (String, String, Vec<u8>);

/// A product that checks nothing: it keeps what the webhooks bring, and answers with a status that the test sets.
#[derive(Clone)]
struct Product {
    seen: Arc<Mutex<Vec<Seen>>>,
    status: Arc<AtomicU16>,
    came: Arc<Notify>,
}

impl Product {
    async fn start() -> (Self, String) {
        let product = Self { seen: Arc::default(), status: Arc::new(AtomicU16::new(204)), came: Arc::default() };
        let kept = product.clone();
        let take = move |uri: OriginalUri, headers: HeaderMap, body: Bytes| async move {
            let signature = headers[SIGNATURE].to_str().unwrap().to_owned();
            kept.seen.lock().unwrap().push((uri.path().to_owned(), signature, body.to_vec()));
            kept.came.notify_one();
            StatusCode::from_u16(kept.status.load(Ordering::SeqCst)).unwrap()
        };
        let base = serve(Router::new().fallback(take)).await;
        (product, base)
    }

    /// Waits until so many webhooks have come.
    async fn has_seen(&self, count: usize) {
        while self.bodies().len() < count {
            self.came.notified().await;
        }
    }

    fn bodies(&self) -> Vec<Value> {
        self.seen.lock().unwrap().iter().map(|(.., body)| serde_json::from_slice(body).unwrap()).collect()
    }
}

#[tokio::test]
async fn webhooks_are_signed_over_the_time_and_the_body() {
    let (product, base) = Product::start().await;
    let bench = Bench::start(SandboxConfig { webhook_base: Some(base), webhook_secret: "s3cret".into(), ..config() }).await;
    let text = HandsetText {
        from: PHONE.into(),
        to: LINE.into(),
        text: "Hi".into(),
        others: vec!["+12025550144".into()],
        ..HandsetText::default()
    };
    let sent = bench.sandbox.send_from_handset(text).await.unwrap();
    assert_eq!(sent.webhook_status, Some(204));
    let (path, signature, body) = product.seen.lock().unwrap()[0].clone();
    assert_eq!(path, "/webhooks/carrier/sandbox/messages");
    assert_eq!(signature, sign("s3cret", START, &body));
    assert!(signature.starts_with("t=1795238411,v1=") && signature.len() == "t=1795238411,v1=".len() + 64);
    assert_eq!(product.bodies()[0]["to"], json!([LINE, "+12025550144"]));
    assert_eq!(bench.sandbox.handset("+12025550144").len(), 1, "a group text reaches its other handsets");

    bench.sandbox.repeat_inbound(&sent.id).await.unwrap();
    assert_eq!(product.bodies()[0], product.bodies()[1], "the repeated webhook is the same");
}

#[test]
fn a_signature_is_the_hmac_that_openssl_makes() {
    // printf '1.{}' | openssl dgst -sha256 -hmac key
    let signature = "t=1,v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224";
    assert_eq!(sign("key", Timestamp(1_999_999), b"{}"), signature);
}

#[tokio::test]
async fn a_status_is_told_until_the_product_has_answered() {
    let (product, base) = Product::start().await;
    product.status.store(503, Ordering::SeqCst);
    let bench = Bench::start(SandboxConfig { webhook_base: Some(base), ..config() }).await;
    bench.sandbox.arm(Fault::new(On::Sms, What::Undeliverable { error: "no such subscriber".into() })).unwrap();
    let sms = json!({ "reference": "m-1", "from": LINE, "to": PHONE, "text": "Hello" });
    let shutdown = CancellationToken::new();
    let task = bench.sandbox.spawn_webhooks(shutdown.clone());
    assert_eq!(bench.post("/carrier/v1/messages", sms).await.status(), 202);
    product.has_seen(1).await;
    product.status.store(204, Ordering::SeqCst);
    product.has_seen(2).await;
    shutdown.cancel();
    task.await.unwrap();
    let bodies = product.bodies();
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!((bodies[0]["reference"].as_str(), bodies[0]["status"].as_str()), (Some("m-1"), Some("failed")));
    assert_eq!(bodies[0]["error"], "no such subscriber");
}

#[tokio::test]
async fn a_delayed_webhook_comes_late_with_the_time_it_was_sent() {
    let (product, base) = Product::start().await;
    let bench = Bench::start(SandboxConfig { webhook_base: Some(base), ..config() }).await;
    let late = json!({ "from": PHONE, "to": LINE, "text": "late", "delay_ms": 60_000, "media": ["cat"] });
    let sent = read(bench.post("/sandbox/v1/handsets/send", late).await).await;
    assert!(sent["webhook_status"].is_null());
    assert_eq!(bench.sandbox.deliver_due().await, 0);
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.sandbox.deliver_due().await, 1);
    assert_eq!(product.bodies()[0]["sent_at"], START.rfc3339());
    let picture = bench.get(product.bodies()[0]["media"][0]["url"].as_str().unwrap()).await;
    assert_eq!(header(&picture, "content-type"), "image/png");
    assert!(picture.bytes().await.unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
}
