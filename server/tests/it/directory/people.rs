//! The people of an account, their access to lines, and the automatic replies of a line.

use super::{account_of, audited, elsewhere, is_hidden, is_late, is_wrong};
use crate::harness::{TestApp, contact, on_both_engines};
use crate::house::{house, proof};
use reqwest::Method;
use switchyard::db;
use switchyard::directory::{lines, people, users};
use switchyard::staff::may;
use switchyard::types::IntegrationType::{Inbox, None as NoRoute};
use switchyard::types::{AccountId, LineId, Problem, UserId};

on_both_engines![
    people_are_found_by_how_their_name_or_e_mail_begins_page_by_page,
    a_person_is_edited_once_and_an_address_is_one_persons,
    closing_a_person_takes_their_access_away_and_opening_gives_none,
    access_is_seen_from_the_line_and_from_the_person,
    access_beyond_what_a_page_offers_is_seen_and_counted_before_it_is_taken,
    a_responder_is_edited_as_it_was_seen_and_takes_no_word_of_consent,
];

async fn names(app: &TestApp, account: AccountId, search: &str) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = users::list(&app.db, &app.staff.permit().unwrap(), account, search, after.as_ref(), 2).await.unwrap();
        found.extend(page.rows.into_iter().map(|row| row.name));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

async fn people_are_found_by_how_their_name_or_e_mail_begins_page_by_page(app: &TestApp) {
    let account = house(app).account("Own").await;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    for (name, email) in [
        ("Ödön", "odon@example.com"),
        ("grace", "hopper@example.com"),
        ("Ada", "ada@example.com"),
        ("Alan", "turing@example.com"),
        ("Barbara", "al.zebra@example.com"),
    ] {
        users::add(&app.db, &app.now, &manage, account, name, email).await.unwrap();
    }
    assert_eq!(names(app, account, "").await, ["Ada", "Alan", "Barbara", "grace", "Ödön"]);
    assert_eq!(names(app, account, " AL").await, ["Alan", "Barbara"], "by name or by e-mail, each once");
    assert_eq!(names(app, account, "öd").await, ["Ödön"]);
    assert_eq!(names(app, account, "%").await, [] as [&str; 0]);
    assert_eq!(names(app, account, "lan").await, [] as [&str; 0], "it begins so");
    is_hidden(users::list(&app.db, &elsewhere(app).await.permit().unwrap(), account, "", None, 2).await);
}

async fn a_person_is_edited_once_and_an_address_is_one_persons(app: &TestApp) {
    let account = house(app).account("Own").await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    let id = users::add(db, now, &manage, account, "Grace", "Grace@Example.com").await.unwrap();
    is_wrong(users::add(db, now, &manage, account, "Again", "grace@example.com").await, "email");
    is_wrong(users::add(db, now, &manage, account, "No address", "grace").await, "email");
    is_wrong(users::add(db, now, &manage, account, " ", "x@example.com").await, "name");
    let other = users::add(db, now, &manage, account, "Other", "other@example.com").await.unwrap();
    is_wrong(users::edit(db, now, &manage, other, 1, "Other", "grace@example.com").await, "email");
    users::edit(db, now, &manage, id, 1, "Grace Hopper", "hopper@example.com").await.unwrap();
    is_late(users::edit(db, now, &manage, id, 1, "Second", "second@example.com").await);
    is_hidden(users::edit(db, now, &elsewhere(app).await.permit().unwrap(), id, 2, "Mine", "mine@example.com").await);
    let user = users::get(db, &app.staff.permit().unwrap(), id).await.unwrap();
    assert_eq!((user.row.name.as_str(), user.row.email.as_str(), user.version), ("Grace Hopper", "hopper@example.com", 2));
    let entries = audited(app, account, "user.edit").await;
    assert_eq!(entries.len(), 1);
    assert!(entries[0].row.before.as_deref().unwrap().contains("grace@example.com"));
}

