//! Lists against a second opinion: a plain scan of the tables, on random data, with random filters, orders, pages, and readers with
//! different scopes. What a list answers page by page is what the scan finds, in the same order, each row once.

mod acts;

use crate::harness::{TestApp, contact, on_both_engines, pick};
use crate::house::house;
use crate::sights::role;
use switchyard::clock::Rng;
use switchyard::directory::{accounts, contacts, lines, people, users};
use switchyard::messaging::inbound::{self, Incoming};
use switchyard::staff::Member;
use switchyard::sync;
use switchyard::types::{
    AccountId, ContactId, ConversationFilter, ConversationId, Cursor, IntegrationType, LineFilter, LineId, LineSort, OpenOrClosed, Page,
    Permission, PhoneNumber, SyncFilter, Timestamp, Trouble, UserId,
};
use uuid::Uuid;

on_both_engines![
    lines_are_listed_as_a_plain_scan_finds_them,
    what_is_not_in_sync_is_listed_as_a_plain_scan_finds_it,
    a_lines_conversations_are_listed_as_a_plain_scan_finds_them,
    accounts_and_people_are_listed_as_a_plain_scan_finds_them,
    contacts_are_listed_as_a_plain_scan_finds_them,
];

const ROUNDS: usize = 60;
const WORDS: [&str; 8] = ["Front desk", "front Desk", "Recalls", "Zahnärzte", "Ärzte", "100%", "O'Neil_2", "recall"];

fn maybe<T: Copy>(rng: &Rng, of: &[T]) -> Option<T> {
    (rng.below(2) == 0).then(|| *pick(rng, of))
}

/// A part of one of these, in some case.
fn part(rng: &Rng, of: &[&str]) -> String {
    let chars: Vec<char> = pick(rng, of).chars().collect();
    let from = usize::try_from(rng.below(chars.len() as u64)).unwrap();
    let text: String = chars[from..].iter().take(1 + usize::try_from(rng.below(5)).unwrap()).collect();
    if rng.below(2) == 0 { text.to_uppercase() } else { text }
}

/// A reader, and the accounts that they look after; `None` for all.
struct Reader {
    member: Member,
    own: Option<Vec<AccountId>>,
}

impl Reader {
    fn sees(&self, account: AccountId) -> bool {
        self.own.as_ref().is_none_or(|own| own.contains(&account))
    }
}

struct World {
    accounts: Vec<AccountId>,
    readers: Vec<Reader>,
}

async fn world(app: &TestApp, rng: &Rng) -> World {
    let (db, now, permit) = (&app.db, &app.now, app.staff.permit().unwrap());
    let mut made = Vec::new();
    for n in 0..5 {
        // One always begins with a letter that ASCII does not know.
        let name = if n == 1 { "Ärzte am See".to_owned() } else { format!("{} {n}", pick(rng, &WORDS)) };
        let account = accounts::add(db, now, &permit, &name, true, true).await.unwrap();
        made.push(account);
        for _ in 0..14 {
            let number = format!("+1{}555{:04}", 201 + rng.below(9), 100 + rng.below(100));
            let kind = *pick(rng, &[IntegrationType::None, IntegrationType::Inbox]);
            // A number that is a line already is drawn again the next time.
            let _ = lines::add(db, now, &permit, account, &number, pick(rng, &WORDS), kind).await;
        }
        for at in 0..8 {
            let email = format!("{}{at}@example.com", pick(rng, &["ada", "bea", "Zoe"]));
            people::add_user(db, now, &permit, account, pick(rng, &WORDS), &email).await.unwrap();
        }
        for n in 0..12 {
            let contact = PhoneNumber::parse(&contact(n)).unwrap();
            contacts::name_contact(db, now, &permit, account, &contact, pick(rng, &WORDS)).await.unwrap();
        }
    }
    let seeing = [Permission::SeeDirectory, Permission::SeeMessages, Permission::SeeRuns, Permission::SeeAudit];
    let two = vec![made[0], made[3]];
    let few = role(app, "Two accounts", &seeing, Some(&two)).await;
    let none = role(app, "No account", &seeing, Some(&[])).await;
    let h = house(app);
    let readers = vec![
        Reader { member: app.staff.clone(), own: None },
        Reader { member: h.member("two@example.com", few).await, own: Some(two) },
        Reader { member: h.member("none@example.com", none).await, own: Some(Vec::new()) },
    ];
    World { accounts: made, readers }
}

