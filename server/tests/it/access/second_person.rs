//! What waits for a second person, who may decide, and what comes of it.

use super::matrix::new_role;
use super::*;

on_both_engines![
    nobody_opens_another_administrators_account_alone,
    a_dangerous_role_waits_for_a_second_person,
    nobody_decides_on_their_own_wish,
    nobody_decides_on_what_they_gain,
    a_wish_is_decided_once_and_in_time,
    what_cannot_be_done_any_more_stays_undone_and_open,
    a_role_cannot_be_made_dangerous_behind_the_second_persons_back,
    many_lines_at_once_wait_for_a_second_person,
    who_decides_for_one_account_decides_for_no_other,
    a_role_that_was_agreed_to_is_given_as_it_was_then,
    nobody_makes_themselves_alone_to_get_round_the_second_person,
    the_oldest_of_many_wishes_is_reached_from_home,
];

async fn nobody_opens_another_administrators_account_alone(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let reset = async |by: &Member, of: &Member, note: &str| staff::reset(&app.db, &app.now, by, proof(), of.id(), true, note).await;
    // While they are two, one has to be able to help the other.
    made(reset(&ada, &grace, "").await);
    let third = staff::invite(&app.db, &app.now, &ada, proof(), "third@example.com", "Third", h.role("Administrator").await).await.unwrap();
    staff::accept(&app.db, &app.now, h.passwords(), &third.token, PASSWORD.into(), None).await.unwrap();
    approvals::decide(&app.db, &app.now, &grace, proof(), third.waits.unwrap(), true, "").await.unwrap();
    refused(&reset(&ada, &grace, "").await, 422);
    let Ok(Reset::Waits(id)) = reset(&ada, &grace, "Her phone is lost").await else { panic!("it does not wait") };
    let third = Member::load(&app.db, third.id).await.unwrap().unwrap();
    assert_eq!(approvals::decide(&app.db, &app.now, &third, proof(), id, true, "").await, Ok(()));
    refused(&staff::reset(&app.db, &app.now, &ada, proof(), grace.id(), false, "").await, 422);
    refused(&reset(&third, &grace, "").await, 422);
    made(reset(&ada, &grace, "").await);
    refused(&reset(&ada, &grace, "").await, 422);
    // A consent is good for a day.
    let Ok(Reset::Waits(id)) = reset(&ada, &grace, "And again").await else { panic!("it does not wait") };
    assert_eq!(approvals::decide(&app.db, &app.now, &third, proof(), id, true, "").await, Ok(()));
    app.pass(24 * 60 * 60);
    refused(&reset(&ada, &grace, "").await, 422);
}

fn waits(outcome: Result<Outcome, Problem>) -> ApprovalId {
    match outcome {
        Ok(Outcome::Waits(id)) => id,
        other => panic!("it does not wait: {other:?}"),
    }
}

async fn a_dangerous_role_waits_for_a_second_person(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let admin = h.role("Administrator").await;
    let give = async |note: &str| staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, note).await;
    refused(&give(" ").await, 422);
    let id = waits(give("She takes over").await);
    assert!(again(app, &vera).await.permit::<may::ManageStaff>().is_err(), "nothing is changed until then");
    let inbox = approvals::list(&app.db, &app.now, &grace, true, None, 10).await.unwrap().rows;
    assert_eq!((inbox[0].id, inbox[0].note.as_str()), (id, "She takes over"));
    let to_decide = async |member: &Member| approvals::to_decide(&app.db, &app.now, member).await.unwrap();
    assert_eq!((to_decide(&grace).await, to_decide(&ada).await, to_decide(&vera).await), (1, 0, 0));
    assert_eq!(inbox[0].summary, "Give Somebody the role Administrator");
    assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "Fine").await, Ok(()));
    assert!(again(app, &vera).await.permit::<may::ManageStaff>().is_ok());
    let actions: Vec<(String, String)> =
        app.db.all("select action, actor_name from audit_entry where action in ('approval.approve', 'staff.give_role')", ()).await.unwrap();
    assert!(
        actions.contains(&("approval.approve".into(), "Grace".into())) && actions.iter().any(|(action, _)| action == "staff.give_role")
    );
}

