//! One-time links: each opens what it was judged for when it was made, and nothing more.

use super::matrix::new_role;
use super::*;
use reqwest::Method;
use switchyard::types::Timestamp;

on_both_engines![
    an_earlier_link_opens_no_account_that_has_become_powerful_since,
    a_consent_opens_no_account_that_has_become_powerful_since,
    a_role_that_allows_more_makes_links_void_and_one_that_allows_less_does_not,
    a_new_link_takes_the_place_of_earlier_ones_and_disabling_leaves_none,
    a_first_link_is_no_key_to_what_somebody_else_gives,
];

async fn link_for(app: &TestApp, by: &Member, of: StaffId) -> Invited {
    made(staff::reset(&app.db, &app.now, by, proof(), of, false, "").await)
}

async fn is_good(app: &TestApp, link: &Invited) -> bool {
    staff::peek(&app.db, &app.now, &link.token, None).await.is_ok()
}

/// Uses the link; says in words why it is refused.
async fn refusal(app: &TestApp, h: &House, link: &Invited) -> String {
    let problem = staff::accept(&app.db, &app.now, h.passwords(), &link.token, "four words without a rule".into(), None).await.unwrap_err();
    assert!(matches!(problem, Problem::NotFound { .. }), "{problem:?}");
    problem.to_string()
}

async fn open_until(app: &TestApp, h: &House, id: StaffId) -> Option<Timestamp> {
    staff::get(&app.db, &app.now, &h.admin().permit().unwrap(), id).await.unwrap().link_until
}

async fn give(app: &TestApp, by: &Member, to: StaffId, role: RoleId) {
    assert_eq!(staff::give_role(&app.db, &app.now, by, proof(), to, role, "").await, Ok(Outcome::Done));
}

/// Who manages staff, and may hand out what a viewer may do.
async fn clerk(app: &TestApp, h: &House) -> Member {
    let allows = [Permission::SeeDirectory, Permission::SeeMessages, Permission::SeeStaff, Permission::ManageStaff];
    h.member("clerk@example.com", new_role(app, h, "Clerk", &allows).await).await
}

