//! Which pods take a ConfigMap or a Secret, how, and whether they can have seen its last change.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ContainerStatus, EnvFromSource, EnvVar, Pod, Secret, Volume, VolumeProjection,
};
use kube::{
    ResourceExt as _,
    api::{ListParams, ObjectMeta},
};
use serde_json::Value;

use super::{Cluster, pods::phase};
use crate::ports::{Configs, Desired, Instance, Look, PortError, RunsOn};

/// How many pods one answer holds.
const PAGE: u32 = 500;
/// How long a kubelet may take to bring a change into volumes: its period of a minute, and what it keeps meanwhile.
const KUBELET: SignedDuration = SignedDuration::from_secs(90);

/// An object that pods take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mounted {
    /// A ConfigMap by its name.
    ConfigMap(String),
    /// A Secret by its name; its values are not read.
    Secret(String),
}

/// The pods that take an object.
pub struct KubeConfigs {
    /// Where it is.
    pub cluster: Cluster,
    /// What they take.
    pub object: Mounted,
}

#[async_trait]
impl Configs for KubeConfigs {
    async fn look(&self) -> Result<Look, PortError> {
        let changed = changed(&self.meta().await?);
        let pods = self.pods().await?;
        let instances = pods.iter().flat_map(|pod| self.object.taken(pod, changed, Timestamp::now())).collect();
        Ok(Look { desired: Some(Desired { generation: None, changed, told_by: self.object.title() }), instances })
    }
}

impl KubeConfigs {
    /// What is known of the object beside its values.
    async fn meta(&self) -> Result<ObjectMeta, PortError> {
        let found = match &self.object {
            Mounted::ConfigMap(name) => self.cluster.api::<ConfigMap>().get_metadata(name).await.map(|it| it.metadata),
            Mounted::Secret(name) => self.cluster.api::<Secret>().get_metadata(name).await.map(|it| it.metadata),
        };
        found.map_err(|e| self.cluster.failure(&format!("get {}", self.object.title()), &e))
    }

    async fn pods(&self) -> Result<Vec<Pod>, PortError> {
        let api = self.cluster.api::<Pod>();
        let (mut all, mut page) = (Vec::new(), ListParams::default().limit(PAGE));
        loop {
            let list = api.list(&page).await.map_err(|e| self.cluster.failure("list pods", &e))?;
            all.extend(list.items);
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(all),
            }
        }
    }
}

/// When what the object holds was changed last, as far as its managers are recorded.
fn changed(meta: &ObjectMeta) -> Option<Timestamp> {
    let holds_data = |fields: &Value| ["f:data", "f:binaryData"].iter().any(|part| fields.get(part).is_some());
    let managers = meta.managed_fields.iter().flatten();
    let of_data = managers.filter(|entry| entry.fields_v1.as_ref().is_some_and(|fields| holds_data(&fields.0)));
    of_data.filter_map(|entry| entry.time.as_ref().map(|time| time.0)).max()
}

/// How a container takes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Environment,
    SubPath,
    Volume,
}

impl Way {
    const fn words(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::SubPath => "subPath",
            Self::Volume => "volume",
        }
    }

    /// Why a running container does not see a change.
    const fn why(self) -> Option<&'static str> {
        match self {
            Self::Environment => Some("taken as environment, it follows no change: restart the pod"),
            Self::SubPath => Some("mounted by subPath, it follows no change: restart the pod"),
            Self::Volume => None,
        }
    }
}

impl Mounted {
    fn title(&self) -> String {
        match self {
            Self::ConfigMap(name) => format!("configmap/{name}"),
            Self::Secret(name) => format!("secret/{name}"),
        }
    }

    /// The containers of a pod that take it; none of a pod that has ended.
    fn taken(&self, pod: &Pod, changed: Option<Timestamp>, now: Timestamp) -> Vec<Instance> {
        if matches!(phase(pod), "Failed" | "Succeeded") {
            return Vec::new();
        }
        let Some(spec) = &pod.spec else { return Vec::new() };
        let stays = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
        let sidecars = spec.init_containers.iter().flatten().filter(stays);
        let volumes: Vec<_> = spec.volumes.iter().flatten().filter(|volume| self.is_in(volume)).collect();
        let takes: Vec<_> = sidecars
            .chain(&spec.containers)
            .filter_map(|container| Some((container, self.way(container, &volumes)?)))
            .collect();
        let alone = takes.len() == 1;
        let instance = |(container, way): (&Container, Way)| Instance {
            name: if alone { pod.name_any() } else { format!("{}/{}", pod.name_any(), container.name) },
            runs_on: runs_on(status(pod, &container.name), way, changed, now),
            trouble: None,
            known_by: format!("{} of {}, and its start", way.words(), container.name),
        };
        takes.into_iter().map(instance).collect()
    }

