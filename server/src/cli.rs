//! The commands. What a person reads goes to standard output; what went wrong goes to standard error, in one
//! sentence, with exit code 2 for a wrong setting and 1 for everything else.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]

use std::{future::Future, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand, error::ErrorKind};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    app::{self, App, Notice, StartError},
    clock::Clock,
    config::{self, ConfigError, DatabaseArgs, ServeArgs, SpoolArgs},
    db::{Store, spool::Spool},
    demo::{self, DemoArgs},
    domain::{ids::PartnerId, text::Name, totals::Difference},
    error::causes,
    http::openapi,
    operator::{self, Resealed},
};

/// Self-hosted server-to-server conversion tracking.
#[derive(Parser)]
#[command(name = "tallyback", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(ServeArgs),
    /// Show the whole way of a conversion on a fresh database, then keep serving
    Demo(DemoArgs),
    /// Bring the database's tables up to date
    Migrate(DatabaseArgs),
    /// Print the OpenAPI document
    Openapi,
    /// Manage partners, the tenants
    #[command(subcommand)]
    Partner(PartnerCommand),
    /// Recompute the totals from the rows and compare; exit code 0 means equal, 1 that something differs
    Verify {
        /// Print one JSON line per difference, and one at the end
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        spool: SpoolArgs,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Seal all signing secrets under the newest version of the master key; exit code 1 if one cannot be opened
    Reseal(DatabaseArgs),
    /// Ask a running server whether it lives; exit code 0 means yes
    Healthcheck {
        /// What to ask
        #[arg(long, default_value = "http://127.0.0.1:8080/livez")]
        url: String,
    },
}

#[derive(Subcommand)]
enum PartnerCommand {
    /// Make a partner and print its first API key, which is shown this once
    Create {
        /// A name for people
        #[arg(long)]
        name: String,
        /// Print one JSON line instead
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

/// How long the verification of one partner may take.
const VERIFY_PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// How a command fails.
type Failure = Box<dyn std::error::Error>;

/// How long what still runs on other threads may take at the end. An operation on a database that hangs may take for
/// ever, and whoever asked for it has his answer.
const END_PATIENCE: Duration = Duration::from_secs(1);
/// How long a thread that may block waits for more to do. They take turns, so that with a longer time each of some
/// twenty would keep memory of its own, where a few do.
const IDLE_THREAD: Duration = Duration::from_millis(10);

/// Runs the command that the command line names.
pub fn main() -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().thread_keep_alive(IDLE_THREAD).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(error, 1),
    };
    let code = runtime.block_on(run());
    runtime.shutdown_timeout(END_PATIENCE);
    code
}

async fn run() -> ExitCode {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return fail("another cryptography provider is installed", 1);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let checked = config::check_names().and_then(|()| config::start_logging());
    match checked {
        Err(error) => fail(error, 2),
        Ok(()) => match dispatch(cli.command).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if is_setting(error.as_ref()) => fail(error, 2),
            Err(error) => fail(error, 1),
        },
    }
}

/// Help and version are answers; everything else is one sentence.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            eprint!("{error}");
            return ExitCode::from(2);
        }
        _ => {}
    }
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let sentence = lines.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    fail(sentence.trim_start_matches("error: ").replace(":;", ":"), 2)
}

fn fail(error: impl std::fmt::Display, code: u8) -> ExitCode {
    eprintln!("tallyback: {error}");
    ExitCode::from(code)
}

fn is_setting(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<ConfigError>() || matches!(error.downcast_ref(), Some(StartError::Config(_)))
}

async fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Migrate(args) => migrate(args).await,
        Command::Openapi => {
            print!("{}", openapi::json());
            Ok(())
        }
        Command::Partner(PartnerCommand::Create { name, json, database }) => {
            create_partner(&name, json, database).await
        }
        Command::Verify { json, spool, database } => verify(json, &spool, database).await,
        Command::Reseal(args) => reseal(args).await,
        Command::Healthcheck { url } => healthcheck(&url).await,
    }
}

async fn serve(mut args: ServeArgs) -> Result<(), Failure> {
    args.database = args.database.with_environment();
    let app = app::build(args.config()?, Clock::System).await?;
    for (scheme, address) in [("http", app.http), ("https", app.https)] {
        if let Some(address) = address {
            tracing::info!("listening on {scheme}://{address}");
        }
    }
    if let Some(address) = app.metrics {
        tracing::info!("metrics on http://{address}/metrics");
    }
    reload_on_hangup(&app)?;
    let stop = stop_signal()?;
    let notice = async {
        stop.await;
        Notice::USUAL
    };
    Ok(app.run(notice).await?)
}

