//! Who may do what: roles and who hands them out, the second person, the second factor, sessions.

use crate::harness::{TestApp, keys, on_both_engines};
use crate::house::{House, PASSWORD, house, proof};
use reqwest::{Response, StatusCode};
use switchyard::directory::{accounts, integration, lines};
use switchyard::staff::roles::{self, Edit, RoleEdit};
use switchyard::staff::{self, Invited, Member, Origin, Reset, Step, approvals, may, second_factor};
use switchyard::types::IntegrationType::{Inbox, None as NoRoute};
use switchyard::types::{
    ApprovalId, ApprovalState, LineFilter, LineId, Outcome, Permission, Problem, RoleDetail, RoleId, SessionRow, SignedIn, StaffId,
};
use totp_rs::{Builder, Secret};

on_both_engines![
    a_code_is_needed_after_the_password_and_works_once,
    two_who_use_one_code_at_once_are_not_both_let_in,
    codes_are_guessed_slowly,
    a_recovery_code_works_once_and_new_ones_end_the_earlier,
    a_link_to_a_new_password_does_not_pass_by_the_second_factor,
    nobody_opens_another_administrators_account_alone,
    without_a_second_factor_the_password_must_stand_alone,
    nobody_is_kept_out_of_a_browser_they_have_signed_in_with,
    many_tries_at_once_are_counted_like_one_after_the_other,
    a_hash_with_older_parameters_is_renewed_by_signing_in,
    a_role_that_is_edited_holds_at_once_for_all_who_have_it,
    several_roles_give_what_any_of_them_gives,
    nobody_hands_out_more_than_they_may_do_themselves,
    a_second_editor_of_a_role_is_told,
    somebody_in_charge_is_always_left,
    two_in_charge_cannot_remove_each_other_at_once,
    what_needs_a_second_factor_is_withheld_without_it,
    a_dangerous_role_waits_for_a_second_person,
    nobody_decides_on_their_own_wish,
    a_wish_is_decided_once_and_in_time,
    what_cannot_be_done_any_more_stays_undone_and_open,
    a_role_cannot_be_made_dangerous_behind_the_second_persons_back,
    many_lines_at_once_wait_for_a_second_person,
    who_decides_for_one_account_decides_for_no_other,
    a_session_is_new_listed_and_ended,
    a_dangerous_action_asks_again_who_is_there,
];

const HERE: Origin<'static> = Origin { address: "192.0.2.7", device: None };

/// The codes of an authenticator.
struct Phone(String);

impl Phone {
    /// The code that it shows so many steps from now.
    fn code(&self, app: &TestApp, steps: i64) -> String {
        let secret = Secret::try_from_base32(&self.0).unwrap();
        let seconds = app.now.at().millis() / 1000 + steps * 30;
        Builder::new().with_secret(secret).build().unwrap().generate(u64::try_from(seconds).unwrap()).to_string()
    }
}

/// Sets up a second factor; answers the phone and the recovery codes.
async fn second_factor_of(app: &TestApp, id: StaffId) -> (Phone, Vec<String>) {
    let offer = second_factor::offer(&app.db, &app.now, &keys(), proof(), id).await.unwrap();
    assert!(offer.picture.contains("<svg"), "a QR code");
    let phone = Phone(offer.secret);
    let wrong = second_factor::confirm(&app.db, &app.now, &keys(), proof(), id, "000000").await;
    assert!(matches!(wrong, Err(Problem::Invalid { .. })), "{wrong:?}");
    let codes = second_factor::confirm(&app.db, &app.now, &keys(), proof(), id, &phone.code(app, 0)).await.unwrap();
    (phone, codes)
}

async fn sign_in(app: &TestApp, h: &House, email: &str) -> Result<Step, Problem> {
    staff::sign_in(&app.db, &app.now, h.passwords(), email, PASSWORD.to_owned(), HERE).await
}

