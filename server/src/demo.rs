//! The demo: three accounts, a dozen lines of every type, contacts, conversations and a few thousand messages, all made by the
//! same verbs that the product uses, on a clock that walks through the last ten days. It fills an empty database only.

use crate::application::{StartError, because};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use switchyard::clock::{Clock, Now, Rng};
use switchyard::db::Db;
use switchyard::directory::{accounts, lines, people};
use switchyard::messaging::inbound::{Incoming, receive};
use switchyard::messaging::outbound::{self, Delivery};
use switchyard::messaging::{blast, carrier};
use switchyard::ringcentral::{self, NewConnection};
use switchyard::secret::{Keyring, new_key};
use switchyard::staff::{Actor, Member, Proof, may};
use switchyard::types::{AccountId, IntegrationType, LineId, PhoneNumber, Problem, StaffId};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Each account: name, products, whether RingCentral accepts its sign-in, and its lines with label, type and contacts.
type AccountPlan = (&'static str, bool, bool, &'static str, &'static [(&'static str, IntegrationType, u32)]);

use IntegrationType::{Inbox, None as NoRoute, Ringcentral};

const ACCOUNTS: [AccountPlan; 3] = [
    (
        "Lakeside Dental",
        true,
        true,
        "sandbox-demo-lakeside",
        &[("Front desk", Ringcentral, 40), ("Recalls", Ringcentral, 60), ("Reminders", NoRoute, 30), ("Billing", Inbox, 16)],
    ),
    (
        "Northwind Outfitters",
        true,
        true,
        "sandbox-demo-northwind",
        &[
            ("Store 12", Ringcentral, 30),
            ("Store 14", Inbox, 20),
            ("Promotions", NoRoute, 60),
            ("Club", NoRoute, 24),
            ("Returns", Inbox, 12),
        ],
    ),
    (
        "Cedar & Pine Salon",
        true,
        true,
        "revoked-credential",
        &[("Bookings", Ringcentral, 18), ("Colour bar", Inbox, 10), ("News", NoRoute, 20)],
    ),
];

const PEOPLE: [&str; 12] = [
    "Ada Byron",
    "Grace Murray",
    "Alan Mathison",
    "Katherine Coleman",
    "Edsger Wybe",
    "Barbara Jane",
    "Dennis MacAlistair",
    "Radia Joy",
    "Donald Ervin",
    "Frances Elizabeth",
    "Tim John",
    "Margaret Heafield",
];

const ASKS: [&str; 8] = [
    "Hi, are you open on Saturday?",
    "Can I move my appointment to Thursday?",
    "Thank you!",
    "Is the blue one still there in size 40?",
    "I will be ten minutes late, sorry",
    "What does it cost?",
    "Great, see you then",
    "Could you send me the address?",
];

const TELLS: [&str; 6] = [
    "Your appointment is confirmed for Thursday at 10:30.",
    "Your order is ready. It waits for you at the counter.",
    "Saturday we are open from nine to one.",
    "This is a reminder of your visit tomorrow at 14:00. Reply C to confirm.",
    "Thank you for your visit! Tell us how it was.",
    "Your parcel has arrived.",
];

fn number(n: u32) -> PhoneNumber {
    // 555-0100 to 555-0199 are reserved for examples in each area code (North American Numbering Plan).
    let area = [202, 303, 404, 505, 606, 707, 808, 912, 213, 314, 415, 516][usize::try_from(n / 100).unwrap_or(0) % 12];
    PhoneNumber::parse(&format!("+1{area}55501{:02}", n % 100)).unwrap_or_else(|_| unreachable!("made of digits"))
}

/// The demo's key: made at the first start in a file that only its owner reads, and said so.
///
/// # Errors
/// When the file can be neither read nor written.
pub fn key(file: &Path) -> Result<String, StartError> {
    match std::fs::read_to_string(file) {
        Ok(key) => return Ok(key.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(because(&format!("{} cannot be read", file.display()))(error)),
    }
    let key = new_key(&Rng::from_os());
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut opened| writeln!(opened, "{key}"))
        .map_err(because(&format!("{} cannot be written; set SECRET_KEY to the output of `switchyard key`", file.display())))?;
    tracing::info!(file = %file.display(), "SECRET_KEY is not set: the demo made a key of its own");
    Ok(key)
}

