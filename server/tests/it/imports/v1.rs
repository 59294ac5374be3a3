//! The v1 Migration.

use super::{AGAIN, cancel, count, finish, outcomes, plan, result, seen, start, stopped, take_in, worker};
use crate::harness::{TestApp, TestLine, contact, keys, on_both_engines};
use crate::house::{house, proof};
use crate::transfer::account_of;
use sha2::{Digest, Sha256};
use switchyard::directory::{accounts, findings};
use switchyard::erasure;
use switchyard::types::IntegrationType::{Inbox, None as BlastOnly};
use switchyard::types::{
    AccountId, Direction, FindingKind, LineId, MessageId, MessageState, Origin, PhoneNumber, Problem, RunAct, RunDetail, RunState,
    Timestamp, UtilityKind,
};
use switchyard::utilities::{self, Worker, WorkerConfig};

on_both_engines!(
    everything_of_an_export_arrives_and_texts_nobody,
    an_export_that_is_taken_twice_adds_nothing,
    a_line_that_has_moved_since_gets_its_history_once,
    an_export_in_parts_and_in_any_order_is_one,
    bad_rows_are_listed_with_line_and_reason_and_the_good_ones_go_in,
    what_an_account_has_already_stays_as_it_is,
    who_was_erased_does_not_come_back,
    who_was_erased_before_the_first_export_comes_back_with_none,
    an_export_is_taken_in_batches_as_small_as_they_must_be,
    nobody_migrates_into_an_account_out_of_their_scope,
    a_line_with_taken_over_replies_does_not_look_blast_only,
    no_line_is_made_of_a_type_that_the_account_lacks_the_product_for,
    what_is_lost_behind_a_migrations_back_fails_it_in_words,
    what_comes_in_during_a_migration_is_no_difference,
);

const KIND: UtilityKind = UtilityKind::V1Migration;

/// A line in an inbox and one without, two contacts, three conversations, four messages.
const EXPORT: &str = r#"{"type":"line","id":1,"number":"+12025550117","label":"Old desk","integration_type":"inbox"}
{"type":"line","id":2,"number":"+12025550118","label":"Old shouts","integration_type":"none"}
{"type":"contact","id":"c1","number":"+12025550121","name":"Grace Hopper","note":"Calls on Mondays"}
{"type":"contact","id":"c2","number":"+12025550122","name":"Alan Kay"}
{"type":"conversation","id":"t1","line":1,"number":"+12025550121"}
{"type":"conversation","id":"t2","line":1,"number":"+12025550122","at":"2019-06-01T00:00:00Z"}
{"type":"conversation","id":"t3","line":2,"number":"+12025550121"}
{"type":"message","id":"m1","conversation":"t1","direction":"inbound","body":"Are you open?","at":"2019-05-02T10:00:00Z"}
{"type":"message","id":"m2","conversation":"t1","direction":"outbound","origin":"agent","body":"Until five.","at":"2019-05-02T10:01:00.250Z"}
{"type":"message","id":"m3","conversation":"t3","direction":"outbound","origin":"blast","state":"failed","body":"Sale","at":"2019-05-03T10:00:00Z"}
{"type":"message","id":"m4","conversation":"t1","direction":"inbound","body":"STOP","at":"2019-05-04T10:00:00+02:00"}
"#;

async fn migrate(app: &TestApp, account: AccountId, export: &str) -> RunDetail {
    let run = plan(app, &app.staff, KIND, &[("account", account.to_string())], export).await.unwrap();
    start(app, run).await;
    finish(app, run).await
}

/// An account of its own.
async fn account(app: &TestApp) -> AccountId {
    account_of(app, app.line(Inbox).await.id).await
}

async fn counts(app: &TestApp) -> [i64; 5] {
    [
        count(app, "select count(*) from line").await,
        count(app, "select count(*) from contact").await,
        count(app, "select count(*) from conversation").await,
        count(app, "select count(*) from message").await,
        count(app, "select count(*) from v1_record").await,
    ]
}

async fn line(app: &TestApp, number: &str) -> TestLine {
    let (id,): (LineId,) = app.db.one("select id from line where number = $1", [number.to_owned()]).await.unwrap();
    TestLine { id, number: number.to_owned(), token: String::new(), client: String::new() }
}

