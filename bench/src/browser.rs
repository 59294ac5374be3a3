//! What a browser says: how long somebody waits for what they do, and Lighthouse. The console has its built site here, as a release has
//! it: `make bench` builds it.

use crate::platform::fill;
use crate::screens::Visitor;
use crate::transfer::planned;
use crate::world::{World, kept_world};
use crate::{Bench, percentile};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;
use switchyard::types::{AccountId, LineId};
use tokio::process::Command;
use uuid::Uuid;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Deserialize)]
struct Waited {
    name: String,
    /// In milliseconds.
    times: Vec<f64>,
}

#[derive(Deserialize)]
struct Scores {
    path: String,
    scores: BTreeMap<String, f64>,
    lost: Vec<String>,
}

/// Runs a script of this folder as the visitor; its lines of JSON.
async fn script<T: DeserializeOwned>(name: &str, visitor: &Visitor, settings: &[(&str, &str)]) -> Vec<T> {
    let mut node = Command::new("node");
    node.arg(format!("{HERE}/{name}")).env("CONSOLE", &visitor.url).env("COOKIE", &visitor.cookie).envs(settings.iter().copied());
    // `output` would take what it complains about, too.
    let done = node.stdout(Stdio::piped()).spawn().unwrap().wait_with_output().await.unwrap();
    let lines = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{name} ended with {}", done.status);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Says what is missing where the browser or the site are not there.
fn is_ready(name: &str, package: &str) -> bool {
    let there = |path: &str| std::path::Path::new(&format!("{HERE}/../{path}")).exists();
    let missing = match (there("target/site/pkg"), there(&format!("node_modules/{package}"))) {
        (true, true) => return true,
        (false, _) => "the site is not built: make bench builds it",
        (_, false) => "npm packages are missing: .ci/setup test installs them where npm's registry can be reached",
    };
    println!("{name}: left out, {missing}");
    false
}

impl Bench {
    /// From a key or a click until what was asked for is painted.
    pub(crate) async fn interaction(&mut self, engine: &'static str) {
        let size: u64 = if self.full { 1_000_000 } else { 100_000 };
        if !is_ready("interaction", "@playwright/test") {
            return;
        }
        let Some(w) = kept_world(engine, 200).await else { return };
        if w.is_new {
            fill(&w, size).await;
        }
        let visitor = Visitor::of(&w).await;
        let (busiest,): (Uuid,) =
            w.db.one("select line_id from conversation group by line_id order by count(*) desc limit 1", ()).await.unwrap();
        let busy = format!("/lines/{busiest}/conversations");
        for Waited { name, times } in script("interaction.mjs", &visitor, &[("BUSY", &busy)]).await {
            let mut times: Vec<Duration> = times.iter().map(|time| Duration::from_secs_f64(time / 1_000.0)).collect();
            times.sort_unstable();
            let samples = times.len() as u64;
            self.note(Some(&w), &format!("interaction: p50 until {name}"), percentile(&times, 50), "ms", None, size, samples);
            self.note(
                Some(&w),
                &format!("interaction: p95 until {name}"),
                percentile(&times, 95),
                "ms",
                Some((100.0, true)),
                size,
                samples,
            );
        }
        w.end().await;
    }

    /// Lighthouse on every screen, filled with data.
    pub(crate) async fn lighthouse(&mut self) {
        if !is_ready("lighthouse", "lighthouse") {
            return;
        }
        let w = kept_world("sqlite", 200).await.unwrap();
        if w.is_new {
            fill(&w, 10_000).await;
        }
        let visitor = Visitor::of(&w).await;
        let paths = paths(&w).await.join(" ");
        for Scores { path, scores, lost } in script("lighthouse.mjs", &visitor, &[("PATHS", &paths)]).await {
            // Ids differ from run to run, screens do not.
            let screen = path.split('/').map(|part| if part.parse::<Uuid>().is_ok() { ":id" } else { part }).collect::<Vec<_>>().join("/");
            for (category, score) in scores {
                self.note(Some(&w), &format!("lighthouse: {category} of {screen}"), score, "", Some((95.0, false)), 0, 1);
            }
            if !lost.is_empty() {
                println!("  {}", lost.join("; "));
            }
        }
        w.end().await;
    }
}

/// Every screen, each with something to show.
async fn paths(w: &World) -> Vec<String> {
    let one = async |sql: &'static str| w.db.one::<(Uuid,)>(sql, ()).await.unwrap().0;
    let line = one("select line_id from conversation group by line_id order by count(*) desc limit 1").await;
    let talk = one("select id from conversation where line_id = (select line_id from conversation group by line_id order by count(*) desc limit 1) limit 1").await;
    let account = one("select account_id from contact limit 1").await;
    let user = one("select id from account_user limit 1").await;
    let contact = one("select id from contact limit 1").await;
    let connection = one("select id from connection limit 1").await;
    let role = one("select id from role limit 1").await;
    let (blast_line, blast): (Uuid, Uuid) = w.db.one("select line_id, id from blast limit 1", ()).await.unwrap();
    let other = one("select id from account order by id desc limit 1").await;
    let run = planned(w, LineId(line), AccountId(other)).await;
    let member = w.member.id();
    let mut paths: Vec<String> = [
        "/sign-in",
        "/",
        "/search",
        "/lines",
        "/lines/new",
        "/lines/types",
        "/sync",
        "/sync/find",
        "/sync/unknown",
        "/accounts",
        "/accounts/new",
        "/findings",
        "/connections",
        "/connections/new",
        "/utilities",
        "/utilities/history",
        "/utilities/new/line_transfer",
        "/staff",
        "/staff/new",
        "/roles",
        "/approvals",
        "/ui",
        "/you",
        "/audit",
        "/audit/retention",
    ]
    .map(ToOwned::to_owned)
    .into();
    paths.extend([
        format!("/lines/{line}"),
        format!("/lines/{line}/type?to=none"),
        format!("/lines/{line}/conversations"),
        format!("/lines/{line}/conversations/{talk}"),
        format!("/lines/{line}/close"),
        format!("/lines/{line}/consent?conversation={talk}"),
        format!("/lines/{line}/blasts"),
        format!("/lines/{blast_line}/blasts/{blast}"),
        format!("/accounts/{account}"),
        format!("/accounts/{account}/users"),
        format!("/accounts/{account}/contacts"),
        format!("/accounts/{account}/blasts"),
        format!("/accounts/{account}/retention"),
        format!("/accounts/{account}/close"),
        format!("/accounts/{account}/erase"),
        format!("/users/{user}"),
        format!("/contacts/{contact}"),
        format!("/connections/{connection}"),
        format!("/connections/{connection}/secrets"),
        format!("/connections/{connection}/remove"),
        format!("/utilities/runs/{run}"),
        format!("/staff/{member}"),
        format!("/roles/{role}"),
    ]);
    paths
}
