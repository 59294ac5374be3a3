//! What agents write in the RingCentral app: once to the contact, in order, never an echo; and the subscription that tells us of it.

use crate::harness::{TestApp, TestLine, contact, eventually, keys, on_both_engines};
use crate::verdict::{chats_of, received};
use reqwest::Method;
use server::sandbox::{AgentFile, AgentPost, Fault, Kind, Limits, On, What};
use std::time::Duration;
use switchyard::ringcentral::subscription::Subscriptions;
use switchyard::ringcentral::{self, Client, Outcome};
use switchyard::staff;
use switchyard::sync::{self, Agents};
use switchyard::types::IntegrationType::{Inbox, Ringcentral};
use switchyard::types::{AccountId, AgentOutcome, AuditFilter, MessageState, Origin, SyncState};
use tokio_util::sync::CancellationToken;

on_both_engines![
    an_agents_post_becomes_an_sms_once,
    our_own_posts_are_not_sent_as_sms,
    a_repeated_or_late_event_changes_nothing,
    agents_posts_are_sent_in_the_order_in_which_they_were_written,
    an_opted_out_contact_gets_nothing_and_the_agent_a_notice,
    a_line_that_left_ringcentral_sends_nothing_and_says_so,
    a_notice_outlives_a_sign_in_that_is_refused,
    a_notice_waits_for_leave_as_long_as_it_takes,
    a_notice_waits_while_its_connection_is_paused,
    a_notice_is_posted_once_although_another_worker_comes_by_during_a_slow_call,
    a_notice_that_cannot_be_brought_is_said_to_staff,
    a_file_is_named_and_a_mention_is_read_as_a_name,
    edits_and_deletions_are_recorded_and_not_sent,
    lost_events_are_caught_up_with,
    a_lost_event_before_one_that_came_is_found_within_the_hour,
    a_gap_in_which_more_chats_had_news_than_a_list_shows_is_caught_up_with,
    pages_of_lost_posts_are_read_within_the_budget_and_each_is_sent_once,
    a_chat_that_was_deleted_is_looked_at_once_and_let_be,
    a_chat_that_cannot_be_read_is_tried_less_and_less,
    looking_to_be_sure_leaves_half_of_the_minute_and_holds_up_nobodys_reply,
    a_call_that_hangs_holds_up_neither_another_accounts_agents_nor_a_stop,
    what_an_agent_wrote_before_we_knew_the_chat_is_sent,
    what_an_agent_wrote_while_the_chat_was_being_made_is_sent,
    a_blacklisted_or_expired_subscription_is_made_anew_and_only_one_lives,
    a_lost_answer_leaves_no_second_subscription,
    a_subscription_is_renewed_before_it_expires,
    a_forged_event_is_refused,
    a_burst_of_a_thousand_events_is_accepted_without_loss,
];

struct Desk<'a> {
    app: &'a TestApp,
    agents: Agents,
    subscriptions: Subscriptions,
    line: TestLine,
    chat: String,
}

