//! The directory: what is edited, closed and opened again does what its screen says, within the scope, once, and in the audit.

mod accounts;
mod blasts;
mod consent;
mod contacts;
mod findings;
mod lines;
mod people;

use crate::harness::{TestApp, TestLine};
use crate::house::house;
use switchyard::directory;
use switchyard::staff::{self, Member};
use switchyard::types::{AccountId, AuditEntry, AuditFilter, PhoneNumber, Problem};

async fn account_of(app: &TestApp, line: &TestLine) -> AccountId {
    directory::lines::get(&app.db, &app.staff.permit().unwrap(), line.id).await.unwrap().line.account_id
}

/// Who may do everything, on another account only.
async fn elsewhere(app: &TestApp) -> Member {
    let h = house(app);
    let other = h.account("Elsewhere").await;
    h.member_of(other).await
}

/// The account's entries of this action, the newest first.
async fn audited(app: &TestApp, account: AccountId, action: &str) -> Vec<AuditEntry> {
    let filter = AuditFilter { account: Some(account), action: Some(action.to_owned()), ..AuditFilter::default() };
    staff::search(&app.db, &app.staff.permit().unwrap(), &filter, None, 50).await.unwrap().rows
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

#[track_caller]
fn is_hidden<T: std::fmt::Debug>(answer: Result<T, Problem>) {
    assert!(matches!(answer, Err(Problem::NotFound { .. })), "another account's row was reached: {answer:?}");
}

#[track_caller]
fn is_late<T: std::fmt::Debug>(answer: Result<T, Problem>) {
    assert!(matches!(answer, Err(Problem::Conflict { .. })), "the second was not told: {answer:?}");
}

#[track_caller]
fn is_wrong<T: std::fmt::Debug>(answer: Result<T, Problem>, field: &str) {
    match answer {
        Err(problem) => assert_eq!(problem.field(), Some(field), "{problem:?}"),
        Ok(taken) => panic!("it was taken: {taken:?}"),
    }
}
