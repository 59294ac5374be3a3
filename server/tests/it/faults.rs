//! What RingCentral does wrong: nothing is lost, nothing stands twice, nothing overtakes, and one bad message stops no other.

use crate::harness::{TestApp, TestLine, contact, on_both_engines};
use crate::verdict::{GOOD, Said, assert_good, chats_of, standing_posts, verdict};
use reqwest::Method;
use server::sandbox::{AgentPost, Entry, Fault, Kind, Limits, On, What};
use std::collections::BTreeSet;
use std::time::Duration;
use switchyard::ringcentral::{self, Outcome};
use switchyard::sync::{self, EngineConfig, Next};
use switchyard::types::IntegrationType::Ringcentral;
use switchyard::types::{AccountId, EntryState, MessageId, Problem, SyncState, Timestamp};

on_both_engines![
    a_lost_answer_doubles_nothing,
    a_lost_request_loses_nothing,
    a_post_that_is_accepted_late_is_waited_for,
    a_double_that_turns_up_long_after_is_deleted,
    a_double_of_what_was_put_off_after_an_unclear_call_is_deleted,
    doubles_are_looked_for_a_few_at_a_time_and_leave_half_of_the_minute,
    what_is_skipped_while_its_post_is_composed_is_not_posted,
    what_a_contact_wrote_says_when_if_we_post_it_late,
    after_a_429_nobody_calls_before_its_time,
    after_the_daily_limit_nobody_calls_for_an_hour,
    the_budget_keeps_every_connection_below_its_limits,
    a_look_through_several_pages_stays_within_the_budget,
    a_repeat_after_a_spent_token_waits_for_leave,
    the_days_budget_is_kept_and_the_rest_follows_the_day_after,
    at_the_limit_lanes_go_out_in_the_order_of_arrival_and_hold_up_no_other_account,
    one_refused_text_is_marked_failed_and_the_others_are_posted_in_order,
    a_refused_message_can_be_restored_and_goes_to_the_end,
    a_message_that_ringcentral_fails_on_is_found_among_others_and_can_be_skipped,
    while_every_post_fails_nothing_is_skipped_or_doubled_and_few_calls_are_made,
    a_skipped_message_that_turns_up_after_all_is_taken_away_again,
    whoever_works_a_lane_while_its_message_is_skipped_calls_nothing,
    a_deleted_chat_is_replaced_by_a_new_one,
    an_archived_chat_is_replaced_by_a_new_one,
    a_missing_permission_stalls_the_lane_and_fails_no_message,
    a_lost_answer_to_the_chats_creation_makes_no_second_chat,
    a_chat_that_is_created_late_is_waited_for,
    a_chat_whose_answer_was_lost_is_found_among_many_in_one_call,
    a_chat_is_looked_for_within_the_budget_and_no_page_is_read_twice,
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

async fn a_double_of_what_was_put_off_after_an_unclear_call_is_deleted(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    // Accepted beyond what is assumed; the second call certainly had no effect, and the third is another post.
    app.sandbox.arm(Fault::new(On::Post, What::AcceptLate { after_ms: 300_000, hang: false })).unwrap();
    app.sandbox.arm(Fault::new(On::Post, What::Status { status: 429, retry_after: Some(30), code: None })).unwrap();
    exchange(app, &line, &contact(1), 0, &mut said).await;
    app.work().await;
    assert_eq!(calls(app, Kind::Post).len(), 3);
    app.pass(300);
    assert_eq!(verdict(&app.sandbox, &said).doubled, 1);
    for _ in 0..2 {
        app.pass(600);
        app.work().await;
    }
    assert_good(&app.sandbox, &said);
    assert_eq!(calls(app, Kind::PostDelete).len(), 1);
}

async fn doubles_are_looked_for_a_few_at_a_time_and_leave_half_of_the_minute(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    // Each is called a second time, which is what has to be looked at later.
    app.sandbox.arm(Fault::new(On::Post, What::LoseRequest { hang: false }).times(6)).unwrap();
    for n in 0..6 {
        let text = app.text("Hello");
        app.reply(&contact(n), &line, &text).await;
        said.then(&contact(n), &text);
    }
    app.work().await;
    app.db.work(async |tx| tx.run("update connection set posts_per_minute = 8", ()).await).await.unwrap();
    app.pass(700);
    let before = calls(app, Kind::PostList).len();
    let looks = || calls(app, Kind::PostList).len() - before;
    for _ in 0..3 {
        app.engine.step().await.unwrap();
        assert_eq!(looks(), 4);
    }
    let text = app.text("Hello again");
    app.reply(&contact(1), &line, &text).await;
    said.then(&contact(1), &text);
    app.engine.step().await.unwrap();
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync, "at once");
    app.pass(61);
    app.engine.step().await.unwrap();
    assert_eq!(looks(), 6);
    assert_good(&app.sandbox, &said);
}

