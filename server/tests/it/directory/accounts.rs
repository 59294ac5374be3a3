//! An account: its name and products, closing it and opening it again.

use super::{account_of, audited, elsewhere, is_hidden, is_late, is_wrong};
use crate::harness::{TestApp, contact, keys, on_both_engines};
use crate::house::{house, proof};
use reqwest::Method;
use serde_json::json;
use switchyard::directory::{accounts, integration, lines, people};
use switchyard::messaging::blast;
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::{Member, Proof, may, roles};
use switchyard::types::IntegrationType::{Inbox, None as NoRoute, Ringcentral};
use switchyard::types::{AccountId, BlastState, LineFilter, MessageState, Problem, SyncState};

on_both_engines![
    a_name_and_products_are_edited_once_and_lines_are_found_by_the_new_name,
    a_product_that_a_line_needs_stays,
    products_limit_the_types_of_lines,
    closing_is_previewed_with_what_hangs_on_it_and_changes_nothing_before,
    a_closed_account_takes_nothing_new_and_its_programs_are_refused,
    a_closed_accounts_connection_pauses_and_what_waits_is_posted_after_it_is_open_again,
    a_connection_that_was_paused_before_stays_paused,
    scheduled_blasts_of_a_closed_account_wait_for_a_decision,
    what_an_account_takes_is_offered_to_who_may_add_it_while_it_is_open,
    who_looks_after_some_accounts_only_is_not_offered_to_add_one,
    an_account_beyond_those_that_are_offered_is_found_by_its_name,
    what_is_taken_is_said_at_its_field_with_what_to_do,
    a_token_is_listed_and_once_revoked_its_next_call_is_refused,
    a_token_is_shown_once_and_stands_nowhere_without_scripts_too,
];

async fn a_name_and_products_are_edited_once_and_lines_are_found_by_the_new_name(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    let seen = accounts::detail(db, &app.staff.permit().unwrap(), account).await.unwrap();
    house(app).account("Taken").await;

    is_wrong(accounts::edit(db, now, &manage, account, seen.version, " ", (true, true)).await, "name");
    is_wrong(accounts::edit(db, now, &manage, account, seen.version, "Taken", (true, true)).await, "name");
    accounts::edit(db, now, &manage, account, seen.version, "Zahnärzte Süd", (false, true)).await.unwrap();
    is_late(accounts::edit(db, now, &manage, account, seen.version, "Second", (true, true)).await);
    is_hidden(accounts::edit(db, now, &elsewhere(app).await.permit().unwrap(), account, seen.version + 1, "Mine", (true, true)).await);

    let edited = accounts::detail(db, &app.staff.permit().unwrap(), account).await.unwrap();
    assert_eq!((edited.row.name.as_str(), edited.row.sends_blasts, edited.row.has_conversations), ("Zahnärzte Süd", false, true));
    assert_eq!(edited.version, seen.version + 1);
    let filter = LineFilter { search: "ZAHNÄRZTE".to_owned(), ..LineFilter::default() };
    let found = lines::list(db, &app.staff.permit().unwrap(), &filter, None, 50).await.unwrap().rows;
    assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [line.id], "whatever its case");
    let entries = audited(app, account, "account.edit").await;
    assert_eq!(entries.len(), 1, "what was refused left no entry");
    assert!(entries[0].row.before.as_deref().unwrap().contains("Account 0"), "{entries:?}");
    assert!(entries[0].row.after.as_deref().unwrap().contains("Zahnärzte Süd"));
}

async fn a_product_that_a_line_needs_stays(app: &TestApp) {
    let (blasts, inbox) = (app.line(NoRoute).await, app.line(Inbox).await);
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    let (first, second) = (account_of(app, &blasts).await, account_of(app, &inbox).await);
    let edit =
        async |account, products| accounts::edit(&app.db, &app.now, &manage, account, 1, &format!("Edited {account}"), products).await;
    let refused = edit(first, (false, true)).await;
    assert!(refused.clone().unwrap_err().to_string().contains("Front desk"), "it names the line: {refused:?}");
    is_wrong(refused, "sends_blasts");
    is_wrong(edit(second, (true, false)).await, "has_conversations");
    edit(second, (false, true)).await.unwrap();
    // A closed line needs nothing.
    lines::close(&app.db, &app.now, &manage, blasts.id, 1).await.unwrap();
    edit(first, (false, true)).await.unwrap();
}

