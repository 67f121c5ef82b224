//! What the adapters of replicated databases share: how they are connected to, and how their state is told in words.

mod address;
mod connect;
pub(super) mod limits;
mod standing;
mod tls;

pub use connect::{Admin, Connect, Secret, Tls};

pub(super) use address::{Server, servers};
pub(super) use standing::{standing, with_standing};
pub(super) use tls::{client_config, roots};
