//! Metrics that a script names.

use rhai::{Dynamic, FuncRegistration, Map, Module, NativeCallContext};

use super::{Given, placed, refused};
use crate::lab::script::{
    observed::{Change, Labels},
    redaction::REDACTED,
    turn, value,
};

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("add").set_into_module(&mut module, |context: NativeCallContext<'_>, name: &str| {
        placed(&context, change(name, Change::Add, &1_i64.into(), &Map::new()))
    });
    for (word, how) in [("add", Change::Add as fn(f64) -> Change), ("set", Change::Set), ("observe", Change::Observe)] {
        FuncRegistration::new(word).set_into_module(
            &mut module,
            move |context: NativeCallContext<'_>, name: &str, by: Dynamic| {
                placed(&context, change(name, how, &by, &Map::new()))
            },
        );
        FuncRegistration::new(word).set_into_module(
            &mut module,
            move |context: NativeCallContext<'_>, name: &str, by: Dynamic, labels: Map| {
                placed(&context, change(name, how, &by, &labels))
            },
        );
    }
    module
}

fn change(name: &str, how: fn(f64) -> Change, by: &Dynamic, labels: &Map) -> Given<()> {
    let turn = turn::current().map_err(refused)?;
    let metric = turn.program.declared.metrics.get(name).ok_or_else(|| {
        refused(format!("there is no metric `{name}` -> declare it: counter(\"{name}\", \"what it counts\")"))
    })?;
    let by = by.as_float().or_else(|_| by.as_int().map(|whole| whole as f64));
    let by = by.map_err(|kind| refused(format!("a metric has a number, not a value of the type {kind}")))?;
    let redacted = &turn.program.declared.redacted;
    let shown = |name: &str, value: &Dynamic| match redacted.hides(name) {
        true => Ok(REDACTED.to_owned()),
        false => value::text(value),
    };
    // A label without a value is the same as none.
    let labels = labels
        .iter()
        .filter(|(_, value)| !value.is_unit())
        .map(|(name, value)| Ok((name.to_string(), shown(name, value)?)));
    let labels = labels.collect::<Result<Labels, String>>().map_err(refused)?;
    turn.host.observed.change(name, metric, labels, how(by)).map_err(refused)
}
