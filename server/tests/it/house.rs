//! The house: members, permits and their scope, sessions, audit, lines and their type.

use crate::harness::{TestApp, keys, on_both_engines};
use switchyard::clock::Now;
use switchyard::db::Db;
use switchyard::directory::{accounts, integration, lines, people};
use switchyard::messaging::{blast, unknown};
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::{self, Member, Origin, Passwords, Proof, SessionRows, Step, may};
use switchyard::sync;
use switchyard::types::{
    AccountId, ConversationId, IntegrationType, LineFilter, LineId, MessageId, PhoneNumber, Problem, RoleId, SyncFilter, TimelineFilter,
};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};

/// Who asks has shown lately who they are.
pub fn proof() -> Proof {
    Proof::at_the_shell()
}

pub const PASSWORD: &str = "a long enough password";

/// The house, and what a test builds in it.
pub struct House {
    db: Db,
    now: Now,
    passwords: Passwords,
    admin: Member,
}

pub fn house(app: &TestApp) -> House {
    let passwords = Passwords::new(app.now.rng.clone()).unwrap();
    House { db: app.db.clone(), now: app.now.clone(), passwords, admin: app.staff.clone() }
}

impl House {
    pub fn admin(&self) -> &Member {
        &self.admin
    }

    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    pub async fn account(&self, name: &str) -> AccountId {
        accounts::add(&self.db, &self.now, &self.admin.permit().unwrap(), name, true, true).await.unwrap()
    }

    async fn line(&self, account: AccountId, number: &str, kind: IntegrationType) -> LineId {
        lines::add(&self.db, &self.now, &self.admin.permit().unwrap(), account, number, "Front desk", kind).await.unwrap()
    }

    async fn connect(&self, account: AccountId) {
        let text = || "sandbox-demo-x".to_owned();
        let new = NewConnection {
            base_url: "http://127.0.0.1:9".into(),
            client_id: text(),
            client_secret: text(),
            jwt: text(),
            posts_per_minute: Some(40),
            posts_per_day: Some(2_500),
        };
        ringcentral::connect(&self.db, &self.now, &keys(), &self.admin.permit().unwrap(), Proof::at_the_shell(), account, new)
            .await
            .unwrap();
    }

    pub async fn role(&self, name: &str) -> RoleId {
        staff::roles::list(&self.db).await.unwrap().into_iter().find(|r| r.name == name).unwrap().id
    }

    pub async fn member(&self, email: &str, role: RoleId) -> Member {
        let invited = staff::invite(&self.db, &self.now, &self.admin, proof(), email, "Somebody", role).await.unwrap();
        let Step::In(id) = staff::accept(&self.db, &self.now, &self.passwords, &invited.token, PASSWORD.into(), None).await.unwrap() else {
            panic!("nobody has a second factor yet");
        };
        Member::load(&self.db, id).await.unwrap().unwrap()
    }

    /// A member with every permission, but on one account only.
    pub async fn member_of(&self, account: AccountId) -> Member {
        let role = RoleId(self.now.id());
        let now = self.now.at();
        self.db
            .work(async |tx| {
                tx.run("insert into role (id, name, everywhere, created_at) values ($1, 'One account', false, $2)", (role, now)).await?;
                tx.run(
                    "insert into role_permission (role_id, permission)
                     select $1, p.permission from role_permission p join role r on r.id = p.role_id where r.name = 'Administrator'",
                    [role],
                )
                .await?;
                tx.run("insert into role_account (role_id, account_id) values ($1, $2)", (role, account)).await
            })
            .await
            .unwrap();
        self.member("scoped@example.com", role).await
    }
}

fn is_hidden<T: std::fmt::Debug>(answer: Result<T, Problem>) {
    match answer {
        Err(Problem::NotFound { .. } | Problem::Forbidden { .. }) => {}
        other => panic!("another account's row was reached: {other:?}"),
    }
}

