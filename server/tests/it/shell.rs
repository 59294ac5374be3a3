//! The shell: the real binary beside the database of a server. It acts as a named member, by the same rules as the console: what it may
//! not do it says in words, with a status other than 0, and what needs a second person waits for one.
//!
//! A process goes by the clock of the machine, so what a test does beside it does so, too.

use crate::audit::{all_sealed, changes};
use crate::crash::Process;
use crate::harness::{DbEngine, SECRET_KEY, START, TestApp, contact, eventually, on_both_engines, with_database};
use crate::house::{PASSWORD, house, proof};
use crate::imports::count;
use crate::sights::role;
use crate::transfer::account_of;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use switchyard::clock::Now;
use switchyard::db::Db;
use switchyard::directory::{accounts, lines};
use switchyard::staff::approvals::{self, Alone};
use switchyard::staff::{self, Member, Origin, Passwords, Step};
use switchyard::types::IntegrationType::{self, Inbox, None as NoRoute};
use switchyard::types::{AccountId, ApprovalRow, LineId, Permission, Problem, RunId, RunState, UtilityKind};
use switchyard::utilities::{self, Worker, WorkerConfig};

on_both_engines![
    a_run_above_the_servers_limit_waits_for_a_second_person,
    a_line_is_not_moved_from_the_shell_by_one_person,
    the_types_of_lines_are_not_set_from_the_shell_by_one_person,
    a_dangerous_role_is_not_given_from_the_shell_by_one_person,
    who_looks_after_one_account_reaches_no_other_from_the_shell,
    what_somebody_may_not_do_is_refused_in_words_and_written_down,
    who_is_disabled_or_unknown_does_nothing,
    a_result_that_is_refused_leaves_the_file_as_it_was,
    the_check_of_the_audit_counts_the_chain_and_names_the_tail,
    the_check_of_the_audit_names_what_was_changed_removed_or_cut_off,
    what_is_mistyped_changes_nothing,
    a_line_is_named_by_its_whole_label_beside_one_that_contains_it,
    nobody_is_invited_twice_and_a_link_is_printed_once,
];

/// The first administrator of a [`TestApp`].
const ADA: &str = "admin@example.com";
const LINE: &str = "+12025550101";

/// How a command ended and what it said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn shell(database: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
    command.args(arguments).env("DATABASE_URL", database).env_remove("DATABASE_CONNECTIONS").env_remove("PUBLIC_URL");
    // What a shell is told of the server's limits counts for nothing.
    let ended = command.env("ROWS_ALONE", "1000000").env("LINES_ALONE", "1000000").output().unwrap();
    Said { code: ended.status.code(), out: String::from_utf8(ended.stdout).unwrap(), err: String::from_utf8(ended.stderr).unwrap() }
}

/// What it prints; it has to end well, with nothing to say beside.
pub fn done(database: &str, arguments: &[&str]) -> String {
    let said = shell(database, arguments);
    assert!(said.code == Some(0) && said.err.is_empty(), "{arguments:?}: {said:?}");
    said.out
}

/// The words with which it refuses, before it has printed anything.
pub fn refused(database: &str, arguments: &[&str]) -> String {
    let said = shell(database, arguments);
    assert!(said.code == Some(1) && said.out.is_empty() && said.err.starts_with("switchyard: "), "{arguments:?}: {said:?}");
    said.err
}

/// What it says to a command that is none.
fn mistaken(database: &str, arguments: &[&str]) -> String {
    let said = shell(database, arguments);
    assert!(said.code == Some(2) && said.out.is_empty(), "{arguments:?}: {said:?}");
    said.err
}

/// The run that a plan names.
pub fn run_of(planned: &str) -> String {
    planned.lines().find_map(|line| line.split("The run is ").nth(1)).unwrap().to_owned()
}

/// What a link ends with.
fn token_of(printed: &str) -> String {
    let (_, token) = printed.trim_end().split_once("/invitation?token=").unwrap();
    assert!(token.len() > 40 && !token.contains(char::is_whitespace), "{printed}");
    token.to_owned()
}

async fn line_of(app: &TestApp, account: &str, number: &str) -> (AccountId, LineId) {
    let permit = app.staff.permit().unwrap();
    let account = accounts::add(&app.db, &app.now, &permit, account, true, true).await.unwrap();
    (account, lines::add(&app.db, &app.now, &permit, account, number, "Front desk", Inbox).await.unwrap())
}

