//! The command line and the environment: every setting has a name, a default and a sentence here, and nowhere else.

use crate::application::{StartError, Web};
use crate::front::{Front, Limits, Tls, TrustedProxies};
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use switchyard::staff::approvals::Alone;
use switchyard::sync::ReleaseWindow;
use switchyard::utilities::WorkerConfig;
use tokio_util::sync::CancellationToken;

/// The files of the certificate are looked at so often.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(30);

/// The installation that needs no label.
const PRODUCTION: &str = "production";
/// A longer name of an installation does not fit above a page on a phone.
const LONGEST_NAME: usize = 24;

/// The internal admin console of a business-texting platform, with the services behind it.
#[derive(Debug, Parser)]
#[command(name = "switchyard", version, about, after_help = "Try it: switchyard demo\nThen open the printed link and set a password.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the console, the webhooks and the API, and work the queues in the same process.
    Serve(Settings),
    /// Work the queues only; for further machines on PostgreSQL.
    Work(Settings),
    /// Bring the database to this program's version, then end.
    Migrate(DatabaseArgs),
    /// Manage staff from the shell, as a named member and by the same rules.
    Staff(StaffArgs),
    /// The audit: check that nobody changed it.
    Audit(AuditArgs),
    /// Data utilities: plan, start and follow runs from the shell, as a named member and by the same rules.
    Utility(UtilityArgs),
    /// Fill an empty database with a demo and start everything, the RingCentral sandbox too.
    Demo(Settings),
    /// Run the RingCentral and carrier sandbox alone.
    Sandbox(SandboxArgs),
    /// Print a new key for SECRET_KEY, which seals the secrets of connections in the database.
    Key,
}

/// Where the data is.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// The database: `sqlite:<file>` or `postgres://user@host/name`.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite:switchyard.db", hide_env_values = true)]
    pub database_url: String,
    /// Connections to keep to it.
    #[arg(long, env = "DATABASE_CONNECTIONS", default_value_t = 16)]
    pub database_connections: u32,
}

/// What to do with the audit.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What can be done with the audit.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check the seal of every entry; fails when one was changed, removed or slipped in.
    Verify {
        /// Where the data is.
        #[command(flatten)]
        database: DatabaseArgs,
        /// A number and hash that an earlier check printed and that were kept elsewhere, as `number:hash`: without it nobody notices an
        /// end that was cut off, or a chain that was made anew.
        #[arg(long)]
        known: Option<String>,
    },
}

