//! `interlock lab`: arguments in, a lab up, asked, loaded or down.

use std::{
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::{
    super::{Global, context::path},
    address::{self, AddressArgs},
    check::{self, CheckArgs},
    database::{self, HostArgs},
    demo,
    deploy::{self, DeployArgs},
    down::{self, DownArgs},
    files, serve,
    services::{self, AlertsArgs, BreakArgs, LettersArgs, TokenArgs},
    setup::Setup,
    show,
};
use crate::{
    error::{Error, Exit},
    lab::{self, Folder, Lab, LabHosts, Status, state::broken},
    model::HumanDuration,
    ports::Hosts as _,
    process::{StopSignals, raise_file_limit},
    report::Format,
};

/// Run the embedded platform on this machine: start it, load it, break it, end it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the platform on this machine, and wait until all of it is ready
    Up(Box<Up>),
    /// Show what runs, and where
    Status(StatusArgs),
    /// End the platform, and make sure that nothing of it is left
    Down(DownArgs),
    /// Offer open-loop load to the gateway, or elsewhere
    Load(LoadArgs),
    /// Make a slot or a scripted service run a release
    Deploy(DeployArgs),
    /// Print where a service listens
    Address(AddressArgs),
    /// Look what is wrong with services that are scripts, before any of them starts
    Check(CheckArgs),
    /// Print a token for the requests to a full lab, or to scripts that require one
    Token(TokenArgs),
    /// List the alerts that a full lab has raised
    Alerts(AlertsArgs),
    /// Show how the hosts of the database stand, or give one an order
    Host(HostArgs),
    /// List the dead letters of scripts' bus and queue, or have them sent again
    Letters(LettersArgs),
    /// Break a part of the lab until it is mended
    Break(BreakArgs),
    /// Mend what was broken
    Mend(BreakArgs),
    /// Show five switches under load, of which one is good, and a drill on the database
    Demo(demo::Args),
    /// Run one process of the platform
    #[command(hide = true)]
    Serve(Box<serve::Args>),
}

/// Where the lab is.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// The lab's folder; by default the one of the platform file, or .interlock/lab
    #[arg(long, value_name = "DIR", env = "INTERLOCK_LAB", value_parser = path())]
    folder: Option<PathBuf>,
}

impl Where {
    /// The folder that was named, or the platform file's, or the usual one here.
    pub(super) fn resolve(self, global: &Global) -> Result<At, Error> {
        let folder = match self.folder.filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => folder,
            None => global.lab_folder()?,
        };
        Ok(At { folder, output: global.output })
    }
}

/// Where the lab is, and how to answer.
pub(super) struct At {
    pub folder: PathBuf,
    pub output: Format,
}

#[derive(Debug, clap::Args)]
struct Up {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    setup: Setup,
    /// How long everything may take to become ready
    #[arg(long, default_value = "30s", value_name = "TIME", allow_hyphen_values = true)]
    timeout: HumanDuration,
}

#[derive(Debug, clap::Args)]
struct StatusArgs {
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, clap::Args)]
struct LoadArgs {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    offer: Offer,
}

#[derive(Debug, clap::Args)]
struct Offer {
    /// Where to, instead of the lab's gateway: a name or an address, such as that of a Service in a cluster
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// What every request names as its host; that of --address unless given
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Requests a second
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// For how long
    #[arg(long, default_value = "10s", value_name = "TIME", allow_hyphen_values = true)]
    duration: HumanDuration,
    /// Path of every request
    #[arg(long, default_value = "/tenants/7")]
    path: String,
    /// A connection of its own for every request
    #[arg(long)]
    new_connections: bool,
    /// A token that every request shows, as `interlock lab token` prints it
    #[arg(long, env = "INTERLOCK_LAB_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How many may be in flight; what is due beyond that counts as failed
    #[arg(long, default_value_t = 1024)]
    in_flight: usize,
    /// How long an answer may take
    #[arg(long, default_value = "10s", value_name = "TIME", allow_hyphen_values = true)]
    timeout: HumanDuration,
}

/// Runs one of the lab's commands, on a runtime of its own.
///
/// # Errors
/// Where the lab cannot be reached, does not come up in time, or leaves something behind.
pub fn run(args: Args, global: &Global) -> Result<Exit, Error> {
    match args.command {
        Command::Serve(args) => serve::run(*args),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Down(args) => block_on(down::run(args, global)),
        Command::Up(args) => {
            let Up { at, mut setup, timeout } = *args;
            let at = at.resolve(global)?;
            if setup.services.is_none() {
                setup.services = global.lab_services()?;
            }
            if !global.has_platform()? {
                files::write(&at.folder, &setup.behind_gateway()?)?;
            }
            block_on(up(at, setup, timeout))
        }
        Command::Status(args) => block_on(status(args.at.resolve(global)?)),
        Command::Load(LoadArgs { at, mut offer }) => match offer.address.clone() {
            Some(address) => block_on(async {
                offer.host.get_or_insert_with(|| address.clone());
                load(resolved(&address).await?, offer, global.output).await
            }),
            None => {
                let At { folder, output } = at.resolve(global)?;
                block_on(load(Lab::open(&folder)?.file.gateway, offer, output))
            }
        },
        Command::Token(TokenArgs { at, wanted }) => block_on(services::token(at.resolve(global)?, wanted)),
        Command::Alerts(AlertsArgs { at }) => block_on(services::alerts(at.resolve(global)?)),
        Command::Letters(LettersArgs { at, send }) => block_on(services::letters(at.resolve(global)?, send)),
        Command::Host(HostArgs { at, name, order, primary }) => {
            block_on(database::host(at.resolve(global)?, name, order, primary.as_deref()))
        }
        Command::Break(BreakArgs { at, what }) => block_on(services::set(at.resolve(global)?, what, true)),
        Command::Mend(BreakArgs { at, what }) => block_on(services::set(at.resolve(global)?, what, false)),
        Command::Deploy(DeployArgs { at, release }) => block_on(deploy::run(at.resolve(global)?, release)),
        Command::Address(AddressArgs { at, name }) => block_on(address::run(at.resolve(global)?, &name)),
        Command::Check(args) => check::run(&args, global.output),
    }
}

