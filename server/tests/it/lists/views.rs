//! Saved views: one's own, those that are shared with a role, and what they keep.

use crate::harness::{TestApp, on_both_engines};
use crate::house::{house, proof};
use switchyard::staff::{self, Member, views};
use switchyard::types::{ListKind, Problem, RoleId, SavedView, ViewField};

on_both_engines![
    a_view_is_its_savers_own_until_it_is_shared_with_a_role,
    a_view_keeps_what_its_list_knows_and_no_number,
    a_view_of_the_audit_keeps_the_one_thing_that_it_is_about,
    a_view_of_a_list_of_each_account_or_line_is_kept_without_what_was_searched_for,
    a_view_is_renamed_and_deleted_as_it_was_seen,
    columns_are_kept_for_who_has_chosen_them,
];

fn field(name: &str, value: &str) -> ViewField {
    (name.to_owned(), value.to_owned())
}

async fn seen(app: &TestApp, member: &Member) -> Vec<SavedView> {
    views::read(&app.db, member, ListKind::Lines).await.unwrap().views
}

async fn save(app: &TestApp, member: &Member, name: &str, role: Option<RoleId>) -> Result<(), Problem> {
    let fields = [field("type", "none")];
    views::save(&app.db, &app.now, member, ListKind::Lines, name, &fields, role).await.map(|_| ())
}

async fn a_view_is_its_savers_own_until_it_is_shared_with_a_role(app: &TestApp) {
    let h = house(app);
    let support = h.role("Support").await;
    let sam = h.member("sam@example.com", support).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    save(app, &sam, "Mine", None).await.unwrap();
    assert_eq!(seen(app, &sam).await.len(), 1);
    assert_eq!((seen(app, &vera).await, seen(app, &app.staff).await), (vec![], vec![]));
    assert!(matches!(save(app, &sam, "Ours", Some(support)).await, Err(Problem::Forbidden { .. })));
    assert!(views::read(&app.db, &sam, ListKind::Lines).await.unwrap().roles.is_empty(), "who may not share is offered no role");
    save(app, &app.staff, "Blast only", Some(support)).await.unwrap();
    let of_sam = seen(app, &sam).await;
    let names: Vec<_> = of_sam.iter().map(|view| (view.name.as_str(), view.shared_with.as_deref(), view.may_change)).collect();
    assert_eq!(names, [("Blast only", Some("Support"), false), ("Mine", None, true)]);
    assert_eq!(seen(app, &vera).await, [], "she has another role");
    let shared = of_sam[0].id;
    assert!(matches!(views::remove(&app.db, &app.now, &sam, shared, 1).await, Err(Problem::Forbidden { .. })));
    assert!(matches!(views::remove(&app.db, &app.now, &vera, of_sam[1].id, 1).await, Err(Problem::NotFound { .. })));
    assert!(matches!(views::remove(&app.db, &app.now, &app.staff, of_sam[1].id, 1).await, Err(Problem::NotFound { .. })));
    views::remove(&app.db, &app.now, &app.staff, shared, 1).await.unwrap();
    assert_eq!(seen(app, &sam).await.len(), 1);
    // A role that is removed takes with it what was shared with it.
    let role = staff::roles::add(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), "Night shift").await.unwrap();
    save(app, &app.staff, "Of the night", Some(role)).await.unwrap();
    staff::roles::remove(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), role).await.unwrap();
    assert_eq!(seen(app, &app.staff).await, []);
}

async fn a_view_keeps_what_its_list_knows_and_no_number(app: &TestApp) {
    let save = async |list, fields: &[ViewField]| views::save(&app.db, &app.now, &app.staff, list, "A view", fields, None).await;
    let fields = [
        field("after", "5b5d"),
        field("type", "inbox"),
        field("search", "0191"),
        field("state", "closed"),
        field("q", "desk"),
        field("account", ""),
    ];
    save(ListKind::Lines, &fields).await.unwrap();
    assert_eq!(seen(app, &app.staff).await[0].fields, [field("q", "desk"), field("type", "inbox"), field("state", "closed")]);
    assert!(matches!(save(ListKind::Lines, &[field("q", "+1 202 555 0143")]).await, Err(Problem::Invalid { .. })));
    assert!(
        matches!(save(ListKind::Contacts, &[field("q", "vera")]).await, Err(Problem::Invalid { .. })),
        "contacts are no part of a view"
    );
    assert!(matches!(save(ListKind::Lines, &[field("q", &"x".repeat(201))]).await, Err(Problem::Invalid { .. })));
}

