//! Signing in, and what of it lasts: tries that are counted, sessions, and the proof of who is there.

use super::*;

on_both_engines![
    nobody_is_kept_out_of_a_browser_they_have_signed_in_with,
    many_tries_at_once_are_counted_like_one_after_the_other,
    a_hash_with_older_parameters_is_renewed_by_signing_in,
    a_session_is_new_listed_and_ended,
    a_dangerous_action_asks_again_who_is_there,
    what_a_page_asks_for_by_itself_keeps_no_session,
    no_request_in_flight_begins_a_session_that_was_ended_meanwhile,
];

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
    refused(&try_with(PASSWORD, "203.0.113.9", None).await, 429);
    refused(&try_with(PASSWORD, "203.0.113.9", Some("made up")).await, 429);
    refused(&try_with(PASSWORD, "203.0.113.9", Some(&others)).await, 429);
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
        ("you/second-factor/offer", vec![]),
        ("accounts/close", vec![("id", id), ("version", "1"), ("confirm", "Account")]),
        ("accounts/tokens/add", vec![("id", id), ("name", "Order system")]),
        ("accounts/tokens/revoke", vec![("id", id), ("handle", "of-nobody")]),
        ("connections/secrets", vec![("id", id), ("version", "1"), ("client_id", "id"), ("client_secret", "secret"), ("jwt", "jwt")]),
        ("connections/remove", vec![("id", id), ("version", "1"), ("confirm", "Account")]),
        ("lines/types/set", vec![("lines[]", "one:1"), ("lines[]", "two:1"), ("to", "inbox"), ("confirm", "2")]),
        ("bulk/do", vec![("act", "set_types"), ("to", "inbox"), ("rows[]", "one:1"), ("confirm", "1")]),
        ("bulk/do", vec![("act", "close_users"), ("rows[]", "one:1"), ("confirm", "1")]),
        ("blasts/take", vec![("line", id), ("draft", id)]),
    ] {
        let refused = send(app, &cookie, path, &form).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(refused.text().await.unwrap().contains("\"proof\""), "{path} {form:?}");
    }
    // One line alone, and what can be taken back, ask nobody.
    for (path, form) in [
        ("lines/types/set", vec![("lines[]", "one:1"), ("to", "inbox"), ("confirm", "1")]),
        ("bulk/do", vec![("act", "skip_held"), ("rows[]", "one:1"), ("confirm", "1")]),
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