/// Somebody who can agree to what Ada asks for.
async fn second_administrator(app: &TestApp) -> Member {
    let h = house(app);
    h.member("grace@example.com", h.role("Administrator").await).await
}

async fn waiting(app: &TestApp, who: &Member) -> Vec<ApprovalRow> {
    approvals::list(&app.db, &Now::system(), who, true, None, 10).await.unwrap().rows
}

async fn decide(app: &TestApp, who: &Member, waits: &ApprovalRow, agrees: bool) -> Result<(), Problem> {
    approvals::decide(&app.db, &Now::system(), who, proof(), waits.id, agrees, "As we said.").await
}

/// What waits is one thing, and who asked for it cannot agree to it.
async fn the_one_that_waits(app: &TestApp, grace: &Member) -> ApprovalRow {
    let rows = waiting(app, grace).await;
    let [waits] = &rows[..] else { panic!("one thing waits: {rows:?}") };
    assert_eq!(waits.asked_by.0, app.staff.id());
    assert!(matches!(decide(app, &app.staff, waits, true).await, Err(Problem::Forbidden { .. })), "nobody agrees to their own");
    waits.clone()
}

async fn work(app: &TestApp) {
    let worker = Worker::new(app.db.clone(), Now::system(), WorkerConfig::default());
    while worker.step().await.unwrap() {}
}

/// A file of consents, as a path.
fn consents(folder: &Path) -> String {
    let file = folder.join("consent.csv");
    std::fs::write(&file, format!("number,status\n{},opted_out\n{},opted_in\n", contact(1), contact(2))).unwrap();
    file.to_str().unwrap().to_owned()
}

async fn a_run_above_the_servers_limit_waits_for_a_second_person(app: &TestApp) {
    let database = app.database();
    let grace = second_administrator(app).await;
    line_of(app, "Lakeside", LINE).await;
    approvals::keep_alone(&app.db, Alone { rows: 1, ..Alone::DEFAULT }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, line) = (consents(folder.path()), format!("line={LINE}"));

    let planned = done(&database, &["utility", "plan", "consent_import", "--set", &line, "--file", &file, "--as", ADA]);
    assert!(planned.contains("A second person has to agree: say why, with --note."), "{planned}");
    let run = run_of(&planned);
    let without_a_note = refused(&database, &["utility", "run", &run, "--typed", LINE, "--as", ADA]);
    assert!(without_a_note.contains("note: A second person has to agree to this"), "{without_a_note}");
    assert!(waiting(app, &grace).await.is_empty());

    let start = ["utility", "run", run.as_str(), "--typed", LINE, "--note", "They have moved to us.", "--wait", "--as", ADA];
    for _ in 0..2 {
        let said = done(&database, &start);
        assert!(said.contains("It waits under Approvals for a second person.") && said.contains(": Awaiting approval"), "{said}");
    }
    assert!(refused(&database, &["utility", "resume", &run, "--as", ADA]).contains("only what is paused or failed can be resumed"));
    let waits = the_one_that_waits(app, &grace).await;
    assert_eq!(waits.note, "They have moved to us.");
    work(app).await;
    assert_eq!(count(app, "select count(*) from consent").await, 0, "nothing is done until then");
    let (from,): (Option<String>,) = app.db.one("select address from audit_entry where action = 'approval.ask'", ()).await.unwrap();
    assert_eq!(from.as_deref(), Some("shell"));

    decide(app, &grace, &waits, true).await.unwrap();
    assert!(done(&database, &["utility", "status", &run, "--as", ADA]).contains(": Queued"));
    work(app).await;
    assert!(done(&database, &["utility", "status", &run, "--as", ADA]).contains(": Succeeded"));
    assert_eq!(count(app, "select count(*) from consent").await, 2);
}

