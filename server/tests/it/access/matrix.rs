//! Roles: what they give, who hands them out, and that somebody in charge is always left.

use super::*;
use switchyard::types::{Holders, Holds};

on_both_engines![
    a_role_that_is_edited_holds_at_once_for_all_who_have_it,
    several_roles_give_what_any_of_them_gives,
    nobody_hands_out_more_than_they_may_do_themselves,
    a_second_editor_of_a_role_is_told,
    somebody_in_charge_is_always_left,
    two_in_charge_cannot_remove_each_other_at_once,
    what_needs_a_second_factor_is_withheld_without_it,
    each_permission_tells_who_has_it_and_by_which_roles,
    who_lacks_the_second_factor_for_a_permission_does_not_have_it_yet,
    of_many_who_have_a_permission_the_first_are_named_and_all_are_counted,
];

async fn a_role_that_is_edited_holds_at_once_for_all_who_have_it(app: &TestApp) {
    let h = house(app);
    let viewer = role(app, &h, "Viewer").await;
    let vera = h.member("vera@example.com", viewer.row.id).await;
    assert!(vera.permit::<may::SendMessages>().is_err());
    let mut wider = same(&viewer);
    wider.permissions.push(Permission::SendMessages);
    assert_eq!(edit(app, h.admin(), wider).await, Ok(Outcome::Done));
    assert!(again(app, &vera).await.permit::<may::SendMessages>().is_ok());
    // On one account only from now on.
    let own = h.account("Own").await;
    h.account("Other").await;
    let narrower = RoleEdit { accounts: Some(vec![own]), ..same(&role(app, &h, "Viewer").await) };
    assert_eq!(edit(app, h.admin(), narrower).await, Ok(Outcome::Done));
    let see = again(app, &vera).await.permit().unwrap();
    let shown = accounts::list(&app.db, &see, "", None, 50).await.unwrap();
    assert_eq!(shown.rows.iter().map(|account| account.id).collect::<Vec<_>>(), [own]);
    refused(&edit(app, h.admin(), same(&role(app, &h, "Viewer").await)).await, 422);
    refused(&edit(app, h.admin(), RoleEdit { accounts: Some(vec![]), ..same(&role(app, &h, "Viewer").await) }).await, 422);
    refused(&edit(app, h.admin(), RoleEdit { name: "Support".into(), ..same(&role(app, &h, "Viewer").await) }).await, 422);
}

async fn several_roles_give_what_any_of_them_gives(app: &TestApp) {
    let h = house(app);
    let (own, _other) = (h.account("Own").await, h.account("Other").await);
    let vera = h.member_of(own).await;
    let sees = async |member: &Member| accounts::list(&app.db, &member.permit().unwrap(), "", None, 50).await.unwrap().rows.len();
    assert_eq!(sees(&vera).await, 1);
    let viewer = h.role("Viewer").await;
    assert_eq!(staff::give_role(&app.db, &app.now, h.admin(), proof(), vera.id(), viewer, "").await, Ok(Outcome::Done));
    refused(&staff::give_role(&app.db, &app.now, h.admin(), proof(), vera.id(), viewer, "").await, 409);
    let vera = again(app, &vera).await;
    assert_eq!(sees(&vera).await, 2, "the viewer's role holds on all");
    assert!(vera.permit::<may::ManageSync>().is_ok_and(|permit| !permit.scope().everywhere), "and the other one as far as before");
    staff::take_role(&app.db, &app.now, &h.admin().permit().unwrap(), proof(), vera.id(), viewer).await.unwrap();
    assert_eq!(sees(&again(app, &vera).await).await, 1);
}

/// A role that allows this.
pub(super) async fn new_role(app: &TestApp, h: &House, name: &str, permissions: &[Permission]) -> RoleId {
    let id = roles::add(&app.db, &app.now, &h.admin().permit().unwrap(), proof(), name).await.unwrap();
    let wanted = RoleEdit { permissions: permissions.to_vec(), ..same(&role(app, h, name).await) };
    assert_eq!(edit(app, h.admin(), wanted).await, Ok(Outcome::Done), "nobody has it yet");
    id
}

