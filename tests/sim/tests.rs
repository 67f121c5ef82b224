//! What is searched, and what has to be found.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use interlock::sequence::mermaid::{Mode, parse};

use crate::{
    choices::{CALLS, Choices, KINDS},
    diagram::mermaid,
    mutants::Mutant,
    scenario::Subject,
    schedule::{Report, play},
    search::{exhaust, explain, explain_seed, named, search, subject},
};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seed that `INTERLOCK_SIM_SEED` names, or the list of `INTERLOCK_SIM_CHOICES` for the subject of `INTERLOCK_SIM_SUBJECT`,
/// told in full; seed 0 where neither is named.
#[test]
fn one_schedule() {
    let seed = number("INTERLOCK_SIM_SEED").unwrap_or(0);
    let list = std::env::var("INTERLOCK_SIM_CHOICES").ok();
    let list: Option<Vec<u32>> =
        list.map(|list| list.split(',').map(|choice| choice.trim().parse().unwrap()).collect());
    let subject = subject(seed);
    let choices = list.map_or_else(|| Choices::of_seed(seed), |list| Choices::of_list(&list));
    let report = play(subject, Mutant::None, choices, true);
    println!("{subject:?}: {}, {} steps\n{}", report.ended, report.steps, mermaid(&report.told));
    assert!(report.violations.is_empty(), "{}", explain(subject, Mutant::None, &report.choices.taken, "this schedule"));
}

#[test]
fn what_nothing_disturbs_is_kept() {
    for subject in Subject::ALL {
        let report = play(subject, Mutant::None, Choices::of_list(&[]), true);
        let story = mermaid(&report.told);
        assert_eq!((report.ended.as_str(), &report.violations[..]), ("kept", &[][..]), "{subject:?}\n{story}");
        let parsed = parse(&story, Mode::Strict);
        assert!(parsed.found.is_empty(), "{:?}\n{story}", parsed.found);
        println!("{subject:?}: {} steps, {} choices", report.steps, report.choices.taken.len());
    }
}

/// A seed is one schedule, and so is the list of choices that it draws.
#[test]
fn a_schedule_is_played_again_exactly() {
    for seed in 0..150 {
        let play = |choices| {
            let Report { told, steps, ended, violations, choices, .. } =
                play(subject(seed), Mutant::None, choices, true);
            (mermaid(&told), steps, ended, violations, choices.taken)
        };
        let first = play(Choices::of_seed(seed));
        assert_eq!(play(Choices::of_seed(seed)), first, "seed {seed}");
        assert_eq!(play(Choices::of_list(&first.4)), first, "the list of seed {seed}");
    }
}

/// How many schedules are played each time.
const SCHEDULES: u64 = 20_000;

/// The budget of a fix that is taken out: how many schedules may pass before it shows.
const BUDGET: u64 = SCHEDULES;

/// With a fix taken out a law is violated.
fn finds(mutant: Mutant, law: &str) {
    let found = search(0..BUDGET, mutant, 1, None);
    let Some(seed) = found.bad.first() else {
        panic!("{mutant:?}: none of {} schedules violates a law", found.schedules);
    };
    let told = explain_seed(*seed, mutant);
    say(&format!("{mutant:?} shows in schedule {seed}, the {}th of this search\n{told}", found.schedules));
    assert!(told.contains(law), "{mutant:?} should violate {law}:\n{told}");
}

#[test]
fn a_fence_that_only_reads_is_found() {
    finds(Mutant::FenceReads, "law ");
}

#[test]
fn an_intent_that_nobody_settles_is_found() {
    finds(Mutant::SettlesNothing, "law ");
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
    finds(Mutant::NothingIsExclusive, "store:");
}

#[test]
fn a_write_over_what_somebody_else_wrote_is_found() {
    finds(Mutant::Overwrites, "law 4");
}

#[test]
fn an_object_made_anew_that_is_taken_for_the_captured_one_is_found() {
    finds(Mutant::BindsNothing, "law 4");
}

#[test]
fn a_run_that_begins_below_what_the_objects_bear_is_found() {
    finds(Mutant::BeginsBelow, "law 1");
}

