//! The public API: who may call, what is refused and in which words, and that a repeated request has its effect once.

use crate::harness::{TestApp, TestLine, contact, on_both_engines};
use crate::verdict::received;
use futures_util::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::Duration;
use switchyard::messaging::blast::{self, Decision};
use switchyard::messaging::idempotency;
use switchyard::staff::{self, may};
use switchyard::types::IntegrationType::{None as BlastOnly, Ringcentral};
use switchyard::types::{AuditFilter, BlastId};

on_both_engines![
    a_message_is_made_and_can_be_read_where_the_answer_says,
    a_message_by_a_program_is_in_the_audit_with_its_token,
    a_line_is_named_by_its_number_or_its_id,
    a_blast_is_taken_and_can_be_read,
    without_a_valid_token_nothing_is_said,
    another_accounts_line_message_or_blast_is_not_there,
    bad_input_is_refused_with_the_field_named_and_nothing_done,
    bad_recipients_are_named_by_their_place,
    what_is_not_there_is_answered_with_a_problem_too,
    a_body_that_is_too_long_is_refused,
    a_repeated_request_with_a_key_has_its_effect_once,
    requests_with_one_key_at_the_same_time_have_one_effect,
    a_key_is_for_one_request,
    a_refused_request_leaves_its_key_free,
    a_repeated_resume_with_a_key_does_not_undo_a_pause,
    keys_are_forgotten_after_a_week,
];

async fn problem(answer: Response, status: u16) -> Value {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["type"], &body["status"]), (&"about:blank".into(), &status.into()), "{body}");
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    body
}

/// A request with this body as it is, and a key if one is given.
async fn raw(app: &TestApp, line: &TestLine, method: Method, path: &str, key: Option<&str>, body: impl Into<reqwest::Body>) -> Response {
    let request = app.http.request(method, format!("{}{path}", app.url)).bearer_auth(&line.token).body(body);
    let request = match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    };
    request.send().await.unwrap()
}

async fn keyed(app: &TestApp, line: &TestLine, path: &str, key: &str, body: &Value) -> Response {
    raw(app, line, Method::POST, &format!("/api/v1/{path}"), Some(key), body.to_string()).await
}

async fn counted(app: &TestApp) -> (i64, i64) {
    app.db.one("select (select count(*) from message), (select count(*) from blast)", ()).await.unwrap()
}

async fn a_message_is_made_and_can_be_read_where_the_answer_says(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let answer = app.post(&line, "messages", &json!({ "line": line.number, "to": "+1 (202) 555-0121", "text": " Hello  " })).await;
    assert_eq!(answer.status(), 201);
    let at = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(!at.contains("2025550121"), "no number in a path: {at}");
    let made: Value = answer.json().await.unwrap();
    let expected = json!({
        "id": made["id"], "line_id": line.id, "url": at, "to": "+12025550121", "text": "Hello", "state": "queued", "error": null,
        "created_at": "2026-11-21T05:20:11.000Z",
    });
    assert_eq!(made, expected);
    assert_eq!(app.get(&line, &at).await, made);
    app.work().await;
    assert_eq!(app.get(&line, &at).await["state"], "delivered");
    assert_eq!(received(&app.sandbox.journal(0), &contact(1)), ["Hello"]);
}

async fn a_message_by_a_program_is_in_the_audit_with_its_token(app: &TestApp) {
    let (line, quiet) = (app.line(Ringcentral).await, app.line(BlastOnly).await);
    let entries = async || {
        let filter = AuditFilter { action: Some("message.send".to_owned()), ..AuditFilter::default() };
        staff::search(&app.db, &app.staff.permit().unwrap(), &filter, None, 9).await.unwrap().rows
    };
    let body = json!({ "line": line.number, "to": contact(1), "text": "Hello zq7hush" });
    let made: Value = keyed(app, &line, "messages", "one", &body).await.json().await.unwrap();
    assert_eq!(keyed(app, &line, "messages", "one", &body).await.status(), 201, "the same again");
    let found = entries().await;
    assert_eq!(found.len(), 1, "once for each message: {found:?}");
    let conversation = app.conversation(&line, &contact(1)).await.id;
    assert_eq!((found[0].row.actor.as_str(), found[0].address.as_deref()), ("program", Some("127.0.0.1")));
    assert_eq!((found[0].line.as_ref().map(|(id, _)| *id), found[0].subject), (Some(line.id), Some(conversation.0)));
    assert!(found[0].row.after.as_ref().is_some_and(|after| after.contains(made["id"].as_str().unwrap())), "{found:?}");
    assert!(!format!("{found:?}").contains("zq7hush") && !format!("{found:?}").contains(&contact(1)[2..]), "neither text nor number");
    let page = app.ask(&app.staff, Method::GET, "/audit?action=message.send", &[]).await.text().await.unwrap();
    assert!(page.contains("Sent a contact a message"));
    let history = staff::line_history(&app.db, &app.staff.permit().unwrap(), line.id, None, 50).await.unwrap();
    assert!(history.rows.iter().all(|row| row.action != "message.send"), "a line's history is what was changed of it");
    // Where there are no conversations, and where nothing is sent.
    app.pass(1);
    app.send(&quiet, &contact(1), "Hello").await;
    let found = entries().await;
    assert_eq!((found.len(), found[0].line.as_ref().map(|(id, _)| *id), found[0].subject), (2, Some(quiet.id), None));
    let empty = json!({ "line": line.number, "to": contact(1), "text": " " });
    assert_eq!(app.post(&line, "messages", &empty).await.status(), 422);
    assert_eq!(entries().await.len(), 2);
}