async fn nobody_decides_on_their_own_wish(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let admin = h.role("Administrator").await;
    let id = waits(staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, "Please").await);
    refused(&approvals::decide(&app.db, &app.now, &ada, proof(), id, true, "").await, 403);
    refused(&approvals::decide(&app.db, &app.now, &vera, proof(), id, true, "").await, 403);
    refused(&approvals::withdraw(&app.db, &app.now, &grace, id).await, 404);
    assert_eq!(approvals::withdraw(&app.db, &app.now, &ada, id).await, Ok(()));
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, 409);
}

async fn a_wish_is_decided_once_and_in_time(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let admin = h.role("Administrator").await;
    let ask = async || waits(staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, "Please").await);
    let id = ask().await;
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), id, false, "").await, 422);
    let (agree, decline) = tokio::join!(
        approvals::decide(&app.db, &app.now, &grace, proof(), id, true, ""),
        approvals::decide(&app.db, &app.now, h.admin(), proof(), id, false, "No"),
    );
    assert_eq!([&agree, &decline].into_iter().filter(|answer| answer.is_ok()).count(), 1, "{agree:?} {decline:?}");
    assert_eq!(again(app, &vera).await.permit::<may::ManageStaff>().is_ok(), agree.is_ok());
    if agree.is_ok() {
        staff::take_role(&app.db, &app.now, &grace.permit().unwrap(), proof(), vera.id(), admin).await.unwrap();
    }
    let late = ask().await;
    app.pass(3 * 24 * 60 * 60);
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), late, true, "").await, 409);
    let past = approvals::list(&app.db, &app.now, &grace, false, None, 10).await.unwrap().rows;
    assert!(past.iter().any(|row| row.id == late && row.state == ApprovalState::Expired));
    assert!(approvals::list(&app.db, &app.now, &grace, true, None, 10).await.unwrap().rows.is_empty());
}

async fn what_cannot_be_done_any_more_stays_undone_and_open(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let admin = h.role("Administrator").await;
    let id = waits(staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, "Please").await);
    // Who asked may not do it any more.
    staff::take_role(&app.db, &app.now, &grace.permit().unwrap(), proof(), ada.id(), admin).await.unwrap();
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, 403);
    assert_eq!(approvals::list(&app.db, &app.now, &grace, true, None, 10).await.unwrap().rows.len(), 1, "it is still open");
    assert!(again(app, &vera).await.permit::<may::ManageStaff>().is_err());
    let decided: Vec<(String,)> = app.db.all("select action from audit_entry where action = 'approval.approve'", ()).await.unwrap();
    assert_eq!(decided.len(), 1, "only the one of the second administrator");
    assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), id, false, "Too late").await, Ok(()));
}

async fn a_role_cannot_be_made_dangerous_behind_the_second_persons_back(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let viewer = role(app, &h, "Viewer").await;
    let vera = h.member("vera@example.com", viewer.row.id).await;
    let mut stronger = same(&viewer);
    stronger.permissions.push(Permission::ManageStaff);
    let id = waits(edit(app, &ada, stronger).await);
    assert!(again(app, &vera).await.permit::<may::ManageStaff>().is_err());
    let told = approvals::list(&app.db, &app.now, &grace, true, None, 1).await.unwrap().rows.remove(0).summary;
    assert_eq!(told, "The role Viewer (1 member has it) gains Manage staff", "whoever agrees knows to what");
    // The role changes meanwhile: what was asked for is about another one.
    let renamed = RoleEdit { name: "Reader".into(), ..same(&viewer) };
    assert_eq!(edit(app, &ada, renamed).await, Ok(Outcome::Done));
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, 409);
    // To lift a rule of the second factor is dangerous, too.
    let rule = |permissions: &[Permission]| Edit { roles: Vec::new(), second_factor: Some(permissions.to_vec()) };
    let stricter = rule(&[Permission::SendMessages]);
    assert_eq!(roles::edit(&app.db, &app.now, &ada, proof(), stricter, "").await, Ok(Outcome::Done));
    let id = waits(roles::edit(&app.db, &app.now, &ada, proof(), rule(&[]), "It hinders").await);
    assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, Ok(()));
    assert!(roles::matrix(&app.db, &ada.permit().unwrap()).await.unwrap().second_factor.is_empty());
}

