//! A process as its ports see it.

use std::sync::{Arc, MutexGuard};

use crate::{
    choices::Fate,
    platform::Answer,
    world::{Event, State, Wait, World},
};

/// A process as its ports see it.
#[derive(Clone)]
pub struct Node {
    pub world: Arc<World>,
    pub process: usize,
}

impl Node {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.world.state()
    }

    pub fn wait(&self, ticket: u64) -> Wait {
        self.world.wait(ticket)
    }

    /// Waits for a time.
    pub async fn sleep(&self, call: &'static str, length: u64) {
        let ticket = {
            let mut state = self.state();
            let ticket = state.ticket();
            match state.fate(self.process, call, crate::choices::WAIT) {
                Fate::Paused(length) => state.pause(self.process, length),
                Fate::Killed => state.kill(self.process),
                _ => {}
            }
            state.after(length, Event::Wakes { process: self.process, ticket, heard: Answer::Woken });
            ticket
        };
        self.wait(ticket).await;
    }
}
