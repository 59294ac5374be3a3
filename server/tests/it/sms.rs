//! What becomes of an SMS whose answer is lost, refused, late or hanging, and who is told.

use crate::harness::{SECRET, TestApp, TestLine, contact, eventually, on_both_engines};
use crate::messages::{time_goes_on, with_responder};
use crate::verdict::{Said, assert_good, chats_of, received, standing_posts};
use server::sandbox::{AgentPost, Fault, Kind, On, What};
use switchyard::messaging::outbound;
use switchyard::ringcentral::subscription::Subscriptions;
use switchyard::sync::{self, Agents};
use switchyard::types::IntegrationType::{None as BlastOnly, Ringcentral};
use switchyard::types::{EntryState, MessageId, MessageState, Problem, SyncState, TimelineRow};
use tokio_util::sync::CancellationToken;

on_both_engines![
    an_sms_whose_answer_was_lost_is_sent_once,
    a_status_that_overtakes_the_lost_answer_settles_the_message,
    a_message_that_the_carrier_refuses_is_failed_and_never_released,
    what_the_carrier_had_taken_comes_back_although_its_contact_opted_out,
    nobody_is_told_that_they_are_subscribed_after_a_stop,
    an_automatic_reply_that_was_sent_after_all_is_queued_at_the_end_of_its_lane,
    a_call_that_hangs_holds_up_no_other_message,
    an_agent_is_told_once_of_each_reply_that_did_not_come_to_the_contact,
];

async fn an_sms_whose_answer_was_lost_is_sent_once(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    app.sandbox.set_deliver_statuses(false);
    app.sandbox.arm(Fault::new(On::Sms, What::LoseAnswer { hang: false }).times(2)).unwrap();
    app.sandbox.arm(Fault::new(On::Sms, What::Status { status: 503, retry_after: None, code: None })).unwrap();
    let text = app.text("Once");
    let message = app.send(&line, &contact(1), &text).await;
    app.work().await;
    let journal = app.sandbox.journal(0);
    assert_eq!(journal.iter().filter(|entry| entry.kind == Kind::Sms).count(), 4, "tried until it is known");
    assert_eq!(received(&journal, &contact(1)), [text]);
    assert_eq!(app.get(&line, message["url"].as_str().unwrap()).await["state"], "accepted");
}

async fn a_status_that_overtakes_the_lost_answer_settles_the_message(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let (first, second, reply) = (app.text("Once"), app.text("Not at all"), app.text("Hm?"));
    app.sandbox.arm(Fault::new(On::Sms, What::LoseAnswer { hang: false }).containing(&first)).unwrap();
    app.sandbox.arm(Fault::new(On::Sms, What::Undeliverable { error: "the phone is off".to_owned() }).containing(&second)).unwrap();
    let delivered = app.send(&line, &contact(1), &first).await;
    let failed = app.send(&line, &contact(1), &second).await;
    app.work().await;
    assert_eq!(app.get(&line, delivered["url"].as_str().unwrap()).await["state"], "delivered");
    assert_eq!(app.get(&line, failed["url"].as_str().unwrap()).await["error"], "the phone is off");
    assert_eq!(app.sandbox.journal(0).iter().filter(|entry| entry.kind == Kind::Sms).count(), 2, "nothing is sent again");
    app.reply(&contact(1), &line, &reply).await;
    app.work().await;
    let mut said = Said::default();
    for text in [&first, &second, &reply] {
        said.then(&contact(1), text);
    }
    assert_good(&app.sandbox, &said);
}

async fn a_message_that_the_carrier_refuses_is_failed_and_never_released(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.sandbox.arm(Fault::new(On::Sms, What::RefuseText).containing("forbidden")).unwrap();
    let (refused, good, reply) = (app.text("forbidden"), app.text("Hello"), app.text("Hi"));
    let message = app.send(&line, &contact(1), &refused).await;
    app.send(&line, &contact(1), &good).await;
    app.work().await;
    assert_eq!(app.get(&line, message["url"].as_str().unwrap()).await["state"], "failed");
    app.reply(&contact(1), &line, &reply).await;
    app.work().await;
    let mut said = Said::default();
    said.then(&contact(1), &good);
    said.then(&contact(1), &reply);
    assert_good(&app.sandbox, &said);
    let rows = app.timeline(&line, &contact(1)).await;
    let row = rows.iter().find(|row| row.written.body() == Some(refused.as_str())).unwrap();
    assert_eq!((row.entry, row.reason.as_deref()), (Some(EntryState::Skipped), Some("the message was not sent")));
    let restored = sync::restore(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, row.id).await;
    assert!(matches!(restored, Err(Problem::Conflict { .. })), "what was never sent is not held for ever: {restored:?}");
}

