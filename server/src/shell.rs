//! Data utilities from the shell: the same verbs as in the console, as a named member, with what they may do and what the audit says.
//!
//! The rule: a command prints and ends; a running server works the runs, and hears of them within seconds.

// A command line prints its answers.
#![allow(clippy::print_stdout)]

use crate::application::{StartError, because};
use crate::config::UtilityCommand;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use switchyard::clock::Now;
use switchyard::db::Db;
use switchyard::directory::{accounts, lines};
use switchyard::staff::{self, Member, Place, Proof, approvals, may};
use switchyard::types::{
    FieldKind, LineFilter, LineRow, PhoneNumber, Plan, Problem, RunAct, RunDetail, RunEventKind, RunFilter, RunId, RunState, UtilityAbout,
    UtilityKind, counted,
};
use switchyard::utilities;
use tokio::io::AsyncWriteExt as _;

/// Runs that `list` shows, and events that `status` shows.
const SHOWN: usize = 10;
/// Rows that are read at a time where one is looked for by its name.
const PAGE: usize = 100;
/// `run --wait` looks so often.
const LOOK: Duration = Duration::from_millis(500);

/// Does what the command says, as the member with this e-mail.
///
/// # Errors
/// In words.
pub async fn utility(db: &Db, now: &Now, acting: &str, command: UtilityCommand) -> Result<(), StartError> {
    if acting.is_empty() {
        return Err(StartError("say who asks, with --as <e-mail of a member of the staff>".to_owned()));
    }
    let member = Member::by_email(db, acting).await.map_err(because("the database does not answer"))?;
    let member = member.ok_or_else(|| StartError(format!("nobody with the e-mail {acting} works here")))?;
    let member = member.from(Some("shell".to_owned()));
    let done = carry_out(db, now, &member, command).await;
    let is_refused = matches!(done, Err(Problem::Forbidden { .. }));
    let place = Place { route: "utility", path: "utility", is_refused };
    staff::write_down(db, now, &member, place).await.map_err(because("the audit could not be written"))?;
    done.map_err(|problem| match problem.field() {
        Some(field) => StartError(format!("{field}: {problem}")),
        None => StartError(problem.to_string()),
    })
}

async fn carry_out(db: &Db, now: &Now, member: &Member, command: UtilityCommand) -> Result<(), Problem> {
    match command {
        UtilityCommand::List => list(db, member).await,
        UtilityCommand::Plan { utility, answers, file } => {
            let run = plan(db, now, member, &utility, &answers, file.as_deref()).await?;
            let detail = utilities::get(db, now, member, run).await?;
            print_plan(&detail);
            Ok(())
        }
        UtilityCommand::Run { run, typed, note, wait } => {
            let run = id(&run)?;
            let started = utilities::start(db, now, member, Proof::at_the_shell(), run, &typed, &note).await?;
            if started.was_first {
                println!("Another run is at it already: {}", started.run);
            }
            if started.waits.is_some() {
                println!("It waits under Approvals for a second person.");
            }
            if wait { wait_for(db, now, member, started.run).await } else { status(db, now, member, started.run).await }
        }
        UtilityCommand::Status { run, result } => {
            let run = id(&run)?;
            status(db, now, member, run).await?;
            match result {
                Some(file) => write_result(db, member, run, &file).await,
                None => Ok(()),
            }
        }
        UtilityCommand::Pause { run } => act(db, now, member, &run, RunAct::Pause).await,
        UtilityCommand::Resume { run } => act(db, now, member, &run, RunAct::Resume).await,
        UtilityCommand::Cancel { run } => act(db, now, member, &run, RunAct::Cancel).await,
    }
}

fn id(text: &str) -> Result<RunId, Problem> {
    text.trim().parse().map_err(|_| Problem::invalid("run", "This is no run's id; plan and list print them."))
}

