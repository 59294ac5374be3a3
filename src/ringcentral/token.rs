//! Access tokens: fetched by JWT bearer, kept sealed in the database for all workers, renewed before they expire.
//!
//! The rule: one worker signs in at a time, the others take what it brings; RingCentral allows five sign-ins a minute. There is
//! no refresh token: the JWT gives the next access token, and the one before stays good until it expires.

use super::answer::{Outcome, Refusal};
use super::budget::{Call, Group, Leave, ask_leave};
use super::client::{Client, left};
use super::{Connection, connection};
use crate::db;
use crate::types::Timestamp;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// A sign-in is over, well or badly, within this time; then another worker may try.
const FETCHING: Duration = Duration::from_secs(20);
/// A refused sign-in is not repeated for so long, by any worker.
const REFUSED: Duration = Duration::from_secs(30);
/// How often a worker looks whether another one has signed in.
const LOOK: Duration = Duration::from_millis(100);
/// A token is renewed so long before it expires, or in half of its life if that is later.
const EARLY: Duration = Duration::from_secs(120);
/// When the answer does not say how long a token lasts (developer guide: access tokens last an hour).
const LASTS: Duration = Duration::from_secs(3_600);

const COLUMN: &str = "connection_token:access_token";

/// A token in the memory of this process.
#[derive(Clone)]
pub(super) struct Token {
    text: String,
    good_until: Timestamp,
    /// The sealed credential that it was given for: new secrets make it useless, wherever it is remembered.
    given_for: String,
}

/// What the workers know together.
enum Shared {
    Token(Token),
    /// Signing in was refused a moment ago.
    Refused(String),
    Nothing,
}

#[derive(sqlx::FromRow)]
struct Row {
    access_token: Option<String>,
    expires_at: Option<Timestamp>,
    refused_until: Option<Timestamp>,
    refused_reason: Option<String>,
}

