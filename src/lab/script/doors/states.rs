//! State machines: what goes from one state to another only where that is declared, and its guard holds.

use http::StatusCode;
use rhai::{Dynamic, FuncRegistration, ImmutableString as Text, Map, Module, NativeCallContext};

use super::{Given, placed, refused};
use crate::lab::script::{declared::Machine, reply::Reply, turn};

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("advance").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, name: &str, record: Map, to: &str| {
            placed(&context, advance(&context, name, record, to))
        },
    );
    module
}

/// The state that something goes to, if it may: `states::advance("order", order, "paid")` of a map with a `state`.
fn advance(context: &NativeCallContext<'_>, name: &str, record: Map, to: &str) -> Given<Text> {
    let turn = turn::current().map_err(refused)?;
    let machine = turn.program.declared.machines.get(name).ok_or_else(|| {
        refused(format!("there are no states of `{name}` -> declare them: states(\"{name}\", [\"draft -> paid\"])"))
    })?;
    let from = record.get("state").and_then(|state| state.clone().try_cast::<Text>());
    let from = from.ok_or_else(|| refused("what advances is a map with a `state`"))?;
    let step = (from.to_string(), to.to_owned());
    if !machine.transitions.contains(&step) {
        return Err(Reply::problem(StatusCode::CONFLICT, forbidden(name, machine, &from, to)).into());
    }
    let holds = match machine.guards.get(&step) {
        Some(guard) => guard.call_within_context::<Dynamic>(context, (record,))?.as_bool(),
        None => Ok(true),
    };
    match holds {
        Ok(true) => Ok(to.into()),
        Ok(false) => {
            let why = format!("{name} does not go from {from} to {to} yet: its guard does not hold");
            Err(Reply::problem(StatusCode::CONFLICT, why).into())
        }
        Err(kind) => Err(refused(format!("a guard says true or false, not a value of the type {kind}"))),
    }
}

fn forbidden(name: &str, machine: &Machine, from: &str, to: &str) -> String {
    let ways: Vec<_> =
        machine.transitions.iter().filter(|(start, _)| start == from).map(|(_, end)| end.as_str()).collect();
    let ways = if ways.is_empty() {
        "it stays there".to_owned()
    } else {
        format!("from there it goes to {}", ways.join(", "))
    };
    format!("{name} does not go from {from} to {to}; {ways}")
}
