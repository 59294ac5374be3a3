//! Blasts as staff see them, write them, and decide about one.

use super::{account_of, audited, elsewhere, is_hidden, is_late, is_wrong};
use crate::doors::planned;
use crate::harness::{TestApp, TestLine, contact, keys, on_both_engines, tells};
use crate::house::{house, proof};
use crate::verdict::received;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use switchyard::directory::accounts;
use switchyard::messaging::blast::{self, Decision, Edit, Wanted};
use switchyard::staff::{Proof, may};
use switchyard::types::IntegrationType::{Inbox, Ringcentral};
use switchyard::types::{
    BlastDetail, BlastId, BlastPreview, BlastRecipient, BlastState, Change, Closed, Cursor, DraftId, MOST_BY_HAND, MessageState, Page,
    Problem, Timestamp,
};

on_both_engines![
    blasts_are_listed_by_account_and_line_and_their_figures_add_up,
    a_list_of_blasts_is_narrowed_to_a_state_on_its_page_and_in_its_file,
    a_scheduled_blast_is_paused_resumed_and_cancelled_by_staff,
    what_became_of_a_blast_is_seen_for_each_number,
    a_conversation_leads_to_the_blast_that_a_message_came_from,
    a_blast_that_staff_write_is_looked_at_first_and_sent_once,
    a_draft_is_its_writers_own_sealed_and_gone_within_the_hour,
    what_cannot_be_sent_is_refused_where_it_was_written,
    a_blast_that_has_not_begun_is_changed_as_it_was_seen,
    a_blast_is_decided_on_as_it_was_seen_and_its_page_hears_of_it,
    a_blast_of_a_closed_account_is_not_offered,
    a_paused_blast_of_what_is_closed_is_cancelled_and_not_resumed,
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
    let first = blast::list(&app.db, &see, Some(account), None, None, None, 2).await.unwrap();
    assert_eq!(first.rows.iter().map(|row| row.state).collect::<Vec<_>>(), [BlastState::Recording; 2]);
    app.work().await;
    let next: Option<Cursor> = first.next;
    let rest = blast::list(&app.db, &see, None, Some(line.id), None, next.as_ref(), 2).await.unwrap();
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
    assert!(blast::list(&app.db, &stranger.permit().unwrap(), Some(account), None, None, None, 5).await.unwrap().rows.is_empty());
    is_hidden(blast::shown(&app.db, &stranger.permit().unwrap(), line.id, rest.rows[0].id).await);
}

