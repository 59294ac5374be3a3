//! How long personal data is kept: what is older goes in batches, what is under way stays, and the audit stays checkable.

use crate::harness::{TestApp, contact, on_both_engines};
use crate::house::house;
use std::time::Duration;
use switchyard::db::Sql;
use switchyard::messaging::{blast, unknown};
use switchyard::retention;
use switchyard::staff::{self, Proof, cut, seal, verify};
use switchyard::sync;
use switchyard::types::IntegrationType::{Inbox, Ringcentral};
use switchyard::types::{AccountId, EntryState, PhoneNumber, Problem, Retention, SyncState, UtilityKind, Written};
use switchyard::utilities;

on_both_engines![
    what_was_written_goes_after_so_many_days_and_what_comes_later_stays,
    what_is_held_too_long_becomes_skipped_with_the_reason,
    what_is_on_its_way_keeps_its_text_until_it_is_there,
    messages_to_unknown_lines_go_too,
    why_a_number_was_set_aside_goes_after_its_last_message,
    only_the_account_that_said_so_loses_anything,
    what_a_program_was_answered_loses_its_text,
    many_blasts_go_in_batches,
    a_pass_under_way_stops_when_the_line_changes_hands,
    a_pass_under_way_stops_when_the_line_is_being_transferred,
    a_preview_counts_and_changes_nothing,
    a_cut_audit_is_checked_from_where_it_was_cut,
    a_cut_that_the_audit_does_not_tell_of_is_noticed,
    whoever_may_not_set_it_cannot_and_two_do_not_overwrite_each_other,
];

const DAY: u64 = 24 * 60 * 60;

fn days(app: &TestApp, days: u64) {
    app.pass(days * DAY);
}

async fn account_of(app: &TestApp, line: switchyard::types::LineId) -> AccountId {
    switchyard::directory::lines::get(&app.db, &app.staff.permit().unwrap(), line).await.unwrap().line.account_id
}

async fn set(app: &TestApp, account: Option<AccountId>, wanted: Retention) {
    let version = retention::get(&app.db, &app.staff.permit().unwrap(), account).await.unwrap().version;
    retention::set(&app.db, &app.now, &app.staff.permit().unwrap(), Proof::at_the_shell(), account, Retention { version, ..wanted })
        .await
        .unwrap();
}

async fn work_off(app: &TestApp) {
    retention::work_off(&app.db, &app.now).await.unwrap();
}

const THIRTY: Retention = Retention { message_days: Some(30), held_days: None, unknown_days: None, audit_days: None, version: 0 };

/// Nothing in the whole table of messages and blasts says this any more.
async fn is_nowhere(app: &TestApp, text: &str) -> bool {
    let like = format!("%{text}%");
    let (count,): (i64,) = app
        .db
        .one("select (select count(*) from message where body like $1) + (select count(*) from blast where body like $1)", [like])
        .await
        .unwrap();
    count == 0
}

async fn what_was_written_goes_after_so_many_days_and_what_comes_later_stays(app: &TestApp) {
    let (line, mass) = (app.line(Ringcentral).await, app.line(Ringcentral).await);
    app.blast(&line, &[contact(1), contact(2)], "Old sale").await;
    // More than one batch.
    let more: Vec<String> = (0..450).map(|n| contact(100 + n)).collect();
    app.blast(&mass, &more, "Old mass").await;
    app.work().await;
    app.reply(&contact(1), &line, "Old reply").await;
    app.work().await;
    days(app, 20);
    app.reply(&contact(1), &line, "New reply").await;
    app.work().await;
    for line in [&line, &mass] {
        set(app, Some(account_of(app, line.id).await), THIRTY).await;
    }
    work_off(app).await;
    assert!(!is_nowhere(app, "Old").await, "nothing is old enough yet");
    days(app, 11);
    work_off(app).await;
    assert!(is_nowhere(app, "Old").await);
    let rows = app.timeline(&line, &contact(1)).await;
    assert!(rows.iter().any(|row| row.written == Written::Removed { after_days: 30 }), "the screen says so: {rows:?}");
    assert!(rows.iter().any(|row| row.written.body() == Some("New reply")));
    let before = app.timeline(&line, &contact(2)).await;
    assert_eq!(before[0].entry, Some(EntryState::Skipped), "what was held without its text is not posted");
    assert!(before[0].reason.as_deref().unwrap().contains("removed after 30 days"));
    let refused = sync::restore(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, before[0].id).await;
    assert!(matches!(refused, Err(Problem::Conflict { .. })), "and cannot be restored: {refused:?}");
    days(app, 20);
    work_off(app).await;
    assert!(is_nowhere(app, "New").await, "the next pass goes on from there");
}

