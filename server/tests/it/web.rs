//! The front door on a real socket: who the client is, TLS, whoever is slow or sends too much, and what is said and logged when our
//! own code fails. Times are short here, since they are the sockets' own: no clock that a test moves reaches them.

use crate::crash::Process;
use crate::doors::router_until;
use crate::harness::{DbEngine, SECRET_KEY, TestApp, contact, eventually, keys, on_both_engines, serve, with_database};
use crate::house::PASSWORD;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use futures_util::{StreamExt, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::StatusCode;
use server::application::http_client;
use server::front::{Front, LARGEST_FORM, Limits, Tls, TrustedProxies, asked};
use std::convert::Infallible;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use switchyard::clock::Now;
use switchyard::db::Db;
use switchyard::directory::{accounts, lines};
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::{self, Member, Proof};
use switchyard::types::IntegrationType::Ringcentral;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;

on_both_engines![
    a_form_that_is_too_large_is_refused_in_words,
    figures_are_for_this_machine_or_for_who_has_the_token,
    it_is_ready_until_it_is_told_to_stop_or_the_database_is_gone,
    every_answer_is_guarded_and_named,
    every_page_says_which_installation_it_is_of,
];

/// Short enough for a test, long enough for a busy machine.
fn short() -> Limits {
    Limits {
        head: Duration::from_millis(400),
        body: Duration::from_millis(400),
        answer: Duration::from_millis(800),
        unread: Duration::from_millis(400),
        handshake: Duration::from_millis(400),
        ..Limits::default()
    }
}

/// How many streams that nobody reads are still held.
#[derive(Clone, Default)]
struct Held(Arc<AtomicUsize>);

impl Held {
    fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn one(&self) -> One {
        self.0.fetch_add(1, Ordering::SeqCst);
        One(self.clone())
    }
}

struct One(Held);

impl Drop for One {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A few routes behind the front door, and where they are.
async fn open(front: Front, proxies: &str, stop: &CancellationToken) -> (std::net::SocketAddr, Held) {
    let held = Held::default();
    let proxies: TrustedProxies = proxies.parse().unwrap();
    let endless = |State(held): State<Held>| async move {
        let held = held.one();
        Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>([b'x'; 65_536].to_vec())).map(move |part| {
            let _held = &held;
            part
        }))
    };
    // A word every 300 ms: never silent for long, never finished.
    let events = || async {
        let words = stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Some((Ok::<_, Infallible>("word\n"), ()))
        });
        Body::from_stream(words)
    };
    let router = Router::new()
        .route("/", get(async |Extension(client): Extension<app::context::ClientAddress>| client.address.to_string()))
        .route("/body", post(async |body: String| format!("{} bytes", body.len())))
        .route("/utilities/plan/{kind}", post(async |body: String| format!("{} bytes", body.len())))
        .route("/api/v1/blasts", post(async |_: String| std::future::pending::<String>().await))
        .route("/never", get(std::future::pending::<String>))
        .route("/endless", get(endless))
        .route("/events", get(events))
        .route("/breaks", get(async || -> String { panic!("as it was told to") }))
        .route("/webhooks/breaks", get(async || -> String { panic!("as it was told to") }))
        .layer(middleware::from_fn_with_state((front.limits.clone(), proxies), asked))
        .with_state(held.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(front.serve(listener, router, stop.clone()));
    (address, held)
}

/// What comes back for these bytes until the connection ends, and after how long.
async fn whole_answer(address: std::net::SocketAddr, sent: &[u8]) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection is never ended");
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

