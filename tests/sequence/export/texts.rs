//! Texts and names: whatever they are, they are read back as they were.

use interlock::{
    model::trace::{Kind, Status},
    sequence::export::export,
};

use super::spans::{Trace, read_back};

/// A text as mermaid draws it: entities are characters.
fn shown(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('#') {
        let (number, after) = entity.split_once(';').unwrap();
        found += before;
        found.push(char::from_u32(number.parse().unwrap()).unwrap());
        rest = after;
    }
    found + rest
}

#[test]
fn every_text_is_read_back_as_it_was() {
    let texts = [
        "a; b",
        "a # b",
        "#35;",
        "end",
        "x end y",
        "GET /a/<id>",
        "50%% off",
        "%%{init}%%",
        "wrap: a",
        ":nowrap:b",
        "a: b",
        "C4Container",
        "->>",
        "A->>B: c",
        "&amp;",
        "“quoted”",
        "{\"a\": 1}",
        "loop",
        "note over A",
        "()",
        "+",
        "ünï",
        "`x`",
        "title x",
        "a %% b",
    ];
    for text in texts {
        let mut trace = Trace::default();
        let root = trace.add(text, Kind::Server, text, None, (0, 9));
        trace.spans[root].status = Status::Error(text.to_owned());
        let inner = trace.add(text, Kind::Client, text, Some(root), (1, 2));
        trace.peer(inner, "peer.service", &format!("{text} store"));
        let sequence = read_back(&export(&trace.spans).unwrap());
        let said: Vec<String> = sequence.messages().iter().map(|message| shown(&message.text.text)).collect();
        assert_eq!(said, [text, text, "ok", &format!("error: {text}")]);
        let labels: Vec<String> = sequence.participants.iter().map(|who| shown(&who.label)).collect();
        assert_eq!(labels, ["Client", text, &format!("{text} store")]);
    }
}

#[test]
fn texts_are_kept_to_one_line_and_to_a_length() {
    let mut trace = Trace::default();
    trace.add("a\r\nb", Kind::Server, "  one\n two\u{2028}\tthree\u{7} ", None, (0, 1));
    trace.add(" ", Kind::Internal, &"ä".repeat(1_000), None, (5, 6));
    let sequence = read_back(&export(&trace.spans).unwrap());
    let said: Vec<&str> = sequence.messages().iter().map(|message| message.text.text.as_str()).collect();
    assert_eq!(said, ["one two three", "ok", &format!("{}…", "ä".repeat(160))]);
    assert_eq!(sequence.participants[1].label, "a b");
    assert_eq!(sequence.participants[2].label, "unnamed");
}

#[test]
fn no_name_is_a_keyword_or_stands_for_two() {
    let names = [
        "actor",
        "Note",
        "END",
        "par_over",
        "option",
        "sequenceDiagram",
        "title",
        "left",
        "as",
        "off",
        "7up",
        "a-b",
        "a_b",
        "a b",
        "A-B",
        "Client",
        "-",
        "C4Context",
        "x",
        "o",
        "über",
        "autonumber",
        "links",
        "deactivate",
        "accTitle",
    ];
    let mut trace = Trace::default();
    let root = trace.add("start", Kind::Server, "go", None, (0, 1_000));
    for (at, name) in names.iter().enumerate() {
        let at = 10 * at as u64 + 1;
        trace.call(("start", root), name, "go", (at, at + 5));
    }
    let sequence = read_back(&export(&trace.spans).unwrap());
    assert_eq!(sequence.participants.len(), names.len() + 2);
    let ids: std::collections::BTreeSet<String> =
        sequence.participants.iter().map(|who| who.id.to_lowercase()).collect();
    assert_eq!(ids.len(), sequence.participants.len());
}