/// The message with this text, as staff see it.
async fn row(app: &TestApp, line: &TestLine, to: &str, text: &str) -> TimelineRow {
    app.timeline(line, to).await.into_iter().find(|row| row.written.body() == Some(text)).unwrap()
}

/// The carrier tells what became of a message, twice as carriers do.
async fn carrier_tells(app: &TestApp, line: &TestLine, message: MessageId, status: &str, error: Option<&str>) {
    let reference = format!("{}.{message}", line.id);
    let body = serde_json::json!({ "id": format!("told-{message}"), "reference": reference, "status": status, "error": error });
    for _ in 0..2 {
        assert_eq!(app.webhook("status", SECRET, &body).await.status(), 200);
    }
}

async fn what_the_carrier_had_taken_comes_back_although_its_contact_opted_out(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.sandbox.set_deliver_statuses(false);
    let cases = [(1, "delivered", None), (2, "failed", Some("the phone is off"))].map(|(n, status, error)| {
        let text = app.text("Your table is booked");
        (contact(n), text, status, error)
    });
    for (to, text, ..) in &cases {
        app.sandbox.arm(Fault::new(On::Sms, What::LoseAnswer { hang: false }).containing(text)).unwrap();
        app.send(&line, to, text).await;
    }
    app.send_outbox().await;
    for (to, ..) in &cases {
        app.reply(to, &line, "STOP").await;
    }
    app.work().await;
    for (to, text, status, error) in &cases {
        let given_up = row(app, &line, to, text).await;
        assert_eq!((given_up.state, given_up.entry), (MessageState::OptedOut, Some(EntryState::Skipped)));
        carrier_tells(app, &line, given_up.id, status, *error).await;
        let known = row(app, &line, to, text).await;
        assert_eq!((known.state.as_str(), known.error.as_deref()), (*status, *error));
        assert_eq!((known.entry, known.reason), (Some(EntryState::Held), None));
        assert_eq!(app.conversation(&line, to).await.sync, SyncState::Held { count: 1 });
        app.reply(to, &line, &app.text("And now?")).await;
    }
    app.work().await;
    let journal = app.sandbox.journal(0);
    let posts: Vec<&str> = standing_posts(&journal).into_iter().filter_map(|post| post.text.as_deref()).collect();
    for (to, text, status, _) in &cases {
        assert_eq!(received(&journal, to).iter().filter(|got| *got == text).count(), 1, "sent once");
        let shown: Vec<_> = posts.iter().filter(|post| post.contains(text.as_str())).collect();
        assert_eq!(shown.len(), 1, "{posts:?}");
        assert_eq!(shown[0].contains("**not delivered**"), *status == "failed");
    }
}

async fn nobody_is_told_that_they_are_subscribed_after_a_stop(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let not_now = What::Status { status: 503, retry_after: None, code: None };
    app.sandbox.arm(Fault::new(On::Sms, not_now).containing("subscribed again")).unwrap();
    app.reply(&contact(1), &line, "STOP").await;
    app.reply(&contact(1), &line, "START").await;
    app.send_outbox().await;
    // The confirmation of START waits for its next try.
    app.reply(&contact(1), &line, "STOP").await;
    app.reply(&contact(1), &line, "HELP").await;
    app.work().await;
    let got = received(&app.sandbox.journal(0), &contact(1));
    let told = |words: &str| got.iter().filter(|text| text.contains(words)).count();
    assert_eq!(told("subscribed again"), 0, "they are not: {got:?}");
    assert_eq!(told("You have been unsubscribed"), 2, "of each STOP: {got:?}");
    assert_eq!(told("on behalf of a business"), 1, "HELP is answered all the same: {got:?}");
}

