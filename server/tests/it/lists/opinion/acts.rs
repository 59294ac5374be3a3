//! The same for lists of what is done and who does it: connections, runs, the audit, blasts, unknown lines, staff.

use super::{ROUNDS, Reader, WORDS, World, all, maybe, part, size, wanted, wanted_as_written, world};
use crate::harness::{TestApp, contact, keys, on_both_engines, pick};
use crate::sights::role;
use std::time::Duration;
use switchyard::clock::Rng;
use switchyard::directory::accounts;
use switchyard::messaging::{blast, unknown};
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::{self, Proof, may};
use switchyard::types::{
    AccountId, AuditFilter, AuditOutcome, BlastId, BlastState, ConnectionFilter, ConnectionId, Cursor, LineId, MessageId, PhoneNumber,
    Problem, RoleId, RunFilter, RunId, RunState, StaffId, StaffRow, Timestamp, UtilityKind,
};
use switchyard::utilities;
use uuid::Uuid;

on_both_engines![
    connections_are_listed_as_a_plain_scan_finds_them,
    runs_are_listed_as_a_plain_scan_finds_them,
    the_audit_is_listed_as_a_plain_scan_finds_it,
    blasts_are_listed_as_a_plain_scan_finds_them,
    what_came_for_unknown_lines_is_listed_as_a_plain_scan_finds_it,
    staff_are_listed_as_a_plain_scan_finds_them,
];

/// Of some row what a list is narrowed to: seldom enough that something is left.
fn seldom<T>(rng: &Rng, value: T) -> Option<T> {
    (rng.below(5) == 0).then_some(value)
}

/// A moment of the hour before.
fn lately(app: &TestApp, rng: &Rng) -> Timestamp {
    app.now.at().minus(Duration::from_millis(rng.below(3_600_000)))
}

fn staff_of(world: &World) -> Vec<StaffId> {
    world.readers.iter().map(|reader| reader.member.id()).collect()
}

/// Connections of these accounts, in every trouble and in several at once.
async fn connected(app: &TestApp, rng: &Rng, accounts: &[AccountId]) {
    for account in accounts {
        let new = NewConnection {
            base_url: "http://127.0.0.1:9".into(),
            client_id: "client".into(),
            client_secret: "secret".into(),
            jwt: "jwt".into(),
            posts_per_minute: None,
            posts_per_day: None,
        };
        let id = ringcentral::connect(&app.db, &app.now, &keys(), &app.staff.permit().unwrap(), Proof::at_the_shell(), *account, new)
            .await
            .unwrap();
        app.db
            .work(async |tx| {
                if rng.below(3) == 0 {
                    tx.run("update connection set paused_at = $2 where id = $1", (id, app.now.at())).await?;
                }
                if rng.below(3) == 0 {
                    let refused = "insert into connection_token (connection_id, refused_until, refused_reason) values ($1, 1, 'revoked')";
                    tx.run(refused, [id]).await?;
                }
                // One that is well is told of what agents write.
                let error = (rng.below(3) == 0).then_some("no such webhook");
                tx.run(
                    "insert into subscription (connection_id, hook, verification_token, due_at, fence, attempts, last_error, changed_at)
                     values ($1, $2, 'sealed', 0, 0, 0, $3, 0)",
                    (id, id.to_string(), error),
                )
                .await?;
                Ok::<_, switchyard::db::Error>(())
            })
            .await
            .unwrap();
    }
}

