//! What becomes of contacts: matched, merged, closed, erased, and told apart again on the way back.

use super::*;
use crate::harness::{keys, on_both_engines};
use switchyard::erasure;
use switchyard::types::IntegrationType::{Inbox, None as NoRoute};

on_both_engines![
    what_a_note_says_in_other_words_is_not_lost_and_the_other_name_is_kept,
    contacts_are_matched_by_number_and_closed_where_nobody_needs_them,
    contacts_of_a_blast_only_line_are_still_needed,
    an_edit_where_a_contact_came_from_survives_the_way_back,
    what_the_new_account_knew_of_a_contact_stays_there,
    a_contact_that_was_closed_is_closed_again,
    names_that_were_given_since_come_along_on_the_way_back,
    contacts_whom_no_conversation_leads_to_follow_their_numbers,
    an_erased_contact_whom_no_conversation_leads_to_is_in_no_record,
    an_erased_contact_is_in_no_record_of_a_transfer,
];

async fn what_a_note_says_in_other_words_is_not_lost_and_the_other_name_is_kept(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    write(app, scene.from, &contact(7), "Ada", "allergic to nuts").await;
    write(app, scene.to, &contact(7), "Countess", "Not allergic to nuts").await;
    write(app, scene.from, &contact(8), "Ada", "Has a dog").await;
    write(app, scene.to, &contact(8), "ada", "Calls at noon\nHas a dog").await;
    write(app, scene.from, &contact(9), "Ada", "").await;
    write(app, scene.to, &contact(9), "Countess", "").await;
    let before = dump(app, &["contact"]).await;
    let run = scene.transfer(&[]).await;
    let there = said("Countess", "Not allergic to nuts\nallergic to nuts\nAlso known as Ada");
    assert_eq!(open(app, scene.to, &contact(7)).await, there);
    assert_eq!(open(app, scene.to, &contact(8)).await, said("ada", "Calls at noon\nHas a dog"), "both say the same");
    assert_eq!(open(app, scene.to, &contact(9)).await, said("Countess", "Also known as Ada"));
    app.pass(60);
    let back = scene.back(run).await;
    assert_eq!(dump(app, &["contact"]).await, before);
    assert_eq!(scene.seen(back).await.result, None, "nobody has edited anything");
}

async fn contacts_are_matched_by_number_and_closed_where_nobody_needs_them(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    // Another line of the old account texts with the second contact, too.
    let permit = app.staff.permit().unwrap();
    let other =
        switchyard::directory::lines::add(&app.db, &app.now, &permit, scene.from, "+12025550119", "Back office", Inbox).await.unwrap();
    let second = TestLine { id: other, number: "+12025550119".to_owned(), ..scene.line.clone() };
    app.reply(&contact(2), &second, &app.text("Hello")).await;
    scene.transfer(&[]).await;
    let named = |name: &str, closed| Some((name.to_owned(), String::new(), closed));
    assert_eq!(known(app, scene.to, &contact(1)).await, named("Known here", false), "made there");
    assert_eq!(known(app, scene.from, &contact(1)).await, named("Known here", true), "no other use for it");
    let noted = Some(("Known there".to_owned(), "Also known as Known here".to_owned(), false));
    assert_eq!(known(app, scene.to, &contact(2)).await, noted, "their name stays");
    assert_eq!(known(app, scene.from, &contact(2)).await, named("Known here", false), "another line texts with them");
}

/// Writes a contact down, or edits it, whoever did that.
async fn write(app: &TestApp, account: AccountId, number: &str, name: &str, note: &str) {
    let (number, name, note, id) = (number.to_owned(), name.to_owned(), note.to_owned(), app.now.id());
    app.db
        .work(async |tx| {
            tx.run(
                "insert into contact (account_id, number, name, note, search, id) values ($1, $2, $3, $4, lower($3), $5)
                 on conflict (account_id, number) do update set name = excluded.name, note = excluded.note, search = excluded.search",
                (account, number, name, note, id),
            )
            .await
        })
        .await
        .unwrap();
}

