//! Configurations that running instances take over.

mod standing;

pub use standing::{Judged, Standing, Verified, short, verify};
