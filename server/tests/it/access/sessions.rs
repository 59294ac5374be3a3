//! Signing in, and what of it lasts: tries that are counted, sessions, and the proof of who is there.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use switchyard::types::Timestamp;

on_both_engines![
    nobody_can_sign_in_before_the_first_link_is_used,
    nobody_is_kept_out_of_a_browser_they_have_signed_in_with,
    a_hundred_strangers_keep_nobody_out_of_a_new_browser,
    who_guesses_from_many_addresses_has_a_few_tries_from_each,
    who_has_every_network_of_an_ipv6_site_keeps_nobody_out,
    many_tries_at_once_are_counted_like_one_after_the_other,
    a_hash_with_older_parameters_is_renewed_by_signing_in,
    a_session_is_new_listed_and_ended,
    who_signs_out_is_in_the_audit,
    a_second_factor_that_is_set_or_removed_ends_other_sessions,
    a_dangerous_action_asks_again_who_is_there,
    what_a_page_asks_for_by_itself_keeps_no_session,
    nobody_asks_for_twelve_hours,
    a_database_that_is_read_opens_no_account,
    no_request_in_flight_begins_a_session_that_was_ended_meanwhile,
    a_proof_in_flight_does_not_outlive_the_end_of_its_session,
];

async fn nobody_can_sign_in_before_the_first_link_is_used(app: &TestApp) {
    let h = house(app);
    let accounts: Vec<(String, Option<String>)> = app.db.all("select email, password_hash from staff_member", ()).await.unwrap();
    assert_eq!(accounts, [("admin@example.com".to_owned(), None::<String>)], "the one who is invited at the first start");
    for password in ["", "admin", "password", PASSWORD] {
        let step = staff::sign_in(&app.db, &app.now, h.passwords(), "admin@example.com", password.to_owned(), HERE).await;
        refused(&step, 403);
    }
}

async fn nobody_is_kept_out_of_a_browser_they_have_signed_in_with(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let own = staff::remember_device(&app.db, &app.now, id, None).await.unwrap();
    let others = h.member("sam@example.com", h.role("Viewer").await).await.id();
    let others = staff::remember_device(&app.db, &app.now, others, None).await.unwrap();
    let try_with = async |password: &str, address: &str, device: Option<&str>| {
        staff::sign_in(&app.db, &app.now, h.passwords(), "vera@example.com", password.to_owned(), Origin { address, device }).await
    };
    // A stranger with a hundred tries from many addresses.
    for n in 0..100 {
        refused(&try_with("not this one, surely", &format!("198.51.100.{}", n / 9), None).await, 403);
    }
    refused(&try_with(PASSWORD, "198.51.100.1", None).await, 429);
    refused(&try_with(PASSWORD, "198.51.100.1", Some("made up")).await, 429);
    refused(&try_with(PASSWORD, "198.51.100.1", Some(&others)).await, 429);
    assert_eq!(try_with(PASSWORD, "198.51.100.1", Some(&own)).await, Ok(Step::In(id)), "her own browser, even behind that address");
    for planted in [others.as_str(), "planted"] {
        assert_ne!(staff::remember_device(&app.db, &app.now, id, Some(planted)).await.unwrap(), planted, "two may share a browser");
    }
    assert_eq!(staff::remember_device(&app.db, &app.now, id, Some(&own)).await.unwrap(), own);
    for _ in 0..10 {
        refused(&try_with("not this one, surely", "203.0.113.9", Some(&own)).await, 403);
    }
    refused(&try_with(PASSWORD, "203.0.113.9", Some(&own)).await, 429);
}

async fn a_hundred_strangers_keep_nobody_out_of_a_new_browser(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let try_with = async |email: &str, password: &str, address: &str| {
        staff::sign_in(&app.db, &app.now, h.passwords(), email, password.to_owned(), Origin { address, device: None }).await
    };
    // Each from an address of their own, some of them twice.
    for n in 0..120 {
        refused(&try_with("vera@example.com", "not this one, surely", &format!("198.51.100.{}", n % 100)).await, 403);
    }
    let stranger = try_with("nobody@example.com", PASSWORD, "203.0.113.8").await;
    let mistyped = try_with("vera@example.com", "not this one, surely", "203.0.113.9").await;
    assert_eq!(stranger, mistyped, "in the same words as for a stranger");
    for _ in 0..5 {
        assert_eq!(try_with("vera@example.com", PASSWORD, "203.0.113.9").await, Ok(Step::In(id)), "what fits uses up nothing");
    }
}

