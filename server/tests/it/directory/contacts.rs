//! The contacts of an account: found, masked, edited, closed; and where they are on its lines.

use super::{account_of, audited, elsewhere, is_hidden, is_late, is_wrong, number};
use crate::harness::{TestApp, contact, keys, on_both_engines};
use crate::house::{House, house, proof};
use reqwest::Method;
use switchyard::directory::contacts;
use switchyard::messaging::lines_of_contact;
use switchyard::staff::roles::{self, Edit, RoleEdit};
use switchyard::staff::{Member, may};
use switchyard::types::IntegrationType::{Inbox, None as NoRoute};
use switchyard::types::{AccountId, ConsentState, ContactRow, OpenOrClosed, Permission, Problem, SearchId};

on_both_engines![
    contacts_are_found_by_how_the_name_begins_or_by_the_whole_number,
    a_search_among_many_contacts_says_that_there_are_more,
    several_of_one_name_are_kept_and_shown_within_scope_and_only_to_who_searched,
    without_the_permission_names_numbers_and_notes_are_masked_and_not_searched,
    a_contact_is_edited_once_and_the_audit_says_only_which_fields,
    a_closed_contact_is_put_away_and_stops_nothing,
    a_contact_is_seen_on_each_line,
    a_number_becomes_a_contact_by_its_name_once,
];

async fn named(app: &TestApp, account: AccountId, names: &[&str]) {
    for (n, name) in names.iter().enumerate() {
        contacts::name_contact(&app.db, &app.now, &app.staff.permit().unwrap(), account, &number(&contact(n)), name).await.unwrap();
    }
}

async fn all(app: &TestApp, member: &switchyard::staff::Member, account: AccountId) -> Vec<ContactRow> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = contacts::list(&app.db, &member.permit().unwrap(), account, after.as_ref(), 2).await.unwrap();
        found.extend(page.rows);
        after = page.next;
        if let Some(cursor) = &after {
            let text = String::from_utf8(
                cursor.0.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect(),
            )
            .unwrap();
            assert!(!text.contains("202555") && !text.to_lowercase().contains("grace"), "an address holds no personal data: {text}");
        } else {
            return found;
        }
    }
}

async fn contacts_are_found_by_how_the_name_begins_or_by_the_whole_number(app: &TestApp) {
    let account = house(app).account("Own").await;
    named(app, account, &["grace", "Ada", "Grace Hopper", "Émile"]).await;
    let names: Vec<_> = all(app, &app.staff, account).await.into_iter().map(|row| row.name.unwrap()).collect();
    assert_eq!(names, ["Ada", "grace", "Grace Hopper", "Émile"]);
    let see = app.staff.permit().unwrap();
    let find = async |text: &str| contacts::find(&app.db, &see, account, text).await.map(|found| found.rows.len());
    assert_eq!(find("GRACE").await, Ok(2));
    assert_eq!(find("émi").await, Ok(1));
    assert_eq!(find("opper").await, Ok(0));
    assert_eq!(find("+1 (202) 555-0121").await, Ok(1), "however it is written");
    assert_eq!(find("+12025550199").await, Ok(0));
    is_wrong(find(" ").await, "text");
    is_hidden(contacts::find(&app.db, &elsewhere(app).await.permit().unwrap(), account, "grace").await);
}

async fn a_search_among_many_contacts_says_that_there_are_more(app: &TestApp) {
    let account = house(app).account("Own").await;
    named(app, account, &["Grace"; 20]).await;
    let find = async |text: &str| {
        let found = contacts::find(&app.db, &app.staff.permit().unwrap(), account, text).await.unwrap();
        (found.rows.len(), found.is_cut)
    };
    assert_eq!(find("gra").await, (20, false));
    contacts::name_contact(&app.db, &app.now, &app.staff.permit().unwrap(), account, &number(&contact(20)), "Grace H").await.unwrap();
    assert_eq!(find("gra").await, (20, true), "one more than is shown");
    assert_eq!(find("grace h").await, (1, false));
}