async fn a_list_of_blasts_is_narrowed_to_a_state_on_its_page_and_in_its_file(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let send = app.staff.permit::<may::SendMessages>().unwrap();
    let sent = id_of(&app.blast(&line, &[contact(1)], "Sale zq8").await);
    app.work().await;
    app.pass(1);
    let starts_at = app.now.at().plus(Duration::from_secs(3_600)).rfc3339();
    let later = json!({ "line": line.id, "text": "Later", "recipients": [contact(1)], "starts_at": starts_at });
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let taken: serde_json::Value = app.post(&line, "blasts", &later).await.json().await.unwrap();
        waiting.push(id_of(&taken));
        app.pass(1);
    }
    let paused = waiting.remove(1);
    blast::decide_as_staff(&app.db, &app.now, &send, (line.id, paused), 0, Decision::Pause).await.unwrap();
    waiting.reverse();

    for (page, file) in [
        (format!("/accounts/{account}/blasts"), format!("/accounts/{account}/blasts.csv")),
        (format!("/lines/{}/blasts", line.id), format!("/lines/{}/blasts.csv", line.id)),
    ] {
        let read = async |path: String| {
            let answer = app.ask(&app.staff, Method::GET, &path, &[]).await;
            assert_eq!(answer.status(), 200, "{path}");
            answer.text().await.unwrap()
        };
        let each = [("scheduled", waiting.clone()), ("paused", vec![paused]), ("sent", vec![sent]), ("cancelled", Vec::new())];
        for (state, wanted) in each {
            let rows = read(format!("{file}?state={state}")).await;
            let ids: Vec<BlastId> = rows.lines().skip(1).map(|row| row.split(',').next().unwrap().parse().unwrap()).collect();
            assert_eq!(ids, wanted, "{file} {state}");
            let shown = read(format!("{page}?state={state}")).await;
            for id in waiting.iter().chain([&paused, &sent]) {
                assert_eq!(shown.contains(&format!("/blasts/{id}\"")), wanted.contains(id), "{page} {state}: {shown}");
            }
            assert_eq!(shown.contains("No blast fits"), wanted.is_empty(), "{page} {state}: {shown}");
            assert!(shown.contains(&format!("<option value=\"{state}\" selected")), "{page} says what it is narrowed to: {shown}");
        }
        // What is no state narrows nothing.
        for query in ["", "?state=", "?state=nonsense"] {
            assert_eq!(read(format!("{file}{query}")).await.lines().count(), 5, "{file}{query}");
            assert!(read(format!("{page}{query}")).await.contains(&format!("/blasts/{paused}\"")), "{page}{query}");
        }
    }

    // One that gets further while somebody pages is not on the pages that follow.
    let see = app.staff.permit::<may::SeeMessages>().unwrap();
    let scheduled = async |after: Option<Cursor>| {
        blast::list(&app.db, &see, Some(account), None, Some(BlastState::Scheduled), after.as_ref(), 1).await.unwrap()
    };
    let first = scheduled(None).await;
    assert_eq!(first.rows.iter().map(|row| row.id).collect::<Vec<_>>(), waiting[..1]);
    blast::decide_as_staff(&app.db, &app.now, &send, (line.id, waiting[1]), 0, Decision::Cancel).await.unwrap();
    let second = scheduled(first.next).await;
    assert_eq!((second.rows.len(), second.next), (0, None));
}

fn id_of(taken: &serde_json::Value) -> BlastId {
    taken["id"].as_str().unwrap().parse().unwrap()
}

async fn a_scheduled_blast_is_paused_resumed_and_cancelled_by_staff(app: &TestApp) {
    let line = app.line(Inbox).await;
    let starts_at = app.now.at().plus(std::time::Duration::from_secs(3_600)).rfc3339();
    let scheduled = json!({ "line": line.id, "text": "Later", "recipients": [contact(1)], "starts_at": starts_at });
    let taken: serde_json::Value = app.post(&line, "blasts", &scheduled).await.json().await.unwrap();
    let id = taken["id"].as_str().unwrap().parse().unwrap();
    let send = app.staff.permit::<may::SendMessages>().unwrap();
    let decide = async |seen, decision| blast::decide_as_staff(&app.db, &app.now, &send, (line.id, id), seen, decision).await;
    is_hidden(blast::decide_as_staff(&app.db, &app.now, &elsewhere(app).await.permit().unwrap(), (line.id, id), 0, Decision::Pause).await);
    decide(0, Decision::Pause).await.unwrap();
    app.pass(7_200);
    app.work().await;
    assert!(app.conversations(&line).await.is_empty(), "it does not start while it is paused");
    decide(1, Decision::Resume).await.unwrap();
    app.work().await;
    assert_eq!(app.conversations(&line).await.len(), 1);
    is_late(decide(2, Decision::Cancel).await);
    let account = account_of(app, &line).await;
    assert_eq!((audited(app, account, "blast.pause").await.len(), audited(app, account, "blast.resume").await.len()), (1, 1));
}

/// A blast to the second, third and fourth contact, of which the third failed.
async fn with_a_failure(app: &TestApp) -> (TestLine, BlastId) {
    let line = app.line(Inbox).await;
    let id = app.blast(&line, &[contact(2), contact(3), contact(4)], "Sale zq8").await["id"].as_str().unwrap().parse().unwrap();
    app.work().await;
    let fails = "update message set state = 'failed', error = '+1 202 555 0123 is a landline (30006)' where number = $1";
    assert_eq!(contact(3), "+12025550123");
    app.db.work(async |tx| tx.run(fails, [contact(3)]).await).await.unwrap();
    (line, id)
}

