//! What somebody was refused stands in the audit, once in ten minutes: screens, functions, files, sign-ins.

use crate::harness::{CARRIER, TestApp, contact, eventually, keys, on_both_engines};
use crate::house::{PASSWORD, house, proof};
use reqwest::Method;
use switchyard::directory::{lines, people};
use switchyard::staff::{self, By, Member, Origin, Passwords, Place, Step, approvals, may, verify, write_down};
use switchyard::types::IntegrationType::Inbox;
use switchyard::types::{AuditEntry, AuditFilter, AuditOutcome, LineId, Outcome, PhoneNumber};

on_both_engines![
    every_kind_of_refusal_is_in_the_audit,
    a_loop_of_refused_requests_writes_one_entry_in_ten_minutes,
    what_is_only_left_out_for_somebody_is_no_refusal,
    a_failed_sign_in_is_in_the_audit_without_a_strangers_address,
    a_wrong_proof_and_what_another_site_sends_are_in_the_audit,
    wrong_api_tokens_are_in_the_audit_and_slowed_down_and_good_ones_are_not,
    a_forged_webhook_is_in_the_audit_once_in_ten_minutes,
    a_bad_link_a_wrong_token_for_the_figures_and_an_unknown_hook_are_in_the_audit,
    who_names_what_another_account_has_learns_nothing_and_is_in_the_audit,
];

/// So many refusals: what a stranger at the door is refused is written down beside the answer.
async fn are_denied(app: &TestApp, count: usize, what: &str) {
    eventually(what, async || denied(app).await.len() == count).await;
}

async fn denied(app: &TestApp) -> Vec<AuditEntry> {
    let filter = AuditFilter { outcome: Some(AuditOutcome::Denied), ..AuditFilter::default() };
    staff::search(&app.db, &app.staff.permit().unwrap(), &filter, None, 100).await.unwrap().rows
}

fn asked(entry: &AuditEntry) -> (String, String) {
    let after: serde_json::Value = serde_json::from_str(entry.row.after.as_deref().unwrap()).unwrap();
    (after["permission"].as_str().unwrap_or("-").to_owned(), after["path"].as_str().unwrap().to_owned())
}

async fn viewer(app: &TestApp) -> Member {
    let h = house(app);
    h.member("vera@example.com", h.role("Viewer").await).await
}

async fn every_kind_of_refusal_is_in_the_audit(app: &TestApp) {
    let h = house(app);
    let (vera, elsewhere) = (viewer(app).await, h.member_of(h.account("Elsewhere").await).await);
    let cases = [
        (&vera, Method::GET, "/audit", "see_audit"),
        (&vera, Method::GET, "/audit.csv", "see_audit"),
        (&vera, Method::POST, "/fn/accounts/add", "manage_directory"),
        (&vera, Method::GET, "/connections/new", "-"),
        // They may, but not on all accounts.
        (&elsewhere, Method::POST, "/fn/accounts/add", "manage_directory"),
        (&elsewhere, Method::GET, "/sync/unknown", "see_messages"),
    ];
    for (n, (member, method, path, permission)) in cases.into_iter().enumerate() {
        app.pass(1);
        let answer = app.ask(member, method.clone(), path, &[("name", "New")]).await;
        assert_eq!(answer.status(), 403, "{method} {path}");
        let found = denied(app).await;
        assert_eq!(found.len(), n + 1, "{method} {path}");
        assert_eq!(asked(&found[0]), (permission.to_owned(), path.to_owned()));
        assert_eq!((found[0].staff, found[0].address.as_deref()), (Some(member.id()), Some("127.0.0.1")));
    }
    while staff::seal(&app.db, &app.now).await.unwrap() > 0 {}
    assert_eq!(verify(&app.db, None).await.unwrap().broken, None);
}

