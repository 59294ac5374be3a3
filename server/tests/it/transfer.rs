//! The Line Transfer: everything of a line arrives once, nothing is left behind, the old account is out from the first moment, and what was
//! dropped, reset or merged comes back with a transfer back.

mod contacts;
mod moves;
mod scope;
mod start;
mod states;
mod trouble;

use crate::harness::{DbEngine, TestApp, TestLine, contact, keys};
use crate::house::{PASSWORD, house, proof};
use std::collections::BTreeMap;
use switchyard::directory::{self, people};
use switchyard::erasure;
use switchyard::staff::roles::{self, Edit, RoleEdit};
use switchyard::staff::{self, Member, approvals};
use switchyard::types::IntegrationType::{self, Ringcentral};
use switchyard::types::{
    AccountId, ContactId, LineId, Permission, PhoneNumber, Problem, RunAct, RunDetail, RunId, RunState, Started, UtilityKind,
};
use switchyard::utilities::{self, Worker, WorkerConfig};

/// More rows than a test has.
const ALONE: i64 = 1_000_000;

/// A line with a history, and an account that it may move to.
struct Scene<'a> {
    app: &'a TestApp,
    line: TestLine,
    from: AccountId,
    to: AccountId,
    /// A line of the account that it moves to.
    theirs: TestLine,
}

/// Moves a line to another account, as staff do, to its end.
pub async fn move_line(app: &TestApp, line: &TestLine, to: AccountId) {
    let run = utilities::plan(&app.db, &app.now, &app.staff, UtilityKind::LineTransfer, &answers(line.id, to), None, ALONE).await.unwrap();
    utilities::start(&app.db, &app.now, &app.staff, proof(), run, &line.number, "It moves.").await.unwrap();
    finish(app, run).await;
    let seen = utilities::get(&app.db, &app.now, &app.staff, run).await.unwrap();
    assert_eq!(seen.row.state, RunState::Succeeded, "{:?}", seen.error);
}

