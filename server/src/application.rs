//! The application, assembled: what `serve`, `work`, `demo` and the tests start. Everything it starts ends with its token.

use crate::config::Settings;
use crate::front::{self, Front, Limits, TrustedProxies};
use crate::{api, console, live, webhooks};
use app::context::{ClientAddress, Services};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router, middleware};
use leptos::prelude::LeptosOptions;
use metrics_exporter_prometheus::PrometheusHandle;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use switchyard::clock::Now;
use switchyard::db::{Db, Engine as DbEngine};
use switchyard::erasure;
use switchyard::figures;
use switchyard::messaging::carrier::{self, Carrier};
use switchyard::messaging::{blast, idempotency, outbound};
use switchyard::retention;
use switchyard::ringcentral::Client;
use switchyard::ringcentral::events;
use switchyard::ringcentral::subscription::Subscriptions;
use switchyard::search;
use switchyard::secret::Keyring;
use switchyard::staff::approvals::Alone;
use switchyard::staff::{self, Passwords, SessionRows};
use switchyard::sync::{self, Agents, Engine, EngineConfig, ReleaseWindow};
use switchyard::undo;
use switchyard::utilities::{Worker, WorkerConfig};
use switchyard::work::is_my_turn;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What went wrong at start-up, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// Turns any cause into a start error with a sentence before it.
pub fn because<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> StartError {
    move |error| StartError(format!("{what}: {error}"))
}

/// The HTTP client that all calls to the outside share.
///
/// # Errors
/// When TLS cannot be set up.
pub fn http_client() -> Result<reqwest::Client, StartError> {
    // Whoever comes second finds it installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        // Nothing that we call answers elsewhere; a redirect would carry a token to a stranger.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("Switchyard/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(because("the HTTP client could not be made"))
}

/// Opens the database and brings it to this program's version.
///
/// # Errors
/// With what to do about it.
pub async fn open(url: &str, connections: u32) -> Result<Db, StartError> {
    let db = Db::open(url, connections).await.map_err(because("the database could not be opened (see DATABASE_URL)"))?;
    db.migrate().await.map_err(because("the database could not be brought to this version"))?;
    search::fold_older(&db).await.map_err(because("the database could not be brought to this version"))?;
    db.hear_other_processes().await.map_err(because("the database's notices could not be listened to"))?;
    Ok(db)
}

/// The background workers of a process.
#[derive(Debug)]
pub struct Workers {
    /// The carrier; without one nothing is sent.
    pub carrier: Option<Carrier>,
    /// SMS a second, at most.
    pub sms_per_second: u32,
    /// How the delivery engine works.
    pub engine: EngineConfig,
    /// The client for RingCentral and the carrier.
    pub http: reqwest::Client,
    /// What opens the secrets of connections.
    pub keys: Keyring,
    /// Where RingCentral reaches the product's webhooks.
    pub webhook_base: String,
    /// How runs of data utilities are worked.
    pub utilities: WorkerConfig,
}

impl Workers {
    /// Starts them; each finishes what it has begun when `stop` is told.
    pub fn start(self, db: &Db, now: &Now, stop: &CancellationToken) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let client = Client::new(self.http, db.clone(), now.clone(), self.keys);
        tasks.spawn(Subscriptions::new(client.clone(), &self.webhook_base).run(stop.clone()));
        let agents = Agents::new(db.clone(), now.clone(), client.clone()).without(self.engine.broken);
        tasks.spawn(agents.run(stop.clone()));
        let engine = Engine::new(db.clone(), now.clone(), client, self.engine);
        tasks.spawn(engine.run(stop.clone()));
        tasks.spawn(blast::run(db.clone(), now.clone(), stop.clone()));
        if let Some(carrier) = self.carrier {
            tasks.spawn(outbound::run(db.clone(), now.clone(), carrier, self.sms_per_second, stop.clone()));
        }
        tasks.spawn(Worker::new(db.clone(), now.clone(), self.utilities).run(stop.clone()));
        tasks.spawn(prune(db.clone(), now.clone(), stop.clone()));
        tasks.spawn(retention::run(db.clone(), now.clone(), stop.clone()));
        tasks.spawn(staff::run_seal(db.clone(), now.clone(), stop.clone()));
        tasks.spawn(figures::run(db.clone(), now.clone(), stop.clone()));
        tasks
    }
}