async fn list(db: &Db, member: &Member) -> Result<(), Problem> {
    for (about, may) in utilities::catalogue(member) {
        println!("{}  {}{}", about.kind.as_str(), about.name, if may { "" } else { " (your roles do not let you launch it)" });
        println!("  {}", about.does);
        for field in &about.fields {
            let what = match &field.kind {
                FieldKind::File { .. } => "--file <file>".to_owned(),
                FieldKind::Choice(choices) => {
                    let words: Vec<&str> = choices.iter().map(|(word, _)| word.as_str()).collect();
                    format!("--set {}={}", field.name, words.join("|"))
                }
                FieldKind::Line => format!("--set {}=<number or id>", field.name),
                FieldKind::Account => format!("--set {}=<name or id>", field.name),
            };
            println!("    {what}{}  {}", if field.optional { " (optional)" } else { "" }, field.help);
        }
    }
    let permit = member.permit::<may::SeeRuns>()?;
    let runs = utilities::list(db, &permit, &RunFilter::default(), None, SHOWN).await?;
    println!("\nRuns, the latest first:");
    for run in &runs.rows {
        println!("  {}  {}  {:<17} {}", run.id, run.asked_at.minute(), run.state.name(), run.summary);
    }
    if runs.rows.is_empty() {
        println!("  none");
    }
    Ok(())
}

async fn plan(db: &Db, now: &Now, member: &Member, utility: &str, given: &[String], file: Option<&Path>) -> Result<RunId, Problem> {
    let kind: UtilityKind = utility.replace('-', "_").parse().map_err(|_| {
        let known: Vec<&str> = UtilityKind::ALL.iter().map(|kind| kind.as_str()).collect();
        Problem::invalid("utility", format!("There is none of that name; there are {}.", known.join(", ")))
    })?;
    let about = utilities::catalogue(member).into_iter().map(|(about, _)| about).find(|about| about.kind == kind);
    let about = about.ok_or_else(|| Problem::not_found("There is no such utility in this version of the program."))?;
    let mut answers = BTreeMap::new();
    for answer in given {
        let (name, text) = answer.split_once('=').ok_or_else(|| Problem::invalid("set", "Write it as name=answer."))?;
        answers.insert(name.to_owned(), resolved(db, member, &about, name, text).await?);
    }
    let file = match file {
        Some(path) => {
            let read = tokio::fs::read(path).await;
            Some(read.map_err(|error| Problem::invalid("file", format!("It cannot be read: {error}")))?)
        }
        None => None,
    };
    let alone = approvals::rows_alone(db).await?;
    utilities::plan(db, now, member, kind, &answers, file.as_deref(), alone).await
}

/// Of rows that are like what was written those that are called just that, if it is one: others only begin so, or contain it.
fn called_so(found: Vec<(String, bool)>) -> Vec<String> {
    let is_one = found.iter().filter(|(_, is_exact)| *is_exact).count() == 1;
    found.into_iter().filter(|(_, is_exact)| *is_exact || !is_one).map(|(id, _)| id).collect()
}

/// Every line that is like this, and whether it is called just that or has this number.
async fn lines_like(db: &Db, member: &Member, text: &str) -> Result<Vec<(String, bool)>, Problem> {
    let permit = member.permit::<may::SeeDirectory>()?;
    let (number, filter) = (PhoneNumber::parse(text).ok(), LineFilter { search: text.to_owned(), ..LineFilter::default() });
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = lines::list(db, &permit, &filter, after.as_ref(), PAGE).await?;
        let is_exact = |line: &LineRow| line.label.eq_ignore_ascii_case(text) || number.as_ref() == Some(&line.number);
        found.extend(page.rows.iter().map(|line| (line.id.to_string(), is_exact(line))));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// A line or an account by its id; who has none at hand says the line's number or label, or the account's name.
async fn resolved(db: &Db, member: &Member, about: &UtilityAbout, name: &str, text: &str) -> Result<String, Problem> {
    let Some(field) = about.fields.iter().find(|field| field.name == name) else {
        let known: Vec<&str> = about.fields.iter().map(|field| field.name.as_str()).collect();
        return Err(Problem::invalid(name, format!("It does not ask for that, but for {}.", known.join(", "))));
    };
    let is_row = matches!(field.kind, FieldKind::Line | FieldKind::Account);
    if !is_row || text.parse::<RunId>().is_ok() {
        return Ok(text.to_owned());
    }
    let text = text.trim();
    let found = if field.kind == FieldKind::Line {
        lines_like(db, member, text).await?
    } else {
        let accounts = accounts::list(db, &member.permit()?, text, None, PAGE).await?.rows;
        accounts.iter().map(|account| (account.id.to_string(), account.name.eq_ignore_ascii_case(text))).collect()
    };
    match called_so(found).as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(Problem::invalid(name, "There is none like that, or it is one that you do not look after.")),
        _ => Err(Problem::invalid(name, "There are several like that. Write it whole, or give the id.")),
    }
}

