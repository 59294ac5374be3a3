//! What somebody with bad intentions tries, on everything that there is: the functions and routes come from the tables of
//! [`crate::doors`], which are held against the code, so that a new one is attacked too; their arguments from the code itself.

mod leads;
mod names;

use crate::doors::{Doors, FUNCTIONS, ROUTES, planned};
use crate::harness::{CARRIER, SECRET, TestApp, TestLine, contact, keys, on_both_engines, serve};
use crate::house::{PASSWORD, house, proof};
use names::{Argument, address_fields, arguments};
use reqwest::{Method, Response, StatusCode};
use server::application::{self, Site, Web};
use std::collections::BTreeSet;
use switchyard::directory::{accounts, lines, people};
use switchyard::messaging::blast;
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::{self, Proof, approvals::Alone};
use switchyard::types::{LineFilter, PhoneNumber};
use switchyard::utilities;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

on_both_engines![
    another_sites_page_can_have_the_browser_change_nothing,
    signing_in_gives_a_new_session_and_takes_over_no_planted_one,
    a_tampered_cookie_is_no_session,
    no_text_breaks_anything_and_each_comes_back_as_it_was_typed,
    a_machines_texts_break_nothing_either,
    no_cell_of_a_file_is_run_by_a_spreadsheet,
    no_path_leads_out_of_the_site,
    a_search_of_any_length_is_answered,
];

/// Texts that break out of SQL, HTML, scripts, patterns and templates. `{n}` makes it another one each time.
const MARKED: &str = "zz{n}'\";--<script>zq8()</script><img src=x onerror=zq8()>%_{{7}}";
/// What it looks like in a page that escapes it, and in one that does not.
const ESCAPED: &str = "&lt;script&gt;zq8()&lt;/script&gt;";
const RAW: [&str; 2] = ["<script>zq8", "<img src=x onerror"];

fn nasty() -> Vec<String> {
    let long = "x".repeat(100_000);
    let odd = ["\0", "zero\0byte", "\u{202e}gnp.exe", "\u{feff}", "a\r\nset-cookie: a=b", "💥ä\u{301}", "-1", "../../etc/passwd", ""];
    odd.into_iter().map(ToOwned::to_owned).chain([long]).collect()
}

async fn another_sites_page_can_have_the_browser_change_nothing(app: &TestApp) {
    let doors = Doors::open(app).await;
    let cookie = doors.cookie(4).await.unwrap();
    let own = ("origin", "http://console.test");
    let foreign: [&[(&str, &str)]; 9] = [
        &[],
        &[("referer", "http://console.test/lines")],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", "http://console.test.evil.example")],
        &[("origin", "https://console.test")],
        &[("sec-fetch-site", "cross-site"), own],
        &[("sec-fetch-site", "same-site"), own],
        &[("sec-fetch-site", "nonsense"), own],
    ];
    let paths: Vec<String> = leptos::server_fn::axum::server_fn_paths().map(|(path, _)| path.to_owned()).collect();
    assert!(paths.len() > 40, "the functions are registered");
    // That it was refused stands there, once in ten minutes.
    let changes = "select count(*) from audit_entry where action <> 'access.other_site'";
    let audited = async || -> i64 { app.db.one::<(i64,)>(changes, ()).await.unwrap().0 };
    let before = audited().await;
    for path in paths.iter().map(String::as_str).chain(["/lines", "/sign-in", "/", "/nothing"]) {
        for headers in foreign {
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                let mut request = app.http.request(method.clone(), format!("{}{path}", doors.url)).header("cookie", &cookie);
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let answer = request.header("content-type", "text/plain").body("theme=dark").send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method} {path} with {headers:?}");
                assert!(answer.text().await.unwrap().contains("another site"), "{path}");
            }
        }
    }
    assert_eq!(audited().await, before, "nothing was changed");
    // The same from the console itself is done.
    let theme = app.http.post(format!("{}/fn/theme", doors.url)).header("cookie", &cookie).header(own.0, own.1);
    assert_eq!(theme.form(&[("theme", "dark")]).send().await.unwrap().status(), StatusCode::OK);
}

async fn sign_in(app: &TestApp, url: &str, cookie: Option<&str>, next: &str) -> Response {
    let mut request =
        app.http.post(format!("{url}/fn/sign-in")).header("sec-fetch-site", "same-origin").header("accept", "application/json");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    request.form(&[("email", "vera@example.com"), ("password", PASSWORD), ("next", next)]).send().await.unwrap()
}