/// The settings of a server or a worker.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where the data is.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The address to listen on.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// The console as a browser reaches it; with https, cookies are Secure. Default: http and the address above.
    #[arg(long, env = "PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Which installation this is: `production`, or a name that stands in a coloured band above every page. Default: Demo for `demo`,
    /// Local where only this machine reaches it, else production.
    #[arg(long, env = "ENVIRONMENT")]
    pub environment: Option<String>,
    /// A certificate (PEM, the whole chain) and its key: the console then speaks TLS itself. Both files are read anew when they change.
    #[arg(long, env = "TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM.
    #[arg(long, env = "TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Proxies whose X-Forwarded-For counts: addresses and networks such as 10.0.0.0/8, with commas. Without them it is not read.
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: String,
    /// Opens /metrics from elsewhere than this machine, as a bearer token of at least 16 characters.
    #[arg(long, env = "METRICS_TOKEN", hide_env_values = true)]
    pub metrics_token: Option<String>,
    /// The built site: styles, scripts, wasm.
    #[arg(long, env = "SITE_ROOT", default_value = "target/site")]
    pub site_root: PathBuf,
    /// The carrier's address, before /v1. Without it nothing is sent; messages wait.
    #[arg(long, env = "CARRIER_URL")]
    pub carrier_url: Option<String>,
    /// The carrier's key.
    #[arg(long, env = "CARRIER_KEY", hide_env_values = true, default_value = "")]
    pub carrier_key: String,
    /// Secrets of the carriers' webhooks: `name=secret`, several with commas; a name twice while a secret is being replaced.
    #[arg(long, env = "CARRIER_SECRETS", hide_env_values = true, default_value = "")]
    pub carrier_secrets: String,
    /// The key that seals secrets in the database, as `switchyard key` prints it; several with commas while it is replaced, the newest
    /// first. `demo` makes one in a file of its own when there is none.
    #[arg(long, env = "SECRET_KEY", hide_env_values = true, default_value = "")]
    pub secret_key: String,
    /// SMS to send a second, at most, of all processes together.
    #[arg(long, env = "SMS_PER_SECOND", default_value_t = 50)]
    pub sms_per_second: u32,
    /// Where RingCentral reaches the webhooks, if not at the public URL.
    #[arg(long, env = "RINGCENTRAL_WEBHOOK_URL")]
    pub ringcentral_webhook_url: Option<String>,
    /// A call to RingCentral ends within so many milliseconds.
    #[arg(long, env = "RINGCENTRAL_CALL_MS", default_value_t = 15_000)]
    pub ringcentral_call_ms: u64,
    /// An accepted post is listed within so many milliseconds; an assumption, RingCentral documents none.
    #[arg(long, env = "RINGCENTRAL_SETTLE_MS", default_value_t = 20_000)]
    pub ringcentral_settle_ms: u64,
    /// Of what is held, messages that were sent longer ago than so many days are not posted when the contact writes; the post says how
    /// many it leaves out.
    #[arg(long, env = "RELEASE_DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub release_days: u16,
    /// At most the newest so many of what is held are posted when the contact writes.
    #[arg(long, env = "RELEASE_MESSAGES", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub release_messages: u16,
    /// Conversations that are delivered at the same time.
    #[arg(long, env = "LANES", default_value_t = 32)]
    pub lanes: usize,
    /// Setting the integration type of more lines than these at once needs a second person.
    #[arg(long, env = "LINES_ALONE", default_value_t = Alone::DEFAULT.lines)]
    pub lines_alone: usize,
    /// A run of a data utility that touches more rows than these needs a second person; some need one always.
    #[arg(long, env = "ROWS_ALONE", default_value_t = Alone::DEFAULT.rows)]
    pub rows_alone: i64,
    /// A bulk change of more rows than these is a run of a data utility.
    #[arg(long, env = "ROWS_AT_ONCE", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub rows_at_once: u16,
    /// The share of the time that the batches of data utilities may take, in per cent; the rest is everybody else's.
    #[arg(long, env = "UTILITY_SHARE", default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub utility_share: u8,
    /// What to log: error, warn, info, debug, or a filter such as `info,switchyard=debug`.
    #[arg(long, env = "LOG", default_value = "info")]
    pub log: String,
    /// The sandbox's own port, for `demo`.
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:3001")]
    pub sandbox_listen: SocketAddr,
    /// The e-mail of the first administrator, invited when there is no staff yet.
    #[arg(long, env = "FIRST_ADMINISTRATOR", default_value = "admin@example.com")]
    pub first_administrator: String,
    /// For tests: take out a guard of the delivery engine. Debug builds only.
    #[cfg(debug_assertions)]
    #[arg(long, env = "SWITCHYARD_BREAK", hide = true)]
    pub break_guard: Option<String>,
    /// For tests: how runs of data utilities are worked, `lease=800,limit=600,most=20,break=fence`; times in milliseconds. Debug builds only.
    #[cfg(debug_assertions)]
    #[arg(long, env = "SWITCHYARD_UTILITIES", hide = true, default_value = "")]
    pub utilities: String,
}

/// What to do about staff.
#[derive(Debug, Args)]
pub struct StaffArgs {
    /// Where the data is.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: StaffCommand,
}

/// What can be done about staff from the shell.
#[derive(Debug, Subcommand)]
pub enum StaffCommand {
    /// Invite somebody: prints a link that works once, for a day. On a database without staff it invites the first administrator. A role
    /// that holds dangerous permissions waits in the console for a second person.
    Add {
        /// Their e-mail.
        #[arg(long)]
        email: String,
        /// Their name.
        #[arg(long)]
        name: String,
        /// Viewer, Support or Administrator.
        #[arg(long, default_value = "Viewer")]
        role: String,
        /// The e-mail of the administrator who invites; not needed on a database without staff.
        #[arg(long = "as")]
        acting: Option<String>,
        /// The console as a browser reaches it.
        #[arg(long, env = "PUBLIC_URL", default_value = "http://127.0.0.1:3000")]
        public_url: String,
    },
}

