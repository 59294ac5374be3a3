//! Search everywhere by each kind of text, and Home, on many conversations.

use crate::platform::{FIRST, conversations, directory, names};
use crate::world::{World, world};
use crate::{Bench, percentile};
use std::time::Instant;
use switchyard::staff::Member;
use switchyard::types::{AccountId, RoleId, Span, StaffId};
use switchyard::{figures, home, search};

const SAMPLES: u64 = 300;
/// What is typed the `n`th time.
type Typed = fn(u64) -> String;

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
        names(&w, &conversations(&w, &lines, 1_000_000, size).await).await;
        figures::sample(&w.db, &w.now).await.unwrap();
        figures::sum_up(&w.db, &w.now).await.unwrap();
        w.settle().await;
        let one = of_one(&w, lines[0].1).await;
        let texts: [(&str, &Member, Typed); 10] = [
            ("three digits of a line", &w.member, |_| "999".to_owned()),
            ("six digits of a line", &w.member, |n| format!("5000{:02}", n % 20)),
            ("three digits of a line, one account", &one, |_| "999".to_owned()),
            ("last four digits of a contact", &w.member, |n| format!("{:04}", n * 31 % 10_000)),
            ("last four digits of a contact, one account", &one, |n| format!("{:04}", n * 31 % 10_000)),
            // All of them begin so.
            ("first digits of a contact", &w.member, |_| "+99900010".to_owned()),
            ("first digits of a contact, one account", &one, |_| "+99900010".to_owned()),
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
