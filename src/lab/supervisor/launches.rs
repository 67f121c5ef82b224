//! How each process of the lab is started.

use std::{net::SocketAddr, path::Path, time::Duration};

use super::{
    keeper::Keeper,
    part::{Kind, Part},
    prometheus,
};
use crate::{
    error::Error,
    lab::{
        SERVICE,
        known::LabFile,
        script::ScriptedService,
        services::{FullLab, Service},
        status::Release,
        telemetry::Traces,
    },
    model::Slot,
    process::{Launch, Output},
};

/// How long a process may take to end before its guard kills it.
const GRACE: Duration = Duration::from_secs(6);

impl Keeper {
    fn launch(&self, name: &str, program: &Path) -> Launch {
        Launch::new(&self.options.interlock, program)
            .env("INTERLOCK_LAB", self.folder.path())
            .folder(self.folder.path())
            .output(Output::File(self.folder.log(name)))
            .grace(GRACE)
    }

    fn role(&self, name: &str, role: &str) -> Launch {
        self.launch(name, &self.options.interlock).args(["lab", "serve", role])
    }

    /// A process of a service, with what it does about traces.
    fn traced(&self, name: &str, service: Service) -> Launch {
        let role = service.name();
        match self.options.features.traces(service) {
            Traces::Pass => self.role(name, role),
            Traces::Silent => self.role(name, role).arg("--silent"),
            Traces::Otlp(endpoint) => self.role(name, role).args(["--otlp", &endpoint]),
        }
    }

    pub(super) fn add_hosts(&mut self, lab: &LabFile) {
        let Some(database) = &lab.database else { return };
        let nodes = database.nodes.iter().map(|node| (&node.name, node.sql, node.agent));
        let others = database.others.iter().map(|other| (&other.name, other.service, other.agent));
        for (name, address, agent) in nodes.chain(others) {
            let launch = self.role(name, "host").arg("--folder").arg(self.folder.path()).arg(name);
            self.parts.push(Part::new(name.clone(), Kind::Host, address, (agent, "/readyz"), launch));
        }
    }

    pub(super) fn add_services(&mut self, full: FullLab) {
        for (service, address) in full.services() {
            self.add_service(service, address);
        }
        self.full = Some(full);
    }

    pub(super) fn add_backings(&mut self) -> Result<(), Error> {
        for backing in self.scripted.backings() {
            let name = backing.name();
            let address = self.ports.address(name)?;
            let launch = self.role(name, name).arg("--folder").arg(self.folder.path());
            let launch = launch.args(["--listen", &address.to_string()]);
            self.parts.push(Part::new(name.into(), Kind::Backing(backing), address, (address, "/readyz"), launch));
        }
        Ok(())
    }

    pub(super) fn add_service(&mut self, service: Service, address: SocketAddr) {
        let name = service.name();
        let mut launch = self.traced(name, service).arg("--folder").arg(self.folder.path());
        if let (Service::Identity, Some(services)) = (service, &self.options.services) {
            launch = launch.arg("--services").arg(services);
        }
        self.parts.push(Part::new(name.into(), Kind::Service, address, (address, "/readyz"), launch));
    }

    pub(super) fn add_gateway(&mut self, lab: &LabFile) {
        let timeout = format!("{}ms", self.options.upstream_timeout.as_millis());
        let defects = self.options.features.gateway_defects.iter().map(|defect| format!("--defect={defect}"));
        let name = Service::Gateway.name();
        let launch = self
            .traced(name, Service::Gateway)
            .arg("--folder")
            .arg(self.folder.path())
            .args(["--upstream-timeout", &timeout])
            .args(defects);
        let ask = (lab.admin, "/healthz");
        self.parts.push(Part::new(name.into(), Kind::Gateway, lab.gateway, ask, launch));
    }

    pub(super) fn add_prometheus(&mut self, lab: &LabFile, listen: SocketAddr) -> Result<(), Error> {
        let Some(program) = prometheus::find() else { return Ok(()) };
        let folder = self.folder.prometheus();
        prometheus::configure(&folder, lab.admin)?;
        let launch = self.launch("prometheus", &program).args(prometheus::arguments(&folder, listen));
        self.parts.push(Part::new("prometheus".into(), Kind::Prometheus, listen, (listen, "/-/ready"), launch));
        Ok(())
    }

    pub(super) fn add_replica(&mut self, slot: Slot, index: u32, release: Release) -> Result<(), Error> {
        let script = self.scripted.in_slots().cloned();
        let name = format!("{}-{slot}-{index}", script.as_ref().map_or(SERVICE, |script| &script.name));
        let address = self.ports.address(&name)?;
        let launch = match &script {
            Some(script) => self.script(&name, script, address, &release).args(["--slot", slot.name()]),
            None => self.tenant(&name, slot, address, &release),
        };
        self.add_counted(Part::new(
            name,
            Kind::Replica { slot, index, release },
            address,
            (address, "/readyz"),
            launch,
        ));
        Ok(())
    }

    fn tenant(&self, name: &str, slot: Slot, address: SocketAddr, release: &Release) -> Launch {
        let mut launch = self
            .traced(name, Service::Tenant)
            .args(["--listen", &address.to_string(), "--replica", name, "--slot", slot.name()])
            .arg(format!("--release={}", release.version))
            // Keeps out faults that the environment may name, which is meant for pods.
            .arg("--fault=");
        for fault in &release.faults {
            launch = launch.arg(format!("--fault={fault}"));
        }
        if let Some(full) = self.full {
            for (service, address) in full.services() {
                launch = launch.arg(format!("--{}-at={address}", service.name()));
            }
        } else if self.has_rows() {
            // Only where it is said: the password is for no list of processes.
            launch = launch.arg("--database-of").arg(self.folder.path());
        }
        launch
    }

    pub(super) fn add_scripted(&mut self, service: &str, index: u32, release: Release) -> Result<(), Error> {
        let Some(script) = self.scripted.named(service) else { return Ok(()) };
        let name = format!("{service}-{index}");
        let address = self.ports.address(&name)?;
        let launch = self.script(&name, script, address, &release);
        let kind = Kind::Scripted { service: service.to_owned(), index, release };
        self.add_counted(Part::new(name, kind, address, (address, "/readyz"), launch));
        Ok(())
    }

    fn script(&self, name: &str, script: &ScriptedService, address: SocketAddr, release: &Release) -> Launch {
        self.role(name, "script")
            .args(self.options.features.otlp.iter().map(|endpoint| format!("--otlp={endpoint}")))
            .arg("--folder")
            .arg(self.folder.path())
            .arg("--file")
            .arg(&script.file)
            .args(["--service", &script.name, "--replica", name, "--listen", &address.to_string()])
            .arg(format!("--release={}", release.version))
            .args(self.identity.iter().map(|address| format!("--identity-at={address}")))
            .args(release.faults.iter().map(|fault| format!("--fault={fault}")))
    }

    /// Adds a replica, which may have run by that name before.
    fn add_counted(&mut self, mut part: Part) {
        part.exits = self.past_exits.get(&part.name).copied().unwrap_or_default();
        self.parts.push(part);
    }

    /// Whether the tenants can be kept in the database.
    fn has_rows(&self) -> bool {
        cfg!(feature = "sql") && self.options.database.as_ref().is_some_and(|database| database.kind.is_postgres())
    }
}
