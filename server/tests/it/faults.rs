//! What RingCentral does wrong: nothing is lost, nothing stands twice, nothing overtakes, and one bad message stops no other.

use crate::harness::{TestApp, TestLine, contact, on_both_engines};
use crate::verdict::{GOOD, Said, assert_good, chats_of, standing_posts, verdict};
use reqwest::Method;
use server::sandbox::{Entry, Fault, Kind, Limits, On, What};
use std::time::Duration;
use switchyard::sync::{self, EngineConfig};
use switchyard::types::IntegrationType::Ringcentral;
use switchyard::types::{EntryState, SyncState, Timestamp};

on_both_engines![
    a_lost_answer_doubles_nothing,
    a_lost_request_loses_nothing,
    a_post_that_is_accepted_late_is_waited_for,
    a_double_that_turns_up_long_after_is_deleted,
    after_a_429_nobody_calls_before_its_time,
    after_the_daily_limit_nobody_calls_for_an_hour,
    the_budget_keeps_every_connection_below_its_limits,
    the_days_budget_is_kept_and_the_rest_follows_the_day_after,
    one_refused_text_is_marked_failed_and_the_others_are_posted_in_order,
    a_refused_message_can_be_restored_and_goes_to_the_end,
    a_deleted_chat_is_replaced_by_a_new_one,
    an_archived_chat_is_replaced_by_a_new_one,
    a_missing_permission_stalls_the_lane_and_fails_no_message,
    a_lost_answer_to_the_chats_creation_makes_no_second_chat,
    a_chat_that_is_created_late_is_waited_for,
    errors_of_every_kind_delay_and_do_no_harm,
    an_expired_token_is_replaced_on_the_way,
    a_token_that_another_worker_left_spent_is_replaced_too,
    a_lane_whose_deliveries_fail_is_shown_as_stalled_and_recovers,
    a_refused_sign_in_is_shown_as_stalled_at_once,
];

/// Messages that were sent and held, then a reply: what is to be delivered, and what must stand in the chat.
async fn exchange(app: &TestApp, line: &TestLine, contact: &str, held: usize, said: &mut Said) -> Vec<String> {
    let mut texts: Vec<String> = (0..held).map(|_| app.text("Your order is ready")).collect();
    for text in &texts {
        app.send(line, contact, text).await;
    }
    app.work().await;
    texts.push(app.text("Thank you"));
    app.reply(contact, line, &texts[held]).await;
    texts.iter().for_each(|text| said.then(contact, text));
    texts
}

fn calls(app: &TestApp, kind: Kind) -> Vec<Entry> {
    app.sandbox.journal(0).into_iter().filter(|entry| entry.kind == kind).collect()
}

/// RingCentral's calls strictly between two moments.
fn calls_between(app: &TestApp, from: Timestamp, to: Timestamp) -> usize {
    let kinds = [Kind::Team, Kind::ChatList, Kind::ChatGet, Kind::Post, Kind::PostList, Kind::PostDelete, Kind::Token];
    app.sandbox.journal(0).iter().filter(|entry| kinds.contains(&entry.kind) && entry.at > from && entry.at < to).count()
}

async fn a_lost_answer_doubles_nothing(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    app.sandbox.arm(Fault::new(On::Post, What::LoseAnswer { hang: false }).times(2)).unwrap();
    exchange(app, &line, &contact(1), 3, &mut said).await;
    app.work().await;
    exchange(app, &line, &contact(1), 1, &mut said).await;
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert_eq!(calls(app, Kind::Post).len(), 4, "no post was made again");
}

async fn a_lost_request_loses_nothing(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    app.sandbox.arm(Fault::new(On::Post, What::LoseRequest { hang: false }).times(2)).unwrap();
    exchange(app, &line, &contact(1), 3, &mut said).await;
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert!(!calls(app, Kind::PostList).is_empty(), "it was looked for before it was posted again");
}

async fn a_post_that_is_accepted_late_is_waited_for(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    // The answer is lost, and the post shows after 19 of the 20 seconds in which it is assumed to show.
    app.sandbox.arm(Fault::new(On::Post, What::AcceptLate { after_ms: 19_000, hang: false }).times(2)).unwrap();
    exchange(app, &line, &contact(1), 2, &mut said).await;
    app.work().await;
    app.pass(3_600);
    assert_good(&app.sandbox, &said);
}

async fn a_double_that_turns_up_long_after_is_deleted(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    // Beyond what is assumed: five minutes.
    app.sandbox.arm(Fault::new(On::Post, What::AcceptLate { after_ms: 300_000, hang: false })).unwrap();
    exchange(app, &line, &contact(1), 2, &mut said).await;
    app.work().await;
    app.pass(300);
    assert_eq!(verdict(&app.sandbox, &said).doubled, 2, "both copies of the history stand there");
    // Looking fails at first, too.
    app.sandbox.arm(Fault::new(On::List, What::Status { status: 500, retry_after: None, code: None })).unwrap();
    for _ in 0..3 {
        app.pass(600);
        app.work().await;
    }
    assert_eq!(verdict(&app.sandbox, &said), crate::verdict::Verdict { disordered: 0, ..GOOD });
    assert_eq!(calls(app, Kind::PostDelete).len(), 1);
}