async fn an_automatic_reply_that_was_sent_after_all_is_queued_at_the_end_of_its_lane(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.sandbox.set_deliver_statuses(false);
    let answer = "We are open from nine to five r0001.";
    with_responder(app, &line, "hours", answer).await;
    app.sandbox.arm(Fault::new(On::Sms, What::LoseAnswer { hang: false }).containing(answer)).unwrap();
    // Nothing is posted yet.
    app.reply(&contact(1), &line, "Hours").await;
    app.send_outbox().await;
    app.reply(&contact(1), &line, "STOP").await;
    app.pass(10);
    app.send_outbox().await;
    let given_up = row(app, &line, &contact(1), answer).await;
    assert_eq!((given_up.state, given_up.entry), (MessageState::OptedOut, Some(EntryState::Skipped)));
    carrier_tells(app, &line, given_up.id, "delivered", None).await;
    assert_eq!(row(app, &line, &contact(1), answer).await.entry, Some(EntryState::Queued));
    app.work().await;
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
    let journal = app.sandbox.journal(0);
    let whole: String = standing_posts(&journal).iter().filter_map(|post| post.text.as_deref()).collect();
    assert_eq!(whole.matches(answer).count(), 1, "{whole}");
    assert!(whole.find("Hours") < whole.find("STOP") && whole.find("STOP") < whole.find(answer), "{whole}");
}

async fn a_call_that_hangs_holds_up_no_other_message(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    app.sandbox.set_deliver_statuses(false);
    let slow = app.text("Slow");
    app.sandbox.arm(Fault::new(On::Sms, What::Slow { ms: 3_600_000 }).containing(&slow)).unwrap();
    let hangs = app.send(&line, &contact(1), &slow).await;
    for n in 2..7 {
        app.send(&line, &contact(n), &app.text("Prompt")).await;
    }
    let stop = CancellationToken::new();
    time_goes_on(app, &stop);
    let sending = tokio::spawn(outbound::run(app.db.clone(), app.now.clone(), app.carrier.clone(), 10, stop.clone()));
    eventually("the others are sent", async || {
        let journal = app.sandbox.journal(0);
        (2..7).all(|n| received(&journal, &contact(n)).len() == 1)
    })
    .await;
    let url = hangs["url"].as_str().unwrap();
    let read = app.get(&line, url).await;
    assert_eq!((&read["state"], &read["error"]), (&"queued".into(), &serde_json::Value::Null), "nobody has given its call up");
    stop.cancel();
    app.pass(3_600);
    sending.await.unwrap();
    assert_eq!(app.get(&line, url).await["state"], "accepted", "a stop waits for what is under way");
}

async fn an_agent_is_told_once_of_each_reply_that_did_not_come_to_the_contact(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let agents = Agents::new(app.db.clone(), app.now.clone(), app.client());
    Subscriptions::new(app.client(), &app.url).step().await.unwrap();
    app.reply(&contact(1), &line, &app.text("Hello")).await;
    app.work().await;
    let chat = chats_of(&app.sandbox.journal(0), &contact(1))[0].to_string();
    let settle = async || loop {
        if app.sandbox.deliver_due().await + agents.step().await.unwrap() + app.send_outbox().await == 0 {
            return;
        }
    };
    let writes = |text: &str| {
        let post = AgentPost { chat_id: chat.clone(), text: text.to_owned(), ..AgentPost::default() };
        app.sandbox.agent_post(post).unwrap();
    };
    let told = |words: &str| {
        let posts = app.sandbox.posts(&chat);
        posts.iter().filter(|post| post.text.contains("Your reply of 2026-11-21") && post.text.contains(words)).count()
    };
    settle().await;
    app.sandbox.arm(Fault::new(On::Sms, What::RefuseText).containing("forbidden")).unwrap();
    writes(&app.text("forbidden"));
    settle().await;
    assert_eq!((told(""), told("the carrier refused it")), (1, 1));

    let lost = app.text("Are you there?");
    app.sandbox.arm(Fault::new(On::Sms, What::Undeliverable { error: "the phone is off".to_owned() }).containing(&lost)).unwrap();
    writes(&lost);
    settle().await;
    carrier_tells(app, &line, row(app, &line, &contact(1), &lost).await.id, "failed", None).await;
    settle().await;
    assert_eq!((told(""), told("did not reach the contact")), (2, 1));

    // It waits to be sent, and then they opt out.
    writes(&app.text("But wait"));
    app.sandbox.deliver_due().await;
    agents.step().await.unwrap();
    app.reply(&contact(1), &line, "STOP").await;
    settle().await;
    assert_eq!((told(""), told("was not sent: the contact has opted out")), (3, 1));

    writes(&app.text("And still"));
    settle().await;
    assert_eq!(told(""), 3, "what is refused at once is said as before");
}
