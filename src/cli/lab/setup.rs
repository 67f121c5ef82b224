//! What a lab starts with, as it is typed.

use std::path::{Path, PathBuf};

use super::database::DatabaseArgs;
use crate::{
    error::Error,
    lab::{
        Features, GatewayDefect, Release, SERVICE, Untraced,
        script::{self, ScriptedService},
        state::broken,
        supervisor,
    },
    model::HumanDuration,
};

/// What a lab starts with.
#[derive(Debug, clap::Args)]
pub(super) struct Setup {
    /// The version that blue runs
    #[arg(long, default_value = "1.0.0", value_name = "VERSION")]
    pub version_blue: String,
    /// The version that green runs
    #[arg(long, default_value = "1.0.0", value_name = "VERSION")]
    pub version_green: String,
    /// A fault of blue's release, such as error-rate=5%
    #[arg(long, value_name = "FAULT")]
    pub fault_blue: Vec<String>,
    /// A fault of green's release, such as latency=200ms:share=10%
    #[arg(long, value_name = "FAULT")]
    pub fault_green: Vec<String>,
    /// Replicas of each slot
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub replicas: u32,
    /// How long the gateway waits for a replica
    #[arg(long, default_value = "10s", value_name = "TIME", allow_hyphen_values = true)]
    pub upstream_timeout: HumanDuration,
    /// Start no Prometheus
    #[arg(long)]
    pub no_prometheus: bool,
    /// Start a store, an identity provider and a sink of alerts as well, and ask for a token on /tenants
    #[arg(long)]
    pub full: bool,
    /// Send the traces of all processes to this collector, by OTLP over HTTP
    #[arg(long, value_name = "URL", value_parser = collector)]
    pub otlp: Option<String>,
    /// A service without instrumentation; with `:passes` it passes the headers of a trace on all the same
    #[arg(long, value_name = "SERVICE[:passes]")]
    pub untraced: Vec<Untraced>,
    /// A defect of the gateway: skip-validation
    #[arg(long, value_name = "DEFECT", requires = "full")]
    pub defect_gateway: Vec<GatewayDefect>,
    /// Start the services as well that the scripts in this folder are; by default what target.lab.services names
    #[arg(long, value_name = "DIR")]
    pub services: Option<PathBuf>,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

impl Setup {
    /// The service that the gateway leads to.
    pub fn behind_gateway(&self) -> Result<String, Error> {
        let in_slots = self.scripts()?.into_iter().find(|script| script.in_slots);
        Ok(in_slots.map_or_else(|| SERVICE.to_owned(), |script| script.name))
    }

    fn scripts(&self) -> Result<Vec<ScriptedService>, Error> {
        let scripts = self.services.as_deref().map(|folder| script::scripted(&whole(folder)?)).transpose()?;
        Ok(scripts.unwrap_or_default())
    }

    /// The options of the supervisor, with our own binary for its processes; and what is to be told about them.
    pub fn options(self, folder: &Path) -> Result<(supervisor::Options, Option<String>), Error> {
        let scripts = self.scripts()?;
        let behind = scripts.iter().find(|script| script.in_slots);
        for faults in [&self.fault_blue, &self.fault_green] {
            let hint = "name faults that there are, such as error-rate=5%; some of them ask for --full";
            supervisor::accepts(faults, behind, self.full).map_err(|why| Error::usage(why, hint))?;
        }
        let services = self.services.as_deref().map(whole).transpose()?;
        let (database, remark) = self.database.resolve()?;
        let has_postgres = database.as_ref().is_some_and(|database| database.kind.is_postgres());
        if let Some(script) = scripts.iter().find(|script| script.in_postgres && !has_postgres) {
            let what = format!("{} keeps its rows in PostgreSQL, and this lab would have none", script.file.display());
            return Err(Error::usage(what, "add --database postgres, or take `postgres()` out of the script"));
        }
        let features = Features {
            full: self.full,
            otlp: self.otlp,
            untraced: self.untraced,
            gateway_defects: self.defect_gateway,
        };
        let options = supervisor::Options {
            folder: folder.to_owned(),
            interlock: std::env::current_exe().map_err(|e| broken("our own binary", e))?,
            blue: Release { version: self.version_blue, faults: self.fault_blue },
            green: Release { version: self.version_green, faults: self.fault_green },
            replicas: self.replicas,
            upstream_timeout: self.upstream_timeout.0,
            prometheus: !self.no_prometheus,
            features,
            services,
            database,
        };
        Ok((options, remark))
    }
}

/// The folder of scripts by its whole path.
fn whole(folder: &Path) -> Result<PathBuf, Error> {
    folder.canonicalize().map_err(|e| {
        Error::usage(format!("--services {}: {e}", folder.display()), "name a folder with scripts, such as orders.rhai")
    })
}

/// The base address of a collector; `/v1/traces` is added to it.
pub(super) fn collector(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|e| format!("{e}; write it as http://127.0.0.1:4318"))?;
    if url.scheme() != "http" || !url.has_host() || url.query().is_some() || url.fragment().is_some() {
        return Err("write it as http://127.0.0.1:4318; /v1/traces is added".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}