async fn a_line_is_named_by_its_number_or_its_id(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    for name in [line.id.to_string(), line.number.clone(), "+1 202-555-0100".to_owned()] {
        let answer = app.post(&line, "messages", &json!({ "line": name, "to": contact(1), "text": "Hello" })).await;
        assert_eq!(answer.status(), 201, "{name}");
    }
}

async fn a_blast_is_taken_and_can_be_read(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let answer = app.post(&line, "blasts", &json!({ "line": line.number, "text": "Sale", "recipients": [contact(1), contact(2)] })).await;
    assert_eq!(answer.status(), 202);
    let at = answer.headers()["location"].to_str().unwrap().to_owned();
    let taken: Value = answer.json().await.unwrap();
    let expected = json!({
        "id": taken["id"], "line_id": line.id, "url": at, "text": "Sale", "state": "recording", "recipients": 2, "recorded": 0,
        "opted_out": 0, "duplicates": 0, "created_at": "2026-11-21T05:20:11.000Z", "starts_at": null,
    });
    assert_eq!(taken, expected);
    assert_eq!(app.get(&line, &at).await, taken);
    app.work().await;
    assert_eq!(app.get(&line, &at).await["state"], "sent");
}

async fn without_a_valid_token_nothing_is_said(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let message = app.send(&line, &contact(1), "Hello").await;
    let url = format!("{}{}", app.url, message["url"].as_str().unwrap());
    let body = json!({ "line": line.number, "to": contact(1), "text": "Hello" }).to_string();
    for header in [None, Some("Bearer "), Some("Bearer sw_nobody"), Some("Basic c3dfbm9ib2R5Og=="), Some(line.token.as_str())] {
        for request in [app.http.get(&url), app.http.post(format!("{}/api/v1/messages", app.url)).body(body.clone())] {
            let request = match header {
                Some(header) => request.header("authorization", header),
                None => request,
            };
            let answer = request.send().await.unwrap();
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            problem(answer, 401).await;
        }
    }
    assert_eq!(counted(app).await, (1, 0));
}

async fn another_accounts_line_message_or_blast_is_not_there(app: &TestApp) {
    let (line, other) = (app.line(BlastOnly).await, app.line(BlastOnly).await);
    let message = app.send(&line, &contact(1), "Hello").await;
    let blast = app.blast(&line, &[contact(1)], "Hello").await;
    for url in [&message["url"], &blast["url"]] {
        problem(raw(app, &other, Method::GET, url.as_str().unwrap(), None, "").await, 404).await;
    }
    for name in [line.number.clone(), line.id.to_string()] {
        let said = problem(app.post(&other, "messages", &json!({ "line": name, "to": contact(1), "text": "Hello" })).await, 422).await;
        assert_eq!((&said["field"], &said["detail"]), (&"line".into(), &"This account has no such line.".into()));
        let said =
            problem(app.post(&other, "blasts", &json!({ "line": name, "recipients": [contact(1)], "text": "Hello" })).await, 422).await;
        assert_eq!(said["field"], "line");
    }
    assert_eq!(counted(app).await, (1, 1));
}