/// The session's cookie that an answer sets, without its attributes.
fn session_of(answer: &Response) -> Option<String> {
    let set = answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    set.filter_map(|value| value.split(';').next()).find(|pair| pair.starts_with("switchyard=")).map(ToOwned::to_owned)
}

async fn who(app: &TestApp, url: &str, cookie: &str) -> StatusCode {
    let request = app.http.post(format!("{url}/fn/me")).header("sec-fetch-site", "same-origin").header("cookie", cookie);
    request.header("accept", "application/json").send().await.unwrap().status()
}

async fn signing_in_gives_a_new_session_and_takes_over_no_planted_one(app: &TestApp) {
    let h = house(app);
    h.member("vera@example.com", h.role("Viewer").await).await;
    let planted = "switchyard=AAAAAAAAAAAAAAAAAAAAAA";
    let answer = sign_in(app, &app.url, Some(planted), "/lines").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let first = session_of(&answer).unwrap();
    assert_ne!(first, planted, "a planted cookie is not taken over");
    assert_eq!(who(app, &app.url, planted).await, StatusCode::UNAUTHORIZED);
    assert_eq!(who(app, &app.url, &first).await, StatusCode::OK);
    let attributes = answer.headers()["set-cookie"].to_str().unwrap().to_lowercase();
    assert!(attributes.contains("httponly") && attributes.contains("samesite=lax") && attributes.contains("path=/"), "{attributes}");

    // Who signs in again has another session, and the former one is over: whoever knew it, knows nothing.
    let second = session_of(&sign_in(app, &app.url, Some(&first), "/lines").await).unwrap();
    assert_ne!(first, second);
    assert_eq!(who(app, &app.url, &first).await, StatusCode::UNAUTHORIZED, "the session from before is over");
    assert_eq!(who(app, &app.url, &second).await, StatusCode::OK);

    // Nobody gets a session by looking.
    for path in ["/sign-in", "/lines", "/invitation", "/nothing"] {
        let answer = app.http.get(format!("{}{path}", app.url)).send().await.unwrap();
        assert_eq!(session_of(&answer), None, "{path}");
    }
}

async fn a_tampered_cookie_is_no_session(app: &TestApp) {
    let doors = Doors::open(app).await;
    let good = doors.cookie(4).await.unwrap();
    let id = good.strip_prefix("switchyard=").unwrap();
    assert_eq!(who(app, &doors.url, &good).await, StatusCode::OK);
    for at in 0..id.len() {
        let mut other = id.as_bytes().to_vec();
        // The last sign carries two bits only: a neighbour may spell the same id.
        other[at] = if other[at] == b'Q' { b'g' } else { b'Q' };
        let other = format!("switchyard={}", String::from_utf8(other).unwrap());
        assert_eq!(who(app, &doors.url, &other).await, StatusCode::UNAUTHORIZED, "sign {at} of {good} was changed: {other}");
    }
    let (upper, lower, twice, short) = (id.to_uppercase(), id.to_lowercase(), format!("{id}{id}"), id[..id.len() - 1].to_owned());
    for other in [upper, lower, twice, short, String::new(), "0".to_owned(), "null".to_owned(), "../../1".to_owned(), "x".repeat(10_000)] {
        if other != id {
            assert_eq!(who(app, &doors.url, &format!("switchyard={other}")).await, StatusCode::UNAUTHORIZED, "{other:.60}");
        }
    }
}

async fn tables(app: &TestApp) -> i64 {
    app.db.one::<(i64,)>("select count(*) from account", ()).await.unwrap().0
}

/// Every page that there is, as the administrator sees it.
async fn pages(doors: &Doors<'_>, cookie: &str) -> Vec<(String, String)> {
    let mut read = Vec::new();
    for (method, route, wanted) in ROUTES {
        if *method == "GET" && wanted[4] == 200 && *route != "/events" {
            let path = doors.path(route);
            let answer = doors.send(Method::GET, &path, Some(cookie), &[], "same-origin").await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            read.push((path, answer.text().await.unwrap()));
        }
    }
    assert!(read.len() > 15, "the pages were read");
    read
}

