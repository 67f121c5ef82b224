//! Traces drawn as diagrams: what is drawn, that it is read back without a finding, and that order does not matter.

mod drawings;
mod grower;
mod law;
mod random;
mod shapes;
mod spans;
mod texts;
