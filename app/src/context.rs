//! What a server function stands on: the services, and who is asking. Only on the server.
//!
//! The rule: authority is read once per request, from the roles as they are now; [`permit`] is the only way to a service verb.

use http::header::ACCEPT;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use leptos::prelude::{provide_context, use_context};
use leptos_axum::ResponseOptions;
use std::net::IpAddr;
use switchyard::clock::Now;
use switchyard::db::Db;
use switchyard::ringcentral::Client;
use switchyard::secret::Keyring;
use switchyard::staff::approvals::Alone;
use switchyard::staff::{Member, Passwords, Permit, Proof, may};
use switchyard::types::{Problem, Timestamp};
use tower_sessions::Session;

/// The key in a session under which the signed-in member's id stands.
pub const STAFF: &str = "staff";
/// When they last showed who they are.
pub const PROVED: &str = "proved";

/// What the console needs of the program it runs in.
#[derive(Debug, Clone)]
pub struct Services {
    /// The database.
    pub db: Db,
    /// Clock and randomness.
    pub now: Now,
    /// The client that calls RingCentral.
    pub ringcentral: Client,
    /// What seals the secrets of connections.
    pub keys: Keyring,
    /// Hashes and checks passwords.
    pub passwords: Passwords,
    /// The sandbox as this program reaches it; the simulator is there only when the sandbox runs.
    pub sandbox_url: Option<String>,
    /// The sandbox as a browser reaches it.
    pub sandbox_public_url: Option<String>,
    /// TLS is on: cookies are `Secure`.
    pub secure_cookies: bool,
    /// The console as a browser reaches it, without a slash at the end.
    pub public_url: String,
    /// How much one person does alone.
    pub alone: Alone,
    /// Which installation this is; none is named in production.
    pub environment: Option<String>,
}

/// Who is asking, read by the server for each request and put into its extensions; `None` when nobody is signed in.
#[derive(Debug, Clone)]
pub struct Visitor(pub Option<Member>);

/// Where a request comes from, as the server found it: a proxy's word counts only if it is trusted.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress {
    /// The client's address.
    pub address: IpAddr,
    /// It is this machine itself, and no proxy on it.
    pub is_this_machine: bool,
}

/// Makes the services known to the server functions of a request.
pub fn provide(services: Services) {
    provide_context(services);
}

fn outside() -> Problem {
    tracing::error!("a server function ran outside a request");
    Problem::unavailable("The console is not ready. Try again in a minute.")
}

fn parts() -> Result<Parts, Problem> {
    use_context::<Parts>().ok_or_else(outside)
}

/// The services.
///
/// # Errors
/// `Unavailable` outside a request.
pub fn services() -> Result<Services, Problem> {
    use_context::<Services>().ok_or_else(outside)
}

/// The request's session, signed in or not.
///
/// # Errors
/// `Unavailable` outside a request.
pub fn session() -> Result<Session, Problem> {
    parts()?.extensions.get::<Session>().cloned().ok_or_else(outside)
}

/// Who is asking.
///
/// # Errors
/// `SignedOut` when nobody is signed in.
pub async fn member() -> Result<Member, Problem> {
    match parts()?.extensions.get::<Visitor>() {
        Some(Visitor(Some(member))) => Ok(member.clone()),
        _ => Err(Problem::SignedOut),
    }
}

/// The permit for `P` of whoever is asking.
///
/// # Errors
/// `SignedOut` when nobody is signed in, `Forbidden` when their roles do not give it.
pub async fn permit<P: may::May>() -> Result<Permit<P>, Problem> {
    member().await?.permit()
}

/// The proof that who is asking has shown lately who they are; a dangerous verb takes it.
///
/// # Errors
/// `Unproven` when that was too long ago, `SignedOut` when nobody is signed in.
pub async fn proof() -> Result<Proof, Problem> {
    let member = member().await?;
    let proved = session()?.get::<Timestamp>(PROVED).await.map_err(|error| {
        tracing::error!(%error, "a session could not be read");
        Problem::unavailable("The console is not ready. Try again in a minute.")
    })?;
    Proof::given(proved, services()?.now.at()).inspect_err(|_| member.is_asked_for_proof())
}

