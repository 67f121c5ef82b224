//! Others who manage the same fields, and would put back within seconds what interlock writes.

use k8s_openapi::api::autoscaling::v1::HorizontalPodAutoscaler;
use kube::{
    ResourceExt as _,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;

use super::{Cluster, names, object::Theirs};
use crate::ports::{Manager, PortError};

/// Tools that a person runs and that do not come back by themselves.
const BY_HAND: [&str; 5] = ["kubectl", "helm", "terraform", "curl", "python-requests"];

/// Marks by which tools that keep a namespace in step with a repository name what they keep: the annotation or label,
/// who it is, and how to keep it out of the way.
const MARKS: [(&str, &str, &str); 4] = [
    ("argocd.argoproj.io/tracking-id", "Argo CD", ARGO),
    ("argocd.argoproj.io/instance", "Argo CD", ARGO),
    ("kustomize.toolkit.fluxcd.io/name", "Flux", "`flux suspend kustomization NAME`"),
    ("helm.toolkit.fluxcd.io/name", "Flux", "`flux suspend helmrelease NAME`"),
];
const ARGO: &str = "list the field under `ignoreDifferences` of the Application, with RespectIgnoreDifferences, or switch \
                    its automated sync off";

/// Who else manages a field of an object: those who own it by their own word, and those whose marks it bears.
pub fn of_field(theirs: &Theirs, object: &DynamicObject, field: &[String]) -> Vec<Manager> {
    let at = field.join(".");
    let mut found: Vec<Manager> = Vec::new();
    for (mark, who, hint) in MARKS {
        let marked = object.annotations().contains_key(mark) || object.labels().contains_key(mark);
        // Argo CD bears two marks.
        if marked && !found.iter().any(|manager| manager.what.starts_with(who)) {
            found.push(Manager {
                what: format!("{who} keeps {} in step ({mark})", theirs.title),
                hint: hint.to_owned(),
            });
        }
    }
    for owner in owners(object, field).into_iter().filter(|owner| !is_by_hand(owner)) {
        let known = MARKS.iter().find(|(.., who, _)| owner.starts_with(&who.to_lowercase().replace(' ', "")));
        let hint = known.map_or_else(
            || format!("make `{owner}` leave {at} alone while this runs"),
            |(.., hint)| (*hint).to_owned(),
        );
        if known.is_none_or(|(_, who, _)| !found.iter().any(|manager| manager.what.starts_with(who))) {
            found.push(Manager { what: format!("`{owner}` owns {at} of {}", theirs.title), hint });
        }
    }
    found
}

/// The field managers that own a field, or the nearest thing around it that is owned as a whole: an atomic map or list,
/// such as a Service's selector, is recorded by itself and not by what it holds.
fn owners(object: &DynamicObject, field: &[String]) -> Vec<String> {
    let mut owners = Vec::new();
    for entry in object.managed_fields() {
        let Some(fields) = &entry.fields_v1 else { continue };
        let name = entry.manager.clone().unwrap_or_default();
        if owns(&fields.0, field) && !owners.contains(&name) {
            owners.push(name);
        }
    }
    owners
}

/// Whether a set of fields holds a field, or something around it without parts of its own.
fn owns(set: &Value, field: &[String]) -> bool {
    let mut at = set;
    for (depth, name) in field.iter().enumerate() {
        match at.get(format!("f:{name}")) {
            Some(inner) => at = inner,
            // Nothing is recorded below: what was reached is owned as a whole, unless it is the object itself.
            None => return depth > 0 && at.as_object().is_some_and(serde_json::Map::is_empty),
        }
    }
    true
}

fn is_by_hand(manager: &str) -> bool {
    manager == names::MANAGER
        || BY_HAND.iter().any(|tool| {
            manager == *tool
                || manager.strip_prefix(tool).is_some_and(|rest| rest.starts_with(['-', '/']) && rest != "-controller")
        })
}

/// Autoscalers of a workload: they set its scale by themselves.
///
/// # Errors
/// Where they cannot be listed.
pub async fn autoscalers(cluster: &Cluster, kind: &str, name: &str) -> Result<Vec<Manager>, PortError> {
    let all = cluster.api::<HorizontalPodAutoscaler>().list(&ListParams::default()).await;
    let all = all.map_err(|e| cluster.failure("list horizontalpodautoscalers", &e))?;
    let scales = |hpa: &&HorizontalPodAutoscaler| {
        hpa.spec.as_ref().is_some_and(|spec| spec.scale_target_ref.kind == kind && spec.scale_target_ref.name == name)
    };
    let told = |hpa: &HorizontalPodAutoscaler| Manager {
        what: format!("HorizontalPodAutoscaler {} sets the scale of {kind} {name}", hpa.name_any()),
        hint: "leave --scale-down-old out, and let the autoscaler shrink what is idle".to_owned(),
    };
    Ok(all.iter().filter(scales).map(told).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(managers: &[&str]) -> DynamicObject {
        let fields: Vec<_> = managers
            .iter()
            .map(|name| {
                json!({ "manager": name, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
                        "fieldsV1": { "f:spec": { "f:selector": { "f:slot": {} } } } })
            })
            .collect();
        serde_json::from_value(json!({ "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "tenant", "managedFields": fields } }))
        .unwrap()
    }

    #[test]
    fn hands_are_no_managers_and_controllers_are() {
        let field = ["spec", "selector", "slot"].map(str::to_owned);
        let tools = ["kubectl-client-side-apply", "kubectl-edit", "kubectl", "helm", "interlock"];
        let all = [tools.as_slice(), &["kustomize-controller", "argocd-controller", "helm-controller", "our-operator"]]
            .concat();
        let owners: Vec<_> = owners(&object(&all), &field).into_iter().filter(|owner| !is_by_hand(owner)).collect();
        assert_eq!(owners, ["kustomize-controller", "argocd-controller", "helm-controller", "our-operator"]);
        assert!(super::owners(&object(&all), &["spec", "ports"].map(str::to_owned)).is_empty());
    }

    #[test]
    fn what_is_owned_as_a_whole_is_owned_in_each_of_its_parts() {
        let field = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        for (set, path, owned) in [
            // A granular map: its keys are recorded one by one.
            (json!({ "f:spec": { "f:selector": { ".": {}, "f:slot": {} } } }), "spec.selector.slot", true),
            (json!({ "f:spec": { "f:selector": { ".": {}, "f:app": {} } } }), "spec.selector.slot", false),
            (json!({ "f:spec": { "f:selector": { ".": {} } } }), "spec.selector.slot", false),
            // An atomic map, as a Service's selector is.
            (json!({ "f:spec": { "f:selector": {} } }), "spec.selector.slot", true),
            (json!({ "f:spec": { "f:ports": {} } }), "spec.selector.slot", false),
            // An atomic list, and one whose items are told apart by keys.
            (json!({ "f:spec": { "f:rules": {} } }), "spec.rules", true),
            (json!({ "f:spec": { "f:ports": { "k:{\"port\":8080}": { "f:port": {} } } } }), "spec.ports", true),
            (json!({ "f:spec": { "f:ports": { "k:{\"port\":8080}": {} } } }), "spec.selector", false),
            // A whole that is owned further out, a leaf, and nothing at all.
            (json!({ "f:spec": {} }), "spec.selector.slot", true),
            (json!({ "f:spec": { "f:replicas": {} } }), "spec.replicas", true),
            (json!({ "f:status": {} }), "spec.replicas", false),
            (json!({}), "spec.replicas", false),
        ] {
            assert_eq!(owns(&set, &field(path)), owned, "{path} in {set}");
        }
    }
}
