//! What staff do about a connection: look, pause, resume, test, change its limits, give new secrets; what they may not, and what is never
//! shown.

use crate::harness::{TestApp, TestLine, contact, keys, on_both_engines};
use crate::house::{house, proof};
use crate::transfer::move_line;
use crate::verdict::{chats_of, ringcentral_calls};
use reqwest::Method;
use server::sandbox::{Fault, On, What};
use switchyard::figures;
use switchyard::ringcentral::subscription::Subscriptions;
use switchyard::ringcentral::{self, Client, NewConnection};
use switchyard::staff::{self, Member, Proof};
use switchyard::types::IntegrationType::{Inbox, Ringcentral};
use switchyard::types::{
    AccountId, Age, AuditFilter, ConnectionDetail, ConnectionId, ConnectionRow, ConnectionState, FailureKind, Problem, RateGroup, Span,
    SyncState,
};

on_both_engines![
    a_paused_connection_makes_no_call_and_goes_on_when_resumed,
    a_refused_sign_in_is_seen_and_new_secrets_mend_it,
    two_who_change_one_connection_do_not_overwrite_each_other,
    secrets_stand_sealed_and_are_never_shown,
    another_accounts_connection_can_be_neither_seen_nor_changed,
    a_connection_that_is_needed_stays,
    a_removed_connection_leaves_no_subscription_and_no_secret_and_history_goes_on_in_the_next,
    a_line_that_moved_does_not_wait_for_a_connection_that_cannot_be_asked,
    what_went_well_and_what_did_not_can_be_drawn,
    a_connection_needs_every_field_and_a_safe_address,
    limits_are_changed_as_they_were_seen_and_by_who_may,
    what_waits_for_a_limit_goes_on_when_it_is_raised,
    limits_are_changed_on_the_connections_page,
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
        ringcentral::renew_secrets(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), proof(), (seen.id, version), new).await
    };
    assert!(matches!(secrets(seen.version, " ").await, Err(Problem::Invalid { field, .. }) if field == "jwt"));
    let client = client(app);
    ringcentral::test(&client, &app.staff.permit().unwrap(), seen.id).await.unwrap();
    secrets(seen.version, "revoked").await.unwrap();
    // The token of the old ones is still good, and remembered: it must not speak for the new ones.
    let tested = ringcentral::test(&client, &app.staff.permit().unwrap(), seen.id).await;
    assert!(matches!(tested, Err(Problem::Unavailable { .. })), "{tested:?}");
    let refused = the_connection(app).await;
    assert!(matches!(refused.state, ConnectionState::Refused { .. }), "{refused:?}");
    assert!(whole(app).await.last_error.is_some_and(|(_, words)| words.starts_with("the sign-in was refused")));
    secrets(refused.version, &line.client).await.unwrap();
    let name = ringcentral::test(&client, &app.staff.permit().unwrap(), seen.id).await.unwrap();
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
    let name = "Ärzte am See".to_owned();
    let called = (seen.account_id, name.clone(), name.to_lowercase());
    app.db.work(async |tx| tx.run("update account set name = $2, search = $3 where id = $1", called).await).await.unwrap();
    for (text, found) in [("Ärzte", 1), ("AM SEE", 1), ("nobody's", 0)] {
        let page = ringcentral::search(&app.db, &app.now, &app.staff.permit().unwrap(), text, None, None, 50).await.unwrap();
        assert_eq!(page.rows.len(), found, "{text}");
    }
    let paused = ringcentral::pause(&app.db, &app.now, &stranger.permit().unwrap(), seen.id, seen.version).await;
    assert!(matches!(paused, Err(Problem::NotFound { .. })), "{paused:?}");
    let tested = ringcentral::test(&client(app), &stranger.permit().unwrap(), seen.id).await;
    assert!(matches!(tested, Err(Problem::NotFound { .. })), "{tested:?}");
}

async fn whole(app: &TestApp) -> ConnectionDetail {
    let id = the_connection(app).await.id;
    ringcentral::get(&app.db, &app.now, &app.staff.permit().unwrap(), id).await.unwrap()
}

async fn a_connection_that_is_needed_stays(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let seen = whole(app).await;
    assert!(seen.stays_because.is_some());
    let removed = ringcentral::remove(&client(app), &app.staff.permit().unwrap(), proof(), seen.row.id, seen.row.version).await;
    assert!(matches!(removed, Err(Problem::Conflict { .. })), "{removed:?}");
    // What is on its way keeps it, too.
    app.reply(&contact(1), &line, &app.text("Hello")).await;
    app.set_type(&line, Inbox).await;
    assert!(whole(app).await.stays_because.unwrap().contains("on their way"));
    let row = the_connection(app).await;
    if matches!(row.state, ConnectionState::Paused { .. }) {
        ringcentral::resume(&app.db, &app.now, &app.staff.permit().unwrap(), row.id, row.version).await.unwrap();
    }
    app.work().await;
    assert_eq!(whole(app).await.stays_because, None);
}