async fn bad_input_is_refused_with_the_field_named_and_nothing_done(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let good = json!({ "line": line.number, "to": contact(1), "text": "Hello" });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let cases = [
        (without("line"), "line"),
        (without("to"), "to"),
        (without("text"), "text"),
        (with("line", json!(5)), "line"),
        (with("line", json!("front desk")), "line"),
        (with("line", json!("+12025550199")), "line"),
        (with("line", json!("01920000-0000-7000-8000-000000000000")), "line"),
        (with("to", json!(null)), "to"),
        (with("to", json!("2025550121")), "to"),
        (with("to", json!("+1202555012x")), "to"),
        (with("text", json!(["Hello"])), "text"),
        (with("text", json!("   ")), "text"),
        (with("text", json!("x".repeat(1_601))), "text"),
        (with("text", json!("Hel\u{0}lo")), "text"),
        (with("txt", json!("Hello")), "txt"),
    ];
    for (body, field) in cases {
        let said = problem(app.post(&line, "messages", &body).await, 422).await;
        assert_eq!(said["field"], field, "{body} {said}");
    }
    let blast = json!({ "line": line.number, "text": "Hello", "recipients": [contact(1)] });
    for (field, value) in
        [("recipients", json!([])), ("recipients", json!(contact(1))), ("recipients", json!({})), ("text", json!("")), ("to", json!(""))]
    {
        let mut body = blast.clone();
        body[field] = value;
        assert_eq!(problem(app.post(&line, "blasts", &body).await, 422).await["field"], field);
    }
    for body in ["", "{", "null", "[]", "\"Hello\"", "{\"line\": \"\\ud800\"}", "\u{feff}{}"] {
        for path in ["/api/v1/messages", "/api/v1/blasts"] {
            problem(raw(app, &line, Method::POST, path, None, body).await, 400).await;
        }
    }
    for key in ["", "x".repeat(201).as_str(), "é"] {
        let said = problem(keyed(app, &line, "messages", key, &good).await, 422).await;
        assert_eq!(said["field"], "Idempotency-Key");
    }
    assert_eq!(counted(app).await, (0, 0));
    let (conversations,): (i64,) = app.db.one("select count(*) from conversation", ()).await.unwrap();
    assert_eq!(conversations, 0, "nothing half done");
}

