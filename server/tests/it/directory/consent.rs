//! Consent of a line and a number, as it is seen and set by hand.

use super::{account_of, audited, elsewhere, is_hidden, is_late, is_wrong, number};
use crate::harness::{TestApp, TestLine, contact, on_both_engines, tells};
use crate::house::house;
use serde_json::json;
use std::time::Duration;
use switchyard::directory::contacts;
use switchyard::messaging::blast;
use switchyard::messaging::consent::{self, SetByHand};
use switchyard::staff::may;
use switchyard::types::IntegrationType::{Inbox, None as NoRoute};
use switchyard::types::{ConsentDetail, ConsentOf, ConsentSource, ConsentState, Timestamp};

on_both_engines![
    consent_is_told_with_its_source_its_evidence_and_all_that_was_said,
    an_opt_out_by_hand_holds_at_once,
    an_opt_in_by_hand_lifts_an_opt_out_only_when_it_is_later,
    two_who_set_it_the_second_is_told_and_nobody_elsewhere_may,
    a_contact_without_a_conversation_has_consent_too,
    who_got_a_blast_of_a_line_set_to_none_has_consent_by_the_message,
    without_the_permission_the_number_and_the_evidence_are_masked,
];

async fn of(app: &TestApp, line: &TestLine) -> ConsentOf {
    ConsentOf::Conversation(app.conversation(line, &contact(1)).await.id)
}

async fn shown(app: &TestApp, line: &TestLine, of: ConsentOf) -> ConsentDetail {
    consent::of(&app.db, &app.staff.permit().unwrap(), line.id, of).await.unwrap()
}

fn wish(seen: Option<Timestamp>, out: bool, at: Option<Timestamp>) -> SetByHand {
    SetByHand { seen, out, at, reason: "Ticket 4711".to_owned() }
}

async fn consent_is_told_with_its_source_its_evidence_and_all_that_was_said(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(1), &line, "Hello").await;
    let of = of(app, &line).await;
    let nothing = shown(app, &line, of).await;
    assert_eq!((nothing.now, nothing.history.len()), (None, 0));
    app.reply(&contact(1), &line, "STOP").await;
    app.pass(60);
    app.reply(&contact(1), &line, "START").await;
    let told = shown(app, &line, of).await;
    let now = told.now.unwrap();
    assert_eq!((now.state, now.source, now.evidence), (ConsentState::OptedIn, ConsentSource::Keyword, None));
    let said: Vec<_> = told.history.iter().map(|said| said.state).collect();
    assert_eq!(said, [ConsentState::OptedIn, ConsentState::OptedOut], "the newest first");
}

async fn an_opt_out_by_hand_holds_at_once(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(1), &line, "Hello").await;
    let (of, manage) = (of(app, &line).await, app.staff.permit::<may::ManageDirectory>().unwrap());
    let without = SetByHand { reason: " ".to_owned(), ..wish(None, true, None) };
    is_wrong(consent::set(&app.db, &app.now, &manage, line.id, of, &without).await, "reason");
    let to_come = app.now.at().plus(Duration::from_secs(60));
    is_wrong(consent::set(&app.db, &app.now, &manage, line.id, of, &wish(None, true, Some(to_come))).await, "at");
    consent::set(&app.db, &app.now, &manage, line.id, of, &wish(None, true, None)).await.unwrap();
    let message = json!({ "line": line.number, "to": contact(1), "text": "Hello" });
    assert_eq!(app.post(&line, "messages", &message).await.status(), 409);
    let told = shown(app, &line, of).await;
    let now = told.now.clone().unwrap();
    assert_eq!((now.state, now.source), (ConsentState::OptedOut, ConsentSource::Staff));
    assert_eq!((now.evidence.as_deref(), told.history.len()), (Some("Ticket 4711"), 1));
    let entries = audited(app, account_of(app, &line).await, "consent.set").await;
    assert_eq!(entries.len(), 1);
    assert!(entries[0].row.after.as_deref().unwrap().contains("opted_out"));
    let told = format!("{entries:?}");
    assert!(!tells(&told, "0121") && !told.contains("Ticket"), "the audit holds no number, nor what may name somebody: {told}");
    is_late(consent::set(&app.db, &app.now, &manage, line.id, of, &wish(Some(now.at), true, None)).await);
}

async fn an_opt_in_by_hand_lifts_an_opt_out_only_when_it_is_later(app: &TestApp) {
    let line = app.line(Inbox).await;
    let before = app.now.at();
    app.pass(60);
    app.reply(&contact(1), &line, "STOP").await;
    let (of, manage) = (of(app, &line).await, app.staff.permit::<may::ManageDirectory>().unwrap());
    let out = shown(app, &line, of).await.now.unwrap().at;
    app.pass(60);
    is_wrong(consent::set(&app.db, &app.now, &manage, line.id, of, &wish(Some(out), false, Some(before))).await, "at");
    assert_eq!(shown(app, &line, of).await.now.unwrap().state, ConsentState::OptedOut);
    consent::set(&app.db, &app.now, &manage, line.id, of, &wish(Some(out), false, None)).await.unwrap();
    app.send(&line, &contact(1), "Welcome back").await;
    // The contact's own word counts at once.
    app.reply(&contact(1), &line, "STOP").await;
    assert_eq!(shown(app, &line, of).await.now.unwrap().state, ConsentState::OptedOut);
}

