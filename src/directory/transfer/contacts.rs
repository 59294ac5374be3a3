//! Contacts follow their conversations to a line's new account, and back; those whom no conversation leads to follow their numbers.
//!
//! The rule: what a person wrote of a contact is lost in neither account; of a number that both know, the other's name stays.

use crate::clock::Now;
use crate::db::{Result, Tx, json};
use crate::messaging::consent::erased_contacts;
use crate::types::{AccountId, ContactId, ConversationId, LineId, PhoneNumber, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use uuid::Uuid;

/// What became of contacts, by the conversations that lead to them, or by their own ids: their numbers stand nowhere here.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Contacts {
    /// No conversation leads to these: each is named by its id in the account that had it first.
    #[serde(default)]
    pub(crate) alone: bool,
    /// So many of these a way back brings along only since the account that it goes back to does not know them at all.
    #[serde(skip)]
    pub(crate) unknown: i64,
    /// Made in the new account.
    pub(crate) made: Vec<Uuid>,
    /// Known there: the name and the note that it had, and those it has now.
    pub(crate) merged: Vec<Merged>,
    /// What the old account gave of each of these; nothing in records of before this was kept.
    #[serde(default)]
    pub(crate) given: Vec<Given>,
    /// Closed in the old account, which has no other use for them.
    pub(crate) closed: Vec<Uuid>,
}

impl Contacts {
    /// Nothing was changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.made.is_empty() && self.merged.is_empty() && self.closed.is_empty()
    }
}

/// A contact that two accounts knew: name, note, whether it was closed and when; and name and note since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Merged {
    #[serde(rename = "conversation")]
    pub(crate) of: Uuid,
    pub(crate) before: (String, String, bool),
    #[serde(default)]
    pub(crate) closed_at: Option<Timestamp>,
    pub(crate) after: (String, String),
    /// The line of the note by which the name is kept that was brought and did not become the contact's.
    #[serde(default)]
    pub(crate) alias: Option<String>,
}

impl Merged {
    /// Whether name and note are those that it was given, or those of before.
    fn is_left(&self, name: &str, note: &str) -> bool {
        (name, note) == (self.after.0.as_str(), self.after.1.as_str()) || (name, note) == (self.before.0.as_str(), self.before.1.as_str())
    }
}

/// The name and the note that an account gave of a contact, as digests: they tell whether it was edited there since, and no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    #[serde(rename = "conversation")]
    pub(crate) of: Uuid,
    pub(crate) name: String,
    pub(crate) note: String,
}

impl Given {
    fn new(of: Uuid, name: &str, note: &str) -> Self {
        Self { of, name: digest(of, name), note: digest(of, note) }
    }
}

fn digest(of: Uuid, text: &str) -> String {
    let hash = Sha256::new().chain_update(of.as_bytes()).chain_update(text).finalize();
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(sqlx::FromRow)]
struct Pair {
    /// The conversation that leads to it, or its own id.
    id: Uuid,
    /// Its own id.
    contact: Uuid,
    number: PhoneNumber,
    name: String,
    note: String,
    closed: bool,
    their_name: Option<String>,
    their_note: Option<String>,
    they_closed_at: Option<Timestamp>,
    elsewhere: bool,
}

/// Two notes as one: what both say is said once. Only whole lines say the same: “allergic” stands in “Not allergic”, too.
fn joined(theirs: &str, ours: &str) -> String {
    if ours.is_empty() || format!("\n{theirs}\n").contains(&format!("\n{ours}\n")) {
        theirs.to_owned()
    } else if theirs.is_empty() || ours.strip_prefix(theirs).is_some_and(|rest| rest.starts_with('\n')) {
        // What begins with it came from there, and was added to.
        ours.to_owned()
    } else {
        format!("{theirs}\n{ours}")
    }
}

/// What [`joined`] made of `theirs` and another note, without `theirs`: `None` when nobody can tell the two apart any more.
fn without<'a>(joined: &'a str, theirs: &str) -> Option<&'a str> {
    match joined.strip_prefix(theirs)? {
        rest if theirs.is_empty() || rest.is_empty() => Some(rest),
        rest => rest.strip_prefix('\n'),
    }
}

/// The line of a note that keeps the other one of two names, when there are two.
fn alias(theirs: &str, ours: &str) -> Option<String> {
    let (theirs, ours) = (theirs.trim(), ours.trim());
    let is_another = !theirs.is_empty() && !ours.is_empty() && theirs.to_lowercase() != ours.to_lowercase();
    is_another.then(|| format!("Also known as {ours}"))
}

