//! Search everywhere: one text, looked for among lines, conversations, contacts, accounts, people, runs and staff.
//!
//! The rule: each room finds its own rows, by an index and within its permit; what was typed may be a contact's number or name, so it is
//! written down nowhere, but for a search that has a page of its own: there it stands sealed for an hour.

use crate::clock::Now;
use crate::db::{Args, Db, Result, Tx, json, one_more};
use crate::secret::Keyring;
use crate::staff::{Member, Permit, may};
use crate::types::{Found, Part, PhoneNumber, Problem, SearchId, StaffId};
use crate::{directory, staff, sync, utilities};
use std::time::Duration;
use uuid::Uuid;

/// Nothing that is searched for is longer, in characters.
const LONGEST: usize = 200;
/// Fewer letters say nothing.
const FEWEST_LETTERS: usize = 2;
/// A line is found by so many digits of its number …
const FEWEST_DIGITS: usize = 3;
/// … and a contact by so many at its end, …
const FEWEST_OF_CONTACT: usize = 4;
/// … or by so many at its beginning, with the country code or without that of the ten-digit plan.
const FEWEST_OF_BEGINNING: usize = 5;
/// The country code of the ten-digit plan, which people leave out.
const LEFT_OUT: &str = "1";
/// A search with a page of its own can be looked at again for so long.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// What a kept text is sealed for.
const COLUMN: &str = "kept_search";

/// The beginning of a text that an index is walked by, and where the walk ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Prefix {
    /// What begins with `text`, as it is.
    pub(crate) fn of(text: &str) -> Self {
        Self { from: text.to_owned(), to: format!("{text}\u{10ffff}") }
    }
}

/// Part of a contact's number, as it is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartOfNumber {
    /// Its end, read from there.
    pub(crate) tail: Prefix,
    /// How it may begin; none when that were too little.
    pub(crate) heads: Vec<Prefix>,
}

impl PartOfNumber {
    fn of(digits: &str, has_plus: bool) -> Self {
        let mut heads = Vec::new();
        if digits.len() >= FEWEST_OF_BEGINNING {
            heads.push(Prefix::of(&format!("+{digits}")));
            if !has_plus {
                heads.push(Prefix::of(&format!("+{LEFT_OUT}{digits}")));
            }
        }
        Self { tail: Prefix::of(&digits.chars().rev().collect::<String>()), heads }
    }
}

/// What a statement binds that finds contacts, or what is theirs, by a key's beginning: `$1` to `$2` the key, `$3` the whole scope, `$4`
/// the whole sight, `$5` whose they are, `$6` the scope's word, `$7` the sight's, `$8` the limit. Nothing for who sees personal data
/// nowhere: for them there is nothing to find.
pub(crate) fn of_contacts<P>(permit: &Permit<P>, key: &Prefix, most: usize) -> Option<impl Args + use<P>> {
    let (scope, sight) = (permit.scope(), permit.sight());
    let Prefix { from, to } = key.clone();
    let limit = one_more(most);
    sight.somewhere.then_some((from, to, scope.everywhere, sight.everywhere, scope.staff, scope.permission, sight.permission, limit))
}

/// What was typed, as it is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    /// The beginning of a name.
    words: Option<Prefix>,
    /// Part of a line's number.
    digits: Option<Prefix>,
    /// The beginning or the end of a contact's number.
    part: Option<PartOfNumber>,
    whole: Option<PhoneNumber>,
}

impl Asked {
    fn read(text: &str) -> Self {
        let text: String = text.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        let is_number = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | '(' | ')' | ' ' | '\u{a0}'));
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let of_digits = |fewest: usize| is_number && digits.len() >= fewest;
        Self {
            words: (text.chars().count() >= FEWEST_LETTERS).then(|| Prefix::of(&text.to_lowercase())),
            digits: of_digits(FEWEST_DIGITS).then(|| Prefix::of(&digits)),
            part: of_digits(FEWEST_OF_CONTACT).then(|| PartOfNumber::of(&digits, text.contains('+'))),
            whole: if is_number { PhoneNumber::parse(&text).ok() } else { None },
        }
    }
}