async fn what_became_of_a_blast_is_seen_for_each_number(app: &TestApp) {
    let (line, id) = with_a_failure(app).await;
    let account = account_of(app, &line).await;
    let see = app.staff.permit::<may::SeeMessages>().unwrap();
    let read = async |state, after: Option<&Cursor>, limit| {
        let page: Result<Page<BlastRecipient>, Problem> = blast::recipients(&app.db, &see, (line.id, id), state, after, limit).await;
        page.unwrap()
    };
    let first = read(None, None, 2).await;
    let second = read(None, first.next.as_ref(), 2).await;
    assert_eq!((first.rows.len(), second.rows.len(), second.next), (2, 1, None), "in pages");
    let all: Vec<_> = first.rows.into_iter().chain(second.rows).collect();
    let mut numbers: Vec<_> = all.iter().map(|row| row.number.whole().unwrap().expose().to_owned()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [contact(2), contact(3), contact(4)], "each once");
    for row in &all {
        let conversation = app.conversation(&line, row.number.whole().unwrap().expose()).await.id;
        assert_eq!(row.conversation, Some(conversation), "it leads to the conversation");
    }
    let failed = read(Some(MessageState::Failed), None, 50).await;
    let [row] = &failed.rows[..] else { panic!("one failed: {failed:?}") };
    assert_eq!((row.error.as_deref(), failed.next), (Some("+1 202 555 0123 is a landline (30006)"), None));
    assert_eq!(read(Some(MessageState::Queued), None, 50).await.rows, []);

    let h = house(app);
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    let masked = blast::recipients(&app.db, &viewer.permit().unwrap(), (line.id, id), Some(MessageState::Failed), None, 50).await.unwrap();
    assert_eq!(masked.rows[0].number.readable(), "•••• 0123");
    assert_eq!(masked.rows[0].error.as_deref(), Some("•••• is a landline (30006)"));
    let stranger = elsewhere(app).await;
    is_hidden(blast::recipients(&app.db, &stranger.permit().unwrap(), (line.id, id), None, None, 50).await);
    is_hidden(blast::recipients(&app.db, &see, (line.id, BlastId(uuid::Uuid::max())), None, None, 50).await);

    let file = format!("/lines/{}/blasts/{id}/recipients.csv?sms=failed", line.id);
    let whole = app.ask(&app.staff, Method::GET, &file, &[]).await.text().await.unwrap();
    assert_eq!((whole.lines().count(), whole.contains("+12025550123,failed,")), (2, true), "{whole}");
    let masked = app.ask(&viewer, Method::GET, &file, &[]).await.text().await.unwrap();
    assert!(masked.contains("•••• 0123") && !masked.contains("2025550123") && !masked.contains("202 555 0123"), "{masked}");
    assert_eq!(audited(app, account, "blast.take_file").await.len(), 1, "who saw none of it whole took none");
    assert_eq!(audited(app, account, "blast.see").await.len(), 1);
}

async fn a_conversation_leads_to_the_blast_that_a_message_came_from(app: &TestApp) {
    let (line, id) = with_a_failure(app).await;
    app.send(&line, &contact(2), "By itself").await;
    let blasts: Vec<_> = app.timeline(&line, &contact(2)).await.iter().map(|row| row.blast).collect();
    assert_eq!(blasts, [Some(id), None]);
    let page = format!("/lines/{}/conversations/{}", line.id, app.conversation(&line, &contact(2)).await.id);
    let page = app.ask(&app.staff, Method::GET, &page, &[]).await.text().await.unwrap();
    assert!(page.contains(&format!("/lines/{}/blasts/{id}\"", line.id)), "{page}");
}

