//! Which of the guardians in a cluster acts, and whether one is there at all: the Lease `interlock-guardian`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use tokio::{sync::watch, time::timeout};

use super::{
    names::MANAGED_BY,
    silence::{Sign, Silences},
    trouble::trouble,
};
use crate::{
    adapters::kube::{Cluster, GUARDIAN, GUARDIAN_LEASE, MANAGER, PART},
    model::{Epoch, Timestamp},
    ports::{Clock, PortError},
};

/// How long a guardian that gives no sign of life still counts as the one that acts.
const TTL: Duration = Duration::from_secs(15);
/// How often it gives one.
const RENEW: Duration = Duration::from_secs(2);
/// How long one try to give it may take.
const WITHIN: Duration = Duration::from_secs(3);
/// After this long without one it stops acting. With one more try this is well below [`TTL`], so that there are never two.
const GIVES_UP: Duration = Duration::from_secs(8);
/// A sign of life that is younger than this, by our wall clock, is taken as it is; else the next one is waited for.
const FRESH: Duration = Duration::from_secs(6);
/// How often it is looked for the next one.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guardian {
    /// Its name: the pod's, and something that no other process has.
    pub name: String,
    /// Its last sign of life, by its own clock.
    pub renewed: Timestamp,
}

/// What stands in the guardians' Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    version: String,
    sign: Sign,
    acquired: Option<Timestamp>,
}

fn read(lease: &Lease) -> Standing {
    let spec = lease.spec.clone().unwrap_or_default();
    Standing {
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        sign: Sign {
            renewed: spec.renew_time.map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            holder: spec.holder_identity.unwrap_or_default(),
            epoch: Epoch(spec.lease_transitions.and_then(|n| u64::try_from(n).ok()).unwrap_or(0)),
        },
        acquired: spec.acquire_time.map(|time| time.0),
    }
}

fn meta(version: Option<String>) -> ObjectMeta {
    let labels = BTreeMap::from([(MANAGED_BY, MANAGER), (PART, GUARDIAN)]);
    ObjectMeta {
        name: Some(GUARDIAN_LEASE.to_owned()),
        labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
        resource_version: version,
        ..ObjectMeta::default()
    }
}

