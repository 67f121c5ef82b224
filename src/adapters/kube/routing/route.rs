//! What a way of routing says: which object routes, how its shares are read and written, and how the slots are reached.

use kube::api::{DynamicObject, GroupVersionKind};

use super::super::object::Replace;
use crate::{
    model::{Slot, Weights},
    ports::PortError,
};

/// Where a request enters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Over the network, with a header and its value if previews are told by one.
    Address { url: String, header: Option<(String, String)> },
    /// Through the API server's proxy to a Service.
    Service(String),
}

/// One way of routing. What is common to all of them is in [`super::Router`]: reading the object, writing it on condition
/// and with the epoch, and what has to be permitted for that.
pub trait Route: Send + Sync {
    /// The kind and the name of the object that routes.
    fn object(&self) -> (GroupVersionKind, &str);

    /// The shares that the object gives.
    ///
    /// # Errors
    /// Where it says what a switchover has no word for.
    fn weights(&self, object: &DynamicObject) -> Result<Weights, PortError>;

    /// What gives the object, which has shares, other ones.
    ///
    /// # Errors
    /// Where it cannot give them.
    fn replacement(&self, object: &DynamicObject, to: &Weights) -> Result<Replace, PortError>;

    /// The field that is written, as `managedFields` name it.
    fn field(&self) -> Vec<String>;

    /// The Service whose addresses change with the object, and have to follow.
    fn addresses(&self) -> Option<&str> {
        None
    }

    /// The Service whose addresses take a slot's live traffic, where that slot has all of it.
    fn backing(&self, slot: Slot) -> &str;

    /// What says that whoever routes has accepted the object as it stands.
    ///
    /// # Errors
    /// Says why nothing does.
    fn accepted(&self, object: &DynamicObject) -> Result<String, String>;

    /// What it is that gives one slot everything, for people; `None` where the traffic is shared.
    fn undivided(&self) -> Option<&'static str> {
        None
    }

    /// Where live requests enter.
    fn live(&self) -> Entry;

    /// Where requests enter that are meant for one slot.
    fn preview(&self, slot: Slot) -> Entry;
}
