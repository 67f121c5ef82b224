//! Each gate of a switchover, shut by the one thing that it is there for, and open otherwise.

use std::{collections::BTreeSet, time::Duration};

use interlock::{
    error::Exit,
    guard::{Answer, Gate, Override, refusal},
    model::{Slot, Timestamp, Weights},
    operation::{
        Kind as _,
        preconditions::{Credential, Facts, Freeze, History, Holder, Past},
        switchover::GATES,
    },
    ports::PortError,
};

use crate::world::{World, spec};

const NOW: &str = "2026-11-21T09:30:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A world in which all gates are open, but that both slots still run the same release.
fn world() -> (World, Facts) {
    let world = World::new(spec());
    world.platform.deploy(Slot::Green, "2.0.0");
    (world, Facts { now: at(NOW), budget_floor: 0.1, ..Facts::default() })
}

/// The names of the gates that stand in the way, with what they say, and the exit code that they end in.
async fn shut(world: &World, facts: &Facts) -> (String, Option<Exit>) {
    let all = world.switch().gates(facts).await;
    let told = |gate: &Gate| match &gate.answer {
        Answer::Shut { why, .. } => Some(format!("{}: {why}", gate.name)),
        Answer::Unreachable { why, .. } => Some(format!("{} unreachable: {why}", gate.name)),
        _ => None,
    };
    let exit = refusal(&all, &[]).err().map(|e| e.exit());
    (all.iter().filter_map(told).collect::<Vec<_>>().join("\n"), exit)
}

#[tokio::test]
async fn all_gates_are_asked_and_open_where_nothing_is_in_the_way() {
    let (world, facts) = world();
    let all = world.switch().gates(&facts).await;
    assert_eq!(all.iter().map(|gate| gate.name.as_str()).collect::<Vec<_>>(), GATES);
    assert_eq!(shut(&world, &facts).await, (String::new(), None));
    // Without a past the promise is measured at run, and the plan says so.
    assert!(all.iter().any(|gate| gate.name == "slo" && matches!(gate.answer, Answer::Later { .. })));
}

#[tokio::test]
async fn a_freeze_counts_also_where_it_begins_before_the_end() {
    let freeze = |from: &str, to: &str| Freeze { from: at(from), to: at(to), reason: "holidays".to_owned() };
    let cases = [
        ("2026-11-21T09:00:00Z", "2026-11-21T10:00:00Z", true),
        ("2026-11-21T09:31:00Z", "2026-11-21T10:00:00Z", true),
        ("2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z", false),
        ("2026-11-21T08:00:00Z", "2026-11-21T09:30:00Z", false),
    ];
    for (from, to, shuts) in cases {
        let (world, mut facts) = world();
        facts.freezes = vec![freeze(from, to)];
        let (told, exit) = shut(&world, &facts).await;
        assert_eq!(
            (told.starts_with("freeze"), exit),
            (shuts, shuts.then_some(Exit::Refused)),
            "{from} to {to}: {told}"
        );
    }
}

#[tokio::test]
async fn credentials_have_to_be_there_and_to_outlive_the_operation() {
    let token = |present: bool, expires: Option<Result<&str, &str>>| Credential {
        name: "DEPLOY_TOKEN".to_owned(),
        present,
        expires: expires.map(|e| e.map(at).map_err(str::to_owned)),
    };
    let cases = [
        (token(true, None), ""),
        (token(true, Some(Ok("2026-12-21T00:00:00Z"))), ""),
        (token(false, None), "credentials: DEPLOY_TOKEN is not set"),
        (token(true, Some(Ok("2026-11-21T09:31:00Z"))), "credentials: DEPLOY_TOKEN expires at 2026-11-21T09:31:00Z"),
        (token(true, Some(Err("soon"))), "credentials: when DEPLOY_TOKEN expires is given as `soon`, which is no time"),
    ];
    for (credential, wanted) in cases {
        let (world, mut facts) = world();
        facts.credentials = vec![credential];
        let (told, _) = shut(&world, &facts).await;
        assert!(told.starts_with(wanted) && told.is_empty() == wanted.is_empty(), "{told}");
    }
}

#[tokio::test]
async fn the_past_shuts_where_blue_is_ill_or_the_budget_is_spent() {
    let past = |share: Option<f64>, left: Option<f64>| {
        let name = "availability".to_owned();
        History::Known(vec![Past {
            name,
            share,
            tolerated: 0.01,
            cap: 0.05,
            budget_left: left,
            remarks: BTreeSet::new(),
        }])
    };
    let down = History::Unreachable(PortError::unreachable("prometheus", "connection refused"));
    for (history, wanted, exit) in [
        (past(Some(0.0), Some(0.9)), "", None),
        (past(None, None), "", None),
        (past(Some(0.2), Some(0.9)), "slo: blue is not healthy", Some(Exit::Refused)),
        (past(Some(0.0), Some(0.05)), "budget: availability has 5.00 % of its error budget left", Some(Exit::Refused)),
        (past(Some(0.0), Some(-2.0)), "budget: availability has -200.00 %", Some(Exit::Refused)),
        (down, "slo unreachable: cannot reach prometheus", Some(Exit::Unreachable)),
    ] {
        let (world, mut facts) = world();
        facts.history = history;
        let (told, ended) = shut(&world, &facts).await;
        assert!(told.starts_with(wanted) && told.is_empty() == wanted.is_empty(), "{told}");
        assert_eq!(ended, exit, "{told}");
    }
}

