//! A conversation as support looks through it: narrowed, from a date on, beside RingCentral, as a file; and a reply as the line.

use crate::harness::{TestApp, TestLine, contact, keys, on_both_engines};
use crate::house::house;
use crate::verdict::{Said, assert_good, chats_of, received, standing_posts};
use reqwest::Method;
use server::sandbox::{AgentPost, HandsetText};
use std::time::Duration;
use switchyard::messaging::reply;
use switchyard::ringcentral::Client;
use switchyard::staff::{self, Member};
use switchyard::sync::{self, compose};
use switchyard::types::IntegrationType::{Inbox, None as NoRoute, Ringcentral};
use switchyard::types::{
    Agreement, AuditFilter, Comparison, ConversationId, EntryState, MessageState, Origin, Problem, Stretch, SyncState, TimelineFilter,
    TimelineFrom, Writer,
};
use uuid::Uuid;

on_both_engines![
    messages_are_narrowed_by_writer_and_state,
    a_date_begins_a_page_and_older_and_newer_lead_on,
    what_is_narrowed_looks_through_a_bounded_part_at_a_time,
    a_reply_is_sent_once_held_and_in_the_audit,
    a_reply_is_refused_with_words,
    what_ringcentral_shows_stands_beside_what_we_know,
    a_look_at_ringcentral_leaves_deliveries_their_calls,
    nobody_elsewhere_reads_replies_or_compares,
    a_conversation_as_a_file_has_the_rows_of_its_filters,
    a_message_older_than_the_window_is_posted_once_restored,
    a_late_message_says_on_its_page_and_in_the_file_when_it_was_sent,
    a_posted_message_shows_the_reference_that_stands_in_its_post,
];

type Key = (switchyard::types::LineId, ConversationId);

async fn key(app: &TestApp, line: &TestLine) -> Key {
    (line.id, app.conversation(line, &contact(1)).await.id)
}

async fn read(app: &TestApp, key: Key, filter: TimelineFilter, from: TimelineFrom, limit: usize) -> Stretch {
    sync::stretch(&app.db, &app.staff.permit().unwrap(), key, &filter, &from, limit).await.unwrap()
}

fn bodies(page: &Stretch) -> Vec<&str> {
    page.rows.iter().map(|row| row.written.body().unwrap()).collect()
}

async fn messages_are_narrowed_by_writer_and_state(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.reply(&contact(1), &line, "From the contact").await;
    app.work().await;
    app.send(&line, &contact(1), "From the program").await;
    app.work().await;
    let key = key(app, &line).await;
    let of = async |filter| read(app, key, filter, TimelineFrom::Newest, 50).await;
    let writer = |writer| TimelineFilter { writer: Some(writer), ..TimelineFilter::default() };
    assert_eq!(bodies(&of(TimelineFilter::default()).await).len(), 2);
    assert_eq!(bodies(&of(writer(Writer::Contact)).await), ["From the contact"]);
    assert_eq!(bodies(&of(writer(Writer::Api)).await), ["From the program"]);
    assert_eq!(of(writer(Writer::Blast)).await, Stretch { rows: Vec::new(), older: None, newer: None });
    let held = TimelineFilter { entry: Some(EntryState::Held), ..TimelineFilter::default() };
    assert_eq!(bodies(&of(held).await), ["From the program"]);
    let came = TimelineFilter { sms: Some(MessageState::Received), ..TimelineFilter::default() };
    assert_eq!(bodies(&of(came).await), ["From the contact"]);
    let neither = TimelineFilter { sms: Some(MessageState::Received), ..held };
    assert!(of(neither).await.rows.is_empty());
}

