//! What the gates of every operation have to know of the world around the platform, and the gates that only ask that.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    guard::Gate,
    model::Timestamp,
    ports::PortError,
    slo::{Matchers, Objective},
};

/// What the gates have to know of the world around the platform.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Now, by the wall clock.
    pub now: Timestamp,
    /// Who holds the target, if somebody does.
    pub holder: Option<Holder>,
    /// How long ago the last run on this target ended, where there was one and the operation wants to know.
    pub last_ended: Option<Duration>,
    /// Who would put things back.
    pub guardian: Guardian,
    /// Times in which nothing may be changed.
    pub freezes: Vec<Freeze>,
    /// Credentials that the operation needs.
    pub credentials: Vec<Credential>,
    /// What is known of the objectives' past.
    pub history: History,
    /// The share of the budget that has to be left, from 0 to 1.
    pub budget_floor: f64,
}

/// The run that holds a target.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Which one, and how it stands.
    pub found: String,
    /// What to do about it.
    pub hint: String,
}

/// Who puts things back when the operator dies.
#[derive(Debug, Clone, Default)]
pub enum Guardian {
    /// A process on this machine, which is where the platform is as well.
    #[default]
    Local,
    /// One in the cluster that gives signs of life; who it is.
    InCluster(String),
    /// A process on this machine, though the platform is elsewhere: a person has accepted that.
    LocalAccepted,
    /// Nobody in the cluster; what was found there instead.
    Missing(String),
}

/// A time in which nothing may be changed.
#[derive(Debug, Clone)]
pub struct Freeze {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Why.
    pub reason: String,
}

/// A credential, by the name of the variable that holds it. Its value is never read here.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The variable.
    pub name: String,
    /// Whether it is set.
    pub present: bool,
    /// When it expires, if that is known; an unreadable time as it was found.
    pub expires: Option<Result<Timestamp, String>>,
}

/// The objectives whose past is to be known.
#[derive(Debug, Clone)]
pub struct Remembered<'a> {
    /// The objectives.
    pub objectives: &'a [Objective],
    /// What picks the series whose last hour counts.
    pub matchers: Matchers,
    /// The burn rate above which that hour was not healthy.
    pub cap: f64,
}

/// What is known of the objectives' past.
#[derive(Debug, Clone, Default)]
pub enum History {
    /// The source keeps none, or too little.
    #[default]
    None,
    /// The source does not answer.
    Unreachable(PortError),
    /// Objective by objective.
    Known(Vec<Past>),
}

/// The past of one objective.
#[derive(Debug, Clone)]
pub struct Past {
    /// The objective.
    pub name: String,
    /// The bad share of the last hour at the old slot, if it had requests.
    pub share: Option<f64>,
    /// The tolerated share.
    pub tolerated: f64,
    /// The share above which it is clearly not healthy.
    pub cap: f64,
    /// The share of the budget that is left, from below 0 to 1, over its window.
    pub budget_left: Option<f64>,
    /// What is to be known of the series that are counted, such as that replicas of the source each have them.
    pub remarks: BTreeSet<String>,
}

/// Nobody else is at work on the target.
#[must_use]
pub fn lock(facts: &Facts) -> Gate {
    match &facts.holder {
        None => Gate::open("lock", "nobody else is at work on it"),
        Some(Holder { found, hint }) => Gate::shut("lock", found, hint),
    }
}

/// No freeze window begins before an operation ends that takes `longest`.
#[must_use]
pub fn freeze(facts: &Facts, longest: Duration) -> Gate {
    let end = facts.now.checked_add(longest).unwrap_or(Timestamp::MAX);
    match facts.freezes.iter().find(|freeze| freeze.from < end && facts.now < freeze.to) {
        None => Gate::open("freeze", "no freeze window in the way"),
        Some(Freeze { from, to, reason }) => {
            Gate::shut("freeze", format!("{from} to {to}: {reason}"), format!("wait until {to}"))
        }
    }
}

/// The credentials are there, and outlive an operation that takes `longest`.
#[must_use]
pub fn credentials(facts: &Facts, longest: Duration) -> Gate {
    let end = facts.now.checked_add(longest).unwrap_or(Timestamp::MAX);
    for credential in &facts.credentials {
        let name = &credential.name;
        if !credential.present {
            return Gate::shut("credentials", format!("{name} is not set"), format!("export {name}"));
        }
        match &credential.expires {
            Some(Ok(expires)) if *expires < end => {
                let why = format!("{name} expires at {expires}, and the operation may last until {end:.0}");
                return Gate::shut("credentials", why, "renew it, or let the operation be shorter");
            }
            Some(Err(found)) => {
                let why = format!("when {name} expires is given as `{found}`, which is no time");
                return Gate::shut("credentials", why, "write it like 2026-12-24T00:00:00Z");
            }
            _ => {}
        }
    }
    Gate::open(
        "credentials",
        match facts.credentials.len() {
            0 => "none are needed".to_owned(),
            count => format!("{count} set, and valid for long enough"),
        },
    )
}

/// Somebody puts things back when the operator dies.
#[must_use]
pub fn guardian(facts: &Facts) -> Gate {
    match &facts.guardian {
        Guardian::Local => Gate::open("guardian", "a process on this machine, as the platform is"),
        Guardian::InCluster(who) => Gate::open("guardian", format!("in the cluster: {who}")),
        Guardian::LocalAccepted => Gate::open(
            "guardian",
            "a process on this machine only, as --accept-local-guardian says; it does not survive the machine",
        ),
        Guardian::Missing(found) => Gate::shut(
            "guardian",
            format!("nobody in the cluster would put things back: {found}"),
            "`kubectl apply -k manifests/guardian`, or make do with this machine: --accept-local-guardian",
        ),
    }
}

/// Enough of the error budget is left.
#[must_use]
pub fn budget(facts: &Facts) -> Gate {
    match &facts.history {
        History::None => Gate::open("budget", "no history here: what is spent of the error budget is not known"),
        History::Unreachable(e) => {
            Gate::unasked("budget", e, "is the metrics source up? `interlock slo status` asks it")
        }
        History::Known(pasts) => {
            let left = pasts.iter().filter_map(|past| Some((&past.name, past.budget_left?)));
            match left.min_by(|a, b| a.1.total_cmp(&b.1)) {
                None => Gate::open("budget", "nothing was counted in the window yet"),
                Some((name, left)) if left < facts.budget_floor => Gate::shut(
                    "budget",
                    format!(
                        "{name} has {} of its error budget left, {} are wanted",
                        percent(left),
                        percent(facts.budget_floor)
                    ),
                    "wait until the budget recovers; defaults.budgetFloor sets how much has to be left",
                ),
                Some((name, left)) => Gate::open("budget", format!("{} left, least at {name}", percent(left))),
            }
        }
    }
}

/// A share as people read it.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
