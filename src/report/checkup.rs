//! What `doctor` found: part by part, and how to fix what is not fine.

use comfy_table::{Cell, Color};
use serde::Serialize;

use super::{Style, table::coloured};

/// How one part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Fine,
    /// Something can be done without it, so that it is only worth knowing.
    Optional,
    /// It goes on by itself or when a person decides.
    Waiting,
    Missing,
    /// It is needed, and we may not.
    Forbidden,
    /// It is needed, and does not answer.
    Unreachable,
    /// What was written down makes no sense.
    Invalid,
}

impl State {
    const fn told(self) -> (&'static str, Color) {
        match self {
            Self::Fine => ("fine", Color::Green),
            Self::Optional => ("optional", Color::Yellow),
            Self::Waiting => ("waiting", Color::Yellow),
            Self::Missing => ("missing", Color::Red),
            Self::Forbidden => ("forbidden", Color::Red),
            Self::Unreachable => ("unreachable", Color::Red),
            Self::Invalid => ("invalid", Color::Red),
        }
    }
}

/// One part and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The part, such as `run store`.
    pub part: String,
    pub state: State,
    pub found: String,
    /// What to do about it, where it is not fine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "mend")]
    pub hint: Option<String>,
}

impl Finding {
    pub fn fine(part: impl Into<String>, found: impl Into<String>) -> Self {
        Self { part: part.into(), state: State::Fine, found: found.into(), hint: None }
    }

    pub fn not(
        part: impl Into<String>,
        state: State,
        found: impl std::fmt::Display,
        hint: impl std::fmt::Display,
    ) -> Self {
        Self { part: part.into(), state, found: found.to_string(), hint: Some(hint.to_string()) }
    }
}

/// What was found, as a table; the fix stands below what is not fine.
#[must_use]
pub fn checkup(all: &[Finding], style: Style) -> String {
    let mut table = style.table(&["part", "state", "found"]);
    for one in all {
        let (word, colour) = one.state.told();
        let hint = one.hint.as_ref().map(|hint| format!("\n-> {hint}")).unwrap_or_default();
        table.add_row([Cell::new(&one.part), coloured(word, colour, style), Cell::new(format!("{}{hint}", one.found))]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mends_stand_below_what_is_not_fine() {
        let all = [
            Finding::fine("release", "interlock 0.1.0"),
            Finding::not("programs", State::Optional, "no promtool", "install the package `prometheus`"),
        ];
        insta::assert_snapshot!(checkup(&all, Style { colour: false }), @r"
        ╭──────────┬──────────┬─────────────────────────────────────╮
        │ part     ┆ state    ┆ found                               │
        ╞══════════╪══════════╪═════════════════════════════════════╡
        │ release  ┆ fine     ┆ interlock 0.1.0                     │
        │ programs ┆ optional ┆ no promtool                         │
        │          ┆          ┆ -> install the package `prometheus` │
        ╰──────────┴──────────┴─────────────────────────────────────╯
        ");
        let json = serde_json::to_string(&all[0]).unwrap();
        assert_eq!(json, r#"{"part":"release","state":"fine","found":"interlock 0.1.0"}"#);
    }
}
