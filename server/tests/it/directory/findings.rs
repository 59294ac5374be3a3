//! Findings: lines that look like a mistake are found, and no others.

use super::{account_of, audited, elsewhere, is_hidden, is_late, is_wrong};
use crate::harness::{TestApp, TestLine, contact, on_both_engines};
use crate::house::house;
use reqwest::Method;
use switchyard::directory::{accounts, findings, lines};
use switchyard::staff::may;
use switchyard::types::IntegrationType::{Inbox, None as NoRoute, Ringcentral};
use switchyard::types::{FindingKind, FindingRow, LineId, Problem};

on_both_engines![
    lines_that_only_blast_are_found_until_somebody_writes,
    lines_that_look_blast_only_are_chosen_and_looked_at_together,
    set_ups_that_contradict_themselves_are_found,
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
    accounts::close(&app.db, &app.now, &manage, account_of(app, &closed).await, 1).await.unwrap();
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