async fn a_line_is_not_moved_from_the_shell_by_one_person(app: &TestApp) {
    let database = app.database();
    let grace = second_administrator(app).await;
    let (lakeside, line) = line_of(app, "Lakeside", LINE).await;
    accounts::add(&app.db, &app.now, &app.staff.permit().unwrap(), "Harbor", true, true).await.unwrap();
    let asked = async || {
        let set = format!("line={LINE}");
        let planned = done(&database, &["utility", "plan", "line-transfer", "--set", &set, "--set", "to=harbor", "--as", ADA]);
        assert!(planned.contains("Transfer Front desk from Lakeside to Harbor"), "{planned}");
        let run = run_of(&planned);
        let said = done(&database, &["utility", "run", &run, "--typed", LINE, "--note", "The shop was sold.", "--as", ADA]);
        assert!(said.contains("It waits under Approvals for a second person."), "{said}");
        run
    };
    // The other one does not agree.
    let run = asked().await;
    decide(app, &grace, &the_one_that_waits(app, &grace).await, false).await.unwrap();
    assert!(done(&database, &["utility", "status", &run, "--as", ADA]).contains(": Cancelled"));
    let waited = shell(&database, &["utility", "run", &run, "--typed", LINE, "--wait", "--as", ADA]);
    assert!(waited.code == Some(1) && waited.err.contains("has not done it all"), "{waited:?}");
    // It is not wanted any more.
    let run = asked().await;
    let waits = the_one_that_waits(app, &grace).await;
    assert!(done(&database, &["utility", "cancel", &run, "--as", ADA]).contains(": Cancelled"));
    assert!(waiting(app, &grace).await.is_empty());
    assert!(matches!(decide(app, &grace, &waits, true).await, Err(Problem::Conflict { .. })));
    work(app).await;
    assert_eq!(account_of(app, line).await, lakeside);
}

async fn the_types_of_lines_are_not_set_from_the_shell_by_one_person(app: &TestApp) {
    let database = app.database();
    let grace = second_administrator(app).await;
    let (_, line) = line_of(app, "Lakeside", LINE).await;
    let kind = async || {
        let (kind,): (IntegrationType,) = app.db.one("select integration_type from line where id = $1", [line]).await.unwrap();
        kind
    };
    let planned = done(&database, &["utility", "plan", "set_types", "--set", "account=Lakeside", "--set", "to=none", "--as", ADA]);
    assert!(planned.contains("Set the integration type of 1 line to None"), "{planned}");
    let run = run_of(&planned);
    done(&database, &["utility", "run", &run, "--typed", "1", "--note", "They send blasts alone.", "--as", ADA]);
    let waits = the_one_that_waits(app, &grace).await;
    work(app).await;
    assert_eq!(kind().await, Inbox);
    decide(app, &grace, &waits, true).await.unwrap();
    work(app).await;
    assert_eq!(kind().await, NoRoute);
}

async fn a_dangerous_role_is_not_given_from_the_shell_by_one_person(app: &TestApp) {
    const IRIS: &str = "iris@example.com";
    let database = app.database();
    let grace = second_administrator(app).await;
    let iris = async || Member::by_email(&app.db, IRIS).await.unwrap().unwrap();
    let said = done(&database, &["staff", "add", "--email", IRIS, "--name", "Iris", "--role", "administrator", "--as", ADA]);
    assert!(said.contains("The role waits under Approvals for a second person; until then they have none."), "{said}");
    assert!(iris().await.signed_in().permissions.is_empty());
    let early = refused(&database, &["staff", "add", "--email", "eve@example.com", "--name", "Eve", "--as", IRIS]);
    assert!(early.contains("Your roles do not let you invite"), "{early}");
    let waits = the_one_that_waits(app, &grace).await;
    assert_eq!(waits.summary, "Give Iris the role Administrator");
    decide(app, &grace, &waits, true).await.unwrap();
    assert!(iris().await.may_everywhere(Permission::ManageStaff));
    assert_eq!(staff::peek(&app.db, &Now::system(), &token_of(&said), None).await, Ok(IRIS.to_owned()), "the link stays good");

    let viewer = done(&database, &["staff", "add", "--email", "vera@example.com", "--name", "Vera", "--as", ADA]);
    assert!(!viewer.contains("Approvals"), "{viewer}");
    assert!(waiting(app, &grace).await.is_empty());
}

/// A run on a line, started by Ada.
async fn started(app: &TestApp, line: LineId, number: &str) -> String {
    let now = Now::system();
    let answers = BTreeMap::from([("line".to_owned(), line.to_string())]);
    let file = format!("number,status\n{},opted_out\n", contact(1));
    let kind = UtilityKind::ConsentImport;
    let run = utilities::plan(&app.db, &now, &app.staff, kind, &answers, Some(file.as_bytes()), 1_000).await.unwrap();
    utilities::start(&app.db, &now, &app.staff, proof(), run, number, "").await.unwrap();
    run.to_string()
}

