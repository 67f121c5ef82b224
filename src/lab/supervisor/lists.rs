//! What the supervisor writes down of its processes, for those that have to find them; each list only when it changes.

use std::net::SocketAddr;

use super::{
    part::{Kind, Part},
    prometheus,
};
use crate::{
    error::Error,
    lab::{
        SERVICE, Service,
        known::{Backend, Process},
        script::Instance,
        state::{self, Folder},
    },
};

/// What was written down last.
#[derive(Default)]
pub struct Lists {
    backends: Option<Vec<Backend>>,
    instances: Option<Vec<Instance>>,
    processes: Option<Vec<Process>>,
}

impl Lists {
    /// Tells gateway, scripted services and Prometheus which replicas there are.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn tell(
        &mut self,
        folder: &Folder,
        parts: &[Part],
        behind_gateway: Option<(&str, SocketAddr)>,
    ) -> Result<(), Error> {
        let has_prometheus = folder.prometheus().exists();
        let listed = || parts.iter().filter(|part| part.is_listed());
        let backends: Vec<_> = listed().filter_map(backend).collect();
        if self.backends.as_ref() != Some(&backends) {
            state::write(&folder.backends(), &backends)?;
            if has_prometheus {
                let service = behind_gateway.map_or(SERVICE, |(service, _)| service);
                prometheus::set_targets(&folder.prometheus(), service, &backends)?;
            }
            self.backends = Some(backends);
        }
        let instances: Vec<_> = listed().filter_map(instance).collect();
        if self.instances.as_ref() != Some(&instances) {
            // The other services reach one that stands in slots as its users do.
            let gateway = behind_gateway.map(|(service, address)| Instance {
                service: service.to_owned(),
                name: Service::Gateway.name().to_owned(),
                address,
            });
            let found: Vec<_> = instances.iter().cloned().chain(gateway).collect();
            state::write(&folder.services(), &found)?;
            if has_prometheus {
                prometheus::set_services(&folder.prometheus(), &instances)?;
            }
            self.instances = Some(instances);
        }
        Ok(())
    }

    /// Notes who runs, for `lab down`.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn note(&mut self, folder: &Folder, parts: &[Part]) -> Result<(), Error> {
        let running = parts.iter().map(Part::status);
        let processes: Vec<_> =
            running.filter_map(|part| Some(Process { identity: part.identity?, name: part.name })).collect();
        if self.processes.as_ref() != Some(&processes) {
            state::write(&folder.processes(), &processes)?;
            self.processes = Some(processes);
        }
        Ok(())
    }
}

fn backend(part: &Part) -> Option<Backend> {
    match part.kind {
        Kind::Replica { slot, .. } => Some(Backend { name: part.name.clone(), slot, address: part.address }),
        _ => None,
    }
}

fn instance(part: &Part) -> Option<Instance> {
    let service = match &part.kind {
        Kind::Scripted { service, .. } => service.clone(),
        Kind::Backing(backing) => backing.name().to_owned(),
        _ => return None,
    };
    Some(Instance { service, name: part.name.clone(), address: part.address })
}
