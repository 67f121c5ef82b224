//! `interlock drill`: a document in, a plan out; the guard does the rest.

use std::{path::PathBuf, sync::Arc, time::Duration};

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
    app::{self, Snapshot},
    document::{self, Loaded, only},
    error::{Error, Exit},
    guard::{Gate, Mode, Override, Preconditions, Stored, load, value},
    model::{Method, RunId},
    ops::{
        around::History,
        drill::{Before, Drill, Ports, Require, Spec, Users, Writer, gates, ledger::Objectives, plan, target},
    },
    ports::{PortError, Topology},
    report,
};

/// The most that is read of a document.
const LARGEST: u64 = 1 << 20;

/// Take a database's primary away, and measure what is lost and for how long nobody can write
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the plan and every gate's answer; changes nothing
    Plan(Args),
    /// Ask the gates, take the primary away, measure, and bring everything back
    Run(RunArgs),
}

/// Which drill, and how
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The drill document
    file: PathBuf,
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

/// Which drill, and how
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
    /// Write what was measured there, for a Prometheus that reads text files
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
}

impl Command {
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        block_on(async {
            match self {
                Self::Plan(args) => show(global, &args).await,
                Self::Run(run) if run.dry_run => show(global, &run.args).await,
                Self::Run(run) => {
                    confirm::possible(run.yes)?;
                    let prepared = prepare(global, &run.args).await?;
                    let Some(file) = run.metrics_file else { return prepared.run(global, run.yes).await };
                    let target = prepared.plan.target.clone();
                    let exit = prepared.run(global, run.yes).await?;
                    let last = runs::last_of(&*global.store().await?, &target).await?;
                    write_metrics(&file, last.as_ref());
                    Ok(exit)
                }
            }
        })
    }
}

/// The drill is over; that its figures cannot be written changes nothing about how it ended.
fn write_metrics(file: &std::path::Path, last: Option<&Stored>) {
    let Some(text) = last.and_then(report::drill_metrics) else { return };
    // A reader never sees half of it.
    let temporary = file.with_extension("tmp");
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, file));
    if let Err(e) = written {
        report::remark(&format!("! {} cannot be written: {e}", file.display()));
    }
}

async fn show(global: &Global, args: &Args) -> Result<Exit, Error> {
    let prepared = prepare(global, args).await?;
    prepared.show(global.output);
    prepared.verdict().map(|()| Exit::Kept)
}

async fn prepare(global: &Global, args: &Args) -> Result<Prepared, Error> {
    let drill = read(&args.file)?;
    let loaded = global.load()?;
    let snapshot = Snapshot::of(&loaded)?;
    let users = drill.users.as_ref().map(|_| app::Build::Now);
    let ports = snapshot.drill_ports(&drill.database, users).await?;
    let topology = ports.database.topology().await;
    let spec = spec(&loaded, &snapshot, &drill, &ports, &topology)?;
    let guardian = surroundings::guardian(&snapshot, args.accept_local_guardian).await?;
    let platform = value(&snapshot)?;
    let plan = plan(&spec, platform, surroundings::strength(&guardian), snapshot.ttl())?;
    let notify = snapshot.notify()?;
    let operation = Arc::new(Drill::new(spec, ports));
    let world = World::new(global, snapshot, &plan, &[], (guardian, args.accept_local_guardian));
    let preconditions = Asked { world, drill: operation.clone() };
    let reason = args.reason.clone().unwrap_or_default();
    let overrides = args.overrides.iter().map(|gate| Override { gate: gate.clone(), reason: reason.clone() }).collect();
    Prepared::ask(plan, operation, Box::new(preconditions), overrides, notify).await
}

/// The gates of one drill.
struct Asked {
    world: World,
    drill: Arc<Drill>,
}

#[async_trait]
impl Preconditions for Asked {
    async fn ask(&self, ours: Option<&RunId>) -> Result<Vec<Gate>, Error> {
        let spec = self.drill.spec();
        let past = past(self.world.snapshot(), spec.users.as_ref()).await?;
        let before = before(self.world.global(), spec).await?;
        Ok(gates(&self.drill, &self.world.around(past, ours).await?, &before).await)
    }
}

fn read(file: &std::path::Path) -> Result<document::Drill, Error> {
    let name = file.display().to_string();
    let size = std::fs::metadata(file).map(|meta| meta.len()).unwrap_or_default();
    if size > LARGEST {
        return Err(Error::usage(format!("{name} is longer than {LARGEST} bytes"), "is it a drill document?"));
    }
    let text = std::fs::read_to_string(file)
        .map_err(|e| Error::usage(format!("cannot read {name}: {e}"), "name a document of `kind: Drill`"))?;
    let document = only(&name, &text)?;
    let drill: document::Drill = document.parse()?;
    drill.check(&document)?;
    Ok(drill)
}

