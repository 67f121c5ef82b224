//! `interlock slo`: how much of each error budget is left, how fast it burns, and the rules that alert on it.

use std::{
    io::{self, IsTerminal, Write as _},
    path::PathBuf,
    time::Duration,
};

use clap::Subcommand;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use serde::Serialize;

use super::{Global, context::block_on};
use crate::{
    adapters::PrometheusServers,
    app::Snapshot,
    document::{Loaded, Percent, SloSet, import, read_file},
    error::{Error, Exit},
    ports::PortError,
    report::Format,
    slo::{self, Burning, Objective},
};

/// Read SLOs: what is left of their error budgets, and how fast they burn
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the budget left and the burn rates of each objective
    Status(Status),
    /// Pass or fail by budget and burn rate, for pipelines
    Check(Check),
    /// Print recording and alerting rules for Prometheus
    Rules(Rules),
    /// Print the SLOs of a file of Sloth or Pyrra as OpenSLO
    Import(Import),
}

#[derive(Debug, clap::Args)]
struct Import {
    /// A file of Sloth (`prometheus/v1`, or its resource of Kubernetes) or of Pyrra
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Status {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    status: Status,
    /// Fail where an objective burns faster than this, over both windows of a pair; without it, where an alert fires
    #[arg(long, value_name = "RATE")]
    max_burn: Option<f64>,
    /// Fail where less of an error budget is left than this, such as 10%
    #[arg(long, value_name = "PERCENT", default_value = "0%")]
    min_budget: Percent,
}

#[derive(Debug, clap::Args)]
struct Rules {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Names of SLOs; all of them when left out
    slos: Vec<String>,
}

/// What an objective shows now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// The objective.
    pub objective: String,
    /// The service that it is about.
    pub service: String,
    /// The share of good events that is promised.
    pub target: f64,
    /// The share of good events over the shortest window; none without data.
    pub now: Option<f64>,
    /// The share of the error budget that is left; none without data.
    pub budget_left: Option<f64>,
    /// The burn rates.
    pub burn: Vec<Burning>,
}

impl Args {
    /// Runs the command on the SLOs of the platform.
    ///
    /// # Errors
    /// Where an SLO cannot be decided on, or the source cannot be reached.
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        match self.command {
            Command::Import(Import { file }) => {
                let text = read_file(&file, "name a file of Sloth or Pyrra")?;
                print(&import(&file.display().to_string(), &text)?)?;
                Ok(Exit::Kept)
            }
            Command::Rules(rules) => {
                let loaded = global.load()?;
                print(&slo::rules(&wanted(&rules.which, &loaded.slos)?).map_err(usage)?)?;
                Ok(Exit::Kept)
            }
            Command::Status(status) => {
                let readings = ask(&global.load()?, &status.which)?;
                show(&readings, global.output)?;
                Ok(Exit::Kept)
            }
            Command::Check(check) => {
                if check.max_burn.is_some_and(|rate| !(rate.is_finite() && rate >= 0.0)) {
                    return Err(Error::usage("`--max-burn` is no burn rate", "write a number such as 1 or 14.4"));
                }
                let readings = ask(&global.load()?, &check.status.which)?;
                show(&readings, global.output)?;
                judged(&readings, &check)
            }
        }
    }
}

/// Asks the platform's Prometheus; a platform without one has no burn rates, for a page of counters has no past.
fn ask(loaded: &Loaded, which: &Which) -> Result<Vec<Reading>, Error> {
    let objectives = wanted(which, &loaded.slos)?;
    let source = Snapshot::of(loaded)?.prometheus()?;
    block_on(read(&objectives, source.as_ref()))
}

fn judged(readings: &[Reading], check: &Check) -> Result<Exit, Error> {
    if let Some(blind) = readings.iter().find(|r| r.budget_left.is_none()) {
        // No data is neither health nor failure.
        let source = PortError::unreachable(format!("data on {}", blind.objective), "no events were counted");
        return Err(Error::port(source, "check that the service takes traffic and that its metrics are read"));
    }
    let mut failed = false;
    for reading in readings {
        let why = faults(reading, check.max_burn, check.min_budget.fraction());
        failed |= !why.is_empty();
        let verdict = if why.is_empty() { "PASS".to_owned() } else { format!("FAIL: {}", why.join("; ")) };
        crate::report::remark(&format!("{}: {verdict}", reading.objective));
    }
    Ok(if failed { Exit::RolledBack } else { Exit::Kept })
}