async fn a_loop_of_refused_requests_writes_one_entry_in_ten_minutes(app: &TestApp) {
    let vera = viewer(app).await;
    let (one, other) = (app.line(Inbox).await.id, app.line(Inbox).await.id);
    for _ in 0..3 {
        assert_eq!(app.ask(&vera, Method::GET, "/staff", &[]).await.status(), 403);
        for id in [one, other] {
            assert_eq!(app.ask(&vera, Method::GET, &format!("/lines/{id}/type?to=none"), &[]).await.status(), 403);
        }
        app.pass(60);
    }
    assert_eq!(denied(app).await.len(), 2, "another row of the same screen is the same refusal");
    let sam = {
        let h = house(app);
        h.member("sam@example.com", h.role("Support").await).await
    };
    assert_eq!(app.ask(&sam, Method::GET, "/staff", &[]).await.status(), 403);
    assert_eq!(denied(app).await.len(), 3, "another person is another refusal");
    app.pass(7 * 60);
    assert_eq!(app.ask(&vera, Method::GET, "/staff", &[]).await.status(), 403);
    assert_eq!(denied(app).await.len(), 4, "ten minutes have passed");
    app.pass(600);
    assert!(staff::forget_old_pauses(&app.db, &app.now).await.unwrap() >= 3);
}

async fn what_is_only_left_out_for_somebody_is_no_refusal(app: &TestApp) {
    let vera = viewer(app).await;
    assert!(vera.permit_if_any::<may::SeeAudit>().is_none());
    write_down(&app.db, &app.now, &vera, Place { route: "-", path: "-", is_refused: false }).await.unwrap();
    assert_eq!(denied(app).await, []);
    // To be asked again who one is is a step on the way.
    vera.is_asked_for_proof();
    write_down(&app.db, &app.now, &vera, Place { route: "-", path: "-", is_refused: true }).await.unwrap();
    assert_eq!(denied(app).await, []);
    for page in ["/lines", "/accounts", "/sync", "/connections"] {
        assert_eq!(app.ask(&vera, Method::GET, page, &[]).await.status(), 200, "{page}");
    }
    assert_eq!(denied(app).await, []);
}

async fn a_failed_sign_in_is_in_the_audit_without_a_strangers_address(app: &TestApp) {
    let vera = viewer(app).await;
    let passwords = Passwords::new(app.now.rng.clone()).unwrap();
    let sign_in = async |email: &str, address: &str| {
        assert!(
            staff::sign_in(&app.db, &app.now, &passwords, email, "not this one, surely".to_owned(), Origin { address, device: None })
                .await
                .is_err()
        );
    };
    for _ in 0..3 {
        sign_in("vera@example.com", "192.0.2.7").await;
        sign_in("stranger@example.com", "192.0.2.7").await;
        sign_in("another@example.com", "192.0.2.7").await;
    }
    are_denied(app, 2, "one for Vera, one for strangers").await;
    let found = denied(app).await;
    assert!(found.iter().all(|entry| entry.staff.is_none() && entry.address.as_deref() == Some("192.0.2.7")));
    assert!(found.iter().any(|entry| entry.row.after.as_deref() == Some("{\"name\":\"Somebody\"}")), "Vera by her name: {found:?}");
    assert!(!format!("{found:?}").contains("@example.com"));
    let by = By { id: vera.id(), address: Some("192.0.2.9") };
    assert!(staff::sign_in_with_code(&app.db, &app.now, &keys(), by, "000000").await.is_err());
    assert_eq!(denied(app).await.len(), 3, "a wrong code is a failed sign-in, too");
    sign_in("vera@example.com", "192.0.2.8").await;
    are_denied(app, 4, "another address is another thing").await;
    let from = Origin { address: "192.0.2.7", device: None };
    let step = staff::sign_in(&app.db, &app.now, &passwords, "vera@example.com", PASSWORD.into(), from).await;
    assert_eq!(step, Ok(Step::In(vera.id())));
}