async fn products_limit_the_types_of_lines(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (manage, set) = (app.staff.permit().unwrap(), app.staff.permit::<may::SetIntegrationType>().unwrap());
    accounts::edit(&app.db, &app.now, &manage, account, 1, "Talks only", (false, true)).await.unwrap();
    let preview = integration::preview(&app.db, &set, line.id, NoRoute).await.unwrap();
    assert!(preview.obstacle.as_deref().unwrap().contains("product Blast"), "{preview:?}");
    is_wrong(integration::set(&app.db, &app.now, &set, line.id, NoRoute, preview.version).await, "integration_type");
    is_wrong(lines::add(&app.db, &app.now, &manage, account, "+12025550119", "News", NoRoute).await, "integration_type");
    integration::set(&app.db, &app.now, &set, line.id, Ringcentral, preview.version).await.unwrap();
}

async fn closing_is_previewed_with_what_hangs_on_it_and_changes_nothing_before(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let account = account_of(app, &line).await;
    let (see, manage) = (app.staff.permit().unwrap(), app.staff.permit::<may::ManageDirectory>().unwrap());
    people::add_user(&app.db, &app.now, &manage, account, "Grace", "grace@example.com").await.unwrap();
    app.blast(&line, &[contact(1), contact(2)], "Held").await;
    app.work().await;
    let later = app.now.at().plus(std::time::Duration::from_secs(3_600)).rfc3339();
    let scheduled = json!({ "line": line.id, "text": "Later", "recipients": [contact(3)], "starts_at": later });
    assert_eq!(app.post(&line, "blasts", &scheduled).await.status(), 202);

    let closing = accounts::closing(&app.db, &see, &manage, account).await.unwrap();
    assert_eq!(closing.lines, [(Ringcentral, 1)]);
    assert_eq!((closing.held, closing.queued), (2, 0));
    assert_eq!((closing.scheduled_blasts, closing.blasts_under_way), (1, 0));
    assert_eq!((closing.users, closing.tokens), (1, 1));
    assert_eq!(accounts::closing(&app.db, &see, &manage, account).await.unwrap(), closing, "asking changes nothing");
    let stranger = elsewhere(app).await;
    is_hidden(accounts::closing(&app.db, &stranger.permit().unwrap(), &stranger.permit().unwrap(), account).await);
    is_hidden(accounts::close(&app.db, &app.now, &stranger.permit().unwrap(), proof(), account, closing.version).await);
    accounts::close(&app.db, &app.now, &manage, proof(), account, closing.version).await.unwrap();
    is_late(accounts::close(&app.db, &app.now, &manage, proof(), account, closing.version).await);
    is_late(accounts::close(&app.db, &app.now, &manage, proof(), account, closing.version + 1).await);
    assert_eq!(audited(app, account, "account.close").await.len(), 1);
}