async fn connections_are_listed_as_a_plain_scan_finds_them(app: &TestApp) {
    let rng = Rng::from_os();
    let mut world = world(app, &rng).await;
    for n in 5..20 {
        let name = format!("{} {n}", pick(&rng, &WORDS));
        world.accounts.push(accounts::add(&app.db, &app.now, &app.staff.permit().unwrap(), &name, true, true).await.unwrap());
    }
    connected(app, &rng, &world.accounts).await;
    type Plain = (String, ConnectionId, AccountId, bool, bool, bool);
    let plain: Vec<Plain> = app
        .db
        .all(
            "select a.name, c.id, c.account_id, c.paused_at is not null, t.refused_until is not null, s.last_error is not null
             from connection c
             join account a on a.id = c.account_id
             left join connection_token t on t.connection_id = c.id
             left join subscription s on s.connection_id = c.id",
            (),
        )
        .await
        .unwrap();
    assert_eq!(plain.len(), 20);
    for _ in 0..ROUNDS {
        let reader = pick(&rng, &world.readers);
        let permit = reader.member.permit().unwrap();
        let text = if rng.below(2) == 0 { String::new() } else { part(&rng, &WORDS) };
        let state = maybe(&rng, ConnectionFilter::ALL);
        let read = async |after: Option<Cursor>, size| {
            ringcentral::search(&app.db, &app.now, &permit, &text, state, after.as_ref(), size).await.unwrap()
        };
        let listed = all(size(&rng), read).await;
        let is_wanted = |(name, _, account, is_paused, is_refused, is_deaf): &&Plain| {
            let in_state = match state {
                None => true,
                Some(ConnectionFilter::Trouble) => *is_paused || *is_refused || *is_deaf,
                Some(ConnectionFilter::Paused) => *is_paused,
                Some(ConnectionFilter::Refused) => *is_refused && !*is_paused,
            };
            reader.sees(*account) && in_state && name.to_lowercase().contains(&wanted(&text))
        };
        let mut expected: Vec<&Plain> = plain.iter().filter(is_wanted).collect();
        expected.sort();
        let ids: Vec<ConnectionId> = listed.iter().map(|row| row.id).collect();
        assert_eq!(ids, expected.iter().map(|row| row.1).collect::<Vec<_>>(), "{text:?}, {state:?}, of {:?}", reader.own);
    }
}

