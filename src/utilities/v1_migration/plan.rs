//! What a migration would do: the export read, its rows counted and put in order, and what stands in the way.

use super::file::{self, Bad, Read};
use super::{CHECKS, CONTACTS, CONVERSATIONS, LINES, MESSAGES, Parameters, UNREADABLE, holds};
use crate::db::json;
use crate::directory::accounts;
use crate::types::{AccountId, IntegrationType, Obstacle, Plan, PlanCount, Problem};
use crate::utilities::{Asking, Proposal, StepPlan, beside, count, pieces, text_of};

/// Rows a second, about, at half the time.
const RATE: i64 = 8_000;
/// Rows that cannot be taken, and that the plan names.
const NAMED: usize = 5;

/// The export as it was given, read aside: that takes a while for a large one.
async fn read(asking: &Asking<'_>) -> Result<Read, Problem> {
    let file = asking.file.filter(|file| !file.is_empty()).ok_or_else(|| Problem::invalid("file", "Choose an export."))?;
    if u64::try_from(file.len()).unwrap_or(u64::MAX) > super::MOST {
        let text = "The export is larger than 100 MB. Split it between two lines, and take the parts one after the other.";
        return Err(Problem::invalid("file", text));
    }
    let (file, now) = (file.to_vec(), asking.now.at());
    let read = tokio::task::spawn_blocking(move || Ok::<_, Problem>(file::read(&text_of(file)?, now))).await;
    read.map_err(|_| Problem::invalid("file", "The export could not be read."))?
}

async fn conflicts(asking: &Asking<'_>, account: AccountId, read: &Read) -> Result<Vec<String>, Problem> {
    let mut said = Vec::new();
    let numbers: Vec<_> = read.lines.iter().map(|line| [&line.2.0]).collect();
    let (foreign, own): (i64, i64) = asking
        .db
        .one(
            "select count(case when l.account_id <> $2 then 1 end), count(case when l.account_id = $2 then 1 end)
             from json_each($1) j
             join line l on l.number = j.value->>0",
            (json(&numbers), account),
        )
        .await?;
    if foreign > 0 {
        said.push(format!("Lines whose number belongs to another account: {foreign}. They and what hangs on them are left out."));
    }
    if own > 0 {
        said.push(format!("Lines that the account has already: {own}. They stay as they are, and get the history."));
    }
    let (taken,): (i64,) = asking.db.one("select count(*) from v1_record where account_id = $1", [account]).await?;
    if taken > 0 {
        said.push(format!("Taken over into this account before: {taken} lines, contacts and conversations. They stay as they are."));
    }
    if read.strays > 0 {
        let strays = read.strays;
        said.push(format!("Messages whose conversation is not in this export: {strays}. They go in if it was taken over before."));
    }
    if !read.bad.is_empty() {
        let named: Vec<String> = read.bad.iter().take(NAMED).map(|Bad(line, _, _, reason)| format!("line {line}: {reason}")).collect();
        let (bad, named) = (read.bad.len(), named.join("; "));
        said.push(format!("Rows that cannot be taken, and are listed in the result: {bad}. The first: {named}."));
    }
    Ok(said)
}

/// The account's products limit the types of its lines: of each type that the export sets and the account lacks the product for, how many
/// lines would be made. Those that are there already stay as they are.
async fn products(asking: &Asking<'_>, account: AccountId, read: &Read) -> Result<Vec<Obstacle>, Problem> {
    let mut found = Vec::new();
    for of in IntegrationType::ALL {
        let numbers: Vec<_> = read.lines.iter().filter(|line| line.2.2 == *of).map(|line| [&line.2.0]).collect();
        if numbers.is_empty() {
            continue;
        }
        let Some(lacks) = accounts::lacking(asking.db, account, *of).await? else { continue };
        let (new,): (i64,) = asking
            .db
            .one(
                "select count(*)
                 from json_each($1) j
                 where not exists (select 1 from line l where l.number = j.value->>0)",
                [json(&numbers)],
            )
            .await?;
        if new > 0 {
            let text = format!("Lines that would be set to {}: {new}. {lacks}", of.name());
            found.push(Obstacle::with(text, "See the account", format!("/accounts/{account}")));
        }
    }
    Ok(found)
}

