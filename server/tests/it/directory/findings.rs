//! Findings: lines that look like a mistake and accounts that contradict themselves are found, and no others.

use super::{account_of, audited, elsewhere, is_hidden, is_late, is_wrong};
use crate::harness::{TestApp, TestLine, contact, on_both_engines};
use crate::house::{house, proof};
use reqwest::Method;
use switchyard::directory::{accounts, findings, lines};
use switchyard::staff::{Member, may};
use switchyard::types::IntegrationType::{Inbox, None as NoRoute, Ringcentral};
use switchyard::types::{AccountFinding, AccountId, FindingKind, FindingRow, LineId, Problem};

on_both_engines![
    lines_that_only_blast_are_found_until_somebody_writes,
    lines_that_look_blast_only_are_chosen_and_looked_at_together,
    set_ups_that_contradict_themselves_are_found,
    accounts_that_contradict_themselves_are_found_and_mended_by_their_products,
    what_is_set_aside_is_listed_apart_until_it_is_brought_back_or_the_line_changes,
];

async fn found(app: &TestApp, kind: FindingKind) -> Vec<LineId> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = findings::list(&app.db, &app.staff.permit().unwrap(), kind, after.as_ref(), 1).await.unwrap();
        all.extend(page.rows.iter().map(|row| row.id));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

async fn lines_that_only_blast_are_found_until_somebody_writes(app: &TestApp) {
    let (blasts, talks, none, quiet, again) =
        (app.line(Inbox).await, app.line(Inbox).await, app.line(NoRoute).await, app.line(Inbox).await, app.line(Inbox).await);
    for line in [&blasts, &talks, &none, &again] {
        app.blast(line, &[contact(1)], "Sale").await;
    }
    app.work().await;
    app.reply(&contact(1), &talks, "How much?").await;
    app.reply(&contact(1), &blasts, " Stop ").await;
    app.work().await;
    assert_eq!(found(app, FindingKind::LooksBlastOnly).await, [blasts.id, again.id], "{:?} sends none", quiet.id);
    app.reply(&contact(1), &blasts, "Is it still on?").await;
    app.set_type(&again, NoRoute).await;
    assert_eq!(found(app, FindingKind::LooksBlastOnly).await, [] as [LineId; 0]);
}

async fn lines_that_look_blast_only_are_chosen_and_looked_at_together(app: &TestApp) {
    let (first, second) = (app.line(Inbox).await, app.line(Inbox).await);
    for line in [&first, &second] {
        app.blast(line, &[contact(1)], "Sale").await;
    }
    app.work().await;
    let only = format!("/findings?kind={}", FindingKind::LooksBlastOnly.as_str());
    for path in ["/findings", only.as_str()] {
        let page = app.ask(&app.staff, Method::GET, path, &[]).await.text().await.unwrap();
        assert!(page.contains("action=\"/lines/types\"") && page.contains("name=\"to\" value=\"none\""), "{page}");
        assert!([&first, &second].iter().all(|line| page.contains(&format!("name=\"line\" value=\"{}\"", line.id))), "{page}");
        assert!(!page.contains("name=\"all\""), "the page of types knows no finding: those chosen are all that can be meant");
        assert!(page.contains("data-row-link"), "{page}");
    }
    let chosen = format!("/lines/types?to=none&line={}&line={}", first.id, second.id);
    let look = app.ask(&app.staff, Method::GET, &chosen, &[]).await.text().await.unwrap();
    assert!(look.contains("Set 2 lines to None"), "{look}");
    let h = house(app);
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    let page = app.ask(&viewer, Method::GET, &only, &[]).await.text().await.unwrap();
    assert!(page.contains(&first.id.to_string()) && !page.contains("name=\"line\""), "who may not set them chooses none: {page}");
}

