//! The carriers' webhooks: who may call, what is taken, and what is kept for later.

use crate::harness::{CARRIER, OLD_SECRET, SECRET, TestApp, TestLine, contact, keys, on_both_engines};
use crate::house::proof;
use crate::verdict::{received, ringcentral_calls};
use futures_util::future::join_all;
use serde_json::{Value, json};
use server::sandbox::sign;
use std::time::Duration;
use switchyard::directory::people;
use switchyard::erasure;
use switchyard::messaging::inbound::{self, Incoming};
use switchyard::types::IntegrationType::{Inbox, None as BlastOnly, Ringcentral};
use switchyard::types::{AccountId, PhoneNumber, Timestamp};

on_both_engines![
    a_forged_signature_is_refused,
    a_stale_signature_is_refused,
    both_secrets_are_good_while_one_is_being_replaced,
    a_message_to_an_unknown_line_is_stored,
    a_body_that_is_not_as_the_contract_has_it_is_refused,
    a_body_that_is_too_long_is_refused,
    a_text_with_a_nul_is_recorded_without_it,
    many_webhooks_at_once_are_each_recorded_once,
    a_start_that_comes_in_behind_a_later_stop_lifts_nothing,
    of_keywords_that_come_in_together_the_one_written_last_holds,
    a_yes_is_a_start_of_who_has_opted_out_and_of_nobody_else,
    a_late_start_lifts_no_opt_out_of_an_erased_contact,
    an_erased_contact_who_opted_out_is_answered_by_no_responder,
    a_webhook_is_refused_when_the_database_is_gone,
];

fn body(id: &str, line: &str, text: &str) -> Value {
    json!({ "id": id, "from": contact(1), "to": [line], "text": text, "media": [], "sent_at": "2026-11-21T05:20:11Z" })
}

async fn recorded(app: &TestApp) -> i64 {
    let (count,): (i64,) = app.db.one("select count(*) from message where direction = 'inbound'", ()).await.unwrap();
    count
}

