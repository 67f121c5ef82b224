//! Each slot's share of the series that an objective counts: what the selectors of the platform file pick, and what they leave.

use std::{collections::BTreeSet, time::Duration};

use futures::future::try_join_all;

use super::Switch;
use crate::{
    guard::Gate,
    model::{Slot, Timestamp},
    ports::{Labels, Metrics, PortError, Selector},
    slo::{Counting, MOST_SERIES, Matchers, Objective, Side, SlotNames, labels_found},
};

/// How far back a series may have its last sample.
const RECENT: Duration = Duration::from_secs(120);

/// The series of an objective, by the slot whose selector picks them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    metrics: BTreeSet<String>,
    /// Of blue and of green.
    slots: [BTreeSet<Labels>; 2],
    /// Of neither; `None` where there are too many to be read.
    neither: Option<BTreeSet<Labels>>,
}

/// What is to be said of a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Each slot that was asked for has its series, or cannot have any yet.
    Told(String),
    /// There are no series at all so far.
    None(String),
    /// Series are there, and would be counted for nobody, or for both slots.
    Untold {
        /// Which, and why.
        why: String,
        /// What to write.
        hint: String,
    },
}

impl Share {
    /// Asks the source for all series of an objective that have had a sample lately.
    ///
    /// # Errors
    /// Where the source does not answer.
    pub async fn read(
        source: &dyn Metrics,
        objective: &Objective,
        [blue, green]: [&Matchers; 2],
        now: Timestamp,
    ) -> Result<Self, PortError> {
        let since = now.checked_sub(RECENT).unwrap_or(now);
        let counting = &objective.counting;
        // All of them first: one that is born meanwhile is a slot's, and never one of neither.
        let all = series(source, counting, since).await;
        let slots =
            [series(source, &counting.with(blue), since).await?, series(source, &counting.with(green), since).await?];
        let all = match all {
            Ok(all) => Some(all),
            // The slots' own series could be read: that there are too many beside them is in nobody's way.
            Err(_) if slots.iter().any(|own| !own.is_empty()) => None,
            Err(e) => return Err(e),
        };
        let neither = all.map(|all| all.into_iter().filter(|one| slots.iter().all(|own| !own.contains(one))).collect());
        Ok(Self { metrics: telling(counting).map(|selector| selector.metric.clone()).collect(), slots, neither })
    }

    /// How it stands where `serving` takes all traffic.
    #[must_use]
    pub fn standing(&self, service: &str, names: &SlotNames, serving: Option<Slot>) -> Standing {
        let of = |slot: Slot| &self.slots[slot as usize];
        let all = |own: &BTreeSet<Labels>| own.iter().cloned().collect::<Vec<_>>();
        let neither: Vec<_> = self.neither.iter().flatten().cloned().collect();
        let told = self.to_string();
        let write = |proposal: Option<crate::slo::Proposal>, among: &[Labels]| match proposal {
            Some(proposal) => format!("write under services.{service}: {proposal}{}", guessed(&proposal.unseen)),
            None => format!(
                "let services.{service}.selectors pick each slot's by a label that tells them apart; there are {}. Where none does, \
                 count what a gateway or a mesh tells of each backend",
                labels_found(among)
            ),
        };
        if let Some(slot) = Slot::ALL.into_iter().find(|slot| of(*slot).len() > MOST_SERIES) {
            let why = format!("{slot} has more than the {MOST_SERIES} series that can be counted: {told}");
            let hint = format!(
                "let services.{service}.selectors, or the SLO's queries, pick fewer: leave out what is not a user's request, or count a \
                 recording rule that sums them"
            );
            return Standing::Untold { why, hint };
        }
        if !of(Slot::Blue).is_disjoint(of(Slot::Green)) {
            let both = of(Slot::Blue).intersection(of(Slot::Green)).count();
            let why = format!("{both} series are picked for both slots: {told}");
            return Standing::Untold { why, hint: write(names.propose(&all(of(Slot::Blue))), &all(of(Slot::Blue))) };
        }
        let missing: Vec<Slot> = Slot::ALL.into_iter().filter(|slot| of(*slot).is_empty()).collect();
        match missing.as_slice() {
            [] => Standing::Told(told),
            [_, _] if neither.is_empty() => Standing::None(format!("no series of {} yet", self.metric())),
            [_, _] => {
                let why = format!("no series can be told to a slot: {told}");
                Standing::Untold { why, hint: write(names.propose(&neither), &neither) }
            }
            [slot, ..] => {
                let own = all(of(slot.other()));
                // A backend's series are born with its first request. One that is like the other slot's is there already.
                match names.counterpart(slot.other(), &own, &neither) {
                    Some(proposal) => {
                        let why = format!("{slot} has none, though one is like those of {}: {told}", slot.other());
                        Standing::Untold { why, hint: write(Some(proposal), &neither) }
                    }
                    None if serving == Some(*slot) => {
                        Standing::None(format!("{slot} serves and has no series yet, or its selector is wrong: {told}"))
                    }
                    None => Standing::Told(format!("{told}; those of {slot} are born with its first request")),
                }
            }
        }
    }

