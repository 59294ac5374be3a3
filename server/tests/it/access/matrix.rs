//! Roles: what they give, who hands them out, and that somebody in charge is always left.

use super::*;

on_both_engines![
    a_role_that_is_edited_holds_at_once_for_all_who_have_it,
    several_roles_give_what_any_of_them_gives,
    nobody_hands_out_more_than_they_may_do_themselves,
    a_second_editor_of_a_role_is_told,
    somebody_in_charge_is_always_left,
    two_in_charge_cannot_remove_each_other_at_once,
    what_needs_a_second_factor_is_withheld_without_it,
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