async fn a_removed_connection_leaves_no_subscription_and_no_secret_and_history_goes_on_in_the_next(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    Subscriptions::new(client(app), &app.url).step().await.unwrap();
    assert_eq!(app.sandbox.subscriptions().len(), 1);
    app.reply(&contact(1), &line, &app.text("Hello")).await;
    app.work().await;
    app.set_type(&line, Inbox).await;
    let row = the_connection(app).await;
    ringcentral::remove(&client(app), &app.staff.permit().unwrap(), proof(), row.id, row.version).await.unwrap();
    assert!(app.sandbox.subscriptions().is_empty());
    let left: Vec<(String,)> = app.db.all("select jwt from connection", ()).await.unwrap();
    assert!(left.is_empty());
    let again = ringcentral::remove(&client(app), &app.staff.permit().unwrap(), proof(), row.id, row.version).await;
    assert!(matches!(again, Err(Problem::NotFound { .. })), "{again:?}");
    // The account is connected anew: what comes next stands in a chat of the new connection.
    let new = NewConnection {
        base_url: app.sandbox_url.clone(),
        client_id: "sandbox-demo-next".into(),
        client_secret: "sandbox-demo-next".into(),
        jwt: "sandbox-demo-next".into(),
        posts_per_minute: None,
        posts_per_day: None,
    };
    ringcentral::connect(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), Proof::at_the_shell(), row.account_id, new)
        .await
        .unwrap();
    app.set_type(&line, Ringcentral).await;
    app.reply(&contact(1), &line, &app.text("And again")).await;
    app.work().await;
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
    let chats = app.sandbox.chats();
    assert_eq!(chats.iter().map(|chat| chat.posts).collect::<Vec<_>>(), [1, 1], "{chats:?}");
}

async fn a_line_that_moved_does_not_wait_for_a_connection_that_cannot_be_asked(app: &TestApp) {
    let account_of = async |line: &TestLine| {
        let (account,): (AccountId,) = app.db.one("select account_id from line where id = $1", [line.id]).await.unwrap();
        account
    };
    let of = async |account| ringcentral::of_account(&app.db, &app.now, &app.staff.permit().unwrap(), account).await.unwrap().unwrap();
    let remove =
        async |row: ConnectionRow| ringcentral::remove(&client(app), &app.staff.permit().unwrap(), proof(), row.id, row.version).await;
    for (n, hindrance) in ["paused", "refused", "gone"].into_iter().enumerate() {
        let (line, theirs) = (app.line(Ringcentral).await, app.line(Ringcentral).await);
        let (from, to) = (account_of(&line).await, account_of(&theirs).await);
        app.reply(&contact(n), &line, &app.text("Hello")).await;
        app.work().await;
        let said = app.text("Are you there");
        app.sandbox.arm(Fault::new(On::Post, What::LoseRequest { hang: false })).unwrap();
        app.reply(&contact(n), &line, &said).await;
        app.engine.step().await.unwrap();
        move_line(app, &line, to).await;
        let row = of(from).await;
        match hindrance {
            "paused" => {
                // Whoever tries to remove it pauses it.
                let removed = remove(row).await;
                assert!(matches!(&removed, Err(Problem::Conflict { text }) if text.contains("on their way")), "{removed:?}");
            }
            "refused" => {
                let new = [line.client.as_str(), line.client.as_str(), "revoked"];
                let permit = app.staff.permit().unwrap();
                ringcentral::renew_secrets(&app.db, &app.now, &keys(), &permit, proof(), (row.id, row.version), new).await.unwrap();
            }
            _ => {
                let elsewhere = ConnectionId(line.id.0);
                let changes = "update intent set connection_id = $1 where state = 'open'";
                assert_eq!(app.db.work(async |tx| tx.run(changes, [elsewhere]).await).await.unwrap(), 1);
            }
        }
        app.work().await;
        assert_eq!(app.conversation(&line, &contact(n)).await.sync, SyncState::InSync, "{hindrance}");
        let chats = chats_of(&app.sandbox.journal(0), &contact(n));
        let posts = |chat: &server::sandbox::Id| app.sandbox.posts(&chat.to_string());
        let times: Vec<usize> = chats.iter().map(|chat| posts(chat).iter().filter(|post| post.text.contains(&said)).count()).collect();
        assert_eq!(times, [0, 1], "{hindrance}: nothing more in the old account's chat");
        remove(of(from).await).await.unwrap();
    }
}