async fn after_a_429_nobody_calls_before_its_time(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    for n in 0..12 {
        exchange(app, &line, &contact(n), 1, &mut said).await;
    }
    app.sandbox.arm(Fault::new(On::Post, What::Status { status: 429, retry_after: Some(170), code: None })).unwrap();
    app.work().await;
    assert_good(&app.sandbox, &said);
    let refused = calls(app, Kind::Post).into_iter().find(|entry| entry.status == 429).unwrap().at;
    assert_eq!(calls_between(app, refused, refused.plus(Duration::from_secs(170))), 0);
}

async fn after_the_daily_limit_nobody_calls_for_an_hour(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    for n in 0..3 {
        exchange(app, &line, &contact(n), 1, &mut said).await;
    }
    app.sandbox.arm(Fault::new(On::Post, What::DailyLimit)).unwrap();
    app.work().await;
    assert_good(&app.sandbox, &said);
    let refused = calls(app, Kind::Post).into_iter().find(|entry| entry.status == 500).unwrap().at;
    assert_eq!(calls_between(app, refused, refused.plus(Duration::from_secs(3_600))), 0);
}

async fn the_budget_keeps_every_connection_below_its_limits(app: &TestApp) {
    let line = app.line_with_limits(Ringcentral, Limits { posts_per_minute: Some(40), posts_per_day: Some(2_500) }).await;
    let mut said = Said::default();
    let blast = app.text("Sale");
    let contacts: Vec<String> = (0..60).map(contact).collect();
    app.blast(&line, &contacts, &blast).await;
    app.work().await;
    for contact in &contacts {
        let reply = app.text("Yes");
        app.reply(contact, &line, &reply).await;
        said.then(contact, &blast);
        said.then(contact, &reply);
    }
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert!(app.sandbox.journal(0).iter().all(|entry| entry.status != 429), "never once too many");
}

async fn the_days_budget_is_kept_and_the_rest_follows_the_day_after(app: &TestApp) {
    let line = app.line_with_limits(Ringcentral, Limits { posts_per_minute: None, posts_per_day: Some(9) }).await;
    let mut said = Said::default();
    for n in 0..8 {
        exchange(app, &line, &contact(n), 0, &mut said).await;
    }
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert!(calls(app, Kind::Post).iter().all(|entry| entry.status == 201), "RingCentral's own limit was never met");
}

async fn one_refused_text_is_marked_failed_and_the_others_are_posted_in_order(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let texts: Vec<String> = (0..10).map(|_| app.text("Reminder")).collect();
    for text in &texts {
        app.send(&line, &contact(1), text).await;
    }
    app.work().await;
    let reply = app.text("Thanks");
    app.sandbox.arm(Fault::new(On::Post, What::RefuseText).containing(&texts[6])).unwrap();
    app.reply(&contact(1), &line, &reply).await;
    app.work().await;
    let mut said = Said::default();
    texts.iter().enumerate().filter(|(n, _)| *n != 6).for_each(|(_, text)| said.then(&contact(1), text));
    said.then(&contact(1), &reply);
    assert_good(&app.sandbox, &said);
    let rows = app.timeline(&line, &contact(1)).await;
    let failed: Vec<_> = rows.iter().filter(|row| row.entry == Some(EntryState::Failed)).collect();
    assert_eq!(failed.iter().map(|row| row.written.body().unwrap()).collect::<Vec<_>>(), [texts[6].as_str()], "that one alone");
    assert!(failed[0].reason.as_deref().unwrap().contains("CMN-101"), "{:?}", failed[0].reason);
}

async fn a_refused_message_can_be_restored_and_goes_to_the_end(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let (bad, good) = (app.text("Bad"), app.text("Good"));
    app.sandbox.arm(Fault::new(On::Post, What::RefuseText).containing(&bad)).unwrap();
    app.reply(&contact(1), &line, &bad).await;
    app.reply(&contact(1), &line, &good).await;
    app.work().await;
    app.sandbox.disarm();
    let message = app.timeline(&line, &contact(1)).await.into_iter().find(|row| row.entry == Some(EntryState::Failed)).unwrap().id;
    sync::restore(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, message).await.unwrap();
    app.work().await;
    let mut said = Said::default();
    said.then(&contact(1), &good);
    said.then(&contact(1), &bad);
    assert_good(&app.sandbox, &said);
}

async fn a_deleted_chat_is_replaced_by_a_new_one(app: &TestApp) {
    a_chat_that_went_away(app, Method::DELETE, "").await;
}