async fn several_of_one_name_are_kept_and_shown_within_scope_and_only_to_who_searched(app: &TestApp) {
    let h = house(app);
    let (account, other) = (h.account("Own").await, h.account("Other").await);
    named(app, account, &["Grace", "Grace", "Ada"]).await;
    named(app, other, &["Grace"]).await;
    let (db, now, keys) = (&app.db, &app.now, &keys());
    let look_for = async |member: &Member, text: &str| {
        let (found, kept) = contacts::look_for(db, now, keys, &member.permit().unwrap(), account, text).await.unwrap();
        (found.rows.len(), kept)
    };
    let shown = async |member: &Member, of: AccountId, state, kept: SearchId| {
        let page = contacts::found(db, now, keys, &member.permit().unwrap(), of, state, kept).await;
        page.map(|page| page.rows.into_iter().map(|row| row.id).collect::<Vec<_>>())
    };
    assert_eq!((look_for(&app.staff, "ada").await, look_for(&app.staff, "nobody").await), ((1, None), (0, None)));
    let (count, kept) = look_for(&app.staff, "G").await;
    let (two, kept) = (shown(&app.staff, account, None, kept.unwrap()).await.unwrap(), kept.unwrap());
    assert_eq!((count, two.len()), (2, 2));
    contacts::set_closed(db, now, &app.staff.permit().unwrap(), two[1], 1, true).await.unwrap();
    assert_eq!(shown(&app.staff, account, Some(OpenOrClosed::Open), kept).await.unwrap(), two[..1]);
    assert_eq!(shown(&app.staff, account, Some(OpenOrClosed::Closed), kept).await.unwrap(), two[1..]);

    // It is its searcher's own, and leads no further than they may go.
    is_hidden(shown(&h.member("sam@example.com", h.role("Support").await).await, account, None, kept).await);
    let own = h.member_of(account).await;
    let (_, of_own) = look_for(&own, "grace").await;
    assert_eq!(shown(&own, account, None, of_own.unwrap()).await.unwrap(), two);
    is_hidden(shown(&own, other, None, of_own.unwrap()).await);

    // The address names the search alone, with JavaScript and without; the page and the file are narrowed to what it finds.
    let form = [("account", account.to_string()), ("text", "Grace".to_owned())];
    let form = form.each_ref().map(|(key, value)| (*key, value.as_str()));
    let answer = app.ask(&app.staff, Method::POST, "/fn/contacts/find", &form).await;
    let headers = format!("{:?}", answer.headers());
    assert!(headers.contains("/contacts?found=") && !headers.to_lowercase().contains("grace"), "{headers}");
    let (typed,): (String,) = db.one("select typed from kept_search where id = $1", [of_own.unwrap()]).await.unwrap();
    assert!(!typed.contains("grace"), "it stands sealed: {typed}");
    let read = async |path: String| app.ask(&app.staff, Method::GET, &path, &[]).await.text().await.unwrap();
    let ada = contacts::find(db, &app.staff.permit().unwrap(), account, "ada").await.unwrap().rows[0].id;
    let page = read(format!("/accounts/{account}/contacts?found={kept}")).await;
    assert!(two.iter().all(|id| page.contains(&format!("/contacts/{id}"))) && !page.contains(&format!("/contacts/{ada}")), "{page}");
    assert_eq!(read(format!("/accounts/{account}/contacts.csv?found={kept}")).await.lines().count(), 3, "the head and both");
    assert_eq!(read(format!("/accounts/{account}/contacts.csv")).await.lines().count(), 4);
    app.pass(3_601);
    is_hidden(shown(&app.staff, account, None, kept).await);
}

async fn without_the_permission_names_numbers_and_notes_are_masked_and_not_searched(app: &TestApp) {
    let h = house(app);
    let account = h.account("Own").await;
    named(app, account, &["grace", "Ada", "Grace Hopper"]).await;
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    let rows = all(app, &viewer, account).await;
    assert_eq!(rows.len(), 3);
    let told = serde_json::to_string(&rows).unwrap().to_lowercase();
    assert!(!told.contains("grace") && !told.contains("202555"), "{told}");
    let shown = contacts::get(&app.db, &viewer.permit().unwrap(), rows[0].id).await.unwrap();
    assert_eq!((shown.row.name, shown.note, shown.row.number.whole()), (None, None, None));
    assert!(matches!(contacts::find(&app.db, &viewer.permit().unwrap(), account, "grace").await, Err(Problem::Forbidden { .. })));
    is_hidden(contacts::get(&app.db, &elsewhere(app).await.permit().unwrap(), rows[0].id).await);
}