async fn who_looks_after_one_account_reaches_no_other_from_the_shell(app: &TestApp) {
    const SCOPED: &str = "scoped@example.com";
    const OTHER: &str = "+12025550102";
    let database = app.database();
    let (own, line) = line_of(app, "Lakeside", LINE).await;
    let (harbor, other) = line_of(app, "Harbor", OTHER).await;
    house(app).member_of(own).await;
    let (mine, theirs) = (started(app, line, LINE).await, started(app, other, OTHER).await);

    let listed = done(&database, &["utility", "list", "--as", SCOPED]);
    assert!(listed.contains(&mine) && !listed.contains(&theirs) && !listed.contains("Harbor"), "{listed}");
    assert!(done(&database, &["utility", "status", &mine, "--as", SCOPED]).contains("Lakeside"));
    for act in ["status", "pause", "resume", "cancel", "run"] {
        let words = refused(&database, &["utility", act, &theirs, "--as", SCOPED]);
        assert!(words.contains("There is no such run"), "{act}: {words}");
    }
    let run: RunId = theirs.parse().unwrap();
    let seen = utilities::get(&app.db, &Now::system(), &app.staff, run).await.unwrap();
    assert_eq!(seen.row.state, RunState::Queued, "nobody touched it");

    let plans = [
        ("consent_import", format!("line={OTHER}"), None, "line: There is none like that"),
        ("consent_import", format!("line={other}"), None, "line: There is no such line"),
        ("consent_import", "account=Harbor".to_owned(), None, "account: There is none like that"),
        ("consent_import", format!("account={harbor}"), None, "account: There is no such account"),
        ("line_transfer", format!("line={line}"), Some("to=Harbor".to_owned()), "to: There is none like that"),
        ("line_transfer", format!("line={line}"), Some(format!("to={harbor}")), "to: There is no such account"),
        ("line_transfer", format!("line={other}"), Some(format!("to={own}")), "line: There is no such line"),
    ];
    for (utility, first, second, wanted) in &plans {
        let mut arguments = vec!["utility", "plan", *utility, "--as", SCOPED, "--set", first.as_str()];
        if let Some(second) = second {
            arguments.extend(["--set", second.as_str()]);
        }
        let words = refused(&database, &arguments);
        assert!(words.contains(wanted), "{arguments:?}: {words}");
    }
    assert_eq!(count(app, "select count(*) from utility_run").await, 2);
    let all = done(&database, &["utility", "plan", "set_types", "--set", "to=none", "--as", SCOPED]);
    assert!(all.contains("Set the integration type of 1 line to None"), "all that there are for them: {all}");

    let staff = count(app, "select count(*) from staff_member").await;
    let words = refused(&database, &["staff", "add", "--email", "eve@example.com", "--name", "Eve", "--as", SCOPED]);
    assert!(words.contains("Your roles do not let you invite"), "staff are nobody's account: {words}");
    assert_eq!(count(app, "select count(*) from staff_member").await, staff);
}

async fn what_somebody_may_not_do_is_refused_in_words_and_written_down(app: &TestApp) {
    const VERA: &str = "vera@example.com";
    let database = app.database();
    let h = house(app);
    let vera = h.member(VERA, h.role("Viewer").await).await;
    line_of(app, "Lakeside", LINE).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, line) = (consents(folder.path()), format!("line={LINE}"));
    let staff = count(app, "select count(*) from staff_member").await;

    let list = shell(&database, &["utility", "list", "--as", VERA]);
    assert!(list.code == Some(1) && list.err.contains("Your roles do not let you see runs of data utilities"), "{list:?}");
    assert!(list.out.contains("(your roles do not let you launch it)"), "{list:?}");
    let plan = refused(&database, &["utility", "plan", "consent_import", "--set", &line, "--file", &file, "--as", VERA]);
    assert!(plan.contains("Your roles do not let you import consent from a file. Ask an administrator for it."), "{plan}");
    let add = ["staff", "add", "--email", "eve@example.com", "--name", "Eve", "--role", "Captain", "--as", VERA];
    let add = refused(&database, &add);
    assert!(add.contains("Your roles do not let you invite") && !add.contains("Support"), "which roles there are is not said: {add}");

    assert_eq!(count(app, "select count(*) from utility_run").await, 0);
    assert_eq!(count(app, "select count(*) from staff_member").await, staff);
    let text = "select after, address, outcome from audit_entry where action = 'access.refuse' and actor_id = $1 order by id";
    let entries: Vec<(Option<String>, Option<String>, String)> = app.db.all(text, [vera.id()]).await.unwrap();
    let of = |permission: &str, path: &str| {
        let after = serde_json::json!({ "permission": permission, "path": path });
        (after, Some("shell".to_owned()), "denied".to_owned())
    };
    let told = |after: Option<String>| serde_json::from_str::<serde_json::Value>(&after.unwrap()).unwrap();
    let entries: Vec<_> = entries.into_iter().map(|(after, from, how)| (told(after), from, how)).collect();
    assert_eq!(entries, [of("see_runs", "utility"), of("import_consent", "utility"), of("manage_staff", "staff add")]);
}

