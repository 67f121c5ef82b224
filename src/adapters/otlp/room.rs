//! The place that spans may take: so many of them, and so many bytes.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use super::weight;
use crate::model::trace::Resource;

/// Of how many resources one copy is kept for all spans.
const MOST_RESOURCES: usize = 256;
/// How large such a resource may be.
const LARGEST_RESOURCE: usize = 16 * 1024;

/// A place for spans, shared by all who decode into it.
#[derive(Debug)]
pub(super) struct Room {
    most_spans: usize,
    most_bytes: usize,
    spans: AtomicUsize,
    bytes: AtomicUsize,
    resources: Mutex<Vec<Arc<Resource>>>,
}

impl Room {
    pub(super) fn new(most_spans: usize, most_bytes: usize) -> Self {
        Self {
            most_spans,
            most_bytes,
            spans: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            resources: Mutex::default(),
        }
    }

    /// Takes a place; `false` where there is none left.
    pub(super) fn take(&self, spans: usize, bytes: usize) -> bool {
        let had = (self.spans.fetch_add(spans, Ordering::Relaxed), self.bytes.fetch_add(bytes, Ordering::Relaxed));
        let fits = self.could_hold(had.0.saturating_add(spans), had.1.saturating_add(bytes));
        if !fits {
            self.give(spans, bytes);
        }
        fits
    }

    /// Gives a place back.
    pub(super) fn give(&self, spans: usize, bytes: usize) {
        self.spans.fetch_sub(spans, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether so much would find place if nothing else were here.
    pub(super) const fn could_hold(&self, spans: usize, bytes: usize) -> bool {
        spans <= self.most_spans && bytes <= self.most_bytes
    }

    pub(super) fn bound(&self) -> String {
        format!("{} spans or {} MiB", self.most_spans, self.most_bytes >> 20)
    }

    /// One copy for all spans of a resource, and the bytes that it takes beyond what is kept here anyhow.
    pub(super) fn share(&self, resource: Resource) -> (Arc<Resource>, usize) {
        let bytes = weight::resource(&resource);
        let mut known = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|other| ***other == resource) {
            return (same.clone(), 0);
        }
        let resource = Arc::new(resource);
        if known.len() >= MOST_RESOURCES || bytes > LARGEST_RESOURCE {
            return (resource, bytes);
        }
        known.push(resource.clone());
        (resource, 0)
    }
}