async fn no_text_breaks_anything_and_each_comes_back_as_it_was_typed(app: &TestApp) {
    let known = arguments();
    let in_code: BTreeSet<&str> = known.keys().map(String::as_str).collect();
    let in_table: BTreeSet<&str> = FUNCTIONS.iter().map(|(path, ..)| *path).collect();
    assert_eq!(in_code, in_table, "the functions whose arguments were read left, the table right");
    let doors = Doors::open(app).await;
    let (mut broken, mut tried, mut beside, mut taken) = (Vec::new(), 0, 0, BTreeSet::new());
    for (function, (path, form, _)) in FUNCTIONS.iter().enumerate() {
        // The fields of the example, and then whatever else the function takes.
        let own: Vec<String> = doors.fields(form, 0).into_iter().map(|(name, _)| name).collect();
        for name in &own {
            assert!(known[*path].iter().any(|argument| argument.is(name)), "{path} takes no {name}: its example is wrong");
        }
        let more: Vec<&Argument> = known[*path].iter().filter(|argument| !own.iter().any(|name| argument.is(name))).collect();
        beside += more.len();
        let marked = |n: usize| MARKED.replace("{n}", &format!("{function}n{n}"));
        for at in 0..own.len() + more.len() {
            let name = own.get(at).unwrap_or_else(|| &more[at - own.len()].field);
            for (n, text) in nasty().into_iter().chain([marked(at)]).enumerate() {
                let mut fields = doors.fields(form, n);
                match fields.get_mut(at) {
                    Some((_, value)) => value.clone_from(&text),
                    None => more[at - own.len()].say(&mut fields, &text),
                }
                let cookie = doors.cookie(4).await.unwrap();
                let answer = doors.send(Method::POST, &format!("/fn/{path}"), Some(&cookie), &fields, "same-origin").await;
                let status = answer.status().as_u16();
                let place = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
                let told = answer.text().await.unwrap();
                tried += 1;
                if status == 500 || RAW.iter().any(|raw| told.contains(raw) && !told.starts_with(['{', '['])) {
                    broken.push(format!("{path} {name}={text:.40?}: {status} {told:.200}"));
                }
                if place.is_some_and(|place| !place.starts_with('/') || place.starts_with("//")) {
                    broken.push(format!("{path} {name}={text:.40?}: leads elsewhere"));
                }
                if status == 200 && text.starts_with("zz") {
                    taken.insert(format!("{path} {name}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} of {tried}:\n{}", broken.len(), broken.join("\n"));
    assert!(tried > 4_000 && beside > 80, "every field was tried: {tried}, of {beside} in no example too");
    for field in ["accounts/add name", "lines/add label", "lines/responders/add reply", "staff/invite name", "simulator/reply text"] {
        assert!(taken.contains(field), "{field} takes any text: {taken:?}");
    }
    // The whole of it is there, in tables and on pages: escaped, and as it was typed.
    assert!(tables(app).await >= 3);
    let cookie = doors.cookie(4).await.unwrap();
    let mut shown = 0;
    for (path, page) in pages(&doors, &cookie).await {
        assert!(!RAW.iter().any(|raw| page.contains(raw)) || path.ends_with(".csv"), "{path} carries markup that somebody typed");
        shown += usize::from(page.contains(ESCAPED));
    }
    assert!(shown >= 4, "accounts, lines, staff and the audit show what was typed: {shown} pages do");
    let list = doors.send(Method::POST, "/fn/accounts/list", Some(&cookie), &[("search".to_owned(), "zz".to_owned())], "same-origin").await;
    let list: serde_json::Value = serde_json::from_str(&list.text().await.unwrap()).unwrap();
    let names: Vec<&str> = list["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    let add = FUNCTIONS.iter().position(|(path, ..)| *path == "accounts/add").unwrap();
    let added = MARKED.replace("{n}", &format!("{add}n0"));
    // Whatever else was given a name has its own: what stands between the first signs and the next is its number.
    let number = |name: &str| Some(name.strip_prefix("zz")?.split_once('\'')?.0.to_owned());
    let is_whole = |name: &&str| number(name).is_some_and(|n| MARKED.replace("{n}", &n) == **name);
    assert!(names.contains(&added.as_str()) && names.iter().all(is_whole), "as it was typed: {names:?}");
    // Searching for it finds it; its signs are no pattern.
    for (search, found) in [("%", 0), ("_", 0), ("' or '1'='1", 0)] {
        let fields = [("search".to_owned(), format!("nobody{search}"))];
        let list = doors.send(Method::POST, "/fn/accounts/list", Some(&cookie), &fields, "same-origin").await;
        let list: serde_json::Value = serde_json::from_str(&list.text().await.unwrap()).unwrap();
        assert_eq!(list["rows"].as_array().unwrap().len(), found, "{search}");
    }
    // The same in URLs.
    let mut names = address_fields();
    for field in utilities::catalogue(&app.staff).into_iter().flat_map(|(about, _)| about.fields) {
        names.extend([format!("find-{}", field.name), field.name]);
    }
    assert!(names.len() > 60, "the fields of addresses were read: {names:?}");
    for (_, route, wanted) in ROUTES.iter().filter(|(method, route, _)| *method == "GET" && *route != "/events") {
        for (n, text) in nasty().into_iter().chain([MARKED.to_owned()]).filter(|text| text.len() < 10_000).enumerate() {
            let query: String = url_encoded(&text);
            let query: Vec<String> = names.iter().map(|name| format!("{name}={query}")).collect();
            let path = doors.path(route);
            let (page, own) = path.split_once('?').unwrap_or((path.as_str(), ""));
            let query = query.join("&");
            // Of a field that is there twice the later one counts.
            let asked = if own.is_empty() { vec![query] } else { vec![format!("{own}&{query}"), format!("{query}&{own}")] };
            for path in asked.into_iter().map(|asked| format!("{page}?{asked}")) {
                let answer = doors.send(Method::GET, &path, Some(&cookie), &[], "same-origin").await;
                let status = answer.status().as_u16();
                let told = answer.text().await.unwrap();
                assert!(status < 500, "{n} {path}: {status} {told:.300}");
                assert!(
                    wanted[4] != 200 || !RAW.iter().any(|raw| told.contains(raw)) || route.ends_with(".csv"),
                    "{path} shows markup: {status}"
                );
            }
        }
    }
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

async fn a_search_of_any_length_is_answered(app: &TestApp) {
    let doors = Doors::open(app).await;
    let cookie = doors.cookie(4).await.unwrap();
    // The last field is what is searched for.
    let forms = [
        ("accounts/list", "search="),
        ("accounts/offered", "search="),
        ("bulk/look", "act=set_types&to=inbox&all=true&filter[search]="),
        ("connections/list", "search="),
        ("contacts/find", "account={account}&text="),
        ("conversations/find", "line={line}&number="),
        ("lines/list", "search="),
        ("search", "text="),
        ("sync/find", "line={line}&number="),
        ("sync/unknown", "number="),
        ("sync/unknown/aside", "number="),
        ("users/list", "account={account}&search="),
        ("utilities/list", "search="),
    ];
    // SQLite takes no pattern of more than 50,000 bytes. The last one is longer in lower case.
    let texts = ["7".repeat(100_000), "x".repeat(100_000), "%".repeat(60_000), "\u{130}".repeat(20_000)];
    for (path, form) in forms {
        for text in &texts {
            let mut fields = doors.fields(form, 0);
            fields.last_mut().unwrap().1.clone_from(text);
            let answer = doors.send(Method::POST, &format!("/fn/{path}"), Some(&cookie), &fields, "same-origin").await;
            let status = answer.status();
            assert!(status.as_u16() < 500, "{path} {text:.3}…: {status} {:.300}", answer.text().await.unwrap());
        }
    }
    for page in ["/lines", "/lines.csv", "/utilities/history", "/utilities/history.csv"] {
        let answer = doors.send(Method::GET, &format!("{page}?q={}", "7".repeat(60_000)), Some(&cookie), &[], "same-origin").await;
        assert_eq!(answer.status(), StatusCode::OK, "{page}");
        // A file that breaks off has begun well.
        answer.text().await.unwrap_or_else(|error| panic!("{page}: {error}"));
    }
}

async fn a_machines_texts_break_nothing_either(app: &TestApp) {
    let doors = Doors::open(app).await;
    let line = doors.line.clone();
    let marked = MARKED.replace("{n}", "machine");
    let texts: Vec<String> = nasty().into_iter().chain([marked.clone()]).collect();
    let mut recorded = 0;
    for (n, text) in texts.iter().enumerate() {
        let message = serde_json::json!({ "line": line.number, "to": contact(3), "text": "Hello" });
        let blast = serde_json::json!({ "line": line.number, "recipients": [contact(3)], "text": "Hello", "name": "Sale" });
        for (path, whole) in [("messages", message), ("blasts", blast)] {
            for name in whole.as_object().unwrap().keys() {
                let mut one = whole.clone();
                one[name] = serde_json::json!(text);
                let answer = app
                    .http
                    .post(format!("{}/api/v1/{path}", doors.url))
                    .bearer_auth(&line.token)
                    .header("idempotency-key", format!("{n}"));
                let answer = answer.json(&one).send().await.unwrap();
                assert!(answer.status().as_u16() < 500, "{path} {name}={text:.40?}: {}", answer.text().await.unwrap());
            }
        }
        // The carrier's message, with each field in turn.
        let whole = serde_json::json!({ "id": format!("in-{n}"), "from": contact(1), "to": [line.number], "text": "Hello",
            "media": [{ "url": "https://example.com/a.jpg", "content_type": "image/jpeg" }], "sent_at": "2026-11-21T05:20:11Z" });
        for name in ["id", "from", "text", "sent_at"] {
            let mut one = whole.clone();
            one["id"] = serde_json::json!(format!("in-{n}-{name}"));
            one[name] = serde_json::json!(text);
            let answer = app.webhook("messages", SECRET, &one).await;
            let status = answer.status().as_u16();
            assert!(status < 500, "{name}={text:.40?}: {}", answer.text().await.unwrap());
            recorded += usize::from(name == "text" && status == 200);
        }
        let mut one = whole.clone();
        one["id"] = serde_json::json!(format!("in-{n}-media"));
        one["media"] = serde_json::json!([{ "url": text, "content_type": text }]);
        assert!(app.webhook("messages", SECRET, &one).await.status().as_u16() < 500, "media={text:.40?}");
        let status = serde_json::json!({ "id": text, "reference": text, "status": "failed", "error": text });
        assert!(app.webhook("status", SECRET, &status).await.status().as_u16() < 500, "status {text:.40?}");
        let none = app.signed_webhook(CARRIER, "messages", "t=1,v1=00", text.clone()).await;
        assert_eq!(none.status(), StatusCode::UNAUTHORIZED);
    }
    assert!(recorded >= texts.len() - 2, "whatever a contact writes is recorded: {recorded}");
    app.work().await;
    let seen = app.timeline(&line, &contact(1)).await;
    assert!(seen.iter().any(|message| message.written.body() == Some(marked.as_str())), "as it was written");
    let cookie = doors.cookie(4).await.unwrap();
    for (path, page) in pages(&doors, &cookie).await {
        assert!(!RAW.iter().any(|raw| page.contains(raw)) || path.ends_with(".csv"), "{path} carries markup that somebody wrote");
        if path.ends_with(&format!("/conversations/{}", doors.conversation)) {
            assert!(page.contains(ESCAPED), "the conversation shows what was written");
        }
    }
}

/// The cells of a CSV file (RFC 4180).
fn cells(file: &str) -> Vec<String> {
    let (mut all, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut signs = file.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '"' if is_quoted && signs.peek() == Some(&'"') => cell.extend(signs.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => all.push(std::mem::take(&mut cell)),
            '\r' if !is_quoted && signs.peek() == Some(&'\n') => {
                signs.next();
                all.push(std::mem::take(&mut cell));
            }
            sign => cell.push(sign),
        }
    }
    assert!(cell.is_empty() && !is_quoted, "the file ends with a whole line");
    all
}

async fn no_cell_of_a_file_is_run_by_a_spreadsheet(app: &TestApp) {
    let doors = Doors::open(app).await;
    let cookie = doors.cookie(4).await.unwrap();
    let formulas = [
        "=1+1",
        "+1+1",
        "-1+1",
        "@sum(1)",
        "=cmd|' /C calc'!A0",
        "\u{ff1d}1+1",
        "\u{ff0b}1",
        "\u{ff0d}1",
        "\u{ff20}a",
        "\"=1\"",
        "-",
        "=\",\"=1",
    ];
    let typed = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let viewer = house(app).role("Viewer").await;
    for (n, formula) in formulas.into_iter().enumerate() {
        let fields = [typed("name", formula), typed("sends_blasts", "true"), typed("has_conversations", "true")];
        let added = doors.send(Method::POST, "/fn/accounts/add", Some(&cookie), &fields, "same-origin").await;
        assert_eq!(added.status(), StatusCode::OK, "{formula}");
        let number = format!("+12025550{}", 160 + n);
        let account = doors.filled("{account}", 0);
        let fields = [typed("account", &account), typed("number", &number), typed("label", formula), typed("integration_type", "none")];
        let added = doors.send(Method::POST, "/fn/lines/add", Some(&cookie), &fields, "same-origin").await;
        assert_eq!(added.status(), StatusCode::OK, "{formula}");
        let fields = [typed("account", &account), typed("name", formula), typed("email", &format!("formula{n}@example.com"))];
        let added = doors.send(Method::POST, "/fn/users/add", Some(&cookie), &fields, "same-origin").await;
        assert_eq!(added.status(), StatusCode::OK, "{formula}");
        let (permit, whose) = (app.staff.permit().unwrap(), account.parse().unwrap());
        let contact = PhoneNumber::parse(&contact(100 + n)).unwrap();
        people::name_contact(&app.db, &app.now, &permit, whose, &contact, formula).await.unwrap();
        app.reply(contact.expose(), &doors.line, "Hello").await;
        // What is texted to a number that is no line may be anything, too.
        let stray = TestLine { number: "+12025550159".to_owned(), ..doors.line.clone() };
        app.reply(contact.expose(), &stray, formula).await;
        let connected = accounts::list(&app.db, &app.staff.permit().unwrap(), formula, None, 50).await.unwrap();
        let connected = connected.rows.into_iter().find(|row| row.name == formula).unwrap().id;
        let text = || formula.to_owned();
        let connection = NewConnection {
            base_url: app.sandbox_url.clone(),
            client_id: text(),
            client_secret: text(),
            jwt: text(),
            posts_per_minute: None,
            posts_per_day: None,
        };
        ringcentral::connect(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), Proof::at_the_shell(), connected, connection)
            .await
            .unwrap();
        staff::invite(&app.db, &app.now, &app.staff, proof(), &format!("staff{n}@example.com"), formula, viewer).await.unwrap();
        let token = accounts::add_api_token(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), whose, formula).await.unwrap();
        let blast = serde_json::json!({ "line": doors.line.number, "recipients": [contact.expose()], "text": "Hello" });
        let sent = app.http.post(format!("{}/api/v1/blasts", doors.url)).bearer_auth(token).json(&blast).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::ACCEPTED, "{formula}: {}", sent.text().await.unwrap());
    }
    // A carrier's word on a blast's message may be anything.
    while blast::record_next(&app.db, &app.now).await.unwrap() {}
    app.db.work(async |tx| tx.run("update message set error = '=1+1' where blast_id is not null", ()).await).await.unwrap();
    // Lines that their account has no product for are a finding.
    app.db.work(async |tx| tx.run("update account set sends_blasts = false where name = 'Account 0'", ()).await).await.unwrap();
    // Runs tell of their lines by label, in a sentence and by itself.
    let of_formulas = LineFilter { search: "+1202555016".to_owned(), ..LineFilter::default() };
    for line in lines::list(&app.db, &app.staff.permit().unwrap(), &of_formulas, None, 50).await.unwrap().rows {
        planned(app, line.id, doors.elsewhere).await;
    }
    // What a run made of a file is the utility's own; there is none here.
    let files = ROUTES.iter().map(|(_, route, _)| *route).filter(|route| route.ends_with(".csv") && !route.ends_with("/result.csv"));
    let files: Vec<&str> = files.collect();
    assert!(files.len() >= 3, "{files:?}");
    for path in files {
        let asked = if path == "/utilities/history.csv" { format!("{path}?state=planned") } else { doors.path(path) };
        let answer = doors.send(Method::GET, &asked, Some(&cookie), &[], "same-origin").await;
        assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"), "{path}");
        let cells = cells(&answer.text().await.unwrap());
        assert!(cells.len() > 20, "{path} has rows");
        // A number in full is a number to a spreadsheet, too.
        let is_number =
            |cell: &str| cell.strip_prefix('+').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
        let starts = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
        let run: Vec<&String> = cells.iter().filter(|cell| cell.starts_with(starts) && !is_number(cell)).collect();
        assert!(run.is_empty(), "{path}: {run:?}");
        let are_there = ["/utilities/history.csv", "/connections.csv", "/findings.csv", "/staff.csv"];
        let of_a_line = ["/conversations.csv", "/blasts.csv", "/recipients.csv", "/unknown.csv"];
        if are_there.contains(&path) || of_a_line.iter().any(|file| path.ends_with(file)) {
            assert!(cells.iter().any(|cell| cell == "'=1+1"), "{path}: {cells:?}");
        }
        if path == "/lines.csv" {
            assert!(formulas.iter().all(|formula| cells.iter().any(|cell| cell.trim_start_matches('\'') == *formula)), "{cells:?}");
        }
    }
}

/// What a path is answered, as it stands: clients tidy paths up.
async fn raw(url: &str, line: &str, cookie: &str) -> (u16, String) {
    raw_from("same-origin", url, line, cookie).await
}

/// The same, as the browser sends it from there.
async fn raw_from(site: &str, url: &str, line: &str, cookie: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!("{line}\r\nhost: console.test\r\ncookie: {cookie}\r\nsec-fetch-site: {site}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), answer)
}

/// The console with a site of its own: a file in it, and one beside it that nobody may read.
async fn with_site(app: &TestApp, folder: &std::path::Path) -> String {
    std::fs::create_dir_all(folder.join("site/pkg/deep")).unwrap();
    std::fs::write(folder.join("site/pkg/switchyard.css"), "body{}").unwrap();
    std::fs::write(folder.join("secret.txt"), "zq9 nobody may read this").unwrap();
    std::fs::write(folder.join("site/secret.txt"), "zq9 nor this").unwrap();
    let site = Site {
        public_url: "http://console.test".to_owned(),
        site_root: folder.join("site").display().to_string(),
        sandbox_url: None,
        secrets: Vec::new(),
        keys: keys(),
        http: app.http.clone(),
        web: Web::default(),
        alone: Alone { lines: 10, rows: 10_000, at_once: 100 },
        environment: None,
        window: switchyard::sync::ReleaseWindow::default(),
    };
    serve(application::router(&app.db, &app.now, site, None, &app.stop).unwrap(), &app.stop).await
}

async fn no_path_leads_out_of_the_site(app: &TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let url = with_site(app, folder.path()).await;
    let cookie = Doors::open(app).await.cookie(4).await.unwrap();
    let (status, answer) = raw(&url, "GET /pkg/switchyard.css HTTP/1.1", &cookie).await;
    assert!(status == 200 && answer.ends_with("body{}"), "what is in the site is served: {answer}");
    let secret = folder.path().join("secret.txt").display().to_string();
    let mut paths = vec![format!("/pkg/{secret}"), format!("/pkg//{secret}"), secret.clone(), format!("//{secret}")];
    let ups = ["..", "%2e%2e", "%2E.", ".%2e", "..%00", "..%5c", "%252e%252e", "....", "..;", "%c0%ae%c0%ae", "\u{ff0e}\u{ff0e}"];
    for up in ups {
        for slash in ["/", "%2f", "%5c", "\\", "//"] {
            for deep in 1..4 {
                paths.push(format!("/pkg/{}secret.txt", format!("{up}{slash}").repeat(deep)));
            }
            paths.push(format!("/{up}{slash}secret.txt"));
            paths.push(format!("/pkg/deep/{up}{slash}{up}{slash}secret.txt"));
        }
    }
    paths.extend(
        ["/pkg/%00", "/pkg/deep", "/pkg/", "/pkg", "/pkg/switchyard.css/", "/pkg/switchyard.css%00.txt", "/favicon.svg/../secret.txt"]
            .map(ToOwned::to_owned),
    );
    assert!(paths.len() > 200);
    for path in paths {
        for line in [format!("GET {path} HTTP/1.1"), format!("GET http://console.test{path} HTTP/1.1")] {
            let (status, answer) = raw(&url, &line, &cookie).await;
            assert!(!answer.contains("zq9"), "{line}: {answer}");
            assert!((300..500).contains(&status) || answer.ends_with("body{}"), "{line}: {answer}");
        }
    }
}
