//! Taking back: what was just done is as it was, once, by who did it, and never over what somebody else did meanwhile.

use crate::harness::{TestApp, TestLine, contact, on_both_engines};
use crate::house::{house, proof};
use crate::verdict::{Said, assert_good, standing_posts};
use serde_json::json;
use std::time::Duration;
use switchyard::bulk::{self, Act};
use switchyard::directory::{accounts, contacts, integration, lines, people, users};
use switchyard::messaging::blast::{self, Edit};
use switchyard::ringcentral;
use switchyard::staff::approvals::Alone;
use switchyard::staff::{self, Member, Proof, may};
use switchyard::types::IntegrationType::{Inbox, None as BlastOnly, Ringcentral};
use switchyard::types::{AccountId, BlastId, BulkAct, Outcome, PhoneNumber, Problem, SyncState, UndoId, UserId};
use switchyard::undo;

on_both_engines![
    an_edit_of_each_kind_is_taken_back_by_the_values_before_it,
    who_was_closed_has_their_access_again,
    a_closed_account_and_its_blast_go_on,
    a_changed_blast_is_as_it_was_until_it_begins,
    a_closed_line_has_its_type_and_what_it_held_again,
    a_type_is_set_back_and_only_what_that_change_skipped_is_held_again,
    a_type_is_not_set_back_after_messages_came_or_went,
    many_are_taken_back_together_or_not_at_all,
    it_is_offered_for_ten_seconds_to_who_did_it_and_taken_back_once,
    what_somebody_else_did_meanwhile_stays,
    a_role_that_was_taken_away_meanwhile_takes_nothing_back,
];

async fn offered(app: &TestApp) -> Option<(UndoId, String)> {
    undo::offered(&app.db, &app.now, &app.staff, None).await.unwrap().map(|offer| (offer.id, offer.what))
}

/// Takes back what is offered; a moment passes first, so that nothing hangs on one clock reading.
async fn take_back(app: &TestApp) -> Result<(), Problem> {
    app.pass(1);
    let (id, _) = offered(app).await.expect("something is offered");
    undo::take(&app.db, &app.now, &app.staff, id).await
}

async fn account_of(app: &TestApp, line: &TestLine) -> AccountId {
    lines::get(&app.db, &app.staff.permit().unwrap(), line.id).await.unwrap().line.account_id
}

#[track_caller]
fn is_late<T: std::fmt::Debug>(answer: Result<T, Problem>) {
    assert!(matches!(answer, Err(Problem::Conflict { .. })), "it was not refused as too late: {answer:?}");
}