async fn what_is_skipped_while_its_post_is_composed_is_not_posted(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    exchange(app, &line, &contact(1), 0, &mut said).await;
    app.work().await;
    let (skipped, kept, reply) = (app.text("Never mind"), app.text("Your order is ready"), app.text("Thank you"));
    for text in [&skipped, &kept] {
        app.send(&line, &contact(1), text).await;
    }
    app.work().await;
    app.reply(&contact(1), &line, &reply).await;
    let claim = app.engine.claim(8).await.unwrap().remove(0);
    let Next::Post(post) = app.engine.prepare(claim).await.unwrap() else { panic!("it had something to post") };
    let row = async || app.timeline(&line, &contact(1)).await.into_iter().find(|row| row.written.body() == Some(skipped.as_str())).unwrap();
    sync::skip(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, row().await.id).await.unwrap();
    app.engine.carry_out(*post).await.unwrap();
    app.work().await;
    said.then(&contact(1), &kept);
    said.then(&contact(1), &reply);
    assert_good(&app.sandbox, &said);
    let journal = app.sandbox.journal(0);
    let stands = standing_posts(&journal).iter().any(|post| post.text.as_deref().is_some_and(|text| text.contains(&skipped)));
    assert!(!stands, "nobody posted it");
    assert_eq!(row().await.entry, Some(EntryState::Skipped));
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
}