fn wanted(text: &str, pasted: &str, starts_at: Option<Timestamp>) -> Wanted {
    Wanted { text: text.to_owned(), pasted: pasted.to_owned(), starts_at }
}

async fn drafted(app: &TestApp, line: &TestLine, wanted: &Wanted) -> Result<DraftId, Problem> {
    blast::draft(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), line.id, wanted).await
}

async fn preview(app: &TestApp, line: &TestLine, id: DraftId) -> Result<BlastPreview, Problem> {
    blast::drafted(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), (line.id, id), false).await
}

async fn take(app: &TestApp, line: &TestLine, id: DraftId) -> Result<BlastId, Problem> {
    blast::take_draft(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), proof(), (line.id, id)).await
}

async fn blasts(app: &TestApp) -> i64 {
    let (count,): (i64,) = app.db.one("select count(*) from blast", ()).await.unwrap();
    count
}

async fn drafts(app: &TestApp) -> i64 {
    let (count,): (i64,) = app.db.one("select count(*) from blast_draft", ()).await.unwrap();
    count
}

async fn a_blast_that_staff_write_is_looked_at_first_and_sent_once(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.reply(&contact(4), &line, "STOP").await;
    app.work().await;
    let pasted = format!("{}\r\n(202) 555-0199\r\n{}; {},\r\n{}\r\n", contact(1), contact(2), contact(1), contact(4));
    let id = drafted(app, &line, &wanted(" Doors open\r\nat nine ", &pasted, None)).await.unwrap();
    let shown = preview(app, &line, id).await.unwrap();
    assert_eq!((shown.recipients, shown.duplicates, shown.opted_out, shown.unreadable), (2, 1, 1, 1));
    assert_eq!(shown.first_unreadable, [(2, "(202) 555-0199".to_owned())]);
    assert_eq!((shown.text.as_str(), shown.starts_at, shown.pasted), ("Doors open\nat nine", None, None));
    assert_eq!(blasts(app).await, 0, "a look sends nothing");

    let blast = take(app, &line, id).await.unwrap();
    assert_eq!(take(app, &line, id).await.unwrap(), blast, "a form that is sent twice");
    assert_eq!((blasts(app).await, drafts(app).await), (1, 0));
    app.work().await;
    let journal = app.sandbox.journal(0);
    assert_eq!(received(&journal, &contact(1)), ["Doors open\nat nine"]);
    assert!(received(&journal, &contact(4)).iter().all(|text| !text.contains("Doors")), "who has opted out is left out");
    let whole = blast::shown(&app.db, &app.staff.permit().unwrap(), line.id, blast).await.unwrap();
    assert_eq!((whole.row.recipients, whole.row.recorded, whole.row.opted_out, whole.row.duplicates), (4, 2, 1, 1));
    assert_eq!(whole.row.created_by, "Ada Byron");
    assert_eq!(audited(app, account_of(app, &line).await, "blast.take").await.len(), 1);
    is_hidden(preview(app, &line, id).await);

    // Two at once are one, too.
    let id = drafted(app, &line, &wanted("Again", &contact(1), None)).await.unwrap();
    let (first, second) = tokio::join!(take(app, &line, id), take(app, &line, id));
    assert_eq!((first.unwrap(), blasts(app).await), (second.unwrap(), 2));
}