/// Resolves the document, the platform file and the cluster as it stands into one drill.
fn spec(
    loaded: &Loaded,
    snapshot: &Snapshot,
    drill: &document::Drill,
    ports: &Ports,
    topology: &Topology,
) -> Result<Spec, Error> {
    let primary = primary(topology)?;
    let rpo = drill.objectives.rpo.as_ref();
    let users = match &drill.users {
        None => None,
        Some(users) => {
            let service = snapshot.service(&users.service)?;
            let objectives = loaded.slos.objectives(&service.slos)?;
            if objectives.is_empty() {
                let mend = format!("name SLOs under services.{}.slos, or leave `users` out", users.service);
                return Err(Error::usage(format!("{} has no SLO that could be counted", users.service), mend));
            }
            Some(Users { service: users.service.clone(), objectives, most_bad: users.most_bad })
        }
    };
    let spec = Spec {
        name: drill.metadata.name.clone(),
        database: drill.database.clone(),
        method: drill.fault.method,
        victim: drill.fault.victim,
        on: drill.fault.on.clone().filter(|on| on != "primary").unwrap_or_else(|| primary.clone()),
        candidate: candidate(drill, topology, &primary)?,
        primary,
        managed: ports.database.is_managed(),
        length: drill.fault.length.unwrap_or_default(),
        frozen: drill.fault.frozen,
        writer: Writer { rate: drill.writer.rate, per_node: drill.writer.per_node, workers: drill.writer.workers },
        baseline: drill.baseline,
        settle: drill.settle,
        limit: drill.limit,
        objectives: Objectives {
            rto: drill.objectives.rto,
            rpo_rows: rpo.and_then(|rpo| rpo.rows),
            rpo_time: rpo.and_then(|rpo| rpo.time),
            rows_at_risk: rpo.map_or(0, |rpo| rpo.at_risk),
        },
        restore: drill.restore,
        repetitions: drill.repetitions,
        cooldown: drill.cooldown,
        require: Require {
            synchronous: drill.require.synchronous,
            standbys: drill.require.standbys,
            lag: drill.require.lag,
            free_bytes: drill.require.free_bytes,
        },
        users,
        adr: drill.adr.clone(),
        runbook: drill.runbook.clone(),
        ledger: ledger_file(snapshot, &drill.metadata.name),
    };
    if spec.managed && spec.method == Method::Promote {
        return Err(Error::usage(
            format!("{} is promoted by its manager", spec.database),
            "use `kill` or `switchover`: the manager would fight a promotion of ours",
        ));
    }
    Ok(spec)
}

/// Where this drill's writes are noted: beside the runs.
fn ledger_file(snapshot: &Snapshot, name: &str) -> PathBuf {
    let at = app::clock().now().wall.strftime("%Y%m%d-%H%M%S").to_string();
    snapshot.folder.join(".interlock").join("ledgers").join(format!("{at}-{name}-{:04x}.jsonl", rand::random::<u16>()))
}

fn primary(topology: &Topology) -> Result<String, Error> {
    let why = match topology.primary() {
        Ok(node) => return Ok(node.name.clone()),
        Err(why) => why,
    };
    let told = |node: &crate::ports::NodeSeen| Some(format!("{}: {}", node.name, node.trouble.as_ref()?));
    let troubles: Vec<_> = topology.nodes.iter().filter_map(told).collect();
    if troubles.len() == topology.nodes.len() {
        let error = PortError::unreachable("the database", troubles.join("; "));
        return Err(Error::port(error, "check addresses, user and password in the platform file; is the database up?"));
    }
    let what = std::iter::once(why).chain(troubles).collect::<Vec<_>>().join("; ");
    Err(Error::Refused {
        what: format!("primary: {what}"),
        mend: "a drill begins with a whole cluster: let one node take writes first".to_owned(),
    })
}

/// The standby that takes over where a method names one: the synchronous one, else the one that is furthest.
fn candidate(drill: &document::Drill, topology: &Topology, primary: &str) -> Result<Option<String>, Error> {
    if !matches!(drill.fault.method, Method::Switchover | Method::Promote) {
        return Ok(None);
    }
    let standbys = topology.nodes.iter().filter(|node| node.name != primary);
    match &drill.fault.candidate {
        Some(named) if topology.node(named).is_none() => {
            let known: Vec<_> = standbys.map(|node| node.name.as_str()).collect();
            Err(Error::usage(format!("there is no node `{named}`"), format!("the standbys are {}", known.join(", "))))
        }
        Some(named) => Ok(Some(named.clone())),
        None => {
            let best = standbys.filter(|node| node.trouble.is_none()).max_by_key(|n| (n.synchronous, n.position));
            Ok(best.map(|node| node.name.clone()))
        }
    }
}

async fn past(snapshot: &Snapshot, users: Option<&Users>) -> Result<History, Error> {
    match (users, snapshot.prometheus()) {
        (Some(users), Ok(Some(prometheus))) => {
            Ok(history::past(&users.objectives, &Default::default(), 1.0, &prometheus).await)
        }
        (Some(_), Err(e)) => Err(e),
        _ => Ok(History::None),
    }
}

/// When the last drill on this database ended.
async fn before(global: &Global, spec: &Spec) -> Result<Before, Error> {
    let store = global.store().await?;
    let now = app::clock().now().wall;
    let mut last = None;
    for run in store.runs().await?.into_iter().rev() {
        let Ok(stored) = load(&*store, &run).await else { continue };
        if stored.plan.target != target(&spec.database)? || !matches!(stored.mode(), Mode::Finished(_)) {
            continue;
        }
        last = store.load(&run).await?.last().map(|record| record.at);
        break;
    }
    Ok(Before { last: last.map(|at| Duration::try_from(now.duration_since(at)).unwrap_or_default()) })
}
