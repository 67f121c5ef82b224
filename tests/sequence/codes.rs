//! The codes and docs/sequence-diagrams.md say the same.

use std::{collections::BTreeMap, fs, path::Path};

use interlock::sequence::Code;

#[test]
fn every_code_is_explained_and_no_other() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sequence-diagrams.md");
    let text = fs::read_to_string(file).unwrap();
    let rows: BTreeMap<&str, (&str, &str)> = text
        .lines()
        .filter(|line| line.starts_with("| IL-SEQ-"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            assert_eq!(cells.len(), 4, "{line}");
            assert!(cells[3].len() > 20, "{line} explains nothing");
            (cells[0], (cells[1], cells[2]))
        })
        .collect();
    for code in Code::ALL {
        let name = code.to_string();
        let row = rows.get(name.as_str());
        assert_eq!(row, Some(&(code.severity().name(), code.title())), "{name} in docs/sequence-diagrams.md");
    }
    assert_eq!(rows.len(), Code::ALL.len(), "a row explains a code that is not there");
}