on_both_engines!(
    an_invitation_works_once_and_for_a_day,
    only_the_right_password_signs_in_and_many_wrong_ones_must_wait,
    a_request_in_flight_cannot_revive_a_revoked_session,
    a_role_gives_its_permissions_and_no_others,
    no_verb_reaches_another_accounts_rows,
    two_staff_editing_one_line_the_second_is_told,
    ringcentral_needs_a_connection,
    lines_are_found_by_number_label_and_account_and_paged_by_key,
    the_demo_fills_an_empty_database_once,
);
async fn an_invitation_works_once_and_for_a_day(app: &TestApp) {
    let h = house(app);
    let role = h.role("Viewer").await;
    let first = staff::invite(&h.db, &h.now, &h.admin, proof(), "vera@example.com", "Vera", role).await.unwrap();
    assert_eq!(staff::peek(&h.db, &h.now, &first.token, None).await, Ok("vera@example.com".to_owned()));
    assert!(matches!(staff::accept(&h.db, &h.now, &h.passwords, &first.token, "short".into(), None).await, Err(Problem::Invalid { .. })));
    staff::accept(&h.db, &h.now, &h.passwords, &first.token, PASSWORD.into(), None).await.unwrap();
    assert!(matches!(staff::accept(&h.db, &h.now, &h.passwords, &first.token, PASSWORD.into(), None).await, Err(Problem::NotFound { .. })));
    let late = staff::invite(&h.db, &h.now, &h.admin, proof(), "late@example.com", "Late", role).await.unwrap();
    h.now.clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    assert!(matches!(staff::peek(&h.db, &h.now, &late.token, None).await, Err(Problem::NotFound { .. })));
    let again = staff::invite(&h.db, &h.now, &h.admin, proof(), "Vera@Example.com", "Again", role).await;
    assert_eq!(again.unwrap_err().field(), Some("email"));
}

async fn only_the_right_password_signs_in_and_many_wrong_ones_must_wait(app: &TestApp) {
    let h = house(app);
    let sign_in = async |email: &'static str, password: &str, address: &'static str| {
        staff::sign_in(&h.db, &h.now, &h.passwords, email, password.to_owned(), Origin { address, device: None }).await
    };
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    assert_eq!(sign_in(" VERA@example.com ", PASSWORD, "a").await, Ok(Step::In(vera.id())));
    let stranger = sign_in("nobody@example.com", PASSWORD, "a").await;
    let wrong = sign_in("vera@example.com", "not this one, surely", "a").await;
    assert_eq!(stranger, wrong, "a stranger and a wrong password get the same words");
    for _ in 0..9 {
        assert!(matches!(sign_in("vera@example.com", "not this one, surely", "a").await, Err(Problem::Forbidden { .. })));
    }
    assert!(matches!(sign_in("vera@example.com", PASSWORD, "a").await, Err(Problem::TooMany { .. })));
    assert_eq!(
        sign_in("vera@example.com", PASSWORD, "b").await,
        Ok(Step::In(vera.id())),
        "a stranger's failures keep nobody out elsewhere"
    );
    h.now.clock.advance(std::time::Duration::from_secs(16 * 60));
    assert_eq!(sign_in("vera@example.com", PASSWORD, "a").await, Ok(Step::In(vera.id())), "nobody is locked out for good");
}

async fn a_request_in_flight_cannot_revive_a_revoked_session(app: &TestApp) {
    let h = house(app);
    let member = h.member("vera@example.com", h.role("Viewer").await).await;
    let sessions = SessionRows::new(h.db.clone(), h.now.clock.clone());
    let mut record = Record {
        id: Id::default(),
        data: [
            ("staff".to_owned(), serde_json::to_value(member.id()).unwrap()),
            (staff::BEGUN.to_owned(), serde_json::to_value(h.now.at()).unwrap()),
        ]
        .into(),
        expiry_date: time::OffsetDateTime::from_unix_timestamp(1_795_300_000).unwrap(),
    };
    sessions.create(&mut record).await.unwrap();
    assert!(sessions.load(&record.id).await.unwrap().is_some());
    let in_flight = sessions.load(&record.id).await.unwrap().unwrap();
    staff::disable(&h.db, &h.now, &h.admin.permit().unwrap(), proof(), member.id()).await.unwrap();
    sessions.save(&in_flight).await.expect("a save that finds nothing is no error");
    assert!(sessions.load(&record.id).await.unwrap().is_none(), "the session stays revoked");
    assert!(Member::load(&h.db, member.id()).await.unwrap().is_none(), "a disabled member has no authority");
    assert!(matches!(
        staff::sign_in(&h.db, &h.now, &h.passwords, "vera@example.com", PASSWORD.into(), Origin { address: "a", device: None }).await,
        Err(Problem::Forbidden { .. })
    ));
}

async fn a_role_gives_its_permissions_and_no_others(app: &TestApp) {
    let h = house(app);
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    let support = h.member("sam@example.com", h.role("Support").await).await;
    assert!(viewer.permit::<may::SeeDirectory>().is_ok());
    assert!(matches!(viewer.permit::<may::SetIntegrationType>(), Err(Problem::Forbidden { .. })));
    assert!(matches!(viewer.permit::<may::SendMessages>(), Err(Problem::Forbidden { .. })));
    assert!(support.permit::<may::SetIntegrationType>().is_ok());
    assert!(matches!(support.permit::<may::ManageStaff>(), Err(Problem::Forbidden { .. })));
    assert!(matches!(support.permit::<may::SeeStaff>(), Err(Problem::Forbidden { .. })));
}

