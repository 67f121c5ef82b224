//! Entries as lines, and a hook on them: what tests read, and what they wait for.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use interlock::guard::{Entry, Event, Events};

/// One entry on one line, without what differs from run to run.
pub fn told(entry: &Entry) -> String {
    match entry {
        Entry::Planned { .. } => "planned".to_owned(),
        Entry::Gated { gate, .. } => format!("gate {}", gate.name),
        Entry::Owned { role, .. } => format!("owned {role:?}"),
        Entry::Captured { step, prior, .. } => format!("{step} captured {prior}"),
        Entry::Intended { step, means } => format!("{step} intended {}", means.what()),
        Entry::Over { step, means } => format!("{step} over {}", means.what()),
        Entry::Prepared { step, key, prior, to } => format!("{step} prepared {key}: {prior} -> {to}"),
        Entry::Applied { step } => format!("{step} applied"),
        Entry::Failed { step, why } => format!("{step} failed {why}"),
        Entry::Skipped { step, why } => format!("{step} skipped {why}"),
        Entry::Observed { step, verdict, .. } => format!("{step} looked {verdict:?}"),
        Entry::Undone { step } => format!("{step} undone"),
        Entry::Stuck { step, why } => format!("{step} stuck {why}"),
        Entry::Held { why } => format!("held {why}"),
        Entry::Resumed { how } => format!("resumed {how:?}"),
        Entry::Interrupted { why } => format!("interrupted {why}"),
        Entry::Resolved { settled, reason } => format!("resolved {settled:?} {reason}"),
        Entry::Notified { receiver, .. } => format!("notified {receiver}"),
        Entry::Finished { outcome } => format!("finished {outcome}"),
        Entry::Pruned { outcome, .. } => format!("pruned {outcome}"),
    }
}

/// Does something when an entry is recorded that the test waits for.
pub struct OnEntry<F>(&'static str, F, AtomicU64, u64);

impl<F: Fn() + Send + Sync> OnEntry<F> {
    /// Does something once, at the first entry whose line begins so.
    pub const fn new(entry: &'static str, then: F) -> Self {
        Self(entry, then, AtomicU64::new(0), 1)
    }

    /// Does something at every entry whose line begins so.
    pub const fn every(entry: &'static str, then: F) -> Self {
        Self(entry, then, AtomicU64::new(0), u64::MAX)
    }
}

impl<F: Fn() + Send + Sync> Events for OnEntry<F> {
    fn event(&self, event: &Event<'_>) {
        if let Event::Recorded(entry) = event
            && told(entry).starts_with(self.0)
            && self.2.fetch_add(1, Ordering::SeqCst) < self.3
        {
            (self.1)();
        }
    }
}

/// Keeps what is remarked.
#[derive(Default)]
pub struct Remarks(pub Mutex<Vec<String>>);

impl Events for Remarks {
    fn event(&self, event: &Event<'_>) {
        if let Event::Remark(text) = event {
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }
}
