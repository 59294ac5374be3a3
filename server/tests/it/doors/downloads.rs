//! What goes on after its request was answered: it ends with what its answer stood on. Nothing is read ahead here, as a connection would.

use super::{LONGEST_ANSWER, router};
use crate::harness::{TestApp, on_both_engines};
use crate::house::house;
use crate::sights::role;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use futures_util::StreamExt;
use switchyard::db::Error;
use switchyard::types::{AccountId, Change, Permission, RunId};
use tower::ServiceExt;

on_both_engines![a_download_ends_with_its_session, a_stream_that_lags_looks_again];

/// The answer to this, of which nothing is read yet.
async fn body(app: &TestApp, cookie: &str, path: &str) -> BodyDataStream {
    let request = Request::get(path).header("cookie", cookie).header("sec-fetch-site", "same-origin").body(Body::empty()).unwrap();
    let answer = router(app).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.into_body().into_data_stream()
}

async fn a_download_ends_with_its_session(app: &TestApp) {
    let h = house(app);
    // One more than two pages hold.
    app.db
        .work(async |tx| {
            for n in 0..2_001 {
                tx.run(
                    "insert into account (id, name, sends_blasts, has_conversations, created_at, version)
                     values ($1, $2, true, true, 0, 1)",
                    (AccountId(app.now.id()), format!("Account {n:04}")),
                )
                .await?;
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    let directory = role(app, "Directory", &[Permission::SeeDirectory], None).await;
    let cases = ["nothing happens", "the session ends", "the member is disabled", "the role is taken away"];
    for (n, what) in cases.into_iter().enumerate() {
        let member = h.member(&format!("member{n}@example.com"), directory).await;
        let mut file = body(app, &app.cookie(&member).await, "/accounts.csv").await;
        let first = file.next().await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&first).lines().count(), 1_001, "the columns and a page");
        let (id, at) = (member.id(), app.now.at());
        let changed = app.db.work(async |tx| match n {
            0 => Ok(1),
            1 => tx.run("delete from session where staff_id = $1", [id]).await,
            2 => tx.run("update staff_member set disabled_at = $2 where id = $1", (id, at)).await,
            _ => tx.run("delete from staff_role where staff_id = $1", [id]).await,
        });
        assert_eq!(changed.await.unwrap(), 1, "{what}");
        let (mut rest, mut is_whole) = (String::new(), true);
        while let Some(page) = file.next().await {
            let Ok(page) = page else {
                is_whole = false;
                break;
            };
            rest.push_str(&String::from_utf8_lossy(&page));
        }
        let goes_on = n == 0;
        assert_eq!((is_whole, rest.contains("Account 2000"), rest.is_empty()), (goes_on, goes_on, !goes_on), "{what}");
    }
}

async fn a_stream_that_lags_looks_again(app: &TestApp) {
    let mut events = body(app, &app.cookie(&app.staff).await, "/events").await;
    app.db
        .work(async |tx| {
            tx.tell(Change::Staff);
            // More than a listener's place holds: the first of them is lost to it.
            for _ in 0..4_200 {
                tx.tell(Change::Run { account_id: None, run_id: RunId(app.now.id()) });
            }
            tx.run("delete from session", ()).await
        })
        .await
        .unwrap();
    let next = tokio::time::timeout(LONGEST_ANSWER, events.next()).await.expect("an event, or the end");
    assert!(next.is_none(), "the stream goes on without its session: {next:?}");
}
