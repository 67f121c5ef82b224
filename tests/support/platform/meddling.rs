//! What others do to the platform behind interlock's back, and what its processes do by themselves.

use interlock::{
    model::{Epoch, Slot, Weights},
    ports::{Manager, Missing},
};

use super::{MemoryPlatform, Names};

impl MemoryPlatform {
    /// Makes the object that routes anew, as a tool would that applies its own manifests: without our mark.
    pub fn make_anew(&self, weights: Weights) {
        let mut state = self.lock();
        state.weights = weights;
        state.traffic.make_anew();
    }

    /// Makes the object of a slot anew.
    pub fn make_slot_anew(&self, slot: Slot, scale: u32) {
        let mut state = self.lock();
        let of_slot = state.slot(slot);
        of_slot.scale = scale;
        of_slot.mark.make_anew();
        of_slot.fill(slot);
    }

    /// Takes our mark from the object that routes.
    pub fn unmark(&self) {
        let mut state = self.lock();
        state.traffic.epoch = Epoch(0);
        state.traffic.version += 1;
    }

    /// Sets the weights as somebody else would, behind interlock's back.
    pub fn meddle(&self, weights: Weights) {
        self.lock().weights = weights;
    }

    /// Sets a slot's scale as somebody else would, behind interlock's back.
    pub fn meddle_scale(&self, slot: Slot, scale: u32) {
        let mut state = self.lock();
        let of_slot = state.slot(slot);
        of_slot.scale = scale;
        of_slot.mark.version += 1;
        of_slot.fill(slot);
    }

    /// Sets what answers say of who gave them, and whether the platform knows by itself.
    pub fn name_by(&self, names: Names, has_record: bool) {
        let mut state = self.lock();
        (state.names, state.has_record) = (names, has_record);
    }

    /// Leads live requests to a slot, whatever the weights say.
    pub fn stray(&self, to: Option<Slot>) {
        self.lock().stray = to;
    }

    /// Sets who else manages the platform.
    pub fn set_managers(&self, managers: Vec<Manager>) {
        self.lock().managers = managers;
    }

    /// Sets what we may not do.
    pub fn set_missing(&self, missing: Vec<Missing>) {
        self.lock().missing = missing;
    }

    /// Pretends that a later owner has written.
    pub fn supersede(&self, epoch: Epoch) {
        let mut state = self.lock();
        state.traffic.epoch = epoch;
        state.slots.iter_mut().for_each(|slot| slot.mark.epoch = epoch);
    }

    /// Ends a replica by itself; it stays unready until [`MemoryPlatform::repair`].
    pub fn crash(&self, slot: Slot, index: usize) {
        if let Some(replica) = self.lock().slot(slot).replicas.get_mut(index) {
            replica.ready = false;
            replica.exits += 1;
        }
    }

    /// Makes all replicas of a slot ready.
    pub fn repair(&self, slot: Slot) {
        self.lock().slot(slot).replicas.iter_mut().for_each(|replica| replica.ready = true);
    }

    /// Sets the release of a slot, at once on all its replicas.
    pub fn deploy(&self, slot: Slot, version: &str) {
        let mut state = self.lock();
        let slot = state.slot(slot);
        version.clone_into(&mut slot.version);
        slot.replicas.iter_mut().for_each(|replica| version.clone_into(&mut replica.version));
    }
}