/// A note without the last of its lines that is this one.
fn without_line(note: &str, line: Option<&str>) -> String {
    let mut lines: Vec<&str> = note.split('\n').collect();
    if let Some(at) = line.and_then(|line| lines.iter().rposition(|other| *other == line)) {
        lines.remove(at);
    }
    lines.join("\n")
}

/// Which contacts a way back brings along beside those of its records: those of conversations that began since the line came, and others
/// that the account that it goes back to does not know at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WayBack {
    /// The first id of the time since the line came.
    pub(crate) since: Uuid,
    /// Of those others only who was written down since: whom the account knew before is none of the other one's business.
    pub(crate) only_since: bool,
}

impl WayBack {
    /// Whether it brings one along whom no newer conversation leads to.
    fn brings(self, pair: &Pair) -> bool {
        // An id that tells no time is one of before.
        let is_since = pair.contact.get_version_num() == 7 && pair.contact >= self.since;
        pair.their_name.is_none() && (is_since || !self.only_since)
    }

    /// Those of these that it brings along, and how many of them no newer conversation leads to. Who was erased where it goes stays so.
    async fn narrow(self, tx: &mut Tx, to: AccountId, pairs: Vec<Pair>, alone: bool) -> Result<(Vec<Pair>, i64)> {
        let (mut brought, mut others): (Vec<Pair>, Vec<Pair>) = pairs.into_iter().partition(|pair| !alone && pair.id > self.since);
        others.retain(|pair| !pair.closed && self.brings(pair));
        let numbers: Vec<PhoneNumber> = others.iter().map(|pair| pair.number.clone()).collect();
        let erased = erased_contacts(tx, to, &numbers).await?;
        others.retain(|pair| !erased.contains(&pair.number));
        let unknown = i64::try_from(others.len()).unwrap_or(i64::MAX);
        brought.extend(others);
        brought.sort_unstable_by(|a, b| a.number.cmp(&b.number));
        Ok((brought, unknown))
    }
}

