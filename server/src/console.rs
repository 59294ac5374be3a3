//! The console's routes and what guards them: the session, who is asking, other sites, and the headers of every answer.
//!
//! The rule: a page is for who is signed in, and only this site's own pages may have the browser change something. What a member
//! may do is not decided here but by each server function's permit.
//!
//! A session is kept by what somebody asks, and by nothing else: an open page reads anew whatever changes, for ever. It marks what it asks
//! while nobody has touched it (`app/src/frame/present.js`). So the code that asks knows nothing of it, a person's click is never taken for
//! the page's own, and a browser without scripts, which asks nothing by itself, needs no mark.

mod audit_csv;
mod blast_csv;
mod certificate;
mod connections_csv;
mod conversation_csv;
pub(crate) mod csv;
mod directory_csv;
mod findings_csv;
mod line_csv;
mod lines_csv;
mod staff_csv;
mod sync_csv;
mod unknown_csv;
mod utilities;

use crate::front;
use app::Fault;
use app::context::{REFUSED_HEADER, STAFF, Services, Visitor, address_of, sign_in_path};
use app::{App, Assets, shell};
use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{TryStreamExt, stream};
use leptos::context::use_context;
use leptos::nonce::use_nonce;
use leptos::prelude::LeptosOptions;
use leptos::server_fn::error::FromServerFnError;
use leptos_axum::{AxumRouteListing, LeptosRoutes, ResponseOptions, generate_route_list};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use switchyard::staff::{self, Member, Place, SessionRows, write_down};
use switchyard::types::{Problem, SignedIn, StaffId, Timestamp, UNDO_HEADER};
use tower_http::compression::CompressionLayer;
use tower_http::services::{ServeDir, ServeFile};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, Session, SessionManagerLayer};
use uuid::Uuid;

/// A session ends after so many hours in which nobody asked for anything.
const IDLE_HOURS: i64 = 12;
/// A session ends after this time, however busy it is.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A session's row is written at most this often for nothing but activity.
const TOUCH: Duration = Duration::from_secs(10 * 60);
/// What a page asks for by itself, while nobody touches it.
const UNATTENDED: &str = "switchyard-unattended";
/// The stream of events, which a browser opens anew whenever it ends.
const EVENTS: &str = "/events";
/// Where the server functions are.
const FUNCTIONS: &str = "/fn/";
/// Pages for who is not signed in.
const OPEN: [&str; 3] = ["/sign-in", "/sign-in/code", "/invitation"];
/// Server functions for who is not signed in. Of the others nobody learns more than that: not even what their arguments are.
const OPEN_FUNCTIONS: [&str; 6] = ["sign-in", "sign-in/code", "sign-out", "theme", "invitation", "invitation/accept"];

/// The pages' routes. They are listed once: while Leptos does it, a page that is rendered elsewhere in the process would wait for its
/// data for ever (leptos-rs/leptos, issue 4773).
pub fn pages() -> Vec<AxumRouteListing> {
    static PAGES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| {
        front::of_their_request();
        generate_route_list(App)
    });
    PAGES.clone()
}

