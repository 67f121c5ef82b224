//! Turns a switchover into steps.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Spec, keys};
use crate::{
    error::Error,
    guard::{Blind, Plan, Step, Strength, value},
    model::{Span, Target, Weights},
};

/// What a watch of a switchover waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Watch {
    /// The old slot is measured while nothing is touched, and the tolerances are frozen.
    Baseline {
        /// For how long.
        length: Span,
    },
    /// The new slot answers all of these requests.
    WarmUp {
        /// How many.
        requests: u32,
    },
    /// What is served is the new slot: asked, not assumed.
    Served,
    /// The old slot has nothing in flight any more.
    Drain {
        /// After this it stays as it is, and the report names what still hangs on it.
        within: Span,
    },
    /// The SLOs hold at this share of traffic, and the evidence for it suffices.
    Bake {
        /// The new slot's share, in percent.
        share: u8,
        /// For how long at least.
        length: Span,
        /// For how long at most.
        max: Span,
    },
    /// The old slot is kept warm; only a breach ends it.
    Keep {
        /// For how long.
        length: Span,
    },
}

impl Watch {
    fn step(self, name: impl Into<String>) -> Result<Step, Error> {
        Step::watch(name.into(), &self)
    }
}

/// Turns a switchover into a plan.
///
/// # Errors
/// Where the shares do not rise to 100, or the bake is longer than its maximum.
pub fn plan(spec: &Spec, platform: Value, guard: Strength, ttl: Span) -> Result<Plan, Error> {
    check(spec)?;
    let target = Target::parse(&spec.service).map_err(|what| Error::usage(what, "rename the service"))?;
    let (old, new) = (spec.from(), spec.to);
    let mut steps = Vec::new();
    if !spec.baseline.0.is_zero() {
        steps.push(Watch::Baseline { length: spec.baseline }.step(format!("measure {old}"))?);
    }
    if spec.warm_up > 0 {
        steps.push(Watch::WarmUp { requests: spec.warm_up }.step(format!("warm up {new}"))?);
    }
    let drain = format!("drain {old}");
    for share in &spec.shares {
        steps.push(Step::change(
            format!("shift {share} % to {new}"),
            keys::WEIGHTS,
            &Weights::giving(new, *share),
            None,
        )?);
        if *share == 100 {
            steps.push(Watch::Served.step(format!("ask who serves after {share} %"))?);
            steps.push(Watch::Drain { within: spec.drain }.step(&drain)?);
        }
        steps.push(
            Watch::Bake { share: *share, length: spec.bake, max: spec.max_bake }.step(format!("bake at {share} %"))?,
        );
    }
    if !spec.keep_old.0.is_zero() {
        steps.push(Watch::Keep { length: spec.keep_old }.step(format!("keep {old} warm"))?);
    }
    if spec.scale_down_old {
        steps.push(Step::change(format!("scale {old} down"), &keys::scale(old), &0, Some(drain))?);
    }
    Ok(Plan {
        operation: "switchover".to_owned(),
        target,
        title: format!("switchover {} from {old} to {new}", spec.service),
        platform,
        spec: value(spec)?,
        steps,
        blind: Blind::Hold,
        guard,
        ttl,
    })
}

/// Checks what a switchover is to do, before the platform is asked for anything.
///
/// # Errors
/// Where the shares do not rise to 100, or the bake is longer than its maximum.
pub fn check(spec: &Spec) -> Result<(), Error> {
    let rises = spec.shares.windows(2).all(|pair| pair[0] < pair[1]) && spec.shares.first().is_some_and(|s| *s > 0);
    if !rises || spec.shares.last() != Some(&100) {
        return Err(Error::usage(
            format!("the weights {:?} do not rise to 100", spec.shares),
            "write them like --weights 5,25,50,100",
        ));
    }
    if spec.bake > spec.max_bake {
        return Err(Error::usage(
            format!("--bake {} is longer than --max-bake {}", spec.bake, spec.max_bake),
            "raise --max-bake or shorten --bake",
        ));
    }
    Ok(())
}

impl std::fmt::Display for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Baseline { length } => write!(f, "count for {length}, touch nothing, and freeze what is tolerated"),
            Self::WarmUp { requests } => write!(f, "{requests} requests through the preview path have to pass"),
            Self::Served => f.write_str("live requests have to be answered by the new slot"),
            Self::Drain { within } => write!(f, "wait until nothing is in flight, for {within} at most"),
            Self::Bake { share, length, max } => {
                write!(f, "at {share} %: watch the SLOs for {length}, until the evidence suffices, for {max} at most")
            }
            Self::Keep { length } => write!(f, "watch on for {length}, with the old slot ready to take traffic back"),
        }
    }
}
