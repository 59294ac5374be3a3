//! An account: its name and products, closing it and opening it again.

use super::{account_of, audited, elsewhere, is_hidden, is_late, is_wrong};
use crate::harness::{TestApp, contact, keys, on_both_engines};
use crate::house::house;
use serde_json::json;
use switchyard::directory::{accounts, integration, lines, people};
use switchyard::messaging::blast;
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::may;
use switchyard::types::IntegrationType::{Inbox, None as NoRoute, Ringcentral};
use switchyard::types::{BlastState, LineFilter, MessageState, SyncState};

on_both_engines![
    a_name_and_products_are_edited_once_and_lines_are_found_by_the_new_name,
    a_product_that_a_line_needs_stays,
    products_limit_the_types_of_lines,
    closing_is_previewed_with_what_hangs_on_it_and_changes_nothing_before,
    a_closed_account_takes_nothing_new_and_its_programs_are_refused,
    a_closed_accounts_connection_pauses_and_what_waits_is_posted_after_it_is_open_again,
    a_connection_that_was_paused_before_stays_paused,
    scheduled_blasts_of_a_closed_account_wait_for_a_decision,
];

async fn a_name_and_products_are_edited_once_and_lines_are_found_by_the_new_name(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    let seen = accounts::detail(db, &app.staff.permit().unwrap(), account).await.unwrap();
    house(app).account("Taken").await;

    is_wrong(accounts::edit(db, now, &manage, account, seen.version, " ", (true, true)).await, "name");
    is_wrong(accounts::edit(db, now, &manage, account, seen.version, "Taken", (true, true)).await, "name");
    accounts::edit(db, now, &manage, account, seen.version, "Zahnärzte Süd", (false, true)).await.unwrap();
    is_late(accounts::edit(db, now, &manage, account, seen.version, "Second", (true, true)).await);
    is_hidden(accounts::edit(db, now, &elsewhere(app).await.permit().unwrap(), account, seen.version + 1, "Mine", (true, true)).await);

    let edited = accounts::detail(db, &app.staff.permit().unwrap(), account).await.unwrap();
    assert_eq!((edited.row.name.as_str(), edited.row.sends_blasts, edited.row.has_conversations), ("Zahnärzte Süd", false, true));
    assert_eq!(edited.version, seen.version + 1);
    let filter = LineFilter { search: "ZAHNÄRZTE".to_owned(), ..LineFilter::default() };
    let found = lines::list(db, &app.staff.permit().unwrap(), &filter, None, 50).await.unwrap().rows;
    assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [line.id], "whatever its case");
    let entries = audited(app, account, "account.edit").await;
    assert_eq!(entries.len(), 1, "what was refused left no entry");
    assert!(entries[0].row.before.as_deref().unwrap().contains("Account 0"), "{entries:?}");
    assert!(entries[0].row.after.as_deref().unwrap().contains("Zahnärzte Süd"));
}

async fn a_product_that_a_line_needs_stays(app: &TestApp) {
    let (blasts, inbox) = (app.line(NoRoute).await, app.line(Inbox).await);
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    let (first, second) = (account_of(app, &blasts).await, account_of(app, &inbox).await);
    let edit =
        async |account, products| accounts::edit(&app.db, &app.now, &manage, account, 1, &format!("Edited {account}"), products).await;
    let refused = edit(first, (false, true)).await;
    assert!(refused.clone().unwrap_err().to_string().contains("Front desk"), "it names the line: {refused:?}");
    is_wrong(refused, "sends_blasts");
    is_wrong(edit(second, (true, false)).await, "has_conversations");
    edit(second, (false, true)).await.unwrap();
    // A closed line needs nothing.
    lines::close(&app.db, &app.now, &manage, blasts.id, 1).await.unwrap();
    edit(first, (false, true)).await.unwrap();
}

