//! `interlock switchover`: arguments in, plan out; the guard does the rest.

use std::sync::Arc;

use clap::Subcommand;

use super::{
    Global,
    context::block_on,
    operation::{self, GateArgs, RunArgs, Wanted},
    runs,
};
use crate::{
    adapters::Routing,
    app::{self, Choices, Prepared, Session, Snapshot},
    document::{Defaults, Loaded, Service},
    error::{Error, Exit},
    guard::{Override, load},
    model::{HumanDuration, Slot, Target},
    operation::{
        Build, Kind as _, Platform as _,
        switchover::{Fuses, GATES, Smoke, Spec, Switch, check},
    },
    report::{self, Format},
    slo::{Assume, ObjectiveRule, Rules},
};

/// How many requests that hang blow the fuse.
const HANGING: u64 = 3;

/// Move live traffic to the other slot, and keep it there only if the SLOs hold
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the plan and every gate's answer; changes nothing
    Plan(Box<Args>),
    /// Ask the gates, switch, watch, and keep or put back
    Run {
        #[command(flatten)]
        args: Box<Args>,
        #[command(flatten)]
        run: RunArgs,
    },
    /// Show where traffic goes, and the run that is at work
    Status(ServiceArgs),
    /// End the run that is at work, and put things back; never gated
    Abort(ServiceArgs),
}

/// Which service
#[derive(Debug, clap::Args)]
pub struct ServiceArgs {
    /// The service, as the platform file names it
    service: String,
}

/// What to switch, and how
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The service, as the platform file names it
    service: String,
    /// Slot that should receive traffic: blue or green
    #[arg(long, value_name = "SLOT")]
    to: Slot,
    /// Shares of traffic in percent, one after the other, each with a bake
    #[arg(long, value_delimiter = ',', default_value = "100", value_name = "PERCENT")]
    weights: Vec<u8>,
    /// How long each share is watched; default: defaults.bake of the platform file
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    bake: Option<HumanDuration>,
    /// How long each share is watched at most, where the evidence does not suffice sooner; default: three bakes, or
    /// defaults.maxBake
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    max_bake: Option<HumanDuration>,
    /// How long the service is measured before anything is touched
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    baseline: Option<HumanDuration>,
    /// How long the old slot's requests in flight may take to end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    drain: Option<HumanDuration>,
    /// How long the old slot is kept warm, and the new one watched, after the last bake
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "0s")]
    keep_old: HumanDuration,
    /// Scale the old slot down in the end, if nothing hangs on it
    #[arg(long)]
    scale_down_old: bool,
    /// Requests that warm the new slot up
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    warm_up: u32,
    /// What is assumed of errors: `blocks` allows for bursts, `independent` is faster and wrong where errors come in
    /// bursts
    #[arg(long, value_enum, default_value_t)]
    assume: AssumeArg,
    #[command(flatten)]
    gates: GateArgs,
}

/// How errors may depend on each other
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum AssumeArg {
    /// Nothing within five seconds
    #[default]
    Blocks,
    /// Each request fails on its own
    Independent,
}

impl Command {
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        block_on(async {
            match self {
                Self::Plan(args) => operation::plan(global, &*args).await,
                Self::Run { args, run } => operation::run(global, &*args, &run).await,
                Self::Status(args) => status(global, &args.service).await,
                Self::Abort(args) => runs::abort_target(global, &target(&args.service)?).await,
            }
        })
    }
}

impl Wanted for Args {
    async fn prepare(&self, session: Arc<Session>) -> Result<Prepared, Error> {
        let choices = self.gates.choices();
        // Before the platform is asked: where it does not answer, not every gate is.
        if let Some(Override { gate, .. }) = choices.overrides.iter().find(|one| !GATES.contains(&one.gate.as_str())) {
            return Err(Error::usage(
                format!("no gate is called `{gate}`"),
                format!("the gates are {}", GATES.join(", ")),
            ));
        }
        let service = session.snapshot.service(&self.service)?;
        let spec = spec(&session.loaded, service, self, &choices.overrides)?;
        check(&spec)?;
        check_weights(service, &spec)?;
        let freeze = service.freeze.clone();
        let switch = Switch::connect(spec, &session.snapshot, Build::Now).await?;
        app::check_edges(&switch.spec().objectives, switch.metrics()).await?;
        Prepared::ask(session, switch, Choices { freeze, ..choices }).await
    }
}

/// What gives one slot everything, such as a selector, takes no shares.
fn check_weights(service: &Service, spec: &Spec) -> Result<(), Error> {
    match service.traffic.as_ref().and_then(|traffic| Routing::of(traffic).undivided()) {
        Some(what) if spec.shares.len() > 1 => Err(Error::usage(
            format!("{what} cannot give a share of the traffic, such as {} %", spec.shares[0]),
            "leave --weights out, or let an HTTPRoute share the traffic",
        )),
        _ => Ok(()),
    }
}

