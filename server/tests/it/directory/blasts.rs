//! Blasts as staff see them, and what they decide about one.

use super::{account_of, audited, elsewhere, is_hidden, is_late};
use crate::harness::{TestApp, contact, on_both_engines};
use crate::house::house;
use serde_json::json;
use switchyard::messaging::blast::{self, Decision};
use switchyard::staff::may;
use switchyard::types::IntegrationType::Inbox;
use switchyard::types::{BlastState, Cursor};

on_both_engines![
    blasts_are_listed_by_account_and_line_and_their_figures_add_up,
    a_scheduled_blast_is_paused_resumed_and_cancelled_by_staff,
];

async fn blasts_are_listed_by_account_and_line_and_their_figures_add_up(app: &TestApp) {
    let (line, other) = (app.line(Inbox).await, app.line(Inbox).await);
    let account = account_of(app, &line).await;
    app.reply(&contact(1), &line, "STOP").await;
    app.work().await;
    for n in 0..3 {
        app.blast(&line, &[contact(1), contact(2), contact(3), contact(3)], &format!("Sale zq8 {n}")).await;
        app.pass(1);
    }
    app.blast(&other, &[contact(1)], "Theirs").await;
    let see = app.staff.permit::<may::SeeMessages>().unwrap();
    let first = blast::list(&app.db, &see, Some(account), None, None, 2).await.unwrap();
    assert_eq!(first.rows.iter().map(|row| row.state).collect::<Vec<_>>(), [BlastState::Recording; 2]);
    app.work().await;
    let next: Option<Cursor> = first.next;
    let rest = blast::list(&app.db, &see, None, Some(line.id), next.as_ref(), 2).await.unwrap();
    assert_eq!((rest.rows.len(), rest.next), (1, None), "three in all, the newest first");
    assert_eq!(rest.rows[0].state, BlastState::Sent);
    let whole = blast::shown(&app.db, &see, line.id, rest.rows[0].id).await.unwrap();
    assert_eq!((whole.row.recipients, whole.row.opted_out, whole.row.duplicates, whole.row.recorded), (4, 1, 1, 2));
    assert_eq!((whole.sent, whole.failed, whole.waiting, whole.counted), (2, 0, 0, 2));
    assert_eq!(whole.body.as_deref(), Some("Sale zq8 0"));

    let h = house(app);
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    assert_eq!(blast::shown(&app.db, &viewer.permit().unwrap(), line.id, rest.rows[0].id).await.unwrap().body, None);
    let stranger = elsewhere(app).await;
    assert!(blast::list(&app.db, &stranger.permit().unwrap(), Some(account), None, None, 5).await.unwrap().rows.is_empty());
    is_hidden(blast::shown(&app.db, &stranger.permit().unwrap(), line.id, rest.rows[0].id).await);
}

async fn a_scheduled_blast_is_paused_resumed_and_cancelled_by_staff(app: &TestApp) {
    let line = app.line(Inbox).await;
    let starts_at = app.now.at().plus(std::time::Duration::from_secs(3_600)).rfc3339();
    let scheduled = json!({ "line": line.id, "text": "Later", "recipients": [contact(1)], "starts_at": starts_at });
    let taken: serde_json::Value = app.post(&line, "blasts", &scheduled).await.json().await.unwrap();
    let id = taken["id"].as_str().unwrap().parse().unwrap();
    let send = app.staff.permit::<may::SendMessages>().unwrap();
    let decide = async |decision| blast::decide_as_staff(&app.db, &app.now, &send, line.id, id, decision).await;
    is_hidden(blast::decide_as_staff(&app.db, &app.now, &elsewhere(app).await.permit().unwrap(), line.id, id, Decision::Pause).await);
    decide(Decision::Pause).await.unwrap();
    app.pass(7_200);
    app.work().await;
    assert!(app.conversations(&line).await.is_empty(), "it does not start while it is paused");
    decide(Decision::Resume).await.unwrap();
    app.work().await;
    assert_eq!(app.conversations(&line).await.len(), 1);
    is_late(decide(Decision::Cancel).await);
    let account = account_of(app, &line).await;
    assert_eq!((audited(app, account, "blast.pause").await.len(), audited(app, account, "blast.resume").await.len()), (1, 1));
}
