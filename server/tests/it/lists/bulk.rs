//! Bulk changes: each row by the rules that hold for it alone, at once or as a data utility.

use crate::harness::{TestApp, contact, on_both_engines};
use crate::house::{house, proof};
use crate::sights::role;
use reqwest::Method;
use std::collections::BTreeMap;
use switchyard::bulk::{self, Act};
use switchyard::directory::{accounts, lines, people, users};
use switchyard::staff::approvals::Alone;
use switchyard::staff::{self, Member};
use switchyard::types::{
    AccountId, BulkAct, BulkFilter, BulkRow, BulkWhich, Change, IntegrationType, LineId, OpenOrClosed, Outcome, Permission, Problem,
    RunDetail, RunId, RunState, Timestamp, Trouble, UtilityKind,
};
use switchyard::undo;
use switchyard::utilities::{self, Worker, WorkerConfig};

on_both_engines![
    many_lines_are_set_by_a_run_that_says_what_came_of_each,
    a_run_goes_no_further_when_who_asked_may_not_any_more,
    people_are_closed_all_or_none_as_they_were_looked_at,
    stalled_conversations_are_tried_again_and_others_are_left_out,
    what_is_held_in_many_conversations_is_skipped_all_or_none_as_it_was_looked_at,
    very_many_are_skipped_by_a_run_that_leaves_out_what_has_changed,
    very_many_stalled_are_retried_by_a_run,
    a_bulk_change_reaches_no_other_account,
    a_run_over_several_accounts_is_for_who_looks_after_all,
    a_run_over_several_accounts_is_told_of_while_it_goes_on,
    a_run_goes_in_batches_as_small_as_they_must_be,
    all_that_match_are_those_that_the_list_shows_open_or_closed,
    a_bulk_change_leads_back_to_the_list_as_it_was_left,
];

const ALONE: Alone = Alone { lines: 3, rows: 1_000_000, at_once: 20 };

/// An account with so many lines set to Inbox.
async fn account(app: &TestApp, area: u64, sends_blasts: bool, count: u64) -> (AccountId, Vec<LineId>) {
    let permit = app.staff.permit().unwrap();
    let id = accounts::add(&app.db, &app.now, &permit, &format!("Client {area}"), sends_blasts, true).await.unwrap();
    let mut own = Vec::new();
    for n in 0..count {
        let number = format!("+1{area}555{:04}", 100 + n);
        own.push(lines::add(&app.db, &app.now, &permit, id, &number, &format!("Desk {n}"), IntegrationType::Inbox).await.unwrap());
    }
    (id, own)
}

async fn plan(app: &TestApp, member: &Member, kind: UtilityKind, answers: &[(&str, String)]) -> Result<RunId, Problem> {
    let answers: BTreeMap<String, String> = answers.iter().map(|(name, answer)| ((*name).to_owned(), answer.clone())).collect();
    utilities::plan(&app.db, &app.now, member, kind, &answers, None, ALONE.rows).await
}

async fn seen(app: &TestApp, run: RunId) -> RunDetail {
    utilities::get(&app.db, &app.now, &app.staff, run).await.unwrap()
}

async fn work(app: &TestApp) {
    let worker = Worker::new(app.db.clone(), app.now.clone(), WorkerConfig::default());
    while worker.step().await.unwrap() {}
}

async fn set_to(app: &TestApp, to: IntegrationType) -> i64 {
    let (count,): (i64,) = app.db.one("select count(*) from line where integration_type = $1", [to]).await.unwrap();
    count
}

async fn entries(app: &TestApp, action: &str) -> i64 {
    let (count,): (i64,) = app.db.one("select count(*) from audit_entry where action = $1", [action.to_owned()]).await.unwrap();
    count
}

