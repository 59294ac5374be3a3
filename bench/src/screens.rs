//! Every screen over HTTP, on a platform as large as asked for: whole pages as the server makes them for a member who may see all,
//! compressed as a browser asks for.

use crate::access::{console, sign_in};
use crate::platform::{FIRST, fill};
use crate::world::{EMAIL, World, kept_world};
use crate::{Bench, percentile};
use server::application;
use std::time::{Duration, Instant};
use switchyard::db::Sql;
use uuid::Uuid;

/// Of each screen.
const SAMPLES: usize = 300;
/// Before those, so that nobody pays for what a process does once.
const WARM: usize = 10;
/// "A later page" is one of so many behind the first.
const DEEP: usize = 20;

/// A member at their browser.
pub(crate) struct Visitor {
    http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) cookie: String,
}

impl Visitor {
    pub(crate) async fn of(w: &World) -> Self {
        let (url, http) = (console(w).await, application::http_client().unwrap());
        let cookie = sign_in(&http, &url, EMAIL).await;
        Self { http, url, cookie }
    }

    /// At another console.
    pub(crate) fn at(url: String, cookie: String) -> Self {
        Self { http: application::http_client().unwrap(), url, cookie }
    }

    async fn sent(&self, request: reqwest::RequestBuilder) -> Vec<u8> {
        let answer = request.header("cookie", &self.cookie).header("sec-fetch-site", "same-origin").send().await.unwrap();
        let (status, url) = (answer.status(), answer.url().clone());
        let body = answer.bytes().await.unwrap();
        assert_eq!(status, 200, "{url}");
        body.to_vec()
    }

    /// The page as text.
    async fn read(&self, path: &str) -> String {
        let page = self.sent(self.http.get(format!("{}{path}", self.url)).header("accept", "text/html")).await;
        String::from_utf8(page).unwrap()
    }

    /// `samples` times the answer to one after the other.
    async fn times<T>(&self, asked: &[T], samples: usize, request: impl Fn(&T) -> reqwest::RequestBuilder) -> Vec<Duration> {
        let mut times = Vec::with_capacity(samples);
        for (n, asked) in asked.iter().cycle().take(WARM + samples).enumerate() {
            let request = request(asked).header("accept-encoding", "gzip, deflate, br, zstd");
            let began = Instant::now();
            self.sent(request).await;
            if n >= WARM {
                times.push(began.elapsed());
            }
        }
        times
    }

    /// The same of pages.
    pub(crate) async fn pages(&self, paths: &[String], samples: usize) -> Vec<Duration> {
        self.times(paths, samples, |path| self.http.get(format!("{}{path}", self.url)).header("accept", "text/html")).await
    }

    /// Pages of searches everywhere by the last four digits of a contact.
    pub(crate) async fn kept_searches(&self, count: u64) -> Vec<String> {
        let mut paths = Vec::new();
        for n in 0..count {
            let text = format!("{:04}", n * 31 % 10_000);
            let request = self.http.post(format!("{}/fn/search/keep", self.url)).header("accept", "text/html");
            let request = request.header("cookie", &self.cookie).header("sec-fetch-site", "same-origin");
            let answer = request.form(&[("text", text)]).send().await.unwrap();
            paths.push(answer.headers()["location"].to_str().unwrap().to_owned());
        }
        paths
    }

    /// The pages behind a list's first one, each as the one before it names it.
    pub(crate) async fn later(&self, first: &str, word: &str) -> Vec<String> {
        let mut paths = Vec::new();
        let mut page = self.read(first).await;
        while paths.len() < DEEP
            && let Some(next) = link(&page, word)
        {
            page = self.read(&next).await;
            paths.push(next);
        }
        paths
    }
}

/// Where the page's link leads whose words are `word`.
fn link(page: &str, word: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!(">{word}<"))?;
    let (_, href) = before.rsplit_once("href=\"")?;
    Some(href.split_once('"')?.0.replace("&amp;", "&"))
}