async fn with_code(app: &TestApp, id: StaffId, code: &str) -> Result<(), Problem> {
    staff::sign_in_with_code(&app.db, &app.now, &keys(), id, code).await
}

fn refused<T: std::fmt::Debug>(answer: &Result<T, Problem>, status: u16) {
    assert_eq!(answer.as_ref().err().map(Problem::status), Some(status), "{answer:?}");
}

async fn a_code_is_needed_after_the_password_and_works_once(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let (phone, _) = second_factor_of(app, id).await;
    assert_eq!(sign_in(app, &h, "vera@example.com").await, Ok(Step::NeedsCode(id)));
    refused(&with_code(app, id, &phone.code(app, 0)).await, 422);
    app.pass(30);
    refused(&with_code(app, id, "000000").await, 422);
    let code = phone.code(app, 0);
    assert_eq!(with_code(app, id, &format!("{} {}", &code[..3], &code[3..])).await, Ok(()));
    refused(&with_code(app, id, &code).await, 422);
    refused(&with_code(app, id, &phone.code(app, -1)).await, 422);
    assert_eq!(with_code(app, id, &phone.code(app, 1)).await, Ok(()), "a phone's clock may go ahead by a step");
    app.pass(120);
    refused(&with_code(app, id, &phone.code(app, -3)).await, 422);
}

async fn two_who_use_one_code_at_once_are_not_both_let_in(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let (phone, codes) = second_factor_of(app, id).await;
    app.pass(30);
    for code in [phone.code(app, 0), codes[0].clone()] {
        let all = futures_util::future::join_all((0..4).map(|_| with_code(app, id, &code))).await;
        assert_eq!(all.iter().filter(|answer| answer.is_ok()).count(), 1, "{all:?}");
    }
}

async fn codes_are_guessed_slowly(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let (phone, _) = second_factor_of(app, id).await;
    app.pass(30);
    for _ in 0..10 {
        refused(&with_code(app, id, "000000").await, 422);
    }
    refused(&with_code(app, id, &phone.code(app, 0)).await, 429);
    app.pass(16 * 60);
    assert_eq!(with_code(app, id, &phone.code(app, 0)).await, Ok(()));
}

async fn a_recovery_code_works_once_and_new_ones_end_the_earlier(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let (_, codes) = second_factor_of(app, id).await;
    assert_eq!(codes.len(), 10);
    assert_eq!(with_code(app, id, &codes[3].to_uppercase()).await, Ok(()), "as people type it");
    refused(&with_code(app, id, &codes[3]).await, 422);
    let stored: Vec<(Vec<u8>,)> = app.db.all("select code_hash from recovery_code", ()).await.unwrap();
    assert!(stored.iter().all(|(hash,)| hash.len() == 32 && codes.iter().all(|code| hash != code.as_bytes())), "hashed");
    let renewed = second_factor::new_recovery_codes(&app.db, &app.now, proof(), id).await.unwrap();
    refused(&with_code(app, id, &codes[4]).await, 422);
    assert_eq!(with_code(app, id, &renewed[0]).await, Ok(()));
}

async fn a_link_to_a_new_password_does_not_pass_by_the_second_factor(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let (phone, _) = second_factor_of(app, id).await;
    let link = made(staff::reset(&app.db, &app.now, h.admin(), proof(), id, false, "").await);
    assert_eq!(sign_in(app, &h, "vera@example.com").await, Ok(Step::NeedsCode(id)), "the old password holds until then");
    let step = staff::accept(&app.db, &app.now, h.passwords(), &link.token, "v7 Kx!q2w".into(), None).await;
    assert_eq!(step, Ok(Step::NeedsCode(id)), "beside a second factor eight characters do");
    app.pass(30);
    assert_eq!(with_code(app, id, &phone.code(app, 0)).await, Ok(()));
    let lost = made(staff::reset(&app.db, &app.now, h.admin(), proof(), id, true, "").await);
    refused(&staff::accept(&app.db, &app.now, h.passwords(), &lost.token, "v7 Kx!q2w".into(), None).await, 422);
    assert_eq!(staff::accept(&app.db, &app.now, h.passwords(), &lost.token, PASSWORD.into(), None).await, Ok(Step::In(id)));
}