/// One thread suffices: all of these wait most of the time, and the pacer of the load has a thread of its own.
fn block_on(work: impl Future<Output = Result<Exit, Error>>) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| broken("the runtime", e))?.block_on(work)
}

async fn up(at: At, setup: Setup, timeout: HumanDuration) -> Result<Exit, Error> {
    let (options, remark) = setup.options(&at.folder)?;
    if let Some(remark) = remark {
        crate::report::remark(&remark);
    }
    let waiting = spinner("starting the lab: waiting for gateway and replicas to be ready");
    let mut stop = StopSignals::new().map_err(|e| broken("signals", e))?;
    let raised = tokio::select! {
        raised = lab::raise(&options, timeout.0) => Ok(raised),
        signal = stop.next() => Err(signal),
    };
    waiting.finish_and_clear();
    match raised {
        Ok(raised) => {
            let (lab, status) = raised?;
            show_status(&lab, &status, at.output).await?;
            Ok(Exit::Kept)
        }
        Err(signal) => {
            crate::report::remark(&format!("{signal}: {}", left(&at.folder)));
            Ok(Exit::Interrupted)
        }
    }
}

/// What is left of a lab that was ended, and how that is ended.
pub(super) fn left(folder: &Path) -> String {
    match Folder::new(folder).lab().exists() {
        false => "what was started is ended".to_owned(),
        true => format!("something is left: `interlock lab down --folder {}` ends it", folder.display()),
    }
}

pub(super) async fn show_status(lab: &Lab, status: &Status, output: Format) -> Result<(), Error> {
    let hosts = match &lab.file.database {
        Some(database) => {
            let hosts = LabHosts::of(database, &lab.file.token);
            database::look(&hosts, &hosts.names()).await
        }
        None => Vec::new(),
    };
    show::status(lab, status, &hosts, output)
}

async fn status(at: At) -> Result<Exit, Error> {
    let lab = Lab::open(&at.folder)?;
    let status = lab.status().await.map_err(|e| Error::port(e, "the logs in the lab's folder say more"))?;
    show_status(&lab, &status, at.output).await?;
    Ok(if status.settled() { Exit::Kept } else { Exit::RolledBack })
}

/// The address of a name with its port.
async fn resolved(name: &str) -> Result<SocketAddr, Error> {
    let hint = "write it as HOST:PORT, such as localhost:8080 or 10.0.0.1:80";
    let found =
        tokio::net::lookup_host(name).await.map_err(|e| Error::usage(format!("--address {name}: {e}"), hint))?;
    // Where a name has several, a server on one machine most often listens on the older kind.
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| Error::usage(format!("--address {name}: it has no address"), hint))
}

async fn load(address: SocketAddr, args: Offer, output: Format) -> Result<Exit, Error> {
    let mut spec = lab::load::Spec::new(address, args.path, args.rate, args.duration.0);
    spec.new_connections = args.new_connections;
    spec.in_flight = args.in_flight;
    spec.timeout = args.timeout.0;
    spec.token = args.token;
    if let Some(host) = args.host {
        spec.host = host;
    }
    // With the usual 1024 a load over new connections would meet the limit before the platform does.
    let _ = raise_file_limit();
    let bar = bar(args.duration.0);
    let stop = CancellationToken::new();
    let interrupted = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupted.cancel();
        }
    });
    let report = lab::load::run(spec, stop.clone(), |progress| {
        bar.set_position(u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX));
        bar.set_message(format!("{} ok, {} failed", progress.ok, progress.failed));
    })
    .await?;
    bar.finish_and_clear();
    show::report(&report, output)?;
    Ok(match report.failed {
        _ if stop.is_cancelled() => Exit::Interrupted,
        0 => Exit::Kept,
        _ => Exit::RolledBack,
    })
}

fn target() -> ProgressDrawTarget {
    let quiet = !std::io::stderr().is_terminal() || std::env::var_os("CI").is_some();
    if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
}

pub(super) fn spinner(message: &'static str) -> ProgressBar {
    let spinner = ProgressBar::with_draw_target(None, target()).with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn bar(length: Duration) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(u64::try_from(length.as_millis()).ok(), target());
    match ProgressStyle::with_template("load [{bar:30}] {elapsed_precise} {wide_msg}") {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        <Args as clap::Args>::augment_args(clap::Command::new("lab")).debug_assert();
    }
}