/// Pages of things that there are many of: another one each time.
pub(crate) async fn each(w: &World, ids: impl Into<Sql>, page: impl Fn(Uuid) -> String) -> Vec<String> {
    let ids: Vec<(Uuid,)> = w.db.all(ids, ()).await.unwrap();
    assert!(!ids.is_empty());
    ids.into_iter().map(|(id,)| page(id)).collect()
}

impl Bench {
    pub(crate) async fn screens(&mut self, engine: &'static str) {
        let size: u64 = if self.full { 1_000_000 } else { 100_000 };
        let Some(w) = kept_world(engine, 200).await else { return };
        let began = Instant::now();
        if w.is_new {
            fill(&w, size).await;
        }
        self.note(Some(&w), &format!("screens: filled with {size} conversations"), began.elapsed().as_secs_f64(), "s", None, size, 1);
        let (messages,): (i64,) = w.db.one("select count(*) from message", ()).await.unwrap();
        println!("{messages} messages");
        let visitor = Visitor::of(&w).await;
        let one = |path: &str| vec![path.to_owned()];

        let (busiest,): (Uuid,) =
            w.db.one("select line_id from conversation group by line_id order by count(*) desc limit 1", ()).await.unwrap();
        let long: Vec<(Uuid, Uuid)> =
            w.db.all("select line_id, id from conversation where number in ('+9990050000000', '+9990050000001', '+9990050000002')", ())
                .await
                .unwrap();
        let long: Vec<String> = long.iter().map(|(line, id)| format!("/lines/{line}/conversations/{id}")).collect();
        let talks: Vec<(Uuid, Uuid)> = w.db.all("select line_id, id from conversation order by id limit 300", ()).await.unwrap();
        let talks: Vec<String> = talks.iter().map(|(line, id)| format!("/lines/{line}/conversations/{id}")).collect();
        let blasts: Vec<(Uuid, Uuid)> = w.db.all("select line_id, id from blast order by id limit 300", ()).await.unwrap();
        let lines = each(&w, "select id from line order by id limit 300", |id| format!("/lines/{id}")).await;
        let accounts = each(&w, "select id from account order by id limit 300", |id| format!("/accounts/{id}")).await;
        let of = |paths: &[String], what: &str| paths.iter().map(|path| format!("{path}{what}")).collect::<Vec<_>>();
        let busy = format!("/lines/{busiest}/conversations");
        let (owner,): (Uuid,) = w.db.one("select account_id from line where id = $1", [busiest]).await.unwrap();

        let mut screens = vec![
            ("Home", one("/")),
            ("Home, a month", one("/?span=month")),
            ("lines", one("/lines")),
            ("lines, searched by a label", (0..20).map(|n| format!("/lines?q=desk+{n}")).collect()),
            ("lines, searched by digits", (0..20).map(|n| format!("/lines?q=5000{n:02}")).collect()),
            ("lines of a type", one("/lines?type=ringcentral")),
            ("lines of an account", accounts.iter().map(|path| path.replace("/accounts/", "/lines?account=")).collect()),
            ("lines by label", one("/lines?sort=label")),
            ("a line", lines.clone()),
            ("a line's conversations", of(&lines, "/conversations")),
            ("conversations of the busiest line", one(&busy)),
            ("a line's blasts", of(&lines, "/blasts")),
            ("a blast", blasts.iter().map(|(line, id)| format!("/lines/{line}/blasts/{id}")).collect()),
            ("a conversation", talks),
            ("a conversation of 5,000 messages", long.clone()),
            ("the same, narrowed to the contact's", of(&long, "?writer=contact")),
            ("Sync", one("/sync")),
            ("Sync, the oldest first", one("/sync?sort=oldest")),
            ("Sync of a line", each(&w, "select line_id from blast where created_at > 0 limit 300", |id| format!("/sync?line={id}")).await),
            ("messages to unknown lines", one("/sync/unknown")),
            ("accounts", one("/accounts")),
            ("accounts, searched", FIRST.iter().map(|name| format!("/accounts?q={name}")).collect()),
            ("an account", accounts.clone()),
            ("an account's people", of(&accounts, "/users")),
            ("an account's people, searched", of(&accounts, "/users?q=ada")),
            ("an account's contacts", of(&accounts, "/contacts")),
            ("contacts of the busiest account", one(&format!("/accounts/{owner}/contacts"))),
            ("an account's blasts", of(&accounts, "/blasts")),
            ("a person", each(&w, "select id from account_user order by id limit 300", |id| format!("/users/{id}")).await),
            ("a contact", each(&w, "select id from contact order by id limit 300", |id| format!("/contacts/{id}")).await),
            ("findings", one("/findings")),
            ("connections", one("/connections")),
            ("a connection", each(&w, "select id from connection limit 100", |id| format!("/connections/{id}")).await),
            ("utilities", one("/utilities")),
            ("the history of runs", one("/utilities/history")),
            ("a run", each(&w, "select id from utility_run order by id desc limit 300", |id| format!("/utilities/runs/{id}")).await),
            ("staff", one("/staff")),
            ("a member of the staff", each(&w, "select id from staff_member limit 200", |id| format!("/staff/{id}")).await),
            ("roles", one("/roles")),
            ("approvals", one("/approvals")),
            ("the audit", one("/audit")),
            ("the audit of an action", one("/audit?action=line.add")),
            ("the audit of an account", accounts.iter().map(|path| path.replace("/accounts/", "/audit?account=")).collect()),
        ];
        for (name, first, word) in [
            ("lines, a later page", "/lines".to_owned(), "Next page"),
            ("conversations of the busiest line, a later page", busy.clone(), "Next page"),
            ("Sync, a later page", "/sync".to_owned(), "Next page"),
            ("contacts of the busiest account, a later page", format!("/accounts/{owner}/contacts"), "Next page"),
            ("an account's people, a later page", format!("/accounts/{owner}/users"), "Next page"),
            ("accounts, a later page", "/accounts".to_owned(), "Next page"),
            ("messages to unknown lines, a later page", "/sync/unknown".to_owned(), "Next page"),
            ("findings, a later page", "/findings".to_owned(), "Next page"),
            ("the history of runs, a later page", "/utilities/history".to_owned(), "Next page"),
            ("the audit, a later page", "/audit".to_owned(), "Next page"),
            ("a conversation of 5,000 messages, older ones", long[0].clone(), "Older"),
        ] {
            let paths = visitor.later(&first, word).await;
            if paths.is_empty() {
                println!("{name}: there is no second page");
            } else {
                screens.push((name, paths));
            }
        }
        screens.push(("a search's page", visitor.kept_searches(20).await));
        for (name, paths) in screens {
            let times = visitor.pages(&paths, SAMPLES).await;
            self.screen(&w, name, times, size);
        }
        let texts: [(&str, Vec<String>); 4] = [
            ("search everywhere, by a name's beginning", FIRST.iter().map(|name| name[..2].to_owned()).collect()),
            ("search everywhere, by three digits", (0..10).map(|n| format!("50{n}")).collect()),
            ("search everywhere, by a contact's last four", (0..300).map(|n| format!("{:04}", n * 31 % 10_000)).collect()),
            ("search everywhere, for nothing there", (0..300).map(|n| format!("zebra {n}")).collect()),
        ];
        for (name, texts) in texts {
            let ask = |text: &String| {
                visitor.http.post(format!("{}/fn/search", visitor.url)).header("accept", "application/json").form(&[("text", text)])
            };
            let times = visitor.times(&texts, SAMPLES, ask).await;
            self.screen(&w, name, times, size);
        }
        w.end().await;
    }

    fn screen(&mut self, w: &World, name: &str, mut times: Vec<Duration>, size: u64) {
        times.sort_unstable();
        let samples = times.len() as u64;
        self.note(Some(w), &format!("screens: p50 {name}"), percentile(&times, 50), "ms", None, size, samples);
        self.note(Some(w), &format!("screens: p99 {name}"), percentile(&times, 99), "ms", Some((50.0, true)), size, samples);
    }
}
