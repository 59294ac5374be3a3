//! Messages of people: what was held and the reply, in order and once; consent; responders; pictures and groups.

use crate::harness::{TestApp, TestLine, contact, eventually, keys, on_both_engines};
use crate::verdict::{Said, assert_good, chats_of, received, ringcentral_calls, standing_posts};
use futures_util::future::join_all;
use server::application::Workers;
use server::sandbox::{Fault, HandsetText, On, What};
use std::time::Duration;
use switchyard::directory::people;
use switchyard::messaging::inbound::{self, Incoming};
use switchyard::sync::{EngineConfig, ReleaseWindow};
use switchyard::types::IntegrationType::{Inbox, None as BlastOnly, Ringcentral};
use switchyard::types::{MessageState, PhoneNumber, SyncState, Written};
use switchyard::utilities::WorkerConfig;
use tokio_util::sync::CancellationToken;

on_both_engines![
    a_reply_releases_what_was_held_in_order_and_each_once,
    replies_of_many_contacts_at_the_same_time_keep_each_lanes_sequence,
    a_conversation_goes_on_in_its_chat,
    a_message_that_the_carrier_has_not_taken_is_not_released,
    a_message_that_did_not_arrive_is_shown_as_not_delivered,
    a_late_inbound_webhook_goes_to_the_end_and_shows_its_time,
    a_repeated_inbound_webhook_is_recorded_once,
    a_none_line_makes_no_conversation_no_post_and_no_responder,
    an_inbox_line_makes_a_conversation_and_no_post,
    stop_on_a_none_line_opts_out_and_start_lifts_it,
    stop_on_a_ringcentral_line_is_posted_and_sets_consent,
    a_responders_reply_follows_directly_behind_its_message,
    pictures_and_the_others_of_a_group_text_are_named_in_the_post,
    a_customers_signs_are_not_interpreted,
    a_release_reaches_back_two_hundred_messages_and_says_what_it_leaves_out,
    a_release_reaches_back_as_far_as_is_set,
    history_travels_many_messages_to_a_post,
];

async fn a_reply_releases_what_was_held_in_order_and_each_once(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    for n in 0..4 {
        let text = app.text("Your order is ready");
        app.send(&line, &contact(1), &text).await;
        // The carrier takes some by themselves and some together.
        if n % 2 == 0 {
            app.send_outbox().await;
        }
        said.then(&contact(1), &text);
    }
    app.work().await;
    assert_eq!(ringcentral_calls(&app.sandbox.journal(0)), 0, "held: no call");
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::Held { count: 4 });

    let reply = app.text("I will come at ten");
    app.reply(&contact(1), &line, &reply).await;
    said.then(&contact(1), &reply);
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::Delivering { count: 5 });
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
}

/// The clock goes on as everybody's does, until told to stop.
pub fn time_goes_on(app: &TestApp, stop: &CancellationToken) {
    let (clock, stop, tick) = (app.now.clock.clone(), stop.clone(), Duration::from_millis(5));
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            tokio::time::sleep(tick).await;
            clock.advance(tick);
        }
    });
}

/// Everything that works in the background, as `serve` runs it.
fn background(app: &TestApp) -> tokio::task::JoinSet<()> {
    time_goes_on(app, &app.stop);
    let workers = Workers {
        carrier: Some(app.carrier.clone()),
        sms_per_second: 5_000,
        engine: EngineConfig::default(),
        http: app.http.clone(),
        keys: keys(),
        webhook_base: app.url.clone(),
        utilities: WorkerConfig::default(),
    };
    workers.start(&app.db, &app.now, &app.stop)
}

