//! Snapshots in ConfigMaps: a text in pieces, each overwritten by the next snapshot of the same owner and turn.
//!
//! Whether the pieces are one text shows by the digest that the journal has of it.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::names::{MANAGED_BY, SNAPSHOT, snapshot as name_of};
use crate::{
    adapters::kube::{Cluster, MANAGER, PART, RUN},
    model::{Epoch, RunId},
    ports::PortError,
};

/// How many bytes a piece has; a ConfigMap holds 1 MiB at most.
const PIECE: usize = 768 * 1024;
/// How many pieces a snapshot may have: more than the guard ever keeps apart.
const PIECES: usize = 20;
/// How often a piece is written that comes and goes meanwhile.
const TRIES: u32 = 5;

const TEXT: &str = "text";
const COUNT: &str = "pieces";

pub async fn save(cluster: &Cluster, run: &RunId, of: (Epoch, u8), text: &str) -> Result<(), PortError> {
    let pieces = pieces(text);
    if pieces.len() > PIECES {
        let why = format!("a snapshot of {} bytes does not fit into {PIECES} ConfigMaps; narrow the query", text.len());
        return Err(PortError::unexpected(name_of(run, of, 0), why));
    }
    for (index, piece) in pieces.iter().enumerate() {
        let data = [(TEXT, (*piece).to_owned()), (COUNT, pieces.len().to_string())];
        write(cluster, run, &name_of(run, of, index), data.map(|(key, value)| (key.to_owned(), value)).into()).await?;
    }
    Ok(())
}

/// Replaces a piece, or makes it.
async fn write(cluster: &Cluster, run: &RunId, name: &str, data: BTreeMap<String, String>) -> Result<(), PortError> {
    let api: Api<ConfigMap> = cluster.api();
    let manager = || Some(MANAGER.to_owned());
    let labels = [(MANAGED_BY, MANAGER.to_owned()), (PART, SNAPSHOT.to_owned()), (RUN, run.to_string())];
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
            ..ObjectMeta::default()
        },
        data: Some(data.clone()),
        ..ConfigMap::default()
    };
    let (patch, params) =
        (Patch::Merge(json!({ "data": data })), PatchParams { field_manager: manager(), ..PatchParams::default() });
    for _ in 0..TRIES {
        let patched = cluster.outlast("patch configmaps", || api.patch_metadata(name, &params, &patch)).await;
        match patched {
            Err(PortError::NotFound { .. }) => {}
            other => return other.map(drop),
        }
        let params = PostParams { field_manager: manager(), ..PostParams::default() };
        match cluster.outlast("create configmaps", || api.create(&params, &map)).await {
            // The answer to our own request was lost.
            Err(PortError::Conflict { .. }) => {}
            other => return other.map(drop),
        }
    }
    Err(PortError::unreachable(name, "it comes and goes all the time"))
}

pub async fn read(cluster: &Cluster, run: &RunId, of: (Epoch, u8)) -> Result<Option<String>, PortError> {
    let api: Api<ConfigMap> = cluster.api();
    let (mut text, mut count) = (String::new(), 1);
    for index in 0..PIECES {
        if index >= count {
            break;
        }
        let name = name_of(run, of, index);
        let Some(map) = cluster.outlast("get configmaps", || api.get_opt(&name)).await? else { return Ok(None) };
        let data = map.data.unwrap_or_default();
        count = data.get(COUNT).and_then(|count| count.parse().ok()).unwrap_or(1);
        text.push_str(data.get(TEXT).map_or("", String::as_str));
    }
    Ok(Some(text))
}

/// A text in pieces, none longer than a ConfigMap holds.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut left) = (Vec::new(), text);
    while left.len() > PIECE {
        let (piece, rest) = left.split_at(left.floor_char_boundary(PIECE));
        pieces.push(piece);
        left = rest;
    }
    pieces.push(left);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_text() {
        let long = "wörld ".repeat(400_000);
        let found = pieces(&long);
        assert_eq!(found.concat(), long);
        assert!(found.len() == 4 && found.iter().all(|piece| piece.len() <= PIECE), "{}", found.len());
        assert_eq!(pieces(""), [""]);
    }
}
