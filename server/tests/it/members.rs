//! Who is in the chats: whoever has access to the line, and nobody else. Counted from the sandbox's own chats.

use crate::harness::{TestApp, TestLine, contact, keys, on_both_engines};
use crate::verdict::chats_of;
use server::sandbox::{Fault, Kind, On, Person, What};
use switchyard::directory::people;
use switchyard::ringcentral::{self, Client};
use switchyard::sync::Agents;
use switchyard::types::IntegrationType::Ringcentral;
use switchyard::types::{ConnectionDetail, SyncState, UserId};

on_both_engines![
    a_chat_is_made_with_those_who_have_access,
    members_follow_access_in_every_chat_of_the_line,
    somebody_unknown_is_reported_and_hinders_nobody,
    a_lost_answer_makes_nobody_a_member_who_should_not_be,
];

struct Team<'a> {
    app: &'a TestApp,
    agents: Agents,
    line: TestLine,
    users: Vec<UserId>,
}

impl<'a> Team<'a> {
    /// A line, and three people of its account, of whom the first two have access.
    async fn begin(app: &'a TestApp) -> Team<'a> {
        let line = app.line(Ringcentral).await;
        let client = Client::new(app.http.clone(), app.db.clone(), app.now.clone(), keys());
        let agents = Agents::new(app.db.clone(), app.now.clone(), client);
        let permit = app.staff.permit().unwrap();
        let (account,) = app.db.one("select account_id from line where id = $1", [line.id]).await.unwrap();
        let mut users = Vec::new();
        for n in 0..3 {
            app.sandbox.know_person(person(n, true));
            users.push(people::add_user(&app.db, &app.now, &permit, account, &format!("Person {n}"), &email(n)).await.unwrap());
        }
        let team = Team { app, agents, line, users };
        for n in 0..2 {
            team.access(n, true).await;
        }
        team
    }

    async fn access(&self, n: usize, access: bool) {
        let permit = self.app.staff.permit().unwrap();
        people::set_access(&self.app.db, &self.app.now, &permit, self.line.id, self.users[n], access).await.unwrap();
    }

    async fn writes(&self, n: usize) {
        self.app.reply(&contact(n), &self.line, &self.app.text("Hello")).await;
        self.app.work().await;
        self.settle().await;
    }

    /// Works off what there is to do, also what waits for another try.
    async fn settle(&self) {
        for _ in 0..4 {
            while self.agents.step().await.unwrap() > 0 {}
            self.app.pass(130);
        }
    }

    /// Which of the three are in the contact's chat.
    fn members(&self, n: usize) -> Vec<usize> {
        let chat = *chats_of(&self.app.sandbox.journal(0), &contact(n)).last().unwrap();
        let chat = self.app.sandbox.chats().into_iter().find(|other| other.id == chat).unwrap();
        (0..3).filter(|n| chat.members.iter().any(|member| **member == *id(*n))).collect()
    }

    fn calls(&self, kind: Kind) -> usize {
        self.app.sandbox.journal(0).iter().filter(|entry| entry.kind == kind).count()
    }

    async fn connection(&self) -> ConnectionDetail {
        let permit = || self.app.staff.permit().unwrap();
        let row = ringcentral::list(&self.app.db, &self.app.now, &permit(), None, 1).await.unwrap().rows.remove(0);
        ringcentral::get(&self.app.db, &self.app.now, &permit(), row.id).await.unwrap()
    }
}

fn id(n: usize) -> String {
    format!("70000{n}")
}

fn email(n: usize) -> String {
    format!("person{n}@example.com")
}

fn person(n: usize, known: bool) -> Person {
    Person { id: id(n).into(), first_name: None, last_name: None, email: Some(email(n).into()), known }
}

async fn a_chat_is_made_with_those_who_have_access(app: &TestApp) {
    let team = Team::begin(app).await;
    team.writes(1).await;
    assert_eq!(team.members(1), [0, 1]);
    assert_eq!(team.calls(Kind::TeamAdd) + team.calls(Kind::TeamRemove), 0, "it took one call");
}

async fn members_follow_access_in_every_chat_of_the_line(app: &TestApp) {
    let team = Team::begin(app).await;
    for n in 1..=10 {
        team.writes(n).await;
    }
    team.access(0, false).await;
    team.access(2, true).await;
    team.settle().await;
    for n in 1..=10 {
        assert_eq!(team.members(n), [1, 2]);
    }
    assert_eq!((team.calls(Kind::TeamAdd), team.calls(Kind::TeamRemove)), (10, 10));
    team.access(2, true).await;
    team.settle().await;
    assert_eq!(team.calls(Kind::TeamAdd), 10, "what was said twice costs no call");
}

async fn somebody_unknown_is_reported_and_hinders_nobody(app: &TestApp) {
    let team = Team::begin(app).await;
    app.sandbox.know_person(person(0, false));
    team.writes(1).await;
    assert_eq!(app.conversation(&team.line, &contact(1)).await.sync, SyncState::InSync);
    assert_eq!(team.members(1), [1]);
    let seen = team.connection().await;
    assert_eq!(seen.unknown_people.iter().map(|person| person.id).collect::<Vec<_>>(), [team.users[0]]);
    let calls = team.calls(Kind::TeamAdd);
    team.writes(2).await;
    assert_eq!(team.members(2), [1]);
    assert_eq!(team.calls(Kind::TeamAdd), calls, "nobody asks again for somebody who is known to be unknown");
    // RingCentral has learnt who it is, and staff say so.
    app.sandbox.know_person(person(0, true));
    let permit = app.staff.permit().unwrap();
    ringcentral::try_people_again(&app.db, &app.now, &permit, seen.row.id, seen.row.version).await.unwrap();
    team.settle().await;
    assert_eq!((team.members(1), team.members(2)), (vec![0, 1], vec![0, 1]));
    assert!(team.connection().await.unknown_people.is_empty());
}

async fn a_lost_answer_makes_nobody_a_member_who_should_not_be(app: &TestApp) {
    let team = Team::begin(app).await;
    app.sandbox.arm(Fault::new(On::Team, What::LoseAnswer { hang: false })).unwrap();
    app.reply(&contact(1), &team.line, &app.text("Hello")).await;
    app.engine.step().await.unwrap();
    // While nobody knows whether the chat was made, access changes.
    team.access(1, false).await;
    app.work().await;
    team.settle().await;
    assert_eq!(team.calls(Kind::Team), 1);
    assert_eq!(team.members(1), [0]);
}