/// Fills an empty database; does nothing to one that has accounts.
///
/// # Errors
/// What the verbs say.
pub async fn fill(db: &Db, now: &Now, keys: &Keyring, sandbox: &str) -> Result<(), Problem> {
    let first: Option<(StaffId,)> = db.opt("select id from staff_member order by id limit 1", ()).await?;
    let Some(member) = (match first {
        Some((id,)) => Member::load(db, id).await?,
        None => None,
    }) else {
        return Ok(());
    };
    if !accounts::list(db, &member.permit()?, "", None, 1).await?.rows.is_empty() {
        return Ok(());
    }
    tracing::info!("filling the demo");
    let past = Now { clock: Clock::manual(now.at().minus(DAY * 10)), rng: now.rng.clone() };
    let permit = member.permit::<may::ManageDirectory>()?;
    let mut next_number = 0;
    let mut made = Vec::new();
    for (name, blasts, conversations, client, line_plans) in ACCOUNTS {
        let account = accounts::add(db, &past, &permit, name, blasts, conversations).await?;
        let connection = NewConnection {
            base_url: sandbox.to_owned(),
            client_id: client.to_owned(),
            client_secret: client.to_owned(),
            jwt: client.to_owned(),
            // As RingCentral's, save that nobody who looks at a demo wants to wait for 40 a minute.
            posts_per_minute: None,
            posts_per_day: Some(2_500),
        };
        ringcentral::connect(db, &past, keys, &permit, Proof::at_the_shell(), account, connection).await?;
        let mut users = Vec::new();
        for person in PEOPLE.iter().skip(made.len()).take(5) {
            let email = format!("{}@example.com", person.to_lowercase().replace(' ', "."));
            users.push(people::add_user(db, &past, &permit, account, person, &email).await?);
        }
        for (label, kind, contacts) in line_plans {
            next_number += 1;
            let line_number = number(next_number);
            let line = lines::add(db, &past, &permit, account, line_number.expose(), label, *kind).await?;
            for user in users.iter().take(1 + made.len() % 4) {
                people::set_access(db, &past, &permit, line, *user, true).await?;
            }
            if *kind != NoRoute {
                people::add_responder(db, &past, &permit, line, "hours", "We are open Monday to Friday 8–18 and Saturday 9–13.").await?;
            }
            made.push((account, line, line_number, *kind, *contacts));
        }
    }
    // The lines' own numbers come first, the contacts' after them.
    let mut next_contact = 100;
    for (account, line, line_number, kind, contacts) in made.clone() {
        let numbers: Vec<PhoneNumber> = (0..contacts).map(|n| number(next_contact + n)).collect();
        next_contact += contacts;
        for (n, contact) in numbers.iter().enumerate().step_by(2) {
            people::name_contact(db, &past, &permit, account, contact, PEOPLE[n % PEOPLE.len()]).await?;
        }
        talk(db, &past, account, line, &line_number, kind, &numbers).await?;
    }
    stray(db, now).await?;
    // Something to look at in Sync: a blast that is held until somebody answers.
    let Some((_, line, ..)) = made.first() else { return Ok(()) };
    let recipients: Vec<PhoneNumber> = (100..140).map(number).collect();
    let text = "Lakeside Dental: we have free places for a check-up next week. Reply YES and we call you.";
    blast::take_as_staff(db, now, &member.permit()?, *line, text, &recipients).await?;
    Ok(())
}

/// A few messages to a number that nobody has added as a line.
async fn stray(db: &Db, now: &Now) -> Result<(), Problem> {
    let texts = [
        "Hello? I get no answer on this number",
        "Is this still the salon? I would like to move my appointment",
        "Do you have time on Friday?",
    ];
    let strays: Vec<Incoming> = (0..)
        .zip(texts)
        .map(|(n, text)| Incoming {
            carrier_id: format!("demo-stray-{n}"),
            from: number(150 + n),
            to: number(90),
            others: Vec::new(),
            body: text.to_owned(),
            media: Vec::new(),
            sent_at: Some(now.at().minus(Duration::from_secs(120))),
        })
        .collect();
    receive(db, now, &strays).await?;
    Ok(())
}

/// Ten days of messages between a line and its contacts.
async fn talk(
    db: &Db,
    past: &Now,
    account: AccountId,
    line: LineId,
    to: &PhoneNumber,
    kind: IntegrationType,
    numbers: &[PhoneNumber],
) -> Result<(), Problem> {
    let clock = Clock::manual(past.at());
    let at = Now { clock: clock.clone(), rng: past.rng.clone() };
    let program = Actor::Api { account_id: account, name: "Order system".to_owned(), address: None };
    let rounds = 10;
    for round in 0..rounds {
        clock.advance(DAY * 9 / (rounds * 2));
        let mut told = Vec::new();
        let texts: Vec<(PhoneNumber, &str)> = numbers
            .iter()
            .filter(|_| at.rng.below(3) > 0)
            .map(|n| (n.clone(), TELLS[usize::try_from(at.rng.below(TELLS.len() as u64)).unwrap_or(0)]))
            .collect();
        db.work(async |tx| {
            for (contact, text) in &texts {
                told.push(outbound::send(tx, &at, &program, account, line, contact, text).await?);
            }
            Ok::<_, Problem>(())
        })
        .await?;
        let told: Vec<Delivery> = told
            .into_iter()
            .map(|id| Delivery { reference: carrier::reference(line, id), carrier_id: format!("demo-{id}"), delivered: true, error: None })
            .collect();
        outbound::delivered(db, &at, &told).await?;
        clock.advance(DAY * 9 / (rounds * 2));
        let asked: Vec<Incoming> = numbers
            .iter()
            .filter(|_| at.rng.below(if kind == NoRoute { 12 } else { 4 }) == 0)
            .map(|n| Incoming {
                carrier_id: format!("demo-{line}-{round}-{}", n.expose()),
                from: n.clone(),
                to: to.clone(),
                others: Vec::new(),
                body: ASKS[usize::try_from(at.rng.below(ASKS.len() as u64)).unwrap_or(0)].to_owned(),
                media: Vec::new(),
                sent_at: Some(at.at()),
            })
            .collect();
        receive(db, &at, &asked).await?;
    }
    Ok(())
}
