//! The platform file and the SLOs that the lab brings along, for folders that have none.

use std::{fs, path::Path};

use crate::{
    error::Error,
    lab::{Folder, SERVICE, own, state::fault},
};

const FILES: [(&str, &str); 2] = [
    ("interlock.yaml", include_str!("../../../scenarios/lab/interlock.yaml")),
    ("slo.yaml", include_str!("../../../scenarios/lab/slo.yaml")),
];

/// A platform of services that are scripts, for the demo.
const MODEL: [(&str, &str); 4] = [
    ("model.yaml", include_str!("../../../scenarios/model/model.yaml")),
    ("model-slo.yaml", include_str!("../../../scenarios/model/model-slo.yaml")),
    ("services/orders.rhai", include_str!("../../../scenarios/model/services/orders.rhai")),
    ("services/prices.rhai", include_str!("../../../scenarios/model/services/prices.rhai")),
];

/// The folder of the model's services.
pub const SERVICES: &str = "services";

/// Writes the files into the lab's folder, for the service behind its gateway, unless people have changed those that are there.
///
/// # Errors
/// Where the folder is somebody else's, or the system refuses.
pub fn write(folder: &Path, service: &str) -> Result<(), Error> {
    let folder = Folder::create(folder)?;
    for (name, text) in FILES {
        let path = folder.path().join(name);
        if !path.exists() || fs::read_to_string(&path).is_ok_and(|there| there == text) {
            own::write_beside(&path, &of(service, text))?;
        }
    }
    Ok(())
}

/// The text of a file for another service than the lab's own, which has a route of its own to smoke.
fn of(service: &str, text: &str) -> String {
    if service == SERVICE {
        return text.to_owned();
    }
    let lines = text.lines().filter(|line| !line.contains("/tenants/")).map(|line| format!("{line}\n"));
    lines.collect::<String>().replace("Tenant requests", &format!("Requests to {service}")).replace(SERVICE, service)
}

/// Writes the files into a folder of the demo, which needs them as they are; others of these names stay beside them.
///
/// # Errors
/// Where the system refuses.
pub fn write_anew(folder: &Path) -> Result<(), Error> {
    let services = folder.join(SERVICES);
    fs::create_dir_all(&services).map_err(|e| fault(&services, &e))?;
    FILES.iter().chain(&MODEL).try_for_each(|(name, text)| own::write_beside(&folder.join(name), text))
}
