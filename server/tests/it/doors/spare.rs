//! What rows of the tables act on, so that what the other rows are about stays whole: a second account with everything in it, a third one
//! without a connection, and whatever waits for somebody to do something about it.
//!
//! A row that is new and needs something to act on has it made here, under a word of its own.

use super::planned;
use crate::access::Phone;
use crate::harness::{TestApp, TestLine, contact, keys};
use crate::house::{House, proof};
use crate::transfer::{account_of, move_line};
use std::collections::BTreeMap;
use std::time::Duration;
use switchyard::directory::{accounts, integration, lines, people};
use switchyard::messaging::blast::{self, Decision, Wanted};
use switchyard::staff::{self, Member, roles, second_factor, views};
use switchyard::types::IntegrationType::{self, Inbox};
use switchyard::types::{AccountId, ConversationId, LineId, ListKind, Outcome, PhoneNumber, RoleId, UtilityKind};
use switchyard::utilities::{self, Worker, WorkerConfig};
use switchyard::{erasure, ringcentral, search, sync, undo};

/// Words of the tables, and what each stands for.
type Words = Vec<(&'static str, String)>;

/// The second account's things, and what waits.
pub struct Spare {
    pub words: Words,
    /// The tokens of open invitations: whoever accepts one has one of their own.
    invitations: Vec<String>,
}

impl Spare {
    /// Makes everything. `line` is the first account's, and its `conversation` holds a message; `support` asks for what only a second
    /// person may agree to; who is invited gets `role`.
    pub async fn open(app: &TestApp, h: &House, line: &TestLine, conversation: ConversationId, support: &Member, role: RoleId) -> Self {
        let (db, now) = (&app.db, &app.now);
        let spare = app.line(Inbox).await;
        let account = account_of(app, spare.id).await;
        let bare = h.account("Bare zq7hush").await;
        let mut words: Words =
            vec![("spare_account", account.to_string()), ("spare_line", spare.id.to_string()), ("bare", bare.to_string())];
        words.extend(runs(app, &spare, account, bare).await);
        // What is erased takes kept searches and drafts with it: these come afterwards.
        words.extend(erasures(app, account).await);
        words.extend(directory(app, account, spare.id).await);
        words.extend(messages(app, line, conversation).await);
        words.extend(approvals(app, account, support).await);

        let spare_role = roles::add(db, now, &app.staff.permit().unwrap(), proof(), "Spare zq7hush").await.unwrap();
        let fields = [("state".to_owned(), "open".to_owned())];
        let view = views::save(db, now, &app.staff, ListKind::Accounts, "Open zq7hush", &fields, None).await.unwrap();
        let kept = search::keep(db, now, &keys(), &app.staff, "account").await.unwrap();
        words.extend([("spare_role", spare_role.to_string()), ("view", view.to_string()), ("kept", kept.to_string())]);

        let mut invitations = Vec::new();
        for n in 0..=10 {
            let invited = staff::invite(db, now, &app.staff, proof(), &format!("door{n}@example.com"), "Somebody", role).await.unwrap();
            invitations.push(invited.token);
        }
        // One that nobody accepts, and a code that fits while the clock stands still.
        words.extend(invitations.pop().map(|link| ("link", link)));
        let offer = second_factor::offer(db, now, &keys(), proof(), app.staff.id()).await.unwrap();
        words.push(("code", Phone(offer.secret).code(app, 0)));
        Self { words, invitations }
    }

    /// Puts what there is into a form or a path; `n` chooses the invitation.
    pub fn filled(&self, text: &str, n: usize) -> String {
        let text = text.replace("{invitation}", &self.invitations[n % self.invitations.len()]);
        self.words.iter().fold(text, |text, (word, what)| text.replace(&format!("{{{word}}}"), what))
    }
}

fn number(n: usize) -> PhoneNumber {
    PhoneNumber::parse(&contact(n)).unwrap()
}

/// A further line of the account.
async fn line_of(app: &TestApp, account: AccountId, number: &str, label: &str) -> LineId {
    lines::add(&app.db, &app.now, &app.staff.permit().unwrap(), account, number, label, Inbox).await.unwrap()
}

/// A line that was transferred and can come back, one whose transfer is planned, and a run that is done and has a result.
async fn runs(app: &TestApp, spare: &TestLine, account: AccountId, bare: AccountId) -> Words {
    let (db, now) = (&app.db, &app.now);
    let moved = line_of(app, account, "+12025550119", "Moved zq7hush").await;
    move_line(app, &TestLine { id: moved, number: "+12025550119".to_owned(), ..spare.clone() }, bare).await;
    let moved = utilities::of_line(db, &app.staff.permit().unwrap(), moved).await.unwrap().remove(0).id;
    // The table says its number, too.
    let leaving = line_of(app, account, "+12025550118", "Leaving zq7hush").await;
    let plan = planned(app, leaving, bare).await;
    let gone = people::add_user(db, now, &app.staff.permit().unwrap(), account, "Gone zq7hush", "gone.zq7hush@example.com").await.unwrap();
    let answers = BTreeMap::from([("rows".to_owned(), gone.to_string())]);
    let done = utilities::plan(db, now, &app.staff, UtilityKind::CloseUsers, &answers, None, 10_000).await.unwrap();
    utilities::start(db, now, &app.staff, proof(), done, "1", "").await.unwrap();
    let worker = Worker::new(db.clone(), now.clone(), WorkerConfig::default());
    while worker.step().await.unwrap() {}
    vec![("moved", moved.to_string()), ("plan", plan.to_string()), ("done", done.to_string())]
}

/// An erasure that is asked for, and one that is done.
async fn erasures(app: &TestApp, account: AccountId) -> Words {
    let (db, now) = (&app.db, &app.now);
    let mut asked = Vec::new();
    // The table says the last digits of the first one's number.
    for n in [7, 8] {
        people::name_contact(db, now, &app.staff.permit().unwrap(), account, &number(n), "Walt zq7hush").await.unwrap();
        let permit = app.staff.permit().unwrap();
        asked.push(erasure::ask(db, now, &keys(), &permit, account, &contact(n), &format!("Request {n}")).await.unwrap());
    }
    erasure::erase(db, now, &keys(), &app.staff.permit().unwrap(), proof(), asked[1], "0128").await.unwrap();
    vec![("erasure", asked[0].to_string()), ("erased", asked[1].to_string())]
}

/// What an account has in the directory, and what takes back an act of the administrator's. All of it is as it was made, at its first
/// version.
async fn directory(app: &TestApp, account: AccountId, line: LineId) -> Words {
    let (db, now) = (&app.db, &app.now);
    let permit = app.staff.permit().unwrap();
    let user = people::add_user(db, now, &permit, account, "Ken zq7hush", "ken.zq7hush@example.com").await.unwrap();
    let contact = people::name_contact(db, now, &permit, account, &number(9), "Olga zq7hush").await.unwrap();
    let responder = people::add_responder(db, now, &permit, line, "hours", "Always").await.unwrap();
    people::edit_responder(db, now, &permit, (line, responder), ("hours", "Always"), "hours", "Never").await.unwrap();
    let undo = undo::offered(db, now, &app.staff, None).await.unwrap().unwrap();
    let handle = accounts::detail(db, &app.staff.permit().unwrap(), account).await.unwrap().tokens.remove(0).handle;
    let connection = ringcentral::of_account(db, now, &app.staff.permit().unwrap(), account).await.unwrap().unwrap();
    vec![
        ("spare_user", user.to_string()),
        ("spare_contact", contact.to_string()),
        ("undo", undo.id.to_string()),
        ("handle", handle),
        ("spare_connection", connection.id.to_string()),
    ]
}

/// A message that waits to be posted, of somebody whom nobody has named; one to no line of ours; a search, drafts, and a blast that waits
/// for a decision. They can be nowhere but on the first line.
async fn messages(app: &TestApp, line: &TestLine, conversation: ConversationId) -> Words {
    let (db, now) = (&app.db, &app.now);
    app.reply(&contact(6), line, "Hello zq7hush, are you there?").await;
    let unnamed = app.conversation(line, &contact(6)).await.id;
    // The table says the number.
    let stray = TestLine { number: "+12025550197".to_owned(), ..line.clone() };
    app.reply(&contact(10), &stray, "Hello zq7hush, who is there?").await;
    let seen = sync::waiting(db, &app.staff.permit().unwrap(), line.id, conversation).await.unwrap().version;
    let found = sync::find(db, now, &keys(), &app.staff.permit().unwrap(), None, &contact(1)).await.unwrap();

    let send = app.staff.permit().unwrap();
    let later = now.at().plus(Duration::from_secs(60 * 60));
    let mut drafts = Vec::new();
    for starts_at in [None, Some(later)] {
        let wanted = Wanted { text: "Your order zq7hush is late".to_owned(), pasted: contact(11), starts_at };
        drafts.push(blast::draft(db, now, &keys(), &send, line.id, &wanted).await.unwrap());
    }
    let waiting = blast::take_draft(db, now, &keys(), &send, proof(), (line.id, drafts[1])).await.unwrap();
    // A paused one starts at no time. It is at its version 1 by that.
    blast::decide_as_staff(db, now, &send, (line.id, waiting), 0, Decision::Pause).await.unwrap();
    vec![
        ("unnamed", unnamed.to_string()),
        ("seen", seen.to_string()),
        ("found", found.to_string()),
        ("draft", drafts[0].to_string()),
        ("waiting", waiting.to_string()),
    ]
}

/// Two wishes of a member that wait for a second person: one that can be agreed to, and one to be taken back.
async fn approvals(app: &TestApp, account: AccountId, asker: &Member) -> Words {
    let (db, admin) = (&app.db, app.staff.id());
    let line = line_of(app, account, "+12025550117", "Agreed zq7hush").await;
    // Nothing waits while nobody else can agree. Only for this moment the administrator could sign in with a password.
    db.work(async |tx| tx.run("update staff_member set password_hash = 'none' where id = $1", [admin]).await).await.unwrap();
    let mut waits = Vec::new();
    for word in ["approval", "wish"] {
        match integration::set_many(db, &app.now, asker, &[(line, 1)], IntegrationType::None, 0, "It is needed.").await.unwrap() {
            Outcome::Waits(id) => waits.push((word, id.to_string())),
            Outcome::Done => panic!("nobody had to agree"),
        }
    }
    db.work(async |tx| tx.run("update staff_member set password_hash = null where id = $1", [admin]).await).await.unwrap();
    waits
}
