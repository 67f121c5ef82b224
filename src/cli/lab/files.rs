//! The platform file and the SLOs that the lab brings along, for folders that have none.

use std::path::Path;

use crate::{error::Error, lab::state::broken};

const FILES: [(&str, &str); 2] = [
    ("interlock.yaml", include_str!("../../../scenarios/lab/interlock.yaml")),
    ("slo.yaml", include_str!("../../../scenarios/lab/slo.yaml")),
];

/// Writes the files into a folder, which is made where it is missing.
///
/// # Errors
/// Where the system refuses.
pub fn write(folder: &Path) -> Result<(), Error> {
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        FILES.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
    };
    write().map_err(|e| broken("the platform file of the lab", format!("{}: {e}", folder.display())))
}
