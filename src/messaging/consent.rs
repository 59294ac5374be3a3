//! Consent: STOP, START, HELP and their synonyms, for line and number, on every type of line. Opted-out wins until the contact
//! writes START, or an import brings a later opt-in with evidence. A START that was written before the opt-out and comes in behind it lifts
//! nothing. Keywords: CTIA Messaging Principles; 47 CFR 64.1200(a)(10) for what counts as revoking.

mod by_hand;
pub(crate) mod import;

pub use by_hand::{SetByHand, of, set};

use crate::clock::Now;
use crate::db::{Result, Tx};
use crate::types::{AccountId, LineId, PhoneNumber, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// What a keyword asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
    /// Who is this?
    Help,
}

/// The words of each, in lower case.
const WORDS: [(Keyword, &[&str]); 3] = [
    (
        Keyword::Stop,
        &["stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out", "opt-out", "stop-all"],
    ),
    (Keyword::Start, &["start", "unstop", "yes", "subscribe", "optin", "opt in", "opt-in"]),
    (Keyword::Help, &["help", "info"]),
];

/// Every word that is a keyword.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    WORDS.into_iter().flat_map(|(_, words)| words.iter().copied())
}

/// The keyword that a message is, if it is one: the whole message, in any case, with spaces and closing signs dropped.
pub fn keyword(body: &str) -> Option<Keyword> {
    let word = body.trim().trim_end_matches(['.', '!', '?', '"']).trim_start_matches('"');
    if word.len() > 20 {
        return None;
    }
    let word = word.to_lowercase();
    let (keyword, _) = WORDS.into_iter().find(|(_, words)| words.contains(&word.as_str()))?;
    Some(keyword)
}

impl Keyword {
    /// The one answer that is sent.
    pub fn answer(self) -> &'static str {
        match self {
            Self::Stop => "You have been unsubscribed and will get no more messages from this number. Reply START to get them again.",
            Self::Start => "You are subscribed again. Reply STOP to get no more messages, HELP for help.",
            Self::Help => {
                "This number sends messages on behalf of a business. Reply STOP to get no more of them. Message and data rates may apply."
            }
        }
    }
}

/// Consent as a keyword gives it.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// The line.
    pub(super) line_id: LineId,
    /// The contact.
    pub(super) number: PhoneNumber,
    /// The account that owns the line now.
    pub(super) account_id: AccountId,
    /// They want no messages; else they agree.
    pub(super) out: bool,
    /// When they wrote it; never ahead of when it came in.
    pub(super) at: Timestamp,
}

impl Given {
    fn state(&self) -> &'static str {
        if self.out { "opted_out" } else { "opted_in" }
    }
}

/// A line and a number.
type Of<'a> = (LineId, &'a PhoneNumber);