async fn what_is_held_too_long_becomes_skipped_with_the_reason(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let to: Vec<String> = (0..250).map(|n| contact(100 + n)).chain([contact(1)]).collect();
    app.blast(&line, &to, "Held long").await;
    app.work().await;
    days(app, 8);
    app.send(&line, &contact(1), "Held short").await;
    app.work().await;
    set(app, Some(account_of(app, line.id).await), Retention { held_days: Some(7), ..Retention::default() }).await;
    work_off(app).await;
    let rows = app.timeline(&line, &contact(1)).await;
    assert_eq!(rows.iter().map(|row| row.entry).collect::<Vec<_>>(), [Some(EntryState::Skipped), Some(EntryState::Held)]);
    assert_eq!(rows[0].reason.as_deref(), Some("held for more than 7 days"));
    assert!(rows[0].written.body().is_some(), "its text stays");
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::Held { count: 1 });
    let held = sync::counts_of_line(&app.db, line.id).await.unwrap();
    assert_eq!((held.held, held.skipped), (1, 251));
    app.reply(&contact(1), &line, "Hello").await;
    app.work().await;
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
}

async fn what_is_on_its_way_keeps_its_text_until_it_is_there(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let permit = app.staff.permit().unwrap();
    let to = [PhoneNumber::parse(&contact(1)).unwrap()];
    app.reply(&contact(2), &line, "Queued for RingCentral").await;
    blast::take_as_staff(&app.db, &app.now, &permit, line.id, "Waits to be sent", &to).await.unwrap();
    blast::record_next(&app.db, &app.now).await.unwrap();
    // Nobody works meanwhile.
    days(app, 40);
    set(app, Some(account_of(app, line.id).await), THIRTY).await;
    work_off(app).await;
    assert!(!is_nowhere(app, "Queued for RingCentral").await && !is_nowhere(app, "Waits to be sent").await);
    app.work().await;
    let journal = app.sandbox.journal(0);
    let posts = crate::verdict::standing_posts(&journal);
    assert!(posts.iter().any(|post| post.text.as_deref().unwrap_or_default().contains("Queued for RingCentral")), "it was posted whole");
    work_off(app).await;
    assert!(is_nowhere(app, "Queued for RingCentral").await && is_nowhere(app, "Waits to be sent").await);
}

async fn messages_to_unknown_lines_go_too(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let stray = crate::harness::TestLine { number: "+12025550119".to_owned(), ..line };
    app.reply(&contact(1), &stray, "Old stray").await;
    days(app, 10);
    app.reply(&contact(1), &stray, "New stray").await;
    set(app, None, Retention { unknown_days: Some(7), ..Retention::default() }).await;
    work_off(app).await;
    let left = unknown::list(&app.db, &app.staff.permit().unwrap(), None, None, 50).await.unwrap().rows;
    assert_eq!(left.iter().map(|row| row.written.body().unwrap()).collect::<Vec<_>>(), ["New stray"]);
}

async fn why_a_number_was_set_aside_goes_after_its_last_message(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    for number in ["+12025550118", "+12025550119"] {
        let stray = crate::harness::TestLine { number: number.to_owned(), ..line.clone() };
        app.reply(&contact(1), &stray, "Old stray").await;
        let number = PhoneNumber::parse(number).unwrap();
        unknown::set_aside(&app.db, &app.now, &app.staff.permit().unwrap(), &number, "A misprint").await.unwrap();
    }
    days(app, 10);
    let stray = crate::harness::TestLine { number: "+12025550119".to_owned(), ..line };
    app.reply(&contact(1), &stray, "New stray").await;
    set(app, None, Retention { unknown_days: Some(7), ..Retention::default() }).await;
    work_off(app).await;
    let left = unknown::list_aside(&app.db, &app.staff.permit().unwrap(), None, None, 50).await.unwrap().rows;
    assert_eq!(left.iter().map(|found| found.number.expose()).collect::<Vec<_>>(), ["+12025550119"], "it is texted still");
}

