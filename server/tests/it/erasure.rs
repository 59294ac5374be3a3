//! Erasing one contact: nothing of theirs is left in any table, nobody else's is touched, an opt-out holds for good, the audit stays
//! sealed, and what is under way is waited for.

use crate::harness::{TestApp, TestLine, contact, keys, on_both_engines, tells};
use crate::house::house;
use crate::sights::role;
use crate::transfer::move_line;
use reqwest::Method;
use server::sandbox::HandsetText;
use switchyard::db::Engine;
use switchyard::directory::{contacts, lines, people};
use switchyard::erasure;
use switchyard::staff::{self, Proof, seal, verify};
use switchyard::sync;
use switchyard::types::IntegrationType::{None as BlastOnly, Ringcentral};
use switchyard::types::{AccountId, AuditFilter, AuditOutcome, ErasureId, Permission, PhoneNumber, Problem, Written};

on_both_engines![
    nothing_of_an_erased_contact_is_left_anywhere,
    nobody_else_loses_anything,
    an_erased_contact_who_opted_out_is_never_texted_again_until_they_write_start,
    what_is_under_way_is_waited_for,
    it_is_confirmed_by_the_last_digits_and_done_once,
    a_number_that_the_audit_holds_is_unreadable_afterwards_and_the_seals_are_good,
    after_a_transfer_the_audits_number_is_unreadable_too,
    only_who_may_erase_within_their_scope_can,
    whoever_sees_the_number_of_who_is_to_be_erased_is_in_the_audit,
    what_was_asked_for_and_not_done_is_forgotten,
];

const WORDS: &str = "Erase me zq9";

async fn account_of(app: &TestApp, line: &TestLine) -> AccountId {
    lines::get(&app.db, &app.staff.permit().unwrap(), line.id).await.unwrap().line.account_id
}

/// A contact who wrote, was answered and posted, and is held something; with a name.
async fn scene(app: &TestApp, number: &str) -> (TestLine, AccountId) {
    let line = app.line(Ringcentral).await;
    let account = account_of(app, &line).await;
    let parsed = PhoneNumber::parse(number).unwrap();
    people::name_contact(&app.db, &app.now, &app.staff.permit().unwrap(), account, &parsed, "Vera zq9").await.unwrap();
    talk(app, &line, number).await;
    (line, account)
}

async fn talk(app: &TestApp, line: &TestLine, number: &str) {
    app.reply(number, line, WORDS).await;
    app.work().await;
    app.send(line, number, "Held zq9").await;
    app.work().await;
}

async fn ask(app: &TestApp, account: AccountId, number: &str) -> ErasureId {
    erasure::ask(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), account, number, "Request 7").await.unwrap()
}

async fn erase(app: &TestApp, id: ErasureId, confirm: &str) -> Result<(), Problem> {
    erasure::erase(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), Proof::at_the_shell(), id, confirm).await
}

fn last_four(number: &str) -> &str {
    &number[number.len() - 4..]
}

/// Every text of every table, whatever it is called.
async fn whole_database(app: &TestApp) -> String {
    let mut all = String::new();
    let (names, postgres) = match app.db.engine() {
        Engine::Sqlite => ("select name from sqlite_master where type = 'table'", false),
        Engine::Postgres => ("select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace", true),
    };
    let tables: Vec<(String,)> = app.db.all(names, ()).await.unwrap();
    for (table,) in tables.into_iter().filter(|(table,)| !table.starts_with("_sqlx")) {
        let text: String = if postgres {
            format!("select t::text from {table} t")
        } else {
            let columns: Vec<(String,)> =
                app.db.all("select name from pragma_table_info($1) where type = 'TEXT' collate nocase", [table.clone()]).await.unwrap();
            if columns.is_empty() {
                continue;
            }
            let list = columns.iter().map(|(column,)| format!("coalesce(\"{column}\", '')")).collect::<Vec<_>>().join(" || '|' || ");
            format!("select {list} from {table}")
        };
        let text: &'static str = text.leak();
        let rows: Vec<(String,)> = app.db.all(text, ()).await.unwrap();
        for (row,) in rows {
            all.push_str(&format!("{table}: {row}\n"));
        }
    }
    all
}