async fn many_lines_are_set_by_a_run_that_says_what_came_of_each(app: &TestApp) {
    let (_, own) = account(app, 201, true, 60).await;
    account(app, 202, false, 5).await;
    let act = Act::of(&app.staff, BulkAct::SetTypes, Some(IntegrationType::None)).unwrap();
    let filter = BulkFilter { integration_type: Some(IntegrationType::Inbox), ..BulkFilter::default() };
    let look = bulk::look(&app.db, &act, &BulkWhich::All(filter), ALONE.at_once).await.unwrap();
    assert!(look.is_large);

    let run = plan(app, &app.staff, UtilityKind::SetTypes, &[("to", "none".to_owned()), ("type", "inbox".to_owned())]).await.unwrap();
    let planned = seen(app, run).await.plan;
    let counts: Vec<(&str, i64)> = planned.counts.iter().map(|count| (count.name.as_str(), count.rows)).collect();
    assert_eq!(counts, [("Lines", 60), ("Left out", 5)]);
    assert!(planned.counts[1].fate.contains("does not have the product Blast"), "{:?}", planned.counts);
    assert!(planned.needs_approval, "many types at once need a second person, while there is one");
    assert_eq!(set_to(app, IntegrationType::None).await, 0, "a plan changes nothing");

    // Somebody edits one of them between plan and run.
    lines::edit(&app.db, &app.now, &app.staff.permit().unwrap(), own[7], 1, "Another label").await.unwrap();
    let wrong = utilities::start(&app.db, &app.now, &app.staff, proof(), run, "59", "").await;
    assert!(matches!(wrong, Err(Problem::Invalid { .. })), "{wrong:?}");
    utilities::start(&app.db, &app.now, &app.staff, proof(), run, "60", "").await.unwrap();
    work(app).await;
    let done = seen(app, run).await;
    assert_eq!((done.row.state, done.row.done, done.row.total), (RunState::Succeeded, 65, 65), "{:?}", done.error);
    assert_eq!(set_to(app, IntegrationType::None).await, 59);
    assert_eq!(entries(app, "line.integration_type").await, 59);
    let (mut result, mut piece) = (String::new(), 0);
    while let Some(part) = utilities::result(&app.db, &app.staff, run, piece).await.unwrap() {
        result.push_str(&part);
        piece += 1;
    }
    assert_eq!(result.lines().count(), 66, "the head and each row");
    assert_eq!(result.matches("\"changed\"").count(), 59);
    let edited = result.lines().find(|row| row.contains(&own[7].to_string())).unwrap();
    assert!(edited.contains("left out") && edited.contains("Somebody changed this line"), "{edited}");
    assert!(done.events.iter().any(|event| event.text.contains("Changed 59, left out 6.")), "{:?}", done.events);
}

async fn a_run_goes_no_further_when_who_asked_may_not_any_more(app: &TestApp) {
    account(app, 201, true, 30).await;
    let setter = role(app, "Setter", &[Permission::SetIntegrationType, Permission::SeeRuns], None).await;
    let sam = house(app).member("sam@example.com", setter).await;
    let run = plan(app, &sam, UtilityKind::SetTypes, &[("to", "none".to_owned())]).await.unwrap();
    utilities::start(&app.db, &app.now, &sam, proof(), run, "30", "").await.unwrap();
    staff::disable(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), sam.id()).await.unwrap();
    work(app).await;
    let failed = seen(app, run).await;
    assert_eq!(failed.row.state, RunState::Failed);
    assert!(failed.error.unwrap().text.contains("does not work here any more"));
    assert_eq!(set_to(app, IntegrationType::None).await, 0);
}

