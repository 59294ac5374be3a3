//! Search everywhere by each kind of text, and Home, on many conversations.

use crate::world::{World, number, world};
use crate::{Bench, percentile};
use std::time::Instant;
use switchyard::clock::Now;
use switchyard::directory::{accounts, lines, people};
use switchyard::staff::Member;
use switchyard::types::{AccountId, ConversationId, IntegrationType, LineId, RoleId, Span, StaffId};
use switchyard::{figures, home, search};

const ACCOUNTS: u64 = 100;
const LINES: u64 = 20;
const SAMPLES: u64 = 300;
/// What is typed the `n`th time.
type Typed = fn(u64) -> String;
const FIRST: [&str; 20] = [
    "Ada", "Bruno", "Carla", "Dario", "Elena", "Farid", "Greta", "Hanna", "Ivan", "Jana", "Karim", "Lena", "Milan", "Nora", "Oskar",
    "Paula", "Quinn", "Rosa", "Simon", "Tilda",
];

/// Accounts with their lines and people, written as staff write them.
async fn directory(w: &World) -> Vec<(LineId, AccountId)> {
    let permit = w.member.permit().unwrap();
    let mut made = Vec::new();
    for n in 0..ACCOUNTS {
        let account = accounts::add(&w.db, &w.now, &permit, &format!("{} {n}", FIRST[(n % 20) as usize]), true, true).await.unwrap();
        for m in 0..LINES {
            let (own, label) = (number(500_000_000 + n * LINES + m), format!("Desk {m}"));
            let line = lines::add(&w.db, &w.now, &permit, account, own.expose(), &label, IntegrationType::Inbox).await.unwrap();
            made.push((line, account));
        }
        let (name, email) = (format!("{} Person", FIRST[(n % 20) as usize]), format!("person{n}@example.com"));
        people::add_user(&w.db, &w.now, &permit, account, &name, &email).await.unwrap();
    }
    made
}

/// Conversations, one line after the other; every second contact has a name.
async fn conversations(w: &World, lines: &[(LineId, AccountId)], size: u64) {
    let at = Now::system().at();
    for part in (0..size).collect::<Vec<_>>().chunks(10_000) {
        let rows: Vec<_> = part
            .iter()
            .map(|n| {
                let (line, account) = lines[(n % lines.len() as u64) as usize];
                (line, ConversationId(w.now.id()), account, number(1_000_000 + n), format!("{} {n}", FIRST[(n % 20) as usize]), n % 2)
            })
            .collect();
        let rows = serde_json::to_string(&rows).unwrap();
        w.db.work(async |tx| {
            tx.run(
                "insert into conversation (line_id, id, account_id, number, last_at)
                 select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), j.value->>3, $2 from json_each($1) j",
                (rows.clone(), at),
            )
            .await?;
            tx.run(
                "insert into contact (account_id, number, name, id)
                 select unhex(j.value->>2, '-'), j.value->>3, j.value->>4, unhex(j.value->>1, '-') from json_each($1) j
                 where j.value->>5 = '0'
                 on conflict do nothing",
                [rows],
            )
            .await
        })
        .await
        .unwrap();
    }
}

/// A member who may do everything, on one account.
async fn of_one(w: &World, account: AccountId) -> Member {
    let (role, staff) = (RoleId(w.now.id()), StaffId(w.now.id()));
    w.db.work(async |tx| {
        tx.run("insert into role (id, name, everywhere, created_at) values ($1, 'One account', false, 0)", [role]).await?;
        tx.run(
            "insert into role_permission (role_id, permission)
             select $1, p.permission from role_permission p join role r on r.id = p.role_id where r.name = 'Administrator'",
            [role],
        )
        .await?;
        tx.run("insert into role_account (role_id, account_id) values ($1, $2)", (role, account)).await?;
        tx.run("insert into staff_member (id, email, name, created_at, version) values ($1, 'one@example.com', 'One', 0, 1)", [staff])
            .await?;
        tx.run("insert into staff_role (staff_id, role_id) values ($1, $2)", (staff, role)).await
    })
    .await
    .unwrap();
    Member::load(&w.db, staff).await.unwrap().unwrap()
}

impl Bench {
    pub(crate) async fn search(&mut self, engine: &'static str) {
        let size = if self.full { 1_000_000 } else { 100_000 };
        let Some(w) = world(engine, 20).await else { return };
        let lines = directory(&w).await;
        conversations(&w, &lines, size).await;
        figures::sample(&w.db, &w.now).await.unwrap();
        figures::sum_up(&w.db, &w.now).await.unwrap();
        w.settle().await;
        let one = of_one(&w, lines[0].1).await;
        let texts: [(&str, &Member, Typed); 8] = [
            ("three digits of a line", &w.member, |_| "999".to_owned()),
            ("six digits of a line", &w.member, |n| format!("5000{:02}", n % 20)),
            ("three digits of a line, one account", &one, |_| "999".to_owned()),
            ("last four digits of a contact", &w.member, |n| format!("{:04}", n * 31 % 10_000)),
            ("last four digits of a contact, one account", &one, |n| format!("{:04}", n * 31 % 10_000)),
            ("two letters of a name", &w.member, |n| FIRST[(n % 20) as usize][..2].to_owned()),
            ("two letters of a name, one account", &one, |n| FIRST[(n % 20) as usize][..2].to_owned()),
            ("nothing there", &w.member, |n| format!("zebra {n}")),
        ];
        for (name, member, text) in texts {
            let mut times = Vec::new();
            for n in 0..SAMPLES {
                let began = Instant::now();
                search::everywhere(&w.db, member, &text(n), 5).await.unwrap();
                times.push(began.elapsed());
            }
            times.sort_unstable();
            let name = format!("search: p99 by {name}, {size} conversations");
            self.note(Some(&w), &name, percentile(&times, 99), "ms", Some((100.0, true)), size, SAMPLES);
        }
        let mut times = Vec::new();
        for _ in 0..SAMPLES {
            let began = Instant::now();
            home::needs(&w.db, &w.now, &w.member).await.unwrap();
            home::activity(&w.db, &w.now, &w.member, Span::Month).await.unwrap();
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let name = format!("home: p99, {size} conversations");
        self.note(Some(&w), &name, percentile(&times, 99), "ms", Some((50.0, true)), size, SAMPLES);
        w.end().await;
    }
}