async fn only_the_account_that_said_so_loses_anything(app: &TestApp) {
    let (line, other) = (app.line(Ringcentral).await, app.line(Ringcentral).await);
    for line in [&line, &other] {
        app.reply(&contact(1), line, "An old text").await;
        app.work().await;
    }
    days(app, 40);
    set(app, Some(account_of(app, line.id).await), THIRTY).await;
    work_off(app).await;
    assert_eq!(app.timeline(&line, &contact(1)).await[0].written.body(), None);
    assert_eq!(app.timeline(&other, &contact(1)).await[0].written.body(), Some("An old text"));
}

async fn what_a_program_was_answered_loses_its_text(app: &TestApp) {
    let line = app.line(Inbox).await;
    let asked = async |path: &str, key: &str, body: serde_json::Value| {
        let request = app.http.post(format!("{}/api/v1/{path}", app.url)).bearer_auth(&line.token).header("idempotency-key", key);
        request.json(&body).send().await.unwrap().json::<serde_json::Value>().await.unwrap()
    };
    let message = |text: &str| serde_json::json!({ "line": line.number, "to": contact(1), "text": text });
    let said = r#"An old text, "text":"quoted", \ and all"#;
    let first = asked("messages", "one", message(said)).await;
    // More than one batch; the console's keys have no text.
    for n in 0..201 {
        asked("messages", &format!("more {n}"), message("An old text")).await;
    }
    let blast = serde_json::json!({ "line": line.number, "recipients": [contact(2)], "text": "An old text" });
    asked("blasts", "mass", blast.clone()).await;
    app.work().await;
    days(app, 2);
    asked("messages", "new", message("A new text")).await;
    set(app, Some(account_of(app, line.id).await), Retention { message_days: Some(1), ..Retention::default() }).await;
    work_off(app).await;
    let of = async |text: &str| -> i64 {
        app.db.one::<(i64,)>("select count(*) from idempotency_key where answer like $1", [format!("%{text}%")]).await.unwrap().0
    };
    assert_eq!((of("An old text").await, of("A new text").await), (0, 1));
    let again = asked("messages", "one", message(said)).await;
    assert_eq!((&again["id"], &again["to"], &again["text"]), (&first["id"], &first["to"], &"".into()), "the same message, not sent again");
    assert_eq!(asked("blasts", "mass", blast).await["text"], "");
}

async fn many_blasts_go_in_batches(app: &TestApp) {
    let line = app.line(Inbox).await;
    for n in 0..201 {
        app.blast(&line, &[contact(n % 3)], "Old sale").await;
    }
    app.work().await;
    days(app, 40);
    set(app, Some(account_of(app, line.id).await), THIRTY).await;
    work_off(app).await;
    assert!(is_nowhere(app, "Old sale").await);
}

/// From now on the first batch that touches this table does this to its line, as if it had happened behind it.
async fn meanwhile(app: &TestApp, table: &str, when: &str, does: &str) {
    let leaked = |text: String| -> &'static str { text.leak() };
    let statements = [
        Sql {
            sqlite: leaked(format!(
                "create trigger meanwhile after update on {table} when {when} begin update line set {does} where id = new.line_id; end"
            )),
            postgres: leaked(format!(
                "create function meanwhile() returns trigger language plpgsql as
                 'begin update line set {does} where id = new.line_id; return new; end'"
            )),
        },
        Sql {
            sqlite: "select 1",
            postgres: leaked(format!(
                "create trigger meanwhile after update on {table} for each row when ({when}) execute function meanwhile()"
            )),
        },
    ];
    for statement in statements {
        app.db.work(async |tx| tx.run(statement, ()).await).await.unwrap();
    }
}