pub async fn alive(cluster: &Cluster, clock: &dyn Clock) -> Result<Option<Guardian>, PortError> {
    let api: Api<Lease> = cluster.api();
    let look = async || {
        let found = cluster.outlast(&format!("get leases/{GUARDIAN_LEASE}"), || api.get_opt(GUARDIAN_LEASE)).await?;
        Ok::<_, PortError>(found.as_ref().map(read).filter(|standing| !standing.sign.holder.is_empty()))
    };
    let Some(first) = look().await? else { return Ok(None) };
    let known = |sign: Sign| Guardian { name: sign.holder, renewed: sign.renewed };
    let begun = clock.now();
    let apart = begun.wall.duration_since(first.sign.renewed);
    if apart.unsigned_abs() < FRESH {
        return Ok(Some(known(first.sign)));
    }
    while clock.now().since(&begun) < FRESH {
        clock.sleep(LOOK).await;
        match look().await? {
            Some(now) if now.sign != first.sign => return Ok(Some(known(now.sign))),
            Some(_) => {}
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// A guardian that would act, and does so while no other one does.
pub struct Candidate {
    cluster: Cluster,
    clock: Arc<dyn Clock>,
    name: String,
    silences: Silences,
}

impl Candidate {
    /// This process; `host` is the machine's or the pod's name.
    #[must_use]
    pub fn new(cluster: Cluster, clock: Arc<dyn Clock>, host: &str, chance: u32) -> Self {
        Self { cluster, clock, name: format!("{host}-{chance:08x}"), silences: Silences::default() }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says by `leading` whether it is this one that acts, until `stop` has a reason. What keeps it from standing at all
    /// is told to `complain`, once.
    pub async fn stand(
        &self,
        leading: &watch::Sender<bool>,
        stop: &mut watch::Receiver<Option<String>>,
        complain: &(dyn Fn(&str) + Send + Sync),
    ) {
        let (mut led, mut told) = (None, String::new());
        while stop.borrow().is_none() {
            let began = self.clock.now();
            let complaint = match timeout(WITHIN, self.campaign()).await {
                Ok(Ok(acts)) => {
                    // From the moment before the request: it may have been written any time after that.
                    led = acts.then_some(began);
                    String::new()
                }
                Ok(Err(e)) => {
                    let trouble =
                        trouble(&self.cluster, self.cluster.failure(&format!("patch leases/{GUARDIAN_LEASE}"), &e));
                    format!("{trouble}; {}", trouble.hint())
                }
                Err(_) => format!("{} takes too long to answer", self.cluster.place()),
            };
            if complaint != told && !complaint.is_empty() {
                complain(&complaint);
            }
            told = complaint;
            led = led.filter(|led| self.clock.now().since(led) < GIVES_UP);
            set(leading, led.is_some());
            tokio::select! {
                () = self.clock.sleep(RENEW) => {}
                _ = stop.changed() => {}
            }
        }
        set(leading, false);
    }

    /// Lets another one act at once. Best effort: without it the others wait for the time to live.
    pub async fn give_up(&self) {
        let gone = timeout(WITHIN, async {
            let found = self.api().get(GUARDIAN_LEASE).await.map(|lease| read(&lease));
            match found {
                Ok(standing) if standing.sign.holder == self.name => {
                    let sign = Sign { holder: String::new(), ..standing.sign.clone() };
                    self.write(&Standing { sign, ..standing }).await.map(drop)
                }
                other => other.map(drop),
            }
        });
        if !matches!(gone.await, Ok(Ok(()))) {
            tracing::debug!("the Lease {GUARDIAN_LEASE} was not given up");
        }
    }

    fn api(&self) -> Api<Lease> {
        self.cluster.api()
    }

    /// Takes the Lease where it is free or its holder has been silent, renews it where it is ours; says whether it is.
    async fn campaign(&self) -> kube::Result<bool> {
        let api = self.api();
        let began = self.clock.now().boot;
        let found = match api.get_opt(GUARDIAN_LEASE).await {
            Ok(Some(lease)) => read(&lease),
            Ok(None) => {
                let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
                match api.create(&params, &Lease { metadata: meta(None), spec: None }).await {
                    Ok(lease) => read(&lease),
                    Err(kube::Error::Api(status)) if status.code == 409 => return Ok(false),
                    Err(e) => return Err(e),
                }
            }
            Err(e) => {
                self.silences.blind(GUARDIAN_LEASE, began, self.clock.now().boot);
                return Err(e);
            }
        };
        let now = self.clock.now();
        let heard = self.silences.seen(GUARDIAN_LEASE, found.sign.clone(), began, now.boot);
        let ours = found.sign.holder == self.name;
        let free = found.sign.holder.is_empty() || now.boot.saturating_sub(heard) > TTL;
        if !ours && !free {
            return Ok(false);
        }
        let epoch = if ours { found.sign.epoch } else { found.sign.epoch.next() };
        let acquired = found.acquired.filter(|_| ours).or(Some(now.wall));
        let sign = Sign { renewed: now.wall, holder: self.name.clone(), epoch };
        match self.write(&Standing { sign, acquired, ..found }).await {
            Ok(()) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(e) => Err(e),
        }
    }

    async fn write(&self, wanted: &Standing) -> kube::Result<()> {
        let lease = Lease {
            metadata: meta(Some(wanted.version.clone())),
            spec: Some(LeaseSpec {
                holder_identity: Some(wanted.sign.holder.clone()),
                acquire_time: wanted.acquired.map(MicroTime),
                renew_time: Some(MicroTime(wanted.sign.renewed)),
                lease_duration_seconds: i32::try_from(TTL.as_secs()).ok(),
                lease_transitions: i32::try_from(wanted.sign.epoch.0).ok(),
                ..LeaseSpec::default()
            }),
        };
        let params = PatchParams::apply(MANAGER).force();
        self.api().patch_metadata(GUARDIAN_LEASE, &params, &Patch::Apply(lease)).await.map(drop)
    }
}

fn set(leading: &watch::Sender<bool>, now: bool) {
    leading.send_if_modified(|before| std::mem::replace(before, now) != now);
}
