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
    /// The version that was read with `from`; every write and every fence makes another one.
    pub version: u64,
}

/// An order to raise the epoch and to keep the weights.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FenceWeights {
    /// The new owner's term.
    pub epoch: Epoch,
}

/// What outlasts a restart of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stand {
    pub weights: Weights,
    /// The highest epoch that was seen.
    pub epoch: Epoch,
    /// Counts the writes and fences; labs of older releases lack it.
    #[serde(default)]
    pub version: u64,
}

/// Why the weights stay as they are.
#[derive(Debug)]
pub enum Refusal {
    /// A later owner has written; its epoch.
    Superseded(Epoch),
    /// Other weights stand than the writer thought, or were written or fenced since it read them.
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
        let absent = Stand { weights: Weights::all(Slot::Blue), epoch: Epoch(0), version: 0 };
        let stand: Stand = state::read(&file)?.unwrap_or(absent);
        if !stand.weights.is_whole() {
            return Err(state::fault(&file, &"the weights do not add up to 100"));
        }
        Ok(Self { file, green: AtomicU8::new(stand.weights.green), stand: Mutex::new(stand), turn: AtomicU64::new(0) })
    }

    /// The weights that stand, the highest epoch seen, and the version.
    #[must_use]
    pub fn stand(&self) -> Stand {
        *self.stand.lock().unwrap_or_else(PoisonError::into_inner)
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
        if stand.version != order.version || (stand.weights != order.from && stand.weights != order.to) {
            return Err(Refusal::Found(stand.weights));
        }
        if (stand.weights, stand.epoch) == (order.to, order.epoch) {
            return Ok(());
        }
        self.put(&mut stand, order.to, order.epoch)
    }

    /// Raises the epoch and keeps the weights; what was sent before is refused from here on, whatever its epoch.
    ///
    /// # Errors
    /// Where a later owner has written, or the file cannot be written.
    pub fn fence(&self, epoch: Epoch) -> Result<Stand, Refusal> {
        let mut stand = self.stand.lock().unwrap_or_else(PoisonError::into_inner);
        if epoch < stand.epoch {
            return Err(Refusal::Superseded(stand.epoch));
        }
        let weights = stand.weights;
        self.put(&mut stand, weights, epoch)?;
        Ok(*stand)
    }

    fn put(&self, stand: &mut Stand, weights: Weights, epoch: Epoch) -> Result<(), Refusal> {
        let next = Stand { weights, epoch, version: stand.version + 1 };
        state::write(&self.file, &next).map_err(Refusal::Store)?;
        *stand = next;
        self.green.store(weights.green, Ordering::SeqCst);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(routing: &Routing, to: Weights, from: Weights, epoch: u64) -> SetWeights {
        SetWeights { to, from, epoch: Epoch(epoch), version: routing.stand().version }
    }

    #[test]
    fn every_hundred_picks_follow_the_weights_and_are_spread() {
        let dir = tempfile::tempdir().unwrap();
        for percent in [0, 1, 5, 50, 99, 100] {
            let routing = Routing::open(dir.path().join(format!("{percent}.json"))).unwrap();
            let blue = Weights::all(Slot::Blue);
            routing.set(order(&routing, Weights::giving(Slot::Green, percent), blue, 1)).unwrap();
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
        routing.set(order(&routing, half, blue, 3)).unwrap();
        let again = Routing::open(file).unwrap();
        assert_eq!((again.stand().weights, again.stand().epoch), (half, Epoch(3)));
        let stale = again.set(order(&again, blue, half, 2));
        assert!(matches!(stale, Err(Refusal::Superseded(Epoch(3)))));
        let wrong = again.set(order(&again, Weights::all(Slot::Green), blue, 3));
        assert!(matches!(wrong, Err(Refusal::Found(found)) if found == half));
        again.set(order(&again, half, blue, 5)).unwrap();
        assert_eq!((again.stand().weights, again.stand().epoch), (half, Epoch(5)));
    }

    #[test]
    fn what_was_sent_before_a_fence_or_a_write_changes_nothing_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let routing = Routing::open(dir.path().join("weights.json")).unwrap();
        let (blue, green) = (Weights::all(Slot::Blue), Weights::all(Slot::Green));
        let late = order(&routing, green, blue, 7);
        // Of the same epoch: a fence is one even where it raises nothing.
        assert_eq!(routing.fence(Epoch(7)).unwrap().weights, blue);
        assert!(matches!(routing.set(late), Err(Refusal::Found(found)) if found == blue));
        let late = order(&routing, green, blue, 7);
        routing.set(late).unwrap();
        routing.set(order(&routing, blue, green, 7)).unwrap();
        assert!(
            matches!(routing.set(late), Err(Refusal::Found(found)) if found == blue),
            "a repeat of what was undone"
        );
        assert!(matches!(routing.fence(Epoch(6)), Err(Refusal::Superseded(Epoch(7)))));
    }
}
