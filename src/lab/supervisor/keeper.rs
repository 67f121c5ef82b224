//! What should run, what does run, and the turns that bring the two together.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    Options,
    control::SetScale,
    lists::Lists,
    part::{Kind, Part},
    ports::Ports,
    prometheus,
    scripted::{self, Scripted},
};
use crate::{
    error::Error,
    lab::{
        SERVICE,
        script::ScriptedService,
        services::{FullLab, Service},
        state::{Folder, LabFile},
        status::{Release, SlotStatus, Status},
        telemetry::Traces,
    },
    model::{Epoch, Slot},
    process::{Launch, Output},
};

/// How long a process may take to end before its guard kills it.
const GRACE: Duration = Duration::from_secs(6);

/// The most replicas that a slot can have.
pub const MOST_REPLICAS: u32 = 16;

/// Why a scale stays as it is.
#[derive(Debug)]
pub enum ScaleRefusal {
    /// A later owner has written; its epoch.
    Superseded(Epoch),
    /// Another scale stands than the writer thought, or it was set or fenced since the writer read it.
    Found(u32),
}

/// All processes of the lab and what they should be.
pub struct Keeper {
    options: Options,
    folder: Folder,
    ports: Ports,
    desired_slots: [SlotStatus; 2],
    scripted: Scripted,
    parts: Vec<Part>,
    /// How often replicas that are gone had ended by themselves: names come back, and counts must not shrink.
    past_exits: BTreeMap<String, u64>,
    lists: Lists,
    gateway: SocketAddr,
    full: Option<FullLab>,
    identity: Option<SocketAddr>,
}

impl Keeper {
    /// Prepares gateway and Prometheus; the replicas follow at the first round.
    pub fn new(
        options: Options,
        scripted: Scripted,
        folder: Folder,
        ports: Ports,
        lab: &LabFile,
    ) -> Result<Self, Error> {
        let replicas = if lab.database_only { 0 } else { options.replicas };
        // A lab that is started anew has another token: what was sent to the one before does not reach it.
        let desired = |slot, release: &Release| {
            let (epoch, version) = (Epoch(0), 0);
            SlotStatus { slot, release: release.clone(), replicas, epoch, version }
        };
        let desired_slots = [desired(Slot::Blue, &options.blue), desired(Slot::Green, &options.green)];
        let mut keeper = Self {
            desired_slots,
            scripted,
            gateway: lab.gateway,
            options,
            folder,
            ports,
            parts: Vec::new(),
            past_exits: BTreeMap::new(),
            lists: Lists::default(),
            full: None,
            identity: lab.identity().ok(),
        };
        keeper.tell()?;
        // First, since it takes longest.
        keeper.add_hosts(lab);
        if let Some(full) = lab.full {
            keeper.add_services(full);
        }
        if let Some(identity) = lab.identity {
            keeper.add_service(Service::Identity, identity);
        }
        keeper.add_backings()?;
        if !lab.database_only {
            keeper.add_gateway(lab);
        }
        if let Some(listen) = lab.prometheus {
            keeper.add_prometheus(lab, listen)?;
        }
        Ok(keeper)
    }

