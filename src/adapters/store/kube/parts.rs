//! What a ConfigMap says of the part of a journal that it holds.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PartialObjectMeta;

use super::{
    chunk::Chunk,
    names::{CLOSED, HEAD, NEXT},
};
use crate::{adapters::kube::EPOCH, model::RunId};

/// The part that a ConfigMap holds.
pub fn part_of(map: ConfigMap) -> Chunk {
    let annotations = map.metadata.annotations.unwrap_or_default();
    Chunk {
        name: map.metadata.name.unwrap_or_default(),
        version: map.metadata.resource_version.unwrap_or_default(),
        lines: map.data.unwrap_or_default(),
        head: annotations.get(HEAD).cloned(),
        epoch: annotations.get(EPOCH).and_then(|epoch| epoch.parse().ok()).unwrap_or(0),
        closed: annotations.contains_key(CLOSED),
        has_next: annotations.contains_key(NEXT),
    }
}

/// The run whose first part a ConfigMap holds.
pub fn first_part_of(map: &PartialObjectMeta<ConfigMap>) -> Option<RunId> {
    let name = map.metadata.name.as_deref()?;
    RunId::parse(name.strip_prefix("interlock-run-")?.strip_suffix("-000")?).ok()
}
