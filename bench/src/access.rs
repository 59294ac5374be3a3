//! What guarding costs: signing in beside other requests, and permission and scope checks within a request.

use crate::world::{EMAIL, PASSWORD, World, keys, number, world};
use crate::{Bench, percentile};
use futures_util::future::{join_all, select};
use server::application::{self, Site, Web};
use std::pin::pin;
use std::time::{Duration, Instant};
use switchyard::directory::lines;
use switchyard::messaging::blast;
use switchyard::staff::approvals::Alone;
use switchyard::staff::{self, Member, Origin, Passwords, Proof};
use switchyard::types::{AccountId, LineFilter, LineId, PhoneNumber, RoleId};

/// Who signs in at once.
const AT_ONCE: usize = 50;
/// Another request begins so often meanwhile.
const PACE: Duration = Duration::from_millis(10);

/// The console on this database, with the built site where there is one.
pub(crate) async fn console(w: &World) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let site = Site {
        public_url: url.clone(),
        site_root: concat!(env!("CARGO_MANIFEST_DIR"), "/../target/site").to_owned(),
        sandbox_url: None,
        secrets: Vec::new(),
        keys: keys(),
        http: application::http_client().unwrap(),
        web: Web::default(),
        alone: Alone { lines: 10, rows: 10_000, at_once: 100 },
        environment: None,
        window: switchyard::sync::ReleaseWindow::default(),
    };
    let router = application::router(&w.db, &w.now, site, None, &w.stop).unwrap();
    let stop = w.stop.clone();
    tokio::spawn(async move { application::serve(listener, router, stop).await });
    url
}

pub(crate) async fn sign_in(http: &reqwest::Client, url: &str, email: &str) -> String {
    let form = [("email", email), ("password", PASSWORD)];
    let request = http.post(format!("{url}/fn/sign-in")).header("accept", "application/json").header("sec-fetch-site", "same-origin");
    let answer = request.form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
    cookies.iter().find(|cookie| cookie.starts_with("switchyard=")).unwrap().split(';').next().unwrap().to_owned()
}

async fn list(http: &reqwest::Client, url: &str, cookie: &str) {
    let request = http.post(format!("{url}/fn/lines/list")).header("accept", "application/json").header("sec-fetch-site", "same-origin");
    let answer = request.header("cookie", cookie).form(&[("search", "")]).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap();
}

