//! Configurations that running instances take over.

mod standing;

pub use standing::{Desired, Judged, Standing, Verified, short, verify};
