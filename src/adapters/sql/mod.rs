//! What the adapters of replicated databases share: how they are connected to, and how their state is told in words.

mod address;
mod connect;
mod kept;
pub(super) mod limits;
mod roles;
mod standing;
mod tls;
pub(super) mod verdict;

pub use connect::{Admin, Connect, Secret, Tls};

pub(super) use address::{Server, servers};
pub(super) use kept::Kept;
pub(super) use roles::{primary_for, streams, unseen};
pub(super) use standing::{standing, with_standing};
pub(super) use tls::{client_config, usable};
