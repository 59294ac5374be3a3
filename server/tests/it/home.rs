//! Home: what needs a person is shown to who may see it, the oldest first and counted up to a cap; and what came in and went out is
//! counted as it happens.

use crate::harness::{SECRET, TestApp, TestLine, contact, keys, on_both_engines};
use crate::house::house;
use reqwest::Method;
use serde_json::json;
use server::sandbox::{Fault, On, What};
use std::time::Duration;
use switchyard::directory::people;
use switchyard::figures;
use switchyard::home;
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::{Member, Proof};
use switchyard::types::IntegrationType::{Inbox, Ringcentral};
use switchyard::types::{
    AccountId, Activity, Age, BlastId, ConnectionFilter, ConnectionId, ConnectionState, Cursor, LineId, Needs, PhoneNumber, Span, SyncState,
};

on_both_engines![
    a_calm_house_needs_nobody,
    each_kind_is_shown_to_who_may_see_it,
    counting_stops_and_says_so,
    every_connection_in_trouble_is_in_the_list_that_home_leads_to,
    blasts_that_wait_for_a_decision_are_all_named_to_who_may_see_them,
    what_came_in_and_went_out_is_counted_once,
    tries_that_failed_are_drawn_whatever_they_failed_by,
    a_month_is_drawn_of_days_and_the_same_for_one_account_as_for_all,
];

async fn needs(app: &TestApp, member: &Member) -> Needs {
    home::needs(&app.db, &app.now, member).await.unwrap()
}

async fn activity(app: &TestApp, member: &Member, span: Span) -> Activity {
    home::activity(&app.db, &app.now, member, span).await.unwrap().unwrap()
}

async fn account_of(app: &TestApp, line: LineId) -> AccountId {
    let (account,): (AccountId,) = app.db.one("select account_id from line where id = $1", [line]).await.unwrap();
    account
}

async fn set(app: &TestApp, sql: &'static str) {
    app.db.work(async |tx| tx.run(sql, ()).await).await.unwrap();
}

async fn a_calm_house_needs_nobody(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    app.reply(&contact(1), &line, "Hello").await;
    app.work().await;
    figures::sample(&app.db, &app.now).await.unwrap();
    let needs = needs(app, &app.staff).await;
    assert_eq!(needs.stalled.unwrap().count, 0);
    assert_eq!(needs.connections.unwrap().count, 0);
    assert_eq!((needs.failed.unwrap().count, needs.standing.unwrap().count, needs.to_decide.unwrap().count), (0, 0, 0));
    assert_eq!((needs.unknown.unwrap().count, needs.held.unwrap().old()), (0, 0));
    let page = app.ask(&app.staff, Method::GET, "/", &[]).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("Nothing needs anybody"));
}

