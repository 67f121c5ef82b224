//! Runs that are over: what stands beside their records for people, and what takes the place of these.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, PartialObjectMeta};
use serde_json::{Value, json};

use super::{
    chunk::{self, Chunk},
    journals::Journals,
    names::{BEGAN, CLOSED, ENDED, HEAD, MANAGED_BY, NEXT, OUTCOME, PRUNED, STATE, TARGET, TITLE, chunk as name_of},
    parts::first_part_of,
    trouble::trouble,
};
use crate::{
    adapters::kube::{MANAGER, RUN},
    error::Error,
    journal::{Record, tampered},
    model::{RunId, Target, Timestamp},
    ports::{Glance, PortError},
};

impl Journals {
    /// The runs whose first parts say that they are over, and all that a list needs.
    pub async fn glance(&self) -> Result<Vec<Glance>, Error> {
        Ok(self.parts().await?.iter().filter_map(glance).collect())
    }

    /// The runs whose first parts say that they are pruned and that have others.
    pub async fn half_pruned(&self) -> Result<Vec<RunId>, Error> {
        let all = self.labelled(&format!("{MANAGED_BY}={MANAGER}")).await?;
        let is_pruned = |map: &&PartialObjectMeta<ConfigMap>| {
            map.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(PRUNED))
        };
        let pruned: BTreeSet<RunId> = all.iter().filter(is_pruned).filter_map(first_part_of).collect();
        let others = all.iter().filter(|map| first_part_of(map).is_none());
        let of = |map: &PartialObjectMeta<ConfigMap>| RunId::parse(map.metadata.labels.as_ref()?.get(RUN)?).ok();
        let left: BTreeSet<RunId> = others.filter_map(of).collect();
        Ok(pruned.intersection(&left).cloned().collect())
    }

    /// Replaces all records of a run by one that follows them, in the first part; takes the other parts away, and what else was kept
    /// for the run.
    pub async fn prune(&self, run: &RunId, at: Timestamp, checkpoint: Value) -> Result<Record, Error> {
        let told = |e| trouble(&self.cluster, e);
        let gone = || tampered(&format!("ConfigMap {}", name_of(run, 0)), 0, "the journal is gone");
        let (records, tail) = self.read(run).await?.ok_or_else(gone)?;
        let first = self.part(run, 0).await?.ok_or_else(gone)?;
        let others = self.others(run).await?;
        // Whether we may is known before anything is changed.
        self.delete(others.first().unwrap_or(&first.name), true).await?;
        let record = if first.lines.contains_key(chunk::PRUNED) {
            records.into_iter().next().ok_or_else(gone)?
        } else {
            let epoch = records.last().map(|record| record.epoch).unwrap_or_default();
            let sealed = tail.chain.seal(at, epoch, checkpoint);
            let sealed = sealed.map_err(|e| told(PortError::unexpected(name_of(run, 0), e)))?;
            let mut data: serde_json::Map<String, Value> =
                first.lines.keys().map(|key| (key.clone(), Value::Null)).collect();
            data.insert(chunk::PRUNED.to_owned(), sealed.line.trim_end().into());
            let metadata = json!({ "annotations": { HEAD: null, CLOSED: null, NEXT: null, PRUNED: at } });
            let tail = chunk::Tail { chunk: 0, version: first.version, ..tail };
            let line = sealed.line.trim_end();
            let is_ours = |part: Chunk| part.lines.get(chunk::PRUNED).is_some_and(|found| found == line);
            match self.patch(run, &tail, metadata, data.into()).await {
                // The answer to our own request was lost.
                Err(PortError::Conflict { .. }) if self.part(run, 0).await?.is_some_and(is_ours) => {}
                other => drop(other.map_err(told)?),
            }
            sealed.record
        };
        for other in others {
            self.delete(&other, false).await?;
        }
        Ok(record)
    }

    /// All that we have made for a run but the first part of its journal.
    async fn others(&self, run: &RunId) -> Result<Vec<String>, Error> {
        let first = name_of(run, 0);
        let names = self.labelled(&format!("{MANAGED_BY}={MANAGER},{RUN}={run}")).await?.into_iter();
        Ok(names.filter_map(|map| map.metadata.name).filter(|name| *name != first).collect())
    }

    async fn delete(&self, name: &str, dry_run: bool) -> Result<(), Error> {
        let (api, params) = (self.api(), DeleteParams { dry_run, ..DeleteParams::default() });
        match self.cluster.outlast(&format!("delete configmaps/{name}"), || api.delete(name, &params)).await {
            Ok(_) | Err(PortError::NotFound { .. }) => Ok(()),
            Err(e @ PortError::Forbidden { .. }) => {
                let namespace = &self.cluster.namespace;
                let hint = format!(
                    "`kubectl apply -k manifests/rbac/prune -n {namespace}`, with your names in it, and bind the role to whom you are there"
                );
                Err(Error::port(e, hint))
            }
            Err(e) => Err(trouble(&self.cluster, e)),
        }
    }
}

fn glance(map: &PartialObjectMeta<ConfigMap>) -> Option<Glance> {
    let run = first_part_of(map)?;
    let (labels, annotations) = (map.metadata.labels.as_ref()?, map.metadata.annotations.as_ref()?);
    let word = labels.get(STATE)?.clone();
    let outcome = annotations.get(OUTCOME)?.strip_prefix(&word)?;
    Some(Glance {
        run,
        title: annotations.get(TITLE)?.clone(),
        target: Target::parse(labels.get(TARGET)?).ok()?,
        began: annotations.get(BEGAN)?.parse().ok()?,
        ended: annotations.get(ENDED)?.parse().ok()?,
        why: outcome.strip_prefix(": ").unwrap_or_default().to_owned(),
        word,
        pruned: annotations.contains_key(PRUNED),
    })
}
