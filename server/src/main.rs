//! The binary: reads the command line and starts what it names.

// A command line prints its answers.
#![allow(clippy::print_stdout)]
#![recursion_limit = "256"]

use clap::Parser;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use server::application::{self, Site, StartError, because, may_work_alone};
use server::config::{AuditArgs, AuditCommand, Cli, Command, DatabaseArgs, SandboxArgs, Settings, StaffArgs, StaffCommand, UtilityArgs};
use server::demo;
use server::sandbox::{Limits, Sandbox, SandboxConfig};
use server::shell;
use std::path::Path;
use std::process::ExitCode;
use switchyard::clock::{Clock, Now, Rng};
use switchyard::db::Db;
use switchyard::secret::{self, Keyring};
use switchyard::staff::{self, Invited, Member, Place, Proof, approvals, may};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(settings) => serve(settings, None).await,
        Command::Work(settings) => work(settings).await,
        Command::Migrate(database) => migrate(database).await,
        Command::Staff(args) => manage_staff(args).await,
        Command::Audit(AuditArgs { command: AuditCommand::Verify { database, known } }) => verify_audit(database, known).await,
        Command::Utility(args) => utility(args).await,
        Command::Demo(settings) => run_demo(settings).await,
        Command::Sandbox(args) => sandbox(args).await,
        Command::Key => {
            println!("{}", secret::new_key(&Rng::from_os()));
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("switchyard: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The demo's key, beside the database it makes.
const DEMO_KEY: &str = "switchyard-demo.key";

/// What somebody at the shell reads of the log: what stands behind the reference of an error of ours.
const AT_THE_SHELL: &str = "error";

fn log(filter: &str) -> Result<(), StartError> {
    let filter = EnvFilter::try_new(filter).map_err(because("LOG is not understood"))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).json().with_current_span(false).init();
    std::panic::set_hook(Box::new(|panic| {
        // Where, and not what: words that were put together at run time may quote a message or a number.
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "our own code panicked");
    }));
    Ok(())
}

/// Ends with Ctrl-C or SIGTERM.
fn until_told() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        let mut term = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(term) => term,
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be heard");
                return;
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = term.recv() => {}
        }
        tracing::info!("shutting down: finishing what is under way");
        told.cancel();
    });
    stop
}

async fn listen(at: std::net::SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(at).await.map_err(because(&format!("{at} cannot be listened on; is another one running? (see LISTEN)")))
}