fn print_plan(run: &RunDetail) {
    let Plan { counts, effects, conflicts, obstacles, seconds, confirm, needs_approval, .. } = &run.plan;
    println!("{}", run.row.summary);
    for count in counts {
        println!("  {:>10}  {}: {}", count.rows, count.name, count.fate);
    }
    for said in effects.iter().chain(conflicts) {
        println!("  - {said}");
    }
    if let Some(seconds) = seconds {
        println!("  It may take about {seconds} seconds.");
    }
    if *needs_approval {
        println!("  A second person has to agree: say why, with --note.");
    }
    for obstacle in obstacles {
        println!("  It cannot be started now: {}", obstacle.text);
    }
    println!("Nothing was changed. The run is {}", run.row.id);
    if obstacles.is_empty() {
        let typed = confirm.as_ref().map(|(what, text)| format!(" --typed <{what}: {text}>")).unwrap_or_default();
        println!("Start it: switchyard utility run {}{typed} --as <e-mail>", run.row.id);
    }
}

async fn status(db: &Db, now: &Now, member: &Member, run: RunId) -> Result<(), Problem> {
    print_status(&utilities::get(db, now, member, run).await?);
    Ok(())
}

fn print_status(run: &RunDetail) {
    println!("{}: {}", run.row.summary, run.row.state.name());
    for step in &run.steps {
        let mark = if step.ended_at.is_some() { "done" } else { "" };
        println!("  {:>10} of {:>10}  {} {mark}", step.done, step.total, step.name);
    }
    if let Some(rate) = run.rows_per_second {
        println!("  {rate} rows a second{}", run.seconds_left.map(|left| format!(", {left} seconds left")).unwrap_or_default());
    }
    if let Some(error) = &run.error {
        println!("  {}, behind {}: {}", error.step, counted(error.behind, "row", "rows"), error.text);
        println!("  What to do: {}", error.what_to_do);
    }
    for event in run.events.iter().take(SHOWN).rev() {
        let mark = if event.kind == RunEventKind::Info { "" } else { "! " };
        let by = event.by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default();
        println!("  {}  {mark}{}{by}", event.at.minute(), event.text);
    }
}

/// Looks until it is done or stands still; fails when it failed.
async fn wait_for(db: &Db, now: &Now, member: &Member, run: RunId) -> Result<(), Problem> {
    loop {
        let detail = utilities::get(db, now, member, run).await?;
        if !detail.row.state.is_moving() {
            print_status(&detail);
            return match detail.row.state {
                RunState::Failed | RunState::Cancelled => Err(Problem::conflict(format!("The run {run} has not done it all."))),
                _ => Ok(()),
            };
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn act(db: &Db, now: &Now, member: &Member, run: &str, act: RunAct) -> Result<(), Problem> {
    let run = id(run)?;
    utilities::act(db, now, member, run, act).await?;
    status(db, now, member, run).await
}

async fn write_result(db: &Db, member: &Member, run: RunId, path: &Path) -> Result<(), Problem> {
    let refused = |error: std::io::Error| Problem::invalid("result", format!("The file cannot be written: {error}"));
    // Read first: who is refused, or asks too early, leaves the file as it was.
    let (mut next, mut piece) = (utilities::result(db, member, run, 0).await?, 0);
    if next.is_none() {
        return Err(Problem::not_found("This run has no result, or none yet. No file was written."));
    }
    let mut file = tokio::fs::File::create(path).await.map_err(refused)?;
    while let Some(text) = next {
        file.write_all(text.as_bytes()).await.map_err(refused)?;
        piece += 1;
        next = utilities::result(db, member, run, piece).await?;
    }
    file.flush().await.map_err(refused)?;
    println!("Written: {}", path.display());
    Ok(())
}