async fn who_is_disabled_or_unknown_does_nothing(app: &TestApp) {
    const VERA: &str = "vera@example.com";
    let database = app.database();
    let h = house(app);
    let vera = h.member(VERA, h.role("Support").await).await;
    staff::disable(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), vera.id()).await.unwrap();
    let (staff, entries) = ("select count(*) from staff_member", "select count(*) from audit_entry");
    let before = (count(app, staff).await, count(app, entries).await);
    for who in [VERA, "nobody@example.com"] {
        for command in [&["utility", "list"][..], &["staff", "add", "--email", "eve@example.com", "--name", "Eve"]] {
            let words = refused(&database, &[command, &["--as", who]].concat());
            assert!(words.contains(&format!("nobody with the e-mail {who} works here")), "{words}");
        }
    }
    assert!(refused(&database, &["utility", "list"]).contains("say who asks, with --as"));
    assert_eq!((count(app, staff).await, count(app, entries).await), before);
    done(&database, &["utility", "list", "--as", " Admin@Example.com "]);
}

async fn a_result_that_is_refused_leaves_the_file_as_it_was(app: &TestApp) {
    const WATCHER: &str = "watcher@example.com";
    let database = app.database();
    let (_, line) = line_of(app, "Lakeside", LINE).await;
    let watches = role(app, "Watcher", &[Permission::SeeRuns], None).await;
    house(app).member(WATCHER, watches).await;
    let run = started(app, line, LINE).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("result.csv");
    std::fs::write(&file, "of another run").unwrap();
    let path = file.to_str().unwrap();
    let take = |who: &str, path: &str| shell(&database, &["utility", "status", &run, "--result", path, "--as", who]);
    let holds = || std::fs::read_to_string(&file).unwrap();

    let early = take(ADA, path);
    assert!(early.code == Some(1) && early.err.contains("This run has no result, or none yet."), "{early:?}");
    work(app).await;
    let watched = take(WATCHER, path);
    assert!(watched.code == Some(1) && watched.err.contains("see whole phone numbers of contacts"), "{watched:?}");
    assert_eq!(holds(), "of another run");
    let nowhere = take(ADA, "/nowhere/at/all.csv");
    assert!(nowhere.code == Some(1) && nowhere.err.contains("result: The file cannot be written"), "{nowhere:?}");
    let taken = take(ADA, path);
    assert!(taken.code == Some(0) && taken.out.contains("Written: "), "{taken:?}");
    assert!(holds().contains(&contact(1)));
}

async fn the_check_of_the_audit_counts_the_chain_and_names_the_tail(app: &TestApp) {
    let database = app.database();
    changes(app, 2).await;
    let entries = count(app, "select count(*) from audit_entry").await;
    let before = done(&database, &["audit", "verify"]);
    assert!(before.contains("0 entries are sealed, and every seal is good."), "{before}");
    assert!(before.contains(&format!("{entries} are not sealed yet, the oldest of {} UTC", START.minute())), "{before}");

    all_sealed(app).await;
    app.pass(60 * 60);
    let later = app.now.at();
    changes(app, 2).await;
    let after = done(&database, &["audit", "verify"]);
    assert!(after.contains(&format!("{entries} entries are sealed, and every seal is good.")), "{after}");
    assert!(after.contains(&format!("2 are not sealed yet, the oldest of {} UTC", later.minute())), "{after}");

    all_sealed(app).await;
    let kept = after.lines().find_map(|line| line.split("--known ").nth(1)).unwrap();
    let whole = done(&database, &["audit", "verify", "--known", kept]);
    assert!(whole.contains(&format!("{} entries are sealed", entries + 2)) && !whole.contains("not sealed yet"), "{whole}");
}