async fn a_forged_signature_is_refused(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let body = body("1", &line.number, "Hello").to_string();
    let at = app.now.at();
    let good = sign(SECRET, at, body.as_bytes());
    let of_another_body = sign(SECRET, at, b"{}");
    let of_nobody = sign("a-secret-that-nobody-has", at, body.as_bytes());
    let other_time = good.replace(&format!("t={}", at.0 / 1_000_000), &format!("t={}", at.0 / 1_000_000 + 1));
    let cases = [
        (CARRIER, of_another_body.as_str()),
        (CARRIER, of_nobody.as_str()),
        (CARRIER, other_time.as_str()),
        (CARRIER, ""),
        (CARRIER, "t=1795238411"),
        ("another", good.as_str()),
    ];
    let mut answers = Vec::new();
    for kind in ["messages", "status"] {
        for (carrier, signature) in cases {
            let answer = app.signed_webhook(carrier, kind, signature, body.clone()).await;
            assert_eq!(answer.status(), 401, "{carrier} {signature}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            answers.push(answer.text().await.unwrap());
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "nobody learns which part was wrong");
    assert_eq!(recorded(app).await, 0);
    assert_eq!(app.signed_webhook(CARRIER, "messages", &good, body).await.status(), 200);
    assert_eq!(recorded(app).await, 1);
}

async fn a_stale_signature_is_refused(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let body = body("1", &line.number, "Hello").to_string();
    let late = sign(SECRET, app.now.at().minus(Duration::from_secs(301)), body.as_bytes());
    let early = sign(SECRET, app.now.at().plus(Duration::from_secs(301)), body.as_bytes());
    for signature in [late, early] {
        assert_eq!(app.signed_webhook(CARRIER, "messages", &signature, body.clone()).await.status(), 401);
    }
    let just = sign(SECRET, app.now.at().minus(Duration::from_secs(299)), body.as_bytes());
    assert_eq!(app.signed_webhook(CARRIER, "messages", &just, body).await.status(), 200);
}

async fn both_secrets_are_good_while_one_is_being_replaced(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    for (id, secret) in [("1", SECRET), ("2", OLD_SECRET)] {
        assert_eq!(app.webhook("messages", secret, &body(id, &line.number, "Hello")).await.status(), 200);
    }
    let body = body("3", &line.number, "Hello").to_string();
    let (wrong, good) = (sign("a-secret-that-nobody-has", app.now.at(), body.as_bytes()), sign(OLD_SECRET, app.now.at(), body.as_bytes()));
    let both = format!("{wrong},{}", good.split_once(',').unwrap().1);
    assert_eq!(app.signed_webhook(CARRIER, "messages", &both, body).await.status(), 200, "a carrier may sign with both");
    assert_eq!(recorded(app).await, 3);
}

async fn a_message_to_an_unknown_line_is_stored(app: &TestApp) {
    let unknown = "+12025550199";
    for expected in ["unknown_line", "unknown_line"] {
        let answer = app.webhook("messages", SECRET, &body("1", unknown, "Is anybody there?")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.json::<Value>().await.unwrap()["result"], expected);
    }
    let kept: Vec<(String, String, String)> = app.db.all("select from_number, to_number, body from unknown_inbound", ()).await.unwrap();
    assert_eq!(kept, [(contact(1), unknown.to_owned(), "Is anybody there?".to_owned())], "once");
    app.work().await;
    assert_eq!(ringcentral_calls(&app.sandbox.journal(0)), 0);
}

async fn a_body_that_is_not_as_the_contract_has_it_is_refused(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let bad = [
        json!([]),
        json!({}),
        json!({ "id": "1", "from": "nobody", "to": [line.number], "text": "Hello" }),
        json!({ "id": "1", "from": contact(1), "to": [], "text": "Hello" }),
        json!({ "id": "1", "from": contact(1), "to": line.number, "text": "Hello" }),
        json!({ "id": "", "from": contact(1), "to": [line.number], "text": "Hello" }),
        json!({ "id": "1\u{0}", "from": contact(1), "to": [line.number], "text": "Hello" }),
        json!({ "id": "1", "from": contact(1), "to": [line.number], "text": "Hello", "sent_at": "yesterday" }),
    ];
    for body in bad {
        let answer = app.webhook("messages", SECRET, &body).await;
        assert_eq!(answer.status(), 422, "{body}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    for body in [json!({}), json!({ "id": "1", "reference": "x", "status": "eaten" })] {
        assert_eq!(app.webhook("status", SECRET, &body).await.status(), 422, "{body}");
    }
    let stranger = json!({ "id": "1", "reference": "not one of ours", "status": "delivered", "error": null });
    assert_eq!(app.webhook("status", SECRET, &stranger).await.status(), 200, "an unknown reference changes nothing");
    assert_eq!(recorded(app).await, 0);
}

async fn a_body_that_is_too_long_is_refused(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let answer = app.webhook("messages", SECRET, &body("1", &line.number, &"x".repeat(256 * 1024))).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(recorded(app).await, 0);
}

async fn a_text_with_a_nul_is_recorded_without_it(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    assert_eq!(app.webhook("messages", SECRET, &body("1", &line.number, "Hel\u{0}lo")).await.status(), 200);
    assert_eq!(app.timeline(&line, &contact(1)).await[0].written.body(), Some("Hello"));
}

async fn many_webhooks_at_once_are_each_recorded_once(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let bodies: Vec<Value> = (0..300).map(|n| body(&(n / 2).to_string(), &line.number, &format!("Text {n}"))).collect();
    let answers = join_all(bodies.iter().map(async |body| {
        let answer = app.webhook("messages", SECRET, body).await;
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()["result"].as_str().unwrap().to_owned()
    }))
    .await;
    for result in ["recorded", "repeated"] {
        assert_eq!(answers.iter().filter(|answer| *answer == result).count(), 150, "{result}");
    }
    assert_eq!(recorded(app).await, 150);
}

/// The contact's word comes in, written at that time as the carrier says; and what it asks for is done.
async fn says(app: &TestApp, line: &TestLine, id: &str, text: &str, sent_at: Option<Timestamp>) {
    app.pass(1);
    let sent_at = sent_at.map(Timestamp::rfc3339);
    let body = json!({ "id": id, "from": contact(1), "to": [line.number], "text": text, "sent_at": sent_at });
    let answer = app.webhook("messages", SECRET, &body).await;
    assert_eq!(answer.json::<Value>().await.unwrap()["result"], "recorded");
    app.work().await;
}

/// How a message to the contact is answered.
async fn texted(app: &TestApp, line: &TestLine) -> u16 {
    app.post(line, "messages", &json!({ "line": line.number, "to": contact(1), "text": "Hello" })).await.status().as_u16()
}

async fn a_start_that_comes_in_behind_a_later_stop_lifts_nothing(app: &TestApp) {
    let line = app.line(Inbox).await;
    let early = app.now.at();
    app.pass(20);
    says(app, &line, "1", "STOP", Some(app.now.at())).await;
    app.pass(40);
    // The carrier repeats it, since it had no answer the first time.
    says(app, &line, "2", "START", Some(early)).await;
    // A word like any other when it was written.
    says(app, &line, "2 yes", "Yes", Some(early)).await;
    let told = |words: &str| received(&app.sandbox.journal(0), &contact(1)).iter().filter(|text| text.contains(words)).count();
    assert_eq!((told("unsubscribed"), told("subscribed again")), (1, 0));
    assert_eq!(texted(app, &line).await, 409);
    let said: Vec<(String,)> = app.db.all("select state from consent_event where line_id = $1 order by id", [line.id]).await.unwrap();
    assert_eq!(said, [("opted_out".to_owned(),), ("opted_in".to_owned(),)], "the history has it all the same");

    says(app, &line, "3", "START", Timestamp::from_rfc3339("2999-01-01T00:00:00Z")).await;
    assert_eq!((told("subscribed again"), texted(app, &line).await), (1, 201), "nobody has written in the future: it counts as now");
    says(app, &line, "4", "STOP", Some(early)).await;
    assert_eq!(texted(app, &line).await, 409, "a STOP always counts");
    says(app, &line, "5", "START", None).await;
    assert_eq!((told("subscribed again"), texted(app, &line).await), (2, 201), "without a time it counts as it comes in");
}

async fn of_keywords_that_come_in_together_the_one_written_last_holds(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let began = app.now.at();
    app.pass(60);
    let wrote = |n: usize, text: &str, seconds: u64| Incoming {
        carrier_id: format!("{n} {text}"),
        from: PhoneNumber::parse(&contact(n)).unwrap(),
        to: PhoneNumber::parse(&line.number).unwrap(),
        others: Vec::new(),
        body: text.to_owned(),
        media: Vec::new(),
        sent_at: Some(began.plus(Duration::from_secs(seconds))),
    };
    let batch = [wrote(1, "STOP", 20), wrote(1, "START", 0), wrote(2, "STOP", 0), wrote(2, "START", 20)];
    inbound::receive(&app.db, &app.now, &batch).await.unwrap();
    app.work().await;
    let stands: Vec<(String,)> = app.db.all("select state from consent where line_id = $1 order by number", [line.id]).await.unwrap();
    assert_eq!(stands, [("opted_out".to_owned(),), ("opted_in".to_owned(),)]);
    let told = |n| received(&app.sandbox.journal(0), &contact(n)).iter().filter(|text| text.contains("subscribed again")).count();
    assert_eq!([told(1), told(2)], [0, 1], "nobody is told that they are subscribed who is not");
}

async fn with_responder(app: &TestApp, line: &TestLine, keyword: &str, reply: &str) {
    people::add_responder(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, keyword, reply).await.unwrap();
}

/// What the contact has got since that many texts.
fn told_since(app: &TestApp, before: &mut usize) -> Vec<String> {
    let all = received(&app.sandbox.journal(0), &contact(1));
    let new = all[*before..].to_vec();
    *before = all.len();
    new
}

async fn a_yes_is_a_start_of_who_has_opted_out_and_of_nobody_else(app: &TestApp) {
    let line = app.line(Inbox).await;
    with_responder(app, &line, "yes", "See you at nine.").await;
    let told = &mut 0;
    let history = async || {
        let said: Vec<(String,)> = app.db.all("select state from consent_event where line_id = $1 order by id", [line.id]).await.unwrap();
        said.into_iter().map(|(state,)| state).collect::<Vec<_>>()
    };
    says(app, &line, "1", "Yes", None).await;
    assert_eq!(told_since(app, told), ["See you at nine."]);
    assert!(history().await.is_empty(), "it was the answer to a question");
    says(app, &line, "2", "START", None).await;
    assert!(told_since(app, told).is_empty(), "nobody is subscribed again who had not opted out");
    assert_eq!(history().await, ["opted_in"]);
    says(app, &line, "3", "STOP", None).await;
    assert!(told_since(app, told)[0].contains("unsubscribed"));
    says(app, &line, "4", "stop!", None).await;
    assert!(told_since(app, told).is_empty(), "that is said once");
    says(app, &line, "5", "HELP", None).await;
    assert!(told_since(app, told)[0].contains("on behalf of a business"), "whoever has opted out may ask who it is");
    says(app, &line, "6", "YES", None).await;
    let [again] = told_since(app, told).try_into().unwrap();
    assert!(again.contains("subscribed again"), "{again}");
    assert_eq!((history().await.len(), texted(app, &line).await), (4, 201));
    app.work().await;
    told_since(app, told);
    says(app, &line, "7", "yes", None).await;
    assert_eq!(told_since(app, told), ["See you at nine."]);
    assert_eq!(history().await, ["opted_in", "opted_out", "opted_out", "opted_in"]);
}

/// The contact is erased.
async fn erases(app: &TestApp, line: &TestLine) {
    let (account,): (AccountId,) = app.db.one("select account_id from line where id = $1", [line.id]).await.unwrap();
    let permit = || app.staff.permit().unwrap();
    let id = erasure::ask(&app.db, &app.now, &keys(), &permit(), account, &contact(1), "Request 7").await.unwrap();
    erasure::erase(&app.db, &app.now, &keys(), &permit(), proof(), id, "0121").await.unwrap();
}

async fn an_erased_contact_who_opted_out_is_answered_by_no_responder(app: &TestApp) {
    let line = app.line(Inbox).await;
    with_responder(app, &line, "hours", "We are open from nine to five.").await;
    let told = &mut 0;
    says(app, &line, "1", "STOP", None).await;
    says(app, &line, "2", "Hours", None).await;
    assert_eq!(told_since(app, told).len(), 1, "the confirmation alone");
    erases(app, &line).await;
    says(app, &line, "3", "Hours", None).await;
    assert!(told_since(app, told).is_empty());
    says(app, &line, "4", "help", None).await;
    assert_eq!(told_since(app, told).len(), 1, "HELP is answered all the same");
    for (id, text) in [("5", "STOP"), ("6", "STOP")] {
        says(app, &line, id, text, None).await;
    }
    assert_eq!(told_since(app, told).len(), 1, "and STOP is confirmed once");
    says(app, &line, "7", "START", None).await;
    says(app, &line, "8", "Hours", None).await;
    assert_eq!(told_since(app, told).last().unwrap(), "We are open from nine to five.");
}

async fn a_late_start_lifts_no_opt_out_of_an_erased_contact(app: &TestApp) {
    let line = app.line(Inbox).await;
    let early = app.now.at();
    app.pass(20);
    says(app, &line, "1", "STOP", Some(app.now.at())).await;
    erases(app, &line).await;
    says(app, &line, "2", "START", Some(early)).await;
    assert_eq!(texted(app, &line).await, 409);
    says(app, &line, "3", "START", Some(app.now.at())).await;
    assert_eq!(texted(app, &line).await, 201);
}

async fn a_webhook_is_refused_when_the_database_is_gone(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.db.close().await;
    for (kind, body) in [
        ("messages", body("1", &line.number, "Hello")),
        ("status", json!({ "id": "1", "reference": format!("{}.{}", line.id, line.id), "status": "delivered" })),
    ] {
        let answer = app.webhook(kind, SECRET, &body).await;
        assert_eq!(answer.status(), 503, "the carrier calls again: {kind}");
    }
}
