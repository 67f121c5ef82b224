//! What was seen of a host, and the state that it stands in by that.

use crate::ports::{Act, HostState};

/// What was seen of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub managed: bool,
    /// Whether each is there, and stopped.
    pub manager: Option<bool>,
    pub database: Option<bool>,
    pub cut_off: bool,
    pub stalled: bool,
}

impl Facts {
    pub fn state(self) -> HostState {
        if (self.manager, self.database) == (None, None) {
            return HostState::Down;
        }
        let paused = self.manager.unwrap_or(true) && self.database.unwrap_or(true);
        let held = [(self.cut_off, Act::Partition), (paused, Act::Pause), (self.stalled, Act::StallDisk)];
        let held: Vec<_> = held.into_iter().filter_map(|(is_so, act)| is_so.then_some(act)).collect();
        match (self.manager, self.database) {
            // What ends on such a host ends because of that.
            _ if !held.is_empty() => HostState::of(&held),
            (None, Some(_)) if self.managed => HostState::Orphaned,
            (Some(_), None) => HostState::Crashed,
            _ => HostState::Running,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_what_is_seen() {
        let plain =
            |database, cut_off| Facts { managed: false, manager: None, database, cut_off, stalled: false }.state();
        assert_eq!(plain(None, false), HostState::Down);
        assert_eq!(plain(None, true), HostState::Down, "what does not run is not cut off either");
        assert_eq!(plain(Some(false), false), HostState::Running);
        assert_eq!(plain(Some(false), true), HostState::Partitioned);
        assert_eq!(plain(Some(true), false), HostState::Paused);

        let managed =
            |manager, database| Facts { managed: true, manager, database, cut_off: false, stalled: false }.state();
        assert_eq!(managed(Some(false), Some(false)), HostState::Running);
        assert_eq!(managed(Some(false), None), HostState::Crashed);
        assert_eq!(managed(None, Some(false)), HostState::Orphaned);
        assert_eq!(managed(Some(true), Some(true)), HostState::Paused);
        assert_eq!(managed(None, None), HostState::Down);

        let stalled =
            |database| Facts { managed: false, manager: None, database, cut_off: false, stalled: true }.state();
        assert_eq!([stalled(None), stalled(Some(false))], [HostState::Down, HostState::Stalled]);

        assert_eq!(plain(Some(true), true), HostState::of(&[Act::Partition, Act::Pause]));
        let cut_off = Facts { managed: true, manager: Some(false), database: None, cut_off: true, stalled: false };
        assert_eq!(cut_off.state(), HostState::Partitioned, "a manager that is cut off ends its database itself");
    }
}
