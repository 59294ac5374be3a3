//! From the flip on the line's account alone decides: who sees it, who sends from it, and where RingCentral shows it.

use super::*;
use crate::harness::{keys, on_both_engines};
use crate::sights::role;
use crate::verdict::chats_of;
use reqwest::Method;
use server::sandbox::{AgentPost, Fault, On, Person, What};
use switchyard::directory::lines;
use switchyard::ringcentral::Client;
use switchyard::ringcentral::subscription::Subscriptions;
use switchyard::sync::{self, Agents};
use switchyard::types::{LineFilter, RunFilter, SyncFilter};

on_both_engines![
    from_the_flip_on_the_old_account_neither_sees_nor_sends,
    a_request_that_is_repeated_after_the_line_has_moved_gets_its_first_answer,
    what_is_held_at_the_flip_is_delivered_in_the_new_accounts_chats_once,
    an_answer_lost_before_the_flip_is_found_where_it_was_posted,
    a_request_lost_before_the_flip_is_posted_where_the_line_is_now,
    a_chat_asked_for_before_the_flip_is_known_and_whoever_writes_in_it_is_told,
    a_scoped_member_transfers_only_between_their_own_accounts,
    the_former_account_does_not_learn_what_a_line_is_called_now,
    who_loses_the_line_leaves_its_old_chats,
];

async fn from_the_flip_on_the_old_account_neither_sees_nor_sends(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let old = of_account(app, "old", scene.from).await;
    let sees = async || {
        let lines = lines::list(&app.db, &old.permit().unwrap(), &LineFilter::default(), None, 50).await.unwrap().rows.len();
        let page = sync::list(&app.db, &old.permit().unwrap(), &SyncFilter::default(), None, 50).await.unwrap().rows.len();
        let detail = lines::get(&app.db, &old.permit().unwrap(), scene.line.id).await.is_ok();
        let talks = sync::conversations_of_line(&app.db, &old.permit().unwrap(), scene.line.id, None, 50).await.unwrap().rows.len();
        (lines, page, detail, talks)
    };
    assert_eq!(sees().await, (1, 8, true, 12), "eight are not in sync");
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(1).await;
    let (left,): (i64,) =
        app.db.one("select count(*) from message where line_id = $1 and account_id = $2", (scene.line.id, scene.from)).await.unwrap();
    assert!(left > 0, "its rows have not moved yet");
    assert_eq!(sees().await, (0, 0, false, 0));
    let body = serde_json::json!({ "line": scene.line.number, "to": contact(1), "text": "Hi" });
    assert_eq!(app.post(&scene.line, "messages", &body).await.status(), 422, "the old account's program is out");
    assert_eq!(app.post(&scene.theirs, "messages", &body).await.status(), 201, "the new one's is in");
    // Somebody writes before everything has moved: it shows in the new account's lists alone.
    app.reply(&contact(10), &scene.line, &app.text("Hello")).await;
    assert_eq!(sees().await, (0, 0, false, 0));
    let runs = utilities::list(&app.db, &old.permit().unwrap(), &RunFilter::default(), None, 10).await.unwrap().rows;
    assert_eq!(runs.len(), 1, "the run is of both accounts");
}

