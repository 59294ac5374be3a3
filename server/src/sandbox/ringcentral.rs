//! RingCentral's side: its paths, and what is said of those that it does not have.
//!
//! The one rule: where RingCentral's behaviour is not published, the comment says that ours is an inference.

use super::answer::{Answer, Call};
use super::journal::Kind;
use super::state::Core;
use super::{Sandbox, chats, people, posts, subscriptions, teams, token};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/restapi/oauth/token", post(token::issue))
        .route("/restapi/oauth/revoke", post(token::revoke))
        .route("/restapi/v1.0/account/{account}/extension/{extension}", get(people::extension))
        .merge(subscriptions::routes())
        .nest("/team-messaging/v1", team_messaging())
        // The same under its former name.
        .nest("/restapi/v1.0/glip", team_messaging())
}

fn team_messaging() -> Router<Sandbox> {
    Router::new()
        .route("/teams", get(teams::list).post(teams::create))
        .route("/teams/{chat}", get(teams::read).patch(teams::edit).delete(teams::delete))
        .route("/teams/{chat}/archive", post(teams::archive))
        .route("/teams/{chat}/unarchive", post(teams::unarchive))
        .route("/teams/{chat}/add", post(teams::add))
        .route("/teams/{chat}/remove", post(teams::remove))
        .route("/teams/{chat}/join", post(teams::join))
        .route("/teams/{chat}/leave", post(teams::leave))
        .route("/conversations", get(chats::list_conversations).post(chats::open_conversation))
        .route("/conversations/{chat}", get(chats::read_conversation))
        .route("/recent/chats", get(chats::recent))
        .route("/chats", get(chats::list))
        .route("/chats/{chat}", get(chats::read))
        .route("/chats/{chat}/posts", get(posts::list).post(posts::create))
        .route("/chats/{chat}/posts/{post}", get(posts::read).patch(posts::edit).delete(posts::delete))
        .route("/chats/{chat}/threads/{thread}/posts", get(posts::list_thread))
        .route("/persons/{ids}", get(people::persons))
        .route("/companies/{ids}", get(people::companies))
}

/// Whatever else is asked for; journaled where RingCentral would have been asked.
pub(super) async fn unknown(State(sandbox): State<Sandbox>, uri: Uri, headers: HeaderMap) -> Response {
    if !uri.path().starts_with("/restapi/") && !uri.path().starts_with("/team-messaging/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut call = Call::new(Kind::Unknown, &headers);
    call.entry.text = Some(uri.path().into());
    let act = |_: &mut Core, _: &mut Call, _| Answer::error(404, "CMN-120", "Invalid URI");
    sandbox.answer(call, |_, _, _| Ok(()), act).await
}