async fn a_closed_account_takes_nothing_new_and_its_programs_are_refused(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    people::add_responder(&app.db, &app.now, &manage, line.id, "hours", "Nine to five").await.unwrap();
    accounts::close(&app.db, &app.now, &manage, proof(), account, 1).await.unwrap();

    let message = json!({ "line": line.number, "to": contact(1), "text": "Hello" });
    assert_eq!(app.post(&line, "messages", &message).await.status(), 401, "its programs are refused");
    is_late(lines::add(&app.db, &app.now, &manage, account, "+12025550119", "News", NoRoute).await);
    is_late(people::add_user(&app.db, &app.now, &manage, account, "Grace", "grace@example.com").await);
    is_late(accounts::add_api_token(&app.db, &app.now, &manage, proof(), account, "another").await);
    let to = [super::number(&contact(1))];
    is_late(blast::take_as_staff(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, "Hello", &to).await);
    // What comes in is recorded; no automatic reply, but STOP is honoured and confirmed.
    app.reply(&contact(1), &line, "hours").await;
    app.reply(&contact(2), &line, "STOP").await;
    app.work().await;
    assert_eq!(app.timeline(&line, &contact(1)).await.len(), 1);
    let stopped = app.timeline(&line, &contact(2)).await;
    assert_eq!(stopped.len(), 2, "the confirmation: {stopped:?}");

    accounts::reopen(&app.db, &app.now, &manage, account, 2).await.unwrap();
    is_late(accounts::reopen(&app.db, &app.now, &manage, account, 2).await);
    app.send(&line, &contact(1), "Open again").await;
    app.reply(&contact(1), &line, "hours").await;
    assert!(app.timeline(&line, &contact(1)).await.iter().any(|row| row.written.body() == Some("Nine to five")));
    assert_eq!(audited(app, account, "account.reopen").await.len(), 1);
}

async fn a_closed_accounts_connection_pauses_and_what_waits_is_posted_after_it_is_open_again(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let account = account_of(app, &line).await;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    app.reply(&contact(1), &line, "Before").await;
    app.work().await;
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
    accounts::close(&app.db, &app.now, &manage, proof(), account, 1).await.unwrap();
    app.reply(&contact(1), &line, "Meanwhile").await;
    for _ in 0..3 {
        app.engine.step().await.unwrap();
        app.pass(60);
    }
    assert!(matches!(app.conversation(&line, &contact(1)).await.sync, SyncState::Delivering { .. } | SyncState::Stalled { .. }));
    let connection = ringcentral::of_account(&app.db, &app.now, &app.staff.permit().unwrap(), account).await.unwrap().unwrap();
    is_late(ringcentral::resume(&app.db, &app.now, &manage, connection.id, connection.version).await);
    accounts::reopen(&app.db, &app.now, &manage, account, 2).await.unwrap();
    app.pass(600);
    app.work().await;
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync, "nothing is lost");
}

async fn a_connection_that_was_paused_before_stays_paused(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let account = account_of(app, &line).await;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    let see = app.staff.permit().unwrap();
    let of = async || ringcentral::of_account(&app.db, &app.now, &see, account).await.unwrap().unwrap();
    let connection = of().await;
    ringcentral::pause(&app.db, &app.now, &manage, connection.id, connection.version).await.unwrap();
    let paused = of().await.state;
    app.pass(60);
    accounts::close(&app.db, &app.now, &manage, proof(), account, 1).await.unwrap();
    accounts::reopen(&app.db, &app.now, &manage, account, 2).await.unwrap();
    assert_eq!(of().await.state, paused);
    // An account without a connection gets none while it is closed.
    let bare = house(app).account("Bare").await;
    accounts::close(&app.db, &app.now, &manage, proof(), bare, 1).await.unwrap();
    let text = || "sandbox-demo-x".to_owned();
    let new = NewConnection {
        base_url: "http://127.0.0.1:9".into(),
        client_id: text(),
        client_secret: text(),
        jwt: text(),
        posts_per_minute: None,
        posts_per_day: None,
    };
    is_late(ringcentral::connect(&app.db, &app.now, &keys(), &manage, Proof::at_the_shell(), bare, new).await);
    assert!(ringcentral::of_account(&app.db, &app.now, &see, bare).await.unwrap().is_none());
}

