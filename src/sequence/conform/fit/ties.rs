//! Events at one time: no clock says which came first, so that the order that fits best is taken.

use super::events::{Does, Happened};

/// How many orders are tried.
const ORDERS: usize = 48;

/// Orders of events in which those at one time change places, as indices; the given order first.
pub(super) fn orders(events: &[Happened]) -> Vec<Vec<usize>> {
    let mut found = vec![(0..events.len()).collect::<Vec<usize>>()];
    let mut start = 0;
    while start < events.len() {
        let length = 1 + events[start + 1..].iter().take_while(|event| event.tied).count();
        if length > 1 {
            let here = found.len();
            for order in arrangements(events, start, length, ORDERS / here) {
                for at in 0..here {
                    if found.len() < ORDERS {
                        let mut other = found[at].clone();
                        other[start..start + length].copy_from_slice(&order);
                        found.push(other);
                    }
                }
            }
        }
        start += length;
    }
    found
}

/// Other arrangements of the events at one time, in which each call still comes before its own return.
fn arrangements(events: &[Happened], start: usize, length: usize, most: usize) -> Vec<Vec<usize>> {
    let given: Vec<usize> = (start..start + length).collect();
    let mut found = Vec::new();
    let mut stack = vec![Vec::new()];
    while let Some(taken) = stack.pop() {
        if found.len() >= most {
            break;
        }
        if taken.len() == length {
            if taken != given {
                found.push(taken);
            }
            continue;
        }
        for at in given.iter().rev().filter(|at| !taken.contains(*at)) {
            let event = &events[*at];
            // Of those that are the same in all that is looked at, the first comes first.
            if given.iter().any(|other| other < at && !taken.contains(other) && is_same(&events[*other], event)) {
                continue;
            }
            let waits = event.does == Does::Return
                && given.iter().any(|other| {
                    let call = &events[*other];
                    !taken.contains(other)
                        && (call.does, call.sight, call.head) == (Does::Call, event.sight, event.head)
                });
            if !waits {
                let mut next = taken.clone();
                next.push(*at);
                stack.push(next);
            }
        }
    }
    found
}

/// Whether nothing tells two events apart: what a participant did by itself is known by what it meets alone.
fn is_same(one: &Happened, other: &Happened) -> bool {
    matches!(one.does, Does::Own(_)) && (one.does, one.extra) == (other.does, other.extra)
}
