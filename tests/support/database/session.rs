//! A client's connection to one node.

use std::time::Duration;

use async_trait::async_trait;
use interlock::ports::{PortError, Sample, Session, Written};

use super::MemoryDatabase;

pub(super) struct Connection {
    database: MemoryDatabase,
    node: usize,
    life: u64,
}

impl Connection {
    pub fn open(database: &MemoryDatabase, node: &str) -> Result<Self, PortError> {
        let state = database.lock();
        let index = state.index(node)?;
        if !state.nodes[index].runs() {
            return Err(PortError::unreachable(node, "connection refused"));
        }
        let life = state.nodes[index].life;
        drop(state);
        database.session_opened();
        Ok(Self { database: database.clone(), node: index, life })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.database.session_closed();
    }
}

#[async_trait]
impl Session for Connection {
    async fn insert(&mut self, id: u64, _: Duration, _: &mut Vec<String>) -> Written {
        self.database.lock().insert(self.node, self.life, id)
    }

    async fn sample(&mut self, _: Duration) -> Result<Sample, PortError> {
        let state = self.database.lock();
        let node = &state.nodes[self.node];
        if !node.runs() || node.life != self.life {
            return Err(PortError::unreachable(&node.name, "cut"));
        }
        let timeline = Some(node.timeline().to_string());
        Ok(Sample { writable: node.is_writable(), timeline, position: Some(node.log.len() as u64) })
    }
}
