//! The engine that reads and runs one script: what it knows, and the bounds that it keeps.

use rhai::{Dynamic, Engine, module_resolvers::DummyModuleResolver};

use super::{
    declarations::{self, Declaring},
    doors, turn,
};

/// Operations of one call; an endless loop meets this or the deadline.
const OPERATIONS: u64 = 5_000_000;
/// How deep functions may call each other.
const CALLS: usize = 48;
/// How deep an expression may be nested: at the top of a file, and in a function.
const EXPRESSIONS: (usize, usize) = (48, 32);
/// The longest text in bytes.
const TEXT: usize = 256 << 10;
/// The most elements of an array or a map, with all that is in them.
const ELEMENTS: usize = 4096;
/// Variables at a time.
const VARIABLES: usize = 256;
const FUNCTIONS: usize = 256;
/// So many operations lie between two looks at the clock.
const BETWEEN: u64 = 64;

/// An engine for a script that declares into `declaring`.
#[must_use]
pub fn engine(declaring: &Declaring) -> Engine {
    let mut engine = Engine::new();
    bound(&mut engine);
    close(&mut engine);
    declarations::register(&mut engine, declaring);
    doors::register(&mut engine);
    engine
}

fn bound(engine: &mut Engine) {
    engine
        .set_max_operations(OPERATIONS)
        .set_max_call_levels(CALLS)
        .set_max_expr_depths(EXPRESSIONS.0, EXPRESSIONS.1)
        .set_max_string_size(TEXT)
        .set_max_array_size(ELEMENTS)
        .set_max_map_size(ELEMENTS)
        .set_max_variables(VARIABLES)
        .set_max_functions(FUNCTIONS)
        .set_max_modules(0)
        .set_strict_variables(true);
    engine.on_progress(|operations| (operations % BETWEEN == 0 && turn::is_over()).then_some(Dynamic::UNIT));
}

/// Takes away what would lead out of the script: other files, texts that become programs, and the standard output.
fn close(engine: &mut Engine) {
    engine.set_module_resolver(DummyModuleResolver::new());
    engine.disable_symbol("eval").disable_symbol("import").disable_symbol("export");
    engine.on_print(doors::print);
    engine.on_debug(|text, _, at| doors::print(&format!("{at}: {text}")));
}
