//! A platform as large as asked for: the directory as staff write it, and what counts by its number alone written directly.

use crate::transfer::planned;
use crate::world::{World, keys, number};
use serde::Serialize;
use std::time::Duration;
use switchyard::clock::{Now, first_id_at};
use switchyard::directory::{accounts, lines, people};
use switchyard::figures;
use switchyard::messaging::blast;
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::Proof;
use switchyard::types::{AccountId, ConversationId, IntegrationType, LineId, PhoneNumber, StaffId, Timestamp, UserId};
use uuid::Uuid;

const ACCOUNTS: u64 = 100;
const LINES: u64 = 20;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Messages of a conversation, but for a few long ones.
const EACH: u64 = 11;
const LONG: u64 = 5_000;

pub(crate) const FIRST: [&str; 20] = [
    "Ada", "Bruno", "Carla", "Dario", "Elena", "Farid", "Greta", "Hanna", "Ivan", "Jana", "Karim", "Lena", "Milan", "Nora", "Oskar",
    "Paula", "Quinn", "Rosa", "Simon", "Tilda",
];

fn first_name(n: u64) -> &'static str {
    FIRST[(n % 20) as usize]
}

/// A conversation that was made.
pub(crate) struct Talk {
    pub(crate) line: LineId,
    pub(crate) account: AccountId,
    pub(crate) id: ConversationId,
    pub(crate) number: PhoneNumber,
}

/// Runs a statement over rows, as JSON, ten thousand at a time.
async fn write<T: Serialize>(w: &World, sql: &'static str, mut rows: impl Iterator<Item = T>) {
    loop {
        let part: Vec<T> = rows.by_ref().take(10_000).collect();
        if part.is_empty() {
            return;
        }
        let part = serde_json::to_string(&part).unwrap();
        w.db.work(async |tx| tx.run(sql, [part]).await).await.unwrap();
    }
}

/// Accounts with their lines and people, written as staff write them.
pub(crate) async fn directory(w: &World) -> Vec<(LineId, AccountId)> {
    let permit = w.member.permit().unwrap();
    let mut made = Vec::new();
    for n in 0..ACCOUNTS {
        let account = accounts::add(&w.db, &w.now, &permit, &format!("{} {n}", first_name(n)), true, true).await.unwrap();
        for m in 0..LINES {
            let (own, label) = (number(500_000_000 + n * LINES + m), format!("Desk {m}"));
            let line = lines::add(&w.db, &w.now, &permit, account, own.expose(), &label, IntegrationType::Inbox).await.unwrap();
            made.push((line, account));
        }
        let (name, email) = (format!("{} Person", first_name(n)), format!("person{n}@example.com"));
        people::add_user(&w.db, &w.now, &permit, account, &name, &email).await.unwrap();
    }
    made
}

/// Conversations, one line after the other, with the contacts from `first` on.
pub(crate) async fn conversations(w: &World, lines: &[(LineId, AccountId)], first: u64, size: u64) -> Vec<Talk> {
    let at = Now::system().at();
    let talks: Vec<Talk> = (0..size)
        .map(|n| {
            let (line, account) = lines[(n % lines.len() as u64) as usize];
            Talk { line, account, id: ConversationId(w.now.id()), number: number(first + n) }
        })
        .collect();
    write(
        w,
        "insert into conversation (line_id, id, account_id, number, last_at)
         select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), j.value->>3, cast(j.value->>4 as bigint)
         from json_each($1) j",
        talks.iter().map(|talk| (talk.line, talk.id, talk.account, &talk.number, at)),
    )
    .await;
    talks
}

/// Every second contact gets a name.
pub(crate) async fn names(w: &World, talks: &[Talk]) {
    write(
        w,
        "insert into contact (account_id, number, name, search, id)
         select unhex(j.value->>0, '-'), j.value->>1, j.value->>2, lower(j.value->>2), unhex(j.value->>3, '-') from json_each($1) j
         where true
         on conflict do nothing",
        (0_u64..).zip(talks).step_by(2).map(|(n, talk)| (talk.account, &talk.number, format!("{} {n}", first_name(n / 2)), talk.id)),
    )
    .await;
}