/// Looks for a text, at most `most` of each kind; what the member may not see is not looked for.
///
/// # Errors
/// What the database says.
pub async fn everywhere(db: &Db, member: &Member, text: &str, most: usize) -> Result<Found> {
    let asked = Asked::read(text);
    let mut found = Found::default();
    if let Some(permit) = member.permit_if_any::<may::SeeDirectory>() {
        if let Some(words) = &asked.words {
            found.accounts = directory::search::accounts(db, &permit, words, most).await?;
            found.users = directory::search::users(db, &permit, words, most).await?;
        }
        let accounts: Vec<_> = found.accounts.rows.iter().map(|account| account.id).collect();
        found.lines = directory::search::lines(db, &permit, asked.digits.as_ref(), asked.words.as_ref(), &accounts, most).await?;
        found.contacts = match (&asked.part, &asked.words) {
            (Some(part), _) => directory::search::contacts_by_number(db, &permit, part, most).await?,
            (None, Some(words)) => directory::search::contacts_by_name(db, &permit, words, most).await?,
            (None, None) => Part::default(),
        };
    }
    if let Some(permit) = member.permit_if_any::<may::SeeMessages>() {
        found.conversations = match (&asked.part, &asked.words) {
            (Some(part), _) => sync::conversations_by_number(db, &permit, part, most).await?,
            (None, Some(words)) => sync::conversations_by_name(db, &permit, words, most).await?,
            (None, None) => Part::default(),
        };
        found.is_whole_number = asked.whole.is_some() && !permit.sight().everywhere;
    }
    if let Some(permit) = member.permit_if_any::<may::SeeRuns>() {
        let lines: Vec<_> = found.lines.rows.iter().map(|line| line.id).collect();
        let accounts: Vec<_> = found.accounts.rows.iter().map(|account| account.id).collect();
        found.runs = utilities::of_found(db, &permit, &lines, &accounts, most).await?;
    }
    if let (Some(permit), Some(words)) = (member.permit_if_any::<may::SeeStaff>(), &asked.words) {
        found.staff = staff::found(db, &permit, words, most).await?;
    }
    Ok(found)
}

/// Keeps what was typed, sealed, for a page of its own.
///
/// # Errors
/// `Invalid` for a text that says nothing or too much.
pub async fn keep(db: &Db, now: &Now, keys: &Keyring, member: &Member, text: &str) -> Result<SearchId, Problem> {
    let text = text.trim();
    let count = text.chars().count();
    if !(FEWEST_LETTERS..=LONGEST).contains(&count) {
        return Err(Problem::invalid("text", format!("Write {FEWEST_LETTERS} to {LONGEST} letters or digits.")));
    }
    Ok(keep_for(db, now, keys, member.id(), text).await?)
}

/// The same for a list's own search, which knows itself what says too little.
///
/// # Errors
/// What the database says.
pub(crate) async fn keep_for(db: &Db, now: &Now, keys: &Keyring, staff: StaffId, text: &str) -> Result<SearchId> {
    let id = SearchId(now.id());
    let text: String = text.trim().chars().take(LONGEST).collect();
    let sealed = keys.seal(&now.rng, COLUMN, id.0, &text);
    db.work(async |tx| {
        tx.run("insert into kept_search (staff_id, id, at, typed) values ($1, $2, $3, $4)", (staff, id, now.at(), sealed)).await
    })
    .await?;
    Ok(id)
}

/// What a search of one's own was for.
///
/// # Errors
/// `NotFound` when it was an hour ago, or somebody else's.
pub async fn kept(db: &Db, now: &Now, keys: &Keyring, member: &Member, id: SearchId) -> Result<String, Problem> {
    kept_for(db, now, keys, member.id(), id).await
}

