//! A change of a line's integration type, under way: what is held, what is queued, and what comes back.

use crate::harness::{TestApp, TestLine, contact, on_both_engines};
use crate::verdict::{Said, assert_good, ringcentral_calls, standing_posts};
use reqwest::Method;
use switchyard::directory::{integration, lines};
use switchyard::messaging::blast;
use switchyard::sync;
use switchyard::types::IntegrationType::{Inbox, None as BlastOnly, Ringcentral};
use switchyard::types::{EntryState, SyncState};

on_both_engines![
    leaving_ringcentral_skips_what_is_held_and_delivers_what_is_queued,
    a_skipped_message_can_be_restored_when_the_line_comes_back,
    history_begins_with_the_change_to_ringcentral,
    a_change_to_ringcentral_says_how_much_is_on_its_way_and_not_shown,
    a_change_with_messages_under_way_wants_the_lines_last_four_digits,
    the_preview_of_several_lines_says_what_becomes_of_what_is_held,
    two_members_changing_one_line_do_not_overwrite_each_other,
];

async fn leaving_ringcentral_skips_what_is_held_and_delivers_what_is_queued(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    let (queued, reply, held) = (app.text("Queued"), app.text("Reply"), app.text("Held"));
    app.send(&line, &contact(1), &queued).await;
    app.send(&line, &contact(2), &held).await;
    app.work().await;
    app.reply(&contact(1), &line, &reply).await;
    said.then(&contact(1), &queued);
    said.then(&contact(1), &reply);
    let preview = integration::preview(&app.db, &app.staff.permit().unwrap(), line.id, BlastOnly).await.unwrap();
    assert_eq!((preview.held, preview.queued), (1, 2));
    let effects = integration::effects(&[&preview]);
    for effect in
        ["Conversations stay, with all their messages: 2.", "Held messages become skipped: 1. ", "Queued messages are still delivered: 2."]
    {
        assert!(effects.iter().any(|said| said.starts_with(effect)), "{effect}: {effects:?}");
    }

    app.set_type(&line, BlastOnly).await;
    app.reply(&contact(1), &line, &app.text("Into the void")).await;
    app.reply(&contact(2), &line, &app.text("Into the void")).await;
    app.work().await;
    assert_good(&app.sandbox, &said);
    assert_eq!(standing_posts(&app.sandbox.journal(0)).len(), 2, "history and reply, nothing since");
    let rows = app.timeline(&line, &contact(2)).await;
    assert_eq!(rows.len(), 1, "nothing is routed any more");
    assert_eq!((rows[0].entry, rows[0].reason.as_deref()), (Some(EntryState::Skipped), Some("the line's type was set to None")));
    assert_eq!(app.conversation(&line, &contact(2)).await.sync, SyncState::NotConnected);
}

async fn a_skipped_message_can_be_restored_when_the_line_comes_back(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let (held, other) = (app.text("Held"), app.text("Held too"));
    app.send(&line, &contact(1), &held).await;
    app.send(&line, &contact(1), &other).await;
    app.work().await;
    app.set_type(&line, Inbox).await;
    app.reply(&contact(1), &line, &app.text("Into the inbox")).await;
    app.set_type(&line, Ringcentral).await;
    let first = app.text("Back again");
    app.reply(&contact(1), &line, &first).await;
    app.work().await;
    assert_eq!(standing_posts(&app.sandbox.journal(0)).len(), 1, "what was skipped stays skipped");

    let message = app.timeline(&line, &contact(1)).await.into_iter().find(|row| row.written.body() == Some(held.as_str())).unwrap();
    assert_eq!(message.entry, Some(EntryState::Skipped));
    sync::restore(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, message.id).await.unwrap();
    app.work().await;
    assert_eq!(app.conversation(&line, &contact(1)).await.sync, SyncState::Held { count: 1 }, "held for the next reply");
    let second = app.text("And now");
    app.reply(&contact(1), &line, &second).await;
    app.work().await;
    let mut said = Said::default();
    for text in [&first, &held, &second] {
        said.then(&contact(1), text);
    }
    assert_good(&app.sandbox, &said);
    let whole: String = standing_posts(&app.sandbox.journal(0)).iter().filter_map(|post| post.text.as_deref()).collect();
    assert!(!whole.contains(&other), "the other one was not restored");
}

async fn history_begins_with_the_change_to_ringcentral(app: &TestApp) {
    let line = app.line(BlastOnly).await;
    app.send(&line, &contact(1), &app.text("Before")).await;
    app.reply(&contact(1), &line, &app.text("Before")).await;
    app.work().await;
    assert_eq!(ringcentral_calls(&app.sandbox.journal(0)), 0);
    app.set_type(&line, Ringcentral).await;
    let (out, back) = (app.text("After"), app.text("After"));
    app.send(&line, &contact(1), &out).await;
    app.work().await;
    app.reply(&contact(1), &line, &back).await;
    app.work().await;
    let mut said = Said::default();
    said.then(&contact(1), &out);
    said.then(&contact(1), &back);
    assert_good(&app.sandbox, &said);
    let whole: String = standing_posts(&app.sandbox.journal(0)).iter().filter_map(|post| post.text.as_deref()).collect();
    assert!(!whole.contains("Before"), "{whole}");
}