async fn an_archived_chat_is_replaced_by_a_new_one(app: &TestApp) {
    a_chat_that_went_away(app, Method::POST, "/archive").await;
}

async fn a_chat_that_went_away(app: &TestApp, method: Method, action: &str) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    exchange(app, &line, &contact(1), 1, &mut said).await;
    app.work().await;
    let chat = chats_of(&app.sandbox.journal(0), &contact(1))[0];
    assert_eq!(app.as_agent(&line, method, &format!("/teams/{chat}{action}")).await.status(), 204);
    exchange(app, &line, &contact(1), 3, &mut said).await;
    app.work().await;
    assert_good(&app.sandbox, &said);
    let journal = app.sandbox.journal(0);
    let chats = chats_of(&journal, &contact(1));
    assert_eq!(chats.len(), 2, "one new chat");
    assert_eq!(standing_posts(&journal).iter().filter(|post| post.chat_id == Some(chats[1])).count(), 2, "history and reply stand in it");
}

async fn a_missing_permission_stalls_the_lane_and_fails_no_message(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    let refused = What::Status { status: 403, retry_after: None, code: Some("CMN-408".to_owned()) };
    app.sandbox.arm(Fault::new(On::Post, refused).times(4)).unwrap();
    exchange(app, &line, &contact(1), 3, &mut said).await;
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert_eq!(app.sandbox.chats().len(), 1);
}

async fn a_lost_answer_to_the_chats_creation_makes_no_second_chat(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    app.sandbox.arm(Fault::new(On::Team, What::LoseAnswer { hang: false })).unwrap();
    exchange(app, &line, &contact(1), 1, &mut said).await;
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert_eq!(calls(app, Kind::Team).len(), 1);
}

async fn a_chat_that_is_created_late_is_waited_for(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    app.sandbox.arm(Fault::new(On::Team, What::AcceptLate { after_ms: 19_000, hang: false })).unwrap();
    exchange(app, &line, &contact(1), 1, &mut said).await;
    app.work().await;
    app.pass(3_600);
    assert_good(&app.sandbox, &said);
    assert_eq!(app.sandbox.chats().len(), 1);
}

async fn errors_of_every_kind_delay_and_do_no_harm(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    let error = |status| What::Status { status, retry_after: None, code: None };
    for what in [error(500), error(502), error(503), error(429), What::LoseRequest { hang: false }, What::LoseAnswer { hang: false }] {
        for on in [On::Post, On::Team, On::List, On::Token] {
            app.sandbox.arm(Fault::new(on, what.clone())).unwrap();
        }
    }
    for n in 0..4 {
        exchange(app, &line, &contact(n), 2, &mut said).await;
    }
    for _ in 0..4 {
        app.work().await;
        app.sandbox.expire_tokens();
        for n in 0..4 {
            exchange(app, &line, &contact(n), 1, &mut said).await;
        }
    }
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert_eq!(app.sandbox.chats().len(), 4);
}

async fn an_expired_token_is_replaced_on_the_way(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    for _ in 0..3 {
        exchange(app, &line, &contact(1), 1, &mut said).await;
        app.work().await;
        app.sandbox.expire_tokens();
    }
    assert_good(&app.sandbox, &said);
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
}

async fn a_token_that_another_worker_left_spent_is_replaced_too(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let workers = [app.further_engine(EngineConfig::default()), app.further_engine(EngineConfig::default())];
    let mut said = Said::default();
    for worker in [&workers[0], &workers[0], &workers[1], &workers[0]] {
        exchange(app, &line, &contact(1), 1, &mut said).await;
        // The other one's token stays what it was: spent, and not the one that is kept for all.
        while worker.step().await.unwrap() > 0 {}
        assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync, "at once");
        app.sandbox.expire_tokens();
    }
    assert_good(&app.sandbox, &said);
}

async fn a_lane_whose_deliveries_fail_is_shown_as_stalled_and_recovers(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    app.sandbox.arm(Fault::new(On::Token, What::Status { status: 400, retry_after: None, code: None }).times(0)).unwrap();
    exchange(app, &line, &contact(1), 1, &mut said).await;
    for _ in 0..6 {
        app.engine.step().await.unwrap();
        app.pass(300);
    }
    let SyncState::Stalled { why, .. } = app.conversation(&line, &contact(1)).await.sync else { panic!("not stalled") };
    assert!(why.contains("sign-in was refused"), "{why}");
    app.sandbox.disarm();
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
}

async fn a_refused_sign_in_is_shown_as_stalled_at_once(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.sandbox.arm(Fault::new(On::Token, What::Status { status: 400, retry_after: None, code: None }).times(0)).unwrap();
    app.reply(&contact(1), &line, &app.text("Hello")).await;
    app.engine.step().await.unwrap();
    let SyncState::Stalled { why, .. } = app.conversation(&line, &contact(1)).await.sync else { panic!("not stalled") };
    assert!(why.contains("sign-in was refused"), "{why}");
}
