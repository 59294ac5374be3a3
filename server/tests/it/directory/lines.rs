//! A line: what staff call it, closing it and opening it again.

use super::{account_of, audited, elsewhere, is_hidden, is_late, is_wrong};
use crate::harness::{TestApp, contact, on_both_engines};
use crate::house::proof;
use reqwest::Method;
use serde_json::json;
use switchyard::directory::{accounts, integration, lines};
use switchyard::staff::may;
use switchyard::types::IntegrationType::{Inbox, None as NoRoute, Ringcentral};
use switchyard::types::{EntryState, LineFilter, Problem};

on_both_engines![
    a_label_is_edited_once_and_the_line_is_found_by_it,
    a_closed_line_sends_nothing_and_records_what_comes_in,
    a_line_of_a_closed_account_stays_closed,
    a_line_is_not_opened_as_none_where_the_account_lacks_blast,
    a_reply_is_not_offered_where_it_would_be_refused_and_what_helps_is_said,
];

async fn a_label_is_edited_once_and_the_line_is_found_by_it(app: &TestApp) {
    let line = app.line(Inbox).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    is_wrong(lines::edit(db, now, &manage, line.id, 1, "").await, "label");
    lines::edit(db, now, &manage, line.id, 1, "Recalls").await.unwrap();
    is_late(lines::edit(db, now, &manage, line.id, 1, "Second").await);
    is_hidden(lines::edit(db, now, &elsewhere(app).await.permit().unwrap(), line.id, 2, "Mine").await);
    let filter = LineFilter { search: "recalls".to_owned(), ..LineFilter::default() };
    assert_eq!(lines::list(db, &app.staff.permit().unwrap(), &filter, None, 5).await.unwrap().rows.len(), 1);
    let entries = audited(app, account_of(app, &line).await, "line.edit").await;
    assert_eq!(entries.len(), 1);
    assert!(entries[0].row.before.as_deref().unwrap().contains("Front desk"));
}

async fn a_closed_line_sends_nothing_and_records_what_comes_in(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    app.reply(&contact(1), &line, "Hello").await;
    app.work().await;
    app.send(&line, &contact(1), "Held").await;
    app.work().await;
    let closing = lines::closing(db, &app.staff.permit().unwrap(), &manage, line.id).await.unwrap();
    assert_eq!((closing.conversations, closing.held, closing.queued), (1, 1, 0));
    let stranger = elsewhere(app).await;
    is_hidden(lines::closing(db, &stranger.permit().unwrap(), &stranger.permit().unwrap(), line.id).await);
    is_hidden(lines::close(db, now, &stranger.permit().unwrap(), line.id, closing.version).await);
    lines::close(db, now, &manage, line.id, closing.version).await.unwrap();
    is_late(lines::close(db, now, &manage, line.id, closing.version).await);

    let closed = lines::get(db, &app.staff.permit().unwrap(), line.id).await.unwrap();
    assert_eq!((closed.line.integration_type, closed.line.closed_at), (NoRoute, Some(now.at())));
    let rows = app.timeline(&line, &contact(1)).await;
    assert_eq!(rows.last().unwrap().entry, Some(EntryState::Skipped));
    let message = json!({ "line": line.number, "to": contact(1), "text": "Hello" });
    assert_eq!(app.post(&line, "messages", &message).await.status(), 409);
    let blast = json!({ "line": line.id, "text": "Hello", "recipients": [contact(1)] });
    assert_eq!(app.post(&line, "blasts", &blast).await.status(), 409);
    let set = app.staff.permit::<may::SetIntegrationType>().unwrap();
    assert!(integration::preview(db, &set, line.id, Inbox).await.unwrap().obstacle.is_some());
    is_late(integration::set(db, now, &set, line.id, Inbox, closed.version).await);
    app.reply(&contact(2), &line, "Anybody?").await;
    app.work().await;
    assert_eq!(app.conversations(&line).await.len(), 1, "recorded, and not routed");

    lines::reopen(db, now, &manage, line.id, closed.version).await.unwrap();
    is_late(lines::reopen(db, now, &manage, line.id, closed.version).await);
    let open = lines::get(db, &app.staff.permit().unwrap(), line.id).await.unwrap();
    assert_eq!((open.line.integration_type, open.line.closed_at), (NoRoute, None));
    integration::set(db, now, &set, line.id, Inbox, open.version).await.unwrap();
    app.send(&line, &contact(1), "Open again").await;
    let account = account_of(app, &line).await;
    assert_eq!((audited(app, account, "line.close").await.len(), audited(app, account, "line.reopen").await.len()), (1, 1));
}

async fn a_line_of_a_closed_account_stays_closed(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    lines::close(db, now, &manage, line.id, 1).await.unwrap();
    accounts::close(db, now, &manage, proof(), account, 1).await.unwrap();
    is_late(lines::reopen(db, now, &manage, line.id, 2).await);
}

async fn a_line_is_not_opened_as_none_where_the_account_lacks_blast(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    lines::close(db, now, &manage, line.id, 1).await.unwrap();
    accounts::edit(db, now, &manage, account, 1, "Account 0", (false, true)).await.unwrap();
    match lines::reopen(db, now, &manage, line.id, 2).await {
        Err(Problem::Conflict { text }) => assert!(text.contains("product Blast") && text.contains("Add it to the account"), "{text}"),
        other => panic!("it was opened: {other:?}"),
    }
    let see = app.staff.permit().unwrap();
    assert!(lines::get(db, &see, line.id).await.unwrap().line.closed_at.is_some());
    accounts::edit(db, now, &manage, account, 2, "Account 0", (true, true)).await.unwrap();
    lines::reopen(db, now, &manage, line.id, 2).await.unwrap();
    assert_eq!(lines::get(db, &see, line.id).await.unwrap().line.closed_at, None);
}

async fn a_reply_is_not_offered_where_it_would_be_refused_and_what_helps_is_said(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(1), &line, "Hello").await;
    let path = format!("/lines/{}/conversations/{}", line.id, app.conversation(&line, &contact(1)).await.id);
    let page = async || app.ask(&app.staff, Method::GET, &path, &[]).await.text().await.unwrap();
    let is_offered = |page: &str| page.contains("name=\"token\"");
    assert!(is_offered(&page().await));
    let account = account_of(app, &line).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    accounts::close(db, now, &manage, proof(), account, 1).await.unwrap();
    let of_account = page().await;
    assert!(!is_offered(&of_account) && of_account.contains("The account is closed: nothing is sent"), "{of_account}");
    accounts::reopen(db, now, &manage, account, 2).await.unwrap();
    assert!(is_offered(&page().await));
    // A closed line is set to None, and nothing else before it is open again.
    let version = lines::get(db, &app.staff.permit().unwrap(), line.id).await.unwrap().version;
    lines::close(db, now, &manage, line.id, version).await.unwrap();
    let of_line = page().await;
    assert!(!is_offered(&of_line) && of_line.contains("The line is closed: nothing is sent"), "{of_line}");
    assert!(!of_line.contains("set it to Inbox"), "{of_line}");
}
