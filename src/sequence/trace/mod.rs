//! Traces as structures: which span caused which, and what is wrong with them. Knows nothing of diagrams.

mod forest;

pub use forest::{Fault, Forest, Node};