/// What the form of a transfer is answered with.
fn answers(line: LineId, to: AccountId) -> BTreeMap<String, String> {
    let (line, to) = (line.to_string(), to.to_string());
    let choices = [("access", "drop"), ("responders", "move"), ("opt_ins", "keep"), ("scheduled", "pause")];
    [("line", line.as_str()), ("to", to.as_str())]
        .into_iter()
        .chain(choices)
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Works a run off until it ends or stands still.
async fn finish(app: &TestApp, run: RunId) {
    let worker = worker(app);
    for _ in 0..2_000 {
        if !worker.step().await.unwrap() {
            if !utilities::get(&app.db, &app.now, &app.staff, run).await.unwrap().row.state.is_moving() {
                return;
            }
            app.pass(60);
        }
    }
    panic!("the run does not end: {:#?}", utilities::get(&app.db, &app.now, &app.staff, run).await.unwrap().steps);
}

/// The account whose line this is.
pub async fn account_of(app: &TestApp, line: LineId) -> AccountId {
    let (account,): (AccountId,) = app.db.one("select account_id from line where id = $1", [line]).await.unwrap();
    account
}

/// A worker of small batches.
fn worker(app: &TestApp) -> Worker {
    Worker::new(app.db.clone(), app.now.clone(), WorkerConfig { most: 3, ..WorkerConfig::default() })
}

impl<'a> Scene<'a> {
    /// Twelve contacts who wrote and were answered, some who opted out, a blast that is held, people, automatic replies, names and notes.
    async fn of(app: &'a TestApp, kind: IntegrationType) -> Scene<'a> {
        let line = app.line(kind).await;
        let theirs = app.line(Ringcentral).await;
        let permit = app.staff.permit().unwrap();
        let (from, to) = (account_of(app, line.id).await, account_of(app, theirs.id).await);
        for (account, email) in [(from, "rosa@example.com"), (from, "ken@example.com"), (to, "ken@example.com")] {
            let user = people::add_user(&app.db, &app.now, &permit, account, "Somebody", email).await.unwrap();
            if account == from {
                people::set_access(&app.db, &app.now, &permit, line.id, user, true).await.unwrap();
            }
        }
        people::add_responder(&app.db, &app.now, &permit, line.id, "hours", "We are open from 9 to 5.").await.unwrap();
        for n in 1..=12 {
            app.reply(&contact(n), &line, &app.text("Hello")).await;
            app.work().await;
            app.send(&line, &contact(n), &app.text("Good day")).await;
        }
        app.work().await;
        for n in [3, 4] {
            app.reply(&contact(n), &line, "STOP").await;
        }
        for n in [5, 6] {
            app.reply(&contact(n), &line, "START").await;
        }
        app.work().await;
        for n in [1, 2] {
            name(app, from, &contact(n), "Known here").await;
        }
        name(app, to, &contact(2), "Known there").await;
        app.blast(&line, &[contact(7), contact(8), contact(9)], &app.text("Sale")).await;
        app.work().await;
        // Clocks of machines differ: what is older than this is recounted.
        app.pass(60);
        Scene { app, line, from, to, theirs }
    }

    async fn plan_with(&self, member: &Member, changes: &[(&str, &str)]) -> Result<RunId, Problem> {
        let mut answers = answers(self.line.id, self.to);
        answers.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        utilities::plan(&self.app.db, &self.app.now, member, UtilityKind::LineTransfer, &answers, None, ALONE).await
    }

    async fn plan(&self) -> RunId {
        self.plan_with(&self.app.staff, &[]).await.unwrap()
    }

    async fn start(&self, run: RunId) -> Started {
        utilities::start(&self.app.db, &self.app.now, &self.app.staff, proof(), run, &self.line.number, "It moves.").await.unwrap()
    }

    async fn act(&self, run: RunId, act: RunAct) -> Result<(), Problem> {
        utilities::act(&self.app.db, &self.app.now, &self.app.staff, run, act).await
    }

    async fn seen(&self, run: RunId) -> RunDetail {
        utilities::get(&self.app.db, &self.app.now, &self.app.staff, run).await.unwrap()
    }

    async fn state(&self, run: RunId) -> RunState {
        self.seen(run).await.row.state
    }

    /// Works until there is nothing to do; waits for what is tried again.
    async fn finish(&self, run: RunId) {
        finish(self.app, run).await;
    }

    /// So many batches.
    async fn steps(&self, count: usize) {
        let worker = worker(self.app);
        for _ in 0..count {
            assert!(worker.step().await.unwrap(), "there is something to do");
        }
    }

    async fn transfer(&self, changes: &[(&str, &str)]) -> RunId {
        let run = self.plan_with(&self.app.staff, changes).await.unwrap();
        assert_eq!(self.start(run).await, Started { run, waits: None, was_first: false });
        self.finish(run).await;
        let seen = self.seen(run).await;
        assert_eq!(seen.row.state, RunState::Succeeded, "{:?}", seen.error);
        run
    }

    async fn back(&self, run: RunId) -> RunId {
        let back = utilities::plan_reverse(&self.app.db, &self.app.now, &self.app.staff, run, ALONE).await.unwrap();
        self.start(back).await;
        self.finish(back).await;
        let seen = self.seen(back).await;
        assert_eq!(seen.row.state, RunState::Succeeded, "{:?}", seen.error);
        back
    }

    /// Fails unless everything of the line is this account's, and nothing is left with another.
    async fn belongs_to(&self, account: AccountId) {
        assert_eq!(account_of(self.app, self.line.id).await, account);
        let mut rows = 0;
        for table in tables_with_account(self.app).await {
            let text: &'static str =
                format!("select count(*), count(case when account_id <> $2 then 1 end) from {table} where line_id = $1").leak();
            let (all, others): (i64, i64) = self.app.db.one(text, (self.line.id, account)).await.unwrap();
            assert_eq!(others, 0, "{table}: {others} of {all} rows are left behind");
            rows += all;
        }
        assert!(rows > 50, "{rows} rows were looked at");
    }
}

async fn name(app: &TestApp, account: AccountId, number: &str, name: &str) {
    let (number, permit) = (PhoneNumber::parse(number).unwrap(), app.staff.permit().unwrap());
    if people::name_contact(&app.db, &app.now, &permit, account, &number, name).await.is_err() {
        let known = "select id, version, note from contact where account_id = $1 and number = $2";
        let (id, version, note): (ContactId, i64, String) = app.db.one(known, (account, number)).await.unwrap();
        directory::contacts::edit(&app.db, &app.now, &permit, id, version, name, &note).await.unwrap();
    }
}

async fn note(app: &TestApp, account: AccountId, number: &str, note: &str) {
    let (number, note) = (number.to_owned(), note.to_owned());
    app.db
        .work(async |tx| tx.run("update contact set note = $3 where account_id = $1 and number = $2", (account, number, note)).await)
        .await
        .unwrap();
}

/// A contact as an account knows it: name, note, and whether it is closed.
async fn known(app: &TestApp, account: AccountId, number: &str) -> Option<(String, String, bool)> {
    app.db
        .opt("select name, note, closed_at is not null from contact where account_id = $1 and number = $2", (account, number.to_owned()))
        .await
        .unwrap()
}

/// The tables of the schema that name both a line and an account; what tells of what was is no part of the line.
async fn tables_with_account(app: &TestApp) -> Vec<String> {
    let found: Vec<(String,)> = match app.db.engine() {
        DbEngine::Sqlite => app.db.all(
            "select m.name from sqlite_master m
             where m.type = 'table'
               and exists (select 1 from pragma_table_info(m.name) c where c.name = 'line_id')
               and exists (select 1 from pragma_table_info(m.name) c where c.name = 'account_id')
             order by m.name",
            (),
        ),
        DbEngine::Postgres => app.db.all(
            "select a.table_name::text from information_schema.columns a
             join information_schema.columns b on b.table_name = a.table_name and b.table_schema = 'public' and b.column_name = 'account_id'
             where a.table_schema = 'public' and a.column_name = 'line_id'
             order by 1",
            (),
        ),
    }
    .await
    .unwrap();
    let found: Vec<String> = found.into_iter().map(|(name,)| name).filter(|n| n != "audit_entry" && n != "utility_run").collect();
    assert!(found.len() >= 10, "{found:?}");
    found
}

/// What versions and clocks say of a row: it changes with a transfer there and back.
const AUDIT_COLUMNS: [&str; 8] =
    ["version", "fence", "changed_at", "due_at", "lease_until", "members_version", "members_due_at", "attempts"];

/// Every row of these tables, whole but for what says when and how often it was changed.
async fn dump(app: &TestApp, tables: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for table in tables {
        let columns: &'static str = match app.db.engine() {
            DbEngine::Sqlite => format!("select name from pragma_table_info('{table}') order by name").leak(),
            DbEngine::Postgres => {
                format!("select column_name::text from information_schema.columns where table_name = '{table}' order by 1").leak()
            }
        };
        let columns: Vec<(String,)> = app.db.all(columns, ()).await.unwrap();
        let parts: Vec<String> = columns
            .into_iter()
            .map(|(name,)| name)
            .filter(|name| !AUDIT_COLUMNS.contains(&name.as_str()))
            .map(|name| match app.db.engine() {
                DbEngine::Sqlite => format!("'{name}=' || quote({name})"),
                DbEngine::Postgres => format!("'{name}=' || coalesce({name}::text, 'null')"),
            })
            .collect();
        let text: &'static str = format!("select {} from {table}", parts.join(" || ' ' || ")).leak();
        let mut rows: Vec<(String,)> = app.db.all(text, ()).await.unwrap();
        rows.sort();
        found.insert((*table).to_owned(), rows.into_iter().map(|(row,)| row).collect());
    }
    found
}

/// A member who transfers lines, on one account alone or on all, and decides nothing.
async fn of_account(app: &TestApp, name: &str, account: impl Into<Option<AccountId>>) -> Member {
    let h = house(app);
    let permissions =
        vec![Permission::SeeDirectory, Permission::SeeMessages, Permission::SeePersonalData, Permission::SeeRuns, Permission::TransferLine];
    let role = roles::add(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), name).await.unwrap();
    let edit = RoleEdit { role, version: 1, name: name.to_owned(), accounts: account.into().map(|id| vec![id]), permissions };
    roles::edit(&app.db, &app.now, &app.staff, proof(), Edit { roles: vec![edit], second_factor: None }, "Needed.").await.unwrap();
    h.member(&format!("{name}@example.com"), role).await
}

