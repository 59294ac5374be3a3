//! The judge: scans the database and the sandbox's journal with statements of its own, and holds them against what those who wrote were
//! acknowledged. It asks no table of a run and calls no verb of the product.

use super::scene::{LATE, Scene};
use super::writer::Record;
use crate::harness::DbEngine;
use crate::verdict::standing_posts;
use server::sandbox::{Entry, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use switchyard::db::Db;
use switchyard::types::AccountId;
use uuid::Uuid;

/// Tables that name a line and tell what was; see the list in `utilities::line_transfer`.
const TELLING: [&str; 2] = ["audit_entry", "utility_run"];

/// What went wrong.
#[derive(Debug, Default)]
pub struct Figures {
    pub rounds: usize,
    pub kills: usize,
    pub lost: usize,
    pub doubled: usize,
    pub left_behind: usize,
    pub leaked: usize,
    pub weakened: usize,
    /// The same in words.
    pub words: Vec<String>,
}

impl Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rounds, kills, lost, doubled, left_behind, leaked, weakened, .. } = self;
        write!(f, "rounds {rounds} kills {kills} lost {lost} doubled {doubled} left-behind {left_behind} leaked {leaked} ")?;
        write!(f, "opt-outs-weakened {weakened}")
    }
}

impl Figures {
    pub fn is_good(&self) -> bool {
        self.lost + self.doubled + self.left_behind + self.leaked + self.weakened == 0
    }

    pub fn add(&mut self, other: Figures) {
        self.rounds += other.rounds;
        self.kills += other.kills;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.left_behind += other.left_behind;
        self.leaked += other.leaked;
        self.weakened += other.weakened;
        self.words.extend(other.words);
    }

    fn say(&mut self, words: String) {
        self.words.push(words);
    }
}

/// A statement for a table that the schema names.
async fn scan<T: switchyard::db::Row>(db: &Db, text: String, args: impl switchyard::db::Args) -> Vec<T> {
    let text: &'static str = text.leak();
    db.all(text, args).await.unwrap()
}

/// Every table with both columns.
async fn tables(db: &Db) -> Vec<String> {
    let found: Vec<(String,)> = match db.engine() {
        DbEngine::Sqlite => db
            .all(
                "select m.name from sqlite_master m
                 where m.type = 'table' and 2 = (select count(*) from pragma_table_info(m.name) c where c.name in ('line_id', 'account_id'))",
                (),
            )
            .await
            .unwrap(),
        DbEngine::Postgres => db
            .all(
                "select c.table_name::text from information_schema.columns c
                 where c.table_schema = 'public' and c.column_name in ('line_id', 'account_id')
                 group by c.table_name having count(*) = 2",
                (),
            )
            .await
            .unwrap(),
    };
    let found: Vec<String> = found.into_iter().map(|(name,)| name).filter(|name| !TELLING.contains(&name.as_str())).collect();
    assert!(found.len() >= 10, "the schema was read: {found:?}");
    found
}

/// How the story ended.
pub async fn judge(scene: &Scene, record: &Record, should_own: AccountId) -> Figures {
    let mut found = Figures { rounds: 1, ..Figures::default() };
    let journal = scene.sandbox.journal(0);
    rows(scene, should_own, &mut found).await;
    messages(scene, record, &journal, &mut found).await;
    opt_outs(scene, record, &mut found).await;
    posts(scene, record, &journal, &mut found);
    found.leaked += record.leaks.len();
    found.weakened += record.weakened.len();
    found.words.extend(record.leaks.iter().chain(&record.weakened).cloned());
    found
}

/// Every row with the line is the owner's, and the owner knows every contact.
async fn rows(scene: &Scene, should_own: AccountId, found: &mut Figures) {
    let (db, line) = (&scene.db, scene.line);
    let (owner, moves): (AccountId, bool) =
        db.one("select account_id, transfer_id is not null from line where id = $1", [line]).await.unwrap();
    if owner != should_own || moves {
        found.left_behind += 1;
        found.say(format!("the line itself: its owner is the right one: {}, it is open: {}", owner == should_own, !moves));
    }
    for table in tables(db).await {
        let text = format!("select count(*) from {table} where line_id = $1 and account_id <> $2");
        let (count,) = scan::<(i64,)>(db, text, (line, should_own)).await[0];
        if count > 0 {
            found.left_behind += usize::try_from(count).unwrap();
            found.say(format!("{table}: {count} rows name another account"));
        }
    }
    let (strange,): (i64,) = db
        .one(
            "select count(*) from conversation c
             where c.line_id = $1 and exists (select 1 from contact k where k.number = c.number)
               and not exists (select 1 from contact k where k.account_id = $2 and k.number = c.number and k.closed_at is null)",
            (line, should_own),
        )
        .await
        .unwrap();
    if strange > 0 {
        found.left_behind += usize::try_from(strange).unwrap();
        found.say(format!("{strange} contacts are not in the owner's book"));
    }
}