async fn a_date_begins_a_page_and_older_and_newer_lead_on(app: &TestApp) {
    let line = app.line(Inbox).await;
    let mut begins = Vec::new();
    for day in 0..6 {
        begins.push(app.now.at());
        app.reply(&contact(1), &line, &format!("Day {day}")).await;
        app.pass(24 * 60 * 60);
    }
    let (key, all) = (key(app, &line).await, TimelineFilter::default());
    let from = async |from| read(app, key, all, from, 2).await;
    let page = from(TimelineFrom::At(begins[2])).await;
    assert_eq!(bodies(&page), ["Day 3", "Day 2"], "the newest first, as everywhere");
    let newer = from(TimelineFrom::After(page.newer.unwrap())).await;
    assert_eq!((bodies(&newer), newer.newer.is_some()), (vec!["Day 5", "Day 4"], false));
    assert_eq!(bodies(&from(TimelineFrom::Before(newer.older.unwrap())).await), ["Day 3", "Day 2"]);
    let older = from(TimelineFrom::Before(page.older.unwrap())).await;
    assert_eq!((bodies(&older), older.older.is_some()), (vec!["Day 1", "Day 0"], false));
    assert_eq!(bodies(&from(TimelineFrom::After(older.newer.unwrap())).await), ["Day 3", "Day 2"]);
    let newest = from(TimelineFrom::Newest).await;
    assert_eq!((bodies(&newest), newest.newer.is_some()), (vec!["Day 5", "Day 4"], false));
    let later = from(TimelineFrom::At(app.now.at())).await;
    assert_eq!((bodies(&later).len(), later.newer.is_some(), later.older.is_some()), (0, false, true));
}

async fn what_is_narrowed_looks_through_a_bounded_part_at_a_time(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(1), &line, "The only one").await;
    let (key, at) = (key(app, &line).await, app.now.at().plus(Duration::from_secs(1)));
    let rows: Vec<_> = (0..1_500).map(|_| [app.now.id_at(at)]).collect();
    let account = sync::find_conversation(&app.db, &app.staff.permit().unwrap(), key.0, key.1).await.unwrap().account_id;
    app.db
        .work(async |tx| {
            tx.run(
                "insert into message (line_id, id, account_id, conversation_id, number, direction, origin, body, state, created_at, attempts)
                 select $1, unhex(j.value->>0, '-'), $2, $3, $4, 'outbound', 'api', 'One of many', 'accepted', $5, 0 from json_each($6) j",
                (key.0, account, key.1, contact(1), at, serde_json::to_string(&rows).unwrap()),
            )
            .await
        })
        .await
        .unwrap();
    let filter = TimelineFilter { writer: Some(Writer::Contact), ..TimelineFilter::default() };
    let first = read(app, key, filter, TimelineFrom::Newest, 50).await;
    assert!(first.rows.is_empty() && first.older.is_some(), "it says that there is more to look through");
    let second = read(app, key, filter, TimelineFrom::Before(first.older.unwrap()), 50).await;
    assert_eq!((bodies(&second), second.older.is_some()), (vec!["The only one"], false));
}

async fn answer(app: &TestApp, member: &Member, key: Key, token: Uuid, text: &str) -> Result<(), Problem> {
    reply::as_line(&app.db, &app.now, &member.permit().unwrap(), key, token, text).await
}

async fn a_reply_is_sent_once_held_and_in_the_audit(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.reply(&contact(1), &line, "Are you there?").await;
    app.work().await;
    let (key, token) = (key(app, &line).await, app.now.id());
    for _ in 0..2 {
        answer(app, &app.staff, key, token, " Yes, we are ").await.unwrap();
    }
    assert!(matches!(answer(app, &app.staff, key, token, "Something else").await, Err(Problem::Conflict { .. })));
    app.work().await;
    let rows = app.timeline(&line, &contact(1)).await;
    let sent: Vec<_> = rows.iter().filter(|row| row.origin == Some(Origin::Staff)).collect();
    assert_eq!(sent.len(), 1, "the same form sent twice sends once");
    assert_eq!((sent[0].written.body(), sent[0].entry), (Some("Yes, we are"), Some(EntryState::Held)));
    assert_eq!(received(&app.sandbox.journal(0), &contact(1)), ["Yes, we are"]);
    let filter = AuditFilter { action: Some("conversation.reply".to_owned()), ..AuditFilter::default() };
    let entries = staff::search(&app.db, &app.staff.permit().unwrap(), &filter, None, 9).await.unwrap().rows;
    assert_eq!(entries.len(), 1);
    assert!(!format!("{entries:?}").contains("Yes, we are"), "the audit tells who, and not what");
    // A second form sends a second message, and the contact's reply brings both into RingCentral.
    answer(app, &app.staff, key, app.now.id(), "Yes, we are").await.unwrap();
    app.work().await;
    app.reply(&contact(1), &line, "Thanks").await;
    app.work().await;
    let rows = app.timeline(&line, &contact(1)).await;
    assert_eq!(rows.iter().filter(|row| row.origin == Some(Origin::Staff) && row.entry == Some(EntryState::Posted)).count(), 2);
}