async fn an_edit_of_each_kind_is_taken_back_by_the_values_before_it(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (db, now) = (&app.db, &app.now);
    let (see, manage) = (app.staff.permit::<may::SeeDirectory>().unwrap(), app.staff.permit::<may::ManageDirectory>().unwrap());

    accounts::edit(db, now, &manage, account, 1, "Renamed", (false, true)).await.unwrap();
    take_back(app).await.unwrap();
    let row = accounts::get(db, &see, account).await.unwrap();
    assert_eq!((row.name.as_str(), row.sends_blasts, row.has_conversations), ("Account 0", true, true));

    let user = users::add(db, now, &manage, account, "Grace", "grace@example.com").await.unwrap();
    users::edit(db, now, &manage, user, 1, "Grace Hopper", "hopper@example.com").await.unwrap();
    take_back(app).await.unwrap();
    let row = users::get(db, &see, user).await.unwrap().row;
    assert_eq!((row.name.as_str(), row.email.as_str()), ("Grace", "grace@example.com"));

    let number = PhoneNumber::parse(&contact(1)).unwrap();
    contacts::name_contact(db, now, &manage, account, &number, "Alan").await.unwrap();
    let id = contacts::list(db, &see, account, None, 5).await.unwrap().rows[0].id;
    contacts::edit(db, now, &manage, id, 1, "Alan Turing", "Prefers the morning").await.unwrap();
    take_back(app).await.unwrap();
    let found = contacts::get(db, &see, id).await.unwrap();
    assert_eq!((found.row.name.as_deref(), found.note.as_deref()), (Some("Alan"), Some("")));
    contacts::set_closed(db, now, &manage, id, found.version, true).await.unwrap();
    take_back(app).await.unwrap();
    let found = contacts::get(db, &see, id).await.unwrap();
    assert_eq!(found.row.closed_at, None);

    let version = lines::get(db, &see, line.id).await.unwrap().version;
    lines::edit(db, now, &manage, line.id, version, "Back office").await.unwrap();
    take_back(app).await.unwrap();
    assert_eq!(lines::get(db, &see, line.id).await.unwrap().line.label, "Front desk");

    let responder = people::add_responder(db, now, &manage, line.id, "hours", "9 to 5").await.unwrap();
    people::edit_responder(db, now, &manage, (line.id, responder), ("hours", "9 to 5"), "open", "Always").await.unwrap();
    take_back(app).await.unwrap();
    people::remove_responder(db, now, &manage, (line.id, responder), ("hours", "9 to 5")).await.unwrap();
    take_back(app).await.unwrap();
    let rows = lines::get(db, &see, line.id).await.unwrap().responders;
    let said: Vec<_> = rows.iter().map(|row| (row.id, row.keyword.as_str(), row.reply.as_str())).collect();
    assert_eq!(said, [(responder, "hours", "9 to 5")]);

    people::set_access(db, now, &manage, line.id, user, true).await.unwrap();
    app.pass(1);
    people::set_access(db, now, &manage, line.id, user, false).await.unwrap();
    take_back(app).await.unwrap();
    assert_eq!(access(app, user).await, [true]);
    people::set_access(db, now, &manage, line.id, user, false).await.unwrap();
    let (removed, _) = offered(app).await.unwrap();
    app.pass(1);
    people::set_access(db, now, &manage, line.id, user, true).await.unwrap();
    is_late(undo::take(db, now, &app.staff, removed).await);
    take_back(app).await.unwrap();

    app.pass(1);
    let limits = async || {
        let row = ringcentral::of_account(db, now, &see, account).await.unwrap().expect("the account is connected");
        (row.id, row.version, (row.posts_per_minute, row.posts_per_day))
    };
    let (id, version, before) = limits().await;
    ringcentral::edit_limits(db, now, &manage, (id, version), (Some(7), Some(700))).await.unwrap();
    assert_eq!(offered(app).await.unwrap().1, "The limits were changed.");
    take_back(app).await.unwrap();
    assert_eq!(limits().await, (id, version + 2, before));
    ringcentral::edit_limits(db, now, &manage, (id, version + 2), (None, Some(9))).await.unwrap();
    let (mine, _) = offered(app).await.unwrap();
    app.pass(1);
    ringcentral::edit_limits(db, now, &manage, (id, version + 3), (Some(8), None)).await.unwrap();
    is_late(undo::take(db, now, &app.staff, mine).await);
    take_back(app).await.unwrap();
    assert_eq!(limits().await.2, (None, Some(9)));

    let (left,): (i64,) = db.one("select count(*) from undo_step", ()).await.unwrap();
    assert_eq!(left, 0, "what was taken back is forgotten: it may hold a contact's name");
}

async fn access(app: &TestApp, user: UserId) -> Vec<bool> {
    users::get(&app.db, &app.staff.permit().unwrap(), user).await.unwrap().lines.into_iter().map(|(_, has)| has).collect()
}

async fn who_was_closed_has_their_access_again(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    let user = users::add(db, now, &manage, account, "Grace", "grace@example.com").await.unwrap();
    lines::add(db, now, &manage, account, "+12025550119", "Other desk", Inbox).await.unwrap();
    people::set_access(db, now, &manage, line.id, user, true).await.unwrap();
    let before = access(app, user).await;
    app.pass(1);
    users::close(db, now, &manage, user, 1).await.unwrap();
    assert_eq!(access(app, user).await, [false, false]);
    take_back(app).await.unwrap();
    assert_eq!(access(app, user).await, before, "to the one line, and not to the other");
    assert_eq!(before.iter().filter(|has| **has).count(), 1);
}

