//! The second factor: one-time codes of an authenticator (TOTP, RFC 6238: SHA-1, 6 digits, 30 s), and recovery codes for the day the
//! phone is lost.
//!
//! The rule: a code works once. The secret lies sealed; recovery codes lie hashed and are shown only when they are made.

use super::{By, Entry, Proof, end_other_sessions, hash_token, record};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::secret::Keyring;
use crate::types::{Change, Problem, SecondFactorOffer, StaffId};
use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Builder, Secret, Totp};

const COLUMN: &str = "second_factor";
const ISSUER: &str = "Switchyard";
/// RFC 4226 recommends 160 bits.
const SECRET_BYTES: usize = 20;
/// A code of the step before or after is taken too: clocks differ.
const SKEW: u16 = 1;
const RECOVERY_CODES: usize = 10;
/// Without the letters and digits that are taken for each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

fn broken(error: impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "the second factor failed");
    Problem::unavailable("The second factor cannot be set up or checked right now. Try again in a minute.")
}

fn totp(secret: Secret, email: &str) -> Result<Totp, Problem> {
    // A colon would divide the name in an authenticator.
    let name = email.replace(':', " ");
    Builder::new().with_secret(secret).with_skew(SKEW).with_issuer(Some(ISSUER)).with_account_name(name).build().map_err(broken)
}

fn opened(keys: &Keyring, id: StaffId, sealed: &str) -> Result<Secret, Problem> {
    let text = keys.open(COLUMN, id.0, sealed).map_err(broken)?;
    Secret::try_from_base32(text).map_err(broken)
}

fn seconds(now: &Now) -> u64 {
    u64::try_from(now.at().millis() / 1000).unwrap_or(0)
}

/// Begins to set one up: a new secret that counts for nothing until [`confirm`].
///
/// # Errors
/// `Conflict` when there is one already.
pub async fn offer(db: &Db, now: &Now, keys: &Keyring, _proof: Proof, id: StaffId) -> Result<SecondFactorOffer, Problem> {
    let secret = Secret::from(now.rng.bytes::<SECRET_BYTES>());
    let text = secret.to_base32();
    let sealed = keys.seal(&now.rng, COLUMN, id.0, &text);
    let email: Option<(String,)> = db
        .work(async |tx| {
            tx.opt("update staff_member set second_factor_begun = $2 where id = $1 and second_factor is null returning email", (id, sealed))
                .await
        })
        .await?;
    let (email,) = email.ok_or_else(|| Problem::conflict("You have a second factor already. Remove it first to set up another one."))?;
    let url = totp(secret, &email)?.to_url().map_err(broken)?;
    let code = QrCode::new(url.as_bytes()).map_err(broken)?;
    // Black on white in both themes: cameras want it so.
    let picture = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
    Ok(SecondFactorOffer { secret: text, picture })
}

/// Sets up the second factor that was offered, by its first code; answers the recovery codes, which are shown now and never again. Every
/// other session than `keep` ends.
///
/// # Errors
/// `Invalid` for a wrong code, `Conflict` when none was offered.
pub async fn confirm(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    _proof: Proof,
    by: impl Into<By<'_>>,
    code: &str,
    keep: &[u8],
) -> Result<Vec<String>, Problem> {
    let by = by.into();
    let id = by.id;
    let found: Option<(String, String, Option<String>)> =
        db.opt("select name, email, second_factor_begun from staff_member where id = $1 and second_factor is null", [id]).await?;
    let Some((name, email, Some(sealed))) = found else {
        return Err(Problem::conflict("No second factor is being set up. Begin again."));
    };
    let step = totp(opened(keys, id, &sealed)?, &email)?.check(plain(code).as_str(), seconds(now));
    let Some(step) = step.and_then(|step| i64::try_from(step).ok()) else {
        return Err(Problem::invalid("code", "This code does not fit. Take the one that is shown now; the phone's clock must be right."));
    };
    db.work(async |tx| {
        let done = tx
            .run(
                "update staff_member
                 set second_factor = second_factor_begun, second_factor_begun = null, second_factor_step = $3, version = version + 1
                 where id = $1 and second_factor_begun = $2",
                (id, sealed, step),
            )
            .await?;
        if done == 0 {
            return Err(Problem::conflict("The second factor was set up elsewhere meanwhile. Reload the page."));
        }
        end_other_sessions(tx, now, id, keep).await?;
        let entry = Entry { action: "staff.set_second_factor", subject_id: Some(id.0), ..Entry::default() };
        record(tx, now, &by.actor(name), entry).await?;
        Ok(renew_codes(tx, now, id).await?)
    })
    .await
}