#[tokio::test]
async fn the_platform_shuts_where_it_is_not_as_a_switch_needs_it() {
    type Change = fn(&World);
    let cases: [(Change, &str); 6] = [
        (|w| w.platform.meddle(Weights::all(Slot::Green)), "weights: green serves already"),
        (|w| w.platform.meddle(Weights::giving(Slot::Green, 30)), "weights: traffic is shared: blue 70 %, green 30 %"),
        (|w| w.platform.crash(Slot::Green, 0), "replicas: 1 of 2 replicas of green are ready"),
        (|w| w.platform.deploy(Slot::Blue, "2.0.0"), "version: both slots run 2.0.0"),
        (|w| w.platform.answer(Slot::Green, 500, Duration::ZERO), "smoke: /version on green answers with status 500"),
        (|w| w.platform.answer(Slot::Green, 404, Duration::ZERO), "smoke: /version on green answers with status 404"),
    ];
    for (change, wanted) in cases {
        let (world, facts) = world();
        change(&world);
        let (told, exit) = shut(&world, &facts).await;
        assert!(told.starts_with(wanted), "wanted {wanted}, got {told}");
        assert_eq!(exit, Some(Exit::Refused), "{told}");
    }
}

#[tokio::test]
async fn a_platform_that_does_not_answer_is_told_once() {
    let (world, facts) = world();
    world.platform.fail_next(1000, PortError::unreachable("the gateway", "connection refused"));
    let (told, exit) = shut(&world, &facts).await;
    assert_eq!(told, "weights unreachable: cannot reach the gateway: connection refused");
    assert_eq!(exit, Some(Exit::Unreachable));
}

/// The names of the gates that were not asked, after a platform has answered its first question so.
async fn not_asked(first: PortError) -> (Vec<String>, Vec<Gate>) {
    let (world, facts) = world();
    world.platform.fail_next(1, first);
    let all = world.switch().gates(&facts).await;
    assert_eq!(all.iter().map(|gate| gate.name.as_str()).collect::<Vec<_>>(), GATES);
    let not_asked = all.iter().filter(|gate| matches!(gate.answer, Answer::NotAsked { .. }));
    (not_asked.map(|gate| gate.name.clone()).collect(), all)
}

#[tokio::test]
async fn a_gate_that_cannot_be_asked_is_in_the_answer_and_is_passed_by_no_override() {
    let past = |names: &[&str]| -> Vec<_> {
        names.iter().map(|gate| Override { gate: (*gate).to_owned(), reason: "incident 42".to_owned() }).collect()
    };
    let forbidden = PortError::Forbidden { what: "get the Service".to_owned(), why: "no role".to_owned() };
    for (first, wanted) in [
        (
            PortError::unreachable("the gateway", "refused"),
            &["permissions", "managers", "replicas", "version", "smoke", "identity"][..],
        ),
        (
            PortError::unexpected("the gateway", "a third slot"),
            &["permissions", "managers", "replicas", "version", "smoke", "identity"],
        ),
        (forbidden, &["managers", "replicas", "version", "smoke", "identity"]),
    ] {
        let (names, all) = not_asked(first).await;
        assert_eq!(names, wanted);
        let refused = refusal(&all, &past(&["weights"])).unwrap_err();
        assert_eq!(refused.exit(), Exit::Refused, "{refused}");
        for name in wanted {
            let refused = refusal(&all, &past(&["weights", name])).unwrap_err();
            let told = format!("`{name}` was not asked, so it cannot be overridden");
            assert!(refused.exit() == Exit::Refused && refused.to_string().contains(&told), "{refused}");
        }
        assert_eq!(refusal(&all, &past(&["weight"])).unwrap_err().exit(), Exit::Invalid);
    }
}

#[tokio::test]
async fn whoever_holds_the_target_is_named() {
    let (world, mut facts) = world();
    let found = "run 20261121-090000-aaaa of anna@laptop (pid 7) holds it".to_owned();
    facts.holder = Some(Holder { found, hint: "wait".to_owned() });
    let (told, exit) = shut(&world, &facts).await;
    assert_eq!(told, "lock: run 20261121-090000-aaaa of anna@laptop (pid 7) holds it");
    assert_eq!(exit, Some(Exit::Refused));
}
