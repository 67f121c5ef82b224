//! The work grows with the text and no faster, also where a text is made to prevent it.

use std::{hint::black_box, time::Duration};

use interlock::sequence::{
    Code, markdown,
    mermaid::{Diagram, Mode, parse},
};

/// The shortest of three runs.
fn shortest(mut run: impl FnMut()) -> Duration {
    (0..3)
        .map(|_| {
            let begun = cpu();
            run();
            cpu() - begun
        })
        .min()
        .unwrap()
}

/// Texts that would be dear to a reader that looks ahead without remembering.
const PIECES: &[&str] = &[
    "sequenceDiagram\n|loop\n",
    "sequenceDiagram\n|A->>B: x\n",
    "sequenceDiagram\n|alt\n",
    "sequenceDiagram\n|end\n",
    "sequenceDiagram\n|A->>B: x; y; ",
    "sequenceDiagram\nA->>B: |#",
    "sequenceDiagram\nA->>B: |# ;",
    "sequenceDiagram\n|a-",
    "sequenceDiagram\n|note over A,",
    "sequenceDiagram\nNote over |A,",
    "sequenceDiagram\n|participant A as ",
    "sequenceDiagram\n|participant A ",
    "sequenceDiagram\n|accDescr {\n",
    "sequenceDiagram |A->>B: x ",
    "sequenceDiagram |loop x A->>B: y end ",
    "sequenceDiagram\n|end->>A: x\n",
    "sequenceDiagram\n|box\n",
    "sequenceDiagram\n|1.",
    "sequenceDiagram\n|%%{",
    "sequenceDiagram\n|%%{a:",
    "|---\n",
    "---\n|a\n",
    "|%%\n",
    "sequenceDiagram\n|#a",
    "sequenceDiagram\n|create participant A\n",
    "stateDiagram-v2\n|A --> B\n",
    "stateDiagram-v2\n|state A {\n",
    "stateDiagram-v2\n|note left of A\n",
    "stateDiagram-v2\n|state A ",
    "stateDiagram-v2\n|A ",
    "stateDiagram-v2\n|\"",
    "stateDiagram-v2 |A --> B: x ",
    "stateDiagram-v2\nstate |A{",
    "stateDiagram-v2\n|direction ",
    "stateDiagram-v2\n|::",
    "graph TD\n|A --> B\n",
    "graph TD\n|A -- ",
    "graph TD\nA |--> B",
    "graph TD\n|A[",
    "graph TD\n|A[x] --> B{y} ",
    "graph TD\n|subgraph a\n",
    "graph TD\n|A & ",
    "graph TD\nA -- x |- ",
    "graph TD\n|~",
];

fn made(piece: &str, bytes: usize) -> String {
    let (head, repeated) = piece.split_once('|').unwrap();
    head.to_owned() + repeated.repeat(bytes / repeated.len()).as_str()
}

#[test]
fn four_times_the_text_is_no_more_than_twelve_times_the_work() {
    for piece in PIECES {
        for mode in [Mode::Lenient, Mode::Strict] {
            let (small, large) = (made(piece, 16_384), made(piece, 65_536));
            let steps = |text: &str| parse(text, mode).steps;
            assert!(steps(&large) <= 5 * steps(&small) + 64, "{piece:?}: {} after {}", steps(&large), steps(&small));
            let time = |text: &str| shortest(|| drop(black_box(parse(text, mode))));
            let (short, long) = (time(&small), time(&large));
            // A linear reader needs four times as long; a quadratic one sixteen times. What is short enough is fine anyhow.
            let fine = long < short * 12 || long < Duration::from_millis(200);
            assert!(fine, "{piece:?} in {mode:?}: {short:?}, then {long:?}");
        }
    }
}

#[test]
fn a_megabyte_of_loops_is_read_and_its_depth_is_bounded() {
    let parsed = parse(&made("sequenceDiagram\n|loop\n", 1 << 20), Mode::Lenient);
    assert!(parsed.found.iter().any(|finding| finding.code == Code::TooDeep));
    assert!(parsed.found.iter().any(|finding| finding.code == Code::Unclosed));
    assert!(parsed.found.len() < 32, "one fault is not told two hundred thousand times: {}", parsed.found.len());
}

#[test]
fn a_hundred_thousand_messages_are_read() {
    let parsed = parse(&made("sequenceDiagram\n|A->>B: x\n", 900_000), Mode::Strict);
    assert!(parsed.accepted() && parsed.steps <= 600_100, "{} steps", parsed.steps);
    let Diagram::Sequence(sequence) = parsed.diagram else { panic!() };
    assert_eq!(sequence.messages().len(), 100_000);
}

#[test]
fn documents_are_read_in_linear_time() {
    for piece in ["|```mermaid\n", "|â€", "|[a](", "|<a id=\"x\">\n", "|`a/b.md` ", "|# RT-1 a\n", "|a: b\n"] {
        let time = |bytes| {
            let text = made(piece, bytes);
            shortest(|| drop(black_box(markdown::read(&text))))
        };
        let (short, long) = (time(16_384), time(65_536));
        assert!(long < short * 12 || long < Duration::from_millis(200), "{piece:?}: {short:?}, then {long:?}");
    }
}

/// What this thread has computed so far: other work on the machine does not count.
fn cpu() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}
