//! Who runs on what is desired: each instance held against it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    error::Exit,
    ports::{Desired, Instance, RunsOn},
};

/// How much of a hash has to agree where one side shows a part of it only.
const ENOUGH: usize = 8;

/// How an instance stands to what is desired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "standing", content = "why")]
pub enum Standing {
    /// It runs on what is desired.
    Current,
    /// It runs on something else.
    Stale(String),
    /// It cannot be known.
    Unclear(String),
    /// It does not answer.
    Silent(String),
}

impl Standing {
    /// Its name in tables, metrics and JSON.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Stale(_) => "stale",
            Self::Unclear(_) => "unclear",
            Self::Silent(_) => "silent",
        }
    }

    /// Why it is not current.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Current => None,
            Self::Stale(why) | Self::Unclear(why) | Self::Silent(why) => Some(why),
        }
    }
}

/// A configuration, held against what is desired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Its name in the platform file.
    pub config: String,
    /// What it should be, where anything says so.
    pub desired: Option<Desired>,
    /// Every instance that is known.
    pub instances: Vec<Judged>,
}

/// An instance, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// Who it is, and what it says.
    #[serde(flatten)]
    pub instance: Instance,
    /// How that stands to what is desired.
    #[serde(flatten)]
    pub standing: Standing,
}

/// Holds instances against what is desired. Where nothing says what that is they have to agree with one another.
#[must_use]
pub fn verify(config: &str, desired: Option<Desired>, instances: Vec<Instance>) -> Verified {
    let said: BTreeSet<_> = instances.iter().filter_map(generation).map(str::to_owned).collect();
    let judged = instances.into_iter().map(|instance| {
        let standing = match &desired {
            Some(desired) => held(&instance, desired),
            None => among(&instance, &said),
        };
        Judged { instance, standing }
    });
    Verified { config: config.to_owned(), instances: judged.collect(), desired }
}

impl Verified {
    /// How a check of all these ends: stale ones are a finding, also where others cannot be asked.
    #[must_use]
    pub fn exit(all: &[Self]) -> Exit {
        let standings = || all.iter().flat_map(|one| &one.instances).map(|judged| &judged.standing);
        if standings().any(|standing| matches!(standing, Standing::Stale(_))) {
            return Exit::RolledBack;
        }
        if standings().all(|standing| matches!(standing, Standing::Silent(_))) {
            return Exit::Unreachable;
        }
        let none = |one: &Self| one.instances.is_empty();
        let all_current = standings().all(|standing| *standing == Standing::Current) && !all.iter().any(none);
        if all_current { Exit::Kept } else { Exit::Held }
    }
}

fn generation(instance: &Instance) -> Option<&str> {
    match &instance.runs_on {
        RunsOn::Generation { generation, .. } => Some(generation),
        _ => None,
    }
}

fn held(instance: &Instance, desired: &Desired) -> Standing {
    if let Some(standing) = of_itself(instance) {
        return standing;
    }
    match (&instance.runs_on, &desired.generation, desired.changed) {
        (RunsOn::Generation { generation, .. }, Some(wanted), _) if agree(generation, wanted) => Standing::Current,
        (RunsOn::Generation { .. }, Some(wanted), _) => {
            Standing::Stale(format!("{} is desired by {}", short(wanted), desired.told_by))
        }
        (RunsOn::LoadedAt { at, .. }, _, Some(changed)) if *at >= changed => Standing::Current,
        (RunsOn::LoadedAt { why, .. }, _, Some(changed)) => {
            let why = why.as_deref().map(|why| format!("; {why}")).unwrap_or_default();
            Standing::Stale(format!("it has loaded nothing since {} changed at {changed:.0}{why}", desired.told_by))
        }
        _ => Standing::Unclear(format!("what {} desires cannot be compared with what it says", desired.told_by)),
    }
}

/// What needs no comparison.
fn of_itself(instance: &Instance) -> Option<Standing> {
    match (&instance.runs_on, &instance.trouble) {
        (RunsOn::Silent { why }, _) => Some(Standing::Silent(why.clone())),
        (_, Some(why)) => Some(Standing::Stale(why.clone())),
        (RunsOn::Unclear { why }, None) => Some(Standing::Unclear(why.clone())),
        (RunsOn::Source { lacks, .. }, None) => Some(lacks.clone().map_or(Standing::Current, Standing::Stale)),
        _ => None,
    }
}

