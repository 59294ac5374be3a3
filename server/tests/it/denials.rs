//! What somebody was refused stands in the audit, once in ten minutes: screens, functions, files, sign-ins.

use crate::harness::{TestApp, keys, on_both_engines};
use crate::house::{PASSWORD, house, proof};
use reqwest::Method;
use switchyard::staff::{self, By, Member, Origin, Passwords, Place, Step, approvals, may, verify, write_down};
use switchyard::types::IntegrationType::Inbox;
use switchyard::types::{AuditEntry, AuditFilter, AuditOutcome, Outcome};

on_both_engines![
    every_kind_of_refusal_is_in_the_audit,
    a_loop_of_refused_requests_writes_one_entry_in_ten_minutes,
    what_is_only_left_out_for_somebody_is_no_refusal,
    a_failed_sign_in_is_in_the_audit_without_a_strangers_address,
    a_wrong_proof_and_what_another_site_sends_are_in_the_audit,
];

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
    let found = denied(app).await;
    assert_eq!(found.len(), 2, "one for Vera, one for strangers: {found:?}");
    assert!(found.iter().all(|entry| entry.staff.is_none() && entry.address.as_deref() == Some("192.0.2.7")));
    assert!(found.iter().any(|entry| entry.row.after.as_deref() == Some("{\"name\":\"Somebody\"}")), "Vera by her name: {found:?}");
    assert!(!format!("{found:?}").contains("@example.com"));
    let by = By { id: vera.id(), address: Some("192.0.2.9") };
    assert!(staff::sign_in_with_code(&app.db, &app.now, &keys(), by, "000000").await.is_err());
    assert_eq!(denied(app).await.len(), 3, "a wrong code is a failed sign-in, too");
    sign_in("vera@example.com", "192.0.2.8").await;
    assert_eq!(denied(app).await.len(), 4, "another address is another thing");
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
        app.pass(if n == 10 { 601 } else { 0 });
        let from = Origin { address: "192.0.2.7", device: None };
        let step = staff::sign_in(&app.db, &app.now, &passwords, "vera@example.com", "not this one, surely".to_owned(), from).await;
        assert_eq!(step.unwrap_err().status(), if n < 10 { 403 } else { 429 });
    }
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
