//! What staff do about a connection: look, pause, resume, test, give new secrets; what they may not, and what is never shown.

use crate::harness::{TestApp, contact, keys, on_both_engines};
use crate::house::house;
use crate::verdict::ringcentral_calls;
use switchyard::ringcentral::{self, Client};
use switchyard::types::IntegrationType::Ringcentral;
use switchyard::types::{ConnectionRow, ConnectionState, Problem, SyncState};

on_both_engines![
    a_paused_connection_makes_no_call_and_goes_on_when_resumed,
    a_refused_sign_in_is_seen_and_new_secrets_mend_it,
    two_who_change_one_connection_do_not_overwrite_each_other,
    secrets_stand_sealed_and_are_never_shown,
    another_accounts_connection_can_be_neither_seen_nor_changed,
];

async fn the_connection(app: &TestApp) -> ConnectionRow {
    let mut page = ringcentral::list(&app.db, &app.now, &app.staff.permit().unwrap(), None, 50).await.unwrap();
    assert_eq!(page.rows.len(), 1);
    page.rows.remove(0)
}

fn client(app: &TestApp) -> Client {
    Client::new(app.http.clone(), app.db.clone(), app.now.clone(), keys())
}

async fn a_paused_connection_makes_no_call_and_goes_on_when_resumed(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let seen = the_connection(app).await;
    assert_eq!(seen.state, ConnectionState::Idle);
    ringcentral::pause(&app.db, &app.now, &app.staff.permit().unwrap(), seen.id, seen.version).await.unwrap();
    app.reply(&contact(1), &line, &app.text("Hello")).await;
    for _ in 0..5 {
        app.engine.step().await.unwrap();
        app.pass(61);
    }
    assert_eq!(ringcentral_calls(&app.sandbox.journal(0)), 0);
    let tested = ringcentral::test(&client(app), &app.staff.permit().unwrap(), seen.id).await;
    assert!(matches!(tested, Err(Problem::Unavailable { .. })), "{tested:?}");
    let seen = the_connection(app).await;
    assert!(matches!(seen.state, ConnectionState::Paused { .. }));
    ringcentral::resume(&app.db, &app.now, &app.staff.permit().unwrap(), seen.id, seen.version).await.unwrap();
    app.work().await;
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
    assert_eq!(the_connection(app).await.state, ConnectionState::SignedIn);
}

async fn a_refused_sign_in_is_seen_and_new_secrets_mend_it(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let seen = the_connection(app).await;
    let secrets = async |version, jwt: &str| {
        let new = [line.client.as_str(), line.client.as_str(), jwt];
        ringcentral::renew_secrets(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), seen.id, version, new).await
    };
    assert!(matches!(secrets(seen.version, " ").await, Err(Problem::Invalid { field, .. }) if field == "jwt"));
    secrets(seen.version, "revoked").await.unwrap();
    let tested = ringcentral::test(&client(app), &app.staff.permit().unwrap(), seen.id).await;
    assert!(matches!(tested, Err(Problem::Unavailable { .. })), "{tested:?}");
    let refused = the_connection(app).await;
    assert!(matches!(refused.state, ConnectionState::Refused { .. }), "{refused:?}");
    secrets(refused.version, &line.client).await.unwrap();
    let name = ringcentral::test(&client(app), &app.staff.permit().unwrap(), seen.id).await.unwrap();
    assert!(!name.is_empty());
    assert_eq!(the_connection(app).await.state, ConnectionState::SignedIn);
}

async fn two_who_change_one_connection_do_not_overwrite_each_other(app: &TestApp) {
    app.line(Ringcentral).await;
    let seen = the_connection(app).await;
    ringcentral::pause(&app.db, &app.now, &app.staff.permit().unwrap(), seen.id, seen.version).await.unwrap();
    let second = ringcentral::resume(&app.db, &app.now, &app.staff.permit().unwrap(), seen.id, seen.version).await;
    assert!(matches!(second, Err(Problem::Conflict { .. })), "{second:?}");
    assert!(matches!(the_connection(app).await.state, ConnectionState::Paused { .. }));
}

async fn secrets_stand_sealed_and_are_never_shown(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.reply(&contact(1), &line, &app.text("Hello")).await;
    app.work().await;
    let (secret, jwt, token): (String, String, String) = app
        .db
        .one(
            "select c.client_secret, c.jwt, t.access_token
             from connection c
             join connection_token t on t.connection_id = c.id",
            (),
        )
        .await
        .unwrap();
    for sealed in [secret, jwt, token] {
        assert!(sealed.starts_with("s1.") && !sealed.contains(&line.client), "{sealed}");
    }
}

async fn another_accounts_connection_can_be_neither_seen_nor_changed(app: &TestApp) {
    app.line(Ringcentral).await;
    let seen = the_connection(app).await;
    let h = house(app);
    let stranger = h.member_of(h.account("Elsewhere").await).await;
    let page = ringcentral::list(&app.db, &app.now, &stranger.permit().unwrap(), None, 50).await.unwrap();
    assert!(page.rows.is_empty());
    let paused = ringcentral::pause(&app.db, &app.now, &stranger.permit().unwrap(), seen.id, seen.version).await;
    assert!(matches!(paused, Err(Problem::NotFound { .. })), "{paused:?}");
    let tested = ringcentral::test(&client(app), &stranger.permit().unwrap(), seen.id).await;
    assert!(matches!(tested, Err(Problem::NotFound { .. })), "{tested:?}");
}
