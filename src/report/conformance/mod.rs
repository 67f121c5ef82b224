//! What a check of traces found: the diagram's steps for people, JSON and JUnit for machines, and the diagram annotated.

mod annotated;
mod drawn;
mod json;
mod junit;
mod selftest;
mod states;
mod steps;

pub use annotated::annotated;
pub use drawn::Drawn;
pub use json::conformance_json;
pub use junit::junit;
pub use selftest::{selftest, selftest_json};
pub use states::{states, states_json};
pub use steps::conformance;