/// Runs in every state: about lines and not, of accounts, to accounts and of nobody's.
async fn ran(app: &TestApp, rng: &Rng, world: &World, many: usize) -> Vec<RunId> {
    let lines: Vec<(LineId,)> = app.db.all("select id from line order by number", ()).await.unwrap();
    let (askers, mut made) = (staff_of(world), Vec::new());
    app.db
        .work(async |tx| {
            for n in 0..many {
                let id = RunId(app.now.id_at(lately(app, rng)));
                let line = maybe(rng, &lines).map(|(line,)| line);
                let (from, to) = (maybe(rng, &world.accounts), maybe(rng, &world.accounts));
                // A plan that is being made has no version yet.
                let version = i64::from(n % 10 > 0);
                tx.run(
                    "insert into utility_run (id, utility, state, summary, line_id, account_id, target_id, holds, parameters, answers, plan,
                       version, asked_by, asked_at, attempt, failures, batch_size, taken_done)
                     values ($1, $2, $3, $9, $4, $5, $6, '', '{}', '[]', '{}', $7, $8, 0, 0, 0, 1, 0)",
                    (
                        id,
                        *pick(rng, UtilityKind::ALL),
                        *pick(rng, RunState::ALL),
                        line,
                        from,
                        to,
                        version,
                        *pick(rng, &askers),
                        format!("Change {}", pick(rng, &WORDS)),
                    ),
                )
                .await?;
                made.push(id);
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
    made
}

async fn runs_are_listed_as_a_plain_scan_finds_them(app: &TestApp) {
    let rng = Rng::from_os();
    let world = world(app, &rng).await;
    ran(app, &rng, &world, 150).await;
    type Plain = (RunId, UtilityKind, RunState, Option<LineId>, Option<AccountId>, Option<AccountId>, StaffId, String);
    let plain: Vec<Plain> = app
        .db
        .all("select id, utility, state, line_id, account_id, target_id, asked_by, summary from utility_run where version > 0", ())
        .await
        .unwrap();
    let text = "select l.id, l.number, l.label, a.name, a.id from line l join account a on a.id = l.account_id";
    let lines: Vec<(LineId, String, String, String, AccountId)> = app.db.all(text, ()).await.unwrap();
    let names: Vec<(AccountId, String)> = app.db.all("select id, name from account", ()).await.unwrap();
    let mut found = 0;
    for _ in 0..ROUNDS {
        let reader = pick(&rng, &world.readers);
        let permit = reader.member.permit().unwrap();
        let like = pick(&rng, &plain);
        let search = match rng.below(4) {
            0 => part(&rng, &WORDS),
            1 => pick(&rng, &lines).1[2..].chars().take(2 + usize::try_from(rng.below(6)).unwrap()).collect(),
            _ => String::new(),
        };
        let filter = RunFilter {
            kind: seldom(&rng, like.1),
            state: seldom(&rng, like.2),
            under_way: rng.below(4) == 0,
            line: seldom(&rng, like.3).flatten(),
            account: seldom(&rng, like.4).flatten(),
            asked_by: seldom(&rng, like.6),
            search: search.clone(),
        };
        let read = async |after: Option<Cursor>, size| utilities::list(&app.db, &permit, &filter, after.as_ref(), size).await.unwrap();
        let listed = all(size(&rng), read).await;
        let (words, begin, digits) =
            (wanted(&search), wanted_as_written(&search), search.chars().filter(char::is_ascii_digit).collect::<String>());
        let by_line = |id: &LineId| {
            let (_, number, label, account, owner) = lines.iter().find(|line| line.0 == *id).unwrap();
            let by_number = digits.len() >= 3 && number.contains(&digits);
            // What a line is called is its present account's.
            by_number || (reader.sees(*owner) && format!("{label} {account}").to_lowercase().contains(&words))
        };
        let by_account = |id: &AccountId| names.iter().any(|(of, name)| of == id && name.to_lowercase().starts_with(&words));
        let mut expected: Vec<RunId> = plain
            .iter()
            .filter(|(_, kind, state, line, from, to, asked_by, summary)| {
                let of = [*from, *to];
                let is_under_way = !matches!(state, RunState::Planned | RunState::Succeeded | RunState::Cancelled);
                (reader.own.is_none() || of.iter().flatten().any(|account| reader.sees(*account)))
                    && (*state != RunState::Planned || *asked_by == reader.member.id())
                    && filter.kind.is_none_or(|of| of == *kind)
                    && filter.state.map_or(*state != RunState::Planned, |of| of == *state)
                    && (!filter.under_way || is_under_way)
                    && filter.line.is_none_or(|of| Some(of) == *line)
                    && filter.account.is_none_or(|account| of.contains(&Some(account)))
                    && filter.asked_by.is_none_or(|of| of == *asked_by)
                    && (words.is_empty()
                        || summary.to_ascii_lowercase().contains(&begin)
                        || line.as_ref().is_some_and(by_line)
                        || of.iter().flatten().any(by_account))
            })
            .map(|run| run.0)
            .collect();
        expected.sort();
        expected.reverse();
        let ids: Vec<RunId> = listed.iter().map(|row| row.id).collect();
        assert_eq!(ids, expected, "{filter:?} of {:?}", reader.own);
        found += ids.len();
    }
    assert!(found > 0, "some are found");
}

async fn the_audit_is_listed_as_a_plain_scan_finds_it(app: &TestApp) {
    let rng = Rng::from_os();
    let world = world(app, &rng).await;
    let lines: Vec<(LineId,)> = app.db.all("select id from line order by number", ()).await.unwrap();
    let (actors, subjects) = (staff_of(&world), [app.now.id(), app.now.id()]);
    app.db
        .work(async |tx| {
            for _ in 0..150 {
                let at = lately(app, &rng);
                let (account, line) = (maybe(&rng, &world.accounts), maybe(&rng, &lines).map(|(line,)| line));
                let (actor, subject) = (maybe(&rng, &actors), maybe(&rng, &subjects));
                tx.run(
                    "insert into audit_entry (id, at, actor_kind, actor_id, actor_name, action, account_id, line_id, subject_id, outcome)
                     values ($1, $2, 'staff', $3, 'Somebody', $4, $5, $6, $7, $8)",
                    (
                        app.now.id_at(at),
                        at,
                        actor,
                        *pick(&rng, &["line.add", "line.edit", "access.reach"]),
                        account,
                        line,
                        subject,
                        *pick(&rng, AuditOutcome::ALL),
                    ),
                )
                .await?;
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
    type Plain = (Uuid, Timestamp, Option<StaffId>, String, Option<AccountId>, Option<LineId>, Option<Uuid>, AuditOutcome);
    let plain: Vec<Plain> =
        app.db.all("select id, at, actor_id, action, account_id, line_id, subject_id, outcome from audit_entry", ()).await.unwrap();
    let mut found = 0;
    for _ in 0..ROUNDS {
        let reader = pick(&rng, &world.readers);
        let permit = reader.member.permit().unwrap();
        let like = pick(&rng, &plain);
        let filter = AuditFilter {
            actor: seldom(&rng, like.2).flatten(),
            action: seldom(&rng, like.3.clone()),
            account: seldom(&rng, like.4).flatten(),
            line: seldom(&rng, like.5).flatten(),
            subject: seldom(&rng, like.6).flatten(),
            outcome: seldom(&rng, like.7),
            from: seldom(&rng, lately(app, &rng)),
            until: seldom(&rng, lately(app, &rng)),
        };
        let read = async |after: Option<Cursor>, size| staff::search(&app.db, &permit, &filter, after.as_ref(), size).await.unwrap();
        let listed = all(size(&rng), read).await;
        let mut expected: Vec<Uuid> = plain
            .iter()
            .filter(|(_, at, actor, action, account, line, subject, outcome)| {
                // What belongs to no account is for those who look after all.
                account.map_or(reader.own.is_none(), |account| reader.sees(account))
                    && filter.actor.is_none_or(|of| Some(of) == *actor)
                    && filter.action.as_ref().is_none_or(|of| of == action)
                    && filter.account.is_none_or(|of| Some(of) == *account)
                    && filter.line.is_none_or(|of| Some(of) == *line)
                    && filter.subject.is_none_or(|of| Some(of) == *subject)
                    && filter.outcome.is_none_or(|of| of == *outcome)
                    && filter.from.is_none_or(|from| at.millis() >= from.millis())
                    && filter.until.is_none_or(|until| at.millis() < until.millis())
            })
            .map(|entry| entry.0)
            .collect();
        expected.sort();
        expected.reverse();
        let ids: Vec<Uuid> = listed.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, expected, "{filter:?} of {:?}", reader.own);
        found += ids.len();
    }
    assert!(found > 0, "some are found");
}

async fn blasts_are_listed_as_a_plain_scan_finds_them(app: &TestApp) {
    let rng = Rng::from_os();
    let world = world(app, &rng).await;
    // Few lines, so that each has many; some are on their way to the account that they are of, and their blasts follow.
    let lines: Vec<(LineId, AccountId)> = app.db.all("select id, account_id from line order by number limit 8", ()).await.unwrap();
    let transfer = ran(app, &rng, &world, 1).await[0];
    app.db
        .work(async |tx| {
            for (line, account) in &lines {
                let is_moving = rng.below(3) == 0;
                if is_moving {
                    tx.run("update line set transfer_id = $2 where id = $1", (*line, transfer)).await?;
                }
                for _ in 0..15 {
                    let before = if is_moving { *pick(&rng, &world.accounts) } else { *account };
                    let id = BlastId(app.now.id_at(lately(app, &rng)));
                    tx.run(
                        "insert into blast (line_id, id, account_id, body, state, created_by, created_at, recipients, recorded, opted_out,
                           duplicates)
                         values ($1, $2, $3, 'Doors open', $4, 'Somebody', 0, 1, 0, 0, 0)",
                        (*line, id, before, *pick(&rng, BlastState::ALL)),
                    )
                    .await?;
                }
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
    type Plain = (BlastId, LineId, AccountId, BlastState);
    let mut plain: Vec<Plain> =
        app.db.all("select b.id, b.line_id, l.account_id, b.state from blast b join line l on l.id = b.line_id", ()).await.unwrap();
    assert_eq!(plain.len(), 8 * 15);
    // Of some that are being sent a message still waits; the others are sent.
    app.db
        .work(async |tx| {
            for (id, line, account, state) in plain.iter_mut().filter(|blast| blast.3 == BlastState::Sending) {
                if rng.below(2) == 0 {
                    *state = BlastState::Sent;
                    continue;
                }
                tx.run(
                    "insert into message (line_id, id, account_id, number, direction, origin, body, state, created_at, blast_id, due_at,
                       attempts)
                     values ($1, $2, $3, $4, 'outbound', 'blast', 'Doors open', 'queued', 0, $5, 1, 0)",
                    (*line, MessageId(app.now.id()), *account, contact(1), *id),
                )
                .await?;
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
    assert!(BlastState::ALL.iter().all(|state| BlastState::OFFERED.contains(state)), "each can be chosen");
    let mut narrowed = 0;
    for _ in 0..ROUNDS {
        let reader = pick(&rng, &world.readers);
        let permit = reader.member.permit().unwrap();
        let line = maybe(&rng, &lines).map(|(line, _)| line);
        let account = if line.is_none() || rng.below(2) == 0 { Some(pick(&rng, &lines).1) } else { None };
        let state = maybe(&rng, BlastState::ALL);
        let read =
            async |after: Option<Cursor>, size| blast::list(&app.db, &permit, account, line, state, after.as_ref(), size).await.unwrap();
        let listed = all(size(&rng), read).await;
        // The line's account alone decides who sees what, and where it is listed. A line that is named decides which.
        let mut expected: Vec<BlastId> = plain
            .iter()
            .filter(|(_, of_line, of_account, of_state)| {
                let is_there = line.map_or(account == Some(*of_account), |line| line == *of_line);
                reader.sees(*of_account) && is_there && state.is_none_or(|state| state == *of_state)
            })
            .map(|blast| blast.0)
            .collect();
        expected.sort();
        expected.reverse();
        let ids: Vec<BlastId> = listed.iter().map(|row| row.id).collect();
        assert_eq!(ids, expected, "{account:?}, {line:?}, {state:?}, of {:?}", reader.own);
        assert!(state.is_none_or(|state| listed.iter().all(|row| row.state == state)), "each is as it was asked for: {state:?}");
        narrowed += if state.is_some() { ids.len() } else { 0 };
    }
    assert!(narrowed > 0, "some are found");
    let neither = blast::list(&app.db, &app.staff.permit().unwrap(), None, None, None, None, 5).await;
    assert!(matches!(neither, Err(Problem::Invalid { .. })));
}

async fn what_came_for_unknown_lines_is_listed_as_a_plain_scan_finds_it(app: &TestApp) {
    let rng = Rng::from_os();
    let world = world(app, &rng).await;
    // Some of the numbers have become lines.
    let lines: Vec<(PhoneNumber, LineId)> = app.db.all("select number, id from line order by number limit 2", ()).await.unwrap();
    let numbers = (0..6).map(|n| PhoneNumber::parse(&format!("+1999555010{n}")).unwrap());
    let numbers: Vec<PhoneNumber> = numbers.chain(lines.iter().map(|(number, _)| number.clone())).collect();
    app.db
        .work(async |tx| {
            let mut aside = Vec::new();
            for number in &numbers[..6] {
                if rng.below(3) == 0 {
                    // Many at the same moment.
                    let at = Timestamp(i64::try_from(rng.below(2)).unwrap());
                    let set = "insert into unknown_aside (number, reason, set_by, set_at) values ($1, 'A misprint', 'Somebody', $2)";
                    tx.run(set, (number.clone(), at)).await?;
                    aside.push(number);
                }
            }
            for n in 0..100 {
                let (to, at) = (pick(&rng, &numbers), app.now.at().plus(Duration::from_millis(n)));
                // While a number is being set aside, what comes in for it may be not marked yet.
                let aside_at = (aside.contains(&to) && rng.below(4) > 0).then_some(at);
                tx.run(
                    "insert into unknown_inbound (id, carrier_id, from_number, to_number, body, received_at, aside_at)
                     values ($1, $2, $3, $4, 'Hello?', $5, $6)",
                    (app.now.id_at(at), format!("stray {n}"), contact(1), to.clone(), at, aside_at),
                )
                .await?;
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
    type Plain = (Timestamp, PhoneNumber);
    let mut plain: Vec<Plain> = app.db.all("select received_at, to_number from unknown_inbound", ()).await.unwrap();
    plain.sort();
    plain.reverse();
    let mut aside: Vec<Plain> = app.db.all("select set_at, number from unknown_aside", ()).await.unwrap();
    aside.sort();
    aside.reverse();
    let permit = app.staff.permit().unwrap();
    for _ in 0..ROUNDS {
        let to = if rng.below(2) == 0 { None } else { Some(pick(&rng, &numbers)) };
        let read = async |after: Option<Cursor>, size| unknown::list(&app.db, &permit, to, after.as_ref(), size).await.unwrap();
        let listed = all(size(&rng), read).await;
        let is_wanted = |(_, number): &&Plain| to.map_or(aside.iter().all(|(_, set)| set != number), |to| to == number);
        let line = |number: &PhoneNumber| lines.iter().find(|(of, _)| of == number).map(|(_, line)| *line);
        let expected = plain.iter().filter(is_wanted).map(|(at, number)| (*at, number.clone(), line(number)));
        let shown: Vec<_> = listed.iter().map(|row| (row.received_at, row.to.clone(), row.line)).collect();
        assert_eq!(shown, expected.collect::<Vec<_>>(), "{to:?}");

        let read = async |after: Option<Cursor>, size| unknown::list_aside(&app.db, &permit, to, after.as_ref(), size).await.unwrap();
        let listed = all(size(&rng), read).await;
        let expected: Vec<&Plain> = aside.iter().filter(|(_, number)| to.is_none_or(|to| to == number)).collect();
        let shown: Vec<Plain> = listed.iter().map(|row| (row.aside.at, row.number.clone())).collect();
        assert_eq!(shown.iter().collect::<Vec<_>>(), expected, "set aside, {to:?}");
    }
    // They belong to no account.
    for Reader { member, .. } in &world.readers[1..] {
        let permit = member.permit().unwrap();
        assert!(matches!(unknown::list(&app.db, &permit, None, None, 5).await, Err(Problem::Forbidden { .. })));
        assert!(matches!(unknown::list_aside(&app.db, &permit, None, None, 5).await, Err(Problem::Forbidden { .. })));
    }
}

async fn staff_are_listed_as_a_plain_scan_finds_them(app: &TestApp) {
    let rng = Rng::from_os();
    let world = world(app, &rng).await;
    role(app, "Nobody has it", &[], None).await;
    let roles: Vec<(RoleId, String)> = app.db.all("select id, name from role order by name", ()).await.unwrap();
    app.db
        .work(async |tx| {
            for n in 0..80 {
                let id = StaffId(app.now.id());
                let some = |word: &'static str| (rng.below(2) == 0).then_some(word);
                tx.run(
                    "insert into staff_member (id, email, name, created_at, version, password_hash, second_factor, disabled_at)
                     values ($1, $2, $3, 0, 1, $4, $5, $6)",
                    (
                        id,
                        format!("member{n}@example.com"),
                        *pick(&rng, &WORDS),
                        some("hash"),
                        some("sealed"),
                        (rng.below(4) == 0).then(|| app.now.at()),
                    ),
                )
                .await?;
                for (role, name) in &roles {
                    if name != "Nobody has it" && rng.below(3) == 0 {
                        tx.run("insert into staff_role (staff_id, role_id) values ($1, $2)", (id, *role)).await?;
                    }
                }
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
    type Plain = (String, StaffId, String, Option<String>, Option<String>, Option<Timestamp>);
    let mut plain: Vec<Plain> =
        app.db.all("select name, id, email, password_hash, second_factor, disabled_at from staff_member", ()).await.unwrap();
    plain.sort();
    let held: Vec<(StaffId, RoleId)> = app.db.all("select staff_id, role_id from staff_role", ()).await.unwrap();
    let expected = plain.into_iter().map(|(name, id, email, password, second_factor, disabled_at)| StaffRow {
        id,
        name,
        email,
        roles: roles.iter().filter(|(role, _)| held.contains(&(id, *role))).map(|(_, name)| name.clone()).collect(),
        active: password.is_some(),
        second_factor: second_factor.is_some(),
        disabled_at,
    });
    let listed = staff::list(&app.db, &app.staff.permit().unwrap()).await.unwrap();
    assert_eq!(listed, expected.collect::<Vec<_>>());
    // Who works here is nothing of an account's.
    for Reader { member, .. } in &world.readers[1..] {
        assert!(matches!(member.permit::<may::SeeStaff>(), Err(Problem::Forbidden { .. })));
    }
}