/// The console: pages, server functions, files, and `more` routes that stand behind the same session.
pub fn router(services: Services, leptos: LeptosOptions, more: Router) -> Router {
    let assets = assets(&leptos);
    let files = files(&leptos, &assets);
    let context = {
        let services = services.clone();
        move || {
            app::context::provide(services.clone());
            if let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) {
                response.insert_header(header::CONTENT_SECURITY_POLICY, policy(&nonce.to_string()));
            }
        }
    };
    let document = move || shell(assets.clone());
    let unknown = leptos_axum::render_app_async_with_context(context.clone(), document.clone());
    let session = SessionManagerLayer::new(SessionRows::new(services.db.clone(), services.now.clock.clone()))
        .with_name(if services.secure_cookies { "__Host-switchyard" } else { "switchyard" })
        .with_secure(services.secure_cookies)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(tower_sessions::cookie::time::Duration::hours(IDLE_HOURS)));
    let pages = Router::new()
        .leptos_routes_with_context(&leptos, pages(), context, document)
        .with_state(leptos)
        .route("/accounts.csv", get(directory_csv::of_accounts).with_state(services.clone()))
        .route("/accounts/{id}/users.csv", get(directory_csv::of_users).with_state(services.clone()))
        .route("/accounts/{id}/blasts.csv", get(line_csv::of_account_blasts).with_state(services.clone()))
        .route("/accounts/{id}/contacts.csv", get(directory_csv::of_contacts).with_state(services.clone()))
        .route("/audit.csv", get(audit_csv::download).with_state(services.clone()))
        .route("/connections.csv", get(connections_csv::download).with_state(services.clone()))
        .route("/erasures/{id}/certificate.txt", get(certificate::download).with_state(services.clone()))
        .route("/findings.csv", get(findings_csv::download).with_state(services.clone()))
        .route("/lines/{id}/blasts.csv", get(line_csv::of_blasts).with_state(services.clone()))
        .route("/lines/{id}/blasts/{blast}/recipients.csv", get(blast_csv::download).with_state(services.clone()))
        .route("/lines/{id}/conversations.csv", get(line_csv::of_conversations).with_state(services.clone()))
        .route("/lines/{id}/conversations/{conversation}/messages.csv", get(conversation_csv::download).with_state(services.clone()))
        .route("/lines.csv", get(lines_csv::download).with_state(services.clone()))
        .route("/staff.csv", get(staff_csv::download).with_state(services.clone()))
        .route("/sync.csv", get(sync_csv::download).with_state(services.clone()))
        .route("/sync/unknown.csv", get(unknown_csv::download).with_state(services.clone()))
        .route("/utilities/history.csv", get(utilities::history).with_state(services.clone()))
        .route("/utilities/runs/{id}/report.csv", get(utilities::report).with_state(services.clone()))
        .route("/utilities/runs/{id}/result.csv", get(utilities::result).with_state(services.clone()))
        .merge(more)
        .fallback(move |request: Request| {
            let unknown = unknown.clone();
            async move { not_found(request, unknown).await }
        });
    pages
        .layer(middleware::from_fn(front::small))
        // Its files are larger than any other form; it reads no more than each field allows.
        .route("/utilities/plan/{kind}", post(utilities::plan).with_state(services.clone()))
        .layer(middleware::from_fn_with_state(services.clone(), who_is_asking))
        .layer(session)
        .layer(middleware::from_fn_with_state(services.clone(), own_pages_only))
        .layer(middleware::map_response(not_stored))
        .layer(CompressionLayer::new())
        // A release's are compressed when it is built; for others, compressing them anew for each browser costs more than it saves.
        .merge(files)
}

/// The built site's files. In the folder with the version of their content they never change; in that of another version is nothing.
fn files(leptos: &LeptosOptions, assets: &Assets) -> Router {
    let root = Path::new(&*leptos.site_root);
    let built = || ServeDir::new(root.join(&*leptos.site_pkg_dir)).precompressed_br().precompressed_gzip();
    let keep = |how: &'static str| SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static(how));
    let kept = Router::new().nest_service(&assets.folder, built()).layer(middleware::map_response(kept));
    let plain = Router::new()
        .nest_service(&format!("/{}", leptos.site_pkg_dir), built())
        .route_service("/favicon.svg", ServeFile::new(root.join("favicon.svg")));
    kept.merge(plain.layer(keep("no-cache")))
}

async fn kept(mut response: Response) -> Response {
    let keep = if response.status().is_success() { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    response
}

/// What the build made, by the names that cargo-leptos gives.
fn assets(leptos: &LeptosOptions) -> Assets {
    let (package, name) = (&leptos.site_pkg_dir, &leptos.output_name);
    let folder = Path::new(&*leptos.site_root).join(&**package);
    let version = version_of(&folder).unwrap_or_else(|error| {
        tracing::warn!(%error, "the site is not built: pages can be read but look bare");
        "none".to_owned()
    });
    let (css, js) = (format!("{name}.css"), format!("{name}.js"));
    let wasm = if folder.join(format!("{name}.wasm")).exists() { format!("{name}.wasm") } else { format!("{name}_bg.wasm") };
    // The list of an earlier build may still lie there: the program itself says whether it is split.
    let is_split = std::fs::read_to_string(folder.join(&js)).is_ok_and(|js| js.contains("__wasm_split"));
    let list = is_split.then(|| std::fs::read(folder.join("__wasm_split_manifest.json")).ok()).flatten();
    let rooms = list.and_then(|list| serde_json::from_slice(&list).ok()).unwrap_or_default();
    Assets { folder: format!("/{package}/{version}"), css, js, wasm, rooms: Arc::new(rooms) }
}

/// One version for all files of a folder, as they name each other.
fn version_of(folder: &Path) -> std::io::Result<String> {
    let mut files = std::fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    let mut hash = Sha256::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|kind| ["css", "js", "wasm"].iter().any(|of| kind == *of))) {
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(std::fs::read(file)?);
    }
    Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// What a page may load: this site's own, and of scripts only those with the answer's nonce and what they load.
