//! What sees to the roles by itself, as Patroni does: after a while, and on nobody's order but for a switchover.

use std::time::Duration;

use super::state::State;

/// How long a leader may be away before another one is made.
const TTL: Duration = Duration::from_millis(300);
/// How long after its start a member is told whom to follow.
const REJOINS: Duration = Duration::from_millis(100);
/// How long after it was asked for a switchover takes place.
const SWITCHES: Duration = Duration::from_millis(150);

pub(super) struct Manager {
    pub leader: usize,
    renewed: Duration,
    asked: Option<(usize, Duration)>,
}

impl Manager {
    pub fn new(now: Duration) -> Self {
        Self { leader: 0, renewed: now, asked: None }
    }

    /// Hears that another node shall lead.
    pub fn ask(&mut self, to: usize, now: Duration) {
        self.asked = Some((to, now + SWITCHES));
    }

    /// Does what is due.
    pub fn turn(&mut self, state: &mut State) {
        let now = state.now;
        if let Some((to, due)) = self.asked
            && due <= now
        {
            self.asked = None;
            self.switch(state, to);
        }
        let leader = &mut state.nodes[self.leader];
        if leader.runs() {
            if now < self.renewed + TTL || leader.is_writable() {
                (leader.standby, leader.follows) = (false, None);
                self.renewed = now;
            } else {
                self.replace(state);
            }
        } else if now >= self.renewed + TTL {
            self.replace(state);
        }
        for index in 0..state.nodes.len() {
            let node = &state.nodes[index];
            if index != self.leader && node.runs() && now >= node.up_at + REJOINS && !state.streams(index) {
                state.follow(index, self.leader);
            }
        }
    }

    /// Has the member lead that has most.
    fn replace(&mut self, state: &mut State) {
        let running = (0..state.nodes.len()).filter(|index| state.nodes[*index].runs());
        if let Some(most) = running.max_by_key(|index| (state.nodes[*index].log.len(), usize::MAX - index)) {
            (self.leader, self.renewed) = (most, state.now);
            state.promote(most);
        }
    }

    fn switch(&mut self, state: &mut State, to: usize) {
        if to == self.leader || !state.nodes[self.leader].is_writable() || !state.streams(to) {
            return;
        }
        state.replicate(to, Duration::MAX);
        let from = self.leader;
        state.nodes[from].standby = true;
        self.leader = to;
        self.renewed = state.now;
        state.promote(to);
        state.follow(from, to);
    }
}
