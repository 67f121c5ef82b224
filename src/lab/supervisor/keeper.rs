//! What should run, what does run, and the turns that bring the two together.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use super::{
    Options,
    control::SetScale,
    lists::Lists,
    part::{Kind, Part},
    ports::Ports,
    scripted::{self, Scripted},
};
use crate::{
    error::Error,
    lab::{
        known::LabFile,
        services::{FullLab, Service},
        state::Folder,
        status::{Release, SlotStatus, Status},
    },
    model::{Epoch, Slot},
};

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
    pub(super) options: Options,
    pub(super) folder: Folder,
    pub(super) ports: Ports,
    pub(super) desired_slots: [SlotStatus; 2],
    pub(super) scripted: Scripted,
    pub(super) parts: Vec<Part>,
    /// How often replicas that are gone had ended by themselves: names come back, and counts must not shrink.
    pub(super) past_exits: BTreeMap<String, u64>,
    pub(super) lists: Lists,
    pub(super) gateway: SocketAddr,
    pub(super) full: Option<FullLab>,
    pub(super) identity: Option<SocketAddr>,
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