/// The browser and the system, as the browser says: enough for a member to know their own sessions by.
pub fn device() -> String {
    let parts = parts().ok();
    let agent = parts.as_ref().and_then(|parts| parts.headers.get(http::header::USER_AGENT)).and_then(|value| value.to_str().ok());
    device_of(agent.unwrap_or_default())
}

fn device_of(agent: &str) -> String {
    let first = |words: &[(&str, &'static str)]| words.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    // The order tells apart those that name their forebears too.
    let browser = first(&[("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]);
    let system = first(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown program".to_owned(),
    }
}

/// The client's address, for counting failed sign-ins and for the audit.
pub fn client_address() -> String {
    let address = parts().ok().and_then(|parts| address_of(&parts.extensions));
    address.unwrap_or_else(|| "unknown".to_owned())
}

/// A request's client address, as the front door found it.
pub fn address_of(extensions: &http::Extensions) -> Option<String> {
    extensions.get::<ClientAddress>().map(|client| client.address.to_string())
}

/// Has the browser forget what it keeps of the console, at the end of a session.
pub fn clear_site_data() {
    if let Some(response) = use_context::<ResponseOptions>() {
        let all = http::HeaderValue::from_static("\"cache\", \"storage\"");
        response.insert_header(http::header::HeaderName::from_static("clear-site-data"), all);
    }
}

/// Whether this is a form that a browser sent by itself, without JavaScript.
pub fn is_plain_form() -> bool {
    parts().is_ok_and(|parts| {
        let accepts = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        parts.method == Method::POST && accepts.contains("text/html")
    })
}

/// The value of a cookie of the request.
pub fn cookie(name: &str) -> Option<String> {
    let parts = parts().ok()?;
    let all = parts.headers.get_all(http::header::COOKIE);
    let mut pairs = all.iter().filter_map(|header| header.to_str().ok()).flat_map(|header| header.split(';'));
    pairs.find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()))
}

/// Sets a cookie by its `Set-Cookie` text; text that is no header value is left out.
pub fn set_cookie(text: &str) {
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), http::HeaderValue::from_str(text)) {
        response.append_header(http::header::SET_COOKIE, value);
    }
}

/// The header that tells the server of a refusal whose answer does not say so, as the status that it would have; no browser sees it.
pub const REFUSED_HEADER: HeaderName = HeaderName::from_static("switchyard-refused");

/// Sets the answer's status; a plain form is answered by a redirect and keeps that one.
pub fn answer_with(status: u16) {
    let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) else { return };
    if !is_plain_form() {
        response.set_status(status);
    } else if matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        response.insert_header(REFUSED_HEADER, HeaderValue::from(status.as_u16()));
    }
}

/// A path within the console that a redirect may lead to; anything else becomes the first page.
pub fn local_path(path: &str) -> &str {
    let inside = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && path.bytes().all(|b| b.is_ascii_graphic());
    if inside && !path.starts_with("/sign-in") { path } else { "/" }
}

/// The sign-in page that leads to `page` afterwards.
pub fn sign_in_path(page: &str) -> String {
    if page == "/" { "/sign-in".to_owned() } else { format!("/sign-in?next={}", leptos_router::location::Url::escape(page)) }
}

#[cfg(test)]
mod tests {
    use super::{device_of, local_path, sign_in_path};

    #[test]
    fn a_redirect_never_leaves_the_console() {
        assert_eq!(local_path("/lines?type=none"), "/lines?type=none");
        for outside in ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "lines", "/sign-in?next=/x", "/ä"] {
            assert_eq!(local_path(outside), "/", "{outside:?}");
        }
    }

    #[test]
    fn a_session_is_known_by_its_browser_and_system() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(device_of(chrome), "Chrome on Linux");
        assert_eq!(device_of("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15"), "Safari on macOS");
        assert_eq!(device_of("curl/8.5"), "Unknown program");
    }

    #[test]
    fn signing_in_leads_back_to_the_page_that_was_asked_for() {
        assert_eq!(sign_in_path("/lines?type=none"), "/sign-in?next=%2Flines%3Ftype%3Dnone");
        assert_eq!(sign_in_path("/"), "/sign-in");
    }
}