async fn two_who_set_it_the_second_is_told_and_nobody_elsewhere_may(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(1), &line, "Hello").await;
    let (of, manage) = (of(app, &line).await, app.staff.permit::<may::ManageDirectory>().unwrap());
    let stranger = elsewhere(app).await;
    is_hidden(consent::of(&app.db, &stranger.permit().unwrap(), line.id, of).await);
    is_hidden(consent::set(&app.db, &app.now, &stranger.permit().unwrap(), line.id, of, &wish(None, true, None)).await);
    app.reply(&contact(1), &line, "STOP").await;
    is_late(consent::set(&app.db, &app.now, &manage, line.id, of, &wish(None, false, None)).await);
    assert_eq!(shown(app, &line, of).await.history.len(), 1);
}

async fn a_contact_without_a_conversation_has_consent_too(app: &TestApp) {
    let (line, other) = (app.line(NoRoute).await, app.line(NoRoute).await);
    let account = account_of(app, &line).await;
    contacts::name_contact(&app.db, &app.now, &app.staff.permit().unwrap(), account, &number(&contact(1)), "Grace").await.unwrap();
    let id = contacts::list(&app.db, &app.staff.permit().unwrap(), account, None, 1).await.unwrap().rows[0].id;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    consent::set(&app.db, &app.now, &manage, line.id, ConsentOf::Contact(id), &wish(None, true, None)).await.unwrap();
    let told = shown(app, &line, ConsentOf::Contact(id)).await;
    assert_eq!((told.contact, told.conversation, told.now.unwrap().state), (Some(id), None, ConsentState::OptedOut));
    // Another account's line knows nothing of this contact.
    is_hidden(consent::of(&app.db, &app.staff.permit().unwrap(), other.id, ConsentOf::Contact(id)).await);
    is_hidden(consent::set(&app.db, &app.now, &manage, other.id, ConsentOf::Contact(id), &wish(None, true, None)).await);
}

async fn who_got_a_blast_of_a_line_set_to_none_has_consent_by_the_message(app: &TestApp) {
    let (line, other) = (app.line(NoRoute).await, app.line(NoRoute).await);
    let id = app.blast(&line, &[contact(1)], "Sale").await["id"].as_str().unwrap().parse().unwrap();
    app.work().await;
    let see = app.staff.permit().unwrap();
    let got = blast::recipients(&app.db, &see, (line.id, id), None, None, 5).await.unwrap().rows.remove(0);
    assert_eq!(got.conversation, None, "there is neither a conversation nor a contact");
    let of = ConsentOf::Message(got.message);
    let told = shown(app, &line, of).await;
    assert_eq!((told.number.whole(), told.contact, told.conversation), (Some(&number(&contact(1))), None, None));
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    consent::set(&app.db, &app.now, &manage, line.id, of, &wish(None, true, None)).await.unwrap();
    assert_eq!(shown(app, &line, of).await.now.unwrap().state, ConsentState::OptedOut);
    let message = json!({ "line": line.number, "to": contact(1), "text": "Hello" });
    assert_eq!(app.post(&line, "messages", &message).await.status(), 409);
    // By its own line alone, and within the scope.
    is_hidden(consent::of(&app.db, &app.staff.permit().unwrap(), other.id, of).await);
    is_hidden(consent::set(&app.db, &app.now, &manage, other.id, of, &wish(None, true, None)).await);
    let stranger = elsewhere(app).await;
    is_hidden(consent::of(&app.db, &stranger.permit().unwrap(), line.id, of).await);
    is_hidden(consent::set(&app.db, &app.now, &stranger.permit().unwrap(), line.id, of, &wish(None, true, None)).await);
    let page = format!("/lines/{}/consent?message={}", line.id, got.message);
    let page = app.ask(&app.staff, reqwest::Method::GET, &page, &[]).await.text().await.unwrap();
    assert!(page.contains("name=\"of[message]\"") && page.contains("Opted out"));
}

async fn without_the_permission_the_number_and_the_evidence_are_masked(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(1), &line, "Hello").await;
    let (of, manage) = (of(app, &line).await, app.staff.permit::<may::ManageDirectory>().unwrap());
    consent::set(&app.db, &app.now, &manage, line.id, of, &wish(None, true, None)).await.unwrap();
    let h = house(app);
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    let told = consent::of(&app.db, &viewer.permit().unwrap(), line.id, of).await.unwrap();
    let told = serde_json::to_string(&told).unwrap();
    assert!(!told.contains("Ticket") && !told.contains("2025550121"), "{told}");
}
