//! Drawings of random traces: read back without a finding, and the same whatever order the spans come in.

use interlock::sequence::export::export;
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};

use super::{grower::random, spans::lint_clean};

#[test]
fn random_traces_are_read_back_without_a_finding() {
    let mut rng = SmallRng::seed_from_u64(11);
    let mut words = std::collections::BTreeMap::new();
    for seed in 0..400 {
        let mut trace = random(seed);
        let text = export(&trace.spans).unwrap();
        // That nothing is left out is the law of export, see `law`.
        lint_clean(&text);
        trace.spans.shuffle(&mut rng);
        assert_eq!(export(&trace.spans).unwrap(), text);
        for word in ["par\n", "loop ", "-x", "-)"] {
            *words.entry(word).or_insert(0) += usize::from(text.contains(word));
        }
    }
    assert!(words.values().all(|count| *count > 3), "{words:?}");
}
