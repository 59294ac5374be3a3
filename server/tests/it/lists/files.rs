//! Lists as files: what they hold is what their page shows, narrowed as the page is.

use crate::harness::{TestApp, contact, on_both_engines};
use crate::house::house;
use reqwest::Method;
use switchyard::directory::{accounts, contacts, lines, people};
use switchyard::types::{AccountId, IntegrationType, LineId, ListKind, PhoneNumber, Timestamp};

on_both_engines![a_file_has_the_columns_of_its_list, a_file_is_narrowed_to_what_is_open_or_closed_as_its_list_is];

async fn file(app: &TestApp, path: &str) -> Vec<String> {
    let answer = app.ask(&app.staff, Method::GET, path, &[]).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap().lines().map(ToOwned::to_owned).collect()
}

/// An account with two lines, two people and two contacts, of each one that is closed; and the account itself beside another.
async fn half_closed(app: &TestApp) -> AccountId {
    let (db, now, permit) = (&app.db, &app.now, app.staff.permit().unwrap());
    let account = house(app).account("Half open").await;
    house(app).account("Half closed").await;
    for n in 0..2 {
        let label = if n == 0 { "Open" } else { "Shut" };
        lines::add(db, now, &permit, account, &format!("+1202555017{n}"), label, IntegrationType::Inbox).await.unwrap();
        people::add_user(db, now, &permit, account, label, &format!("person{n}@example.com")).await.unwrap();
        people::name_contact(db, now, &permit, account, &PhoneNumber::parse(&contact(n)).unwrap(), label).await.unwrap();
    }
    db.work(async |tx| {
        tx.run("update account set closed_at = $1 where name = 'Half closed'", [Timestamp(1_000_000)]).await?;
        tx.run("update line set closed_at = $1 where label = 'Shut'", [Timestamp(1_000_000)]).await?;
        tx.run("update account_user set closed_at = $1 where name = 'Shut'", [Timestamp(1_000_000)]).await?;
        tx.run("update contact set closed_at = $1 where name = 'Shut'", [Timestamp(1_000_000)]).await
    })
    .await
    .unwrap();
    account
}

async fn a_file_has_the_columns_of_its_list(app: &TestApp) {
    let account = half_closed(app).await;
    let (line,): (LineId,) = app.db.one("select id from line where label = 'Open'", ()).await.unwrap();
    let lists = [
        (ListKind::Lines, "/lines.csv".to_owned()),
        (ListKind::Accounts, "/accounts.csv".to_owned()),
        (ListKind::Users, format!("/accounts/{account}/users.csv")),
        (ListKind::Contacts, format!("/accounts/{account}/contacts.csv")),
        (ListKind::Conversations, format!("/lines/{line}/conversations.csv")),
    ];
    for (list, path) in lists {
        let rows = file(app, &path).await;
        let head: Vec<&str> = rows[0].split(',').collect();
        for column in list.columns() {
            let of_file = match column.word {
                "type" => "integration_type",
                "added" => "created_at",
                "closed" => "closed_at",
                "ringcentral" => "connected",
                "sync" => "state",
                "chat" => "chat_id",
                "last" => "last_message_at",
                "changed" => "changed_at",
                word => word,
            };
            assert!(head.contains(&of_file), "{path} has {}: {head:?}", column.head);
        }
    }
    let rows = file(app, &format!("/lines.csv?account={account}")).await;
    let shut = rows.iter().find(|row| row.contains("Shut")).unwrap();
    let cells: Vec<&str> = shut.split(',').collect();
    let [added, closed] = cells[cells.len() - 2..] else { panic!("{shut}") };
    let (created_at,): (Timestamp,) = app.db.one("select created_at from line where label = 'Shut'", ()).await.unwrap();
    assert_eq!((added, closed), (created_at.rfc3339().as_str(), Timestamp(1_000_000).rfc3339().as_str()), "{shut}");
    assert!(rows.iter().any(|row| row.contains("Open") && row.ends_with(',')), "what is open was never closed: {rows:?}");
}

async fn a_file_is_narrowed_to_what_is_open_or_closed_as_its_list_is(app: &TestApp) {
    let account = half_closed(app).await;
    let lists = [
        (format!("/lines.csv?account={account}"), "Open", "Shut"),
        ("/accounts.csv?q=Half".to_owned(), "Half open", "Half closed"),
        (format!("/accounts/{account}/users.csv?q="), "Open", "Shut"),
        (format!("/accounts/{account}/contacts.csv?"), "Open", "Shut"),
    ];
    for (path, open, closed) in lists {
        let rows = async |state: &str| file(app, &format!("{path}&state={state}")).await.split_off(1);
        let (only_open, only_closed) = (rows("open").await, rows("closed").await);
        assert!(matches!(&only_open[..], [row] if row.contains(open)), "{path}: {only_open:?}");
        assert!(matches!(&only_closed[..], [row] if row.contains(closed)), "{path}: {only_closed:?}");
        // As the page reads it: what is no state narrows nothing.
        for state in ["", "nonsense"] {
            assert_eq!(rows(state).await.len(), 2, "{path} {state:?}");
        }
    }
    // What the page sends: a word that is none is refused there.
    let (see, id) = (app.staff.permit().unwrap(), account.to_string());
    for (path, form) in [("/fn/lines/list", vec![]), ("/fn/accounts/list", vec![]), ("/fn/users/list", vec![("account", id.as_str())])] {
        let typed = [form, vec![("state", "shut")]].concat();
        let answer = app.ask(&app.staff, Method::POST, path, &typed).await;
        assert!(answer.status().is_client_error() || answer.status().is_server_error(), "{path}: {}", answer.status());
    }
    assert_eq!(accounts::list(&app.db, &see, "Half", None, 9).await.unwrap().rows.len(), 2, "both stand in the list by default");
    assert_eq!(contacts::list(&app.db, &see, account, None, 9).await.unwrap().rows.len(), 2);
}