async fn replies_of_many_contacts_at_the_same_time_keep_each_lanes_sequence(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let _workers = background(app);
    let contacts: Vec<String> = (0..40).map(contact).collect();
    let mut said = Said::default();
    let blast = app.text("Sale");
    app.blast(&line, &contacts, &blast).await;
    eventually("the blast is sent", async || !app.something_waits().await).await;
    for contact in &contacts {
        said.then(contact, &blast);
        let text = app.text("And free coffee");
        app.send(&line, contact, &text).await;
        said.then(contact, &text);
    }
    eventually("the messages are sent", async || !app.something_waits().await).await;

    let talks: Vec<(&String, Vec<String>)> =
        contacts.iter().map(|contact| (contact, (0..4).map(|_| app.text("Reply")).collect())).collect();
    for (contact, texts) in &talks {
        texts.iter().for_each(|text| said.then(contact, text));
    }
    join_all(talks.iter().map(async |(contact, texts)| {
        for text in texts {
            app.reply(contact, &line, text).await;
        }
    }))
    .await;
    eventually("everything is posted", async || !app.something_waits().await).await;
    assert_good(&app.sandbox, &said);
    assert_eq!(app.sandbox.chats().len(), contacts.len(), "one chat for each");
}

async fn a_conversation_goes_on_in_its_chat(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    for _ in 0..3 {
        let (out, back) = (app.text("How was it?"), app.text("Fine"));
        app.send(&line, &contact(1), &out).await;
        app.work().await;
        app.reply(&contact(1), &line, &back).await;
        app.work().await;
        said.then(&contact(1), &out);
        said.then(&contact(1), &back);
        app.pass(3_600);
    }
    assert_good(&app.sandbox, &said);
    assert_eq!(app.sandbox.chats().len(), 1);
}

async fn a_message_that_the_carrier_has_not_taken_is_not_released(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let (waiting, first, second) = (app.text("Not sent yet"), app.text("Hello"), app.text("Hello again"));
    app.send(&line, &contact(1), &waiting).await;
    app.reply(&contact(1), &line, &first).await;
    while app.engine.step().await.unwrap() > 0 {}
    assert_eq!(standing_posts(&app.sandbox.journal(0)).len(), 1, "the reply alone");
    app.work().await;
    app.reply(&contact(1), &line, &second).await;
    app.work().await;
    let mut said = Said::default();
    for text in [&first, &waiting, &second] {
        said.then(&contact(1), text);
    }
    assert_good(&app.sandbox, &said);
}

async fn a_message_that_did_not_arrive_is_shown_as_not_delivered(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.sandbox.arm(Fault::new(On::Sms, What::Undeliverable { error: "the phone is off".to_owned() })).unwrap();
    let (out, back) = (app.text("Hello?"), app.text("Here I am"));
    let message = app.send(&line, &contact(1), &out).await;
    app.work().await;
    let read = app.get(&line, message["url"].as_str().unwrap()).await;
    assert_eq!((&read["state"], &read["error"]), (&"failed".into(), &"the phone is off".into()));
    app.reply(&contact(1), &line, &back).await;
    app.work().await;
    let mut said = Said::default();
    said.then(&contact(1), &out);
    said.then(&contact(1), &back);
    assert_good(&app.sandbox, &said);
    let post = standing_posts(&app.sandbox.journal(0))[0].text.clone().unwrap();
    assert!(post.contains("**not delivered**"), "{post}");
}

async fn a_late_inbound_webhook_goes_to_the_end_and_shows_its_time(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let (late, prompt) = (app.text("Sent first"), app.text("Sent second"));
    let delayed =
        HandsetText { from: contact(1), to: line.number.clone(), text: late.clone(), delay_ms: Some(3_600_000), ..HandsetText::default() };
    app.sandbox.send_from_handset(delayed).await.unwrap();
    app.reply(&contact(1), &line, &prompt).await;
    app.work().await;
    app.pass(3_700);
    app.work().await;
    let mut said = Said::default();
    said.then(&contact(1), &prompt);
    said.then(&contact(1), &late);
    assert_good(&app.sandbox, &said);
    let journal = app.sandbox.journal(0);
    let post = standing_posts(&journal)[1].text.clone().unwrap();
    assert!(post.contains("*Sent 2026-11-21 05:20 UTC, arrived late*"), "{post}");
}