async fn scheduled_blasts_of_a_closed_account_wait_for_a_decision(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    let send = app.staff.permit::<may::SendMessages>().unwrap();
    let later = app.now.at().plus(std::time::Duration::from_secs(3_600)).rfc3339();
    let scheduled = json!({ "line": line.id, "text": "Later", "recipients": [contact(3)], "starts_at": later });
    let taken: serde_json::Value = app.post(&line, "blasts", &scheduled).await.json().await.unwrap();
    let id = taken["id"].as_str().unwrap().parse().unwrap();
    accounts::close(&app.db, &app.now, &manage, proof(), account, 1).await.unwrap();
    app.pass(7_200);
    app.work().await;
    let shown = blast::shown(&app.db, &app.staff.permit().unwrap(), line.id, id).await.unwrap();
    assert_eq!(shown.row.state, BlastState::Paused);
    is_late(blast::decide_as_staff(&app.db, &app.now, &send, (line.id, id), 0, blast::Decision::Resume).await);
    accounts::reopen(&app.db, &app.now, &manage, account, 2).await.unwrap();
    app.work().await;
    assert!(app.conversations(&line).await.is_empty(), "nobody has decided");
    blast::decide_as_staff(&app.db, &app.now, &send, (line.id, id), 0, blast::Decision::Resume).await.unwrap();
    blast::start_due(&app.db, &app.now).await.unwrap();
    app.work().await;
    let sent = app.timeline(&line, &contact(3)).await;
    assert!(matches!(sent[0].state, MessageState::Accepted | MessageState::Delivered), "{sent:?}");
}

async fn what_an_account_takes_is_offered_to_who_may_add_it_while_it_is_open(app: &TestApp) {
    let h = house(app);
    let bare = h.account("Bare").await;
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    let offered = async |member: &Member| {
        let page = app.ask(member, Method::GET, &format!("/accounts/{bare}"), &[]).await.text().await.unwrap();
        assert!(page.contains("Not connected."), "{page}");
        ["connections", "lines"].map(|what| page.contains(&format!("/{what}/new?account={bare}")))
    };
    assert_eq!(offered(&app.staff).await, [true, true]);
    assert_eq!(offered(&viewer).await, [false, false], "it would be refused");
    for (page, field) in [("/lines/new", "name=\"number\""), ("/accounts/new", "name=\"sends_blasts\"")] {
        let form = async |member: &Member| app.ask(member, Method::GET, page, &[]).await.text().await.unwrap();
        assert!(form(&app.staff).await.contains(field), "{page}");
        let refused = form(&viewer).await;
        assert!(!refused.contains(field) && refused.contains("Your roles do not let you add"), "{refused}");
    }
    accounts::close(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), bare, 1).await.unwrap();
    assert_eq!(offered(&app.staff).await, [false, false], "a closed account takes neither");
}

async fn who_looks_after_some_accounts_only_is_not_offered_to_add_one(app: &TestApp) {
    let h = house(app);
    let own = h.account("Own").await;
    let member = h.member_of(own).await;
    let page = async |member: &Member, path: &str| app.ask(member, Method::GET, path, &[]).await.text().await.unwrap();
    let refused = page(&member, "/accounts/new").await;
    assert!(refused.contains("Only someone whose role holds on all accounts can add one."), "{refused}");
    assert!(!refused.contains("name=\"sends_blasts\""), "it would be refused");
    let is_led = |page: &str| page.contains("href=\"/accounts/new\"");
    assert!(!is_led(&page(&member, "/accounts").await) && is_led(&page(&app.staff, "/accounts").await));
    accounts::close(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), own, 1).await.unwrap();
    for form in ["/lines/new", "/connections/new"] {
        let (mine, all) = (page(&member, form).await, page(&app.staff, form).await);
        assert!(mine.contains("No account yet") && all.contains("No account yet"), "{form}: {mine}");
        assert!(!is_led(&mine) && is_led(&all), "{form}: {mine}");
    }
}