/// Writes the consent that came in at `at`, in order; all of it goes into the history. What was written later stands, except that a STOP
/// always counts. Says who wrote START and stays opted out.
pub(super) async fn write(tx: &mut Tx, now: &Now, at: Timestamp, given: &[Given]) -> Result<HashSet<(LineId, PhoneNumber)>> {
    if given.is_empty() {
        return Ok(HashSet::new());
    }
    // The history stands in the order in which it came in, whenever it was written; ids of one millisecond are in none.
    let mut ids: Vec<Uuid> = given.iter().map(|_| now.id_at(at)).collect();
    ids.sort_unstable();
    let events: Vec<_> =
        given.iter().zip(&ids).map(|(given, id)| (given.line_id, &given.number, id, given.account_id, given.state(), given.at)).collect();
    tx.run(
        "insert into consent_event (line_id, number, id, account_id, state, source, at)
         select unhex(j.value->>0, '-'), j.value->>1, unhex(j.value->>2, '-'), unhex(j.value->>3, '-'), j.value->>4, 'keyword',
           cast(j.value->>5 as bigint)
         from json_each($1) j",
        [super::inbound::json(&events)],
    )
    .await?;

    // Who was erased and writes again has said it anew, if they wrote it later; until then their opt-out stands like any other.
    let erased = erased_of(tx, given).await?;
    let mut said_anew: HashMap<Of<'_>, &str> = HashMap::new();
    let mut stays_erased: HashSet<Of<'_>> = HashSet::new();
    let mut counts: Vec<Given> = Vec::with_capacity(given.len());
    for one in given {
        let key = (one.line_id, &one.number);
        let mut one = one.clone();
        if let Some((hash, out_at)) = erased.get(&key) {
            if is_behind(one.at, *out_at, at) {
                if !one.out {
                    stays_erased.insert(key);
                    continue;
                }
                one.at = *out_at;
            }
            said_anew.insert(key, hash);
        }
        counts.push(one);
    }
    for round in rounds(counts) {
        let rows: Vec<_> = round.iter().map(|one| (one.line_id, &one.number, one.account_id, one.state(), one.at)).collect();
        // What lies ahead of the present was imported by its day alone: it is over before what a contact writes today.
        tx.run(
            "insert into consent (line_id, number, account_id, state, source, at)
             select unhex(j.value->>0, '-'), j.value->>1, unhex(j.value->>2, '-'), j.value->>3, 'keyword', cast(j.value->>4 as bigint)
             from json_each($1) j
             where true
             on conflict (line_id, number) do update
             set account_id = excluded.account_id, state = excluded.state, source = excluded.source, evidence = null,
                 at = case when consent.at > excluded.at and consent.at <= $2 then consent.at else excluded.at end
             where excluded.at >= consent.at or consent.at > $2 or (excluded.state = 'opted_out' and consent.state <> 'opted_out')",
            (super::inbound::json(&rows), at),
        )
        .await?;
    }
    if !said_anew.is_empty() {
        let hashes: Vec<_> = said_anew.iter().map(|((line, _), hash)| (line, hash)).collect();
        tx.run(
            "delete from erased_opt_out
             where (line_id, number_hash) in (select unhex(j.value->>0, '-'), j.value->>1 from json_each($1) j)",
            [super::inbound::json(&hashes)],
        )
        .await?;
    }

    let started: Vec<Of<'_>> = given.iter().filter(|one| !one.out).map(|one| (one.line_id, &one.number)).collect();
    if started.is_empty() {
        return Ok(HashSet::new());
    }
    let out: Vec<(LineId, PhoneNumber)> = tx
        .all(
            "select c.line_id, c.number
             from json_each($1) j
             join consent c on c.line_id = unhex(j.value->>0, '-') and c.number = j.value->>1
             where c.state = 'opted_out'",
            [super::inbound::json(&started)],
        )
        .await?;
    let erased = stays_erased.into_iter().filter(|key| !said_anew.contains_key(key)).map(|(line, number)| (line, number.clone()));
    Ok(out.into_iter().chain(erased).collect())
}

/// Whether what was written at `written` is older than an opt-out that stands. One of the future does not stand yet.
fn is_behind(written: Timestamp, out_at: Timestamp, now: Timestamp) -> bool {
    written < out_at && out_at <= now
}

/// What a number said several times in rounds, in order: it comes once in each, as one statement wants it. All numbers are in one order
/// everywhere, so that two transactions cannot wait for each other.
fn rounds(given: Vec<Given>) -> Vec<Vec<Given>> {
    let mut rounds: Vec<Vec<Given>> = Vec::new();
    let mut times: HashMap<(LineId, PhoneNumber), usize> = HashMap::new();
    for one in given {
        let time = times.entry((one.line_id, one.number.clone())).or_default();
        match rounds.get_mut(*time) {
            Some(round) => round.push(one),
            None => rounds.push(vec![one]),
        }
        *time += 1;
    }
    for round in &mut rounds {
        round.sort_unstable_by(|a, b| (a.line_id, &a.number).cmp(&(b.line_id, &b.number)));
    }
    rounds
}

/// Which of these are of contacts who had opted out of the line and were erased: the hash that is kept of them, and when they had.
async fn erased_of<'a>(tx: &mut Tx, given: &'a [Given]) -> Result<HashMap<Of<'a>, (String, Timestamp)>> {
    let Some(salt) = salt(tx).await? else { return Ok(HashMap::new()) };
    let hashes: Vec<(LineId, String)> = given.iter().map(|one| (one.line_id, hash(&salt, &one.number))).collect();
    let found: Vec<(LineId, String, Timestamp)> = tx
        .all(
            "select e.line_id, e.number_hash, e.at
             from json_each($1) j
             join erased_opt_out e on e.line_id = unhex(j.value->>0, '-') and e.number_hash = j.value->>1",
            [super::inbound::json(&hashes)],
        )
        .await?;
    let found: HashMap<(LineId, String), Timestamp> = found.into_iter().map(|(line, hash, at)| ((line, hash), at)).collect();
    let known = given.iter().zip(hashes).filter_map(|(one, key)| {
        let at = *found.get(&key)?;
        Some(((one.line_id, &one.number), (key.1, at)))
    });
    Ok(known.collect())
}