async fn no_verb_reaches_another_accounts_rows(app: &TestApp) {
    let h = house(app);
    let own = h.account("Own").await;
    let other = h.account("Other").await;
    h.connect(other).await;
    let own_line = h.line(own, "+12025550101", IntegrationType::None).await;
    let line = h.line(other, "+12025550102", IntegrationType::Ringcentral).await;
    let user = people::add_user(&h.db, &h.now, &h.admin.permit().unwrap(), other, "Grace", "grace@example.com").await.unwrap();
    let m = h.member_of(own).await;
    let (db, now) = (&h.db, &h.now);
    let (see, read) = (m.permit::<may::SeeDirectory>().unwrap(), m.permit::<may::SeeMessages>().unwrap());
    let manage = m.permit::<may::ManageDirectory>().unwrap();
    let set_type = m.permit::<may::SetIntegrationType>().unwrap();
    let (send, mend) = (m.permit::<may::SendMessages>().unwrap(), m.permit::<may::ManageSync>().unwrap());
    let (conversation, message) = (ConversationId(now.id()), MessageId(now.id()));
    let contact = PhoneNumber::parse("+12025550150").unwrap();

    let shown = lines::list(db, &see, &LineFilter::default(), None, 50).await.unwrap();
    assert_eq!(shown.rows.iter().map(|l| l.id).collect::<Vec<_>>(), [own_line]);
    let shown = accounts::list(db, &see, "", None, 50).await.unwrap();
    assert_eq!(shown.rows.iter().map(|a| a.id).collect::<Vec<_>>(), [own]);
    assert!(lines::get(db, &see, own_line).await.is_ok());
    assert!(staff::line_history(db, &see, line, None, 50).await.unwrap().rows.is_empty());
    assert!(!staff::line_history(db, &see, own_line, None, 50).await.unwrap().rows.is_empty());
    assert!(sync::list(db, &read, &SyncFilter { line: Some(line), ..SyncFilter::default() }, None, 50).await.unwrap().rows.is_empty());
    assert!(sync::conversations_of_line(db, &read, line, None, 50).await.unwrap().rows.is_empty());
    assert!(sync::timeline(db, &read, (line, conversation), &TimelineFilter::default(), None, 50).await.unwrap().rows.is_empty());
    assert_eq!(unknown::count(db, &read).await.unwrap(), None);

    is_hidden(unknown::list(db, &read, None, None, 50).await);
    is_hidden(lines::get(db, &see, line).await);
    is_hidden(sync::find_conversation(db, &read, line, conversation).await);
    is_hidden(integration::preview(db, &set_type, line, IntegrationType::None).await);
    is_hidden(integration::set(db, now, &set_type, line, IntegrationType::None, 1).await);
    is_hidden(lines::add(db, now, &manage, other, "+12025550103", "Mine?", IntegrationType::None).await);
    is_hidden(people::add_user(db, now, &manage, other, "Eve", "eve@example.com").await);
    is_hidden(people::set_access(db, now, &manage, line, user, true).await);
    is_hidden(people::set_access(db, now, &manage, own_line, user, true).await);
    is_hidden(people::add_responder(db, now, &manage, line, "hours", "Never").await);
    let responder = switchyard::types::ResponderId(now.id());
    is_hidden(people::remove_responder(db, now, &manage, (line, responder), ("hours", "Never")).await);
    is_hidden(people::name_contact(db, now, &manage, other, &contact, "Eve").await);
    is_hidden(accounts::add(db, now, &manage, "Third", true, true).await);
    is_hidden(accounts::add_api_token(db, now, &manage, proof(), other, "mine").await);
    is_hidden(blast::take_as_staff(db, now, &send, line, "Hello", std::slice::from_ref(&contact)).await);
    is_hidden(sync::retry_now(db, now, &mend, line, conversation).await);
    is_hidden(sync::skip(db, now, &mend, line, message).await);
    is_hidden(sync::skip_held(db, now, &mend, line, conversation, 0).await);
    is_hidden(sync::restore(db, now, &mend, line, message).await);
    is_hidden(staff::invite(db, now, &m, proof(), "eve@example.com", "Eve", h.role("Administrator").await).await);
    assert!(m.permit::<may::ManageStaff>().is_err(), "staff are nobody's account");
}