async fn the_check_of_the_audit_names_what_was_changed_removed_or_cut_off(app: &TestApp) {
    let database = app.database();
    changes(app, 4).await;
    all_sealed(app).await;
    let tamper = async |statement: &'static str| {
        app.db.work(async |tx| tx.run(statement, ()).await).await.unwrap();
    };
    let (last, hash) = staff::verify(&app.db, None).await.unwrap().head.unwrap();
    let known = format!("{last}:{}", hash.to_uppercase());

    tamper("update audit_entry set actor_name = 'Mallory' where number = 3").await;
    let changed = refused(&database, &["audit", "verify"]);
    let (id,): (uuid::Uuid,) = app.db.one("select id from audit_entry where number = 3", ()).await.unwrap();
    assert!(changed.contains(&format!("entry 3 of the audit ({id}) is not as it was sealed; 2 before it are good")), "{changed}");
    tamper("update audit_entry set actor_name = 'Ada Byron' where number = 3").await;
    done(&database, &["audit", "verify", "--known", &known]);
    let other = format!("1:{hash}");
    assert!(refused(&database, &["audit", "verify", "--known", &other]).contains("entry 1 of the audit"), "a chain that was made anew");

    app.db.work(async |tx| tx.run("delete from audit_entry where number = $1", [last]).await).await.unwrap();
    done(&database, &["audit", "verify"]);
    let cut = refused(&database, &["audit", "verify", "--known", &known]);
    assert!(cut.contains(&format!("entry {last} of the audit is missing; {} before it are good", last - 1)), "{cut}");

    tamper("delete from audit_entry where number = 2").await;
    let removed = refused(&database, &["audit", "verify"]);
    assert!(removed.contains("entry 2 of the audit is missing; 1 before it are good"), "{removed}");

    tamper("delete from audit_entry").await;
    let emptied = refused(&database, &["audit", "verify"]);
    assert!(emptied.contains("the audit has no entry") && emptied.contains("DATABASE_URL"), "{emptied}");
}

/// How many rows there are of what the shell can change.
async fn standing(app: &TestApp) -> [i64; 4] {
    [
        count(app, "select count(*) from staff_member").await,
        count(app, "select count(*) from utility_run").await,
        count(app, "select count(*) from approval").await,
        count(app, "select count(*) from audit_entry").await,
    ]
}

async fn what_is_mistyped_changes_nothing(app: &TestApp) {
    let database = app.database();
    line_of(app, "Lakeside", LINE).await;
    let before = standing(app).await;
    let commands: [(&[&str], &str); 11] = [
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (&["audit"], "Usage"),
        (&["audit", "verify", "--known"], "a value is required"),
        (&["migrate", "--database-connections", "many"], "invalid value 'many'"),
        (&["serve", "--release-days", "0"], "invalid value '0'"),
        (&["staff", "add", "--name", "Iris"], "--email"),
        (&["utility", "everything", "--as", ADA], "unrecognized subcommand 'everything'"),
        (&["utility", "list", "--colour", "red", "--as", ADA], "unexpected argument '--colour'"),
        (&["utility", "plan", "--as", ADA], "<UTILITY>"),
        (&["utility", "plan", "consent_import", "--as", ADA, "--file"], "a value is required"),
        (&["utility", "run", "--as", ADA], "<RUN>"),
    ];
    for (command, words) in commands {
        let said = mistaken(&database, command);
        assert!(said.contains(words), "{command:?}: {said}");
    }
    let line = format!("line={LINE}");
    let unknown = "01890f5e-0000-7000-8000-000000000001";
    let commands: [(&[&str], &str); 12] = [
        (&["audit", "verify", "--known", "5"], "--known: write number:hash"),
        (&["audit", "verify", "--known", "five:abc"], "--known: write number:hash"),
        (&["staff", "add", "--email", "iris", "--name", "Iris", "--as", ADA], "not invited: Write an e-mail address"),
        (&["staff", "add", "--email", "iris@example.com", "--name", " ", "--as", ADA], "not invited: Write a name"),
        (
            &["staff", "add", "--email", "iris@example.com", "--name", "Iris", "--role", "Captain", "--as", ADA],
            "there is no role Captain; there are Administrator, Support, Viewer",
        ),
        (&["utility", "status", "17", "--as", ADA], "run: This is no run's id"),
        (&["utility", "pause", unknown, "--as", ADA], "There is no such run"),
        (&["utility", "plan", "everything", "--as", ADA], "utility: There is none of that name; there are line_transfer"),
        (&["utility", "plan", "consent_import", "--set", "line", "--as", ADA], "set: Write it as name=answer."),
        (&["utility", "plan", "consent_import", "--set", &line, "--as", ADA], "file: Choose a CSV file."),
        (&["utility", "plan", "consent_import", "--file", "/nowhere.csv", "--as", ADA], "file: It cannot be read"),
        (&["utility", "plan", "set_types", "--set", "to=sideways", "--as", ADA], "to: This is none of those that can be chosen."),
    ];
    for (command, words) in commands {
        let said = refused(&database, command);
        assert!(said.contains(words), "{command:?}: {said}");
    }
    assert_eq!(standing(app).await, before);
}

