//! Services that people write as scripts: one file a service, run by one generic process a replica.

mod admission;
mod backings;
mod calls;
mod check;
mod config;
mod consume;
mod declarations;
mod declared;
mod directory;
mod doors;
mod engine;
mod faults;
mod folder;
mod host;
mod observed;
mod place;
mod process;
mod program;
mod relay;
mod reload;
mod reply;
mod request;
mod route;
mod run;
mod schedule;
mod subscriptions;
mod turn;
mod value;
mod webhook;

pub use check::{Checked, check};
pub use config::{FILE as CONFIG_FILE, Publisher, desired as desired_config};
pub use directory::Instance;
pub use faults::ServiceFaults;
pub use folder::{ScriptedService, scripted};
pub use process::{Options, serve};
pub use webhook::make as make_secrets;
