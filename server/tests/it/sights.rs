//! Personal data: masked without the permission wherever it could be told, by the row's account; who was shown it whole is in the
//! audit, once in ten minutes; and a number is searched for whole, so many times.

use crate::harness::{TestApp, TestLine, contact, keys, on_both_engines, tells};
use crate::house::house;
use reqwest::Method;
use switchyard::directory::{accounts, contacts};
use switchyard::messaging::inbound::{self, Incoming};
use switchyard::messaging::unknown;
use switchyard::staff::{self, Member, Place, write_down};
use switchyard::sync;
use switchyard::types::IntegrationType::Ringcentral;
use switchyard::types::{
    AccountId, AuditEntry, AuditFilter, AuditOutcome, ContactId, ConversationFilter, ConversationId, LineId, Permission, PhoneNumber,
    Problem, RoleId, ShownNumber, SyncFilter, TimelineFilter, Trouble, Written,
};

on_both_engines![
    whoever_may_not_see_personal_data_gets_it_from_nowhere,
    whoever_may_see_it_gets_it_whole,
    the_rows_account_decides_what_is_masked,
    live_events_tell_no_numbers_and_no_words,
    each_sight_is_in_the_audit_once_in_ten_minutes,
    a_masked_sight_is_none,
    each_contact_that_a_search_shows_whole_is_in_the_audit,
    a_whole_number_finds_and_part_of_one_does_not,
    a_search_that_finds_more_than_it_shows_says_so,
    searching_many_numbers_must_wait,
    a_search_is_its_searchers_own_and_keeps_no_number,
    a_lines_list_is_narrowed_to_what_a_search_found_and_names_find_where_they_are_seen,
    the_built_in_roles_see_what_they_should,
];

const WORDS: &str = "My secret zq7hush";
const NUMBER: &str = "+12025550121";
/// What must not be told: the contact's number, as programs and as people write it; their name, and what was written.
const PERSONAL: [&str; 4] = ["12025550121", "202 555 0121", "zq7hush", "face.jpg"];

struct Scene {
    line: TestLine,
    account: AccountId,
    conversation: ConversationId,
}

/// A line with a contact who wrote, something held for them, and a message to a number that is no line.
async fn scene(app: &TestApp) -> Scene {
    let line = app.line(Ringcentral).await;
    assert_eq!(contact(1), NUMBER);
    let owner = accounts::list(&app.db, &app.staff.permit().unwrap(), "", None, 50).await.unwrap().rows[0].id;
    let number = PhoneNumber::parse(NUMBER).unwrap();
    contacts::name_contact(&app.db, &app.now, &app.staff.permit().unwrap(), owner, &number, "Nora zq7hush").await.unwrap();
    app.reply(NUMBER, &line, WORDS).await;
    app.work().await;
    app.send(&line, NUMBER, "Your order zq7hush is ready").await;
    app.work().await;
    let stray = TestLine { number: "+12025550119".to_owned(), ..line.clone() };
    app.reply(NUMBER, &stray, "Stray zq7hush").await;
    let conversation = app.conversation(&line, NUMBER).await.id;
    let account = sync::find_conversation(&app.db, &app.staff.permit().unwrap(), line.id, conversation).await.unwrap().account_id;
    // What this set-up looked at is no part of the test.
    write_down(&app.db, &app.now, &app.staff, Place { route: "-", path: "-", is_refused: false }).await.unwrap();
    app.pass(601);
    Scene { line, account, conversation }
}