    fn metric(&self) -> String {
        self.metrics.iter().cloned().collect::<Vec<_>>().join(" and ")
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [blue, green] = self.slots.each_ref().map(BTreeSet::len);
        write!(f, "{}: {blue} of blue, {green} of green", self.metric())?;
        match &self.neither {
            Some(neither) => write!(f, ", {} of neither", neither.len()),
            None => f.write_str(", and too many of neither to be read"),
        }
    }
}

fn guessed(unseen: &[Slot]) -> String {
    let slots: Vec<_> = unseen.iter().map(Slot::to_string).collect();
    if slots.is_empty() {
        String::new()
    } else {
        format!(" ({} has no series yet: its own follows from the other)", slots.join(" and "))
    }
}

/// The selectors that tell of all events, or of good ones where no series does. Errors may never have happened.
fn telling(counting: &Counting) -> impl Iterator<Item = &Selector> {
    let side = if counting.side(Side::Total).next().is_some() { Side::Total } else { Side::Good };
    counting.side(side)
}

async fn series(source: &dyn Metrics, counting: &Counting, since: Timestamp) -> Result<BTreeSet<Labels>, PortError> {
    let found = try_join_all(telling(counting).map(|selector| source.samples(selector, since))).await?;
    Ok(found.into_iter().flatten().map(|one| one.labels).collect())
}

/// Whether the series that decide can be told to the slots.
pub(super) async fn gate(switch: &Switch) -> Gate {
    let (spec, name) = (&switch.spec, "series");
    if spec.objectives.is_empty() {
        return Gate::open(name, "no SLO, no series");
    }
    let (blue, green) = match spec.to {
        Slot::Blue => (&spec.new_labels, &spec.old_labels),
        Slot::Green => (&spec.old_labels, &spec.new_labels),
    };
    let (mut told, mut later) = (Vec::new(), Vec::new());
    for objective in &spec.objectives {
        match Share::read(switch.metrics(), objective, [blue, green], switch.steady_now()).await {
            Err(e) => {
                return Gate::unasked(name, &e, "is the metrics source up? `metrics` of the platform file names it");
            }
            Ok(share) => match share.standing(&spec.service, &spec.names, Some(spec.from())) {
                Standing::Told(found) => told.push(found),
                Standing::None(why) => later.push(why),
                Standing::Untold { why, hint } => return Gate::shut(name, format!("{}: {why}", objective.name), hint),
            },
        }
    }
    told.dedup();
    later.dedup();
    match later.is_empty() {
        true => Gate::open(name, told.join("; ")),
        false => Gate::later(name, later.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::{model::HumanDuration, ports::Series, slo::Period};

    /// A source in which blue's first series is born right behind the first question.
    #[derive(Default)]
    struct Newborn(AtomicBool);

    #[async_trait]
    impl Metrics for Newborn {
        async fn samples(&self, selector: &Selector, _since: Timestamp) -> Result<Vec<Series>, PortError> {
            let labels = Labels::from([("slot".to_owned(), "blue".to_owned())]);
            let is_picked = selector.matchers.iter().all(|m| labels.get(&m.label) == Some(&m.value));
            let is_born = self.0.swap(true, Ordering::Relaxed);
            Ok(if is_born && is_picked { vec![Series { labels, points: Vec::new() }] } else { Vec::new() })
        }

        fn name(&self) -> String {
            "newborn".to_owned()
        }
    }

    #[tokio::test]
    async fn what_is_born_meanwhile_is_never_one_of_neither() {
        let selector = Selector::counters("requests".to_owned(), Vec::new());
        let objective = Objective {
            name: "availability".to_owned(),
            slo: "availability".to_owned(),
            service: "tenant".to_owned(),
            target: 0.99,
            burn: 1.0,
            period: Period::Rolling(HumanDuration::secs(60)),
            counting: Counting { selectors: vec![(Side::Total, selector)], edge: None },
        };
        let [blue, green]: [Matchers; 2] =
            ["blue", "green"].map(|slot| Labels::from([("slot".to_owned(), slot.to_owned())]).into());
        let share = Share::read(&Newborn::default(), &objective, [&blue, &green], Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!(share.to_string(), "requests: 1 of blue, 0 of green, 0 of neither");
    }

    #[test]
    fn more_series_than_can_be_counted_are_no_share() {
        let of_green = |count: usize| {
            let series = |number: usize| {
                Labels::from([("slot".to_owned(), "green".to_owned()), ("path".to_owned(), number.to_string())])
            };
            let blue = Labels::from([("slot".to_owned(), "blue".to_owned())]);
            let slots = [BTreeSet::from([blue]), (0..count).map(series).collect()];
            Share { metrics: BTreeSet::from(["requests".to_owned()]), slots, neither: None }
        };
        let standing = |count| of_green(count).standing("tenant", &SlotNames::default(), Some(Slot::Blue));
        assert!(matches!(standing(MOST_SERIES), Standing::Told(_)));
        let Standing::Untold { why, .. } = standing(MOST_SERIES + 1) else { panic!("it could never decide") };
        assert_eq!(
            why,
            "green has more than the 20000 series that can be counted: requests: 1 of blue, 20001 of green, and too many of neither \
             to be read"
        );
    }
}
