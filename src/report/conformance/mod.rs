//! What a check of traces found: the diagram's steps for people, JSON and JUnit for machines, and the diagram annotated.

mod annotated;
mod cases;
mod drawn;
mod json;
mod selftest;
mod states;
mod steps;

pub use annotated::annotated;
pub use cases::junit;
pub use drawn::Drawn;
pub use json::conformance_json;
pub use selftest::{selftest, selftest_json};
pub use states::{states, states_json};
pub use steps::conformance;