    /// How a container takes it; the way that follows changes last where there are several.
    fn way(&self, container: &Container, volumes: &[&Volume]) -> Option<Way> {
        let from = container.env_from.iter().flatten().any(|from| self.is_from(from));
        let named = container.env.iter().flatten().any(|env| self.is_named(env));
        let mounts = container.volume_mounts.iter().flatten();
        let mounted = mounts.filter(|mount| volumes.iter().any(|volume| volume.name == mount.name)).map(|mount| {
            let part = mount.sub_path.iter().chain(&mount.sub_path_expr).any(|path| !path.is_empty());
            if part { Way::SubPath } else { Way::Volume }
        });
        (from || named).then_some(Way::Environment).into_iter().chain(mounted).min()
    }

    fn is_in(&self, volume: &Volume) -> bool {
        let projected = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
        let whole = match self {
            Self::ConfigMap(name) => volume.config_map.as_ref().is_some_and(|source| source.name == *name),
            Self::Secret(name) => {
                volume.secret.as_ref().is_some_and(|source| source.secret_name.as_ref() == Some(name))
            }
        };
        whole || projected.into_iter().any(|source| self.is_projected(source))
    }

    fn is_projected(&self, source: &VolumeProjection) -> bool {
        match self {
            Self::ConfigMap(name) => source.config_map.as_ref().is_some_and(|source| source.name == *name),
            Self::Secret(name) => source.secret.as_ref().is_some_and(|source| source.name == *name),
        }
    }

    fn is_from(&self, from: &EnvFromSource) -> bool {
        match self {
            Self::ConfigMap(name) => from.config_map_ref.as_ref().is_some_and(|source| source.name == *name),
            Self::Secret(name) => from.secret_ref.as_ref().is_some_and(|source| source.name == *name),
        }
    }

    fn is_named(&self, env: &EnvVar) -> bool {
        let Some(from) = &env.value_from else { return false };
        match self {
            Self::ConfigMap(name) => from.config_map_key_ref.as_ref().is_some_and(|key| key.name == *name),
            Self::Secret(name) => from.secret_key_ref.as_ref().is_some_and(|key| key.name == *name),
        }
    }
}

fn status<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let all = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
    all.into_iter().find(|status| status.name == container)
}