async fn a_reply_is_refused_with_words(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(1), &line, "Hello").await;
    let key = key(app, &line).await;
    for (text, words) in [(" ", "Write a message"), ("x\0", "U+0000")] {
        let refused = answer(app, &app.staff, key, app.now.id(), text).await;
        assert!(matches!(&refused, Err(Problem::Invalid { field, text }) if field == "text" && text.contains(words)), "{refused:?}");
    }
    let conflict = async |words: &str| {
        let refused = answer(app, &app.staff, key, app.now.id(), "Hello").await;
        assert!(matches!(&refused, Err(Problem::Conflict { text }) if text.contains(words)), "{refused:?}");
    };
    app.set_type(&line, NoRoute).await;
    conflict("set to None").await;
    app.set_type(&line, Inbox).await;
    app.reply(&contact(1), &line, "STOP").await;
    conflict("opted out").await;
    assert_eq!(app.timeline(&line, &contact(1)).await.iter().filter(|row| row.origin == Some(Origin::Staff)).count(), 0);
}

async fn compare(app: &TestApp, member: &Member, key: Key) -> Result<Comparison, Problem> {
    let client = Client::new(app.http.clone(), app.db.clone(), app.now.clone(), keys());
    sync::compare(&app.db, &app.now, &client, &member.permit().unwrap(), key.0, key.1).await
}

async fn what_ringcentral_shows_stands_beside_what_we_know(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.send(&line, &contact(1), "Your *order*\nis ready").await;
    app.work().await;
    for text in ["Which one?", "The blue one?", "Hello?"] {
        app.reply(&contact(1), &line, text).await;
        app.work().await;
    }
    app.send(&line, &contact(1), "The red one").await;
    app.work().await;
    app.pass(60);
    let key = key(app, &line).await;
    let found = compare(app, &app.staff, key).await.unwrap();
    let kinds = |found: &Comparison| found.rows.iter().map(|row| row.agreement).collect::<Vec<_>>();
    assert_eq!(kinds(&found), [Agreement::Waits, Agreement::Same, Agreement::Same, Agreement::Same, Agreement::Same]);
    assert_eq!(found.since, None);

    let chat = chats_of(&app.sandbox.journal(0), &contact(1))[0].to_string();
    let posts: Vec<String> = app.timeline(&line, &contact(1)).await.into_iter().filter_map(|row| row.post_id).collect();
    app.sandbox.agent_edit(&chat, &posts[1], "Somebody wrote over it").unwrap();
    app.sandbox.agent_delete(&chat, &posts[2]).unwrap();
    // We are not told of it: nobody works off events here.
    app.sandbox.agent_post(AgentPost { chat_id: chat, text: "Nobody saw this".to_owned(), ..AgentPost::default() }).unwrap();
    let found = compare(app, &app.staff, key).await.unwrap();
    let of = |post: &str| found.rows.iter().find(|row| row.post_id.as_deref() == Some(post)).unwrap();
    assert_eq!(of(&posts[1]).agreement, Agreement::OtherText);
    assert_eq!(of(&posts[1]).says.as_deref(), Some("Somebody wrote over it"));
    assert_eq!((of(&posts[2]).agreement, of(&posts[2]).is_there), (Agreement::Missing, false));
    assert_eq!(of(&posts[3]).agreement, Agreement::Same);
    let unknown: Vec<_> = found.rows.iter().filter(|row| row.agreement == Agreement::Unknown).collect();
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].says.as_deref(), Some("Nobody saw this"));
    assert_eq!(found.rows.iter().filter(|row| row.agreement.is_difference()).count(), 3);
}

