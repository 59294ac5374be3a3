//! Skipping at once what waits in a conversation: what a wrong blast left behind is cleared, as it was seen, and comes back in its order.

use crate::harness::{TestApp, TestLine, contact, on_both_engines};
use crate::house::house;
use crate::verdict::{Said, assert_good, standing_posts};
use server::sandbox::{Fault, On, What};
use switchyard::staff::Member;
use switchyard::sync;
use switchyard::types::IntegrationType::{Inbox, Ringcentral};
use switchyard::types::{ConversationId, EntryState, MessageId, Problem, Skippable, SyncState};
use switchyard::undo;

on_both_engines![
    what_is_held_is_skipped_at_once_and_comes_back_in_order,
    what_the_contact_wrote_keeps_its_place_when_what_waits_is_skipped,
    what_a_call_is_under_way_for_is_left_alone,
    no_more_is_skipped_than_was_looked_at,
    what_was_restored_meanwhile_or_never_sent_does_not_come_back,
    nobody_elsewhere_skips_what_is_held,
];

async fn waiting(app: &TestApp, line: &TestLine) -> (ConversationId, Skippable) {
    let id = app.conversation(line, &contact(1)).await.id;
    (id, sync::waiting(&app.db, &app.staff.permit().unwrap(), line.id, id).await.unwrap())
}

/// Held, queued, under way, and what the contact wrote.
fn numbers(of: Skippable) -> [i64; 4] {
    [of.held, of.queued, of.under_way, of.inbound]
}

async fn skip(app: &TestApp, member: &Member, line: &TestLine, id: ConversationId, seen: i64) -> Result<(), Problem> {
    sync::skip_held(&app.db, &app.now, &member.permit().unwrap(), line.id, id, seen).await
}

/// What the undo bar says, and taking it back; a moment passes first, so that nothing hangs on one clock reading.
async fn take_back(app: &TestApp) -> Result<String, Problem> {
    app.pass(1);
    let offer = undo::offered(&app.db, &app.now, &app.staff, None).await.unwrap().expect("something is offered");
    undo::take(&app.db, &app.now, &app.staff, offer.id).await.map(|()| offer.what)
}

/// The messages with the contact, oldest first: what they say, and how far they are.
async fn rows(app: &TestApp, line: &TestLine) -> Vec<(MessageId, String, Option<EntryState>)> {
    let rows = app.timeline(line, &contact(1)).await;
    rows.into_iter().map(|row| (row.id, row.written.body().unwrap().to_owned(), row.entry)).collect()
}

async fn state_of(app: &TestApp, line: &TestLine, text: &str) -> Option<EntryState> {
    rows(app, line).await.into_iter().find(|(_, body, _)| body == text).unwrap().2
}

/// What the lane counts: held, queued, and its place in the Sync list.
async fn lane(app: &TestApp, line: &TestLine) -> (i64, i64, i64) {
    app.db.one("select held, queued, trouble from lane where line_id = $1", [line.id]).await.unwrap()
}

async fn entries(app: &TestApp, action: &str) -> i64 {
    let (count,): (i64,) = app.db.one("select count(*) from audit_entry where action = $1", [action.to_owned()]).await.unwrap();
    count
}

async fn what_is_held_is_skipped_at_once_and_comes_back_in_order(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let texts: Vec<String> = (0..3).map(|_| app.text("Wrong")).collect();
    for text in &texts {
        app.send(&line, &contact(1), text).await;
    }
    app.work().await;
    let (id, seen) = waiting(app, &line).await;
    assert_eq!(numbers(seen), [3, 0, 0, 0]);
    skip(app, &app.staff, &line, id, seen.version).await.unwrap();
    let states: Vec<_> = rows(app, &line).await.into_iter().map(|(.., state)| state).collect();
    assert_eq!(states, [Some(EntryState::Skipped); 3]);
    assert_eq!((lane(app, &line).await, entries(app, "conversation.skip_held").await), ((0, 0, 0), 1));
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
    let again = skip(app, &app.staff, &line, id, seen.version).await;
    assert!(matches!(again, Err(Problem::Conflict { .. })), "{again:?}");

    assert_eq!(take_back(app).await.as_deref(), Ok("3 messages skipped."));
    assert_eq!((lane(app, &line).await, entries(app, "conversation.restore_skipped").await), ((3, 0, 1), 1));
    let reply = app.text("Thanks");
    app.reply(&contact(1), &line, &reply).await;
    app.work().await;
    let mut said = Said::default();
    texts.iter().chain([&reply]).for_each(|text| said.then(&contact(1), text));
    assert_good(&app.sandbox, &said);
    assert_eq!(lane(app, &line).await, (0, 0, 0));
}

