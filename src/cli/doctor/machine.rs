//! What this machine has: SLOs, receivers of notices, credentials, programs, this release.

use std::{collections::BTreeSet, path::PathBuf};

use nix::unistd::{AccessFlags, access};

use super::asked::failed;
use crate::{
    app::Snapshot,
    document::{Credential, Database, Loaded, Platform},
    model::Timestamp,
    report::{Finding, State},
};

/// Programs that help, and what for.
const PROGRAMS: [(&str, &str); 3] = [
    ("kubectl", "shows what interlock wrote in a cluster"),
    ("prometheus", "gives the lab a memory"),
    ("promtool", "checks the rules that `interlock slo rules` prints"),
];

/// What needs no platform file.
pub fn parts() -> Vec<Finding> {
    let mut found: Vec<_> = PROGRAMS.iter().map(|(program, what)| helper(program, what)).collect();
    found.push(Finding::fine("release", format!("interlock {}", env!("CARGO_PKG_VERSION"))));
    found
}

fn helper(program: &str, what: &str) -> Finding {
    match on_path(program) {
        Some(path) => Finding::fine(program, path.display().to_string()),
        None => Finding::not(
            program,
            State::Optional,
            "not on the PATH",
            format!("install it where you want it: it {what}"),
        ),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut all = std::env::split_paths(&path).map(|folder| folder.join(program));
    all.find(|file| file.is_file() && access(file, AccessFlags::X_OK).is_ok())
}

/// The SLO files; one that cannot be decided on is only wrong where a service goes by it.
pub fn slos(loaded: &Loaded) -> Vec<Finding> {
    if loaded.platform.slos.is_empty() {
        let hint = "add `slos: [slo.yaml]`; without one only the fuses decide";
        return vec![Finding::not("SLOs", State::Optional, "the platform file names none", hint)];
    }
    let used = |name: &str| loaded.platform.services.values().any(|service| service.slos.iter().any(|slo| slo == name));
    let (mut fine, mut found) = (Vec::new(), Vec::new());
    for (name, entry) in loaded.slos.entries() {
        match &entry.objectives {
            Ok(_) => fine.push(name),
            Err(fault) => {
                let state = if used(name) { State::Invalid } else { State::Optional };
                found.push(Finding::not(format!("SLO {name}"), state, fault, &fault.hint));
            }
        }
    }
    if !fine.is_empty() {
        found.insert(0, Finding::fine("SLOs", format!("{} in {}", fine.join(", "), loaded.platform.slos.join(", "))));
    }
    found
}

/// Who is told of a bad end; nobody is told of this.
pub fn receivers(snapshot: &Snapshot) -> Vec<Finding> {
    const PART: &str = "notices";
    vec![match snapshot.notify() {
        Err(e) => failed(PART, &e),
        Ok(all) if all.is_empty() => Finding::not(
            PART,
            State::Optional,
            "nobody is told of runs that are held, stuck or rolled back",
            "name a webhook or an Alertmanager under `notify` of the platform file",
        ),
        Ok(all) => {
            let names: Vec<_> = all.iter().map(|one| one.name()).collect();
            Finding::fine(PART, format!("{}; nothing was sent", names.join(", ")))
        }
    }]
}

/// Credentials and the databases' passwords by the names of their variables; their values are not looked at.
pub fn credentials(platform: &Platform) -> Vec<Finding> {
    let listed = &platform.credentials;
    let passwords: BTreeSet<&str> = platform.databases.values().flat_map(Database::passwords).collect();
    let beside = passwords.into_iter().filter(|name| listed.iter().all(|one| one.env != *name));
    let beside = beside.map(|name| Credential { env: name.to_owned(), expires_env: None });
    listed.iter().cloned().chain(beside).map(|one| credential(&one)).collect()
}

fn credential(document: &Credential) -> Finding {
    let name = &document.env;
    if std::env::var_os(name).is_none_or(|value| value.is_empty()) {
        return Finding::not(name, State::Missing, "not set", format!("export {name}"));
    }
    let expires = document.expires_env.as_ref().and_then(|name| std::env::var(name).ok());
    match expires.map(|text| text.parse::<Timestamp>().map_err(|_| text)) {
        Some(Ok(at)) if at <= Timestamp::now() => {
            Finding::not(name, State::Missing, format!("expired at {at}"), "renew it")
        }
        Some(Err(text)) => {
            let found = format!("its expiry is given as `{text}`, which is no time");
            Finding::not(name, State::Invalid, found, "write it like 2026-12-24T00:00:00Z")
        }
        Some(Ok(at)) => Finding::fine(name, format!("set, until {at}")),
        None => Finding::fine(name, "set"),
    }
}
