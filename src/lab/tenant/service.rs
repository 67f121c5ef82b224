//! One replica: what it was started with, what it has counted, and what its listeners share.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use axum::http::HeaderValue;

use super::{Options, lifecycle::Lifecycle, upstream::Upstream};
use crate::{
    error::Error,
    lab::{
        connections::{Connections, Speaks},
        defects::Defects,
        flight::Flights,
    },
};

/// How long a client may be silent between two requests. Longer than clients keep idle connections themselves: where the
/// server closes first, it may cut a client that is just sending.
const SILENCE: Duration = Duration::from_secs(600);

/// What all requests of a replica share.
pub struct Service {
    pub options: Options,
    pub slot: HeaderValue,
    pub version: HeaderValue,
    /// Whether it drains or ends.
    pub lifecycle: Lifecycle,
    /// The connections of the business listener.
    pub connections: Connections,
    /// The business requests in flight.
    pub flights: Flights,
    /// What is wrong with the release.
    pub defects: Defects,
    /// The services behind it, where there are some.
    pub upstream: Option<Upstream>,
    #[cfg(feature = "sql")]
    pub database: Option<super::database::Database>,
    /// Business requests that were answered well.
    pub ok: AtomicU64,
    /// Business requests that were not.
    pub failed: AtomicU64,
}

impl Service {
    /// A replica that has not served yet.
    ///
    /// # Errors
    /// Where the version is no header value.
    pub fn new(options: Options) -> Result<Arc<Self>, Error> {
        let version = HeaderValue::from_str(&options.version)
            .map_err(|e| Error::usage(format!("version `{}`: {e}", options.version), "use letters, digits and dots"))?;
        if options.full.is_none()
            && let Some(fault) = options.faults.iter().find(|fault| fault.wants_full())
        {
            return Err(Error::usage(format!("the fault {fault} acts in a full lab only"), "leave it out"));
        }
        Ok(Arc::new(Self {
            upstream: options.full.map(Upstream::new),
            #[cfg(feature = "sql")]
            database: options.database.as_ref().map(super::database::Database::of),
            slot: HeaderValue::from_static(options.slot.name()),
            version,
            lifecycle: Lifecycle::default(),
            connections: Connections::new(SILENCE, Speaks::Http1),
            flights: Flights::default(),
            defects: Defects::new(options.faults.clone()),
            ok: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            options,
        }))
    }
}
