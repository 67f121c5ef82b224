//! Diagrams as frames: for each call, what the called one does until it replies.

mod frames;
mod lower;
mod messages;
mod plan;
mod state;
mod walk;

pub(super) use plan::{Condition, Frame, FrameId, Meaning, Part, Plan, StepInfo, StepKind, Taken};
pub(super) use walk::compile;
