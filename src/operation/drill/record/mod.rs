//! Writes to a replicated database at a fixed rate while it fails over, and writes down what became of each write.

mod book;
mod lane;
mod pacer;
mod poll;
mod progress;
mod read_back;
mod recorder;
mod route;
mod shared;
mod spec;
mod urgent;
mod worker;
mod writers;

pub use progress::Progress;
pub use read_back::read_back;
pub use recorder::Recorder;
pub use spec::WriterSpec;
pub use writers::{Recording, UrgentWriters, Writers};