async fn everything_of_an_export_arrives_and_texts_nobody(app: &TestApp) {
    let account = account(app).await;
    let run = migrate(app, account, EXPORT).await;
    assert_eq!(counts(app).await, [1 + 2, 2, 3, 4, 7]);
    assert_eq!(result(app, run.row.id).await.lines().count(), 1, "nothing is left out");
    let steps: Vec<(&str, i64, bool)> = run.steps.iter().map(|step| (step.name.as_str(), step.done, step.is_check)).collect();
    assert_eq!(
        steps,
        [
            ("Lines", 2, false),
            ("Contacts", 2, false),
            ("Conversations", 3, false),
            ("Messages", 4, false),
            ("Recount: lines", 2, true),
            ("Recount: contacts", 2, true),
            ("Recount: conversations", 3, true),
            ("Recount: messages", 4, true),
        ]
    );
    let says = "Messages recounted: 4 rows. Each has one outcome, and what is stored agrees.";
    assert!(run.events.iter().any(|event| event.text == says), "{:?}", run.events);
    assert!(run.events.iter().any(|event| event.text == "Messages: 4 added, 0 there already, 0 could not be taken."), "{:?}", run.events);

    let desk = line(app, "+12025550117").await;
    let kinds: Vec<(String, String)> = app
        .db
        .all("select label, integration_type from line where number >= '+12025550117' and number <= '+12025550118' order by number", ())
        .await
        .unwrap();
    assert_eq!(kinds, [("Old desk".to_owned(), "inbox".to_owned()), ("Old shouts".to_owned(), "none".to_owned())]);
    let rows = app.timeline(&desk, "+12025550121").await;
    let said: Vec<_> = rows.iter().map(|row| (row.direction, row.origin, row.state, row.created_at.rfc3339())).collect();
    assert_eq!(
        said,
        [
            (Direction::Inbound, None, MessageState::Received, "2019-05-02T10:00:00.000Z".to_owned()),
            (Direction::Outbound, Some(Origin::Agent), MessageState::Delivered, "2019-05-02T10:01:00.250Z".to_owned()),
            (Direction::Inbound, None, MessageState::Received, "2019-05-04T08:00:00.000Z".to_owned()),
        ],
        "in the order of their own times"
    );
    let conversations = app.conversations(&desk).await;
    let last: Vec<_> = conversations.iter().map(|row| (row.contact.clone(), row.last_at.rfc3339())).collect();
    let of = |name: &str, at: &str| (Some(name.to_owned()), at.to_owned());
    assert_eq!(last, [of("Alan Kay", "2019-06-01T00:00:00.000Z"), of("Grace Hopper", "2019-05-04T08:00:00.000Z")]);

    assert!(!app.something_waits().await, "nothing is sent and no lane is woken");
    for table in ["select count(*) from sync_entry", "select count(*) from lane", "select count(*) from consent"] {
        assert_eq!(count(app, table).await, 0, "{table}: history holds nothing and says nothing");
    }
    assert_eq!(count(app, "select count(*) from audit_entry where action = 'line.add'").await, 1 + 2);
}

async fn an_export_that_is_taken_twice_adds_nothing(app: &TestApp) {
    let account = account(app).await;
    migrate(app, account, EXPORT).await;
    let before = counts(app).await;
    // What is edited here stays edited.
    app.db.work(async |tx| tx.run("update contact set name = 'Admiral'", ()).await).await.unwrap();
    let newer = format!(
        "{EXPORT}{}",
        r#"{"type":"message","id":"m5","conversation":"t2","direction":"inbound","body":"New","at":"2020-01-01T00:00:00Z"}"#
    );
    let again = migrate(app, account, &newer).await;
    let [lines, contacts, conversations, messages, records] = before;
    assert_eq!(counts(app).await, [lines, contacts, conversations, messages + 1, records]);
    assert_eq!(count(app, "select count(*) from contact where name = 'Admiral'").await, 2);
    assert!(again.events.iter().any(|event| event.text == "Messages: 1 added, 4 there already, 0 could not be taken."));
    assert!(again.plan.conflicts.iter().any(|said| said.contains("before: 7")), "{:?}", again.plan.conflicts);
}

/// The id of a message as an earlier version of this program made it: of the account.
fn old_id(account: AccountId, v1_id: &str, at: Timestamp) -> MessageId {
    let hash = Sha256::new().chain_update(account.0.as_bytes()).chain_update(b" message ").chain_update(v1_id).finalize();
    let mut tail = [0; 10];
    tail.copy_from_slice(&hash[..10]);
    MessageId(uuid::Builder::from_unix_timestamp_millis(at.millis().try_into().unwrap(), &tail).into_uuid())
}