async fn a_repeated_inbound_webhook_is_recorded_once(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let text = app.text("Only once");
    let id = app.reply(&contact(1), &line, &text).await;
    assert_eq!(app.sandbox.repeat_inbound(&id).await.unwrap().webhook_status, Some(200));
    app.work().await;
    let again = join_all((0..10).map(|_| app.sandbox.repeat_inbound(&id))).await;
    assert!(again.into_iter().all(|sent| sent.unwrap().webhook_status == Some(200)));
    app.work().await;
    let mut said = Said::default();
    said.then(&contact(1), &text);
    assert_good(&app.sandbox, &said);
    assert_eq!(app.timeline(&line, &contact(1)).await.len(), 1);
}

async fn a_none_line_makes_no_conversation_no_post_and_no_responder(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    with_responder(app, &line, "hours", "We are open from nine to five.").await;
    app.blast(&line, &[contact(1)], &app.text("Sale")).await;
    app.work().await;
    for text in ["hours", "HOURS", "When are you open?"] {
        app.reply(&contact(1), &line, text).await;
    }
    app.work().await;
    let journal = app.sandbox.journal(0);
    assert_eq!(ringcentral_calls(&journal), 0);
    assert_eq!(received(&journal, &contact(1)).len(), 1, "the blast, and no responder's reply");
    assert!(app.conversations(&line).await.is_empty());
    let (recorded,): (i64,) =
        app.db.one("select count(*) from message where direction = 'inbound' and conversation_id is null", ()).await.unwrap();
    assert_eq!(recorded, 3, "recorded all the same");
}

async fn an_inbox_line_makes_a_conversation_and_no_post(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(1), &line, &app.text("Hello")).await;
    app.work().await;
    assert_eq!(app.timeline(&line, &contact(1)).await.len(), 1);
    assert_eq!(ringcentral_calls(&app.sandbox.journal(0)), 0);
}

async fn stop_on_a_none_line_opts_out_and_start_lifts_it(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    let to = [contact(1), contact(2)];
    app.reply(&contact(1), &line, " Stop. ").await;
    app.work().await;
    let confirmed = received(&app.sandbox.journal(0), &contact(1));
    assert_eq!(confirmed.len(), 1, "the confirmation, sent although they have opted out");
    assert!(confirmed[0].contains("unsubscribed"), "{confirmed:?}");

    let first = app.text("Sale");
    let blast = app.blast(&line, &to, &first).await;
    app.work().await;
    let read = app.get(&line, blast["url"].as_str().unwrap()).await;
    assert_eq!((&read["recipients"], &read["recorded"], &read["opted_out"]), (&2.into(), &1.into(), &1.into()));
    assert_eq!(received(&app.sandbox.journal(0), &contact(1)).len(), 1, "left out");
    assert_eq!(received(&app.sandbox.journal(0), &contact(2)), [first]);
    let refused = app.post(&line, "messages", &serde_json::json!({ "line": line.id, "to": contact(1), "text": "Psst" })).await;
    assert_eq!(refused.status(), 409);

    app.reply(&contact(1), &line, "START").await;
    let second = app.text("Sale again");
    app.blast(&line, &to, &second).await;
    app.work().await;
    let got = received(&app.sandbox.journal(0), &contact(1));
    assert!(got[1].contains("subscribed again"), "{got:?}");
    assert_eq!(got[2], second);
    assert!(app.conversations(&line).await.is_empty(), "consent makes no conversation");
}