#[tokio::test]
async fn a_clients_own_word_on_its_address_counts_only_through_a_trusted_proxy() {
    let stop = CancellationToken::new();
    let http = http_client().unwrap();
    let ask = async |address: std::net::SocketAddr, forwarded: &str| {
        let request = http.get(format!("http://{address}/")).header("x-forwarded-for", forwarded).header("forwarded", "for=192.0.2.1");
        request.send().await.unwrap().text().await.unwrap()
    };
    let (direct, _) = open(Front::default(), "", &stop).await;
    assert_eq!(ask(direct, "198.51.100.7").await, "127.0.0.1", "nobody is trusted");
    let (elsewhere, _) = open(Front::default(), "10.0.0.0/8", &stop).await;
    assert_eq!(ask(elsewhere, "198.51.100.7").await, "127.0.0.1", "another one is trusted");
    let (behind, _) = open(Front::default(), "127.0.0.0/8,10.0.0.0/8", &stop).await;
    assert_eq!(ask(behind, "203.0.113.1, 198.51.100.7, 10.0.0.3").await, "198.51.100.7", "the last hop that no proxy of ours has");
    assert_eq!(ask(behind, "198.51.100.7, rubbish").await, "127.0.0.1", "behind rubbish nothing is believed");
    stop.cancel();
}

