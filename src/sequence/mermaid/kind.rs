//! Which kind of diagram a text is, by mermaid's detectors.

use std::fmt;

use super::chars::{from, line_end, skip_space};

/// The kind of a diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `sequenceDiagram`.
    Sequence,
    /// `stateDiagram` and `stateDiagram-v2`.
    State,
    /// `flowchart` and `graph`.
    Flowchart,
    /// A kind that mermaid knows and interlock does not read.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sequence => "sequence",
            Self::State => "state",
            Self::Flowchart => "flowchart",
            Self::Other => "other",
        })
    }
}

/// First words of the kinds that are not read here.
const OTHERS: &[&str] = &[
    "C4Context",
    "C4Container",
    "C4Component",
    "C4Dynamic",
    "C4Deployment",
    "architecture",
    "block",
    "classDiagram",
    "cynefin-beta",
    "erDiagram",
    "eventmodeling",
    "gantt",
    "gitGraph",
    "info",
    "ishikawa",
    "journey",
    "kanban",
    "mindmap",
    "packet",
    "pie",
    "quadrantChart",
    "radar-beta",
    "railroad",
    "requirement",
    "sankey",
    "swimlane-beta",
    "timeline",
    "treeView-beta",
    "treemap",
    "venn-beta",
    "wardley-beta",
    "xychart",
    "zenuml",
    "flowchart-elk",
];

/// Words that make mermaid take any diagram for a C4 one, wherever they stand.
const C4: &[&str] = &["C4Container", "C4Component", "C4Dynamic", "C4Deployment"];

/// The kind by the first word, and where that word begins.
pub(super) fn detect(text: &str) -> (Option<Kind>, usize) {
    let mut at = skip_space(text, 0);
    while from(text, at).starts_with("%%") {
        at = skip_space(text, line_end(text, at));
    }
    let rest = from(text, at);
    let kind = if rest.starts_with("sequenceDiagram") {
        Some(Kind::Sequence)
    } else if rest.starts_with("stateDiagram") {
        Some(Kind::State)
    } else if OTHERS.iter().any(|word| rest.starts_with(word)) {
        Some(Kind::Other)
    } else if rest.starts_with("flowchart") || rest.starts_with("graph") {
        Some(Kind::Flowchart)
    } else {
        None
    };
    (kind, at)
}

/// The kind that a first word was meant for, where only its case is wrong.
pub(super) fn meant(text: &str, at: usize) -> Option<(Kind, &'static str)> {
    let rest = from(text, at);
    let is = |word: &str| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    let known = [
        ("sequenceDiagram", Kind::Sequence),
        ("stateDiagram-v2", Kind::State),
        ("stateDiagram", Kind::State),
        ("flowchart", Kind::Flowchart),
        ("graph", Kind::Flowchart),
    ];
    known.into_iter().find(|(word, _)| is(word)).map(|(word, kind)| (kind, word))
}

/// Where a word stands that makes mermaid take the text for a C4 diagram.
pub(super) fn taken_for_c4(text: &str) -> Option<(usize, &'static str)> {
    if !text.contains("C4") {
        return None;
    }
    C4.iter().filter_map(|word| text.find(word).map(|at| (at, *word))).min()
}
