//! What is wrong with a script, as a fault with its place in the file and a hint.

use rhai::{EvalAltResult, LexError, ParseErrorType, Position};

use super::doors;
use crate::error::{Fault, Place};

/// What stands between what is wrong and how to fix it, in the messages of doors and declarations.
const HINT: &str = " -> ";

/// A script as it was read.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file as it was named.
    pub file: String,
    pub text: String,
}

impl Source {
    /// A fault at a position.
    #[must_use]
    pub fn fault(&self, at: Position, what: impl Into<String>, hint: impl Into<String>) -> Fault {
        let (line, column) = (at.line().unwrap_or(1), at.position().unwrap_or(1).max(1));
        let place = Place { file: self.file.clone(), line: line as u64, column: column as u64 };
        Fault { place, what: what.into(), hint: hint.into(), text: self.text.clone() }
    }

    /// The fault of a script that cannot be read.
    #[must_use]
    pub fn unreadable(&self, error: &rhai::ParseError) -> Fault {
        // Where something is missing at the end, that is the place.
        let end = Position::new(u16::try_from(self.text.lines().count().max(1)).unwrap_or(u16::MAX), 1);
        let at = if error.1.is_none() { end } else { error.1 };
        self.fault(at, lowered(&error.0.to_string()), parse_hint(&error.0))
    }

    /// The fault of a script that failed while it ran. The engine forgets where a bound was met: that is told of `within`, the
    /// handler.
    #[must_use]
    pub fn failed(&self, error: &EvalAltResult, within: Position) -> Fault {
        let inner = error.unwrap_inner();
        let (what, hint) = words(inner);
        let at = inner.position();
        self.fault(if at.is_none() { within } else { at }, what, hint)
    }
}

/// Both parts of a message of a door or a declaration.
#[must_use]
pub fn split(message: &str) -> (&str, &str) {
    message.split_once(HINT).unwrap_or((message, "docs/lab.md tells what a script may use"))
}

fn words(error: &EvalAltResult) -> (String, String) {
    let (what, hint) = match error {
        EvalAltResult::ErrorRuntime(value, _) => {
            let message = value.to_string();
            let (what, hint) = split(&message);
            return (what.to_owned(), hint.to_owned());
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            return (format!("there is no function {signature}"), doors::nearest_hint(signature));
        }
        EvalAltResult::ErrorModuleNotFound(name, _) => {
            return (format!("there is no door `{name}`"), doors::HINT.to_owned());
        }
        EvalAltResult::ErrorTooManyOperations(_) => {
            ("too many operations for one call".to_owned(), "is there a loop that does not end?")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            ("functions call each other too deep".to_owned(), "is there a recursion that does not end?")
        }
        EvalAltResult::ErrorTooManyVariables(_) => {
            ("too many variables".to_owned(), "keep many values in one array or map")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            (format!("{} is too large", what.to_lowercase()), "keep large data in the database, and read a part of it")
        }
        EvalAltResult::ErrorTerminated(..) => (
            "the handler did not finish within its deadline".to_owned(),
            "`deadline(\"10s\")` at the top of the file gives handlers longer",
        ),
        other => (bare(other), "fix it here; docs/lab.md tells what a script may use"),
    };
    (what, hint.to_owned())
}

/// The message of an error without the place at its end.
fn bare(error: &EvalAltResult) -> String {
    let mut message = error.to_string();
    if let Some(end) = message.rfind(" (line ") {
        message.truncate(end);
    }
    lowered(&message)
}

fn lowered(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn parse_hint(error: &ParseErrorType) -> &'static str {
    match error {
        ParseErrorType::MissingToken(..) | ParseErrorType::UnexpectedEOF => {
            "something is missing here, or a bracket above is not closed"
        }
        ParseErrorType::VariableUndefined(_) => {
            "declare it with `let` or `const`; a function sees its parameters only, so hand it in"
        }
        ParseErrorType::ModuleUndefined(_) => doors::HINT,
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            "a text ends in its line; one of several lines stands between backticks"
        }
        ParseErrorType::Reserved(_) | ParseErrorType::BadInput(_) => {
            "write it another way; the word or sign is reserved"
        }
        ParseErrorType::AssignmentToConstant(_) => "declare it with `let` where it is to change",
        _ => "https://rhai.rs/book has the language",
    }
}
