//! The carrier: while it asks to wait or refuses our key nothing counts as a try and nothing fails; while it is down a message waits for a
//! day; all processes keep one pace; and what is said to a contact leaves in order.

use crate::harness::{TestApp, TestLine, contact, eventually, on_both_engines};
use crate::verdict::{chats_of, received};
use reqwest::Method;
use server::sandbox::{AgentPost, Fault, Kind, On, What};
use std::time::Duration;
use switchyard::home;
use switchyard::messaging::carrier::Carrier;
use switchyard::messaging::{outbound, reply};
use switchyard::ringcentral::subscription::Subscriptions;
use switchyard::sync::Agents;
use switchyard::types::IntegrationType::{Inbox, None as BlastOnly, Ringcentral};
use switchyard::types::{MessageState, SyncState};
use tokio_util::sync::CancellationToken;

on_both_engines![
    a_carrier_that_asks_to_wait_costs_no_message_and_is_left_alone,
    a_carrier_that_refuses_our_key_fails_nothing_and_home_says_so,
    a_carrier_that_is_down_is_waited_for_for_a_day,
    all_processes_keep_one_pace,
    what_is_said_to_a_contact_leaves_in_order,
];

fn calls(app: &TestApp) -> usize {
    app.sandbox.journal(0).iter().filter(|entry| entry.kind == Kind::Sms).count()
}

/// The carrier answers every SMS with this text so, until that is disarmed.
fn refuses(app: &TestApp, status: u16, retry_after: Option<u64>, text: &str) -> u64 {
    app.sandbox.arm(Fault::new(On::Sms, What::Status { status, retry_after, code: None }).times(0).containing(text)).unwrap()
}

async fn a_carrier_that_asks_to_wait_costs_no_message_and_is_left_alone(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    refuses(app, 429, Some(5), "");
    let (first, second) = (app.text("Your order is ready"), app.text("So is yours"));
    let message = app.send(&line, &contact(1), &first).await;
    assert_eq!(app.send_outbox().await, 1);
    // No other process calls either, whatever it has to send.
    app.send(&line, &contact(2), &second).await;
    app.pass(4);
    assert_eq!(outbound::step(&app.db, &app.now, &app.carrier.clone(), 10).await.unwrap(), 0);
    assert_eq!(calls(app), 1, "nobody calls before it said");
    for round in 0..20 {
        app.pass(5);
        assert_eq!(app.send_outbox().await, 2, "{round}");
    }
    let url = message["url"].as_str().unwrap();
    let read = app.get(&line, url).await;
    assert_eq!((&read["state"], &read["error"]), (&"queued".into(), &"the carrier asked us to wait (429)".into()));
    let (tries,): (i64,) = app.db.one("select max(attempts) from message where direction = 'outbound'", ()).await.unwrap();
    assert_eq!(tries, 0, "what was not looked at was no try");
    app.sandbox.disarm();
    app.work().await;
    assert_eq!(app.get(&line, url).await["state"], "delivered");
    for (n, text) in [(1, &first), (2, &second)] {
        assert_eq!(received(&app.sandbox.journal(0), &contact(n)), [text.as_str()]);
        assert_eq!(app.conversation(&line, &contact(n)).await.sync, SyncState::Held { count: 1 }, "it is not skipped");
    }
}

async fn a_carrier_that_refuses_our_key_fails_nothing_and_home_says_so(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let wrong = Carrier::new(app.http.clone(), &format!("{}/carrier", app.sandbox_url), "not-our-key".to_owned());
    let trouble = async || home::needs(&app.db, &app.now, &app.staff).await.unwrap().carrier;
    let text = app.text("Your order is ready");
    let message = app.send(&line, &contact(1), &text).await;
    assert_eq!(outbound::step(&app.db, &app.now, &wrong, 10).await.unwrap(), 1);
    let since = app.now.at();
    assert_eq!(trouble().await, None, "it may be over in a moment");
    let mut tries = 1;
    for _ in 0..100 {
        app.pass(60);
        tries += outbound::step(&app.db, &app.now, &wrong, 10).await.unwrap();
    }
    assert!((12..30).contains(&tries), "{tries}: it is asked again less and less often, and not less than every five minutes");
    let read = app.get(&line, message["url"].as_str().unwrap()).await;
    assert_eq!((&read["state"], &read["error"]), (&"queued".into(), &"the carrier does not know our key (401)".into()));
    let found = trouble().await.unwrap();
    assert_eq!((found.since, found.why.as_str()), (since, "the carrier does not know our key (401)"));
    let page = app.ask(&app.staff, Method::GET, "/", &[]).await.text().await.unwrap();
    assert!(page.contains("The carrier takes no messages") && page.contains("does not know our key (401)"), "{page}");

    app.pass(300);
    app.work().await;
    assert_eq!(received(&app.sandbox.journal(0), &contact(1)), [text]);
    assert_eq!(trouble().await, None);
}

