//! Turns a switchover into steps.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Spec, Switch,
    keys::{Key, Value},
    observe::PATIENCE,
    probes,
};
use crate::{
    error::Error,
    model::{HumanDuration, Weights},
    operation::Steps,
};

/// What a watch of a switchover waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Watch {
    /// The old slot is measured while nothing is touched, and the tolerances are frozen.
    Baseline {
        /// For how long.
        length: HumanDuration,
    },
    /// The new slot answers these requests, and fails no more of them than is tolerated.
    WarmUp {
        /// How many.
        requests: u32,
        /// The failing share that so many find, in percent, for people; not in journals of earlier releases.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        finds: Option<u8>,
    },
    /// What is served is the new slot: asked, not assumed.
    Served,
    /// The old slot has nothing in flight any more.
    Drain {
        /// After this it stays as it is, and the report names what still hangs on it.
        within: HumanDuration,
    },
    /// The SLOs hold at this share of traffic, and the evidence for it suffices.
    Bake {
        /// The new slot's share, in percent.
        share: u8,
        /// For how long at least.
        length: HumanDuration,
        /// For how long at most.
        max: HumanDuration,
    },
    /// The old slot is kept warm; only a breach ends it.
    Keep {
        /// For how long.
        length: HumanDuration,
    },
}

/// Turns a switchover into steps.
///
/// # Errors
/// Where the shares do not rise to 100, or the bake is longer than its maximum.
pub(super) fn plan(spec: &Spec, steps: &mut Steps<Switch>) -> Result<(), Error> {
    check(spec)?;
    let (old, new) = (spec.from(), spec.to);
    if !spec.baseline.0.is_zero() {
        steps.watch(format!("measure {old}"), &Watch::Baseline { length: spec.baseline })?;
    }
    if spec.warm_up > 0 {
        let finds = probes::warm_up_finds(spec.warm_up, probes::tolerated(spec, None));
        let finds = finds.map(|share| (share * 100.0).ceil() as u8);
        steps.watch(format!("warm up {new}"), &Watch::WarmUp { requests: spec.warm_up, finds })?;
    }
    let drain = format!("drain {old}");
    for share in &spec.shares {
        let weights = Value::Weights(Weights::giving(new, *share));
        steps.change(format!("shift {share} % to {new}"), &Key::Weights, &weights)?;
        if *share == 100 {
            steps.watch(format!("ask who serves after {share} %"), &Watch::Served)?;
            steps.watch(&drain, &Watch::Drain { within: spec.drain })?;
        }
        let bake = Watch::Bake { share: *share, length: spec.bake, max: spec.max_bake };
        steps.watch(format!("bake at {share} %"), &bake)?;
    }
    if !spec.keep_old.0.is_zero() {
        steps.watch(format!("keep {old} warm"), &Watch::Keep { length: spec.keep_old })?;
    }
    if spec.scale_down_old {
        steps.change_if_clean(format!("scale {old} down"), &Key::Scale(old), &Value::Scale(0), &drain)?;
    }
    Ok(())
}

/// How long the steps of a switchover may look, each of them.
pub(super) fn lengths(spec: &Spec) -> Vec<Duration> {
    let Spec { shares, baseline, drain, max_bake, keep_old, .. } = spec;
    let bakes = std::iter::repeat_n(max_bake.0, shares.len());
    [baseline.0 * PATIENCE, drain.0, keep_old.0].into_iter().chain(bakes).collect()
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
            Self::WarmUp { requests, finds } => {
                write!(f, "{requests} requests through the preview path")?;
                finds.map_or(Ok(()), |share| write!(f, "; finds releases that fail {share} % of them"))
            }
            Self::Served => f.write_str("live requests have to be answered by the new slot"),
            Self::Drain { within } => write!(f, "wait until nothing is in flight, for {within} at most"),
            Self::Bake { share, length, max } => {
                write!(f, "at {share} %: watch the SLOs for {length}, until the evidence suffices, for {max} at most")
            }
            Self::Keep { length } => write!(f, "watch on for {length}, with the old slot ready to take traffic back"),
        }
    }
}