async fn a_draft_is_its_writers_own_sealed_and_gone_within_the_hour(app: &TestApp) {
    let (line, other) = (app.line(Inbox).await, app.line(Inbox).await);
    let form = [("line", line.id.to_string()), ("text", "Sale zq7hush".to_owned()), ("numbers", contact(1)), ("starts_at", String::new())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = app.ask(&app.staff, Method::POST, "/fn/blasts/draft", &form).await;
    assert_eq!(answer.status(), 200);
    let headers = format!("{:?}", answer.headers());
    assert!(headers.contains("/blasts/new?draft=") && !tells(&headers, "0121") && !headers.contains("zq7hush"), "{headers}");
    let id: DraftId = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let (sealed,): (String,) = app.db.one("select sealed from blast_draft", ()).await.unwrap();
    assert!(!tells(&sealed, "0121") && !sealed.contains("zq7hush"), "{sealed}");

    let h = house(app);
    let sam = h.member("sam@example.com", h.role("Support").await).await;
    let stranger = elsewhere(app).await;
    for member in [&sam, &stranger] {
        is_hidden(blast::drafted(&app.db, &app.now, &keys(), &member.permit().unwrap(), (line.id, id), true).await);
        is_hidden(blast::take_draft(&app.db, &app.now, &keys(), &member.permit().unwrap(), proof(), (line.id, id)).await);
    }
    is_hidden(preview(app, &other, id).await);
    is_hidden(take(app, &other, id).await);
    is_hidden(blast::draft(&app.db, &app.now, &keys(), &stranger.permit().unwrap(), line.id, &wanted("Sale", &contact(1), None)).await);
    let pasted = blast::drafted(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), (line.id, id), true).await.unwrap().pasted;
    assert_eq!(pasted, Some(contact(1)), "its writer may change it");
    app.pass(3_601);
    is_hidden(preview(app, &line, id).await);
    is_hidden(take(app, &line, id).await);
    assert_eq!(blast::forget_old_drafts(&app.db, &app.now).await.unwrap(), 1);
    assert_eq!(blasts(app).await, 0);
}

async fn what_cannot_be_sent_is_refused_where_it_was_written(app: &TestApp) {
    let line = app.line(Inbox).await;
    is_wrong(drafted(app, &line, &wanted(" ", &contact(1), None)).await, "text");
    is_wrong(drafted(app, &line, &wanted("Sale", " ;\n,", None)).await, "numbers");
    is_wrong(drafted(app, &line, &wanted("Sale", "2025550121\nGrace", None)).await, "numbers");
    is_wrong(drafted(app, &line, &wanted("Sale", &contact(1), Some(app.now.at()))).await, "starts_at");
    // As many as a form holds, written as people write them, and one more.
    let line_id = line.id.to_string();
    let ask = async |count: usize| {
        let numbers = "+1 (202) 555-0121\r\n".repeat(count);
        let form = [("line", line_id.as_str()), ("text", "Sale"), ("numbers", numbers.as_str()), ("starts_at", "")];
        let answer = app.ask(&app.staff, Method::POST, "/fn/blasts/draft", &form).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ask(MOST_BY_HAND).await.0, 200);
    let (status, words) = ask(MOST_BY_HAND + 1).await;
    assert!(status == 422 && words.contains("POST /api/v1/blasts") && words.contains("\"numbers\""), "{status} {words}");
    // What starts later says so when it is confirmed, too.
    let soon = app.now.at().plus(Duration::from_secs(60));
    let late = drafted(app, &line, &wanted("Sale", &contact(1), Some(soon))).await.unwrap();
    app.pass(61);
    is_wrong(take(app, &line, late).await, "starts_at");
    let good = drafted(app, &line, &wanted("Sale", &contact(1), None)).await.unwrap();
    app.db.work(async |tx| tx.run("update line set closed_at = 1 where id = $1", [line.id]).await).await.unwrap();
    is_late(drafted(app, &line, &wanted("Sale", &contact(1), None)).await);
    is_late(take(app, &line, good).await);
    assert_eq!(blasts(app).await, 0);
}

async fn whole(app: &TestApp, line: &TestLine, id: BlastId) -> BlastDetail {
    blast::shown(&app.db, &app.staff.permit().unwrap(), line.id, id).await.unwrap()
}

