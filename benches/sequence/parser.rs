//! The parser: diagrams a second, and how the time grows with the messages.
//!
//! One thread. The diagrams have the shape of a platform's documents: 27 sequences with 365 messages between them, two
//! state diagrams and four flowcharts. Where `INTERLOCK_MERMAID` names a folder with `node_modules/mermaid`, mermaid's own
//! parser reads the same diagrams in the same run; where `INTERLOCK_DIAGRAMS` names documents, parted by colons, their
//! diagrams are read as well.

use std::{
    fmt::Write as _,
    fs,
    hint::black_box,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use interlock::sequence::{
    markdown,
    mermaid::{Diagram, Mode, parse},
};

use crate::figures::{at_least, at_most, head, median, plain, rate};

/// Diagrams a second.
const BAR: f64 = 40_000.0;
/// How much longer a message may take among a hundred thousand than among a thousand.
const GROWTH: f64 = 2.0;
/// How often all diagrams are read in one measurement.
const ROUNDS: usize = 200;

/// Who takes part, and what is said; the words of a shop.
const WHO: &[&str] = &["Till", "Basket", "Stock", "Prices", "Payment", "Bank", "Dispatch", "Mailer", "Ledger"];
const SAID: &[&str] = &[
    "POST /baskets/{id}/checkout",
    "reserve(items, until)",
    "SELECT price, currency FROM prices",
    "publish basket.paid",
    "verify signature and age",
    "write entry (debit, credit)",
];

/// Measures; says whether all bars were reached.
pub fn run() -> bool {
    let documents = documents();
    head();
    let mut reached = measured("diagrams of a platform's documents", &documents, Some(BAR));
    measured("the cases of the tests, some 60 bytes each", &cases(), None);
    if let Some(paths) = std::env::var_os("INTERLOCK_DIAGRAMS") {
        let found: Vec<String> = std::env::split_paths(&paths).flat_map(|path| blocks(&path)).collect();
        measured(&format!("{} diagrams of INTERLOCK_DIAGRAMS", found.len()), &found, Some(BAR));
    }
    reached &= growth();
    mermaid(&documents);
    reached
}

fn measured(what: &str, diagrams: &[String], bar: Option<f64>) -> bool {
    if diagrams.is_empty() {
        println!("{what}: there are none");
        return bar.is_none();
    }
    // Small diagrams are over soon, and the clock would see little of them.
    let rounds = (ROUNDS * 33).div_ceil(diagrams.len());
    let time = median(|| {
        for _ in 0..rounds {
            for diagram in diagrams {
                black_box(parse(black_box(diagram), Mode::Lenient));
            }
        }
    });
    let value = rate(rounds * diagrams.len(), time);
    match bar {
        Some(bar) => at_least(what, value, bar, "/s"),
        None => {
            plain(what, value, "/s");
            true
        }
    }
}

fn growth() -> bool {
    let each = [1_000, 10_000, 100_000].map(|messages| {
        let text = sequence(messages, 1);
        let Diagram::Sequence(read) = parse(&text, Mode::Lenient).diagram else { return f64::NAN };
        assert_eq!(read.messages().len(), messages, "the diagram was not read whole");
        let time = median(|| drop(black_box(parse(black_box(&text), Mode::Lenient))));
        let each = time.as_nanos() as f64 / messages as f64;
        plain(&format!("{messages} messages, each"), each, "ns");
        each
    });
    at_most("100,000 messages against 1,000, each", each[2] / each[0], GROWTH, "times")
}

/// The diagrams of a platform's documents.
fn documents() -> Vec<String> {
    // 27 sequences with 365 messages: fourteen of 14, thirteen of 13.
    let sequences = (0..27).map(|at| sequence(if at < 14 { 14 } else { 13 }, at));
    let states = (0..2).map(|at| {
        let mut text = "stateDiagram-v2\n  [*] --> Open\n".to_owned();
        for (from, to) in [("Open", "Paid"), ("Paid", "Packed"), ("Packed", "Sent"), ("Open", "Dropped")] {
            let _ = writeln!(text, "  {from} --> {to}: step {at}");
        }
        text + "  state Paid {\n    [*] --> Checked\n  }\n  Sent --> [*]\n  Dropped --> [*]\n"
    });
    let charts = (0..4).map(|at| {
        let mut text = "flowchart TD\n  A[alert] --> B{who is hit?}\n".to_owned();
        for step in 0..8 {
            let _ = writeln!(text, "  B -->|case {step}| C{step}[step {step} of {at}]\n  C{step} --> D{{done?}}");
        }
        text + "  D -->|yes| E([close])\n  D -->|no| A\n"
    });
    sequences.chain(states).chain(charts).collect()
}

/// A sequence with so many messages, and with fragments, notes, activations and messages to oneself between.
fn sequence(messages: usize, seed: usize) -> String {
    let mut text = "sequenceDiagram\n  autonumber\n  actor User as a customer\n".to_owned();
    for who in WHO {
        let _ = writeln!(text, "  participant {who} as the {who} service");
    }
    let who = |at: usize| WHO[at % WHO.len()];
    for at in 0..messages {
        let (from, to, said) = (who(at + seed), who(at + seed + 1 + at % 3), SAID[at % SAID.len()]);
        // A fragment of six messages in every twelve, with a branch in its midst.
        match at % 12 {
            2 => text.push_str("  alt all is in stock\n"),
            5 => text.push_str("  else something is missing\n"),
            9 => text.push_str("  Note over Till,Stock: both know the basket now\n"),
            _ => {}
        }
        let _ = match at % 6 {
            3 => writeln!(text, "  {from}->>{from}: {said}"),
            4 => writeln!(text, "  {to}-->>{from}: 200 with what was asked for"),
            _ => writeln!(text, "  {from}->>{to}: {said}"),
        };
        if at % 12 == 8 {
            text.push_str("  end\n");
        }
    }
    // The last fragment may be open still.
    if (3..=8).contains(&(messages % 12)) {
        text.push_str("  end\n");
    }
    text
}

/// The diagrams written for the tests, where the benchmark runs in the project's folder.
fn cases() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sequence/diagrams");
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    texts
        .flat_map(|text| {
            let cases = format!("\n{text}");
            cases
                .split("\n=== ")
                .skip(1)
                .filter_map(|case| Some(case.split_once('\n')?.1.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The diagrams of a document.
fn blocks(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    markdown::read(&text).blocks.into_iter().map(|block| block.source).collect()
}

/// What mermaid's own parser takes for the same diagrams.
fn mermaid(diagrams: &[String]) {
    let Some(folder) = std::env::var_os("INTERLOCK_MERMAID") else {
        println!("\nfor mermaid beside it: npm install mermaid@11 jsdom, and INTERLOCK_MERMAID=that folder");
        return;
    };
    match beside(Path::new(&folder), diagrams) {
        Ok(answer) => {
            for (what, key) in [("mermaid's jison parser alone", "jison"), ("mermaid.parse", "parse")] {
                match answer.get(key).and_then(serde_json::Value::as_f64) {
                    Some(value) => plain(what, value, "/s"),
                    None => println!("{what}: {answer}"),
                }
            }
        }
        Err(why) => println!("mermaid could not be asked: {why}"),
    }
}

fn beside(folder: &Path, diagrams: &[String]) -> anyhow::Result<serde_json::Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/sequence/mermaid.mjs");
    let mut node = Command::new("node")
        .arg(script)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = node.stdin.take() {
        input.write_all(&serde_json::to_vec(diagrams)?)?;
    }
    Ok(serde_json::from_slice(&node.wait_with_output()?.stdout)?)
}
