//! Gives a state diagram on one line its line breaks back: every word before an arrow begins a transition.

/// The text with line feeds before its transitions, and how many there are; nothing where it has line breaks of its own.
pub(in crate::sequence::mermaid) fn line_breaks(text: &str, header: usize) -> Option<(String, usize)> {
    let body = text.get(header..)?.trim_end();
    if body.contains('\n') || body.contains('{') {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    let mut count = 0;
    // The two words before the one at hand.
    let mut before: [Option<usize>; 2] = [None, None];
    let mut at = header;
    for word in body.split([' ', '\t']) {
        if !word.is_empty() {
            let start = match word.find("-->") {
                Some(0) => before[1],
                Some(_) => Some(at),
                None => None,
            };
            if let Some(start) = start.filter(|start| *start > header) {
                bytes[start - 1] = b'\n';
                count += 1;
            }
            before = [before[1], Some(at)];
        }
        at += word.len() + 1;
    }
    (count > 1).then(|| String::from_utf8(bytes).ok().map(|text| (text, count))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_get_lines_of_their_own() {
        let text = "stateDiagram-v2 [*] --> Idle: on Idle --> Busy: work comes Busy --> Idle Busy-->[*]";
        let (lines, count) = line_breaks(text, 0).unwrap();
        assert_eq!(count, 4);
        assert_eq!(lines, "stateDiagram-v2\n[*] --> Idle: on\nIdle --> Busy: work comes\nBusy --> Idle\nBusy-->[*]");
        assert!(line_breaks("stateDiagram-v2\n[*] --> Idle", 0).is_none());
    }
}