#[test]
fn an_owner_of_old_that_nobody_ends_is_found() {
    finds(Mutant::EndsNobody, "law 1");
}

#[test]
fn a_way_back_that_captures_nothing_of_what_it_prepares_is_found() {
    finds(Mutant::PreparesUncaptured, "law ");
}

#[test]
fn gates_that_are_not_asked_again_are_found() {
    finds(Mutant::StaleGates, "gates");
}

/// Schedules that have violated a law before a mend: what was chosen where, and 0 everywhere else.
#[test]
fn what_has_violated_a_law_once_does_not_any_more() {
    let schedules: [(Subject, &[(usize, u32)]); 3] = [
        // The old primary was started while a promotion that was told could still come: at once,
        (Subject::Drill, &[(6, 1), (9, 355), (14, 109), (16, 1), (82, 1), (90, 2), (143, 7), (156, 2)]),
        // while its end was awaited,
        (Subject::Drill, &[(6, 1), (7, 1), (11, 93), (79, 2), (87, 4)]),
        // and because its role was stuck.
        (Subject::Drill, &[(7, 1), (10, 1), (12, 38), (21, 1), (86, 2), (162, 6), (173, 2), (188, 2)]),
    ];
    for (subject, chosen) in schedules {
        let mut list = vec![0; chosen.iter().map(|(at, _)| at + 1).max().unwrap_or(0)];
        chosen.iter().for_each(|(at, choice)| list[*at] = *choice);
        let report = play(subject, Mutant::None, Choices::of_list(&list), false);
        assert!(!report.struck.is_empty(), "{chosen:?} strikes nothing any more: choices are drawn otherwise now");
        assert!(report.violations.is_empty(), "{}", explain(subject, Mutant::None, &list, "this schedule"));
    }
}

#[test]
fn no_schedule_violates_a_law() {
    let count = number("INTERLOCK_SIM_SCHEDULES").unwrap_or(SCHEDULES);
    let found = match std::env::var_os("INTERLOCK_SOAK") {
        None => search(0..count, Mutant::None, 3, None),
        // Other seeds each time, and those of an hour.
        Some(_) => {
            let first = u64::from(rand::random::<u32>());
            say(&format!("an hour of schedules, from seed {first} on"));
            search(first..u64::MAX, Mutant::None, 3, Some(Instant::now() + Duration::from_hours(1)))
        }
    };
    let took = found.took.as_secs_f64();
    say(&format!("{} schedules, {} steps, in {took:.1} s; {:?}", found.schedules, found.steps, found.ends));
    if let Some(seed) = found.bad.first() {
        panic!("{:?}\n{}", found.bad, explain_seed(*seed, Mutant::None));
    }
    // Law 7: each kind of fault has struck each port call.
    let missed: Vec<_> = CALLS
        .iter()
        .flat_map(|(calls, fates)| calls.iter().flat_map(|call| fates.iter().map(move |fate| (*call, *fate))))
        .filter_map(|(call, fate)| Some((call, KINDS[fate.kind()?])))
        .filter(|what| !found.struck.contains_key(what))
        .collect();
    assert!(missed.is_empty() || found.schedules < SCHEDULES || named().is_some(), "law 7: never struck: {missed:?}");
}

/// All schedules of two effects in which one thing goes wrong, and in which two do; where it is the machine that goes wrong
/// inside the work of one call, at each call of the disk that the work makes.
#[test]
fn no_schedule_within_bounds_violates_a_law() {
    let deep = std::env::var_os("INTERLOCK_SOAK").is_some();
    let found = exhaust(Subject::Pair, deep);
    say(&format!("{} schedules within bounds, in {:.1} s", found.schedules, found.took.as_secs_f64()));
    assert!(found.schedules > 1_000, "{}", found.schedules);
    if let Some(list) = found.lists.first() {
        panic!("{}", explain(Subject::Pair, Mutant::None, list, "within bounds"));
    }
}

/// Past the capture of the output, since counts belong to a suite that passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
