//! placeholder until the process module lands
use serde::{Deserialize, Serialize};
/// Names one process of this machine beyond doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// pid
    pub pid: u32,
    /// ticks
    pub start_ticks: u64,
    /// boot
    pub boot_id: String,
}
impl Identity {
    /// this process
    #[must_use]
    pub fn current() -> Self {
        Self { pid: std::process::id(), start_ticks: 0, boot_id: String::new() }
    }
    /// alive
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.pid == std::process::id()
    }
}