/// Messages: each with its id, its time and its conversation; every third is the contact's.
pub(crate) async fn messages<'a>(w: &World, rows: impl Iterator<Item = (Uuid, Timestamp, &'a Talk)>) {
    let rows = (0_u64..).zip(rows).map(|(n, (id, at, talk))| {
        let (direction, origin) = if n % 3 == 0 { ("inbound", None) } else { ("outbound", Some("api")) };
        (talk.line, id, talk.account, talk.id, &talk.number, direction, origin, at)
    });
    write(
        w,
        "insert into message (line_id, id, account_id, conversation_id, number, direction, origin, body, state, created_at, attempts)
         select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), unhex(j.value->>3, '-'), j.value->>4,
           j.value->>5, j.value->>6,
           'Your order is on its way and will be with you between ten and twelve tomorrow. Reply STOP to get no more of these.',
           'delivered', cast(j.value->>7 as bigint), 0
         from json_each($1) j",
        rows,
    )
    .await;
}

/// The `n`th of all ids, of a moment.
pub(crate) fn id_of(n: u64, at: Timestamp) -> Uuid {
    Uuid::from_u128(first_id_at(at).as_u128() + u128::from(n))
}

/// `each` messages of every conversation over the last two hundred days, some conversations after others, so that rows of a line lie
/// together; ids begin at `n`.
async fn histories(w: &World, talks: &[Talk], each: u64, n: u64) {
    let begin = Now::system().at().minus(DAY * 200);
    let step = DAY * 200 / u32::try_from(each).unwrap();
    let rows = talks.chunks(100).zip(0_u64..).flat_map(|(part, chunk)| {
        (0..each).flat_map(move |k| {
            let at = begin.plus(step * u32::try_from(k).unwrap());
            let first = n + (chunk * each + k) * 100;
            (first..).zip(part).map(move |(n, talk)| (id_of(n, at), at, talk))
        })
    });
    messages(w, rows).await;
}

/// Fills it: a hundred accounts with two thousand lines, a tenth of all conversations on one of them, ten conversations of thousands of
/// messages, a tenth held back by blasts, and what else there are lists of.
pub(crate) async fn fill(w: &World, conversation_count: u64) {
    let tenth = conversation_count / 10;
    let lines = directory(w).await;
    let mut talks = conversations(w, &lines, 1_000_000, conversation_count - 2 * tenth).await;
    talks.extend(conversations(w, &lines[..1], 30_000_000, tenth).await);
    names(w, &talks).await;
    talks.sort_by_key(|talk| talk.line);
    histories(w, &talks, EACH, 0).await;
    histories(w, &conversations(w, &lines[1..2], 50_000_000, 10).await, LONG, 1 << 32).await;
    let permit = w.member.permit().unwrap();
    let held: Vec<PhoneNumber> = (0..tenth).map(|n| number(60_000_000 + n)).collect();
    for (part, (line, _)) in held.chunks(held.len().div_ceil(w.lines.len())).zip(&w.lines) {
        blast::take_as_staff(&w.db, &w.now, &permit, *line, "Sale!", part).await.unwrap();
        while blast::record_next(&w.db, &w.now).await.unwrap() {}
    }
    more(w, &lines).await;
    figures::sample(&w.db, &w.now).await.unwrap();
    figures::sum_up(&w.db, &w.now).await.unwrap();
    w.settle().await;
}

