//! Applications that know nothing of interlock: what answers and series say of the slots, and what is told of a run.

use std::sync::Arc;

use interlock::{
    error::Exit,
    guard::{Answer, Entry, Gate, Outcome, Silent, Verdict, load, refusal},
    model::{Slot, Timestamp, Weights},
    operation::{Kind as _, preconditions::Facts, switchover::Spec},
    ports::Labels,
    slo::{Matchers, SlotNames},
};

use crate::{
    platform::Names,
    shelf::run_id,
    told::OnEntry,
    world::{World, at_end, at_start, spec},
};

fn texts(blue: &str, green: &str) -> Names {
    Names::Texts([blue.to_owned(), green.to_owned()])
}

/// What says nothing of who answers, each in its own way.
fn untellable() -> [Names; 4] {
    [Names::Nothing, texts("nginx", "nginx"), Names::Stripped, Names::Requests]
}

async fn gate(world: &World, name: &str) -> Gate {
    let facts = Facts { now: "2026-11-21T09:30:00Z".parse::<Timestamp>().unwrap(), ..Facts::default() };
    world.switch().gates(&facts).await.into_iter().find(|gate| gate.name == name).unwrap()
}

fn exit(gate: &Gate) -> Option<Exit> {
    refusal(std::slice::from_ref(gate), &[]).err().map(|e| e.exit())
}

fn hint(gate: &Gate) -> String {
    refusal(std::slice::from_ref(gate), &[]).unwrap_err().hint().to_owned()
}