async fn a_closed_account_and_its_blast_go_on(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let starts_at = app.now.at().plus(Duration::from_secs(3_600)).rfc3339();
    let blast = json!({ "line": line.id, "text": "Later", "recipients": [contact(1)], "starts_at": starts_at });
    app.post(&line, "blasts", &blast).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    accounts::close(db, now, &manage, proof(), account, 1).await.unwrap();
    take_back(app).await.unwrap();
    let row = accounts::get(db, &app.staff.permit().unwrap(), account).await.unwrap();
    assert_eq!((row.closed_at, row.connected), (None, true));
    app.pass(7_200);
    app.work().await;
    assert_eq!(app.conversations(&line).await.len(), 1, "the blast started at its time");
}

/// A blast of one that starts in so many seconds.
async fn a_blast(app: &TestApp, line: &TestLine, text: &str, seconds: u64) -> BlastId {
    let starts_at = app.now.at().plus(Duration::from_secs(seconds)).rfc3339();
    app.post(line, "blasts", &json!({ "line": line.id, "text": text, "recipients": [contact(1)], "starts_at": starts_at })).await;
    blast::list(&app.db, &app.staff.permit().unwrap(), None, Some(line.id), None, None, 1).await.unwrap().rows[0].id
}

async fn a_changed_blast_is_as_it_was_until_it_begins(app: &TestApp) {
    let line = app.line(Inbox).await;
    let shown = async |id| blast::shown(&app.db, &app.staff.permit().unwrap(), line.id, id).await.unwrap();
    let edit = async |id, text: &str, seconds: u64| {
        // The latest is what is offered.
        app.pass(1);
        let starts_at = Some(app.now.at().plus(Duration::from_secs(seconds)));
        let wish = Edit { version: shown(id).await.version, text: text.to_owned(), starts_at };
        blast::edit(&app.db, &app.now, &app.staff.permit().unwrap(), Proof::at_the_shell(), (line.id, id), &wish).await.unwrap();
    };
    let id = a_blast(app, &line, "Sale at nine", 3_600).await;
    let before = shown(id).await;
    edit(id, "Sale at ten", 1_800).await;
    assert_eq!(shown(id).await.body.as_deref(), Some("Sale at ten"));
    assert_eq!(offered(app).await.unwrap().1, "The blast was changed.");
    take_back(app).await.unwrap();
    let after = shown(id).await;
    assert_eq!((after.body, after.row.starts_at, after.row.state), (before.body, before.row.starts_at, before.row.state));

    // Whoever has changed it since is not written over.
    edit(id, "Mine", 1_800).await;
    let (mine, _) = offered(app).await.unwrap();
    edit(id, "Theirs", 1_800).await;
    is_late(undo::take(&app.db, &app.now, &app.staff, mine).await);

    // What has begun is no longer changed, also not back.
    edit(id, "Sale at noon", 20).await;
    let (begun, _) = offered(app).await.unwrap();
    app.pass(25);
    app.work().await;
    is_late(undo::take(&app.db, &app.now, &app.staff, begun).await);
    assert_eq!(shown(id).await.body.as_deref(), Some("Sale at noon"));

    // Neither is a start given back that is over.
    let id = a_blast(app, &line, "Sale soon", 20).await;
    edit(id, "Sale later", 3_600).await;
    let (over, _) = offered(app).await.unwrap();
    app.pass(25);
    is_late(undo::take(&app.db, &app.now, &app.staff, over).await);
    assert_eq!(shown(id).await.body.as_deref(), Some("Sale later"));
}

async fn a_closed_line_has_its_type_and_what_it_held_again(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let (held, reply) = (app.text("Held"), app.text("Reply"));
    app.send(&line, &contact(1), &held).await;
    app.work().await;
    let starts_at = app.now.at().plus(Duration::from_secs(3_600)).rfc3339();
    let blast = json!({ "line": line.id, "text": app.text("Later"), "recipients": [contact(2)], "starts_at": starts_at });
    app.post(&line, "blasts", &blast).await;
    app.pass(1);
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    let version = lines::get(db, &app.staff.permit().unwrap(), line.id).await.unwrap().version;
    lines::close(db, now, &manage, line.id, version).await.unwrap();
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::NotConnected);
    take_back(app).await.unwrap();
    let found = lines::get(db, &app.staff.permit().unwrap(), line.id).await.unwrap().line;
    assert_eq!((found.closed_at, found.integration_type), (None, Ringcentral));
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::Held { count: 1 });
    app.reply(&contact(1), &line, &reply).await;
    app.work().await;
    let mut said = Said::default();
    said.then(&contact(1), &held);
    said.then(&contact(1), &reply);
    assert_good(&app.sandbox, &said);
    app.pass(7_200);
    app.work().await;
    assert_eq!(app.conversations(&line).await.len(), 2, "the blast started at its time");
}