async fn closing_a_person_takes_their_access_away_and_opening_gives_none(app: &TestApp) {
    let (line, other) = (app.line(Inbox).await, app.line(Inbox).await);
    let (account, theirs) = (account_of(app, &line).await, account_of(app, &other).await);
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    let see = app.staff.permit().unwrap();
    let id = users::add(db, now, &manage, account, "Grace", "grace@example.com").await.unwrap();
    people::set_access(db, now, &manage, line.id, id, true).await.unwrap();
    let before: (i64,) = db.one("select version from line_members where line_id = $1", [line.id]).await.unwrap();

    is_hidden(users::close(db, now, &elsewhere(app).await.permit().unwrap(), id, 1).await);
    is_late(users::close(db, now, &manage, id, 7).await);
    users::close(db, now, &manage, id, 1).await.unwrap();
    let closed = users::get(db, &see, id).await.unwrap();
    assert_eq!((closed.row.lines, closed.row.closed_at), (0, Some(now.at())));
    let after: (i64,) = db.one("select version from line_members where line_id = $1", [line.id]).await.unwrap();
    assert!(after.0 > before.0, "the line's chats follow");
    assert!(lines::get(db, &see, line.id).await.unwrap().users.is_empty(), "a closed person is not offered");
    is_late(people::set_access(db, now, &manage, line.id, id, true).await);
    let entries = audited(app, account, "user.close").await;
    assert!(entries[0].row.before.as_deref().unwrap().contains(&line.id.to_string()), "{entries:?}");

    users::reopen(db, now, &manage, id, 2).await.unwrap();
    is_late(users::reopen(db, now, &manage, id, 3).await);
    assert_eq!(users::get(db, &see, id).await.unwrap().row.lines, 0);
    people::set_access(db, now, &manage, line.id, id, true).await.unwrap();
    is_hidden(people::set_access(db, now, &manage, other.id, id, true).await);
    // Nobody is opened in an account that is closed.
    let gone = users::add(db, now, &manage, theirs, "Gone", "gone@example.com").await.unwrap();
    users::close(db, now, &manage, gone, 1).await.unwrap();
    switchyard::directory::accounts::close(db, now, &manage, proof(), theirs, 1).await.unwrap();
    is_late(users::reopen(db, now, &manage, gone, 2).await);
}

async fn access_is_seen_from_the_line_and_from_the_person(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    let second = lines::add(&app.db, &app.now, &manage, account, "+12025550119", "News", NoRoute).await.unwrap();
    let id = users::add(&app.db, &app.now, &manage, account, "Grace", "grace@example.com").await.unwrap();
    people::set_access(&app.db, &app.now, &manage, second, id, true).await.unwrap();
    let see = app.staff.permit().unwrap();
    let user = users::get(&app.db, &see, id).await.unwrap();
    let seen: Vec<_> = user.lines.iter().map(|(line, has)| (line.id, *has)).collect();
    assert_eq!(seen, [(line.id, false), (second, true)]);
    assert!(lines::get(&app.db, &see, second).await.unwrap().users[0].access);
    let stranger = elsewhere(app).await;
    is_hidden(users::get(&app.db, &stranger.permit().unwrap(), id).await);
    is_hidden(people::set_access(&app.db, &app.now, &stranger.permit().unwrap(), second, id, false).await);
}

/// An account with 501 lines and 501 people, one of each more than a page offers; the last line by number, and the last person by name.
async fn large(app: &TestApp) -> (AccountId, LineId, UserId) {
    let account = house(app).account("Large").await;
    let (at, last, person) = (app.now.at(), LineId(app.now.id()), UserId(app.now.id()));
    app.db
        .work(async |tx| {
            for n in 0..=500 {
                let (line, user) = if n == 500 { (last, person) } else { (LineId(app.now.id()), UserId(app.now.id())) };
                tx.run(
                    "insert into line (id, account_id, number, label, search, integration_type, created_at, version)
                     values ($1, $2, $3, $4, $4, 'none', $5, 1)",
                    (line, account, format!("+1{}5550119", 201 + n), format!("line {n:03}"), at),
                )
                .await?;
                tx.run(
                    "insert into account_user (id, account_id, name, email, search, created_at) values ($1, $2, $3, $4, $3, $5)",
                    (user, account, format!("person {n:03}"), format!("person{n}@example.com"), at),
                )
                .await?;
            }
            Ok::<(), db::Error>(())
        })
        .await
        .unwrap();
    (account, last, person)
}