/// Closes a third of all there is.
async fn some_are_closed(app: &TestApp, rng: &Rng) {
    type Ids = Vec<(Uuid,)>;
    let (db, at) = (&app.db, app.now.at());
    let accounts: Ids = db.all("select id from account", ()).await.unwrap();
    let lines: Ids = db.all("select id from line", ()).await.unwrap();
    let users: Ids = db.all("select id from account_user", ()).await.unwrap();
    let contacts: Ids = db.all("select id from contact", ()).await.unwrap();
    db.work(async |tx| {
        for (id,) in accounts.iter().filter(|_| rng.below(3) == 0) {
            tx.run("update account set closed_at = $2 where id = $1", (*id, at)).await?;
        }
        for (id,) in lines.iter().filter(|_| rng.below(3) == 0) {
            tx.run("update line set closed_at = $2 where id = $1", (*id, at)).await?;
        }
        for (id,) in users.iter().filter(|_| rng.below(3) == 0) {
            tx.run("update account_user set closed_at = $2 where id = $1", (*id, at)).await?;
        }
        for (id,) in contacts.iter().filter(|_| rng.below(3) == 0) {
            tx.run("update contact set closed_at = $2 where id = $1", (*id, at)).await?;
        }
        Ok::<_, switchyard::db::Error>(())
    })
    .await
    .unwrap();
}

/// Whether a list that is narrowed so shows what is closed since then.
fn shows(state: Option<OpenOrClosed>, closed_at: Option<Timestamp>) -> bool {
    match state {
        None => true,
        Some(OpenOrClosed::Open) => closed_at.is_none(),
        Some(OpenOrClosed::Closed) => closed_at.is_some(),
    }
}

/// All pages of a list, of so many rows each.
async fn all<T>(size: usize, read: impl AsyncFn(Option<Cursor>, usize) -> Page<T>) -> Vec<T> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = read(after, size).await;
        assert!(page.rows.len() <= size, "a page is not longer than asked for");
        found.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

fn size(rng: &Rng) -> usize {
    1 + usize::try_from(rng.below(9)).unwrap()
}

/// What is searched for, as it is compared.
fn wanted(text: &str) -> String {
    text.trim().to_lowercase().chars().filter(|c| !"%_\\".contains(*c)).collect()
}

/// The same among texts that are folded as far as letters of ASCII go: others are found as they are written.
fn wanted_as_written(text: &str) -> String {
    text.trim().to_ascii_lowercase().chars().filter(|c| !"%_\\".contains(*c)).collect()
}

async fn lines_are_listed_as_a_plain_scan_finds_them(app: &TestApp) {
    let rng = Rng::from_os();
    let world = world(app, &rng).await;
    some_are_closed(app, &rng).await;
    type Plain = (LineId, String, String, AccountId, String, IntegrationType, Option<Timestamp>);
    let plain: Vec<Plain> = app
        .db
        .all(
            "select l.id, l.number, l.label, l.account_id, a.name, l.integration_type, l.closed_at
             from line l join account a on a.id = l.account_id",
            (),
        )
        .await
        .unwrap();
    for _ in 0..ROUNDS {
        let reader = pick(&rng, &world.readers);
        let search = match rng.below(3) {
            0 => String::new(),
            1 => part(&rng, &WORDS),
            _ => pick(&rng, &plain).1[2..].chars().take(2 + usize::try_from(rng.below(6)).unwrap()).collect(),
        };
        let filter = LineFilter {
            search: search.clone(),
            account: maybe(&rng, &world.accounts),
            integration_type: maybe(&rng, IntegrationType::ALL),
            state: maybe(&rng, OpenOrClosed::ALL),
            sort: *pick(&rng, LineSort::ALL),
        };
        let permit = reader.member.permit().unwrap();
        let listed = all(size(&rng), async |after, size| lines::list(&app.db, &permit, &filter, after.as_ref(), size).await.unwrap()).await;

        let (text, digits) = (wanted(&search), search.chars().filter(char::is_ascii_digit).collect::<String>());
        let mut expected: Vec<&Plain> = plain
            .iter()
            .filter(|(_, number, label, account, name, kind, closed_at)| {
                let by_words = format!("{label} {name}").to_lowercase().contains(&text);
                let by_number = digits.len() >= 3 && number.contains(&digits);
                reader.sees(*account)
                    && (by_words || by_number)
                    && filter.account.is_none_or(|of| of == *account)
                    && filter.integration_type.is_none_or(|of| of == *kind)
                    && shows(filter.state, *closed_at)
            })
            .collect();
        expected.sort_by_key(|row| match filter.sort {
            LineSort::Number | LineSort::NumberDown => (row.1.clone(), row.0),
            LineSort::Label | LineSort::LabelDown => (row.2.to_ascii_lowercase(), row.0),
        });
        if matches!(filter.sort, LineSort::NumberDown | LineSort::LabelDown) {
            expected.reverse();
        }
        let ids: Vec<LineId> = listed.iter().map(|row| row.id).collect();
        assert_eq!(ids, expected.iter().map(|row| row.0).collect::<Vec<_>>(), "{filter:?} of {:?}", reader.own);
    }
}