async fn each_kind_is_shown_to_who_may_see_it(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let account = account_of(app, line.id).await;
    for n in [1, 2] {
        app.reply(&contact(n), &line, "Hello").await;
        app.work().await;
        app.send(&line, &contact(n), "Your order is ready").await;
        app.send_outbox().await;
    }
    let known = PhoneNumber::parse(&contact(1)).unwrap();
    people::name_contact(&app.db, &app.now, &app.staff.permit().unwrap(), account, &known, "Nora zq7hush").await.unwrap();
    app.pass(8 * 24 * 60 * 60);
    figures::sample(&app.db, &app.now).await.unwrap();
    set(
        app,
        "update lane set trouble = 3, queued = 1, stalled_since = changed_at, stalled_reason = 'The chat was refused'
         where conversation_id in (select id from conversation where number = '+12025550121')",
    )
    .await;
    let strays = json!({ "id": "1", "from": contact(1), "to": ["+12025550119"], "text": "Hello?" });
    assert_eq!(app.webhook("messages", SECRET, &strays).await.status(), 200);
    let h = house(app);
    let elsewhere = h.account("Elsewhere").await;
    let run = crate::doors::planned(app, line.id, elsewhere).await;
    set(app, "update utility_run set state = 'failed'").await;
    let permit = app.staff.permit().unwrap();
    let connection = ringcentral::list(&app.db, &app.now, &permit, None, 1).await.unwrap().rows.remove(0);
    ringcentral::pause(&app.db, &app.now, &app.staff.permit().unwrap(), connection.id, connection.version).await.unwrap();

    let all = needs(app, &app.staff).await;
    let stalled = all.stalled.unwrap();
    assert_eq!((stalled.count, stalled.is_more, stalled.oldest.len()), (1, false, 1));
    assert!(matches!(&stalled.oldest[0].sync, SyncState::Stalled { why, .. } if why == "The chat was refused"));
    assert_eq!(stalled.oldest[0].number.whole().unwrap().expose(), contact(1));
    assert_eq!(stalled.oldest[0].contact.as_deref(), Some("Nora zq7hush"));
    let page = app.ask(&app.staff, Method::GET, "/", &[]).await.text().await.unwrap();
    assert!(page.contains("Nora zq7hush"), "whoever sees personal data is told who it is: {page}");
    let connections = all.connections.unwrap();
    assert!(matches!(connections.oldest[..], [ref one] if matches!(one.state, ConnectionState::Paused { .. }) && one.id == connection.id));
    assert_eq!(all.failed.unwrap().oldest[0].id, run);
    assert_eq!(all.unknown.unwrap().oldest[0].number.expose(), "+12025550119");
    let held = all.held.unwrap();
    assert_eq!(held.by_age, Age::ALL.iter().map(|age| (*age, if *age == Age::Older { 2 } else { 0 })).collect::<Vec<_>>());
    assert_eq!((held.accounts[0].id, held.accounts[0].old), (account, 2));
    assert_eq!(all.to_decide.unwrap().count, 0, "nobody decides on what they asked for themselves");

    // Whoever looks after another account alone is shown nothing of this one, and what is nobody's account's is not theirs.
    let stranger = h.account("Third").await;
    let stranger = h.member_of(stranger).await;
    let none = needs(app, &stranger).await;
    assert_eq!((none.stalled.unwrap().count, none.connections.unwrap().count, none.failed.unwrap().count), (0, 0, 0));
    assert!(none.unknown.is_none() && none.held.unwrap().accounts.is_empty());
    // A viewer sees whom it is about by the last digits.
    let vera = h.member("vera@example.com", h.role("Viewer").await).await;
    let masked = needs(app, &vera).await;
    let stalled = masked.stalled.unwrap();
    assert!(stalled.oldest[0].number.whole().is_none() && stalled.oldest[0].contact.is_none());
    assert!(masked.failed.is_none() && masked.to_decide.is_none());
    let page = app.ask(&vera, Method::GET, "/", &[]).await.text().await.unwrap();
    assert!(page.contains("Stalled conversations") && page.contains("•••• 0121") && !page.contains("202 555 0121"), "{page}");
    assert!(!page.contains("zq7hush"), "a name is personal data, too: {page}");
    assert!(page.contains("Connections in trouble") && !page.contains("Failed runs"));
}

async fn counting_stops_and_says_so(app: &TestApp) {
    for n in 0..120 {
        let to = format!("+1{}5550119", 201 + n);
        let stray = json!({ "id": n.to_string(), "from": contact(1), "to": [to], "text": "Hello?" });
        app.pass(1);
        assert_eq!(app.webhook("messages", SECRET, &stray).await.status(), 200);
    }
    let unknown = needs(app, &app.staff).await.unknown.unwrap();
    assert_eq!((unknown.count, unknown.is_more, unknown.oldest.len()), (100, true, 5));
    assert_eq!(unknown.oldest[0].number.expose(), "+12015550119", "the one that has waited longest");
    let page = app.ask(&app.staff, Method::GET, "/", &[]).await.text().await.unwrap();
    assert!(page.contains("100 or more"));
}

