//! Blasts: they cost no RingCentral call, reach everybody once, and leave out who has opted out.

use crate::harness::{TestApp, TestLine, contact, on_both_engines};
use crate::verdict::{Said, assert_good, received, ringcentral_calls, standing_posts};
use server::sandbox::Kind;
use std::collections::HashSet;
use switchyard::messaging::{blast, outbound};
use switchyard::types::IntegrationType::{Inbox, None as BlastOnly, Ringcentral};
use switchyard::types::SyncState;

on_both_engines![
    a_blast_of_ten_thousand_makes_no_ringcentral_call,
    a_reply_inserts_the_blast_in_that_chat_and_nowhere_else,
    a_number_named_twice_gets_the_blast_once,
    a_blast_that_is_being_recorded_sends_nothing_yet,
    a_blast_on_an_inbox_line_holds_nothing,
    a_blast_that_was_stopped_half_due_goes_on_where_it_was,
    a_scheduled_blast_starts_at_its_time_without_those_who_opted_out_before,
    a_scheduled_blast_is_called_off_and_its_recipients_are_forgotten,
];

async fn a_blast_of_ten_thousand_makes_no_ringcentral_call(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.sandbox.set_deliver_statuses(false);
    let everybody: Vec<String> = (0..10_000).map(contact).collect();
    let text = app.text("Sale");
    let blast = app.blast(&line, &everybody, &text).await;
    assert_eq!((&blast["state"], &blast["recipients"]), (&"recording".into(), &10_000.into()));
    app.work().await;

    let journal = app.sandbox.journal(0);
    assert_eq!(ringcentral_calls(&journal), 0);
    assert!(journal.iter().all(|entry| entry.kind != Kind::Token), "not even a sign-in");
    let reached: Vec<_> =
        journal.iter().filter(|entry| entry.kind == Kind::Sms && entry.accepted).filter_map(|entry| entry.to.clone()).collect();
    assert_eq!(reached.len(), 10_000);
    assert_eq!(reached.iter().collect::<HashSet<_>>().len(), 10_000, "each once");
    let read = app.get(&line, blast["url"].as_str().unwrap()).await;
    assert_eq!((&read["state"], &read["recorded"]), (&"sent".into(), &10_000.into()));

    // One of them replies: two posts, in one chat.
    let (one, answer) = (contact(4_711), app.text("Yes please, two of them"));
    app.reply(&one, &line, &answer).await;
    app.work().await;
    let mut said = Said::default();
    said.then(&one, &text);
    said.then(&one, &answer);
    assert_good(&app.sandbox, &said);
    assert_eq!(standing_posts(&app.sandbox.journal(0)).len(), 2);
    assert_eq!(app.sandbox.chats().len(), 1);
}

async fn a_reply_inserts_the_blast_in_that_chat_and_nowhere_else(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let text = app.text("Doors open at nine");
    app.blast(&line, &(0..5).map(contact).collect::<Vec<_>>(), &text).await;
    app.work().await;
    assert_eq!(app.conversation(&line, &contact(2)).await.sync, SyncState::Held { count: 1 });
    let answer = app.text("I will be there");
    app.reply(&contact(2), &line, &answer).await;
    app.work().await;

    let mut said = Said::default();
    said.then(&contact(2), &text);
    said.then(&contact(2), &answer);
    assert_good(&app.sandbox, &said);
    assert_eq!(app.sandbox.chats().len(), 1);
    assert_eq!(app.conversation(&line, &contact(2)).await.sync, SyncState::InSync);
    assert_eq!(app.conversation(&line, &contact(3)).await.sync, SyncState::Held { count: 1 });
    let post = standing_posts(&app.sandbox.journal(0))[0].text.clone().unwrap();
    assert!(post.contains("**Blast** · 2026-11-21 05:20 UTC"), "{post}");
}

async fn a_number_named_twice_gets_the_blast_once(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let text = app.text("Once is enough");
    let to = [contact(1), contact(2), "+1 (202) 555-0121".to_owned()];
    let blast = app.blast(&line, &to, &text).await;
    app.work().await;
    assert_eq!(received(&app.sandbox.journal(0), &contact(1)), [text]);
    let read = app.get(&line, blast["url"].as_str().unwrap()).await;
    assert_eq!((&read["recipients"], &read["recorded"], &read["duplicates"]), (&3.into(), &2.into(), &1.into()));
}

