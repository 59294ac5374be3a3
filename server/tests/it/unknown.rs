//! Messages to unknown lines: kept whole, found by the number that was texted, and over once the number is a line. A number that is set
//! aside nags nobody, and what comes in for it is kept.

use crate::harness::{SECRET, TestApp, contact, on_both_engines};
use crate::house::house;
use crate::verdict::received;
use reqwest::Method;
use serde_json::{Value, json};
use switchyard::directory::lines;
use switchyard::home;
use switchyard::messaging::unknown;
use switchyard::staff::{self, may};
use switchyard::types::IntegrationType::{self, Ringcentral};
use switchyard::types::{AccountId, AsideNumber, AuditFilter, LineFilter, LineId, PhoneNumber, Problem, Timestamp, UnknownRow, Written};
use switchyard::undo;

on_both_engines![
    what_came_in_for_no_line_is_kept_whole,
    they_are_read_newest_first_and_by_the_number_that_was_texted,
    once_the_number_is_a_line_its_messages_flow,
    a_stop_of_before_the_number_was_a_line_counts_once_it_is_one,
    of_a_number_that_is_set_aside_nobody_is_told_until_it_is_brought_back,
    a_number_that_many_text_hides_no_other_once_it_is_set_aside,
    only_who_manages_all_accounts_sets_a_number_aside,
    only_what_was_texted_and_is_no_line_is_set_aside,
    setting_a_number_aside_and_bringing_it_back_are_taken_back,
];

const UNKNOWN: &str = "+12025550199";

async fn came_in(app: &TestApp, id: usize, to: &[&str], more: Value) -> Value {
    let mut body = json!({ "id": id.to_string(), "from": contact(1), "to": to, "text": format!("Text {id}") });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = app.webhook("messages", SECRET, &body).await;
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["result"].clone()
}

async fn shown(app: &TestApp, to: Option<&str>) -> Vec<UnknownRow> {
    let to = to.map(|to| PhoneNumber::parse(to).unwrap());
    unknown::list(&app.db, &app.staff.permit().unwrap(), to.as_ref(), None, 50).await.unwrap().rows
}

async fn what_came_in_for_no_line_is_kept_whole(app: &TestApp) {
    let other = contact(2);
    let more = json!({ "media": [{ "url": "https://media.test/1", "content_type": "image/png" }], "sent_at": "2026-11-21T05:20:11Z" });
    for _ in 0..2 {
        assert_eq!(came_in(app, 1, &[UNKNOWN, &other], more.clone()).await, "unknown_line");
    }
    let [row] = shown(app, None).await.try_into().expect("it stands there once");
    assert_eq!((row.to.expose(), row.from.whole().unwrap().expose()), (UNKNOWN, contact(1).as_str()));
    let Written::Whole { body, media, others } = &row.written else { panic!("{row:?}") };
    assert_eq!(body, "Text 1");
    assert_eq!(others.iter().map(PhoneNumber::expose).collect::<Vec<_>>(), [other]);
    assert_eq!(
        media.iter().map(|m| (m.url.as_str(), m.content_type.as_str())).collect::<Vec<_>>(),
        [("https://media.test/1", "image/png")]
    );
    assert_eq!(row.sent_at, Timestamp::from_rfc3339("2026-11-21T05:20:11Z"));
    assert_eq!((row.received_at, row.line), (app.now.at(), None));
}