/// Forgets what is no longer needed, every few minutes, one process for all.
async fn prune(db: Db, now: Now, stop: CancellationToken) {
    let db = db.in_background();
    let sessions = SessionRows::new(db.clone(), now.clock.clone());
    let mut every = tokio::time::interval(Duration::from_secs(300));
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.cancelled() => return,
        }
        if !is_my_turn(&db, &now, "prune", Duration::from_secs(240)).await.unwrap_or(false) {
            continue;
        }
        let done = [
            figures::forget_old(&db, &now).await,
            sessions.prune().await,
            staff::sign_in_history_is_pruned(&db, &now).await,
            staff::forget_old_pauses(&db, &now).await,
            sync::forget_old_searches(&db, &now).await,
            search::forget_old(&db, &now).await,
            undo::forget_old(&db, &now).await,
            erasure::forget_open(&db, &now).await,
            idempotency::forget_old(&db, &now).await,
            blast::forget_old_drafts(&db, &now).await,
            events::forget_old(&db, &now).await,
        ];
        for error in done.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "old rows could not be deleted");
        }
    }
}

/// What the web layer is told.
#[derive(Debug, Clone, Default)]
pub struct Web {
    /// How long and how much.
    pub limits: Limits,
    /// The proxies whose word on the client's address counts.
    pub proxies: TrustedProxies,
    /// What opens `/metrics` from elsewhere than this machine.
    pub metrics_token: Option<String>,
}

/// The settings of the console that differ between an installation and a test.
#[derive(Debug, Clone)]
pub struct Site {
    /// The console as a browser reaches it.
    pub public_url: String,
    /// The built site.
    pub site_root: String,
    /// The sandbox as this process reaches it.
    pub sandbox_url: Option<String>,
    /// Secrets of the carriers' webhooks.
    pub secrets: Vec<(String, String)>,
    /// What seals and opens the secrets of connections, and the tokens of RingCentral's webhooks.
    pub keys: Keyring,
    /// The client for what staff have called while they wait.
    pub http: reqwest::Client,
    /// The web layer.
    pub web: Web,
    /// How much one person does alone.
    pub alone: Alone,
    /// Which installation this is; none is named in production.
    pub environment: Option<String>,
    /// How much of what is held a contact's reply releases.
    pub window: ReleaseWindow,
}

/// Every route of the server.
///
/// # Errors
/// When passwords cannot be hashed.
pub fn router(db: &Db, now: &Now, site: Site, metrics: Option<PrometheusHandle>, stop: &CancellationToken) -> Result<Router, StartError> {
    let services = Services {
        db: db.clone(),
        now: now.clone(),
        ringcentral: Client::new(site.http, db.clone(), now.clone(), site.keys.clone()),
        keys: site.keys.clone(),
        passwords: Passwords::new(now.rng.clone()).map_err(because("passwords cannot be hashed"))?,
        sandbox_url: site.sandbox_url.clone(),
        sandbox_public_url: site.sandbox_url,
        secure_cookies: site.public_url.starts_with("https://"),
        public_url: site.public_url,
        alone: site.alone,
        environment: site.environment,
    };
    let leptos = LeptosOptions::builder().output_name("switchyard").site_root(site.site_root).site_pkg_dir("pkg").build();
    let mut secrets: HashMap<String, Vec<String>> = HashMap::new();
    for (carrier, secret) in site.secrets {
        secrets.entry(carrier).or_default().push(secret);
    }
    let machines = Router::new()
        .merge(api::router(db.clone(), now.clone()))
        .merge(webhooks::Webhooks::new(db.clone(), now.clone(), secrets, site.window).router())
        .merge(webhooks::ringcentral::Hooks::new(db.clone(), now.clone(), site.keys).router())
        .merge(health(db.clone(), now.clone(), metrics, site.web.metrics_token, stop.clone()))
        .layer(middleware::map_response(console::not_stored));
    let (frame, guards) = ((site.web.limits, site.web.proxies), middleware::map_response_with_state(services.clone(), console::guarded));
    let events = live::Events { services: services.clone(), stop: stop.clone() };
    let console = console::router(services, leptos, live::routes(events));
    Ok(Router::new().merge(machines).merge(console).layer(middleware::from_fn_with_state(frame, front::asked)).layer(guards))
}