/// Name and note of a contact that is open.
pub(super) async fn open(app: &TestApp, account: AccountId, number: &str) -> (String, String) {
    let (name, note, is_closed) = known(app, account, number).await.unwrap();
    assert!(!is_closed, "{name} is open");
    (name, note)
}

pub(super) fn said(name: &str, note: &str) -> (String, String) {
    (name.to_owned(), note.to_owned())
}

async fn contacts_of_a_blast_only_line_are_still_needed(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let permit = app.staff.permit().unwrap();
    let shouts = async |account, number: &str, token: &str| {
        let id = switchyard::directory::lines::add(&app.db, &app.now, &permit, account, number, "Shouts", NoRoute).await.unwrap();
        TestLine { id, number: number.to_owned(), token: token.to_owned(), ..scene.line.clone() }
    };
    let ours = shouts(scene.from, "+12025550118", &scene.line.token).await;
    let theirs = shouts(scene.to, "+12025550119", &scene.theirs.token).await;
    for n in [7, 8, 9] {
        write(app, scene.from, &contact(n), "Known here", "").await;
    }
    app.blast(&ours, &[contact(7)], &app.text("Sale")).await;
    app.work().await;
    app.reply(&contact(8), &ours, "STOP").await;
    app.work().await;
    // Of that one only what they consented to is left.
    let gone = "delete from message where line_id = $1 and number = $2";
    app.db.work(async |tx| tx.run(gone, (ours.id, contact(8))).await).await.unwrap();
    app.pass(60);
    let run = scene.transfer(&[]).await;
    let closed = async |n: usize| known(app, scene.from, &contact(n)).await.unwrap().2;
    assert_eq!((closed(7).await, closed(8).await, closed(9).await), (false, false, true));
    // The new account's blasts go to one that was made there.
    app.blast(&theirs, &[contact(7)], &app.text("Sale")).await;
    app.work().await;
    app.pass(60);
    scene.back(run).await;
    let knows = async |n: usize| known(app, scene.to, &contact(n)).await.is_some();
    assert_eq!((knows(7).await, knows(8).await, knows(9).await), (true, false, false));
}

async fn an_edit_where_a_contact_came_from_survives_the_way_back(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    for n in 7..=10 {
        write(app, scene.from, &contact(n), "As given", "Old note").await;
    }
    let run = scene.transfer(&[]).await;
    write(app, scene.from, &contact(7), "Edited at home", "Old note").await;
    write(app, scene.from, &contact(8), "Edited at home", "Old note").await;
    write(app, scene.to, &contact(8), "As given", "Noted there").await;
    write(app, scene.from, &contact(9), "Edited at home", "Noted at home").await;
    write(app, scene.to, &contact(9), "Edited there", "Noted there").await;
    app.pass(60);
    let back = scene.back(run).await;
    assert_eq!(open(app, scene.from, &contact(7)).await, said("Edited at home", "Old note"));
    assert_eq!(known(app, scene.to, &contact(7)).await, None, "what nobody edited there goes");
    assert_eq!(open(app, scene.from, &contact(8)).await, said("Edited at home", "Noted there"), "each field by itself");
    assert_eq!(open(app, scene.from, &contact(9)).await, said("Edited at home", "Noted at home\nNoted there"), "nothing is lost");
    assert_eq!(open(app, scene.from, &contact(10)).await, said("As given", "Old note"));
    let texts: Vec<String> = scene.seen(back).await.events.into_iter().map(|event| event.text).collect();
    assert!(texts.iter().any(|text| text.contains("edited since keep the edit")), "{texts:?}");
}