/// What to do about data utilities.
#[derive(Debug, Args)]
pub struct UtilityArgs {
    /// Where the data is.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The e-mail of the member of the staff who asks.
    #[arg(long = "as", global = true, default_value = "", hide_default_value = true)]
    pub acting: String,
    /// What to do.
    #[command(subcommand)]
    pub command: UtilityCommand,
}

/// What can be done about data utilities from the shell.
#[derive(Debug, Subcommand)]
pub enum UtilityCommand {
    /// List the utilities with what each asks for, and the latest runs.
    List,
    /// Look at what a run would do; nothing is changed. Prints the plan and the run's id.
    Plan {
        /// Such as `consent_import`; see `list`.
        utility: String,
        /// An answer to what it asks for, as `name=answer`; several times. Lines and accounts by id, number or name.
        #[arg(long = "set", value_name = "NAME=ANSWER")]
        answers: Vec<String>,
        /// The file that it asks for.
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// Start a planned run. A running server works it.
    Run {
        /// The run's id, as `plan` printed it.
        run: String,
        /// The confirmation that the plan asks for.
        #[arg(long, default_value = "")]
        typed: String,
        /// Why, for the second person who has to agree.
        #[arg(long, default_value = "")]
        note: String,
        /// Wait until it is done, or stands still.
        #[arg(long)]
        wait: bool,
    },
    /// Show how far a run is.
    Status {
        /// The run's id.
        run: String,
        /// Write what came of each row of the file here, as CSV.
        #[arg(long, value_name = "FILE")]
        result: Option<PathBuf>,
    },
    /// Stop a run after the batch under way.
    Pause {
        /// The run's id.
        run: String,
    },
    /// Go on after a pause, or after a failure from where it failed.
    Resume {
        /// The run's id.
        run: String,
    },
    /// End a run before it is done.
    Cancel {
        /// The run's id.
        run: String,
    },
}

/// The sandbox's settings.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The address to listen on.
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:3001")]
    pub listen: SocketAddr,
    /// Where the product's webhooks are.
    #[arg(long, env = "WEBHOOK_BASE", default_value = "http://127.0.0.1:3000")]
    pub webhook_base: String,
    /// A file for its journal, from which its state is rebuilt at the next start.
    #[arg(long, env = "SANDBOX_JOURNAL")]
    pub journal: Option<PathBuf>,
    /// Posts in a minute; 0 for no limit.
    #[arg(long, env = "POSTS_PER_MINUTE", default_value_t = 40)]
    pub posts_per_minute: u32,
}

impl Settings {
    /// The console as a browser reaches it, without a slash at the end.
    pub fn public_url(&self) -> String {
        let scheme = if self.tls_cert.is_some() { "https" } else { "http" };
        self.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", self.listen)).trim_end_matches('/').to_owned()
    }

