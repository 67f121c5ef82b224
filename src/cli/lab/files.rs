//! The platform file and the SLOs that the lab brings along, for folders that have none.

use std::path::Path;

use crate::{
    error::Error,
    lab::{Folder, own},
};

const FILES: [(&str, &str); 2] = [
    ("interlock.yaml", include_str!("../../../scenarios/lab/interlock.yaml")),
    ("slo.yaml", include_str!("../../../scenarios/lab/slo.yaml")),
];

/// Writes the files into the lab's folder, where they are missing: people may have changed them.
///
/// # Errors
/// Where the folder is somebody else's, or the system refuses.
pub fn write(folder: &Path) -> Result<(), Error> {
    let folder = Folder::create(folder)?;
    let missing = FILES.iter().map(|(name, text)| (folder.path().join(name), text)).filter(|(path, _)| !path.exists());
    missing.into_iter().try_for_each(|(path, text)| own::write_beside(&path, text))
}

/// Writes the files into a folder of the demo, which needs them as they are; others of these names stay beside them.
///
/// # Errors
/// Where the system refuses.
pub fn write_anew(folder: &Path) -> Result<(), Error> {
    FILES.iter().try_for_each(|(name, text)| own::write_beside(&folder.join(name), text))
}
