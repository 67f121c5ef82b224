//! What a tree is compiled to: graphs whose edges are steps, or nothing, or a whole `par` at once.

pub(super) const NONE: u32 = u32::MAX;

/// What an edge stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Nothing happens; a branch is taken where it has an index.
    Silent(u32),
    /// A step, with its label as a dense index, and its cost where it is missing.
    Step { step: u32, label: u32, missing: u32 },
    /// Operands that share no label, from the beginning of all to the end of all.
    Par(u32),
    /// Operands that share labels begin: one token becomes several. In nets only.
    Fork(u32),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub to: u32,
    pub kind: Kind,
}

/// States and edges, before they are put in order.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub states: u32,
    pub edges: Vec<(u32, Edge)>,
}

impl Draft {
    pub fn state(&mut self) -> u32 {
        self.states += 1;
        self.states - 1
    }

    pub fn edge(&mut self, from: u32, to: u32, kind: Kind) {
        // A way from a state to itself on which nothing happens leads nowhere.
        if from != to || !matches!(kind, Kind::Silent(_)) {
            self.edges.push((from, Edge { to, kind }));
        }
    }

    /// The edges by the state that they leave, each state's in the order in which they were drawn.
    pub fn by_state(&self) -> (Vec<u32>, Vec<Edge>) {
        let mut first = vec![0u32; self.states as usize + 1];
        for (from, _) in &self.edges {
            first[*from as usize + 1] += 1;
        }
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        let mut next = first.clone();
        let mut edges = vec![Edge { to: 0, kind: Kind::Silent(NONE) }; self.edges.len()];
        for (from, edge) in &self.edges {
            let at = &mut next[*from as usize];
            edges[*at as usize] = *edge;
            *at += 1;
        }
        (first, edges)
    }
}

/// An automaton with one beginning and one end.
///
/// States are numbered so that an edge leads to a higher one, except back to the head of a loop; and so that the body of a
/// loop stands before all that comes after the loop.
#[derive(Debug)]
pub(super) struct Graph {
    pub first: Vec<u32>,
    pub edges: Vec<Edge>,
    pub start: u32,
    pub end: u32,
    /// How many steps there may be from a state to the end at most; `NONE` for any number.
    pub longest: Vec<u32>,
    /// Whether there is a `par` in it.
    pub leaps: bool,
}

impl Graph {
    /// Puts a draft in order. `par_longest` says how many steps a `par` has at most.
    pub fn new(draft: &Draft, start: u32, end: u32, par_longest: impl Fn(u32) -> u32) -> Self {
        let (first, edges) = draft.by_state();
        let rank = ranks(&first, &edges, start);
        let renumbered = Draft {
            states: draft.states,
            edges: draft
                .edges
                .iter()
                .map(|(from, e)| (rank[*from as usize], Edge { to: rank[e.to as usize], kind: e.kind }))
                .collect(),
        };
        let (first, edges) = renumbered.by_state();
        let mut longest = vec![0u32; draft.states as usize];
        for state in (0..draft.states).rev() {
            let out = &edges[first[state as usize] as usize..first[state as usize + 1] as usize];
            let from_here = out.iter().map(|edge| {
                let steps = match edge.kind {
                    Kind::Silent(_) | Kind::Fork(_) => 0,
                    Kind::Step { .. } => 1,
                    Kind::Par(par) => par_longest(par),
                };
                // An edge back is a loop, which may go on for ever. `NONE` is the largest number, and stays it.
                if edge.to <= state { NONE } else { longest[edge.to as usize].saturating_add(steps) }
            });
            longest[state as usize] = from_here.max().unwrap_or(0);
        }
        let leaps = edges.iter().any(|edge| matches!(edge.kind, Kind::Par(_)));
        Self { first, edges, start: rank[start as usize], end: rank[end as usize], longest, leaps }
    }
}

/// The place of each state in reverse postorder.
///
/// The edges of a state are followed from the last to the first: the way out of a loop is drawn last, so that what comes
/// after the loop is numbered behind its body.
fn ranks(first: &[u32], edges: &[Edge], start: u32) -> Vec<u32> {
    let states = first.len() - 1;
    let mut rank = vec![NONE; states];
    let mut seen = vec![false; states];
    let mut left = states as u32;
    let mut open = vec![(start, first[start as usize + 1])];
    seen[start as usize] = true;
    while let Some((state, next)) = open.last_mut() {
        if *next == first[*state as usize] {
            left -= 1;
            rank[*state as usize] = left;
            open.pop();
            continue;
        }
        *next -= 1;
        let to = edges[*next as usize].to;
        if !seen[to as usize] {
            seen[to as usize] = true;
            open.push((to, first[to as usize + 1]));
        }
    }
    // Every state is drawn on a way from the start; were it not, it would get one of the numbers that are left.
    for place in rank.iter_mut().filter(|place| **place == NONE) {
        left -= 1;
        *place = left;
    }
    rank
}
