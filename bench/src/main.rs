//! The speed figures: prints a table and writes `target/bench/results.json`. `SCALE=full` uses the sizes of the goals, `ONLY=hold`
//! runs one; `interaction`, `lighthouse` and `django` run only so, for they need packages of npm or PyPI. PostgreSQL is measured when
//! TEST_POSTGRES_URL names a server whose databases may be made and dropped. `KEEP=name` keeps the platform of `screens`,
//! `interaction` and `django` in a database of that name, and uses the one that is there.

// A bench prints, and its numbers are made up.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

mod access;
mod browser;
mod consent_import;
mod django;
mod inbound;
mod lists;
mod platform;
mod ringcentral;
mod screens;
mod search;
mod transfer;
mod world;

use serde::Serialize;
use std::time::Duration;
use world::World;

/// One figure.
#[derive(Serialize)]
struct Figure {
    name: String,
    engine: &'static str,
    value: f64,
    unit: &'static str,
    goal: Option<f64>,
    met: Option<bool>,
    rows: u64,
    durability: &'static str,
    samples: u64,
}

struct Bench {
    full: bool,
    only: Option<String>,
    figures: Vec<Figure>,
}

/// Where figures and databases are written, whatever folder it is started in.
const OUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench");

impl Bench {
    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    /// What needs more than this machine has by itself is measured when it is asked for.
    fn names(&self, name: &str) -> bool {
        self.only.as_deref() == Some(name)
    }

    #[allow(clippy::too_many_arguments)]
    fn note(
        &mut self,
        world: Option<&World>,
        name: &str,
        value: f64,
        unit: &'static str,
        goal: Option<(f64, bool)>,
        rows: u64,
        samples: u64,
    ) {
        // A goal is met from above (true: at most) or from below.
        let met = goal.map(|(goal, at_most)| if at_most { value <= goal } else { value >= goal });
        let figure = Figure {
            name: name.to_owned(),
            engine: world.map_or("-", |w| w.engine),
            value,
            unit,
            goal: goal.map(|(goal, _)| goal),
            met,
            rows,
            durability: world.map_or("-", |w| w.durability),
            samples,
        };
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        let goal = figure.goal.map_or(String::new(), |goal| format!("goal {goal}"));
        println!("{:<52} {:<9} {:>10.2} {:<6} {:<12} {verdict:<7} rows {rows}", figure.name, figure.engine, value, unit, goal);
        self.figures.push(figure);
    }

    /// Where one thing alone was measured, the others' figures stay as they were.
    fn write_down(&self) {
        let file = format!("{OUT}/results.json");
        let earlier = std::fs::read(&file).ok().filter(|_| self.only.is_some());
        let mut all: Vec<serde_json::Value> = earlier.and_then(|earlier| serde_json::from_slice(&earlier).ok()).unwrap_or_default();
        all.retain(|old| !self.figures.iter().any(|new| old["name"] == new.name.as_str() && old["engine"] == new.engine));
        all.extend(self.figures.iter().map(|new| serde_json::to_value(new).unwrap()));
        std::fs::write(file, serde_json::to_string_pretty(&all).unwrap()).unwrap();
    }

    fn wasm(&mut self) {
        for part in std::env::var("WASM_BROTLI").unwrap_or_default().split_whitespace() {
            let (room, size) = part.split_once('=').unwrap();
            let name = format!("wasm: a first page of {room}, brotli");
            self.note(None, &name, size.parse::<f64>().unwrap() / 1_000.0, "kB", Some((400.0, true)), 0, 1);
        }
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    // What is mapped of the database's file is the kernel's, and goes when somebody else needs it.
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1_024.0
}

#[tokio::main]
async fn main() {
    let mut bench = Bench {
        full: std::env::var("SCALE").is_ok_and(|s| s == "full"),
        only: std::env::var("ONLY").ok().filter(|o| !o.is_empty()),
        figures: Vec::new(),
    };
    std::fs::create_dir_all(OUT).unwrap();
    for engine in ["sqlite", "postgres"] {
        if bench.wants("hold") {
            bench.hold(engine).await;
        }
        if bench.wants("inbound") {
            bench.inbound(engine).await;
        }
        if bench.wants("lists") {
            bench.lists(engine).await;
        }
        if bench.wants("search") {
            bench.search(engine).await;
        }
        if bench.wants("screens") {
            bench.screens(engine).await;
        }
        if bench.names("interaction") {
            bench.interaction(engine).await;
        }
        if bench.names("django") {
            bench.django(engine).await;
        }
        if bench.wants("consent-import") {
            bench.consent_import(engine).await;
        }
        if bench.wants("sign-in") {
            bench.sign_in(engine).await;
        }
        if bench.wants("permits") {
            bench.permits(engine).await;
        }
        if bench.wants("transfer") {
            bench.transfer(engine).await;
        }
        if bench.wants("events") {
            bench.events(engine).await;
        }
        if bench.wants("wake") {
            bench.wake(engine).await;
        }
        if bench.wants("drain") {
            bench.drain(engine).await;
        }
    }
    if bench.wants("calls") {
        bench.calls("sqlite").await;
    }
    if bench.names("lighthouse") {
        bench.lighthouse().await;
    }
    if bench.wants("wasm") {
        bench.wasm();
    }
    bench.write_down();
    println!("written: target/bench/results.json");
}