fn write_certificate(folder: &Path) -> CertifiedKey<rcgen::KeyPair> {
    let made = generate_simple_self_signed(vec!["console.test".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_speaks_tls_and_uses_a_new_certificate_from_the_next_connection() {
    let stop = CancellationToken::new();
    let _ = http_client().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let first = write_certificate(folder.path());
    let tls = Tls::start(&certificate, &key, Duration::from_millis(20), &stop).unwrap();
    let (address, _) = open(Front { limits: short(), tls: Some(tls) }, "", &stop).await;
    let trusting = |made: &CertifiedKey<rcgen::KeyPair>| {
        let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([root]).resolve("console.test", address).no_proxy();
        client.pool_max_idle_per_host(0).build().unwrap()
    };
    let url = format!("https://console.test:{}/", address.port());
    let answer = trusting(&first).get(&url).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "127.0.0.1");

    // Without TLS nobody is let in, and whoever says nothing is cut off.
    let (plain, _) = whole_answer(address, b"GET / HTTP/1.1\r\nhost: console.test\r\n\r\n").await;
    assert!(!plain.contains("127.0.0.1"), "{plain}");
    let (_, took) = whole_answer(address, b"").await;
    assert!(took < Duration::from_secs(5), "a handshake that never comes: {took:?}");

    // A key that does not fit is not used; the right one is.
    let other = generate_simple_self_signed(vec!["console.test".to_owned()]).unwrap();
    std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(trusting(&first).get(&url).send().await.is_ok(), "the former certificate stays");
    let second = write_certificate(folder.path());
    let client = trusting(&second);
    eventually("the new certificate is shown", async || client.get(&url).send().await.is_ok()).await;
    assert!(trusting(&first).get(&url).send().await.is_err(), "the former one is shown no more");
    stop.cancel();
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_said_at_the_start() {
    let stop = CancellationToken::new();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let start = || Tls::start(&certificate, &key, Duration::from_secs(1), &stop).map(|_| ()).unwrap_err().to_string();
    assert!(start().contains("TLS_CERT") && start().contains("cert.pem"), "{}", start());
    write_certificate(folder.path());
    std::fs::remove_file(&key).unwrap();
    assert!(start().contains("TLS_KEY"), "{}", start());
    std::fs::write(&key, "not a key").unwrap();
    assert!(start().contains("TLS_KEY"), "{}", start());
    let other = generate_simple_self_signed(vec!["console.test".to_owned()]).unwrap();
    std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    assert!(start().contains("together"), "{}", start());
}

#[tokio::test]
async fn whoever_is_slow_is_cut_off() {
    let stop = CancellationToken::new();
    let (address, held) = open(Front { limits: short(), tls: None }, "", &stop).await;
    let soon = Duration::from_secs(8);

    let (answer, took) = whole_answer(address, b"").await;
    assert!(answer.is_empty() && took < soon, "nothing is asked: {took:?}");
    let (_, took) = whole_answer(address, b"GET / HTTP/1.1\r\nhost: a\r\nx-slow: ").await;
    assert!(took < soon, "half a head: {took:?}");
    let (answer, took) = whole_answer(address, b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf").await;
    assert!(!answer.contains("200 OK") && took < soon, "half a body: {took:?} {answer}");

    // A head that drips in keeps nobody busy for longer than one that stands still.
    let mut drips = TcpStream::connect(address).await.unwrap();
    let began = Instant::now();
    while drips.write_all(b"GET").await.is_ok() && began.elapsed() < soon {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() < soon, "a head that drips in");

    // An answer that takes too long ends in words; one that nobody reads is given up.
    let (answer, took) = whole_answer(address, b"GET /never HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("took too long") && took < soon, "{took:?} {answer}");
    let mut unread = TcpStream::connect(address).await.unwrap();
    unread.write_all(b"GET /endless HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    eventually("the stream begins", async || held.now() == 1).await;
    eventually("a stream that nobody reads is let go", async || held.now() == 0).await;
    drop(unread);

    // What is read goes on for longer than any of these times.
    let http = http_client().unwrap();
    let mut words = http.get(format!("http://{address}/events")).send().await.unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        assert!(words.chunk().await.is_ok_and(|word| word.is_some()), "the stream of events was cut off");
    }
    stop.cancel();
}

/// The answer to a body that comes byte by byte, ten in a second.
async fn dripped(address: std::net::SocketAddr, path: &str, bytes: usize) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..bytes {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if stream.write_all(b"x").await.is_err() {
            break;
        }
    }
    // Who was cut off may be told so by the connection alone.
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_file_may_come_over_a_slow_line_and_is_answered_in_time() {
    let stop = CancellationToken::new();
    let limits = Limits { body: Duration::from_secs(5), answer: Duration::from_secs(1), ..short() };
    let (address, _) = open(Front { limits: limits.clone(), tls: None }, "", &stop).await;
    let answer = dripped(address, "/utilities/plan/consent_import", 20).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("20 bytes"), "two seconds, where an answer has one: {answer}");
    let answer = dripped(address, "/body", 20).await;
    assert!(!answer.contains("200 OK"), "what is no file has no more time than its answer: {answer}");

    // From the end of the file on the answer has its time.
    let blast = b"POST /api/v1/blasts HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5\r\n\r\nwhole";
    let (answer, took) = whole_answer(address, blast).await;
    assert!(answer.starts_with("HTTP/1.1 503") && took < Duration::from_secs(8), "{took:?} {answer}");

    // One that stands still, and one that comes for longer than any line takes, are cut off.
    let (impatient, _) = open(Front { limits: short(), tls: None }, "", &stop).await;
    let half = b"POST /utilities/plan/consent_import HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
    let (answer, took) = whole_answer(impatient, half).await;
    assert!(!answer.contains("200 OK") && took < Duration::from_secs(8), "{took:?} {answer}");
    let limits = Limits { upload: Duration::from_millis(500), ..limits };
    let (short_lived, _) = open(Front { limits, tls: None }, "", &stop).await;
    let answer = dripped(short_lived, "/utilities/plan/consent_import", 20).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    stop.cancel();
}

#[tokio::test]
async fn there_are_only_so_many_connections_and_the_next_one_waits_for_its_turn() {
    let stop = CancellationToken::new();
    let limits = Limits { connections: 1, head: Duration::from_secs(2), ..Limits::default() };
    let (address, _) = open(Front { limits, tls: None }, "", &stop).await;
    let first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let waits = tokio::time::timeout(Duration::from_millis(300), second.read_to_string(&mut answer)).await;
    assert!(waits.is_err(), "there is room for one only: {answer}");
    drop(first);
    tokio::time::timeout(Duration::from_secs(10), second.read_to_string(&mut answer)).await.expect("its turn came").unwrap();
    assert!(answer.ends_with("127.0.0.1"), "{answer}");
    stop.cancel();
}

#[tokio::test]
async fn a_request_under_way_is_finished_when_the_server_is_told_to_stop() {
    let stop = CancellationToken::new();
    let (address, _) = open(Front::default(), "", &stop).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.cancel();
    eventually("nobody is let in any more", async || TcpStream::connect(address).await.is_err()).await;
    stream.write_all(b" of it").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("10 bytes"), "{answer}");
}

/// What is logged, as text.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_panic_is_answered_in_words_with_the_reference_of_its_log_line() {
    let (stop, log) = (CancellationToken::new(), Log::default());
    let lines = tracing_subscriber::fmt().json().with_max_level(tracing::Level::INFO).with_writer(log.clone()).finish();
    let _here = tracing::subscriber::set_default(lines);
    let (address, _) = open(Front::default(), "", &stop).await;
    let http = http_client().unwrap();
    // Threads of other tests listen to nothing: a span that one of them met first may be remembered as one that nobody wants.
    http.get(format!("http://{address}/")).send().await.unwrap();
    tracing::callsite::rebuild_interest_cache();
    for (path, kind) in [("/breaks", "text/plain"), ("/webhooks/breaks", "application/problem+json")] {
        let answer = http.get(format!("http://{address}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with(kind));
        let reference = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let text = answer.text().await.unwrap();
        assert!(text.contains(&reference) && !text.contains("told to"), "{text}");
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let line = log.lines().find(|line| line.contains(&reference) && line.contains("panicked"));
        assert!(line.is_some_and(|line| line.contains("as it was told to") && line.contains(path)), "{log}");
    }
    assert_eq!(http.get(format!("http://{address}/")).send().await.unwrap().status(), StatusCode::OK, "the server goes on");
    stop.cancel();
}

async fn a_form_that_is_too_large_is_refused_in_words(app: &TestApp) {
    let post = |path: &str| app.http.post(format!("{}{path}", app.url)).header("sec-fetch-site", "same-origin");
    let large = "x".repeat(LARGEST_FORM + 1);
    let parts = stream::iter(
        large.as_bytes().chunks(10_000).map(|part| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(part)))).collect::<Vec<_>>(),
    );
    let as_form = "application/x-www-form-urlencoded";
    let answers = [
        post("/fn/sign-in").header("content-type", as_form).body(large.clone()).send().await.unwrap(),
        post("/fn/sign-in").header("content-type", as_form).body(reqwest::Body::wrap(StreamBody::new(parts))).send().await.unwrap(),
    ];
    for answer in answers {
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let text = answer.text().await.unwrap();
        assert!(text.contains("too large") && text.contains("256 kB"), "{text}");
    }
    let largest = post("/fn/theme").header("content-type", as_form).body(format!("theme={}", "x".repeat(LARGEST_FORM - 6)));
    assert_eq!(largest.send().await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY, "the largest is read");
    let signed = app.signed_webhook("sandbox", "messages", "t=1,v1=00", "x".repeat(300_000)).await;
    assert_eq!(signed.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(signed.text().await.unwrap().contains("bytes long at most"));
}

async fn figures_are_for_this_machine_or_for_who_has_the_token(app: &TestApp) {
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = app.http.get(format!("{}/metrics", app.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status()
    };
    assert_eq!(ask(&[]).await, StatusCode::OK, "this machine");
    assert_eq!(ask(&[("x-forwarded-for", "127.0.0.1")]).await, StatusCode::UNAUTHORIZED, "through a proxy on this machine");
    assert_eq!(ask(&[("forwarded", "for=127.0.0.1")]).await, StatusCode::UNAUTHORIZED);
    let token = ("authorization", "Bearer a-token-for-the-figures");
    assert_eq!(ask(&[("x-forwarded-for", "203.0.113.9"), token]).await, StatusCode::OK, "from elsewhere, with the token");
    for wrong in ["Bearer a-token-for-the-figure", "Bearer ", "a-token-for-the-figures", "Basic a-token-for-the-figures"] {
        assert_eq!(ask(&[("x-forwarded-for", "203.0.113.9"), ("authorization", wrong)]).await, StatusCode::UNAUTHORIZED, "{wrong}");
    }
}

async fn it_is_ready_until_it_is_told_to_stop_or_the_database_is_gone(app: &TestApp) {
    let told = CancellationToken::new();
    let told_to_stop = serve(router_until(app, &told), &app.stop).await;
    let ask = async |url: &str| {
        let answer = app.http.get(format!("{url}/readyz")).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    assert_eq!(ask(&told_to_stop).await, (StatusCode::OK, "ready\n".to_owned()));
    told.cancel();
    assert_eq!(ask(&told_to_stop).await, (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n".to_owned()));
    assert_eq!(ask(&app.url).await.0, StatusCode::OK, "another one goes on");
    app.db.close().await;
    assert_eq!(ask(&app.url).await, (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n".to_owned()));
    let alive = app.http.get(format!("{}/healthz", app.url)).send().await.unwrap();
    assert_eq!(alive.status(), StatusCode::OK, "it need not be started anew for that");
}

/// A real process: the counters are one for the whole of it.
async fn the_figures(database: &str) {
    let (db, now) = (Db::open(database, 2).await.unwrap(), Now::system());
    db.migrate().await.unwrap();
    let invited = staff::first_administrator(&db, &now, "ada@example.com", "Ada", false).await.unwrap().unwrap();
    let ada = Member::load(&db, invited.id).await.unwrap().unwrap();
    let permit = ada.permit().unwrap();
    let account = accounts::add(&db, &now, &permit, "Lakeside", true, true).await.unwrap();
    let word = || "sandbox-demo-x".to_owned();
    let new = NewConnection {
        base_url: "http://127.0.0.1:9".to_owned(),
        client_id: word(),
        client_secret: word(),
        jwt: word(),
        posts_per_minute: None,
        posts_per_day: None,
    };
    ringcentral::connect(&db, &now, &keys(), &permit, Proof::at_the_shell(), account, new).await.unwrap();
    let line = "+12025550101";
    lines::add(&db, &now, &permit, account, line, "Front desk", Ringcentral).await.unwrap();
    let token = accounts::add_api_token(&db, &now, &permit, Proof::at_the_shell(), account, "program").await.unwrap();
    db.close().await;

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
    command.arg("serve").env("DATABASE_URL", database).env("LISTEN", address.to_string()).env("SECRET_KEY", SECRET_KEY);
    command.env_remove("PUBLIC_URL").env_remove("CARRIER_URL").env_remove("TRUSTED_PROXIES");
    let _process = Process(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let (http, url) = (http_client().unwrap(), format!("http://{address}"));
    eventually("the process is ready", async || http.get(format!("{url}/readyz")).send().await.is_ok_and(|a| a.status() == 200)).await;

    // Each line is a name, with labels if it has any, and a number.
    let figure = async |name: &str| {
        let text = http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<f64>().ok());
        (value, text)
    };
    let (held, text) = figure("switchyard_messages_held").await;
    assert_eq!(held, Some(0.0), "{text}");
    for n in [1, 2] {
        let body = serde_json::json!({ "line": line, "to": contact(n), "text": "Your order is ready" });
        let sent = http.post(format!("{url}/api/v1/messages")).bearer_auth(&token).json(&body).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::CREATED);
    }
    for name in ["switchyard_messages_held", "switchyard_messages_held_total"] {
        let (value, text) = figure(name).await;
        assert_eq!(value, Some(2.0), "{name}\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_tell_what_was_done_and_what_waits_on_sqlite() {
    with_database(DbEngine::Sqlite, async |url: &str| the_figures(url).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_tell_what_was_done_and_what_waits_on_postgres() {
    with_database(DbEngine::Postgres, async |url: &str| the_figures(url).await).await;
}

async fn every_answer_is_guarded_and_named(app: &TestApp) {
    let paths = ["/sign-in", "/lines", "/nothing", "/fn/me", "/api/v1/messages", "/api/nothing", "/healthz", "/metrics", "/pkg/none.js"];
    for path in paths {
        let answer = app.http.get(format!("{}{path}", app.url)).header("accept", "text/html").send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{path}: {policy}");
        assert_eq!(header("x-request-id").len(), 12, "{path}");
        assert_eq!(header("strict-transport-security"), "", "{path}: there is no TLS");
        if path != "/pkg/none.js" {
            assert_eq!(header("cache-control"), "no-store", "{path}");
        }
    }
    // Of scripts only those run that this answer names by its nonce, and what they load.
    let nonce = async || {
        let answer = app.http.get(format!("{}/sign-in", app.url)).header("accept", "text/html").send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let scripts = policy.split(';').map(str::trim).find(|part| part.starts_with("script-src ")).unwrap().to_owned();
        assert!(scripts.contains(" 'strict-dynamic'") && !scripts.contains("unsafe-inline"), "{policy}");
        let nonce = scripts.split(' ').find_map(|source| source.strip_prefix("'nonce-")?.strip_suffix('\'')).unwrap().to_owned();
        assert!(nonce.len() >= 16 && answer.text().await.unwrap().contains(&format!("nonce=\"{nonce}\"")), "{policy}");
        nonce
    };
    assert_ne!(nonce().await, nonce().await, "another one for each answer");
}

/// Before somebody has signed in, too: a password typed into the wrong installation is a mistake as well.
async fn every_page_says_which_installation_it_is_of(app: &TestApp) {
    let text = app.http.get(format!("{}/sign-in", app.url)).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("data-environment=\"Staging\""), "{text}");
    assert!(text.contains("[Staging] Sign in"), "{text}");
    assert!(text.contains("class=\"environment\""), "{text}");
}

/// A process with TLS, its database broken behind its back: what it answers and what it logs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_process_speaks_tls_and_an_errors_reference_finds_its_log_line() {
    with_database(DbEngine::Sqlite, async |database| {
        let folder = tempfile::tempdir().unwrap();
        let made = write_certificate(folder.path());
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let url = format!("https://console.test:{}", address.port());
        let log = folder.path().join("log");
        let mut process = Command::new(env!("CARGO_BIN_EXE_switchyard"))
            .arg("serve")
            .env("DATABASE_URL", database)
            .env("LISTEN", address.to_string())
            .env("PUBLIC_URL", &url)
            .env("TLS_CERT", folder.path().join("cert.pem"))
            .env("TLS_KEY", folder.path().join("key.pem"))
            .env("SECRET_KEY", SECRET_KEY)
            .env("LOG", "debug")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let _ = http_client().unwrap();
        let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([root]).resolve("console.test", address).no_proxy().build().unwrap();
        eventually("the process is ready", async || http.get(format!("{url}/readyz")).send().await.is_ok_and(|a| a.status() == 200)).await;

        let page = http.get(format!("{url}/sign-in")).send().await.unwrap();
        assert_eq!(page.headers()["strict-transport-security"], "max-age=31536000; includeSubDomains");
        let number = contact(1);
        let _ = http.get(format!("{url}/{number}?q={number}")).send().await.unwrap();

        // Who signs in gets cookies that a browser sends to this host alone, and over TLS alone.
        let db = Db::open(database, 1).await.unwrap();
        let invited = staff::first_administrator(&db, &Now::system(), "ada@example.com", "Ada", true).await.unwrap().unwrap();
        let accept = http.post(format!("{url}/fn/invitation/accept")).header("sec-fetch-site", "same-origin");
        let form = [("token", invited.token.as_str()), ("password", PASSWORD)];
        let accepted = accept.header("accept", "application/json").form(&form).send().await.unwrap();
        assert_eq!(accepted.status(), StatusCode::OK);
        let cookies: Vec<&str> = accepted.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
        let session = cookies.iter().find(|cookie| cookie.starts_with("__Host-switchyard=")).expect("a session's cookie");
        let parts: Vec<String> = session.split(';').skip(1).map(|part| part.trim().to_lowercase()).collect();
        for part in ["secure", "httponly", "path=/", "samesite=lax"] {
            assert!(parts.iter().any(|own| own == part), "{part}: {session}");
        }
        let is_guarded = |cookie: &&str| cookie.starts_with("__Host-") && cookie.contains("; Secure") && !cookie.contains("Domain");
        assert!(cookies.iter().all(is_guarded), "{cookies:?}");
        let session = session.split(';').next().unwrap().to_owned();
        let me = http.post(format!("{url}/fn/me")).header("sec-fetch-site", "same-origin").header("accept", "application/json");
        assert_eq!(me.header("cookie", session).send().await.unwrap().status(), StatusCode::OK, "it is the session");
        db.work(async |tx| {
            tx.run("drop table throttle", ()).await?;
            tx.run("drop table api_token", ()).await?;
            tx.run("alter table invitation rename to moved", ()).await
        })
        .await
        .unwrap();
        db.close().await;
        let sign_in = http.post(format!("{url}/fn/sign-in")).header("sec-fetch-site", "same-origin");
        let form = [("email", "ada@example.com"), ("password", "a long enough password")];
        let sign_in = sign_in.header("accept", "application/json").form(&form).send().await.unwrap();
        let message = http.post(format!("{url}/api/v1/messages")).bearer_auth("sw_of-nobody").json(&serde_json::json!({}));
        let mut references = Vec::new();
        for answer in [sign_in, message.send().await.unwrap()] {
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
            references.push(answer.headers()["x-request-id"].to_str().unwrap().to_owned());
            let answer: serde_json::Value = answer.json().await.unwrap();
            let text = answer["text"].as_str().or(answer["detail"].as_str()).unwrap();
            assert!(!text.contains("table"), "the cause is not shown: {text}");
            references.push(text.trim_end_matches('.').rsplit(' ').next().unwrap().to_owned());
        }
        // A page is rendered in tasks of its own; they belong to its request all the same.
        let page = http.get(format!("{url}/invitation?token=of-nobody")).send().await.unwrap();
        references.push(page.headers()["x-request-id"].to_str().unwrap().to_owned());
        let page = page.text().await.unwrap();
        let (_, words) = page.split_once("with the reference ").expect("the page shows a reference");
        references.push(words[..12].to_owned());
        let _ = process.kill();
        let _ = process.wait();
        let log = std::fs::read_to_string(&log).unwrap();
        for pair in references.chunks(2) {
            let line = log.lines().find(|line| pair.iter().all(|reference| line.contains(reference.as_str())));
            assert!(line.is_some_and(|line| line.contains("no such table")), "{pair:?}\n{log}");
        }
        assert!(!log.contains(&number[1..]), "a number in a path is not logged");
    })
    .await;
}

#[test]
fn half_a_configuration_is_refused_before_anything_is_opened() {
    let start = |settings: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        command.arg("serve").env("DATABASE_URL", "sqlite:/nowhere/at/all.db").env("SECRET_KEY", SECRET_KEY).envs(settings.iter().copied());
        let ended = command.stdout(Stdio::null()).output().unwrap();
        assert!(!ended.status.success());
        String::from_utf8(ended.stderr).unwrap()
    };
    assert!(start(&[("TLS_CERT", "a.pem")]).contains("--tls-key"));
    assert!(start(&[("PUBLIC_URL", "https://console.example.com")]).contains("TRUSTED_PROXIES"));
    assert!(start(&[("TRUSTED_PROXIES", "0.0.0.0/0")]).contains("everybody"));
    assert!(start(&[("TLS_CERT", "/none.pem"), ("TLS_KEY", "/none.key")]).contains("/none.pem"));
}
