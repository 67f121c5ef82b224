//! Who runs on which configuration: a table for people, JUnit for pipelines, and metrics for Prometheus' textfile collector.

use std::{collections::BTreeMap, fmt::Write as _};

use comfy_table::{Cell, Color};

use super::{
    Style,
    junit::{Case, Status, written},
    table::coloured,
};
use crate::{
    operation::reload::{Judged, Standing, Verified, short},
    ports::{Desired, Instance, RunsOn},
};

/// All instances, why those that are not current are not, and how many there are of each kind.
#[must_use]
pub fn configs(all: &[Verified], style: Style) -> String {
    let mut table = style.table(&["config", "instance", "runs on", "since", "known by", "standing"]);
    for (config, instance, standing) in instances(all) {
        let (runs_on, since) = told(&instance.runs_on);
        table.add_row([
            Cell::new(config),
            Cell::new(&instance.name),
            Cell::new(runs_on),
            Cell::new(since),
            Cell::new(&instance.known_by),
            coloured(standing.word(), colour(standing), style),
        ]);
    }
    std::iter::once(table.to_string()).chain(whys(all)).chain(all.iter().map(sum)).collect::<Vec<_>>().join("\n")
}

/// One test case for each instance.
#[must_use]
pub fn configs_junit(all: &[Verified]) -> String {
    let case = |(config, instance, standing): (&str, &Instance, &Standing)| {
        let name = format!("{} runs on what is desired", instance.name);
        let status = match standing {
            Standing::Current => Status::Passed,
            Standing::Stale(why) => Status::Failed(standing.word().to_owned(), why.clone()),
            Standing::Unclear(why) | Standing::Silent(why) => Status::Error(standing.word().to_owned(), why.clone()),
        };
        Case { name, class: Some(config.to_owned()), status }
    };
    written(("interlock config verify", "configurations"), &instances(all).map(case).collect::<Vec<_>>())
}

/// How many instances of each configuration stand how, in the exposition format.
#[must_use]
pub fn configs_metrics(all: &[Verified]) -> String {
    let name = "interlock_config_instances";
    let mut page =
        format!("# HELP {name} Instances of a configuration, by how they stand to it.\n# TYPE {name} gauge\n");
    for verified in all {
        for (word, count) in counts(verified) {
            // Names of configurations hold nothing that has to be escaped.
            let _ = writeln!(page, "{name}{{config=\"{}\",standing=\"{word}\"}} {count}", verified.config);
        }
    }
    page
}

fn instances(all: &[Verified]) -> impl Iterator<Item = (&str, &Instance, &Standing)> {
    all.iter()
        .flat_map(|one| one.instances.iter().map(|Judged { instance, standing }| (&*one.config, instance, standing)))
}

/// Why instances are not current, each reason once with those that have it.
fn whys(all: &[Verified]) -> Vec<String> {
    let mut grouped: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for (config, instance, standing) in instances(all) {
        if let Some(why) = standing.why() {
            grouped.entry((config, standing.word(), why)).or_default().push(&instance.name);
        }
    }
    let line = |((config, word, why), names): ((&str, &str, &str), Vec<&str>)| {
        format!("{config}: {word}: {}: {why}", names.join(", "))
    };
    grouped.into_iter().map(line).collect()
}

fn told(runs_on: &RunsOn) -> (&str, String) {
    match runs_on {
        RunsOn::Generation { generation, since } => {
            (short(generation), since.map(|since| format!("{since:.0}")).unwrap_or_default())
        }
        RunsOn::LoadedAt { at, .. } => ("what it read then", format!("{at:.0}")),
        RunsOn::Source { at, .. } => ("what it read then", format!("{at:.0}")),
        RunsOn::Unclear { .. } | RunsOn::Silent { .. } => ("?", String::new()),
    }
}

const fn colour(standing: &Standing) -> Color {
    match standing {
        Standing::Current => Color::Green,
        Standing::Stale(_) => Color::Red,
        Standing::Unclear(_) | Standing::Silent(_) => Color::Yellow,
    }
}

fn counts(verified: &Verified) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<_, _> = ["current", "stale", "unclear", "silent"].map(|word| (word, 0)).into();
    for judged in &verified.instances {
        *counts.entry(judged.standing.word()).or_default() += 1;
    }
    counts
}

fn sum(verified: &Verified) -> String {
    let (counts, all) = (counts(verified), verified.instances.len());
    if all == 0 {
        return format!("{}: no instance is known", verified.config);
    }
    let others = ["stale", "unclear", "silent"].iter().filter(|word| counts[*word] > 0);
    let others: String = others.map(|word| format!(", {} {word}", counts[word])).collect();
    let current = counts["current"];
    let what = match &verified.desired {
        None => "agree".to_owned(),
        Some(Desired { told_by, generation, .. }) => {
            let generation = generation.as_deref().map(|generation| format!(" ({})", short(generation)));
            format!("run on the configuration of {told_by}{}", generation.unwrap_or_default())
        }
    };
    format!("{}: {current} of {all} instances {what}{others}", verified.config)
}
