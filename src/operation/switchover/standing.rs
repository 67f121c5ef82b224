//! Two gates about interlock's own standing on the platform: what it may do there, and who else does the same.

use super::Switch;
use crate::{
    guard::Gate,
    operation::Kind as _,
    ports::{Footprint, Manager, Missing},
};

/// Whether we may do all that is needed.
pub(super) async fn permissions(switch: &Switch) -> Gate {
    let preflight = &switch.ports.preflight;
    let footprint = footprint(switch);
    match preflight.missing(&footprint).await {
        Ok(missing) => granted(&missing, &preflight.grant(&footprint)),
        Err(e) => Gate::failed("permissions", &e, preflight.grant(&footprint)),
    }
}

/// Whether nobody else manages what is changed.
pub(super) async fn managers(switch: &Switch) -> Gate {
    let preflight = &switch.ports.preflight;
    match preflight.managers(&footprint(switch)).await {
        Ok(managers) => alone(&managers),
        Err(e) => Gate::failed("managers", &e, preflight.look()),
    }
}

/// What a switchover writes: the weights, and the scale of the old slot where it is scaled down in the end.
fn footprint(switch: &Switch) -> Footprint {
    let spec = &switch.spec;
    let scales = if spec.scale_down_old { vec![spec.from()] } else { Vec::new() };
    Footprint { operation: Switch::NAME, weights: true, scales }
}

fn granted(missing: &[Missing], grant: &str) -> Gate {
    if missing.is_empty() {
        return Gate::open("permissions", "all that is needed, and to put it back");
    }
    let all: Vec<_> = missing.iter().map(|missing| format!("{} ({})", missing.what, missing.why)).collect();
    Gate::shut("permissions", format!("not allowed: {}", all.join("; ")), grant)
}

fn alone(managers: &[Manager]) -> Gate {
    if managers.is_empty() {
        return Gate::open("managers", "nobody else manages what is changed");
    }
    let join = |tell: fn(&Manager) -> &str| managers.iter().map(tell).collect::<Vec<_>>().join("; ");
    Gate::shut("managers", join(|manager| &manager.what), join(|manager| &manager.hint))
}