async fn what_the_new_account_knew_of_a_contact_stays_there(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    for (n, ours) in [(7, "From here"), (8, "From here"), (9, ""), (10, "From here")] {
        write(app, scene.from, &contact(n), "Known here", ours).await;
        write(app, scene.to, &contact(n), "Known there", "Their secret").await;
    }
    let run = scene.transfer(&[]).await;
    assert_eq!(open(app, scene.to, &contact(7)).await, said("Known there", "Their secret\nFrom here\nAlso known as Known here"));
    let edits = [
        (7, "Known there", "Their secret\nFrom here\nAlso known as Known here\nCalls on Mondays"),
        (8, "Known there", "Their secret, well kept\nFrom here"),
        (9, "Known there", "Their secret\nAlso known as Known here\nCalls on Mondays"),
        (10, "Edited there", "Their secret\nFrom here\nAlso known as Known here"),
    ];
    for (n, name, note) in edits {
        write(app, scene.to, &contact(n), name, note).await;
    }
    app.pass(60);
    scene.back(run).await;
    assert_eq!(open(app, scene.from, &contact(7)).await, said("Known here", "From here\nCalls on Mondays"));
    assert_eq!(open(app, scene.from, &contact(8)).await, said("Known here", "From here"), "nobody can tell the two apart");
    assert_eq!(open(app, scene.from, &contact(9)).await, said("Known here", "Calls on Mondays"), "what was added there");
    assert_eq!(open(app, scene.from, &contact(10)).await, said("Edited there", "From here"), "a later edit");
    for (n, name, note) in edits {
        assert_eq!(open(app, scene.to, &contact(n)).await, said(name, note), "who edited it keeps it");
    }
}

async fn a_contact_that_was_closed_is_closed_again(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    write(app, scene.from, &contact(9), "Known here", "").await;
    write(app, scene.to, &contact(9), "Known there", "").await;
    let closes = "update contact set closed_at = 5 where account_id = $1 and number = $2";
    app.db.work(async |tx| tx.run(closes, (scene.to, contact(9))).await).await.unwrap();
    let before = dump(app, &["contact"]).await;
    let run = scene.transfer(&[]).await;
    assert_eq!(open(app, scene.to, &contact(9)).await, said("Known there", "Also known as Known here"), "they text with them now");
    app.pass(60);
    scene.back(run).await;
    assert_eq!(dump(app, &["contact"]).await, before);
}

async fn names_that_were_given_since_come_along_on_the_way_back(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    // Whom the new account knew already is none of the other one's business.
    name(app, scene.to, &contact(8), "Known there").await;
    app.pass(60);
    let run = scene.transfer(&[]).await;
    app.pass(60);
    name(app, scene.to, &contact(7), "Named since").await;
    // Whom the other one has erased meanwhile stays so.
    erase(app, scene.from, &contact(1)).await;
    let back = scene.back(run).await;
    assert_eq!(open(app, scene.from, &contact(7)).await, said("Named since", ""));
    assert!(known(app, scene.to, &contact(7)).await.unwrap().2, "closed where the line is no more");
    assert_eq!(open(app, scene.to, &contact(8)).await, said("Known there", ""));
    assert_eq!((known(app, scene.from, &contact(8)).await, known(app, scene.from, &contact(1)).await), (None, None));
    let texts: Vec<String> = scene.seen(back).await.events.into_iter().map(|event| event.text).collect();
    assert!(texts.iter().any(|text| text.contains("does not know, and that come along: 1.")), "{texts:?}");
}

/// A line that only sends blasts, to five contacts, and that has the consent of one whom nobody texted; three of them have a name.
async fn without_conversations(app: &TestApp) -> Scene<'_> {
    let (line, theirs) = (app.line(NoRoute).await, app.line(Inbox).await);
    let (from, to) = (account_of(app, line.id).await, account_of(app, theirs.id).await);
    app.blast(&line, &(1..=5).map(contact).collect::<Vec<_>>(), &app.text("Sale")).await;
    app.work().await;
    let imported = "insert into consent (line_id, number, account_id, state, source, at) values ($1, $2, $3, 'opted_in', 'import', 5)";
    app.db.work(async |tx| tx.run(imported, (line.id, contact(40), from)).await).await.unwrap();
    for n in [1, 2, 40] {
        name(app, from, &contact(n), "Known here").await;
    }
    name(app, to, &contact(2), "Known there").await;
    note(app, from, &contact(2), "From here").await;
    note(app, to, &contact(2), "From there zq9").await;
    app.pass(60);
    Scene { app, line, from, to, theirs }
}