async fn what_the_contact_wrote_keeps_its_place_when_what_waits_is_skipped(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let (first, second, reply, third) = (app.text("Wrong"), app.text("Wrong"), app.text("Who is this?"), app.text("Wrong"));
    for text in [&first, &second] {
        app.send(&line, &contact(1), text).await;
    }
    app.work().await;
    app.reply(&contact(1), &line, &reply).await;
    app.send(&line, &contact(1), &third).await;
    let (id, seen) = waiting(app, &line).await;
    assert_eq!(numbers(seen), [1, 2, 0, 1]);
    skip(app, &app.staff, &line, id, seen.version).await.unwrap();
    assert_eq!((lane(app, &line).await, state_of(app, &line, &reply).await), ((0, 1, 2), Some(EntryState::Queued)));

    // Taken back, what had a place follows what the contact wrote, as when each is restored by itself; the third is held again.
    assert_eq!(take_back(app).await.as_deref(), Ok("3 messages skipped."));
    assert_eq!(lane(app, &line).await, (1, 3, 2));
    app.work().await;
    let mut said = Said::default();
    for text in [&reply, &first, &second] {
        said.then(&contact(1), text);
    }
    assert_good(&app.sandbox, &said);
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::Held { count: 1 });
}

async fn what_a_call_is_under_way_for_is_left_alone(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    let (hello, called, reply, behind) = (app.text("Hello"), app.text("Called"), app.text("Thanks"), app.text("Wrong"));
    app.reply(&contact(1), &line, &hello).await;
    app.work().await;
    app.send(&line, &contact(1), &called).await;
    app.work().await;
    // The call is lost, so that nobody knows yet whether it was posted.
    app.sandbox.arm(Fault::new(On::Post, What::LoseRequest { hang: false })).unwrap();
    app.reply(&contact(1), &line, &reply).await;
    app.engine.step().await.unwrap();
    app.send(&line, &contact(1), &behind).await;
    let (id, seen) = waiting(app, &line).await;
    assert_eq!(numbers(seen), [1, 0, 1, 1]);
    skip(app, &app.staff, &line, id, seen.version).await.unwrap();
    assert_eq!(state_of(app, &line, &called).await, Some(EntryState::Queued));
    assert_eq!(state_of(app, &line, &behind).await, Some(EntryState::Skipped));
    let offer = undo::offered(&app.db, &app.now, &app.staff, None).await.unwrap().unwrap();
    assert_eq!(offer.what, "1 message skipped. 1 was left alone: a call for it is not settled.");
    let (held, queued, _) = lane(app, &line).await;
    assert_eq!((held, queued), (0, 2));
    let refused = skip(app, &app.staff, &line, id, seen.version).await;
    assert!(matches!(&refused, Err(Problem::Conflict { text }) if text.contains("not settled")), "{refused:?}");

    app.work().await;
    for text in [&hello, &called, &reply] {
        said.then(&contact(1), text);
    }
    assert_good(&app.sandbox, &said);
    let journal = app.sandbox.journal(0);
    let stands = standing_posts(&journal).iter().any(|post| post.text.as_deref().is_some_and(|text| text.contains(&behind)));
    assert!(!stands, "nobody posted it");
    assert_eq!(lane(app, &line).await, (0, 0, 0));
}