/// The link that was made.
fn made(answer: Result<Reset, Problem>) -> Invited {
    match answer {
        Ok(Reset::Made(invited)) => invited,
        other => panic!("no link was made: {other:?}"),
    }
}

async fn nobody_opens_another_administrators_account_alone(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = app_second_administrator(app, &h).await;
    let reset = async |by: &Member, of: &Member, note: &str| staff::reset(&app.db, &app.now, by, proof(), of.id(), true, note).await;
    // While they are two, one has to be able to help the other.
    made(reset(&ada, &grace, "").await);
    let third = staff::invite(&app.db, &app.now, &ada, proof(), "third@example.com", "Third", h.role("Administrator").await).await.unwrap();
    staff::accept(&app.db, &app.now, h.passwords(), &third.token, PASSWORD.into(), None).await.unwrap();
    approvals::decide(&app.db, &app.now, &grace, proof(), third.waits.unwrap(), true, "").await.unwrap();
    refused(&reset(&ada, &grace, "").await, 422);
    let Ok(Reset::Waits(id)) = reset(&ada, &grace, "Her phone is lost").await else { panic!("it does not wait") };
    let third = Member::load(&app.db, third.id).await.unwrap().unwrap();
    assert_eq!(approvals::decide(&app.db, &app.now, &third, proof(), id, true, "").await, Ok(()));
    refused(&staff::reset(&app.db, &app.now, &ada, proof(), grace.id(), false, "").await, 422);
    refused(&reset(&third, &grace, "").await, 422);
    made(reset(&ada, &grace, "").await);
    refused(&reset(&ada, &grace, "").await, 422);
    // A consent is good for a day.
    let Ok(Reset::Waits(id)) = reset(&ada, &grace, "And again").await else { panic!("it does not wait") };
    assert_eq!(approvals::decide(&app.db, &app.now, &third, proof(), id, true, "").await, Ok(()));
    app.pass(24 * 60 * 60);
    refused(&reset(&ada, &grace, "").await, 422);
}

async fn without_a_second_factor_the_password_must_stand_alone(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    second_factor_of(app, id).await;
    let change = async |from: &str, to: &str| {
        staff::change_password(&app.db, &app.now, h.passwords(), id, from.to_owned(), to.to_owned(), &[]).await
    };
    let remove = async |with: &str| staff::remove_second_factor(&app.db, &app.now, h.passwords(), id, with.to_owned()).await;
    refused(&change("not this one", "v7 Kx!q2w").await, 422);
    refused(&change(PASSWORD, "password1").await, 422);
    assert_eq!(change(PASSWORD, "v7 Kx!q2w").await, Ok(()));
    refused(&remove("not this one").await, 422);
    refused(&remove("v7 Kx!q2w").await, 409);
    assert_eq!(change("v7 Kx!q2w", "four words without a rule").await, Ok(()));
    assert_eq!(remove("four words without a rule").await, Ok(()));
    refused(&change("four words without a rule", "v7 Kx!q2w").await, 422);
}

