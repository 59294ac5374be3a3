//! Who hears of what changes: each kind of change, told to each kind of person who may listen.

use super::Listening;
use crate::harness::{TestApp, on_both_engines};
use crate::house::house;
use crate::sights::role;
use reqwest::{Method, StatusCode};
use switchyard::db::Error;
use switchyard::staff::Member;
use switchyard::types::{AccountId, Change, ConversationId, LineId, Permission, RunId};

on_both_engines![each_kind_of_change_is_heard_by_who_may_hear_of_it, only_who_sees_the_directory_hears_anything];

/// Who is told of a kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Whoever sees the directory of its account.
    OfTheAccount,
    /// Whoever sees the directory of all accounts.
    OfAllAccounts,
    /// The program alone.
    Nobody,
}

/// A change of each kind, to something of the account, and who is told of it.
fn changes(app: &TestApp, account_id: AccountId) -> Vec<(Change, Told)> {
    let (line_id, conversation_id, run_id) = (LineId(app.now.id()), ConversationId(app.now.id()), RunId(app.now.id()));
    let (mut all, mut next) = (Vec::new(), Some(Change::Line { account_id, line_id }));
    while let Some(change) = next {
        // A new kind has its place here, behind one that leads to it.
        let (told, following) = match change {
            Change::Line { .. } => (Told::OfTheAccount, Some(Change::Conversation { account_id, line_id, conversation_id })),
            Change::Conversation { .. } => (Told::OfTheAccount, Some(Change::Conversations { account_id, line_id })),
            Change::Conversations { .. } => (Told::OfTheAccount, Some(Change::UnknownLine)),
            Change::UnknownLine => (Told::OfAllAccounts, Some(Change::Run { account_id: Some(account_id), run_id })),
            Change::Run { account_id: Some(_), .. } => (Told::OfTheAccount, Some(Change::Run { account_id: None, run_id })),
            Change::Run { account_id: None, .. } => (Told::OfAllAccounts, Some(Change::RunDue)),
            Change::RunDue => (Told::Nobody, Some(Change::LaneDue)),
            Change::LaneDue => (Told::Nobody, Some(Change::OutboxDue)),
            Change::OutboxDue => (Told::Nobody, Some(Change::EventDue)),
            Change::EventDue => (Told::Nobody, Some(Change::Staff)),
            Change::Staff => (Told::Nobody, None),
        };
        all.push((change, told));
        next = following;
    }
    let source = include_str!("../../../../src/types/change.rs").split_once("pub enum Change {\n").unwrap().1.split_once("\n}").unwrap().0;
    let begins_kind = |line: &&str| line.strip_prefix("    ").is_some_and(|line| line.starts_with(|sign: char| sign.is_ascii_uppercase()));
    // A run is told of in two ways.
    assert_eq!(all.len() - 1, source.lines().filter(begins_kind).count(), "each kind is among them");
    all
}

async fn each_kind_of_change_is_heard_by_who_may_hear_of_it(app: &TestApp) {
    let h = house(app);
    let (account, other) = (h.account("Acme").await, h.account("Elsewhere").await);
    let directory = [Permission::SeeDirectory];
    let everything_else: Vec<Permission> = Permission::ALL.iter().copied().filter(|permission| !directory.contains(permission)).collect();
    let everywhere = role(app, "Directory", &directory, None).await;
    let here = role(app, "Directory here", &directory, Some(&[account])).await;
    let there = role(app, "Directory there", &directory, Some(&[other])).await;
    let nowhere = role(app, "Directory nowhere", &directory, Some(&[])).await;
    let further = role(app, "Everything else", &everything_else, None).await;
    let people: [(&str, Member, &[Told]); 6] = [
        ("who sees all accounts", h.member("everywhere@example.com", everywhere).await, &[Told::OfTheAccount, Told::OfAllAccounts]),
        ("who sees this account", h.member("here@example.com", here).await, &[Told::OfTheAccount]),
        ("who sees another account", h.member("there@example.com", there).await, &[]),
        ("who sees no account", h.member("nowhere@example.com", nowhere).await, &[]),
        ("who sees another account, and may do everything else on all", h.member("further@example.com", there).await, &[]),
        ("an administrator", app.staff.clone(), &[Told::OfTheAccount, Told::OfAllAccounts]),
    ];
    let of_much = people[4].1.id();
    app.db.work(async |tx| tx.run("insert into staff_role (staff_id, role_id) values ($1, $2)", (of_much, further)).await).await.unwrap();

    let mut streams = Vec::new();
    for (who, member, _) in &people {
        let answer = app.ask(member, Method::GET, "/events", &[]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{who}");
        streams.push(Listening(answer, String::new()));
    }
    let changes = changes(app, account);
    for (change, _) in &changes {
        app.db
            .work(async |tx| {
                tx.tell(*change);
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
    }
    // With their sessions the streams end: what they were not told by then they are not told.
    app.db
        .work(async |tx| {
            tx.tell(Change::Staff);
            tx.run("delete from session", ()).await
        })
        .await
        .unwrap();
    for ((who, _, hears), stream) in people.iter().zip(&mut streams) {
        let mut heard: Vec<Change> = Vec::new();
        while let Some(event) = stream.next().await {
            heard.push(serde_json::from_str(&event).unwrap_or_else(|error| panic!("{who} hears {event}: {error}")));
        }
        let wanted: Vec<Change> = changes.iter().filter(|(_, told)| hears.contains(told)).map(|(change, _)| *change).collect();
        assert_eq!(heard, wanted, "{who}");
    }
}

async fn only_who_sees_the_directory_hears_anything(app: &TestApp) {
    let nobody = app.http.get(format!("{}/events", app.url)).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    for permission in Permission::ALL {
        let alone = role(app, &format!("Only {}", permission.name()), &[*permission], None).await;
        app.db.work(async |tx| tx.run("update staff_role set role_id = $2 where staff_id = $1", (vera.id(), alone)).await).await.unwrap();
        let answer = app.ask(&vera, Method::GET, "/events", &[]).await;
        let wanted = if *permission == Permission::SeeDirectory { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(answer.status(), wanted, "{permission:?}");
    }
}
