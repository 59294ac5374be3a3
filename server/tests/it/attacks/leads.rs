//! Where a browser is led: by a field that says where to go on, by the page that a form stands on, by a path. By none of them away from
//! the console.

use super::names::{Argument, arguments};
use super::{raw, raw_from, session_of, url_encoded};
use crate::access::second_factor_of;
use crate::doors::Doors;
use crate::harness::{TestApp, on_both_engines};
use crate::house::{PASSWORD, house};
use reqwest::header::HeaderValue;
use reqwest::{Method, Response, StatusCode};
use switchyard::directory::integration;
use switchyard::staff::views;
use switchyard::types::{IntegrationType, ListKind};

on_both_engines![
    no_link_leads_through_the_console_to_elsewhere,
    no_form_that_says_where_to_go_on_leads_to_elsewhere,
    a_form_without_scripts_leads_back_to_no_other_site,
];

/// Where somebody would like a browser to be led.
const ELSEWHERE: [&str; 15] = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "http:evil.example",
    "/%2f/evil.example/..",
    "evil.example",
    "/sign-in?next=//evil.example",
    "/\r\nlocation: https://evil.example",
    "\u{ff0f}\u{ff0f}evil.example",
    "/.//evil.example",
];
/// Those of them that are paths of the console to every browser.
const WITHIN: [&str; 2] = ["/%2f/evil.example/..", "/.//evil.example"];

/// Fails when a browser that is on the console would be led away from it.
fn stays(to: &str, why: &str) {
    let ok = to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\") && !to.contains(['\t', '\r', '\n']);
    assert!(ok, "{why} leads to {to}");
}

/// Where an answer leads, if it leads anywhere.
fn led(answer: &Response) -> Option<String> {
    let mut all = answer.headers().get_all("location").iter().map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
    let (first, second) = (all.next(), all.next());
    assert_eq!(second, None, "an answer leads to one place");
    first
}

/// Where a page's links and forms lead.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let begins = [" href=\"", " action=\"", " formaction=\""];
    begins.into_iter().flat_map(move |begin| page.split(begin).skip(1)).filter_map(|rest| rest.split('"').next())
}

async fn no_link_leads_through_the_console_to_elsewhere(app: &TestApp) {
    let doors = Doors::open(app).await;
    let cookie = doors.cookie(4).await.unwrap();
    // Where an answer's head leads; the first page if nowhere.
    let place_of = |answer: &str| {
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or("/").to_owned()
    };
    for place in ELSEWHERE {
        // Through the form, with scripts and without.
        for accept in ["application/json", "text/html"] {
            let request =
                app.http.post(format!("{}/fn/sign-in", doors.url)).header("sec-fetch-site", "same-origin").header("accept", accept);
            let answer = request.form(&[("email", "vera@example.com"), ("password", PASSWORD), ("next", place)]).send().await.unwrap();
            let to = led(&answer).unwrap_or_else(|| "/".to_owned());
            stays(&to, place);
        }
        // Through the page, signed in and not.
        for page in ["/sign-in", "/sign-in/code"] {
            for who in [cookie.as_str(), ""] {
                let (_, answer) = raw(&doors.url, &format!("GET {page}?next={} HTTP/1.1", url_encoded(place)), who).await;
                stays(&place_of(&answer), place);
            }
        }
        // Through the links of pages that are told what they lead back to.
        for page in ["bulk?act=retry_lanes&all=1", "bulk?act=set_types&to=inbox&all=1", "lines/types?to=inbox&all=1", "lines/types?q="] {
            let path = format!("/{page}&back={}", url_encoded(place));
            let answer = doors.send(Method::GET, &path, Some(&cookie), &[], "same-origin").await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            let shown = answer.text().await.unwrap();
            assert!(links(&shown).count() > 5, "the links of {path} were read");
            let is_elsewhere = |to: &&str| {
                let to = to.split('?').next().unwrap_or_default();
                to.contains("evil.example") || to.starts_with("javascript:") || to.starts_with("data:text/html")
            };
            assert_eq!(links(&shown).find(is_elsewhere), None, "{path}");
        }
    }
    // A path that a browser would take for a host.
    for path in [
        "//evil.example",
        "//evil.example/?__err=a",
        "///evil.example?__err=a&x=1",
        "/\\evil.example?__err=x",
        "/.//evil.example?__err=x",
        "//evil.example/..?__err=x",
        "/lines?__path=//evil.example&__err=x",
        "/sign-in?__err=x&next=//evil.example&__path=https://evil.example",
    ] {
        for who in [cookie.as_str(), ""] {
            let (_, answer) = raw_from("cross-site", &doors.url, &format!("GET {path} HTTP/1.1"), who).await;
            stays(&place_of(&answer), path);
        }
    }
}

