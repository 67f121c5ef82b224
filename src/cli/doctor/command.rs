//! The command: which parts are asked for, and the exit code that their answers end in.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser};
use futures::future::join_all;

#[cfg(feature = "lab")]
use super::asked::{asked, failed};
use super::{
    super::{Global, context::block_on},
    asked::{Row, patience},
    cluster, database, machine, metrics, service, store,
};
use crate::{
    app::Snapshot,
    document::{Database, Loaded, Metrics, Target},
    error::{Error, Exit},
    operation::KINDS,
    ports::Footprint,
    report::{self, Finding, Format, State, Style},
};

/// See what is reachable, permitted and missing, before you need it
///
/// Nothing is changed. Exit codes: 0 all is fine, or only what is optional is missing; 2 the platform file is missing or
/// makes no sense; 3 something that is needed is not permitted; 4 something that is needed is not there or does not answer.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Operations that have to be permitted; all of them when left out
    #[arg(long = "for", value_parser = operations(), value_delimiter = ',', value_name = "OPERATION")]
    operations: Vec<String>,
}

/// Looking, which no run is needed for.
const READ: &str = "read";

/// What permissions are needed for, each with what it writes of a service.
pub(super) fn needs() -> Vec<(&'static str, Footprint)> {
    let kinds = KINDS.into_iter().filter_map(|kind| Some((kind.name(), kind.footprint()?)));
    std::iter::once((READ, Footprint::default())).chain(kinds).collect()
}

fn operations() -> PossibleValuesParser {
    let value = |(name, _): (&'static str, Footprint)| match name {
        READ => PossibleValue::new(READ).help("Looking: status, plan, slo, runs list"),
        name => PossibleValue::new(name).help(format!("A {name}, and putting it back")),
    };
    needs().into_iter().map(value).collect::<Vec<_>>().into()
}

impl Args {
    /// Asks all parts, and tells how they stand.
    ///
    /// # Errors
    /// Where the platform file makes no sense.
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        let (found, exit) = match global.locate() {
            // What this machine has can be told all the same.
            Err(missing) => {
                let file = Finding::not("platform file", State::Missing, &missing, missing.hint());
                ([vec![file], machine::parts()].concat(), missing.exit())
            }
            Ok(_) => {
                let found = block_on(platform(global, global.load()?, &self.operations))?;
                let exit = exit(&found);
                (found, exit)
            }
        };
        match global.output {
            Format::Json => report::print(&serde_json::json!({ "exit": exit as u8, "findings": found })),
            Format::Table => report::say(&report::checkup(&found, Style::stdout())),
        }
        Ok(exit)
    }
}

/// The worst counts: what makes no sense, then what does not answer, then what is not permitted.
fn exit(found: &[Finding]) -> Exit {
    let any = |states: &[State]| found.iter().any(|one| states.contains(&one.state));
    if any(&[State::Invalid]) {
        Exit::Invalid
    } else if any(&[State::Missing, State::Unreachable]) {
        Exit::Unreachable
    } else if any(&[State::Forbidden]) {
        Exit::Refused
    } else {
        Exit::Kept
    }
}

