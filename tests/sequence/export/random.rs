//! Random traces, with whatever their spans do.

use interlock::{
    model::trace::{Kind, Status},
    sequence::export::export,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::SliceRandom};

use super::spans::{Trace, read_back};

/// What a random span does, below one of a service; services that are waiting for an answer are not called back.
fn grow(trace: &mut Trace, rng: &mut SmallRng, at: usize, path: &mut Vec<usize>, depth: usize) {
    const SERVICES: &[&str] = &["gate", "cart", "stock", "tax & duty", "mail#1", "pay;roll"];
    let (begin, end) = (trace.spans[at].start / 1_000_000, trace.spans[at].end / 1_000_000);
    for _ in 0..rng.random_range(0..4) {
        let start = rng.random_range(begin..=end);
        let times = (start, rng.random_range(start..=end));
        let who = SERVICES[path[path.len() - 1]];
        let name = ["GET /a", "end", "x; y", "<b>"][rng.random_range(0..4)];
        match rng.random_range(0..6) {
            0 => {
                let own = trace.add(who, Kind::Internal, name, Some(at), times);
                if depth > 0 {
                    grow(trace, rng, own, path, depth - 1);
                }
            }
            1 => {
                let call = trace.add(who, Kind::Client, name, Some(at), times);
                trace.peer(call, "db.system.name", ["redis", "mysql"][rng.random_range(0..2)]);
                if rng.random_bool(0.3) {
                    trace.spans[call].status = Status::Error("timeout".to_owned());
                }
            }
            2 => {
                let sent = trace.add(who, Kind::Producer, name, Some(at), times);
                trace.peer(sent, "messaging.destination.name", "events");
                let to = rng.random_range(0..SERVICES.len());
                let parent = rng.random_bool(0.5).then_some(sent);
                let taken = trace.add(SERVICES[to], Kind::Consumer, name, parent, (times.1, times.1 + 20));
                trace.link(taken, sent);
                if depth > 0 {
                    grow(trace, rng, taken, &mut vec![to], depth - 1);
                }
            }
            _ => {
                let to = rng.random_range(0..SERVICES.len());
                if path.contains(&to) {
                    continue;
                }
                let served = trace.call((who, at), SERVICES[to], name, times);
                trace.status(served, [200, 404, 500][rng.random_range(0..3)]);
                if depth > 0 {
                    path.push(to);
                    grow(trace, rng, served, path, depth - 1);
                    path.pop();
                }
            }
        }
    }
}

#[test]
fn random_traces_are_read_back_without_a_finding() {
    let mut rng = SmallRng::seed_from_u64(11);
    let mut words = std::collections::BTreeMap::new();
    for _ in 0..400 {
        let mut trace = Trace::default();
        for _ in 0..rng.random_range(1..3) {
            let start = rng.random_range(0..50);
            let root = trace.add("gate", Kind::Server, "GET /", None, (start, start + 200));
            grow(&mut trace, &mut rng, root, &mut vec![0], 4);
        }
        let text = export(&trace.spans).unwrap();
        let sequence = read_back(&text);
        // A loop is drawn once; apart from that, each span but those that make a call that is served is a message.
        let looped = text.contains("loop");
        let messages = sequence.messages().len();
        let spans = trace
            .spans
            .iter()
            .filter(|span| span.kind != Kind::Client || !trace.spans.iter().any(|other| other.parent == Some(span.id)));
        assert!(looped || messages >= spans.count(), "{text}");
        trace.spans.shuffle(&mut rng);
        assert_eq!(export(&trace.spans).unwrap(), text);
        for word in ["par\n", "loop ", "-x", "-)"] {
            *words.entry(word).or_insert(0) += usize::from(text.contains(word));
        }
    }
    assert!(words.values().all(|count| *count > 10), "{words:?}");
}