async fn a_request_that_is_repeated_after_the_line_has_moved_gets_its_first_answer(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let message = serde_json::json!({ "line": scene.line.number, "to": contact(1), "text": "Your order is ready" });
    let blast = serde_json::json!({ "line": scene.line.number, "text": "Sale", "recipients": [contact(1)] });
    let asked = async |path: &str, body: &serde_json::Value| {
        let request = app.http.post(format!("{}/api/v1/{path}", app.url)).bearer_auth(&scene.line.token);
        let answer = request.header("idempotency-key", path).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let first = [asked("messages", &message).await, asked("blasts", &blast).await];
    assert_eq!([first[0].0, first[1].0], [201, 202]);
    app.work().await;
    app.pass(60);
    scene.transfer(&[]).await;
    assert_eq!(app.post(&scene.line, "messages", &message).await.status(), 422, "a new one is refused");
    assert_eq!([asked("messages", &message).await, asked("blasts", &blast).await], first);
}

/// The chats of a contact in the sandbox, by the app that made them.
fn posts_with(app: &TestApp, who: &str) -> Vec<(String, Vec<String>)> {
    let journal = app.sandbox.journal(0);
    let chats = chats_of(&journal, who);
    chats
        .iter()
        .map(|chat| (chat.to_string(), app.sandbox.posts(&chat.to_string()).iter().map(|post| post.text.to_string()).collect()))
        .collect()
}

async fn what_is_held_at_the_flip_is_delivered_in_the_new_accounts_chats_once(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let before = posts_with(app, &contact(7));
    assert_eq!(before.len(), 1);
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(2).await;
    let said = app.text("Is it still on");
    app.reply(&contact(7), &scene.line, &said).await;
    app.work().await;
    scene.finish(run).await;
    app.work().await;
    let after = posts_with(app, &contact(7));
    assert_eq!(after.len(), 2, "a chat of the new account was made");
    assert_eq!(after[0], before[0], "nothing was added to the old one");
    let texts = after[1].1.join("\n");
    assert_eq!(texts.matches("Sale").count(), 1, "{texts}");
    assert_eq!(texts.matches(said.as_str()).count(), 1, "{texts}");
}

async fn an_answer_lost_before_the_flip_is_found_where_it_was_posted(app: &TestApp) {
    let chats = posts_after_a_lost_call(app, What::LoseAnswer { hang: false }).await;
    assert_eq!(chats, [1, 0], "it stands in the old account's chat, and is not posted again");
}

async fn a_request_lost_before_the_flip_is_posted_where_the_line_is_now(app: &TestApp) {
    let chats = posts_after_a_lost_call(app, What::LoseRequest { hang: false }).await;
    assert_eq!(chats, [0, 1], "nothing of the new account's goes into the old one's chat");
}

/// How often what a contact said stands in the old and in the new account's chat, when the call before the flip had no answer.
async fn posts_after_a_lost_call(app: &TestApp, lost: What) -> [usize; 2] {
    let scene = Scene::of(app, Ringcentral).await;
    app.reply(&contact(1), &scene.line, &app.text("What was held goes first")).await;
    app.work().await;
    let said = app.text("Are you there");
    app.reply(&contact(1), &scene.line, &said).await;
    app.sandbox.arm(Fault::new(On::Post, lost)).unwrap();
    app.engine.step().await.unwrap();
    scene.transfer(&[]).await;
    app.work().await;
    let later = app.text("Hello again");
    app.reply(&contact(1), &scene.line, &later).await;
    app.work().await;
    scene.belongs_to(scene.to).await;
    let chats = posts_with(app, &contact(1));
    assert_eq!(chats.len(), 2);
    assert!(chats[1].1.join(" ").contains(&later) && !chats[0].1.join(" ").contains(&later));
    [0, 1].map(|n| chats[n].1.iter().filter(|text| text.contains(&said)).count())
}

async fn a_chat_asked_for_before_the_flip_is_known_and_whoever_writes_in_it_is_told(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let client = Client::new(app.http.clone(), app.db.clone(), app.now.clone(), keys());
    let agents = Agents::new(app.db.clone(), app.now.clone(), client.clone());
    Subscriptions::new(client, &app.url).step().await.unwrap();
    // RingCentral makes the chat, and nobody here learns of it before the line has moved.
    app.sandbox.arm(Fault::new(On::Team, What::LoseAnswer { hang: false })).unwrap();
    let said = app.text("Hello");
    app.reply(&contact(30), &scene.line, &said).await;
    app.engine.step().await.unwrap();
    let old = posts_with(app, &contact(30))[0].0.clone();
    app.sandbox.agent_post(AgentPost { chat_id: old.clone(), text: app.text("At once"), ..AgentPost::default() }).unwrap();
    app.sandbox.deliver_due().await;
    scene.transfer(&[]).await;
    app.work().await;
    while agents.step().await.unwrap() > 0 {}
    let chats = posts_with(app, &contact(30));
    assert_eq!(chats.len(), 2);
    assert!(chats[0].0 == old && chats[0].1.iter().any(|text| text.contains("Nothing was sent")), "{chats:?}");
    assert!(!chats[0].1.join(" ").contains(&said) && chats[1].1.join(" ").contains(&said), "{chats:?}");
}

async fn a_scoped_member_transfers_only_between_their_own_accounts(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let of_source = of_account(app, "source", scene.from).await;
    let refused = scene.plan_with(&of_source, &[]).await;
    assert!(matches!(&refused, Err(Problem::Invalid { field, .. }) if field == "to"), "{refused:?}");
    let of_target = of_account(app, "target", scene.to).await;
    let refused = scene.plan_with(&of_target, &[]).await;
    assert!(matches!(&refused, Err(Problem::Invalid { field, .. }) if field == "line"), "{refused:?}");
    // A run of others is seen by who looks after one of its accounts, and touched by nobody without the permission.
    let run = scene.plan().await;
    scene.start(run).await;
    assert!(utilities::get(&app.db, &app.now, &of_source, run).await.is_ok());
    let refused = utilities::act(&app.db, &app.now, &of_source, run, RunAct::Pause).await;
    assert!(matches!(refused, Err(Problem::Forbidden { .. })), "{refused:?}");
    let stranger = of_account(app, "stranger", account_of(app, app.line(Ringcentral).await.id).await).await;
    let refused = utilities::get(&app.db, &app.now, &stranger, run).await;
    assert!(matches!(refused, Err(Problem::NotFound { .. })), "{refused:?}");
}

async fn the_former_account_does_not_learn_what_a_line_is_called_now(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let run = scene.transfer(&[]).await;
    let (version,): (i64,) = app.db.one("select version from line where id = $1", [scene.line.id]).await.unwrap();
    lines::edit(&app.db, &app.now, &app.staff.permit().unwrap(), scene.line.id, version, "Zq9secret desk").await.unwrap();
    let sees = [Permission::SeeDirectory, Permission::SeeRuns, Permission::SeeAudit];
    let of = async |email: &str, account| house(app).member(email, role(app, email, &sees, Some(&[account])).await).await;
    let (former, present) = (of("former@example.com", scene.from).await, of("present@example.com", scene.to).await);
    let page = format!("/utilities/runs/{run}");
    let paths = ["/audit", "/audit.csv", "/utilities/history", "/utilities/history.csv", page.as_str()];
    let digits = scene.line.number.trim_start_matches('+');
    for path in paths {
        let read = async |member: &Member| {
            let answer = app.ask(member, Method::GET, path, &[]).await;
            assert_eq!(answer.status(), 200, "{path}");
            answer.text().await.unwrap()
        };
        let told = read(&former).await;
        assert!(!told.contains("Zq9secret"), "{path}: {told}");
        // The list of runs shows the line to whoever chose its column.
        if path != "/utilities/history" {
            assert!(told.contains(digits), "{path}: {told}");
            assert!(read(&present).await.contains("Zq9secret"), "{path}");
        }
    }
    let found = async |member: &Member, search: &str| {
        let filter = RunFilter { search: search.to_owned(), ..RunFilter::default() };
        utilities::list(&app.db, &member.permit().unwrap(), &filter, None, 10).await.unwrap().rows.len()
    };
    assert_eq!([found(&former, "zq9sec").await, found(&present, "zq9sec").await, found(&app.staff, "zq9sec").await], [0, 1, 1]);
    assert_eq!(found(&former, digits).await, 1, "its number was theirs");
}

async fn who_loses_the_line_leaves_its_old_chats(app: &TestApp) {
    let (line, theirs) = (app.line(Ringcentral).await, app.line(Ringcentral).await);
    let (from, to) = (account_of(app, line.id).await, account_of(app, theirs.id).await);
    let permit = app.staff.permit().unwrap();
    let ids = ["700001", "700002"];
    for id in ids {
        let email = format!("{id}@example.com");
        app.sandbox.know_person(Person {
            id: id.into(),
            first_name: None,
            last_name: None,
            email: Some(email.as_str().into()),
            known: true,
        });
        let user = people::add_user(&app.db, &app.now, &permit, from, "Somebody", &email).await.unwrap();
        people::set_access(&app.db, &app.now, &permit, line.id, user, true).await.unwrap();
    }
    let agents = Agents::new(app.db.clone(), app.now.clone(), app.client());
    // Also what waits for another try.
    let settle = async || {
        for _ in 0..4 {
            while agents.step().await.unwrap() > 0 {}
            app.pass(130);
        }
    };
    app.reply(&contact(1), &line, &app.text("Hello")).await;
    app.work().await;
    settle().await;
    let old = chats_of(&app.sandbox.journal(0), &contact(1))[0];
    let chat = || {
        let chat = app.sandbox.chats().into_iter().find(|chat| chat.id == old).unwrap();
        (ids.iter().filter(|id| chat.members.iter().any(|member| **member == ***id)).count(), chat.posts)
    };
    let (members, posts) = chat();
    assert_eq!(members, 2);
    let scene = Scene { app, line, from, to, theirs };
    let effects = scene.seen(scene.plan().await).await.plan.effects;
    assert!(effects.iter().any(|text| text.contains("are taken out of the line’s chats in RingCentral")), "{effects:?}");
    let run = scene.transfer(&[]).await;
    settle().await;
    assert_eq!(chat(), (0, posts), "what stands there stays");
    scene.back(run).await;
    settle().await;
    assert_eq!(chat(), (2, posts), "they come back with the line");
}