/// What was acknowledged is there once, and so is what was there before.
async fn messages(scene: &Scene, record: &Record, journal: &[Entry], found: &mut Figures) {
    let all: Vec<(Uuid, String, String)> =
        scene.db.all("select id, body, coalesce(origin, direction) from message where line_id = $1", [scene.line]).await.unwrap();
    let ids: BTreeSet<Uuid> = all.iter().map(|row| row.0).collect();
    let missing = scene.history.difference(&ids).count();
    if missing > 0 {
        found.lost += missing;
        found.say(format!("{missing} messages of before are gone"));
    }
    let mut times: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (_, body, origin) in &all {
        *times.entry((body, origin)).or_default() += 1;
    }
    let once = |text: &str, origin: &str, least: usize, found: &mut Figures| {
        let count = times.get(&(text, origin)).copied().unwrap_or(0);
        if count < least {
            found.lost += 1;
            found.say(format!("{text} was acknowledged and is not there"));
        }
        if count > 1 {
            found.doubled += count - 1;
            found.say(format!("{text} is there {count} times"));
        }
        count
    };
    for (text, _) in &record.inbound {
        once(text, "inbound", 1, found);
    }
    for text in &record.sent {
        once(text, "api", 1, found);
    }
    // RingCentral tells of a post once: what it was acknowledged is ours to keep.
    let told: BTreeSet<_> = journal.iter().filter(|e| e.kind == Kind::EventDelivery && e.accepted).filter_map(|e| e.post_id).collect();
    let written: BTreeMap<&str, &Entry> =
        journal.iter().filter(|e| e.kind == Kind::AgentPost).filter_map(|e| Some((e.text.as_deref()?, e))).collect();
    let owners = owners_of_chats(scene, journal);
    for said in &record.agents {
        let Some(account) = owners.get(&said.chat) else { continue };
        let post = written.get(said.text.as_str()).and_then(|entry| entry.post_id);
        let must = scene.reigns.stayed(*account, said.at) && post.is_some_and(|post| told.contains(&post));
        let count = once(&said.text, "agent", usize::from(must), found);
        if must && count == 0 {
            let known: (i64, Option<String>, i64) = scene
                .db
                .one(
                    "select (select count(*) from chat where chat_id = $1), (select max(outcome) from agent_post where post_id = $2),
                       (select count(*) from ringcentral_event where state = 'new')",
                    (said.chat.clone(), post.map(|post| post.to_string()).unwrap_or_default()),
                )
                .await
                .unwrap();
            let (chats, outcome, new) = known;
            found.say(format!("its chat is known {chats} times, what became of it is {outcome:?}, and {new} events wait"));
        }
        // Until the end, and so until it was worked off.
        let end = scene.reigns.last_look();
        if count > 0 && scene.reigns.is_stranger(*account, said.at, end) {
            found.leaked += 1;
            found.say(format!("{} was written in a chat of the other account and went out", said.text));
        }
    }
}

/// Each chat's account, by who made it in RingCentral.
fn owners_of_chats(scene: &Scene, journal: &[Entry]) -> BTreeMap<String, AccountId> {
    let made = journal.iter().filter(|entry| entry.kind == Kind::Team && entry.accepted);
    let owner = |entry: &Entry| scene.accounts.iter().find(|account| entry.owner.as_deref() == Some(account.extension));
    made.filter_map(|entry| Some((entry.chat_id?.to_string(), owner(entry)?.id))).collect()
}

/// Whose last word was STOP is opted out.
async fn opt_outs(scene: &Scene, record: &Record, found: &mut Figures) {
    let stands: Vec<(String,)> =
        scene.db.all("select number from consent where line_id = $1 and state = 'opted_out'", [scene.line]).await.unwrap();
    let stands: BTreeSet<String> = stands.into_iter().map(|(number,)| number).collect();
    let before = scene.opted_out.iter().filter(|number| !record.stopped.contains_key(*number));
    let since = record.stopped.iter().filter(|(_, stopped)| **stopped).map(|(number, _)| number);
    let weakened = before.chain(since).filter(|number| !stands.contains(*number)).count();
    if weakened > 0 {
        found.weakened += weakened;
        found.say(format!("{weakened} numbers said STOP last and are not opted out"));
    }
}

/// What contacts wrote stands in one post, and none was made for an account that did not own the line.
fn posts(scene: &Scene, record: &Record, journal: &[Entry], found: &mut Figures) {
    let standing: Vec<&Entry> = standing_posts(journal);
    let ours: Vec<&&Entry> = standing.iter().filter(|post| post.kind == Kind::Post).collect();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for text in ours.iter().filter_map(|post| post.text.as_deref()) {
        for (said, _) in record.inbound.iter().filter(|(said, _)| text.contains(said.as_str())) {
            *places.entry(said).or_default() += text.matches(said.as_str()).count();
        }
    }
    for (text, _) in &record.inbound {
        match places.get(text.as_str()).copied().unwrap_or(0) {
            0 => {
                found.lost += 1;
                found.say(format!("{text} stands in no chat"));
            }
            1 => {}
            n => {
                found.doubled += n - 1;
                found.say(format!("{text} stands in the chats {n} times"));
            }
        }
    }
    for post in journal.iter().filter(|entry| entry.kind == Kind::Post && entry.accepted) {
        let text = post.text.as_deref().unwrap_or_default();
        let Some(account) = scene.accounts.iter().find(|account| post.owner.as_deref() == Some(account.extension)) else { continue };
        // A word to an agent in an old chat is for those who read there.
        if text.contains("Nothing was sent") {
            continue;
        }
        // A call that was under way when the line moved has ended by then; and what was said after that was under way nowhere.
        let said_after = record
            .inbound
            .iter()
            .any(|(said, began)| text.contains(said.as_str()) && scene.reigns.is_stranger(account.id, *began, post.at));
        if said_after || scene.reigns.is_stranger(account.id, post.at.minus(LATE), post.at) {
            found.leaked += 1;
            found.say(format!("a post of {} stands in a chat of the other account: {text}", post.at.rfc3339()));
        }
    }
}