async fn set_ups_that_contradict_themselves_are_found(app: &TestApp) {
    let h = house(app);
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    let (good, closed): (TestLine, TestLine) = (app.line(Inbox).await, app.line(Inbox).await);
    let (bare, poor) = (h.account("Bare").await, h.account("Poor").await);
    let add = async |account, number: &str| lines::add(&app.db, &app.now, &manage, account, number, "Line", NoRoute).await.unwrap();
    let (unconnected, lacking) = (add(bare, "+12025550118").await, add(poor, "+12025550119").await);
    // What an import or an older program may have left behind.
    app.db
        .work(async |tx| {
            tx.run("update line set integration_type = 'ringcentral' where id = $1", [unconnected]).await?;
            tx.run("update account set sends_blasts = false where id = $1", [poor]).await
        })
        .await
        .unwrap();
    accounts::close(&app.db, &app.now, &manage, proof(), account_of(app, &closed).await, 1).await.unwrap();
    assert_eq!(found(app, FindingKind::NotConnected).await, [unconnected]);
    assert_eq!(found(app, FindingKind::ProductMissing).await, [lacking]);
    assert_eq!(found(app, FindingKind::OpenInClosedAccount).await, [closed.id], "and not {:?}", good.id);
    // The file has every kind, one behind the other, or the one that is asked for.
    let file = async |path: &str| app.ask(&app.staff, Method::GET, path, &[]).await.text().await.unwrap();
    let kinds = |file: &str| file.lines().skip(1).map(|row| row.split(',').next().unwrap().to_owned()).collect::<Vec<_>>();
    let mut all = [FindingKind::ProductMissing, FindingKind::NotConnected, FindingKind::OpenInClosedAccount].map(FindingKind::as_str);
    let mut in_file = kinds(&file("/findings.csv").await);
    all.sort_unstable();
    in_file.sort_unstable();
    assert_eq!(in_file, all);
    let one = file(&format!("/findings.csv?kind={}", FindingKind::NotConnected.as_str())).await;
    assert!(kinds(&one) == [FindingKind::NotConnected.as_str()] && one.contains(&unconnected.to_string()), "{one}");
    let stranger = elsewhere(app).await;
    assert_eq!(app.ask(&stranger, Method::GET, "/findings.csv", &[]).await.text().await.unwrap().lines().count(), 1, "the columns alone");
    for kind in FindingKind::ALL {
        assert!(findings::list(&app.db, &stranger.permit().unwrap(), *kind, None, 5).await.unwrap().rows.is_empty());
    }
    lines::close(&app.db, &app.now, &manage, closed.id, 1).await.unwrap();
    assert_eq!(found(app, FindingKind::OpenInClosedAccount).await, [] as [LineId; 0]);
}

/// The accounts that a finding is about, with how many open lines they have, read page by page.
async fn found_accounts(app: &TestApp, of: AccountFinding) -> Vec<(AccountId, i64)> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = findings::accounts(&app.db, &app.staff.permit().unwrap(), of, after.as_ref(), 1).await.unwrap();
        all.extend(page.rows.iter().map(|row| (row.id, row.lines)));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

async fn accounts_that_contradict_themselves_are_found_and_mended_by_their_products(app: &TestApp) {
    use AccountFinding::{ConnectedWithoutConversation, NoProduct};
    let h = house(app);
    let manage = app.staff.permit::<may::ManageDirectory>().unwrap();
    let (good, connected, also) = (app.line(Inbox).await, app.line(Inbox).await, app.line(Inbox).await);
    let (good, connected, also) = (account_of(app, &good).await, account_of(app, &connected).await, account_of(app, &also).await);
    let (poor, empty) = (h.account("Poor").await, h.account("Empty").await);
    let add = async |number: &str| lines::add(&app.db, &app.now, &manage, poor, number, "Line", NoRoute).await.unwrap();
    let (_, shut) = (add("+12025550118").await, add("+12025550119").await);
    lines::close(&app.db, &app.now, &manage, shut, 1).await.unwrap();
    // What an import or an older program may have left behind.
    let without = "update account set sends_blasts = $2, has_conversations = false where id = $1";
    app.db
        .work(async |tx| {
            tx.run(without, (connected, true)).await?;
            tx.run(without, (also, true)).await?;
            tx.run(without, (poor, false)).await?;
            tx.run(without, (empty, false)).await
        })
        .await
        .unwrap();
    assert_eq!(found_accounts(app, ConnectedWithoutConversation).await, [(connected, 1), (also, 1)], "and not {good}");
    assert_eq!(found_accounts(app, NoProduct).await, [(poor, 1)], "{empty} has no lines");

    // The page leads to the products of each, and the file has them.
    let get = async |member: &Member, path: &str| app.ask(member, Method::GET, path, &[]).await.text().await.unwrap();
    let page = get(&app.staff, "/findings").await;
    for account in [connected, also, poor] {
        assert!(page.contains(&format!("/accounts/{account}#products")), "{page}");
    }
    let only = get(&app.staff, &format!("/findings?kind={}", NoProduct.as_str())).await;
    assert!(only.contains(&format!("/accounts/{poor}#products")) && !only.contains(&format!("/accounts/{connected}")), "{only}");
    let form = get(&app.staff, &format!("/accounts/{poor}")).await;
    assert!(form.contains("id=\"products\""), "{form}");
    let viewer = h.member("vera@example.com", h.role("Viewer").await).await;
    assert!(!get(&viewer, "/findings").await.contains("#products"), "who may not mend it is shown no way");
    let file = get(&app.staff, &format!("/findings.csv?kind={}", ConnectedWithoutConversation.as_str())).await;
    assert!(file.lines().count() == 3 && file.contains(&connected.to_string()), "{file}");
    assert!(get(&app.staff, "/findings.csv").await.contains(&format!("no_product,,,,{poor},\"Poor\",")));

    // Nobody else's; and what is mended or closed is none any more.
    let stranger = elsewhere(app).await;
    for of in AccountFinding::ALL {
        assert!(findings::accounts(&app.db, &stranger.permit().unwrap(), *of, None, 5).await.unwrap().rows.is_empty());
    }
    let version = accounts::detail(&app.db, &app.staff.permit().unwrap(), connected).await.unwrap().version;
    let name = accounts::get(&app.db, &app.staff.permit().unwrap(), connected).await.unwrap().name;
    accounts::edit(&app.db, &app.now, &manage, connected, version, &name, (true, true)).await.unwrap();
    let at = app.now.at();
    app.db.work(async |tx| tx.run("update account set closed_at = $2 where id = $1", (poor, at)).await).await.unwrap();
    assert_eq!(found_accounts(app, ConnectedWithoutConversation).await, [(also, 1)]);
    assert!(found_accounts(app, NoProduct).await.is_empty());
}

