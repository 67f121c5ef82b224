//! One file per command: arguments in, plan or query out.

pub mod schema;
pub mod slo;