async fn nobody_is_kept_out_of_a_browser_they_have_signed_in_with(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let own = staff::remember_device(&app.db, &app.now, id, None).await.unwrap();
    let others = h.member("sam@example.com", h.role("Viewer").await).await.id();
    let others = staff::remember_device(&app.db, &app.now, others, None).await.unwrap();
    let try_with = async |password: &str, address: &str, device: Option<&str>| {
        staff::sign_in(&app.db, &app.now, h.passwords(), "vera@example.com", password.to_owned(), Origin { address, device }).await
    };
    // A stranger with a hundred tries from many addresses.
    for n in 0..100 {
        refused(&try_with("not this one, surely", &format!("198.51.100.{}", n / 9), None).await, 403);
    }
    refused(&try_with(PASSWORD, "203.0.113.9", None).await, 429);
    refused(&try_with(PASSWORD, "203.0.113.9", Some("made up")).await, 429);
    refused(&try_with(PASSWORD, "203.0.113.9", Some(&others)).await, 429);
    assert_eq!(try_with(PASSWORD, "198.51.100.1", Some(&own)).await, Ok(Step::In(id)), "her own browser, even behind that address");
    for planted in [others.as_str(), "planted"] {
        assert_ne!(staff::remember_device(&app.db, &app.now, id, Some(planted)).await.unwrap(), planted, "two may share a browser");
    }
    assert_eq!(staff::remember_device(&app.db, &app.now, id, Some(&own)).await.unwrap(), own);
    for _ in 0..10 {
        refused(&try_with("not this one, surely", "203.0.113.9", Some(&own)).await, 403);
    }
    refused(&try_with(PASSWORD, "203.0.113.9", Some(&own)).await, 429);
}

async fn many_tries_at_once_are_counted_like_one_after_the_other(app: &TestApp) {
    let h = house(app);
    h.member("vera@example.com", h.role("Viewer").await).await;
    let tries = (0..40).map(|_| staff::sign_in(&app.db, &app.now, h.passwords(), "vera@example.com", "not this one, surely".into(), HERE));
    let all = futures_util::future::join_all(tries).await;
    let looked_at = all.iter().filter(|answer| matches!(answer, Err(Problem::Forbidden { .. }))).count();
    let told_to_wait = all.iter().filter(|answer| matches!(answer, Err(Problem::TooMany { .. }))).count();
    assert_eq!((looked_at, told_to_wait), (10, 30), "{all:?}");
}

