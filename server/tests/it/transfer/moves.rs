//! What arrives, and what comes back.

use super::*;
use crate::harness::{keys, on_both_engines};
use switchyard::erasure;
use switchyard::messaging::blast::{self, Decision, Edit};
use switchyard::types::IntegrationType::{Inbox, None as NoRoute};
use switchyard::types::{BlastId, RunStep, UserId};

on_both_engines![
    everything_of_a_line_arrives_and_nothing_is_left,
    there_and_back_gives_the_same_rows,
    there_and_back_gives_the_same_rows_with_everything_dropped_and_reset,
    later_edits_win_over_what_a_transfer_back_would_restore,
    what_a_note_says_in_other_words_is_not_lost_and_the_other_name_is_kept,
    the_blasts_of_a_line_are_listed_by_its_new_account_from_the_first_moment,
    contacts_are_matched_by_number_and_closed_where_nobody_needs_them,
    contacts_of_a_blast_only_line_are_still_needed,
    an_edit_where_a_contact_came_from_survives_the_way_back,
    what_the_new_account_knew_of_a_contact_stays_there,
    a_contact_that_was_closed_is_closed_again,
    a_way_back_that_is_done_is_not_taken_back_by_a_button,
    names_that_were_given_since_come_along_on_the_way_back,
    contacts_whom_no_conversation_leads_to_follow_their_numbers,
    an_erased_contact_whom_no_conversation_leads_to_is_in_no_record,
    automatic_replies_that_are_dropped_are_gone_as_soon_as_the_line_has_moved,
    opt_outs_stay_and_opt_ins_are_reset_when_asked_for,
    what_comes_in_meanwhile_belongs_to_the_new_account,
    a_blast_only_line_moves,
    a_plan_counts_and_changes_nothing,
    a_blast_that_starts_meanwhile_waits_until_the_line_opens,
    scheduled_blasts_are_paused_until_the_new_owner_decides,
    scheduled_blasts_that_are_not_late_come_back_as_they_were,
    a_blast_that_the_new_owner_has_decided_about_is_left_to_them,
    a_blast_of_which_nothing_is_recorded_waits_for_the_new_owner,
    scheduled_blasts_are_cancelled_when_asked_for,
    an_erased_contact_is_in_no_record_of_a_transfer,
];

const TABLES: [&str; 16] = [
    "line",
    "consent",
    "conversation",
    "message",
    "blast",
    "lane",
    "sync_entry",
    "intent",
    "agent_post",
    "responder",
    "line_user",
    "contact",
    "chat",
    "erased_opt_out",
    "account",
    "account_user",
];

async fn everything_of_a_line_arrives_and_nothing_is_left(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let before: i64 = app.conversations(&scene.line).await.len().try_into().unwrap();
    let run = scene.transfer(&[]).await;
    scene.belongs_to(scene.to).await;
    let seen = scene.seen(run).await;
    assert_eq!(app.conversations(&scene.line).await.len() as i64, before);
    let done = |title: &str| -> RunStep { seen.steps.iter().find(|step| step.name == title).unwrap().clone() };
    assert_eq!((done("Conversations").done, done("Conversations").total), (before, before));
    assert_eq!(done("Messages").done, done("Messages").total);
    assert_eq!(done("Recount: messages").done, done("Messages").total, "all of them are recounted");
    assert!(seen.steps.iter().all(|step| step.ended_at.is_some()), "{:?}", seen.steps);
    assert!(seen.events.iter().any(|event| event.text.contains("with 2 opt-outs")), "{:?}", seen.events);
    assert!(seen.may_reverse && seen.acts.is_empty());
}

async fn there_and_back_gives_the_same_rows(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    note(app, scene.from, &contact(2), "From here").await;
    note(app, scene.to, &contact(2), "From there").await;
    let before = dump(app, &TABLES).await;
    let run = scene.transfer(&[]).await;
    assert_ne!(dump(app, &TABLES).await, before);
    assert_eq!(known(app, scene.to, &contact(2)).await.unwrap().1, "From there\nFrom here\nAlso known as Known here");
    app.pass(60);
    let back = scene.back(run).await;
    scene.belongs_to(scene.from).await;
    assert_eq!(dump(app, &TABLES).await, before);
    let seen = (scene.seen(run).await, scene.seen(back).await);
    assert_eq!((seen.0.reversed_by, seen.1.reverses), (Some(back), Some(run)));
    assert!(!seen.0.may_reverse);
}

