//! Keys of contacts: where an entry of the audit needs a contact's number, it stands there sealed under a key that this contact alone
//! has. Erasing the contact deletes the key: nobody reads the number any more, and the audit's chain stays as it is.

use super::{Permit, Seen, may};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::secret::{Keyring, new_key};
use crate::types::{AccountId, AuditEntry, Page, PhoneNumber};
use serde_json::Value;
use uuid::Uuid;

/// The field of an entry that holds a sealed number.
const FIELD: &str = "number_sealed";

/// A number as an entry may hold it, sealed under the contact's key, which is made if there is none. `None` when the key does not open,
/// since the installation's is another one: the entry is then written without.
///
/// # Errors
/// What the database says.
pub async fn sealed_number(tx: &mut Tx, now: &Now, keys: &Keyring, account: AccountId, number: &PhoneNumber) -> Result<Option<String>> {
    let id = now.id();
    let key = keys.seal(&now.rng, "contact_key", id, &new_key(&now.rng));
    let (id, key): (Uuid, String) = tx
        .one(
            "insert into contact_key (id, account_id, number, key) values ($1, $2, $3, $4)
             on conflict (account_id, number) do update set number = excluded.number
             returning id, key",
            (id, account, number.clone(), key),
        )
        .await?;
    let own = keys.open("contact_key", id, &key).ok().and_then(|key| Keyring::parse(&key).ok());
    Ok(own.map(|own| format!("{id}:{}", own.seal(&now.rng, "audit", id, number.expose()))))
}

/// Deletes the key of a contact: whatever is sealed under it is gone. So are keys of the number that were made for accounts that have
/// nothing of it any more: a line with its conversations has moved to another account since.
///
/// # Errors
/// What the database says.
pub(crate) async fn forget_key(tx: &mut Tx, account: AccountId, number: &PhoneNumber) -> Result<u64> {
    tx.run(
        "delete from contact_key
         where number = $2
           and (account_id = $1 or not (
             exists (select 1 from contact k where k.account_id = contact_key.account_id and k.number = $2)
             or exists (select 1 from line l
                        join conversation c on c.line_id = l.id and c.number = $2
                        where l.account_id = contact_key.account_id)
             or exists (select 1 from line l
                        join consent s on s.line_id = l.id and s.number = $2
                        where l.account_id = contact_key.account_id)
             or exists (select 1 from line l
                        join message m on m.line_id = l.id and m.number = $2 and m.conversation_id is null
                        where l.account_id = contact_key.account_id)))",
        (account, number.clone()),
    )
    .await
}

async fn open(db: &Db, keys: &Keyring, sealed: &str) -> Result<Option<PhoneNumber>> {
    let Some((id, sealed)) = sealed.split_once(':').and_then(|(id, sealed)| Some((id.parse::<Uuid>().ok()?, sealed))) else {
        return Ok(None);
    };
    let found: Option<(String,)> = db.opt("select key from contact_key where id = $1", [id]).await?;
    let own = found.and_then(|(key,)| keys.open("contact_key", id, &key).ok()).and_then(|key| Keyring::parse(&key).ok());
    Ok(own.and_then(|own| own.open("audit", id, sealed).ok()).and_then(|number| PhoneNumber::parse(&number).ok()))
}

/// Entries with their sealed numbers opened for who sees personal data on all accounts; for others they stay masked.
///
/// # Errors
/// What the database says.
pub async fn with_numbers(db: &Db, keys: &Keyring, permit: &Permit<may::SeeAudit>, mut page: Page<AuditEntry>) -> Result<Page<AuditEntry>> {
    for entry in &mut page.rows {
        let Some(mut after) = entry.row.after.as_deref().and_then(|after| serde_json::from_str::<Value>(after).ok()) else { continue };
        let Some(Value::String(sealed)) = after.as_object_mut().and_then(|fields| fields.remove(FIELD)) else { continue };
        let shown = if !permit.sight().everywhere {
            "masked".to_owned()
        } else if let Some(number) = open(db, keys, &sealed).await? {
            permit.saw(Seen::AuditNumbers);
            number.readable()
        } else {
            "erased".to_owned()
        };
        after["number"] = Value::String(shown);
        entry.row.after = Some(after.to_string());
    }
    Ok(page)
}