    /// The name of this installation; none in production.
    ///
    /// # Errors
    /// With a sentence, when it is no name that fits above a page.
    pub fn environment(&self) -> Result<Option<String>, String> {
        let url = self.public_url();
        let host = url.split("://").last().unwrap_or_default();
        let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&host.rsplit_once(':').map_or(host, |(name, _)| name));
        let name = self.environment.as_deref().map_or(if is_local { "Local" } else { PRODUCTION }, str::trim);
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(format!("ENVIRONMENT: write production, or a name of at most {LONGEST_NAME} characters"));
        }
        Ok((!name.eq_ignore_ascii_case(PRODUCTION)).then(|| name.to_owned()))
    }

    /// The web layer: who is trusted, and that what is said of TLS fits together.
    ///
    /// # Errors
    /// With a sentence, when a part is missing or not understood.
    pub fn web(&self) -> Result<Web, String> {
        let proxies: TrustedProxies = self.trusted_proxies.parse()?;
        let is_https = self.public_url().starts_with("https://");
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => return Err("TLS_CERT needs TLS_KEY, the file with its private key".to_owned()),
            (None, Some(_)) => return Err("TLS_KEY needs TLS_CERT, the file with the certificate".to_owned()),
            (Some(_), Some(_)) if !is_https => {
                return Err("PUBLIC_URL must begin with https:// when TLS_CERT and TLS_KEY are set".to_owned());
            }
            (None, None) if is_https && proxies.is_empty() => {
                return Err("PUBLIC_URL says https, but nobody speaks it: set TLS_CERT and TLS_KEY, or name the proxy that does \
                            (TRUSTED_PROXIES)"
                    .to_owned());
            }
            _ => {}
        }
        if self.metrics_token.as_ref().is_some_and(|token| token.len() < 16) {
            return Err("METRICS_TOKEN must have at least 16 characters".to_owned());
        }
        Ok(Web { limits: Limits::default(), proxies, metrics_token: self.metrics_token.clone() })
    }

    /// The front door; the certificate's files are read, and looked at until told to stop.
    ///
    /// # Errors
    /// With what is wrong with them.
    pub fn front(&self, stop: &CancellationToken) -> Result<Front, StartError> {
        let files = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        let tls = files.map(|(certificate, key)| Tls::start(certificate, key, CERTIFICATE_LOOK, stop)).transpose()?;
        Ok(Front { limits: Limits::default(), tls })
    }

    /// How much one person does alone.
    pub fn alone(&self) -> Alone {
        Alone { lines: self.lines_alone, rows: self.rows_alone, at_once: self.rows_at_once.into() }
    }

    /// How much of what is held a contact's reply releases.
    pub fn window(&self) -> ReleaseWindow {
        ReleaseWindow { reach: Duration::from_secs(u64::from(self.release_days) * 24 * 60 * 60), most: self.release_messages }
    }

    /// Where RingCentral reaches the webhooks.
    pub fn webhook_url(&self) -> String {
        self.ringcentral_webhook_url.clone().unwrap_or_else(|| self.public_url())
    }

    /// The carriers' webhook secrets: name and secret, in order.
    ///
    /// # Errors
    /// With a sentence, when a part is not `name=secret`.
    pub fn secrets(&self) -> Result<Vec<(String, String)>, String> {
        let parts = self.carrier_secrets.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| match part.split_once('=') {
                Some((name, secret)) if !name.is_empty() && secret.len() >= 16 => Ok((name.to_owned(), secret.to_owned())),
                _ => Err("CARRIER_SECRETS: write name=secret, with a secret of at least 16 characters".to_owned()),
            })
            .collect()
    }

    /// How runs of data utilities are worked.
    ///
    /// # Errors
    /// With a sentence, when a test asks for something that there is not.
    pub fn utilities(&self) -> Result<WorkerConfig, String> {
        let config = WorkerConfig { share: f64::from(self.utility_share) / 100.0, ..WorkerConfig::default() };
        #[cfg(debug_assertions)]
        let config = for_a_test(config, &self.utilities)?;
        Ok(config)
    }

    /// How the delivery engine works.
    ///
    /// # Errors
    /// With a sentence, when a test names a guard that there is not.
    pub fn engine(&self) -> Result<switchyard::sync::EngineConfig, String> {
        #[cfg(debug_assertions)]
        let broken = self.break_guard.as_deref().map(str::parse).transpose().map_err(|e: switchyard::types::UnknownWord| e.to_string())?;
        #[cfg(not(debug_assertions))]
        let broken = None;
        Ok(switchyard::sync::EngineConfig {
            call: Duration::from_millis(self.ringcentral_call_ms),
            settle: Duration::from_millis(self.ringcentral_settle_ms),
            lanes: self.lanes.max(1),
            public_url: self.public_url(),
            broken,
            ..switchyard::sync::EngineConfig::default()
        })
    }
}

