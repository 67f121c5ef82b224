//! The same again and again becomes a loop.

use std::collections::HashMap;

use super::item::Item;

/// How many steps may be repeated together.
const LONGEST: usize = 16;

/// Steps one after the other, with runs of equal ones, or of equal groups of them, as loops.
pub(super) fn fold<'a>(blocks: Vec<Vec<Item<'a>>>) -> Vec<Item<'a>> {
    let ids = ids(&blocks);
    let mut items = Vec::new();
    let mut at = 0;
    while at < blocks.len() {
        // The group that covers the most; of those that cover the same, the shortest.
        let best = (1..=LONGEST.min((blocks.len() - at) / 2))
            .map(|length| (length, times(&ids[at..], length)))
            .filter(|(_, times)| *times > 1)
            .max_by_key(|(length, times)| (length * times, usize::MAX - length));
        match best {
            Some((length, times)) => {
                items.push(Item::Loop(times, blocks[at..at + length].concat()));
                at += length * times;
            }
            None => {
                items.extend(blocks[at].iter().cloned());
                at += 1;
            }
        }
    }
    items
}

/// A number for each block, the same for equal ones.
fn ids(blocks: &[Vec<Item<'_>>]) -> Vec<usize> {
    let mut known: HashMap<&[Item<'_>], usize> = HashMap::new();
    let number = |block| {
        let next = known.len();
        *known.entry(block).or_insert(next)
    };
    blocks.iter().map(Vec::as_slice).map(number).collect()
}

/// How often the first group of that length stands at the beginning.
fn times(ids: &[usize], length: usize) -> usize {
    let same = ids.iter().zip(&ids[length..]).take_while(|(a, b)| a == b).count();
    1 + same / length
}
