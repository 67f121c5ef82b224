//! OTLP in JSON: lowerCamelCase names, ids in hexadecimal digits, 64-bit numbers as texts or numbers.

mod read;
mod scalars;
mod shapes;
mod write;

pub(super) use read::{one, several};
pub use write::write;