pub(super) async fn plan(asking: &Asking<'_>) -> Result<Proposal, Problem> {
    let account: AccountId = asking.answer("account")?;
    let (name, is_closed) = asking.account("account", account).await?;
    let read = read(asking).await?;
    let conflicts = conflicts(asking, account, &read).await?;
    let products = products(asking, account, &read).await?;
    let parts = [
        (UNREADABLE, "Rows that cannot be taken", read.bad.len(), "left out, and listed in the result with the reason"),
        (LINES, "Lines", read.lines.len(), "made, unless the account has them"),
        (CONTACTS, "Contacts", read.contacts.len(), "made, unless the account knows the number"),
        (CONVERSATIONS, "Conversations", read.conversations.len(), "made, or joined with the one of the same line and number"),
        (MESSAGES, "Messages", read.messages_found, "written into their conversations"),
    ];
    let rows = count(parts.iter().skip(1).map(|(_, _, rows, _)| rows).sum());
    let of_each = [
        pieces::pieces(&read.bad, |row| row.0).collect::<Vec<_>>(),
        pieces::pieces(&read.lines, |row| row.0).collect(),
        pieces::pieces(&read.contacts, |row| row.0).collect(),
        pieces::pieces(&read.conversations, |row| row.0).collect(),
        read.messages,
    ];
    let mut input = Vec::new();
    let mut parameters = Parameters { account, pieces: Vec::new(), recounted: true };
    for ((step, ..), pieces) in parts.iter().zip(of_each) {
        let from = count(input.len());
        input.extend(pieces);
        parameters.pieces.push(((*step).to_owned(), from, count(input.len())));
    }
    let mut obstacles = Vec::new();
    if is_closed {
        obstacles.push(Obstacle::new(format!("{name} is closed. Have it reopened, or choose another account.")));
    }
    obstacles.extend(products);
    if asking.db.work(async |tx| beside::is_busy(tx, account, &holds(account), true).await).await? {
        obstacles.push(beside::obstacle(account, &name));
    }
    if rows == 0 {
        obstacles.push(Obstacle::new("The export has no row that can be taken."));
    }
    let plan = Plan {
        counts: parts.iter().map(|(_, name, rows, fate)| counted(name, *rows, fate)).collect(),
        effects: vec!["Nothing is sent to anybody, and nothing is posted into RingCentral.".to_owned()],
        conflicts,
        obstacles,
        rows,
        // Everything is read once more to recount it.
        seconds: Some(rows * 2 / RATE + 1),
        confirm: Some(("the account’s name".to_owned(), name.clone())),
        needs_approval: false,
    };
    let step = |name, title: String, is_check, rows: usize| StepPlan { name, title, is_check, total: count(rows) };
    let found = parts.iter().zip(CHECKS).filter(|((_, _, rows, _), _)| *rows > 0);
    let takes = found.clone().map(|((name, title, rows, _), _)| step(*name, (*title).to_owned(), false, *rows));
    let checks = found.map(|((_, title, rows, _), check)| step(check, format!("Recount: {}", title.to_lowercase()), true, *rows));
    Ok(Proposal {
        summary: format!("Migrate from v1 into {name}"),
        line: None,
        account: Some(account),
        target: None,
        holds: holds(account),
        answers: vec![("Into account".to_owned(), name), ("Rows of the export".to_owned(), (rows + plan.counts[0].rows).to_string())],
        steps: takes.chain(checks).collect(),
        input,
        parameters: serde_json::to_value(parameters).unwrap_or_default(),
        plan,
        reverses: None,
    })
}

fn counted(name: &str, rows: usize, fate: &str) -> PlanCount {
    PlanCount { name: name.to_owned(), rows: count(rows), fate: fate.to_owned() }
}
