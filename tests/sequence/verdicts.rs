//! Strict mode accepts what mermaid accepts and rejects what it rejects; lenient mode repairs nothing in silence.

use std::{collections::BTreeMap, fs, path::Path};

use interlock::sequence::mermaid::{Kind, Mode, parse};
use serde::Deserialize;

use crate::corpus::cases;

#[derive(Deserialize)]
struct Expectations {
    mermaid: String,
    verdicts: BTreeMap<String, BTreeMap<String, bool>>,
}

fn expectations() -> Expectations {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sequence/expectations/mermaid.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn every_case_has_a_verdict_of_mermaid() {
    let expected = expectations();
    assert!(expected.mermaid.starts_with("11."), "{}", expected.mermaid);
    let cases = cases();
    for case in &cases {
        let known = expected.verdicts.get(&case.file).is_some_and(|file| file.contains_key(&case.name));
        assert!(known, "{}: {} has no verdict: run tests/sequence/expectations/regenerate.mjs", case.file, case.name);
    }
    let count: usize = expected.verdicts.values().map(BTreeMap::len).sum();
    assert_eq!(count, cases.len(), "two cases of one file have the same name, or verdicts are left over");
}

#[test]
fn strict_mode_agrees_with_mermaid() {
    let expected = expectations();
    let mut differ = Vec::new();
    for case in cases() {
        let parsed = parse(&case.text, Mode::Strict);
        let accepted = expected.verdicts[&case.file][&case.name];
        if parsed.kind() != Kind::Other && parsed.accepted() != accepted {
            differ.push(format!(
                "{}: {}: mermaid says {accepted}; {:?}\n{}",
                case.file, case.name, parsed.found, case.text
            ));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// What mermaid accepts and lenient mode calls an error, since it is drawn otherwise than it was meant.
const DRAWN_WRONG: &[&str] = &["begins the sender: title", "flattened messages", "two on a line", "flattened"];

#[test]
fn lenient_mode_says_an_error_for_whatever_mermaid_rejects() {
    let expected = expectations();
    for case in cases() {
        let parsed = parse(&case.text, Mode::Lenient);
        let accepted = expected.verdicts[&case.file][&case.name];
        if parsed.kind() == Kind::Other || DRAWN_WRONG.contains(&case.name.as_str()) {
            continue;
        }
        assert_eq!(parsed.accepted(), accepted, "{}: {}: {:?}\n{}", case.file, case.name, parsed.found, case.text);
    }
}

#[test]
fn both_modes_read_the_same_where_there_is_nothing_to_repair() {
    for case in cases() {
        let (strict, lenient) = (parse(&case.text, Mode::Strict), parse(&case.text, Mode::Lenient));
        if lenient.found.is_empty() {
            assert!(strict.found.is_empty(), "{}: {}", case.file, case.name);
            assert_eq!(
                format!("{:?}", strict.diagram),
                format!("{:?}", lenient.diagram),
                "{}: {}",
                case.file,
                case.name
            );
        }
    }
}
