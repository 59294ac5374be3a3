//! Beside Django's admin with unfold, what in-house tools are usually made of: as many rows, the same machine and the same client, one
//! after the other.

use crate::platform::fill;
use crate::screens::{Visitor, each};
use crate::world::{database, kept_world};
use crate::{Bench, OUT, percentile};
use std::process::Stdio;
use std::time::Duration;
use switchyard::clock::Now;
use tokio::process::{Child, Command};
use uuid::Uuid;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/django");
const SAMPLES: usize = 60;

/// Django and unfold beside the figures, from PyPI.
async fn python() -> Option<String> {
    let (home, python) = (format!("{OUT}/django"), format!("{OUT}/django/bin/python"));
    let made = async |command: &mut Command| command.status().await.is_ok_and(|status| status.success());
    let requirements = format!("{HERE}/requirements.txt");
    let is_there = made(Command::new("python3").args(["-m", "venv", &home])).await
        && made(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &requirements])).await;
    if !is_there {
        println!("django: left out, it cannot be installed: PyPI cannot be reached, or there is no python3 with venv");
    }
    is_there.then_some(python)
}

/// Waits until somebody listens there.
async fn until_served(child: &mut Child, port: u16) {
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(child.try_wait().unwrap().is_none(), "gunicorn ended");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl Bench {
    pub(crate) async fn django(&mut self, engine: &'static str) {
        let size: u64 = 100_000;
        let Some(python) = python().await else { return };
        let Some(w) = kept_world(engine, 200).await else { return };
        if w.is_new {
            fill(&w, size).await;
        }
        let mut counts = Vec::new();
        for count in [
            "select count(*) from account",
            "select count(*) from line",
            "select count(*) from conversation",
            "select count(*) from message",
        ] {
            let (count,): (i64,) = w.db.one(count, ()).await.unwrap();
            counts.push(count.to_string());
        }
        let folder = tempfile::tempdir_in(OUT).unwrap();
        let base = match engine {
            "sqlite" => folder.path().join("django.db").display().to_string(),
            _ => database(&std::env::var("TEST_POSTGRES_URL").unwrap(), &format!("django_{}", Now::system().rng.below(1 << 40))).await,
        };
        let console = format!("{HERE}/console.py");
        let mut filling = Command::new(&python);
        filling.arg(&console).arg("fill").args(&counts).env("DATABASE", &base).stdout(Stdio::piped());
        let filled = filling.spawn().unwrap().wait_with_output().await.unwrap();
        assert!(filled.status.success());
        let cookie = String::from_utf8(filled.stdout).unwrap().trim().to_owned();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut served = Command::new(&python);
        served.arg(&console).args(["serve", &port.to_string()]).env("DATABASE", &base).stderr(Stdio::null());
        let mut served = served.spawn().unwrap();
        until_served(&mut served, port).await;
        let theirs = Visitor::at(format!("http://127.0.0.1:{port}"), cookie);
        let ours = Visitor::of(&w).await;

        let (busiest,): (Uuid,) =
            w.db.one("select line_id from conversation group by line_id order by count(*) desc limit 1", ()).await.unwrap();
        let busy = format!("/lines/{busiest}/conversations");
        let lines = each(&w, "select id from line order by id limit 100", |id| format!("/lines/{id}")).await;
        let many = |path: &str, n: u64| (1..=n).map(|n| path.replace("{n}", &n.to_string())).collect::<Vec<_>>();
        let pages = [
            ("a list, the lines", vec!["/lines".to_owned()], vec!["/admin/auth/line/".to_owned()]),
            ("its later pages", ours.later("/lines", "Next page").await, many("/admin/auth/line/?p={n}", 20)),
            ("the list of conversations", vec![busy.clone()], vec!["/admin/auth/conversation/".to_owned()]),
            ("its later pages, conversations", ours.later(&busy, "Next page").await, many("/admin/auth/conversation/?p={n}", 20)),
            ("a search by label", many("/lines?q=desk+{n}", 19), many("/admin/auth/line/?q=desk+{n}", 19)),
            ("a search by digits of a line", many("/lines?q=50000{n}", 99), many("/admin/auth/line/?q=50000{n}", 99)),
            ("a search by a contact's last digits", ours.kept_searches(20).await, many("/admin/auth/conversation/?q=10{n}", 20)),
            ("a form, one line", lines, many("/admin/auth/line/{n}/change/", 100)),
        ];
        for (name, own, other) in pages {
            let mut medians = Vec::new();
            for (whose, visitor, paths) in [("Switchyard", &ours, own), ("Django", &theirs, other)] {
                let mut times = visitor.pages(&paths, SAMPLES).await;
                times.sort_unstable();
                medians.push(percentile(&times, 50));
                for percent in [50, 99] {
                    let name = format!("django: p{percent} of {name}, {whose}");
                    self.note(Some(&w), &name, percentile(&times, percent), "ms", None, size, SAMPLES as u64);
                }
            }
            let ratio = medians[1] / medians[0].max(0.001);
            self.note(Some(&w), &format!("django: {name}, times slower than Switchyard"), ratio, "x", None, size, SAMPLES as u64);
        }
        // Its workers end with it when it is asked to; killed, it would leave them.
        let ended = Command::new("kill").arg(served.id().unwrap_or_default().to_string()).status().await;
        assert!(ended.is_ok_and(|ended| ended.success()));
        served.wait().await.unwrap();
        w.end().await;
    }
}