async fn a_pass_under_way_stops_when_the_line_changes_hands(app: &TestApp) {
    let (line, _) = (app.line(Inbox).await, app.line(Inbox).await);
    let to: Vec<String> = (0..450).map(|n| contact(100 + n)).collect();
    app.blast(&line, &to, "Old mass").await;
    app.work().await;
    days(app, 40);
    set(app, Some(account_of(app, line.id).await), THIRTY).await;
    let theirs = "account_id = (select o.account_id from line o where o.id <> new.line_id)";
    meanwhile(app, "message", "new.removed_after is not null", theirs).await;
    work_off(app).await;
    let (removed, blasts): (i64, i64) = app
        .db
        .one("select (select count(*) from message where removed_after is not null), (select count(*) from blast where body <> '')", ())
        .await
        .unwrap();
    assert_eq!((removed, blasts), (200, 1), "one batch, and then the line was another account's");
}

async fn a_pass_under_way_stops_when_the_line_is_being_transferred(app: &TestApp) {
    let (line, theirs) = (app.line(Ringcentral).await, app.line(Ringcentral).await);
    let to: Vec<String> = (0..250).map(|n| contact(100 + n)).collect();
    app.blast(&line, &to, "Held long").await;
    app.work().await;
    days(app, 8);
    set(app, Some(account_of(app, line.id).await), Retention { held_days: Some(7), ..Retention::default() }).await;
    let answers = [("line", line.id.to_string()), ("to", account_of(app, theirs.id).await.to_string())];
    let answers = answers.map(|(name, answer)| (name.to_owned(), answer)).into();
    utilities::plan(&app.db, &app.now, &app.staff, UtilityKind::LineTransfer, &answers, None, i64::MAX).await.unwrap();
    meanwhile(app, "sync_entry", "new.state = 'skipped'", "transfer_id = (select r.id from utility_run r)").await;
    work_off(app).await;
    let held = sync::counts_of_line(&app.db, line.id).await.unwrap();
    assert_eq!((held.held, held.skipped), (50, 200));
}

async fn a_preview_counts_and_changes_nothing(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.send(&line, &contact(1), "Held one").await;
    app.work().await;
    let account = Some(account_of(app, line.id).await);
    let wanted = Retention { message_days: Some(1), held_days: Some(1), ..Retention::default() };
    let preview = async || retention::preview(&app.db, &app.now, &app.staff.permit().unwrap(), account, wanted).await.unwrap();
    assert_eq!((preview().await.messages, preview().await.held), (0, 0));
    days(app, 2);
    assert_eq!((preview().await.messages, preview().await.held), (1, 1));
    work_off(app).await;
    assert!(!is_nowhere(app, "Held one").await, "only what is set is worked off");
    let zero = Retention { message_days: Some(0), ..Retention::default() };
    let refused = retention::preview(&app.db, &app.now, &app.staff.permit().unwrap(), account, zero).await;
    assert!(matches!(refused, Err(Problem::Invalid { .. })));
    let short = Retention { audit_days: Some(30), ..Retention::default() };
    let refused = retention::preview(&app.db, &app.now, &app.staff.permit().unwrap(), None, short).await;
    assert!(matches!(refused, Err(Problem::Invalid { .. })), "an auditor must find something: {refused:?}");
}

async fn sealed(app: &TestApp) {
    while seal(&app.db, &app.now).await.unwrap() > 0 {}
}

async fn changes(app: &TestApp, count: usize) {
    for n in 0..count {
        let name = app.text(&format!("Change {n}"));
        switchyard::directory::accounts::add(&app.db, &app.now, &app.staff.permit().unwrap(), &name, true, true).await.unwrap();
        app.pass(1);
    }
}

