//! What an import would do: the file read, its rows counted and sorted into pieces, and what stands in the way.

use super::file::{self, Bad, Read, Row};
use super::{CHECK_IMPORT, CHECK_INVALID, IMPORT, INVALID, Parameters};
use crate::db::Db;
use crate::types::{AccountId, LineId, Obstacle, PhoneNumber, Plan, PlanCount, Problem, Timestamp};
use crate::utilities::{Asking, Proposal, StepPlan, beside, count, pieces, text_of};
use std::collections::HashMap;

/// Rows a second, about, at half the time.
const RATE: i64 = 25_000;
/// Invalid rows that the plan names.
const NAMED: usize = 5;
/// Opt-outs that are read at a time.
const PAGE: i64 = 10_000;

#[derive(sqlx::FromRow)]
struct Line {
    id: LineId,
    number: PhoneNumber,
    label: String,
    account_id: AccountId,
    account: String,
    closed: bool,
    transferring: bool,
}

/// Whom the import is for.
struct For {
    account: AccountId,
    name: String,
    is_closed: bool,
    is_account: bool,
    lines: Vec<Line>,
}

async fn lines(asking: &Asking<'_>, line: Option<LineId>, account: Option<AccountId>) -> Result<Vec<Line>, Problem> {
    let scope = asking.leave.scope;
    Ok(asking
        .db
        .all(
            "select l.id, l.number, l.label, l.account_id, a.name as account, a.closed_at is not null as closed,
               l.transfer_id is not null as transferring
             from line l
             join account a on a.id = l.account_id
             where (l.id = $1 or l.account_id = $2)
               and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
             order by l.id",
            (line, account, scope.everywhere, scope.staff, scope.permission),
        )
        .await?)
}

async fn whom(asking: &Asking<'_>) -> Result<For, Problem> {
    let given = |field: &str| asking.answers.get(field).is_some_and(|answer| !answer.trim().is_empty());
    match (given("line"), given("account")) {
        (false, false) => Err(Problem::invalid("line", "Choose a line, or an account for all its lines.")),
        (true, true) => Err(Problem::invalid("account", "Choose a line or an account, not both.")),
        (true, false) => {
            let lines = lines(asking, Some(asking.answer("line")?), None).await?;
            let line = lines.first().ok_or_else(|| {
                Problem::invalid("line", "There is no such line, or it belongs to an account that you may not do this to.")
            })?;
            Ok(For { account: line.account_id, name: line.account.clone(), is_closed: line.closed, is_account: false, lines })
        }
        (false, true) => {
            let account = asking.answer("account")?;
            let (name, is_closed) = asking.account("account", account).await?;
            let lines = lines(asking, None, Some(account)).await?;
            Ok(For { account, name, is_closed, is_account: true, lines })
        }
    }
}

/// The file as it was given, and its pieces; read aside, since that takes a while for a large one.
async fn read(asking: &Asking<'_>) -> Result<(Read, Vec<(i64, String)>), Problem> {
    let file = asking.file.filter(|file| !file.is_empty()).ok_or_else(|| Problem::invalid("file", "Choose a CSV file."))?;
    if u64::try_from(file.len()).unwrap_or(u64::MAX) > super::MOST {
        return Err(Problem::invalid("file", "The file is larger than 100 MB. Split it, and import the parts one after the other."));
    }
    let (file, now) = (file.to_vec(), asking.now.at());
    let read = tokio::task::spawn_blocking(move || {
        let read = file::read(&text_of(file)?, now)?;
        let input = pieces::pieces(&read.bad, |row| row.0).chain(pieces::pieces(&read.rows, |row| row.0)).collect();
        Ok((read, input))
    })
    .await;
    read.map_err(|_| Problem::invalid("file", "The file could not be read."))?
}

/// Numbers of these lines that the file would opt in, and that have opted out and stay so.
async fn kept(db: &Db, lines: &[Line], rows: &[Row]) -> Result<i64, Problem> {
    let mut lifted: HashMap<&PhoneNumber, Option<Timestamp>> = HashMap::new();
    for row in rows.iter().filter(|row| !row.is_out()) {
        let known = lifted.entry(&row.1).or_default();
        *known = (*known).max(row.lifts_before());
    }
    let mut kept = 0;
    for line in lines.iter().filter(|_| !lifted.is_empty()) {
        let mut behind = String::new();
        loop {
            let page: Vec<(PhoneNumber, Timestamp)> = db
                .all(
                    "select number, at from consent where line_id = $1 and number > $2 and state = 'opted_out' order by number limit $3",
                    (line.id, behind, PAGE),
                )
                .await?;
            let stays =
                |(number, at): &&(PhoneNumber, Timestamp)| lifted.get(number).is_some_and(|lifts| lifts.is_none_or(|lifts| lifts <= *at));
            kept += count(page.iter().filter(stays).count());
            match page.last() {
                Some((last, _)) if count(page.len()) == PAGE => behind = last.expose().to_owned(),
                _ => break,
            }
        }
    }
    Ok(kept)
}