async fn products_limit_the_types_of_lines(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (manage, set) = (app.staff.permit().unwrap(), app.staff.permit::<may::SetIntegrationType>().unwrap());
    accounts::edit(&app.db, &app.now, &manage, account, 1, "Talks only", (false, true)).await.unwrap();
    let preview = integration::preview(&app.db, &set, line.id, NoRoute).await.unwrap();
    assert!(preview.obstacle.as_deref().unwrap().contains("product Blast"), "{preview:?}");
    is_wrong(integration::set(&app.db, &app.now, &set, line.id, NoRoute, preview.version).await, "integration_type");
    is_wrong(lines::add(&app.db, &app.now, &manage, account, "+12025550119", "News", NoRoute).await, "integration_type");
    integration::set(&app.db, &app.now, &set, line.id, Ringcentral, preview.version).await.unwrap();
}

async fn closing_is_previewed_with_what_hangs_on_it_and_changes_nothing_before(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let account = account_of(app, &line).await;
    let (see, manage) = (app.staff.permit().unwrap(), app.staff.permit::<may::ManageDirectory>().unwrap());
    people::add_user(&app.db, &app.now, &manage, account, "Grace", "grace@example.com").await.unwrap();
    app.blast(&line, &[contact(1), contact(2)], "Held").await;
    app.work().await;
    let later = app.now.at().plus(std::time::Duration::from_secs(3_600)).rfc3339();
    let scheduled = json!({ "line": line.id, "text": "Later", "recipients": [contact(3)], "starts_at": later });
    assert_eq!(app.post(&line, "blasts", &scheduled).await.status(), 202);

    let closing = accounts::closing(&app.db, &see, &manage, account).await.unwrap();
    assert_eq!(closing.lines, [(Ringcentral, 1)]);
    assert_eq!((closing.held, closing.queued), (2, 0));
    assert_eq!((closing.scheduled_blasts, closing.blasts_under_way), (1, 0));
    assert_eq!((closing.users, closing.tokens), (1, 1));
    assert_eq!(accounts::closing(&app.db, &see, &manage, account).await.unwrap(), closing, "asking changes nothing");
    let stranger = elsewhere(app).await;
    is_hidden(accounts::closing(&app.db, &stranger.permit().unwrap(), &stranger.permit().unwrap(), account).await);
    is_hidden(accounts::close(&app.db, &app.now, &stranger.permit().unwrap(), account, closing.version).await);
    accounts::close(&app.db, &app.now, &manage, account, closing.version).await.unwrap();
    is_late(accounts::close(&app.db, &app.now, &manage, account, closing.version).await);
    is_late(accounts::close(&app.db, &app.now, &manage, account, closing.version + 1).await);
    assert_eq!(audited(app, account, "account.close").await.len(), 1);
}

async fn a_closed_account_takes_nothing_new_and_its_programs_are_refused(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    people::add_responder(&app.db, &app.now, &manage, line.id, "hours", "Nine to five").await.unwrap();
    accounts::close(&app.db, &app.now, &manage, account, 1).await.unwrap();

    let message = json!({ "line": line.number, "to": contact(1), "text": "Hello" });
    assert_eq!(app.post(&line, "messages", &message).await.status(), 401, "its programs are refused");
    is_late(lines::add(&app.db, &app.now, &manage, account, "+12025550119", "News", NoRoute).await);
    is_late(people::add_user(&app.db, &app.now, &manage, account, "Grace", "grace@example.com").await);
    is_late(accounts::add_api_token(&app.db, &app.now, &manage, account, "another").await);
    let to = [super::number(&contact(1))];
    is_late(blast::take_as_staff(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, "Hello", &to).await);
    // What comes in is recorded; no automatic reply, but STOP is honoured and confirmed.
    app.reply(&contact(1), &line, "hours").await;
    app.reply(&contact(2), &line, "STOP").await;
    app.work().await;
    assert_eq!(app.timeline(&line, &contact(1)).await.len(), 1);
    let stopped = app.timeline(&line, &contact(2)).await;
    assert_eq!(stopped.len(), 2, "the confirmation: {stopped:?}");

    accounts::reopen(&app.db, &app.now, &manage, account, 2).await.unwrap();
    is_late(accounts::reopen(&app.db, &app.now, &manage, account, 2).await);
    app.send(&line, &contact(1), "Open again").await;
    app.reply(&contact(1), &line, "hours").await;
    assert!(app.timeline(&line, &contact(1)).await.iter().any(|row| row.written.body() == Some("Nine to five")));
    assert_eq!(audited(app, account, "account.reopen").await.len(), 1);
}

