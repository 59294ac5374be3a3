//! What arrives, and what comes back.

use super::contacts::{open, said};
use super::*;
use crate::harness::{SECRET, on_both_engines};
use crate::sights::role;
use switchyard::messaging::blast::{self, Decision, Edit};
use switchyard::staff::Proof;
use switchyard::types::IntegrationType::{Inbox, None as NoRoute};
use switchyard::types::{BlastId, ConversationId, RunStep, UserId};

on_both_engines![
    everything_of_a_line_arrives_and_nothing_is_left,
    there_and_back_gives_the_same_rows,
    there_and_back_gives_the_same_rows_with_everything_dropped_and_reset,
    later_edits_win_over_what_a_transfer_back_would_restore,
    the_blasts_of_a_line_are_listed_by_its_new_account_from_the_first_moment,
    a_way_back_that_is_done_is_not_taken_back_by_a_button,
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
    paused_blasts_are_cancelled_too,
    an_opt_in_with_evidence_comes_back_as_it_stood_behind_a_late_start,
    an_opt_out_that_was_turned_stops_the_run_in_words,
    a_history_of_consent_that_was_changed_stops_the_run_in_words,
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
    let of_line = "select id from conversation where line_id = $1 and number = $2";
    let (stopped,): (ConversationId,) = app.db.one(of_line, (scene.line.id, contact(5))).await.unwrap();
    let list = listed(&scene, back).await;
    for (what, id) in [
        ("contact", edited.to_string()),
        ("person", closed.to_string()),
        ("automatic reply", "hours".to_owned()),
        ("blast", url.rsplit('/').next().unwrap().to_owned()),
        ("opt-in of a conversation", stopped.to_string()),
    ] {
        assert!(list.contains(&format!("\"{what}\",\"{id}\",")), "{what} {id}: {list}");
    }
    assert_eq!((list.lines().count(), list.contains("+1202555")), (6, false), "{list}");
    // So it is for whoever sees runs, without the permission to see personal data.
    let reader = role(app, "Reader", &[Permission::SeeRuns], None).await;
    let reader = house(app).member("reader@example.com", reader).await;
    assert!(utilities::result(&app.db, &reader, back, 0).await.unwrap().is_some());
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
            let page = blast::list(&app.db, &permit, Some(account), None, None, after.as_ref(), 2).await.unwrap();
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
    blast::edit(&app.db, &app.now, &permit, Proof::at_the_shell(), (scene.line.id, rewritten), &wish).await.unwrap();
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

async fn paused_blasts_are_cancelled_too(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let urls = [scheduled(&scene).await, scheduled(&scene).await];
    let paused: BlastId = urls[0].rsplit('/').next().unwrap().parse().unwrap();
    let version = "select version from blast where line_id = $1 and id = $2";
    let (version,): (i64,) = app.db.one(version, (scene.line.id, paused)).await.unwrap();
    let permit = app.staff.permit().unwrap();
    blast::decide_as_staff(&app.db, &app.now, &permit, (scene.line.id, paused), version, Decision::Pause).await.unwrap();
    let counted = async |choice: &str| {
        let run = scene.plan_with(&app.staff, &[("scheduled", choice)]).await.unwrap();
        scene.seen(run).await.plan.counts.iter().find(|count| count.name == "Scheduled blasts").unwrap().rows
    };
    assert_eq!((counted("pause").await, counted("cancel").await), (1, 2));
    scene.transfer(&[("scheduled", "cancel")]).await;
    for url in &urls {
        assert_eq!(app.get(&scene.theirs, url).await["state"], "cancelled");
        let resume = app.http.post(format!("{}{url}/resume", app.url)).bearer_auth(scene.theirs.token.clone()).send();
        assert_eq!(resume.await.unwrap().status(), 409, "it does not come back");
    }
    let (kept,): (i64,) = app.db.one("select count(*) from blast_chunk where line_id = $1", [scene.line.id]).await.unwrap();
    assert_eq!(kept, 0, "their recipients are forgotten");
    app.pass(7_200);
    app.work().await;
    assert_eq!(heard(app, &contact(11)), 0);
}

async fn an_opt_in_with_evidence_comes_back_as_it_stood_behind_a_late_start(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let early = app.now.at();
    app.pass(60);
    let file = format!("number,status,at,evidence\n{},opted_in,{},paper form 17\n", contact(1), app.now.at().rfc3339());
    let answers: BTreeMap<String, String> = [("account".to_owned(), scene.from.to_string())].into();
    let kind = UtilityKind::ConsentImport;
    let import = utilities::plan(&app.db, &app.now, &app.staff, kind, &answers, Some(file.as_bytes()), ALONE).await.unwrap();
    let typed = scene.seen(import).await.plan.confirm.unwrap().1;
    utilities::start(&app.db, &app.now, &app.staff, proof(), import, &typed, "").await.unwrap();
    scene.finish(import).await;
    assert_eq!(scene.state(import).await, RunState::Succeeded);
    app.pass(60);
    let stands = async || dump(app, &["consent"]).await;
    let before = stands().await;
    assert!(before["consent"].iter().any(|row| row.contains("paper form 17")), "{before:?}");
    let (to, sent_at) = ([scene.line.number.as_str()], early.rfc3339());
    let late = serde_json::json!({ "id": "late", "from": contact(1), "to": to, "text": "START", "sent_at": sent_at });
    let answer: serde_json::Value = app.webhook("messages", SECRET, &late).await.json().await.unwrap();
    assert_eq!(answer["result"], "recorded");
    app.work().await;
    assert_eq!(stands().await, before, "it was written before what is on record");
    app.pass(60);
    let run = scene.transfer(&[("opt_ins", "reset")]).await;
    assert!(!stands().await["consent"].iter().any(|row| row.contains("paper form 17")));
    app.pass(60);
    scene.back(run).await;
    assert_eq!(stands().await, before);
}

/// What a run says whose rows somebody harms when they have all moved and are not recounted yet; `$1` is the line. More have opted out than
/// are recounted in the batch with which the verification begins.
async fn harmed(app: &TestApp, harm: &'static str) -> String {
    let scene = Scene::of(app, Inbox).await;
    for n in 7..=24 {
        app.reply(&contact(n), &scene.line, "STOP").await;
    }
    app.work().await;
    app.pass(60);
    let run = scene.plan().await;
    scene.start(run).await;
    while scene.state(run).await != RunState::Verifying {
        scene.steps(1).await;
    }
    app.db.work(async |tx| tx.run(harm, [scene.line.id]).await).await.unwrap();
    scene.finish(run).await;
    assert_eq!(scene.state(run).await, RunState::Failed);
    scene.seen(run).await.error.unwrap().text
}

async fn an_opt_out_that_was_turned_stops_the_run_in_words(app: &TestApp) {
    let text = harmed(app, "update consent set state = 'opted_in' where line_id = $1 and state = 'opted_out'").await;
    assert!(text.contains("Consents: opt-outs that do not stand any more, and nobody has said so since: "), "{text}");
}

async fn a_history_of_consent_that_was_changed_stops_the_run_in_words(app: &TestApp) {
    let text = harmed(app, "update consent_event set evidence = 'Forged' where line_id = $1").await;
    assert!(text.contains("History of consent: what") && text.contains("is not what they held before"), "{text}");
}