/// The same for a list's own search.
///
/// # Errors
/// As [`kept`].
pub(crate) async fn kept_for(db: &Db, now: &Now, keys: &Keyring, staff: StaffId, id: SearchId) -> Result<String, Problem> {
    let sealed: Option<(String,)> =
        db.opt("select typed from kept_search where staff_id = $1 and id = $2 and at > $3", (staff, id, now.at().minus(KEPT))).await?;
    let text = sealed.and_then(|(sealed,)| keys.open(COLUMN, id.0, &sealed).ok());
    text.ok_or_else(|| Problem::not_found("This search was too long ago. Search again."))
}

/// Forgets searches that nobody can look at any more.
///
/// # Errors
/// What the database says.
pub async fn forget_old(db: &Db, now: &Now) -> Result<u64> {
    let before = now.at().minus(KEPT);
    db.work(async |tx| tx.run("delete from kept_search where at <= $1", [before]).await).await
}

/// How many names are folded in one transaction.
const FOLDED_AT_ONCE: i64 = 1_000;

/// Folds the names that were written before each was written folded, too. A program that starts does it before anybody searches.
///
/// # Errors
/// What the database says.
pub async fn fold_older(db: &Db) -> Result<()> {
    directory::search::fold_older(db).await?;
    staff::fold_older(db).await
}

/// The same of one table: `unfolded` reads ids and names, at most `$1` of them, and `write` takes a list of an id, a name and how it is
/// found.
///
/// # Errors
/// What the database says.
pub(crate) async fn fold(db: &Db, unfolded: &'static str, write: &'static str) -> Result<()> {
    loop {
        let names: Vec<(Uuid, String)> = db.all(unfolded, [FOLDED_AT_ONCE]).await?;
        if names.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = names.iter().map(|(id, name)| (id, name, name.to_lowercase())).collect();
        let list = json(&rows);
        db.work(async |tx| tx.run(write, [list]).await).await?;
    }
}

/// Forgets every kept search: one of them may have been for somebody who is being erased.
///
/// # Errors
/// What the database says.
pub(crate) async fn forget_all(tx: &mut Tx) -> Result<u64> {
    tx.run("delete from kept_search", ()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_however_it_is_written() {
        let asked = Asked::read(" (202) 555-0143 ");
        assert_eq!(asked.digits, Some(Prefix::of("2025550143")));
        assert_eq!(asked.part.as_ref().map(|part| &part.tail), Some(&Prefix::of("3410555202")));
        assert_eq!(asked.whole, None, "ten bare digits are not guessed at");
        assert!(Asked::read("+1 202 555 0143").whole.is_some());
    }

    #[test]
    fn too_little_is_not_looked_for() {
        let asked = Asked::read("14");
        assert!(asked.digits.is_none() && asked.part.is_none() && asked.words.is_some());
        let asked = Asked::read("143");
        assert!(asked.digits.is_some() && asked.part.is_none());
        assert_eq!(Asked::read(" x "), Asked { words: None, digits: None, part: None, whole: None });
    }

    #[test]
    fn a_number_begins_with_its_country_code_or_without_that_of_the_ten_digit_plan() {
        let heads = |text: &str| Asked::read(text).part.map(|part| part.heads);
        assert_eq!(heads("+1 202 5"), Some(vec![Prefix::of("+12025")]));
        assert_eq!(heads("+49 301"), Some(vec![Prefix::of("+49301")]));
        assert_eq!(heads("(202) 55"), Some(vec![Prefix::of("+20255"), Prefix::of("+120255")]));
        assert_eq!(heads("2025"), Some(Vec::new()), "four digits are the end of a number");
        assert_eq!(heads("202"), None);
    }

    #[test]
    fn a_name_with_digits_is_no_number() {
        let asked = Asked::read("Store 1400");
        assert_eq!((asked.digits, asked.part), (None, None));
        assert_eq!(asked.words, Some(Prefix::of("store 1400")));
    }

    #[test]
    fn a_name_is_folded_whatever_its_alphabet() {
        for (text, words) in [("ÉLI", "éli"), ("Ärzte", "ärzte"), ("ИВАН", "иван")] {
            assert_eq!(Asked::read(text).words, Some(Prefix::of(words)), "{text}");
        }
    }
}
