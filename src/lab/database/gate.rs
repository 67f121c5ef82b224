//! Gates: what a host's connections pass, and what can be shut.

use std::sync::Arc;

use tokio::sync::watch;

/// Lets through, or holds.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A gate that holds or not.
    #[must_use]
    pub fn new(held: bool) -> Self {
        Self(Arc::new(watch::Sender::new(held)))
    }

    /// Whether it holds.
    #[must_use]
    pub fn is_held(&self) -> bool {
        *self.0.borrow()
    }

    /// Holds, or lets through from now on.
    pub fn set(&self, held: bool) {
        self.0.send_replace(held);
    }

    /// Waits until it holds, or lets through.
    pub async fn wait(&self, held: bool) {
        // The sender lives in `self`, so there is always one.
        let _ = self.0.subscribe().wait_for(|now| *now == held).await;
    }
}

/// Several gates in a row.
#[derive(Debug, Clone)]
pub struct Gates(pub Vec<Gate>);

impl Gates {
    /// Waits until one of them holds.
    pub async fn held(&self) {
        futures::future::select_all(self.0.iter().map(|gate| Box::pin(gate.wait(true)))).await;
    }

    /// Waits until none of them holds.
    pub async fn open(&self) {
        while let Some(gate) = self.0.iter().find(|gate| gate.is_held()) {
            gate.wait(false).await;
        }
    }
}
