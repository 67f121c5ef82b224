//! A sample of cases too many to try each time; all of them where `INTERLOCK_SOAK` is set.

use std::io::Write as _;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// Picks `count` cases, and prints the seed that picks the same ones again.
pub fn sample<T: Copy>(what: &str, all: Vec<T>, count: usize) -> Vec<T> {
    if std::env::var_os("INTERLOCK_SOAK").is_some() || all.len() <= count {
        return all;
    }
    let seed = std::env::var("INTERLOCK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random::<u64>);
    // Past the capture of the output: whoever repeats a run needs the seed of one that passed, too.
    let _ = writeln!(std::io::stderr(), "{count} of {} {what}, INTERLOCK_SEED={seed}", all.len());
    let mut chance = StdRng::seed_from_u64(seed);
    (0..count).map(|_| all[chance.random_range(0..all.len())]).collect()
}