async fn a_contact_is_edited_once_and_the_audit_says_only_which_fields(app: &TestApp) {
    let account = house(app).account("Own").await;
    named(app, account, &["Grace"]).await;
    let id = all(app, &app.staff, account).await[0].id;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    is_wrong(contacts::edit(db, now, &manage, id, 1, "", "").await, "name");
    is_wrong(contacts::edit(db, now, &manage, id, 1, "Grace", &"x".repeat(2_001)).await, "note");
    contacts::edit(db, now, &manage, id, 1, "Rear Admiral", "Calls\r\nat nine").await.unwrap();
    is_late(contacts::edit(db, now, &manage, id, 1, "Second", "").await);
    is_hidden(contacts::edit(db, now, &elsewhere(app).await.permit().unwrap(), id, 2, "Mine", "").await);
    let shown = contacts::get(db, &app.staff.permit().unwrap(), id).await.unwrap();
    assert_eq!((shown.row.name.as_deref(), shown.note.as_deref(), shown.version), (Some("Rear Admiral"), Some("Calls\nat nine"), 2));
    assert_eq!(contacts::find(db, &app.staff.permit().unwrap(), account, "rear").await.unwrap().rows.len(), 1, "found by the new name");
    let entries = audited(app, account, "contact.edit").await;
    assert_eq!(entries.len(), 1);
    let told = format!("{entries:?}");
    assert!(told.contains("name") && !told.contains("Rear") && !told.contains("nine"), "{told}");
}

async fn a_closed_contact_is_put_away_and_stops_nothing(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    named(app, account, &["Grace"]).await;
    let id = all(app, &app.staff, account).await[0].id;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit::<may::ManageDirectory>().unwrap());
    is_late(contacts::set_closed(db, now, &manage, id, 1, false).await);
    contacts::set_closed(db, now, &manage, id, 1, true).await.unwrap();
    is_late(contacts::set_closed(db, now, &manage, id, 1, false).await);
    is_hidden(contacts::set_closed(db, now, &elsewhere(app).await.permit().unwrap(), id, 2, false).await);
    assert!(all(app, &app.staff, account).await[0].closed_at.is_some());
    app.send(&line, &contact(0), "Still").await;
    app.reply(&contact(0), &line, "Are you there?").await;
    assert_eq!(app.timeline(&line, &contact(0)).await.len(), 2);
    contacts::set_closed(db, now, &manage, id, 2, false).await.unwrap();
    assert_eq!((audited(app, account, "contact.close").await.len(), audited(app, account, "contact.reopen").await.len()), (1, 1));
}

async fn a_contact_is_seen_on_each_line(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    named(app, account, &["Grace"]).await;
    let id = all(app, &app.staff, account).await[0].id;
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    let silent = switchyard::directory::lines::add(&app.db, &app.now, &manage, account, "+12025550119", "News", NoRoute).await.unwrap();
    let never = switchyard::directory::lines::add(&app.db, &app.now, &manage, account, "+12025550118", "Never", NoRoute).await.unwrap();
    app.reply(&contact(0), &line, "Hello").await;
    let on_silent = crate::harness::TestLine { id: silent, number: "+12025550119".to_owned(), ..line.clone() };
    app.reply(&contact(0), &on_silent, "STOP").await;
    let rows = lines_of_contact(&app.db, &app.staff.permit().unwrap(), id).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.line_id, row.conversation.is_some(), row.consent)).collect();
    let (talked, opted_out) = ((line.id, true, None), (silent, false, Some(ConsentState::OptedOut)));
    assert_eq!(seen[2], (never, false, None), "where consent can be set before anything is written");
    assert!(seen[..2].contains(&talked) && seen[..2].contains(&opted_out), "{seen:?}");
    let page = app.ask(&app.staff, Method::GET, &format!("/contacts/{id}"), &[]).await.text().await.unwrap();
    assert!(page.contains("Has 1 conversation on 1 line; opted out of 1 line."), "closing says what hangs on the contact: {page}");
    let stranger = elsewhere(app).await;
    assert!(lines_of_contact(&app.db, &stranger.permit().unwrap(), id).await.unwrap().is_empty());
}