async fn nothing_of_an_erased_contact_is_left_anywhere(app: &TestApp) {
    let number = contact(1);
    let (line, account) = scene(app, &number).await;
    // The same account's blast-only line, where there are no conversations.
    let permit = app.staff.permit().unwrap();
    let quiet = lines::add(&app.db, &app.now, &permit, account, "+12025550118", "Quiet", BlastOnly).await.unwrap();
    let quiet = TestLine { id: quiet, number: "+12025550118".to_owned(), ..line.clone() };
    app.reply(&number, &quiet, "Quiet zq9").await;
    // Somebody else writes to them and others.
    for others in [vec![number.clone(), contact(3)], vec![number.clone()]] {
        let text =
            HandsetText { from: contact(2), to: line.number.clone(), text: "To all".to_owned(), others, media: Vec::new(), delay_ms: None };
        app.sandbox.send_from_handset(text).await.unwrap();
    }
    app.work().await;
    // A program is answered the same again for a week.
    let asked = async || {
        let message = serde_json::json!({ "line": line.number, "to": number, "text": "By a program zq9" });
        let request = app.http.post(format!("{}/api/v1/messages", app.url)).bearer_auth(&line.token).header("idempotency-key", "one");
        request.json(&message).send().await.unwrap().text().await.unwrap()
    };
    let first = asked().await;
    assert!(first.contains("zq9") && first == asked().await, "{first}");
    app.work().await;
    app.pass(2 * 24 * 60 * 60);
    switchyard::messaging::idempotency::forget_old(&app.db, &app.now).await.unwrap();
    switchyard::ringcentral::events::forget_old(&app.db, &app.now).await.unwrap();
    // Just now somebody changed their name, and may take that back for a while.
    let named = contacts::list(&app.db, &app.staff.permit().unwrap(), account, None, 9).await.unwrap().rows.remove(0).id;
    let version = contacts::get(&app.db, &app.staff.permit().unwrap(), named).await.unwrap().version;
    for (n, name) in ["Nora zq9", "Vera zq9"].into_iter().enumerate() {
        let version = version + i64::try_from(n).unwrap();
        contacts::edit(&app.db, &app.now, &app.staff.permit().unwrap(), named, version, name, "Calls at night zq9").await.unwrap();
    }
    let before = whole_database(app).await;
    for there in [number.as_str(), "zq9"] {
        assert!(before.contains(there), "{there} is there to be erased");
    }
    assert!(before.lines().any(|row| row.starts_with("undo_step") && row.contains("zq9")), "so is what takes the change back");

    let id = ask(app, account, &number).await;
    let shown = erasure::get(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), id).await.unwrap();
    assert_eq!((shown.counts.conversations, shown.counts.messages, shown.counts.held, shown.counts.names), (1, 4, 2, 1), "{shown:?}");
    assert_eq!(
        (shown.counts.posts, shown.counts.chats.len(), shown.obstacle.clone()),
        (3, 2, None),
        "theirs, and those of the group texts"
    );
    assert_eq!(shown.counts.group_texts, 2);
    assert_eq!(whole_database(app).await.matches("zq9").count(), before.matches("zq9").count(), "asking erases nothing");
    erase(app, id, last_four(&number)).await.unwrap();

    let after = whole_database(app).await;
    for gone in [number.as_str(), "2025550121", "202 555 0121", "zq9"] {
        assert!(
            !after.contains(gone),
            "{gone} is left: {}",
            after.lines().filter(|line| line.contains(gone)).collect::<Vec<_>>().join("\n")
        );
    }
    assert_eq!(app.conversations(&line).await.len(), 1, "that of the one who wrote to them and others");
    let left = app.timeline(&line, &contact(2)).await;
    let mut others: Vec<usize> = left.iter().map(|row| others_of(&row.written)).collect();
    others.sort_unstable();
    assert_eq!(others, [0, 1], "{left:?}");
    let certificate = erasure::get(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), id).await.unwrap();
    let text = certificate.certificate().unwrap();
    for said in ["Request 7", "Ada Byron", "1 conversations, 4 messages", "3 posts in 2 chats", &shown.counts.chats[0]] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let file = app.ask(&app.staff, Method::GET, &format!("/erasures/{id}/certificate.txt"), &[]).await;
    assert_eq!(file.text().await.unwrap(), text);
    let page = app.ask(&app.staff, Method::GET, &format!("/erasures/{id}"), &[]).await.text().await.unwrap();
    assert!(page.contains("Certificate of erasure") && !tells(&page, "0121"));
    assert_eq!(erasure::list(&app.db, &app.staff.permit().unwrap(), account).await.unwrap().len(), 1);
    let again = asked().await;
    assert_eq!((again.as_str(), app.conversations(&line).await.len()), (r#"{"erased":true}"#, 1), "nothing is sent again");
    // They are a stranger from now on, and can begin anew.
    app.reply(&number, &line, "Hello again").await;
    app.work().await;
    assert_eq!(app.timeline(&line, &number).await.len(), 1);
}

fn others_of(written: &Written) -> usize {
    let Written::Whole { others, .. } = written else { panic!("{written:?}") };
    others.len()
}

async fn nobody_else_loses_anything(app: &TestApp) {
    let number = contact(1);
    let (line, account) = scene(app, &number).await;
    talk(app, &line, &contact(2)).await;
    let (other, _) = scene(app, &number).await;
    let count = async |line: &TestLine, number: &str| app.timeline(line, number).await.len();
    let before = (count(&line, &contact(2)).await, count(&other, &number).await);
    let id = ask(app, account, &number).await;
    erase(app, id, last_four(&number)).await.unwrap();
    assert_eq!((count(&line, &contact(2)).await, count(&other, &number).await), before, "another contact, and another account");
    assert_eq!(app.conversations(&line).await.len(), 1);
    app.reply(&contact(2), &line, "Still here").await;
    app.work().await;
    assert!(app.timeline(&line, &contact(2)).await.iter().all(|row| row.posted_at.is_some()), "and their lane goes on");
}

async fn an_erased_contact_who_opted_out_is_never_texted_again_until_they_write_start(app: &TestApp) {
    let number = contact(1);
    let (line, account) = scene(app, &number).await;
    app.reply(&number, &line, "STOP").await;
    app.work().await;
    let id = ask(app, account, &number).await;
    let shown = erasure::get(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), id).await.unwrap();
    assert_eq!(shown.counts.opt_outs, 1);
    erase(app, id, last_four(&number)).await.unwrap();
    assert!(!whole_database(app).await.contains(&number));
    let send = async || app.post(&line, "messages", &serde_json::json!({ "line": line.number, "to": number, "text": "Hello" })).await;
    assert_eq!(send().await.status(), 409, "they have opted out");
    let blast = app.blast(&line, &[number.clone(), contact(2)], "Sale").await;
    app.work().await;
    let path = format!("/api/v1/lines/{}/blasts/{}", line.id, blast["id"].as_str().unwrap());
    let blast = app.get(&line, &path).await;
    assert_eq!((blast["recorded"].as_i64(), blast["opted_out"].as_i64()), (Some(1), Some(1)), "{blast}");
    app.reply(&number, &line, "Are you there?").await;
    app.work().await;
    assert_eq!(send().await.status(), 409, "writing is not opting in");
    app.reply(&number, &line, "START").await;
    app.work().await;
    assert_eq!(send().await.status(), 201);
}

