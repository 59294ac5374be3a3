//! Live events: one stream per browser, carrying ids, never rows. It checks the session and the scope of its member again with
//! each change of staff and every half minute, and ends at sign-out and at shutdown.

use crate::console::still_signed_in;
use app::context::{Services, Visitor};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::stream;
use std::convert::Infallible;
use std::time::Duration;
use switchyard::staff::{Member, Permit, may};
use switchyard::types::{AccountId, Change};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tower_sessions::Session;

/// What the stream stands on.
#[derive(Debug, Clone)]
pub struct Events {
    /// The services.
    pub services: Services,
    /// Ends every stream.
    pub stop: CancellationToken,
}

/// `GET /events`, to be mounted behind the session.
pub fn routes(events: Events) -> Router {
    Router::new().route("/events", get(open)).with_state(events)
}

/// So often the session is looked at, however much there is to tell meanwhile.
const LOOK: Duration = Duration::from_secs(30);

struct Stream {
    events: Events,
    session: Session,
    member: Member,
    bell: broadcast::Receiver<Change>,
    /// When the session is looked at again, whatever else there is to tell.
    look: Interval,
}

async fn open(
    State(events): State<Events>,
    Extension(Visitor(member)): Extension<Visitor>,
    Extension(session): Extension<Session>,
) -> Response {
    let Some(member) = member else { return StatusCode::UNAUTHORIZED.into_response() };
    if member.permit::<may::SeeDirectory>().is_err() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let bell = events.services.db.changes();
    let mut look = tokio::time::interval_at(Instant::now() + LOOK, LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let start = Stream { events, session, member, bell, look };
    let changes = stream::unfold(start, async |mut s| next(&mut s).await.map(|event| (Ok::<_, Infallible>(event), s)));
    Sse::new(changes).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

/// The next event that the member may see; `None` ends the stream.
async fn next(s: &mut Stream) -> Option<Event> {
    let stop = s.events.stop.clone();
    loop {
        let heard = tokio::select! {
            () = stop.cancelled() => return None,
            _ = s.look.tick() => Ok(Change::Staff),
            heard = s.bell.recv() => heard,
        };
        match heard {
            Ok(Change::Staff) => s.member = still_signed_in(&s.events.services, &s.session).await?,
            // Only the program itself hears of these.
            Ok(Change::LaneDue | Change::OutboxDue | Change::RunDue | Change::EventDue) => {}
            Ok(change) => {
                if sees(s, change.account()).await? {
                    return Event::default().json_data(change).ok();
                }
            }
            // Too far behind to know what was missed, which may be a change of staff: read everything anew.
            Err(RecvError::Lagged(_)) => {
                s.member = still_signed_in(&s.events.services, &s.session).await?;
                return Some(Event::default().data("{\"kind\":\"all\"}"));
            }
            Err(RecvError::Closed) => return None,
        }
    }
}

/// What belongs to no account is for who looks after all of them.
async fn sees(s: &Stream, account: Option<AccountId>) -> Option<bool> {
    let permit: Permit<may::SeeDirectory> = s.member.permit().ok()?;
    let scope = permit.scope();
    if scope.everywhere {
        return Some(true);
    }
    let Some(account) = account else { return Some(false) };
    let found: Option<(AccountId,)> = s
        .events
        .services
        .db
        .opt(
            "select account_id from staff_scope where staff_id = $1 and permission = $2 and account_id = $3",
            (scope.staff, scope.permission, account),
        )
        .await
        .ok()?;
    Some(found.is_some())
}