async fn platform(global: &Global, loaded: Loaded, wanted: &[String]) -> Result<Vec<Finding>, Error> {
    let mut found = vec![file(&loaded)];
    let snapshot = Snapshot::of(&loaded)?;
    let within = patience(loaded.platform.defaults.answer_within.0);
    let (target, answers) = match &loaded.platform.target {
        // There is nothing that all databases have in common, and that could be asked for.
        Target::Hosts(_) => (Vec::new(), true),
        Target::Lab(_) => lab(&snapshot, within).await,
        Target::Kubernetes(target) => cluster::target(&snapshot, target, within).await,
    };
    found.extend(target);
    let mut rows: Vec<Row> = Vec::new();
    // Where it does not answer, all that is there would only repeat that.
    if answers || matches!(loaded.platform.metrics, Some(Metrics::Prometheus(_))) {
        rows.extend(metrics::servers(&snapshot));
    }
    if answers {
        if let Target::Kubernetes(target) = &loaded.platform.target {
            rows.push(cluster::guardian(target));
        }
        for name in loaded.platform.services.keys() {
            rows.extend(service::parts(&snapshot, &loaded, name, wanted));
        }
        let by_address = |database: &Database| !matches!(database, Database::Lab(_));
        for (name, _) in loaded.platform.databases.iter().filter(|(_, database)| by_address(database)) {
            rows.push(database::part(&snapshot, name));
        }
        rows.push(store::store(global, &snapshot));
    }
    found.extend(join_all(rows.into_iter().map(|row| row.answer(within))).await.into_iter().flatten());
    found.extend(machine::slos(&loaded));
    found.extend(machine::receivers(&snapshot));
    found.extend(machine::credentials(&snapshot.platform));
    found.extend(machine::parts());
    Ok(found)
}

fn file(loaded: &Loaded) -> Finding {
    let services = loaded.platform.services.len();
    let target = match &loaded.platform.target {
        Target::Hosts(_) => {
            let databases = loaded.platform.databases.len();
            let plural = if databases == 1 { "" } else { "s" };
            let found = format!("{}: {databases} database{plural} by address", loaded.file.display());
            return Finding::fine("platform file", found);
        }
        Target::Lab(_) => "a lab".to_owned(),
        Target::Kubernetes(target) => format!("namespace {} of a cluster", target.namespace),
    };
    let plural = if services == 1 { "service" } else { "services" };
    Finding::fine("platform file", format!("{}: {services} {plural} in {target}", loaded.file.display()))
}

/// The lab, and whether it answers.
#[cfg(feature = "lab")]
async fn lab(snapshot: &Snapshot, within: Duration) -> (Vec<Finding>, bool) {
    let Target::Lab(target) = &snapshot.platform.target else { return (Vec::new(), false) };
    let folder = snapshot.folder.join(target.folder());
    let lab = match crate::lab::Lab::open(&folder) {
        Ok(lab) => lab,
        Err(e) => return (vec![failed("lab", &e)], false),
    };
    let row = asked("lab", async move {
        let status = match lab.status().await {
            Ok(status) => status,
            Err(e) => return vec![failed("lab", &Error::port(e, "`interlock lab down`, then `interlock lab up`"))],
        };
        let waiting: Vec<_> = status.parts.iter().filter(|part| !part.ready).map(|part| part.name.as_str()).collect();
        let count = status.parts.len();
        if waiting.is_empty() {
            return vec![Finding::fine("lab", format!("{count} parts run in {}", lab.folder.path().display()))];
        }
        let found = format!("{} of {count} parts are not ready: {}", waiting.len(), waiting.join(", "));
        vec![Finding::not("lab", State::Missing, found, "`interlock lab status` shows them")]
    });
    let found = row.answer(within).await;
    let answers = found.iter().all(|one| one.state != State::Unreachable);
    (found, answers)
}

#[cfg(not(feature = "lab"))]
async fn lab(_: &Snapshot, _: Duration) -> (Vec<Finding>, bool) {
    let (what, hint) = ("this binary was built without the lab", "build it with the feature `lab`");
    (vec![Finding::not("lab", State::Missing, what, hint)], false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let of = |states: &[State]| {
            let found: Vec<_> = states.iter().map(|state| Finding::not("part", *state, "", "")).collect();
            exit(&found)
        };
        assert_eq!(of(&[State::Fine, State::Optional]), Exit::Kept);
        assert_eq!(of(&[State::Forbidden, State::Optional]), Exit::Refused);
        assert_eq!(of(&[State::Forbidden, State::Missing]), Exit::Unreachable);
        assert_eq!(of(&[State::Unreachable]), Exit::Unreachable);
        assert_eq!(of(&[State::Unreachable, State::Invalid]), Exit::Invalid);
    }
}