async fn aside(app: &TestApp, kind: FindingKind) -> Vec<FindingRow> {
    findings::list_aside(&app.db, &app.staff.permit().unwrap(), kind, None, 5).await.unwrap().rows
}

async fn what_is_set_aside_is_listed_apart_until_it_is_brought_back_or_the_line_changes(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.blast(&line, &[contact(1)], "Sale").await;
    app.work().await;
    let of = (FindingKind::LooksBlastOnly, line.id);
    let h = house(app);
    let (stranger, viewer) = (elsewhere(app).await, h.member("vera@example.com", h.role("Viewer").await).await);
    let set = async |reason: &str| findings::set_aside(&app.db, &app.now, &app.staff, of, reason).await;
    is_wrong(set(" ").await, "reason");
    is_wrong(set(&"x".repeat(201)).await, "reason");
    is_hidden(findings::set_aside(&app.db, &app.now, &stranger, of, "Not theirs").await);
    assert!(matches!(findings::set_aside(&app.db, &app.now, &viewer, of, "No").await, Err(Problem::Forbidden { .. })));
    assert_eq!(found(app, of.0).await, [line.id]);

    set("They answer by mail").await.unwrap();
    is_late(set("Again").await);
    assert_eq!(found(app, of.0).await, [] as [LineId; 0]);
    let [row] = aside(app, of.0).await.try_into().expect("one is set aside");
    let how = row.aside.unwrap();
    assert_eq!((row.line.id, how.reason.as_str(), how.by.as_str()), (line.id, "They answer by mail", app.staff.actor().name()));
    assert_eq!(how.at, app.now.at());
    assert!(aside(app, FindingKind::ProductMissing).await.is_empty(), "it is this finding alone");
    let seen = findings::list_aside(&app.db, &stranger.permit().unwrap(), of.0, None, 5).await.unwrap();
    assert!(seen.rows.is_empty(), "another account's");
    let page = async |path: &str| app.ask(&app.staff, Method::GET, path, &[]).await.text().await.unwrap();
    assert!(page("/findings?show=aside").await.contains("They answer by mail"));
    assert_eq!(page("/findings.csv?kind=looks_blast_only").await.lines().count(), 1, "the columns alone");
    assert_eq!(audited(app, account_of(app, &line).await, "finding.set_aside").await.len(), 1);

    is_hidden(findings::bring_back(&app.db, &app.now, &stranger, of).await);
    findings::bring_back(&app.db, &app.now, &app.staff, of).await.unwrap();
    is_late(findings::bring_back(&app.db, &app.now, &app.staff, of).await);
    assert_eq!(found(app, of.0).await, [line.id]);
    assert_eq!(audited(app, account_of(app, &line).await, "finding.bring_back").await.len(), 1);

    set("They answer by mail").await.unwrap();
    app.set_type(&line, Ringcentral).await;
    assert_eq!(found(app, of.0).await, [line.id], "of another type it is another question");
    assert!(aside(app, of.0).await.is_empty());
    set("Still by mail").await.unwrap();
    assert_eq!(found(app, of.0).await, [] as [LineId; 0]);
}