async fn an_account_beyond_those_that_are_offered_is_found_by_its_name(app: &TestApp) {
    let rows: Vec<(AccountId, String)> = (0..499).map(|n| (AccountId(app.now.id()), format!("Able {n:03}"))).collect();
    let (seventh, rows) = (rows[7].0, json!(rows).to_string());
    app.db
        .work(async |tx| {
            tx.run(
                "insert into account (id, name, search, sends_blasts, has_conversations, created_at, version)
                 select unhex(j.value->>0, '-'), j.value->>1, lower(j.value->>1), true, true, 0, 1 from json_each($1) j",
                [rows.clone()],
            )
            .await
        })
        .await
        .unwrap();
    let zebra = house(app).account("Zebra Foods").await;
    let page = async |path: &str| app.ask(&app.staff, Method::GET, path, &[]).await.text().await.unwrap();
    let offers = |page: &str, account: AccountId| page.contains(&format!("<option value=\"{account}\""));
    let lists = ["/lines", "/sync", "/audit", "/utilities/history", "/lines/new", "/connections/new"].map(|path| (path, "account"));
    let all = || lists.into_iter().chain([("/utilities/new/line_transfer", "to")]);
    for (path, _) in all() {
        let few = page(path).await;
        assert!(offers(&few, zebra) && !few.contains("Find an account"), "{path}: all 500 are offered");
    }
    house(app).account("Able to the end").await;
    for (path, name) in all() {
        let first = page(path).await;
        assert!(first.contains("Find an account") && first.contains("The first 500 accounts"), "{path}");
        assert!(offers(&first, seventh) && !offers(&first, zebra), "{path}");
        // As it is sent without JavaScript.
        let found = page(&format!("{path}?find-{name}=ZEB")).await;
        assert!(offers(&found, zebra) && !offers(&found, seventh) && found.contains("1 account<"), "{path}");
        let kept = page(&format!("{path}?find-{name}=able+007&{name}={zebra}")).await;
        assert!(offers(&kept, zebra) && offers(&kept, seventh), "{path}: what is chosen stays offered");
        let none = page(&format!("{path}?find-{name}=nobody")).await;
        assert!(none.contains("No account fits") && none.contains("Find an account"), "{path}: one can search again");
    }
    let back = page("/lines/new?find-account=zeb&label=Night+desk&integration_type=inbox").await;
    assert!(back.contains("value=\"Night desk\"") && back.contains("formaction=\"/lines/new\""), "what was typed comes back: {back}");
    // A search beside a secret is sent by itself: field and button are of another form.
    assert_eq!(page("/connections/new").await.matches("form=\"find-account-form\"").count(), 2);
}

async fn what_is_taken_is_said_at_its_field_with_what_to_do(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    let says = |problem: Option<Problem>, field: &str| {
        let problem = problem.expect("a refusal");
        assert_eq!(problem.field(), Some(field), "{problem:?}");
        assert!(problem.to_string().contains("Choose another"), "{problem}");
    };
    says(accounts::add(db, now, &manage, "Account 0", true, true).await.err(), "name");
    says(lines::add(db, now, &manage, account, &line.number, "Night desk", Inbox).await.err(), "number");
    people::add_responder(db, now, &manage, line.id, "hours", "9 to 5").await.unwrap();
    says(people::add_responder(db, now, &manage, line.id, "Hours", "Always").await.err(), "keyword");
    people::add_user(db, now, &manage, account, "Grace", "grace@example.com").await.unwrap();
    says(people::add_user(db, now, &manage, account, "Grace Hopper", "Grace@example.com").await.err(), "email");
    says(roles::add(db, now, &app.staff.permit().unwrap(), proof(), "Viewer").await.err(), "name");
}