async fn an_earlier_link_opens_no_account_that_has_become_powerful_since(app: &TestApp) {
    let h = house(app);
    let clerk = clerk(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let link = link_for(app, &clerk, vera).await;
    assert!(is_good(app, &link).await && open_until(app, &h, vera).await.is_some());
    give(app, h.admin(), vera, h.role("Administrator").await).await;
    assert!(!is_good(app, &link).await);
    let words = refusal(app, &h, &link).await;
    assert!(words.contains("changed since") && words.contains("Ask for a new one"), "{words}");
    assert_eq!(sign_in(app, &h, "vera@example.com").await, Ok(Step::In(vera)), "her password is as it was");
    assert_eq!(open_until(app, &h, vera).await, None);
    refused(&staff::reset(&app.db, &app.now, &clerk, proof(), vera, false, "").await, 403);
    let void: Vec<(Option<String>,)> =
        app.db.all("select after from audit_entry where action = 'staff.void_links' and subject_id = $1", [vera]).await.unwrap();
    assert!(matches!(&void[..], [(Some(after),)] if after.contains("\"links\":1") && after.contains("more_power")), "{void:?}");
}

async fn a_role_that_allows_more_makes_links_void_and_one_that_allows_less_does_not(app: &TestApp) {
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let sam = h.member("sam@example.com", h.role("Support").await).await.id();
    let other = link_for(app, h.admin(), sam).await;
    let link = link_for(app, h.admin(), vera).await;
    let own = h.account("Own").await;
    let now = async || same(&role(app, &h, "Viewer").await);
    assert_eq!(edit(app, h.admin(), RoleEdit { accounts: Some(vec![own]), ..now().await }).await, Ok(Outcome::Done));
    assert!(is_good(app, &link).await, "on fewer accounts than before");
    assert_eq!(edit(app, h.admin(), RoleEdit { accounts: None, ..now().await }).await, Ok(Outcome::Done));
    assert!(!is_good(app, &link).await, "on all accounts");
    refusal(app, &h, &link).await;
    let link = link_for(app, h.admin(), vera).await;
    let mut wider = now().await;
    wider.permissions.push(Permission::SendMessages);
    assert_eq!(edit(app, h.admin(), wider).await, Ok(Outcome::Done));
    assert!(!is_good(app, &link).await, "with a further permission");
    assert!(is_good(app, &other).await, "whoever does not have the role is not concerned");
}

async fn a_new_link_takes_the_place_of_earlier_ones_and_disabling_leaves_none(app: &TestApp) {
    let h = house(app);
    let (clerk, viewer) = (clerk(app, &h).await, h.role("Viewer").await);
    let vera = h.member("vera@example.com", viewer).await.id();
    let (first, second) = (link_for(app, h.admin(), vera).await, link_for(app, h.admin(), vera).await);
    refusal(app, &h, &first).await;
    assert!(is_good(app, &second).await);
    let permit = h.admin().permit().unwrap();
    staff::disable(&app.db, &app.now, &permit, proof(), vera).await.unwrap();
    staff::enable(&app.db, &app.now, h.admin(), proof(), vera).await.unwrap();
    refusal(app, &h, &second).await;
    // Whoever has made a link knows it.
    let invited = staff::invite(&app.db, &app.now, &clerk, proof(), "new@example.com", "New", viewer).await.unwrap();
    assert!(is_good(app, &invited).await);
    staff::disable(&app.db, &app.now, &permit, proof(), clerk.id()).await.unwrap();
    refusal(app, &h, &invited).await;
}

async fn a_first_link_is_no_key_to_what_somebody_else_gives(app: &TestApp) {
    let h = house(app);
    let clerk = clerk(app, &h).await;
    let onlooker = new_role(app, &h, "Onlooker", &[Permission::SeeStaff]).await;
    let iris = staff::invite(&app.db, &app.now, &clerk, proof(), "iris@example.com", "Iris", h.role("Viewer").await).await.unwrap();
    give(app, &clerk, iris.id, onlooker).await;
    assert!(is_good(app, &iris).await, "its maker was judged by that role, too");
    give(app, h.admin(), iris.id, h.role("Administrator").await).await;
    refusal(app, &h, &iris).await;
    assert_eq!(open_until(app, &h, iris.id).await, None);
    let page = async || app.ask(h.admin(), Method::GET, &format!("/staff/{}", iris.id), &[]).await.text().await.unwrap();
    assert!(page().await.contains("None is open: a new one has to be made"), "what helps is said");
    let new = link_for(app, h.admin(), iris.id).await;
    assert!(page().await.contains("Good until"));
    assert_eq!(staff::accept(&app.db, &app.now, h.passwords(), &new.token, PASSWORD.into(), None).await, Ok(Step::In(iris.id)));
    let page = page().await;
    assert!(!page.contains("None is open") && !page.contains("Good until"), "whoever is in needs none");
}

async fn a_consent_opens_no_account_that_has_become_powerful_since(app: &TestApp) {
    let h = house(app);
    let vera = h.member("vera@example.com", new_role(app, &h, "Clerk", &[Permission::ManageStaff]).await).await.id();
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let reset = async |note: &str| staff::reset(&app.db, &app.now, &ada, proof(), vera, false, note).await;
    let agreed = async || {
        let asked = reset("Forgotten").await;
        let Ok(Reset::Waits(id)) = asked else { panic!("it does not wait: {asked:?}") };
        assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, Ok(()));
    };
    agreed().await;
    made(reset("").await);
    // Another role, then a role that allows more: to each another consent.
    agreed().await;
    give(app, &ada, vera, h.role("Support").await).await;
    refused(&reset("").await, 422);
    agreed().await;
    let mut stronger = same(&role(app, &h, "Support").await);
    stronger.permissions.push(Permission::SeeStaff);
    assert_eq!(edit(app, &ada, stronger).await, Ok(Outcome::Done));
    refused(&reset("").await, 422);
    agreed().await;
    made(reset("").await);
}
