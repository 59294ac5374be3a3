//! The audit: who changed what, found again, and sealed, so that what somebody does to it afterwards is noticed.

mod places;

use crate::harness::{TestApp, contact, on_both_engines};
use crate::house::house;
use crate::sights::role;
use reqwest::Method;
use switchyard::directory::{accounts, contacts, people};
use switchyard::staff::{self, seal, verify};
use switchyard::sync;
use switchyard::types::IntegrationType::{Inbox, Ringcentral};
use switchyard::types::{AccountId, AuditEntry, AuditFilter, AuditOutcome, Permission, PhoneNumber};
use uuid::Uuid;

on_both_engines![
    every_change_is_sealed_within_a_second_and_the_seals_are_good,
    what_is_changed_removed_or_slipped_in_afterwards_is_noticed,
    an_end_that_was_cut_off_is_noticed_by_a_number_that_was_kept,
    what_was_sealed_before_the_audit_said_from_where_stays_good,
    an_entry_says_from_where_and_how_it_ended,
    two_who_seal_at_once_make_one_chain,
    the_audit_is_searched_by_who_what_and_whose,
    the_audit_is_narrowed_to_days_and_its_file_names_the_subject,
    all_that_was_done_about_one_conversation_or_contact_is_found,
    who_looks_after_named_accounts_sees_their_audit_alone,
];

/// So many changes, a second apart.
pub async fn changes(app: &TestApp, count: usize) {
    for _ in 0..count {
        accounts::add(&app.db, &app.now, &app.staff.permit().unwrap(), &app.text("Changed"), true, true).await.unwrap();
        app.pass(1);
    }
}

/// Seals everything that was changed until now.
pub async fn all_sealed(app: &TestApp) {
    while seal(&app.db, &app.now).await.unwrap() > 0 {}
}

async fn every_change_is_sealed_within_a_second_and_the_seals_are_good(app: &TestApp) {
    changes(app, 3).await;
    let before = verify(&app.db, None).await.unwrap();
    assert_eq!((before.sealed, before.broken), (0, None));
    assert!(before.unsealed >= 3 && before.unsealed_since.is_some(), "the tail is named");
    all_sealed(app).await;
    changes(app, 2).await;
    all_sealed(app).await;
    let after = verify(&app.db, None).await.unwrap();
    assert_eq!((after.sealed, after.broken, after.unsealed), (before.unsealed + 2, None, 0));
}

async fn what_is_changed_removed_or_slipped_in_afterwards_is_noticed(app: &TestApp) {
    changes(app, 6).await;
    all_sealed(app).await;
    let good = verify(&app.db, None).await.unwrap();
    let tamper = async |statement: &'static str| {
        app.db.work(async |tx| tx.run(statement, ()).await).await.unwrap();
        verify(&app.db, None).await.unwrap().broken.map(|(number, _)| number)
    };
    assert_eq!(tamper("update audit_entry set actor_name = 'Mallory' where number = 3").await, Some(3));
    assert_eq!(tamper("update audit_entry set actor_name = 'Ada Byron' where number = 3").await, None, "as it was");
    assert_eq!(tamper("update audit_entry set after = null where number = 2").await, Some(2));
    assert_eq!(tamper("delete from audit_entry where number = 2").await, Some(2), "it is missing");
    assert_eq!(verify(&app.db, None).await.unwrap().sealed, 1);
    assert!(good.broken.is_none());
}

async fn an_end_that_was_cut_off_is_noticed_by_a_number_that_was_kept(app: &TestApp) {
    changes(app, 4).await;
    all_sealed(app).await;
    let kept = verify(&app.db, None).await.unwrap().head;
    changes(app, 2).await;
    all_sealed(app).await;
    assert_eq!(verify(&app.db, kept.clone()).await.unwrap().broken, None);
    let last = kept.as_ref().unwrap().0;
    app.db.work(async |tx| tx.run("delete from audit_entry where number >= $1", [last]).await).await.unwrap();
    assert_eq!(verify(&app.db, None).await.unwrap().broken, None, "by itself the rest is a good chain");
    assert_eq!(verify(&app.db, kept).await.unwrap().broken.map(|(number, _)| number), Some(last));
}