fn policy(nonce: &str) -> HeaderValue {
    let text = format!(
        "default-src 'self'; script-src 'strict-dynamic' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    );
    // A nonce is base64; should it ever not be, the page gets the policy of answers that are no pages.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(NO_PAGE))
}

/// The policy of answers that are no pages.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The headers that guard every answer.
pub(crate) async fn guarded(State(services): State<Services>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if services.secure_cookies {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NO_PAGE));
    response
}

/// Pages and answers hold what only this member may see: no cache keeps them.
pub(crate) async fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Refuses what another site had the browser send. Browsers say it themselves; older ones are held to their `Origin`.
async fn own_pages_only(State(services): State<Services>, mut request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads {
        return next.run(request).await;
    }
    if is_own(request.headers(), &services.public_url) {
        // A form without scripts is led back to where it says that it stands: to a page of this site, or to the first one.
        if !stands_here(request.headers(), &services.public_url) {
            request.headers_mut().remove(header::REFERER);
        }
        return next.run(request).await;
    }
    let address = address_of(request.extensions());
    if let Err(error) = staff::refused_another_site(&services.db, &services.now, address.as_deref().unwrap_or("unknown")).await {
        tracing::error!(%error, "the audit could not be written");
    }
    (StatusCode::FORBIDDEN, "This was sent from another site and is refused. Open the console itself and try again.\n").into_response()
}

fn is_own(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(HeaderName::from_static("sec-fetch-site")) {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => text(header::ORIGIN).is_some_and(|origin| origin == public_url),
    }
}

/// Whether the page that a form stands on is this site's, by its public name or by the one that the browser has it by.
fn stands_here(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    let Some(from) = text(header::REFERER) else { return false };
    let asked = |host: &str| ["http", "https"].iter().any(|scheme| is_of(&format!("{scheme}://{host}"), from));
    is_of(public_url, from) || text(header::HOST).is_some_and(asked)
}

/// Whether an address is one of this site.
fn is_of(site: &str, address: &str) -> bool {
    address.strip_prefix(site).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Reads who is asking, once for the whole request, and sends away from pages who is not signed in. What they were refused is in the
/// audit before they have the answer.
async fn who_is_asking(State(services): State<Services>, session: Session, mut request: Request, next: Next) -> Response {
    let is_somebodys = request.uri().path() != EVENTS && !request.headers().contains_key(UNATTENDED);
    let member = match member_of(&services, &session, is_somebodys).await {
        Ok(member) => member,
        Err(error) => {
            tracing::error!(%error, "a session could not be read");
            return not_ready();
        }
    };
    let path = request.uri().path();
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD) && !path.starts_with(FUNCTIONS) && !path.starts_with("/api/");
    if is_page {
        match (&member, OPEN.contains(&path)) {
            (None, false) if path != EVENTS => {
                return found(&sign_in_path(request.uri().path_and_query().map_or("/", |page| page.as_str())));
            }
            (Some(_), true) if path != "/invitation" => return found("/"),
            _ => {}
        }
        if let Some(clean) = without_foreign_error(&request, &services.public_url) {
            return found(&clean);
        }
    }
    if member.is_none() && path.strip_prefix(FUNCTIONS).is_some_and(|function| !OPEN_FUNCTIONS.contains(&function)) {
        return signed_out(request.headers());
    }
    let address = address_of(request.extensions());
    let member = member.map(|member| member.from(address));
    request.extensions_mut().insert(Visitor(member.clone()));
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let path = request.uri().path().to_owned();
    let mut named = ids_in(request.uri().path_and_query().map_or("", |page| page.as_str()).as_bytes());
    let mut response = next.run(request).await;
    let form = response.extensions_mut().remove::<front::Form>();
    // A form without scripts is answered by a redirect, and says beside it what else it would be answered.
    let beside = response.headers_mut().remove(REFUSED_HEADER).and_then(|said| StatusCode::from_bytes(said.as_bytes()).ok());
    let status = beside.unwrap_or(response.status());
    let Some(member) = member else { return response };
    if let Some(undo) = member.can_undo().and_then(|id| HeaderValue::try_from(id.to_string()).ok()) {
        response.headers_mut().insert(UNDO_HEADER, undo);
    }
    if status == StatusCode::NOT_FOUND {
        named.extend(form.iter().flat_map(|form| ids_in(&form.0)));
        note_reach(&services, &member, (&route, &path), named);
    }
    let place = Place { route: &route, path: &path, is_refused: status == StatusCode::FORBIDDEN };
    match write_down(&services.db, &services.now, &member, place).await {
        Ok(()) => while_they_may(services, session, &member, response),
        Err(error) => {
            tracing::error!(%error, "the audit could not be written");
            not_ready()
        }
    }
}