async fn a_view_of_the_audit_keeps_the_one_thing_that_it_is_about(app: &TestApp) {
    let about = house(app).account("Kept").await.to_string();
    let fields = [field("after", "5b5d"), field("outcome", "done"), field("subject", &about)];
    views::save(&app.db, &app.now, &app.staff, ListKind::Audit, "About it", &fields, None).await.unwrap();
    let kept = views::read(&app.db, &app.staff, ListKind::Audit).await.unwrap().views.remove(0);
    assert_eq!(kept.fields, [field("subject", &about), field("outcome", "done")]);
}

async fn a_view_of_a_list_of_each_account_or_line_is_kept_without_what_was_searched_for(app: &TestApp) {
    let save = async |list, fields: &[ViewField]| views::save(&app.db, &app.now, &app.staff, list, "A view", fields, None).await;
    for (list, fields) in [
        (ListKind::Users, vec![field("q", "gr"), field("state", "closed")]),
        (ListKind::Contacts, vec![field("state", "closed")]),
        (ListKind::Conversations, vec![field("state", "held"), field("sort", "oldest")]),
        (ListKind::Connections, vec![field("q", "lake"), field("state", "refused")]),
        (ListKind::Unknown, vec![field("show", "aside")]),
        (ListKind::Blasts, vec![field("state", "paused")]),
    ] {
        save(list, &fields).await.unwrap();
        let kept = views::read(&app.db, &app.staff, list).await.unwrap().views.remove(0);
        assert_eq!(kept.fields, fields, "{list:?}");
    }
    // What is searched for among contacts is its searcher's alone; what is not narrowed is no view.
    for (list, fields) in [
        (ListKind::Conversations, vec![field("found", "00000000-0000-0000-0000-000000000001")]),
        (ListKind::Unknown, vec![field("q", "+1 202 555 0143")]),
        (ListKind::Staff, vec![field("q", "sam")]),
        (ListKind::Blasts, vec![field("line", "00000000-0000-0000-0000-000000000001")]),
        (ListKind::Lines, vec![]),
    ] {
        assert!(matches!(save(list, &fields).await, Err(Problem::Invalid { .. })), "{list:?}");
    }
}

async fn a_view_is_renamed_and_deleted_as_it_was_seen(app: &TestApp) {
    save(app, &app.staff, "One", None).await.unwrap();
    save(app, &app.staff, "Two", None).await.unwrap();
    let of_name = |field: &str| field == "name";
    assert!(matches!(save(app, &app.staff, "One", None).await, Err(Problem::Invalid { ref field, .. }) if of_name(field)));
    assert!(matches!(save(app, &app.staff, " ", None).await, Err(Problem::Invalid { ref field, .. }) if of_name(field)));
    let view = seen(app, &app.staff).await.remove(0);
    let rename = async |version, name: &str| views::rename(&app.db, &app.now, &app.staff, view.id, version, name).await;
    assert!(matches!(rename(1, "Two").await, Err(Problem::Invalid { ref field, .. }) if of_name(field)));
    rename(1, "Three").await.unwrap();
    assert!(matches!(rename(1, "Four").await, Err(Problem::Conflict { .. })), "somebody was first");
    assert!(matches!(views::remove(&app.db, &app.now, &app.staff, view.id, 1).await, Err(Problem::Conflict { .. })));
    views::remove(&app.db, &app.now, &app.staff, view.id, 2).await.unwrap();
    assert_eq!(seen(app, &app.staff).await.len(), 1);
    let (entries,): (i64,) = app.db.one("select count(*) from audit_entry where action like 'view.%'", ()).await.unwrap();
    assert_eq!(entries, 4);
}

async fn columns_are_kept_for_who_has_chosen_them(app: &TestApp) {
    let sam = house(app).member("sam@example.com", house(app).role("Support").await).await;
    let read = async |member: &Member| views::read(&app.db, member, ListKind::Lines).await.unwrap().columns;
    let choose = async |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        views::choose_columns(&app.db, &sam, ListKind::Lines, &words).await.unwrap();
    };
    assert_eq!(read(&sam).await, None);
    choose(&["added", "nonsense", "label"]).await;
    assert_eq!(read(&sam).await, Some(vec!["label".to_owned(), "added".to_owned()]), "in the list's order");
    choose(&[]).await;
    assert_eq!((read(&sam).await, read(&app.staff).await), (Some(Vec::new()), None));
    // Each list has its own.
    for (list, column) in [(ListKind::Connections, "heard"), (ListKind::Staff, "roles"), (ListKind::Blasts, "left_out")] {
        views::choose_columns(&app.db, &sam, list, &["label".to_owned(), column.to_owned()]).await.unwrap();
        assert_eq!(views::read(&app.db, &sam, list).await.unwrap().columns, Some(vec![column.to_owned()]), "{list:?}");
    }
}
