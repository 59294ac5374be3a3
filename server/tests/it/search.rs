//! Search everywhere, against a second opinion: a plain scan of the tables, on random data, for members with different scopes; and
//! that what is typed stands nowhere.

use crate::harness::{TestApp, contact, keys, on_both_engines, pick, tells};
use crate::house::{house, proof};
use crate::sights::role;
use reqwest::Method;
use std::collections::BTreeSet;
use switchyard::clock::Rng;
use switchyard::directory::{accounts, lines, people, users};
use switchyard::messaging::inbound::{self, Incoming};
use switchyard::search;
use switchyard::staff::{self, Member};
use switchyard::types::{
    AccountId, AuditFilter, AuditOutcome, ConversationId, Found, IntegrationType, LineId, Permission, PhoneNumber, Problem, RunId,
    RunState, StaffId, UserId,
};

on_both_engines![
    a_search_finds_what_a_plain_scan_finds,
    a_line_is_found_by_any_three_digits_and_each_once,
    a_contact_is_found_by_how_the_number_begins,
    without_the_permission_contacts_are_found_by_a_whole_number_alone,
    a_kept_search_is_its_searchers_own_and_its_text_stands_nowhere,
    who_found_contacts_is_in_the_audit,
    runs_are_found_by_their_line_and_their_accounts,
    what_is_closed_says_so,
    a_name_is_found_in_small_and_large_letters_of_any_alphabet,
    a_name_that_an_older_version_wrote_is_found_after_a_start,
];

const MANY: usize = 10_000;
const FIRST: [&str; 10] = ["Ada", "Adam", "adele", "Bea", "BEN", "Zoë", "Élise", "Max_", "100%", "Vera"];
const LAST: [&str; 6] = ["Stone", "stonehill", "O'Neil", "Brook", "Nguyen", "Åberg"];

fn name(rng: &Rng) -> String {
    format!("{} {}", pick(rng, &FIRST), pick(rng, &LAST))
}

/// A number reserved for fiction, in some area.
fn number(rng: &Rng) -> String {
    format!("+1{}555{:04}", 201 + rng.below(40), 100 + rng.below(100))
}

async fn random_world(app: &TestApp, rng: &Rng) -> Vec<AccountId> {
    let (db, now, permit) = (&app.db, &app.now, app.staff.permit().unwrap());
    let mut made = Vec::new();
    for n in 0..5 {
        let account = accounts::add(db, now, &permit, &format!("{} {n}", name(rng)), true, true).await.unwrap();
        made.push(account);
        let mut own = Vec::new();
        for _ in 0..12 {
            let line = number(rng);
            // A number that is a line already is drawn again the next time.
            if lines::add(db, now, &permit, account, &line, &name(rng), IntegrationType::Inbox).await.is_ok() {
                own.push(PhoneNumber::parse(&line).unwrap());
            }
        }
        let mut batch = Vec::new();
        for n in 0..40 {
            let contact = PhoneNumber::parse(&number(rng)).unwrap();
            if rng.below(4) > 0 {
                // Whose number is drawn twice keeps the name.
                let named = people::name_contact(db, now, &permit, account, &contact, &name(rng)).await;
                assert!(named.is_ok() || matches!(named, Err(Problem::Invalid { .. })), "{named:?}");
            }
            batch.push(Incoming {
                carrier_id: format!("{account}-{n}"),
                from: contact,
                to: own[usize::try_from(rng.below(own.len() as u64)).unwrap()].clone(),
                others: Vec::new(),
                body: "Hello".to_owned(),
                media: Vec::new(),
                sent_at: None,
            });
        }
        inbound::receive(db, now, &batch).await.unwrap();
        for n in 0..6 {
            let name = name(rng);
            let email = format!("{}{n}@example.com", name.split(' ').next().unwrap_or_default());
            people::add_user(db, now, &permit, account, &name, &email).await.unwrap();
        }
    }
    made
}