async fn a_wrong_proof_and_what_another_site_sends_are_in_the_audit(app: &TestApp) {
    let vera = viewer(app).await;
    let actions = async || denied(app).await.into_iter().map(|entry| entry.row.action).collect::<Vec<_>>();
    for path in ["/fn/prove", "/fn/you/password"] {
        let form = [("code", "not this one"), ("present", "not this one"), ("password", "four words without a rule")];
        assert_eq!(app.ask(&vera, Method::POST, path, &form).await.status(), 422);
    }
    assert_eq!(actions().await, ["staff.prove_fail"], "once in ten minutes");
    app.pass(600);
    for _ in 0..20 {
        app.ask(&vera, Method::POST, "/fn/prove", &[("code", "not this one")]).await;
    }
    assert_eq!(app.ask(&vera, Method::POST, "/fn/prove", &[("code", PASSWORD)]).await.status(), 429);
    assert_eq!(actions().await, ["staff.prove_fail"; 2]);
    // Who is told to wait at the door was refused, too.
    app.pass(600);
    let passwords = Passwords::new(app.now.rng.clone()).unwrap();
    for n in 0..12 {
        if n == 10 {
            are_denied(app, 3, "who guessed").await;
            app.pass(601);
        }
        let from = Origin { address: "192.0.2.7", device: None };
        let step = staff::sign_in(&app.db, &app.now, &passwords, "vera@example.com", "not this one, surely".to_owned(), from).await;
        assert_eq!(step.unwrap_err().status(), if n < 10 { 403 } else { 429 });
    }
    are_denied(app, 4, "who was told to wait").await;
    assert_eq!(actions().await[..2], ["staff.sign_in_fail", "staff.sign_in_fail"]);
    app.pass(1);
    let post = app.http.post(format!("{}/fn/sign-out", app.url));
    assert_eq!(post.header("sec-fetch-site", "cross-site").send().await.unwrap().status(), 403);
    let found = denied(app).await;
    assert_eq!((found[0].row.action.as_str(), found[0].address.as_deref()), ("access.other_site", Some("127.0.0.1")));
    app.pass(1);
    // Without JavaScript the answer is a redirect: here to who would agree with themselves.
    let h = house(app);
    let admin = h.role("Administrator").await;
    let ada = h.member("ada@example.com", admin).await;
    let grace = staff::invite(&app.db, &app.now, h.admin(), proof(), "grace@example.com", "Grace", admin).await.unwrap();
    staff::accept(&app.db, &app.now, &passwords, &grace.token, PASSWORD.into(), None).await.unwrap();
    approvals::decide(&app.db, &app.now, &ada, proof(), grace.waits.unwrap(), true, "").await.unwrap();
    let asked = staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, "She takes over").await;
    let Ok(Outcome::Waits(id)) = asked else { panic!("{asked:?}") };
    let post = app.http.post(format!("{}/fn/approvals/decide", app.url)).header("sec-fetch-site", "same-origin");
    let form = [("id", id.to_string()), ("agrees", "true".to_owned())];
    let answer = post.header("accept", "text/html").header("cookie", app.cookie(&ada).await).form(&form).send().await.unwrap();
    assert!(answer.status().is_redirection() && answer.headers().get("switchyard-refused").is_none(), "{answer:?}");
    assert_eq!(denied(app).await[0].row.action, "access.refuse");
}

async fn wrong_api_tokens_are_in_the_audit_and_slowed_down_and_good_ones_are_not(app: &TestApp) {
    let line = app.line(Inbox).await;
    let path = format!("{}/api/v1/lines/{}/messages/{}", app.url, line.id, line.id);
    let ask = async |token: &str| {
        let request = app.http.get(&path);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        request.send().await.unwrap()
    };
    assert_eq!(ask("").await.status(), 401);
    assert_eq!(denied(app).await, [], "who sends no token guesses none");
    for n in 0..50 {
        assert_eq!(ask(&format!("sw_zq7hush-{n}")).await.status(), 401, "{n}");
    }
    for _ in 0..2 {
        let refused = ask("sw_zq7hush-50").await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["retry-after"], "900");
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        assert!(refused.text().await.unwrap().contains("Wait a quarter of an hour"));
        assert_eq!(ask(&line.token).await.status(), 404, "a good one from the same address is taken");
    }
    let found = denied(app).await;
    assert_eq!(found.len(), 1, "once in ten minutes: {found:?}");
    assert_eq!((found[0].row.action.as_str(), found[0].staff, found[0].address.as_deref()), ("access.api_token", None, Some("127.0.0.1")));
    assert!(!format!("{found:?}").contains("zq7hush"), "nothing of a token is written down");
    app.pass(901);
    assert_eq!(ask("sw_zq7hush-51").await.status(), 401, "it was a wait and no lock");
    assert_eq!(denied(app).await.len(), 2);
}