async fn a_token_is_listed_and_once_revoked_its_next_call_is_refused(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    let tokens = async || accounts::detail(db, &app.staff.permit().unwrap(), account).await.unwrap().tokens;
    app.pass(60);
    is_wrong(accounts::add_api_token(db, now, &manage, proof(), account, " ").await, "name");
    let token = accounts::add_api_token(db, now, &manage, proof(), account, " Order system ").await.unwrap();
    let listed = tokens().await;
    assert_eq!(listed.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["Order system", "program"], "the latest first");
    assert_eq!((listed[0].made_at, listed[0].made_by.as_deref()), (now.at(), Some("Ada Byron")));
    // There is no message of this id: who is let in is told so.
    let call = async || {
        let url = format!("{}/api/v1/lines/{}/messages/{account}", app.url, line.id);
        app.http.get(url).bearer_auth(&token).send().await.unwrap().status()
    };
    assert_eq!(call().await, 404);
    let handle = listed[0].handle.clone();
    let stranger = elsewhere(app).await;
    let other = house(app).account("Other").await;
    let revoke = async |by: &Member, account: AccountId, handle: &str| {
        accounts::revoke_api_token(db, now, &by.permit().unwrap(), proof(), account, handle).await
    };
    is_hidden(revoke(&stranger, account, &handle).await);
    is_hidden(revoke(&app.staff, other, &handle).await);
    is_hidden(revoke(&app.staff, account, "of nobody").await);
    assert_eq!(call().await, 404, "nothing was revoked");
    app.pass(60);
    let revoked = Some((now.at(), "Ada Byron".to_owned()));
    revoke(&app.staff, account, &handle).await.unwrap();
    assert_eq!(call().await, 401);
    app.send(&line, &contact(1), "By the other token").await;
    is_hidden(revoke(&app.staff, account, &handle).await);
    let listed = tokens().await.into_iter().map(|token| (token.name, token.revoked)).collect::<Vec<_>>();
    assert_eq!(listed, [("program".to_owned(), None), ("Order system".to_owned(), revoked)], "those that are good come first");
    let entries = audited(app, account, "account.revoke_api_token").await;
    assert!(matches!(&entries[..], [one] if one.row.before.as_deref().unwrap().contains("Order system")), "{entries:?}");
}

async fn a_token_is_shown_once_and_stands_nowhere_without_scripts_too(app: &TestApp) {
    let h = house(app);
    let account = h.account("Own").await;
    let (page, id) = (format!("/accounts/{account}"), account.to_string());
    let session = app.cookie(&app.staff).await;
    let post = app.http.post(format!("{}/fn/accounts/tokens/add", app.url)).header("sec-fetch-site", "same-origin");
    let post = post.header("accept", "text/html").header("referer", format!("{}{page}", app.url)).header("cookie", &session);
    let answer = post.form(&[("id", id.as_str()), ("name", "Order system")]).send().await.unwrap();
    assert!(answer.status().is_redirection(), "{answer:?}");
    let to = answer.headers()["location"].to_str().unwrap();
    let set = |answer: &reqwest::Response| {
        let mut all = answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
        all.find(|cookie| cookie.starts_with("switchyard_token="))
    };
    let cookie = set(&answer).unwrap();
    let (pair, attributes) = cookie.split_once(';').unwrap();
    let token = pair.strip_prefix("switchyard_token=").unwrap();
    assert!(token.starts_with("sw_") && to.trim_end_matches('?').ends_with(&page) && !to.contains("sw_"), "{to}");
    for attribute in ["HttpOnly", "SameSite=Strict", "Max-Age=60", format!("Path={page}").as_str()] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    let read = async |cookie: String| app.http.get(format!("{}{page}", app.url)).header("cookie", cookie).send().await.unwrap();
    let shown = read(format!("{session}; {pair}")).await;
    assert!(set(&shown).unwrap().contains("Max-Age=0"), "the page that shows it forgets it");
    let shown = shown.text().await.unwrap();
    assert!(shown.contains(token) && shown.contains("it is not shown again"), "{shown}");
    let after = read(session).await.text().await.unwrap();
    assert!(!after.contains(token) && after.contains("Order system") && after.contains("Make a token"), "{after}");
    let written: Vec<(Option<String>,)> = app.db.all("select after from audit_entry", ()).await.unwrap();
    let sessions: Vec<(String,)> = app.db.all("select data from session", ()).await.unwrap();
    assert!(!format!("{written:?} {sessions:?}").contains(token));

    // Who may only look sees what there is, and a closed account takes no further one.
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let of = async |member: &Member| app.ask(member, Method::GET, &page, &[]).await.text().await.unwrap();
    let seen = of(&vera).await;
    assert!(seen.contains("Order system") && !seen.contains("Make a token") && !seen.contains("Revoke the token"), "{seen}");
    accounts::close(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), account, 1).await.unwrap();
    let closed = of(&app.staff).await;
    assert!(closed.contains("Order system") && !closed.contains("Make a token"), "{closed}");
}
