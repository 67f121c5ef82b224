//! Which node the routed writer writes to: the last known primary, and while there is none, the node that is tried least.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ports::Written;

/// What the workers of the routed stream know together, as the connections of one client do.
pub struct Router {
    known: Mutex<Known>,
}

struct Known {
    primary: Option<u16>,
    nodes: Vec<Standing>,
    tries: u64,
}

#[derive(Default, Clone, Copy)]
struct Standing {
    under_way: u32,
    /// When it was tried last, in tries.
    tried: u64,
}

impl Router {
    /// A router that knows of no primary yet.
    pub fn new(nodes: usize) -> Self {
        Self { known: Mutex::new(Known { primary: None, nodes: vec![Standing::default(); nodes], tries: 0 }) }
    }

    /// The node for the next write. [`Router::tell`] has to follow.
    ///
    /// While no primary is known it is the node with the fewest attempts under way, then the one not tried for longest: a host
    /// that hangs gets one attempt at a time, and does not keep the workers from those that answer.
    pub fn choose(&self) -> u16 {
        let mut known = self.lock();
        let node = known.primary.or_else(|| known.least_tried()).unwrap_or_default();
        known.tries += 1;
        let tries = known.tries;
        if let Some(standing) = known.nodes.get_mut(usize::from(node)) {
            *standing = Standing { under_way: standing.under_way + 1, tried: tries };
        }
        node
    }

    /// Nothing was sent to a node that was chosen.
    pub fn withdraw(&self, node: u16) {
        self.lock().let_go(node);
    }

    /// How a write at a node ended. A node that refuses, or does not answer, is left; one that acknowledges is stayed with, but
    /// an answer that comes late does not draw the writer away from a newer primary.
    pub fn tell(&self, node: u16, written: &Written) {
        let mut known = self.lock();
        known.let_go(node);
        if *written == Written::Acknowledged {
            known.primary = known.primary.or(Some(node));
        } else if known.primary == Some(node) {
            known.primary = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn let_go(&mut self, node: u16) {
        if let Some(standing) = self.nodes.get_mut(usize::from(node)) {
            standing.under_way = standing.under_way.saturating_sub(1);
        }
    }

    fn least_tried(&self) -> Option<u16> {
        let nodes = self.nodes.iter().zip(0_u16..);
        nodes.min_by_key(|(standing, _)| (standing.under_way, standing.tried)).map(|(_, node)| node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Written {
        Written::Refused { class: "25006".into() }
    }

    #[test]
    fn stays_with_the_primary_and_leaves_one_that_refuses() {
        let router = Router::new(3);
        let mut tried: Vec<_> = (0..3).map(|_| router.choose()).collect();
        tried.sort_unstable();
        assert_eq!(tried, [0, 1, 2]);
        router.tell(0, &refused());
        router.tell(2, &refused());
        router.tell(1, &Written::Acknowledged);
        assert_eq!([router.choose(), router.choose()], [1, 1]);
        router.tell(1, &refused());
        // One attempt is still under way at 1.
        assert_eq!([router.choose(), router.choose()], [0, 2]);
        // A late answer finds the primary again where none is known, and is no reason to leave a newer one.
        router.tell(0, &Written::Acknowledged);
        router.tell(1, &Written::Acknowledged);
        assert_eq!(router.choose(), 0);
    }

    #[test]
    fn a_node_that_hangs_does_not_hold_the_others_up() {
        let router = Router::new(2);
        let mut tries = [0, 0];
        for _ in 0..100 {
            let node = router.choose();
            tries[usize::from(node)] += 1;
            if node == 1 {
                router.tell(1, &refused());
            }
        }
        assert!(tries[0] <= 2, "{tries:?}");
    }
}