async fn moves_to(app: &TestApp, line: LineId, to: AccountId) {
    app.pass(60);
    let answers = [("line", line.to_string()), ("to", to.to_string())].map(|(name, answer)| (name.to_owned(), answer)).into();
    let run = utilities::plan(&app.db, &app.now, &app.staff, UtilityKind::LineTransfer, &answers, None, i64::MAX).await.unwrap();
    start(app, run).await;
    while worker(app).step().await.unwrap() {}
    let run = seen(app, run).await;
    assert_eq!(run.row.state, RunState::Succeeded, "{:?}", run.error);
}

async fn a_line_that_has_moved_since_gets_its_history_once(app: &TestApp) {
    let (first, second) = (account(app).await, account(app).await);
    migrate(app, first, EXPORT).await;
    let desk = line(app, "+12025550117").await;
    let messages = async || count(app, "select count(*) from message").await;
    moves_to(app, desk.id, second).await;
    migrate(app, second, EXPORT).await;
    assert_eq!(messages().await, 4, "its ids are the line's");
    // The same with ids that were made when they were the account's.
    let rows: Vec<(MessageId, Timestamp, String)> =
        app.db.all("select id, created_at, body from message where line_id = $1", [desk.id]).await.unwrap();
    assert_eq!(rows.len(), 3);
    for (id, at, body) in rows {
        let v1_id = [("Are you open?", "m1"), ("Until five.", "m2"), ("STOP", "m4")].into_iter().find(|(text, _)| *text == body).unwrap().1;
        let old = old_id(first, v1_id, at);
        assert_ne!(id, old);
        app.db
            .work(async |tx| tx.run("update message set id = $3 where line_id = $1 and id = $2", (desk.id, id, old)).await)
            .await
            .unwrap();
    }
    migrate(app, second, EXPORT).await;
    assert_eq!(messages().await, 4, "it belonged to the account of which they were made");
    moves_to(app, desk.id, first).await;
    migrate(app, first, EXPORT).await;
    assert_eq!(messages().await, 4);
}

async fn an_export_in_parts_and_in_any_order_is_one(app: &TestApp) {
    let account = account(app).await;
    let backwards: Vec<&str> = EXPORT.lines().rev().collect();
    migrate(app, account, &backwards.join("\n")).await;
    assert_eq!(counts(app).await, [1 + 2, 2, 3, 4, 7]);
    let other = self::account(app).await;
    let lines: Vec<String> = EXPORT.lines().map(|line| line.replace("+1202555011", "+1202555017")).collect();
    for part in lines.chunks(5) {
        migrate(app, other, &part.join("\n")).await;
    }
    assert_eq!(counts(app).await, [1 + 2 + 1 + 2, 4, 6, 8, 14], "two accounts do not meet, whatever their ids");
}

