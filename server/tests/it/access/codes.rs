//! The second factor: codes after the password, each once; recovery codes; and what a password must be without it.

use super::*;

on_both_engines![
    a_code_is_needed_after_the_password_and_works_once,
    two_who_use_one_code_at_once_are_not_both_let_in,
    codes_are_guessed_slowly,
    a_recovery_code_works_once_and_new_ones_end_the_earlier,
    a_link_to_a_new_password_does_not_pass_by_the_second_factor,
    without_a_second_factor_the_password_must_stand_alone,
];

async fn a_code_is_needed_after_the_password_and_works_once(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let (phone, _) = second_factor_of(app, id).await;
    assert_eq!(sign_in(app, &h, "vera@example.com").await, Ok(Step::NeedsCode(id)));
    refused(&with_code(app, id, &phone.code(app, 0)).await, 422);
    app.pass(30);
    refused(&with_code(app, id, "000000").await, 422);
    let code = phone.code(app, 0);
    assert_eq!(with_code(app, id, &format!("{} {}", &code[..3], &code[3..])).await, Ok(()));
    refused(&with_code(app, id, &code).await, 422);
    refused(&with_code(app, id, &phone.code(app, -1)).await, 422);
    assert_eq!(with_code(app, id, &phone.code(app, 1)).await, Ok(()), "a phone's clock may go ahead by a step");
    app.pass(120);
    refused(&with_code(app, id, &phone.code(app, -3)).await, 422);
}

async fn two_who_use_one_code_at_once_are_not_both_let_in(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let (phone, codes) = second_factor_of(app, id).await;
    app.pass(30);
    for code in [phone.code(app, 0), codes[0].clone()] {
        let all = futures_util::future::join_all((0..4).map(|_| with_code(app, id, &code))).await;
        assert_eq!(all.iter().filter(|answer| answer.is_ok()).count(), 1, "{all:?}");
    }
}

async fn codes_are_guessed_slowly(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let (phone, _) = second_factor_of(app, id).await;
    app.pass(30);
    for _ in 0..10 {
        refused(&with_code(app, id, "000000").await, 422);
    }
    refused(&with_code(app, id, &phone.code(app, 0)).await, 429);
    app.pass(16 * 60);
    assert_eq!(with_code(app, id, &phone.code(app, 0)).await, Ok(()));
}

async fn a_recovery_code_works_once_and_new_ones_end_the_earlier(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let (_, codes) = second_factor_of(app, id).await;
    assert_eq!(codes.len(), 10);
    assert_eq!(with_code(app, id, &codes[3].to_uppercase()).await, Ok(()), "as people type it");
    refused(&with_code(app, id, &codes[3]).await, 422);
    let stored: Vec<(Vec<u8>,)> = app.db.all("select code_hash from recovery_code", ()).await.unwrap();
    assert!(stored.iter().all(|(hash,)| hash.len() == 32 && codes.iter().all(|code| hash != code.as_bytes())), "hashed");
    let renewed = second_factor::new_recovery_codes(&app.db, &app.now, proof(), id).await.unwrap();
    refused(&with_code(app, id, &codes[4]).await, 422);
    assert_eq!(with_code(app, id, &renewed[0]).await, Ok(()));
}

async fn a_link_to_a_new_password_does_not_pass_by_the_second_factor(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    let (phone, _) = second_factor_of(app, id).await;
    let link = made(staff::reset(&app.db, &app.now, h.admin(), proof(), id, false, "").await);
    assert_eq!(sign_in(app, &h, "vera@example.com").await, Ok(Step::NeedsCode(id)), "the old password holds until then");
    let step = staff::accept(&app.db, &app.now, h.passwords(), &link.token, "v7 Kx!q2w".into(), None).await;
    assert_eq!(step, Ok(Step::NeedsCode(id)), "beside a second factor eight characters do");
    app.pass(30);
    assert_eq!(with_code(app, id, &phone.code(app, 0)).await, Ok(()));
    let lost = made(staff::reset(&app.db, &app.now, h.admin(), proof(), id, true, "").await);
    let before = staff::sign_in(&app.db, &app.now, h.passwords(), "vera@example.com", "v7 Kx!q2w".into(), HERE).await;
    assert_eq!(before, Ok(Step::NeedsCode(id)), "until the link is used the short password does not stand alone");
    refused(&staff::accept(&app.db, &app.now, h.passwords(), &lost.token, "v7 Kx!q2w".into(), None).await, 422);
    assert_eq!(staff::accept(&app.db, &app.now, h.passwords(), &lost.token, PASSWORD.into(), None).await, Ok(Step::In(id)));
}

async fn without_a_second_factor_the_password_must_stand_alone(app: &TestApp) {
    let h = house(app);
    let id = h.member("vera@example.com", h.role("Viewer").await).await.id();
    second_factor_of(app, id).await;
    let change = async |from: &str, to: &str| {
        staff::change_password(&app.db, &app.now, h.passwords(), id, from.to_owned(), to.to_owned(), &[]).await
    };
    let remove = async |with: &str| staff::remove_second_factor(&app.db, &app.now, h.passwords(), id, with.to_owned(), &[]).await;
    refused(&change("not this one", "v7 Kx!q2w").await, 422);
    refused(&change(PASSWORD, "password1").await, 422);
    assert_eq!(change(PASSWORD, "v7 Kx!q2w").await, Ok(()));
    refused(&remove("not this one").await, 422);
    refused(&remove("v7 Kx!q2w").await, 409);
    assert_eq!(change("v7 Kx!q2w", "four words without a rule").await, Ok(()));
    assert_eq!(remove("four words without a rule").await, Ok(()));
    refused(&change("four words without a rule", "v7 Kx!q2w").await, 422);
}
