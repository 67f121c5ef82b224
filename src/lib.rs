//! Changes a running platform only while its SLOs hold, and puts it back when they don't.
//!
//! Data flows one way: `cli -> app -> operation -> guard -> ports <- adapters, lab`, and `journal` is data below the
//! ports. A plan is data; the journal says what happened;
//! [`guard::next`] folds the two into the one thing to do next, and [`guard::drive`] does it. Whoever comes after a
//! crash asks the same question:
//!
//! ```
//! use interlock::{
//!     guard::{Action, Entry, Next, NoData, Plan, Step, Strength, fold, next},
//!     model::{HumanDuration, Target},
//! };
//! use serde_json::json;
//!
//! let shift = Action::Change { key: "weights".to_owned(), to: json!({"green": 100}), only_if_clean: None };
//! let plan = Plan {
//!     operation: "switchover".to_owned(),
//!     target: Target::parse("tenant")?,
//!     title: "switchover tenant from blue to green".to_owned(),
//!     platform: json!({}),
//!     spec: json!({}),
//!     steps: vec![Step { name: "shift 100 % to green".to_owned(), action: shift }],
//!     no_data: NoData::Hold,
//!     guard: Strength::Local,
//!     ttl: HumanDuration::secs(10),
//! };
//!
//! // Nothing has happened: what stands there is read before it is touched.
//! assert_eq!(next(&plan, &fold(&plan, &[])), Next::Capture(0));
//!
//! // The operator was told to end right after that: the change may be there by half, so it is looked at and undone.
//! let prior = json!({"green": 0});
//! let entries = [
//!     Entry::Captured { step: 0, prior: prior.clone(), object: None },
//!     Entry::Interrupted { why: "SIGINT".to_owned() },
//! ];
//! let Next::Undo { step: 0, prior: back, .. } = next(&plan, &fold(&plan, &entries)) else { panic!() };
//! assert_eq!(*back, prior);
//! # Ok::<(), String>(())
//! ```
//!
//! The rooms that only make up the binary are public for its tests, and hidden here.

#[doc(hidden)]
pub mod adapters;
#[doc(hidden)]
pub mod app;
#[doc(hidden)]
pub mod cli;
pub mod document;
pub mod error;
pub mod guard;
pub mod journal;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod lab;
pub mod model;
pub mod operation;
pub mod ports;
#[doc(hidden)]
pub mod process;
#[doc(hidden)]
pub mod report;
pub mod sequence;
pub mod slo;
pub mod stats;