/// People, members of the staff, connections, blasts, runs, entries of the audit, messages to unknown lines.
async fn more(w: &World, lines: &[(LineId, AccountId)]) {
    let permit = w.member.permit().unwrap();
    let accounts: Vec<AccountId> = lines.iter().step_by(LINES as usize).map(|(_, account)| *account).collect();
    for (n, account) in accounts.iter().enumerate() {
        let [client_id, client_secret, jwt] = ["client", "secret", "jwt"].map(|part| format!("{part}-{n}"));
        let base_url = "http://127.0.0.1:9".to_owned();
        let connection = NewConnection { base_url, client_id, client_secret, jwt, posts_per_minute: None, posts_per_day: None };
        ringcentral::connect(&w.db, &w.now, &keys(), &permit, Proof::at_the_shell(), *account, connection).await.unwrap();
    }
    write(
        w,
        "insert into account_user (id, account_id, name, email, created_at, version, search)
         select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), j.value->>2, j.value->>3, 0, 1, lower(j.value->>2) from json_each($1) j",
        (0..20_000_u64).map(|n| {
            let account = accounts[(n % ACCOUNTS) as usize];
            (UserId(w.now.id()), account, format!("{} Colleague {n}", first_name(n / ACCOUNTS)), format!("colleague{n}@example.com"))
        }),
    )
    .await;
    write(
        w,
        "insert into staff_member (id, email, name, search, created_at, version)
         select unhex(j.value->>0, '-'), j.value->>1, j.value->>2, lower(j.value->>2), 0, 1 from json_each($1) j",
        (0..200_u64).map(|n| (StaffId(w.now.id()), format!("member{n}@example.com"), format!("{} Member {n}", first_name(n)))),
    )
    .await;
    write(
        w,
        "insert into blast (line_id, id, account_id, body, state, created_by, created_at, recipients, recorded, opted_out, duplicates)
         select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), 'Sale!', 'sent', 'Bench', 0, 100, 100, 0, 0
         from json_each($1) j",
        (0..20_000).map(|n| {
            let (line, account) = lines[n % lines.len()];
            (line, w.now.id(), account)
        }),
    )
    .await;
    write(
        w,
        "insert into audit_entry (id, at, actor_kind, actor_id, actor_name, action, account_id, line_id, before, after, outcome)
         select unhex(j.value->>0, '-'), cast(j.value->>1 as bigint), 'staff', unhex(j.value->>2, '-'), 'Bench', j.value->>3,
           unhex(j.value->>4, '-'), unhex(j.value->>5, '-'), '{\"label\":\"Desk\"}', '{\"label\":\"Front desk\"}', 'done'
         from json_each($1) j",
        (0..500_000).map(|n| {
            let (line, account) = lines[n * 7 % lines.len()];
            let at = w.now.at();
            (w.now.id_at(at), at, w.member.id(), ["line.edit", "responder.edit", "line.access"][n % 3], account, line)
        }),
    )
    .await;
    write(
        w,
        "insert into unknown_inbound (id, carrier_id, from_number, to_number, body, received_at)
         select unhex(j.value->>0, '-'), j.value->>1, j.value->>2, j.value->>3, 'Hello?', cast(j.value->>4 as bigint) from json_each($1) j",
        (0..20_000).map(|n| (w.now.id(), format!("stray-{n}"), number(70_000_000 + n), number(800_000_000 + n % 500), w.now.at())),
    )
    .await;
    // Runs that are done, each like the one that is planned.
    planned(w, lines[0].0, accounts[1]).await;
    write(
        w,
        "insert into utility_run (id, utility, state, summary, line_id, account_id, target_id, holds, parameters, answers, plan, version,
           asked_by, asked_at, started_at, ended_at, attempt, failures, batch_size, taken_done)
         select unhex(j.value->>0, '-'), r.utility, 'succeeded', r.summary, unhex(j.value->>1, '-'), unhex(j.value->>2, '-'),
           unhex(j.value->>3, '-'), r.holds, r.parameters, r.answers, r.plan, 1, r.asked_by, r.asked_at, r.asked_at, r.asked_at, 1, 0, r.batch_size, 0
         from json_each($1) j
         join utility_run r on r.state = 'planned'",
        (0..20_000).map(|n| {
            let (line, account) = lines[n % lines.len()];
            (w.now.id(), line, account, accounts[n * 3 % accounts.len()])
        }),
    )
    .await;
}
