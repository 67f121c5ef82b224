//! A script that has been read: what it declares, and its handlers.

use std::{collections::BTreeSet, path::Path};

use rhai::{AST, Dynamic, Engine, EvalAltResult, FnPtr, FuncArgs, Position, Scope};

use super::{
    calls::{self, Uses},
    declarations::{self, Declaring},
    declared::Declared,
    dependencies::{self, Needed},
    doors,
    engine::engine,
    place::{self, Source},
};
use crate::{
    error::{Error, Fault},
    lab::state::fault,
};

/// The longest script, in bytes.
const LONGEST: u64 = 256 << 10;

/// A script that can run.
pub struct Program {
    pub source: Source,
    pub declared: Declared,
    /// What its handlers call and ask for.
    pub uses: Uses,
    engine: Engine,
    ast: AST,
}

impl Program {
    /// Reads the script in a file.
    ///
    /// # Errors
    /// Where the file cannot be read, or is no script; with the place.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = text(path)?;
        Self::of(Source { file: path.display().to_string(), text }).map_err(Error::from)
    }

    /// Takes in a script: declares what it declares, and runs no handler.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(source: Source) -> Result<Self, Fault> {
        let declaring = Declaring::new();
        let engine = engine(&declaring);
        let ast = engine.compile(&source.text).map_err(|e| source.unreadable(&e))?;
        engine.run_ast_with_scope(&mut Scope::new(), &ast).map_err(|e| source.failed(&e, Position::NONE))?;
        let mut declared = declaring.take();
        declared.finish().map_err(|misfit| declarations::misfit(&source, misfit))?;
        let mut uses = calls::uses(&ast);
        uses.sources = declared.sources();
        if let Some(at) = declared.postgres
            && !doors::own_migrations(&uses).is_empty()
        {
            let what = "a service that keeps its rows in PostgreSQL neither takes nor sends messages and webhooks, nor does it cache";
            return Err(source.fault(at, what, "let another service do that, or keep the rows in SQLite"));
        }
        let program = Self { source, declared, uses, engine, ast };
        program.check_parameters()?;
        Ok(program)
    }

    /// Whether one of its routes or methods requires a token.
    pub fn requires_tokens(&self) -> bool {
        let Declared { routes, rpcs, .. } = &self.declared;
        routes.iter().any(|route| route.requires.is_some()) || rpcs.values().any(|rpc| rpc.requires.is_some())
    }

    /// What it needs to do its work.
    #[must_use]
    pub fn needs(&self) -> BTreeSet<Needed> {
        dependencies::needed(self)
    }

    /// Calls a handler.
    ///
    /// # Errors
    /// What the script or a door has thrown, or the bound that it met.
    pub fn call(&self, handler: &FnPtr, args: impl FuncArgs) -> Result<Dynamic, Box<EvalAltResult>> {
        handler.call::<Dynamic>(&self.engine, &self.ast, args)
    }

    /// The fault of a handler that failed; without the fields that are not shown, should it have thrown some.
    pub fn failed(&self, error: &EvalAltResult, within: Position) -> Fault {
        let fault = self.source.failed(error, within);
        let thrown = match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(thrown, _) => self.declared.redacted.thrown(thrown),
            _ => None,
        };
        match thrown {
            Some(text) => {
                let (what, hint) = place::split(&text);
                Fault { what: what.to_owned(), hint: hint.to_owned(), ..fault }
            }
            None => fault,
        }
    }

    /// Handlers that take something else than they are given would fail with their first request.
    fn check_parameters(&self) -> Result<(), Fault> {
        let Declared { routes, rpcs, schedules, subscriptions, .. } = &self.declared;
        for route in routes {
            self.check(&route.handler, 1, route.at, "a handler takes the request: |request| { ... }")?;
        }
        for rpc in rpcs.values() {
            self.check(&rpc.handler, 1, rpc.at, "a handler takes the request: |request| { ... }")?;
        }
        for schedule in schedules {
            self.check(&schedule.handler, 0, schedule.at, "what a schedule does takes nothing: || { ... }")?;
        }
        for one in subscriptions {
            let (takes, hint) = match one.every {
                Some(_) => (0, "what a schedule does takes nothing: || { ... }"),
                None => (1, "a handler takes the message: |message| { ... }"),
            };
            self.check(&one.handler, takes, one.at, hint)?;
        }
        Ok(())
    }

    fn check(&self, handler: &FnPtr, wanted: usize, at: Position, hint: &str) -> Result<(), Fault> {
        let name = handler.fn_name();
        let takes = self.ast.iter_functions().find(|function| function.name == name).map(|found| found.params.len());
        match takes.map(|takes| takes.saturating_sub(handler.curry().len())) {
            Some(takes) if takes == wanted => Ok(()),
            Some(takes) => {
                Err(self.source.fault(at, format!("the handler takes {takes} values instead of {wanted}"), hint))
            }
            None => Err(self.source.fault(at, format!("there is no function `{name}` in this file"), hint)),
        }
    }
}

/// The text of a script's file.
///
/// # Errors
/// Where it cannot be read, or is too long.
pub fn text(path: &Path) -> Result<String, Error> {
    let size = path.metadata().map_err(|e| fault(path, &e))?.len();
    if size > LONGEST {
        let what = format!("{}: a script has {LONGEST} bytes at most", path.display());
        return Err(Error::usage(what, "make two services of it"));
    }
    std::fs::read_to_string(path).map_err(|e| fault(path, &e))
}