async fn a_forged_webhook_is_in_the_audit_once_in_ten_minutes(app: &TestApp) {
    for kind in ["messages", "status", "messages"] {
        assert_eq!(app.signed_webhook(CARRIER, kind, "t=1795238411,v1=00", "zq7hush".to_owned()).await.status(), 401);
        assert_eq!(app.signed_webhook("nobody", kind, "", "zq7hush".to_owned()).await.status(), 401);
    }
    let found = denied(app).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].row.action.as_str(), found[0].staff, found[0].address.as_deref()), ("access.webhook", None, Some("127.0.0.1")));
    assert!(!format!("{found:?}").contains("zq7hush"));
    app.pass(600);
    app.signed_webhook(CARRIER, "messages", "", "zq7hush".to_owned()).await;
    assert_eq!(denied(app).await.len(), 2, "ten minutes have passed");
}

async fn a_bad_link_a_wrong_token_for_the_figures_and_an_unknown_hook_are_in_the_audit(app: &TestApp) {
    let function = |path: &str, form: &[(&str, &str)]| {
        let request = app.http.post(format!("{}/fn/{path}", app.url)).header("sec-fetch-site", "same-origin");
        request.header("accept", "application/json").form(form)
    };
    let figures = |token: &str| app.http.get(format!("{}/metrics", app.url)).header("x-forwarded-for", "203.0.113.9").bearer_auth(token);
    let hook = || app.http.post(format!("{}/webhooks/ringcentral/zq7hush", app.url)).header("verification-token", "zq7hush").body("{}");
    let all = async || {
        let link = function("invitation", &[("token", "zq7hush")]).send().await.unwrap().status().as_u16();
        let used = [("token", "zq7hush"), ("password", "four words without a rule")];
        let accepted = function("invitation/accept", &used).send().await.unwrap().status().as_u16();
        let figures = figures("zq7hush").send().await.unwrap().status().as_u16();
        assert_eq!([link, accepted, figures, hook().send().await.unwrap().status().as_u16()], [404, 404, 401, 404]);
    };
    let without = app.http.get(format!("{}/metrics", app.url)).header("x-forwarded-for", "203.0.113.9").send().await.unwrap();
    assert_eq!((without.status().as_u16(), denied(app).await), (401, Vec::new()), "who sends no token guesses none");
    for _ in 0..2 {
        all().await;
    }
    let found = denied(app).await;
    let mut actions: Vec<&str> = found.iter().map(|entry| entry.row.action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["access.link", "access.metrics_token", "access.unknown_webhook"], "each once in ten minutes");
    assert!(found.iter().all(|entry| entry.staff.is_none() && entry.address.as_deref() == Some("127.0.0.1")), "{found:?}");
    assert!(!format!("{found:?}").contains("zq7hush"), "nothing of what was sent is written down");
    app.pass(600);
    all().await;
    assert_eq!(denied(app).await.len(), 6, "ten minutes have passed");
}

