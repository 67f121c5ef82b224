//! `interlock lab deploy`: a slot or a scripted service runs another release, its replicas replaced one after another.

use std::{convert::Infallible, str::FromStr, time::Duration};

use super::command::{At, Where, show_status, spinner};
use crate::{
    error::{Error, Exit},
    lab::{Lab, Release},
    model::{HumanDuration, Slot},
    ports::PortError,
};

#[derive(Debug, clap::Args)]
pub(super) struct DeployArgs {
    #[command(flatten)]
    pub at: Where,
    #[command(flatten)]
    pub release: ReleaseArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReleaseArgs {
    /// The slot (blue, green), or a service that is a script
    #[arg(value_name = "SLOT|SERVICE")]
    place: Place,
    /// The version that it should run
    #[arg(long)]
    version: String,
    /// A fault of the release, such as crash-after=500, or a defect that the service's script declares
    #[arg(long)]
    fault: Vec<String>,
    /// How long its replicas may take to become ready
    #[arg(long, default_value = "60s", value_name = "TIME", allow_hyphen_values = true)]
    timeout: HumanDuration,
}

/// Where a release runs.
#[derive(Debug, Clone)]
enum Place {
    Slot(Slot),
    Service(String),
}

impl FromStr for Place {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Service(text.to_owned()), Self::Slot))
    }
}

/// Deploys, and waits until all replicas run the release.
pub(super) async fn run(at: At, args: ReleaseArgs) -> Result<Exit, Error> {
    let lab = Lab::open(&at.folder)?;
    order(&lab, args.place, args.version, args.fault).await?;
    let waiting = spinner("replacing replicas one after another");
    // The supervisor takes the order at its next turn.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let settled = lab.settled(args.timeout.0).await;
    waiting.finish_and_clear();
    show_status(&lab, &settled?, at.output).await?;
    Ok(Exit::Kept)
}

async fn order(lab: &Lab, place: Place, version: String, faults: Vec<String>) -> Result<(), Error> {
    let ordered = match place {
        Place::Slot(slot) => lab.set_release(slot, &Release { version, faults }).await,
        Place::Service(service) => lab.set_service_release(&service, &Release { version, faults }).await,
    };
    ordered.map_err(|e| match e {
        PortError::UnexpectedResponse { why, .. } => {
            Error::usage(why, "deploy to what `interlock lab status` shows, with faults that there are")
        }
        other => Error::port(other, "the logs in the lab's folder say more"),
    })
}