async fn a_type_is_set_back_and_only_what_that_change_skipped_is_held_again(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let (old, held, too, reply) = (app.text("Old"), app.text("Held"), app.text("Held too"), app.text("Reply"));
    app.send(&line, &contact(1), &old).await;
    app.work().await;
    app.pass(60);
    app.set_type(&line, BlastOnly).await;
    app.pass(60);
    app.set_type(&line, Ringcentral).await;
    app.pass(60);
    app.send(&line, &contact(1), &held).await;
    app.pass(1);
    app.send(&line, &contact(1), &too).await;
    app.send(&line, &contact(2), &app.text("Another's")).await;
    app.work().await;
    app.pass(60);
    app.set_type(&line, BlastOnly).await;
    assert_eq!(offered(app).await.unwrap().1, "The line was set to None.");
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::NotConnected);

    take_back(app).await.unwrap();
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::Held { count: 2 });
    assert_eq!(app.conversation(&line, &contact(2)).await.sync, SyncState::Held { count: 1 });
    app.reply(&contact(1), &line, &reply).await;
    app.work().await;
    let mut said = Said::default();
    for text in [&held, &too, &reply] {
        said.then(&contact(1), text);
    }
    assert_good(&app.sandbox, &said);
    let whole: String = standing_posts(&app.sandbox.journal(0)).iter().filter_map(|post| post.text.as_deref()).collect();
    assert!(!whole.contains(&old), "what an earlier change skipped stays skipped: {whole}");
}

async fn a_type_is_not_set_back_after_messages_came_or_went(app: &TestApp) {
    for speaks in ["the contact", "the account"] {
        let line = app.line(Ringcentral).await;
        app.pass(1);
        app.set_type(&line, BlastOnly).await;
        app.pass(1);
        match speaks {
            "the contact" => drop(app.reply(&contact(1), &line, &app.text("Too early")).await),
            _ => drop(app.send(&line, &contact(1), &app.text("Too early")).await),
        }
        let refused = take_back(app).await.unwrap_err();
        assert!(refused.to_string().contains("Front desk came or went"), "{speaks}: {refused}");
        let found = lines::get(&app.db, &app.staff.permit().unwrap(), line.id).await.unwrap();
        assert_eq!(found.line.integration_type, BlastOnly, "{speaks}");
    }
}

async fn many_are_taken_back_together_or_not_at_all(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (db, now) = (&app.db, &app.now);
    let (see, manage) = (app.staff.permit::<may::SeeDirectory>().unwrap(), app.staff.permit::<may::ManageDirectory>().unwrap());
    let mut people = Vec::new();
    for n in 0..3 {
        people.push(users::add(db, now, &manage, account, &format!("Person {n}"), &format!("p{n}@example.com")).await.unwrap());
    }
    let alone = Alone { lines: 3, rows: 100, at_once: 20 };
    let act = Act::of(&app.staff, BulkAct::CloseUsers, None).unwrap();
    let close = async |version: i64| {
        let seen: Vec<_> = people.iter().map(|id| (id.to_string(), version)).collect();
        assert_eq!(bulk::change(db, now, &app.staff, &act, &seen, alone, "").await, Ok(Outcome::Done));
    };
    let closed = async || {
        let mut closed = Vec::new();
        for id in &people {
            closed.push(users::get(db, &see, *id).await.unwrap().row.closed_at.is_some());
        }
        closed
    };
    close(1).await;
    assert_eq!(offered(app).await.unwrap().1, "3 people closed.");
    take_back(app).await.unwrap();
    assert_eq!(closed().await, [false; 3]);

    close(3).await;
    app.pass(1);
    let (id, _) = offered(app).await.unwrap();
    users::reopen(db, now, &manage, people[1], 4).await.unwrap();
    is_late(undo::take(db, now, &app.staff, id).await);
    assert_eq!(closed().await, [true, false, true], "somebody was first with one: the others stay as they are");

    let second = lines::add(db, now, &manage, account, "+12025550119", "Other desk", Inbox).await.unwrap();
    let version = |line| async move { lines::get(db, &app.staff.permit().unwrap(), line).await.unwrap().version };
    let seen = [(line.id, version(line.id).await), (second, version(second).await)];
    integration::set_many(db, now, &app.staff, &seen, BlastOnly, alone.lines, "").await.unwrap();
    assert_eq!(offered(app).await.unwrap().1, "2 lines were set to None.");
    take_back(app).await.unwrap();
    for id in [line.id, second] {
        assert_eq!(lines::get(db, &see, id).await.unwrap().line.integration_type, Inbox);
    }
}