async fn a_line_is_named_by_its_whole_label_beside_one_that_contains_it(app: &TestApp) {
    let database = app.database();
    let (account, line) = line_of(app, "Lakeside", LINE).await;
    let permit = app.staff.permit().unwrap();
    let second = lines::add(&app.db, &app.now, &permit, account, "+12025550102", "Front desk 2", Inbox).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = consents(folder.path());
    let plan = |set: &str| shell(&database, &["utility", "plan", "consent_import", "--set", set, "--file", &file, "--as", ADA]);
    for (set, wanted) in [
        ("line=Front desk", line),
        ("line= front DESK ", line),
        ("line=Front desk 2", second),
        ("line=desk 2", second),
        ("line=+1 202 555 0102", second),
    ] {
        let said = plan(set);
        assert!(said.code == Some(0) && said.err.is_empty(), "{set}: {said:?}");
        let run: RunId = run_of(&said.out).parse().unwrap();
        let (planned,): (LineId,) = app.db.one("select line_id from utility_run where id = $1", [run]).await.unwrap();
        assert_eq!(planned, wanted, "{set}");
    }
    let said = plan("line=Front");
    assert!(said.code == Some(1) && said.err.contains("line: There are several like that."), "{said:?}");
}

async fn nobody_is_invited_twice_and_a_link_is_printed_once(app: &TestApp) {
    let database = app.database();
    let staff = "select count(*) from staff_member";
    let before = count(app, staff).await;
    let add = |email: &str| {
        let console = "https://console.example.com/";
        shell(&database, &["staff", "add", "--email", email, "--name", "Iris", "--public-url", console, "--as", ADA])
    };
    let first = add("iris@example.com");
    assert!(first.code == Some(0) && first.err.is_empty(), "{first:?}");
    assert!(first.out.starts_with("https://console.example.com/invitation?token=") && first.out.lines().count() == 1, "{first:?}");
    let token = token_of(&first.out);
    for again in ["iris@example.com", " IRIS@Example.com"] {
        let again = add(again);
        assert!(again.code == Some(1) && again.out.is_empty() && again.err.contains("works here already, or did"), "{again:?}");
    }
    assert_eq!(count(app, staff).await, before + 1);
    assert_eq!(staff::peek(&app.db, &Now::system(), &token, None).await, Ok("iris@example.com".to_owned()), "the link stays good");
    let said: Vec<(String,)> = app.db.all("select coalesce(after, '') from audit_entry", ()).await.unwrap();
    assert!(said.iter().all(|(after,)| !after.contains(&token)), "{said:?}");
}

