//! `interlock switchover`: arguments in, plan out; the guard does the rest.

use std::sync::Arc;

use async_trait::async_trait;
use clap::{Subcommand, builder::NonEmptyStringValueParser};

use super::{
    Global, confirm,
    context::block_on,
    history,
    operate::Prepared,
    runs,
    surroundings::{self, World},
};
use crate::{
    adapters::Routing,
    app::{self, Snapshot},
    document::{Defaults, Loaded, Service},
    error::{Error, Exit},
    guard::{Gate, Override, Preconditions, load, value},
    model::{RunId, Slot, Span, Target},
    ops::{
        around::History,
        switchover::{Fuses, GATES, Smoke, Spec, Switch, check, gates, plan},
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
    Run(Box<RunArgs>),
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
    #[arg(long, value_name = "TIME")]
    bake: Option<Span>,
    /// How long each share is watched at most, where the evidence does not suffice sooner; default: three bakes, or
    /// defaults.maxBake
    #[arg(long, value_name = "TIME")]
    max_bake: Option<Span>,
    /// How long the service is measured before anything is touched
    #[arg(long, value_name = "TIME")]
    baseline: Option<Span>,
    /// How long the old slot's requests in flight may take to end
    #[arg(long, value_name = "TIME")]
    drain: Option<Span>,
    /// How long the old slot is kept warm, and the new one watched, after the last bake
    #[arg(long, value_name = "TIME", default_value = "0s")]
    keep_old: Span,
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
    /// On a cluster without a guardian of its own: make do with one on this machine, which does not survive the machine;
    /// recorded
    #[arg(long)]
    accept_local_guardian: bool,
    /// Go past a gate; needs --reason, and is recorded
    #[arg(long = "override", value_name = "GATE", requires = "reason")]
    overrides: Vec<String>,
    /// Why gates are overridden
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
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

/// What to switch, and how
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    args: Args,
    /// Print the plan and every gate's answer, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

impl Command {
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        block_on(async {
            match self {
                Self::Plan(args) => show(global, &args).await,
                Self::Run(run) if run.dry_run => show(global, &run.args).await,
                Self::Run(run) => {
                    confirm::possible(run.yes)?;
                    prepare(global, &run.args).await?.run(global, run.yes).await
                }
                Self::Status(args) => status(global, &args.service).await,
                Self::Abort(args) => runs::abort_target(global, &target(&args.service)?).await,
            }
        })
    }
}

async fn show(global: &Global, args: &Args) -> Result<Exit, Error> {
    let prepared = prepare(global, args).await?;
    prepared.show(global.output);
    prepared.verdict().map(|()| Exit::Kept)
}

async fn prepare(global: &Global, args: &Args) -> Result<Prepared, Error> {
    // Before the platform is asked: where it does not answer, not every gate is.
    if let Some(gate) = args.overrides.iter().find(|gate| !GATES.contains(&gate.as_str())) {
        return Err(Error::usage(format!("no gate is called `{gate}`"), format!("the gates are {}", GATES.join(", "))));
    }
    let loaded = global.load()?;
    let snapshot = Snapshot::of(&loaded)?;
    let service = snapshot.service(&args.service)?;
    let overrides: Vec<_> = args
        .overrides
        .iter()
        .map(|gate| Override { gate: gate.clone(), reason: args.reason.clone().unwrap_or_default() })
        .collect();
    let spec = spec(&loaded, service, args, &overrides)?;
    let platform = value(&snapshot)?;
    check(&spec)?;
    check_weights(service, &spec)?;
    let ports = snapshot.ports(&args.service, app::Build::Now).await?;
    history::check_edges(&spec, &*ports.metrics).await?;
    let guardian = surroundings::guardian(&snapshot, args.accept_local_guardian).await?;
    let plan = plan(&spec, platform, surroundings::strength(&guardian), snapshot.ttl())?;
    let switch = Arc::new(Switch::new(spec, ports));
    let notify = snapshot.notify()?;
    let guardian = (guardian, args.accept_local_guardian);
    let world = World::new(global, snapshot.clone(), &plan, &service.freeze, guardian);
    let preconditions = Asked { world, switch: switch.clone() };
    Prepared::ask(plan, switch, Box::new(preconditions), overrides, notify).await
}

/// The gates of one switchover.
struct Asked {
    world: World,
    switch: Arc<Switch>,
}

#[async_trait]
impl Preconditions for Asked {
    async fn ask(&self, ours: Option<&RunId>) -> Result<Vec<Gate>, Error> {
        let spec = self.switch.spec();
        let past = match self.world.snapshot().prometheus()? {
            Some(source) => history::past(&spec.objectives, &spec.old_labels, spec.rules.cap, &source).await,
            None => History::None,
        };
        Ok(gates(&self.switch, &self.world.around(past, ours).await?).await)
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
    let usual = if args.bake.is_some() { Span(bake.0 * 3) } else { defaults.max_bake };
    // Past the gate there is no measurement, and the documents alone say what is tolerated.
    let unmeasured = objectives.is_empty() || overrides.iter().any(|o| o.gate == "slo");
    let baseline = if unmeasured { Span::default() } else { args.baseline.unwrap_or(defaults.baseline) };
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
            .map_err(|e| Error::usage(e.to_string(), "mend the SLO, or defaults.alpha of the platform file"))?;
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
        fuses: fuses(defaults),
        objectives,
        old_labels: service.labels(&args.service, args.to.other()),
        new_labels: service.labels(&args.service, args.to),
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
    let (ports, store) = (snapshot.ports(service, app::Build::WhenNeeded).await?, global.store().await?);
    let unreachable = |e| Error::port(e, ports.preflight.look());
    let weights = ports.traffic.weights().await.map_err(unreachable)?;
    let mut slots = Vec::new();
    for slot in Slot::ALL {
        let replicas = ports.workload.replicas(slot).await.map_err(unreachable)?;
        let in_flight = ports.traffic.in_flight(slot, std::time::Duration::ZERO).await.map_err(unreachable)?;
        slots.push(report::SlotNow { slot, percent: weights.of(slot), replicas, in_flight });
    }
    let holder = store.lock(&target(service)?).await?.and_then(|lock| lock.run);
    let run = match holder {
        Some(run) => Some(load(&*store, &run).await?),
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
