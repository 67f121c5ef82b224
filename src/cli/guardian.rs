//! `interlock guardian`: watches over runs, and puts things back when their operators are gone.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{Global, context::block_on, operation::outlast};
use crate::{
    app::{
        self, Location, Rebuilder, stop_signal,
        watchdog::{self, failed},
    },
    document::KubernetesTarget,
    error::{Error, Exit},
    guard::{Guard, keep_all, keep_guard},
    model::RunId,
    report::{self, Reporter},
};

/// How often a guardian looks into a folder.
const PATROL: Duration = Duration::from_millis(250);
/// How often it asks a cluster, which others ask as well.
const CLUSTER_PATROL: Duration = Duration::from_secs(1);

/// Watch over runs: put things back when their operators are gone
///
/// `switchover run` starts one for its own run by itself, detached from the terminal; start one by hand where that one has
/// died. With --cluster and without --run it watches over all runs of a cluster, as manifests/guardian deploys it: of
/// several such guardians one acts, and the others stand by.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run; all runs of a cluster when left out
    #[arg(long, value_parser = RunId::parse, required_unless_present = "cluster")]
    run: Option<RunId>,
    /// The folder of the run store, absolute
    #[arg(long, value_name = "FOLDER", required_unless_present = "cluster")]
    runs: Option<PathBuf>,
    /// The runs of the cluster that the platform file names, or of --namespace
    #[arg(long, conflicts_with = "runs")]
    cluster: bool,
    /// The namespace, where there is no platform file
    #[arg(long, requires = "cluster")]
    namespace: Option<String>,
    /// The context of the kubeconfig; the current one when left out. A pod uses its own account
    #[arg(long, requires = "namespace")]
    context: Option<String>,
    /// The folder where it says that it is there; the run's own in a folder of runs
    #[arg(long, value_name = "FOLDER", requires_all = ["cluster", "run"])]
    sign: Option<PathBuf>,
}

impl Args {
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        let place = self.place(global)?;
        let Some(run) = &self.run else { return block_on(all(&place)) };
        let sign = self.sign.clone().or_else(|| sign_folder(&place, run));
        if let Some(sign) = &sign {
            watchdog::arrive(sign)?;
        }
        let outcome = block_on(async {
            ignore_signals()?;
            let guard = guard(&place).await?;
            if let Some(sign) = &sign {
                watchdog::acknowledge(sign, &guard, run).await?;
            }
            let reporter = Reporter::new(report::Format::Table);
            let outcome = keep_guard(&guard, &reporter.events(), run).await;
            outlast(move || reporter.finish()).await;
            outcome
        })?;
        Ok(outcome.exit())
    }

    fn place(&self, global: &Global) -> Result<Location, Error> {
        if let Some(runs) = &self.runs {
            return Ok(Location::Folder(runs.clone()));
        }
        if let Some(namespace) = &self.namespace {
            let target = KubernetesTarget { context: self.context.clone(), ..KubernetesTarget::of(namespace) };
            return Ok(Location::Cluster(app::reach(&target)));
        }
        match global.place()? {
            place @ Location::Cluster(_) => Ok(place),
            Location::Folder(_) => Err(Error::usage(
                "the platform file is about a lab, which has no cluster",
                "name a folder with --runs, or a namespace with --namespace",
            )),
        }
    }
}

async fn guard(place: &Location) -> Result<Guard, Error> {
    let pace = match place {
        Location::Folder(_) => PATROL,
        Location::Cluster(_) => CLUSTER_PATROL,
    };
    Ok(Guard { store: place.open().await?, clock: app::clock(), rebuild: Arc::new(Rebuilder), pace })
}

/// Watches over all runs of a cluster until it is told to end; another guardian goes on with what it was doing.
async fn all(place: &Location) -> Result<Exit, Error> {
    let Location::Cluster(reach) = place else {
        return Err(Error::usage("a folder has one guardian for each run", "name the run with --run"));
    };
    let (guard, candidate) = (guard(place).await?, app::candidate(reach).await?);
    let (leading, leads) = tokio::sync::watch::channel(false);
    let stop = stop_signal()?;
    let (mut told, mut heard) = (leads.clone(), stop.clone());
    let log = Arc::new(Reporter::log());
    log.remark(&format!("guardian {} stands by for the runs in {place}", candidate.name()));
    let say = async {
        while told.changed().await.is_ok() {
            let now = if *told.borrow_and_update() { "acts now" } else { "stands by" };
            log.remark(&format!("guardian {} {now}", candidate.name()));
        }
    };
    let (general, of_runs) = (log.events(), log.clone());
    let events_of = move |run: &RunId| of_runs.of(run);
    let complain = |trouble: &str| log.remark(&format!("! {trouble}"));
    let stand = candidate.stand(&leading, &mut heard, &complain);
    let keep = keep_all(&guard, &general, &events_of, leads, stop);
    tokio::select! {
        _ = async { tokio::join!(stand, keep) } => {}
        () = say => {}
    }
    // Only now: whoever acts next finds nobody at work.
    candidate.give_up().await;
    log.remark(&format!("guardian {} has gone", candidate.name()));
    let written = tokio::task::spawn_blocking(move || log.finish());
    // Whoever ends it does not wait for whoever reads.
    let _ = tokio::time::timeout(Duration::from_secs(1), written).await;
    Ok(Exit::Kept)
}

fn ignore_signals() -> Result<(), Error> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        // A handler that nobody listens to: the default, ending the process, is gone.
        drop(signal(kind).map_err(|e| failed(Path::new("signals"), &e))?);
    }
    Ok(())
}

/// Where the guardian of a run in a folder says that it is there.
fn sign_folder(place: &Location, run: &RunId) -> Option<PathBuf> {
    match place {
        Location::Folder(runs) => Some(runs.join(run.as_str())),
        Location::Cluster(_) => None,
    }
}
