//! Traces drawn as diagrams: what is drawn, that it is read back without a finding, and that order does not matter.

mod drawings;
mod random;
mod spans;
mod texts;