async fn what_went_well_and_what_did_not_can_be_drawn(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.sandbox.arm(Fault::new(On::Post, What::LoseAnswer { hang: false })).unwrap();
    for n in 0..3 {
        app.reply(&contact(n), &line, &app.text("Hello")).await;
    }
    app.work().await;
    for n in 0..4 {
        app.send(&line, &contact(n), &app.text("Ready")).await;
    }
    app.work().await;
    figures::sample(&app.db, &app.now).await.unwrap();
    let id = the_connection(app).await.id;
    let permit = || app.staff.permit().unwrap();
    for span in Span::ALL {
        let drawn = ringcentral::deliveries(&app.db, &app.now, &permit(), id, *span).await.unwrap();
        assert_eq!(drawn.posted.len(), span.steps());
        assert_eq!((drawn.posted.iter().sum::<i64>(), drawn.failed.iter().sum::<i64>()), (3, 1), "{span:?}");
        assert_eq!(drawn.reasons, [(FailureKind::Unclear, 1)]);
        assert_eq!((drawn.held.last(), drawn.limit), (Some(&4), None));
        assert_eq!(drawn.waiting.iter().find(|waiting| waiting.age == Age::Minute).map(|w| (w.held, w.queued)), Some((4, 0)));
    }
    let seen = whole(app).await;
    assert!(seen.last_error.is_some_and(|(_, words)| words.contains("answer was lost")));
    assert_eq!(seen.lines.len(), 1);
    assert!(seen.budgets.iter().any(|budget| budget.group == RateGroup::Auth && budget.allowed == Some(5)));
    // Two days later the minutes are forgotten, the hours are kept.
    app.pass(3 * 24 * 60 * 60);
    assert!(figures::forget_old(&app.db, &app.now).await.unwrap() > 0);
    let drawn = ringcentral::deliveries(&app.db, &app.now, &permit(), id, Span::Month).await.unwrap();
    assert_eq!(drawn.posted.iter().sum::<i64>(), 3);
    assert!(drawn.waiting.is_empty(), "no sample is so new");
}

async fn a_connection_needs_every_field_and_a_safe_address(app: &TestApp) {
    let account = house(app).account("New").await;
    let good = || NewConnection {
        base_url: "https://platform.ringcentral.com".into(),
        client_id: "id".into(),
        client_secret: "secret".into(),
        jwt: "jwt".into(),
        posts_per_minute: Some(40),
        posts_per_day: Some(2_500),
    };
    let connect = async |new| {
        ringcentral::connect(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), Proof::at_the_shell(), account, new).await
    };
    for (field, bad) in [
        ("base_url", NewConnection { base_url: "http://platform.ringcentral.com".into(), ..good() }),
        ("base_url", NewConnection { base_url: "http://localhost.example.com".into(), ..good() }),
        ("client_id", NewConnection { client_id: " ".into(), ..good() }),
        ("client_secret", NewConnection { client_secret: String::new(), ..good() }),
        ("jwt", NewConnection { jwt: String::new(), ..good() }),
        ("posts_per_minute", NewConnection { posts_per_minute: Some(0), ..good() }),
    ] {
        let refused = connect(bad).await;
        assert!(matches!(&refused, Err(Problem::Invalid { field: named, .. }) if named == field), "{field}: {refused:?}");
    }
    connect(good()).await.unwrap();
    assert!(matches!(connect(good()).await, Err(Problem::Conflict { .. })));
}

type Limits = (Option<i64>, Option<i64>);

async fn edit_limits(app: &TestApp, by: &Member, version: i64, limits: Limits) -> Result<(), Problem> {
    let id = the_connection(app).await.id;
    ringcentral::edit_limits(&app.db, &app.now, &by.permit()?, (id, version), limits).await
}

