//! Renders what happens for people and machines; with `cli` the only place that prints.

mod checkup;
mod config;
mod conformance;
mod diagnostic;
mod event;
mod json;
mod junit;
mod lint;
mod narrate;
mod queue;
mod reporter;
mod status;
mod style;
mod table;
mod terminal;

pub use checkup::{Finding, State, checkup};
pub use config::{configs, configs_junit, configs_metrics};
pub use conformance::{
    Drawn, annotated, conformance, conformance_json, junit, selftest, selftest_json, states, states_json,
};
pub use diagnostic::{plain_wanted, render};
pub use event::{Format, remark, say};
pub use json::{print, print_each};
pub use lint::{annotations, findings, findings_json, sarif};
pub use narrate::{Narrator, Told};
pub use reporter::Reporter;
pub use status::{SlotNow, status, status_json};
pub use style::{Style, is_plain};
pub use table::{closing, gates, history, keys, of_run, plan, runs, show, standing};
