//! Messages to unknown lines: kept whole, found by the number that was texted, and over once the number is a line.

use crate::harness::{SECRET, TestApp, contact, on_both_engines};
use serde_json::{Value, json};
use switchyard::directory::lines;
use switchyard::messaging::unknown;
use switchyard::types::IntegrationType::{self, Ringcentral};
use switchyard::types::{LineFilter, PhoneNumber, Timestamp, UnknownRow, Written};

on_both_engines![
    what_came_in_for_no_line_is_kept_whole,
    they_are_read_newest_first_and_by_the_number_that_was_texted,
    once_the_number_is_a_line_its_messages_flow,
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

async fn once_the_number_is_a_line_its_messages_flow(app: &TestApp) {
    let neighbour = app.line(Ringcentral).await;
    came_in(app, 1, &[UNKNOWN], json!({})).await;
    let all = lines::list(&app.db, &app.staff.permit().unwrap(), &LineFilter::default(), None, 50).await.unwrap().rows;
    let account = all.into_iter().find(|line| line.id == neighbour.id).unwrap().account_id;
    let permit = app.staff.permit().unwrap();
    let line = lines::add(&app.db, &app.now, &permit, account, UNKNOWN, "Recalls", IntegrationType::Inbox).await.unwrap();
    assert_eq!(shown(app, None).await[0].line, Some(line));
    assert_eq!(unknown::count(&app.db, &app.staff.permit().unwrap()).await.unwrap(), Some(0), "nothing is left to do");
    assert_eq!(came_in(app, 2, &[UNKNOWN], json!({})).await, "recorded");
    assert_eq!(shown(app, None).await.len(), 1);
}