async fn a_hash_with_older_parameters_is_renewed_by_signing_in(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    // The same password with less memory, as an earlier program may have stored it.
    let older = argon2_of_less_memory(PASSWORD);
    app.db.work(async |tx| tx.run("update staff_member set password_hash = $2 where id = $1", (id, older)).await).await.unwrap();
    let stored = async || app.db.one::<(String,)>("select password_hash from staff_member where id = $1", [id]).await.unwrap().0;
    let wrong = staff::sign_in(&app.db, &app.now, h.passwords(), "vera@example.com", "not this one, surely".into(), HERE).await;
    refused(&wrong, 403);
    assert!(stored().await.contains("m=4096"), "only the right password renews it");
    assert_eq!(sign_in(app, &h, "vera@example.com").await, Ok(Step::In(id)));
    assert!(stored().await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_eq!(sign_in(app, &h, "vera@example.com").await, Ok(Step::In(id)));
}

fn argon2_of_less_memory(password: &str) -> String {
    use argon2::password_hash::{PasswordHasher, SaltString};
    let params = argon2::Params::new(4096, 1, 1, None).unwrap();
    let weaker = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    weaker.hash_password(password.as_bytes(), &SaltString::encode_b64(b"sixteen bytes ok").unwrap()).unwrap().to_string()
}

async fn role(app: &TestApp, h: &House, name: &str) -> RoleDetail {
    let matrix = roles::matrix(&app.db, &h.admin().permit().unwrap()).await.unwrap();
    matrix.roles.into_iter().find(|role| role.row.name == name).unwrap()
}

/// A role as it is.
fn same(role: &RoleDetail) -> RoleEdit {
    let accounts = (!role.row.everywhere).then(|| role.accounts.iter().map(|(id, _)| *id).collect());
    RoleEdit { role: role.row.id, version: role.version, name: role.row.name.clone(), accounts, permissions: role.permissions.clone() }
}

async fn edit(app: &TestApp, by: &Member, edit: RoleEdit) -> Result<Outcome, Problem> {
    let wanted = Edit { roles: vec![edit], second_factor: None };
    roles::edit(&app.db, &app.now, by, proof(), wanted, "It is needed.").await
}

async fn again(app: &TestApp, member: &Member) -> Member {
    Member::load(&app.db, member.id()).await.unwrap().unwrap()
}

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
    refused(&edit(app, h.admin(), RoleEdit { name: "Support".into(), ..same(&role(app, &h, "Viewer").await) }).await, 409);
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
async fn new_role(app: &TestApp, h: &House, name: &str, permissions: &[Permission]) -> RoleId {
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

/// An administrator with a password.
async fn administrator(h: &House, email: &str) -> Member {
    h.member(email, h.role("Administrator").await).await
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
    let grace = app_second_administrator(app, &h).await;
    staff::disable(&app.db, &app.now, &grace.permit().unwrap(), proof(), ada.id()).await.unwrap();
    assert!(Member::load(&app.db, ada.id()).await.unwrap().is_none());
    staff::enable(&app.db, &app.now, &grace, proof(), ada.id()).await.unwrap();
    assert!(again(app, &ada).await.permit::<may::ManageRoles>().is_ok());
}

/// A second administrator beside the first, agreed to.
async fn app_second_administrator(app: &TestApp, h: &House) -> Member {
    let invited = staff::invite(&app.db, &app.now, h.admin(), proof(), "grace@example.com", "Grace", h.role("Administrator").await).await;
    let invited = invited.unwrap();
    staff::accept(&app.db, &app.now, h.passwords(), &invited.token, PASSWORD.into(), None).await.unwrap();
    if let Some(waits) = invited.waits {
        let ada = Member::by_email(&app.db, "ada@example.com").await.unwrap().unwrap();
        approvals::decide(&app.db, &app.now, &ada, proof(), waits, true, "").await.unwrap();
    }
    Member::load(&app.db, invited.id).await.unwrap().unwrap()
}

async fn two_in_charge_cannot_remove_each_other_at_once(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = app_second_administrator(app, &h).await;
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

async fn waits(outcome: Result<Outcome, Problem>) -> ApprovalId {
    match outcome {
        Ok(Outcome::Waits(id)) => id,
        other => panic!("it does not wait: {other:?}"),
    }
}

async fn a_dangerous_role_waits_for_a_second_person(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = app_second_administrator(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let admin = h.role("Administrator").await;
    let give = async |note: &str| staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, note).await;
    refused(&give(" ").await, 422);
    let id = waits(give("She takes over").await).await;
    assert!(again(app, &vera).await.permit::<may::ManageStaff>().is_err(), "nothing is changed until then");
    let inbox = approvals::list(&app.db, &app.now, &grace, true, None, 10).await.unwrap().rows;
    assert_eq!((inbox[0].id, inbox[0].note.as_str()), (id, "She takes over"));
    let to_decide = async |member: &Member| approvals::to_decide(&app.db, &app.now, member).await.unwrap();
    assert_eq!((to_decide(&grace).await, to_decide(&ada).await, to_decide(&vera).await), (1, 0, 0));
    assert_eq!(inbox[0].summary, "Give Somebody the role Administrator");
    assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "Fine").await, Ok(()));
    assert!(again(app, &vera).await.permit::<may::ManageStaff>().is_ok());
    let actions: Vec<(String, String)> =
        app.db.all("select action, actor_name from audit_entry where action in ('approval.approve', 'staff.give_role')", ()).await.unwrap();
    assert!(
        actions.contains(&("approval.approve".into(), "Grace".into())) && actions.iter().any(|(action, _)| action == "staff.give_role")
    );
}

async fn nobody_decides_on_their_own_wish(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = app_second_administrator(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let admin = h.role("Administrator").await;
    let id = waits(staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, "Please").await).await;
    refused(&approvals::decide(&app.db, &app.now, &ada, proof(), id, true, "").await, 403);
    refused(&approvals::decide(&app.db, &app.now, &vera, proof(), id, true, "").await, 403);
    refused(&approvals::withdraw(&app.db, &app.now, &grace, id).await, 404);
    assert_eq!(approvals::withdraw(&app.db, &app.now, &ada, id).await, Ok(()));
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, 409);
}