async fn what_a_contact_wrote_says_when_if_we_post_it_late(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    exchange(app, &line, &contact(1), 0, &mut said).await;
    app.work().await;
    // One is called and its end is not known for an hour, another one waits behind it.
    app.sandbox.arm(Fault::new(On::Post, What::LoseRequest { hang: false })).unwrap();
    app.sandbox.arm(Fault::new(On::List, What::Status { status: 500, retry_after: None, code: None }).times(0)).unwrap();
    let mut written = Vec::new();
    for _ in 0..2 {
        let text = app.text("Anybody there?");
        app.reply(&contact(1), &line, &text).await;
        said.then(&contact(1), &text);
        written.push(app.now.at().minute());
        app.engine.step().await.unwrap();
        app.pass(60);
    }
    for _ in 0..6 {
        app.engine.step().await.unwrap();
        app.pass(600);
    }
    app.sandbox.disarm();
    app.work().await;
    assert_good(&app.sandbox, &said);
    let journal = app.sandbox.journal(0);
    let texts: Vec<&str> = standing_posts(&journal).iter().filter_map(|post| post.text.as_deref()).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(!texts[0].contains("arrived late"), "{texts:?}");
    for (text, at) in texts[1..].iter().zip(&written) {
        assert!(text.contains(&format!("*Sent {at} UTC, arrived late*")), "{texts:?}");
    }
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

async fn a_look_through_several_pages_stays_within_the_budget(app: &TestApp) {
    let line = app.line_with_limits(Ringcentral, Limits { posts_per_minute: Some(4), posts_per_day: None }).await;
    let mut said = Said::default();
    exchange(app, &line, &contact(1), 0, &mut said).await;
    app.work().await;
    app.pass(61);
    app.sandbox.arm(Fault::new(On::Post, What::LoseAnswer { hang: false })).unwrap();
    writes(app, &line, 1, "Hello", &mut said).await;
    app.engine.step().await.unwrap();
    // Its post stands there, behind two pages of what agents wrote by the time at which it is looked for; others want their share.
    let chat_id = chats_of(&app.sandbox.journal(0), &contact(1))[0].to_string();
    for n in 0..600 {
        let post = AgentPost { chat_id: chat_id.clone(), text: format!("Note {n}"), ..AgentPost::default() };
        app.sandbox.agent_post(post).unwrap();
    }
    writes(app, &line, 2, "Hello", &mut said).await;
    app.work().await;
    assert!(app.sandbox.journal(0).iter().all(|entry| entry.status != 429), "never once too many");
    for n in [1, 2] {
        assert_eq!(app.conversation(&line, &contact(n)).await.sync, SyncState::InSync);
    }
    assert_good(&app.sandbox, &said);
    assert_eq!(calls(app, Kind::Post).len(), 3, "it was found and not made again");
    let places: Vec<String> = calls(app, Kind::PostList).iter().filter_map(|entry| Some(entry.text.as_deref()?.to_owned())).collect();
    assert_eq!((places.len(), places.iter().collect::<BTreeSet<_>>().len()), (2, 2), "{places:?}");
}

async fn a_repeat_after_a_spent_token_waits_for_leave(app: &TestApp) {
    let line = app.line_with_limits(Ringcentral, Limits { posts_per_minute: Some(1), posts_per_day: None }).await;
    let mut said = Said::default();
    exchange(app, &line, &contact(1), 0, &mut said).await;
    app.work().await;
    app.pass(61);
    app.sandbox.expire_tokens();
    let before = calls(app, Kind::Post).len();
    writes(app, &line, 1, "Hello", &mut said).await;
    app.work().await;
    let tries: Vec<(u16, Timestamp)> = calls(app, Kind::Post)[before..].iter().map(|entry| (entry.status, entry.at)).collect();
    assert!(matches!(tries[..], [(401, first), (201, second)] if second.since(first) >= Duration::from_secs(60)), "{tries:?}");
    assert_good(&app.sandbox, &said);
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
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

async fn at_the_limit_lanes_go_out_in_the_order_of_arrival_and_hold_up_no_other_account(app: &TestApp) {
    let (line, other) = (app.line(Ringcentral).await, app.line(Ringcentral).await);
    let mut said = Said::default();
    for n in 0..60 {
        writes(app, &line, n, "Hello", &mut said).await;
    }
    writes(app, &other, 61, "Hello", &mut said).await;
    app.work().await;
    let limit = "update connection set posts_per_minute = 4 where account_id = (select account_id from line where id = $1)";
    app.db.work(async |tx| tx.run(limit, [line.id]).await).await.unwrap();
    app.pass(61);
    let claims = async || app.db.one::<(i64,)>("select cast(sum(fence) as bigint) from lane", ()).await.unwrap().0;
    let before = claims().await;
    let mark = app.sandbox.journal(0).len() as u64;
    // Not in the order in which the conversations began.
    let mut texts = Vec::new();
    for n in (0..60).rev() {
        texts.push(writes(app, &line, n, "In turn", &mut said).await);
    }
    writes(app, &other, 61, "Prompt", &mut said).await;
    assert_eq!(app.engine.step().await.unwrap(), 32);
    assert_eq!(app.engine.step().await.unwrap(), 1, "those behind are not even asked for");
    assert_eq!(app.conversation(&other, &contact(61)).await.sync, SyncState::InSync, "at once");
    app.work().await;
    assert_good(&app.sandbox, &said);
    let made = claims().await - before;
    assert!(made <= 160, "{made} claims for 61 posts");
    // What is called at the same moment is in no order.
    let which = |entry: &Entry| texts.iter().position(|text| entry.text.as_deref().is_some_and(|post| post.contains(text)));
    let journal = app.sandbox.journal(mark);
    let posts = journal.iter().filter(|entry| entry.kind == Kind::Post);
    let mut order: Vec<(Timestamp, usize)> = posts.filter_map(|entry| Some((entry.at, which(entry)?))).collect();
    order.sort_unstable();
    assert_eq!(order.into_iter().map(|(_, n)| n).collect::<Vec<_>>(), (0..60).collect::<Vec<_>>());
}

/// A contact writes; says what.
async fn writes(app: &TestApp, line: &TestLine, n: usize, words: &str, said: &mut Said) -> String {
    let text = app.text(words);
    app.reply(&contact(n), line, &text).await;
    said.then(&contact(n), &text);
    text
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

const FAILS: What = What::Status { status: 500, retry_after: None, code: None };

/// The message with this text.
async fn message(app: &TestApp, line: &TestLine, contact: &str, text: &str) -> MessageId {
    app.timeline(line, contact).await.into_iter().find(|row| row.written.body() == Some(text)).unwrap().id
}

/// Staff skip it.
async fn skip(app: &TestApp, line: &TestLine, contact: &str, text: &str) -> Result<(), Problem> {
    let message = message(app, line, contact, text).await;
    sync::skip(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, message).await
}

/// Delivers until staff can skip what is called again and again. Fails when that does not come.
async fn skip_when_it_rests(app: &TestApp, line: &TestLine, contact: &str, text: &str) {
    let began = app.now.at();
    for _ in 0..20 {
        app.engine.step().await.unwrap();
        match skip(app, line, contact, text).await {
            Ok(()) => return,
            Err(Problem::Conflict { text }) => assert!(text.contains("under way"), "{text}"),
            Err(other) => panic!("{other:?}"),
        }
        app.wait(began).await;
    }
    panic!("it cannot be skipped");
}

async fn a_message_that_ringcentral_fails_on_is_found_among_others_and_can_be_skipped(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let texts: Vec<String> = (0..6).map(|_| app.text("Reminder")).collect();
    for text in &texts {
        app.send(&line, &contact(1), text).await;
    }
    app.work().await;
    app.sandbox.arm(Fault::new(On::Post, FAILS).times(0).containing(&texts[4])).unwrap();
    let reply = app.text("Thanks");
    app.reply(&contact(1), &line, &reply).await;
    let mut said = Said::default();
    texts[..4].iter().for_each(|text| said.then(&contact(1), text));
    let is_alone = |post: &Entry| {
        let text = post.text.as_deref().unwrap_or_default();
        text.contains(&texts[4]) && !text.contains(&texts[5])
    };
    let began = app.now.at();
    for _ in 0..60 {
        app.engine.step().await.unwrap();
        if calls(app, Kind::Post).iter().any(is_alone) {
            break;
        }
        app.wait(began).await;
    }
    assert_good(&app.sandbox, &said);
    assert!(calls(app, Kind::Post).iter().any(is_alone), "it was not found");
    skip_when_it_rests(app, &line, &contact(1), &texts[4]).await;
    app.work().await;
    said.then(&contact(1), &texts[5]);
    said.then(&contact(1), &reply);
    assert_good(&app.sandbox, &said);
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
    let entries: Vec<_> = app.timeline(&line, &contact(1)).await.iter().filter_map(|row| row.entry).collect();
    assert_eq!(entries.iter().filter(|entry| **entry == EntryState::Posted).count(), 6, "{entries:?}");
    assert_eq!(entries.iter().filter(|entry| **entry == EntryState::Skipped).count(), 1, "{entries:?}");
}

async fn while_every_post_fails_nothing_is_skipped_or_doubled_and_few_calls_are_made(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    app.sandbox.arm(Fault::new(On::Post, FAILS).times(0)).unwrap();
    exchange(app, &line, &contact(1), 5, &mut said).await;
    let text = app.text("Hello");
    app.reply(&contact(2), &line, &text).await;
    said.then(&contact(2), &text);
    let began = app.now.at();
    while app.now.at().since(began) < Duration::from_secs(3_600) {
        app.engine.step().await.unwrap();
        app.wait(began).await;
    }
    for n in [1, 2] {
        let sync = app.conversation(&line, &contact(n)).await.sync;
        assert!(matches!(&sync, SyncState::Stalled { why, .. } if why.starts_with("no clear answer")), "{sync:?}");
        assert!(app.timeline(&line, &contact(n)).await.iter().all(|row| row.entry == Some(EntryState::Queued)));
    }
    let failed = calls(app, Kind::Post).len();
    assert!(failed < 60, "{failed} calls in an hour");
    app.sandbox.disarm();
    app.work().await;
    app.pass(3_600);
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert!(calls(app, Kind::PostDelete).is_empty(), "nothing stood twice");
}

async fn a_skipped_message_that_turns_up_after_all_is_taken_away_again(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    exchange(app, &line, &contact(1), 0, &mut said).await;
    app.work().await;
    // Beyond what is assumed: five minutes.
    app.sandbox.arm(Fault::new(On::Post, What::AcceptLate { after_ms: 300_000, hang: false })).unwrap();
    app.sandbox.arm(Fault::new(On::Post, What::LoseRequest { hang: false }).times(2)).unwrap();
    let text = app.text("Anybody there?");
    app.reply(&contact(1), &line, &text).await;
    app.engine.step().await.unwrap();
    let asked = skip(app, &line, &contact(1), &text).await;
    assert!(matches!(&asked, Err(Problem::Conflict { .. })), "nobody knows yet: {asked:?}");
    skip_when_it_rests(app, &line, &contact(1), &text).await;
    app.pass(300);
    let stands = || {
        let journal = app.sandbox.journal(0);
        standing_posts(&journal).iter().any(|post| post.text.as_deref().is_some_and(|stands| stands.contains(&text)))
    };
    assert!(stands(), "it was accepted after all");
    for _ in 0..2 {
        app.pass(600);
        app.work().await;
    }
    assert!(!stands());
    assert_eq!(calls(app, Kind::PostDelete).len(), 1);
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
    exchange(app, &line, &contact(1), 1, &mut said).await;
    app.work().await;
    assert_good(&app.sandbox, &said);
}

async fn whoever_works_a_lane_while_its_message_is_skipped_calls_nothing(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    exchange(app, &line, &contact(1), 0, &mut said).await;
    app.work().await;
    let (bad, good) = (app.text("Bad"), app.text("Good"));
    app.sandbox.arm(Fault::new(On::Post, FAILS).times(0).containing(&bad)).unwrap();
    app.reply(&contact(1), &line, &bad).await;
    app.reply(&contact(1), &line, &good).await;
    // Three calls, and the look-up that finds nothing.
    let began = app.now.at();
    for _ in 0..4 {
        app.engine.step().await.unwrap();
        app.wait(began).await;
    }
    let claim = app.engine.claim(8).await.unwrap().remove(0);
    skip(app, &line, &contact(1), &bad).await.unwrap();
    let before = calls(app, Kind::Post).len();
    if let Next::Post(post) = app.engine.prepare(claim).await.unwrap() {
        app.engine.carry_out(*post).await.unwrap();
    }
    assert_eq!(calls(app, Kind::Post).len(), before, "the lane was taken away");
    app.work().await;
    said.then(&contact(1), &good);
    assert_good(&app.sandbox, &said);
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
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

/// Teams of others that stand in the account's RingCentral already.
async fn teams(app: &TestApp, line: &TestLine, count: usize) {
    let (account,): (AccountId,) = app.db.one("select account_id from line where id = $1", [line.id]).await.unwrap();
    let connection = ringcentral::find(&app.db, None, account).await.unwrap().unwrap();
    let client = app.client();
    for n in 0..count {
        let made = client.create_team(&connection, &format!("Team {n}"), "Of others", &[], Duration::from_secs(15)).await;
        assert!(matches!(made, Outcome::Accepted(_)), "{made:?}");
    }
}

async fn a_chat_whose_answer_was_lost_is_found_among_many_in_one_call(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    teams(app, &line, 300).await;
    let mut said = Said::default();
    app.sandbox.arm(Fault::new(On::Team, What::LoseAnswer { hang: false })).unwrap();
    exchange(app, &line, &contact(1), 1, &mut said).await;
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert_eq!(chats_of(&app.sandbox.journal(0), &contact(1)).len(), 1);
    assert_eq!(calls(app, Kind::ChatList).len(), 1, "not page after page from the oldest on");
}

async fn a_chat_is_looked_for_within_the_budget_and_no_page_is_read_twice(app: &TestApp) {
    let limits = |posts_per_minute| Limits { posts_per_minute, posts_per_day: None };
    let line = app.line_with_limits(Ringcentral, limits(Some(4))).await;
    app.sandbox.set_limits(limits(None));
    teams(app, &line, 800).await;
    app.sandbox.set_limits(limits(Some(4)));
    let mut said = Said::default();
    // It was never made: that is certain when all four pages were looked through.
    app.sandbox.arm(Fault::new(On::Team, What::LoseRequest { hang: false })).unwrap();
    exchange(app, &line, &contact(1), 0, &mut said).await;
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert!(app.sandbox.journal(0).iter().all(|entry| entry.status != 429), "never once too many");
    let places: Vec<String> = calls(app, Kind::ChatList).iter().filter_map(|entry| Some(entry.text.as_deref()?.to_owned())).collect();
    assert_eq!((places.len(), places.iter().collect::<BTreeSet<_>>().len()), (3, 3), "{places:?}");
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
