//! What an entry tells of leads to its page: for who may open it, and to nobody else.

use crate::harness::{TestApp, contact, on_both_engines};
use crate::house::{house, proof};
use crate::sights::role;
use reqwest::Method;
use std::collections::BTreeMap;
use switchyard::directory::{contacts, lines, people, users};
use switchyard::messaging::consent::{self, SetByHand};
use switchyard::staff::{self, Member, Places, roles};
use switchyard::types::IntegrationType::Ringcentral;
use switchyard::types::{
    AccountId, AuditEntry, AuditFilter, AuditSubject, ConsentOf, ContactId, ConversationId, LineId, Permission, PhoneNumber, RoleId, RunId,
    UserId, UtilityKind,
};
use switchyard::utilities;

on_both_engines![
    an_entry_leads_to_what_it_is_about,
    nobody_is_led_to_what_they_may_not_open,
    what_is_gone_is_told_without_a_link,
    a_run_leads_to_its_accounts_within_the_scope,
];

/// Something of each kind, and the entries that tell of it.
struct Told {
    account: AccountId,
    line: LineId,
    user: UserId,
    contact: ContactId,
    conversation: ConversationId,
    run: RunId,
    entries: Vec<AuditEntry>,
}

async fn told(app: &TestApp) -> Told {
    let line = app.line(Ringcentral).await;
    let (db, now) = (&app.db, &app.now);
    let account = lines::get(db, &app.staff.permit().unwrap(), line.id).await.unwrap().line.account_id;
    app.reply(&contact(1), &line, "Hello").await;
    app.work().await;
    app.blast(&line, &[contact(2)], "Sale").await;
    let conversation = app.conversation(&line, &contact(1)).await.id;
    let path = format!("/lines/{}/conversations/{conversation}", line.id);
    assert_eq!(app.ask(&app.staff, Method::GET, &path, &[]).await.status(), 200);
    let number = PhoneNumber::parse(&contact(3)).unwrap();
    people::name_contact(db, now, &app.staff.permit().unwrap(), account, &number, "Grace").await.unwrap();
    let contact = contacts::list(db, &app.staff.permit().unwrap(), account, None, 9).await.unwrap().rows.remove(0);
    let version = contacts::get(db, &app.staff.permit().unwrap(), contact.id).await.unwrap().version;
    contacts::set_closed(db, now, &app.staff.permit().unwrap(), contact.id, version, true).await.unwrap();
    let wish = SetByHand { seen: None, out: true, at: None, reason: "Ticket 4711".to_owned() };
    let whose = ConsentOf::Contact(contact.id);
    consent::set(db, now, &app.staff.permit().unwrap(), line.id, whose, &wish).await.unwrap();
    let user = users::add(db, now, &app.staff.permit().unwrap(), account, "Ada Lovelace", "ada@example.com").await.unwrap();
    let answers = BTreeMap::from([("account".to_owned(), account.to_string())]);
    let run = utilities::plan(db, now, &app.staff, UtilityKind::CloseUsers, &answers, None, 1_000_000).await.unwrap();
    utilities::start(db, now, &app.staff, proof(), run, "1", "").await.unwrap();
    let entries = staff::search(db, &app.staff.permit().unwrap(), &AuditFilter::default(), None, 200).await.unwrap().rows;
    Told { account, line: line.id, user, contact: contact.id, conversation, run, entries }
}

impl Told {
    /// What the entry of this action is about.
    fn of<'a>(&self, places: &'a Places, action: &str) -> Option<&'a AuditSubject> {
        let entry = self.entries.iter().find(|entry| entry.row.action == action).unwrap_or_else(|| panic!("{action} is in the audit"));
        places.subjects.get(&entry.subject.unwrap())
    }
}

async fn places(app: &TestApp, member: &Member, entries: &[AuditEntry]) -> Places {
    staff::places(&app.db, member, entries).await.unwrap()
}