async fn a_look_at_ringcentral_leaves_deliveries_their_calls(app: &TestApp) {
    let limits = server::sandbox::Limits { posts_per_minute: Some(40), posts_per_day: None };
    let line = app.line_with_limits(Ringcentral, limits).await;
    app.reply(&contact(1), &line, "Hello").await;
    app.work().await;
    let key = key(app, &line).await;
    app.pass(61);
    let mut looks = 0;
    let refused = loop {
        match compare(app, &app.staff, key).await {
            Ok(_) => looks += 1,
            Err(problem) => break problem,
        }
    };
    assert!(matches!(refused, Problem::TooMany { until: Some(until), .. } if until > app.now.at()), "{refused:?}");
    assert_eq!(looks, 20, "half of the minute is left to deliveries");
    app.pass(61);
    compare(app, &app.staff, key).await.unwrap();
}

async fn nobody_elsewhere_reads_replies_or_compares(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.reply(&contact(1), &line, "Hello").await;
    app.work().await;
    let key = key(app, &line).await;
    let h = house(app);
    let other = h.account("Elsewhere").await;
    let stranger = h.member_of(other).await;
    let read =
        sync::stretch(&app.db, &stranger.permit().unwrap(), key, &TimelineFilter::default(), &TimelineFrom::Newest, 9).await.unwrap();
    assert_eq!(read, Stretch { rows: Vec::new(), older: None, newer: None });
    let from = TimelineFrom::At(switchyard::types::Timestamp(0));
    let read = sync::stretch(&app.db, &stranger.permit().unwrap(), key, &TimelineFilter::default(), &from, 9).await.unwrap();
    assert_eq!(read, Stretch { rows: Vec::new(), older: None, newer: None });
    assert!(matches!(answer(app, &stranger, key, app.now.id(), "Hello").await, Err(Problem::NotFound { .. })));
    assert!(matches!(compare(app, &stranger, key).await, Err(Problem::NotFound { .. })));
}

async fn a_conversation_as_a_file_has_the_rows_of_its_filters(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(1), &line, "=SUM(A1)").await;
    app.send(&line, &contact(1), "Our \"answer\"").await;
    let key = key(app, &line).await;
    let path = format!("/lines/{}/conversations/{}/messages.csv", key.0, key.1);
    let file = async |query: &str| {
        let answer = app.ask(&app.staff, Method::GET, &format!("{path}{query}"), &[]).await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    };
    let all = file("").await;
    assert_eq!(all.lines().count(), 3);
    assert!(all.contains("\"'=SUM(A1)\"") && all.contains("\"Our \"\"answer\"\"\""), "{all}");
    let one = file("?writer=contact").await;
    assert!(one.contains("SUM") && !one.contains("answer") && one.lines().count() == 2, "{one}");
    assert_eq!(app.ask(&app.staff, Method::GET, "/lines/x/conversations/y/messages.csv", &[]).await.status(), 404);
}