async fn access_beyond_what_a_page_offers_is_seen_and_counted_before_it_is_taken(app: &TestApp) {
    let (account, last, person) = large(app).await;
    let (manage, see) = (app.staff.permit::<may::ManageDirectory>().unwrap(), app.staff.permit().unwrap());
    people::set_access(&app.db, &app.now, &manage, last, person, true).await.unwrap();
    app.db.work(async |tx| tx.run("update line set closed_at = 1 where label = 'line 000'", ()).await).await.unwrap();

    let user = users::get(&app.db, &see, person).await.unwrap();
    assert_eq!((user.lines.len(), user.lines_of_account, user.row.lines), (500, 501, 1));
    assert_eq!(user.lines.iter().filter(|(_, has)| *has).map(|(line, _)| line.id).collect::<Vec<_>>(), [last]);
    assert!(user.lines.iter().all(|(line, _)| line.closed_at.is_none()), "what is closed is left out first");
    let page = app.ask(&app.staff, Method::GET, &format!("/users/{person}"), &[]).await.text().await.unwrap();
    assert!(page.contains("The first 500 of 501 lines"), "{page}");
    assert!(page.contains(" loses access to these lines at once") && !page.contains(" has access to no line"), "{page}");

    let line = lines::get(&app.db, &see, last).await.unwrap();
    assert_eq!((line.users.len(), line.users_of_account), (500, 501));
    assert_eq!(line.users.iter().filter(|user| user.access).map(|user| user.id).collect::<Vec<_>>(), [person]);
    let page = app.ask(&app.staff, Method::GET, &format!("/lines/{last}"), &[]).await.text().await.unwrap();
    assert!(page.contains("The first 500 of 501 people"), "{page}");

    // More have access than are shown.
    let all = "insert into line_user (line_id, user_id) select $1, id from account_user where account_id = $2 on conflict do nothing";
    app.db.work(async |tx| tx.run(all, (last, account)).await).await.unwrap();
    assert_eq!(lines::closing(&app.db, &see, &manage, last).await.unwrap().users, 501);
    // And more than ten lines are lost.
    let all = "insert into line_user (line_id, user_id) select id, $1 from line where account_id = $2 on conflict do nothing";
    app.db.work(async |tx| tx.run(all, (person, account)).await).await.unwrap();
    let page = app.ask(&app.staff, Method::GET, &format!("/users/{person}"), &[]).await.text().await.unwrap();
    assert!(page.contains("and 491 more."), "{page}");
}

async fn a_responder_is_edited_as_it_was_seen_and_takes_no_word_of_consent(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    let id = people::add_responder(db, now, &manage, line.id, "hours", "Nine\nto five").await.unwrap();
    people::add_responder(db, now, &manage, line.id, "menu", "Soup").await.unwrap();
    let edit = async |was: (&str, &str), keyword: &str, reply: &str| {
        people::edit_responder(db, now, &manage, (line.id, id), was, keyword, reply).await
    };
    let seen = ("hours", "Nine\r\nto five");
    for word in ["STOP", "opt-out", "Unsubscribe", "help", "START"] {
        is_wrong(edit(seen, word, "No").await, "keyword");
    }
    is_wrong(edit(seen, "hours", " ").await, "reply");
    is_wrong(edit(seen, "menu", "Two").await, "keyword");
    is_wrong(people::add_responder(db, now, &manage, line.id, "Menu", "Two").await, "keyword");
    edit(seen, "Open", "Eight\r\nto six").await.unwrap();
    is_late(edit(seen, "late", "Second").await);
    let stranger = elsewhere(app).await;
    is_hidden(people::edit_responder(db, now, &stranger.permit().unwrap(), (line.id, id), seen, "open", "Mine").await);
    app.reply(&contact(1), &line, "OPEN").await;
    assert!(app.timeline(&line, &contact(1)).await.iter().any(|row| row.written.body() == Some("Eight\nto six")));
    assert_eq!(audited(app, account, "line.edit_responder").await.len(), 1);
    // Whoever removes it has seen it, too.
    let remove = async |was: (&str, &str)| people::remove_responder(db, now, &manage, (line.id, id), was).await;
    for late in [seen, ("open", "Nine\nto five"), ("hours", "Eight\nto six")] {
        is_late(remove(late).await);
    }
    is_hidden(people::remove_responder(db, now, &stranger.permit().unwrap(), (line.id, id), ("open", "Eight\nto six")).await);
    assert!(audited(app, account, "line.remove_responder").await.is_empty());
    remove(("open", "Eight\r\nto six")).await.unwrap();
    assert_eq!(audited(app, account, "line.remove_responder").await.len(), 1);
    assert!(matches!(remove(("open", "Eight\nto six")).await, Err(Problem::NotFound { .. })));
    assert!(matches!(edit(("open", "Eight\nto six"), "x", "y").await, Err(Problem::NotFound { .. })));
}
