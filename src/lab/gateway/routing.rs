//! Which slot the next request goes to, and who may change that.

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    lab::state,
    model::{Epoch, Slot, Weights},
};

/// Spreads the picks evenly: coprime to 100, so every hundred picks in a row hold each residue once.
const STRIDE: u64 = 61;

/// An order to change the weights.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetWeights {
    /// The weights that should stand.
    pub to: Weights,
    /// The weights that the writer takes to stand now.
    pub from: Weights,
    /// The writer's term.
    pub epoch: Epoch,
}

/// What outlasts a restart of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stand {
    weights: Weights,
    epoch: Epoch,
}

/// Why the weights stay as they are.
#[derive(Debug)]
pub enum Refusal {
    /// A later owner has written; its epoch.
    Superseded(Epoch),
    /// Other weights stand than the writer thought.
    Found(Weights),
    /// The weights do not add up to 100.
    NotWhole,
    /// They could not be made durable.
    Store(Error),
}

/// The weights that stand and the highest epoch that was seen.
pub struct Routing {
    file: PathBuf,
    stand: Mutex<Stand>,
    green: AtomicU8,
    turn: AtomicU64,
}

impl Routing {
    /// Takes up the weights that were written last; everything to blue where none were.
    ///
    /// # Errors
    /// Where the file makes no sense.
    pub fn open(file: PathBuf) -> Result<Self, Error> {
        let absent = Stand { weights: Weights::all(Slot::Blue), epoch: Epoch(0) };
        let stand: Stand = state::read(&file)?.unwrap_or(absent);
        if !stand.weights.is_whole() {
            return Err(state::fault(&file, &"the weights do not add up to 100"));
        }
        Ok(Self { file, green: AtomicU8::new(stand.weights.green), stand: Mutex::new(stand), turn: AtomicU64::new(0) })
    }

    /// The weights that stand, and the highest epoch seen.
    #[must_use]
    pub fn stand(&self) -> (Weights, Epoch) {
        let stand = self.stand.lock().unwrap_or_else(PoisonError::into_inner);
        (stand.weights, stand.epoch)
    }

    /// Picks the slot of the next live request.
    #[must_use]
    pub fn pick(&self) -> Slot {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let residue = (turn % 100) * STRIDE % 100;
        if residue < u64::from(self.green.load(Ordering::SeqCst)) { Slot::Green } else { Slot::Blue }
    }

    /// Changes the weights if the fence holds. They are durable before the first request follows them.
    ///
    /// # Errors
    /// Where the fence does not hold or the file cannot be written; nothing has changed then.
    pub fn set(&self, order: SetWeights) -> Result<(), Refusal> {
        let mut stand = self.stand.lock().unwrap_or_else(PoisonError::into_inner);
        if !order.to.is_whole() {
            return Err(Refusal::NotWhole);
        }
        if order.epoch < stand.epoch {
            return Err(Refusal::Superseded(stand.epoch));
        }
        if stand.weights != order.from && stand.weights != order.to {
            return Err(Refusal::Found(stand.weights));
        }
        let next = Stand { weights: order.to, epoch: order.epoch };
        if next != *stand {
            state::write(&self.file, &next).map_err(Refusal::Store)?;
            *stand = next;
            self.green.store(next.weights.green, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hundred_picks_follow_the_weights_and_are_spread() {
        let dir = tempfile::tempdir().unwrap();
        for percent in [0, 1, 5, 50, 99, 100] {
            let routing = Routing::open(dir.path().join(format!("{percent}.json"))).unwrap();
            let blue = Weights::all(Slot::Blue);
            routing.set(SetWeights { to: Weights::giving(Slot::Green, percent), from: blue, epoch: Epoch(1) }).unwrap();
            let green = (0..100).filter(|_| routing.pick() == Slot::Green).count();
            assert_eq!(green, usize::from(percent));
        }
    }

    #[test]
    fn a_restart_keeps_weights_and_epoch() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("weights.json");
        let (blue, half) = (Weights::all(Slot::Blue), Weights::giving(Slot::Green, 50));
        let routing = Routing::open(file.clone()).unwrap();
        routing.set(SetWeights { to: half, from: blue, epoch: Epoch(3) }).unwrap();
        let again = Routing::open(file).unwrap();
        assert_eq!(again.stand(), (half, Epoch(3)));
        let stale = again.set(SetWeights { to: blue, from: half, epoch: Epoch(2) });
        assert!(matches!(stale, Err(Refusal::Superseded(Epoch(3)))));
        let wrong = again.set(SetWeights { to: Weights::all(Slot::Green), from: blue, epoch: Epoch(3) });
        assert!(matches!(wrong, Err(Refusal::Found(found)) if found == half));
        again.set(SetWeights { to: half, from: blue, epoch: Epoch(5) }).unwrap();
        assert_eq!(again.stand(), (half, Epoch(5)));
    }
}