async fn people_are_closed_all_or_none_as_they_were_looked_at(app: &TestApp) {
    let (account, desks) = account(app, 201, true, 2).await;
    let mut own = Vec::new();
    for n in 0..5 {
        let name = format!("Person {n}");
        let email = format!("person{n}@example.com");
        own.push(people::add_user(&app.db, &app.now, &app.staff.permit().unwrap(), account, &name, &email).await.unwrap());
    }
    for (desk, person) in [(desks[0], own[1]), (desks[1], own[1]), (desks[0], own[2])] {
        people::set_access(&app.db, &app.now, &app.staff.permit().unwrap(), desk, person, true).await.unwrap();
    }
    users::close(&app.db, &app.now, &app.staff.permit().unwrap(), own[0], 1).await.unwrap();
    let act = Act::of(&app.staff, BulkAct::CloseUsers, None).unwrap();
    let all = BulkWhich::All(BulkFilter { account: Some(account), ..BulkFilter::default() });
    let look = bulk::look(&app.db, &act, &all, ALONE.at_once).await.unwrap();
    assert!(!look.is_large);
    let good: Vec<(String, i64)> = look.rows.iter().filter(|row| row.refused.is_none()).map(|row| (row.key.clone(), row.version)).collect();
    assert_eq!((look.rows.len(), good.len()), (5, 4));
    let lost: Vec<Option<i64>> = look.rows.iter().map(|row| row.lines).collect();
    assert_eq!(lost, [0, 2, 1, 0, 0].map(Some), "what each loses is said beforehand");
    let page = app.ask(&app.staff, Method::GET, &format!("/bulk?act=close_users&all=true&account={account}"), &[]).await;
    let page = page.text().await.unwrap();
    for said in ["Closed; loses access to 2 lines", "Closed; loses access to 1 line", "Closed; has access to no line"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let run = plan(app, &app.staff, UtilityKind::CloseUsers, &[("account", account.to_string())]).await.unwrap();
    let counts: Vec<(String, i64)> = seen(app, run).await.plan.counts.into_iter().map(|count| (count.name, count.rows)).collect();
    assert_eq!(counts, [("People", 4), ("Access to lines", 3), ("Left out", 1)].map(|(name, rows)| (name.to_owned(), rows)));

    let change = async |seen: &[(String, i64)]| bulk::change(&app.db, &app.now, &app.staff, &act, seen, ALONE, "").await;
    users::edit(&app.db, &app.now, &app.staff.permit().unwrap(), own[3], 1, "Renamed", "person3@example.com").await.unwrap();
    assert!(matches!(change(&good).await, Err(Problem::Conflict { text }) if text.contains("Renamed")));
    let closed = async || {
        let (count,): (i64,) = app.db.one("select count(*) from account_user where closed_at is not null", ()).await.unwrap();
        count
    };
    assert_eq!(closed().await, 1, "none is closed when one has changed");
    let look = bulk::look(&app.db, &act, &all, ALONE.at_once).await.unwrap();
    let good: Vec<_> = look.rows.into_iter().filter(|row| row.refused.is_none()).map(|row| (row.key, row.version)).collect();
    assert_eq!(change(&good).await, Ok(Outcome::Done));
    assert_eq!((closed().await, entries(app, "user.close").await), (5, 5));
    assert!(matches!(change(&[]).await, Err(Problem::Invalid { .. })));
}

/// All that waits to be posted is stalled.
async fn stall(app: &TestApp) {
    app.db
        .work(async |tx| {
            tx.run("update lane set trouble = 3, stalled_since = $1, due_at = $2 where queued > 0", (app.now.at(), Timestamp(i64::MAX)))
                .await
        })
        .await
        .unwrap();
}

async fn stalled_conversations_are_tried_again_and_others_are_left_out(app: &TestApp) {
    let line = app.line(IntegrationType::Ringcentral).await;
    for n in 1..=2 {
        app.reply(&contact(n), &line, &app.text("Hello")).await;
    }
    app.send(&line, &contact(3), &app.text("Held")).await;
    app.send_outbox().await;
    stall(app).await;
    let act = Act::of(&app.staff, BulkAct::RetryLanes, None).unwrap();
    let all = bulk::look(&app.db, &act, &BulkWhich::All(BulkFilter::default()), ALONE.at_once).await.unwrap();
    assert_eq!(all.rows.len(), 2, "those that are stalled");
    let held = app.conversation(&line, &contact(3)).await.id;
    let chosen = BulkWhich::Chosen(vec![all.rows[0].key.clone(), format!("{}:{held}", line.id)]);
    let look = bulk::look(&app.db, &act, &chosen, ALONE.at_once).await.unwrap();
    assert_eq!(look.rows.iter().filter(|row| row.refused.is_some()).count(), 1);
    let seen: Vec<_> = all.rows.iter().map(|row| (row.key.clone(), row.version)).collect();
    assert_eq!(bulk::change(&app.db, &app.now, &app.staff, &act, &seen, ALONE, "").await, Ok(Outcome::Done));
    let (due,): (i64,) = app.db.one("select count(*) from lane where due_at = $1", [app.now.at()]).await.unwrap();
    assert_eq!((due, entries(app, "conversation.retry").await), (2, 2));
}

async fn held(app: &TestApp) -> i64 {
    let (held,): (i64,) = app.db.one("select cast(coalesce(sum(held), 0) as bigint) from lane", ()).await.unwrap();
    held
}

async fn what_is_held_in_many_conversations_is_skipped_all_or_none_as_it_was_looked_at(app: &TestApp) {
    let line = app.line(IntegrationType::Ringcentral).await;
    let other = app.line(IntegrationType::Ringcentral).await;
    for n in [1, 1, 2, 3] {
        app.send(&line, &contact(n), &app.text("Wrong")).await;
    }
    app.send(&other, &contact(1), &app.text("Of another line")).await;
    app.send_outbox().await;
    let act = Act::of(&app.staff, BulkAct::SkipHeld, None).unwrap();
    let look = async |trouble| {
        let filter = BulkFilter { line: Some(line.id), trouble: Some(trouble), ..BulkFilter::default() };
        bulk::look(&app.db, &act, &BulkWhich::All(filter), ALONE.at_once).await.unwrap().rows
    };
    let change = async |rows: &[BulkRow]| {
        let seen: Vec<_> = rows.iter().map(|row| (row.key.clone(), row.version)).collect();
        bulk::change(&app.db, &app.now, &app.staff, &act, &seen, ALONE, "").await
    };
    assert!(look(Trouble::Stalled).await.is_empty(), "none is stalled");
    let rows = look(Trouble::Held).await;
    let mut messages: Vec<_> = rows.iter().map(|row| row.messages.unwrap()).collect();
    messages.sort_unstable();
    assert_eq!(messages, [1, 1, 2]);

    app.send(&line, &contact(2), &app.text("Your order is ready")).await;
    assert!(matches!(change(&rows).await, Err(Problem::Conflict { .. })));
    assert_eq!((held(app).await, entries(app, "conversation.skip_held").await), (6, 0), "none is skipped when one has changed");

    let rows = look(Trouble::Held).await;
    assert_eq!(change(&rows).await, Ok(Outcome::Done));
    assert_eq!((held(app).await, entries(app, "conversation.skip_held").await), (1, 3));
    let chosen = BulkWhich::Chosen(vec![rows[0].key.clone()]);
    let left = bulk::look(&app.db, &act, &chosen, ALONE.at_once).await.unwrap().rows.remove(0);
    assert!(left.refused.is_some(), "nothing waits there any more: {left:?}");

    app.pass(1);
    let offer = undo::offered(&app.db, &app.now, &app.staff, None).await.unwrap().expect("it is offered");
    assert_eq!(offer.what, "What was held in 3 conversations is skipped.");
    // What was never sent stays skipped, and keeps nothing else from coming back.
    app.db
        .work(async |tx| {
            tx.run("update message set state = 'failed', accepted_at = null where line_id = $1 and number = $2", (line.id, contact(3)))
                .await
        })
        .await
        .unwrap();
    undo::take(&app.db, &app.now, &app.staff, offer.id).await.unwrap();
    assert_eq!((held(app).await, entries(app, "conversation.restore_skipped").await), (5, 2));
}

async fn very_many_are_skipped_by_a_run_that_leaves_out_what_has_changed(app: &TestApp) {
    let line = app.line(IntegrationType::Ringcentral).await;
    let contacts: Vec<String> = (0..30).map(contact).collect();
    app.blast(&line, &contacts, &app.text("Wrong")).await;
    app.send_outbox().await;
    let act = Act::of(&app.staff, BulkAct::SkipHeld, None).unwrap();
    let look = bulk::look(&app.db, &act, &BulkWhich::All(BulkFilter::default()), ALONE.at_once).await.unwrap();
    assert!(look.is_large);
    let run = plan(app, &app.staff, UtilityKind::SkipHeld, &[("line", line.id.to_string()), ("trouble", "held".to_owned())]).await.unwrap();
    let planned = seen(app, run).await.plan;
    let counts: Vec<(&str, i64)> = planned.counts.iter().map(|count| (count.name.as_str(), count.rows)).collect();
    assert_eq!(counts, [("Conversations", 30), ("Messages", 30)]);
    assert_eq!(held(app).await, 30, "a plan changes nothing");

    app.send(&line, &contact(3), &app.text("Your order is ready")).await;
    utilities::start(&app.db, &app.now, &app.staff, proof(), run, "30", "").await.unwrap();
    work(app).await;
    let done = seen(app, run).await;
    assert_eq!(done.row.state, RunState::Succeeded, "{:?}", done.error);
    assert!(done.events.iter().any(|event| event.text.contains("Changed 29, left out 1.")), "{:?}", done.events);
    assert_eq!((held(app).await, entries(app, "conversation.skip_held").await), (2, 29));
}

async fn very_many_stalled_are_retried_by_a_run(app: &TestApp) {
    let (line, other) = (app.line(IntegrationType::Ringcentral).await, app.line(IntegrationType::Ringcentral).await);
    for (of, contacts) in [(&line, 0..30), (&other, 0..3)] {
        for n in contacts {
            app.reply(&contact(n), of, &app.text("Hello")).await;
        }
    }
    stall(app).await;
    let act = Act::of(&app.staff, BulkAct::RetryLanes, None).unwrap();
    let of_line = BulkFilter { line: Some(line.id), ..BulkFilter::default() };
    assert!(bulk::look(&app.db, &act, &BulkWhich::All(of_line), ALONE.at_once).await.unwrap().is_large);
    let run = plan(app, &app.staff, UtilityKind::RetryLanes, &[("line", line.id.to_string())]).await.unwrap();
    let planned = seen(app, run).await.plan;
    let counts: Vec<(&str, i64)> = planned.counts.iter().map(|count| (count.name.as_str(), count.rows)).collect();
    assert_eq!(counts, [("Conversations", 30)], "those of the other line are not in it");
    let due = async || {
        let (due,): (i64,) = app.db.one("select count(*) from lane where due_at = $1", [app.now.at()]).await.unwrap();
        due
    };
    assert_eq!((due().await, entries(app, "conversation.retry").await), (0, 0), "a plan changes nothing");

    // One is delivered after all.
    let delivered = app.conversation(&line, &contact(7)).await.id;
    app.db
        .work(async |tx| {
            tx.run(
                "update lane set queued = 0, trouble = 0, stalled_since = null where line_id = $1 and conversation_id = $2",
                (line.id, delivered),
            )
            .await
        })
        .await
        .unwrap();
    utilities::start(&app.db, &app.now, &app.staff, proof(), run, "30", "").await.unwrap();
    work(app).await;
    let done = seen(app, run).await;
    assert_eq!((done.row.state, done.row.done), (RunState::Succeeded, 30), "{:?}", done.error);
    assert!(done.events.iter().any(|event| event.text.contains("Changed 29, left out 1.")), "{:?}", done.events);
    assert_eq!((due().await, entries(app, "conversation.retry").await), (29, 29));
    let (mut result, mut piece) = (String::new(), 0);
    while let Some(part) = utilities::result(&app.db, &app.staff, run, piece).await.unwrap() {
        result.push_str(&part);
        piece += 1;
    }
    let rows: Vec<&str> = result.lines().skip(1).collect();
    assert_eq!(rows.len(), 30);
    let left_out: Vec<&&str> = rows.iter().filter(|row| row.contains("left out")).collect();
    assert!(
        matches!(&left_out[..], [row] if row.contains(&delivered.to_string()) && row.contains("Nothing waits to be delivered")),
        "{left_out:?}"
    );
    // As every other change of many takes them, so that two at once wait for each other and neither is refused.
    let keys: Vec<&str> = rows.iter().map(|row| row.split(',').next().unwrap()).collect();
    assert!(keys.is_sorted(), "lanes are locked in the order of their keys: {keys:?}");
}

async fn a_bulk_change_reaches_no_other_account(app: &TestApp) {
    let (mine, own) = account(app, 201, true, 3).await;
    let (_, others) = account(app, 202, true, 3).await;
    let member = house(app).member_of(mine).await;
    let act = Act::of(&member, BulkAct::SetTypes, Some(IntegrationType::None)).unwrap();
    let look = bulk::look(&app.db, &act, &BulkWhich::All(BulkFilter::default()), ALONE.at_once).await.unwrap();
    let found: Vec<&str> = look.rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(found, own.iter().map(ToString::to_string).collect::<Vec<_>>());
    let chosen = BulkWhich::Chosen(vec![own[0].to_string(), others[0].to_string()]);
    assert!(matches!(bulk::look(&app.db, &act, &chosen, ALONE.at_once).await, Err(Problem::NotFound { .. })));
    let seen = [(own[0].to_string(), 1), (others[0].to_string(), 1)];
    let done = bulk::change(&app.db, &app.now, &member, &act, &seen, ALONE, "").await;
    assert!(matches!(done, Err(Problem::Conflict { .. } | Problem::NotFound { .. })), "{done:?}");
    assert_eq!(set_to(app, IntegrationType::None).await, 0);
    let run = plan(app, &member, UtilityKind::SetTypes, &[("to", "none".to_owned())]).await.unwrap();
    utilities::start(&app.db, &app.now, &member, proof(), run, "3", "").await.unwrap();
    work(app).await;
    assert_eq!(seen_by(app, &member, run).await.row.state, RunState::Succeeded);
    assert_eq!(set_to(app, IntegrationType::None).await, 3);
}

async fn all_that_match_are_those_that_the_list_shows_open_or_closed(app: &TestApp) {
    let (account, own) = account(app, 201, true, 3).await;
    let person = people::add_user(&app.db, &app.now, &app.staff.permit().unwrap(), account, "Open", "open@example.com").await.unwrap();
    people::add_user(&app.db, &app.now, &app.staff.permit().unwrap(), account, "Shut", "shut@example.com").await.unwrap();
    app.db
        .work(async |tx| {
            tx.run("update line set closed_at = $2 where id = $1", (own[1], app.now.at())).await?;
            tx.run("update account_user set closed_at = $1 where name = 'Shut'", [app.now.at()]).await
        })
        .await
        .unwrap();
    let narrowed = |state| BulkWhich::All(BulkFilter { account: Some(account), state, ..BulkFilter::default() });
    let types = Act::of(&app.staff, BulkAct::SetTypes, Some(IntegrationType::None)).unwrap();
    let close = Act::of(&app.staff, BulkAct::CloseUsers, None).unwrap();
    let keys = async |act: &Act, state| {
        let look = bulk::look(&app.db, act, &narrowed(state), ALONE.at_once).await.unwrap();
        look.rows.into_iter().map(|row| row.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(&types, None).await.len(), 3);
    assert_eq!(keys(&types, Some(OpenOrClosed::Open)).await, [own[0].to_string(), own[2].to_string()]);
    assert_eq!(keys(&types, Some(OpenOrClosed::Closed)).await, [own[1].to_string()]);
    assert_eq!(keys(&close, None).await.len(), 2);
    assert_eq!(keys(&close, Some(OpenOrClosed::Open)).await, [person.to_string()]);
    // As a data utility: a word that is none is an error, not all of them.
    let run = async |state: &str| {
        let answers = [("to", "none".to_owned()), ("account", account.to_string()), ("state", state.to_owned())];
        plan(app, &app.staff, UtilityKind::SetTypes, &answers).await
    };
    assert!(matches!(run("shut").await, Err(Problem::Invalid { ref field, .. }) if field == "state"));
    let open = run("open").await.unwrap();
    assert_eq!(seen(app, open).await.plan.counts.iter().map(|count| count.rows).collect::<Vec<_>>(), [2], "nothing closed is looked at");
}

async fn seen_by(app: &TestApp, member: &Member, run: RunId) -> RunDetail {
    utilities::get(&app.db, &app.now, member, run).await.unwrap()
}

async fn a_run_over_several_accounts_is_told_of_while_it_goes_on(app: &TestApp) {
    account(app, 201, true, 2).await;
    account(app, 202, true, 2).await;
    let run = plan(app, &app.staff, UtilityKind::SetTypes, &[("to", "none".to_owned())]).await.unwrap();
    utilities::start(&app.db, &app.now, &app.staff, proof(), run, "4", "").await.unwrap();
    let mut bell = app.db.changes();
    work(app).await;
    let mut told = Vec::new();
    while let Ok(change) = bell.try_recv() {
        told.push(change);
    }
    assert!(told.contains(&Change::Run { account_id: None, run_id: run }), "{told:?}");
}

async fn a_run_goes_in_batches_as_small_as_they_must_be(app: &TestApp) {
    account(app, 201, true, 60).await;
    let run = plan(app, &app.staff, UtilityKind::SetTypes, &[("to", "none".to_owned())]).await.unwrap();
    utilities::start(&app.db, &app.now, &app.staff, proof(), run, "60", "").await.unwrap();
    let slow = Worker::new(app.db.clone(), app.now.clone(), WorkerConfig { most: 10, ..WorkerConfig::default() });
    let mut batches = 0;
    while slow.step().await.unwrap() {
        batches += 1;
    }
    assert_eq!(batches, 3 + 3 + 1, "pieces of 25 rows, ten at a time");
    let done = seen(app, run).await;
    assert_eq!((done.row.state, done.row.done), (RunState::Succeeded, 60), "{:?}", done.error);
    assert_eq!((set_to(app, IntegrationType::None).await, entries(app, "line.integration_type").await), (60, 60));
    let result = utilities::result(&app.db, &app.staff, run, 0).await.unwrap().unwrap();
    assert_eq!(result.lines().count(), 1 + 25, "what came of a piece stands together, behind the columns’ names");
}

async fn a_run_over_several_accounts_is_for_who_looks_after_all(app: &TestApp) {
    let (one, _) = account(app, 201, true, 2).await;
    let (two, _) = account(app, 202, true, 2).await;
    account(app, 203, true, 2).await;
    let both = role(app, "Both", &[Permission::SetIntegrationType, Permission::SeeRuns], Some(&[one, two])).await;
    let member = house(app).member("both@example.com", both).await;
    let refused = plan(app, &member, UtilityKind::SetTypes, &[("to", "none".to_owned())]).await;
    assert!(matches!(refused, Err(Problem::Invalid { ref field, .. }) if field == "account"), "{refused:?}");
    let run = plan(app, &member, UtilityKind::SetTypes, &[("to", "none".to_owned()), ("account", two.to_string())]).await.unwrap();
    assert_eq!(seen_by(app, &member, run).await.plan.rows, 2);
    let all = plan(app, &app.staff, UtilityKind::SetTypes, &[("to", "none".to_owned())]).await.unwrap();
    assert_eq!(seen(app, all).await.plan.rows, 6);
}

async fn a_bulk_change_leads_back_to_the_list_as_it_was_left(app: &TestApp) {
    let line = app.line(IntegrationType::Ringcentral).await;
    app.reply(&contact(1), &line, &app.text("Hello")).await;
    stall(app).await;
    let act = Act::of(&app.staff, BulkAct::RetryLanes, None).unwrap();
    let row = bulk::look(&app.db, &act, &BulkWhich::All(BulkFilter::default()), ALONE.at_once).await.unwrap().rows.remove(0);
    let page = async |path: &str| app.ask(&app.staff, Method::GET, path, &[]).await.text().await.unwrap().replace("&amp;", "&");
    let links = |page: &str, to: &str| page.matches(&format!("href=\"{to}\"")).count();

    // The list says where it is, without what was just done there.
    let (sync, lines) = ("/sync?state=stalled&sort=oldest", "/lines?type=ringcentral&sort=label");
    for list in [sync, lines] {
        assert!(page(&format!("{list}&done=bulk")).await.contains(&format!("name=\"back\" value=\"{list}\"")), "{list}");
    }
    let bulk = format!("/bulk?act=retry_lanes&row={}&account={}", row.key, row.account_id);
    let looked = page(&format!("{bulk}&back=%2Fsync%3Fstate%3Dstalled%26sort%3Doldest")).await;
    assert_eq!(links(&looked, sync), 2, "what stands above, and Cancel: {looked}");
    let types = format!("/lines/types?line={}&to=inbox", line.id);
    let looked = page(&format!("{types}&back=%2Flines%3Ftype%3Dringcentral%26sort%3Dlabel")).await;
    assert_eq!(links(&looked, lines), 2, "what stands above, and Choose others: {looked}");

    // Whoever has made up the address leads nobody away.
    let looked = page(&format!("{bulk}&back=https%3A%2F%2Fevil.example%2Fsync")).await;
    let narrowed = format!("/sync?account={}", row.account_id.to_string().replace('-', "%2D"));
    assert_eq!((links(&looked, "https://evil.example/sync"), links(&looked, &narrowed)), (0, 2), "{looked}");
    let done = async |back: &str| {
        let now = bulk::look(&app.db, &act, &BulkWhich::Chosen(vec![row.key.clone()]), ALONE.at_once).await.unwrap().rows.remove(0);
        let seen = format!("{}:{}", now.key, now.version);
        let form = [("act", "retry_lanes"), ("rows[]", seen.as_str()), ("back", back)];
        let answer = app.ask(&app.staff, Method::POST, "/fn/bulk/do", &form).await;
        assert_eq!(answer.status(), 200);
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    assert_eq!(done(sync).await, format!("{sync}&done=bulk"));
    stall(app).await;
    assert_eq!(done("//evil.example").await, "/sync?done=bulk");
}