async fn a_blast_that_has_not_begun_is_changed_as_it_was_seen(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let hours = |n: u64| app.now.at().plus(Duration::from_secs(n * 3_600));
    let draft = drafted(app, &line, &wanted("Sale zq8", &contact(1), Some(hours(2)))).await.unwrap();
    let id = take(app, &line, draft).await.unwrap();
    assert_eq!(whole(app, &line, id).await.row.state, BlastState::Scheduled);
    let send = app.staff.permit::<may::SendMessages>().unwrap();
    let edit = async |version, text: &str, starts_at| {
        let wish = Edit { version, text: text.to_owned(), starts_at };
        blast::edit(&app.db, &app.now, &send, Proof::at_the_shell(), (line.id, id), &wish).await
    };
    let stranger = elsewhere(app).await;
    let theirs = Edit { version: 0, text: "Theirs".to_owned(), starts_at: None };
    is_hidden(blast::edit(&app.db, &app.now, &stranger.permit().unwrap(), Proof::at_the_shell(), (line.id, id), &theirs).await);
    is_wrong(edit(0, " ", None).await, "text");
    is_wrong(edit(0, "Sale", Some(app.now.at())).await, "starts_at");
    edit(0, "Sale zq8 at ten", None).await.unwrap();
    is_late(edit(0, "Sale zq8 at eleven", None).await);
    edit(1, "Sale zq8 at ten", Some(hours(1))).await.unwrap();
    let seen = whole(app, &line, id).await;
    assert_eq!((seen.body.as_deref(), seen.row.starts_at, seen.version), (Some("Sale zq8 at ten"), Some(hours(1)), 2));
    edit(2, "Sale zq8 at ten", None).await.unwrap();
    let entries = audited(app, account, "blast.edit").await;
    assert_eq!(entries.len(), 2, "what changes nothing is no change");
    assert!(!format!("{entries:?}").contains("zq8"), "the audit does not hold what it says");

    // Its rows are recounted while the line moves.
    let run = planned(app, line.id, house(app).account("Next").await).await;
    app.db.work(async |tx| tx.run("update line set transfer_id = $2 where id = $1", (line.id, run)).await).await.unwrap();
    is_late(edit(2, "Sale zq8 at noon", None).await);
    app.db.work(async |tx| tx.run("update line set transfer_id = null where id = $1", [line.id]).await).await.unwrap();

    app.pass(3_600);
    app.work().await;
    assert_eq!(received(&app.sandbox.journal(0), &contact(1)), ["Sale zq8 at ten"]);
    is_late(edit(2, "Sale zq8 at noon", None).await);
    assert_eq!(whole(app, &line, id).await.body.as_deref(), Some("Sale zq8 at ten"));
}