#[derive(Deserialize)]
struct Answered {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

fn failed(error: &db::Error) -> Outcome<()> {
    tracing::error!(%error, "the token could not be read or kept");
    Outcome::Unreachable("the sign-in could not be kept".to_owned())
}

impl Client {
    /// A valid token by `end`. `spent` is one that was just refused: if it is still the kept one, it is replaced.
    pub(super) async fn token(&self, at: &Connection, spent: Option<&str>, end: Instant) -> Result<String, Outcome<()>> {
        let too_late = || Outcome::Unreachable("RingCentral did not sign us in in time".to_owned());
        let slot = self.tokens.lock().await.entry(at.id).or_default().clone();
        // Held over the call: of this process one task at a time looks or signs in.
        let mut kept = tokio::time::timeout(left(end), slot.lock()).await.map_err(|_| too_late())?;
        let is_good = |token: &Token| token.good_until > self.now.at() && token.given_for == at.jwt && spent != Some(token.text.as_str());
        if let Some(token) = kept.as_ref().filter(|token| is_good(token)) {
            return Ok(token.text.clone());
        }
        loop {
            match self.shared(at).await? {
                Shared::Token(token) if is_good(&token) => {
                    *kept = Some(token.clone());
                    return Ok(token.text);
                }
                Shared::Refused(why) => return Err(Outcome::Refused(Refusal::SignIn(why))),
                Shared::Token(_) | Shared::Nothing => {}
            }
            if self.may_fetch(at).await? {
                let fetched = self.fetch(at, end).await;
                self.keep(at, &fetched).await?;
                *kept = fetched.as_ref().ok().cloned();
                return fetched.map(|token| token.text);
            }
            if left(end) < LOOK {
                return Err(too_late());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn shared(&self, at: &Connection) -> Result<Shared, Outcome<()>> {
        let row: Option<Row> = self
            .db
            .opt("select access_token, expires_at, refused_until, refused_reason from connection_token where connection_id = $1", [at.id])
            .await
            .map_err(|e| failed(&e))?;
        let Some(row) = row else { return Ok(Shared::Nothing) };
        if row.refused_until.is_some_and(|until| until > self.now.at()) {
            return Ok(Shared::Refused(row.refused_reason.unwrap_or_default()));
        }
        // One that another key sealed is as good as none.
        let opened = row.access_token.and_then(|sealed| self.keys.open(COLUMN, at.id.0, &sealed).ok()).zip(row.expires_at);
        Ok(opened.map_or(Shared::Nothing, |(text, good_until)| Shared::Token(Token { text, good_until, given_for: at.jwt.clone() })))
    }

    async fn may_fetch(&self, at: &Connection) -> Result<bool, Outcome<()>> {
        let now = self.now.at();
        let taken = self
            .db
            .work(async |tx| {
                tx.run(
                    "insert into connection_token (connection_id, fetching_until) values ($1, $3)
                     on conflict (connection_id) do update set fetching_until = excluded.fetching_until
                     where connection_token.fetching_until is null or connection_token.fetching_until <= $2",
                    (at.id, now, now.plus(FETCHING)),
                )
                .await
            })
            .await
            .map_err(|e| failed(&e))?;
        Ok(taken == 1)
    }

    /// Writes down how signing in ended, and lets others sign in again.
    async fn keep(&self, at: &Connection, fetched: &Result<Token, Outcome<()>>) -> Result<(), Outcome<()>> {
        let token = fetched.as_ref().ok();
        let sealed = token.map(|token| self.keys.seal(&self.now.rng, COLUMN, at.id.0, &token.text));
        let until = token.map(|token| token.good_until);
        let refused = match fetched {
            Err(Outcome::Refused(Refusal::SignIn(why))) => Some(why.clone()),
            _ => None,
        };
        let refused_until = refused.is_some().then(|| self.now.at().plus(REFUSED));
        self.db
            .work(async |tx| {
                tx.run(
                    "update connection_token
                     set access_token = $2, expires_at = $3, fetching_until = null, refused_until = $4, refused_reason = $5
                     where connection_id = $1",
                    (at.id, sealed.clone(), until, refused_until, refused.clone()),
                )
                .await
            })
            .await
            .map_err(|e| failed(&e))?;
        Ok(())
    }

    /// Signs in. It posts nothing: whatever goes wrong with it, it can be tried again.
    async fn fetch(&self, at: &Connection, end: Instant) -> Result<Token, Outcome<()>> {
        match ask_leave(&self.db, &self.now, at, Call::Other(Group::Auth)).await.map_err(|e| failed(&e))? {
            Leave::Granted { .. } => {}
            Leave::Wait { until } => {
                return Err(Outcome::Parked { until, reason: "signing in to RingCentral has to wait".to_owned() });
            }
        }
        let refused = |error: crate::secret::DoesNotOpen| Outcome::Refused(Refusal::SignIn(error.to_string()));
        let secret = self.keys.open(connection::CLIENT_SECRET, at.id.0, &at.client_secret).map_err(refused)?;
        let jwt = self.keys.open(connection::JWT, at.id.0, &at.jwt).map_err(refused)?;
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", jwt.as_str())];
        let request = self
            .http
            .post(format!("{}/restapi/oauth/token", at.base_url))
            .basic_auth(&at.client_id, Some(&secret))
            .form(&form)
            .timeout(left(end));
        let answer = self.read(at, Group::Auth, request).await.map_err(|outcome| match outcome {
            Outcome::Unknown(text) => Outcome::Unreachable(text),
            other => other,
        })?;
        if !answer.status.is_success() {
            return Err(match self.sort::<()>(at, Group::Auth, &answer).await {
                Outcome::Refused(Refusal::ChatGone) => Outcome::Unreachable("there is no RingCentral at this address".to_owned()),
                Outcome::Unknown(text) => Outcome::Unreachable(text),
                other => other,
            });
        }
        let token: Answered =
            serde_json::from_slice(&answer.body).map_err(|_| Outcome::Unreachable("the sign-in's answer was unreadable".to_owned()))?;
        let lasts = token.expires_in.map_or(LASTS, Duration::from_secs);
        let good_until = self.now.at().plus(lasts.saturating_sub(EARLY).max(lasts / 2));
        Ok(Token { text: token.access_token, good_until, given_for: at.jwt.clone() })
    }
}