async fn a_wish_is_decided_once_and_in_time(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = app_second_administrator(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let admin = h.role("Administrator").await;
    let ask = async || waits(staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, "Please").await).await;
    let id = ask().await;
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), id, false, "").await, 422);
    let (agree, decline) = tokio::join!(
        approvals::decide(&app.db, &app.now, &grace, proof(), id, true, ""),
        approvals::decide(&app.db, &app.now, h.admin(), proof(), id, false, "No"),
    );
    assert_eq!([&agree, &decline].into_iter().filter(|answer| answer.is_ok()).count(), 1, "{agree:?} {decline:?}");
    assert_eq!(again(app, &vera).await.permit::<may::ManageStaff>().is_ok(), agree.is_ok());
    if agree.is_ok() {
        staff::take_role(&app.db, &app.now, &grace.permit().unwrap(), proof(), vera.id(), admin).await.unwrap();
    }
    let late = ask().await;
    app.pass(3 * 24 * 60 * 60);
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), late, true, "").await, 409);
    let past = approvals::list(&app.db, &app.now, &grace, false, None, 10).await.unwrap().rows;
    assert!(past.iter().any(|row| row.id == late && row.state == ApprovalState::Expired));
    assert!(approvals::list(&app.db, &app.now, &grace, true, None, 10).await.unwrap().rows.is_empty());
}

async fn what_cannot_be_done_any_more_stays_undone_and_open(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = app_second_administrator(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let admin = h.role("Administrator").await;
    let id = waits(staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, "Please").await).await;
    // Who asked may not do it any more.
    staff::take_role(&app.db, &app.now, &grace.permit().unwrap(), proof(), ada.id(), admin).await.unwrap();
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, 403);
    assert_eq!(approvals::list(&app.db, &app.now, &grace, true, None, 10).await.unwrap().rows.len(), 1, "it is still open");
    assert!(again(app, &vera).await.permit::<may::ManageStaff>().is_err());
    let decided: Vec<(String,)> = app.db.all("select action from audit_entry where action = 'approval.approve'", ()).await.unwrap();
    assert_eq!(decided.len(), 1, "only the one of the second administrator");
    assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), id, false, "Too late").await, Ok(()));
}

async fn a_role_cannot_be_made_dangerous_behind_the_second_persons_back(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = app_second_administrator(app, &h).await;
    let viewer = role(app, &h, "Viewer").await;
    let vera = h.member("vera@example.com", viewer.row.id).await;
    let mut stronger = same(&viewer);
    stronger.permissions.push(Permission::ManageStaff);
    let id = waits(edit(app, &ada, stronger).await).await;
    assert!(again(app, &vera).await.permit::<may::ManageStaff>().is_err());
    // The role changes meanwhile: what was asked for is about another one.
    let renamed = RoleEdit { name: "Reader".into(), ..same(&viewer) };
    assert_eq!(edit(app, &ada, renamed).await, Ok(Outcome::Done));
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, 409);
    // To lift a rule of the second factor is dangerous, too.
    let rule = |permissions: &[Permission]| Edit { roles: Vec::new(), second_factor: Some(permissions.to_vec()) };
    let stricter = rule(&[Permission::SendMessages]);
    assert_eq!(roles::edit(&app.db, &app.now, &ada, proof(), stricter, "").await, Ok(Outcome::Done));
    let id = waits(roles::edit(&app.db, &app.now, &ada, proof(), rule(&[]), "It hinders").await).await;
    assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, Ok(()));
    assert!(roles::matrix(&app.db, &ada.permit().unwrap()).await.unwrap().second_factor.is_empty());
}