async fn who_guesses_from_many_addresses_has_a_few_tries_from_each(app: &TestApp) {
    let h = house(app);
    h.member("vera@example.com", h.role("Viewer").await).await;
    let guess = async |address: &str| {
        let (password, from) = ("not this one, surely".to_owned(), Origin { address, device: None });
        staff::sign_in(&app.db, &app.now, h.passwords(), "vera@example.com", password, from).await
    };
    for n in 0..100 {
        refused(&guess(&format!("198.51.100.{}", n / 10)).await, 403);
    }
    // From one site of IPv6, whichever of its networks they come from.
    for site in ["2001:db8:1", "2001:db8:2"] {
        for n in 0..5 {
            refused(&guess(&format!("{site}:{n}::1")).await, if n < 3 { 403 } else { 429 });
        }
    }
    // All of them together have a thousand.
    let together = staff::hash_token(b"fresh vera@example.com");
    let set = app.db.work(async |tx| tx.run("update throttle set tries = 1000 where subject_hash = $1 and tries = 6", [together]).await);
    assert_eq!(set.await.unwrap(), 1);
    refused(&guess("2001:db8:3::1").await, 429);
    app.pass(15 * 60);
    refused(&guess("2001:db8:3::1").await, 403);
}

async fn who_has_every_network_of_an_ipv6_site_keeps_nobody_out(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let try_with = async |password: &str, address: &str| {
        staff::sign_in(&app.db, &app.now, h.passwords(), "vera@example.com", password.to_owned(), Origin { address, device: None }).await
    };
    for n in 0..60 {
        refused(&try_with("not this one, surely", &format!("2001:db8:1:{n:x}::1")).await, if n < 10 { 403 } else { 429 });
    }
    assert_eq!(try_with(PASSWORD, "2001:db8:2::1").await, Ok(Step::In(id)));
    let person = staff::hash_token(b"person vera@example.com");
    let (tries,): (i64,) = app.db.one("select tries from throttle where subject_hash = $1", [person]).await.unwrap();
    assert_eq!(tries, 10, "one site's, and what fits uses up none");
}

async fn many_tries_at_once_are_counted_like_one_after_the_other(app: &TestApp) {
    let h = house(app);
    h.member("vera@example.com", h.role("Viewer").await).await;
    let tries = (0..40).map(|_| staff::sign_in(&app.db, &app.now, h.passwords(), "vera@example.com", "not this one, surely".into(), HERE));
    let all = futures_util::future::join_all(tries).await;
    let looked_at = all.iter().filter(|answer| matches!(answer, Err(Problem::Forbidden { .. }))).count();
    let told_to_wait = all.iter().filter(|answer| matches!(answer, Err(Problem::TooMany { .. }))).count();
    assert_eq!((looked_at, told_to_wait), (10, 30), "{all:?}");
}

async fn a_hash_with_older_parameters_is_renewed_by_signing_in(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    // The same password with less memory, as an earlier program may have stored it.
    let older = argon2_of_less_memory(PASSWORD);
    app.db.work(async |tx| tx.run("update staff_member set password_hash = $2 where id = $1", (id, older)).await).await.unwrap();
    let stored = async || app.db.one::<(String,)>("select password_hash from staff_member where id = $1", [id]).await.unwrap().0;
    let wrong = staff::sign_in(&app.db, &app.now, h.passwords(), "vera@example.com", "not this one, surely".into(), HERE).await;
    refused(&wrong, 403);
    assert!(stored().await.contains("m=4096"), "only the right password renews it");
    assert_eq!(sign_in(app, &h, "vera@example.com").await, Ok(Step::In(id)));
    assert!(stored().await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_eq!(sign_in(app, &h, "vera@example.com").await, Ok(Step::In(id)));
}

fn argon2_of_less_memory(password: &str) -> String {
    use argon2::password_hash::{PasswordHasher, SaltString};
    let params = argon2::Params::new(4096, 1, 1, None).unwrap();
    let weaker = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    weaker.hash_password(password.as_bytes(), &SaltString::encode_b64(b"sixteen bytes ok").unwrap()).unwrap().to_string()
}

/// What a browser sends and is answered.
async fn send(app: &TestApp, cookie: &str, path: &str, form: &[(&str, &str)]) -> Response {
    let request =
        app.http.post(format!("{}/fn/{path}", app.url)).header("accept", "application/json").header("sec-fetch-site", "same-origin");
    request.header("cookie", cookie).header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/144.0").form(form).send().await.unwrap()
}

fn session_of(answer: &Response) -> Option<String> {
    let set = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|value| value.split(';').next()).find(|pair| pair.starts_with("switchyard=")).map(ToOwned::to_owned)
}