async fn many_lines_at_once_wait_for_a_second_person(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let account = h.account("Own").await;
    let mut chosen: Vec<(LineId, i64)> = Vec::new();
    for n in 0..4 {
        let number = format!("+120255501{n:02}");
        let id = lines::add(&app.db, &app.now, &ada.permit().unwrap(), account, &number, "Desk", NoRoute).await.unwrap();
        let version = integration::preview(&app.db, &ada.permit().unwrap(), id, Inbox).await.unwrap().version;
        chosen.push((id, version));
    }
    let set = async |lines: &[(LineId, i64)], note: &str| integration::set_many(&app.db, &app.now, &ada, lines, Inbox, 3, note).await;
    let types = async || {
        let shown = lines::list(&app.db, &ada.permit().unwrap(), &LineFilter::default(), None, 50).await.unwrap();
        shown.rows.iter().filter(|line| line.integration_type == Inbox).count()
    };
    refused(&set(&[], "").await, 422);
    refused(&set(&chosen, "").await, 422);
    let id = waits(set(&chosen, "The desks move").await);
    let told = approvals::list(&app.db, &app.now, &grace, true, None, 1).await.unwrap().rows.remove(0).summary;
    assert!(told.ends_with("to Inbox: Desk of Own, Desk of Own, Desk of Own, Desk of Own"), "{told}");
    assert_eq!(types().await, 0, "nothing is changed until then");
    assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, Ok(()));
    assert_eq!(types().await, 4);
    refused(&set(&chosen[..2], "").await, 409);
    // Within what one may do alone: all or none.
    let back = |lines: &[(LineId, i64)]| lines.iter().map(|(line, version)| (*line, version + 1)).collect::<Vec<_>>();
    let mut some = back(&chosen[..3]);
    some[2].1 = 0;
    let alone = async |lines: &[(LineId, i64)]| integration::set_many(&app.db, &app.now, &ada, lines, NoRoute, 3, "").await;
    let answer = alone(&some).await;
    assert!(answer.as_ref().is_err_and(|problem| problem.to_string().starts_with("Desk: ")), "{answer:?}");
    assert_eq!(types().await, 4, "all or none");
    assert_eq!(alone(&back(&chosen[..3])).await, Ok(Outcome::Done));
    assert_eq!(types().await, 1);
}

async fn who_decides_for_one_account_decides_for_no_other(app: &TestApp) {
    let h = house(app);
    let (own, other) = (h.account("Own").await, h.account("Other").await);
    let scoped = h.member_of(own).await;
    let ada = administrator(&h, "ada@example.com").await;
    let _grace = second_administrator(app, &h).await;
    let ask = async |account, from: usize| {
        let mut lines_of: Vec<(LineId, i64)> = Vec::new();
        for n in from..from + 2 {
            let number = format!("+120255501{n:02}");
            let id = lines::add(&app.db, &app.now, &ada.permit().unwrap(), account, &number, "Desk", NoRoute).await.unwrap();
            lines_of.push((id, integration::preview(&app.db, &ada.permit().unwrap(), id, Inbox).await.unwrap().version));
        }
        let outcome = integration::set_many(&app.db, &app.now, &ada, &lines_of, Inbox, 1, "They move").await;
        (waits(outcome), lines_of)
    };
    let ((mine, _), (theirs, lines_of)) = (ask(own, 0).await, ask(other, 2).await);
    let inbox = approvals::list(&app.db, &app.now, &scoped, true, None, 10).await.unwrap().rows;
    assert_eq!(inbox.iter().map(|row| row.id).collect::<Vec<_>>(), [mine]);
    refused(&approvals::decide(&app.db, &app.now, &scoped, proof(), theirs, true, "").await, 404);
    assert_eq!(approvals::decide(&app.db, &app.now, &scoped, proof(), mine, true, "").await, Ok(()));
    refused(&integration::set_many(&app.db, &app.now, &scoped, &lines_of, Inbox, 1, "Mine now").await, 404);
}