/// The same with what a test asks for: short leases, small batches, a guard taken out.
#[cfg(debug_assertions)]
fn for_a_test(mut config: WorkerConfig, words: &str) -> Result<WorkerConfig, String> {
    for word in words.split(',').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').ok_or("SWITCHYARD_UTILITIES: write name=value")?;
        let number = || value.parse::<u32>().map_err(|error| format!("SWITCHYARD_UTILITIES: {name}: {error}"));
        match name {
            "lease" => config.lease = Duration::from_millis(number()?.into()),
            "limit" => config.limit = Duration::from_millis(number()?.into()),
            "most" => config.most = number()?.into(),
            "tries" => config.tries = number()?.into(),
            "break" => config.broken = Some(value.parse().map_err(|error: switchyard::types::UnknownWord| error.to_string())?),
            _ => return Err(format!("SWITCHYARD_UTILITIES: there is no {name}")),
        }
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_secrets_are_checked() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        let parse = |secrets: &str| {
            let cli = Cli::parse_from(["switchyard", "serve", "--carrier-secrets", secrets]);
            let Command::Serve(settings) = cli.command else { unreachable!("serve was asked for") };
            settings.secrets()
        };
        assert_eq!(parse("a=0123456789abcdef, a=fedcba9876543210").map(|s| s.len()), Ok(2));
        assert!(parse("a=short").is_err());
        assert!(parse("nonsense").is_err());
    }

    #[test]
    fn an_installation_that_is_not_production_is_named() {
        let environment = |arguments: &[&str]| {
            let cli = Cli::parse_from([&["switchyard", "serve"], arguments].concat());
            let Command::Serve(settings) = cli.command else { unreachable!("serve was asked for") };
            settings.environment()
        };
        assert_eq!(environment(&[]), Ok(Some("Local".to_owned())));
        assert_eq!(environment(&["--public-url", "https://console.example.com"]), Ok(None));
        assert_eq!(environment(&["--environment", "Production"]), Ok(None));
        assert_eq!(
            environment(&["--public-url", "https://console.example.com", "--environment", " Staging "]),
            Ok(Some("Staging".to_owned()))
        );
        assert!(environment(&["--environment", ""]).is_err());
        assert!(environment(&["--environment", "a name that fits above no page at all"]).is_err());
    }

    #[test]
    fn the_window_of_a_release_is_what_was_set_and_nothing_that_releases_none() {
        let window = |arguments: &[&str]| {
            let cli = Cli::try_parse_from([&["switchyard", "serve"], arguments].concat()).map_err(|error| error.to_string())?;
            let Command::Serve(settings) = cli.command else { unreachable!("serve was asked for") };
            Ok::<_, String>(settings.window())
        };
        assert_eq!(window(&[]), Ok(ReleaseWindow::default()));
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        let set = window(&["--release-days", "30", "--release-messages", "50"]);
        assert_eq!(set, Ok(ReleaseWindow { reach: days(30), most: 50 }));
        for (option, value) in [("--release-days", "0"), ("--release-days", "3651"), ("--release-messages", "0")] {
            assert!(window(&[option, value]).is_err(), "{option} {value}");
        }
    }

    #[test]
    fn half_a_configuration_of_the_web_is_refused_with_what_is_missing() {
        let web = |arguments: &[&str]| {
            let cli = Cli::try_parse_from([&["switchyard", "serve"], arguments].concat()).map_err(|error| error.to_string())?;
            let Command::Serve(settings) = cli.command else { unreachable!("serve was asked for") };
            settings.web().map(|_| settings.public_url())
        };
        let refused = |arguments: &[&str], word: &str| {
            let error = web(arguments).expect_err(word);
            assert!(error.contains(word), "{error}");
        };
        refused(&["--tls-cert", "a.pem"], "--tls-key");
        refused(&["--tls-key", "a.key"], "--tls-cert");
        refused(&["--tls-cert", "a.pem", "--tls-key", "a.key", "--public-url", "http://console.example.com"], "PUBLIC_URL");
        refused(&["--public-url", "https://console.example.com"], "TRUSTED_PROXIES");
        refused(&["--trusted-proxies", "everybody"], "everybody");
        refused(&["--metrics-token", "short"], "METRICS_TOKEN");
        assert_eq!(web(&["--tls-cert", "a.pem", "--tls-key", "a.key"]).as_deref(), Ok("https://127.0.0.1:3000"));
        assert!(web(&["--public-url", "https://console.example.com", "--trusted-proxies", "10.0.0.7"]).is_ok());
        assert!(web(&[]).is_ok());
    }
}
