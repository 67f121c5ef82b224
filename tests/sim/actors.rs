//! The processes of a schedule: an operator, guardians, and people with their commands. Each runs the code that is shipped.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use interlock::{
    error::Error,
    guard::{
        Context, Events, Gate, Guard, Operation, Outcome, Plan, Preconditions, Rebuild, Role, Silent, Start, abort,
        ask_again, begin, drive, give_up, keep_guard, least_epoch, load, recover, refusal, resolve, resume,
    },
    model::{Epoch, RunId},
    ports::{Clock, Notify},
};

use crate::{
    drill,
    keys::Keys,
    laws::{self, run_id},
    mutants::Mutant,
    node::Node,
    platform::Request,
    scenario::{Act, Subject},
    switch,
    world::Event,
};

/// How often a guardian looks.
const PACE: Duration = Duration::from_secs(3);

/// The gate of every run: somebody may shut it.
struct Gates(Node, std::sync::Mutex<Vec<Gate>>);

#[async_trait]
impl Preconditions for Gates {
    async fn ask(&self, ours: Option<&RunId>) -> Result<Vec<Gate>, Error> {
        if ours.is_some() && self.0.world.mutant == Mutant::StaleGates {
            return Ok(self.1.lock().unwrap().clone());
        }
        let gate = match self.0.ask("gate", "gate", Request::Get).await {
            Ok(seen) if seen.value == "open" => Gate::open("gate", "open"),
            Ok(_) => Gate::shut("gate", "somebody has shut it", "wait"),
            Err(e) => Gate::unasked("gate", &e, "wait"),
        };
        *self.1.lock().unwrap() = vec![gate.clone()];
        Ok(vec![gate])
    }
}

struct Rebuilds(Node);

#[async_trait]
impl Rebuild for Rebuilds {
    async fn operation(&self, _: &Plan) -> Result<Arc<dyn Operation>, Error> {
        Ok(operation(&self.0))
    }

    fn notify(&self, _: &Plan) -> Vec<Arc<dyn Notify>> {
        Vec::new()
    }
}

fn operation(node: &Node) -> Arc<dyn Operation> {
    match node.world.subject {
        Subject::Switchover => Arc::new(switch::switch(node)),
        Subject::Drill => Arc::new(drill::drill(node)),
        _ => Arc::new(Keys(node.clone())),
    }
}

fn context(node: &Node) -> Context {
    Context {
        store: node.store(),
        operation: operation(node),
        clock: Arc::new(node.clone()),
        events: Arc::new(Silent),
        notify: Vec::new(),
        stop: node.state().stop.subscribe(),
    }
}

/// A process from its beginning to its end.
pub async fn act(node: Node, act: Act) {
    let ended = match act {
        Act::Operator => operate(&node).await,
        Act::Guardian => guard(&node).await,
        Act::Contender => contend(&node).await,
        _ => command(&node, act).await,
    };
    let mut state = node.state();
    let name = state.processes[node.process].name.clone();
    state.note(&name, || match &ended {
        Ok(outcome) => format!("ends: {outcome}"),
        Err(e) => format!("ends with an error: {e}"),
    });
    match &ended {
        Ok(_) if act == Act::Contender => {}
        Ok(outcome) => laws::exits_as_the_journal(&mut state, node.process, outcome),
        Err(e) => {
            laws::nobody_has_tampered(&mut state, node.process, e);
            laws::has_a_successor(&node.world, &mut state, node.process, e);
        }
    }
    state.activity += 1;
    state.processes[node.process].alive = false;
}

async fn operate(node: &Node) -> Result<Outcome, Error> {
    let context = context(node);
    let (store, clock): (_, Arc<dyn Clock>) = (context.store.clone(), Arc::new(node.clone()));
    let plan = node.world.plan.clone();
    let gates = Gates(node.clone(), std::sync::Mutex::default());
    let before = gates.ask(None).await?;
    refusal(&before, &[])?;
    if node.world.scenario.confirm > 0 {
        node.sleep("confirm", node.world.scenario.confirm).await;
    }
    let keys = node.world.subject.objects().into_iter().map(|(key, _)| key);
    let least = match node.world.mutant {
        Mutant::BeginsBelow => Epoch(0),
        _ => least_epoch((&*store, &*context.operation), keys, &plan).await?,
    };
    let grant = begin(&*store, &run_id(), &plan, &Start { gates: &before, overrides: &[], least }).await?;
    {
        let mut state = node.state();
        state.platform.locked_at = Some(state.now);
    }
    ask_again((&*store, &*clock), &grant, &gates, (&before, &[]), &Silent).await?;
    node.state().after(100, Event::Begins(Act::Guardian));
    node.sleep("post", 200).await;
    drive(&context, &grant).await
}

/// Begins another run on the same target, and gives it up.
async fn contend(node: &Node) -> Result<Outcome, Error> {
    let store = node.store();
    let run = RunId::parse("20261121-093000-ffff").unwrap();
    for _ in 0..4 {
        let Ok(grant) = begin(&*store, &run, &node.world.plan, &Start::default()).await else {
            node.sleep("thinks", 4_000).await;
            continue;
        };
        laws::another_has_the_target(&mut node.state(), node.process);
        node.sleep("thinks", 1_000).await;
        // Given up already where it is another's by now.
        laws::leaves_the_target(&mut node.state());
        let outcome = Outcome::Refused { why: "it was only asked".to_owned() };
        give_up(&*store, &grant, outcome.clone()).await?;
        return Ok(outcome);
    }
    Ok(Outcome::Refused { why: "others had the target".to_owned() })
}

async fn guard(node: &Node) -> Result<Outcome, Error> {
    let guard = Guard {
        store: node.store(),
        clock: Arc::new(node.clone()),
        rebuild: Arc::new(Rebuilds(node.clone())),
        pace: PACE,
    };
    let events: Arc<dyn Events> = Arc::new(Silent);
    keep_guard(&guard, &events, &run_id()).await
}

async fn command(node: &Node, act: Act) -> Result<Outcome, Error> {
    let context = context(node);
    let stored = load(&*context.store, &run_id()).await?;
    // Whoever reads has to think before they decide.
    node.sleep("thinks", 40).await;
    match act {
        Act::Abort => abort(&context, &stored).await,
        Act::Resume(how) => resume(&context, &stored, how).await,
        Act::Resolve(how) => resolve(&*context.store, Some(&*context.operation), &stored, how, "by hand").await,
        _ => recover(&context, &stored, Role::Recover).await,
    }
}
