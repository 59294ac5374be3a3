//! The same from a shell: the real binary beside the database of a server.

use crate::harness::{DbEngine, contact, with_database};
use crate::shell::{done, refused, run_of};
use switchyard::clock::Now;
use switchyard::db::Db;
use switchyard::directory::{accounts, lines};
use switchyard::staff::{self, Member};
use switchyard::types::IntegrationType::Inbox;
use switchyard::utilities::{Worker, WorkerConfig};

const LINE: &str = "+12025550101";
const ADA: &str = "ada@example.com";

async fn a_run_from_plan_to_result(database: &str) {
    let db = Db::open(database, 2).await.unwrap();
    db.migrate().await.unwrap();
    let now = Now::system();
    let invited = staff::first_administrator(&db, &now, ADA, "Ada", false).await.unwrap().unwrap();
    let ada = Member::load(&db, invited.id).await.unwrap().unwrap();
    let permit = ada.permit().unwrap();
    let account = accounts::add(&db, &now, &permit, "Lakeside", true, true).await.unwrap();
    lines::add(&db, &now, &permit, account, LINE, "Front desk", Inbox).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, result) = (folder.path().join("consent.csv"), folder.path().join("result.csv"));
    std::fs::write(&file, format!("number,status\n{},opted_out\nnobody,in\n", contact(1))).unwrap();
    let (file, result) = (file.to_str().unwrap(), result.to_str().unwrap());

    let listed = done(database, &["utility", "list", "--as", ADA]);
    assert!(listed.contains("consent_import") && listed.contains("--set account=<name or id> (optional)"), "{listed}");
    assert!(listed.contains("none"), "{listed}");
    let line = format!("line={LINE}");
    let planned = done(database, &["utility", "plan", "consent-import", "--as", ADA, "--set", &line, "--file", file]);
    assert!(planned.contains("Import consent for Front desk of Lakeside") && planned.contains("Nothing was changed."), "{planned}");
    let run = run_of(&planned);

    assert!(refused(database, &["utility", "run", &run, "--as", ADA]).contains("typed: Type the line’s number"));
    assert!(done(database, &["utility", "run", &run, "--typed", LINE, "--as", ADA]).contains("Queued"));
    assert!(done(database, &["utility", "pause", &run, "--as", ADA]).contains(": Paused"));
    assert!(done(database, &["utility", "resume", &run, "--as", ADA]).contains(": Queued"));
    let worker = Worker::new(db.clone(), now.clone(), WorkerConfig::default());
    while worker.step().await.unwrap() {}
    let status = done(database, &["utility", "status", &run, "--as", ADA, "--result", result]);
    assert!(status.contains(": Succeeded") && status.contains("Created 1, updated 0"), "{status}");
    let result = std::fs::read_to_string(result).unwrap();
    assert!(result.contains("\"invalid\"") && result.contains("\"created\""), "{result}");
    let waited = done(database, &["utility", "run", &run, "--wait", "--as", ADA]);
    assert!(waited.contains(": Succeeded"), "starting it again starts nothing: {waited}");

    assert!(refused(database, &["utility", "cancel", &run, "--as", ADA]).contains("nothing to cancel"));
    let unasked = refused(database, &["utility", "plan", "consent_import", "--as", ADA, "--set", "colour=red"]);
    assert!(unasked.contains("It does not ask for that"), "{unasked}");
    let by: Vec<(String, Option<String>)> =
        db.all("select actor_name, address from audit_entry where action like 'utility.%' order by id", ()).await.unwrap();
    assert_eq!(by, vec![("Ada".to_owned(), Some("shell".to_owned())); 4], "start, pause, resume, and who took the result");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_planned_started_and_followed_from_a_shell_on_sqlite() {
    with_database(DbEngine::Sqlite, async |url: &str| a_run_from_plan_to_result(url).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_planned_started_and_followed_from_a_shell_on_postgres() {
    with_database(DbEngine::Postgres, async |url: &str| a_run_from_plan_to_result(url).await).await;
}