fn health(db: Db, now: Now, metrics: Option<PrometheusHandle>, token: Option<String>, stop: CancellationToken) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state((db.clone(), stop)))
        .route("/metrics", get(figures).with_state((db, now, metrics, token.map(Into::into))))
}

type Figures = (Db, Now, Option<PrometheusHandle>, Option<Arc<str>>);

/// The counters as they stand, and what waits now, in Prometheus' text format; for this machine, or with the token.
async fn figures(
    State((db, now, metrics, token)): State<Figures>,
    client: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
) -> Response {
    let sent = headers.get(header::AUTHORIZATION);
    let given = sent.and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    let fits = token.zip(given).is_some_and(|(token, given)| bool::from(token.as_bytes().ct_eq(given.as_bytes())));
    if !fits && !client.as_ref().is_some_and(|client| client.is_this_machine) {
        // Who sends no token guesses none.
        if sent.is_some() {
            let address = webhooks::address_or_unknown(client);
            if let Err(error) = staff::refused_metrics_token(&db, &now, &address).await {
                tracing::error!(%error, "the audit could not be written");
            }
        }
        let refusal = "The figures are for this machine, or for who sends the token (METRICS_TOKEN): Authorization: Bearer <token>.";
        return api::problem::Refusal::new(StatusCode::UNAUTHORIZED, refusal).into_response();
    }
    match sync::backlog(&db).await {
        Ok(backlog) => {
            metrics::gauge!("switchyard_messages_held").set(backlog.held as f64);
            metrics::gauge!("switchyard_messages_queued").set(backlog.queued as f64);
            metrics::gauge!("switchyard_lanes_stalled").set(backlog.stalled as f64);
            let lag = backlog.due_since.map_or(Duration::ZERO, |since| now.at().since(since));
            metrics::gauge!("switchyard_lane_lag_seconds").set(lag.as_secs_f64());
        }
        Err(error) => tracing::warn!(%error, "the backlog could not be read"),
    }
    match carrier::failing(&db, &now).await {
        Ok(failing) => {
            let at = now.at();
            let lasts = failing.as_ref().map_or(Duration::ZERO, |failing| at.since(failing.since));
            let parked = failing.and_then(|failing| failing.until).map_or(Duration::ZERO, |until| until.since(at));
            metrics::gauge!("switchyard_carrier_failing_seconds").set(lasts.as_secs_f64());
            metrics::gauge!("switchyard_carrier_parked_seconds").set(parked.as_secs_f64());
        }
        Err(error) => tracing::warn!(%error, "how the carrier stands could not be read"),
    }
    let text = metrics.map(|handle| handle.render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// Ready when the database answers, and until shutdown begins.
async fn ready(State((db, stop)): State<(Db, CancellationToken)>) -> impl IntoResponse {
    if stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n");
    }
    match db.one::<(i64,)>("select count(*) from role", ()).await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

/// Serves `router` on `listener` without TLS and with the usual limits, until told to stop.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    Front::default().serve(listener, router, stop).await;
}

/// Refuses what one file cannot do: a second process on SQLite. It goes by the URL alone and opens nothing.
///
/// # Errors
/// With the reason.
pub fn may_work_alone(url: &str) -> Result<(), StartError> {
    match DbEngine::of(url) {
        DbEngine::Postgres => Ok(()),
        DbEngine::Sqlite => Err(StartError(
            "SQLite is for one process: `serve` works the queues itself. Use PostgreSQL (DATABASE_URL=postgres://…) for further workers."
                .to_owned(),
        )),
    }
}

/// What a process needs of its settings to work the queues.
///
/// # Errors
/// With a sentence.
pub fn workers(settings: &Settings, http: reqwest::Client, keys: Keyring) -> Result<Workers, StartError> {
    let carrier = settings.carrier_url.as_deref().map(|url| Carrier::new(http.clone(), url, settings.carrier_key.clone()));
    if carrier.is_none() {
        tracing::warn!("CARRIER_URL is not set: outgoing messages wait");
    }
    Ok(Workers {
        carrier,
        sms_per_second: settings.sms_per_second,
        engine: settings.engine().map_err(StartError)?,
        http,
        keys,
        webhook_base: settings.webhook_url(),
        utilities: settings.utilities().map_err(StartError)?,
    })
}