/// A file that is read page by page ends short when its session ends, or when its member may no longer do what they might when it began.
/// On which accounts they may do it, the statement of each page asks itself.
fn while_they_may(services: Services, session: Session, member: &Member, response: Response) -> Response {
    if response.extensions().get::<csv::InPages>().is_none() {
        return response;
    }
    let asked = Arc::new((services, session, member.signed_in()));
    response.map(|body| {
        Body::from_stream(stream::try_unfold((body.into_data_stream(), true), move |(mut pages, is_first)| {
            let asked = asked.clone();
            async move {
                let Some(page) = pages.try_next().await? else { return Ok(None) };
                // Looked at when the page is read: what happened meanwhile counts.
                if !is_first && !still_may(&asked.0, &asked.1, &asked.2).await {
                    tracing::debug!("a download was ended: its session has ended, or its member may no longer have it");
                    return Err(axum::Error::new(Problem::SignedOut));
                }
                Ok::<_, axum::Error>(Some((page, (pages, false))))
            }
        }))
    })
}

/// Whether the session stands, and its member may do all that they might before.
async fn still_may(services: &Services, session: &Session, before: &SignedIn) -> bool {
    let Some(member) = still_signed_in(services, session).await else { return false };
    let now = member.signed_in();
    before.permissions.iter().all(|permission| now.permissions.contains(permission))
        && before.everywhere.iter().all(|permission| now.everywhere.contains(permission))
}

/// The member behind a session, read anew for what goes on after its request; `None` when it has ended. It keeps no session.
pub(crate) async fn still_signed_in(services: &Services, session: &Session) -> Option<Member> {
    session.load().await.ok()?;
    member_of(services, session, false).await.ok()?
}

/// The ids in what was sent.
fn ids_in(sent: &[u8]) -> Vec<Uuid> {
    let parts = sent.split(|sign| !sign.is_ascii_hexdigit() && *sign != b'-');
    parts.filter(|part| part.len() == 36).filter_map(|part| Uuid::try_parse_ascii(part).ok()).collect()
}

/// Who names what another account has is told that there is no such thing, and stands in the audit. That is seen to when the answer is on
/// its way: how long it takes tells nobody whether there is one.
fn note_reach(services: &Services, member: &Member, (route, path): (&str, &str), named: Vec<Uuid>) {
    let asked = member.asked_on_some();
    if asked.is_empty() || named.is_empty() {
        return;
    }
    let (db, now, member) = (services.db.in_background(), services.now.clone(), member.clone());
    let (route, path) = (route.to_owned(), path.to_owned());
    tokio::spawn(async move {
        let place = Place { route: &route, path: &path, is_refused: true };
        if let Err(error) = staff::reached(&db, &now, &member, &asked, place, &named).await {
            tracing::error!(%error, "the audit could not be written");
        }
    });
}

fn not_ready() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "The console is not ready. Try again in a minute.\n").into_response()
}

/// What a server function answers nobody, before it reads what it was sent.
fn signed_out(headers: &HeaderMap) -> Response {
    if front::is_plain_form(headers) {
        return (StatusCode::SEE_OTHER, [(header::LOCATION, "/sign-in")]).into_response();
    }
    let fault = Fault(Problem::SignedOut).ser();
    (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, "application/json")], fault).into_response()
}

/// The member behind a session that has not run out. When it is somebody who asks it is noted, now and then, and keeps the session.
async fn member_of(
    services: &Services,
    session: &Session,
    is_somebodys: bool,
) -> Result<Option<Member>, Box<dyn std::error::Error + Send + Sync>> {
    let Some(id) = session.get::<StaffId>(STAFF).await? else { return Ok(None) };
    let now = services.now.at();
    let since = session.get::<Timestamp>("since").await?.unwrap_or(Timestamp(0));
    if now.since(since) > LIFETIME {
        session.flush().await?;
        return Ok(None);
    }
    let member = Member::load(&services.db, id).await?;
    let seen = session.get::<Timestamp>("seen").await?.unwrap_or(since);
    if is_somebodys && member.is_some() && now.since(seen) > TOUCH {
        session.insert("seen", now).await?;
    }
    Ok(member)
}