/// A page or a file, or a function with its form.
type Door = (Method, String, Vec<(&'static str, String)>);

/// Each place that tells of the scene.
fn places(scene: &Scene) -> Vec<Door> {
    let (line, conversation) = (scene.line.id.to_string(), scene.conversation.to_string());
    let page = |path: String| (Method::GET, path, Vec::new());
    let function = |path: &str, form: Vec<(&'static str, String)>| (Method::POST, format!("/fn/{path}"), form);
    vec![
        page("/sync".to_owned()),
        page("/sync/unknown".to_owned()),
        page("/sync.csv".to_owned()),
        page("/sync/unknown.csv".to_owned()),
        page(format!("/lines/{line}/conversations")),
        page(format!("/lines/{line}/conversations.csv")),
        page(format!("/lines/{line}/conversations/{conversation}")),
        page(format!("/lines/{line}/conversations/{conversation}/messages.csv")),
        function("sync/list", Vec::new()),
        function("sync/unknown", Vec::new()),
        function("lines/conversations", vec![("id", line.clone())]),
        function("conversations/get", vec![("line", line), ("id", conversation)]),
    ]
}

async fn told(app: &TestApp, member: &Member, scene: &Scene) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for (method, path, form) in places(scene) {
        let form: Vec<(&str, &str)> = form.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let answer = app.ask(member, method, &path, &form).await;
        assert_eq!(answer.status(), 200, "{path}");
        let headers = format!("{:?}", answer.headers());
        told.push((path, format!("{headers}{}", answer.text().await.unwrap())));
    }
    told
}

async fn viewer(app: &TestApp) -> Member {
    let h = house(app);
    h.member("vera@example.com", h.role("Viewer").await).await
}

/// A role of these permissions on these accounts, or everywhere.
pub async fn role(app: &TestApp, name: &str, permissions: &[Permission], accounts: Option<&[AccountId]>) -> RoleId {
    let id = RoleId(app.now.id());
    app.db
        .work(async |tx| {
            tx.run("insert into role (id, name, everywhere, created_at) values ($1, $2, $3, 0)", (id, name.to_owned(), accounts.is_none()))
                .await?;
            for permission in permissions {
                tx.run("insert into role_permission (role_id, permission) values ($1, $2)", (id, permission.as_str())).await?;
            }
            for account in accounts.unwrap_or_default() {
                tx.run("insert into role_account (role_id, account_id) values ($1, $2)", (id, *account)).await?;
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
    id
}

async fn whoever_may_not_see_personal_data_gets_it_from_nowhere(app: &TestApp) {
    let scene = scene(app).await;
    let vera = viewer(app).await;
    for (path, text) in told(app, &vera, &scene).await {
        for secret in PERSONAL {
            assert!(!text.contains(secret), "{path} tells {secret}: {text}");
        }
        assert!(
            text.contains("0121") || path.ends_with("/sync/unknown") || path.ends_with("messages.csv"),
            "{path} says who it is by the last digits: {text}"
        );
    }
    let detail = sync::find_conversation(&app.db, &vera.permit().unwrap(), scene.line.id, scene.conversation).await.unwrap();
    assert_eq!(detail.number, ShownNumber::Masked("0121".to_owned()));
    assert_eq!(detail.line_number.expose(), scene.line.number, "a line's own number is the client's");
    let page = app.ask(&vera, Method::GET, &format!("/lines/{}/conversations/{}", scene.line.id, scene.conversation), &[]).await;
    let page = page.text().await.unwrap();
    assert!(page.contains("•••• 0121") && page.contains("Ask an administrator"), "{page}");
}

async fn whoever_may_see_it_gets_it_whole(app: &TestApp) {
    let scene = scene(app).await;
    let h = house(app);
    let sam = h.member("sam@example.com", h.role("Support").await).await;
    for (path, text) in told(app, &sam, &scene).await.into_iter().filter(|(path, _)| !path.ends_with("messages.csv")) {
        assert!(text.contains("12025550121") || text.contains("202 555 0121"), "{path} tells the number");
    }
}

async fn the_rows_account_decides_what_is_masked(app: &TestApp) {
    let (own, other) = (scene(app).await, app.line(Ringcentral).await);
    app.send(&other, NUMBER, "Other zq7hush").await;
    app.work().await;
    let sees = [Permission::SeeDirectory, Permission::SeeMessages];
    let everywhere = role(app, "Reads all", &sees, None).await;
    let here = role(app, "Sees one", &[Permission::SeePersonalData], Some(&[own.account])).await;
    let member = house(app).member("grace@example.com", everywhere).await;
    app.db.work(async |tx| tx.run("insert into staff_role (staff_id, role_id) values ($1, $2)", (member.id(), here)).await).await.unwrap();
    let member = Member::load(&app.db, member.id()).await.unwrap().unwrap();

    let rows = sync::list(&app.db, &member.permit().unwrap(), &SyncFilter::default(), None, 50).await.unwrap().rows;
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row.number.whole().is_some(), row.line_id == own.line.id, "{row:?}");
    }
    let of = async |line| sync::conversations_of_line(&app.db, &member.permit().unwrap(), line, None, 50).await.unwrap().rows.remove(0);
    let (mine, theirs) = (of(own.line.id).await, of(other.id).await);
    assert!(mine.number.whole().is_some() && theirs.number.whole().is_none());
    let words = async |line, id| {
        sync::timeline(&app.db, &member.permit().unwrap(), (line, id), &TimelineFilter::default(), None, 50).await.unwrap().rows.remove(0)
    };
    assert!(words(own.line.id, mine.id).await.written.body().is_some());
    assert_eq!(words(other.id, theirs.id).await.written, Written::Masked { media: 0 });
    let strays = unknown::list(&app.db, &member.permit().unwrap(), None, None, 50).await.unwrap().rows;
    assert!(strays[0].from.whole().is_none(), "what belongs to no account is whole only for who sees it everywhere");
    // What a second factor is wanting for is not given, in the statements neither.
    let rule = "insert into second_factor_rule (permission) values ('see_personal_data')";
    app.db.work(async |tx| tx.run(rule, ()).await).await.unwrap();
    let without = Member::load(&app.db, member.id()).await.unwrap().unwrap();
    assert!(of_member(app, &without, own.line.id).await.whole().is_none());
    app.db.work(async |tx| tx.run("delete from second_factor_rule where permission = 'see_personal_data'", ()).await).await.unwrap();
    assert!(of_member(app, &member, own.line.id).await.whole().is_some());
    // A role that names no account gives nothing.
    let none = role(app, "Sees none", &[Permission::SeePersonalData], Some(&[])).await;
    let narrow = house(app).member("nan@example.com", everywhere).await;
    app.db.work(async |tx| tx.run("insert into staff_role (staff_id, role_id) values ($1, $2)", (narrow.id(), none)).await).await.unwrap();
    let narrow = Member::load(&app.db, narrow.id()).await.unwrap().unwrap();
    let rows = sync::list(&app.db, &narrow.permit().unwrap(), &SyncFilter::default(), None, 50).await.unwrap().rows;
    assert!(rows.iter().all(|row| row.number.whole().is_none()));
}

async fn of_member(app: &TestApp, member: &Member, line: LineId) -> ShownNumber {
    sync::conversations_of_line(&app.db, &member.permit().unwrap(), line, None, 50).await.unwrap().rows.remove(0).number
}

async fn live_events_tell_no_numbers_and_no_words(app: &TestApp) {
    let scene = scene(app).await;
    let mut bell = app.db.changes();
    let mut stream = app.ask(&app.staff, Method::GET, "/events", &[]).await;
    assert_eq!(stream.status(), 200);
    app.reply(NUMBER, &scene.line, WORDS).await;
    let mut heard = String::new();
    while !heard.contains(&scene.conversation.to_string()) {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(20), stream.chunk()).await.unwrap().unwrap().unwrap();
        heard.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    while let Ok(change) = bell.try_recv() {
        heard.push_str(&serde_json::to_string(&change).unwrap());
    }
    for secret in PERSONAL.iter().chain(&["0121"]) {
        assert!(!heard.contains(secret), "{heard}");
    }
}

async fn sights(app: &TestApp) -> Vec<AuditEntry> {
    let filter = AuditFilter { outcome: Some(AuditOutcome::Seen), ..AuditFilter::default() };
    staff::search(&app.db, &app.staff.permit().unwrap(), &filter, None, 100).await.unwrap().rows
}

async fn each_sight_is_in_the_audit_once_in_ten_minutes(app: &TestApp) {
    let scene = scene(app).await;
    let before = sights(app).await.len();
    let sam = {
        let h = house(app);
        h.member("sam@example.com", h.role("Support").await).await
    };
    for _ in 0..2 {
        told(app, &sam, &scene).await;
        app.pass(60);
    }
    let found = sights(app).await;
    let mut actions: Vec<_> = found[..found.len() - before].iter().map(|entry| entry.row.action.as_str()).collect();
    actions.sort_unstable();
    let wanted = [
        "conversation.see",
        "conversation.take_file",
        "line.see_contacts",
        "sync.see_contacts",
        "sync.take_file",
        "unknown.see",
        "unknown.take_file",
    ];
    assert_eq!(actions, wanted);
    let of = |action: &str| found.iter().find(|entry| entry.row.action == action && entry.staff == Some(sam.id())).unwrap();
    assert_eq!(of("conversation.see").account.as_ref().map(|(id, _)| *id), Some(scene.account));
    assert_eq!(of("line.see_contacts").line.as_ref().map(|(id, _)| *id), Some(scene.line.id));
    assert_eq!(of("conversation.see").address.as_deref(), Some("127.0.0.1"));
    assert!(PERSONAL.iter().all(|secret| !format!("{found:?}").contains(secret)), "the audit tells none of it itself");
    let history = staff::line_history(&app.db, &app.staff.permit().unwrap(), scene.line.id, None, 50).await.unwrap();
    assert!(history.rows.iter().all(|row| !row.action.contains("see")), "a line's history is of what was changed");
    app.pass(600);
    told(app, &sam, &scene).await;
    assert_eq!(sights(app).await.len() - before, 14, "ten minutes later it is another sight");
}

async fn each_contact_that_a_search_shows_whole_is_in_the_audit(app: &TestApp) {
    let scene = scene(app).await;
    for n in [2, 3] {
        app.reply(&contact(n), &scene.line, WORDS).await;
    }
    let auditor = role(app, "Auditor", &[Permission::SeeAudit], Some(&[scene.account])).await;
    let auditor = house(app).member("ada@example.com", auditor).await;
    let told = async |action: &str| {
        let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
        let rows = staff::search(&app.db, &auditor.permit().unwrap(), &filter, None, 100).await.unwrap().rows;
        assert!(rows.iter().all(|entry| entry.outcome == AuditOutcome::Seen && entry.staff == Some(app.staff.id())), "{rows:?}");
        rows.into_iter().map(|entry| entry.subject.unwrap()).collect::<Vec<_>>()
    };
    let note = async || write_down(&app.db, &app.now, &app.staff, Place { route: "-", path: "-", is_refused: false }).await.unwrap();
    let mut wanted = Vec::new();
    for n in 1..=3 {
        wanted.push(app.conversation(&scene.line, &contact(n)).await.id.0);
    }
    note().await;
    // By a number on the line, and everywhere by the same: an entry each, once.
    let permit = app.staff.permit().unwrap();
    let search = sync::find(&app.db, &app.now, &keys(), &permit, Some(scene.line.id), "555012").await.unwrap();
    assert_eq!(sync::found(&app.db, &app.now, &permit, search).await.unwrap().rows.len(), 3);
    note().await;
    let mut found = told("conversation.see_found").await;
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    for _ in 0..2 {
        app.ask(&app.staff, Method::POST, "/fn/search", &[("text", "0121")]).await;
        app.ask(&app.staff, Method::POST, "/fn/search", &[("text", "Nora")]).await;
    }
    assert_eq!(told("conversation.see_found").await.len(), 3, "once in ten minutes");
    let nora = "select id from contact where account_id = $1 and number = $2";
    let (nora,): (ContactId,) = app.db.one(nora, (scene.account, NUMBER.to_owned())).await.unwrap();
    assert_eq!(told("contact.see_found").await, [nora.0]);
    app.pass(601);
    app.ask(&app.staff, Method::POST, "/fn/search", &[("text", "0121")]).await;
    assert_eq!(told("conversation.see_found").await.len(), 4, "ten minutes later it is another sight");
}

async fn a_masked_sight_is_none(app: &TestApp) {
    let scene = scene(app).await;
    let before = sights(app).await.len();
    told(app, &viewer(app).await, &scene).await;
    assert_eq!(sights(app).await.len(), before);
}

async fn a_whole_number_finds_and_part_of_one_does_not(app: &TestApp) {
    let scene = scene(app).await;
    let (vera, line) = (viewer(app).await, Some(scene.line.id));
    let find = async |member: &Member, line, number: &str| {
        let permit = member.permit().unwrap();
        let search = sync::find(&app.db, &app.now, &keys(), &permit, line, number).await?;
        sync::found(&app.db, &app.now, &permit, search).await.map(|found| found.rows)
    };
    let found = find(&vera, None, "+1 (202) 555-0121").await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].conversation_id, found[0].number.whole()), (scene.conversation, None));
    assert_eq!(find(&vera, line, NUMBER).await.unwrap().len(), 1);
    assert_eq!(find(&vera, None, "+12025550122").await.unwrap().len(), 0);
    assert_eq!(find(&vera, line, "0121").await.unwrap().len(), 0, "what could be a short code is taken as one");
    for part in ["+1202555", "202555012", "2025550121", "", "%", "_____________"] {
        assert!(!find(&vera, line, part).await.is_ok_and(|found| !found.is_empty()), "{part}");
    }
    assert!(matches!(find(&vera, None, "202 555").await, Ok(found) if found.is_empty()));
    // Who may see numbers finds by part of one, on a line.
    assert_eq!(find(&app.staff, line, "0121").await.unwrap()[0].number.whole().unwrap().expose(), NUMBER);
    assert_eq!(find(&app.staff, line, "%%%").await, Err(Problem::invalid("number", "Write at least three digits of the number.")));
    assert!(matches!(find(&app.staff, None, "2025550121").await, Err(Problem::Invalid { .. })));
    let searched = sights(app).await;
    let searched: Vec<_> = searched.iter().filter(|entry| entry.row.action == "conversation.find").collect();
    assert!(searched.iter().all(|entry| entry.staff == Some(vera.id())), "a masked search is in the audit, each one");
    assert!(searched.len() >= 5);
}

