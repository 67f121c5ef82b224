//! The ways of routing: a file for each, and here which of them a platform file's `traffic` is.

mod http_route;
#[cfg(test)]
mod laws;
mod route;
mod router;
mod selector;

use std::sync::Arc;

pub use route::Entry;
use route::Route;
pub use router::Router;

use crate::document::Traffic;

/// How traffic reaches the slots of a service.
#[derive(Clone)]
pub struct Routing(Arc<dyn Route>);

impl Routing {
    /// What a platform file says of it.
    #[must_use]
    pub fn of(traffic: &Traffic) -> Self {
        Self(match traffic {
            Traffic::Selector(selector) => Arc::new(selector.clone()),
            Traffic::HttpRoute(route) => Arc::new(route.clone()),
        })
    }

    /// What it is that gives one slot everything, and shares no traffic; `None` where the traffic is shared.
    #[must_use]
    pub fn undivided(&self) -> Option<&'static str> {
        self.0.undivided()
    }
}
