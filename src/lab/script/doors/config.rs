//! The settings of a service, as they are when the handler begins.

use rhai::{Dynamic, FuncRegistration, Module, NativeCallContext};

use super::{Given, placed, refused};
use crate::lab::script::{turn, value};

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("get")
        .set_into_module(&mut module, |context: NativeCallContext<'_>, name: &str| placed(&context, get(name)));
    module
}

fn get(name: &str) -> Given<Dynamic> {
    let turn = turn::current().map_err(refused)?;
    let setting = turn.program.declared.settings.get(name).ok_or_else(|| {
        refused(format!("there is no setting `{name}` -> declare it with its default: setting(\"{name}\", false)"))
    })?;
    Ok(value::dynamic(turn.config.value(&turn.host.service, name, setting)))
}