/// The entry and its hash are of the program before this one: SHA-256 of the JSON of two lists.
async fn what_was_sealed_before_the_audit_said_from_where_stays_good(app: &TestApp) {
    let old = "8c7dd49fb108b753b15bdc4867decc8ccdc4013aadabb3a56656c233359344da";
    let id = uuid::Uuid::from_u128(1);
    let write = async |hash: &'static str| {
        app.db
            .work(async |tx| {
                tx.run("delete from audit_entry", ()).await?;
                tx.run(
                    "insert into audit_entry (id, at, actor_kind, actor_name, action, after, number, hash)
                     values ($1, 7, 'system', 'Switchyard', 'account.add', '{}', 1, $2)",
                    (id, hash.to_owned()),
                )
                .await
            })
            .await
            .unwrap();
        verify(&app.db, None).await.unwrap()
    };
    assert_eq!((write(old).await.broken, write(old).await.sealed), (None, 1));
    changes(app, 1).await;
    all_sealed(app).await;
    assert_eq!(verify(&app.db, None).await.unwrap().broken, None, "the new ones follow the old ones");
    let tamper = async |statement: &'static str| {
        app.db.work(async |tx| tx.run(statement, ()).await).await.unwrap();
        verify(&app.db, None).await.unwrap().broken.map(|(number, _)| number)
    };
    assert_eq!(tamper("update audit_entry set outcome = 'denied' where number = 1").await, Some(1), "the outcome is sealed");
    assert_eq!(tamper("update audit_entry set outcome = 'done' where number = 1").await, None);
    assert_eq!(tamper("update audit_entry set address = 'elsewhere' where number = 1").await, Some(1), "so is the address");
}

async fn an_entry_says_from_where_and_how_it_ended(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.blast(&line, &[contact(1)], "Sale").await;
    let blasts = AuditFilter { action: Some("blast.take".to_owned()), ..AuditFilter::default() };
    let found = searched(app, blasts).await;
    assert_eq!(found[0].address.as_deref(), Some("127.0.0.1"), "an account's program");
    assert_eq!(found[0].outcome, AuditOutcome::Done);
    let member = app.staff.clone().from(Some("2001:db8::7".to_owned()));
    accounts::add(&app.db, &app.now, &member.permit().unwrap(), "From afar", true, true).await.unwrap();
    let newest = searched(app, AuditFilter { actor: Some(member.id()), ..AuditFilter::default() }).await.remove(0);
    assert_eq!(newest.address.as_deref(), Some("2001:db8::7"));
    assert!(searched(app, AuditFilter { outcome: Some(AuditOutcome::Denied), ..AuditFilter::default() }).await.is_empty());
    assert!(!searched(app, AuditFilter { outcome: Some(AuditOutcome::Done), ..AuditFilter::default() }).await.is_empty());
}

async fn two_who_seal_at_once_make_one_chain(app: &TestApp) {
    for _ in 0..5 {
        changes(app, 4).await;
        let (first, second) = tokio::join!(seal(&app.db, &app.now), seal(&app.db, &app.now));
        assert!(first.unwrap() + second.unwrap() >= 4);
    }
    let found = verify(&app.db, None).await.unwrap();
    assert_eq!((found.broken, found.unsealed), (None, 0));
}

async fn searched(app: &TestApp, filter: AuditFilter) -> Vec<AuditEntry> {
    staff::search(&app.db, &app.staff.permit().unwrap(), &filter, None, 100).await.unwrap().rows
}

