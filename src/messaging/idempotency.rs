//! Idempotency: a program that did not hear the answer repeats its request under the same key and gets the first answer.
//!
//! The rule: the key is written in the transaction of the effect, so that there is never one without the other. A request that
//! was refused had no effect and leaves no key.

use crate::clock::Now;
use crate::db::{Db, Result, Tx, json};
use crate::types::{AccountId, PhoneNumber, Problem, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The longest key.
pub const LONGEST: usize = 200;
/// A key is remembered for so long at least.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Answers that one transaction empties.
const BATCH: i64 = 200;

/// What is answered in place of an answer that named a contact who was erased.
const ERASED: &str = r#"{"erased":true}"#;

/// A request that is to have its effect once.
#[derive(Debug, Clone)]
pub struct Request {
    account: AccountId,
    key: String,
    hash: Vec<u8>,
}

impl Request {
    /// The request of an account's program under its key. What makes it the same request: method, path and body.
    ///
    /// # Errors
    /// `Invalid` for an empty or too long key.
    pub fn new(account: AccountId, key: &str, method: &str, path: &str, body: &[u8]) -> Result<Self, Problem> {
        if key.is_empty() || key.len() > LONGEST || !key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return Err(Problem::invalid("Idempotency-Key", format!("Use 1 to {LONGEST} printable ASCII characters.")));
        }
        let hash = Sha256::new().chain_update(method).chain_update("\n").chain_update(path).chain_update("\n").chain_update(body);
        Ok(Self { account, key: key.to_owned(), hash: hash.finalize().to_vec() })
    }
}

/// An answer as it was given, and is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Runs `effect` and remembers its answer; when it was remembered before, answers that and runs nothing. Who comes second while
/// the first is under way waits for its end: on PostgreSQL at the key's row, on SQLite at the transaction.
///
/// # Errors
/// `Invalid` when the key was used for another request; what `effect` answers, and then nothing may be committed.
pub async fn once(
    tx: &mut Tx,
    now: &Now,
    request: Option<&Request>,
    effect: impl AsyncFnOnce(&mut Tx) -> Result<Answer, Problem>,
) -> Result<Answer, Problem> {
    let Some(request) = request else { return effect(tx).await };
    let fresh = tx
        .run(
            "insert into idempotency_key (account_id, key, request_hash, status, answer, created_at)
             values ($1, $2, $3, 0, '', $4)
             on conflict do nothing",
            (request.account, request.key.clone(), request.hash.clone(), now.at()),
        )
        .await?;
    if fresh == 0 {
        let (hash, status, body): (Vec<u8>, i64, String) = tx
            .one(
                "select request_hash, status, answer from idempotency_key where account_id = $1 and key = $2",
                (request.account, request.key.clone()),
            )
            .await?;
        if hash != request.hash {
            return Err(Problem::invalid("Idempotency-Key", "This key was used for another request. Use a new key for a new request."));
        }
        return Ok(Answer { status: u16::try_from(status).unwrap_or(200), body });
    }
    let answer = effect(tx).await?;
    tx.run(
        "update idempotency_key set status = $3, answer = $4 where account_id = $1 and key = $2",
        (request.account, request.key.clone(), i64::from(answer.status), answer.body.clone()),
    )
    .await?;
    Ok(answer)
}

/// Erases answers that name a contact of the account. Their keys stay: a repeated request has no second effect, and is answered that.
///
/// # Errors
/// What the database says.
pub(super) async fn forget_number(tx: &mut Tx, account: AccountId, number: &PhoneNumber) -> Result<u64> {
    tx.run(
        "update idempotency_key set answer = $3 where account_id = $1 and answer like $2",
        (account, super::erasure::naming(number), ERASED.to_owned()),
    )
    .await
}

/// Empties the text of what an account was answered before a moment, one batch of answers behind a key; says with which key the batch ended.
/// An answer that is given again says what the message says by then.
///
/// # Errors
/// What the database says.
pub(crate) async fn remove_text_before(db: &Db, account: AccountId, after: &str, before: Timestamp) -> Result<Option<String>> {
    let told: Vec<(String, String)> = db
        .all(
            r#"select key, answer from idempotency_key
               where account_id = $1 and key > $2 and created_at < $3
                 and answer like '%"text":"_%' and answer not like '%"text":"",%'
               order by key
               limit $4"#,
            (account, after.to_owned(), before, BATCH),
        )
        .await?;
    let Some((last, _)) = told.last().cloned() else { return Ok(None) };
    let left: Vec<[String; 2]> = told.into_iter().map(|(key, answer)| [key, without_text(&answer)]).collect();
    db.work(async |tx| {
        tx.run(
            // An answer that was erased meanwhile stays so.
            r#"update idempotency_key as k set answer = j.value->>1
               from json_each($2) j
               where k.account_id = $1 and k.key = j.value->>0 and k.answer like '%"text":"_%'"#,
            (account, json(&left)),
        )
        .await
    })
    .await?;
    Ok(Some(last))
}

/// An answer with nothing in its field `text`.
fn without_text(answer: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(answer) else { return ERASED.to_owned() };
    fields.insert("text".to_owned(), "".into());
    Value::Object(fields).to_string()
}

/// Forgets keys that are older than a week; says how many.
///
/// # Errors
/// What the database says.
pub async fn forget_old(db: &Db, now: &Now) -> Result<u64> {
    let before = now.at().minus(REMEMBERED);
    db.work(async |tx| tx.run("delete from idempotency_key where created_at < $1", [before]).await).await
}