async fn a_closed_accounts_connection_pauses_and_what_waits_is_posted_after_it_is_open_again(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let account = account_of(app, &line).await;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    app.reply(&contact(1), &line, "Before").await;
    app.work().await;
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
    accounts::close(&app.db, &app.now, &manage, account, 1).await.unwrap();
    app.reply(&contact(1), &line, "Meanwhile").await;
    for _ in 0..3 {
        app.engine.step().await.unwrap();
        app.pass(60);
    }
    assert!(matches!(app.conversation(&line, &contact(1)).await.sync, SyncState::Delivering { .. } | SyncState::Stalled { .. }));
    let connection = ringcentral::of_account(&app.db, &app.now, &app.staff.permit().unwrap(), account).await.unwrap().unwrap();
    is_late(ringcentral::resume(&app.db, &app.now, &manage, connection.id, connection.version).await);
    accounts::reopen(&app.db, &app.now, &manage, account, 2).await.unwrap();
    app.pass(600);
    app.work().await;
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync, "nothing is lost");
}

async fn a_connection_that_was_paused_before_stays_paused(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let account = account_of(app, &line).await;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    let see = app.staff.permit().unwrap();
    let of = async || ringcentral::of_account(&app.db, &app.now, &see, account).await.unwrap().unwrap();
    let connection = of().await;
    ringcentral::pause(&app.db, &app.now, &manage, connection.id, connection.version).await.unwrap();
    let paused = of().await.state;
    app.pass(60);
    accounts::close(&app.db, &app.now, &manage, account, 1).await.unwrap();
    accounts::reopen(&app.db, &app.now, &manage, account, 2).await.unwrap();
    assert_eq!(of().await.state, paused);
    // An account without a connection gets none while it is closed.
    let bare = house(app).account("Bare").await;
    accounts::close(&app.db, &app.now, &manage, bare, 1).await.unwrap();
    let text = || "sandbox-demo-x".to_owned();
    let new = NewConnection {
        base_url: "http://127.0.0.1:9".into(),
        client_id: text(),
        client_secret: text(),
        jwt: text(),
        posts_per_minute: None,
        posts_per_day: None,
    };
    is_late(ringcentral::connect(&app.db, &app.now, &keys(), &manage, bare, new).await);
    assert!(ringcentral::of_account(&app.db, &app.now, &see, bare).await.unwrap().is_none());
}

async fn scheduled_blasts_of_a_closed_account_wait_for_a_decision(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    let send = app.staff.permit::<may::SendMessages>().unwrap();
    let later = app.now.at().plus(std::time::Duration::from_secs(3_600)).rfc3339();
    let scheduled = json!({ "line": line.id, "text": "Later", "recipients": [contact(3)], "starts_at": later });
    let taken: serde_json::Value = app.post(&line, "blasts", &scheduled).await.json().await.unwrap();
    let id = taken["id"].as_str().unwrap().parse().unwrap();
    accounts::close(&app.db, &app.now, &manage, account, 1).await.unwrap();
    app.pass(7_200);
    app.work().await;
    let shown = blast::shown(&app.db, &app.staff.permit().unwrap(), line.id, id).await.unwrap();
    assert_eq!(shown.row.state, BlastState::Paused);
    is_late(blast::decide_as_staff(&app.db, &app.now, &send, line.id, id, blast::Decision::Resume).await);
    accounts::reopen(&app.db, &app.now, &manage, account, 2).await.unwrap();
    app.work().await;
    assert!(app.conversations(&line).await.is_empty(), "nobody has decided");
    blast::decide_as_staff(&app.db, &app.now, &send, line.id, id, blast::Decision::Resume).await.unwrap();
    blast::start_due(&app.db, &app.now).await.unwrap();
    app.work().await;
    let sent = app.timeline(&line, &contact(3)).await;
    assert!(matches!(sent[0].state, MessageState::Accepted | MessageState::Delivered), "{sent:?}");
}
