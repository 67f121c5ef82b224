//! Logs of a script: each line says whose request it belongs to, and shows no field that is declared as redacted.

use std::collections::BTreeSet;

use rhai::{FuncRegistration, Map, Module, NativeCallContext};
use serde_json::Value;

use super::{Given, placed, refused};
use crate::lab::script::{turn, value};

const REDACTED: &str = "[redacted]";

#[derive(Clone, Copy)]
enum Level {
    Info,
    Warn,
    Error,
}

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    for (name, level) in [("info", Level::Info), ("warn", Level::Warn), ("error", Level::Error)] {
        FuncRegistration::new(name).set_into_module(&mut module, move |context: NativeCallContext<'_>, text: &str| {
            placed(&context, write(level, text, Map::new()))
        });
        FuncRegistration::new(name)
            .set_into_module(&mut module, move |context: NativeCallContext<'_>, text: &str, fields: Map| {
                placed(&context, write(level, text, fields))
            });
    }
    module
}

fn write(level: Level, text: &str, fields: Map) -> Given<()> {
    let turn = turn::current().map_err(refused)?;
    let mut fields = value::json(&fields.into()).map_err(refused)?;
    redact(&mut fields, &turn.program.declared.redacted);
    let service = &*turn.host.service;
    let trace_id = turn.work().trace_id();
    let asker = &turn.asker;
    let (correlation_id, actor, role, site) = (&*asker.correlation_id, &asker.actor, &asker.role, &asker.site);
    // The macro wants a level that is fixed where it stands.
    macro_rules! tell {
        ($level:ident) => {
            tracing::$level!(service, trace_id, correlation_id, actor, role, site, fields = %fields, "{text}")
        };
    }
    match level {
        Level::Info => tell!(info),
        Level::Warn => tell!(warn),
        Level::Error => tell!(error),
    }
    Ok(())
}

/// Puts something else in the place of declared fields, however deep.
fn redact(value: &mut Value, names: &BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                match names.contains(&name.to_lowercase()) {
                    true => *inner = Value::from(REDACTED),
                    false => redact(inner, names),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| redact(one, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn declared_fields_are_redacted_however_deep() {
        let mut value = json!({ "order": 7, "payment": [{ "Card": { "number": "4111" } }], "card": null });
        redact(&mut value, &BTreeSet::from(["card".to_owned()]));
        assert_eq!(value, json!({ "order": 7, "payment": [{ "Card": REDACTED }], "card": REDACTED }));
    }
}