async fn a_role_that_was_agreed_to_is_given_as_it_was_then(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let desk = roles::add(&app.db, &app.now, &ada.permit().unwrap(), proof(), "Desk").await.unwrap();
    let with = async |permissions: &[Permission]| {
        let now = role(app, &h, "Desk").await;
        edit(app, &ada, RoleEdit { permissions: permissions.to_vec(), ..same(&now) }).await
    };
    assert_eq!(with(&[Permission::Approve]).await, Ok(Outcome::Done), "nobody has it");
    let give = async || staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), desk, "She helps out").await;
    let id = waits(give().await);
    // While it waits, the role grows.
    assert_eq!(with(&[Permission::Approve, Permission::ManageStaff, Permission::ManageRoles]).await, Ok(Outcome::Done));
    refused(&approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, 409);
    assert!(again(app, &vera).await.permit::<may::ManageStaff>().is_err());
    let id = waits(give().await);
    assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), id, true, "").await, Ok(()));
    assert!(again(app, &vera).await.permit::<may::ManageStaff>().is_ok());
    // A harmless role is given and made dangerous at the same moment: one of the two waits.
    let tom = h.member("tom@example.com", h.role("Viewer").await).await;
    let other = roles::add(&app.db, &app.now, &ada.permit().unwrap(), proof(), "Other").await.unwrap();
    let stronger = RoleEdit { permissions: vec![Permission::ManageStaff], ..same(&role(app, &h, "Other").await) };
    let (given, edited) =
        tokio::join!(staff::give_role(&app.db, &app.now, &ada, proof(), tom.id(), other, "He helps out"), edit(app, &ada, stronger),);
    assert!([&given, &edited].into_iter().any(|outcome| matches!(outcome, Ok(Outcome::Waits(_)))), "{given:?} {edited:?}");
    assert!(again(app, &tom).await.permit::<may::ManageStaff>().is_err());
}

async fn nobody_makes_themselves_alone_to_get_round_the_second_person(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let (vera, admin) = (h.member("vera@example.com", h.role("Viewer").await).await, h.role("Administrator").await);
    let give = async |note: &str| staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, note).await;
    staff::disable(&app.db, &app.now, &h.admin().permit().unwrap(), proof(), ada.id()).await.unwrap();
    staff::enable(&app.db, &app.now, h.admin(), proof(), ada.id()).await.unwrap();
    assert!(matches!(give("Somebody is left").await, Ok(Outcome::Waits(_))), "Grace can agree");
    staff::disable(&app.db, &app.now, &ada.permit().unwrap(), proof(), grace.id()).await.unwrap();
    assert!(matches!(give("Quickly").await, Ok(Outcome::Waits(_))), "alone, but only just now");
    app.pass(3 * 24 * 60 * 60);
    assert_eq!(give("").await, Ok(Outcome::Done), "whoever stays alone can go on");
}

