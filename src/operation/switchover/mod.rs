//! Blue-green switchover: moves live traffic to the other slot, and keeps it there only if the SLOs hold.

mod evidence;
mod figures;
mod fuses;
mod gates;
mod identity;
mod keys;
mod measure;
mod observe;
mod plan;
mod probes;
mod reach;
mod report;
mod share;
mod spec;
mod standing;
mod switch;

pub use evidence::Evidence;
pub use gates::GATES;
pub use identity::{Apart, tell_apart};
pub use plan::{Watch, check};
pub use share::{Share, Standing};
pub use spec::{Fuses, Smoke, Spec};
pub use switch::{Ports, Switch};