async fn they_are_read_newest_first_and_by_the_number_that_was_texted(app: &TestApp) {
    for id in 0..7 {
        app.pass(1);
        came_in(app, id, &[if id % 2 == 0 { UNKNOWN } else { "78787" }], json!({})).await;
    }
    let (permit, mut seen, mut after) = (app.staff.permit().unwrap(), Vec::new(), None);
    loop {
        let page = unknown::list(&app.db, &permit, None, after.as_ref(), 3).await.unwrap();
        assert!(page.rows.len() <= 3);
        seen.extend(page.rows.into_iter().map(|row| row.written.body().unwrap().to_owned()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["Text 6", "Text 5", "Text 4", "Text 3", "Text 2", "Text 1", "Text 0"]);
    assert_eq!(shown(app, Some("78787")).await.len(), 3);
    assert_eq!(shown(app, Some("+1 (202) 555-0199")).await.len(), 4);
    assert!(shown(app, Some(&contact(1))).await.is_empty(), "a contact's number is no line's");
    assert_eq!(unknown::count(&app.db, &permit).await.unwrap(), Some(7));
}

async fn account_of(app: &TestApp, line: LineId) -> AccountId {
    let all = lines::list(&app.db, &app.staff.permit().unwrap(), &LineFilter::default(), None, 50).await.unwrap().rows;
    all.into_iter().find(|found| found.id == line).unwrap().account_id
}

async fn once_the_number_is_a_line_its_messages_flow(app: &TestApp) {
    let neighbour = app.line(Ringcentral).await;
    came_in(app, 1, &[UNKNOWN], json!({})).await;
    let account = account_of(app, neighbour.id).await;
    let permit = app.staff.permit().unwrap();
    let line = lines::add(&app.db, &app.now, &permit, account, UNKNOWN, "Recalls", IntegrationType::Inbox).await.unwrap();
    assert_eq!(shown(app, None).await[0].line, Some(line));
    assert_eq!(unknown::count(&app.db, &app.staff.permit().unwrap()).await.unwrap(), Some(0), "nothing is left to do");
    assert_eq!(came_in(app, 2, &[UNKNOWN], json!({})).await, "recorded");
    assert_eq!(shown(app, None).await.len(), 1);
}

async fn a_stop_of_before_the_number_was_a_line_counts_once_it_is_one(app: &TestApp) {
    let neighbour = app.line(Ringcentral).await;
    let wrote = ["STOP", "Stop.", "START", "Yes", "Where are you?"];
    let mut at = Vec::new();
    for (id, (n, text)) in [1, 2, 2, 3, 4].into_iter().zip(wrote).enumerate() {
        app.pass(60);
        at.push(app.now.at());
        came_in(app, id, &[UNKNOWN], json!({ "from": contact(n), "text": text })).await;
    }
    app.pass(24 * 60 * 60);
    let (account, permit) = (account_of(app, neighbour.id).await, app.staff.permit().unwrap());
    let line = lines::add(&app.db, &app.now, &permit, account, UNKNOWN, "Recalls", IntegrationType::Inbox).await.unwrap();
    let stands: Vec<(String, String, Timestamp)> =
        app.db.all("select number, state, at from consent where line_id = $1 order by number", [line]).await.unwrap();
    let expected = [(contact(1), "opted_out".to_owned(), at[0]), (contact(2), "opted_in".to_owned(), at[2])];
    assert_eq!(stands, expected, "from when they wrote it");
    let (said,): (i64,) = app.db.one("select count(*) from consent_event where line_id = $1", [line]).await.unwrap();
    assert_eq!(said, 3);
    for (n, status) in [(1, 409), (2, 201), (3, 201), (4, 201)] {
        let body = json!({ "line": UNKNOWN, "to": contact(n), "text": "Psst" });
        assert_eq!(app.post(&neighbour, "messages", &body).await.status(), status, "contact {n}");
    }
    app.work().await;
    assert!(received(&app.sandbox.journal(0), &contact(1)).is_empty(), "it is not answered any more");
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

async fn set_aside(app: &TestApp, text: &str, reason: &str) -> Result<(), Problem> {
    unknown::set_aside(&app.db, &app.now, &app.staff.permit().unwrap(), &number(text), reason).await
}

async fn bring_back(app: &TestApp, text: &str) -> Result<(), Problem> {
    unknown::bring_back(&app.db, &app.now, &app.staff.permit().unwrap(), &number(text)).await
}

async fn aside(app: &TestApp) -> Vec<AsideNumber> {
    unknown::list_aside(&app.db, &app.staff.permit().unwrap(), None, None, 50).await.unwrap().rows
}

/// How many messages are counted, and the numbers that Home names.
async fn told(app: &TestApp) -> (i64, Vec<String>) {
    let count = unknown::count(&app.db, &app.staff.permit().unwrap()).await.unwrap().unwrap();
    let needs = home::needs(&app.db, &app.now, &app.staff).await.unwrap().unknown.unwrap();
    (count, needs.oldest.iter().map(|one| one.number.expose().to_owned()).collect())
}

async fn of_a_number_that_is_set_aside_nobody_is_told_until_it_is_brought_back(app: &TestApp) {
    came_in(app, 1, &[UNKNOWN], json!({})).await;
    app.pass(1);
    came_in(app, 2, &["78787"], json!({})).await;
    for reason in ["", "  ", "one\ntwo", &"x".repeat(201)] {
        let answer = set_aside(app, UNKNOWN, reason).await;
        assert!(matches!(&answer, Err(problem) if problem.field() == Some("reason")), "{reason:?}: {answer:?}");
    }
    assert_eq!(told(app).await, (2, vec![UNKNOWN.to_owned(), "78787".to_owned()]));

    app.pass(60);
    let set_at = app.now.at();
    set_aside(app, UNKNOWN, " A misprint on a flyer ").await.unwrap();
    assert_eq!(told(app).await, (1, vec!["78787".to_owned()]));
    assert_eq!(shown(app, None).await.iter().map(|row| row.to.expose()).collect::<Vec<_>>(), ["78787"]);
    // What comes in is kept as before, and whoever asks for the number reads it.
    app.pass(60);
    assert_eq!(came_in(app, 3, &[UNKNOWN], json!({})).await, "unknown_line");
    assert_eq!(told(app).await, (1, vec!["78787".to_owned()]));
    assert_eq!(shown(app, Some(UNKNOWN)).await.len(), 2);
    let [found] = aside(app).await.try_into().expect("one is set aside");
    let by = app.staff.actor().name().to_owned();
    assert_eq!((found.number.expose(), found.aside.reason.as_str(), found.aside.by), (UNKNOWN, "A misprint on a flyer", by));
    assert_eq!((found.aside.at, found.texted_at), (set_at, Some(app.now.at())));
    assert!(matches!(set_aside(app, UNKNOWN, "Again").await, Err(Problem::Conflict { .. })), "the second is told");
    for path in ["/sync/unknown?show=aside", "/sync/unknown?q=%2B12025550199"] {
        let page = app.ask(&app.staff, Method::GET, path, &[]).await.text().await.unwrap();
        assert!(page.contains("A misprint on a flyer") && page.contains("Bring back"), "{path}: {page}");
    }

    bring_back(app, UNKNOWN).await.unwrap();
    assert_eq!(told(app).await, (3, vec![UNKNOWN.to_owned(), "78787".to_owned()]));
    assert_eq!(shown(app, None).await.len(), 3);
    assert!(aside(app).await.is_empty());
    assert!(matches!(bring_back(app, UNKNOWN).await, Err(Problem::Conflict { .. })), "the second is told");
    for (action, before, after) in [("unknown.set_aside", false, true), ("unknown.bring_back", true, false)] {
        let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
        let [entry] = staff::search(&app.db, &app.staff.permit().unwrap(), &filter, None, 50).await.unwrap().rows.try_into().unwrap();
        let says = |value: Option<&str>| value.is_some_and(|value| value.contains("flyer") && value.contains(UNKNOWN));
        let said = (entry.staff, says(entry.row.before.as_deref()), says(entry.row.after.as_deref()));
        assert_eq!(said, (Some(app.staff.id()), before, after));
    }
}

async fn a_number_that_many_text_hides_no_other_once_it_is_set_aside(app: &TestApp) {
    came_in(app, 1, &["78787"], json!({})).await;
    app.pass(1);
    let flood: Vec<_> = (0..unknown::COUNTED).map(|n| (app.now.id(), format!("flood-{n}"))).collect();
    let at = app.now.at();
    app.db
        .work(async |tx| {
            tx.run(
                "insert into unknown_inbound (id, carrier_id, from_number, to_number, body, received_at)
                 select unhex(j.value->>0, '-'), j.value->>1, '+12025550121', '+12025550199', 'Hello?', cast($2 as bigint)
                 from json_each($1) j",
                (serde_json::to_string(&flood).unwrap(), at),
            )
            .await
        })
        .await
        .unwrap();
    assert_eq!(told(app).await, (unknown::COUNTED, vec![UNKNOWN.to_owned()]), "only the newest are looked at");
    set_aside(app, UNKNOWN, "The old short code’s number").await.unwrap();
    assert_eq!(told(app).await, (1, vec!["78787".to_owned()]));
    assert_eq!(shown(app, None).await.len(), 1);
}

async fn only_who_manages_all_accounts_sets_a_number_aside(app: &TestApp) {
    came_in(app, 1, &[UNKNOWN], json!({})).await;
    let h = house(app);
    let scoped = h.member_of(h.account("Elsewhere").await).await;
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    assert!(viewer.permit::<may::ManageDirectory>().is_err());
    let permit = scoped.permit().unwrap();
    let refused = |answer: Result<(), Problem>| assert!(matches!(answer, Err(Problem::Forbidden { .. })), "{answer:?}");
    refused(unknown::set_aside(&app.db, &app.now, &permit, &number(UNKNOWN), "Not theirs").await);
    assert_eq!(told(app).await.0, 1);
    set_aside(app, UNKNOWN, "A misprint").await.unwrap();
    refused(unknown::bring_back(&app.db, &app.now, &permit, &number(UNKNOWN)).await);
    refused(unknown::list_aside(&app.db, &scoped.permit().unwrap(), None, None, 50).await.map(|_| ()));
    assert_eq!(aside(app).await.len(), 1);
    let page = app.ask(&viewer, Method::GET, "/sync/unknown?show=aside", &[]).await.text().await.unwrap();
    assert!(page.contains("A misprint") && !page.contains("Bring back"), "who may not set it aside may read why: {page}");
}

async fn only_what_was_texted_and_is_no_line_is_set_aside(app: &TestApp) {
    let neighbour = app.line(Ringcentral).await;
    assert!(matches!(set_aside(app, UNKNOWN, "Never texted").await, Err(Problem::NotFound { .. })));
    came_in(app, 1, &[UNKNOWN], json!({})).await;
    set_aside(app, UNKNOWN, "A misprint").await.unwrap();
    let account = account_of(app, neighbour.id).await;
    let permit = app.staff.permit().unwrap();
    let line = lines::add(&app.db, &app.now, &permit, account, UNKNOWN, "Recalls", IntegrationType::Inbox).await.unwrap();
    assert!(aside(app).await.is_empty(), "it is a line now");
    assert_eq!(shown(app, None).await[0].line, Some(line));
    assert!(matches!(set_aside(app, UNKNOWN, "Too late").await, Err(Problem::Conflict { .. })));
    assert_eq!(came_in(app, 2, &[UNKNOWN], json!({})).await, "recorded");
}

async fn setting_a_number_aside_and_bringing_it_back_are_taken_back(app: &TestApp) {
    came_in(app, 1, &[UNKNOWN], json!({})).await;
    let take_back = async |what: &str| {
        app.pass(1);
        let offer = undo::offered(&app.db, &app.now, &app.staff, None).await.unwrap().expect("it is offered");
        assert_eq!(offer.what, what);
        undo::take(&app.db, &app.now, &app.staff, offer.id).await.unwrap();
    };
    set_aside(app, UNKNOWN, "A misprint").await.unwrap();
    take_back("The number was set aside.").await;
    assert_eq!((told(app).await.0, aside(app).await.len()), (1, 0));
    set_aside(app, UNKNOWN, "A misprint").await.unwrap();
    app.pass(1);
    bring_back(app, UNKNOWN).await.unwrap();
    take_back("The number was brought back.").await;
    assert_eq!((told(app).await.0, aside(app).await[0].aside.reason.as_str()), (0, "A misprint"));
}