async fn bad_recipients_are_named_by_their_place(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let mut recipients: Vec<Value> = (0..20).map(|n| json!(contact(n))).collect();
    recipients[3] = json!("nobody");
    recipients[7] = json!(12_025_550_121_u64);
    let said = problem(app.post(&line, "blasts", &json!({ "line": line.id, "text": "Hello", "recipients": recipients })).await, 422).await;
    assert_eq!(said["field"], "recipients");
    assert_eq!(said["detail"], "Not phone numbers: recipients[3], recipients[7]. Nothing was sent.");
    let named: Vec<_> = said["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(named, ["recipients[3]", "recipients[7]"]);
    assert!(!said.to_string().contains("nobody"), "what was sent is not repeated");

    let all_bad = json!({ "line": line.id, "text": "Hello", "recipients": vec!["nobody"; 5_000] });
    let said = problem(app.post(&line, "blasts", &all_bad).await, 422).await;
    assert_eq!(said["errors"].as_array().unwrap().len(), 10);
    assert!(said["detail"].as_str().unwrap().contains("recipients[9], and 4990 more"), "{said}");
    assert_eq!(counted(app).await, (0, 0));
}

async fn what_is_not_there_is_answered_with_a_problem_too(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let nil = "00000000-0000-0000-0000-000000000000";
    let missing = [
        "/api".to_owned(),
        "/api/v1".to_owned(),
        "/api/v2/messages".to_owned(),
        "/api/v1/lines".to_owned(),
        format!("/api/v1/lines/{nil}/messages/{nil}"),
        format!("/api/v1/lines/{}/messages/{nil}", line.id),
        format!("/api/v1/lines/{}/blasts/{nil}", line.id),
        "/api/v1/lines/one/messages/two".to_owned(),
        "/api/v1/lines/%ff/blasts/%ff".to_owned(),
    ];
    for path in missing {
        problem(raw(app, &line, Method::GET, &path, None, "").await, 404).await;
    }
    for (method, path, allowed) in [
        (Method::GET, "/api/v1/messages", "POST"),
        (Method::DELETE, "/api/v1/blasts", "POST"),
        (Method::PUT, "/api/v1/lines/a/messages/b", "GET,HEAD"),
        (Method::POST, "/api/v1/lines/a/blasts/b", "GET,HEAD"),
    ] {
        let answer = raw(app, &line, method, path, None, "").await;
        assert_eq!(answer.headers()["allow"], allowed, "{path}");
        problem(answer, 405).await;
    }
}

async fn a_body_that_is_too_long_is_refused(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let body = json!({ "line": line.id, "to": contact(1), "text": "x".repeat(64 * 1024) });
    problem(app.post(&line, "messages", &body).await, 413).await;
    let many: Vec<String> = (0..100_000).map(contact).collect();
    let answer = app.post(&line, "blasts", &json!({ "line": line.id, "text": "Hello", "recipients": many })).await;
    assert_eq!(answer.status(), 202, "a blast's list may be long");
}

async fn a_repeated_request_with_a_key_has_its_effect_once(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let message = json!({ "line": line.number, "to": contact(1), "text": "Once" });
    let blast = json!({ "line": line.number, "text": "Once", "recipients": [contact(1)] });
    for (path, body, status) in [("messages", &message, 201), ("blasts", &blast, 202)] {
        let first = keyed(app, &line, path, &format!("key of {path}"), body).await;
        assert_eq!(first.status(), status);
        let (at, first) = (first.headers()["location"].clone(), first.text().await.unwrap());
        app.work().await;
        app.pass(3_600);
        let again = keyed(app, &line, path, &format!("key of {path}"), body).await;
        assert_eq!((again.status().as_u16(), again.headers()["location"].clone()), (status, at), "the first answer");
        assert_eq!(again.text().await.unwrap(), first);
    }
    app.work().await;
    assert_eq!(counted(app).await, (2, 1));
    assert_eq!(received(&app.sandbox.journal(0), &contact(1)), ["Once", "Once"], "the message and the blast");
    // Another account's key of the same name is another key.
    let other = app.line(BlastOnly).await;
    let body = json!({ "line": other.number, "to": contact(1), "text": "Once" });
    assert_eq!(keyed(app, &other, "messages", "key of messages", &body).await.status(), 201);
}

async fn requests_with_one_key_at_the_same_time_have_one_effect(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let body = json!({ "line": line.number, "to": contact(1), "text": "Once" });
    let answers = join_all((0..20).map(async |_| {
        let answer = keyed(app, &line, "messages", "one", &body).await;
        assert_eq!(answer.status(), 201);
        answer.text().await.unwrap()
    }))
    .await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(counted(app).await, (1, 0));
}

async fn a_key_is_for_one_request(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let body = json!({ "line": line.number, "to": contact(1), "text": "Once" });
    assert_eq!(keyed(app, &line, "messages", "one", &body).await.status(), 201);
    let other = json!({ "line": line.number, "to": contact(2), "text": "Once" });
    for (path, body) in [("messages", &other), ("blasts", &body)] {
        let answer = keyed(app, &line, path, "one", body).await;
        assert_eq!(answer.status(), 422);
    }
    assert_eq!(problem(keyed(app, &line, "messages", "one", &other).await, 422).await["field"], "Idempotency-Key");
    assert_eq!(counted(app).await, (1, 0));
}

async fn a_refused_request_leaves_its_key_free(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    app.reply(&contact(1), &line, "STOP").await;
    let body = json!({ "line": line.number, "to": contact(1), "text": "Hello" });
    problem(keyed(app, &line, "messages", "one", &body).await, 409).await;
    app.reply(&contact(1), &line, "START").await;
    assert_eq!(keyed(app, &line, "messages", "one", &body).await.status(), 201);
}

async fn a_repeated_resume_with_a_key_does_not_undo_a_pause(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let starts_at = app.now.at().plus(Duration::from_secs(3_600)).rfc3339();
    let body = json!({ "line": line.id, "text": "Later", "recipients": [contact(1)], "starts_at": starts_at });
    let taken: Value = app.post(&line, "blasts", &body).await.json().await.unwrap();
    let at = taken["url"].as_str().unwrap();
    let id: BlastId = taken["id"].as_str().unwrap().parse().unwrap();
    let send = app.staff.permit::<may::SendMessages>().unwrap();
    let pause = async |seen: i64| blast::decide_as_staff(&app.db, &app.now, &send, (line.id, id), seen, Decision::Pause).await.unwrap();
    let decide = async |act: &str, key: Option<&str>| raw(app, &line, Method::POST, &format!("{at}/{act}"), key, "").await;

    pause(0).await;
    let first = decide("resume", Some("one")).await;
    assert_eq!((first.status().as_u16(), first.headers()["content-type"].to_str().unwrap()), (200, "application/json"));
    let first = first.text().await.unwrap();
    assert_eq!(app.get(&line, at).await["state"], "scheduled");
    pause(2).await;
    let again = decide("resume", Some("one")).await;
    assert_eq!((again.status().as_u16(), again.text().await.unwrap()), (200, first), "the first answer");
    assert_eq!(app.get(&line, at).await["state"], "paused", "the staff's pause stays");

    let said = problem(decide("cancel", Some("one")).await, 422).await;
    assert_eq!(said["field"], "Idempotency-Key", "another request");
    assert_eq!(app.get(&line, at).await["state"], "paused");
    assert_eq!(decide("resume", None).await.status(), 200);
    assert_eq!(app.get(&line, at).await["state"], "scheduled", "without a key it is decided anew");
    for _ in 0..2 {
        let cancelled: Value = decide("cancel", Some("two")).await.json().await.unwrap();
        assert_eq!(cancelled["state"], "cancelled");
    }
}

async fn keys_are_forgotten_after_a_week(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let body = json!({ "line": line.number, "to": contact(1), "text": "Once" });
    keyed(app, &line, "messages", "one", &body).await;
    app.pass(6 * 24 * 3_600);
    assert_eq!(idempotency::forget_old(&app.db, &app.now).await.unwrap(), 0);
    app.pass(2 * 24 * 3_600);
    assert_eq!(idempotency::forget_old(&app.db, &app.now).await.unwrap(), 1);
}