async fn no_form_that_says_where_to_go_on_leads_to_elsewhere(app: &TestApp) {
    let is_way = |argument: &Argument| ["next", "back"].contains(&argument.field.as_str());
    let in_code: Vec<String> = arguments().into_iter().filter(|(_, of)| of.iter().any(is_way)).map(|(path, _)| path).collect();
    let tried =
        ["bulk/do", "lines/types/set", "lists/columns", "prove", "sign-in", "sign-in/code", "views/remove", "views/rename", "views/save"];
    assert_eq!(in_code, tried, "the code left, what is tried right");

    let doors = Doors::open(app).await;
    let (h, line) = (house(app), app.line(IntegrationType::Inbox).await.id);
    let cora = h.member("cora@example.com", h.role("Viewer").await).await.id();
    let (phone, _) = second_factor_of(app, cora).await;
    // Where a browser without scripts is led when something is refused: a test that is refused fails by it.
    let here = format!("{}/you", doors.url);
    let post = async |path: &str, accept: &str, cookie: &str, fields: &[(&str, &str)]| {
        let request = app.http.post(format!("{}/fn/{path}", doors.url)).header("sec-fetch-site", "same-origin").header("accept", accept);
        let answer = request.header("referer", here.as_str()).header("cookie", cookie).form(fields).send().await.unwrap();
        let wanted = if accept == "text/html" { StatusCode::FOUND } else { StatusCode::OK };
        assert_eq!(answer.status(), wanted, "{path} with {fields:?}");
        answer
    };
    for place in ELSEWHERE {
        let inside = if WITHIN.contains(&place) { place } else { "/" };
        for accept in ["text/html", "application/json"] {
            let (admin, vera) = (doors.cookie(4).await.unwrap(), doors.cookie(1).await.unwrap());
            // A page with scripts stays where it is.
            let proved = post("prove", accept, &vera, &[("code", PASSWORD), ("next", place)]).await;
            assert_eq!(led(&proved).as_deref(), (accept == "text/html").then_some(inside), "prove: {place}");

            // A code is good once.
            app.pass(30);
            let first = post("sign-in", accept, "", &[("email", "cora@example.com"), ("password", PASSWORD), ("next", place)]).await;
            let to = led(&first).unwrap();
            assert!(to.starts_with("/sign-in/code?next=%2F"), "sign-in: {place} leads to {to}");
            let (half, code) = (session_of(&first).unwrap(), phone.code(app, 0));
            let second = post("sign-in/code", accept, &half, &[("code", code.as_str()), ("next", place)]).await;
            assert_eq!(led(&second).as_deref(), Some(inside), "sign-in/code: {place}");

            let columns = [("list", "lines"), ("columns[]", "label"), ("back", place)];
            let to = led(&post("lists/columns", accept, &admin, &columns).await);
            assert_eq!(to.as_deref(), Some(inside), "lists/columns: {place}");
            let view = [("list", "lines"), ("name", "Own"), ("names[]", "type"), ("values[]", "none"), ("back", place)];
            let to = led(&post("views/save", accept, &admin, &view).await);
            assert_eq!(to.as_deref(), Some(inside), "views/save: {place}");
            let id = views::read(&app.db, &app.staff, ListKind::Lines).await.unwrap().views.remove(0).id.to_string();
            let renamed = [("id", id.as_str()), ("version", "1"), ("name", "Renamed"), ("back", place)];
            let to = led(&post("views/rename", accept, &admin, &renamed).await);
            assert_eq!(to.as_deref(), Some(inside), "views/rename: {place}");
            let to = led(&post("views/remove", accept, &admin, &[("id", id.as_str()), ("version", "2"), ("back", place)]).await);
            assert_eq!(to.as_deref(), Some(inside), "views/remove: {place}");

            // Back to a list of such rows, and to nothing else.
            let none = ("bulk/do", "rows[]", IntegrationType::None, "bulk");
            for (path, rows, to, done) in [none, ("lines/types/set", "lines[]", IntegrationType::Inbox, "types")] {
                let version = integration::preview(&app.db, &app.staff.permit().unwrap(), line, to).await.unwrap().version;
                let seen = format!("{line}:{version}");
                let set = [("act", "set_types"), (rows, seen.as_str()), ("to", to.as_str()), ("confirm", "1"), ("back", place)];
                let to = led(&post(path, accept, &admin, &set).await);
                assert_eq!(to, Some(format!("/lines?done={done}")), "{path}: {place}");
            }
        }
    }
}

async fn a_form_without_scripts_leads_back_to_no_other_site(app: &TestApp) {
    let doors = Doors::open(app).await;
    let cookie = doors.cookie(4).await.unwrap();
    let back = async |path: &str, field: (&str, &str), from: &HeaderValue| {
        let request = app.http.post(format!("{}/fn/{path}", doors.url)).header("sec-fetch-site", "same-origin").header("cookie", &cookie);
        let answer = request.header("accept", "text/html").header("referer", from).form(&[field]).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND, "{path}");
        led(&answer).unwrap()
    };
    let (done, refused) = (("theme", ("theme", "dark")), ("accounts/add", ("name", "")));
    let near = [
        format!("{}.evil.example/you", doors.url),
        format!("{}@evil.example/you", doors.url),
        "http://console.test.evil.example/you".to_owned(),
        "http://console.test@evil.example/you".to_owned(),
        "http://console.test\\@evil.example/you".to_owned(),
    ];
    for from in ELSEWHERE.into_iter().map(ToOwned::to_owned).chain(near) {
        // What no header can hold, no browser sends.
        let Ok(from) = HeaderValue::from_bytes(from.as_bytes()) else { continue };
        for (path, field) in [done, refused] {
            stays(&back(path, field, &from).await, &format!("{path} on {from:?}"));
        }
    }
    // To a page of the console it leads back, by whichever of its names the browser has it, and what was wrong is said there.
    for site in [doors.url.as_str(), "http://console.test"] {
        let page = format!("{site}/accounts/new?q=desk");
        let from = HeaderValue::from_str(&page).unwrap();
        assert_eq!(back(done.0, done.1, &from).await, page);
        let to = back(refused.0, refused.1, &from).await;
        assert!(to.starts_with(&format!("{page}&__path=")) && to.contains("&__err="), "{to}");
    }
}
