//! The text of a diagram.

use std::fmt::Write as _;

use super::{
    forest::forest,
    item::{Item, settled},
    names::{Names, escaped},
    units::exchanges,
};
use crate::model::trace::Span;

/// How many spans can be exported at once.
pub const MOST_SPANS: usize = 20_000;
/// How many fragments may stand in each other: as many as are read back.
const MOST_FRAGMENTS: usize = 128;

/// Why spans cannot be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There are too many.
    #[error("{spans} spans are too many for one diagram, which holds at most {MOST_SPANS}: export fewer traces")]
    TooMany {
        /// How many there are.
        spans: usize,
    },
    /// They are nested too deeply, or what they did at the same time is.
    #[error("spans are nested more than {most} levels deep, which no diagram can show")]
    TooDeep {
        /// How many levels there may be.
        most: usize,
    },
}

/// Draws spans as a Mermaid sequence diagram.
///
/// Spans are read as a check reads them, so that a check of the drawing against them passes. A span that serves a call is a
/// message from whose span is its parent, and its end is the reply; where that parent is not there, the call comes from an
/// actor `Client`. A call that nobody here served goes to whom its attributes name, work within a service is a message to
/// itself, and what is sent and received by way of a queue is an asynchronous message to it and one from it. Siblings that
/// overlap in time are a `par`, and so is what somebody does behind its reply or with a message, and what others go on with
/// meanwhile; equal steps that follow each other are a `loop N times`. Exchanges that no span causes are branches of one
/// `par`, for only clocks could order them.
///
/// The text does not depend on the order of the spans. Of spans with the same id one is drawn, and spans that are their own
/// ancestors are not.
///
/// # Errors
///
/// There are more than [`MOST_SPANS`], or they are nested too deeply.
pub fn export(spans: &[Span]) -> Result<String, Unfit> {
    if spans.len() > MOST_SPANS {
        return Err(Unfit::TooMany { spans: spans.len() });
    }
    let forest = forest(spans);
    let items = settled(exchanges(&forest)?);
    let mut names = Names::default();
    let mut body = String::new();
    write(&items, 1, &mut names, &mut body)?;
    let mut text = "sequenceDiagram\n".to_owned();
    for (outside, id, label) in &names.all {
        let word = if *outside { "actor" } else { "participant" };
        let label = escaped(label);
        if *id == label {
            _ = writeln!(text, "    {word} {id}");
        } else {
            _ = writeln!(text, "    {word} {id} as {label}");
        }
    }
    Ok(text + body.as_str())
}

fn write<'a>(items: &[Item<'a>], depth: usize, names: &mut Names<'a>, text: &mut String) -> Result<(), Unfit> {
    if depth > MOST_FRAGMENTS {
        return Err(Unfit::TooDeep { most: MOST_FRAGMENTS });
    }
    let pad = "    ".repeat(depth);
    for item in items {
        match item {
            Item::Message(message) => {
                let from = names.id(message.from).to_owned();
                let (arrow, said) = (message.arrow.drawn(), escaped(&message.text));
                _ = writeln!(text, "{pad}{from}{arrow}{}: {said}", names.id(message.to));
            }
            Item::Par(branches) => {
                for (at, branch) in branches.iter().enumerate() {
                    _ = writeln!(text, "{pad}{}", if at == 0 { "par" } else { "and" });
                    write(branch, depth + 1, names, text)?;
                }
                _ = writeln!(text, "{pad}end");
            }
            Item::Loop(times, body) => {
                _ = writeln!(text, "{pad}loop {times} times");
                write(body, depth + 1, names, text)?;
                _ = writeln!(text, "{pad}end");
            }
            Item::Beside(inner) => write(inner, depth, names, text)?,
        }
    }
    Ok(())
}