/// Conversations on these lines, with lanes in every state, many of them at the same moment.
async fn lanes(app: &TestApp, rng: &Rng, own: &[(LineId, String)]) {
    app.db.work(async |tx| tx.run("update line set integration_type = 'inbox'", ()).await).await.unwrap();
    let batch: Vec<Incoming> = (0..120)
        .map(|n| Incoming {
            carrier_id: format!("m{n}"),
            from: PhoneNumber::parse(&format!("+1{}555{:04}", 301 + n / 100, 100 + n % 100)).unwrap(),
            to: PhoneNumber::parse(&pick(rng, own).1).unwrap(),
            others: Vec::new(),
            body: "Hello".to_owned(),
            media: Vec::new(),
            sent_at: None,
        })
        .collect();
    inbound::receive(&app.db, &app.now, &batch).await.unwrap();
    let conversations: Vec<(LineId, ConversationId, AccountId)> =
        app.db.all("select line_id, id, account_id from conversation", ()).await.unwrap();
    app.db
        .work(async |tx| {
            for (line, conversation, account) in &conversations {
                let (trouble, at) = (i64::try_from(rng.below(4)).unwrap(), Timestamp(i64::try_from(rng.below(6)).unwrap()));
                let counts = (i64::from(trouble == 1), i64::from(trouble > 1), (trouble == 3).then_some(at));
                tx.run("delete from lane where line_id = $1 and conversation_id = $2", (*line, *conversation)).await?;
                tx.run(
                    "insert into lane (line_id, conversation_id, account_id, held, queued, trouble, stalled_since, changed_at, next_seq, left_out,
                       attempts, fence)
                     values ($1, $2, $3, $4, $5, $6, $7, $8, 1, 0, 0, 0)",
                    (*line, *conversation, *account, counts.0, counts.1, trouble, counts.2, at),
                )
                .await?;
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
}

async fn what_is_not_in_sync_is_listed_as_a_plain_scan_finds_it(app: &TestApp) {
    let rng = Rng::from_os();
    let world = world(app, &rng).await;
    let own: Vec<(LineId, String)> = app.db.all("select id, number from line", ()).await.unwrap();
    lanes(app, &rng, &own).await;
    type Plain = (i64, Timestamp, LineId, ConversationId, AccountId);
    let plain: Vec<Plain> = app.db.all("select trouble, changed_at, line_id, conversation_id, account_id from lane", ()).await.unwrap();
    assert!(plain.len() > 50);
    let lines: Vec<LineId> = plain.iter().map(|row| row.2).collect();
    for _ in 0..ROUNDS {
        let reader = pick(&rng, &world.readers);
        let line = if rng.below(4) == 0 { Some(*pick(&rng, &lines)) } else { None };
        let filter =
            SyncFilter { account: maybe(&rng, &world.accounts), line, trouble: maybe(&rng, Trouble::ALL), oldest_first: rng.below(2) == 0 };
        let permit = reader.member.permit().unwrap();
        let listed = all(size(&rng), async |after, size| sync::list(&app.db, &permit, &filter, after.as_ref(), size).await.unwrap()).await;
        let mut expected: Vec<&Plain> = plain
            .iter()
            .filter(|(trouble, _, of_line, _, account)| {
                *trouble > 0
                    && reader.sees(*account)
                    && filter.account.is_none_or(|of| of == *account)
                    && filter.line.is_none_or(|of| of == *of_line)
                    && filter.trouble.is_none_or(|of| of.rank() == *trouble)
            })
            .collect();
        expected.sort();
        if !filter.oldest_first {
            expected.reverse();
        }
        let ids: Vec<ConversationId> = listed.iter().map(|row| row.conversation_id).collect();
        assert_eq!(ids, expected.iter().map(|row| row.3).collect::<Vec<_>>(), "{filter:?} of {:?}", reader.own);
    }
}

async fn a_lines_conversations_are_listed_as_a_plain_scan_finds_them(app: &TestApp) {
    let rng = Rng::from_os();
    let world = world(app, &rng).await;
    // Few lines, so that each has many.
    let own: Vec<(LineId, String)> = app.db.all("select id, number from line order by number limit 4", ()).await.unwrap();
    lanes(app, &rng, &own).await;
    app.db
        .work(async |tx| {
            let ids: Vec<(ConversationId,)> = tx.all("select id from conversation", ()).await?;
            for (id,) in ids {
                let at = Timestamp(i64::try_from(rng.below(6)).unwrap());
                tx.run("update conversation set last_at = $2 where id = $1", (id, at)).await?;
            }
            // One that nothing was ever to be delivered of is listed like the others.
            tx.run("delete from lane where trouble = 0 and changed_at < $1", [Timestamp(3)]).await
        })
        .await
        .unwrap();
    type Plain = (LineId, ConversationId, AccountId, Timestamp, Option<i64>, Option<Timestamp>);
    let plain: Vec<Plain> = app
        .db
        .all(
            "select c.line_id, c.id, c.account_id, c.last_at, n.trouble, n.changed_at
             from conversation c
             left join lane n on n.line_id = c.line_id and n.conversation_id = c.id",
            (),
        )
        .await
        .unwrap();
    assert!(plain.len() > 50);
    for _ in 0..ROUNDS {
        let reader = pick(&rng, &world.readers);
        let line = pick(&rng, &own).0;
        let filter = ConversationFilter { trouble: maybe(&rng, Trouble::ALL), oldest_first: rng.below(2) == 0, found: None };
        let permit = reader.member.permit().unwrap();
        let read = async |after: Option<Cursor>, size| {
            sync::conversations_narrowed(&app.db, &app.now, &permit, line, filter, after.as_ref(), size).await.unwrap()
        };
        let listed = all(size(&rng), read).await;
        let mut expected: Vec<(Timestamp, ConversationId)> = plain
            .iter()
            .filter(|(of_line, _, account, _, trouble, _)| {
                *of_line == line && reader.sees(*account) && filter.trouble.is_none_or(|of| Some(of.rank()) == *trouble)
            })
            .map(|(_, id, _, last_at, _, changed_at)| (if filter.is_by_change() { changed_at.unwrap() } else { *last_at }, *id))
            .collect();
        expected.sort();
        if !filter.oldest_first {
            expected.reverse();
        }
        let ids: Vec<ConversationId> = listed.iter().map(|row| row.id).collect();
        assert_eq!(ids, expected.iter().map(|row| row.1).collect::<Vec<_>>(), "{filter:?} of {:?}", reader.own);
    }
}

async fn accounts_and_people_are_listed_as_a_plain_scan_finds_them(app: &TestApp) {
    let rng = Rng::from_os();
    let world = world(app, &rng).await;
    some_are_closed(app, &rng).await;
    type Account = (String, AccountId, Option<Timestamp>);
    type Person = (String, UserId, String, AccountId, Option<Timestamp>);
    let named: Vec<Account> = app.db.all("select name, id, closed_at from account", ()).await.unwrap();
    let people: Vec<Person> = app.db.all("select name, id, email, account_id, closed_at from account_user", ()).await.unwrap();
    for round in 0..ROUNDS {
        // The first is what is written at the door of the practice, by who sees it.
        let reader = if round == 0 { &world.readers[0] } else { pick(&rng, &world.readers) };
        let permit = reader.member.permit().unwrap();
        let search = match (round, rng.below(3)) {
            (0, _) => "ärzte".to_owned(),
            (_, 0) => String::new(),
            _ => part(&rng, &WORDS),
        };
        let state = if round == 0 { None } else { maybe(&rng, OpenOrClosed::ALL) };
        let read =
            async |after: Option<Cursor>, size| accounts::narrowed(&app.db, &permit, &search, state, after.as_ref(), size).await.unwrap();
        let listed = all(size(&rng), read).await;
        let is_wanted = |(name, id, closed_at): &&Account| {
            reader.sees(*id) && name.to_lowercase().contains(&wanted(&search)) && shows(state, *closed_at)
        };
        let mut expected: Vec<&Account> = named.iter().filter(is_wanted).collect();
        expected.sort();
        let ids: Vec<AccountId> = listed.iter().map(|row| row.id).collect();
        assert_eq!(ids, expected.iter().map(|row| row.1).collect::<Vec<_>>(), "accounts with {search:?}, {state:?}, of {:?}", reader.own);

        let account = *pick(&rng, &world.accounts);
        let begin = search.trim().to_lowercase();
        let read =
            async |after: Option<Cursor>, size| users::narrowed(&app.db, &permit, account, &search, state, after.as_ref(), size).await;
        if !reader.sees(account) {
            assert!(read(None, 5).await.is_err(), "another account's people");
            continue;
        }
        let listed = all(size(&rng), async |after, size| read(after, size).await.unwrap()).await;
        let mut expected: Vec<(String, UserId)> = people
            .iter()
            .filter(|(name, _, email, of, closed_at)| {
                let begins = name.to_lowercase().starts_with(&begin) || email.starts_with(&begin);
                *of == account && begins && shows(state, *closed_at)
            })
            .map(|(name, id, ..)| (name.to_lowercase(), *id))
            .collect();
        expected.sort();
        let ids: Vec<UserId> = listed.iter().map(|row| row.id).collect();
        assert_eq!(ids, expected.iter().map(|row| row.1).collect::<Vec<_>>(), "people with {search:?}, {state:?}");
    }
}

async fn contacts_are_listed_as_a_plain_scan_finds_them(app: &TestApp) {
    let rng = Rng::from_os();
    let world = world(app, &rng).await;
    some_are_closed(app, &rng).await;
    type Plain = (String, String, ContactId, AccountId, Option<Timestamp>);
    let plain: Vec<Plain> = app.db.all("select search, number, id, account_id, closed_at from contact", ()).await.unwrap();
    let mut closed = 0;
    for _ in 0..ROUNDS {
        let reader = pick(&rng, &world.readers);
        let permit = reader.member.permit().unwrap();
        let (account, state) = (*pick(&rng, &world.accounts), maybe(&rng, OpenOrClosed::ALL));
        let read = async |after: Option<Cursor>, size| contacts::narrowed(&app.db, &permit, account, state, after.as_ref(), size).await;
        if !reader.sees(account) {
            assert!(read(None, 5).await.is_err(), "another account's contacts");
            continue;
        }
        let listed = all(size(&rng), async |after, size| read(after, size).await.unwrap()).await;
        let mut expected: Vec<&Plain> = plain.iter().filter(|row| row.3 == account && shows(state, row.4)).collect();
        // Who sees no names has them in an order that tells nothing: the readers of some accounts have no sight of personal data.
        if reader.own.is_none() {
            expected.sort();
        } else {
            expected.sort_by_key(|row| row.2);
        }
        let ids: Vec<ContactId> = listed.iter().map(|row| row.id).collect();
        assert_eq!(ids, expected.iter().map(|row| row.2).collect::<Vec<_>>(), "{state:?} of {:?}", reader.own);
        closed += listed.iter().filter(|row| row.closed_at.is_some()).count();
    }
    assert!(closed > 0, "some are closed");
}