/// Completes at the first SIGTERM or SIGINT.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing the requests under way");
    })
}

/// Reads the certificate and the geo databases again at each SIGHUP.
fn reload_on_hangup(app: &App) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (certificate, geo) = (app.certificate.clone(), app.geo.clone());
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let geo = geo.clone();
            drop(tokio::task::spawn_blocking(move || geo.reload()).await);
            match certificate.as_ref().map(|certificate| certificate.reload()) {
                Some(Ok(())) => tracing::info!("certificate read again"),
                Some(Err(error)) => tracing::error!(%error, "the old certificate stays"),
                None => {}
            }
        }
    });
    Ok(())
}

async fn migrate(args: DatabaseArgs) -> Result<(), Failure> {
    let database = args.database()?;
    let store = Store::open(&database)?;
    let applied = store.migrate().await.map_err(|error| app::cannot_use(&database, error))?;
    for name in &applied {
        println!("applied {name}");
    }
    println!("The database is up to date: {} applied now.", applied.len());
    Ok(())
}

async fn create_partner(name: &str, json: bool, args: DatabaseArgs) -> Result<(), Failure> {
    let name = Name::parse(name).map_err(|problem| ConfigError::new("--name", problem))?;
    let args = args.with_environment();
    let store = app::open_store(&args.database()?, &args.master_key()?, &Clock::System).await?;
    let partner = operator::create_partner(&store, &Clock::System, &name).await?;
    let key = partner.api_key.reveal();
    if json {
        println!("{}", serde_json::json!({"partner_id": partner.id, "api_key": key}));
    } else {
        println!("partner  {}\nAPI key  {key}\n\nThe key is shown this once. Keep it safe.", partner.id);
    }
    Ok(())
}

async fn reseal(args: DatabaseArgs) -> Result<(), Failure> {
    let args = args.with_environment();
    let master_key = args.master_key()?;
    let store = app::open_store(&args.database()?, &master_key, &Clock::System).await?;
    let Resealed { resealed, current, unreadable } = operator::reseal(&store, &master_key).await?;
    let version = master_key.newest_version();
    println!("{resealed} secrets sealed anew under version {version}, {current} were already");
    match unreadable {
        0 => Ok(()),
        _ => Err(format!(
            "{unreadable} secrets cannot be opened with the versions of the master key that there are"
        )
        .into()),
    }
}

async fn verify(json: bool, spool: &SpoolArgs, args: DatabaseArgs) -> Result<(), Failure> {
    let waiting = Spool::waiting_in(&spool.path(&args.data_dir)).filter(|waiting| *waiting > 0);
    let store = Store::open(&args.database()?)?.with_patience(VERIFY_PATIENCE);
    let verified = operator::verify(&store, if json { print_json } else { print_difference }).await?;
    if json {
        let mut line = serde_json::json!(verified);
        if let Some(waiting) = waiting {
            line["spooled"] = waiting.into();
        }
        println!("{line}");
    } else {
        println!("{} cells compared, {} differences", verified.cells, verified.differences);
    }
    if let Some(waiting) = waiting {
        eprintln!(
            "tallyback: {waiting} clicks and postbacks wait in the spool; rows and totals lack them alike"
        );
    }
    match verified.differences {
        0 => Ok(()),
        _ => Err("the totals are not what the rows add up to".into()),
    }
}

fn print_json(partner: PartnerId, difference: &Difference) {
    let mut line = serde_json::json!(difference);
    line["partner_id"] = serde_json::json!(partner);
    println!("{line}");
}

fn print_difference(partner: PartnerId, difference: &Difference) {
    println!("{partner} {difference}");
}

async fn healthcheck(url: &str) -> Result<(), Failure> {
    if let Err(error) = reqwest::Url::parse(url) {
        return Err(ConfigError::new("--url", format!("`{url}` is not a URL: {error}")).into());
    }
    // A probe on the same machine talks to an address, for which no certificate is made.
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build()?;
    let answer = client.get(url).timeout(Duration::from_secs(5)).send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status);
    answer.map(drop).map_err(|error| format!("{url}: {}", causes(&error.without_url())).into())
}