async fn nobody_hands_out_more_than_they_may_do_themselves(app: &TestApp) {
    let h = house(app);
    let clerk = new_role(app, &h, "Clerk", &[Permission::SeeStaff, Permission::ManageStaff, Permission::ManageRoles]).await;
    let clerk = h.member("clerk@example.com", clerk).await;
    let (support, admin) = (h.role("Support").await, h.role("Administrator").await);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    for role in [support, admin] {
        refused(&staff::give_role(&app.db, &app.now, &clerk, proof(), vera.id(), role, "Please").await, 403);
        refused(&staff::give_role(&app.db, &app.now, &clerk, proof(), clerk.id(), role, "Please").await, 403);
        refused(&staff::invite(&app.db, &app.now, &clerk, proof(), "new@example.com", "New", role).await, 403);
    }
    refused(&staff::reset(&app.db, &app.now, &clerk, proof(), h.admin().id(), true, "Please").await, 403);
    let mut wider = same(&role(app, &h, "Clerk").await);
    wider.permissions.push(Permission::SeeMessages);
    refused(&edit(app, &clerk, wider).await, 403);
    let scoped = h.member_of(h.account("Own").await).await;
    assert!(scoped.permit::<may::ManageStaff>().is_err(), "staff are nobody's account");
}

async fn a_second_editor_of_a_role_is_told(app: &TestApp) {
    let h = house(app);
    let seen = role(app, &h, "Viewer").await;
    let renamed = |name: &str| RoleEdit { name: name.to_owned(), ..same(&seen) };
    assert_eq!(edit(app, h.admin(), renamed("Reader")).await, Ok(Outcome::Done));
    refused(&edit(app, h.admin(), renamed("Onlooker")).await, 409);
    assert_eq!(role(app, &h, "Reader").await.version, seen.version + 1);
}

async fn somebody_in_charge_is_always_left(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let admin = h.role("Administrator").await;
    let permit = h.admin().permit().unwrap();
    refused(&staff::disable(&app.db, &app.now, &permit, proof(), ada.id()).await, 409);
    refused(&staff::take_role(&app.db, &app.now, &permit, proof(), ada.id(), admin).await, 409);
    let mut weaker = same(&role(app, &h, "Administrator").await);
    weaker.permissions.retain(|permission| *permission != Permission::ManageRoles);
    refused(&edit(app, &ada, weaker).await, 409);
    refused(&roles::remove(&app.db, &app.now, &ada.permit().unwrap(), proof(), admin).await, 409);
    refused(&staff::disable(&app.db, &app.now, &ada.permit().unwrap(), proof(), ada.id()).await, 422);
    // With a second one in charge each of them can go.
    let grace = second_administrator(app, &h).await;
    staff::disable(&app.db, &app.now, &grace.permit().unwrap(), proof(), ada.id()).await.unwrap();
    assert!(Member::load(&app.db, ada.id()).await.unwrap().is_none());
    staff::enable(&app.db, &app.now, &grace, proof(), ada.id()).await.unwrap();
    assert!(again(app, &ada).await.permit::<may::ManageRoles>().is_ok());
}

async fn two_in_charge_cannot_remove_each_other_at_once(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let (one, two) = (ada.permit().unwrap(), grace.permit().unwrap());
    let (first, second) = tokio::join!(
        staff::disable(&app.db, &app.now, &one, proof(), grace.id()),
        staff::disable(&app.db, &app.now, &two, proof(), ada.id()),
    );
    assert_eq!([&first, &second].into_iter().filter(|answer| answer.is_ok()).count(), 1, "{first:?} {second:?}");
}

async fn what_needs_a_second_factor_is_withheld_without_it(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let wanted = Edit { roles: Vec::new(), second_factor: Some(vec![Permission::ManageStaff]) };
    assert_eq!(roles::edit(&app.db, &app.now, &ada, proof(), wanted, "").await, Ok(Outcome::Done), "to be stricter needs nobody else");
    let ada = again(app, &ada).await;
    let words = ada.permit::<may::ManageStaff>().unwrap_err().to_string();
    assert!(words.contains("second factor"), "{words}");
    let SignedIn { permissions, withheld, .. } = ada.signed_in();
    assert!(withheld == [Permission::ManageStaff] && !permissions.contains(&Permission::ManageStaff));
    second_factor_of(app, ada.id()).await;
    assert!(again(app, &ada).await.permit::<may::ManageStaff>().is_ok());
}

async fn held(app: &TestApp, h: &House, permission: Permission) -> Holders {
    let matrix = roles::matrix(&app.db, &h.admin().permit().unwrap()).await.unwrap();
    matrix.holders.into_iter().find(|held| held.permission == permission).unwrap()
}

/// How a member stands among those who have a permission: not at all, or once.
fn standing(held: &Holders, member: &Member) -> Vec<(Vec<RoleId>, Holds)> {
    held.first.iter().filter(|one| one.id == member.id()).map(|one| (one.roles.clone(), one.holds)).collect()
}

/// A role that holds on one account only, with a permission of the platform that is given on all or not at all.
async fn crew(app: &TestApp, h: &House) -> RoleId {
    let acme = h.account("Acme").await;
    let id = new_role(app, h, "Crew", &[Permission::SeeMessages, Permission::SendMessages, Permission::SeeStaff]).await;
    let narrower = RoleEdit { accounts: Some(vec![acme]), ..same(&role(app, h, "Crew").await) };
    assert_eq!(edit(app, h.admin(), narrower).await, Ok(Outcome::Done));
    id
}