/// Why an objective fails the check, if it does.
fn faults(reading: &Reading, max_burn: Option<f64>, min_budget: f64) -> Vec<String> {
    let burns = |b: &&Burning| match max_burn {
        None => b.fires,
        Some(most) => [b.short, b.long].iter().all(|rate| rate.is_some_and(|r| r > most)),
    };
    let limit = |b: &Burning| max_burn.unwrap_or(b.windows.factor);
    let mut why: Vec<_> = reading
        .burn
        .iter()
        .filter(burns)
        .map(|b| format!("burns its budget at more than {} times the rate that it lasts for ({})", limit(b), rates(b)))
        .collect();
    if let Some(left) = reading.budget_left.filter(|left| *left < min_budget) {
        why.push(format!(
            "{:.1} % of its error budget is left, and {:.1} % is wanted",
            left * 100.0,
            min_budget * 100.0
        ));
    }
    why
}

fn wanted(which: &Which, slos: &SloSet) -> Result<Vec<Objective>, Error> {
    let known: Vec<&str> = slos.names().collect();
    if known.is_empty() {
        return Err(Error::usage("the platform names no SLOs", "add `slos: [slo.yaml]` to the platform file"));
    }
    if let Some(name) = which.slos.iter().find(|name| !known.contains(&name.as_str())) {
        let hint = match crate::document::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        return Err(Error::usage(format!("there is no SLO `{name}`"), hint));
    }
    let all: Vec<String> = known.into_iter().map(str::to_owned).collect();
    Ok(slos.objectives(if which.slos.is_empty() { &all } else { &which.slos })?)
}

async fn read(objectives: &[Objective], source: Option<&PrometheusServers>) -> Result<Vec<Reading>, Error> {
    let source = source.ok_or_else(|| {
        Error::usage(
            "burn rates need a Prometheus, for they look back",
            "add `metrics: {prometheus: {url: ...}}` to the platform file",
        )
    })?;
    let mut readings = Vec::new();
    for objective in objectives {
        readings.push(reading(objective, source).await?);
    }
    Ok(readings)
}

async fn reading(objective: &Objective, source: &PrometheusServers) -> Result<Reading, Error> {
    let window = objective.window().map_err(usage)?;
    let mut burn = Vec::new();
    let mut now = None;
    for (i, pair) in slo::burn_windows(window).into_iter().enumerate() {
        let short = bad_share(objective, pair.short.0, source).await?;
        let long = bad_share(objective, pair.long.0, source).await?;
        if i == 0 {
            now = short.map(|bad| 1.0 - bad);
        }
        burn.push(slo::burning(pair, objective.target, short, long));
    }
    let budget_left = bad_share(objective, window, source).await?.map(|bad| slo::budget_left(bad, objective.target));
    Ok(Reading {
        objective: objective.name.clone(),
        service: objective.service.clone(),
        target: objective.target,
        now,
        budget_left,
        burn,
    })
}

async fn bad_share(objective: &Objective, over: Duration, source: &PrometheusServers) -> Result<Option<f64>, Error> {
    let share = source.bad_share(&objective.counting, over).await;
    share.map_err(|e| Error::port(e, "check `metrics` in the platform file"))
}

fn show(readings: &[Reading], output: Format) -> Result<(), Error> {
    match output {
        Format::Json => {
            let json =
                serde_json::to_string_pretty(readings).map_err(|e| Error::usage(e.to_string(), "report this"))?;
            print(&(json + "\n"))
        }
        Format::Table => {
            let terminal = io::stdout().is_terminal();
            let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            print(&(table(readings, terminal, colour) + "\n"))
        }
    }
}