async fn two_staff_editing_one_line_the_second_is_told(app: &TestApp) {
    let h = house(app);
    let account = h.account("Own").await;
    let line = h.line(account, "+12025550101", IntegrationType::None).await;
    let permit = h.admin.permit::<may::SetIntegrationType>().unwrap();
    let first = integration::preview(&h.db, &permit, line, IntegrationType::Inbox).await.unwrap();
    let second = integration::preview(&h.db, &permit, line, IntegrationType::Inbox).await.unwrap();
    integration::set(&h.db, &h.now, &permit, line, IntegrationType::Inbox, first.version).await.unwrap();
    assert!(matches!(
        integration::set(&h.db, &h.now, &permit, line, IntegrationType::Inbox, second.version).await,
        Err(Problem::Conflict { .. })
    ));
    let history = staff::line_history(&h.db, &h.admin.permit().unwrap(), line, None, 50).await.unwrap();
    let changes: Vec<_> = history.rows.iter().filter(|e| e.action == "line.integration_type").collect();
    assert_eq!(changes.len(), 1, "the refused change left no entry");
    assert_eq!(changes[0].before.as_deref(), Some("{\"integration_type\":\"none\"}"));
    assert_eq!(changes[0].actor, "Ada Byron");
}

async fn ringcentral_needs_a_connection(app: &TestApp) {
    let h = house(app);
    let account = h.account("Own").await;
    let line = h.line(account, "+12025550101", IntegrationType::None).await;
    let permit = h.admin.permit::<may::SetIntegrationType>().unwrap();
    let preview = integration::preview(&h.db, &permit, line, IntegrationType::Ringcentral).await.unwrap();
    assert!(preview.obstacle.is_some());
    assert!(matches!(
        integration::set(&h.db, &h.now, &permit, line, IntegrationType::Ringcentral, preview.version).await,
        Err(Problem::Invalid { .. })
    ));
    let unchanged = lines::get(&h.db, &h.admin.permit().unwrap(), line).await.unwrap();
    assert_eq!((unchanged.version, unchanged.line.integration_type), (preview.version, IntegrationType::None), "nothing half done");
    h.connect(account).await;
    integration::set(&h.db, &h.now, &permit, line, IntegrationType::Ringcentral, preview.version).await.unwrap();
}

async fn lines_are_found_by_number_label_and_account_and_paged_by_key(app: &TestApp) {
    let h = house(app);
    let account = h.account("Lakeside Dental").await;
    for n in 0..25 {
        h.line(account, &format!("+120255501{n:02}"), if n % 2 == 0 { IntegrationType::None } else { IntegrationType::Inbox }).await;
    }
    let see = h.admin.permit().unwrap();
    let find = async |search: &str| {
        let filter = LineFilter { search: search.to_owned(), ..LineFilter::default() };
        lines::list(&h.db, &see, &filter, None, 100).await.unwrap().rows.len()
    };
    assert_eq!(find("lakeside").await, 25);
    assert_eq!(find("FRONT").await, 25);
    assert_eq!(find("(202) 555-0107").await, 1);
    assert_eq!(find("%").await, 25, "signs of the pattern language are not interpreted");
    assert_eq!(find("nobody").await, 0);
    let filter = LineFilter { integration_type: Some(IntegrationType::Inbox), ..LineFilter::default() };
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = lines::list(&h.db, &see, &filter, cursor.as_ref(), 5).await.unwrap();
        seen.extend(page.rows.iter().map(|l| l.number.expose().to_owned()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 12);
    assert!(seen.is_sorted());
}

async fn the_demo_fills_an_empty_database_once(app: &TestApp) {
    let fill = async || server::demo::fill(&app.db, &app.now, &keys(), &app.sandbox_url).await.unwrap();
    let standing = async || {
        let counts = "select (select count(*) from account), (select count(*) from line), (select count(*) from message),
                        (select count(*) from connection), (select count(*) from contact), (select count(*) from blast)";
        app.db.one::<(i64, i64, i64, i64, i64, i64)>(counts, ()).await.unwrap()
    };
    fill().await;
    let filled = standing().await;
    let (accounts, lines, messages, connections, contacts, blasts) = filled;
    assert_eq!((accounts, lines, connections, blasts), (3, 12, 3, 1));
    assert!(messages >= 2_000 && contacts > 0, "{filled:?}");
    let types: Vec<(String, i64)> =
        app.db.all("select integration_type, count(*) from line group by integration_type order by integration_type", ()).await.unwrap();
    assert_eq!(types.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["inbox", "none", "ringcentral"], "{types:?}");
    fill().await;
    assert_eq!(standing().await, filled, "once");
}
