//! Sequence validation without processes: diagrams against mermaid's verdicts, repairs, findings, and bad input.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod align;
mod bad_input;
mod codes;
mod conform;
mod corpus;
mod export;
mod findings;
mod linear;
mod repairs;
mod sites;
mod trees;
mod verdicts;