async fn each_permission_tells_who_has_it_and_by_which_roles(app: &TestApp) {
    let h = house(app);
    let (crew, viewer, admin) = (crew(app, &h).await, h.role("Viewer").await, h.role("Administrator").await);
    let vera = h.member("vera@example.com", viewer).await;
    let sam = h.member("sam@example.com", crew).await;
    let gone = h.member("gone@example.com", viewer).await;
    assert_eq!(staff::give_role(&app.db, &app.now, h.admin(), proof(), vera.id(), crew, "").await, Ok(Outcome::Done));
    staff::disable(&app.db, &app.now, &h.admin().permit().unwrap(), proof(), gone.id()).await.unwrap();

    let seeing = held(app, &h, Permission::SeeMessages).await;
    assert_eq!((seeing.now, seeing.later, seeing.more), (2, 1, 0), "{seeing:?}");
    assert_eq!(standing(&seeing, &vera), [(vec![crew, viewer], Holds::Now)], "a second role does not make two of her");
    assert_eq!(standing(&seeing, &sam), [(vec![crew], Holds::Now)]);
    assert_eq!(standing(&seeing, h.admin()), [(vec![admin], Holds::OnceJoined)], "she was invited and never came");
    assert!(standing(&seeing, &gone).is_empty(), "who is disabled has nothing");
    let sending = held(app, &h, Permission::SendMessages).await;
    assert_eq!(standing(&sending, &vera), [(vec![crew], Holds::Now)], "only the role that gives it");
    let staff = held(app, &h, Permission::SeeStaff).await;
    assert_eq!((staff.now, staff.later), (0, 1), "the staff are nobody's account: {staff:?}");

    let page = app.ask(h.admin(), reqwest::Method::GET, "/roles", &[]).await.text().await.unwrap();
    for words in ["2 people, 1 not yet", "Crew (accounts: Acme), Viewer", "the invitation was not accepted"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(page.contains(&format!("href=\"/staff/{}\"", vera.id())) && !page.contains(&format!("href=\"/staff/{}\"", gone.id())));
}

async fn who_lacks_the_second_factor_for_a_permission_does_not_have_it_yet(app: &TestApp) {
    let h = house(app);
    let crew = crew(app, &h).await;
    let (vera, sam) = (h.member("vera@example.com", crew).await, h.member("sam@example.com", crew).await);
    let stricter = Edit { roles: Vec::new(), second_factor: Some(vec![Permission::SendMessages]) };
    assert_eq!(roles::edit(&app.db, &app.now, h.admin(), proof(), stricter, "").await, Ok(Outcome::Done));
    let sending = held(app, &h, Permission::SendMessages).await;
    assert_eq!((sending.now, sending.later), (0, 3), "{sending:?}");
    second_factor_of(app, sam.id()).await;
    let sending = held(app, &h, Permission::SendMessages).await;
    assert_eq!((sending.now, sending.later, sending.first[0].id), (1, 2, sam.id()), "who has it now stands first");
    assert_eq!(standing(&sending, &vera), [(vec![crew], Holds::OnceSecondFactor)]);
    assert_eq!(held(app, &h, Permission::SeeMessages).await.now, 2, "of the others nothing is asked");
}

async fn of_many_who_have_a_permission_the_first_are_named_and_all_are_counted(app: &TestApp) {
    let h = house(app);
    let (viewer, at) = (h.role("Viewer").await, app.now.at());
    app.db
        .work(async |tx| {
            for n in 0..32 {
                let id = StaffId(app.now.id());
                tx.run(
                    "insert into staff_member (id, email, name, password_hash, created_at, version) values ($1, $2, $3, 'none', $4, 1)",
                    (id, format!("member{n}@example.com"), format!("Member {n:02}"), at),
                )
                .await?;
                tx.run("insert into staff_role (staff_id, role_id) values ($1, $2)", (id, viewer)).await?;
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
    let seeing = held(app, &h, Permission::SeeMessages).await;
    assert_eq!((seeing.now, seeing.later, seeing.first.len(), seeing.more), (32, 1, 20, 13));
    let names = seeing.first.iter().map(|one| one.name.as_str());
    assert!(names.eq((0..20).map(|n| format!("Member {n:02}"))), "{seeing:?}");
    let page = app.ask(h.admin(), reqwest::Method::GET, "/roles", &[]).await.text().await.unwrap();
    assert!(page.contains("32 people, 1 not yet") && page.contains("and 13 more"), "{page}");
}