async fn browser(app: &TestApp, email: &str, before: &str) -> String {
    let answer = send(app, before, "sign-in", &[("email", email), ("password", PASSWORD)]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    session_of(&answer).unwrap()
}

async fn a_session_is_new_listed_and_ended(app: &TestApp) {
    let h = house(app);
    h.member("vera@example.com", h.role("Viewer").await).await;
    let planted = "switchyard=AAAAAAAAAAAAAAAAAAAAAA";
    let first = browser(app, "vera@example.com", planted).await;
    assert_ne!(first, planted, "a planted token is not taken over");
    assert_eq!(send(app, planted, "me", &[]).await.status(), StatusCode::UNAUTHORIZED);
    let second = browser(app, "vera@example.com", &first).await;
    assert_ne!(first, second, "each sign-in has a token of its own");
    assert_eq!(send(app, &first, "me", &[]).await.status(), StatusCode::UNAUTHORIZED, "and the one it began with is worth nothing");
    let third = browser(app, "vera@example.com", "").await;
    let own: serde_json::Value = send(app, &third, "you", &[]).await.json().await.unwrap();
    let sessions: Vec<SessionRow> = serde_json::from_value(own["sessions"].clone()).unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session.device == "Firefox on Linux" && session.address == "127.0.0.1"), "{sessions:?}");
    let here = own["here"].as_str().unwrap();
    let other = sessions.iter().find(|session| session.handle != here).unwrap();
    assert_eq!(send(app, &third, "you/sessions/end", &[("handle", &other.handle)]).await.status(), StatusCode::OK);
    assert_eq!(send(app, &second, "me", &[]).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(send(app, &third, "me", &[]).await.status(), StatusCode::OK);
    // A password that changes ends all others.
    let fourth = browser(app, "vera@example.com", "").await;
    let form = [("present", PASSWORD), ("password", "four words without a rule")];
    assert_eq!(send(app, &fourth, "you/password", &form).await.status(), StatusCode::OK);
    assert_eq!(send(app, &third, "me", &[]).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(send(app, &fourth, "me", &[]).await.status(), StatusCode::OK);
}

async fn who_signs_out_is_in_the_audit(app: &TestApp) {
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let cookie = browser(app, "vera@example.com", "").await;
    let stays = browser(app, "vera@example.com", "").await;
    let signed_out = async || {
        let rows: Vec<(String, Option<String>)> = app
            .db
            .all("select actor_name, address from audit_entry where action = 'staff.sign_out' and subject_id = $1", [vera])
            .await
            .unwrap();
        rows
    };
    for _ in 0..2 {
        assert!(send(app, &cookie, "sign-out", &[]).await.status().as_u16() < 400);
    }
    assert_eq!(signed_out().await, [("Somebody".to_owned(), Some("127.0.0.1".to_owned()))], "once, since the second was nobody");
    assert_eq!(send(app, &cookie, "me", &[]).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(send(app, &stays, "me", &[]).await.status(), StatusCode::OK);
}

async fn a_second_factor_that_is_set_or_removed_ends_other_sessions(app: &TestApp) {
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let sam = h.member("sam@example.com", h.role("Viewer").await).await;
    let (here, other, of_sam) = (browser(app, "vera@example.com", "").await, app.cookie(&vera).await, app.cookie(&sam).await);
    let is_in = async |cookie: &str| send(app, cookie, "me", &[]).await.status() == StatusCode::OK;
    let offer: serde_json::Value = send(app, &here, "you/second-factor/offer", &[]).await.json().await.unwrap();
    let phone = Phone(offer["secret"].as_str().unwrap().to_owned());
    assert!(is_in(&other).await, "nothing is set yet");
    assert_eq!(send(app, &here, "you/second-factor/confirm", &[("code", "000000")]).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(is_in(&other).await, "nor by a wrong code");
    let code = phone.code(app, 0);
    assert_eq!(send(app, &here, "you/second-factor/confirm", &[("code", &code)]).await.status(), StatusCode::OK);
    assert_eq!((is_in(&here).await, is_in(&other).await, is_in(&of_sam).await), (true, false, true), "set");
    let third = app.cookie(&vera).await;
    assert!(is_in(&third).await);
    assert_eq!(send(app, &here, "you/second-factor/remove", &[("present", PASSWORD)]).await.status(), StatusCode::OK);
    assert_eq!((is_in(&here).await, is_in(&third).await, is_in(&of_sam).await), (true, false, true), "removed");
}

async fn a_dangerous_action_asks_again_who_is_there(app: &TestApp) {
    let h = house(app);
    administrator(&h, "ada@example.com").await;
    let victim = h.member("vera@example.com", h.role("Viewer").await).await.id().to_string();
    let cookie = browser(app, "ada@example.com", "").await;
    let add = async |name: &str| send(app, &cookie, "roles/add", &[("name", name)]).await;
    assert_eq!(add("First").await.status(), StatusCode::OK, "who has just signed in is not asked");
    app.pass(11 * 60);
    let refused = add("Second").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.text().await.unwrap().contains("\"proof\""));
    // Before anything is looked for: any id will do.
    let id = victim.as_str();
    for (path, form) in [
        ("staff/disable", vec![("id", id)]),
        ("staff/reset", vec![("id", id)]),
        ("staff/sessions/end", vec![("id", id)]),
        ("staff/invite", vec![("email", "new@example.com"), ("name", "New"), ("role", id)]),
        ("staff/enable", vec![("id", id)]),
        ("staff/roles/give", vec![("id", id), ("role", id)]),
        ("staff/roles/take", vec![("id", id), ("role", id)]),
        ("roles/edit", vec![]),
        ("roles/set", vec![("id", id), ("version", "1"), ("name", "Viewer"), ("everywhere", "true")]),
        ("roles/remove", vec![("id", id)]),
        ("approvals/decide", vec![("id", id), ("agrees", "true")]),
        ("utilities/start", vec![("id", id), ("typed", "1")]),
        (
            "retention/set",
            vec![("wanted[0]", "3650"), ("wanted[1]", ""), ("wanted[2]", ""), ("wanted[3]", ""), ("version", "0"), ("confirm", "remove")],
        ),
        ("erasures/erase", vec![("id", id), ("confirm", "0121")]),
        ("you/second-factor/offer", vec![]),
        ("you/second-factor/confirm", vec![("code", "000000")]),
        ("you/second-factor/remove", vec![("present", PASSWORD)]),
        ("you/recovery-codes", vec![]),
        ("accounts/close", vec![("id", id), ("version", "1"), ("confirm", "Account")]),
        ("accounts/tokens/add", vec![("id", id), ("name", "Order system")]),
        ("accounts/tokens/revoke", vec![("id", id), ("handle", "of-nobody")]),
        ("connections/secrets", vec![("id", id), ("version", "1"), ("client_id", "id"), ("client_secret", "secret"), ("jwt", "jwt")]),
        ("connections/remove", vec![("id", id), ("version", "1"), ("confirm", "Account")]),
        ("lines/types/set", vec![("lines[]", "one:1"), ("lines[]", "two:1"), ("to", "inbox"), ("confirm", "2")]),
        ("bulk/do", vec![("act", "set_types"), ("to", "inbox"), ("rows[]", "one:1"), ("confirm", "1")]),
        ("bulk/do", vec![("act", "close_users"), ("rows[]", "one:1"), ("confirm", "1")]),
        ("blasts/take", vec![("line", id), ("draft", id)]),
        ("blasts/edit", vec![("line", id), ("id", id), ("version", "1"), ("text", "Another text")]),
        ("blasts/decide", vec![("line", id), ("id", id), ("version", "1"), ("act", "resume")]),
        (
            "connections/add",
            vec![("account", id), ("base_url", "https://example.com"), ("client_id", "id"), ("client_secret", "secret"), ("jwt", "jwt")],
        ),
    ] {
        let refused = send(app, &cookie, path, &form).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(refused.text().await.unwrap().contains("\"proof\""), "{path} {form:?}");
    }
    // One line alone, and what can be taken back, ask nobody.
    for (path, form) in [
        ("lines/types/set", vec![("lines[]", "one:1"), ("to", "inbox"), ("confirm", "1")]),
        ("bulk/do", vec![("act", "skip_held"), ("rows[]", "one:1"), ("confirm", "1")]),
        ("blasts/decide", vec![("line", id), ("id", id), ("version", "1"), ("act", "pause")]),
    ] {
        assert_eq!(send(app, &cookie, path, &form).await.status(), StatusCode::NOT_FOUND, "{path}: there is none");
    }
    assert_eq!(send(app, &cookie, "prove", &[("code", "not this one")]).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(add("Second").await.status(), StatusCode::FORBIDDEN);
    let proved = send(app, &cookie, "prove", &[("code", PASSWORD)]).await;
    assert_eq!(proved.status(), StatusCode::OK);
    let new = session_of(&proved).unwrap();
    assert_eq!(send(app, &new, "roles/add", &[("name", "Second")]).await.status(), StatusCode::OK);
    assert_eq!(send(app, &cookie, "me", &[]).await.status(), StatusCode::UNAUTHORIZED, "each proof gives a new token");
}

async fn what_a_page_asks_for_by_itself_keeps_no_session(app: &TestApp) {
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    // Both run out in an hour.
    let (left, used) = (app.cookie(&vera).await, app.cookie(&vera).await);
    let ask = async |cookie: &str, is_marked: bool| {
        let request = app.http.post(format!("{}/fn/me", app.url)).header("sec-fetch-site", "same-origin").header("cookie", cookie);
        let request = if is_marked { request.header("switchyard-unattended", "1") } else { request };
        request.header("accept", "application/json").send().await.unwrap()
    };
    let seen = async |cookie: &str| {
        let id: Id = cookie.strip_prefix("switchyard=").unwrap().parse().unwrap();
        let own = staff::own_account(&app.db, &app.now, &vera, String::new()).await.unwrap();
        own.sessions.into_iter().find(|session| session.handle == staff::session_handle(&id)).map(|session| session.seen)
    };
    let began = app.now.at();
    for _ in 0..4 {
        app.pass(12 * 60);
        let answer = ask(&left, true).await;
        assert_eq!((answer.status(), session_of(&answer)), (StatusCode::OK, None), "it is answered, and kept no longer than before");
        let events = app.http.get(format!("{}/events", app.url)).header("cookie", &left).send().await.unwrap();
        assert_eq!((events.status(), session_of(&events)), (StatusCode::OK, None), "so is the stream of events");
        assert_eq!(ask(&used, false).await.status(), StatusCode::OK);
    }
    assert_eq!((seen(&left).await, seen(&used).await), (Some(began), Some(app.now.at())));
    app.pass(12 * 60 + 1);
    assert_eq!(ask(&left, false).await.status(), StatusCode::UNAUTHORIZED, "nobody has asked for anything");
    assert_eq!(ask(&used, false).await.status(), StatusCode::OK, "somebody has");
}

async fn nobody_asks_for_twelve_hours(app: &TestApp) {
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await.id();
    // How long a session is good for is reckoned by the machine's own clock.
    let seconds = || time::OffsetDateTime::now_utc().unix_timestamp();
    app.pass(u64::try_from(seconds() - app.now.at().0 / 1_000_000).unwrap_or(0));
    let before = seconds();
    let cookie = browser(app, "vera@example.com", "").await;
    let (expires,): (Timestamp,) = app.db.one("select expires_at from session where staff_id = $1", [vera]).await.unwrap();
    let (idle, expires) = (12 * 60 * 60, expires.0 / 1_000_000);
    assert!((before + idle..=seconds() + idle).contains(&expires), "{before} {expires}");
    let ask = async || {
        let request = app.http.post(format!("{}/fn/me", app.url)).header("sec-fetch-site", "same-origin").header("cookie", &cookie);
        // A page asks by itself, which keeps nothing.
        request.header("switchyard-unattended", "1").header("accept", "application/json").send().await.unwrap().status()
    };
    app.pass(u64::try_from(expires - app.now.at().0 / 1_000_000 - 1).unwrap());
    assert_eq!(ask().await, StatusCode::OK);
    app.pass(1);
    assert_eq!(ask().await, StatusCode::UNAUTHORIZED);
}

async fn a_database_that_is_read_opens_no_account(app: &TestApp) {
    let h = house(app);
    let role = h.role("Viewer").await;
    h.member("vera@example.com", role).await;
    let program = app.line(Inbox).await.token;
    let answer = send(app, "", "sign-in", &[("email", "vera@example.com"), ("password", PASSWORD)]).await;
    let cookies: Vec<&str> =
        answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()?.split(';').next()).collect();
    let of = |name: &str| cookies.iter().find_map(|pair| pair.strip_prefix(name)).unwrap().to_owned();
    let (session, device) = (of("switchyard="), of("switchyard-device="));
    let link = staff::invite(&app.db, &app.now, h.admin(), proof(), "new@example.com", "New", role).await.unwrap().token;

    let sessions: Vec<(Vec<u8>, String)> = app.db.all("select id_hash, data from session", ()).await.unwrap();
    let links: Vec<(Vec<u8>,)> = app.db.all("select token_hash from invitation", ()).await.unwrap();
    let devices: Vec<(Vec<u8>,)> = app.db.all("select token_hash from known_device", ()).await.unwrap();
    let tokens: Vec<(Vec<u8>, String, String)> = app.db.all("select token_hash, name, made_by from api_token", ()).await.unwrap();
    let stored: Vec<Vec<u8>> = sessions
        .into_iter()
        .flat_map(|(hash, data)| [hash, data.into_bytes()])
        .chain(links.into_iter().chain(devices).map(|(hash,)| hash))
        .chain(tokens.into_iter().flat_map(|(hash, name, made_by)| [hash, name.into_bytes(), made_by.into_bytes()]))
        .collect();
    let has = |wanted: &[u8]| stored.iter().any(|bytes| bytes.windows(wanted.len()).any(|part| part == wanted));
    let id: Id = session.parse().unwrap();
    // What is looked at is theirs: their hashes stand there.
    assert!(has(&staff::session_key(&id)));
    for secret in [&device, &link, &program] {
        assert!(has(&staff::hash_token(secret.as_bytes())), "{secret}");
    }
    assert!(!has(&id.0.to_be_bytes()) && !has(&id.0.to_le_bytes()), "a session as its number");
    for secret in [&session, &device, &link, &program] {
        assert!(!has(secret.as_bytes()), "as the browser, the link or the program has it");
        let bytes = URL_SAFE_NO_PAD.decode(secret.strip_prefix("sw_").unwrap_or(secret)).unwrap();
        assert!(!has(&bytes), "nor its bytes");
    }
}

async fn no_request_in_flight_begins_a_session_that_was_ended_meanwhile(app: &TestApp) {
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let rows = SessionRows::new(app.db.clone(), app.now.clock.clone());
    let begun_now = |half: bool| {
        let (at, id) = (app.now.at(), serde_json::to_value(vera).unwrap());
        let at = serde_json::to_value(at).unwrap();
        let who = if half { (staff::HALF.to_owned(), serde_json::json!([id, at])) } else { ("staff".to_owned(), id) };
        let expiry_date = time::OffsetDateTime::from_unix_timestamp(app.now.at().0 / 1_000_000 + 3_600).unwrap();
        Record { id: Id::default(), data: [who, (staff::BEGUN.to_owned(), at)].into(), expiry_date }
    };
    let is_made = async |mut record: Record| {
        rows.create(&mut record).await.expect("that none was made is no error");
        rows.load(&record.id).await.unwrap().is_some()
    };
    let (whole, half) = (begun_now(false), begun_now(true));
    let (mut signed_in, mut half_signed) = (begun_now(false), begun_now(true));
    rows.create(&mut signed_in).await.unwrap();
    rows.create(&mut half_signed).await.unwrap();
    let own = staff::own_account(&app.db, &app.now, &Member::load(&app.db, vera).await.unwrap().unwrap(), String::new()).await.unwrap();
    assert_eq!(own.sessions.len(), 1, "whose code is still to come is signed in nowhere");
    app.pass(1);
    let password = staff::change_password(&app.db, &app.now, h.passwords(), vera, PASSWORD.into(), "four words without a rule".into(), &[]);
    password.await.unwrap();
    for record in [&signed_in, &half_signed] {
        assert!(rows.load(&record.id).await.unwrap().is_none(), "ended, with the code still to come");
    }
    assert!(!is_made(whole).await && !is_made(half).await, "their passwords were checked before");
    let later = begun_now(false);
    assert!(is_made(later.clone()).await);
    // A proof replaces a session that is there, and none that is not.
    assert!(staff::replace_session(&app.db, &later.id).await.unwrap());
    assert!(!staff::replace_session(&app.db, &later.id).await.unwrap());
}

async fn a_proof_in_flight_does_not_outlive_the_end_of_its_session(app: &TestApp) {
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let rows = SessionRows::new(app.db.clone(), app.now.clock.clone());
    let begun_now = || {
        let (at, id) = (serde_json::to_value(app.now.at()).unwrap(), serde_json::to_value(vera).unwrap());
        let expiry_date = time::OffsetDateTime::from_unix_timestamp(app.now.at().0 / 1_000_000 + 3_600).unwrap();
        Record { id: Id::default(), data: [("staff".to_owned(), id), (staff::BEGUN.to_owned(), at)].into(), expiry_date }
    };
    let stands = async |record: &Record| rows.load(&record.id).await.unwrap().is_some();
    let end =
        async |handle: Option<&str>| staff::end_session_of(&app.db, &app.now, &h.admin().permit().unwrap(), proof(), vera, handle).await;
    let mut other = begun_now();
    rows.create(&mut other).await.unwrap();
    for all in [false, true] {
        let (mut proving, mut proved) = (begun_now(), begun_now());
        rows.create(&mut proving).await.unwrap();
        let handle = staff::session_handle(&proving.id);
        app.pass(1);
        if all {
            assert_eq!(end(Some(&staff::session_handle(&other.id))).await, Ok(()), "none is left but the one that is proved");
        }
        // It gets another token; before it has it, it is ended.
        assert!(staff::replace_session(&app.db, &proving.id).await.unwrap());
        refused(&end((!all).then_some(handle.as_str())).await, 404);
        rows.create(&mut proved).await.expect("that none was made is no error");
        assert!(!stands(&proved).await, "ended with all others: {all}");
        assert_eq!(stands(&other).await, !all, "what was not ended goes on");
    }
    // It has another token already: it ends under that one, and no other does.
    let (mut again, mut bystander) = (begun_now(), begun_now());
    let before = staff::session_handle(&Id::default());
    again.data.insert(staff::WAS.to_owned(), before.as_str().into());
    rows.create(&mut again).await.unwrap();
    rows.create(&mut bystander).await.unwrap();
    assert_eq!(end(Some(&before)).await, Ok(()));
    assert!(!stands(&again).await && stands(&bystander).await);
    refused(&end(Some(&before)).await, 404);
    // One that stands is ended alone: who signs in elsewhere at this moment is in.
    let (mut here, mut elsewhere) = (begun_now(), begun_now());
    rows.create(&mut here).await.unwrap();
    app.pass(1);
    assert_eq!(end(Some(&staff::session_handle(&here.id))).await, Ok(()));
    rows.create(&mut elsewhere).await.unwrap();
    assert!(!stands(&here).await && stands(&elsewhere).await);
}