/// Who manages the directory and sees no personal data.
async fn blind(app: &TestApp, h: &House) -> Member {
    let id = roles::add(&app.db, &app.now, &h.admin().permit().unwrap(), proof(), "Blind").await.unwrap();
    let permissions = vec![Permission::SeeDirectory, Permission::SeeMessages, Permission::ManageDirectory];
    let role = RoleEdit { role: id, version: 1, name: "Blind".to_owned(), accounts: None, permissions };
    roles::edit(&app.db, &app.now, h.admin(), proof(), Edit { roles: vec![role], second_factor: None }, "").await.unwrap();
    h.member("blind@example.com", id).await
}

async fn a_number_becomes_a_contact_by_its_name_once(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, &line).await;
    let h = house(app);
    let add = async |member: &Member, form: &[(&str, &str)]| app.ask(member, Method::POST, "/fn/contacts/add", form).await;
    let form = |number: &'static str, name: &'static str| [("number", number), ("name", name)];
    let to = account.to_string();
    let with = |fields: [(&'static str, &'static str); 2]| {
        [("account", to.as_str()), fields[0], fields[1]].map(|(key, value)| (key, value.to_owned()))
    };
    let said = async |member: &Member, fields| {
        let fields = with(fields);
        let answer = add(member, &fields.each_ref().map(|(key, value)| (*key, value.as_str()))).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, told) = said(&app.staff, form("202", "Grace")).await;
    assert!(status == 200 || status == 302, "a short code is a number, too: {told}");
    for (number, name, field) in [("not one", "Grace", "number"), ("+1 202 555 0120", " ", "name"), ("202", "Again", "number")] {
        let (status, told) = said(&app.staff, form(number, name)).await;
        assert!(status == 422 && told.contains(&format!("\"field\":\"{field}\"")), "{status} {told}");
    }
    let support = h.member("sam@example.com", h.role("Support").await).await;
    let (status, told) = said(&support, form("+1 202 555 0120", "Grace Hopper")).await;
    assert!(status == 200 || status == 302, "{told}");
    assert_eq!(audited(app, account, "contact.add").await.len(), 2);
    assert_eq!(said(&elsewhere(app).await, form("+1 202 555 0121", "Mine")).await.0, 404);
    assert_eq!(said(&h.member("vera@example.com", h.role("Viewer").await).await, form("+1 202 555 0121", "Mine")).await.0, 403);
    // Who sees no numbers gets to know none by trying.
    let blind = blind(app, &h).await;
    assert_eq!(said(&blind, form("+1 202 555 0120", "Is she there?")).await.0, 403);
    // From a conversation, without typing the number.
    app.reply(&contact(7), &line, "Hello").await;
    let conversation = app.conversations(&line).await[0].id;
    let fields = [("line", line.id.to_string()), ("conversation", conversation.to_string()), ("name", "Rosa".to_owned())];
    let fields = fields.each_ref().map(|(key, value)| (*key, value.as_str()));
    assert_eq!(app.ask(&blind, Method::POST, "/fn/contacts/name", &fields).await.status(), 403);
    assert!(app.ask(&support, Method::POST, "/fn/contacts/name", &fields).await.status().as_u16() < 400);
    assert_eq!(app.ask(&support, Method::POST, "/fn/contacts/name", &fields).await.status(), 422, "they have a name");
    let found = contacts::find(&app.db, &app.staff.permit().unwrap(), account, "rosa").await.unwrap();
    assert_eq!(found.rows[0].number.whole(), Some(&number(&contact(7))));
}
