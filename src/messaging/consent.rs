//! Consent: STOP, START, HELP and their synonyms, for line and number, on every type of line. Opted-out wins until the contact
//! writes START, or an import brings a later opt-in with evidence. A START that was written before the opt-out and comes in behind it lifts
//! nothing. A “yes” lifts an opt-out, too, and is a word like any other where there is none. Keywords: CTIA Messaging Principles; 47 CFR
//! 64.1200(a)(10) for what counts as revoking.

mod by_hand;
pub(crate) mod import;
pub(crate) mod recount;

pub use by_hand::{SetByHand, of, set};

use crate::clock::Now;
use crate::db::{Result, Tx, json};
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
    /// The same of who has opted out; of anybody else a word like any other, such as the answer to a question.
    Yes,
    /// Who is this?
    Help,
}

/// The words of each, in lower case.
const WORDS: [(Keyword, &[&str]); 4] = [
    (
        Keyword::Stop,
        &["stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out", "opt-out", "stop-all"],
    ),
    (Keyword::Start, &["start", "unstop", "subscribe", "optin", "opt in", "opt-in"]),
    (Keyword::Yes, &["yes"]),
    (Keyword::Help, &["help", "info"]),
];

/// Every word that is a keyword whoever writes it.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    WORDS.into_iter().filter(|(keyword, _)| *keyword != Keyword::Yes).flat_map(|(_, words)| words.iter().copied())
}

/// Whether a message that is this word is a keyword whoever writes it, so that nothing else can answer it.
pub fn is_reserved(word: &str) -> bool {
    keyword(word).is_some_and(|keyword| keyword != Keyword::Yes)
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
            Self::Start | Self::Yes => "You are subscribed again. Reply STOP to get no more messages, HELP for help.",
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
    /// What they wrote: STOP, START or “yes”.
    pub(super) keyword: Keyword,
    /// When they wrote it; never ahead of when it came in.
    pub(super) at: Timestamp,
}

impl Given {
    fn is_out(&self) -> bool {
        self.keyword == Keyword::Stop
    }

    fn state(&self) -> &'static str {
        if self.is_out() { "opted_out" } else { "opted_in" }
    }
}

/// What became of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// They have opted out, and are told so: they had not by STOP before.
    OptedOut,
    /// They had opted out and get messages again, and are told so.
    OptedIn,
    /// It is written down and nothing is said: they were told before, had not opted out at all, or stay opted out.
    Noted,
    /// It is a word like any other.
    Ordinary,
}

/// A line and a number.
type Of<'a> = (LineId, &'a PhoneNumber);

/// Who has opted out: since when, and whether by STOP.
type Out = HashMap<(LineId, PhoneNumber), (Timestamp, bool)>;