/// New recovery codes in place of all earlier ones.
///
/// # Errors
/// `Conflict` without a second factor.
pub async fn new_recovery_codes(db: &Db, now: &Now, _proof: Proof, by: impl Into<By<'_>>) -> Result<Vec<String>, Problem> {
    let by = by.into();
    let id = by.id;
    db.work(async |tx| {
        let found: Option<(String,)> = tx.opt("select name from staff_member where id = $1 and second_factor is not null", [id]).await?;
        let (name,) = found.ok_or_else(|| Problem::conflict("Set up a second factor first."))?;
        let entry = Entry { action: "staff.new_recovery_codes", subject_id: Some(id.0), ..Entry::default() };
        record(tx, now, &by.actor(name), entry).await?;
        Ok(renew_codes(tx, now, id).await?)
    })
    .await
}

async fn renew_codes(tx: &mut Tx, now: &Now, id: StaffId) -> Result<Vec<String>> {
    tx.run("delete from recovery_code where staff_id = $1", [id]).await?;
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        // 24 letters of 5 bits: enough that a plain hash hides them (ASVS 5.0, 6.5.2).
        let letters: Vec<u8> = now.rng.bytes::<24>().iter().map(|byte| ALPHABET[usize::from(byte % 32)]).collect();
        let code = letters.chunks(6).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-");
        tx.run("insert into recovery_code (staff_id, code_hash) values ($1, $2)", (id, hash_token(plain(&code).as_bytes()))).await?;
        codes.push(code);
    }
    Ok(codes)
}

/// A code as it counts: without what people put between its letters.
fn plain(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).take(64).collect()
}

/// Whether the code is right, a one-time or a recovery one; it is used up in the caller's transaction.
///
/// # Errors
/// What the database says, or when the sealed secret does not open.
pub(super) async fn use_up(tx: &mut Tx, now: &Now, keys: &Keyring, id: StaffId, code: &str) -> Result<bool, Problem> {
    let found: Option<(String, String)> =
        tx.opt("select email, second_factor from staff_member where id = $1 and second_factor is not null", [id]).await?;
    let Some((email, sealed)) = found else { return Ok(false) };
    let code = plain(code);
    if let Some(step) = totp(opened(keys, id, &sealed)?, &email)?.check(&code, seconds(now)) {
        // The step must be later than any whose code was used: who looks over a shoulder comes too late.
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let used = tx.run("update staff_member set second_factor_step = $2 where id = $1 and second_factor_step < $2", (id, step)).await?;
        return Ok(used == 1);
    }
    let used = tx
        .run(
            "update recovery_code set used_at = $3 where staff_id = $1 and code_hash = $2 and used_at is null",
            (id, hash_token(code.as_bytes()), now.at()),
        )
        .await?;
    Ok(used == 1)
}

/// Takes the second factor away, with its recovery codes.
///
/// # Errors
/// What the database says.
pub(super) async fn forget(tx: &mut Tx, id: StaffId) -> Result<()> {
    tx.run("update staff_member set second_factor = null, second_factor_begun = null, version = version + 1 where id = $1", [id]).await?;
    tx.run("delete from recovery_code where staff_id = $1", [id]).await?;
    // What needs it holds no longer, in open event streams too.
    tx.tell(Change::Staff);
    Ok(())
}