/// On a database that nobody has worked with.
async fn invited_first(database: &str) {
    let add = |email: &str| shell(database, &["staff", "add", "--email", email, "--name", "Ada"]);
    let db = Db::open(database, 2).await.unwrap();
    db.migrate().await.unwrap();
    let now = Now::system();
    let bad = add("ada");
    assert!(bad.code == Some(1) && bad.out.is_empty() && bad.err.contains("not invited: Write an e-mail address"), "{bad:?}");
    assert!(refused(database, &["audit", "verify"]).contains("nobody was ever invited to this database"));

    // As somebody may write it, and not as they write it when they sign in.
    let first = add(" Ada@Example.com ");
    assert!(first.code == Some(0) && first.err.is_empty() && first.out.lines().count() == 1, "{first:?}");
    let first = token_of(&first.out);
    assert_eq!(staff::peek(&db, &now, &first, None).await, Ok("ada@example.com".to_owned()));

    // A lost link is made anew, and nobody is told that it is another one's.
    let again = add("bob@example.com");
    assert!(again.code == Some(0) && again.err.is_empty(), "{again:?}");
    assert!(again.out.contains("ada@example.com was invited first") && again.out.contains("Nobody else was invited"), "{again:?}");
    let again = token_of(&again.out);
    assert!(matches!(staff::peek(&db, &now, &first, None).await, Err(Problem::NotFound { .. })), "one link is open");
    let members: Vec<(String,)> = db.all("select email from staff_member", ()).await.unwrap();
    assert_eq!(members, [("ada@example.com".to_owned(),)]);

    let passwords = Passwords::new(now.rng.clone()).unwrap();
    staff::accept(&db, &now, &passwords, &again, PASSWORD.into(), None).await.unwrap();
    let origin = Origin { address: "192.0.2.7", device: None };
    let step = staff::sign_in(&db, &now, &passwords, "Ada@Example.com", PASSWORD.into(), origin).await;
    assert!(matches!(step, Ok(Step::In(_))), "{step:?}");
    let late = add("carol@example.com");
    assert!(late.code == Some(1) && late.out.is_empty() && late.err.contains("say who invites, with --as"), "{late:?}");
    let carol = ["staff", "add", "--email", "carol@example.com", "--name", "Carol", "--as", "Ada@Example.com"];
    assert!(refused(database, &carol).contains("you need a second factor"), "the shell is no way round it");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_is_invited_from_the_shell_on_sqlite() {
    with_database(DbEngine::Sqlite, async |url: &str| invited_first(url).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_is_invited_from_the_shell_on_postgres() {
    with_database(DbEngine::Postgres, async |url: &str| invited_first(url).await).await;
}

async fn the_first_link(database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (out, log) = (folder.path().join("out"), folder.path().join("log"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
    command.arg("serve").env("DATABASE_URL", database).env("LISTEN", "127.0.0.1:0").env("SECRET_KEY", SECRET_KEY);
    command.env("FIRST_ADMINISTRATOR", "ada@example.com").env("LOG", "debug").env_remove("PUBLIC_URL").env_remove("CARRIER_URL");
    command.stdin(Stdio::null()).stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&log).unwrap());
    let server = Process(command.spawn().unwrap());
    let printed = || std::fs::read_to_string(&out).unwrap();
    eventually("the link is printed", async || printed().contains("token=") && printed().ends_with('\n')).await;
    drop(server);
    let (said, log) = (printed(), std::fs::read_to_string(&log).unwrap());
    assert_eq!(said.matches("token=").count(), 1, "{said}");
    assert!(!log.is_empty() && !log.contains(&token_of(&said)), "a link is a secret: {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_prints_the_first_link_once_and_logs_none_on_sqlite() {
    with_database(DbEngine::Sqlite, async |url: &str| the_first_link(url).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_prints_the_first_link_once_and_logs_none_on_postgres() {
    with_database(DbEngine::Postgres, async |url: &str| the_first_link(url).await).await;
}

#[test]
fn work_refuses_sqlite_and_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(&format!("sqlite:{}", folder.path().join("none.db").display()), &["work"]);
    assert!(said.contains("SQLite is for one process") && said.contains("DATABASE_URL=postgres://"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file was made");
}

#[test]
fn no_help_and_no_error_tells_a_secret_of_the_environment() {
    const SECRET: &str = "a-word-that-nobody-else-sees";
    let told = |database: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        command.args(arguments).env("DATABASE_URL", database);
        for name in ["SECRET_KEY", "CARRIER_KEY", "CARRIER_SECRETS", "METRICS_TOKEN"] {
            command.env(name, SECRET);
        }
        let ended = command.output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stdout).unwrap() + &String::from_utf8(ended.stderr).unwrap())
    };
    let (postgres, other) = (format!("postgres://ada:{SECRET}@127.0.0.1:port/none"), format!("mysql://ada:{SECRET}@127.0.0.1/none"));
    let commands: [&[&str]; 7] = [&["serve"], &["work"], &["demo"], &["migrate"], &["staff"], &["audit", "verify"], &["utility"]];
    for command in commands {
        let (code, text) = told(&postgres, &[command, &["--help"]].concat());
        assert!(code == Some(0) && text.contains("DATABASE_URL") && !text.contains(SECRET), "{command:?}: {text}");
    }
    for database in [&postgres, &other] {
        let (code, text) = told(database, &["audit", "verify"]);
        assert!(code == Some(1) && text.contains("see DATABASE_URL") && !text.contains(SECRET), "{text}");
    }
}