/// What stands in the way.
async fn obstacles(asking: &Asking<'_>, of: &For, holds: &str, rows: usize) -> Result<Vec<Obstacle>, Problem> {
    let mut found = Vec::new();
    if of.is_closed {
        found.push(Obstacle::new(format!("{} is closed. Have it reopened first.", of.name)));
    }
    if of.lines.is_empty() {
        found.push(Obstacle::new(format!("{} has no lines. Consent is given to a line: add one first.", of.name)));
    }
    if let Some(line) = of.lines.iter().find(|line| line.transferring) {
        let link = format!("/utilities/history?line={}", line.id);
        found.push(Obstacle::with(format!("{} is being transferred now. Wait until that is done.", line.label), "See its runs", link));
    } else if asking.db.work(async |tx| beside::is_busy(tx, of.account, holds, of.is_account).await).await? {
        found.push(beside::obstacle(of.account, &of.name));
    }
    if rows == 0 {
        found.push(Obstacle::new("The file has no row that can be taken."));
    }
    Ok(found)
}

fn conflicts(bad: &[Bad], kept: i64, duplicates: i64) -> Vec<String> {
    let mut said = Vec::new();
    if kept > 0 {
        said.push(format!("Opt-ins of numbers that have opted out, and stay so, as far as is known now: {kept}."));
    }
    if duplicates > 0 {
        let wins = "An opt-out wins, unless a later opt-in says when it was given and has evidence.";
        said.push(format!("Rows whose number stands in the file before: {duplicates}. {wins}"));
    }
    if !bad.is_empty() {
        let named: Vec<String> = bad.iter().take(NAMED).map(|Bad(line, _, _, reason)| format!("line {line}: {reason}")).collect();
        said.push(format!("Rows that cannot be taken, and are listed in the result: {}. The first: {}.", bad.len(), named.join("; ")));
    }
    said
}

pub(super) async fn plan(asking: &Asking<'_>) -> Result<Proposal, Problem> {
    let of = whom(asking).await?;
    let (Read { rows, bad }, input) = read(asking).await?;
    let kept = kept(asking.db, &of.lines, &rows).await?;
    let all_rows = rows.len() + bad.len();
    let in_pieces = |rows: usize| count(rows.div_ceil(pieces::ROWS));
    let parameters = Parameters {
        account: of.account,
        lines: of.lines.iter().map(|line| (line.id, line.label.clone())).collect(),
        is_account: of.is_account,
        bad: in_pieces(bad.len()),
        good: in_pieces(rows.len()),
        recounted: true,
    };
    let holds = parameters.holds();
    let outs = count(rows.iter().filter(|row| row.is_out()).count());
    let total = count(rows.len()) * count(of.lines.len());
    let duplicates = count(rows.windows(2).filter(|pair| pair[0].1 == pair[1].1).count());
    let counted = |name: &str, rows: i64, fate: &str| PlanCount { name: name.to_owned(), rows, fate: fate.to_owned() };
    let mut counts = vec![
        counted("Opt-outs", outs, "set, unless a later opt-in with evidence is on record"),
        counted("Opt-ins", count(rows.len()) - outs, "set, unless the number has opted out"),
        counted("Rows that cannot be taken", count(bad.len()), "left out, and listed in the result with the reason"),
    ];
    if of.is_account {
        counts.push(counted("Lines", count(of.lines.len()), "each gets every row"));
    }
    let one = of.lines.first().filter(|_| !of.is_account);
    let plan = Plan {
        counts,
        effects: vec!["Each change is written into the history of consent, with its evidence. Nothing is sent to anybody.".to_owned()],
        conflicts: conflicts(&bad, kept, duplicates),
        obstacles: obstacles(asking, &of, &holds, rows.len()).await?,
        rows: total,
        // Everything is read once more to recount it.
        seconds: Some(total * 2 / RATE + 1),
        confirm: Some(match one {
            Some(line) => ("the line’s number".to_owned(), line.number.expose().to_owned()),
            None => ("the account’s name".to_owned(), of.name.clone()),
        }),
        needs_approval: false,
    };
    let step = |name, title: &str, is_check, total| StepPlan { name, title: title.to_owned(), is_check, total };
    let all = [
        step(INVALID, "Rows that cannot be taken", false, count(bad.len())),
        step(IMPORT, "Consents", false, total),
        step(CHECK_INVALID, "Recount: rows that cannot be taken", true, count(bad.len())),
        step(CHECK_IMPORT, "Recount: consents", true, total),
    ];
    let steps = all.into_iter().filter(|step| !bad.is_empty() || ![INVALID, CHECK_INVALID].contains(&step.name)).collect();
    let whom = one.map_or_else(|| format!("all lines of {}", of.name), |line| format!("{} of {}", line.label, of.name));
    Ok(Proposal {
        summary: format!("Import consent for {whom}"),
        line: one.map(|line| line.id),
        account: Some(of.account),
        target: None,
        holds,
        answers: vec![("For".to_owned(), whom), ("Rows of the file".to_owned(), all_rows.to_string())],
        steps,
        input,
        parameters: serde_json::to_value(parameters).unwrap_or_default(),
        plan,
        reverses: None,
    })
}
