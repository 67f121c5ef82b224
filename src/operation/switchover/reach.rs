//! What a bake can find at the traffic that was measured: the same looks and the same judge as in a run, over releases that are
//! worse than what is tolerated by a known factor.

use std::time::Duration;

use crate::{
    model::HumanDuration,
    slo::{Arms, Counts, Evidence, ObserveContext, Rules, Verdict, judge, observe, progress},
};

/// How many times worse than tolerated the releases are that are tried; the last is one that every bake should find.
const FACTORS: [f64; 3] = [2.0, 5.0, 10.0];

/// Users' requests a second, and the percentage of them that the new slot gets first; the old slot, which gets the others, is taken
/// for healthy.
#[derive(Clone, Copy)]
pub(super) struct Users {
    pub rate: f64,
    pub weight: u8,
}

/// Says what a bake finds, once the tolerances are frozen: the smallest of some factors, or that even ten times is too little.
pub(super) fn told(
    rules: &Rules,
    evidence: &Evidence,
    users: Users,
    (look, bake): (Duration, Duration),
) -> Option<String> {
    let known = progress(rules, evidence);
    let tolerated: Vec<f64> = known.iter().filter_map(|objective| objective.p0).collect();
    if tolerated.len() != known.len() || known.is_empty() || look.is_zero() {
        return None;
    }
    let part =
        if users.weight < 100 { format!(", {} % of them to the new slot,", users.weight) } else { String::new() };
    let traffic = format!("at {:.0} requests/s{part} a bake of at most {}", users.rate, HumanDuration(bake));
    // The objective that is hardest to break decides.
    let finds = |factor: f64| {
        tolerated.iter().enumerate().all(|(at, share)| {
            let bad = |at_all: usize| if at_all == at { (share * factor).min(1.0) } else { 0.0 };
            finds(rules, evidence, users, (look, bake), &(0..tolerated.len()).map(bad).collect::<Vec<_>>())
        })
    };
    Some(match FACTORS.into_iter().find(|factor| finds(*factor)) {
        Some(factor) => format!("{traffic} finds a release {factor:.0} times worse than tolerated"),
        None => {
            format!(
                "! {traffic} cannot even find a release ten times worse than tolerated: let it bake for longer (--bake)"
            )
        }
    })
}

/// Whether a release with these shares of bad requests is found within a bake.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "counts of requests"
)]
fn finds(rules: &Rules, evidence: &Evidence, users: Users, (look, bake): (Duration, Duration), shares: &[f64]) -> bool {
    let mut evidence = evidence.clone();
    let (mut total, mut others, mut bad) = (0_u64, 0_u64, vec![0_u64; shares.len()]);
    let part = f64::from(users.weight) / 100.0;
    let looks = (bake.as_secs_f64() / look.as_secs_f64()).floor() as u32;
    for n in 1..=looks {
        let all = users.rate * look.as_secs_f64() * f64::from(n);
        let (until, others_until) = ((all * part).floor() as u64, (all * (1.0 - part)).floor() as u64);
        let arms = shares.iter().zip(&mut bad).map(|(share, bad)| {
            let bad_until = (until as f64 * share).floor() as u64;
            let candidate = Counts::new(until - total, bad_until - *bad);
            *bad = bad_until;
            Arms { candidate, baseline: Counts::new(others_until - others, 0) }
        });
        let (objectives, both_live) = (arms.collect(), users.weight < 100);
        let control = Counts::default();
        let context = ObserveContext { elapsed: look, served: look, objectives, control, both_live, fresh: true };
        observe(rules, &mut evidence, &context);
        total = until;
        others = others_until;
        if matches!(judge(rules, &evidence, Duration::MAX), Verdict::Breach { .. }) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::{ObjectiveRule, freeze_without_baseline};

    #[test]
    fn a_bake_that_is_too_short_for_its_traffic_is_told_so() {
        let rules = Rules::new(vec![ObjectiveRule::new("availability", 0.996), ObjectiveRule::new("latency", 0.99)]);
        let mut evidence = Evidence::new(&rules);
        let users = Users { rate: 100.0, weight: 100 };
        assert_eq!(told(&rules, &evidence, users, (Duration::from_secs(1), Duration::from_secs(60))), None);
        freeze_without_baseline(&rules, &mut evidence);
        let told = |rate, bake| {
            let length = (Duration::from_secs(1), Duration::from_secs(bake));
            told(&rules, &evidence, Users { rate, weight: 100 }, length).unwrap()
        };
        assert!(told(300.0, 3600).ends_with("finds a release 2 times worse than tolerated"), "{}", told(300.0, 3600));
        for (rate, bake) in [(300.0, 2), (1.0, 30)] {
            assert!(told(rate, bake).contains("cannot even find a release ten times worse"), "{}", told(rate, bake));
        }
        // However bad a release is, one of two live slots is not put back within a few blocks.
        let both = Rules { both_live: true, ..rules.clone() };
        let mut of_both = Evidence::new(&both);
        freeze_without_baseline(&both, &mut of_both);
        let shared = |bake| {
            let length = (Duration::from_secs(1), Duration::from_secs(bake));
            super::told(&both, &of_both, Users { rate: 300.0, weight: 10 }, length).unwrap()
        };
        assert!(
            shared(20).contains("10 % of them to the new slot, a bake of at most 20s cannot even"),
            "{}",
            shared(20)
        );
        assert!(shared(3600).contains("finds a release"), "{}", shared(3600));
        // More time never finds less.
        let finds = |bake| !told(50.0, bake).starts_with('!');
        assert!((1..10).all(|at| !finds(at * 20) || finds(at * 20 + 20)));
    }
}
