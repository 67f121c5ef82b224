//! Owners that have lost a run: they say that they act no more, or they are ended where that can be.

use super::{Context, Entry, Event};
use crate::{
    journal::{Grant, Owner, Record},
    model::Epoch,
};

/// The owners of earlier terms, each with its last one; `ours` is none of them.
pub(super) fn others(records: &[Record], entries: &[Entry], ours: &Owner) -> Vec<(Owner, Epoch)> {
    let mut others: Vec<(Owner, Epoch)> = Vec::new();
    for (record, entry) in records.iter().zip(entries) {
        if let Entry::Owned { owner, .. } = entry
            && owner.process != ours.process
        {
            others.retain(|(known, _)| known.process != owner.process);
            others.push((owner.clone(), record.epoch));
        }
    }
    others
}

/// Ends those that may still act, before what they have begun is ended: whoever was stopped between its last look at the lock and
/// its act would do it once it is woken.
pub(super) async fn end(context: &Context, grant: &Grant, others: Vec<(Owner, Epoch)>) {
    for (owner, term) in others {
        let remark = match context.store.end(&grant.run, &owner, term).await {
            Ok(false) => continue,
            Ok(true) => {
                format!("{owner} has lost the run and did not say within 2 s that it acts no more: it was ended")
            }
            Err(e) => format!("{owner} has lost the run, may still act, and cannot be ended: {e}"),
        };
        context.events.event(&Event::Remark(&remark));
    }
}