async fn a_search_that_finds_more_than_it_shows_says_so(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let incoming = |n: usize| Incoming {
        carrier_id: format!("m{n}"),
        from: PhoneNumber::parse(&contact(n)).unwrap(),
        to: PhoneNumber::parse(&line.number).unwrap(),
        others: Vec::new(),
        body: "Hello".to_owned(),
        media: Vec::new(),
        sent_at: None,
    };
    inbound::receive(&app.db, &app.now, &(0..51).map(incoming).collect::<Vec<_>>()).await.unwrap();
    let permit = app.staff.permit().unwrap();
    for (text, shown, is_cut) in [("202555", 50, true), ("555012", 10, false)] {
        let search = sync::find(&app.db, &app.now, &keys(), &permit, Some(line.id), text).await.unwrap();
        let found = sync::found(&app.db, &app.now, &permit, search).await.unwrap();
        assert_eq!((found.rows.len(), found.is_cut), (shown, is_cut), "{text}");
        let page = app.ask(&app.staff, Method::GET, &format!("/sync/find?search={search}&line={}", line.id), &[]).await;
        assert_eq!(page.text().await.unwrap().contains("There are more: type more of it."), is_cut, "{text}");
        // The line's own list says it, too.
        let form = [("line", line.id.to_string()), ("number", text.to_owned())];
        let form = form.each_ref().map(|(key, value)| (*key, value.as_str()));
        let answer = app.ask(&app.staff, Method::POST, "/fn/conversations/find", &form).await;
        assert_eq!(format!("{:?}", answer.headers()).contains("&more=true"), is_cut, "{text}");
        let filter = ConversationFilter { found: Some(search), ..ConversationFilter::default() };
        let page = sync::conversations_narrowed(&app.db, &app.now, &permit, line.id, filter, None, 9).await.unwrap();
        assert_eq!((page.rows.len(), page.next), (shown, None), "{text}");
        let path = format!("/lines/{}/conversations?found={search}{}", line.id, if is_cut { "&more=true" } else { "" });
        let page = app.ask(&app.staff, Method::GET, &path, &[]).await.text().await.unwrap();
        assert_eq!(page.contains("There are more: type more of it."), is_cut, "{text}");
    }
}