async fn an_entry_leads_to_what_it_is_about(app: &TestApp) {
    let told = told(app).await;
    let found = places(app, &app.staff, &told.entries).await;
    assert!(found.accounts.contains(&told.account) && found.lines.contains(&told.line));
    assert_eq!(told.of(&found, "user.add"), Some(&AuditSubject::User(told.user, "Ada Lovelace".to_owned())));
    assert_eq!(told.of(&found, "contact.close"), Some(&AuditSubject::Contact(told.contact)));
    assert_eq!(told.of(&found, "consent.set"), Some(&AuditSubject::Contact(told.contact)), "as it was come to");
    assert_eq!(told.of(&found, "conversation.see"), Some(&AuditSubject::Conversation(told.line, told.conversation)));
    assert_eq!(told.of(&found, "utility.start"), Some(&AuditSubject::Run(told.run)));
    assert!(matches!(told.of(&found, "blast.take"), Some(AuditSubject::Blast(line, _)) if *line == told.line));
    assert!(matches!(told.of(&found, "account.connect"), Some(AuditSubject::Connection(_))));
    // The page has them as links, each to a page that there is.
    let page = app.ask(&app.staff, Method::GET, "/audit", &[]).await.text().await.unwrap();
    for path in [
        format!("/accounts/{}", told.account),
        format!("/audit?account={}", told.account),
        format!("/lines/{}", told.line),
        format!("/users/{}", told.user),
        format!("/contacts/{}", told.contact),
        format!("/utilities/runs/{}", told.run),
    ] {
        assert!(page.contains(&format!("href=\"{path}\"")), "{path} is linked");
        assert_eq!(app.ask(&app.staff, Method::GET, &path, &[]).await.status(), 200, "{path}");
    }
    assert!(!page.contains("Grace"), "a contact's name is personal data");
}

async fn nobody_is_led_to_what_they_may_not_open(app: &TestApp) {
    let told = told(app).await;
    let h = house(app);
    // Of another account: even given the entries, nothing of them leads anywhere.
    let own = h.account("Elsewhere").await;
    let member = h.member_of(own).await;
    let found = places(app, &member, &told.entries).await;
    assert_eq!(found, Places::default());
    // Of this account: all of it.
    let here = role(app, "Here", &[Permission::SeeAudit, Permission::SeeDirectory, Permission::SeeMessages], Some(&[told.account])).await;
    let here = h.member("here@example.com", here).await;
    let found = places(app, &here, &told.entries).await;
    assert_eq!(told.of(&found, "user.add"), Some(&AuditSubject::User(told.user, "Ada Lovelace".to_owned())));
    assert_eq!(told.of(&found, "utility.start"), None, "without the permission to see runs");
    // Who may see the audit and nothing else reads it all, and is led nowhere.
    let auditor = role(app, "Auditor", &[Permission::SeeAudit], None).await;
    let auditor = h.member("auditor@example.com", auditor).await;
    assert_eq!(places(app, &auditor, &told.entries).await, Places::default());
    let page = app.ask(&auditor, Method::GET, "/audit", &[]).await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("Front desk") && !page.contains(&format!("href=\"/lines/{}\"", told.line)), "named, and not linked");
    assert!(!page.contains(&format!("href=\"/users/{}\"", told.user)));
}

async fn what_is_gone_is_told_without_a_link(app: &TestApp) {
    let permit = || app.staff.permit().unwrap();
    let gone: RoleId = roles::add(&app.db, &app.now, &permit(), proof(), "Night shift").await.unwrap();
    let kept: RoleId = roles::add(&app.db, &app.now, &permit(), proof(), "Day shift").await.unwrap();
    roles::remove(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), gone).await.unwrap();
    let added = AuditFilter { action: Some("role.add".to_owned()), ..AuditFilter::default() };
    let entries = staff::search(&app.db, &app.staff.permit().unwrap(), &added, None, 9).await.unwrap().rows;
    let found = places(app, &app.staff, &entries).await;
    assert_eq!(found.subjects.get(&kept.0), Some(&AuditSubject::Role(kept, "Day shift".to_owned())));
    assert_eq!(found.subjects.get(&gone.0), None);
    let page = app.ask(&app.staff, Method::GET, "/audit", &[]).await.text().await.unwrap();
    assert!(page.contains("Removed the role Night shift") && !page.contains(&format!("href=\"/roles/{gone}\"")));
    // Nothing is asked for when nothing is told of.
    assert_eq!(places(app, &app.staff, &[]).await, Places::default());
}

async fn a_run_leads_to_its_accounts_within_the_scope(app: &TestApp) {
    let told = told(app).await;
    let h = house(app);
    let seen = async |member: &Member| utilities::get(&app.db, &app.now, member, told.run).await.unwrap().accounts;
    assert_eq!(seen(&app.staff).await, [(told.account, "Account 0".to_owned())]);
    let runs = role(app, "Runs alone", &[Permission::SeeRuns], None).await;
    let runs = h.member("runs@example.com", runs).await;
    assert_eq!(seen(&runs).await, [], "without the permission to see accounts");
    // To another account: each is named to who may open it.
    let target = h.account("Target").await;
    let moving = crate::doors::planned(app, told.line, target).await;
    let both = utilities::get(&app.db, &app.now, &app.staff, moving).await.unwrap().accounts;
    assert_eq!(both, [(told.account, "Account 0".to_owned()), (target, "Target".to_owned())]);
}
