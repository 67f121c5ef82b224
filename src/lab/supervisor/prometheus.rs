//! The configuration of the lab's own Prometheus, where its binary is found.

use std::{
    env, fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    error::Error,
    lab::{
        known::Backend,
        script::Instance,
        state::{self, fault},
    },
};

/// Finds the binary on `PATH`.
pub fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join("prometheus"))
        .find(|file| file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0))
}

/// Writes the configuration: the gateway, and whatever replicas `replicas.json` and `services.json` list.
///
/// # Errors
/// Where the folder cannot be written.
pub fn configure(folder: &Path, gateway_admin: SocketAddr) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|e| fault(folder, &e))?;
    let text = format!(
        "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n\
         - job_name: gateway\n  honor_labels: true\n  static_configs:\n  - targets: ['{gateway_admin}']\n\
         - job_name: replicas\n  honor_labels: true\n  file_sd_configs:\n  - files: [replicas.json]\n    refresh_interval: 1s\n\
         - job_name: services\n  honor_labels: true\n  file_sd_configs:\n  - files: [services.json]\n    refresh_interval: 1s\n"
    );
    let path = folder.join("prometheus.yml");
    fs::write(&path, text).map_err(|e| fault(&path, &e))
}

/// Writes which replicas are to be scraped.
///
/// # Errors
/// Where the folder cannot be written.
pub fn set_targets(folder: &Path, service: &str, backends: &[Backend]) -> Result<(), Error> {
    let groups: Vec<_> = backends
        .iter()
        .map(|Backend { name, slot, address }| {
            json!({ "targets": [address], "labels": { "service": service, "slot": slot, "replica": name } })
        })
        .collect();
    state::write(&folder.join("replicas.json"), &groups)
}

/// Writes which replicas of scripted services are to be scraped.
///
/// # Errors
/// Where the folder cannot be written.
pub fn set_services(folder: &Path, instances: &[Instance]) -> Result<(), Error> {
    let groups: Vec<_> = instances
        .iter()
        .map(|Instance { service, name, address }| {
            json!({ "targets": [address], "labels": { "service": service, "replica": name } })
        })
        .collect();
    state::write(&folder.join("services.json"), &groups)
}

pub fn arguments(folder: &Path, listen: SocketAddr) -> Vec<String> {
    vec![
        format!("--config.file={}", folder.join("prometheus.yml").display()),
        format!("--storage.tsdb.path={}", folder.join("data").display()),
        "--storage.tsdb.retention.size=256MB".into(),
        format!("--web.listen-address={listen}"),
        "--log.level=warn".into(),
    ]
}