async fn stop_on_a_ringcentral_line_is_posted_and_sets_consent(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let text = app.text("Sale");
    app.send(&line, &contact(1), &text).await;
    // Queued, and then they opt out: consent is looked at when it is sent.
    app.reply(&contact(1), &line, "STOP").await;
    app.work().await;
    assert_eq!(received(&app.sandbox.journal(0), &contact(1)).len(), 1, "the confirmation alone");
    let posts = standing_posts(&app.sandbox.journal(0))
        .iter()
        .filter_map(|post| post.text.clone())
        .map(|text| text.to_string())
        .collect::<Vec<_>>();
    let whole = posts.join("\n");
    assert!(whole.contains("STOP") && whole.contains("unsubscribed") && !whole.contains(&text), "{whole}");
    let rows = app.timeline(&line, &contact(1)).await;
    assert!(rows.iter().any(|row| row.written.body() == Some(text.as_str()) && row.state == MessageState::OptedOut));
}

pub async fn with_responder(app: &TestApp, line: &TestLine, keyword: &str, reply: &str) {
    people::add_responder(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, keyword, reply).await.unwrap();
}

async fn a_responders_reply_follows_directly_behind_its_message(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    with_responder(app, &line, "hours", "We are open from nine to five r0001.").await;
    let held = app.text("Visit us");
    app.send(&line, &contact(1), &held).await;
    app.work().await;
    app.reply(&contact(1), &line, "Hours").await;
    let next = app.text("Thanks");
    app.reply(&contact(1), &line, &next).await;
    app.work().await;
    for text in [held.as_str(), "Hours", "We are open from nine to five r0001.", next.as_str()] {
        said.then(&contact(1), text);
    }
    assert_good(&app.sandbox, &said);
    assert_eq!(received(&app.sandbox.journal(0), &contact(1))[1], "We are open from nine to five r0001.");
    let rows = app.timeline(&line, &contact(1)).await;
    let place = |text: &str| rows.iter().find(|row| row.written.body() == Some(text)).unwrap().seq.unwrap();
    assert_eq!(place("We are open from nine to five r0001."), place("Hours") + 1);
}

async fn pictures_and_the_others_of_a_group_text_are_named_in_the_post(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let text = app.text("Look at this");
    let group = HandsetText {
        from: contact(1),
        to: line.number.clone(),
        text: text.clone(),
        others: vec![contact(2), contact(3)],
        media: vec!["cat.png".to_owned(), "dog.png".to_owned()],
        delay_ms: None,
    };
    assert_eq!(app.sandbox.send_from_handset(group).await.unwrap().webhook_status, Some(200));
    let engine = app.further_engine(EngineConfig { public_url: "http://console.test".to_owned(), ..EngineConfig::default() });
    app.work_with(&engine).await;
    let mut said = Said::default();
    said.then(&contact(1), &text);
    assert_good(&app.sandbox, &said);
    let post = standing_posts(&app.sandbox.journal(0))[0].text.clone().unwrap();
    assert!(post.contains("Group text, also to +1 202 555 0122, +1 202 555 0123"), "{post}");
    assert_eq!(app.conversations(&line).await.len(), 1, "the sender's conversation");
    let page = format!("/lines/{}/conversations/{}", line.id, app.conversation(&line, &contact(1)).await.id);
    for n in [1, 2] {
        let link = format!("[attachment {n} (image)](http://console.test{page})");
        assert_eq!(post.matches(&link).count(), 1, "{link} in {post}");
    }
    let answer = app.ask(&app.staff, reqwest::Method::GET, &page, &[]).await;
    assert_eq!(answer.status(), 200);
    let html = answer.text().await.unwrap();
    assert!(html.contains("Attachment 1 (image)") && html.contains("Attachment 2 (image)"), "the link leads to them: {html}");
    let row = &app.timeline(&line, &contact(1)).await[0];
    let Written::Whole { media, others, .. } = &row.written else { panic!("{row:?}") };
    assert_eq!((media.len(), others.len()), (2, 2));
}

async fn a_customers_signs_are_not_interpreted(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.reply(&contact(1), &line, "![:Team](1) **bold** [link](https://example.com)").await;
    app.work().await;
    let post = standing_posts(&app.sandbox.journal(0))[0].text.clone().unwrap();
    assert!(!post.contains("![:Team]") && !post.contains("**bold**") && !post.contains("[link]("), "{post}");
}