async fn many_lines_at_once_wait_for_a_second_person(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = app_second_administrator(app, &h).await;
    let account = h.account("Own").await;
    let mut chosen: Vec<(LineId, i64)> = Vec::new();
    for n in 0..4 {
        let number = format!("+120255501{n:02}");
        let id = lines::add(&app.db, &app.now, &ada.permit().unwrap(), account, &number, "Desk", NoRoute).await.unwrap();
        let version = integration::preview(&app.db, &ada.permit().unwrap(), id, Inbox).await.unwrap().version;
        chosen.push((id, version));
    }
    let set = async |lines: &[(LineId, i64)], note: &str| integration::set_many(&app.db, &app.now, &ada, lines, Inbox, 3, note).await;
    let types = async || {
        let shown = lines::list(&app.db, &ada.permit().unwrap(), &LineFilter::default(), None, 50).await.unwrap();
        shown.rows.iter().filter(|line| line.integration_type == Inbox).count()
    };
    refused(&set(&[], "").await, 422);
    refused(&set(&chosen, "").await, 422);
    let id = waits(set(&chosen, "The desks move").await).await;
    assert_eq!(types().await, 0, "nothing is changed until then");
    assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, Ok(()));
    assert_eq!(types().await, 4);
    refused(&set(&chosen[..2], "").await, 409);
    // Within what one may do alone: all or none.
    let back = |lines: &[(LineId, i64)]| lines.iter().map(|(line, version)| (*line, version + 1)).collect::<Vec<_>>();
    let mut some = back(&chosen[..3]);
    some[2].1 = 0;
    let alone = async |lines: &[(LineId, i64)]| integration::set_many(&app.db, &app.now, &ada, lines, NoRoute, 3, "").await;
    let answer = alone(&some).await;
    assert!(answer.as_ref().is_err_and(|problem| problem.to_string().starts_with("Desk: ")), "{answer:?}");
    assert_eq!(types().await, 4, "all or none");
    assert_eq!(alone(&back(&chosen[..3])).await, Ok(Outcome::Done));
    assert_eq!(types().await, 1);
}

async fn who_decides_for_one_account_decides_for_no_other(app: &TestApp) {
    let h = house(app);
    let (own, other) = (h.account("Own").await, h.account("Other").await);
    let scoped = h.member_of(own).await;
    let ada = administrator(&h, "ada@example.com").await;
    let _grace = app_second_administrator(app, &h).await;
    let ask = async |account, from: usize| {
        let mut lines_of: Vec<(LineId, i64)> = Vec::new();
        for n in from..from + 2 {
            let number = format!("+120255501{n:02}");
            let id = lines::add(&app.db, &app.now, &ada.permit().unwrap(), account, &number, "Desk", NoRoute).await.unwrap();
            lines_of.push((id, integration::preview(&app.db, &ada.permit().unwrap(), id, Inbox).await.unwrap().version));
        }
        let outcome = integration::set_many(&app.db, &app.now, &ada, &lines_of, Inbox, 1, "They move").await;
        (waits(outcome).await, lines_of)
    };
    let ((mine, _), (theirs, lines_of)) = (ask(own, 0).await, ask(other, 2).await);
    let inbox = approvals::list(&app.db, &app.now, &scoped, true, None, 10).await.unwrap().rows;
    assert_eq!(inbox.iter().map(|row| row.id).collect::<Vec<_>>(), [mine]);
    refused(&approvals::decide(&app.db, &app.now, &scoped, proof(), theirs, true, "").await, 404);
    assert_eq!(approvals::decide(&app.db, &app.now, &scoped, proof(), mine, true, "").await, Ok(()));
    refused(&integration::set_many(&app.db, &app.now, &scoped, &lines_of, Inbox, 1, "Mine now").await, 404);
}

/// What a browser sends and is answered.
async fn send(app: &TestApp, cookie: &str, path: &str, form: &[(&str, &str)]) -> Response {
    let request =
        app.http.post(format!("{}/fn/{path}", app.url)).header("accept", "application/json").header("sec-fetch-site", "same-origin");
    request.header("cookie", cookie).header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/144.0").form(form).send().await.unwrap()
}