/// Writes the consent that came in at `at`, in order; all of it goes into the history, but what is a word like any other. What was written
/// later stands, except that a STOP always counts. Says what became of each.
pub(super) async fn write(tx: &mut Tx, now: &Now, at: Timestamp, given: &[Given]) -> Result<Vec<Became>> {
    let mut became = vec![Became::Noted; given.len()];
    if given.is_empty() {
        return Ok(became);
    }
    // Who was erased and writes again has said it anew, if they wrote it later; until then their opt-out stands like any other.
    let mut erased = erased_of(tx, given).await?;
    let mut said_anew: Vec<(LineId, String)> = Vec::new();
    for round in rounds(given) {
        let keys: Vec<Of<'_>> = round.iter().map(|place| (given[*place].line_id, &given[*place].number)).collect();
        let out = out_of(tx, &keys).await?;
        let mut rows = Vec::with_capacity(round.len());
        for place in round {
            let one = &given[place];
            let key = (one.line_id, &one.number);
            let stands = out.get(&(one.line_id, one.number.clone())).copied();
            let of_erased = erased.get(&key).map(|(_, out_at)| *out_at);
            let is_late = stands.map(|(out_at, _)| out_at).into_iter().chain(of_erased).any(|out_at| is_behind(one.at, out_at, at));
            let was_out = stands.is_some() || of_erased.is_some();
            became[place] = match one.keyword {
                Keyword::Yes if !was_out || is_late => Became::Ordinary,
                Keyword::Stop if stands.is_some_and(|(_, by_stop)| by_stop) => Became::Noted,
                Keyword::Stop => Became::OptedOut,
                _ if was_out && !is_late => Became::OptedIn,
                _ => Became::Noted,
            };
            if became[place] == Became::Ordinary {
                continue;
            }
            let mut written = one.at;
            if let Some(out_at) = of_erased {
                if is_behind(one.at, out_at, at) {
                    if !one.is_out() {
                        continue;
                    }
                    written = out_at;
                }
                said_anew.extend(erased.remove(&key).map(|(hash, _)| (one.line_id, hash)));
            }
            rows.push((one.line_id, &one.number, one.account_id, one.state(), written));
        }
        if rows.is_empty() {
            continue;
        }
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
            (json(&rows), at),
        )
        .await?;
    }
    if !said_anew.is_empty() {
        tx.run(
            "delete from erased_opt_out
             where (line_id, number_hash) in (select unhex(j.value->>0, '-'), j.value->>1 from json_each($1) j)",
            [json(&said_anew)],
        )
        .await?;
    }
    remember(tx, now, at, given, &became).await?;

    // Nobody is told that they are subscribed who is not: they may have written STOP behind it, in the same batch.
    let again = given.iter().zip(&became).filter(|(_, became)| **became == Became::OptedIn);
    let keys: Vec<Of<'_>> = again.map(|(one, _)| (one.line_id, &one.number)).collect();
    let out = out_of(tx, &keys).await?;
    for (one, became) in given.iter().zip(&mut became) {
        if *became == Became::OptedIn && out.contains_key(&(one.line_id, one.number.clone())) {
            *became = Became::Noted;
        }
    }
    Ok(became)
}

/// The history stands in the order in which it came in, whenever it was written; ids of one millisecond are in none.
async fn remember(tx: &mut Tx, now: &Now, at: Timestamp, given: &[Given], became: &[Became]) -> Result<()> {
    let said: Vec<&Given> = given.iter().zip(became).filter(|(_, became)| **became != Became::Ordinary).map(|(one, _)| one).collect();
    if said.is_empty() {
        return Ok(());
    }
    let mut ids: Vec<Uuid> = said.iter().map(|_| now.id_at(at)).collect();
    ids.sort_unstable();
    let events: Vec<_> =
        said.iter().zip(&ids).map(|(given, id)| (given.line_id, &given.number, id, given.account_id, given.state(), given.at)).collect();
    tx.run(
        "insert into consent_event (line_id, number, id, account_id, state, source, at)
         select unhex(j.value->>0, '-'), j.value->>1, unhex(j.value->>2, '-'), unhex(j.value->>3, '-'), j.value->>4, 'keyword',
           cast(j.value->>5 as bigint)
         from json_each($1) j",
        [json(&events)],
    )
    .await?;
    Ok(())
}