async fn erase(app: &TestApp, account: AccountId, number: &str) {
    let permit = app.staff.permit().unwrap();
    let id = erasure::ask(&app.db, &app.now, &keys(), &permit, account, number, "Request 7").await.unwrap();
    erasure::erase(&app.db, &app.now, &keys(), &permit, proof(), id, &number[number.len() - 4..]).await.unwrap();
}

async fn records(app: &TestApp) -> String {
    let records: Vec<(String,)> = app.db.all("select body from utility_record", ()).await.unwrap();
    records.into_iter().map(|(body,)| body).collect::<Vec<_>>().join("\n")
}

/// Two administrators with passwords: then a transfer waits for a second person.
async fn two(app: &TestApp) -> (Member, Member) {
    let h = house(app);
    let first = h.member("first@example.com", h.role("Administrator").await).await;
    let invited = staff::invite(&app.db, &app.now, &first, proof(), "second@example.com", "Second", h.role("Administrator").await).await;
    let invited = invited.unwrap();
    staff::accept(&app.db, &app.now, h.passwords(), &invited.token, PASSWORD.into(), None).await.unwrap();
    if let Some(waits) = invited.waits {
        approvals::decide(&app.db, &app.now, &app.staff, proof(), waits, true, "").await.unwrap();
    }
    (first, Member::load(&app.db, invited.id).await.unwrap().unwrap())
}

/// An import of consent for an account, planned and started.
async fn an_import(scene: &Scene<'_>, account: AccountId) -> RunId {
    let app = scene.app;
    let answers: BTreeMap<String, String> = [("account".to_owned(), account.to_string())].into();
    let file = format!("number,status\n{},opted_out\n", contact(60));
    let kind = UtilityKind::ConsentImport;
    let run = utilities::plan(&app.db, &app.now, &app.staff, kind, &answers, Some(file.as_bytes()), ALONE).await.unwrap();
    let typed = scene.seen(run).await.plan.confirm.unwrap().1;
    utilities::start(&app.db, &app.now, &app.staff, proof(), run, &typed, "").await.unwrap();
    run
}
