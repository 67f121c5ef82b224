//! What is searched, and what has to be found.

use crate::{
    choices::Choices,
    mutants::Mutant,
    scenario::Subject,
    schedule::play,
    search::{explain_seed, search, subject},
};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seed that `INTERLOCK_SIM_SEED` names, told in full.
#[test]
fn one_seed() {
    let Some(seed) = number("INTERLOCK_SIM_SEED") else { return };
    let report = play(subject(seed), Mutant::None, Choices::of_seed(seed), true);
    println!("seed {seed}: {}, {} steps\n{}", report.ended, report.steps, report.violations.join("\n"));
    if report.violations.is_empty() {
        println!("{}", crate::diagram::mermaid(&report.told));
    } else {
        panic!("{}", explain_seed(seed, Mutant::None));
    }
}

#[test]
fn what_nothing_disturbs_is_kept() {
    for subject in [Subject::Pair, Subject::Keys, Subject::Command, Subject::Switchover] {
        let report = play(subject, Mutant::None, Choices::of_list(&[]), true);
        let story = crate::diagram::mermaid(&report.told);
        assert_eq!((report.ended.as_str(), &report.violations[..]), ("kept", &[][..]), "{subject:?}\n{story}");
        println!("{subject:?}: {} steps, {} choices", report.steps, report.choices.taken.len());
    }
}

/// How long each subject takes.
#[test]
fn pace() {
    for subject in [Subject::Pair, Subject::Keys, Subject::Command, Subject::Switchover] {
        let begun = std::time::Instant::now();
        let mut steps = 0;
        for seed in 0..100 {
            steps += play(subject, Mutant::None, Choices::of_seed(seed), false).steps;
        }
        println!("{subject:?}: {:?} each, {steps} steps", begun.elapsed() / 100);
    }
}

/// The budget of a mend that is taken out: how many schedules may pass before it shows.
const BUDGET: u64 = 20_000;

/// With a mend taken out a law is violated.
fn finds(mutant: Mutant, law: &str) {
    let found = search(0..BUDGET, mutant, 1, None);
    let Some(seed) = found.bad.first() else {
        panic!("{mutant:?}: none of {} schedules violates a law", found.schedules);
    };
    let told = explain_seed(*seed, mutant);
    println!("{mutant:?} shows in schedule {seed}, the {}th of this search\n{told}", found.schedules);
    assert!(told.contains(law), "{mutant:?} should violate {law}:\n{told}");
}

#[test]
fn a_fence_that_only_reads_is_found() {
    finds(Mutant::FenceReads, "law ");
}

#[test]
fn an_owner_that_ignores_its_loss_is_found() {
    finds(Mutant::IgnoresLoss, "law 1");
}

#[test]
fn a_disk_that_syncs_nothing_is_found() {
    finds(Mutant::SyncsNothing, "law ");
}

#[test]
fn an_epoch_that_two_can_claim_is_found() {
    finds(Mutant::LinksOver, "law 1 (claims)");
}

#[test]
fn a_write_over_what_somebody_else_wrote_is_found() {
    finds(Mutant::Overwrites, "law 4");
}

#[test]
fn gates_that_are_not_asked_again_are_found() {
    finds(Mutant::StaleGates, "gates");
}

#[test]
fn no_schedule_violates_a_law() {
    let count = number("INTERLOCK_SIM_SCHEDULES").unwrap_or(20_000);
    let found = search(0..count, Mutant::None, 3, None);
    println!(
        "{} schedules, {} steps, in {:.1} s; {:?}",
        found.schedules,
        found.steps,
        found.took.as_secs_f64(),
        found.ends
    );
    for (what, count) in &found.struck {
        println!("{count:6} {what:?}");
    }
    if let Some(seed) = found.bad.first() {
        panic!("{:?}\n{}", found.bad, explain_seed(*seed, Mutant::None));
    }
}