async fn there_and_back_gives_the_same_rows_with_everything_dropped_and_reset(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let before = dump(app, &TABLES).await;
    let run = scene.transfer(&[("access", "keep"), ("responders", "drop"), ("opt_ins", "reset")]).await;
    let (opted_in, people, responders): (i64, i64, i64) = app
        .db
        .one(
            "select (select count(*) from consent where line_id = $1 and state = 'opted_in'),
               (select count(*) from line_user where line_id = $1), (select count(*) from responder where line_id = $1)",
            [scene.line.id],
        )
        .await
        .unwrap();
    assert_eq!((opted_in, people, responders), (0, 1, 0), "Ken has access in the new account");
    app.pass(60);
    scene.back(run).await;
    scene.belongs_to(scene.from).await;
    assert_eq!(dump(app, &TABLES).await, before);
}

async fn later_edits_win_over_what_a_transfer_back_would_restore(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let url = scheduled(&scene).await;
    let run = scene.transfer(&[("responders", "drop"), ("opt_ins", "reset")]).await;
    name(app, scene.to, &contact(1), "Edited since").await;
    people::add_responder(&app.db, &app.now, &app.staff.permit().unwrap(), scene.line.id, "hours", "Closed.").await.unwrap();
    let (closed,): (UserId,) =
        app.db.one("select id from account_user where account_id = $1 and email = 'rosa@example.com'", [scene.from]).await.unwrap();
    app.db.work(async |tx| tx.run("update account_user set closed_at = 5 where id = $1", [closed]).await).await.unwrap();
    app.db.work(async |tx| tx.run("update blast set version = version + 1 where line_id = $1", [scene.line.id]).await).await.unwrap();
    app.reply(&contact(5), &scene.line, "STOP").await;
    app.pass(60);
    let back = scene.back(run).await;
    assert_eq!(known(app, scene.from, &contact(1)).await.unwrap(), ("Edited since".to_owned(), String::new(), false));
    let (reply,): (String,) =
        app.db.one("select reply from responder where line_id = $1 and keyword = 'hours'", [scene.line.id]).await.unwrap();
    assert_eq!(reply, "Closed.");
    let consents: Vec<(String, String)> =
        app.db.all("select number, state from consent where line_id = $1 order by number", [scene.line.id]).await.unwrap();
    let state = |n: usize| consents.iter().find(|(number, _)| *number == contact(n)).map(|(_, state)| state.as_str());
    assert_eq!((state(5), state(6), state(3)), (Some("opted_out"), Some("opted_in"), Some("opted_out")), "an opt-out is never undone");
    let texts: Vec<String> = scene.seen(back).await.events.into_iter().map(|event| event.text).collect();
    assert!(texts.iter().any(|text| text.contains("edited since keep the edit: 1")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("new answer since: 1")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("Access came back for 1 person.")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("stay without access: 1.")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("as their contacts have said since: 1.")), "{texts:?}");
    let (people,): (i64,) = app.db.one("select count(*) from line_user where line_id = $1", [scene.line.id]).await.unwrap();
    assert_eq!(people, 1);
    // Each of them is named, and no number.
    let known = "select id from contact where account_id = $1 and number = $2";
    let (edited,): (ContactId,) = app.db.one(known, (scene.from, contact(1))).await.unwrap();
    let list = listed(&scene, back).await;
    for (what, id) in [
        ("contact", edited.to_string()),
        ("person", closed.to_string()),
        ("automatic reply", "hours".to_owned()),
        ("blast", url.rsplit('/').next().unwrap().to_owned()),
    ] {
        assert!(list.contains(&format!("\"{what}\",\"{id}\",")), "{what} {id}: {list}");
    }
    assert_eq!((list.lines().count(), list.contains("+1202555")), (5, false), "{list}");
    let undecided = "update blast set state = 'cancelled' where line_id = $1";
    app.db.work(async |tx| tx.run(undecided, [scene.line.id]).await).await.unwrap();
    erase(app, scene.from, &contact(1)).await;
    let list = listed(&scene, back).await;
    assert!(!list.contains(&edited.to_string()) && list.contains("\"contact\",\"erased\","), "{list}");
}

/// A run's result, whole.
async fn listed(scene: &Scene<'_>, run: RunId) -> String {
    let (mut text, mut n) = (String::new(), 0);
    while let Some(piece) = utilities::result(&scene.app.db, &scene.app.staff, run, n).await.unwrap() {
        text.push_str(&piece);
        n += 1;
    }
    text
}

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

