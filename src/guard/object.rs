//! Which object a key was captured at: another one of the same name is somebody else's.

use serde_json::Value;

use super::{Entry, Operation, Plan, next::key_of};
use crate::{model::Epoch, ports::PortError};

/// Binds an operation to the objects that a run has captured; a fence was taken at each of them.
pub(super) fn bind(operation: &dyn Operation, plan: &Plan, entries: &[Entry]) {
    for entry in entries {
        if let Entry::Captured { step, object: Some(object), .. } = entry
            && let Some(key) = key_of(plan, *step)
        {
            operation.bind(key, object, true);
        }
    }
}

/// What stands at a key, fenced, and the object there, to which the operation is bound from here on.
pub(super) async fn fence(
    operation: &dyn Operation,
    key: &str,
    epoch: Epoch,
) -> Result<(Value, Option<String>), PortError> {
    let object = operation.object(key).await?;
    if let Some(object) = &object {
        operation.bind(key, object, false);
    }
    Ok((operation.fence(key, epoch).await?, object))
}