async fn a_carrier_that_is_down_is_waited_for_for_a_day(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let agents = Agents::new(app.db.clone(), app.now.clone(), app.client());
    Subscriptions::new(app.client(), &app.url).step().await.unwrap();
    app.reply(&contact(1), &line, &app.text("Is it booked?")).await;
    app.work().await;
    let chat = chats_of(&app.sandbox.journal(0), &contact(1))[0].to_string();
    let listen = async || {
        while app.sandbox.deliver_due().await + agents.step().await.unwrap() > 0 {}
    };
    listen().await;

    let (answer, offer) = (app.text("It is"), app.text("A table for two"));
    refuses(app, 503, None, &answer);
    let down = refuses(app, 503, None, &offer);
    app.sandbox.agent_post(AgentPost { chat_id: chat.clone(), text: answer.clone(), ..AgentPost::default() }).unwrap();
    listen().await;
    app.send(&line, &contact(2), &offer).await;
    let began = app.now.at();
    let hours_pass = async |hours: u64| {
        while app.now.at().since(began) < Duration::from_secs(hours * 60 * 60) {
            app.send_outbox().await;
            app.pass(360);
        }
    };
    let answered = async || {
        let rows = app.timeline(&line, &contact(1)).await;
        rows.into_iter().find(|row| row.written.body() == Some(answer.as_str())).unwrap()
    };
    hours_pass(23).await;
    assert_eq!(answered().await.state, MessageState::Queued);
    assert!(received(&app.sandbox.journal(0), &contact(2)).is_empty());
    app.sandbox.disarm_one(down);
    hours_pass(24).await;
    assert_eq!(received(&app.sandbox.journal(0), &contact(2)), [offer], "it waited for the carrier");
    hours_pass(26).await;
    let row = answered().await;
    assert!(row.state == MessageState::Failed && row.error.as_deref().is_some_and(|error| error.contains("503")), "{row:?}");
    listen().await;
    let told = app.sandbox.posts(&chat).iter().filter(|post| post.text.contains("for a day the carrier gave no clear answer")).count();
    assert_eq!(told, 1, "its agent is told");
}

async fn all_processes_keep_one_pace(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    app.sandbox.set_deliver_statuses(false);
    for n in 1..=10 {
        app.send(&line, &contact(n), &app.text("Hello")).await;
    }
    let stop = CancellationToken::new();
    let run = || tokio::spawn(outbound::run(app.db.clone(), app.now.clone(), app.carrier.clone(), 10, stop.clone()));
    let processes = [run(), run()];
    for sent in 1..=4 {
        eventually("the next one is sent", async || calls(app) == sent).await;
        // Their clock stands still, whatever that of the machine says.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(calls(app), sent, "ten a second of all together");
        app.now.clock.advance(Duration::from_millis(100));
    }
    stop.cancel();
    for process in processes {
        process.await.unwrap();
    }
}

/// Staff write to the contact as the line.
async fn writes(app: &TestApp, line: &TestLine, to: &str, text: &str) {
    let id = app.conversation(line, to).await.id;
    reply::as_line(&app.db, &app.now, &app.staff.permit().unwrap(), (line.id, id), app.now.id(), text).await.unwrap();
}

async fn what_is_said_to_a_contact_leaves_in_order(app: &TestApp) {
    for kind in [Inbox, BlastOnly] {
        let line = app.line(kind).await;
        app.sandbox.set_deliver_statuses(false);
        let [late, behind, elsewhere] = ["First", "Second", "To somebody else"].map(|words| app.text(words));
        app.sandbox.arm(Fault::new(On::Sms, What::Status { status: 503, retry_after: None, code: None }).containing(&late)).unwrap();
        let (to, other) = if kind == Inbox { (contact(1), contact(2)) } else { (contact(3), contact(4)) };
        app.send(&line, &to, &late).await;
        app.send(&line, &to, &behind).await;
        app.send(&line, &other, &elsewhere).await;
        let mut said = vec![late, behind];
        if kind == Inbox {
            // In one moment, which has no order of its own.
            for n in 0..5 {
                let text = app.text(&format!("Staff {n}"));
                writes(app, &line, &to, &text).await;
                said.push(text);
            }
        }
        app.send_outbox().await;
        assert!(received(&app.sandbox.journal(0), &to).is_empty(), "nothing overtakes what is tried again");
        assert_eq!(received(&app.sandbox.journal(0), &other), [elsewhere], "and it is in nobody else's way");
        app.work().await;
        assert_eq!(received(&app.sandbox.journal(0), &to), said);
        // What has failed is in nobody's way.
        let [refused, last] = ["Refused", "And last"].map(|words| app.text(words));
        let id = app.sandbox.arm(Fault::new(On::Sms, What::RefuseText).containing(&refused)).unwrap();
        app.send(&line, &to, &refused).await;
        app.send(&line, &to, &last).await;
        app.work().await;
        said.push(last);
        assert_eq!(received(&app.sandbox.journal(0), &to), said);
        app.sandbox.disarm_one(id);
    }
}