/// What the hashes of erased contacts are salted with; `None` while nobody was erased.
async fn salt(tx: &mut Tx) -> Result<Option<Vec<u8>>> {
    let found: Option<(Vec<u8>,)> = tx.opt("select salt from erasure_salt where one = 'salt'", ()).await?;
    Ok(found.map(|(salt,)| salt))
}

fn hash(salt: &[u8], number: &PhoneNumber) -> String {
    let hash = Sha256::new().chain_update(salt).chain_update(number.expose()).finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Erases what a number has said to an account's lines. An opt-out stays as a hash, so that nobody texts them again.
pub(super) async fn erase(tx: &mut Tx, now: &Now, account: AccountId, number: &PhoneNumber) -> Result<()> {
    tx.run("insert into erasure_salt (one, salt) values ('salt', $1) on conflict (one) do nothing", [now.rng.bytes::<32>().to_vec()])
        .await?;
    let Some(salt) = salt(tx).await? else { return Ok(()) };
    tx.run(
        "insert into erased_opt_out (line_id, number_hash, account_id, at)
         select c.line_id, $3, l.account_id, c.at
         from line l
         join consent c on c.line_id = l.id and c.number = $2 and c.state = 'opted_out'
         where l.account_id = $1
         on conflict (line_id, number_hash) do nothing",
        (account, number.clone(), hash(&salt, number)),
    )
    .await?;
    tx.run("delete from consent where number = $2 and line_id in (select id from line where account_id = $1)", (account, number.clone()))
        .await?;
    tx.run(
        "delete from consent_event where number = $2 and line_id in (select id from line where account_id = $1)",
        (account, number.clone()),
    )
    .await?;
    Ok(())
}

/// Which of these numbers have opted out of the line. The list is looked up, whatever is on record: in a join SQLite would read all
/// that is, and the list again for each.
pub(super) async fn opted_out(tx: &mut Tx, line: LineId, numbers: &[PhoneNumber]) -> Result<HashSet<PhoneNumber>> {
    let rows: Vec<(PhoneNumber,)> = tx
        .all(
            "select c.number
             from consent c
             where c.line_id = $1 and c.number in (select j.value->>0 from json_each($2) j) and c.state = 'opted_out'",
            (line, super::inbound::json(&numbers.iter().map(|n| [n]).collect::<Vec<_>>())),
        )
        .await?;
    let mut out: HashSet<PhoneNumber> = rows.into_iter().map(|(number,)| number).collect();
    out.extend(erased(tx, line, numbers).await?);
    Ok(out)
}

/// Which of these numbers are of contacts who had opted out of the line and were erased.
async fn erased(tx: &mut Tx, line: LineId, numbers: &[PhoneNumber]) -> Result<HashSet<PhoneNumber>> {
    let salted: Option<(Vec<u8>,)> = tx
        .opt("select salt from erasure_salt where one = 'salt' and exists (select 1 from erased_opt_out where line_id = $1)", [line])
        .await?;
    let Some((salt,)) = salted else { return Ok(HashSet::new()) };
    let hashes: Vec<[String; 1]> = numbers.iter().map(|number| [hash(&salt, number)]).collect();
    let found: Vec<(String,)> = tx
        .all(
            "select e.number_hash
             from erased_opt_out e
             where e.line_id = $1 and e.number_hash in (select j.value->>0 from json_each($2) j)",
            (line, super::inbound::json(&hashes)),
        )
        .await?;
    let found: HashSet<String> = found.into_iter().map(|(hash,)| hash).collect();
    Ok(numbers.iter().zip(&hashes).filter(|(_, hash)| found.contains(&hash[0])).map(|(number, _)| number.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_whole_messages() {
        for text in ["STOP", " stop ", "Stop.", "stop!", "UNSUBSCRIBE", "opt-out", "Quit"] {
            assert_eq!(keyword(text), Some(Keyword::Stop), "{text}");
        }
        assert_eq!(keyword("start"), Some(Keyword::Start));
        assert_eq!(keyword("Help"), Some(Keyword::Help));
        for text in ["", "please stop by at nine", "stopp", "don't stop", "yes please"] {
            assert_eq!(keyword(text), None, "{text}");
        }
    }
}
