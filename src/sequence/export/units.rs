//! Exchanges beside each other: equal ones that follow each other are one loop, all others run in parallel.

use std::collections::HashMap;

use super::{
    draw::Drawer,
    forest::Forest,
    item::{Item, Who, messages},
    write::Unfit,
};

/// Equal exchanges of which each began when the one before had ended.
struct Chain<'a> {
    times: usize,
    end: u64,
    items: Vec<Item<'a>>,
}

/// How many chains of equal exchanges are tried before a new one is begun.
const TRIED: usize = 64;

/// All exchanges as one drawing.
///
/// Nothing orders two exchanges but the clocks of whoever began them, and what is put down for somebody is taken when they
/// like: so exchanges are branches of a `par`, and each that somebody outside begins has a client of its own.
pub(super) fn exchanges<'a>(forest: &Forest<'a>) -> Result<Vec<Item<'a>>, Unfit> {
    let mut chains: Vec<Chain<'a>> = Vec::new();
    let mut equal: HashMap<Vec<Item<'a>>, Vec<usize>> = HashMap::new();
    let drawer = Drawer::new(forest);
    for root in &forest.roots {
        let span = forest.span(*root);
        let items = drawer.exchange(*root)?;
        let known = equal.entry(items.clone()).or_default();
        let after = known.iter().rev().take(TRIED).copied().find(|at| chains[*at].end <= span.start);
        match after {
            Some(at) => {
                chains[at].times += 1;
                chains[at].end = span.end.max(span.start);
            }
            None => {
                known.push(chains.len());
                chains.push(Chain { times: 1, end: span.end.max(span.start), items });
            }
        }
    }
    let mut clients = 0;
    let mut branches: Vec<Vec<Item<'a>>> = Vec::with_capacity(chains.len());
    for Chain { times, mut items, .. } in chains {
        let mut outside = false;
        messages(&mut items, &mut |message| {
            for who in [&mut message.from, &mut message.to] {
                if let Who::Client(number) = who {
                    *number = clients;
                    outside = true;
                }
            }
        });
        clients += usize::from(outside);
        branches.push(if times > 1 { vec![Item::Loop(times, items)] } else { items });
    }
    Ok(match branches.len() {
        0 | 1 => branches.pop().unwrap_or_default(),
        _ => vec![Item::Par(branches)],
    })
}