async fn a_change_to_ringcentral_says_how_much_is_on_its_way_and_not_shown(app: &TestApp) {
    let line = app.line(Inbox).await;
    let other = app.line(Inbox).await;
    app.send(&other, &contact(5), &app.text("Of another line")).await;
    let said = async |to| {
        let preview = integration::preview(&app.db, &app.staff.permit().unwrap(), line.id, to).await.unwrap();
        integration::effects(&[&preview]).into_iter().filter(|effect| effect.contains("on their way")).collect::<Vec<_>>()
    };
    let none: [String; 0] = [];
    assert_eq!(said(Ringcentral).await, none);
    let (blast, alone) = (app.text("Sale"), app.text("Alone"));
    app.send(&line, &contact(3), &alone).await;
    app.blast(&line, &[contact(1), contact(2)], &blast).await;
    assert!(blast::record_next(&app.db, &app.now).await.unwrap(), "both are recorded, and neither is due");
    let three = ["Messages on their way, recorded before this change, are sent and not shown in RingCentral: 3."];
    assert_eq!(said(Ringcentral).await, three);
    assert!(blast::record_next(&app.db, &app.now).await.unwrap(), "they are due");
    assert_eq!(said(Ringcentral).await, three);
    assert_eq!(said(BlastOnly).await, none);

    app.set_type(&line, Ringcentral).await;
    app.work().await;
    app.reply(&contact(1), &line, &app.text("Two, please")).await;
    app.work().await;
    let whole: String = standing_posts(&app.sandbox.journal(0)).iter().filter_map(|post| post.text.as_deref()).collect();
    assert!(!whole.contains(&blast), "as it was said: {whole}");
    app.set_type(&line, Inbox).await;
    assert_eq!(said(Ringcentral).await, none, "it is all sent");
}

async fn a_change_with_messages_under_way_wants_the_lines_last_four_digits(app: &TestApp) {
    let (line, quiet) = (app.line(Ringcentral).await, app.line(Ringcentral).await);
    app.send(&line, &contact(1), &app.text("Held")).await;
    app.work().await;
    let type_of = async |line: &TestLine| lines::get(&app.db, &app.staff.permit().unwrap(), line.id).await.unwrap().line.integration_type;
    let set = async |line: &TestLine, confirm: &str| {
        let seen = integration::preview(&app.db, &app.staff.permit().unwrap(), line.id, Inbox).await.unwrap().version;
        let form =
            [("id", line.id.to_string()), ("to", "inbox".to_owned()), ("version", seen.to_string()), ("confirm", confirm.to_owned())];
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.ask(&app.staff, Method::POST, "/fn/lines/type/set", &form).await.status().as_u16()
    };
    let digits = line.number[line.number.len() - 4..].to_owned();
    for (confirm, status) in [("", 409), ("0000", 422), (line.number.as_str(), 422)] {
        assert_eq!((set(&line, confirm).await, type_of(&line).await), (status, Ringcentral), "{confirm}");
    }
    assert_eq!((set(&line, &digits).await, type_of(&line).await), (200, Inbox));
    assert_eq!((set(&quiet, "").await, type_of(&quiet).await), (200, Inbox), "nothing is under way there");
}

async fn the_preview_of_several_lines_says_what_becomes_of_what_is_held(app: &TestApp) {
    let (line, quiet, inbox) = (app.line(Ringcentral).await, app.line(Ringcentral).await, app.line(Inbox).await);
    for n in 1..=3 {
        app.send(&line, &contact(n), &app.text("Held")).await;
    }
    app.work().await;
    let page = async |lines: &[&TestLine]| {
        let query: String = lines.iter().map(|line| format!("&line={}", line.id)).collect();
        app.ask(&app.staff, Method::GET, &format!("/lines/types?to=none{query}"), &[]).await.text().await.unwrap()
    };
    let both = page(&[&line, &quiet, &inbox]).await;
    assert!(both.contains("Held messages become skipped: 3.") && !both.contains("Nothing is held."), "{both}");
    assert!(both.contains("Nothing is on its way into RingCentral.") && both.contains("No RingCentral chat is touched."));
    assert!(page(&[&quiet]).await.contains("Nothing is held."));
    let alone = page(&[&inbox]).await;
    assert!(!alone.contains("become skipped") && !alone.contains("Nothing is held."), "what was never held is not spoken of");
}

async fn two_members_changing_one_line_do_not_overwrite_each_other(app: &TestApp) {
    let line = app.line(Ringcentral).await;
    let seen = integration::preview(&app.db, &app.staff.permit().unwrap(), line.id, BlastOnly).await.unwrap().version;
    app.set_type(&line, Inbox).await;
    let second = integration::set(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, BlastOnly, seen).await.unwrap_err();
    assert_eq!(second.status(), 409);
    assert!(second.to_string().contains("Inbox"), "{second}");
}