async fn the_audit_is_searched_by_who_what_and_whose(app: &TestApp) {
    let (one, other) = (app.line(Ringcentral).await, app.line(Ringcentral).await);
    app.pass(1);
    let between = app.now.at();
    app.pass(1);
    app.set_type(&one, Inbox).await;
    app.reply(&contact(1), &other, "STOP").await;
    let types = searched(app, AuditFilter { action: Some("line.integration_type".to_owned()), ..AuditFilter::default() }).await;
    assert_eq!(types.len(), 1);
    assert_eq!(types[0].line.as_ref().map(|(id, _)| *id), Some(one.id));
    let of_line = searched(app, AuditFilter { line: Some(one.id), ..AuditFilter::default() }).await;
    assert!(of_line.len() >= 2 && of_line.iter().all(|entry| entry.line.as_ref().is_some_and(|(id, _)| *id == one.id)));
    let earlier = searched(app, AuditFilter { line: Some(one.id), until: Some(between), ..AuditFilter::default() }).await;
    assert_eq!(earlier.len(), of_line.len() - 1, "the change of type came later");
    let mine = searched(app, AuditFilter { actor: Some(app.staff.id()), ..AuditFilter::default() }).await;
    assert!(mine.iter().all(|entry| entry.row.actor == "Ada Byron"));
    let account = of_line[0].account.as_ref().unwrap().0;
    let of_account = searched(app, AuditFilter { account: Some(account), ..AuditFilter::default() }).await;
    assert!(of_account.len() > of_line.len());
    let actions = staff::actions(&app.db, &app.staff.permit().unwrap()).await.unwrap();
    assert!(actions.is_sorted() && actions.contains(&"line.integration_type".to_owned()));
    // Page after page is the whole.
    let (mut after, mut count) = (None, 0);
    loop {
        let page = staff::search(&app.db, &app.staff.permit().unwrap(), &AuditFilter::default(), after.as_ref(), 3).await.unwrap();
        count += page.rows.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(count, searched(app, AuditFilter::default()).await.len());
}

async fn the_audit_is_narrowed_to_days_and_its_file_names_the_subject(app: &TestApp) {
    const DAY: u64 = 24 * 60 * 60;
    // 21 November 2026, then the 22nd and the 23rd, in UTC.
    let line = app.line(Ringcentral).await;
    app.reply(&contact(1), &line, "Hello").await;
    app.work().await;
    let id = app.conversation(&line, &contact(1)).await.id;
    let path = format!("/lines/{}/conversations/{id}", line.id);
    app.pass(DAY);
    assert_eq!(app.ask(&app.staff, Method::GET, &path, &[]).await.status(), 200);
    app.pass(DAY);
    changes(app, 1).await;
    let (account,): (AccountId,) = app.db.one("select account_id from line where id = $1", [line.id]).await.unwrap();

    let file = async |query: &str| app.ask(&app.staff, Method::GET, &format!("/audit.csv?{query}"), &[]).await.text().await.unwrap();
    for days in ["from=2026-11-22&until=2026-11-22", "from=2026-11-22T05:20:00&until=2026-11-22T05:40:00"] {
        let file = file(days).await;
        let [head, row] = file.lines().collect::<Vec<_>>()[..] else { panic!("{days}: {file}") };
        assert!(head.ends_with(",account_id,line_id,subject_id") && row.contains("conversation.see"), "{days}: {file}");
        assert!(row.ends_with(&format!(",{account},{},{id}", line.id)), "{row}");
    }
    let (before, later) = (file("until=2026-11-21").await, file("from=2026-11-23").await);
    assert!(before.contains("line.add") && !before.contains("conversation.see") && !before.contains("Changed"), "{before}");
    assert!(later.contains("Changed") && !later.contains("conversation.see") && !later.contains("line.add"), "{later}");
    assert_eq!(file("from=nonsense").await.lines().count(), file("").await.lines().count(), "what is no day narrows nothing");

    let page = async |member: &staff::Member, query: &str| {
        app.ask(member, Method::GET, &format!("/audit?{query}"), &[]).await.text().await.unwrap()
    };
    let that_day = page(&app.staff, "from=2026-11-22&until=2026-11-22").await;
    assert!(that_day.contains(&format!("href=\"{path}\"")) && that_day.contains("data-moment=\"2026-11-22\""));
    assert!(!page(&app.staff, "from=2026-11-23").await.contains(&path));
    // A member is chosen by who may see the staff.
    let chosen = format!("value=\"{}\"", app.staff.id());
    assert!(that_day.contains(&chosen));
    let auditor = role(app, "Auditor", &[Permission::SeeAudit], None).await;
    let auditor = house(app).member("auditor@example.com", auditor).await;
    let theirs = page(&auditor, "from=2026-11-22").await;
    assert!(theirs.contains("data-moment=\"2026-11-22\"") && !theirs.contains(&chosen));
}

async fn all_that_was_done_about_one_conversation_or_contact_is_found(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    for n in 1..=2 {
        app.reply(&contact(n), &line, "Hello").await;
    }
    app.work().await;
    app.send(&line, &contact(1), "Your order is ready").await;
    app.work().await;
    app.pass(1);
    let [one, other] = [app.conversation(&line, &contact(1)).await, app.conversation(&line, &contact(2)).await];
    let held = app.timeline(&line, &contact(1)).await.last().unwrap().id;
    sync::skip(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, held).await.unwrap();
    app.pass(1);
    sync::restore(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, held).await.unwrap();
    app.pass(1);
    for id in [one.id, other.id] {
        let path = format!("/lines/{}/conversations/{id}", line.id);
        assert_eq!(app.ask(&app.staff, Method::GET, &path, &[]).await.status(), 200);
    }
    let about = async |subject: Uuid| {
        let found = searched(app, AuditFilter { subject: Some(subject), ..AuditFilter::default() }).await;
        found.into_iter().rev().map(|entry| entry.row.action).collect::<Vec<_>>()
    };
    assert_eq!(about(one.id.0).await, ["message.send", "message.skip", "message.restore", "conversation.see"]);
    assert_eq!(about(other.id.0).await, ["conversation.see"], "and nothing of another one");
    let of_account = accounts::list(&app.db, &app.staff.permit().unwrap(), "", None, 1).await.unwrap().rows[0].id;
    let number = PhoneNumber::parse(&contact(1)).unwrap();
    people::name_contact(&app.db, &app.now, &app.staff.permit().unwrap(), of_account, &number, "Grace").await.unwrap();
    let known = contacts::list(&app.db, &app.staff.permit().unwrap(), of_account, None, 9).await.unwrap().rows;
    let known = known.iter().find(|row| row.name.as_deref() == Some("Grace")).unwrap().id;
    let version = contacts::get(&app.db, &app.staff.permit().unwrap(), known).await.unwrap().version;
    app.pass(1);
    contacts::set_closed(&app.db, &app.now, &app.staff.permit().unwrap(), known, version, true).await.unwrap();
    assert_eq!(about(known.0).await.last().map(String::as_str), Some("contact.close"));
    let file = app.ask(&app.staff, Method::GET, &format!("/audit.csv?subject={}", one.id), &[]).await.text().await.unwrap();
    assert_eq!(file.lines().count(), 1 + 4, "{file}");
    // Somebody of another account finds nothing of it.
    let h = house(app);
    let member = h.member_of(h.account("Elsewhere").await).await;
    let filter = AuditFilter { subject: Some(one.id.0), ..AuditFilter::default() };
    assert!(staff::search(&app.db, &member.permit().unwrap(), &filter, None, 9).await.unwrap().rows.is_empty());
}

async fn who_looks_after_named_accounts_sees_their_audit_alone(app: &TestApp) {
    app.line(Ringcentral).await;
    let h = house(app);
    let own = h.account("Own").await;
    let member = h.member_of(own).await;
    let seen = staff::search(&app.db, &member.permit().unwrap(), &AuditFilter::default(), None, 100).await.unwrap().rows;
    assert!(!seen.is_empty() && seen.iter().all(|entry| entry.account.as_ref().is_some_and(|(id, _)| *id == own)), "{seen:?}");
}