async fn searching_many_numbers_must_wait(app: &TestApp) {
    let scene = scene(app).await;
    let vera = viewer(app).await;
    let search = async |n: usize| app.ask(&vera, Method::POST, "/fn/sync/find", &[("number", &contact(n))]).await;
    for n in 0..20 {
        assert_eq!(search(n).await.status(), 200, "search {n}");
    }
    let refused = search(21).await;
    assert_eq!(refused.status(), 429);
    let words = refused.text().await.unwrap();
    assert!(words.contains("Wait ten minutes") && !words.contains("202555"), "{words}");
    let denied = AuditFilter { outcome: Some(AuditOutcome::Denied), actor: Some(vera.id()), ..AuditFilter::default() };
    assert_eq!(staff::search(&app.db, &app.staff.permit().unwrap(), &denied, None, 9).await.unwrap().rows.len(), 1);
    for n in 0..25 {
        sync::find(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), Some(scene.line.id), &contact(n)).await.unwrap();
    }
    app.pass(601);
    assert_eq!(search(1).await.status(), 200, "it was a wait and no lock");
}

async fn a_search_is_its_searchers_own_and_keeps_no_number(app: &TestApp) {
    scene(app).await;
    let vera = viewer(app).await;
    let search = sync::find(&app.db, &app.now, &keys(), &vera.permit().unwrap(), None, NUMBER).await.unwrap();
    assert!(matches!(sync::found(&app.db, &app.now, &app.staff.permit().unwrap(), search).await, Err(Problem::NotFound { .. })));
    let (kept,): (String,) = app.db.one("select found from number_search", ()).await.unwrap();
    assert!(!tells(&kept, "0121"), "{kept}");
    let answer = app.ask(&vera, Method::POST, "/fn/sync/find", &[("number", NUMBER)]).await;
    let headers = format!("{:?}", answer.headers());
    assert!(headers.contains("/sync/find?search=") && !tells(&headers, "0121"), "{headers}");
    app.pass(3_601);
    assert!(matches!(sync::found(&app.db, &app.now, &vera.permit().unwrap(), search).await, Err(Problem::NotFound { .. })));
    assert_eq!(sync::forget_old_searches(&app.db, &app.now).await.unwrap(), 2);
}