async fn what_is_under_way_is_waited_for(app: &TestApp) {
    let number = contact(1);
    let line = app.line(Ringcentral).await;
    let account = account_of(app, &line).await;
    let refused = async |what: &str| {
        let id = ask(app, account, &number).await;
        let shown = erasure::get(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), id).await.unwrap();
        assert!(shown.obstacle.is_some(), "{what}");
        assert!(matches!(erase(app, id, last_four(&number)).await, Err(Problem::Conflict { .. })), "{what}");
        id
    };
    // Nobody works meanwhile.
    app.send(&line, &number, "Waits to be sent zq9").await;
    refused("a message waits to be sent").await;
    app.work().await;
    app.reply(&number, &line, "On its way zq9").await;
    refused("a reply is on its way into RingCentral").await;
    app.work().await;
    app.blast(&line, &[contact(2)], "Recorded").await;
    let id = refused("a blast is being recorded").await;
    app.work().await;
    erase(app, id, last_four(&number)).await.unwrap();
    assert!(!whole_database(app).await.contains(&number));
}

async fn it_is_confirmed_by_the_last_digits_and_done_once(app: &TestApp) {
    let number = contact(1);
    let (_, account) = scene(app, &number).await;
    let id = ask(app, account, &number).await;
    for wrong in ["", "0122", "1", "+12025550121"] {
        assert!(matches!(erase(app, id, wrong).await, Err(Problem::Invalid { .. })), "{wrong}");
    }
    let (first, second) = tokio::join!(erase(app, id, "0121"), erase(app, id, "0121"));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let erased = AuditFilter { action: Some("contact.erase".to_owned()), ..AuditFilter::default() };
    let entries = staff::search(&app.db, &app.staff.permit().unwrap(), &erased, None, 10).await.unwrap().rows;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].account.as_ref().map(|(id, _)| *id), Some(account));
    for wrong in ["", "0121", "Vera"] {
        let asked = erasure::ask(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), account, wrong, "Request 8").await;
        let short_code = wrong == "0121";
        assert_eq!(asked.is_ok(), short_code, "{wrong}");
    }
}