async fn a_message_older_than_the_window_is_posted_once_restored(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    let [old, first, second] = ["Your order is ready", "Is it ready?", "Thanks"].map(|words| app.text(words));
    app.send(&line, &contact(1), &old).await;
    app.work().await;
    app.pass(91 * 24 * 60 * 60);
    app.reply(&contact(1), &line, &first).await;
    app.work().await;
    said.then(&contact(1), &first);
    assert_good(&app.sandbox, &said);
    let row = async || app.timeline(&line, &contact(1)).await.into_iter().find(|row| row.written.body() == Some(old.as_str())).unwrap();
    assert_eq!(row().await.entry, Some(EntryState::Skipped));

    sync::restore(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, row().await.id).await.unwrap();
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::Held { count: 1 });
    app.reply(&contact(1), &line, &second).await;
    app.work().await;
    for text in [&old, &second] {
        said.then(&contact(1), text);
    }
    assert_good(&app.sandbox, &said);
    assert_eq!(row().await.entry, Some(EntryState::Posted));
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::InSync);
    let journal = app.sandbox.journal(0);
    let notes: Vec<bool> =
        standing_posts(&journal).iter().map(|post| post.text.as_deref().unwrap().contains("older messages are not shown")).collect();
    assert_eq!(notes, [true, false, false], "what is left out is said with the first reply alone");
}

/// The conversation's page and its file, as the administrator gets them.
async fn page_and_file(app: &TestApp, line: &TestLine) -> [String; 2] {
    let key = key(app, line).await;
    let page = format!("/lines/{}/conversations/{}", key.0, key.1);
    let file = format!("{page}/messages.csv");
    let read = async |path: &str| {
        let answer = app.ask(&app.staff, Method::GET, path, &[]).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    };
    [read(&page).await, read(&file).await]
}

/// What a column of a file has in the row with this text; nothing before that column has a comma in it.
fn cell<'a>(file: &'a str, column: &str, text: &str) -> &'a str {
    let place = file.lines().next().unwrap().split(',').position(|name| name == column).unwrap();
    file.lines().find(|row| row.contains(text)).unwrap().split(',').nth(place).unwrap()
}

async fn a_late_message_says_on_its_page_and_in_the_file_when_it_was_sent(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let sent = app.now.at();
    for (text, delay_ms) in [("An hour late", 3_600_000), ("A minute late", 60_000)] {
        let delayed = HandsetText {
            from: contact(1),
            to: line.number.clone(),
            text: text.to_owned(),
            delay_ms: Some(delay_ms),
            ..HandsetText::default()
        };
        app.sandbox.send_from_handset(delayed).await.unwrap();
    }
    for seconds in [61, 3_600] {
        app.pass(seconds);
        app.work().await;
    }
    let rows = app.timeline(&line, &contact(1)).await;
    let late: Vec<_> = rows.iter().map(|row| (row.written.body().unwrap(), row.sent_late())).collect();
    assert_eq!(late, [("A minute late", None), ("An hour late", Some(sent))]);
    let [page, file] = page_and_file(app, &line).await;
    assert_eq!(page.matches(", arrived late").count(), 1, "{page}");
    assert!(page.contains(&format!("datetime=\"{}\"", sent.rfc3339())), "{page}");
    for text in ["A minute late", "An hour late"] {
        assert_eq!(cell(&file, "sent_at", text), sent.rfc3339(), "{file}");
    }
}

async fn a_posted_message_shows_the_reference_that_stands_in_its_post(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let [sent, reply, held] = ["Your order is ready", "Thanks", "You are welcome"].map(|words| app.text(words));
    app.send(&line, &contact(1), &sent).await;
    app.work().await;
    app.reply(&contact(1), &line, &reply).await;
    app.work().await;
    app.send(&line, &contact(1), &held).await;
    app.work().await;
    let rows = app.timeline(&line, &contact(1)).await;
    let shown = |text: &str| rows.iter().find(|row| row.written.body() == Some(text)).unwrap().reference.as_deref();
    let [page, file] = page_and_file(app, &line).await;
    let journal = app.sandbox.journal(0);
    let posts = standing_posts(&journal);
    for text in [&sent, &reply] {
        let post = posts.iter().filter_map(|post| post.text.as_deref()).find(|post| post.contains(text.as_str())).unwrap();
        let stands = compose::reference_in(post).unwrap();
        assert_eq!(shown(text), Some(stands));
        assert!(page.contains(&format!("{stands}<")), "{page}");
        assert_eq!(cell(&file, "reference", text), format!("\"{stands}\""), "{file}");
    }
    assert_eq!(shown(&held), None);
}