impl<'a> Desk<'a> {
    /// A conversation that stands in RingCentral, with its connection subscribed.
    async fn open(app: &'a TestApp) -> Desk<'a> {
        let line = app.line(Ringcentral).await;
        let client = Client::new(app.http.clone(), app.db.clone(), app.now.clone(), keys());
        let agents = Agents::new(app.db.clone(), app.now.clone(), client.clone());
        let subscriptions = Subscriptions::new(client, &app.url);
        subscriptions.step().await.unwrap();
        assert_eq!(app.sandbox.subscriptions().len(), 1);
        app.reply(&contact(1), &line, &app.text("Hello")).await;
        app.work().await;
        let chat = chats_of(&app.sandbox.journal(0), &contact(1))[0].to_string();
        let desk = Desk { app, agents, subscriptions, line, chat };
        desk.settle().await;
        desk
    }

    fn writes(&self, text: &str) -> String {
        let post = AgentPost { chat_id: self.chat.clone(), text: text.to_owned(), ..AgentPost::default() };
        self.app.sandbox.agent_post(post).unwrap().id.to_string()
    }

    /// Delivers events, works them off, and sends what comes of it.
    async fn settle(&self) {
        loop {
            let done = self.app.sandbox.deliver_due().await + self.agents.step().await.unwrap() + self.app.send_outbox().await;
            if done == 0 {
                return;
            }
        }
    }

    fn phone(&self) -> Vec<String> {
        received(&self.app.sandbox.journal(0), &contact(1)).iter().map(ToString::to_string).collect()
    }

    /// The connection may make so many calls of the usual kind a minute.
    async fn may_call(&self, a_minute: i64) {
        let limit = "update connection set posts_per_minute = $1";
        self.app.db.work(async |tx| tx.run(limit, [a_minute]).await).await.unwrap();
    }

    /// How many calls of a kind RingCentral had.
    fn calls(&self, kind: Kind) -> usize {
        self.app.sandbox.journal(0).iter().filter(|entry| entry.kind == kind).count()
    }

    /// What we posted that is no message: notices.
    fn notices(&self) -> Vec<String> {
        let posts = self.app.sandbox.posts(&self.chat);
        posts.iter().map(|post| post.text.to_string()).filter(|text| text.contains("Nothing was sent")).collect()
    }
}

async fn an_agents_post_becomes_an_sms_once(app: &TestApp) {
    let desk = Desk::open(app).await;
    let text = app.text("Yes, at ten");
    let post = desk.writes(&text);
    desk.settle().await;
    assert_eq!(desk.phone(), [text.as_str()]);
    let row = app.timeline(&desk.line, &contact(1)).await.into_iter().find(|row| row.written.body() == Some(text.as_str())).unwrap();
    assert_eq!(row.origin, Some(Origin::Agent));
    assert_eq!(row.post_id, Some(post));
    assert!(matches!(row.state, MessageState::Accepted | MessageState::Delivered));
    app.work().await;
    desk.settle().await;
    assert_eq!(desk.phone(), [text], "it is not posted again, nor sent again");
}

async fn our_own_posts_are_not_sent_as_sms(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.send(&desk.line, &contact(1), &app.text("From the program")).await;
    app.work().await;
    let sent = desk.phone().len();
    app.reply(&contact(1), &desk.line, &app.text("Thanks")).await;
    app.work().await;
    desk.settle().await;
    assert_eq!(desk.phone().len(), sent, "history and reply came back as events and went nowhere");
    let rows = app.timeline(&desk.line, &contact(1)).await;
    assert!(rows.iter().all(|row| row.echoed_at.is_some()), "and are known to stand there");
}

async fn a_repeated_or_late_event_changes_nothing(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.sandbox.arm(Fault::new(On::Event, What::DoubleEvent).times(1)).unwrap();
    let (first, second) = (app.text("One"), app.text("Two"));
    desk.writes(&first);
    desk.writes(&second);
    desk.settle().await;
    assert_eq!(desk.phone(), [first, second]);
}

async fn agents_posts_are_sent_in_the_order_in_which_they_were_written(app: &TestApp) {
    let desk = Desk::open(app).await;
    let texts: Vec<String> = (0..20).map(|_| app.text("Line")).collect();
    for text in &texts {
        desk.writes(text);
    }
    desk.settle().await;
    assert_eq!(desk.phone(), texts);
}

async fn an_opted_out_contact_gets_nothing_and_the_agent_a_notice(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.reply(&contact(1), &desk.line, "STOP").await;
    app.work().await;
    let before = desk.phone();
    desk.writes(&app.text("But wait"));
    desk.settle().await;
    assert_eq!(desk.phone(), before);
    assert_eq!(desk.notices().len(), 1);
    assert!(desk.notices()[0].contains("opted out"));
    desk.settle().await;
    assert_eq!(desk.notices().len(), 1, "and one notice only, which is no agent's post either");
    let conversation = app.conversation(&desk.line, &contact(1)).await.id;
    let unsent = sync::unsent_posts(&app.db, &app.staff.permit().unwrap(), desk.line.id, conversation).await.unwrap();
    assert_eq!(unsent.iter().map(|post| post.outcome).collect::<Vec<_>>(), [AgentOutcome::OptedOut]);
}

async fn a_line_that_left_ringcentral_sends_nothing_and_says_so(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.set_type(&desk.line, Inbox).await;
    desk.writes(&app.text("Still there?"));
    desk.settle().await;
    assert!(desk.phone().is_empty());
    assert_eq!(desk.notices().len(), 1);
}

async fn a_notice_outlives_a_sign_in_that_is_refused(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.set_type(&desk.line, Inbox).await;
    app.sandbox.expire_tokens();
    app.sandbox.arm(Fault::new(On::Token, What::Status { status: 400, retry_after: None, code: None }).times(0)).unwrap();
    desk.writes(&app.text("Still there?"));
    desk.settle().await;
    assert!(desk.notices().is_empty());
    app.sandbox.disarm();
    app.pass(60);
    desk.settle().await;
    assert_eq!(desk.notices().len(), 1);
}

async fn a_notice_waits_for_leave_as_long_as_it_takes(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.reply(&contact(2), &desk.line, &app.text("Hello")).await;
    app.reply(&contact(1), &desk.line, "STOP").await;
    app.work().await;
    desk.settle().await;
    desk.may_call(1).await;
    // Each minute another contact's reply takes the one call.
    let spend = async || {
        app.pass(61);
        app.reply(&contact(2), &desk.line, &app.text("And then")).await;
        app.engine.step().await.unwrap();
    };
    spend().await;
    desk.writes(&app.text("But wait"));
    for _ in 0..12 {
        desk.settle().await;
        assert!(desk.notices().is_empty());
        spend().await;
    }
    app.pass(61);
    desk.settle().await;
    assert_eq!(desk.notices().len(), 1);
}

async fn a_notice_waits_while_its_connection_is_paused(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.set_type(&desk.line, Inbox).await;
    app.db.work(async |tx| tx.run("update connection set paused_at = created_at", ()).await).await.unwrap();
    desk.writes(&app.text("Still there?"));
    for _ in 0..12 {
        desk.settle().await;
        assert!(desk.notices().is_empty());
        app.pass(61);
    }
    app.db.work(async |tx| tx.run("update connection set paused_at = null", ()).await).await.unwrap();
    app.pass(61);
    desk.settle().await;
    assert_eq!(desk.notices().len(), 1);
}

async fn a_notice_is_posted_once_although_another_worker_comes_by_during_a_slow_call(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.set_type(&desk.line, Inbox).await;
    app.sandbox.arm(Fault::new(On::Post, What::Slow { ms: 50_000 })).unwrap();
    desk.writes(&app.text("Still there?"));
    desk.writes(&app.text("Hello?"));
    app.sandbox.deliver_due().await;
    let first = desk.agents.clone();
    let slow = tokio::spawn(async move { first.step().await });
    eventually("the first notice stands there", async || desk.notices().len() == 1).await;
    // Its answer is on its way, and the second one waits behind it.
    app.pass(41);
    let second = Agents::new(app.db.clone(), app.now.clone(), app.client());
    while second.step().await.unwrap() > 0 {}
    app.pass(10);
    slow.await.unwrap().unwrap();
    for _ in 0..3 {
        desk.settle().await;
        app.pass(130);
    }
    assert_eq!(desk.notices().len(), 2, "each once");
}

async fn a_notice_that_cannot_be_brought_is_said_to_staff(app: &TestApp) {
    let desk = Desk::open(app).await;
    let conversation = app.conversation(&desk.line, &contact(1)).await.id;
    let untold = async || sync::untold(&app.db, &app.staff.permit().unwrap(), desk.line.id, conversation).await.unwrap();
    app.set_type(&desk.line, Inbox).await;
    app.sandbox.arm(Fault::new(On::Post, What::RefuseText).containing("Nothing was sent")).unwrap();
    desk.writes(&app.text("Still there?"));
    desk.settle().await;
    let seen = untold().await;
    assert!(desk.notices().is_empty() && seen.len() == 1 && seen[0].words.contains("no longer connected"), "{seen:?}");
    app.sandbox.disarm();
    desk.writes(&app.text("Hello?"));
    desk.settle().await;
    assert_eq!((desk.notices().len(), untold().await.len()), (1, 1), "what was brought is not among them");
}

async fn a_file_is_named_and_a_mention_is_read_as_a_name(app: &TestApp) {
    let desk = Desk::open(app).await;
    let text = app.text("The price list");
    let files = vec![AgentFile { name: "prices.pdf".into(), uri: None }];
    app.sandbox.agent_post(AgentPost { chat_id: desk.chat.clone(), text: text.clone(), files, ..AgentPost::default() }).unwrap();
    desk.settle().await;
    assert_eq!(desk.phone(), [format!("{text}\n[file: prices.pdf]")]);
}

async fn edits_and_deletions_are_recorded_and_not_sent(app: &TestApp) {
    let desk = Desk::open(app).await;
    let text = app.text("At nine");
    let post = desk.writes(&text);
    desk.settle().await;
    app.sandbox.agent_edit(&desk.chat, &post, "At ten").unwrap();
    app.sandbox.agent_delete(&desk.chat, &post).unwrap();
    desk.settle().await;
    assert_eq!(desk.phone(), [text]);
    let row = app.timeline(&desk.line, &contact(1)).await.into_iter().find(|row| row.post_id == Some(post.clone())).unwrap();
    assert!(row.edited_at.is_some() && row.removed_at.is_some());
}

async fn a_lost_event_before_one_that_came_is_found_within_the_hour(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.sandbox.arm(Fault::new(On::Event, What::DropEvent).times(1)).unwrap();
    let (lost, came) = (app.text("Lost"), app.text("Came"));
    desk.writes(&lost);
    app.pass(1);
    desk.writes(&came);
    desk.settle().await;
    assert_eq!(desk.phone(), [came.as_str()], "nothing says that there was one before it");
    app.pass(61 * 60);
    desk.settle().await;
    assert_eq!(desk.phone(), [came.as_str(), lost.as_str()]);
    app.pass(61 * 60);
    desk.settle().await;
    assert_eq!(desk.phone().len(), 2, "once");
}

async fn a_gap_in_which_more_chats_had_news_than_a_list_shows_is_caught_up_with(app: &TestApp) {
    let desk = Desk::open(app).await;
    let lost = app.text("Lost");
    app.sandbox.arm(Fault::new(On::Event, What::DropEvent)).unwrap();
    app.pass(1);
    desk.writes(&lost);
    desk.settle().await;
    // Then something happens in so many others that a list of those with news shows these alone.
    app.pass(1);
    let (account,): (AccountId,) = app.db.one("select account_id from line where id = $1", [desk.line.id]).await.unwrap();
    let connection = ringcentral::find(&app.db, None, account).await.unwrap().unwrap();
    let client = app.client();
    for n in 0..ringcentral::MOST_RECENT {
        let made = client.create_team(&connection, &format!("Team {n}"), "Of others", &[], Duration::from_secs(15)).await;
        assert!(matches!(made, Outcome::Accepted(_)), "{made:?}");
    }
    let look = async || {
        app.pass(11 * 60);
        desk.subscriptions.step().await.unwrap();
        desk.settle().await;
        (desk.phone(), desk.calls(Kind::ChatList))
    };
    let (phone, lists) = look().await;
    assert_eq!(phone, [lost.as_str()]);
    let (phone, more) = look().await;
    assert_eq!(phone, [lost], "once");
    assert_eq!(more - lists, 1, "the list reaches back to the last look by then");
}

async fn pages_of_lost_posts_are_read_within_the_budget_and_each_is_sent_once(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.pass(1);
    app.sandbox.arm(Fault::new(On::Event, What::DropEvent).times(0)).unwrap();
    let mut texts: Vec<String> = (0..510).map(|_| app.text("Lost")).collect();
    for text in &texts {
        desk.writes(text);
    }
    desk.settle().await;
    app.sandbox.disarm();
    desk.may_call(4).await;
    app.sandbox.set_limits(Limits { posts_per_minute: Some(4), posts_per_day: None });
    app.pass(11 * 60);
    desk.subscriptions.step().await.unwrap();
    desk.settle().await;
    assert_eq!(desk.calls(Kind::PostList), 2, "half of the minute is the others'");
    assert!(desk.phone().is_empty(), "what is older comes first");
    // What is written meanwhile waits for it, and is not forgotten.
    app.pass(1);
    let late = app.text("Late");
    desk.writes(&late);
    texts.push(late);
    for _ in 0..2 {
        desk.settle().await;
        app.pass(61);
    }
    let mut phone = desk.phone();
    phone.sort_unstable();
    texts.sort_unstable();
    assert_eq!(phone, texts);
    assert!(app.sandbox.journal(0).iter().all(|entry| entry.status != 429), "never once too many");
}

async fn a_chat_that_was_deleted_is_looked_at_once_and_let_be(app: &TestApp) {
    let desk = Desk::open(app).await;
    let deleted = app.as_agent(&desk.line, Method::DELETE, &format!("/teams/{}", desk.chat)).await;
    assert_eq!(deleted.status(), 204);
    app.pass(61 * 60);
    desk.settle().await;
    assert_eq!(desk.calls(Kind::PostList), 1, "within the hour, as any chat with events");
    for _ in 0..30 {
        app.pass(60);
        desk.settle().await;
    }
    assert_eq!(desk.calls(Kind::PostList), 1);
}

async fn a_chat_that_cannot_be_read_is_tried_less_and_less(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.sandbox.arm(Fault::new(On::List, What::Status { status: 500, retry_after: None, code: None }).times(0)).unwrap();
    app.pass(61 * 60);
    for _ in 0..120 {
        desk.settle().await;
        app.pass(120);
    }
    let tries = desk.calls(Kind::PostList);
    assert!((6..=12).contains(&tries), "{tries} in four hours");
    app.sandbox.disarm();
    app.sandbox.arm(Fault::new(On::Event, What::DropEvent)).unwrap();
    let lost = app.text("Lost");
    desk.writes(&lost);
    desk.settle().await;
    app.pass(75 * 60);
    desk.settle().await;
    assert_eq!(desk.phone(), [lost], "it is read at last");
    let read = desk.calls(Kind::PostList);
    app.pass(2 * 60 * 60);
    desk.settle().await;
    assert_eq!(desk.calls(Kind::PostList), read, "and then there is no reason to");
}

async fn looking_to_be_sure_leaves_half_of_the_minute_and_holds_up_nobodys_reply(app: &TestApp) {
    let desk = Desk::open(app).await;
    for n in 2..6 {
        app.reply(&contact(n), &desk.line, &app.text("Hello")).await;
    }
    app.work().await;
    desk.settle().await;
    desk.may_call(4).await;
    app.pass(61 * 60);
    desk.settle().await;
    assert_eq!(desk.calls(Kind::PostList), 2);
    // Of the five chats three wait to be read: that holds up no agent's reply, and no contact's.
    let journal = app.sandbox.journal(0);
    for n in 1..6 {
        let (chat_id, text) = (chats_of(&journal, &contact(n))[0].to_string(), app.text("Yes"));
        app.sandbox.agent_post(AgentPost { chat_id, text: text.clone(), ..AgentPost::default() }).unwrap();
        desk.settle().await;
        assert_eq!(received(&app.sandbox.journal(0), &contact(n)), [text]);
    }
    app.reply(&contact(3), &desk.line, &app.text("Thank you")).await;
    app.engine.step().await.unwrap();
    assert_eq!(app.conversation(&desk.line, &contact(3)).await.sync, SyncState::InSync);
    for _ in 0..2 {
        app.pass(61);
        desk.settle().await;
    }
    assert_eq!(desk.calls(Kind::PostList), 5);
}

async fn a_call_that_hangs_holds_up_neither_another_accounts_agents_nor_a_stop(app: &TestApp) {
    let desk = Desk::open(app).await;
    let other = app.line(Ringcentral).await;
    desk.subscriptions.step().await.unwrap();
    assert_eq!(app.sandbox.subscriptions().len(), 2);
    // What there is to read of the desk is read; then somebody writes in chats of the other account alone.
    desk.settle().await;
    app.pass(61 * 60);
    desk.settle().await;
    for n in 2..6 {
        app.reply(&contact(n), &other, &app.text("Hello")).await;
    }
    app.work().await;
    desk.settle().await;
    app.pass(61 * 60);
    app.sandbox.arm(Fault::new(On::List, What::LoseRequest { hang: true }).times(0)).unwrap();
    let before = app.sandbox.journal(0).len() as u64;
    let stop = CancellationToken::new();
    let running = tokio::spawn(desk.agents.clone().run(stop.clone()));
    eventually("a chat is being read", async || app.sandbox.journal(before).iter().any(|entry| entry.kind == Kind::PostList)).await;
    let text = app.text("Yes, at ten");
    desk.writes(&text);
    app.sandbox.deliver_due().await;
    eventually("the agent's reply is sent", async || {
        app.send_outbox().await;
        desk.phone() == [text.as_str()]
    })
    .await;
    stop.cancel();
    assert!(tokio::time::timeout(Duration::from_secs(5), running).await.is_ok(), "a stop waits for no list");
}

async fn lost_events_are_caught_up_with(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.pass(1);
    let texts: Vec<String> = (0..3).map(|_| app.text("Lost")).collect();
    app.sandbox.arm(Fault::new(On::Event, What::DropEvent).times(0)).unwrap();
    for text in &texts {
        desk.writes(text);
    }
    desk.settle().await;
    assert!(desk.phone().is_empty(), "nobody was told");
    app.sandbox.disarm();
    app.pass(11 * 60);
    desk.subscriptions.step().await.unwrap();
    desk.settle().await;
    assert_eq!(desk.phone(), texts, "the look on schedule finds them, in order");
    app.pass(11 * 60);
    desk.subscriptions.step().await.unwrap();
    desk.settle().await;
    assert_eq!(desk.phone(), texts, "once");
}

async fn what_an_agent_wrote_before_we_knew_the_chat_is_sent(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.sandbox.arm(Fault::new(On::Team, What::LoseAnswer { hang: false })).unwrap();
    app.reply(&contact(2), &desk.line, &app.text("Hello")).await;
    app.engine.step().await.unwrap();
    let chat = chats_of(&app.sandbox.journal(0), &contact(2))[0].to_string();
    let (early, late) = (app.text("At once"), app.text("And then"));
    let post = |text: &str| AgentPost { chat_id: chat.clone(), text: text.to_owned(), ..AgentPost::default() };
    app.sandbox.agent_post(post(&early)).unwrap();
    desk.settle().await;
    app.work().await;
    // An event of what came later is first.
    app.pass(1);
    app.sandbox.agent_post(post(&late)).unwrap();
    desk.settle().await;
    assert_eq!(received(&app.sandbox.journal(0), &contact(2)), [early, late], "in the order in which they were written");
}

async fn what_an_agent_wrote_while_the_chat_was_being_made_is_sent(app: &TestApp) {
    let desk = Desk::open(app).await;
    app.sandbox.arm(Fault::new(On::Team, What::Slow { ms: 500 })).unwrap();
    app.reply(&contact(2), &desk.line, &app.text("Hello")).await;
    let engine = app.engine.clone();
    let delivery = tokio::spawn(async move { engine.step().await });
    let chats = async || chats_of(&app.sandbox.journal(0), &contact(2));
    while chats().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (chat, text) = (chats().await[0].to_string(), app.text("At once"));
    app.sandbox.agent_post(AgentPost { chat_id: chat, text: text.clone(), ..AgentPost::default() }).unwrap();
    // Its event is worked off before the answer is here that says whose the chat is.
    desk.settle().await;
    assert!(received(&app.sandbox.journal(0), &contact(2)).is_empty());
    app.pass(1);
    delivery.await.unwrap().unwrap();
    desk.settle().await;
    assert_eq!(received(&app.sandbox.journal(0), &contact(2)), [text]);
}

async fn a_blacklisted_or_expired_subscription_is_made_anew_and_only_one_lives(app: &TestApp) {
    let desk = Desk::open(app).await;
    let first = app.sandbox.subscriptions()[0].id.clone();
    app.sandbox.blacklist(&first, "it failed").unwrap();
    app.pass(11 * 60);
    desk.subscriptions.step().await.unwrap();
    let alive = app.sandbox.subscriptions();
    assert_eq!(alive.len(), 1);
    assert_ne!(alive[0].id, first);
    app.sandbox.expire_subscription(&alive[0].id.clone()).unwrap();
    app.pass(11 * 60);
    desk.subscriptions.step().await.unwrap();
    assert_eq!(app.sandbox.subscriptions().len(), 1);
    let text = app.text("Back");
    desk.writes(&text);
    desk.settle().await;
    assert_eq!(desk.phone(), [text]);
}

async fn a_lost_answer_leaves_no_second_subscription(app: &TestApp) {
    app.line(Ringcentral).await;
    let client = Client::new(app.http.clone(), app.db.clone(), app.now.clone(), keys());
    let subscriptions = Subscriptions::new(client, &app.url);
    app.sandbox.arm(Fault::new(On::Subscribe, What::LoseAnswer { hang: false })).unwrap();
    for _ in 0..3 {
        subscriptions.step().await.unwrap();
        app.pass(600);
    }
    assert_eq!(app.sandbox.subscriptions().len(), 1);
    let made = app.sandbox.journal(0).iter().filter(|entry| entry.kind == Kind::Subscribe && entry.accepted).count();
    assert_eq!(made, 1, "the one whose answer was lost is taken over");
}

async fn a_subscription_is_renewed_before_it_expires(app: &TestApp) {
    let desk = Desk::open(app).await;
    let first = app.sandbox.subscriptions()[0].clone();
    for _ in 0..20 {
        app.pass(12 * 60 * 60);
        desk.subscriptions.step().await.unwrap();
    }
    let now = app.sandbox.subscriptions();
    assert_eq!(now.len(), 1);
    assert_eq!(now[0].id, first.id, "the same one, renewed");
    assert!(now[0].expires_at.since(app.now.at()) > Duration::from_secs(24 * 60 * 60));
}

async fn a_forged_event_is_refused(app: &TestApp) {
    let desk = Desk::open(app).await;
    let address = app.sandbox.subscriptions()[0].address.to_string();
    let event = serde_json::json!({
        "uuid": "1", "event": "/team-messaging/v1/posts",
        "body": { "id": "99", "groupId": desk.chat, "type": "TextMessage", "text": "Forged", "eventType": "PostAdded" },
    });
    let send = async |address: &str, token: Option<&str>| {
        let mut request = app.http.post(address).json(&event);
        if let Some(token) = token {
            request = request.header("verification-token", token);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(send(&address, None).await, 401);
    assert_eq!(send(&address, Some("guessed")).await, 401);
    assert_eq!(send(&format!("{}/webhooks/ringcentral/guessed", app.url), Some("guessed")).await, 404);
    let refused = AuditFilter { action: Some("access.webhook".to_owned()), ..AuditFilter::default() };
    let refused = staff::search(&app.db, &app.staff.permit().unwrap(), &refused, None, 9).await.unwrap().rows;
    assert_eq!(refused.len(), 1, "it is in the audit, once in ten minutes: {refused:?}");
    desk.settle().await;
    assert!(desk.phone().is_empty());
}

async fn a_burst_of_a_thousand_events_is_accepted_without_loss(app: &TestApp) {
    let desk = Desk::open(app).await;
    let one = app.sandbox.subscriptions()[0].clone();
    let token = one.verification_token.unwrap().to_string();
    let sends = (0..1_000).map(|n| {
        let event = serde_json::json!({
            "uuid": format!("burst-{n}"), "event": "/team-messaging/v1/posts",
            "body": { "id": format!("9{n:05}"), "groupId": desk.chat, "type": "TextMessage", "text": format!("burst {n}"),
                      "creatorId": "700", "attachments": null, "mentions": null, "eventType": "PostAdded" },
        });
        let request = app.http.post(one.address.to_string()).header("verification-token", &token).json(&event);
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let answers = futures_util::future::join_all(sends).await;
    assert!(answers.iter().all(|status| *status == 200));
    desk.settle().await;
    let mut texts = desk.phone();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 1_000);
}