#[tokio::test]
async fn whether_slots_can_be_told_apart_is_asked_before_anything_is_touched() {
    for names in [Names::Slots, texts("1.4.2", "1.5.0")] {
        let world = World::new(spec());
        world.platform.name_by(names.clone(), false);
        assert_eq!(exit(&gate(&world, "identity").await), None, "{names:?}");
    }
    let mut said = Vec::new();
    for names in untellable() {
        for has_record in [true, false] {
            let world = World::new(spec());
            world.platform.name_by(names.clone(), has_record);
            let gate = gate(&world, "identity").await;
            assert_eq!(exit(&gate), (!has_record).then_some(Exit::Refused), "{names:?}");
            assert_eq!(world.platform.writes(), 0);
            said.push(gate.answer.to_string());
            if !has_record {
                assert!(hint(&gate).contains("services.tenant.identity: {path: /version, header: NAME}"), "{gate:?}");
            }
        }
    }
    // Previews that lead to the wrong slot, and a live path that leads elsewhere, are no matter of a name.
    for (names, stray) in
        [(texts("green", "blue"), None), (Names::Slots, Some(Slot::Green)), (texts("1", "2"), Some(Slot::Green))]
    {
        let world = World::new(spec());
        world.platform.name_by(names, true);
        world.platform.stray(stray);
        let gate = gate(&world, "identity").await;
        assert_eq!(exit(&gate), Some(Exit::Refused), "{gate:?}");
        said.push(gate.answer.to_string());
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
open (answers do not tell (blue says nothing in the header `x-slot`, and green nothing); instead: it is on record)
shut (who serves cannot be told: blue says nothing in the header `x-slot`, and green nothing; nothing is on record)
open (answers do not tell (both slots say `nginx` in the header `x-slot`); instead: it is on record)
shut (who serves cannot be told: both slots say `nginx` in the header `x-slot`; nothing is on record)
open (answers do not tell (the header `x-slot` says `blue` and `green` by the previews, and nothing by the live path); instead: it is on record)
shut (who serves cannot be told: the header `x-slot` says `blue` and `green` by the previews, and nothing by the live path; nothing is on record)
open (answers do not tell (blue says `request-3` and `request-4` and `request-5` in the header `x-slot`, and green `request-6` and `request-7` and `request-8`); instead: it is on record)
shut (who serves cannot be told: blue says `request-3` and `request-4` and `request-5` in the header `x-slot`, and green `request-6` and `request-7` and `request-8`; nothing is on record)
shut (who serves cannot be told: green answers for the preview of blue)
shut (who serves cannot be told: live requests are answered by green, and blue is to have them all)
shut (who serves cannot be told: live requests are answered by green, and blue is to have them all)
"#);
}

#[tokio::test]
async fn what_cannot_be_told_weighs_nothing() {
    for names in untellable() {
        for (has_record, stray) in [(true, None), (false, None), (false, Some(Slot::Blue))] {
            let world = World::new(spec());
            world.platform.name_by(names.clone(), has_record);
            world.platform.stray(stray);
            let outcome = world.run().await;
            let Outcome::Kept { warning } = &outcome else { panic!("{names:?} {has_record} {stray:?}: {outcome}") };
            assert_eq!(warning.is_some(), !has_record, "{names:?}: {warning:?}");
            assert!(
                warning.iter().all(|warning| warning.contains("cannot be told, which weighs nothing")),
                "{warning:?}"
            );
            assert_eq!(world.platform.stand(), at_end());
        }
    }
}

#[tokio::test]
async fn the_old_slot_that_still_answers_is_put_back_by_whatever_name() {
    for names in [Names::Slots, texts("1.4.2", "1.5.0")] {
        let world = World::new(spec());
        world.platform.name_by(names.clone(), false);
        assert_eq!(world.run().await, Outcome::Kept { warning: None }, "{names:?}");

        let world = World::new(spec());
        world.platform.name_by(names.clone(), true);
        let platform = world.platform.clone();
        let strays = move || platform.stray(Some(Slot::Blue));
        let outcome = world.run_with(Arc::new(OnEntry::new("2 applied", strays))).await;
        assert!(
            matches!(&outcome, Outcome::RolledBack { why } if why.contains("an answer of blue")),
            "{names:?}: {outcome}"
        );
        assert_eq!(world.platform.stand(), at_start());
    }
}

fn picks(label: &str, value: &str) -> Matchers {
    Labels::from([(label.to_owned(), value.to_owned())]).into()
}

/// A service whose series are named as a gateway does it, with the selectors that a platform file gives.
async fn shop(old: Matchers, new: Matchers, has_green: bool) -> World {
    let pairs = vec![["shop-blue".to_owned(), "shop-green".to_owned()]];
    let names = SlotNames { service: "shop".to_owned(), namespace: None, pairs };
    let world = World::new(Spec { old_labels: old, new_labels: new, names, ..spec() });
    for weights in [Weights::giving(Slot::Green, if has_green { 50 } else { 0 }), Weights::all(Slot::Blue)] {
        world.platform.meddle(weights);
        world.clock.advance(std::time::Duration::from_secs(10));
        drop(world.counters.feed());
    }
    world
}

#[tokio::test]
async fn a_bake_whose_series_belong_to_no_slot_is_never_begun() {
    let gateway = |slot: &str| picks("service", &format!("demo-shop-{slot}-80@kubernetesgateway"));
    let usual = || (picks("slot", "blue"), picks("slot", "green"));
    let cases = [
        ("as the labels are", usual(), true, None),
        ("green has had no request", usual(), false, None),
        ("as the gateway names them", (gateway("blue"), gateway("green")), true, None),
        ("both wrong", (picks("service", "shop"), picks("service", "shop2")), true, Some(Exit::Refused)),
        (
            "both wrong, one slot without series",
            (picks("service", "shop"), picks("service", "shop2")),
            false,
            Some(Exit::Refused),
        ),
        ("green misspelt", (gateway("blue"), gateway("gren")), true, Some(Exit::Refused)),
        ("blue misspelt", (gateway("bleu"), gateway("green")), true, Some(Exit::Refused)),
        ("green misspelt, and without series so far", (gateway("blue"), gateway("gren")), false, None),
        ("both alike", (Matchers::default(), gateway("green")), true, Some(Exit::Refused)),
    ];
    let mut said = Vec::new();
    for (case, (old, new), has_green, wanted) in cases {
        let world = shop(old, new, has_green).await;
        let gate = gate(&world, "series").await;
        assert_eq!(exit(&gate), wanted, "{case}: {gate:?}");
        let hint = wanted.map(|_| format!("\n  -> {}", hint(&gate))).unwrap_or_default();
        said.push(format!("{case}: {}{hint}", gate.answer));
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
as the labels are: open (requests: 1 of blue, 1 of green, 0 of neither)
green has had no request: open (requests: 1 of blue, 0 of green, 0 of neither; those of green are born with its first request)
as the gateway names them: open (requests: 1 of blue, 1 of green, 0 of neither)
both wrong: shut (availability: no series can be told to a slot: requests: 0 of blue, 0 of green, 2 of neither)
  -> write under services.tenant: selectors: {blue: 'service="demo-shop-blue-80@kubernetesgateway"', green: 'service="demo-shop-green-80@kubernetesgateway"'}; or go past it: --override series --reason TEXT
both wrong, one slot without series: shut (availability: no series can be told to a slot: requests: 0 of blue, 0 of green, 1 of neither)
  -> write under services.tenant: selectors: {blue: 'service="demo-shop-blue-80@kubernetesgateway"', green: 'service="demo-shop-green-80@kubernetesgateway"'} (green has no series yet: its own follows from the other); or go past it: --override series --reason TEXT
green misspelt: shut (availability: green has none, though one is like those of blue: requests: 1 of blue, 0 of green, 1 of neither)
  -> write under services.tenant: selectors: {blue: 'service="demo-shop-blue-80@kubernetesgateway"', green: 'service="demo-shop-green-80@kubernetesgateway"'}; or go past it: --override series --reason TEXT
blue misspelt: shut (availability: blue has none, though one is like those of green: requests: 0 of blue, 1 of green, 1 of neither)
  -> write under services.tenant: selectors: {blue: 'service="demo-shop-blue-80@kubernetesgateway"', green: 'service="demo-shop-green-80@kubernetesgateway"'}; or go past it: --override series --reason TEXT
green misspelt, and without series so far: open (requests: 1 of blue, 0 of green, 0 of neither; those of green are born with its first request)
both alike: shut (availability: 1 series are picked for both slots: requests: 2 of blue, 1 of green, 0 of neither)
  -> write under services.tenant: selectors: {blue: 'service="demo-shop-blue-80@kubernetesgateway"', green: 'service="demo-shop-green-80@kubernetesgateway"'}; or go past it: --override series --reason TEXT
"#);

    let world = World::new(spec());
    assert!(matches!(gate(&world, "series").await.answer, Answer::Later { .. }), "nothing was ever counted");
    world.counters.feed().down = true;
    assert_eq!(exit(&gate(&world, "series").await), Some(Exit::Unreachable));
}

#[tokio::test]
async fn series_that_are_not_there_are_no_silence_of_the_source() {
    let world = shop(picks("service", "shop"), picks("service", "shop2"), false).await;
    let outcome = world.run().await;
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome}");
    assert!(!outcome.to_string().contains(" 0s"), "{outcome}");
    insta::assert_snapshot!(outcome, @"refused: availability: the old slot had no requests, so there is no baseline; does blue take traffic, and are these its series? `interlock doctor` asks the source; services.tenant.selectors of the platform file pick them");
}

#[tokio::test]
async fn each_bake_is_told_from_its_own_beginning() {
    let world = World::new(Spec { shares: vec![10, 50, 100], ..spec() });
    assert_eq!(world.run_with(Arc::new(Silent)).await, Outcome::Kept { warning: None });
    let stored = load(&*world.store(), &run_id()).await.unwrap();
    let passed = stored.entries.iter().filter_map(|entry| match entry {
        Entry::Observed { step, verdict: Verdict::Pass { .. }, line, .. } => {
            let name = &stored.plan.steps[*step].name;
            name.starts_with("bake").then(|| format!("{name}: {}", line.split(';').next().unwrap_or_default()))
        }
        _ => None,
    });
    insta::assert_snapshot!(passed.collect::<Vec<_>>().join("\n"), @r#"
bake at 10 %: healthy after 20s
bake at 50 %: healthy after 20s
bake at 100 %: healthy after 20s
"#);
}

#[tokio::test]
async fn what_goes_back_is_named_by_its_latest_change() {
    for (at, shift) in [
        ("2 applied", "shift 10 % to green"),
        ("4 applied", "shift 50 % to green"),
        ("6 applied", "shift 100 % to green"),
    ] {
        let world = World::new(Spec { shares: vec![10, 50, 100], ..spec() });
        let platform = world.platform.clone();
        let exits = move || {
            (0..3).for_each(|_| platform.crash(Slot::Green, 1));
            platform.repair(Slot::Green);
        };
        let outcome = world.run_with(Arc::new(OnEntry::new(at, exits))).await;
        assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
        assert_eq!(world.platform.stand(), at_start());
        let stored = load(&*world.store(), &run_id()).await.unwrap();
        let undone = stored.entries.iter().filter_map(|entry| match entry {
            Entry::Undone { step } => Some(stored.plan.steps[*step].name.as_str()),
            _ => None,
        });
        assert_eq!(undone.collect::<Vec<_>>(), [shift]);
    }
}