async fn limits_are_changed_as_they_were_seen_and_by_who_may(app: &TestApp) {
    app.line(Ringcentral).await;
    let seen = the_connection(app).await;
    assert_eq!((seen.posts_per_minute, seen.posts_per_day), (None, None));
    let bad: [(&str, Limits); 2] = [("posts_per_minute", (Some(0), None)), ("posts_per_day", (Some(40), Some(-1)))];
    for (field, limits) in bad {
        let refused = edit_limits(app, &app.staff, seen.version, limits).await;
        assert!(matches!(&refused, Err(Problem::Invalid { field: named, .. }) if named == field), "{field}: {refused:?}");
    }
    let h = house(app);
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    let refused = edit_limits(app, &viewer, seen.version, (Some(1), None)).await;
    assert!(matches!(refused, Err(Problem::Forbidden { .. })), "{refused:?}");
    let stranger = h.member_of(h.account("Elsewhere").await).await;
    let refused = edit_limits(app, &stranger, seen.version, (Some(1), None)).await;
    assert!(matches!(refused, Err(Problem::NotFound { .. })), "{refused:?}");

    edit_limits(app, &app.staff, seen.version, (Some(40), Some(2_500))).await.unwrap();
    let late = edit_limits(app, &app.staff, seen.version, (Some(1), Some(1))).await;
    assert!(matches!(late, Err(Problem::Conflict { .. })), "{late:?}");
    let now = the_connection(app).await;
    assert_eq!((now.posts_per_minute, now.posts_per_day, now.version), (Some(40), Some(2_500), seen.version + 1));
    assert_eq!(now.base_url, seen.base_url, "another address is another connection");
    app.pass(1);
    edit_limits(app, &app.staff, now.version, (None, Some(100))).await.unwrap();
    let filter = AuditFilter { action: Some("connection.limits".to_owned()), ..AuditFilter::default() };
    let entries = staff::search(&app.db, &app.staff.permit().unwrap(), &filter, None, 5).await.unwrap().rows;
    let read = |text: &Option<String>| serde_json::from_str::<serde_json::Value>(text.as_deref().unwrap()).unwrap();
    let said: Vec<_> = entries.iter().map(|entry| (read(&entry.row.before), read(&entry.row.after))).collect();
    let of = |(minute, day): Limits| serde_json::json!({ "posts_per_minute": minute, "posts_per_day": day });
    let (first, second, third) = (of((None, None)), of((Some(40), Some(2_500))), of((None, Some(100))));
    assert_eq!(said, [(second.clone(), third), (first, second)], "the newest first");
}

async fn what_waits_for_a_limit_goes_on_when_it_is_raised(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let version = the_connection(app).await.version;
    edit_limits(app, &app.staff, version, (None, Some(2))).await.unwrap();
    for n in 0..5 {
        app.reply(&contact(n), &line, &app.text("Hello")).await;
    }
    // The clock stands still: whoever is put off waits.
    let posted = async || {
        while app.engine.step().await.unwrap() > 0 {}
        app.conversations(&line).await.iter().filter(|row| row.sync == SyncState::InSync).count()
    };
    assert_eq!(posted().await, 2);
    edit_limits(app, &app.staff, version + 1, (None, Some(3))).await.unwrap();
    assert_eq!(posted().await, 3, "one more a day, and at once");
    edit_limits(app, &app.staff, version + 2, (None, Some(1))).await.unwrap();
    assert_eq!(posted().await, 3, "a lower limit holds at once, too");
    let budget = |whole: &ConnectionDetail| whole.budgets.iter().find(|budget| budget.group == RateGroup::Posting).unwrap().allowed;
    assert_eq!(budget(&whole(app).await), Some(1));
    // Without a limit a day, and fewer a minute than have been made.
    edit_limits(app, &app.staff, version + 3, (Some(1), None)).await.unwrap();
    assert_eq!(posted().await, 3);
    edit_limits(app, &app.staff, version + 4, (None, None)).await.unwrap();
    assert_eq!(posted().await, 5);
}

async fn limits_are_changed_on_the_connections_page(app: &TestApp) {
    app.line(Ringcentral).await;
    let seen = the_connection(app).await;
    let (path, id, version) = (format!("/connections/{}", seen.id), seen.id.to_string(), seen.version.to_string());
    let page = async |member: &Member, path: &str| app.ask(member, Method::GET, path, &[]).await.text().await.unwrap();
    let first = page(&app.staff, &path).await;
    assert!(first.contains("Change limits…") && first.contains("action=\"/fn/connections/limits\""), "{first}");
    let h = house(app);
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    assert!(!page(&viewer, &path).await.contains("/fn/connections/limits"));
    let send = async |version: &str, minute: &str, day: &str| {
        let form = [("id", id.as_str()), ("version", version), ("posts_per_minute", minute), ("posts_per_day", day)];
        app.ask(&app.staff, Method::POST, "/fn/connections/limits", &form).await
    };
    let refused = send(&version, "many", "").await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text().await.unwrap().contains("posts_per_minute"), "it stands at its field");
    assert_eq!(send(&version, "", "2,000").await.status(), 200);
    assert_eq!(send(&version, "7", "").await.status(), 409);
    let now = the_connection(app).await;
    assert_eq!((now.posts_per_minute, now.posts_per_day), (None, Some(2_000)));
    assert!(page(&app.staff, &path).await.contains("value=\"2000\""));
}
