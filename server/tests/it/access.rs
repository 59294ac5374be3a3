//! Who may do what: roles and who hands them out, the second person, the second factor, sessions.

mod codes;
mod links;
mod matrix;
mod second_person;
mod sessions;

use crate::harness::{TestApp, keys, on_both_engines};
use crate::house::{House, PASSWORD, house, proof};
use reqwest::{Response, StatusCode};
use switchyard::directory::{accounts, integration, lines};
use switchyard::staff::roles::{self, Edit, RoleEdit};
use switchyard::staff::{self, Invited, Member, Origin, Reset, SessionRows, Step, approvals, may, second_factor};
use switchyard::types::IntegrationType::{Inbox, None as NoRoute};
use switchyard::types::{
    ApprovalId, ApprovalState, LineFilter, LineId, Outcome, Permission, Problem, RoleDetail, RoleId, SessionRow, SignedIn, StaffId,
};
use totp_rs::{Builder, Secret};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};

const HERE: Origin<'static> = Origin { address: "192.0.2.7", device: None };

/// The codes of an authenticator.
pub struct Phone(pub String);

impl Phone {
    /// The code that it shows so many steps from now.
    pub fn code(&self, app: &TestApp, steps: i64) -> String {
        let secret = Secret::try_from_base32(&self.0).unwrap();
        let seconds = app.now.at().millis() / 1000 + steps * 30;
        Builder::new().with_secret(secret).build().unwrap().generate(u64::try_from(seconds).unwrap()).to_string()
    }
}

/// Sets up a second factor; answers the phone and the recovery codes.
pub async fn second_factor_of(app: &TestApp, id: StaffId) -> (Phone, Vec<String>) {
    let offer = second_factor::offer(&app.db, &app.now, &keys(), proof(), id).await.unwrap();
    assert!(offer.picture.contains("<svg"), "a QR code");
    let phone = Phone(offer.secret);
    let wrong = second_factor::confirm(&app.db, &app.now, &keys(), proof(), id, "000000", &[]).await;
    assert!(matches!(wrong, Err(Problem::Invalid { .. })), "{wrong:?}");
    let codes = second_factor::confirm(&app.db, &app.now, &keys(), proof(), id, &phone.code(app, 0), &[]).await.unwrap();
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

/// The link that was made.
fn made(answer: Result<Reset, Problem>) -> Invited {
    match answer {
        Ok(Reset::Made(invited)) => invited,
        other => panic!("no link was made: {other:?}"),
    }
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

/// An administrator with a password.
async fn administrator(h: &House, email: &str) -> Member {
    h.member(email, h.role("Administrator").await).await
}

/// A second administrator beside the first, agreed to.
async fn second_administrator(app: &TestApp, h: &House) -> Member {
    let invited = staff::invite(&app.db, &app.now, h.admin(), proof(), "grace@example.com", "Grace", h.role("Administrator").await).await;
    let invited = invited.unwrap();
    staff::accept(&app.db, &app.now, h.passwords(), &invited.token, PASSWORD.into(), None).await.unwrap();
    if let Some(waits) = invited.waits {
        let ada = Member::by_email(&app.db, "ada@example.com").await.unwrap().unwrap();
        approvals::decide(&app.db, &app.now, &ada, proof(), waits, true, "").await.unwrap();
    }
    Member::load(&app.db, invited.id).await.unwrap().unwrap()
}