fn session_of(answer: &Response) -> Option<String> {
    let set = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|value| value.split(';').next()).find(|pair| pair.starts_with("switchyard=")).map(ToOwned::to_owned)
}

async fn browser(app: &TestApp, email: &str, before: &str) -> String {
    let answer = send(app, before, "sign-in", &[("email", email), ("password", PASSWORD)]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    session_of(&answer).unwrap()
}

async fn a_session_is_new_listed_and_ended(app: &TestApp) {
    let h = house(app);
    h.member("vera@example.com", h.role("Viewer").await).await;
    let planted = "switchyard=AAAAAAAAAAAAAAAAAAAAAA";
    let first = browser(app, "vera@example.com", planted).await;
    assert_ne!(first, planted, "a planted token is not taken over");
    assert_eq!(send(app, planted, "me", &[]).await.status(), StatusCode::UNAUTHORIZED);
    let second = browser(app, "vera@example.com", &first).await;
    assert_ne!(first, second, "each sign-in has a token of its own");
    assert_eq!(send(app, &first, "me", &[]).await.status(), StatusCode::UNAUTHORIZED, "and the one it began with is worth nothing");
    let third = browser(app, "vera@example.com", "").await;
    let own: serde_json::Value = send(app, &third, "you", &[]).await.json().await.unwrap();
    let sessions: Vec<SessionRow> = serde_json::from_value(own["sessions"].clone()).unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session.device == "Firefox on Linux" && session.address == "127.0.0.1"), "{sessions:?}");
    let here = own["here"].as_str().unwrap();
    let other = sessions.iter().find(|session| session.handle != here).unwrap();
    assert_eq!(send(app, &third, "you/sessions/end", &[("handle", &other.handle)]).await.status(), StatusCode::OK);
    assert_eq!(send(app, &second, "me", &[]).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(send(app, &third, "me", &[]).await.status(), StatusCode::OK);
    // A password that changes ends all others.
    let fourth = browser(app, "vera@example.com", "").await;
    let form = [("present", PASSWORD), ("password", "four words without a rule")];
    assert_eq!(send(app, &fourth, "you/password", &form).await.status(), StatusCode::OK);
    assert_eq!(send(app, &third, "me", &[]).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(send(app, &fourth, "me", &[]).await.status(), StatusCode::OK);
}

async fn a_dangerous_action_asks_again_who_is_there(app: &TestApp) {
    let h = house(app);
    administrator(&h, "ada@example.com").await;
    let victim = h.member("vera@example.com", h.role("Viewer").await).await.id().to_string();
    let cookie = browser(app, "ada@example.com", "").await;
    let add = async |name: &str| send(app, &cookie, "roles/add", &[("name", name)]).await;
    assert_eq!(add("First").await.status(), StatusCode::OK, "who has just signed in is not asked");
    app.pass(11 * 60);
    let refused = add("Second").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.text().await.unwrap().contains("\"proof\""));
    for (path, form) in [
        ("staff/disable", vec![("id", victim.as_str())]),
        ("staff/reset", vec![("id", victim.as_str())]),
        ("staff/sessions/end", vec![("id", victim.as_str())]),
        ("you/second-factor/offer", vec![]),
    ] {
        assert_eq!(send(app, &cookie, path, &form).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(send(app, &cookie, "prove", &[("code", "not this one")]).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(add("Second").await.status(), StatusCode::FORBIDDEN);
    let proved = send(app, &cookie, "prove", &[("code", PASSWORD)]).await;
    assert_eq!(proved.status(), StatusCode::OK);
    let new = session_of(&proved).unwrap();
    assert_eq!(send(app, &new, "roles/add", &[("name", "Second")]).await.status(), StatusCode::OK);
    assert_eq!(send(app, &cookie, "me", &[]).await.status(), StatusCode::UNAUTHORIZED, "each proof gives a new token");
}