/// Serves and works. `sandbox` is where it runs, in a demo.
async fn serve(settings: Settings, sandbox: Option<(Sandbox, String)>) -> Result<(), StartError> {
    if sandbox.is_none() {
        log(&settings.log)?;
    }
    let keys = Keyring::parse(&settings.secret_key).map_err(because("secrets cannot be sealed"))?;
    let now = Now::system();
    let stop = until_told();
    let (web, front) = (settings.web().map_err(StartError)?, settings.front(&stop)?);
    let db = application::open(&settings.database.database_url, settings.database.database_connections).await?;
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &[0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
        .and_then(|builder| builder.install_recorder())
        .map_err(because("metrics"))?;
    let http = application::http_client()?;
    if !settings.listen.ip().is_loopback() && !settings.public_url().starts_with("https://") {
        tracing::warn!("passwords travel in the clear: set TLS_CERT and TLS_KEY, or put a proxy with TLS in front (TRUSTED_PROXIES)");
    }
    let listener = listen(settings.listen).await?;
    // A demo is looked at by one person, who may want to click before they set up a phone.
    let strict = sandbox.is_none();
    let invited = staff::first_administrator(&db, &now, &settings.first_administrator, "First administrator", strict)
        .await
        .map_err(because("the first administrator could not be invited"))?;
    if sandbox.is_some() {
        demo::fill(&db, &now, &keys, sandbox.as_ref().map(|(_, url)| url.as_str()).unwrap_or_default())
            .await
            .map_err(because("the demo could not be filled"))?;
    }
    approvals::keep_alone(&db, settings.alone()).await.map_err(because("the settings could not be kept"))?;
    let site = Site {
        public_url: settings.public_url(),
        site_root: settings.site_root.display().to_string(),
        sandbox_url: sandbox.as_ref().map(|(_, url)| url.clone()),
        secrets: settings.secrets().map_err(StartError)?,
        keys: keys.clone(),
        http: http.clone(),
        web,
        alone: settings.alone(),
        environment: settings.environment().map_err(StartError)?,
        window: settings.window(),
    };
    let router = application::router(&db, &now, site, Some(metrics), &stop)?;
    let mut workers = application::workers(&settings, http, keys)?.start(&db, &now, &stop);

    println!("Switchyard listens on {}", settings.public_url());
    if let Some((_, url)) = &sandbox {
        println!("The RingCentral sandbox listens on {url}");
    }
    if let Some(invited) = invited {
        println!("First administrator: open this link once, within a day, and set a password:");
        println!("  {}/invitation?token={}", settings.public_url(), invited.token);
    }
    front.serve(listener, router, stop.clone()).await;
    stop.cancel();
    while workers.join_next().await.is_some() {}
    db.close().await;
    Ok(())
}

async fn work(settings: Settings) -> Result<(), StartError> {
    may_work_alone(&settings.database.database_url)?;
    log(&settings.log)?;
    let keys = Keyring::parse(&settings.secret_key).map_err(because("secrets cannot be opened"))?;
    let now = Now::system();
    let db = application::open(&settings.database.database_url, settings.database.database_connections).await?;
    let stop = until_told();
    let http = application::http_client()?;
    let mut workers = application::workers(&settings, http, keys)?.start(&db, &now, &stop);
    while workers.join_next().await.is_some() {}
    db.close().await;
    Ok(())
}

async fn migrate(database: DatabaseArgs) -> Result<(), StartError> {
    let db = application::open(&database.database_url, 2).await?;
    println!("The database is at this program's version.");
    db.close().await;
    Ok(())
}

/// Invites as this member, by the same rules as in the console.
async fn invite_as(db: &Db, now: &Now, member: &Member, email: &str, name: &str, role: &str) -> Result<Invited, StartError> {
    // Who may not invite does not hear which roles there are.
    member.permit::<may::ManageStaff>().map_err(because("not invited"))?;
    let roles = staff::roles::list(db).await.map_err(because("the database does not answer"))?;
    let role = roles
        .iter()
        .find(|r| r.name.eq_ignore_ascii_case(role))
        .ok_or_else(|| StartError(format!("there is no role {role}; there are {}", names(&roles))))?;
    staff::invite(db, now, member, Proof::at_the_shell(), email, name, role.id).await.map_err(because("not invited"))
}

async fn manage_staff(args: StaffArgs) -> Result<(), StartError> {
    log(AT_THE_SHELL)?;
    let now = Now::system();
    let db = application::open(&args.database.database_url, 2).await?;
    let StaffCommand::Add { email, name, role, acting, public_url } = args.command;
    let invited = match acting {
        None => {
            let invited = staff::first_administrator(&db, &now, &email, &name, true)
                .await
                .map_err(because("not invited"))?
                .ok_or_else(|| StartError("there is staff already: say who invites, with --as <e-mail of an administrator>".to_owned()))?;
            let whose = staff::peek(&db, &now, &invited.token, None).await.map_err(because("not invited"))?;
            if whose != email.trim().to_lowercase() {
                println!("{whose} was invited first and has set no password yet. Nobody else was invited; this is a new link of theirs.");
            }
            invited
        }
        Some(acting) => {
            let member = Member::by_email(&db, &acting).await.map_err(because("the database does not answer"))?;
            let member = member.ok_or_else(|| StartError(format!("nobody with the e-mail {acting} works here")))?;
            let member = member.from(Some("shell".to_owned()));
            let invited = invite_as(&db, &now, &member, &email, &name, &role).await;
            let place = Place { route: "staff add", path: "staff add", is_refused: false };
            staff::write_down(&db, &now, &member, place).await.map_err(because("the audit could not be written"))?;
            invited?
        }
    };
    if invited.waits.is_some() {
        println!("The role waits under Approvals for a second person; until then they have none.");
    }
    println!("{}/invitation?token={}", public_url.trim_end_matches('/'), invited.token);
    db.close().await;
    Ok(())
}

async fn utility(args: UtilityArgs) -> Result<(), StartError> {
    log(AT_THE_SHELL)?;
    let db = application::open(&args.database.database_url, 2).await?;
    let done = shell::utility(&db, &Now::system(), &args.acting, args.command).await;
    db.close().await;
    done
}

async fn verify_audit(database: DatabaseArgs, known: Option<String>) -> Result<(), StartError> {
    let known = known
        .map(|known| {
            let parts = known.split_once(':').and_then(|(number, hash)| Some((number.parse().ok()?, hash.to_lowercase())));
            parts.ok_or_else(|| StartError("--known: write number:hash, as an earlier check printed them".to_owned()))
        })
        .transpose()?;
    let db = application::open(&database.database_url, 2).await?;
    let found = staff::verify(&db, known).await.map_err(because("the audit could not be read"))?;
    db.close().await;
    if let Some((number, id)) = found.broken {
        let what = if id.is_nil() { "is missing".to_owned() } else { format!("({id}) is not as it was sealed") };
        return Err(StartError(format!("entry {number} of the audit {what}; {} before it are good", found.sealed)));
    }
    if found.cut + found.sealed + found.unsealed == 0 {
        let text = "the audit has no entry: nobody was ever invited to this database (see DATABASE_URL), or all of it was removed";
        return Err(StartError(text.to_owned()));
    }
    println!("{} entries are sealed, and every seal is good.", found.sealed);
    if found.cut > 0 {
        println!("Those up to number {} were kept as long as is set, and are gone; the audit says when.", found.cut);
    }
    if let Some((number, hash)) = found.head {
        println!("Keep this elsewhere and check with it next time: --known {number}:{hash}");
    }
    if let Some(since) = found.unsealed_since {
        println!(
            "{} are not sealed yet, the oldest of {} UTC; a running server seals them within seconds.",
            found.unsealed,
            since.minute()
        );
    }
    Ok(())
}

fn names(roles: &[switchyard::types::RoleRow]) -> String {
    roles.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(", ")
}

async fn run_demo(mut settings: Settings) -> Result<(), StartError> {
    log(&settings.log)?;
    let http = application::http_client()?;
    let listener = listen(settings.sandbox_listen).await?;
    let url = format!("http://{}", settings.sandbox_listen);
    let mut config = SandboxConfig::new(Clock::System, http);
    config.webhook_base = Some(format!("http://{}", settings.listen));
    config.own_base = Some(url.clone());
    config.posts_per_minute = None;
    config.posts_per_day = None;
    settings.carrier_url.get_or_insert_with(|| format!("{url}/carrier"));
    if settings.carrier_key.is_empty() {
        settings.carrier_key = config.carrier_key.clone();
    }
    if settings.carrier_secrets.is_empty() {
        settings.carrier_secrets = format!("{}={}", config.carrier_name, config.webhook_secret);
    }
    if settings.secret_key.is_empty() {
        settings.secret_key = demo::key(Path::new(DEMO_KEY))?;
    }
    settings.environment.get_or_insert_with(|| "Demo".to_owned());
    let sandbox = start_sandbox(config, listener)?;
    serve(settings, Some((sandbox, url))).await
}

/// Starts a sandbox that ends with the process.
fn start_sandbox(config: SandboxConfig, listener: TcpListener) -> Result<Sandbox, StartError> {
    let sandbox = Sandbox::new(config).map_err(because("the sandbox could not be started"))?;
    let router = sandbox.router();
    drop(sandbox.spawn_webhooks(CancellationToken::new()));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the sandbox ended");
        }
    });
    Ok(sandbox)
}

async fn sandbox(args: SandboxArgs) -> Result<(), StartError> {
    log("info")?;
    let mut config = SandboxConfig::new(Clock::System, application::http_client()?);
    config.webhook_base = Some(args.webhook_base);
    config.own_base = Some(format!("http://{}", args.listen));
    config.journal = args.journal;
    let listener = listen(args.listen).await?;
    let sandbox = start_sandbox(config, listener)?;
    if args.posts_per_minute == 0 {
        sandbox.set_limits(Limits { posts_per_minute: None, posts_per_day: None });
    } else {
        sandbox.set_limits(Limits { posts_per_minute: Some(args.posts_per_minute), ..sandbox.limits() });
    }
    println!("The sandbox listens on http://{}", args.listen);
    until_told().cancelled().await;
    Ok(())
}