async fn bad_rows_are_listed_with_line_and_reason_and_the_good_ones_go_in(app: &TestApp) {
    let (account, foreign) = (account(app).await, app.line(Inbox).await);
    let bad = format!(
        "{}\n{}\n{}\n{}\n{}\n{}\n{}\nrubbish\n",
        format_args!(r#"{{"type":"line","id":3,"number":"{}","label":"Theirs"}}"#, foreign.number),
        r#"{"type":"conversation","id":"t4","line":3,"number":"+12025550121"}"#,
        r#"{"type":"message","id":"m6","conversation":"t4","direction":"inbound","body":"","at":"2019-05-02T10:00:00Z"}"#,
        r#"{"type":"conversation","id":"t5","line":99,"number":"+12025550121"}"#,
        r#"{"type":"message","id":"m7","conversation":"nowhere","direction":"inbound","body":"","at":"2019-05-02T10:00:00Z"}"#,
        r#"{"type":"message","id":"=m8","conversation":"t1","direction":"inbound","body":"","at":"yesterday"}"#,
        r#"{"type":"contact","id":"c1","number":"+12025550123","name":"Twice"}"#,
    );
    let run = migrate(app, account, &format!("{EXPORT}{bad}")).await;
    assert_eq!(counts(app).await, [2 + 2, 2, 3, 4, 7], "the good ones are in");
    let rows = outcomes(app, run.row.id).await;
    let unknown = |what: &str| format!("its {what} is not known: no row of type {what} with that id was taken");
    let wanted = [
        (12, "line", "3", "the number is a line of another account".to_owned()),
        (13, "conversation", "t4", unknown("line")),
        (14, "message", "m6", unknown("conversation")),
        (15, "conversation", "t5", unknown("line")),
        (16, "message", "m7", unknown("conversation")),
        (17, "message", "'=m8", "at is no time such as 2026-11-21T05:20:11Z".to_owned()),
        (18, "contact", "c1", "the same id stands on line 3".to_owned()),
        (19, "", "", "this is no JSON object".to_owned()),
    ];
    let wanted = wanted.map(|(row, kind, id, reason)| (row, vec![kind.to_owned(), id.to_owned(), reason]));
    assert_eq!(rows, wanted.into());
    let said = run.plan.conflicts.join("\n");
    assert!(said.contains("belongs to another account: 1") && said.contains("The first: line 17: at is no time"), "{said}");
}

async fn what_an_account_has_already_stays_as_it_is(app: &TestApp) {
    let own = app.line(BlastOnly).await;
    let account = account_of(app, own.id).await;
    let number = PhoneNumber::parse("+12025550121").unwrap();
    let permit = app.staff.permit().unwrap();
    switchyard::directory::people::name_contact(&app.db, &app.now, &permit, account, &number, "Known here").await.unwrap();
    app.set_type(&own, Inbox).await;
    app.reply("+12025550121", &own, "New words").await;
    app.work().await;
    let before = app.conversation(&own, "+12025550121").await;
    migrate(app, account, &EXPORT.replace("+12025550117", &own.number)).await;
    let (label, name): (String, String) = app
        .db
        .one("select l.label, k.name from line l join contact k on k.number = '+12025550121' where l.id = $1", [own.id])
        .await
        .unwrap();
    assert_eq!((label.as_str(), name.as_str()), ("Front desk", "Known here"));
    let after = app.conversation(&own, "+12025550121").await;
    assert_eq!((after.id, after.last_at), (before.id, before.last_at));
    assert_eq!(app.timeline(&own, "+12025550121").await.len(), 4, "one conversation, with the history before the new words");
}

async fn who_was_erased_does_not_come_back(app: &TestApp) {
    let account = account(app).await;
    migrate(app, account, EXPORT).await;
    let permit = || app.staff.permit().unwrap();
    let id = erasure::ask(&app.db, &app.now, &keys(), &permit(), account, "+12025550121", "Request 7").await.unwrap();
    erasure::erase(&app.db, &app.now, &keys(), &permit(), proof(), id, "0121").await.unwrap();
    let again = migrate(app, account, EXPORT).await;
    let (left,): (i64,) = app
        .db
        .one(
            "select (select count(*) from contact where number = $1) + (select count(*) from conversation where number = $1)
               + (select count(*) from message where number = $1)",
            ["+12025550121".to_owned()],
        )
        .await
        .unwrap();
    assert_eq!(left, 0);
    let rows = outcomes(app, again.row.id).await;
    assert_eq!(rows.len(), 1 + 2 + 4, "the contact, their conversations and their messages: {rows:?}");
    assert!(rows.values().all(|cells| cells[2] == "its contact was erased here"), "{rows:?}");
}

async fn who_was_erased_before_the_first_export_comes_back_with_none(app: &TestApp) {
    let account = account(app).await;
    let permit = app.staff.permit().unwrap();
    let id = erasure::ask(&app.db, &app.now, &keys(), &permit, account, "+12025550121", "Request 7").await.unwrap();
    erasure::erase(&app.db, &app.now, &keys(), &permit, proof(), id, "0121").await.unwrap();
    let left = async || {
        let left: (i64, i64, i64) = app
            .db
            .one(
                "select (select count(*) from contact where number = $1), (select count(*) from conversation where number = $1),
                   (select count(*) from message where number = $1)",
                ["+12025550121".to_owned()],
            )
            .await
            .unwrap();
        left
    };
    let first = migrate(app, account, EXPORT).await;
    assert_eq!(left().await, (0, 0, 0));
    let rows = outcomes(app, first.row.id).await;
    assert_eq!(rows.len(), 1 + 2 + 4, "{rows:?}");
    assert!(rows.values().all(|cells| cells[2] == "its contact was erased here"), "{rows:?}");
    // A newer export, in parts, in which they have other ids.
    let renamed = [("\"c1\"", "\"c9\""), ("\"t1\"", "\"t9\""), ("\"t3\"", "\"t8\""), ("\"id\":\"m", "\"id\":\"n")];
    let newer = renamed.iter().fold(EXPORT.to_owned(), |export, (was, is)| export.replace(was, is));
    for part in newer.lines().collect::<Vec<_>>().chunks(3) {
        migrate(app, account, &part.join("\n")).await;
    }
    assert_eq!(left().await, (0, 0, 0));
    let (others,): (i64,) = app.db.one("select count(*) from contact where number = '+12025550122'", ()).await.unwrap();
    assert_eq!(others, 1, "nobody else is left out");
    // They write again: that is kept, and brings nothing of before back.
    app.reply("+12025550121", &line(app, "+12025550117").await, "It is me again").await;
    app.work().await;
    migrate(app, account, EXPORT).await;
    assert_eq!(left().await, (0, 1, 1));
}

async fn an_export_is_taken_in_batches_as_small_as_they_must_be(app: &TestApp) {
    let account = account(app).await;
    let export = format!("{EXPORT}rubbish\n[]\n");
    let run = plan(app, &app.staff, KIND, &[("account", account.to_string())], &export).await.unwrap();
    start(app, run).await;
    let slow = Worker::new(app.db.clone(), app.now.clone(), WorkerConfig { most: 1, ..WorkerConfig::default() });
    let mut batches = 0;
    while slow.step().await.unwrap() {
        batches += 1;
    }
    assert_eq!(batches, 2 * (11 + 2), "a row at a time, and again when they are recounted");
    let run = finish(app, run).await;
    assert_eq!(counts(app).await, [1 + 2, 2, 3, 4, 7]);
    assert_eq!(outcomes(app, run.row.id).await.keys().copied().collect::<Vec<_>>(), [12, 13], "the columns are named once");
    assert!(run.events.iter().any(|event| event.text == "Messages: 4 added, 0 there already, 0 could not be taken."), "{:?}", run.events);
}

async fn nobody_migrates_into_an_account_out_of_their_scope(app: &TestApp) {
    let (own, foreign) = (account(app).await, account(app).await);
    let scoped = house(app).member_of(own).await;
    assert!(plan(app, &scoped, KIND, &[("account", own.to_string())], EXPORT).await.is_ok());
    let problem = plan(app, &scoped, KIND, &[("account", foreign.to_string())], EXPORT).await.unwrap_err();
    assert!(matches!(problem, Problem::Invalid { .. }), "{problem:?}");
    let run = migrate(app, foreign, EXPORT).await.row.id;
    assert!(matches!(switchyard::utilities::get(&app.db, &app.now, &scoped, run).await, Err(Problem::NotFound { .. })));
    assert_eq!(seen(app, run).await.row.id, run);
    assert_eq!(contact(1), "+12025550121", "the numbers above are the harness's");
}

async fn a_line_with_taken_over_replies_does_not_look_blast_only(app: &TestApp) {
    let (replied, stopped) = (app.line(Inbox).await, app.line(Inbox).await);
    for line in [&replied, &stopped] {
        app.blast(line, &[contact(1)], "Sale").await;
    }
    app.work().await;
    let found = async || {
        let page = findings::list(&app.db, &app.staff.permit().unwrap(), FindingKind::LooksBlastOnly, None, 5).await.unwrap();
        page.rows.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(found().await, [replied.id, stopped.id]);
    for (line, said) in [(&replied, "How much was it?"), (&stopped, " Stop ")] {
        let export = format!(
            "{}\n{}\n{}\n",
            format_args!(r#"{{"type":"line","id":1,"number":"{}","label":"Old desk"}}"#, line.number),
            format_args!(r#"{{"type":"conversation","id":"t1","line":1,"number":"{}"}}"#, contact(1)),
            format_args!(
                r#"{{"type":"message","id":"m1","conversation":"t1","direction":"inbound","body":"{said}","at":"2019-05-02T10:00:00Z"}}"#
            ),
        );
        migrate(app, account_of(app, line.id).await, &export).await;
        assert!(app.timeline(line, &contact(1)).await.iter().any(|row| row.direction == Direction::Inbound), "it was taken over");
    }
    assert_eq!(found().await, [stopped.id], "words such as STOP are no reply");
}

async fn no_line_is_made_of_a_type_that_the_account_lacks_the_product_for(app: &TestApp) {
    let own = app.line(BlastOnly).await;
    let account = account_of(app, own.id).await;
    let (db, now, manage) = (&app.db, &app.now, app.staff.permit().unwrap());
    let products = async |version: i64, products: (bool, bool)| {
        accounts::edit(db, now, &manage, account, version, "Account 0", products).await.unwrap();
    };
    let asked = async |export: &str| plan(app, &app.staff, KIND, &[("account", account.to_string())], export).await.unwrap();
    products(1, (true, false)).await;
    let run = asked(EXPORT).await;
    let obstacles = seen(app, run).await.plan.obstacles;
    assert_eq!(obstacles.len(), 1, "{obstacles:?}");
    assert!(obstacles[0].text.starts_with("Lines that would be set to Inbox: 1.") && obstacles[0].text.contains("product Conversation"));
    assert_eq!(obstacles[0].offer.as_ref().unwrap().1, format!("/accounts/{account}"));
    let refused = utilities::start(db, now, &app.staff, proof(), run, "Account 0", "").await;
    assert!(matches!(refused, Err(Problem::Conflict { .. })), "{refused:?}");
    // A line that is there already stays as it is, whatever the export calls it.
    let history = EXPORT.replace("+12025550117", &own.number);
    assert_eq!(seen(app, asked(&history).await).await.plan.obstacles, []);
    // The product goes after the plan.
    products(2, (true, true)).await;
    let run = asked(EXPORT).await;
    start(app, run).await;
    products(3, (true, false)).await;
    while worker(app).step().await.unwrap() {}
    let stopped = seen(app, run).await;
    assert_eq!(stopped.row.state, RunState::Failed);
    let error = stopped.error.unwrap();
    assert!(error.text.contains("product Conversation") && error.what_to_do.contains("resume"), "{error:?}");
    assert_eq!(count(app, "select count(*) from line").await, 1, "none of the batch was made");
    products(4, (true, true)).await;
    utilities::act(db, now, &app.staff, run, RunAct::Resume).await.unwrap();
    finish(app, run).await;
    assert_eq!(count(app, "select count(*) from line").await, 1 + 2);
}

async fn what_is_lost_behind_a_migrations_back_fails_it_in_words(app: &TestApp) {
    let account = account(app).await;
    let engineer = "Have an engineer look first";
    let harms = [
        ("delete from message where body = 'Until five.'", "Messages that are not in their conversation: 1.", AGAIN),
        ("delete from contact where number = '+12025550122'", "Contacts that are not there: 1.", AGAIN),
        ("update utility_output set body = body || '\"8\"\r\n\"8\"\r\n'", "Rows of the file without exactly one outcome: 1.", AGAIN),
        ("delete from conversation where number = '+12025550122'", "Conversations that are not there: 1.", engineer),
        (
            "update conversation set last_at = 1 where number = '+12025550121'",
            "Conversations whose newest message is newer than they say: 2.",
            engineer,
        ),
    ];
    for (harm, says, to_do) in harms {
        let run = plan(app, &app.staff, KIND, &[("account", account.to_string())], EXPORT).await.unwrap();
        start(app, run).await;
        take_in(app, run).await;
        app.db.work(async |tx| tx.run(harm, ()).await).await.unwrap();
        let error = stopped(app, run).await;
        assert!(error.text.ends_with(says) && error.what_to_do.contains(to_do), "{harm}: {error:?}");
        cancel(app, run).await;
        if to_do == AGAIN {
            migrate(app, account, EXPORT).await;
            assert_eq!(counts(app).await, [1 + 2, 2, 3, 4, 7], "{harm}: the same file again has brought it back");
        }
    }
    // One that was taken over before is not made anew: what became of it is for somebody to say.
    let at = "update conversation set last_at = 1556960400000000 where number = '+12025550121'";
    app.db.work(async |tx| tx.run(at, ()).await).await.unwrap();
    let run = migrate(app, account, EXPORT).await;
    let gone = ["conversation", "t2", "it was taken over before, and is not there any more"].map(str::to_owned);
    assert_eq!(outcomes(app, run.row.id).await, [(6, gone.to_vec())].into());
}

async fn what_comes_in_during_a_migration_is_no_difference(app: &TestApp) {
    let own = app.line(Inbox).await;
    let account = account_of(app, own.id).await;
    let export = EXPORT.replace("+12025550117", &own.number);
    let run = plan(app, &app.staff, KIND, &[("account", account.to_string())], &export).await.unwrap();
    start(app, run).await;
    take_in(app, run).await;
    app.reply("+12025550121", &own, "STOP").await;
    app.reply("+12025550129", &own, "Hello").await;
    app.work().await;
    app.db.work(async |tx| tx.run("update contact set name = 'Admiral'", ()).await).await.unwrap();
    finish(app, run).await;
}
