//! Findings: lines that look like a mistake are found, and no others.

use super::{account_of, elsewhere};
use crate::harness::{TestApp, TestLine, contact, on_both_engines};
use crate::house::house;
use reqwest::Method;
use switchyard::directory::{accounts, findings, lines};
use switchyard::staff::may;
use switchyard::types::IntegrationType::{Inbox, None as NoRoute};
use switchyard::types::{FindingKind, LineId};

on_both_engines![lines_that_only_blast_are_found_until_somebody_writes, set_ups_that_contradict_themselves_are_found,];

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