async fn a_blast_that_is_being_recorded_sends_nothing_yet(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let text = app.text("Later");
    app.blast(&line, &(0..1_500).map(contact).collect::<Vec<_>>(), &text).await;
    assert!(blast::record_next(&app.db, &app.now).await.unwrap(), "the first of three chunks");
    let sent = outbound::step(&app.db, &app.now, &app.carrier, 100).await.unwrap();
    assert_eq!(sent, 0, "it is sent when it is complete");
    // A contact of the recorded part writes meanwhile: what was not sent is not shown as sent.
    let early = app.text("Hello");
    app.reply(&contact(0), &line, &early).await;
    app.engine.step().await.unwrap();
    app.work().await;
    let late = app.text("And now");
    app.reply(&contact(0), &line, &late).await;
    app.work().await;
    let mut said = Said::default();
    for text in [&early, &text, &late] {
        said.then(&contact(0), text);
    }
    assert_good(&app.sandbox, &said);
}

async fn a_blast_on_an_inbox_line_holds_nothing(app: &TestApp) {
    let line = app.line(Inbox).await;
    let text = app.text("News");
    app.blast(&line, &[contact(1)], &text).await;
    app.work().await;
    app.reply(&contact(1), &line, &app.text("Thanks")).await;
    app.work().await;
    assert_eq!(ringcentral_calls(&app.sandbox.journal(0)), 0);
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::NotConnected);
    assert_eq!(app.timeline(&line, &contact(1)).await.len(), 2);
}

async fn a_blast_that_was_stopped_half_due_goes_on_where_it_was(app: &TestApp) {
    let line = app.line(Inbox).await;
    let text = app.text("Sale");
    let contacts: Vec<String> = (0..2_500).map(contact).collect();
    app.blast(&line, &contacts, &text).await;
    for _ in 0..6 {
        assert!(blast::record_next(&app.db, &app.now).await.unwrap(), "five chunks and the first batch that is due");
    }
    // Those that are due may be sent, and failed or opted out, before the rest is.
    assert_eq!(outbound::step(&app.db, &app.now, &app.carrier, 2_000).await.unwrap(), 500);
    app.work().await;
    let journal = app.sandbox.journal(0);
    for number in &contacts {
        assert_eq!(received(&journal, number), [text.as_str()]);
    }
}

/// A blast that starts in an hour.
async fn scheduled(app: &TestApp, line: &TestLine, to: &[String]) -> serde_json::Value {
    let starts_at = app.now.at().plus(std::time::Duration::from_secs(3_600)).rfc3339();
    let blast = serde_json::json!({ "line": line.id, "text": app.text("Later"), "recipients": to, "starts_at": starts_at });
    let answer = app.post(line, "blasts", &blast).await;
    assert_eq!(answer.status(), 202);
    answer.json().await.unwrap()
}

async fn a_scheduled_blast_starts_at_its_time_without_those_who_opted_out_before(app: &TestApp) {
    let line = app.line(Inbox).await;
    for wrong in ["yesterday", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let blast = serde_json::json!({ "line": line.id, "text": "Later", "recipients": [contact(1)], "starts_at": wrong });
        let refused = app.post(&line, "blasts", &blast).await;
        assert_eq!(refused.status(), 422, "{wrong}");
        assert_eq!(refused.json::<serde_json::Value>().await.unwrap()["field"], "starts_at");
    }
    let blast = scheduled(app, &line, &[contact(1), contact(2)]).await;
    assert_eq!(blast["state"], "scheduled");
    app.send_outbox().await;
    assert_eq!(received(&app.sandbox.journal(0), &contact(1)).len(), 0, "not before its time");
    app.reply(&contact(2), &line, "STOP").await;
    app.pass(3_600);
    app.work().await;
    let texts = |n: usize| received(&app.sandbox.journal(0), &contact(n)).iter().filter(|text| text.contains("Later")).count();
    assert_eq!((texts(1), texts(2)), (1, 0));
    let read = app.get(&line, blast["url"].as_str().unwrap()).await;
    assert_eq!((&read["state"], &read["opted_out"]), (&"sent".into(), &1.into()));
}

async fn a_scheduled_blast_is_called_off_and_its_recipients_are_forgotten(app: &TestApp) {
    let line = app.line(Inbox).await;
    let blast = scheduled(app, &line, &[contact(1)]).await;
    let path = |act: &str| format!("{}{}/{act}", app.url, blast["url"].as_str().unwrap());
    for _ in 0..2 {
        let cancelled = app.http.post(path("cancel")).bearer_auth(&line.token).send().await.unwrap();
        assert_eq!(cancelled.status(), 200);
        assert_eq!(cancelled.json::<serde_json::Value>().await.unwrap()["state"], "cancelled");
    }
    let late = app.http.post(path("resume")).bearer_auth(&line.token).send().await.unwrap();
    assert_eq!(late.status(), 409);
    let (chunks,): (i64,) = app.db.one("select count(*) from blast_chunk", ()).await.unwrap();
    assert_eq!(chunks, 0);
    app.pass(7_200);
    app.work().await;
    assert_eq!(received(&app.sandbox.journal(0), &contact(1)).len(), 0);
}