/// An account with a connection, by its name.
async fn connected(app: &TestApp, name: &str) -> (AccountId, ConnectionId) {
    let account = house(app).account(name).await;
    let new = NewConnection {
        base_url: "http://127.0.0.1:9".into(),
        client_id: "client".into(),
        client_secret: "secret".into(),
        jwt: "jwt".into(),
        posts_per_minute: None,
        posts_per_day: None,
    };
    let id =
        ringcentral::connect(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), Proof::at_the_shell(), account, new).await.unwrap();
    (account, id)
}

/// The names of the list's connections, page by page.
async fn listed(app: &TestApp, member: &Member, text: &str, state: ConnectionFilter) -> Vec<String> {
    let (mut all, mut after): (Vec<String>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let permit = member.permit().unwrap();
        let page = ringcentral::search(&app.db, &app.now, &permit, text, Some(state), after.as_ref(), 3).await.unwrap();
        all.extend(page.rows.into_iter().map(|row| row.account));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

async fn every_connection_in_trouble_is_in_the_list_that_home_leads_to(app: &TestApp) {
    let mut deaf = None;
    for name in ["Both", "Deaf 1", "Deaf 2", "Paused 1", "Paused 2", "Paused 3", "Refused 1", "Refused 2", "Well 1", "Well 2"] {
        let (account, _) = connected(app, name).await;
        if name == "Deaf 1" {
            deaf = Some(account);
        }
    }
    set(
        app,
        "update connection set paused_at = created_at
         where account_id in (select id from account where name like 'Paused%' or name = 'Both')",
    )
    .await;
    set(
        app,
        "insert into connection_token (connection_id, refused_until, refused_reason)
         select c.id, 1, 'revoked' from connection c join account a on a.id = c.account_id where a.name like 'Refused%' or a.name = 'Both'",
    )
    .await;
    // One that is well is told of what agents write, and one has spent its budget: neither is in trouble.
    set(
        app,
        "insert into subscription (connection_id, hook, verification_token, due_at, fence, attempts, last_error, changed_at)
         select c.id, a.name, 'sealed', 0, 0, 0, case when a.name like 'Deaf%' then 'no such webhook' end, 0
         from connection c join account a on a.id = c.account_id where a.name like 'Deaf%' or a.name = 'Well 1'",
    )
    .await;
    set(
        app,
        "insert into connection_group (connection_id, name, parked_until, parked_reason)
         select c.id, 'medium', 9000000000000000, 'the budget is spent' from connection c join account a on a.id = c.account_id
         where a.name = 'Well 2'",
    )
    .await;

    let counted = needs(app, &app.staff).await.connections.unwrap();
    let in_trouble = ["Both", "Deaf 1", "Deaf 2", "Paused 1", "Paused 2", "Paused 3", "Refused 1", "Refused 2"];
    assert_eq!((counted.count, counted.is_more, counted.oldest.len()), (8, false, 5));
    assert_eq!(listed(app, &app.staff, "", ConnectionFilter::Trouble).await, in_trouble);
    assert!(counted.oldest.iter().all(|one| in_trouble.contains(&one.account.as_str())));
    assert_eq!(listed(app, &app.staff, "2", ConnectionFilter::Trouble).await, ["Deaf 2", "Paused 2", "Refused 2"]);
    assert_eq!(listed(app, &app.staff, "", ConnectionFilter::Paused).await, ["Both", "Paused 1", "Paused 2", "Paused 3"]);
    assert_eq!(listed(app, &app.staff, "", ConnectionFilter::Refused).await, ["Refused 1", "Refused 2"], "as their state says");
    // Of one's own accounts alone, on Home and in the list.
    let scoped = house(app).member_of(deaf.unwrap()).await;
    assert_eq!(needs(app, &scoped).await.connections.unwrap().count, 1);
    assert_eq!(listed(app, &scoped, "", ConnectionFilter::Trouble).await, ["Deaf 1"]);
    assert_eq!(listed(app, &scoped, "", ConnectionFilter::Paused).await, [] as [&str; 0]);

    let get = async |path: &str| app.ask(&app.staff, Method::GET, path, &[]).await.text().await.unwrap();
    assert!(get("/").await.contains("/connections?state=trouble"));
    let page = get("/connections?state=trouble").await;
    assert!(in_trouble.iter().all(|name| page.contains(name)) && !page.contains("Well 1"), "{page}");
    let rows = async |query: &str| get(&format!("/connections.csv?{query}")).await.lines().skip(1).count();
    for (query, found) in [("state=trouble", 8), ("q=2&state=trouble", 3), ("state=paused", 4), ("state=refused", 2), ("state=&q=", 10)] {
        assert_eq!(rows(query).await, found, "{query}");
    }
    assert_eq!(rows("state=nonsense").await, 10, "what is no state narrows nothing");
}

async fn blasts_that_wait_for_a_decision_are_all_named_to_who_may_see_them(app: &TestApp) {
    let (line, other) = (app.line(Inbox).await, app.line(Inbox).await);
    let take = async |line: &TestLine, hours: u64| {
        let starts_at = app.now.at().plus(Duration::from_secs(hours * 3_600)).rfc3339();
        let blast = json!({ "line": line.id, "text": "Later zq9", "recipients": [contact(1), contact(2)], "starts_at": starts_at });
        let taken: serde_json::Value = app.post(line, "blasts", &blast).await.json().await.unwrap();
        taken["id"].as_str().unwrap().parse::<BlastId>().unwrap()
    };
    let mut soon = Vec::new();
    for n in 1..=6 {
        soon.push(take(&line, n).await);
    }
    let late = vec![take(&other, 48).await];
    assert_eq!(needs(app, &app.staff).await.blasts.unwrap().count, 0, "what is scheduled starts by itself");
    set(app, "update blast set state = 'paused'").await;
    app.pass(12 * 3_600);

    let waiting = needs(app, &app.staff).await.blasts.unwrap();
    assert_eq!((waiting.count, waiting.is_more), (7, false));
    assert_eq!(waiting.oldest.iter().map(|one| one.id).collect::<Vec<_>>(), [soon.clone(), late.clone()].concat(), "the earliest first");
    assert!(waiting.oldest[..6].iter().all(|one| one.late_since.is_some()) && waiting.oldest[6].late_since.is_none());
    assert_eq!((waiting.oldest[6].line_id, waiting.oldest[6].recipients), (other.id, 2));
    let page = app.ask(&app.staff, Method::GET, "/", &[]).await.text().await.unwrap();
    assert!(page.contains("Blasts that wait for a decision") && !page.contains("Later zq9"), "{page}");
    for (line, id) in soon.iter().map(|id| (line.id, id)).chain(late.iter().map(|id| (other.id, id))) {
        assert!(page.contains(&format!("/lines/{line}/blasts/{id}")), "each leads to its page: {page}");
    }
    // Of one's own accounts alone, and not to who may not see messages.
    let h = house(app);
    let scoped = h.member_of(account_of(app, other.id).await).await;
    assert_eq!(needs(app, &scoped).await.blasts.unwrap().oldest.iter().map(|one| one.id).collect::<Vec<_>>(), late);
    set(app, "delete from role_permission where permission = 'see_messages'").await;
    let scoped = Member::load(&app.db, scoped.id()).await.unwrap().unwrap();
    assert!(needs(app, &scoped).await.blasts.is_none());
}

async fn what_came_in_and_went_out_is_counted_once(app: &TestApp) {
    let (line, other) = (app.line(Inbox).await, app.line(Inbox).await);
    let message = json!({ "id": "1", "from": contact(1), "to": [line.number], "text": "Hello" });
    for _ in 0..2 {
        assert_eq!(app.webhook("messages", SECRET, &message).await.status(), 200);
    }
    app.reply(&contact(2), &line, "Hello").await;
    app.reply(&contact(2), &other, "Hello").await;
    app.send(&line, &contact(1), "Your order is ready").await;
    app.send_outbox().await;
    figures::sum_up(&app.db, &app.now).await.unwrap();
    figures::sum_up(&app.db, &app.now).await.unwrap();
    let sums = |drawn: &Activity| (drawn.inbound.iter().sum::<i64>(), drawn.outbound.iter().sum::<i64>());
    let day = activity(app, &app.staff, Span::Day).await;
    assert_eq!(sums(&day), (3, 1), "what came twice is one message");
    assert_eq!((day.inbound.len(), day.step_seconds, day.inbound.last()), (24, 3_600, Some(&3)));
    let counted: Vec<(String, i64)> =
        app.db.all("select direction, count(*) from message group by direction order by direction", ()).await.unwrap();
    assert_eq!(counted, [("inbound".to_owned(), 3), ("outbound".to_owned(), 1)], "the messages say the same");
    let member = house(app).member_of(account_of(app, other.id).await).await;
    assert_eq!(sums(&activity(app, &member, Span::Day).await), (1, 0), "of one's own accounts alone");
}

async fn tries_that_failed_are_drawn_whatever_they_failed_by(app: &TestApp) {
    let (line, other) = (app.line(Ringcentral).await, app.line(Ringcentral).await);
    // An answer is lost; two hours later the text of another account is refused.
    app.sandbox.arm(Fault::new(On::Post, What::LoseAnswer { hang: false })).unwrap();
    app.reply(&contact(1), &line, &app.text("Hello")).await;
    app.work().await;
    figures::sum_up(&app.db, &app.now).await.unwrap();
    assert_eq!(activity(app, &app.staff, Span::Day).await.failed.last(), Some(&1));
    app.pass(2 * 60 * 60);
    let refused = app.text("Hello");
    app.sandbox.arm(Fault::new(On::Post, What::RefuseText).containing(&refused)).unwrap();
    app.reply(&contact(2), &other, &refused).await;
    app.work().await;
    figures::sum_up(&app.db, &app.now).await.unwrap();

    let member = house(app).member_of(account_of(app, other.id).await).await;
    for (reader, by_hour, sum) in [(&app.staff, [1, 0, 1], 2), (&member, [0, 0, 1], 1)] {
        let day = activity(app, reader, Span::Day).await;
        assert_eq!((&day.failed[21..], day.failed.iter().sum::<i64>()), (&by_hour[..], sum), "each in its hour, of one's own accounts");
        assert_eq!(activity(app, reader, Span::Month).await.failed.iter().sum::<i64>(), sum);
        let page = app.ask(reader, Method::GET, "/", &[]).await.text().await.unwrap();
        assert!(page.contains("Failed tries to post") && page.contains(&format!("{sum} in 24 hours;")), "{page}");
    }
}

async fn a_month_is_drawn_of_days_and_the_same_for_one_account_as_for_all(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    for n in 0..5 {
        app.reply(&contact(n), &line, "Hello").await;
        app.work().await;
        app.send(&line, &contact(n), "Your order is ready").await;
        app.send_outbox().await;
        figures::sample(&app.db, &app.now).await.unwrap();
        figures::sum_up(&app.db, &app.now).await.unwrap();
        app.pass(26 * 60 * 60);
    }
    let member = house(app).member_of(account_of(app, line.id).await).await;
    for span in [Span::Day, Span::Month] {
        let (all, own) = (activity(app, &app.staff, span).await, activity(app, &member, span).await);
        assert_eq!(all, own);
    }
    let month = activity(app, &app.staff, Span::Month).await;
    assert_eq!((month.inbound.len(), month.inbound.iter().sum::<i64>(), month.outbound.iter().sum::<i64>()), (30, 5, 5));
    assert_eq!(month.held.iter().max(), Some(&5));
    assert_eq!(month.posted.iter().sum::<i64>(), 5);
    let day = activity(app, &app.staff, Span::Day).await;
    assert_eq!(day.inbound.iter().sum::<i64>(), 0, "the last one came 26 hours ago");
}