async fn a_blast_is_decided_on_as_it_was_seen_and_its_page_hears_of_it(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let in_an_hour = app.now.at().plus(Duration::from_secs(3_600));
    let draft = drafted(app, &line, &wanted("Sale zq8", &contact(1), Some(in_an_hour))).await.unwrap();
    let id = take(app, &line, draft).await.unwrap();
    let send = app.staff.permit::<may::SendMessages>().unwrap();
    let decide = async |seen, decision| blast::decide_as_staff(&app.db, &app.now, &send, (line.id, id), seen, decision).await;
    let state = async || (whole(app, &line, id).await.row.state, whole(app, &line, id).await.version);
    let mut bell = app.db.changes();
    let mut is_told = || {
        let mut heard = false;
        while let Ok(change) = bell.try_recv() {
            heard |= change == Change::Line { account_id: account, line_id: line.id };
        }
        heard
    };
    decide(0, Decision::Pause).await.unwrap();
    assert!(is_told(), "of the pause");
    decide(0, Decision::Pause).await.unwrap();
    assert_eq!(state().await, (BlastState::Paused, 1), "the same press twice is one");

    // Somebody looks at it; somebody else gives it another text.
    let wish = Edit { version: 1, text: "Theirs zq8".to_owned(), starts_at: None };
    blast::edit(&app.db, &app.now, &send, Proof::at_the_shell(), (line.id, id), &wish).await.unwrap();
    assert!(is_told(), "of the text");
    is_late(decide(1, Decision::Resume).await);
    is_late(decide(1, Decision::Cancel).await);
    is_late(decide(0, Decision::Pause).await);
    assert_eq!(state().await, (BlastState::Paused, 2), "nobody sends a text that they have not read");
    assert!(audited(app, account, "blast.resume").await.is_empty());

    // By the page's form, too.
    let form = [("line", line.id.to_string()), ("id", id.to_string()), ("version", "1".to_owned()), ("act", "resume".to_owned())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(app.ask(&app.staff, Method::POST, "/fn/blasts/decide", &form).await.status(), 409);
    decide(2, Decision::Resume).await.unwrap();
    decide(2, Decision::Resume).await.unwrap();
    assert_eq!(state().await, (BlastState::Scheduled, 3));
    // The account's own program says what it wants, whatever was changed.
    let path = |act: &str| format!("{}/api/v1/lines/{}/blasts/{id}/{act}", app.url, line.id);
    let cancelled = app.http.post(path("cancel")).bearer_auth(&line.token).send().await.unwrap();
    assert_eq!((cancelled.status().as_u16(), state().await), (200, (BlastState::Cancelled, 4)));
}

async fn a_blast_of_a_closed_account_is_not_offered(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let list = format!("/lines/{}/blasts", line.id);
    let write = format!("{list}/new");
    let page = async |path: &str| {
        let answer = app.ask(&app.staff, Method::GET, path, &[]).await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    };
    assert!(page(&list).await.contains(&format!("{write}\"")));
    assert!(page(&write).await.contains("name=\"numbers\""));
    accounts::close(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), account, 1).await.unwrap();
    assert!(!page(&list).await.contains(&format!("{write}\"")), "it would be refused");
    let refused = page(&write).await;
    assert!(refused.contains("The account is closed:") && !refused.contains("name=\"numbers\""), "{refused}");
}

async fn a_paused_blast_of_what_is_closed_is_cancelled_and_not_resumed(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let send = app.staff.permit::<may::SendMessages>().unwrap();
    let start = app.now.at().plus(Duration::from_secs(3_600));
    let draft = drafted(app, &line, &wanted("Sale", &contact(1), Some(start))).await.unwrap();
    let id = take(app, &line, draft).await.unwrap();
    let version = async || whole(app, &line, id).await.version;
    blast::decide_as_staff(&app.db, &app.now, &send, (line.id, id), version().await, Decision::Pause).await.unwrap();
    let acts = async || {
        let page = app.ask(&app.staff, Method::GET, &format!("/lines/{}/blasts/{id}", line.id), &[]).await.text().await.unwrap();
        ["value=\"resume\"", "value=\"cancel\"", "The line is closed: nothing is sent", "The account is closed: nothing is sent"]
            .map(|words| page.contains(words))
    };
    assert_eq!(acts().await, [true, true, false, false]);
    app.db.work(async |tx| tx.run("update line set closed_at = 1 where id = $1", [line.id]).await).await.unwrap();
    assert_eq!(acts().await, [false, true, true, false], "it would be refused");
    is_late(blast::decide_as_staff(&app.db, &app.now, &send, (line.id, id), version().await, Decision::Resume).await);
    accounts::close(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), account, 1).await.unwrap();
    assert_eq!((acts().await, whole(app, &line, id).await.closed), ([false, true, false, true], Some(Closed::Account)));
    accounts::reopen(&app.db, &app.now, &app.staff.permit().unwrap(), account, 2).await.unwrap();
    app.db.work(async |tx| tx.run("update line set closed_at = null where id = $1", [line.id]).await).await.unwrap();
    assert_eq!(acts().await, [true, true, false, false], "once it is open again");
    accounts::close(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), account, 3).await.unwrap();
    blast::decide_as_staff(&app.db, &app.now, &send, (line.id, id), version().await, Decision::Cancel).await.unwrap();
    assert_eq!(acts().await, [false; 4], "what is cancelled waits for nothing");
}
