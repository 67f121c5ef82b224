//! What people and machines read of a run.

mod diagnostic;

pub use diagnostic::{plain_wanted, render};