/// Runs in every state, asked for by these: of an account, and some of them about one of its lines or to another account.
async fn random_runs(app: &TestApp, rng: &Rng, askers: &[StaffId]) {
    let lines: Vec<(LineId, AccountId)> = app.db.all("select id, account_id from line order by number", ()).await.unwrap();
    app.db
        .work(async |tx| {
            for n in 0..60 {
                let ((line, account), (_, target)) = (*pick(rng, &lines), *pick(rng, &lines));
                let (line, target) = ((rng.below(3) > 0).then_some(line), (rng.below(3) > 0).then_some(target));
                // A plan that is being made has no version yet.
                let version = i64::from(n % 10 > 0);
                tx.run(
                    "insert into utility_run (id, utility, state, summary, line_id, account_id, target_id, holds, parameters, answers, plan,
                       version, asked_by, asked_at, attempt, failures, batch_size, taken_done)
                     values ($1, 'line_transfer', $2, '', $3, $4, $5, '', '{}', '[]', '{}', $6, $7, 0, 0, 0, 1, 0)",
                    (RunId(app.now.id()), *pick(rng, RunState::ALL), line, account, target, version, *pick(rng, askers)),
                )
                .await?;
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
}

/// A run: how far it is, of which version, who asked for it, what it is about, from and to which account.
type Run = (RunId, RunState, i64, StaffId, Option<LineId>, AccountId, Option<AccountId>);

/// All there is, read plainly.
struct All {
    accounts: Vec<(AccountId, String)>,
    lines: Vec<(LineId, String, String, AccountId)>,
    users: Vec<(UserId, String, String, AccountId)>,
    contacts: Vec<(AccountId, String, String)>,
    conversations: Vec<(ConversationId, LineId, String)>,
    staff: Vec<(StaffId, String, String)>,
    runs: Vec<Run>,
}

async fn all(app: &TestApp) -> All {
    let db = &app.db;
    All {
        accounts: db.all("select id, name from account", ()).await.unwrap(),
        lines: db.all("select id, number, label, account_id from line", ()).await.unwrap(),
        users: db.all("select id, name, email, account_id from account_user", ()).await.unwrap(),
        contacts: db.all("select account_id, number, name from contact", ()).await.unwrap(),
        conversations: db.all("select id, line_id, number from conversation", ()).await.unwrap(),
        staff: db.all("select id, name, email from staff_member", ()).await.unwrap(),
        runs: db.all("select id, state, version, asked_by, line_id, account_id, target_id from utility_run", ()).await.unwrap(),
    }
}

/// A member, and where they may see what.
struct Seer {
    member: Member,
    sees: fn(Permission, bool) -> bool,
    /// The account that [`Seer::sees`] speaks of as theirs.
    own: AccountId,
}

/// What a search must find, as text.
type Sets = [BTreeSet<String>; 7];

fn expected(all: &All, seer: &Seer, text: &str) -> Sets {
    let sees = |permission, account: AccountId| (seer.sees)(permission, account == seer.own);
    let text = text.trim();
    let words = (text.chars().count() >= 2).then(|| text.to_lowercase());
    let begins = |name: &str| words.as_ref().is_some_and(|words| name.to_lowercase().starts_with(words));
    let is_number = text.chars().all(|c| c.is_ascii_digit() || "+-.() ".contains(c));
    let typed: String = text.chars().filter(char::is_ascii_digit).collect();
    let holds = |number: &str| is_number && typed.len() >= 3 && number.trim_start_matches('+').contains(&typed);
    let is_part = is_number && typed.len() >= 4;
    let begins_so = |number: &str| {
        let number = number.trim_start_matches('+');
        let national = number.strip_prefix('1').filter(|_| !text.contains('+'));
        typed.len() >= 5 && (number.starts_with(&typed) || national.is_some_and(|national| national.starts_with(&typed)))
    };
    let account_of = |line: LineId| all.lines.iter().find(|row| row.0 == line).unwrap().3;
    let by_directory = |account| sees(Permission::SeeDirectory, account);

    let accounts: Vec<_> = all.accounts.iter().filter(|(id, name)| by_directory(*id) && begins(name)).map(|row| row.0).collect();
    let is_contact = |account: AccountId, number: &str| {
        if is_part {
            return number.ends_with(&typed) || begins_so(number);
        }
        all.contacts.iter().any(|(of, at, name)| *of == account && at == number && begins(name))
    };
    // The account's name may stand behind a line's label.
    let in_full = |label: &str, account: AccountId| {
        let (_, name) = all.accounts.iter().find(|row| row.0 == account).unwrap();
        format!("{label} {name}")
    };
    let lines = all.lines.iter().filter(|(_, number, label, account)| {
        by_directory(*account) && (holds(number) || begins(&in_full(label, *account)) || accounts.contains(account))
    });
    let lines: Vec<LineId> = lines.map(|row| row.0).collect();
    let conversations = all.conversations.iter().filter(|(_, line, number)| {
        let account = account_of(*line);
        sees(Permission::SeeMessages, account) && sees(Permission::SeePersonalData, account) && is_contact(account, number)
    });
    let contacts = all.contacts.iter().filter(|(account, number, _)| {
        by_directory(*account) && sees(Permission::SeePersonalData, *account) && is_contact(*account, number)
    });
    let users = all.users.iter().filter(|(_, name, email, account)| by_directory(*account) && (begins(name) || begins(email)));
    let members = all.staff.iter().filter(|(_, name, email)| {
        // Staff are nobody's account: seen everywhere, or not at all.
        (seer.sees)(Permission::SeeStaff, false) && (begins(name) || begins(email))
    });
    // Runs are of the lines and the accounts that are found; a plan is seen by whoever planned it alone.
    let runs = all.runs.iter().filter(|(_, state, version, asked_by, line, account, target)| {
        let of = [Some(*account), *target];
        let is_of_line = line.is_some_and(|line| lines.contains(&line));
        let is_of_account = of.iter().flatten().any(|account| accounts.contains(account));
        let is_seen = of.iter().flatten().any(|account| sees(Permission::SeeRuns, *account));
        (is_of_line || is_of_account) && is_seen && *version > 0 && (*state != RunState::Planned || *asked_by == seer.member.id())
    });
    [
        lines.iter().map(ToString::to_string).collect(),
        conversations.map(|row| row.0.to_string()).collect(),
        contacts.map(|row| format!("{} {}", row.0, row.1)).collect(),
        accounts.iter().map(ToString::to_string).collect(),
        users.map(|row| row.0.to_string()).collect(),
        members.map(|row| row.0.to_string()).collect(),
        runs.map(|run| run.0.to_string()).collect(),
    ]
}

fn sets(found: &Found) -> Sets {
    // Each once: a set would hide it.
    let once = |list: Vec<String>| {
        let (count, set) = (list.len(), list.into_iter().collect::<BTreeSet<_>>());
        assert_eq!(count, set.len(), "each is found once");
        set
    };
    [
        once(found.lines.rows.iter().map(|row| row.id.to_string()).collect()),
        once(found.conversations.rows.iter().map(|row| row.conversation_id.to_string()).collect()),
        once(found.contacts.rows.iter().map(|row| format!("{} {}", row.account_id, row.number.expose())).collect()),
        once(found.accounts.rows.iter().map(|row| row.id.to_string()).collect()),
        once(found.users.rows.iter().map(|row| row.id.to_string()).collect()),
        once(found.staff.rows.iter().map(|row| row.id.to_string()).collect()),
        once(found.runs.rows.iter().map(|row| row.id.to_string()).collect()),
    ]
}

/// What somebody may type: part of what there is, or of nothing.
fn typed(rng: &Rng, all: &All) -> String {
    let part = |text: &str, from: bool| -> String {
        let chars: Vec<char> = text.chars().collect();
        let start = if from { usize::try_from(rng.below(chars.len() as u64)).unwrap() } else { 0 };
        let length = 1 + usize::try_from(rng.below(6)).unwrap();
        chars[start..].iter().take(length).collect()
    };
    match rng.below(12) {
        0 => part(&pick(rng, &all.accounts).1, false).to_uppercase(),
        10 => {
            let line = pick(rng, &all.lines);
            format!("{} {}", line.2, all.accounts.iter().find(|row| row.0 == line.3).unwrap().1)
        }
        1 => part(&pick(rng, &all.lines).2, false),
        2 => part(pick(rng, &all.lines).1.trim_start_matches('+'), true),
        3 => part(&pick(rng, &all.users).1, false),
        4 => part(&pick(rng, &all.users).2, false),
        5 => part(&pick(rng, &all.contacts).2, false).to_lowercase(),
        6 => {
            let digits: Vec<char> = pick(rng, &all.conversations).2.chars().collect();
            digits[digits.len() - 3 - usize::try_from(rng.below(8)).unwrap()..].iter().collect()
        }
        7 => PhoneNumber::parse(&pick(rng, &all.conversations).2).unwrap().readable(),
        // How a number begins, as it is kept, as people write it, and without its country code.
        8 => pick(rng, &all.conversations).2.chars().take(4 + usize::try_from(rng.below(7)).unwrap()).collect(),
        9 => {
            let number = PhoneNumber::parse(&pick(rng, &all.contacts).1).unwrap().readable();
            let from = if rng.below(2) == 0 { 0 } else { 3 };
            number.chars().skip(from).take(5 + usize::try_from(rng.below(7)).unwrap()).collect()
        }
        _ => (*pick(rng, &["%", "%%", "_a", "\\", "", " ", "zz", "+", "()", "12", "ad", "é", "ÉLI", "éLI", "ZOË"])).to_owned(),
    }
}

async fn a_search_finds_what_a_plain_scan_finds(app: &TestApp) {
    let rng = Rng::seeded(6);
    let own = random_world(app, &rng).await[2];
    let h = house(app);
    let wide = [Permission::SeeDirectory, Permission::SeeMessages, Permission::SeeStaff, Permission::SeeRuns];
    let directory = role(app, "Directory", &wide, None).await;
    let here = role(app, "Sees one", &[Permission::SeePersonalData], Some(&[own])).await;
    let narrow = [Permission::SeeDirectory, Permission::SeeMessages, Permission::SeePersonalData, Permission::SeeRuns];
    let narrow = role(app, "One", &narrow, Some(&[own])).await;
    let all_of_it = Seer { member: app.staff.clone(), sees: |_, _| true, own };
    let masked =
        Seer { member: h.member("ada@example.com", directory).await, sees: |permission, _| permission != Permission::SeePersonalData, own };
    let partly = h.member("ben@example.com", directory).await;
    app.db.work(async |tx| tx.run("insert into staff_role (staff_id, role_id) values ($1, $2)", (partly.id(), here)).await).await.unwrap();
    let partly = Member::load(&app.db, partly.id()).await.unwrap().unwrap();
    let partly = Seer { member: partly, sees: |permission, is_own| is_own || permission != Permission::SeePersonalData, own };
    let one = Seer {
        member: h.member("vera@example.com", narrow).await,
        sees: |permission, is_own| is_own && permission != Permission::SeeStaff,
        own,
    };
    random_runs(app, &Rng::seeded(7), &[all_of_it.member.id(), masked.member.id(), one.member.id()]).await;
    let all = all(app).await;
    let mut found_some = [0; 7];
    for _ in 0..200 {
        let text = typed(&rng, &all);
        for seer in [&all_of_it, &masked, &partly, &one] {
            let found = search::everywhere(&app.db, &seer.member, &text, MANY).await.unwrap();
            let (found, wanted) = (sets(&found), expected(&all, seer, &text));
            for (n, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                assert_eq!(found, wanted, "kind {n} for {text:?}");
                found_some[n] += usize::from(!found.is_empty());
            }
        }
    }
    assert!(found_some.iter().all(|count| *count > 10), "the texts are ones that find something: {found_some:?}");
    // No more than was asked for, and that there are more is said.
    let few = search::everywhere(&app.db, &app.staff, "555", 3).await.unwrap();
    assert!(few.lines.rows.len() == 3 && few.lines.is_cut);
}

async fn a_line_is_found_by_any_three_digits_and_each_once(app: &TestApp) {
    let account = house(app).account("Digits").await;
    let add = async |number: &str| {
        lines::add(&app.db, &app.now, &app.staff.permit().unwrap(), account, number, "Desk", IntegrationType::Inbox).await.unwrap()
    };
    let (line, code) = (add("+12015550155").await, add("55501").await);
    let find = async |text: &str| {
        let found = search::everywhere(&app.db, &app.staff, text, MANY).await.unwrap().lines.rows;
        found.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    for text in ["120", "2015", "155", "015 5", "+1 (201) 555-0155"] {
        assert_eq!(find(text).await, [line], "{text}");
    }
    // The number holds these digits twice over.
    let both: BTreeSet<LineId> = find("555").await.into_iter().collect();
    assert_eq!((both, find("555").await.len()), ([line, code].into(), 2));
    assert_eq!(find("55").await, [] as [LineId; 0], "two digits say nothing");
}

async fn a_contact_is_found_by_how_the_number_begins(app: &TestApp) {
    let line = app.line(IntegrationType::Inbox).await;
    app.reply(&contact(1), &line, "Hello").await;
    let see = app.staff.permit().unwrap();
    let account = accounts::list(&app.db, &see, "", None, 1).await.unwrap().rows[0].id;
    let number = PhoneNumber::parse(&contact(1)).unwrap();
    people::name_contact(&app.db, &app.now, &app.staff.permit().unwrap(), account, &number, "Wanda").await.unwrap();
    let own = house(app).member_of(account).await;
    let other = house(app).account("Other").await;
    for member in [&app.staff, &own] {
        let find = async |text: &str| {
            let found = search::everywhere(&app.db, member, text, MANY).await.unwrap();
            [found.conversations.rows.len(), found.contacts.rows.len()]
        };
        for text in ["+1 202 555", "+12025", "1 202 555 01", "(202) 55", "202-555-012", "+1 202 555 0121", "2025550121"] {
            assert_eq!(find(text).await, [1, 1], "{text}");
        }
        for text in ["+1 202", "2025", "+202 555", "+1 203 555", "02555"] {
            assert_eq!(find(text).await, [0, 0], "{text}");
        }
    }
    // Nobody else's account, and nothing for who sees no numbers.
    let seeing = [Permission::SeeDirectory, Permission::SeeMessages, Permission::SeePersonalData];
    let role = role(app, "Elsewhere", &seeing, Some(&[other])).await;
    let elsewhere = house(app).member("elsewhere@example.com", role).await;
    let viewer = house(app).member("vera@example.com", house(app).role("Viewer").await).await;
    for member in [&elsewhere, &viewer] {
        let found = search::everywhere(&app.db, member, "+1 202 555", MANY).await.unwrap();
        assert!(found.conversations.rows.is_empty() && found.contacts.rows.is_empty());
    }
    // There are more than are shown, and each is there once, whatever it is found by.
    for n in 2..6 {
        app.reply(&contact(n), &line, "Hello").await;
    }
    let found = search::everywhere(&app.db, &app.staff, "+1 202 555", 3).await.unwrap().conversations;
    assert!(found.rows.len() == 3 && found.is_cut);
    app.reply("+12025512025", &line, "Hello").await;
    let both = search::everywhere(&app.db, &app.staff, "12025", MANY).await.unwrap().conversations.rows;
    assert_eq!(both.iter().map(|row| row.conversation_id).collect::<BTreeSet<_>>().len(), both.len());
    assert_eq!(both.len(), 6);
}

async fn without_the_permission_contacts_are_found_by_a_whole_number_alone(app: &TestApp) {
    let line = app.line(IntegrationType::Inbox).await;
    app.reply(&contact(1), &line, "Hello").await;
    let h = house(app);
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let account = accounts::list(&app.db, &app.staff.permit().unwrap(), "", None, 1).await.unwrap().rows[0].id;
    let number = PhoneNumber::parse(&contact(1)).unwrap();
    people::name_contact(&app.db, &app.now, &app.staff.permit().unwrap(), account, &number, "Wanda").await.unwrap();
    for text in ["0121", "Wanda", &contact(1)] {
        let found = search::everywhere(&app.db, &vera, text, MANY).await.unwrap();
        assert!(found.conversations.rows.is_empty() && found.contacts.rows.is_empty(), "{text}");
        assert_eq!(found.is_whole_number, text == contact(1) || text == "0121", "what could be a short code is taken as one");
        let seen = search::everywhere(&app.db, &app.staff, text, MANY).await.unwrap();
        assert!(seen.conversations.rows.len() == 1 && seen.contacts.rows.len() == 1 && !seen.is_whole_number, "{text}");
    }
    for (path, form) in [("/fn/search", "0121"), ("/fn/search", "Wanda")] {
        let told = app.ask(&vera, Method::POST, path, &[("text", form)]).await.text().await.unwrap();
        assert!(!told.contains("Wanda") && !tells(&told, "0121"), "{told}");
    }
}

async fn a_kept_search_is_its_searchers_own_and_its_text_stands_nowhere(app: &TestApp) {
    let text = "+1 202 555 0121";
    let answer = app.ask(&app.staff, Method::POST, "/fn/search/keep", &[("text", text)]).await;
    let headers = format!("{:?}", answer.headers());
    assert!(headers.contains("/search?search=") && !tells(&headers, "0121"), "{headers}");
    let (kept,): (String,) = app.db.one("select typed from kept_search", ()).await.unwrap();
    assert!(!tells(&kept, "0121"), "{kept}");

    let id = search::keep(&app.db, &app.now, &keys(), &app.staff, text).await.unwrap();
    assert_eq!(search::kept(&app.db, &app.now, &keys(), &app.staff, id).await.unwrap(), text);
    let page = app.ask(&app.staff, Method::GET, &format!("/search?search={id}"), &[]).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains(text), "the page says what was searched for");
    let h = house(app);
    let sam = h.member("sam@example.com", h.role("Support").await).await;
    assert!(matches!(search::kept(&app.db, &app.now, &keys(), &sam, id).await, Err(Problem::NotFound { .. })));
    for bad in ["", " x ", &"x".repeat(201)] {
        let refused = search::keep(&app.db, &app.now, &keys(), &app.staff, bad).await;
        assert!(matches!(refused, Err(Problem::Invalid { field, .. }) if field == "text"), "{bad:?}");
    }
    app.pass(3_601);
    assert!(matches!(search::kept(&app.db, &app.now, &keys(), &app.staff, id).await, Err(Problem::NotFound { .. })));
    assert_eq!(search::forget_old(&app.db, &app.now).await.unwrap(), 2);
}

async fn who_found_contacts_is_in_the_audit(app: &TestApp) {
    let line = app.line(IntegrationType::Inbox).await;
    app.reply(&contact(1), &line, "Hello").await;
    let found = async || {
        let filter = AuditFilter { outcome: Some(AuditOutcome::Seen), ..AuditFilter::default() };
        let rows = staff::search(&app.db, &app.staff.permit().unwrap(), &filter, None, 100).await.unwrap().rows;
        let found: Vec<_> = rows.iter().filter(|entry| entry.row.action == "conversation.see_found").collect();
        assert!(found.iter().all(|entry| entry.line.as_ref().is_some_and(|(id, _)| *id == line.id) && entry.subject.is_some()));
        found.len()
    };
    app.ask(&app.staff, Method::POST, "/fn/search", &[("text", "account")]).await;
    assert_eq!(found().await, 0, "an account is nobody's secret");
    for _ in 0..3 {
        app.ask(&app.staff, Method::POST, "/fn/search", &[("text", "0121")]).await;
    }
    assert_eq!(found().await, 1, "once in ten minutes");
}

async fn runs_are_found_by_their_line_and_their_accounts(app: &TestApp) {
    let line = app.line(IntegrationType::Inbox).await;
    let h = house(app);
    let target = h.account("Target").await;
    let run = crate::doors::planned(app, line.id, target).await;
    let other = h.account("Other").await;
    let elsewhere = h.member_of(other).await;
    for text in ["0100", "Account 0", "target"] {
        let found = search::everywhere(&app.db, &app.staff, text, MANY).await.unwrap().runs.rows;
        assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [run], "{text}");
        assert!(search::everywhere(&app.db, &elsewhere, text, MANY).await.unwrap().runs.rows.is_empty(), "{text}");
    }
    // When it was asked for is a moment, in the palette and on the page: a browser writes it in the reader's zone.
    let answer = app.ask(&app.staff, Method::POST, "/fn/search", &[("text", "target")]).await;
    let found: serde_json::Value = answer.json().await.unwrap();
    let runs = found["groups"].as_array().unwrap().iter().find(|group| group["kind"] == "Run").unwrap();
    let hit = &runs["hits"][0];
    assert!(hit["at"] == serde_json::json!(app.now.at()) && !hit["detail"].as_str().unwrap().contains("UTC"), "{hit}");
    let id = search::keep(&app.db, &app.now, &keys(), &app.staff, "target").await.unwrap();
    let page = app.ask(&app.staff, Method::GET, &format!("/search?search={id}"), &[]).await.text().await.unwrap();
    assert!(page.contains(&format!("<time datetime=\"{}\"", app.now.at().rfc3339())), "{page}");
}

async fn what_is_closed_says_so(app: &TestApp) {
    let (db, now, permit) = (&app.db, &app.now, app.staff.permit().unwrap());
    let account = house(app).account("Zephyr Sailing").await;
    lines::add(db, now, &permit, account, "+12025550171", "Zephyr desk", IntegrationType::Inbox).await.unwrap();
    people::add_user(db, now, &permit, account, "Zephyr Jones", "zephyr@example.com").await.unwrap();
    people::name_contact(db, now, &permit, account, &PhoneNumber::parse(&contact(1)).unwrap(), "Zephyr Smith").await.unwrap();
    // Of each kind, whether its one hit says so; in the palette and on the page.
    let said = async || {
        let answer = app.ask(&app.staff, Method::POST, "/fn/search", &[("text", "zephyr")]).await;
        let found: serde_json::Value = answer.json().await.unwrap();
        let groups = found["groups"].as_array().unwrap().clone();
        let kinds = ["Line", "Contact", "Account", "User"];
        kinds.map(|kind| {
            let group = groups.iter().find(|group| group["kind"] == kind).unwrap_or_else(|| panic!("{kind} is found: {groups:?}"));
            group["hits"][0]["detail"].as_str().unwrap().split(" · ").any(|word| word == "Closed")
        })
    };
    assert_eq!(said().await, [false; 4]);
    let close = async |statement: &'static str| db.work(async |tx| tx.run(statement, [now.at()]).await).await.unwrap();
    close("update line set closed_at = $1 where label = 'Zephyr desk'").await;
    assert_eq!(said().await, [true, false, false, false]);
    close("update contact set closed_at = $1 where name = 'Zephyr Smith'").await;
    close("update account set closed_at = $1 where name = 'Zephyr Sailing'").await;
    close("update account_user set closed_at = $1 where name = 'Zephyr Jones'").await;
    assert_eq!(said().await, [true; 4]);
    let id = search::keep(db, now, &keys(), &app.staff, "zephyr").await.unwrap();
    let page = app.ask(&app.staff, Method::GET, &format!("/search?search={id}"), &[]).await.text().await.unwrap();
    assert!(page.contains("Closed · Zephyr desk"), "the page says so, too");
}

/// One of each kind that has a name, called so.
async fn called(app: &TestApp, name: &str) -> (AccountId, UserId) {
    let (h, db, now, permit) = (house(app), &app.db, &app.now, app.staff.permit().unwrap());
    let line = app.line(IntegrationType::Inbox).await;
    app.reply(&contact(1), &line, "Hello").await;
    let own = accounts::list(db, &app.staff.permit().unwrap(), "", None, 1).await.unwrap().rows[0].id;
    people::name_contact(db, now, &permit, own, &PhoneNumber::parse(&contact(1)).unwrap(), name).await.unwrap();
    let account = h.account(name).await;
    lines::add(db, now, &permit, own, "+12025550171", name, IntegrationType::Inbox).await.unwrap();
    let user = people::add_user(db, now, &permit, account, name, "somebody@example.com").await.unwrap();
    let viewer = h.role("Viewer").await;
    staff::invite(db, now, &app.staff, proof(), "new@example.com", name, viewer).await.unwrap();
    (account, user)
}

/// How many are found: conversations, contacts, lines, accounts, users, members.
async fn counts(app: &TestApp, text: &str) -> [usize; 6] {
    let found = search::everywhere(&app.db, &app.staff, text, MANY).await.unwrap();
    [
        found.conversations.rows.len(),
        found.contacts.rows.len(),
        found.lines.rows.len(),
        found.accounts.rows.len(),
        found.users.rows.len(),
        found.staff.rows.len(),
    ]
}

async fn a_name_is_found_in_small_and_large_letters_of_any_alphabet(app: &TestApp) {
    let (account, user) = called(app, "Élise Ärzte").await;
    for text in ["él", "ÉLI", "éLISE ÄR", "Élise ärzte"] {
        assert_eq!(counts(app, text).await, [1; 6], "{text}");
    }
    assert_eq!(counts(app, "el").await, [0; 6], "a letter with a sign is another letter");
    // What is called something else is found by that, and by nothing else.
    let (db, now, permit) = (&app.db, &app.now, app.staff.permit().unwrap());
    accounts::edit(db, now, &permit, account, 1, "Øre", (true, true)).await.unwrap();
    users::edit(db, now, &permit, user, 1, "Øyvind", "somebody@example.com").await.unwrap();
    assert_eq!(counts(app, "éli").await, [1, 1, 1, 0, 0, 1]);
    assert_eq!([counts(app, "ØRE").await, counts(app, "øyv").await], [[0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0]]);
    let listed = accounts::list(db, &app.staff.permit().unwrap(), "ØR", None, 10).await.unwrap().rows;
    assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), [account], "the list of accounts folds alike");
}

async fn a_name_that_an_older_version_wrote_is_found_after_a_start(app: &TestApp) {
    called(app, "Élise Ärzte").await;
    app.db
        .work(async |tx| {
            tx.run("update account set search = ''", ()).await?;
            tx.run("update account_user set search = ''", ()).await?;
            tx.run("update contact set search = ''", ()).await?;
            tx.run("update staff_member set search = ''", ()).await
        })
        .await
        .unwrap();
    assert_eq!(counts(app, "éli").await, [0, 0, 1, 0, 0, 0], "a line has been found so at all times");
    // As a program does that starts; whoever starts next finds nothing to do.
    for _ in 0..2 {
        search::fold_older(&app.db).await.unwrap();
        assert_eq!(counts(app, "éli").await, [1; 6]);
    }
}