async fn a_cut_audit_is_checked_from_where_it_was_cut(app: &TestApp) {
    changes(app, 6).await;
    sealed(app).await;
    let early = verify(&app.db, None).await.unwrap().head;
    days(app, 60);
    changes(app, 3).await;
    sealed(app).await;
    let kept = verify(&app.db, None).await.unwrap().head;
    days(app, 40);
    set(app, None, Retention { audit_days: Some(90), ..Retention::default() }).await;
    sealed(app).await;
    work_off(app).await;
    let unsealed = verify(&app.db, None).await.unwrap();
    assert_eq!((unsealed.broken, unsealed.cut), (None, early.as_ref().unwrap().0), "before the cut's own entry is sealed");
    sealed(app).await;
    let found = verify(&app.db, kept.clone()).await.unwrap();
    assert_eq!((found.broken, found.unsealed, found.sealed), (None, 0, 5), "three changes, the setting and the cut");
    assert_eq!(verify(&app.db, early.clone()).await.unwrap().broken, None, "the last one cut off is still known by its hash");
    let wrong = early.map(|(number, _)| (number, "0".repeat(64)));
    assert!(verify(&app.db, wrong).await.unwrap().broken.is_some());
    // Everything goes but what tells of it, and the numbers go on.
    days(app, 200);
    work_off(app).await;
    work_off(app).await;
    sealed(app).await;
    let (lowest,): (i64,) = app.db.one("select min(number) from audit_entry", ()).await.unwrap();
    assert!(lowest > kept.unwrap().0);
    assert_eq!(verify(&app.db, None).await.unwrap().broken, None);
    app.db.work(async |tx| tx.run("update audit_entry set after = null where number = $1", [lowest]).await).await.unwrap();
    assert!(verify(&app.db, None).await.unwrap().broken.is_some(), "what is left is guarded as before");
}

async fn a_cut_that_the_audit_does_not_tell_of_is_noticed(app: &TestApp) {
    changes(app, 4).await;
    sealed(app).await;
    app.db
        .work(async |tx| {
            tx.run("insert into audit_cut (number, hash, at) select number, hash, at from audit_entry where number = 2", ()).await?;
            tx.run("delete from audit_entry where number <= 2", ()).await
        })
        .await
        .unwrap();
    assert_eq!(verify(&app.db, None).await.unwrap().broken.map(|(number, _)| number), Some(2));
    assert!(!cut(&app.db, &app.now, app.now.at().minus(Duration::from_secs(DAY)), 90).await.unwrap(), "nothing is old enough");
}

async fn whoever_may_not_set_it_cannot_and_two_do_not_overwrite_each_other(app: &TestApp) {
    let h = house(app);
    let (own, other) = (h.account("Own").await, h.account("Other").await);
    let scoped = h.member_of(own).await;
    let support = h.member("sam@example.com", h.role("Support").await).await;
    let permit = scoped.permit().unwrap();
    assert!(support.permit::<staff::may::ManagePersonalData>().is_err());
    assert!(matches!(
        retention::set(&app.db, &app.now, &permit, Proof::at_the_shell(), Some(other), THIRTY).await,
        Err(Problem::NotFound { .. })
    ));
    assert!(matches!(
        retention::set(&app.db, &app.now, &permit, Proof::at_the_shell(), None, THIRTY).await,
        Err(Problem::Forbidden { .. })
    ));
    assert!(matches!(retention::get(&app.db, &scoped.permit().unwrap(), Some(other)).await, Err(Problem::NotFound { .. })));
    retention::set(&app.db, &app.now, &permit, Proof::at_the_shell(), Some(own), THIRTY).await.unwrap();
    retention::set(&app.db, &app.now, &permit, Proof::at_the_shell(), Some(own), Retention { version: 1, ..THIRTY }).await.unwrap();
    let late = retention::set(&app.db, &app.now, &permit, Proof::at_the_shell(), Some(own), Retention { version: 1, ..THIRTY }).await;
    assert!(matches!(late, Err(Problem::Conflict { .. })), "{late:?}");
    let wide = Retention { audit_days: Some(90), version: 2, ..THIRTY };
    retention::set(&app.db, &app.now, &permit, Proof::at_the_shell(), Some(own), wide).await.unwrap();
    let kept = retention::get(&app.db, &scoped.permit().unwrap(), Some(own)).await.unwrap();
    assert_eq!(kept.audit_days, None, "the platform's is not an account's");
}