async fn the_blasts_of_a_line_are_listed_by_its_new_account_from_the_first_moment(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    for n in 7..=9 {
        app.blast(&scene.theirs, &[contact(n)], &app.text("Theirs")).await;
        app.blast(&scene.line, &[contact(n)], &app.text("Sale")).await;
        app.pass(1);
    }
    app.work().await;
    app.pass(60);
    let permit = app.staff.permit().unwrap();
    let listed = async |account: AccountId| {
        let (mut lines, mut ids, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = blast::list(&app.db, &permit, Some(account), None, after.as_ref(), 2).await.unwrap();
            lines.extend(page.rows.iter().map(|row| row.line_id));
            ids.extend(page.rows.iter().map(|row| row.id));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert!(ids.is_sorted_by(|a, b| a > b), "the newest first, and each once");
        let of = |line: &TestLine| lines.iter().filter(|id| **id == line.id).count();
        (of(&scene.line), of(&scene.theirs))
    };
    assert_eq!((listed(scene.from).await, listed(scene.to).await), ((4, 0), (0, 3)));
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(1).await;
    assert_eq!((listed(scene.from).await, listed(scene.to).await), ((0, 0), (4, 3)));
    while scene.state(run).await != RunState::Succeeded {
        scene.steps(1).await;
        assert_eq!((listed(scene.from).await, listed(scene.to).await), ((0, 0), (4, 3)));
    }
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
async fn open(app: &TestApp, account: AccountId, number: &str) -> (String, String) {
    let (name, note, is_closed) = known(app, account, number).await.unwrap();
    assert!(!is_closed, "{name} is open");
    (name, note)
}

fn said(name: &str, note: &str) -> (String, String) {
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

async fn a_way_back_that_is_done_is_not_taken_back_by_a_button(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.transfer(&[]).await;
    app.pass(60);
    let back = scene.back(run).await;
    app.pass(60);
    assert!(!scene.seen(back).await.may_reverse);
    let refused = utilities::plan_reverse(&app.db, &app.now, &app.staff, back, ALONE).await;
    assert!(matches!(&refused, Err(Problem::Conflict { text }) if text.contains("Transfer it as any other line")), "{refused:?}");
    scene.transfer(&[]).await;
    assert_eq!(open(app, scene.to, &contact(1)).await, said("Known here", ""), "with its contacts");
}

async fn erase(app: &TestApp, account: AccountId, number: &str) {
    let permit = app.staff.permit().unwrap();
    let id = erasure::ask(&app.db, &app.now, &keys(), &permit, account, number, "Request 7").await.unwrap();
    erasure::erase(&app.db, &app.now, &keys(), &permit, proof(), id, &number[number.len() - 4..]).await.unwrap();
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

async fn records(app: &TestApp) -> String {
    let records: Vec<(String,)> = app.db.all("select body from utility_record", ()).await.unwrap();
    records.into_iter().map(|(body,)| body).collect::<Vec<_>>().join("\n")
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

async fn automatic_replies_that_are_dropped_are_gone_as_soon_as_the_line_has_moved(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan_with(&app.staff, &[("responders", "drop")]).await.unwrap();
    scene.start(run).await;
    let left = async || {
        let (left,): (i64,) = app.db.one("select count(*) from responder where line_id = $1", [scene.line.id]).await.unwrap();
        left
    };
    scene.steps(1).await;
    assert_eq!((account_of(app, scene.line.id).await, left().await), (scene.to, 1));
    scene.steps(1).await;
    assert_eq!(left().await, 0, "before anything else follows");
    let steps: Vec<String> = scene.seen(run).await.steps.into_iter().map(|step| step.name).collect();
    assert_eq!(steps[..2], ["The line changes hands", "Automatic replies"]);
    scene.finish(run).await;
    app.pass(60);
    scene.back(run).await;
    assert_eq!(left().await, 1);
}

async fn opt_outs_stay_and_opt_ins_are_reset_when_asked_for(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    scene.transfer(&[("opt_ins", "reset")]).await;
    let states: Vec<(String, String)> =
        app.db.all("select number, state from consent where line_id = $1 order by number", [scene.line.id]).await.unwrap();
    assert_eq!(states, [(contact(3), "opted_out".to_owned()), (contact(4), "opted_out".to_owned())]);
    let refused =
        app.post(&scene.theirs, "messages", &serde_json::json!({ "line": scene.line.number, "to": contact(3), "text": "Hi" })).await;
    assert_eq!(refused.status(), 409, "whoever has opted out of the line is not texted by its new owner");
    let history: Vec<(String, String)> = app
        .db
        .all("select state, source from consent_event where line_id = $1 and number = $2 order by id", (scene.line.id, contact(5)))
        .await
        .unwrap();
    assert_eq!(history.last().map(|(state, source)| (state.as_str(), source.as_str())), Some(("unknown", "transfer")));
    assert_eq!(history[0].0, "opted_in", "it is kept on record");
}

async fn what_comes_in_meanwhile_belongs_to_the_new_account(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let run = scene.plan().await;
    scene.start(run).await;
    let worker = worker(app);
    let mut n = 0;
    while worker.step().await.unwrap() {
        n += 1;
        let who = contact(20 + n % 30);
        match n % 4 {
            0 => drop(app.reply(&who, &scene.line, "STOP").await),
            1 => drop(app.reply(&contact(1 + n % 12), &scene.line, &app.text("Hello")).await),
            _ => drop(app.reply(&who, &scene.line, &app.text("Hello")).await),
        }
        if n % 5 == 0 {
            app.engine.step().await.unwrap();
        }
    }
    assert_eq!(scene.state(run).await, RunState::Succeeded, "{:?}", scene.seen(run).await.error);
    assert!(n > 20, "{n} batches");
    scene.belongs_to(scene.to).await;
    app.work().await;
    scene.belongs_to(scene.to).await;
}

async fn a_blast_only_line_moves(app: &TestApp) {
    let line = app.line(NoRoute).await;
    let theirs = app.line(Inbox).await;
    let (from, to) = (account_of(app, line.id).await, account_of(app, theirs.id).await);
    app.blast(&line, &(1..=30).map(contact).collect::<Vec<_>>(), &app.text("Sale")).await;
    app.work().await;
    app.reply(&contact(1), &line, "STOP").await;
    app.work().await;
    app.pass(60);
    let scene = Scene { app, line, from, to, theirs };
    scene.transfer(&[]).await;
    let (left,): (i64,) =
        app.db.one("select count(*) from message where line_id = $1 and account_id <> $2", (scene.line.id, to)).await.unwrap();
    assert_eq!(left, 0);
}

async fn a_plan_counts_and_changes_nothing(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let before = dump(app, &TABLES).await;
    let run = scene.plan().await;
    assert_eq!(dump(app, &TABLES).await, before);
    let plan = scene.seen(run).await.plan;
    let (messages,): (i64,) = app.db.one("select count(*) from message where line_id = $1", [scene.line.id]).await.unwrap();
    let counted = |name: &str| plan.counts.iter().find(|count| count.name == name).unwrap().rows;
    assert_eq!((counted("Messages"), counted("Conversations"), counted("Opt-outs"), counted("Opt-ins")), (messages, 12, 2, 2));
    assert_eq!(counted("People with access"), 2);
    assert!(plan.conflicts.iter().any(|text| text.contains("both accounts know: 1.")), "{:?}", plan.conflicts);
    assert_eq!(plan.obstacles, []);
    assert!(plan.seconds.is_some_and(|seconds| seconds >= 1));
    assert!(!worker(app).step().await.unwrap(), "nothing is started by a plan");
}

async fn a_blast_that_starts_meanwhile_waits_until_the_line_opens(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(3).await;
    let as_owner = TestLine { token: scene.theirs.token.clone(), ..scene.line.clone() };
    app.blast(&as_owner, &[contact(11), contact(12)], &app.text("Later")).await;
    assert!(!switchyard::messaging::blast::record_next(&app.db, &app.now).await.unwrap(), "it waits");
    scene.finish(run).await;
    assert!(switchyard::messaging::blast::record_next(&app.db, &app.now).await.unwrap(), "the line is open");
}

/// A blast of the old account that starts in an hour; its address in the API.
async fn scheduled(scene: &Scene<'_>) -> String {
    let starts_at = scene.app.now.at().plus(std::time::Duration::from_secs(3_600)).rfc3339();
    let (line, text) = (scene.line.id, scene.app.text("Planned"));
    let blast = serde_json::json!({ "line": line, "text": text, "recipients": [contact(11)], "starts_at": starts_at });
    let taken: serde_json::Value = scene.app.post(&scene.line, "blasts", &blast).await.json().await.unwrap();
    taken["url"].as_str().unwrap().to_owned()
}

fn heard(app: &TestApp, who: &str) -> usize {
    crate::verdict::received(&app.sandbox.journal(0), who).iter().filter(|text| text.contains("Planned")).count()
}

async fn scheduled_blasts_are_paused_until_the_new_owner_decides(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let url = scheduled(&scene).await;
    let run = scene.transfer(&[]).await;
    app.pass(7_200);
    app.work().await;
    assert_eq!((heard(app, &contact(11)), app.get(&scene.theirs, &url).await["state"].as_str()), (0, Some("paused")));
    app.pass(60);
    let back = scene.back(run).await;
    assert_eq!(app.get(&scene.line, &url).await["state"], "paused", "its time has passed: whether it goes out is for somebody to decide");
    app.work().await;
    assert_eq!(heard(app, &contact(11)), 0);
    let texts: Vec<String> = scene.seen(back).await.events.into_iter().map(|event| event.text).collect();
    assert!(texts.iter().any(|text| text.contains("stay paused until somebody decides: 1")), "{texts:?}");
    let run = scene.transfer(&[]).await;
    let resume = |token: &str| app.http.post(format!("{}{url}/resume", app.url)).bearer_auth(token.to_owned()).send();
    assert_eq!(resume(&scene.line.token).await.unwrap().status(), 404, "the old owner decides nothing");
    assert_eq!(resume(&scene.theirs.token).await.unwrap().status(), 200);
    app.work().await;
    assert_eq!(heard(app, &contact(11)), 1);
    assert_eq!(scene.state(run).await, RunState::Succeeded);
}

async fn scheduled_blasts_that_are_not_late_come_back_as_they_were(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let url = scheduled(&scene).await;
    let before = dump(app, &["blast"]).await;
    let run = scene.transfer(&[]).await;
    app.pass(60);
    scene.back(run).await;
    assert_eq!(app.get(&scene.line, &url).await["state"], "scheduled");
    assert_eq!(dump(app, &["blast"]).await, before);
    app.pass(7_200);
    app.work().await;
    assert_eq!(heard(app, &contact(11)), 1);
}

async fn a_blast_that_the_new_owner_has_decided_about_is_left_to_them(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let urls = [scheduled(&scene).await, scheduled(&scene).await, scheduled(&scene).await];
    let [stopped, rewritten, _] = urls.each_ref().map(|url| -> BlastId { url.rsplit('/').next().unwrap().parse().unwrap() });
    let run = scene.transfer(&[]).await;
    let permit = app.staff.permit().unwrap();
    let version = async |id: BlastId| {
        let found = app.db.one::<(i64,)>("select version from blast where line_id = $1 and id = $2", (scene.line.id, id)).await;
        found.unwrap().0
    };
    for decision in [Decision::Resume, Decision::Pause] {
        let seen = version(stopped).await;
        blast::decide_as_staff(&app.db, &app.now, &permit, (scene.line.id, stopped), seen, decision).await.unwrap();
    }
    let wish = Edit { version: version(rewritten).await, text: "Rewritten".to_owned(), starts_at: None };
    blast::edit(&app.db, &app.now, &permit, (scene.line.id, rewritten), &wish).await.unwrap();
    app.pass(60);
    let back = scene.back(run).await;
    let mut states = Vec::new();
    for url in &urls {
        states.push(app.get(&scene.line, url).await["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(states, ["paused", "paused", "scheduled"]);
    let texts: Vec<String> = scene.seen(back).await.events.into_iter().map(|event| event.text).collect();
    assert!(texts.iter().any(|text| text.contains("scheduled again: 1 of 3")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("somebody has decided since: 2.")), "{texts:?}");
}

async fn a_blast_of_which_nothing_is_recorded_waits_for_the_new_owner(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let taken = app.blast(&scene.line, &[contact(11)], &app.text("Planned")).await;
    let url = taken["url"].as_str().unwrap();
    let plan = scene.seen(scene.plan().await).await.plan;
    assert_eq!(plan.counts.iter().find(|count| count.name == "Scheduled blasts").unwrap().rows, 1);
    assert_eq!(plan.obstacles, []);
    scene.transfer(&[]).await;
    app.work().await;
    assert_eq!((heard(app, &contact(11)), app.get(&scene.theirs, url).await["state"].as_str()), (0, Some("paused")));
    let resume = app.http.post(format!("{}{url}/resume", app.url)).bearer_auth(scene.theirs.token.clone()).send();
    assert_eq!(resume.await.unwrap().status(), 200);
    app.work().await;
    assert_eq!(heard(app, &contact(11)), 1);
}

async fn scheduled_blasts_are_cancelled_when_asked_for(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let url = scheduled(&scene).await;
    let run = scene.transfer(&[("scheduled", "cancel")]).await;
    assert_eq!(app.get(&scene.theirs, &url).await["state"], "cancelled");
    let told = records(app).await;
    assert!(told.contains("\"recipients\":[1]"), "how many they were: {told}");
    app.pass(7_200);
    let back = scene.back(run).await;
    app.work().await;
    assert_eq!(heard(app, &contact(11)), 0);
    let texts: Vec<String> = scene.seen(back).await.events.into_iter().map(|event| event.text).collect();
    assert!(texts.iter().any(|text| text.contains("do not come back: 1, with 1 recipient.")), "{texts:?}");
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