async fn the_oldest_of_many_wishes_is_reached_from_home(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let admin = h.role("Administrator").await;
    let mut asked = Vec::new();
    for n in 1..=27 {
        let note = format!("Wish no. {n}");
        asked.push(waits(staff::give_role(&app.db, &app.now, &ada, proof(), vera.id(), admin, &note).await));
        app.pass(1);
    }
    let shown = async |path: &str| app.ask(&grace, reqwest::Method::GET, path, &[]).await.text().await.unwrap();
    let card = |id: ApprovalId| format!("id=\"approval-{id}\"");
    // Home names the oldest, and leads to where it stands first; the newest, too, leads there, which no first page has.
    assert!(shown("/").await.contains(&format!("href=\"/approvals?approval={}\"", asked[0])));
    for id in [asked[0], asked[26]] {
        let page = shown(&format!("/approvals?approval={id}")).await;
        assert_eq!(page.matches(&card(id)).count(), 1);
        assert_eq!(page.find(&card(id)), page.find("id=\"approval-"), "it stands first");
    }
    // What is over first stands first, and all of them are reached.
    let first = approvals::list(&app.db, &app.now, &grace, true, None, 25).await.unwrap();
    let next = first.next.clone().unwrap();
    let second = approvals::list(&app.db, &app.now, &grace, true, Some(&next), 25).await.unwrap();
    assert_eq!(first.rows.iter().chain(&second.rows).map(|row| row.id).collect::<Vec<_>>(), asked);
    let page = shown("/approvals").await;
    assert!(page.contains(&format!("?waiting={}", next.0)), "{page}");
    assert!(shown(&format!("/approvals?waiting={}", next.0)).await.contains(&card(asked[26])));
    // It is found by who may decide and who asked, and by nobody else.
    assert!(approvals::find(&app.db, &app.now, &vera, asked[0]).await.unwrap().is_none());
    assert_eq!(approvals::decide(&app.db, &app.now, &grace, proof(), asked[0], false, "Not today").await, Ok(()));
    assert_eq!(approvals::find(&app.db, &app.now, &ada, asked[0]).await.unwrap().unwrap().state, ApprovalState::Declined);
    let page = shown(&format!("/approvals?approval={}", asked[0])).await;
    assert!(!page.contains(&card(asked[0])) && page.matches(": Not today").count() == 1, "what has become of it is said, and once");
}

async fn nobody_decides_on_what_they_gain(app: &TestApp) {
    let h = house(app);
    let ada = administrator(&h, "ada@example.com").await;
    let grace = second_administrator(app, &h).await;
    let heidi = h.member("heidi@example.com", h.role("Viewer").await).await;
    let checker = new_role(app, &h, "Checker", &[Permission::Approve]).await;
    let decide = async |who: &Member, id: ApprovalId, agrees: bool| {
        approvals::decide(&app.db, &app.now, &again(app, who).await, proof(), id, agrees, "As we said").await
    };
    let give = async |role: RoleId, note: &str| staff::give_role(&app.db, &app.now, &ada, proof(), heidi.id(), role, note).await;
    let stronger = async |name: &str, permission: Permission| {
        let mut stronger = same(&role(app, &h, name).await);
        stronger.permissions.push(permission);
        waits(edit(app, &ada, stronger).await)
    };
    let gains = |answer: Result<(), Problem>| {
        refused(&answer, 403);
        assert_eq!(answer.unwrap_err().to_string(), "You would gain by it: somebody else has to agree.");
    };
    let id = waits(give(checker, "She checks").await);
    assert_eq!(decide(&grace, id, true).await, Ok(()));
    // Her role becomes stronger, a link opens her account, she is given a role: another one agrees, and she may decline.
    let id = stronger("Checker", Permission::ManageStaff).await;
    gains(decide(&heidi, id, true).await);
    assert_eq!(decide(&grace, id, true).await, Ok(()), "who may do it already gains nothing");
    let reset = staff::reset(&app.db, &app.now, &ada, proof(), heidi.id(), false, "Forgotten").await;
    let Ok(Reset::Waits(id)) = reset else { panic!("it does not wait: {reset:?}") };
    gains(decide(&heidi, id, true).await);
    assert_eq!(decide(&heidi, id, false).await, Ok(()));
    let admin = h.role("Administrator").await;
    let id = waits(give(admin, "She takes over").await);
    gains(decide(&heidi, id, true).await);
    assert_eq!(decide(&grace, id, false).await, Ok(()));
    // Nobody else is left: what she alone gains by is done as by somebody alone; what others gain by, too, still waits for her.
    staff::disable(&app.db, &app.now, &ada.permit().unwrap(), proof(), grace.id()).await.unwrap();
    let id = stronger("Checker", Permission::ManageRoles).await;
    refused(&decide(&ada, id, true).await, 403);
    assert_eq!(decide(&heidi, id, true).await, Ok(()));
    assert_eq!(give(admin, "").await, Ok(Outcome::Done));
}
