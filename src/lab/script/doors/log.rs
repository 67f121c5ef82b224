//! Logs of a script: each line says whose request it belongs to, and shows no field that is declared as redacted.

use rhai::{FuncRegistration, Map, Module, NativeCallContext};

use super::{Given, placed, refused};
use crate::lab::script::{turn, value};

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

/// A line that a script prints.
pub fn print(text: &str) {
    if write(Level::Info, text, Map::new()).is_err() {
        tracing::info!("{text}");
    }
}

fn write(level: Level, text: &str, fields: Map) -> Given<()> {
    let turn = turn::current().map_err(refused)?;
    let mut fields = value::json(&fields.into()).map_err(refused)?;
    turn.program.declared.redacted.redact(&mut fields);
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