async fn a_number_that_the_audit_holds_is_unreadable_afterwards_and_the_seals_are_good(app: &TestApp) {
    let number = contact(1);
    let (_, account) = scene(app, &number).await;
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    sync::find(&app.db, &app.now, &keys(), &vera.permit().unwrap(), None, &number).await.unwrap();
    while seal(&app.db, &app.now).await.unwrap() > 0 {}
    let searches = AuditFilter { action: Some("conversation.find".to_owned()), ..AuditFilter::default() };
    let told = async |member: &staff::Member| {
        let permit = member.permit().unwrap();
        let page = staff::search(&app.db, &permit, &searches, None, 10).await.unwrap();
        assert!(!format!("{page:?}").contains("2025550121"), "sealed as it lies there");
        staff::with_numbers(&app.db, &keys(), &permit, page).await.unwrap().rows.remove(0).row.after.unwrap()
    };
    assert!(told(&app.staff).await.contains("+1 202 555 0121"));
    let scoped = h.member_of(account).await;
    app.db
        .work(async |tx| tx.run("update audit_entry set account_id = $1 where action = 'conversation.find'", [account]).await)
        .await
        .unwrap();
    assert!(told(&scoped).await.contains("masked"), "for who sees personal data on all accounts");
    app.db.work(async |tx| tx.run("update audit_entry set account_id = null where action = 'conversation.find'", ()).await).await.unwrap();
    let id = ask(app, account, &number).await;
    erase(app, id, last_four(&number)).await.unwrap();
    while seal(&app.db, &app.now).await.unwrap() > 0 {}
    assert!(told(&app.staff).await.contains("erased"));
    assert_eq!(verify(&app.db, None).await.unwrap().broken, None);
}

async fn after_a_transfer_the_audits_number_is_unreadable_too(app: &TestApp) {
    let number = contact(1);
    let line = app.line(Ringcentral).await;
    let from = account_of(app, &line).await;
    talk(app, &line, &number).await;
    let theirs = app.line(Ringcentral).await;
    let to = account_of(app, &theirs).await;
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    sync::find(&app.db, &app.now, &keys(), &vera.permit().unwrap(), None, &number).await.unwrap();
    let keys_of = async || {
        let rows: Vec<(AccountId,)> = app.db.all("select account_id from contact_key where number = $1", [number.clone()]).await.unwrap();
        rows.into_iter().map(|(account,)| account).collect::<Vec<_>>()
    };
    assert_eq!(keys_of().await, [from], "of the account that had the line then");
    let told = async || {
        let searches = AuditFilter { action: Some("conversation.find".to_owned()), ..AuditFilter::default() };
        let permit = app.staff.permit().unwrap();
        let page = staff::search(&app.db, &permit, &searches, None, 10).await.unwrap();
        staff::with_numbers(&app.db, &keys(), &permit, page).await.unwrap().rows.remove(0).row.after.unwrap()
    };
    app.pass(60);
    move_line(app, &line, to).await;
    assert_eq!(account_of(app, &line).await, to);
    assert!(told().await.contains("+1 202 555 0121"));
    // A third account texts with them on a line of its own, and asks nobody to forget them.
    let (_, third) = scene(app, &number).await;
    let parsed = PhoneNumber::parse(&number).unwrap();
    let sealed = app.db.work(async |tx| staff::sealed_number(tx, &app.now, &keys(), third, &parsed).await).await.unwrap();
    assert!(sealed.is_some());
    let id = ask(app, to, &number).await;
    erase(app, id, last_four(&number)).await.unwrap();
    assert!(told().await.contains("erased"), "the account that had the line has nothing of them any more");
    assert_eq!(keys_of().await, [third]);
}