fn among(instance: &Instance, said: &BTreeSet<String>) -> Standing {
    if let Some(standing) = of_itself(instance) {
        return standing;
    }
    match (&instance.runs_on, said.len()) {
        (RunsOn::Generation { .. }, 1) => Standing::Current,
        (RunsOn::Generation { .. }, _) => {
            Standing::Unclear("instances differ, and nothing says which one is desired: name `desired`".to_owned())
        }
        _ => Standing::Unclear("nothing says since when its source stands as it does: name `desired`".to_owned()),
    }
}

/// Whether both name the same: hashes are often shown in part.
fn agree(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    one == other || (short.len() >= ENOUGH && is_hex(short) && is_hex(long) && long.starts_with(short))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A hash as people read it.
#[must_use]
pub fn short(generation: &str) -> &str {
    if generation.len() == 64 && is_hex(generation) { &generation[..12] } else { generation }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(generation: &str) -> RunsOn {
        RunsOn::Generation { generation: generation.to_owned(), since: None }
    }

    fn instance(runs_on: RunsOn) -> Instance {
        Instance { name: "a".to_owned(), runs_on, trouble: None, known_by: "GET /config".to_owned() }
    }

    fn desired(generation: Option<&str>, changed: Option<&str>) -> Desired {
        let changed = changed.map(|text| text.parse().unwrap());
        Desired { generation: generation.map(str::to_owned), changed, told_by: "settings.yaml".to_owned() }
    }

    fn standings(desired: Option<Desired>, instances: Vec<Instance>) -> (Vec<&'static str>, Exit) {
        let verified = verify("shop", desired, instances);
        let words = verified.instances.iter().map(|judged| judged.standing.word()).collect();
        (words, Verified::exit(&[verified]))
    }

    #[test]
    fn each_instance_is_held_against_what_is_desired() {
        let hash = "0123456789abcdef".repeat(4);
        let all = vec![instance(on(&hash)), instance(on("0123456789ab")), instance(on("0123456")), instance(on("v7"))];
        assert_eq!(
            standings(Some(desired(Some(&hash), None)), all),
            (vec!["current", "current", "stale", "stale"], Exit::RolledBack)
        );
        let at = |text: &str| instance(RunsOn::LoadedAt { at: text.parse().unwrap(), why: None });
        let wanted = || Some(desired(Some(&hash), Some("2026-11-30T12:00:00Z")));
        let loaded = vec![at("2026-11-30T12:00:00Z"), at("2026-11-30T11:59:59.9Z")];
        assert_eq!(standings(wanted(), loaded), (vec!["current", "stale"], Exit::RolledBack));
        // A version that a person has written is no part of another.
        assert_eq!(standings(Some(desired(Some("release-12"), None)), vec![instance(on("release-1"))]).0, ["stale"]);
    }

    #[test]
    fn one_that_has_rejected_a_change_is_stale_whatever_it_runs_on() {
        let rejected = Instance { trouble: Some("no such key".to_owned()), ..instance(on("v1")) };
        assert_eq!(
            standings(Some(desired(Some("v1"), None)), vec![rejected.clone()]),
            (vec!["stale"], Exit::RolledBack)
        );
        assert_eq!(standings(None, vec![rejected]), (vec!["stale"], Exit::RolledBack));
    }

    #[test]
    fn without_anything_desired_instances_have_to_agree() {
        assert_eq!(
            standings(None, vec![instance(on("v1")), instance(on("v1"))]),
            (vec!["current", "current"], Exit::Kept)
        );
        assert_eq!(
            standings(None, vec![instance(on("v1")), instance(on("v2"))]),
            (vec!["unclear", "unclear"], Exit::Held)
        );
    }

    #[test]
    fn who_does_not_answer_is_neither_current_nor_stale() {
        let silent = || instance(RunsOn::Silent { why: "refused".to_owned() });
        let wanted = || Some(desired(Some("v1"), None));
        assert_eq!(standings(wanted(), vec![silent(), silent()]), (vec!["silent", "silent"], Exit::Unreachable));
        assert_eq!(standings(wanted(), vec![silent(), instance(on("v1"))]), (vec!["silent", "current"], Exit::Held));
        assert_eq!(
            standings(wanted(), vec![silent(), instance(on("v2"))]),
            (vec!["silent", "stale"], Exit::RolledBack)
        );
        assert_eq!(standings(wanted(), Vec::new()), (vec![], Exit::Unreachable));
    }
}
