//! What a look says to people: the evidence against its bounds, and how much of a time has passed.

use std::time::Duration;

use super::{Evidence, Spec};
use crate::{
    model::HumanDuration,
    slo::{self, progress, smallest_excluded},
};

/// The evidence so far against the bound, objective by objective.
pub(super) fn figures(spec: &Spec, evidence: &Evidence) -> String {
    let Some(counted) = &evidence.counted else { return String::new() };
    let tell = |p: slo::ObjectiveProgress| {
        format!("{} {} of {} bad, evidence {:.1} of {:.0}", p.name, p.bad, p.total, p.e_value, p.bound)
    };
    progress(&spec.rules, &counted.slo).into_iter().map(tell).collect::<Vec<_>>().join(", ")
}

pub(super) fn excluded(spec: &Spec, evidence: &slo::Evidence) -> String {
    // Whoever decides about a held run has to know what its users see, before any bounds.
    let failing = progress(&spec.rules, evidence).into_iter().filter(|p| p.bad > 0);
    let failing = failing.map(|p| format!("{}: {:.1} % of {} requests are bad", p.name, p.share * 100.0, p.total));
    let bounds = smallest_excluded(&spec.rules, evidence);
    failing.chain(bounds.iter().map(ToString::to_string)).collect::<Vec<_>>().join(", ")
}

/// How much of a time has passed; where it took longer, how long was planned.
pub(super) fn passed(spent: Duration, length: Duration) -> String {
    let (spent, length) = (whole(spent), HumanDuration(length));
    if spent > length.0 {
        return format!("{}, where {length} were planned", HumanDuration(spent));
    }
    format!("{} of {length}", HumanDuration(spent))
}

/// Whole seconds, for people.
pub(super) const fn whole(length: Duration) -> Duration {
    Duration::from_secs(length.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_took_longer_is_no_share_of_what_was_planned() {
        let told = |spent, length| passed(Duration::from_millis(spent), Duration::from_secs(length));
        assert_eq!(told(4_900, 5), "4s of 5s");
        assert_eq!(told(5_900, 5), "5s of 5s");
        assert_eq!(told(12_000, 5), "12s, where 5s were planned");
    }
}
