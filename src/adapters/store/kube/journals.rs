//! Journals in ConfigMaps: read whole, grown record by record on condition that nobody else has written, and fenced against
//! owners of an earlier term.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api,
    api::{ListParams, PartialObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    chunk::{self, Chunk, PARTS, Tail, key},
    names::{CLOSED, HEAD, JOURNAL, MANAGED_BY, NEXT, TARGET, chunk as name_of},
    parts::{first_part_of, part_of},
    status,
    trouble::trouble,
};
use crate::{
    adapters::kube::{Cluster, EPOCH, MANAGER, PART, RUN, slug},
    error::Error,
    journal::{Chain, Draft, Grant, Record, Sealed, superseded, tampered},
    model::{Epoch, RunId, Target, Timestamp},
    ports::PortError,
};

/// How often a write is tried against others who write the same object.
const TRIES: u32 = 20;
/// How many ConfigMaps one page of a list has.
const PAGE: u32 = 500;

pub struct Journals {
    pub(super) cluster: Cluster,
    tails: Mutex<HashMap<RunId, Tail>>,
    /// Runs that are known to have a record; one that has begun stays so.
    begun: Mutex<HashSet<RunId>>,
}

impl Journals {
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, tails: Mutex::default(), begun: Mutex::default() }
    }

    pub(super) fn api(&self) -> Api<ConfigMap> {
        self.cluster.api()
    }

    fn tails(&self) -> MutexGuard<'_, HashMap<RunId, Tail>> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the next record goes, as far as this process has written there itself.
    pub fn known_tail(&self, run: &RunId) -> Option<Tail> {
        self.tails().get(run).cloned()
    }

    /// Forgets what is known of a run, so that the next write looks again.
    pub fn forget(&self, run: &RunId) {
        self.tails().remove(run);
    }

    /// Whether only the room for the way back is left.
    pub fn is_exhausted(&self, run: &RunId) -> bool {
        self.tails().get(run).is_some_and(Tail::is_exhausted)
    }

    /// Whether a run has a record. One that has none has touched nothing.
    pub async fn has_begun(&self, run: &RunId) -> Result<bool, Error> {
        let begun = || self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun().contains(run) {
            return Ok(true);
        }
        let has = self.part(run, 0).await?.is_some_and(|first| first.closed || !first.lines.is_empty());
        if has {
            begun().insert(run.clone());
        }
        Ok(has)
    }

    /// All records of a run and where the next one goes; `None` where there is no such run.
    pub async fn read(&self, run: &RunId) -> Result<Option<(Vec<Record>, Tail)>, Error> {
        let mut parts: Vec<Chunk> = Vec::new();
        for index in 0..PARTS {
            let Some(part) = self.part(run, index).await? else { break };
            let last = !part.closed;
            parts.push(part);
            if last {
                break;
            }
        }
        if parts.is_empty() { Ok(None) } else { chunk::read(&parts).map(Some) }
    }

    pub(super) async fn part(&self, run: &RunId, index: u32) -> Result<Option<Chunk>, Error> {
        let (api, name) = (self.api(), name_of(run, index));
        let found = self.cluster.outlast(&format!("get configmaps/{name}"), || api.get_opt(&name)).await;
        Ok(found.map_err(|e| trouble(&self.cluster, e))?.map(part_of))
    }

    /// All runs, by the first parts of their journals, oldest first.
    pub async fn runs(&self) -> Result<Vec<RunId>, Error> {
        let mut runs: Vec<_> = self.parts().await?.iter().filter_map(first_part_of).collect();
        runs.sort();
        Ok(runs)
    }

    /// What stands beside the records of all parts.
    pub(super) async fn parts(&self) -> Result<Vec<PartialObjectMeta<ConfigMap>>, Error> {
        self.labelled(&format!("{PART}={JOURNAL}")).await
    }

    /// What stands beside the content of all ConfigMaps with some labels.
    pub(super) async fn labelled(&self, labels: &str) -> Result<Vec<PartialObjectMeta<ConfigMap>>, Error> {
        let api = self.api();
        let mut parts = Vec::new();
        let mut page = ListParams::default().labels(labels).limit(PAGE);
        loop {
            let found = self.cluster.outlast("list configmaps", || api.list_metadata(&page)).await;
            let found = found.map_err(|e| trouble(&self.cluster, e))?;
            parts.extend(found.items);
            match found.metadata.continue_.filter(|next| !next.is_empty()) {
                Some(next) => page = page.continue_token(&next),
                None => return Ok(parts),
            }
        }
    }

    /// Begins a run's journal.
    pub async fn open(&self, run: &RunId, target: &Target, epoch: Epoch) -> Result<(), Error> {
        match self.create(run, target, 0, epoch, None).await {
            Ok(version) => {
                self.tails().insert(run.clone(), first(version, epoch));
                Ok(())
            }
            // The answer to our own request was lost, or a recovering owner was faster (the first append tells); or another
            // run has the same id.
            Err(PortError::Conflict { .. }) if self.is_of(run, target, epoch).await? => Ok(()),
            Err(PortError::Conflict { .. }) => Err(Error::Taken { run: run.to_string() }),
            Err(e) => Err(trouble(&self.cluster, e)),
        }
    }

    /// Whether a run's journal belongs to a target, in this term or a later one.
    async fn is_of(&self, run: &RunId, target: &Target, epoch: Epoch) -> Result<bool, Error> {
        let (api, name) = (self.api(), name_of(run, 0));
        let found = self.cluster.outlast(&format!("get configmaps/{name}"), || api.get_opt(&name)).await;
        Ok(found.map_err(|e| trouble(&self.cluster, e))?.is_some_and(|map| {
            let is_same = map.metadata.labels.as_ref().is_some_and(|labels| labels.get(TARGET) == Some(&slug(target)));
            is_same && part_of(map).epoch >= epoch.0
        }))
    }

    /// Makes sure that no append of an earlier term can succeed from here on, not even one that is under way: whatever
    /// it is conditioned on has changed when this returns.
    pub async fn fence(&self, run: &RunId, target: &Target, epoch: Epoch) -> Result<(), Error> {
        self.forget(run);
        for _ in 0..TRIES {
            let found = self.read(run).await?;
            if let Some((_, tail)) = &found
                && tail.epoch > epoch
            {
                return Err(Error::Superseded { run: run.to_string(), ours: epoch.0, theirs: tail.epoch.0 });
            }
            // A part that is closed cannot be fenced: an earlier owner could still make the next one.
            let fenced = match &found {
                None => self.create(run, target, 0, epoch, None).await,
                Some((_, tail)) if tail.closed => self.create(run, target, tail.chunk + 1, epoch, None).await,
                Some((_, tail)) => {
                    let metadata = json!({ "annotations": { EPOCH: epoch.to_string() } });
                    self.patch(run, tail, metadata, Value::Null).await
                }
            };
            match (fenced, found) {
                (Ok(version), Some((_, tail))) if !tail.closed => {
                    self.tails().insert(run.clone(), Tail { version, epoch, ..tail });
                    return Ok(());
                }
                (Ok(_), _) => return Ok(()),
                (Err(PortError::Conflict { .. } | PortError::NotFound { .. }), _) => {}
                (Err(e), _) => return Err(trouble(&self.cluster, e)),
            }
        }
        Err(self.busy(run))
    }

    /// Appends a record behind `tail`. Where it is not known whether a try went through it is looked up, so that nothing
    /// is written twice.
    pub async fn append(&self, grant: &Grant, mut tail: Tail, at: Timestamp, draft: &Draft) -> Result<Record, Error> {
        let run = &grant.run;
        let state = draft.milestone.as_ref().and_then(|milestone| status::state(milestone, at));
        for _ in 0..TRIES {
            if tail.epoch > grant.epoch {
                self.forget(run);
                return Err(superseded(grant, tail.epoch));
            }
            let sealed = tail.chain.seal(at, grant.epoch, draft.entry.clone());
            let sealed = sealed.map_err(|e| trouble(&self.cluster, PortError::unexpected(name_of(run, 0), e)))?;
            match self.write(grant, &tail, &sealed, state.as_ref()).await {
                Ok(next) => {
                    self.tails().insert(run.clone(), next);
                    return Ok(sealed.record);
                }
                Err(Failed::Raced) => {}
                Err(Failed::Final(e)) => {
                    self.forget(run);
                    return Err(e);
                }
            }
            let place = format!("ConfigMap {}", name_of(run, 0));
            let Some((records, found)) = self.read(run).await? else {
                return Err(tampered(&place, 0, "the journal is gone"));
            };
            if let Some(why) = tail.chain.head().and_then(|head| head.contradiction(&records, &found.chain)) {
                self.forget(run);
                return Err(tampered(&place, tail.chain.records.saturating_sub(1), &why));
            }
            let has_landed =
                sealed.chain.head().is_some_and(|head| head.contradiction(&records, &found.chain).is_none());
            // Where a later term has begun its owner has read it, and it is theirs to act on.
            if has_landed && found.epoch <= grant.epoch {
                self.tails().insert(run.clone(), found);
                return Ok(sealed.record);
            }
            tail = found;
        }
        Err(self.busy(run))
    }

    async fn write(&self, grant: &Grant, tail: &Tail, sealed: &Sealed, state: Option<&Value>) -> Result<Tail, Failed> {
        let run = &grant.run;
        let line = sealed.line.trim_end();
        let head = chunk::head(&sealed.chain);
        if tail.takes(line.len()) {
            let mut metadata = json!({ "annotations": { EPOCH: grant.epoch.to_string(), HEAD: head } });
            if let Some(state) = state.filter(|_| tail.chunk == 0) {
                merge(&mut metadata, state.clone());
            }
            let data = json!({ key(sealed.record.seq): line });
            let version = self.patch(run, tail, metadata, data).await.map_err(|e| self.failed(e))?;
            if let Some(state) = state.filter(|_| tail.chunk > 0) {
                self.say(run, state.clone()).await;
            }
            return Ok(Tail {
                chain: sealed.chain.clone(),
                version,
                bytes: tail.bytes + line.len(),
                epoch: grant.epoch,
                ..tail.clone()
            });
        }
        if tail.chunk + 1 >= PARTS {
            return Err(Failed::Final(Error::Store {
                place: name_of(run, tail.chunk),
                why: format!("the run has filled all of its {PARTS} parts"),
                hint: format!("put things back by hand, then `interlock runs resolve {run}`"),
            }));
        }
        if !tail.closed {
            let metadata = json!({ "annotations": { CLOSED: "true" } });
            self.patch(run, tail, metadata, Value::Null).await.map_err(|e| self.failed(e))?;
        }
        let index = tail.chunk + 1;
        let first_line = Some((key(sealed.record.seq), line.to_owned(), head));
        let version =
            self.create(run, &grant.target, index, grant.epoch, first_line).await.map_err(|e| self.failed(e))?;
        self.note_next(run, index).await;
        if let Some(state) = state {
            self.say(run, state.clone()).await;
        }
        Ok(Tail {
            chain: sealed.chain.clone(),
            chunk: index,
            version,
            bytes: line.len(),
            epoch: grant.epoch,
            closed: false,
        })
    }

    fn failed(&self, error: PortError) -> Failed {
        match error {
            PortError::Conflict { .. } | PortError::NotFound { .. } => Failed::Raced,
            other => Failed::Final(trouble(&self.cluster, other)),
        }
    }

    fn busy(&self, run: &RunId) -> Error {
        trouble(&self.cluster, PortError::unreachable(name_of(run, 0), "others write it all the time"))
    }

    async fn create(
        &self,
        run: &RunId,
        target: &Target,
        index: u32,
        epoch: Epoch,
        first: Option<(String, String, String)>,
    ) -> Result<String, PortError> {
        let labels = [
            (MANAGED_BY, MANAGER.to_owned()),
            (PART, JOURNAL.to_owned()),
            (RUN, run.to_string()),
            (TARGET, slug(target)),
        ];
        let mut annotations = BTreeMap::from([(EPOCH.to_owned(), epoch.to_string())]);
        let data = first.map(|(key, line, head)| {
            annotations.insert(HEAD.to_owned(), head);
            BTreeMap::from([(key, line)])
        });
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(name_of(run, index)),
                labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            },
            data,
            ..ConfigMap::default()
        };
        let (api, params) =
            (self.api(), PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() });
        let made = self.cluster.outlast("create configmaps", || api.create(&params, &map)).await?;
        Ok(made.metadata.resource_version.unwrap_or_default())
    }

    /// Changes the newest part, on condition that it is still as `tail` says.
    pub(super) async fn patch(
        &self,
        run: &RunId,
        tail: &Tail,
        metadata: Value,
        data: Value,
    ) -> Result<String, PortError> {
        let (api, name) = (self.api(), name_of(run, tail.chunk));
        let mut patch = json!({ "metadata": { "resourceVersion": tail.version } });
        merge(&mut patch["metadata"], metadata);
        if !data.is_null() {
            patch["data"] = data;
        }
        let (params, patch) =
            (PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }, Patch::Merge(patch));
        let verb = format!("patch configmaps/{name}");
        let patched = self.cluster.outlast(&verb, || api.patch_metadata(&name, &params, &patch)).await?;
        Ok(patched.metadata.resource_version.unwrap_or_default())
    }

    /// Notes that a part is followed by another, so that one that is taken away shows. Left out where it fails: a note
    /// that lacks is no contradiction.
    async fn note_next(&self, run: &RunId, index: u32) {
        self.annotate(run, index - 1, json!({ "annotations": { NEXT: name_of(run, index) } })).await;
    }

    /// Says on the first part how the run stands, for people only.
    async fn say(&self, run: &RunId, state: Value) {
        self.annotate(run, 0, state).await;
    }

    async fn annotate(&self, run: &RunId, index: u32, metadata: Value) {
        let (api, name) = (self.api(), name_of(run, index));
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        if let Err(e) = self.cluster.outlast("patch configmaps", || api.patch_metadata(&name, &params, &patch)).await {
            tracing::debug!("{name} was not annotated: {e}");
        }
    }
}

/// Why a write has not succeeded.
enum Failed {
    /// Someone else has written, or it is not known whether we have: look again.
    Raced,
    Final(Error),
}

fn first(version: String, epoch: Epoch) -> Tail {
    Tail { chain: Chain::default(), chunk: 0, version, bytes: 0, epoch, closed: false }
}

/// Lays one object over another, two levels deep at most.
fn merge(into: &mut Value, from: Value) {
    let (Value::Object(into), Value::Object(from)) = (into, from) else { return };
    for (key, value) in from {
        match into.get_mut(&key) {
            Some(inner @ Value::Object(_)) => merge(inner, value),
            _ => drop(into.insert(key, value)),
        }
    }
}