/// A form that is sent without JavaScript brings its error back in the URL. Only this site's own redirect may do so: on a link from
/// elsewhere the words would be somebody else's. Answers the URL without them.
fn without_foreign_error(request: &Request, public_url: &str) -> Option<String> {
    let query = request.uri().query().filter(|query| query.contains("__err="))?;
    let headers = request.headers();
    let own = match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => headers.get(header::REFERER).and_then(|from| from.to_str().ok()).is_some_and(|from| is_of(public_url, from)),
    };
    (!own).then(|| {
        let kept: Vec<&str> = query.split('&').filter(|field| !field.starts_with("__")).collect();
        let path = request.uri().path();
        if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
    })
}

/// 302, with a path of our own making. What begins with two slashes would be another host to a browser.
fn found(to: &str) -> Response {
    let inside = format!("/{}", to.trim_start_matches(['/', '\\']));
    match HeaderValue::from_str(&inside) {
        Ok(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// A page for an unknown address, in the console's frame; a program gets a word.
async fn not_found<R, F>(request: Request, render: R) -> Response
where
    R: FnOnce(Request<Body>) -> F,
    F: Future<Output = Response<Body>>,
{
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD) && !request.uri().path().starts_with("/api/");
    if !is_page {
        return (StatusCode::NOT_FOUND, "There is nothing at this address.\n").into_response();
    }
    let mut response = render(request).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_our_own_pages_may_have_the_browser_change_something() {
        let own = |pairs: &[_]| is_own(&headers(pairs), "https://console.example.com");
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[("sec-fetch-site", "none")]));
        assert!(own(&[("origin", "https://console.example.com")]));
        for foreign in ["cross-site", "same-site"] {
            assert!(!own(&[("sec-fetch-site", foreign), ("origin", "https://console.example.com")]), "{foreign}");
        }
        assert!(!own(&[("origin", "https://console.example.com.evil.example")]));
        assert!(!own(&[("origin", "null")]));
        assert!(!own(&[]), "a browser always says where it comes from");
    }

    #[test]
    fn a_form_stands_on_a_page_of_this_site_by_either_of_its_names() {
        let url = "https://console.example.com";
        let here = |host, from| stands_here(&headers(&[("host", host), ("referer", from)]), url);
        for own in ["https://console.example.com/lines?q=a", "https://console.example.com", "http://127.0.0.1:3000/lines"] {
            assert!(here("127.0.0.1:3000", own), "{own}");
        }
        for foreign in ["https://console.example.com.evil.example/", "https://console.example.com@evil.example/", "//lines", "/lines"] {
            assert!(!here("127.0.0.1:3000", foreign), "{foreign}");
        }
        assert!(!here("", "http:///evil.example"), "no name is none of its names");
    }

    #[test]
    fn ids_are_found_wherever_they_stand_in_what_was_sent() {
        let [one, other] = [1, 2].map(|n| format!("01890f5e-0000-7000-8000-00000000000{n}"));
        let found = |sent: &str| ids_in(sent.as_bytes()).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found(&format!("/lines/{one}/conversations/{other}?seen=0")), [one.as_str(), other.as_str()]);
        assert_eq!(found(&format!("lines%5B%5D={one}%3A0&name=a-b&id={other}")), [one.as_str(), other.as_str()]);
        assert_eq!(found(&format!("id={one}0&number=%2B12025550143&token=----")), [""; 0]);
    }

    #[test]
    fn words_in_a_link_from_elsewhere_are_not_shown() {
        let request = |site: &'static str| {
            let uri = "/sign-in?next=%2Flines&__path=%2Ffn%2Fsign-in&__err=abc";
            Request::builder().uri(uri).header("sec-fetch-site", site).body(Body::empty()).expect("a request")
        };
        let strip = |site| without_foreign_error(&request(site), "https://console.example.com");
        assert_eq!(strip("cross-site").as_deref(), Some("/sign-in?next=%2Flines"));
        assert_eq!(strip("same-origin"), None);
    }
}
