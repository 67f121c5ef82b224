//! Changing one value of an object that belongs to somebody else: conditionally, and marked with the writer's epoch.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{Cluster, names, permissions::Need};
use crate::{model::Epoch, ports::PortError};

/// How often an object that is changed by others meanwhile is read and tried again.
const TRIES: u32 = 5;

/// Which of all the objects that will ever have a name is written. Whoever makes it anew takes it back from us.
#[derive(Default)]
pub struct Bound {
    uid: OnceLock<String>,
    /// A fence was taken there: from here on it bears our mark.
    marked: AtomicBool,
}

impl Bound {
    /// Only the object with this uid is written from here on, the first that is named; where it is `marked` only as long as it
    /// bears a mark.
    pub fn bind(&self, uid: &str, marked: bool) {
        let ours = self.uid.get_or_init(|| uid.to_owned());
        if marked && ours == uid {
            self.marked.store(true, Ordering::Relaxed);
        }
    }

    /// Whether an object is the one, and bears a mark where it did.
    fn admits(&self, title: &str, object: &DynamicObject) -> Result<(), PortError> {
        let Some(ours) = self.uid.get() else { return Ok(()) };
        let replaced = |why: String| Err(PortError::Replaced { what: title.to_owned(), why });
        let uid = object.uid().unwrap_or_default();
        if uid != *ours {
            return replaced(format!("somebody has made it anew (uid {uid}, it was {ours})"));
        }
        if self.marked.load(Ordering::Relaxed) && !object.annotations().contains_key(names::EPOCH) {
            return replaced(format!("somebody has taken the annotation {} from it", names::EPOCH));
        }
        Ok(())
    }

    /// A write of ours was taken.
    fn mark(&self) {
        if self.uid.get().is_some() {
            self.marked.store(true, Ordering::Relaxed);
        }
    }
}

/// An object of somebody else, by kind and name.
#[derive(Clone)]
pub struct Theirs {
    bound: Arc<Bound>,
    cluster: Cluster,
    api: Api<DynamicObject>,
    /// Such as `services/tenant`.
    pub title: String,
    name: String,
    resource: ApiResource,
}

pub struct Replace {
    /// Where it is, as JSON pointers (RFC 6901).
    pub pointer: String,
    /// What is taken to stand there.
    pub from: Value,
    /// What will stand there.
    pub to: Value,
}

impl Theirs {
    /// An object of the cluster's namespace.
    pub fn new(cluster: &Cluster, resource: &ApiResource, name: &str) -> Self {
        Self {
            bound: Arc::default(),
            api: Api::namespaced_with(cluster.client.clone(), &cluster.namespace, resource),
            cluster: cluster.clone(),
            title: format!("{}/{name}", resource.plural),
            name: name.to_owned(),
            resource: resource.clone(),
        }
    }

    /// The same, as far as it is bound.
    #[must_use]
    pub fn bound(self, bound: &Arc<Bound>) -> Self {
        Self { bound: bound.clone(), ..self }
    }

    /// Only the object with this uid is written from here on.
    pub fn bind(&self, uid: &str, marked: bool) {
        self.bound.bind(uid, marked);
    }

    /// Names it in an Event.
    pub fn reference(&self, object: &DynamicObject) -> ObjectReference {
        ObjectReference {
            api_version: Some(self.resource.api_version.clone()),
            kind: Some(self.resource.kind.clone()),
            name: Some(self.name.clone()),
            namespace: Some(self.cluster.namespace.clone()),
            uid: object.uid(),
            resource_version: object.resource_version(),
            field_path: None,
        }
    }