async fn a_label(app: &TestApp, line: &TestLine, label: &str) -> UndoId {
    let version = lines::get(&app.db, &app.staff.permit().unwrap(), line.id).await.unwrap().version;
    lines::edit(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, version, label).await.unwrap();
    offered(app).await.unwrap().0
}

async fn label_of(app: &TestApp, line: &TestLine) -> String {
    lines::get(&app.db, &app.staff.permit().unwrap(), line.id).await.unwrap().line.label
}

async fn it_is_offered_for_ten_seconds_to_who_did_it_and_taken_back_once(app: &TestApp) {
    let line = app.line(Inbox).await;
    let h = house(app);
    let other = h.member("grace@example.com", h.role("Administrator").await).await;
    let (db, now) = (&app.db, &app.now);
    let id = a_label(app, &line, "One").await;
    assert_eq!(undo::offered(db, now, &other, Some(id)).await.unwrap(), None, "to nobody else");
    is_late(undo::take(db, now, &other, id).await);
    app.pass(9);
    assert_eq!(undo::offered(db, now, &app.staff, Some(id)).await.unwrap().unwrap().seconds, 1);
    app.pass(1);
    assert_eq!(undo::offered(db, now, &app.staff, Some(id)).await.unwrap(), None);
    app.pass(40);
    undo::take(db, now, &app.staff, id).await.expect("who held the offer still is not cut off");
    assert_eq!(label_of(app, &line).await, "Front desk");
    is_late(undo::take(db, now, &app.staff, id).await);
    assert_eq!(label_of(app, &line).await, "Front desk", "once");

    let id = a_label(app, &line, "Two").await;
    app.pass(61);
    is_late(undo::take(db, now, &app.staff, id).await);
    assert_eq!(label_of(app, &line).await, "Two");
    assert_eq!(undo::forget_old(db, now).await.unwrap(), 1);
}

async fn what_somebody_else_did_meanwhile_stays(app: &TestApp) {
    let line = app.line(Inbox).await;
    let id = a_label(app, &line, "Mine").await;
    let h = house(app);
    let other: Member = h.member("grace@example.com", h.role("Administrator").await).await;
    let version = lines::get(&app.db, &other.permit().unwrap(), line.id).await.unwrap().version;
    lines::edit(&app.db, &app.now, &other.permit().unwrap(), line.id, version, "Theirs").await.unwrap();
    is_late(undo::take(&app.db, &app.now, &app.staff, id).await);
    assert_eq!(label_of(app, &line).await, "Theirs");
}

async fn a_role_that_was_taken_away_meanwhile_takes_nothing_back(app: &TestApp) {
    let line = app.line(Inbox).await;
    let h = house(app);
    let support = h.role("Support").await;
    let member = h.member("grace@example.com", support).await;
    let version = lines::get(&app.db, &member.permit().unwrap(), line.id).await.unwrap().version;
    integration::set(&app.db, &app.now, &member.permit().unwrap(), line.id, BlastOnly, version).await.unwrap();
    let offer = undo::offered(&app.db, &app.now, &member, None).await.unwrap().expect("it is offered");
    staff::take_role(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), member.id(), support).await.unwrap();
    let member = Member::load(&app.db, member.id()).await.unwrap().unwrap();
    app.pass(1);
    let refused = undo::take(&app.db, &app.now, &member, offer.id).await.unwrap_err();
    assert_eq!(refused.status(), 403, "{refused}");
    let found = lines::get(&app.db, &app.staff.permit().unwrap(), line.id).await.unwrap();
    assert_eq!(found.line.integration_type, BlastOnly);
}
