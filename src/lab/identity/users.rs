//! Who can log in: the users of a platform, in a document beside its scripts.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::Deserialize;

use crate::{
    document,
    error::{Error, Fault},
    lab::state::fault,
};

/// Its name, in the folder of the scripts.
pub const FILE: &str = "users.yaml";

/// Somebody who can log in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub role: String,
    /// The site that the user belongs to.
    #[serde(default)]
    pub site: Option<String>,
    /// What clients may be granted.
    #[serde(default)]
    pub scopes: Vec<String>,
}

type Users = BTreeMap<String, User>;

/// A user by name, as the document stands now.
///
/// # Errors
/// Where the document cannot be read.
pub fn find(file: &Path, name: &str) -> Result<Option<User>, Error> {
    Ok(read(file)??.remove(name))
}

/// What is wrong with the users in a folder, if something is.
///
/// # Errors
/// Where the document cannot be read.
pub fn check(folder: &Path) -> Result<Option<Fault>, Error> {
    Ok(read(&folder.join(FILE))?.err())
}

fn read(file: &Path) -> Result<Result<Users, Fault>, Error> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Ok(Users::new())),
        Err(e) => return Err(fault(file, &e)),
    };
    let name = file.display().to_string();
    let hint = "a user is such as `ada: {role: buyer, site: site-1, scopes: [orders:write]}`";
    let read = document::parse(&name, &text);
    Ok(read.map_err(|fault| match fault.hint.contains("interlock schema") {
        true => Fault { hint: hint.to_owned(), ..fault },
        false => fault,
    }))
}
