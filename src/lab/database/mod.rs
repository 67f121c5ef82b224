//! Real database clusters: hosts whose agents start, break and fix them, as machines and networks are broken and mended.

mod agent;
mod cluster;
mod desired;
mod disk;
mod engine;
mod etcd;
mod facts;
mod gate;
mod holder;
mod hosts;
mod kind;
mod known;
mod machine;
mod mariadb;
mod patroni;
mod peer;
mod postgres;
pub mod programs;
mod proxy;
mod routes;
mod site;
mod sweep;
mod tool;

pub use agent::{HostStand, serve};
pub use cluster::Cluster;
pub use disk::impossible as disk_impossible;
pub use hosts::LabHosts;
pub use kind::{DatabaseKind, Setting, Settings};
pub use known::{LabDatabase, LabHost, LabNode};
pub use sweep::sweep;