    pub fn need(&self, verb: &'static str) -> Need {
        Need::one(verb, &self.resource.group, &self.resource.plural, &self.name)
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where it is not there, or the server cannot be asked.
    pub async fn read(&self) -> Result<DynamicObject, PortError> {
        self.api.get(&self.name).await.map_err(|e| self.cluster.failure(&format!("get {}", self.title), &e))
    }

    /// Replaces one value, also through a brief outage of the server; where it stands already, only the epoch is raised,
    /// so that no earlier owner writes any more.
    ///
    /// `plan` says what to replace in the object as it stands, each time that it is read, for its place may move.
    /// `seen` spares the first read where the caller has read a moment ago; if anything has changed since, the write
    /// does not land, and the object is read again.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has written, [`PortError::Conflict`] where something else than
    /// `from` stands there, [`PortError::Replaced`] where it is bound to another object, and what `plan` says.
    pub async fn replace(
        &self,
        seen: Option<DynamicObject>,
        epoch: Epoch,
        plan: impl Fn(&DynamicObject) -> Result<Replace, PortError>,
    ) -> Result<DynamicObject, PortError> {
        let mut seen = seen;
        super::patience::outlast(self.cluster.outage, || {
            let seen = seen.take();
            self.try_replace(seen, epoch, &plan)
        })
        .await
    }

    async fn try_replace(
        &self,
        seen: Option<DynamicObject>,
        epoch: Epoch,
        plan: &impl Fn(&DynamicObject) -> Result<Replace, PortError>,
    ) -> Result<DynamicObject, PortError> {
        let mut next = seen;
        for _ in 0..TRIES {
            let object = match next.take() {
                Some(object) => object,
                None => self.read().await?,
            };
            self.bound.admits(&self.title, &object)?;
            let marked = fence(&object, epoch)?;
            let replace = plan(&object)?;
            let found = object.data.pointer(&replace.pointer).cloned().unwrap_or(Value::Null);
            if found == replace.to && marked {
                self.bound.mark();
                return Ok(object);
            }
            if found != replace.from && found != replace.to {
                return Err(PortError::Conflict { found, expected: replace.from });
            }
            match self.patch(&object, &found, &replace, epoch, false).await {
                // Something of it has changed since it was read: see what.
                Err(kube::Error::Api(status)) if matches!(status.code, 409 | 422) => {}
                Err(e) => return Err(self.cluster.failure(&format!("patch {}", self.title), &e)),
                Ok(object) => {
                    self.bound.mark();
                    return Ok(object);
                }
            }
        }
        Err(PortError::unexpected(
            &self.title,
            format!("it was changed by others {TRIES} times in a row, right before our write"),
        ))
    }

    /// Tries a replacement without effect.
    ///
    /// # Errors
    /// What the server says against it.
    pub async fn rehearse(&self, object: &DynamicObject, replace: &Replace) -> Result<(), PortError> {
        // The highest there is: a rehearsal is refused by nobody's epoch.
        let tried = self.patch(object, &replace.from, replace, Epoch(u64::MAX), true).await;
        tried.map(drop).map_err(|e| self.cluster.failure(&format!("patch {} (dry run)", self.title), &e))
    }

    async fn patch(
        &self,
        object: &DynamicObject,
        found: &Value,
        replace: &Replace,
        epoch: Epoch,
        dry: bool,
    ) -> kube::Result<DynamicObject> {
        let operations = operations(object, found, replace, epoch);
        let patch: json_patch::Patch = serde_json::from_value(operations).map_err(kube::Error::SerdeError)?;
        let params =
            PatchParams { field_manager: Some(names::MANAGER.to_owned()), dry_run: dry, ..PatchParams::default() };
        self.api.patch(&self.name, &params, &Patch::Json::<()>(patch)).await
    }
}

/// The epoch that an object bears; 0 where it bears none.
pub fn epoch(object: &DynamicObject) -> Epoch {
    Epoch(object.annotations().get(names::EPOCH).and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Refuses where a later owner has written; says whether the last one was of our own epoch.
fn fence(object: &DynamicObject, ours: Epoch) -> Result<bool, PortError> {
    let Epoch(theirs) = epoch(object);
    if theirs > ours.0 {
        return Err(PortError::Superseded { ours: ours.0, theirs });
    }
    Ok(theirs == ours.0)
}

/// The JSON Patch (RFC 6902): lands only on the very object that was read.
fn operations(object: &DynamicObject, found: &Value, replace: &Replace, epoch: Epoch) -> Value {
    let mut operations = vec![
        json!({ "op": "test", "path": "/metadata/uid", "value": object.uid() }),
        json!({ "op": "test", "path": "/metadata/resourceVersion", "value": object.resource_version() }),
        json!({ "op": "test", "path": replace.pointer, "value": found }),
        json!({ "op": "replace", "path": replace.pointer, "value": replace.to }),
    ];
    if object.annotations().is_empty() {
        operations.push(json!({ "op": "add", "path": "/metadata/annotations", "value": {} }));
    }
    let epoch = epoch.0.to_string();
    operations.push(json!({ "op": "add", "path": names::annotation(names::EPOCH), "value": epoch }));
    Value::Array(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(annotations: Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "tenant", "uid": "6f1c", "resourceVersion": "41", "annotations": annotations },
            "spec": { "selector": { "slot": "blue" } },
        }))
        .unwrap()
    }

    fn to_green() -> Replace {
        Replace { pointer: "/spec/selector/slot".to_owned(), from: json!("blue"), to: json!("green") }
    }

    #[test]
    fn a_patch_lands_only_on_what_was_read() {
        let operations = operations(&service(json!({})), &json!("blue"), &to_green(), Epoch(7));
        assert_eq!(
            operations,
            json!([
                { "op": "test", "path": "/metadata/uid", "value": "6f1c" },
                { "op": "test", "path": "/metadata/resourceVersion", "value": "41" },
                { "op": "test", "path": "/spec/selector/slot", "value": "blue" },
                { "op": "replace", "path": "/spec/selector/slot", "value": "green" },
                { "op": "add", "path": "/metadata/annotations", "value": {} },
                { "op": "add", "path": "/metadata/annotations/interlock~1epoch", "value": "7" },
            ])
        );
    }

    #[test]
    fn a_later_epoch_refuses() {
        let later = service(json!({ "interlock/epoch": "9" }));
        assert!(matches!(fence(&later, Epoch(7)), Err(PortError::Superseded { ours: 7, theirs: 9 })));
        assert!(fence(&later, Epoch(9)).unwrap());
        assert!(!fence(&later, Epoch(10)).unwrap());
        assert!(!fence(&service(json!({})), Epoch(1)).unwrap());
    }
}
