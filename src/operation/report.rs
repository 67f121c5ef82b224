//! What an operation reports of a run, before it is drawn: tables and lines for people, JSON for machines.

/// A table, its cells as people read them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The columns' names.
    pub head: Vec<String>,
    /// The rows, each as wide as the head.
    pub rows: Vec<Vec<String>>,
    /// The first column that holds figures, and all behind it.
    pub figures_from: usize,
}

/// The report of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// For people, part by part.
    pub parts: Vec<Part>,
    /// For machines.
    pub json: serde_json::Value,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Lines.
    Text(String),
    /// A table.
    Table(Table),
}