fn table(readings: &[Reading], terminal: bool, colour: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !terminal {
        table.set_width(140);
    }
    if !colour {
        table.force_no_tty();
    }
    table.set_header(["OBJECTIVE", "TARGET", "NOW", "BUDGET LEFT", "BURN (SHORT/LONG)", "STATE"]);
    for reading in readings {
        let percent = |share: f64| {
            let text = format!("{:.4}", share * 100.0);
            format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
        };
        let or_none = |share: Option<f64>| share.map_or_else(|| "no data".to_owned(), percent);
        let burn: Vec<String> = reading.burn.iter().map(rates).collect();
        let fires = reading.burn.iter().find(|b| b.fires).map(|b| b.windows.severity.name());
        let (state, shade) = match (fires, reading.budget_left) {
            (Some(severity), _) => (severity, Color::Red),
            (None, None) => ("no data", Color::Yellow),
            (None, Some(left)) if left < 0.0 => ("overdrawn", Color::Red),
            (None, Some(_)) => ("ok", Color::Green),
        };
        table.add_row([
            Cell::new(&reading.objective),
            Cell::new(percent(reading.target)),
            Cell::new(or_none(reading.now)),
            Cell::new(or_none(reading.budget_left.map(|left| (left * 1000.0).round() / 1000.0))),
            Cell::new(burn.join("  ")),
            Cell::new(state).fg(shade),
        ]);
    }
    for column in 1..=3 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

fn rates(burning: &Burning) -> String {
    let rate = |r: Option<f64>| r.map_or_else(|| "-".to_owned(), |r| format!("{r:.1}"));
    let window = |span: crate::model::HumanDuration| slo::prom_duration(span.0);
    let (short, long) = (window(burning.windows.short), window(burning.windows.long));
    format!("{short}/{long} {}/{}", rate(burning.short), rate(burning.long))
}

fn usage(problem: slo::Problem) -> Error {
    Error::usage(problem.what, problem.hint)
}

/// Writes to standard output; a reader that has gone is no error.
pub(super) fn print(text: &str) -> Result<(), Error> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::usage(format!("cannot write to standard output: {e}"), "check where it leads"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(short: Option<f64>, budget_left: Option<f64>) -> Reading {
        let pairs = slo::burn_windows(Duration::from_secs(30 * 86_400));
        Reading {
            objective: "tenant-availability".into(),
            service: "tenant".into(),
            target: 0.999,
            now: short.map(|bad| 1.0 - bad),
            budget_left,
            burn: pairs.map(|pair| slo::burning(pair, 0.999, short, short)).into(),
        }
    }

    #[test]
    fn tables_tell_what_burns() {
        let readings = [sample(Some(0.0002), Some(0.8)), sample(Some(0.02), Some(-1.0)), sample(None, None)];
        insta::assert_snapshot!(table(&readings, false, false), @r"
OBJECTIVE            TARGET      NOW  BUDGET LEFT  BURN (SHORT/LONG)                                                    STATE
tenant-availability   99.9%   99.98%          80%  5m/1h 0.2/0.2  30m/6h 0.2/0.2  2h/1d 0.2/0.2  6h/3d 0.2/0.2          ok
tenant-availability   99.9%      98%        -100%  5m/1h 20.0/20.0  30m/6h 20.0/20.0  2h/1d 20.0/20.0  6h/3d 20.0/20.0  page
tenant-availability   99.9%  no data      no data  5m/1h -/-  30m/6h -/-  2h/1d -/-  6h/3d -/-                          no data
");
    }

    #[test]
    fn checks_go_by_burn_and_budget() {
        let why = |short, left, burn, budget| faults(&sample(short, left), burn, budget).join("; ");
        assert_eq!(why(Some(0.0002), Some(0.8), None, 0.0), "");
        assert_eq!(why(Some(0.0002), Some(0.8), None, 0.9), "80.0 % of its error budget is left, and 90.0 % is wanted");
        assert!(why(Some(0.0002), Some(0.8), Some(0.1), 0.0).contains("at more than 0.1 times"));
        assert!(why(Some(0.02), Some(0.8), None, 0.0).contains("(5m/1h 20.0/20.0)"));
        assert_eq!(why(None, None, Some(0.1), 0.0), "");
    }
}
