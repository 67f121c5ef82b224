//! The laws of every fault of the list: what a drill plans for it, and what its gate says.

use futures::future::join_all;
use interlock::{
    guard::{Action, Answer, Plan, Step, Strength},
    model::HumanDuration,
    operation::{
        self, Kind as _,
        drill::{Drill, Method, Spec},
        faults::{Ends, FAULTS, Fault},
        preconditions::Facts,
    },
    ports::{Act, HostState},
};
use serde_json::{Value, json};

use crate::{
    fake::Fake,
    gates::{Standing, bound, spec},
};

/// A drill of the primary's host, in a cluster that promotes a standby by itself, or not.
fn of(fault: &Fault, managed: bool) -> Spec {
    let length = if fault.ends == Ends::AfterTime { HumanDuration::secs(3) } else { HumanDuration::default() };
    let (method, victim) = (Method::Fault(fault.method), fault.victim);
    Spec { method, victim, managed, length, candidate: None, ..spec() }
}

fn plan(spec: &Spec) -> Plan {
    operation::plan::<Drill>(spec, Value::Null, Strength::None, HumanDuration::secs(10)).unwrap()
}

#[test]
fn a_fault_is_injected_and_healed_and_writes_are_awaited_as_it_ends() {
    for fault in FAULTS {
        let plan = plan(&of(fault, true));
        let change = |step: &Step| match &step.action {
            Action::Change { key, to, .. } if key == "host/a" => Some((step.name.clone(), to.clone())),
            _ => None,
        };
        let changes: Vec<_> = plan.steps.iter().filter_map(change).collect();
        let state = json!(fault.state().to_string());
        let wanted = [(format!("{} a", fault.verb), state), ("bring a back".to_owned(), json!("running"))];
        assert_eq!(changes, wanted, "{fault:?}");
        let at = |name: &str| plan.steps.iter().position(|step| step.name == name);
        assert_eq!(at("wait for writes") > at("bring a back"), fault.ends == Ends::AfterTime, "{fault:?}");
        assert_eq!(at("let the fault last").is_some(), fault.ends == Ends::AfterTime, "{fault:?}");
    }
}

#[test]
fn a_journal_names_a_fault_by_method_and_victim() {
    for fault in FAULTS {
        let spec = of(fault, true);
        let written = json!(spec);
        assert_eq!((&written["method"], &written["victim"]), (&json!(fault.method), &json!(fault.victim)));
        assert_eq!(serde_json::from_value::<Spec>(written).unwrap(), spec);
        assert_eq!(spec.fault(), Some(*fault));
    }
    let nobody = Spec { method: Method::Fault("unplug"), ..spec() };
    assert!(operation::plan::<Drill>(&nobody, Value::Null, Strength::None, HumanDuration::secs(10)).is_err());
}

async fn gate(spec: Spec, hosts: Standing) -> Answer {
    let gates = bound(spec, &Fake::new(2), hosts).gates(&Facts::default()).await;
    gates.into_iter().find(|gate| gate.name == "hosts").unwrap().answer
}

#[tokio::test]
async fn a_fault_begins_on_a_host_that_runs_and_knows_it() {
    let running = || Standing { state: HostState::Running, cannot: None };
    join_all(FAULTS.iter().map(|fault| async move {
        let found = format!("a runs, and can be {}", fault.said);
        assert_eq!(gate(of(fault, true), running()).await, Answer::Open { found });

        let harmed = Standing { state: fault.state(), cannot: None };
        let told = gate(of(fault, true), harmed).await.to_string();
        assert_eq!(told, format!("shut (a is {})", fault.said));

        // Where nobody promotes a standby, a primary without power would stay away for good.
        let unmanaged = gate(of(fault, false), running()).await;
        assert_eq!(matches!(unmanaged, Answer::Shut { .. }), fault.state().has(Act::PowerOff), "{fault:?}");
    }))
    .await;
}

/// A command that is missing is told before anything is touched, whatever step or way back it is for.
#[tokio::test]
async fn every_order_that_a_drill_may_ever_give_is_asked_for_by_its_gate() {
    let given = [Method::Switchover, Method::Promote].map(|method| Spec { method, ..spec() });
    let faults = FAULTS.iter().flat_map(|fault| [of(fault, true), of(fault, false)]);
    let frozen = Spec { frozen: HumanDuration::secs(1), ..spec() };
    let elsewhere = Spec { on: "etcd".to_owned(), ..of(FAULTS[0], false) };
    let mut tried = Vec::new();
    for spec in faults.chain(given).chain([frozen, elsewhere]) {
        let all = bound(spec.clone(), &Fake::new(2), Standing { state: HostState::Running, cannot: None }).orders();
        tried.extend(all.into_iter().map(|(host, order)| (spec.clone(), host, order)));
    }
    let told = join_all(tried.iter().map(|(spec, host, order)| async move {
        let missing = Standing { state: HostState::Running, cannot: Some((host.clone(), *order)) };
        gate(spec.clone(), missing).await.to_string()
    }));
    for ((spec, host, order), told) in tried.iter().zip(told.await) {
        let wanted = format!("shut (a step or its way back may need what is not there: `{order}` for {host})");
        assert_eq!(told, wanted, "{spec:?}");
    }
    assert!(tried.len() > 80, "{}", tried.len());
}