async fn contacts_whom_no_conversation_leads_to_follow_their_numbers(app: &TestApp) {
    let scene = without_conversations(app).await;
    let before = dump(app, &["contact"]).await;
    let plan = scene.seen(scene.plan().await).await.plan;
    assert_eq!(plan.counts.iter().find(|count| count.name == "Contacts, at most").unwrap().rows, 6);
    assert!(plan.conflicts.iter().any(|text| text.contains("both accounts know: 1.")), "{:?}", plan.conflicts);
    let run = scene.transfer(&[]).await;
    for n in [1, 40] {
        assert_eq!(open(app, scene.to, &contact(n)).await, said("Known here", ""), "made there");
        assert!(known(app, scene.from, &contact(n)).await.unwrap().2, "no other use for it");
    }
    assert_eq!(open(app, scene.to, &contact(2)).await, said("Known there", "From there zq9\nFrom here\nAlso known as Known here"));
    let step = scene.seen(run).await.steps.into_iter().find(|step| step.name == "Contacts").unwrap();
    assert_eq!((step.done, step.total), (6, 6));
    let told = records(app).await;
    assert!(told.contains("zq9") && !told.contains("+1202555"), "{told}");
    app.pass(60);
    scene.back(run).await;
    assert_eq!(dump(app, &["contact"]).await, before);
}

async fn an_erased_contact_whom_no_conversation_leads_to_is_in_no_record(app: &TestApp) {
    let scene = without_conversations(app).await;
    let run = scene.transfer(&[]).await;
    assert!(records(app).await.contains("zq9"));
    erase(app, scene.to, &contact(2)).await;
    let told = records(app).await;
    assert!(!told.contains("zq9"), "{told}");
    // What is left still takes the line back.
    app.pass(60);
    scene.back(run).await;
    assert_eq!(open(app, scene.from, &contact(1)).await, said("Known here", ""));
    assert_eq!(known(app, scene.to, &contact(1)).await, None);
}

async fn an_erased_contact_is_in_no_record_of_a_transfer(app: &TestApp) {
    let s = Scene::of(app, Ringcentral).await;
    note(app, s.to, &contact(2), "Calls at noon zq9").await;
    note(app, s.from, &contact(2), "Calls at nine").await;
    let run = s.transfer(&[]).await;
    let told = async || {
        let records: Vec<(String,)> = app.db.all("select body from utility_record", ()).await.unwrap();
        let keys: Vec<(String,)> = app.db.all("select behind || ' ' || up_to from utility_check", ()).await.unwrap();
        records.into_iter().chain(keys).map(|(text,)| text).collect::<Vec<_>>().join("\n")
    };
    let before = told().await;
    assert!(before.contains("zq9") && before.contains(&contact(6)), "what was merged, and the last number that consent was counted up to");
    let permit = app.staff.permit().unwrap();
    for number in [contact(2), contact(6)] {
        let id = erasure::ask(&app.db, &app.now, &keys(), &permit, s.to, &number, "Request 7").await.unwrap();
        let confirm = &number[number.len() - 4..];
        erasure::erase(&app.db, &app.now, &keys(), &permit, proof(), id, confirm).await.unwrap();
    }
    let after = told().await;
    for gone in ["zq9".to_owned(), contact(2), contact(6)] {
        assert!(!after.contains(&gone), "{gone} is left in {after}");
    }
    // What is left still takes the line back.
    s.back(run).await;
    s.belongs_to(s.from).await;
    assert_eq!(known(app, s.from, &contact(1)).await.map(|(name, ..)| name).as_deref(), Some("Known here"));
}