    fn launch(&self, name: &str, program: &std::path::Path) -> Launch {
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

    fn add_hosts(&mut self, lab: &LabFile) {
        let Some(database) = &lab.database else { return };
        let nodes = database.nodes.iter().map(|node| (&node.name, node.sql, node.agent));
        let others = database.others.iter().map(|other| (&other.name, other.service, other.agent));
        for (name, address, agent) in nodes.chain(others) {
            let launch = self.role(name, "host").arg("--folder").arg(self.folder.path()).arg(name);
            self.parts.push(Part::new(name.clone(), Kind::Host, address, (agent, "/readyz"), launch));
        }
    }

    fn add_services(&mut self, full: FullLab) {
        for (service, address) in full.services() {
            self.add_service(service, address);
        }
        self.full = Some(full);
    }

    fn add_backings(&mut self) -> Result<(), Error> {
        for backing in self.scripted.backings() {
            let name = backing.name();
            let address = self.ports.address(name)?;
            let launch = self.role(name, name).arg("--folder").arg(self.folder.path());
            let launch = launch.args(["--listen", &address.to_string()]);
            self.parts.push(Part::new(name.into(), Kind::Backing(backing), address, (address, "/readyz"), launch));
        }
        Ok(())
    }

    fn add_service(&mut self, service: Service, address: SocketAddr) {
        let name = service.name();
        let mut launch = self.traced(name, service).arg("--folder").arg(self.folder.path());
        if let (Service::Identity, Some(services)) = (service, &self.options.services) {
            launch = launch.arg("--services").arg(services);
        }
        self.parts.push(Part::new(name.into(), Kind::Service, address, (address, "/readyz"), launch));
    }

    fn add_gateway(&mut self, lab: &LabFile) {
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

    fn add_prometheus(&mut self, lab: &LabFile, listen: SocketAddr) -> Result<(), Error> {
        let Some(program) = prometheus::find() else { return Ok(()) };
        let folder = self.folder.prometheus();
        prometheus::configure(&folder, lab.admin)?;
        let launch = self.launch("prometheus", &program).args(prometheus::arguments(&folder, listen));
        self.parts.push(Part::new("prometheus".into(), Kind::Prometheus, listen, (listen, "/-/ready"), launch));
        Ok(())
    }

    fn add_replica(&mut self, slot: Slot, index: u32, release: Release) -> Result<(), Error> {
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

    fn add_scripted(&mut self, service: &str, index: u32, release: Release) -> Result<(), Error> {
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

    /// Sets what a slot should run; its replicas are replaced one after another.
    ///
    /// # Errors
    /// Where the service in the slots has no such faults.
    pub fn set_release(&mut self, slot: Slot, release: Release) -> Result<(), String> {
        scripted::accepts(&release.faults, self.scripted.in_slots(), self.full.is_some())?;
        tracing::info!(%slot, version = release.version, faults = ?release.faults, "release set");
        self.desired(slot).release = release;
        Ok(())
    }

    /// Sets what a scripted service should run; its replicas are replaced one after another.
    ///
    /// # Errors
    /// Where there is no such service, or it has no such faults.
    pub fn set_service_release(&mut self, service: &str, release: Release) -> Result<(), String> {
        self.scripted.set_release(service, release)
    }

    /// Sets how many replicas a slot should have, if the fence holds.
    ///
    /// # Errors
    /// Where it does not; nothing has changed then.
    pub fn set_scale(&mut self, slot: Slot, order: SetScale) -> Result<(), ScaleRefusal> {
        let SetScale { replicas, from, epoch, version } = order;
        let found = self.desired(slot);
        if epoch < found.epoch {
            return Err(ScaleRefusal::Superseded(found.epoch));
        }
        if version != found.version || (found.replicas != from && found.replicas != replicas) {
            return Err(ScaleRefusal::Found(found.replicas));
        }
        (found.replicas, found.epoch, found.version) = (replicas.min(MOST_REPLICAS), epoch, version + 1);
        tracing::info!(%slot, replicas, %epoch, "scale set");
        Ok(())
    }

    /// Raises the epoch at a slot's scale and keeps it; what was sent before is refused from here on, whatever its epoch.
    ///
    /// # Errors
    /// Where a later owner has written.
    pub fn fence_scale(&mut self, slot: Slot, epoch: Epoch) -> Result<u32, ScaleRefusal> {
        let found = self.desired(slot);
        if epoch < found.epoch {
            return Err(ScaleRefusal::Superseded(found.epoch));
        }
        (found.epoch, found.version) = (epoch, found.version + 1);
        tracing::info!(%slot, %epoch, "scale fenced");
        Ok(found.replicas)
    }

    fn desired(&mut self, slot: Slot) -> &mut SlotStatus {
        &mut self.desired_slots[usize::from(slot == Slot::Green)]
    }

    /// How everything stands.
    pub fn status(&self) -> Status {
        let mut parts: Vec<_> = self.parts.iter().map(Part::status).collect();
        parts.sort_by(|a, b| (a.slot, &a.name).cmp(&(b.slot, &b.name)));
        Status { parts, slots: self.desired_slots.to_vec(), services: self.scripted.desired() }
    }

    /// Brings what runs one step nearer to what should run.
    ///
    /// # Errors
    /// Where the folder cannot be written or no port is free; the next round tries again.
    pub fn reconcile(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        for part in &mut self.parts {
            part.reconcile(now);
        }
        self.forget_gone();
        for at in 0..self.desired_slots.len() {
            // In this order, or the place of one that is gone would look as if nothing were changing.
            self.fill(at)?;
            self.retire(at);
        }
        for service in self.scripted.desired() {
            for index in service.missing(&self.parts) {
                self.add_scripted(&service.name, index, service.release.clone())?;
            }
            service.retire(&mut self.parts);
        }
        self.tell()?;
        self.lists.note(&self.folder, &self.parts)
    }

    /// Writes down which replicas there are, and what service the gateway leads to.
    fn tell(&mut self) -> Result<(), Error> {
        let behind = self.scripted.in_slots().map(|service| (service.name.as_str(), self.gateway));
        self.lists.tell(&self.folder, &self.parts, behind)
    }

    fn forget_gone(&mut self) {
        for part in self.parts.iter().filter(|part| part.is_gone()) {
            self.past_exits.insert(part.name.clone(), part.exits);
        }
        self.parts.retain(|part| !part.is_gone());
    }

    /// Retires replicas that are too many, and one at a time of those that run another release.
    fn retire(&mut self, at: usize) {
        let SlotStatus { slot, release: wanted, replicas, .. } = &self.desired_slots[at];
        let of_slot = |part: &Part| matches!(&part.kind, Kind::Replica { slot: s, .. } if s == slot);
        let mut busy = self.parts.iter().any(|part| of_slot(part) && part.is_changing());
        for part in &mut self.parts {
            let Kind::Replica { slot: s, index, release } = &part.kind else { continue };
            if s != slot || !part.is_listed() {
                continue;
            }
            if index >= replicas {
                part.retire();
            } else if release != wanted && (!busy || !part.is_ready()) {
                part.retire();
                busy = true;
            }
        }
    }

    /// Makes the replicas that are missing.
    fn fill(&mut self, at: usize) -> Result<(), Error> {
        let SlotStatus { slot, release, replicas, .. } = self.desired_slots[at].clone();
        for index in 0..replicas {
            let is_it =
                |part: &Part| matches!(part.kind, Kind::Replica { slot: s, index: i, .. } if s == slot && i == index);
            if !self.parts.iter().any(is_it) {
                self.add_replica(slot, index, release.clone())?;
            }
        }
        Ok(())
    }

    /// Asks everything to end.
    pub fn end(&mut self) {
        for part in &mut self.parts {
            part.end();
        }
    }

    /// Takes note of ends only; says whether nothing is left.
    pub fn is_empty(&mut self) -> bool {
        let now = Instant::now();
        for part in &mut self.parts {
            part.reconcile(now);
        }
        self.forget_gone();
        self.parts.is_empty()
    }
}