async fn no_more_is_skipped_than_was_looked_at(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.send(&line, &contact(1), &app.text("Wrong")).await;
    app.work().await;
    let (id, seen) = waiting(app, &line).await;
    app.send(&line, &contact(1), &app.text("Your order is ready")).await;
    let refused = skip(app, &app.staff, &line, id, seen.version).await;
    assert!(matches!(&refused, Err(Problem::Conflict { text }) if text.contains("come or gone")), "{refused:?}");
    let (held, queued, _) = lane(app, &line).await;
    assert_eq!((held, queued, entries(app, "conversation.skip_held").await), (2, 0, 0));
    assert!(rows(app, &line).await.iter().all(|(.., state)| *state == Some(EntryState::Held)), "nothing of it is skipped");
    let (_, seen) = waiting(app, &line).await;
    skip(app, &app.staff, &line, id, seen.version).await.unwrap();
    assert_eq!(lane(app, &line).await, (0, 0, 0));

    // The contact replies while somebody looks: as many wait as before, and now agents need them.
    app.send(&line, &contact(1), &app.text("Wrong")).await;
    app.work().await;
    let (_, seen) = waiting(app, &line).await;
    app.reply(&contact(1), &line, &app.text("Who is this?")).await;
    let refused = skip(app, &app.staff, &line, id, seen.version).await;
    assert!(matches!(&refused, Err(Problem::Conflict { text }) if text.contains("come or gone")), "{refused:?}");
}

async fn what_was_restored_meanwhile_or_never_sent_does_not_come_back(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    for _ in 0..3 {
        app.send(&line, &contact(1), &app.text("Wrong")).await;
    }
    app.work().await;
    let (id, seen) = waiting(app, &line).await;
    skip(app, &app.staff, &line, id, seen.version).await.unwrap();
    let ids: Vec<MessageId> = rows(app, &line).await.into_iter().map(|(id, ..)| id).collect();
    sync::restore(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, ids[0]).await.unwrap();
    app.db
        .work(async |tx| {
            tx.run("update message set state = 'failed', accepted_at = null where line_id = $1 and id = $2", (line.id, ids[2])).await
        })
        .await
        .unwrap();
    take_back(app).await.unwrap();
    let states: Vec<_> = rows(app, &line).await.into_iter().map(|(.., state)| state).collect();
    assert_eq!(states, [Some(EntryState::Held), Some(EntryState::Held), Some(EntryState::Skipped)]);
    assert_eq!(lane(app, &line).await, (2, 0, 1));

    let (_, seen) = waiting(app, &line).await;
    skip(app, &app.staff, &line, id, seen.version).await.unwrap();
    for message in &ids[..2] {
        sync::restore(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, *message).await.unwrap();
    }
    let late = take_back(app).await;
    assert!(matches!(late, Err(Problem::Conflict { .. })), "{late:?}");
    assert_eq!(lane(app, &line).await, (2, 0, 1), "nothing is counted twice");
}

async fn nobody_elsewhere_skips_what_is_held(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.send(&line, &contact(1), &app.text("Wrong")).await;
    app.work().await;
    let (id, seen) = waiting(app, &line).await;
    let h = house(app);
    let stranger = h.member_of(h.account("Elsewhere").await).await;
    let hidden = sync::waiting(&app.db, &stranger.permit().unwrap(), line.id, id).await.unwrap();
    assert_eq!(hidden, Skippable::default());
    let refused = skip(app, &stranger, &line, id, seen.version).await;
    assert!(matches!(refused, Err(Problem::NotFound { .. })), "{refused:?}");
    // Nor is a conversation skipped by the name of another line.
    let other = app.line(Inbox).await;
    let refused = skip(app, &app.staff, &other, id, seen.version).await;
    assert!(matches!(refused, Err(Problem::Conflict { .. })), "{refused:?}");
    assert_eq!(lane(app, &line).await, (1, 0, 1));
}