/// What a function answers, and with which status.
async fn told(app: &TestApp, member: &Member, path: &str, form: &[(&str, &str)]) -> (u16, String) {
    let answer = app.ask(member, Method::POST, path, form).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn who_names_what_another_account_has_learns_nothing_and_is_in_the_audit(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = lines::get(&app.db, &app.staff.permit().unwrap(), line.id).await.unwrap().line.account_id;
    app.reply(&contact(1), &line, "Hello").await;
    let conversation = app.conversation(&line, &contact(1)).await.id.to_string();
    let mut contacts = Vec::new();
    for n in [1, 2] {
        let number = PhoneNumber::parse(&contact(n)).unwrap();
        let permit = app.staff.permit().unwrap();
        contacts.push(people::name_contact(&app.db, &app.now, &permit, account, &number, "Nora").await.unwrap().to_string());
    }
    let h = house(app);
    let other = h.account("Elsewhere").await;
    let own = lines::add(&app.db, &app.now, &app.staff.permit().unwrap(), other, "+12025550118", "Own", Inbox).await.unwrap().to_string();
    let stranger = h.member_of(other).await;
    let reached = async || denied(app).await;

    // An id that nobody has, and what is missing on the own line, are no reaching.
    let nothing = LineId(app.now.id()).to_string();
    assert_eq!(told(app, &stranger, "/fn/conversations/get", &[("line", &own), ("id", &nothing)]).await.0, 404);
    let (line_id, account_id) = (line.id.to_string(), account.to_string());
    let cases = [
        ("/fn/lines/get", vec![("id", &line_id)]),
        ("/fn/accounts/get", vec![("id", &account_id)]),
        ("/fn/contacts/get", vec![("id", &contacts[0])]),
        ("/fn/conversations/get", vec![("line", &line_id), ("id", &conversation)]),
    ];
    for (n, (path, form)) in cases.iter().enumerate() {
        let there: Vec<(&str, &str)> = form.iter().map(|(name, id)| (*name, id.as_str())).collect();
        let not_there: Vec<(&str, &str)> = form.iter().map(|(name, _)| (*name, nothing.as_str())).collect();
        let answer = told(app, &stranger, path, &there).await;
        assert_eq!(answer.0, 404, "{path}");
        assert_eq!(answer, told(app, &stranger, path, &not_there).await, "{path}: who may not know hears the same");
        eventually("it is in the audit", async || reached().await.len() == n + 1).await;
    }
    // Again it is not written down; and a form without scripts, which is answered by a redirect, is.
    told(app, &stranger, "/fn/lines/get", &[("id", &line_id)]).await;
    let form = [("id", contacts[1].as_str()), ("version", "0"), ("closed", "true")];
    let post = app.http.post(format!("{}/fn/contacts/close", app.url)).header("sec-fetch-site", "same-origin");
    let answer = post.header("accept", "text/html").header("cookie", app.cookie(&stranger).await).form(&form).send().await.unwrap();
    assert!(answer.status().is_redirection() && answer.headers().get("switchyard-refused").is_none(), "{answer:?}");
    eventually("it is in the audit, too", async || reached().await.len() == 5).await;

    let found = reached().await;
    let mut paths: Vec<String> = found.iter().map(|entry| asked(entry).1).collect();
    paths.sort();
    assert_eq!(paths, ["/fn/accounts/get", "/fn/contacts/close", "/fn/contacts/get", "/fn/conversations/get", "/fn/lines/get"]);
    for entry in &found {
        assert_eq!((entry.row.action.as_str(), entry.staff), ("access.reach", Some(stranger.id())));
        assert_eq!(entry.address.as_deref(), Some("127.0.0.1"));
        assert_eq!(entry.account.as_ref().map(|(id, _)| *id), Some(account), "whoever reads this account's audit sees it");
    }
    let of = |path: &str| found.iter().find(|entry| asked(entry).1 == path).unwrap();
    assert_eq!(of("/fn/lines/get").line.as_ref().map(|(id, _)| *id), Some(line.id));
    assert_eq!(of("/fn/conversations/get").subject.map(|id| id.to_string()), Some(conversation));
    assert_eq!(asked(of("/fn/contacts/close")).0, "manage_directory");
    // Who looks after all accounts reaches for nothing.
    let vera = viewer(app).await;
    assert_eq!(told(app, &vera, "/fn/lines/get", &[("id", &nothing)]).await.0, 404);
    assert_eq!(reached().await.len(), 5);
}