/// Resolves what was typed, the platform file's defaults and the SLOs into one switchover.
fn spec(loaded: &Loaded, service: &Service, args: &Args, overrides: &[Override]) -> Result<Spec, Error> {
    let defaults = &loaded.platform.defaults;
    let objectives = loaded.slos.objectives(&service.slos)?;
    let bake = args.bake.unwrap_or(defaults.bake);
    let usual = if args.bake.is_some() { HumanDuration(bake.0 * 3) } else { defaults.max_bake };
    // Past the gate there is no measurement, and the documents alone say what is tolerated.
    let unmeasured = objectives.is_empty() || overrides.iter().any(|o| o.gate == "slo");
    let baseline = if unmeasured { HumanDuration::default() } else { args.baseline.unwrap_or(defaults.baseline) };
    let (identity, _) = service.identity();
    let smoke: Vec<_> =
        service.smoke.iter().map(|smoke| Smoke { path: smoke.path.clone(), status: smoke.status }).collect();
    let rules = Rules {
        alpha: defaults.alpha,
        block: defaults.block,
        assume: match args.assume {
            AssumeArg::Blocks => Assume::Blocks,
            AssumeArg::Independent => Assume::Independent,
        },
        both_live: args.weights.len() > 1,
        baseline: !baseline.0.is_zero(),
        stale_after: defaults.freshness,
        ..Rules::new(
            objectives
                .iter()
                .map(|o| ObjectiveRule { burn: o.burn, ..ObjectiveRule::new(o.name.clone(), o.target) })
                .collect(),
        )
    };
    if !objectives.is_empty() {
        rules
            .check()
            .map_err(|e| Error::usage(e.to_string(), "fix the SLO, or defaults.alpha of the platform file"))?;
    }
    Ok(Spec {
        service: args.service.clone(),
        to: args.to,
        shares: args.weights.clone(),
        bake,
        max_bake: args.max_bake.unwrap_or(usual),
        keep_old: args.keep_old,
        scale_down_old: args.scale_down_old,
        drain: args.drain.unwrap_or(defaults.drain),
        baseline,
        look: defaults.look,
        freshness: defaults.freshness,
        warm_up: args.warm_up,
        smoke: if smoke.is_empty() { vec![Smoke { path: identity.clone(), status: None }] } else { smoke },
        identity,
        answer_within: defaults.answer_within,
        fuses: fuses(defaults),
        objectives,
        old_labels: service.matchers(&args.service, args.to.other()),
        new_labels: service.matchers(&args.service, args.to),
        names: service.names(&args.service, &loaded.platform.target),
        rules,
    })
}

fn fuses(defaults: &Defaults) -> Fuses {
    Fuses {
        in_flight_age: defaults.in_flight_age,
        hanging: HANGING,
        exits: u64::from(defaults.exits),
        replicas_lost: defaults.replicas_lost.fraction(),
        traffic_floor: defaults.traffic_floor.fraction(),
    }
}

pub(super) fn target(service: &str) -> Result<Target, Error> {
    Target::parse(service).map_err(|what| Error::usage(what, "name a service of the platform file"))
}

async fn status(global: &Global, service: &str) -> Result<Exit, Error> {
    let snapshot = Snapshot::of(&global.load()?)?;
    snapshot.service(service)?;
    let (ports, store) = (snapshot.service_ports(service, Build::WhenNeeded).await?, global.store().await?);
    let unreachable = |e| Error::port(e, ports.preflight.look());
    let weights = ports.traffic.weights().await.map_err(unreachable)?;
    let mut slots = Vec::new();
    for slot in Slot::ALL {
        let replicas = ports.workload.replicas(slot).await.map_err(unreachable)?;
        let in_flight = ports.traffic.in_flight(slot, std::time::Duration::ZERO).await.map_err(unreachable)?;
        slots.push(report::SlotNow { slot, percent: weights.of(slot), replicas, in_flight });
    }
    let holder = store.lock(&target(service)?).await?.and_then(|lock| lock.run);
    // Where traffic goes is told whatever has become of the journal.
    let run = match holder {
        Some(run) => Some(load(&*store, &run).await.map_err(|e| (run, e.to_string()))),
        None => None,
    };
    match global.output {
        Format::Json => report::print(&report::status_json(&slots, run.as_ref(), &app::clock().now())),
        Format::Table => {
            report::say(&report::status(&slots, run.as_ref(), &app::clock().now(), report::Style::stdout()))
        }
    }
    Ok(Exit::Kept)
}