/// What a container can have seen: what stood there when it started, and in a volume what came later, once the kubelet has brought it.
fn runs_on(status: Option<&ContainerStatus>, way: Way, changed: Option<Timestamp>, now: Timestamp) -> RunsOn {
    let state = status.and_then(|status| status.state.as_ref());
    let started = state.and_then(|state| state.running.as_ref()?.started_at.as_ref());
    let unclear = |why: &str| RunsOn::Unclear { why: why.to_owned() };
    let Some(at) = started.map(|time| time.0) else { return unclear("its container does not run") };
    let Some(changed) = changed else { return unclear("nothing records when the object was changed") };
    // Both are told to the second.
    if at == changed {
        return unclear("it started within the second of the change");
    }
    if way == Way::Volume && at < changed {
        return match now.duration_since(changed) < KUBELET {
            true => unclear("not yet: its kubelet brings a change within 60 to 90 s"),
            false => unclear(
                "its file follows the object, and only its process knows whether it has read that again: let it tell, in \
                 JSON or by a metric",
            ),
        };
    }
    RunsOn::LoadedAt { at, why: way.why().map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn pod(containers: &Value, started: Option<&str>) -> Pod {
        let names = containers.as_array().unwrap().iter().map(|container| container["name"].clone());
        let state = match started {
            Some(started) => json!({ "running": { "startedAt": started } }),
            None => json!({ "waiting": { "reason": "CrashLoopBackOff" } }),
        };
        let status = |name| json!({ "name": name, "state": state, "image": "", "imageID": "", "ready": true, "restartCount": 0 });
        let statuses: Vec<_> = names.map(status).collect();
        let volumes = json!([
            { "name": "whole", "configMap": { "name": "settings" } },
            { "name": "joined", "projected": { "sources": [{ "configMap": { "name": "settings" } }] } },
            { "name": "other", "configMap": { "name": "other" } },
            { "name": "secret", "secret": { "secretName": "settings" } },
        ]);
        serde_json::from_value(json!({
            "metadata": { "name": "web-0" },
            "spec": { "containers": containers, "volumes": volumes },
            "status": { "phase": "Running", "containerStatuses": statuses },
        }))
        .unwrap()
    }

    fn told(pod: &Pod, object: &Mounted, changed: Option<&str>) -> Vec<String> {
        let taken = object.taken(pod, changed.map(at), at("2026-11-30T12:10:00Z"));
        taken.into_iter().map(|one| format!("{}: {}: {:?}", one.name, one.known_by, one.runs_on)).collect()
    }

    #[test]
    fn pods_take_an_object_in_many_ways() {
        let containers = json!([
            { "name": "env", "env": [{ "name": "A", "valueFrom": { "configMapKeyRef": { "name": "settings", "key": "a" } } }] },
            { "name": "from", "envFrom": [{ "configMapRef": { "name": "settings" } }] },
            { "name": "part", "volumeMounts": [{ "name": "whole", "mountPath": "/a", "subPath": "a" }] },
            { "name": "whole", "volumeMounts": [{ "name": "whole", "mountPath": "/a" }] },
            { "name": "joined", "volumeMounts": [{ "name": "joined", "mountPath": "/a" }] },
            { "name": "both", "envFrom": [{ "configMapRef": { "name": "settings" } }],
              "volumeMounts": [{ "name": "whole", "mountPath": "/a" }] },
            { "name": "other", "env": [{ "name": "A", "value": "settings" }], "volumeMounts": [{ "name": "other", "mountPath": "/a" }] },
            { "name": "secret", "volumeMounts": [{ "name": "secret", "mountPath": "/a" }] },
        ]);
        let pod = pod(&containers, Some("2026-11-30T12:00:00Z"));
        let settings = || "settings".to_owned();
        let mut all = told(&pod, &Mounted::ConfigMap(settings()), Some("2026-11-30T12:05:00Z"));
        all.extend(told(&pod, &Mounted::Secret(settings()), Some("2026-11-30T11:00:00Z")));
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn what_a_container_can_have_seen_follows_from_its_start() {
        let containers = json!([{ "name": "web", "volumeMounts": [{ "name": "whole", "mountPath": "/a" }] }]);
        let object = Mounted::ConfigMap("settings".to_owned());
        let cases = [
            (Some("2026-11-30T12:00:00Z"), Some("2026-11-30T11:59:59Z")),
            (Some("2026-11-30T12:00:00Z"), Some("2026-11-30T12:00:00Z")),
            (Some("2026-11-30T12:00:00Z"), Some("2026-11-30T12:08:29Z")),
            (Some("2026-11-30T12:00:00Z"), Some("2026-11-30T12:08:31Z")),
            (Some("2026-11-30T12:00:00Z"), None),
            (None, Some("2026-11-30T12:00:00Z")),
        ];
        let all = cases.map(|(started, changed)| told(&pod(&containers, started), &object, changed).join("\n"));
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn only_managers_of_its_values_tell_when_it_was_changed() {
        let entry = |time: &str, fields: Value| json!({ "manager": "m", "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields });
        let meta = |entries: Value| serde_json::from_value::<ObjectMeta>(json!({ "managedFields": entries })).unwrap();
        let all = json!([
            entry("2026-11-30T10:00:00Z", json!({ "f:data": { ".": {}, "f:a": {} } })),
            entry("2026-11-30T11:00:00Z", json!({ "f:binaryData": { "f:b": {} } })),
            entry("2026-11-30T12:00:00Z", json!({ "f:metadata": { "f:labels": {} } })),
        ]);
        assert_eq!(changed(&meta(all)), Some(at("2026-11-30T11:00:00Z")));
        assert_eq!(changed(&meta(json!([]))), None);
    }
}