async fn a_lines_list_is_narrowed_to_what_a_search_found_and_names_find_where_they_are_seen(app: &TestApp) {
    let (scene, other) = (scene(app).await, app.line(Ringcentral).await);
    let vera = viewer(app).await;
    let find = async |member: &Member, line: Option<&TestLine>, text: &str| {
        sync::find(&app.db, &app.now, &keys(), &member.permit().unwrap(), line.map(|line| line.id), text).await
    };
    let listed = async |member: &Member, line: &TestLine, found, trouble| {
        let filter = ConversationFilter { trouble, oldest_first: false, found: Some(found) };
        let page = sync::conversations_narrowed(&app.db, &app.now, &member.permit().unwrap(), line.id, filter, None, 9).await;
        page.map(|page| page.rows.into_iter().map(|row| (row.id, row.contact)).collect::<Vec<_>>())
    };
    let found = find(&app.staff, Some(&scene.line), " NORA z").await.unwrap();
    let nora = [(scene.conversation, Some("Nora zq7hush".to_owned()))];
    assert_eq!(listed(&app.staff, &scene.line, found, None).await.unwrap(), nora);
    assert_eq!(listed(&app.staff, &scene.line, found, Some(Trouble::Held)).await.unwrap(), nora);
    assert_eq!(listed(&app.staff, &scene.line, found, Some(Trouble::Stalled)).await.unwrap(), []);
    assert_eq!(listed(&app.staff, &other, found, None).await.unwrap(), [], "it is of the other line");
    assert!(matches!(listed(&vera, &scene.line, found, None).await, Err(Problem::NotFound { .. })), "somebody else's search");
    let nobody = find(&app.staff, Some(&scene.line), "ora").await.unwrap();
    assert_eq!(listed(&app.staff, &scene.line, nobody, None).await.unwrap(), [], "a name is found by its beginning");
    assert!(matches!(find(&app.staff, None, "Nora").await, Err(Problem::Invalid { .. })), "names find on one line alone");
    // Who may not see names learns nothing by them, and finds by the whole number.
    for text in ["Nora", "nobody"] {
        let wanted = Problem::invalid("number", "Write the whole number, as in +1 202 555 0143.");
        assert_eq!(find(&vera, Some(&scene.line), text).await, Err(wanted), "{text}");
    }
    let masked = find(&vera, Some(&scene.line), NUMBER).await.unwrap();
    assert_eq!(listed(&vera, &scene.line, masked, None).await.unwrap(), [(scene.conversation, None)]);
    // As the page asks; and the file is narrowed as the page is.
    let line = scene.line.id.to_string();
    let answer = app.ask(&app.staff, Method::POST, "/fn/conversations/find", &[("line", &line), ("number", "Nora")]).await;
    let headers = format!("{:?}", answer.headers());
    assert!(headers.contains("/conversations?found=") && !headers.to_lowercase().contains("nora"), "{headers}");
    let rows = async |query: String| {
        let answer = app.ask(&app.staff, Method::GET, &format!("/lines/{line}/conversations.csv?{query}"), &[]).await;
        assert_eq!(answer.status(), 200, "{query}");
        answer.text().await.unwrap().lines().count() - 1
    };
    assert_eq!([rows("state=held".to_owned()).await, rows("state=stalled".to_owned()).await], [1, 0]);
    assert_eq!([rows(format!("found={found}")).await, rows(format!("found={nobody}&sort=oldest")).await], [1, 0]);
    app.pass(3_601);
    assert!(matches!(listed(&app.staff, &scene.line, found, None).await, Err(Problem::NotFound { .. })), "an hour ago");
}

async fn the_built_in_roles_see_what_they_should(app: &TestApp) {
    let h = house(app);
    let sees = async |role: &str| {
        let member = h.member(&format!("{}@example.com", role.to_lowercase()), h.role(role).await).await;
        member.signed_in().may(Permission::SeePersonalData)
    };
    assert_eq!([sees("Viewer").await, sees("Support").await, sees("Administrator").await], [false, true, true]);
}