async fn a_release_reaches_back_two_hundred_messages_and_says_what_it_leaves_out(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let texts: Vec<String> = (0..203).map(|_| app.text("Reminder")).collect();
    for text in &texts {
        app.send(&line, &contact(1), text).await;
    }
    app.work().await;
    let reply = app.text("Stop it, please");
    app.reply(&contact(1), &line, &reply).await;
    app.work().await;
    let mut said = Said::default();
    texts[3..].iter().chain([&reply]).for_each(|text| said.then(&contact(1), text));
    assert_good(&app.sandbox, &said);
    let journal = app.sandbox.journal(0);
    let posts = standing_posts(&journal);
    assert!(posts[0].text.as_deref().unwrap().starts_with("*3 older messages are not shown here"));
    let notes = posts.iter().filter(|post| post.text.as_deref().unwrap().contains("older messages are not shown")).count();
    assert_eq!(notes, 1, "said once");
}

/// A contact writes, and the reply releases what lies within this window.
async fn replies_within(app: &TestApp, line: &TestLine, n: usize, window: ReleaseWindow, text: &str) {
    let number = |text: &str| PhoneNumber::parse(text).unwrap();
    let incoming = Incoming {
        carrier_id: text.to_owned(),
        from: number(&contact(n)),
        to: number(&line.number),
        others: Vec::new(),
        body: text.to_owned(),
        media: Vec::new(),
        sent_at: None,
    };
    inbound::receive_within(&app.db, &app.now, window, &[incoming]).await.unwrap();
    app.work().await;
}

async fn a_release_reaches_back_as_far_as_is_set(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let texts: Vec<String> = (0..4).map(|_| app.text("Reminder")).collect();
    let mut said = Said::default();
    for n in [1, 2] {
        for (sent, text) in texts.iter().enumerate() {
            // The last one of each is sent two days later.
            if sent == 3 {
                app.work().await;
                app.pass(2 * 24 * 60 * 60);
            }
            app.send(&line, &contact(n), &format!("{text} To {n}.")).await;
        }
        app.work().await;
    }
    let (few, short) = (app.text("Few"), app.text("Short"));
    replies_within(app, &line, 1, ReleaseWindow { most: 2, ..ReleaseWindow::default() }, &few).await;
    replies_within(app, &line, 2, ReleaseWindow { reach: Duration::from_secs(24 * 60 * 60), ..ReleaseWindow::default() }, &short).await;
    for text in &texts[2..] {
        said.then(&contact(1), &format!("{text} To 1."));
    }
    said.then(&contact(1), &few);
    said.then(&contact(2), &format!("{} To 2.", texts[3]));
    said.then(&contact(2), &short);
    assert_good(&app.sandbox, &said);
    let journal = app.sandbox.journal(0);
    let posts: String = standing_posts(&journal).into_iter().filter_map(|post| post.text.as_deref()).collect();
    assert!(posts.contains("*2 older messages are not shown here") && posts.contains("*3 older messages are not shown here"), "{posts}");
}

async fn history_travels_many_messages_to_a_post(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    for _ in 0..60 {
        let text = app.text(&"word ".repeat(60));
        app.send(&line, &contact(1), &text).await;
        said.then(&contact(1), &text);
    }
    app.work().await;
    let reply = app.text("Too much");
    app.reply(&contact(1), &line, &reply).await;
    said.then(&contact(1), &reply);
    app.work().await;
    assert_good(&app.sandbox, &said);
    let journal = app.sandbox.journal(0);
    let posts = standing_posts(&journal);
    assert!((3..=4).contains(&posts.len()), "{} posts for 61 messages", posts.len());
    assert!(posts.iter().all(|post| post.text.as_deref().unwrap().chars().count() <= 10_000));
    assert_eq!(chats_of(&journal, &contact(1)).len(), 1);
}