/// The contacts of the account `$2` with these numbers, beside those of `$3`; `elsewhere`: they are needed beside the line `$1`.
macro_rules! pairs_sql {
    ($numbers:literal) => {
        concat!(
            "select n.id, k.id as contact, n.number, k.name, k.note, k.closed_at is not null as closed, t.name as their_name,
               t.note as their_note, t.closed_at as they_closed_at,
               exists (select 1 from conversation o join line l on l.id = o.line_id and l.account_id = $2
                       where o.number = n.number and o.line_id <> $1)
                 or exists (select 1 from line l
                            where l.account_id = $2 and l.id <> $1
                              and (exists (select 1 from consent s where s.line_id = l.id and s.number = n.number)
                                or exists (select 1 from message m
                                           where m.line_id = l.id and m.number = n.number and m.conversation_id is null))) as elsewhere
             from (",
            $numbers,
            ") n
             join contact k on k.account_id = $2 and k.number = n.number
             left join contact t on t.account_id = $3 and t.number = n.number
             order by n.number"
        )
    };
}

/// Brings the contacts of some conversations, given with their numbers, from one account to the other: matched by number, else made; the
/// other account's name stays and this one's becomes a line of the note, notes are joined. One that the first account's other lines neither
/// text with nor know the consent of is closed there. On a way back only some of them.
///
/// # Errors
/// What the database says.
pub(crate) async fn move_contacts(
    tx: &mut Tx,
    now: &Now,
    line: LineId,
    (from, to): (AccountId, AccountId),
    back: Option<WayBack>,
    conversations: &[ConversationId],
) -> Result<Contacts> {
    let ids: Vec<[ConversationId; 1]> = conversations.iter().map(|id| [*id]).collect();
    let pairs: Vec<Pair> = tx
        .all(
            pairs_sql!(
                "select c.id, c.number
                 from conversation c
                 where c.line_id = $1 and c.id in (select unhex(j.value->>0, '-') from json_each($4) j)"
            ),
            (line, from, to, json(&ids)),
        )
        .await?;
    hand_over(tx, now, (from, to), back, pairs, false).await
}

/// The same of contacts with these numbers whom no conversation of the line leads to.
///
/// # Errors
/// What the database says.
pub(crate) async fn move_contacts_alone(
    tx: &mut Tx,
    now: &Now,
    line: LineId,
    (from, to): (AccountId, AccountId),
    back: Option<WayBack>,
    numbers: &[PhoneNumber],
) -> Result<Contacts> {
    let numbers: Vec<[&PhoneNumber; 1]> = numbers.iter().map(|number| [number]).collect();
    let pairs: Vec<Pair> = tx
        .all(
            pairs_sql!(
                "select o.id, o.number
                 from contact o
                 where o.account_id = $2 and o.number in (select j.value->>0 from json_each($4) j)
                   and not exists (select 1 from conversation c where c.line_id = $1 and c.number = o.number)"
            ),
            (line, from, to, json(&numbers)),
        )
        .await?;
    hand_over(tx, now, (from, to), back, pairs, true).await
}

/// Writes what becomes of contacts in both accounts.
async fn hand_over(
    tx: &mut Tx,
    now: &Now,
    (from, to): (AccountId, AccountId),
    back: Option<WayBack>,
    pairs: Vec<Pair>,
    alone: bool,
) -> Result<Contacts> {
    let (pairs, unknown) = match back {
        Some(back) => back.narrow(tx, to, pairs, alone).await?,
        None => (pairs, 0),
    };
    let mut done = Contacts { alone, unknown, ..Contacts::default() };
    let (mut rows, mut closing) = (Vec::new(), Vec::new());
    for pair in &pairs {
        // A closed one was left behind before: there is nothing of it to bring.
        if !pair.closed {
            match (&pair.their_name, &pair.their_note) {
                (Some(name), Some(note)) => {
                    let noted = joined(note, &pair.note);
                    let alias = alias(name, &pair.name).filter(|line| noted.split('\n').all(|other| other != line));
                    let noted = match &alias {
                        Some(line) => joined(&noted, line),
                        None => noted,
                    };
                    let after = (if name.is_empty() { pair.name.clone() } else { name.clone() }, noted);
                    if pair.they_closed_at.is_some() || after != (name.clone(), note.clone()) {
                        let before = (name.clone(), note.clone(), pair.they_closed_at.is_some());
                        done.merged.push(Merged { of: pair.id, before, closed_at: pair.they_closed_at, after: after.clone(), alias });
                        done.given.push(Given::new(pair.id, &pair.name, &pair.note));
                        let search = after.0.to_lowercase();
                        rows.push((pair.number.clone(), after.0, after.1, search, now.id()));
                    }
                }
                _ => {
                    done.made.push(pair.id);
                    done.given.push(Given::new(pair.id, &pair.name, &pair.note));
                    rows.push((pair.number.clone(), pair.name.clone(), pair.note.clone(), pair.name.to_lowercase(), now.id()));
                }
            }
            if !pair.elsewhere {
                done.closed.push(pair.id);
                closing.push([pair.number.clone()]);
            }
        }
    }
    tx.run(
        "insert into contact (account_id, number, name, note, search, id)
         select $1, j.value->>0, j.value->>1, j.value->>2, j.value->>3, unhex(j.value->>4, '-') from json_each($2) j
         where true
         on conflict (account_id, number) do update
         set name = excluded.name, note = excluded.note, search = excluded.search, version = contact.version + 1, closed_at = null",
        (to, json(&rows)),
    )
    .await?;
    tx.run(
        "update contact set closed_at = $3 where account_id = $1 and number in (select j.value->>0 from json_each($2) j)",
        (from, json(&closing), now.at()),
    )
    .await?;
    Ok(done)
}

/// A contact as two accounts know it now: the one that is left, and the one that it goes back to.
#[derive(sqlx::FromRow)]
struct Standing {
    /// The conversation that leads to it, or the id that it has in the account that it goes back to.
    id: Uuid,
    /// The id that it has there.
    contact: Uuid,
    number: PhoneNumber,
    name: String,
    note: String,
    own_name: String,
    own_note: String,
}

impl Standing {
    /// Whether the account that it goes back to has edited name and note since it gave them; where that was not kept, it may have.
    fn own_edits(&self, given: Option<&Given>) -> (bool, bool) {
        given.map_or((true, true), |given| (digest(self.id, &self.own_name) != given.name, digest(self.id, &self.own_note) != given.note))
    }

    /// Name and note that the account gets back of one that was made of its own, and whether the copy was edited: of a field that both
    /// have edited its own name stays, and notes are joined.
    fn made(&self, given: Option<&Given>) -> ((String, String), bool) {
        let (own_name, own_note) = self.own_edits(given);
        let (name, note) = match given {
            Some(given) => (digest(self.id, &self.name) != given.name, digest(self.id, &self.note) != given.note),
            None => (self.name != self.own_name, self.note != self.own_note),
        };
        let named = if name && (!own_name || self.own_name.is_empty()) { &self.name } else { &self.own_name };
        let noted = match (note, own_note) {
            (false, _) => self.own_note.clone(),
            (true, false) => self.note.clone(),
            (true, true) => joined(&self.own_note, &self.note),
        };
        ((named.clone(), noted), name || note)
    }

    /// The same of one that was merged and edited. What the other account knew of it before is none of this one's business: a note in
    /// which that cannot be told apart stays there.
    fn merged(&self, given: Option<&Given>, merged: &Merged) -> (String, String) {
        let own_name = given.is_some() && self.own_edits(given).0;
        let name = if self.name != merged.after.0 && !own_name { &self.name } else { &self.own_name };
        let ours = |note: &str| without(note, &merged.before.1).map(|note| without_line(note, merged.alias.as_deref()));
        let was = ours(&merged.after.1).unwrap_or_default();
        let note = match ours(&self.note) {
            Some(is) if is == was || is.is_empty() => self.own_note.clone(),
            Some(is) if self.own_note == was => is,
            Some(is) => joined(&self.own_note, &is),
            None => self.own_note.clone(),
        };
        (name.clone(), note)
    }
}

/// Takes [`move_contacts`] back: `to` is the account that had them first. Who was edited since keeps the edit, whichever account made it;
/// says who, by the ids that they have there.
///
/// # Errors
/// What the database says.
pub(crate) async fn restore_contacts(
    tx: &mut Tx,
    now: &Now,
    line: LineId,
    (from, to): (AccountId, AccountId),
    was: &Contacts,
) -> Result<Vec<Uuid>> {
    let ids = |list: &[Uuid]| json(&list.iter().map(|id| [*id]).collect::<Vec<_>>());
    let mut edited = Vec::new();
    let all: Vec<Uuid> = was.made.iter().copied().chain(was.merged.iter().map(|m| m.of)).collect();
    let merged_of: HashMap<Uuid, &Merged> = was.merged.iter().map(|m| (m.of, m)).collect();
    let given_of: HashMap<Uuid, &Given> = was.given.iter().map(|g| (g.of, g)).collect();
    let standing: Vec<Standing> = if was.alone {
        tx.all(
            "select o.id, o.id as contact, o.number, k.name, k.note, o.name as own_name, o.note as own_note
             from contact o
             join contact k on k.account_id = $1 and k.number = o.number
             where o.account_id = $2 and o.id in (select unhex(j.value->>0, '-') from json_each($3) j)
             order by o.number",
            (from, to, ids(&all)),
        )
        .await?
    } else {
        tx.all(
            "select c.id, o.id as contact, c.number, k.name, k.note, o.name as own_name, o.note as own_note
             from conversation c
             join contact k on k.account_id = $2 and k.number = c.number
             join contact o on o.account_id = $3 and o.number = c.number
             where c.line_id = $1 and c.id in (select unhex(j.value->>0, '-') from json_each($4) j)
             order by c.number",
            (line, from, to, ids(&all)),
        )
        .await?
    };
    let (mut gone, mut back, mut newer) = (Vec::new(), Vec::new(), Vec::new());
    for stands in standing {
        let (merged, given) = (merged_of.get(&stands.id).copied(), given_of.get(&stands.id).copied());
        let (own, is_edited) = match merged {
            // As it was brought, or restored already: then a batch that was done is asked for again.
            Some(merged) if merged.is_left(&stands.name, &stands.note) => {
                let (name, note, was_closed) = merged.before.clone();
                let closed_at = merged.closed_at.or_else(|| was_closed.then(|| now.at()));
                let search = name.to_lowercase();
                back.push((stands.number.clone(), name, note, closed_at, search, now.id()));
                ((stands.own_name.clone(), stands.own_note.clone()), false)
            }
            Some(merged) => (stands.merged(given, merged), true),
            None => stands.made(given),
        };
        if merged.is_none() && !is_edited {
            gone.push([stands.number.clone()]);
        }
        let own_edits = given.map_or((false, false), |given| stands.own_edits(Some(given)));
        if is_edited || own_edits != (false, false) {
            edited.push(stands.contact);
        }
        if (&stands.own_name, &stands.own_note) != (&own.0, &own.1) {
            let search = own.0.to_lowercase();
            newer.push((stands.number, own.0, own.1, search, now.id()));
        }
    }
    tx.run(
        "delete from contact
         where account_id = $1 and number in (select j.value->>0 from json_each($2) j)
           and not exists (select 1 from conversation c join line l on l.id = c.line_id and l.account_id = $1
                           where c.number = contact.number and c.line_id <> $3)
           and not exists (select 1 from line l
                           where l.account_id = $1 and l.id <> $3
                             and (exists (select 1 from consent s where s.line_id = l.id and s.number = contact.number)
                               or exists (select 1 from message m
                                          where m.line_id = l.id and m.number = contact.number and m.conversation_id is null)))",
        (from, json(&gone), line),
    )
    .await?;
    tx.run(
        "insert into contact (account_id, number, name, note, closed_at, search, id)
         select $1, j.value->>0, j.value->>1, j.value->>2, cast(j.value->>3 as bigint), j.value->>4, unhex(j.value->>5, '-')
         from json_each($2) j
         where true
         on conflict (account_id, number) do update
         set name = excluded.name, note = excluded.note, search = excluded.search, version = contact.version + 1,
           closed_at = coalesce(contact.closed_at, excluded.closed_at)",
        (from, json(&back)),
    )
    .await?;
    tx.run(
        "insert into contact (account_id, number, name, note, search, id)
         select $1, j.value->>0, j.value->>1, j.value->>2, j.value->>3, unhex(j.value->>4, '-') from json_each($2) j
         where true
         on conflict (account_id, number) do update
         set name = excluded.name, note = excluded.note, search = excluded.search, version = contact.version + 1",
        (to, json(&newer)),
    )
    .await?;
    if was.alone {
        tx.run(
            "update contact set closed_at = null
             where account_id = $1 and id in (select unhex(j.value->>0, '-') from json_each($2) j)",
            (to, ids(&was.closed)),
        )
        .await?;
    } else {
        tx.run(
            "update contact set closed_at = null
             where account_id = $2 and number in (
               select c.number from conversation c
               where c.line_id = $1 and c.id in (select unhex(j.value->>0, '-') from json_each($3) j))",
            (line, to, ids(&was.closed)),
        )
        .await?;
    }
    Ok(edited)
}

/// Which of these numbers the account knows, and by which ids.
///
/// # Errors
/// What the database says.
pub(crate) async fn contacts_of(tx: &mut Tx, account: AccountId, numbers: &[PhoneNumber]) -> Result<HashMap<PhoneNumber, ContactId>> {
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let known: Vec<(PhoneNumber, ContactId)> = tx
        .all(
            "select k.number, k.id
             from contact k
             where k.account_id = $1 and k.number in (select j.value->>0 from json_each($2) j)",
            (account, json(&numbers.iter().map(|number| [number]).collect::<Vec<_>>())),
        )
        .await?;
    Ok(known.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::{alias, joined, without, without_line};

    #[test]
    fn what_both_notes_say_in_whole_lines_is_said_once() {
        assert_eq!(joined("Not allergic to nuts", "allergic to nuts"), "Not allergic to nuts\nallergic to nuts");
        assert_eq!(joined("Gate code 1\nRings twice", "Rings twice"), "Gate code 1\nRings twice");
        assert_eq!(joined("Gate code 1\nRings twice\nHas a dog", "Gate code 1\nRings twice"), "Gate code 1\nRings twice\nHas a dog");
        assert_eq!(joined("Gate code 1", "Gate code 1\nRings twice"), "Gate code 1\nRings twice", "it was added to");
        assert_eq!(joined("Gate code 1", "Gate code 12"), "Gate code 1\nGate code 12");
        assert_eq!((joined("", "Ours"), joined("Theirs", "")), ("Ours".to_owned(), "Theirs".to_owned()));
    }

    #[test]
    fn what_was_joined_is_told_apart_again() {
        let both = joined("Theirs", "Ours");
        assert_eq!((without(&both, "Theirs"), without("Edited", "Theirs")), (Some("Ours"), None));
        let named = joined(&both, "Also known as Ada");
        assert_eq!(without_line(without(&named, "Theirs").expect("it is joined"), Some("Also known as Ada")), "Ours");
        assert_eq!(without_line("Also known as Ada", Some("Also known as Ada")), "");
        assert_eq!(without_line("Ours\nAlso known as Adam", Some("Also known as Ada")), "Ours\nAlso known as Adam");
    }

    #[test]
    fn of_two_names_the_other_one_is_kept_as_a_line() {
        assert_eq!(alias("Ada", "Countess").as_deref(), Some("Also known as Countess"));
        assert_eq!((alias("Ada", "ada "), alias("", "Ada"), alias("Ada", "")), (None, None, None));
    }
}