/// Which of these have opted out, as the record stands.
async fn out_of(tx: &mut Tx, keys: &[Of<'_>]) -> Result<Out> {
    if keys.is_empty() {
        return Ok(Out::new());
    }
    let rows: Vec<(LineId, PhoneNumber, Timestamp, bool)> = tx
        .all(
            "select c.line_id, c.number, c.at, c.source = 'keyword'
             from json_each($1) j
             join consent c on c.line_id = unhex(j.value->>0, '-') and c.number = j.value->>1
             where c.state = 'opted_out'",
            [json(keys)],
        )
        .await?;
    Ok(rows.into_iter().map(|(line, number, at, by_stop)| ((line, number), (at, by_stop))).collect())
}

/// Whether what was written at `written` is older than an opt-out that stands. One of the future does not stand yet.
fn is_behind(written: Timestamp, out_at: Timestamp, now: Timestamp) -> bool {
    written < out_at && out_at <= now
}

/// The places of what a number said several times, in rounds, in order: it comes once in each, as one statement wants it. All numbers are
/// in one order everywhere, so that two transactions cannot wait for each other.
fn rounds(given: &[Given]) -> Vec<Vec<usize>> {
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut times: HashMap<Of<'_>, usize> = HashMap::new();
    for (place, one) in given.iter().enumerate() {
        let time = times.entry((one.line_id, &one.number)).or_default();
        match rounds.get_mut(*time) {
            Some(round) => round.push(place),
            None => rounds.push(vec![place]),
        }
        *time += 1;
    }
    let key = |place: usize| (given[place].line_id, &given[place].number);
    for round in &mut rounds {
        round.sort_unstable_by(|a, b| key(*a).cmp(&key(*b)));
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
            [json(&hashes)],
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

/// Erases what a number has said to an account's lines. An opt-out stays as a hash, so that nobody texts them again; and so does that they
/// were erased, so that no older file brings them back. It stays when they write again: what was erased is still erased.
pub(super) async fn erase(tx: &mut Tx, now: &Now, account: AccountId, number: &PhoneNumber) -> Result<()> {
    tx.run("insert into erasure_salt (one, salt) values ('salt', $1) on conflict (one) do nothing", [now.rng.bytes::<32>().to_vec()])
        .await?;
    let Some(salt) = salt(tx).await? else { return Ok(()) };
    tx.run(
        "insert into erased_contact (account_id, number_hash, at) values ($1, $2, $3)
         on conflict (account_id, number_hash) do update set at = excluded.at",
        (account, hash(&salt, number), now.at()),
    )
    .await?;
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
            (line, json(&numbers.iter().map(|n| [n]).collect::<Vec<_>>())),
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
            (line, json(&hashes)),
        )
        .await?;
    Ok(those_of(numbers, &hashes, found))
}

/// Which of these numbers are of contacts whom the account has erased.
///
/// # Errors
/// What the database says.
pub(crate) async fn erased_contacts(tx: &mut Tx, account: AccountId, numbers: &[PhoneNumber]) -> Result<HashSet<PhoneNumber>> {
    let salted: Option<(Vec<u8>,)> = tx
        .opt("select salt from erasure_salt where one = 'salt' and exists (select 1 from erased_contact where account_id = $1)", [account])
        .await?;
    let Some((salt,)) = salted else { return Ok(HashSet::new()) };
    let hashes: Vec<[String; 1]> = numbers.iter().map(|number| [hash(&salt, number)]).collect();
    let found: Vec<(String,)> = tx
        .all(
            "select e.number_hash
             from erased_contact e
             where e.account_id = $1 and e.number_hash in (select j.value->>0 from json_each($2) j)",
            (account, json(&hashes)),
        )
        .await?;
    Ok(those_of(numbers, &hashes, found))
}

/// Of numbers and their hashes, those whose hash was found.
fn those_of(numbers: &[PhoneNumber], hashes: &[[String; 1]], found: Vec<(String,)>) -> HashSet<PhoneNumber> {
    let found: HashSet<String> = found.into_iter().map(|(hash,)| hash).collect();
    numbers.iter().zip(hashes).filter(|(_, hash)| found.contains(&hash[0])).map(|(number, _)| number.clone()).collect()
}

/// Keeps opt-outs of erased contacts as hashes: nobody texts them, and their numbers do not come back.
async fn keep_erased(tx: &mut Tx, (line, account): (LineId, AccountId), outs: &[(&PhoneNumber, Timestamp)]) -> Result<()> {
    let Some(salt) = salt(tx).await? else { return Ok(()) };
    let rows: Vec<_> = outs.iter().map(|(number, at)| (hash(&salt, number), at)).collect();
    tx.run(
        "insert into erased_opt_out (line_id, number_hash, account_id, at)
         select $1, j.value->>0, $2, cast(j.value->>1 as bigint)
         from json_each($3) j
         where true
         on conflict (line_id, number_hash) do nothing",
        (line, account, json(&rows)),
    )
    .await?;
    Ok(())
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
        assert_eq!((keyword("Yes!"), is_reserved("yes")), (Some(Keyword::Yes), false), "it may answer a question");
        assert!(is_reserved("stop") && is_reserved("help") && !is_reserved("hours"));
    }
}