/// The page that a browser shows, whole.
async fn page(http: &reqwest::Client, url: &str, cookie: &str) {
    let answer = http.get(format!("{url}/lines")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap();
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    percentile(&times, 50)
}

async fn member(w: &World, passwords: &Passwords, email: &str, role: RoleId) -> Member {
    let invited = staff::invite(&w.db, &w.now, &w.member, Proof::at_the_shell(), email, "Somebody", role).await.unwrap();
    let id = staff::accept(&w.db, &w.now, passwords, &invited.token, PASSWORD.into(), None).await.unwrap().id();
    Member::load(&w.db, id).await.unwrap().unwrap()
}

/// How long a sign-in takes to be refused.
async fn refused(w: &World, passwords: &Passwords, email: &str, address: &str) -> Duration {
    let from = Origin { address, device: None };
    let began = Instant::now();
    let refused = staff::sign_in(&w.db, &w.now, passwords, email, "a wrong password".into(), from).await;
    assert!(refused.is_err());
    began.elapsed()
}

async fn role(w: &World, name: &str) -> RoleId {
    staff::roles::list(&w.db).await.unwrap().into_iter().find(|role| role.name == name).unwrap().id
}

/// A page of the lines, again and again, until `done`.
async fn pages(http: &reqwest::Client, url: &str, cookie: &str, done: impl Future<Output = ()>) -> Vec<Duration> {
    let mut done = pin!(done);
    let mut times = Vec::new();
    loop {
        let request = async {
            let began = Instant::now();
            list(http, url, cookie).await;
            let took = began.elapsed();
            tokio::time::sleep(PACE.saturating_sub(took)).await;
            took
        };
        match select(pin!(request), &mut done).await {
            futures_util::future::Either::Left((took, _)) => times.push(took),
            futures_util::future::Either::Right(_) => return times,
        }
    }
}

impl Bench {
    /// Fifty who sign in at once, and the requests of somebody else meanwhile.
    pub(crate) async fn sign_in(&mut self, engine: &'static str) {
        let Some(w) = world(engine, 200).await else { return };
        let passwords = Passwords::new(w.now.rng.clone()).unwrap();
        let viewer = role(&w, "Viewer").await;
        for n in 0..AT_ONCE {
            member(&w, &passwords, &format!("member{n}@example.com"), viewer).await;
        }
        let (url, http) = (console(&w).await, application::http_client().unwrap());
        let cookie = sign_in(&http, &url, EMAIL).await;
        let calm = pages(&http, &url, &cookie, tokio::time::sleep(Duration::from_secs(2))).await;
        let (mut busy, mut waited) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let all = async {
                let signed = join_all((0..AT_ONCE).map(async |n| {
                    let began = Instant::now();
                    sign_in(&http, &url, &format!("member{n}@example.com")).await;
                    began.elapsed()
                }));
                waited.extend(signed.await);
            };
            busy.extend(pages(&http, &url, &cookie, all).await);
        }
        for (name, mut times, goal) in [
            ("sign-in: p99 of a page, nobody signing in", calm, None),
            ("sign-in: p99 of a page while 50 sign in", busy, Some((50.0, true))),
            ("sign-in: the last of 50 at once is in after", waited, None),
        ] {
            times.sort_unstable();
            let samples = times.len() as u64;
            self.note(Some(&w), name, percentile(&times, if name.contains("last") { 100 } else { 99 }), "ms", goal, 200, samples);
        }
        let (mut wrong, mut strange) = (Vec::new(), Vec::new());
        for n in 0..AT_ONCE {
            for (who, times) in [("member", &mut wrong), ("nobody", &mut strange)] {
                // Ten of each from one address: none is told to wait.
                times.push(refused(&w, &passwords, &format!("{who}{n}@example.com"), &format!("address {}", n / 10)).await);
            }
        }
        let (ratio, name) = (median(strange) / median(wrong), "sign-in: a stranger's refusal, beside that of a wrong password");
        self.note(Some(&w), name, ratio, "×", Some((1.1, true)), 200, AT_ONCE as u64);
        for n in 0..AT_ONCE {
            refused(&w, &passwords, &format!("guessed{n}@example.com"), "used up").await;
        }
        let (mut wrong, mut strange) = (Vec::new(), Vec::new());
        for n in 0..AT_ONCE {
            for (who, times) in [("member", &mut wrong), ("stranger", &mut strange)] {
                times.push(refused(&w, &passwords, &format!("{who}{n}@example.com"), "used up").await);
            }
        }
        let (ratio, name) = (median(strange) / median(wrong), "sign-in: a stranger who is told to wait, beside a member");
        self.note(Some(&w), name, ratio, "×", Some((1.1, true)), 200, AT_ONCE as u64);
        w.end().await;
    }

    /// A page of the lines for somebody who looks after half of the accounts: how much of it is asking what they may see.
    pub(crate) async fn permits(&mut self, engine: &'static str) {
        let (accounts, size) = if self.full { (5_000, 1_000_000) } else { (5_000, 100_000) };
        let Some(w) = world(engine, 200).await else { return };
        let passwords = Passwords::new(w.now.rng.clone()).unwrap();
        for (n, chunk) in (0..size).collect::<Vec<u64>>().chunks(100_000).enumerate() {
            let recipients: Vec<PhoneNumber> = chunk.iter().map(|n| number(1_000_000 + n)).collect();
            let line = w.lines[n % w.lines.len()].0;
            blast::take_as_staff(&w.db, &w.now, &w.member.permit().unwrap(), line, "Sale!", &recipients).await.unwrap();
            while blast::record_next(&w.db, &w.now).await.unwrap() {}
        }
        // Two lines for each further account; written directly, since only their number counts here.
        let at = w.now.at();
        let mut scope: Vec<AccountId> = Vec::new();
        for part in (0..accounts).collect::<Vec<u64>>().chunks(500) {
            w.db.work(async |tx| {
                for n in part {
                    let account = AccountId(w.now.id());
                    tx.run(
                        "insert into account (id, name, search, sends_blasts, has_conversations, created_at, version)
                         values ($1, $2, $3, true, true, $4, 1)",
                        (account, format!("Account {n}"), format!("account {n}"), at),
                    )
                    .await?;
                    for m in 0..2 {
                        let (line, own) = (LineId(w.now.id()), number(10_000_000 + n * 2 + m));
                        tx.run(
                            "insert into line (id, number, label, search, account_id, integration_type, version, created_at)
                             values ($1, $2, $3, $4, $5, 'none', 1, $6)",
                            (line, own, format!("Line {n}"), format!("line {n}"), account, at),
                        )
                        .await?;
                    }
                    if n % 2 == 0 {
                        scope.push(account);
                    }
                }
                Ok::<_, switchyard::db::Error>(())
            })
            .await
            .unwrap();
        }
        let half = RoleId(w.now.id());
        let viewer = role(&w, "Viewer").await;
        w.db.work(async |tx| {
            tx.run("insert into role (id, name, everywhere, created_at) values ($1, 'Half', false, $2)", (half, at)).await?;
            tx.run(
                "insert into role_permission (role_id, permission) select $1, permission from role_permission where role_id = $2",
                (half, viewer),
            )
            .await?;
            for account in &scope {
                tx.run("insert into role_account (role_id, account_id) values ($1, $2)", (half, *account)).await?;
            }
            Ok::<_, switchyard::db::Error>(())
        })
        .await
        .unwrap();
        w.settle().await;
        let scoped = member(&w, &passwords, "half@example.com", half).await;
        let (url, http) = (console(&w).await, application::http_client().unwrap());
        let cookie = sign_in(&http, &url, "half@example.com").await;
        let all = w.member.permit().unwrap();
        let (mut painted, mut requests, mut checked, mut unchecked, mut loaded) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..500 {
            let began = Instant::now();
            page(&http, &url, &cookie).await;
            painted.push(began.elapsed());
            let began = Instant::now();
            list(&http, &url, &cookie).await;
            requests.push(began.elapsed());
            let began = Instant::now();
            let own = Member::load(&w.db, scoped.id()).await.unwrap().unwrap();
            loaded.push(began.elapsed());
            let began = Instant::now();
            lines::list(&w.db, &own.permit().unwrap(), &LineFilter::default(), None, 50).await.unwrap();
            checked.push(began.elapsed());
            let began = Instant::now();
            lines::list(&w.db, &all, &LineFilter::default(), None, 50).await.unwrap();
            unchecked.push(began.elapsed());
        }
        let (painted, request) = (median(painted), median(requests));
        let (checked, unchecked, loaded) = (median(checked), median(unchecked), median(loaded));
        let guarded = loaded + (checked - unchecked).max(0.0);
        for (name, value, unit, goal) in [
            ("permits: p50 of the page of lines, half of the accounts", painted, "ms", None),
            ("permits: p50 of its rows alone", request, "ms", None),
            ("permits: reading what the member may do", loaded, "ms", None),
            ("permits: the scope within the statement", checked - unchecked, "ms", None),
            ("permits: share of the page", guarded / painted * 100.0, "%", Some((10.0, true))),
            ("permits: share of its rows alone", guarded / request * 100.0, "%", Some((10.0, true))),
        ] {
            self.note(Some(&w), name, value, unit, goal, size, 500);
        }
        w.end().await;
    }
}