async fn only_who_may_erase_within_their_scope_can(app: &TestApp) {
    let number = contact(1);
    let (line, account) = scene(app, &number).await;
    let h = house(app);
    let support = h.member("sam@example.com", h.role("Support").await).await;
    let elsewhere = h.member_of(h.account("Elsewhere").await).await;
    let id = ask(app, account, &number).await;
    let form = [("id", id.to_string()), ("confirm", "0121".to_owned())];
    let form = form.each_ref().map(|(key, value)| (*key, value.as_str()));
    for (member, status) in [(&support, 403), (&elsewhere, 404)] {
        assert_eq!(app.ask(member, Method::POST, "/fn/erasures/erase", &form).await.status(), status);
        assert_eq!(app.ask(member, Method::GET, &format!("/erasures/{id}/certificate.txt"), &[]).await.status(), status);
        let page = app.ask(member, Method::GET, &format!("/erasures/{id}"), &[]).await;
        assert_eq!(page.status(), status);
        assert!(!tells(&page.text().await.unwrap(), "0121"));
    }
    let asked = erasure::ask(&app.db, &app.now, &keys(), &elsewhere.permit().unwrap(), account, &number, "Mine").await;
    assert!(matches!(asked, Err(Problem::NotFound { .. })));
    assert!(erasure::list(&app.db, &elsewhere.permit().unwrap(), account).await.unwrap().is_empty());
    assert_eq!(app.timeline(&line, &number).await.len(), 2, "nothing is gone");
}

async fn whoever_sees_the_number_of_who_is_to_be_erased_is_in_the_audit(app: &TestApp) {
    let number = contact(1);
    let (_, account) = scene(app, &number).await;
    let id = ask(app, account, &number).await;
    let sights = async || {
        let filter = AuditFilter { action: Some("contact.see_erasure".to_owned()), ..AuditFilter::default() };
        staff::search(&app.db, &app.staff.permit().unwrap(), &filter, None, 10).await.unwrap().rows
    };
    let is_told = async |member: &staff::Member| {
        let page = app.ask(member, Method::GET, &format!("/erasures/{id}"), &[]).await;
        assert_eq!(page.status(), 200);
        let page = page.text().await.unwrap();
        page.contains("12025550121") || page.contains("202 555 0121")
    };
    // Who may erase and sees no numbers is shown its end.
    let erases = role(app, "Erases", &[Permission::SeeDirectory, Permission::ManagePersonalData], None).await;
    let erin = house(app).member("erin@example.com", erases).await;
    assert!(!is_told(&erin).await);
    assert_eq!(sights().await, []);
    for _ in 0..2 {
        assert!(is_told(&app.staff).await);
    }
    let found = sights().await;
    assert_eq!(found.len(), 1, "once in ten minutes: {found:?}");
    assert_eq!((found[0].outcome, found[0].staff, found[0].subject), (AuditOutcome::Seen, Some(app.staff.id()), Some(id.0)));
    assert_eq!(found[0].account.as_ref().map(|(id, _)| *id), Some(account));
    assert!(!tells(&format!("{found:?}"), "0121"), "it tells no number itself");
    erase(app, id, last_four(&number)).await.unwrap();
    app.pass(601);
    assert!(!is_told(&app.staff).await);
    assert_eq!(sights().await.len(), 1, "of a certificate nobody sees a number");
}

async fn what_was_asked_for_and_not_done_is_forgotten(app: &TestApp) {
    let number = contact(1);
    let (_, account) = scene(app, &number).await;
    let id = ask(app, account, &number).await;
    app.pass(24 * 60 * 60);
    assert_eq!(erasure::forget_open(&app.db, &app.now).await.unwrap(), 1);
    assert!(matches!(erase(app, id, "0121").await, Err(Problem::NotFound { .. })));
}
